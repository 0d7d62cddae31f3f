/* sparql/plan/plan_group.c - gather the joins around a node into one group.
 *
 * JOIN and BGP become members. A step (OPTIONAL, BIND, MINUS) or FILTER on one side of a JOIN may
 * wait until the other side is joined too when no variable that it reads or binds comes from there,
 * except those that its own side binds in every row: then both orders give the same solutions
 * (Perez, Arenas, Gutierrez 2009, well-designed patterns). Where that does not hold, the node is
 * planned by itself and becomes one member. */
#include "sparql/plan/plan_build.h"

#include <assert.h>

#include "base/poison.h"

/* Room for one more element; the arrays live in the arena, so the old ones are just left. */
static quoin_status
grow(void *items, const plan_group *g, size_t n, size_t *cap, size_t size, quoin_error *err)
{
  void *old;
  if (n < *cap) return QUOIN_OK;
  size_t more = *cap ? *cap * 2 : 8;
  void *grown = base_arena_new_zero(&g->p->ctx->arena, more, size);
  if (!grown) return base_fail_nomem(err);
  memcpy(&old, items, sizeof(old));
  if (n) memcpy(grown, old, n * size);
  memcpy(items, &grown, sizeof(grown));
  *cap = more;
  return QUOIN_OK;
}

static quoin_status
add_member(plan_member **out, plan_group *g, quoin_error *err)
{
  quoin_status st = grow(&g->members, g, g->n_members, &g->members_cap, sizeof(*g->members), err);
  if (!st) *out = &g->members[g->n_members++];
  return st;
}

static quoin_status
add_step(plan_group *g, const sparql_algebra *node, const sparql_active_graph *graph,
         quoin_error *err)
{
  quoin_status st = grow(&g->steps, g, g->n_steps, &g->steps_cap, sizeof(*g->steps), err);
  if (!st) g->steps[g->n_steps++] = (plan_step){node, graph};
  return st;
}

/* One filter for each conjunct. */
static quoin_status
add_filter(plan_group *g, sparql_expr *expr, quoin_error *err)
{
  quoin_status st;
  if (expr->op == EXPR_AND) {
    for (size_t i = 0; i < expr->n_args; i++)
      if ((st = add_filter(g, expr->args[i], err))) return st;
    return QUOIN_OK;
  }
  if ((st = grow(&g->filters, g, g->n_filters, &g->filters_cap, sizeof(*g->filters), err)))
    return st;
  plan_filter *f = &g->filters[g->n_filters];
  *f = (plan_filter){.expr = expr, .after = g->n_steps};
  if ((st = plan_set_make(&f->vars, g->p, err))) return st;
  if ((st = plan_set_expr(f->vars, g->p, expr, err))) return st;
  g->n_filters++;
  return QUOIN_OK;
}

/* ---- may a node be taken apart? ---------------------------------------------------------------
 */

/* The variables that the part of a node which would wait reads or binds. */
static quoin_status
waiting_vars(var_word **out, planner *p, const sparql_algebra *node, quoin_error *err)
{
  quoin_status st = plan_set_make(out, p, err);
  for (size_t i = 0; !st && i < node->n_exprs; i++)
    st = plan_set_expr(*out, p, node->exprs[i], err);
  if (!st && node->right) {
    const node_info *right;
    if ((st = plan_node_info(&right, p, node->right, err))) return st;
    plan_set_unite(p, *out, right->maybe);
  }
  if (!st && node->op == ALGEBRA_EXTEND) plan_set_add(*out, node->var);
  return st;
}

/* `others`: what the rest of the group may bind. */
static quoin_status
may_wait(bool *out, planner *p, const sparql_algebra *node, const sparql_active_graph *graph,
         const var_word *others, quoin_error *err)
{
  var_word *vars, *certain;
  const node_info *left;
  quoin_status st = waiting_vars(&vars, p, node, err);
  if (st || (st = plan_node_info(&left, p, node->left, err))) return st;
  if ((st = plan_set_make(&certain, p, err))) return st;
  plan_set_unite(p, certain, left->certain);
  /* Inside GRAPH ?g each row of the left side binds ?g. */
  if (graph->scope == QUAD_NAMED && graph->graph.var != SPARQL_NO_VAR)
    plan_set_add(certain, graph->graph.var);
  for (size_t i = 0; p->frame && i < p->frame->n; i++)
    plan_set_add(certain, p->frame->param[i]->var);
  if (node->op == ALGEBRA_EXTEND && plan_set_has(others, node->var)) {
    *out = false;
    return QUOIN_OK;
  }
  *out = plan_set_meet_within(p, vars, others, certain);
  return QUOIN_OK;
}

/* ---- flattening -------------------------------------------------------------------------------
 */

static quoin_status flatten(plan_group *g, const sparql_algebra *node,
                            const sparql_active_graph *graph, const var_word *others,
                            quoin_error *err);

static quoin_status
flatten_join(plan_group *g, const sparql_algebra *node, const sparql_active_graph *graph,
             const var_word *others, quoin_error *err)
{
  quoin_status st;
  const node_info *side[2];
  const sparql_algebra *child[2] = {node->left, node->right};
  for (size_t i = 0; i < 2; i++)
    if ((st = plan_node_info(&side[i], g->p, child[i], err))) return st;
  for (size_t i = 0; i < 2; i++) {
    var_word *rest;
    if ((st = plan_set_make(&rest, g->p, err))) return st;
    plan_set_unite(g->p, rest, others);
    plan_set_unite(g->p, rest, side[1 - i]->maybe);
    if ((st = flatten(g, child[i], graph, rest, err))) return st;
  }
  return QUOIN_OK;
}

static quoin_status
flatten_alone(plan_group *g, const sparql_algebra *node, const sparql_active_graph *graph,
              member_kind kind, quoin_error *err)
{
  plan_member *m;
  quoin_status st = add_member(&m, g, err);
  if (st) return st;
  m->kind = kind;
  m->node = node;
  m->graph = graph;
  return QUOIN_OK;
}

static quoin_status
flatten_triple(plan_group *g, const sparql_triple *triple, const sparql_active_graph *graph,
               quoin_error *err)
{
  plan_member *m;
  sparql_operator *op;
  quoin_status st = plan_spelled_scan(&op, &triple, g->p, graph, err);
  if (st || (st = add_member(&m, g, err))) return st;
  m->kind = op ? MEMBER_PLAN : MEMBER_SCAN;
  m->op = op;
  m->triple = triple;
  m->graph = graph;
  return QUOIN_OK;
}

static quoin_status
flatten_path(plan_group *g, const sparql_algebra *node, const sparql_active_graph *graph,
             quoin_error *err)
{
  sparql_operator *op;
  plan_member *m;
  quoin_status st = plan_spelled_path(&op, g->p, node, graph, err);
  if (st || (st = add_member(&m, g, err))) return st;
  m->kind = op ? MEMBER_PLAN : MEMBER_PATH;
  m->op = op;
  m->node = op ? NULL : node;
  m->graph = graph;
  return QUOIN_OK;
}

static quoin_status
flatten_graph(plan_group *g, const sparql_algebra *node, const var_word *others, quoin_error *err)
{
  planner *p = g->p;
  graph_use use = plan_graph_use(node->left);
  if (use == GRAPH_NONE || (use == GRAPH_LOOP && node->node.var != SPARQL_NO_VAR))
    return flatten_alone(g, node, NULL, MEMBER_PLAN, err);
  sparql_active_graph *graph = base_arena_new_zero(&p->ctx->arena, 1, sizeof(*graph));
  if (!graph) return base_fail_nomem(err);
  quoin_status st = plan_graph_scope(graph, p, node, err);
  if (st) return st;
  return flatten(g, node->left, graph, others, err);
}

static quoin_status
flatten(plan_group *g, const sparql_algebra *node, const sparql_active_graph *graph,
        const var_word *others, quoin_error *err)
{
  quoin_status st;
  bool waits = false;
  switch (node->op) {
  case ALGEBRA_UNIT:
    return QUOIN_OK;
  case ALGEBRA_BGP:
    for (size_t i = 0; i < node->n_triples; i++)
      if ((st = flatten_triple(g, &node->triples[i], graph, err))) return st;
    return QUOIN_OK;
  case ALGEBRA_PATH:
    return flatten_path(g, node, graph, err);
  case ALGEBRA_JOIN:
    return flatten_join(g, node, graph, others, err);
  case ALGEBRA_GRAPH:
    return flatten_graph(g, node, others, err);
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
  case ALGEBRA_LEFT_JOIN:
  case ALGEBRA_MINUS:
    if ((st = may_wait(&waits, g->p, node, graph, others, err))) return st;
    if (!waits) return flatten_alone(g, node, graph, MEMBER_PLAN, err);
    if ((st = flatten(g, node->left, graph, others, err))) return st;
    for (size_t i = 0; i < node->n_exprs; i++)
      if ((st = plan_expr(g->p, node->exprs[i], graph, err))) return st;
    if (node->op != ALGEBRA_FILTER) return add_step(g, node, graph, err);
    for (size_t i = 0; i < node->n_exprs; i++)
      if ((st = add_filter(g, node->exprs[i], err))) return st;
    return QUOIN_OK;
  case ALGEBRA_UNION:
  case ALGEBRA_VALUES:
  case ALGEBRA_GROUP:
  case ALGEBRA_ORDER:
  case ALGEBRA_PROJECT:
  case ALGEBRA_DISTINCT:
  case ALGEBRA_REDUCED:
  case ALGEBRA_SLICE:
  case ALGEBRA_NEAREST: /* a barrier: neither joins nor filters move through it */
    return flatten_alone(g, node, graph, MEMBER_PLAN, err);
  case ALGEBRA_SERVICE: /* joins in any order; as a step its keys are all there */
    return add_step(g, node, graph, err);
  }
  return QUOIN_OK;
}

/* ---- what the group needs ---------------------------------------------------------------------
 */

quoin_status
plan_step_info(const node_info **out, planner *p, const sparql_algebra *node, quoin_error *err)
{
  *out = NULL;
  if (node->op == ALGEBRA_SERVICE) return plan_node_info(out, p, node, err);
  return node->right ? plan_node_info(out, p, node->right, err) : QUOIN_OK;
}

static void
count_use(unsigned *uses, const sparql_node *node)
{
  if (node->var != SPARQL_NO_VAR && uses[node->var] < 2) uses[node->var]++;
}

/* A variable is wanted from the members when it is asked for from above, read by a filter or a
 * step, or in more than one member. */
static quoin_status
find_needs(plan_group *g, const bool *need, quoin_error *err)
{
  planner *p = g->p;
  quoin_status st = plan_need_copy(&g->asked, p, need, err);
  unsigned *uses = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(*uses));
  if (st) return st;
  if (!uses) return base_fail_nomem(err);
  for (size_t i = 0; i < g->n_steps; i++) {
    const sparql_algebra *node = g->steps[i].node;
    for (size_t e = 0; e < node->n_exprs; e++)
      if ((st = plan_need_expr(g->asked, p, node->exprs[e], err))) return st;
    const node_info *right = NULL;
    if ((st = plan_step_info(&right, p, node, err))) return st;
    for (sparql_var v = 0; right && v < p->n_vars; v++)
      if (plan_set_has(right->maybe, v)) g->asked[v] = true;
    if (node->right && g->steps[i].graph->scope == QUAD_NAMED &&
        g->steps[i].graph->graph.var != SPARQL_NO_VAR)
      g->asked[g->steps[i].graph->graph.var] = true;
  }
  if ((st = plan_need_copy(&g->need, p, g->asked, err))) return st;
  for (size_t i = 0; i < g->n_filters; i++)
    if ((st = plan_need_expr(g->need, p, g->filters[i].expr, err))) return st;
  for (size_t i = 0; i < g->n_members; i++) {
    const plan_member *m = &g->members[i];
    if (m->kind == MEMBER_SCAN) {
      count_use(uses, &m->triple->subject);
      count_use(uses, &m->triple->predicate);
      count_use(uses, &m->triple->object);
    } else if (m->node) {
      const node_info *info;
      if ((st = plan_node_info(&info, p, m->node, err))) return st;
      for (sparql_var v = 0; v < p->n_vars; v++)
        if (plan_set_has(info->maybe, v) && uses[v] < 2) uses[v]++;
    } else {
      for (sparql_var v = 0; v < p->n_vars; v++)
        if (m->op->maybe[v] && uses[v] < 2) uses[v]++;
    }
    if (m->graph && m->graph->scope == QUAD_NAMED) count_use(uses, &m->graph->graph);
  }
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (uses[v] > 1) g->need[v] = true;
  return QUOIN_OK;
}

/* ---- filters ----------------------------------------------------------------------------------
 */

static double
guess_share(const plan_filter *f)
{
  switch (f->expr->op) {
  case EXPR_EQ:
    return 0.05;
  case EXPR_LT:
  case EXPR_LE:
  case EXPR_GT:
  case EXPR_GE:
    return 0.3;
  case EXPR_IN:
    return 0.1;
  case EXPR_NE:
  case EXPR_NOT_IN:
    return 0.9;
  case EXPR_BUILTIN:
    return f->expr->builtin == FN_REGEX || f->expr->builtin == FN_CONTAINS ||
                   f->expr->builtin == FN_STRSTARTS
               ? 0.1
               : 0.5;
  default:
    return 0.5;
  }
}

/* True when equality with the term is equality of terms: IRIs, simple literals. The tags of
 * language strings are compared without case. */
static bool
is_plain_term(const rdf_term *term)
{
  return term->kind == RDF_IRI ||
         (term->kind == RDF_LITERAL && !term->datatype.len && !term->lang.len);
}

/* `?v = term`: then *var and *term. */
static bool
fixes_var(sparql_var *var, const rdf_term **term, const sparql_expr *expr)
{
  bool same = expr->op == EXPR_BUILTIN && expr->builtin == FN_SAMETERM;
  if ((expr->op != EXPR_EQ && !same) || expr->n_args != 2) return false;
  for (size_t i = 0; i < 2; i++) {
    const sparql_expr *a = expr->args[i], *b = expr->args[1 - i];
    if (a->op != EXPR_VAR || b->op != EXPR_TERM) continue;
    if (!same && !is_plain_term(&b->term)) continue;
    *var = a->var;
    *term = &b->term;
    return true;
  }
  return false;
}

/* Replace ?v by a constant in all members when `?v = constant` must hold and scans alone bind it.
 */
static quoin_status
fix_var(plan_group *g, plan_filter *f, quoin_error *err)
{
  sparql_var var;
  const rdf_term *term;
  bool found = false;
  if (!fixes_var(&var, &term, f->expr) || sparql_frame_find(g->p->frame, var)) return QUOIN_OK;
  for (size_t i = 0; i < g->n_members; i++) {
    const plan_member *m = &g->members[i];
    if (m->kind == MEMBER_SCAN) {
      for (unsigned k = 0; k < 4; k++)
        if (m->spec.at[k].kind == SCAN_VAR && m->spec.at[k].var == var) found = true;
    } else if (plan_set_has(m->maybe, var)) {
      return QUOIN_OK;
    }
  }
  if (!found) return QUOIN_OK;
  atom_id id;
  quoin_status st = sparql_intern(&id, g->p->ctx, term, err);
  if (st) return st;
  for (size_t i = 0; i < g->n_members; i++)
    for (unsigned k = 0; k < 4; k++) {
      scan_position *at = &g->members[i].spec.at[k];
      if (g->members[i].kind != MEMBER_SCAN || at->kind != SCAN_VAR || at->var != var) continue;
      at->kind = SCAN_FIXED;
      at->id = id;
    }
  f->applied = true;
  return QUOIN_OK;
}

static quoin_status
study_filters(plan_group *g, quoin_error *err)
{
  planner *p = g->p;
  var_word *all;
  quoin_status st = plan_set_make(&all, p, err);
  if (st) return st;
  for (size_t i = 0; i < g->n_members; i++)
    plan_set_unite(p, all, g->members[i].maybe);
  for (size_t i = 0; i < g->n_steps; i++) {
    const node_info *right = NULL;
    if (g->steps[i].node->op == ALGEBRA_EXTEND) plan_set_add(all, g->steps[i].node->var);
    if (g->steps[i].node->op == ALGEBRA_MINUS) continue;
    if ((st = plan_step_info(&right, p, g->steps[i].node, err))) return st;
    if (right) plan_set_unite(p, all, right->maybe);
  }
  for (size_t i = 0; i < g->n_filters; i++) {
    plan_filter *f = &g->filters[i];
    for (size_t w = 0; w < p->words; w++)
      f->vars[w] &= all[w];
    f->selects = guess_share(f);
    f->has_range = sparql_expr_range(&f->range, f->expr);
    if ((st = fix_var(g, f, err))) return st;
  }
  return QUOIN_OK;
}

/* ---- the group --------------------------------------------------------------------------------
 */

/* Members in one plan, at most PLAN_MEMBERS at a time: beyond that in portions. */
static quoin_status
join_members(sparql_operator **out, plan_group *g, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  const join_state *state;
  if (g->n_members == 0) {
    st = sparql_unit_make(out, g->p->ctx, g->p->frame, err);
    return plan_made(g->p, st, *out, err);
  }
  while (g->n_members > PLAN_MEMBERS) {
    plan_group part = *g;
    plan_member joined = {.kind = MEMBER_PLAN, .graph = NULL};
    part.n_members = PLAN_MEMBERS;
    part.limit = UINT64_MAX;
    part.asked = g->need;
    if ((st = plan_order(&state, &part, err))) return st;
    /* All columns that the group needs: what the rest shares is not looked into. */
    if ((st = plan_build_joins(&joined.op, &part, state, err))) return st;
    if ((st = plan_member_estimate(&joined, g, err))) return st;
    memmove(g->members + 1, g->members + PLAN_MEMBERS,
            (g->n_members - PLAN_MEMBERS) * sizeof(*g->members));
    g->members[0] = joined;
    g->n_members -= PLAN_MEMBERS - 1;
  }
  if ((st = plan_order(&state, g, err))) return st;
  return plan_build_joins(out, g, state, err);
}

quoin_status
plan_group_gather(plan_group *g, planner *p, const sparql_algebra *node,
                  const sparql_active_graph *graph, const bool *need, uint64_t limit,
                  sparql_operator *seed, sparql_expr *const *pushed, size_t n_pushed,
                  quoin_error *err)
{
  *g = (plan_group){.p = p, .limit = limit};
  var_word *others;
  quoin_status st = plan_set_make(&others, p, err);
  if (st) return st;
  if (seed) {
    plan_member *m;
    if ((st = add_member(&m, g, err))) return st;
    m->kind = MEMBER_PLAN;
    m->op = seed;
    for (sparql_var v = 0; v < p->n_vars; v++)
      if (seed->bound[v] && !sparql_frame_find(p->frame, v)) plan_set_add(others, v);
  }
  if ((st = flatten(g, node, graph, others, err))) return st;
  for (size_t i = 0; i < n_pushed; i++)
    if ((st = add_filter(g, pushed[i], err))) return st;
  if ((st = find_needs(g, need, err))) return st;
  for (size_t i = 0; i < g->n_members; i++)
    if ((st = plan_member_scan(&g->members[i], p, err))) return st;
  if ((st = study_filters(g, err))) return st;
  for (size_t i = 0; i < g->n_members; i++)
    if ((st = plan_member_estimate(&g->members[i], g, err))) return st;
  return QUOIN_OK;
}

quoin_status
plan_group_build(sparql_operator **out, plan_group *g, const bool *need, quoin_error *err)
{
  quoin_status st = join_members(out, g, err);
  if (!st) st = plan_apply_filters(out, g, 0, true, err);
  if (!st) st = plan_apply_steps(out, g, need, err);
  return st ? st : plan_apply_filters(out, g, g->n_steps, false, err);
}

quoin_status
plan_group_node(sparql_operator **out, planner *p, const sparql_algebra *node,
                const sparql_active_graph *graph, const bool *need, uint64_t limit,
                sparql_operator *seed, sparql_expr *const *pushed, size_t n_pushed,
                quoin_error *err)
{
  plan_group g;
  quoin_status st = plan_group_gather(&g, p, node, graph, need, limit, seed, pushed, n_pushed, err);
  return st ? st : plan_group_build(out, &g, need, err);
}
