/* Counting joins along the tree of their patterns, against the joins made (the optimiser off). */
#include "tests/unit/sparql_query_world.h"

enum { NODES = 40, EDGES = 300 };

static char *
make_data(uint64_t seed)
{
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  for (uint64_t i = 0; i < EDGES; i++) {
    uint64_t r = base_mix(seed * 1000003 + i);
    base_buffer_printf(&text, ":n%u :p%u :n%u . :n%u :v %u .\n", (unsigned)(r % NODES),
                       (unsigned)(r >> 8) % 4, (unsigned)((r >> 16) % NODES * (r >> 60) / 16),
                       (unsigned)((r >> 24) % NODES), (unsigned)(r >> 32) % 30);
    if (i % 4 == 0)
      base_buffer_printf(&text, ":g%u { :n%u :p%u :n%u } \n", (unsigned)(r >> 40) % 3,
                         (unsigned)(r >> 8) % NODES, (unsigned)(r >> 16) % 2,
                         (unsigned)(r >> 50) % NODES);
  }
  base_buffer_byte(&text, '\0');
  assert_false(text.failed);
  return text.data;
}

static const struct {
  const char *text;
  bool counted; /* the plan must be the one that counts */
} queries[] = {
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?a :p1 ?c . ?a :p2 ?d }", true},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?c :p2 ?d . ?d :p3 ?e }", true},
    {"SELECT (COUNT(*) AS ?n) { ?a ?x ?b . ?b ?y ?c . ?c ?z ?d }", true},
    {"SELECT (COUNT(?d) AS ?n) (COUNT(*) AS ?m) { ?a :p0 ?b ; :p1 ?c . ?c :p1 ?d ; :v ?v }", true},
    {"SELECT (COUNT(*) AS ?n) { ?a ?p ?b . ?c ?p ?d . ?b :v ?v }", true},
    {"SELECT ?a (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?b :p2 ?d } GROUP BY ?a", true},
    {"SELECT ?v (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?c :v ?v } GROUP BY ?v", true},
    {"SELECT ?c (COUNT(?a) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?b :p2 ?d } GROUP BY ?c "
     "HAVING(COUNT(*) > 20)",
     false},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?c :v ?v FILTER(?v > 11) }", true},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?c :p2 ?d FILTER(?b != :n3) "
     "FILTER(?a = :n1 || STRENDS(STR(?a), \"2\")) }",
     false},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?c :p2 ?d FILTER(?a != ?d) }", false},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?c :p2 ?a }", false},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :p1 ?c . ?x :p2 ?y }", false},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?a :p1 ?b . ?b :p2 ?c }", false},
    {"SELECT (COUNT(*) AS ?n) { ?a ?x ?a . ?a :p1 ?b . ?b :p2 ?c }", false},
    {"SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b :none ?c . ?c :p2 ?d }", false},
    {"SELECT (COUNT(*) AS ?n) FROM :g0 FROM :g1 { ?a :p0 ?b . ?b ?p ?c . ?c ?q ?d }", false},
    {"SELECT (COUNT(*) AS ?n) { GRAPH :g0 { ?a ?p ?b . ?b ?q ?c } ?c :p0 ?d . ?d :p1 ?e }", false},
    {"SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?a ?p ?b . ?b ?q ?c } ?c :p0 ?d }", false},
    {"SELECT ?s ?n { ?s :v 3 { SELECT ?s (COUNT(*) AS ?n) { ?s :p0 ?b . ?b ?p ?c } GROUP BY ?s } }",
     false},
    {"SELECT ?s { ?s :v 3 FILTER EXISTS { SELECT (COUNT(*) AS ?n) { ?a :p0 ?b . ?b ?p ?c . ?c ?q "
     "?d "
     "} HAVING(COUNT(*) > 3) } }",
     false},
};

static void
test_count__as_many_as_there_are(void **state)
{
  const char *given = getenv("QUOIN_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
  world w;
  (void)state;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  char *data = make_data(seed);
  world_open(&w, data);
  for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
    base_buffer plan;
    world_same(&w, queries[i].text, __FILE__, __LINE__);
    if (!queries[i].counted) continue;
    world_explain(&plan, &w, queries[i].text);
    if (!strstr(plan.data, "count joins")) fail_msg("%s\n%s", queries[i].text, plan.data);
    base_buffer_clear(&plan);
  }
  world_close(&w);
  free(data);
}

/* 300^8 and more: counted at once, and refused where no integer of an id would hold it. */
static void
test_count__what_could_not_be_enumerated(void **state)
{
  world w;
  base_buffer text;
  (void)state;
  base_buffer_init(&text, base_alloc_default());
  for (int i = 0; i < 300; i++)
    base_buffer_printf(&text, ":s :p :o%d . ", i);
  base_buffer_byte(&text, '\0');
  world_open(&w, text.data);
  const sparql_run_options soon = {.timeout_ms = 5000};
  answer a = world_run(&w, "SELECT (COUNT(*) AS ?n) { ?s :p ?a , ?b , ?c , ?d , ?e , ?f }", &soon);
  if (a.status) fail_msg("%s", a.err.message);
  assert_string_equal(a.rows[0], "729000000000000");
  answer_free(&a);
  a = world_run(&w, "SELECT (COUNT(*) AS ?n) { ?s :p ?a , ?b , ?c , ?d , ?e , ?f , ?g , ?h }",
                &soon);
  assert_int_equal(a.status, QUOIN_ERR_LIMIT);
  assert_non_null(strstr(a.err.message, "2^57"));
  answer_free(&a);
  world_close(&w);
  base_buffer_clear(&text);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_count__as_many_as_there_are),
      cmocka_unit_test(test_count__what_could_not_be_enumerated),
  };
  return cmocka_run_group_tests_name("sparql.count", tests, NULL, NULL);
}
