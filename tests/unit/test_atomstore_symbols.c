/* Texts in symbols: the codec by itself, and in the records of a store. */
#include "atomstore/symbols.h"

#include "unit/test_atomstore_support.h"

/* ---- the codec
 * ------------------------------------------------------------------------------------
 */

/* Words of a small vocabulary, numbers, some bytes of any value. */
static size_t
some_text(char *out, uint64_t *seed) /* less than 300 bytes */
{
  static const char *const words[] = {"the ", "http://",  "example",  ".org/", "Zürich ",
                                      "and ", "of ",      "ing ",     "-",     "2021",
                                      "\n",   "aaaaaaaa", "release ", "a",     "\xE2\x82\xAC"};
  size_t n = 0, parts = support_random(seed) % 30;
  for (size_t i = 0; i < parts; i++) {
    if (support_random(seed) % 20 == 0) {
      out[n++] = (char)support_random(seed);
    } else {
      const char *word = words[support_random(seed) % (sizeof words / sizeof *words)];
      memcpy(out + n, word, strlen(word));
      n += strlen(word);
    }
  }
  return n;
}

static void
make_table(atom_symbols *symbols, uint64_t *seed)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer sample;
  char text[400];
  base_buffer_init(&sample, base_alloc_default());
  for (size_t n = support_random(seed) % 800; n > 0; n--)
    base_buffer_add(&sample, text, some_text(text, seed));
  quoin_span span = {sample.data, sample.len};
  assert_ok(atom_symbols_train(symbols, span, base_alloc_default(), &err));
  base_buffer_clear(&sample);
}

static void
test_symbols__texts_come_back(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  atom_symbols *symbols = malloc(sizeof(*symbols)), *again = malloc(sizeof(*again));
  assert_non_null(symbols);
  assert_non_null(again);
  for (int round = 0; round < 30; round++) {
    base_buffer bytes;
    base_buffer_init(&bytes, base_alloc_default());
    make_table(symbols, &seed);
    atom_symbols_write(&bytes, symbols);
    assert_in_range(bytes.len, 1, SYMBOLS_TABLE);
    assert_int_equal(atom_symbols_read(again, (quoin_span){bytes.data, bytes.len}), symbols->n > 0);
    for (int i = 0; i < 200; i++) {
      char text[400], coded[800], other[800], back[400 + SYMBOL_BYTES];
      size_t len = some_text(text, &seed),
             n = atom_symbols_encode(coded, symbols, (quoin_span){text, len});
      quoin_span said = {coded, n};
      assert_true(n <= 2 * len);
      assert_int_equal(atom_symbols_length(symbols, said), len);
      atom_symbols_decode(back, symbols, said);
      assert_memory_equal(back, text, len);
      assert_true(atom_symbols_equal(symbols, said, (quoin_span){text, len}));
      if (symbols->n) { /* the table as it is read back writes the same */
        assert_int_equal(atom_symbols_encode(other, again, (quoin_span){text, len}), n);
        assert_memory_equal(other, coded, n);
      }
      if (!len) continue;
      assert_false(atom_symbols_equal(symbols, said, (quoin_span){text, len - 1}));
      text[support_random(&seed) % len] ^= 1;
      assert_false(atom_symbols_equal(symbols, said, (quoin_span){text, len}));
    }
    base_buffer_clear(&bytes);
  }
  free(symbols);
  free(again);
}

static void
test_symbols__many_texts_at_once_as_each_alone(void **state)
{
  (void)state;
  enum { TEXTS = 40 };
  uint64_t seed = support_seed();
  atom_symbols *symbols = malloc(sizeof(*symbols));
  static char text[TEXTS][400], to[TEXTS * 800];
  assert_non_null(symbols);
  for (int round = 0; round < 100; round++) {
    quoin_span texts[TEXTS], coded[TEXTS];
    size_t n = 0, many = support_random(&seed) % TEXTS;
    make_table(symbols, &seed);
    while (n < many) {
      size_t len = some_text(text[n], &seed);
      texts[n] = (quoin_span){text[n], len};
      n += len > 0;
    }
    atom_symbols_encode_all(coded, to, symbols, texts, n);
    for (size_t i = 0; i < n; i++) {
      char alone[800];
      size_t len = atom_symbols_encode(alone, symbols, texts[i]);
      assert_int_equal(coded[i].len, len);
      assert_memory_equal(coded[i].ptr, alone, len);
    }
  }
  free(symbols);
}

static void
test_symbols__any_bytes_are_taken(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  atom_symbols *symbols = malloc(sizeof(*symbols)), *other = malloc(sizeof(*other));
  assert_non_null(symbols);
  assert_non_null(other);
  make_table(symbols, &seed);
  base_buffer bytes;
  base_buffer_init(&bytes, base_alloc_default());
  atom_symbols_write(&bytes, symbols);
  for (int round = 0; round < 2000; round++) {
    size_t n = support_random(&seed) % 60;
    char *coded = malloc(n + 1), *to;
    assert_non_null(coded);
    for (size_t i = 0; i < n; i++)
      coded[i] = (char)support_random(&seed);
    size_t len = atom_symbols_length(symbols, (quoin_span){coded, n});
    if (len != SIZE_MAX) {
      assert_non_null(to = malloc(len + SYMBOL_BYTES));
      atom_symbols_decode(to, symbols, (quoin_span){coded, n});
      assert_true(atom_symbols_equal(symbols, (quoin_span){coded, n}, (quoin_span){to, len}));
      free(to);
    }
    (void)atom_symbols_equal(symbols, (quoin_span){coded, n}, (quoin_span){"some text", 9});
    (void)atom_symbols_read(other, (quoin_span){coded, n});
    free(coded);
    if (bytes.len) { /* a damaged table is one, or is none */
      size_t cut = support_random(&seed) % (bytes.len + 1);
      char *table = malloc(cut + 1);
      assert_non_null(table);
      memcpy(table, bytes.data, cut);
      if (cut) table[support_random(&seed) % cut] ^= (char)(1u << support_random(&seed) % 8);
      (void)atom_symbols_read(other, (quoin_span){table, cut});
      free(table);
    }
  }
  base_buffer_clear(&bytes);
  free(symbols);
  free(other);
}

/* ---- in a store --------------------------------------------------------------------------------
 */

enum { N = 20000 };

typedef struct fixture {
  support_dir at;
  atom_marks marks;
  atom_store *store;
  atom_id ids[N];
} fixture;

static quoin_status
try_open(fixture *f, atom_open_mode mode, quoin_error *err)
{
  quoin_status st =
      atom_store_open(&f->store, &f->at.dir, &f->marks, mode, base_alloc_default(), err);
  if (st) return st;
  atom_store_pin(f->store);
  atom_store_writer_enter(f->store);
  return QUOIN_OK;
}

static void
open_store(fixture *f, atom_open_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(try_open(f, mode, &err));
}

static void
close_store(fixture *f)
{
  atom_store_writer_leave(f->store);
  atom_store_unpin(f->store);
  atom_store_close(f->store);
}

static rdf_term
text_term(char buf[440], uint64_t n)
{
  uint64_t seed = n * 31 + 5;
  size_t len = (size_t)snprintf(buf, 40, "%llu is the number of ", (unsigned long long)n);
  len += some_text(buf + len, &seed);
  while (len && base_utf8_valid(buf, len) != len)
    len--;
  rdf_term term = {.kind = RDF_LITERAL, .value = {buf, len}};
  if (n % 5 == 1) term.lang = base_span(n % 2 ? "en" : "EN");
  if (n % 5 == 2) term.datatype = base_span("http://example.org/type");
  if (n % 5 == 3) term = (rdf_term){.kind = RDF_IRI, .value = {buf, len}};
  return term;
}

static void
intern_range(fixture *f, uint64_t from, uint64_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[440];
  for (uint64_t n = from; n < to; n++) {
    rdf_term term = text_term(buf, n);
    assert_ok(atom_intern(&f->ids[n], f->store, &term, &err));
  }
}

static void
assert_range(const fixture *f, uint64_t from, uint64_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  for (uint64_t n = from; n < to; n++) {
    char buf[440];
    rdf_term term = text_term(buf, n), read;
    atom_id found;
    assert_ok(atom_find(&found, f->store, &term, UINT64_MAX, &err));
    assert_int_equal(found.bits, f->ids[n].bits);
    assert_ok(atom_read(&read, f->store, found, &arena, &err));
    assert_true(rdf_term_equal(&read, &term));
    if (n % 100 == 0) base_arena_reset(&arena);
  }
  base_arena_clear(&arena);
}

static void
make_store(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir_make(&f->at);
  f->marks = (atom_marks){.generation = 1};
  assert_ok(atom_store_create(&f->at.dir, &f->marks, &err));
  open_store(f, ATOM_OPEN_WRITE);
}

static void
test_symbols__a_store_reads_what_it_was_given(void **state)
{
  (void)state;
  static fixture f;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_stats stats;
  make_store(&f);
  intern_range(&f, 0, N / 4);
  assert_ok(atom_store_sync(&f.marks, f.store, &err));
  assert_true(f.marks.symbols != 0);
  uint64_t terms = atom_store_terms(f.store);
  intern_range(&f, N / 4, N);
  atom_rollback(f.store, terms, 0); /* not below what was synced; decodes every text */
  intern_range(&f, N / 4, N);
  assert_range(&f, 0, N);
  assert_ok(atom_check(f.store, NULL, &err));
  atom_store_stats(&stats, f.store);
  uint64_t raw = 0;
  char buf[440];
  for (uint64_t n = 0; n < N; n++)
    raw += text_term(buf, n).value.len;
  assert_true(stats.term_bytes < raw * 3 / 4);
  assert_ok(atom_store_sync(&f.marks, f.store, &err));
  close_store(&f);

  open_store(&f, ATOM_OPEN_READ_ONLY);
  assert_range(&f, 0, N);
  assert_ok(atom_check(f.store, NULL, &err));
  close_store(&f);

  /* A clone, with the table. */
  open_store(&f, ATOM_OPEN_WRITE);
  fixture *clone = malloc(sizeof(*clone));
  assert_non_null(clone);
  *clone = f;
  support_dir_make(&clone->at);
  assert_ok(atom_store_clone(&clone->marks, &clone->at.dir, f.store, f.marks.terms, NULL, &err));
  open_store(clone, ATOM_OPEN_WRITE);
  assert_range(clone, 0, N);
  assert_ok(atom_check(clone->store, NULL, &err));
  close_store(clone);
  support_dir_remove(&clone->at);
  free(clone);

  /* Copied without every other term. */
  atom_kept *kept;
  terms = atom_store_terms(f.store);
  assert_ok(atom_kept_new(&kept, terms, base_alloc_default(), &err));
  for (uint64_t n = 0; n < N; n += 2)
    assert_ok(atom_kept_add(kept, &f.ids[n].bits, 1, &err));
  assert_ok(atom_kept_close(kept, f.store, NULL, &err));
  f.marks.generation = 2;
  assert_ok(atom_store_copy(&f.marks, &f.at.dir, f.store, kept, NULL, &err));
  close_store(&f);
  for (uint64_t n = 0; n < N; n += 2)
    assert_int_equal(atom_kept_map(&f.ids[n].bits, kept, &f.ids[n].bits, 1, &err), QUOIN_OK);
  atom_kept_free(kept);
  open_store(&f, ATOM_OPEN_WRITE);
  for (uint64_t n = 0; n < N; n += 2)
    assert_range(&f, n, n + 1);
  intern_range(&f, 0, N);
  assert_range(&f, 0, N);
  assert_ok(atom_check(f.store, NULL, &err));
  close_store(&f);
  support_dir_remove(&f.at);
}

/* The same terms make the same bytes. */
static void
test_symbols__builds_repeat(void **state)
{
  (void)state;
  static fixture one, two;
  quoin_error err = QUOIN_ERROR_INIT;
  make_store(&one);
  make_store(&two);
  intern_range(&one, 0, N);
  intern_range(&two, 0, N);
  assert_ok(atom_store_sync(&one.marks, one.store, &err));
  assert_ok(atom_store_sync(&two.marks, two.store, &err));
  assert_memory_equal(&one.marks, &two.marks, sizeof(one.marks));
  char *bytes[2];
  fixture *both[2] = {&one, &two};
  size_t size = (size_t)(4096 + one.marks.term_bytes);
  for (int i = 0; i < 2; i++) {
    base_file file;
    assert_non_null(bytes[i] = malloc(size));
    assert_ok(base_file_open(&file, &both[i]->at.dir, "terms-1", BASE_FILE_READ, &err));
    assert_ok(base_file_read(&file, bytes[i], size, 0, &err));
    base_file_close(&file);
    close_store(both[i]);
    support_dir_remove(&both[i]->at);
  }
  assert_memory_equal(bytes[0], bytes[1], size);
  free(bytes[0]);
  free(bytes[1]);
}

static void
test_symbols__damage_is_reported(void **state)
{
  (void)state;
  static fixture f;
  uint64_t seed = support_seed();
  quoin_error err = QUOIN_ERROR_INIT;
  make_store(&f);
  intern_range(&f, 0, N / 4);
  assert_ok(atom_store_sync(&f.marks, f.store, &err));
  close_store(&f);
  for (int round = 0; round < 20; round++) {
    base_file file;
    unsigned char byte, other;
    uint64_t at = 64 + support_random(&seed) % 700; /* in the table */
    assert_ok(base_file_open(&file, &f.at.dir, "terms-1", BASE_FILE_WRITE, &err));
    assert_ok(base_file_read(&file, &byte, 1, at, &err));
    other = byte ^ (unsigned char)(1u << support_random(&seed) % 8);
    assert_ok(base_file_write(&file, &other, 1, at, &err));
    assert_int_equal(try_open(&f, round % 2 ? ATOM_OPEN_WRITE : ATOM_OPEN_READ_ONLY, &err),
                     QUOIN_ERR_CORRUPT);
    assert_ok(base_file_write(&file, &byte, 1, at, &err));
    base_file_close(&file);
  }
  open_store(&f, ATOM_OPEN_READ_ONLY);
  assert_range(&f, 0, N / 4);
  close_store(&f);
  support_dir_remove(&f.at);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_symbols__texts_come_back),
      cmocka_unit_test(test_symbols__many_texts_at_once_as_each_alone),
      cmocka_unit_test(test_symbols__any_bytes_are_taken),
      cmocka_unit_test(test_symbols__a_store_reads_what_it_was_given),
      cmocka_unit_test(test_symbols__builds_repeat),
      cmocka_unit_test(test_symbols__damage_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
