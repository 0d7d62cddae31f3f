/* sparql/operators/order_runs.h - sorted runs of ORDER BY on disk, and merging them.
 *
 * A record is a row with its sort keys, so that merging reads no term: for each key its numbers,
 * its id and the length of its text; then the columns; then the texts. */
#ifndef QUOIN_SPARQL_OPERATORS_ORDER_RUNS_H
#define QUOIN_SPARQL_OPERATORS_ORDER_RUNS_H

#include "sparql/memory/spill_merge.h"
#include "sparql/operators/order_rows.h"

/* A record in memory. */
typedef struct order_record {
  sparql_sort_key *keys; /* their text is in `text` */
  atom_id *columns;
  char *text;
  size_t text_cap;
} order_record;

typedef struct order_runs {
  const order_rows *rows;
  spill_merge merge;
  order_record *records; /* [SPILL_MERGE_MOST], while merging */
} order_runs;

/* Write the first `limit` rows of `rows` in order as a run, and forget all of them. */
quoin_status order_runs_write(order_runs *runs, order_rows *rows, uint64_t limit, quoin_error *err);
static inline bool
order_runs_any(const order_runs *runs)
{
  return runs->merge.n_runs > 0;
}
/* After the last run. */
quoin_status order_runs_begin(order_runs *runs, quoin_error *err);
/* The columns of the next row; DONE. */
quoin_status order_runs_next(const atom_id **columns, order_runs *runs, quoin_error *err);
void order_runs_clear(order_runs *runs, sparql_context *ctx);

#endif /* QUOIN_SPARQL_OPERATORS_ORDER_RUNS_H */
