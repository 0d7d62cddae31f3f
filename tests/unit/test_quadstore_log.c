/* The log and the manifest when bytes are missing or wrong; allocation failures; builds that
 * repeat. */
#include "support/memory.h"
#include "unit/test_quadstore_support.h"

#define MEM base_alloc_default()

static quad
small_quad(unsigned s, unsigned p, unsigned o, unsigned g)
{
  quad q = {{{0}, {0}, {0}, {0}}};
  q.term[0] = atom_inline_integer(s);
  q.term[1] = atom_inline_integer(p);
  q.term[2] = atom_inline_integer(o);
  if (g) q.term[3] = atom_inline_integer(g);
  return q;
}

static char *
slurp(const char *dir, const char *name, size_t *size)
{
  char path[512];
  FILE *f;
  char *data;

  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  f = fopen(path, "rb");
  if (!f) return NULL;
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  data = malloc(*size + 1);
  assert_int_equal(fread(data, 1, *size, f), *size);
  fclose(f);
  return data;
}

static void
spill_out(const char *dir, const char *name, const char *data, size_t size)
{
  char path[512];
  FILE *f;

  (void)snprintf(path, sizeof path, "%s/%s", dir, name);
  f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, size, f), size);
  fclose(f);
}

/* Files of a directory, in memory. */
typedef struct image {
  char name[32][256];
  char *data[32];
  size_t size[32];
  unsigned n;
} image;

static void
image_take(image *im, const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;

  im->n = 0;
  while ((e = readdir(dir))) {
    if (e->d_name[0] == '.') continue;
    assert_true(im->n < 32);
    (void)snprintf(im->name[im->n], 256, "%s", e->d_name);
    im->data[im->n] = slurp(path, e->d_name, &im->size[im->n]);
    im->n++;
  }
  closedir(dir);
}

static void
image_put(const image *im, const support_dir *d)
{
  support_dir_empty(d);
  for (unsigned i = 0; i < im->n; i++)
    spill_out(d->path, im->name[i], im->data[i], im->size[i]);
}

static void
image_free(image *im)
{
  for (unsigned i = 0; i < im->n; i++)
    free(im->data[i]);
}

static unsigned
image_find(const image *im, const char *name)
{
  for (unsigned i = 0; i < im->n; i++)
    if (!strcmp(im->name[i], name)) return i;
  fail_msg("no file %s", name);
  return 0;
}

static quoin_status
try_count(uint64_t *count, const support_dir *d, bool read_only, quoin_error *err)
{
  quad_store_options o = {.read_only = read_only};
  quad_pattern all = {.scope = QUAD_ANY};
  quad_store *store;
  quad_snapshot *s;
  quoin_status st = quad_store_open(&store, d->path, &o, MEM, err);

  if (st) return st;
  if (!(st = quad_snapshot_acquire(&s, store, err))) {
    st = quad_count(count, s, &all, err);
    quad_snapshot_release(s);
  }
  if (!st && !read_only) st = quad_store_check(store, NULL, NULL, NULL, err);
  if (st) {
    (void)quad_store_close(store, NULL);
    return st;
  }
  return quad_store_close(store, err);
}

/* A store of `commits` commits, all in the log, as a crash leaves it; commit i adds i + 1 quads and
 * a new term. ends[i]: bytes of the log after commit i. */
static void
make_logged(image *im, unsigned commits, size_t *ends)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  support_dir d;
  quad_store *store;

  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  for (unsigned i = 0; i < commits; i++) {
    quad_txn *txn;
    char text[32];
    rdf_term terms[4] = {{RDF_NONE, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
    assert_ok(quad_txn_begin(&txn, store, &err));
    for (unsigned k = 0; k < i; k++) {
      quad q = small_quad(i, k, 7, k % 2);
      assert_ok(quad_txn_add_ids(txn, &q, &err));
    }
    (void)snprintf(text, sizeof text, "http://e/%u", i);
    for (unsigned k = 0; k < 3; k++)
      terms[k] = (rdf_term){RDF_IRI, base_span(text), {NULL, 0}, {NULL, 0}};
    terms[3] = (rdf_term){.kind = RDF_NONE};
    assert_ok(quad_txn_add(txn, (const rdf_term *)terms, &err));
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
    ends[i] = (size_t)store->log.offset;
  }
  image_take(im, d.path);              /* as it is on disk now */
  for (unsigned i = 0; i < im->n; i++) /* less of the zeroes behind the log to copy */
    if (!strcmp(im->name[i], "log-1")) im->size[i] = ends[commits - 1] + 256;
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

static uint64_t
quads_after(unsigned commits)
{
  uint64_t n = 0;
  for (unsigned i = 0; i < commits; i++)
    n += i + 1;
  return n;
}

static void
test_log__tail_cut_at_every_byte(void **unused)
{
  enum { COMMITS = 3 };
  quoin_error err = QUOIN_ERROR_INIT;
  image im;
  support_dir d;
  size_t ends[COMMITS], full;
  char *data;
  unsigned log;

  (void)unused;
  make_logged(&im, COMMITS, ends);
  support_dir_make(&d);
  log = image_find(&im, "log-1");
  data = im.data[log];
  full = im.size[log];
  for (size_t cut = 0; cut <= ends[COMMITS - 1]; cut++) {
    unsigned whole = 0;
    uint64_t count = 0;
    char *zeroed;
    while (whole < COMMITS && ends[whole] <= cut)
      whole++;
    im.size[log] = cut; /* the file ends there */
    image_put(&im, &d);
    if (cut % 4 == 0) { /* a reading process sees the same, and writes nothing */
      assert_ok(try_count(&count, &d, true, &err));
      assert_int_equal(count, quads_after(whole));
    }
    assert_ok(try_count(&count, &d, false, &err));
    assert_int_equal(count, quads_after(whole));
    if (cut % 8) continue;
    im.size[log] = full; /* the rest never reached the disk */
    zeroed = malloc(full);
    memcpy(zeroed, data, full);
    memset(zeroed + cut, 0, full - cut);
    im.data[log] = zeroed;
    image_put(&im, &d);
    assert_ok(try_count(&count, &d, false, &err));
    im.data[log] = data;
    free(zeroed);
    assert_int_equal(count, quads_after(whole));
  }
  image_free(&im);
  support_dir_remove(&d);
}

/* What the check of a process that only reads finds behind the last good record. */
static quoin_status
check_beside(const support_dir *d, quoin_error *err)
{
  quad_store_options o = {.read_only = true};
  quad_store *store;
  quoin_status st;

  assert_int_equal(quad_store_open(&store, d->path, &o, MEM, err), QUOIN_OK);
  st = quad_store_check(store, NULL, NULL, NULL, err);
  assert_int_equal(quad_store_close(store, NULL), QUOIN_OK);
  return st;
}

static void
keep_line(void *user, const char *line)
{
  if (strstr(line, "damaged end of log-1")) ++*(unsigned *)user;
}

/* A wrong byte in the last record, which was synced: no later header says so, but all of its
 * sectors are there, so no write was torn. The check says that; opening cuts it, and says so. */
static void
test_log__damage_at_the_end_is_no_torn_write(void **unused)
{
  enum { COMMITS = 40 };
  quoin_error err = QUOIN_ERROR_INIT;
  image im;
  support_dir d;
  size_t ends[COMMITS], last, sector;
  uint64_t count = 0;
  unsigned log, told = 0;
  quad_store_options o = {.log = keep_line, .log_user = &told};
  quad_store *store;
  char *data, kept[512];

  (void)unused;
  make_logged(&im, COMMITS, ends);
  support_dir_make(&d);
  log = image_find(&im, "log-1");
  data = im.data[log];
  last = ends[COMMITS - 2];
  for (unsigned i = 0; i < 6; i++) { /* all but the magic number of the header */
    size_t at = last + 8 + draw() % (ends[COMMITS - 1] - last - 8);
    data[at] ^= 16;
    image_put(&im, &d);
    assert_int_equal(check_beside(&d, &err), QUOIN_ERR_CORRUPT);
    assert_string_equal(err.file, "log-1");
    assert_int_equal(err.offset, last);
    assert_int_equal(told, i);
    assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
    assert_int_equal(told, i + 1);
    assert_ok(quad_store_close(store, &err));
    data[at] ^= 16;
  }
  sector = (last + 40 + 511) / 512 * 512; /* one that the write did not reach */
  assert_true(sector + 512 < ends[COMMITS - 1]);
  memcpy(kept, data + sector, 512);
  memset(data + sector, 0, 512);
  image_put(&im, &d);
  assert_ok(check_beside(&d, &err));
  memcpy(data + sector, kept, 512);
  memset(data + ends[COMMITS - 1] - 8, 0, 8);
  image_put(&im, &d);
  assert_ok(check_beside(&d, &err));
  assert_ok(try_count(&count, &d, false, &err));
  assert_int_equal(count, quads_after(COMMITS - 1));
  image_free(&im);
  support_dir_remove(&d);
}

/* Two records that were never synced, in two segments: of the first, nothing reached the disk. That
 * the second is whole says nothing of what had been promised. */
static void
test_log__a_tail_torn_in_the_segment_before_is_no_damage(void **unused)
{
  enum { LEN = 300, LINEAGE = 77 };
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_log_place from = {1, 0, 1};
  char payload[LEN], zeros[2 * LEN] = {0};
  base_dir dir;
  base_file file = BASE_FILE_NONE;
  quad_log log;
  support_dir d;
  uint64_t first, second;

  (void)unused;
  support_dir_make(&d);
  assert_ok(base_dir_open(&dir, d.path, &err));
  memset(payload, 'x', LEN);
  quad_log_init(&log, &dir, 1, LINEAGE, 1, false, MEM);
  assert_ok(quad_log_append(&log, payload, LEN, &err));
  assert_ok(quad_log_sync(&log, &err));
  first = log.offset;
  assert_ok(quad_log_append(&log, payload, LEN, &err));
  second = log.offset;
  assert_true(second - first < sizeof zeros);
  assert_ok(quad_log_rotate(&log, &err));
  assert_ok(quad_log_append(&log, payload, LEN, &err));
  assert_ok(quad_log_flush(&log, &err));
  quad_log_close(&log);
  assert_ok(quad_log_check_end(&from, &dir, LINEAGE, MEM, &err));
  assert_ok(base_file_open(&file, &dir, "log-1", BASE_FILE_WRITE, &err));
  assert_ok(base_file_write(&file, zeros, second - first, first, &err));
  base_file_close(&file);
  assert_ok(quad_log_check_end(&from, &dir, LINEAGE, MEM, &err));
  base_dir_close(&dir);
  support_dir_remove(&d);
}

/* A wrong byte: right answer, the last commit cut off, or CORRUPT with nothing changed. */
static void
test_log__flipped_bytes(void **unused)
{
  enum { COMMITS = 6 };
  quoin_error err = QUOIN_ERROR_INIT;
  image im;
  support_dir d;
  size_t ends[COMMITS];
  unsigned log, refused = 0;

  (void)unused;
  make_logged(&im, COMMITS, ends);
  support_dir_make(&d);
  log = image_find(&im, "log-1");
  for (size_t at = 0; at < ends[COMMITS - 1]; at += 1 + draw() % 9) {
    uint64_t count = 0;
    char kept = im.data[log][at];
    quoin_status st;
    im.data[log][at] = (char)(kept ^ (char)(1 + draw() % 255));
    image_put(&im, &d);
    st = try_count(&count, &d, false, &err);
    if (st) {
      size_t size;
      char *now = slurp(d.path, "log-1", &size);
      assert_int_equal(st, QUOIN_ERR_CORRUPT);
      assert_true(at < ends[COMMITS - 2]);
      assert_non_null(strstr(err.file, "log-1"));
      assert_int_equal(size, im.size[log]);
      assert_memory_equal(now, im.data[log], size);
      free(now);
      refused++;
    } else if (count != quads_after(COMMITS)) {
      assert_int_equal(count, quads_after(COMMITS - 1));
      assert_true(at >= ends[COMMITS - 2]);
    }
    im.data[log][at] = kept;
  }
  assert_true(refused > 10);
  image_free(&im);
  support_dir_remove(&d);
}

/* Every file but those of the atoms, which have tests of their own. */
static void
test_log__flips_in_any_file(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  support_dir d;
  quad_store *store;
  quad_bulk *bulk;
  image im;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  assert_ok(quad_bulk_begin(&bulk, store, 0, 1, &err));
  for (unsigned i = 0; i < 4000; i++) {
    quad q = small_quad(i / 7, i % 7, (unsigned)(draw() % 500), i % 3);
    assert_ok(quad_bulk_add(bulk, &q, 1, &err));
  }
  assert_ok(quad_bulk_finish(NULL, bulk, NULL, &err));
  assert_ok(quad_store_close(store, &err));
  image_take(&im, d.path);
  for (unsigned i = 0; i < 150; i++) {
    unsigned f = (unsigned)(draw() % im.n);
    size_t at;
    uint64_t count = 0;
    char kept;
    quoin_status st;
    if (atom_file_is_mine(im.name[f]) || !im.size[f] || !strcmp(im.name[f], "lock")) continue;
    at = (size_t)(draw() % im.size[f]);
    kept = im.data[f][at];
    im.data[f][at] = (char)(kept ^ (char)(1 + draw() % 255));
    image_put(&im, &d);
    st = try_count(&count, &d, false, &err);
    if (st)
      assert_true(st == QUOIN_ERR_CORRUPT || st == QUOIN_ERR_VERSION);
    else
      assert_int_equal(count, 4000);
    im.data[f][at] = kept;
  }
  image_free(&im);
  support_dir_remove(&d);
}

static void
test_log__one_bad_slot_is_restored_two_are_corrupt(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  image im;
  support_dir d;
  size_t ends[2], size;
  unsigned m;
  uint64_t count;
  char *now;

  (void)unused;
  make_logged(&im, 2, ends);
  support_dir_make(&d);
  m = image_find(&im, "manifest");
  for (unsigned slot = 0; slot < 2; slot++) {
    im.data[m][slot * 4096 + 20] ^= 1;
    image_put(&im, &d);
    assert_ok(try_count(&count, &d, false, &err));
    assert_int_equal(count, quads_after(2));
    now = slurp(d.path, "manifest", &size);
    assert_memory_equal(now, now + 4096, 48);
    free(now);
    im.data[m][slot * 4096 + 20] ^= 1;
  }
  im.data[m][20] ^= 1;
  im.data[m][4096 + 20] ^= 1;
  image_put(&im, &d);
  assert_int_equal(try_count(&count, &d, false, &err), QUOIN_ERR_CORRUPT);
  image_free(&im);
  support_dir_remove(&d);
}

/* Records of all sizes, through the mapping, written at the end of a group and before it: what is
 * in the files when the process ends is all that was committed. */
static void
test_log__small_and_large_records_alike(void **unused)
{
  static const size_t sizes[] = {10, 70000, 600000, 20, 500000, 3000000, 30};
  enum { N = sizeof sizes / sizeof sizes[0] };
  char *text = malloc(3000000);
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;

  (void)unused;
  memset(text, 'x', 3000000);
  for (int durability = QUAD_SYNC_FULL; durability <= QUAD_SYNC_OFF; durability++) {
    quad_store_options o = {.create = true, .durability = (quad_durability)durability};
    quad_store *store;
    uint64_t count;
    image im;
    support_dir_make(&d);
    assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
    for (size_t i = 0; i < N; i++) {
      const rdf_term terms[4] = {{.kind = RDF_IRI, .value = base_span("http://e/s")},
                                 {.kind = RDF_IRI, .value = base_span("http://e/p")},
                                 {.kind = RDF_LITERAL, .value = {text, sizes[i]}},
                                 {.kind = RDF_NONE}};
      quad_txn *txn;
      assert_ok(quad_txn_begin(&txn, store, &err));
      assert_ok(quad_txn_add(txn, terms, &err));
      assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
      assert_int_equal(store->log.staged.len, 0);
    }
    image_take(&im, d.path);
    assert_ok(quad_store_close(store, &err));
    image_put(&im, &d);
    assert_ok(try_count(&count, &d, false, &err));
    assert_int_equal(count, N);
    image_free(&im);
    support_dir_remove(&d);
  }
  free(text);
}

static void
test_log__clean_close_leaves_no_log(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  support_dir d;
  quad_store *store;
  quad_txn *txn;
  quad q = small_quad(1, 2, 3, 0);
  image im;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  assert_ok(quad_txn_begin(&txn, store, &err));
  assert_ok(quad_txn_add_ids(txn, &q, &err));
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  assert_ok(quad_store_close(store, &err));
  image_take(&im, d.path);
  for (unsigned i = 0; i < im.n; i++)
    assert_true(strncmp(im.name[i], "log-", 4) && strncmp(im.name[i], "spill-", 6));
  image_free(&im);
  support_dir_remove(&d);
}

/* ---- builds repeat ---- */

static void
build_once(const support_dir *d, size_t n, uint64_t memory, unsigned threads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  quad_store *store;
  quad_bulk *bulk;

  support_state = 77;
  assert_ok(quad_store_open(&store, d->path, &o, MEM, &err));
  assert_ok(quad_bulk_begin(&bulk, store, memory, threads, &err));
  for (size_t i = 0; i < n; i++) {
    quad q = small_quad((unsigned)(draw() % 30000), (unsigned)(draw() % 20),
                        (unsigned)(draw() % 1000), (unsigned)(draw() % 3));
    assert_ok(quad_bulk_add(bulk, &q, 1, &err));
  }
  assert_ok(quad_bulk_finish(NULL, bulk, NULL, &err));
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(store, &err));
}

static void
test_log__builds_repeat(void **unused)
{
  support_dir a, b;
  image first, again;

  (void)unused;
  support_dir_make(&a);
  build_once(&a, 200000, 0, 1);
  image_take(&first, a.path);
  for (unsigned i = 0; i < 3; i++) {
    support_dir_make(&b);
    build_once(&b, 200000, i ? 4 << 20 : 0, 1 + (i != 1)); /* spills, threads, or both */
    image_take(&again, b.path);
    assert_int_equal(first.n, again.n);
    for (unsigned f = 0; f < first.n; f++) {
      unsigned g = image_find(&again, first.name[f]);
      if (!strcmp(first.name[f], "lock")) continue; /* the pid, not data */
      assert_int_equal(first.size[f], again.size[g]);
      assert_memory_equal(first.data[f], again.data[g], first.size[f]);
    }
    image_free(&again);
    support_dir_remove(&b);
  }
  image_free(&first);
  support_dir_remove(&a);
}

/* ---- no memory ---- */

/* Everything once; stops at the first failure. */
static quoin_status
scenario(const support_dir *d, const base_alloc *mem, quoin_error *err)
{
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF};
  quad_pattern all = {.scope = QUAD_ANY};
  quad_store *store;
  quad_bulk *bulk = NULL;
  quad_txn *txn = NULL;
  quad_snapshot *s = NULL;
  quad_scan *scan = NULL;
  quad_batch b;
  uint64_t count;
  quoin_status st = quad_store_open(&store, d->path, &o, mem, err), closed;

  if (st) return st;
  if ((st = quad_bulk_begin(&bulk, store, 0, 2, err))) goto done;
  for (unsigned i = 0; i < 3000 && !st; i++) {
    quad q = small_quad(i / 5, i % 5, i, i % 2);
    st = quad_bulk_add(bulk, &q, 1, err);
  }
  if (st) {
    quad_bulk_abort(bulk);
    goto done;
  }
  if ((st = quad_bulk_finish(NULL, bulk, NULL, err))) goto done;
  for (unsigned c = 0; c < 3; c++) {
    rdf_term terms[4] = {{RDF_IRI, base_span("http://e/x"), {NULL, 0}, {NULL, 0}}};
    terms[1] = terms[2] = terms[0];
    terms[2].kind = RDF_BLANK;
    if ((st = quad_txn_begin(&txn, store, err))) goto done;
    for (unsigned i = 0; i < 20 && !st; i++) {
      quad q = small_quad(i, i % 5, i + 900000 * c, 0);
      st = quad_txn_add_ids(txn, &q, err);
      q = small_quad(i / 5, i % 5, i, i % 2);
      if (!st && c == 1) st = quad_txn_remove_ids(txn, &q, err);
    }
    if (!st) st = quad_txn_add(txn, (const rdf_term *)terms, err);
    if (!st) st = quad_txn_snapshot(&s, txn, err);
    if (st) {
      quad_txn_abort(txn);
      goto done;
    }
    quad_snapshot_release(s);
    s = NULL;
    if ((st = quad_txn_commit(NULL, NULL, txn, err))) goto done;
  }
  if ((st = quad_snapshot_acquire(&s, store, err))) goto done;
  if ((st = quad_count(&count, s, &all, err))) goto done;
  if ((st = quad_scan_open(&scan, s, &all, QUAD_POS, 15, err))) goto done;
  while (!(st = quad_scan_next(&b, scan, err)))
    ;
  if (st == QUOIN_DONE) st = quad_store_check(store, NULL, NULL, NULL, err);

done:
  quad_scan_close(scan);
  quad_snapshot_release(s);
  closed = quad_store_close(store, st ? NULL : err);
  return st ? st : closed;
}

static void
test_log__every_allocation_may_fail(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_memory m = {0};
  const base_alloc mem = support_alloc(&m);
  support_dir d;
  uint64_t total, step;

  (void)unused;
  support_dir_make(&d);
  assert_ok(scenario(&d, &mem, &err));
  assert_int_equal(m.bytes, 0);
  assert_int_equal(m.blocks, 0);
  total = m.calls;
  step = 1 + total / 120;
  for (uint64_t at = 1; at <= total; at += step) {
    uint64_t count;
    quoin_status st;
    support_memory_fail(&m, at);
    support_dir_empty(&d);
    st = scenario(&d, &mem, &err);
    /* a failure while the checkpoint of the close frees its memory is no failure of the commit */
    if (st && st != QUOIN_ERR_NOMEM && st != QUOIN_ERR_POISONED)
      fail_msg("allocation %llu: status %d: %s", (unsigned long long)at, (int)st, err.message);
    if (m.bytes || m.blocks)
      fail_msg("allocation %llu of %llu: %lld bytes leaked", (unsigned long long)at,
               (unsigned long long)total, (long long)m.bytes);
    st = try_count(&count, &d, false, &err);
    if (st && st != QUOIN_ERR_NOT_FOUND)
      fail_msg("allocation %llu: reopening: %d: %s", (unsigned long long)at, (int)st, err.message);
  }
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_log__tail_cut_at_every_byte),
      cmocka_unit_test(test_log__damage_at_the_end_is_no_torn_write),
      cmocka_unit_test(test_log__a_tail_torn_in_the_segment_before_is_no_damage),
      cmocka_unit_test(test_log__flipped_bytes),
      cmocka_unit_test(test_log__flips_in_any_file),
      cmocka_unit_test(test_log__one_bad_slot_is_restored_two_are_corrupt),
      cmocka_unit_test(test_log__small_and_large_records_alike),
      cmocka_unit_test(test_log__clean_close_leaves_no_log),
      cmocka_unit_test(test_log__builds_repeat),
      cmocka_unit_test(test_log__every_allocation_may_fail),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
