/* sparql/plan/plan_step.c - OPTIONAL, MINUS, BIND and SERVICE after the joins of a group, in
 * written order. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

quoin_status
plan_seeded(sparql_operator **out, sparql_operator **seed, planner *p, const sparql_algebra *right,
            const sparql_active_graph *graph, const sparql_operator *left, const bool *need,
            sparql_expr *const *pushed, size_t n_pushed, quoin_error *err)
{
  const node_info *info;
  quoin_status st = plan_service_certain(&info, p, right, err);
  sparql_var *keys = base_arena_new(&p->ctx->arena, p->n_vars + 1, sizeof(*keys));
  size_t n = 0;
  *out = *seed = NULL;
  if (st) return st;
  if (!keys) return base_fail_nomem(err);
  bool in_graph = graph->scope == QUAD_NAMED;
  for (sparql_var v = 0; v < p->n_vars; v++) {
    bool certain = plan_set_has(info->certain, v) ||
                   (in_graph && graph->graph.var == v && plan_graph_use(right) == GRAPH_COLUMN);
    if (right->op == ALGEBRA_SERVICE && right->node.var == v) certain = true;
    if (left->bound[v] && certain && !sparql_frame_find(p->frame, v)) keys[n++] = v;
  }
  if (n == 0) return QUOIN_OK;
  if ((st = sparql_seed_make(seed, p->ctx, keys, n, p->frame, err))) return st;
  if ((st = plan_made(p, QUOIN_OK, *seed, err))) return st;
  (*seed)->rows = left->rows < 1 ? 1 : left->rows > SPARQL_BATCH ? SPARQL_BATCH : left->rows;
  (*seed)->cost = (*seed)->rows;
  st = plan_group_node(out, p, right, graph, need, UINT64_MAX, *seed, pushed, n_pushed, err);
  if (st) return st;
  for (size_t i = 0; i < n; i++)
    if (!(*out)->bound[keys[i]]) *out = NULL; /* lost on the way: cannot be looked up */
  return QUOIN_OK;
}

/* Conditions of OPTIONAL that look at the right side alone may run there. */
static quoin_status
split_conditions(sparql_expr ***pushed, size_t *n_pushed, sparql_expr ***kept, size_t *n_kept,
                 planner *p, const plan_step *step, const sparql_operator *left, quoin_error *err)
{
  const sparql_algebra *node = step->node;
  const node_info *right;
  quoin_status st = plan_node_info(&right, p, node->right, err);
  *pushed = base_arena_new(&p->ctx->arena, node->n_exprs + 1, sizeof(**pushed));
  *kept = base_arena_new(&p->ctx->arena, node->n_exprs + 1, sizeof(**kept));
  *n_pushed = *n_kept = 0;
  if (st) return st;
  if (!*pushed || !*kept) return base_fail_nomem(err);
  for (size_t i = 0; i < node->n_exprs; i++) {
    base_arena_mark here = base_arena_here(&p->ctx->arena);
    var_word *vars;
    if ((st = plan_set_make(&vars, p, err))) return st;
    if ((st = plan_set_expr(vars, p, node->exprs[i], err))) return st;
    bool push = node->op == ALGEBRA_LEFT_JOIN;
    for (sparql_var v = 0; v < p->n_vars && push; v++)
      if (plan_set_has(vars, v) && (left->maybe[v] || plan_set_has(right->maybe, v)))
        push = plan_set_has(right->certain, v);
    base_arena_rewind(&p->ctx->arena, here);
    if (push) {
      (*pushed)[(*n_pushed)++] = node->exprs[i];
    } else {
      (*kept)[(*n_kept)++] = node->exprs[i];
    }
  }
  return QUOIN_OK;
}

quoin_status
plan_minus_overlap(bool *out, planner *p, const sparql_algebra *node, sparql_var graph,
                   quoin_error *err)
{
  const node_info *left, *right;
  quoin_status st = plan_node_info(&left, p, node->left, err);
  if (st || (st = plan_node_info(&right, p, node->right, err))) return st;
  *out = false;
  for (size_t i = 0; p->frame && i < p->frame->n && !*out; i++) {
    sparql_var v = p->frame->param[i]->var;
    *out = v != graph && plan_set_has(left->certain, v) && plan_set_has(right->certain, v);
  }
  return QUOIN_OK;
}

/* MINUS without a shared variable removes nothing. */
static bool
minus_is_idle(const sparql_operator *left, const node_info *right, const planner *p)
{
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (left->maybe[v] && plan_set_has(right->maybe, v)) return false;
  return true;
}

static quoin_status
apply_join_step(sparql_operator **op, plan_group *g, const plan_step *step, const bool *need,
                quoin_error *err)
{
  planner *p = g->p;
  quoin_status st;
  const node_info *info;
  sparql_operator *left = *op, *seeded = NULL, *seed = NULL, *whole = NULL;
  sparql_expr **pushed, **kept;
  size_t n_pushed, n_kept;
  bool minus = step->node->op == ALGEBRA_MINUS;
  bool *inner;
  if ((st = plan_node_info(&info, p, step->node->right, err))) return st;
  if (minus && minus_is_idle(left, info, p)) return QUOIN_OK;
  if ((st = split_conditions(&pushed, &n_pushed, &kept, &n_kept, p, step, left, err))) return st;
  if ((st = plan_need_copy(&inner, p, need, err))) return st;
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (left->maybe[v] || (minus && plan_set_has(info->maybe, v))) inner[v] = true;
  for (size_t i = 0; i < step->node->n_exprs; i++)
    if ((st = plan_need_expr(inner, p, step->node->exprs[i], err))) return st;
  st = plan_seeded(&seeded, &seed, p, step->node->right, step->graph, left, inner, pushed, n_pushed,
                   err);
  if (st) return st;
  double batches = left->rows > SPARQL_BATCH ? left->rows / SPARQL_BATCH : 1;
  double by_batch = seeded ? (seeded->cost + COST_KEEP * (seeded->rows + 1)) * batches : 0;
  if (!seeded || (left->rows > 64 && !plan_service_waits(p, step->node->right))) {
    st = plan_group_node(&whole, p, step->node->right, step->graph, inner, UINT64_MAX, NULL, pushed,
                         n_pushed, err);
    if (st) return st;
    if (seeded && by_batch <= whole->cost + COST_KEEP * whole->rows) whole = NULL;
  }
  hash_join_options options = {.mode = minus ? JOIN_MINUS : JOIN_LEFT,
                               .conditions = kept,
                               .n_conditions = minus ? 0 : n_kept,
                               .seed = whole ? NULL : seed,
                               .stable = plan_is_stable(p, whole),
                               .graph = SPARQL_NO_VAR};
  if (step->graph->scope == QUAD_NAMED) options.graph = step->graph->graph.var;
  if (minus && (st = plan_minus_overlap(&options.overlap, p, step->node, options.graph, err)))
    return st;
  sparql_operator *right = whole ? whole : seeded;
  st = sparql_hash_join_make(op, p->ctx, left, right, &options, need, p->frame, err);
  if ((st = plan_made(p, st, *op, err))) return st;
  (*op)->rows = left->rows;
  if (!minus && right->rows > left->rows && whole && left->rows > 0) (*op)->rows = right->rows;
  (*op)->cost = left->cost + COST_PROBE * left->rows +
                (whole ? whole->cost + COST_KEEP * whole->rows : by_batch);
  return QUOIN_OK;
}

static quoin_status
apply_service(sparql_operator **op, plan_group *g, const plan_step *step, bool first,
              const bool *need, quoin_error *err)
{
  const hash_join_options join = {.mode = JOIN_INNER, .graph = SPARQL_NO_VAR};
  bool nothing = first && g->n_members == 0 && !(*op)->child[0]; /* the empty group */
  if (nothing) return plan_service(op, g->p, step->node, need, err);
  return plan_service_join(op, g->p, *op, step->node, join, need, err);
}

quoin_status
plan_apply_steps(sparql_operator **op, plan_group *g, const bool *need, quoin_error *err)
{
  planner *p = g->p;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < g->n_steps && !st; i++) {
    const plan_step *step = &g->steps[i];
    /* What later steps and filters read must pass this one. */
    bool *pass;
    if ((st = plan_need_copy(&pass, p, need, err))) return st;
    for (size_t f = 0; f < g->n_filters; f++)
      if (!g->filters[f].applied && (st = plan_need_expr(pass, p, g->filters[f].expr, err)))
        return st;
    for (size_t j = i + 1; j < g->n_steps; j++) {
      const node_info *right = NULL;
      const sparql_algebra *later = g->steps[j].node;
      if ((st = plan_step_info(&right, p, later, err))) return st;
      for (sparql_var v = 0; right && v < p->n_vars; v++)
        if (plan_set_has(right->maybe, v)) pass[v] = true;
      for (size_t e = 0; e < later->n_exprs; e++)
        if ((st = plan_need_expr(pass, p, later->exprs[e], err))) return st;
      const sparql_active_graph *graph = g->steps[j].graph;
      if (later->right && graph->scope == QUAD_NAMED && graph->graph.var != SPARQL_NO_VAR)
        pass[graph->graph.var] = true;
    }
    if (step->node->op == ALGEBRA_EXTEND) {
      if (pass[step->node->var]) {
        st = sparql_extend_new(op, p->ctx, *op, step->node->var, step->node->exprs[0], err);
        st = plan_made(p, st, *op, err);
      }
    } else if (step->node->op == ALGEBRA_SERVICE) {
      st = apply_service(op, g, step, i == 0, pass, err);
    } else {
      st = apply_join_step(op, g, step, pass, err);
    }
    if (!st) st = plan_apply_filters(op, g, i + 1, false, err);
  }
  return st;
}
