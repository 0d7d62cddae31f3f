/* base/cancel.c - cancel flags, deadlines and the clock. */
#include "base/cancel.h"

#include "base/error.h"

#include <time.h>

#include "base/poison.h"

uint64_t
base_clock_ns(void)
{
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now)) return 0;
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
base_pause_ns(uint64_t ns)
{
  struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
  (void)nanosleep(&t, NULL); /* a signal shortens it */
}

quoin_status
base_cancel_check(base_cancel *cancel, quoin_error *err)
{
  if (!cancel) return QUOIN_OK;
  /* Relaxed: the flag carries no data. */
  if (cancel->flag && atomic_load_explicit(cancel->flag, memory_order_relaxed))
    return base_fail(err, QUOIN_ERR_CANCELLED, "cancelled by the caller");
  if (cancel->deadline_ns && (cancel->calls++ & 63u) == 0 &&
      base_clock_ns() >= cancel->deadline_ns) {
    cancel->calls = 0; /* the next call says so again */
    return base_fail(err, QUOIN_ERR_TIMEOUT, "the deadline passed");
  }
  return QUOIN_OK;
}
