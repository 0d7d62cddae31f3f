/* Out of memory: count the allocations of a run, then fail each in turn. Every call ends with
 * success or QUOIN_ERR_NOMEM, nothing leaks, and the store is good afterwards. */
#include "api/fixture.h"
#include "support/memory.h"

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

typedef quoin_status (*run_fn)(fixture *f, support_memory *m);

static quoin_status
run(fixture *f, support_memory *m)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  const quoin_alloc alloc = support_alloc(m);
  quoin_store *store = NULL;

  options.mode = QUOIN_CREATE;
  options.alloc = &alloc;
  quoin_status st = quoin_open(&store, f->path, &options, &err);
  if (!st) st = use(store, &err);
  quoin_close(store);
  if (st && st != QUOIN_ERR_NOMEM)
    print_error("allocation %llu: %s: %s\n", (unsigned long long)m->fail_at, quoin_status_name(st),
                err.message);
  return st;
}

/* Run once, then as often as it allocates, with one of them failing: every one, or each `stride`th.
 */
static void
fail_each(fixture *f, run_fn run_it, uint64_t stride)
{
  support_memory m = {0};

  assert_int_equal(run_it(f, &m), QUOIN_OK);
  assert_int_equal(m.blocks, 0);
  assert_int_equal(m.bytes, 0);
  const uint64_t calls = m.calls;
  print_message("%llu allocations\n", (unsigned long long)calls);
  for (uint64_t n = 1; n <= calls; n += stride) {
    support_memory_fail(&m, n);
    const quoin_status st = run_it(f, &m);
    if (m.bytes)
      print_error("allocation %llu: %lld bytes leak\n", (unsigned long long)n, (long long)m.bytes);
    assert_true(st == QUOIN_OK || st == QUOIN_ERR_NOMEM);
    assert_int_equal(m.blocks, 0);
    assert_int_equal(m.bytes, 0);
  }
}

static void
test_nomem__each_allocation_may_fail(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;

  quoin_close(f->store);
  f->store = NULL;
  fail_each(f, run, 1);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

/* ---- pools and backups ----------------------------------------------------------------------- */

static quoin_status
see_entry(void *user, const quoin_pool_entry *entry, quoin_error *err)
{
  (void)err;
  *(size_t *)user += strlen(entry->name);
  return QUOIN_OK;
}

static quoin_status
use_store(quoin_store *store, const char *copy, quoin_error *err)
{
  quoin_status st =
      quoin_update(NULL, store,
                   text("PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { <s:> <p:> 1, \"one\" ; "
                        "<v:> \"[1,2]\"^^vec:f32, \"[2,1]\"^^vec:f32 . "
                        "GRAPH <urn:x-quoin:system> { <v:> a vec:Index ; vec:dimension 2 } }"),
                   NULL, err);
  if (!st && copy) st = quoin_backup(store, copy, NULL, err);
  return st;
}

static quoin_status
use_pool(quoin_pool *pool, const char *copy, quoin_error *err)
{
  quoin_pool_usage usage = QUOIN_POOL_USAGE_INIT;
  quoin_store *store = NULL, *lent = NULL;
  size_t seen = 0;

  quoin_status st = quoin_pool_create(pool, "a", 0, err);
  if (!st) st = quoin_pool_create(pool, "b", QUOIN_INDEX_SPO, err);
  if (!st) st = quoin_pool_store(&store, pool, "a", err);
  if (!st) st = use_store(store, copy, err);
  if (!st) st = quoin_pool_rent(&lent, pool, 0, NULL, err);
  if (!st) st = use_store(lent, NULL, err);
  if (!st) st = quoin_pool_switch(pool, "a", "b", err);
  if (!st) st = quoin_pool_activate(pool, "b", err);
  if (!st) st = quoin_pool_budget(pool, 1 << 30, err);
  if (!st) st = quoin_pool_list(pool, see_entry, &seen, err);
  if (!st) st = quoin_pool_get_usage(&usage, pool, err);
  if (!st) st = quoin_pool_clear(pool, "b", err);
  if (!st) st = quoin_pool_delete(pool, "a", err);
  quoin_close(store);
  quoin_close(lent);
  return st;
}

static quoin_status
run_pool(fixture *f, support_memory *m)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  const quoin_alloc alloc = support_alloc(m);
  char path[300], copy[300], command[700];
  quoin_pool *pool = NULL;

  snprintf(path, sizeof(path), "%s/pool", f->path);
  snprintf(copy, sizeof(copy), "%s/copy", f->path);
  snprintf(command, sizeof(command), "rm -rf '%s' '%s'", path, copy);
  assert_int_equal(system(command), 0);
  options.mode = QUOIN_CREATE;
  options.durability = QUOIN_DURABILITY_OFF;
  options.alloc = &alloc;
  quoin_status st = quoin_pool_open(&pool, path, &options, &err);
  if (!st) st = use_pool(pool, copy, &err);
  quoin_pool_close(pool);
  if (st && st != QUOIN_ERR_NOMEM)
    print_error("allocation %llu: %s: %s\n", (unsigned long long)m->fail_at, quoin_status_name(st),
                err.message);
  if (st && !access(copy, F_OK) && access(path, F_OK)) print_error("a backup without its pool\n");
  /* Whatever failed: it opens, unless it had not come to be, and nothing is left over. */
  quoin_status again = quoin_pool_open(&pool, path, NULL, &err);
  if (again != QUOIN_ERR_NOT_FOUND) {
    size_t seen = 0;
    good(again, &err);
    good(quoin_pool_list(pool, see_entry, &seen, &err), &err);
    assert_true(seen <= 2);
    quoin_pool_close(pool);
  }
  return st;
}

static void
test_nomem__each_allocation_of_a_pool_may_fail(void **state)
{
  fixture *f = *state;

  quoin_close(f->store);
  f->store = NULL;
  fail_each(f, run_pool, getenv("QUOIN_CRASH_SEEDS") ? 1 : 11);
  char command[400];
  snprintf(command, sizeof(command), "rm -rf '%s/pool' '%s/copy'", f->path, f->path);
  assert_int_equal(system(command), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_nomem__each_allocation_may_fail, setup, teardown),
      cmocka_unit_test_setup_teardown(test_nomem__each_allocation_of_a_pool_may_fail, setup,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
