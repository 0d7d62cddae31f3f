# Each promise is proven by a test named after it: docs/promises.md says which.
quoin_test(promise.close SOURCES api/test_promise_close.c MODULES api)
quoin_test(promise.process SOURCES api/test_promise_process.c MODULES api)
quoin_test(promise.txn SOURCES api/test_promise_txn.c MODULES api)
quoin_test(promise.growth SOURCES unit/test_promise_growth.c MODULES atomstore)

# Measures the module itself, which libquoin does not export: M5 in figures.
add_executable(quoin-bench-growth ${PROJECT_SOURCE_DIR}/bench/growth.c)
target_link_libraries(quoin-bench-growth PRIVATE quoin_atomstore quoin_base)
