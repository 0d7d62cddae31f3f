/* vector/kernel.h - distances between vectors, by the best instructions of the processor.
 *
 * Four families. *Scan* kernels tell which rows need an exact distance at all. *Walk* kernels
 * order the search: float results over stored codes, one query against many rows with prefetch; i8
 * and b1 give the same bits on every kernel (integer sums), f32 and f16 differ in the last places.
 * *Cross* kernels are those of four queries at once, for scans that many queries share.
 * *Exact* kernels give what leaves the engine: sums in double over 16 fixed lanes (lane i takes the
 * elements i, i+16, ...) folded by a fixed tree (i += i+8, i+4, i+2, i+1), each product rounded
 * before it is added: the same bits on every kernel and machine.
 *
 * f16 rows are widened (VCVTPH2PS, in F16C and AVX-512F), scaled and summed as floats. The
 * arithmetic of halves of AVX-512 FP16 is not used: a sum of halves has 11 bits, which orders near
 * neighbours wrongly and costs the recall that f16 is chosen for; and no machine to measure on has
 * it.
 *
 * The table of a processor is constant; vec_kernels_best() chooses it from what the processor says,
 * and whoever needs it keeps the pointer. Any thread. */
#ifndef QUOIN_VECTOR_KERNEL_H
#define QUOIN_VECTOR_KERNEL_H

#include "base/base.h"

typedef enum vec_metric { VEC_COSINE = 0, VEC_DOT = 1, VEC_L2 = 2 } vec_metric;

/* How a vector is kept for the walk (vector/code.h). */
typedef enum vec_code { VEC_F32 = 0, VEC_F16 = 1, VEC_I8 = 2, VEC_B1 = 3 } vec_code;
enum { VEC_METRICS = 3, VEC_CODES = 4, VEC_DIMS_MAX = 65535 };

/* One side of a distance, made by vec_query_set or vec_query_from_row (vector/code.h). */
typedef struct vec_query {
  const void *code; /* f32 for F32 and F16, signed bytes for I8, bits for B1; 64-byte aligned */
  uint32_t dims;
  uint32_t code_bytes; /* of a row: where its scale and norm lie */
  float scale, norm;   /* I8: code * scale is the vector, else 1; norm: its square */
  int32_t shift;       /* I8: 128 * sum of the codes; rows are stored with 128 added */
} vec_query;

/* The rows of a batch: row i lies at base + stride * slots[i], or stride * i where slots is NULL.
 */
typedef struct vec_rows {
  const char *base;
  size_t stride;
  const uint32_t *slots;
  size_t n;
} vec_rows;

/* Ask for a row that a walk kernel will read soon, into the second cache: a kernel does so for its
 * rows, and who knows of them earlier may do it before. */
static inline void
vec_row_ask(const char *row, size_t bytes)
{
  for (size_t at = 0; at < bytes; at += 64)
    __builtin_prefetch(row + at, 0, 2);
}

/* out[i]: what orders row i among others. Dot: the negative dot product (cosine: of unit vectors).
 * L2: squared distance. B1: number of differing bits, for both. Sums whose size is not within
 * VEC_WALK_LEAST..VEC_WALK_MOST are made in double, and told by floats that lie beyond these bounds
 * in the same order: vectors of any magnitude are told apart. */
#define VEC_WALK_LEAST 0x1p-100
#define VEC_WALK_MOST 0x1p100
typedef void vec_walk(float *out, const vec_query *query, const vec_rows *rows);

/* Cross kernels: VEC_CROSS queries against each row, which is read once. out[j * room + i]: what a
 * walk kernel says of query j and row i. Not of B1. */
enum { VEC_CROSS = 4 };
typedef void vec_cross(float *out, size_t room, const vec_query *const queries[VEC_CROSS],
                       const vec_rows *rows);

/* Scan kernels, for bounds of exact distances (vector/bound.h): sums of floats over whole vectors
 * at rows[i]. dot: out[2 * i] = query . row and out[2 * i + 1] = row . row. l2: out[i] = the sum of
 * (query - row)^2. Each within (dims + 4) * 2^-24 of the sum of its terms' magnitudes, whatever the
 * order of the additions. */
typedef void vec_scan(float *out, const float *query, const float *const *rows, size_t n,
                      size_t dims);

/* Sum over double lanes of a[i] * b[i], or of (a[i] - b[i])^2. */
typedef double vec_sum(const float *a, const float *b, size_t dims);
/* sums[0] = a.b and sums[1] = b.b in one pass over b. */
typedef void vec_sum2(double sums[2], const float *a, const float *b, size_t dims);

typedef struct vec_kernels {
  const char *name;
  vec_walk *dot[VEC_CODES];
  vec_walk *l2[VEC_CODES];
  vec_cross *cross_dot[VEC_CODES], *cross_l2[VEC_CODES]; /* NULL: none */
  vec_scan *scan_dot, *scan_l2;
  vec_sum *exact_dot, *exact_l2;
  vec_sum2 *exact_dot2;
} vec_kernels;

/* The table for this processor. */
const vec_kernels *vec_kernels_best(void);
/* Table number i of those that run here, from the scalar one (0) up; NULL past the last. For tests
 * and benchmarks. */
const vec_kernels *vec_kernels_nth(size_t i);

static inline vec_walk *
vec_kernels_walk(const vec_kernels *kernels, vec_metric metric, vec_code code)
{
  return metric == VEC_L2 ? kernels->l2[code] : kernels->dot[code];
}

static inline vec_cross *
vec_kernels_cross(const vec_kernels *kernels, vec_metric metric, vec_code code)
{
  return metric == VEC_L2 ? kernels->cross_l2[code] : kernels->cross_dot[code];
}

/* The distance that users see: cosine 1 - cos, dot 1 - dot product, l2 Euclidean. `query_norm` is
 * exact_dot(query, query). A zero vector has cosine distance 1. */
double vec_exact(const vec_kernels *kernels, vec_metric metric, const float *query,
                 double query_norm, const float *vector, size_t dims);

#endif /* QUOIN_VECTOR_KERNEL_H */
