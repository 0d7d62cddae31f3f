/* vector/kernel_rows.h - a table of kernels from the sums over one row. Included by the kernel_*.c
 * files after they have defined, for their instructions,
 *   dot_f32 l2_f32 dot_f16 l2_f16 (query, row, dims, scale), dot2_f32 (sums, query, row, dims),
 * dot_i8 (query, row, dims), of these but dot2_f32 a four_ (sums, queries, row, dims, scale),
 * differ (a, b, bytes) and exact_dot, exact_l2, exact_dot2. l2_f16 multiplies the row by the scale,
 * the others leave it to the caller. VEC_TABLE(name, "text") then defines the table. */
#ifndef QUOIN_VECTOR_KERNEL_ROWS_H
#define QUOIN_VECTOR_KERNEL_ROWS_H

#include "vector/kernel.h"

#include <string.h>

/* Rows are asked for twice. Those at scattered slots some 1,024 cache lines before their use into
 * the second cache, which has far more reads under way at a time than the first: at random that
 * alone takes rows of 384 floats from 9 to 15 GB/s (Zen 4). All of them, two rows before their use
 * into the first; the processor by itself goes on with rows that lie in their order. */
enum { VEC_LINE = 64, VEC_LINES_FAR = 1024, VEC_ROWS_NEAR = 2 };

static inline const char *
row_at(const vec_rows *rows, size_t i)
{
  return rows->base + rows->stride * (rows->slots ? rows->slots[i] : i);
}

static inline void
row_ask_near(const char *row, size_t bytes)
{
  for (size_t at = 0; at < bytes; at += VEC_LINE)
    __builtin_prefetch(row + at, 0, 3);
}

static inline float
row_float(const char *at)
{
  float v;
  memcpy(&v, at, sizeof(v));
  return v;
}

/* Defines the walk kernel `name` whose result for the row at `row` is EXPRESSION. */
#define VEC_WALK(name, EXPRESSION)                                                                 \
  static void name(float *out, const vec_query *query, const vec_rows *rows)                       \
  {                                                                                                \
    size_t bytes = query->code_bytes + 8;                                                          \
    size_t far = 2 + VEC_LINES_FAR / ((bytes + VEC_LINE - 1) / VEC_LINE);                          \
    size_t asked = rows->slots ? 0 : rows->n;                                                      \
    for (size_t i = 0; i < rows->n; i++) {                                                         \
      for (; asked < rows->n && asked < i + far; asked++)                                          \
        vec_row_ask(row_at(rows, asked), bytes);                                                   \
      if (i + VEC_ROWS_NEAR < rows->n) row_ask_near(row_at(rows, i + VEC_ROWS_NEAR), bytes);       \
      const char *row = row_at(rows, i);                                                           \
      out[i] = (EXPRESSION);                                                                       \
    }                                                                                              \
  }

/* Four sums of TYPE by SUM, that of one query: the row is in the nearest cache after the first. */
#define VEC_FOUR(name, TYPE, SUM)                                                                  \
  static inline void name(TYPE sums[4], const void *const queries[4], const void *row,             \
                          size_t dims, float scale)                                                \
  {                                                                                                \
    (void)scale;                                                                                   \
    for (size_t j = 0; j < 4; j++)                                                                 \
      sums[j] = SUM;                                                                               \
  }

/* Defines the kernel `name` of four queries, by the sums SUMS of TYPE, `sum` of `query` being what
 * EXPRESSION is made of. Nothing is asked for: the rows are near, or follow one another. */
#define VEC_CROSS_OF(name, TYPE, SUMS, EXPRESSION)                                                 \
  static void name(float *out, size_t room, const vec_query *const queries[VEC_CROSS],             \
                   const vec_rows *rows)                                                           \
  {                                                                                                \
    const void *const codes[VEC_CROSS] = {queries[0]->code, queries[1]->code, queries[2]->code,    \
                                          queries[3]->code};                                       \
    for (size_t i = 0; i < rows->n; i++) {                                                         \
      const char *row = row_at(rows, i);                                                           \
      TYPE sums[VEC_CROSS];                                                                        \
      SUMS(sums, codes, row, queries[0]->dims, row_scale(queries[0], row));                        \
      for (size_t j = 0; j < VEC_CROSS; j++) {                                                     \
        const vec_query *query = queries[j];                                                       \
        const TYPE sum = sums[j];                                                                  \
        out[j * room + i] = (EXPRESSION);                                                          \
      }                                                                                            \
    }                                                                                              \
  }

/* Defines the scan kernel `name`, which does STATEMENT for each row. */
#define VEC_SCAN(name, STATEMENT)                                                                  \
  static void name(float *out, const float *query, const float *const *rows, size_t n,             \
                   size_t dims)                                                                    \
  {                                                                                                \
    for (size_t i = 0; i < n; i++) {                                                               \
      if (i + VEC_ROWS_NEAR < n)                                                                   \
        row_ask_near((const char *)rows[i + VEC_ROWS_NEAR], dims * sizeof(float));                 \
      const float *row = rows[i];                                                                  \
      STATEMENT;                                                                                   \
    }                                                                                              \
  }

/* What the walk makes of a value of any size: itself between VEC_WALK_LEAST and VEC_WALK_MOST, else
 * a float beyond them, in the same order (kernel_far.c). */
float vec_walk_fold(double value);
/* Where a sum of floats is not plain: that of a row in double, folded. `sum`: what it was. */
float vec_walk_far(float sum, vec_code code, const vec_query *query, const char *row,
                   vec_sum *exact, bool is_dot);

/* Is the size of a sum within VEC_WALK_LEAST..VEC_WALK_MOST, so that no term of it was lost? */
static inline bool
is_plain(float sum)
{
  enum { LEAST = (127 - 100) << 23, MOST = (127 + 100) << 23 };
  uint32_t bits;
  memcpy(&bits, &sum, sizeof(bits));
  return (bits & 0x7FFFFFFFU) - LEAST <= MOST - LEAST;
}

static inline float
row_scale(const vec_query *query, const char *row)
{
  return row_float(row + query->code_bytes);
}

static inline float
plain_or_far(float sum, vec_code code, const vec_query *query, const char *row, vec_sum *far,
             bool is_dot)
{
  return __builtin_expect(is_plain(sum), 1) ? sum
                                            : vec_walk_far(sum, code, query, row, far, is_dot);
}

static inline float
dot_or_far(float unscaled, vec_code code, const vec_query *query, const char *row, vec_sum *far)
{
  float sum = unscaled * row_scale(query, row);
  if (__builtin_expect(is_plain(unscaled) && is_plain(sum), 1)) return sum;
  return vec_walk_far(sum, code, query, row, far, true);
}

/* |a - b|^2 over two i8 codes; a rounding below zero is zero. */
static inline float
i8_square(const vec_query *query, const char *row, int32_t dot, vec_sum *far)
{
  float norms = query->norm + row_float(row + query->code_bytes + 4);
  float square = norms - 2.0f * (query->scale * row_scale(query, row) * (float)dot);
  if (__builtin_expect(is_plain(norms) && is_plain(square), 1)) return square;
  if (is_plain(norms)) return square > 0 ? vec_walk_fold((double)square) : 0;
  return vec_walk_far(norms, VEC_I8, query, row, far, false);
}

static inline float
i8_product(const vec_query *query, const char *row, int32_t dot)
{
  float product = query->scale * row_scale(query, row) * (float)dot;
  if (__builtin_expect(is_plain(product), 1)) return product;
  return vec_walk_fold((double)query->scale * (double)row_scale(query, row) * (double)dot);
}

#define VEC_TABLE(table, text)                                                                     \
  VEC_WALK(walk_dot_f32, -plain_or_far(dot_f32(query->code, row, query->dims, 1), VEC_F32, query,  \
                                       row, exact_dot, true))                                      \
  VEC_WALK(walk_l2_f32, plain_or_far(l2_f32(query->code, row, query->dims, 1), VEC_F32, query,     \
                                     row, exact_l2, false))                                        \
  VEC_WALK(walk_dot_f16,                                                                           \
           -dot_or_far(dot_f16(query->code, row, query->dims, 1), VEC_F16, query, row, exact_dot)) \
  VEC_WALK(walk_l2_f16, plain_or_far(l2_f16(query->code, row, query->dims, row_scale(query, row)), \
                                     VEC_F16, query, row, exact_l2, false))                        \
  VEC_WALK(walk_dot_i8,                                                                            \
           -i8_product(query, row, dot_i8(query->code, row, query->dims) - query->shift))          \
  VEC_WALK(walk_l2_i8,                                                                             \
           i8_square(query, row, dot_i8(query->code, row, query->dims) - query->shift, exact_l2))  \
  VEC_WALK(walk_b1, (float)differ(query->code, row, query->code_bytes))                            \
  VEC_CROSS_OF(cross_dot_f32, float, four_dot_f32,                                                 \
               -plain_or_far(sum, VEC_F32, query, row, exact_dot, true))                           \
  VEC_CROSS_OF(cross_l2_f32, float, four_l2_f32,                                                   \
               plain_or_far(sum, VEC_F32, query, row, exact_l2, false))                            \
  VEC_CROSS_OF(cross_dot_f16, float, four_dot_f16,                                                 \
               -dot_or_far(sum, VEC_F16, query, row, exact_dot))                                   \
  VEC_CROSS_OF(cross_l2_f16, float, four_l2_f16,                                                   \
               plain_or_far(sum, VEC_F16, query, row, exact_l2, false))                            \
  VEC_CROSS_OF(cross_dot_i8, int32_t, four_dot_i8, -i8_product(query, row, sum - query->shift))    \
  VEC_CROSS_OF(cross_l2_i8, int32_t, four_dot_i8,                                                  \
               i8_square(query, row, sum - query->shift, exact_l2))                                \
  VEC_SCAN(scan_dot, dot2_f32(out + 2 * i, query, row, dims))                                      \
  VEC_SCAN(scan_l2, out[i] = l2_f32(query, row, dims, 1))                                          \
  const vec_kernels table = {                                                                      \
      .name = text,                                                                                \
      .dot = {walk_dot_f32, walk_dot_f16, walk_dot_i8, walk_b1},                                   \
      .l2 = {walk_l2_f32, walk_l2_f16, walk_l2_i8, walk_b1},                                       \
      .cross_dot = {cross_dot_f32, cross_dot_f16, cross_dot_i8},                                   \
      .cross_l2 = {cross_l2_f32, cross_l2_f16, cross_l2_i8},                                       \
      .scan_dot = scan_dot,                                                                        \
      .scan_l2 = scan_l2,                                                                          \
      .exact_dot = exact_dot,                                                                      \
      .exact_l2 = exact_l2,                                                                        \
      .exact_dot2 = exact_dot2,                                                                    \
  };

/* The fixed tree over 16 lanes. */
static inline double
lanes_fold(double lane[16])
{
  for (size_t half = 8; half; half /= 2)
    for (size_t i = 0; i < half; i++)
      lane[i] += lane[i + half];
  return lane[0];
}

extern const vec_kernels vec_kernels_scalar, vec_kernels_avx2, vec_kernels_avx512,
    vec_kernels_avx512_vnni, vec_kernels_neon;

#endif /* QUOIN_VECTOR_KERNEL_ROWS_H */
