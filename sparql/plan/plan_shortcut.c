/* sparql/plan/plan_shortcut.c - counts and distinct values that the index knows without a scan. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

/* The one triple pattern that `node` consists of, in its graph; false when it is anything else, or
 * when its rows are not rows of the index one to one. */
static quoin_status
one_pattern(bool *is, scan_spec *spec, planner *p, const sparql_algebra *node,
            const sparql_active_graph *graph, quoin_error *err)
{
  quoin_status st;
  sparql_active_graph inner;
  *is = false;
  if (p->frame != p->executor->frame) return QUOIN_OK; /* values change from run to run */
  if (node->op == ALGEBRA_GRAPH && node->left->op == ALGEBRA_BGP) {
    if ((st = plan_graph_scope(&inner, p, node, err))) return st;
    graph = &inner;
    node = node->left;
  }
  if (node->op != ALGEBRA_BGP || node->n_triples != 1) return QUOIN_OK;
  const sparql_triple *triple = &node->triples[0];
  sparql_operator *several;
  if ((st = plan_spelled_scan(&several, &triple, p, graph, err)) || several) return st;
  if ((st = scan_spec_make(spec, p->ctx, triple, graph, p->frame, err))) return st;
  for (unsigned i = 0; i < 4; i++)
    for (unsigned j = i + 1; j < 4; j++)
      if (spec->at[i].kind == SCAN_VAR && spec->at[j].kind == SCAN_VAR &&
          spec->at[i].var == spec->at[j].var)
        return QUOIN_OK;
  *is = !spec->graphs && !spec->skip_graph.bits && !spec->empty;
  return QUOIN_OK;
}

static bool
has_var(const scan_spec *spec, sparql_var var)
{
  for (unsigned i = 0; i < 4; i++)
    if (spec->at[i].kind == SCAN_VAR && spec->at[i].var == var) return true;
  return false;
}

/* COUNT(*), or COUNT(?v) of a variable of the pattern: the number of rows. */
static bool
counts_rows(const sparql_expr *expr, const scan_spec *spec)
{
  if (expr->aggregate != AGG_COUNT || expr->distinct) return false;
  return expr->n_args == 0 || (expr->args[0]->op == EXPR_VAR && has_var(spec, expr->args[0]->var));
}

static quoin_status
count_all(sparql_operator **out, planner *p, const sparql_algebra *node, const scan_spec *spec,
          quoin_error *err)
{
  quad_pattern pattern;
  uint64_t count = 0;
  quoin_status st = QUOIN_OK;
  if (scan_spec_pattern(&pattern, spec)) st = quad_count(&count, p->ctx->snapshot, &pattern, err);
  if (st) return st;
  sparql_var *vars = base_arena_new(&p->ctx->arena, node->n_aggregates, sizeof(*vars));
  atom_id *values = base_arena_new(&p->ctx->arena, node->n_aggregates, sizeof(*values));
  if (!vars || !values) return base_fail_nomem(err);
  for (size_t i = 0; i < node->n_aggregates; i++) {
    vars[i] = node->aggregates[i].var;
    values[i] = atom_inline_integer((int64_t)count);
  }
  st = sparql_row_make(out, p->ctx, vars, values, node->n_aggregates, "count from the index", err);
  return plan_made(p, st, *out, err);
}

/* A skip scan over `var`, if an order groups its values. */
static quoin_status
skip_over(sparql_operator **out, planner *p, const scan_spec *spec, sparql_var var,
          sparql_var count, quoin_error *err)
{
  if (!has_var(spec, var)) return QUOIN_OK;
  quad_order order = scan_spec_order(spec, p->orders, &var, 1);
  if (scan_spec_sorted(spec, order) != var) return QUOIN_OK;
  quoin_status st = sparql_skip_scan_make(out, p->ctx, spec, order, var, count, p->frame, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_shortcut_group(sparql_operator **out, planner *p, const sparql_algebra *node,
                    const sparql_active_graph *graph, quoin_error *err)
{
  scan_spec spec;
  bool is;
  *out = NULL;
  quoin_status st = one_pattern(&is, &spec, p, node->left, graph, err);
  if (st || !is || node->n_aggregates == 0) return st;
  bool all = !spec.distinct;
  for (size_t i = 0; i < node->n_aggregates; i++)
    all = all && counts_rows(node->aggregates[i].expr, &spec);
  if (all && node->n_keys == 0) return count_all(out, p, node, &spec, err);
  if (all && node->n_keys == 1 && node->n_aggregates == 1 && !node->keys[0].expr)
    return skip_over(out, p, &spec, node->keys[0].var, node->aggregates[0].var, err);
  const sparql_expr *expr = node->aggregates[0].expr;
  if (node->n_keys || node->n_aggregates != 1 || expr->aggregate != AGG_COUNT || !expr->distinct ||
      expr->n_args != 1 || expr->args[0]->op != EXPR_VAR)
    return QUOIN_OK;
  sparql_operator *values = NULL;
  st = skip_over(&values, p, &spec, expr->args[0]->var, SPARQL_NO_VAR, err);
  if (st || !values) return st;
  st = sparql_group_new(out, p->ctx, values, node, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_shortcut_distinct(sparql_operator **out, planner *p, const sparql_algebra *node,
                       const sparql_active_graph *graph, quoin_error *err)
{
  scan_spec spec;
  bool is;
  const sparql_algebra *project = node->left;
  *out = NULL;
  if (project->op != ALGEBRA_PROJECT || project->n_vars != 1) return QUOIN_OK;
  /* Inside GRAPH ?g the name of the graph belongs to the row. */
  if (graph->scope == QUAD_NAMED && graph->graph.var != SPARQL_NO_VAR) return QUOIN_OK;
  quoin_status st = one_pattern(&is, &spec, p, project->left, graph, err);
  if (st || !is) return st;
  return skip_over(out, p, &spec, project->vars[0], SPARQL_NO_VAR, err);
}
