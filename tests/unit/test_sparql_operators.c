/* The operators of one child, over rows made up by the test: against simple models. */
#include "sparql/expr/expr.h"
#include "sparql/memory/id_table.h"
#include "sparql/operators/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VARS = 4, MOST = 20000 };

static uint64_t
draw(uint64_t *state)
{
  *state += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(*state);
}

static uint64_t
seed(void)
{
  const char *text = getenv("QUOIN_SEED");
  uint64_t value = text ? strtoull(text, NULL, 10) : 1;
  print_message("seed %llu\n", (unsigned long long)value);
  return value;
}

/* ---- a query without a store, and a child that gives rows of an array ---- */

typedef struct bench {
  sparql_query query;
  quoin_span names[VARS];
  sparql_run_options options;
  sparql_context ctx;
  quoin_error err;
  uint64_t used; /* memory before the operators */
} bench;

static void
bench_open(bench *b)
{
  static const char *const names[VARS] = {"a", "b", "c", "d"};
  *b = (bench){.err = QUOIN_ERROR_INIT};
  for (size_t v = 0; v < VARS; v++)
    b->names[v] = base_span(names[v]);
  b->query.vars = b->names;
  b->query.n_vars = VARS;
  assert_int_equal(
      sparql_context_init(&b->ctx, &b->query, NULL, &b->options, base_alloc_default(), &b->err),
      QUOIN_OK);
  b->used = b->ctx.memory_used;
}

typedef struct rows_operator {
  sparql_operator head;
  atom_id *data[VARS]; /* NULL: unbound in all rows */
  size_t n, at, step;
  const atom_id *column[VARS];
} rows_operator;

static quoin_status
rows_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  rows_operator *op = (rows_operator *)base;
  (void)err;
  size_t n = op->n - op->at < op->step ? op->n - op->at : op->step;
  if (!n) return QUOIN_DONE;
  for (size_t v = 0; v < VARS; v++)
    op->column[v] = op->data[v] ? op->data[v] + op->at : NULL;
  op->at += n;
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
rows_rewind(sparql_operator *base, quoin_error *err)
{
  (void)err;
  ((rows_operator *)base)->at = 0;
  return QUOIN_OK;
}

static const sparql_operator_class rows_class = {
    .name = "rows", .next = rows_next, .rewind = rows_rewind};

static rows_operator *
rows_new(bench *b, size_t n, size_t step)
{
  rows_operator *op = base_arena_new_zero(&b->ctx.arena, 1, sizeof(*op));
  assert_int_equal(sparql_operator_init(&op->head, &rows_class, &b->ctx, NULL, &b->err), QUOIN_OK);
  op->n = n;
  op->step = step;
  return op;
}

static atom_id *
rows_column(rows_operator *op, sparql_var v)
{
  op->data[v] = base_arena_new_zero(&op->head.ctx->arena, op->n + 1, sizeof(atom_id));
  assert_non_null(op->data[v]);
  op->head.maybe[v] = true;
  return op->data[v];
}

/* All that `op` gives, by column; returns the rows. */
static size_t
drain(atom_id *out[VARS], sparql_operator *op, bench *b)
{
  size_t n = 0;
  const atom_id **array = base_arena_new_zero(&b->ctx.arena, VARS, sizeof(atom_id *));
  for (;;) {
    sparql_batch in;
    quoin_status st = sparql_pull(&in, array, op, &b->err);
    if (st == QUOIN_DONE) break;
    assert_int_equal(st, QUOIN_OK);
    assert_in_range(in.rows, 1, SPARQL_BATCH);
    assert_true(n + in.rows <= MOST);
    for (size_t v = 0; v < VARS; v++)
      for (size_t i = 0; i < in.rows; i++)
        out[v][n + i] = in.column[v] ? in.column[v][i] : ATOM_NONE_ID;
    n += in.rows;
  }
  assert_int_equal(sparql_operator_next(&(sparql_batch){0}, op, &b->err), QUOIN_DONE);
  return n;
}

static void
out_new(atom_id *out[VARS], bench *b)
{
  for (size_t v = 0; v < VARS; v++)
    assert_non_null(out[v] = base_arena_new(&b->ctx.arena, MOST, sizeof(atom_id)));
}

/* ---- id_table ---- */

static void
test_id_table__numbers_tuples_in_order_of_arrival(void **state)
{
  (void)state;
  uint64_t s = seed();
  for (unsigned width = 0; width <= 3; width++) {
    bench b;
    bench_open(&b);
    sparql_id_table table;
    atom_id column[3][1000], model[3][5000];
    const atom_id *keys[3] = {column[0], column[1], width == 3 ? NULL : column[2]};
    uint32_t row[1000], again[1000], fresh[1000];
    size_t known = 0;
    assert_int_equal(sparql_id_table_init(&table, &b.ctx, width, &b.err), QUOIN_OK);
    for (unsigned round = 0; round < 8; round++) {
      size_t n = draw(&s) % 1000, before = known, expected_new = 0;
      for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < 3; k++)
          column[k][i] = (atom_id){k == 2 && width == 3 ? 0 : draw(&s) % (width == 1 ? 2000 : 40)};
      assert_int_equal(sparql_id_table_add(row, &table, keys, n, &b.err), QUOIN_OK);
      for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        for (; at < known; at++) {
          bool same = true;
          for (unsigned k = 0; k < width; k++)
            same = same && model[k][at].bits == column[k][i].bits;
          if (same) break;
        }
        assert_int_equal(row[i], at);
        if (at < known) continue;
        for (unsigned k = 0; k < width; k++)
          model[k][known] = column[k][i];
        known++;
        expected_new++;
      }
      assert_int_equal(table.rows, known);
      assert_int_equal(sparql_id_table_new_rows(fresh, row, n, before), expected_new);
      for (size_t i = 0; i < expected_new; i++)
        assert_int_equal(row[fresh[i]], before + i);
      sparql_id_table_find(again, &table, keys, n);
      if (n) assert_memory_equal(again, row, n * sizeof(uint32_t));
      if (round != 4) continue;
      sparql_id_table_reset(&table);
      sparql_id_table_find(again, &table, keys, n);
      for (size_t i = 0; i < n; i++)
        assert_int_equal(again[i], SPARQL_ID_TABLE_ABSENT);
      known = 0;
    }
    sparql_id_table_clear(&table);
    assert_int_equal(b.ctx.memory_used, b.used);
    sparql_context_clear(&b.ctx);
  }
}

static void
test_id_table__reset_of_a_large_one_that_holds_little(void **state)
{
  (void)state;
  bench b;
  bench_open(&b);
  sparql_id_table table;
  static atom_id column[MOST];
  static uint32_t row[MOST];
  const atom_id *keys = column;
  assert_int_equal(sparql_id_table_init(&table, &b.ctx, 1, &b.err), QUOIN_OK);
  for (size_t i = 0; i < MOST; i++)
    column[i] = (atom_id){i + 1};
  assert_int_equal(sparql_id_table_add(row, &table, &keys, MOST, &b.err), QUOIN_OK);
  sparql_id_table_reset(&table);
  for (unsigned round = 0; round < 50; round++) {
    assert_int_equal(sparql_id_table_add(row, &table, &keys, 300, &b.err), QUOIN_OK);
    assert_int_equal(table.rows, 300);
    sparql_id_table_reset(&table);
    sparql_id_table_find(row, &table, &keys, 300);
    for (size_t i = 0; i < 300; i++)
      assert_int_equal(row[i], SPARQL_ID_TABLE_ABSENT);
  }
  size_t slots = (size_t)1 << table.slot_bits;
  for (size_t i = 0; i < slots; i++)
    assert_int_equal(table.slots[i].row, 0);
  sparql_id_table_clear(&table);
  sparql_context_clear(&b.ctx);
}

static void
test_id_table__stops_at_the_memory_budget(void **state)
{
  (void)state;
  bench b;
  bench_open(&b);
  b.ctx.memory_limit = 100000;
  sparql_id_table table;
  static atom_id column[MOST];
  static uint32_t row[MOST];
  const atom_id *keys = column;
  assert_int_equal(sparql_id_table_init(&table, &b.ctx, 1, &b.err), QUOIN_OK);
  for (size_t i = 0; i < MOST; i++)
    column[i] = (atom_id){i + 1};
  assert_int_equal(sparql_id_table_add(row, &table, &keys, MOST, &b.err), QUOIN_ERR_LIMIT);
  sparql_id_table_clear(&table);
  sparql_context_clear(&b.ctx);
}

/* ---- distinct, slice, project ---- */

static void
test_operators__distinct_keeps_first_occurrences(void **state)
{
  (void)state;
  uint64_t s = seed();
  for (unsigned sorted = 0; sorted < 2; sorted++) {
    bench b;
    bench_open(&b);
    rows_operator *rows = rows_new(&b, 5000, 700);
    atom_id *a = rows_column(rows, 0), *c = rows_column(rows, 1), *out[VARS];
    for (size_t i = 0; i < rows->n; i++) {
      a[i] = (atom_id){sorted ? 1 + i / 100 : draw(&s) % 30};
      c[i] = (atom_id){sorted ? 1 + i / 10 : draw(&s) % 30};
    }
    if (sorted) {
      rows->head.sorted[0] = 0;
      rows->head.sorted[1] = 1;
      rows->head.n_sorted = 2;
    }
    const sparql_var vars[] = {1, 0, 2};
    sparql_operator *op;
    assert_int_equal(sparql_distinct_new(&op, &b.ctx, &rows->head, vars, 3, &b.err), QUOIN_OK);
    out_new(out, &b);
    for (unsigned round = 0; round < 2; round++) {
      size_t n = drain(out, op, &b), expected = 0;
      for (size_t i = 0; i < rows->n; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
          seen = a[j].bits == a[i].bits && c[j].bits == c[i].bits;
        if (seen) continue;
        assert_true(expected < n);
        assert_int_equal(out[0][expected].bits, a[i].bits);
        assert_int_equal(out[1][expected].bits, c[i].bits);
        expected++;
      }
      assert_int_equal(n, expected);
      assert_int_equal(sparql_operator_rewind(op, &b.err), QUOIN_OK);
    }
    sparql_operator_close(op);
    assert_int_equal(b.ctx.memory_used, b.used);
    sparql_context_clear(&b.ctx);
  }
}

static void
test_operators__slice_cuts_and_stops(void **state)
{
  (void)state;
  static const uint64_t cases[][2] = {{0, 10},    {5, 0},     {0, UINT64_MAX}, {999, 2},
                                      {1000, 50}, {2999, 50}, {3000, 5},       {7, 1500}};
  for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
    bench b;
    bench_open(&b);
    rows_operator *rows = rows_new(&b, 3000, 1000);
    atom_id *a = rows_column(rows, 0), *out[VARS];
    for (size_t i = 0; i < rows->n; i++)
      a[i] = (atom_id){i + 1};
    sparql_operator *op;
    uint64_t offset = cases[c][0], limit = cases[c][1];
    assert_int_equal(sparql_slice_new(&op, &b.ctx, &rows->head, offset, limit, &b.err), QUOIN_OK);
    out_new(out, &b);
    size_t n = drain(out, op, &b);
    uint64_t left = offset < 3000 ? 3000 - offset : 0;
    assert_int_equal(n, left < limit ? left : limit);
    for (size_t i = 0; i < n; i++)
      assert_int_equal(out[0][i].bits, offset + i + 1);
    if (limit < 10) assert_true(rows->at <= offset + limit + 1000); /* asked for no more */
    sparql_operator_close(op);
    sparql_context_clear(&b.ctx);
  }
}

/* ---- order ---- */

static void
order_case(uint64_t *s, size_t n, uint64_t limit, unsigned values, bool descending)
{
  bench b;
  bench_open(&b);
  rows_operator *rows = rows_new(&b, n, 900);
  atom_id *a = rows_column(rows, 0), *c = rows_column(rows, 1), *out[VARS];
  for (size_t i = 0; i < n; i++) {
    a[i] = atom_inline_integer((int64_t)(draw(s) % values) - 50);
    c[i] = (atom_id){i + 1};
  }
  sparql_expr expr = {.op = EXPR_VAR, .var = 0};
  sparql_order_key key = {.expr = &expr, .descending = descending};
  sparql_operator *op;
  assert_int_equal(sparql_order_new(&op, &b.ctx, &rows->head, &key, 1, limit, &b.err), QUOIN_OK);
  out_new(out, &b);
  size_t got = drain(out, op, &b);
  assert_int_equal(got, n < limit ? n : limit);
  /* A stable counting sort as the model. */
  size_t at = 0;
  for (unsigned v = 0; v < values; v++) {
    int64_t value = (int64_t)(descending ? values - 1 - v : v) - 50;
    for (size_t i = 0; i < n && at < got; i++) {
      if (atom_inline_get_integer(a[i]) != value) continue;
      assert_int_equal(out[0][at].bits, a[i].bits);
      assert_int_equal(out[1][at].bits, i + 1);
      at++;
    }
  }
  assert_int_equal(at, got);
  sparql_operator_close(op);
  assert_int_equal(b.ctx.memory_used, b.used);
  sparql_context_clear(&b.ctx);
}

static void
test_operators__order_is_stable(void **state)
{
  (void)state;
  uint64_t s = seed();
  order_case(&s, 0, UINT64_MAX, 5, false);
  order_case(&s, 1, UINT64_MAX, 5, true);
  order_case(&s, 3000, UINT64_MAX, 100, false);
  order_case(&s, 3000, UINT64_MAX, 2, true);
  order_case(&s, 3000, UINT64_MAX, 100000, false);
  order_case(&s, 15000, 10, 50, false);
  order_case(&s, 15000, 10, 3, true);
  order_case(&s, 15000, 3000, 500, true);
  order_case(&s, 15000, 1, 500, true);
  order_case(&s, 100, 0, 5, false);
  order_case(&s, 5000, 1000000, 7, false);
}

/* Terms of `sorts` kinds with long common beginnings. */
static atom_id
random_term(bench *b, uint64_t *s, unsigned sorts)
{
  static const char *const datatypes[] = {RDF_XSD "date",    RDF_XSD "dateTime", RDF_XSD "gYear",
                                          RDF_XSD "decimal", "http://x/type",    RDF_XSD "double"};
  char text[64];
  rdf_term term = {.kind = RDF_LITERAL};
  unsigned n = (unsigned)(draw(s) % 1000), sort = (unsigned)(draw(s) % sorts);
  (void)snprintf(text, sizeof(text), "http://example.org/thing/%u", n);
  if (sort == 0) term.kind = RDF_IRI;
  if (sort == 1) (void)snprintf(text, sizeof(text), "%u", n);
  if (sort == 2) term.lang = base_span(n % 2 ? "en" : "de");
  if (sort >= 3) term.datatype = base_span(datatypes[sort - 3]);
  if (sort == 3) (void)snprintf(text, sizeof(text), "2020-%02u-%02u", n % 12 + 1, n % 28 + 1);
  if (sort == 4)
    (void)snprintf(text, sizeof(text), "2020-%02u-%02uT00:00:%02u", n % 12 + 1, n % 28 + 1, n % 60);
  if (sort == 5) (void)snprintf(text, sizeof(text), "%u", 1000 + n);
  if (sort == 6) (void)snprintf(text, sizeof(text), "-%u.%u0", n % 90, n % 7);
  if (sort == 8) (void)snprintf(text, sizeof(text), n % 9 ? "%uE%u" : "NaN", n % 10, n % 5);
  term.value = base_span(text);
  atom_id id;
  assert_int_equal(sparql_intern(&id, &b->ctx, &term, &b->err), QUOIN_OK);
  return id;
}

static void
test_operators__order_of_terms_is_that_of_their_keys(void **state)
{
  (void)state;
  uint64_t s = seed();
  for (unsigned sorts = 1; sorts <= 9; sorts++) {
    bench b;
    bench_open(&b);
    rows_operator *rows = rows_new(&b, 2000, 1000);
    atom_id *a = rows_column(rows, 0), *out[VARS];
    for (size_t i = 0; i < rows->n; i++)
      a[i] = draw(&s) % 50 ? random_term(&b, &s, sorts) : ATOM_NONE_ID;
    sparql_expr expr = {.op = EXPR_VAR, .var = 0};
    sparql_order_key key = {.expr = &expr, .descending = sorts % 2 == 0};
    sparql_operator *op;
    uint64_t limit = sorts % 3 ? UINT64_MAX : 700;
    assert_int_equal(sparql_order_new(&op, &b.ctx, &rows->head, &key, 1, limit, &b.err), QUOIN_OK);
    out_new(out, &b);
    size_t n = drain(out, op, &b);
    assert_int_equal(n, limit < 2000 ? limit : 2000);
    for (size_t i = 1; i < n; i++) {
      sparql_sort_key left, right;
      assert_int_equal(sparql_sort_key_make(&left, &b.ctx, out[0][i - 1], &b.ctx.scratch, &b.err),
                       QUOIN_OK);
      assert_int_equal(sparql_sort_key_make(&right, &b.ctx, out[0][i], &b.ctx.scratch, &b.err),
                       QUOIN_OK);
      int c = sparql_sort_key_compare(&left, &right);
      assert_true(key.descending ? c >= 0 : c <= 0);
    }
    sparql_operator_close(op);
    sparql_context_clear(&b.ctx);
  }
}

/* ---- group ---- */

static void
group_case(uint64_t *s, bool sorted, bool distinct, size_t n)
{
  bench b;
  bench_open(&b);
  rows_operator *rows = rows_new(&b, n, 333);
  atom_id *a = rows_column(rows, 0), *c = rows_column(rows, 1), *out[VARS];
  uint64_t at_a = 1, at_c = 1;
  for (size_t i = 0; i < n; i++) {
    if (sorted) {
      if (draw(s) % 7 == 0) at_a++, at_c = 0;
      at_c += draw(s) % 2;
    }
    a[i] = (atom_id){sorted ? at_a : 1 + draw(s) % 200};
    c[i] = (atom_id){sorted ? at_c : draw(s) % 20}; /* 0: unbound, not counted */
  }
  if (sorted) {
    rows->head.sorted[0] = 0;
    rows->head.sorted[1] = 1;
    rows->head.n_sorted = 2;
  }
  sparql_expr var = {.op = EXPR_VAR, .var = 1}, *args[] = {&var};
  sparql_expr all = {.op = EXPR_AGGREGATE, .aggregate = AGG_COUNT};
  sparql_expr count = {.op = EXPR_AGGREGATE,
                       .aggregate = AGG_COUNT,
                       .args = args,
                       .n_args = 1,
                       .distinct = distinct};
  sparql_group_key key = {.var = 0};
  sparql_group_aggregate aggregates[] = {{.var = 2, .expr = &all}, {.var = 3, .expr = &count}};
  sparql_algebra node = {.op = ALGEBRA_GROUP,
                         .keys = &key,
                         .n_keys = 1,
                         .aggregates = aggregates,
                         .n_aggregates = 2,
                         .grouped = true};
  sparql_operator *op;
  assert_int_equal(sparql_group_new(&op, &b.ctx, &rows->head, &node, &b.err), QUOIN_OK);
  out_new(out, &b);
  for (unsigned round = 0; round < 2; round++) {
    size_t groups = drain(out, op, &b), total = 0;
    for (size_t g = 0; g < groups; g++) {
      int64_t expected_all = 0, expected = 0;
      for (size_t h = 0; h < g; h++)
        assert_true(out[0][h].bits != out[0][g].bits);
      bool seen[MOST] = {false};
      for (size_t i = 0; i < n; i++) {
        if (a[i].bits != out[0][g].bits) continue;
        expected_all++;
        if (c[i].bits && !(distinct && seen[c[i].bits])) expected++;
        seen[c[i].bits] = true;
      }
      assert_int_equal(atom_inline_get_integer(out[2][g]), expected_all);
      assert_int_equal(atom_inline_get_integer(out[3][g]), expected);
      total += (size_t)expected_all;
    }
    assert_int_equal(total, n);
    assert_int_equal(sparql_operator_rewind(op, &b.err), QUOIN_OK);
  }
  sparql_operator_close(op);
  assert_int_equal(b.ctx.memory_used, b.used);
  sparql_context_clear(&b.ctx);
}

static void
test_operators__group_counts(void **state)
{
  (void)state;
  uint64_t s = seed();
  for (unsigned sorted = 0; sorted < 2; sorted++)
    for (unsigned distinct = 0; distinct < 2; distinct++) {
      group_case(&s, sorted, distinct, 0);
      group_case(&s, sorted, distinct, 1);
      group_case(&s, sorted, distinct, 2500);
    }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_id_table__numbers_tuples_in_order_of_arrival),
      cmocka_unit_test(test_id_table__reset_of_a_large_one_that_holds_little),
      cmocka_unit_test(test_id_table__stops_at_the_memory_budget),
      cmocka_unit_test(test_operators__distinct_keeps_first_occurrences),
      cmocka_unit_test(test_operators__slice_cuts_and_stops),
      cmocka_unit_test(test_operators__order_is_stable),
      cmocka_unit_test(test_operators__order_of_terms_is_that_of_their_keys),
      cmocka_unit_test(test_operators__group_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
