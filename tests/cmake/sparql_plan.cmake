quoin_test(unit.sparql.plan SOURCES unit/test_sparql_plan.c MODULES sparql)
