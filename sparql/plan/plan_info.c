/* sparql/plan/plan_info.c - which variables the solutions of an algebra node bind. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

quoin_status
plan_set_make(var_word **out, const planner *p, quoin_error *err)
{
  *out = base_arena_new_zero(&p->ctx->arena, p->words, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

static void
exists_graphs(const planner *p, const sparql_expr *expr, bool *bits)
{
  if (expr->pattern) {
    const sparql_active_graph *graph = &p->executor->graph[expr->pattern->index];
    if (graph->scope == QUAD_NAMED && graph->graph.var != SPARQL_NO_VAR)
      bits[graph->graph.var] = true;
  }
  for (size_t i = 0; i < expr->n_args; i++)
    exists_graphs(p, expr->args[i], bits);
}

void
plan_expr_vars(const planner *p, const sparql_expr *expr, bool *bits)
{
  sparql_expr_vars(expr, bits);
  exists_graphs(p, expr, bits);
}

quoin_status
plan_set_expr(var_word *set, const planner *p, const sparql_expr *expr, quoin_error *err)
{
  base_arena_mark here = base_arena_here(&p->ctx->arena);
  bool *bits = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool));
  if (!bits) return base_fail_nomem(err);
  plan_expr_vars(p, expr, bits);
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (bits[v]) plan_set_add(set, v);
  base_arena_rewind(&p->ctx->arena, here);
  return QUOIN_OK;
}

static void
add_node(node_info *info, const sparql_node *node)
{
  if (node->var == SPARQL_NO_VAR) return;
  plan_set_add(info->certain, node->var);
  plan_set_add(info->maybe, node->var);
}

static void
values_info(node_info *info, const sparql_algebra *node)
{
  for (size_t i = 0; i < node->n_vars; i++) {
    bool all = true, some = false;
    for (size_t row = 0; row < node->n_rows; row++) {
      bool here = node->values[row * node->n_vars + i].kind != RDF_NONE;
      all = all && here;
      some = some || here;
    }
    if (all) plan_set_add(info->certain, node->vars[i]);
    if (some || all) plan_set_add(info->maybe, node->vars[i]);
  }
}

/* Of GROUP: keys that are variables are as in the pattern below; the rest may be errors. */
static void
group_info(node_info *info, const planner *p, const sparql_algebra *node, const node_info *below)
{
  (void)p;
  for (size_t i = 0; i < node->n_keys; i++) {
    sparql_var var = node->keys[i].var;
    if (!node->keys[i].expr && !plan_set_has(below->maybe, var)) continue;
    plan_set_add(info->maybe, var);
    if (!node->keys[i].expr && plan_set_has(below->certain, var)) plan_set_add(info->certain, var);
  }
  for (size_t i = 0; i < node->n_aggregates; i++) {
    plan_set_add(info->maybe, node->aggregates[i].var);
    if (node->aggregates[i].expr->aggregate == AGG_COUNT)
      plan_set_add(info->certain, node->aggregates[i].var);
  }
}

/* An expression may have an error; a term has none, a variable only where it is unbound. */
static void
extend_info(node_info *info, const sparql_algebra *node)
{
  const sparql_expr *expr = node->exprs[0];
  plan_set_add(info->maybe, node->var);
  if (expr->op == EXPR_TERM || (expr->op == EXPR_VAR && plan_set_has(info->certain, expr->var)))
    plan_set_add(info->certain, node->var);
}

/* Blank nodes of the group do not come back. With SILENT a failure binds nothing. */
static void
service_info(node_info *info, const planner *p, const sparql_algebra *node, const node_info *group)
{
  for (sparql_var v = 0; v < p->n_vars; v++) {
    if (!p->ctx->query->vars[v].len || !plan_set_has(group->maybe, v)) continue;
    plan_set_add(info->maybe, v);
    if (plan_set_has(group->certain, v) && !node->silent) plan_set_add(info->certain, v);
  }
  add_node(info, &node->node);
}

static void
combine(node_info *info, const planner *p, const sparql_algebra *node, const node_info *left,
        const node_info *right)
{
  switch (node->op) {
  case ALGEBRA_JOIN:
    plan_set_unite(p, info->certain, left->certain);
    plan_set_unite(p, info->maybe, left->maybe);
    plan_set_unite(p, info->certain, right->certain);
    plan_set_unite(p, info->maybe, right->maybe);
    break;
  case ALGEBRA_UNION:
    for (size_t w = 0; w < p->words; w++)
      info->certain[w] = left->certain[w] & right->certain[w];
    plan_set_unite(p, info->maybe, left->maybe);
    plan_set_unite(p, info->maybe, right->maybe);
    break;
  case ALGEBRA_LEFT_JOIN:
    plan_set_unite(p, info->certain, left->certain);
    plan_set_unite(p, info->maybe, left->maybe);
    plan_set_unite(p, info->maybe, right->maybe);
    break;
  case ALGEBRA_GROUP:
    group_info(info, p, node, left);
    break;
  case ALGEBRA_PROJECT:
    for (size_t i = 0; i < node->n_vars; i++) {
      if (plan_set_has(left->certain, node->vars[i])) plan_set_add(info->certain, node->vars[i]);
      if (plan_set_has(left->maybe, node->vars[i])) plan_set_add(info->maybe, node->vars[i]);
    }
    break;
  case ALGEBRA_GRAPH:
  case ALGEBRA_MINUS:
  case ALGEBRA_FILTER:
  case ALGEBRA_ORDER:
  case ALGEBRA_DISTINCT:
  case ALGEBRA_REDUCED:
  case ALGEBRA_SLICE:
  case ALGEBRA_EXTEND:
    plan_set_unite(p, info->certain, left->certain);
    plan_set_unite(p, info->maybe, left->maybe);
    if (node->op == ALGEBRA_EXTEND) extend_info(info, node);
    if (node->op == ALGEBRA_GRAPH) add_node(info, &node->node);
    break;
  case ALGEBRA_SERVICE:
    service_info(info, p, node, left);
    break;
  case ALGEBRA_NEAREST:
    plan_set_unite(p, info->certain, left->certain);
    plan_set_unite(p, info->maybe, left->maybe);
    add_node(info, &node->subject);
    plan_set_add(info->certain, node->var);
    plan_set_add(info->maybe, node->var);
    break;
  case ALGEBRA_UNIT:
  case ALGEBRA_BGP:
  case ALGEBRA_PATH:
  case ALGEBRA_VALUES:
    break;
  }
}

quoin_status
plan_node_info(const node_info **out, planner *p, const sparql_algebra *node, quoin_error *err)
{
  quoin_status st;
  node_info *info = &p->info[node->index];
  const node_info *left = NULL, *right = NULL;
  *out = info;
  if (info->known) return QUOIN_OK;
  if ((st = plan_set_make(&info->certain, p, err))) return st;
  if ((st = plan_set_make(&info->maybe, p, err))) return st;
  if (node->left && (st = plan_node_info(&left, p, node->left, err))) return st;
  if (node->right && (st = plan_node_info(&right, p, node->right, err))) return st;
  for (size_t i = 0; node->op == ALGEBRA_BGP && i < node->n_triples; i++) {
    add_node(info, &node->triples[i].subject);
    add_node(info, &node->triples[i].predicate);
    add_node(info, &node->triples[i].object);
  }
  if (node->op == ALGEBRA_PATH) {
    add_node(info, &node->subject);
    add_node(info, &node->object);
  }
  if (node->op == ALGEBRA_VALUES) values_info(info, node);
  combine(info, p, node, left, right);
  info->known = true;
  return QUOIN_OK;
}

static graph_use
join_use(graph_use a, graph_use b)
{
  if (a == GRAPH_LOOP || b == GRAPH_LOOP) return GRAPH_LOOP;
  return a == GRAPH_COLUMN || b == GRAPH_COLUMN ? GRAPH_COLUMN : GRAPH_NONE;
}

graph_use
plan_graph_use(const sparql_algebra *node)
{
  graph_use left, right;
  switch (node->op) {
  case ALGEBRA_UNIT:
  case ALGEBRA_VALUES:
  case ALGEBRA_GRAPH:   /* has a graph of its own */
  case ALGEBRA_SERVICE: /* looks elsewhere */
    return GRAPH_NONE;
  case ALGEBRA_BGP:
    return node->n_triples ? GRAPH_COLUMN : GRAPH_NONE;
  case ALGEBRA_PATH:
    return GRAPH_COLUMN;
  case ALGEBRA_JOIN:
    return join_use(plan_graph_use(node->left), plan_graph_use(node->right));
  case ALGEBRA_UNION:
    left = plan_graph_use(node->left);
    return left == plan_graph_use(node->right) ? left : GRAPH_LOOP;
  case ALGEBRA_LEFT_JOIN:
  case ALGEBRA_MINUS:
    left = plan_graph_use(node->left);
    right = plan_graph_use(node->right);
    return right == GRAPH_NONE || right == left ? left : GRAPH_LOOP;
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
  case ALGEBRA_ORDER:
  case ALGEBRA_PROJECT:
  case ALGEBRA_DISTINCT:
  case ALGEBRA_REDUCED:
    return plan_graph_use(node->left);
  case ALGEBRA_GROUP:
  case ALGEBRA_SLICE:
    return plan_graph_use(node->left) == GRAPH_NONE ? GRAPH_NONE : GRAPH_LOOP;
  case ALGEBRA_NEAREST: /* k holds for each graph */
    break;
  }
  return GRAPH_LOOP;
}
