/* sparql/operators/operator_graph.c - GRAPH ?g around what cannot take ?g as one more column:
 * aggregates, sub-selects, VALUES, the empty group. Its plan runs once for each named graph, with
 * the name as a parameter. */
#include "sparql/operators/graph_scan.h"
#include "sparql/operators/operators.h"

#include "base/poison.h"

typedef struct graph_operator {
  sparql_operator head;
  sparql_param *graph;
  sparql_active_graph active;
  bool listed, running;
  atom_id *names;
  size_t n_names, at;
  const atom_id **pulled, **column;
} graph_operator;

static void
set_graph(graph_operator *op, atom_id name)
{
  sparql_executor *executor = op->head.ctx->exists_state;
  sparql_param_set(op->graph, name);
  if (executor && executor->params.value) executor->params.value[op->graph->var] = name;
}

static quoin_status
list_graphs(graph_operator *op, quoin_error *err)
{
  if (op->listed) return QUOIN_OK;
  quoin_status st = sparql_graph_names(&op->names, &op->n_names, op->head.ctx, op->active.merged,
                                       op->active.n_merged, err);
  op->listed = !st;
  return st;
}

static quoin_status
graph_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  graph_operator *op = (graph_operator *)head;
  sparql_executor *executor = head->ctx->exists_state;
  quoin_status st = list_graphs(op, err);
  if (st) return st;
  sparql_var var = op->graph->var;
  atom_id outer = executor && executor->params.value ? executor->params.value[var] : ATOM_NONE_ID;
  for (;;) {
    if ((st = base_cancel_check(&head->ctx->cancel, err))) break;
    if (op->at >= op->n_names) {
      st = QUOIN_DONE;
      break;
    }
    set_graph(op, op->names[op->at]);
    if (!op->running) {
      if ((st = sparql_operator_rewind(head->child[0], err))) break;
      op->running = true;
    }
    st = sparql_pull(out, op->pulled, head->child[0], err);
    if (st != QUOIN_DONE) break;
    op->running = false;
    op->at++;
  }
  if (executor && executor->params.value) executor->params.value[var] = outer;
  if (st) return st;
  /* The plan below may have projected the name away: show it here. */
  if (!out->column[var]) {
    memcpy(op->column, out->column, head->ctx->query->n_vars * sizeof(*op->column));
    op->column[var] = op->graph->column;
    out->column = op->column;
  }
  return QUOIN_OK;
}

static quoin_status
graph_rewind(sparql_operator *head, quoin_error *err)
{
  graph_operator *op = (graph_operator *)head;
  (void)err;
  op->at = 0;
  op->running = false;
  return QUOIN_OK;
}

static void
graph_explain(base_buffer *out, const sparql_operator *head)
{
  const graph_operator *op = (const graph_operator *)head;
  base_buffer_text(out, "each ");
  sparql_explain_var(out, head->ctx, op->graph->var);
}

static const sparql_operator_class graph_class = {
    .name = "graph", .next = graph_next, .rewind = graph_rewind, .explain = graph_explain};

quoin_status
sparql_graph_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                  sparql_param *graph, const sparql_active_graph *active, quoin_error *err)
{
  graph_operator *op = NULL;
  quoin_status st = sparql_operator_make(&op, sizeof(*op), &graph_class, ctx, child, NULL, err);
  if (st || (st = sparql_columns_make(&op->pulled, ctx, err))) return st;
  if ((st = sparql_columns_make(&op->column, ctx, err))) return st;
  op->graph = graph;
  op->active = *active;
  memcpy(op->head.bound, child->bound, ctx->query->n_vars * sizeof(bool));
  memcpy(op->head.maybe, child->maybe, ctx->query->n_vars * sizeof(bool));
  op->head.bound[graph->var] = op->head.maybe[graph->var] = true;
  op->head.rows = child->rows * 10;
  op->head.cost = child->cost * 10;
  *out = &op->head;
  return QUOIN_OK;
}
