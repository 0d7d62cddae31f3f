/* Runs in memory and on disk, merged scans, seeks, rebinds and counts against a sorted array. */
#include "unit/test_quadstore_support.h"

#define MEM base_alloc_default()

typedef struct fixture {
  support_dir at;
  base_dir dir;
  model model;
  quad_version *version;
  quad_snapshot *snapshot;
} fixture;

/* A run of random net changes to the model: `size` tried. */
static quad_run *
random_run(fixture *f, size_t size, unsigned removals, bool disk, uint64_t generation,
           uint32_t orders, uint64_t subjects)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_changes c;
  model seen = {NULL, 0, 0};
  quad_run *run, *file;
  char name[32];
  quad_writer *w;

  quad_changes_init(&c, MEM);
  for (size_t i = 0; i < size; i++) {
    bool remove = f->model.n && draw() % 100 < removals;
    quad q = remove ? f->model.quads[draw() % f->model.n] : random_quad(subjects, draw() % 2);
    if (!model_add(&seen, &q)) continue; /* once a run */
    if (remove ? model_remove(&f->model, &q) : model_add(&f->model, &q))
      assert_ok(quad_changes_add(&c, &q, remove, &err));
  }
  model_free(&seen);
  quad_version *none;
  uint64_t added, removed;
  assert_ok(quad_version_new(&none, 0, MEM, &err));
  if (removals == 0) /* sorts */
    assert_ok(quad_changes_net(&added, &removed, &c, none, &err));
  else
    assert_ok(quad_changes_net(&added, &removed, &c, f->version, &err));
  quad_version_release(none);
  assert_ok(quad_run_make(&run, NULL, 0, &c, orders, MEM, &err));
  quad_changes_clear(&c);
  if (!disk) return run;
  (void)snprintf(name, sizeof name, "run-%llu", (unsigned long long)generation);
  assert_ok(quad_writer_open(&w, &f->dir, name, generation, orders, MEM, &err));
  assert_ok(quad_merge_runs(quad_writer_sink(w), &run, 1, NULL, MEM, &err));
  assert_ok(quad_writer_finish(w, false, &err));
  assert_ok(quad_run_open(&file, &f->dir, name, generation, MEM, &err));
  assert_int_equal(file->entries, run->entries);
  assert_int_equal(file->tombstones, run->tombstones);
  assert_int_equal(file->n_predicates, run->n_predicates);
  quad_run_release(run);
  return file;
}

static void
fixture_make(fixture *f, unsigned runs, size_t size, unsigned removals, uint32_t orders,
             uint64_t subjects)
{
  quoin_error err = QUOIN_ERROR_INIT;

  *f = (fixture){.dir = BASE_DIR_NONE};
  support_dir_make(&f->at);
  assert_ok(base_dir_open(&f->dir, f->at.path, &err));
  assert_ok(quad_version_new(&f->version, runs, MEM, &err));
  f->version->orders = orders;
  for (unsigned i = 0; i < runs; i++) {
    quad_run *run = random_run(f, i ? size / (i + 1) : size, i ? removals : 0, draw() % 2 == 0,
                               i + 1, orders, subjects);
    quad_version_push(f->version, run);
    quad_run_release(run);
  }
  assert_ok(quad_snapshot_make(&f->snapshot, quad_version_retain(f->version), MEM, &err));
}

static void
fixture_remove(fixture *f)
{
  quad_snapshot_release(f->snapshot);
  quad_version_release(f->version);
  model_free(&f->model);
  base_dir_close(&f->dir);
  support_dir_remove(&f->at);
}

/* Rows of `scan` from here on equal expect[at..n). */
static void
check_rows(quad_scan *scan, const quad *expect, size_t at, size_t n, unsigned columns)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_batch b;
  quoin_status st;

  while (!(st = quad_scan_next(&b, scan, &err))) {
    assert_in_range(b.rows, 1, QUAD_BATCH);
    assert_true(at + b.rows <= n);
    for (unsigned k = 0; k < 4; k++) {
      if (!(columns >> k & 1)) {
        assert_null(b.column[k]);
        continue;
      }
      for (size_t i = 0; i < b.rows; i++)
        assert_int_equal(b.column[k][i].bits, expect[at + i].term[k].bits);
    }
    at += b.rows;
  }
  assert_int_equal(st, QUOIN_DONE);
  assert_int_equal(at, n);
}

static quad_pattern
random_pattern(const model *m, unsigned bound, quad_scope scope)
{
  quad_pattern p = {.scope = scope};
  quad from = m->n ? m->quads[draw() % m->n] : random_quad(10, true);

  if (draw() % 10 == 0) from = random_quad(40, true);
  for (unsigned k = 0; k < 4; k++)
    if (bound >> k & 1) p.match.term[k] = from.term[k];
  if (scope == QUAD_DEFAULT) p.match.term[QUAD_G] = ATOM_NONE_ID;
  return p;
}

static bool
order_fits(uint32_t orders, unsigned order, quad_scope scope)
{
  static const uint8_t twin[] = {QUAD_SPO, QUAD_POS, QUAD_OSP};
  if (!(orders >> order & 1)) return false;
  if (order < QUAD_GSPO) return true;
  if (scope == QUAD_DEFAULT) return false;
  return scope == QUAD_NAMED || orders >> twin[order - QUAD_GSPO] & 1;
}

static void
check_scan(const fixture *f, const quad_pattern *p, unsigned order)
{
  quoin_error err = QUOIN_ERROR_INIT;
  unsigned columns = draw() % 3 ? 15u : (unsigned)(draw() % 16);
  quad_scan *scan;
  size_t n;
  quad *expect = model_select(&n, &f->model, p, order);

  assert_ok(quad_scan_open(&scan, f->snapshot, p, (quad_order)order, columns, &err));
  check_rows(scan, expect, 0, n, columns);
  if (n) { /* again, seeking a few times */
    size_t at = 0;
    quad_batch b;
    assert_ok(quad_scan_rebind(scan, p, &err));
    for (unsigned i = 0; i < 4; i++) {
      size_t to = (size_t)(draw() % n);
      atom_id key[4];
      for (unsigned k = 0; k < 4; k++)
        key[k] = expect[to].term[quad_order_keys[order][k]];
      assert_ok(quad_scan_seek(scan, key, &err));
      if (to > at) at = to;
      if (at >= n || draw() % 2) continue;
      assert_ok(quad_scan_next(&b, scan, &err));
      at += b.rows;
      if (at >= n) break;
    }
    check_rows(scan, expect, at, n, columns);
  }
  quad_scan_close(scan);
  free(expect);
}

static void
check_all(const fixture *f, unsigned rounds)
{
  quoin_error err = QUOIN_ERROR_INIT;

  for (unsigned round = 0; round < rounds; round++)
    for (unsigned bound = 0; bound < 16; bound++)
      for (unsigned scope = 0; scope < 3; scope++) {
        quad_pattern p = random_pattern(&f->model, bound, (quad_scope)scope);
        uint64_t count, distinct;
        size_t n;
        quad *expect = model_select(&n, &f->model, &p, QUAD_SPO);
        quad_order best;
        free(expect);
        assert_ok(quad_count(&count, f->snapshot, &p, &err));
        assert_int_equal(count, n);
        for (unsigned order = 0; order < QUAD_ORDERS; order++)
          if (order_fits(f->version->orders, order, p.scope)) check_scan(f, &p, order);
        best = quad_order_for(f->version->orders, &p, NULL, 0);
        if (best == QUAD_ORDERS) continue;
        assert_ok(quad_distinct_estimate(&distinct, f->snapshot, best, &p, &err));
        assert_true(distinct <= n && (n == 0 || distinct > 0));
        assert_ok(quad_count(&count, f->snapshot, &p, &err)); /* what the estimate kept is used */
        assert_int_equal(count, n);
      }
}

static void
test_scan__equals_model(void **unused)
{
  (void)unused;
  for (unsigned runs = 1; runs <= 9; runs += 2) {
    fixture f;
    fixture_make(&f, runs, 3000, 40, (1u << QUAD_ORDERS) - 1, 60);
    check_all(&f, 2);
    fixture_remove(&f);
  }
}

/* Of one run without tombstones few values are counted, not estimated; the same when asked again.
 */
static void
test_scan__few_distinct_values_are_exact(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  unsigned few = 0;
  fixture f;

  (void)unused;
  fixture_make(&f, 1, 3000, 0, (1u << QUAD_ORDERS) - 1, 60);
  for (unsigned round = 0; round < 64; round++) {
    quad_pattern p = random_pattern(&f.model, round % 16, round % 2 ? QUAD_DEFAULT : QUAD_NAMED);
    quad_order order = quad_order_for(f.version->orders, &p, NULL, 0);
    unsigned keys = p.scope == QUAD_DEFAULT ? 3 : 4, bound = 0;
    uint64_t distinct, again, exact = 0;
    size_t n;
    while (bound < keys && p.match.term[quad_order_keys[order][bound]].bits)
      bound++;
    if (bound == keys) continue;
    quad *rows = model_select(&n, &f.model, &p, order);
    unsigned key = quad_order_keys[order][bound];
    for (size_t i = 0; i < n; i++)
      exact += !i || rows[i].term[key].bits != rows[i - 1].term[key].bits;
    free(rows);
    assert_ok(quad_distinct_estimate(&distinct, f.snapshot, order, &p, &err));
    assert_ok(quad_distinct_estimate(&again, f.snapshot, order, &p, &err));
    assert_int_equal(distinct, again);
    if (exact >= 32) continue;
    assert_int_equal(distinct, exact);
    few++;
  }
  assert_true(few > 5);
  fixture_remove(&f);
}

static void
test_scan__fewer_orders(void **unused)
{
  (void)unused;
  for (unsigned i = 0; i < 6; i++) {
    fixture f;
    uint32_t orders = (1u << QUAD_SPO) | ((uint32_t)draw() & ((1u << QUAD_ORDERS) - 1));
    fixture_make(&f, 4, 1500, 40, orders, 40);
    check_all(&f, 1);
    fixture_remove(&f);
  }
}

static void
test_scan__many_blocks(void **unused)
{
  fixture f;

  (void)unused;
  fixture_make(&f, 3, 12000, 20, (1u << QUAD_ORDERS) - 1, 3000);
  check_all(&f, 1);
  fixture_remove(&f);
}

/* As an index-lookup join does: the same positions, other terms. */
static void
test_scan__rebinds(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;

  (void)unused;
  for (unsigned runs = 1; runs <= 5; runs++) {
    fixture f;
    quad_scan *scan = NULL;
    fixture_make(&f, runs, 6000, 30, (1u << QUAD_ORDERS) - 1, 500);
    for (unsigned i = 0; i < 300; i++) {
      quad_pattern p = random_pattern(&f.model, 1u << QUAD_S | 1u << QUAD_P, QUAD_DEFAULT);
      size_t n;
      quad *expect = model_select(&n, &f.model, &p, QUAD_SPO);
      if (!scan)
        assert_ok(quad_scan_open(&scan, f.snapshot, &p, QUAD_SPO, 15, &err));
      else
        assert_ok(quad_scan_rebind(scan, &p, &err));
      check_rows(scan, expect, 0, n, 15);
      free(expect);
    }
    quad_scan_close(scan);
    fixture_remove(&f);
  }
}

static void
test_scan__ranges(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;

  (void)unused;
  fixture_make(&f, 4, 5000, 30, (1u << QUAD_ORDERS) - 1, 200);
  for (unsigned i = 0; i < 200; i++) {
    quad_pattern p = random_pattern(&f.model, 1u << QUAD_P, (quad_scope)(draw() % 3));
    atom_id lo = f.model.quads[draw() % f.model.n].term[QUAD_O];
    atom_id hi = f.model.quads[draw() % f.model.n].term[QUAD_O];
    quad_scan *scan;
    size_t n, kept = 0;
    quad *expect = model_select(&n, &f.model, &p, QUAD_POS);
    for (size_t r = 0; r < n; r++)
      if (expect[r].term[QUAD_O].bits >= lo.bits && expect[r].term[QUAD_O].bits <= hi.bits)
        expect[kept++] = expect[r];
    assert_ok(quad_scan_open(&scan, f.snapshot, &p, QUAD_POS, 15, &err));
    assert_ok(quad_scan_range(scan, lo, hi, &err));
    check_rows(scan, expect, 0, kept, 15);
    quad_scan_close(scan);
    free(expect);
  }
  fixture_remove(&f);
}

static void
test_scan__predicates_from_footers(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  quad_predicate_count *list;
  size_t n;
  uint64_t sum = 0;

  (void)unused;
  fixture_make(&f, 5, 3000, 40, (1u << QUAD_ORDERS) - 1, 100);
  assert_ok(quad_predicates(&list, &n, f.snapshot, MEM, &err));
  for (size_t i = 0; i < n; i++) {
    quad_pattern p = {.scope = QUAD_DEFAULT};
    uint64_t count;
    p.match.term[QUAD_P] = list[i].predicate;
    assert_ok(quad_count(&count, f.snapshot, &p, &err));
    assert_int_equal(count, list[i].triples[0]);
    p.scope = QUAD_NAMED;
    assert_ok(quad_count(&count, f.snapshot, &p, &err));
    assert_int_equal(count, list[i].triples[1]);
    sum += list[i].triples[0] + list[i].triples[1];
  }
  assert_int_equal(sum, f.model.n);
  base_release(MEM, list, n, sizeof *list);
  fixture_remove(&f);
}

/* Merging neighbours keeps the sum, in memory and on disk. */
static void
test_scan__merged_runs_are_the_same(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  quad_writer *w;
  quad_run *run;

  (void)unused;
  fixture_make(&f, 6, 3000, 40, (1u << QUAD_ORDERS) - 1, 100);
  assert_ok(quad_writer_open(&w, &f.dir, "run-100", 100, f.version->orders, MEM, &err));
  assert_ok(quad_merge_runs(quad_writer_sink(w), f.version->runs, 6, NULL, MEM, &err));
  assert_ok(quad_writer_finish(w, true, &err));
  assert_ok(quad_run_open(&run, &f.dir, "run-100", 100, MEM, &err));
  assert_int_equal(run->entries, f.model.n);
  assert_int_equal(run->tombstones, 0);
  quad_snapshot_release(f.snapshot);
  quad_version_release(f.version);
  assert_ok(quad_version_new(&f.version, 1, MEM, &err));
  f.version->orders = (1u << QUAD_ORDERS) - 1;
  quad_version_push(f.version, run);
  quad_run_release(run);
  assert_ok(quad_snapshot_make(&f.snapshot, quad_version_retain(f.version), MEM, &err));
  check_all(&f, 1);
  fixture_remove(&f);
}

/* A byte of a run file that is wrong is an error, or it does not matter. */
static void
test_scan__flipped_bytes(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  char path[256];
  FILE *file;
  long size;
  quad_run *run;

  (void)unused;
  fixture_make(&f, 1, 3000, 0, (1u << QUAD_ORDERS) - 1, 100);
  quad_writer *w;
  assert_ok(quad_writer_open(&w, &f.dir, "run-50", 50, f.version->orders, MEM, &err));
  assert_ok(quad_merge_runs(quad_writer_sink(w), f.version->runs, 1, NULL, MEM, &err));
  assert_ok(quad_writer_finish(w, true, &err));
  (void)snprintf(path, sizeof path, "%s/run-50", f.at.path);
  for (unsigned i = 0; i < 400; i++) {
    int byte;
    long at;
    file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    at = i < 130 ? (long)i : (long)(draw() % (uint64_t)size);
    fseek(file, at, SEEK_SET);
    byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ (int)(1 + draw() % 255), file);
    fclose(file);
    if (quad_run_open(&run, &f.dir, "run-50", 50, MEM, &err) == QUOIN_OK) {
      quad_version *v;
      quad_snapshot *s;
      quad_pattern p = {.scope = QUAD_ANY};
      assert_ok(quad_version_new(&v, 1, MEM, &err));
      v->orders = f.version->orders;
      quad_version_push(v, run);
      quad_run_release(run);
      assert_ok(quad_snapshot_make(&s, v, MEM, &err));
      for (unsigned order = 0; order < QUAD_ORDERS; order++) {
        quad_scan *scan;
        quad_batch b;
        size_t n, seen = 0;
        quad *expect = model_select(&n, &f.model, &p, order);
        quoin_status st;
        assert_ok(quad_scan_open(&scan, s, &p, (quad_order)order, 15, &err));
        while (!(st = quad_scan_next(&b, scan, &err))) {
          for (size_t r = 0; r < b.rows; r++)
            for (unsigned k = 0; k < 4; k++)
              assert_int_equal(b.column[k][r].bits, expect[seen + r].term[k].bits);
          seen += b.rows;
        }
        if (st == QUOIN_DONE)
          assert_int_equal(seen, n);
        else
          assert_int_equal(st, QUOIN_ERR_CORRUPT);
        quad_scan_close(scan);
        free(expect);
      }
      quad_snapshot_release(s);
    } else {
      assert_true(err.status == QUOIN_ERR_CORRUPT || err.status == QUOIN_ERR_VERSION);
    }
    file = fopen(path, "r+b");
    fseek(file, at, SEEK_SET);
    fputc(byte, file);
    fclose(file);
  }
  fixture_remove(&f);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scan__equals_model),
      cmocka_unit_test(test_scan__few_distinct_values_are_exact),
      cmocka_unit_test(test_scan__fewer_orders),
      cmocka_unit_test(test_scan__many_blocks),
      cmocka_unit_test(test_scan__rebinds),
      cmocka_unit_test(test_scan__ranges),
      cmocka_unit_test(test_scan__predicates_from_footers),
      cmocka_unit_test(test_scan__merged_runs_are_the_same),
      cmocka_unit_test(test_scan__flipped_bytes),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
