/* Joins on disk against the same joins in memory, over rows made up by the test: every mode, keys
 * that are frequent, missing or unbound, sorted input; and how much memory they take. */
#include "sparql/memory/spill.h"
#include "sparql/operators/operators.h"
#include "support/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { VARS = 4, BUDGET = 1 << 20, SLACK = 768 * 1024 };

/* ---- rows as an operator ---- */

typedef uint64_t (*cell_fn)(size_t row, uint64_t seed);

typedef struct source {
  size_t n;
  cell_fn cell[VARS]; /* NULL: not bound */
  bool loose[VARS];   /* 0 now and then */
  bool sorted;        /* by variable 0 */
} source;

typedef struct rows_operator {
  sparql_operator head;
  const source *from;
  uint64_t seed;
  size_t at;
  atom_id *data[VARS];
  const atom_id *column[VARS];
} rows_operator;

static quoin_status
rows_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  rows_operator *op = (rows_operator *)base;
  const source *from = op->from;
  (void)err;
  size_t n = from->n - op->at < 700 ? from->n - op->at : 700;
  if (!n) return QUOIN_DONE;
  for (size_t v = 0; v < VARS; v++)
    for (size_t i = 0; i < n && from->cell[v]; i++)
      op->data[v][i] = (atom_id){from->cell[v](op->at + i, op->seed)};
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

static sparql_operator *
rows_new(sparql_context *ctx, const source *from, uint64_t seed)
{
  quoin_error err = QUOIN_ERROR_INIT;
  rows_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  assert_non_null(op);
  assert_int_equal(sparql_operator_init(&op->head, &rows_class, ctx, NULL, &err), QUOIN_OK);
  op->from = from;
  op->seed = seed;
  for (size_t v = 0; v < VARS; v++) {
    if (!from->cell[v]) continue;
    op->data[v] = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
    assert_non_null(op->data[v]);
    op->column[v] = op->data[v];
    op->head.maybe[v] = true;
    op->head.bound[v] = !from->loose[v];
  }
  if (from->sorted) op->head.sorted[op->head.n_sorted++] = 0;
  return &op->head;
}

static uint64_t
row_number(size_t row, uint64_t seed)
{
  (void)seed;
  return row + 1;
}

static uint64_t
wide(size_t row, uint64_t seed)
{
  return base_mix(row * 2 + seed) % 40000 + 1;
}

/* Of the values of wide a half, in twice the range. */
static uint64_t
sparse(size_t row, uint64_t seed)
{
  return base_mix(row * 2 + seed) % 40000 * 2 + 1;
}

/* Every second one the same. */
static uint64_t
frequent(size_t row, uint64_t seed)
{
  return row % 2 ? 7 : base_mix(row + seed) % 1000000 + 1;
}

static uint64_t
seldom(size_t row, uint64_t seed)
{
  return row % 1000 == 1 ? 7 : base_mix(row * 3 + seed) % 1000000 + 1;
}

static uint64_t
partly(size_t row, uint64_t seed)
{
  return row % 50 == 0 ? 0 : base_mix(row + seed) % 300 + 1;
}

/* ---- one join ---- */

typedef struct outcome {
  uint64_t (*row)[VARS];
  size_t n, cap;
  bool spilled;
  size_t most;
} outcome;

static int
compare_rows(const void *a, const void *b)
{
  return memcmp(a, b, sizeof(uint64_t[VARS]));
}

static void
take(outcome *out, const sparql_batch *in)
{
  for (size_t i = 0; i < in->rows; i++) {
    if (out->n == out->cap) {
      out->cap = out->cap ? out->cap * 2 : 1024;
      assert_non_null(out->row = realloc(out->row, out->cap * sizeof(*out->row)));
    }
    for (size_t v = 0; v < VARS; v++)
      out->row[out->n][v] = in->column[v] ? in->column[v][i].bits : 0;
    out->n++;
  }
}

static outcome
join(const source *left, const source *right, join_mode mode, uint64_t budget, unsigned rounds)
{
  outcome out = {0};
  support_memory m = {0};
  const base_alloc mem = support_alloc(&m);
  static const quoin_span names[VARS] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
  quoin_span copy[VARS];
  memcpy(copy, names, sizeof(names));
  sparql_query query = {.vars = copy, .n_vars = VARS};
  const sparql_run_options options = {.memory_bytes = budget};
  const hash_join_options how = {.mode = mode, .graph = SPARQL_NO_VAR};
  const sparql_frame frame = {0};
  sparql_context ctx;
  sparql_operator *op = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(sparql_context_init(&ctx, &query, NULL, &options, &mem, &err), QUOIN_OK);
  uint64_t used = ctx.memory_used;
  const atom_id **array = base_arena_new_zero(&ctx.arena, VARS, sizeof(atom_id *));
  assert_non_null(array);
  assert_int_equal(sparql_hash_join_make(&op, &ctx, rows_new(&ctx, left, 1),
                                         rows_new(&ctx, right, 2), &how, NULL, &frame, &err),
                   QUOIN_OK);
  for (unsigned round = 0; round < rounds; round++) {
    sparql_batch in;
    quoin_status st;
    out.n = 0;
    if (round) assert_int_equal(sparql_operator_rewind(op, &err), QUOIN_OK);
    while (!(st = sparql_pull(&in, array, op, &err)))
      take(&out, &in);
    if (st != QUOIN_DONE) fail_msg("status %d: %s", (int)st, err.message);
  }
  out.spilled = ctx.spill != NULL;
  out.most = (size_t)m.most;
  sparql_operator_close(op);
  assert_int_equal(ctx.memory_used, used);
  sparql_context_clear(&ctx);
  assert_int_equal(m.bytes, 0);
  assert_int_equal(m.blocks, 0);
  return out;
}

static void
same_join(const source *left, const source *right, join_mode mode)
{
  outcome whole = join(left, right, mode, 0, 1), small = join(left, right, mode, BUDGET, 1);
  outcome again = join(left, right, mode, BUDGET, 2);
  print_message("%zu rows, %zu bytes at most on disk, %zu in memory\n", small.n, small.most,
                whole.most);
  assert_false(whole.spilled);
  assert_true(small.spilled);
  assert_true(small.most <= BUDGET + SLACK);
  assert_int_equal(small.n, whole.n);
  assert_int_equal(again.n, whole.n);
  assert_true(whole.n > 0);
  for (size_t i = 1; left->sorted && i < small.n; i++)
    assert_true(small.row[i - 1][0] <= small.row[i][0]);
  qsort(whole.row, whole.n, sizeof(*whole.row), compare_rows);
  qsort(small.row, small.n, sizeof(*small.row), compare_rows);
  qsort(again.row, again.n, sizeof(*again.row), compare_rows);
  assert_memory_equal(whole.row, small.row, whole.n * sizeof(*whole.row));
  assert_memory_equal(whole.row, again.row, whole.n * sizeof(*whole.row));
  free(whole.row);
  free(small.row);
  free(again.row);
}

static void
all_modes(source left, source right)
{
  for (int sorted = 0; sorted < 2; sorted++) {
    left.sorted = sorted != 0;
    same_join(&left, &right, JOIN_INNER);
    same_join(&left, &right, JOIN_LEFT);
    same_join(&left, &right, JOIN_MINUS);
  }
}

/* SEMI and ANTI together give each left row once. */
static void
chosen(source left, source right)
{
  for (int sorted = 0; sorted < 2; sorted++) {
    left.sorted = sorted != 0;
    same_join(&left, &right, JOIN_SEMI);
    same_join(&left, &right, JOIN_ANTI);
  }
  outcome with = join(&left, &right, JOIN_SEMI, BUDGET, 1);
  outcome without = join(&left, &right, JOIN_ANTI, BUDGET, 1);
  assert_int_equal(with.n + without.n, left.n);
  free(with.row);
  free(without.row);
}

static void
test_spill_join__many_keys(void **state)
{
  (void)state;
  source left = {.n = 30000, .cell = {row_number, wide}};
  source right = {.n = 60000, .cell = {NULL, wide, row_number}};
  all_modes(left, right);
  right.cell[1] = sparse; /* many a left row has no match */
  chosen(left, right);
}

static void
test_spill_join__one_frequent_key(void **state)
{
  (void)state;
  all_modes((source){.n = 6000, .cell = {row_number, seldom}},
            (source){.n = 60000, .cell = {NULL, frequent, row_number}});
  chosen((source){.n = 6000, .cell = {row_number, seldom}},
         (source){.n = 60000, .cell = {NULL, frequent, row_number}});
}

static void
test_spill_join__keys_that_may_be_unbound(void **state)
{
  (void)state;
  all_modes((source){.n = 300, .cell = {row_number, partly}, .loose = {false, true}},
            (source){.n = 50000, .cell = {NULL, wide, row_number}, .loose = {false, true}});
}

static void
test_spill_join__no_keys(void **state)
{
  (void)state;
  const source left = {.n = 5, .cell = {row_number, wide}};
  const source right = {.n = 70000, .cell = {NULL, NULL, row_number, wide}};
  same_join(&left, &right, JOIN_INNER);
  same_join(&left, &right, JOIN_LEFT);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spill_join__many_keys),
      cmocka_unit_test(test_spill_join__one_frequent_key),
      cmocka_unit_test(test_spill_join__keys_that_may_be_unbound),
      cmocka_unit_test(test_spill_join__no_keys),
  };
  return cmocka_run_group_tests_name("sparql.spill_join", tests, NULL, NULL);
}
