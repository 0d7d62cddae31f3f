/* sparql/operators/operator_extend.c - BIND and SELECT (... AS ?v): one more column. */
#include "sparql/expr/expr.h"
#include "sparql/operators/columns.h"

#include "base/poison.h"

typedef struct extend_operator {
  sparql_operator head;
  sparql_var var;
  const sparql_expr *expr;
  sparql_columns cols;
  atom_id *values;
  const atom_id **pulled;
} extend_operator;

static quoin_status
extend_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  extend_operator *op = (extend_operator *)base;
  sparql_context *ctx = base->ctx;
  sparql_batch in;
  quoin_status st = sparql_pull(&in, op->pulled, base->child[0], err);
  if (st) return st;
  for (sparql_var v = 0; v < op->cols.n_vars; v++)
    op->cols.column[v] = in.column[v];
  if (op->expr->op == EXPR_VAR) {
    op->cols.column[op->var] = in.column[op->expr->var];
  } else {
    base_arena_mark mark = base_arena_here(&ctx->scratch);
    st = sparql_expr_column(op->values, ctx, op->expr, &in, err);
    base_arena_rewind(&ctx->scratch, mark);
    if (st) return st;
    op->cols.column[op->var] = op->values;
  }
  *out = (sparql_batch){.rows = in.rows, .column = op->cols.column};
  return QUOIN_OK;
}

static quoin_status
extend_rewind(sparql_operator *base, quoin_error *err)
{
  return sparql_operator_rewind(base->child[0], err);
}

static void
extend_close(sparql_operator *base)
{
  (void)base;
}

static void
extend_explain(base_buffer *out, const sparql_operator *base)
{
  const extend_operator *op = (const extend_operator *)base;
  sparql_explain_var(out, base->ctx, op->var);
}

static const sparql_operator_class extend_class = {.name = "extend",
                                                   .next = extend_next,
                                                   .rewind = extend_rewind,
                                                   .close = extend_close,
                                                   .explain = extend_explain};

quoin_status
sparql_extend_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                  sparql_var var, const sparql_expr *expr, quoin_error *err)
{
  extend_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &extend_class, ctx, child, err);
  if (st) return st;
  sparql_batch pulled;
  op->var = var;
  op->expr = expr;
  if ((st = sparql_columns_init(&op->cols, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  if ((st = sparql_columns_buffer(&op->values, &op->cols, ctx, var, err))) return st;
  op->pulled = pulled.column;
  /* A constant has a value in every row; anything else may be an error in some. */
  op->head.bound[var] = expr->op == EXPR_TERM || (expr->op == EXPR_VAR && child->bound[expr->var]);
  op->head.maybe[var] = expr->op != EXPR_VAR || child->maybe[expr->var];
  *out = &op->head;
  return QUOIN_OK;
}
