quoin_test(unit.base.memory SOURCES unit/test_base_memory.c MODULES base)
quoin_test(unit.base.text SOURCES unit/test_base_text.c MODULES base)
quoin_test(unit.base.file SOURCES unit/test_base_file.c MODULES base)
quoin_test(unit.base.thread SOURCES unit/test_base_thread.c MODULES base)
