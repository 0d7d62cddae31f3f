/* sparql/expr/functions_number.c - functions on numbers (SPARQL 1.1 section 17.4.4). */
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <math.h>
#include <sys/random.h>

#include "base/poison.h"

static uint64_t
random_seed(void)
{
  uint64_t seed;
  if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed)) return seed;
  return base_mix(base_clock_ns()); /* early in the boot of a machine: RAND needs no more */
}

quoin_status
fn_rand(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
        quoin_error *err)
{
  (void)e;
  (void)args;
  (void)err;
  if (!ev->ctx->random) ev->ctx->random = random_seed();
  ev->ctx->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
  uint64_t bits = base_mix(ev->ctx->random) >> 11;
  value_set_double(out, (double)bits * 0x1p-53);
  return QUOIN_OK;
}

quoin_status
fn_abs(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
       quoin_error *err)
{
  (void)e;
  const sparql_value *v = &args[0];
  if (!value_is_numeric(v)) return QUOIN_OK;
  if (v->kind == VALUE_DOUBLE)
    value_set_double(out, fabs(v->dbl));
  else if (v->kind == VALUE_FLOAT)
    value_set_float(out, fabsf(v->single));
  else if (number_sign(&v->number) < 0)
    return value_negate(out, v, ev->arena, err);
  else
    value_set_number(out, v->kind, &v->number);
  return QUOIN_OK;
}

/* fn:round: half towards positive infinity, the sign of zero kept. */
static double
round_half_up(double v)
{
  double down = floor(v);
  double r = v - down >= 0.5 ? down + 1 : down;
  return copysign(r, v);
}

static double
round_double(sparql_builtin how, double v)
{
  if (!isfinite(v)) return v;
  return how == FN_CEIL ? ceil(v) : how == FN_FLOOR ? floor(v) : round_half_up(v);
}

quoin_status
fn_rounding(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
            quoin_error *err)
{
  const sparql_value *v = &args[0];
  if (!value_is_numeric(v)) return QUOIN_OK;
  if (v->kind == VALUE_DOUBLE) {
    value_set_double(out, round_double(e->builtin, v->dbl));
  } else if (v->kind == VALUE_FLOAT) {
    value_set_float(out, (float)round_double(e->builtin, (double)v->single));
  } else {
    sparql_number n;
    number_rounding how = e->builtin == FN_CEIL    ? NUMBER_CEIL
                          : e->builtin == FN_FLOOR ? NUMBER_FLOOR
                                                   : NUMBER_ROUND;
    quoin_status st = number_round(&n, &v->number, how, ev->arena, err);
    if (st) return st == QUOIN_DONE ? QUOIN_OK : st;
    value_set_number(out, v->kind, &n);
  }
  return QUOIN_OK;
}
