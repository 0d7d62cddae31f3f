/* api/match.h - patterns and the statements that match them; used by match.c, txn.c and dump.c. */
#ifndef QUOIN_API_MATCH_H
#define QUOIN_API_MATCH_H

#include "api/term.h"

/* Turns ids of a scan into terms, keeping those of the row before: runs of equal subjects,
 * predicates and graphs are read once. */
typedef struct api_rows {
  const quad_snapshot *snapshot;
  const atom_store *atoms;
  const atom_local *local; /* of a transaction; may be NULL */
  bool floats;             /* vectors come as RDF_VECTOR, not as text */
  quad_scan *scan;         /* NULL: nothing can match */
  quad_batch batch;
  size_t row;
  quad last;
  rdfio_quad terms;
  base_arena arena; /* reset with each batch */
} api_rows;

/* Ids of a checked pattern. *none: a term is not in the store, so that nothing matches. */
quoin_status api_pattern(quad_pattern *out, bool *none, const quad_snapshot *snapshot,
                         const quoin_statement *pattern, quoin_scope scope, atom_local *local,
                         quoin_error *err);
/* `then`: preferred keys after the bound ones, as quad_order_for. */
quoin_status api_rows_open(api_rows *rows, const quad_snapshot *snapshot,
                           const quad_pattern *pattern, const uint8_t *then, size_t n_then,
                           const base_alloc *mem, quoin_error *err);
/* The next statement, in rows->terms and rows->last, or DONE. */
quoin_status api_rows_next(api_rows *rows, quoin_error *err);
void api_rows_close(api_rows *rows); /* a zeroed one is fine */

/* A quoin_matches over `snapshot`, which it retains. `txn`: the transaction's handle or NULL. */
quoin_status api_matches_new(quoin_matches **out, quoin_store *store, quad_snapshot *snapshot,
                             atom_local *local, const quoin_statement *pattern, quoin_scope scope,
                             quoin_error *err);

#endif /* QUOIN_API_MATCH_H */
