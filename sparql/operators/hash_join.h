/* sparql/operators/hash_join.h - inside of the joins that keep one side (operator_hash_join.c). */
#ifndef QUOIN_SPARQL_OPERATORS_HASH_JOIN_H
#define QUOIN_SPARQL_OPERATORS_HASH_JOIN_H

#include "sparql/memory/spill_merge.h"
#include "sparql/operators/join_disk.h"
#include "sparql/operators/operators.h"

typedef struct hash_join {
  sparql_operator head;
  hash_join_options options;
  const sparql_frame *frame;
  sparql_var *keys, *loose, *kept; /* loose: shared, but unbound in some rows */
  size_t n_keys, n_loose, n_kept;
  bool lax;     /* the table has loose[0] as its last key */
  bool overlap; /* MINUS: a key is a shared variable, so domains are not disjoint */
  join_table table;
  bool built;
  sparql_id_table seen; /* distinct keys of a left batch, for the seed */
  /* the left batch */
  sparql_batch left;
  const atom_id **left_pulled, **right_pulled;
  uint32_t *group;   /* [SPARQL_BATCH] key number of each row */
  uint32_t *unbound; /* lax: the same with loose[0] unbound */
  size_t row, at;    /* next pair: left row, and right row within its group */
  unsigned range;    /* of that row: see range_of */
  bool begun;        /* `at` is within that range */
  bool *matched;     /* [SPARQL_BATCH] OPTIONAL: a pair of this row passed */
  /* pairs; a right row NO_ROW ends a left row */
  uint32_t *left_row, *right_row;     /* [SPARQL_BATCH] */
  uint32_t *passed, *pair, *selected; /* [SPARQL_BATCH] with conditions */
  sparql_var *condition_vars;
  size_t n_condition_vars;
  atom_id **condition_buffer;
  const atom_id **condition_column;
  size_t ramp;
  sparql_var *shown;
  size_t n_shown;
  atom_id **buffer;
  const atom_id **column;
  join_disk disk;
  spill_stream run;        /* sorted: of this pass */
  spill_sequence sequence; /* sorted: the runs of the passes before */
  bool merging;            /* sorted: all passes are done */
} hash_join;

/* Does the join choose among the left rows, and show nothing of the right ones? */
static inline bool
hash_join_keeps_left(const hash_join *op)
{
  return op->options.mode != JOIN_INNER && op->options.mode != JOIN_LEFT;
}

/* Keys, columns and buffers, from what the children bind. `need`: the variables to show. */
quoin_status hash_join_prepare(hash_join *op, const bool *need, quoin_error *err);

#endif /* QUOIN_SPARQL_OPERATORS_HASH_JOIN_H */
