/* sparql/expr/number_double.c - doubles and floats as text, and to and from exact decimals.
 *
 * strtod and printf follow the locale, so neither is shown a decimal point: text is read as digits
 * and an exponent, and written from the digits of %e. */
#include "sparql/expr/number.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

static const double exact_powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Digits that can decide the rounding of a double: 767 and one that says "something follows". */
enum { DIGITS_KEPT = 800 };

typedef struct decimal_text {
  uint64_t value; /* of the digits while there are at most 19 */
  size_t n;       /* significant digits kept in digits[] */
  int64_t exponent;
  bool negative;
  char digits[DIGITS_KEPT + 32];
} decimal_text;

static void
take_digit(decimal_text *t, char c, bool after_point)
{
  if (after_point) t->exponent--;
  if (t->n == 0 && c == '0') return;
  if (t->n < DIGITS_KEPT) {
    if (t->n < 19) t->value = t->value * 10 + (uint64_t)(c - '0');
    t->digits[t->n++] = c;
    return;
  }
  if (c != '0') t->digits[DIGITS_KEPT - 1] |= 1; /* sticky: '0' becomes '1' */
  t->exponent++;
}

/* The exponent after "E"; saturates. False when malformed. */
static bool
read_exponent(int64_t *out, const char *at, const char *end)
{
  bool negative = false;
  int64_t value = 0;
  if (at < end && (*at == '+' || *at == '-')) negative = *at++ == '-';
  if (at == end) return false;
  for (; at < end; at++) {
    if (*at < '0' || *at > '9') return false;
    if (value < 1000000000000) value = value * 10 + (*at - '0');
  }
  *out = negative ? -value : value;
  return true;
}

static bool
read_decimal(decimal_text *t, quoin_span text)
{
  const char *at = text.ptr, *end = at + text.len;
  t->value = 0;
  t->n = 0;
  t->exponent = 0;
  t->negative = false;
  if (at < end && (*at == '+' || *at == '-')) t->negative = *at++ == '-';
  bool point = false, any = false;
  for (; at < end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.' && !point) {
      point = true;
      continue;
    }
    if (*at < '0' || *at > '9') return false;
    any = true;
    take_digit(t, *at, point);
  }
  if (!any) return false;
  if (at < end) {
    int64_t e;
    if (!read_exponent(&e, at + 1, end)) return false;
    t->exponent += e;
  }
  return true;
}

/* "digits E exponent" for strtod; exponents far out are 0 or infinite whatever the digits. */
static const char *
finish_text(decimal_text *t)
{
  int64_t e = t->exponent;
  if (e > 100000) e = 100000;
  if (e < -100000) e = -100000;
  (void)snprintf(t->digits + t->n, 24, "e%lld", (long long)e);
  return t->digits;
}

static bool
special(double *out, quoin_span text)
{
  if (base_span_is(text, "NaN"))
    *out = (double)NAN;
  else if (base_span_is(text, "INF") || base_span_is(text, "+INF"))
    *out = HUGE_VAL;
  else if (base_span_is(text, "-INF"))
    *out = -HUGE_VAL;
  else
    return false;
  return true;
}

bool
number_parse_double(double *out, quoin_span text)
{
  if (special(out, text)) return true;
  decimal_text t;
  if (!read_decimal(&t, text)) return false;
  double v;
  if (t.n == 0)
    v = 0;
  else if (t.n <= 15 && t.exponent >= -22 && t.exponent <= 22)
    v = t.exponent < 0 ? (double)t.value / exact_powers[-t.exponent]
                       : (double)t.value * exact_powers[t.exponent];
  else
    v = strtod(finish_text(&t), NULL);
  *out = t.negative ? -v : v;
  return true;
}

bool
number_parse_float(float *out, quoin_span text)
{
  double d;
  if (special(&d, text)) {
    *out = (float)d;
    return true;
  }
  decimal_text t;
  if (!read_decimal(&t, text)) return false;
  float v = t.n == 0 ? 0 : strtof(finish_text(&t), NULL);
  *out = t.negative ? -v : v;
  return true;
}

/* Canonical form from the text of %.*e: d.dddE[-]d. */
static size_t
canonical(char out[NUMBER_DOUBLE_TEXT], const char *printed)
{
  char *o = out;
  const char *at = printed;
  if (*at == '-') *o++ = *at++;
  *o++ = *at++;
  *o++ = '.';
  char *fraction = o;
  for (; *at != 'e'; at++)
    if (*at >= '0' && *at <= '9') *o++ = *at;
  while (o > fraction + 1 && o[-1] == '0')
    o--;
  if (o == fraction) *o++ = '0';
  *o++ = 'E';
  at++;
  if (*at == '-') *o++ = '-';
  at++;
  while (*at == '0' && at[1])
    at++;
  while (*at)
    *o++ = *at++;
  return (size_t)(o - out);
}

static size_t
special_text(char out[NUMBER_DOUBLE_TEXT], double value)
{
  const char *text = isnan(value)   ? "NaN"
                     : isinf(value) ? (value > 0 ? "INF" : "-INF")
                     : value == 0   ? (signbit(value) ? "-0.0E0" : "0.0E0")
                                    : NULL;
  if (!text) return 0;
  memcpy(out, text, strlen(text));
  return strlen(text);
}

size_t
number_format_double(char out[NUMBER_DOUBLE_TEXT], double value)
{
  size_t n = special_text(out, value);
  if (n) return n;
  char printed[NUMBER_DOUBLE_TEXT];
  for (int precision = fabs(value) < DBL_MIN ? 0 : 14; precision <= 16; precision++) {
    (void)snprintf(printed, sizeof(printed), "%.*e", precision, value);
    size_t len = canonical(out, printed);
    double back;
    if (precision == 16 || (number_parse_double(&back, (quoin_span){out, len}) && back == value))
      return len;
  }
  return 0;
}

size_t
number_format_float(char out[NUMBER_DOUBLE_TEXT], float value)
{
  size_t n = special_text(out, (double)value);
  if (n) return n;
  char printed[NUMBER_DOUBLE_TEXT];
  for (int precision = fabsf(value) < FLT_MIN ? 0 : 5; precision <= 8; precision++) {
    (void)snprintf(printed, sizeof(printed), "%.*e", precision, (double)value);
    size_t len = canonical(out, printed);
    float back;
    if (precision == 8 || (number_parse_float(&back, (quoin_span){out, len}) && back == value))
      return len;
  }
  return 0;
}

/* ---- exact decimals ---- */

/* The leading digits of a large number decide: |a| as digits and an exponent. */
static void
number_digits(decimal_text *t, const sparql_number *a)
{
  t->n = 0;
  t->value = 0;
  t->exponent = -(int64_t)a->scale;
  t->negative = number_sign(a) < 0;
  mpz_t view, z;
  mp_limb_t two[2];
  if (a->big) {
    mpz_init_set(z, mpz_roinit_n(view, a->big, a->limbs));
  } else {
    number_uwide m = a->small < 0 ? -(number_uwide)a->small : (number_uwide)a->small;
    two[0] = (mp_limb_t)m;
    two[1] = (mp_limb_t)(m >> 64);
    mpz_init_set(z, mpz_roinit_n(view, two, 2));
  }
  mpz_abs(z, z);
  size_t digits = mpz_sizeinbase(z, 10);
  if (digits > DIGITS_KEPT - 2) { /* cut, and leave a sticky digit */
    mpz_t p;
    mpz_init(p);
    size_t cut = digits - (DIGITS_KEPT - 2);
    mpz_ui_pow_ui(p, 10, cut);
    mpz_tdiv_qr(z, p, z, p);
    mpz_mul_ui(z, z, 10);
    if (mpz_sgn(p)) mpz_add_ui(z, z, 1);
    t->exponent += (int64_t)cut - 1;
    mpz_clear(p);
  }
  mpz_get_str(t->digits, 10, z);
  t->n = strlen(t->digits);
  mpz_clear(z);
}

double
number_to_double(const sparql_number *a)
{
  const number_wide exact = (number_wide)1 << 53;
  if (!a->big && a->small <= exact && a->small >= -exact && a->scale <= 22)
    return (double)(int64_t)a->small / exact_powers[a->scale];
  decimal_text t;
  number_digits(&t, a);
  double v = strtod(finish_text(&t), NULL);
  return t.negative ? -v : v;
}

float
number_to_float(const sparql_number *a)
{
  const number_wide exact = (number_wide)1 << 24;
  if (!a->big && a->small <= exact && a->small >= -exact && a->scale == 0) return (float)a->small;
  decimal_text t;
  number_digits(&t, a);
  float v = strtof(finish_text(&t), NULL);
  return t.negative ? -v : v;
}

static quoin_status
from_mpz(sparql_number *out, mpz_srcptr z, uint32_t scale, base_arena *arena, quoin_error *err)
{
  size_t n = mpz_size(z);
  mp_limb_t *limbs = base_arena_new(arena, n + 1, sizeof(*limbs));
  if (!limbs) return base_fail_nomem(err);
  if (n) memcpy(limbs, mpz_limbs_read(z), n * sizeof(*limbs));
  sparql_number big = {.big = limbs, .limbs = (int32_t)(mpz_sgn(z) < 0 ? -(long)n : (long)n)};
  sparql_number zero = {.scale = scale};
  if (n == 0) {
    *out = zero;
    return QUOIN_OK;
  }
  big.scale = scale;
  return number_add(out, &big, &zero, arena, err); /* small again where it fits */
}

quoin_status
number_from_double(sparql_number *out, double value, bool whole, base_arena *arena,
                   quoin_error *err)
{
  if (!isfinite(value)) return QUOIN_DONE;
  if (whole) value = trunc(value);
  if (value >= -9e15 && value <= 9e15 && value == trunc(value)) {
    *out = (sparql_number){.small = (number_wide)(int64_t)value * (whole ? 1 : 10),
                           .scale = whole ? 0 : 1};
    return QUOIN_OK;
  }
  int e;
  double m = frexp(value, &e);
  uint32_t scale = 0;
  mpz_t z, p;
  mpz_init(z);
  mpz_init(p);
  mpz_set_d(z, ldexp(m, 53)); /* value = z * 2^(e-53) */
  e -= 53;
  while (e < 0 && mpz_even_p(z))
    mpz_tdiv_q_2exp(z, z, 1), e++;
  if (e > 0) mpz_mul_2exp(z, z, (mp_bitcnt_t)e);
  if (e < 0) { /* 2^-k = 5^k / 10^k */
    mpz_ui_pow_ui(p, 5, (unsigned long)-e);
    mpz_mul(z, z, p);
    scale = (uint32_t)-e;
  } else if (!whole) {
    mpz_mul_ui(z, z, 10);
    scale = 1;
  }
  quoin_status st = from_mpz(out, z, scale, arena, err);
  mpz_clear(z);
  mpz_clear(p);
  return st;
}
