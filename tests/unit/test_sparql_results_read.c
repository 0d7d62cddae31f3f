/* Results in JSON and XML: what is read, in pieces of every size, and what is refused. */
#include "sparql/results/results_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Everything that comes, as text: a line for each row, "name=term" sorted as they came. */
static quoin_status
on_row(void *user, const sparql_binding *bindings, size_t n, quoin_error *err)
{
  base_buffer *out = user;
  (void)err;
  for (size_t i = 0; i < n; i++) {
    if (i) base_buffer_byte(out, ' ');
    base_buffer_span(out, bindings[i].name);
    base_buffer_byte(out, '=');
    rdf_term_write(out, &bindings[i].term);
  }
  base_buffer_byte(out, '\n');
  return QUOIN_OK;
}

static quoin_status
on_boolean(void *user, bool value, quoin_error *err)
{
  (void)err;
  base_buffer_text(user, value ? "yes\n" : "no\n");
  return QUOIN_OK;
}

static quoin_status
read_in_pieces(base_buffer *out, results_syntax syntax, const char *text, size_t piece,
               size_t max_row, quoin_error *err)
{
  const results_sink sink = {on_row, on_boolean, out, max_row};
  results_reader *reader;
  size_t len = strlen(text);
  quoin_status st = results_reader_new(&reader, syntax, &sink, base_alloc_default(), err);
  assert_int_equal(st, QUOIN_OK);
  for (size_t i = 0; i < len && !st; i += piece)
    st =
        results_reader_feed(reader, (quoin_span){text + i, len - i < piece ? len - i : piece}, err);
  if (!st) st = results_reader_finish(reader, err);
  results_reader_free(reader);
  return st;
}

static void
expect(results_syntax syntax, const char *text, const char *expected)
{
  static const size_t pieces[] = {1, 2, 3, 7, 64, 100000};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    base_buffer out;
    quoin_error err = QUOIN_ERROR_INIT;
    base_buffer_init(&out, base_alloc_default());
    quoin_status st = read_in_pieces(&out, syntax, text, pieces[i], 1 << 20, &err);
    if (st) fail_msg("pieces of %zu: %s", pieces[i], err.message);
    base_buffer_byte(&out, '\0');
    assert_string_equal(out.data, expected);
    base_buffer_clear(&out);
  }
}

static void
expect_failure(results_syntax syntax, const char *text, quoin_status status, const char *message)
{
  static const size_t pieces[] = {1, 5, 100000};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    base_buffer out;
    quoin_error err = QUOIN_ERROR_INIT;
    base_buffer_init(&out, base_alloc_default());
    quoin_status st = read_in_pieces(&out, syntax, text, pieces[i], 1000, &err);
    if (st != status || !strstr(err.message, message))
      fail_msg("%s\nstatus %d: %s", text, (int)st, err.message);
    base_buffer_clear(&out);
  }
}

#define TWO_ROWS                                                                                   \
  "a=<http://x/a> b=\"v\\n\\\"\"\na=_:n1 b=\"1\"^^<http://www.w3.org/2001/XMLSchema#integer>\n"    \
  "\nb=\"chat\"@fr\n"

static void
test_json__rows(void **state)
{
  (void)state;
  expect(RESULTS_JSON,
         " { \"head\": {\"vars\": [\"a\", \"b\"], \"link\": [\"]}\\\"\"]},\n \"results\": {"
         "\"distinct\": false, \"bindings\": [ {\"a\": {\"type\": \"uri\", \"value\": "
         "\"http:\\/\\/x\\/a\"}, \"b\": {\"type\":\"literal\",\"value\":\"v\\n\\\"\"}}, "
         "{\"a\":{\"type\":\"bnode\",\"value\":\"n1\"},\"b\":{\"type\":\"typed-literal\","
         "\"datatype\":\"http://www.w3.org/2001/XMLSchema#integer\",\"value\":\"1\"}},{},"
         "{\"b\":{\"type\":\"literal\",\"value\":\"chat\",\"xml:lang\":\"fr\"}}] , \"ordered\": 1 "
         "} }\n",
         TWO_ROWS);
  expect(RESULTS_JSON, "{\"results\":{\"bindings\":[]},\"head\":{}}", "");
  expect(RESULTS_JSON, "\xEF\xBB\xBF{\"results\":{\"bindings\":[]}}", "");
  expect(RESULTS_JSON,
         "{\"results\":{\"bindings\":[{\"a\":{\"type\":\"literal\",\"value\":\"\\ud83d\\ude00\","
         "\"datatype\":\"http://www.w3.org/2001/XMLSchema#string\"}}]}}",
         "a=\"\xF0\x9F\x98\x80\"\n");
}

static void
test_json__boolean(void **state)
{
  (void)state;
  expect(RESULTS_JSON, "{\"head\":{},\"boolean\":true}", "yes\n");
  expect(RESULTS_JSON, "{\"boolean\" : false }", "no\n");
}

static void
test_json__refuses(void **state)
{
  static const char *const bad[] = {
      "",
      "[",
      "{",
      "{}",
      "{} x",
      "{\"results\":{}}",
      "{\"results\":[]}",
      "{\"results\":{\"bindings\":{}}}",
      "{\"results\":{\"bindings\":[1]}}",
      "{\"results\":{\"bindings\":[{]}}",
      "{\"results\":{\"bindings\":[{},]}}",
      "{\"results\":{\"bindings\":[{}]}",
      "{\"results\":{\"bindings\":[{} {}]}}",
      "{\"results\":{\"bindings\":[]},\"results\":{\"bindings\":[]}}",
      "{\"results\":{\"bindings\":[],\"bindings\":[]}}",
      "{\"results\":{\"bindings\":[]},\"boolean\":true}",
      "{\"boolean\":1}",
      "{\"boolean\":tru}",
      "{\"boolean\":true,}",
      "{\"a\" 1}",
      "{1:1}",
      "{\"results\":{\"bindings\":[{\"a\":1}]}}",
      "{\"results\":{\"bindings\":[{\"a\":{\"type\":\"uri\"}}]}}",
      "{\"results\":{\"bindings\":[{\"a\":{\"value\":\"x\"}}]}}",
      "{\"results\":{\"bindings\":[{\"a\":{\"type\":\"uri\",\"value\":\"\xFF\"}}]}}",
      "{\"results\":{\"bindings\":[{\"a\":{\"type\":\"literal\",\"value\":\"x\",\"xml:lang\":\"e "
      "n\"}}]}}",
      "{\"results\":{\"bindings\":[{\"a\":{\"type\":\"uri\",\"value\":\"x\"},\"a\":{\"type\":"
      "\"uri\",\"value\":\"x\"}}]}}",
  };
  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    expect_failure(RESULTS_JSON, bad[i], QUOIN_ERR_SYNTAX, "results in JSON");
}

static void
test_json__bounds(void **state)
{
  char *text = malloc(400000);
  (void)state;
  /* One row of more than the limit; nesting; a huge value that nobody asks for is fine. */
  assert_non_null(text);
  int n = sprintf(text, "{\"results\":{\"bindings\":[{\"a\":{\"type\":\"uri\",\"value\":\"");
  memset(text + n, 'x', 5000);
  text[n + 5000] = '\0';
  expect_failure(RESULTS_JSON, text, QUOIN_ERR_LIMIT, "1000 bytes");
  n = sprintf(text, "{\"results\":{\"bindings\":[");
  memset(text + n, '[', 3000);
  text[n + 3000] = '\0';
  expect_failure(RESULTS_JSON, text, QUOIN_ERR_LIMIT, "1000 bytes");
  n = sprintf(text, "{\"skipped\":");
  memset(text + n, '[', 100000);
  memset(text + n + 100000, ']', 100000);
  (void)strcpy(text + n + 200000, ",\"boolean\":true}");
  expect(RESULTS_JSON, text, "yes\n");
  free(text);
}

#define XML(body)                                                                                  \
  "<?xml version=\"1.0\"?>\n<sparql xmlns=\"http://www.w3.org/2005/sparql-results#\">" body        \
  "</sparql>"

static void
test_xml__rows(void **state)
{
  (void)state;
  expect(RESULTS_XML,
         XML("<head><variable name=\"a\"/><link href=\"x\"/></head>\n<results distinct=\"false\">"
             "<result><binding name=\"a\"><uri>http://x/a</uri></binding>"
             "<binding name=\"b\"> <literal>v\n&quot;</literal> </binding></result>\n"
             "<result><binding name='a'><bnode>n1</bnode></binding><binding name='b'><literal "
             "datatype='http://www.w3.org/2001/XMLSchema#integer'>1</literal></binding></result>"
             "<result/><result><binding name='b'><literal xml:lang='fr'>ch<![CDATA[a]]>t</literal>"
             "</binding></result></results>"),
         TWO_ROWS);
  expect(RESULTS_XML,
         XML("<results><x:y xmlns:x='u:'><result/></x:y><result><binding name='a'>"
             "<literal/></binding></result></results>"),
         "a=\"\"\n");
}

static void
test_xml__boolean(void **state)
{
  (void)state;
  expect(RESULTS_XML, XML("<head/><boolean> true\n</boolean>"), "yes\n");
  expect(RESULTS_XML, XML("<boolean>false</boolean>"), "no\n");
}

static void
test_xml__refuses(void **state)
{
  static const char *const bad[] = {
      "",
      "x",
      "<html></html>",
      "<sparql/>",
      XML(""),
      XML("<results>"),
      XML("<results/><results/>"),
      XML("<results/><boolean>true</boolean>"),
      XML("<boolean>maybe</boolean>"),
      XML("<results><result><binding><uri>x</uri></binding></result></results>"),
      XML("<results><result><binding name='a'></binding></result></results>"),
      XML("<results><result><binding name='a'><uri>x</uri><uri>y</uri></binding></result>"
          "</results>"),
      XML("<results><result><binding name='a'><uri>x</uri></binding><binding name='a'>"
          "<uri>x</uri></binding></result></results>"),
      XML("<results><result><binding name='a'><uri>x<b/></uri></binding></result></results>"),
      XML("<results><result><binding name='a'><literal xml:lang='e n'>x</literal></binding>"
          "</result></results>"),
      "<!DOCTYPE sparql [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>" XML("<results/>"),
  };
  (void)state;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    expect_failure(RESULTS_XML, bad[i], QUOIN_ERR_SYNTAX, "results in XML");
}

static void
test_xml__bounds(void **state)
{
  enum { ROOM = 4 << 20 };
  char *text = malloc(ROOM + 1000);
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer out;
  (void)state;
  assert_non_null(text);
  int n = sprintf(text, "<sparql xmlns='http://www.w3.org/2005/sparql-results#'>");
  for (int i = 0; i < 1000; i++)
    (void)strcpy(text + n + 3 * i, "<a>");
  expect_failure(RESULTS_XML, text, QUOIN_ERR_SYNTAX, "nested");
  n = sprintf(text, "<sparql xmlns='http://www.w3.org/2005/sparql-results#'><results><result>"
                    "<binding name='a'><uri>");
  memset(text + n, 'x', 5000);
  text[n + 5000] = '\0';
  expect_failure(RESULTS_XML, text, QUOIN_ERR_LIMIT, "1000 bytes");
  n = sprintf(text, "<sparql xmlns='http://www.w3.org/2005/sparql-results#'><!--");
  memset(text + n, 'x', ROOM);
  text[n + ROOM] = '\0';
  base_buffer_init(&out, base_alloc_default());
  assert_int_equal(read_in_pieces(&out, RESULTS_XML, text, 16384, 1000, &err), QUOIN_ERR_LIMIT);
  base_buffer_clear(&out);
  free(text);
}

static void
test_media_types(void **state)
{
  (void)state;
  assert_int_equal(results_syntax_of(base_span("application/sparql-results+json")), RESULTS_JSON);
  assert_int_equal(results_syntax_of(base_span(" Application/JSON; charset=utf-8")), RESULTS_JSON);
  assert_int_equal(results_syntax_of(base_span("application/sparql-results+xml;x")), RESULTS_XML);
  assert_int_equal(results_syntax_of(base_span("text/html")), RESULTS_NONE);
  assert_int_equal(results_syntax_of((quoin_span){NULL, 0}), RESULTS_NONE);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json__rows),    cmocka_unit_test(test_json__boolean),
      cmocka_unit_test(test_json__refuses), cmocka_unit_test(test_json__bounds),
      cmocka_unit_test(test_xml__rows),     cmocka_unit_test(test_xml__boolean),
      cmocka_unit_test(test_xml__refuses),  cmocka_unit_test(test_xml__bounds),
      cmocka_unit_test(test_media_types),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
