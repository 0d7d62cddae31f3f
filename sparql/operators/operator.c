/* sparql/operators/operator.c - what all operators share: calls with counters, EXPLAIN, parameters.
 */
#include "sparql/operators/operators.h"

#include <assert.h>

#include "base/poison.h"

static bool
profiling(const sparql_operator *op)
{
  return op->ctx->options && op->ctx->options->profile;
}

quoin_status
sparql_operator_next(sparql_batch *out, sparql_operator *op, quoin_error *err)
{
  if (!profiling(op)) return op->class_->next(out, op, err);
  uint64_t start = base_clock_ns();
  quoin_status st = op->class_->next(out, op, err);
  op->ns += base_clock_ns() - start;
  op->calls++;
  if (!st) op->rows_out += out->rows;
  return st;
}

quoin_status
sparql_operator_rewind(sparql_operator *op, quoin_error *err)
{
  if (!profiling(op)) return op->class_->rewind(op, err);
  uint64_t start = base_clock_ns();
  quoin_status st = op->class_->rewind(op, err);
  op->ns += base_clock_ns() - start;
  return st;
}

void
sparql_operator_close(sparql_operator *op)
{
  if (!op) return;
  sparql_exists_leave(op);
  for (size_t i = 0; i < 2; i++)
    sparql_operator_close(op->child[i]);
  if (op->class_->close) op->class_->close(op);
}

/* ---- EXPLAIN ----------------------------------------------------------------------------------
 */

void
sparql_explain_id(base_buffer *out, sparql_context *ctx, atom_id id)
{
  rdf_term term;
  base_arena_mark here = base_arena_here(&ctx->arena);
  if (sparql_term(&term, ctx, id, &ctx->arena, NULL)) {
    base_buffer_text(out, "(unreadable)");
  } else {
    rdf_term_write(out, &term);
  }
  base_arena_rewind(&ctx->arena, here);
}

void
sparql_operator_explain(base_buffer *out, const sparql_operator *op, unsigned indent)
{
  for (unsigned i = 0; i < indent; i++)
    base_buffer_text(out, "  ");
  base_buffer_text(out, op->class_->name);
  if (op->class_->explain) {
    base_buffer_byte(out, ' ');
    op->class_->explain(out, op);
  }
  base_buffer_printf(out, "  est. %.0f rows, cost %.0f", op->rows, op->cost);
  if (op->calls) {
    base_buffer_printf(out, "; %llu rows in %llu batches, %.3f ms",
                       (unsigned long long)op->rows_out, (unsigned long long)op->calls,
                       (double)op->ns / 1e6);
    if (op->bytes) base_buffer_printf(out, ", %llu bytes", (unsigned long long)op->bytes);
  }
  base_buffer_byte(out, '\n');
  for (size_t i = 0; i < 2; i++)
    if (op->child[i]) sparql_operator_explain(out, op->child[i], indent + 1);
}

/* ---- making one -------------------------------------------------------------------------------
 */

quoin_status
sparql_operator_make(void *out, size_t size, const sparql_operator_class *class_,
                     sparql_context *ctx, sparql_operator *left, sparql_operator *right,
                     quoin_error *err)
{
  assert(size >= sizeof(sparql_operator));
  size_t n = ctx->query->n_vars;
  sparql_operator *op = base_arena_new_zero(&ctx->arena, 1, size);
  if (!op) return base_fail_nomem(err);
  op->class_ = class_;
  op->ctx = ctx;
  op->bound = base_arena_new_zero(&ctx->arena, 2 * n + 1, sizeof(bool));
  if (!op->bound) return base_fail_nomem(err);
  op->maybe = op->bound + n;
  op->child[0] = left;
  op->child[1] = right;
  memcpy(out, &op, sizeof(op));
  return QUOIN_OK;
}

quoin_status
sparql_columns_make(const atom_id ***out, sparql_context *ctx, quoin_error *err)
{
  *out = base_arena_new_zero(&ctx->arena, ctx->query->n_vars + (size_t)1, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_rows_make(uint32_t **out, sparql_context *ctx, quoin_error *err)
{
  *out = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_column_make(atom_id **out, sparql_context *ctx, quoin_error *err)
{
  *out = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

/* ---- parameters -------------------------------------------------------------------------------
 */

quoin_status
sparql_param_make(sparql_param **out, sparql_context *ctx, sparql_var var, bool shown,
                  quoin_error *err)
{
  sparql_param *param = base_arena_new_zero(&ctx->arena, 1, sizeof(*param));
  if (!param) return base_fail_nomem(err);
  param->var = var;
  if (shown) {
    quoin_status st = sparql_column_make(&param->column, ctx, err);
    if (st) return st;
    memset(param->column, 0, SPARQL_BATCH * sizeof(atom_id));
  }
  *out = param;
  return QUOIN_OK;
}

void
sparql_param_set(sparql_param *param, atom_id value)
{
  if (param->column && !atom_id_equal(param->column[0], value))
    for (size_t i = 0; i < SPARQL_BATCH; i++)
      param->column[i] = value;
  param->value = value;
}

sparql_param *
sparql_frame_find(const sparql_frame *frame, sparql_var var)
{
  for (size_t i = 0; frame && i < frame->n; i++)
    if (frame->param[i]->var == var) return frame->param[i];
  return NULL;
}

void
sparql_frame_columns(const atom_id **column, const sparql_frame *frame)
{
  for (size_t i = 0; frame && i < frame->n; i++)
    if (frame->param[i]->column) column[frame->param[i]->var] = frame->param[i]->column;
}

void
sparql_frame_bind(sparql_operator *op, const sparql_frame *frame)
{
  for (size_t i = 0; frame && i < frame->n; i++)
    if (frame->param[i]->column)
      op->bound[frame->param[i]->var] = op->maybe[frame->param[i]->var] = true;
}
