/* The planner and its operators against the definitions, on random data and patterns: with the
 * optimiser on and off. QUOIN_SEED sets the seed, QUOIN_ROUNDS how many stores are made. */
#include "sparql_query_world.h"

#include "sparql_brute.h"

enum { QUERIES = 120 };

static uint64_t
number_from(const char *name, uint64_t otherwise)
{
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : otherwise;
}

static void
make_data(brute_world *b, base_buffer *trig)
{
  size_t n = 20 + brute_random(b, 60);
  b->n = 0;
  for (size_t i = 0; i < n; i++) {
    brute_quad q = {
        .s = (uint8_t)(1 + brute_random(b, NODES)),
        .p = (uint8_t)(FIRST_P + (int)brute_random(b, PREDICATES)),
        .o = (uint8_t)(brute_random(b, 3) ? 1 + brute_random(b, NODES)
                                          : (unsigned)FIRST_INT + brute_random(b, INTS)),
        .g = (uint8_t)(brute_random(b, 2) ? 0 : (unsigned)FIRST_G + brute_random(b, GRAPHS))};
    bool again = false;
    for (size_t j = 0; j < b->n; j++)
      again = again || memcmp(&q, &b->quad[j], sizeof(q)) == 0;
    if (again) continue;
    b->quad[b->n++] = q;
    if (q.g) {
      brute_term(trig, q.g);
      base_buffer_text(trig, " { ");
    }
    brute_term(trig, q.s);
    base_buffer_byte(trig, ' ');
    brute_term(trig, q.p);
    base_buffer_byte(trig, ' ');
    brute_term(trig, q.o);
    base_buffer_text(trig, q.g ? " } " : " . ");
  }
  base_buffer_byte(trig, '\0');
}

/* The rows as answer_rows writes them. */
static answer
expected_rows(const brute_rows *rows)
{
  answer a = {0};
  for (size_t r = 0; r < rows->n; r++) {
    base_buffer line;
    base_buffer_init(&line, base_alloc_default());
    for (int v = 0; v < ALL_VARS; v++) {
      if (v) base_buffer_byte(&line, ' ');
      if (rows->row[r].v[v]) {
        brute_term(&line, rows->row[r].v[v]);
      } else {
        base_buffer_byte(&line, '-');
      }
    }
    answer_add(&a, &line);
  }
  if (a.n) qsort(a.rows, a.n, sizeof(char *), answer_compare);
  return a;
}

static void
check_query(world *w, const char *text, const answer *expected, bool plain, uint64_t seed)
{
  const sparql_run_options options = {.plain = plain};
  answer got = world_run(w, text, &options);
  if (got.n) qsort(got.rows, got.n, sizeof(char *), answer_compare);
  bool same = !got.status && got.n == expected->n;
  size_t at = 0;
  while (same && at < got.n && strcmp(got.rows[at], expected->rows[at]) == 0)
    at++;
  if (!same || at < got.n) {
    print_error("seed %llu, %s: %s\nstatus %d %s; %zu rows, expected %zu\n",
                (unsigned long long)seed, plain ? "plain" : "optimised", text, (int)got.status,
                got.err.message, got.n, expected->n);
    for (size_t i = 0; i < 10 && i < got.n; i++)
      print_error("  got      %s\n", got.rows[i]);
    for (size_t i = 0; i < 10 && i < expected->n; i++)
      print_error("  expected %s\n", expected->rows[i]);
    fail();
  }
  answer_free(&got);
}

typedef struct tally {
  size_t checked, with_rows, rows;
} tally;

static void
check_random(tally *t, world *w, brute_world *b)
{
  uint64_t seed = b->seed;
  brute_row nothing = {0};
  base_buffer text;
  b->fresh = 0;
  b->overflow = false;
  brute_group *group = brute_make_group(b, 3, false, false);
  brute_rows rows = brute_eval(b, group, 0, &nothing);
  base_buffer_init(&text, base_alloc_default());
  base_buffer_text(&text, "SELECT ?a ?b ?c ?d ?e ?f ?g ?x0 ?x1 ?x2 ?x3 ?x4 WHERE ");
  brute_print(&text, group);
  base_buffer_byte(&text, '\0');
  if (!b->overflow) {
    answer expected = expected_rows(&rows);
    check_query(w, text.data, &expected, false, seed);
    check_query(w, text.data, &expected, true, seed);
    answer_free(&expected);
    t->checked++;
    t->with_rows += rows.n > 0;
    t->rows += rows.n;
  }
  free(rows.row);
  brute_free(group);
  base_buffer_clear(&text);
}

static void
test_plan__random_patterns_as_defined(void **state)
{
  (void)state;
  uint64_t seed = number_from("QUOIN_SEED", 1), rounds = number_from("QUOIN_ROUNDS", 12);
  tally t = {0};
  print_message("seed %llu\n", (unsigned long long)seed);
  for (uint64_t round = 0; round < rounds; round++) {
    brute_world b = {.seed = seed + round};
    world w;
    base_buffer trig;
    base_buffer_init(&trig, base_alloc_default());
    make_data(&b, &trig);
    world_open(&w, trig.data);
    for (int i = 0; i < QUERIES; i++)
      check_random(&t, &w, &b);
    world_close(&w);
    base_buffer_clear(&trig);
  }
  print_message("%zu patterns, %zu with solutions, %zu solutions\n", t.checked, t.with_rows,
                t.rows);
  assert_true(t.with_rows * 4 > t.checked);
}

/* ---- many batches -----------------------------------------------------------------------------
 */

/* Enough rows for batches to end in the middle of everything: optimised and plain must agree. */
static void
make_large_data(base_buffer *trig, uint64_t seed)
{
  brute_world b = {.seed = seed};
  for (unsigned i = 0; i < 9000; i++) {
    unsigned subject = brute_random(&b, 1500), predicate = brute_random(&b, 5);
    unsigned spread = predicate == 0 ? 1500 : predicate == 1 ? 40 : 300;
    if (i % 5 == 0) base_buffer_printf(trig, ":g%u { ", brute_random(&b, 3));
    base_buffer_printf(trig, ":n%u :p%u ", subject, predicate);
    if (predicate == 4) {
      base_buffer_printf(trig, "%u", brute_random(&b, 500));
    } else {
      base_buffer_printf(trig, ":n%u", brute_random(&b, spread));
    }
    base_buffer_text(trig, i % 5 == 0 ? " } " : " . ");
  }
  base_buffer_byte(trig, '\0');
}

/* Every row as a number, added up: the same for the same bag. */
static uint64_t
bag_of(const answer *a)
{
  uint64_t sum = a->n;
  for (size_t i = 0; i < a->n; i++)
    sum += base_hash(a->rows[i], strlen(a->rows[i]));
  return sum;
}

static void
check_both(world *w, const char *text, const sparql_run_options *options, size_t least)
{
  sparql_run_options run = options ? *options : (sparql_run_options){0};
  answer fast = world_run(w, text, &run);
  run.plain = true;
  answer plain = world_run(w, text, &run);
  if (fast.status || plain.status || fast.n != plain.n || bag_of(&fast) != bag_of(&plain) ||
      fast.n * 2 < least) /* other seeds give other numbers */
    fail_msg("%s\n%zu rows (%s), plain %zu rows (%s)", text, fast.n, fast.err.message, plain.n,
             plain.err.message);
  answer_free(&fast);
  answer_free(&plain);
}

static void
test_plan__many_batches(void **state)
{
  static const struct {
    const char *text;
    size_t least;
  } queries[] = {
      {"SELECT * { ?a :p0 ?b . ?b :p0 ?c }", 1300},
      {"SELECT * { ?a :p1 ?b ; :p2 ?c }", 1400},
      {"SELECT * { ?a :p1 ?x . ?b :p1 ?x }", 40000},
      {"SELECT * { ?a :p1 ?b ; :p2 ?c ; :p3 ?d ; :p0 ?e }", 500},
      {"SELECT * { ?a :p0 ?b . ?b :p2 ?c . ?c :p3 ?d . ?d :p1 ?e }", 500},
      {"SELECT * { ?a :p0 ?b . ?b :p0 ?c . ?c :p0 ?a }", 0},
      {"SELECT * { ?a :p1 ?b OPTIONAL { ?a :p4 ?n FILTER(?n > 250) } }", 1400},
      {"SELECT * { ?a :p1 ?b OPTIONAL { ?b :p2 ?c . ?c :p3 ?d FILTER(?d != ?a) } }", 1400},
      {"SELECT * { ?a :p4 ?n FILTER(?n >= 100 && ?n < 300) . ?a :p2 ?b }", 300},
      {"SELECT * { ?a :p4 100 ; :p4 ?n . ?a ?p ?o }", 1},
      {"SELECT * { ?a :p1 ?b MINUS { ?a :p2 ?c } }", 200},
      {"SELECT * { ?a :p1 ?b FILTER NOT EXISTS { ?b :p0 ?a } FILTER EXISTS { ?a :p2 ?z } }", 500},
      {"SELECT * { { ?a :p0 ?b } UNION { ?b :p1 ?a } ?a :p4 ?n }", 1000},
      {"SELECT ?b (COUNT(*) AS ?n) { ?a :p1 ?b ; :p2 ?c } GROUP BY ?b", 40},
      {"SELECT DISTINCT ?b ?c { ?a :p1 ?b ; :p1 ?c }", 500},
      {"SELECT * { GRAPH ?g { ?a :p1 ?b } ?b :p2 ?c }", 200},
      {"SELECT * { GRAPH ?g { ?a ?p ?b . ?b ?q ?c } }", 200},
      {"SELECT * { GRAPH ?g { ?a :p1 ?b OPTIONAL { ?a :p2 ?c } MINUS { ?a :p3 ?d } } }", 100},
      {"SELECT ?g ?n { GRAPH ?g { SELECT (COUNT(*) AS ?n) { ?a :p1 ?b } } }", 3},
      {"SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p", 5},
      {"SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s :p1 ?o }", 1},
      {"SELECT (COUNT(*) AS ?n) (COUNT(?s) AS ?m) { ?s :p1 ?o }", 1},
      {"SELECT DISTINCT ?p { ?s ?p ?o }", 5},
      {"SELECT * { BIND(:n3 AS ?a) ?a ?p ?o }", 1},
      {"SELECT * { BIND(IRI(CONCAT(\"http://x/n\", \"3\")) AS ?a) ?a ?p ?o }", 1},
      {"SELECT * { VALUES ?b { :n1 :n2 :n3 } ?a :p1 ?b . ?a :p4 ?n }", 20},
      {"SELECT * { VALUES (?a ?b) { (:n1 UNDEF) (UNDEF :n2) (UNDEF UNDEF) } ?a :p1 ?b }", 1400},
      {"SELECT * FROM :g0 FROM :g1 { ?a :p1 ?b . ?a :p2 ?c }", 20},
      {"SELECT * FROM :g0 FROM NAMED :g1 { ?a :p1 ?b . GRAPH ?g { ?c :p1 ?b } }", 100},
  };
  (void)state;
  world w;
  base_buffer trig;
  uint64_t seed = number_from("QUOIN_SEED", 1);
  base_buffer_init(&trig, base_alloc_default());
  make_large_data(&trig, seed);
  world_open(&w, trig.data);
  for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
    const sparql_run_options all = {.union_default_graph = true};
    check_both(&w, queries[i].text, NULL, queries[i].least);
    check_both(&w, queries[i].text, &all, 0);
  }
  world_close(&w);
  base_buffer_clear(&trig);
}

/* ---- what plans look like ---------------------------------------------------------------------
 */

static void
expect_plan(world *w, const char *text, const char *wanted, const char *unwanted)
{
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  base_buffer whole, plan;
  base_buffer_init(&whole, base_alloc_default());
  base_buffer_init(&plan, base_alloc_default());
  base_buffer_text(&whole, PROLOGUE);
  base_buffer_text(&whole, text);
  if (sparql_query_parse(&query, (quoin_span){whole.data, whole.len}, (quoin_span){NULL, 0},
                         base_alloc_default(), &err) ||
      sparql_cursor_open(&cursor, query, w->snapshot, NULL, base_alloc_default(), &err) ||
      sparql_cursor_explain(&plan, cursor, &err))
    fail_msg("%s: %s", text, err.message);
  base_buffer_byte(&plan, '\0');
  if (!strstr(plan.data, wanted) || (unwanted && strstr(plan.data, unwanted)))
    fail_msg("%s: expected \"%s\", not \"%s\", in\n%s", text, wanted, unwanted ? unwanted : "",
             plan.data);
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  base_buffer_clear(&whole);
  base_buffer_clear(&plan);
}

static void
test_plan__chooses_by_cost(void **state)
{
  (void)state;
  world w;
  base_buffer trig;
  base_buffer_init(&trig, base_alloc_default());
  make_large_data(&trig, 1);
  world_open(&w, trig.data);
  expect_plan(&w, "SELECT * { ?a :p1 ?b ; :p2 ?c }", "merge join by ?a", "hash");
  expect_plan(&w, "SELECT * { ?a :p4 7 . ?a :p1 ?b }", "index join by ?a", "merge");
  expect_plan(&w, "SELECT * { ?a :p1 ?b FILTER(?b = :n3) }", "?b=<http://x/n3>", "filter");
  expect_plan(&w, "SELECT * { ?a :p4 ?n FILTER(?n < 3) }", "ranges", "PSO");
  expect_plan(&w, "SELECT (COUNT(*) AS ?n) { ?s :p1 ?o }", "count from the index", "scan");
  expect_plan(&w, "SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p", "skip scan", "group");
  expect_plan(&w, "SELECT * { ?a :p4 7 OPTIONAL { ?a :p1 ?b } }", "batch by batch", NULL);
  expect_plan(&w, "SELECT * { ?a :p1 ?b FILTER(?b != :n1) OPTIONAL { ?a :p2 ?c } }", "filter",
              NULL);
  world_close(&w);
  base_buffer_clear(&trig);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plan__random_patterns_as_defined),
      cmocka_unit_test(test_plan__many_batches),
      cmocka_unit_test(test_plan__chooses_by_cost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
