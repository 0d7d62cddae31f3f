quoin_test(unit.vector.index SOURCES unit/test_vector_index.c MODULES vector)
quoin_test(crash.vector_kill SOURCES crash/test_vector_kill.c MODULES vector)
quoin_test(unit.vector.removal SOURCES unit/test_vector_removal.c MODULES vector)
quoin_test(unit.vector.filter SOURCES unit/test_vector_filter.c MODULES vector)
