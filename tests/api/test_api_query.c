/* Queries through the public header: rows, batches, triples, formats, limits, closing. */
#include "api/fixture.h"

static const char data[] =
    "@prefix : <http://e/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
    ":a :int 42 ; :big \"12345678901234567890\"^^xsd:integer ; :odd \"007\"^^xsd:integer ;\n"
    "  :dbl 1.5e0 ; :dec 2.25 ; :yes true ; :one \"1\"^^xsd:boolean ; :str \"text\" ;\n"
    "  :lang \"hallo\"@de ; :ref :b ; :bad \"x\"^^xsd:integer ; :node [] ; :date "
    "\"2024-01-31\"^^xsd:date .\n";

static quoin_cursor *
query(fixture *f, const char *sparql)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  char full[512];

  snprintf(full, sizeof(full), "PREFIX : <http://e/> %s", sparql);
  good(quoin_query(&cursor, f->store, text(full), NULL, &err), &err);
  return cursor;
}

/* The one object of :a and `property`, typed. */
static quoin_type
type_of(fixture *f, const char *property, int64_t *integer, double *number)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char sparql[64];

  snprintf(sparql, sizeof(sparql), "SELECT ?o { :a :%s ?o }", property);
  quoin_cursor *cursor = query(f, sparql);
  good(quoin_cursor_next(cursor, &err), &err);
  const quoin_type type = quoin_cursor_type(cursor, 0);
  if (!quoin_cursor_integer(integer, cursor, 0)) *integer = -1;
  if (!quoin_cursor_double(number, cursor, 0)) *number = -1.0;
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
  quoin_cursor_close(cursor);
  return type;
}

static void
test_query__types(void **state)
{
  fixture *f = *state;
  static const struct {
    const char *property;
    quoin_type type;
    int64_t integer;
    double number;
  } cases[] = {
      {"int", QUOIN_TYPE_INTEGER, 42, 42.0},
      {"big", QUOIN_TYPE_LITERAL, -1, 12345678901234567890.0},
      {"odd", QUOIN_TYPE_INTEGER, 7, 7.0},
      {"dbl", QUOIN_TYPE_DOUBLE, -1, 1.5},
      {"dec", QUOIN_TYPE_LITERAL, -1, 2.25},
      {"yes", QUOIN_TYPE_BOOLEAN, 1, -1.0},
      {"one", QUOIN_TYPE_BOOLEAN, 1, -1.0},
      {"str", QUOIN_TYPE_LITERAL, -1, -1.0},
      {"lang", QUOIN_TYPE_LITERAL, -1, -1.0},
      {"ref", QUOIN_TYPE_IRI, -1, -1.0},
      {"bad", QUOIN_TYPE_LITERAL, -1, -1.0},
      {"node", QUOIN_TYPE_BLANK, -1, -1.0},
      {"date", QUOIN_TYPE_LITERAL, -1, -1.0},
  };

  load_text(f, QUOIN_TURTLE, data);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    int64_t integer = 0;
    double number = 0;
    const quoin_type type = type_of(f, cases[i].property, &integer, &number);
    if (type != cases[i].type || integer != cases[i].integer || number != cases[i].number)
      print_error("%s: type %d\n", cases[i].property, (int)type);
    assert_int_equal(type, cases[i].type);
    assert_int_equal(integer, cases[i].integer);
    assert_true(number == cases[i].number);
  }
}

static void
test_query__rows_names_and_text(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_term term;

  load_text(f, QUOIN_TURTLE, data);
  quoin_cursor *cursor = query(f, "SELECT ?o ?none { :a :lang ?o }");
  assert_int_equal(quoin_cursor_form(cursor), QUOIN_SELECT);
  assert_int_equal(quoin_cursor_columns(cursor), 2);
  assert_int_equal(quoin_cursor_name(cursor, 1).len, 4);
  assert_null(quoin_cursor_name(cursor, 2).ptr);
  assert_int_equal(quoin_cursor_outcome(cursor), QUOIN_OUTCOME_OPEN);
  assert_null(quoin_cursor_text(cursor, 0).ptr); /* on no row yet */
  good(quoin_cursor_next(cursor, &err), &err);
  const quoin_span value = quoin_cursor_text(cursor, 0);
  assert_int_equal(value.len, 10);
  assert_memory_equal(value.ptr, "\"hallo\"@de", 10);
  assert_null(quoin_cursor_text(cursor, 1).ptr);
  assert_null(quoin_cursor_text(cursor, 7).ptr);
  assert_int_equal(quoin_cursor_type(cursor, 1), QUOIN_TYPE_UNBOUND);
  good(quoin_cursor_term(&term, cursor, 0, &err), &err);
  assert_int_equal(term.kind, QUOIN_TERM_LITERAL);
  assert_memory_equal(term.lang.ptr, "de", 2);
  assert_int_equal(quoin_cursor_term(&term, cursor, 7, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
  assert_int_equal(quoin_cursor_outcome(cursor), QUOIN_OUTCOME_COMPLETE);
  quoin_cursor_close(cursor);
}

static void
test_query__batches(void **state)
{
  enum { N = 5000 };
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_batch batch;
  quoin_term term;
  quoin_status st;
  sink lines = {0};
  char line[64];
  int64_t sum = 0;
  size_t rows = 0;

  for (int i = 0; i < N; i++) {
    const int len = snprintf(line, sizeof(line), "<http://e/s%d> <http://e/n> %d .\n", i, i);
    (void)sink_write(&lines, line, (size_t)len, NULL);
  }
  load_text(f, QUOIN_TURTLE, lines.data);
  free(lines.data);
  quoin_cursor *cursor = query(f, "SELECT ?s ?n { ?s :n ?n }");
  while (!(st = quoin_cursor_batch(&batch, cursor, &err))) {
    assert_int_equal(batch.columns, 2);
    for (size_t i = 0; i < batch.rows; i++) {
      assert_int_equal(batch.type[0][i], QUOIN_TYPE_IRI);
      assert_int_equal(batch.type[1][i], QUOIN_TYPE_INTEGER);
      assert_int_not_equal(batch.id[0][i], 0);
      sum += batch.value[1][i].integer;
    }
    good(quoin_cursor_batch_term(&term, cursor, batch.rows - 1, 0, &err), &err);
    assert_memory_equal(term.value.ptr, "http://e/s", 10);
    assert_int_equal(quoin_cursor_batch_term(&term, cursor, batch.rows, 0, &err),
                     QUOIN_ERR_ARGUMENT);
    rows += batch.rows;
  }
  assert_int_equal(st, QUOIN_DONE);
  assert_int_equal(rows, N);
  assert_int_equal(sum, (int64_t)N * (N - 1) / 2);
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_ERR_ARGUMENT); /* not mixed */
  quoin_cursor_close(cursor);
}

static void
test_query__ask_and_construct(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  const quoin_statement *s = NULL;

  load_text(f, QUOIN_TURTLE, data);
  quoin_cursor *cursor = query(f, "ASK { :a :ref :b }");
  assert_int_equal(quoin_cursor_form(cursor), QUOIN_ASK);
  good(quoin_cursor_next(cursor, &err), &err);
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
  quoin_cursor_close(cursor);
  cursor = query(f, "ASK { :b :ref :a }");
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
  quoin_cursor_close(cursor);

  cursor = query(f, "CONSTRUCT { ?o :from ?s } { ?s :ref ?o }");
  good(quoin_cursor_triple(&s, cursor, &err), &err);
  assert_memory_equal(s->subject.value.ptr, "http://e/b", 10);
  assert_memory_equal(s->object.value.ptr, "http://e/a", 10);
  assert_int_equal(s->graph.kind, QUOIN_TERM_NONE);
  assert_int_equal(quoin_cursor_triple(&s, cursor, &err), QUOIN_DONE);
  quoin_cursor_close(cursor);
  cursor = query(f, "CONSTRUCT WHERE { ?s :ref ?o }");
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_ERR_UNSUPPORTED);
  good(quoin_cursor_triple(&s, cursor, &err), &err); /* the wrong question did no harm */
  quoin_cursor_close(cursor);
}

static void
test_query__written_in_a_format(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  sink out = {0};
  uint64_t rows = 0;

  load_text(f, QUOIN_TURTLE, data);
  quoin_cursor *cursor = query(f, "SELECT ?o { :a :str ?o }");
  assert_int_equal(quoin_cursor_write(&rows, cursor, QUOIN_RESULTS_TURTLE, sink_write, &out, &err),
                   QUOIN_ERR_ARGUMENT);
  assert_int_equal(out.len, 0);
  good(quoin_cursor_write(&rows, cursor, QUOIN_RESULTS_CSV, sink_write, &out, &err), &err);
  assert_int_equal(rows, 1);
  assert_string_equal(out.data, "o\r\ntext\r\n");
  assert_int_equal(quoin_cursor_write(&rows, cursor, QUOIN_RESULTS_CSV, sink_write, &out, &err),
                   QUOIN_ERR_ARGUMENT);
  quoin_cursor_close(cursor);
  free(out.data);
}

static void
test_query__prepared_bound_and_limited(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_prepared *prepared = NULL;
  quoin_cursor *cursor = NULL;
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  const quoin_binding binding = {text("s"), iri("http://e/a")};
  quoin_status st;

  load_text(f, QUOIN_TURTLE, data);
  assert_int_equal(quoin_prepare(&prepared, text("SELECT *\n{ ?s ?p }"), text(""), &err),
                   QUOIN_ERR_SYNTAX);
  assert_int_equal(err.line, 2);
  assert_null(prepared);
  good(quoin_update_check(text("CLEAR ALL"), text(""), &err), &err);
  good(quoin_prepare(&prepared, text("SELECT * { ?s ?p ?o }"), text(""), &err), &err);
  options.bindings = &binding;
  options.n_bindings = 1;
  good(quoin_query_prepared(&cursor, f->store, prepared, &options, &err), &err);
  quoin_prepared_free(prepared); /* the cursor keeps it */
  unsigned rows = 0;
  while (!(st = quoin_cursor_next(cursor, &err)))
    rows++;
  assert_int_equal(st, QUOIN_DONE);
  assert_int_equal(rows, 13);
  quoin_cursor_close(cursor);

  options = (quoin_query_options)QUOIN_QUERY_OPTIONS_INIT;
  options.max_rows = 5;
  good(quoin_query(&cursor, f->store, text("SELECT * { ?s ?p ?o }"), &options, &err), &err);
  while (!(st = quoin_cursor_next(cursor, &err)))
    ;
  assert_int_equal(st, QUOIN_ERR_LIMIT);
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_ERR_LIMIT);
  assert_int_equal(quoin_cursor_outcome(cursor), QUOIN_OUTCOME_FAILED);
  quoin_cursor_close(cursor);
}

static void
test_query__close_and_cancel(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_span plan;

  load_text(f, QUOIN_TURTLE, data);
  good(quoin_cancel_new(&options.cancel, &err), &err);
  quoin_cancel_request(options.cancel);
  quoin_status st = quoin_query(&cursor, f->store, text("SELECT * { ?s ?p ?o }"), &options, &err);
  if (!st) st = quoin_cursor_next(cursor, &err);
  assert_int_equal(st, QUOIN_ERR_CANCELLED);
  quoin_cursor_close(cursor);
  quoin_cancel_free(options.cancel);

  cursor = query(f, "SELECT * { ?s ?p ?o }");
  good(quoin_cursor_explain(&plan, cursor, &err), &err);
  assert_true(plan.len > 0);
  good(quoin_cursor_next(cursor, &err), &err);
  quoin_close(f->store);
  f->store = NULL;
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_ERR_CLOSED);
  assert_null(quoin_cursor_text(cursor, 0).ptr);
  quoin_cursor_close(cursor);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_query__types, setup, teardown),
      cmocka_unit_test_setup_teardown(test_query__rows_names_and_text, setup, teardown),
      cmocka_unit_test_setup_teardown(test_query__batches, setup, teardown),
      cmocka_unit_test_setup_teardown(test_query__ask_and_construct, setup, teardown),
      cmocka_unit_test_setup_teardown(test_query__written_in_a_format, setup, teardown),
      cmocka_unit_test_setup_teardown(test_query__prepared_bound_and_limited, setup, teardown),
      cmocka_unit_test_setup_teardown(test_query__close_and_cancel, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
