/* sparql/expr/expr.h - expressions, the order of terms, and aggregates over ids (SPARQL 1.1 section
 * 17, 18.5).
 *
 * An expression error is a value (id 0 in a column, false in a filter); a query failure (cancel,
 * memory, I/O, corrupt data, regex match limit) is a status and ends the query. */
#ifndef QUOIN_SPARQL_EXPR_EXPR_H
#define QUOIN_SPARQL_EXPR_EXPR_H

#include "sparql/context.h"

/* Rows of `batch` for which `expr` has the effective boolean value true: their numbers, ascending,
 * into selected[] (room for batch->rows). Comparisons of a column with a constant or another column
 * work on ids where those decide. */
quoin_status sparql_expr_filter(uint32_t *selected, size_t *n_selected, sparql_context *ctx,
                                const sparql_expr *expr, const sparql_batch *batch,
                                quoin_error *err);
/* One id per row into out[]; 0 where the expression has an error. */
quoin_status sparql_expr_column(atom_id *out, sparql_context *ctx, const sparql_expr *expr,
                                const sparql_batch *batch, quoin_error *err);
/* QUOIN_ERR_UNSUPPORTED naming the first function in `expr` that is not executed; else OK. At
 * planning time. */
quoin_status sparql_expr_supported(const sparql_expr *expr, quoin_error *err);
/* Set bits[v] for each variable mentioned (EXISTS patterns included). */
void sparql_expr_vars(const sparql_expr *expr, bool *bits);
void sparql_algebra_vars(const sparql_algebra *algebra, bool *bits); /* may be NULL */

/* ---- order (15.1, DESIGN.md section 4)
 * ---------------------------------------------------------------- */

/* A sort key: compare keys as (major, number, then text), total order of all terms. Numeric,
 * temporal and boolean values need no text. Made once per row, so that a sort never reads a term
 * twice. */
typedef struct sparql_sort_key {
  uint32_t major; /* class: unbound, blank, IRI, numbers, ... */
  uint32_t minor;
  double number;   /* or 0 */
  quoin_span text; /* in the arena given, or static */
  atom_id id;
} sparql_sort_key;
quoin_status sparql_sort_key_make(sparql_sort_key *out, sparql_context *ctx, atom_id id,
                                  base_arena *arena, quoin_error *err);
int sparql_sort_key_compare(const sparql_sort_key *a, const sparql_sort_key *b);

/* A filter `?v op constant` over numbers or times that a scan can turn into id intervals. */
typedef struct sparql_range {
  sparql_var var;
  bool temporal; /* lo and hi are milliseconds, else numbers */
  double lo, hi; /* closed and possibly wide: the filter is still checked by value */
  int64_t lo_ms, hi_ms;
} sparql_range;
/* True when `expr` implies such a range for a variable. */
bool sparql_expr_range(sparql_range *out, const sparql_expr *expr);

/* ---- aggregates (18.5.1)
 * --------------------------------------------------------------------------------- */

/* State of one aggregate in one group: allocated by the operator (sparql_aggregate_size bytes,
 * zeroed). DISTINCT is done by the operator: it passes each distinct id once. */
typedef struct sparql_aggregate_state sparql_aggregate_state;
size_t sparql_aggregate_size(const sparql_expr *aggregate);
/* Take the value `id` (0: an error or unbound), `times` times. COUNT(*) is the operator's own. */
quoin_status sparql_aggregate_add(sparql_aggregate_state *state, sparql_context *ctx,
                                  const sparql_expr *aggregate, atom_id id, uint64_t times,
                                  quoin_error *err);
/* The result; 0: error (AVG, MIN of what cannot be compared...). Frees what the state holds. */
quoin_status sparql_aggregate_result(atom_id *out, sparql_aggregate_state *state,
                                     sparql_context *ctx, const sparql_expr *aggregate,
                                     quoin_error *err);
void sparql_aggregate_clear(sparql_aggregate_state *state, sparql_context *ctx);

#endif /* QUOIN_SPARQL_EXPR_EXPR_H */
