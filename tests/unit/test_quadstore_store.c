/* Stores as a whole: bulk loads, transactions, reopening, recovery, the lock. */
#include "unit/test_quadstore_support.h"

#include <sys/wait.h>

#define MEM base_alloc_default()

static quad_store *
store_open(const support_dir *d, const quad_store_options *given)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  quad_store *store;

  assert_ok(quad_store_open(&store, d->path, given ? given : &options, MEM, &err));
  return store;
}

static void
store_close(quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(quad_store_close(store, &err));
}

/* Term number n of a small world: IRIs, strings, integers. */
static rdf_term
world_term(char text[64], unsigned n)
{
  rdf_term t = {RDF_NONE, {text, 0}, {NULL, 0}, {NULL, 0}};
  int len;

  if (n % 4 == 3) {
    len = snprintf(text, 64, "%u", n);
    t.kind = RDF_LITERAL;
    t.datatype = base_span(RDF_XSD "integer");
  } else if (n % 4 == 2) {
    len = snprintf(text, 64, "text number %u", n);
    t.kind = RDF_LITERAL;
  } else {
    len = snprintf(text, 64, "http://example.org/%u/thing", n);
    t.kind = RDF_IRI;
  }
  t.value.len = (size_t)len;
  return t;
}

/* Four term numbers: a quad of the model; graph 0 is the default graph. */
typedef struct tuple {
  unsigned n[4];
} tuple;

static tuple
random_tuple(unsigned size)
{
  tuple t;
  t.n[0] = 4 * (1 + (unsigned)(draw() % size));
  t.n[1] = 4 * (1 + (unsigned)(draw() % 5)) + 1;
  t.n[2] = 1 + (unsigned)(draw() % (4 * size));
  t.n[3] = draw() % 2 ? 0 : 4 * (1 + (unsigned)(draw() % 3));
  return t;
}

static void
tuple_terms(rdf_term terms[4], char text[4][64], const tuple *t)
{
  for (unsigned k = 0; k < 4; k++) {
    terms[k] = world_term(text[k], t->n[k]);
    if (k == 3 && !t->n[k]) terms[k] = (rdf_term){.kind = RDF_NONE};
  }
}

/* ---- a model of tuples, kept as quads of plain numbers */

static quad
tuple_quad(const tuple *t)
{
  quad q;
  for (unsigned k = 0; k < 4; k++)
    q.term[k].bits = t->n[k];
  return q;
}

/* The tuple that a stored quad stands for, by reading its terms. */
static quad
stored_tuple(const quad_snapshot *s, const quad *q, base_arena *arena)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad out;

  for (unsigned k = 0; k < 4; k++) {
    rdf_term t;
    char digits[32] = {0};
    const char *at;
    size_t len;
    out.term[k].bits = 0;
    if (!q->term[k].bits) continue;
    assert_ok(atom_read(&t, quad_snapshot_atoms(s), q->term[k], arena, &err));
    at = t.value.ptr;
    len = t.value.len;
    while (len && (*at < '0' || *at > '9'))
      at++, len--;
    memcpy(digits, at, len < 31 ? len : 31);
    out.term[k].bits = strtoull(digits, NULL, 10);
  }
  return out;
}

static void
check_snapshot(const quad_snapshot *s, const model *m)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena arena;
  quad_pattern all = {.scope = QUAD_ANY};

  base_arena_init(&arena, MEM);
  for (unsigned order = 0; order < QUAD_ORDERS; order++) {
    quad_scan *scan;
    quad_batch b;
    size_t n = 0;
    quoin_status st;
    assert_ok(quad_scan_open(&scan, s, &all, (quad_order)order, 15, &err));
    while (!(st = quad_scan_next(&b, scan, &err)))
      for (size_t i = 0; i < b.rows; i++) {
        quad q, t;
        bool found;
        for (unsigned k = 0; k < 4; k++)
          q.term[k] = b.column[k][i];
        t = stored_tuple(s, &q, &arena);
        (void)model_find(m, &t, &found);
        assert_true(found);
        n++;
        base_arena_reset(&arena);
      }
    if (st != QUOIN_DONE) fail_msg("%s", err.message);
    assert_int_equal(n, m->n);
    quad_scan_close(scan);
  }
  base_arena_clear(&arena);
}

static void
check_store(quad_store *store, const model *m)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot *s;

  assert_ok(quad_snapshot_acquire(&s, store, &err));
  check_snapshot(s, m);
  quad_snapshot_release(s);
}

/* ---- bulk ---- */

static void
bulk_load(quad_store *store, model *m, size_t n, unsigned size, uint64_t memory, unsigned threads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_bulk *bulk;
  uint64_t added, expect = 0;

  assert_ok(quad_bulk_begin(&bulk, store, memory, threads, &err));
  for (size_t i = 0; i < n; i++) {
    tuple t = random_tuple(size);
    quad model_quad = tuple_quad(&t), q;
    rdf_term terms[4];
    char text[4][64];
    tuple_terms(terms, text, &t);
    for (unsigned k = 0; k < 4; k++) {
      q.term[k] = ATOM_NONE_ID;
      if (terms[k].kind)
        assert_ok(atom_intern(&q.term[k], quad_store_atoms(store), &terms[k], &err));
    }
    assert_ok(quad_bulk_add(bulk, &q, 1, &err));
    expect += model_add(m, &model_quad);
  }
  assert_ok(quad_bulk_finish(&added, bulk, NULL, &err));
  assert_int_equal(added, expect);
}

static void
test_store__bulk_load_and_reopen(void **unused)
{
  support_dir d;
  model m = {NULL, 0, 0};

  (void)unused;
  support_dir_make(&d);
  for (unsigned i = 0; i < 12; i++) {
    quad_store *store = store_open(&d, NULL);
    bulk_load(store, &m, 1500, 40 + 10 * i, 0, 1 + i % 2);
    check_store(store, &m);
    store_close(store);
    store = store_open(&d, NULL);
    if (i % 4 == 0) check_store(store, &m);
    store_close(store);
  }
  model_free(&m);
  support_dir_remove(&d);
}

static void
test_store__aborted_bulk_leaves_nothing(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  model m = {NULL, 0, 0};
  quad_store *store;
  quad_bulk *bulk;
  quad_stats before, after;

  (void)unused;
  support_dir_make(&d);
  store = store_open(&d, NULL);
  bulk_load(store, &m, 500, 30, 0, 1);
  assert_ok(quad_store_stats(&before, store, &err));
  assert_ok(quad_bulk_begin(&bulk, store, 0, 1, &err));
  for (unsigned i = 1000; i < 1400; i++) {
    char text[64];
    rdf_term t = world_term(text, 4 * i);
    quad q = {{{0}, {0}, {0}, {0}}};
    assert_ok(atom_intern(&q.term[0], quad_store_atoms(store), &t, &err));
    q.term[1] = q.term[2] = q.term[0];
    assert_ok(quad_bulk_add(bulk, &q, 1, &err));
  }
  quad_bulk_abort(bulk);
  assert_ok(quad_store_stats(&after, store, &err));
  assert_int_equal(before.atoms.terms, after.atoms.terms);
  check_store(store, &m);
  store_close(store);
  model_free(&m);
  support_dir_remove(&d);
}

/* ---- transactions ---- */

static void
random_txn(quad_store *store, model *m, unsigned changes, unsigned size)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_txn *txn;
  model before = {NULL, 0, 0};
  uint64_t added, removed, plus = 0, minus = 0;

  for (size_t i = 0; i < m->n; i++)
    model_add(&before, &m->quads[i]);
  assert_ok(quad_txn_begin(&txn, store, &err));
  for (unsigned i = 0; i < changes; i++) {
    bool remove = draw() % 3 == 0;
    tuple t = random_tuple(size);
    quad q;
    rdf_term terms[4];
    char text[4][64];
    if (remove && m->n && draw() % 4) {
      quad pick = m->quads[draw() % m->n];
      for (unsigned k = 0; k < 4; k++)
        t.n[k] = (unsigned)pick.term[k].bits;
    }
    q = tuple_quad(&t);
    tuple_terms(terms, text, &t);
    if (remove) {
      assert_ok(quad_txn_remove(txn, (const rdf_term *)terms, &err));
      model_remove(m, &q);
    } else {
      assert_ok(quad_txn_add(txn, (const rdf_term *)terms, &err));
      model_add(m, &q);
    }
  }
  for (size_t i = 0; i < m->n; i++) {
    bool found;
    (void)model_find(&before, &m->quads[i], &found);
    plus += !found;
  }
  minus = before.n + plus - m->n;
  if (draw() % 8 == 0) { /* read your writes: by count */
    quad_snapshot *s;
    quad_pattern all = {.scope = QUAD_ANY};
    uint64_t count;
    assert_ok(quad_txn_snapshot(&s, txn, &err));
    assert_ok(quad_count(&count, s, &all, &err));
    assert_int_equal(count, m->n);
    quad_snapshot_release(s);
  }
  if (draw() % 10 == 0) {
    quad_txn_abort(txn);
    model_free(m);
    *m = before;
    return;
  }
  assert_ok(quad_txn_commit(&added, &removed, txn, &err));
  assert_int_equal(added, plus);
  assert_int_equal(removed, minus);
  model_free(&before);
}

/* Against a model, with flushes and merges in the background, checkpoints, loads and reopening at
 * random points; bounds so small that nearly each commit is one, up to none. */
static void
promise_h3_reads_see_the_latest_commits(void **unused)
{
  quad_store_options options = {
      .create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = 200000};
  support_dir d;
  model m = {NULL, 0, 0};
  quad_store *store;

  (void)unused;
  support_dir_make(&d);
  store = store_open(&d, &options);
  for (unsigned i = 0; i < 400; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    random_txn(store, &m, 1 + (unsigned)(draw() % 40), 60);
    if (i % 40 == 7) check_store(store, &m);
    if (i % 60 == 31) assert_ok(quad_checkpoint(store, &err));
    if (i % 70 == 13) bulk_load(store, &m, 300, 60, 0, 1);
    if (i % 50 == 11) {
      store_close(store);
      options.memory_bytes = UINT64_C(1) << (draw() % 24);
      options.inline_maintenance = draw() % 4 == 0;
      options.durability = (quad_durability)(draw() % 3);
      store = store_open(&d, &options);
      check_store(store, &m);
    }
  }
  check_store(store, &m);
  store_close(store);
  model_free(&m);
  support_dir_remove(&d);
}

/* Commits of one to three quads and few larger ones: most are merged with the runs before them, in
 * all orders, and cancel out what those say. Another store replays them all from the log. */
static void
test_store__small_commits_merge(void **unused)
{
  quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  const quad_store_options reading = {.read_only = true};
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  model m = {NULL, 0, 0};
  quad_store *store, *reader;
  quad_stats stats, replayed;

  (void)unused;
  support_dir_make(&d);
  options.inline_maintenance = draw() % 2;
  store = store_open(&d, &options);
  for (unsigned i = 0; i < 500; i++) {
    random_txn(store, &m, draw() % 20 ? 1 + (unsigned)(draw() % 3) : (unsigned)(draw() % 200), 24);
    if (draw() % 25) continue;
    check_store(store, &m);
    assert_ok(quad_store_stats(&stats, store, &err));
    assert_true(stats.memory_runs <= 8);
    reader = store_open(&d, &reading);
    check_store(reader, &m);
    assert_ok(quad_store_stats(&replayed, reader, &err));
    assert_int_equal(replayed.modification, stats.modification);
    store_close(reader);
    if (draw() % 8) continue;
    assert_ok(quad_checkpoint(store, &err));
    assert_ok(quad_store_check(store, NULL, NULL, NULL, &err)); /* counts by predicate, too */
  }
  check_store(store, &m);
  assert_ok(quad_checkpoint(store, &err));
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  store_close(store);
  model_free(&m);
  support_dir_remove(&d);
}

/* A reading store beside a writing one: after each refresh it has what the other has, whatever that
 * did; between them it has what it had. */
static void
promise_m8_refresh_moves_on(void **unused)
{
  quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = 30000};
  const quad_store_options reading = {.read_only = true};
  support_dir d;
  model m = {NULL, 0, 0}, then = {NULL, 0, 0};
  quad_store *store, *reader;

  (void)unused;
  support_dir_make(&d);
  store = store_open(&d, &options);
  reader = store_open(&d, &reading);
  for (unsigned i = 0; i < 120; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_snapshot *s;
    bool changed = false;
    assert_ok(quad_snapshot_acquire(&s, reader, &err));
    model_free(&then);
    for (size_t k = 0; k < m.n; k++)
      model_add(&then, &m.quads[k]);
    for (unsigned n = (unsigned)(draw() % 4) + 1; n; n--) {
      unsigned what = (unsigned)(draw() % 30);
      if (what == 0)
        bulk_load(store, &m, 200, 60, 0, 1);
      else if (what == 1)
        assert_ok(quad_checkpoint(store, &err));
      else if (what == 2)
        assert_ok(quad_store_compact(store, 0, NULL, &err));
      else if (what == 3 && draw() % 4 == 0) {
        assert_ok(quad_store_clear(store, &err));
        model_free(&m);
      } else if (what == 4) {
        store_close(store);
        store = store_open(&d, &options);
      } else
        random_txn(store, &m, 1 + (unsigned)(draw() % 40), 60);
    }
    assert_ok(quad_store_refresh(&changed, reader, &err));
    check_snapshot(s, &then);
    quad_snapshot_release(s);
    check_store(reader, &m);
    assert_ok(quad_store_refresh(NULL, store, &err)); /* nothing to do */
  }
  store_close(reader);
  store_close(store);
  model_free(&m);
  model_free(&then);
  support_dir_remove(&d);
}

/* A snapshot stays what it was, whatever is committed, merged and checkpointed after it. */
static void
test_store__snapshots_stay(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  model m = {NULL, 0, 0}, then = {NULL, 0, 0};
  quad_store *store;
  quad_snapshot *s;

  (void)unused;
  support_dir_make(&d);
  store = store_open(&d, NULL);
  bulk_load(store, &m, 800, 40, 0, 1);
  random_txn(store, &m, 30, 40);
  for (size_t i = 0; i < m.n; i++)
    model_add(&then, &m.quads[i]);
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  for (unsigned i = 0; i < 60; i++) {
    random_txn(store, &m, 20, 40);
    if (i % 5 == 0) assert_ok(quad_checkpoint(store, &err));
  }
  check_snapshot(s, &then);
  quad_snapshot_release(s);
  check_store(store, &m);
  store_close(store);
  model_free(&m);
  model_free(&then);
  support_dir_remove(&d);
}

static void
test_store__conflicts(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_store *store;
  quad_txn *a, *b;
  rdf_term terms[4];
  char text[4][64];
  tuple t = {{4, 5, 7, 0}};
  uint64_t added, removed;

  (void)unused;
  support_dir_make(&d);
  store = store_open(&d, NULL);
  tuple_terms(terms, text, &t);
  assert_ok(quad_txn_begin(&a, store, &err)); /* two blind inserts do not conflict */
  assert_ok(quad_txn_begin(&b, store, &err));
  assert_ok(quad_txn_add(a, (const rdf_term *)terms, &err));
  assert_ok(quad_txn_add(b, (const rdf_term *)terms, &err));
  assert_ok(quad_txn_commit(&added, &removed, a, &err));
  assert_int_equal(added, 1);
  assert_ok(quad_txn_commit(&added, &removed, b, &err));
  assert_int_equal(added, 0);
  assert_ok(quad_txn_begin(&a, store, &err)); /* two removals do */
  assert_ok(quad_txn_begin(&b, store, &err));
  assert_ok(quad_txn_remove(a, (const rdf_term *)terms, &err));
  assert_ok(quad_txn_remove(b, (const rdf_term *)terms, &err));
  assert_ok(quad_txn_commit(&added, &removed, a, &err));
  assert_int_equal(removed, 1);
  assert_int_equal(quad_txn_commit(&added, &removed, b, &err), QUOIN_ERR_CONFLICT);
  store_close(store);
  support_dir_remove(&d);
}

static void
test_store__blank_labels_are_scoped(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_store *store;
  quad_snapshot *s;
  quad_pattern all = {.scope = QUAD_DEFAULT};
  uint64_t count;

  (void)unused;
  support_dir_make(&d);
  store = store_open(&d, NULL);
  for (unsigned i = 0; i < 3; i++) {
    quad_txn *txn;
    rdf_term terms[4];
    char text[64];
    terms[0] = (rdf_term){.kind = RDF_BLANK, .value = base_span("x")};
    terms[1] = world_term(text, 4);
    terms[2] = terms[0];
    terms[3] = (rdf_term){.kind = RDF_NONE};
    assert_ok(quad_txn_begin(&txn, store, &err));
    assert_ok(quad_txn_add(txn, (const rdf_term *)terms, &err));
    assert_ok(quad_txn_add(txn, (const rdf_term *)terms, &err));
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  }
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(&count, s, &all, &err));
  assert_int_equal(count, 3);
  quad_snapshot_release(s);
  store_close(store);
  support_dir_remove(&d);
}

/* ---- options and the lock ---- */

static void
test_store__open_options(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options plain = {0}, must = {.must_create = true}, read = {.read_only = true};
  support_dir d;
  quad_store *store;
  quad_txn *txn;

  (void)unused;
  support_dir_make(&d);
  assert_int_equal(quad_store_open(&store, d.path, &plain, MEM, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(quad_store_open(&store, d.path, &read, MEM, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(quad_store_open(&store, "/tmp/no/such/dir", &must, MEM, &err),
                   QUOIN_ERR_NOT_FOUND);
  store_close(store_open(&d, &must));
  assert_int_equal(quad_store_open(&store, d.path, &must, MEM, &err), QUOIN_ERR_EXISTS);
  store = store_open(&d, &read);
  assert_int_equal(quad_txn_begin(&txn, store, &err), QUOIN_ERR_READ_ONLY);
  assert_int_equal(quad_checkpoint(store, &err), QUOIN_ERR_READ_ONLY);
  store_close(store);
  assert_ok(quad_store_close(NULL, &err));
  support_dir_remove(&d);
}

/* A file that the manifest names is gone: that is damage, not "there is no store". */
static void
test_store__missing_files_are_corruption(void **unused)
{
  static const char *const names[] = {"run-1", "manifest-2", "terms-1", "offsets-1"};

  (void)unused;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_store_options read = {.read_only = true}, create = {.create = true};
    char path[512];
    support_dir d;
    quad_store *store;
    support_dir_make(&d);
    model m = {NULL, 0, 0};
    store = store_open(&d, &create);
    bulk_load(store, &m, 10, 10, 0, 1);
    model_free(&m);
    store_close(store);
    (void)snprintf(path, sizeof path, "%s/%s", d.path, names[i]);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(quad_store_open(&store, d.path, &read, MEM, &err), QUOIN_ERR_CORRUPT);
    assert_int_equal(err.status, QUOIN_ERR_CORRUPT);
    assert_int_equal(quad_store_open(&store, d.path, &create, MEM, &err), QUOIN_ERR_CORRUPT);
    support_dir_remove(&d);
  }
}

static void
test_store__is_not_made_among_foreign_files(void **unused)
{
  quad_store_options create = {.create = true}, write = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;
  base_file file;
  base_dir dir;
  support_dir d;

  (void)unused;
  support_dir_make(&d);
  assert_int_equal(base_dir_open(&dir, d.path, &err), QUOIN_OK);
  assert_int_equal(quad_store_open(&store, d.path, &write, MEM, &err), QUOIN_ERR_NOT_FOUND);
  assert_false(base_dir_has(&dir, "lock"));
  assert_int_equal(base_file_open(&file, &dir, "thesis.tex", BASE_FILE_CREATE_NEW, &err), QUOIN_OK);
  base_file_close(&file);
  assert_int_equal(quad_store_open(&store, d.path, &create, MEM, &err), QUOIN_ERR_EXISTS);
  assert_non_null(strstr(err.message, "thesis.tex"));
  assert_false(base_dir_has(&dir, "lock"));
  base_dir_close(&dir);
  support_dir_remove(&d);
}

static void
test_store__second_opener_gets_the_pid(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  int ready[2], go[2], status;
  char byte = 0, expect[64];
  pid_t child;
  quad_store *store;

  (void)unused;
  support_dir_make(&d);
  assert_int_equal(pipe(ready) | pipe(go), 0);
  child = fork();
  if (!child) {
    quad_store_options o = {.create = true};
    if (quad_store_open(&store, d.path, &o, MEM, NULL)) _exit(1);
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(2);
    _exit(0); /* without closing: the lock must go with the process */
  }
  assert_int_equal(read(ready[0], &byte, 1), 1);
  quad_store_options o = {.create = true}, r = {.read_only = true};
  assert_int_equal(quad_store_open(&store, d.path, &o, MEM, &err), QUOIN_ERR_BUSY);
  (void)snprintf(expect, sizeof expect, "in use by process %ld:", (long)child);
  assert_non_null(strstr(err.message, expect));
  assert_ok(quad_store_open(&store, d.path, &r, MEM, &err)); /* beside it */
  store_close(store);
  assert_int_equal(write(go[1], &byte, 1), 1);
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  store_close(store);
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_store__open_options),
      cmocka_unit_test(test_store__bulk_load_and_reopen),
      cmocka_unit_test(test_store__aborted_bulk_leaves_nothing),
      cmocka_unit_test(promise_h3_reads_see_the_latest_commits),
      cmocka_unit_test(test_store__small_commits_merge),
      cmocka_unit_test(promise_m8_refresh_moves_on),
      cmocka_unit_test(test_store__snapshots_stay),
      cmocka_unit_test(test_store__conflicts),
      cmocka_unit_test(test_store__blank_labels_are_scoped),
      cmocka_unit_test(test_store__missing_files_are_corruption),
      cmocka_unit_test(test_store__is_not_made_among_foreign_files),
      cmocka_unit_test(test_store__second_opener_gets_the_pid),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
