/* sparql/expr/functions_time.c - functions on dates and times (SPARQL 1.1 section 17.4.5). */
#include "sparql/expr/expr_eval.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
fn_now(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
       quoin_error *err)
{
  (void)e;
  (void)args;
  return value_of_id(out, ev->ctx, ev->ctx->now_id, ev->arena, err);
}

/* Which types have the component: a bit per datetime_type. */
static unsigned
types_with(sparql_builtin component)
{
  const unsigned date = 1u << DATETIME_DATETIME | 1u << DATETIME_DATE;
  const unsigned clock = 1u << DATETIME_DATETIME | 1u << DATETIME_TIME;
  switch ((int)component) {
  case FN_YEAR:
    return date | 1u << DATETIME_GYEAR | 1u << DATETIME_GYEARMONTH;
  case FN_MONTH:
    return date | 1u << DATETIME_GYEARMONTH | 1u << DATETIME_GMONTHDAY | 1u << DATETIME_GMONTH;
  case FN_DAY:
    return date | 1u << DATETIME_GMONTHDAY | 1u << DATETIME_GDAY;
  default:
    return clock;
  }
}

/* An exact decimal, as many digits after the point as it needs. */
static void
set_seconds(sparql_value *out, const sparql_datetime *t)
{
  sparql_number n = {.small =
                         (number_wide)t->second * 1000000000000000000 + (number_wide)t->fraction,
                     .scale = 18};
  while (n.scale && n.small % 10 == 0)
    n.small /= 10, n.scale--;
  value_set_number(out, VALUE_DECIMAL, &n);
}

quoin_status
fn_component(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
             quoin_error *err)
{
  (void)ev;
  (void)err;
  const sparql_datetime *t = &args[0].time;
  if (args[0].kind != VALUE_DATETIME || !(types_with(e->builtin) >> t->type & 1u)) return QUOIN_OK;
  if (e->builtin == FN_SECONDS)
    set_seconds(out, t);
  else
    value_set_integer(out, e->builtin == FN_YEAR    ? t->year
                           : e->builtin == FN_MONTH ? t->month
                           : e->builtin == FN_DAY   ? t->day
                           : e->builtin == FN_HOURS ? t->hour
                                                    : t->minute);
  return QUOIN_OK;
}

quoin_status
fn_timezone(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
            quoin_error *err)
{
  (void)ev;
  (void)e;
  (void)err;
  if (args[0].kind != VALUE_DATETIME || !args[0].time.zoned) return QUOIN_OK;
  sparql_value v;
  value_set(&v, VALUE_ERROR);
  v.kind = VALUE_DURATION;
  v.duration = DURATION_DAY_TIME;
  v.length =
      (sparql_duration){.seconds = (number_wide)args[0].time.zone * 60 * 1000000000000000000};
  *out = v;
  return QUOIN_OK;
}

/* As written: "Z" and "+00:00" differ. */
quoin_status
fn_tz(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
      quoin_error *err)
{
  (void)e;
  if (args[0].kind != VALUE_DATETIME) return QUOIN_OK;
  quoin_status st = QUOIN_OK;
  quoin_span zone = {"", 0};
  if (args[0].time.zoned) {
    if ((st = value_text(&args[0], ev->ctx, ev->arena, err))) return st;
    quoin_span text = args[0].term.value;
    size_t n = text.len && text.ptr[text.len - 1] == 'Z' ? 1 : 6;
    assert(text.len >= n);
    zone = (quoin_span){text.ptr + text.len - n, n};
  }
  value_set_string(out, zone);
  return st;
}
