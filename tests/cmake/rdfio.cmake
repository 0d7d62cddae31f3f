foreach(unit iri lines turtle places write source mutate data)
  quoin_test(unit.rdfio.${unit} SOURCES unit/test_rdfio_${unit}.c MODULES rdfio)
endforeach()
