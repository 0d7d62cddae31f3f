if(TARGET quoin_sparql)
  quoin_test(unit.sparql.parser SOURCES unit/test_sparql_parser.c MODULES sparql)
  quoin_test(unit.sparql.results SOURCES unit/test_sparql_results.c MODULES sparql)
endif()
