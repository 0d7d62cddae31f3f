/* sparql/operators/join_table.h - the rows of one side of a join, kept by key.
 *
 * Rows are held by column and, once all are in, moved so that the rows of one key lie together: a
 * match is a range, read in order. Keys are numbered by a sparql_id_table. */
#ifndef QUOIN_SPARQL_OPERATORS_JOIN_TABLE_H
#define QUOIN_SPARQL_OPERATORS_JOIN_TABLE_H

#include "sparql/memory/id_table.h"

typedef struct join_table {
  sparql_context *ctx;
  sparql_id_table keys;
  const sparql_var *key_vars;
  size_t n_keys;
  const sparql_var *vars; /* kept */
  size_t n_vars;
  size_t rows, cap;
  atom_id **column;       /* [n_vars][cap] */
  const atom_id **by_var; /* [n_vars of the query] the same; NULL: not kept */
  uint32_t *group;        /* [cap] key number of each row, while filling */
  uint32_t *start;        /* [keys.rows + 1] after join_table_finish */
  size_t start_cap;
  const atom_id **key_column; /* [n_keys] */
} join_table;

/* The arrays of variables are borrowed. Holds no heap memory yet. */
quoin_status join_table_init(join_table *table, sparql_context *ctx, const sparql_var *key_vars,
                             size_t n_keys, const sparql_var *vars, size_t n_vars,
                             quoin_error *err);
/* May it take `rows` more, and then be finished, within the budget? */
bool join_table_has_room(const join_table *table, size_t rows);
quoin_status join_table_add(join_table *table, const sparql_batch *batch, quoin_error *err);
/* After the last row: put the rows of a key together. */
quoin_status join_table_finish(join_table *table, quoin_error *err);
/* The key number of each row of `batch`, or SPARQL_ID_TABLE_ABSENT. */
void join_table_find(uint32_t *group, join_table *table, const sparql_batch *batch);
uint64_t join_table_bytes(const join_table *table);
void join_table_reset(join_table *table);
void join_table_clear(join_table *table);

#endif /* QUOIN_SPARQL_OPERATORS_JOIN_TABLE_H */
