/* EXISTS as a join and as a look for each row: which one is planned, and the same answers with the
 * optimiser off, which looks for each row. */
#include "tests/unit/sparql_query_world.h"

static const char shop[] =
    ":a :p :x , :y ; :q 1 ; :n 5 . :b :p :x ; :n 7 . :c :q 2 , 3 ; :n 5 . :d :p :z ; :r :a ; :n 9 ."
    ":x :q 1 . :z :q 9 . :e :n 1 ; :q 5 ; :r :e ."
    ":g1 { :a :p :x . :b :q 1 } :g2 { :c :p :a . :c :q 2 } :g3 { :e :p :e ; :q :e }";

/* The answer, and an operator that the plan has; NULL: it has neither of the two joins. */
static void
expect_plan(world *w, const char *text, const char *name, const char *expected, int line)
{
  base_buffer plan;
  world_expect(w, text, NULL, false, expected, __FILE__, line);
  world_explain(&plan, w, text);
  bool good = name ? strstr(plan.data, name) != NULL
                   : !strstr(plan.data, "semi join") && !strstr(plan.data, "anti join");
  if (!good) fail_msg("line %d: %s\n%s", line, text, plan.data);
  base_buffer_clear(&plan);
}

#define PLANNED(w, text, name, expected) expect_plan(w, text, name, expected, __LINE__)

static void
test_exists__joined_where_it_stands_alone(void **state)
{
  world w;
  (void)state;
  world_open(&w, shop);
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :p ?o } }", "semi join", ":a\n:b\n:d\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER NOT EXISTS { ?s :p ?o } }", "anti join", ":c\n:e\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER(!EXISTS { ?s :p ?o }) }", "anti join", ":c\n:e\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER(!(!EXISTS { ?s :p ?o })) }", "semi join",
          ":a\n:b\n:d\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :p ?o . ?o :q ?n2 FILTER(?n2 > 1) } }",
          "semi join", ":d\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { { ?s :p ?o } UNION { ?s :r ?o } } }",
          "semi join", ":a\n:b\n:d\n:e\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER NOT EXISTS { ?s :q ?o MINUS { ?s :r ?s } } }",
          "anti join", ":b\n:d\n:e\n");
  PLANNED(
      &w,
      "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :p ?o OPTIONAL { ?o :q ?m } FILTER(!BOUND(?m)) } }",
      "semi join", ":a\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { SELECT DISTINCT ?s { ?s :p ?n } } }",
          "semi join", ":a\n:b\n:d\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :r* ?s2 . ?s2 :p ?o } }", "semi join",
          ":a\n:b\n:d\n");
  PLANNED(&w,
          "SELECT ?s ?n { ?s :n ?n FILTER NOT EXISTS { ?t :n ?m , ?n FILTER(?m != ?n) } "
          "FILTER EXISTS { ?s :q ?o } }",
          "anti join", ":a 5\n:c 5\n:e 1\n");
  world_close(&w);
}

static void
test_exists__looked_up_where_the_outer_row_matters(void **state)
{
  world w;
  (void)state;
  world_open(&w, shop);
  /* the filter inside reads what only the outer row binds */
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :q ?m FILTER(?m < ?n) } }", NULL,
          ":a\n:c\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :q ?m BIND(?n AS ?k) FILTER(?k > 4) } }",
          NULL, ":a\n:c\n");
  /* the outer row restricts the right side of OPTIONAL */
  PLANNED(&w,
          "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :q ?m OPTIONAL { ?t :n ?n FILTER(?m > ?n) } "
          "FILTER(!BOUND(?t)) } }",
          NULL, ":a\n:c\n");
  /* a variable that may be unbound on one side */
  PLANNED(&w, "SELECT ?s { ?s :n ?n OPTIONAL { ?s :p ?o } FILTER NOT EXISTS { ?o :q ?m } }", NULL,
          ":a\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { { ?s :p ?o } UNION { :x :q 1 } } }", NULL,
          ":a\n:b\n:c\n:d\n:e\n");
  /* aggregates and LIMIT */
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { SELECT ?s { ?s :p ?o } ORDER BY ?s LIMIT 1 } }",
          NULL, ":a\n:b\n:d\n");
  /* above a sub-SELECT that does not give it the outer variable is seen all the same */
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { { SELECT ?x { ?x :q ?m } } FILTER(?x = ?s) } }",
          NULL, ":a\n:c\n:e\n");
  PLANNED(&w,
          "SELECT ?s { ?s :n ?n FILTER EXISTS { { SELECT DISTINCT (MAX(?x) AS ?y) { ?x :q ?m } } "
          "BIND(STR(?s) AS ?t) FILTER(STR(?y) = ?t) } }",
          NULL, "");
  PLANNED(&w,
          "SELECT ?s { ?s :n ?n FILTER NOT EXISTS { { SELECT ?x { ?x :q ?m } ORDER BY ?x LIMIT 2 } "
          "FILTER(?x = ?s) } }",
          NULL, ":b\n:d\n:e\n");
  /* nothing shared: one look */
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { :z :q ?o } }", NULL, ":a\n:b\n:c\n:d\n:e\n");
  world_close(&w);
}

static void
test_exists__within_graphs(void **state)
{
  world w;
  (void)state;
  world_open(&w, shop);
  PLANNED(&w, "SELECT ?g ?s { GRAPH ?g { ?s :p ?o FILTER EXISTS { ?s :q ?m } } }", "semi join",
          ":g2 :c\n:g3 :e\n");
  PLANNED(&w, "SELECT ?g ?s { GRAPH ?g { ?s :p ?o FILTER NOT EXISTS { ?s :q ?m } } }", "anti join",
          ":g1 :a\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER NOT EXISTS { GRAPH ?g { ?s :q ?m } } }", "anti join",
          ":a\n:d\n");
  PLANNED(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { GRAPH :g1 { ?s ?p ?m } } }", "semi join",
          ":a\n:b\n");
  world_close(&w);
}

/* A join inside a look for each row, and EXISTS in EXISTS. */
static void
test_exists__nested(void **state)
{
  world w;
  (void)state;
  world_open(&w, shop);
  EXPECT(&w, "SELECT ?s { ?s :n ?n FILTER NOT EXISTS { ?s :p ?o FILTER NOT EXISTS { ?o :q ?m } } }",
         ":b\n:c\n:d\n:e\n");
  EXPECT(&w,
         "SELECT ?s { ?s :n ?n FILTER EXISTS { ?t :n ?n FILTER(?t != ?s) "
         "FILTER EXISTS { ?t :q ?m } } }",
         ":a\n:c\n");
  EXPECT(&w, "ASK { ?s :n ?n FILTER EXISTS { ?s :p ?o } FILTER NOT EXISTS { ?s :r ?x } }", "yes\n");
  EXPECT(&w, "SELECT ?s { ?s :n ?n FILTER EXISTS { ?s :p ?o } } ORDER BY ?s LIMIT 1", ":a\n");
  world_close(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exists__joined_where_it_stands_alone),
      cmocka_unit_test(test_exists__looked_up_where_the_outer_row_matters),
      cmocka_unit_test(test_exists__within_graphs),
      cmocka_unit_test(test_exists__nested),
  };
  return cmocka_run_group_tests_name("sparql.exists", tests, NULL, NULL);
}
