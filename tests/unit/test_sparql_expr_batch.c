/* Batches against single rows: the fast paths over ids agree with values made from text. */
#include "sparql_expr_world.h"

#include "sparql/expr/value.h"

#include <time.h>

#define XSD "http://www.w3.org/2001/XMLSchema#"

static const char *const pool[] = {
    ":a",
    ":b",
    "BNODE(\"x\")",
    "\"a\"",
    "\"b\"",
    "\"\"",
    "\"a\"@en",
    "\"a\"@EN",
    "\"b\"@en",
    "\"a\"@de",
    "\"a\"^^:t",
    "\"b\"^^:t",
    "true",
    "false",
    "\"1\"^^xsd:boolean",
    "\"x\"^^xsd:boolean",
    "0",
    "1",
    "-1",
    "\"01\"^^xsd:integer",
    "9007199254740993",
    "99999999999999999999999999999999999999999999",
    "\"x\"^^xsd:integer",
    "1.0",
    "1.00",
    "1.5",
    "\"1\"^^xsd:decimal",
    "0.1",
    "0.1000000000000000055511151231257827021181583404541015625",
    "1.0E0",
    "1.5E0",
    "0.1E0",
    "9007199254740992.0E0",
    "\"NaN\"^^xsd:double",
    "\"INF\"^^xsd:double",
    "\"1\"^^xsd:float",
    "\"0.1\"^^xsd:float",
    "\"NaN\"^^xsd:float",
    "\"1\"^^xsd:byte",
    "\"300\"^^xsd:byte",
    "\"2006-01-01\"^^xsd:date",
    "\"2006-01-02\"^^xsd:date",
    "\"2006-01-01Z\"^^xsd:date",
    "\"2006-01-01T00:00:00\"^^xsd:dateTime",
    "\"2006-01-01T00:00:00Z\"^^xsd:dateTime",
    "\"2006-01-01T01:00:00+01:00\"^^xsd:dateTime",
    "\"2006-01-02T00:00:00Z\"^^xsd:dateTime",
    "\"2006-01-01T00:00:00.0000001Z\"^^xsd:dateTime",
    "\"2006-01-01T00:00:00.0Z\"^^xsd:dateTime",
    "\"P1Y\"^^xsd:duration",
    "\"P12M\"^^xsd:yearMonthDuration",
    "?unbound",
};
enum { POOL = sizeof(pool) / sizeof(pool[0]) };

static const char *const binary[] = {"=", "!=", "<", ">", "<=", ">="};

/* All values of the pool as ids of one context whose query has variables ?a and ?b (0 and 1). */
typedef struct pairs {
  prepared p;
  atom_id a[POOL * POOL], b[POOL * POOL];
  const atom_id *column[8];
} pairs;

static sparql_batch
batch_of(pairs *x, size_t first, size_t rows)
{
  x->column[0] = x->a + first;
  x->column[1] = x->b + first;
  return (sparql_batch){.rows = rows, .column = x->column};
}

static void
pairs_open(pairs *x, world *w, world_mode mode, const char *expression)
{
  static atom_id ids[POOL];
  char text[2000] = "COALESCE(?a, ?b";
  memset(x, 0, sizeof(*x));
  (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %s)", expression);
  prepare(&x->p, w, MODE_CONSTANT, text);
  assert_int_equal(x->p.expr->args[0]->var, 0);
  assert_int_equal(x->p.expr->args[1]->var, 1);
  assert_true(x->p.query.n_vars < 8);
  x->p.expr = x->p.expr->args[2];
  if (mode == MODE_STORED) {
    x->p.ctx.atoms = w->atoms;
    x->p.ctx.mark = UINT64_MAX;
  }
  for (int i = 0; i < POOL; i++) {
    prepared value;
    quoin_error err = QUOIN_ERROR_INIT;
    atom_id id[WORLD_ROWS];
    base_arena arena;
    rdf_term term;
    base_arena_init(&arena, base_alloc_default());
    prepare(&value, w, MODE_CONSTANT, pool[i]);
    assert_int_equal(sparql_expr_column(id, &value.ctx, value.expr, &value.batch, &err), QUOIN_OK);
    assert_int_equal(sparql_term(&term, &value.ctx, id[0], &arena, &err), QUOIN_OK);
    ids[i] = term.kind ? world_id(w, &x->p, mode, &term) : ATOM_NONE_ID;
    base_arena_clear(&arena);
    prepared_free(&value);
  }
  for (int i = 0; i < POOL; i++)
    for (int j = 0; j < POOL; j++) {
      x->a[i * POOL + j] = ids[i];
      x->b[i * POOL + j] = ids[j];
    }
}

/* From terms alone. */
static int
oracle(pairs *x, size_t row, int op)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena arena;
  sparql_value v[2];
  base_arena_init(&arena, base_alloc_default());
  for (int k = 0; k < 2; k++) {
    rdf_term term;
    atom_id id = k ? x->b[row] : x->a[row];
    assert_int_equal(sparql_term(&term, &x->p.ctx, id, &arena, &err), QUOIN_OK);
    assert_int_equal(value_of_term(&v[k], &term, &arena, &err), QUOIN_OK);
  }
  int r, truth;
  if (op < 2) {
    assert_int_equal(value_equal(&r, &v[0], &v[1], &x->p.ctx, &arena, &err), QUOIN_OK);
    truth = r < 0 ? -1 : op == 0 ? r : !r;
  } else {
    assert_int_equal(value_order(&r, &v[0], &v[1], &x->p.ctx, &arena, &err), QUOIN_OK);
    truth = r == VALUE_INCOMPARABLE ? -1
            : r == VALUE_UNORDERED  ? 0
            : op == 2               ? r < 0
            : op == 3               ? r > 0
            : op == 4               ? r <= 0
                                    : r >= 0;
  }
  base_arena_clear(&arena);
  return truth;
}

static void
test_batch__comparisons_agree_with_values(void **state)
{
  static pairs x;
  for (int mode = MODE_LOCAL; mode < MODE_COUNT; mode++)
    for (int op = 0; op < 6; op++) {
      char text[40];
      (void)snprintf(text, sizeof(text), "?a %s ?b", binary[op]);
      pairs_open(&x, *state, (world_mode)mode, text);
      for (size_t first = 0; first < POOL * POOL; first += SPARQL_BATCH) {
        quoin_error err = QUOIN_ERROR_INIT;
        size_t rows = POOL * POOL - first < SPARQL_BATCH ? POOL * POOL - first : SPARQL_BATCH;
        sparql_batch batch = batch_of(&x, first, rows);
        atom_id out[SPARQL_BATCH];
        uint32_t selected[SPARQL_BATCH];
        size_t n, at = 0;
        assert_int_equal(sparql_expr_column(out, &x.p.ctx, x.p.expr, &batch, &err), QUOIN_OK);
        assert_int_equal(sparql_expr_filter(selected, &n, &x.p.ctx, x.p.expr, &batch, &err),
                         QUOIN_OK);
        for (size_t i = 0; i < rows; i++) {
          int truth = oracle(&x, first + i, op);
          atom_id expected = truth < 0 ? ATOM_NONE_ID : atom_inline_boolean(truth);
          bool hit = at < n && selected[at] == i;
          at += hit;
          if (!atom_id_equal(out[i], expected) || hit != (truth > 0))
            fail_msg("%s %s %s: expected %d (mode %d)", pool[(first + i) / POOL], binary[op],
                     pool[(first + i) % POOL], truth, mode);
        }
        assert_int_equal(at, n);
      }
      prepared_free(&x.p);
    }
}

/* Whatever the expression, a batch gives what its rows give one by one, also in another order. */
static void
test_batch__rows_do_not_touch_each_other(void **state)
{
  static const char *const expressions[] = {
      "?a < ?b || ?a = ?b",
      "!(?a < ?b) && (isIRI(?a) || ?b > 0.5)",
      "?a IN (:a, :b)",
      "?a NOT IN (\"a\", \"b\")",
      "?a IN (1, \"a\", ?b)",
      "BOUND(?a) && !BOUND(?b)",
      "isNumeric(?a)",
      "isLiteral(?a) && !isBlank(?b)",
      "LANG(?a) = \"en\"",
      "LANGMATCHES(LANG(?a), \"EN\")",
      "REGEX(STR(?a), \"^[a-z]$\")",
      "REGEX(STR(?a), STR(?b))",
      "STRSTARTS(STR(?a), \"1\")",
      "CONTAINS(STR(?a), STR(?b))",
      "DATATYPE(?a) = xsd:integer",
      "?a + ?b > 1",
      "IF(?a < ?b, ?a, ?b)",
      "COALESCE(?a + 1, STRLEN(?b), ?b)",
      "?a + ?b",
      "?a * ?b",
      "CONCAT(STR(?a), \"-\", STR(?b))",
      "xsd:double(?a)",
      "xsd:string(?a)",
      "YEAR(?a)",
      "sameTerm(?a, ?b)",
      "1 < 2",
      "?a",
  };
  static pairs x;
  const char *text = getenv("QUOIN_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  for (size_t e = 0; e < sizeof(expressions) / sizeof(expressions[0]); e++) {
    pairs_open(&x, *state, e % 2 ? MODE_STORED : MODE_LOCAL, expressions[e]);
    for (size_t i = POOL * POOL - 1; i > 0; i--) { /* shuffle, and leave runs of equal rows */
      seed = base_mix(seed + 1);
      size_t j = seed % (i + 1);
      atom_id a = x.a[i], b = x.b[i];
      x.a[i] = x.a[j], x.b[i] = x.b[j];
      x.a[j] = a, x.b[j] = b;
      if (seed >> 60 == 0 && i + 1 < POOL * POOL) x.a[i] = x.a[i + 1], x.b[i] = x.b[i + 1];
    }
    for (size_t first = 0; first + SPARQL_BATCH <= POOL * POOL; first += SPARQL_BATCH) {
      quoin_error err = QUOIN_ERROR_INIT;
      atom_id out[SPARQL_BATCH], one;
      uint32_t selected[SPARQL_BATCH], chosen;
      size_t n, at = 0, n_one;
      sparql_batch batch = batch_of(&x, first, SPARQL_BATCH);
      assert_int_equal(sparql_expr_column(out, &x.p.ctx, x.p.expr, &batch, &err), QUOIN_OK);
      assert_int_equal(sparql_expr_filter(selected, &n, &x.p.ctx, x.p.expr, &batch, &err),
                       QUOIN_OK);
      for (size_t i = 0; i < SPARQL_BATCH; i++) {
        sparql_batch row = batch_of(&x, first + i, 1);
        assert_int_equal(sparql_expr_column(&one, &x.p.ctx, x.p.expr, &row, &err), QUOIN_OK);
        assert_int_equal(sparql_expr_filter(&chosen, &n_one, &x.p.ctx, x.p.expr, &row, &err),
                         QUOIN_OK);
        bool hit = at < n && selected[at] == i;
        at += hit;
        if (!atom_id_equal(out[i], one) || hit != (n_one == 1))
          fail_msg("%s: row %zu differs", expressions[e], first + i);
      }
    }
    prepared_free(&x.p);
  }
}

/* ---- EXISTS ---- */

static quoin_status
exists_when_even(bool *out, sparql_context *ctx, const sparql_expr *expr, const sparql_batch *batch,
                 size_t row, quoin_error *err)
{
  (void)expr;
  (void)err;
  (void)batch;
  base_arena_reset(&ctx->scratch); /* as the operators of an inner plan do */
  *out = row % 2 == 0;
  return QUOIN_OK;
}

static quoin_status
exists_fails(bool *out, sparql_context *ctx, const sparql_expr *expr, const sparql_batch *batch,
             size_t row, quoin_error *err)
{
  (void)out;
  (void)ctx;
  (void)expr;
  (void)batch;
  (void)row;
  return base_fail(err, QUOIN_ERR_IO, "no such disk");
}

static void
test_batch__exists_is_asked_for_each_row(void **state)
{
  static pairs x;
  quoin_error err = QUOIN_ERROR_INIT;
  uint32_t selected[SPARQL_BATCH];
  size_t n;
  pairs_open(&x, *state, MODE_LOCAL, "EXISTS { ?a ?c ?b } && NOT EXISTS { ?b ?c ?a }");
  sparql_batch batch = batch_of(&x, 0, 100);
  bool bits[8] = {false};
  sparql_expr_vars(x.p.expr, bits);
  assert_true(bits[0] && bits[1] && bits[2]);
  x.p.ctx.exists = exists_when_even;
  assert_int_equal(sparql_expr_filter(selected, &n, &x.p.ctx, x.p.expr, &batch, &err), QUOIN_OK);
  assert_int_equal(n, 0);
  assert_int_equal(sparql_expr_filter(selected, &n, &x.p.ctx, x.p.expr->args[0], &batch, &err),
                   QUOIN_OK);
  assert_int_equal(n, 50);
  x.p.ctx.exists = exists_fails;
  assert_int_equal(sparql_expr_filter(selected, &n, &x.p.ctx, x.p.expr, &batch, &err),
                   QUOIN_ERR_IO);
  prepared_free(&x.p);
}

/* ---- BNODE per solution ---- */

static void
test_batch__bnode_of_a_label_is_one_per_solution(void **state)
{
  static pairs x;
  quoin_error err = QUOIN_ERROR_INIT;
  atom_id out[2][20];
  pairs_open(&x, *state, MODE_LOCAL, "BNODE(\"l\")");
  sparql_batch batch = batch_of(&x, 0, 20);
  for (int again = 0; again < 2; again++)
    assert_int_equal(sparql_expr_column(out[again], &x.p.ctx, x.p.expr, &batch, &err), QUOIN_OK);
  for (int i = 0; i < 20; i++) {
    assert_true(atom_id_equal(out[0][i], out[1][i]));
    for (int j = 0; j < i; j++)
      assert_false(atom_id_equal(out[0][i], out[0][j]));
  }
  prepared_free(&x.p);
}

/* ---- memory runs out ---- */

typedef struct scarce {
  long left;
  long live;
} scarce;

static void *
scarce_allocate(void *user, size_t size)
{
  scarce *s = user;
  if (s->left-- <= 0) return NULL;
  s->live++;
  return malloc(size);
}

static void *
scarce_resize(void *user, void *ptr, size_t old_size, size_t size)
{
  scarce *s = user;
  (void)old_size;
  if (s->left-- <= 0) return NULL;
  if (!ptr) s->live++;
  return realloc(ptr, size);
}

static void
scarce_release(void *user, void *ptr, size_t size)
{
  scarce *s = user;
  (void)size;
  if (ptr) s->live--;
  free(ptr);
}

static void
test_batch__every_allocation_may_fail(void **state)
{
  (void)state;
  static const char *const expressions[] = {
      "REPLACE(CONCAT(STR(:a), \"xyz\"), \"[a-z]+(.)\", \"$1$1\")",
      "REGEX(\"abc\", UCASE(\"A.C\"), \"i\") || 1 IN (:a, :b)",
      "99999999999999999999999999999999999999999999 * 99999999999999999999999999999999999999999999",
      "SHA512(ENCODE_FOR_URI(STR(IRI(\"x\"))))",
      "BNODE(\"a\") = BNODE() || xsd:decimal(0.1E0) = 1",
  };
  for (size_t e = 0; e < sizeof(expressions) / sizeof(expressions[0]); e++) {
    char text[1024];
    sparql_query *query;
    quoin_error err = QUOIN_ERROR_INIT;
    (void)snprintf(text, sizeof(text), PROLOGUE "SELECT (%s AS ?r) {}", expressions[e]);
    assert_int_equal(sparql_query_parse(&query, base_span(text), (quoin_span){NULL, 0},
                                        base_alloc_default(), &err),
                     QUOIN_OK);
    const sparql_expr *expr = find_extend(query->root);
    quoin_status st = QUOIN_ERR_NOMEM;
    long failed = 0;
    for (long n = 0; st && n < 500; n++) {
      scarce s = {.left = n};
      const base_alloc mem = {scarce_allocate, scarce_resize, scarce_release, &s};
      sparql_context ctx = {0};
      atom_id out[1];
      const atom_id *column[8] = {NULL};
      sparql_batch batch = {.rows = 1, .column = column};
      st = sparql_context_init(&ctx, query, NULL, NULL, &mem, &err);
      if (!st) st = sparql_expr_column(out, &ctx, expr, &batch, &err);
      sparql_context_clear(&ctx);
      assert_int_equal(s.live, 0);
      if (st) assert_int_equal(st, QUOIN_ERR_NOMEM);
      failed += st != QUOIN_OK;
    }
    assert_int_equal(st, QUOIN_OK);
    assert_true(failed > 3);
    sparql_query_free(query);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_batch__comparisons_agree_with_values),
      cmocka_unit_test(test_batch__rows_do_not_touch_each_other),
      cmocka_unit_test(test_batch__exists_is_asked_for_each_row),
      cmocka_unit_test(test_batch__bnode_of_a_label_is_one_per_solution),
      cmocka_unit_test(test_batch__every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, world_open, world_close);
}
