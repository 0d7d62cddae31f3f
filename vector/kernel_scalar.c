/* vector/kernel_scalar.c - the kernels in plain C: what the others must agree with. */
#include "vector/code.h"
#include "vector/kernel_rows.h"

#include "base/poison.h"

static float
dot_f32(const void *query, const void *row, size_t dims, float scale)
{
  (void)scale;
  const float *q = query, *r = row;
  float sum = 0;
  for (size_t i = 0; i < dims; i++)
    sum += q[i] * r[i];
  return sum;
}

static float
l2_f32(const void *query, const void *row, size_t dims, float scale)
{
  (void)scale;
  const float *q = query, *r = row;
  float sum = 0;
  for (size_t i = 0; i < dims; i++)
    sum += (q[i] - r[i]) * (q[i] - r[i]);
  return sum;
}

static void
dot2_f32(float sums[2], const float *query, const float *row, size_t dims)
{
  sums[0] = dot_f32(query, row, dims, 1);
  sums[1] = dot_f32(row, row, dims, 1);
}

static float
dot_f16(const void *query, const void *row, size_t dims, float scale)
{
  (void)scale;
  const float *q = query;
  const uint16_t *r = row;
  float sum = 0;
  for (size_t i = 0; i < dims; i++)
    sum += q[i] * vec_unhalf(r[i]);
  return sum;
}

static float
l2_f16(const void *query, const void *row, size_t dims, float scale)
{
  const float *q = query;
  const uint16_t *r = row;
  float sum = 0;
  for (size_t i = 0; i < dims; i++) {
    float d = q[i] - vec_unhalf(r[i]) * scale;
    sum += d * d;
  }
  return sum;
}

static int32_t
dot_i8(const void *query, const void *row, size_t dims)
{
  const int8_t *q = query;
  const uint8_t *r = row;
  int32_t sum = 0;
  for (size_t i = 0; i < dims; i++)
    sum += q[i] * r[i];
  return sum;
}

VEC_FOUR(four_dot_f32, float, dot_f32(queries[j], row, dims, scale))
VEC_FOUR(four_l2_f32, float, l2_f32(queries[j], row, dims, scale))
VEC_FOUR(four_dot_f16, float, dot_f16(queries[j], row, dims, scale))
VEC_FOUR(four_l2_f16, float, l2_f16(queries[j], row, dims, scale))
VEC_FOUR(four_dot_i8, int32_t, dot_i8(queries[j], row, dims))

static uint32_t
differ(const void *a, const void *b, size_t bytes)
{
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes; i += 4) {
    uint32_t x, y;
    memcpy(&x, (const char *)a + i, 4);
    memcpy(&y, (const char *)b + i, 4);
    sum += (uint32_t)__builtin_popcount(x ^ y);
  }
  return sum;
}

static double
exact_dot(const float *a, const float *b, size_t dims)
{
  double lane[16] = {0};
  for (size_t i = 0; i < dims; i++)
    lane[i % 16] += (double)a[i] * (double)b[i];
  return lanes_fold(lane);
}

static double
exact_l2(const float *a, const float *b, size_t dims)
{
  double lane[16] = {0};
  for (size_t i = 0; i < dims; i++) {
    double d = (double)a[i] - (double)b[i];
    double square = d * d;
    lane[i % 16] += square;
  }
  return lanes_fold(lane);
}

static void
exact_dot2(double sums[2], const float *a, const float *b, size_t dims)
{
  sums[0] = exact_dot(a, b, dims);
  sums[1] = exact_dot(b, b, dims);
}

VEC_TABLE(vec_kernels_scalar, "scalar")
