/* What searches know from searches before, and from the set of indexes, without reading it again:
 * what is declared, and that nothing lies beside the graph. Snapshots are held over the changes. */
#include "unit/vector_index_world.h"

#include "base/base.h"

#include <string.h>

enum { HELD = 6, BASE = 60 };
#define P2 "http://x/v2"

/* ---- declarations ----------------------------------------------------------------------------
 */

/* What a snapshot should say. */
typedef struct expected {
  quad_snapshot *snapshot;
  bool index[2];
  int model; /* of the first index; 0: none */
} expected;

static rdf_term
model(char room[24], int i)
{
  (void)snprintf(room, 24, "model %d", i);
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(room), .datatype = base_span(RDF_XSD "string")};
}

static void
expect_declared(const expected *e)
{
  const char *const names[2] = {P, P2};
  vec_terms terms = vec_store_terms(e->snapshot);
  for (int i = 0; i < 2; i++) {
    vec_declaration d;
    atom_id p;
    bool found;
    const rdf_term name = iri(names[i]);
    good(terms.find(&p, terms.user, &name, &err));
    good(vec_declaration_find(&d, &found, e->snapshot, &terms, p, base_alloc_default(), &err));
    assert_int_equal(found, e->index[i]);
    if (!found) continue;
    assert_true(atom_id_equal(d.predicate, p));
    assert_int_equal(d.dimension, i ? 5 : DIM);
    assert_int_equal(d.metric, i ? VEC_L2 : VEC_COSINE);
    if (i) continue;
    assert_int_equal(d.model.bits != 0, e->model != 0);
    if (!e->model) continue;
    char room[24];
    rdf_term term;
    base_arena arena;
    base_arena_init(&arena, base_alloc_default());
    good(terms.read(&term, terms.user, d.model, &arena, &err));
    assert_true(base_span_equal(term.value, model(room, e->model).value));
    base_arena_clear(&arena);
  }
}

static void
say_model(world *w, int *now, int next)
{
  char room[24];
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int pass = 0; pass < 2; pass++) {
    const rdf_term terms[4] = {iri(P), iri(RDF_VEC "model"), model(room, pass ? next : *now),
                               iri(VEC_SYSTEM_GRAPH)};
    if (!pass && *now) good(quad_txn_remove(txn, terms, &err));
    if (pass && next) good(quad_txn_add(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  *now = next;
}

static void
drop_second(world *w)
{
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term said[3][2] = {{iri(RDF_NS "type"), iri(RDF_VEC "Index")},
                               {iri(RDF_VEC "dimension"), number("5")},
                               {iri(RDF_VEC "metric"), iri(RDF_VEC "l2Metric")}};
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = 0; i < 3; i++) {
    const rdf_term terms[4] = {iri(P2), said[i][0], said[i][1], system};
    good(quad_txn_remove(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
}

/* A transaction that declares sees that, and nobody else does. */
static void
expect_own_view(world *w, const expected *now)
{
  quad_txn *txn;
  quad_snapshot *own;
  char room[24];
  const rdf_term terms[4] = {iri(P), iri(RDF_VEC "model"), model(room, 77), iri(VEC_SYSTEM_GRAPH)};
  vec_terms stored = vec_store_terms(now->snapshot);
  const rdf_term name = iri(P);
  vec_declaration d;
  bool found;
  atom_id p;
  if (now->model) return; /* two would be an error */
  good(quad_txn_begin(&txn, w->store, &err));
  good(quad_txn_add(txn, terms, &err));
  good(quad_txn_snapshot(&own, txn, &err));
  good(stored.find(&p, stored.user, &name, &err));
  (void)vec_declaration_find(&d, &found, own, &stored, p, base_alloc_default(), NULL);
  assert_true(!found || d.model.bits); /* its local id cannot be read by these terms */
  expect_declared(now);
  quad_snapshot_release(own);
  quad_txn_abort(txn);
}

static void
test_known__declarations_are_those_of_the_snapshot(void **state)
{
  (void)state;
  world w;
  expected held[HELD] = {{.snapshot = NULL}}, now = {.index = {true, false}};
  begin(&w);
  good(declare(&w, P, "16", NULL));
  for (int i = 0; i < 150; i++) {
    char name[32];
    double kind = chance(&w);
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    if (kind < 0.35) {
      say_model(&w, &now.model, chance(&w) < 0.3 ? 0 : now.model + 1);
    } else if (kind < 0.6) {
      if (now.index[1])
        drop_second(&w);
      else
        good(declare(&w, P2, "5", RDF_VEC "l2Metric"));
      now.index[1] = !now.index[1];
    } else if (kind < 0.9) {
      good(change(&w, true, iri(name), "http://x/p", iri("http://x/o"), NULL));
    } else if (kind < 0.95) {
      assert_int_not_equal(declare(&w, P2, "6", RDF_VEC "noMetric"),
                           QUOIN_OK); /* changes nothing */
    } else {
      good(quad_store_compact(w.store, 0, NULL, &err));
    }
    look(&w);
    now.snapshot = w.snapshot;
    expect_declared(&now);
    if (chance(&w) < 0.2) expect_own_view(&w, &now);
    expected *hold = &held[(size_t)(chance(&w) * HELD)];
    quad_snapshot_release(hold->snapshot);
    *hold = now;
    (void)quad_snapshot_retain(hold->snapshot);
    for (int h = 0; h < HELD; h++)
      if (held[h].snapshot) expect_declared(&held[h]);
  }
  for (int h = 0; h < HELD; h++)
    quad_snapshot_release(held[h].snapshot);
  end(&w);
}

/* ---- beside the graph ------------------------------------------------------------------------
 */

static rdf_term
json(char *room, size_t size, const float *values)
{
  size_t at = 0;
  for (int i = 0; i < DIM; i++)
    at += (size_t)snprintf(room + at, size - at, "%s%.9g", i ? "," : "[", (double)values[i]);
  (void)snprintf(room + at, size - at, "]");
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(room), .datatype = base_span(RDF_NS "JSON")};
}

/* How near the nearest is by graph `g` of the snapshot. */
static double
nearest(world *w, quad_snapshot *snapshot, const float *near, quad_scope scope, const char *g)
{
  vec_found *found;
  size_t n;
  vec_graphs graphs = {.scope = scope};
  quad_snapshot *newest = w->snapshot;
  vec_terms terms = vec_store_terms(snapshot);
  const rdf_term name = iri(g ? g : "http://x/none");
  if (g) good(terms.find(&graphs.graph, terms.user, &name, &err));
  if (g && !graphs.graph.bits) return HUGE_VAL;
  w->snapshot = snapshot;
  (void)search(&found, &n, w, near, false, &graphs, NULL, 0);
  w->snapshot = newest;
  double least = n ? found[0].distance : HUGE_VAL;
  base_release(base_alloc_default(), found, n, sizeof(*found));
  return least;
}

static void
test_known__what_comes_beside_the_graph_is_found_at_once(void **state)
{
  (void)state;
  world w;
  const vec_options vectors = {.walk_always = true};
  const char *const graphs[2] = {NULL, "http://x/g"};
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", BASE, NULL);
  add_many(&w, "b", BASE, graphs[1]);
  close_store(&w);
  const quad_store_options options = {.read_only = false};
  good(quad_store_open(&w.store, w.path, &options, NULL, &err));
  good(vec_attach(w.store, &vectors, &err));
  settle(&w);
  for (int i = 0; i < 40; i++) {
    char name[32], room[40 * DIM];
    float values[DIM];
    const char *g = graphs[chance(&w) < 0.5];
    bool text = chance(&w) < 0.5; /* else a vector of ours, which is linked soon */
    random_vector(&w, values);
    (void)snprintf(name, sizeof(name), "http://x/t%d", i);
    for (int again = 0; again < 2; again++) /* the first looks, the second knows */
      for (quad_scope scope = QUAD_DEFAULT; scope <= QUAD_ANY; scope++)
        assert_true(nearest(&w, w.snapshot, values, scope, scope == QUAD_NAMED ? graphs[1] : NULL) >
                    1e-3);
    quad_snapshot *before = quad_snapshot_retain(w.snapshot);
    rdf_term o = text ? json(room, sizeof(room), values) : rdf_vector(values, DIM);
    good(change(&w, true, iri(name), P, o, g));
    look(&w);
    for (int again = 0; again < 2; again++) {
      assert_true((nearest(&w, w.snapshot, values, QUAD_DEFAULT, NULL) < 1e-5) == !g);
      assert_true((nearest(&w, w.snapshot, values, QUAD_NAMED, graphs[1]) < 1e-5) == (g != NULL));
      assert_true(nearest(&w, w.snapshot, values, QUAD_ANY, NULL) < 1e-5);
      assert_true(nearest(&w, before, values, QUAD_ANY, NULL) > 1e-3);
    }
    if (chance(&w) < 0.3) settle(&w);
    if (!text || chance(&w) < 0.5)
      good(change(&w, false, iri(name), P, o, g));
    else
      good(change(&w, true, iri(name), "http://x/p", iri("http://x/o"), NULL));
    look(&w);
    bool left = text && nearest(&w, w.snapshot, values, QUAD_ANY, NULL) < 1e-5;
    if (left) good(change(&w, false, iri(name), P, o, g));
    look(&w);
    assert_true(nearest(&w, w.snapshot, values, QUAD_ANY, NULL) > 1e-3);
    assert_true(nearest(&w, before, values, QUAD_ANY, NULL) > 1e-3);
    quad_snapshot_release(before);
  }
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known__declarations_are_those_of_the_snapshot),
      cmocka_unit_test(test_known__what_comes_beside_the_graph_is_found_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
