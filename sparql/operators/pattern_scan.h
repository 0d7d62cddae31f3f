/* sparql/operators/pattern_scan.h - the quads of a pattern in key order: as the store has them, or
 * those of some named graphs merged.
 *
 * Merged: one scan for each graph in an order whose first key is the graph, merged by the keys that
 * follow, so that the rest of the named partition is not read. Equal triples come once, unless the
 * graph is asked for as a column too. */
#ifndef QUOIN_SPARQL_OPERATORS_PATTERN_SCAN_H
#define QUOIN_SPARQL_OPERATORS_PATTERN_SCAN_H

#include "sparql/context.h"

enum { PATTERN_SCAN_GRAPHS = 64 }; /* merged at most: each has buffers of its own */

typedef struct pattern_merge pattern_merge;

/* Zeroed: closed. */
typedef struct pattern_scan {
  quad_scan *scan;
  pattern_merge *merge;
} pattern_scan;

/* `graphs`: NULL, or those to be merged (1..PATTERN_SCAN_GRAPHS, borrowed); then the pattern binds
 * no graph and `order` has it as first key. The rest as quad_scan_open. */
quoin_status pattern_scan_open(pattern_scan *out, sparql_context *ctx, const quad_pattern *pattern,
                               quad_order order, unsigned columns, const atom_id *graphs,
                               size_t n_graphs, quoin_error *err);
quoin_status pattern_scan_next(quad_batch *out, pattern_scan *scan, quoin_error *err);
/* key[] in the order's keys; of a merge key[0] is not looked at. */
quoin_status pattern_scan_seek(pattern_scan *scan, const atom_id key[4], quoin_error *err);
quoin_status pattern_scan_rebind(pattern_scan *scan, const quad_pattern *pattern, quoin_error *err);
quoin_status pattern_scan_range(pattern_scan *scan, atom_id lo, atom_id hi, quoin_error *err);
void pattern_scan_close(pattern_scan *scan);

#endif /* QUOIN_SPARQL_OPERATORS_PATTERN_SCAN_H */
