/* Graphs whose memory or file fails, at each call in turn: while they grow, are swept, saved,
 * opened. What fails says so, loses nothing, and can be done again. */
#include "crash/fault.h"
#include "unit/test_vector_support.h"
#include "vector/hnsw_internal.h"

/* A call that fails may be the last one, so it goes on until none is met.
 *
 * Rows far apart: their numbers make regions grow beyond what they reserve first. */
enum { ROWS = 96, APART = 8000, SAVED = 72 };

static const float *
row_at(void *user, uint32_t row)
{
  return world_row(user, row / APART);
}

typedef struct folder {
  char path[64];
  base_dir dir;
} folder;

static world
small_world(void)
{
  world w = world_new(ROWS, (hnsw_options){.dims = 16, .m = 4, .ef_construction = 16});
  return w;
}

static hnsw_vectors
vectors_of(world *w)
{
  return (hnsw_vectors){.at = row_at, .user = w};
}

static hnsw_item
item(uint32_t i)
{
  return (hnsw_item){.key = i + 1, .row = i * APART};
}

/* The graph has these, whole, and finds each. */
static void
expect_nodes(hnsw *g, world *w, const bool *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_check_report report;
  hnsw_searcher *s;
  const hnsw_vectors vectors = vectors_of(w);
  uint32_t there = 0;
  quoin_status st = hnsw_check(&report, g, false, NULL, &err);
  if (st) fail_msg("status %d: %s", (int)st, err.message);
  assert_int_equal(report.unreachable, 0);
  assert_ok(hnsw_searcher_new(&s, g, &err));
  for (uint32_t i = 0; i < ROWS; i++) {
    uint32_t slot;
    hnsw_hit hit;
    size_t n;
    assert_ok(hnsw_find(&slot, g, item(i).row, &err));
    assert_int_equal(slot != HNSW_NONE, in[i]);
    there += in[i];
    if (!in[i]) continue;
    const hnsw_ask ask = {.query = world_row(w, i), .k = 1, .ef = ROWS, .vectors = &vectors};
    assert_ok(hnsw_search(&hit, &n, s, &ask, NULL, &err));
    assert_true(n == 1 && hit.row == item(i).row);
  }
  assert_int_equal(report.nodes, there);
  hnsw_searcher_free(s);
}

/* A failure has a status and says what it is. */
static void
expect_said(quoin_status st, const quoin_error *err)
{
  if (st != QUOIN_ERR_NOMEM && st != QUOIN_ERR_LIMIT && st != QUOIN_ERR_IO &&
      st != QUOIN_ERR_NO_SPACE)
    fail_msg("status %d: %s", (int)st, err->message);
  assert_int_equal(err->status, st);
  assert_true(err->message[0] != '\0');
}

/* One that fails is tried again, once. */
static unsigned
insert(hnsw *g, world *w, bool *in, uint32_t from, uint32_t to)
{
  unsigned failed = 0;
  const hnsw_vectors vectors = vectors_of(w);
  for (uint32_t i = from; i < to; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quoin_status st = hnsw_insert(g, item(i).key, item(i).row, &vectors, &err);
    if (st) {
      expect_said(st, &err);
      failed++;
      expect_nodes(g, w, in);
      st = hnsw_insert(g, item(i).key, item(i).row, &vectors, &err);
    }
    assert_int_equal(st, QUOIN_OK);
    in[i] = true;
  }
  return failed;
}

static void
test_faults__while_a_graph_grows(void **state)
{
  (void)state;
  world w = small_world();
  uint64_t calls = 0;
  bool struck = true;
  unsigned failed = 0;
  for (uint64_t call = 1; struck || call <= calls; call++) {
    quoin_error err = QUOIN_ERROR_INIT;
    bool in[ROWS] = {false};
    hnsw *g = NULL;
    fault_begin("", NULL);
    fault_at(call, FAULT_EIO);
    assert_ok(hnsw_new(&g, 1, &w.options, base_alloc_default(), &err));
    failed += insert(g, &w, in, 0, ROWS);
    calls = fault_end(&struck);
    expect_nodes(g, &w, in);
    hnsw_close(g);
  }
  assert_true(failed > 10);
  world_free(&w);
}

static void
test_faults__while_a_graph_is_built(void **state)
{
  (void)state;
  world w = small_world();
  const hnsw_vectors vectors = vectors_of(&w);
  hnsw_item items[ROWS];
  bool in[ROWS], none[ROWS] = {false};
  uint64_t calls = 0;
  bool struck = true;
  for (uint32_t i = 0; i < ROWS; i++) {
    items[i] = item(i);
    in[i] = true;
  }
  for (uint64_t call = 1; struck || call <= calls; call++) {
    quoin_error err = QUOIN_ERROR_INIT;
    hnsw *g;
    fault_begin("", NULL);
    fault_at(call, FAULT_EIO);
    assert_ok(hnsw_new(&g, 1, &w.options, base_alloc_default(), &err));
    quoin_status st = hnsw_build(g, items, ROWS, 2, &vectors, NULL, NULL, &err);
    calls = fault_end(&struck);
    if (st) {
      expect_said(st, &err);
      expect_nodes(g, &w, none);
      assert_ok(hnsw_build(g, items, ROWS, 2, &vectors, NULL, NULL, &err));
    }
    expect_nodes(g, &w, in);
    hnsw_close(g);
  }
  world_free(&w);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void
folder_make(folder *f)
{
  world_folder(f->path, &f->dir);
}

/* A graph of the first SAVED, saved. */
static hnsw *
saved_graph(hnsw_root *root, const folder *f, world *w, bool *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g;
  memset(in, 0, ROWS * sizeof(*in));
  assert_ok(hnsw_new(&g, 1, &w->options, base_alloc_default(), &err));
  assert_int_equal(insert(g, w, in, 0, SAVED), 0);
  assert_ok(hnsw_checkpoint(root, g, &f->dir, &err));
  return g;
}

static void
expect_saved(const folder *f, const hnsw_root *root, world *w, const bool *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g;
  assert_ok(hnsw_open(&g, &f->dir, 1, root, &w->options, base_alloc_default(), &err));
  expect_nodes(g, w, in);
  hnsw_close(g);
}

/* `much`: so much is new that the file is written anew, and mapped. */
static void
save_with_faults(fault_mode mode, bool much)
{
  world w = small_world();
  uint64_t calls = 0;
  bool struck = true;
  for (uint64_t call = 1; struck || call <= calls; call++) {
    quoin_error err = QUOIN_ERROR_INIT;
    folder f;
    bool before[ROWS], in[ROWS];
    hnsw_root root, next = {0};
    folder_make(&f);
    hnsw *g = saved_graph(&root, &f, &w, before);
    memcpy(in, before, sizeof(in));
    for (uint32_t i = 0; i < 5; i++) {
      assert_ok(hnsw_delete(g, item(i).row, &err));
      in[i] = false;
    }
    if (much) {
      assert_ok(hnsw_sweep(g, NULL, &err));
      g->pages.spoilt = true;
    }
    (void)insert(g, &w, in, SAVED, ROWS);
    fault_begin(f.path, NULL);
    fault_at(call, mode);
    quoin_status st = hnsw_checkpoint(&next, g, &f.dir, &err);
    calls = fault_end(&struck);
    expect_nodes(g, &w, in);
    if (st) {
      expect_said(st, &err);
      expect_saved(&f, &root, &w, before); /* what the manifest would go on naming */
      assert_ok(hnsw_sweep(g, NULL, &err));
      assert_ok(hnsw_checkpoint(&next, g, &f.dir, &err));
    }
    expect_saved(&f, &next, &w, in);
    expect_nodes(g, &w, in);
    hnsw_close(g);
    world_folder_remove(f.path, &f.dir);
  }
  world_free(&w);
}

static void
test_faults__while_a_graph_is_saved(void **state)
{
  (void)state;
  for (fault_mode mode = FAULT_EIO; mode < FAULT_MODES; mode++) {
    save_with_faults(mode, false);
    save_with_faults(mode, true);
  }
}

static void
test_faults__while_a_graph_is_opened(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  world w = small_world();
  folder f;
  bool in[ROWS];
  hnsw_root root;
  unsigned failed = 0;
  folder_make(&f);
  hnsw_close(saved_graph(&root, &f, &w, in));
  for (fault_mode mode = FAULT_EIO; mode < FAULT_MODES; mode++) {
    uint64_t calls = 0;
    bool struck = true;
    for (uint64_t call = 1; struck || call <= calls; call++) {
      hnsw *g = NULL;
      fault_begin(f.path, NULL);
      fault_at(call, mode);
      quoin_status st = hnsw_open(&g, &f.dir, 1, &root, &w.options, base_alloc_default(), &err);
      calls = fault_end(&struck);
      failed += st != QUOIN_OK;
      if (st) {
        expect_said(st, &err);
        assert_null(g);
        base_error_clear(&err);
      } else {
        expect_nodes(g, &w, in);
      }
      hnsw_close(g);
      expect_saved(&f, &root, &w, in);
    }
  }
  assert_true(failed > 10);
  world_folder_remove(f.path, &f.dir);
  world_free(&w);
}

/* Pages of the file and new ones, in ranges that are to be replaced; sweeps before and after. */
static void
test_faults__while_an_opened_graph_goes_on(void **state)
{
  (void)state;
  world w = small_world();
  folder f;
  bool before[ROWS];
  hnsw_root root, next;
  uint64_t calls = 0;
  bool struck = true;
  unsigned failed = 0;
  folder_make(&f);
  hnsw_close(saved_graph(&root, &f, &w, before));
  for (uint64_t call = 1; struck || call <= calls; call++) {
    quoin_error err = QUOIN_ERROR_INIT;
    hnsw *g;
    bool in[ROWS], done = false;
    memcpy(in, before, sizeof(in));
    assert_ok(hnsw_open(&g, &f.dir, 1, &root, &w.options, base_alloc_default(), &err));
    for (uint32_t i = 0; i < SAVED; i += 4) {
      assert_ok(hnsw_delete(g, item(i).row, &err));
      in[i] = false;
    }
    assert_ok(hnsw_sweep_step(&done, g, SAVED / 2, NULL, &err));
    fault_begin(f.path, NULL);
    fault_at(call, FAULT_EIO);
    failed += insert(g, &w, in, SAVED, ROWS);
    calls = fault_end(&struck);
    assert_ok(hnsw_sweep(g, NULL, &err));
    expect_nodes(g, &w, in);
    assert_int_equal(insert(g, &w, in, 0, 1), 0);
    expect_nodes(g, &w, in);
    assert_ok(hnsw_checkpoint(&next, g, &f.dir, &err));
    expect_saved(&f, &next, &w, in);
    hnsw_close(g);
    if (next.generation == root.generation) continue;
    char name[64];
    (void)snprintf(name, sizeof(name), "graph-1-%llu", (unsigned long long)next.generation);
    assert_ok(base_dir_unlink(&f.dir, name, &err));
  }
  assert_true(failed > 0);
  world_folder_remove(f.path, &f.dir);
  world_free(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_faults__while_a_graph_grows),
      cmocka_unit_test(test_faults__while_a_graph_is_built),
      cmocka_unit_test(test_faults__while_a_graph_is_saved),
      cmocka_unit_test(test_faults__while_a_graph_is_opened),
      cmocka_unit_test(test_faults__while_an_opened_graph_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
