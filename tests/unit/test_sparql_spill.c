/* Sort, distinct, group and joins with a budget that they outgrow: the answers are those without.
 */
#include "sparql_query_world.h"

#include <sys/resource.h>

#include <signal.h>

enum { ITEMS = 40000 };

static world shared;

/* :i<n> with a name, a group of 400, a number that repeats, and a link to another. */
static void
append_item(base_buffer *text, unsigned n)
{
  base_buffer_printf(
      text, ":i%u :name \"item %u %u\" ; :group :g%u ; :size %u ; :next :i%u ; :kind :k%u . ", n,
      n * 2654435761u % 7919, n % 3000, n % 400, n * 40503u % 5000, (n * 7919u + 1) % ITEMS, n % 3);
}

static int
setup(void **state)
{
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  for (unsigned n = 0; n < ITEMS; n++)
    append_item(&text, n);
  base_buffer_byte(&text, '\0');
  assert_false(text.failed);
  world_open(&shared, text.data);
  base_buffer_clear(&text);
  *state = &shared;
  return 0;
}

static int
teardown(void **state)
{
  world_close(*state);
  return 0;
}

static answer
run(world *w, const char *query, uint64_t memory)
{
  const sparql_run_options options = {.memory_bytes = memory};
  answer a = world_run(w, query, &options);
  if (a.status)
    fail_msg("%s\nwith %llu bytes: %s", query, (unsigned long long)memory, a.err.message);
  return a;
}

/* `ordered`: row by row, else as bags. The budget is too small to hold all rows in memory. */
static void
same_answer(world *w, const char *query, bool ordered, uint64_t memory)
{
  answer whole = run(w, query, 0), small = run(w, query, memory);
  assert_true(whole.n > 0);
  assert_int_equal(small.n, whole.n);
  if (!ordered) {
    qsort(whole.rows, whole.n, sizeof(char *), answer_compare);
    qsort(small.rows, small.n, sizeof(char *), answer_compare);
  }
  for (size_t i = 0; i < whole.n; i++)
    if (strcmp(whole.rows[i], small.rows[i]) != 0)
      fail_msg("%s\nrow %zu: %s, expected %s", query, i, small.rows[i], whole.rows[i]);
  answer_free(&whole);
  answer_free(&small);
}

enum { SMALL = 1 << 20, SMALLER = 1 << 19 };

static void
test_spill__sorts_as_in_memory(void **state)
{
  same_answer(*state, "SELECT * { ?s :name ?n ; :size ?z } ORDER BY ?n ?s", true, SMALL);
  same_answer(*state, "SELECT * { ?s :size ?z } ORDER BY DESC(?z) ?s", true, SMALLER);
  same_answer(*state, "SELECT * { ?s :name ?n ; :size ?z } ORDER BY STRLEN(?n) DESC(?n) ?s", true,
              SMALL);
}

static void
test_spill__sort_is_stable(void **state)
{
  same_answer(*state, "SELECT * { ?s :size ?z ; :group ?g } ORDER BY ?g", true, SMALL);
}

static void
test_spill__sort_with_a_large_limit(void **state)
{
  same_answer(*state, "SELECT * { ?s :name ?n } ORDER BY ?n ?s LIMIT 20000", true, SMALL);
  same_answer(*state, "SELECT * { ?s :name ?n } ORDER BY DESC(?n) ?s OFFSET 15000 LIMIT 7000", true,
              SMALL);
  same_answer(*state, "SELECT * { ?s :name ?n } ORDER BY ?n ?s LIMIT 10", true, SMALL);
}

static void
test_spill__distinct_keeps_the_order(void **state)
{
  same_answer(*state, "SELECT DISTINCT ?n ?z { ?s :name ?n ; :size ?z }", false, SMALL);
  same_answer(*state, "SELECT DISTINCT ?n { ?s :name ?n ; :size ?z } ORDER BY ?z ?n", true,
              SMALLER);
  same_answer(*state, "SELECT DISTINCT ?a ?b { ?x :next ?a . ?a :next ?b }", false, SMALL);
}

static void
test_spill__groups_as_in_memory(void **state)
{
  same_answer(*state,
              "SELECT ?n (COUNT(*) AS ?c) (SUM(?z) AS ?t) (AVG(?z) AS ?v) (MIN(?s) AS ?lo) "
              "(MAX(?z) AS ?hi) { ?s :name ?n ; :size ?z } GROUP BY ?n",
              false, 2 * SMALL);
  same_answer(*state,
              "SELECT ?n ?g (COUNT(?z) AS ?c) { ?s :name ?n ; :size ?z ; :group ?g } "
              "GROUP BY ?n ?g",
              false, SMALL);
  same_answer(*state,
              "SELECT ?l ?z (SUM(?z + 1) AS ?t) { ?s :name ?n ; :size ?z } "
              "GROUP BY (STRLEN(?n) AS ?l) ?z",
              false, SMALLER);
}

static void
test_spill__distinct_aggregates(void **state)
{
  same_answer(*state, "SELECT (COUNT(DISTINCT ?n) AS ?c) { ?s :name ?n ; :size ?z }", false,
              SMALLER);
  same_answer(*state, "SELECT (COUNT(DISTINCT *) AS ?c) { ?s :name ?n ; :size ?z }", false,
              SMALLER);
  same_answer(
      *state,
      "SELECT ?g (COUNT(DISTINCT ?n) AS ?c) (SUM(DISTINCT ?z) AS ?t) (COUNT(DISTINCT ?s) AS ?o) "
      "{ ?s :name ?n ; :size ?z ; :group ?g } GROUP BY ?g",
      false, SMALL);
  same_answer(*state,
              "SELECT ?z (COUNT(DISTINCT ?n) AS ?c) (MIN(DISTINCT ?s) AS ?o) "
              "{ ?s :name ?n ; :size ?z ; :group ?g } GROUP BY ?z",
              false, 3 * SMALL);
}

/* Their order is not fixed: compared by length and by what they hold. */
static void
test_spill__concatenates_groups(void **state)
{
  same_answer(
      *state,
      "SELECT ?g (STRLEN(?all) AS ?l) { SELECT ?g (GROUP_CONCAT(DISTINCT ?n; separator=\"|\") "
      "AS ?all) { ?s :name ?n ; :group ?g } GROUP BY ?g }",
      false, 6 * SMALL);
}

static void
test_spill__joins_as_in_memory(void **state)
{
  same_answer(*state,
              "SELECT * { { SELECT ?a ?n { ?a :name ?n } } { SELECT ?b ?n { ?b :name ?n } } }",
              false, SMALL);
  same_answer(*state,
              "SELECT * { { SELECT ?a (MAX(?z) AS ?m) { ?a :size ?z } GROUP BY ?a } "
              "{ SELECT ?a ?n { ?x :next ?a . ?x :name ?n } } }",
              false, 2 * SMALL);
}

static void
test_spill__optional_and_minus(void **state)
{
  same_answer(*state,
              "SELECT * { ?a :name ?n OPTIONAL { SELECT ?a ?x { ?x :next ?a ; :kind :k1 } } }",
              false, SMALL);
  same_answer(
      *state,
      "SELECT * { ?a :name ?n OPTIONAL { ?x :next ?a ; :size ?z FILTER(?z < STRLEN(?n) * 100) } }",
      false, SMALL);
  same_answer(*state, "SELECT * { ?a :name ?n MINUS { SELECT ?a ?x { ?x :next ?a ; :kind :k1 } } }",
              false, SMALL);
}

static void
test_spill__construct_drops_repeated_triples(void **state)
{
  same_answer(*state,
              "CONSTRUCT { ?s :label ?n . ?n0 :of ?g } { ?s :name ?n ; :group ?g ; :kind ?n0 }",
              false, SMALLER);
}

/* ---- what lies in a mapped file -------------------------------------------------------------- */

static void
test_spill__terms_that_the_query_makes(void **state)
{
  same_answer(*state, "SELECT (CONCAT(?n, \"/\", STR(?s)) AS ?t) { ?s :name ?n }", false, SMALL);
  same_answer(*state, "SELECT DISTINCT (STRDT(CONCAT(?n, \"!\"), :t) AS ?t) { ?s :name ?n }", false,
              SMALL);
  same_answer(*state, "SELECT ?s ?t { ?s :name ?n BIND(CONCAT(STR(?s), ?n) AS ?t) } ORDER BY ?t",
              true, SMALL);
  same_answer(*state,
              "SELECT (COUNT(DISTINCT ?t) AS ?c) { ?s :size ?z BIND(IRI(CONCAT(STR(?s), "
              "\"/\", STR(?z))) AS ?t) }",
              false, SMALL);
}

static void
test_spill__what_paths_have_visited(void **state)
{
  same_answer(*state, "SELECT ?x { :i0 :next+ ?x }", false, SMALLER);
  same_answer(*state, "SELECT ?x { ?x :next* :i7 }", false, SMALLER);
  same_answer(*state, "SELECT (COUNT(*) AS ?c) { ?s :kind :k1 ; :next/:next? ?x }", false, SMALL);
  same_answer(*state, "SELECT ?x { :i0 (:next|:group)* ?x }", false, SMALLER);
}

/* ---- failures -------------------------------------------------------------------------------- */

static const char sorted[] = "SELECT * { ?s :name ?n ; :size ?z } ORDER BY ?n ?s";

static void
test_spill__a_failed_write_ends_the_query(void **state)
{
  struct rlimit before, small;
  const sparql_run_options options = {.memory_bytes = SMALL};
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 256 * 1024;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  answer a = world_run(*state, sorted, &options);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)signal(SIGXFSZ, handler);
  assert_int_equal(a.status, QUOIN_ERR_IO);
  assert_non_null(strstr(a.err.message, "written"));
  assert_int_equal(a.n, 0);
  answer_free(&a);
}

/* The dictionary says why it cannot grow, not that memory is short. */
static void
test_spill__a_full_disk_under_the_dictionary_ends_the_query(void **state)
{
  struct rlimit before, small;
  const sparql_run_options options = {.memory_bytes = SMALL};
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 256 * 1024;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  answer a = world_run(*state, "SELECT (CONCAT(?n, STR(?s)) AS ?t) { ?s :name ?n }", &options);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)signal(SIGXFSZ, handler);
  assert_int_equal(a.status, QUOIN_ERR_IO);
  assert_true(a.n < ITEMS);
  answer_free(&a);
}

static void
test_spill__a_missing_directory_ends_the_query(void **state)
{
  const sparql_run_options options = {.memory_bytes = SMALL};
  const char *was = getenv("TMPDIR");
  char *kept = was ? strdup(was) : NULL;
  assert_int_equal(setenv("TMPDIR", "/nonexistent/quoin", 1), 0);
  answer a = world_run(*state, sorted, &options);
  if (kept)
    assert_int_equal(setenv("TMPDIR", kept, 1), 0);
  else
    assert_int_equal(unsetenv("TMPDIR"), 0);
  free(kept);
  assert_int_equal(a.status, QUOIN_ERR_NOT_FOUND);
  answer_free(&a);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spill__sorts_as_in_memory),
      cmocka_unit_test(test_spill__sort_is_stable),
      cmocka_unit_test(test_spill__sort_with_a_large_limit),
      cmocka_unit_test(test_spill__distinct_keeps_the_order),
      cmocka_unit_test(test_spill__groups_as_in_memory),
      cmocka_unit_test(test_spill__distinct_aggregates),
      cmocka_unit_test(test_spill__concatenates_groups),
      cmocka_unit_test(test_spill__joins_as_in_memory),
      cmocka_unit_test(test_spill__optional_and_minus),
      cmocka_unit_test(test_spill__construct_drops_repeated_triples),
      cmocka_unit_test(test_spill__terms_that_the_query_makes),
      cmocka_unit_test(test_spill__what_paths_have_visited),
      cmocka_unit_test(test_spill__a_failed_write_ends_the_query),
      cmocka_unit_test(test_spill__a_full_disk_under_the_dictionary_ends_the_query),
      cmocka_unit_test(test_spill__a_missing_directory_ends_the_query),
  };
  return cmocka_run_group_tests_name("sparql.spill", tests, setup, teardown);
}
