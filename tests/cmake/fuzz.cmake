# The fuzz targets over their corpora: fuzz/README.md.
if(TARGET quoin_sparql)
  set(targets rdf_read sparql_parse)
  if(QUOIN_SERVICE)
    list(APPEND targets results_json results_xml)
  endif()
  foreach(name ${targets})
    quoin_test(unit.fuzz.${name}
      SOURCES ${PROJECT_SOURCE_DIR}/fuzz/${name}.c ${PROJECT_SOURCE_DIR}/fuzz/replay.c
      MODULES sparql
      ARGS ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
  endforeach()
endif()
