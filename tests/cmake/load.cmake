quoin_test(unit.load.packet SOURCES unit/test_load_packet.c MODULES load)
quoin_test(unit.load.load SOURCES unit/test_load_load.c MODULES load)
quoin_test(unit.load.memory SOURCES unit/test_load_memory.c MODULES load)
quoin_test(unit.load.vectors SOURCES unit/test_load_vectors.c MODULES load)
