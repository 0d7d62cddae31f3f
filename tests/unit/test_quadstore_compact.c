/* Compaction: what nothing uses goes, everything else stays, for whoever looks. */
#include "unit/test_quadstore_text.h"

#include <pthread.h>

static void
test_compact__keeps_every_quad_and_drops_what_nothing_uses(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  uint64_t dead, before, after;
  unsigned files;
  quad_stats stats;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  for (unsigned n = 0; n < 3000; n += 500) {
    change_numbers(store, n, n + 500, false);
    if (n == 1000) assert_ok(quad_checkpoint(store, &err));
  }
  change_numbers(store, 100, 2900, true);
  text expected = store_text(store);
  assert_ok(quad_store_stats(&stats, store, &err));
  before = stats.atoms.terms;
  assert_ok(quad_store_dead_terms(&dead, store, NULL, &err));
  assert_true(dead > before / 2);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_store(store, &expected);
  assert_ok(quad_store_stats(&stats, store, &err));
  after = stats.atoms.terms;
  assert_int_equal(before - after, dead);
  assert_int_equal(stats.disk_runs, 1);
  assert_int_equal(stats.memory_runs + stats.tombstones + stats.log_bytes, 0);
  assert_int_equal(stats.modification, stats.saved);
  assert_ok(quad_store_dead_terms(&dead, store, NULL, &err));
  assert_int_equal(dead, 0);
  (void)dir_bytes(&d, &files);
  assert_int_equal(files, 8); /* lock, manifest and its body, four of atoms, a run */

  /* and it goes on: known terms are found, new ones get ids */
  change_numbers(store, 0, 400, false);
  text_free(&expected);
  expected = store_text(store);
  store_close(store);
  store = store_open(&d, 0);
  assert_store(store, &expected);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_store(store, &expected);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

static void
test_compact__blank_nodes_keep_their_labels(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_txn *txn;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  for (unsigned i = 0; i < 5; i++) {
    spelled q;
    spell_quad(&q, i);
    assert_ok(quad_txn_begin(&txn, store, &err));
    q.term[0] = (rdf_term){.kind = RDF_BLANK, .value = base_span("a")};
    q.term[2] = (rdf_term){.kind = RDF_BLANK, .value = base_span("b")};
    assert_ok(quad_txn_add(txn, q.term, &err));
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  }
  text expected = store_text(store);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_store(store, &expected);
  assert_int_equal(atom_store_blanks(quad_store_atoms(store)), 10);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

static void
test_compact__snapshots_and_scans_stay_as_they_are(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_snapshot *first, *second;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_scan *scan;
  quad_batch b;
  size_t rows = 0;
  quoin_status st;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 4000, false);
  assert_ok(quad_snapshot_acquire(&first, store, &err));
  text whole = text_of(first, QUAD_SPO);
  assert_ok(quad_scan_open(&scan, first, &all, QUAD_SPO, 15, &err));
  assert_ok(quad_scan_next(&b, scan, &err));
  rows = b.rows;

  change_numbers(store, 0, 3000, true);
  assert_ok(quad_snapshot_acquire(&second, store, &err));
  text rest = text_of(second, QUAD_SPO);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  change_numbers(store, 5000, 5100, false);
  assert_ok(quad_store_compact(store, 0, NULL, &err));

  while (!(st = quad_scan_next(&b, scan, &err)))
    rows += b.rows;
  assert_int_equal(st, QUOIN_DONE);
  assert_int_equal(rows, whole.n);
  quad_scan_close(scan);
  assert_text(&whole, first);
  quad_snapshot_release(first);
  assert_text(&rest, second);
  store_close((quad_snapshot_release(second), store));
  text_free(&whole);
  text_free(&rest);
  support_dir_remove(&d);
}

/* What a transaction did before and says after a compaction counts as if there had been none. */
static void
test_compact__an_open_transaction_commits(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_txn *txn;
  quad_snapshot *own;
  uint64_t added, removed;
  text expected = {NULL, 0, 0};
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 300, false);
  change_numbers(store, 100, 200, true);
  assert_ok(quad_txn_begin(&txn, store, &err));
  for (unsigned n = 200; n < 250; n++)
    txn_remove_number(txn, n);
  for (unsigned n = 290; n < 310; n++)
    txn_add_number(txn, n);
  assert_ok(quad_txn_snapshot(&own, txn, &err));
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_ok(quad_count(&added, own, &all, &err));
  assert_int_equal(added, 200 - 50 + 10);
  quad_snapshot_release(own);
  for (unsigned n = 150; n < 160; n++) /* terms that compact has dropped, and known ones */
    txn_add_number(txn, n);
  assert_ok(quad_txn_commit(&added, &removed, txn, &err));
  for (unsigned n = 0; n < 310; n++)
    if (n < 100 || (n >= 150 && n < 160) || n >= 250) text_add_number(&expected, n);
  text_sort(&expected);
  assert_int_equal(removed, 50);
  assert_int_equal(added, 20);
  assert_store(store, &expected);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

static void
test_compact__an_open_transaction_conflicts_on_what_it_scanned_or_lost(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_txn *reader, *remover, *late;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 30, false);
  assert_ok(quad_txn_begin(&reader, store, &err));
  assert_ok(quad_txn_scanned(reader, &all, &err));
  txn_add_number(reader, 40);
  assert_ok(quad_txn_begin(&remover, store, &err));
  txn_remove_number(remover, 3);
  assert_ok(quad_txn_begin(&late, store, &err));
  txn_remove_number(late, 50);
  change_numbers(store, 3, 4, true);
  change_numbers(store, 50, 51, false);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_int_equal(quad_txn_commit(NULL, NULL, reader, &err), QUOIN_ERR_CONFLICT);
  assert_non_null(strstr(err.message, "compacted"));
  assert_int_equal(quad_txn_commit(NULL, NULL, remover, &err), QUOIN_ERR_CONFLICT);
  assert_int_equal(quad_txn_commit(NULL, NULL, late, &err), QUOIN_ERR_CONFLICT);
  assert_ok(quad_txn_begin(&reader, store, &err)); /* tried again */
  assert_ok(quad_txn_scanned(reader, &all, &err));
  txn_add_number(reader, 40);
  assert_ok(quad_txn_commit(NULL, NULL, reader, &err));
  store_close(store);
  support_dir_remove(&d);
}

static void
test_compact__of_nothing(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  text none = {NULL, 0, 0};
  quad_stats stats;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_store(store, &none);
  change_numbers(store, 0, 100, false);
  change_numbers(store, 0, 100, true);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_store(store, &none);
  assert_ok(quad_store_stats(&stats, store, &err));
  assert_int_equal(stats.atoms.terms + stats.disk_runs + stats.memory_runs, 0);
  store_close(store);
  store = store_open(&d, 0);
  assert_store(store, &none);
  change_numbers(store, 0, 100, false);
  store_close(store);
  support_dir_remove(&d);
}

static void
test_compact__limits_leave_the_store_as_it_was(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  atomic_int flag = 1;
  base_cancel cancel = {.flag = &flag};
  unsigned files, again;
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 500, false);
  assert_ok(quad_checkpoint(store, &err));
  text expected = store_text(store);
  (void)dir_bytes(&d, &files);
  assert_int_equal(quad_store_compact(store, 64, NULL, &err), QUOIN_ERR_LIMIT);
  assert_int_equal(quad_store_compact(store, 0, &cancel, &err), QUOIN_ERR_CANCELLED);
  (void)dir_bytes(&d, &again);
  assert_int_equal(files, again);
  assert_store(store, &expected);
  store_close(store);
  text_free(&expected);
  support_dir_remove(&d);
}

/* The store is at most twice what a new one with the same quads would be. */
static void
test_compact__gives_the_space_back(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d, fresh;
  unsigned files;
  (void)state;

  support_dir_make(&d);
  support_dir_make(&fresh);
  quad_store *store = store_open(&d, 0), *other = store_open(&fresh, 0);
  change_numbers(store, 0, 20000, false);
  change_numbers(store, 2000, 20000, true);
  change_numbers(other, 0, 2000, false);
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  store_close(store);
  store_close(other);
  uint64_t one = dir_bytes(&d, &files), two = dir_bytes(&fresh, &files);
  if (one > 2 * two)
    fail_msg("%llu bytes after compacting, %llu in a new store", (unsigned long long)one,
             (unsigned long long)two);
  support_dir_remove(&d);
  support_dir_remove(&fresh);
}

/* ---- a model, and threads -------------------------------------------------------------------- */

enum { MODEL_QUADS = 600 };

static text
model_text(const bool there[MODEL_QUADS])
{
  text t = {NULL, 0, 0};
  for (unsigned n = 0; n < MODEL_QUADS; n++)
    if (there[n]) text_add_number(&t, n);
  text_sort(&t);
  return t;
}

/* Stretches of quads added and removed, compactions, clears, checkpoints and openings between; a
 * blind transaction is open across some of them. */
static void
test_compact__random_against_a_model(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  bool there[MODEL_QUADS] = {false};
  (void)state;

  support_seed();
  support_dir_make(&d);
  quad_store *store = store_open(&d, draw() % 2 ? 20000 : 0);
  for (unsigned i = 0; i < 60; i++) {
    unsigned from = (unsigned)(draw() % MODEL_QUADS), n = 1 + (unsigned)(draw() % 60);
    unsigned to = from + n < MODEL_QUADS ? from + n : MODEL_QUADS;
    bool remove = draw() % 2, between = true;
    quad_txn *txn;
    assert_ok(quad_txn_begin(&txn, store, &err));
    for (unsigned q = from; q < to; q++)
      (remove ? txn_remove_number : txn_add_number)(txn, q);
    switch (draw() % 6) {
    case 0:
      assert_ok(quad_store_compact(store, 0, NULL, &err));
      break;
    case 1:
      if (remove) { /* or it would conflict */
        quad_txn_abort(txn);
        txn = NULL;
      }
      assert_ok(quad_store_clear(store, &err));
      memset(there, 0, sizeof there);
      break;
    case 2:
      assert_ok(quad_checkpoint(store, &err));
      break;
    default:
      between = false;
    }
    if (txn) {
      assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
      memset(there + from, !remove, to - from);
    }
    if (draw() % 8 == 0) {
      store_close(store);
      store = store_open(&d, draw() % 2 ? 20000 : 0);
    }
    if (!between && i % 8) continue;
    text expected = model_text(there);
    assert_store(store, &expected);
    text_free(&expected);
  }
  store_close(store);
  support_dir_remove(&d);
}

typedef struct reading {
  quad_store *store;
  const text *one, *two; /* what may be there */
  atomic_int *stop;
  unsigned long looked;
} reading;

static void *
read_on(void *user)
{
  reading *r = user;
  while (!atomic_load(r->stop)) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_snapshot *s;
    assert_ok(quad_snapshot_acquire(&s, r->store, &err));
    text t = text_of(s, QUAD_POS);
    if (!text_equal(&t, r->one) && !text_equal(&t, r->two)) fail_msg("a reader saw neither state");
    text_free(&t);
    quad_snapshot_release(s);
    r->looked++;
  }
  return NULL;
}

static void
test_compact__readers_go_on(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  atomic_int stop = 0;
  pthread_t thread[2];
  reading r[2];
  (void)state;

  support_dir_make(&d);
  quad_store *store = store_open(&d, 0);
  change_numbers(store, 0, 200, false);
  text one = store_text(store);
  change_numbers(store, 200, 400, false);
  text two = store_text(store);
  for (unsigned i = 0; i < 2; i++) {
    r[i] = (reading){store, &one, &two, &stop, 0};
    assert_int_equal(pthread_create(&thread[i], NULL, read_on, &r[i]), 0);
  }
  for (unsigned i = 0; i < 25; i++) {
    change_numbers(store, 200, 400, true);
    assert_ok(quad_store_compact(store, 0, NULL, &err));
    change_numbers(store, 200, 400, false);
    if (i % 3 == 0) assert_ok(quad_store_compact(store, 0, NULL, &err));
  }
  atomic_store(&stop, 1);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_true(r[i].looked > 0);
  }
  assert_store(store, &two);
  store_close(store);
  text_free(&one);
  text_free(&two);
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_compact__keeps_every_quad_and_drops_what_nothing_uses),
      cmocka_unit_test(test_compact__blank_nodes_keep_their_labels),
      cmocka_unit_test(test_compact__snapshots_and_scans_stay_as_they_are),
      cmocka_unit_test(test_compact__an_open_transaction_commits),
      cmocka_unit_test(test_compact__an_open_transaction_conflicts_on_what_it_scanned_or_lost),
      cmocka_unit_test(test_compact__of_nothing),
      cmocka_unit_test(test_compact__limits_leave_the_store_as_it_was),
      cmocka_unit_test(test_compact__gives_the_space_back),
      cmocka_unit_test(test_compact__random_against_a_model),
      cmocka_unit_test(test_compact__readers_go_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
