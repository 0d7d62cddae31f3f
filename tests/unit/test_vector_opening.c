/* Opening a store with a graph: what that reads does not grow with the graph. */
#include "unit/vector_index_world.h"

#include <string.h>

#include "crash/fault.h"
#include "vector/index.h"

/* SLACK: the table names blocks of checksums, 8 bytes for each 512 pages. AROUND: what the kernel
 * brings with one page. */
enum { SMALL = 1000, LARGE = 8 * SMALL, SLACK = 4096, AROUND = 128 << 10 };

typedef struct cost {
  uint64_t calls;                     /* of the seam, on the whole store */
  uint64_t reads, bytes, graph_bytes; /* with read calls: of all files, and of the graph's */
  uint64_t touched;                   /* bytes of the graph's mappings that are in memory */
  uint64_t mapped;
} cost;

/* What of the graph's file this process has mapped, and has touched of it. */
static void
look_at_maps(cost *c)
{
  char line[512];
  bool graph = false;
  FILE *maps = fopen("/proc/self/smaps", "r");
  if (!maps) skip(); /* not Linux */
  while (fgets(line, sizeof(line), maps)) {
    unsigned long long kib;
    if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' '))
      graph = strstr(line, "/graph-") != NULL;
    if (graph && sscanf(line, "Size: %llu kB", &kib) == 1) c->mapped += kib << 10;
    if (graph && sscanf(line, "Rss: %llu kB", &kib) == 1) c->touched += kib << 10;
  }
  (void)fclose(maps);
}

static void
fill(world *w, int n)
{
  begin(w);
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  quad_txn *txn;
  const rdf_term little[5][4] = {{iri(P), iri(RDF_NS "type"), iri(RDF_VEC "Index"), system},
                                 {iri(P), iri(RDF_VEC "dimension"), number("16"), system},
                                 {iri(P), iri(RDF_VEC "metric"), iri(RDF_VEC "l2Metric"), system},
                                 {iri(P), iri(RDF_VEC "m"), number("6"), system},
                                 {iri(P), iri(RDF_VEC "efConstruction"), number("12"), system}};
  good(quad_txn_begin(&txn, w->store, &err));
  for (size_t i = 0; i < 5; i++)
    good(quad_txn_add(txn, little[i], &err));
  good(quad_txn_commit(NULL, NULL, txn, &err));
  add_many(w, "a", n, NULL);
  settle(w);
  close_store(w);
}

/* All are linked at once, and nothing is to be done. */
static void
expect_whole(world *w, uint64_t n)
{
  vec_stats stats;
  vec_counts counts;
  vec_declaration d = declared(w);
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  const vec_index *index = atomic_load(&ix->set)->index[0];
  assert_int_equal(atomic_load(&index->verify_wanted), 0);
  assert_int_equal(atomic_load(&index->mark), index->saved_mark);
  vec_index_stats(&stats, w->snapshot, &d);
  assert_int_equal(stats.nodes, n);
  assert_int_equal(stats.waiting + stats.leaving, 0);
  good(vec_settle(w->snapshot, NULL, &err));
  good(vec_index_count(&counts, w->snapshot, &d, NULL, &err));
  assert_int_equal(counts.linked, n);
  assert_int_equal(counts.unlinked + counts.removed, 0);
  assert_false(counts.damaged || counts.missing || atomic_load(&index->unsaved));
}

/* What is read is seen to be touched. */
static void
expect_seen(world *w)
{
  cost c = {0};
  vec_check_report report;
  vec_declaration d = declared(w);
  good(vec_index_check(&report, w->snapshot, &d, false, NULL, &err));
  look_at_maps(&c);
  assert_true(c.touched > c.mapped / 2);
}

static cost
measure(int n, bool read_only)
{
  world w;
  cost c = {0};
  const quad_store_options options = {.read_only = read_only, .rest_ms = UINT64_MAX};
  const vec_options vectors = {.read_only = read_only};
  fill(&w, n);
  fault_begin(w.path, NULL);
  good(quad_store_open(&w.store, w.path, &options, NULL, &err));
  good(vec_attach(w.store, &vectors, &err));
  look(&w);
  good(vec_settle(w.snapshot, NULL, &err)); /* the thread has looked, too */
  uint64_t ignored;
  c.bytes = fault_read(&c.reads, "");
  c.graph_bytes = fault_read(&ignored, "graph-");
  look_at_maps(&c);
  c.calls = fault_end(NULL);
  expect_whole(&w, (uint64_t)n);
  expect_seen(&w);
  end(&w);
  (void)printf(
      "%d vectors: %llu calls, %llu reads of %llu bytes, of the graph %llu and %llu of %llu "
      "mapped\n",
      n, (unsigned long long)c.calls, (unsigned long long)c.reads, (unsigned long long)c.bytes,
      (unsigned long long)c.graph_bytes, (unsigned long long)c.touched,
      (unsigned long long)c.mapped);
  return c;
}

static void
test_opening__reads_as_much_of_a_large_graph_as_of_a_small_one(void **state)
{
  (void)state;
  for (int read_only = 0; read_only <= 1; read_only++) {
    cost small = measure(SMALL, read_only), large = measure(LARGE, read_only);
    assert_true(large.mapped > 4 * small.mapped); /* it is there */
    assert_int_equal(large.calls, small.calls);
    assert_int_equal(large.reads, small.reads);
    assert_in_range(large.bytes, 0, small.bytes + SLACK);
    assert_in_range(large.graph_bytes, 1, SLACK);
    assert_in_range(large.touched, 0, small.touched + AROUND);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_opening__reads_as_much_of_a_large_graph_as_of_a_small_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
