quoin_test(unit.sparql.operators SOURCES unit/test_sparql_operators.c MODULES sparql)
quoin_test(unit.sparql.query SOURCES unit/test_sparql_query.c MODULES sparql)
quoin_test(unit.sparql.exists SOURCES unit/test_sparql_exists.c MODULES sparql)
quoin_test(unit.sparql.query_paths SOURCES unit/test_sparql_query_paths.c MODULES sparql)
