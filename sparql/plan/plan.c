/* sparql/plan/plan.c - the walk over the algebra. */
#include "sparql/plan/plan_build.h"

#include "sparql/operators/graph_scan.h"

#include "base/poison.h"

/* ---- small helpers ----------------------------------------------------------------------------
 */

quoin_status
plan_made(planner *p, quoin_status st, sparql_operator *op, quoin_error *err)
{
  if (st) return st;
  struct made_operator *made = base_arena_new(&p->ctx->arena, 1, sizeof(*made));
  if (!made) {
    if (op->class_->close) op->class_->close(op);
    return base_fail_nomem(err);
  }
  *made = (struct made_operator){op, p->made};
  p->made = made;
  return QUOIN_OK;
}

void
planner_fail(planner *p)
{
  for (struct made_operator *made = p->made; made; made = made->next)
    if (made->op->class_->close) made->op->class_->close(made->op);
  p->made = NULL;
}

quoin_status
plan_need_copy(bool **out, const planner *p, const bool *need, quoin_error *err)
{
  *out = base_arena_new(&p->ctx->arena, p->n_vars + 1, sizeof(bool));
  if (!*out) return base_fail_nomem(err);
  if (need) {
    memcpy(*out, need, p->n_vars * sizeof(bool));
  } else {
    memset(*out, 1, p->n_vars * sizeof(bool));
  }
  return QUOIN_OK;
}

quoin_status
plan_need_expr(bool *need, const planner *p, const sparql_expr *expr, quoin_error *err)
{
  (void)err;
  if (expr) plan_expr_vars(p, expr, need);
  return QUOIN_OK;
}

/* EXISTS is planned on first use: remember in which graph. */
static void
note_exists(planner *p, const sparql_expr *expr, const sparql_active_graph *graph)
{
  if (expr->pattern) p->executor->graph[expr->pattern->index] = *graph;
  for (size_t i = 0; i < expr->n_args; i++)
    note_exists(p, expr->args[i], graph);
}

quoin_status
plan_expr(planner *p, const sparql_expr *expr, const sparql_active_graph *graph, quoin_error *err)
{
  if (!expr) return QUOIN_OK;
  note_exists(p, expr, graph);
  return sparql_expr_supported(expr, err);
}

quoin_status
plan_graph_scope(sparql_active_graph *out, planner *p, const sparql_algebra *node, quoin_error *err)
{
  const sparql_query *query = p->ctx->query;
  *out = (sparql_active_graph){.scope = QUAD_NAMED, .graph = node->node};
  if (!query->has_dataset) return QUOIN_OK;
  atom_id *ids;
  quoin_status st =
      sparql_graph_set(&ids, &out->n_merged, p->ctx, query->from_named, query->n_from_named, err);
  if (!st) out->merged = ids;
  return st;
}

quoin_status
plan_frame_extend(const sparql_frame **out, planner *p, const sparql_frame *frame,
                  sparql_param *param, quoin_error *err)
{
  size_t n = frame ? frame->n : 0;
  sparql_frame *copy = base_arena_new_zero(&p->ctx->arena, 1, sizeof(*copy));
  sparql_param **params = base_arena_new(&p->ctx->arena, n + 1, sizeof(*params));
  if (!copy || !params) return base_fail_nomem(err);
  if (n) memcpy(params, frame->param, n * sizeof(*params));
  params[n] = param;
  *copy = (sparql_frame){.n = n + 1, .param = params};
  *out = copy;
  return QUOIN_OK;
}

/* ---- GRAPH ------------------------------------------------------------------------------------
 */

/* GRAPH <g> { } and the like: the group as it is, if the graph is there. */
static quoin_status
plan_fixed_graph(sparql_operator **out, planner *p, const sparql_algebra *node,
                 const sparql_active_graph *graph, const bool *need, quoin_error *err)
{
  atom_id name = ATOM_NONE_ID;
  bool exists;
  quoin_status st = QUOIN_OK;
  const sparql_param *param = NULL;
  if (node->node.var != SPARQL_NO_VAR) {
    param = sparql_frame_find(p->frame, node->node.var);
    name = param->value;
  } else {
    st = sparql_intern(&name, p->ctx, &node->node.term, err);
  }
  if (st) return st;
  /* A parameter changes from run to run: then only the patterns inside tell. */
  if (param) return plan_node(out, p, node->left, graph, need, UINT64_MAX, err);
  st = sparql_graph_exists(&exists, p->ctx, name, graph->merged, graph->n_merged, err);
  if (st) return st;
  if (exists) return plan_node(out, p, node->left, graph, need, UINT64_MAX, err);
  st = sparql_empty_make(out, p->ctx, "no such graph", err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plan_graph_loop(sparql_operator **out, planner *p, const sparql_algebra *node,
                const sparql_active_graph *graph, const bool *need, quoin_error *err)
{
  sparql_param *param;
  const sparql_frame *outer = p->frame, *frame;
  sparql_operator *child;
  quoin_status st = sparql_param_make(&param, p->ctx, node->node.var, true, err);
  if (st || (st = plan_frame_extend(&frame, p, outer, param, err))) return st;
  st = plan_with_frame(&child, p, node->left, graph, need, UINT64_MAX, frame, err);
  if (st) return st;
  st = sparql_graph_make(out, p->ctx, child, param, graph, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plan_graph(sparql_operator **out, planner *p, const sparql_algebra *node, const bool *need,
           quoin_error *err)
{
  sparql_active_graph *graph = base_arena_new_zero(&p->ctx->arena, 1, sizeof(*graph));
  if (!graph) return base_fail_nomem(err);
  quoin_status st = plan_graph_scope(graph, p, node, err);
  if (st) return st;
  graph_use use = plan_graph_use(node->left);
  bool known = node->node.var == SPARQL_NO_VAR || sparql_frame_find(p->frame, node->node.var);
  if (known) {
    if (use == GRAPH_NONE) return plan_fixed_graph(out, p, node, graph, need, err);
    return plan_node(out, p, node->left, graph, need, UINT64_MAX, err);
  }
  if (use == GRAPH_COLUMN && !p->plain)
    return plan_node(out, p, node->left, graph, need, UINT64_MAX, err);
  return plan_graph_loop(out, p, node, graph, need, err);
}

/* ---- unary nodes ------------------------------------------------------------------------------
 */

static quoin_status
plan_group_by(sparql_operator **out, planner *p, const sparql_algebra *node,
              const sparql_active_graph *graph, quoin_error *err)
{
  sparql_operator *child;
  bool *need;
  quoin_status st = QUOIN_OK;
  *out = NULL;
  if (!p->plain && ((st = plan_shortcut_group(out, p, node, graph, err)) || *out)) return st;
  if (!p->plain && ((st = plan_count_group(out, p, node, graph, err)) || *out)) return st;
  if (!(need = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool))))
    return base_fail_nomem(err);
  for (size_t i = 0; i < node->n_keys; i++) {
    if (!node->keys[i].expr) need[node->keys[i].var] = true;
    if ((st = plan_expr(p, node->keys[i].expr, graph, err))) return st;
    if ((st = plan_need_expr(need, p, node->keys[i].expr, err))) return st;
  }
  bool rows = false; /* COUNT(DISTINCT *) looks at all variables */
  for (size_t i = 0; i < node->n_aggregates; i++) {
    const sparql_expr *expr = node->aggregates[i].expr;
    if ((st = plan_expr(p, expr, graph, err))) return st;
    if ((st = plan_need_expr(need, p, expr, err))) return st;
    rows = rows || (expr->aggregate == AGG_COUNT && expr->n_args == 0 && expr->distinct);
  }
  st = plan_node(&child, p, node->left, graph, rows ? NULL : need, UINT64_MAX, err);
  if (st) return st;
  st = sparql_group_new(out, p->ctx, child, node, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plan_order_by(sparql_operator **out, planner *p, const sparql_algebra *node,
              const sparql_active_graph *graph, const bool *need, uint64_t limit, quoin_error *err)
{
  sparql_operator *child;
  bool *more;
  quoin_status st = plan_need_copy(&more, p, need, err);
  for (size_t i = 0; !st && i < node->n_order; i++) {
    st = plan_expr(p, node->order[i].expr, graph, err);
    if (!st) st = plan_need_expr(more, p, node->order[i].expr, err);
  }
  if (st || (st = plan_node(&child, p, node->left, graph, more, UINT64_MAX, err))) return st;
  st = sparql_order_new(out, p->ctx, child, node->order, node->n_order, limit, err);
  return plan_made(p, st, *out, err);
}

/* Inside GRAPH ?g a sub-select passes the graph's name on beside its own variables. */
static quoin_status
plan_project(sparql_operator **out, planner *p, const sparql_algebra *node,
             const sparql_active_graph *graph, const bool *need, uint64_t limit, quoin_error *err)
{
  sparql_operator *child;
  bool *less = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool));
  sparql_var *vars = base_arena_new(&p->ctx->arena, node->n_vars + 2, sizeof(*vars));
  size_t n = 0;
  if (!less || !vars) return base_fail_nomem(err);
  for (size_t i = 0; i < node->n_vars; i++) {
    if (need && !need[node->vars[i]]) continue;
    less[node->vars[i]] = true;
    vars[n++] = node->vars[i];
  }
  sparql_var name = graph->scope == QUAD_NAMED ? graph->graph.var : SPARQL_NO_VAR;
  if (name != SPARQL_NO_VAR && !less[name]) {
    less[name] = true;
    vars[n++] = name;
  }
  quoin_status st = plan_node(&child, p, node->left, graph, less, limit, err);
  if (st) return st;
  st = sparql_project_new(out, p->ctx, child, vars, n, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plan_distinct(sparql_operator **out, planner *p, const sparql_algebra *node,
              const sparql_active_graph *graph, quoin_error *err)
{
  sparql_operator *child;
  quoin_status st = QUOIN_OK;
  *out = NULL;
  if (!p->plain && ((st = plan_shortcut_distinct(out, p, node, graph, err)) || *out)) return st;
  if ((st = plan_node(&child, p, node->left, graph, NULL, UINT64_MAX, err))) return st;
  sparql_var *vars = base_arena_new(&p->ctx->arena, p->n_vars + 1, sizeof(*vars));
  size_t n = 0;
  if (!vars) return base_fail_nomem(err);
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (child->maybe[v]) vars[n++] = v;
  st = sparql_distinct_new(out, p->ctx, child, vars, n, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plan_slice(sparql_operator **out, planner *p, const sparql_algebra *node,
           const sparql_active_graph *graph, const bool *need, quoin_error *err)
{
  sparql_operator *child;
  uint64_t limit = UINT64_MAX;
  if (node->limit != UINT64_MAX && __builtin_add_overflow(node->limit, node->offset, &limit))
    limit = UINT64_MAX;
  quoin_status st = plan_node(&child, p, node->left, graph, need, limit, err);
  if (st) return st;
  st = sparql_slice_new(out, p->ctx, child, node->offset, node->limit, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plan_union(sparql_operator **out, planner *p, const sparql_algebra *node,
           const sparql_active_graph *graph, const bool *need, quoin_error *err)
{
  sparql_operator *left, *right;
  quoin_status st = plan_node(&left, p, node->left, graph, need, UINT64_MAX, err);
  if (!st) st = plan_node(&right, p, node->right, graph, need, UINT64_MAX, err);
  if (!st) st = sparql_union_make(out, p->ctx, left, right, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_node(sparql_operator **out, planner *p, const sparql_algebra *node,
          const sparql_active_graph *graph, const bool *need, uint64_t limit, quoin_error *err)
{
  quoin_status st;
  switch (node->op) {
  case ALGEBRA_UNIT:
  case ALGEBRA_BGP:
  case ALGEBRA_PATH:
  case ALGEBRA_JOIN:
  case ALGEBRA_MINUS:
  case ALGEBRA_LEFT_JOIN:
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
    if (p->plain) return plan_plain_node(out, p, node, graph, err);
    return plan_group_node(out, p, node, graph, need, limit, NULL, NULL, 0, err);
  case ALGEBRA_GRAPH:
    return plan_graph(out, p, node, need, err);
  case ALGEBRA_UNION:
    return plan_union(out, p, node, graph, need, err);
  case ALGEBRA_VALUES:
    st = sparql_values_make(out, p->ctx, node, p->frame, err);
    return plan_made(p, st, *out, err);
  case ALGEBRA_GROUP:
    return plan_group_by(out, p, node, graph, err);
  case ALGEBRA_ORDER:
    return plan_order_by(out, p, node, graph, need, limit, err);
  case ALGEBRA_PROJECT:
    return plan_project(out, p, node, graph, need, limit, err);
  case ALGEBRA_DISTINCT:
    return plan_distinct(out, p, node, graph, err);
  case ALGEBRA_REDUCED:
    return plan_node(out, p, node->left, graph, need, limit, err);
  case ALGEBRA_SLICE:
    return plan_slice(out, p, node, graph, need, err);
  case ALGEBRA_SERVICE:
    return plan_service(out, p, node, need, err);
  case ALGEBRA_NEAREST:
    return plan_nearest(out, p, node, graph, need, err);
  }
  return base_fail(err, QUOIN_ERR_UNSUPPORTED, "this pattern is not executed");
}

quoin_status
plan_show_frame(sparql_operator **op, planner *p, quoin_error *err)
{
  const hash_join_options options = {.mode = JOIN_INNER, .graph = SPARQL_NO_VAR};
  sparql_operator *unit;
  bool hidden = false;
  for (size_t i = 0; p->frame && i < p->frame->n; i++)
    hidden = hidden || !(*op)->maybe[p->frame->param[i]->var];
  if (!hidden) return QUOIN_OK;
  quoin_status st = sparql_unit_make(&unit, p->ctx, p->frame, err);
  if ((st = plan_made(p, st, unit, err))) return st;
  double rows = (*op)->rows, cost = (*op)->cost;
  st = sparql_hash_join_make(op, p->ctx, *op, unit, &options, NULL, p->frame, err);
  if ((st = plan_made(p, st, *op, err))) return st;
  (*op)->rows = rows;
  (*op)->cost = cost + COST_PROBE * rows;
  return QUOIN_OK;
}

quoin_status
plan_with_frame(sparql_operator **out, planner *p, const sparql_algebra *node,
                const sparql_active_graph *graph, const bool *need, uint64_t limit,
                const sparql_frame *frame, quoin_error *err)
{
  const sparql_frame *outer = p->frame;
  p->frame = frame;
  quoin_status st = plan_node(out, p, node, graph, need, limit, err);
  p->frame = outer;
  return st;
}

/* ---- the door ---------------------------------------------------------------------------------
 */

/* options->bindings as parameters: constants of the whole run. */
static quoin_status
executor_bindings(sparql_executor *executor, sparql_context *ctx, quoin_error *err)
{
  size_t n = ctx->options ? ctx->options->n_bindings : 0;
  sparql_frame *frame = base_arena_new_zero(&ctx->arena, 1, sizeof(*frame));
  if (!frame) return base_fail_nomem(err);
  if (!(frame->param = base_arena_new_zero(&ctx->arena, n + 1, sizeof(*frame->param))))
    return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    const sparql_binding *binding = &ctx->options->bindings[i];
    for (sparql_var v = 0; v < ctx->query->n_vars; v++) {
      quoin_status st;
      atom_id id;
      if (!binding->name.len || !base_span_equal(ctx->query->vars[v], binding->name)) continue;
      if (sparql_frame_find(frame, v)) continue;
      if ((st = sparql_intern(&id, ctx, &binding->term, err))) return st;
      if ((st = sparql_param_make(&frame->param[frame->n], ctx, v, true, err))) return st;
      sparql_param_set(frame->param[frame->n++], id);
      executor->params.value[v] = id;
      break; /* the first of the name: others are inner ones of sub-selects */
    }
  }
  if (frame->n) executor->frame = frame;
  return QUOIN_OK;
}

static quoin_status
executor_make(sparql_context *ctx, quoin_error *err)
{
  base_arena *arena = &ctx->arena;
  const sparql_query *query = ctx->query;
  sparql_executor *executor = base_arena_new_zero(arena, 1, sizeof(*executor));
  if (!executor) return base_fail_nomem(err);
  executor->params.value = base_arena_new_zero(arena, query->n_vars + 1u, sizeof(atom_id));
  executor->graph = base_arena_new_zero(arena, query->n_nodes + 1u, sizeof(*executor->graph));
  executor->exists_states =
      base_arena_new_zero(arena, query->n_exprs + 1u, sizeof(*executor->exists_states));
  if (!executor->params.value || !executor->graph || !executor->exists_states)
    return base_fail_nomem(err);
  quoin_status st = executor_bindings(executor, ctx, err);
  if (st) return st;
  ctx->exists_state = executor;
  ctx->exists = sparql_exists_row;
  return QUOIN_OK;
}

quoin_status
planner_init(planner *p, sparql_context *ctx, quoin_error *err)
{
  quoin_status st = ctx->exists_state ? QUOIN_OK : executor_make(ctx, err);
  if (st) return st;
  *p = (planner){.ctx = ctx,
                 .executor = ctx->exists_state,
                 .n_vars = ctx->query->n_vars,
                 .words = ctx->query->n_vars / 64 + 1,
                 .orders = quad_snapshot_orders(ctx->snapshot),
                 .plain = ctx->options && ctx->options->plain};
  p->frame = p->executor->frame;
  p->info = base_arena_new_zero(&ctx->arena, ctx->query->n_nodes + 1u, sizeof(*p->info));
  return p->info ? QUOIN_OK : base_fail_nomem(err);
}

/* What the form of the query takes from the root; *out NULL: all. */
static quoin_status
root_needs(bool **out, const planner *p, quoin_error *err)
{
  const sparql_query *query = p->ctx->query;
  *out = NULL;
  if (query->form != SPARQL_ASK && query->form != SPARQL_CONSTRUCT) return QUOIN_OK;
  bool *need = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool));
  if (!need) return base_fail_nomem(err);
  for (size_t i = 0; query->form == SPARQL_CONSTRUCT && i < query->n_template; i++) {
    const sparql_node *nodes[3] = {&query->template_[i].subject, &query->template_[i].predicate,
                                   &query->template_[i].object};
    for (size_t k = 0; k < 3; k++)
      if (nodes[k]->var != SPARQL_NO_VAR) need[nodes[k]->var] = true;
  }
  *out = need;
  return QUOIN_OK;
}

quoin_status
sparql_plan(sparql_operator **out, sparql_context *ctx, const sparql_algebra *node,
            const sparql_active_graph *graph, quoin_error *err)
{
  planner p;
  bool *need;
  *out = NULL;
  quoin_status st = planner_init(&p, ctx, err);
  if (st || (st = root_needs(&need, &p, err))) return st;
  st = plan_node(out, &p, node, graph, need, ctx->query->form == SPARQL_ASK ? 1 : UINT64_MAX, err);
  if (st) {
    planner_fail(&p);
    *out = NULL;
    return st;
  }
  if (!p.executor->root) p.executor->root = *out;
  return QUOIN_OK;
}
