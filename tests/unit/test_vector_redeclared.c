/* An index that is declared otherwise: its graph is made again, and answers go on. */
#include "unit/vector_index_faults.h"

enum { WIDE = 256, N = 600, GROUPS = 60, QUERIES = 15 };

typedef struct way {
  const char *storage, *m;
  vec_code code;
  uint32_t links;
} way;

static const way ways[] = {{RDF_VEC "f32Code", "8", VEC_F32, 8},
                           {RDF_VEC "i8Code", "12", VEC_I8, 12},
                           {RDF_VEC "b1Code", "20", VEC_B1, 20},
                           {RDF_VEC "b1Code", "10", VEC_B1, 10},
                           {RDF_VEC "f32Code", "10", VEC_F32, 10}};

static float vectors[N][WIDE], queries[QUERIES][WIDE];

/* Groups of vectors that are like one another. */
static void
draw_wide(world *w)
{
  static float centre[GROUPS][WIDE];
  for (int i = 0; i < GROUPS; i++)
    for (int k = 0; k < WIDE; k++)
      centre[i][k] = (float)(chance(w) * 2 - 1);
  for (int i = 0; i < N + QUERIES; i++)
    for (int k = 0; k < WIDE; k++)
      (i < N ? vectors[i] : queries[i - N])[k] =
          centre[i % GROUPS][k] + (float)((chance(w) * 2 - 1) * 0.8);
}

static void
say(quad_txn *txn, bool add, const way *to)
{
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term said[2][4] = {{iri(P), iri(RDF_VEC "storage"), iri(to->storage), system},
                               {iri(P), iri(RDF_VEC "m"), number(to->m), system}};
  for (int i = 0; i < 2; i++)
    good(add ? quad_txn_add(txn, said[i], &err) : quad_txn_remove(txn, said[i], &err));
}

static void
redeclare(world *w, const way *from, const way *to)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  if (from) say(txn, false, from);
  say(txn, true, to);
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
  vec_declaration d = declared(w);
  assert_int_equal(d.code, to->code);
  assert_int_equal(d.m, to->links);
}

static void
fill(world *w)
{
  quad_txn *txn;
  const rdf_term ef[4] = {iri(P), iri(RDF_VEC "efConstruction"), number("60"),
                          iri(VEC_SYSTEM_GRAPH)};
  begin(w);
  close_store(w);
  open_on(w, false, NULL, NULL);
  good(declare(w, P, "256", NULL));
  good(quad_txn_begin(&txn, w->store, &err));
  good(quad_txn_add(txn, ef, &err));
  good(quad_txn_commit(NULL, NULL, txn, &err));
  redeclare(w, NULL, &ways[0]);
  draw_wide(w);
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = 0; i < N; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(vectors[i], WIDE), {.kind = RDF_NONE}};
    good(quad_txn_add(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  settle(w);
}

/* The share of what exact search finds; *graph: so many went through one. What both find they find
 * at the same distance. */
static double
share_found(world *w, int *graph)
{
  size_t there = 0, same = 0;
  *graph = 0;
  for (int q = 0; q < QUERIES; q++) {
    vec_found *a, *b;
    size_t n_a, n_b;
    *graph += search(&a, &n_a, w, queries[q], false, NULL, NULL, 0) == VEC_CHOICE_GRAPH;
    (void)search(&b, &n_b, w, queries[q], true, NULL, NULL, 0);
    assert_int_equal(n_a, K);
    assert_int_equal(n_b, K);
    there += n_b;
    for (size_t i = 0; i < n_b; i++)
      for (size_t j = 0; j < n_a; j++)
        if (atom_id_equal(a[j].subject, b[i].subject)) {
          assert_true(a[j].distance == b[i].distance);
          same++;
        }
    base_release(base_alloc_default(), a, n_a, sizeof(*a));
    base_release(base_alloc_default(), b, n_b, sizeof(*b));
  }
  return (double)same / (double)there;
}

/* The exact search itself, against every distance. */
static void
check_exact(world *w)
{
  for (int q = 0; q < QUERIES; q++) {
    vec_found *found;
    size_t n, nearer = 0;
    (void)search(&found, &n, w, queries[q], true, NULL, NULL, 0);
    for (int i = 0; i < N; i++)
      nearer += vec_distance(VEC_COSINE, queries[q], vectors[i], WIDE) <= found[K - 1].distance;
    assert_int_equal(n, K);
    assert_int_equal(nearer, K);
    base_release(base_alloc_default(), found, n, sizeof(*found));
  }
}

static uint64_t
unlinked(world *w)
{
  vec_counts counts;
  vec_declaration d = declared(w);
  good(vec_index_count(&counts, w->snapshot, &d, NULL, &err));
  assert_int_equal(counts.vectors, N);
  return counts.unlinked;
}

static void
expect_graph(world *w, const way *as)
{
  int graph;
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  const vec_index *index = atomic_load(&ix->set)->index[0];
  assert_int_equal(atomic_load(&ix->set)->n, 1);
  assert_int_equal(index->declared.code, as->code);
  assert_int_equal(index->declared.m, as->links);
  assert_int_equal(hnsw_count(index->graph), N);
  expect_recall(share_found(w, &graph));
  assert_int_equal(graph, QUERIES);
}

static void
test_redeclared__code_and_links_are_made_again_behind_exact_answers(void **state)
{
  (void)state;
  world w;
  int graph;
  fill(&w);
  check_exact(&w);
  expect_graph(&w, &ways[0]);
  for (size_t i = 1; i < sizeof(ways) / sizeof(*ways); i++) {
    world older = w;
    older.snapshot = quad_snapshot_retain(w.snapshot);
    holder *h = hold_graphs(&w); /* nothing is linked until then */
    redeclare(&w, &ways[i - 1], &ways[i]);
    assert_true(share_found(&w, &graph) == 1);
    assert_int_equal(unlinked(&w), N);
    expect_recall(share_found(&older, &graph)); /* as it was declared then */
    let_go(h);
    do {
      expect_recall(share_found(&w, &graph));
      expect_recall(share_found(&older, &graph));
    } while (unlinked(&w));
    settle(&w);
    expect_graph(&w, &ways[i]);
    quad_snapshot_release(older.snapshot);
  }
  close_store(&w);
  open_on(&w, false, NULL, NULL);
  expect_graph(&w, &ways[sizeof(ways) / sizeof(*ways) - 1]);
  check_exact(&w);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_redeclared__code_and_links_are_made_again_behind_exact_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
