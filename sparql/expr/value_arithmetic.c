/* sparql/expr/value_arithmetic.c - + - * / with the promotions of SPARQL 1.1 section 17.3. */
#include "sparql/expr/value.h"

#include <assert.h>

#include "base/poison.h"

double
value_to_double(const sparql_value *v)
{
  assert(value_is_numeric(v));
  if (v->kind == VALUE_DOUBLE) return v->dbl;
  if (v->kind == VALUE_FLOAT) return (double)v->single;
  return number_to_double(&v->number);
}

float
value_to_float(const sparql_value *v)
{
  assert(value_is_numeric(v) && v->kind != VALUE_DOUBLE);
  return v->kind == VALUE_FLOAT ? v->single : number_to_float(&v->number);
}

static double
double_op(sparql_op op, double a, double b)
{
  return op == EXPR_ADD ? a + b : op == EXPR_SUB ? a - b : op == EXPR_MUL ? a * b : a / b;
}

static float
float_op(sparql_op op, float a, float b)
{
  return op == EXPR_ADD ? a + b : op == EXPR_SUB ? a - b : op == EXPR_MUL ? a * b : a / b;
}

static quoin_status
exact_op(sparql_value *out, sparql_op op, const sparql_value *a, const sparql_value *b,
         base_arena *arena, quoin_error *err)
{
  bool whole = a->kind == VALUE_INTEGER && b->kind == VALUE_INTEGER && op != EXPR_DIV;
  sparql_number n;
  quoin_status st;
  if (op == EXPR_ADD)
    st = number_add(&n, &a->number, &b->number, arena, err);
  else if (op == EXPR_SUB)
    st = number_sub(&n, &a->number, &b->number, arena, err);
  else if (op == EXPR_MUL)
    st = number_mul(&n, &a->number, &b->number, arena, err);
  else
    st = number_div(&n, &a->number, &b->number, arena, err);
  if (st == QUOIN_DONE) return QUOIN_OK; /* division by zero, or too large: the error is set */
  if (st) return st;
  if (!whole && n.scale == 0) { /* "3.0", also from decimals written without a point */
    sparql_number zero = {.scale = 1};
    if ((st = number_add(&n, &n, &zero, arena, err))) return st == QUOIN_DONE ? QUOIN_OK : st;
  }
  value_set_number(out, whole ? VALUE_INTEGER : VALUE_DECIMAL, &n);
  return QUOIN_OK;
}

static void
set_duration(sparql_value *out, const sparql_duration *d)
{
  value_set(out, VALUE_DURATION);
  out->duration = !d->months ? DURATION_DAY_TIME : !d->seconds ? DURATION_YEAR_MONTH : DURATION_ANY;
  out->length = *d;
}

/* Months and seconds of one sign, within what the lexical form may count again. */
static bool
duration_fits(const sparql_duration *d)
{
  const number_wide most = (number_wide)1 << 115;
  bool mixed = (d->months < 0 && d->seconds > 0) || (d->months > 0 && d->seconds < 0);
  return !mixed && d->seconds < most && d->seconds > -most && d->months < INT64_C(1) << 43 &&
         d->months > -(INT64_C(1) << 43);
}

/* Times and durations, beyond SPARQL 1.1 (its 17.3.1 allows more operators; XPath's op:add- and
 * op:subtract- functions): time - time, time +- duration, duration +- duration. */
static void
time_op(sparql_value *out, sparql_op op, const sparql_value *a, const sparql_value *b)
{
  bool minus = op == EXPR_SUB;
  if (op != EXPR_ADD && !minus) return;
  if (a->kind == VALUE_DURATION && b->kind == VALUE_DATETIME && !minus) { /* commutes */
    const sparql_value *swap = a;
    a = b;
    b = swap;
  }
  if (a->kind == VALUE_DATETIME && b->kind == VALUE_DATETIME) {
    sparql_duration gap = {.seconds = a->time.at - b->time.at};
    bool dates = a->time.type <= DATETIME_TIME && a->time.type == b->time.type &&
                 a->time.zoned == b->time.zoned;
    if (minus && dates) set_duration(out, &gap);
    return;
  }
  if (b->kind != VALUE_DURATION) return;
  sparql_duration d = b->length;
  if (minus) d.months = -d.months, d.seconds = -d.seconds;
  if (a->kind == VALUE_DATETIME) {
    sparql_datetime sum;
    if (!duration_fits(&d) || !datetime_add(&sum, &a->time, &d)) return;
    value_set(out, VALUE_DATETIME);
    out->time = sum;
  } else if (a->kind == VALUE_DURATION && duration_fits(&d) && duration_fits(&a->length)) {
    d.months += a->length.months;
    d.seconds += a->length.seconds;
    if (duration_fits(&d)) set_duration(out, &d);
  }
}

quoin_status
value_arithmetic(sparql_value *out, sparql_op op, const sparql_value *a, const sparql_value *b,
                 base_arena *arena, quoin_error *err)
{
  sparql_value result;
  value_set(&result, VALUE_ERROR);
  quoin_status st = QUOIN_OK;
  if (value_is_numeric(a) && value_is_numeric(b)) {
    if (a->kind <= VALUE_DECIMAL && b->kind <= VALUE_DECIMAL)
      st = exact_op(&result, op, a, b, arena, err);
    else if (a->kind == VALUE_DOUBLE || b->kind == VALUE_DOUBLE)
      value_set_double(&result, double_op(op, value_to_double(a), value_to_double(b)));
    else
      value_set_float(&result, float_op(op, value_to_float(a), value_to_float(b)));
  } else {
    time_op(&result, op, a, b);
  }
  *out = result;
  return st;
}

quoin_status
value_negate(sparql_value *out, const sparql_value *a, base_arena *arena, quoin_error *err)
{
  sparql_value result;
  value_set(&result, VALUE_ERROR);
  quoin_status st = QUOIN_OK;
  if (a->kind == VALUE_DOUBLE) {
    value_set_double(&result, -a->dbl);
  } else if (a->kind == VALUE_FLOAT) {
    value_set_float(&result, -a->single);
  } else if (value_is_numeric(a)) {
    sparql_number n;
    st = number_negate(&n, &a->number, arena, err);
    if (!st) value_set_number(&result, a->kind, &n);
    if (st == QUOIN_DONE) st = QUOIN_OK;
  }
  *out = result;
  return st;
}
