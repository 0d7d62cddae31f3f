foreach(unit apart check hnsw kernel pages regions sweep threads top)
  quoin_test(unit.vector.${unit} SOURCES unit/test_vector_${unit}.c MODULES vector)
endforeach()
