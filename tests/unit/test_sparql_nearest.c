/* vec:nearest against its meaning: the MIN(distance) GROUP BY form of it, cut at k (DESIGN.md
 * section 8). */
#include "sparql_query_world.h"

#include <math.h>
#include <time.h>

#define INDEX " GRAPH <urn:x-quoin:system> { :v a vec:Index ; vec:dimension 2 } "
#define SMALL                                                                                      \
  "@prefix vec: <urn:x-quoin:vec#> . "                                                             \
  "<urn:x-quoin:system> { :v a vec:Index ; vec:dimension 2 ; vec:metric vec:l2Metric ."            \
  " :c a vec:Index ; vec:dimension 2 } "                                                           \
  ":a :v \"[0,0]\"^^vec:f32 ; a :T ; :n 1 . :b :v \"[1,0]\"^^vec:f32 ; a :T ; :n 2 . "             \
  ":d :v \"[0, 2.0]\"^^vec:f32 , \"[9,9]\"^^vec:f32 ; a :U ; :n 3 . :e a :T ; :n 4 . "             \
  ":a :c \"[1,0]\"^^vec:f32 . :b :c \"[0,2]\"^^vec:f32 . :d :c \"[-3,0]\"^^vec:f32 . "             \
  ":g1 { :x :v \"[5,0]\"^^vec:f32 . :y :v \"[1,0]\"^^vec:f32 } "                                   \
  ":g2 { :x :v \"[1,1]\"^^vec:f32 . :z :v \"[8,0]\"^^vec:f32 } "                                   \
  ":q :is \"[0,0]\"^^vec:f32 . :r :is \"[1,0]\"^^vec:f32 . "

#define EXPECT(w, text, expected) world_expect(w, text, NULL, false, expected, __FILE__, __LINE__)
#define EXPECT_ORDER(w, text, expected)                                                            \
  world_expect(w, text, NULL, true, expected, __FILE__, __LINE__)
#define FAILS(w, text, status, message)                                                            \
  world_expect_status(w, text, NULL, status, message, __FILE__, __LINE__)
#define E0 "\"0.0E0\"^^<http://www.w3.org/2001/XMLSchema#double>"
#define E1 "\"1.0E0\"^^<http://www.w3.org/2001/XMLSchema#double>"
#define E2 "\"2.0E0\"^^<http://www.w3.org/2001/XMLSchema#double>"
#define E3 "\"3.0E0\"^^<http://www.w3.org/2001/XMLSchema#double>"
#define E4 "\"4.0E0\"^^<http://www.w3.org/2001/XMLSchema#double>"
#define E5 "\"5.0E0\"^^<http://www.w3.org/2001/XMLSchema#double>"
#define ZERO "\"[0,0]\"^^vec:f32"

/* ---- meaning ----------------------------------------------------------------------------------
 */

static void
test_nearest__top_of_the_index(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
  EXPECT_ORDER(&w, "SELECT * { (?p ?d) vec:nearest (:v " ZERO " 2) }", ":a " E0 "\n:b " E1 "\n");
  EXPECT_ORDER(&w, "SELECT * { (?p ?d) vec:nearest (:v " ZERO " 9) }",
               ":a " E0 "\n:b " E1 "\n:d " E2 "\n");
  EXPECT_ORDER(&w, "SELECT * { (?p ?d) vec:nearest (:v " ZERO " 9 vec:maxDistance 1.0) }",
               ":a " E0 "\n:b " E1 "\n");
  EXPECT_ORDER(&w, "SELECT * { (?p ?d) vec:nearest (:v " ZERO " 2 vec:exact true vec:ef 99) }",
               ":a " E0 "\n:b " E1 "\n");
  EXPECT(&w, "SELECT ?d { (:d ?d) vec:nearest (:v " ZERO " 1) }", E2 "\n");
  EXPECT(&w, "SELECT ?d { (:e ?d) vec:nearest (:v " ZERO " 1) }", "");
  EXPECT_ORDER(&w, "SELECT * { (?p ?d) vec:nearest (:c \"[2,0]\"^^vec:f32 9) }",
               ":a " E0 "\n:b " E1 "\n:d " E2 "\n");
  world_close(&w);
}

static void
test_nearest__of_the_matches(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
  EXPECT(&w, "SELECT ?p ?d { ?p a :T . (?p ?d) vec:nearest (:v " ZERO " 1) }", ":a " E0 "\n");
  EXPECT(&w, "SELECT ?p { (?p ?d) vec:nearest (:v " ZERO " 1) . ?p a :U }", ":d\n");
  /* A distance that the outer row has: joined, inside EXISTS as outside. */
  EXPECT(&w,
         "SELECT * { VALUES ?d { 1.0E0 77.0E0 } FILTER EXISTS { (?p ?d) vec:nearest (:v " ZERO
         " 9) } }",
         E1 "\n");
  EXPECT(&w,
         "SELECT * { VALUES ?d { 1.0E0 2.0E0 } FILTER NOT EXISTS { { SELECT ?d { (?p ?d) "
         "vec:nearest (:v " ZERO " 9) FILTER(?d < 2) } } } }",
         E2 "\n");
  EXPECT(&w, "SELECT ?p ?n { ?p :n ?n FILTER(?n > 1) . (?p ?d) vec:nearest (:v " ZERO " 1) }",
         ":b 2\n");
  /* A filter on the distance applies after, one on the rest before. */
  EXPECT(&w, "SELECT ?p { (?p ?d) vec:nearest (:v " ZERO " 1) FILTER(?d > 0.5) }", "");
  EXPECT(&w, "SELECT ?p { ?p :n ?n . (?p ?d) vec:nearest (:v " ZERO " 2) FILTER(?d > 0.5) }",
         ":b\n");
  /* Each row of the group with its distance. */
  EXPECT(&w, "SELECT ?p ?o ?d { ?p a|:n ?o . (?p ?d) vec:nearest (:v " ZERO " 1) }",
         ":a 1 " E0 "\n:a :T " E0 "\n");
  EXPECT(&w, "SELECT ?p { (?p ?d) vec:nearest (:v " ZERO " 1 vec:scope vec:index) . ?p a :U }", "");
  EXPECT(&w, "SELECT ?p { VALUES ?p { :d :b UNDEF :e } . (?p ?d) vec:nearest (:v " ZERO " 5) }",
         ":b\n:d\n");
  EXPECT(
      &w,
      "SELECT ?p ?t { ?p :n ?n OPTIONAL { ?p a ?t FILTER(?t = :U) } . (?p ?d) vec:nearest (:v " ZERO
      " 5) }",
      ":a -\n:b -\n:d :U\n");
  EXPECT(&w, "SELECT ?p { { ?p a :T } MINUS { ?p :n 1 } . (?p ?d) vec:nearest (:v " ZERO " 1) }",
         ":b\n");
  EXPECT(&w,
         "SELECT ?p ?d { ?p :n ?n OPTIONAL { (?p ?d) vec:nearest (:v " ZERO
         " 2) FILTER(?d < 9) } }",
         ":a " E0 "\n:b " E1 "\n:d -\n:e -\n");
  EXPECT(&w, "SELECT ?p { ?p :n ?n FILTER EXISTS { (?p ?d) vec:nearest (:v " ZERO " 1) } }",
         ":a\n:b\n:d\n");
  world_close(&w);
}

static void
test_nearest__queries(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
  EXPECT(&w, "SELECT ?q ?p ?d { ?q :is ?v . (?p ?d) vec:nearest (:v ?v 1) }",
         ":q :a " E0 "\n:r :b " E0 "\n");
  EXPECT(&w, "SELECT ?p ?d { (?p ?d) vec:nearest (:v :b 2) }", ":a " E1 "\n:b " E0 "\n");
  EXPECT(&w, "SELECT ?q ?p ?d { VALUES ?q { :a :e } . (?p ?d) vec:nearest (:v ?q 2) }",
         ":a :a " E0 "\n:a :b " E1 "\n");
  /* A resource with two vectors asks with both. */
  EXPECT(&w, "SELECT ?p ?d { (?p ?d) vec:nearest (:v :d 2) }", ":a " E2 "\n:d " E0 "\n");
  /* A later one takes its query from an earlier. */
  EXPECT(&w,
         "SELECT ?p ?r ?e { (?p ?d) vec:nearest (:v " ZERO " 1) . "
         "(?r ?e) vec:nearest (:v ?p 2) }",
         ":a :a " E0 "\n:a :b " E1 "\n");
  EXPECT(&w,
         "SELECT ?p ?d ?e { ?p :n ?n . (?p ?d) vec:nearest (:v " ZERO " 2) . "
         "(?p ?e) vec:nearest (:v \"[1,0]\"^^vec:f32 1) }",
         ":b " E1 " " E0 "\n");
  EXPECT(&w, "SELECT ?p { OPTIONAL { :none :is ?v } . (?p ?d) vec:nearest (:v ?v 2) }", "");
  world_close(&w);
}

static void
test_nearest__graphs(void **state)
{
  world w;
  const sparql_run_options all = {.union_default_graph = true};
  (void)state;
  world_open(&w, SMALL);
  EXPECT(&w, "SELECT ?g ?p ?d { GRAPH ?g { (?p ?d) vec:nearest (:v " ZERO " 1) } }",
         ":g1 :y " E1
         "\n:g2 :x \"1.4142135623730951E0\"^^<http://www.w3.org/2001/XMLSchema#double>\n");
  EXPECT(&w, "SELECT ?p { GRAPH :g2 { (?p ?d) vec:nearest (:v " ZERO " 5) } }", ":x\n:z\n");
  EXPECT(&w, "SELECT ?p { GRAPH :g1 { ?p :v ?x . (?p ?d) vec:nearest (:v " ZERO " 1) } }", ":y\n");
  EXPECT(&w, "SELECT ?p { GRAPH :g9 { (?p ?d) vec:nearest (:v " ZERO " 5) } }", "");
  EXPECT(&w, "SELECT ?p FROM :g1 FROM :g2 { (?p ?d) vec:nearest (:v " ZERO " 2) }", ":x\n:y\n");
  EXPECT(&w, "SELECT ?p FROM NAMED :g2 { GRAPH ?g { (?p ?d) vec:nearest (:v " ZERO " 1) } }",
         ":x\n");
  world_expect(&w, "SELECT ?p { (?p ?d) vec:nearest (:v " ZERO " 3) }", &all, false, ":a\n:b\n:y\n",
               __FILE__, __LINE__);
  EXPECT(&w,
         "SELECT ?p ?d { SERVICE vec:search { [] vec:on :v ; vec:query " ZERO " ; vec:k 1 ; "
         "vec:item ?p ; vec:distance ?d . { ?p a :U } } }",
         ":d " E2 "\n");
  world_close(&w);
}

#define TENSOR(text) "'''" text "'''^^<https://w3id.org/rdf-tensor/datatypes#NumericDataTensor> "

/* Vectors of other systems count on a predicate that is declared; what is none is any object. */
static void
test_nearest__other_datatypes(void **state)
{
  world w;
  (void)state;
  world_open(
      &w,
      "@prefix vec: <urn:x-quoin:vec#> . "
      "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . "
      "<urn:x-quoin:system> { :v a vec:Index ; vec:dimension 2 ; vec:metric vec:l2Metric } "
      ":a :v '[0, 0]'^^<http://w3id.org/awslabs/neptune/SPARQL-CDTs/List> . "
      ":b :v ' [1, 0] '^^rdf:JSON . :c :v '[2,0]'^^<https://mdb.imfd.cl/type#tensorFloat> . "
      ":d :v " TENSOR(
          "{\"type\": \"float32\", \"shape\": [2], \"data\": [3, 0.0]}") ". "
                                                                         ":e :v " TENSOR(
                                                                             "{\"data\":[4e0,0] "
                                                                             ",\"x\":{\"data\":[\"]"
                                                                             "\",9]},\"shape\":[2],"
                                                                             "\"type\":\"int16\"}") ". "
                                                                                                    ":f :v '[5,0]'^^vec:f32 . "
                                                                                                    ":x :v " TENSOR("{\"type\":\"float32\",\"shape\":[1,2],\"data\":[0,0]}") ", " TENSOR("{\"type\":\"float32\",\"shape\":[3],\"data\":[0,0]}") ", " TENSOR("{\"type\":\"string\",\"shape\":[2],\"data\":[0,0]}") ", " TENSOR("{\"type\":\"float32\",\"shape\":[2],\"data\":[0,0]") ", " TENSOR("{\"type\":\"float32\",\"shape\":[2],\"data\":[0,0]}}") ", " TENSOR(
                                                                                                        "{\"type\":\"float32\",\"data\":[0,0]}") ", " TENSOR("[0,0]") ", " TENSOR("{\"type\":\"float32\",\"shape\":[2],\"data\":[0,\"0\"]}") ", "
                                                                                                                                                                                                                                             "'[\"a\", \"b\"]'^^rdf:JSON, '{}'^^rdf:JSON, 'b64:AAAAAAAAAAA='^^rdf:JSON, 7, :a .");
  for (int exact = 0; exact < 2; exact++)
    EXPECT_ORDER(&w,
                 exact ? "SELECT ?p { (?p ?d) vec:nearest (:v " ZERO " 99 vec:exact true) }"
                       : "SELECT ?p { (?p ?d) vec:nearest (:v " ZERO " 99) }",
                 ":a\n:b\n:c\n:d\n:e\n:f\n");
  EXPECT_ORDER(&w, "SELECT ?p { (?p ?d) vec:nearest (:v :d 2) }", ":d\n:c\n");
  EXPECT(
      &w,
      "SELECT (vec:dim(" TENSOR("{\"type\":\"int32\",\"shape\":[2],\"data\":[1,1]}") ") AS ?n) {}",
      "2\n");
  FAILS(&w,
        "SELECT * { (?p ?d) vec:nearest (:v '[1,2,3]'^^<https://mdb.imfd.cl/type#tensorFloat> 1) }",
        QUOIN_ERR_CONSTRAINT, "dimension");
  world_close(&w);
}

/* A constant resource that only some of the graphs know gives nothing in the others. */
static void
test_nearest__a_resource_in_each_graph(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
  EXPECT(&w, "SELECT ?g ?p ?d { GRAPH ?g { (?p ?d) vec:nearest (:v :y 1) } }", ":g1 :y " E0 "\n");
  EXPECT(&w, "SELECT ?g ?p ?d { GRAPH ?g { (?p ?d) vec:nearest (:v :x 1) } }",
         ":g1 :x " E0 "\n:g2 :x " E0 "\n");
  EXPECT(&w,
         "SELECT ?g ?q ?p { GRAPH ?g { VALUES ?q { :x :y :a } (?p ?d) vec:nearest (:v ?q 1) } }",
         ":g1 :x :x\n:g1 :y :y\n:g2 :x :x\n");
  FAILS(&w, "SELECT * { GRAPH :g2 { (?p ?d) vec:nearest (:v :y 1) } }", QUOIN_ERR_NOT_FOUND,
        "without a vector");
  /* What none of them knows is a mistake: :a is of the default graph, :nobody of no graph. */
  FAILS(&w, "SELECT * { GRAPH ?g { (?p ?d) vec:nearest (:v :a 1) } }", QUOIN_ERR_NOT_FOUND,
        "without a vector in any graph");
  FAILS(&w, "SELECT * { GRAPH ?g { (?p ?d) vec:nearest (:v :nobody 1) } }", QUOIN_ERR_NOT_FOUND,
        "without a vector in any graph");
  FAILS(&w, "SELECT * FROM NAMED :g2 { GRAPH ?g { (?p ?d) vec:nearest (:v :y 1) } }",
        QUOIN_ERR_NOT_FOUND, "without a vector in any graph");
  EXPECT(&w, "SELECT ?p FROM NAMED :g1 { GRAPH ?g { (?p ?d) vec:nearest (:v :y 1) } }", ":y\n");
  world_close(&w);
}

static void
test_nearest__functions(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
  EXPECT(&w, "SELECT (vec:l2Distance(" ZERO ", \"[3,4]\"^^vec:f32) AS ?x) {}", E5 "\n");
  EXPECT(&w, "SELECT (vec:dotDistance(\"[1,2]\"^^vec:f32, \"[-3,0]\"^^vec:f32) AS ?x) {}", E4 "\n");
  EXPECT(&w, "SELECT (vec:cosineDistance(\"[1,0]\"^^vec:f32, \"[0,7]\"^^vec:f32) AS ?x) {}",
         E1 "\n");
  EXPECT(&w, "SELECT (vec:dim(\"[1,0,3]\"^^vec:f32) AS ?x) (vec:dim(4) AS ?y) {}", "3 -\n");
  EXPECT(&w, "SELECT (vec:l2Distance(vec:of(:v, :b), vec:of(:v, :a)) AS ?x) {}", E1 "\n");
  /* Of the dataset: a vector in a graph that FROM does not name is not there. */
#define OF(from, subject, is)                                                                      \
  EXPECT(&w, "SELECT (STR(vec:of(:v, " subject ")) AS ?x) " from "{}", is "\n")
  OF("", ":y", "\"[1,0]\"");
  OF("", ":b", "\"[1,0]\"");
  OF("FROM :g1 ", ":y", "\"[1,0]\"");
  OF("FROM :g2 FROM NAMED :g1 ", ":y", "\"[1,0]\"");
  OF("FROM :g2 FROM NAMED :g1 ", ":z", "\"[8,0]\"");
  OF("FROM :g2 ", ":x", "\"[1,1]\"");
  OF("FROM :g1 ", ":x", "\"[5,0]\"");
  OF("FROM :g2 ", ":y", "-");
  OF("FROM NAMED :g2 ", ":y", "-");
  OF("FROM :g1 ", ":b", "-");
  OF("FROM :g9 ", ":y", "-");
#undef OF
  EXPECT(&w, "SELECT (vec:of(:v, :e) AS ?x) (vec:of(:v, 4) AS ?y) {}", "- -\n");
  EXPECT(&w,
         "SELECT (vec:l2Distance(" ZERO ", \"[1]\"^^vec:f32) AS ?x) "
         "(vec:cosineDistance(" ZERO ", \"[1,1]\"^^vec:f32) AS ?y) "
         "(vec:l2Distance(" ZERO ", \"x\") AS ?z) {}",
         "- - -\n");
  EXPECT(&w, "SELECT ?s (MIN(vec:l2Distance(?v, " ZERO ")) AS ?d) { ?s :v ?v } GROUP BY ?s",
         ":a " E0 "\n:b " E1 "\n:d " E2 "\n");
  EXPECT(&w,
         "SELECT (STR('b64:AACAPwAAAEA='^^vec:f32) AS ?x) (STR('[ 1.50,-0]'^^vec:f32) AS ?y) "
         "(STR('[1,]'^^vec:f32) AS ?z) ('b64:AACAPwAAAEA='^^vec:f32 AS ?t) {}",
         "\"[1,2]\" \"[1.5,0]\" \"[1,]\" \"[1,2]\"^^<urn:x-quoin:vec#f32>\n");
  FAILS(&w, "SELECT (vec:embed(:v, \"text\") AS ?x) {}", QUOIN_ERR_NOT_FOUND, "no embedder");
  FAILS(&w, "SELECT (vec:none(:v) AS ?x) {}", QUOIN_ERR_UNSUPPORTED, "is not known");
  world_close(&w);
}

static void
test_nearest__errors(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
#define SYNTAX(pattern, message) FAILS(&w, "SELECT * { " pattern " }", QUOIN_ERR_SYNTAX, message)
  SYNTAX("?p vec:nearest (:v " ZERO " 1)", "(?item ?distance)");
  SYNTAX("(?p) vec:nearest (:v " ZERO " 1)", "(?item ?distance)");
  SYNTAX("(?p :d) vec:nearest (:v " ZERO " 1)", "distance");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO ")", "(index query k)");
  SYNTAX("(?p ?d) vec:nearest :v", "(index query k)");
  SYNTAX("(?p ?d) vec:nearest (?v " ZERO " 1)", "index");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 0)", "from 1 to");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " -1)", "from 1 to");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " ?k)", "from 1 to");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1 vec:ef)", "(index query k)");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1 vec:foo 3)", "vec:ef");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1 vec:exact 3)", "true or false");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1 vec:maxDistance \"x\")", "number");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1), (:v " ZERO " 2)", "one object");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1) ; :n ?n", "nothing else");
  SYNTAX("(?p ?d) :n ?n ; vec:nearest (:v " ZERO " 1)", "nothing else");
  SYNTAX("?p :n ?d . (?p ?d) vec:nearest (:v " ZERO " 1)", "wrap in { }");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1) BIND(?d + 1 AS ?e)", "wrap in { }");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1) OPTIONAL { ?x :n ?d }", "wrap in { }");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1) . (?r ?d) vec:nearest (:v " ZERO " 1)",
         "wrap in { }");
  SYNTAX("(?d ?d) vec:nearest (:v " ZERO " 1)", "wrap in { }");
  SYNTAX("SERVICE vec:search { [] vec:on :v ; vec:k 1 ; vec:item ?p ; vec:distance ?d }",
         "vec:query");
  SYNTAX("SERVICE vec:search { ?p a :T }", "vec:on");
  /* What is said twice is refused: neither value can be the one that was meant. */
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1 vec:exact true vec:exact false)", "vec:exact");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 1 vec:ef 3 vec:scope vec:index vec:ef 3)", "vec:ef");
#define SEARCH(words) SYNTAX("SERVICE vec:search { [] vec:on :v ; " words " }", "more than once")
  SEARCH("vec:query :a , :b ; vec:k 1 ; vec:item ?p ; vec:distance ?d");
  SEARCH("vec:query :a ; vec:k 1 , 2 ; vec:item ?p ; vec:distance ?d");
  SEARCH("vec:query :a ; vec:k 1 ; vec:item ?p , ?r ; vec:distance ?d");
  SEARCH("vec:query :a ; vec:k 1 ; vec:item ?p ; vec:distance ?d , ?e");
  SEARCH("vec:query :a ; vec:k 1 ; vec:item ?p ; vec:distance ?d ; vec:on :c");
  SEARCH("vec:query :a ; vec:k 1 ; vec:item ?p ; vec:distance ?d ; vec:ef 2 ; vec:ef 2");
#undef SEARCH
  /* A word that no search has is no triple of the candidates. */
  SYNTAX("SERVICE vec:search { [] vec:on :v ; vec:query :a ; vec:k 1 ; vec:item ?p ; "
         "vec:distance ?d ; vec:efx 3 }",
         "bad option");
  SYNTAX("SERVICE vec:search { [] :n 3 ; vec:on :v ; vec:query :a ; vec:k 1 ; vec:item ?p ; "
         "vec:distance ?d }",
         "bad option");
  SYNTAX("(?p ?d) vec:nearest/:n (:v " ZERO " 1)", "property path");
  SYNTAX("(:v " ZERO " 1) ^vec:nearest (?p ?d)", "property path");
  SYNTAX("(?p ?d) :n|(:n/vec:nearest*) (:v " ZERO " 1)", "property path");
  SYNTAX("(?p ?d) vec:nearest (:v " ZERO " 10000000000)", "to 4294967295");
  SYNTAX("FILTER(vec:dim(DISTINCT ?p))", "DISTINCT");
  SYNTAX("SERVICE SILENT vec:search { ?p a :T }", "SILENT");
#undef SYNTAX
#define BAD(pattern, status, message)                                                              \
  FAILS(&w, "SELECT * {\n " pattern " }", QUOIN_ERR_##status, message)
  BAD("(?p ?d) vec:nearest (:none " ZERO " 1)", NOT_FOUND, "no vector index");
  BAD("(?p ?d) vec:nearest (:v \"[1,2,3]\"^^vec:f32 1)", CONSTRAINT, "dimension");
  BAD("(?p ?d) vec:nearest (:v \"[1,nan]\"^^vec:f32 1)", CONSTRAINT, "not a vector");
  BAD("(?p ?d) vec:nearest (:v 7 1)", CONSTRAINT, "not a vector");
  BAD("(?p ?d) vec:nearest (:c " ZERO " 1)", CONSTRAINT, "zero vector");
  BAD("(?p ?d) vec:nearest (:v :e 1)", NOT_FOUND, "without a vector");
  BAD("(?p ?d) vec:nearest (:v :nobody 1)", NOT_FOUND, "without a vector");
  BAD("(?p ?d) vec:nearest (:v ?x 1)", SYNTAX, "nothing in its group binds");
  BAD("(?p ?d) vec:nearest (:v [] 1)", SYNTAX, "blank node");
  BAD("?p :n ?n . (?p ?d) vec:nearest (:v ?n 1)", CONSTRAINT, "not a vector");
#undef BAD
  answer a = world_run(&w, "SELECT * {\n   (?p ?d) vec:nearest (:none " ZERO " 1) }", NULL);
  assert_int_equal(a.err.line, 2);
  assert_int_equal(a.err.column, 12);
  answer_free(&a);
  world_close(&w);
}

/* By the definition a FILTER without a distance sees the group alone, in which an item that only
 * vec:nearest binds is unbound: it is refused, where it stands, rather than always false. */
static void
test_nearest__an_item_that_only_the_search_binds(void **state)
{
  world w;
  (void)state;
  world_open(&w, SMALL);
#define NEAR "(?p ?d) vec:nearest (:v :a 3) "
#define REFUSED(pattern) FAILS(&w, "SELECT * { " pattern " }", QUOIN_ERR_SYNTAX, "wrap vec:nearest")
  REFUSED(NEAR "FILTER(?p != :a)");
  REFUSED("?x :n ?n . " NEAR "FILTER(?n > 1) FILTER(?p != ?x)");
  REFUSED(NEAR "FILTER NOT EXISTS { ?p a :T }");
  REFUSED(NEAR "FILTER(EXISTS { ?x a :T FILTER(?x = ?p) } || ?d > 1) FILTER(STR(?p) > 'a')");
  REFUSED(NEAR "BIND(STR(?p) AS ?name)");
  REFUSED(NEAR "MINUS { ?p a :T }");
  REFUSED(NEAR "OPTIONAL { ?x :n ?n FILTER(?x = ?p) }");
  REFUSED("OPTIONAL { " NEAR "FILTER(?p != :a) }");
  REFUSED("GRAPH ?g { (?p ?d) vec:nearest (:v :x 3) FILTER(?p != :x) }");
  REFUSED("SERVICE vec:search { [] vec:on :v ; vec:query :a ; vec:k 3 ; vec:item ?p ; "
          "vec:distance ?d FILTER(?p != :a) }");
  REFUSED(NEAR ". (?r ?e) vec:nearest (:v ?p 1) FILTER(?r != :a)");
  /* Around it, with a distance, bound by the rest, or asked for whether it is. */
  EXPECT(&w, "SELECT ?p { { " NEAR "} FILTER(?p != :a) }", ":b\n:d\n");
  EXPECT(&w, "SELECT ?p { " NEAR "FILTER(?p != :a && ?d < 9) }", ":b\n:d\n");
  EXPECT(&w, "SELECT ?p { ?p a :T . " NEAR "FILTER(?p != :a) }", ":b\n");
  EXPECT(&w, "SELECT ?p { ?p a :None . " NEAR "FILTER(?p != :a) }", "");
  EXPECT(&w, "SELECT ?p { OPTIONAL { ?p a :U } " NEAR "FILTER(?p != :a) }", ":d\n");
  EXPECT(&w, "SELECT ?p { " NEAR "FILTER(!BOUND(?p)) }", ":a\n:b\n:d\n");
  EXPECT(&w, "SELECT ?p { { " NEAR "} MINUS { ?p a :T } }", ":d\n");
  EXPECT(&w, "SELECT ?p { " NEAR ". (?p ?e) vec:nearest (:v :b 1) }", ":b\n");
  /* In EXISTS it has the value of the row around. */
  EXPECT(&w, "SELECT ?p { ?p :n ?n FILTER EXISTS { " NEAR "FILTER(?p != :a) } }", ":b\n:d\n");
  answer a = world_run(&w, "SELECT * {\n " NEAR "\n  FILTER(?p != :a) }", NULL);
  assert_int_equal(a.err.line, 3);
  assert_int_equal(a.err.column, 10);
  answer_free(&a);
#undef REFUSED
#undef NEAR
  world_close(&w);
}

static void
test_nearest__explain(void **state)
{
  world w;
  base_buffer plan;
  (void)state;
  world_open(&w, SMALL);
  world_explain(&plan, &w, "SELECT * { ?p a :T . (?p ?d) vec:nearest (:v " ZERO " 2) }");
  assert_non_null(strstr(plan.data, "nearest ?p ?d over <http://x/v>, k 2"));
  assert_non_null(
      strstr(plan.data, "; of 8 vectors, among those of the group, about 3; exact, all "));
  base_buffer_clear(&plan);
#define PLAN(query, text)                                                                          \
  world_explain(&plan, &w, "SELECT * " query);                                                     \
  assert_non_null(strstr(plan.data, text));                                                        \
  base_buffer_clear(&plan)
  PLAN("{ (?p ?d) vec:nearest (:v " ZERO " 2) }", "; of 8 vectors, among all; exact, all vectors");
  PLAN("{ ?p a :T . (?p ?d) vec:nearest (:v " ZERO " 2 vec:scope vec:index) }", "2, then joined; ");
  PLAN("{ GRAPH :g9 { (?p ?d) vec:nearest (:v " ZERO " 2) } }",
       "; nothing to search: no vectors in the active graph");
  PLAN("FROM :g9 { (?p ?d) vec:nearest (:v " ZERO " 2) }", ": no vectors in the active graph");
  PLAN("{ GRAPH ?g { (?p ?d) vec:nearest (:v " ZERO " 2) } }", "; a way for each graph");
  PLAN("{ ?q :is ?v . (?p ?d) vec:nearest (:v ?v 2) }", "; a way for each query");
  PLAN("{ VALUES ?q { :a :b } ?p a :T . (?p ?d) vec:nearest (:v ?q 2) }",
       "those of the group, about 3, for about 2 queries; exact, ");
  PLAN("{ VALUES ?q { :a :b } ?p a :T . ?q a :T . (?p ?d) vec:nearest (:v ?q 2) }", " queries; ");
  PLAN("{ VALUES ?q { :a :b } ?p a ?t . ?q a ?t . (?p ?d) vec:nearest (:v ?q 2) }",
       "; a way for each query");
#undef PLAN
  world_close(&w);
}

/* ---- against the definition, at random --------------------------------------------------------
 */

enum { SUBJECTS = 60, DIMENSION = 5 };

static uint64_t seed;

static unsigned
pick(unsigned n)
{
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(seed >> 33) % n;
}

static void
put_vector(base_buffer *out, const char *type)
{
  base_buffer_text(out, "\"[");
  for (int i = 0; i < DIMENSION; i++)
    base_buffer_printf(out, "%s%d.%02u", i ? "," : "", (int)pick(9) - 4, pick(100));
  base_buffer_printf(out, "]\"^^%s ", type);
}

static void
put_world(base_buffer *out, const char *metric)
{
  base_buffer_printf(out,
                     "@prefix vec: <urn:x-quoin:vec#> . <urn:x-quoin:system> { :v a vec:Index ; "
                     "vec:dimension %d ; vec:metric vec:%sMetric } ",
                     DIMENSION, metric);
  for (int g = 0; g < 3; g++) {
    if (g) base_buffer_printf(out, ":g%d { ", g);
    for (int s = 0; s < SUBJECTS; s++) {
      if (!pick(3)) continue;
      base_buffer_printf(out, ":s%d a :T%u ; :n %u ; :o :s%u . ", s, pick(3), pick(20),
                         pick(SUBJECTS));
      for (unsigned n = pick(4); n; n--) {
        base_buffer_printf(out, ":s%d :v ", s);
        if (pick(8))
          put_vector(out, "vec:f32");
        else
          base_buffer_printf(out, "\"[1,2,3,%u,1]\"^^vec:f32 ", pick(2));
        base_buffer_text(out, ". ");
      }
    }
    if (g) base_buffer_text(out, "} ");
  }
}

/* A group that binds ?s, or does not. */
static const char *
group(char out[512])
{
  switch (pick(11)) {
  case 0:
    return "";
  case 1:
    return "?x :n 3 .";
  case 2:
    sprintf(out, "?s a :T%u .", pick(3));
    return out;
  case 3:
    sprintf(out, "?s :n ?n . FILTER(?n < %u)", pick(20));
    return out;
  case 4:
    sprintf(out, "?s a :T1 OPTIONAL { ?s :n ?n FILTER(?n > %u) }", pick(20));
    return out;
  case 5:
    return "{ ?s a :T1 } UNION { ?s :n ?n }";
  case 6:
    return "?s :n ?n MINUS { ?s a :T2 }";
  case 7:
    return "VALUES ?s { :s1 :s2 :s3 :s4 :s5 :s6 :s7 :s8 :none }";
  case 8:
    return "{ SELECT DISTINCT ?s { ?x :o ?s } }";
  case 9:
    return "?s :o/:o ?y . BIND(?y AS ?z)";
  default:
    return "?s ?any ?thing .";
  }
}

typedef struct line {
  char item[160];
  double distance;
  int n;
} line;

static size_t
read_lines(line **out, const answer *a)
{
  *out = calloc(a->n + 1, sizeof(line));
  assert_non_null(*out);
  for (size_t i = 0; i < a->n; i++) {
    line *to = &(*out)[i];
    /* "item graph "distance"^^type n" with the item and the graph as the key */
    char *quote = strchr(a->rows[i], '"');
    assert_non_null(quote);
    memcpy(to->item, a->rows[i], (size_t)(quote - a->rows[i]));
    to->distance = strtod(quote + 1, NULL);
    to->n = atoi(strrchr(a->rows[i], ' '));
  }
  return a->n;
}

/* Rows of `got` are the k nearest of `all` in their graph, each as often as it should be. */
static void
check_lines(const line *got, size_t n_got, const line *all, size_t n_all, unsigned k,
            const char *text)
{
  size_t expected = 0;
  for (size_t i = 0; i < n_all; i++) {
    const char *graph = strchr(all[i].item, ' ');
    size_t nearer = 0, same = 0;
    bool found = false;
    for (size_t j = 0; j < n_all; j++) {
      if (strcmp(strchr(all[j].item, ' '), graph)) continue;
      nearer += all[j].distance < all[i].distance;
      same += all[j].distance == all[i].distance;
    }
    for (size_t j = 0; j < n_got; j++)
      if (!strcmp(got[j].item, all[i].item)) {
        found = true;
        if (got[j].distance != all[i].distance || got[j].n != all[i].n)
          fail_msg("seed %llu: %s: %s at %.17g %d times, not %.17g %d", (unsigned long long)seed,
                   text, got[j].item, got[j].distance, got[j].n, all[i].distance, all[i].n);
      }
    bool must = nearer + same <= k, may = nearer < k;
    if ((must && !found) || (!may && found))
      fail_msg("seed %llu: %s: %s at %.17g is %s", (unsigned long long)seed, text, all[i].item,
               all[i].distance, found ? "there" : "missing");
    expected += found;
  }
  if (expected != n_got) fail_msg("%s: %zu rows, not %zu", text, n_got, expected);
}

static answer
run(world *w, const char *text, const sparql_run_options *options)
{
  answer a = world_run(w, text, options);
  if (a.status) fail_msg("%s: %s", text, a.err.message);
  return a;
}

/* One random group in one of three active graphs. */
static void
try_group(world *w, const char *metric, bool exact)
{
  static const char *const open[] = {"", "GRAPH :g1 {", "GRAPH ?g {"};
  char buffer[512];
  base_buffer near, meaning, query;
  unsigned where = pick(4), k = 1 + pick(12);
  const sparql_run_options options = {.union_default_graph = where == 3, .plain = pick(4) == 0};
  const char *pattern = group(buffer), *graph = where == 3 ? "" : open[where];
  const char *close = graph[0] ? "}" : "";
  base_buffer_init(&near, base_alloc_default());
  base_buffer_init(&meaning, base_alloc_default());
  base_buffer_init(&query, base_alloc_default());
  put_vector(&query, "vec:f32");
  base_buffer_byte(&query, '\0');
  base_buffer_printf(
      &near,
      "SELECT ?s ?g ?d (COUNT(*) AS ?count) { %s %s (?s ?d) vec:nearest (:v %s %u %s) "
      "%s } GROUP BY ?s ?g ?d",
      graph, pattern, query.data, k, exact ? "vec:exact true" : "", close);
  base_buffer_byte(&near, '\0');
  /* Each row once for each vector: divided by their number. */
  base_buffer_printf(&meaning,
                     "SELECT ?s ?g (MIN(vec:%sDistance(?vv, %s)) AS ?d) "
                     "(xsd:integer(COUNT(*) / COUNT(DISTINCT ?vv)) AS ?count) "
                     "{ %s { %s } ?s :v ?vv %s } GROUP BY ?s ?g",
                     metric, query.data, graph, pattern, close);
  base_buffer_byte(&meaning, '\0');
  answer got = run(w, near.data, &options), all = run(w, meaning.data, &options);
  line *got_lines, *all_lines;
  size_t n_got = read_lines(&got_lines, &got), n_all = read_lines(&all_lines, &all);
  check_lines(got_lines, n_got, all_lines, n_all, k, near.data);
  free(got_lines);
  free(all_lines);
  answer_free(&got);
  answer_free(&all);
  base_buffer_clear(&near);
  base_buffer_clear(&meaning);
  base_buffer_clear(&query);
}

/* A second one keeps the k nearest of what the first has left. */
static void
try_two(world *w, const char *metric, bool exact)
{
  static const char *const open[] = {"", "GRAPH :g1 {", "GRAPH ?g {"};
  char buffer[512];
  base_buffer near, meaning, first, second;
  unsigned where = pick(3), k = 1 + pick(20), l = 1 + pick(8);
  const sparql_run_options options = {.plain = pick(4) == 0};
  const char *pattern = group(buffer), *graph = open[where], *close = graph[0] ? "}" : "";
  base_buffer_init(&near, base_alloc_default());
  base_buffer_init(&meaning, base_alloc_default());
  base_buffer_init(&first, base_alloc_default());
  base_buffer_init(&second, base_alloc_default());
  base_buffer_printf(&first, "(?s ?first) vec:nearest (:v ");
  put_vector(&first, "vec:f32");
  base_buffer_printf(&first, "%u vec:exact true)", k);
  base_buffer_byte(&first, '\0');
  put_vector(&second, "vec:f32");
  base_buffer_byte(&second, '\0');
  base_buffer_printf(&near,
                     "SELECT ?s ?g ?d (COUNT(*) AS ?count) { %s %s %s . (?s ?d) vec:nearest (:v %s "
                     "%u %s) %s } GROUP BY ?s ?g ?d",
                     graph, pattern, first.data, second.data, l, exact ? "vec:exact true" : "",
                     close);
  base_buffer_byte(&near, '\0');
  base_buffer_printf(&meaning,
                     "SELECT ?s ?g (MIN(vec:%sDistance(?vv, %s)) AS ?d) "
                     "(xsd:integer(COUNT(*) / COUNT(DISTINCT ?vv)) AS ?count) "
                     "{ %s { %s %s } ?s :v ?vv %s } GROUP BY ?s ?g",
                     metric, second.data, graph, pattern, first.data, close);
  base_buffer_byte(&meaning, '\0');
  answer got = run(w, near.data, &options), all = run(w, meaning.data, &options);
  line *got_lines, *all_lines;
  size_t n_got = read_lines(&got_lines, &got), n_all = read_lines(&all_lines, &all);
  check_lines(got_lines, n_got, all_lines, n_all, l, near.data);
  free(got_lines);
  free(all_lines);
  answer_free(&got);
  answer_free(&all);
  base_buffer_clear(&near);
  base_buffer_clear(&meaning);
  base_buffer_clear(&first);
  base_buffer_clear(&second);
}

static int
compare_rows(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two queries have the same rows. */
static void
expect_same(world *w, const char *one, const char *other, const sparql_run_options *options)
{
  answer a = run(w, one, options), b = run(w, other, options);
  if (a.n) qsort(a.rows, a.n, sizeof(*a.rows), compare_rows);
  if (b.n) qsort(b.rows, b.n, sizeof(*b.rows), compare_rows);
  if (a.n != b.n)
    fail_msg("seed %llu: %zu rows of %s, %zu of %s", (unsigned long long)seed, a.n, one, b.n,
             other);
  for (size_t i = 0; i < a.n; i++)
    if (strcmp(a.rows[i], b.rows[i]))
      fail_msg("seed %llu: %s is in %s, %s in %s", (unsigned long long)seed, a.rows[i], one,
               b.rows[i], other);
  answer_free(&a);
  answer_free(&b);
}

/* Wherever it stands, its group is that of the braces around it; and a query that a group binds is
 * asked by itself. */
static void
try_place(world *w)
{
  static const char *const places[] = {"?s :n ?m OPTIONAL { %s }", "{ %s } UNION { ?s :o ?m }",
                                       "?s :n ?m MINUS { %s }",    "?s :n ?m { %s }",
                                       "OPTIONAL { %s } ?s a ?m",  "GRAPH ?g { ?s :n ?m { %s } }"};
  char buffer[512], one[2048], other[2048], bare[1024], wrapped[1200];
  const sparql_run_options options = {.plain = pick(4) == 0};
  const char *pattern = group(buffer);
  unsigned k = 1 + pick(9), place = pick(sizeof(places) / sizeof(*places));
  base_buffer query[2];
  for (int i = 0; i < 2; i++) {
    base_buffer_init(&query[i], base_alloc_default());
    put_vector(&query[i], "vec:f32");
    base_buffer_byte(&query[i], '\0');
  }
  (void)snprintf(bare, sizeof(bare), "%s (?s ?d) vec:nearest (:v %s %u vec:exact true)", pattern,
                 query[0].data, k);
  (void)snprintf(wrapped, sizeof(wrapped), "{ SELECT * { %s } }", bare);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* of the table above */
  int n = sprintf(one, "SELECT * { "), m = sprintf(other, "SELECT * { ");
  (void)snprintf(one + n, sizeof(one) - 8 - (size_t)n, places[place], bare);
  (void)snprintf(other + m, sizeof(other) - 8 - (size_t)m, places[place], wrapped);
#pragma GCC diagnostic pop
  strcat(one, " }");
  strcat(other, " }");
  expect_same(w, one, other, &options);
  (void)snprintf(
      one, sizeof(one),
      "SELECT ?q ?s ?d { VALUES ?q { %s %s } %s (?s ?d) vec:nearest (:v ?q %u vec:exact true) }",
      query[0].data, query[1].data, pattern, k);
  (void)snprintf(
      other, sizeof(other),
      "SELECT ?q ?s ?d { { { %s (?s ?d) vec:nearest (:v %s %u vec:exact true) } BIND(%s AS ?q) }"
      " UNION { { %s (?s ?d) vec:nearest (:v %s %u vec:exact true) } BIND(%s AS ?q) } }",
      pattern, query[0].data, k, query[0].data, pattern, query[1].data, k, query[1].data);
  if (strcmp(query[0].data, query[1].data)) expect_same(w, one, other, &options);
  base_buffer_clear(&query[0]);
  base_buffer_clear(&query[1]);
}

static void
test_nearest__random_groups_as_defined(void **state)
{
  static const char *const metrics[] = {"cosine", "dot", "l2"};
  const char *given = getenv("QUOIN_SEED");
  (void)state;
  seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  for (int round = 0; round < 3; round++) {
    world w;
    base_buffer trig;
    const char *metric = metrics[pick(3)];
    base_buffer_init(&trig, base_alloc_default());
    put_world(&trig, metric);
    base_buffer_byte(&trig, '\0');
    world_open(&w, trig.data);
    base_buffer_clear(&trig);
    for (int i = 0; i < 60; i++)
      try_group(&w, metric, i % 2 == 0);
    for (int i = 0; i < 20; i++) {
      try_two(&w, metric, i % 2 == 0);
      try_place(&w);
    }
    world_close(&w);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nearest__top_of_the_index),
      cmocka_unit_test(test_nearest__of_the_matches),
      cmocka_unit_test(test_nearest__queries),
      cmocka_unit_test(test_nearest__graphs),
      cmocka_unit_test(test_nearest__other_datatypes),
      cmocka_unit_test(test_nearest__a_resource_in_each_graph),
      cmocka_unit_test(test_nearest__functions),
      cmocka_unit_test(test_nearest__errors),
      cmocka_unit_test(test_nearest__an_item_that_only_the_search_binds),
      cmocka_unit_test(test_nearest__explain),
      cmocka_unit_test(test_nearest__random_groups_as_defined),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
