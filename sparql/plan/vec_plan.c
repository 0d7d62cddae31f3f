/* sparql/plan/vec_plan.c - where vec:nearest stands in a plan: over the whole of its group. */
#include "sparql/operators/graph_scan.h"
#include "sparql/operators/vec_query.h"
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

/* ---- between the query and its vectors --------------------------------------------------------
 */

static quoin_status
find_term(atom_id *out, void *user, const rdf_term *term, quoin_error *err)
{
  sparql_context *ctx = user;
  quoin_status st = sparql_intern(out, ctx, term, err);
  if (!st && !sparql_id_is_stored(ctx, *out)) *out = ATOM_NONE_ID;
  return st;
}

static quoin_status
read_term(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  return sparql_term(out, user, id, arena, err);
}

static bool
local_vector(const float **out, uint32_t *dimension, void *user, atom_id id)
{
  const sparql_context *ctx = user;
  return atom_local_vector(out, dimension, ctx->local, id);
}

vec_terms
sparql_vec_terms(sparql_context *ctx)
{
  return (vec_terms){.user = ctx, .find = find_term, .read = read_term, .vector = local_vector};
}

quoin_status
sparql_vec_graphs(vec_graphs *out, sparql_context *ctx, const sparql_active_graph *active,
                  atom_id name, quoin_error *err)
{
  sparql_graph graph;
  quoin_status st = sparql_graph_init(&graph, ctx, active, name, err);
  if (st) return st;
  *out = (vec_graphs){.scope = graph.scope,
                      .graph = graph.name,
                      .merged = graph.merged,
                      .n_merged = graph.n_merged,
                      .skip = graph.skip,
                      .empty = graph.empty};
  if (graph.name.bits) { /* one graph: no merge to look through */
    out->merged = NULL;
    out->skip = ATOM_NONE_ID;
  }
  return QUOIN_OK;
}

/* Without FROM; WITH of an update says another default graph, so that the store's is not seen. */
static quoin_status
all_graphs(vec_graphs *out, sparql_context *ctx, quoin_error *err)
{
  const sparql_query *query = ctx->query;
  out->scope = query->with ? QUAD_NAMED : QUAD_ANY;
  return sparql_system_graph(&out->skip, ctx, err);
}

quoin_status
sparql_vec_dataset(const vec_graphs **out, sparql_context *ctx, quoin_error *err)
{
  const sparql_query *query = ctx->query;
  size_t n = query->n_from + query->n_from_named;
  atom_id *ids;
  quoin_status st;
  *out = ctx->dataset;
  if (*out) return QUOIN_OK;
  vec_graphs *graphs = base_arena_new_zero(&ctx->arena, 1, sizeof(*graphs));
  rdf_term *terms = base_arena_new(&ctx->arena, n + 1, sizeof(*terms));
  if (!graphs || !terms) return base_fail_nomem(err);
  if (query->has_dataset) {
    if (query->n_from) memcpy(terms, query->from, query->n_from * sizeof(*terms));
    if (query->n_from_named)
      memcpy(terms + query->n_from, query->from_named, query->n_from_named * sizeof(*terms));
    graphs->scope = QUAD_NAMED;
    st = sparql_graph_set(&ids, &graphs->n_merged, ctx, terms, n, err);
    if (!st) graphs->merged = ids;
  } else {
    st = all_graphs(graphs, ctx, err);
  }
  if (!st) *out = ctx->dataset = graphs;
  return st;
}

quoin_status
sparql_vec_index(vec_declaration *out, sparql_context *ctx, const sparql_algebra *node,
                 quoin_error *err)
{
  bool found = false;
  atom_id predicate;
  const rdf_term *name = &node->node.term;
  vec_terms terms = sparql_vec_terms(ctx);
  quoin_status st = find_term(&predicate, ctx, name, err);
  if (!st) st = vec_declaration_find(out, &found, ctx->snapshot, &terms, predicate, ctx->mem, err);
  if (st || found) return st;
  return base_fail_pos(err, QUOIN_ERR_NOT_FOUND, NULL, node->line, node->column,
                       "no vector index is declared over <%.*s>",
                       (int)(name->value.len < 200 ? name->value.len : 200), name->value.ptr);
}

/* ---- the plan ---------------------------------------------------------------------------------
 */

static bool
is_const(const sparql_node *node)
{
  return node->var == SPARQL_NO_VAR;
}

static quoin_status
check_query(const sparql_algebra *node, sparql_context *ctx, const sparql_operator *child,
            quoin_error *err)
{
  if (is_const(&node->object) || child->maybe[node->object.var]) return QUOIN_OK;
  quoin_span name = ctx->query->vars[node->object.var];
  if (!name.len)
    return base_fail_pos(err, QUOIN_ERR_SYNTAX, NULL, node->line, node->column,
                         "vec:nearest to a blank node that nothing in its group binds");
  return base_fail_pos(err, QUOIN_ERR_SYNTAX, NULL, node->line, node->column,
                       "vec:nearest to ?%.*s: nothing in its group binds the variable; what "
                       "binds it belongs into the same braces (of SERVICE vec:search: its own)",
                       (int)(name.len < 80 ? name.len : 80), name.ptr);
}

/* ---- the item, where nothing else binds it ----------------------------------------------------
 */

typedef struct item_use {
  sparql_var item;
  bool *bits; /* [n_vars + 1] to work with */
  uint32_t line, column;
} item_use;

/* Does `e` read the item, but to ask whether it is bound? */
static bool
expr_uses(item_use *use, const sparql_expr *e)
{
  if (e->op == EXPR_BUILTIN && e->builtin == FN_BOUND) return false;
  for (size_t i = 0; i < e->n_args; i++)
    if (expr_uses(use, e->args[i])) return true;
  use->bits[use->item] = false;
  if (e->op == EXPR_VAR || e->pattern) sparql_expr_vars(e, use->bits);
  use->line = e->line;
  use->column = e->column;
  return use->bits[use->item];
}

/* Do the FILTERs and the like of a group, or what MINUS takes away? Names inside SERVICE are for
 * somebody else. */
static bool
group_uses(item_use *use, const sparql_algebra *node)
{
  if (!node || node->op == ALGEBRA_SERVICE) return false;
  for (size_t i = 0; i < node->n_exprs; i++)
    if (expr_uses(use, node->exprs[i])) return true;
  if (group_uses(use, node->left)) return true;
  if (node->op != ALGEBRA_MINUS) return group_uses(use, node->right);
  use->bits[use->item] = false;
  sparql_algebra_vars(node->right, use->bits);
  use->line = node->line;
  use->column = node->column;
  return use->bits[use->item];
}

/* An item that nothing else in the group binds is unbound in all of the group, which is what the
 * search is of: a FILTER there that asks for its value could only fail, in every row. */
static quoin_status
check_item(planner *p, const sparql_algebra *node, quoin_error *err)
{
  const node_info *info;
  item_use use = {.item = node->subject.var};
  if (use.item == SPARQL_NO_VAR || sparql_frame_find(p->frame, use.item)) return QUOIN_OK;
  quoin_status st = plan_node_info(&info, p, node->left, err);
  if (st || plan_set_has(info->maybe, use.item)) return st;
  if (!(use.bits = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(bool))))
    return base_fail_nomem(err);
  if (!group_uses(&use, node->left)) return QUOIN_OK;
  quoin_span name = p->ctx->query->vars[use.item];
  return base_fail_pos(err, QUOIN_ERR_SYNTAX, NULL, use.line, use.column,
                       "found ?%.*s in use beside the vec:nearest that alone binds it, expected it "
                       "outside of the braces around the search: wrap vec:nearest in { }",
                       (int)(name.len < 80 ? name.len : 80), name.ptr);
}

/* Nodes that become a group of the planner. */
static bool
is_group(const sparql_algebra *node)
{
  return node->op == ALGEBRA_JOIN || node->op == ALGEBRA_BGP || node->op == ALGEBRA_FILTER ||
         node->op == ALGEBRA_EXTEND || node->op == ALGEBRA_LEFT_JOIN || node->op == ALGEBRA_MINUS;
}

/* The rows of the group: *queries is NULL unless they are the product of both. */
static quoin_status
plan_rows(sparql_operator **items, sparql_operator **queries, bool *not_itself, planner *p,
          const sparql_algebra *node, const sparql_active_graph *graph, const bool *need,
          quoin_error *err)
{
  sparql_var item = node->subject.var, query = node->object.var;
  *queries = NULL;
  *not_itself = false;
  if (p->plain || item == SPARQL_NO_VAR || query == SPARQL_NO_VAR || !is_group(node->left) ||
      sparql_frame_find(p->frame, item) || sparql_frame_find(p->frame, query))
    return plan_node(items, p, node->left, graph, need, UINT64_MAX, err);
  return plan_group_split(items, queries, not_itself, p, node->left, graph, need, item, query, err);
}

quoin_status
plan_nearest(sparql_operator **out, planner *p, const sparql_algebra *node,
             const sparql_active_graph *graph, const bool *need, quoin_error *err)
{
  nearest_options options = {.node = node, .graph = graph, .frame = p->frame};
  sparql_operator *child, *queries;
  bool *below;
  quoin_status st = sparql_vec_index(&options.index, p->ctx, node, err);
  if (!st) st = check_item(p, node, err);
  if (st || (st = plan_need_copy(&below, p, need, err))) return st;
  if (!is_const(&node->subject)) below[node->subject.var] = true;
  if (!is_const(&node->object)) below[node->object.var] = true;
  st = plan_rows(&child, &queries, &options.not_itself, p, node, graph, below, err);
  if (st || (st = check_query(node, p->ctx, queries ? queries : child, err))) return st;
  quad_pattern all = {.scope = QUAD_ANY};
  all.match.term[QUAD_P] = options.index.predicate;
  if ((st = sparql_reads(p->ctx, &all, err))) return st;
  if ((st = quad_count(&options.vectors, p->ctx->snapshot, &all, err))) return st;
  st = sparql_nearest_make(out, p->ctx, child, queries, &options, err);
  return plan_made(p, st, *out, err);
}
