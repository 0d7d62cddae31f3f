# Installed into a temporary prefix and used from outside.
add_test(NAME install.outside COMMAND ${PROJECT_SOURCE_DIR}/tests/install/install.sh
  ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} "${QUOIN_SANITIZE}")
set_tests_properties(install.outside PROPERTIES LABELS install TIMEOUT 300
  ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
