quoin_test(unit.quadstore.codec SOURCES unit/test_quadstore_codec.c MODULES quadstore)
