quoin_test(unit.sparql.nearest SOURCES unit/test_sparql_nearest.c MODULES sparql)
quoin_test(unit.sparql.nearest_ways SOURCES unit/test_sparql_nearest_ways.c MODULES sparql)
quoin_test(unit.sparql.nearest_split SOURCES unit/test_sparql_nearest_split.c MODULES sparql)
