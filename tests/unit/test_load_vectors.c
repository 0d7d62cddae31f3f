/* A load refuses vectors that do not fit an index of the store where they stand in the input, or
 * passes over them, counts and reports them. Of its own indexes: test_load_hold.c. */
#include "load/load.h"
#include "vector/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define V(text) "\"" text "\"^^<urn:x-quoin:vec#f32>"
#define DECLARE(p, n)                                                                              \
  "<" p "> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <urn:x-quoin:vec#Index> "             \
  "<urn:x-quoin:system> .\n<" p "> <urn:x-quoin:vec#dimension> "                                   \
  "\"" n "\"^^<http://www.w3.org/2001/XMLSchema#integer> <urn:x-quoin:system> .\n"

typedef struct fixture {
  char path[64];
  quad_store *store;
  uint64_t line[64], column[64]; /* of what was reported */
  size_t n;
  quoin_error last;
} fixture;

static void
note_bad(void *user, const quoin_error *bad)
{
  fixture *f = user;
  assert_true(f->n < 64);
  assert_string_equal(bad->file, "text");
  f->line[f->n] = bad->line;
  f->column[f->n++] = bad->column;
  f->last = *bad;
}

static quoin_status
load(load_result *out, fixture *f, const char *text, rdfio_format format, bool lenient,
     unsigned threads, quoin_error *err)
{
  const load_options options = {
      .read = {
          .format = format, .threads = threads, .lenient = lenient, .bad = note_bad, .user = f}};
  rdfio_source *source;
  f->n = 0;
  *err = (quoin_error)QUOIN_ERROR_INIT;
  assert_int_equal(rdfio_source_memory(&source, base_span(text), "text", base_alloc_default(), err),
                   0);
  quoin_status st = load_sources(out, f->store, &source, 1, &options, base_alloc_default(), err);
  rdfio_source_close(source);
  return st;
}

static int
setup(void **state)
{
  fixture *f = calloc(1, sizeof(*f));
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true};
  const vec_options vectors = {.unlinked = 0};
  load_result result;

  if (!f) return -1;
  snprintf(f->path, sizeof(f->path), "/tmp/quoin-load-XXXXXX");
  if (!mkdtemp(f->path)) return -1;
  strcat(f->path, "/s");
  *state = f;
  if (quad_store_open(&f->store, f->path, &options, base_alloc_default(), &err) ||
      vec_attach(f->store, &vectors, &err) ||
      load(&result, f, DECLARE("http://x/v", "2") DECLARE("http://x/w", "3"), RDFIO_NQUADS, false,
           1, &err)) {
    fprintf(stderr, "%s\n", err.message);
    return -1;
  }
  return 0;
}

static int
teardown(void **state)
{
  fixture *f = *state;
  char command[96];
  quoin_error err = QUOIN_ERROR_INIT;

  const quoin_status st = quad_store_close(f->store, &err);
  *strrchr(f->path, '/') = '\0';
  snprintf(command, sizeof(command), "rm -rf %s", f->path);
  const int removed = system(command);
  free(f);
  return st || removed ? -1 : 0;
}

static uint64_t
count(fixture *f)
{
  quad_snapshot *snapshot = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  const quad_pattern all = {.scope = QUAD_DEFAULT};
  assert_int_equal(quad_snapshot_acquire(&snapshot, f->store, &err), QUOIN_OK);
  assert_int_equal(quad_count(&n, snapshot, &all, &err), QUOIN_OK);
  quad_snapshot_release(snapshot);
  return n;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static const char lines[] = "<http://x/a> <http://x/v> " V(
    "[1,2]") " .\n"
             "# a comment\n\n"
             "<http://x/b> <http://x/v> " V(
                 "[1,2,3]") " .\n"
                            "<http://x/b> <http://x/w> " V(
                                "[1,2,3]") " .\n"
                                           "  <http://x/c>   <http://x/v> " V(
                                               "[1,NaN]") " .\n"
                                                          "<http://x/c> <http://x/v> \"anything "
                                                          "else\" .\n"
                                                          "<http://x/d> <http://x/v> " V(
                                                              "[0,0]") " .\n"
                                                                       "_:e <http://x/v> "
                                                                       "\"\\u005B1]\"^^<urn:x-"
                                                                       "quoin:vec#f32> .\n"
                                                                       "<http://x/f> "
                                                                       "<http://x/none> " V(
                                                                           "[1]") " .\n"
                                                                                  "<http://x/g> "
                                                                                  "<http://x/v> " V(
                                                                                      "[5,6]") " .";

static void
test_vectors__a_line_that_does_not_fit_is_named(void **state)
{
  fixture *f = *state;
  load_result result;
  quoin_error err;
  for (unsigned threads = 1; threads <= 3; threads++) {
    assert_int_equal(load(&result, f, lines, RDFIO_NQUADS, false, threads, &err),
                     QUOIN_ERR_CONSTRAINT);
    assert_string_equal(err.file, "text");
    assert_int_equal(err.line, 4);
    assert_int_equal(err.column, 27);
    assert_string_equal(err.message, "the vector of <http://x/b> has another dimension; the index "
                                     "has 2 dimensions: <http://x/v>");
    assert_int_equal(count(f), 0);
  }
}

/* What follows it and is no statement is not its line. */
static void
test_vectors__a_line_before_comments_is_named(void **state)
{
  static const char text[] = "<http://x/a> <http://x/v> " V(
      "[1,2]") " .\n"
               "<http://x/b> <http://x/v> " V("[1]") " .\n# a comment\n\n  # more\n";
  load_result result;
  quoin_error err;
  assert_int_equal(load(&result, *state, text, RDFIO_NQUADS, false, 1, &err), QUOIN_ERR_CONSTRAINT);
  assert_int_equal(err.line, 2);
}

static void
test_vectors__lenient_passes_over_lines(void **state)
{
  fixture *f = *state;
  load_result result;
  quoin_error err;
  assert_int_equal(load(&result, f, lines, RDFIO_NQUADS, true, 2, &err), QUOIN_OK);
  assert_int_equal(result.skipped, 4);
  assert_int_equal(result.added, 5);
  assert_int_equal(f->n, 4);
  const uint64_t line[] = {4, 6, 8, 9}, column[] = {27, 31, 27, 0};
  assert_memory_equal(f->line, line, sizeof(line));
  assert_memory_equal(f->column, column, sizeof(column));
  assert_int_equal(f->last.status, QUOIN_ERR_CONSTRAINT);
  assert_string_equal(f->last.message, "the vector of _:e has another dimension; the index has 2 "
                                       "dimensions: <http://x/v>");
  assert_int_equal(count(f), 5);
}

/* More than a small load: packets are parsed by several threads. */
static void
test_vectors__in_a_large_load(void **state)
{
  enum { LINES = 250000, EVERY = 40000 };
  fixture *f = *state;
  base_buffer text;
  load_result result;
  quoin_error err;
  base_buffer_init(&text, base_alloc_default());
  for (int i = 1; i <= LINES; i++)
    if (i % EVERY == 0)
      base_buffer_printf(&text, "<http://x/s%d> <http://x/v> " V("[1,2,3]") " .\n", i);
    else
      base_buffer_printf(&text, "<http://x/s%d> <http://x/p> <http://x/o%d> .\n", i % 100, i);
  base_buffer_byte(&text, '\0');
  for (unsigned threads = 1; threads <= 2; threads++) {
    assert_int_equal(load(&result, f, text.data, RDFIO_NTRIPLES, false, threads, &err),
                     QUOIN_ERR_CONSTRAINT);
    assert_int_equal(err.line, EVERY);
    assert_int_equal(count(f), 0);
  }
  assert_int_equal(load(&result, f, text.data, RDFIO_NTRIPLES, true, 2, &err), QUOIN_OK);
  assert_int_equal(result.skipped, LINES / EVERY);
  assert_int_equal(f->n, LINES / EVERY);
  for (size_t i = 0; i < f->n; i++)
    assert_int_equal(f->line[i], EVERY * (i + 1));
  assert_int_equal(count(f), LINES - LINES / EVERY);
  base_buffer_clear(&text);
}

/* ---- Turtle -----------------------------------------------------------------------------------
 */

static void
test_vectors__a_statement_of_turtle_is_named(void **state)
{
  static const char text[] =
      "@prefix : <http://x/> . @prefix vec: <urn:x-quoin:vec#> .\n"
      ":a :v \"[1,2]\"^^vec:f32 ; :n 1 .\n"
      ":b :n 2 ;\n"
      "   :v \"[1,2]\"^^vec:f32 , \"[1,2,3]\"^^vec:f32 , '''[0,0]'''^^vec:f32 ;\n"
      "   :n 3 .\n"
      ":c :v \"[3,4]\"^^vec:f32 .\n";
  fixture *f = *state;
  load_result result;
  quoin_error err;
  assert_int_equal(load(&result, f, text, RDFIO_TURTLE, false, 1, &err), QUOIN_ERR_CONSTRAINT);
  assert_string_equal(err.file, "text");
  assert_int_equal(err.line, 4);
  assert_int_equal(err.column, 26);
  assert_int_equal(count(f), 0);
  assert_int_equal(load(&result, f, text, RDFIO_TRIG, true, 2, &err), QUOIN_OK);
  assert_int_equal(result.skipped, 2);
  assert_int_equal(f->n, 2);
  const uint64_t line[] = {4, 4}, column[] = {26, 47};
  assert_memory_equal(f->line, line, sizeof(line));
  assert_memory_equal(f->column, column, sizeof(column));
  assert_int_equal(count(f), 6);
}

/* A literal that is longer than a page of the reader. */
static void
test_vectors__a_long_literal_of_turtle_is_named(void **state)
{
  fixture *f = *state;
  base_buffer text;
  load_result result;
  quoin_error err;
  base_buffer_init(&text, base_alloc_default());
  base_buffer_text(&text, "@prefix : <http://x/> . @prefix vec: <urn:x-quoin:vec#> .\n"
                          ":a :n 1 .\n\n:b :v \"[0.5");
  for (int i = 0; i < 4000; i++)
    base_buffer_text(&text, ",0.12345678");
  base_buffer_text(&text, "]\"^^vec:f32 .\n:c :n 2 .\n");
  base_buffer_byte(&text, '\0');
  assert_int_equal(load(&result, f, text.data, RDFIO_TURTLE, false, 1, &err), QUOIN_ERR_CONSTRAINT);
  assert_int_equal(err.line, 4);
  assert_int_equal(load(&result, f, text.data, RDFIO_TURTLE, true, 1, &err), QUOIN_OK);
  assert_int_equal(f->line[0], 4);
  assert_int_equal(count(f), 2);
  base_buffer_clear(&text);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_vectors__##name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_line_that_does_not_fit_is_named), TEST(a_line_before_comments_is_named),
      TEST(lenient_passes_over_lines),         TEST(in_a_large_load),
      TEST(a_statement_of_turtle_is_named),    TEST(a_long_literal_of_turtle_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
