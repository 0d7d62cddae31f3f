/* base/thread.h - mutexes, a writer-fair reader/writer lock, threads.
 *
 * Each lock has a rank (DESIGN.md section 7); debug builds abort with the names of both locks when
 * one is taken against the order, or when base_assert_held finds it not held. */
#ifndef QUOIN_BASE_THREAD_H
#define QUOIN_BASE_THREAD_H

#include "base/alloc.h"

#include <pthread.h>

typedef enum base_rank { /* taken from low to high */
                         BASE_RANK_POOL = 1,
                         BASE_RANK_WRITER = 2,
                         BASE_RANK_MANIFEST = 3,
                         BASE_RANK_STORE = 4,
                         BASE_RANK_VERSION = 5,
                         BASE_RANK_VECTOR = 6,
                         BASE_RANK_QUEUE = 7
} base_rank;

typedef struct base_mutex {
  pthread_mutex_t os;
  base_rank rank;
  const char *name;
} base_mutex;
quoin_status base_mutex_init(base_mutex *m, base_rank rank, const char *name, quoin_error *err);
void base_mutex_destroy(base_mutex *m);
void base_mutex_lock(base_mutex *m);
/* As base_mutex_lock, but false, without the lock, after about `ms` milliseconds. */
bool base_mutex_lock_within(base_mutex *m, unsigned ms);
void base_mutex_unlock(base_mutex *m);

typedef struct base_cond {
  pthread_cond_t os; /* CLOCK_MONOTONIC */
} base_cond;
quoin_status base_cond_init(base_cond *c, quoin_error *err);
void base_cond_destroy(base_cond *c);
void base_cond_wait(base_cond *c, base_mutex *m);
/* False when base_clock_ns() passed deadline_ns. */
bool base_cond_wait_until(base_cond *c, base_mutex *m, uint64_t deadline_ns);
void base_cond_signal(base_cond *c);
void base_cond_broadcast(base_cond *c);

/* Readers run together; arrivals are served in phases, so that neither side starves: a waiting
 * writer lets in no new reader, and the readers that waited for a writer go before the next one. */
typedef struct base_rwlock {
  pthread_mutex_t os;
  pthread_cond_t readers_go, writers_go;
  unsigned active_readers, waiting_readers, waiting_writers;
  unsigned phase; /* counts the groups of waiting readers let in by a writer */
  bool writing;
  base_rank rank;
  const char *name;
} base_rwlock;
quoin_status base_rwlock_init(base_rwlock *l, base_rank rank, const char *name, quoin_error *err);
void base_rwlock_destroy(base_rwlock *l);
void base_rwlock_read(base_rwlock *l);
void base_rwlock_read_done(base_rwlock *l);
void base_rwlock_write(base_rwlock *l);
void base_rwlock_write_done(base_rwlock *l);

/* Debug builds: abort, naming `name`, unless the calling thread holds a lock of that rank (for
 * writing where `write`). The holdings of a thread are kept in thread-local storage. Release:
 * nothing. */
void base_assert_held(base_rank rank, bool write, const char *name);

#endif /* QUOIN_BASE_THREAD_H */
