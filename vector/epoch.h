/* vector/epoch.h - when have all left who could know a thing?
 *
 * Whoever looks at shared things enters and leaves, without a lock. Things that were taken out of
 * sight gather; whoever took them out turns the epoch and may free them once it is quiet: all that
 * entered before the turn have left. Only then may it be turned again, so two counters are enough.
 */
#ifndef QUOIN_VECTOR_EPOCH_H
#define QUOIN_VECTOR_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct vec_epoch {
  _Atomic(uint64_t) now; /* begins with 1 */
  _Atomic(uint32_t) active[2];
} vec_epoch;

/* To be given to vec_epoch_leave. Any thread. */
static inline uint64_t
vec_epoch_enter(vec_epoch *e)
{
  for (;;) {
    uint64_t now = atomic_load(&e->now);
    atomic_fetch_add(&e->active[now & 1], 1);
    if (atomic_load(&e->now) == now) return now;
    atomic_fetch_sub(&e->active[now & 1], 1); /* it was turned meanwhile */
  }
}

static inline void
vec_epoch_leave(vec_epoch *e, uint64_t entered)
{
  atomic_fetch_sub(&e->active[entered & 1], 1);
}

static inline bool
vec_epoch_is_quiet(vec_epoch *e)
{
  return !atomic_load(&e->active[(atomic_load(&e->now) - 1) & 1]);
}

static inline void
vec_epoch_turn(vec_epoch *e)
{
  atomic_fetch_add(&e->now, 1);
}

#endif /* QUOIN_VECTOR_EPOCH_H */
