/* Filters that leave out what is near to the query, over clusters that lie apart: the nearest that
 * count are found all the same, within a bounded number of visits; and walks for thousands. */
#include "unit/test_vector_support.h"
#include "vector/hnsw_search.h"

enum { ROWS = 6000, DIM = 32, CLUSTERS = 8, NEAR = 2, QUERIES = 20, MANY = 2000 };

typedef struct apart {
  world w;
  hnsw *g;
  float centre[CLUSTERS][DIM];
  bool in[ROWS];
  vec_bitmap filter;
} apart;

/* Row r is of cluster r % CLUSTERS. */
static void
open_apart(apart *a, vec_metric metric)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_item *items = malloc(sizeof(*items) * ROWS);
  a->w = world_new(
      ROWS, (hnsw_options){
                .dims = DIM, .metric = metric, .code = VEC_I8, .m = 16, .ef_construction = 100});
  for (int c = 0; c < CLUSTERS; c++)
    for (int d = 0; d < DIM; d++)
      a->centre[c][d] = (float)world_normal(&a->w);
  for (uint32_t row = 0; row < ROWS; row++) {
    world_vector(&a->w, a->w.data + (size_t)row * DIM, a->centre[row % CLUSTERS]);
    items[row] = (hnsw_item){.key = row + 1, .row = row};
  }
  assert_ok(hnsw_new(&a->g, 7, &a->w.options, base_alloc_default(), &err));
  assert_ok(hnsw_build(a->g, items, ROWS, 1, &a->w.vectors, NULL, NULL, &err));
  free(items);
}

static void
close_apart(apart *a)
{
  hnsw_close(a->g);
  world_free(&a->w);
}

/* What is not in the clusters that are asked about, or `share` of it; and a few that are. */
static void
allow(apart *a, double share, uint32_t few)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(vec_bitmap_init(&a->filter, hnsw_slots(a->g), base_alloc_default(), &err));
  for (uint32_t row = 0; row < ROWS; row++) {
    uint32_t slot;
    a->in[row] = row % CLUSTERS < NEAR
                     ? row < few * CLUSTERS
                     : (double)(support_random(&a->w.random) % 1000) < 1000 * share;
    if (!a->in[row]) continue;
    assert_ok(hnsw_find(&slot, a->g, row, &err));
    vec_bitmap_add(&a->filter, slot);
  }
}

/* As hnsw_search, but that it may not scan the candidates. */
static void
walk_alone(hnsw_hit *hits, size_t *n, hnsw_report *report, hnsw_searcher *s, const hnsw_ask *ask)
{
  quoin_error err = QUOIN_ERROR_INIT;
  bool gave_up;
  uint64_t epoch = hnsw_enter(s->g);
  hnsw_searcher_begin(s, ask);
  s->candidates = ask->filter->set;
  s->scan_ns = HUGE_VAL;
  report->way = HNSW_WAY_FILTERED;
  assert_ok(hnsw_walk_filtered(hits, n, &gave_up, &report->way, s, &err));
  assert_false(gave_up);
  report->visits = s->scratch->visits + s->lists;
  hnsw_leave(s->g, epoch);
}

/* Of queries in the clusters that do not count. */
static double
recall_of(apart *a, bool alone)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_searcher *s;
  size_t found = 0, noticed = 0;
  assert_ok(hnsw_searcher_new(&s, a->g, &err));
  for (int q = 0; q < QUERIES; q++) {
    float query[DIM];
    hnsw_hit hits[WORLD_K], right[WORLD_K];
    hnsw_report report;
    size_t n = 0, n_right;
    world_vector(&a->w, query, a->centre[q % NEAR]);
    const hnsw_ask ask = {
        .query = query, .k = WORLD_K, .filter = &a->filter, .vectors = &a->w.vectors};
    if (alone)
      walk_alone(hits, &n, &report, s, &ask);
    else
      assert_ok(hnsw_search(hits, &n, s, &ask, &report, &err));
    world_nearest(right, &n_right, &a->w, query, a->in, WORLD_K);
    assert_int_equal(n, WORLD_K);
    for (size_t i = 0; i < n; i++)
      assert_true(a->in[hits[i].row]);
    /* a walk that notices, and the scan after it; among those that count nothing is seen twice */
    assert_in_range(report.visits, 1, alone ? 2 * ROWS : a->filter.set + ROWS / 4);
    noticed += report.way == (alone ? HNSW_WAY_TWO_HOP : HNSW_WAY_FALLBACK);
    found += world_common(hits, n, right, n_right);
  }
  hnsw_searcher_free(s);
  assert_true(noticed >= QUERIES / 2);
  return (double)found / (QUERIES * WORLD_K);
}

static void
test_apart__what_is_near_does_not_count(void **state)
{
  static const vec_metric metrics[] = {VEC_COSINE, VEC_DOT, VEC_L2};
  (void)state;
  for (size_t m = 0; m < 3; m++) {
    apart a;
    open_apart(&a, metrics[m]);
    for (uint32_t few = 0; few <= 5; few += 5) {
      allow(&a, few ? 0.7 : 1, few);
      double scanned = recall_of(&a, false), walked = few ? 1 : recall_of(&a, true);
      if (scanned < 0.95 || walked < 0.7)
        fail_msg("metric %zu, %u near: recall %.3f, of the walk alone %.3f", m, few, scanned,
                 walked);
      vec_bitmap_clear(&a.filter);
    }
    close_apart(&a);
  }
}

/* By hits of a walk in steps, each node once, and by one search. */
static void
test_apart__thousands_at_once_and_in_steps(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  apart a;
  hnsw_searcher *s;
  float query[DIM];
  hnsw_hit *hits = malloc(MANY * sizeof(*hits)), *right = malloc(MANY * sizeof(*right));
  size_t n, n_right, all = 0, found;
  (void)state;
  open_apart(&a, VEC_L2);
  assert_ok(hnsw_searcher_new(&s, a.g, &err));
  world_vector(&a.w, query, a.centre[0]);
  memset(a.in, true, ROWS);
  world_nearest(right, &n_right, &a.w, query, a.in, MANY);
  hnsw_ask ask = {.query = query, .k = MANY, .vectors = &a.w.vectors};
  assert_ok(hnsw_search(hits, &n, s, &ask, NULL, &err));
  assert_int_equal(n, MANY);
  for (size_t i = 1; i < n; i++)
    assert_true(hits[i - 1].distance <= hits[i].distance);
  found = world_common(hits, n, right, n_right);
  if (found < MANY * 19 / 20) fail_msg("at once: %zu of %d", found, MANY);
  ask.k = 50;
  assert_ok(hnsw_walk_start(s, &ask, &err));
  while (all < MANY) {
    assert_int_equal(hnsw_walk_next(hits + all, MANY - all, &n, s, NULL, &err), QUOIN_OK);
    all += n;
  }
  hnsw_walk_stop(s);
  for (size_t i = 0; i < all; i++) {
    assert_true(a.in[hits[i].row]);
    a.in[hits[i].row] = false;
  }
  found = world_common(hits, all, right, n_right);
  if (found < MANY * 19 / 20) fail_msg("in steps: %zu of %d", found, MANY);
  hnsw_searcher_free(s);
  free(hits);
  free(right);
  close_apart(&a);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_apart__what_is_near_does_not_count),
      cmocka_unit_test(test_apart__thousands_at_once_and_in_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
