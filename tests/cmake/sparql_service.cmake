if(TARGET quoin_sparql AND QUOIN_SERVICE)
  quoin_test(unit.sparql.results_read SOURCES unit/test_sparql_results_read.c MODULES sparql)
  quoin_test(unit.sparql.service
    SOURCES unit/test_sparql_service.c support/http_endpoint.c support/sparql_endpoint.c
    MODULES sparql)
endif()
