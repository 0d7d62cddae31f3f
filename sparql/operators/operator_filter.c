/* sparql/operators/operator_filter.c - rows for which all conditions hold.
 *
 * Each condition gives a selection vector over the rows that the ones before left; columns are
 * compacted only when rows fell out, so a filter that keeps everything copies nothing. */
#include "sparql/expr/expr.h"
#include "sparql/operators/columns.h"

#include "base/poison.h"

typedef struct filter_operator {
  sparql_operator head;
  sparql_expr *const *exprs;
  size_t n;
  sparql_columns cols;
  const atom_id **pulled;
  uint32_t selected[SPARQL_BATCH];
} filter_operator;

/* Leave in `in` the rows for which all conditions hold. */
static quoin_status
filter_batch(sparql_batch *in, filter_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  for (size_t e = 0; e < op->n && in->rows; e++) {
    size_t n = 0;
    base_arena_mark mark = base_arena_here(&ctx->scratch);
    quoin_status st = sparql_expr_filter(op->selected, &n, ctx, op->exprs[e], in, err);
    base_arena_rewind(&ctx->scratch, mark);
    if (st) return st;
    if (n == in->rows) continue;
    if (n && (st = sparql_columns_gather(&op->cols, ctx, in, op->selected, n, err))) return st;
    in->column = op->cols.column;
    in->rows = n;
  }
  return QUOIN_OK;
}

static quoin_status
filter_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  filter_operator *op = (filter_operator *)base;
  for (;;) {
    quoin_status st = base_cancel_check(&base->ctx->cancel, err);
    if (st) return st;
    sparql_batch in;
    if ((st = sparql_pull(&in, op->pulled, base->child[0], err))) return st;
    if ((st = filter_batch(&in, op, err))) return st;
    if (!in.rows) continue;
    *out = in;
    return QUOIN_OK;
  }
}

static quoin_status
filter_rewind(sparql_operator *base, quoin_error *err)
{
  return sparql_operator_rewind(base->child[0], err);
}

static void
filter_close(sparql_operator *base)
{
  (void)base;
}

static void
filter_explain(base_buffer *out, const sparql_operator *base)
{
  const filter_operator *op = (const filter_operator *)base;
  base_buffer_printf(out, "%zu condition%s at", op->n, op->n == 1 ? "" : "s");
  for (size_t i = 0; i < op->n; i++)
    base_buffer_printf(out, " %u:%u", (unsigned)op->exprs[i]->line, (unsigned)op->exprs[i]->column);
}

static const sparql_operator_class filter_class = {.name = "filter",
                                                   .next = filter_next,
                                                   .rewind = filter_rewind,
                                                   .close = filter_close,
                                                   .explain = filter_explain};

quoin_status
sparql_filter_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                  sparql_expr *const *exprs, size_t n, quoin_error *err)
{
  filter_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &filter_class, ctx, child, err);
  if (st) return st;
  /* The caller's array may be on its stack: keep one of our own. */
  sparql_expr **copy = base_arena_new(&ctx->arena, n + 1, sizeof(sparql_expr *));
  sparql_batch pulled;
  if (!copy) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    copy[i] = exprs[i];
  op->exprs = copy;
  op->n = n;
  for (size_t i = 0; i < n; i++)
    op->head.rows *= 0.5;
  if ((st = sparql_columns_init(&op->cols, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  *out = &op->head;
  return QUOIN_OK;
}
