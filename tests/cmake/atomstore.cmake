quoin_test(unit.atomstore.intern SOURCES unit/test_atomstore_intern.c MODULES atomstore)
