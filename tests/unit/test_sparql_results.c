/* Writers of results: exact text of each format, cut streams, long values, repeated ids. */
#include "sparql/results/results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIT(text)                                                                                  \
  {                                                                                                \
    RDF_LITERAL, {text, sizeof(text) - 1}, {0},                                                    \
    {                                                                                              \
      0                                                                                            \
    }                                                                                              \
  }
#define TYPED(text, type)                                                                          \
  {                                                                                                \
    RDF_LITERAL, {text, sizeof(text) - 1}, {RDF_XSD type, sizeof(RDF_XSD type) - 1},               \
    {                                                                                              \
      0                                                                                            \
    }                                                                                              \
  }

/* Id n is terms[n]. */
static const rdf_term terms[] = {
    {0},
    {RDF_IRI, {"http://e/a", 10}, {0}, {0}},
    {RDF_BLANK, {"b0", 2}, {0}, {0}},
    LIT("plain"),
    {RDF_LITERAL, {"chat", 4}, {0}, {"fr-CA", 5}},
    TYPED("42", "integer"),
    TYPED("-1.50", "decimal"),
    TYPED("1.0e6", "double"),
    TYPED("1.", "decimal"),
    TYPED("2020-01-01", "date"),
    LIT("a \"quote\", a\\back\nline\r\ttab <&>"),
    LIT("\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80"),
    LIT("x\x01y"),
    LIT(""),
    TYPED("true", "boolean"),
    TYPED("", "integer"),
    TYPED("NaN", "double"),
};
enum { N_TERMS = sizeof(terms) / sizeof(terms[0]) };

static quoin_status
fake_term(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  (void)arena;
  if (user) (*(long *)user)++;
  if (id.bits >= N_TERMS) return base_fail(err, QUOIN_ERR_CORRUPT, "no such id");
  *out = terms[id.bits];
  return QUOIN_OK;
}

static quoin_status
collect(void *user, const void *data, size_t len, quoin_error *err)
{
  (void)err;
  base_buffer_add(user, data, len);
  return QUOIN_OK;
}

/* Rows of two columns, ids one after another; `end` false: the stream breaks. */
static void
write_two(base_buffer *out, sparql_format format, const uint64_t *ids, size_t n, bool end)
{
  const quoin_span names[] = {{"x", 1}, {"long_name", 9}};
  const struct sparql_prefix prefix = {{"ex", 2}, {"http://e/", 9}};
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_results *r = NULL;
  base_buffer_init(out, base_alloc_default());
  assert_int_equal(sparql_results_new(&r, format, names, 2, &prefix, 1, fake_term, NULL, collect,
                                      out, base_alloc_default(), &err),
                   QUOIN_OK);
  for (size_t i = 0; i < n; i++) {
    atom_id a = {ids[2 * i]}, b = {ids[2 * i + 1]};
    const atom_id *const column[] = {&a, &b};
    const sparql_rows rows = {1, column};
    assert_int_equal(sparql_results_rows(r, &rows, &err), QUOIN_OK);
  }
  if (end)
    assert_int_equal(sparql_results_finish(r, &err), QUOIN_OK);
  else
    sparql_results_break(r);
  sparql_results_free(r);
  base_buffer_byte(out, '\0');
}

static void
expect(sparql_format format, const uint64_t *ids, size_t n, bool end, const char *text)
{
  base_buffer out;
  write_two(&out, format, ids, n, end);
  assert_string_equal(out.data, text);
  base_buffer_clear(&out);
}

static const uint64_t ROWS[] = {1, 2, 3, 4, 5, 0, 0, 6, 0, 0, 10, 11, 9, 7};
enum { N_ROWS = sizeof(ROWS) / sizeof(ROWS[0]) / 2 };

static void
test_json__text(void **state)
{
  (void)state;
#define JSON                                                                                       \
  "{\"head\":{\"vars\":[\"x\",\"long_name\"]},\"results\":{\"bindings\":[\n"                       \
  "{\"x\":{\"type\":\"uri\",\"value\":\"http://e/a\"},\"long_name\":{\"type\":\"bnode\","          \
  "\"value\":\"b0\"}},\n"                                                                          \
  "{\"x\":{\"type\":\"literal\",\"value\":\"plain\"},\"long_name\":{\"type\":\"literal\","         \
  "\"value\":\"chat\",\"xml:lang\":\"fr-CA\"}},\n"                                                 \
  "{\"x\":{\"type\":\"literal\",\"value\":\"42\",\"datatype\":\"" RDF_XSD "integer\"}},\n"         \
  "{\"long_name\":{\"type\":\"literal\",\"value\":\"-1.50\",\"datatype\":\"" RDF_XSD               \
  "decimal\"}},\n"                                                                                 \
  "{},\n"                                                                                          \
  "{\"x\":{\"type\":\"literal\",\"value\":\"a \\\"quote\\\", a\\\\back\\nline\\r\\ttab <&>\"},"    \
  "\"long_name\":{\"type\":\"literal\",\"value\":\"\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80\"}},\n"    \
  "{\"x\":{\"type\":\"literal\",\"value\":\"2020-01-01\",\"datatype\":\"" RDF_XSD "date\"},"       \
  "\"long_name\":{\"type\":\"literal\",\"value\":\"1.0e6\",\"datatype\":\"" RDF_XSD "double\"}}"
  expect(SPARQL_JSON, ROWS, N_ROWS, true, JSON "\n]}}\n");
  expect(SPARQL_JSON, ROWS, N_ROWS, false, JSON);
  expect(SPARQL_JSON, ROWS, 0, true,
         "{\"head\":{\"vars\":[\"x\",\"long_name\"]},\"results\":{\"bindings\":[]}}\n");
  const uint64_t control[] = {12, 13};
  expect(SPARQL_JSON, control, 1, false,
         "{\"head\":{\"vars\":[\"x\",\"long_name\"]},\"results\":{\"bindings\":[\n"
         "{\"x\":{\"type\":\"literal\",\"value\":\"x\\u0001y\"},"
         "\"long_name\":{\"type\":\"literal\",\"value\":\"\"}}");
}

static void
test_xml__text(void **state)
{
  (void)state;
#define XML                                                                                        \
  "<?xml version=\"1.0\"?>\n<sparql xmlns=\"http://www.w3.org/2005/sparql-results#\">\n"           \
  "<head><variable name=\"x\"/><variable name=\"long_name\"/></head>\n<results>\n"
  const uint64_t rows[] = {1, 2, 4, 0, 0, 10, 5, 13};
  expect(SPARQL_XML, rows, 4, true,
         XML "<result><binding name=\"x\"><uri>http://e/a</uri></binding>"
             "<binding name=\"long_name\"><bnode>b0</bnode></binding></result>\n"
             "<result><binding name=\"x\"><literal xml:lang=\"fr-CA\">chat</literal></binding>"
             "</result>\n"
             "<result><binding name=\"long_name\"><literal>a \"quote\", a\\back\nline&#xD;\ttab "
             "&lt;&amp;&gt;</literal></binding></result>\n"
             "<result><binding name=\"x\"><literal datatype=\"" RDF_XSD
             "integer\">42</literal></binding><binding name=\"long_name\"><literal></literal>"
             "</binding></result>\n</results>\n</sparql>\n");
  expect(SPARQL_XML, rows, 0, false, XML);
}

static void
test_xml__refuses_what_it_cannot_hold(void **state)
{
  (void)state;
  const quoin_span name = {"x", 1};
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_results *r = NULL;
  base_buffer out;
  base_buffer_init(&out, base_alloc_default());
  assert_int_equal(sparql_results_new(&r, SPARQL_XML, &name, 1, NULL, 0, fake_term, NULL, collect,
                                      &out, base_alloc_default(), &err),
                   QUOIN_OK);
  atom_id id = {12};
  const atom_id *const column[] = {&id};
  const sparql_rows rows = {1, column};
  assert_int_equal(sparql_results_rows(r, &rows, &err), QUOIN_ERR_ARGUMENT);
  assert_non_null(strstr(err.message, "json"));
  sparql_results_break(r);
  sparql_results_free(r);
  assert_true(out.len == 0 || !memmem(out.data, out.len, "</sparql>", 9));
  base_buffer_clear(&out);
}

static void
test_csv__text(void **state)
{
  (void)state;
  const uint64_t rows[] = {1, 2, 4, 0, 0, 10, 5, 13, 0, 0};
  expect(SPARQL_CSV, rows, 5, true,
         "x,long_name\r\nhttp://e/a,_:b0\r\nchat,\r\n,\"a \"\"quote\"\", a\\back\nline\r\ttab "
         "<&>\"\r\n42,\r\n,\r\n");
  expect(SPARQL_CSV, rows, 1, false, "x,long_name\r\nhttp://e/a,_:b0");
  expect(SPARQL_CSV, rows, 0, true, "x,long_name\r\n");
}

static void
test_tsv__text(void **state)
{
  (void)state;
  const uint64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 14, 15, 16};
  expect(SPARQL_TSV, rows, 7, true,
         "?x\t?long_name\n<http://e/a>\t_:b0\n\"plain\"\t\"chat\"@fr-CA\n42\t-1.50\n"
         "1.0e6\t\"1.\"^^<" RDF_XSD "decimal>\n\"2020-01-01\"^^<" RDF_XSD
         "date>\t\"a \\\"quote\\\", a\\\\back\\nline\\r\\ttab <&>\"\n\t\"true\"^^<" RDF_XSD
         "boolean>\n\"\"^^<" RDF_XSD "integer>\t\"NaN\"^^<" RDF_XSD "double>\n");
  expect(SPARQL_TSV, rows, 1, false, "?x\t?long_name\n<http://e/a>\t_:b0");
}

static void
test_table__is_aligned(void **state)
{
  (void)state;
  const uint64_t rows[] = {1, 5, 11, 6, 4, 0, 9, 14, 12, 7};
  expect(SPARQL_TABLE, rows, 5, true,
         "x                      | long_name\n"
         "-----------------------+----------\n"
         "ex:a                   |        42\n"
         "\"\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80\"                |     -1.50\n"
         "\"chat\"@fr-CA           | \n"
         "\"2020-01-01\"^^xsd:date | true\n"
         "\"x\\u0001y\"             |     1.0e6\n"
         "(5 rows)\n");
  expect(SPARQL_TABLE, rows, 0, true, "x | long_name\n--+----------\n(0 rows)\n");
}

static void
test_boolean__each_format(void **state)
{
  (void)state;
  static const struct {
    sparql_format format;
    const char *text;
  } cases[] = {
      {SPARQL_JSON, "{\"head\":{},\"boolean\":true}\n"},
      {SPARQL_XML,
       "<?xml version=\"1.0\"?>\n<sparql xmlns=\"http://www.w3.org/2005/sparql-results#\">\n"
       "<head></head>\n<boolean>true</boolean>\n</sparql>\n"},
      {SPARQL_CSV, "true\r\n"},
      {SPARQL_TSV, "true\n"},
      {SPARQL_TABLE, "true\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    base_buffer out;
    base_buffer_init(&out, base_alloc_default());
    assert_int_equal(
        sparql_results_boolean(cases[i].format, true, collect, &out, base_alloc_default(), NULL),
        QUOIN_OK);
    base_buffer_byte(&out, '\0');
    assert_string_equal(out.data, cases[i].text);
    base_buffer_clear(&out);
  }
}

/* The slow and obvious scan. */
static size_t
plain_slowly(const char *text, size_t len, results_special special)
{
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20 || (special == RESULTS_QUOTED && strchr("\"\\", c)) ||
        (special == RESULTS_MARKUP && (strchr("<>&", c) || c == 0xEF)))
      return i;
  }
  return len;
}

static void
test_plain__finds_the_first_special_byte(void **state)
{
  (void)state;
  char text[40];
  const char *seed_text = getenv("QUOIN_SEED");
  unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : 7u;
  print_message("seed %u\n", seed);
  for (int n = 0; n < 200000; n++) {
    size_t len = (size_t)n % sizeof(text);
    for (size_t i = 0; i < len; i++) {
      seed = seed * 1664525u + 1013904223u;
      text[i] = (seed >> 28) == 0 ? (char)(seed >> 8) : 'a';
    }
    assert_int_equal(results_plain(text, len, RESULTS_QUOTED),
                     plain_slowly(text, len, RESULTS_QUOTED));
    assert_int_equal(results_plain(text, len, RESULTS_MARKUP),
                     plain_slowly(text, len, RESULTS_MARKUP));
  }
}

/* Long values through the buffer, and repeated ids: against a stream of one row at a time. */
static quoin_status
long_term(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  (void)err;
  (*(long *)user)++;
  size_t len = id.bits % 97 == 0 ? RESULTS_BUFFER + (size_t)id.bits % 300 : (size_t)id.bits % 150;
  char *text = base_arena_bytes(arena, len);
  assert_non_null(text);
  memset(text, 'a' + (int)(id.bits % 26), len);
  *out = (rdf_term){.kind = RDF_IRI, .value = {text, len}};
  return QUOIN_OK;
}

static void
test_rows__repeated_and_long_values(void **state)
{
  (void)state;
  enum { ROWS_N = 4000 };
  const quoin_span name = {"v", 1};
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_results *r = NULL;
  base_buffer out, want;
  long calls = 0;
  base_buffer_init(&out, base_alloc_default());
  base_buffer_init(&want, base_alloc_default());
  assert_int_equal(sparql_results_new(&r, SPARQL_TSV, &name, 1, NULL, 0, long_term, &calls, collect,
                                      &out, base_alloc_default(), &err),
                   QUOIN_OK);
  static atom_id ids[ROWS_N];
  base_buffer_text(&want, "?v");
  for (size_t i = 0; i < ROWS_N; i++) {
    ids[i].bits = i * i % 211 + 1;
    rdf_term term;
    base_arena arena;
    long ignored = 0;
    base_arena_init(&arena, base_alloc_default());
    assert_int_equal(long_term(&term, &ignored, ids[i], &arena, &err), QUOIN_OK);
    base_buffer_text(&want, "\n<");
    base_buffer_span(&want, term.value);
    base_buffer_byte(&want, '>');
    base_arena_clear(&arena);
  }
  base_buffer_byte(&want, '\n');
  const atom_id *const column[] = {ids};
  const sparql_rows rows = {ROWS_N, column};
  assert_int_equal(sparql_results_rows(r, &rows, &err), QUOIN_OK);
  assert_int_equal(sparql_results_finish(r, &err), QUOIN_OK);
  sparql_results_free(r);
  assert_int_equal(out.len, want.len);
  assert_memory_equal(out.data, want.data, want.len);
  assert_true(calls < ROWS_N / 2); /* most texts were kept */
  base_buffer_clear(&out);
  base_buffer_clear(&want);
}

static quoin_status
full_disk(void *user, const void *data, size_t len, quoin_error *err)
{
  long *left = user;
  (void)data;
  *left -= (long)len;
  return *left < 0 ? base_fail(err, QUOIN_ERR_NO_SPACE, "no room") : QUOIN_OK;
}

static void
test_rows__a_failed_write_ends_it(void **state)
{
  (void)state;
  const quoin_span name = {"v", 1};
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_results *r = NULL;
  long left = 100000;
  assert_int_equal(sparql_results_new(&r, SPARQL_JSON, &name, 1, NULL, 0, fake_term, NULL,
                                      full_disk, &left, base_alloc_default(), &err),
                   QUOIN_OK);
  atom_id id = {10};
  const atom_id *const column[] = {&id};
  const sparql_rows rows = {1, column};
  quoin_status st = QUOIN_OK;
  for (int i = 0; i < 10000 && !st; i++)
    st = sparql_results_rows(r, &rows, &err);
  assert_int_equal(st, QUOIN_ERR_NO_SPACE);
  assert_string_equal(err.message, "no room");
  assert_int_equal(sparql_results_finish(r, &err), QUOIN_ERR_NO_SPACE);
  sparql_results_free(r);
  sparql_results_free(NULL);
}

static void
test_format__names(void **state)
{
  (void)state;
  assert_int_equal(sparql_format_by_name(base_span("json")), SPARQL_JSON);
  assert_int_equal(sparql_format_by_name(base_span("Text/CSV")), SPARQL_CSV);
  assert_int_equal(sparql_format_by_name(base_span("ttl")), SPARQL_TURTLE);
  assert_int_equal(sparql_format_by_name(base_span("pdf")), SPARQL_FORMAT_NONE);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json__text),
      cmocka_unit_test(test_xml__text),
      cmocka_unit_test(test_xml__refuses_what_it_cannot_hold),
      cmocka_unit_test(test_csv__text),
      cmocka_unit_test(test_tsv__text),
      cmocka_unit_test(test_table__is_aligned),
      cmocka_unit_test(test_boolean__each_format),
      cmocka_unit_test(test_plain__finds_the_first_special_byte),
      cmocka_unit_test(test_rows__repeated_and_long_values),
      cmocka_unit_test(test_rows__a_failed_write_ends_it),
      cmocka_unit_test(test_format__names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
