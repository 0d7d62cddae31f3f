/* What the end-to-end tests of sparql share: a small store made from TriG, a query run to its end,
 * rows as short text.
 *
 * A row is its terms joined by spaces: ":a" for <http://x/a>, integers and booleans bare, other
 * terms as N-Triples, "_:" for any blank node, "-" for unbound. */
#ifndef QUOIN_TESTS_SPARQL_QUERY_WORLD_H
#define QUOIN_TESTS_SPARQL_QUERY_WORLD_H

#include "load/load.h"
#include "sparql/sparql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PROLOGUE                                                                                   \
  "PREFIX : <http://x/> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> "                          \
  "PREFIX vec: <urn:x-quoin:vec#> "

typedef struct world {
  char path[128];
  quad_store *store;
  quad_snapshot *snapshot;
} world;

/* What a query came to. */
typedef struct answer {
  quoin_status status;
  quoin_error err;
  char **rows;
  size_t n, cap;
} answer;

static inline void
world_open(world *w, const char *trig)
{
  const char *tmp = getenv("TMPDIR");
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true};
  *w = (world){0};
  (void)snprintf(w->path, sizeof(w->path), "%s/quoin-query-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(w->path));
  (void)strcat(w->path, "/s");
  if (quad_store_open(&w->store, w->path, &options, base_alloc_default(), &err))
    fail_msg("open: %s", err.message);
  if (trig && *trig) {
    base_buffer text;
    rdfio_source *source;
    load_result result;
    load_options load = {.read = {.format = RDFIO_TRIG}};
    base_buffer_init(&text, base_alloc_default());
    base_buffer_text(&text, "@prefix : <http://x/> . ");
    base_buffer_text(&text, trig);
    assert_int_equal(rdfio_source_memory(&source, (quoin_span){text.data, text.len}, "test",
                                         base_alloc_default(), &err),
                     QUOIN_OK);
    if (load_sources(&result, w->store, &source, 1, &load, base_alloc_default(), &err))
      fail_msg("load: %s (line %u)", err.message, (unsigned)err.line);
    rdfio_source_close(source);
    base_buffer_clear(&text);
  }
  if (quad_snapshot_acquire(&w->snapshot, w->store, &err)) fail_msg("snapshot: %s", err.message);
}

static inline void
world_close(world *w)
{
  char command[160];
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot_release(w->snapshot);
  assert_int_equal(quad_store_close(w->store, &err), QUOIN_OK);
  *strrchr(w->path, '/') = '\0';
  (void)snprintf(command, sizeof(command), "rm -rf %s", w->path);
  assert_int_equal(system(command), 0);
}

static inline void
answer_term(base_buffer *out, const rdf_term *term)
{
  static const char home[] = "http://x/";
  size_t n = sizeof(home) - 1;
  if (term->kind == RDF_NONE) {
    base_buffer_byte(out, '-');
  } else if (term->kind == RDF_BLANK) {
    base_buffer_text(out, "_:");
  } else if (term->kind == RDF_IRI && term->value.len > n && !memcmp(term->value.ptr, home, n)) {
    base_buffer_byte(out, ':');
    base_buffer_add(out, term->value.ptr + n, term->value.len - n);
  } else if (base_span_is(term->datatype, RDF_XSD "integer") ||
             base_span_is(term->datatype, RDF_XSD "boolean")) {
    base_buffer_span(out, term->value);
  } else {
    rdf_term_write(out, term);
  }
}

static inline void
answer_add(answer *a, base_buffer *line)
{
  if (a->n == a->cap) {
    a->cap = a->cap ? a->cap * 2 : 64;
    a->rows = realloc(a->rows, a->cap * sizeof(char *));
    assert_non_null(a->rows);
  }
  base_buffer_byte(line, '\0');
  assert_false(line->failed);
  a->rows[a->n++] = line->data; /* default allocator: free() */
  base_buffer_init(line, line->mem);
}

static inline int
answer_compare(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void
answer_free(answer *a)
{
  for (size_t i = 0; i < a->n; i++)
    free(a->rows[i]);
  free(a->rows);
  *a = (answer){0};
}

static inline quoin_status
answer_rows(answer *a, sparql_cursor *cursor, const sparql_query *query)
{
  sparql_rows rows;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  quoin_status st;
  while (!(st = sparql_cursor_next(&rows, cursor, &a->err)))
    for (size_t r = 0; r < rows.rows; r++) {
      base_buffer line;
      base_buffer_init(&line, base_alloc_default());
      if (sparql_query_form(query) == SPARQL_ASK) base_buffer_text(&line, "yes");
      for (size_t c = 0; c < sparql_query_columns(query); c++) {
        rdf_term term;
        if (c) base_buffer_byte(&line, ' ');
        assert_int_equal(sparql_cursor_term(&term, cursor, rows.column[c][r], &arena, &a->err),
                         QUOIN_OK);
        answer_term(&line, &term);
      }
      answer_add(a, &line);
      base_arena_reset(&arena);
    }
  base_arena_clear(&arena);
  return st;
}

static inline quoin_status
answer_triples(answer *a, sparql_cursor *cursor)
{
  const rdfio_quad *quads;
  size_t n;
  quoin_status st;
  while (!(st = sparql_cursor_triples(&quads, &n, cursor, &a->err)))
    for (size_t i = 0; i < n; i++) {
      base_buffer line;
      base_buffer_init(&line, base_alloc_default());
      for (unsigned t = 0; t < 3; t++) {
        if (t) base_buffer_byte(&line, ' ');
        answer_term(&line, &quads[i].term[t]);
      }
      answer_add(a, &line);
    }
  return st;
}

/* Run PROLOGUE + text; status OK when it came to its end. */
static inline answer
world_run(world *w, const char *text, const sparql_run_options *options)
{
  answer a = {.err = QUOIN_ERROR_INIT};
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  base_buffer whole;
  base_buffer_init(&whole, base_alloc_default());
  base_buffer_text(&whole, PROLOGUE);
  base_buffer_text(&whole, text);
  a.status = sparql_query_parse(&query, (quoin_span){whole.data, whole.len}, (quoin_span){NULL, 0},
                                base_alloc_default(), &a.err);
  if (!a.status)
    a.status =
        sparql_cursor_open(&cursor, query, w->snapshot, options, base_alloc_default(), &a.err);
  if (!a.status) {
    sparql_form form = sparql_query_form(query);
    a.status = form == SPARQL_SELECT || form == SPARQL_ASK ? answer_rows(&a, cursor, query)
                                                           : answer_triples(&a, cursor);
    if (a.status == QUOIN_DONE) a.status = QUOIN_OK;
  }
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  base_buffer_clear(&whole);
  return a;
}

static inline char *
answer_text(const answer *a)
{
  size_t len = 1;
  for (size_t i = 0; i < a->n; i++)
    len += strlen(a->rows[i]) + 1;
  char *text = malloc(len);
  assert_non_null(text);
  text[0] = '\0';
  size_t at = 0;
  for (size_t i = 0; i < a->n; i++)
    at += (size_t)sprintf(text + at, "%s\n", a->rows[i]);
  return text;
}

static inline void
world_expect(world *w, const char *text, const sparql_run_options *options, bool ordered,
             const char *expected, const char *file, int line)
{
  /* With and without the optimiser: the answers are the same. */
  for (int plain = 0; plain < 2; plain++) {
    sparql_run_options run = options ? *options : (sparql_run_options){0};
    run.plain = plain != 0;
    answer a = world_run(w, text, &run);
    if (a.status) {
      print_error("%s:%d: %s\nstatus %d: %s\n", file, line, text, (int)a.status, a.err.message);
      fail();
    }
    if (!ordered && a.n) qsort(a.rows, a.n, sizeof(char *), answer_compare);
    char *got = answer_text(&a);
    if (strcmp(got, expected)) {
      print_error("%s:%d: %s (%s)\nexpected:\n%sgot:\n%s", file, line, text,
                  plain ? "plain" : "optimised", expected, got);
      fail();
    }
    free(got);
    answer_free(&a);
  }
}

static inline void
world_expect_status(world *w, const char *text, const sparql_run_options *options,
                    quoin_status status, const char *message, const char *file, int line)
{
  answer a = world_run(w, text, options);
  if (a.status != status || !strstr(a.err.message, message)) {
    print_error("%s:%d: %s\nstatus %d: %s\n", file, line, text, (int)a.status, a.err.message);
    fail();
  }
  answer_free(&a);
}

/* The same rows with and without the optimiser, whatever they are; gives how many. */
static inline size_t
world_same(world *w, const char *text, const char *file, int line)
{
  answer a[2];
  for (int plain = 0; plain < 2; plain++) {
    const sparql_run_options run = {.plain = plain != 0};
    a[plain] = world_run(w, text, &run);
    if (a[plain].status) fail_msg("%s:%d: %s: %s", file, line, text, a[plain].err.message);
    if (a[plain].n) qsort(a[plain].rows, a[plain].n, sizeof(char *), answer_compare);
  }
  size_t n = a[0].n;
  if (n != a[1].n) fail_msg("%s:%d: %s: %zu rows, plain %zu", file, line, text, n, a[1].n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(a[0].rows[i], a[1].rows[i]))
      fail_msg("%s:%d: %s: row %zu: %s, plain %s", file, line, text, i, a[0].rows[i], a[1].rows[i]);
  answer_free(&a[0]);
  answer_free(&a[1]);
  return n;
}

/* The plan of PROLOGUE + text, terminated; to be cleared. */
static inline void
world_explain(base_buffer *out, const world *w, const char *text)
{
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  base_buffer whole;
  base_buffer_init(&whole, base_alloc_default());
  base_buffer_init(out, base_alloc_default());
  base_buffer_text(&whole, PROLOGUE);
  base_buffer_text(&whole, text);
  assert_int_equal(sparql_query_parse(&query, (quoin_span){whole.data, whole.len},
                                      (quoin_span){NULL, 0}, base_alloc_default(), &err),
                   QUOIN_OK);
  assert_int_equal(
      sparql_cursor_open(&cursor, query, w->snapshot, NULL, base_alloc_default(), &err), QUOIN_OK);
  assert_int_equal(sparql_cursor_explain(out, cursor, &err), QUOIN_OK);
  base_buffer_byte(out, '\0');
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  base_buffer_clear(&whole);
}

/* Rows in any order: `expected` is sorted by bytes. */
#define EXPECT(w, text, expected) world_expect(w, text, NULL, false, expected, __FILE__, __LINE__)
#define EXPECT_ORDERED(w, text, expected)                                                          \
  world_expect(w, text, NULL, true, expected, __FILE__, __LINE__)
#define EXPECT_WITH(w, text, options, expected)                                                    \
  world_expect(w, text, options, false, expected, __FILE__, __LINE__)
#define EXPECT_STATUS(w, text, options, status, message)                                           \
  world_expect_status(w, text, options, status, message, __FILE__, __LINE__)

#endif /* QUOIN_TESTS_SPARQL_QUERY_WORLD_H */
