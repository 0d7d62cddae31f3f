/* sparql/operators/operator_union.c - the rows of one side, then those of the other: batches pass
 * as they are. */
#include "sparql/operators/operators.h"

#include "base/poison.h"

typedef struct union_operator {
  sparql_operator head;
  unsigned side;
  const atom_id **pulled[2];
} union_operator;

static quoin_status
union_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  union_operator *op = (union_operator *)head;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  if (st) return st;
  for (; op->side < 2; op->side++) {
    st = sparql_pull(out, op->pulled[op->side], head->child[op->side], err);
    if (st != QUOIN_DONE) return st;
  }
  return QUOIN_DONE;
}

static quoin_status
union_rewind(sparql_operator *head, quoin_error *err)
{
  union_operator *op = (union_operator *)head;
  op->side = 0;
  quoin_status st = sparql_operator_rewind(head->child[0], err);
  return st ? st : sparql_operator_rewind(head->child[1], err);
}

static const sparql_operator_class union_class = {
    .name = "union", .next = union_next, .rewind = union_rewind};

quoin_status
sparql_union_make(sparql_operator **out, sparql_context *ctx, sparql_operator *left,
                  sparql_operator *right, quoin_error *err)
{
  union_operator *op = NULL;
  quoin_status st = sparql_operator_make(&op, sizeof(*op), &union_class, ctx, left, right, err);
  if (st) return st;
  for (unsigned side = 0; side < 2; side++)
    if ((st = sparql_columns_make(&op->pulled[side], ctx, err))) return st;
  for (sparql_var v = 0; v < ctx->query->n_vars; v++) {
    op->head.bound[v] = left->bound[v] && right->bound[v];
    op->head.maybe[v] = left->maybe[v] || right->maybe[v];
  }
  op->head.rows = left->rows + right->rows;
  op->head.cost = left->cost + right->cost;
  *out = &op->head;
  return QUOIN_OK;
}
