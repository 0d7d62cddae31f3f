/* sparql/operators/order_rows.h - the rows that an ORDER BY keeps, and sorting them. */
#ifndef QUOIN_SPARQL_OPERATORS_ORDER_ROWS_H
#define QUOIN_SPARQL_OPERATORS_ORDER_ROWS_H

#include "sparql/expr/expr.h"

enum { ORDER_CHUNK_BITS = 10, ORDER_CHUNK = 1 << ORDER_CHUNK_BITS };

/* 64 bits that keep the order of the first key, and the row: most comparisons touch nothing else.
 */
typedef struct order_entry {
  uint64_t code;
  uint32_t row;
} order_entry;

/* Rows by column in chunks of ORDER_CHUNK, one allocation each: first the sort keys of its rows,
 * row by row, then the columns. */
typedef struct order_rows {
  sparql_context *ctx;
  const sparql_order_key *keys;
  size_t n_keys;
  size_t n_columns;
  char **chunk;
  size_t n_chunks, chunk_cap;
  size_t rows;
  base_arena text; /* of the sort keys */
  size_t text_charged;
} order_rows;

void order_rows_init(order_rows *rows, sparql_context *ctx, const sparql_order_key *keys,
                     size_t n_keys, size_t n_columns);
void order_rows_clear(order_rows *rows); /* usable again */

static inline sparql_sort_key *
order_rows_keys(const order_rows *rows, size_t row)
{
  sparql_sort_key *keys = (sparql_sort_key *)(void *)rows->chunk[row >> ORDER_CHUNK_BITS];
  return keys + (row & (ORDER_CHUNK - 1)) * rows->n_keys;
}

/* The ids of column `i` in the chunk of `row`, from the first row of that chunk. */
static inline atom_id *
order_rows_column(const order_rows *rows, size_t row, size_t i)
{
  char *chunk = rows->chunk[row >> ORDER_CHUNK_BITS];
  return (atom_id *)(void *)(chunk + ORDER_CHUNK * rows->n_keys * sizeof(sparql_sort_key)) +
         i * ORDER_CHUNK;
}

/* One more row, contents undefined: fill its keys and columns. Its number is rows->rows - 1. */
quoin_status order_rows_add(order_rows *rows, quoin_error *err);
/* Bytes of the rows and the text of their keys. */
uint64_t order_rows_bytes(const order_rows *rows);
/* Bytes that more rows need: those of `chunks` chunks, and what sorting all of them takes. */
uint64_t order_rows_need(const order_rows *rows, size_t chunks);
/* Charge what the text of the keys has come to. */
quoin_status order_rows_charge_text(order_rows *rows, quoin_error *err);
/* <0, 0, >0 by the keys of ORDER BY. */
int order_rows_compare(const order_rows *rows, const sparql_sort_key *a, const sparql_sort_key *b);
/* All rows in order into *out (of *n entries, allocated from ctx->mem and charged; the caller gives
 * both back with order_entries_free). Stable. */
quoin_status order_rows_sort(order_entry **out, size_t *n, order_rows *rows, quoin_error *err);
void order_entries_free(order_entry *entries, size_t n, sparql_context *ctx); /* NULL is fine */
/* Keep the rows of entries[0..n), numbered in that order; forget the others. */
quoin_status order_rows_keep(order_rows *rows, const order_entry *entries, size_t n,
                             quoin_error *err);

#endif /* QUOIN_SPARQL_OPERATORS_ORDER_ROWS_H */
