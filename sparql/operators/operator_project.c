/* sparql/operators/operator_project.c - some columns; the others are dropped. */
#include "sparql/operators/columns.h"

#include "base/poison.h"

typedef struct project_operator {
  sparql_operator head;
  const sparql_var *vars;
  size_t n;
  const atom_id **column, **pulled;
} project_operator;

static quoin_status
project_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  project_operator *op = (project_operator *)base;
  sparql_batch in;
  quoin_status st = sparql_pull(&in, op->pulled, base->child[0], err);
  if (st) return st;
  for (size_t i = 0; i < op->n; i++)
    op->column[op->vars[i]] = in.column[op->vars[i]]; /* the others are NULL from the start */
  *out = (sparql_batch){.rows = in.rows, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
project_rewind(sparql_operator *base, quoin_error *err)
{
  return sparql_operator_rewind(base->child[0], err);
}

static void
project_close(sparql_operator *base)
{
  (void)base;
}

static void
project_explain(base_buffer *out, const sparql_operator *base)
{
  const project_operator *op = (const project_operator *)base;
  for (size_t i = 0; i < op->n; i++) {
    if (i) base_buffer_byte(out, ' ');
    sparql_explain_var(out, base->ctx, op->vars[i]);
  }
}

static const sparql_operator_class project_class = {.name = "project",
                                                    .next = project_next,
                                                    .rewind = project_rewind,
                                                    .close = project_close,
                                                    .explain = project_explain};

/* What is bound, and the order, after the other variables are gone. */
static void
restrict_head(project_operator *op, const sparql_operator *child)
{
  sparql_operator *head = &op->head;
  for (uint32_t v = 0; v < head->ctx->query->n_vars; v++)
    head->bound[v] = head->maybe[v] = false;
  for (size_t i = 0; i < op->n; i++) {
    head->bound[op->vars[i]] = child->bound[op->vars[i]];
    head->maybe[op->vars[i]] = child->maybe[op->vars[i]];
  }
  unsigned kept = 0;
  while (kept < child->n_sorted && head->maybe[child->sorted[kept]])
    kept++;
  head->n_sorted = kept;
}

quoin_status
sparql_project_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                   const sparql_var *vars, size_t n, quoin_error *err)
{
  project_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  sparql_var *copy = base_arena_new(&ctx->arena, n + 1, sizeof(sparql_var));
  if (!op || !copy) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &project_class, ctx, child, err);
  if (st) return st;
  if (n) memcpy(copy, vars, n * sizeof(sparql_var));
  op->vars = copy;
  op->n = n;
  restrict_head(op, child);
  op->head.cost = child->cost; /* moves pointers only */
  sparql_batch columns, pulled;
  if ((st = sparql_batch_init(&columns, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->column = columns.column;
  op->pulled = pulled.column;
  *out = &op->head;
  return QUOIN_OK;
}
