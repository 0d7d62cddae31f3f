quoin_test(unit.sparql.spill SOURCES unit/test_sparql_spill.c MODULES sparql)
quoin_test(unit.sparql.spill_join SOURCES unit/test_sparql_spill_join.c MODULES sparql)
quoin_test(unit.sparql.limits SOURCES unit/test_sparql_limits.c MODULES sparql)
