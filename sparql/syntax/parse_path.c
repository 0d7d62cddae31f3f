/* sparql/syntax/parse_path.c - property paths (section 9, grammar rules 88-96) and their
 * translation (18.2.2.4). */
#include "sparql/syntax/parse.h"

#include <assert.h>

#include "base/poison.h"

static sparql_path *
new_path(sparql_parser *p, sparql_path_op op, sparql_path *a, sparql_path *b)
{
  sparql_path *path = base_arena_new_zero(p->arena, 1, sizeof(*path));
  if (!path) {
    parse_nomem(p);
    return NULL;
  }
  path->op = op;
  path->a = a;
  path->b = b;
  return path;
}

bool
parse_is_path(const sparql_parser *p)
{
  return parse_is_iri(p) || parse_is_word(p, KW_A) || parse_is(p, TOKEN_CARET) ||
         parse_is(p, TOKEN_BANG) || parse_is(p, TOKEN_LPAREN);
}

/* iri or 'a'. */
static bool
path_iri(sparql_parser *p, rdf_term *out, const char *what)
{
  *out = (rdf_term){.kind = RDF_IRI, .value = base_span(RDF_NS "type")};
  if (parse_is_word(p, KW_A)) return parse_advance(p);
  return parse_is_iri(p) ? parse_iri(p, &out->value) : parse_expected(p, what);
}

typedef struct negated_set {
  sparql_path *path;
  size_t cap_forward, cap_inverse;
} negated_set;

/* PathOneInPropertySet. */
static bool
negated_one(sparql_parser *p, negated_set *set)
{
  rdf_term iri;
  bool inverse;
  sparql_path *n = set->path;
  if (!parse_maybe(p, &inverse, TOKEN_CARET) || !path_iri(p, &iri, "an IRI, 'a' or '^'"))
    return false;
  if (inverse) return PARSE_PUSH(p, n->inverse, n->n_inverse, set->cap_inverse, iri);
  return PARSE_PUSH(p, n->forward, n->n_forward, set->cap_forward, iri);
}

/* PathNegatedPropertySet behind '!'. */
static sparql_path *
negated_path(sparql_parser *p)
{
  negated_set set = {.path = new_path(p, PATH_NEGATED, NULL, NULL)};
  bool many, more;
  if (!set.path || !parse_maybe(p, &many, TOKEN_LPAREN)) return NULL;
  if (!many) return negated_one(p, &set) ? set.path : NULL;
  if (!parse_is(p, TOKEN_RPAREN)) {
    do {
      if (!negated_one(p, &set) || !parse_maybe(p, &more, TOKEN_BAR)) return NULL;
    } while (more);
  }
  return parse_take(p, TOKEN_RPAREN, "')' or '|'") ? set.path : NULL;
}

static sparql_path *
path_primary(sparql_parser *p)
{
  bool taken;
  if (!parse_maybe(p, &taken, TOKEN_BANG)) return NULL;
  if (taken) return negated_path(p);
  if (parse_is(p, TOKEN_LPAREN)) {
    if (!parse_enter(p) || !parse_advance(p)) return NULL;
    sparql_path *path = parse_path(p);
    p->depth--;
    return path && parse_take(p, TOKEN_RPAREN, "')', '/' or '|'") ? path : NULL;
  }
  sparql_path *path = new_path(p, PATH_IRI, NULL, NULL);
  return path && path_iri(p, &path->iri, "a path: an IRI, 'a', '!', '^' or '('") ? path : NULL;
}

/* '+' right before a digit is the sign of an object. */
static bool
is_sign(const sparql_parser *p)
{
  const char *next = p->token.text.ptr + 1, *end = p->lexer.end;
  if (next < end && *next == '.') next++;
  return next < end && *next >= '0' && *next <= '9';
}

/* PathEltOrInverse. */
static sparql_path *
path_element(sparql_parser *p)
{
  bool inverse;
  if (!parse_maybe(p, &inverse, TOKEN_CARET)) return NULL;
  sparql_path *path = path_primary(p);
  if (!path) return NULL;
  bool is_mod = true;
  sparql_path_op op = PATH_ZERO_OR_ONE;
  if (parse_is(p, TOKEN_STAR))
    op = PATH_ZERO_OR_MORE;
  else if (parse_is(p, TOKEN_PLUS) && !is_sign(p))
    op = PATH_ONE_OR_MORE;
  else
    is_mod = parse_is(p, TOKEN_QUESTION);
  if (is_mod && (!parse_advance(p) || !(path = new_path(p, op, path, NULL)))) return NULL;
  return inverse ? new_path(p, PATH_INVERSE, path, NULL) : path;
}

/* Sequences and alternatives are associative: a balanced tree keeps recursion over it low. */
static sparql_path *
balanced(sparql_parser *p, sparql_path_op op, sparql_path **items, size_t n)
{
  if (n == 1) return items[0];
  sparql_path *a = balanced(p, op, items, n / 2);
  sparql_path *b = a ? balanced(p, op, items + n / 2, n - n / 2) : NULL;
  return b ? new_path(p, op, a, b) : NULL;
}

static sparql_path *
path_sequence(sparql_parser *p)
{
  sparql_path *one = path_element(p), **items = NULL;
  size_t n = 0, cap = 0;
  if (!one || !parse_is(p, TOKEN_SLASH)) return one;
  if (!PARSE_PUSH(p, items, n, cap, one)) return NULL;
  while (parse_is(p, TOKEN_SLASH)) {
    if (!parse_advance(p) || !(one = path_element(p)) || !PARSE_PUSH(p, items, n, cap, one))
      return NULL;
  }
  return balanced(p, PATH_SEQUENCE, items, n);
}

sparql_path *
parse_path(sparql_parser *p)
{
  sparql_path *one = path_sequence(p), **items = NULL;
  size_t n = 0, cap = 0;
  if (!one || !parse_is(p, TOKEN_BAR)) return one;
  if (!PARSE_PUSH(p, items, n, cap, one)) return NULL;
  while (parse_is(p, TOKEN_BAR)) {
    if (!parse_advance(p) || !(one = path_sequence(p)) || !PARSE_PUSH(p, items, n, cap, one))
      return NULL;
  }
  return balanced(p, PATH_ALTERNATE, items, n);
}

/* ---- translation
 * --------------------------------------------------------------------------------------- */

bool
parse_emit_path(sparql_parser *p, parse_triples *to, const sparql_node *subject,
                const sparql_path *path, const sparql_node *object, const sparql_token *at)
{
  switch (path->op) {
  case PATH_IRI: {
    sparql_triple triple = {*subject, {.var = SPARQL_NO_VAR, .term = path->iri}, *object};
    return parse_emit(p, to, &triple);
  }
  case PATH_INVERSE:
    return parse_emit_path(p, to, object, path->a, subject, at);
  case PATH_SEQUENCE: {
    sparql_node middle = {.var = SPARQL_NO_VAR};
    return parse_hidden_var(p, &middle.var) &&
           parse_emit_path(p, to, subject, path->a, &middle, at) &&
           parse_emit_path(p, to, &middle, path->b, object, at);
  }
  case PATH_ALTERNATE:
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
  case PATH_ONE_OR_MORE:
  case PATH_NEGATED:
    break;
  }
  sparql_algebra *node = parse_new_node(p, ALGEBRA_PATH, at);
  if (!node) return false;
  node->subject = *subject;
  node->object = *object;
  /* The node is read only from here on, and so is the path that several objects share. */
  node->path = (sparql_path *)(uintptr_t)path;
  return PARSE_PUSH(p, to->paths, to->n_paths, to->cap_paths, node);
}
