/* What `vector check` finds and mends: nodes that nothing leads to, made by cutting links behind
 * the graph's back, one by one and whole islands of them, in memory, in files, and where memory or
 * the disk fails. */
#include "unit/test_vector_support.h"
#include "vector/hnsw_internal.h"

#include <signal.h>
#include <sys/resource.h>

enum { ROWS = 700 };

static hnsw *
graph_of(const world *w, const base_alloc *mem)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g;
  hnsw_item *items = malloc(sizeof(*items) * w->rows);
  for (uint32_t row = 0; row < w->rows; row++)
    items[row] = (hnsw_item){.key = row + 1, .row = row};
  assert_ok(hnsw_new(&g, 5, &w->options, mem, &err));
  assert_ok(hnsw_build(g, items, w->rows, 1, &w->vectors, NULL, NULL, &err));
  free(items);
  return g;
}

static world
small_world(void)
{
  return world_new(ROWS, (hnsw_options){.dims = 16, .code = VEC_I8, .m = 6, .ef_construction = 40});
}

/* Take every link out of a list that leads from one side of `in` (a flag by slot) to the other. */
static void
cut_list(hnsw *g, uint32_t slot, unsigned level, const bool *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  vec_list list;
  uint64_t kept[LINKS_MAX];
  vec_pool pool = {.items = kept};
  assert_ok(hnsw_list(&list, g, slot, level, &err));
  for (uint32_t i = 0; i < vec_list_count(&list); i++) {
    uint32_t link = atomic_load(&list.links[i]);
    if (in[link] == in[slot]) kept[pool.n++] = (uint64_t)link << 1;
  }
  hnsw_list_write(g, slot, &list, &pool, level);
}

/* Part the nodes with in[slot] from the others, at all levels. */
static void
cut(hnsw *g, const bool *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    assert_ok(hnsw_need_record(g, slot, &err));
    for (unsigned level = 0; level <= atomic_load(&hnsw_head(g, slot)->level); level++)
      cut_list(g, slot, level, in);
  }
}

/* The nodes of some rows, without the entry: how many. */
static uint64_t
choose(bool *in, const hnsw *g, const world *w, uint64_t *random, unsigned one_in)
{
  uint64_t n = 0;
  memset(in, 0, w->rows);
  for (uint32_t slot = 0; slot < w->rows; slot++) {
    in[slot] = support_random(random) % one_in == 0 && slot != (uint32_t)hnsw_entry(g);
    n += in[slot];
  }
  return n;
}

/* The nearest to some node, without the entry. */
static uint64_t
choose_island(bool *in, const hnsw *g, const world *w, uint64_t *random)
{
  enum { MOST = 50 };
  hnsw_hit near[MOST];
  size_t n;
  uint64_t chosen = 0;
  memset(in, 1, w->rows);
  world_nearest(near, &n, w, world_row(w, (uint32_t)(support_random(random) % w->rows)), in, MOST);
  memset(in, 0, w->rows);
  for (size_t i = 0; i < n; i++) {
    uint32_t slot = near[i].row; /* rows were put in order */
    if (slot == (uint32_t)hnsw_entry(g)) continue;
    in[slot] = true;
    chosen++;
  }
  return chosen;
}

/* How many of the nodes a search for their own vector does not find. */
static uint64_t
not_found(hnsw *g, const world *w)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_searcher *s;
  uint64_t n = 0;
  assert_ok(hnsw_searcher_new(&s, g, &err));
  for (uint32_t row = 0; row < w->rows; row++) {
    hnsw_hit hit;
    size_t hits;
    hnsw_ask ask = {.query = world_row(w, row), .k = 1, .ef = 60, .vectors = &w->vectors};
    assert_ok(hnsw_search(&hit, &hits, s, &ask, NULL, &err));
    n += hits != 1 || hit.row != row;
  }
  hnsw_searcher_free(s);
  return n;
}

static hnsw_check_report
checked(hnsw *g, bool repair)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_check_report report;
  assert_ok(hnsw_check(&report, g, repair, NULL, &err));
  assert_int_equal(report.nodes, ROWS);
  return report;
}

/* Check, mend, check: each says what there was. */
static void
assert_mended(hnsw *g, uint64_t lost)
{
  hnsw_check_report report = checked(g, false);
  assert_int_equal(report.unreachable, lost);
  assert_int_equal(report.repaired, 0);
  report = checked(g, true);
  assert_int_equal(report.unreachable, 0);
  assert_int_equal(report.repaired, lost);
  report = checked(g, true);
  assert_int_equal(report.unreachable + report.repaired, 0);
}

static void
test_check__finds_and_mends_a_lost_node(void **state)
{
  (void)state;
  world w = small_world();
  hnsw *g = graph_of(&w, base_alloc_default());
  for (int round = 0; round < 10; round++) {
    bool in[ROWS] = {0};
    uint32_t slot = (uint32_t)(support_random(&w.random) % ROWS);
    if (slot == (uint32_t)hnsw_entry(g)) continue;
    in[slot] = true;
    cut(g, in);
    assert_int_equal(hnsw_head(g, slot)->named, 0);
    assert_true(not_found(g, &w) >= 1);
    assert_mended(g, 1);
  }
  hnsw_close(g);
  world_free(&w);
}

static void
test_check__finds_and_mends_many_lost_nodes(void **state)
{
  (void)state;
  world w = small_world();
  bool in[ROWS];
  hnsw *g = graph_of(&w, base_alloc_default());
  for (unsigned one_in = 50; one_in >= 2; one_in /= 3) {
    uint64_t before = not_found(g, &w), chosen = choose(in, g, &w, &w.random, one_in);
    cut(g, in);
    uint64_t lost = checked(g, false).unreachable;
    assert_true(lost >= chosen);
    assert_true(not_found(g, &w) >= chosen);
    assert_mended(g, lost);
    assert_true(not_found(g, &w) <= before + ROWS / 100);
  }
  hnsw_close(g);
  world_free(&w);
}

static void
test_check__mends_an_island(void **state)
{
  (void)state;
  world w = small_world();
  bool in[ROWS];
  hnsw *g = graph_of(&w, base_alloc_default());
  for (int round = 0; round < 4; round++) {
    uint64_t before = not_found(g, &w), chosen = choose_island(in, g, &w, &w.random);
    cut(g, in);
    uint64_t lost = checked(g, false).unreachable;
    assert_true(lost >= chosen); /* and what only they led to, but for descents */
    assert_true(not_found(g, &w) >= chosen);
    assert_mended(g, lost);
    assert_true(not_found(g, &w) <= before + ROWS / 100);
  }
  hnsw_close(g);
  world_free(&w);
}

/* Files may not grow past so many bytes; 0: they may. */
static void
limit_files(rlim_t bytes)
{
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  assert_true(signal(SIGXFSZ, bytes ? SIG_IGN : SIG_DFL) != SIG_ERR);
}

/* The damage lasts in the file, and so does the repair; an earlier root stays as it was. */
static void
test_check__mends_a_graph_of_a_file(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  const base_alloc *mem = base_alloc_default();
  world w = small_world();
  bool in[ROWS];
  char path[64];
  base_dir dir;
  hnsw_root whole, damaged, mended;
  hnsw *g = graph_of(&w, mem);
  world_folder(path, &dir);
  assert_ok(hnsw_checkpoint(&whole, g, &dir, &err));
  uint64_t before = not_found(g, &w);
  (void)choose_island(in, g, &w, &w.random);
  cut(g, in);
  uint64_t lost = checked(g, false).unreachable;
  assert_true(lost > 0);
  assert_ok(hnsw_checkpoint(&damaged, g, &dir, &err));
  hnsw_close(g);

  assert_ok(hnsw_open(&g, &dir, 5, &damaged, &w.options, mem, &err));
  assert_mended(g, lost);
  limit_files(1000);
  assert_true(hnsw_checkpoint(&mended, g, &dir, &err) < 0); /* no room on the disk */
  limit_files(0);
  assert_int_equal(checked(g, false).unreachable, 0);
  assert_ok(hnsw_checkpoint(&mended, g, &dir, &err));
  hnsw_close(g);

  assert_ok(hnsw_open(&g, &dir, 5, &mended, &w.options, mem, &err));
  assert_int_equal(checked(g, false).unreachable, 0);
  assert_true(not_found(g, &w) <= before + ROWS / 100);
  hnsw_close(g);
  assert_ok(hnsw_open(&g, &dir, 5, &damaged, &w.options, mem, &err));
  assert_int_equal(checked(g, false).unreachable, lost);
  hnsw_close(g);
  world_folder_remove(path, &dir);
  world_free(&w);
}

/* A repair that runs out of memory leaves a sound graph, with no more lost than before; the next
 * one mends it. */
static void
test_check__a_repair_without_memory_can_be_made_again(void **state)
{
  (void)state;
  world w = small_world();
  bool in[ROWS], failed = true;
  for (uint64_t at = 1; failed; at++) {
    quoin_error err = QUOIN_ERROR_INIT;
    hnsw_check_report report;
    support_memory m = {.fail_at = 0};
    base_alloc mem = support_alloc(&m);
    uint64_t random = 1;
    hnsw *g = graph_of(&w, &mem);
    (void)choose(in, g, &w, &random, 9);
    cut(g, in);
    uint64_t lost = checked(g, false).unreachable;
    m.fail_at = m.calls + at;
    quoin_status st = hnsw_check(&report, g, true, NULL, &err);
    failed = m.calls >= m.fail_at;
    assert_true(st == QUOIN_OK || (failed && st == QUOIN_ERR_NOMEM)); /* some make do with less */
    m.fail_at = 0;
    uint64_t left = checked(g, false).unreachable;
    assert_true(st ? left <= lost : left == 0);
    assert_mended(g, left);
    hnsw_close(g);
    assert_int_equal(m.bytes, 0);
    assert_true(at < 100);
  }
  world_free(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_check__finds_and_mends_a_lost_node),
      cmocka_unit_test(test_check__finds_and_mends_many_lost_nodes),
      cmocka_unit_test(test_check__mends_an_island),
      cmocka_unit_test(test_check__mends_a_graph_of_a_file),
      cmocka_unit_test(test_check__a_repair_without_memory_can_be_made_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
