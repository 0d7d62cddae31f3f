/* The indexes of a store: what a commit may do to them, that a graph follows the quads, that a
 * search through it finds what exact search finds, and what is left after closing or a crash. */
#include "vector/vector.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { DIM = 16, MANY = 2500, K = 10 };
#define P "http://x/v"

typedef struct world {
  char path[128];
  quad_store *store;
  quad_snapshot *snapshot;
  uint64_t seed;
} world;

static quoin_error err;

static void
good(quoin_status st)
{
  if (st) fail_msg("status %d: %s", (int)st, err.message);
}

static void
look(world *w)
{
  quad_snapshot_release(w->snapshot);
  good(quad_snapshot_acquire(&w->snapshot, w->store, &err));
}

static void
open_store(world *w, bool attach)
{
  const quad_store_options options = {.create = true};
  const vec_options vectors = {.unlinked = 0};
  good(quad_store_open(&w->store, w->path, &options, NULL, &err));
  if (attach) good(vec_attach(w->store, &vectors, &err));
  look(w);
}

static void
close_store(world *w)
{
  quad_snapshot_release(w->snapshot);
  w->snapshot = NULL;
  good(quad_store_close(w->store, &err));
}

static void
begin(world *w)
{
  const char *tmp = getenv("TMPDIR"), *given = getenv("QUOIN_SEED");
  *w = (world){.seed = given ? strtoull(given, NULL, 10) : 7};
  err = (quoin_error)QUOIN_ERROR_INIT;
  (void)snprintf(w->path, sizeof(w->path), "%s/quoin-index-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(w->path));
  (void)strcat(w->path, "/s");
  open_store(w, true);
}

static void
end(world *w)
{
  char command[160];
  close_store(w);
  *strrchr(w->path, '/') = '\0';
  (void)snprintf(command, sizeof(command), "rm -rf %s", w->path);
  assert_int_equal(system(command), 0);
}

static double
chance(world *w)
{
  w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(w->seed >> 11) / 9007199254740992.0;
}

static void
random_vector(world *w, float *out)
{
  for (int i = 0; i < DIM; i++)
    out[i] = (float)(chance(w) + chance(w) + chance(w) - 1.5);
}

static rdf_term
iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

static quoin_status
change(world *w, bool add, rdf_term s, const char *p, rdf_term o, const char *g)
{
  quad_txn *txn;
  const rdf_term terms[4] = {s, iri(p), o, g ? iri(g) : (rdf_term){.kind = RDF_NONE}};
  good(quad_txn_begin(&txn, w->store, &err));
  good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
  return quad_txn_commit(NULL, NULL, txn, &err);
}

static rdf_term
number(const char *text)
{
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(RDF_XSD "integer")};
}

static rdf_term
vector_text(const char *text)
{
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(RDF_VEC_F32)};
}

/* One commit of triples of the system graph. */
static quoin_status
declare(world *w, const char *p, const char *dimension, const char *metric)
{
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term type[4] = {iri(p), iri(RDF_NS "type"), iri(RDF_VEC "Index"), system};
  const rdf_term dim[4] = {iri(p), iri(RDF_VEC "dimension"), number(dimension ? dimension : ""),
                           system};
  const rdf_term met[4] = {iri(p), iri(RDF_VEC "metric"), iri(metric ? metric : ""), system};
  good(quad_txn_begin(&txn, w->store, &err));
  good(quad_txn_add(txn, type, &err));
  if (dimension) good(quad_txn_add(txn, dim, &err));
  if (metric) good(quad_txn_add(txn, met, &err));
  return quad_txn_commit(NULL, NULL, txn, &err);
}

/* `n` subjects <prefix>i with a random vector each, in one commit. */
static void
add_many(world *w, const char *prefix, int n, const char *graph)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = 0; i < n; i++) {
    char name[64];
    float values[DIM];
    random_vector(w, values);
    (void)snprintf(name, sizeof(name), "http://x/%s%d", prefix, i);
    const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values, DIM),
                               graph ? iri(graph) : (rdf_term){.kind = RDF_NONE}};
    good(quad_txn_add(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
}

static vec_declaration
declared(world *w)
{
  vec_declaration d;
  bool found;
  atom_id p;
  vec_terms terms = vec_store_terms(w->snapshot);
  const rdf_term name = iri(P);
  good(terms.find(&p, terms.user, &name, &err));
  good(vec_declaration_find(&d, &found, w->snapshot, &terms, p, base_alloc_default(), &err));
  assert_true(found);
  return d;
}

static vec_choice
search(vec_found **out, size_t *n, world *w, const float *near, bool exact,
       const vec_graphs *graphs, const atom_id *subjects, size_t n_subjects)
{
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  vec_declaration d = declared(w);
  vec_terms terms = vec_store_terms(w->snapshot);
  vec_report report = {0};
  const vec_request request = {.index = &d,
                               .graphs = graphs ? graphs : &plain,
                               .terms = &terms,
                               .near = &near,
                               .n_near = 1,
                               .k = K,
                               .max_distance = HUGE_VAL,
                               .exact = exact,
                               .subjects = subjects,
                               .n_subjects = n_subjects};
  good(vec_search(out, n, &report, w->snapshot, &request, base_alloc_default(), &err));
  return report.choice;
}

/* The share of what exact search finds that a search finds, over some random queries; all of these
 * searches should choose `expected`. */
static double
recall(world *w, vec_choice expected, const vec_graphs *graphs, const atom_id *subjects, size_t n)
{
  size_t there = 0, found = 0;
  for (int q = 0; q < 40; q++) {
    float near[DIM];
    vec_found *a, *b;
    size_t n_a, n_b;
    random_vector(w, near);
    vec_choice choice = search(&a, &n_a, w, near, false, graphs, subjects, n);
    if (choice != expected) fail_msg("searched by %s", vec_choice_name(choice));
    (void)search(&b, &n_b, w, near, true, graphs, subjects, n);
    assert_int_equal(n_a, n_b);
    there += n_b;
    for (size_t i = 0; i < n_b; i++)
      for (size_t j = 0; j < n_a; j++)
        if (atom_id_equal(a[j].subject, b[i].subject)) {
          assert_true(a[j].distance == b[i].distance);
          found++;
        }
    base_release(base_alloc_default(), a, n_a, sizeof(*a));
    base_release(base_alloc_default(), b, n_b, sizeof(*b));
  }
  return there ? (double)found / (double)there : 1;
}

static void
settle(world *w)
{
  look(w);
  good(vec_settle(w->snapshot, NULL, &err));
}

static void
expect_recall(double found)
{
  if (found < 0.95) fail_msg("recall is %.3f", found);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void
refused(quoin_status st, const char *why)
{
  if (st != QUOIN_ERR_CONSTRAINT || !strstr(err.message, why))
    fail_msg("status %d: %s", (int)st, err.message);
  base_error_clear(&err);
}

static void
test_index__declarations_are_judged_at_commit(void **state)
{
  world w;
  (void)state;
  begin(&w);
  refused(declare(&w, P, NULL, NULL), "vec:dimension is missing");
  refused(declare(&w, P, "0", NULL), "expected an integer");
  refused(declare(&w, P, "2", RDF_VEC "manhattan"), "vec:metric");
  good(declare(&w, P, "2", NULL));
  refused(declare(&w, P, "3", NULL), "vec:dimension is said once");
  refused(change(&w, true, iri(P), RDF_VEC "metric", number("1"), VEC_SYSTEM_GRAPH), "vec:metric");
  refused(change(&w, false, iri(P), RDF_NS "type", iri(RDF_VEC "Index"), VEC_SYSTEM_GRAPH),
          "not said to be a vec:Index");
  /* An index over a predicate that has vectors of another dimension already. */
  good(change(&w, true, iri("http://x/a"), "http://x/u", vector_text("[1,2,3]"), NULL));
  refused(declare(&w, "http://x/u", "2", NULL), "another dimension");
  good(declare(&w, "http://x/u", "3", NULL));
  end(&w);
}

static void
test_index__vectors_are_judged_at_commit(void **state)
{
  world w;
  const rdf_term a = iri("http://x/a");
  (void)state;
  begin(&w);
  good(declare(&w, P, "2", NULL));
  good(change(&w, true, a, P, vector_text("[1, 2]"), NULL));
  good(change(&w, true, a, P, number("7"), "http://x/g"));
  refused(change(&w, true, a, P, vector_text("[1,2,3]"), NULL), "another dimension");
  refused(change(&w, true, a, P, vector_text("[1,"), NULL), "not well formed");
  refused(change(&w, true, a, P, vector_text("[0,0]"), "http://x/g"), "zero");
  good(change(&w, true, a, "http://x/other", vector_text("[0,0]"), NULL));
  refused(change(&w, true, iri(P), RDF_VEC "metric", iri(RDF_VEC "l2Metric"), VEC_SYSTEM_GRAPH),
          "cannot be changed");
  end(&w);
}

static void
test_index__a_graph_follows_the_quads(void **state)
{
  world w;
  (void)state;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", MANY, NULL);
  settle(&w);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  /* Fresh ones are found at once, linked or not. */
  add_many(&w, "b", 300, NULL);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  settle(&w);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  end(&w);
}

static void
test_index__removed_and_late_vectors(void **state)
{
  world w;
  float near[DIM];
  vec_found *found;
  size_t n;
  (void)state;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", MANY, NULL);
  random_vector(&w, near);
  /* A term before it is one of the predicate's. */
  good(change(&w, true, iri("http://x/late"), "http://x/other", rdf_vector(near, DIM), NULL));
  settle(&w);
  for (int round = 0; round < 3; round++) {
    good(change(&w, true, iri("http://x/late"), P, rdf_vector(near, DIM), NULL));
    look(&w);
    if (round == 1) settle(&w);
    assert_int_equal(search(&found, &n, &w, near, false, NULL, NULL, 0), VEC_CHOICE_GRAPH);
    assert_true(n == K && found[0].distance < 1e-6);
    base_release(base_alloc_default(), found, n, sizeof(*found));
    good(change(&w, false, iri("http://x/late"), P, rdf_vector(near, DIM), NULL));
    look(&w);
    if (round == 2) settle(&w);
    (void)search(&found, &n, &w, near, false, NULL, NULL, 0);
    assert_true(n == K && found[0].distance > 1e-6);
    base_release(base_alloc_default(), found, n, sizeof(*found));
  }
  end(&w);
}

static void
test_index__graphs_and_candidates(void **state)
{
  world w;
  atom_id *list = calloc(MANY, sizeof(*list));
  size_t n = 0;
  (void)state;
  assert_non_null(list);
  begin(&w);
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  add_many(&w, "a", MANY, "http://x/g1");
  add_many(&w, "c", MANY, "http://x/g2");
  settle(&w);
  vec_terms terms = vec_store_terms(w.snapshot);
  vec_graphs g1 = {.scope = QUAD_NAMED}, any = {.scope = QUAD_ANY};
  const rdf_term name = iri("http://x/g1"), system = iri(VEC_SYSTEM_GRAPH);
  good(terms.find(&g1.graph, terms.user, &name, &err));
  good(terms.find(&any.skip, terms.user, &system, &err));
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, &g1, NULL, 0));
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, &any, NULL, 0));
  for (int i = 0; i < MANY; i++) {
    char text[64];
    (void)snprintf(text, sizeof(text), "http://x/a%d", i);
    const rdf_term subject = iri(text);
    good(terms.find(&list[n], terms.user, &subject, &err));
    if (i % 2) n++;
  }
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, &any, list, n));
  assert_true(recall(&w, VEC_CHOICE_LOOKUP, &any, list, 20) == 1);
  free(list);
  end(&w);
}

/* The graph of a clean close is there at once: nothing is linked again. */
static void
test_index__a_clean_open_finds_the_graph(void **state)
{
  world w;
  vec_stats stats;
  (void)state;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", MANY, NULL);
  settle(&w);
  close_store(&w);
  open_store(&w, true);
  vec_declaration d = declared(&w);
  vec_index_stats(&stats, w.snapshot, &d);
  assert_int_equal(stats.nodes, MANY);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  /* Somebody writes without knowing of the index. */
  close_store(&w);
  open_store(&w, false);
  add_many(&w, "b", 200, NULL);
  close_store(&w);
  open_store(&w, true);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  settle(&w);
  vec_index_stats(&stats, w.snapshot, &d);
  assert_int_equal(stats.nodes, MANY + 200);
  vec_check_report report;
  good(vec_index_check(&report, w.snapshot, &d, false, NULL, &err));
  assert_int_equal(report.unreachable, 0);
  end(&w);
}

static void
test_index__dropping_keeps_the_vectors(void **state)
{
  world w;
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term type[4] = {iri(P), iri(RDF_NS "type"), iri(RDF_VEC "Index"), system};
  const rdf_term dim[4] = {iri(P), iri(RDF_VEC "dimension"), number("16"), system};
  (void)state;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", MANY, NULL);
  settle(&w);
  good(quad_txn_begin(&txn, w.store, &err));
  good(quad_txn_remove(txn, type, &err));
  good(quad_txn_remove(txn, dim, &err));
  good(quad_txn_commit(NULL, NULL, txn, &err));
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  settle(&w);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_index__declarations_are_judged_at_commit),
      cmocka_unit_test(test_index__vectors_are_judged_at_commit),
      cmocka_unit_test(test_index__a_graph_follows_the_quads),
      cmocka_unit_test(test_index__removed_and_late_vectors),
      cmocka_unit_test(test_index__graphs_and_candidates),
      cmocka_unit_test(test_index__a_clean_open_finds_the_graph),
      cmocka_unit_test(test_index__dropping_keeps_the_vectors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
