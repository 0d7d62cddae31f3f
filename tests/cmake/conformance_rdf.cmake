quoin_test(conformance.rdf11
  SOURCES conformance/rdf_suite.c conformance/manifest.c conformance/isomorphism.c
  MODULES rdfio
  ARGS ${PROJECT_SOURCE_DIR}/tests/conformance/rdf_known_failures.txt)
