/* Aggregates of SPARQL 1.1 section 18.5.1 over columns of ids. */
#include "sparql_expr_world.h"

#define XSD "http://www.w3.org/2001/XMLSchema#"

/* Values: expressions of SPARQL, evaluated; "-" is unbound. */
typedef struct group_case {
  sparql_aggregate_kind kind;
  const char *values[8];
  const char *expected;
} group_case;

static void
check_group(world *w, const group_case *c, bool stored)
{
  char query[2048], full[1024];
  prepared p;
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer shown;
  size_t at = (size_t)snprintf(query, sizeof(query), "COALESCE(0");
  for (size_t i = 0; i < 8 && c->values[i]; i++)
    at += (size_t)snprintf(query + at, sizeof(query) - at, ", %s",
                           strcmp(c->values[i], "-") ? c->values[i] : "1/0");
  (void)snprintf(query + at, sizeof(query) - at, ")");
  prepare(&p, w, stored ? MODE_STORED : MODE_LOCAL, query);
  sparql_expr aggregate = {.op = EXPR_AGGREGATE, .aggregate = c->kind, .separator = {", ", 2}};
  sparql_aggregate_state *s =
      base_arena_new_zero(&p.ctx.arena, 1, sparql_aggregate_size(&aggregate));
  assert_non_null(s);
  for (size_t i = 1; i < p.expr->n_args; i++) {
    atom_id id[WORLD_ROWS];
    if (sparql_expr_column(id, &p.ctx, p.expr->args[i], &p.batch, &err))
      fail_msg("%s", err.message);
    if (sparql_aggregate_add(s, &p.ctx, &aggregate, id[0], 1, &err)) fail_msg("%s", err.message);
  }
  atom_id out;
  if (sparql_aggregate_result(&out, s, &p.ctx, &aggregate, &err)) fail_msg("%s", err.message);
  base_buffer_init(&shown, base_alloc_default());
  expand(full, sizeof(full), c->expected);
  if (strcmp(show(&shown, &p, out), full) != 0)
    fail_msg("%s: is %s, expected %s", query, shown.data, full);
  base_buffer_clear(&shown);
  sparql_aggregate_clear(s, &p.ctx);
  prepared_free(&p);
}

static void
test_aggregate__of_groups(void **state)
{
  static const group_case cases[] = {
      {AGG_COUNT, {"1", "2", "-", ":a"}, "3"},
      {AGG_COUNT, {NULL}, "0"},
      {AGG_SUM, {NULL}, "0"},
      {AGG_SUM, {"1", "2", "3"}, "6"},
      {AGG_SUM, {"1.0", "2.2", "3.5"}, "6.7"},
      {AGG_SUM, {"1", "2.2"}, "3.2"},
      {AGG_SUM, {"2.2", "1"}, "3.2"},
      {AGG_SUM, {"1.5", "1.50"}, "3.0"},
      {AGG_SUM, {"1.0E2", "2.0E3", "3.0E4"}, "3.21E4"},
      {AGG_SUM, {"2.0E-1", "0.2"}, "4.0E-1"},
      {AGG_SUM, {"\"1.5\"^^xsd:float", "1"}, "\"2.5E0\"^^<" XSD "float>"},
      {AGG_SUM, {"\"1.5\"^^xsd:float", "1.0E0", "1"}, "3.5E0"},
      {AGG_SUM, {"1", "-"}, "error"},
      {AGG_SUM, {"1", "\"2\""}, "error"},
      {AGG_SUM, {"1", "\"x\"^^xsd:integer"}, "error"},
      {AGG_SUM, {"1", ":a", "2"}, "error"},
      {AGG_SUM, {"144115188075855871", "144115188075855871"}, "288230376151711742"},
      {AGG_SUM,
       {"170141183460469231731687303715884105727", "1"},
       "170141183460469231731687303715884105728"},
      {AGG_SUM,
       {"170141183460469231731687303715884105727", "1", "1", "1.5",
        "-170141183460469231731687303715884105727"},
       "3.5"},
      {AGG_SUM, {"\"3\"^^xsd:decimal"}, "3.0"},
      {AGG_AVG, {NULL}, "0"},
      {AGG_AVG, {"1", "2", "3"}, "2.0"},
      {AGG_AVG, {"1", "2"}, "1.5"},
      {AGG_AVG, {"1", "2.2"}, "1.6"},
      {AGG_AVG, {"2.0E-1", "0.2"}, "2.0E-1"},
      {AGG_AVG, {"1", "-"}, "error"},
      {AGG_AVG, {"1", "\"a\""}, "error"},
      {AGG_MIN, {NULL}, "error"},
      {AGG_MAX, {NULL}, "error"},
      {AGG_MIN, {"3", "1", "2"}, "1"},
      {AGG_MAX, {"3", "1", "2"}, "3"},
      {AGG_MIN, {"1.5", "1", "2.0E0"}, "1"},
      {AGG_MAX, {"1.5", "1", "2.0E0"}, "2.0E0"},
      {AGG_MAX, {"100000000000000000000", "99999999999999999999.5", "1"}, "100000000000000000000"},
      {AGG_MIN, {"100000000000000000000", "99999999999999999999.5"}, "99999999999999999999.5"},
      {AGG_MIN, {"\"b\"", "\"a\"", "\"c\""}, "\"a\""},
      {AGG_MAX, {"\"b\"", "\"a\"", "\"c\""}, "\"c\""},
      {AGG_MAX, {"\"b\"", "1", ":a"}, "\"b\""},
      {AGG_MIN, {"\"b\"", "1", ":a"}, "<http://x/a>"},
      {AGG_MIN, {"-", "2", "1"}, "error"},
      {AGG_MIN, {"2", "1", "-"}, "error"},
      {AGG_MAX, {"-", "2", "1"}, "2"},
      {AGG_MAX, {"-"}, "error"},
      {AGG_MAX,
       {"\"2006-01-01T00:00:00Z\"^^xsd:dateTime", "\"2006-01-01T00:00:00-01:00\"^^xsd:dateTime"},
       "\"2006-01-01T00:00:00-01:00\"^^<" XSD "dateTime>"},
      {AGG_SAMPLE, {NULL}, "error"},
      {AGG_SAMPLE, {"-", "7"}, "7"},
      {AGG_GROUP_CONCAT, {NULL}, "\"\""},
      {AGG_GROUP_CONCAT, {"\"a\""}, "\"a\""},
      {AGG_GROUP_CONCAT, {"\"a\"", "\"b\"@en", "3"}, "\"a, b, 3\""},
      {AGG_GROUP_CONCAT, {"\"\"", "\"\""}, "\", \""},
      {AGG_GROUP_CONCAT, {"\"b\"", ":a"}, "\"b, http://x/a\""},
      {AGG_GROUP_CONCAT, {"-", "\"b\"", ":a"}, "error"},
      {AGG_GROUP_CONCAT, {"BNODE()", "\"b\""}, "error"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    check_group(*state, &cases[i], false);
    check_group(*state, &cases[i], true);
  }
}

/* n times a value is n values. */
static void
test_aggregate__times(void **state)
{
  static const char *const values[] = {"7", "2.25", "1.5E0", "99999999999999999999", "0.1"};
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    prepared p;
    quoin_error err = QUOIN_ERROR_INIT;
    atom_id id[WORLD_ROWS], out[2];
    prepare(&p, *state, MODE_LOCAL, values[i]);
    assert_int_equal(sparql_expr_column(id, &p.ctx, p.expr, &p.batch, &err), QUOIN_OK);
    sparql_expr aggregate = {.op = EXPR_AGGREGATE, .aggregate = AGG_SUM};
    for (int way = 0; way < 2; way++) {
      sparql_aggregate_state *s =
          base_arena_new_zero(&p.ctx.arena, 1, sparql_aggregate_size(&aggregate));
      for (int k = 0; k < (way ? 1 : 8); k++)
        assert_int_equal(sparql_aggregate_add(s, &p.ctx, &aggregate, id[0], way ? 8 : 1, &err),
                         QUOIN_OK);
      assert_int_equal(sparql_aggregate_result(&out[way], s, &p.ctx, &aggregate, &err), QUOIN_OK);
    }
    assert_true(out[0].bits && atom_id_equal(out[0], out[1]));
    assert_int_equal(p.ctx.memory_used != UINT64_MAX, 1);
    prepared_free(&p);
  }
}

/* A state that grows is accounted for, and given back. */
static void
test_aggregate__memory_budget(void **state)
{
  prepared p;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_id id[WORLD_ROWS];
  prepare(&p, *state, MODE_LOCAL, "\"0123456789012345678901234567890123456789\"");
  assert_int_equal(sparql_expr_column(id, &p.ctx, p.expr, &p.batch, &err), QUOIN_OK);
  uint64_t before = p.ctx.memory_used;
  sparql_expr aggregate = {.op = EXPR_AGGREGATE, .aggregate = AGG_GROUP_CONCAT};
  sparql_aggregate_state *s =
      base_arena_new_zero(&p.ctx.arena, 1, sparql_aggregate_size(&aggregate));
  p.ctx.memory_limit = 100000;
  quoin_status st = QUOIN_OK;
  for (int i = 0; i < 10000 && !st; i++)
    st = sparql_aggregate_add(s, &p.ctx, &aggregate, id[0], 1, &err);
  assert_int_equal(st, QUOIN_ERR_LIMIT);
  sparql_aggregate_clear(s, &p.ctx);
  assert_int_equal(p.ctx.memory_used, before);
  prepared_free(&p);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_aggregate__of_groups),
      cmocka_unit_test(test_aggregate__times),
      cmocka_unit_test(test_aggregate__memory_budget),
  };
  return cmocka_run_group_tests(tests, world_open, world_close);
}
