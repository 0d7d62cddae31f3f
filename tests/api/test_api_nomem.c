/* Out of memory: count the allocations of a run, then fail each in turn. Every call ends with
 * success or QUOIN_ERR_NOMEM, nothing leaks, and the store is good afterwards. */
#include "api/fixture.h"

#include <stdatomic.h>

typedef struct counter {
  atomic_long calls, fail_at; /* the call that fails, from 1; 0: none */
  atomic_long live;           /* bytes */
} counter;

static bool
fails(counter *c)
{
  const long n = atomic_fetch_add(&c->calls, 1) + 1;
  return n == atomic_load(&c->fail_at);
}

static void *
count_allocate(void *user, size_t size)
{
  counter *c = user;
  if (fails(c)) return NULL;
  atomic_fetch_add(&c->live, (long)size);
  return malloc(size);
}

static void *
count_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  counter *c = user;
  if (fails(c)) return NULL;
  atomic_fetch_add(&c->live, (long)new_size - (long)old_size);
  return realloc(ptr, new_size);
}

static void
count_release(void *user, void *ptr, size_t size)
{
  counter *c = user;
  if (ptr) atomic_fetch_sub(&c->live, (long)size);
  free(ptr);
}

static quoin_status
use(quoin_store *store, quoin_error *err)
{
  quoin_load_options load = QUOIN_LOAD_OPTIONS_INIT;
  quoin_query_options query = QUOIN_QUERY_OPTIONS_INIT;
  quoin_txn *txn = NULL;
  quoin_cursor *cursor = NULL;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("added"), iri("g:")};
  sink out = {0};

  load.format = QUOIN_TURTLE;
  load.threads = 1;
  query.threads = 1;
  quoin_status st = quoin_load_memory(
      NULL, store, text("@prefix : <http://e/> . :a :p 1, \"x\"@en, [ :q \"y\" ] ."), &load, err);
  if (!st) st = quoin_txn_begin(&txn, store, err);
  if (!st) st = quoin_txn_add(txn, &s, err);
  if (!st) {
    st = quoin_txn_commit(NULL, NULL, txn, err);
    txn = NULL;
  }
  if (!st) st = quoin_match(&matches, store, NULL, QUOIN_ANY_GRAPH, err);
  while (!st)
    st = quoin_matches_next(&found, matches, err);
  if (st == QUOIN_DONE)
    st = quoin_query(&cursor, store,
                     text("SELECT ?s (COUNT(*) AS ?n) { ?s ?p ?o . ?o ?q ?z } GROUP BY ?s"), &query,
                     err);
  if (!st) st = quoin_cursor_write(NULL, cursor, QUOIN_RESULTS_JSON, sink_write, &out, err);
  quoin_cursor_close(cursor);
  quoin_matches_close(matches);
  quoin_txn_abort(txn);
  free(out.data);
  return st;
}

static quoin_status
run(fixture *f, counter *c)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  const quoin_alloc alloc = {count_allocate, count_resize, count_release, c};
  quoin_store *store = NULL;

  options.mode = QUOIN_CREATE;
  options.alloc = &alloc;
  quoin_status st = quoin_open(&store, f->path, &options, &err);
  if (!st) st = use(store, &err);
  quoin_close(store);
  if (st && st != QUOIN_ERR_NOMEM)
    print_error("allocation %ld: %s: %s\n", atomic_load(&c->fail_at), quoin_status_name(st),
                err.message);
  return st;
}

static void
test_nomem__each_allocation_may_fail(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  counter c = {0};

  quoin_close(f->store);
  f->store = NULL;
  assert_int_equal(run(f, &c), QUOIN_OK);
  assert_int_equal(atomic_load(&c.live), 0);
  const long calls = atomic_load(&c.calls);
  print_message("%ld allocations\n", calls);
  for (long n = 1; n <= calls; n++) {
    atomic_store(&c.calls, 0);
    atomic_store(&c.fail_at, n);
    const quoin_status st = run(f, &c);
    if (atomic_load(&c.live))
      print_error("allocation %ld: %ld bytes leak\n", n, atomic_load(&c.live));
    assert_true(st == QUOIN_OK || st == QUOIN_ERR_NOMEM);
    assert_int_equal(atomic_load(&c.live), 0);
  }
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_nomem__each_allocation_may_fail, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
