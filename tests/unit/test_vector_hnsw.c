/* The graph against exact search: recall for every code and metric, filters of every strength,
 * walks without an end, deletions and reinsertions, and that one thread builds the same graph
 * twice. */
#include "unit/test_vector_support.h"

static hnsw *
graph_of(const world *w, unsigned threads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g;
  hnsw_item *items = malloc(sizeof(*items) * w->rows);
  for (uint32_t row = 0; row < w->rows; row++)
    items[row] = (hnsw_item){.key = row + 1, .row = row};
  assert_ok(hnsw_new(&g, 7, &w->options, base_alloc_default(), &err));
  assert_ok(hnsw_build(g, items, w->rows, threads, &w->vectors, NULL, NULL, &err));
  free(items);
  return g;
}

static bool *
flags_of(const world *w, bool value)
{
  bool *in = malloc(w->rows);
  memset(in, value, w->rows);
  return in;
}

/* Mean recall of some queries; every hit is checked: allowed, at its exact distance, in order. */
static double
recall_of(world *w, hnsw *g, const bool *in, const vec_bitmap *filter, size_t ef, int queries)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_searcher *s;
  float *query = malloc(sizeof(float) * w->dims);
  size_t found = 0, wanted = 0;
  assert_ok(hnsw_searcher_new(&s, g, &err));
  for (int q = 0; q < queries; q++) {
    hnsw_hit hits[WORLD_K], right[WORLD_K];
    size_t n, n_right;
    if (w->asked)
      memcpy(query, world_row(w, w->rows + --w->asked), sizeof(float) * w->dims);
    else
      world_query(w, query);
    hnsw_ask ask = {
        .query = query, .k = WORLD_K, .ef = ef, .filter = filter, .vectors = &w->vectors};
    assert_ok(hnsw_search(hits, &n, s, &ask, NULL, &err));
    world_nearest(right, &n_right, w, query, in, WORLD_K);
    assert_int_equal(n, n_right);
    for (size_t i = 0; i < n; i++) {
      assert_true(in[hits[i].row]);
      assert_int_equal(hits[i].key, hits[i].row + 1);
      assert_true(hits[i].distance == world_distance(w, query, hits[i].row));
      assert_true(i == 0 || hits[i - 1].distance <= hits[i].distance);
    }
    found += world_common(hits, n, right, n_right);
    wanted += n_right;
  }
  hnsw_searcher_free(s);
  free(query);
  return wanted ? (double)found / (double)wanted : 1;
}

static void
assert_whole(hnsw *g, uint64_t nodes)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_check_report report;
  assert_ok(hnsw_check(&report, g, false, NULL, &err));
  assert_int_equal(report.nodes, nodes);
  assert_int_equal(report.unreachable, 0);
}

/* What is promised of searches that say nothing of effort: by default options, asked with vectors
 * that are not in the graph. */
static void
test_hnsw__default_effort_finds_enough_by_every_code_and_metric(void **state)
{
  (void)state;
  enum { ASKED = 100 };
  for (int code = 0; code < VEC_CODES; code++)
    for (int metric = 0; metric < VEC_METRICS; metric++) {
      if (code == VEC_B1 && metric != VEC_COSINE) continue;
      hnsw_options options = {
          .dims = code == VEC_B1 ? 256 : 65, .metric = (vec_metric)metric, .code = (vec_code)code};
      world w = world_latent(code == VEC_B1 ? 2000 : 1200, ASKED, options);
      hnsw *g = graph_of(&w, 1);
      bool *in = flags_of(&w, true);
      w.asked = ASKED;
      double recall = recall_of(&w, g, in, NULL, 0, ASKED);
      if (recall < 0.95) fail_msg("code %d metric %d: recall %.4f", code, metric, recall);
      assert_whole(g, w.rows);
      free(in);
      hnsw_close(g);
      world_free(&w);
    }
}

static void
test_hnsw__tiny_graphs_answer_all(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  world w = world_new(6, (hnsw_options){.dims = 5, .metric = VEC_L2, .code = VEC_I8});
  hnsw *g;
  bool *in = flags_of(&w, false);
  assert_ok(hnsw_new(&g, 1, &w.options, base_alloc_default(), &err));
  for (uint32_t row = 0; row <= w.rows; row++) {
    assert_true(recall_of(&w, g, in, NULL, 0, 5) == 1);
    if (row == w.rows) break;
    assert_ok(hnsw_insert(g, row + 1, row, &w.vectors, &err));
    assert_int_equal(hnsw_insert(g, row + 1, row, &w.vectors, &err), QUOIN_ERR_EXISTS);
    in[row] = true;
  }
  for (uint32_t row = 0; row < w.rows; row++) {
    assert_ok(hnsw_delete(g, row, &err));
    assert_int_equal(hnsw_delete(g, row, &err), QUOIN_ERR_NOT_FOUND);
    in[row] = false;
    assert_true(recall_of(&w, g, in, NULL, 0, 5) == 1);
  }
  assert_ok(hnsw_sweep(g, NULL, &err));
  assert_whole(g, 0);
  assert_ok(hnsw_insert(g, 1, 0, &w.vectors, &err));
  in[0] = true;
  assert_true(recall_of(&w, g, in, NULL, 0, 5) == 1);
  free(in);
  hnsw_close(g);
  hnsw_close(NULL);
  hnsw_searcher_free(NULL);
  world_free(&w);
}

static void
test_hnsw__duplicates_do_not_hide_others(void **state)
{
  (void)state;
  world w =
      world_new(1200, (hnsw_options){.dims = 16, .code = VEC_I8, .m = 4, .ef_construction = 30});
  for (uint32_t row = 0; row < 600; row++) /* half of them lie in one direction */
    for (uint32_t d = 0; d < w.dims; d++)
      w.data[(size_t)row * w.dims + d] = (d == 3) * (float)(row + 1);
  hnsw *g = graph_of(&w, 1);
  bool *in = flags_of(&w, true);
  assert_whole(g, w.rows);
  memset(in, 0, 600);
  vec_bitmap others;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(vec_bitmap_init(&others, hnsw_slots(g), base_alloc_default(), &err));
  for (uint32_t row = 600; row < w.rows; row++)
    vec_bitmap_add(&others, row);
  assert_true(recall_of(&w, g, in, &others, 50, 20) > 0.9);
  vec_bitmap_clear(&others);
  free(in);
  hnsw_close(g);
  world_free(&w);
}

static void
test_hnsw__filters_of_every_strength(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  static const unsigned per_mille[] = {1000, 700, 390, 150, 60, 20, 4, 1, 0};
  world w =
      world_new(5000, (hnsw_options){.dims = 24, .code = VEC_I8, .m = 8, .ef_construction = 60});
  hnsw *g = graph_of(&w, 1);
  for (int correlated = 0; correlated < 2; correlated++)
    for (size_t p = 0; p < sizeof(per_mille) / sizeof(per_mille[0]); p++) {
      bool *in = flags_of(&w, false);
      vec_bitmap filter;
      assert_ok(vec_bitmap_init(&filter, hnsw_slots(g), base_alloc_default(), &err));
      for (uint32_t row = 0; row < w.rows; row++) {
        uint32_t slot;
        in[row] = correlated ? (double)world_row(&w, row)[0] < -2.5 + per_mille[p] * 0.005
                             : support_random(&w.random) % 1000 < per_mille[p];
        if (!in[row]) continue;
        assert_ok(hnsw_find(&slot, g, row, &err));
        vec_bitmap_add(&filter, slot);
      }
      for (size_t ef = 10; ef <= 100; ef += 90) {
        double recall = recall_of(&w, g, in, &filter, ef, 10);
        if (recall < (ef == 10 ? 0.6 : 0.93))
          fail_msg("%u per mille, correlated %d, ef %zu: recall %.3f", per_mille[p], correlated, ef,
                   recall);
      }
      vec_bitmap_clear(&filter);
      free(in);
    }
  hnsw_close(g);
  world_free(&w);
}

static void
test_hnsw__walk_without_end_gives_each_node_once(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  world w = world_new(1000, (hnsw_options){.dims = 12, .metric = VEC_L2, .code = VEC_F16, .m = 6});
  hnsw *g = graph_of(&w, 1);
  hnsw_searcher *s;
  bool *seen = flags_of(&w, false);
  float query[12];
  hnsw_hit hits[WORLD_K], right[WORLD_K];
  size_t n, n_right, all = 0;
  for (uint32_t row = 0; row < w.rows; row += 7)
    assert_ok(hnsw_delete(g, row, &err));
  assert_ok(hnsw_searcher_new(&s, g, &err));
  world_query(&w, query);
  hnsw_ask ask = {.query = query, .k = WORLD_K, .ef = 40, .vectors = &w.vectors};
  assert_ok(hnsw_walk_start(s, &ask, &err));
  for (quoin_status st; (st = hnsw_walk_next(hits, WORLD_K, &n, s, NULL, &err)) != QUOIN_DONE;) {
    assert_int_equal(st, QUOIN_OK);
    if (!all) {
      bool *in = flags_of(&w, true);
      for (uint32_t row = 0; row < w.rows; row += 7)
        in[row] = false;
      world_nearest(right, &n_right, &w, query, in, WORLD_K);
      assert_true(world_common(hits, n, right, n_right) >= 8);
      free(in);
    }
    for (size_t i = 0; i < n; i++) {
      assert_false(seen[hits[i].row]);
      assert_true(hits[i].row % 7 != 0);
      seen[hits[i].row] = true;
      assert_true(hits[i].distance == world_distance(&w, query, hits[i].row));
    }
    all += n;
  }
  assert_int_equal(all, hnsw_count(g));
  hnsw_walk_stop(s);
  hnsw_searcher_free(s);
  free(seen);
  hnsw_close(g);
  world_free(&w);
}

static void
test_hnsw__delete_and_reinsert_keeps_recall_and_slots(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  world w =
      world_new(3000, (hnsw_options){.dims = 24, .code = VEC_I8, .m = 8, .ef_construction = 60});
  hnsw *g = graph_of(&w, 1);
  bool *in = flags_of(&w, true);
  double fresh = recall_of(&w, g, in, NULL, 40, 100);
  for (uint32_t round = 0; round < 6; round++) {
    for (uint32_t row = round % 5; row < w.rows; row += 5) {
      assert_ok(hnsw_delete(g, row, &err));
      in[row] = false;
    }
    assert_true(hnsw_sweep_due(g));
    (void)recall_of(&w, g, in, NULL, 40, 5); /* none deleted is found */
    if (round % 2 == 0) assert_ok(hnsw_sweep(g, NULL, &err));
    assert_whole(g, hnsw_count(g));
    assert_true(recall_of(&w, g, in, NULL, 40, 20) > fresh - 0.08);
    for (uint32_t row = round % 5; row < w.rows; row += 5) {
      assert_ok(hnsw_insert(g, row + 1, row, &w.vectors, &err));
      in[row] = true;
    }
    assert_whole(g, w.rows);
  }
  double last = recall_of(&w, g, in, NULL, 40, 100);
  if (last < fresh - 0.03) fail_msg("recall fell from %.3f to %.3f", fresh, last);
  assert_true(hnsw_slots(g) <= w.rows * 12 / 10 + 1);
  free(in);
  hnsw_close(g);
  world_free(&w);
}

static void
test_hnsw__threads_build_as_good_a_graph(void **state)
{
  (void)state;
  world w =
      world_new(3000, (hnsw_options){.dims = 24, .metric = VEC_L2, .m = 8, .ef_construction = 60});
  hnsw *one = graph_of(&w, 1), *four = graph_of(&w, 4);
  bool *in = flags_of(&w, true);
  double a = recall_of(&w, one, in, NULL, 50, 60), b = recall_of(&w, four, in, NULL, 50, 60);
  if (b < a - 0.04) fail_msg("recall %.3f by one thread, %.3f by four", a, b);
  assert_whole(one, w.rows);
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_check_report report;
  assert_ok(hnsw_check(&report, four, true, NULL, &err));
  assert_whole(four, w.rows);
  free(in);
  hnsw_close(one);
  hnsw_close(four);
  world_free(&w);
}

static void
test_hnsw__bad_options_are_refused(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  static const hnsw_options bad[] = {{.dims = 0},
                                     {.dims = 70000},
                                     {.dims = 8, .m = 2},
                                     {.dims = 8, .m = 65},
                                     {.dims = 8, .ef_construction = 3},
                                     {.dims = 128, .code = VEC_B1},
                                     {.dims = 512, .code = VEC_B1, .metric = VEC_L2}};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    hnsw *g;
    assert_int_equal(hnsw_new(&g, 1, &bad[i], base_alloc_default(), &err), QUOIN_ERR_ARGUMENT);
    assert_null(g);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hnsw__tiny_graphs_answer_all),
      cmocka_unit_test(test_hnsw__default_effort_finds_enough_by_every_code_and_metric),
      cmocka_unit_test(test_hnsw__duplicates_do_not_hide_others),
      cmocka_unit_test(test_hnsw__filters_of_every_strength),
      cmocka_unit_test(test_hnsw__walk_without_end_gives_each_node_once),
      cmocka_unit_test(test_hnsw__delete_and_reinsert_keeps_recall_and_slots),
      cmocka_unit_test(test_hnsw__threads_build_as_good_a_graph),
      cmocka_unit_test(test_hnsw__bad_options_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
