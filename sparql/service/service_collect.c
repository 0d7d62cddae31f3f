/* sparql/service/service_collect.c - rows gathered into full batches, before requests are made of
 * them. */
#include "sparql/operators/columns.h"
#include "sparql/service/service.h"

#include "base/poison.h"

typedef struct collect_operator {
  sparql_operator head;
  const sparql_algebra *node;
  sparql_var must;
  sparql_batch in; /* of the child; rows from `at` on are not taken yet */
  size_t at;
  bool done;
  const atom_id **pulled, **column;
  atom_id **buffer; /* [n_vars] of variables that the child may bind */
} collect_operator;

static quoin_status
check_must(const collect_operator *op, quoin_error *err)
{
  if (op->must == SPARQL_NO_VAR) return QUOIN_OK;
  const atom_id *column = op->in.column[op->must];
  bool all = column != NULL;
  for (size_t i = 0; i < op->in.rows && all; i++)
    all = column[i].bits != 0;
  if (all) return QUOIN_OK;
  quoin_span name = op->head.ctx->query->vars[op->must];
  return base_fail_pos(err, QUOIN_ERR_ARGUMENT, NULL, op->node->line, op->node->column,
                       "SERVICE ?%.*s: the variable has no value in a solution", (int)name.len,
                       name.ptr);
}

static void
take(collect_operator *op, size_t to, size_t n)
{
  for (sparql_var v = 0; v < op->head.ctx->query->n_vars; v++) {
    if (!op->buffer[v]) continue;
    const atom_id *from = op->in.column[v];
    if (from)
      memcpy(op->buffer[v] + to, from + op->at, n * sizeof(atom_id));
    else
      memset(op->buffer[v] + to, 0, n * sizeof(atom_id));
  }
  op->at += n;
}

static quoin_status
collect_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  collect_operator *op = (collect_operator *)head;
  size_t rows = 0;
  while (rows < SPARQL_BATCH) {
    if (op->at == op->in.rows) {
      if (op->done) break;
      quoin_status st = sparql_pull(&op->in, op->pulled, head->child[0], err);
      op->at = 0;
      op->done = st == QUOIN_DONE;
      if (st) op->in.rows = 0;
      if (op->done) break;
      if (st || (st = check_must(op, err))) return st;
    }
    size_t n = op->in.rows - op->at, room = SPARQL_BATCH - rows;
    if (n > room) n = room;
    take(op, rows, n);
    rows += n;
  }
  if (rows == 0) return QUOIN_DONE;
  *out = (sparql_batch){.rows = rows, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
collect_rewind(sparql_operator *head, quoin_error *err)
{
  collect_operator *op = (collect_operator *)head;
  op->at = op->in.rows = 0;
  op->done = false;
  return sparql_operator_rewind(head->child[0], err);
}

static const sparql_operator_class collect_class = {
    .name = "collect", .next = collect_next, .rewind = collect_rewind};

quoin_status
sparql_collect_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                    const sparql_algebra *node, sparql_var must, quoin_error *err)
{
  collect_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &collect_class, ctx, child, err);
  if (st || (st = sparql_columns_make(&op->pulled, ctx, err)) ||
      (st = sparql_columns_make(&op->column, ctx, err)))
    return st;
  op->node = node;
  op->must = must;
  if (!(op->buffer = base_arena_new_zero(&ctx->arena, ctx->query->n_vars + 1u, sizeof(atom_id *))))
    return base_fail_nomem(err);
  for (sparql_var v = 0; v < ctx->query->n_vars; v++) {
    if (!child->maybe[v]) continue;
    if ((st = sparql_column_make(&op->buffer[v], ctx, err))) return st;
    op->column[v] = op->buffer[v];
  }
  if (must != SPARQL_NO_VAR) op->head.bound[must] = true;
  *out = &op->head;
  return QUOIN_OK;
}
