/* A writer of vectors is killed at some moment: after the next open every vector whose commit was
 * acknowledged is found, by exact search and by its neighbours' graph, and nothing is half there.
 *
 * QUOIN_KILLS: how often. */
#include "vector/vector.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { DIM = 16, BATCH = 60, FIRST = 2000, CHECKED = 40 };
#define P "http://x/v"

static quoin_error err;

static void
good(quoin_status st)
{
  if (st) fail_msg("status %d: %s", (int)st, err.message);
}

static rdf_term
iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

/* The vector of a subject is made from its number. */
static void
make_vector(float out[DIM], unsigned number)
{
  uint64_t s = number * 0x9E3779B97F4A7C15u + 1;
  for (int i = 0; i < DIM; i++) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    out[i] = (float)(s >> 40) / 8388608.0f - 1.0f;
  }
}

static quoin_status
add(quad_store *store, unsigned from, unsigned n)
{
  quad_txn *txn;
  quoin_status st = quad_txn_begin(&txn, store, &err);
  if (st) return st;
  for (unsigned i = from; !st && i < from + n; i++) {
    char name[32];
    float values[DIM];
    make_vector(values, i);
    (void)snprintf(name, sizeof(name), "http://x/s%u", i);
    const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values, DIM), {.kind = RDF_NONE}};
    st = quad_txn_add(txn, terms, &err);
  }
  if (!st) return quad_txn_commit(NULL, NULL, txn, &err);
  quad_txn_abort(txn);
  return st;
}

static quoin_status
declare(quad_store *store)
{
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term type[4] = {iri(P), iri(RDF_NS "type"), iri(RDF_VEC "Index"), system};
  const rdf_term dimension[4] = {
      iri(P),
      iri(RDF_VEC "dimension"),
      {.kind = RDF_LITERAL, .value = base_span("16"), .datatype = base_span(RDF_XSD "integer")},
      system};
  quoin_status st = quad_txn_begin(&txn, store, &err);
  if (st) return st;
  st = quad_txn_add(txn, type, &err);
  if (!st) st = quad_txn_add(txn, dimension, &err);
  if (!st) return quad_txn_commit(NULL, NULL, txn, &err);
  quad_txn_abort(txn);
  return st;
}

static quad_store *
open_store(const char *path)
{
  quad_store *store;
  const quad_store_options options = {.create = true, .memory_bytes = 1 << 18};
  const vec_options vectors = {.read_only = false};
  good(quad_store_open(&store, path, &options, NULL, &err));
  good(vec_attach(store, &vectors, &err));
  return store;
}

/* The child: adds without end, says after each commit how many there are, and checkpoints now and
 * then, so that the graph is saved at any moment. */
static void
write_on(const char *path, _Atomic unsigned *safe, unsigned from)
{
  quad_store *store = open_store(path);
  for (unsigned n = from, round = 0;; n += BATCH, round++) {
    if (add(store, n, BATCH)) _exit(1);
    atomic_store(safe, n + BATCH);
    if (round % 7 == 3 && quad_checkpoint(store, &err)) _exit(1);
  }
}

/* Is subject `number` the nearest to its own vector? */
static bool
is_found(const quad_snapshot *snapshot, const vec_declaration *index, unsigned number, bool exact)
{
  static const vec_graphs graphs = {.scope = QUAD_DEFAULT};
  vec_terms terms = vec_store_terms(snapshot);
  vec_report report = {0};
  vec_found *found;
  size_t n;
  float values[DIM];
  const float *near = values;
  const vec_request request = {.index = index,
                               .graphs = &graphs,
                               .terms = &terms,
                               .near = &near,
                               .n_near = 1,
                               .k = 3,
                               .max_distance = HUGE_VAL,
                               .exact = exact};
  make_vector(values, number);
  good(vec_search(&found, &n, &report, snapshot, &request, base_alloc_default(), &err));
  bool is = n && found[0].distance < 1e-9;
  base_release(base_alloc_default(), found, n, sizeof(*found));
  return is;
}

static void
check_store(const char *path, unsigned safe)
{
  quad_store *store = open_store(path);
  quad_snapshot *snapshot;
  vec_declaration index;
  bool found;
  atom_id p;
  uint64_t count;
  quad_pattern all = {.scope = QUAD_DEFAULT};
  good(quad_snapshot_acquire(&snapshot, store, &err));
  vec_terms terms = vec_store_terms(snapshot);
  const rdf_term name = iri(P);
  good(terms.find(&p, terms.user, &name, &err));
  good(vec_declaration_find(&index, &found, snapshot, &terms, p, base_alloc_default(), &err));
  assert_true(found);
  all.match.term[QUAD_P] = p;
  good(quad_count(&count, snapshot, &all, &err));
  if (count < safe || count > safe + BATCH || count % 10)
    fail_msg("%llu vectors, %u were safe", (unsigned long long)count, safe);
  for (int settled = 0; settled < 2; settled++) { /* at once, and when all are linked */
    unsigned missing = 0;
    for (unsigned i = 0; i < CHECKED; i++) {
      unsigned number = (unsigned)(count - 1 - i * (count / CHECKED - 1));
      assert_true(is_found(snapshot, &index, number, true));
      missing += !is_found(snapshot, &index, number, false);
    }
    if (missing > CHECKED / 20) fail_msg("%u of %d are not found", missing, (int)CHECKED);
    good(vec_settle(snapshot, NULL, &err));
  }
  vec_check_report report;
  good(vec_index_check(&report, snapshot, &index, false, NULL, &err));
  assert_int_equal(report.nodes, count);
  assert_int_equal(report.unreachable, 0);
  quad_snapshot_release(snapshot);
  good(quad_store_close(store, &err));
}

static void
promise_c4_a_killed_writer_leaves_graph_and_log(void **state)
{
  const char *tmp = getenv("TMPDIR"), *kills = getenv("QUOIN_KILLS");
  char dir[96], path[112], command[128];
  void *map =
      mmap(NULL, sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  _Atomic unsigned *safe = map;
  int n = kills ? atoi(kills) : 6;
  (void)state;
  assert_true(map != MAP_FAILED);
  (void)snprintf(dir, sizeof(dir), "%s/quoin-kill-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(dir));
  (void)snprintf(path, sizeof(path), "%s/s", dir);
  err = (quoin_error)QUOIN_ERROR_INIT;
  quad_store *store = open_store(path);
  good(declare(store));
  good(add(store, 0, FIRST));
  good(quad_store_close(store, &err));
  atomic_store(safe, FIRST);
  for (int i = 0; i < n; i++) {
    unsigned from = atomic_load(safe);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) write_on(path, safe, from);
    (void)usleep(30000 + (useconds_t)i * 37000 % 200000);
    (void)kill(pid, SIGKILL);
    int how;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how));
    check_store(path, atomic_load(safe));
    /* One commit more may have come through: start above it. */
    atomic_store(safe, (atomic_load(safe) + BATCH));
    store = open_store(path);
    good(add(store, atomic_load(safe) - BATCH, BATCH));
    good(quad_store_close(store, &err));
  }
  (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
  assert_int_equal(system(command), 0);
  (void)munmap(map, sizeof(unsigned));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_c4_a_killed_writer_leaves_graph_and_log),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
