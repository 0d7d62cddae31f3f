/* quadstore/ranks.h - many quads as records of small numbers, for sorting. Private.
 *
 * Each column's distinct ids are numbered in their order; a record is the numbers of its ids. So a
 * record of a triple is 12 bytes and not 24, and a pass of the sort sees only bits that matter:
 * the 22 bits of 2.6 M objects and not the 64 of an inline double. Every step is done by several
 * threads; what comes out does not depend on how many. */
#ifndef QUOIN_QUADSTORE_RANKS_H
#define QUOIN_QUADSTORE_RANKS_H

#include "quadstore/run.h"

typedef struct quad_ranks {
  const base_alloc *mem;
  unsigned threads;
  unsigned keys;          /* words of a record: 3, or 4 with the graph */
  size_t n, room;         /* records there are, and that data and spare have room for */
  uint32_t *data, *spare; /* swapped by sorting */
  uint64_t *ids[4];       /* by position: the id of each number, ascending */
  size_t distinct[4];
} quad_ranks;

/* Bytes that making and sorting ranks needs at most beside the records themselves, for a record. */
enum { QUAD_RANKS_BYTES = 64 };

/* Of n records of `keys` ids each (the positions S, P, O and, where keys is 4, G). Not sorted. */
quoin_status quad_ranks_new(quad_ranks *out, const uint64_t *records, size_t n, unsigned keys,
                            unsigned threads, const base_alloc *mem, quoin_error *err);
void quad_ranks_clear(quad_ranks *r); /* a zeroed one is fine */

/* Stable sort by the positions by[0..n_by), by[0] the most significant. */
quoin_status quad_ranks_sort(quad_ranks *r, const uint8_t *by, unsigned n_by, quoin_error *err);
/* Drop equal neighbours. */
void quad_ranks_unique(quad_ranks *r);

/* The same sort for any records of `words` (3 or 4) words. The sorted records are in *data. */
typedef struct quad_digit {
  uint8_t word, bits; /* the lowest `bits` of the word matter */
} quad_digit;
quoin_status quad_radix_sort(uint32_t **data, uint32_t **spare, size_t n, unsigned words,
                             const quad_digit *by, unsigned n_by, unsigned threads,
                             const base_alloc *mem, quoin_error *err);

#endif /* QUOIN_QUADSTORE_RANKS_H */
