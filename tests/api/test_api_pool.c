/* Pools through the public header. */
#include "api/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static quoin_pool *
open_pool(fixture *f, quoin_mode mode)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_pool *pool = NULL;
  char path[96];

  snprintf(path, sizeof(path), "%s/pool", f->dir);
  options.mode = mode;
  options.lent_most = 2;
  good(quoin_pool_open(&pool, path, &options, &err), &err);
  assert_string_equal(quoin_pool_path(pool), path);
  return pool;
}

/* `n` statements into a store. */
static void
add(quoin_store *store, unsigned n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;

  good(quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned i = 0; i < n; i++) {
    char s[32];
    snprintf(s, sizeof(s), "s:%u", i);
    const quoin_statement q = {iri(s), iri("p:"), literal("o"), {0}};
    good(quoin_txn_add(txn, &q, &err), &err);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static uint64_t
count(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;

  good(quoin_count(&n, store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  return n;
}

static void
add_to(quoin_pool *pool, const char *name, unsigned n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store = NULL;

  good(quoin_pool_store(&store, pool, name, &err), &err);
  add(store, n);
  quoin_close(store);
}

static quoin_status
note(void *user, const quoin_pool_entry *e, quoin_error *err)
{
  char *list = user;
  const size_t len = strlen(list);

  (void)err;
  assert_memory_equal(e->directory, "store-", 6);
  assert_true(e->bytes > 0);
  snprintf(list + len, 100 - len, "%s%s%s ", e->name, e->active ? "*" : "", e->open ? "!" : "");
  return QUOIN_OK;
}

static quoin_status
stop_at_once(void *user, const quoin_pool_entry *e, quoin_error *err)
{
  (void)user, (void)e, (void)err;
  return QUOIN_ERR_CANCELLED;
}

static void
test_pool__stores_by_name(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *one = NULL, *again = NULL;
  quoin_pool_usage usage = QUOIN_POOL_USAGE_INIT;
  char list[100] = "";
  quoin_pool *pool = open_pool(f, QUOIN_CREATE);

  good(quoin_pool_create(pool, "one", 0, &err), &err);
  good(quoin_pool_create(pool, "two", QUOIN_INDEX_SPO | QUOIN_INDEX_POS, &err), &err);
  add_to(pool, NULL, 10);
  add_to(pool, "two", 20);
  good(quoin_pool_store(&one, pool, "one", &err), &err);
  good(quoin_pool_store(&again, pool, NULL, &err), &err);
  add(again, 15); /* seen by both: they share the store */
  assert_int_equal(count(one), 15);
  good(quoin_pool_list(pool, note, list, &err), &err);
  assert_string_equal(list, "one*! two ");
  assert_int_equal(quoin_pool_list(pool, stop_at_once, NULL, &err), QUOIN_ERR_CANCELLED);
  good(quoin_pool_switch(pool, "one", "two", &err), &err);
  good(quoin_pool_clear(pool, "one", &err), &err); /* what was two */
  good(quoin_pool_delete(pool, "two", &err), &err);
  good(quoin_pool_activate(pool, "one", &err), &err);
  quoin_close(again);
  assert_int_equal(count(one), 15);
  good(quoin_pool_get_usage(&usage, pool, &err), &err);
  assert_true(usage.bytes > 0);
  assert_true(usage.disk_budget == QUOIN_NO_BUDGET);
  quoin_pool_close(quoin_pool_retain(pool));
  quoin_pool_close(pool);
  add(one, 16);
  assert_int_equal(count(one), 16);
  quoin_shutdown(one);
  quoin_close(one);
  pool = open_pool(f, QUOIN_READ_ONLY);
  good(quoin_pool_store(&one, pool, NULL, &err), &err);
  assert_int_equal(count(one), 0);
  assert_int_equal(quoin_pool_delete(pool, "one", &err), QUOIN_ERR_READ_ONLY);
  quoin_close(one);
  quoin_pool_close(pool);
}

static void
test_pool__rented_stores(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *s[2] = {NULL, NULL}, *more = NULL;
  quoin_pool *pool = open_pool(f, QUOIN_CREATE_NEW);

  for (unsigned i = 0; i < 2; i++) {
    good(quoin_pool_rent(&s[i], pool, 0, NULL, &err), &err);
    add(s[i], 50);
  }
  assert_int_equal(quoin_pool_rent(&more, pool, 10, NULL, &err), QUOIN_ERR_LIMIT);
  assert_null(more);
  quoin_close(s[0]);
  good(quoin_pool_rent(&more, pool, 0, NULL, &err), &err);
  assert_int_equal(count(more), 0);
  assert_int_equal(count(s[1]), 50);
  quoin_pool_close(pool);
  quoin_close(more);
  quoin_close(s[1]);
}

static void
test_pool__restores_backups(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store = NULL;
  quoin_cancel *cancel = NULL;
  char backup[96], list[100] = "";
  quoin_pool *pool = open_pool(f, QUOIN_CREATE);

  snprintf(backup, sizeof(backup), "%s/backup", f->dir);
  add(f->store, 12);
  good(quoin_backup(f->store, backup, NULL, &err), &err);
  good(quoin_pool_restore(pool, "one", backup, NULL, &err), &err);
  good(quoin_pool_restore(pool, "two", backup, NULL, &err), &err);
  add_to(pool, "two", 15);
  good(quoin_pool_list(pool, note, list, &err), &err);
  assert_string_equal(list, "one* two ");
  good(quoin_pool_store(&store, pool, NULL, &err), &err);
  assert_int_equal(count(store), 12);
  quoin_close(store);
  assert_int_equal(quoin_pool_restore(pool, "two", backup, NULL, &err), QUOIN_ERR_EXISTS);
  assert_int_equal(quoin_pool_restore(pool, "x", NULL, NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_pool_restore(pool, NULL, backup, NULL, &err), QUOIN_ERR_ARGUMENT);
  good(quoin_cancel_new(&cancel, &err), &err);
  quoin_cancel_request(cancel);
  assert_int_equal(quoin_pool_restore(pool, "x", backup, cancel, &err), QUOIN_ERR_CANCELLED);
  quoin_cancel_free(cancel);
  quoin_pool_close(pool);
}

static void
test_pool__refusals(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_pool *pool = NULL;
  quoin_store *store = NULL;

  assert_int_equal(quoin_pool_open(&pool, f->dir, NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_null(pool);
  assert_int_equal(quoin_pool_open(NULL, f->dir, NULL, &err), QUOIN_ERR_ARGUMENT);
  options.mode = (quoin_mode)7;
  assert_int_equal(quoin_pool_open(&pool, f->dir, &options, &err), QUOIN_ERR_ARGUMENT);
  pool = open_pool(f, QUOIN_CREATE);
  assert_int_equal(quoin_pool_create(pool, NULL, 0, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_pool_create(pool, "a", 1 << 12, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_pool_switch(pool, "a", NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_pool_store(&store, pool, "a", &err), QUOIN_ERR_NOT_FOUND);
  assert_null(store);
  assert_int_equal(quoin_pool_list(pool, NULL, NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_pool_get_usage(NULL, pool, &err), QUOIN_ERR_ARGUMENT);
  quoin_pool_close(pool);
  quoin_pool_close(NULL);
}

/* ---- promises -------------------------------------------------------------------------------- */

typedef struct asking {
  pthread_t thread;
  quoin_pool *pool;
  quoin_store *held; /* the writer's */
  atomic_int *stop;
  unsigned asked, seen[2]; /* of each store */
} asking;

/* Each statement says which store it is of; there are always as many with <p:> as with <q:>. */
static void
add_marked(quoin_store *store, unsigned from, unsigned to, const char *mark)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;

  good(quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned i = from; i < to; i++) {
    char s[32];
    snprintf(s, sizeof(s), "s:%u", i);
    const quoin_statement p = {iri(s), iri("p:"), literal(mark), {0}};
    const quoin_statement q = {iri(s), iri("q:"), literal(mark), {0}};
    good(quoin_txn_add(txn, &p, &err), &err);
    good(quoin_txn_add(txn, &q, &err), &err);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

/* One store, whole, whatever is switched while the query runs: every row says the same, and each
 * has its other half. */
static void *
ask(void *user)
{
  static const char *const query = "SELECT ?a ?b { ?s <p:> ?a OPTIONAL { ?s <q:> ?b } }";
  asking *a = user;

  do {
    quoin_error err = QUOIN_ERROR_INIT;
    quoin_store *store = NULL;
    quoin_cursor *cursor = NULL;
    quoin_status st;
    unsigned rows = 0;
    char first = 0;
    good(quoin_pool_store(&store, a->pool, "live", &err), &err);
    good(quoin_query(&cursor, store, text(query), NULL, &err), &err);
    while (!(st = quoin_cursor_next(cursor, &err))) {
      for (size_t col = 0; col < 2; col++) {
        const quoin_span mark = quoin_cursor_text(cursor, col);
        assert_int_equal(mark.len, 3); /* "A" */
        if (!first) first = mark.ptr[1];
        assert_int_equal(mark.ptr[1], first);
      }
      rows++;
    }
    if (st != QUOIN_DONE) good(st, &err);
    quoin_cursor_close(cursor);
    quoin_close(store);
    assert_true(first == 'A' || first == 'B');
    assert_true(rows >= (first == 'A' ? 10 : 200) && (first == 'A' ? rows <= 10 : rows % 5 == 0));
    a->seen[first == 'B']++;
    a->asked++;
  } while (!atomic_load(a->stop));
  return NULL;
}

/* The store with B, under whichever name it goes, grows meanwhile: five subjects a commit. */
static void *
write_on(void *user)
{
  asking *a = user;

  for (unsigned n = 200; !a->asked || (!atomic_load(a->stop) && n < 2000); n += 5, a->asked++)
    add_marked(a->held, n, n + 5, "B");
  return NULL;
}

static void
promise_m7_stores_are_switched_under_queries(void **state)
{
  enum { THREADS = 8 };
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  asking a[THREADS + 1];
  quoin_store *store = NULL;
  atomic_int stop = 0;
  unsigned seen[2] = {0, 0};
  quoin_pool *pool = open_pool(f, QUOIN_CREATE);

  good(quoin_pool_create(pool, "live", 0, &err), &err);
  good(quoin_pool_create(pool, "next", 0, &err), &err);
  good(quoin_pool_store(&store, pool, "live", &err), &err);
  add_marked(store, 0, 10, "A");
  quoin_close(store);
  good(quoin_pool_store(&store, pool, "next", &err), &err);
  add_marked(store, 0, 200, "B");
  for (unsigned i = 0; i <= THREADS; i++) {
    a[i] = (asking){.pool = pool, .held = store, .stop = &stop};
    assert_int_equal(pthread_create(&a[i].thread, NULL, i < THREADS ? ask : write_on, &a[i]), 0);
  }
  for (unsigned i = 0; i < 30; i++) {
    good(quoin_pool_switch(pool, "live", "next", &err), &err);
    usleep(2000);
  }
  atomic_store(&stop, 1);
  for (unsigned i = 0; i <= THREADS; i++) {
    assert_int_equal(pthread_join(a[i].thread, NULL), 0);
    assert_true(a[i].asked > 0);
    for (unsigned k = 0; k < 2; k++)
      seen[k] += a[i].seen[k];
  }
  assert_true(seen[0] && seen[1]);
  print_message("%u queries of the one, %u of the other, %u commits\n", seen[0], seen[1],
                a[THREADS].asked);
  quoin_close(store);
  quoin_pool_close(pool);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_pool__stores_by_name, setup, teardown),
      cmocka_unit_test_setup_teardown(test_pool__rented_stores, setup, teardown),
      cmocka_unit_test_setup_teardown(test_pool__restores_backups, setup, teardown),
      cmocka_unit_test_setup_teardown(test_pool__refusals, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_m7_stores_are_switched_under_queries, setup,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
