/* tests/crash/pool_calls.h - the calls of base/sys.h, counted over all directories: the chosen one
 * fails, or the process is killed there. */
#ifndef QUOIN_TESTS_CRASH_POOL_CALLS_H
#define QUOIN_TESTS_CRASH_POOL_CALLS_H

#include <stdbool.h>

typedef enum calls_mode { CALLS_KILL, CALLS_EIO, CALLS_ENOSPC } calls_mode;

/* Call number `chosen` (from 1; 0: none) from here on. */
void calls_begin(unsigned long chosen, calls_mode mode);
/* Stop; how many there were. *struck (may be NULL): the chosen one came. */
unsigned long calls_end(bool *struck);

/* How many this thread has made, ever. */
unsigned long calls_of_thread(void);

#endif /* QUOIN_TESTS_CRASH_POOL_CALLS_H */
