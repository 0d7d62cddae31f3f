/* A writer killed with SIGKILL at random moments of loads, commits and checkpoints: what it was
 * told is safe is there, nothing is half there, and the store opens. Faults below the file system
 * (power cuts) are another test's. */
#include "unit/test_quadstore_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define MEM base_alloc_default()

/* What the child says, in memory that outlives it. */
typedef struct shared {
  _Atomic uint64_t safe; /* quads acknowledged */
  _Atomic uint64_t next; /* quads once the operation in progress is done */
} shared;

static quad
numbered_quad(uint64_t n)
{
  quad q;
  q.term[0] = atom_inline_integer((int64_t)(n / 9));
  q.term[1] = atom_inline_integer((int64_t)(n % 9));
  q.term[2] = atom_inline_integer((int64_t)(base_mix(n) % 100000));
  q.term[3] = n % 4 ? ATOM_NONE_ID : atom_inline_integer((int64_t)(n % 5));
  return q;
}

static void
child_check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "child: %d: %s\n", (int)st, err->message);
  _exit(3);
}

/* Quads 0, 1, 2... are added, by loads and commits in turn, for ever. */
static void
child_main(const char *path, shared *sh, uint64_t seed)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .memory_bytes = 100000};
  quad_store *store;
  uint64_t n = atomic_load(&sh->safe);

  support_state = seed;
  child_check(quad_store_open(&store, path, &o, MEM, &err), &err);
  for (;;) {
    unsigned what = (unsigned)(draw() % 8);
    uint64_t more = what == 0 ? 20000 : 1 + draw() % 200;
    atomic_store(&sh->next, n + more);
    if (what == 0) {
      quad_bulk *bulk;
      child_check(quad_bulk_begin(&bulk, store, 0, 2, &err), &err);
      for (uint64_t i = 0; i < more; i++) {
        quad q = numbered_quad(n + i);
        child_check(quad_bulk_add(bulk, &q, 1, &err), &err);
      }
      child_check(quad_bulk_finish(NULL, bulk, NULL, &err), &err);
    } else {
      quad_txn *txn;
      char text[64];
      rdf_term terms[4] = {{RDF_NONE, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
      child_check(quad_txn_begin(&txn, store, &err), &err);
      for (uint64_t i = 0; i < more; i++) {
        quad q = numbered_quad(n + i);
        child_check(quad_txn_add_ids(txn, &q, &err), &err);
      }
      /* and a term; its quad is removed by the next commit, so that the count stays simple */
      (void)snprintf(text, sizeof text, "http://example.org/%llu", (unsigned long long)n);
      for (unsigned k = 0; k < 3; k++)
        terms[k] = (rdf_term){RDF_IRI, base_span(text), {NULL, 0}, {NULL, 0}};
      terms[3] = (rdf_term){.kind = RDF_NONE};
      child_check(quad_txn_add(txn, (const rdf_term *)terms, &err), &err);
      child_check(quad_txn_commit(NULL, NULL, txn, &err), &err);
      child_check(quad_txn_begin(&txn, store, &err), &err);
      child_check(quad_txn_remove(txn, (const rdf_term *)terms, &err), &err);
      child_check(quad_txn_commit(NULL, NULL, txn, &err), &err);
    }
    n += more;
    atomic_store(&sh->safe, n);
    if (draw() % 10 == 0) child_check(quad_checkpoint(store, &err), &err);
  }
}

/* Opens, checks all, counts the numbered quads: safe or next, and each of them there. */
static uint64_t
verify(const char *path, uint64_t safe, uint64_t next)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  quad_store *store;
  quad_snapshot *s;
  quad_pattern all = {.scope = QUAD_ANY};
  uint64_t count, terms = 0;
  quad_scan *scan;
  quad_batch b;

  assert_ok(quad_store_open(&store, path, &o, MEM, &err));
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(&count, s, &all, &err));
  assert_ok(quad_scan_open(&scan, s, &all, QUAD_SPO, 1, &err));
  while (!quad_scan_next(&b, scan, &err))
    for (size_t i = 0; i < b.rows; i++)
      terms += !atom_id_is_inline(b.column[QUAD_S][i]);
  quad_scan_close(scan);
  assert_true(terms <= 1);
  count -= terms;
  if (count != safe && count != next)
    fail_msg("%llu quads, expected %llu or %llu", (unsigned long long)count,
             (unsigned long long)safe, (unsigned long long)next);
  for (uint64_t n = count > 300 ? count - 300 : 0; n < count; n++) {
    quad_pattern one = {.scope = QUAD_ANY, .match = numbered_quad(n)};
    uint64_t found;
    if (!one.match.term[3].bits) one.scope = QUAD_DEFAULT;
    assert_ok(quad_count(&found, s, &one, &err));
    assert_int_equal(found, 1);
  }
  quad_snapshot_release(s);
  if (terms) { /* take the odd one out */
    quad_txn *txn;
    quad_pattern p = {.scope = QUAD_DEFAULT};
    assert_ok(quad_txn_begin(&txn, store, &err));
    assert_ok(quad_snapshot_acquire(&s, store, &err));
    assert_ok(quad_scan_open(&scan, s, &p, QUAD_SPO, 15, &err));
    while (!quad_scan_next(&b, scan, &err))
      for (size_t i = 0; i < b.rows; i++) {
        quad q = {{b.column[0][i], b.column[1][i], b.column[2][i], b.column[3][i]}};
        if (!atom_id_is_inline(q.term[0])) assert_ok(quad_txn_remove_ids(txn, &q, &err));
      }
    quad_scan_close(scan);
    quad_snapshot_release(s);
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  }
  assert_ok(quad_store_close(store, &err));
  return count;
}

static void
test_kill__at_random_moments(void **unused)
{
  const char *points = getenv("QUOIN_KILLS");
  unsigned kills = points ? (unsigned)strtoul(points, NULL, 10) : 20;
  support_dir d;
  shared *sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  (void)unused;
  assert_true(sh != MAP_FAILED);
  support_dir_make(&d);
  for (unsigned i = 0; i < kills; i++) {
    uint64_t seed = draw();
    struct timespec t = {0, (long)(draw() % (i % 4 ? 150000000 : 20000000))};
    pid_t child;
    int status;
    atomic_store(&sh->next, atomic_load(&sh->safe));
    child = fork();
    if (!child) child_main(d.path, sh, seed);
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    atomic_store(&sh->safe, verify(d.path, atomic_load(&sh->safe), atomic_load(&sh->next)));
  }
  printf("%llu quads survived %u kills\n", (unsigned long long)atomic_load(&sh->safe), kills);
  munmap(sh, sizeof *sh);
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill__at_random_moments)};

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
