/* Transactions through the public header. */
#include "api/fixture.h"

static uint64_t
count(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  return n;
}

/* The blank node that is the subject of the predicate, by its number. */
static quoin_term
stored_node(fixture *f, const char *predicate)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  const quoin_statement pattern = {.predicate = iri(predicate)};
  good(quoin_match(&matches, f->store, &pattern, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&found, matches, &err), &err);
  const quoin_term node = {.kind = QUOIN_TERM_BLANK, .node = found->subject.node};
  quoin_matches_close(matches);
  return node;
}

static void
test_txn__commit_adds_and_removes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  uint64_t added = 0, removed = 0;
  quoin_statement s = {iri("s:"), iri("p:"), literal("new"), {0}};

  load_text(f, QUOIN_NQUADS, "<s:> <p:> \"old\" .\n<s:> <p:> \"kept\" <g:> .\n");
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  s.object = literal("old");
  good(quoin_txn_remove(txn, &s, &err), &err);
  s.object = literal("never there");
  good(quoin_txn_remove(txn, &s, &err), &err);
  assert_int_equal(count(f), 2);
  good(quoin_txn_commit(&added, &removed, txn, &err), &err);
  assert_int_equal(added, 1);
  assert_int_equal(removed, 1);
  assert_int_equal(count(f), 2);
  quoin_close(f->store);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  assert_int_equal(count(f), 2);
  s.object = literal("new");
  good(quoin_count(&added, f->store, &s, QUOIN_DEFAULT_GRAPH, &err), &err);
  assert_int_equal(added, 1);
}

static void
test_txn__abort_leaves_nothing(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats before = QUOIN_STATS_INIT, after = QUOIN_STATS_INIT;
  quoin_txn *txn = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("unseen"), iri("g:")};

  good(quoin_store_stats(&before, f->store, false, &err), &err);
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  quoin_txn_abort(txn);
  good(quoin_store_stats(&after, f->store, false, &err), &err);
  assert_int_equal(before.terms, after.terms);
  assert_int_equal(count(f), 0);
}

static void
test_txn__reads_its_own_writes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  quoin_statement s = {iri("s:"), iri("p:"), literal("mine"), {0}};

  load_text(f, QUOIN_NQUADS, "<s:> <p:> \"theirs\" .\n");
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  s.object = (quoin_term){.kind = QUOIN_TERM_NONE};
  good(quoin_txn_match(&matches, txn, &s, QUOIN_DEFAULT_GRAPH, &err), &err);
  unsigned n = 0;
  quoin_status st;
  while (!(st = quoin_matches_next(&found, matches, &err))) {
    assert_true(found->object.value.len == 4 || found->object.value.len == 6);
    n++;
  }
  assert_int_equal(st, QUOIN_DONE);
  assert_int_equal(n, 2);
  quoin_matches_close(matches);
  quoin_txn_abort(txn);
}

static void
test_txn__refuses_what_is_no_statement(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  const quoin_term blank = {.kind = QUOIN_TERM_BLANK, .value = {"x", 1}};
  const quoin_term no_node = {.kind = QUOIN_TERM_BLANK, .node = 1000000};
  const quoin_statement bad[] = {
      {literal("s"), iri("p:"), iri("o:"), {0}},
      {iri("s:"), blank, iri("o:"), {0}},
      {iri("s:"), iri("p:"), {0}, {0}},
      {iri("s:"), iri("rel"), iri("o:"), {0}},
      {iri("s:"), iri("p:"), iri("o:"), literal("g")},
      {no_node, iri("p:"), iri("o:"), {0}},
  };

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    assert_int_equal(quoin_txn_add(txn, &bad[i], &err), QUOIN_ERR_ARGUMENT);
  quoin_txn_abort(txn);
}

/* A stored blank node is named by its number; a label is the transaction's own. */
static void
test_txn__blank_nodes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  uint64_t n = 0;

  load_text(f, QUOIN_NQUADS, "_:a <p:> \"x\" .\n");
  good(quoin_match(&matches, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&found, matches, &err), &err);
  const quoin_term stored = {.kind = QUOIN_TERM_BLANK, .node = found->subject.node};
  quoin_matches_close(matches);

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  quoin_statement s = {stored, iri("p:"), literal("y"), {0}};
  good(quoin_txn_add(txn, &s, &err), &err);
  s.subject = (quoin_term){.kind = QUOIN_TERM_BLANK, .value = text("a")};
  good(quoin_txn_add(txn, &s, &err), &err);
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
  assert_int_equal(count(f), 3);
  s = (quoin_statement){.subject = stored};
  good(quoin_count(&n, f->store, &s, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 2);

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  s = (quoin_statement){stored, iri("p:"), literal("x"), {0}};
  good(quoin_txn_remove(txn, &s, &err), &err);
  good(quoin_txn_commit(NULL, &n, txn, &err), &err);
  assert_int_equal(n, 1);
}

/* Another commit interns the literal between the two adds: to the transaction it is what it was. */
static void
test_txn__added_twice_by_ids_is_one(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL, *other = NULL;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  uint64_t n = 0;

  load_text(f, QUOIN_NQUADS, "_:a <p:> \"x\" .\n");
  const quoin_statement mine = {stored_node(f, "p:"), iri("p:"), literal("y"), {0}};
  const quoin_statement theirs = {iri("s:"), iri("p:"), literal("y"), {0}};
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &mine, &err), &err);
  good(quoin_txn_begin(&other, f->store, &err), &err);
  good(quoin_txn_add(other, &theirs, &err), &err);
  good(quoin_txn_commit(NULL, NULL, other, &err), &err);
  good(quoin_txn_add(txn, &mine, &err), &err);
  good(quoin_txn_commit(&n, NULL, txn, &err), &err);
  assert_int_equal(n, 1);
  assert_int_equal(count(f), 3);

  good(quoin_match(&matches, f->store, &mine, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&found, matches, &err), &err);
  assert_int_equal(quoin_matches_next(&found, matches, &err), QUOIN_DONE);
  quoin_matches_close(matches);
}

/* A compaction after the begin gives every term another id: the statement is the one that was
 * meant. */
static void
test_txn__a_stored_node_outlives_a_compaction(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  uint64_t n = 0;
  const quoin_statement gone[2] = {{iri("junk:1"), iri("junk:2"), literal("junk3"), {0}},
                                   {iri("junk:4"), iri("junk:5"), literal("junk6"), {0}}};

  load_text(f, QUOIN_NQUADS,
            "<junk:1> <junk:2> \"junk3\" .\n<junk:4> <junk:5> \"junk6\" .\n"
            "_:a <node:> <k1:> .\n<k1:> <k2:> <k3:> .\n<k4:> <k5:> <k6:> .\n"
            "<k7:> <k8:> <k9:> .\n");
  quoin_statement s = {stored_node(f, "node:"), iri("k7:"), iri("k6:"), {0}};
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  for (size_t i = 0; i < 2; i++)
    good(quoin_txn_remove(txn, &gone[i], &err), &err);
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_store_compact(f->store, 0, NULL, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  good(quoin_txn_commit(&n, NULL, txn, &err), &err);
  assert_int_equal(n, 1);
  assert_int_equal(count(f), 5);
  s.subject = stored_node(f, "node:"); /* what its number is now */
  good(quoin_count(&n, f->store, &s, QUOIN_DEFAULT_GRAPH, &err), &err);
  assert_int_equal(n, 1);
}

static void
test_txn__close_aborts_it(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL, *other = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("x"), {0}};

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  good(quoin_txn_begin(&other, f->store, &err), &err);
  quoin_close(f->store);
  assert_int_equal(quoin_txn_add(txn, &s, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_txn_commit(NULL, NULL, txn, &err), QUOIN_ERR_CLOSED);
  quoin_txn_abort(other);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  assert_int_equal(count(f), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_txn__commit_adds_and_removes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn__abort_leaves_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn__reads_its_own_writes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn__refuses_what_is_no_statement, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn__blank_nodes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn__added_twice_by_ids_is_one, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn__a_stored_node_outlives_a_compaction, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_txn__close_aborts_it, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
