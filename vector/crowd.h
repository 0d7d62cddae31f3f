/* vector/crowd.h - one or many queries against rows of codes that are read once, in blocks.
 *
 * The first queries go row by row, each row done with before the next is touched: processors ask
 * ahead by themselves where addresses ascend, better than any order of asking. The others follow
 * when the block is complete, and find it in the cache. */
#ifndef QUOIN_VECTOR_CROWD_H
#define QUOIN_VECTOR_CROWD_H

#include "vector/code.h"

#include <string.h>

enum { VEC_BLOCK = 32 }; /* rows: 14 KiB of 384 i8, 54 KiB of floats */

typedef struct vec_crowd {
  vec_walk *walk;   /* of one query */
  vec_cross *cross; /* of more: their number is a multiple of VEC_CROSS, some may be there twice */
  const vec_query **queries;
  size_t n;
  uint32_t code_bytes;
  float *walked;             /* VEC_BLOCK of each query: what its walk kernel says of the rows */
  float ends[2 * VEC_BLOCK]; /* scale and norm of the rows */
  uint32_t slots[VEC_BLOCK]; /* where they lie */
  size_t rows;               /* of the block, until now; 0 when it is done with */
} vec_crowd;

/* The next row of the block, at `slot`. */
static inline void
vec_crowd_row(vec_crowd *c, const char *row, uint32_t slot)
{
  const vec_rows one = {.base = row, .n = 1};
  const size_t i = c->rows++;
  if (c->n == 1)
    c->walk(c->walked + i, c->queries[0], &one);
  else
    c->cross(c->walked + i, VEC_BLOCK, c->queries, &one);
  memcpy(c->ends + 2 * i, row + c->code_bytes, 2 * sizeof(float));
  c->slots[i] = slot;
}

/* The block is complete: its rows lie at base + stride * slot. */
static inline void
vec_crowd_rest(vec_crowd *c, vec_rows rows)
{
  rows.slots = c->slots;
  rows.n = c->rows;
  for (size_t q = VEC_CROSS; q < c->n; q += VEC_CROSS)
    c->cross(c->walked + q * VEC_BLOCK, VEC_BLOCK, c->queries + q, &rows);
}

#endif /* QUOIN_VECTOR_CROWD_H */
