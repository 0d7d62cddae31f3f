/* base/thread.c - locks with ranks. A failing pthread call on a lock is our own mistake. */
#include "base/thread.h"

#include "base/cancel.h"
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#ifndef NDEBUG
#include <stdio.h>
#endif

#define QUOIN_MAKES_LOCKS
#include "base/poison.h"

/* ---- the rank checker (debug builds) -------------------------------------------------------- */

#ifndef NDEBUG
enum { HELD_MAX = 32 };
typedef struct held {
  const void *lock;
  const char *name;
  base_rank rank;
  bool write;
} held;
/* The one piece of state outside of objects: what this thread holds, so that an order that could
 * deadlock stops the program the first time it is taken, not the first time it deadlocks. */
static _Thread_local struct {
  held items[HELD_MAX];
  unsigned n;
} holds;

static void
rank_before(const void *lock, base_rank rank, const char *name)
{
  for (unsigned i = 0; i < holds.n; i++) {
    if (holds.items[i].lock == lock) {
      fprintf(stderr, "lock '%s' is taken twice by one thread\n", name);
      abort();
    }
    if (holds.items[i].rank > rank) {
      fprintf(stderr, "lock '%s' (rank %d) is taken while '%s' (rank %d) is held\n", name,
              (int)rank, holds.items[i].name, (int)holds.items[i].rank);
      abort();
    }
  }
}

static void
rank_taken(const void *lock, base_rank rank, const char *name, bool write)
{
  if (holds.n == HELD_MAX) {
    fprintf(stderr, "lock '%s': one thread holds more than %d locks\n", name, HELD_MAX);
    abort();
  }
  holds.items[holds.n++] = (held){lock, name, rank, write};
}

static void
rank_released(const void *lock, const char *name)
{
  for (unsigned i = holds.n; i-- > 0;) {
    if (holds.items[i].lock != lock) continue;
    for (holds.n--; i < holds.n; i++)
      holds.items[i] = holds.items[i + 1];
    return;
  }
  fprintf(stderr, "lock '%s' is released by a thread that does not hold it\n", name);
  abort();
}

void
base_assert_held(base_rank rank, bool write, const char *name)
{
  for (unsigned i = 0; i < holds.n; i++)
    if (holds.items[i].rank == rank && (!write || holds.items[i].write)) return;
  fprintf(stderr, "'%s' needs a lock of rank %d%s, which this thread does not hold\n", name,
          (int)rank, write ? " for writing" : "");
  abort();
}
#else
static void
rank_before(const void *lock, base_rank rank, const char *name)
{
  (void)lock, (void)rank, (void)name;
}

static void
rank_taken(const void *lock, base_rank rank, const char *name, bool write)
{
  (void)lock, (void)rank, (void)name, (void)write;
}

static void
rank_released(const void *lock, const char *name)
{
  (void)lock, (void)name;
}

void
base_assert_held(base_rank rank, bool write, const char *name)
{
  (void)rank, (void)write, (void)name;
}
#endif

/* ---- mutex and condition -------------------------------------------------------------------- */

static void
os_lock(pthread_mutex_t *m)
{
  int failed = pthread_mutex_lock(m);
  assert(!failed);
  (void)failed;
}

static void
os_unlock(pthread_mutex_t *m)
{
  int failed = pthread_mutex_unlock(m);
  assert(!failed);
  (void)failed;
}

quoin_status
base_mutex_init(base_mutex *m, base_rank rank, const char *name, quoin_error *err)
{
  m->rank = rank;
  m->name = name;
  int failed = pthread_mutex_init(&m->os, NULL);
  return failed ? base_fail_os(err, failed, NULL, "mutex '%s' cannot be made", name) : QUOIN_OK;
}

void
base_mutex_destroy(base_mutex *m)
{
  int failed = pthread_mutex_destroy(&m->os);
  assert(!failed);
  (void)failed;
}

void
base_mutex_lock(base_mutex *m)
{
  rank_before(m, m->rank, m->name);
  os_lock(&m->os);
  rank_taken(m, m->rank, m->name, true);
}

bool
base_mutex_lock_within(base_mutex *m, unsigned ms)
{
  struct timespec until;
  rank_before(m, m->rank, m->name);
  if (clock_gettime(CLOCK_REALTIME, &until)) return false; /* the clock that POSIX has here */
  until.tv_sec += (time_t)(ms / 1000);
  until.tv_nsec += (long)(ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int failed = pthread_mutex_timedlock(&m->os, &until);
  assert(!failed || failed == ETIMEDOUT);
  if (failed) return false;
  rank_taken(m, m->rank, m->name, true);
  return true;
}

void
base_mutex_unlock(base_mutex *m)
{
  rank_released(m, m->name);
  os_unlock(&m->os);
}

static int
cond_new(pthread_cond_t *c)
{
  pthread_condattr_t attr;
  int failed = pthread_condattr_init(&attr);
  if (failed) return failed;
  failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  if (!failed) failed = pthread_cond_init(c, &attr);
  (void)pthread_condattr_destroy(&attr);
  return failed;
}

quoin_status
base_cond_init(base_cond *c, quoin_error *err)
{
  int failed = cond_new(&c->os);
  return failed ? base_fail_os(err, failed, NULL, "condition cannot be made") : QUOIN_OK;
}

void
base_cond_destroy(base_cond *c)
{
  int failed = pthread_cond_destroy(&c->os);
  assert(!failed);
  (void)failed;
}

void
base_cond_wait(base_cond *c, base_mutex *m)
{
  int failed = pthread_cond_wait(&c->os, &m->os);
  assert(!failed);
  (void)failed;
}

bool
base_cond_wait_until(base_cond *c, base_mutex *m, uint64_t deadline_ns)
{
  struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                           .tv_nsec = (long)(deadline_ns % 1000000000u)};
  int failed = pthread_cond_timedwait(&c->os, &m->os, &until);
  assert(!failed || failed == ETIMEDOUT);
  return failed != ETIMEDOUT;
}

void
base_cond_signal(base_cond *c)
{
  (void)pthread_cond_signal(&c->os);
}

void
base_cond_broadcast(base_cond *c)
{
  (void)pthread_cond_broadcast(&c->os);
}

/* ---- reader/writer lock ---------------------------------------------------------------------- */

quoin_status
base_rwlock_init(base_rwlock *l, base_rank rank, const char *name, quoin_error *err)
{
  *l = (base_rwlock){.rank = rank, .name = name};
  int failed = pthread_mutex_init(&l->os, NULL);
  if (failed) return base_fail_os(err, failed, NULL, "lock '%s' cannot be made", name);
  if ((failed = cond_new(&l->readers_go))) {
    (void)pthread_mutex_destroy(&l->os);
    return base_fail_os(err, failed, NULL, "lock '%s' cannot be made", name);
  }
  if ((failed = cond_new(&l->writers_go))) {
    (void)pthread_cond_destroy(&l->readers_go);
    (void)pthread_mutex_destroy(&l->os);
    return base_fail_os(err, failed, NULL, "lock '%s' cannot be made", name);
  }
  return QUOIN_OK;
}

void
base_rwlock_destroy(base_rwlock *l)
{
  assert(!l->writing && l->active_readers == 0);
  (void)pthread_cond_destroy(&l->writers_go);
  (void)pthread_cond_destroy(&l->readers_go);
  (void)pthread_mutex_destroy(&l->os);
}

void
base_rwlock_read(base_rwlock *l)
{
  rank_before(l, l->rank, l->name);
  os_lock(&l->os);
  if (l->writing || l->waiting_writers) {
    /* The writer that lets this phase in counts it among the active readers. */
    unsigned phase = l->phase;
    l->waiting_readers++;
    while (l->phase == phase)
      (void)pthread_cond_wait(&l->readers_go, &l->os);
  } else {
    l->active_readers++;
  }
  os_unlock(&l->os);
  rank_taken(l, l->rank, l->name, false);
}

void
base_rwlock_read_done(base_rwlock *l)
{
  rank_released(l, l->name);
  os_lock(&l->os);
  assert(l->active_readers > 0);
  if (--l->active_readers == 0 && l->waiting_writers) (void)pthread_cond_signal(&l->writers_go);
  os_unlock(&l->os);
}

void
base_rwlock_write(base_rwlock *l)
{
  rank_before(l, l->rank, l->name);
  os_lock(&l->os);
  l->waiting_writers++;
  while (l->writing || l->active_readers)
    (void)pthread_cond_wait(&l->writers_go, &l->os);
  l->waiting_writers--;
  l->writing = true;
  os_unlock(&l->os);
  rank_taken(l, l->rank, l->name, true);
}

void
base_rwlock_write_done(base_rwlock *l)
{
  rank_released(l, l->name);
  os_lock(&l->os);
  assert(l->writing);
  l->writing = false;
  if (l->waiting_readers) {
    l->active_readers += l->waiting_readers;
    l->waiting_readers = 0;
    l->phase++;
    (void)pthread_cond_broadcast(&l->readers_go);
  } else if (l->waiting_writers) {
    (void)pthread_cond_signal(&l->writers_go);
  }
  os_unlock(&l->os);
}
