/* sparql/plan/plan_exists.c - EXISTS and NOT EXISTS as semi-joins and anti-joins.
 *
 * SEP-0007 joins the outer row in at each pattern inside. That is the same as asking whether the
 * pattern by itself has a compatible solution as long as no part of the pattern sees less by itself
 * than it would with the outer row: each variable that the outer row binds must be bound in every
 * solution of the pattern, and wherever something inside reads one (FILTER, BIND, the right side of
 * OPTIONAL or MINUS), its own left side must have bound it. Aggregates, LIMIT and SERVICE inside
 * see the difference, and so does an EXISTS within: there a look for each row remains (exists.c).
 */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

static bool
holds_exists(const sparql_expr *expr)
{
  if (expr->pattern) return true;
  for (size_t i = 0; i < expr->n_args; i++)
    if (holds_exists(expr->args[i])) return true;
  return false;
}

/* Of the outer variables, are those that the expressions of `node` and its right side mention bound
 * by its left side? */
static quoin_status
reads_own(bool *out, planner *p, const sparql_algebra *node, const var_word *outer,
          quoin_error *err)
{
  const node_info *left, *right;
  var_word *vars;
  quoin_status st = plan_set_make(&vars, p, err);
  *out = false;
  if (st || (st = plan_node_info(&left, p, node->left, err))) return st;
  for (size_t i = 0; i < node->n_exprs; i++) {
    if (holds_exists(node->exprs[i])) return QUOIN_OK;
    if ((st = plan_set_expr(vars, p, node->exprs[i], err))) return st;
  }
  if (node->right) {
    if ((st = plan_node_info(&right, p, node->right, err))) return st;
    plan_set_unite(p, vars, right->maybe);
  }
  if (node->op == ALGEBRA_EXTEND && plan_set_has(outer, node->var)) return QUOIN_OK;
  *out = plan_set_meet_within(p, vars, outer, left->certain);
  return QUOIN_OK;
}

/* Does `node` by itself have the solutions that it has with an outer row joined in, but for those
 * that the row is not compatible with? */
static quoin_status
stands_alone(bool *out, planner *p, const sparql_algebra *node, const var_word *outer,
             quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  bool own = true;
  switch (node->op) {
  case ALGEBRA_UNIT:
  case ALGEBRA_BGP:
  case ALGEBRA_PATH:
  case ALGEBRA_VALUES:
    *out = true;
    return QUOIN_OK;
  case ALGEBRA_LEFT_JOIN:
  case ALGEBRA_MINUS:
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
    st = reads_own(&own, p, node, outer, err);
    break;
  case ALGEBRA_GRAPH:
    own = plan_graph_use(node->left) == GRAPH_COLUMN;
    break;
  case ALGEBRA_JOIN:
  case ALGEBRA_UNION:
  case ALGEBRA_PROJECT: /* a variable that it does not give has no name outside */
  case ALGEBRA_DISTINCT:
  case ALGEBRA_REDUCED:
  case ALGEBRA_ORDER:
    break;
  case ALGEBRA_GROUP:
  case ALGEBRA_SLICE:
  case ALGEBRA_SERVICE:
  case ALGEBRA_NEAREST:
    own = false;
    break;
  }
  *out = own;
  if (!st && own && node->left) st = stands_alone(out, p, node->left, outer, err);
  if (!st && *out && node->right) st = stands_alone(out, p, node->right, outer, err);
  return st;
}

/* The variables that both sides bind in every row; false when one of those that they share may be
 * unbound, or when there are none. */
static quoin_status
find_keys(bool *out, bool *key, planner *p, const sparql_algebra *pattern,
          const sparql_active_graph *graph, const sparql_operator *left, const var_word *outer,
          quoin_error *err)
{
  const node_info *info;
  quoin_status st = plan_node_info(&info, p, pattern, err);
  size_t n = 0;
  *out = false;
  if (st) return st;
  for (sparql_var v = 0; v < p->n_vars; v++) {
    bool of_graph = graph->scope == QUAD_NAMED && graph->graph.var == v;
    if (of_graph && plan_graph_use(pattern) != GRAPH_COLUMN) return QUOIN_OK;
    if (!plan_set_has(outer, v) || !(plan_set_has(info->maybe, v) || of_graph)) continue;
    if (!left->bound[v] || !(plan_set_has(info->certain, v) || of_graph)) return QUOIN_OK;
    key[v] = true;
    n++;
  }
  *out = n > 0;
  return QUOIN_OK;
}

static bool
binds_all(const sparql_operator *op, const bool *key, const planner *p)
{
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (key[v] && !op->bound[v]) return false;
  return true;
}

/* The side that is looked into: all of it, or for the keys of a left batch (*seed). NULL: neither
 * is worth it. */
static quoin_status
plan_right(sparql_operator **out, sparql_operator **seed, double *cost, plan_group *g,
           const sparql_algebra *pattern, const sparql_active_graph *graph,
           const sparql_operator *left, const bool *key, quoin_error *err)
{
  planner *p = g->p;
  sparql_operator *seeded, *whole;
  double rows = left->rows < (double)g->limit ? left->rows : (double)g->limit;
  double batches = rows > SPARQL_BATCH ? rows / SPARQL_BATCH : 1;
  quoin_status st = plan_seeded(&seeded, seed, p, pattern, graph, left, key, NULL, 0, err);
  *out = NULL;
  *cost = COST_EXISTS * rows;
  if (st) return st;
  if (seeded && binds_all(seeded, key, p)) {
    double by_batch = (seeded->cost + COST_KEEP * (seeded->rows + 1)) * batches;
    if (by_batch < *cost) {
      *out = seeded;
      *cost = by_batch;
    }
  }
  if (rows <= 64) return QUOIN_OK;
  st = plan_group_node(&whole, p, pattern, graph, key, UINT64_MAX, NULL, NULL, 0, err);
  if (st) return st;
  double at_once = whole->cost + COST_KEEP * whole->rows;
  if (at_once < *cost && binds_all(whole, key, p)) {
    *out = whole;
    *cost = at_once;
    *seed = NULL;
  }
  return QUOIN_OK;
}

const sparql_expr *
plan_exists_of(bool *negated, const sparql_expr *expr)
{
  *negated = false;
  for (; expr->op == EXPR_NOT; expr = expr->args[0])
    *negated = !*negated;
  if (expr->op == EXPR_NOT_EXISTS) *negated = !*negated;
  return expr->op == EXPR_EXISTS || expr->op == EXPR_NOT_EXISTS ? expr : NULL;
}

quoin_status
plan_exists_join(bool *done, sparql_operator **op, plan_group *g, const sparql_expr *expr,
                 quoin_error *err)
{
  planner *p = g->p;
  bool negated;
  const sparql_algebra *pattern = plan_exists_of(&negated, expr)->pattern;
  const sparql_active_graph *graph = &p->executor->graph[pattern->index];
  sparql_operator *left = *op, *right, *seed;
  double cost;
  bool fits;
  var_word *outer;
  bool *key = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool));
  *done = false;
  if (!key) return base_fail_nomem(err);
  quoin_status st = plan_set_make(&outer, p, err);
  if (st) return st;
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (left->maybe[v] && !sparql_frame_find(p->frame, v)) plan_set_add(outer, v);
  if ((st = find_keys(&fits, key, p, pattern, graph, left, outer, err)) || !fits) return st;
  if ((st = stands_alone(&fits, p, pattern, outer, err)) || !fits) return st;
  if ((st = plan_right(&right, &seed, &cost, g, pattern, graph, left, key, err))) return st;
  if (!right) return QUOIN_OK;
  hash_join_options options = {.mode = negated ? JOIN_ANTI : JOIN_SEMI,
                               .seed = seed,
                               .stable = !seed && plan_is_stable(p, right),
                               .graph = SPARQL_NO_VAR};
  st = sparql_hash_join_make(op, p->ctx, left, right, &options, left->maybe, p->frame, err);
  if ((st = plan_made(p, st, *op, err))) return st;
  (*op)->rows = left->rows * 0.5;
  (*op)->cost = left->cost + COST_PROBE * left->rows + cost;
  *done = true;
  return QUOIN_OK;
}
