/* vector/top.h - the k best of what passes by, each subject once. */
#ifndef QUOIN_VECTOR_TOP_H
#define QUOIN_VECTOR_TOP_H

#include "vector/vector.h"

/* The fewest items between two trims that someone asks for. */
enum { TOP_MORE = 16 };

/* Twice k candidates are gathered, then the better half is kept: an order of (distance, id) over
 * subjects, each at its least distance, for the price of a sort every k candidates. */
typedef struct vec_top {
  const base_alloc *mem;
  vec_found *items;
  size_t n, cap, k;
  size_t full;    /* trim when so many are gathered */
  size_t trimmed; /* so many were left the last time; 0: none were */
  double limit;   /* nothing further away can be among the k */
} vec_top;

void vec_top_init(vec_top *top, size_t k, double max_distance, const base_alloc *mem);
void vec_top_clear(vec_top *top);
/* Keep the k best of those gathered. */
void vec_top_trim(vec_top *top);
quoin_status vec_top_grow(vec_top *top, quoin_error *err);

/* Whether a trim is worth its price before the items are full: it gives the first limit, or a
 * tighter one to what is offered next. Subjects that come again may leave fewer than k of k items:
 * then as many must come again too, or each call would ask for a sort. */
static inline bool
vec_top_is_due(const vec_top *top)
{
  size_t more = top->k / 4 < TOP_MORE ? TOP_MORE : top->k / 4;
  return top->n >= top->k && (!top->trimmed || top->n - top->trimmed >= more);
}

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
