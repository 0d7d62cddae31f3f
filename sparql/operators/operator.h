/* sparql/operators/operator.h - the physical operators: pull, a batch of rows by column at a time.
 *
 * One operator, one file (operator_<name>.c). An operator gives batches of 1..SPARQL_BATCH rows.
 * Its output batch has one column pointer per variable of the query; columns it does not touch are
 * passed on by pointer, never copied. What a batch points to is valid until the next call of next,
 * rewind or close on that operator. */
#ifndef QUOIN_SPARQL_OPERATORS_OPERATOR_H
#define QUOIN_SPARQL_OPERATORS_OPERATOR_H

#include "sparql/context.h"

typedef struct sparql_operator sparql_operator;

typedef struct sparql_operator_class {
  const char *name; /* as EXPLAIN prints it */
  /* The next rows, or QUOIN_DONE (again and again). Checks ctx->cancel. */
  quoin_status (*next)(sparql_batch *out, sparql_operator *op, quoin_error *err);
  /* Start again from the first row, with the parameters (below) as they are now. */
  quoin_status (*rewind)(sparql_operator *op, quoin_error *err);
  void (*close)(sparql_operator *op); /* frees what it holds, not the children, not itself */
  /* One line of detail for EXPLAIN, e.g. the pattern and the order of a scan; may be NULL. */
  void (*explain)(base_buffer *out, const sparql_operator *op);
} sparql_operator_class;

/* The head of each operator's struct. Structs and everything that lives as long as the plan are in
 * ctx->arena. */
struct sparql_operator {
  const sparql_operator_class *class_;
  sparql_context *ctx;
  sparql_operator *child[2];
  bool *bound;          /* [n_vars] bound in every row it gives */
  bool *maybe;          /* [n_vars] bound in some rows, perhaps (includes bound) */
  sparql_var sorted[4]; /* rows come sorted by the ids of these variables, in order */
  unsigned n_sorted;
  double rows; /* estimate */
  double cost; /* estimate of all work up to here, in rows touched */
  /* Measured when options->profile. */
  uint64_t calls, rows_out, ns, bytes;
};

/* Call through these: they count when profiling. */
quoin_status sparql_operator_next(sparql_batch *out, sparql_operator *op, quoin_error *err);
quoin_status sparql_operator_rewind(sparql_operator *op, quoin_error *err);
void sparql_operator_close(sparql_operator *op); /* children first; NULL is fine */
void sparql_operator_explain(base_buffer *out, const sparql_operator *op, unsigned indent);

/* ---- parameters: how an outer row gets into an inner plan (EXISTS, SEP-0007; bindings from
 * outside) ------ */

/* params[v] != 0: variable v has this value in every row; scans and paths take it as a constant,
 * read at open and rewind. In ctx->exists_state of the executor; see plan.h. */
typedef struct sparql_params {
  atom_id *value; /* [n_vars] */
} sparql_params;

/* ---- built by operators' own files: constructors used by the planner
 * -------------------------------------- */

/* Leaves, joins (scan, merge join, hash join, index join, left join, minus, union, values, unit,
 * graph iteration): plan.h. */
/* Unary ones. All return NOMEM or OK; the child is owned by the new operator. */
quoin_status sparql_filter_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                               sparql_expr *const *exprs, size_t n, quoin_error *err);
quoin_status sparql_extend_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                               sparql_var var, const sparql_expr *expr, quoin_error *err);
/* Keeps the columns of vars, drops the others. */
quoin_status sparql_project_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                                const sparql_var *vars, size_t n, quoin_error *err);
/* By the ids of vars; streams; by runs of equal keys where the child is sorted by them. */
quoin_status sparql_distinct_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                                 const sparql_var *vars, size_t n, quoin_error *err);
/* A heap of offset+limit rows when limit is not UINT64_MAX, else a full sort. */
quoin_status sparql_order_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                              const sparql_order_key *keys, size_t n, uint64_t limit,
                              quoin_error *err);
quoin_status sparql_slice_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                              uint64_t offset, uint64_t limit, quoin_error *err);
/* `node`: ALGEBRA_GROUP. Uses order when the child is sorted by the keys. */
quoin_status sparql_group_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                              const sparql_algebra *node, quoin_error *err);
/* A property path in graph scope `graph` (an id; 0: the default graph; var: bound by GRAPH ?g, else
 * SPARQL_NO_VAR). Ends that the child binds are taken from its rows (child may be NULL: none),
 * constants and parameters are starting points. */
typedef struct sparql_active_graph {
  quad_scope scope;  /* QUAD_DEFAULT or QUAD_NAMED; QUAD_ANY: union of all (union_default_graph) */
  sparql_node graph; /* QUAD_NAMED: the term, or the variable of GRAPH ?g */
  const atom_id
      *merged;     /* FROM / FROM NAMED: only these graphs (sorted); NULL: no restriction. With */
  size_t n_merged; /* scope QUAD_DEFAULT: the default graph is the merge of these named graphs */
} sparql_active_graph;
quoin_status sparql_path_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                             const sparql_algebra *node, const sparql_active_graph *graph,
                             quoin_error *err);

#endif /* QUOIN_SPARQL_OPERATORS_OPERATOR_H */
