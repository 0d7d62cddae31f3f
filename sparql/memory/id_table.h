/* sparql/memory/id_table.h - a set of tuples of ids, numbered in the order they came: for DISTINCT,
 * GROUP BY, hash joins, visited nodes.
 *
 * Open addressing, linear probing. A slot is 8 bytes: 32 bits of the tuple's hash and its row
 * number; the slot's place is the top bits of those 32, so that growing copies slots in one pass
 * and never reads a tuple. The tuples themselves are kept by column. A batch is hashed first and
 * its slots are prefetched, so that the cache misses of many lookups overlap. One thread. */
#ifndef QUOIN_SPARQL_MEMORY_ID_TABLE_H
#define QUOIN_SPARQL_MEMORY_ID_TABLE_H

#include "sparql/context.h"

#define SPARQL_ID_TABLE_ABSENT UINT32_MAX

typedef struct sparql_id_slot {
  uint32_t hash;
  uint32_t row; /* + 1; 0: free */
} sparql_id_slot;

/* Read rows and column; the rest is the table's own. */
typedef struct sparql_id_table {
  sparql_context *ctx;
  unsigned width;   /* ids in a tuple; 0 is fine: one tuple, the empty one */
  size_t rows;      /* distinct tuples */
  atom_id **column; /* [width][rows] */
  size_t row_cap;
  sparql_id_slot *slots;
  unsigned slot_bits; /* log2 of their number; slots == NULL: none yet */
  uint64_t charged;   /* bytes given to sparql_charge */
  const base_alloc *mem;
  bool on_disk; /* past the budget: `mem` sees to that, and charges */
} sparql_id_table;

/* Holds no memory yet but the array of columns, from ctx->arena. */
quoin_status sparql_id_table_init(sparql_id_table *table, sparql_context *ctx, unsigned width,
                                  quoin_error *err);
/* Before anything is added: past the memory budget the table goes on in a mapped file
 * (disk_memory.h). For sets that are looked up at random and cannot be divided. */
void sparql_id_table_on_disk(sparql_id_table *table);
/* The row number of each of n tuples into row[]: the tuple i is keys[0][i], keys[1][i]...; keys[k]
 * may be NULL: 0 in all. New ones are added, in order: tuple i was new when row[i] is the number of
 * rows at that moment (see sparql_id_table_new_rows). Errors: NOMEM; LIMIT (budget, 2^32-2 rows),
 * with some tuples added. */
quoin_status sparql_id_table_add(uint32_t *row, sparql_id_table *table, const atom_id *const *keys,
                                 size_t n, quoin_error *err);
/* As above without adding: SPARQL_ID_TABLE_ABSENT where there is none. Cannot fail. */
void sparql_id_table_find(uint32_t *row, const sparql_id_table *table, const atom_id *const *keys,
                          size_t n);
/* Bytes that adding n tuples, all new, may charge at the most (while it grows). */
uint64_t sparql_id_table_need(const sparql_id_table *table, size_t n);
/* The indexes i (ascending) of the tuples that the last sparql_id_table_add added, given its row[]
 * and the number of rows before it. Returns how many. selected may be row. */
size_t sparql_id_table_new_rows(uint32_t *selected, const uint32_t *row, size_t n, size_t before);
/* Forget the tuples, keep the memory. */
void sparql_id_table_reset(sparql_id_table *table);
/* Give the memory back; usable again. A zeroed table is fine. */
void sparql_id_table_clear(sparql_id_table *table);

#endif /* QUOIN_SPARQL_MEMORY_ID_TABLE_H */
