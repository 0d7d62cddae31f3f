/* vector/top.h - the k best of what passes by, each subject once. */
#ifndef QUOIN_VECTOR_TOP_H
#define QUOIN_VECTOR_TOP_H

#include "vector/vector.h"

/* Twice k candidates are gathered, then the better half is kept: an order of (distance, id) over
 * subjects, each at its least distance, for the price of a sort every k candidates. */
typedef struct vec_top {
  const base_alloc *mem;
  vec_found *items;
  size_t n, cap, k;
  size_t full;  /* trim when so many are gathered */
  double limit; /* nothing further away can be among the k */
} vec_top;

void vec_top_init(vec_top *top, size_t k, double max_distance, const base_alloc *mem);
void vec_top_clear(vec_top *top);
/* Keep the k best of those gathered. */
void vec_top_trim(vec_top *top);
quoin_status vec_top_grow(vec_top *top, quoin_error *err);

static inline quoin_status
vec_top_add(vec_top *top, atom_id subject, double distance, quoin_error *err)
{
  if (!(distance <= top->limit)) return QUOIN_OK; /* NaN neither */
  if (top->n == top->full) vec_top_trim(top);
  if (top->n == top->cap) {
    quoin_status st = vec_top_grow(top, err);
    if (st) return st;
  }
  top->items[top->n++] = (vec_found){distance, subject};
  return QUOIN_OK;
}

/* The result, in ascending order, is the caller's. */
quoin_status vec_top_take(vec_found **out, size_t *n, vec_top *top, quoin_error *err);

#endif /* QUOIN_VECTOR_TOP_H */
