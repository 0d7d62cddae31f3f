# The shape of the code: which folder includes which, and how it is formatted.
add_test(NAME arrows.drawn COMMAND ${PROJECT_SOURCE_DIR}/tests/arrows/arrows.sh ${PROJECT_SOURCE_DIR})
add_test(NAME arrows.fires COMMAND ${PROJECT_SOURCE_DIR}/tests/arrows/fires.sh)
add_test(NAME format COMMAND ${PROJECT_SOURCE_DIR}/tests/format/format.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(format PROPERTIES SKIP_RETURN_CODE 77)
