/* Many producers, one writer: group commit. */
#include "unit/test_quadstore_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MEM base_alloc_default()

enum { PRODUCERS = 16, EACH = 40 };

typedef struct producer {
  quad_store *store;
  unsigned number;
  uint64_t commits;       /* to make; 0: for ever */
  _Atomic uint64_t *safe; /* commits acknowledged, in memory that may outlive the process */
  unsigned failures;
} producer;

/* Commit `n` of a producer: a quad of new terms, and one that all producers add. */
static quoin_status
commit_one(quad_store *store, unsigned number, uint64_t n, quoin_error *err)
{
  char subject[64], shared[64];
  rdf_term t[4] = {{RDF_IRI, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
  quad_txn *txn;
  quoin_status st;

  (void)snprintf(subject, sizeof subject, "http://example.org/%u/%llu", number,
                 (unsigned long long)n);
  (void)snprintf(shared, sizeof shared, "http://example.org/shared/%llu", (unsigned long long)n);
  if ((st = quad_txn_begin(&txn, store, err))) return st;
  t[0].value = base_span(subject);
  t[1] = t[2] = t[0];
  t[1].value = base_span("http://example.org/p");
  t[2].value = base_span(shared);
  if (!(st = quad_txn_add(txn, (const rdf_term *)t, err))) {
    t[0].value = base_span(shared);
    st = quad_txn_add(txn, (const rdf_term *)t, err);
  }
  if (st) {
    quad_txn_abort(txn);
    return st;
  }
  return quad_txn_commit(NULL, NULL, txn, err);
}

static void *
producer_main(void *arg)
{
  producer *p = arg;

  for (uint64_t n = 0; !p->commits || n < p->commits; n++) {
    quoin_error err = QUOIN_ERROR_INIT;
    if (commit_one(p->store, p->number, n, &err)) {
      p->failures++;
      break;
    }
    if (p->safe) atomic_store(p->safe, n + 1);
  }
  return NULL;
}

static void
start(pthread_t id[PRODUCERS], producer p[PRODUCERS], quad_store *store, uint64_t commits,
      _Atomic uint64_t *safe)
{
  for (unsigned i = 0; i < PRODUCERS; i++) {
    p[i] =
        (producer){.store = store, .number = i, .commits = commits, .safe = safe ? safe + i : NULL};
    assert_int_equal(pthread_create(&id[i], NULL, producer_main, &p[i]), 0);
  }
}

static bool
is_there(quad_snapshot *s, const char *subject, uint64_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_pattern p = {.scope = QUAD_DEFAULT};
  rdf_term term = {RDF_IRI, base_span(subject), {NULL, 0}, {NULL, 0}};
  char object[64];
  uint64_t count, mark = quad_snapshot_atom_mark(s);

  assert_ok(atom_find(&p.match.term[0], quad_snapshot_atoms(s), &term, mark, &err));
  (void)snprintf(object, sizeof object, "http://example.org/shared/%llu", (unsigned long long)n);
  term.value = base_span(object);
  assert_ok(atom_find(&p.match.term[2], quad_snapshot_atoms(s), &term, mark, &err));
  if (!p.match.term[0].bits || !p.match.term[2].bits) return false;
  assert_ok(quad_count(&count, s, &p, &err));
  return count == 1;
}

/* Commits 0..safe[i] of each producer are there, each with both quads; *total counts all. */
static void
verify(uint64_t *total, quad_store *store, const _Atomic uint64_t *safe)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_snapshot *s;
  char subject[64];

  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(total, s, &all, &err));
  for (unsigned i = 0; i < PRODUCERS; i++)
    for (uint64_t n = 0; n <= safe[i]; n++) { /* one more may be there */
      bool one, shared;
      (void)snprintf(subject, sizeof subject, "http://example.org/%u/%llu", i,
                     (unsigned long long)n);
      one = is_there(s, subject, n);
      (void)snprintf(subject, sizeof subject, "http://example.org/shared/%llu",
                     (unsigned long long)n);
      shared = is_there(s, subject, n);
      if (n < safe[i]) assert_true(one);
      if (one) assert_true(shared); /* never half a commit */
    }
  quad_snapshot_release(s);
}

static void
promise_m6_sixteen_producers_share_syncs(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  support_dir d;
  quad_store *store;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];
  _Atomic uint64_t safe[PRODUCERS] = {0};
  quad_stats stats;
  uint64_t total;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  start(id, p, store, EACH, safe);
  for (unsigned i = 0; i < PRODUCERS; i++) {
    assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(p[i].failures, 0);
    assert_int_equal(safe[i], EACH);
  }
  assert_ok(quad_store_stats(&stats, store, &err));
  assert_int_equal(stats.commits, PRODUCERS * EACH);
  assert_int_equal(stats.modification, PRODUCERS * EACH + 1);
  assert_true(stats.log_syncs > 0);
  assert_true(stats.log_syncs < stats.commits);
  printf("%llu commits, %llu syncs\n", (unsigned long long)stats.commits,
         (unsigned long long)stats.log_syncs);
  assert_ok(quad_store_close(store, &err));
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  verify(&total, store, safe);
  assert_int_equal(total, (PRODUCERS + 1) * EACH);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

static void
child_main(const char *path, _Atomic uint64_t *safe, pid_t parent)
{
  quad_store_options o = {.create = true, .memory_bytes = 200000};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];

  if (quad_store_open(&store, path, &o, MEM, &err)) _exit(1);
  start(id, p, store, 0, safe);
  while (getppid() == parent) /* no orphan when an assertion fails */
    (void)usleep(10000);
  _exit(2);
}

static void
promise_m6_killed_at_random_moments(void **unused)
{
  const size_t bytes = PRODUCERS * sizeof(_Atomic uint64_t);
  pid_t parent = getpid();
  quad_store_options o = {.durability = QUAD_SYNC_FULL};
  void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  _Atomic uint64_t *safe = shared;
  uint64_t acknowledged = 0;

  (void)unused;
  assert_true(shared != MAP_FAILED);
  for (unsigned turn = 0; turn < 6; turn++) {
    quoin_error err = QUOIN_ERROR_INIT;
    uint64_t want = 1 + draw() % 300, total, sum = 0;
    support_dir d;
    quad_store *store;
    pid_t child;
    int status;

    support_dir_make(&d);
    memset(shared, 0, bytes);
    child = fork();
    assert_true(child >= 0);
    if (!child) child_main(d.path, safe, parent);
    while (sum < want) { /* by what it did, not by the clock */
      sum = 0;
      for (unsigned i = 0; i < PRODUCERS; i++)
        sum += atomic_load(safe + i);
      assert_int_equal(waitpid(child, &status, WNOHANG), 0);
      (void)usleep(100);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
    verify(&total, store, safe);
    assert_ok(quad_store_close(store, &err));
    acknowledged += sum;
    support_dir_remove(&d);
  }
  printf("at least %llu commits survived\n", (unsigned long long)acknowledged);
  munmap(shared, bytes);
}

/* A commit that fails in the middle of others takes nothing with it. */
static void *
conflict_main(void *arg)
{
  producer *p = arg;

  for (uint64_t n = 0; n < EACH; n++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad q = {{atom_inline_integer(1), atom_inline_integer(2), atom_inline_integer((int64_t)n),
               ATOM_NONE_ID}};
    rdf_term t[4] = {{RDF_IRI, base_span("http://example.org/x"), {NULL, 0}, {NULL, 0}}};
    quad_txn *txn;
    uint64_t removed = 0;
    quoin_status st;
    char text[64];
    (void)snprintf(text, sizeof text, "http://example.org/%u/%llu", p->number,
                   (unsigned long long)n);
    t[1] = t[2] = t[0];
    t[2].value = base_span(text);
    if ((st = quad_txn_begin(&txn, p->store, &err))) break;
    st = quad_txn_remove_ids(txn, &q, &err);
    if (!st) st = quad_txn_add(txn, (const rdf_term *)t, &err);
    if (st) {
      quad_txn_abort(txn);
      p->failures++;
      break;
    }
    st = quad_txn_commit(NULL, &removed, txn, &err);
    if (st && st != QUOIN_ERR_CONFLICT) p->failures++;
    if (!st) p->commits += 1;
    if (!st && removed) atomic_fetch_add(p->safe, 1);
  }
  return NULL;
}

static void
promise_m6_conflicts_are_found_in_commit_order(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF};
  quad_pattern all = {.scope = QUAD_ANY};
  support_dir d;
  quad_store *store;
  quad_snapshot *s;
  quad_txn *txn;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];
  _Atomic uint64_t removed = 0;
  uint64_t total, committed = 0;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  assert_ok(quad_txn_begin(&txn, store, &err));
  for (int64_t n = 0; n < EACH; n++) {
    quad q = {
        {atom_inline_integer(1), atom_inline_integer(2), atom_inline_integer(n), ATOM_NONE_ID}};
    assert_ok(quad_txn_add_ids(txn, &q, &err));
  }
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  for (unsigned i = 0; i < PRODUCERS; i++) {
    p[i] = (producer){.store = store, .number = i, .safe = &removed};
    assert_int_equal(pthread_create(&id[i], NULL, conflict_main, &p[i]), 0);
  }
  for (unsigned i = 0; i < PRODUCERS; i++) {
    assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(p[i].failures, 0);
    committed += p[i].commits;
  }
  assert_int_equal(removed, EACH); /* each once */
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(&total, s, &all, &err));
  assert_int_equal(total, committed); /* one new quad each; nothing of the others */
  quad_snapshot_release(s);
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m6_sixteen_producers_share_syncs),
      cmocka_unit_test(promise_m6_killed_at_random_moments),
      cmocka_unit_test(promise_m6_conflicts_are_found_in_commit_order),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
