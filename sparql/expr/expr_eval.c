/* sparql/expr/expr_eval.c - the evaluator for one row: operators, function forms, dispatch. */
#include "sparql/expr/expr_eval.h"

#include <assert.h>

#include "base/poison.h"

/* The functions whose arguments are all evaluated first, and may not be errors. */
static const expr_function functions[FN_COUNT_OF] = {
    [FN_STR] = fn_str,
    [FN_LANG] = fn_lang,
    [FN_LANGMATCHES] = fn_langmatches,
    [FN_DATATYPE] = fn_datatype,
    [FN_IRI] = fn_iri,
    [FN_BNODE] = fn_bnode,
    [FN_RAND] = fn_rand,
    [FN_ABS] = fn_abs,
    [FN_CEIL] = fn_rounding,
    [FN_FLOOR] = fn_rounding,
    [FN_ROUND] = fn_rounding,
    [FN_STRLEN] = fn_strlen,
    [FN_UCASE] = fn_case,
    [FN_LCASE] = fn_case,
    [FN_ENCODE_FOR_URI] = fn_encode_for_uri,
    [FN_CONTAINS] = fn_contains,
    [FN_STRSTARTS] = fn_contains,
    [FN_STRENDS] = fn_contains,
    [FN_STRBEFORE] = fn_strbefore,
    [FN_STRAFTER] = fn_strbefore,
    [FN_YEAR] = fn_component,
    [FN_MONTH] = fn_component,
    [FN_DAY] = fn_component,
    [FN_HOURS] = fn_component,
    [FN_MINUTES] = fn_component,
    [FN_SECONDS] = fn_component,
    [FN_TIMEZONE] = fn_timezone,
    [FN_TZ] = fn_tz,
    [FN_NOW] = fn_now,
    [FN_UUID] = fn_uuid,
    [FN_STRUUID] = fn_uuid,
    [FN_MD5] = fn_hash,
    [FN_SHA1] = fn_hash,
    [FN_SHA256] = fn_hash,
    [FN_SHA384] = fn_hash,
    [FN_SHA512] = fn_hash,
    [FN_STRLANG] = fn_strlang,
    [FN_STRDT] = fn_strdt,
    [FN_SAMETERM] = fn_sameterm,
    [FN_ISIRI] = fn_is,
    [FN_ISBLANK] = fn_is,
    [FN_ISLITERAL] = fn_is,
    [FN_ISNUMERIC] = fn_is,
    [FN_REGEX] = fn_regex,
    [FN_SUBSTR] = fn_substr,
    [FN_REPLACE] = fn_replace,
};

size_t
expr_text_room(const sparql_eval *ev)
{
  const sparql_context *ctx = ev->ctx;
  uint64_t used = ctx->memory_used + ev->arena->used;
  return used < ctx->memory_limit ? (size_t)(ctx->memory_limit - used) : 0;
}

quoin_status
expr_text_new(char **out, sparql_eval *ev, size_t len, quoin_error *err)
{
  /* a small one always: the budget is the business of those who keep things */
  if (len > 4096 && len > expr_text_room(ev))
    return base_fail(err, QUOIN_ERR_LIMIT,
                     "a string of %zu bytes is beyond the memory budget of the query", len);
  *out = base_arena_bytes(ev->arena, len);
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

static void
set_truth(sparql_value *out, int truth)
{
  if (truth < 0)
    value_set(out, VALUE_ERROR);
  else
    value_set_boolean(out, truth);
}

quoin_status
expr_eval_ebv(int *out, sparql_eval *ev, const sparql_expr *expr, quoin_error *err)
{
  sparql_value v;
  quoin_status st = expr_eval(&v, ev, expr, err);
  return st ? st : value_ebv(out, &v, ev->ctx, ev->arena, err);
}

/* 17.2: an error on one side gives way to what decides on the other. */
static quoin_status
eval_logic(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  const int decides = e->op == EXPR_OR;
  bool error = false;
  for (size_t i = 0; i < e->n_args; i++) {
    int truth;
    quoin_status st = expr_eval_ebv(&truth, ev, e->args[i], err);
    if (st) return st;
    if (truth == decides) {
      value_set_boolean(out, decides);
      return QUOIN_OK;
    }
    if (truth < 0) error = true;
  }
  set_truth(out, error ? -1 : !decides);
  return QUOIN_OK;
}

static quoin_status
eval_not(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  int truth;
  quoin_status st = expr_eval_ebv(&truth, ev, e->args[0], err);
  if (!st) set_truth(out, truth < 0 ? -1 : !truth);
  return st;
}

static quoin_status
eval_pair(sparql_value *a, sparql_value *b, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  quoin_status st = expr_eval(a, ev, e->args[0], err);
  return st ? st : expr_eval(b, ev, e->args[1], err);
}

static quoin_status
eval_equal(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  sparql_value a, b;
  int truth = -1;
  quoin_status st = eval_pair(&a, &b, ev, e, err);
  if (!st) st = value_equal(&truth, &a, &b, ev->ctx, ev->arena, err);
  if (truth >= 0 && e->op == EXPR_NE) truth = !truth;
  set_truth(out, truth);
  return st;
}

static quoin_status
eval_order(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  sparql_value a, b;
  int order = VALUE_INCOMPARABLE;
  quoin_status st = eval_pair(&a, &b, ev, e, err);
  if (!st) st = value_order(&order, &a, &b, ev->ctx, ev->arena, err);
  int truth = -1;
  if (order == VALUE_UNORDERED)
    truth = 0;
  else if (order != VALUE_INCOMPARABLE)
    truth = e->op == EXPR_LT   ? order < 0
            : e->op == EXPR_GT ? order > 0
            : e->op == EXPR_LE ? order <= 0
                               : order >= 0;
  set_truth(out, truth);
  return st;
}

static quoin_status
eval_in(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  sparql_value left;
  bool error = false;
  quoin_status st = expr_eval(&left, ev, e->args[0], err);
  value_set(out, VALUE_ERROR);
  if (st || (left.kind == VALUE_ERROR && e->n_args > 1)) return st;
  for (size_t i = 1; i < e->n_args; i++) {
    sparql_value v;
    int equal = -1;
    if ((st = expr_eval(&v, ev, e->args[i], err))) return st;
    if ((st = value_equal(&equal, &left, &v, ev->ctx, ev->arena, err))) return st;
    if (equal > 0) {
      value_set_boolean(out, e->op == EXPR_IN);
      return QUOIN_OK;
    }
    if (equal < 0) error = true;
  }
  if (!error) value_set_boolean(out, e->op == EXPR_NOT_IN);
  return QUOIN_OK;
}

static quoin_status
eval_arithmetic(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  sparql_value a, b;
  quoin_status st = expr_eval(&a, ev, e->args[0], err);
  value_set(out, VALUE_ERROR);
  if (st) return st;
  if (e->op == EXPR_MINUS) return value_negate(out, &a, ev->arena, err);
  if (e->op == EXPR_PLUS) {
    if (value_is_numeric(&a)) *out = a;
    return QUOIN_OK;
  }
  if ((st = expr_eval(&b, ev, e->args[1], err))) return st;
  return value_arithmetic(out, e->op, &a, &b, ev->arena, err);
}

static quoin_status
eval_if(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  int truth;
  value_set(out, VALUE_ERROR);
  quoin_status st = expr_eval_ebv(&truth, ev, e->args[0], err);
  if (st || truth < 0) return st;
  return expr_eval(out, ev, e->args[truth ? 1 : 2], err);
}

static quoin_status
eval_coalesce(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  value_set(out, VALUE_ERROR);
  for (size_t i = 0; i < e->n_args && out->kind == VALUE_ERROR; i++) {
    quoin_status st = expr_eval(out, ev, e->args[i], err);
    if (st) return st;
  }
  return QUOIN_OK;
}

static quoin_status
eval_strict(sparql_value *out, sparql_eval *ev, const sparql_expr *e, expr_function call,
            quoin_error *err)
{
  sparql_value args[EXPR_ARGS];
  value_set(out, VALUE_ERROR);
  if (e->n_args > EXPR_ARGS) return QUOIN_OK;
  for (size_t i = 0; i < e->n_args; i++) {
    quoin_status st = expr_eval(&args[i], ev, e->args[i], err);
    if (st || args[i].kind == VALUE_ERROR) return st;
  }
  return call(out, ev, e, args, err);
}

static quoin_status
eval_builtin(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  switch ((int)e->builtin) {
  case FN_BOUND:
    value_set_boolean(out, ev->batch && expr_column_at(ev->batch, e->args[0]->var, ev->row).bits);
    return QUOIN_OK;
  case FN_IF:
    return eval_if(out, ev, e, err);
  case FN_COALESCE:
    return eval_coalesce(out, ev, e, err);
  case FN_CONCAT:
    return fn_concat(out, ev, e, err);
  default:
    assert(functions[e->builtin]);
    return eval_strict(out, ev, e, functions[e->builtin], err);
  }
}

static quoin_status
eval_exists(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  bool found = false;
  assert(ev->ctx->exists && ev->batch);
  quoin_status st = ev->ctx->exists(&found, ev->ctx, e, ev->batch, ev->row, err);
  value_set_boolean(out, found == (e->op == EXPR_EXISTS));
  return st;
}

static quoin_status
eval_op(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  value_set(out, VALUE_ERROR);
  switch (e->op) {
  case EXPR_VAR:
    if (!ev->batch) return QUOIN_OK;
    return value_of_id(out, ev->ctx, expr_column_at(ev->batch, e->var, ev->row), ev->arena, err);
  case EXPR_TERM: {
    quoin_status st = value_of_term(out, &e->term, ev->arena, err);
    return st ? st : sparql_intern(&out->id, ev->ctx, &e->term, err);
  }
  case EXPR_OR:
  case EXPR_AND:
    return eval_logic(out, ev, e, err);
  case EXPR_NOT:
    return eval_not(out, ev, e, err);
  case EXPR_EQ:
  case EXPR_NE:
    return eval_equal(out, ev, e, err);
  case EXPR_LT:
  case EXPR_GT:
  case EXPR_LE:
  case EXPR_GE:
    return eval_order(out, ev, e, err);
  case EXPR_IN:
  case EXPR_NOT_IN:
    return eval_in(out, ev, e, err);
  case EXPR_ADD:
  case EXPR_SUB:
  case EXPR_MUL:
  case EXPR_DIV:
  case EXPR_PLUS:
  case EXPR_MINUS:
    return eval_arithmetic(out, ev, e, err);
  case EXPR_BUILTIN:
    return eval_builtin(out, ev, e, err);
  case EXPR_FUNCTION:
    return eval_strict(out, ev, e, fn_is_vec(e) ? fn_vec : fn_cast, err);
  case EXPR_EXISTS:
  case EXPR_NOT_EXISTS:
    return eval_exists(out, ev, e, err);
  case EXPR_AGGREGATE:
    break; /* replaced by a variable before expressions are evaluated */
  }
  return QUOIN_OK;
}

/* Evaluated once, into the arena of the run. */
static quoin_status
eval_constant(expr_info *info, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  sparql_eval lasting = {.ctx = ev->ctx, .run = ev->run, .arena = &ev->ctx->arena};
  atom_id id;
  quoin_status st = eval_op(&info->value, &lasting, e, err);
  if (!st && info->value.kind != VALUE_ERROR) {
    if (!(st = value_text(&info->value, ev->ctx, lasting.arena, err)))
      st = value_id(&id, &info->value, ev->ctx, lasting.arena, err);
  }
  info->has_value = !st;
  return st;
}

quoin_status
expr_eval(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  if (e->op == EXPR_VAR) return eval_op(out, ev, e, err);
  expr_info *info;
  quoin_status st = expr_info_get(&info, ev->ctx, e, err);
  if (st) return st;
  if (!info->constant) return eval_op(out, ev, e, err);
  if (!info->has_value && (st = eval_constant(info, ev, e, err))) return st;
  *out = info->value;
  return QUOIN_OK;
}
