quoin_test(unit.atomstore.intern SOURCES unit/test_atomstore_intern.c MODULES atomstore)
quoin_test(unit.atomstore.inline SOURCES unit/test_atomstore_inline.c MODULES atomstore)
