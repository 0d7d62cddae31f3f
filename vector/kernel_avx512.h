/* vector/kernel_avx512.h - the kernels with AVX-512 (F, BW, DQ, VL), compiled with those flags by
 * kernel_avx512.c and again with VNNI and VPOPCNTDQ by kernel_avx512_vnni.c. Halves are
 * widened and summed as floats even where the processor could add halves: eleven bits would not
 * order neighbours, and the memory is the limit either way. */
#ifndef QUOIN_VECTOR_KERNEL_AVX512_H
#define QUOIN_VECTOR_KERNEL_AVX512_H

#include "vector/kernel_rows.h"

#include <immintrin.h>

static inline __mmask16
mask16(size_t n)
{
  return (__mmask16)((1u << n) - 1);
}

static inline __m512
load_half(const uint16_t *at)
{
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)at));
}

/* One step of a sum: the product, the square of the difference, and that with a scaled row. */
static inline __m512
product(__m512 a, __m512 b, __m512 scale, __m512 sum)
{
  (void)scale;
  return _mm512_fmadd_ps(a, b, sum);
}

static inline __m512
square(__m512 a, __m512 b, __m512 scale, __m512 sum)
{
  (void)scale;
  __m512 d = _mm512_sub_ps(a, b);
  return _mm512_fmadd_ps(d, d, sum);
}

static inline __m512
square_scaled(__m512 a, __m512 b, __m512 scale, __m512 sum)
{
  __m512 d = _mm512_fnmadd_ps(b, scale, a);
  return _mm512_fmadd_ps(d, d, sum);
}

static inline __m512
tail_f32(const float *at, size_t n)
{
  return _mm512_maskz_loadu_ps(mask16(n), at);
}

static inline __m512
tail_half(const uint16_t *at, size_t n)
{
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask16(n), at));
}

/* Four sums side by side hide the latency of the addition. */
#define ROW_SUM(name, TYPE, LOAD, TAIL, STEP)                                                      \
  static inline float name(const void *query, const void *row, size_t dims, float scale)           \
  {                                                                                                \
    const __m512 by = _mm512_set1_ps(scale);                                                       \
    const float *q = query;                                                                        \
    const TYPE *r = row;                                                                           \
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                                    \
    size_t i = 0;                                                                                  \
    for (; i + 64 <= dims; i += 64) {                                                              \
      s0 = STEP(_mm512_loadu_ps(q + i), LOAD(r + i), by, s0);                                      \
      s1 = STEP(_mm512_loadu_ps(q + i + 16), LOAD(r + i + 16), by, s1);                            \
      s2 = STEP(_mm512_loadu_ps(q + i + 32), LOAD(r + i + 32), by, s2);                            \
      s3 = STEP(_mm512_loadu_ps(q + i + 48), LOAD(r + i + 48), by, s3);                            \
    }                                                                                              \
    for (; i + 16 <= dims; i += 16)                                                                \
      s0 = STEP(_mm512_loadu_ps(q + i), LOAD(r + i), by, s0);                                      \
    if (i < dims) s1 = STEP(tail_f32(q + i, dims - i), TAIL(r + i, dims - i), by, s1);             \
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));      \
  }

ROW_SUM(dot_f32, float, _mm512_loadu_ps, tail_f32, product)
ROW_SUM(l2_f32, float, _mm512_loadu_ps, tail_f32, square)
ROW_SUM(dot_f16, uint16_t, load_half, tail_half, product)
ROW_SUM(l2_f16, uint16_t, load_half, tail_half, square_scaled)

/* The sums of four registers, one beside the other. */
static inline __m128
fold_four(__m512 a, __m512 b, __m512 c, __m512 d)
{
  __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  /* of each lane: a b a b and c d c d */
  __m512 low = _mm512_shuffle_ps(ab, cd, 0x44), high = _mm512_shuffle_ps(ab, cd, 0xEE);
  __m512 lanes = _mm512_add_ps(low, high); /* a b c d of each */
  __m256 two = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
  return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

/* The sums of four queries: each number of the row is read, and widened, once. */
#define ROW_SUM_FOUR(name, TYPE, LOAD, TAIL, STEP)                                                 \
  static inline void name(float sums[4], const void *const queries[4], const void *row,            \
                          size_t dims, float scale)                                                \
  {                                                                                                \
    const __m512 by = _mm512_set1_ps(scale);                                                       \
    const float *q0 = queries[0], *q1 = queries[1], *q2 = queries[2], *q3 = queries[3];            \
    const TYPE *r = row;                                                                           \
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                                    \
    size_t i = 0;                                                                                  \
    for (; i + 16 <= dims; i += 16) {                                                              \
      __m512 x = LOAD(r + i);                                                                      \
      s0 = STEP(_mm512_loadu_ps(q0 + i), x, by, s0);                                               \
      s1 = STEP(_mm512_loadu_ps(q1 + i), x, by, s1);                                               \
      s2 = STEP(_mm512_loadu_ps(q2 + i), x, by, s2);                                               \
      s3 = STEP(_mm512_loadu_ps(q3 + i), x, by, s3);                                               \
    }                                                                                              \
    if (i < dims) {                                                                                \
      __m512 x = TAIL(r + i, dims - i);                                                            \
      s0 = STEP(tail_f32(q0 + i, dims - i), x, by, s0);                                            \
      s1 = STEP(tail_f32(q1 + i, dims - i), x, by, s1);                                            \
      s2 = STEP(tail_f32(q2 + i, dims - i), x, by, s2);                                            \
      s3 = STEP(tail_f32(q3 + i, dims - i), x, by, s3);                                            \
    }                                                                                              \
    _mm_storeu_ps(sums, fold_four(s0, s1, s2, s3));                                                \
  }

ROW_SUM_FOUR(four_dot_f32, float, _mm512_loadu_ps, tail_f32, product)
ROW_SUM_FOUR(four_l2_f32, float, _mm512_loadu_ps, tail_f32, square)
ROW_SUM_FOUR(four_dot_f16, uint16_t, load_half, tail_half, product)
ROW_SUM_FOUR(four_l2_f16, uint16_t, load_half, tail_half, square_scaled)

/* Both sums in one pass over the row. */
static inline void
dot2_f32(float sums[2], const float *query, const float *row, size_t dims)
{
  __m512 d0 = _mm512_setzero_ps(), d1 = d0, n0 = d0, n1 = d0;
  size_t i = 0;
  for (; i + 32 <= dims; i += 32) {
    __m512 r0 = _mm512_loadu_ps(row + i), r1 = _mm512_loadu_ps(row + i + 16);
    d0 = _mm512_fmadd_ps(_mm512_loadu_ps(query + i), r0, d0);
    d1 = _mm512_fmadd_ps(_mm512_loadu_ps(query + i + 16), r1, d1);
    n0 = _mm512_fmadd_ps(r0, r0, n0);
    n1 = _mm512_fmadd_ps(r1, r1, n1);
  }
  for (; i < dims; i += 16) {
    size_t n = dims - i < 16 ? dims - i : 16;
    __m512 r0 = tail_f32(row + i, n);
    d0 = _mm512_fmadd_ps(tail_f32(query + i, n), r0, d0);
    n0 = _mm512_fmadd_ps(r0, r0, n0);
  }
  sums[0] = _mm512_reduce_add_ps(_mm512_add_ps(d0, d1));
  sums[1] = _mm512_reduce_add_ps(_mm512_add_ps(n0, n1));
}

/* sum + the products of 64 signed and 64 unsigned bytes, by fours. */
static inline __m512i
products(__m512i q, __m512i r, __m512i sum)
{
#if defined(__AVX512VNNI__)
  return _mm512_dpbusd_epi32(sum, r, q);
#else
  __m512i low = _mm512_madd_epi16(_mm512_cvtepi8_epi16(_mm512_castsi512_si256(q)),
                                  _mm512_cvtepu8_epi16(_mm512_castsi512_si256(r)));
  __m512i high = _mm512_madd_epi16(_mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(q, 1)),
                                   _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(r, 1)));
  return _mm512_add_epi32(sum, _mm512_add_epi32(low, high));
#endif
}

static inline int32_t
dot_i8(const void *query, const void *row, size_t dims)
{
  const char *q = query, *r = row;
  __m512i s0 = _mm512_setzero_si512(), s1 = s0;
  size_t i = 0;
  for (; i + 128 <= dims; i += 128) {
    s0 = products(_mm512_loadu_si512(q + i), _mm512_loadu_si512(r + i), s0);
    s1 = products(_mm512_loadu_si512(q + i + 64), _mm512_loadu_si512(r + i + 64), s1);
  }
  if (i + 64 <= dims) {
    s0 = products(_mm512_loadu_si512(q + i), _mm512_loadu_si512(r + i), s0);
    i += 64;
  }
  if (i < dims) {
    __mmask64 mask = (UINT64_C(1) << (dims - i)) - 1;
    s1 = products(_mm512_maskz_loadu_epi8(mask, q + i), _mm512_maskz_loadu_epi8(mask, r + i), s1);
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
}

static inline __m128i
fold_four_i32(__m512i a, __m512i b, __m512i c, __m512i d)
{
  __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  __m512i lanes = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  __m256i two =
      _mm256_add_epi32(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64(lanes, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

static inline void
four_dot_i8(int32_t sums[4], const void *const queries[4], const void *row, size_t dims,
            float scale)
{
  (void)scale;
  const char *q0 = queries[0], *q1 = queries[1], *q2 = queries[2], *q3 = queries[3], *r = row;
  __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 64 <= dims; i += 64) {
    __m512i x = _mm512_loadu_si512(r + i);
    s0 = products(_mm512_loadu_si512(q0 + i), x, s0);
    s1 = products(_mm512_loadu_si512(q1 + i), x, s1);
    s2 = products(_mm512_loadu_si512(q2 + i), x, s2);
    s3 = products(_mm512_loadu_si512(q3 + i), x, s3);
  }
  if (i < dims) {
    __mmask64 mask = (UINT64_C(1) << (dims - i)) - 1;
    __m512i x = _mm512_maskz_loadu_epi8(mask, r + i);
    s0 = products(_mm512_maskz_loadu_epi8(mask, q0 + i), x, s0);
    s1 = products(_mm512_maskz_loadu_epi8(mask, q1 + i), x, s1);
    s2 = products(_mm512_maskz_loadu_epi8(mask, q2 + i), x, s2);
    s3 = products(_mm512_maskz_loadu_epi8(mask, q3 + i), x, s3);
  }
  _mm_storeu_si128((__m128i *)(void *)sums, fold_four_i32(s0, s1, s2, s3));
}

static inline uint32_t
differ(const void *a, const void *b, size_t bytes)
{
  const char *x = a, *y = b;
  size_t i = 0;
#if defined(__AVX512VPOPCNTDQ__)
  __m512i sum = _mm512_setzero_si512();
  for (; i < bytes; i += 64) {
    __mmask16 mask = bytes - i >= 64 ? (__mmask16)0xFFFF : mask16((bytes - i) / 4);
    __m512i d = _mm512_xor_si512(_mm512_maskz_loadu_epi32(mask, x + i),
                                 _mm512_maskz_loadu_epi32(mask, y + i));
    sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(d));
  }
  return (uint32_t)_mm512_reduce_add_epi64(sum);
#else
  uint64_t sum = 0;
  for (; i + 8 <= bytes; i += 8)
    sum += (uint64_t)__builtin_popcountll(base_load_u64(x + i) ^ base_load_u64(y + i));
  if (i < bytes) sum += (uint64_t)__builtin_popcount(base_load_u32(x + i) ^ base_load_u32(y + i));
  return (uint32_t)sum;
#endif
}

/* ---- exact: lane l of the 16 is element l % 8 of s[l / 8] --------------------------------------
 */

static inline double
exact_fold(__m512d low, __m512d high)
{
  __m512d eight = _mm512_add_pd(low, high);
  __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
  __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline __m512d
low_half(__m512 v)
{
  return _mm512_cvtps_pd(_mm512_castps512_ps256(v));
}

static inline __m512d
high_half(__m512 v)
{
  return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
}

/* A product of two floats is exact in double, so that fusing the addition changes no bit. */
static inline __m512d
exact_step_dot(__m512d a, __m512d b, __m512d sum)
{
  return _mm512_fmadd_pd(a, b, sum);
}

static inline __m512d
exact_step_l2(__m512d a, __m512d b, __m512d sum)
{
  __m512d d = _mm512_sub_pd(a, b);
  return _mm512_add_pd(sum, _mm512_mul_pd(d, d));
}

#define EXACT_SUM(name, STEP)                                                                      \
  static double name(const float *a, const float *b, size_t dims)                                  \
  {                                                                                                \
    __m512d low = _mm512_setzero_pd(), high = low;                                                 \
    for (size_t i = 0; i < dims; i += 16) {                                                        \
      __mmask16 mask = dims - i >= 16 ? (__mmask16)0xFFFF : mask16(dims - i);                      \
      __m512 x = _mm512_maskz_loadu_ps(mask, a + i), y = _mm512_maskz_loadu_ps(mask, b + i);       \
      low = STEP(low_half(x), low_half(y), low);                                                   \
      high = STEP(high_half(x), high_half(y), high);                                               \
    }                                                                                              \
    return exact_fold(low, high);                                                                  \
  }

EXACT_SUM(exact_dot, exact_step_dot)
EXACT_SUM(exact_l2, exact_step_l2)

static void
exact_dot2(double sums[2], const float *a, const float *b, size_t dims)
{
  __m512d low = _mm512_setzero_pd(), high = low, low_norm = low, high_norm = low;
  for (size_t i = 0; i < dims; i += 16) {
    __mmask16 mask = dims - i >= 16 ? (__mmask16)0xFFFF : mask16(dims - i);
    __m512 x = _mm512_maskz_loadu_ps(mask, a + i), y = _mm512_maskz_loadu_ps(mask, b + i);
    __m512d y_low = low_half(y), y_high = high_half(y);
    low = exact_step_dot(low_half(x), y_low, low);
    high = exact_step_dot(high_half(x), y_high, high);
    low_norm = exact_step_dot(y_low, y_low, low_norm);
    high_norm = exact_step_dot(y_high, y_high, high_norm);
  }
  sums[0] = exact_fold(low, high);
  sums[1] = exact_fold(low_norm, high_norm);
}

#endif /* QUOIN_VECTOR_KERNEL_AVX512_H */
