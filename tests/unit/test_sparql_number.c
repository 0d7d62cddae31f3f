/* Exact decimals against GMP's rationals, doubles against the C library. */
#include "sparql/expr/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

typedef struct world {
  uint64_t seed;
  base_arena arena;
} world;

static uint64_t
next(world *w)
{
  w->seed += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(w->seed);
}

static int
open_world(void **state)
{
  static world w;
  const char *text = getenv("QUOIN_SEED");
  w.seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)w.seed);
  base_arena_init(&w.arena, base_alloc_default());
  *state = &w;
  return 0;
}

static int
close_world(void **state)
{
  base_arena_clear(&((world *)*state)->arena);
  return 0;
}

/* Short ones, ones near the limits of 64 and 128 bits, and long ones. */
static quoin_span
random_decimal(world *w, bool whole)
{
  static const unsigned most[] = {2, 10, 20, 21, 40, 41, 90};
  unsigned digits = 1 + (unsigned)(next(w) % most[next(w) % 7]);
  unsigned scale = whole ? 0 : (unsigned)(next(w) % (digits + 3));
  char *text = base_arena_bytes(&w->arena, digits + scale + 8);
  size_t n = 0;
  if (next(w) & 1) text[n++] = '-';
  unsigned before = digits > scale ? digits - scale : 1;
  for (unsigned i = 0; i < before; i++)
    text[n++] = (char)('0' + next(w) % 10);
  if (scale) text[n++] = '.';
  for (unsigned i = 0; i < scale; i++)
    text[n++] = (char)('0' + (next(w) % 3 ? next(w) % 10 : 0));
  text[n] = '\0';
  return (quoin_span){text, n};
}

static void
to_rational(mpq_t out, quoin_span text)
{
  char digits[400];
  size_t n = 0, scale = 0;
  bool point = false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == '.') {
      point = true;
      continue;
    }
    scale += point;
    digits[n++] = text.ptr[i];
  }
  digits[n] = '\0';
  assert_int_equal(mpz_set_str(mpq_numref(out), digits, 10), 0);
  mpz_ui_pow_ui(mpq_denref(out), 10, scale);
  mpq_canonicalize(out);
}

static void
assert_is(const sparql_number *n, const mpq_t expected, world *w, const char *what)
{
  mpq_t is;
  mpq_init(is);
  quoin_span text = number_format(n, &w->arena);
  to_rational(is, text);
  if (!mpq_equal(is, expected)) fail_msg("%s: %.*s", what, (int)text.len, text.ptr);
  mpq_clear(is);
}

static void
test_number__arithmetic_is_exact(void **state)
{
  world *w = *state;
  mpq_t a, b, r;
  mpq_inits(a, b, r, NULL);
  for (int i = 0; i < 20000; i++) {
    sparql_number x, y, z;
    base_arena_mark mark = base_arena_here(&w->arena);
    quoin_span s = random_decimal(w, false), t = random_decimal(w, false);
    assert_int_equal(number_parse_decimal(&x, s, &w->arena, NULL), QUOIN_OK);
    assert_int_equal(number_parse_decimal(&y, t, &w->arena, NULL), QUOIN_OK);
    to_rational(a, s);
    to_rational(b, t);
    assert_is(&x, a, w, s.ptr);
    mpq_add(r, a, b);
    assert_int_equal(number_add(&z, &x, &y, &w->arena, NULL), QUOIN_OK);
    assert_is(&z, r, w, "add");
    mpq_sub(r, a, b);
    assert_int_equal(number_sub(&z, &x, &y, &w->arena, NULL), QUOIN_OK);
    assert_is(&z, r, w, "sub");
    assert_int_equal(number_sign(&z), mpq_sgn(r));
    mpq_mul(r, a, b);
    assert_int_equal(number_mul(&z, &x, &y, &w->arena, NULL), QUOIN_OK);
    assert_is(&z, r, w, "mul");
    mpq_neg(r, a);
    assert_int_equal(number_negate(&z, &x, &w->arena, NULL), QUOIN_OK);
    assert_is(&z, r, w, "negate");
    int c = mpq_cmp(a, b);
    assert_int_equal(number_compare(&x, &y), (c > 0) - (c < 0));
    base_arena_rewind(&w->arena, mark);
  }
  mpq_clears(a, b, r, NULL);
}

static void
test_number__division_keeps_18_digits(void **state)
{
  world *w = *state;
  mpq_t a, b, r;
  mpz_t q, scale;
  mpq_inits(a, b, r, NULL);
  mpz_inits(q, scale, NULL);
  mpz_ui_pow_ui(scale, 10, NUMBER_DIVISION_SCALE);
  for (int i = 0; i < 20000; i++) {
    sparql_number x, y, z;
    base_arena_mark mark = base_arena_here(&w->arena);
    quoin_span s = random_decimal(w, false), t = random_decimal(w, false);
    assert_int_equal(number_parse_decimal(&x, s, &w->arena, NULL), QUOIN_OK);
    assert_int_equal(number_parse_decimal(&y, t, &w->arena, NULL), QUOIN_OK);
    to_rational(a, s);
    to_rational(b, t);
    quoin_status st = number_div(&z, &x, &y, &w->arena, NULL);
    if (mpq_sgn(b) == 0) {
      assert_int_equal(st, QUOIN_DONE);
    } else {
      assert_int_equal(st, QUOIN_OK);
      mpq_div(r, a, b);
      mpz_mul(q, mpq_numref(r), scale);
      mpz_tdiv_q(q, q, mpq_denref(r));
      mpq_set_num(r, q);
      mpq_set_den(r, scale);
      mpq_canonicalize(r);
      assert_is(&z, r, w, "div");
    }
    base_arena_rewind(&w->arena, mark);
  }
  mpq_clears(a, b, r, NULL);
  mpz_clears(q, scale, NULL);
}

static void
test_number__rounding(void **state)
{
  world *w = *state;
  mpq_t a, r, half;
  mpz_t q;
  mpq_inits(a, r, half, NULL);
  mpz_init(q);
  mpq_set_ui(half, 1, 2);
  for (int i = 0; i < 20000; i++) {
    base_arena_mark mark = base_arena_here(&w->arena);
    quoin_span s = random_decimal(w, false);
    sparql_number x, z;
    assert_int_equal(number_parse_decimal(&x, s, &w->arena, NULL), QUOIN_OK);
    to_rational(a, s);
    for (int how = NUMBER_TRUNCATE; how <= NUMBER_ROUND; how++) {
      mpq_set(r, a);
      if (how == NUMBER_ROUND) mpq_add(r, r, half);
      if (how == NUMBER_TRUNCATE)
        mpz_tdiv_q(q, mpq_numref(r), mpq_denref(r));
      else if (how == NUMBER_CEIL)
        mpz_cdiv_q(q, mpq_numref(r), mpq_denref(r));
      else
        mpz_fdiv_q(q, mpq_numref(r), mpq_denref(r));
      mpq_set_z(r, q);
      assert_int_equal(number_round(&z, &x, (number_rounding)how, &w->arena, NULL), QUOIN_OK);
      assert_int_equal(z.scale, 0);
      assert_is(&z, r, w, "round");
    }
    base_arena_rewind(&w->arena, mark);
  }
  mpq_clears(a, r, half, NULL);
  mpz_clear(q);
}

static double
random_double(world *w)
{
  uint64_t bits = next(w);
  double d;
  unsigned exponent = (unsigned)(next(w) % 8 ? 1023 - 80 + next(w) % 160 : next(w) % 2047);
  bits = (bits & UINT64_C(0x800fffffffffffff)) | (uint64_t)exponent << 52;
  if (next(w) % 4 == 0) bits &= ~UINT64_C(0xffffffffff);
  memcpy(&d, &bits, 8);
  return d;
}

static void
test_number__doubles_as_text_and_back(void **state)
{
  world *w = *state;
  for (int i = 0; i < 50000; i++) {
    double d = random_double(w), back;
    char text[NUMBER_DOUBLE_TEXT], shorter[64];
    size_t n = number_format_double(text, d);
    assert_true(number_parse_double(&back, (quoin_span){text, n}));
    if (back != d) fail_msg("%.17g becomes %.*s", d, (int)n, text);
    /* no shorter form reads back: one digit less, rounded, is another number */
    int digits = 0;
    for (size_t k = 0; k < n && text[k] != 'E'; k++)
      digits += text[k] >= '0' && text[k] <= '9';
    if (digits > 2) {
      (void)snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, d);
      assert_true(strtod(shorter, NULL) != d);
    }
    float f = (float)d, fback;
    if (isfinite(f)) {
      n = number_format_float(text, f);
      assert_true(number_parse_float(&fback, (quoin_span){text, n}));
      assert_true(f == fback);
    }
  }
}

/* Below the normal range a double holds fewer digits than DBL_DIG: the shortest form has fewer,
 * too. */
static void
test_number__smallest_doubles_are_short(void **state)
{
  char text[NUMBER_DOUBLE_TEXT];
  (void)state;
  size_t n = number_format_double(text, strtod("4.94065645841246544e-324", NULL));
  assert_int_equal(n, strlen("5.0E-324"));
  assert_memory_equal(text, "5.0E-324", n);
  n = number_format_double(text, strtod("2e-320", NULL));
  assert_int_equal(n, strlen("2.0E-320"));
  assert_memory_equal(text, "2.0E-320", n);
  n = number_format_float(text, strtof("1e-45", NULL));
  assert_int_equal(n, strlen("1.0E-45"));
  assert_memory_equal(text, "1.0E-45", n);
}

static void
test_number__text_to_double_is_nearest(void **state)
{
  world *w = *state;
  for (int i = 0; i < 50000; i++) {
    base_arena_mark mark = base_arena_here(&w->arena);
    quoin_span s = random_decimal(w, false);
    char text[300];
    double d;
    int n = snprintf(text, sizeof(text), "%s%s%d", s.ptr, next(w) & 1 ? "E" : "e",
                     (int)(next(w) % 80) - 40);
    assert_true(number_parse_double(&d, (quoin_span){text, (size_t)n}));
    assert_true(d == strtod(text, NULL));
    sparql_number x;
    assert_int_equal(number_parse_decimal(&x, s, &w->arena, NULL), QUOIN_OK);
    assert_true(number_to_double(&x) == strtod(s.ptr, NULL));
    assert_true(number_to_float(&x) == strtof(s.ptr, NULL));
    base_arena_rewind(&w->arena, mark);
  }
}

static void
test_number__doubles_are_exact_decimals(void **state)
{
  world *w = *state;
  mpq_t a, b;
  mpq_inits(a, b, NULL);
  for (int i = 0; i < 5000; i++) {
    base_arena_mark mark = base_arena_here(&w->arena);
    double d = random_double(w);
    if (fabs(d) > 1e60 || (d != 0 && fabs(d) < 1e-40)) continue;
    sparql_number x, y;
    assert_int_equal(number_from_double(&x, d, false, &w->arena, NULL), QUOIN_OK);
    mpq_set_d(a, d);
    assert_is(&x, a, w, "from double");
    assert_int_equal(number_compare_double(&x, d), 0);
    quoin_span s = random_decimal(w, false);
    assert_int_equal(number_parse_decimal(&y, s, &w->arena, NULL), QUOIN_OK);
    to_rational(b, s);
    int c = mpq_cmp(b, a);
    assert_int_equal(number_compare_double(&y, d), (c > 0) - (c < 0));
    assert_int_equal(number_compare_double(&y, HUGE_VAL), -1);
    assert_int_equal(number_compare_double(&y, -HUGE_VAL), 1);
    base_arena_rewind(&w->arena, mark);
  }
  mpq_clears(a, b, NULL);
}

static void
test_number__bad_text(void **state)
{
  world *w = *state;
  static const char *const decimals[] = {"",   "+",  "-",   ".",   "-.",  "1.2.3", "1e5",
                                         " 1", "1 ", "0x1", "--1", "1,5", "NaN",   "+-1"};
  static const char *const doubles[] = {"",    "e5",   "1e",    "1e+",   ".",  "INFINITY", "nan",
                                        "inf", "-NaN", "0x1p3", "1e5.5", "1 ", "++1"};
  for (size_t i = 0; i < sizeof(decimals) / sizeof(decimals[0]); i++) {
    sparql_number n;
    assert_int_equal(number_parse_decimal(&n, base_span(decimals[i]), &w->arena, NULL), QUOIN_DONE);
    assert_int_equal(number_parse_integer(&n, base_span(decimals[i]), &w->arena, NULL), QUOIN_DONE);
  }
  for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
    double d;
    float f;
    if (number_parse_double(&d, base_span(doubles[i])) ||
        number_parse_float(&f, base_span(doubles[i])))
      fail_msg("%s is taken", doubles[i]);
  }
}

/* Hostile lengths: refused, or handled in bounded memory. */
static void
test_number__very_long_text(void **state)
{
  world *w = *state;
  size_t len = 3000000;
  char *text = base_arena_bytes(&w->arena, len + 1);
  sparql_number n;
  double d;
  memset(text, '7', len);
  assert_int_equal(number_parse_integer(&n, (quoin_span){text, len}, &w->arena, NULL), QUOIN_DONE);
  assert_int_equal(number_parse_integer(&n, (quoin_span){text, NUMBER_DIGITS}, &w->arena, NULL),
                   QUOIN_OK);
  assert_true(isinf(number_to_double(&n)));
  assert_int_equal(number_mul(&n, &n, &n, &w->arena, NULL), QUOIN_DONE);
  assert_true(number_parse_double(&d, (quoin_span){text, len}));
  assert_true(isinf(d));
  text[0] = '0';
  text[1] = '.';
  assert_true(number_parse_double(&d, (quoin_span){text, len}));
  assert_true(d == 0.7777777777777778);
  memset(text, '0', len);
  text[len - 1] = '5';
  assert_int_equal(number_parse_integer(&n, (quoin_span){text, len}, &w->arena, NULL), QUOIN_OK);
  assert_true(number_to_double(&n) == 5);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_number__arithmetic_is_exact),
      cmocka_unit_test(test_number__division_keeps_18_digits),
      cmocka_unit_test(test_number__rounding),
      cmocka_unit_test(test_number__doubles_as_text_and_back),
      cmocka_unit_test(test_number__smallest_doubles_are_short),
      cmocka_unit_test(test_number__text_to_double_is_nearest),
      cmocka_unit_test(test_number__doubles_are_exact_decimals),
      cmocka_unit_test(test_number__bad_text),
      cmocka_unit_test(test_number__very_long_text),
  };
  return cmocka_run_group_tests(tests, open_world, close_world);
}
