/* quadstore/words.h - what a transaction past memory has said, from its files.
 *
 * Each file is a run with one order, SPO, whose entries are the last words on their quads when it
 * was written: a tombstone removes. They are not net. Of several words on one quad, that of the
 * newest file counts. */
#ifndef QUOIN_QUADSTORE_WORDS_H
#define QUOIN_QUADSTORE_WORDS_H

#include "quadstore/spill.h"

struct words_source;

/* The words on the quads of one partition, in the order of SPO(G). */
typedef struct quad_words {
  const base_alloc *mem;
  unsigned keys;
  struct words_source *source; /* one for each file */
  size_t n_sources;
  struct words_source **heap; /* the one with the least quad first, the newest where equal */
  size_t n;
  uint64_t *out; /* 4 columns of a batch, then the tombstone bytes */
} quad_words;

/* Files from old to new. On failure there is nothing to close. */
quoin_status quad_words_open(quad_words *w, quad_run *const *files, size_t n, unsigned part,
                             const base_alloc *mem, quoin_error *err);
/* 1..QUAD_BATCH rows, or DONE; valid until the next call. */
quoin_status quad_words_next(const uint64_t *cols[4], const uint8_t **removed, size_t *rows,
                             quad_words *w, quoin_error *err);
void quad_words_close(quad_words *w); /* a zeroed one is fine */
/* Neighbours as one file. */
quoin_status quad_words_merge(quad_run **out, quad_store *store, quad_run *const *files, size_t n,
                              quoin_error *err);

#endif /* QUOIN_QUADSTORE_WORDS_H */
