/* Searches inside transactions that have written: against brute force over what the transaction
 * sees, by every way a search goes. */
#include "unit/vector_txn_model.h"

#include "support/memory.h"

#include <pthread.h>

/* ---- tests ------------------------------------------------------------------------------------
 */

static void
run(bool walk_always)
{
  model m;
  begin_model(&m, walk_always, NULL);
  for (int round = 0; round < 4; round++) {
    said *before = malloc(ROOM * sizeof(*before));
    int n = m.n;
    assert_non_null(before);
    memcpy(before, m.said, ROOM * sizeof(*before));
    start(&m);
    show(&m);
    look_around(&m, 2);
    for (int i = 0, parts = 1 + pick(&m, 6); i < parts; i++) {
      int steps = pick(&m, chance(&m.w) < 0.3 ? 200 : 20);
      while (steps--)
        step(&m);
      show(&m);
      look_around(&m, 6);
    }
    bool commit = chance(&m.w) < 0.5;
    if (!commit) {
      memcpy(m.said, before, ROOM * sizeof(*before));
      m.n = n;
    }
    free(before);
    finish(&m, commit);
    look_around(&m, 3);
  }
  double recall = m.there ? (double)m.found / (double)m.there : 1;
  print_message("seed %s: recall %.4f; ways %d %d %d %d %d %d\n",
                getenv("QUOIN_SEED") ? getenv("QUOIN_SEED") : "7", recall, m.ways[0], m.ways[1],
                m.ways[2], m.ways[3], m.ways[4], m.ways[5]);
  expect_recall(recall);
  end_model(&m);
}

static void
test_txn__searches_see_what_it_has_written(void **state)
{
  (void)state;
  run(false);
}

static void
test_txn__searches_through_the_graph_see_it_too(void **state)
{
  (void)state;
  run(true);
}

/* ---- what goes again --------------------------------------------------------------------------
 */

/* Far more is added and removed than is left at any time. */
static void
test_txn__what_was_removed_again_is_forgotten(void **state)
{
  (void)state;
  model m;
  begin_model(&m, true, NULL);
  start(&m);
  while (m.n_values + CHURN < ROOM) {
    int kept = m.n, values = m.n_values;
    for (int i = 0; i < CHURN; i++)
      add(&m, (said){pick(&m, ROOM), new_vector(&m), pick(&m, GRAPHS)});
    show(&m);
    look_around(&m, 3);
    while (m.n > kept + 20)
      drop(&m, kept + pick(&m, m.n - kept));
    show(&m);
    look_around(&m, 3);
    for (int i = 0; i < 50; i++) /* some that were, and went */
      add(&m, (said){pick(&m, ROOM), values + pick(&m, m.n_values - values), pick(&m, GRAPHS)});
    show(&m);
    look_around(&m, 3);
  }
  finish(&m, true);
  look_around(&m, 3);
  end_model(&m);
}

/* ---- views before the newest ------------------------------------------------------------------
 */

static void
test_txn__an_older_view_stays_what_it_is(void **state)
{
  (void)state;
  model m;
  begin_model(&m, true, NULL);
  said *then = malloc(ROOM * sizeof(*then));
  assert_non_null(then);
  start(&m);
  for (int i = 0; i < 30; i++)
    step(&m);
  show(&m);
  look_around(&m, 2);
  quad_snapshot *held = quad_snapshot_retain(m.view);
  memcpy(then, m.said, ROOM * sizeof(*then));
  int n = m.n;
  for (int part = 0; part < 4; part++) {
    for (int i = 0; i < 400; i++)
      step(&m);
    show(&m);
    look_around(&m, 2);
    model old = m;
    old.said = then;
    old.n = n;
    old.view = held;
    look_around(&old, 2);
    m.w.seed = old.w.seed;
  }
  quad_snapshot_release(held);
  free(then);
  finish(&m, false);
  end_model(&m);
}

/* ---- declarations -----------------------------------------------------------------------------
 */

static bool
is_declared(vec_declaration *d, model *m, const char *predicate)
{
  const vec_terms terms = terms_of(m);
  bool found;
  good(vec_declaration_find(d, &found, m->view, &terms, id_of(m, iri(predicate)),
                            base_alloc_default(), &err));
  return found;
}

static void
say_declared(model *m, bool yes, const char *predicate, const char *dimension)
{
  const rdf_term what[3][2] = {{iri(RDF_NS "type"), iri(RDF_VEC "Index")},
                               {iri(RDF_VEC "dimension"), number(dimension)},
                               {iri(RDF_VEC "metric"), iri(RDF_VEC "l2Metric")}};
  for (int i = 0; i < 3; i++) {
    const rdf_term terms[4] = {iri(predicate), what[i][0], what[i][1], iri(VEC_SYSTEM_GRAPH)};
    good(yes ? quad_txn_add(m->txn, terms, &err) : quad_txn_remove(m->txn, terms, &err));
  }
  show(m);
}

static void
test_txn__declarations_are_its_own(void **state)
{
  (void)state;
  model m;
  vec_declaration d;
  begin_model(&m, true, NULL);
  start(&m);
  add(&m, (said){1, new_vector(&m), 0});
  show(&m);
  assert_true(is_declared(&d, &m, P));
  look_around(&m, 1);
  say_declared(&m, false, P, "16");
  assert_false(is_declared(&d, &m, P));
  say_declared(&m, true, P, "5"); /* a commit would refuse it */
  assert_true(is_declared(&d, &m, P));
  assert_int_equal(d.dimension, 5);
  say_declared(&m, false, P, "5");
  say_declared(&m, true, P, "16");
  add(&m, (said){2, new_vector(&m), 0});
  show(&m);
  assert_true(is_declared(&d, &m, P));
  look_around(&m, 3);

  /* Of another predicate: over what was there, and what comes. */
  assert_false(is_declared(&d, &m, OTHER));
  say_declared(&m, true, OTHER, "16");
  assert_true(is_declared(&d, &m, OTHER));
  say(&m, true, OTHER, &(said){77, new_vector(&m), 0});
  show(&m);
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  const vec_terms terms = terms_of(&m);
  const float *near = m.values[m.n_values - 1];
  vec_request r = {.index = &d,
                   .graphs = &plain,
                   .terms = &terms,
                   .near = &near,
                   .n_near = 1,
                   .k = SPARE + 5,
                   .max_distance = HUGE_VAL};
  vec_found *found;
  vec_report report = {0};
  size_t n;
  good(vec_search(&found, &n, &report, m.view, &r, base_alloc_default(), &err));
  assert_int_equal(n, SPARE + 1);
  assert_true(m.as_json[m.n_values - 1] || found[0].distance == 0);
  assert_true(atom_id_equal(found[0].subject, subject_id(&m, 77)));
  base_release(base_alloc_default(), found, n, sizeof(*found));
  finish(&m, false);
  look_around(&m, 0);
  end_model(&m);
}

/* ---- short of memory --------------------------------------------------------------------------
 */

/* `at`: the allocation that fails; false: there were not so many. */
static bool
without(model *m, support_memory *memory, uint64_t at)
{
  said *before = malloc(ROOM * sizeof(*before));
  int n = m->n, n_values = m->n_values;
  assert_non_null(before);
  memcpy(before, m->said, ROOM * sizeof(*before));
  start(m);
  for (int i = 0; i < 300; i++)
    add(m, (said){pick(m, ROOM), chance(&m->w) < 0.9 ? new_vector(m) : pick(m, n), 0});
  for (int i = 0; i < 20; i++)
    drop(m, pick(m, m->n));
  support_memory_fail(memory, at);
  quoin_status st = quad_txn_snapshot(&m->view, m->txn, &err);
  assert_true(!st || st == QUOIN_ERR_NOMEM);
  if (!st) {
    const vec_terms terms = terms_of(m);
    const vec_graphs plain = {.scope = QUAD_DEFAULT};
    const float *near = m->values[0];
    vec_declaration d;
    bool declared;
    vec_found *found = NULL;
    vec_report report = {0};
    size_t got = 0;
    st = vec_declaration_find(&d, &declared, m->view, &terms, id_of(m, iri(P)), m->mem, &err);
    const vec_request r = {.index = &d,
                           .graphs = &plain,
                           .terms = &terms,
                           .near = &near,
                           .n_near = 1,
                           .k = K,
                           .max_distance = HUGE_VAL};
    if (!st) st = vec_search(&found, &got, &report, m->view, &r, m->mem, &err);
    assert_true(!st || st == QUOIN_ERR_NOMEM);
    if (!st) base_release(m->mem, found, got, sizeof(*found));
  }
  bool more = atomic_load(&memory->calls) >= at;
  support_memory_fail(memory, 0);
  base_error_clear(&err);
  show(m); /* it goes on as if nothing had been */
  look_around(m, 1);
  memcpy(m->said, before, ROOM * sizeof(*before));
  m->n = n;
  m->n_values = n_values;
  free(before);
  finish(m, false);
  return more;
}

static void
test_txn__without_memory(void **state)
{
  (void)state;
  support_memory memory = {0};
  const quoin_alloc mem = support_alloc(&memory);
  model m;
  begin_model(&m, true, &mem);
  uint64_t at = 1, tried = 0;
  for (; without(&m, &memory, at); at++)
    tried++;
  print_message("%llu of %llu allocations failed\n", (unsigned long long)tried,
                (unsigned long long)at);
  assert_true(tried > 20);
  end_model(&m);
  assert_int_equal(atomic_load(&memory.bytes), 0);
}

/* ---- beside others ----------------------------------------------------------------------------
 */

typedef struct others {
  model *m;
  pthread_t id;
  _Atomic bool stop;
  unsigned searches;
} others;

/* Searches of what is committed, and commits to a graph that the transactions do not look at. */
static void *
go_on(void *user)
{
  others *o = user;
  quoin_error why = QUOIN_ERROR_INIT;
  world w = {.store = o->m->w.store, .seed = 99};
  while (!atomic_load(&o->stop)) {
    const vec_graphs plain = {.scope = QUAD_DEFAULT};
    const rdf_term name = iri(P);
    float near[DIM];
    const float *const at = near;
    atom_id p;
    vec_found *found;
    vec_report report = {0};
    vec_declaration d;
    bool declared;
    size_t n;
    char subject[32];
    random_vector(&w, near);
    assert_false(quad_snapshot_acquire(&w.snapshot, w.store, &why));
    const vec_terms terms = vec_store_terms(w.snapshot);
    assert_false(terms.find(&p, terms.user, &name, &why));
    assert_false(
        vec_declaration_find(&d, &declared, w.snapshot, &terms, p, base_alloc_default(), &why));
    const vec_request r = {.index = &d,
                           .graphs = &plain,
                           .terms = &terms,
                           .near = &at,
                           .n_near = 1,
                           .k = K,
                           .max_distance = HUGE_VAL};
    assert_false(vec_search(&found, &n, &report, w.snapshot, &r, base_alloc_default(), &why));
    assert_int_equal(n, K);
    base_release(base_alloc_default(), found, n, sizeof(*found));
    quad_snapshot_release(w.snapshot);
    quad_txn *txn;
    (void)snprintf(subject, sizeof(subject), "http://x/o%u", o->searches++);
    const rdf_term terms_of_it[4] = {iri(subject), name, rdf_vector(near, DIM),
                                     iri("http://x/far")};
    assert_false(quad_txn_begin(&txn, w.store, &why));
    assert_false(quad_txn_add(txn, terms_of_it, &why));
    assert_false(quad_txn_commit(NULL, NULL, txn, &why));
  }
  return NULL;
}

static void
test_txn__beside_commits_and_searches(void **state)
{
  (void)state;
  model m;
  begin_model(&m, true, NULL);
  m.one_graph = true;
  others o = {.m = &m};
  assert_int_equal(pthread_create(&o.id, NULL, go_on, &o), 0);
  for (int round = 0; round < 4; round++) {
    start(&m);
    for (int part = 0; part < 3; part++) {
      for (int i = 0; i < 40; i++) /* nothing is removed that others might */
        add(&m, (said){pick(&m, ROOM), new_vector(&m), pick(&m, GRAPHS)});
      show(&m);
      look_around(&m, 4);
    }
    finish(&m, true);
    look_around(&m, 2);
  }
  atomic_store(&o.stop, true);
  assert_int_equal(pthread_join(o.id, NULL), 0);
  print_message("%u searches beside\n", o.searches);
  end_model(&m);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_txn__searches_see_what_it_has_written),
      cmocka_unit_test(test_txn__searches_through_the_graph_see_it_too),
      cmocka_unit_test(test_txn__what_was_removed_again_is_forgotten),
      cmocka_unit_test(test_txn__an_older_view_stays_what_it_is),
      cmocka_unit_test(test_txn__declarations_are_its_own),
      cmocka_unit_test(test_txn__without_memory),
      cmocka_unit_test(test_txn__beside_commits_and_searches),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
