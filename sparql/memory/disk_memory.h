/* sparql/memory/disk_memory.h - base/disk_memory.h within the query's memory budget: its
 * dictionary, what paths have visited. The file has no name and lies where spill.h puts its own. */
#ifndef QUOIN_SPARQL_MEMORY_DISK_MEMORY_H
#define QUOIN_SPARQL_MEMORY_DISK_MEMORY_H

#include "sparql/context.h"

typedef struct base_disk_memory disk_memory;

/* In ctx->arena. Freed after all that was allocated from it. */
quoin_status disk_memory_new(disk_memory **out, sparql_context *ctx, quoin_error *err);
void disk_memory_free(disk_memory *memory); /* NULL is fine */
/* Blocks in memory are charged by the allocator itself, whoever they are for. */
const base_alloc *disk_memory_alloc(disk_memory *memory);
/* Why an allocation failed, when it was the file: else `st`. */
quoin_status disk_memory_failure(const disk_memory *memory, quoin_status st, quoin_error *err);
uint64_t disk_memory_file_bytes(const disk_memory *memory);

#endif /* QUOIN_SPARQL_MEMORY_DISK_MEMORY_H */
