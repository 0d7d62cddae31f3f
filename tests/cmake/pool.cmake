quoin_test(unit.pool.pool SOURCES unit/test_pool_pool.c MODULES pool)

# The calls of base counted over all directories: crash/pool_calls.h. quoin_base_faults is that of
# quoin_fault_test, which the crash tests make.
if(NOT TARGET quoin_base_faults)
  message(FATAL_ERROR "crash.cmake comes before pool.cmake")
endif()
quoin_collect(modules pool)
list(TRANSFORM modules REPLACE "^base$" "base_faults")
add_executable(test_crash_pool crash/test_crash_pool.c crash/pool_calls.c)
foreach(module ${modules})
  target_link_libraries(test_crash_pool PRIVATE quoin_${module})
endforeach()
target_link_libraries(test_crash_pool PRIVATE quoin_flags cmocka)
target_include_directories(test_crash_pool PRIVATE ${PROJECT_SOURCE_DIR}/tests)
add_test(NAME crash.pool COMMAND test_crash_pool)
set_tests_properties(crash.pool PROPERTIES TIMEOUT 600)
quoin_fault_test(crash.pool_power SOURCES crash/test_crash_pool_power.c MODULES pool)
quoin_fault_test(crash.backup_power SOURCES crash/test_crash_backup_power.c MODULES pool)
