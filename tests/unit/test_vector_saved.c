/* What checkpoints, backups and processes that only read say of the graphs that are saved. */
#include "unit/vector_index_faults.h"

#include "vector/index.h"

enum { BASE = 200, HELD = 20, DEAD = 50 };

static void
test_saved__a_reading_process_keeps_its_graph_after_a_checkpoint(void **state)
{
  (void)state;
  float values[HELD][DIM];
  world w, reader;
  vec_choice choice;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", BASE, NULL);
  draw(&w, values, HELD);
  settle(&w);
  good(quad_checkpoint(w.store, &err));
  good(change_vectors(&w, true, "b", P, values, HELD));
  settle(&w);
  reader = w;
  open_on(&reader, true, NULL, NULL);
  assert_int_equal(missing(&reader, values, HELD, false, &choice), 0);
  assert_int_equal(choice, VEC_CHOICE_GRAPH);
  good(quad_checkpoint(w.store, &err));
  good(quad_store_refresh(NULL, reader.store, &err));
  look(&reader);
  assert_int_equal(missing(&reader, values, HELD, false, &choice), 0);
  if (choice != VEC_CHOICE_GRAPH) fail_msg("searched by %s", vec_choice_name(choice));
  close_store(&reader);
  end(&w);
}

/* The indexes cannot be made anew while memory is short: their graphs are of ids that are others.
 */
static void
test_saved__no_graph_of_other_ids(void **state)
{
  (void)state;
  static float values[BASE][DIM], more[2 * DEAD][DIM];
  world w;
  heap h;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  good(change(&w, true, iri(P), RDF_VEC "storage", iri(RDF_VEC "i8Code"), VEC_SYSTEM_GRAPH));
  close_store(&w);
  heap_begin(&h);
  open_on(&w, false, &h.alloc, NULL);
  draw(&w, values, BASE);
  draw(&w, more, 2 * DEAD);
  good(change_vectors(&w, true, "dead", "http://x/other", more, DEAD));
  good(change_vectors(&w, true, "a", P, values, BASE));
  good(change_vectors(&w, false, "dead", "http://x/other", more, DEAD));
  settle(&w);
  good(quad_checkpoint(w.store, &err));
  quad_snapshot_release(w.snapshot);
  w.snapshot = NULL;
  atomic_store(&h.refused, sizeof(vec_index));
  good(quad_store_compact(w.store, 0, NULL, &err));
  good(change_vectors(&w, true, "more", P, more, 2 * DEAD));
  close_store(&w);
  open_on(&w, false, NULL, NULL);
  settle(&w);
  assert_int_equal(missing(&w, values, BASE, true, NULL), 0);
  assert_int_equal(missing(&w, values, BASE, false, NULL), 0);
  end(&w);
}

/* A process that reads has moved on to a newer version with its graph of an older one. */
static void
test_saved__a_backup_says_of_which_version_its_graphs_are(void **state)
{
  (void)state;
  float values[HELD][DIM];
  world w, reader, copied;
  heap h;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", BASE, NULL);
  draw(&w, values, HELD);
  good(change_vectors(&w, true, "t", "http://x/other", values, HELD));
  settle(&w);
  good(quad_checkpoint(w.store, &err));
  heap_begin(&h);
  reader = copied = w;
  open_on(&reader, true, &h.alloc, NULL);
  good(change_vectors(&w, true, "late", P, values, HELD));
  settle(&w);
  good(quad_checkpoint(w.store, &err));
  atomic_store(&h.refused, sizeof(vec_index)); /* between the two halves of a refresh */
  good(quad_store_refresh(NULL, reader.store, &err));
  (void)snprintf(copied.path, sizeof(copied.path), "%.120s-copy", w.path);
  good(quad_store_backup(reader.store, copied.path, NULL, &err));
  atomic_store(&h.refused, 0);
  close_store(&reader);
  open_on(&copied, false, NULL, NULL);
  settle(&copied);
  size_t lost = missing(&copied, values, HELD, false, NULL);
  close_store(&copied);
  if (lost) fail_msg("%zu of %d are not found", lost, HELD);
  end(&w);
}

static uint64_t
wanted(const world *w)
{
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  return atomic_load(&atomic_load(&ix->set)->index[0]->verify_wanted);
}

/* One that is looked at again by each process that opens the store would be uncertain. */
static void
test_saved__a_load_without_vectors_leaves_a_clean_graph(void **state)
{
  (void)state;
  world w;
  quad_bulk *bulk;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", BASE, NULL);
  good(change(&w, true, iri("http://x/s"), "http://x/q", iri("http://x/o"), NULL));
  settle(&w);
  vec_terms terms = vec_store_terms(w.snapshot);
  atom_id id[3];
  const rdf_term names[3] = {iri("http://x/s"), iri("http://x/q"), iri("http://x/s")};
  for (int i = 0; i < 3; i++)
    good(terms.find(&id[i], terms.user, &names[i], &err));
  const quad one = {.term = {id[0], id[1], id[2]}};
  good(quad_bulk_begin(&bulk, w.store, 0, 1, &err));
  good(quad_bulk_add(bulk, &one, 1, &err));
  good(quad_bulk_finish(NULL, bulk, NULL, &err));
  settle(&w);
  close_store(&w);
  open_on(&w, true, NULL, NULL);
  assert_int_equal(wanted(&w), 0);
  end(&w);
}

/* Vectors that lost a quad and have another: nothing leaves the graph. */
static void
test_saved__notes_that_come_to_nothing_leave_a_clean_graph(void **state)
{
  (void)state;
  static float values[HELD][DIM];
  world w;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  draw(&w, values, HELD);
  good(change_vectors(&w, true, "a", P, values, HELD));
  good(change_vectors(&w, true, "b", P, values, HELD));
  settle(&w);
  const vec_indexes *ix = quad_snapshot_participant(w.snapshot);
  vec_index *index = atomic_load(&ix->set)->index[0];
  atomic_fetch_add(&index->leaving, 1); /* as if the thread had not come to it */
  good(change_vectors(&w, false, "a", P, values, HELD));
  good(quad_checkpoint(w.store, &err));
  settle(&w);
  for (int i = 0; i < 5000 && atomic_load(&index->leaving) > 1; i++)
    (void)usleep(1000);
  atomic_fetch_sub(&index->leaving, 1);
  assert_int_equal(atomic_load(&index->leaving), 0);
  close_store(&w);
  open_on(&w, true, NULL, NULL);
  assert_int_equal(wanted(&w), 0);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_saved__a_reading_process_keeps_its_graph_after_a_checkpoint),
      cmocka_unit_test(test_saved__no_graph_of_other_ids),
      cmocka_unit_test(test_saved__a_backup_says_of_which_version_its_graphs_are),
      cmocka_unit_test(test_saved__a_load_without_vectors_leaves_a_clean_graph),
      cmocka_unit_test(test_saved__notes_that_come_to_nothing_leave_a_clean_graph),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
