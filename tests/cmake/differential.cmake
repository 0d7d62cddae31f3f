if(TARGET quoin_sparql)
  pkg_check_modules(QUOIN_EXPAT REQUIRED IMPORTED_TARGET expat)
  pkg_check_modules(QUOIN_JANSSON REQUIRED IMPORTED_TARGET jansson)
  quoin_test(conformance.differential
    SOURCES differential/differential.c conformance/sparql_answer.c
      conformance/sparql_answer_xml.c conformance/sparql_answer_json.c conformance/manifest.c
      conformance/isomorphism.c
    MODULES sparql
    ARGS corpus ${PROJECT_SOURCE_DIR}/tests/differential/corpus)
  target_link_libraries(test_conformance_differential PRIVATE PkgConfig::QUOIN_EXPAT
    PkgConfig::QUOIN_JANSSON)
endif()
