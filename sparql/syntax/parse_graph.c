/* sparql/syntax/parse_graph.c - GRAPH, and what its variable means inside.
 *
 * Graph(?g, P) evaluates P in each named graph and then joins with ?g (section 18.6): inside P, ?g
 * is a variable like any other, and not yet bound. Mostly that makes no difference, and it is far
 * cheaper to know ?g at once. So the variable gets an index of its own while P is read. Where it
 * turns out to make no difference the index becomes an alias of ?g; else it stays a variable apart,
 * and a filter behind GRAPH says that the two are the same where both are bound. */
#include "sparql/syntax/parse.h"

#include "base/poison.h"

/* ---- where a variable stands
 * ------------------------------------------------------------------------------- */

/* Variables of a sub-SELECT that are projected are aliases, not yet resolved. */
static bool
is_same(const sparql_parser *p, sparql_var a, sparql_var var)
{
  while (a != SPARQL_NO_VAR && p->vars[a].alias != SPARQL_NO_VAR)
    a = p->vars[a].alias;
  return a == var;
}

bool
parse_expr_mentions(const sparql_parser *p, const sparql_expr *e, sparql_var var)
{
  if (e->op == EXPR_VAR && is_same(p, e->var, var)) return true;
  for (size_t i = 0; i < e->n_args; i++)
    if (parse_expr_mentions(p, e->args[i], var)) return true;
  return e->pattern && parse_mentions(p, e->pattern, var);
}

static bool
exprs_mention(const sparql_parser *p, const sparql_algebra *node, sparql_var var)
{
  for (size_t i = 0; i < node->n_exprs; i++)
    if (parse_expr_mentions(p, node->exprs[i], var)) return true;
  return false;
}

/* Among the triples, the ends of a path, the columns of VALUES, or the name of a graph. */
static bool
binds(const sparql_parser *p, const sparql_algebra *node, sparql_var var)
{
  for (size_t i = 0; i < node->n_triples; i++)
    if (is_same(p, node->triples[i].subject.var, var) ||
        is_same(p, node->triples[i].predicate.var, var) ||
        is_same(p, node->triples[i].object.var, var))
      return true;
  for (size_t i = 0; i < node->n_vars; i++)
    if (is_same(p, node->vars[i], var)) return true;
  return is_same(p, node->subject.var, var) || is_same(p, node->object.var, var) ||
         is_same(p, node->node.var, var);
}

bool
parse_mentions(const sparql_parser *p, const sparql_algebra *node, sparql_var var)
{
  if (is_same(p, node->var, var) || binds(p, node, var) || exprs_mention(p, node, var)) return true;
  for (size_t i = 0; i < node->n_keys; i++)
    if (is_same(p, node->keys[i].var, var) ||
        (node->keys[i].expr && parse_expr_mentions(p, node->keys[i].expr, var)))
      return true;
  for (size_t i = 0; i < node->n_aggregates; i++)
    if (parse_expr_mentions(p, node->aggregates[i].expr, var)) return true;
  for (size_t i = 0; i < node->n_order; i++)
    if (parse_expr_mentions(p, node->order[i].expr, var)) return true;
  return (node->left && parse_mentions(p, node->left, var)) ||
         (node->right && parse_mentions(p, node->right, var));
}

/* Is the variable bound in every solution? May say no where the answer is yes. */
static bool
is_certain(const sparql_parser *p, const sparql_algebra *node, sparql_var var)
{
  switch (node->op) {
  case ALGEBRA_BGP:
  case ALGEBRA_PATH:
    return binds(p, node, var);
  case ALGEBRA_VALUES:
    for (size_t c = 0; c < node->n_vars; c++) {
      if (!is_same(p, node->vars[c], var)) continue;
      for (size_t r = 0; r < node->n_rows; r++)
        if (node->values[r * node->n_vars + c].kind == RDF_NONE) return false;
      return true;
    }
    return false;
  case ALGEBRA_JOIN:
    return is_certain(p, node->left, var) || is_certain(p, node->right, var);
  case ALGEBRA_UNION:
    return is_certain(p, node->left, var) && is_certain(p, node->right, var);
  case ALGEBRA_MINUS:
  case ALGEBRA_LEFT_JOIN:
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
    return is_certain(p, node->left, var);
  case ALGEBRA_GRAPH:
    return is_same(p, node->node.var, var) || is_certain(p, node->left, var);
  case ALGEBRA_NEAREST:
    return is_same(p, node->subject.var, var) || is_same(p, node->var, var) ||
           is_certain(p, node->left, var);
  case ALGEBRA_UNIT:
  case ALGEBRA_GROUP:
  case ALGEBRA_ORDER:
  case ALGEBRA_PROJECT:
  case ALGEBRA_DISTINCT:
  case ALGEBRA_REDUCED:
  case ALGEBRA_SLICE:
  case ALGEBRA_SERVICE:
    break;
  }
  return false;
}

/* Does it make no difference whether the variable has its value before `node` is evaluated, or is
 * joined with it after? */
static bool
may_know_early(const sparql_parser *p, const sparql_algebra *node, sparql_var var)
{
  switch (node->op) {
  case ALGEBRA_UNIT:
  case ALGEBRA_BGP:
  case ALGEBRA_PATH:
  case ALGEBRA_VALUES:
    return true;
  case ALGEBRA_JOIN:
  case ALGEBRA_UNION:
    return may_know_early(p, node->left, var) && may_know_early(p, node->right, var);
  case ALGEBRA_GRAPH:
    return may_know_early(p, node->left, var);
  case ALGEBRA_FILTER:
  case ALGEBRA_EXTEND:
    return !is_same(p, node->var, var) && may_know_early(p, node->left, var) &&
           (!exprs_mention(p, node, var) || is_certain(p, node->left, var));
  case ALGEBRA_LEFT_JOIN:
  case ALGEBRA_MINUS:
    if (!may_know_early(p, node->left, var)) return false;
    if (!parse_mentions(p, node->right, var) && !exprs_mention(p, node, var)) return true;
    return is_certain(p, node->left, var) && may_know_early(p, node->right, var);
  case ALGEBRA_GROUP:
  case ALGEBRA_ORDER:
  case ALGEBRA_PROJECT:
  case ALGEBRA_DISTINCT:
  case ALGEBRA_REDUCED:
  case ALGEBRA_SLICE:
  case ALGEBRA_SERVICE:
  case ALGEBRA_NEAREST:
    break;
  }
  return !parse_mentions(p, node, var);
}

/* ---- GRAPH
 * -----------------------------------------------------------------------------------------------
 */

static sparql_expr *
var_expr(sparql_parser *p, sparql_var var, const sparql_token *at)
{
  sparql_expr *e = parse_new_expr(p, EXPR_VAR, at);
  if (e) e->var = var;
  return e;
}

static sparql_expr *
call_expr(sparql_parser *p, sparql_op op, sparql_builtin fn, sparql_expr *a, sparql_expr *b,
          const sparql_token *at)
{
  sparql_expr *e = a ? parse_new_expr(p, op, at) : NULL;
  size_t cap = 0;
  if (!e || !PARSE_PUSH(p, e->args, e->n_args, cap, a)) return NULL;
  if (b && !PARSE_PUSH(p, e->args, e->n_args, cap, b)) return NULL;
  e->builtin = fn;
  return parse_close_expr(p, e) ? e : NULL;
}

/* FILTER(!BOUND(inner) || SAMETERM(inner, outer)) over `left`. */
static sparql_algebra *
same_if_bound(sparql_parser *p, sparql_algebra *left, sparql_var inner, sparql_var outer,
              const sparql_token *at)
{
  sparql_expr *bound = call_expr(p, EXPR_BUILTIN, FN_BOUND, var_expr(p, inner, at), NULL, at);
  sparql_expr *unbound = call_expr(p, EXPR_NOT, FN_STR, bound, NULL, at);
  sparql_expr *y = var_expr(p, outer, at);
  sparql_expr *same =
      y ? call_expr(p, EXPR_BUILTIN, FN_SAMETERM, var_expr(p, inner, at), y, at) : NULL;
  sparql_expr *either = same ? call_expr(p, EXPR_OR, FN_STR, unbound, same, at) : NULL;
  sparql_algebra *node = either ? parse_new_node(p, ALGEBRA_FILTER, at) : NULL;
  size_t cap = 0;
  if (!node || !PARSE_PUSH(p, node->exprs, node->n_exprs, cap, either)) return NULL;
  node->left = left;
  return parse_close_node(p, node) ? node : NULL;
}

static sparql_algebra *
graph_node_over(sparql_parser *p, const sparql_node *name, sparql_algebra *left,
                const sparql_token *at)
{
  sparql_algebra *node = parse_unary_node(p, ALGEBRA_GRAPH, left, at);
  if (node) node->node = *name;
  return node;
}

sparql_algebra *
parse_graph_pattern(sparql_parser *p)
{
  sparql_token at = p->token, name_at;
  sparql_node name;
  sparql_var inner;
  if (!parse_advance(p)) return NULL;
  name_at = p->token;
  if (!parse_var_or_iri(p, &name)) return NULL;
  if (name.var == SPARQL_NO_VAR) return graph_node_over(p, &name, parse_group(p), &at);
  if (!parse_see(p, name.var) || !parse_hidden_var(p, &inner)) return NULL;
  p->vars[inner].unseen = true;
  if (!name_map_set(&p->scope->names, name_at.value, inner, p->arena)) return parse_nomem(p), NULL;
  sparql_algebra *left = parse_group(p);
  if (!left) return NULL;
  if (!name_map_set(&p->scope->names, name_at.value, name.var, p->arena))
    return parse_nomem(p), NULL;
  bool used = parse_mentions(p, left, inner);
  sparql_algebra *node = graph_node_over(p, &name, left, &at);
  if (!node || !used) return node;
  if (!may_know_early(p, left, inner)) return same_if_bound(p, node, inner, name.var, &at);
  p->vars[inner].alias = name.var;
  p->aliased = true;
  return node;
}
