/* sparql/syntax/parse_pattern.c - graph patterns (grammar rules 53-67) to algebra (section 18.2.2).
 *
 * Within a group, triples gather in one basic graph pattern until something other than a FILTER
 * comes: a path does not end it, as the order of a join means nothing. Filters gather until the
 * end of the group. */
#include "sparql/syntax/parse.h"

#include <assert.h>

#include "base/poison.h"

/* A group in work, or done: then `pattern` and the filters are what it means. */
typedef struct group {
  sparql_algebra *pattern;
  parse_triples triples;
  bool search; /* of SERVICE vec:search */
  sparql_algebra **nearest;
  size_t n_nearest, cap_nearest;
  sparql_expr **filters;
  size_t n_filters, cap_filters;
  sparql_token start; /* of the group, and of the triples in work */
  sparql_token triples_at;
} group;

static const parse_triples no_triples = {.mode = PARSE_PATTERN, .blanks = true, .group = true};

static bool group_body(sparql_parser *p, group *g);

static sparql_algebra *
filtered(sparql_parser *p, group *g)
{
  if (g->n_filters == 0) return g->pattern;
  sparql_algebra *node = parse_new_node(p, ALGEBRA_FILTER, &g->start);
  if (!node) return NULL;
  node->left = g->pattern;
  node->exprs = g->filters;
  node->n_exprs = g->n_filters;
  return parse_close_node(p, node) ? node : NULL;
}

/* GroupGraphPattern with its filters apart: an OPTIONAL takes them as its condition. */
static bool
group_parts(sparql_parser *p, group *g, bool search)
{
  *g = (group){.triples = no_triples, .start = p->token, .search = search};
  if (!parse_is(p, TOKEN_LBRACE)) return parse_expected(p, "'{'");
  if (!parse_enter(p) || !parse_advance(p)) return false;
  size_t mark = p->group_mark;
  p->group_mark = p->n_seen;
  uint32_t bgp = p->bgp;
  p->bgp = ++p->last_bgp;
  if (parse_is_word(p, KW_SELECT))
    g->pattern = parse_sub_select(p);
  else if ((g->pattern = parse_new_node(p, ALGEBRA_UNIT, &g->start)) && !group_body(p, g))
    g->pattern = NULL;
  p->bgp = bgp;
  p->group_mark = mark;
  p->depth--;
  if (!g->pattern || !parse_take(p, TOKEN_RBRACE, "'}' or a graph pattern")) return false;
  return !g->n_nearest ||
         parse_close_nearest(p, &g->pattern, &g->filters, &g->n_filters, g->nearest, g->n_nearest);
}

sparql_algebra *
parse_group(sparql_parser *p)
{
  group g;
  return group_parts(p, &g, false) ? filtered(p, &g) : NULL;
}

/* ---- triples
 * -----------------------------------------------------------------------------------------------
 */

/* Join the triples and paths gathered, if any. */
static bool
flush_triples(sparql_parser *p, group *g)
{
  parse_triples *t = &g->triples;
  if (g->search && t->n && !parse_emit_search(p, t, &g->triples_at)) return false;
  for (size_t i = 0; i < t->n_nearest; i++)
    if (!PARSE_PUSH(p, g->nearest, g->n_nearest, g->cap_nearest, t->nearest[i])) return false;
  if (t->n) {
    sparql_algebra *bgp = parse_new_node(p, ALGEBRA_BGP, &g->triples_at);
    if (!bgp) return false;
    bgp->triples = t->items;
    bgp->n_triples = t->n;
    if (!(g->pattern = parse_join(p, g->pattern, bgp, &g->triples_at))) return false;
  }
  for (size_t i = 0; i < t->n_paths; i++)
    if (!(g->pattern = parse_join(p, g->pattern, t->paths[i], &g->triples_at))) return false;
  *t = no_triples;
  return true;
}

/* The basic graph pattern in work ends: labels of blank nodes from here on are of another. */
static bool
end_bgp(sparql_parser *p, group *g)
{
  p->bgp = ++p->last_bgp;
  return flush_triples(p, g);
}

/* ---- elements
 * --------------------------------------------------------------------------------------------- */

static bool
filter_element(sparql_parser *p, group *g)
{
  sparql_expr *e;
  if (!parse_advance(p)) return false;
  if (!(e = parse_constraint(p, "'(' or a function"))) return false;
  return PARSE_PUSH(p, g->filters, g->n_filters, g->cap_filters, e);
}

static bool
optional_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  group inner;
  if (!parse_advance(p) || !group_parts(p, &inner, false)) return false;
  sparql_algebra *node = parse_new_node(p, ALGEBRA_LEFT_JOIN, &at);
  if (!node) return false;
  node->left = g->pattern;
  node->right = inner.pattern;
  node->exprs = inner.filters;
  node->n_exprs = inner.n_filters;
  g->pattern = node;
  return parse_close_node(p, node);
}

static bool
minus_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  size_t mark = p->n_seen;
  if (!parse_advance(p)) return false;
  sparql_algebra *right = parse_group(p);
  sparql_algebra *node = right ? parse_new_node(p, ALGEBRA_MINUS, &at) : NULL;
  if (!node) return false;
  parse_unsee(p, mark);
  node->left = g->pattern;
  node->right = right;
  g->pattern = node;
  return parse_close_node(p, node);
}

static bool
see_node(sparql_parser *p, const sparql_node *node)
{
  return node->var == SPARQL_NO_VAR || parse_see(p, node->var);
}

static bool
graph_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  return (g->pattern = parse_join(p, g->pattern, parse_graph_pattern(p), &at)) != NULL;
}

static bool
service_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  sparql_node name;
  bool silent;
  if (!parse_advance(p) || !parse_maybe_word(p, &silent, KW_SILENT) ||
      !parse_var_or_iri(p, &name) || !see_node(p, &name))
    return false;
  if (parse_is_search(&name)) {
    group inner;
    if (silent)
      return parse_fail_at(p, at.line, at.column,
                           "found SILENT, expected none: vec:search is never sent anywhere");
    if (!group_parts(p, &inner, true)) return false;
    if (!inner.n_nearest)
      return parse_fail_at(p, at.line, at.column,
                           "found a group that says nothing of the search, expected vec:on, "
                           "vec:query, vec:k, vec:item and vec:distance");
    return (g->pattern = parse_join(p, g->pattern, filtered(p, &inner), &at)) != NULL;
  }
  const char *from = p->token.text.ptr;
  sparql_algebra *node = parse_unary_node(p, ALGEBRA_SERVICE, parse_group(p), &at);
  if (!node) return false;
  node->node = name;
  node->silent = silent;
  node->text = (quoin_span){from, (size_t)(p->behind - from)};
  return (g->pattern = parse_join(p, g->pattern, node, &at)) != NULL;
}

static bool
bind_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  sparql_expr *e;
  if (!parse_advance(p) || !parse_take(p, TOKEN_LPAREN, "'('")) return false;
  if (!(e = parse_expression(p)) || !parse_take_word(p, KW_AS)) return false;
  sparql_token name = p->token;
  sparql_var var;
  if (!parse_var(p, &var)) return false;
  if (parse_is_visible(p, var))
    return parse_fail_at(p, name.line, name.column,
                         "found '?%.*s' that is used before in the group, expected another "
                         "variable for BIND",
                         (int)(name.value.len < 80 ? name.value.len : 80), name.value.ptr);
  if (!parse_take(p, TOKEN_RPAREN, "')'") || !parse_see(p, var)) return false;
  sparql_algebra *node = parse_new_node(p, ALGEBRA_EXTEND, &at);
  if (!node) return false;
  node->left = g->pattern;
  node->var = var;
  if (!(node->exprs = base_arena_new(p->arena, 1, sizeof(*node->exprs)))) return parse_nomem(p);
  node->exprs[0] = e;
  node->n_exprs = 1;
  g->pattern = node;
  return parse_close_node(p, node);
}

static bool
values_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  if (!parse_advance(p)) return false;
  return (g->pattern = parse_join(p, g->pattern, parse_data_block(p, &at), &at)) != NULL;
}

/* UNION is associative: a balanced tree keeps recursion over it low. */
static sparql_algebra *
union_of(sparql_parser *p, sparql_algebra **items, size_t n, const sparql_token *at)
{
  if (n == 1) return items[0];
  sparql_algebra *left = union_of(p, items, n / 2, at);
  sparql_algebra *right = left ? union_of(p, items + n / 2, n - n / 2, at) : NULL;
  sparql_algebra *node = right ? parse_new_node(p, ALGEBRA_UNION, at) : NULL;
  if (!node) return NULL;
  node->left = left;
  node->right = right;
  return parse_close_node(p, node) ? node : NULL;
}

static bool
union_element(sparql_parser *p, group *g)
{
  sparql_token at = p->token;
  sparql_algebra **items = NULL;
  size_t n = 0, cap = 0;
  bool more;
  do {
    sparql_algebra *one = parse_group(p);
    if (!one || !PARSE_PUSH(p, items, n, cap, one) || !parse_maybe_word(p, &more, KW_UNION))
      return false;
  } while (more);
  return (g->pattern = parse_join(p, g->pattern, union_of(p, items, n, &at), &at)) != NULL;
}

/* GraphPatternNotTriples, if there is one. */
static bool
element(sparql_parser *p, group *g, bool *found)
{
  bool (*parse)(sparql_parser *, group *) = NULL;
  *found = true;
  if (parse_is_word(p, KW_FILTER)) return filter_element(p, g);
  if (parse_is(p, TOKEN_LBRACE))
    parse = union_element;
  else if (parse_is_word(p, KW_OPTIONAL))
    parse = optional_element;
  else if (parse_is_word(p, KW_GRAPH))
    parse = graph_element;
  else if (parse_is_word(p, KW_BIND))
    parse = bind_element;
  else if (parse_is_word(p, KW_MINUS))
    parse = minus_element;
  else if (parse_is_word(p, KW_VALUES))
    parse = values_element;
  else if (parse_is_word(p, KW_SERVICE))
    parse = service_element;
  *found = parse != NULL;
  return !parse || (end_bgp(p, g) && parse(p, g));
}

/* TriplesBlock, if there is one. */
static bool
triples_block(sparql_parser *p, group *g)
{
  if (!parse_starts_triples(p)) return true;
  if (g->triples.n == 0 && g->triples.n_paths == 0) g->triples_at = p->token;
  return parse_template(p, &g->triples);
}

/* GroupGraphPatternSub. */
static bool
group_body(sparql_parser *p, group *g)
{
  bool found = true, dot;
  if (!triples_block(p, g)) return false;
  while (found) {
    if (!element(p, g, &found)) return false;
    if (found && (!parse_maybe(p, &dot, TOKEN_DOT) || !triples_block(p, g))) return false;
  }
  return flush_triples(p, g);
}

/* ---- VALUES
 * --------------------------------------------------------------------------------------------- */

/* DataBlockValue: a term or UNDEF, at the end of `values`. */
static bool
data_value(sparql_parser *p, sparql_algebra *node, size_t *n, size_t *cap)
{
  rdf_term term = {.kind = RDF_NONE};
  if (parse_is_word(p, KW_UNDEF) ? !parse_advance(p)
                                 : !parse_constant(p, &term, "a term, UNDEF or the end of VALUES"))
    return false;
  return PARSE_PUSH(p, node->values, *n, *cap, term);
}

static bool
data_row(sparql_parser *p, sparql_algebra *node, size_t *n, size_t *cap)
{
  sparql_token at = p->token;
  size_t before = *n;
  if (!parse_take(p, TOKEN_LPAREN, "'(' or '}'")) return false;
  while (!parse_is(p, TOKEN_RPAREN))
    if (!data_value(p, node, n, cap)) return false;
  if (*n - before != node->n_vars)
    return parse_fail_at(p, at.line, at.column, "found %zu values in a row, expected %zu",
                         *n - before, node->n_vars);
  return parse_advance(p);
}

static bool
data_vars(sparql_parser *p, sparql_algebra *node)
{
  size_t cap = 0;
  parse_set_begin(p);
  while (!parse_is(p, TOKEN_RPAREN)) {
    sparql_token at = p->token;
    sparql_var var;
    if (!parse_var(p, &var)) return false;
    if (!parse_set_add(p, var))
      return parse_fail_at(p, at.line, at.column,
                           "found a variable for the second time, expected each once in VALUES");
    if (!parse_see(p, var) || !PARSE_PUSH(p, node->vars, node->n_vars, cap, var)) return false;
  }
  return parse_advance(p);
}

sparql_algebra *
parse_data_block(sparql_parser *p, const sparql_token *at)
{
  sparql_algebra *node = parse_new_node(p, ALGEBRA_VALUES, at);
  size_t n = 0, cap = 0, cap_vars = 0;
  bool many;
  if (!node || !parse_maybe(p, &many, TOKEN_LPAREN)) return NULL;
  if (many) {
    if (!data_vars(p, node)) return NULL;
  } else {
    sparql_var var;
    if (!parse_is(p, TOKEN_VAR)) return parse_expected(p, "a variable or '('"), NULL;
    if (!parse_var(p, &var) || !parse_see(p, var) ||
        !PARSE_PUSH(p, node->vars, node->n_vars, cap_vars, var))
      return NULL;
  }
  if (!parse_take(p, TOKEN_LBRACE, "'{'")) return NULL;
  while (!parse_is(p, TOKEN_RBRACE)) {
    if (many ? !data_row(p, node, &n, &cap) : !data_value(p, node, &n, &cap)) return NULL;
    node->n_rows++;
  }
  return parse_advance(p) ? node : NULL;
}
