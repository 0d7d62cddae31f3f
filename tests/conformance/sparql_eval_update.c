/* tests/conformance/sparql_eval_update.c - update evaluation tests: the dataset afterwards. */
#include "conformance/isomorphism.h"
#include "conformance/sparql_store.h"
#include "conformance/sparql_suite.h"

#include <stdio.h>
#include <stdlib.h>

/* Call `add` for ut:data and ut:graphData of an action or result. */
static quoin_status
each_file(const dataset *g, const rdf_term *node,
          quoin_status (*add)(void *user, quoin_span iri, const rdf_term *graph, quoin_error *err),
          void *user, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  const rdf_term *item;
  for (size_t at = 0; !st && (item = dataset_next(&at, g, node, UT "data"));)
    st = add(user, item->value, NULL, err);
  for (size_t at = 0; !st && (item = dataset_next(&at, g, node, UT "graphData"));) {
    const rdf_term *file = dataset_object(g, item, UT "graph");
    const rdf_term *label = dataset_object(g, item, RDFS "label");
    if (!file || !label)
      return base_fail(err, QUOIN_ERR_CORRUPT, "ut:graphData lacks ut:graph or rdfs:label");
    const rdf_term name = {.kind = RDF_IRI, .value = label->value};
    st = add(user, file->value, &name, err);
  }
  return st;
}

static quoin_status
add_to_store(void *user, quoin_span iri, const rdf_term *graph, quoin_error *err)
{
  return suite_store_add(user, iri, graph, err);
}

/* A dataset that is put together from files. */
typedef struct wanted {
  dataset d;
  const char *shared;
  base_arena arena;
  unsigned files;
} wanted;

static void
scope_blank(wanted *w, rdf_term *term)
{
  if (term->kind == RDF_BLANK)
    term->value =
        base_arena_printf(&w->arena, "f%u.%.*s", w->files, (int)term->value.len, term->value.ptr);
}

static quoin_status
add_to_wanted(void *user, quoin_span iri, const rdf_term *graph, quoin_error *err)
{
  wanted *w = user;
  dataset d;
  dataset_init(&d);
  w->files++;
  quoin_status st = suite_read_rdf(&d, w->shared, iri, err);
  for (size_t i = 0; i < d.n && !st; i++) {
    rdfio_quad q = d.quads[i];
    if (graph) q.term[3] = *graph;
    scope_blank(w, &q.term[0]);
    scope_blank(w, &q.term[2]);
    st = dataset_add(&w->d, &q, err);
  }
  dataset_clear(&d);
  return st;
}

/* All quads of the store, by a query. */
static quoin_status
read_store(dataset *out, quad_store *store, quoin_error *err)
{
  static const char text[] = "SELECT ?s ?p ?o ?g { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }";
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  quad_snapshot *snapshot = NULL;
  sparql_rows rows;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  quoin_status st =
      sparql_query_parse(&query, base_span(text), base_span(""), base_alloc_default(), err);
  if (!st) st = quad_snapshot_acquire(&snapshot, store, err);
  if (!st) st = sparql_cursor_open(&cursor, query, snapshot, NULL, base_alloc_default(), err);
  while (!st && !(st = sparql_cursor_next(&rows, cursor, err))) {
    for (size_t r = 0; r < rows.rows && !st; r++) {
      rdfio_quad q = {.term = {{.kind = RDF_NONE}}};
      for (size_t c = 0; c < 4 && !st; c++)
        if (rows.column[c][r].bits)
          st = sparql_cursor_term(&q.term[c], cursor, rows.column[c][r], &arena, err);
      if (!st) st = dataset_add(out, &q, err);
    }
  }
  sparql_cursor_close(cursor);
  quad_snapshot_release(snapshot);
  sparql_query_free(query);
  base_arena_clear(&arena);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static quoin_status
compare(quad_store *store, const char *shared, const manifest_test *test, quoin_error *err)
{
  wanted w = {.shared = shared};
  dataset got;
  dataset_init(&got);
  dataset_init(&w.d);
  base_arena_init(&w.arena, base_alloc_default());
  quoin_status st = QUOIN_OK;
  if (test->result) st = each_file(test->graph, test->result, add_to_wanted, &w, err);
  if (!st) st = read_store(&got, store, err);
  if (!st && !quads_isomorphic(got.quads, got.n, w.d.quads, w.d.n))
    st = base_fail(err, QUOIN_ERR_CORRUPT, "%zu quads are not isomorphic to the %zu expected",
                   got.n, w.d.n);
  dataset_clear(&got);
  dataset_clear(&w.d);
  base_arena_clear(&w.arena);
  return st;
}

quoin_status
sparql_suite_update(const char *shared, const manifest_test *test, quoin_error *err)
{
  suite_store store = {.shared = NULL};
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  const rdf_term *file =
      test->action ? dataset_object(test->graph, test->action, UT "request") : NULL;
  quoin_status st = sparql_suite_text(&text, shared, file, err);
  if (!st) st = suite_store_open(&store, shared, err);
  if (!st) st = each_file(test->graph, test->action, add_to_store, &store, err);
  if (!st) st = suite_store_commit(&store, err);
  if (!st) {
    sparql_update_result result;
    const sparql_update_options options = {.base = file->value, .timeout_ms = 20000};
    st = sparql_update_run(&result, store.store, (quoin_span){text.data, text.len}, &options,
                           base_alloc_default(), err);
  }
  if (!st) st = compare(store.store, shared, test, err);
  suite_store_close(&store);
  base_buffer_clear(&text);
  return st;
}
