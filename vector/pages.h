/* vector/pages.h - memory in pages that a checkpoint appends to a file, never in place.
 *
 * A few *regions*, each one range of addresses: pages of the last checkpoint are mapped privately
 * from the file (the kernel copies one when it is first written), new ones are plain memory. A
 * range that becomes too small is copied to a larger one, which happens a few times in the life of
 * a graph; the one before stays until nobody can be reading it. So a search pays nothing for
 * copy-on-write: no table stands between a slot and its address
 * (docs/adrs/0020-vector-graph-pages.md). A byte of state a page says whether its checksum has been
 * verified and whether it changed; a checkpoint appends the changed pages and a table (the root).
 * Readers of an earlier root, this process or another, are not disturbed.
 *
 * One writer grows, marks and checkpoints; any thread reads what the writer has published to it. */
#ifndef QUOIN_VECTOR_PAGES_H
#define QUOIN_VECTOR_PAGES_H

#include "vector/hnsw.h"

enum { VEC_REGIONS = 4, VEC_META = 256, VEC_UNIT = 4096 }; /* UNIT: of file offsets */

enum { VEC_PAGE_VERIFIED = 1, VEC_PAGE_CHANGED = 2 };

/* Reserved addresses of which the first `mapped` bytes are usable. None are reserved before they
 * are needed. `base` is released after what was copied there: who sees a link to what was added
 * since sees it. */
typedef struct vec_range {
  _Atomic(char *) base;
  size_t reserved, most;  /* it grows up to */
  _Atomic(size_t) mapped; /* read beside a writer that grows the range */
} vec_range;

/* A range that was replaced. */
typedef struct vec_moved {
  struct vec_moved *next;
  char *base;
  size_t bytes;
} vec_moved;

/* So many pages, one behind the other in the file. */
typedef struct vec_extent {
  uint64_t offset, pages;
} vec_extent;

typedef struct vec_region {
  vec_range data;
  vec_range state; /* a byte a page: VEC_PAGE_ flags; written with atomics */
  vec_range sums;  /* XXH3 of each page of the file */
  size_t page_bytes;
  size_t used;         /* bytes that count; set by the owner before a checkpoint */
  size_t pages;        /* of the last root */
  size_t opened;       /* of the root it was opened with: only these need verifying */
  vec_extent *extents; /* of the last root, in the order of the pages */
  size_t n_extents, cap_extents;
  uint64_t *blocks; /* hashes of the sums by VEC_UNIT bytes, as the table it was opened with says */
  uint8_t *block_ok;
  size_t n_blocks;
} vec_region;

typedef struct vec_pages {
  uint64_t id;
  hnsw_root root;
  uint64_t file_bytes, live_bytes; /* of the file of the root; of them: what the root names */
  uint64_t tried;                  /* the last generation of which a file was begun */
  uint64_t
      private_most; /* bytes that may be private and saved: an eighth of memory, 256 MiB at least */
  uint64_t private_bytes; /* of pages that are in the file, but not yet mapped from it */
  bool spoilt;            /* a write or sync of the file failed: nothing is added to it any more */
  char name[64];          /* of that file */
  base_mutex lock;        /* of name, root, extents and bytes, for those who do not write: a search
                             that reports a fault, statistics */
  vec_region regions[VEC_REGIONS];
  vec_moved *limbo, *waiting; /* `waiting` until those who read when they were cut loose are done */
  const base_alloc *mem;
} vec_pages;

static inline char *
vec_range_base(const vec_range *range)
{
  return atomic_load_explicit(&((vec_range *)(uintptr_t)range)->base, memory_order_acquire);
}

/* page_bytes: multiples of VEC_UNIT. `most`: bytes that a region may grow to. */
quoin_status vec_pages_init(vec_pages *out, uint64_t id, const size_t page_bytes[VEC_REGIONS],
                            const size_t most[VEC_REGIONS], const base_alloc *mem,
                            quoin_error *err);
/* Map what `root` names, after _init; `meta` is what the checkpoint was given. The page sizes must
 * be those of the file. */
quoin_status vec_pages_open(vec_pages *pages, const base_dir *dir, const hnsw_root *root,
                            char meta[VEC_META], quoin_error *err);
void vec_pages_clear(vec_pages *pages);

/* At least `bytes` of the region usable; what is new is zero and verified. What was read of its
 * addresses before is no more to be written to. LIMIT (it is full, or there are no addresses),
 * NOMEM. */
quoin_status vec_region_grow(vec_pages *pages, vec_region *region, size_t bytes, quoin_error *err);
void vec_moved_free(vec_moved **list, const base_alloc *mem);

/* Append changed pages and the table, sync. Every region's `used` and the metadata are the owner's.
 */
quoin_status vec_pages_checkpoint(vec_pages *pages, const base_dir *dir, const char meta[VEC_META],
                                  quoin_error *err);
/* Of the file of the root, and of them those that the root names. Any thread. */
void vec_pages_bytes(uint64_t *all, uint64_t *live, const vec_pages *pages);

/* Fill `err` for a fault of the file as a whole. Any thread. */
quoin_status vec_pages_fail(const vec_pages *pages, quoin_error *err, const char *fmt, ...)
    QUOIN_PRINTF(3, 4);

/* Compare page `page` with its checksum: CORRUPT names the file and the place in it. Any thread. */
quoin_status vec_page_verify(const vec_pages *pages, const vec_region *region, size_t page,
                             quoin_error *err);

static inline _Atomic(uint8_t) *
vec_page_state(const vec_region *region, size_t page)
{
  return (_Atomic(uint8_t) *)(void *)(vec_range_base(&region->state) + page);
}

/* Acquire pairs with the release in vec_page_verify: who sees the flag sees the page it judged. */
static inline bool
vec_page_ready(const vec_region *region, size_t page)
{
  return atomic_load_explicit(vec_page_state(region, page), memory_order_acquire) &
         VEC_PAGE_VERIFIED;
}

static inline void
vec_page_change(const vec_region *region, size_t page)
{
  _Atomic(uint8_t) *state = vec_page_state(region, page);
  if (!(atomic_load_explicit(state, memory_order_relaxed) & VEC_PAGE_CHANGED))
    atomic_fetch_or_explicit(state, VEC_PAGE_CHANGED, memory_order_relaxed);
}

#endif /* QUOIN_VECTOR_PAGES_H */
