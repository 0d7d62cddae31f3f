/* tests/unit/test_rdfio_lines.c - N-Triples and N-Quads: what is read, where faults are told. */
#include "rdfio/lines.h"
#include "unit/test_rdfio_util.h"

#define S "<http://e/s> "
#define P "<http://e/p> "

static void
test_lines__reads_terms_of_every_kind(void **state)
{
  (void)state;
  test_gives(S P "<http://e/o> .\n", RDFIO_NTRIPLES, S P "<http://e/o> .\n");
  test_gives("_:a.b-c <http://e/p>_:1.", RDFIO_NTRIPLES, "_:a.b-c " P "_:1 .\n");
  test_gives(S P "\"x\"@en-GB .", RDFIO_NTRIPLES, S P "\"x\"@en-GB .\n");
  test_gives(S P "\"1\"^^<http://e/t>.", RDFIO_NTRIPLES, S P "\"1\"^^<http://e/t> .\n");
  test_gives(S P "\"1\"^^<http://www.w3.org/2001/XMLSchema#string> .", RDFIO_NTRIPLES,
             S P "\"1\" .\n");
  test_gives(S P "\"x\" <http://e/g> .", RDFIO_NQUADS, S P "\"x\" <http://e/g> .\n");
  test_gives(S P "\"x\" _:g.", RDFIO_NQUADS, S P "\"x\" _:g .\n");
  test_gives("", RDFIO_NQUADS, "");
}

static void
test_lines__decodes_escapes(void **state)
{
  (void)state;
  test_gives(S P "\"a\\tb\\u00e9\\U0001F600\\\"\\\\\" .", RDFIO_NTRIPLES,
             S P "\"a\\tb\xC3\xA9\xF0\x9F\x98\x80\\\"\\\\\" .\n");
  test_gives("<http://e/\\u00E9> " P "\"\" .", RDFIO_NTRIPLES, "<http://e/\xC3\xA9> " P "\"\" .\n");
}

static void
test_lines__keeps_nul(void **state)
{
  const char text[] = S P "\"a\\u0000b\0c\" .\n";
  const char expected[] = S P "\"a\\u0000b\\u0000c\" .\n";
  (void)state;
  test_reading r = test_read((quoin_span){text, sizeof(text) - 1}, RDFIO_NTRIPLES, false);
  assert_int_equal(r.status, QUOIN_OK);
  assert_int_equal(r.text.len, sizeof(expected));
  assert_memory_equal(r.text.data, expected, sizeof(expected));
  base_buffer_clear(&r.text);
}

static void
test_lines__knows_every_line_end(void **state)
{
  (void)state;
  test_gives("\xEF\xBB\xBF# c\r\n\r\n" S P "\"1\" . # x\r\n" S P "\"2\" .\r" S P "\"3\" .\n\n \t\n",
             RDFIO_NTRIPLES, S P "\"1\" .\n" S P "\"2\" .\n" S P "\"3\" .\n");
  test_refused(S P "\"1\" .\r\n\r\n\r" S P "1 .", RDFIO_NTRIPLES, 4, 27);
}

static void
test_lines__tells_where_faults_are(void **state)
{
  (void)state;
  test_refused("\n" S P "<http://e/ o> .", RDFIO_NTRIPLES, 2, 37);
  test_refused(S P "<relative> .", RDFIO_NTRIPLES, 1, 28);
  test_refused(S P "\"x .", RDFIO_NTRIPLES, 1, 31);
  test_refused(S P "\"x\" ", RDFIO_NTRIPLES, 1, 31);
  test_refused(S P "\"x\" <http://e/g> .", RDFIO_NTRIPLES, 1, 31);
  test_refused(S "_:p \"x\" .", RDFIO_NTRIPLES, 1, 14);
  test_refused("\"s\" " P "\"x\" .", RDFIO_NTRIPLES, 1, 1);
  test_refused(S P "\"a\\q\" .", RDFIO_NTRIPLES, 1, 30);
  test_refused(S P "\"\\uD800\" .", RDFIO_NTRIPLES, 1, 28);
  test_refused(S P "\"\\U00110000\" .", RDFIO_NTRIPLES, 1, 28);
  test_refused(S P "\"\\u00g0\" .", RDFIO_NTRIPLES, 1, 28);
  test_refused("<http://e/\\u0020> " P "\"x\" .", RDFIO_NTRIPLES, 1, 11);
  test_refused(S P "\"ab\xFF\" .", RDFIO_NTRIPLES, 1, 30);
  test_refused("<http://e/\xC3> " P "\"x\" .", RDFIO_NTRIPLES, 1, 11);
  test_refused(S P "\"x\"@en- .", RDFIO_NTRIPLES, 1, 34);
  test_refused(S P "\"x\"@1 .", RDFIO_NTRIPLES, 1, 31);
  test_refused(S P "\"x\" . x", RDFIO_NTRIPLES, 1, 33);
  test_refused(S P "_:-a .", RDFIO_NTRIPLES, 1, 29);
  test_refused(S P "_:a:b .", RDFIO_NTRIPLES, 1, 30);
  test_refused(S P "\"x\" <http://e/g> <http://e/h> .", RDFIO_NQUADS, 1, 44);
}

static void
test_lines__says_what_was_found_and_expected(void **state)
{
  (void)state;
  test_reading r = test_read(base_span(S "x"), RDFIO_NTRIPLES, false);
  assert_string_equal(r.error.message, "found 'x', expected a predicate (IRI)");
  base_buffer_clear(&r.text);
}

static void
test_lines__goes_on_when_lenient(void **state)
{
  (void)state;
  test_reading r =
      test_read(base_span(S P "\"1\" .\nbad\n" S P "\"2\" .\r\n" S P "\"\\z\" .\n" S P "\"3\" ."),
                RDFIO_NTRIPLES, true);
  assert_int_equal(r.status, QUOIN_OK);
  assert_string_equal(r.text.data, S P "\"1\" .\n" S P "\"2\" .\n" S P "\"3\" .\n");
  assert_int_equal(r.result.skipped, 2);
  assert_int_equal(r.result.statements, 3);
  assert_int_equal(r.bad_calls, 2);
  assert_int_equal(r.error.line, 4);
  base_buffer_clear(&r.text);
}

/* Gives its text in pieces of random length. */
typedef struct pieces {
  quoin_span rest;
  test_random *random;
  size_t max;
} pieces;

static quoin_status
read_piece(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  pieces *p = user;
  size_t n = 1 + test_below(p->random, p->max);
  (void)err;
  n = n < cap ? n : cap;
  n = n < p->rest.len ? n : p->rest.len;
  if (n) memcpy(data, p->rest.ptr, n);
  p->rest = (quoin_span){p->rest.ptr + n, p->rest.len - n};
  *got = n;
  return QUOIN_OK;
}

/* Many statements, some long, over many blocks and however the pieces fall. */
static void
test_lines__does_not_depend_on_where_blocks_end(void **state)
{
  test_random random = test_random_new();
  base_buffer text;
  (void)state;
  base_buffer_init(&text, base_alloc_default());
  for (int i = 0; i < 20000; i++) {
    base_buffer_printf(&text, S P "\"");
    size_t n = test_below(&random, i % 1000 ? 100 : 700000);
    for (size_t k = 0; k < n; k++)
      base_buffer_byte(&text, (char)('a' + (k + (size_t)i) % 26));
    base_buffer_printf(&text, "\" <http://e/g%d> .\n", i % 7);
  }
  assert_false(text.failed);
  for (int round = 0; round < 3; round++) {
    pieces p = {{text.data, text.len}, &random, round == 0 ? 100 : round == 1 ? 5000 : 1 << 20};
    rdfio_source *source = NULL;
    assert_int_equal(
        rdfio_source_callback(&source, read_piece, &p, "pieces", base_alloc_default(), NULL),
        QUOIN_OK);
    test_reading r = test_read_source(source, RDFIO_NQUADS, "", false);
    assert_int_equal(r.status, QUOIN_OK);
    assert_int_equal(r.result.statements, 20000);
    assert_int_equal(r.text.len, text.len + 1);
    assert_memory_equal(r.text.data, text.data, text.len);
    base_buffer_clear(&r.text);
    rdfio_source_close(source);
  }
  base_buffer_clear(&text);
}

#if defined(RDFIO_HAVE_AVX2)
/* Both scans say the same of every document, well formed or not. */
static void
test_lines__scans_alike_with_and_without_avx2(void **state)
{
  static const char TEXT[] =
      "<http://e/s> <http://e/pp> \"ab\\u00e9c\xC3\xA9\"@en-x <http://e/g> .\n"
      "_:a.b <http://e/\\u00e9> _:c _:g . # comment\r\n"
      "<http://e/s> <http://e/p> \"long text that goes beyond 32 bytes\"^^"
      "<http://www.w3.org/2001/XMLSchema#string>.\n";
  static const char BYTES[] = "<>\"\\ .@^_:#\n\r\t{}|`au0\xC3\xA9\x80\xFF\x01";
  test_random random = test_random_new();
  (void)state;
  if (!__builtin_cpu_supports("avx2")) skip();
  for (int round = 0; round < 20000; round++) {
    char text[sizeof(TEXT) + RDFIO_LINES_SLACK];
    rdfio_quad quads[2][8];
    base_arena arena[2];
    rdfio_lines lines[2];
    rdfio_lines_end ends[2];
    memcpy(text, TEXT, sizeof(TEXT));
    memset(text + sizeof(TEXT) - 1, '\n', RDFIO_LINES_SLACK + 1);
    for (size_t k = test_below(&random, 3); k; k--)
      text[test_below(&random, sizeof(TEXT) - 1)] = BYTES[test_below(&random, sizeof(BYTES) - 1)];
    for (int i = 0; i < 2; i++) {
      base_arena_init(&arena[i], base_alloc_default());
      lines[i] = (rdfio_lines){.at = text,
                               .end = text + sizeof(TEXT) - 1,
                               .line = 1,
                               .quads = true,
                               .arena = &arena[i],
                               .out = quads[i],
                               .cap = 8};
      ends[i] = i ? rdfio_lines_scan_avx2(&lines[i]) : rdfio_lines_scan_any(&lines[i]);
    }
    assert_int_equal(ends[0], ends[1]);
    assert_int_equal(lines[0].n, lines[1].n);
    assert_ptr_equal(lines[0].fault, lines[1].fault);
    assert_int_equal(lines[0].line, lines[1].line);
    for (size_t i = 0; i < lines[0].n; i++)
      for (int k = 0; k < 4; k++)
        assert_true(rdf_term_equal(&quads[0][i].term[k], &quads[1][i].term[k]));
    base_arena_clear(&arena[0]);
    base_arena_clear(&arena[1]);
  }
}
#endif

int
main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_lines__reads_terms_of_every_kind),
    cmocka_unit_test(test_lines__decodes_escapes),
    cmocka_unit_test(test_lines__keeps_nul),
    cmocka_unit_test(test_lines__knows_every_line_end),
    cmocka_unit_test(test_lines__tells_where_faults_are),
    cmocka_unit_test(test_lines__says_what_was_found_and_expected),
    cmocka_unit_test(test_lines__goes_on_when_lenient),
    cmocka_unit_test(test_lines__does_not_depend_on_where_blocks_end),
#if defined(RDFIO_HAVE_AVX2)
    cmocka_unit_test(test_lines__scans_alike_with_and_without_avx2),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
