/* sparql/operators/count_join.h - how many solutions joins have, without making them.
 *
 * Where patterns and the variables that they share form a tree, solutions are counted from the
 * leaves on: a pattern hands to the variable above it, for each value, the number of ways to
 * complete what lies below; a variable multiplies what its patterns hand to it. The patterns below
 * a variable come sorted by it and are gone through together, each seeking to the greatest value
 * that another is at (leapfrog: Veldhuizen 2014), so that a star needs no hash table and passes
 * over what cannot match. docs/adrs/0018-counting-joins.md. */
#ifndef QUOIN_SPARQL_OPERATORS_COUNT_JOIN_H
#define QUOIN_SPARQL_OPERATORS_COUNT_JOIN_H

#include "sparql/memory/id_table.h"
#include "sparql/operators/operators.h"

typedef struct count_node count_node;

/* A pattern below a variable. */
typedef struct count_edge {
  sparql_operator *op; /* its rows, sorted by the variable above; owned by the operator tree */
  count_node **below;  /* the other variables that it shares */
  size_t n_below;
  /* rows at hand */
  const atom_id **pulled;
  sparql_batch batch;
  size_t at;
  uint64_t *weight; /* [SPARQL_BATCH] of each row; NULL: 1 */
  bool done;
} count_edge;

/* A variable that patterns share, or the key of the groups. */
struct count_node {
  sparql_var var;
  count_edge *edges;
  size_t n_edges;
  /* but for the root: what it hands up */
  sparql_id_table values;
  uint64_t *ways; /* [cap] of values row by row */
  size_t cap;
};

/* `keyed`: a row for each value of the root's variable that has solutions, else one row. counts[]:
 * the variables that get the number. `first`: the first of all patterns, chained by
 * sparql_count_chain. */
quoin_status sparql_count_join_make(sparql_operator **out, sparql_context *ctx, count_node *root,
                                    bool keyed, const sparql_var *counts, size_t n_counts,
                                    sparql_operator *first, const sparql_frame *frame,
                                    quoin_error *err);
/* An inner node of the operator tree for `op` and what comes after it. */
quoin_status sparql_count_chain(sparql_operator **out, sparql_context *ctx, sparql_operator *op,
                                sparql_operator *after, quoin_error *err);

#endif /* QUOIN_SPARQL_OPERATORS_COUNT_JOIN_H */
