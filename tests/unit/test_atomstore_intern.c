/* Interning, finding and reading against an oracle: the sorted array of all terms added. */
#include "unit/test_atomstore_support.h"

typedef struct fixture {
  support_dir at;
  atom_marks marks;
  atom_store *store;
} fixture;

static void
fixture_open(fixture *f, atom_open_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(atom_store_open(&f->store, &f->at.dir, &f->marks, mode, base_alloc_default(), &err));
  atom_store_pin(f->store);
  atom_store_writer_enter(f->store);
}

static void
fixture_close(fixture *f)
{
  atom_store_writer_leave(f->store);
  atom_store_unpin(f->store);
  atom_store_close(f->store);
  f->store = NULL;
}

static void
fixture_make(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir_make(&f->at);
  f->marks = (atom_marks){.generation = 3};
  assert_ok(atom_store_create(&f->at.dir, &f->marks, &err));
  fixture_open(f, ATOM_OPEN_WRITE);
}

static void
fixture_remove(fixture *f)
{
  if (f->store) fixture_close(f);
  support_dir_remove(&f->at);
}

static atom_id
intern(fixture *f, rdf_term term)
{
  quoin_error err = QUOIN_ERROR_INIT;
  atom_id id;
  assert_ok(atom_intern(&id, f->store, &term, &err));
  return id;
}

static void
assert_reads(const atom_store *store, atom_id id, const rdf_term *expected)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena arena;
  rdf_term term;
  base_arena_init(&arena, base_alloc_default());
  assert_ok(atom_read(&term, store, id, &arena, &err));
  assert_true(rdf_term_equal(&term, expected));
  base_arena_clear(&arena);
}

typedef struct pair {
  uint64_t n;
  atom_id id;
} pair;

static int
pair_order(const void *a, const void *b)
{
  const pair *x = a, *y = b;
  return (x->n > y->n) - (x->n < y->n);
}

static void
test_intern__gives_one_id_to_each_of_200k_terms(void **state)
{
  (void)state;
  enum { N = 200000, RANGE = 120000 };
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  fixture_make(&f);
  uint64_t seed = support_seed();
  pair *pairs = base_new(base_alloc_default(), N, sizeof(*pairs));
  char buf[200];
  for (size_t i = 0; i < N; i++) {
    pairs[i].n = support_random(&seed) % RANGE;
    pairs[i].id = intern(&f, support_term(buf, pairs[i].n));
    assert_true(pairs[i].id.bits != 0);
  }
  qsort(pairs, N, sizeof(*pairs), pair_order);
  for (size_t i = 0; i < N; i++) {
    if (i && pairs[i].n == pairs[i - 1].n) assert_true(atom_id_equal(pairs[i].id, pairs[i - 1].id));
    rdf_term term = support_term(buf, pairs[i].n);
    atom_id found;
    assert_ok(atom_find(&found, f.store, &term, UINT64_MAX, &err));
    assert_true(atom_id_equal(found, pairs[i].id));
    assert_reads(f.store, pairs[i].id, &term);
  }
  for (uint64_t n = RANGE; n < RANGE + 5000; n++) {
    rdf_term term = support_term(buf, n);
    atom_id found;
    assert_ok(atom_find(&found, f.store, &term, UINT64_MAX, &err));
    assert_int_equal(found.bits, 0);
  }
  assert_ok(atom_check(f.store, NULL, &err));
  base_release(base_alloc_default(), pairs, N, sizeof(*pairs));
  fixture_remove(&f);
}

static void
test_intern__in_batches_gives_the_ids_of_single_calls(void **state)
{
  (void)state;
  enum { N = 60000, RANGE = 30000 };
  quoin_error err = QUOIN_ERROR_INIT;
  fixture one, many;
  fixture_make(&one);
  fixture_make(&many);
  uint64_t seed = support_seed();
  rdf_term *terms = base_new(base_alloc_default(), N, sizeof(*terms));
  atom_id *ids = base_new(base_alloc_default(), N, sizeof(*ids));
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  for (size_t i = 0; i < N; i++) {
    char *buf = base_arena_bytes(&arena, 200);
    uint64_t n = support_random(&seed) % RANGE;
    terms[i] = support_term(buf, n);
    if (i >= 4 && n % 5 == 0) terms[i] = terms[i - 3 - n % 2];
    if (n % 31 == 0) terms[i] = (rdf_term){.kind = RDF_NONE};
    if (n % 37 == 0) terms[i] = support_literal("42", RDF_XSD "integer", "");
  }
  for (size_t from = 0; from < N;) {
    size_t n = (size_t)(support_random(&seed) % 700);
    if (n > N - from) n = N - from;
    assert_ok(atom_intern_batch(ids + from, many.store, terms + from, n, &err));
    from += n;
  }
  for (size_t i = 0; i < N; i++)
    assert_int_equal(intern(&one, terms[i]).bits, ids[i].bits);
  atom_id *found = base_new(base_alloc_default(), N, sizeof(*ids));
  assert_ok(atom_find_batch(found, many.store, terms, N, UINT64_MAX, &err));
  assert_memory_equal(found, ids, N * sizeof(*ids));
  uint64_t mark = atom_store_terms(many.store) / 2;
  assert_ok(atom_find_batch(found, many.store, terms, N, mark, &err));
  for (size_t i = 0; i < N; i++) {
    bool inside = atom_id_is_inline(ids[i]) || atom_id_payload(ids[i]) <= mark;
    assert_int_equal(found[i].bits, inside ? ids[i].bits : 0);
  }
  atom_stats a, b;
  atom_store_stats(&a, one.store);
  atom_store_stats(&b, many.store);
  assert_memory_equal(&a, &b, sizeof(a));
  assert_true(a.prefixes > 0);
  base_release(base_alloc_default(), found, N, sizeof(*ids));
  base_release(base_alloc_default(), ids, N, sizeof(*ids));
  base_release(base_alloc_default(), terms, N, sizeof(*terms));
  base_arena_clear(&arena);
  fixture_remove(&one);
  fixture_remove(&many);
}

/* The way of a load: batches prepared before those in front of them are interned, by a store that
 * knows more or less how many terms there will be. Files are those of single calls but for the
 * number of the table. */
static void
test_intern__of_prepared_terms_gives_the_ids_of_single_calls(void **state)
{
  (void)state;
  enum { BATCH = 512, BATCHES = 120, AHEAD = 3 };
  uint64_t seed = support_seed();
  quoin_error err = QUOIN_ERROR_INIT;
  fixture one, many;
  base_arena arena[AHEAD];
  static char text[AHEAD][BATCH][200];
  static rdf_term terms[AHEAD][BATCH];
  static uint64_t hashes[AHEAD][BATCH];
  static atom_prepared prepared[AHEAD][BATCH];
  static atom_id ids[BATCH];
  atom_stats stats;

  fixture_make(&one);
  fixture_make(&many);
  for (size_t i = 0; i < AHEAD; i++)
    base_arena_init(&arena[i], base_alloc_default());
  for (size_t round = 0; round < BATCHES + AHEAD - 1; round++) {
    size_t at = round % AHEAD;
    if (round < BATCHES) {
      for (size_t i = 0; i < BATCH; i++) {
        terms[at][i] = support_term(text[at][i], support_random(&seed) % 60000);
        hashes[at][i] = atom_hash(&terms[at][i]);
      }
      base_arena_reset(&arena[at]);
      assert_ok(
          atom_prepare(prepared[at], &arena[at], many.store, terms[at], hashes[at], BATCH, &err));
    }
    if (round < AHEAD - 1) continue;
    at = (round + 1) % AHEAD;
    atom_store_expect(many.store, support_random(&seed) % 60000);
    assert_ok(
        atom_intern_hashed(ids, many.store, terms[at], hashes[at], prepared[at], BATCH, &err));
    for (size_t i = 0; i < BATCH; i++)
      assert_true(atom_id_equal(ids[i], intern(&one, terms[at][i])));
  }
  atom_store_stats(&stats, many.store);
  assert_int_equal(stats.terms, atom_store_terms(one.store));
  assert_true(stats.table_slots >= stats.terms * 4 / 3 && stats.table_slots < stats.terms * 8);
  assert_ok(atom_check(many.store, NULL, &err));
  for (size_t i = 0; i < AHEAD; i++)
    base_arena_clear(&arena[i]);
  fixture_remove(&one);
  fixture_remove(&many);
}

static size_t
count_tables(const fixture *f)
{
  char name[64];
  size_t n = 0;
  for (unsigned i = 1; i < 64; i++) {
    snprintf(name, sizeof(name), "table-3-%u", i);
    n += base_dir_has(&f->at.dir, name);
  }
  return n;
}

/* Intern terms of numbers from..to and back; the oracle is what they gave before, if there is one.
 */
static void
intern_range(fixture *f, atom_id *ids, unsigned from, unsigned to, bool known)
{
  char text[200];
  for (unsigned i = from; i < to; i++) {
    atom_id id = intern(f, support_term(text, i));
    if (known) assert_true(atom_id_equal(id, ids[i]));
    ids[i] = id;
  }
}

/* A load's tables have no file: they go when it fails, whatever was the table before, and get one
 * when it is done; as do tables for which there is no memory. */
static void
test_intern__a_load_has_its_tables_in_memory(void **state)
{
  (void)state;
  enum { MOST = 40000 };
  static const uint64_t room[] = {0, 4096, 200000, 1 << 20, 1 << 30};
  static atom_id ids[MOST];
  uint64_t seed = support_seed();
  quoin_error err = QUOIN_ERROR_INIT;
  for (size_t i = 0; i < sizeof(room) / sizeof(*room); i++) {
    fixture f;
    fixture_make(&f);
    unsigned before = (unsigned)(support_random(&seed) % 3000);
    unsigned after = before + 3000 + (unsigned)(support_random(&seed) % (MOST - 6000));
    intern_range(&f, ids, 0, before, false);
    if (support_random(&seed) % 2) { /* the table is as it was closed */
      assert_ok(atom_store_sync(&f.marks, f.store, &err));
      fixture_close(&f);
      fixture_open(&f, ATOM_OPEN_WRITE);
    }
    uint64_t terms = atom_store_terms(f.store);
    for (int round = 0; round < 3; round++) {
      size_t tables = count_tables(&f);
      atom_load_begin(f.store, room[i]);
      if (round < 2) intern_range(&f, ids, before, after, round);
      if (round < 2 && room[i] == 1 << 30) {
        assert_true(atom_load_bytes(f.store) > 0);
        assert_int_equal(count_tables(&f), tables);
      }
      if (round == 1) assert_ok(atom_load_settle(f.store, &err));
      if (round == 0) atom_rollback(f.store, terms, 0);
      atom_load_end(f.store);
      if (round == 0) assert_int_equal(atom_store_terms(f.store), terms);
      assert_ok(atom_check(f.store, NULL, &err));
      intern_range(&f, ids, 0, round ? after : before, true);
    }
    intern_range(&f, ids, 0, after, true);
    assert_ok(atom_store_sync(&f.marks, f.store, &err));
    fixture_close(&f);
    fixture_open(&f, ATOM_OPEN_WRITE);
    assert_ok(atom_check(f.store, NULL, &err));
    intern_range(&f, ids, 0, after, true);
    fixture_remove(&f);
  }
}

static bool disk_full;

static quoin_status
disk_grow(base_quota *self, uint64_t bytes, quoin_error *err)
{
  (void)self;
  (void)bytes;
  return disk_full ? base_fail(err, QUOIN_ERR_NO_SPACE, "the disk is full") : QUOIN_OK;
}

static void
disk_shrink(base_quota *self, uint64_t bytes)
{
  (void)self;
  (void)bytes;
}

/* The first new term of a load made a table in memory, and then there is no room for its text. */
static void
test_intern__a_load_that_fails_at_once_leaves_a_table_with_a_file(void **state)
{
  (void)state;
  enum { LONG = 1 << 20 };
  static atom_id ids[2000];
  base_quota quota = {disk_grow, disk_shrink};
  quoin_error err = QUOIN_ERROR_INIT;
  char *text = base_new(base_alloc_default(), LONG, 1);
  uint64_t seed = 7;
  unsigned made = 0;
  for (size_t i = 0; i < LONG; i++)
    text[i] = (char)('a' + support_random(&seed) % 26);
  for (unsigned before = 700; before < 820; before++) { /* at one of them the table is full */
    rdf_term big = {.kind = RDF_LITERAL, .value = {text, LONG}};
    fixture f;
    atom_id id;
    fixture_make(&f);
    fixture_close(&f);
    f.at.dir.quota = &quota;
    fixture_open(&f, ATOM_OPEN_WRITE);
    intern_range(&f, ids, 0, before, false);
    uint64_t terms = atom_store_terms(f.store);
    atom_load_begin(f.store, 1 << 30);
    disk_full = true;
    assert_int_equal(atom_intern(&id, f.store, &big, &err), QUOIN_ERR_NO_SPACE);
    atom_rollback(f.store, terms, 0);
    made += atom_load_bytes(f.store) > 0;
    atom_load_end(f.store);
    disk_full = false;
    intern_range(&f, ids, 0, before + 10, false);
    assert_ok(atom_store_sync(&f.marks, f.store, &err));
    fixture_close(&f);
    f.at.dir.quota = NULL;
    fixture_open(&f, ATOM_OPEN_WRITE);
    intern_range(&f, ids, 0, before + 10, true);
    fixture_remove(&f);
  }
  assert_true(made > 0);
  base_release(base_alloc_default(), text, LONG, 1);
}

static void
test_intern__keeps_terms_of_any_length_and_content(void **state)
{
  (void)state;
  enum { LONG = 64 << 20 };
  fixture f;
  fixture_make(&f);
  char *text = base_new(base_alloc_default(), LONG, 1);
  memset(text, 'x', LONG);
  rdf_term big = {.kind = RDF_LITERAL, .value = {text, LONG}};
  rdf_term nul = {.kind = RDF_LITERAL, .value = {"a\0b", 3}};
  rdf_term nul2 = {.kind = RDF_LITERAL, .value = {"a\0c", 3}};
  rdf_term empty = support_literal("", "", "");
  rdf_term empty_iri = support_iri("");
  rdf_term slash = support_iri("http://example.org/");
  rdf_term lang = support_literal("x", "", "en"), lang2 = support_literal("x", "", "EN");
  rdf_term *all[] = {&big, &nul, &nul2, &empty, &empty_iri, &slash, &lang, &lang2};
  atom_id ids[8];
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < 8; i++) {
      atom_id id = intern(&f, *all[i]);
      if (round) assert_true(atom_id_equal(id, ids[i]));
      ids[i] = id;
      for (size_t j = 0; j < i; j++)
        assert_false(atom_id_equal(id, ids[j]));
    }
  }
  for (size_t i = 0; i < 8; i++)
    assert_reads(f.store, ids[i], all[i]);
  base_release(base_alloc_default(), text, LONG, 1);
  fixture_remove(&f);
}

static void
test_intern__says_the_datatype_without_the_text(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  fixture_make(&f);
  atom_id id = intern(&f, support_literal("007", RDF_XSD "integer", "")), type;
  assert_int_equal(atom_id_kind(id), ATOM_NUMERIC);
  assert_ok(atom_datatype(&type, f.store, id, &err));
  assert_true(atom_id_equal(type, intern(&f, support_iri(RDF_XSD "integer"))));
  assert_ok(atom_datatype(&type, f.store, intern(&f, support_literal("7", "", "")), &err));
  assert_int_equal(type.bits, 0);
  fixture_remove(&f);
}

static void
test_intern__numbers_blank_nodes(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  fixture_make(&f);
  atom_id first = atom_blank_new(f.store), many = atom_blank_new_many(f.store, 10), found;
  assert_int_equal(atom_id_payload(first), 1);
  assert_int_equal(atom_id_payload(many), 2);
  assert_int_equal(atom_store_blanks(f.store), 11);
  rdf_term label = {.kind = RDF_BLANK, .value = base_span("b11")};
  assert_ok(atom_find(&found, f.store, &label, UINT64_MAX, &err));
  assert_int_equal(atom_id_payload(found), 11);
  assert_reads(f.store, found, &label);
  label.value = base_span("b12");
  assert_ok(atom_find(&found, f.store, &label, UINT64_MAX, &err));
  assert_int_equal(found.bits, 0);
  fixture_remove(&f);
}

static void
test_intern__rolls_back_to_what_was(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f, plain;
  char buf[200];
  fixture_make(&f);
  fixture_make(&plain);
  for (uint64_t n = 0; n < 3000; n++) {
    (void)intern(&f, support_term(buf, n));
    (void)intern(&plain, support_term(buf, n));
  }
  uint64_t mark = atom_store_terms(f.store);
  uint64_t sizes[] = {1, 40, 700, 60000};
  for (size_t i = 0; i < 4; i++) {
    (void)atom_blank_new(f.store);
    for (uint64_t n = 100000; n < 100000 + sizes[i]; n++)
      (void)intern(&f, support_term(buf, n));
    atom_rollback(f.store, mark, 0);
    assert_int_equal(atom_store_terms(f.store), mark);
    assert_int_equal(atom_store_blanks(f.store), 0);
    assert_ok(atom_check(f.store, NULL, &err));
  }
  for (uint64_t n = 2000; n < 6000; n++) {
    rdf_term term = support_term(buf, n);
    assert_int_equal(intern(&f, term).bits, intern(&plain, term).bits);
  }
  assert_ok(atom_check(f.store, NULL, &err));
  fixture_remove(&f);
  fixture_remove(&plain);
}

/* Through several larger tables, and back below where they were made. */
static void
test_intern__rolls_back_step_by_step(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  char buf[200];
  uint64_t seed = support_seed();
  fixture_make(&f);
  for (uint64_t n = 0; n < 70000; n++)
    (void)intern(&f, support_term(buf, n));
  while (atom_store_terms(f.store) > 0) {
    uint64_t terms = atom_store_terms(f.store);
    uint64_t away = 1 + support_random(&seed) % (support_random(&seed) % 3 ? 2000 : 12000);
    atom_rollback(f.store, away > terms ? 0 : terms - away, 0);
    assert_ok(atom_check(f.store, NULL, &err));
  }
  fixture_remove(&f);
}

/* A manifest may name what was synced: its records must not be written over. */
static void
test_intern__rolls_back_to_the_last_sync_at_most(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  char buf[200];
  fixture_make(&f);
  for (uint64_t n = 0; n < 500; n++)
    (void)intern(&f, support_term(buf, n));
  uint64_t before = atom_store_terms(f.store);
  for (uint64_t n = 500; n < 600; n++)
    (void)intern(&f, support_term(buf, n));
  assert_ok(atom_store_sync(&f.marks, f.store, &err));
  for (uint64_t n = 600; n < 700; n++)
    (void)intern(&f, support_term(buf, n));
  atom_rollback(f.store, before, 0);
  assert_int_equal(atom_store_terms(f.store), f.marks.terms);
  for (uint64_t n = 1000; n < 1200; n++)
    (void)intern(&f, support_term(buf, n));
  assert_ok(atom_check(f.store, NULL, &err));
  fixture_close(&f); /* as the manifest has it */
  fixture_open(&f, ATOM_OPEN_WRITE);
  assert_int_equal(atom_store_terms(f.store), f.marks.terms);
  assert_ok(atom_check(f.store, NULL, &err));
  fixture_remove(&f);
}

static void
test_intern__reads_what_was_closed(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  char buf[200];
  fixture_make(&f);
  for (uint64_t round = 0; round < 4; round++) {
    for (uint64_t n = 0; n < 5000 * (round + 1); n++)
      (void)intern(&f, support_term(buf, n));
    assert_ok(atom_store_sync(&f.marks, f.store, &err));
    fixture_close(&f);
    fixture_open(&f, round == 2 ? ATOM_OPEN_READ_ONLY : ATOM_OPEN_WRITE);
    assert_int_equal(atom_store_terms(f.store), f.marks.terms);
    assert_ok(atom_check(f.store, NULL, &err));
    if (round == 2) {
      fixture_close(&f);
      fixture_open(&f, ATOM_OPEN_WRITE);
    }
  }
  fixture_remove(&f);
}

/* The numbers that a reading process gives to terms of the log are those the writer gives. */
static void
test_intern__numbers_the_same_in_an_overlay(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f, reader;
  char buf[200];
  fixture_make(&f);
  for (uint64_t n = 0; n < 4000; n++)
    (void)intern(&f, support_term(buf, n));
  assert_ok(atom_store_sync(&f.marks, f.store, &err));
  reader = f;
  fixture_open(&reader, ATOM_OPEN_READ_ONLY);
  for (uint64_t n = 3000; n < 30000; n++) {
    rdf_term term = support_term(buf, n);
    atom_id id = intern(&f, term);
    assert_int_equal(intern(&reader, term).bits, id.bits);
    assert_reads(reader.store, id, &term);
  }
  assert_int_equal(atom_store_terms(f.store), atom_store_terms(reader.store));
  assert_ok(atom_check(reader.store, NULL, &err));
  uint64_t mark = f.marks.terms + 100;
  atom_rollback(reader.store, mark, 0);
  assert_ok(atom_check(reader.store, NULL, &err));
  for (uint64_t n = 3000; n < 30000; n++) {
    rdf_term term = support_term(buf, n);
    assert_int_equal(intern(&reader, term).bits, intern(&f, term).bits);
  }
  fixture_close(&reader);
  fixture_remove(&f);
}

static void
test_intern__local_ids_name_terms_of_one_query(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_local *local;
  char buf[200];
  assert_ok(atom_local_new(&local, base_alloc_default(), &err));
  for (int round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < 6000; i++) {
      uint64_t n = i % 3000;
      rdf_term term = support_term(buf, n), back;
      atom_id id;
      assert_ok(atom_local_intern(&id, local, &term, &err));
      assert_int_equal(atom_id_kind(id), ATOM_LOCAL);
      assert_int_equal(atom_id_payload(id), n + 1);
      atom_local_read(&back, local, id);
      assert_true(rdf_term_equal(&back, &term));
    }
    assert_int_equal(atom_local_count(local), 3000);
    assert_true(atom_local_bytes(local) > 3000 * 20);
    atom_local_reset(local);
    assert_int_equal(atom_local_count(local), 0);
  }
  atom_local_free(local);
  atom_local_free(NULL);
}

/* Ids that only a damaged file can hold: an error, whatever table of local terms there is. */
static void
test_intern__ids_of_nothing_are_corruption(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_local *local;
  base_arena arena;
  rdf_term term;
  const rdf_term one = {.kind = RDF_IRI, .value = base_span("http://e.org/one")};
  atom_id id;
  base_arena_init(&arena, base_alloc_default());
  assert_ok(atom_local_new(&local, base_alloc_default(), &err));
  assert_ok(atom_local_intern(&id, local, &one, &err));
  for (uint64_t number = 0; number < 4; number++) {
    atom_id beyond = atom_id_make(ATOM_LOCAL, number == 1 ? UINT64_C(1) << 57 : number);
    assert_int_equal(atom_local_term(&term, local, beyond, &arena, &err), QUOIN_ERR_CORRUPT);
    assert_int_equal(atom_local_kind(local, beyond), RDF_NONE);
    assert_int_equal(atom_local_term(&term, NULL, beyond, &arena, &err), QUOIN_ERR_CORRUPT);
  }
  atom_local_free(local);
  base_arena_clear(&arena);
}

static void
assert_spellings(const fixture *f, rdf_term term, uint64_t mark, const atom_id *ids, size_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena arena;
  atom_id *found;
  size_t n_found;
  base_arena_init(&arena, base_alloc_default());
  assert_ok(atom_find_spellings(&found, &n_found, f->store, &term, mark, &arena, &err));
  assert_int_equal(n_found, n);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(found[i].bits, ids[i].bits);
  base_arena_clear(&arena);
}

/* Terms of their own, all on one way through the table; in files and in an overlay. */
static void
test_intern__spellings_of_a_tag(void **state)
{
  (void)state;
  static const char *const tags[] = {"en-gb", "EN-GB", "en-GB", "eN-gb", "En-Gb"};
  char longer[2][201];
  fixture f;
  atom_id ids[5], far[2];
  quoin_error err = QUOIN_ERROR_INIT;
  fixture_make(&f);
  for (int i = 0; i < 3; i++) {
    ids[i] = intern(&f, support_literal("word", "", tags[i]));
    (void)intern(&f, support_literal("other", "", tags[i]));
    (void)intern(&f, support_literal("word", "", "en"));
  }
  for (int i = 0; i < 2; i++) { /* a tag may be longer than any real one */
    memset(longer[i], "aA"[i], 200);
    longer[i][200] = '\0';
    far[i] = intern(&f, support_literal("word", "", longer[i]));
  }
  assert_ok(atom_store_sync(&f.marks, f.store, &err));
  for (int i = 0; i < 5; i++)
    assert_spellings(&f, support_literal("word", "", tags[i]), UINT64_MAX, ids, 3);
  assert_spellings(&f, support_literal("word", "", tags[4]), atom_id_payload(ids[1]), ids, 2);
  assert_spellings(&f, support_literal("word", "", longer[0]), UINT64_MAX, far, 2);
  assert_spellings(&f, support_literal("word", "", "en-us"), UINT64_MAX, NULL, 0);
  assert_spellings(&f, support_literal("word", "", ""), UINT64_MAX, NULL, 0);
  assert_ok(atom_check(f.store, NULL, &err));
  fixture_close(&f);
  fixture_open(&f, ATOM_OPEN_READ_ONLY);
  for (int i = 0; i < 5; i++)
    ids[i] = intern(&f, support_literal("word", "", tags[i]));
  assert_spellings(&f, support_literal("word", "", tags[4]), UINT64_MAX, ids, 5);
  assert_spellings(&f, support_literal("word", "", tags[4]), f.marks.terms, ids, 3);
  fixture_remove(&f);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_intern__spellings_of_a_tag),
      cmocka_unit_test(test_intern__gives_one_id_to_each_of_200k_terms),
      cmocka_unit_test(test_intern__in_batches_gives_the_ids_of_single_calls),
      cmocka_unit_test(test_intern__of_prepared_terms_gives_the_ids_of_single_calls),
      cmocka_unit_test(test_intern__keeps_terms_of_any_length_and_content),
      cmocka_unit_test(test_intern__says_the_datatype_without_the_text),
      cmocka_unit_test(test_intern__numbers_blank_nodes),
      cmocka_unit_test(test_intern__rolls_back_to_what_was),
      cmocka_unit_test(test_intern__rolls_back_step_by_step),
      cmocka_unit_test(test_intern__rolls_back_to_the_last_sync_at_most),
      cmocka_unit_test(test_intern__reads_what_was_closed),
      cmocka_unit_test(test_intern__numbers_the_same_in_an_overlay),
      cmocka_unit_test(test_intern__local_ids_name_terms_of_one_query),
      cmocka_unit_test(test_intern__a_load_has_its_tables_in_memory),
      cmocka_unit_test(test_intern__a_load_that_fails_at_once_leaves_a_table_with_a_file),
      cmocka_unit_test(test_intern__ids_of_nothing_are_corruption),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
