quoin_test(unit.sparql.nearest SOURCES unit/test_sparql_nearest.c MODULES sparql)
