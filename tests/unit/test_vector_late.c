/* Vectors that come late, from below the mark: while a graph is compared with its quads, and of a
 * commit that failed. */
#include "unit/vector_index_faults.h"

#include "vector/index.h"

enum { BASE = 200, HELD = 20 };

static void
test_late__what_comes_back_while_it_is_compared_is_found(void **state)
{
  (void)state;
  static float values[BASE][DIM];
  world w;
  heap h;
  vec_choice choice;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  draw(&w, values, BASE);
  good(change_vectors(&w, true, "a", P, values, BASE));
  settle(&w);
  close_store(&w);
  open_store(&w, false); /* what is in the log when a process is killed */
  good(change_vectors(&w, false, "a", P, values, HELD));
  close_store(&w);

  heap_begin(&h);
  h.stop_at = 2; /* its first is before it takes a snapshot */
  atomic_store(&h.armed, true);
  open_on(&w, false, &h.alloc, NULL);
  for (int i = 0; i < 10000 && !atomic_load(&h.waits); i++)
    (void)usleep(1000);
  assert_true(atomic_load(&h.waits));
  good(change_vectors(&w, true, "a", P, values, HELD));
  atomic_store(&h.armed, false);
  settle(&w);
  const vec_indexes *ix = quad_snapshot_participant(w.snapshot);
  for (int i = 0; i < 5000 && atomic_load(&atomic_load(&ix->set)->index[0]->leaving) > BASE / 20;
       i++)
    (void)usleep(1000);
  size_t lost = missing(&w, values, HELD, false, &choice);
  assert_int_equal(choice, VEC_CHOICE_GRAPH);
  if (lost) fail_msg("%zu of %d are not found through the graph", lost, HELD);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_late__what_comes_back_while_it_is_compared_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
