/* quadstore/pace.c - how far maintenance is behind, and what that costs a commit. */
#include "quadstore/store.h"

#include <time.h>

#include "base/poison.h"

enum {
  MERGE_RUNS = 6,       /* so many files are merged */
  GRAIN_NS = 50 * 1000, /* no shorter sleep: what the kernel adds to one */
  SLICE_NS = 1000 * 1000
};

uint64_t
quad_version_memory(const quad_version *v)
{
  uint64_t bytes = 0;

  for (size_t i = v->n_runs; i-- > 0 && !v->runs[i]->disk;)
    bytes += v->runs[i]->bytes;
  for (size_t i = quad_version_disk(v), end = i + v->frozen; i < end; i++)
    bytes -= v->runs[i]->bytes;
  return bytes;
}

bool
quad_version_mostly_dead(const quad_version *v, size_t disk)
{
  uint64_t entries = 0, tombstones = 0;

  for (size_t i = 0; i < disk; i++) {
    entries += v->runs[i]->entries;
    tombstones += v->runs[i]->tombstones;
  }
  return 4 * tombstones > entries;
}

bool
quad_version_crowded(const quad_version *v)
{
  size_t disk = quad_version_disk(v);

  return disk >= MERGE_RUNS || (disk > 1 && quad_version_mostly_dead(v, disk));
}

static double
larger(double a, double b)
{
  return a > b ? a : b;
}

/* Of the bound that is nearest, while there is a job to wait for; with the role. */
static double
pressure(const quad_store *store)
{
  const quad_executor *e = &store->executor;
  double memory = (double)quad_version_memory(store->version) / (double)store->memory_bytes, p = 0;

  if (e->flush)
    p = larger(memory, (double)(store->log.bytes - e->mark.bytes) / (double)store->log_bound);
  if (quad_version_crowded(store->version)) { /* the next flush makes one run more */
    double runs = (double)quad_version_disk(store->version) + (memory < 1 ? memory : 1);
    p = larger(p, runs / (QUAD_DISK_RUNS + 1));
  }
  return p;
}

/* The delay rule. From three quarters of a bound on, a commit of n bytes costs n * pace * x / (1 -
 * x) of time, where pace is what a byte takes on its way to disk and x goes from 0 at three
 * quarters to 1 at the bound. All commits together pay it: what comes in is slowed to what goes out
 * at x = 1/2 at the latest, so the bound is reached only by commits that are large themselves. */
void
quad_store_charge(quad_store *store, uint64_t bytes)
{
  quad_executor *e = &store->executor;
  double p = pressure(store), x = (p - 0.75) / 0.25;
  uint64_t now, until;

  if (e->inline_jobs) return; /* the next commit does what is due: it never waits for another */
  atomic_store(&e->full, p >= 1);
  atomic_store(&e->stuck, p >= 1 && e->failed.status);
  if (x <= 0) {
    if (atomic_load_explicit(&e->free_ns, memory_order_relaxed)) atomic_store(&e->free_ns, 0);
    return;
  }
  if (x > 0.99) x = 0.99;
  now = base_clock_ns();
  until = atomic_load(&e->free_ns);
  if (until < now) until = now;
  atomic_store(&e->free_ns, until + (uint64_t)((double)bytes * e->pace * x / (1 - x)));
}

/* Sleep until `until`, unless the reason is gone before. */
static quoin_status
sleep_until(quad_executor *e, uint64_t until, uint64_t deadline, base_cancel *cancel,
            quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t now;

  while (!st && (now = base_clock_ns()) < until && atomic_load(&e->free_ns)) {
    uint64_t ns = until - now < SLICE_NS ? until - now : SLICE_NS;
    struct timespec t = {0, (long)ns};
    (void)nanosleep(&t, NULL);
    st = quad_store_may_wait(deadline, cancel, err);
  }
  return st;
}

/* Past a bound: until there is room, or it is certain that none comes. */
static quoin_status
wait_for_room(quad_store *store, uint64_t deadline, base_cancel *cancel, quoin_error *err)
{
  static const struct timespec slice = {0, SLICE_NS};
  quad_executor *e = &store->executor;
  quoin_status st = QUOIN_OK;

  while (!st && atomic_load(&e->full) && !atomic_load(&store->poisoned)) {
    if (atomic_load(&e->stuck)) {
      base_mutex_lock(&store->writer);
      if (e->failed.status)
        st = base_fail(err, e->failed.status, "the store can take no more until this is solved: %s",
                       e->failed.message);
      base_mutex_unlock(&store->writer);
      if (st) return st;
    }
    (void)nanosleep(&slice, NULL);
    st = quad_store_may_wait(deadline, cancel, err);
  }
  return st;
}

quoin_status
quad_store_delay(quad_store *store, uint64_t deadline, base_cancel *cancel, quoin_error *err)
{
  quad_executor *e = &store->executor;
  uint64_t until = atomic_load_explicit(&e->free_ns, memory_order_relaxed);
  bool full = atomic_load_explicit(&e->full, memory_order_relaxed);
  quoin_status st = QUOIN_OK;

  if (!until && !full) return QUOIN_OK;
  if (!full && until < base_clock_ns() + GRAIN_NS) return QUOIN_OK;
  atomic_fetch_add_explicit(&e->delayed, 1, memory_order_relaxed);
  st = sleep_until(e, until, deadline, cancel, err);
  return st ? st : wait_for_room(store, deadline, cancel, err);
}
