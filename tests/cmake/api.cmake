quoin_test(api.store SOURCES api/test_api_store.c MODULES api)
quoin_test(api.txn SOURCES api/test_api_txn.c MODULES api)
quoin_test(api.query SOURCES api/test_api_query.c MODULES api)
quoin_test(api.nomem SOURCES api/test_api_nomem.c MODULES api)
