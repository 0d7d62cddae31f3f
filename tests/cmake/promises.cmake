# Each promise is proven by a test named after it: docs/promises.md says which.
quoin_test(promise.close SOURCES api/test_promise_close.c MODULES api)
quoin_test(promise.process SOURCES api/test_promise_process.c MODULES api)
quoin_test(promise.txn SOURCES api/test_promise_txn.c MODULES api)
quoin_test(promise.growth SOURCES unit/test_promise_growth.c MODULES atomstore)
