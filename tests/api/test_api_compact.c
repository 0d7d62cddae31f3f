/* Clear, compact, backup and restore through the public header. */
#include "api/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { STATEMENTS = 400 };

static void
load_many(fixture *f, unsigned from, unsigned to)
{
  static char buffer[STATEMENTS * 96];
  size_t len = 0;

  for (unsigned n = from; n < to; n++)
    len += (size_t)snprintf(
        buffer + len, sizeof(buffer) - len,
        "<http://e.org/s/%u> <http://e.org/p> \"value %u\" <http://e.org/g> .\n", n / 2, n);
  load_text(f, QUOIN_NQUADS, buffer);
}

static uint64_t
count(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  return n;
}

/* Remove all whose object is in [from, to). */
static void
remove_many(fixture *f, unsigned from, unsigned to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  for (unsigned n = from; n < to; n++) {
    char s[64], o[64];
    snprintf(s, sizeof(s), "http://e.org/s/%u", n / 2);
    snprintf(o, sizeof(o), "value %u", n);
    const quoin_statement q = {iri(s), iri("http://e.org/p"), literal(o), iri("http://e.org/g")};
    good(quoin_txn_remove(txn, &q, &err), &err);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static void
test_compact__while_a_cursor_and_transactions_are_open(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  quoin_txn *blind = NULL, *reader = NULL;
  quoin_stats stats = QUOIN_STATS_INIT;
  uint64_t dead = 0, n = 0;
  quoin_status st;

  load_many(f, 0, STATEMENTS);
  good(quoin_match(&matches, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&found, matches, &err), &err);
  remove_many(f, 0, STATEMENTS / 2);
  const quoin_statement s = {
      iri("http://e.org/s/0"), iri("http://e.org/p"), literal("value 0"), {0}};
  good(quoin_txn_begin(&blind, f->store, &err), &err);
  good(quoin_txn_add(blind, &s, &err), &err);
  good(quoin_txn_begin(&reader, f->store, &err), &err);
  good(quoin_txn_add(reader, &s, &err), &err);
  quoin_matches *mine = NULL;
  good(quoin_txn_match(&mine, reader, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_store_dead_terms(&dead, f->store, NULL, &err), &err);
  assert_true(dead >= STATEMENTS / 2);

  good(quoin_store_compact(f->store, 0, NULL, &err), &err);
  good(quoin_store_dead_terms(&dead, f->store, NULL, &err), &err);
  assert_int_equal(dead, 0);
  for (n = 1; !(st = quoin_matches_next(&found, matches, &err)); n++)
    assert_memory_equal(found->object.value.ptr, "value ", 6);
  assert_int_equal(st, QUOIN_DONE);
  assert_int_equal(n, STATEMENTS);
  quoin_matches_close(matches);
  for (n = 0; !(st = quoin_matches_next(&found, mine, &err));)
    n++;
  assert_int_equal(n, STATEMENTS / 2 + 1);
  quoin_matches_close(mine);
  assert_int_equal(quoin_txn_commit(NULL, NULL, reader, &err), QUOIN_ERR_CONFLICT);
  good(quoin_txn_commit(&n, NULL, blind, &err), &err);
  assert_int_equal(n, 1);
  assert_int_equal(count(f), STATEMENTS / 2 + 1);
  good(quoin_store_stats(&stats, f->store, false, &err), &err);
  assert_int_equal(stats.compactions, 1);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

/* What a transaction names by id is what it was at its begin, though every id has changed since. */
static void
test_compact__before_a_vector_is_added(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  uint64_t n = 0;
  const float values[3] = {1, 2, 3};
  const quoin_term last = iri("http://e.org/s/199");

  load_many(f, 0, STATEMENTS);
  remove_many(f, 0, STATEMENTS - 2);
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_store_compact(f->store, 0, NULL, &err), &err);
  good(quoin_txn_add_vector(txn, &last, text("http://e.org/p"), NULL, values, 3, &err), &err);
  good(quoin_txn_commit(&n, NULL, txn, &err), &err);
  assert_int_equal(n, 1);
  const quoin_statement added = {last, iri("http://e.org/p"), {0}, {0}};
  good(quoin_count(&n, f->store, &added, QUOIN_DEFAULT_GRAPH, &err), &err);
  assert_int_equal(n, 1);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

static void
test_clear__removes_everything(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats stats = QUOIN_STATS_INIT;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  unsigned n = 0;

  load_many(f, 0, STATEMENTS);
  good(quoin_match(&matches, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_store_clear(f->store, &err), &err);
  assert_int_equal(count(f), 0);
  good(quoin_store_stats(&stats, f->store, true, &err), &err);
  assert_int_equal(stats.terms + stats.graphs + stats.predicates + stats.disk_runs, 0);
  assert_int_equal(stats.clears, 1);
  assert_int_equal(stats.modification, stats.saved);
  load_many(f, 0, 10);
  while (!quoin_matches_next(&found, matches, &err))
    n++;
  assert_int_equal(n, STATEMENTS);
  quoin_matches_close(matches);
  quoin_close(f->store);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  assert_int_equal(count(f), 10);
}

static void
test_compact__refusals(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;

  assert_int_equal(quoin_store_clear(NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_store_compact(NULL, 0, NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_store_dead_terms(NULL, f->store, NULL, &err), QUOIN_ERR_ARGUMENT);
  load_many(f, 0, 20);
  assert_int_equal(quoin_store_compact(f->store, 1, NULL, &err), QUOIN_ERR_LIMIT);
  quoin_cancel *cancel = NULL;
  good(quoin_cancel_new(&cancel, &err), &err);
  quoin_cancel_request(cancel);
  assert_int_equal(quoin_store_compact(f->store, 0, cancel, &err), QUOIN_ERR_CANCELLED);
  quoin_cancel_free(cancel);
  quoin_close(f->store);
  good(open_store(f, QUOIN_READ_ONLY, &err), &err);
  assert_int_equal(quoin_store_clear(f->store, &err), QUOIN_ERR_READ_ONLY);
  assert_int_equal(quoin_store_compact(f->store, 0, NULL, &err), QUOIN_ERR_READ_ONLY);
  good(quoin_store_dead_terms(&n, f->store, NULL, &err), &err);
  assert_int_equal(n, 0);
  quoin_shutdown(f->store);
  assert_int_equal(quoin_store_clear(f->store, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_store_compact(f->store, 0, NULL, &err), QUOIN_ERR_CLOSED);
}

/* ---- vectors --------------------------------------------------------------------------------- */

typedef struct searching {
  quoin_store *store;
  atomic_int stop;
} searching;

/* Items that are nearest to a vector: there are always more than five. */
static void
search(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  uint64_t rows = 0;
  quoin_status st;

  good(quoin_query(&cursor, store,
                   text("PREFIX vec: <urn:x-quoin:vec#> SELECT ?s ?d { (?s ?d) vec:nearest "
                        "(<http://e.org/v> \"[0.5,0.25,0.125]\"^^vec:f32 5) }"),
                   NULL, &err),
       &err);
  while (!(st = quoin_cursor_next(cursor, &err)))
    rows++;
  quoin_cursor_close(cursor);
  if (st != QUOIN_DONE) good(st, &err);
  assert_int_equal(rows, 5);
}

static void *
search_on(void *user)
{
  searching *s = user;

  do
    search(s->store);
  while (!atomic_load(&s->stop));
  return NULL;
}

static void
insert_vectors(quoin_store *store, unsigned from, unsigned to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;

  good(quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned n = from; n < to; n++) {
    char s[32], v[64];
    snprintf(s, sizeof(s), "http://e.org/%u", n);
    snprintf(v, sizeof(v), "[%u,%u,%u]", n, n * 7 % 13, n * 5 % 11 + 1);
    quoin_statement q = {iri(s), iri("http://e.org/v"), literal(v), {0}};
    q.object.datatype = text("urn:x-quoin:vec#f32");
    good(quoin_txn_add(txn, &q, &err), &err);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static void
declare(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;

  good(quoin_update(NULL, store,
                    text("PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> {"
                         " <http://e.org/v> a vec:Index ; vec:dimension 3 } }"),
                    NULL, &err),
       &err);
}

/* The indexes follow the ids, while they link and while they are searched. */
static void
test_compact__under_vector_searches(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  searching s = {.store = f->store, .stop = 0};
  pthread_t thread;

  declare(f->store);
  insert_vectors(f->store, 0, 50);
  assert_int_equal(pthread_create(&thread, NULL, search_on, &s), 0);
  for (unsigned i = 0; i < 8; i++) {
    insert_vectors(f->store, 50 + 40 * i, 90 + 40 * i);
    good(quoin_store_compact(f->store, 0, NULL, &err), &err);
  }
  atomic_store(&s.stop, 1);
  assert_int_equal(pthread_join(thread, NULL), 0);
  good(quoin_store_clear(f->store, &err), &err); /* the declaration, too */
  declare(f->store);
  insert_vectors(f->store, 0, 20);
  search(f->store);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

static void
test_backup__and_restore(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats stats = QUOIN_STATS_INIT;
  char copy[96], again[96];

  snprintf(copy, sizeof(copy), "%s/copy", f->dir);
  snprintf(again, sizeof(again), "%s/again", f->dir);
  load_many(f, 0, STATEMENTS);
  remove_many(f, 10, 60);
  good(quoin_backup(f->store, copy, NULL, &err), &err);
  assert_int_equal(quoin_backup(f->store, copy, NULL, &err), QUOIN_ERR_EXISTS);
  assert_int_equal(quoin_backup(f->store, NULL, NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_backup(NULL, copy, NULL, &err), QUOIN_ERR_ARGUMENT);
  good(quoin_store_stats(&stats, f->store, false, &err), &err);
  assert_int_equal(stats.backups, 1);
  good(quoin_store_clear(f->store, &err), &err);
  quoin_shutdown(f->store);
  assert_int_equal(quoin_backup(f->store, again, NULL, &err), QUOIN_ERR_CLOSED);
  quoin_close(f->store);
  f->store = NULL;
  assert_int_equal(quoin_restore(f->path, copy, NULL, &err), QUOIN_ERR_EXISTS);
  assert_int_equal(quoin_restore(again, "/nowhere at all", NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(quoin_restore(again, NULL, NULL, &err), QUOIN_ERR_ARGUMENT);
  good(quoin_restore(again, copy, NULL, &err), &err);
  snprintf(f->path, sizeof(f->path), "%s/again", f->dir);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  assert_int_equal(count(f), STATEMENTS - 50);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_compact__while_a_cursor_and_transactions_are_open, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_compact__before_a_vector_is_added, setup, teardown),
      cmocka_unit_test_setup_teardown(test_clear__removes_everything, setup, teardown),
      cmocka_unit_test_setup_teardown(test_compact__refusals, setup, teardown),
      cmocka_unit_test_setup_teardown(test_compact__under_vector_searches, setup, teardown),
      cmocka_unit_test_setup_teardown(test_backup__and_restore, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
