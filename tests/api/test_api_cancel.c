/* Calls in progress that another thread cancels: each ends soon, and says so. */
#include "fixture.h"

#include <pthread.h>
#include <time.h>

enum { STATEMENTS = 3000, PATIENCE_MS = 10000 };

typedef struct impatient {
  quoin_cancel *cancel;
  double asked; /* when */
} impatient;

static double
now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void *
cancel_soon(void *user)
{
  impatient *i = user;
  usleep(50000);
  i->asked = now_ms();
  quoin_cancel_request(i->cancel);
  return NULL;
}

typedef quoin_status (*call)(fixture *f, quoin_cancel *cancel, const char *what, quoin_error *err);

static void
assert_cancelled(fixture *f, call run, const char *what)
{
  impatient other = {NULL, 0};
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t thread;

  good(quoin_cancel_new(&other.cancel, &err), &err);
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &other), 0);
  const quoin_status st = run(f, other.cancel, what, &err);
  const double ended = now_ms();
  assert_int_equal(pthread_join(thread, NULL), 0);
  quoin_cancel_free(other.cancel);
  if (st != QUOIN_ERR_CANCELLED) fail_msg("%s: %s: %s", what, quoin_status_name(st), err.message);
  if (ended - other.asked > PATIENCE_MS) fail_msg("%s: after %.0f ms", what, ended - other.asked);
  print_message("%6.1f ms: %.80s\n", ended - other.asked, what);
}

static void
fill(fixture *f)
{
  sink data = {NULL, 0};
  for (unsigned i = 0; i < STATEMENTS; i++) {
    char line[120];
    const int len =
        snprintf(line, sizeof(line), "<s:%u> <next:> <s:%u> .\n<s:%u> <text:> \"%u\" .\n", i,
                 (i * 7 + 1) % STATEMENTS, i, i * 31 % STATEMENTS);
    sink_write(&data, line, (size_t)len, NULL);
  }
  load_text(f, QUOIN_NTRIPLES, data.data);
  free(data.data);
}

/* ---- queries and updates --------------------------------------------------------------------- */

static quoin_status
drain(quoin_cursor *cursor, quoin_error *err)
{
  quoin_status st;
  while (!(st = quoin_cursor_next(cursor, err)))
    ;
  assert_int_equal(quoin_cursor_outcome(cursor),
                   st == QUOIN_DONE ? QUOIN_OUTCOME_COMPLETE : QUOIN_OUTCOME_FAILED);
  quoin_cursor_close(cursor);
  return st;
}

static quoin_status
run_query(fixture *f, quoin_cancel *cancel, const char *what, quoin_error *err)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor;
  options.cancel = cancel;
  options.memory_bytes = 64 << 20;
  const quoin_status st = quoin_query(&cursor, f->store, text(what), &options, err);
  return st ? st : drain(cursor, err);
}

static quoin_status
run_update(fixture *f, quoin_cancel *cancel, const char *what, quoin_error *err)
{
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;
  options.cancel = cancel;
  return quoin_update(NULL, f->store, text(what), &options, err);
}

static quoin_status
run_in_txn(fixture *f, quoin_cancel *cancel, const char *what, quoin_error *err)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor;
  quoin_txn *txn;
  options.cancel = cancel;
  quoin_status st = quoin_txn_begin(&txn, f->store, err);
  if (st) return st;
  if (!(st = quoin_txn_query(&cursor, txn, text(what), &options, err))) st = drain(cursor, err);
  quoin_txn_abort(txn);
  return st;
}

#define CROSS "?a <text:> ?x . ?b <text:> ?y . ?c <text:> ?z "

static void
test_cancel__queries_of_all_kinds(void **state)
{
  static const char *const queries[] = {
      "SELECT (COUNT(*) AS ?n) { " CROSS "FILTER(?x != ?y && ?y != ?z) }",
      "SELECT * { " CROSS "} ORDER BY ?z ?y ?x",
      "SELECT DISTINCT ?x ?y ?z { " CROSS "}",
      "SELECT ?x (SUM(STRLEN(?z)) AS ?n) { " CROSS "} GROUP BY ?x",
      "SELECT (COUNT(*) AS ?n) { ?a <next:>* ?b . ?b <next:>* ?c . ?c <next:>* ?d }",
      "SELECT (COUNT(*) AS ?n) { " CROSS "FILTER regex(CONCAT(?x, ?y, ?z), \"7.*7.*7.*8\") }",
      "SELECT (COUNT(*) AS ?n) { " CROSS "FILTER NOT EXISTS { ?d <text:> ?e FILTER(?e > ?z) } }",
      "SELECT (COUNT(*) AS ?n) { { " CROSS "} MINUS { ?a <text:> ?q ; <next:> ?b } }",
  };
  fixture *f = *state;
  fill(f);
  for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++)
    assert_cancelled(f, run_query, queries[i]);
  assert_cancelled(f, run_in_txn, queries[0]);
}

static void
test_cancel__updates(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  fill(f);
  assert_cancelled(f, run_update, "INSERT { ?a <u:> ?z } WHERE { " CROSS "FILTER(?x < ?y) }");
  assert_cancelled(f, run_update,
                   "INSERT DATA { <a:> <b:> 1 } ; "
                   "DELETE { ?a <text:> ?x } WHERE { " CROSS "}");
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 2 * STATEMENTS); /* nothing of them is there */
}

/* ---- what else takes long -------------------------------------------------------------------- */

static quoin_status
read_for_ever(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  static const char line[] = "<s:> <p:> \"again\" .\n";
  size_t *at = user;
  (void)err;
  for (*got = 0; *got < cap; ++*got)
    ((char *)data)[*got] = line[(*at)++ % (sizeof(line) - 1)];
  return QUOIN_OK;
}

static quoin_status
run_load(fixture *f, quoin_cancel *cancel, const char *what, quoin_error *err)
{
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  options.format = QUOIN_NTRIPLES;
  options.cancel = cancel;
  size_t at = 0;
  return quoin_load_callback(NULL, f->store, read_for_ever, &at, what, &options, err);
}

static quoin_status
run_rent(fixture *f, quoin_cancel *cancel, const char *what, quoin_error *err)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_store *held, *more = NULL;
  quoin_pool *pool;
  (void)what;
  options.temporary = true;
  options.lent_most = 1;
  good(quoin_pool_open(&pool, f->dir, &options, err), err);
  good(quoin_pool_rent(&held, pool, 0, NULL, err), err);
  const quoin_status st = quoin_pool_rent(&more, pool, 600000, cancel, err);
  assert_null(more);
  quoin_close(held);
  quoin_pool_close(pool);
  return st;
}

static void
test_cancel__loads_and_renting(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  assert_cancelled(f, run_load, "a load without an end");
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 0);
  assert_cancelled(f, run_rent, "waiting for a store to come back");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_cancel__queries_of_all_kinds, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cancel__updates, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cancel__loads_and_renting, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
