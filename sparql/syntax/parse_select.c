/* sparql/syntax/parse_select.c - SELECT, sub-SELECT and solution modifiers (grammar rules 7-9,
 * 18-28) to algebra (sections 18.2.4, 18.2.5).
 *
 * The order is that of the specification: grouping, HAVING, VALUES, the expressions of SELECT,
 * ORDER BY, projection, DISTINCT, slice. */
#include "sparql/syntax/parse.h"

#include <assert.h>

#include "base/poison.h"

typedef struct select_item {
  sparql_var var;
  sparql_expr *expr; /* NULL: the variable itself */
  sparql_token at;
} select_item;

typedef struct select_clause {
  sparql_token at;
  bool distinct, reduced, all;
  select_item *items;
  size_t n, cap;
  parse_modifiers modifiers;
} select_clause;

/* ---- the SELECT clause
 * ---------------------------------------------------------------------------------- */

/* "(expression AS ?variable)" behind its '('. */
static bool
expr_as(sparql_parser *p, sparql_expr **expr, sparql_token *name, sparql_var *var)
{
  if (!(*expr = parse_expression(p)) || !parse_take_word(p, KW_AS)) return false;
  *name = p->token;
  return parse_var(p, var) && parse_take(p, TOKEN_RPAREN, "')'");
}

static bool
select_items(sparql_parser *p, select_clause *s)
{
  while (parse_is(p, TOKEN_VAR) || parse_is(p, TOKEN_LPAREN)) {
    select_item item = {.at = p->token};
    if (parse_is(p, TOKEN_VAR)) {
      if (!parse_var(p, &item.var)) return false;
    } else if (!parse_advance(p) || !expr_as(p, &item.expr, &item.at, &item.var)) {
      return false;
    }
    if (!PARSE_PUSH(p, s->items, s->n, s->cap, item)) return false;
  }
  return s->n > 0 || parse_expected(p, "'*', a variable or '('");
}

static bool
take_select_clause(sparql_parser *p, select_clause *s)
{
  s->at = p->token;
  p->aggregates = &s->modifiers.aggregates;
  if (!parse_take_word(p, KW_SELECT) || !parse_maybe_word(p, &s->distinct, KW_DISTINCT))
    return false;
  if (!s->distinct && !parse_maybe_word(p, &s->reduced, KW_REDUCED)) return false;
  if (!parse_maybe(p, &s->all, TOKEN_STAR)) return false;
  if (!s->all && !select_items(p, s)) return false;
  p->aggregates = NULL;
  return true;
}

/* ---- modifiers
 * ------------------------------------------------------------------------------------------ */

/* GroupCondition. */
static bool
group_condition(sparql_parser *p, parse_modifiers *m)
{
  sparql_group_key key = {.var = SPARQL_NO_VAR};
  sparql_token name = p->token;
  if (parse_is(p, TOKEN_VAR)) {
    if (!parse_var(p, &key.var)) return false;
  } else if (parse_is(p, TOKEN_LPAREN)) {
    bool named;
    if (!parse_advance(p) || !(key.expr = parse_expression(p)) ||
        !parse_maybe_word(p, &named, KW_AS))
      return false;
    name = p->token;
    if (named && !parse_var(p, &key.var)) return false;
    if (!parse_take(p, TOKEN_RPAREN, named ? "')'" : "')', AS or an operator")) return false;
    if (named && parse_is_visible(p, key.var))
      return parse_fail_at(p, name.line, name.column,
                           "found a variable that has a value already, expected a new one behind "
                           "AS");
    if (named && !parse_see(p, key.var)) return false;
  } else if (!(key.expr = parse_constraint(p, "a variable, '(' or a function"))) {
    return false;
  }
  if (key.expr && key.expr->op == EXPR_VAR && key.var == SPARQL_NO_VAR) {
    key.var = key.expr->var; /* (?x) is ?x */
    key.expr = NULL;
  }
  if (key.var == SPARQL_NO_VAR && !parse_hidden_var(p, &key.var)) return false;
  return PARSE_PUSH(p, m->keys, m->n_keys, m->cap_keys, key);
}

static bool
group_clause(sparql_parser *p, parse_modifiers *m)
{
  if (!parse_maybe_word(p, &m->grouped, KW_GROUP)) return false;
  if (!m->grouped) return true;
  if (!parse_take_word(p, KW_BY)) return false;
  do {
    if (!group_condition(p, m)) return false;
  } while (parse_is(p, TOKEN_VAR) || parse_is_constraint(p));
  return true;
}

static bool
having_clause(sparql_parser *p, parse_modifiers *m)
{
  bool taken;
  if (!parse_maybe_word(p, &taken, KW_HAVING)) return false;
  if (!taken) return true;
  do {
    sparql_expr *e = parse_constraint(p, "'(' or a function");
    if (!e || !PARSE_PUSH(p, m->having, m->n_having, m->cap_having, e)) return false;
  } while (parse_is_constraint(p));
  return true;
}

/* OrderCondition. */
static bool
order_condition(sparql_parser *p, parse_modifiers *m)
{
  sparql_order_key key = {.descending = parse_is_word(p, KW_DESC)};
  if (parse_is_word(p, KW_ASC) || key.descending) {
    if (!parse_advance(p)) return false;
    key.expr = parse_bracketed(p);
  } else if (parse_is(p, TOKEN_VAR)) {
    key.expr = parse_new_expr(p, EXPR_VAR, &p->token);
    if (key.expr && !parse_var(p, &key.expr->var)) return false;
  } else {
    key.expr = parse_constraint(p, "ASC, DESC, a variable, '(' or a function");
  }
  return key.expr && PARSE_PUSH(p, m->order, m->n_order, m->cap_order, key);
}

static bool
order_clause(sparql_parser *p, parse_modifiers *m)
{
  bool taken;
  if (!parse_maybe_word(p, &taken, KW_ORDER)) return false;
  if (!taken) return true;
  if (!parse_take_word(p, KW_BY)) return false;
  do {
    if (!order_condition(p, m)) return false;
  } while (parse_is(p, TOKEN_VAR) || parse_is_constraint(p) || parse_is_word(p, KW_ASC) ||
           parse_is_word(p, KW_DESC));
  return true;
}

/* LimitOffsetClauses: each at most once, in either order. */
static bool
slice_clauses(sparql_parser *p, parse_modifiers *m)
{
  bool limit = false, offset = false;
  m->limit = UINT64_MAX;
  for (;;) {
    if (!limit && parse_is_word(p, KW_LIMIT)) {
      limit = true;
      if (!parse_advance(p) || !parse_unsigned(p, &m->limit)) return false;
    } else if (!offset && parse_is_word(p, KW_OFFSET)) {
      offset = true;
      if (!parse_advance(p) || !parse_unsigned(p, &m->offset)) return false;
    } else {
      m->sliced = limit || offset;
      return true;
    }
  }
}

bool
parse_solution_modifiers(sparql_parser *p, parse_modifiers *m)
{
  m->at = p->token;
  if (!group_clause(p, m)) return false;
  p->aggregates = &m->aggregates;
  if (!having_clause(p, m) || !order_clause(p, m)) return false;
  p->aggregates = NULL;
  if (!slice_clauses(p, m)) return false;
  if (!parse_is_word(p, KW_VALUES)) return true;
  sparql_token at = p->token;
  return parse_advance(p) && (m->values = parse_data_block(p, &at)) != NULL;
}

/* ---- grouping
 * ------------------------------------------------------------------------------------------ */

/* Outside of aggregates, HAVING and ORDER BY see SAMPLE of a variable that is no key (18.2.4.1).
 * The set in work holds what they may see as it is. Patterns of EXISTS are left as they are. */
static bool
sample_others(sparql_parser *p, parse_modifiers *m, sparql_expr *e)
{
  for (size_t i = 0; i < e->n_args; i++)
    if (!sample_others(p, m, e->args[i])) return false;
  if (e->op != EXPR_VAR || parse_set_has(p, e->var)) return true;
  sparql_token at = {.line = e->line, .column = e->column};
  sparql_expr *aggregate = parse_new_expr(p, EXPR_AGGREGATE, &at);
  sparql_expr *arg = aggregate ? parse_new_expr(p, EXPR_VAR, &at) : NULL;
  size_t cap = 0;
  if (!arg) return false;
  arg->var = e->var;
  aggregate->aggregate = AGG_SAMPLE;
  return PARSE_PUSH(p, aggregate->args, aggregate->n_args, cap, arg) &&
         parse_close_expr(p, aggregate) &&
         parse_add_aggregate(p, &m->aggregates, aggregate, &e->var);
}

static bool
is_grouped(const parse_modifiers *m)
{
  return m->grouped || m->aggregates.n > 0;
}

/* The set of what is seen behind GROUP: keys and aggregates. */
static void
grouped_set(sparql_parser *p, const parse_modifiers *m)
{
  parse_set_begin(p);
  for (size_t i = 0; i < m->n_keys; i++)
    parse_set_add(p, m->keys[i].var);
  for (size_t i = 0; i < m->aggregates.n; i++)
    parse_set_add(p, m->aggregates.items[i].var);
}

static sparql_algebra *
apply_group(sparql_parser *p, parse_modifiers *m, sparql_algebra *left)
{
  sparql_algebra *node = parse_new_node(p, ALGEBRA_GROUP, &m->at);
  if (!node) return NULL;
  node->left = left;
  node->keys = m->keys;
  node->n_keys = m->n_keys;
  node->aggregates = m->aggregates.items;
  node->n_aggregates = m->aggregates.n;
  node->grouped = m->grouped;
  return parse_close_node(p, node) ? node : NULL;
}

static sparql_algebra *
apply_grouping(sparql_parser *p, parse_modifiers *m, sparql_algebra *left)
{
  if (left && is_grouped(m)) {
    grouped_set(p, m);
    for (size_t i = 0; i < m->n_having; i++)
      if (!sample_others(p, m, m->having[i])) return NULL;
    left = apply_group(p, m, left);
  }
  if (left && m->n_having) {
    sparql_algebra *node = parse_new_node(p, ALGEBRA_FILTER, &m->at);
    if (!node) return NULL;
    node->left = left;
    node->exprs = m->having;
    node->n_exprs = m->n_having;
    left = parse_close_node(p, node) ? node : NULL;
  }
  return m->values ? parse_join(p, left, m->values, &m->at) : left;
}

static sparql_algebra *
apply_order(sparql_parser *p, const parse_modifiers *m, sparql_algebra *left)
{
  if (!left || m->n_order == 0) return left;
  sparql_algebra *node = parse_new_node(p, ALGEBRA_ORDER, &m->at);
  if (!node) return NULL;
  node->left = left;
  node->order = m->order;
  node->n_order = m->n_order;
  return parse_close_node(p, node) ? node : NULL;
}

static sparql_algebra *
apply_slice(sparql_parser *p, const parse_modifiers *m, sparql_algebra *left)
{
  if (!left || !m->sliced) return left;
  sparql_algebra *node = parse_unary_node(p, ALGEBRA_SLICE, left, &m->at);
  if (!node) return NULL;
  node->offset = m->offset;
  node->limit = m->limit;
  return node;
}

/* ORDER BY behind GROUP sees keys and aggregates, and what SELECT names: `seen`. */
static bool
sample_order(sparql_parser *p, parse_modifiers *m, const sparql_var *seen, size_t n_seen)
{
  if (!is_grouped(m)) return true;
  grouped_set(p, m);
  for (size_t i = 0; i < n_seen; i++)
    parse_set_add(p, seen[i]);
  for (size_t i = 0; i < m->n_order; i++)
    if (!sample_others(p, m, m->order[i].expr)) return false;
  return true;
}

sparql_algebra *
parse_apply_modifiers(sparql_parser *p, parse_modifiers *m, sparql_algebra *left)
{
  if (!left || !sample_order(p, m, NULL, 0)) return NULL;
  return apply_slice(p, m, apply_order(p, m, apply_grouping(p, m, left)));
}

/* ---- projection
 * ----------------------------------------------------------------------------------------- */

bool
parse_all_visible(sparql_parser *p, sparql_var **out, size_t *n)
{
  size_t cap = 0;
  parse_set_begin(p);
  for (size_t i = p->group_mark; i < p->n_seen; i++) {
    sparql_var var = p->seen[i].var;
    if (p->vars[var].unseen || !parse_set_add(p, var)) continue;
    if (!PARSE_PUSH(p, *out, *n, cap, var)) return false;
  }
  return true;
}

static bool
fail_item(sparql_parser *p, const select_item *item, const char *found, const char *expected)
{
  quoin_span name = item->at.value;
  return parse_fail_at(p, item->at.line, item->at.column, "found '?%.*s'%s, expected %s",
                       (int)(name.len < 80 ? name.len : 80), name.ptr, found, expected);
}

/* Every variable of `e` outside of aggregates must be in the set in work. */
static bool
check_grouped_expr(sparql_parser *p, const sparql_expr *e)
{
  for (size_t i = 0; i < e->n_args; i++)
    if (!check_grouped_expr(p, e->args[i])) return false;
  if (e->op != EXPR_VAR || parse_set_has(p, e->var)) return true;
  return parse_fail_at(p, e->line, e->column,
                       "found a variable that is neither grouped nor in an aggregate, expected one "
                       "of GROUP BY");
}

static bool
check_grouped(sparql_parser *p, const select_clause *s)
{
  if (s->all)
    return parse_fail_at(p, s->at.line, s->at.column,
                         "found SELECT * with GROUP BY, expected the variables by name");
  grouped_set(p, &s->modifiers);
  for (size_t i = 0; i < s->n; i++) {
    const select_item *item = &s->items[i];
    if (item->expr) {
      if (!check_grouped_expr(p, item->expr)) return false;
      parse_set_add(p, item->var); /* later expressions may use it */
    } else if (!parse_set_has(p, item->var)) {
      return fail_item(p, item, " that is neither grouped nor in an aggregate",
                       "a variable of GROUP BY or an aggregate");
    }
  }
  return true;
}

/* The columns, each once; and no AS of a variable that is there already. */
static bool
project(sparql_parser *p, select_clause *s, sparql_var **out, size_t *n)
{
  size_t cap = 0;
  if (s->all) return parse_all_visible(p, out, n);
  parse_set_begin(p);
  for (size_t i = 0; i < s->n; i++) {
    const select_item *item = &s->items[i];
    if (item->expr && (parse_set_has(p, item->var) || parse_is_visible(p, item->var)))
      return fail_item(p, item, " that has a value already", "a new variable behind AS");
    if (parse_set_add(p, item->var) && !PARSE_PUSH(p, *out, *n, cap, item->var)) return false;
  }
  return true;
}

static sparql_algebra *
apply_extends(sparql_parser *p, const select_clause *s, sparql_algebra *left)
{
  for (size_t i = 0; left && i < s->n; i++) {
    if (!s->items[i].expr) continue;
    sparql_algebra *node = parse_new_node(p, ALGEBRA_EXTEND, &s->items[i].at);
    if (!node) return NULL;
    node->left = left;
    node->var = s->items[i].var;
    node->exprs = &s->items[i].expr;
    node->n_exprs = 1;
    left = parse_close_node(p, node) ? node : NULL;
  }
  return left;
}

/* The whole SELECT over the pattern `where`; its columns into *columns. */
static sparql_algebra *
finish_select(sparql_parser *p, select_clause *s, sparql_algebra *where, sparql_var **columns,
              size_t *n_columns)
{
  parse_modifiers *m = &s->modifiers;
  if (!project(p, s, columns, n_columns)) return NULL;
  if (is_grouped(m) && !check_grouped(p, s)) return NULL;
  if (!sample_order(p, m, *columns, *n_columns)) return NULL;
  sparql_algebra *node = apply_grouping(p, m, where);
  node = apply_extends(p, s, node);
  node = apply_order(p, m, node);
  node = parse_unary_node(p, ALGEBRA_PROJECT, node, &s->at);
  if (!node) return NULL;
  node->vars = *columns;
  node->n_vars = *n_columns;
  if (s->distinct || s->reduced)
    node = parse_unary_node(p, s->distinct ? ALGEBRA_DISTINCT : ALGEBRA_REDUCED, node, &s->at);
  return apply_slice(p, m, node);
}

/* WhereClause, modifiers, VALUES. */
static sparql_algebra *
rest_of_select(sparql_parser *p, select_clause *s, sparql_var **columns, size_t *n_columns)
{
  bool taken;
  if (!parse_maybe_word(p, &taken, KW_WHERE)) return NULL;
  if (!parse_is(p, TOKEN_LBRACE)) {
    parse_expected(p, taken ? "'{'" : "WHERE or '{'");
    return NULL;
  }
  sparql_algebra *where = parse_group(p);
  if (!where || !parse_solution_modifiers(p, &s->modifiers)) return NULL;
  return finish_select(p, s, where, columns, n_columns);
}

/* Inside, all variables are new; outside, the projected ones are those of the same names. */
static bool
leave_scope(sparql_parser *p, const parse_scope *inner, const sparql_var *columns, size_t n)
{
  /* Names of the columns: the scope's table is walked once, not searched for each. */
  parse_set_begin(p);
  for (size_t i = 0; i < n; i++)
    parse_set_add(p, columns[i]);
  for (size_t i = 0; i < inner->names.cap; i++) {
    const name_slot *slot = &inner->names.slots[i];
    sparql_var outer;
    if (!slot->name.ptr || !parse_set_has(p, slot->value)) continue;
    if (!parse_var_named(p, &outer, slot->name)) return false;
    p->vars[slot->value].alias = outer;
    p->aliased = true;
  }
  for (size_t i = 0; i < n; i++) /* in the order of the columns */
    if (!parse_see(p, p->vars[columns[i]].alias)) return false;
  return true;
}

sparql_algebra *
parse_sub_select(sparql_parser *p)
{
  parse_aggregates *aggregates = p->aggregates;
  bool in_aggregate = p->in_aggregate;
  size_t mark = p->group_mark;
  select_clause *s = base_arena_new_zero(p->arena, 1, sizeof(*s));
  parse_scope *inner = base_arena_new_zero(p->arena, 1, sizeof(*inner));
  if (!s || !inner) return parse_nomem(p), NULL;
  inner->outer = p->scope;
  p->scope = inner;
  p->in_aggregate = false;
  p->group_mark = p->n_seen;
  sparql_var *columns = NULL;
  size_t n = 0;
  sparql_algebra *node = NULL;
  if (take_select_clause(p, s)) node = rest_of_select(p, s, &columns, &n);
  if (!node) return NULL;
  parse_unsee(p, p->group_mark);
  p->scope = inner->outer;
  p->group_mark = mark;
  p->aggregates = aggregates;
  p->in_aggregate = in_aggregate;
  return leave_scope(p, inner, columns, n) ? node : NULL;
}

/* ---- the query itself
 * ------------------------------------------------------------------------------------ */

bool
parse_select_query(sparql_parser *p)
{
  sparql_query *q = p->query;
  select_clause *s = base_arena_new_zero(p->arena, 1, sizeof(*s));
  if (!s) return parse_nomem(p);
  if (!take_select_clause(p, s) || !parse_dataset(p)) return false;
  return (q->root = rest_of_select(p, s, &q->columns, &q->n_columns)) != NULL;
}
