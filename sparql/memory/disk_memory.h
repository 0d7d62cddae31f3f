/* sparql/memory/disk_memory.h - an allocator whose large blocks go to a mapped file when the
 * query's memory budget is used up.
 *
 * For what is looked up at random and so cannot be read back as a stream: the dictionary of the
 * query, what paths have visited. Blocks keep their addresses; the kernel writes pages out and
 * reads them back as memory allows. The file has no name and lies where spill.h puts its own.
 * docs/adrs/0019-mapped-memory.md. */
#ifndef QUOIN_SPARQL_MEMORY_DISK_MEMORY_H
#define QUOIN_SPARQL_MEMORY_DISK_MEMORY_H

#include "sparql/context.h"

typedef struct disk_memory disk_memory;

/* In ctx->arena. Freed after all that was allocated from it. */
quoin_status disk_memory_new(disk_memory **out, sparql_context *ctx, quoin_error *err);
void disk_memory_free(disk_memory *memory); /* NULL is fine */
/* Blocks in memory are charged by the allocator itself, whoever they are for. */
const base_alloc *disk_memory_alloc(disk_memory *memory);
/* Why an allocation failed, when it was the file: else `st`. */
quoin_status disk_memory_failure(const disk_memory *memory, quoin_status st, quoin_error *err);
uint64_t disk_memory_file_bytes(const disk_memory *memory);

#endif /* QUOIN_SPARQL_MEMORY_DISK_MEMORY_H */
