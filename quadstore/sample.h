/* quadstore/sample.h - what the entries of one section with the same first keys are like.
 *
 * A planner asks the same of every query: how many entries a predicate has, and how many values
 * follow it. A run never changes, so what it took more than one block to find out is kept with the
 * section, for as many keys as there is room for: a table of pointers to what is never changed,
 * read without a lock. */
#ifndef QUOIN_QUADSTORE_SAMPLE_H
#define QUOIN_QUADSTORE_SAMPLE_H

#include "quadstore/cursor.h"

typedef struct quad_sample {
  uint64_t key[3];
  unsigned n;             /* of them bound */
  int64_t count;          /* net, of the entries */
  uint64_t rows, changes; /* looked at, and how often the next key differed from the row before */
  uint64_t distinct;      /* of the next key; 0: many, or there are tombstones */
} quad_sample;

enum { QUAD_SAMPLE_DISTINCT = 32 }; /* more values are many */

/* Of the first n keys, 0..3 and less than the section has. */
quoin_status quad_sample_get(quad_sample *out, const quad_section *sec, const uint64_t *key,
                             unsigned n, const base_alloc *mem, quoin_error *err);
/* What is kept of it; NULL: nothing. */
const quad_sample *quad_sample_find(const quad_section *sec, const uint64_t *key, unsigned n);

void quad_samples_free(quad_samples *s); /* NULL is fine */

#endif /* QUOIN_QUADSTORE_SAMPLE_H */
