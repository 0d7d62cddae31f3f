/* sparql/operators/nearest.h - the state of vec:nearest: for operator_nearest.c,
 * nearest_group.c, nearest_search.c and nearest_explain.c. */
#ifndef QUOIN_SPARQL_OPERATORS_NEAREST_H
#define QUOIN_SPARQL_OPERATORS_NEAREST_H

#include "base/base.h"
#include "sparql/memory/id_table.h"
#include "sparql/memory/spill.h"
#include "sparql/operators/order_rows.h"
#include "sparql/operators/vec_query.h"

/* Candidates. Until they are sorted, some may be there several times. */
typedef struct nearest_items {
  atom_id *id;
  size_t n, cap;
  size_t sorted; /* so many of the first ones ascend */
} nearest_items;

/* A distinct query of the group. */
typedef struct nearest_query {
  nearest_items items; /* unless all queries have the same */
  size_t first, n;     /* what was found, of op->found as it was searched */
} nearest_query;

typedef struct nearest_found {
  atom_id item, distance;
  uint32_t query;
} nearest_found;

/* The rows of the part of the group that has the queries, where it shares no variable with the part
 * that has the items: row by row, in memory that goes to disk past the budget. */
typedef struct nearest_left {
  sparql_var *vars;
  size_t width; /* of vars, and of a row */
  atom_id *cells;
  size_t cap_cells;
  uint32_t *query; /* of each row */
  size_t n, cap;
  uint32_t *order; /* rows by query */
  uint32_t *first; /* of `order`, for each query and one more */
  size_t cap_order, cap_first;
} nearest_left;

typedef struct nearest_operator {
  sparql_operator head; /* child[0]: the group, or the part of it that has the items; child[1]: the
                           other part, or NULL */
  nearest_options options;
  bool free_item;   /* the group does not bind the item: the whole index is searched */
  bool any;         /* whatever the group has, all of the index is searched */
  bool shared;      /* the candidates of all queries are the same: `items` */
  atom_id constant; /* the item, where it is a term */
  sparql_var *vars; /* those child[0] may bind: the columns of rows */
  size_t n_vars;
  order_rows rows; /* the first ones; then those of `disk` */
  spill_stream disk;
  spill_reader reader;
  bool rows_are_items; /* rows have nothing but an item, each another: `items` has them */
  sparql_id_table ids; /* the queries; no tuple but the empty one where it is a constant */
  nearest_query *query;
  size_t n_queries, cap_queries;
  nearest_items items;
  nearest_left left;
  nearest_found *found; /* by query and item; with a free item by query and distance; with a left
                           part by item and query */
  size_t n_found, cap_found;
  uint64_t *filter; /* bits by the hash of item, and query unless there is a left part */
  size_t cap_filter;
  unsigned filter_bits; /* log2 of their number */
  uint64_t charged;     /* of candidates, queries, found and filter */
  bool known_query;     /* the constant resource has a vector in one of the graphs of GRAPH ?g */
  bool searched;
  uint64_t searches, candidates, visits;    /* of all searches */
  uint64_t ways[VEC_CHOICE_CANDIDATES + 1]; /* searches by vec_choice */
  bool some; /* an active graph that was searched has vectors of the index */
  /* What is being given. */
  size_t next_row;  /* of op->rows */
  size_t n_in, at;  /* rows of the batch in work, and the next of them */
  size_t hit, hits; /* of that row */
  size_t copy;      /* of that hit: rows of the left part given */
  atom_id **in;     /* [n_vars] the batch, when it comes from the disk */
  const atom_id **from;
  uint32_t *selected;  /* [SPARQL_BATCH] rows of the batch, for each row of output */
  uint32_t *row_query; /* [SPARQL_BATCH] queries of the rows of the batch */
  uint32_t *left_row;  /* [SPARQL_BATCH] rows of the left part, for each row of output */
  sparql_columns cols;
  const atom_id **pulled;
} nearest_operator;

static inline bool
nearest_is_split(const nearest_operator *op)
{
  return op->head.child[1];
}

static inline bool
nearest_has_constant_query(const nearest_operator *op)
{
  return op->options.node->object.var == SPARQL_NO_VAR;
}

/* Room for `need` elements of `size`; charged. */
quoin_status nearest_grow(nearest_operator *op, void **array, size_t *cap, size_t need, size_t size,
                          quoin_error *err);

/* ---- nearest_group.c ---- */

/* All of the group: rows, queries and candidates. */
quoin_status nearest_read_group(nearest_operator *op, quoin_error *err);
/* The next kept rows: op->from[c] for column c, n_in of them. DONE. */
quoin_status nearest_next_kept(nearest_operator *op, quoin_error *err);
/* Let go of all that. */
void nearest_clear_group(nearest_operator *op);

/* ---- nearest_search.c ---- */

/* Read the group, and fill `found`. */
quoin_status nearest_search(nearest_operator *op, quoin_error *err);

/* A number for the filter. */
static inline uint64_t
nearest_hash(atom_id item, uint32_t query)
{
  return base_mix(item.bits + query * UINT64_C(0x9e3779b97f4a7c15));
}

void sparql_nearest_explain(base_buffer *out, const sparql_operator *base);

#endif /* QUOIN_SPARQL_OPERATORS_NEAREST_H */
