/* tests/unit/test_rdfio_mutate.c - damaged documents: no crash, a clear end, and readers that
 * agree.
 *
 * Run it under AddressSanitizer for its worth. QUOIN_SEED gives other documents, QUOIN_ROUNDS more.
 */
#include "unit/test_rdfio_util.h"

static const char *const DOCUMENTS[] = {
    "@prefix ex: <http://e/> .\n@base <http://e/x/> .\nPREFIX p: <../q#>\n"
    "ex:s a ex:T ; ex:p 1, -1.5 , 1.0e-5, true, 'x'@en-GB, \"\"\"long\n\"q\" \\u00e9\"\"\" ;\n"
    "  ex:q ( 1 [ ex:r _:b1 ] ex:a.b ) . # comment\n_:B1 p:a\\~b <rel> .\n[] ex:p [] .\n",
    "@prefix ex: <http://e/> .\n{ ex:s ex:p ex:o . }\nex:g { ex:s ex:p ex:o, 'x' . [] ex:q ( ) }\n"
    "GRAPH _:g { ex:s ex:p \"y\"^^ex:t }\nex:s ex:p ex:o .\n",
    "<http://e/s> <http://e/p> \"a\\n\\u00E9\xC3\xA9\"@en .\n_:a <http://e/p> _:b.c . # c\n"
    "<http://e/\\u00e9> <http://e/p> \"1\"^^<http://e/t> .\r\n",
    "<http://e/s> <http://e/p> \"x\" <http://e/g> .\n_:a <http://e/p> _:b _:g .\n",
};

static const char *const PIECES[] = {
    ".",    ";",  ",",  "[",      "]",        "(",    ")",           "{",       "}",     "<",
    ">",    "\"", "'",  "\"\"\"", "\\",       "\\u",  "\\U0010FFFF", "\\uD800", "@",     "@prefix",
    "_:",   "^^", "#",  "\n",     "\r",       " ",    "\t",          ":",       "=",     "a ",
    "1.",   "1e", "..", "\xC3",   "\xE2\x82", "\xFF", "PREFIX",      "BASE",    "GRAPH", "<base>",
    "true", "%4", "-",  "[] .",   "( 1. )",   "ex:a."};

static void
mutate(base_buffer *text, test_random *r)
{
  base_buffer next;
  size_t at = test_below(r, text->len + 1), span = test_below(r, 8);
  size_t end = at + span < text->len ? at + span : text->len;
  base_buffer_init(&next, base_alloc_default());
  base_buffer_add(&next, text->data, at);
  switch (test_below(r, 5)) {
  case 0: /* cut out */
    break;
  case 1: /* double */
    base_buffer_add(&next, text->data + at, end - at);
    base_buffer_add(&next, text->data + at, end - at);
    break;
  case 2: /* any byte, NUL too */
    base_buffer_byte(&next, (char)test_below(r, 256));
    end = at;
    break;
  case 3: /* cut off */
    end = test_below(r, 4) ? at : text->len;
    break;
  default:
    base_buffer_text(&next, PIECES[test_below(r, sizeof(PIECES) / sizeof(PIECES[0]))]);
    end = at;
  }
  base_buffer_add(&next, text->data + end, text->len - end);
  assert_false(next.failed);
  base_buffer_clear(text);
  *text = next;
}

/* What the narrower syntax takes the wider one takes too, and understands in the same way. */
static void
expect_wider(const test_reading *narrow, quoin_span text, rdfio_format wider)
{
  if (narrow->status) return;
  test_reading wide = test_read(text, wider, false);
  if (wide.status || wide.text.len != narrow->text.len ||
      memcmp(wide.text.data, narrow->text.data, wide.text.len) != 0)
    print_error("format %d: %s at %llu:%llu\n---\n%.*s\n---\n%s", (int)wider, wide.error.message,
                (unsigned long long)wide.error.line, (unsigned long long)wide.error.column,
                (int)text.len, text.ptr, wide.text.data);
  assert_int_equal(wide.status, QUOIN_OK);
  assert_int_equal(wide.text.len, narrow->text.len);
  assert_memory_equal(wide.text.data, narrow->text.data, wide.text.len);
  base_buffer_clear(&wide.text);
}

static void
read_everywhere(quoin_span text)
{
  for (int format = RDFIO_NTRIPLES; format <= RDFIO_TRIG; format++) {
    test_reading strict = test_read(text, (rdfio_format)format, false);
    test_reading lenient = test_read(text, (rdfio_format)format, true);
    assert_true(strict.status == QUOIN_OK || strict.status == QUOIN_ERR_SYNTAX);
    assert_int_equal(lenient.status, QUOIN_OK);
    assert_int_equal(lenient.result.skipped, lenient.bad_calls);
    if (strict.status) {
      assert_true(strict.error.line > 0);
      assert_true(strict.error.message[0] != '\0');
      assert_true(lenient.result.skipped > 0);
    } else {
      assert_int_equal(lenient.result.skipped, 0);
      assert_int_equal(lenient.text.len, strict.text.len);
    }
    if (format == RDFIO_NTRIPLES) {
      expect_wider(&strict, text, RDFIO_NQUADS);
      expect_wider(&strict, text, RDFIO_TURTLE);
    }
    if (format == RDFIO_TURTLE) expect_wider(&strict, text, RDFIO_TRIG);
    base_buffer_clear(&strict.text);
    base_buffer_clear(&lenient.text);
  }
}

static void
test_mutate__damaged_documents_end_cleanly(void **state)
{
  test_random r = test_random_new();
  const char *given = getenv("QUOIN_ROUNDS");
  long rounds = given ? strtol(given, NULL, 10) : 3000;
  (void)state;
  for (long i = 0; i < rounds; i++) {
    const char *document = DOCUMENTS[test_below(&r, 4)];
    base_buffer text;
    base_buffer_init(&text, base_alloc_default());
    base_buffer_text(&text, document);
    for (size_t k = 1 + test_below(&r, 3); k; k--)
      mutate(&text, &r);
    read_everywhere((quoin_span){text.data, text.len});
    base_buffer_clear(&text);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mutate__damaged_documents_end_cleanly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
