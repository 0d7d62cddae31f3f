/* vector/bound.h - distances that are surely not larger than the exact ones.
 *
 * A scan wants the exact distance of few of its rows: of those that may be among its k best. A
 * bound comes from sums of floats (the error of the additions taken off), or from a code (that of
 * its rounding too), which reads a quarter of the bytes. What cannot be bounded - sums beyond the
 * range of floats, codes of one bit - gets -HUGE_VAL. */
#ifndef QUOIN_VECTOR_BOUND_H
#define QUOIN_VECTOR_BOUND_H

#include "vector/crowd.h"

typedef struct vec_bound {
  const vec_kernels *kernels;
  vec_metric metric;
  vec_code code; /* of the codes; VEC_B1: floats alone */
  uint32_t dims;
  const float *floats; /* the query; of length 1 under cosine */
  double length;       /* of `floats` */
  double sum;          /* of the magnitudes of `floats` */
  vec_query coded;
  double lost; /* length of what the code of the query leaves out */
  /* What a dot product with a code may be off by: of its scale, and of its length. */
  double per_scale, per_length;
  float norm_most, scale_least; /* of codes that can be bounded */
} vec_bound;

/* Whether codes of this kind give bounds. */
static inline bool
vec_bound_has(vec_code code)
{
  return code != VEC_B1;
}

/* Whether they are shorter than the floats, too. */
static inline bool
vec_bound_saves(vec_code code)
{
  return code == VEC_I8 || code == VEC_F16;
}

/* Bytes of `space`, which is kept as long as the bound and aligned to 64. */
size_t vec_bound_bytes(vec_code code, uint32_t dims);
void vec_bound_set(vec_bound *out, void *space, vec_metric metric, vec_code code,
                   const float *query, uint32_t dims);

/* Those of several queries. */
typedef struct vec_bounds {
  const base_alloc *mem;
  vec_bound *near;
  size_t n, bytes;
  char *spaces;
} vec_bounds;

/* On failure there is nothing to clear. */
quoin_status vec_bounds_init(vec_bounds *out, vec_metric metric, vec_code code,
                             const float *const *queries, size_t n, uint32_t dims,
                             const base_alloc *mem, quoin_error *err);
void vec_bounds_clear(vec_bounds *bounds); /* of one that is all 0, too */

/* out[i]: a bound of the distance (vec_exact) to the floats at rows[i]; `room` holds 2 * n. */
void vec_bound_floats(double *out, const vec_bound *bound, float *room, const float *const *rows,
                      size_t n);
/* out[i]: that to the vector of which row i is the code (vec_code_encode); `room` holds rows->n. */
void vec_bound_codes(double *out, const vec_bound *bound, float *room, const vec_rows *rows);
/* The same where walked[i] is what the walk kernel says of row i and bound->coded. */
void vec_bound_walked(double *out, const vec_bound *bound, const float *walked,
                      const vec_rows *rows);

/* What the scales and norms of rows are within. */
typedef struct vec_ends {
  float scale, norm; /* the largest */
  bool known;        /* all can be bounded */
} vec_ends;
vec_ends vec_ends_of(const vec_bound *bound, const float *ends, size_t n); /* as vec_crowd.ends */
/* Rows of `ends` for which vec_bound_beyond(walked, cut) holds have a bound beyond `limit`: of
 * almost all that do. */
float vec_bound_cut(const vec_bound *bound, double limit, const vec_ends *ends);

#define VEC_WALKED_MOST 0x1p60f

static inline bool
vec_bound_beyond(float walked, float cut)
{
  return (walked > cut) & (walked >= -VEC_WALKED_MOST) & (walked <= VEC_WALKED_MOST);
}

/* Of almost all blocks all rows are: so that is asked first, without branches. */
static inline bool
vec_bound_all_beyond(const float *walked, size_t n, float cut)
{
  uint32_t beyond = 0;
  for (size_t i = 0; i < n; i++)
    beyond += vec_bound_beyond(walked[i], cut);
  return beyond == n;
}

#endif /* QUOIN_VECTOR_BOUND_H */
