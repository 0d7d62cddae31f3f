/* sparql/plan/plan_plain.c - the planner with the optimiser off: section 18 as written. Tests
 * compare the two. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

static quoin_status
plain_join(sparql_operator **out, planner *p, sparql_operator *left, sparql_operator *right,
           join_mode mode, const sparql_algebra *node, const sparql_active_graph *graph,
           quoin_error *err)
{
  hash_join_options options = {.mode = mode, .graph = SPARQL_NO_VAR};
  if (mode == JOIN_LEFT) {
    options.conditions = node->exprs;
    options.n_conditions = node->n_exprs;
  }
  if (mode == JOIN_MINUS && graph->scope == QUAD_NAMED) options.graph = graph->graph.var;
  quoin_status st = QUOIN_OK;
  if (mode == JOIN_MINUS) st = plan_minus_overlap(&options.overlap, p, node, options.graph, err);
  if (st) return st;
  st = sparql_hash_join_make(out, p->ctx, left, right, &options, NULL, p->frame, err);
  return plan_made(p, st, *out, err);
}

static quoin_status
plain_bgp(sparql_operator **out, planner *p, const sparql_algebra *node,
          const sparql_active_graph *graph, quoin_error *err)
{
  quoin_status st = sparql_unit_make(out, p->ctx, p->frame, err);
  if ((st = plan_made(p, st, *out, err))) return st;
  for (size_t i = 0; i < node->n_triples; i++) {
    scan_spec spec;
    sparql_operator *scan;
    const sparql_triple *triple = &node->triples[i];
    if ((st = plan_spelled_scan(&scan, &triple, p, graph, err))) return st;
    if (!scan) {
      if ((st = scan_spec_make(&spec, p->ctx, triple, graph, p->frame, err))) return st;
      st = sparql_scan_make(&scan, p->ctx, &spec, scan_spec_order(&spec, p->orders, NULL, 0), NULL,
                            NULL, 0, p->frame, false, err);
      if ((st = plan_made(p, st, scan, err))) return st;
    }
    if ((st = plain_join(out, p, *out, scan, JOIN_INNER, node, graph, err))) return st;
  }
  return QUOIN_OK;
}

static quoin_status
plain_sides(sparql_operator **out, planner *p, const sparql_algebra *node,
            const sparql_active_graph *graph, join_mode mode, quoin_error *err)
{
  sparql_operator *left, *right;
  const sparql_algebra *first = node->left, *second = node->right;
  if (mode == JOIN_INNER && first->op == ALGEBRA_SERVICE && plan_service_waits(p, first)) {
    first = node->right;
    second = node->left;
  }
  quoin_status st = plan_node(&left, p, first, graph, NULL, UINT64_MAX, err);
  if (!st && mode != JOIN_MINUS && second->op == ALGEBRA_SERVICE && plan_service_waits(p, second)) {
    for (size_t i = 0; !st && i < node->n_exprs; i++)
      st = plan_expr(p, node->exprs[i], graph, err);
    const hash_join_options join = {.mode = mode,
                                    .conditions = node->exprs,
                                    .n_conditions = mode == JOIN_LEFT ? node->n_exprs : 0,
                                    .graph = SPARQL_NO_VAR};
    return st ? st : plan_service_join(out, p, left, second, join, NULL, err);
  }
  if (!st) st = plan_node(&right, p, node->right, graph, NULL, UINT64_MAX, err);
  for (size_t i = 0; !st && i < node->n_exprs; i++)
    st = plan_expr(p, node->exprs[i], graph, err);
  return st ? st : plain_join(out, p, left, right, mode, node, graph, err);
}

quoin_status
plan_plain_node(sparql_operator **out, planner *p, const sparql_algebra *node,
                const sparql_active_graph *graph, quoin_error *err)
{
  quoin_status st;
  sparql_operator *child = NULL;
  switch (node->op) {
  case ALGEBRA_BGP:
    return plain_bgp(out, p, node, graph, err);
  case ALGEBRA_PATH:
    if ((st = plan_spelled_path(out, p, node, graph, err)) || *out) return st;
    if (p->frame) {
      st = sparql_unit_make(&child, p->ctx, p->frame, err);
      if ((st = plan_made(p, st, child, err))) return st;
    }
    st = sparql_path_new(out, p->ctx, child, node, graph, err);
    break;
  case ALGEBRA_JOIN:
    return plain_sides(out, p, node, graph, JOIN_INNER, err);
  case ALGEBRA_LEFT_JOIN:
    return plain_sides(out, p, node, graph, JOIN_LEFT, err);
  case ALGEBRA_MINUS:
    return plain_sides(out, p, node, graph, JOIN_MINUS, err);
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
    if ((st = plan_node(&child, p, node->left, graph, NULL, UINT64_MAX, err))) return st;
    if ((st = plan_show_frame(&child, p, err))) return st;
    for (size_t i = 0; i < node->n_exprs; i++)
      if ((st = plan_expr(p, node->exprs[i], graph, err))) return st;
    st = node->op == ALGEBRA_FILTER
             ? sparql_filter_new(out, p->ctx, child, node->exprs, node->n_exprs, err)
             : sparql_extend_new(out, p->ctx, child, node->var, node->exprs[0], err);
    break;
  default:
    st = sparql_unit_make(out, p->ctx, p->frame, err);
    break;
  }
  return plan_made(p, st, *out, err);
}
