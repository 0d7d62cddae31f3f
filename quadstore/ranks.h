/* quadstore/ranks.h - many quads as records of small numbers, for sorting. Private.
 *
 * Each column's distinct ids are numbered in their order; a record is the numbers of its ids. So a
 * record of a triple is 12 bytes and not 24, and a pass of the sort sees only bits that matter:
 * the 22 bits of 2.6 M objects and not the 64 of an inline double. The numbers take the place of
 * the ids, and what is left over is the other half that sorting needs. Every step is done by
 * several threads; what comes out does not depend on how many. */
#ifndef QUOIN_QUADSTORE_RANKS_H
#define QUOIN_QUADSTORE_RANKS_H

#include "quadstore/run.h"

typedef struct quad_ranks {
  const base_alloc *mem;
  unsigned threads;
  unsigned keys;          /* words of a record: 3, or 4 with the graph */
  size_t n;               /* records there are */
  uint32_t *data, *spare; /* swapped by sorting; halves of `block` */
  void *block;            /* of block_words u64 */
  size_t block_words;
  uint64_t *ids[4]; /* by position: the id of each number, ascending */
  size_t distinct[4];
} quad_ranks;

/* Bytes that making ranks needs at most beside the records themselves, for a record: 24 for pairs
 * of a column of far apart ids, and the distinct ids of the columns. */
enum { QUAD_RANKS_BYTES = 48 };

/* Of n records of `keys` ids each (the positions S, P, O and, where keys is 4, G). Not sorted.
 * `records`, room * keys words from `mem`, is taken over, on failure too. */
quoin_status quad_ranks_new(quad_ranks *out, uint64_t *records, size_t n, size_t room,
                            unsigned keys, unsigned threads, const base_alloc *mem,
                            quoin_error *err);
void quad_ranks_clear(quad_ranks *r); /* a zeroed one is fine */

/* Stable sort by the positions by[0..n_by), by[0] the most significant. */
quoin_status quad_ranks_sort(quad_ranks *r, const uint8_t *by, unsigned n_by, quoin_error *err);
/* The records sorted by one position in *sorted, `data` as it was, `spare` used up: where one pass
 * does it; else *sorted is NULL and nothing was done. */
quoin_status quad_ranks_sort_aside(const uint32_t **sorted, quad_ranks *r, unsigned by,
                                   quoin_error *err);
/* Sort by S, P, O (and G) records in any order. */
quoin_status quad_ranks_sort_first(quad_ranks *r, quoin_error *err);
/* Of records that lie together by position `first`: sort each group by `second`, then `third`, then
 * G. Groups are small, so this is done where they lie. */
void quad_ranks_sort_groups(quad_ranks *r, unsigned first, unsigned second, unsigned third);
/* Drop equal neighbours. */
void quad_ranks_unique(quad_ranks *r);

/* The same sort for any records of `words` (3 or 4) words. The sorted records are in *data. */
enum { QUAD_RADIX_BITS = 11 }; /* of one pass */
typedef struct quad_digit {
  uint8_t word, bits; /* the lowest `bits` of the word matter */
} quad_digit;
quoin_status quad_radix_sort(uint32_t **data, uint32_t **spare, size_t n, unsigned words,
                             const quad_digit *by, unsigned n_by, unsigned threads,
                             const base_alloc *mem, quoin_error *err);

#endif /* QUOIN_QUADSTORE_RANKS_H */
