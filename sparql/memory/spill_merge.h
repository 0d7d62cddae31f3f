/* sparql/memory/spill_merge.h - one sorted stream out of many, for sorts and for putting divided
 * rows in order again. */
#ifndef QUOIN_SPARQL_MEMORY_SPILL_MERGE_H
#define QUOIN_SPARQL_MEMORY_SPILL_MERGE_H

#include "sparql/memory/spill.h"

enum { SPILL_MERGE_MOST = 128 }; /* streams at a time */

/* What a record is. `user` keeps one record for each slot below SPILL_MERGE_MOST. */
typedef struct spill_records {
  void *user;
  /* The next record of the reader, which is not at its end, into `slot`. */
  quoin_status (*read)(void *user, size_t slot, spill_reader *reader, quoin_error *err);
  quoin_status (*write)(void *user, size_t slot, spill_stream *stream, quoin_error *err);
  bool (*before)(const void *user, size_t a, size_t b); /* strictly */
} spill_records;

/* Zeroed: nothing. */
typedef struct spill_merge {
  sparql_context *ctx;
  spill_records records;
  spill_stream *runs; /* [n_runs], each sorted */
  size_t n_runs, cap_runs;
  spill_reader *readers; /* [SPILL_MERGE_MOST] */
  uint32_t *heap;        /* slots, the first record on top */
  size_t n_heap;
  bool given; /* the record on top has been given */
} spill_merge;

/* One more run, taken over. Runs added earlier come first among equal records. */
quoin_status spill_merge_add(spill_merge *merge, sparql_context *ctx, spill_stream *run,
                             quoin_error *err);
/* After the last run: merge until few enough are left to be read at a time. */
quoin_status spill_merge_begin(spill_merge *merge, const spill_records *records, quoin_error *err);
/* The slot of the next record, valid until the next call; DONE. */
quoin_status spill_merge_next(size_t *slot, spill_merge *merge, quoin_error *err);
void spill_merge_clear(spill_merge *merge, sparql_context *ctx);

/* ---- rows of ids in the order of a number ---------------------------------------------------- */

/* Runs of rows of `width` ids, of which the first is a number: they ascend in each run. Zeroed:
 * nothing. */
typedef struct spill_sequence {
  spill_merge merge;
  size_t width;
  uint64_t *rows; /* [SPILL_MERGE_MOST][width] */
} spill_sequence;

quoin_status spill_sequence_begin(spill_sequence *sequence, sparql_context *ctx, size_t width,
                                  quoin_error *err);
/* Up to SPARQL_BATCH rows, without their numbers, into to[0 .. width-1); to[i] may be NULL. DONE.
 */
quoin_status spill_sequence_rows(size_t *n, atom_id *const *to, spill_sequence *sequence,
                                 quoin_error *err);
void spill_sequence_clear(spill_sequence *sequence, sparql_context *ctx);

#endif /* QUOIN_SPARQL_MEMORY_SPILL_MERGE_H */
