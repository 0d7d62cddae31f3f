/* sparql/operators/operators.h - leaves and joins: made by the planner alone.
 *
 * Nothing is opened before the first next, so that a plan which is only explained costs nothing and
 * a plan that cannot be finished leaves nothing to close. Operators give small batches first (64
 * rows, then twice as many), so that a LIMIT above stops early. */
#ifndef QUOIN_SPARQL_OPERATORS_OPERATORS_H
#define QUOIN_SPARQL_OPERATORS_OPERATORS_H

#include "sparql/expr/expr.h"
#include "sparql/operators/columns.h"
#include "sparql/plan/plan.h"

/* ---- parameters of a plan ---------------------------------------------------------------------
 */

/* A variable with one value in all rows of a plan until the next rewind: of an outer row of EXISTS,
 * of a binding from outside, of GRAPH ?g, or of the outer row of an index join. */
typedef struct sparql_param {
  sparql_var var;
  atom_id value;
  atom_id *column; /* SPARQL_BATCH times the value; NULL: not shown in batches */
} sparql_param;

/* The parameters that the leaves of a plan show as columns. */
typedef struct sparql_frame {
  size_t n;
  sparql_param **param;
} sparql_frame;

/* Without a value. `shown`: as a column. */
quoin_status sparql_param_make(sparql_param **out, sparql_context *ctx, sparql_var var, bool shown,
                               quoin_error *err);
void sparql_param_set(sparql_param *param, atom_id value);
sparql_param *sparql_frame_find(const sparql_frame *frame, sparql_var var); /* NULL: is none */
void sparql_frame_columns(const atom_id **column, const sparql_frame *frame);
/* Mark the variables of the frame as bound in each row of `op`. */
void sparql_frame_bind(sparql_operator *op, const sparql_frame *frame);

/* ---- making an operator -----------------------------------------------------------------------
 */

/* Zeroed, `size` bytes in ctx->arena, with its arrays; children may be NULL. */
quoin_status sparql_operator_make(void *out, size_t size, const sparql_operator_class *class_,
                                  sparql_context *ctx, sparql_operator *left,
                                  sparql_operator *right, quoin_error *err);
/* A zeroed array of column pointers, one a variable. */
quoin_status sparql_columns_make(const atom_id ***out, sparql_context *ctx, quoin_error *err);
/* Numbers of SPARQL_BATCH rows; contents undefined. */
quoin_status sparql_rows_make(uint32_t **out, sparql_context *ctx, quoin_error *err);
/* A column of SPARQL_BATCH ids; contents undefined: untouched memory costs nothing. */
quoin_status sparql_column_make(atom_id **out, sparql_context *ctx, quoin_error *err);

/* A term, for EXPLAIN. */
void sparql_explain_id(base_buffer *out, sparql_context *ctx, atom_id id);

enum { SPARQL_RAMP = 64 }; /* rows of the first batch */

static inline size_t
sparql_ramp_up(size_t ramp)
{
  return ramp < SPARQL_BATCH ? ramp * 2 : ramp;
}

static inline void
sparql_gather(atom_id *out, const atom_id *from, const uint32_t *index, size_t n)
{
  for (size_t i = 0; i < n; i++)
    out[i] = from[index[i]];
}

/* EXISTS, for ctx->exists (exists.c). */
quoin_status sparql_exists_row(bool *out, sparql_context *ctx, const sparql_expr *expr,
                               const sparql_batch *batch, size_t row, quoin_error *err);
/* `op` is being closed: the EXISTS plans too, if it is the root of the run. */
void sparql_exists_leave(const sparql_operator *op);

/* ---- scans ------------------------------------------------------------------------------------
 */

typedef enum scan_kind {
  SCAN_DROP,  /* any value, not shown */
  SCAN_CONST, /* id */
  SCAN_FIXED, /* id, shown as the variable: a filter ?v = constant */
  SCAN_PARAM, /* the parameter's value at open or rewind */
  SCAN_VAR
} scan_kind;

typedef struct scan_position {
  scan_kind kind;
  sparql_var var;
  atom_id id;
  sparql_param *param;
} scan_position;

/* A pattern over an active graph, made ready for the quad store. */
typedef struct scan_spec {
  scan_position at[4];
  quad_scope scope;
  const atom_id *graphs; /* sorted: only these; NULL: any */
  size_t n_graphs;
  atom_id skip_graph; /* the system graph; 0: none */
  bool distinct;      /* merged graphs: equal s,p,o count once */
  bool by_graph;      /* scan each of `graphs` and merge, instead of all graphs (pattern_scan.h) */
  bool empty;         /* matches nothing, whatever the data */
} scan_spec;

typedef struct scan_interval {
  atom_id lo, hi;
} scan_interval;

/* `frame` may be NULL. */
quoin_status scan_spec_make(scan_spec *out, sparql_context *ctx, const sparql_triple *triple,
                            const sparql_active_graph *graph, const sparql_frame *frame,
                            quoin_error *err);
/* The pattern with the values of its parameters as they are now; false when they exclude all. */
bool scan_spec_pattern(quad_pattern *out, const scan_spec *spec);
/* May spec->by_graph be set? */
bool scan_spec_splits(const scan_spec *spec, uint32_t orders);
/* The order kept that serves the bound positions and then sorts by `then`. */
quad_order scan_spec_order(const scan_spec *spec, uint32_t orders, const sparql_var *then,
                           size_t n_then);
/* The variable that rows in `order` are sorted by first; SPARQL_NO_VAR: none. */
sparql_var scan_spec_sorted(const scan_spec *spec, quad_order order);

/* `need`: the variables to show (n_vars flags; NULL: all). The intervals, ascending, restrict the
 * first unbound key of `order`. `steady`: full batches from the first on. */
quoin_status sparql_scan_make(sparql_operator **out, sparql_context *ctx, const scan_spec *spec,
                              quad_order order, const bool *need, const scan_interval *intervals,
                              size_t n_intervals, const sparql_frame *frame, bool steady,
                              quoin_error *err);
/* The scan that `op` is, or that it filters: seeking it skips rows of `op`. NULL: neither. */
sparql_operator *sparql_scan_under(sparql_operator *op);
/* Skip to the first row whose sorted[0] is >= value: ahead of what was delivered, never back. */
quoin_status sparql_scan_seek(sparql_operator *op, atom_id value, quoin_error *err);

/* The distinct values of one variable of a pattern, by skipping from value to value; with `count`
 * (or SPARQL_NO_VAR) also how many rows each has, as an xsd:integer. `order` has `var` as first
 * unbound key. */
quoin_status sparql_skip_scan_make(sparql_operator **out, sparql_context *ctx,
                                   const scan_spec *spec, quad_order order, sparql_var var,
                                   sparql_var count, const sparql_frame *frame, quoin_error *err);

/* ---- other leaves -----------------------------------------------------------------------------
 */

quoin_status sparql_unit_make(sparql_operator **out, sparql_context *ctx, const sparql_frame *frame,
                              quoin_error *err);
quoin_status sparql_empty_make(sparql_operator **out, sparql_context *ctx, const char *why,
                               quoin_error *err);
/* The rows of an ALGEBRA_VALUES that agree with the parameters. */
quoin_status sparql_values_make(sparql_operator **out, sparql_context *ctx,
                                const sparql_algebra *node, const sparql_frame *frame,
                                quoin_error *err);
/* One row of ids. */
quoin_status sparql_row_make(sparql_operator **out, sparql_context *ctx, const sparql_var *vars,
                             const atom_id *values, size_t n, const char *what, quoin_error *err);
/* Tuples given from outside before each rewind: the keys of a batch of a join's left side. */
quoin_status sparql_seed_make(sparql_operator **out, sparql_context *ctx, const sparql_var *vars,
                              size_t n, const sparql_frame *frame, quoin_error *err);
/* Columns in the order of vars; borrowed until the next call. */
bool sparql_is_seed(const sparql_operator *op);
void sparql_seed_set(sparql_operator *seed, const atom_id *const *column, size_t rows);

/* ---- inner nodes ------------------------------------------------------------------------------
 */

quoin_status sparql_union_make(sparql_operator **out, sparql_context *ctx, sparql_operator *left,
                               sparql_operator *right, quoin_error *err);
/* `child` once for each named graph, with parameter `graph` set to its name. */
quoin_status sparql_graph_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                               sparql_param *graph, const sparql_active_graph *active,
                               quoin_error *err);

/* Inner joins. `need`: the variables to show. */

/* For each row of `outer` the rows of `inner`, a scan whose parameters keys[] take the values of
 * the variables of the same name. */
quoin_status sparql_index_join_make(sparql_operator **out, sparql_context *ctx,
                                    sparql_operator *outer, sparql_operator *inner,
                                    sparql_param **keys, size_t n_keys, const bool *need,
                                    const sparql_frame *frame, quoin_error *err);
/* Both sorted by `var`, bound in each row of both; other shared variables are bound in both too. */
quoin_status sparql_merge_join_make(sparql_operator **out, sparql_context *ctx,
                                    sparql_operator *left, sparql_operator *right, sparql_var var,
                                    const bool *need, const sparql_frame *frame, quoin_error *err);

typedef enum join_mode {
  JOIN_INNER,
  JOIN_LEFT,
  JOIN_MINUS,
  JOIN_SEMI, /* left rows that have a match: what both sides may bind, both bind in every row */
  JOIN_ANTI  /* those that have none; likewise */
} join_mode;
typedef struct hash_join_options {
  join_mode mode;
  sparql_expr *const *conditions; /* of JOIN_LEFT */
  size_t n_conditions;
  sparql_operator *seed; /* leaf of `right` that takes the keys of each left batch; NULL: `right` is
                            read once */
  bool stable;           /* `right` gives the same rows after each rewind: keep them */
  bool overlap;          /* JOIN_MINUS: both sides bind a parameter, which is no key */
  sparql_var graph;      /* JOIN_MINUS inside GRAPH ?g: must agree, but is no shared variable */
} hash_join_options;
/* The rows of `right` are kept, by the variables bound on both sides; variables that are unbound in
 * some rows are compared as section 18.3 has it. Left order is kept. */
quoin_status sparql_hash_join_make(sparql_operator **out, sparql_context *ctx,
                                   sparql_operator *left, sparql_operator *right,
                                   const hash_join_options *options, const bool *need,
                                   const sparql_frame *frame, quoin_error *err);
/* The variables by which sparql_hash_join_make would look up, and which a seed may take: bound in
 * every row of both. Returns how many. */
size_t sparql_join_keys(sparql_var *out, const sparql_context *ctx, const bool *left_bound,
                        const bool *right_bound, const sparql_frame *frame);

#endif /* QUOIN_SPARQL_OPERATORS_OPERATORS_H */
