if(TARGET quoin_sparql)
  pkg_check_modules(QUOIN_EXPAT REQUIRED IMPORTED_TARGET expat)
  pkg_check_modules(QUOIN_JANSSON REQUIRED IMPORTED_TARGET jansson)
  quoin_test(conformance.sparql
    SOURCES conformance/sparql_suite.c conformance/sparql_eval.c
      conformance/sparql_eval_update.c conformance/sparql_store.c conformance/sparql_answer.c
      conformance/sparql_service.c support/http_endpoint.c support/sparql_endpoint.c
      conformance/sparql_answer_xml.c conformance/sparql_answer_json.c conformance/rdfxml.c
      conformance/manifest.c
      conformance/isomorphism.c
    MODULES sparql
    ARGS ${PROJECT_SOURCE_DIR}/tests/conformance/known-failures.txt
    TIMEOUT 900)
  if(QUOIN_SERVICE)
    target_compile_definitions(test_conformance_sparql PRIVATE QUOIN_SERVICE)
  endif()
  target_link_libraries(test_conformance_sparql PRIVATE PkgConfig::QUOIN_EXPAT
    PkgConfig::QUOIN_JANSSON)
endif()
