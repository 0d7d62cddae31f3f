/* vector/bound.h - distances that are surely not larger than the exact ones.
 *
 * A scan wants the exact distance of few of its rows: of those that may be among its k best. A
 * bound comes from sums of floats (the error of the additions taken off), or from a code (that of
 * its rounding too), which reads a quarter of the bytes. What cannot be bounded - sums beyond the
 * range of floats, codes of one bit - gets -HUGE_VAL. */
#ifndef QUOIN_VECTOR_BOUND_H
#define QUOIN_VECTOR_BOUND_H

#include "vector/code.h"

typedef struct vec_bound {
  const vec_kernels *kernels;
  vec_metric metric;
  vec_code code; /* VEC_F32: floats alone */
  uint32_t dims;
  const float *floats; /* the query; of length 1 under cosine */
  double length;       /* of `floats` */
  double sum;          /* of the magnitudes of `floats` */
  vec_query coded;
  double lost; /* length of what the code of the query leaves out */
  /* What a dot product with a code may be off by: of its scale, and of its length. */
  double per_scale, per_length;
} vec_bound;

/* Whether codes of this kind give bounds. */
static inline bool
vec_bound_has(vec_code code)
{
  return code == VEC_I8 || code == VEC_F16;
}

/* Bytes of `space`, which is kept as long as the bound and aligned to 64. */
size_t vec_bound_bytes(vec_code code, uint32_t dims);
void vec_bound_set(vec_bound *out, void *space, vec_metric metric, vec_code code,
                   const float *query, uint32_t dims);

/* out[i]: a bound of the distance (vec_exact) to the floats at rows[i]; `room` holds 2 * n. */
void vec_bound_floats(double *out, const vec_bound *bound, float *room, const float *const *rows,
                      size_t n);
/* out[i]: that to the vector of which row i is the code (vec_code_encode); `room` holds rows->n. */
void vec_bound_codes(double *out, const vec_bound *bound, float *room, const vec_rows *rows);

#endif /* QUOIN_VECTOR_BOUND_H */
