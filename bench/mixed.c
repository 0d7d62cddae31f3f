/* bench/mixed.c - how long readers and writers wait for one another: promise N2.
 *
 *   quoin-bench-mixed [--threads N] [--reads SHARE] [--seconds S] [--only lock|store] [--dir DIR]
 *
 * N threads (16) draw at each step whether they read (0.9) or write. Twice: on the fair lock alone,
 * held for about a microsecond; and on a store, where a read takes a snapshot, looks a subject up
 * and lets go, and a write commits one quad without a sync. Each beside a run in which every thread
 * has a lock, or a store, of its own: there the lock is idle, and what remains is the scheduler,
 * with as many threads on the same cores. N2: the longest wait of each side is at most 10 ms above
 * that. Between the two, unless one alone is asked for, what the C library has in the lock's place:
 * its reader/writer lock with readers first and with writers first, and its mutex. */
#include "quadstore/quadstore.h"

#include "bench/scratch.h"
#include "bench/times.h"

#include "base/hash.h"
#include "base/thread.h"

#include <pthread.h>
#include <string.h>

enum { THREADS_MAX = 64, QUADS = 20000, HOLD = 400 };

static const char usage[] =
    "usage: quoin-bench-mixed [--threads N] [--reads SHARE] [--seconds S] [--only lock|store]\n"
    "                         [--dir DIR]\n"
    "waits of readers and writers of one lock and of one store, beside idle ones\n";

/* What may stand in the place of the fair lock. */
typedef enum primitive { FAIR, READERS_FIRST, WRITERS_FIRST, MUTEX, PRIMITIVES } primitive;
static const char *const primitive_names[PRIMITIVES] = {"lock", "readers first", "writers first",
                                                        "mutex"};

typedef struct side {
  primitive kind;
  base_rwlock lock;
  pthread_rwlock_t library;
  pthread_mutex_t mutex;
  quad_store *store;
  uint64_t held; /* written and read under the lock */
} side;

typedef struct worker {
  side *at;
  unsigned number;
  bool whole; /* operations of a store, not the lock alone */
  double reads;
  uint64_t until, seed;
  times read, write;
} worker;

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s: %s\n", err->file, err->message);
  exit(1);
}

static void
spend(uint64_t *at)
{
  for (unsigned i = 0; i < HOLD; i++)
    *at = base_mix(*at);
}

static void
take(side *s, bool read)
{
  if (s->kind == FAIR && read)
    base_rwlock_read(&s->lock);
  else if (s->kind == FAIR)
    base_rwlock_write(&s->lock);
  else if (s->kind == MUTEX)
    (void)pthread_mutex_lock(&s->mutex);
  else if (read)
    (void)pthread_rwlock_rdlock(&s->library);
  else
    (void)pthread_rwlock_wrlock(&s->library);
}

static void
give(side *s, bool read)
{
  if (s->kind == FAIR && read)
    base_rwlock_read_done(&s->lock);
  else if (s->kind == FAIR)
    base_rwlock_write_done(&s->lock);
  else if (s->kind == MUTEX)
    (void)pthread_mutex_unlock(&s->mutex);
  else
    (void)pthread_rwlock_unlock(&s->library);
}

static void
lock_step(worker *w, bool read)
{
  uint64_t start = base_clock_ns(), held;

  take(w->at, read);
  times_note(read ? &w->read : &w->write, base_clock_ns() - start);
  held = w->at->held;
  spend(&held);
  if (!read) w->at->held = held;
  give(w->at, read);
  w->seed += held & 1;
}

static quad
quad_of(uint64_t n)
{
  quad q = {{{0}, {0}, {0}, {0}}};
  q.term[QUAD_S] = atom_inline_integer((int64_t)(n / 8));
  q.term[QUAD_P] = atom_inline_integer((int64_t)(n % 8));
  q.term[QUAD_O] = atom_inline_integer((int64_t)(base_mix(n) % 1000));
  return q;
}

static void
look_up(worker *w)
{
  quad_pattern p = {.scope = QUAD_DEFAULT};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot *s;
  quad_scan *scan;
  quad_batch batch;

  p.match.term[QUAD_S] = quad_of(base_mix(w->seed) % QUADS).term[QUAD_S];
  check(quad_snapshot_acquire(&s, w->at->store, &err), &err);
  check(quad_scan_open(&scan, s, &p, QUAD_SPO, 1u << QUAD_O, &err), &err);
  while (!quad_scan_next(&batch, scan, &err))
    w->seed += batch.rows;
  quad_scan_close(scan);
  quad_snapshot_release(s);
}

static void
commit(worker *w)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_txn *txn;
  quad q = quad_of(base_mix(w->seed) % (QUADS * 10));

  q.term[QUAD_O] = atom_inline_integer((int64_t)(w->seed >> 20 & 0xfffff));
  check(quad_txn_begin(&txn, w->at->store, &err), &err);
  check(quad_txn_add_ids(txn, &q, &err), &err);
  check(quad_txn_commit(NULL, NULL, txn, &err), &err);
}

static void
store_step(worker *w, bool read)
{
  uint64_t start = base_clock_ns();

  if (read)
    look_up(w);
  else
    commit(w);
  times_note(read ? &w->read : &w->write, base_clock_ns() - start);
}

static void *
work(void *user)
{
  worker *w = user;

  while (base_clock_ns() < w->until) {
    w->seed += UINT64_C(0x9e3779b97f4a7c15);
    bool read = (double)(base_mix(w->seed) >> 11) * 0x1p-53 < w->reads;
    if (w->whole)
      store_step(w, read);
    else
      lock_step(w, read);
  }
  return NULL;
}

static void
open_locks(side *s, primitive kind)
{
  pthread_rwlockattr_t attr;
  quoin_error err = QUOIN_ERROR_INIT;

  s->kind = kind;
  (void)pthread_rwlockattr_init(&attr);
#if defined(__GLIBC__)
  if (kind == WRITERS_FIRST)
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
  if (pthread_rwlock_init(&s->library, &attr) || pthread_mutex_init(&s->mutex, NULL)) exit(1);
  (void)pthread_rwlockattr_destroy(&attr);
  check(base_rwlock_init(&s->lock, BASE_RANK_STORE, "bench", &err), &err);
}

static void
open_side(side *s, const char *path, primitive kind, bool whole)
{
  const quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_bulk *bulk;

  open_locks(s, kind);
  if (!whole) return;
  check(quad_store_open(&s->store, path, &o, NULL, &err), &err);
  check(quad_bulk_begin(&bulk, s->store, 0, 1, &err), &err);
  for (uint64_t i = 0; i < QUADS; i++) {
    quad q = quad_of(i);
    check(quad_bulk_add(bulk, &q, 1, &err), &err);
  }
  check(quad_bulk_finish(NULL, bulk, NULL, &err), &err);
}

static void
print(const char *what, const times *t, double seconds)
{
  (void)printf("%-28s %12.0f %10.1f %10.1f %12.1f %10.2f\n", what, (double)t->n / seconds,
               (double)times_percentile(t, 0.5) * 1e-3, (double)times_percentile(t, 0.99) * 1e-3,
               (double)times_percentile(t, 0.9999) * 1e-3, (double)t->max * 1e-6);
}

/* The times of both sides, of all threads; with one lock or store each, or one for all. */
static void
measure(times out[2], unsigned threads, primitive kind, bool whole, bool shared, double reads,
        double seconds, const char *dir)
{
  static worker w[THREADS_MAX];
  static side sides[THREADS_MAX];
  scratch paths[THREADS_MAX];
  pthread_t id[THREADS_MAX];
  unsigned n = shared ? 1 : threads;
  quoin_error err = QUOIN_ERROR_INIT;
  char what[64];

  memset(w, 0, sizeof w);
  memset(sides, 0, sizeof sides);
  for (unsigned i = 0; i < n; i++) {
    if (whole) scratch_make(&paths[i], dir);
    open_side(&sides[i], paths[i].path, kind, whole);
  }
  uint64_t until = base_clock_ns() + (uint64_t)(seconds * 1e9);
  for (unsigned i = 0; i < threads; i++) {
    w[i].at = &sides[shared ? 0 : i];
    w[i].number = i;
    w[i].whole = whole;
    w[i].reads = reads;
    w[i].until = until;
    w[i].seed = base_mix(i + 1);
    if (pthread_create(&id[i], NULL, work, &w[i])) exit(1);
  }
  memset(out, 0, 2 * sizeof *out);
  for (unsigned i = 0; i < threads; i++) {
    (void)pthread_join(id[i], NULL);
    times_add(&out[0], &w[i].read);
    times_add(&out[1], &w[i].write);
  }
  for (unsigned i = 0; i < n; i++) {
    base_rwlock_destroy(&sides[i].lock);
    (void)pthread_rwlock_destroy(&sides[i].library);
    (void)pthread_mutex_destroy(&sides[i].mutex);
    if (!whole) continue;
    check(quad_store_close(sides[i].store, &err), &err);
    scratch_remove(&paths[i]);
  }
  for (unsigned k = 0; k < 2; k++) {
    (void)snprintf(what, sizeof what, "%s, %s, %s", whole ? "store" : primitive_names[kind],
                   shared ? "one" : "idle", k ? "write" : "read");
    print(what, &out[k], seconds);
  }
  (void)fflush(stdout);
}

static bool
value_of(double *out, const char *name, int argc, char **argv, int *at)
{
  if (strcmp(argv[*at], name) || *at + 1 >= argc) return false;
  *out = strtod(argv[++*at], NULL);
  return true;
}

int
main(int argc, char **argv)
{
  static times idle[2], one[2];
  double threads = 16, reads = 0.9, seconds = 5;
  const char *dir = NULL, *only = NULL;

  for (int i = 1; i < argc; i++) {
    if (value_of(&threads, "--threads", argc, argv, &i) ||
        value_of(&reads, "--reads", argc, argv, &i) ||
        value_of(&seconds, "--seconds", argc, argv, &i))
      continue;
    if (!strcmp(argv[i], "--dir") && i + 1 < argc) {
      dir = argv[++i];
      continue;
    }
    if (!strcmp(argv[i], "--only") && i + 1 < argc) {
      only = argv[++i];
      if (!strcmp(only, "lock") || !strcmp(only, "store")) continue;
    }
    bool help = !strcmp(argv[i], "--help");
    (void)fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  if (threads < 1 || threads > THREADS_MAX) threads = 16;
  (void)printf("%.0f threads, reads %.2f, %.0f s each\n%-28s %12s %10s %10s %12s %10s\n", threads,
               reads, seconds, "waits", "a second", "p50 us", "p99 us", "p99.99 us", "longest ms");
  for (unsigned whole = 0; whole < 2; whole++) {
    if (only && strcmp(only, whole ? "store" : "lock") != 0) continue;
    measure(idle, (unsigned)threads, FAIR, whole, false, reads, seconds, dir);
    measure(one, (unsigned)threads, FAIR, whole, true, reads, seconds, dir);
    (void)printf("%s: longest above idle: read %+.2f ms, write %+.2f ms\n",
                 whole ? "store" : "lock", ((double)one[0].max - (double)idle[0].max) * 1e-6,
                 ((double)one[1].max - (double)idle[1].max) * 1e-6);
    for (primitive kind = READERS_FIRST; !whole && !only && kind < PRIMITIVES; kind++)
      measure(one, (unsigned)threads, kind, whole, true, reads, seconds, dir);
  }
  return 0;
}
