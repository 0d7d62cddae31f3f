/* sparql/syntax/parse_expr.c - expressions (grammar rules 68-74, 110-119) by precedence climbing.
 *
 * Chains of || and of && become balanced trees (both are associative, errors included): the
 * thousand alternatives of a generated filter do not make a tree a thousand levels high. */
#include "sparql/syntax/parse.h"

#include "base/poison.h"

enum { LEVEL_OR = 1, LEVEL_AND, LEVEL_COMPARE, LEVEL_ADD, LEVEL_MULTIPLY, LEVEL_NONE };

/* The binary operator at the token, and how tightly it binds. */
static int
binary_level(const sparql_parser *p, sparql_op *op)
{
  switch (p->token.kind) {
  case TOKEN_OR:
    return *op = EXPR_OR, LEVEL_OR;
  case TOKEN_AND:
    return *op = EXPR_AND, LEVEL_AND;
  case TOKEN_EQ:
    return *op = EXPR_EQ, LEVEL_COMPARE;
  case TOKEN_NE:
    return *op = EXPR_NE, LEVEL_COMPARE;
  case TOKEN_LT:
    return *op = EXPR_LT, LEVEL_COMPARE;
  case TOKEN_GT:
    return *op = EXPR_GT, LEVEL_COMPARE;
  case TOKEN_LE:
    return *op = EXPR_LE, LEVEL_COMPARE;
  case TOKEN_GE:
    return *op = EXPR_GE, LEVEL_COMPARE;
  case TOKEN_PLUS:
    return *op = EXPR_ADD, LEVEL_ADD;
  case TOKEN_MINUS:
    return *op = EXPR_SUB, LEVEL_ADD;
  case TOKEN_STAR:
    return *op = EXPR_MUL, LEVEL_MULTIPLY;
  case TOKEN_SLASH:
    return *op = EXPR_DIV, LEVEL_MULTIPLY;
  default: /* most tokens are none */
    if (parse_is_word(p, KW_IN)) return *op = EXPR_IN, LEVEL_COMPARE;
    if (parse_is_word(p, KW_NOT)) return *op = EXPR_NOT_IN, LEVEL_COMPARE;
    return LEVEL_NONE;
  }
}

static sparql_expr *binary(sparql_parser *p, int least);

static sparql_expr *
term_expr(sparql_parser *p, const sparql_token *at)
{
  sparql_expr *e = parse_new_expr(p, EXPR_TERM, at);
  return e && parse_constant(p, &e->term, "an expression") ? e : NULL;
}

sparql_expr *
parse_bracketed(sparql_parser *p)
{
  if (!parse_take(p, TOKEN_LPAREN, "'('")) return NULL;
  sparql_expr *e = parse_expression(p);
  return e && parse_take(p, TOKEN_RPAREN, "')' or an operator") ? e : NULL;
}

static sparql_expr *
primary(sparql_parser *p)
{
  sparql_token at = p->token;
  if (parse_is(p, TOKEN_LPAREN)) return parse_bracketed(p);
  if (parse_is(p, TOKEN_VAR)) {
    sparql_expr *e = parse_new_expr(p, EXPR_VAR, &at);
    return e && parse_var(p, &e->var) ? e : NULL;
  }
  if (parse_is_call(p)) return parse_call(p);
  if (!parse_is_iri(p)) return term_expr(p, &at);
  quoin_span iri;
  if (!parse_iri(p, &iri)) return NULL;
  if (parse_is(p, TOKEN_LPAREN)) return parse_function(p, iri, &at);
  sparql_expr *e = parse_new_expr(p, EXPR_TERM, &at);
  if (e) e->term = (rdf_term){.kind = RDF_IRI, .value = iri};
  return e;
}

/* A sign right before a digit belongs to the number. */
static bool
signs_number(const sparql_parser *p)
{
  const char *next = p->token.text.ptr + 1, *end = p->lexer.end;
  if (next < end && *next == '.') next++;
  return next < end && *next >= '0' && *next <= '9';
}

static sparql_expr *
unary(sparql_parser *p)
{
  sparql_op op;
  if (parse_is(p, TOKEN_BANG))
    op = EXPR_NOT;
  else if (parse_is(p, TOKEN_PLUS) && !signs_number(p))
    op = EXPR_PLUS;
  else if (parse_is(p, TOKEN_MINUS) && !signs_number(p))
    op = EXPR_MINUS;
  else
    return primary(p);
  sparql_expr *e = parse_new_expr(p, op, &p->token);
  size_t cap = 0;
  if (!e || !parse_advance(p)) return NULL;
  sparql_expr *arg = primary(p);
  if (!arg || !PARSE_PUSH(p, e->args, e->n_args, cap, arg)) return NULL;
  return parse_close_expr(p, e) ? e : NULL;
}

static sparql_expr *
two_args(sparql_parser *p, sparql_op op, sparql_expr *a, sparql_expr *b, const sparql_token *at)
{
  sparql_expr *e = a && b ? parse_new_expr(p, op, at) : NULL;
  if (!e) return NULL;
  if (!(e->args = base_arena_new(p->arena, 2, sizeof(*e->args)))) {
    parse_nomem(p);
    return NULL;
  }
  e->args[0] = a;
  e->args[1] = b;
  e->n_args = 2;
  return parse_close_expr(p, e) ? e : NULL;
}

static sparql_expr *
balanced(sparql_parser *p, sparql_op op, sparql_expr **items, size_t n, const sparql_token *at)
{
  if (n == 1) return items[0];
  sparql_expr *a = balanced(p, op, items, n / 2, at);
  sparql_expr *b = a ? balanced(p, op, items + n / 2, n - n / 2, at) : NULL;
  return two_args(p, op, a, b, at);
}

/* All of `first op x op y ...`, at the first op. */
static sparql_expr *
chain(sparql_parser *p, sparql_op op, int level, sparql_expr *first)
{
  sparql_token at = p->token;
  sparql_expr **items = NULL;
  size_t n = 0, cap = 0;
  if (!PARSE_PUSH(p, items, n, cap, first)) return NULL;
  while (parse_is(p, at.kind)) {
    if (!parse_advance(p)) return NULL;
    sparql_expr *next = binary(p, level + 1);
    if (!next || !PARSE_PUSH(p, items, n, cap, next)) return NULL;
  }
  return balanced(p, op, items, n, &at);
}

/* `left IN (...)` or `left NOT IN (...)`, at the word. */
static sparql_expr *
membership(sparql_parser *p, sparql_op op, sparql_expr *left)
{
  sparql_expr *e = parse_new_expr(p, op, &p->token);
  size_t cap = 0;
  if (!e || !parse_advance(p)) return NULL;
  if (op == EXPR_NOT_IN && !parse_take_word(p, KW_IN)) return NULL;
  if (!PARSE_PUSH(p, e->args, e->n_args, cap, left)) return NULL;
  if (!parse_take(p, TOKEN_LPAREN, "'('") || !parse_arguments(p, e, &cap)) return NULL;
  return parse_close_expr(p, e) ? e : NULL;
}

/* An expression of operators that bind at least as tightly as `least`. */
static sparql_expr *
binary(sparql_parser *p, int least)
{
  sparql_expr *left = unary(p);
  bool compared = false;
  while (left) {
    sparql_op op;
    int level = binary_level(p, &op);
    if (level == LEVEL_NONE || level < least) return left;
    if (level == LEVEL_COMPARE && compared) {
      parse_expected(p, "the end of the expression: a comparison of a comparison needs brackets");
      return NULL;
    }
    compared = level == LEVEL_COMPARE;
    if (level <= LEVEL_AND) {
      left = chain(p, op, level, left);
    } else if (op == EXPR_IN || op == EXPR_NOT_IN) {
      left = membership(p, op, left);
    } else {
      sparql_token at = p->token;
      if (!parse_advance(p)) return NULL;
      left = two_args(p, op, left, binary(p, level + 1), &at);
    }
  }
  return NULL;
}

sparql_expr *
parse_expression(sparql_parser *p)
{
  if (!parse_enter(p)) return NULL;
  sparql_expr *e = binary(p, LEVEL_OR);
  p->depth--;
  return e;
}

bool
parse_is_constraint(const sparql_parser *p)
{
  return parse_is(p, TOKEN_LPAREN) || parse_is_call(p) || parse_is_iri(p);
}

sparql_expr *
parse_constraint(sparql_parser *p, const char *what)
{
  sparql_token at = p->token;
  if (parse_is(p, TOKEN_LPAREN)) return parse_bracketed(p);
  if (parse_is_call(p)) return parse_call(p);
  quoin_span iri;
  if (!parse_is_iri(p)) {
    parse_expected(p, what);
    return NULL;
  }
  return parse_iri(p, &iri) ? parse_function(p, iri, &at) : NULL;
}
