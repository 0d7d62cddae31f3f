/* Queries end to end over small data: rows worked out by hand. */
#include "sparql_query_world.h"

#include "support/memory.h"

#define DECIMAL "^^<http://www.w3.org/2001/XMLSchema#decimal>"
#define DOUBLE "^^<http://www.w3.org/2001/XMLSchema#double>"

static const char people[] =
    ":ann a :Person ; :name \"Ann\" ; :age 31 ; :knows :bob , :cid ; :city :rome . "
    ":bob a :Person ; :name \"Bob\" ; :age 25 ; :knows :cid ; :city :oslo . "
    ":cid a :Person ; :name \"Cid\"@en ; :age 40.0 ; :city :rome . "
    ":dee a :Robot ; :name \"Dee\" ; :age \"old\" . "
    ":rome :label \"Rome\" . :oslo :label \"Oslo\" . "
    ":g1 { :ann :likes :tea . :bob :likes :tea . } "
    ":g2 { :ann :likes :tea , :cake . } ";

static int
open_people(void **state)
{
  static world w;
  world_open(&w, people);
  *state = &w;
  return 0;
}

static int
close_world(void **state)
{
  world_close(*state);
  return 0;
}

static void
test_query__patterns_and_filters(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?s WHERE { ?s a :Person }", ":ann\n:bob\n:cid\n");
  EXPECT(w, "SELECT ?n WHERE { ?s a :Person ; :name ?n }", "\"Ann\"\n\"Bob\"\n\"Cid\"@en\n");
  EXPECT(w, "SELECT ?a ?c WHERE { ?a :knows ?b . ?b :knows ?c }", ":ann :cid\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :age ?x FILTER(?x > 30) }", ":ann\n:cid\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :age ?x FILTER(?x > 30 && ?s != :ann) }", ":cid\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :age ?x FILTER(?x = 40) }", ":cid\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :nothing ?x }", "");
  EXPECT(w, "SELECT ?x WHERE { }", "-\n");
  EXPECT(w, "SELECT (1 + 2 AS ?x) WHERE { }", "3\n");
  EXPECT(w, "SELECT ?s ?y WHERE { ?s :age ?x BIND(?x * 2 AS ?y) FILTER(!BOUND(?y) || ?y < 65) }",
         ":ann 62\n:bob 50\n:dee -\n");
}

static void
test_query__optional_union_minus_values(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?s ?k WHERE { ?s a :Person OPTIONAL { ?s :knows ?k } }",
         ":ann :bob\n:ann :cid\n:bob :cid\n:cid -\n");
  EXPECT(w, "SELECT ?s ?k WHERE { ?s a :Person OPTIONAL { ?s :knows ?k FILTER(?k = :bob) } }",
         ":ann :bob\n:bob -\n:cid -\n");
  EXPECT(w, "SELECT ?s WHERE { { ?s :city :rome } UNION { ?s :city :oslo } }",
         ":ann\n:bob\n:cid\n");
  EXPECT(w, "SELECT ?s ?a ?b WHERE { { ?s :city ?a } UNION { ?s :label ?b } }",
         ":ann :rome -\n:bob :oslo -\n:cid :rome -\n:oslo - \"Oslo\"\n:rome - \"Rome\"\n");
  EXPECT(w, "SELECT ?s WHERE { ?s a :Person MINUS { ?s :knows :cid } }", ":cid\n");
  EXPECT(w, "SELECT ?s WHERE { ?s a :Person MINUS { ?x :knows :cid } }", ":ann\n:bob\n:cid\n");
  EXPECT(w, "SELECT ?s ?n WHERE { VALUES (?s ?n) { (:ann UNDEF) (:bob \"Zed\") } ?s :name ?n }",
         ":ann \"Ann\"\n");
  EXPECT(w, "SELECT ?s WHERE { ?s a :Person FILTER NOT EXISTS { ?s :knows ?k } }", ":cid\n");
  EXPECT(w, "SELECT ?s WHERE { ?s a :Person FILTER EXISTS { ?s :knows ?k . ?k :age 25 } }",
         ":ann\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :name ?n } VALUES ?n { \"Bob\" \"Dee\" 7 }", ":bob\n:dee\n");
}

static void
test_query__order_of_mixed_terms(void **state)
{
  (void)state;
  world w;
  world_open(&w, ":s :p 10 , 9 , 9.5 , 1e1 , \"b\" , \"a\" , \"a\"@en , :z , :y , true , _:b , "
                 "\"2020-01-01\"^^<http://www.w3.org/2001/XMLSchema#date> , "
                 "\"NaN\"^^<http://www.w3.org/2001/XMLSchema#double> . :t :q 1 .");
  answer a = world_run(&w, "SELECT ?o WHERE { ?s ?p ?x OPTIONAL { ?s :p ?o } } ORDER BY ?o", NULL);
  assert_int_equal(a.status, QUOIN_OK);
  assert_int_equal(a.n, 13 * 13 + 1);
  assert_string_equal(a.rows[0], "-");
  assert_string_equal(a.rows[1], "_:");
  assert_string_equal(a.rows[14], ":y");
  assert_string_equal(a.rows[27], ":z");
  answer_free(&a);
  /* Numbers among themselves by value, also when descending. */
  EXPECT_ORDERED(&w, "SELECT ?o WHERE { :s :p ?o FILTER(isNumeric(?o)) } ORDER BY ?o LIMIT 3",
                 "\"NaN\"" DOUBLE "\n9\n\"9.5\"" DECIMAL "\n");
  EXPECT_ORDERED(&w, "SELECT ?o WHERE { :s :p ?o FILTER(?o < 10) } ORDER BY DESC(?o)",
                 "\"9.5\"" DECIMAL "\n9\n");
  EXPECT_ORDERED(&w, "SELECT ?o WHERE { :s :p ?o FILTER(isIRI(?o)) } ORDER BY DESC(?o)",
                 ":z\n:y\n");
  EXPECT_ORDERED(&w, "SELECT ?o WHERE { :s :p ?o FILTER(isIRI(?o)) } ORDER BY STRLEN(STR(?o)) ?o",
                 ":y\n:z\n");
  world_close(&w);
}

/* RDF 1.1 Concepts, 3.3: tags are compared without case; each term keeps its spelling. */
static void
test_query__language_tags_match_in_any_case(void **state)
{
  (void)state;
  world w;
  world_open(&w, ":a :p \"x\"@en . :b :p \"x\"@EN . :c :p \"x\"@eN , \"x\"@en-GB , \"x\" . "
                 ":d :p \"y\"@En ; :q :a . :a :p :b . :g { :h :p \"x\"@EN . :i :p \"x\"@en }");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p \"x\"@EN }", ":a\n:b\n:c\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p \"x\"@en }", ":a\n:b\n:c\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p \"y\"@en }", ":d\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p \"x\"@EN-gb }", ":c\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p \"x\"@de }", "");
  EXPECT(&w, "SELECT ?p WHERE { :b ?p \"x\"@eN ; ?p ?o } LIMIT 1", ":p\n");
  EXPECT(&w, "SELECT ?s ?o WHERE { ?s :p \"x\"@eN , ?o FILTER(isIRI(?o)) }", ":a :b\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :q/:p \"x\"@EN }", ":d\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p+ \"x\"@EN }", ":a\n:a\n:b\n:c\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p* \"y\"@eN }", "\"y\"@En\n\"y\"@eN\n:d\n");
  EXPECT(&w, "SELECT (COUNT(*) AS ?n) WHERE { ?s :p \"x\"@EN }", "3\n");
  EXPECT(&w, "SELECT (COUNT(*) AS ?n) WHERE { ?s :p \"y\"@EN }", "1\n");
  EXPECT(&w, "SELECT ?g ?s WHERE { GRAPH ?g { ?s :p \"x\"@EN } }", ":g :h\n:g :i\n");
  EXPECT(&w, "SELECT ?s WHERE { GRAPH :g { ?s :p \"x\"@en } }", ":h\n:i\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :q ?x FILTER EXISTS { ?x :p \"x\"@EN } }", ":d\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p ?o FILTER(?o = \"x\"@EN) }", ":a\n:b\n:c\n");
  EXPECT(&w, "SELECT ?s WHERE { ?s :p ?o FILTER(sameTerm(?o, \"x\"@EN)) }", ":b\n");
  EXPECT(&w, "SELECT ?o WHERE { :b :p ?o }", "\"x\"@EN\n");
  world_close(&w);
}

static void
test_query__limit_and_offset(void **state)
{
  world *w = *state;
  EXPECT_ORDERED(w, "SELECT ?n WHERE { ?s :name ?n } ORDER BY STR(?n)",
                 "\"Ann\"\n\"Bob\"\n\"Cid\"@en\n\"Dee\"\n");
  EXPECT_ORDERED(w, "SELECT ?n WHERE { ?s :name ?n } ORDER BY STR(?n) LIMIT 2",
                 "\"Ann\"\n\"Bob\"\n");
  EXPECT_ORDERED(w, "SELECT ?n WHERE { ?s :name ?n } ORDER BY STR(?n) LIMIT 2 OFFSET 1",
                 "\"Bob\"\n\"Cid\"@en\n");
  EXPECT_ORDERED(w, "SELECT ?n WHERE { ?s :name ?n } ORDER BY DESC(STR(?n)) OFFSET 3", "\"Ann\"\n");
  EXPECT_ORDERED(w, "SELECT ?n WHERE { ?s :name ?n } ORDER BY ?n LIMIT 0", "");
  EXPECT_ORDERED(w, "SELECT ?n WHERE { ?s :name ?n } ORDER BY ?n OFFSET 9", "");
  EXPECT_ORDERED(w, "SELECT ?s ?n WHERE { ?s :name ?n ; :city ?c } ORDER BY DESC(?c) ?s",
                 ":ann \"Ann\"\n:cid \"Cid\"@en\n:bob \"Bob\"\n");
}

static void
test_query__distinct_and_subselect(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT DISTINCT ?c WHERE { ?s :city ?c }", ":oslo\n:rome\n");
  EXPECT(w, "SELECT REDUCED ?c WHERE { ?s :city ?c } LIMIT 0", "");
  EXPECT(w, "SELECT DISTINCT ?t ?c WHERE { ?s a ?t OPTIONAL { ?s :city ?c } }",
         ":Person :oslo\n:Person :rome\n:Robot -\n");
  EXPECT(w,
         "SELECT ?s ?a WHERE { { SELECT ?s (MAX(?x) AS ?a) WHERE { ?s :age ?x } GROUP BY ?s } "
         "?s :city :rome }",
         ":ann 31\n:cid \"40.0\"" DECIMAL "\n");
  EXPECT(w, "SELECT ?s WHERE { { SELECT ?s WHERE { ?s :name ?n } ORDER BY STR(?n) LIMIT 2 } }",
         ":ann\n:bob\n");
  /* The inner ?n is another variable. */
  EXPECT(
      w,
      "SELECT ?s ?n WHERE { ?s :name ?n { SELECT ?s WHERE { ?s :city ?n FILTER(?n = :oslo) } } }",
      ":bob \"Bob\"\n");
}

static void
test_query__aggregates(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT (COUNT(*) AS ?n) WHERE { ?s :name ?x }", "4\n");
  EXPECT(w, "SELECT (COUNT(*) AS ?n) WHERE { ?s :none ?x }", "0\n");
  EXPECT(w, "SELECT (SUM(?x) AS ?n) WHERE { ?s :none ?x }", "0\n");
  EXPECT(w, "SELECT (MIN(?x) AS ?n) WHERE { ?s :none ?x }", "-\n");
  EXPECT(w, "SELECT ?s (COUNT(*) AS ?n) WHERE { ?s :none ?x } GROUP BY ?s", "");
  EXPECT(w, "SELECT ?c (COUNT(?s) AS ?n) WHERE { ?s :city ?c } GROUP BY ?c", ":oslo 1\n:rome 2\n");
  EXPECT(w, "SELECT (COUNT(?k) AS ?n) (COUNT(DISTINCT ?k) AS ?m) WHERE { ?s :knows ?k }", "3 2\n");
  EXPECT(w, "SELECT (COUNT(DISTINCT *) AS ?n) WHERE { { ?s :knows ?k } UNION { ?s :knows ?k } }",
         "3\n");
  EXPECT(w,
         "SELECT (SUM(?x) AS ?n) (MIN(?x) AS ?a) (MAX(?x) AS ?b) WHERE { ?s a :Person ; :age ?x }",
         "\"96.0\"" DECIMAL " 25 \"40.0\"" DECIMAL "\n");
  EXPECT(w, "SELECT (AVG(?x) AS ?n) WHERE { VALUES ?x { 1 2 3 } }", "\"2.0\"" DECIMAL "\n");
  EXPECT(w, "SELECT (SUM(?x) AS ?n) WHERE { ?s :age ?x }", "-\n");
  EXPECT(w, "SELECT ?c (COUNT(*) AS ?n) WHERE { ?s :city ?c } GROUP BY ?c HAVING(COUNT(*) > 1)",
         ":rome 2\n");
  EXPECT(w, "SELECT ?l (COUNT(*) AS ?n) WHERE { ?s :name ?x } GROUP BY (STRLEN(?x) AS ?l)",
         "3 4\n");
  EXPECT(
      w,
      "SELECT (GROUP_CONCAT(?n ; SEPARATOR=\"|\") AS ?all) WHERE { SELECT ?n WHERE { ?s :name ?n } "
      "ORDER BY STR(?n) }",
      "\"Ann|Bob|Cid|Dee\"\n");
  EXPECT(w, "SELECT (GROUP_CONCAT(?n) AS ?all) WHERE { ?s :none ?n }", "\"\"\n");
  EXPECT(w, "SELECT ?c (SAMPLE(?c) AS ?d) WHERE { ?s :city ?c } GROUP BY ?c",
         ":oslo :oslo\n:rome :rome\n");
  EXPECT_ORDERED(w, "SELECT ?c WHERE { ?s :city ?c } GROUP BY ?c ORDER BY DESC(COUNT(*)) LIMIT 1",
                 ":rome\n");
}

static void
test_query__graphs(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?s ?o WHERE { GRAPH :g1 { ?s :likes ?o } }", ":ann :tea\n:bob :tea\n");
  EXPECT(w, "SELECT ?g ?s WHERE { GRAPH ?g { ?s :likes :tea } }", ":g1 :ann\n:g1 :bob\n:g2 :ann\n");
  EXPECT(w, "SELECT ?g WHERE { GRAPH ?g { } }", ":g1\n:g2\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :likes ?o }", "");
  EXPECT(w, "SELECT ?s ?c WHERE { GRAPH :g2 { ?s :likes :cake } ?s :city ?c }", ":ann :rome\n");
  EXPECT(w, "SELECT ?s ?o FROM :g1 FROM :g2 WHERE { ?s :likes ?o }",
         ":ann :cake\n:ann :tea\n:bob :tea\n");
  EXPECT(w, "SELECT ?s FROM :g1 WHERE { ?s a :Person }", "");
  EXPECT(w, "SELECT ?g ?s FROM NAMED :g1 WHERE { GRAPH ?g { ?s :likes :tea } }",
         ":g1 :ann\n:g1 :bob\n");
  EXPECT(w, "SELECT ?s FROM :nowhere WHERE { ?s ?p ?o }", "");
  const sparql_run_options all = {.union_default_graph = true};
  EXPECT_WITH(w, "SELECT ?s ?o WHERE { ?s :likes ?o }", &all, ":ann :cake\n:ann :tea\n:bob :tea\n");
  EXPECT_WITH(w, "SELECT (COUNT(*) AS ?n) WHERE { ?s :likes ?o }", &all, "3\n");
}

static void
test_query__ask(void **state)
{
  world *w = *state;
  EXPECT(w, "ASK { :ann :knows :bob }", "yes\n");
  EXPECT(w, "ASK { :bob :knows :ann }", "");
  EXPECT(w, "ASK { }", "yes\n");
}

static void
test_query__construct(void **state)
{
  world *w = *state;
  EXPECT(w, "CONSTRUCT { ?k :knownBy ?s } WHERE { ?s :knows ?k }",
         ":bob :knownBy :ann\n:cid :knownBy :ann\n:cid :knownBy :bob\n");
  EXPECT(w, "CONSTRUCT { ?c a :City } WHERE { ?s :city ?c }",
         ":oslo <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> :City\n"
         ":rome <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> :City\n");
  /* Literal subjects, literal predicates and unbound variables are left out. */
  EXPECT(w, "CONSTRUCT { ?n :of ?s . ?s ?n ?s . ?s :x ?u . ?s :is ?n } WHERE { ?s :name ?n }",
         ":ann :is \"Ann\"\n:bob :is \"Bob\"\n:cid :is \"Cid\"@en\n:dee :is \"Dee\"\n");
  /* A blank node for each solution, the same within it. */
  EXPECT(w, "CONSTRUCT { _:b :who ?s . _:b :where ?c } WHERE { ?s :city ?c }",
         "_: :where :oslo\n_: :where :rome\n_: :where :rome\n"
         "_: :who :ann\n_: :who :bob\n_: :who :cid\n");
  EXPECT(w, "CONSTRUCT WHERE { ?s :knows :cid }", ":ann :knows :cid\n:bob :knows :cid\n");
  EXPECT(w, "CONSTRUCT { } WHERE { ?s ?p ?o }", "");
}

static void
test_query__describe(void **state)
{
  (void)state;
  world w;
  world_open(&w, ":a :p :b ; :q _:x . _:x :r _:y ; :s 1 . _:y :r _:x . :b :p :c . "
                 ":g { :a :p :other . } ");
  EXPECT(&w, "DESCRIBE :a", ":a :p :b\n:a :q _:\n_: :r _:\n_: :r _:\n_: :s 1\n");
  EXPECT(&w, "DESCRIBE ?x WHERE { ?x :p :c }", ":b :p :c\n");
  EXPECT(&w, "DESCRIBE ?x :b WHERE { :a :p ?x }", ":b :p :c\n");
  EXPECT(&w, "DESCRIBE :nobody", "");
  EXPECT(&w, "DESCRIBE :a FROM :g", ":a :p :other\n");
  world_close(&w);
}

static void
test_query__bindings_from_outside(void **state)
{
  world *w = *state;
  const sparql_binding bindings[] = {
      {.name = base_span("s"), .term = {.kind = RDF_IRI, .value = base_span("http://x/bob")}},
      {.name = base_span("unused"), .term = {.kind = RDF_IRI, .value = base_span("http://x/q")}}};
  const sparql_run_options with = {.bindings = bindings, .n_bindings = 2};
  EXPECT_WITH(w, "SELECT ?s ?k WHERE { ?s :knows ?k }", &with, ":bob :cid\n");
  EXPECT_WITH(w, "SELECT * WHERE { ?s :city ?c }", &with, ":bob :oslo\n");
  EXPECT_WITH(w, "ASK { ?s :city :rome }", &with, "");
  EXPECT_WITH(w, "SELECT ?s ?x WHERE { ?s :knows+ ?x }", &with, ":bob :cid\n");
  EXPECT_WITH(w, "CONSTRUCT { ?s :lives ?c } WHERE { ?s :city ?c }", &with, ":bob :lives :oslo\n");
}

static void
test_query__limits_and_failures(void **state)
{
  world *w = *state;
  const sparql_run_options three = {.max_rows = 3};
  const sparql_run_options little = {.memory_bytes = 1};
  atomic_int stop = 1;
  const sparql_run_options stopped = {.cancel = &stop};
  EXPECT_STATUS(w, "SELECT ?s WHERE { ?s :name ?n }", &three, QUOIN_ERR_LIMIT, "more than 3 rows");
  EXPECT_WITH(w, "SELECT ?s WHERE { ?s :city ?n }", &three, ":ann\n:bob\n:cid\n");
  EXPECT_STATUS(w, "SELECT ?s WHERE { ?s :name ?n } ORDER BY ?n", &little, QUOIN_ERR_LIMIT,
                "memory budget");
  EXPECT_STATUS(w, "SELECT ?s WHERE { ?s ?p ?n }", &stopped, QUOIN_ERR_CANCELLED, "");
  EXPECT_STATUS(w, "SELECT ?s WHERE { (?s ?d) vec:nearest (:e ?q 10) }", NULL, QUOIN_ERR_NOT_FOUND,
                "no vector index");
#ifdef QUOIN_SERVICE
  EXPECT_STATUS(w, "SELECT ?s WHERE { SERVICE :x { ?s ?p ?o } }", NULL, QUOIN_ERR_ARGUMENT,
                "--allow-service");
#else
  EXPECT_STATUS(w, "SELECT ?s WHERE { SERVICE :x { ?s ?p ?o } }", NULL, QUOIN_ERR_UNSUPPORTED,
                "built without it");
#endif
}

static void
test_query__explain_names_operators_and_what_they_did(void **state)
{
  world *w = *state;
  static const char text[] = PROLOGUE "SELECT DISTINCT ?c (COUNT(?k) AS ?n) WHERE { ?s :city ?c . "
                                      "?s :knows+ ?k FILTER(STRLEN(STR(?k)) > 2) } GROUP BY ?c "
                                      "ORDER BY DESC(?n) LIMIT 1";
  for (int profile = 0; profile < 2; profile++) {
    const sparql_run_options options = {.profile = profile != 0};
    quoin_error err = QUOIN_ERROR_INIT;
    sparql_query *query;
    sparql_cursor *cursor;
    sparql_rows rows;
    base_buffer out;
    base_buffer_init(&out, base_alloc_default());
    assert_int_equal(sparql_query_parse(&query, base_span(text), (quoin_span){NULL, 0},
                                        base_alloc_default(), &err),
                     QUOIN_OK);
    assert_int_equal(
        sparql_cursor_open(&cursor, query, w->snapshot, &options, base_alloc_default(), &err),
        QUOIN_OK);
    if (profile)
      while (!sparql_cursor_next(&rows, cursor, &err))
        assert_int_equal(rows.rows, 1);
    assert_int_equal(sparql_cursor_explain(&out, cursor, &err), QUOIN_OK);
    base_buffer_byte(&out, '\0');
    static const char *const expected[] = {"slice limit 1", "distinct ",
                                           "order desc ?n", "group ",
                                           "filter ",       "path ?s (<http://x/knows>)+ ?k"};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
      if (!strstr(out.data, expected[i])) fail_msg("no \"%s\" in\n%s", expected[i], out.data);
    assert_int_equal(strstr(out.data, "1 rows in") != NULL, profile);
    base_buffer_clear(&out);
    sparql_cursor_close(cursor);
    sparql_query_free(query);
  }
}

/* ---- memory that ends ---- */

static quoin_status
run_with(world *w, const char *text, const base_alloc *mem)
{
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  char whole[1024];
  (void)snprintf(whole, sizeof(whole), "%s%s", PROLOGUE, text);
  quoin_status st = sparql_query_parse(&query, base_span(whole), (quoin_span){NULL, 0}, mem, &err);
  if (!st) st = sparql_cursor_open(&cursor, query, w->snapshot, NULL, mem, &err);
  while (!st) {
    sparql_rows rows;
    const rdfio_quad *quads;
    size_t n;
    sparql_form form = sparql_query_form(query);
    st = form == SPARQL_SELECT || form == SPARQL_ASK
             ? sparql_cursor_next(&rows, cursor, &err)
             : sparql_cursor_triples(&quads, &n, cursor, &err);
    if (st < 0) { /* and it stays so */
      quoin_error again = QUOIN_ERROR_INIT;
      assert_int_equal(sparql_cursor_next(&rows, cursor, &again) < 0, 1);
    }
  }
  if (st < 0) {
    assert_int_equal(err.status, st);
    assert_true(err.message[0]);
  }
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  return st;
}

static void
test_query__out_of_memory_is_a_status(void **state)
{
  static const char *const queries[] = {
      "SELECT DISTINCT ?s ?n WHERE { ?s :name ?n FILTER(STRLEN(?n) > 2) } ORDER BY DESC(?n) LIMIT "
      "2",
      "SELECT ?c (COUNT(DISTINCT ?s) AS ?n) (GROUP_CONCAT(?s) AS ?m) (MAX(?s) AS ?x) WHERE "
      "{ ?s :city ?c } GROUP BY ?c HAVING(COUNT(*) > 0)",
      "SELECT ?s ?o WHERE { ?s a :Person . ?s (:knows|^:knows)*/:city? ?o }",
      "SELECT ?g ?o WHERE { GRAPH ?g { ?s :likes+ ?o } OPTIONAL { ?s :knows ?k } MINUS { ?s :age 9 "
      "} }",
      "SELECT ?s WHERE { ?s a :Person FILTER NOT EXISTS { ?s :knows ?s } { SELECT ?s WHERE "
      "{ ?s :name ?n } } }",
      "CONSTRUCT { _:b :x ?s . ?s :y _:b } WHERE { ?s :city ?c }",
      "DESCRIBE ?s FROM :g1 FROM :g2 WHERE { ?s :likes :tea }",
      "ASK FROM :g1 FROM :g2 { ?s :likes+ ?o . ?o !:p ?s }",
  };
  for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
    support_memory m = {0};
    const base_alloc mem = support_alloc(&m);
    assert_int_equal(run_with(*state, queries[q], &mem), QUOIN_DONE);
    assert_int_equal(m.blocks, 0);
    const size_t calls = m.calls;
    assert_true(calls > 0);
    for (size_t at = 1; at <= calls; at++) {
      support_memory_fail(&m, at);
      quoin_status st = run_with(*state, queries[q], &mem);
      assert_int_equal(m.blocks, 0);
      assert_int_equal(m.bytes, 0);
      if (st != QUOIN_ERR_NOMEM && st != QUOIN_DONE) {
        print_error("%s: allocation %zu of %zu: status %d\n", queries[q], at, calls, (int)st);
        fail();
      }
    }
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_query__patterns_and_filters),
      cmocka_unit_test(test_query__optional_union_minus_values),
      cmocka_unit_test(test_query__order_of_mixed_terms),
      cmocka_unit_test(test_query__language_tags_match_in_any_case),
      cmocka_unit_test(test_query__limit_and_offset),
      cmocka_unit_test(test_query__distinct_and_subselect),
      cmocka_unit_test(test_query__aggregates),
      cmocka_unit_test(test_query__graphs),
      cmocka_unit_test(test_query__ask),
      cmocka_unit_test(test_query__construct),
      cmocka_unit_test(test_query__describe),
      cmocka_unit_test(test_query__bindings_from_outside),
      cmocka_unit_test(test_query__limits_and_failures),
      cmocka_unit_test(test_query__explain_names_operators_and_what_they_did),
      cmocka_unit_test(test_query__out_of_memory_is_a_status),
  };
  return cmocka_run_group_tests(tests, open_people, close_world);
}
