/* load/blanks.h - blank node labels of one file -> numbers.
 *
 * Numbers are counted on from file to file within one load, so that the label _:a of two files is
 * two nodes; the labels are forgotten at the end of their file. */
#ifndef QUOIN_LOAD_BLANKS_H
#define QUOIN_LOAD_BLANKS_H

#include "base/base.h"

typedef struct load_blank {
  uint64_t hash, number; /* number 0: an empty slot */
  const char *label;     /* in text */
  size_t len;
} load_blank;

typedef struct load_blanks {
  load_blank *slots;
  size_t cap, used;
  uint64_t last; /* highest number given so far, over all files */
  base_arena text;
  const base_alloc *mem;
} load_blanks;

void load_blanks_init(load_blanks *blanks, const base_alloc *mem);
void load_blanks_clear(load_blanks *blanks);
/* A new file begins: forget the labels, keep counting. */
void load_blanks_reset(load_blanks *blanks);
/* The number of `label`, from 1; given out in the order of first occurrence. */
quoin_status load_blanks_number(uint64_t *out, load_blanks *blanks, quoin_span label,
                                quoin_error *err);

#endif /* QUOIN_LOAD_BLANKS_H */
