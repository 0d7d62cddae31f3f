/* The indexes of a store: what a commit may do to them, that a graph follows the quads, that a
 * search through it finds what exact search finds, and what is left after closing or a crash. */
#include "unit/vector_index_world.h"

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
  refused(declare(&w, P, "3", NULL), "vec:dimension is said once, found '2' and '3'");
  refused(change(&w, true, iri(P), RDF_VEC "metric", number("1"), VEC_SYSTEM_GRAPH), "vec:metric");
  refused(change(&w, false, iri(P), RDF_NS "type", iri(RDF_VEC "Index"), VEC_SYSTEM_GRAPH),
          "not said to be a vec:Index");
  /* An index over a predicate that has vectors of another dimension already. */
  good(change(&w, true, iri("http://x/a"), "http://x/u", vector_text("[1,2,3]"), NULL));
  refused(declare(&w, "http://x/u", "2", NULL), "another dimension");
  good(declare(&w, "http://x/u", "3", NULL));
  /* A blank node is the predicate of nothing. */
  const rdf_term blank = {.kind = RDF_BLANK, .value = base_span("b")};
  refused(change(&w, true, blank, RDF_NS "type", iri(RDF_VEC "Index"), VEC_SYSTEM_GRAPH),
          "blank node");
  end(&w);
}

/* Of our own words only those of a declaration, in bounds that a graph can be made in. */
static void
test_index__words_and_bounds_of_a_declaration(void **state)
{
  static const struct {
    const char *word, *value; /* a number, or one of our words */
    const char *why;          /* NULL: it may be said */
  } cases[] = {{"efConstruction", "8", "efConstruction is from m, which is 16, to 1048576, not 8"},
               {"efConstruction", "0", "expected an integer"},
               {"efConstruction", "1048577", "not 1048577"},
               {"m", "3", "m is from 4 to 64, not 3"},
               {"m", "65", "m is from 4 to 64, not 65"},
               {"dimensions", "2", "vec:dimensions is not known"},
               {"mertic", "l2Metric", "vec:mertic is not known"},
               {"", "l2Metric", "is not known"},
               {"type", "Indx", "vec:Indx is not known"},
               {"storage", "b1Code", "one bit"},
               {"efConstruction", "16", NULL},
               {"efConstruction", "1048576", NULL},
               {"m", "64", NULL},
               {"m", "4", NULL},
               {"recall", "1", NULL}};
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    world w;
    char word[96], value[96];
    bool is_number = cases[i].value[0] <= '9', is_type = !strcmp(cases[i].word, "type");
    (void)snprintf(word, sizeof(word), "%s%s", is_type ? RDF_NS : RDF_VEC, cases[i].word);
    (void)snprintf(value, sizeof(value), "%s%s", is_number ? "" : RDF_VEC, cases[i].value);
    begin(&w);
    good(declare(&w, P, "2", NULL));
    quoin_status st =
        change(&w, true, iri(P), word, is_number ? number(value) : iri(value), VEC_SYSTEM_GRAPH);
    if (cases[i].why)
      refused(st, cases[i].why);
    else
      good(st);
    end(&w);
  }
  /* A model without an index, as any other option; what is not ours is the user's. */
  world w;
  begin(&w);
  const rdf_term text = {
      .kind = RDF_LITERAL, .value = base_span("minilm"), .datatype = base_span(RDF_XSD "string")};
  refused(change(&w, true, iri(P), RDF_VEC "model", text, VEC_SYSTEM_GRAPH), "vec:model");
  good(change(&w, true, iri(P), "http://x/comment", text, VEC_SYSTEM_GRAPH));
  good(declare(&w, P, "2", NULL));
  good(change(&w, true, iri(P), RDF_VEC "model", text, VEC_SYSTEM_GRAPH));
  good(change(&w, true, iri(P), "http://x/dimensions", number("2"), VEC_SYSTEM_GRAPH));
  end(&w);
}

/* Bytes under cosine from 64 dimensions on, else floats; what is said counts. */
static void
test_index__the_code_follows_metric_and_dimension(void **state)
{
  static const struct {
    const char *dimension, *metric;
    bool said;
    vec_code code;
  } cases[] = {{"64", NULL, false, VEC_I8},
               {"384", RDF_VEC "cosineMetric", false, VEC_I8},
               {"63", NULL, false, VEC_F32},
               {"384", RDF_VEC "l2Metric", false, VEC_F32},
               {"384", RDF_VEC "dotMetric", false, VEC_F32},
               {"384", NULL, true, VEC_F32}};
  (void)state;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    world w;
    begin(&w);
    good(declare(&w, P, cases[i].dimension, cases[i].metric));
    if (cases[i].said)
      good(change(&w, true, iri(P), RDF_VEC "storage", iri(RDF_VEC "f32Code"), VEC_SYSTEM_GRAPH));
    look(&w);
    assert_int_equal(declared(&w).code, cases[i].code);
    end(&w);
  }
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
  assert_true(recall(&w, VEC_CHOICE_SCAN, &g1, NULL, 0) == 1);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, &any, NULL, 0));
  for (int i = 0; i < MANY; i++) {
    char text[64];
    (void)snprintf(text, sizeof(text), "http://x/a%d", i);
    const rdf_term subject = iri(text);
    good(terms.find(&list[n], terms.user, &subject, &err));
    if (i % 2) n++;
  }
  expect_recall(recall(&w, VEC_CHOICE_CANDIDATES, &any, list, n));
  assert_true(recall(&w, VEC_CHOICE_LOOKUP, &any, list, 5) == 1);
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
  settle(&w); /* until it has looked for what it was not told of, searches are exact */
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
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
      cmocka_unit_test(test_index__words_and_bounds_of_a_declaration),
      cmocka_unit_test(test_index__the_code_follows_metric_and_dimension),
      cmocka_unit_test(test_index__vectors_are_judged_at_commit),
      cmocka_unit_test(test_index__a_graph_follows_the_quads),
      cmocka_unit_test(test_index__removed_and_late_vectors),
      cmocka_unit_test(test_index__graphs_and_candidates),
      cmocka_unit_test(test_index__a_clean_open_finds_the_graph),
      cmocka_unit_test(test_index__dropping_keeps_the_vectors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
