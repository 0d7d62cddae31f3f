/* tests/unit/test_rdfio_turtle.c - Turtle and TriG: what serd alone gets wrong, positions,
 * recovery. */
#include "rdfio/guard.h"
#include "unit/test_rdfio_util.h"

#define EX "@prefix ex: <http://e/> .\n"
#define T(s, p, o) "<http://e/" s "> <http://e/" p "> " o " .\n"
#define I(x) "<http://e/" x ">"
#define REST "<http://www.w3.org/1999/02/22-rdf-syntax-ns#rest> "
#define FIRST "<http://www.w3.org/1999/02/22-rdf-syntax-ns#first> "

static void
test_turtle__reads_terms_of_every_kind(void **state)
{
  (void)state;
  test_gives(
      EX "ex:s ex:p ex:o, 'x'@en, \"1\"^^ex:t ; a 1, 1.5, 1e0, true, false .", RDFIO_TURTLE,
      T("s", "p", I("o")) T("s", "p", "\"x\"@en") T("s", "p", "\"1\"^^<http://e/t>")
          I("s") " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                 "\"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n" I(
                     "s") " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                          "\"1.5\"^^<http://www.w3.org/2001/XMLSchema#decimal> .\n" I(
                              "s") " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                                   "\"1e0\"^^<http://www.w3.org/2001/XMLSchema#double> .\n" I(
                                       "s") " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
                                            "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean> "
                                            ".\n" I("s") " <http://www.w3.org/1999/02/"
                                                         "22-rdf-syntax-ns#type> "
                                                         "\"false\"^^<http://www.w3.org/2001/"
                                                         "XMLSchema#boolean> .\n");
  test_gives(EX "ex:s ex:p \"x\"^^<http://www.w3.org/2001/XMLSchema#string> .", RDFIO_TURTLE,
             T("s", "p", "\"x\""));
  test_gives(EX "ex:s ex:p \"\"\"a\"b\n\"\"c\"\"\" .", RDFIO_TURTLE,
             T("s", "p", "\"a\\\"b\\n\\\"\\\"c\""));
  test_gives(EX "ex:s ex:p\\~q ex:a%20b.c .", RDFIO_TURTLE, T("s", "p~q", I("a%20b.c")));
  test_gives("\xEF\xBB\xBF" EX "# c '\"<\nex:s ex:p ex:o. # d", RDFIO_TURTLE, T("s", "p", I("o")));
  test_gives("", RDFIO_TURTLE, "");
  test_gives("# nothing", RDFIO_TURTLE, "");
}

static void
test_turtle__resolves_relative_iris(void **state)
{
  (void)state;
  test_gives(
      "<a> <../b> <#c>.", RDFIO_TURTLE,
      "<http://example.org/base/a> <http://example.org/b> <http://example.org/base/doc#c> .\n");
  test_gives("@base <http://e/x/y>. @prefix p: <../q/> . <> <z> p:r .\nBASE </> <a> <b> <c> .",
             RDFIO_TURTLE, "<http://e/x/y> <http://e/x/z> <http://e/q/r> .\n" T("a", "b", I("c")));
  test_gives("<http://e/a/../b> <http://e/p> <http://e/.> .", RDFIO_TURTLE,
             "<http://e/a/../b> <http://e/p> <http://e/.> .\n");
}

static void
test_turtle__allows_blanks_between_any_tokens(void **state)
{
  (void)state;
  test_gives(EX "ex:s ex:p 'x' @en , '' ^^ ex:t, \"y\"^^\tex:t .", RDFIO_TURTLE,
             T("s", "p", "\"x\"@en") T("s", "p", "\"\"^^<http://e/t>")
                 T("s", "p", "\"y\"^^<http://e/t>"));
  test_gives("<a:s> <a:p> \"x\" @en.\n<a:s> <a:p> \"x\" ^^\t<a:t> .", RDFIO_NTRIPLES,
             "<a:s> <a:p> \"x\"@en .\n<a:s> <a:p> \"x\"^^<a:t> .\n");
  test_refused(EX "_:s ex:p 'x' ^^  ex:t  ex:q .", RDFIO_TURTLE, 2, 24);
}

/* However long they are, and comments too. */
static void
test_turtle__allows_lines_and_comments_around_datatypes(void **state)
{
#define GAP "                                               \t\r\n#' @x\n\n#^^\n  "
  (void)state;
  test_gives(EX "ex:s ex:p 'x'" GAP "@en ," GAP "'y'" GAP "^^" GAP "ex:t" GAP ", ''" GAP
                ", 'z'#c\n^^#c\n<http://e/t>#c\n." GAP,
             RDFIO_TURTLE,
             T("s", "p", "\"x\"@en") T("s", "p", "\"y\"^^<http://e/t>") T("s", "p", "\"\"")
                 T("s", "p", "\"z\"^^<http://e/t>"));
  test_gives(EX "ex:s ex:p (''" GAP "'x') .", RDFIO_TURTLE,
             "<http://e/s> <http://e/p> _:genid1 .\n"
             "_:genid1 " FIRST "\"\" .\n"
             "_:genid1 " REST "_:genid2 .\n"
             "_:genid2 " FIRST "\"x\" .\n"
             "_:genid2 " REST "<http://www.w3.org/1999/02/22-rdf-syntax-ns#nil> .\n");
  test_refused(EX "ex:s ex:p 'x'" GAP "^^" GAP "nope:t .", RDFIO_TURTLE, 10, 3);
  test_refused(EX "ex:s ex:p 'x'" GAP "^^" GAP "= .", RDFIO_TURTLE, 10, 3);
  test_refused(EX "_:s ex:p 'x'" GAP "^^" GAP "ex:t ex:q .", RDFIO_TURTLE, 10, 8);
}

/* As many blanks and comments as a page, and beyond the limit of what is left out. */
static void
test_turtle__takes_much_white_space(void **state)
{
  (void)state;
  for (int round = 0; round < 4; round++) {
    base_buffer text;
    base_buffer_init(&text, base_alloc_default());
    base_buffer_text(&text, "<a:s> <a:p> 'x'");
    size_t n = round < 2 ? 2 * RDFIO_GUARD_PAGE : RDFIO_GUARD_FAR + 9;
    for (size_t i = 0; i < n; i++)
      base_buffer_text(&text, round % 2 && i % 100 == 99 ? "\n" : round % 2 ? "#" : " ");
    base_buffer_text(&text, round < 2 ? "\n ^^ <a:t> , nope:o ." : "\n , nope:o .");
    test_reading r = test_read((quoin_span){text.data, text.len}, RDFIO_TURTLE, false);
    assert_int_equal(r.status, QUOIN_ERR_SYNTAX);
    assert_int_equal(r.error.line, 2 + (round % 2 ? n / 100 : 0));
    assert_int_equal(r.error.column, round < 2 ? 13 : 4);
    assert_string_equal(r.text.data,
                        round < 2 ? "<a:s> <a:p> \"x\"^^<a:t> .\n" : "<a:s> <a:p> \"x\" .\n");
    base_buffer_clear(&r.text);
    base_buffer_clear(&text);
  }
}

/* serd takes words that begin so for booleans. */
static void
test_turtle__reads_prefixes_that_begin_like_booleans(void **state)
{
  (void)state;
  test_gives("@prefix true: <http://e/> . true:s true:p true:o, true, true .", RDFIO_TURTLE,
             T("s", "p", I("o")) T("s", "p", "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean>")
                 T("s", "p", "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean>"));
  test_gives("PREFIX false.x-: <http://e/> PREFIX fa-lse: <a:> PREFIX false: <b:>\n"
             "false.x-:s false.x-:p (), false.x-:o . fa-lse:tr-u false:p 'x'@tr-ue .",
             RDFIO_TURTLE,
             T("s", "p", "<http://www.w3.org/1999/02/22-rdf-syntax-ns#nil>")
                 T("s", "p", I("o")) "<a:tr-u> <b:p> \"x\"@tr-ue .\n");
  test_gives("@prefix : <http://e/> . :true- :false:p true.:s :p false.", RDFIO_TURTLE,
             T("true-", "false:p", "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean>")
                 T("s", "p", "\"false\"^^<http://www.w3.org/2001/XMLSchema#boolean>"));
  test_refused(EX "ex:s ex:p  true:x .", RDFIO_TURTLE, 2, 12);
  test_reading r = test_read(base_span(EX "ex:s ex:p true-:x ."), RDFIO_TURTLE, false);
  assert_string_equal(r.error.message, "the prefix 'true-:' is not declared");
  base_buffer_clear(&r.text);
}

/* serd tells no place: they are looked up. */
static void
test_turtle__tells_where_bad_terms_are(void **state)
{
  (void)state;
  test_refused("# Turtle is TriG\n\n# Trailing dot\n\n:s :p :o  .\n", RDFIO_TRIG, 5, 1);
  test_refused(EX "ex:s ex:p\n\n  nope:o\n\n.\nex:s ex:p ex:o .", RDFIO_TURTLE, 4, 3);
  test_refused(EX "# nope:a\n nope:s <nope:b> 'nope:c' .", RDFIO_TURTLE, 3, 2);
  test_refused(EX "ex:s ex:p 'nope:o \\' nope:o', \"\"\"nope:o\"\"\", nope:o .", RDFIO_TURTLE, 2,
               45);
  test_refused(EX "ex:s ex:p 'x'^^nope:t .", RDFIO_TURTLE, 2, 16);
  test_refused(EX "nope:g\n { ex:s ex:p 'x' }", RDFIO_TRIG, 2, 1);
  test_refused(EX "ex:s ex:p ( ex:a\n [ ex:q nope:o ] ) .", RDFIO_TURTLE, 3, 9);
  test_refused(EX "ex:s ex:p 'x'@en-gb, 'x'\n @en- .", RDFIO_TURTLE, 3, 2);
  test_refused(EX "ex:s ex:p\n _:-a .", RDFIO_TURTLE, 3, 2);
  test_refused(EX "ex:s\n foo ex:o .", RDFIO_TURTLE, 3, 0);
}

/* The bad term comes to lie in each place around the end of a page, its object in the next. */
static void
test_turtle__tells_where_bad_terms_of_earlier_pages_are(void **state)
{
  (void)state;
  char *text = calloc(3 * RDFIO_GUARD_PAGE, 1);
  assert_non_null(text);
  for (size_t pad = RDFIO_GUARD_PAGE - 60; pad < RDFIO_GUARD_PAGE + 4; pad++) {
    memset(text, ' ', 3 * RDFIO_GUARD_PAGE - 1);
    memcpy(text + 10, "<a:s> <a:p> 1.5,2.5,3.5,4.5,5.5,6.5,7.5,8.5 .\n\n", 47);
    memcpy(text + pad, "<a:s> nope:p '''", 16);
    memcpy(text + pad + RDFIO_GUARD_PAGE, "''' .\n", 6);
    text[pad + RDFIO_GUARD_PAGE + 6] = '\0';
    test_refused(text, RDFIO_TURTLE, 3, pad + 7 - 57);
  }
  free(text);
}

static void
test_turtle__says_what_is_missing_at_the_end(void **state)
{
  static const struct {
    const char *text, *expected;
  } CASES[] = {{"<a> <b> <c>", "'.' at the end of the statement"},
               {"<a> <b> <c> ;", "'.' at the end of the statement"},
               {"<a> <b> ", "an object"},
               {"<a>", "a predicate"},
               {"<a> <b> ( 1", "an object or ')'"},
               {"<a> <b> [ <c> 1", "']'"},
               {"<a> <b> '' ^^", "a datatype IRI after '^^'"},
               {"@prefix a:", "an IRI in <>"},
               {"@prefix a: <b>", "'.' at the end of the directive"}};
  (void)state;
  for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
    char want[128];
    snprintf(want, sizeof(want), "found the end of the file, expected %s", CASES[i].expected);
    test_reading r = test_read(base_span(CASES[i].text), RDFIO_TURTLE, false);
    assert_int_equal(r.status, QUOIN_ERR_SYNTAX);
    assert_string_equal(r.error.message, want);
    base_buffer_clear(&r.text);
  }
}

/* The mark is looked for at the start of the file only, not where reading goes on. */
static void
test_turtle__goes_on_after_a_byte_order_mark(void **state)
{
  (void)state;
  test_reading r =
      test_read(base_span("\xEF\xBB\xBF<a:s> nope:p 1 .\n<a:s> <a:p> <a:o> ."), RDFIO_TURTLE, true);
  assert_int_equal(r.status, QUOIN_OK);
  assert_int_equal(r.result.skipped, 1);
  assert_string_equal(r.text.data, "<a:s> <a:p> <a:o> .\n");
  base_buffer_clear(&r.text);
}

/* serd takes these IRIs and labels for its keywords. */
static void
test_turtle__keywords_are_words_only(void **state)
{
  (void)state;
  test_gives("@base <http://e/> . <base> <prefix> <GRAPH> . <Prefix> <p> <o> .", RDFIO_TURTLE,
             "<http://e/base> <http://e/prefix> <http://e/GRAPH> .\n" T("Prefix", "p", I("o")));
  test_gives(EX "_:base ex:p _:prefix . _:graph ex:p _:a .", RDFIO_TRIG,
             "_:base <http://e/p> _:prefix .\n_:graph <http://e/p> _:a .\n");
}

/* serd calls _:b1 _:B1, and numbers its own b1, b2... */
static void
test_turtle__blank_nodes_stay_apart(void **state)
{
  (void)state;
  test_gives(EX "_:b1 ex:p _:B1 . [] ex:p [] . _:genid1 ex:p _:genid1_ .", RDFIO_TURTLE,
             "_:b1 <http://e/p> _:B1 .\n"
             "_:genid1 <http://e/p> _:genid2 .\n"
             "_:genid1_ <http://e/p> _:genid1__ .\n");
  test_gives(EX "ex:_:b ex:p ex:a._:c .", RDFIO_TURTLE, T("_:b", "p", I("a._:c")));
}

static void
test_turtle__reads_lists_and_nested_nodes(void **state)
{
  (void)state;
  test_gives(EX "ex:s ex:p ( ex:a ( ) ) , [ ex:q [ ] ] .", RDFIO_TURTLE,
             "<http://e/s> <http://e/p> _:genid1 .\n"
             "_:genid1 " FIRST "<http://e/a> .\n"
             "_:genid1 " REST "_:genid2 .\n"
             "_:genid2 " FIRST "<http://www.w3.org/1999/02/22-rdf-syntax-ns#nil> .\n"
             "_:genid2 " REST "<http://www.w3.org/1999/02/22-rdf-syntax-ns#nil> .\n"
             "<http://e/s> <http://e/p> _:genid3 .\n"
             "_:genid3 <http://e/q> _:genid4 .\n");
}

static void
test_turtle__keeps_nul(void **state)
{
  const char text[] = "<a:s> <a:p> \"x\\u0000y\", 'p\0q' .";
  const char expected[] = "<a:s> <a:p> \"x\\u0000y\" .\n<a:s> <a:p> \"p\\u0000q\" .\n";
  (void)state;
  test_reading r = test_read((quoin_span){text, sizeof(text) - 1}, RDFIO_TURTLE, false);
  assert_int_equal(r.status, QUOIN_OK);
  assert_int_equal(r.text.len, sizeof(expected));
  assert_memory_equal(r.text.data, expected, sizeof(expected));
  base_buffer_clear(&r.text);
}

static void
test_turtle__reads_graphs(void **state)
{
  (void)state;
  test_gives(EX "ex:s ex:p ex:o . { ex:s ex:p 'd' } ex:g { ex:s ex:p 'e' . ex:s ex:p 'f' }\n"
                "GRAPH _:g { [] ex:p 'h' } [] { ex:s ex:p 'i' }",
             RDFIO_TRIG,
             T("s", "p", I("o")) T("s", "p", "\"d\"") T("s", "p", "\"e\" <http://e/g>")
                 T("s", "p", "\"f\" <http://e/g>") "_:genid1 <http://e/p> \"h\" _:g .\n" T(
                     "s", "p", "\"i\" _:genid2"));
}

static void
test_turtle__refuses_what_serd_takes(void **state)
{
  (void)state;
  test_refused(EX "ex:s ex:p ( 1. ) .", RDFIO_TURTLE, 2, 14);
  test_refused(EX "ex:s ex:p ( ex:a. ) .", RDFIO_TURTLE, 2, 0);
  test_refused(EX "[] .", RDFIO_TURTLE, 2, 4);
  test_refused("PREFIX ex: <http://e/>\n[] .", RDFIO_TURTLE, 2, 4);
  test_refused("@prefixex: <http://e/> .", RDFIO_TURTLE, 1, 8);
  test_refused(EX "{ [] . }", RDFIO_TRIG, 2, 6);
  test_refused(EX "ex:s ex:p ex:o..", RDFIO_TURTLE, 2, 0);
  test_refused(EX "ex:s ex:p 1..", RDFIO_TURTLE, 2, 0);
  test_refused(EX "ex:s ex:p [ = ex:a ; ex:b ex:c ] .", RDFIO_TURTLE, 2, 13);
  test_refused(EX "ex:g { ex:s ex:p ex:o }", RDFIO_TURTLE, 2, 6);
  test_refused(EX "ex:s ex:p 'x'@en- .", RDFIO_TURTLE, 2, 0);
  test_refused(EX "ex:s ex:p _:-a .", RDFIO_TURTLE, 2, 0);
  test_refused(EX "ex:s ex:p _:\xC2\xB7 .", RDFIO_TURTLE, 2, 0);
  test_refused(EX "foo ex:p ex:o .", RDFIO_TURTLE, 2, 0);
  test_refused(EX "ex:s ex:p '\\uD83D\\uDE00' .", RDFIO_TURTLE, 2, 12);
  test_refused(EX "ex:s ex:p '\\U00110000' .", RDFIO_TURTLE, 2, 12);
  test_refused(EX "ex:s ex:p '\\u12' .", RDFIO_TURTLE, 2, 12);
  test_refused("<http://e/\\u003C> <b> <c> .", RDFIO_TURTLE, 1, 11);
}

static void
test_turtle__tells_where_faults_are(void **state)
{
  (void)state;
  test_refused(EX "ex:s ex:p 'a\\qb' .", RDFIO_TURTLE, 2, 14);
  test_refused(EX "ex:s ex:p 'ab\n' .", RDFIO_TURTLE, 2, 14);
  test_refused(EX "ex:s ex:p <a b> .", RDFIO_TURTLE, 2, 13);
  test_refused(EX "ex:s ex:p 'ab\xC3' .", RDFIO_TURTLE, 2, 14);
  test_refused(EX "\n\nex:s ex:p 'ab\xFF' .", RDFIO_TURTLE, 4, 14);
  test_refused(EX "ex:s ex:p ex:o ex:q .", RDFIO_TURTLE, 2, 16);
  test_refused(EX "_:a ex:p _:b ex:q .", RDFIO_TURTLE, 2, 14);
  test_refused(EX "ex:s nope:p ex:o .", RDFIO_TURTLE, 2, 0);
  test_refused(EX "ex:s ex:p ex:o ;\n  ex:p nope:o ;\n ex:q ex:r .", RDFIO_TURTLE, 3, 0);
  test_refused(EX "ex:s ex:p 'ab", RDFIO_TURTLE, 2, 14);
  test_refused(EX "ex:s ex:p '''ab\n\n", RDFIO_TURTLE, 4, 1);
  test_refused(EX "ex:s ex:p ] .", RDFIO_TURTLE, 2, 11);
  test_refused(EX "ex:g { ex:s ex:p ex:o ", RDFIO_TRIG, 2, 0);
  test_refused(EX "ex:s ex:p ex:o", RDFIO_TURTLE, 2, 0);
}

static void
test_turtle__names_the_prefix_that_is_missing(void **state)
{
  (void)state;
  test_reading r = test_read(base_span("<a> <b> nope:o ."), RDFIO_TURTLE, false);
  assert_int_equal(r.status, QUOIN_ERR_SYNTAX);
  assert_string_equal(r.error.message, "the prefix 'nope:' is not declared");
  base_buffer_clear(&r.text);
}

static void
test_turtle__limits_nesting(void **state)
{
  base_buffer text;
  (void)state;
  for (int round = 0; round < 2; round++) {
    base_buffer_init(&text, base_alloc_default());
    base_buffer_text(&text, "<a:s> <a:p> ");
    int depth = round ? 200000 : RDFIO_GUARD_DEPTH;
    for (int i = 0; i < depth; i++)
      base_buffer_text(&text, round ? "[ <a:p> " : "( ");
    if (!round) {
      for (int i = 0; i < depth; i++)
        base_buffer_text(&text, ") ");
      base_buffer_text(&text, ".");
    }
    test_reading r = test_read((quoin_span){text.data, text.len}, RDFIO_TURTLE, false);
    assert_int_equal(r.status, round ? QUOIN_ERR_LIMIT : QUOIN_OK);
    base_buffer_clear(&r.text);
    base_buffer_clear(&text);
  }
}

static void
test_turtle__goes_on_when_lenient(void **state)
{
  (void)state;
  test_reading r = test_read(base_span(EX "ex:s ex:p 1 .\n"
                                          "ex:s nope:p\n  'x' ;\n  ex:q 'y' .\n"
                                          "ex:s ex:p [] .\n"
                                          "ex:s ex:p 'unterminated .\n"
                                          "ex:s ex:p [] .\n"
                                          "ex:s ex:p 'bad\xFF' .\n"
                                          "ex:s ex:p ex:o .\n"),
                             RDFIO_TURTLE, true);
  assert_int_equal(r.status, QUOIN_OK);
  assert_string_equal(
      r.text.data, "<http://e/s> <http://e/p> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n"
                   "<http://e/s> <http://e/p> _:genid1r2 .\n"
                   "<http://e/s> <http://e/p> _:genid1r3 .\n"
                   "<http://e/s> <http://e/p> <http://e/o> .\n");
  assert_int_equal(r.result.skipped, 3);
  assert_int_equal(r.bad_calls, 3);
  assert_int_equal(r.error.line, 9);
  base_buffer_clear(&r.text);
}

static void
test_turtle__skips_a_bad_graph_block_when_lenient(void **state)
{
  (void)state;
  test_reading r =
      test_read(base_span(EX "ex:g {\n ex:s ex:p 1 .\n ex:s ex:p bad .\n ex:s ex:p 2 .\n}\n"
                             "ex:h { ex:s ex:p ex:o }\n"),
                RDFIO_TRIG, true);
  assert_int_equal(r.status, QUOIN_OK);
  assert_int_equal(r.result.skipped, 1);
  assert_string_equal(
      r.text.data,
      "<http://e/s> <http://e/p> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> <http://e/g> .\n"
      "<http://e/s> <http://e/p> <http://e/o> <http://e/h> .\n");
  base_buffer_clear(&r.text);
}

/* Every token comes to lie across the end of a page. */
static void
test_turtle__does_not_depend_on_where_pages_end(void **state)
{
  static const char TEXT[] = EX
      "<base> ex:p _:b1 , \"\"\"a\\U0001F600\"\"\" , 'x'@en-gb ; ex:q.r ( 1.5 [ ex:s true ] ) .\n";
  static const char BAD[] = "_:b1 ex:p _:b2 , \"\\uD800\" .";
  (void)state;
  test_reading want = test_read(base_span(TEXT), RDFIO_TURTLE, false);
  assert_int_equal(want.status, QUOIN_OK);
  char *text = calloc(RDFIO_GUARD_PAGE + 1024, 1);
  assert_non_null(text);
  for (size_t pad = RDFIO_GUARD_PAGE - sizeof(TEXT) - 8; pad < RDFIO_GUARD_PAGE + 4; pad++) {
    memset(text, ' ', pad);
    memcpy(text + pad, TEXT, sizeof(TEXT));
    test_reading r = test_read(base_span(text), RDFIO_TURTLE, false);
    assert_int_equal(r.status, QUOIN_OK);
    assert_string_equal(r.text.data, want.text.data);
    base_buffer_clear(&r.text);

    memcpy(text + pad, EX, sizeof(EX));
    memcpy(text + pad + sizeof(EX) - 1, BAD, sizeof(BAD));
    test_refused(text, RDFIO_TURTLE, 2, 19);
    memset(text, ' ', pad + sizeof(TEXT));
    memcpy(text + pad, "_:a <b> _:c <d> .", 18);
    test_refused(text, RDFIO_TURTLE, 1, pad + 13);
  }
  base_buffer_clear(&want.text);
  free(text);
}

/* N-Triples is Turtle: both readers agree. */
static void
test_turtle__agrees_with_the_scanner_of_lines(void **state)
{
  static const char *const TERMS[] = {"<http://e/a>",
                                      "<http://e/\xC3\xA9\\u00e9>",
                                      "_:b1",
                                      "_:B1",
                                      "_:a.b-\xC3\xA9",
                                      "\"\"",
                                      "\"a\\n\\\"\"",
                                      "\"x\"@en-GB",
                                      "\"1\"^^<http://e/t>",
                                      "\"\\u0000\"",
                                      "\"\xF0\x9F\x98\x80\\U0001F600\"",
                                      "\"'\\t\\b\\f\""};
  test_random random = test_random_new();
  (void)state;
  for (int round = 0; round < 200; round++) {
    base_buffer text;
    base_buffer_init(&text, base_alloc_default());
    for (size_t i = test_below(&random, 60); i; i--) {
      base_buffer_printf(&text, "%s <http://e/p%zu> %s .%s", TERMS[test_below(&random, 5)],
                         test_below(&random, 3), TERMS[test_below(&random, 12)],
                         test_below(&random, 2) ? "\n" : " # comment '\"<\n");
    }
    test_reading a = test_read((quoin_span){text.data, text.len}, RDFIO_NTRIPLES, false);
    test_reading b = test_read((quoin_span){text.data, text.len}, RDFIO_TURTLE, false);
    assert_int_equal(a.status, QUOIN_OK);
    assert_int_equal(b.status, QUOIN_OK);
    assert_int_equal(a.text.len, b.text.len);
    assert_memory_equal(a.text.data, b.text.data, a.text.len);
    base_buffer_clear(&a.text);
    base_buffer_clear(&b.text);
    base_buffer_clear(&text);
  }
}

static quoin_status
failing_sink(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  (void)user;
  (void)quads;
  (void)n;
  return base_fail(err, QUOIN_ERR_NO_SPACE, "the sink is full");
}

static void
test_turtle__passes_on_a_failure_of_the_sink(void **state)
{
  static const char *const TEXT = "<a:s> <a:p> <a:o> .";
  (void)state;
  for (int format = RDFIO_NTRIPLES; format <= RDFIO_TRIG; format++) {
    rdfio_source *source = NULL;
    rdfio_read_options options = {.format = (rdfio_format)format, .lenient = true};
    rdfio_read_result result;
    quoin_error err = QUOIN_ERROR_INIT;
    assert_int_equal(rdfio_source_memory(&source, base_span(TEXT), "t", base_alloc_default(), NULL),
                     QUOIN_OK);
    assert_int_equal(
        rdfio_read(&result, source, &options, failing_sink, NULL, base_alloc_default(), &err),
        QUOIN_ERR_NO_SPACE);
    assert_string_equal(err.message, "the sink is full");
    rdfio_source_close(source);
  }
}

static void
test_turtle__stops_when_cancelled(void **state)
{
  atomic_int flag = 1;
  (void)state;
  for (int format = RDFIO_NTRIPLES; format <= RDFIO_TRIG; format++) {
    base_cancel cancel = {.flag = &flag};
    rdfio_source *source = NULL;
    rdfio_read_options options = {.format = (rdfio_format)format, .cancel = &cancel};
    rdfio_read_result result;
    assert_int_equal(rdfio_source_memory(&source, base_span("<a:s> <a:p> <a:o> ."), "t",
                                         base_alloc_default(), NULL),
                     QUOIN_OK);
    assert_int_equal(
        rdfio_read(&result, source, &options, failing_sink, NULL, base_alloc_default(), NULL),
        QUOIN_ERR_CANCELLED);
    assert_int_equal(result.statements, 0);
    rdfio_source_close(source);
  }
}

static void
test_turtle__needs_a_base_that_is_absolute(void **state)
{
  rdfio_source *source = NULL;
  (void)state;
  for (int round = 0; round < 2; round++) {
    assert_int_equal(
        rdfio_source_memory(&source, base_span("<s> <p> <o> ."), "t", base_alloc_default(), NULL),
        QUOIN_OK);
    test_reading r = test_read_source(source, RDFIO_TURTLE, round ? "rel" : "", false);
    assert_int_equal(r.status, round ? QUOIN_ERR_ARGUMENT : QUOIN_ERR_SYNTAX);
    rdfio_source_close(source);
    base_buffer_clear(&r.text);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_turtle__reads_terms_of_every_kind),
      cmocka_unit_test(test_turtle__resolves_relative_iris),
      cmocka_unit_test(test_turtle__allows_blanks_between_any_tokens),
      cmocka_unit_test(test_turtle__allows_lines_and_comments_around_datatypes),
      cmocka_unit_test(test_turtle__takes_much_white_space),
      cmocka_unit_test(test_turtle__reads_prefixes_that_begin_like_booleans),
      cmocka_unit_test(test_turtle__tells_where_bad_terms_are),
      cmocka_unit_test(test_turtle__tells_where_bad_terms_of_earlier_pages_are),
      cmocka_unit_test(test_turtle__says_what_is_missing_at_the_end),
      cmocka_unit_test(test_turtle__goes_on_after_a_byte_order_mark),
      cmocka_unit_test(test_turtle__keywords_are_words_only),
      cmocka_unit_test(test_turtle__blank_nodes_stay_apart),
      cmocka_unit_test(test_turtle__reads_lists_and_nested_nodes),
      cmocka_unit_test(test_turtle__keeps_nul),
      cmocka_unit_test(test_turtle__reads_graphs),
      cmocka_unit_test(test_turtle__refuses_what_serd_takes),
      cmocka_unit_test(test_turtle__tells_where_faults_are),
      cmocka_unit_test(test_turtle__names_the_prefix_that_is_missing),
      cmocka_unit_test(test_turtle__limits_nesting),
      cmocka_unit_test(test_turtle__goes_on_when_lenient),
      cmocka_unit_test(test_turtle__skips_a_bad_graph_block_when_lenient),
      cmocka_unit_test(test_turtle__does_not_depend_on_where_pages_end),
      cmocka_unit_test(test_turtle__agrees_with_the_scanner_of_lines),
      cmocka_unit_test(test_turtle__passes_on_a_failure_of_the_sink),
      cmocka_unit_test(test_turtle__stops_when_cancelled),
      cmocka_unit_test(test_turtle__needs_a_base_that_is_absolute),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
