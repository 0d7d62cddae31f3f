/* sparql/operators/vec_query.h - between a query and the vectors of its store. */
#ifndef QUOIN_SPARQL_OPERATORS_VEC_QUERY_H
#define QUOIN_SPARQL_OPERATORS_VEC_QUERY_H

#include "sparql/operators/operators.h"
#include "vector/vector.h"

/* Ids and terms of the query; the id of a term that no quad can hold is 0. */
vec_terms sparql_vec_terms(sparql_context *ctx);
/* The active graph, `name` where it has a variable. */
quoin_status sparql_vec_graphs(vec_graphs *out, sparql_context *ctx,
                               const sparql_active_graph *active, atom_id name, quoin_error *err);
/* All graphs of the query's dataset together: its FROM and FROM NAMED, else all of the store but
 * the system's. Lives as long as the context. */
quoin_status sparql_vec_dataset(const vec_graphs **out, sparql_context *ctx, quoin_error *err);
/* The index over the predicate that `node` (ALGEBRA_NEAREST) names: NOT_FOUND with its position
 * when there is none. */
quoin_status sparql_vec_index(vec_declaration *out, sparql_context *ctx, const sparql_algebra *node,
                              quoin_error *err);

typedef struct nearest_options {
  const sparql_algebra *node;
  const sparql_active_graph *graph;
  const sparql_frame *frame;
  vec_declaration index;
  uint64_t vectors; /* quads of the predicate, for EXPLAIN */
  bool not_itself;  /* a query that is a resource is no candidate: of a split group alone */
} nearest_options;

/* The rows of `child` that vec:nearest keeps, with their distances. With `queries` (may be NULL)
 * the group is the product of both: they have no variable in common but parameters, the query is
 * one of `queries`, the item one of `child`. */
quoin_status sparql_nearest_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                                 sparql_operator *queries, const nearest_options *options,
                                 quoin_error *err);

#endif /* QUOIN_SPARQL_OPERATORS_VEC_QUERY_H */
