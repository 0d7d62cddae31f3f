/* Vectors that one commit replaces by others: the graph finds the new ones as well as if it had
 * never had the old. */
#include "unit/vector_index_faults.h"

#include "vector/index.h"

enum { OLD = 4000, FRESH = 400, ROUNDS = 6 };

static void
begin_walked(world *w)
{
  begin(w);
  good(declare(w, P, "16", RDF_VEC "l2Metric"));
  close_store(w);
  open_on(w, false, NULL, NULL);
}

static void
replace(world *w, const char *prefix, float (*old)[DIM], int n_old, float (*fresh)[DIM],
        int n_fresh)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  put_vectors(txn, false, prefix, P, old, n_old);
  put_vectors(txn, true, prefix, P, fresh, n_fresh);
  good(quad_txn_commit(NULL, NULL, txn, &err));
  settle(w);
}

static uint32_t
slots_of(const world *w)
{
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  return hnsw_slots(atomic_load(&ix->set)->index[0]->graph);
}

static void
test_replaced__all_at_once_are_found_as_well(void **state)
{
  (void)state;
  static float old[OLD][DIM], fresh[FRESH][DIM];
  world w;
  begin_walked(&w);
  draw(&w, old, OLD);
  draw(&w, fresh, FRESH);
  good(change_vectors(&w, true, "a", P, old, OLD));
  settle(&w);
  replace(&w, "a", old, OLD, fresh, FRESH);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  assert_int_equal(slots_of(&w), OLD); /* the new ones have slots of the old */
  end(&w);
}

static void
test_replaced__rounds_use_slots_again(void **state)
{
  (void)state;
  static float values[2][FRESH][DIM];
  world w;
  begin_walked(&w);
  draw(&w, values[0], FRESH);
  good(change_vectors(&w, true, "a", P, values[0], FRESH));
  settle(&w);
  for (int round = 0; round < ROUNDS; round++) {
    draw(&w, values[(round + 1) % 2], FRESH);
    replace(&w, "a", values[round % 2], FRESH, values[(round + 1) % 2], FRESH);
    assert_true(missing(&w, values[(round + 1) % 2], FRESH, false, NULL) <= FRESH / 100);
  }
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  if (slots_of(&w) > 2 * FRESH) fail_msg("%u slots for %d vectors", slots_of(&w), FRESH);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_replaced__all_at_once_are_found_as_well),
      cmocka_unit_test(test_replaced__rounds_use_slots_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
