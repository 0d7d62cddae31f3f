/* quadstore/sort.h - LSD radix sort of records of ids, and runs built from unsorted quads. */
#ifndef QUOIN_QUADSTORE_SORT_H
#define QUOIN_QUADSTORE_SORT_H

#include "quadstore/ranks.h"

/* Records of `stride` u64: S P O, then G in the named partition, then the sign where `sign`
 * (0 insertion, 1 tombstone). */
typedef struct quad_records {
  uint64_t *data, *spare; /* `n` records each, swapped by sorting */
  size_t n;
  unsigned stride, keys;
  bool sign;
  uint64_t varies[4]; /* per position: the bits that differ between records */
} quad_records;

/* Set `varies`; call it once the records are there. */
void quad_records_survey(quad_records *r);
/* Stable sort by the positions by[0..n_by), by[0] the most significant. */
quoin_status quad_records_sort(quad_records *r, const uint8_t *by, unsigned n_by,
                               const base_alloc *mem, quoin_error *err);
/* Drop equal neighbours. */
void quad_records_unique(quad_records *r);

/* The orders in the sequence in which files hold their sections: that in which they are built. */
extern const uint8_t quad_build_sequence[QUAD_ORDERS];

/* Write all orders of the writer from records sorted by SPO(G), as tombstones when `remove`; they
 * are in another order then. */
quoin_status quad_build_orders(quad_writer *w, unsigned part, quad_ranks *r, bool remove,
                               base_cancel *cancel, quoin_error *err);

#endif /* QUOIN_QUADSTORE_SORT_H */
