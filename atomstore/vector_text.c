/* atomstore/vector_text.c - vec:f32 literals as text: a JSON array of numbers, or b64:... in; the
 * array out.
 *
 * A number is read as up to 19 digits and a power of ten into a double, with an error of less than
 * 2^-50; only where that leaves two floats to choose from, once in many millions, strtof decides.
 * It is shown no decimal point, which depends on the locale. */
#include "atomstore/vector.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

/* ---- reading a number --------------------------------------------------------------------------
 */

enum { POWER_MAX = 64, DIGITS_FAST = 19, DIGITS_EXACT = 128 };

static const double powers[POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12,
    1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25,
    1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38,
    1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48, 1e49, 1e50, 1e51,
    1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63, 1e64};

static inline bool
is_digit(char c)
{
  return (unsigned char)(c - '0') < 10;
}

/* What a number says: digits * 10^exponent. */
typedef struct decimal {
  const char *first, *last; /* its digits and point, from the first that is not 0 */
  uint64_t digits;
  size_t n_digits; /* more than 19 do not fit */
  int64_t exponent;
} decimal;

/* All of *text as digits, of which the float depends on the first 112; any other says only that
 * something follows. */
static float
exact(const decimal *d)
{
  char text[DIGITS_EXACT + 32];
  size_t n = 0;
  int64_t exponent = d->exponent;
  for (const char *at = d->first; at < d->last; at++) {
    if (*at == '.') continue;
    if (n < DIGITS_EXACT)
      text[n++] = *at;
    else if (exponent++, *at != '0')
      text[DIGITS_EXACT - 1] |= 1; /* '0' becomes '1' */
  }
  if (exponent > 100000) exponent = 100000;
  if (exponent < -100000) exponent = -100000;
  (void)snprintf(text + n, 24, "e%lld", (long long)exponent);
  return strtof(text, NULL);
}

static inline float
magnitude(const decimal *d)
{
  if (d->n_digits == 0) return 0;
  if (d->n_digits > DIGITS_FAST || d->exponent > POWER_MAX || d->exponent < -POWER_MAX)
    return exact(d);
  double v = d->exponent < 0 ? (double)d->digits / powers[-d->exponent]
                             : (double)d->digits * powers[d->exponent];
  /* Three roundings of 2^-53 each: that of the digits, of the power, of the result. */
  float low = (float)(v - v * 0x1p-50), high = (float)(v + v * 0x1p-50);
  return low == high ? low : exact(d);
}

/* Value of eight digits at `at`; false when one is none. After D. Lemire, "Quickly parsing eight
 * digits" (2018). */
static inline bool
eight_digits(uint64_t *out, const char *at)
{
  uint64_t v = base_load_u64(at);
  uint64_t high = v & UINT64_C(0xf0f0f0f0f0f0f0f0);
  uint64_t over = (v + UINT64_C(0x0606060606060606)) & UINT64_C(0xf0f0f0f0f0f0f0f0);
  if ((high | over >> 4) != UINT64_C(0x3333333333333333)) return false;
  v = (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
  v = (v & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
  *out = (v & UINT64_C(0x0000ffff0000ffff)) * UINT64_C(42949672960001) >> 32;
  return true;
}

static const char *
read_exponent(decimal *d, const char *at)
{
  int64_t value = 0;
  bool negative = *at == '-';
  if (*at == '-' || *at == '+') at++;
  if (!is_digit(*at)) return NULL;
  for (; is_digit(*at); at++)
    if (value < INT64_C(1000000000000)) value = value * 10 + (*at - '0');
  d->exponent += negative ? -value : value;
  return at;
}

/* A JSON number (RFC 8259, 6) at `at`: the byte after it, or NULL. The text ends with a byte that
 * is none of a number, `end` being behind it. */
static inline const char *
read_number(float *out, const char *at, const char *end)
{
  decimal d = {.exponent = 0};
  bool negative = *at == '-';
  at += negative;
  if (!is_digit(*at) || (*at == '0' && is_digit(at[1]))) return NULL;
  if (*at == '0') at++;
  d.first = at;
  for (; is_digit(*at); at++)
    d.digits = d.digits * 10 + (uint64_t)(*at - '0');
  d.n_digits = (size_t)(at - d.first);
  if (*at == '.') {
    const char *from = ++at;
    uint64_t eight;
    if (!is_digit(*at)) return NULL;
    if (d.n_digits == 0) {
      while (*at == '0')
        at++;
      d.first = at;
    }
    const char *significant = at;
    while (end - at > 8 && eight_digits(&eight, at)) {
      d.digits = d.digits * 100000000 + eight;
      at += 8;
    }
    for (; is_digit(*at); at++)
      d.digits = d.digits * 10 + (uint64_t)(*at - '0');
    d.n_digits += (size_t)(at - significant);
    d.exponent = -(int64_t)(at - from);
  }
  d.last = at;
  if ((*at | 0x20) == 'e' && !(at = read_exponent(&d, at + 1))) return NULL;
  float v = magnitude(&d);
  *out = negative && v != 0 ? -v : v;
  return v <= FLT_MAX ? at : NULL;
}

/* ---- reading a vector
 * ------------------------------------------------------------------------------ */

static inline const char *
skip_space(const char *at)
{
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
    at++;
  return at;
}

static size_t
count_commas(const char *at, const char *end)
{
  size_t n = 0;
  for (; at < end; at++)
    n += *at == ',';
  return n;
}

static quoin_status
values_new(float **out, size_t n, base_arena *arena, quoin_error *err)
{
  if (n > RDF_VECTOR_MAX)
    return base_fail(err, QUOIN_ERR_LIMIT, "a vector of %zu numbers: the limit is %d", n,
                     RDF_VECTOR_MAX);
  *out = base_arena_new(arena, n, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

static bool
read_array(float *values, size_t n, const char *at, const char *end)
{
  for (size_t i = 0; i < n; i++) {
    at = read_number(&values[i], skip_space(at + 1), end);
    if (!at || *(at = skip_space(at)) != (i + 1 < n ? ',' : ']')) return false;
  }
  return at + 1 == end;
}

static quoin_status
parse_json(rdf_term *out, quoin_span text, base_arena *arena, quoin_error *err)
{
  const char *end = text.ptr + text.len;
  float *values;
  while (end > text.ptr &&
         (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t'))
    end--;
  if (end == text.ptr || end[-1] != ']') return QUOIN_OK;
  const char *at = skip_space(text.ptr); /* stops at the bracket if not before */
  if (*at != '[') return QUOIN_OK;
  size_t n = count_commas(at, end) + 1;
  base_arena_mark mark = base_arena_here(arena);
  quoin_status st = values_new(&values, n, arena, err);
  if (st) return st;
  if (read_array(values, n, at, end))
    *out = rdf_vector(values, (uint32_t)n);
  else if (mark.block)
    base_arena_rewind(arena, mark);
  return QUOIN_OK;
}

/* Value of a base64 digit (RFC 4648, 4), or one with the bit 64. By a table: which of the ranges a
 * digit is in cannot be predicted, and was most of the time a query's vector took to read. */
static unsigned
base64_digit(char c)
{
  /* of the characters from '+' to 'z', each as 62 more; '$', which is less: none */
  static const char digits[] =
      "|$$$}rstuvwxyz{$$$$$$$>?@ABCDEFGHIJKLMNOPQRSTUVW$$$$$$XYZ[\\]^_`abcdefghijklmnopq";
  unsigned at = (unsigned)(unsigned char)c - '+';
  return at <= 'z' - '+' ? (unsigned)digits[at] - 62 : 64;
}

static bool
read_base64(char *to, size_t bytes, const char *at)
{
  size_t i = 0;
  for (; i + 3 <= bytes; i += 3, at += 4) {
    unsigned a = base64_digit(at[0]), b = base64_digit(at[1]), c = base64_digit(at[2]),
             d = base64_digit(at[3]);
    if ((a | b | c | d) & 64) return false;
    to[i] = (char)(a << 2 | b >> 4);
    to[i + 1] = (char)(b << 4 | c >> 2);
    to[i + 2] = (char)(c << 6 | d);
  }
  if (i == bytes) return true;
  unsigned a = base64_digit(at[0]), b = base64_digit(at[1]),
           c = bytes - i == 2 ? base64_digit(at[2]) : 0;
  /* what the last digit has beyond the bytes is 0, and the rest is filled up */
  if ((a | b | c) & 64 || (bytes - i == 2 ? c & 3 : b & 15)) return false;
  if (at[3] != '=' || (bytes - i == 1 && at[2] != '=')) return false;
  to[i] = (char)(a << 2 | b >> 4);
  if (bytes - i == 2) to[i + 1] = (char)(b << 4 | c >> 2);
  return true;
}

static quoin_status
parse_base64(rdf_term *out, quoin_span text, base_arena *arena, quoin_error *err)
{
  if (text.len == 0 || text.len % 4) return QUOIN_OK;
  size_t bytes = text.len / 4 * 3;
  bytes -= text.ptr[text.len - 2] == '=' ? 2 : text.ptr[text.len - 1] == '=';
  if (bytes % sizeof(float)) return QUOIN_OK;
  float *values;
  size_t n = bytes / sizeof(float);
  quoin_status st = values_new(&values, n, arena, err);
  if (st) return st;
  if (read_base64((char *)values, bytes, text.ptr) && rdf_vector_normalize(values, n))
    *out = rdf_vector(values, (uint32_t)n);
  return QUOIN_OK;
}

bool
rdf_vector_normalize(float *values, size_t n)
{
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    finite &= fabsf(values[i]) <= FLT_MAX;
    values[i] += 0.0f; /* -0 + 0 is 0 */
  }
  return finite;
}

bool
rdf_vector_is_normal(quoin_span floats)
{
  bool normal = true;
  size_t n = floats.len / sizeof(float);
  if (floats.len % sizeof(float) || n == 0 || n > RDF_VECTOR_MAX) return false;
  for (size_t i = 0; i < n; i++) {
    uint32_t bits = base_load_u32(floats.ptr + i * sizeof(float));
    normal &= (bits & 0x7f800000u) != 0x7f800000u && bits != 0x80000000u;
  }
  return normal;
}

quoin_status
rdf_vector_parse(rdf_term *out, quoin_span text, base_arena *arena, quoin_error *err)
{
  *out = (rdf_term){.kind = RDF_NONE};
  if (text.len > 4 && memcmp(text.ptr, "b64:", 4) == 0)
    return parse_base64(out, (quoin_span){text.ptr + 4, text.len - 4}, arena, err);
  return text.len ? parse_json(out, text, arena, err) : QUOIN_OK;
}

/* ---- writing
 * ------------------------------------------------------------------------------------------ */

static char *
put_zeros(char *at, int n)
{
  for (; n > 0; n--)
    *at++ = '0';
  return at;
}

static char *
put_digits(char *at, const char *digits, int n)
{
  memcpy(at, digits, (size_t)n);
  return at + n;
}

/* d.ddde-7, as ECMAScript writes it (ECMA-262, Number::toString). `point`: digits before the point.
 */
static char *
put_scientific(char *at, const char *digits, int n, int point)
{
  *at++ = digits[0];
  if (n > 1) {
    *at++ = '.';
    at = put_digits(at, digits + 1, n - 1);
  }
  int e = point - 1;
  *at++ = 'e';
  *at++ = e < 0 ? '-' : '+';
  if (e < 0) e = -e;
  if (e >= 10) *at++ = (char)('0' + e / 10);
  *at++ = (char)('0' + e % 10);
  return at;
}

size_t
rdf_vector_number(char out[RDF_VECTOR_NUMBER], float value)
{
  char text[10], *at = out;
  uint32_t v;
  if (value == 0) {
    *at = '0';
    return 1;
  }
  if (value < 0) *at++ = '-';
  int exponent = base_shortest_float(&v, value), n = 0;
  for (; v % 10 == 0; v /= 10)
    exponent++;
  for (; v; v /= 10)
    text[9 - n++] = (char)('0' + v % 10);
  const char *digits = text + 10 - n;
  int point = n + exponent;
  if (point > 21 || point < -5) {
    at = put_scientific(at, digits, n, point);
  } else if (point <= 0) {
    *at++ = '0';
    *at++ = '.';
    at = put_digits(put_zeros(at, -point), digits, n);
  } else if (point >= n) {
    at = put_zeros(put_digits(at, digits, n), point - n);
  } else {
    at = put_digits(at, digits, point);
    *at++ = '.';
    at = put_digits(at, digits + point, n - point);
  }
  return (size_t)(at - out);
}

quoin_status
rdf_vector_text(rdf_term *out, const float *values, uint32_t n, base_arena *arena, quoin_error *err)
{
  char *text = base_arena_bytes(arena, (size_t)n * (RDF_VECTOR_NUMBER + 1) + 2), *at = text;
  if (!text) return base_fail_nomem(err);
  *at++ = '[';
  for (uint32_t i = 0; i < n; i++) {
    if (i) *at++ = ',';
    at += rdf_vector_number(at, values[i]);
  }
  *at++ = ']';
  base_arena_trim(arena, text, (size_t)(at - text));
  *out = (rdf_term){.kind = RDF_LITERAL,
                    .value = {text, (size_t)(at - text)},
                    .datatype = {RDF_VEC_F32, sizeof(RDF_VEC_F32) - 1}};
  return QUOIN_OK;
}
