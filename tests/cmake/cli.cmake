# The command, run as a user runs it.
foreach(name backup basic compact locked crash data pool query shell update vector vector_files vector_use)
  add_test(NAME cli.${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/cli/${name}.sh)
  set_tests_properties(cli.${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77
    ENVIRONMENT "QUOIN_CLI=$<TARGET_FILE:quoin_cli>;QUOIN_SHARED=${QUOIN_SHARED};QUOIN_SOURCE=${PROJECT_SOURCE_DIR}")
endforeach()
