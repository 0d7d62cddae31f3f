/* tests/unit/test_rdfio_write.c - writers: what they write is what was given, read back. */
#include "unit/test_rdfio_util.h"

static quoin_status
write_buffer(void *user, const void *data, size_t len, quoin_error *err)
{
  base_buffer *out = user;
  (void)err;
  base_buffer_add(out, data, len);
  return QUOIN_OK;
}

static rdf_term
iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

static rdf_term
typed(const char *text, const char *type)
{
  return (rdf_term){.kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(type)};
}

static base_buffer
write_all(rdfio_format format, const rdfio_quad *quads, size_t n)
{
  static const char *const PREFIXES[][2] = {{"ex", "http://e/"},
                                            {"", "http://e/sub#"},
                                            {"xsd", RDF_XSD},
                                            {"true", "http://true/"},
                                            {"odd", "http://od"}};
  base_buffer out;
  rdfio_writer *writer = NULL;
  base_buffer_init(&out, base_alloc_default());
  assert_int_equal(
      rdfio_writer_new(&writer, format, write_buffer, &out, base_alloc_default(), NULL), QUOIN_OK);
  for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++)
    assert_int_equal(
        rdfio_writer_prefix(writer, base_span(PREFIXES[i][0]), base_span(PREFIXES[i][1]), NULL),
        QUOIN_OK);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(rdfio_writer_add(writer, &quads[i], NULL), QUOIN_OK);
  assert_int_equal(rdfio_writer_finish(writer, NULL), QUOIN_OK);
  rdfio_writer_free(writer);
  assert_false(out.failed);
  return out;
}

static void
test_write__groups_and_shortens_turtle(void **state)
{
  rdfio_quad quads[] = {
      {.term = {iri("http://e/s"), iri(RDF_NS "type"), iri("http://e/sub#T")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("1", RDF_XSD "integer")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("01.50", RDF_XSD "decimal")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("1.", RDF_XSD "decimal")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("-1.e5", RDF_XSD "double")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("INF", RDF_XSD "double")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("true", RDF_XSD "boolean")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), typed("1", RDF_XSD "boolean")}},
      {.term = {iri("http://e/a.b"), iri("http://e/p"), iri("http://true/x")}},
      {.term = {iri("http://e/"), iri("http://e/p"), iri("http://e/-x")}},
  };
  (void)state;
  base_buffer out = write_all(RDFIO_TURTLE, quads, sizeof(quads) / sizeof(quads[0]));
  base_buffer_byte(&out, '\0');
  assert_string_equal(out.data, "@prefix ex: <http://e/> .\n"
                                "@prefix : <http://e/sub#> .\n"
                                "@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n"
                                "@prefix true: <http://true/> .\n"
                                "@prefix odd: <http://od> .\n"
                                "\n"
                                "ex:s a :T ;\n"
                                "    ex:p 1 , 01.50 , \"1.\"^^xsd:decimal , -1.e5 , "
                                "\"INF\"^^xsd:double , true , \"1\"^^xsd:boolean .\n"
                                "<http://e/a.b> ex:p <http://true/x> .\n"
                                "ex: ex:p <http://e/-x> .\n");
  base_buffer_clear(&out);
}

static void
test_write__groups_graphs_in_trig(void **state)
{
  rdfio_quad quads[] = {
      {.term = {iri("http://e/s"), iri("http://e/p"), iri("http://e/o"), iri("http://e/g")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), iri("http://e/q"), iri("http://e/g")}},
      {.term = {iri("http://e/s"), iri("http://e/p"), iri("http://e/q")}},
  };
  (void)state;
  base_buffer out = write_all(RDFIO_TRIG, quads, 3);
  base_buffer_byte(&out, '\0');
  assert_non_null(strstr(out.data, "\nex:g {\nex:s ex:p ex:o , ex:q .\n}\nex:s ex:p ex:q .\n"));
  base_buffer_clear(&out);
}

static void
test_write__refuses_what_the_syntax_cannot_say(void **state)
{
  rdfio_quad named = {
      .term = {iri("http://e/s"), iri("http://e/p"), iri("http://e/o"), iri("http://e/g")}};
  rdfio_quad odd = {.term = {typed("s", ""), iri("http://e/p"), iri("http://e/o")}};
  (void)state;
  for (int format = RDFIO_NTRIPLES; format <= RDFIO_TRIG; format++) {
    base_buffer out;
    rdfio_writer *writer = NULL;
    bool graphs = format == RDFIO_NQUADS || format == RDFIO_TRIG;
    base_buffer_init(&out, base_alloc_default());
    assert_int_equal(rdfio_writer_new(&writer, (rdfio_format)format, write_buffer, &out,
                                      base_alloc_default(), NULL),
                     QUOIN_OK);
    assert_int_equal(rdfio_writer_add(writer, &named, NULL),
                     graphs ? QUOIN_OK : QUOIN_ERR_ARGUMENT);
    assert_int_equal(rdfio_writer_add(writer, &odd, NULL), QUOIN_ERR_ARGUMENT);
    rdfio_writer_free(writer);
    base_buffer_clear(&out);
  }
  rdfio_writer *writer = NULL;
  assert_int_equal(
      rdfio_writer_new(&writer, RDFIO_UNKNOWN, write_buffer, NULL, base_alloc_default(), NULL),
      QUOIN_ERR_ARGUMENT);
}

static quoin_status
write_nothing(void *user, const void *data, size_t len, quoin_error *err)
{
  (void)user;
  (void)data;
  (void)len;
  return base_fail(err, QUOIN_ERR_NO_SPACE, "full");
}

static void
test_write__keeps_failing_after_a_failure(void **state)
{
  rdfio_quad quad = {.term = {iri("http://e/s"), iri("http://e/p"), iri("http://e/o")}};
  rdfio_writer *writer = NULL;
  quoin_status st = QUOIN_OK;
  (void)state;
  assert_int_equal(
      rdfio_writer_new(&writer, RDFIO_NTRIPLES, write_nothing, NULL, base_alloc_default(), NULL),
      QUOIN_OK);
  for (int i = 0; i < 20000 && !st; i++)
    st = rdfio_writer_add(writer, &quad, NULL);
  assert_int_equal(st, QUOIN_ERR_NO_SPACE);
  assert_int_equal(rdfio_writer_finish(writer, NULL), QUOIN_ERR_NO_SPACE);
  rdfio_writer_free(writer);
}

/* ---- random terms there and back --------------------------------------------------------------
 */

static quoin_span
random_text(base_arena *arena, test_random *r, bool for_iri)
{
  static const char *const BITS[] = {"a",  "Z",    "0",        "-",
                                     "_",  ".",    "/",        "#",
                                     ":",  "%41",  "\xC3\xA9", "\xF0\x9F\x98\x80",
                                     "e",  "1",    "+",        "long piece of text",
                                     "\"", "\\",   "\n",       "\r",
                                     "\t", "'",    " ",        "\x01",
                                     "<",  "\x7F", "{",        "\xEF\xBF\xBD"};
  size_t kinds = for_iri ? 15 : sizeof(BITS) / sizeof(BITS[0]) + 1, n = test_below(r, 12);
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  for (size_t i = 0; i < n; i++) {
    size_t k = test_below(r, kinds);
    if (k == sizeof(BITS) / sizeof(BITS[0]))
      base_buffer_byte(&text, '\0');
    else
      base_buffer_text(&text, BITS[k]);
  }
  quoin_span copy =
      text.len ? base_arena_copy(arena, (quoin_span){text.data, text.len}) : (quoin_span){0};
  base_buffer_clear(&text);
  return copy;
}

static rdf_term
random_iri(base_arena *arena, test_random *r)
{
  static const char *const STARTS[] = {"http://e/", "http://e/sub#", RDF_XSD,
                                       "urn:",      "http://true/",  "http://od"};
  quoin_span tail = random_text(arena, r, true);
  return (rdf_term){.kind = RDF_IRI,
                    .value = base_arena_printf(arena, "%s%.*s", STARTS[test_below(r, 6)],
                                               (int)tail.len, tail.len ? tail.ptr : "")};
}

static rdf_term
random_literal(base_arena *arena, test_random *r)
{
  static const char *const NUMBERS[] = {"1",     "-01",    "1.5", "1.", ".5",   "1e5",
                                        "1.e-5", "+.5E+1", "e5",  "",   "true", "false",
                                        "TRUE",  "1 ",     "0x1", "NaN"};
  static const char *const TYPES[] = {RDF_XSD "integer", RDF_XSD "decimal", RDF_XSD "double",
                                      RDF_XSD "boolean"};
  switch (test_below(r, 4)) {
  case 0:
    return typed(NUMBERS[test_below(r, 16)], TYPES[test_below(r, 4)]);
  case 1:
    return (rdf_term){.kind = RDF_LITERAL,
                      .value = random_text(arena, r, false),
                      .lang = base_span(test_below(r, 2) ? "en" : "de-CH-1996")};
  case 2:
    return (rdf_term){.kind = RDF_LITERAL,
                      .value = random_text(arena, r, false),
                      .datatype = random_iri(arena, r).value};
  default:
    return (rdf_term){.kind = RDF_LITERAL, .value = random_text(arena, r, false)};
  }
}

static rdf_term
random_blank(test_random *r)
{
  static const char *const LABELS[] = {"a", "b1", "B1", "x", "1", "a.b-c", "\xC3\xA9_", "base"};
  return (rdf_term){.kind = RDF_BLANK, .value = base_span(LABELS[test_below(r, 8)])};
}

static void
test_write__reads_back_what_was_written(void **state)
{
  test_random r = test_random_new();
  (void)state;
  for (int round = 0; round < 400; round++) {
    rdfio_quad quads[60];
    base_arena arena;
    base_buffer want;
    rdfio_format format = (rdfio_format)(RDFIO_NTRIPLES + round % 4);
    bool graphs = format == RDFIO_NQUADS || format == RDFIO_TRIG;
    base_arena_init(&arena, base_alloc_default());
    base_buffer_init(&want, base_alloc_default());
    for (size_t i = 0; i < 60; i++) {
      rdf_term *t = quads[i].term;
      t[0] = i && test_below(&r, 2) ? quads[i - 1].term[0]
             : test_below(&r, 3)    ? random_iri(&arena, &r)
                                    : random_blank(&r);
      t[1] = i && test_below(&r, 2) ? quads[i - 1].term[1]
             : test_below(&r, 4)    ? random_iri(&arena, &r)
                                    : iri(RDF_NS "type");
      t[2] = test_below(&r, 2)   ? random_literal(&arena, &r)
             : test_below(&r, 2) ? random_iri(&arena, &r)
                                 : random_blank(&r);
      t[3] = (rdf_term){0};
      if (graphs && i && test_below(&r, 3))
        t[3] = quads[i - 1].term[3];
      else if (graphs && test_below(&r, 2))
        t[3] = test_below(&r, 3) ? random_iri(&arena, &r) : random_blank(&r);
      for (int k = 0; k < 4; k++) {
        if (t[k].kind == RDF_NONE) continue;
        rdf_term_write(&want, &t[k]);
        base_buffer_byte(&want, ' ');
      }
      base_buffer_text(&want, ".\n");
    }
    base_buffer out = write_all(format, quads, 60);
    test_reading got = test_read((quoin_span){out.data, out.len}, format, false);
    if (got.status)
      print_error("%s at %llu\n%.*s\n", got.error.message, (unsigned long long)got.error.line,
                  (int)out.len, out.data);
    assert_int_equal(got.status, QUOIN_OK);
    assert_int_equal(got.text.len, want.len + 1);
    assert_memory_equal(got.text.data, want.data, want.len);
    base_buffer_clear(&got.text);
    base_buffer_clear(&out);
    base_buffer_clear(&want);
    base_arena_clear(&arena);
  }
}

/* The writer and rdf_term_write agree on every byte value. */
static void
test_write__escapes_as_atoms_do(void **state)
{
  (void)state;
  for (int c = 0; c < 128; c++) {
    for (int shape = 0; shape < 2; shape++) {
      char text[40] = "http://e/0123456789abcdefghijklmnopqrst";
      text[20] = (char)c;
      rdfio_quad q = {.term = {iri("http://e/s"), iri("http://e/p"), iri("")}};
      q.term[2].kind = shape ? RDF_LITERAL : RDF_IRI;
      q.term[2].value = (quoin_span){text, 39};
      base_buffer want, out = write_all(RDFIO_NTRIPLES, &q, 1);
      base_buffer_init(&want, base_alloc_default());
      base_buffer_text(&want, "<http://e/s> <http://e/p> ");
      rdf_term_write(&want, &q.term[2]);
      base_buffer_text(&want, " .\n");
      assert_int_equal(out.len, want.len);
      assert_memory_equal(out.data, want.data, want.len);
      base_buffer_clear(&out);
      base_buffer_clear(&want);
    }
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write__groups_and_shortens_turtle),
      cmocka_unit_test(test_write__groups_graphs_in_trig),
      cmocka_unit_test(test_write__refuses_what_the_syntax_cannot_say),
      cmocka_unit_test(test_write__keeps_failing_after_a_failure),
      cmocka_unit_test(test_write__reads_back_what_was_written),
      cmocka_unit_test(test_write__escapes_as_atoms_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
