/* vector/kernel_far.c - walk distances beyond what sums of floats hold. */
#include "vector/code.h"
#include "vector/kernel_rows.h"

#include <math.h>

#include "base/poison.h"

/* Eighth roots take squares of differences of any two finite floats, and sums of their products,
 * into the floats between the plain ones and the ends of their normal range. */
float
vec_walk_fold(double value)
{
  double size = fabs(value), part;
  if (size == 0) return 0;
  if (size > VEC_WALK_MOST)
    part = VEC_WALK_MOST * sqrt(sqrt(sqrt(size / VEC_WALK_MOST)));
  else if (size < VEC_WALK_LEAST)
    part = VEC_WALK_LEAST * sqrt(sqrt(sqrt(size / VEC_WALK_LEAST)));
  else
    part = size;
  return (float)(value < 0 ? -part : part);
}

/* Elements from..from + n of a row. */
static void
decode(float *out, const vec_query *query, const char *row, vec_code code, size_t from, size_t n)
{
  float scale = row_scale(query, row);
  if (code == VEC_F32) {
    memcpy(out, row + 4 * from, 4 * n);
  } else if (code == VEC_F16) {
    for (size_t i = 0; i < n; i++) {
      uint16_t half;
      memcpy(&half, row + 2 * (from + i), 2);
      out[i] = vec_unhalf(half) * scale;
    }
  } else {
    for (size_t i = 0; i < n; i++)
      out[i] = (float)((int)(uint8_t)row[from + i] - 128) * scale;
  }
}

/* Products of vectors that are orthogonal, not small: what is left of the sum is its error. */
static bool
is_orthogonal(float sum, const vec_query *query, const char *row)
{
  static const float LONG = 0x1p-60F;
  return (double)fabsf(sum) < VEC_WALK_LEAST && query->norm >= LONG &&
         row_float(row + query->code_bytes + 4) >= LONG;
}

float
vec_walk_far(float sum, vec_code code, const vec_query *query, const char *row, vec_sum *exact,
             bool is_dot)
{
  enum { SOME = 256 };
  float room[2][SOME];
  double total = 0;
  if (is_dot && is_orthogonal(sum, query, row)) return vec_walk_fold((double)sum);
  for (size_t at = 0; at < query->dims; at += SOME) {
    size_t n = query->dims - at < SOME ? query->dims - at : SOME;
    const float *mine = (const float *)query->code + at;
    if (code == VEC_I8) {
      for (size_t i = 0; i < n; i++)
        room[1][i] = (float)((const int8_t *)query->code)[at + i] * query->scale;
      mine = room[1];
    }
    decode(room[0], query, row, code, at, n);
    total += exact(mine, room[0], n);
  }
  return vec_walk_fold(total);
}
