/* tests/conformance/sparql_eval.c - query evaluation tests: a store for each, filled in one
 * transaction, the answer written in a format and read back, so that the writers are tested too. */
#include "conformance/isomorphism.h"
#include "conformance/sparql_answer.h"
#include "conformance/sparql_service.h"
#include "conformance/sparql_store.h"
#include "conformance/sparql_suite.h"
#include "sparql/algebra.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct evaluation {
  const char *shared;
  const manifest_test *test;
  suite_store store;
  quad_snapshot *snapshot;
  sparql_query *query;
  sparql_cursor *cursor;
} evaluation;

/* ---- the store
 * ---------------------------------------------------------------------------------------- */

/* FROM and FROM NAMED name files of the suite too. */
static quoin_status
add_named(evaluation *e, const rdf_term *graphs, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  char path[1024];
  for (size_t i = 0; i < n && !st; i++) {
    bool before = false;
    for (size_t k = 0; k < i && !before; k++)
      before = rdf_term_equal(&graphs[k], &graphs[i]);
    if (!before && manifest_file(path, sizeof(path), e->shared, graphs[i].value) &&
        access(path, R_OK) == 0)
      st = suite_store_add(&e->store, graphs[i].value, &graphs[i], err);
  }
  return st;
}

static quoin_status
fill_store(evaluation *e, quoin_error *err)
{
  const dataset *g = e->test->graph;
  const rdf_term *action = e->test->action, *item;
  quoin_status st = suite_store_open(&e->store, e->shared, err);
  for (size_t at = 0; !st && (item = dataset_next(&at, g, action, QT "data"));)
    st = suite_store_add(&e->store, item->value, NULL, err);
  for (size_t at = 0; !st && (item = dataset_next(&at, g, action, QT "graphData"));)
    st = suite_store_add(&e->store, item->value, item, err);
  if (!st) st = add_named(e, e->query->from, e->query->n_from, err);
  if (!st) st = add_named(e, e->query->from_named, e->query->n_from_named, err);
  return st ? st : suite_store_commit(&e->store, err);
}

/* ---- the answer
 * --------------------------------------------------------------------------------------- */

static quoin_status
collect(void *user, const void *data, size_t len, quoin_error *err)
{
  base_buffer_add(user, data, len);
  return ((base_buffer *)user)->failed ? base_fail_nomem(err) : QUOIN_OK;
}

static quoin_status
answer_of_cursor(answer *a, evaluation *e, answer_syntax syntax, quoin_error *err)
{
  static const sparql_format formats[] = {SPARQL_XML, SPARQL_JSON, SPARQL_CSV, SPARQL_TSV};
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  quoin_status st = sparql_write(NULL, e->cursor, formats[syntax], collect, &text, err);
  if (!st) st = answer_read(a, syntax, (quoin_span){text.data, text.len}, err);
  base_buffer_clear(&text);
  return st;
}

/* What ORDER BY sorts by, where that is a column, must agree row by row: ties are free. */
static quoin_status
compare_order(const evaluation *e, const answer *got, const answer *want, quoin_error *err)
{
  const sparql_algebra *node = e->query->root;
  quoin_status st = QUOIN_OK;
  while (node && (node->op == ALGEBRA_SLICE || node->op == ALGEBRA_DISTINCT ||
                  node->op == ALGEBRA_REDUCED || node->op == ALGEBRA_PROJECT))
    node = node->left;
  if (!node || node->op != ALGEBRA_ORDER) return QUOIN_OK;
  for (size_t i = 0; i < node->n_order && !st; i++) {
    const sparql_expr *key = node->order[i].expr;
    if (key->op != EXPR_VAR) break;
    st = answer_compare_order(got, want, e->query->vars[key->var], err);
  }
  return st;
}

/* With QUOIN_SHOW set: both answers, for whoever looks into a failure. */
static void
show_rows(const char *title, const answer *a)
{
  base_buffer text;
  if (!getenv("QUOIN_SHOW")) return;
  base_buffer_init(&text, base_alloc_default());
  for (size_t r = 0; r < a->rows; r++) {
    for (size_t c = 0; c < a->width; c++) {
      base_buffer_printf(&text, " %.*s=", (int)a->names[c].len, a->names[c].ptr);
      rdf_term_write(&text, &a->terms[r * a->width + c]);
    }
    base_buffer_byte(&text, '\n');
  }
  printf("%s\n%.*s", title, (int)text.len, text.data ? text.data : "");
  base_buffer_clear(&text);
}

static quoin_status
compare_rows(evaluation *e, answer *want, answer_syntax syntax, quoin_error *err)
{
  answer got;
  answer_init(&got);
  const rdf_term *cardinality =
      dataset_object(e->test->graph, &e->test->node, MF "resultCardinality");
  bool lax = cardinality && base_span_is(cardinality->value, MF "LaxCardinality");
  quoin_status st = answer_of_cursor(&got, e, syntax, err);
  if (!st) st = answer_compare(&got, want, lax, err);
  if (!st && !lax) st = compare_order(e, &got, want, err);
  if (st) show_rows("got:", &got), show_rows("expected:", want);
  answer_clear(&got);
  return st;
}

static quoin_status
compare_file(evaluation *e, answer_syntax syntax, quoin_error *err)
{
  base_buffer text;
  answer want;
  base_buffer_init(&text, base_alloc_default());
  answer_init(&want);
  quoin_status st = sparql_suite_text(&text, e->shared, e->test->result, err);
  if (!st) st = answer_read(&want, syntax, (quoin_span){text.data, text.len}, err);
  if (!st) st = compare_rows(e, &want, syntax, err);
  answer_clear(&want);
  base_buffer_clear(&text);
  return st;
}

static quoin_status
compare_triples(evaluation *e, const dataset *want, quoin_error *err)
{
  dataset got;
  const rdfio_quad *quads;
  size_t n;
  dataset_init(&got);
  quoin_status st = QUOIN_OK;
  while (!st && !(st = sparql_cursor_triples(&quads, &n, e->cursor, err)))
    for (size_t i = 0; i < n && !st; i++)
      st = dataset_add(&got, &quads[i], err);
  if (st == QUOIN_DONE) {
    st = QUOIN_OK;
    if (!quads_isomorphic(got.quads, got.n, want->quads, want->n))
      st = base_fail(err, QUOIN_ERR_CORRUPT, "%zu triples are not isomorphic to the %zu expected",
                     got.n, want->n);
  }
  dataset_clear(&got);
  return st;
}

/* A graph: the answer of CONSTRUCT and DESCRIBE, or a result set. */
static quoin_status
compare_graph(evaluation *e, quoin_error *err)
{
  dataset d;
  dataset_init(&d);
  quoin_status st = suite_read_rdf(&d, e->shared, e->test->result->value, err);
  if (!st && (e->query->form == SPARQL_CONSTRUCT || e->query->form == SPARQL_DESCRIBE)) {
    st = compare_triples(e, &d, err);
  } else if (!st) {
    answer want;
    answer_init(&want);
    dataset_index(&d);
    st = answer_of_graph(&want, &d, err);
    if (!st) st = compare_rows(e, &want, ANSWER_JSON, err);
    answer_clear(&want);
  }
  dataset_clear(&d);
  return st;
}

static quoin_status
compare(evaluation *e, quoin_error *err)
{
  static const struct {
    const char *ending;
    answer_syntax syntax;
  } endings[] = {
      {".srx", ANSWER_XML}, {".srj", ANSWER_JSON}, {".csv", ANSWER_CSV}, {".tsv", ANSWER_TSV}};
  if (!e->test->result) return base_fail(err, QUOIN_ERR_CORRUPT, "the test has no mf:result");
  for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
    if (suite_ends_with(e->test->result->value, endings[i].ending))
      return compare_file(e, endings[i].syntax, err);
  return compare_graph(e, err);
}

/* ---- one test
 * ----------------------------------------------------------------------------------------- */

static quoin_status
parse_query(evaluation *e, quoin_error *err)
{
  const rdf_term *file = dataset_object(e->test->graph, e->test->action, QT "query");
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  quoin_status st = sparql_suite_text(&text, e->shared, file, err);
  if (!st)
    st = sparql_query_parse(&e->query, (quoin_span){text.data, text.len}, file->value,
                            base_alloc_default(), err);
  base_buffer_clear(&text);
  return st;
}

quoin_status
sparql_suite_evaluate(const char *shared, const manifest_test *test, quoin_error *err)
{
  evaluation e = {.shared = shared, .test = test};
  sparql_run_options options = {.timeout_ms = 20000};
  suite_services *services = NULL;
  quoin_status st;
  if (!test->action) {
    st = base_fail(err, QUOIN_ERR_CORRUPT, "the test has no mf:action");
    goto done;
  }
  if ((st = suite_services_start(&services, shared, test, err))) goto done;
  options.services = suite_services_allowed(services);
  if ((st = parse_query(&e, err)) || (st = fill_store(&e, err)) ||
      (st = quad_snapshot_acquire(&e.snapshot, e.store.store, err)) ||
      (st =
           sparql_cursor_open(&e.cursor, e.query, e.snapshot, &options, base_alloc_default(), err)))
    goto done;
  st = compare(&e, err);

done:
  sparql_cursor_close(e.cursor);
  quad_snapshot_release(e.snapshot);
  suite_store_close(&e.store);
  sparql_query_free(e.query);
  suite_services_stop(services);
  return st;
}
