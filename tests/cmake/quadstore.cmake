quoin_test(unit.quadstore.codec SOURCES unit/test_quadstore_codec.c MODULES quadstore)
quoin_test(unit.quadstore.scan SOURCES unit/test_quadstore_scan.c MODULES quadstore)
quoin_test(unit.quadstore.store SOURCES unit/test_quadstore_store.c MODULES quadstore)
