/* sparql/syntax/parse_core.c - tokens, errors, memory, variables and nodes of the parser. */
#include "sparql/syntax/parse.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/poison.h"

/* ---- errors
 * --------------------------------------------------------------------------------------- */

bool
parse_nomem(sparql_parser *p)
{
  p->status = base_fail_nomem(p->err);
  return false;
}

bool
parse_fail_at(sparql_parser *p, uint32_t line, uint32_t column, const char *fmt, ...)
{
  char message[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(message, sizeof(message), fmt, args);
  va_end(args);
  /* Text of the query may have been cut within a character. */
  message[base_utf8_valid(message, strlen(message))] = '\0';
  p->status = base_fail_pos(p->err, QUOIN_ERR_SYNTAX, NULL, line, column, "%s", message);
  return false;
}

bool
parse_expected(sparql_parser *p, const char *what)
{
  enum { SHOWN = 40 };
  quoin_span text = p->token.text;
  if (parse_is(p, TOKEN_END))
    return parse_fail_at(p, p->token.line, p->token.column, "found the end of the %s, expected %s",
                         p->what, what);
  const char *newline = memchr(text.ptr, '\n', text.len);
  size_t len = newline ? (size_t)(newline - text.ptr) : text.len;
  if (len > SHOWN) len = SHOWN;
  while (len > 0 && len < text.len && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
    len--;
  return parse_fail_at(p, p->token.line, p->token.column, "found '%.*s%s', expected %s", (int)len,
                       text.ptr, len < text.len ? "..." : "", what);
}

bool
parse_fail_with(sparql_parser *p, const sparql_token *at, quoin_status status,
                const quoin_error *err)
{
  if (status == QUOIN_ERR_SYNTAX) return parse_fail_at(p, at->line, at->column, "%s", err->message);
  p->status = base_fail(p->err, status, "%s", err->message);
  return false;
}

bool
parse_enter(sparql_parser *p)
{
  if (p->depth >= PARSE_MAX_DEPTH)
    return parse_fail_at(p, p->token.line, p->token.column,
                         "found more than %d levels of nesting, expected at most that",
                         (int)PARSE_MAX_DEPTH);
  p->depth++;
  return true;
}

/* ---- tokens
 * ------------------------------------------------------------------------------------------ */

bool
parse_advance(sparql_parser *p)
{
  p->behind = p->token.text.ptr + p->token.text.len;
  p->status = lexer_next(&p->token, &p->lexer, p->err);
  return p->status == QUOIN_OK;
}

bool
parse_take(sparql_parser *p, sparql_token_kind kind, const char *what)
{
  return parse_is(p, kind) ? parse_advance(p) : parse_expected(p, what);
}

bool
parse_take_word(sparql_parser *p, sparql_keyword keyword)
{
  return parse_is_word(p, keyword) ? parse_advance(p)
                                   : parse_expected(p, lexer_keyword_name(keyword));
}

bool
parse_maybe(sparql_parser *p, bool *taken, sparql_token_kind kind)
{
  *taken = parse_is(p, kind);
  return !*taken || parse_advance(p);
}

bool
parse_maybe_word(sparql_parser *p, bool *taken, sparql_keyword keyword)
{
  *taken = parse_is_word(p, keyword);
  return !*taken || parse_advance(p);
}

/* ---- memory
 * ------------------------------------------------------------------------------------------ */

bool
parse_grow(sparql_parser *p, void **items, size_t *cap, size_t n, size_t size)
{
  if (n < *cap) return true;
  size_t wider = *cap ? 2 * *cap : 4;
  void *grown = base_arena_new(p->arena, wider, size);
  if (!grown) return parse_nomem(p);
  if (n) memcpy(grown, *items, n * size);
  *items = grown;
  *cap = wider;
  return true;
}

/* ---- variables
 * --------------------------------------------------------------------------------------- */

static bool
new_var(sparql_parser *p, sparql_var *out, quoin_span name)
{
  sparql_query *q = p->query;
  if (!parse_grow(p, (void **)&p->vars, &p->cap_vars, q->n_vars, sizeof(*p->vars)) ||
      !parse_grow(p, (void **)&q->vars, &p->cap_names, q->n_vars, sizeof(*q->vars)))
    return false;
  p->vars[q->n_vars] = (parse_var_info){.alias = SPARQL_NO_VAR};
  q->vars[q->n_vars] = name;
  *out = q->n_vars++;
  return true;
}

bool
parse_hidden_var(sparql_parser *p, sparql_var *out)
{
  return new_var(p, out, (quoin_span){NULL, 0});
}

bool
parse_var_named(sparql_parser *p, sparql_var *out, quoin_span name)
{
  uint32_t found = name_map_find(&p->scope->names, name);
  if (found != NAME_NONE) {
    *out = found;
    return true;
  }
  /* Names are those of the query alone: the variables of a sub-SELECT are hidden outside of it, and
   * one that is projected is the outer one. */
  if (!new_var(p, out, p->scope->outer ? (quoin_span){NULL, 0} : name)) return false;
  return name_map_set(&p->scope->names, name, *out, p->arena) || parse_nomem(p);
}

bool
parse_is_visible(const sparql_parser *p, sparql_var var)
{
  return p->vars[var].seen > p->group_mark;
}

bool
parse_see(sparql_parser *p, sparql_var var)
{
  if (parse_is_visible(p, var)) return true;
  parse_seen entry = {var, p->vars[var].seen};
  if (!PARSE_PUSH(p, p->seen, p->n_seen, p->cap_seen, entry)) return false;
  p->vars[var].seen = (uint32_t)p->n_seen;
  return true;
}

void
parse_unsee(sparql_parser *p, size_t mark)
{
  while (p->n_seen > mark) {
    parse_seen *entry = &p->seen[--p->n_seen];
    p->vars[entry->var].seen = entry->before;
  }
}

void
parse_set_begin(sparql_parser *p)
{
  p->epoch++;
}

bool
parse_set_add(sparql_parser *p, sparql_var var)
{
  bool is_new = p->vars[var].mark != p->epoch;
  p->vars[var].mark = p->epoch;
  return is_new;
}

bool
parse_set_has(const sparql_parser *p, sparql_var var)
{
  return p->vars[var].mark == p->epoch;
}

/* ---- nodes
 * ------------------------------------------------------------------------------------------- */

sparql_expr *
parse_new_expr(sparql_parser *p, sparql_op op, const sparql_token *at)
{
  sparql_expr *e = base_arena_new_zero(p->arena, 1, sizeof(*e));
  if (!e) {
    parse_nomem(p);
    return NULL;
  }
  e->op = op;
  e->var = SPARQL_NO_VAR;
  e->index = p->query->n_exprs++;
  e->line = at->line;
  e->column = at->column;
  e->height = 1;
  return e;
}

static bool
check_height(sparql_parser *p, uint32_t height, uint32_t line, uint32_t column)
{
  if (height <= SPARQL_MAX_HEIGHT) return true;
  return parse_fail_at(p, line, column,
                       "found more than %d operations on top of each other, "
                       "expected at most that",
                       (int)SPARQL_MAX_HEIGHT);
}

bool
parse_close_expr(sparql_parser *p, sparql_expr *expr)
{
  uint32_t below = expr->pattern ? expr->pattern->height : 0;
  for (size_t i = 0; i < expr->n_args; i++)
    if (expr->args[i]->height > below) below = expr->args[i]->height;
  expr->height = below + 1;
  return check_height(p, expr->height, expr->line, expr->column);
}

sparql_algebra *
parse_new_node(sparql_parser *p, sparql_algebra_op op, const sparql_token *at)
{
  sparql_algebra *node = base_arena_new_zero(p->arena, 1, sizeof(*node));
  if (!node) {
    parse_nomem(p);
    return NULL;
  }
  node->op = op;
  node->var = node->node.var = node->subject.var = node->object.var = SPARQL_NO_VAR;
  node->limit = UINT64_MAX;
  node->index = p->query->n_nodes++;
  node->line = at->line;
  node->column = at->column;
  node->height = 1;
  return node;
}

static uint32_t
higher(uint32_t height, const sparql_expr *expr)
{
  return expr && expr->height > height ? expr->height : height;
}

bool
parse_close_node(sparql_parser *p, sparql_algebra *node)
{
  uint32_t below = 0;
  if (node->left) below = node->left->height;
  if (node->right && node->right->height > below) below = node->right->height;
  for (size_t i = 0; i < node->n_exprs; i++)
    below = higher(below, node->exprs[i]);
  for (size_t i = 0; i < node->n_keys; i++)
    below = higher(below, node->keys[i].expr);
  for (size_t i = 0; i < node->n_aggregates; i++)
    below = higher(below, node->aggregates[i].expr);
  for (size_t i = 0; i < node->n_order; i++)
    below = higher(below, node->order[i].expr);
  node->height = below + 1;
  return check_height(p, node->height, node->line, node->column);
}

sparql_algebra *
parse_unary_node(sparql_parser *p, sparql_algebra_op op, sparql_algebra *left,
                 const sparql_token *at)
{
  sparql_algebra *node = left ? parse_new_node(p, op, at) : NULL;
  if (!node) return NULL;
  node->left = left;
  return parse_close_node(p, node) ? node : NULL;
}

/* Joining with one empty solution changes nothing (section 18.2.2.8). */
sparql_algebra *
parse_join(sparql_parser *p, sparql_algebra *left, sparql_algebra *right, const sparql_token *at)
{
  if (!left || !right) return NULL;
  if (left->op == ALGEBRA_UNIT) return right;
  if (right->op == ALGEBRA_UNIT) return left;
  sparql_algebra *node = parse_new_node(p, ALGEBRA_JOIN, at);
  if (!node) return NULL;
  node->left = left;
  node->right = right;
  return parse_close_node(p, node) ? node : NULL;
}

bool
parse_start(sparql_parser *p, sparql_query *query, quoin_span text, quoin_span base,
            const char *what, quoin_error *err)
{
  *p = (sparql_parser){.query = query, .arena = &query->arena, .err = err, .what = what};
  query->text = base_arena_copy(p->arena, text);
  query->base = p->base = base_arena_copy(p->arena, base);
  p->scope = base_arena_new_zero(p->arena, 1, sizeof(*p->scope));
  if (!query->text.ptr || !query->base.ptr || !p->scope) return parse_nomem(p);
  p->status = lexer_init(&p->lexer, query->text, p->arena, err);
  p->token.text = (quoin_span){p->lexer.text.ptr, 0};
  return p->status == QUOIN_OK && parse_advance(p);
}
