/* Clearing a store: empty at once for all who look from then on, as it was for all who looked. */
#include "unit/test_quadstore_text.h"

static const text none = {NULL, 0, 0};

static void
test_clear__empties_the_store(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_stats stats;
  unsigned files;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 500, false);
  assert_ok(quad_checkpoint(store, &err));
  change_numbers(store, 400, 700, false);
  assert_ok(quad_store_clear(store, &err));
  assert_store(store, &none);
  assert_ok(quad_store_stats(&stats, store, &err));
  assert_int_equal(stats.atoms.terms + stats.disk_runs + stats.memory_runs + stats.log_bytes, 0);
  assert_int_equal(stats.modification, stats.saved);
  (void)dir_bytes(&d, &files);
  assert_int_equal(files, 7);               /* lock, manifest and its body, four of atoms */
  assert_ok(quad_store_clear(store, &err)); /* of nothing */
  store_close(store);
  store = store_open(&d, 0);
  assert_store(store, &none);
  change_numbers(store, 300, 400, false);
  text expected = store_text(store);
  assert_int_equal(expected.n, 100);
  store_close(store);
  store = store_open(&d, 0);
  assert_store(store, &expected);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

static void
test_clear__snapshots_stay_as_they_are(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_snapshot *s;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 2000, false);
  assert_ok(quad_checkpoint(store, &err));
  change_numbers(store, 2000, 2500, false);
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  text expected = text_of(s, QUAD_SPO);
  assert_ok(quad_store_clear(store, &err));
  change_numbers(store, 0, 100, false);
  assert_ok(quad_store_clear(store, &err));
  assert_text(&expected, s);
  quad_snapshot_release(s);
  assert_store(store, &none);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

/* A label that was seen before the clear never means a node that came after it. */
static void
test_clear__blank_nodes_are_not_used_again(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_txn *txn;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  for (unsigned i = 1; i <= 3; i++) {
    spelled q;
    spell_quad(&q, 0);
    q.term[0] = (rdf_term){.kind = RDF_BLANK, .value = base_span("x")};
    assert_ok(quad_txn_begin(&txn, store, &err));
    assert_ok(quad_txn_add(txn, q.term, &err));
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
    assert_int_equal(atom_store_blanks(quad_store_atoms(store)), i);
    assert_ok(quad_store_clear(store, &err));
    store_close(store);
    store = store_open(&d, 0);
  }
  store_close(store);
  support_dir_remove(&d);
}

static void
test_clear__open_transactions(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_txn *blind, *reader, *remover;
  uint64_t added;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 50, false);
  assert_ok(quad_txn_begin(&blind, store, &err));
  for (unsigned n = 40; n < 60; n++)
    txn_add_number(blind, n);
  assert_ok(quad_txn_begin(&reader, store, &err));
  assert_ok(quad_txn_scanned(reader, &all, &err));
  txn_add_number(reader, 1);
  assert_ok(quad_txn_begin(&remover, store, &err));
  txn_remove_number(remover, 1);
  assert_ok(quad_store_clear(store, &err));
  assert_int_equal(quad_txn_commit(NULL, NULL, remover, &err), QUOIN_ERR_CONFLICT);
  assert_int_equal(quad_txn_commit(NULL, NULL, reader, &err), QUOIN_ERR_CONFLICT);
  assert_non_null(strstr(err.message, "cleared"));
  assert_ok(quad_txn_commit(&added, NULL, blind, &err));
  assert_int_equal(added, 20);
  text expected = {NULL, 0, 0};
  for (unsigned n = 40; n < 60; n++)
    text_add_number(&expected, n);
  text_sort(&expected);
  assert_store(store, &expected);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

static uint64_t
clear_ns(quad_store *store, unsigned quads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t best = UINT64_MAX;
  for (unsigned i = 0; i < 3; i++) {
    for (unsigned n = 0; n < quads; n += 10000)
      change_numbers(store, n, n + 10000 < quads ? n + 10000 : quads, false);
    assert_ok(quad_checkpoint(store, &err));
    uint64_t t = base_clock_ns();
    assert_ok(quad_store_clear(store, &err));
    t = base_clock_ns() - t;
    if (t < best) best = t;
  }
  return best;
}

static void
test_clear__takes_no_longer_for_more(void **state)
{
  support_dir d;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  uint64_t few = clear_ns(store, 100), many = clear_ns(store, 40000);
  printf("clear: %llu us of 100 quads, %llu us of 40000\n", (unsigned long long)few / 1000,
         (unsigned long long)many / 1000);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* theirs to unmap is slow */
  assert_true(many < 20 * few + 20000000);
#endif
  store_close(store);
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_clear__empties_the_store),
      cmocka_unit_test(test_clear__snapshots_stay_as_they_are),
      cmocka_unit_test(test_clear__blank_nodes_are_not_used_again),
      cmocka_unit_test(test_clear__open_transactions),
      cmocka_unit_test(test_clear__takes_no_longer_for_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
