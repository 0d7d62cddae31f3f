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

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plan__random_patterns_as_defined),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
