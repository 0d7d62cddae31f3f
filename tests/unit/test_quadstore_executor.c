/* Maintenance in the background: what a commit waits for, and what it does not. */
#include "unit/test_quadstore_support.h"

#include <time.h>

#define MEM base_alloc_default()

enum { BOUND = 1 << 20 };

/* A store whose executor stops at the beginning of a flush while `held`. The line that says so is
 * the only thing this depends on, not the clock. */
typedef struct held_store {
  quad_store *store;
  support_dir dir;
  _Atomic int held, arrived;
} held_store;

static void
on_line(void *user, const char *line)
{
  held_store *h = user;

  if (getenv("QUOIN_TRACE")) printf("%s\n", line);
  if (!strstr(line, "goes to disk")) return;
  atomic_fetch_add(&h->arrived, 1);
  while (atomic_load(&h->held))
    (void)usleep(200);
}

static void
open_held(held_store *h, quad_durability durability, uint64_t memory)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true,
                          .durability = durability,
                          .memory_bytes = memory,
                          .log = on_line,
                          .log_user = h};

  atomic_store(&h->held, 0);
  atomic_store(&h->arrived, 0);
  support_dir_make(&h->dir);
  assert_ok(quad_store_open(&h->store, h->dir.path, &o, MEM, &err));
}

static void
close_held(held_store *h)
{
  quoin_error err = QUOIN_ERROR_INIT;

  atomic_store(&h->held, 0);
  assert_ok(quad_store_check(h->store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(h->store, &err));
  support_dir_remove(&h->dir);
}

static quad
numbered_quad(uint64_t n)
{
  return (quad){{atom_inline_integer((int64_t)(n / 10)), atom_inline_integer((int64_t)(n % 10)),
                 atom_inline_integer((int64_t)(base_mix(n) % 100000)), ATOM_NONE_ID}};
}

/* Quads [n, n + count) in one commit. */
static quoin_status
commit_quads(quad_store *store, uint64_t n, uint64_t count, bool remove, quoin_error *err)
{
  quad_txn *txn;
  quoin_status st = quad_txn_begin(&txn, store, err);

  for (uint64_t i = n; !st && i < n + count; i++) {
    quad q = numbered_quad(i);
    st = remove ? quad_txn_remove_ids(txn, &q, err) : quad_txn_add_ids(txn, &q, err);
    if (st) quad_txn_abort(txn);
  }
  return st ? st : quad_txn_commit(NULL, NULL, txn, err);
}

static quad_stats
stats_of(quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_stats s;

  assert_ok(quad_store_stats(&s, store, &err));
  return s;
}

/* How full the second set is. */
static double
fill(quad_store *store)
{
  double bytes = 0;

  base_mutex_lock(&store->writer);
  for (size_t i = quad_version_disk(store->version) + store->version->frozen;
       i < store->version->n_runs; i++)
    bytes += (double)store->version->runs[i]->bytes;
  base_mutex_unlock(&store->writer);
  return bytes / (double)store->memory_bytes;
}

/* Commit until the executor has begun a flush, which then does not end. */
static uint64_t
commit_until_flush(held_store *h)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;

  atomic_store(&h->held, 1);
  while (!h->store->executor.flush) { /* only this thread commits */
    assert_ok(commit_quads(h->store, n, 20, false, &err));
    n += 20;
  }
  while (!atomic_load(&h->arrived))
    (void)usleep(100);
  return n;
}

typedef struct waiting_commit {
  quad_store *store;
  uint64_t n;
  quoin_status st;
  _Atomic int done;
} waiting_commit;

static void *
commit_main(void *arg)
{
  waiting_commit *w = arg;

  w->st = commit_quads(w->store, w->n, 20, false, NULL);
  atomic_store(&w->done, 1);
  return NULL;
}

/* A flush that never ends: commits go on, to three quarters of the bound without any delay, and
 * wait at the bound. */
static void
promise_h7_no_commit_waits_below_the_bounds(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  waiting_commit w;
  pthread_t thread;
  uint64_t n;
  double full;

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, BOUND);
  n = commit_until_flush(&h);
  for (full = 0; full < 0.75; n += 20) {
    assert_int_equal(stats_of(h.store).delayed, 0);
    assert_int_equal(atomic_load(&h.store->executor.free_ns), 0);
    assert_ok(commit_quads(h.store, n, 20, false, &err));
    full = fill(h.store);
  }
  assert_int_equal(stats_of(h.store).delayed, 0);
  while (full < 1) {
    assert_ok(commit_quads(h.store, n, 200, false, &err));
    n += 200;
    full = fill(h.store);
  }
  w = (waiting_commit){.store = h.store, .n = n};
  assert_int_equal(pthread_create(&thread, NULL, commit_main, &w), 0);
  (void)usleep(30000);
  assert_false(atomic_load(&w.done)); /* were it not held it would be there; never a false alarm */
  atomic_store(&h.held, 0);
  pthread_join(thread, NULL);
  assert_int_equal(w.st, QUOIN_OK);
  assert_true(stats_of(h.store).delayed > 0);
  assert_true(stats_of(h.store).flushes >= 1);
  close_held(&h);
}

/* From three quarters on: what a byte costs at each fill, read from the executor. */
static void
promise_h7_delays_grow_smoothly(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  double before = 0;
  uint64_t n;

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, BOUND);
  n = commit_until_flush(&h);
  while (fill(h.store) < 0.98) {
    uint64_t from, to;
    double now = fill(h.store), cost;
    base_mutex_lock(&h.store->writer);
    atomic_store(&h.store->executor.free_ns, base_clock_ns() + 1000000000u); /* a fixed origin */
    from = atomic_load(&h.store->executor.free_ns);
    quad_store_maintain(h.store, 1000000);
    to = atomic_load(&h.store->executor.free_ns);
    atomic_store(&h.store->executor.free_ns, 0);
    base_mutex_unlock(&h.store->writer);
    cost = to ? (double)(to - from) / 1e6 / h.store->executor.pace : 0; /* of a byte, in paces */
    if (now < 0.75)
      assert_int_equal(to, 0);
    else
      assert_true(cost >= before);
    /* from commit to commit, each about 2 % of the bound, no step but the growth of x / (1 - x) */
    if (now > 0.75 && now < 0.9) assert_true(cost - before < 0.5);
    before = cost;
    assert_ok(commit_quads(h.store, n, 100, false, &err));
    n += 100;
  }
  assert_true(before > 2); /* well above the pace of the disk: the bound is not reached */
  close_held(&h);
}

/* Commits as many as fill the set many times: what those of the last tenth take, of processor time
 * of their own thread (a busy machine is not to blame), is what those of the first took. */
static uint64_t
thread_ns(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int
compare_u64(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

  return x < y ? -1 : x > y;
}

static uint64_t
percentile_99(uint64_t *ns, size_t n)
{
  qsort(ns, n, sizeof *ns, compare_u64);
  return ns[n * 99 / 100];
}

static void
promise_o2_commits_do_not_get_slower(void **unused)
{
  enum { COMMITS = 20000, TENTH = COMMITS / 10, TRIES = 5 };
  uint64_t *ns = malloc(COMMITS * sizeof *ns);
  bool good = false;

  (void)unused;
  assert_non_null(ns);
  for (unsigned try = 0; try < TRIES && !good; try++) {
    quoin_error err = QUOIN_ERROR_INIT;
    held_store h;
    uint64_t first, last, flushes;
    open_held(&h, QUAD_SYNC_OFF, BOUND);
    for (uint64_t i = 0; i < COMMITS; i++) {
      uint64_t begun = thread_ns();
      assert_ok(commit_quads(h.store, i, 1, false, &err));
      ns[i] = thread_ns() - begun;
    }
    flushes = stats_of(h.store).flushes;
    first = percentile_99(ns, TENTH);
    last = percentile_99(ns + COMMITS - TENTH, TENTH);
    printf("p99 of the first tenth %.1f us, of the last %.1f us; %llu flushes, %llu delayed\n",
           (double)first / 1e3, (double)last / 1e3, (unsigned long long)flushes,
           (unsigned long long)stats_of(h.store).delayed);
    good = last * 2 <= first * 3;
    assert_true(flushes >= 1);
    close_held(&h);
  }
  free(ns);
  assert_true(good);
}

/* A transaction that is the writer, and one that is as large as the bound, end while a flush hangs:
 * nothing waits for itself. */
static void
test_executor__writers_do_not_wait_for_themselves(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  quad_txn *txn;
  uint64_t n;

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, BOUND);
  n = commit_until_flush(&h);
  assert_ok(quad_txn_begin_writer(&txn, h.store, NULL, &err));
  for (uint64_t i = 0; i < 20000; i++) {
    quad q = numbered_quad(n + i);
    assert_ok(quad_txn_add_ids(txn, &q, &err));
  }
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  assert_true(fill(h.store) > 1);
  atomic_store(&h.held, 0);
  assert_ok(commit_quads(h.store, n + 20000, 1, false, &err)); /* waits for the flush */
  close_held(&h);
}

/* With a deadline, who waits for the writer role, or for a flush that hangs, gives up in time. */
static void
test_executor__waiting_has_a_deadline(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  quad_txn *txn;
  uint64_t n;
  base_cancel cancel = {0};

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, BOUND);
  n = commit_until_flush(&h);
  assert_ok(quad_txn_begin_writer(&txn, h.store, NULL, &err));
  for (uint64_t i = 0; i < 20000; i++) {
    quad q = numbered_quad(n + i);
    assert_ok(quad_txn_add_ids(txn, &q, &err));
  }
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  cancel.deadline_ns = base_clock_ns() + 20 * 1000 * 1000;
  assert_int_equal(quad_txn_begin_writer(&txn, h.store, &cancel, &err), QUOIN_ERR_TIMEOUT);
  base_error_clear(&err);
  cancel.deadline_ns = base_clock_ns() + 20 * 1000 * 1000;
  assert_int_equal(quad_store_enter_idle(h.store, &cancel, &err), QUOIN_ERR_TIMEOUT);
  close_held(&h);
}

/* The last commits before a pause are synced all the same, by the store's thread. */
static void
test_executor__relaxed_commits_are_synced_after_a_pause(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  uint64_t synced, last;

  (void)unused;
  open_held(&h, QUAD_SYNC_RELAXED, BOUND);
  for (uint64_t n = 0; n < 50; n++)
    assert_ok(commit_quads(h.store, n, 1, false, &err));
  do {
    (void)usleep(1000);
    base_mutex_lock(&h.store->writer);
    synced = h.store->log.synced;
    last = h.store->log.sequence - 1;
    base_mutex_unlock(&h.store->writer);
  } while (synced < last); /* for ever, were it not done */
  assert_int_equal(last, 50);
  assert_true(stats_of(h.store).log_syncs >= 1);
  for (uint64_t n = 50; n < 20000; n += 100) /* segments end, flushes begin, syncs go on */
    assert_ok(commit_quads(h.store, n, 100, false, &err));
  close_held(&h);
}

/* Removing most of what there is gives the space back without being asked. */
static void
test_executor__dead_entries_are_merged_away(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  quad_stats s;

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, 200000);
  for (uint64_t n = 0; n < 6000; n += 500)
    assert_ok(commit_quads(h.store, n, 500, false, &err));
  for (uint64_t n = 0; n < 5500; n += 500)
    assert_ok(commit_quads(h.store, n, 500, true, &err));
  for (unsigned i = 0; i < 2000; i++) { /* whatever is due is done, however slow the machine */
    bool idle;
    base_mutex_lock(&h.store->writer);
    idle = !h.store->executor.busy && !h.store->executor.flush &&
           !atomic_load(&h.store->executor.wishes);
    base_mutex_unlock(&h.store->writer);
    if (idle) break;
    (void)usleep(5000);
  }
  s = stats_of(h.store);
  assert_int_equal(s.default_quads, 500);
  uint64_t entries = 0, tombstones = 0;
  quad_version *v = quad_store_version(h.store);
  for (size_t i = 0; i < quad_version_disk(v); i++) {
    entries += v->runs[i]->entries;
    tombstones += v->runs[i]->tombstones;
  }
  assert_true(quad_version_disk(v) <= 1 || 4 * tombstones <= entries);
  quad_version_release(v);
  assert_true(s.merges >= 1);
  close_held(&h);
}

static void *
checkpoint_main(void *arg)
{
  waiting_commit *w = arg;

  w->st = quad_checkpoint(w->store, NULL);
  atomic_store(&w->done, 1);
  return NULL;
}

/* A checkpoint that does not end: commits go on, and are not in it. */
static void
test_executor__commits_go_on_during_a_checkpoint(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  held_store h;
  waiting_commit w = {0};
  pthread_t thread;
  quad_stats s;
  uint64_t saved;

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, BOUND);
  assert_ok(commit_quads(h.store, 0, 200, false, &err));
  saved = stats_of(h.store).modification;
  w.store = h.store;
  atomic_store(&h.held, 1);
  assert_int_equal(pthread_create(&thread, NULL, checkpoint_main, &w), 0);
  while (!atomic_load(&h.arrived))
    (void)usleep(100);
  for (uint64_t n = 200; n < 400; n++)
    assert_ok(commit_quads(h.store, n, 1, false, &err));
  assert_false(atomic_load(&w.done));
  assert_int_equal(stats_of(h.store).delayed, 0);
  atomic_store(&h.held, 0);
  pthread_join(thread, NULL);
  assert_int_equal(w.st, QUOIN_OK);
  s = stats_of(h.store);
  assert_int_equal(s.saved, saved);
  assert_true(s.log_bytes > 0); /* that of the commits since */
  assert_ok(quad_checkpoint(h.store, &err));
  s = stats_of(h.store);
  assert_int_equal(s.saved, s.modification);
  assert_int_equal(s.log_bytes, 0);
  assert_int_equal(s.memory_runs, 0);
  assert_int_equal(s.default_quads, 400);
  close_held(&h);
}

static quoin_status
count_logs(void *user, const char *name, quoin_error *err)
{
  (void)err;
  *(unsigned *)user += !strncmp(name, "log-", 4);
  return QUOIN_OK;
}

static unsigned
logs_of(const quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  unsigned n = 0;

  assert_ok(base_dir_list(quad_store_dir(store), count_logs, &n, &err));
  return n;
}

/* Some time after the last commit there is no log, nothing in memory, and at most twice what a
 * store needs that holds the same. */
static void
test_executor__a_store_at_rest(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF, .rest_ms = 30};
  support_dir dir;
  quad_store *store;
  quad_stats s, least;

  (void)unused;
  support_dir_make(&dir);
  assert_ok(quad_store_open(&store, dir.path, &o, MEM, &err));
  for (unsigned round = 0; round < 3; round++) {
    for (uint64_t n = 0; n < 20000; n += 1000)
      assert_ok(commit_quads(store, n, 1000, false, &err));
    for (uint64_t n = 0; n < 14000; n += 1000)
      assert_ok(commit_quads(store, n, 1000, true, &err));
    for (unsigned i = 0; i < 4000; i++) { /* however slow the machine */
      s = stats_of(store);
      if (!s.log_bytes && !s.memory_runs && !logs_of(store)) break;
      (void)usleep(5000);
    }
    assert_int_equal(s.log_bytes, 0);
    assert_int_equal(s.memory_runs, 0);
    assert_int_equal(s.saved, s.modification);
    assert_int_equal(logs_of(store), 0);
  }
  for (unsigned i = 0; i < 4000; i++) { /* merges of what was flushed */
    s = stats_of(store);
    if (!atomic_load(&store->executor.wishes)) break;
    (void)usleep(5000);
  }
  s = stats_of(store);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  least = stats_of(store);
  assert_int_equal(least.default_quads, 6000);
  assert_true(s.run_bytes <= 2 * least.run_bytes);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&dir);
}

/* Quads that come and go leave nothing in memory: the log alone makes the runs go to disk. */
static void
test_executor__the_log_is_bounded(void **unused)
{
  enum { LOG_BOUND = 1 << 18 };
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF, .log_bytes = LOG_BOUND};
  support_dir dir;
  quad_store *store;

  (void)unused;
  support_dir_make(&dir);
  assert_ok(quad_store_open(&store, dir.path, &o, MEM, &err));
  for (unsigned i = 0; i < 400; i++) {
    assert_ok(commit_quads(store, 0, 200, i % 2, &err));
    assert_true(stats_of(store).log_bytes <= 2 * LOG_BOUND + 20000); /* and one commit */
  }
  assert_true(stats_of(store).flushes >= 5);
  assert_true(logs_of(store) <= 3);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&dir);
}

/* ---- who waits for maintenance beside a writer transaction --------------------------------------
 */

typedef struct queue {
  quad_store *store;
  quoin_status st[2];
  _Atomic int entered; /* the thread that waits until maintenance rests has the role */
  int overtaken;       /* it had it between the begin of the writer transaction and its end */
} queue;

static void *
idle_main(void *arg)
{
  queue *q = arg;

  if ((q->st[0] = quad_store_enter_idle(q->store, NULL, NULL))) return NULL;
  atomic_store(&q->entered, 1);
  quad_store_leave(q->store);
  return NULL;
}

static void *
writer_main(void *arg)
{
  queue *q = arg;
  quad_txn *txn;

  if ((q->st[1] = quad_txn_begin_writer(&txn, q->store, NULL, NULL))) return NULL;
  q->st[1] = quad_store_wait_idle(q->store, NULL);
  q->overtaken = atomic_load(&q->entered);
  quad_txn_abort(txn);
  return NULL;
}

/* One waits for the role until maintenance rests, then a writer transaction lends its role for
 * what is left of it: nobody else has it meanwhile. */
static void
test_executor__a_writer_transaction_is_not_overtaken(void **unused)
{
  held_store h;

  (void)unused;
  open_held(&h, QUAD_SYNC_OFF, BOUND);
  base_mutex_lock(&h.store->writer);
  for (int round = 0; round < 20; round++) {
    queue q = {.store = h.store};
    pthread_t idle, writer;

    h.store->executor.busy = true; /* as the executor does; it has nothing to do itself */
    base_mutex_unlock(&h.store->writer);
    assert_int_equal(pthread_create(&idle, NULL, idle_main, &q), 0);
    while (!atomic_load(&h.store->executor.waiting))
      (void)usleep(100);
    (void)usleep(2000); /* most likely it waits by then; if not, the round shows less */
    assert_int_equal(pthread_create(&writer, NULL, writer_main, &q), 0);
    for (bool lent = false; !lent;) {
      (void)usleep(100);
      base_mutex_lock(&h.store->writer);
      lent = h.store->reserved;
      if (lent) h.store->executor.busy = false;
      if (lent) base_cond_broadcast(&h.store->executor.idle);
      base_mutex_unlock(&h.store->writer);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(pthread_join(idle, NULL), 0);
    assert_int_equal(q.st[0], QUOIN_OK);
    assert_int_equal(q.st[1], QUOIN_OK);
    assert_false(q.overtaken);
    base_mutex_lock(&h.store->writer);
  }
  base_mutex_unlock(&h.store->writer);
  close_held(&h);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_h7_no_commit_waits_below_the_bounds),
      cmocka_unit_test(promise_h7_delays_grow_smoothly),
      cmocka_unit_test(promise_o2_commits_do_not_get_slower),
      cmocka_unit_test(test_executor__writers_do_not_wait_for_themselves),
      cmocka_unit_test(test_executor__waiting_has_a_deadline),
      cmocka_unit_test(test_executor__relaxed_commits_are_synced_after_a_pause),
      cmocka_unit_test(test_executor__dead_entries_are_merged_away),
      cmocka_unit_test(test_executor__commits_go_on_during_a_checkpoint),
      cmocka_unit_test(test_executor__a_store_at_rest),
      cmocka_unit_test(test_executor__the_log_is_bounded),
      cmocka_unit_test(test_executor__a_writer_transaction_is_not_overtaken),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
