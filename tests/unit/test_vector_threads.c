/* Searches and statistics on several threads beside one writer that inserts, deletes, sweeps and
 * checkpoints: no search fails, finds a wrong distance, or misses a vector that is there all the
 * time. */
#include "unit/test_vector_support.h"

enum { READERS = 2, STEADY = 300, MOVING = 300 };

typedef struct beside {
  const world *w;
  hnsw *g;
  _Atomic(bool) stop;
  _Atomic(uint64_t) searches, missed;
} beside;

/* cmocka's asserts are for its own thread. */
#define demand(holds)                                                                              \
  do {                                                                                             \
    if (!(holds)) {                                                                                \
      (void)fprintf(stderr, "line %d: %s: %s\n", __LINE__, #holds, err.message);                   \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* The rows below STEADY are always there: each must find itself. */
static void *
reader(void *user)
{
  beside *b = user;
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_searcher *s;
  uint64_t random = (uint64_t)(uintptr_t)&s;
  demand(hnsw_searcher_new(&s, b->g, &err) == QUOIN_OK);
  while (!atomic_load(&b->stop)) {
    hnsw_hit hits[WORLD_K];
    size_t n;
    uint32_t row = (uint32_t)(support_random(&random) % STEADY);
    hnsw_ask ask = {
        .query = world_row(b->w, row), .k = WORLD_K, .ef = 50, .vectors = &b->w->vectors};
    if (row % 8 == 0) {
      demand(hnsw_walk_start(s, &ask, &err) == QUOIN_OK);
      for (int batch = 0; batch < 4; batch++)
        demand(hnsw_walk_next(hits, WORLD_K, &n, s, NULL, &err) >= 0);
      hnsw_walk_stop(s);
      continue;
    }
    demand(hnsw_search(hits, &n, s, &ask, NULL, &err) == QUOIN_OK);
    hnsw_stats stats;
    hnsw_stats_quick(&stats, b->g);
    demand(stats.live >= STEADY && stats.live <= STEADY + MOVING);
    demand(stats.file_bytes && stats.dead_bytes < stats.file_bytes);
    bool found = false;
    for (size_t i = 0; i < n; i++) {
      demand(hits[i].key == hits[i].row + 1);
      demand(hits[i].distance == world_distance(b->w, ask.query, hits[i].row));
      found |= hits[i].row == row;
    }
    atomic_fetch_add(&b->searches, 1);
    if (!found) atomic_fetch_add(&b->missed, 1);
  }
  hnsw_searcher_free(s);
  return NULL;
}

static void
write_rounds(beside *b, const base_dir *dir, uint32_t rounds)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_root root;
  hnsw_item items[MOVING];
  for (uint32_t i = 0; i < MOVING; i++)
    items[i] = (hnsw_item){.key = STEADY + i + 1, .row = STEADY + i};
  for (uint32_t round = 0; round < rounds; round++) {
    if (round % 2)
      assert_ok(hnsw_build(b->g, items, MOVING, 2, &b->w->vectors, NULL, NULL, &err));
    else
      for (uint32_t i = 0; i < MOVING; i++)
        assert_ok(hnsw_insert(b->g, items[i].key, items[i].row, &b->w->vectors, &err));
    assert_ok(hnsw_checkpoint(&root, b->g, dir, &err));
    for (uint32_t i = 0; i < MOVING; i++)
      assert_ok(hnsw_delete(b->g, items[i].row, &err));
    assert_ok(hnsw_sweep(b->g, NULL, &err));
  }
}

/* `reopen`: from the file, so that readers verify pages, too. */
static void
search_beside(hnsw_options options, bool reopen, uint32_t rounds)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  hnsw_root root;
  pthread_t ids[READERS];
  world w = world_new(STEADY + MOVING, options);
  beside b = {.w = &w};
  world_folder(path, &dir);
  assert_ok(hnsw_new(&b.g, 1, &w.options, base_alloc_default(), &err));
  for (uint32_t row = 0; row < STEADY; row++)
    assert_ok(hnsw_insert(b.g, row + 1, row, &w.vectors, &err));
  assert_ok(hnsw_checkpoint(&root, b.g, &dir, &err));
  if (reopen) {
    hnsw_close(b.g);
    assert_ok(hnsw_open(&b.g, &dir, 1, &root, &w.options, base_alloc_default(), &err));
  }
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, reader, &b), 0);
  write_rounds(&b, &dir, rounds);
  atomic_store(&b.stop, true);
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_join(ids[i], NULL), 0);
  print_message("%llu searches, %llu missed\n", (unsigned long long)b.searches,
                (unsigned long long)b.missed);
  assert_true(b.missed * 100 <= b.searches);
  hnsw_check_report report;
  assert_ok(hnsw_check(&report, b.g, false, NULL, &err));
  assert_int_equal(report.nodes, STEADY);
  assert_int_equal(report.unreachable, 0);
  hnsw_close(b.g);
  world_folder_remove(path, &dir);
  world_free(&w);
}

static void
promise_c3_searches_take_no_lock_and_see_whole_nodes(void **state)
{
  (void)state;
  search_beside((hnsw_options){.dims = 16, .code = VEC_I8, .m = 6, .ef_construction = 40}, true, 4);
}

/* At 2 MiB, which is some 500 records, all of them go to more addresses while searches run. */
static void
test_threads__a_graph_outgrows_its_addresses(void **state)
{
  (void)state;
  search_beside((hnsw_options){.dims = 1024, .code = VEC_F32, .m = 8, .ef_construction = 40}, false,
                2);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_c3_searches_take_no_lock_and_see_whole_nodes),
      cmocka_unit_test(test_threads__a_graph_outgrows_its_addresses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
