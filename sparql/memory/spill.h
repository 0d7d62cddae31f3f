/* sparql/memory/spill.h - what operators keep on disk when the query's memory budget is used up.
 *
 * A query has one temporary file at most, made on the first write, without a name: it goes with the
 * process. It lies in TMPDIR, or else in /var/tmp or /tmp, never in the store: a query may run
 * where the store cannot be written. The file is handed out in blocks; blocks that were read are
 * used again. Streams are bytes in such blocks, written once, then read from the beginning. Only
 * the buffer of a block is in memory for each stream that is being written or read, and it is
 * charged. docs/adrs/0009-spilling.md. */
#ifndef QUOIN_SPARQL_MEMORY_SPILL_H
#define QUOIN_SPARQL_MEMORY_SPILL_H

#include "sparql/context.h"

typedef struct sparql_spill sparql_spill;

/* A temporary file as described above. */
quoin_status spill_temp_file(base_file *out, quoin_error *err);
/* Close the file of the query; NULL in ctx->spill is fine. */
void spill_free(sparql_context *ctx);

/* May an operator that can spill, and holds `own` bytes, take `bytes` more? A quarter of the budget
 * is left to what cannot spill; an operator may always have a sixteenth, whatever others hold. */
static inline bool
spill_has_room(const sparql_context *ctx, uint64_t own, uint64_t bytes)
{
  uint64_t limit = ctx->memory_limit;
  return ctx->memory_used + bytes <= limit - limit / 4 || own + bytes <= limit / 16;
}

/* ---- streams --------------------------------------------------------------------------------- */

/* Zeroed: empty. */
typedef struct spill_stream {
  uint32_t *blocks; /* of the file, in order */
  size_t n_blocks, cap_blocks;
  uint64_t bytes;
  uint64_t rows; /* the user's count */
  char *buffer;  /* while written; NULL: none */
  size_t fill;
} spill_stream;

quoin_status spill_put(spill_stream *stream, sparql_context *ctx, const void *data, size_t len,
                       quoin_error *err);
/* No more is written: what is in the buffer goes to the file, the buffer goes back. */
quoin_status spill_finish(spill_stream *stream, sparql_context *ctx, quoin_error *err);
void spill_drop(spill_stream *stream, sparql_context *ctx); /* a zeroed one is fine */

/* Zeroed: closed. */
typedef struct spill_reader {
  spill_stream *stream;
  uint64_t at; /* bytes given */
  char *buffer;
  size_t next, end; /* in the buffer */
  size_t block;     /* the next of stream->blocks */
  bool eat;         /* blocks are free once read: the stream is read once */
} spill_reader;

/* The stream is finished and outlives the reader. */
quoin_status spill_open(spill_reader *reader, spill_stream *stream, bool eat, sparql_context *ctx,
                        quoin_error *err);
static inline bool
spill_at_end(const spill_reader *reader)
{
  return reader->at == reader->stream->bytes;
}
/* The next `len` bytes, which must be there. */
quoin_status spill_get(void *data, spill_reader *reader, sparql_context *ctx, size_t len,
                       quoin_error *err);
void spill_close(spill_reader *reader, sparql_context *ctx);

/* Rows of `width` ids each, as a batch reads them: up to SPARQL_BATCH rows into to[0..width), a
 * column each. *n is 0 at the end. */
quoin_status spill_get_rows(size_t *n, atom_id *const *to, size_t width, spill_reader *reader,
                            sparql_context *ctx, quoin_error *err);

/* ---- partitions by hash ---------------------------------------------------------------------- */

enum { SPILL_FANOUT = 16 };

typedef struct spill_part {
  spill_stream stream;
  unsigned depth; /* how often its rows have been divided */
} spill_part;

/* Rows divided by hash into SPILL_FANOUT streams, and the finished streams that wait for their
 * turn. Zeroed: empty. */
typedef struct spill_parts {
  spill_part open[SPILL_FANOUT];
  bool is_open;
  spill_part *waiting; /* the last one is next */
  size_t n_waiting, cap_waiting;
} spill_parts;

/* The part of each tuple keys[0..width)[i], i in [0, n): another division at each depth. NULL: 0 in
 * all. */
void spill_part_of(uint8_t *part, const atom_id *const *keys, size_t width, size_t n,
                   unsigned depth);
/* `row` has `width` ids. */
quoin_status spill_parts_put(spill_parts *parts, unsigned part, const atom_id *row, size_t width,
                             sparql_context *ctx, quoin_error *err);
/* What was put since the last call waits, as parts of `depth`. */
quoin_status spill_parts_end(spill_parts *parts, unsigned depth, sparql_context *ctx,
                             quoin_error *err);
/* The next part that waits, now the caller's; false: none. */
bool spill_parts_take(spill_part *out, spill_parts *parts);
void spill_parts_clear(spill_parts *parts, sparql_context *ctx);

#endif /* QUOIN_SPARQL_MEMORY_SPILL_H */
