quoin_test(unit.atomstore.inline SOURCES unit/test_atomstore_inline.c MODULES atomstore)
quoin_test(unit.atomstore.intern SOURCES unit/test_atomstore_intern.c MODULES atomstore)
quoin_test(unit.atomstore.store SOURCES unit/test_atomstore_store.c MODULES atomstore)
quoin_test(unit.atomstore.table SOURCES unit/test_atomstore_table.c MODULES atomstore)
quoin_test(unit.atomstore.threads SOURCES unit/test_atomstore_threads.c MODULES atomstore)
quoin_test(unit.atomstore.vector SOURCES unit/test_atomstore_vector.c MODULES atomstore)
quoin_test(unit.atomstore.symbols SOURCES unit/test_atomstore_symbols.c MODULES atomstore)

# Measures the module itself, which libquoin does not export: bench/atoms.c.
add_executable(quoin-bench-atoms ${PROJECT_SOURCE_DIR}/bench/atoms.c)
target_link_libraries(quoin-bench-atoms PRIVATE quoin_atomstore quoin_base)
