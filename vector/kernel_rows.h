/* vector/kernel_rows.h - a table of kernels from the sums over one row. Included by the kernel_*.c
 * files after they have defined, for their instructions,
 *   dot_f32 l2_f32 dot_f16 l2_f16 (query, row, dims), dot_i8 (query, row, dims), differ (a, b,
 * bytes) and exact_dot, exact_l2, exact_dot2. VEC_TABLE(name, "text") then defines the table. */
#ifndef QUOIN_VECTOR_KERNEL_ROWS_H
#define QUOIN_VECTOR_KERNEL_ROWS_H

#include "vector/kernel.h"

#include <string.h>

/* Rows are asked for ahead of their use, some 48 cache lines at a time: a tenth faster than 24 with
 * 384 bytes a row, and more is no gain (Zen 4). in flight. */
enum { VEC_LINE = 64, VEC_LINES_AHEAD = 48 };

static inline const char *
row_at(const vec_rows *rows, size_t i)
{
  return rows->base + rows->stride * (rows->slots ? rows->slots[i] : i);
}

static inline size_t
rows_ahead(const vec_query *query)
{
  size_t lines = (query->code_bytes + 8 + VEC_LINE - 1) / VEC_LINE;
  size_t ahead = VEC_LINES_AHEAD / lines;
  return ahead < 2 ? 2 : ahead > 8 ? 8 : ahead;
}

static inline void
row_prefetch(const char *row, size_t bytes)
{
  for (size_t at = 0; at < bytes; at += VEC_LINE)
    __builtin_prefetch(row + at);
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
    size_t ahead = rows_ahead(query), bytes = query->code_bytes + 8;                               \
    for (size_t i = 0; i < ahead && i < rows->n; i++)                                              \
      row_prefetch(row_at(rows, i), bytes);                                                        \
    for (size_t i = 0; i < rows->n; i++) {                                                         \
      if (i + ahead < rows->n) row_prefetch(row_at(rows, i + ahead), bytes);                       \
      const char *row = row_at(rows, i);                                                           \
      out[i] = (EXPRESSION);                                                                       \
    }                                                                                              \
  }

/* |a - b|^2 over two i8 codes; a rounding below zero is zero. */
static inline float
i8_square(const vec_query *query, const char *row, int32_t dot)
{
  float scale = row_float(row + query->code_bytes), norm = row_float(row + query->code_bytes + 4);
  float product = query->scale * scale * (float)dot;
  float square = query->norm + norm - 2.0f * product;
  return square > 0 ? square : 0;
}

static inline float
i8_product(const vec_query *query, const char *row, int32_t dot)
{
  float product = query->scale * row_float(row + query->code_bytes) * (float)dot;
  return 1.0f - product;
}

#define VEC_TABLE(table, text)                                                                     \
  VEC_WALK(walk_dot_f32, 1.0f - dot_f32(query->code, row, query->dims))                            \
  VEC_WALK(walk_l2_f32, l2_f32(query->code, row, query->dims))                                     \
  VEC_WALK(walk_dot_f16, 1.0f - dot_f16(query->code, row, query->dims))                            \
  VEC_WALK(walk_l2_f16, l2_f16(query->code, row, query->dims))                                     \
  VEC_WALK(walk_dot_i8,                                                                            \
           i8_product(query, row, dot_i8(query->code, row, query->dims) - query->shift))           \
  VEC_WALK(walk_l2_i8,                                                                             \
           i8_square(query, row, dot_i8(query->code, row, query->dims) - query->shift))            \
  VEC_WALK(walk_b1, (float)differ(query->code, row, query->code_bytes))                            \
  const vec_kernels table = {                                                                      \
      .name = text,                                                                                \
      .dot = {walk_dot_f32, walk_dot_f16, walk_dot_i8, walk_b1},                                   \
      .l2 = {walk_l2_f32, walk_l2_f16, walk_l2_i8, walk_b1},                                       \
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
