/* Updates through the public interface. */
#include "fixture.h"

#define DATA "PREFIX : <http://x/> INSERT DATA { :a :p 1 , 2 GRAPH :g { :a :p 3 } }"

static uint64_t
quads(quoin_store *store)
{
  quoin_stats stats = QUOIN_STATS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;

  good(quoin_store_stats(&stats, store, false, &err), &err);
  return stats.quads;
}

static void
test_update__counts_and_options(void **state)
{
  const fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_update_result result = {0};
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;

  good(quoin_update(&result, f->store, text(DATA), NULL, &err), &err);
  assert_int_equal(result.added, 3);
  assert_int_equal(result.removed, 0);
  options.base = text("http://x/");
  options.union_default_graph = true;
  const char *change = "DELETE { ?s <p> ?o } INSERT { ?s <q> ?o } WHERE { ?s <p> ?o }";
  good(quoin_update(&result, f->store, text(change), &options, &err), &err);
  assert_int_equal(result.added, 3);
  assert_int_equal(result.removed, 2);
  good(quoin_update(NULL, f->store, text("CLEAR ALL"), &options, NULL), NULL);
  assert_int_equal(quads(f->store), 0);
}

static void
test_update__fails_as_a_whole(void **state)
{
  const fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_update_result result = {.added = 9, .removed = 9};
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;

  good(quoin_update(NULL, f->store, text(DATA), NULL, &err), &err);
  assert_int_equal(
      quoin_update(&result, f->store, text("CLEAR ALL ;\n COPY <s:none> TO <s:g>"), NULL, &err),
      QUOIN_ERR_NOT_FOUND);
  assert_int_equal(result.added + result.removed, 0);
  assert_int_equal(err.line, 2);
  assert_int_equal(err.column, 2);
  assert_int_equal(quoin_update(NULL, f->store, text("CLEAR ALL ; CLEAR"), NULL, &err),
                   QUOIN_ERR_SYNTAX);
  assert_int_equal(quoin_update(NULL, f->store, text("CREATE GRAPH <http://x/g>"), NULL, &err),
                   QUOIN_ERR_EXISTS);
  assert_int_equal(quoin_update(NULL, f->store, text("LOAD <file:///tmp/x.nt>"), NULL, &err),
                   QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_update(NULL, NULL, text(""), NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_update(NULL, f->store, (quoin_span){NULL, 1}, NULL, &err),
                   QUOIN_ERR_ARGUMENT);
  options.struct_size = 3;
  assert_int_equal(quoin_update(NULL, f->store, text(""), &options, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quads(f->store), 3);
}

static void
test_update__can_be_cancelled(void **state)
{
  const fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;

  good(quoin_cancel_new(&options.cancel, &err), &err);
  quoin_cancel_request(options.cancel);
  assert_int_equal(quoin_update(NULL, f->store, text(DATA), &options, &err), QUOIN_ERR_CANCELLED);
  quoin_cancel_reset(options.cancel);
  good(quoin_update(NULL, f->store, text(DATA), &options, &err), &err);
  quoin_cancel_free(options.cancel);
}

static void
test_update__is_there_after_reopening(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;

  good(quoin_update(NULL, f->store, text(DATA), NULL, &err), &err);
  quoin_close(f->store);
  good(open_store(f, QUOIN_READ_ONLY, &err), &err);
  assert_int_equal(quads(f->store), 3);
  assert_int_equal(quoin_update(NULL, f->store, text("CLEAR ALL"), NULL, &err),
                   QUOIN_ERR_READ_ONLY);
  quoin_shutdown(f->store);
  assert_int_equal(quoin_update(NULL, f->store, text("CLEAR ALL"), NULL, &err), QUOIN_ERR_CLOSED);
}

/* What a query counts. */
static uint64_t
counted(quoin_store *store, const char *pattern)
{
  char query[512];
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor;
  int64_t n;

  (void)snprintf(query, sizeof(query), "PREFIX : <http://x/> SELECT (COUNT(*) AS ?n) WHERE { %s }",
                 pattern);
  good(quoin_query(&cursor, store, text(query), NULL, &err), &err);
  good(quoin_cursor_next(cursor, &err), &err);
  assert_true(quoin_cursor_integer(&n, cursor, 0));
  quoin_cursor_close(cursor);
  return (uint64_t)n;
}

/* With room for some hundred changes: the rest of each goes through files, and so does what an
 * operation sees of the one before. */
static void
promise_o4_updates_past_memory(void **state)
{
  enum { ROWS = 40000 };
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_update_result got;
  const char *digits = "{ 0 1 2 3 4 5 6 7 8 9 }";
  char insert[1024];

  quoin_close(f->store);
  options.memory_bytes = 100000;
  good(quoin_open(&f->store, f->path, &options, &err), &err);
  (void)snprintf(insert, sizeof(insert),
                 "PREFIX : <http://x/> INSERT { ?s :p ?o , ?n } WHERE { VALUES ?a %s VALUES ?b %s "
                 "VALUES ?c %s VALUES ?d %s VALUES ?e { 0 1 } "
                 "BIND(?a + 10 * ?b + 100 * ?c + 1000 * ?d + 10000 * ?e AS ?n) "
                 "BIND(IRI(CONCAT('http://x/s', STR(?n))) AS ?s) "
                 "BIND(CONCAT('text ', STR(?n)) AS ?o) }",
                 digits, digits, digits, digits);
  good(quoin_update(&got, f->store, text(insert), NULL, &err), &err);
  assert_int_equal(got.added, ROWS);
  assert_int_equal(counted(f->store, "?s :p ?o FILTER(isNumeric(?o))"), ROWS / 2);
  good(quoin_update(&got, f->store,
                    text("PREFIX : <http://x/> COPY DEFAULT TO :g ; "
                         "DELETE { ?s :p ?o } INSERT { ?s :q ?o } WHERE { ?s :p ?o } ; "
                         "DELETE WHERE { ?s :q 7 } ; "
                         "INSERT { ?s :r ?o } WHERE { GRAPH :g { ?s :p ?o } ?s :q ?o }"),
                    NULL, &err),
       &err);
  assert_int_equal(got.added, 3 * ROWS - 2);
  assert_int_equal(got.removed, ROWS);
  assert_int_equal(counted(f->store, "?s :q ?o"), ROWS - 1);
  assert_int_equal(counted(f->store, "GRAPH :g { ?s :p ?o }"), ROWS);
  good(quoin_update(&got, f->store, text("CLEAR ALL"), NULL, &err), &err);
  assert_int_equal(got.removed, 3 * ROWS - 2);
  assert_int_equal(quads(f->store), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_update__counts_and_options, setup, teardown),
      cmocka_unit_test_setup_teardown(test_update__fails_as_a_whole, setup, teardown),
      cmocka_unit_test_setup_teardown(test_update__can_be_cancelled, setup, teardown),
      cmocka_unit_test_setup_teardown(test_update__is_there_after_reopening, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_o4_updates_past_memory, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
