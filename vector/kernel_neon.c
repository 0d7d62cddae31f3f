/* vector/kernel_neon.c - the kernels with Advanced SIMD, which every aarch64 has. */
#include "vector/code.h"
#include "vector/kernel_rows.h"

#include <arm_neon.h>

#include "base/poison.h"

static inline float32x4_t
load_half(const uint16_t *at)
{
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at)));
}

/* One step of a sum: the product, the square of the difference, and that with a scaled row. */
static inline float32x4_t
product(float32x4_t a, float32x4_t b, float32x4_t scale, float32x4_t sum)
{
  (void)scale;
  return vfmaq_f32(sum, a, b);
}

static inline float32x4_t
square(float32x4_t a, float32x4_t b, float32x4_t scale, float32x4_t sum)
{
  (void)scale;
  float32x4_t d = vsubq_f32(a, b);
  return vfmaq_f32(sum, d, d);
}

static inline float32x4_t
square_scaled(float32x4_t a, float32x4_t b, float32x4_t scale, float32x4_t sum)
{
  float32x4_t d = vfmsq_f32(a, b, scale);
  return vfmaq_f32(sum, d, d);
}

static inline float32x4_t
tail_f32(const float *at, size_t n)
{
  float space[4] = {0};
  memcpy(space, at, n * sizeof(float));
  return vld1q_f32(space);
}

static inline float32x4_t
tail_half(const uint16_t *at, size_t n)
{
  uint16_t space[4] = {0};
  memcpy(space, at, n * sizeof(uint16_t));
  return load_half(space);
}

#define ROW_SUM(name, TYPE, LOAD, TAIL, STEP)                                                      \
  static inline float name(const void *query, const void *row, size_t dims, float scale)           \
  {                                                                                                \
    const float32x4_t by = vdupq_n_f32(scale);                                                     \
    const float *q = query;                                                                        \
    const TYPE *r = row;                                                                           \
    float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;                                    \
    size_t i = 0;                                                                                  \
    for (; i + 16 <= dims; i += 16) {                                                              \
      s0 = STEP(vld1q_f32(q + i), LOAD(r + i), by, s0);                                            \
      s1 = STEP(vld1q_f32(q + i + 4), LOAD(r + i + 4), by, s1);                                    \
      s2 = STEP(vld1q_f32(q + i + 8), LOAD(r + i + 8), by, s2);                                    \
      s3 = STEP(vld1q_f32(q + i + 12), LOAD(r + i + 12), by, s3);                                  \
    }                                                                                              \
    for (; i + 4 <= dims; i += 4)                                                                  \
      s0 = STEP(vld1q_f32(q + i), LOAD(r + i), by, s0);                                            \
    if (i < dims) s1 = STEP(tail_f32(q + i, dims - i), TAIL(r + i, dims - i), by, s1);             \
    return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));                            \
  }

ROW_SUM(dot_f32, float, vld1q_f32, tail_f32, product)
ROW_SUM(l2_f32, float, vld1q_f32, tail_f32, square)
ROW_SUM(dot_f16, uint16_t, load_half, tail_half, product)
ROW_SUM(l2_f16, uint16_t, load_half, tail_half, square_scaled)

/* Both sums in one pass over the row. */
static inline void
dot2_f32(float sums[2], const float *query, const float *row, size_t dims)
{
  float32x4_t d0 = vdupq_n_f32(0), d1 = d0, n0 = d0, n1 = d0;
  size_t i = 0;
  for (; i + 8 <= dims; i += 8) {
    float32x4_t r0 = vld1q_f32(row + i), r1 = vld1q_f32(row + i + 4);
    d0 = vfmaq_f32(d0, vld1q_f32(query + i), r0);
    d1 = vfmaq_f32(d1, vld1q_f32(query + i + 4), r1);
    n0 = vfmaq_f32(n0, r0, r0);
    n1 = vfmaq_f32(n1, r1, r1);
  }
  for (; i < dims; i += 4) {
    size_t n = dims - i < 4 ? dims - i : 4;
    float32x4_t r0 = tail_f32(row + i, n);
    d0 = vfmaq_f32(d0, tail_f32(query + i, n), r0);
    n0 = vfmaq_f32(n0, r0, r0);
  }
  sums[0] = vaddvq_f32(vaddq_f32(d0, d1));
  sums[1] = vaddvq_f32(vaddq_f32(n0, n1));
}

static inline int32_t
dot_i8(const void *query, const void *row, size_t dims)
{
  const int8_t *q = query;
  const uint8_t *r = row;
  int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
  size_t i = 0;
  for (; i + 16 <= dims; i += 16) {
    int8x16_t a = vld1q_s8(q + i);
    uint8x16_t b = vld1q_u8(r + i);
    int16x8_t a0 = vmovl_s8(vget_low_s8(a)), a1 = vmovl_s8(vget_high_s8(a));
    int16x8_t b0 = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(b)));
    int16x8_t b1 = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(b)));
    s0 = vmlal_s16(s0, vget_low_s16(a0), vget_low_s16(b0));
    s1 = vmlal_s16(s1, vget_high_s16(a0), vget_high_s16(b0));
    s0 = vmlal_s16(s0, vget_low_s16(a1), vget_low_s16(b1));
    s1 = vmlal_s16(s1, vget_high_s16(a1), vget_high_s16(b1));
  }
  int32_t sum = vaddvq_s32(vaddq_s32(s0, s1));
  for (; i < dims; i++)
    sum += q[i] * r[i];
  return sum;
}

VEC_FOUR(four_dot_f32, float, dot_f32(queries[j], row, dims, scale))
VEC_FOUR(four_l2_f32, float, l2_f32(queries[j], row, dims, scale))
VEC_FOUR(four_dot_f16, float, dot_f16(queries[j], row, dims, scale))
VEC_FOUR(four_l2_f16, float, l2_f16(queries[j], row, dims, scale))
VEC_FOUR(four_dot_i8, int32_t, dot_i8(queries[j], row, dims))

static inline uint32_t
differ(const void *a, const void *b, size_t bytes)
{
  const uint8_t *x = a, *y = b;
  uint32_t sum = 0;
  size_t i = 0;
  for (; i + 16 <= bytes; i += 16)
    sum += vaddlvq_u8(vcntq_u8(veorq_u8(vld1q_u8(x + i), vld1q_u8(y + i))));
  for (; i < bytes; i += 4)
    sum += (uint32_t)__builtin_popcount(base_load_u32(x + i) ^ base_load_u32(y + i));
  return sum;
}

/* ---- exact: lane l of the 16 is element l % 2 of s[l / 2] --------------------------------------
 */

static inline double
exact_fold(const float64x2_t s[8])
{
  float64x2_t t[4];
  for (size_t j = 0; j < 4; j++)
    t[j] = vaddq_f64(s[j], s[j + 4]);
  t[0] = vaddq_f64(t[0], t[2]);
  t[1] = vaddq_f64(t[1], t[3]);
  return vaddvq_f64(vaddq_f64(t[0], t[1]));
}

static inline void
exact_add_dot(float64x2_t s[8], const float *a, const float *b)
{
  for (size_t j = 0; j < 8; j++)
    s[j] = vaddq_f64(
        s[j], vmulq_f64(vcvt_f64_f32(vld1_f32(a + 2 * j)), vcvt_f64_f32(vld1_f32(b + 2 * j))));
}

static inline void
exact_add_l2(float64x2_t s[8], const float *a, const float *b)
{
  for (size_t j = 0; j < 8; j++) {
    float64x2_t d = vsubq_f64(vcvt_f64_f32(vld1_f32(a + 2 * j)), vcvt_f64_f32(vld1_f32(b + 2 * j)));
    s[j] = vaddq_f64(s[j], vmulq_f64(d, d));
  }
}

#define EXACT_SUM(name, ADD)                                                                       \
  static double name(const float *a, const float *b, size_t dims)                                  \
  {                                                                                                \
    float64x2_t s[8];                                                                              \
    for (size_t j = 0; j < 8; j++)                                                                 \
      s[j] = vdupq_n_f64(0);                                                                       \
    size_t i = 0;                                                                                  \
    for (; i + 16 <= dims; i += 16)                                                                \
      ADD(s, a + i, b + i);                                                                        \
    if (i < dims) {                                                                                \
      float x[16] = {0}, y[16] = {0};                                                              \
      memcpy(x, a + i, (dims - i) * sizeof(float));                                                \
      memcpy(y, b + i, (dims - i) * sizeof(float));                                                \
      ADD(s, x, y);                                                                                \
    }                                                                                              \
    return exact_fold(s);                                                                          \
  }

EXACT_SUM(exact_dot, exact_add_dot)
EXACT_SUM(exact_l2, exact_add_l2)

static void
exact_dot2(double sums[2], const float *a, const float *b, size_t dims)
{
  sums[0] = exact_dot(a, b, dims);
  sums[1] = exact_dot(b, b, dims);
}

VEC_TABLE(vec_kernels_neon, "neon")
