quoin_test(unit.vector.index SOURCES unit/test_vector_index.c MODULES vector)
