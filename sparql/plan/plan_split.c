/* sparql/plan/plan_split.c - the group of vec:nearest as the product of two: what has to do with
 * its items, and all else, the query among it.
 *
 * Members, steps and filters that share a variable belong together; parameters have one value in
 * all rows and connect nothing. A filter that the query itself is no item is no connection either:
 * the search leaves it out. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

/* ---- expressions ------------------------------------------------------------------------------
 */

static bool varies(const sparql_expr *e);

static bool
pattern_varies(const sparql_algebra *node)
{
  if (!node) return false;
  for (size_t i = 0; i < node->n_exprs; i++)
    if (varies(node->exprs[i])) return true;
  return pattern_varies(node->left) || pattern_varies(node->right);
}

/* Has it another value each time? Then it matters how many rows it is asked in. */
static bool
varies(const sparql_expr *e)
{
  if (e->op == EXPR_BUILTIN && (e->builtin == FN_RAND || e->builtin == FN_UUID ||
                                e->builtin == FN_STRUUID || e->builtin == FN_BNODE))
    return true;
  for (size_t i = 0; i < e->n_args; i++)
    if (varies(e->args[i])) return true;
  return pattern_varies(e->pattern);
}

static bool
is_var(const sparql_expr *e, sparql_var var)
{
  return e->op == EXPR_VAR && e->var == var;
}

/* `?item != ?query`, `!(?item = ?query)`, `!sameTerm(?item, ?query)`: of subjects, which have
 * vectors, all say the same. */
static bool
says_not_itself(const sparql_expr *e, sparql_var item, sparql_var query)
{
  bool equal = e->op == EXPR_NOT;
  if (equal) e = e->args[0];
  bool same = e->op == EXPR_EQ || (e->op == EXPR_BUILTIN && e->builtin == FN_SAMETERM);
  if (e->n_args != 2 || (equal ? !same : e->op != EXPR_NE)) return false;
  return (is_var(e->args[0], item) && is_var(e->args[1], query)) ||
         (is_var(e->args[0], query) && is_var(e->args[1], item));
}

/* ---- what belongs together --------------------------------------------------------------------
 */

typedef struct split {
  plan_group *g;
  var_word *with;               /* the item, and all that is connected with it */
  var_word **step_vars;         /* of each step */
  bool *member, *step, *filter; /* with the item */
  bool *skip;                   /* filters that say that the query is no item */
} split;

static quoin_status
step_vars(var_word **out, plan_group *g, const plan_step *step, quoin_error *err)
{
  planner *p = g->p;
  const node_info *right;
  quoin_status st = plan_set_make(out, p, err);
  for (size_t i = 0; !st && i < step->node->n_exprs; i++)
    st = plan_set_expr(*out, p, step->node->exprs[i], err);
  if (st || (st = plan_step_info(&right, p, step->node, err))) return st;
  if (right) plan_set_unite(p, *out, right->maybe);
  if (step->node->op == ALGEBRA_EXTEND) plan_set_add(*out, step->node->var);
  if (step->graph->scope == QUAD_NAMED && step->graph->graph.var != SPARQL_NO_VAR)
    plan_set_add(*out, step->graph->graph.var);
  for (size_t i = 0; p->frame && i < p->frame->n; i++) {
    sparql_var v = p->frame->param[i]->var;
    (*out)[v / 64] &= ~(UINT64_C(1) << v % 64);
  }
  return QUOIN_OK;
}

static quoin_status
make_split(split *s, plan_group *g, sparql_var item, sparql_var query, quoin_error *err)
{
  base_arena *arena = &g->p->ctx->arena;
  *s = (split){.g = g,
               .step_vars = base_arena_new_zero(arena, g->n_steps + 1, sizeof(*s->step_vars)),
               .member = base_arena_new_zero(arena, g->n_members + 1, sizeof(bool)),
               .step = base_arena_new_zero(arena, g->n_steps + 1, sizeof(bool)),
               .filter = base_arena_new_zero(arena, g->n_filters + 1, sizeof(bool)),
               .skip = base_arena_new_zero(arena, g->n_filters + 1, sizeof(bool))};
  if (!s->step_vars || !s->member || !s->step || !s->filter || !s->skip)
    return base_fail_nomem(err);
  quoin_status st = plan_set_make(&s->with, g->p, err);
  for (size_t i = 0; !st && i < g->n_steps; i++)
    st = step_vars(&s->step_vars[i], g, &g->steps[i], err);
  if (st) return st;
  for (size_t i = 0; i < g->n_filters; i++)
    s->skip[i] = says_not_itself(g->filters[i].expr, item, query);
  plan_set_add(s->with, item);
  return QUOIN_OK;
}

static bool
take(split *s, bool *taken, const var_word *vars)
{
  if (*taken || !plan_set_meets(s->g->p, s->with, vars)) return false;
  plan_set_unite(s->g->p, s->with, vars);
  return *taken = true;
}

/* All that is connected with the item, one way or another. */
static void
connect(split *s)
{
  plan_group *g = s->g;
  for (bool more = true; more;) {
    more = false;
    for (size_t i = 0; i < g->n_members; i++)
      more |= take(s, &s->member[i], g->members[i].maybe);
    for (size_t i = 0; i < g->n_steps; i++)
      more |= take(s, &s->step[i], s->step_vars[i]);
    for (size_t i = 0; i < g->n_filters; i++)
      more |= !s->skip[i] && take(s, &s->filter[i], g->filters[i].vars);
  }
}

/* A group that may be taken apart at all. */
static bool
is_separable(const plan_group *g)
{
  for (size_t i = 0; i < g->n_steps; i++) {
    const sparql_algebra *node = g->steps[i].node;
    if (node->op == ALGEBRA_SERVICE) return false; /* what comes before it is sent */
    for (size_t e = 0; e < node->n_exprs; e++)
      if (varies(node->exprs[e])) return false;
  }
  for (size_t i = 0; i < g->n_filters; i++)
    if (varies(g->filters[i].expr)) return false;
  return true;
}

/* Is the item bound by a part of its own? A filter alone binds nothing. */
static bool
is_apart(const split *s, sparql_var query)
{
  bool bound = false;
  for (size_t i = 0; i < s->g->n_members; i++)
    bound |= s->member[i];
  return bound && !plan_set_has(s->with, query);
}

/* The members, steps and filters that are, or are not, with the item. */
static quoin_status
part_of(plan_group *out, const split *s, bool with, quoin_error *err)
{
  const plan_group *g = s->g;
  base_arena *arena = &g->p->ctx->arena;
  *out = *g;
  out->n_members = out->n_steps = out->n_filters = 0;
  out->members = base_arena_new(arena, g->n_members + 1, sizeof(*out->members));
  out->steps = base_arena_new(arena, g->n_steps + 1, sizeof(*out->steps));
  out->filters = base_arena_new(arena, g->n_filters + 1, sizeof(*out->filters));
  if (!out->members || !out->steps || !out->filters) return base_fail_nomem(err);
  for (size_t i = 0; i < g->n_members; i++)
    if (s->member[i] == with) out->members[out->n_members++] = g->members[i];
  for (size_t i = 0; i < g->n_steps; i++)
    if (s->step[i] == with) out->steps[out->n_steps++] = g->steps[i];
  for (size_t i = 0; i < g->n_filters; i++) {
    if (s->filter[i] != with || s->skip[i]) continue;
    plan_filter *f = &out->filters[out->n_filters++];
    *f = g->filters[i];
    f->after = 0;
    for (size_t step = 0; step < g->filters[i].after; step++)
      f->after += s->step[step] == with;
  }
  out->members_cap = g->n_members + 1;
  out->steps_cap = g->n_steps + 1;
  out->filters_cap = g->n_filters + 1;
  return QUOIN_OK;
}

quoin_status
plan_group_split(sparql_operator **items, sparql_operator **queries, bool *not_itself, planner *p,
                 const sparql_algebra *node, const sparql_active_graph *graph, const bool *need,
                 sparql_var item, sparql_var query, quoin_error *err)
{
  plan_group g, part;
  split s;
  quoin_status st = plan_group_gather(&g, p, node, graph, need, UINT64_MAX, NULL, NULL, 0, err);
  *queries = NULL;
  *not_itself = false;
  if (st || !is_separable(&g)) return st ? st : plan_group_build(items, &g, need, err);
  if ((st = make_split(&s, &g, item, query, err))) return st;
  connect(&s);
  if (!is_apart(&s, query)) return plan_group_build(items, &g, need, err);
  for (size_t i = 0; i < g.n_filters; i++)
    *not_itself |= s.skip[i];
  if ((st = part_of(&part, &s, true, err))) return st;
  if ((st = plan_group_build(items, &part, need, err))) return st;
  if ((st = part_of(&part, &s, false, err))) return st;
  return plan_group_build(queries, &part, need, err);
}
