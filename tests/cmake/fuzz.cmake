# The fuzz targets over their corpora: fuzz/README.md.
if(TARGET quoin_api)
  set(targets rdf_read sparql_parse store_files)
  if(QUOIN_SERVICE)
    list(APPEND targets results_json results_xml)
  endif()
  foreach(name ${targets})
    quoin_test(unit.fuzz.${name}
      SOURCES ${PROJECT_SOURCE_DIR}/fuzz/${name}.c ${PROJECT_SOURCE_DIR}/fuzz/replay.c
      MODULES api
      ARGS ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
  endforeach()
endif()
