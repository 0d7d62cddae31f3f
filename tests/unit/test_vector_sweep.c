/* Sweeps in steps, between which nodes are deleted, come back, are saved: every live node can be
 * reached at every moment. */
#include "unit/test_vector_support.h"
#include "vector/hnsw_internal.h"

enum { ROWS = 900, STEP = 50 };

static world
small_world(uint32_t rows, uint32_t m)
{
  return world_new(rows, (hnsw_options){.dims = 16, .code = VEC_I8, .m = m, .ef_construction = 40});
}

static hnsw *
graph_of(const world *w)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g;
  hnsw_item *items = malloc(sizeof(*items) * w->rows);
  for (uint32_t row = 0; row < w->rows; row++)
    items[row] = (hnsw_item){.key = row + 1, .row = row};
  assert_ok(hnsw_new(&g, 5, &w->options, base_alloc_default(), &err));
  assert_ok(hnsw_build(g, items, w->rows, 1, &w->vectors, NULL, NULL, &err));
  free(items);
  return g;
}

static void
expect_reached(hnsw *g, const char *when)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_check_report report;
  quoin_status st = hnsw_check(&report, g, false, NULL, &err);
  if (st) fail_msg("%s: status %d: %s", when, (int)st, err.message);
  if (report.unreachable)
    fail_msg("%s: %llu of %llu nodes are unreachable", when, (unsigned long long)report.unreachable,
             (unsigned long long)report.nodes);
}

/* Every `each`th row from `from` on. */
static void
delete_some(hnsw *g, const world *w, uint32_t from, uint32_t each)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (uint32_t row = from; row < w->rows; row += each)
    assert_ok(hnsw_delete(g, row, &err));
}

static void
insert_some(hnsw *g, const world *w, uint32_t from, uint32_t each)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (uint32_t row = from; row < w->rows; row += each)
    assert_ok(hnsw_insert(g, row + 1, row, &w->vectors, &err));
}

/* True: it was the last. */
static bool
step(hnsw *g, uint32_t slots)
{
  quoin_error err = QUOIN_ERROR_INIT;
  bool done;
  assert_ok(hnsw_sweep_step(&done, g, slots, NULL, &err));
  return done;
}

static void
test_sweep__every_step_leaves_all_reachable(void **state)
{
  (void)state;
  for (uint32_t m = 6; m <= 16; m += 10) {
    world w = small_world(ROWS, m);
    hnsw *g = graph_of(&w);
    for (uint32_t round = 0; round < 4; round++) {
      delete_some(g, &w, round, 3);
      while (!step(g, STEP))
        expect_reached(g, "after a step");
      expect_reached(g, "after a sweep");
      insert_some(g, &w, round, 3);
      expect_reached(g, "after insertions");
    }
    hnsw_close(g);
    world_free(&w);
  }
}

/* Deleted while a sweep goes on, they are not taken out by it; back before its end or after. */
static void
test_sweep__what_comes_back_is_reached(void **state)
{
  (void)state;
  for (uint32_t back = 0; back < 4; back++) {
    world w = small_world(ROWS, 6);
    hnsw *g = graph_of(&w);
    delete_some(g, &w, 0, 3);
    assert_false(step(g, STEP));
    delete_some(g, &w, 1, 3);
    for (unsigned i = 0; i < 5; i++)
      assert_false(step(g, 2 * STEP));
    if (back & 1) insert_some(g, &w, 1, 6);
    expect_reached(g, "back in the middle");
    while (!step(g, STEP))
      ;
    expect_reached(g, "after the sweep");
    if (back & 2) insert_some(g, &w, 4, 6);
    expect_reached(g, "back after the sweep");
    for (bool done = false; !done;)
      done = step(g, UINT32_MAX);
    expect_reached(g, "after the next sweep");
    assert_int_equal(hnsw_count(g), ROWS / 3 + ROWS / 6 * ((back & 1) + (back >> 1)));
    hnsw_close(g);
    world_free(&w);
  }
}

/* The only node left is deleted during the sweep: it is no live node, and all there is. */
static void
test_sweep__the_last_node_comes_back(void **state)
{
  (void)state;
  enum { FEW = 40, LAST = 17 };
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  hnsw_root root;
  hnsw_searcher *s;
  hnsw_hit hit;
  size_t n;
  world w = small_world(FEW, 6);
  hnsw *g = graph_of(&w);
  for (uint32_t row = 0; row < FEW; row++)
    if (row != LAST) assert_ok(hnsw_delete(g, row, &err));
  assert_false(step(g, 5));
  assert_ok(hnsw_delete(g, LAST, &err));
  while (!step(g, 5))
    ;
  assert_int_equal(hnsw_count(g), 0);
  world_folder(path, &dir);
  assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
  hnsw_close(g);
  assert_ok(hnsw_open(&g, &dir, 5, &root, &w.options, base_alloc_default(), &err));
  assert_ok(hnsw_insert(g, LAST + 1, LAST, &w.vectors, &err));
  expect_reached(g, "the last");
  assert_ok(hnsw_searcher_new(&s, g, &err));
  const hnsw_ask ask = {.query = world_row(&w, LAST), .k = 1, .ef = 8, .vectors = &w.vectors};
  assert_ok(hnsw_search(&hit, &n, s, &ask, NULL, &err));
  assert_int_equal(n, 1);
  assert_int_equal(hit.row, LAST);
  hnsw_searcher_free(s);
  hnsw_close(g);
  world_folder_remove(path, &dir);
  world_free(&w);
}

/* A process that ends in the middle of a sweep: the next one goes on, however few are deleted. */
static void
test_sweep__cut_short_it_is_due_after_an_open(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  hnsw_root root;
  world w = small_world(ROWS, 6);
  hnsw *g = graph_of(&w);
  world_folder(path, &dir);
  delete_some(g, &w, 0, 40); /* fewer than make a sweep due */
  assert_false(hnsw_sweep_due(g));
  assert_false(step(g, ROWS / 2));
  delete_some(g, &w, 1, 40);
  assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
  hnsw_close(g);
  assert_ok(hnsw_open(&g, &dir, 5, &root, &w.options, base_alloc_default(), &err));
  expect_reached(g, "after the open");
  assert_true(hnsw_sweep_due(g));
  insert_some(g, &w, 1, 40);
  expect_reached(g, "back after the open");
  while (hnsw_sweep_due(g))
    (void)step(g, STEP);
  expect_reached(g, "after the sweep");
  assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
  hnsw_close(g);
  assert_ok(hnsw_open(&g, &dir, 5, &root, &w.options, base_alloc_default(), &err));
  assert_false(hnsw_sweep_due(g));
  hnsw_close(g);
  world_folder_remove(path, &dir);
  world_free(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sweep__every_step_leaves_all_reachable),
      cmocka_unit_test(test_sweep__what_comes_back_is_reached),
      cmocka_unit_test(test_sweep__the_last_node_comes_back),
      cmocka_unit_test(test_sweep__cut_short_it_is_due_after_an_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
