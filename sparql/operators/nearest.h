/* sparql/operators/nearest.h - the state of vec:nearest: for operator_nearest.c and
 * nearest_explain.c. */
#ifndef QUOIN_SPARQL_OPERATORS_NEAREST_H
#define QUOIN_SPARQL_OPERATORS_NEAREST_H

#include "sparql/memory/spill.h"
#include "sparql/operators/order_rows.h"
#include "sparql/operators/vec_query.h"

/* A candidate, and later what was found; query 0: the constant one. */
typedef struct nearest_pair {
  atom_id query, item;
  atom_id distance;
} nearest_pair;

typedef struct nearest_operator {
  sparql_operator head;
  nearest_options options;
  bool free_item;   /* the group does not bind the item: the whole index is searched */
  atom_id constant; /* the item, where it is a term */
  sparql_var *vars; /* those the child may bind: the columns of rows */
  size_t n_vars;
  order_rows rows; /* the first ones; then those of `disk` */
  spill_stream disk;
  spill_reader reader;
  nearest_pair *pairs; /* candidates by (query, item), each once, up to `sorted` */
  size_t n_pairs, cap_pairs, sorted;
  nearest_pair *found; /* by query, then item; or with a free item by distance */
  size_t n_found, cap_found;
  uint64_t charged; /* of both */
  bool known_query; /* the constant resource has a vector in one of the graphs of GRAPH ?g */
  bool searched;
  uint64_t searches, candidates, visits;    /* of all searches */
  uint64_t ways[VEC_CHOICE_CANDIDATES + 1]; /* searches by vec_choice */
  bool some; /* an active graph that was searched has vectors of the index */
  /* What is being given. */
  size_t next_row;  /* of op->rows */
  size_t n_in, at;  /* rows of the batch in work, and the next of them */
  size_t hit, hits; /* of that row */
  atom_id **in;     /* [n_vars] the batch, when it comes from the disk */
  const atom_id **from;
  uint32_t *selected; /* [SPARQL_BATCH] rows of the batch, for each row of output */
  sparql_columns cols;
  const atom_id **pulled;
} nearest_operator;

void sparql_nearest_explain(base_buffer *out, const sparql_operator *base);

#endif /* QUOIN_SPARQL_OPERATORS_NEAREST_H */
