/* quadstore/maintain.c - when the runs in memory freeze, for the executor to write them: at a
 * bound, at a checkpoint, at rest. */
#include "quadstore/store.h"

#include "base/poison.h"

/* The runs in memory freeze and the log goes on in another segment. Without memory, or a log that
 * can be written, nothing is frozen. */
static void
freeze(quad_store *store)
{
  quad_executor *e = &store->executor;
  const quad_version *now = store->version;
  quad_version *v;

  if (quad_version_like(&v, now, now->n_runs, store->mem, NULL)) return; /* next time */
  if (quad_store_poison(store, quad_log_rotate(&store->log, NULL))) {
    quad_version_release(v);
    return;
  }
  for (size_t i = 0; i < now->n_runs; i++)
    quad_version_push(v, now->runs[i]);
  v->frozen = now->n_runs - quad_version_disk(now);
  e->mark.segment = store->log.segment;
  e->mark.sequence = store->log.sequence;
  e->mark.bytes = store->log.bytes;
  e->mark.version = v->number;
  e->mark.terms = v->terms;
  e->flush = true;
  e->freezes++;
  quad_store_publish(store, v);
}

/* There is something that only the log holds, or a log. */
static bool
has_log(const quad_store *store)
{
  return store->log.bytes || store->log.file.fd >= 0 ||
         quad_version_disk(store->version) < store->version->n_runs;
}

void
quad_store_maintain(quad_store *store, uint64_t bytes)
{
  quad_executor *e = &store->executor;

  if (atomic_load_explicit(&store->poisoned, memory_order_relaxed)) return;
  if (!e->flush && (quad_version_memory(store->version) >= store->memory_bytes ||
                    store->log.bytes >= store->log_bound))
    freeze(store);
  quad_executor_begin(store);
  if (!e->rest_ns && store->rest && has_log(store) && quad_executor_start(store)) {
    e->rest_ns = base_clock_ns() + store->rest;
    e->rest_version = store->version->number;
    base_cond_signal(&e->work);
  }
  quad_store_charge(store, bytes);
}

void
quad_store_rest(quad_store *store)
{
  quad_executor *e = &store->executor;

  e->rest_ns = 0;
  if (atomic_load(&store->poisoned) || !has_log(store)) return;
  if (!e->flush && store->version->number == e->rest_version) freeze(store);
  if (e->flush && store->version->number == e->mark.version) return; /* nothing else is there */
  e->rest_ns = base_clock_ns() + store->rest;
  e->rest_version = store->version->number;
}

void
quad_executor_settle(quad_store *store)
{
  quad_executor *e = &store->executor;

  e->flush = false;
  e->failed.status = QUOIN_OK;
  quad_executor_look(store);
  quad_store_charge(store, 0);
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

/* With the role, which others have meanwhile: until what was frozen as number `freezes` is on disk,
 * and nobody has lent the role. */
static quoin_status
wait_for_flush(quad_store *store, uint64_t freezes, uint64_t deadline, quoin_error *err)
{
  enum { SLICE = 20 * 1000 * 1000 };
  quad_executor *e = &store->executor;
  quoin_status st = QUOIN_OK;

  e->failed.status = QUOIN_OK; /* tried again at once */
  quad_executor_begin(store);
  while (!st && (((e->flush || e->flushing) && e->freezes == freezes) || store->reserved)) {
    if ((st = quad_store_may_write(store, err))) break;
    if (e->failed.status) {
      if (err) *err = e->failed;
      return e->failed.status;
    }
    atom_store_writer_leave(store->atoms);
    (void)base_cond_wait_until(&e->idle, &store->writer, base_clock_ns() + SLICE);
    atom_store_writer_enter(store->atoms);
    st = quad_store_may_wait(deadline, NULL, err);
  }
  return st ? st : quad_store_may_write(store, err);
}

/* With the role, and a thread for maintenance. */
static quoin_status
checkpoint_behind(quad_store *store, uint64_t deadline, quoin_error *err)
{
  quad_executor *e = &store->executor;
  quoin_status st = QUOIN_OK;

  /* what is frozen already may be older than what is committed by now */
  if (e->flush) st = wait_for_flush(store, e->freezes, deadline, err);
  if (st || quad_store_is_saved(store)) return st;
  if (!e->flush) freeze(store); /* else another one did, meanwhile */
  if ((st = quad_store_may_write(store, err))) return st;
  if (!e->flush) return base_fail_nomem(err);
  return wait_for_flush(store, e->freezes, deadline, err);
}

quoin_status
quad_checkpoint(quad_store *store, quoin_error *err)
{
  uint64_t deadline = quad_store_patience(store);
  quoin_status st = quad_store_may_write(store, err);

  if (st) return st;
  if (!atomic_load(&store->executor.stop)) { /* else the store is being closed */
    if ((st = quad_store_enter_within(store, NULL, err))) return st;
    bool behind = quad_executor_start(store);
    st = quad_store_may_write(store, err);
    if (behind && !st) st = checkpoint_behind(store, deadline, err);
    quad_store_leave(store);
    if (behind || st) return st;
  }
  if ((st = quad_store_enter_idle(store, NULL, err))) return st;
  st = quad_store_may_write(store, err);
  if (!st) st = quad_store_checkpoint(store, err);
  quad_store_leave(store);
  return st;
}
