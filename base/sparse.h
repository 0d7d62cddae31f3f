/* base/sparse.h - a word for each of 2^32 numbers, of which some are used.
 *
 * In parts of 65,536 words that are made when one of theirs is; the heap gives a part as pages that
 * are touched where words are: 8 bytes for each number up to the highest, not for each word in use,
 * where those are spread; base_sparse_bytes tells. Nothing is given back before the clear. Words
 * begin as 0. Any thread finds and makes; what a word means, and in which order it becomes visible,
 * is the owner's. */
#ifndef QUOIN_BASE_SPARSE_H
#define QUOIN_BASE_SPARSE_H

#include "base/alloc.h"

#include <stdatomic.h>

typedef struct base_sparse_parts base_sparse_parts;
/* Zeroed: no words yet. */
typedef struct base_sparse {
  _Atomic(base_sparse_parts *) parts;
  _Atomic(uint64_t) bytes; /* of all parts */
} base_sparse;

/* The word of `number`; NULL: its part has none that was made. */
_Atomic(uint64_t) *base_sparse_find(const base_sparse *s, uint64_t number);
/* NULL: no memory, or a number from 2^32 on. */
_Atomic(uint64_t) *base_sparse_make(base_sparse *s, uint64_t number, const base_alloc *mem);
/* Every word low..high that was made becomes 0. */
void base_sparse_reset(base_sparse *s, uint64_t low, uint64_t high);
/* Of memory, as far as its pages were touched. Any thread. */
uint64_t base_sparse_bytes(const base_sparse *s);
/* No other thread may be using it. */
void base_sparse_clear(base_sparse *s, const base_alloc *mem);

#endif /* QUOIN_BASE_SPARSE_H */
