/* Kernels: every table that runs here against the scalar one, over all dimensions up to 1,024 with
 * rows at odd addresses; exact sums to the bit. Codes: halves against the definition, i8 within its
 * rounding. */
#include "vector/code.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 5, DIMS = 1024, STRIDE = DIMS * 4 + 8 + 60 };

typedef struct world {
  uint64_t state;
  float query[DIMS], vectors[ROWS][DIMS];
  _Alignas(64) char spaces[VEC_CROSS][DIMS * 4], space[DIMS * 4], rows[ROWS * STRIDE + 64];
} world;

static double
uniform(world *w)
{
  w->state += UINT64_C(0x9E3779B97F4A7C15);
  return (double)(base_mix(w->state) >> 11) * 0x1p-53 * 2 - 1;
}

static int
setup(void **state)
{
  world *w = calloc(1, sizeof(*w));
  const char *seed = getenv("QUOIN_SEED");
  w->state = seed ? strtoull(seed, NULL, 10) : 1;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)w->state);
  *state = w;
  return 0;
}

static int
teardown(void **state)
{
  free(*state);
  return 0;
}

static void
randomise(world *w)
{
  double size = exp(4 * uniform(w));
  for (size_t i = 0; i < DIMS; i++) {
    w->query[i] = (float)(size * uniform(w));
    for (size_t r = 0; r < ROWS; r++)
      w->vectors[r][i] = (float)(size * uniform(w));
  }
}

/* What two orders of summing may differ by: both are within dims / 2^24 of the sum of the terms. */
static double
tolerance_of(const float *query, const float *row, vec_code code, uint32_t dims)
{
  if (code == VEC_I8 || code == VEC_B1) return 0;
  double sum = 1;
  for (uint32_t i = 0; i < dims; i++)
    sum += pow(fabs((double)query[i]) + fabs((double)row[i]), 2);
  return sum * (dims + 2) * 0x1p-23;
}

/* Four queries at once against one after the other; w->rows has the codes. */
static void
compare_cross(world *w, const vec_kernels *k, vec_code code, vec_metric metric, uint32_t dims,
              const vec_rows *rows)
{
  vec_cross *cross = vec_kernels_cross(k, metric, code);
  vec_query query[VEC_CROSS];
  const vec_query *queries[VEC_CROSS];
  float got[VEC_CROSS][ROWS + 2], want[ROWS];
  if (code == VEC_B1) {
    assert_null(cross);
    return;
  }
  for (size_t j = 0; j < VEC_CROSS; j++) {
    vec_query_set(&query[j], w->spaces[j], code, metric, j ? w->vectors[j] : w->query, dims);
    queries[j] = &query[j];
  }
  cross(&got[0][0], ROWS + 2, queries, rows);
  for (size_t j = 0; j < VEC_CROSS; j++) {
    vec_kernels_walk(k, metric, code)(want, &query[j], rows);
    for (size_t r = 0; r < ROWS; r++)
      if (fabs((double)want[r] - (double)got[j][r]) >
          tolerance_of(j ? w->vectors[j] : w->query, w->vectors[r], code, dims))
        fail_msg("%s code %d metric %d dims %u, query %zu: %g, alone %g", k->name, code, metric,
                 dims, j, (double)got[j][r], (double)want[r]);
  }
}

static void
compare_walk(world *w, const vec_kernels *k, vec_code code, vec_metric metric, uint32_t dims)
{
  vec_query query;
  float want[ROWS], got[ROWS], picked[ROWS];
  uint32_t slots[ROWS] = {4, 0, 3, 2, 1};
  size_t stride = vec_code_bytes(code, dims) + 8 + 4 * (dims % 3);
  vec_rows rows = {.base = w->rows, .stride = stride, .n = ROWS};
  for (size_t r = 0; r < ROWS; r++)
    vec_code_encode(w->rows + r * stride, code, metric, w->vectors[r], dims);
  vec_query_set(&query, w->space, code, metric, w->query, dims);
  vec_kernels_walk(vec_kernels_nth(0), metric, code)(want, &query, &rows);
  vec_kernels_walk(k, metric, code)(got, &query, &rows);
  compare_cross(w, k, code, metric, dims, &rows);
  rows.slots = slots;
  vec_kernels_walk(k, metric, code)(picked, &query, &rows);
  for (size_t r = 0; r < ROWS; r++) {
    if (fabs((double)want[r] - (double)got[r]) > tolerance_of(w->query, w->vectors[r], code, dims))
      fail_msg("%s code %d metric %d dims %u: %g, scalar %g", k->name, code, metric, dims,
               (double)got[r], (double)want[r]);
    assert_memory_equal(&picked[r], &got[slots[r]], sizeof(float));
  }
}

/* Numbers of any size: the walk must order rows as exact sums do, but for what codes round. */
static double
told(vec_code code, vec_metric metric, const float *a, const float *b, uint32_t dims)
{
  double sum = 0;
  (void)code;
  for (uint32_t i = 0; i < dims; i++) {
    double difference = (double)a[i] - (double)b[i];
    sum += metric == VEC_L2 ? difference * difference : -(double)a[i] * (double)b[i];
  }
  return sum;
}

/* The vector that a row stands for. */
static void
decode(float *out, vec_code code, const char *row, uint32_t dims)
{
  float scale;
  memcpy(&scale, row + vec_code_bytes(code, dims), 4);
  for (uint32_t i = 0; i < dims; i++) {
    uint16_t half;
    if (code == VEC_F32) memcpy(&out[i], row + (size_t)4 * i, 4);
    if (code == VEC_F16) memcpy(&half, row + (size_t)2 * i, 2);
    if (code == VEC_F16) out[i] = vec_unhalf(half) * scale;
    if (code == VEC_I8) out[i] = (float)((uint8_t)row[i] - 128) * scale;
  }
}

/* Sizes of vectors from the least normal floats to the largest; rows of other sizes, too. */
static void
compare_far(world *w, const vec_kernels *k, vec_code code, vec_metric metric, int exponent,
            uint32_t dims)
{
  enum { MINE = ROWS };
  static float rows[ROWS + 1][DIMS];
  static char mine[DIMS * 4 + 8];
  vec_query query;
  float got[ROWS];
  double want[ROWS], near[ROWS];
  size_t stride = vec_code_bytes(code, dims) + 8;
  vec_rows of = {.base = w->rows, .stride = stride, .n = ROWS};
  for (size_t r = 0; r <= ROWS; r++) {
    int other = r == 1 ? exponent / 2 : r == 2 ? -exponent : exponent;
    for (uint32_t i = 0; i < dims; i++)
      rows[r][i] = (float)ldexp(uniform(w), other > 127 ? 127 : other);
    if (r < ROWS) vec_code_encode(w->rows + r * stride, code, metric, rows[r], dims);
  }
  vec_code_encode(mine, code, metric, rows[MINE], dims);
  vec_query_from_row(&query, w->space, code, mine, dims);
  vec_kernels_walk(k, metric, code)(got, &query, &of);
  decode(rows[MINE], code, mine, dims);
  for (size_t r = 0; r < ROWS; r++) {
    decode(rows[r], code, w->rows + r * stride, dims);
    want[r] = told(code, metric, rows[MINE], rows[r], dims);
    double a = told(code, VEC_DOT, rows[MINE], rows[MINE], dims);
    double b = told(code, VEC_DOT, rows[r], rows[r], dims);
    near[r] = (metric == VEC_L2 ? -a - b : sqrt(a * b)) * 1e-5;
    if (!isfinite(got[r]))
      fail_msg("%s code %d metric %d dims %u 2^%d row %zu: %g", k->name, code, metric, dims,
               exponent, r, (double)got[r]);
  }
  for (size_t r = 0; r < ROWS; r++)
    for (size_t s = 0; s < ROWS; s++)
      if (want[r] + near[r] + near[s] < want[s] && !(got[r] < got[s]))
        fail_msg("%s code %d metric %d dims %u 2^%d: %g and %g told as %g and %g", k->name, code,
                 metric, dims, exponent, want[r], want[s], (double)got[r], (double)got[s]);
}

static void
test_kernel__walk_orders_vectors_of_any_size(void **state)
{
  world *w = *state;
  const vec_kernels *k;
  for (int exponent = -140; exponent <= 127; exponent += 1 + (int)(2.9 * (uniform(w) + 1)))
    for (size_t i = 0; (k = vec_kernels_nth(i)); i++)
      for (int code = VEC_F32; code <= VEC_I8; code++)
        for (int metric = 0; metric < VEC_METRICS; metric++)
          compare_far(w, k, (vec_code)code, (vec_metric)metric, exponent,
                      1 + (uint32_t)(150 * (uniform(w) + 1)));
}

static void
test_kernel__walk_agrees_with_scalar(void **state)
{
  world *w = *state;
  const vec_kernels *k;
  for (uint32_t dims = 1; dims <= DIMS; dims += dims < 300 ? 1 : 7) {
    randomise(w);
    for (size_t i = 0; (k = vec_kernels_nth(i)); i++)
      for (int code = 0; code < VEC_CODES; code++)
        for (int metric = 0; metric < VEC_METRICS; metric++)
          compare_walk(w, k, (vec_code)code, (vec_metric)metric, dims);
  }
}

/* The definition, spelled out once more than in the library. */
static double
exact_oracle(const float *a, const float *b, size_t dims, bool l2)
{
  volatile double lane[16] = {0}, term, difference;
  for (size_t i = 0; i < dims; i++) {
    difference = (double)a[i] - (double)b[i];
    term = l2 ? difference * difference : (double)a[i] * (double)b[i];
    lane[i % 16] = lane[i % 16] + term;
  }
  for (size_t half = 8; half; half /= 2)
    for (size_t i = 0; i < half; i++)
      lane[i] = lane[i] + lane[i + half];
  return lane[0];
}

static void
test_kernel__exact_has_the_same_bits_everywhere(void **state)
{
  world *w = *state;
  const vec_kernels *k;
  for (uint32_t dims = 1; dims <= DIMS; dims++) {
    randomise(w);
    const float *v = w->vectors[dims % ROWS];
    double dot = exact_oracle(w->query, v, dims, false), l2 = exact_oracle(w->query, v, dims, true);
    double norm = exact_oracle(v, v, dims, false),
           own = exact_oracle(w->query, w->query, dims, false);
    double cosine = 1 - dot / sqrt(own * norm);
    for (size_t i = 0; (k = vec_kernels_nth(i)); i++) {
      double sums[2], got[] = {k->exact_dot(w->query, v, dims), k->exact_l2(w->query, v, dims),
                               vec_exact(k, VEC_COSINE, w->query, own, v, dims)};
      double want[] = {dot, l2, cosine};
      k->exact_dot2(sums, w->query, v, dims);
      if (memcmp(got, want, sizeof(want)) || sums[0] != dot || sums[1] != norm)
        fail_msg("%s dims %u: %a %a %a, not %a %a %a", k->name, dims, got[0], got[1], got[2], dot,
                 l2, cosine);
    }
  }
  float zero[3] = {0};
  assert_true(vec_exact(vec_kernels_best(), VEC_COSINE, zero, 0, w->query, 3) == 1.0);
}

static void
test_code__halves_are_rounded_to_nearest_even(void **state)
{
  world *w = *state;
  for (uint32_t h = 0; h < 0x7C00; h++) { /* every finite half, and the middle to the next */
    double low = (double)vec_unhalf((uint16_t)h), high = (double)vec_unhalf((uint16_t)(h + 1));
    double exponent =
        (h >> 10) ? ldexp(1 + (h & 1023) / 1024.0, (int)(h >> 10) - 15) : ldexp(h / 1024.0, -14);
    assert_true(low == exponent);
    assert_int_equal(vec_half((float)low), h);
    if (h == 0x7BFF) break;
    double middle = (low + high) / 2;
    assert_int_equal(vec_half((float)middle), h & 1 ? h + 1 : h);
    assert_int_equal(vec_half(-(float)(low + (high - low) * 0.75)), 0x8000u | (h + 1));
  }
  assert_int_equal(vec_half(1e30f), 0x7BFF);
  assert_int_equal(vec_half(-1e30f), 0xFBFF);
  (void)w;
}

static void
test_code__i8_is_within_its_rounding(void **state)
{
  world *w = *state;
  vec_query query;
  float out;
  for (int trial = 0; trial < 200; trial++) {
    randomise(w);
    uint32_t dims = 1 + (uint32_t)trial * 5;
    vec_code_encode(w->rows, VEC_I8, VEC_L2, w->vectors[0], dims);
    vec_query_set(&query, w->space, VEC_I8, VEC_L2, w->query, dims);
    vec_rows rows = {.base = w->rows, .n = 1};
    vec_kernels_best()->l2[VEC_I8](&out, &query, &rows);
    double want = exact_oracle(w->query, w->vectors[0], dims, true), step = 0, largest[2] = {0};
    for (uint32_t i = 0; i < dims; i++) {
      largest[0] = fmax(largest[0], fabs((double)w->query[i]));
      largest[1] = fmax(largest[1], fabs((double)w->vectors[0][i]));
    }
    step = sqrt(dims) * (largest[0] + largest[1]) / 254; /* each element is off by half a step */
    if (fabs(sqrt((double)out) - sqrt(want)) > step * 1.01 + 1e-3 * sqrt(want))
      fail_msg("dims %u: %g for %g, step %g", dims, (double)out, want, step);
  }
}

static void
test_code__a_row_as_query_is_the_query(void **state)
{
  world *w = *state;
  _Alignas(64) static char other[DIMS * 4];
  for (int code = 0; code < VEC_CODES; code++)
    for (uint32_t dims = 1; dims < 400; dims += 13) {
      vec_query a, b;
      randomise(w);
      vec_code_encode(w->rows, (vec_code)code, VEC_COSINE, w->query, dims);
      vec_query_set(&a, w->space, (vec_code)code, VEC_COSINE, w->query, dims);
      vec_query_from_row(&b, other, (vec_code)code, w->rows, dims);
      if (code == VEC_I8) {
        assert_memory_equal(w->space, other, dims);
        assert_true(a.scale == b.scale && a.norm == b.norm && a.shift == b.shift);
      }
      if (code == VEC_B1 || code == VEC_F32)
        assert_memory_equal(w->space, other, vec_code_bytes((vec_code)code, dims));
    }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kernel__walk_agrees_with_scalar),
      cmocka_unit_test(test_kernel__walk_orders_vectors_of_any_size),
      cmocka_unit_test(test_kernel__exact_has_the_same_bits_everywhere),
      cmocka_unit_test(test_code__halves_are_rounded_to_nearest_even),
      cmocka_unit_test(test_code__i8_is_within_its_rounding),
      cmocka_unit_test(test_code__a_row_as_query_is_the_query),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
