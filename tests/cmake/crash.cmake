# Faults under the store: each call on stored data fails, is cut short or is the last one; each
# allocation fails; bits are wrong. QUOIN_CRASH_SEEDS tries more, for long runs.
foreach(name power errors memory flips space)
  quoin_fault_test(crash.${name} SOURCES crash/test_crash_${name}.c MODULES load TIMEOUT 900)
endforeach()
# Counts what an open reads.
quoin_fault_test(unit.vector.opening SOURCES unit/test_vector_opening.c MODULES load)
# Commits that fail, graphs that cannot grow, be saved or be opened.
quoin_fault_test(unit.vector.dropped SOURCES unit/test_vector_dropped.c MODULES load)
quoin_fault_test(unit.vector.faults SOURCES unit/test_vector_faults.c MODULES load)
# For scripts/kill9.
add_executable(quoin_kill9 crash/kill9.c)
target_link_libraries(quoin_kill9 PRIVATE quoin_flags quoin_static)
