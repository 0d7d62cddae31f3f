quoin_test(unit.sparql.update SOURCES unit/test_sparql_update.c MODULES sparql)
quoin_test(unit.sparql.update_request SOURCES unit/test_sparql_update_request.c MODULES sparql)
quoin_test(api.update SOURCES api/test_api_update.c MODULES api)
