/* Answers of a small store in every format, through sparql_write. */
#include "sparql/sparql.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
  char dir[64];
  quad_store *store;
  quad_snapshot *snapshot;
} fixture;

static int
set_up(void **state)
{
  fixture *f = calloc(1, sizeof(*f));
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_update_result result;
  assert_non_null(f);
  strcpy(f->dir, "/tmp/quoin-write-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  const quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  assert_int_equal(quad_store_open(&f->store, f->dir, &options, base_alloc_default(), &err), 0);
  quoin_status st =
      sparql_update_run(&result, f->store,
                        base_span("PREFIX : <http://e/> INSERT DATA { :a :p 1, 'x'@en . :b :p :a . "
                                  "GRAPH :g { :c :q 'say \"hi\"' } }"),
                        NULL, base_alloc_default(), &err);
  if (st) print_message("%s\n", err.message);
  assert_int_equal(st, QUOIN_OK);
  assert_int_equal(quad_snapshot_acquire(&f->snapshot, f->store, &err), 0);
  *state = f;
  return 0;
}

static int
tear_down(void **state)
{
  fixture *f = *state;
  quad_snapshot_release(f->snapshot);
  assert_int_equal(quad_store_close(f->store, NULL), QUOIN_OK);
  DIR *dir = opendir(f->dir);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    char name[512];
    snprintf(name, sizeof(name), "%s/%s", f->dir, entry->d_name);
    if (entry->d_name[0] != '.') unlink(name);
  }
  if (dir) closedir(dir);
  rmdir(f->dir);
  free(f);
  return 0;
}

static quoin_status
collect(void *user, const void *data, size_t len, quoin_error *err)
{
  (void)err;
  base_buffer_add(user, data, len);
  return QUOIN_OK;
}

static quoin_status
run(base_buffer *out, uint64_t *rows, const fixture *f, const char *text, sparql_format format,
    uint64_t max_rows, quoin_error *err)
{
  char full[1024];
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  const sparql_run_options options = {.max_rows = max_rows};
  snprintf(full, sizeof(full), "PREFIX : <http://e/> %s", text);
  base_buffer_init(out, base_alloc_default());
  assert_int_equal(
      sparql_query_parse(&query, base_span(full), base_span(""), base_alloc_default(), err),
      QUOIN_OK);
  assert_int_equal(
      sparql_cursor_open(&cursor, query, f->snapshot, &options, base_alloc_default(), err),
      QUOIN_OK);
  assert_ptr_equal(sparql_cursor_query(cursor), query);
  quoin_status st = sparql_write(rows, cursor, format, collect, out, err);
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  base_buffer_byte(out, '\0');
  return st;
}

static void
expect(const fixture *f, const char *text, sparql_format format, uint64_t rows, const char *want)
{
  base_buffer out;
  uint64_t got;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = run(&out, &got, f, text, format, 0, &err);
  if (st) print_message("%s: %s\n", text, err.message);
  assert_int_equal(st, QUOIN_OK);
  assert_string_equal(out.data, want);
  assert_int_equal(got, rows);
  base_buffer_clear(&out);
}

static void
test_write__rows(void **state)
{
  const fixture *f = *state;
  const char *ordered = "SELECT ?s ?o { ?s :p ?o } ORDER BY ?s ?o";
  expect(f, ordered, SPARQL_TSV, 3,
         "?s\t?o\n<http://e/a>\t1\n<http://e/a>\t\"x\"@en\n<http://e/b>\t<http://e/a>\n");
  expect(f, ordered, SPARQL_TABLE, 3,
         "s  | o\n---+-------\n:a |      1\n:a | \"x\"@en\n:b | :a\n(3 rows)\n");
  expect(f, "SELECT ?s { GRAPH ?g { ?s :q ?o } }", SPARQL_CSV, 1, "s\r\nhttp://e/c\r\n");
  expect(f, "ASK { :b :p :a }", SPARQL_JSON, 1, "{\"head\":{},\"boolean\":true}\n");
  expect(f, "ASK { :b :p :b }", SPARQL_TABLE, 1, "false\n");
  expect(f, "SELECT * {}", SPARQL_JSON, 1,
         "{\"head\":{\"vars\":[]},\"results\":{\"bindings\":[\n{}\n]}}\n");
}

static void
test_write__triples(void **state)
{
  const fixture *f = *state;
  const char *construct = "CONSTRUCT { ?s :was ?o } { ?s :p ?o FILTER(isIRI(?o)) }";
  expect(f, construct, SPARQL_NTRIPLES, 1, "<http://e/b> <http://e/was> <http://e/a> .\n");
  expect(f, construct, SPARQL_NQUADS, 1, "<http://e/b> <http://e/was> <http://e/a> .\n");
  expect(f, "CONSTRUCT { ?s :was ?o } { GRAPH :g { ?s :q ?o } }", SPARQL_NTRIPLES, 1,
         "<http://e/c> <http://e/was> \"say \\\"hi\\\"\" .\n");
  base_buffer out;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(run(&out, NULL, f, construct, SPARQL_TURTLE, 0, &err), QUOIN_OK);
  assert_non_null(strstr(out.data, "@prefix : <http://e/> ."));
  assert_non_null(strstr(out.data, ":b"));
  assert_non_null(strstr(out.data, ":was"));
  base_buffer_clear(&out);
}

static void
test_write__refuses_the_wrong_kind(void **state)
{
  const fixture *f = *state;
  static const struct {
    const char *text;
    sparql_format format;
  } wrong[] = {{"SELECT * {}", SPARQL_TURTLE},
               {"ASK {}", SPARQL_NQUADS},
               {"SELECT * {}", SPARQL_FORMAT_NONE},
               {"DESCRIBE :a", SPARQL_JSON},
               {"CONSTRUCT WHERE { ?s ?p ?o }", SPARQL_TABLE}};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    base_buffer out;
    quoin_error err = QUOIN_ERROR_INIT;
    assert_int_equal(run(&out, NULL, f, wrong[i].text, wrong[i].format, 0, &err),
                     QUOIN_ERR_ARGUMENT);
    assert_string_equal(out.data, "");
    assert_non_null(strstr(err.message, "choose"));
    base_buffer_clear(&out);
  }
}

/* A query that fails midway: the row limit. */
static void
test_write__a_failed_stream_is_not_closed(void **state)
{
  const fixture *f = *state;
  static const struct {
    sparql_format format;
    const char *end;
  } formats[] = {{SPARQL_JSON, "]}}"}, {SPARQL_XML, "</sparql>"}, {SPARQL_TABLE, "rows)"}};
  const char *text = "SELECT * { ?s :p ?o }";
  base_buffer out;
  for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    assert_int_equal(run(&out, NULL, f, text, formats[i].format, 2, &err), QUOIN_ERR_LIMIT);
    assert_null(strstr(out.data, formats[i].end));
    base_buffer_clear(&out);
  }
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(run(&out, NULL, f, text, SPARQL_TSV, 2, &err), QUOIN_ERR_LIMIT);
  assert_true(out.len >= 2 && out.data[out.len - 2] != '\n');
  base_buffer_clear(&out);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write__rows),
      cmocka_unit_test(test_write__triples),
      cmocka_unit_test(test_write__refuses_the_wrong_kind),
      cmocka_unit_test(test_write__a_failed_stream_is_not_closed),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
