/* vector/pages_file.h - the file of a graph: what pages.c reads and checkpoint.c writes.
 *
 * The file begins with a vec_file_head, filled up with zeros to VEC_UNIT; pages, checksums and
 * tables follow in the order in which checkpoints wrote them, each at a multiple of VEC_UNIT. A
 * table is a vec_table, then per region its extents and the hashes of its blocks of checksums.
 * docs/format.md. */
#ifndef QUOIN_VECTOR_PAGES_FILE_H
#define QUOIN_VECTOR_PAGES_FILE_H

#include "vector/pages.h"

#include <assert.h>

#define VEC_FILE_MAGIC "QuoinGrf"
#define VEC_TABLE_MAGIC "QuoinTbl"
enum { VEC_FORMAT = 3 };

typedef struct vec_file_head {
  char magic[8];
  uint32_t format, reserved;
  uint64_t id, generation;
  uint64_t checksum; /* XXH3 of the 32 bytes above */
} vec_file_head;
static_assert(sizeof(vec_file_head) == 40, "part of the file format");

typedef struct vec_table_region {
  uint64_t page_bytes, pages, extents;
  uint64_t sums_at; /* where its checksums lie: 8 bytes a page, filled up to VEC_UNIT */
} vec_table_region;

typedef struct vec_table {
  char magic[8];
  uint32_t format, reserved;
  uint64_t id, generation;
  vec_table_region regions[VEC_REGIONS];
  char meta[VEC_META];
} vec_table;
static_assert(sizeof(vec_table) == 32 + 32 * VEC_REGIONS + VEC_META, "part of the file format");

/* Bytes of the file that the extents name, with their checksums and a table of `table` bytes. */
uint64_t vec_named_bytes(const vec_pages *pages, uint64_t table);
void vec_file_name(char out[64], uint64_t id, uint64_t generation);
/* Compare a block of checksums with its hash. */
quoin_status vec_sums_verify(const vec_pages *pages, const vec_region *region, size_t block,
                             quoin_error *err);

#endif /* QUOIN_VECTOR_PAGES_FILE_H */
