/* vector/kernel_avx2.c - the kernels with AVX2, FMA, F16C and POPCNT: compiled with those flags,
 * called after a check. */
#include "vector/kernel_rows.h"

#include <immintrin.h>

#include "base/poison.h"

static inline float
fold(__m256 a, __m256 b, __m256 c, __m256 d)
{
  __m256 sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

static inline __m256
load_half(const uint16_t *at)
{
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* One step of a sum: the product, the square of the difference, and that with a scaled row. */
static inline __m256
product(__m256 a, __m256 b, __m256 scale, __m256 sum)
{
  (void)scale;
  return _mm256_fmadd_ps(a, b, sum);
}

static inline __m256
square(__m256 a, __m256 b, __m256 scale, __m256 sum)
{
  (void)scale;
  __m256 d = _mm256_sub_ps(a, b);
  return _mm256_fmadd_ps(d, d, sum);
}

static inline __m256
square_scaled(__m256 a, __m256 b, __m256 scale, __m256 sum)
{
  __m256 d = _mm256_fnmadd_ps(b, scale, a);
  return _mm256_fmadd_ps(d, d, sum);
}

/* The last elements of a row, padded with zeros to a whole register. */
static inline __m256
tail_f32(const float *at, size_t n)
{
  float space[8] = {0};
  memcpy(space, at, n * sizeof(float));
  return _mm256_loadu_ps(space);
}

static inline __m256
tail_half(const uint16_t *at, size_t n)
{
  uint16_t space[8] = {0};
  memcpy(space, at, n * sizeof(uint16_t));
  return load_half(space);
}

/* Four sums side by side hide the latency of the addition. */
#define ROW_SUM(name, TYPE, LOAD, TAIL, STEP)                                                      \
  static inline float name(const void *query, const void *row, size_t dims, float scale)           \
  {                                                                                                \
    const __m256 by = _mm256_set1_ps(scale);                                                       \
    const float *q = query;                                                                        \
    const TYPE *r = row;                                                                           \
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                                    \
    size_t i = 0;                                                                                  \
    for (; i + 32 <= dims; i += 32) {                                                              \
      s0 = STEP(_mm256_loadu_ps(q + i), LOAD(r + i), by, s0);                                      \
      s1 = STEP(_mm256_loadu_ps(q + i + 8), LOAD(r + i + 8), by, s1);                              \
      s2 = STEP(_mm256_loadu_ps(q + i + 16), LOAD(r + i + 16), by, s2);                            \
      s3 = STEP(_mm256_loadu_ps(q + i + 24), LOAD(r + i + 24), by, s3);                            \
    }                                                                                              \
    for (; i + 8 <= dims; i += 8)                                                                  \
      s0 = STEP(_mm256_loadu_ps(q + i), LOAD(r + i), by, s0);                                      \
    if (i < dims) s1 = STEP(tail_f32(q + i, dims - i), TAIL(r + i, dims - i), by, s1);             \
    return fold(s0, s1, s2, s3);                                                                   \
  }

ROW_SUM(dot_f32, float, _mm256_loadu_ps, tail_f32, product)
ROW_SUM(l2_f32, float, _mm256_loadu_ps, tail_f32, square)
ROW_SUM(dot_f16, uint16_t, load_half, tail_half, product)
ROW_SUM(l2_f16, uint16_t, load_half, tail_half, square_scaled)

/* The sums of four queries: each number of the row is read, and widened, once. */
#define ROW_SUM_FOUR(name, TYPE, LOAD, TAIL, STEP)                                                 \
  static inline void name(float sums[4], const void *const queries[4], const void *row,            \
                          size_t dims, float scale)                                                \
  {                                                                                                \
    const __m256 by = _mm256_set1_ps(scale);                                                       \
    const float *q0 = queries[0], *q1 = queries[1], *q2 = queries[2], *q3 = queries[3];            \
    const TYPE *r = row;                                                                           \
    const __m256 zero = _mm256_setzero_ps();                                                       \
    __m256 s0 = zero, s1 = zero, s2 = zero, s3 = zero;                                             \
    size_t i = 0;                                                                                  \
    for (; i + 8 <= dims; i += 8) {                                                                \
      __m256 x = LOAD(r + i);                                                                      \
      s0 = STEP(_mm256_loadu_ps(q0 + i), x, by, s0);                                               \
      s1 = STEP(_mm256_loadu_ps(q1 + i), x, by, s1);                                               \
      s2 = STEP(_mm256_loadu_ps(q2 + i), x, by, s2);                                               \
      s3 = STEP(_mm256_loadu_ps(q3 + i), x, by, s3);                                               \
    }                                                                                              \
    if (i < dims) {                                                                                \
      __m256 x = TAIL(r + i, dims - i);                                                            \
      s0 = STEP(tail_f32(q0 + i, dims - i), x, by, s0);                                            \
      s1 = STEP(tail_f32(q1 + i, dims - i), x, by, s1);                                            \
      s2 = STEP(tail_f32(q2 + i, dims - i), x, by, s2);                                            \
      s3 = STEP(tail_f32(q3 + i, dims - i), x, by, s3);                                            \
    }                                                                                              \
    __m256 lanes = _mm256_hadd_ps(_mm256_hadd_ps(s0, s1), _mm256_hadd_ps(s2, s3));                 \
    _mm_storeu_ps(sums,                                                                            \
                  _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1)));     \
  }

ROW_SUM_FOUR(four_dot_f32, float, _mm256_loadu_ps, tail_f32, product)
ROW_SUM_FOUR(four_l2_f32, float, _mm256_loadu_ps, tail_f32, square)
ROW_SUM_FOUR(four_dot_f16, uint16_t, load_half, tail_half, product)
ROW_SUM_FOUR(four_l2_f16, uint16_t, load_half, tail_half, square_scaled)

/* Both sums in one pass over the row. */
static inline void
dot2_f32(float sums[2], const float *query, const float *row, size_t dims)
{
  __m256 d0 = _mm256_setzero_ps(), d1 = d0, n0 = d0, n1 = d0;
  size_t i = 0;
  for (; i + 16 <= dims; i += 16) {
    __m256 r0 = _mm256_loadu_ps(row + i), r1 = _mm256_loadu_ps(row + i + 8);
    d0 = _mm256_fmadd_ps(_mm256_loadu_ps(query + i), r0, d0);
    d1 = _mm256_fmadd_ps(_mm256_loadu_ps(query + i + 8), r1, d1);
    n0 = _mm256_fmadd_ps(r0, r0, n0);
    n1 = _mm256_fmadd_ps(r1, r1, n1);
  }
  for (; i < dims; i += 8) {
    size_t n = dims - i < 8 ? dims - i : 8;
    __m256 r0 = tail_f32(row + i, n);
    d0 = _mm256_fmadd_ps(tail_f32(query + i, n), r0, d0);
    n0 = _mm256_fmadd_ps(r0, r0, n0);
  }
  sums[0] = fold(d0, d1, _mm256_setzero_ps(), _mm256_setzero_ps());
  sums[1] = fold(n0, n1, _mm256_setzero_ps(), _mm256_setzero_ps());
}

static inline __m256i
products(__m128i q, __m128i r, __m256i sum)
{
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(q), _mm256_cvtepu8_epi16(r)));
}

static inline __m128i
load_16(const void *at)
{
  return _mm_loadu_si128((const __m128i *)at);
}

/* Widened to 16 bits first: _mm256_maddubs_epi16 would saturate. */
static inline int32_t
dot_i8(const void *query, const void *row, size_t dims)
{
  const char *q = query, *r = row;
  __m256i s0 = _mm256_setzero_si256(), s1 = s0;
  size_t i = 0;
  for (; i + 32 <= dims; i += 32) {
    s0 = products(load_16(q + i), load_16(r + i), s0);
    s1 = products(load_16(q + i + 16), load_16(r + i + 16), s1);
  }
  for (; i < dims; i += 16) {
    char qs[16] = {0}, rs[16] = {0};
    size_t n = dims - i < 16 ? dims - i : 16;
    memcpy(qs, q + i, n);
    memcpy(rs, r + i, n);
    s0 = products(load_16(qs), load_16(rs), s0);
  }
  s0 = _mm256_add_epi32(s0, s1);
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(s0), _mm256_extracti128_si256(s0, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
}

/* Of four queries: the row is widened once. */
static inline void
four_dot_i8(int32_t sums[4], const void *const queries[4], const void *row, size_t dims,
            float scale)
{
  (void)scale;
  const char *r = row;
  __m256i s[4];
  size_t i = 0;
  for (size_t j = 0; j < 4; j++)
    s[j] = _mm256_setzero_si256();
  for (; i < dims; i += 16) {
    char room[5][16] = {{0}};
    size_t n = dims - i < 16 ? dims - i : 16;
    const void *at[5] = {(const char *)queries[0] + i, (const char *)queries[1] + i,
                         (const char *)queries[2] + i, (const char *)queries[3] + i, r + i};
    for (size_t j = 0; j < 5 && n < 16; j++)
      at[j] = memcpy(room[j], at[j], n);
    __m256i x = _mm256_cvtepu8_epi16(load_16(at[4]));
    for (size_t j = 0; j < 4; j++)
      s[j] = _mm256_add_epi32(s[j], _mm256_madd_epi16(_mm256_cvtepi8_epi16(load_16(at[j])), x));
  }
  __m256i lanes = _mm256_hadd_epi32(_mm256_hadd_epi32(s[0], s[1]), _mm256_hadd_epi32(s[2], s[3]));
  _mm_storeu_si128((__m128i *)(void *)sums, _mm_add_epi32(_mm256_castsi256_si128(lanes),
                                                          _mm256_extracti128_si256(lanes, 1)));
}

static inline uint32_t
differ(const void *a, const void *b, size_t bytes)
{
  const char *x = a, *y = b;
  uint64_t sum = 0;
  size_t i = 0;
  for (; i + 8 <= bytes; i += 8)
    sum += (uint64_t)__builtin_popcountll(base_load_u64(x + i) ^ base_load_u64(y + i));
  if (i < bytes) sum += (uint64_t)__builtin_popcount(base_load_u32(x + i) ^ base_load_u32(y + i));
  return (uint32_t)sum;
}

/* ---- exact: lane l of the 16 is element l % 4 of s[l / 4] --------------------------------------
 */

static inline double
exact_fold(const __m256d s[4])
{
  __m256d four = _mm256_add_pd(_mm256_add_pd(s[0], s[2]), _mm256_add_pd(s[1], s[3]));
  __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline void
exact_add_dot(__m256d s[4], const float *a, const float *b)
{
  for (size_t j = 0; j < 4; j++) {
    __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(a + 4 * j)),
            y = _mm256_cvtps_pd(_mm_loadu_ps(b + 4 * j));
    s[j] = _mm256_add_pd(s[j], _mm256_mul_pd(x, y));
  }
}

static inline void
exact_add_l2(__m256d s[4], const float *a, const float *b)
{
  for (size_t j = 0; j < 4; j++) {
    __m256d d = _mm256_sub_pd(_mm256_cvtps_pd(_mm_loadu_ps(a + 4 * j)),
                              _mm256_cvtps_pd(_mm_loadu_ps(b + 4 * j)));
    s[j] = _mm256_add_pd(s[j], _mm256_mul_pd(d, d));
  }
}

#define EXACT_SUM(name, ADD)                                                                       \
  static double name(const float *a, const float *b, size_t dims)                                  \
  {                                                                                                \
    __m256d s[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),                 \
                    _mm256_setzero_pd()};                                                          \
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
  sums[1] = exact_dot(b, b, dims); /* from the nearest cache */
}

VEC_TABLE(vec_kernels_avx2, "avx2")
