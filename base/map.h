/* base/map.h - a file mapped at an address that does not move while it grows.
 *
 * base_map_open reserves a large address range (PROT_NONE) and maps the file at its start. Growth
 * extends the file first (base_file_extend), then maps the new part in place: what is mapped never
 * exceeds the file. When the reservation is used up, growth makes a new, larger reservation and
 * maps the file there again; the old addresses stay mapped until base_map_close (readers hold
 * pointers into them), so `base` may change on growth and never without it. */
#ifndef QUOIN_BASE_MAP_H
#define QUOIN_BASE_MAP_H

#include "base/file.h"

#include <stdatomic.h>

typedef struct base_map_retired base_map_retired;
typedef struct base_map {
  /* On growth base is stored before size (both release). Readers load size first, then base (both
   * acquire): then the size is not more than what is mapped at the base. */
  _Atomic(char *) base;
  _Atomic(size_t) size; /* bytes mapped, and no more than the file has */
  size_t reserved;      /* length of the reservation at base */
  bool writable;
  bool memory; /* no file: base_map_memory */
  base_map_retired *retired;
  const base_alloc *mem;
} base_map;

/* Map all of `file` (may be empty), reserving `reserve` bytes of addresses (rounded up). The file
 * must stay open for base_map_grow; it is not owned. */
quoin_status base_map_open(base_map *out, const base_file *file, size_t reserve, bool writable,
                           const base_alloc *mem, quoin_error *err);
/* Zeroed memory instead of a file, in large pages where the system has them. It does not grow, and
 * is neither synced nor dropped. NOMEM. */
quoin_status base_map_memory(base_map *out, size_t size, const base_alloc *mem, quoin_error *err);
/* Extend the file to at least `size` bytes (in steps that double, then by a thirty-second, up to
 * 64 MiB more) and map that. On failure nothing changed but possibly the length of the file. One
 * thread.
 */
quoin_status base_map_grow(base_map *map, const base_file *file, size_t size, quoin_error *err);
/* msync of a range and, for the data of a file, fdatasync. */
quoin_status base_map_sync(const base_map *map, const base_file *file, size_t offset, size_t len,
                           quoin_error *err);
void base_map_close(base_map *map); /* a zeroed one is fine */
/* Bytes of this process that are in memory, mapped files included; 0 where that is not known. */
uint64_t base_map_resident(void);
/* Fault in all of a writable mapping at once, for one that is about to be written all over. */
void base_map_populate(base_map *map);
/* Give the pages back: what is read or written afterwards is mapped again from the page cache. Of a
 * load that would otherwise hold all it ever wrote. Any thread. */
void base_map_drop(const base_map *map);

/* Memory in pages of its own, zero at first, not from an allocator: so that it can be given back
 * while others read it. NULL: there is none. */
void *base_pages_new(size_t bytes);
/* Give the memory back, but not the addresses: whoever reads there finds zeroes from now on. */
void base_pages_drop(void *pages, size_t bytes);
void base_pages_free(void *pages, size_t bytes); /* NULL is fine */

static inline char *
base_map_at(const base_map *map, size_t offset)
{
  return atomic_load_explicit(&((base_map *)(uintptr_t)map)->base, memory_order_acquire) + offset;
}

#endif /* QUOIN_BASE_MAP_H */
