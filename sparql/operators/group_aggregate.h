/* sparql/operators/group_aggregate.h - one aggregate over all groups of a GROUP BY.
 *
 * The (group, value) tuples that DISTINCT has seen go to disk past the memory budget: the table
 * then takes no more, tuples that it does not have are divided by hash, and
 * group_aggregate_settle() reads one part after the other with an empty table. */
#ifndef QUOIN_SPARQL_OPERATORS_GROUP_AGGREGATE_H
#define QUOIN_SPARQL_OPERATORS_GROUP_AGGREGATE_H

#include "sparql/expr/expr.h"
#include "sparql/memory/id_table.h"
#include "sparql/memory/spill.h"
#include "sparql/operators/operator.h"

typedef struct group_aggregate {
  sparql_context *ctx;
  const sparql_expr *expr; /* EXPR_AGGREGATE */
  const sparql_expr *arg;  /* NULL: COUNT(*) */
  bool counting;           /* COUNT: a number is all there is */
  bool sorted;             /* DISTINCT by comparing with the row before */
  bool table;              /* DISTINCT by `seen` */
  /* COUNT */
  uint64_t *counts; /* [cap] */
  /* others: states in blocks, so that they never move */
  sparql_aggregate_state **states; /* [cap] */
  char **blocks;
  size_t n_blocks, block_cap, state_size;
  size_t made; /* states that exist */
  size_t groups, cap;
  sparql_id_table seen; /* (group, id...) */
  sparql_var *whole;    /* COUNT(DISTINCT *): the named variables that may be bound */
  size_t n_whole;
  const atom_id **tuple;   /* [1 + n_columns] columns for `seen` */
  const atom_id **columns; /* [n_columns] what it is taken over: tuple + 1; none: rows alone */
  size_t n_columns;
  bool full;           /* `seen` takes no more */
  spill_parts parts;   /* of tuples */
  unsigned depth;      /* of the tuples being taken */
  atom_id last;        /* sorted: the id before, of group last_group */
  uint32_t last_group; /* UINT32_MAX: none */
  atom_id *values;     /* [SPARQL_BATCH] of an expression argument */
  atom_id *numbers;    /* [SPARQL_BATCH] group numbers as ids */
  uint32_t *row;       /* [SPARQL_BATCH] */
} group_aggregate;

/* `child`: of the operator. `sorted`: the input is sorted by the keys, then by the argument. */
quoin_status group_aggregate_init(group_aggregate *agg, sparql_context *ctx,
                                  const sparql_expr *expr, const sparql_operator *child,
                                  bool sorted, quoin_error *err);
/* States of at least `groups` groups. */
quoin_status group_aggregate_reserve(group_aggregate *agg, size_t groups, quoin_error *err);
/* Bytes that states of `groups` groups need beyond those that are. */
uint64_t group_aggregate_need(const group_aggregate *agg, size_t groups);
/* May states come to hold text? */
bool group_aggregate_holds_text(const group_aggregate *agg);
/* agg->columns[] for the rows of `in`, valid until the next call or as long as `in`. */
quoin_status group_aggregate_values(group_aggregate *agg, const sparql_batch *in, quoin_error *err);
/* Row i of columns[] (as agg->columns) belongs to group[i] < groups. */
quoin_status group_aggregate_take(group_aggregate *agg, const atom_id *const *columns, size_t rows,
                                  const uint32_t *group, size_t groups, quoin_error *err);
/* All rows have been taken: count in what DISTINCT has on disk. */
quoin_status group_aggregate_settle(group_aggregate *agg, quoin_error *err);
/* The results of the groups [at, at+n). Once each. */
quoin_status group_aggregate_give(atom_id *out, group_aggregate *agg, size_t at, size_t n,
                                  quoin_error *err);
/* Group `last` becomes group 0; all groups before it have been given. */
void group_aggregate_carry(group_aggregate *agg, size_t last);
/* Memory held, without what states hold themselves. */
uint64_t group_aggregate_bytes(const group_aggregate *agg);
void group_aggregate_clear(group_aggregate *agg); /* usable again */

#endif /* QUOIN_SPARQL_OPERATORS_GROUP_AGGREGATE_H */
