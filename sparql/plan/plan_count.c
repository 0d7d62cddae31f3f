/* sparql/plan/plan_count.c - GROUP BY of at most one variable that asks for numbers of solutions
 * alone: counted along the tree that patterns and shared variables form (count_join.h), where that
 * costs less than making the solutions. */
#include "sparql/operators/count_join.h"
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

/* What is known while a tree is looked for. */
typedef struct count_plan {
  plan_group *g;
  sparql_var key; /* of GROUP BY; SPARQL_NO_VAR: none */
  unsigned *uses; /* [n_vars] members that have the variable */
  bool *seen;     /* [n_members] */
  sparql_operator *chain;
  bool fails; /* no order, or not with these filters */
} count_plan;

static bool
is_shared(const count_plan *c, sparql_var var)
{
  return c->uses[var] > 1 || var == c->key;
}

/* ---- what can be counted ----------------------------------------------------------------------
 */

/* COUNT of rows, or of a variable that each of them has. */
static bool
counts_solutions(const sparql_algebra *node, const node_info *below)
{
  if (node->n_aggregates == 0 || node->n_keys > 1) return false;
  for (size_t i = 0; i < node->n_aggregates; i++) {
    const sparql_expr *expr = node->aggregates[i].expr;
    if (expr->aggregate != AGG_COUNT || expr->distinct) return false;
    if (expr->n_args &&
        (expr->args[0]->op != EXPR_VAR || !plan_set_has(below->certain, expr->args[0]->var)))
      return false;
  }
  if (node->n_keys == 0) return true;
  return !node->keys[0].expr && plan_set_has(below->certain, node->keys[0].var);
}

/* Nothing but patterns, so that nothing below is planned a second time when this comes to nought.
 */
static bool
patterns_alone(const sparql_algebra *node)
{
  bool inner = node->op == ALGEBRA_JOIN || node->op == ALGEBRA_FILTER || node->op == ALGEBRA_GRAPH;
  if (!inner) return node->op == ALGEBRA_BGP;
  return patterns_alone(node->left) && (!node->right || patterns_alone(node->right));
}

/* Mark what hangs together with member `m`; how many incidences of members and shared variables. */
static size_t
reach(count_plan *c, size_t m, bool *var_seen, size_t *members, size_t *vars)
{
  const plan_group *g = c->g;
  size_t incidences = 0;
  c->seen[m] = true;
  ++*members;
  for (size_t k = 0; k < g->members[m].n_vars; k++) {
    sparql_var var = g->members[m].vars[k].var;
    if (!is_shared(c, var)) continue;
    incidences++;
    if (var_seen[var]) continue;
    var_seen[var] = true;
    ++*vars;
    for (size_t i = 0; i < g->n_members; i++)
      for (size_t j = 0; j < g->members[i].n_vars; j++)
        if (g->members[i].vars[j].var == var && !c->seen[i])
          incidences += reach(c, i, var_seen, members, vars);
  }
  return incidences;
}

/* Scans alone, whose shared variables and they form one tree? */
static quoin_status
is_tree(bool *out, count_plan *c, quoin_error *err)
{
  const plan_group *g = c->g;
  base_arena *arena = &g->p->ctx->arena;
  size_t members = 0, vars = 0;
  *out = false;
  if (g->n_steps || g->n_members < 2 || g->n_members > PLAN_MEMBERS) return QUOIN_OK;
  for (size_t i = 0; i < g->n_members; i++)
    if (g->members[i].kind != MEMBER_SCAN || g->members[i].spec.empty) return QUOIN_OK;
  c->uses = base_arena_new_zero(arena, g->p->n_vars + 1, sizeof(*c->uses));
  c->seen = base_arena_new_zero(arena, g->n_members, sizeof(bool));
  bool *var_seen = base_arena_new_zero(arena, g->p->n_vars + 1, sizeof(bool));
  if (!c->uses || !c->seen || !var_seen) return base_fail_nomem(err);
  for (size_t i = 0; i < g->n_members; i++)
    for (size_t k = 0; k < g->members[i].n_vars; k++)
      c->uses[g->members[i].vars[k].var]++;
  if (c->key != SPARQL_NO_VAR && !c->uses[c->key]) return QUOIN_OK;
  size_t incidences = reach(c, 0, var_seen, &members, &vars);
  *out = members == g->n_members && vars > 0 && incidences == members + vars - 1;
  return QUOIN_OK;
}

/* ---- from which variable ----------------------------------------------------------------------
 */

static double
distinct_of(const plan_member *m, sparql_var var)
{
  for (size_t i = 0; i < m->n_vars; i++)
    if (m->vars[i].var == var) return m->vars[i].distinct < 1 ? 1 : m->vars[i].distinct;
  return 0; /* has it not */
}

/* Of all that lies below `var` when it is reached from member `from` (n_members: the root). Members
 * are at most PLAN_MEMBERS, and so is the depth. */
static double
cost_below(const count_plan *c, sparql_var var, size_t from)
{
  const plan_group *g = c->g;
  double keys = 1e300, cost = 0;
  for (size_t i = 0; i < g->n_members; i++) {
    double distinct = i == from ? 0 : distinct_of(&g->members[i], var);
    if (distinct > 0 && distinct < keys) keys = distinct;
  }
  for (size_t i = 0; i < g->n_members; i++) {
    const plan_member *m = &g->members[i];
    double distinct = i == from ? 0 : distinct_of(m, var);
    if (distinct <= 0) continue;
    double touched = keys * (COST_LOOKUP_NEAR + m->rows / distinct);
    if (touched > m->rows) touched = m->rows;
    cost += COST_OPEN + touched * 2;
    for (size_t k = 0; k < m->n_vars; k++) {
      sparql_var other = m->vars[k].var;
      if (other == var || !is_shared(c, other)) continue;
      cost += touched * COST_PROBE + distinct_of(m, other) * COST_KEEP;
      cost += cost_below(c, other, i);
    }
  }
  return cost;
}

static sparql_var
best_root(double *cost, const count_plan *c)
{
  sparql_var best = SPARQL_NO_VAR;
  const size_t none = c->g->n_members;
  *cost = 1e300;
  if (c->key != SPARQL_NO_VAR) {
    *cost = cost_below(c, c->key, none);
    return c->key;
  }
  for (sparql_var v = 0; v < c->g->p->n_vars; v++) {
    if (c->uses[v] < 2) continue;
    double here = cost_below(c, v, none);
    if (here >= *cost) continue;
    *cost = here;
    best = v;
  }
  return best;
}

/* ---- building ---------------------------------------------------------------------------------
 */

static quoin_status build_node(count_node *out, count_plan *c, sparql_var var, size_t from,
                               quoin_error *err);

static quoin_status
build_edge(count_edge *edge, count_plan *c, size_t member, sparql_var var, quoin_error *err)
{
  plan_group *g = c->g;
  base_arena *arena = &g->p->ctx->arena;
  const plan_member *m = &g->members[member];
  quad_order order = scan_spec_order(&m->spec, g->p->orders, &var, 1);
  c->fails = c->fails || scan_spec_sorted(&m->spec, order) != var;
  if (c->fails) return QUOIN_OK;
  quoin_status st = plan_build_scan(&edge->op, g, m, order, g->need, err);
  if (st) return st;
  if (!edge->op->n_sorted || edge->op->sorted[0] != var) {
    c->fails = true;
    return QUOIN_OK;
  }
  st = sparql_count_chain(&c->chain, g->p->ctx, edge->op, c->chain, err);
  edge->below = base_arena_new_zero(arena, m->n_vars + 1, sizeof(*edge->below));
  if (st) return st;
  if (!edge->below) return base_fail_nomem(err);
  for (size_t k = 0; k < m->n_vars && !st && !c->fails; k++) {
    sparql_var other = m->vars[k].var;
    if (other == var || !is_shared(c, other)) continue;
    count_node *below = base_arena_new_zero(arena, 1, sizeof(*below));
    if (!below) return base_fail_nomem(err);
    edge->below[edge->n_below++] = below;
    st = build_node(below, c, other, member, err);
  }
  return st;
}

static quoin_status
build_node(count_node *out, count_plan *c, sparql_var var, size_t from, quoin_error *err)
{
  const plan_group *g = c->g;
  quoin_status st = QUOIN_OK;
  out->var = var;
  out->edges = base_arena_new_zero(&g->p->ctx->arena, g->n_members, sizeof(*out->edges));
  if (!out->edges) return base_fail_nomem(err);
  for (size_t i = 0; i < g->n_members && !st && !c->fails; i++)
    if (i != from && distinct_of(&g->members[i], var) > 0)
      st = build_edge(&out->edges[out->n_edges++], c, i, var, err);
  return st;
}

static quoin_status
build(sparql_operator **out, count_plan *c, const sparql_algebra *node, sparql_var root_var,
      quoin_error *err)
{
  planner *p = c->g->p;
  count_node *root = base_arena_new_zero(&p->ctx->arena, 1, sizeof(*root));
  sparql_var *counts = base_arena_new(&p->ctx->arena, node->n_aggregates, sizeof(*counts));
  if (!root || !counts) return base_fail_nomem(err);
  quoin_status st = build_node(root, c, root_var, c->g->n_members, err);
  if (st || c->fails) return st;
  for (size_t f = 0; f < c->g->n_filters; f++)
    if (!c->g->filters[f].applied) return QUOIN_OK; /* it compares what members far apart have */
  for (size_t i = 0; i < node->n_aggregates; i++)
    counts[i] = node->aggregates[i].var;
  st = sparql_count_join_make(out, p->ctx, root, node->n_keys > 0, counts, node->n_aggregates,
                              c->chain, p->frame, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_count_group(sparql_operator **out, planner *p, const sparql_algebra *node,
                 const sparql_active_graph *graph, quoin_error *err)
{
  plan_group g;
  const node_info *below;
  const join_state *joins;
  bool tree;
  double cost;
  *out = NULL;
  quoin_status st = plan_node_info(&below, p, node->left, err);
  if (st || !counts_solutions(node, below) || !patterns_alone(node->left)) return st;
  bool *need = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool));
  if (!need) return base_fail_nomem(err);
  sparql_var key = node->n_keys ? node->keys[0].var : SPARQL_NO_VAR;
  if (key != SPARQL_NO_VAR) need[key] = true;
  st = plan_group_gather(&g, p, node->left, graph, need, UINT64_MAX, NULL, NULL, 0, err);
  count_plan c = {.g = &g, .key = key};
  if (st || (st = is_tree(&tree, &c, err)) || !tree) return st;
  sparql_var root = best_root(&cost, &c);
  if ((st = plan_order(&joins, &g, err)) || joins->cost + joins->rows <= cost) return st;
  if ((st = build(out, &c, node, root, err)) || !*out) return st;
  (*out)->rows = node->n_keys ? joins->rows : 1;
  (*out)->cost = cost;
  return QUOIN_OK;
}
