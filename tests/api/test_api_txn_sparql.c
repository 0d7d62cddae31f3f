/* Queries and updates within a transaction, and variables bound to blank nodes. */
#include "api/fixture.h"

static unsigned
drain(quoin_cursor *cursor)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st;
  unsigned n = 0;
  while (!(st = quoin_cursor_next(cursor, &err)))
    n++;
  if (st != QUOIN_DONE) good(st, &err);
  quoin_cursor_close(cursor);
  return n;
}

static unsigned
rows(fixture *f, const char *query)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  good(quoin_query(&cursor, f->store, text(query), NULL, &err), &err);
  return drain(cursor);
}

static unsigned
txn_rows(quoin_txn *txn, const char *query)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  good(quoin_txn_query(&cursor, txn, text(query), NULL, &err), &err);
  return drain(cursor);
}

static void
update(quoin_txn *txn, const char *request)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_txn_update(txn, text(request), NULL, &err), &err);
}

static quoin_txn *
begin(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  return txn;
}

static void
outside(fixture *f, const char *request)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_update(NULL, f->store, text(request), NULL, &err), &err);
}

static void
test_txn_sparql__reads_its_own_writes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t added = 0, removed = 0;
  const quoin_statement s = {iri("s:1"), iri("p:"), literal("new"), {0}};

  load_text(f, QUOIN_NQUADS, "<s:1> <p:> \"old\" .\n<s:2> <p:> \"old\" <g:> .\n");
  quoin_txn *txn = begin(f);
  good(quoin_txn_add(txn, &s, &err), &err);
  assert_int_equal(txn_rows(txn, "SELECT * { ?s <p:> ?o }"), 2);
  update(txn, "INSERT { ?s <q:> ?l } WHERE { ?s <p:> ?o BIND(CONCAT(?o, \"!\") AS ?l) }");
  assert_int_equal(txn_rows(txn, "SELECT * { ?s <q:> \"new!\" }"), 1);
  assert_int_equal(txn_rows(txn, "SELECT * { ?s <q:> ?l FILTER(STRENDS(?l, \"!\")) }"), 2);
  update(txn, "DELETE WHERE { ?s <q:> \"old!\" } ; INSERT DATA { GRAPH <g:> { <s:3> <p:> 3 } }");
  assert_int_equal(txn_rows(txn, "SELECT * { GRAPH ?g { ?s ?p ?o } }"), 2);
  assert_int_equal(txn_rows(txn, "SELECT * { <s:1> <p:>|<q:> ?o }"), 3);
  assert_int_equal(rows(f, "SELECT * { ?s ?p ?o }"), 1); /* nothing of it outside */
  good(quoin_txn_commit(&added, &removed, txn, &err), &err);
  assert_int_equal(added, 3);
  assert_int_equal(removed, 0);
  assert_int_equal(rows(f, "SELECT * { ?s <q:> \"new!\" }"), 1);
  assert_int_equal(rows(f, "SELECT * { GRAPH ?g { ?s ?p ?o } }"), 2);
}

static void
test_txn_sparql__new_blank_nodes_differ(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;

  quoin_txn *txn = begin(f);
  update(txn, "INSERT DATA { _:a <p:> 1 . _:a <q:> 1 }");
  update(txn, "INSERT DATA { _:a <p:> 2 }");
  update(txn, "INSERT { _:a <r:> ?o . [] <t:> ?n } WHERE { ?s <p:> ?o BIND(BNODE() AS ?n) }");
  update(txn, "INSERT { _:a <r:> ?o . [] <t:> ?n } WHERE { ?s <p:> ?o BIND(BNODE() AS ?n) }");
  assert_int_equal(txn_rows(txn, "SELECT DISTINCT ?s { ?s <p:> ?o }"), 2);
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
  assert_int_equal(rows(f, "SELECT DISTINCT ?s { ?s <p:> ?o }"), 2);
  assert_int_equal(rows(f, "SELECT DISTINCT ?s { ?s <r:> ?o }"), 4);
  assert_int_equal(rows(f, "SELECT DISTINCT ?n { ?s <t:> ?n }"), 4);
}

/* What was read and is changed by others before the commit is a conflict; what was not is none. */
static void
test_txn_sparql__conflicts_on_what_it_read(void **state)
{
  static const struct {
    const char *mine, *theirs;
    bool conflict;
  } cases[] = {
      {"INSERT { ?s <seen:> 1 } WHERE { ?s <p:> ?o }", "INSERT DATA { <s:9> <p:> 9 }", true},
      {"INSERT { ?s <seen:> 1 } WHERE { ?s <p:> ?o }", "INSERT DATA { <s:9> <x:> 9 }", false},
      {"INSERT { ?s <seen:> 1 } WHERE { ?s <p:> 1 }", "INSERT DATA { <s:9> <p:> 2 }", false},
      {"INSERT { ?s <seen:> 1 } WHERE { ?s <p:> 1 FILTER NOT EXISTS { ?s <x:> ?y } }",
       "INSERT DATA { <s:1> <x:> 2 }", true},
      {"INSERT { <a:> <b:> ?n } WHERE { SELECT (COUNT(*) AS ?n) { ?s <p:> ?o } }",
       "DELETE DATA { <s:1> <p:> 1 }", true},
      {"INSERT { ?s <r:> ?o } WHERE { ?s <n:>+ ?o }", "INSERT DATA { <s:3> <n:> <s:4> }", true},
      {"INSERT { ?s <r:> ?o } WHERE { ?s <n:>+ ?o }", "INSERT DATA { <s:3> <m:> <s:4> }", false},
      {"INSERT { ?s <r:> ?o } WHERE { GRAPH <g:> { ?s <p:> ?o } }",
       "INSERT DATA { GRAPH <h:> { <s:3> <p:> <s:4> } }", false},
      {"INSERT { ?s <r:> ?o } WHERE { GRAPH ?g { ?s <p:> ?o } }",
       "INSERT DATA { GRAPH <h:> { <s:3> <p:> <s:4> } }", true},
      {"INSERT { ?s <r:> ?o } USING <g:> USING <i:> WHERE { ?s <p:> ?o }",
       "INSERT DATA { GRAPH <i:> { <s:3> <p:> <s:4> } }", true},
      {"INSERT { ?s <r:> ?o } USING <g:> USING <i:> WHERE { ?s <p:> ?o }",
       "INSERT DATA { GRAPH <h:> { <s:3> <p:> <s:4> } }", false},
      {"INSERT { ?s <r:> ?o } WHERE { ?s <p:> <not:yet> BIND(1 AS ?o) }",
       "INSERT DATA { <s:3> <p:> <not:yet> }", true},
      {"INSERT { ?s <r:> ?o } WHERE { GRAPH <not:yet> { ?s <p:> ?o } }",
       "INSERT DATA { GRAPH <not:yet> { <s:3> <p:> 1 } }", true},
      {"INSERT { ?s <r:> 1 } WHERE { ?s <p:> 1 FILTER EXISTS { GRAPH <not:yet> {} } }",
       "INSERT DATA { GRAPH <not:yet> { <s:3> <p:> 1 } }", true},
      {"INSERT { <a:> <r:> ?o } WHERE { <s:1> ^<n:>* ?o }", "INSERT DATA { <s:9> <n:> <s:1> }",
       true},
      {"CLEAR GRAPH <g:>", "INSERT DATA { GRAPH <g:> { <s:3> <p:> <s:4> } }", true},
      {"CREATE GRAPH <new:> ; INSERT DATA { <a:> <b:> 1 }",
       "INSERT DATA { GRAPH <new:> { <s:3> <p:> <s:4> } }", true},
      {"COPY <g:> TO <h:>", "INSERT DATA { GRAPH <g:> { <s:3> <p:> <s:4> } }", true},
      {"INSERT DATA { <s:1> <p:> 5 }", "INSERT DATA { <s:1> <p:> 6 }", false},
      {"PREFIX vec: <urn:x-quoin:vec#> INSERT { ?s <r:> ?d } WHERE { (?s ?d) vec:nearest (<v:> "
       "'[1,0]'^^vec:f32 1) }",
       "INSERT DATA { <s:9> <v:> '[1,0]'^^<urn:x-quoin:vec#f32> }", true},
      {"PREFIX vec: <urn:x-quoin:vec#> INSERT { ?s <r:> ?d } WHERE { (?s ?d) vec:nearest (<v:> "
       "'[1,0]'^^vec:f32 1) }",
       "INSERT DATA { <s:9> <w:> '[1,0]'^^<urn:x-quoin:vec#f32> }", false},
      {"PREFIX vec: <urn:x-quoin:vec#> INSERT { <a:> <b:> ?v } WHERE { BIND(vec:of(<v:>, <s:1>) AS "
       "?v) }",
       "INSERT DATA { <s:1> <v:> '[1,0]'^^<urn:x-quoin:vec#f32> }", true},
  };
  fixture *f = *state;
  outside(f, "PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> { <v:> a "
             "vec:Index ; vec:dimension 2 } }");
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    outside(f, "CLEAR ALL ; INSERT DATA { <s:1> <p:> 1 ; <n:> <s:2> . <s:2> <n:> <s:3> . "
               "GRAPH <g:> { <s:1> <p:> 1 } }");
    quoin_txn *txn = begin(f);
    update(txn, cases[i].mine);
    update(txn, "INSERT DATA { <its:> <own:> 1 }"); /* what changes nothing cannot conflict */
    outside(f, cases[i].theirs);
    quoin_status st = quoin_txn_commit(NULL, NULL, txn, &err);
    if ((st == QUOIN_ERR_CONFLICT) != cases[i].conflict)
      fail_msg("%s | %s: %s", cases[i].mine, cases[i].theirs, quoin_status_name(st));
  }
}

/* A query is a reading too. */
static void
test_txn_sparql__a_query_is_relied_on(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_prepared *prepared = NULL;
  quoin_cursor *cursor = NULL;

  outside(f, "INSERT DATA { <s:1> <p:> 1 }");
  good(quoin_prepare(&prepared, text("ASK { ?s <p:> 2 }"), text(""), &err), &err);
  quoin_txn *txn = begin(f);
  good(quoin_txn_query_prepared(&cursor, txn, prepared, NULL, &err), &err);
  assert_int_equal(drain(cursor), 0);
  update(txn, "INSERT DATA { <s:1> <q:> 2 }");
  outside(f, "INSERT DATA { <s:1> <p:> 2 }");
  assert_int_equal(quoin_txn_commit(NULL, NULL, txn, &err), QUOIN_ERR_CONFLICT);
  quoin_prepared_free(prepared);
}

static void
test_txn_sparql__a_failed_update_ends_it(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("x"), {0}};

  quoin_txn *txn = begin(f);
  assert_int_equal(quoin_txn_update(txn, text("INSERT DATA { <s:> <p:> }"), NULL, &err),
                   QUOIN_ERR_SYNTAX);
  update(txn, "INSERT DATA { <s:> <p:> 1 }"); /* nothing had happened */
  assert_int_equal(
      quoin_txn_update(txn, text("INSERT DATA { <s:> <p:> 2 } ; COPY <none:> TO <g:>"), NULL, &err),
      QUOIN_ERR_NOT_FOUND);
  err = (quoin_error)QUOIN_ERROR_INIT;
  assert_int_equal(quoin_txn_add(txn, &s, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(quoin_txn_query(&cursor, txn, text("ASK {}"), NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_null(cursor);
  assert_non_null(strstr(err.message, "none:"));
  assert_int_equal(quoin_txn_commit(NULL, NULL, txn, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(rows(f, "SELECT * { ?s ?p ?o }"), 0);
}

/* ---- blank nodes from outside ---- */

static void
test_txn_sparql__binds_a_blank_node(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_term term;
  char label[64];

  load_text(f, QUOIN_TURTLE, "[] <name:> \"a\" ; <knows:> [ <name:> \"b\" ] .");
  good(quoin_query(&cursor, f->store, text("SELECT ?x { ?x <name:> \"b\" }"), NULL, &err), &err);
  good(quoin_cursor_next(cursor, &err), &err);
  good(quoin_cursor_term(&term, cursor, 0, &err), &err);
  assert_int_equal(term.kind, QUOIN_TERM_BLANK);
  const uint64_t node = term.node;
  assert_true(term.value.len < sizeof(label));
  memcpy(label, term.value.ptr, term.value.len);
  const quoin_span name = {label, term.value.len};
  quoin_cursor_close(cursor);

  quoin_binding bindings[2] = {
      {text("x"), {.kind = QUOIN_TERM_BLANK, .node = node}},
      {text("n"), {.kind = QUOIN_TERM_LITERAL, .value = text("a")}},
  };
  options.bindings = bindings;
  options.n_bindings = 2;
  const char *query = "SELECT ?x ?who { ?who <knows:> ?x ; <name:> ?n }";
  for (int by_label = 0; by_label < 2; by_label++) {
    good(quoin_query(&cursor, f->store, text(query), &options, &err), &err);
    assert_int_equal(drain(cursor), 1);
    bindings[0].term = (quoin_term){.kind = QUOIN_TERM_BLANK, .value = name};
  }
  bindings[0].term = (quoin_term){.kind = QUOIN_TERM_BLANK, .value = text("nobody")};
  good(quoin_query(&cursor, f->store, text(query), &options, &err), &err);
  assert_int_equal(drain(cursor), 0);
  bindings[0].term = (quoin_term){.kind = QUOIN_TERM_BLANK};
  assert_int_equal(quoin_query(&cursor, f->store, text(query), &options, &err), QUOIN_ERR_ARGUMENT);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_txn_sparql__reads_its_own_writes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn_sparql__new_blank_nodes_differ, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn_sparql__conflicts_on_what_it_read, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn_sparql__a_query_is_relied_on, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn_sparql__a_failed_update_ends_it, setup, teardown),
      cmocka_unit_test_setup_teardown(test_txn_sparql__binds_a_blank_node, setup, teardown),
  };
  return cmocka_run_group_tests_name("api.txn_sparql", tests, NULL, NULL);
}
