/* sparql/operators/operator_slice.c - OFFSET and LIMIT: moves column pointers, stops asking when it
 * has enough. */
#include "sparql/operators/columns.h"

#include <inttypes.h>

#include "base/poison.h"

typedef struct slice_operator {
  sparql_operator head;
  uint64_t offset, limit;
  uint64_t skipped, given;
  const atom_id **column, **pulled;
} slice_operator;

static quoin_status
slice_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  slice_operator *op = (slice_operator *)base;
  while (op->given < op->limit) {
    sparql_batch in;
    quoin_status st = base_cancel_check(&base->ctx->cancel, err);
    if (st || (st = sparql_pull(&in, op->pulled, base->child[0], err))) return st;
    uint64_t skip = op->offset - op->skipped;
    if (skip >= in.rows) {
      op->skipped += in.rows;
      continue;
    }
    size_t rows = in.rows - (size_t)skip;
    if (rows > op->limit - op->given) rows = (size_t)(op->limit - op->given);
    op->skipped = op->offset;
    op->given += rows;
    for (uint32_t v = 0; v < base->ctx->query->n_vars; v++)
      op->column[v] = in.column[v] ? in.column[v] + skip : NULL;
    *out = (sparql_batch){.rows = rows, .column = op->column};
    return QUOIN_OK;
  }
  return QUOIN_DONE;
}

static quoin_status
slice_rewind(sparql_operator *base, quoin_error *err)
{
  slice_operator *op = (slice_operator *)base;
  op->skipped = op->given = 0;
  return sparql_operator_rewind(base->child[0], err);
}

static void
slice_close(sparql_operator *base)
{
  (void)base;
}

static void
slice_explain(base_buffer *out, const sparql_operator *base)
{
  const slice_operator *op = (const slice_operator *)base;
  if (op->offset) base_buffer_printf(out, "offset %" PRIu64 " ", op->offset);
  if (op->limit != UINT64_MAX) base_buffer_printf(out, "limit %" PRIu64, op->limit);
}

static const sparql_operator_class slice_class = {.name = "slice",
                                                  .next = slice_next,
                                                  .rewind = slice_rewind,
                                                  .close = slice_close,
                                                  .explain = slice_explain};

quoin_status
sparql_slice_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                 uint64_t offset, uint64_t limit, quoin_error *err)
{
  slice_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &slice_class, ctx, child, err);
  if (st) return st;
  sparql_batch columns, pulled;
  op->offset = offset;
  op->limit = limit;
  if (op->head.rows > (double)limit) op->head.rows = (double)limit;
  op->head.cost = child->cost;
  if ((st = sparql_batch_init(&columns, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->column = columns.column;
  op->pulled = pulled.column;
  *out = &op->head;
  return QUOIN_OK;
}
