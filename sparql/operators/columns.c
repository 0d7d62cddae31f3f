/* sparql/operators/columns.c - see columns.h. */
#include "sparql/operators/columns.h"

#include "sparql/plan/plan.h"

#include <inttypes.h>

#include "base/poison.h"

quoin_status
sparql_columns_init(sparql_columns *cols, sparql_context *ctx, quoin_error *err)
{
  size_t n = ctx->query->n_vars;
  *cols = (sparql_columns){.n_vars = ctx->query->n_vars,
                           .column = base_arena_new_zero(&ctx->arena, n + 1, sizeof(atom_id *)),
                           .buffer = base_arena_new_zero(&ctx->arena, n + 1, sizeof(atom_id *))};
  return cols->column && cols->buffer ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_columns_buffer(atom_id **out, sparql_columns *cols, sparql_context *ctx, sparql_var var,
                      quoin_error *err)
{
  if (!cols->buffer[var]) {
    cols->buffer[var] = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
    if (!cols->buffer[var]) return base_fail_nomem(err);
  }
  *out = cols->buffer[var];
  return QUOIN_OK;
}

quoin_status
sparql_columns_gather(sparql_columns *cols, sparql_context *ctx, const sparql_batch *in,
                      const uint32_t *row, size_t n, quoin_error *err)
{
  for (sparql_var v = 0; v < cols->n_vars; v++) {
    const atom_id *from = in->column[v];
    if (!from) {
      cols->column[v] = NULL;
      continue;
    }
    atom_id *to = NULL;
    quoin_status st = sparql_columns_buffer(&to, cols, ctx, v, err);
    if (st) return st;
    for (size_t i = 0; i < n; i++)
      to[i] = from[row[i]];
    cols->column[v] = to;
  }
  return QUOIN_OK;
}

quoin_status
sparql_operator_init(sparql_operator *head, const sparql_operator_class *class_,
                     sparql_context *ctx, sparql_operator *child, quoin_error *err)
{
  size_t n = ctx->query->n_vars;
  *head = (sparql_operator){.class_ = class_, .ctx = ctx, .child = {child, NULL}};
  head->bound = base_arena_new_zero(&ctx->arena, n + 1, sizeof(bool));
  head->maybe = base_arena_new_zero(&ctx->arena, n + 1, sizeof(bool));
  if (!head->bound || !head->maybe) return base_fail_nomem(err);
  if (!child) return QUOIN_OK;
  if (n) memcpy(head->bound, child->bound, n * sizeof(bool));
  if (n) memcpy(head->maybe, child->maybe, n * sizeof(bool));
  memcpy(head->sorted, child->sorted, sizeof(head->sorted));
  head->n_sorted = child->n_sorted;
  head->rows = child->rows;
  head->cost = child->cost + child->rows;
  return QUOIN_OK;
}

quoin_status
sparql_batch_init(sparql_batch *batch, sparql_context *ctx, quoin_error *err)
{
  batch->rows = 0;
  batch->column = base_arena_new_zero(&ctx->arena, ctx->query->n_vars + 1u, sizeof(atom_id *));
  return batch->column ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_pull(sparql_batch *in, const atom_id **array, sparql_operator *child, quoin_error *err)
{
  in->column = array;
  in->rows = 0;
  return sparql_operator_next(in, child, err);
}

bool
sparql_sorted_by_set(const sparql_operator *op, const sparql_var *vars, size_t n)
{
  size_t varying = 0, leading = 0;
  for (size_t i = 0; i < n; i++)
    varying += op->maybe[vars[i]] ? 1 : 0;
  if (varying == 0) return true;
  if (varying > op->n_sorted) return false;
  for (size_t s = 0; s < varying; s++)
    for (size_t i = 0; i < n; i++)
      if (vars[i] == op->sorted[s]) {
        leading++;
        break;
      }
  return leading == varying;
}

void
sparql_explain_var(base_buffer *out, const sparql_context *ctx, sparql_var var)
{
  if (ctx->query->vars[var].len) {
    base_buffer_byte(out, '?');
    base_buffer_span(out, ctx->query->vars[var]);
  } else {
    base_buffer_printf(out, "?_%" PRIu32, var);
  }
}

atom_id
sparql_outer_value(const sparql_context *ctx, sparql_var var)
{
  const sparql_executor *executor = ctx->exists_state;
  if (!executor || !executor->params.value || var == SPARQL_NO_VAR) return ATOM_NONE_ID;
  return executor->params.value[var];
}

rdf_kind
sparql_id_kind(const sparql_context *ctx, atom_id id)
{
  if (!id.bits) return RDF_NONE;
  switch (atom_id_kind(id)) {
  case ATOM_LOCAL:
    return atom_local_kind(ctx->local, id);
  case ATOM_BLANK:
    return RDF_BLANK;
  case ATOM_IRI:
    return RDF_IRI;
  default:
    return RDF_LITERAL;
  }
}
