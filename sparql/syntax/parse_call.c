/* sparql/syntax/parse_call.c - built-in calls, aggregates, EXISTS and functions (grammar rules 70,
 * 71, 120-128). */
#include "sparql/syntax/parse.h"

#include <stdio.h>

#include "base/poison.h"

/* Zero but for the words that are built-in functions; `most` 255: any number. */
typedef struct builtin {
  uint8_t known, least, most;
  sparql_builtin fn;
} builtin;

static const builtin builtins[KW_COUNT_OF] = {
    [KW_STR] = {1, 1, 1, FN_STR},
    [KW_LANG] = {1, 1, 1, FN_LANG},
    [KW_LANGMATCHES] = {1, 2, 2, FN_LANGMATCHES},
    [KW_DATATYPE] = {1, 1, 1, FN_DATATYPE},
    [KW_BOUND] = {1, 1, 1, FN_BOUND},
    [KW_IRI] = {1, 1, 1, FN_IRI},
    [KW_URI] = {1, 1, 1, FN_IRI},
    [KW_BNODE] = {1, 0, 1, FN_BNODE},
    [KW_RAND] = {1, 0, 0, FN_RAND},
    [KW_ABS] = {1, 1, 1, FN_ABS},
    [KW_CEIL] = {1, 1, 1, FN_CEIL},
    [KW_FLOOR] = {1, 1, 1, FN_FLOOR},
    [KW_ROUND] = {1, 1, 1, FN_ROUND},
    [KW_CONCAT] = {1, 0, 255, FN_CONCAT},
    [KW_STRLEN] = {1, 1, 1, FN_STRLEN},
    [KW_UCASE] = {1, 1, 1, FN_UCASE},
    [KW_LCASE] = {1, 1, 1, FN_LCASE},
    [KW_ENCODE_FOR_URI] = {1, 1, 1, FN_ENCODE_FOR_URI},
    [KW_CONTAINS] = {1, 2, 2, FN_CONTAINS},
    [KW_STRSTARTS] = {1, 2, 2, FN_STRSTARTS},
    [KW_STRENDS] = {1, 2, 2, FN_STRENDS},
    [KW_STRBEFORE] = {1, 2, 2, FN_STRBEFORE},
    [KW_STRAFTER] = {1, 2, 2, FN_STRAFTER},
    [KW_YEAR] = {1, 1, 1, FN_YEAR},
    [KW_MONTH] = {1, 1, 1, FN_MONTH},
    [KW_DAY] = {1, 1, 1, FN_DAY},
    [KW_HOURS] = {1, 1, 1, FN_HOURS},
    [KW_MINUTES] = {1, 1, 1, FN_MINUTES},
    [KW_SECONDS] = {1, 1, 1, FN_SECONDS},
    [KW_TIMEZONE] = {1, 1, 1, FN_TIMEZONE},
    [KW_TZ] = {1, 1, 1, FN_TZ},
    [KW_NOW] = {1, 0, 0, FN_NOW},
    [KW_UUID] = {1, 0, 0, FN_UUID},
    [KW_STRUUID] = {1, 0, 0, FN_STRUUID},
    [KW_MD5] = {1, 1, 1, FN_MD5},
    [KW_SHA1] = {1, 1, 1, FN_SHA1},
    [KW_SHA256] = {1, 1, 1, FN_SHA256},
    [KW_SHA384] = {1, 1, 1, FN_SHA384},
    [KW_SHA512] = {1, 1, 1, FN_SHA512},
    [KW_COALESCE] = {1, 0, 255, FN_COALESCE},
    [KW_IF] = {1, 3, 3, FN_IF},
    [KW_STRLANG] = {1, 2, 2, FN_STRLANG},
    [KW_STRDT] = {1, 2, 2, FN_STRDT},
    [KW_SAMETERM] = {1, 2, 2, FN_SAMETERM},
    [KW_ISIRI] = {1, 1, 1, FN_ISIRI},
    [KW_ISURI] = {1, 1, 1, FN_ISIRI},
    [KW_ISBLANK] = {1, 1, 1, FN_ISBLANK},
    [KW_ISLITERAL] = {1, 1, 1, FN_ISLITERAL},
    [KW_ISNUMERIC] = {1, 1, 1, FN_ISNUMERIC},
    [KW_REGEX] = {1, 2, 3, FN_REGEX},
    [KW_SUBSTR] = {1, 2, 3, FN_SUBSTR},
    [KW_REPLACE] = {1, 3, 4, FN_REPLACE},
};

/* The aggregate that a word names: false when it names none. */
static bool
aggregate_of(sparql_keyword keyword, sparql_aggregate_kind *out)
{
  switch ((int)keyword) {
  case KW_COUNT:
    return *out = AGG_COUNT, true;
  case KW_SUM:
    return *out = AGG_SUM, true;
  case KW_MIN:
    return *out = AGG_MIN, true;
  case KW_MAX:
    return *out = AGG_MAX, true;
  case KW_AVG:
    return *out = AGG_AVG, true;
  case KW_SAMPLE:
    return *out = AGG_SAMPLE, true;
  case KW_GROUP_CONCAT:
    return *out = AGG_GROUP_CONCAT, true;
  }
  return false;
}

bool
parse_is_call(const sparql_parser *p)
{
  sparql_aggregate_kind kind;
  if (!parse_is(p, TOKEN_WORD)) return false;
  return builtins[p->token.keyword].known || aggregate_of(p->token.keyword, &kind) ||
         p->token.keyword == KW_EXISTS || p->token.keyword == KW_NOT;
}

bool
parse_arguments(sparql_parser *p, sparql_expr *expr, size_t *cap)
{
  bool more = !parse_is(p, TOKEN_RPAREN);
  while (more) {
    sparql_expr *arg = parse_expression(p);
    if (!arg || !PARSE_PUSH(p, expr->args, expr->n_args, *cap, arg)) return false;
    if (!parse_maybe(p, &more, TOKEN_COMMA)) return false;
  }
  return parse_take(p, TOKEN_RPAREN, "')', ',' or an operator");
}

/* ---- EXISTS
 * -------------------------------------------------------------------------------------------- */

/* EXISTS or NOT EXISTS, at the word. Its group sees the variables of this one by substitution; it
 * makes none visible here, and no aggregate of this SELECT may stand in it. */
static sparql_expr *
exists(sparql_parser *p)
{
  sparql_expr *e = parse_new_expr(p, EXPR_EXISTS, &p->token);
  if (!e) return NULL;
  if (parse_is_word(p, KW_NOT)) {
    e->op = EXPR_NOT_EXISTS;
    if (!parse_advance(p)) return NULL;
  }
  if (!parse_take_word(p, KW_EXISTS)) return NULL;
  parse_aggregates *aggregates = p->aggregates;
  bool in_aggregate = p->in_aggregate;
  uint32_t bgp = p->bgp;
  size_t mark = p->n_seen;
  p->aggregates = NULL;
  p->in_aggregate = false;
  e->pattern = parse_group(p);
  if (!e->pattern) return NULL;
  parse_unsee(p, mark);
  p->aggregates = aggregates;
  p->in_aggregate = in_aggregate;
  p->bgp = bgp;
  return parse_close_expr(p, e) ? e : NULL;
}

/* ---- aggregates
 * ---------------------------------------------------------------------------------------- */

/* Two structures that hash alike are taken for the same only after this. */
static bool
same_expr(const sparql_expr *a, const sparql_expr *b)
{
  if (a->op != b->op || a->var != b->var || a->builtin != b->builtin ||
      a->aggregate != b->aggregate || a->distinct != b->distinct || a->n_args != b->n_args)
    return false;
  if (a->pattern || b->pattern) return false; /* EXISTS: not looked into */
  if (!rdf_term_equal(&a->term, &b->term) || !base_span_equal(a->separator, b->separator))
    return false;
  for (size_t i = 0; i < a->n_args; i++)
    if (!same_expr(a->args[i], b->args[i])) return false;
  return true;
}

static uint64_t
hash_expr(const sparql_expr *e)
{
  uint64_t h = base_mix(((uint64_t)e->op << 48) ^ ((uint64_t)e->builtin << 40) ^
                        ((uint64_t)e->aggregate << 36) ^ ((uint64_t)e->distinct << 35) ^ e->var);
  h = base_hash_seed(e->term.value.ptr, e->term.value.len, h);
  for (size_t i = 0; i < e->n_args; i++)
    h = base_mix(h ^ hash_expr(e->args[i])) + i;
  return h;
}

bool
parse_add_aggregate(sparql_parser *p, parse_aggregates *to, sparql_expr *aggregate, sparql_var *out)
{
  uint64_t hash = hash_expr(aggregate);
  quoin_span key = base_arena_copy(p->arena, (quoin_span){(const char *)&hash, sizeof(hash)});
  if (!key.ptr) return parse_nomem(p);
  uint32_t found = name_map_find(&to->by_hash, key);
  if (found != NAME_NONE && same_expr(to->items[found].expr, aggregate)) {
    *out = to->items[found].var;
    return true;
  }
  sparql_group_aggregate item = {.expr = aggregate};
  if (!parse_hidden_var(p, &item.var)) return false;
  *out = item.var;
  return PARSE_PUSH(p, to->items, to->n, to->cap, item) &&
         (name_map_set(&to->by_hash, key, (uint32_t)to->n - 1, p->arena) || parse_nomem(p));
}

/* "; SEPARATOR = string" of GROUP_CONCAT. */
static bool
separator(sparql_parser *p, sparql_expr *e)
{
  e->separator = base_span(" ");
  if (!parse_is(p, TOKEN_SEMICOLON)) return true;
  return parse_advance(p) && parse_take_word(p, KW_SEPARATOR) && parse_take(p, TOKEN_EQ, "'='") &&
         parse_string(p, &e->separator);
}

/* What stands between the brackets of an aggregate. */
static bool
aggregate_arguments(sparql_parser *p, sparql_expr *e)
{
  size_t cap = 0;
  if (!parse_take(p, TOKEN_LPAREN, "'('") || !parse_maybe_word(p, &e->distinct, KW_DISTINCT))
    return false;
  if (e->aggregate == AGG_COUNT && parse_is(p, TOKEN_STAR)) {
    if (!parse_advance(p)) return false;
  } else {
    sparql_expr *arg = parse_expression(p);
    if (!arg || !PARSE_PUSH(p, e->args, e->n_args, cap, arg)) return false;
  }
  if (e->aggregate == AGG_GROUP_CONCAT && !separator(p, e)) return false;
  return parse_take(p, TOKEN_RPAREN, "')' or an operator");
}

/* An aggregate, at its word: the hidden variable that stands for it. */
static sparql_expr *
aggregate(sparql_parser *p, sparql_aggregate_kind kind)
{
  sparql_token at = p->token;
  if (p->in_aggregate || !p->aggregates) {
    parse_expected(p, p->in_aggregate ? "no aggregate within an aggregate"
                                      : "an aggregate only in SELECT, HAVING and ORDER BY");
    return NULL;
  }
  sparql_expr *e = parse_new_expr(p, EXPR_AGGREGATE, &at);
  if (!e || !parse_advance(p)) return NULL;
  e->aggregate = kind;
  p->in_aggregate = true;
  if (!aggregate_arguments(p, e)) return NULL;
  p->in_aggregate = false;
  sparql_expr *value = parse_close_expr(p, e) ? parse_new_expr(p, EXPR_VAR, &at) : NULL;
  return value && parse_add_aggregate(p, p->aggregates, e, &value->var) ? value : NULL;
}

/* ---- calls
 * ------------------------------------------------------------------------------------------------
 */

static bool
check_count(sparql_parser *p, const sparql_expr *e, const builtin *b, const sparql_token *at)
{
  if (e->n_args >= b->least && e->n_args <= b->most) return true;
  char range[32];
  if (b->least == b->most)
    snprintf(range, sizeof(range), "%u", (unsigned)b->least);
  else
    snprintf(range, sizeof(range), "%u to %u", (unsigned)b->least, (unsigned)b->most);
  return parse_fail_at(p, at->line, at->column, "found %zu arguments of %s, expected %s", e->n_args,
                       lexer_keyword_name(at->keyword), range);
}

static sparql_expr *
builtin_call(sparql_parser *p, const builtin *b)
{
  sparql_token at = p->token;
  sparql_expr *e = parse_new_expr(p, EXPR_BUILTIN, &at);
  size_t cap = 0;
  if (!e || !parse_advance(p) || !parse_take(p, TOKEN_LPAREN, "'('")) return NULL;
  e->builtin = b->fn;
  if (b->fn == FN_BOUND && !parse_is(p, TOKEN_VAR)) {
    parse_expected(p, "a variable");
    return NULL;
  }
  if (!parse_arguments(p, e, &cap) || !check_count(p, e, b, &at)) return NULL;
  if (b->fn == FN_BOUND && e->args[0]->op != EXPR_VAR) {
    parse_fail_at(p, at.line, at.column, "found BOUND of an expression, expected of a variable");
    return NULL;
  }
  return parse_close_expr(p, e) ? e : NULL;
}

sparql_expr *
parse_call(sparql_parser *p)
{
  sparql_aggregate_kind kind;
  if (parse_is_word(p, KW_EXISTS) || parse_is_word(p, KW_NOT)) return exists(p);
  if (aggregate_of(p->token.keyword, &kind)) return aggregate(p, kind);
  return builtin_call(p, &builtins[p->token.keyword]);
}

sparql_expr *
parse_function(sparql_parser *p, quoin_span iri, const sparql_token *at)
{
  sparql_expr *e = parse_new_expr(p, EXPR_FUNCTION, at);
  size_t cap = 0;
  if (!e || !parse_take(p, TOKEN_LPAREN, "'(' and the arguments of a function")) return NULL;
  e->term = (rdf_term){.kind = RDF_IRI, .value = iri};
  if (!parse_maybe_word(p, &e->distinct, KW_DISTINCT)) return NULL;
  if (e->distinct && parse_is(p, TOKEN_RPAREN)) {
    parse_expected(p, "an expression");
    return NULL;
  }
  if (e->distinct && iri.len > sizeof(RDF_VEC) - 1 &&
      memcmp(iri.ptr, RDF_VEC, sizeof(RDF_VEC) - 1) == 0) {
    parse_fail_at(p, at->line, at->column, "found DISTINCT in a function, expected no such word");
    return NULL;
  }
  return parse_arguments(p, e, &cap) && parse_close_expr(p, e) ? e : NULL;
}
