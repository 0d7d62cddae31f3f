# Faults under the store: each call on stored data fails, is cut short or is the last one.
quoin_fault_test(crash.power SOURCES crash/test_crash_power.c MODULES load)
quoin_fault_test(crash.errors SOURCES crash/test_crash_errors.c MODULES load)
