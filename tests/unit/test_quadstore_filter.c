/* Filters: what they rule out is not there, and all of a store keep within their bound, while
 * others look things up. */
#include "unit/test_quadstore_support.h"

#define MEM base_alloc_default()

enum { RUNS = 4, EACH = 30000, THREADS = 3 };

typedef struct seeker {
  quad_store *store;
  uint64_t seed, lookups;
  unsigned runs;   /* that are there */
  unsigned orders; /* 1: SPO; 2: OSP by turns */
  unsigned wrong;
} seeker;

/* Subject n is of run n % RUNS, with two objects; those from RUNS * EACH on are of none. */
static quad
pair(uint64_t n, unsigned k)
{
  quad q;
  q.term[0] = atom_inline_integer((int64_t)n);
  q.term[1] = atom_inline_integer((int64_t)(n % 7));
  q.term[2] = atom_inline_integer((int64_t)(n / 3 + k));
  q.term[3] = ATOM_NONE_ID;
  return q;
}

static void
load_run(quad_store *store, unsigned run)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_bulk *bulk;
  uint64_t added;

  assert_ok(quad_bulk_begin(&bulk, store, 0, 1, &err));
  for (uint64_t n = run; n < RUNS * EACH; n += RUNS)
    for (unsigned k = 0; k < 2; k++) {
      quad q = pair(n, k);
      assert_ok(quad_bulk_add(bulk, &q, 1, &err));
    }
  assert_ok(quad_bulk_finish(&added, bulk, NULL, &err));
  assert_int_equal(added, 2 * EACH);
}

/* Lookups by subject and predicate, and by object and subject: the counts that there must be. */
static void *
seek(void *arg)
{
  seeker *s = arg;
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot *snapshot;
  uint64_t x = s->seed;

  if (quad_snapshot_acquire(&snapshot, s->store, &err)) return NULL;
  for (uint64_t i = 0; i < s->lookups; i++) {
    uint64_t n = (x = base_mix(x + 1)) % (RUNS * EACH + EACH), rows = 0;
    bool by_object = i % s->orders != 0;
    quad q = pair(n, 0);
    quad_pattern p = {.scope = QUAD_DEFAULT};
    quad_order order = by_object ? QUAD_OSP : QUAD_SPO;
    quad_scan *scan;
    quad_batch b;
    p.match.term[0] = q.term[0];
    if (by_object)
      p.match.term[2] = q.term[2];
    else
      p.match.term[1] = q.term[1];
    if (quad_scan_open(&scan, snapshot, &p, order, 7, &err)) break;
    while (!quad_scan_next(&b, scan, &err))
      rows += b.rows;
    quad_scan_close(scan);
    s->wrong += rows != (n < RUNS * EACH && n % RUNS < s->runs ? by_object ? 1u : 2u : 0u);
  }
  quad_snapshot_release(snapshot);
  return NULL;
}

/* Bytes of filters after many lookups, by one thread or several. */
static uint64_t
look_up(quad_store *store, unsigned runs, unsigned orders, unsigned threads, uint64_t lookups)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t id[THREADS];
  seeker s[THREADS];
  quad_stats stats;

  for (unsigned i = 0; i < threads; i++) {
    s[i] = (seeker){store, (uint64_t)draw(), lookups, runs, orders, 0};
    assert_int_equal(pthread_create(&id[i], NULL, seek, &s[i]), 0);
  }
  for (unsigned i = 0; i < threads; i++) {
    assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(s[i].wrong, 0);
  }
  assert_ok(quad_store_stats(&stats, store, &err));
  return stats.filter_bytes;
}

static void
test_filter__all_of_a_store_keep_within_their_bound(void **unused)
{
  /* as much as they want; about one of them; two or three, of four in each of two orders; none */
  static const uint64_t bounds[] = {0, 150000, 400000, 1};
  quoin_error err = QUOIN_ERROR_INIT;

  (void)unused;
  for (unsigned i = 0; i < sizeof bounds / sizeof *bounds; i++) {
    quad_store_options o = {.create = true,
                            .durability = QUAD_SYNC_OFF,
                            .filter_bytes = bounds[i],
                            .rest_ms = UINT64_MAX};
    support_dir d;
    quad_store *store;
    uint64_t bytes;
    support_dir_make(&d);
    assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
    for (unsigned run = 0; run < RUNS; run++)
      load_run(store, run);
    bytes = look_up(store, RUNS, 2, THREADS, 6000);
    if (!bounds[i]) assert_true(bytes > 600000);
    if (bounds[i]) assert_true(bytes <= bounds[i]);
    if (bounds[i] > 1) assert_true(bytes > 0);
    bytes = look_up(store, RUNS, 2, 1, 2000);
    if (bounds[i]) assert_true(bytes <= bounds[i]);
    assert_ok(quad_store_clear(store, &err)); /* with the runs they go */
    assert_int_equal(look_up(store, 0, 1, 0, 0), 0);
    assert_ok(quad_store_close(store, &err));
    support_dir_remove(&d);
  }
}

/* Those that ruled nothing out since the last look go; what is asked of them later is right. */
static void
test_filter__the_idle_ones_go(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF, .rest_ms = UINT64_MAX};
  support_dir d;
  quad_store *store;
  quad_filter *before[8];
  size_t n = 0, kept = 0;
  uint64_t bytes;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  for (unsigned run = 0; run < 2; run++)
    load_run(store, run);
  bytes = look_up(store, 2, 2, 1, 6000);
  for (quad_filter *f = store->filters.first; f; f = f->next) {
    assert_true(n < 8);
    before[n++] = f;
    atomic_store(&f->used, false);
  }
  assert_int_equal(n, 4);       /* two runs, two orders */
  store->filters.bound = bytes; /* nothing more fits */
  for (unsigned run = 2; run < RUNS; run++)
    load_run(store, run);
  assert_true(look_up(store, RUNS, 1, THREADS, 6000) <= bytes);
  for (quad_filter *f = store->filters.first; f; f = f->next)
    for (size_t i = 0; i < n; i++)
      kept += f == before[i];
  assert_true(kept < n);
  assert_true(look_up(store, RUNS, 2, THREADS, 6000) <= bytes);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_filter__all_of_a_store_keep_within_their_bound),
      cmocka_unit_test(test_filter__the_idle_ones_go),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
