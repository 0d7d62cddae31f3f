/* sparql/expr/expr_info.c - what the planner asks of an expression: is it executed, what does it
 * mention, which range does it imply. */
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

quoin_status
sparql_expr_supported(const sparql_expr *expr, quoin_error *err)
{
  if (expr->op == EXPR_FUNCTION && fn_cast_type(expr) == XSD_NONE && !fn_is_vec(expr)) {
    quoin_span iri = expr->term.value;
    int len = iri.len > 300 ? 300 : (int)iri.len;
    if (xsd_type_of(iri) != XSD_NONE)
      return base_fail_pos(err, QUOIN_ERR_UNSUPPORTED, NULL, expr->line, expr->column,
                           "the cast <%.*s> takes one argument, found %zu", len, iri.ptr,
                           expr->n_args);
    return base_fail_pos(
        err, QUOIN_ERR_UNSUPPORTED, NULL, expr->line, expr->column,
        "the function <%.*s> is not known with %zu arguments: expected a cast of XML "
        "Schema or a function of vec:",
        len, iri.ptr, expr->n_args);
  }
  for (size_t i = 0; i < expr->n_args; i++) {
    quoin_status st = sparql_expr_supported(expr->args[i], err);
    if (st) return st;
  }
  return QUOIN_OK;
}

/* ---- variables ---- */

static void
node_vars(const sparql_node *node, bool *bits)
{
  if (node->var != SPARQL_NO_VAR) bits[node->var] = true;
}

/* Which members of an algebra node are set depends on its op; the others are zero. */
void
sparql_algebra_vars(const sparql_algebra *a, bool *bits)
{
  if (!a) return;
  sparql_algebra_vars(a->left, bits);
  sparql_algebra_vars(a->right, bits);
  for (size_t i = 0; i < a->n_triples; i++) {
    node_vars(&a->triples[i].subject, bits);
    node_vars(&a->triples[i].predicate, bits);
    node_vars(&a->triples[i].object, bits);
  }
  if (a->op == ALGEBRA_PATH) {
    node_vars(&a->subject, bits);
    node_vars(&a->object, bits);
  }
  if (a->op == ALGEBRA_GRAPH || a->op == ALGEBRA_SERVICE) node_vars(&a->node, bits);
  if (a->op == ALGEBRA_NEAREST) {
    node_vars(&a->subject, bits);
    node_vars(&a->object, bits);
    bits[a->var] = true;
  }
  if (a->op == ALGEBRA_EXTEND) bits[a->var] = true;
  for (size_t i = 0; i < a->n_exprs; i++)
    sparql_expr_vars(a->exprs[i], bits);
  for (size_t i = 0; i < a->n_vars; i++)
    bits[a->vars[i]] = true;
  for (size_t i = 0; i < a->n_keys; i++) {
    if (a->keys[i].var != SPARQL_NO_VAR) bits[a->keys[i].var] = true;
    if (a->keys[i].expr) sparql_expr_vars(a->keys[i].expr, bits);
  }
  for (size_t i = 0; i < a->n_aggregates; i++) {
    bits[a->aggregates[i].var] = true;
    sparql_expr_vars(a->aggregates[i].expr, bits);
  }
  for (size_t i = 0; i < a->n_order; i++)
    sparql_expr_vars(a->order[i].expr, bits);
}

void
sparql_expr_vars(const sparql_expr *expr, bool *bits)
{
  if (expr->op == EXPR_VAR) bits[expr->var] = true;
  for (size_t i = 0; i < expr->n_args; i++)
    sparql_expr_vars(expr->args[i], bits);
  if (expr->op == EXPR_EXISTS || expr->op == EXPR_NOT_EXISTS)
    sparql_algebra_vars(expr->pattern, bits);
}

/* ---- ranges ---- */

static bool
is_order(sparql_op op)
{
  return op == EXPR_LT || op == EXPR_GT || op == EXPR_LE || op == EXPR_GE || op == EXPR_EQ;
}

static sparql_op
mirrored(sparql_op op)
{
  return op == EXPR_LT   ? EXPR_GT
         : op == EXPR_GT ? EXPR_LT
         : op == EXPR_LE ? EXPR_GE
         : op == EXPR_GE ? EXPR_LE
                         : op;
}

static int64_t
clamp_ms(number_wide ms)
{
  return ms > INT64_MAX ? INT64_MAX : ms < INT64_MIN ? INT64_MIN : (int64_t)ms;
}

/* One step of xsd:float wide: a decimal is promoted to float beside a float, so 0.1000000001 <=
 * "0.1" of a float column and the like must stay inside. */
static bool
number_range(sparql_range *out, sparql_op op, const sparql_value *v)
{
  double d = value_to_double(v);
  if (isnan(d)) return false;
  double lo = (double)nextafterf((float)d, -HUGE_VALF),
         hi = (double)nextafterf((float)d, HUGE_VALF);
  if (lo > d) lo = d;
  if (hi < d) hi = d;
  if (isinf(d) && d > 0) hi = d, lo = (double)nextafterf(HUGE_VALF, 0);
  if (isinf(d) && d < 0) lo = d, hi = (double)nextafterf(-HUGE_VALF, 0);
  out->lo = op == EXPR_LT || op == EXPR_LE ? -HUGE_VAL : lo;
  out->hi = op == EXPR_GT || op == EXPR_GE ? HUGE_VAL : hi;
  return true;
}

/* 14 hours wide: a time without zone is before or after one with a zone from there on. */
static bool
time_range(sparql_range *out, sparql_op op, const sparql_datetime *t)
{
  const number_wide ms = 1000000000000000, slack = 14 * 3600000 + 1;
  if (t->type != DATETIME_DATETIME && t->type != DATETIME_DATE) return false;
  out->temporal = true;
  out->lo_ms = op == EXPR_LT || op == EXPR_LE ? INT64_MIN : clamp_ms(t->at / ms - slack);
  out->hi_ms = op == EXPR_GT || op == EXPR_GE ? INT64_MAX : clamp_ms(t->at / ms + slack);
  return true;
}

static bool
comparison_range(sparql_range *out, const sparql_expr *e)
{
  const sparql_expr *var = e->args[0], *constant = e->args[1];
  sparql_op op = e->op;
  if (var->op != EXPR_VAR) {
    const sparql_expr *swap = var;
    var = constant;
    constant = swap;
    op = mirrored(op);
  }
  bool minus = constant->op == EXPR_MINUS && constant->n_args == 1;
  const sparql_expr *term = minus ? constant->args[0] : constant;
  if (var->op != EXPR_VAR || term->op != EXPR_TERM || term->term.kind != RDF_LITERAL) return false;

  base_arena arena;
  sparql_value v;
  bool found = false;
  base_arena_init(&arena, base_alloc_default());
  *out = (sparql_range){
      .var = var->var, .lo = -HUGE_VAL, .hi = HUGE_VAL, .lo_ms = INT64_MIN, .hi_ms = INT64_MAX};
  quoin_status st = value_of_term(&v, &term->term, &arena, NULL);
  if (!st && minus) st = value_negate(&v, &v, &arena, NULL);
  if (!st && value_is_numeric(&v)) found = number_range(out, op, &v);
  if (!st && v.kind == VALUE_DATETIME && !minus) found = time_range(out, op, &v.time);
  base_arena_clear(&arena);
  return found;
}

bool
sparql_expr_range(sparql_range *out, const sparql_expr *expr)
{
  if (is_order(expr->op)) return comparison_range(out, expr);
  if (expr->op != EXPR_AND) return false;
  bool found = false;
  for (size_t i = 0; i < expr->n_args; i++) { /* all on one variable narrow each other */
    sparql_range next;
    if (!sparql_expr_range(&next, expr->args[i])) continue;
    if (!found) {
      *out = next;
    } else if (next.var == out->var && next.temporal == out->temporal) {
      if (next.lo > out->lo) out->lo = next.lo;
      if (next.hi < out->hi) out->hi = next.hi;
      if (next.lo_ms > out->lo_ms) out->lo_ms = next.lo_ms;
      if (next.hi_ms < out->hi_ms) out->hi_ms = next.hi_ms;
    }
    found = true;
  }
  return found;
}
