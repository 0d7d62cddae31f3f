/* sparql/plan/plan.h - from algebra to operators: rewriting, costs, join order. */
#ifndef QUOIN_SPARQL_PLAN_PLAN_H
#define QUOIN_SPARQL_PLAN_PLAN_H

#include "sparql/operators/operator.h"

/* State of the executor, in ctx->exists_state: in ctx->arena, made by the first sparql_plan of a
 * context, together with the parameters that options->bindings give. */
typedef struct sparql_executor {
  sparql_params params; /* values from outside: options->bindings, or the outer row of an EXISTS */
  sparql_operator **exists;            /* [n_exprs] plan of each EXISTS, made on first use */
  sparql_active_graph *graph;          /* [n_nodes] active graph at each algebra node, for EXISTS */
  struct exists_state **exists_states; /* [n_exprs] see exists.c */
  const struct sparql_frame *frame;    /* parameters of the whole query */
  sparql_operator *root; /* of the first sparql_plan: closing it closes the EXISTS plans */
} sparql_executor;

/* Build the operators for `node` and all below in active graph `graph`. Sets ctx->exists. Errors:
 * UNSUPPORTED naming what is not executed; NOMEM; those of reading the store. */
quoin_status sparql_plan(sparql_operator **out, sparql_context *ctx, const sparql_algebra *node,
                         const sparql_active_graph *graph, quoin_error *err);

/* A scan of one triple pattern, also used by paths, DESCRIBE and the statements API. Repeated
 * variables filter. `then`: variables to be sorted by, if an order has them. */
quoin_status sparql_scan_new(sparql_operator **out, sparql_context *ctx,
                             const sparql_triple *triple, const sparql_active_graph *graph,
                             const sparql_var *then, size_t n_then, quoin_error *err);

#endif /* QUOIN_SPARQL_PLAN_PLAN_H */
