/* Commits beside the thread that links: what they need not wait for, and what it need not do. */
#include "unit/vector_index_faults.h"

enum { MOST = 10000, BASE = 200, FAILED = 1100, DROPPED = 3000 };
enum { BOUND = 256, STEP = BOUND / 4, FED = 12 * BOUND, FEW = 16, TRIES = 3 };
#define MS 1000000

static void
test_commits__without_the_order_of_objects_nothing_waits(void **state)
{
  (void)state;
  static float values[MOST][DIM];
  world w;
  const quad_store_options options = {.create = true, .orders = 1u << QUAD_SPO | 1u << QUAD_PSO};
  const vec_options vectors = {.unlinked = 64};
  begin(&w);
  close_store(&w);
  (void)strcat(w.path, "2");
  good(quad_store_open(&w.store, w.path, &options, NULL, &err));
  good(vec_attach(w.store, &vectors, &err));
  look(&w);
  good(declare(&w, P, "16", NULL));
  draw(&w, values, MOST);
  good(change_vectors(&w, true, "a", P, values, MOST));
  good(change_vectors(&w, false, "a", P, values, MOST));
  good(change_vectors(&w, true, "a", P, values, BASE));
  look(&w);
  const vec_indexes *ix = quad_snapshot_participant(w.snapshot);
  const vec_index *index = atomic_load(&ix->set)->index[0];
  assert_int_equal(index->gone.n, 0);
  assert_int_equal(vec_index_waiting(index), 0); /* else commits would slow down */
  assert_int_equal(missing(&w, values, BASE, false, NULL), 0);
  end(&w);
}

/* What it noted as late is taken, and settling ends. */
static void
test_commits__one_that_fails_leaves_nothing_to_wait_for(void **state)
{
  (void)state;
  static float values[FAILED][DIM];
  world w;
  heap h;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  close_store(&w);
  heap_begin(&h);
  open_on(&w, false, &h.alloc, NULL);
  draw(&w, values, FAILED);
  good(change_vectors(&w, true, "t", "http://x/other", values, FAILED));
  settle(&w);
  atomic_store(&h.refused, 2 * VEC_LATE_FIRST * sizeof(uint32_t));
  assert_int_equal(change_vectors(&w, true, "l", P, values, FAILED), QUOIN_ERR_NOMEM);
  atomic_store(&h.refused, 0);
  look(&w);
  base_cancel cancel = {.deadline_ns = base_clock_ns() + 60000000000u};
  good(vec_settle(w.snapshot, &cancel, &err));
  end(&w);
}

static void
test_commits__one_that_is_refused_is_not_on_its_way(void **state)
{
  (void)state;
  world w;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", 1, NULL);
  const vec_indexes *ix = quad_snapshot_participant(w.snapshot);
  vec_index *index = atomic_load(&ix->set)->index[0];
  atomic_store(&index->unsure, true); /* as if it was made anew meanwhile */
  assert_true(change(&w, true, iri("http://x/s"), P, vector_text("[1,2]"), NULL) < 0);
  base_error_clear(&err);
  assert_false(atomic_load(&ix->judging));
  assert_false(atomic_load(&index->unsure));
  end(&w);
}

/* ---- beside whoever holds the graphs -----------------------------------------------------------
 */

static void *
save(void *user)
{
  holder *h = user;
  quoin_error why = QUOIN_ERROR_INIT;
  (void)quad_checkpoint(h->store, &why);
  return NULL;
}

static void
test_commits__go_on_while_a_checkpoint_is_asked_for(void **state)
{
  (void)state;
  world w;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", BASE, NULL);
  settle(&w);
  good(quad_checkpoint(w.store, &err));
  holder *h = hold_graphs(&w);
  assert_int_equal(pthread_create(&h->saves, NULL, save, h), 0); /* there is nothing to save */
  (void)usleep(100000);
  uint64_t begun = base_clock_ns();
  good(change(&w, true, iri("http://x/s"), "http://x/q", iri("http://x/o"), NULL));
  double seconds = (double)(base_clock_ns() - begun) / 1e9;
  atomic_store(&h->done, true);
  assert_int_equal(pthread_join(h->saves, NULL), 0);
  let_go(h);
  if (seconds > 10) fail_msg("a commit took %.1f s", seconds);
  end(&w);
}

static void
test_commits__a_graph_that_nobody_declares_is_not_made(void **state)
{
  (void)state;
  world w;
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term type[4] = {iri(P), iri(RDF_NS "type"), iri(RDF_VEC "Index"), system};
  const rdf_term dim[4] = {iri(P), iri(RDF_VEC "dimension"), number("16"), system};
  begin(&w);
  good(change(&w, true, iri("http://x/s"), P,
              vector_text("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"), NULL));
  add_many(&w, "a", DROPPED, NULL);
  holder *h = hold_graphs(&w); /* nothing is linked until then */
  good(declare(&w, P, "16", NULL));
  good(declare(&w, "http://x/v2", "16", NULL));
  look(&w);
  vec_indexes *ix = h->ix;
  uint64_t entered = vec_epoch_enter(&ix->users); /* so that it stays */
  const vec_index_set *set = atomic_load(&ix->set);
  assert_int_equal(set->n, 2);
  vec_index *dropped = NULL;
  vec_declaration d = declared(&w);
  for (size_t i = 0; i < set->n; i++)
    if (atom_id_equal(set->index[i]->declared.predicate, d.predicate)) dropped = set->index[i];
  good(quad_txn_begin(&txn, w.store, &err));
  good(quad_txn_remove(txn, type, &err));
  good(quad_txn_remove(txn, dim, &err));
  good(quad_txn_commit(NULL, NULL, txn, &err));
  good(change(&w, true, iri("http://x/s"), "http://x/v2",
              vector_text("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17]"), NULL));
  let_go(h);
  settle(&w); /* the thread has come to the other one */
  if (hnsw_count(dropped->graph) > 512)
    fail_msg("%u nodes of %d", hnsw_count(dropped->graph), DROPPED);
  vec_epoch_leave(&ix->users, entered);
  end(&w);
}

/* ---- slower as more wait ----------------------------------------------------------------------
 */

/* Commits sync nothing: what they take is the wait. */
static vec_index *
begin_bounded(world *w)
{
  const quad_store_options options = {.durability = QUAD_SYNC_OFF};
  const vec_options vectors = {.unlinked = BOUND, .threads = 1};
  begin(w);
  good(declare(w, P, "16", NULL));
  close_store(w);
  good(quad_store_open(&w->store, w->path, &options, NULL, &err));
  good(vec_attach(w->store, &vectors, &err));
  settle(w);
  const vec_indexes *ix = quad_snapshot_participant(w->snapshot);
  return atomic_load(&ix->set)->index[0];
}

/* The least of what some commits take that add no vector: the machine has other work, too. */
static uint64_t
commit_ns(world *w, int tries)
{
  static unsigned serial;
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < tries; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "http://x/o%u", serial++);
    uint64_t begun = base_clock_ns();
    good(change(w, true, iri("http://x/s"), "http://x/q", iri(name), NULL));
    uint64_t ns = base_clock_ns() - begun;
    if (ns < least) least = ns;
  }
  return least;
}

/* Up to three quarters of the bound no wait, at the bound a ms, beyond it what linking the rest
 * would take and no more than as much again, and never more than five seconds. */
static void
test_commits__become_slower_smoothly_past_the_bound(void **state)
{
  (void)state;
  enum { NOISE = 50 * MS, LEVELS = 10 };
  static float values[LEVELS * STEP][DIM];
  world w;
  vec_index *index = begin_bounded(&w);
  uint64_t before = 0;
  draw(&w, values, LEVELS * STEP);
  holder *h = hold_graphs(&w);
  double pace = atomic_load(&h->ix->pace);
  for (unsigned level = 1; level <= LEVELS; level++) {
    char prefix[16];
    unsigned waiting = level * STEP, beyond = waiting > BOUND ? waiting - BOUND : 0;
    (void)snprintf(prefix, sizeof(prefix), "l%u-", level);
    good(change_vectors(&w, true, prefix, P, values + waiting - STEP, STEP));
    assert_int_equal(vec_index_waiting(index), waiting);
    uint64_t ns = commit_ns(&w, TRIES), least = (uint64_t)(beyond * pace);
    if (ns < least || ns > 2 * least + NOISE)
      fail_msg("with %u of %d waiting a commit takes %.1f ms, linking %u of them %.1f", waiting,
               BOUND, (double)ns / MS, beyond, (double)least / MS);
    if (ns + NOISE < before)
      fail_msg("with %u waiting a commit takes %.1f ms, with fewer %.1f", waiting, (double)ns / MS,
               (double)before / MS);
    before = ns;
  }
  atomic_store(&h->ix->pace, 1e9); /* as if linking took a second each */
  uint64_t longest = commit_ns(&w, 1);
  if (longest < 4900ull * MS || longest > 10000ull * MS)
    fail_msg("at most 5 s, and it is %.1f", (double)longest / 1e9);
  atomic_store(&h->ix->pace, pace);
  let_go(h);
  settle(&w);
  assert_int_equal(vec_index_waiting(index), 0);
  assert_true(commit_ns(&w, TRIES) < NOISE);
  assert_int_equal(missing(&w, values, LEVELS * STEP, true, NULL), 0);
  assert_true(missing(&w, values, LEVELS * STEP, false, NULL) <= LEVELS * STEP / 100);
  end(&w);
}

/* Whoever commits without a pause is held to the rate of linking. */
static void
test_commits__keep_what_waits_near_the_bound(void **state)
{
  (void)state;
  static float values[FED][DIM];
  world w;
  vec_index *index = begin_bounded(&w);
  uint64_t most = 0;
  draw(&w, values, FED);
  for (int i = 0; i < FED; i += FEW) {
    char prefix[16];
    (void)snprintf(prefix, sizeof(prefix), "f%d-", i);
    good(change_vectors(&w, true, prefix, P, values + i, FEW));
    uint64_t waiting = vec_index_waiting(index);
    if (waiting > most) most = waiting;
  }
  if (most > 4 * BOUND) fail_msg("%llu wait, the bound is %d", (unsigned long long)most, BOUND);
  settle(&w);
  assert_int_equal(hnsw_count(index->graph), FED);
  assert_int_equal(missing(&w, values, FED / 10, true, NULL), 0);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_commits__without_the_order_of_objects_nothing_waits),
      cmocka_unit_test(test_commits__one_that_fails_leaves_nothing_to_wait_for),
      cmocka_unit_test(test_commits__one_that_is_refused_is_not_on_its_way),
      cmocka_unit_test(test_commits__go_on_while_a_checkpoint_is_asked_for),
      cmocka_unit_test(test_commits__a_graph_that_nobody_declares_is_not_made),
      cmocka_unit_test(test_commits__become_slower_smoothly_past_the_bound),
      cmocka_unit_test(test_commits__keep_what_waits_near_the_bound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
