/* Commits and loads that fail after the indexes have judged them: what they noted is undone. */
#include "unit/vector_index_faults.h"

#include "crash/fault.h"

enum { BASE = 300, BACK = 12, LATE = 40 };

static const char other[] = "http://x/other";

/* BASE vectors of the predicate, LATE of another one, all linked; the log is to be begun. */
static void
prepare(world *w, float (*values)[DIM], float (*late)[DIM])
{
  begin(w);
  good(declare(w, P, "16", NULL));
  draw(w, values, BASE);
  draw(w, late, LATE);
  good(change_vectors(w, true, "a", P, values, BASE));
  good(change_vectors(w, true, "l", other, late, LATE));
  settle(w);
  close_store(w);
  open_on(w, false, NULL, NULL);
  settle(w);
}

static vec_index *
the_index(const world *w)
{
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  return atomic_load(&ix->set)->index[0];
}

/* `nodes`: as many vectors as the predicate has; nothing else is in the graph. */
static void
expect_clean(world *w, uint64_t nodes)
{
  vec_stats stats;
  vec_declaration d = declared(w);
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  const vec_index *index = the_index(w);
  assert_false(atomic_load(&ix->judging));
  assert_false(atomic_load(&index->unsure) || atomic_load(&index->broken));
  assert_int_equal(atomic_load(&index->loading), 0);
  base_cancel cancel = {.deadline_ns = base_clock_ns() + 60000000000u};
  good(vec_settle(w->snapshot, &cancel, &err));
  vec_index_stats(&stats, w->snapshot, &d);
  assert_int_equal(stats.nodes, nodes);
  assert_int_equal(stats.waiting + stats.leaving, 0);
  assert_true(vec_index_has_all(index, w->snapshot));
}

static void
expect_found(world *w, float (*values)[DIM], int n)
{
  vec_choice choice;
  assert_int_equal(missing(w, values, n, false, &choice), 0);
  assert_int_equal(choice, VEC_CHOICE_GRAPH);
}

/* Vectors of another predicate, which lie below the mark, and some that go. */
static quoin_status
change_much(world *w, float (*values)[DIM], float (*late)[DIM])
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  put_vectors(txn, true, "l", P, late, LATE);
  put_vectors(txn, false, "a", P, values, BASE / 2);
  return quad_txn_commit(NULL, NULL, txn, &err);
}

static void
test_dropped__a_commit_that_finds_no_space(void **state)
{
  (void)state;
  static float values[BASE][DIM], late[LATE][DIM];
  world w;
  prepare(&w, values, late);
  fault_begin(w.path, NULL);
  fault_at(1, FAULT_ENOSPC);
  quoin_status st = change_much(&w, values, late);
  (void)fault_end(NULL);
  assert_int_equal(st, QUOIN_ERR_NO_SPACE);
  base_error_clear(&err);
  look(&w);
  expect_clean(&w, BASE);
  expect_found(&w, values, BASE);
  good(change_much(&w, values, late)); /* there is space again */
  look(&w);
  expect_clean(&w, BASE - BASE / 2 + LATE);
  expect_found(&w, late, LATE);
  close_store(&w);
  open_on(&w, false, NULL, NULL);
  expect_clean(&w, BASE - BASE / 2 + LATE);
  end(&w);
}

/* Some are noted as gone and still in the graph when they are to come back with a commit that
 * fails. */
static void
test_dropped__what_was_to_come_back_leaves(void **state)
{
  (void)state;
  static float values[BASE][DIM], late[LATE][DIM];
  world w;
  prepare(&w, values, late);
  good(change_vectors(&w, false, "a", P, values, BACK)); /* too few to be taken out at once */
  good(quad_checkpoint(w.store, &err));                  /* the log is to be begun again */
  assert_int_equal(atomic_load(&the_index(&w)->leaving), BACK);
  fault_begin(w.path, NULL);
  fault_at(1, FAULT_ENOSPC);
  quoin_status st = change_vectors(&w, true, "a", P, values, BACK);
  (void)fault_end(NULL);
  assert_int_equal(st, QUOIN_ERR_NO_SPACE);
  base_error_clear(&err);
  look(&w);
  expect_clean(&w, BASE - BACK);
  end(&w);
}

/* The log cannot be written: the store takes no more commits, and is searched as before. */
static void
test_dropped__a_log_that_fails(void **state)
{
  (void)state;
  static float values[BASE][DIM], late[LATE][DIM];
  for (uint64_t call = 1; call < 64; call++) {
    world w;
    bool struck;
    prepare(&w, values, late);
    fault_begin(w.path, NULL);
    fault_at(call, FAULT_EIO);
    quoin_status st = change_much(&w, values, late);
    (void)fault_end(&struck);
    base_error_clear(&err);
    look(&w);
    expect_clean(&w, st ? BASE : BASE - BASE / 2 + LATE);
    expect_found(&w, values + BASE / 2, BASE / 2);
    if (!st) expect_found(&w, late, LATE);
    quad_snapshot_release(w.snapshot);
    w.snapshot = NULL;
    (void)quad_store_close(w.store, &err); /* it is poisoned, or not */
    base_error_clear(&err);
    open_on(&w, false, NULL, NULL);
    settle(&w); /* whether the commit is there is not known */
    vec_stats stats;
    vec_declaration d = declared(&w);
    vec_index_stats(&stats, w.snapshot, &d);
    assert_true(stats.nodes == BASE || stats.nodes == BASE - BASE / 2 + LATE);
    expect_found(&w, values + BASE / 2, BASE / 2);
    end(&w);
    if (!struck) break;
    assert_true(call < 63);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dropped__a_commit_that_finds_no_space),
      cmocka_unit_test(test_dropped__what_was_to_come_back_leaves),
      cmocka_unit_test(test_dropped__a_log_that_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
