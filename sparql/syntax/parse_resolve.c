/* sparql/syntax/parse_resolve.c - outer variables in the place of their aliases.
 *
 * The variables that a sub-SELECT projects are known only at its end. One walk over the whole query
 * then costs less than one for each level. Recursion is bounded by SPARQL_MAX_HEIGHT. */
#include "sparql/syntax/parse.h"

#include "base/poison.h"

static void
resolve(sparql_parser *p, sparql_var *var)
{
  if (*var == SPARQL_NO_VAR) return;
  sparql_var last = *var;
  while (p->vars[last].alias != SPARQL_NO_VAR)
    last = p->vars[last].alias;
  /* All on the way point at the end from now on. */
  for (sparql_var at = *var; at != last;) {
    sparql_var next = p->vars[at].alias;
    p->vars[at].alias = last;
    at = next;
  }
  *var = last;
}

static void
resolve_vars(sparql_parser *p, sparql_var *vars, size_t n)
{
  for (size_t i = 0; i < n; i++)
    resolve(p, &vars[i]);
}

void
parse_resolve_triples(sparql_parser *p, sparql_triple *triples, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    resolve(p, &triples[i].subject.var);
    resolve(p, &triples[i].predicate.var);
    resolve(p, &triples[i].object.var);
  }
}

static void
resolve_expr(sparql_parser *p, sparql_expr *e)
{
  resolve(p, &e->var);
  for (size_t i = 0; i < e->n_args; i++)
    resolve_expr(p, e->args[i]);
  if (e->pattern) parse_resolve_tree(p, e->pattern);
}

void
parse_resolve_tree(sparql_parser *p, sparql_algebra *node)
{
  parse_resolve_triples(p, node->triples, node->n_triples);
  resolve(p, &node->subject.var);
  resolve(p, &node->object.var);
  resolve(p, &node->node.var);
  resolve(p, &node->var);
  resolve_vars(p, node->vars, node->n_vars);
  for (size_t i = 0; i < node->n_exprs; i++)
    resolve_expr(p, node->exprs[i]);
  for (size_t i = 0; i < node->n_keys; i++) {
    resolve(p, &node->keys[i].var);
    if (node->keys[i].expr) resolve_expr(p, node->keys[i].expr);
  }
  for (size_t i = 0; i < node->n_aggregates; i++) {
    resolve(p, &node->aggregates[i].var);
    resolve_expr(p, node->aggregates[i].expr);
  }
  for (size_t i = 0; i < node->n_order; i++)
    resolve_expr(p, node->order[i].expr);
  if (node->left) parse_resolve_tree(p, node->left);
  if (node->right) parse_resolve_tree(p, node->right);
}

/* Columns, template and DESCRIBE are of the outermost scope: no aliases there. */
void
parse_resolve(sparql_parser *p)
{
  if (p->aliased && p->query->root) parse_resolve_tree(p, p->query->root);
}
