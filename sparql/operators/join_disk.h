/* sparql/operators/join_disk.h - a hash join whose kept side outgrows the memory budget.
 *
 * Both sides are divided by the hash of their keys into pairs of parts. A pair is joined as in
 * memory: the right part in the table, the left part past it. A right part that does not fit is
 * divided again, or, where that does not help (one frequent key, no keys), taken in chunks with a
 * pass over the left part for each. A left row carries its number and whether an earlier chunk had
 * a match for it. */
#ifndef QUOIN_SPARQL_OPERATORS_JOIN_DISK_H
#define QUOIN_SPARQL_OPERATORS_JOIN_DISK_H

#include "sparql/memory/spill.h"
#include "sparql/operators/join_table.h"

typedef struct join_pair {
  spill_stream right, left;
  unsigned depth;
  uint64_t parent; /* right rows that were divided into this and others */
} join_pair;

typedef struct join_disk {
  sparql_context *ctx;
  join_table *table;
  size_t n_keys;               /* rows are divided by that many keys of the table */
  const sparql_var *left_vars; /* [n_left] columns of left rows */
  size_t n_left;
  bool carry;  /* left rows that a pass gives to join_disk_carry are those of the next pass */
  bool active; /* the rows are on disk */
  bool last;   /* the table holds the last chunk of its part */
  const atom_id *number;  /* of the rows of the left batch: ascending in each pass */
  const atom_id *matched; /* 0 or 1: an earlier chunk had a match */
  join_pair open[SPILL_FANOUT];
  join_pair *waiting;
  size_t n_waiting, cap_waiting;
  join_pair now;
  bool passing; /* a chunk is in the table, the left part is being read */
  spill_reader right_reader, left_reader;
  spill_stream carried;
  uint64_t next_number;
  atom_id **right_buffer;                      /* [n_keys + n_vars of the table] */
  atom_id **left_buffer;                       /* [2 + n_left] number, matched, columns */
  const atom_id **right_column, **left_column; /* [n_vars of the query] */
  const atom_id **source;                      /* of a row being written */
} join_disk;

/* `n_keys`: the leading keys of the table that are bound in every row of both sides; the others do
 * not divide rows. `left_vars` is borrowed. `carry`: of OPTIONAL and MINUS. */
quoin_status join_disk_init(join_disk *disk, sparql_context *ctx, join_table *table, size_t n_keys,
                            const sparql_var *left_vars, size_t n_left, bool carry,
                            quoin_error *err);
/* The table's rows go to disk, and its memory back. */
quoin_status join_disk_begin(join_disk *disk, quoin_error *err);
quoin_status join_disk_add_right(join_disk *disk, const sparql_batch *batch, quoin_error *err);
quoin_status join_disk_add_left(join_disk *disk, const sparql_batch *batch, quoin_error *err);
/* All rows have been added. */
quoin_status join_disk_start(join_disk *disk, quoin_error *err);
/* The next left rows, to be joined with what the table then holds. *new_pass: their numbers begin
 * anew. DONE. */
quoin_status join_disk_next(sparql_batch *left, bool *new_pass, join_disk *disk, quoin_error *err);
/* Rows rows[0..n) of the left batch go on to the next pass; matched[row] of the batch. Not in the
 * last one. */
quoin_status join_disk_carry(join_disk *disk, const uint32_t *rows, size_t n, const bool *matched,
                             quoin_error *err);
void join_disk_clear(join_disk *disk); /* usable again; a zeroed one is fine */

#endif /* QUOIN_SPARQL_OPERATORS_JOIN_DISK_H */
