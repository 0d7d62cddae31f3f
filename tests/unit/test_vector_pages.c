/* The graph on disk: checkpoints append, earlier roots stay whole, dead pages are reclaimed, every
 * damaged byte is an error or makes no difference, and no memory is lost when there is none. */
#include "unit/test_vector_support.h"
#include "vector/hnsw_internal.h"

#include <fcntl.h>
#include <pthread.h>

static void
insert_rows(hnsw *g, const world *w, uint32_t from, uint32_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (uint32_t row = from; row < to; row++)
    assert_ok(hnsw_insert(g, row + 1, row, &w->vectors, &err));
}

/* What a few searches find, to compare graphs by. */
static quoin_status
answers(hnsw_hit *out, size_t *n, hnsw *g, const world *w, quoin_error *err)
{
  hnsw_searcher *s = NULL;
  quoin_status st = hnsw_searcher_new(&s, g, err);
  *n = 0;
  for (uint32_t q = 0; q < 8 && !st; q++) {
    size_t some;
    hnsw_ask ask = {.query = world_row(w, q * 7), .k = WORLD_K, .ef = 30, .vectors = &w->vectors};
    st = hnsw_search(out + *n, &some, s, &ask, NULL, err);
    *n += some;
  }
  hnsw_searcher_free(s);
  return st;
}

static void
assert_same_answers(hnsw *a, hnsw *b, const world *w)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw_hit x[8 * WORLD_K], y[8 * WORLD_K];
  size_t n, m;
  assert_ok(answers(x, &n, a, w, &err));
  assert_ok(answers(y, &m, b, w, &err));
  assert_int_equal(n, m);
  for (size_t i = 0; i < n; i++)
    assert_true(x[i].row == y[i].row && x[i].distance == y[i].distance && x[i].slot == y[i].slot);
}

static hnsw *
opened(const world *w, const base_dir *dir, const hnsw_root *root)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g;
  assert_ok(hnsw_open(&g, dir, 5, root, &w->options, base_alloc_default(), &err));
  return g;
}

/* `private_most`: pages that are saved and private, before they are mapped from the file. */
static void
append_and_compare(uint64_t private_most)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  enum { STEPS = 4 };
  hnsw_root roots[STEPS];
  hnsw *copies[STEPS], *g;
  world w =
      world_new(800, (hnsw_options){.dims = 40, .code = VEC_I8, .m = 6, .ef_construction = 40});
  world_folder(path, &dir);
  assert_ok(hnsw_new(&g, 5, &w.options, base_alloc_default(), &err));
  g->pages.private_most = private_most;
  for (uint32_t i = 0; i < STEPS; i++) {
    hnsw_root again;
    insert_rows(g, &w, i * 200, (i + 1) * 200);
    if (i == 2) {
      for (uint32_t row = 0; row < 200; row += 2)
        assert_ok(hnsw_delete(g, row, &err));
      assert_ok(hnsw_sweep(g, NULL, &err));
    }
    assert_ok(hnsw_checkpoint(&roots[i], g, &dir, &err));
    assert_ok(hnsw_checkpoint(&again, g, &dir, &err));
    assert_memory_equal(&roots[i], &again, sizeof(again));
    copies[i] = opened(&w, &dir, &roots[i]);
    assert_same_answers(copies[i], g, &w);
  }
  for (uint32_t i = 0; i < STEPS; i++) { /* each says what it said then */
    hnsw_check_report report;
    assert_ok(hnsw_check(&report, copies[i], false, NULL, &err));
    assert_int_equal(report.nodes, i >= 2 ? i * 200 + 100 : (i + 1) * 200);
    assert_int_equal(report.unreachable, 0);
    hnsw *fresh = opened(&w, &dir, &roots[i]);
    assert_same_answers(fresh, copies[i], &w);
    hnsw_close(fresh);
    hnsw_close(copies[i]);
  }
  hnsw_close(g);
  world_folder_remove(path, &dir);
  world_free(&w);
}

static void
test_pages__checkpoints_append_and_earlier_roots_stay(void **state)
{
  (void)state;
  append_and_compare(UINT64_MAX);
}

static void
test_pages__saved_copies_are_given_back(void **state)
{
  (void)state;
  append_and_compare(0);
  append_and_compare(100000);
}

static void
test_pages__go_on_after_reopening_and_reclaim(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  hnsw_root root;
  hnsw *g, *same;
  world w =
      world_new(600, (hnsw_options){.dims = 300, .metric = VEC_L2, .m = 6, .ef_construction = 40});
  world_folder(path, &dir);
  assert_ok(hnsw_new(&g, 5, &w.options, base_alloc_default(), &err));
  assert_ok(hnsw_new(&same, 5, &w.options, base_alloc_default(), &err));
  insert_rows(g, &w, 0, 300);
  insert_rows(same, &w, 0, 300);
  assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
  for (uint32_t row = 300; row < 600; row += 10) {
    hnsw_close(g);
    g = opened(&w, &dir, &root);
    insert_rows(g, &w, row, row + 10);
    insert_rows(same, &w, row, row + 10);
    assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
    hnsw_stats stats;
    hnsw_stats_quick(&stats, g);
    assert_true(stats.dead_bytes <= stats.file_bytes / 2 + (1 << 20));
    assert_same_answers(g, same, &w); /* also of the pages that moved to the new file */
  }
  assert_true(root.generation > 1);
  hnsw_check_report report;
  assert_ok(hnsw_check(&report, g, false, NULL, &err));
  assert_int_equal(report.nodes, 600);
  hnsw_close(g);
  hnsw_close(same);
  world_folder_remove(path, &dir);
  world_free(&w);
}

/* A vector of row r lies where row r % 50 does. */
static const float *
sparse_row(void *user, uint32_t row)
{
  return world_row(user, row % 50);
}

static void
test_pages__rows_far_apart_take_no_room(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  hnsw_root root;
  hnsw_stats stats;
  hnsw *g;
  enum { FAR = 5000000 };
  world w =
      world_new(50, (hnsw_options){.dims = 8, .metric = VEC_L2, .m = 4, .ef_construction = 20});
  hnsw_vectors vectors = {.at = sparse_row, .user = &w};
  world_folder(path, &dir);
  assert_ok(hnsw_new(&g, 5, &w.options, base_alloc_default(), &err));
  for (uint32_t i = 0; i < 40; i++) { /* each time in a part of ROWS that was a hole before */
    uint32_t row = (uint32_t)((uint64_t)(i * 17 % 40) * FAR);
    assert_ok(hnsw_insert(g, row + 1, row, &vectors, &err));
    assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
    hnsw_stats_quick(&stats, g);
    assert_true(stats.file_bytes < 24 << 20);
    hnsw_close(g);
    assert_ok(hnsw_open(&g, &dir, 5, &root, &w.options, base_alloc_default(), &err));
    for (uint32_t j = 0; j <= i; j++) {
      uint32_t slot;
      assert_ok(hnsw_find(&slot, g, (uint32_t)((uint64_t)(j * 17 % 40) * FAR), &err));
      assert_int_equal(slot, j);
      assert_ok(hnsw_find(&slot, g, (uint32_t)((uint64_t)(j * 17 % 40) * FAR) + 1, &err));
      assert_int_equal(slot, HNSW_NONE);
    }
  }
  hnsw_check_report report;
  assert_ok(hnsw_check(&report, g, false, NULL, &err));
  assert_int_equal(report.nodes, 40);
  hnsw_close(g);
  world_folder_remove(path, &dir);
  world_free(&w);
}

static char *
slurp(const char *path, size_t *len)
{
  FILE *in = fopen(path, "rb");
  assert_non_null(in);
  (void)fseek(in, 0, SEEK_END);
  *len = (size_t)ftell(in);
  rewind(in);
  char *data = malloc(*len);
  assert_int_equal(fread(data, 1, *len, in), *len);
  (void)fclose(in);
  return data;
}

/* Is what a damaged file says an error, or right? */
static void
judge(const world *w, const base_dir *dir, const hnsw_root *root, const hnsw_hit *right, size_t n,
      const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  hnsw *g = NULL;
  hnsw_hit got[8 * WORLD_K];
  hnsw_check_report report;
  size_t m;
  quoin_status st = hnsw_open(&g, dir, 5, root, &w->options, base_alloc_default(), &err);
  if (!st) st = answers(got, &m, g, w, &err);
  if (!st) {
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
      assert_true(right[i].row == got[i].row && right[i].distance == got[i].distance);
    st = hnsw_check(&report, g, false, NULL, &err);
  }
  if (st && st != QUOIN_ERR_CORRUPT && st != QUOIN_ERR_VERSION)
    fail_msg("%s: %d: %s", what, (int)st, err.message);
  if (st) assert_true(err.message[0] && err.file[0]);
  hnsw_close(g);
}

static void
test_pages__damage_is_an_error_or_makes_no_difference(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64], file[128];
  base_dir dir;
  hnsw_root root;
  hnsw *g;
  hnsw_hit right[8 * WORLD_K];
  size_t n, len;
  world w =
      world_new(300, (hnsw_options){.dims = 20, .code = VEC_I8, .m = 4, .ef_construction = 30});
  world_folder(path, &dir);
  assert_ok(hnsw_new(&g, 5, &w.options, base_alloc_default(), &err));
  insert_rows(g, &w, 0, 200);
  assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
  insert_rows(g, &w, 200, 300);
  assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
  assert_ok(answers(right, &n, g, &w, &err));
  hnsw_close(g);
  (void)snprintf(file, sizeof(file), "%s/graph-5-%u", path, (unsigned)root.generation);
  char *data = slurp(file, &len);
  int fd = open(file, O_RDWR | O_CLOEXEC);
  for (int trial = 0; trial < 400; trial++) {
    size_t at = support_random(&w.random) % len;
    if (trial % 3 == 0) at = root.offset + support_random(&w.random) % root.length;
    char bad = (char)(data[at] ^ (1 << support_random(&w.random) % 8)), what[64];
    (void)snprintf(what, sizeof(what), "byte %zu", at);
    assert_int_equal(pwrite(fd, &bad, 1, (off_t)at), 1);
    judge(&w, &dir, &root, right, n, what);
    assert_int_equal(pwrite(fd, data + at, 1, (off_t)at), 1);
  }
  for (int trial = 0; trial < 60; trial++) { /* roots that were never given out */
    hnsw_root bad = root;
    uint64_t *const fields[] = {&bad.generation, &bad.offset, &bad.length, &bad.checksum};
    *fields[trial % 4] ^= UINT64_C(1) << support_random(&w.random) % 64;
    hnsw *none = NULL;
    assert_true(hnsw_open(&none, &dir, 5, &bad, &w.options, base_alloc_default(), &err) < 0 ||
                bad.generation == 0);
    hnsw_close(none);
  }
  for (size_t cut = len; cut > 0; cut -= cut > 5000 ? 4999 : cut) { /* a file that lost its end */
    assert_int_equal(ftruncate(fd, (off_t)(cut - 1)), 0);
    judge(&w, &dir, &root, right, n, "cut");
  }
  hnsw_options other = w.options;
  assert_int_equal(pwrite(fd, data, len, 0), len);
  other.m = 5;
  assert_int_equal(hnsw_open(&g, &dir, 5, &root, &other, base_alloc_default(), &err),
                   QUOIN_ERR_CORRUPT);
  (void)close(fd);
  free(data);
  world_folder_remove(path, &dir);
  world_free(&w);
}

/* Lists of free links that no graph has made, in a file whose checksums are right: who takes from
 * them says so. */
static void
test_pages__damaged_lists_of_free_links(void **state)
{
  (void)state;
  char path[64];
  base_dir dir;
  world w = world_new(400, (hnsw_options){.dims = 8, .m = 4, .ef_construction = 20});
  for (int trial = 0; trial < 2; trial++) {
    quoin_error err = QUOIN_ERROR_INIT;
    hnsw_root root;
    hnsw *g;
    quoin_status st = QUOIN_OK;
    world_folder(path, &dir);
    assert_ok(hnsw_new(&g, 5, &w.options, base_alloc_default(), &err));
    insert_rows(g, &w, 0, 200);
    for (size_t i = 0; i < LEVELS_MAX; i++) /* far away; or at the very end, and so of a node's */
      g->free_blocks[i] = trial ? g->upper_words : UINT32_MAX - 15;
    assert_ok(hnsw_checkpoint(&root, g, &dir, &err));
    hnsw_close(g);
    g = opened(&w, &dir, &root);
    for (uint32_t row = 200; row < 400 && !st; row++)
      st = hnsw_insert(g, row + 1, row, &w.vectors, &err);
    assert_int_equal(st, QUOIN_ERR_CORRUPT);
    assert_true(err.message[0] && err.file[0]);
    hnsw_close(g);
    world_folder_remove(path, &dir);
  }
  world_free(&w);
}

/* ---- many extents ------------------------------------------------------------------------------
 */

enum { EXTENTS_PAGES = 9000, EXTENTS_MOST = 8192 };

static void
pages_new(vec_pages *pages)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const size_t bytes[VEC_REGIONS] = {VEC_UNIT, VEC_UNIT, VEC_UNIT, VEC_UNIT};
  const size_t room = (size_t)EXTENTS_PAGES * VEC_UNIT;
  const size_t reserve[VEC_REGIONS] = {room, room, room, room};
  assert_ok(vec_pages_init(pages, 5, bytes, reserve, base_alloc_default(), &err));
}

static void
page_write(vec_region *region, size_t page, int value)
{
  memset(vec_range_base(&region->data) + page * VEC_UNIT, value, VEC_UNIT);
  vec_page_change(region, page);
}

static void
pages_save(vec_pages *pages, const base_dir *dir)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const char meta[VEC_META] = "meta";
  assert_ok(vec_pages_checkpoint(pages, dir, meta, &err));
  assert_true(pages->regions[REGION_ROWS].n_extents <= EXTENTS_MOST);
}

/* Every other page is a hole; then every other page changes. A process may have some 65,000
 * mappings, and an extent is one of them. */
static void
test_pages__a_file_keeps_few_extents(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64], meta[VEC_META];
  base_dir dir;
  vec_pages pages, again;
  vec_region *region = &pages.regions[REGION_ROWS];
  world_folder(path, &dir);
  pages_new(&pages);
  assert_ok(vec_region_grow(&pages, region, (size_t)EXTENTS_PAGES * VEC_UNIT, &err));
  region->used = (size_t)EXTENTS_PAGES * VEC_UNIT;
  for (size_t page = 0; page < EXTENTS_PAGES; page += 2)
    page_write(region, page, 1);
  pages_save(&pages, &dir);
  for (int i = 0; i < 3; i++) { /* a few changes are appended */
    page_write(region, (size_t)i * 1000, 2);
    pages_save(&pages, &dir);
    assert_int_equal(pages.root.generation, 1);
  }
  for (size_t page = 1; page < EXTENTS_PAGES; page += 2)
    page_write(region, page, 3);
  pages_save(&pages, &dir);

  pages_new(&again);
  assert_ok(vec_pages_open(&again, &dir, &pages.root, meta, &err));
  assert_string_equal(meta, "meta");
  for (size_t page = 0; page < EXTENTS_PAGES; page++) {
    assert_ok(vec_page_verify(&again, &again.regions[REGION_ROWS], page, &err));
    assert_memory_equal(vec_range_base(&again.regions[REGION_ROWS].data) + page * VEC_UNIT,
                        vec_range_base(&region->data) + page * VEC_UNIT, VEC_UNIT);
  }
  vec_pages_clear(&again);
  vec_pages_clear(&pages);
  world_folder_remove(path, &dir);
}

/* ---- more addresses ---------------------------------------------------------------------------
 */

enum { MOVES_PAGES = 300000 };

/* At 2 MiB, 64 MiB and 2 GiB, and of the checksums at 1 GiB, with what the file has and what it
 * does not have yet; of all of that hardly anything is memory. */
static void
test_pages__a_region_goes_to_more_addresses(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64], meta[VEC_META];
  base_dir dir;
  vec_pages pages, again;
  vec_region *region = &pages.regions[REGION_ROWS];
  const size_t bytes[VEC_REGIONS] = {VEC_UNIT, VEC_UNIT, VEC_UNIT, VEC_UNIT};
  const size_t most[VEC_REGIONS] = {0, 0, 0, (size_t)MOVES_PAGES * VEC_UNIT};
  uint64_t random = support_seed();
  size_t n = 0, page[4 * 16];
  world_folder(path, &dir);
  assert_ok(vec_pages_init(&pages, 5, bytes, most, base_alloc_default(), &err));
  for (size_t to = 100; n < 4 * 16; to = to * 14 < MOVES_PAGES ? to * 14 : MOVES_PAGES) {
    assert_ok(vec_region_grow(&pages, region, to * VEC_UNIT, &err));
    region->used = to * VEC_UNIT;
    for (int i = 0; i < 16; i++) {
      page[n] = support_random(&random) % to;
      page_write(region, page[n++], 1);
      if (i == 8) pages_save(&pages, &dir);
    }
  }
  assert_true(pages.limbo && pages.limbo->next && pages.limbo->next->next);
  assert_int_equal(vec_region_grow(&pages, region, ((size_t)MOVES_PAGES + 600) * VEC_UNIT, &err),
                   QUOIN_ERR_LIMIT);
  base_error_clear(&err);
  pages_save(&pages, &dir);
  assert_ok(vec_pages_init(&again, 5, bytes, most, base_alloc_default(), &err));
  assert_ok(vec_pages_open(&again, &dir, &pages.root, meta, &err));
  for (size_t i = 0; i < n; i++) {
    const char *at = vec_range_base(&again.regions[REGION_ROWS].data) + page[i] * VEC_UNIT;
    assert_ok(vec_page_verify(&again, &again.regions[REGION_ROWS], page[i], &err));
    assert_true(at[0] == 1 && at[VEC_UNIT - 1] == 1);
    assert_memory_equal(at, vec_range_base(&region->data) + page[i] * VEC_UNIT, VEC_UNIT);
  }
  vec_pages_clear(&again);
  vec_pages_clear(&pages);
  world_folder_remove(path, &dir);
}

/* ---- statistics beside checkpoints -------------------------------------------------------------
 */

typedef struct asker {
  hnsw *graph;
  _Atomic bool stop;
} asker;

static void *
ask_main(void *arg)
{
  asker *a = arg;
  hnsw_stats stats;
  while (!atomic_load(&a->stop)) {
    hnsw_stats_quick(&stats, a->graph);
    if (stats.dead_bytes > stats.file_bytes) return arg;
  }
  return NULL;
}

static void
test_pages__statistics_beside_checkpoints(void **state)
{
  (void)state;
  enum { STEP = 4096 * 20, ROUNDS = 60 }; /* rows: each in an extent of its own */
  quoin_error err = QUOIN_ERROR_INIT;
  char path[64];
  base_dir dir;
  hnsw_root root;
  asker a = {.stop = false};
  pthread_t thread;
  void *wrong;
  world w =
      world_new(50, (hnsw_options){.dims = 8, .metric = VEC_L2, .m = 4, .ef_construction = 20});
  hnsw_vectors vectors = {.at = sparse_row, .user = &w};
  world_folder(path, &dir);
  assert_ok(hnsw_new(&a.graph, 5, &w.options, base_alloc_default(), &err));
  assert_int_equal(pthread_create(&thread, NULL, ask_main, &a), 0);
  for (uint32_t i = 0; i < ROUNDS; i++) {
    assert_ok(hnsw_insert(a.graph, i + 1, i * STEP, &vectors, &err));
    assert_ok(hnsw_checkpoint(&root, a.graph, &dir, &err));
  }
  atomic_store(&a.stop, true);
  assert_int_equal(pthread_join(thread, &wrong), 0);
  assert_null(wrong);
  hnsw_close(a.graph);
  world_folder_remove(path, &dir);
  world_free(&w);
}

/* A life of a graph; the status of the first failure. */
static quoin_status
live(const world *w, const base_dir *dir, const base_alloc *mem, quoin_error *err)
{
  quoin_status st;
  hnsw *g = NULL;
  hnsw_root root = {0};
  hnsw_item items[40];
  hnsw_hit hits[8 * WORLD_K];
  size_t n;
  for (uint32_t i = 0; i < 40; i++)
    items[i] = (hnsw_item){.key = i + 1, .row = i};
  if ((st = hnsw_new(&g, 5, &w->options, mem, err))) goto done;
  if ((st = hnsw_build(g, items, 40, 1, &w->vectors, NULL, NULL, err))) goto done;
  for (uint32_t row = 40; row < 60; row++)
    if ((st = hnsw_insert(g, row + 1, row, &w->vectors, err))) goto done;
  for (uint32_t row = 0; row < 20; row++)
    if ((st = hnsw_delete(g, row, err))) goto done;
  if ((st = answers(hits, &n, g, w, err)) || (st = hnsw_sweep(g, NULL, err)) ||
      (st = hnsw_checkpoint(&root, g, dir, err)))
    goto done;
  hnsw_close(g);
  if ((st = hnsw_open(&g, dir, 5, &root, &w->options, mem, err)) ||
      (st = hnsw_build(g, items, 20, 2, &w->vectors, NULL, NULL, err)) ||
      (st = answers(hits, &n, g, w, err)) || (st = hnsw_checkpoint(&root, g, dir, err)))
    goto done;

done:
  if (st && g) { /* what failed did no harm */
    hnsw_check_report report;
    quoin_error other = QUOIN_ERROR_INIT;
    quoin_status again = hnsw_check(&report, g, false, NULL, &other);
    if (again && again != QUOIN_ERR_NOMEM) fail_msg("%s", other.message);
  }
  hnsw_close(g);
  return st;
}

static void
test_pages__without_memory_nothing_is_lost(void **state)
{
  (void)state;
  char path[64];
  base_dir dir;
  world w =
      world_new(60, (hnsw_options){.dims = 12, .code = VEC_I8, .m = 4, .ef_construction = 20});
  world_folder(path, &dir);
  bool failed = true;
  for (uint64_t at = 1; failed; at++) {
    quoin_error err = QUOIN_ERROR_INIT;
    support_memory m = {.fail_at = at};
    base_alloc mem = support_alloc(&m);
    quoin_status st = live(&w, &dir, &mem, &err);
    failed = m.calls >= at;
    if (st && st != QUOIN_ERR_NOMEM) fail_msg("call %u: %s", (unsigned)at, err.message);
    if (!failed) assert_int_equal(st, QUOIN_OK);
    if (m.bytes) fail_msg("call %u: %d bytes are lost", (unsigned)at, (int)m.bytes);
    assert_true(at < 2000);
  }
  world_folder_remove(path, &dir);
  world_free(&w);
}

/* Until it succeeds: memory is short once. */
static void
insist(quoin_status (*step)(void *), void *user, uint64_t at)
{
  for (int i = 0;; i++) {
    quoin_status st = step(user);
    if (!st) return;
    if (st != QUOIN_ERR_NOMEM || i > 1) fail_msg("call %u: status %d", (unsigned)at, (int)st);
  }
}

typedef struct change {
  hnsw *g;
  const world *w;
  uint32_t row, n;
} change;

static quoin_status
put_some(void *user)
{
  const change *c = user;
  hnsw_item items[60];
  for (uint32_t i = 0; i < c->n; i++)
    items[i] = (hnsw_item){.key = c->row + i + 1, .row = c->row + i};
  return hnsw_build(c->g, items, c->n, 1, &c->w->vectors, NULL, NULL, NULL);
}

/* A step at a time, and a node goes in the middle of the sweep. */
static quoin_status
sweep_some(void *user)
{
  change *c = user;
  uint32_t slot;
  bool done = false;
  quoin_status st = QUOIN_OK;
  while (!st && !done)
    if (!(st = hnsw_sweep_step(&done, c->g, 7, NULL, NULL)) &&
        !hnsw_find(&slot, c->g, c->row, NULL) && slot != HNSW_NONE)
      st = hnsw_delete(c->g, c->row, NULL);
  return st;
}

static void
test_pages__a_sweep_goes_on_when_there_is_memory(void **state)
{
  (void)state;
  enum { ALL = 60, SOME = 25 };
  world w =
      world_new(ALL, (hnsw_options){.dims = 12, .code = VEC_I8, .m = 4, .ef_construction = 20});
  bool failed = true;
  for (uint64_t at = 1; failed; at++) {
    support_memory m = {.fail_at = at};
    base_alloc mem = support_alloc(&m);
    change c = {.w = &w, .n = ALL};
    hnsw_check_report report;
    if (hnsw_new(&c.g, 5, &w.options, &mem, NULL)) continue;
    insist(put_some, &c, at);
    for (uint32_t round = 0; round < 3; round++) {
      for (uint32_t row = 10 * round; row < 10 * round + SOME - 1; row++)
        assert_int_equal(hnsw_delete(c.g, row, NULL), QUOIN_OK);
      c.row = 10 * round + SOME - 1;
      insist(sweep_some, &c, at);
      c.row = 10 * round;
      c.n = SOME;
      insist(put_some, &c, at);
    }
    quoin_error err = QUOIN_ERROR_INIT;
    if (hnsw_check(&report, c.g, false, NULL, &err) == QUOIN_ERR_NOMEM) /* by the same memory */
      assert_ok(hnsw_check(&report, c.g, false, NULL, &err));
    if (err.status && err.status != QUOIN_ERR_NOMEM)
      fail_msg("call %u: %s", (unsigned)at, err.message);
    if (report.nodes != ALL || report.unreachable)
      fail_msg("call %u: %u nodes, %u unreachable", (unsigned)at, (unsigned)report.nodes,
               (unsigned)report.unreachable);
    hnsw_close(c.g);
    failed = m.calls >= at;
    if (m.bytes) fail_msg("call %u: %d bytes are lost", (unsigned)at, (int)m.bytes);
    assert_true(at < 4000);
  }
  world_free(&w);
}

static void
test_pages__names_of_files(void **state)
{
  (void)state;
  uint64_t id, generation;
  assert_true(hnsw_file_is_mine("graph-5-17", &id, &generation));
  assert_true(id == 5 && generation == 17);
  static const char *const others[] = {
      "graph-5",  "graph-5-17x", "graph-05-17", "graph--5-1",   "graph-5-+1",
      "run-5-17", "graph-5-17 ", "xgraph-5-17", "graph-5-17-1", ""};
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
    assert_false(hnsw_file_is_mine(others[i], &id, &generation));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pages__checkpoints_append_and_earlier_roots_stay),
      cmocka_unit_test(test_pages__saved_copies_are_given_back),
      cmocka_unit_test(test_pages__go_on_after_reopening_and_reclaim),
      cmocka_unit_test(test_pages__rows_far_apart_take_no_room),
      cmocka_unit_test(test_pages__damage_is_an_error_or_makes_no_difference),
      cmocka_unit_test(test_pages__damaged_lists_of_free_links),
      cmocka_unit_test(test_pages__a_file_keeps_few_extents),
      cmocka_unit_test(test_pages__a_region_goes_to_more_addresses),
      cmocka_unit_test(test_pages__statistics_beside_checkpoints),
      cmocka_unit_test(test_pages__without_memory_nothing_is_lost),
      cmocka_unit_test(test_pages__a_sweep_goes_on_when_there_is_memory),
      cmocka_unit_test(test_pages__names_of_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
