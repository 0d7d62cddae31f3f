/* sparql/plan/plan_join.c - the operators of a chosen order. */
#include "sparql/plan/plan_build.h"

#include <assert.h>

#include "base/poison.h"

/* ---- ranges -----------------------------------------------------------------------------------
 */

static const atom_kind number_kinds[] = {ATOM_DOUBLE, ATOM_INTEGER, ATOM_DECIMAL, ATOM_FLOAT};
static const atom_kind time_kinds[] = {ATOM_DATE, ATOM_DATETIME, ATOM_DATETIMEZ};
enum { RANGE_KINDS = 6 };

static bool
interval_of(scan_interval *out, const sparql_range *range, atom_kind kind)
{
  if (range->temporal)
    return atom_inline_range_millis(&out->lo, &out->hi, kind, range->lo_ms, range->hi_ms);
  return atom_inline_range(&out->lo, &out->hi, kind, range->lo, range->hi);
}

/* The filters on `var` as intervals of ids, ascending: new terms of a transaction, the interned
 * literals of the class, then the inline kinds. The filters still run: values that share an
 * interval are told apart by them. */
static quoin_status
find_intervals(scan_interval **out, size_t *n, plan_group *g, sparql_var var, quoin_error *err)
{
  sparql_range range = {.var = SPARQL_NO_VAR};
  *n = 0;
  for (size_t f = 0; f < g->n_filters; f++) {
    const plan_filter *filter = &g->filters[f];
    if (filter->applied || !filter->has_range || filter->range.var != var) continue;
    if (range.var == SPARQL_NO_VAR) {
      range = filter->range;
    } else if (range.temporal == filter->range.temporal) {
      if (filter->range.lo > range.lo) range.lo = filter->range.lo;
      if (filter->range.hi < range.hi) range.hi = filter->range.hi;
      if (filter->range.lo_ms > range.lo_ms) range.lo_ms = filter->range.lo_ms;
      if (filter->range.hi_ms < range.hi_ms) range.hi_ms = filter->range.hi_ms;
    }
  }
  if (range.var == SPARQL_NO_VAR) return QUOIN_OK;
  if (!(*out = base_arena_new(&g->p->ctx->arena, RANGE_KINDS, sizeof(**out))))
    return base_fail_nomem(err);
  atom_kind interned = range.temporal ? ATOM_TEMPORAL : ATOM_NUMERIC;
  uint64_t local = g->p->ctx->local_stored; /* of any kind */
  if (local)
    (*out)[(*n)++] = (scan_interval){atom_id_make(ATOM_LOCAL, 1), atom_id_make(ATOM_LOCAL, local)};
  (*out)[(*n)++] =
      (scan_interval){atom_id_make(interned, 0), atom_id_make(interned, (UINT64_C(1) << 58) - 1)};
  const atom_kind *kinds = range.temporal ? time_kinds : number_kinds;
  size_t n_kinds = range.temporal ? sizeof(time_kinds) / sizeof(*time_kinds)
                                  : sizeof(number_kinds) / sizeof(*number_kinds);
  for (size_t i = 0; i < n_kinds; i++)
    if (interval_of(&(*out)[*n], &range, kinds[i])) (*n)++;
  return QUOIN_OK;
}

/* ---- filters ----------------------------------------------------------------------------------
 */

static quoin_status
add_filters(sparql_operator **op, plan_group *g, sparql_expr **exprs, size_t n, double share,
            quoin_error *err)
{
  sparql_operator *below = *op;
  if (!n) return QUOIN_OK;
  quoin_status st = sparql_filter_new(op, g->p->ctx, below, exprs, n, err);
  if ((st = plan_made(g->p, st, *op, err))) return st;
  (*op)->rows = below->rows * share;
  (*op)->cost = below->cost + COST_FILTER * below->rows * (double)n;
  return QUOIN_OK;
}

quoin_status
plan_apply_filters(sparql_operator **op, plan_group *g, size_t steps_done, bool core,
                   quoin_error *err)
{
  planner *p = g->p;
  sparql_expr **exprs = base_arena_new(&p->ctx->arena, g->n_filters + 1, sizeof(*exprs));
  sparql_expr **exists = base_arena_new(&p->ctx->arena, g->n_filters + 1, sizeof(*exists));
  size_t n = 0, n_exists = 0;
  double share = 1;
  if (!exprs || !exists) return base_fail_nomem(err);
  for (size_t f = 0; f < g->n_filters; f++) {
    plan_filter *filter = &g->filters[f];
    if (filter->applied) continue;
    bool ready = true;
    for (sparql_var v = 0; v < p->n_vars && ready; v++)
      if (plan_set_has(filter->vars, v)) ready = (*op)->bound[v];
    if (!ready && (!(core || steps_done) || filter->after > steps_done)) continue;
    filter->applied = true;
    bool negated;
    if (plan_exists_of(&negated, filter->expr)) {
      exists[n_exists++] = filter->expr;
      continue;
    }
    exprs[n++] = filter->expr;
    share *= filter->selects;
  }
  quoin_status st = add_filters(op, g, exprs, n, share, err);
  n = 0;
  for (size_t i = 0; i < n_exists && !st; i++) {
    bool joined;
    st = plan_exists_join(&joined, op, g, exists[i], err);
    if (!joined) exprs[n++] = exists[i];
  }
  return st ? st : add_filters(op, g, exprs, n, 0.5, err);
}

static bool
has_seed(const sparql_operator *op)
{
  if (!op) return false;
  return sparql_is_seed(op) || has_seed(op->child[0]) || has_seed(op->child[1]);
}

bool
plan_is_stable(const planner *p, const sparql_operator *op)
{
  return (!p->frame || p->frame->n == 0) && !has_seed(op);
}

/* ---- needs ------------------------------------------------------------------------------------
 */

/* What the join of `mask` must show: what the group's user, its filters and steps want, and what
 * members outside the mask share. */
static quoin_status
need_of(bool **out, plan_group *g, uint64_t mask, const bool *asked, quoin_error *err)
{
  planner *p = g->p;
  quoin_status st = plan_need_copy(out, p, asked, err);
  for (size_t i = 0; !st && i < g->n_members; i++)
    for (size_t k = 0; !(mask >> i & 1) && k < g->members[i].n_vars; k++)
      (*out)[g->members[i].vars[k].var] = true;
  for (size_t f = 0; !st && f < g->n_filters; f++)
    if (!g->filters[f].applied) st = plan_need_expr(*out, p, g->filters[f].expr, err);
  return st;
}

/* ---- operators --------------------------------------------------------------------------------
 */

static quoin_status
build_scan(sparql_operator **out, plan_group *g, const plan_member *m, quad_order order,
           const bool *need, quoin_error *err)
{
  planner *p = g->p;
  scan_interval *intervals = NULL;
  size_t n = 0;
  quoin_status st = QUOIN_OK;
  sparql_var lead = scan_spec_sorted(&m->spec, order);
  if (lead != SPARQL_NO_VAR && (st = find_intervals(&intervals, &n, g, lead, err))) return st;
  st = sparql_scan_make(out, p->ctx, &m->spec, order, need, intervals, n, p->frame, false, err);
  if ((st = plan_made(p, st, *out, err))) return st;
  (*out)->rows = m->rows;
  (*out)->cost = m->cost;
  return QUOIN_OK;
}

quoin_status
plan_build_scan(sparql_operator **out, plan_group *g, const plan_member *m, quad_order order,
                const bool *need, quoin_error *err)
{
  quoin_status st = build_scan(out, g, m, order, need, err);
  return st ? st : plan_apply_filters(out, g, 0, false, err);
}

/* A path. Its child shows the parameters, where there are any. */
static quoin_status
build_path(sparql_operator **out, plan_group *g, const plan_member *m, sparql_operator *child,
           quoin_error *err)
{
  planner *p = g->p;
  quoin_status st;
  if (!child && p->frame && p->frame->n) {
    st = sparql_unit_make(&child, p->ctx, p->frame, err);
    if ((st = plan_made(p, st, child, err))) return st;
  }
  st = sparql_path_new(out, p->ctx, child, m->node, m->graph, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
build_base(sparql_operator **out, plan_group *g, const join_state *state, const bool *need,
           quoin_error *err)
{
  const plan_member *m = &g->members[state->member];
  quoin_status st = QUOIN_OK;
  switch (m->kind) {
  case MEMBER_SCAN:
    return build_scan(out, g, m, state->order, need, err);
  case MEMBER_PLAN:
    *out = m->op;
    return QUOIN_OK;
  case MEMBER_PATH:
    st = build_path(out, g, m, NULL, err);
    if (st) return st;
    (*out)->rows = m->rows;
    (*out)->cost = m->cost;
    return QUOIN_OK;
  }
  return st;
}

/* The member as a scan whose shared variables are parameters, looked up for each left row. */
static quoin_status
build_index(sparql_operator **out, plan_group *g, const plan_member *m, sparql_operator *left,
            const bool *need, quoin_error *err)
{
  planner *p = g->p;
  quoin_status st;
  scan_spec spec = m->spec;
  sparql_param *keys[4];
  size_t n = 0;
  for (unsigned i = 0; i < 4; i++) {
    scan_position *at = &spec.at[i];
    if (at->kind != SCAN_VAR || !left->bound[at->var]) continue;
    sparql_param *param = NULL;
    for (size_t k = 0; k < n; k++)
      if (keys[k]->var == at->var) param = keys[k];
    if (!param) {
      if ((st = sparql_param_make(&param, p->ctx, at->var, false, err))) return st;
      keys[n++] = param;
    }
    at->kind = SCAN_PARAM;
    at->param = param;
  }
  assert(n > 0);
  /* Each key would be looked up in each graph. */
  if (spec.n_graphs > 4 || spec.at[QUAD_G].kind == SCAN_PARAM) spec.by_graph = false;
  sparql_operator *inner;
  quad_order order = scan_spec_order(&spec, p->orders, NULL, 0);
  st = sparql_scan_make(&inner, p->ctx, &spec, order, need, NULL, 0, p->frame, true, err);
  if ((st = plan_made(p, st, inner, err))) return st;
  inner->rows = 1;
  for (size_t i = 0; i < m->n_vars; i++)
    for (size_t k = 0; k < n; k++)
      if (keys[k]->var == m->vars[i].var && m->vars[i].distinct > 0)
        inner->rows = m->rows / m->vars[i].distinct;
  st = sparql_index_join_make(out, p->ctx, left, inner, keys, n, need, p->frame, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
build_hash(sparql_operator **out, plan_group *g, sparql_operator *left, sparql_operator *right,
           const bool *need, quoin_error *err)
{
  planner *p = g->p;
  hash_join_options options = {
      .mode = JOIN_INNER, .graph = SPARQL_NO_VAR, .stable = plan_is_stable(p, right)};
  quoin_status st = sparql_hash_join_make(out, p->ctx, left, right, &options, need, p->frame, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
build_state(sparql_operator **out, plan_group *g, const join_state *state, const bool *asked,
            quoin_error *err)
{
  const plan_member *m = &g->members[state->member];
  sparql_operator *left = NULL, *right = NULL;
  bool *need;
  quoin_status st;
  if (state->method == METHOD_BASE) {
    if ((st = need_of(&need, g, state->mask, asked, err))) return st;
    if ((st = build_base(out, g, state, need, err))) return st;
    return plan_apply_filters(out, g, 0, false, err);
  }
  if ((st = build_state(&left, g, state->before, asked, err))) return st;
  if (state->method != METHOD_INDEX && state->method != METHOD_PATH) {
    join_state alone = {
        .mask = UINT64_C(1) << state->member, .member = state->member, .order = state->order};
    if (alone.order == QUAD_ORDERS && m->kind == MEMBER_SCAN)
      alone.order = scan_spec_order(&m->spec, g->p->orders, NULL, 0);
    if ((st = build_state(&right, g, &alone, asked, err))) return st;
  }
  if ((st = need_of(&need, g, state->mask, asked, err))) return st;
  switch (state->method) {
  case METHOD_BASE:
    break;
  case METHOD_INDEX:
    st = build_index(out, g, m, left, need, err);
    break;
  case METHOD_MERGE:
    if (!left->n_sorted || left->sorted[0] != state->key || !right->n_sorted ||
        right->sorted[0] != state->key) { /* an operator below does not keep the order */
      st = build_hash(out, g, left, right, need, err);
      break;
    }
    st = sparql_merge_join_make(out, g->p->ctx, left, right, state->key, need, g->p->frame, err);
    st = plan_made(g->p, st, *out, err);
    break;
  case METHOD_HASH_RIGHT:
    st = build_hash(out, g, left, right, need, err);
    break;
  case METHOD_HASH_LEFT:
    st = build_hash(out, g, right, left, need, err);
    break;
  case METHOD_PATH:
    st = build_path(out, g, m, left, err);
    break;
  }
  if (st) return st;
  (*out)->rows = state->rows;
  (*out)->cost = state->cost;
  return plan_apply_filters(out, g, 0, false, err);
}

quoin_status
plan_build_joins(sparql_operator **out, plan_group *g, const join_state *state, quoin_error *err)
{
  return build_state(out, g, state, g->asked, err);
}
