/* base/cancel.h - when to stop: a cancel flag and a deadline, checked in every loop.
 *
 * The flag is set by another thread or a signal handler (base_cancel_request is async-signal-safe);
 * the deadline is read from the monotonic clock at most once in 64 calls of base_cancel_check. */
#ifndef QUOIN_BASE_CANCEL_H
#define QUOIN_BASE_CANCEL_H

#include <quoin/types.h>

#include <stdatomic.h>

typedef struct base_cancel {
  const atomic_int *flag; /* non-zero: stop; may be NULL; borrowed */
  uint64_t deadline_ns;   /* base_clock_ns() at which to stop; 0: never */
  uint32_t calls;         /* of the thread that owns this struct */
} base_cancel;

/* QUOIN_OK, QUOIN_ERR_CANCELLED or QUOIN_ERR_TIMEOUT. NULL: never. Cheap: once per batch.
 */
quoin_status base_cancel_check(base_cancel *cancel, quoin_error *err);

/* Monotonic nanoseconds. */
uint64_t base_clock_ns(void);
void base_pause_ns(uint64_t ns); /* sleep about so long */

#endif /* QUOIN_BASE_CANCEL_H */
