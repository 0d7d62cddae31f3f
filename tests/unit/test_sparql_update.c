/* SPARQL Update: what each operation does to a small store, worked out by hand from SPARQL 1.1
 * Update. Requests as a whole: test_sparql_update_request.c. */
#include "sparql_update_world.h"

/* ---- data, templates
 * ----------------------------------------------------------------------------- */

static void
test_update__data(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :p 1, 1, 2 GRAPH :g { :a :p 1 } :b :p :c }", 4, 0);
  UPDATE(w, "INSERT DATA { :a :p 1 }", 0, 0);
  UPDATE(w, "DELETE DATA { :a :p 1, 99 GRAPH :g { :a :p 1 . :x :y :z } }", 0, 2);
  EXPECT(w, ALL, "- :a :p 2\n- :b :p :c\n");
  UPDATE(w, "", 0, 0);
  UPDATE(w, "INSERT DATA { :a :p 3 } ; DELETE DATA { :a :p 3 }", 0, 0);
  UPDATE(w, "DELETE DATA { :a :p 2 } ; INSERT DATA { :a :p 2 } ; INSERT DATA { :a :p 4 }", 1, 0);
}

static void
test_update__delete_before_insert(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :v 1 . :b :v 2 . :c :v 3 }", 3, 0);
  /* Every value moves on: what one row deletes another inserts, and the insertion stays. */
  UPDATE(w, "DELETE { ?s :v ?x } INSERT { ?s :v ?x , ?y } WHERE { ?s :v ?x BIND(?x + 1 AS ?y) }", 3,
         0);
  EXPECT(w, ALL, "- :a :v 1\n- :a :v 2\n- :b :v 2\n- :b :v 3\n- :c :v 3\n- :c :v 4\n");
  UPDATE(w, "DELETE WHERE { ?s :v ?x . ?t :v ?x }", 0, 6);
  EXPECT(w, ALL, "");
}

static void
test_update__illegal_quads_are_left_out(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :p 1 ; :q :b ; :r \"x\" . _:n :q :b }", 4, 0);
  /* Subject, predicate and graph from objects of every kind; ?nothing is never bound. */
  UPDATE(w, "INSERT { ?o :was ?s } WHERE { ?s ?p ?o }", 2, 0);
  UPDATE(w, "INSERT { :s ?o :o . :s ?s :o } WHERE { ?s ?p ?o FILTER(?p != :was) }", 2, 0);
  UPDATE(w, "INSERT { GRAPH ?o { :s :p ?o } GRAPH ?nothing { :s :p :o } } WHERE { :a ?p ?o }", 1,
         0);
  EXPECT(w, "SELECT ?g ?o { GRAPH ?g { :s :p ?o } }", ":b :b\n");
  UPDATE(w, "DELETE { ?nothing :p :o . :a :p ?o } WHERE { :a :p ?o OPTIONAL { :a :z ?nothing } }",
         0, 1);
}

static void
test_update__with_using_and_union(void **state)
{
  world *w = *state;
  const sparql_update_options all = {.union_default_graph = true};
  UPDATE(w, "INSERT DATA { :d :p 0 GRAPH :g { :a :p 1 } GRAPH :h { :b :p 2 } }", 3, 0);
  UPDATE(w, "WITH :g INSERT { ?s :in :g } WHERE { ?s :p ?o }", 1, 0);
  /* WITH is the default graph of WHERE; the named graphs stay. */
  UPDATE(w, "WITH :g INSERT { ?s :and ?t } WHERE { ?s :p ?o GRAPH :h { ?t :p ?x } }", 1, 0);
  UPDATE(
      w,
      "WITH :g DELETE { ?s :in ?o } WHERE { ?s :in ?o } ; WITH :g DELETE { :a :and :b } WHERE {}",
      0, 2);
  /* USING replaces it, for WHERE alone. */
  UPDATE(w, "WITH :k INSERT { ?s ?p ?o } USING :g USING :h WHERE { ?s ?p ?o }", 2, 0);
  UPDATE(w, "WITH :k DELETE { ?s ?p ?o } USING :none WHERE { ?s ?p ?o }", 0, 0);
  UPDATE(w, "WITH :k DELETE { ?s ?p ?o } USING NAMED :h WHERE { GRAPH ?g { ?s ?p ?o } }", 0, 1);
  EXPECT(w, ALL, "- :d :p 0\n:g :a :p 1\n:h :b :p 2\n:k :a :p 1\n");
  /* The union is read; the default graph is written. */
  UPDATE_WITH(w, "DELETE { ?s :p ?o } INSERT { ?s :q ?o } WHERE { ?s :p ?o }", &all, 3, 1);
  EXPECT(w, "SELECT * { ?s :q ?o }", ":a 1\n:b 2\n:d 0\n");
}

/* ---- blank nodes
 * --------------------------------------------------------------------------------- */

static void
test_update__blank_nodes_of_data_and_templates(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :to _:b1 GRAPH :g { _:b1 :p 1 } }", 2, 0);
  EXPECT(w, "SELECT ?o { :a :to ?x GRAPH :g { ?x :p ?o } }", "1\n"); /* one label, one node */
  UPDATE(w, "INSERT DATA { :b :to _:b1 }", 1, 0); /* of another request, not the stored b1 */
  EXPECT(w, "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?s :to ?x }", "2\n");
  UPDATE(w, "INSERT { ?s :new _:n . _:n :of ?s GRAPH :h { _:n :p 1 } } WHERE { ?s :to ?x }", 6, 0);
  EXPECT(w, "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?s :new ?x . ?x :of ?s GRAPH :h { ?x :p 1 } }",
         "2\n");
  UPDATE(
      w,
      "INSERT { ?s :again _:n } WHERE { ?s :to ?x } ; INSERT { ?s :again _:n } WHERE { ?s :to ?x }",
      4, 0);
  /* A bound blank node stands for the stored one. */
  UPDATE(w, "DELETE { ?s :to ?x } INSERT { ?x :from ?s } WHERE { ?s :to ?x }", 2, 2);
  EXPECT(w, "SELECT ?s ?o { ?x :from ?s GRAPH :g { ?x :p ?o } }", ":a 1\n");
}

static void
test_update__blank_nodes_of_bnode(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :p 1 . :b :p 2 }", 2, 0);
  UPDATE(w,
         "INSERT { ?s :n ?x, ?y, ?z } WHERE { ?s :p ?o BIND(BNODE() AS ?x) BIND(BNODE(\"l\") AS ?y)"
         "  BIND(BNODE(\"l\") AS ?z) } ; "
         "INSERT { ?s :n ?x, ?y } WHERE { ?s :p ?o BIND(BNODE() AS ?x) BIND(BNODE(\"l\") AS ?y) }",
         8, 0);
  EXPECT(w, "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?s :n ?x }", "8\n");
}

/* ---- graphs
 * -------------------------------------------------------------------------------------- */

#define GRAPHS                                                                                     \
  "DROP ALL ; INSERT DATA { :d :p 0 GRAPH :g { :a :p 1 . :b :p 2 } GRAPH :h { :b :p 2 . :c :p 3 "  \
  "} }"

static void
test_update__clear_and_drop(void **state)
{
  world *w = *state;
  static const char *const words[] = {"CLEAR", "DROP", "CLEAR SILENT", "DROP SILENT"};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    char text[200];
    UPDATE(w, GRAPHS, 5, 0);
#define STEP(what, removed)                                                                        \
  ((void)snprintf(text, sizeof(text), "%s %s", words[i], what), UPDATE(w, text, 0, removed))
    STEP("GRAPH :g", 2);
    EXPECT(w, ALL, "- :d :p 0\n:h :b :p 2\n:h :c :p 3\n");
    STEP("GRAPH :g", 0); /* what is not there is no error: empty graphs are not recorded */
    STEP("GRAPH :unheard", 0);
    STEP("DEFAULT", 1);
    STEP("DEFAULT", 0);
    STEP("NAMED", 2);
    EXPECT(w, ALL, "");
    UPDATE(w, GRAPHS, 5, 0);
    STEP("NAMED", 4);
    EXPECT(w, ALL, "- :d :p 0\n");
    UPDATE(w, GRAPHS, 4, 0);
    STEP("ALL", 5);
    EXPECT(w, ALL, "");
  }
}

static void
test_update__the_system_graph_stays(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { GRAPH <urn:x-quoin:system> { :i a vec:Index } GRAPH :g { :a :p 1 } }", 2,
         0);
  UPDATE(w, "CLEAR NAMED ; DROP ALL", 0, 1);
  UPDATE(w, "INSERT { :seen :in ?g } WHERE { GRAPH ?g { ?s ?p ?o } }", 0, 0);
  EXPECT(w, "SELECT ?s { GRAPH <urn:x-quoin:system> { ?s a ?o } }", ":i\n");
  /* New in the same request, too; by its name it goes. */
  UPDATE(w, "INSERT DATA { GRAPH <urn:x-quoin:system> { :j a vec:Index } } ; DROP ALL", 1, 0);
  UPDATE(w, "DROP GRAPH <urn:x-quoin:system>", 0, 2);
}

static void
test_update__create(void **state)
{
  world *w = *state;
  UPDATE(w, GRAPHS, 5, 0);
  UPDATE(w, "CREATE GRAPH :new ; CREATE SILENT GRAPH :g", 0, 0);
  FAILS(w, "CREATE GRAPH :g", QUOIN_ERR_EXISTS, "<http://x/g>");
  FAILS(w, "INSERT DATA { GRAPH :n { :a :p 1 } } ; CREATE GRAPH :n", QUOIN_ERR_EXISTS, "/n>");
  UPDATE(w, "CLEAR GRAPH :g ; CREATE GRAPH :g", 0, 2);
}

static void
test_update__add_copy_move(void **state)
{
  world *w = *state;
  UPDATE(w, GRAPHS, 5, 0);
  UPDATE(w, "ADD :g TO :h", 1, 0);
  EXPECT(w, ALL, "- :d :p 0\n:g :a :p 1\n:g :b :p 2\n:h :a :p 1\n:h :b :p 2\n:h :c :p 3\n");
  UPDATE(w, GRAPHS "; COPY :g TO :h", 0, 1);
  EXPECT(w, ALL, "- :d :p 0\n:g :a :p 1\n:g :b :p 2\n:h :a :p 1\n:h :b :p 2\n");
  UPDATE(w, "MOVE :h TO DEFAULT", 2, 3);
  EXPECT(w, ALL, "- :a :p 1\n- :b :p 2\n:g :a :p 1\n:g :b :p 2\n");
  UPDATE(w, "MOVE DEFAULT TO GRAPH :new ; ADD :new TO DEFAULT ; DROP GRAPH :new", 0, 0);
  /* A graph onto itself stays as it is. */
  UPDATE(w, "COPY :g TO :g ; MOVE :g TO :g ; ADD :g TO :g ; MOVE DEFAULT TO DEFAULT", 0, 0);
  EXPECT(w, ALL, "- :a :p 1\n- :b :p 2\n:g :a :p 1\n:g :b :p 2\n");
}

static void
test_update__a_source_must_exist(void **state)
{
  world *w = *state;
  UPDATE(w, GRAPHS, 5, 0);
  FAILS(w, "COPY :none TO :g", QUOIN_ERR_NOT_FOUND, "<http://x/none>");
  FAILS(w, "MOVE :none TO :g", QUOIN_ERR_NOT_FOUND, "<http://x/none>");
  FAILS(w, "ADD :none TO :g", QUOIN_ERR_NOT_FOUND, "<http://x/none>");
  FAILS(w, "COPY :none TO :none", QUOIN_ERR_NOT_FOUND, "<http://x/none>");
  UPDATE(w, "COPY SILENT :none TO :g ; MOVE SILENT :none TO DEFAULT ; ADD SILENT :none TO :g", 0,
         0);
  UPDATE(w, "CLEAR DEFAULT ; COPY DEFAULT TO :g", 0, 3); /* the default graph always exists */
  EXPECT(w, ALL, ":h :b :p 2\n:h :c :p 3\n");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_update__##name, open_empty, close_world)
      TEST(data),
      TEST(delete_before_insert),
      TEST(illegal_quads_are_left_out),
      TEST(with_using_and_union),
      TEST(blank_nodes_of_data_and_templates),
      TEST(blank_nodes_of_bnode),
      TEST(clear_and_drop),
      TEST(the_system_graph_stays),
      TEST(create),
      TEST(add_copy_move),
      TEST(a_source_must_exist),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
