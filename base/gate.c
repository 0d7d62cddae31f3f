/* base/gate.c - on Linux a futex; else a condition. */
#include "base/gate.h"

#include "base/error.h"

#include <assert.h>
#include <limits.h>
#include <time.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define QUOIN_MAKES_LOCKS
#include "base/poison.h"

static struct timespec
moment(uint64_t ns)
{
  return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                           .tv_nsec = (long)(ns % 1000000000u)};
}

uint32_t
base_gate_count(const base_gate *g)
{
  /* acquire: what was done before it was opened is seen (base_gate_open) */
  return atomic_load_explicit(&((base_gate *)(uintptr_t)g)->opened, memory_order_acquire);
}

#if defined(__linux__)
quoin_status
base_gate_init(base_gate *g, quoin_error *err)
{
  static_assert(sizeof g->opened == 4, "the kernel reads it");
  (void)err;
  atomic_init(&g->opened, 0);
  return QUOIN_OK;
}

void
base_gate_destroy(base_gate *g)
{
  (void)g;
}

void
base_gate_wait(base_gate *g, uint32_t seen, uint64_t deadline_ns)
{
  struct timespec until = moment(deadline_ns);

  if (base_gate_count(g) != seen) return;
  /* this one takes a moment of CLOCK_MONOTONIC, not a duration; every failure is a return */
  (void)syscall(SYS_futex, &g->opened, FUTEX_WAIT_BITSET_PRIVATE, seen, deadline_ns ? &until : NULL,
                NULL, FUTEX_BITSET_MATCH_ANY);
}

void
base_gate_open(base_gate *g)
{
  (void)atomic_fetch_add_explicit(&g->opened, 1, memory_order_release);
  (void)syscall(SYS_futex, &g->opened, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
quoin_status
base_gate_init(base_gate *g, quoin_error *err)
{
  pthread_condattr_t attr;
  int failed = pthread_condattr_init(&attr);

  atomic_init(&g->opened, 0);
  if (!failed) {
    failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!failed) failed = pthread_cond_init(&g->open, &attr);
    (void)pthread_condattr_destroy(&attr);
  }
  if (!failed && (failed = pthread_mutex_init(&g->os, NULL))) (void)pthread_cond_destroy(&g->open);
  return failed ? base_fail_os(err, failed, NULL, "a gate cannot be made") : QUOIN_OK;
}

void
base_gate_destroy(base_gate *g)
{
  (void)pthread_cond_destroy(&g->open);
  (void)pthread_mutex_destroy(&g->os);
}

void
base_gate_wait(base_gate *g, uint32_t seen, uint64_t deadline_ns)
{
  struct timespec until = moment(deadline_ns);

  (void)pthread_mutex_lock(&g->os);
  if (base_gate_count(g) == seen) {
    if (deadline_ns)
      (void)pthread_cond_timedwait(&g->open, &g->os, &until);
    else
      (void)pthread_cond_wait(&g->open, &g->os);
  }
  (void)pthread_mutex_unlock(&g->os);
}

void
base_gate_open(base_gate *g)
{
  (void)pthread_mutex_lock(&g->os);
  (void)atomic_fetch_add_explicit(&g->opened, 1, memory_order_release);
  (void)pthread_cond_broadcast(&g->open);
  (void)pthread_mutex_unlock(&g->os);
}
#endif
