/* sparql/expr/number.c - arithmetic on exact decimals; the 128-bit case first, GMP behind it. */
#include "sparql/expr/number.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

static_assert(GMP_LIMB_BITS == 64 && GMP_NAIL_BITS == 0, "a wide number is two limbs");

/* Bits of a number of NUMBER_DIGITS digits, and the limit of the scale. */
enum { NUMBER_BITS = 332200 };

static const uint64_t powers[20] = {1ULL,
                                    10ULL,
                                    100ULL,
                                    1000ULL,
                                    10000ULL,
                                    100000ULL,
                                    1000000ULL,
                                    10000000ULL,
                                    100000000ULL,
                                    1000000000ULL,
                                    10000000000ULL,
                                    100000000000ULL,
                                    1000000000000ULL,
                                    10000000000000ULL,
                                    100000000000000ULL,
                                    1000000000000000ULL,
                                    10000000000000000ULL,
                                    100000000000000000ULL,
                                    1000000000000000000ULL,
                                    10000000000000000000ULL};

static number_wide
wide_max(void)
{
  return (number_wide)(((number_uwide)1 << 127) - 1);
}

static bool
wide_is_int64(number_wide v)
{
  return v >= INT64_MIN && v <= INT64_MAX;
}

static number_uwide
wide_magnitude(number_wide v)
{
  return v < 0 ? -(number_uwide)v : (number_uwide)v;
}

/* Not the builtin: clang needs a function of its own run-time library for it. */
static bool
wide_mul(number_wide *out, number_wide a, number_wide b)
{
  if (!wide_is_int64(a) || !wide_is_int64(b)) {
    number_uwide ma = wide_magnitude(a), mb = wide_magnitude(b);
    if (mb && ma > (number_uwide)wide_max() / mb) return false;
  }
  *out = (number_wide)((number_uwide)a * (number_uwide)b);
  return true;
}

static bool
wide_mul_power(number_wide *v, uint32_t power)
{
  for (; power; power -= power < 18 ? power : 18)
    if (!wide_mul(v, *v, (number_wide)powers[power < 18 ? power : 18])) return false;
  return true;
}

/* ---- between small numbers, mpz and limbs ---- */

/* A read-only view; `two` holds the limbs of a small number. */
static mpz_srcptr
view(mpz_t out, mp_limb_t two[2], const sparql_number *a)
{
  if (a->big) return mpz_roinit_n(out, a->big, a->limbs);
  number_uwide m = wide_magnitude(a->small);
  two[0] = (mp_limb_t)m;
  two[1] = (mp_limb_t)(m >> 64);
  mp_size_t n = two[1] ? 2 : two[0] ? 1 : 0;
  return mpz_roinit_n(out, two, a->small < 0 ? -n : n);
}

/* Take the value of `z` (which stays the caller's). */
static quoin_status
keep(sparql_number *out, mpz_srcptr z, uint32_t scale, base_arena *arena, quoin_error *err)
{
  size_t n = mpz_size(z);
  bool negative = mpz_sgn(z) < 0;
  if (n <= 2 && (n < 2 || mpz_limbs_read(z)[1] >> 63 == 0)) {
    const mp_limb_t *limb = mpz_limbs_read(z);
    number_uwide m = n ? limb[0] : 0;
    if (n == 2) m |= (number_uwide)limb[1] << 64;
    *out = (sparql_number){.small = negative ? -(number_wide)m : (number_wide)m, .scale = scale};
    return QUOIN_OK;
  }
  if (n > NUMBER_BITS / 64 + 1 || scale > NUMBER_DIGITS) return QUOIN_DONE;
  mp_limb_t *limbs = base_arena_new(arena, n, sizeof(*limbs));
  if (!limbs) return base_fail_nomem(err);
  memcpy(limbs, mpz_limbs_read(z), n * sizeof(*limbs));
  *out =
      (sparql_number){.big = limbs, .limbs = negative ? -(int32_t)n : (int32_t)n, .scale = scale};
  return QUOIN_OK;
}

/* z *= 10^power */
static void
mul_power(mpz_t z, uint32_t power)
{
  mpz_t p;
  mpz_init(p);
  mpz_ui_pow_ui(p, 10, power);
  mpz_mul(z, z, p);
  mpz_clear(p);
}

/* ---- text ---- */

static bool
is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* `digits` are digits and at most one point; `count` digits in all. */
static quoin_status
parse_big(sparql_number *out, quoin_span digits, size_t count, bool negative, uint32_t scale,
          base_arena *arena, quoin_error *err)
{
  if (count > NUMBER_DIGITS) return QUOIN_DONE;
  base_arena_mark mark = base_arena_here(arena);
  char *text = base_arena_bytes(arena, count + 1);
  if (!text) return base_fail_nomem(err);
  size_t n = 0;
  for (size_t i = 0; i < digits.len; i++)
    if (is_digit(digits.ptr[i])) text[n++] = digits.ptr[i];
  text[n] = '\0';
  mpz_t z;
  mpz_init(z);
  int bad = mpz_set_str(z, text, 10);
  assert(!bad);
  (void)bad;
  if (negative) mpz_neg(z, z);
  base_arena_rewind(arena, mark);
  quoin_status st = keep(out, z, scale, arena, err);
  mpz_clear(z);
  return st;
}

static quoin_status
parse(sparql_number *out, quoin_span text, bool point_allowed, base_arena *arena, quoin_error *err)
{
  const char *at = text.ptr, *end = at + text.len;
  bool negative = false, point = false;
  if (at < end && (*at == '+' || *at == '-')) negative = *at++ == '-';
  quoin_span body = {at, (size_t)(end - at)};
  number_uwide value = 0;
  size_t digits = 0, significant = 0, scale = 0;
  for (; at < end; at++) {
    if (*at == '.' && point_allowed && !point) {
      point = true;
      continue;
    }
    if (!is_digit(*at)) return QUOIN_DONE;
    digits++;
    scale += point;
    if (significant || *at != '0') significant++;
    if (significant <= 38) value = value * 10U + (unsigned)(*at - '0');
  }
  if (!digits) return QUOIN_DONE;
  if (scale > NUMBER_DIGITS) return QUOIN_DONE;
  if (significant > 38) return parse_big(out, body, digits, negative, (uint32_t)scale, arena, err);
  *out = (sparql_number){.small = negative ? -(number_wide)value : (number_wide)value,
                         .scale = (uint32_t)scale};
  return QUOIN_OK;
}

quoin_status
number_parse_integer(sparql_number *out, quoin_span text, base_arena *arena, quoin_error *err)
{
  return parse(out, text, false, arena, err);
}

quoin_status
number_parse_decimal(sparql_number *out, quoin_span text, base_arena *arena, quoin_error *err)
{
  return parse(out, text, true, arena, err);
}

/* Digits of the magnitude, without a sign, at the end of out[]: the first one's place. */
static char *
wide_digits(char out[40], number_uwide m)
{
  char *at = out + 40;
  while (m >> 64) { /* few: a division of 128 bits is slow */
    uint64_t low = (uint64_t)(m % powers[19]);
    m /= powers[19];
    for (int i = 0; i < 19; i++, low /= 10)
      *--at = (char)('0' + low % 10);
  }
  uint64_t v = (uint64_t)m;
  do
    *--at = (char)('0' + v % 10);
  while (v /= 10);
  return at;
}

/* The digits of the magnitude, in `arena` or in `local`. */
static quoin_span
magnitude_digits(const sparql_number *n, char local[40], base_arena *arena)
{
  if (!n->big) {
    const char *at = wide_digits(local, wide_magnitude(n->small));
    return (quoin_span){at, (size_t)(local + 40 - at)};
  }
  mpz_t v;
  mpz_srcptr z = view(v, NULL, n);
  size_t size = mpz_sizeinbase(z, 10) + 2;
  char *text = base_arena_bytes(arena, size);
  if (!text) return (quoin_span){NULL, 0};
  mpz_get_str(text, 10, z);
  if (*text == '-') text++;
  return base_span(text);
}

quoin_span
number_format(const sparql_number *n, base_arena *arena)
{
  char local[40];
  quoin_span digits = magnitude_digits(n, local, arena);
  if (!digits.ptr) return digits;
  size_t scale = n->scale;
  while (scale > 1 && digits.len > 1 && digits.ptr[digits.len - 1] == '0')
    scale--, digits.len--;
  if (scale > 1 && digits.len == 1 && digits.ptr[0] == '0') scale = 1;
  size_t whole = digits.len > scale ? digits.len - scale : 0;
  char *text = base_arena_bytes(arena, digits.len + scale + 4);
  if (!text) return (quoin_span){NULL, 0};
  char *at = text;
  if (number_sign(n) < 0) *at++ = '-';
  if (whole) {
    memcpy(at, digits.ptr, whole);
    at += whole;
  } else {
    *at++ = '0';
  }
  if (scale) {
    *at++ = '.';
    for (size_t i = digits.len; i < scale; i++)
      *at++ = '0';
    memcpy(at, digits.ptr + whole, digits.len - whole);
    at += digits.len - whole;
  }
  return (quoin_span){text, (size_t)(at - text)};
}

/* ---- arithmetic ---- */

static quoin_status
add_big(sparql_number *out, const sparql_number *a, const sparql_number *b, bool subtract,
        base_arena *arena, quoin_error *err)
{
  mpz_t va, vb, x, y;
  mp_limb_t la[2], lb[2];
  mpz_init_set(x, view(va, la, a));
  mpz_init_set(y, view(vb, lb, b));
  uint32_t scale = a->scale > b->scale ? a->scale : b->scale;
  if (a->scale < scale) mul_power(x, scale - a->scale);
  if (b->scale < scale) mul_power(y, scale - b->scale);
  if (subtract)
    mpz_sub(x, x, y);
  else
    mpz_add(x, x, y);
  quoin_status st = keep(out, x, scale, arena, err);
  mpz_clear(x);
  mpz_clear(y);
  return st;
}

quoin_status
number_add(sparql_number *out, const sparql_number *a, const sparql_number *b, base_arena *arena,
           quoin_error *err)
{
  if (!a->big && !b->big) {
    number_wide x = a->small, y = b->small, sum;
    uint32_t scale = a->scale > b->scale ? a->scale : b->scale;
    if (wide_mul_power(&x, scale - a->scale) && wide_mul_power(&y, scale - b->scale) &&
        !__builtin_add_overflow(x, y, &sum) && sum >= -wide_max()) {
      *out = (sparql_number){.small = sum, .scale = scale};
      return QUOIN_OK;
    }
  }
  return add_big(out, a, b, false, arena, err);
}

quoin_status
number_sub(sparql_number *out, const sparql_number *a, const sparql_number *b, base_arena *arena,
           quoin_error *err)
{
  if (!b->big && b->small >= -wide_max()) {
    sparql_number minus = {.small = -b->small, .scale = b->scale};
    return number_add(out, a, &minus, arena, err);
  }
  return add_big(out, a, b, true, arena, err);
}

quoin_status
number_mul(sparql_number *out, const sparql_number *a, const sparql_number *b, base_arena *arena,
           quoin_error *err)
{
  uint32_t scale = a->scale + b->scale;
  number_wide product;
  if (!a->big && !b->big && wide_mul(&product, a->small, b->small)) {
    *out = (sparql_number){.small = product, .scale = scale};
    return scale > NUMBER_DIGITS ? QUOIN_DONE : QUOIN_OK;
  }
  mpz_t va, vb, x;
  mp_limb_t la[2], lb[2];
  mpz_init(x);
  mpz_mul(x, view(va, la, a), view(vb, lb, b));
  quoin_status st = keep(out, x, scale, arena, err);
  mpz_clear(x);
  return st;
}

/* Take zeros off the end of the unscaled number until the scale is 1. */
static void
strip_zeros(mpz_t z, uint32_t *scale)
{
  while (*scale > 1 && mpz_divisible_ui_p(z, 10)) {
    mpz_divexact_ui(z, z, 10);
    (*scale)--;
  }
}

quoin_status
number_div(sparql_number *out, const sparql_number *a, const sparql_number *b, base_arena *arena,
           quoin_error *err)
{
  if (number_sign(b) == 0) return QUOIN_DONE;
  /* a/10^sa / (b/10^sb) = a*10^(18+sb-sa)/b / 10^18 */
  uint32_t scale = NUMBER_DIVISION_SCALE;
  uint32_t up = scale + b->scale;
  number_wide x = a->small, y = b->small;
  if (!a->big && !b->big && up >= a->scale && wide_mul_power(&x, up - a->scale)) {
    number_wide q = wide_is_int64(x) && wide_is_int64(y) && x != INT64_MIN ? (int64_t)x / (int64_t)y
                                                                           : (y == -1 ? -x : x / y);
    while (scale > 1 && q % 10 == 0)
      q /= 10, scale--;
    *out = (sparql_number){.small = q, .scale = scale};
    return QUOIN_OK;
  }
  mpz_t va, vb, n, d;
  mp_limb_t la[2], lb[2];
  mpz_init_set(n, view(va, la, a));
  mpz_init_set(d, view(vb, lb, b));
  if (up > a->scale) mul_power(n, up - a->scale);
  if (up < a->scale) mul_power(d, a->scale - up);
  mpz_tdiv_q(n, n, d);
  strip_zeros(n, &scale);
  quoin_status st = keep(out, n, scale, arena, err);
  mpz_clear(n);
  mpz_clear(d);
  return st;
}

quoin_status
number_negate(sparql_number *out, const sparql_number *a, base_arena *arena, quoin_error *err)
{
  sparql_number zero = {.scale = a->scale};
  if (a->big) { /* the limbs are shared */
    *out = *a;
    out->limbs = -a->limbs;
    return QUOIN_OK;
  }
  return number_sub(out, &zero, a, arena, err);
}

static quoin_status
round_big(sparql_number *out, const sparql_number *a, number_rounding how, base_arena *arena,
          quoin_error *err)
{
  mpz_t va, z, p;
  mp_limb_t la[2];
  mpz_init_set(z, view(va, la, a));
  mpz_init(p);
  mpz_ui_pow_ui(p, 10, a->scale);
  if (how == NUMBER_ROUND) { /* floor((2a + p) / 2p) */
    mpz_mul_2exp(z, z, 1);
    mpz_add(z, z, p);
    mpz_mul_2exp(p, p, 1);
  }
  switch (how) {
  case NUMBER_TRUNCATE:
    mpz_tdiv_q(z, z, p);
    break;
  case NUMBER_CEIL:
    mpz_cdiv_q(z, z, p);
    break;
  case NUMBER_FLOOR:
  case NUMBER_ROUND:
    mpz_fdiv_q(z, z, p);
    break;
  }
  quoin_status st = keep(out, z, 0, arena, err);
  mpz_clear(z);
  mpz_clear(p);
  return st;
}

quoin_status
number_round(sparql_number *out, const sparql_number *a, number_rounding how, base_arena *arena,
             quoin_error *err)
{
  if (a->scale == 0) {
    *out = *a;
    return QUOIN_OK;
  }
  if (a->big || a->scale > 18) return round_big(out, a, how, arena, err);
  number_wide p = (number_wide)powers[a->scale], q = a->small / p, rest = a->small % p;
  switch (how) {
  case NUMBER_TRUNCATE:
    break;
  case NUMBER_FLOOR:
    q -= rest < 0;
    break;
  case NUMBER_CEIL:
    q += rest > 0;
    break;
  case NUMBER_ROUND:
    if (rest < 0) q--, rest += p;
    q += rest * 2 >= p;
    break;
  }
  *out = (sparql_number){.small = q};
  return QUOIN_OK;
}

/* ---- comparison ---- */

int
number_sign(const sparql_number *a)
{
  if (a->big) return a->limbs < 0 ? -1 : 1;
  return (a->small > 0) - (a->small < 0);
}

int
number_compare(const sparql_number *a, const sparql_number *b)
{
  int sa = number_sign(a), sb = number_sign(b);
  if (sa != sb) return sa < sb ? -1 : 1;
  if (!a->big && !b->big) {
    number_wide x = a->small, y = b->small;
    uint32_t scale = a->scale > b->scale ? a->scale : b->scale;
    if (wide_mul_power(&x, scale - a->scale) && wide_mul_power(&y, scale - b->scale))
      return (x > y) - (x < y);
  }
  mpz_t va, vb, x, y;
  mp_limb_t la[2], lb[2];
  mpz_init_set(x, view(va, la, a));
  mpz_init_set(y, view(vb, lb, b));
  if (a->scale < b->scale) mul_power(x, b->scale - a->scale);
  if (b->scale < a->scale) mul_power(y, a->scale - b->scale);
  int c = mpz_cmp(x, y);
  mpz_clear(x);
  mpz_clear(y);
  return (c > 0) - (c < 0);
}

int
number_compare_double(const sparql_number *a, double b)
{
  assert(!isnan(b));
  if (isinf(b)) return b > 0 ? -1 : 1;
  double d = number_to_double(a);
  if (d < b) return -1; /* rounding keeps the order: only a tie needs more */
  if (d > b) return 1;
  /* b = m * 2^e exactly; compare unscaled with b * 10^scale */
  int e;
  double m = frexp(b, &e);
  mpz_t va, x, y;
  mp_limb_t la[2];
  mpz_init_set(x, view(va, la, a));
  mpz_init(y);
  mpz_set_d(y, ldexp(m, 53));
  e -= 53;
  if (a->scale) mul_power(y, a->scale);
  if (e > 0) mpz_mul_2exp(y, y, (mp_bitcnt_t)e);
  if (e < 0) mpz_mul_2exp(x, x, (mp_bitcnt_t)-e);
  int c = mpz_cmp(x, y);
  mpz_clear(x);
  mpz_clear(y);
  return (c > 0) - (c < 0);
}

bool
number_to_int64(int64_t *out, const sparql_number *a)
{
  if (a->big || !wide_is_int64(a->small)) return false;
  int64_t v = (int64_t)a->small;
  for (uint32_t s = a->scale; s; s--, v /= 10)
    if (v % 10) return false;
  *out = v;
  return true;
}
