/* tests/unit/test_rdfio_iri.c - IRIs: resolution as RFC 3986 5.4 has it, checks, paths, names. */
#include "unit/test_rdfio_util.h"

static void
expect_resolved(const char *base, const char *ref, const char *expected)
{
  base_arena arena;
  quoin_span got = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena_init(&arena, base_alloc_default());
  assert_int_equal(rdfio_iri_resolve(&got, base_span(base), base_span(ref), &arena, &err),
                   QUOIN_OK);
  if (!base_span_is(got, expected))
    print_error("<%s> + <%s>: %.*s, expected %s\n", base, ref, (int)got.len, got.ptr, expected);
  assert_true(base_span_is(got, expected));
  base_arena_clear(&arena);
}

/* RFC 3986 5.4.1 and 5.4.2; the last one strict. */
static void
test_iri__resolves_the_examples_of_the_rfc(void **state)
{
  static const char *const CASES[][2] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g#s/./x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
      {"http:g", "http:g"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
    expect_resolved("http://a/b/c/d;p?q", CASES[i][0], CASES[i][1]);
}

static void
test_iri__resolves_against_unusual_bases(void **state)
{
  (void)state;
  expect_resolved("http://a", "g", "http://a/g");
  expect_resolved("http://a?q", "g", "http://a/g");
  expect_resolved("http://a#f", "", "http://a");
  expect_resolved("urn:x:y", "#z", "urn:x:y#z");
  expect_resolved("file:///a/b", "../../../c", "file:///c");
  expect_resolved("http://ex\xC3\xA9/\xC3\xBC/a", "b", "http://ex\xC3\xA9/\xC3\xBC/b");
}

static void
test_iri__refuses_what_cannot_be_resolved(void **state)
{
  static const char *const BAD[] = {"a b", "a<b",  "a>b", "a\"b", "a{b",  "a}b",
                                    "a|b", "a\\b", "a^b", "a`b",  "a\nb", "a\x01"};
  base_arena arena;
  quoin_span out;
  quoin_error err = QUOIN_ERROR_INIT;
  (void)state;
  base_arena_init(&arena, base_alloc_default());
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
    assert_int_equal(
        rdfio_iri_resolve(&out, base_span("http://a/"), base_span(BAD[i]), &arena, &err),
        QUOIN_ERR_SYNTAX);
  assert_int_equal(rdfio_iri_resolve(&out, base_span(""), base_span("x"), &arena, &err),
                   QUOIN_ERR_SYNTAX);
  assert_non_null(strstr(err.message, "base"));
  base_arena_clear(&arena);
}

static void
test_iri__knows_absolute_ones(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(rdfio_iri_check(base_span("urn:x"), &err), QUOIN_OK);
  assert_int_equal(rdfio_iri_check(base_span("http://a/b c"), &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(err.offset, 10);
  assert_int_equal(rdfio_iri_check(base_span("a/b"), &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(err.offset, 1);
  assert_int_equal(rdfio_iri_check(base_span(""), &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(err.offset, 0);
  assert_true(rdfio_iri_is_absolute(base_span("http://a")));
  assert_true(rdfio_iri_is_absolute(base_span("a+b-c.1:")));
  assert_false(rdfio_iri_is_absolute(base_span("1a:b")));
  assert_false(rdfio_iri_is_absolute(base_span("/a:b")));
  assert_false(rdfio_iri_is_absolute(base_span("http://a b")));
  assert_false(rdfio_iri_is_absolute(base_span("")));
}

static void
test_iri__names_paths(void **state)
{
  base_arena arena;
  quoin_span out;
  (void)state;
  base_arena_init(&arena, base_alloc_default());
  assert_int_equal(rdfio_iri_of_path(&out, "/tmp/a b/../\xC3\xA9#%?.ttl", &arena, NULL), QUOIN_OK);
  assert_true(base_span_is(out, "file:///tmp/%C3%A9%23%25%3F.ttl"));
  assert_int_equal(rdfio_iri_of_path(&out, "x.ttl", &arena, NULL), QUOIN_OK);
  assert_memory_equal(out.ptr, "file:///", 8);
  assert_memory_equal(out.ptr + out.len - 6, "/x.ttl", 6);
  base_arena_clear(&arena);
}

static void
test_iri__checks_language_tags(void **state)
{
  static const char *const GOOD[] = {"en", "de-CH-1996", "x-9"};
  static const char *const BAD[] = {"", "1", "en-", "-en", "en--x", "en_US", "e1"};
  (void)state;
  for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
    assert_true(rdfio_lang_is_valid(base_span(GOOD[i])));
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
    assert_false(rdfio_lang_is_valid(base_span(BAD[i])));
}

static void
test_iri__knows_formats(void **state)
{
  (void)state;
  assert_int_equal(rdfio_format_by_path("a/b.nt.gz"), RDFIO_NTRIPLES);
  assert_int_equal(rdfio_format_by_path("b.NQ.zst"), RDFIO_NQUADS);
  assert_int_equal(rdfio_format_by_path("b.ttl"), RDFIO_TURTLE);
  assert_int_equal(rdfio_format_by_path("b.trig.xz"), RDFIO_TRIG);
  assert_int_equal(rdfio_format_by_path("b.n3"), RDFIO_UNKNOWN);
  assert_int_equal(rdfio_format_by_path(".ttl"), RDFIO_UNKNOWN);
  assert_int_equal(rdfio_format_by_name(base_span("Turtle")), RDFIO_TURTLE);
  assert_int_equal(rdfio_format_by_name(base_span("text/turtle; charset=utf-8")), RDFIO_TURTLE);
  assert_int_equal(rdfio_format_by_name(base_span("rdfxml")), RDFIO_UNKNOWN);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_iri__resolves_the_examples_of_the_rfc),
      cmocka_unit_test(test_iri__resolves_against_unusual_bases),
      cmocka_unit_test(test_iri__refuses_what_cannot_be_resolved),
      cmocka_unit_test(test_iri__knows_absolute_ones),
      cmocka_unit_test(test_iri__names_paths),
      cmocka_unit_test(test_iri__checks_language_tags),
      cmocka_unit_test(test_iri__knows_formats),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
