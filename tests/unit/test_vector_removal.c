/* Vectors that are removed leave the graph of a store; those that come back, or that an earlier
 * snapshot has, are found all the same. */
#include "unit/vector_index_world.h"

#include <dirent.h>
#include <sys/stat.h>

enum { POOL = 2400, OLDER = 4 };

/* Bytes of the files of graphs. */
static uint64_t
graph_bytes(const world *w)
{
  char path[512];
  uint64_t bytes = 0;
  struct stat info;
  DIR *dir = opendir(w->path);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir));) {
    if (strncmp(e->d_name, "graph-", 6) != 0) continue;
    (void)snprintf(path, sizeof(path), "%s/%s", w->path, e->d_name);
    if (!stat(path, &info)) bytes += (uint64_t)info.st_size;
  }
  (void)closedir(dir);
  return bytes;
}

static vec_stats
stats_of(world *w)
{
  vec_stats stats;
  vec_declaration d = declared(w);
  vec_index_stats(&stats, w->snapshot, &d);
  return stats;
}

static vec_counts
counts_of(world *w)
{
  vec_counts counts;
  vec_declaration d = declared(w);
  good(vec_index_count(&counts, w->snapshot, &d, NULL, &err));
  return counts;
}

/* Until what is late is linked, and what is gone may wait. */
static void
wait_linked(world *w)
{
  look(w);
  for (int i = 0; i < 3000 && stats_of(w).waiting; i++)
    (void)usleep(10000);
  assert_int_equal(stats_of(w).waiting, 0);
}

static void
change_vector(world *w, quad_txn *txn, bool add, const float *values, int subject)
{
  char name[64];
  (void)w;
  (void)snprintf(name, sizeof(name), "http://x/s%d", subject);
  const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values, DIM), {.kind = RDF_NONE}};
  good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
}

/* A fifth of the vectors goes and comes back, ten times: in odd rounds as other vectors. */
static void
test_removal__rounds_leave_graph_and_file_as_they_were(void **state)
{
  world w;
  quad_txn *txn;
  float(*values)[DIM] = calloc(MANY, sizeof(*values));
  uint64_t first = 0;
  (void)state;
  assert_non_null(values);
  begin(&w);
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  good(quad_txn_begin(&txn, w.store, &err));
  for (int i = 0; i < MANY; i++) {
    random_vector(&w, values[i]);
    change_vector(&w, txn, true, values[i], i);
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  settle(&w);
  for (int round = 0; round < 10; round++) {
    good(quad_txn_begin(&txn, w.store, &err));
    for (int i = round % 5; i < MANY; i += 5)
      change_vector(&w, txn, false, values[i], i);
    good(quad_txn_commit(NULL, NULL, txn, &err));
    settle(&w);
    assert_int_equal(stats_of(&w).nodes, MANY * 4 / 5);
    assert_int_equal(counts_of(&w).removed, 0);
    good(quad_txn_begin(&txn, w.store, &err));
    for (int i = round % 5; i < MANY; i += 5) {
      if (round % 2) random_vector(&w, values[i]);
      change_vector(&w, txn, true, values[i], i);
    }
    good(quad_txn_commit(NULL, NULL, txn, &err));
    settle(&w);
    assert_int_equal(stats_of(&w).nodes, MANY);
    expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
    good(quad_checkpoint(w.store, &err));
    if (!first) first = graph_bytes(&w);
    /* dead pages may be half of it, and 1 MiB are not worth writing it anew */
    if (graph_bytes(&w) > 5 * first / 2 + (1 << 20))
      fail_msg("round %d: %llu bytes, there were %llu", round, (unsigned long long)graph_bytes(&w),
               (unsigned long long)first);
  }
  vec_declaration d = declared(&w);
  vec_check_report report;
  good(vec_index_check(&report, w.snapshot, &d, false, NULL, &err));
  assert_int_equal(report.unreachable, 0);
  free(values);
  end(&w);
}

/* ---- random changes beside older snapshots ----------------------------------------------------
 */

typedef struct kept {
  quad_snapshot *snapshot;
  uint8_t has[POOL]; /* bits of two subjects */
} kept;

static void
check_kept(world *w, const kept *k, float (*values)[DIM], size_t *asked, size_t *missed)
{
  quad_snapshot *now = w->snapshot;
  w->snapshot = k->snapshot;
  for (int i = 0; i < 12; i++) {
    vec_found *found;
    size_t n;
    int at = (int)(chance(w) * POOL);
    (void)search(&found, &n, w, values[at], false, NULL, NULL, 0);
    bool there = n && found[0].distance < 1e-6;
    if (there && !k->has[at])
      fail_msg("seed %llu: a vector that is gone is found", (unsigned long long)w->seed);
    *asked += k->has[at] != 0;
    *missed += k->has[at] && !there;
    base_release(base_alloc_default(), found, n, sizeof(*found));
  }
  w->snapshot = now;
}

static void
change_some(world *w, float (*values)[DIM], uint8_t *has, size_t n)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (size_t i = 0; i < n; i++) {
    int at = (int)(chance(w) * POOL), who = chance(w) < 0.3;
    change_vector(w, txn, !(has[at] >> who & 1), values[at], 2 * at + who);
    has[at] = (uint8_t)(has[at] ^ 1 << who);
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
}

static void
test_removal__what_comes_back_is_found(void **state)
{
  world w;
  kept older[OLDER] = {{.snapshot = NULL}}, *now = calloc(1, sizeof(*now));
  float(*values)[DIM] = calloc(POOL, sizeof(*values));
  size_t asked = 0, missed = 0;
  (void)state;
  assert_true(values && now);
  begin(&w);
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  for (int i = 0; i < POOL; i++)
    random_vector(&w, values[i]);
  change_some(&w, values, now->has, 3 * POOL);
  settle(&w);
  for (int step = 0; step < 120; step++) {
    change_some(&w, values, now->has, chance(&w) < 0.2 ? 900 : (size_t)(chance(&w) * 60) + 1);
    if (chance(&w) < 0.1) settle(&w);
    if (chance(&w) < 0.3) (void)usleep(2000);
    kept *k = &older[(int)(chance(&w) * OLDER)];
    if (chance(&w) < 0.3) {
      quad_snapshot_release(k->snapshot);
      *k = *now;
      k->snapshot = quad_snapshot_retain(w.snapshot);
    }
    now->snapshot = w.snapshot;
    check_kept(&w, k->snapshot && chance(&w) < 0.3 ? k : now, values, &asked, &missed);
  }
  settle(&w);
  now->snapshot = w.snapshot;
  for (int i = 0; i < 10; i++)
    check_kept(&w, now, values, &asked, &missed);
  if (missed * 100 > asked) fail_msg("%zu of %zu vectors were not found", missed, asked);
  for (int i = 0; i < OLDER; i++)
    quad_snapshot_release(older[i].snapshot);
  free(values);
  free(now);
  end(&w);
}

static void
change_range(world *w, bool add, float (*values)[DIM], int from, int to)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = from; i < to; i++)
    change_vector(w, txn, add, values[i], i);
  good(quad_txn_commit(NULL, NULL, txn, &err));
}

/* Of what happened to a vector before anything is taken out, the last counts. */
static void
test_removal__gone_back_and_gone_again(void **state)
{
  /* a twentieth of all is taken out at once: what is gone before OTHERS is fewer */
  enum { ALL = 400, AGAIN = 5, TWICE = 5, OTHERS = 50 };
  world w;
  vec_found *found;
  size_t n;
  float(*values)[DIM] = calloc(ALL, sizeof(*values));
  (void)state;
  assert_non_null(values);
  begin(&w);
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  for (int i = 0; i < ALL; i++)
    random_vector(&w, values[i]);
  change_range(&w, true, values, 0, ALL);
  settle(&w);
  change_range(&w, false, values, 0, TWICE + AGAIN);
  change_range(&w, true, values, 0, TWICE + AGAIN);
  wait_linked(
      &w); /* what is gone later than what came back is taken out only once that is linked */
  change_range(&w, false, values, 0, TWICE);
  change_range(&w, false, values, TWICE + AGAIN, TWICE + AGAIN + OTHERS);
  settle(&w);
  assert_int_equal(stats_of(&w).nodes, ALL - TWICE - OTHERS);
  for (int i = 0; i < TWICE + AGAIN; i++) {
    (void)search(&found, &n, &w, values[i], false, NULL, NULL, 0);
    assert_int_equal(found[0].distance < 1e-6, i >= TWICE);
    base_release(base_alloc_default(), found, n, sizeof(*found));
  }
  free(values);
  end(&w);
}

/* Few that are gone wait until they are more, unless somebody waits: then a store that is closed
 * has nothing left to do, and one that is opened for reading need not look for it. */
static void
test_removal__settling_takes_out_the_last(void **state)
{
  enum { ALL = 400, FEW = 3 };
  world w;
  float(*values)[DIM] = calloc(ALL, sizeof(*values));
  (void)state;
  assert_non_null(values);
  begin(&w);
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  for (int i = 0; i < ALL; i++)
    random_vector(&w, values[i]);
  change_range(&w, true, values, 0, ALL);
  settle(&w);
  change_range(&w, false, values, 0, FEW);
  settle(&w);
  assert_int_equal(stats_of(&w).nodes, ALL - FEW);
  assert_int_equal(stats_of(&w).leaving, 0);
  assert_int_equal(counts_of(&w).removed, FEW); /* too few for mending all lists */
  change_range(&w, false, values, FEW, ALL / 2);
  settle(&w);
  assert_int_equal(stats_of(&w).nodes, ALL / 2);
  assert_int_equal(counts_of(&w).removed, 0);
  free(values);
  end(&w);
}

/* Graphs that declarations replace are freed while the store is open. */
static void
test_removal__a_replaced_graph_is_freed(void **state)
{
  world w;
  static const char *const efs[2] = {"100", "120"};
  (void)state;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", 300, NULL);
  for (int i = 0; i < 6; i++) {
    const rdf_term ef[2][4] = {
        {iri(P), iri(RDF_VEC "efConstruction"), number(efs[0]), iri(VEC_SYSTEM_GRAPH)},
        {iri(P), iri(RDF_VEC "efConstruction"), number(efs[1]), iri(VEC_SYSTEM_GRAPH)}};
    quad_txn *txn;
    good(quad_txn_begin(&txn, w.store, &err));
    if (i) good(quad_txn_remove(txn, ef[(i + 1) % 2], &err));
    good(quad_txn_add(txn, ef[i % 2], &err));
    good(quad_txn_commit(NULL, NULL, txn, &err));
    settle(&w);
    assert_int_equal(stats_of(&w).nodes, 300);
  }
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_removal__rounds_leave_graph_and_file_as_they_were),
      cmocka_unit_test(test_removal__what_comes_back_is_found),
      cmocka_unit_test(test_removal__gone_back_and_gone_again),
      cmocka_unit_test(test_removal__settling_takes_out_the_last),
      cmocka_unit_test(test_removal__a_replaced_graph_is_freed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
