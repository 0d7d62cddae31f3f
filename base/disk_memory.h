/* base/disk_memory.h - an allocator whose large blocks go to a mapped file when memory is used up.
 *
 * For what is looked up at random and so cannot be read back as a stream. Blocks keep their
 * addresses; the kernel writes pages out and reads them back as memory allows. Whoever owns the
 * allocator says when memory is used up and where the file is. docs/adrs/0019-mapped-memory.md. */
#ifndef QUOIN_BASE_DISK_MEMORY_H
#define QUOIN_BASE_DISK_MEMORY_H

#include "base/map.h"

enum { BASE_DISK_MEMORY_CLASSES = 40 };

/* What it needs to know. `user` is handed to all. */
typedef struct base_disk_memory_rules {
  const base_alloc *mem; /* of blocks in memory; outlives it */
  /* May a block of `bytes` be in memory, where `held` bytes are already? */
  bool (*has_room)(void *user, uint64_t held, size_t bytes);
  void (*charge)(void *user, int64_t bytes); /* blocks in memory come and go; may be NULL */
  quoin_status (*make_file)(base_file *out, void *user, quoin_error *err); /* an empty one */
  void *user;
} base_disk_memory_rules;

/* In the caller's memory, and not to be moved. */
typedef struct base_disk_memory {
  base_alloc alloc; /* what to allocate with */
  base_disk_memory_rules rules;
  uint64_t in_memory; /* bytes */
  bool open;
  base_file file;
  base_map map;
  size_t used;                             /* of the file: blocks that were ever handed out */
  char *waiting[BASE_DISK_MEMORY_CLASSES]; /* by log2 of the size */
  quoin_error failure;
} base_disk_memory;

void base_disk_memory_init(base_disk_memory *memory, const base_disk_memory_rules *rules);
/* Close the file, after all that was allocated from it was freed. A zeroed one is fine. */
void base_disk_memory_clear(base_disk_memory *memory);
/* Why an allocation failed, when it was the file: else `st`. */
quoin_status base_disk_memory_failure(const base_disk_memory *memory, quoin_status st,
                                      quoin_error *err);

#endif /* QUOIN_BASE_DISK_MEMORY_H */
