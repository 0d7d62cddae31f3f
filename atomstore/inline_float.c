/* atomstore/inline_float.c - xsd:double and xsd:float in an id.
 *
 * A double's payload is a code of 60 bits, ordered as the values are, and 2 bits of style. The code
 * is sign and magnitude, the magnitude being 7 bits of exponent (0: zero, 1..126: 2^-62..2^63, 127:
 * INF) and the 52 bits of mantissa; a positive value has the top bit set, a negative one has its
 * magnitude inverted. A float's payload is likewise its 32 bits, made ordered, and the style.
 *
 * Styles: 0 the canonical form "1.5E0"; 1 plain decimal, "5" and "1.5"; 2 plain with ".0" for a
 * whole number. The digits are always the shortest that read back, so a form has an id exactly when
 * its digits are those. A decimal of at most 15 digits is its own shortest form (IEEE 754: 15
 * digits survive the way through a double), which spares nearly all of them the search.
 *
 * printf and strtod write and read a decimal point that depends on the locale: so only digits and
 * exponent, never a point, pass through them. */
#include "atomstore/inline.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

enum { STYLE_CANONICAL = 0, STYLE_PLAIN = 1, STYLE_POINT_ZERO = 2 };

/* d1.d2d3... * 10^exponent; digits without leading or trailing zeros; n 0: zero. */
typedef struct decimal_digits {
  bool negative;
  int n;
  int exponent;
  char digits[24];
} decimal_digits;

static const double POWER_OF_TEN[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { EXACT_POWERS = 22, EXACT_DIGITS = 15 }; /* 10^22 is the last that is exact in a double */

/* ---- codes ---------------------------------------------------------------------------------- */

static const uint64_t MANTISSA = (UINT64_C(1) << 52) - 1;
static const uint64_t MAGNITUDE = (UINT64_C(1) << 59) - 1;
enum { EXPONENT_SHIFT = 1023 - 63, EXPONENT_INF = 127 };

uint64_t
atom_double_code(double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  uint64_t exponent = bits >> 52 & 0x7ff, magnitude;
  if ((bits << 1) == 0) {
    magnitude = 0;
  } else if (exponent == 0x7ff) {
    if (bits & MANTISSA) return UINT64_MAX; /* NaN */
    magnitude = (uint64_t)EXPONENT_INF << 52;
  } else {
    if (exponent <= EXPONENT_SHIFT || exponent >= EXPONENT_SHIFT + EXPONENT_INF) return UINT64_MAX;
    magnitude = (exponent - EXPONENT_SHIFT) << 52 | (bits & MANTISSA);
  }
  return bits >> 63 ? MAGNITUDE - magnitude : (MAGNITUDE + 1) | magnitude;
}

double
atom_double_value(uint64_t code)
{
  bool negative = !(code >> 59);
  uint64_t magnitude = negative ? MAGNITUDE - code : code & MAGNITUDE;
  uint64_t exponent = magnitude >> 52, bits = magnitude & MANTISSA;
  if (exponent == EXPONENT_INF) {
    bits = UINT64_C(0x7ff) << 52;
  } else if (exponent == 0) {
    bits = 0;
  } else {
    bits |= (exponent + EXPONENT_SHIFT) << 52;
  }
  bits |= (uint64_t)negative << 63;
  double value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

uint32_t
atom_float_code(float value)
{
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits >> 31 ? ~bits : bits | UINT32_C(0x80000000);
}

float
atom_float_value(uint32_t code)
{
  uint32_t bits = code >> 31 ? code & UINT32_C(0x7fffffff) : ~code;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

/* ---- from text ------------------------------------------------------------------------------- */

typedef struct text_at {
  const char *p, *end;
} text_at;

static size_t
digits_run(text_at *at)
{
  const char *from = at->p;
  while (at->p < at->end && *at->p >= '0' && *at->p <= '9')
    at->p++;
  return (size_t)(at->p - from);
}

/* "E" and an integer in its shortest form, of up to three digits. */
static bool
exponent_parse(int *out, text_at *at)
{
  if (at->p == at->end || *at->p != 'E') return false;
  at->p++;
  bool negative = at->p < at->end && *at->p == '-';
  if (negative) at->p++;
  const char *from = at->p;
  size_t n = digits_run(at);
  if (n == 0 || n > 3 || (*from == '0' && (n > 1 || negative))) return false;
  int value = 0;
  for (size_t i = 0; i < n; i++)
    value = value * 10 + (from[i] - '0');
  *out = negative ? -value : value;
  return true;
}

/* The significant digits of whole.fraction; false when there are more than can be the shortest. */
static bool
digits_take(decimal_digits *out, quoin_span whole, quoin_span fraction)
{
  int zeros = 0, place = (int)whole.len - 1; /* zeros pending; exponent of the next digit */
  out->n = 0;
  out->exponent = 0;
  for (size_t i = 0; i < whole.len + fraction.len; i++, place--) {
    char c = i < whole.len ? whole.ptr[i] : fraction.ptr[i - whole.len];
    if (c == '0') {
      zeros++;
      continue;
    }
    if (out->n == 0) {
      out->exponent = place;
      zeros = 0;
    }
    if (out->n + zeros >= 17) return false;
    for (; zeros > 0; zeros--)
      out->digits[out->n++] = '0';
    out->digits[out->n++] = c;
  }
  return true;
}

/* Digits and style of a form that could come back byte for byte; -1 for others. */
static int
form_parse(decimal_digits *out, quoin_span text)
{
  if (text.len == 0 || text.len >= ATOM_TEXT_MAX) return -1;
  text_at at = {text.ptr, text.ptr + text.len};
  int style = STYLE_PLAIN, exponent = 0;
  out->negative = *at.p == '-';
  if (out->negative) at.p++;
  quoin_span whole = {at.p, 0}, fraction = {at.p, 0};
  whole.len = digits_run(&at);
  if (whole.len == 0 || (whole.len > 1 && *whole.ptr == '0')) return -1;
  if (at.p < at.end && *at.p == '.') {
    fraction.ptr = ++at.p;
    fraction.len = digits_run(&at);
    if (fraction.len == 0) return -1;
    bool zero = fraction.len == 1 && *fraction.ptr == '0';
    if (zero) style = STYLE_POINT_ZERO;
    if (!zero && fraction.ptr[fraction.len - 1] == '0') return -1;
  }
  if (at.p < at.end) {
    if (fraction.len == 0 || whole.len != 1 || !exponent_parse(&exponent, &at)) return -1;
    style = STYLE_CANONICAL;
  }
  if (at.p != at.end || !digits_take(out, whole, fraction)) return -1;
  if (style == STYLE_CANONICAL) { /* one digit before the point, and not 0 but for zero */
    if (out->n ? out->exponent != 0 : exponent != 0) return -1;
    out->exponent = exponent;
  }
  return style;
}

/* "123e-4": no point, so no locale. */
static void
digits_spell(char out[48], const decimal_digits *d)
{
  (void)snprintf(out, 48, "%.*se%d", d->n, d->digits, d->exponent - (d->n - 1));
}

/* d.ddde+xx as printf wrote it, whatever its decimal point. */
static void
digits_read(decimal_digits *out, const char *text)
{
  out->n = 0;
  for (; *text != 'e'; text++)
    if (*text >= '0' && *text <= '9') out->digits[out->n++] = *text;
  out->exponent = atoi(text + 1);
  while (out->n > 0 && out->digits[out->n - 1] == '0')
    out->n--;
}

/* ---- shortest digits --------------------------------------------------------------------------
 */

/* value finite and > 0. */
static bool
shortest_fast(decimal_digits *out, double value)
{
  for (int k = 0; k <= EXACT_POWERS; k++) {
    double scaled = value * POWER_OF_TEN[k];
    if (scaled >= 1e15) return false;
    uint64_t n = (uint64_t)(scaled + 0.5);
    /* Both exact, so the quotient is the double nearest to n / 10^k. */
    if (n == 0 || (double)n / POWER_OF_TEN[k] != value) continue;
    char digits[24];
    int len = 0;
    for (; n > 0; n /= 10)
      digits[len++] = (char)('0' + n % 10);
    out->exponent = len - 1 - k;
    out->n = 0;
    while (len > 0)
      out->digits[out->n++] = digits[--len];
    while (out->digits[out->n - 1] == '0')
      out->n--;
    return true;
  }
  return false;
}

static void
shortest_double(decimal_digits *out, double value)
{
  char text[64];
  if (shortest_fast(out, value)) return;
  for (int precision = 14; precision <= 16; precision++) {
    (void)snprintf(text, sizeof(text), "%.*e", precision, value);
    digits_read(out, text);
    digits_spell(text, out);
    if (strtod(text, NULL) == value) return;
  }
}

static void
shortest_float(decimal_digits *out, float value)
{
  char text[64];
  for (int precision = 0; precision <= 8; precision++) {
    (void)snprintf(text, sizeof(text), "%.*e", precision, (double)value);
    digits_read(out, text);
    digits_spell(text, out);
    if (strtof(text, NULL) == value) return;
  }
}

static bool
digits_equal(const decimal_digits *a, const decimal_digits *b)
{
  return a->n == b->n && a->exponent == b->exponent &&
         memcmp(a->digits, b->digits, (size_t)a->n) == 0;
}

static bool
infinity_parse(double *out, quoin_span text)
{
  *out = text.ptr[0] == '-' ? -HUGE_VAL : HUGE_VAL;
  return base_span_is(text, "INF") || base_span_is(text, "-INF");
}

/* The double nearest to d, which has digits; false when d is not its shortest form. */
static bool
double_of(double *out, const decimal_digits *d)
{
  int scale = d->exponent - (d->n - 1);
  if (d->n <= EXACT_DIGITS && scale >= -EXACT_POWERS && scale <= EXACT_POWERS) {
    uint64_t n = 0;
    for (int i = 0; i < d->n; i++)
      n = n * 10 + (uint64_t)(d->digits[i] - '0');
    *out = scale < 0 ? (double)n / POWER_OF_TEN[-scale] : (double)n * POWER_OF_TEN[scale];
    return true;
  }
  char text[48];
  decimal_digits back;
  digits_spell(text, d);
  *out = strtod(text, NULL);
  if (!(*out > 0) || isinf(*out)) return false;
  if (atom_double_code(*out) == UINT64_MAX) return false;
  shortest_double(&back, *out);
  return digits_equal(&back, d);
}

uint64_t
atom_double_parse(quoin_span lexical)
{
  if (lexical.len == 0) return UINT64_MAX;
  double value = 0;
  if (infinity_parse(&value, lexical)) return atom_double_code(value) << ATOM_STYLE_BITS;
  decimal_digits d;
  int style = form_parse(&d, lexical);
  if (style < 0 || (d.n > 0 && !double_of(&value, &d))) return UINT64_MAX;
  if (d.n == 0) value = 0;
  uint64_t code = atom_double_code(d.negative ? -value : value);
  if (code == UINT64_MAX) return UINT64_MAX;
  return code << ATOM_STYLE_BITS | (uint64_t)style;
}

uint64_t
atom_float_parse(quoin_span lexical)
{
  if (lexical.len == 0) return UINT64_MAX;
  double infinity;
  if (infinity_parse(&infinity, lexical))
    return (uint64_t)atom_float_code((float)infinity) << ATOM_STYLE_BITS;
  decimal_digits d, back;
  int style = form_parse(&d, lexical);
  float value = 0;
  if (style < 0) return UINT64_MAX;
  if (d.n > 0) {
    char text[48];
    digits_spell(text, &d);
    value = strtof(text, NULL);
    if (!(value > 0) || isinf(value)) return UINT64_MAX;
    shortest_float(&back, value);
    if (!digits_equal(&back, &d)) return UINT64_MAX;
  }
  return (uint64_t)atom_float_code(d.negative ? -value : value) << ATOM_STYLE_BITS |
         (uint64_t)style;
}

/* ---- to text --------------------------------------------------------------------------------- */

static char *
zeros_put(char *at, int n)
{
  for (; n > 0; n--)
    *at++ = '0';
  return at;
}

static char *
digits_put(char *at, const char *digits, int n)
{
  memcpy(at, digits, (size_t)n);
  return at + n;
}

static char *
canonical_put(char *at, const decimal_digits *d)
{
  *at++ = d->n ? d->digits[0] : '0';
  *at++ = '.';
  at = d->n > 1 ? digits_put(at, d->digits + 1, d->n - 1) : zeros_put(at, 1);
  return at + snprintf(at, 8, "E%d", d->n ? d->exponent : 0);
}

/* NULL when the style does not fit the value. */
static char *
plain_put(char *at, const decimal_digits *d, int style)
{
  int whole = d->exponent + 1; /* digits before the point */
  if (d->n == 0) {
    *at++ = '0';
  } else if (d->n <= whole) {
    at = zeros_put(digits_put(at, d->digits, d->n), whole - d->n);
  } else if (style == STYLE_POINT_ZERO) {
    return NULL;
  } else if (whole > 0) {
    at = digits_put(at, d->digits, whole);
    *at++ = '.';
    at = digits_put(at, d->digits + whole, d->n - whole);
  } else {
    *at++ = '0';
    *at++ = '.';
    at = digits_put(zeros_put(at, -whole), d->digits, d->n);
  }
  if (style == STYLE_POINT_ZERO) {
    *at++ = '.';
    *at++ = '0';
  }
  return at;
}

static size_t
form_print(char *out, const decimal_digits *d, int style)
{
  char *at = out;
  if (d->negative) *at++ = '-';
  at = style == STYLE_CANONICAL ? canonical_put(at, d) : plain_put(at, d, style);
  return at ? (size_t)(at - out) : 0;
}

static size_t
infinity_print(char *out, bool negative, int style)
{
  if (style != STYLE_CANONICAL) return 0;
  memcpy(out, negative ? "-INF" : "INF", negative ? 4 : 3);
  return negative ? 4 : 3;
}

size_t
atom_double_print(char *out, uint64_t payload)
{
  int style = (int)(payload & 3u);
  uint64_t code = payload >> ATOM_STYLE_BITS;
  double value = atom_double_value(code);
  if (style > STYLE_POINT_ZERO || atom_double_code(value) != code) return 0;
  if (isinf(value)) return infinity_print(out, value < 0, style);
  decimal_digits d = {.negative = signbit(value) != 0};
  if (value < 0 || value > 0) shortest_double(&d, fabs(value));
  return form_print(out, &d, style);
}

size_t
atom_float_print(char *out, uint64_t payload)
{
  int style = (int)(payload & 3u);
  if (style > STYLE_POINT_ZERO || payload >> (32 + ATOM_STYLE_BITS)) return 0;
  float value = atom_float_value((uint32_t)(payload >> ATOM_STYLE_BITS));
  if (isnan(value)) return 0;
  if (isinf(value)) return infinity_print(out, value < 0, style);
  decimal_digits d = {.negative = signbit(value) != 0};
  if (value < 0 || value > 0) shortest_float(&d, fabsf(value));
  return form_print(out, &d, style);
}
