/* sparql/plan/plan_member.c - what is known about a member before it is joined: exact counts from
 * the block index, distinct values estimated from it. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

/* The variable of position i, where it has one that varies. */
static sparql_var
varying(const plan_member *m, unsigned i)
{
  return m->spec.at[i].kind == SCAN_VAR ? m->spec.at[i].var : SPARQL_NO_VAR;
}

static void
add_node(plan_member *m, const planner *p, const sparql_node *node)
{
  if (node->var != SPARQL_NO_VAR && !sparql_frame_find(p->frame, node->var))
    plan_set_add(m->maybe, node->var);
}

quoin_status
plan_member_scan(plan_member *m, planner *p, quoin_error *err)
{
  quoin_status st = plan_set_make(&m->maybe, p, err);
  if (st) return st;
  if (m->kind == MEMBER_SCAN) {
    st = scan_spec_make(&m->spec, p->ctx, m->triple, m->graph, p->frame, err);
    for (unsigned i = 0; i < 4; i++)
      if (varying(m, i) != SPARQL_NO_VAR) plan_set_add(m->maybe, varying(m, i));
    return st;
  }
  if (m->op) {
    for (sparql_var v = 0; v < p->n_vars; v++)
      if (m->op->maybe[v] && !sparql_frame_find(p->frame, v)) plan_set_add(m->maybe, v);
    return QUOIN_OK;
  }
  const node_info *info;
  if ((st = plan_node_info(&info, p, m->node, err))) return st;
  plan_set_unite(p, m->maybe, info->maybe);
  if (m->graph && m->graph->scope == QUAD_NAMED) add_node(m, p, &m->graph->graph);
  for (size_t i = 0; p->frame && i < p->frame->n; i++) {
    sparql_var v = p->frame->param[i]->var;
    m->maybe[v / 64] &= ~(UINT64_C(1) << (v % 64));
  }
  return QUOIN_OK;
}

/* ---- scans ------------------------------------------------------------------------------------
 */

/* A parameter that has no value yet (GRAPH ?g, before the first graph) counts as any. */
static void
loose_pattern(quad_pattern *out, unsigned *unknown, const scan_spec *spec)
{
  *unknown = 0;
  out->scope = spec->scope;
  for (unsigned i = 0; i < 4; i++) {
    const scan_position *at = &spec->at[i];
    out->match.term[i] = ATOM_NONE_ID;
    if (at->kind == SCAN_CONST || at->kind == SCAN_FIXED) out->match.term[i] = at->id;
    if (at->kind == SCAN_PARAM) {
      out->match.term[i] = at->param->value;
      *unknown += at->param->value.bits == 0;
    }
  }
}

static bool
is_joined(const plan_member *m, const plan_group *g, sparql_var var)
{
  for (size_t i = 0; i < g->n_members; i++)
    if (&g->members[i] != m && plan_set_has(g->members[i].maybe, var)) return true;
  return false;
}

static quoin_status
distinct_values(double *out, const plan_member *m, const plan_group *g, const quad_pattern *pattern,
                unsigned position, quoin_error *err)
{
  const planner *p = g->p;
  uint8_t then = (uint8_t)position;
  *out = m->rows;
  if (m->rows <= 8) return QUOIN_OK;
  quad_order order = quad_order_for(p->orders, pattern, &then, 1);
  if (order == QUAD_ORDERS) return QUOIN_OK;
  for (unsigned k = 0; k < 4; k++) { /* is the position the first unbound key? */
    unsigned i = quad_order_keys[order][k];
    if (i == position) break;
    if (!pattern->match.term[i].bits) return QUOIN_OK;
  }
  uint64_t n;
  quoin_status st = quad_distinct_estimate(&n, p->ctx->snapshot, order, pattern, err);
  if (!st && (double)n < *out) *out = n ? (double)n : 1;
  return st;
}

/* Of several graphs: scanned one by one and merged where the others hold most of what matches: a
 * row that is merged costs some of those that are passed over. */
static quoin_status
choose_graphs(uint64_t *count, plan_member *m, const planner *p, const quad_pattern *pattern,
              quoin_error *err)
{
  enum { ROWS_PASSED = 4, ROWS_OPEN = 200 };
  uint64_t listed = 0, here;
  if (!scan_spec_splits(&m->spec, p->orders)) return QUOIN_OK;
  quad_pattern of_graph = *pattern;
  for (size_t i = 0; i < m->spec.n_graphs; i++) {
    of_graph.match.term[QUAD_G] = m->spec.graphs[i];
    quoin_status st = quad_count(&here, p->ctx->snapshot, &of_graph, err);
    if (st) return st;
    listed += here;
  }
  m->spec.by_graph = listed * ROWS_PASSED + m->spec.n_graphs * ROWS_OPEN < *count;
  *count = listed;
  return QUOIN_OK;
}

static quoin_status
estimate_scan(plan_member *m, plan_group *g, quoin_error *err)
{
  planner *p = g->p;
  quad_pattern pattern;
  unsigned unknown;
  uint64_t count = 0;
  quoin_status st;
  loose_pattern(&pattern, &unknown, &m->spec);
  if (!m->spec.empty && (st = quad_count(&count, p->ctx->snapshot, &pattern, err))) return st;
  m->cost = (double)count;
  if (count && (st = choose_graphs(&count, m, p, &pattern, err))) return st;
  m->rows = (double)count;
  if (m->spec.by_graph) m->cost = m->rows * 2;
  for (; unknown; unknown--)
    m->rows = m->rows > 10 ? m->rows / 10 : m->rows;
  if (count == 0) m->spec.empty = unknown == 0 && !p->frame;
  m->cost = COST_OPEN + (m->cost > m->rows ? m->cost : m->rows);
  m->vars = base_arena_new_zero(&p->ctx->arena, 4, sizeof(*m->vars));
  if (!m->vars) return base_fail_nomem(err);
  memset(m->maybe, 0, p->words * sizeof(*m->maybe));
  for (unsigned i = 0; i < 4; i++) {
    sparql_var var = varying(m, i);
    if (var == SPARQL_NO_VAR || plan_set_has(m->maybe, var)) continue;
    plan_set_add(m->maybe, var);
    member_var *mv = &m->vars[m->n_vars++];
    *mv = (member_var){.var = var, .distinct = m->rows, .certain = true};
    if (is_joined(m, g, var) && (st = distinct_values(&mv->distinct, m, g, &pattern, i, err)))
      return st;
    if (mv->distinct < 1) mv->distinct = 1;
  }
  return QUOIN_OK;
}

/* ---- the others -------------------------------------------------------------------------------
 */

static quoin_status
list_vars(plan_member *m, planner *p, const bool *certain, quoin_error *err)
{
  m->vars = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(*m->vars));
  if (!m->vars) return base_fail_nomem(err);
  m->n_vars = 0;
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (plan_set_has(m->maybe, v))
      m->vars[m->n_vars++] = (member_var){
          .var = v, .distinct = m->rows < 1 ? 1 : m->rows, .certain = !certain || certain[v]};
  return QUOIN_OK;
}

static double
path_ends_bound(const plan_member *m, const planner *p)
{
  const sparql_node *end[2] = {&m->node->subject, &m->node->object};
  double n = 0;
  for (size_t i = 0; i < 2; i++)
    n += end[i]->var == SPARQL_NO_VAR || sparql_frame_find(p->frame, end[i]->var) ? 1 : 0;
  return n;
}

/* Nothing is known of what a path reaches but the size of the graph. */
static quoin_status
estimate_path(plan_member *m, plan_group *g, quoin_error *err)
{
  quad_pattern all = {.scope = m->graph->scope};
  uint64_t count;
  quoin_status st = quad_count(&count, g->p->ctx->snapshot, &all, err);
  if (st) return st;
  double bound = path_ends_bound(m, g->p);
  m->rows = bound >= 2 ? 1 : bound >= 1 ? 50 : (double)count + 1;
  m->cost = bound >= 1 ? COST_PATH : COST_PATH + 10 * m->rows;
  return list_vars(m, g->p, NULL, err);
}

quoin_status
plan_member_estimate(plan_member *m, plan_group *g, quoin_error *err)
{
  planner *p = g->p;
  quoin_status st;
  if (m->kind == MEMBER_SCAN) return estimate_scan(m, g, err);
  if (m->kind == MEMBER_PATH) return estimate_path(m, g, err);
  if (!m->op) {
    st = plan_node(&m->op, p, m->node, m->graph, g->need, UINT64_MAX, err);
    if (st || (st = plan_show_frame(&m->op, p, err))) return st;
  }
  if ((st = plan_set_make(&m->maybe, p, err))) return st;
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (m->op->maybe[v] && !sparql_frame_find(p->frame, v)) plan_set_add(m->maybe, v);
  m->rows = m->op->rows;
  m->cost = m->op->cost;
  return list_vars(m, p, m->op->bound, err);
}
