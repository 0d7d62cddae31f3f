/* FROM and FROM NAMED over several graphs: those graphs scanned one by one and merged, against all
 * named graphs read and filtered (the optimiser off). */
#include "tests/unit/sparql_query_world.h"

enum { GRAPHS = 8, BIG = 6000 };

/* Small graphs g0.. that share triples, and a big one. */
static char *
make_data(uint64_t seed)
{
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  for (int g = 0; g < GRAPHS; g++) {
    base_buffer_printf(&text, ":g%d {\n", g);
    for (int i = 0; i < 40; i++) {
      uint64_t r = base_mix(seed + (uint64_t)(g * 100 + i));
      base_buffer_printf(&text, ":n%u :p%u :n%u . :n%u :v %u .\n", (unsigned)(r % 12),
                         (unsigned)(r >> 8) % 3, (unsigned)(r >> 16) % 12, (unsigned)(r >> 24) % 12,
                         (unsigned)(r >> 32) % 9);
    }
    base_buffer_text(&text, "}\n");
  }
  base_buffer_text(&text, ":big {\n");
  for (int i = 0; i < BIG; i++) {
    uint64_t r = base_mix(seed + UINT64_C(1000003) * (uint64_t)(i + 1));
    base_buffer_printf(&text, ":n%u :p%u :n%u . :n%u :v %u .\n", (unsigned)(r % 400),
                       (unsigned)(r >> 10) % 3, (unsigned)(r >> 20) % 400,
                       (unsigned)(r >> 30) % 400, (unsigned)(r >> 40) % 90);
  }
  base_buffer_text(&text, "}\n");
  base_buffer_byte(&text, '\0');
  assert_false(text.failed);
  return text.data;
}

static const struct {
  const char *select, *where;
} patterns[] = {
    {"SELECT *", "{ ?s ?p ?o }"},
    {"SELECT ?s ?o", "{ ?s :p1 ?o }"},
    {"SELECT ?o", "{ :n3 :p1 ?o }"},
    {"SELECT ?s", "{ ?s ?p :n4 }"},
    {"SELECT ?s", "{ ?s :p0 ?s }"},
    {"SELECT (COUNT(*) AS ?n)", "{ ?s :p0 ?o }"},
    {"SELECT ?s ?m ?t", "{ ?s :p0 ?m . ?m :p1 ?t }"},
    {"SELECT ?s ?m", "{ ?s :p0 ?m . ?s :p1 ?m . ?s :v ?v FILTER(?v > 3 && ?v < 7) }"},
    {"SELECT ?s ?v", "{ ?s :v ?v FILTER(?v >= 2 && ?v < 5) }"},
    {"SELECT DISTINCT ?p", "{ ?s ?p ?o }"},
    {"SELECT ?p (COUNT(*) AS ?n)", "{ ?s ?p ?o } GROUP BY ?p"},
    {"SELECT ?s ?o", "{ ?s :p0+ ?o }"},
    {"SELECT ?s ?o", "{ ?s (:p0/:p1)|^:p2 ?o }"},
    {"SELECT ?s", "{ ?s :v ?v FILTER NOT EXISTS { ?s :p2 ?o } }"},
    {"SELECT ?g ?s", "{ GRAPH ?g { ?s :p0 ?o } }"},
    {"SELECT ?s", "{ GRAPH ?g { ?s :p0 ?o } }"},
    {"SELECT ?g ?h ?s", "{ GRAPH ?g { ?s :p0 ?o } GRAPH ?h { ?o :p1 ?s } }"},
    {"SELECT ?g ?s", "{ GRAPH ?g { ?s :p0 ?o . ?o :p1 ?t } }"},
    {"SELECT ?g ?o", "{ GRAPH ?g { ?s :p0 ?o } FILTER(?g = :g1 || ?g = :big) }"},
    {"SELECT ?o", "{ GRAPH ?g { ?s :p0 ?o } FILTER(?g = :big) }"},
    {"SELECT ?o", "{ ?s :v 3 . GRAPH ?g { ?s :p0 ?o } FILTER(?g = :g2) }"},
};

static void
test_dataset__graphs_one_by_one(void **state)
{
  static const char *const datasets[] = {
      "FROM :g0 FROM :g1 FROM NAMED :g1 FROM NAMED :g2",
      "FROM :g5 FROM :g4 FROM :g3 FROM :g2 FROM :g1 FROM NAMED :g7 FROM NAMED :g6 FROM NAMED :none",
      "FROM :g0 FROM :big FROM NAMED :g0 FROM NAMED :big",
      "FROM :none FROM :g0 FROM :g0 FROM :g1",
  };
  const char *given = getenv("QUOIN_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
  world w;
  size_t rows = 0;
  (void)state;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  char *data = make_data(seed);
  world_open(&w, data);
  for (size_t d = 0; d < sizeof(datasets) / sizeof(*datasets); d++)
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
      char text[400];
      (void)snprintf(text, sizeof(text), "%s %s %s", patterns[i].select, datasets[d],
                     patterns[i].where);
      rows += world_same(&w, text, __FILE__, __LINE__);
    }
  assert_true(rows > 1000);
  base_buffer plan;
  world_explain(&plan, &w, "SELECT * FROM :g0 FROM :g1 { ?s :p1 ?o }");
  if (!strstr(plan.data, "2 graphs one by one")) fail_msg("%s", plan.data);
  base_buffer_clear(&plan);
  world_explain(&plan, &w, "SELECT * FROM :g0 FROM :big { ?s :p1 ?o }");
  if (!strstr(plan.data, "merged graphs")) fail_msg("%s", plan.data);
  base_buffer_clear(&plan);
  world_close(&w);
  free(data);
}

/* A filter that names a graph does not reach beyond the dataset. */
static void
test_dataset__a_filter_on_the_graph(void **state)
{
  world w;
  (void)state;
  world_open(&w, ":g1 { :a :p :b } :g2 { :a :p :c } <urn:x-quoin:system> { :a :p :d }");
  EXPECT(&w, "SELECT ?o FROM NAMED :g1 { GRAPH ?g { ?s :p ?o } FILTER(?g = :g2) }", "");
  EXPECT(&w, "SELECT ?o FROM NAMED :g1 { GRAPH ?g { ?s :p ?o } FILTER(?g = :g1) }", ":b\n");
  EXPECT(&w, "SELECT ?o { GRAPH ?g { ?s :p ?o } FILTER(?g = <urn:x-quoin:system>) }", "");
  EXPECT(&w, "SELECT ?o { GRAPH ?g { ?s :p ?o } FILTER(sameTerm(?g, :g2)) }", ":c\n");
  world_close(&w);
}

/* More graphs than are merged one by one. */
static void
test_dataset__many_graphs(void **state)
{
  world w;
  base_buffer text, from;
  (void)state;
  base_buffer_init(&text, base_alloc_default());
  base_buffer_init(&from, base_alloc_default());
  for (int g = 0; g < 100; g++)
    base_buffer_printf(&text, ":g%d { :a :p :b , :c%d . }\n", g, g / 2);
  for (int i = 0; i < 3000; i++)
    base_buffer_printf(&text, ":big { :a :p :d%d }\n", i);
  for (int g = 0; g < 90; g++)
    base_buffer_printf(&from, "FROM :g%d ", g);
  base_buffer_byte(&text, '\0');
  base_buffer_byte(&from, '\0');
  world_open(&w, text.data);
  base_buffer query;
  base_buffer_init(&query, base_alloc_default());
  base_buffer_printf(&query, "SELECT ?o %s { ?s :p ?o }", from.data);
  base_buffer_byte(&query, '\0');
  assert_int_equal(world_same(&w, query.data, __FILE__, __LINE__), 46);
  base_buffer_clear(&query);
  base_buffer_clear(&from);
  world_close(&w);
  base_buffer_clear(&text);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dataset__graphs_one_by_one),
      cmocka_unit_test(test_dataset__a_filter_on_the_graph),
      cmocka_unit_test(test_dataset__many_graphs),
  };
  return cmocka_run_group_tests_name("sparql.dataset", tests, NULL, NULL);
}
