/* Readers beside a writer: each snapshot is whole. Worth most under ThreadSanitizer. */
#include "unit/test_quadstore_support.h"

#include <signal.h>
#include <sys/wait.h>

#define MEM base_alloc_default()

enum { READERS = 3, COMMITS = 150, STEP = 7 };

typedef struct crew {
  quad_store *store;
  _Atomic int stop;
  _Atomic unsigned failures, scans;
} crew;

static quad
numbered_quad(uint64_t n)
{
  quad q;
  q.term[0] = atom_inline_integer((int64_t)(n / 9));
  q.term[1] = atom_inline_integer((int64_t)(n % 9));
  q.term[2] = atom_inline_integer((int64_t)(base_mix(n) % 1000));
  q.term[3] = n % 3 ? ATOM_NONE_ID : atom_inline_integer(1);
  return q;
}

/* Commits add STEP quads at a time: any other count is a torn snapshot. */
static void *
reader_main(void *arg)
{
  crew *c = arg;
  uint64_t version = 0;
  unsigned turn = 0;

  while (!atomic_load(&c->stop)) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_pattern all = {.scope = QUAD_ANY};
    quad_snapshot *s;
    quad_scan *scan;
    quad_batch b;
    uint64_t rows = 0, count = 1;
    bool bad = quad_snapshot_acquire(&s, c->store, &err) != QUOIN_OK;
    if (!bad) {
      bad |= quad_snapshot_version(s) < version;
      version = quad_snapshot_version(s);
      bad |= quad_count(&count, s, &all, &err) != QUOIN_OK;
      bad |=
          quad_scan_open(&scan, s, &all, (quad_order)(turn++ % QUAD_ORDERS), 15, &err) != QUOIN_OK;
    }
    if (!bad) {
      while (!quad_scan_next(&b, scan, &err))
        rows += b.rows;
      quad_scan_close(scan);
      quad_snapshot_release(s);
      bad |= rows != count || rows % STEP;
    }
    if (bad) atomic_fetch_add(&c->failures, 1);
    atomic_fetch_add(&c->scans, 1);
  }
  return NULL;
}

static void
test_threads__readers_beside_a_writer(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = 50000};
  support_dir d;
  crew c = {0};
  pthread_t threads[READERS];
  uint64_t n = 0;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&c.store, d.path, &o, MEM, &err));
  for (unsigned i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &c), 0);
  for (unsigned i = 0; i < COMMITS; i++) {
    if (i % 50 == 25) {
      quad_bulk *bulk;
      assert_ok(quad_bulk_begin(&bulk, c.store, 0, 2, &err));
      for (unsigned k = 0; k < 100 * STEP; k++, n++) {
        quad q = numbered_quad(n);
        assert_ok(quad_bulk_add(bulk, &q, 1, &err));
      }
      assert_ok(quad_bulk_finish(NULL, bulk, NULL, &err));
    } else {
      quad_txn *txn;
      assert_ok(quad_txn_begin(&txn, c.store, &err));
      for (unsigned k = 0; k < STEP; k++, n++) {
        quad q = numbered_quad(n);
        assert_ok(quad_txn_add_ids(txn, &q, &err));
      }
      assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
    }
    if (i % 40 == 39) {
      unsigned scans = atomic_load(&c.scans);
      while (atomic_load(&c.scans) == scans) /* however busy the machine: they do run beside it */
        (void)usleep(100);
      assert_ok(quad_checkpoint(c.store, &err));
    }
  }
  atomic_store(&c.stop, 1);
  for (unsigned i = 0; i < READERS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(c.failures, 0);
  assert_true(c.scans > 0);
  assert_ok(quad_store_close(c.store, &err));
  support_dir_remove(&d);
}

/* Small runs go to disk and are merged there all the time (QUOIN_MERGES=1000): whatever run a
 * reader looks for is there, and what it sees is whole. */
static void
promise_h1_readers_during_merges(void **unused)
{
  const char *more = getenv("QUOIN_MERGES");
  uint64_t want = more ? strtoull(more, NULL, 10) : 200, n = 0;
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = 1};
  support_dir d;
  crew c = {0};
  pthread_t threads[READERS];
  quad_stats s = {0};

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&c.store, d.path, &o, MEM, &err));
  for (unsigned i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &c), 0);
  for (unsigned i = 0; s.flushes + s.merges < want; i++) {
    quad_txn *txn;
    assert_ok(quad_txn_begin(&txn, c.store, &err));
    for (unsigned k = 0; k < STEP; k++, n++) {
      quad q = numbered_quad(n % 3500); /* comes and goes */
      if (n / 3500 % 2)
        assert_ok(quad_txn_remove_ids(txn, &q, &err));
      else
        assert_ok(quad_txn_add_ids(txn, &q, &err));
    }
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
    assert_ok(quad_store_stats(&s, c.store, &err));
    assert_true(s.disk_runs <= QUAD_DISK_RUNS);
    assert_true(s.memory_runs <= QUAD_MEMORY_RUNS);
  }
  atomic_store(&c.stop, 1);
  for (unsigned i = 0; i < READERS; i++)
    pthread_join(threads[i], NULL);
  printf("%llu flushes, %llu merges, %u scans beside them\n", (unsigned long long)s.flushes,
         (unsigned long long)s.merges, atomic_load(&c.scans));
  assert_int_equal(c.failures, 0);
  assert_true(s.merges > want / 20);
  assert_ok(quad_store_check(c.store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(c.store, &err));
  support_dir_remove(&d);
}

/* Two writers: each commit is applied to what the other left. */
static void *
writer_main(void *arg)
{
  crew *c = arg;

  for (unsigned i = 0; i < COMMITS; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_txn *txn;
    uint64_t added = 0;
    if (quad_txn_begin(&txn, c->store, &err)) {
      atomic_fetch_add(&c->failures, 1);
      continue;
    }
    quad q = numbered_quad(i); /* both add the same: one of them counts it */
    (void)quad_txn_add_ids(txn, &q, &err);
    if (quad_txn_commit(&added, NULL, txn, &err)) atomic_fetch_add(&c->failures, 1);
    atomic_fetch_add(&c->scans, (unsigned)added);
  }
  return NULL;
}

static void
test_threads__two_writers(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF};
  support_dir d;
  crew c = {0};
  pthread_t threads[2];

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&c.store, d.path, &o, MEM, &err));
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, writer_main, &c), 0);
  for (unsigned i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(c.failures, 0);
  assert_int_equal(c.scans, COMMITS);
  assert_ok(quad_store_check(c.store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(c.store, &err));
  support_dir_remove(&d);
}

/* Commits of STEP quads with checkpoints and loads between, until it is killed. */
static void
busy_child(const char *path, int ready, pid_t parent)
{
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = 50000};
  quad_store *store;
  uint64_t n = 0;
  char byte = 0;

  if (quad_store_open(&store, path, &o, MEM, NULL)) _exit(1);
  for (unsigned i = 0; getppid() == parent; i++) { /* no orphan when an assertion fails */
    quad_txn *txn;
    char text[64];
    if (quad_txn_begin(&txn, store, NULL)) _exit(3);
    for (unsigned k = 0; k < STEP; k++, n++) {
      quad q = numbered_quad(n);
      rdf_term terms[4] = {{RDF_IRI, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
      (void)snprintf(text, sizeof text, "http://example.org/%llu", (unsigned long long)n);
      terms[0].value = base_span(text);
      terms[1] = terms[2] = terms[0];
      if (k ? quad_txn_add_ids(txn, &q, NULL) : quad_txn_add(txn, (const rdf_term *)terms, NULL))
        _exit(4);
    }
    if (quad_txn_commit(NULL, NULL, txn, NULL)) _exit(5);
    if (i % 20 == 19 && quad_checkpoint(store, NULL)) _exit(6);
    if (i % 20 == 19) usleep(2000); /* checkpoints come fast, but not without end */
    if (i == 0 && write(ready, &byte, 1) != 1) _exit(2);
  }
  _exit(7);
}

/* Files come and go beneath a reading process: it opens a whole state each time, never an older
 * one. */
static void
test_threads__reading_process_beside_a_writer(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options read_only = {.read_only = true};
  support_dir d;
  int ready[2], status;
  char byte;
  uint64_t last = 0;
  pid_t child, parent = getpid();

  (void)unused;
  support_dir_make(&d);
  assert_int_equal(pipe(ready), 0);
  child = fork();
  if (!child) busy_child(d.path, ready[1], parent);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  for (unsigned i = 0; i < 40; i++) {
    quad_pattern all = {.scope = QUAD_ANY};
    quad_store *store;
    quad_snapshot *s;
    uint64_t count;
    assert_ok(quad_store_open(&store, d.path, &read_only, MEM, &err));
    assert_ok(quad_snapshot_acquire(&s, store, &err));
    assert_ok(quad_count(&count, s, &all, &err));
    assert_int_equal(count % STEP, 0);
    assert_true(count >= last);
    last = count;
    if (i % 10 == 9) assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
    quad_snapshot_release(s);
    assert_ok(quad_store_close(store, &err));
  }
  assert_true(last > 0);
  assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* still at it */
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  close(ready[0]);
  close(ready[1]);
  support_dir_remove(&d);
}

/* One reading store that moves on beside such a writer: never back, never half a commit. What the
 * writer left when it was killed is there too, and who opens after it sees no more. */
static void
promise_m8_refresh_beside_a_writing_process(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options read_only = {.read_only = true};
  quad_pattern all = {.scope = QUAD_ANY};
  support_dir d;
  quad_store *store, *again;
  quad_snapshot *s;
  int ready[2], status;
  char byte;
  uint64_t last = 0, count;
  unsigned moves = 0;
  pid_t child, parent = getpid();

  (void)unused;
  support_dir_make(&d);
  assert_int_equal(pipe(ready), 0);
  child = fork();
  if (!child) busy_child(d.path, ready[1], parent);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  assert_ok(quad_store_open(&store, d.path, &read_only, MEM, &err));
  for (unsigned i = 0; i < 400 || moves < 20; i++) {
    bool changed;
    if (i == 399) kill(child, SIGSTOP); /* and go on when it stands still in the middle of a call */
    assert_ok(quad_store_refresh(&changed, store, &err));
    assert_ok(quad_snapshot_acquire(&s, store, &err));
    assert_ok(quad_count(&count, s, &all, &err));
    assert_int_equal(count % STEP, 0);
    assert_true(count >= last);
    moves += changed;
    last = count;
    if (i % 100 == 99) assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
    quad_snapshot_release(s);
    if (i == 399) kill(child, SIGCONT);
  }
  assert_int_equal(waitpid(child, &status, WNOHANG), 0);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  assert_ok(quad_store_refresh(NULL, store, &err));
  assert_ok(quad_store_open(&again, d.path, &(quad_store_options){0}, MEM, &err)); /* recovers */
  for (unsigned i = 0; i < 2; i++) {
    quad_store *which = i ? again : store;
    assert_ok(quad_snapshot_acquire(&s, which, &err));
    assert_ok(quad_count(i ? &last : &count, s, &all, &err));
    quad_snapshot_release(s);
  }
  assert_int_equal(count, last);
  assert_ok(quad_store_refresh(NULL, store, &err));
  assert_ok(quad_store_close(again, &err));
  assert_ok(quad_store_refresh(NULL, store, &err));
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(&count, s, &all, &err));
  assert_int_equal(count, last);
  quad_snapshot_release(s);
  assert_ok(quad_store_close(store, &err));
  close(ready[0]);
  close(ready[1]);
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_threads__reading_process_beside_a_writer),
      cmocka_unit_test(promise_m8_refresh_beside_a_writing_process),
      cmocka_unit_test(test_threads__readers_beside_a_writer),
      cmocka_unit_test(promise_h1_readers_during_merges),
      cmocka_unit_test(test_threads__two_writers),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
