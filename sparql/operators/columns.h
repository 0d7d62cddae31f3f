/* sparql/operators/columns.h - what operators that make columns of their own share. */
#ifndef QUOIN_SPARQL_OPERATORS_COLUMNS_H
#define QUOIN_SPARQL_OPERATORS_COLUMNS_H

#include "sparql/operators/operator.h"

/* One output column pointer per variable of the query, and for those that an operator fills itself
 * a buffer of SPARQL_BATCH ids. All in ctx->arena. */
typedef struct sparql_columns {
  uint32_t n_vars;
  const atom_id **column; /* [n_vars] what a batch points to */
  atom_id **buffer;       /* [n_vars] made on first use */
} sparql_columns;

quoin_status sparql_columns_init(sparql_columns *cols, sparql_context *ctx, quoin_error *err);
/* The buffer of `var`, not yet in column[]. */
quoin_status sparql_columns_buffer(atom_id **out, sparql_columns *cols, sparql_context *ctx,
                                   sparql_var var, quoin_error *err);
/* column[v] = the rows `row` (n of them) of in->column[v], for each v that has one. `in` may be
 * made of these buffers when row[] is ascending. */
quoin_status sparql_columns_gather(sparql_columns *cols, sparql_context *ctx,
                                   const sparql_batch *in, const uint32_t *row, size_t n,
                                   quoin_error *err);

/* Fill the head of an operator over `child` (may be NULL): class, context, what it binds, order and
 * estimates as the child's. */
quoin_status sparql_operator_init(sparql_operator *head, const sparql_operator_class *class_,
                                  sparql_context *ctx, sparql_operator *child, quoin_error *err);

/* A batch to be given to a child: with a column array that the child may fill or replace. */
quoin_status sparql_batch_init(sparql_batch *batch, sparql_context *ctx, quoin_error *err);
/* The next rows of `child` into `in`, whose array has been made by sparql_batch_init. */
quoin_status sparql_pull(sparql_batch *in, const atom_id **array, sparql_operator *child,
                         quoin_error *err);

/* True when each of vars is constant or among the leading variables that `op` is sorted by, and
 * none of those leading ones is missing in vars: equal tuples are neighbours. */
bool sparql_sorted_by_set(const sparql_operator *op, const sparql_var *vars, size_t n);

/* Append ?name (or ?_ and its number, if hidden). */
void sparql_explain_var(base_buffer *out, const sparql_context *ctx, sparql_var var);

/* The value that the executor's parameters give `var`, or 0. */
atom_id sparql_outer_value(const sparql_context *ctx, sparql_var var);

/* What term an id stands for, without reading text of stored terms. */
rdf_kind sparql_id_kind(const sparql_context *ctx, atom_id id);

#endif /* QUOIN_SPARQL_OPERATORS_COLUMNS_H */
