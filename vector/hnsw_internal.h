/* vector/hnsw_internal.h - the layout of a graph in its regions, and what its parts share.
 *
 * Regions: RECORDS, one record a slot, a multiple of 64 bytes:
 *     code | scale, norm (floats) | vec_head | links of level 0 (m0 of 32 bits)
 * where the first link of a free slot is the next free one. NODES, one vec_node a slot. UPPER,
 * blocks of the links above level 0: per level a count and m links, 32 bits each, level 1 first; a
 * block does not cross a page. ROWS, slot + 1 by row.
 *
 * Links, counts and flags are atomics: a writer changes lists in place while searches read them. A
 * reader that sees a link (acquire) sees the whole node (the release of whoever stored the link).
 * Whatever a link says is checked against the slots that exist before it is followed. */
#ifndef QUOIN_VECTOR_HNSW_INTERNAL_H
#define QUOIN_VECTOR_HNSW_INTERNAL_H

#include "vector/epoch.h"
#include "vector/hnsw.h"
#include "vector/pages.h"

#include <assert.h>

enum { REGION_RECORDS = 0, REGION_NODES = 1, REGION_UPPER = 2, REGION_ROWS = 3 };
enum { LEVELS_MAX = 16, M_MAX = 64, LINKS_MAX = 2 * M_MAX, STRIPES = 4096 };
/* A deleted node comes back to life with its row; a doomed one does not: a sweep takes its names
 * out of the lists. */
enum { NODE_LIVE = 1, NODE_DELETED = 2, NODE_DOOMED = 4 };
#define SLOTS_MAX UINT32_C(0x7FFFFFFF) /* a pool entry has 31 bits for a slot */

typedef struct vec_head {
  _Atomic(uint8_t) count; /* of links */
  _Atomic(uint8_t) level;
  _Atomic(uint8_t) flags;
  uint8_t reserved;
  _Atomic(uint32_t) named; /* by how many lists of level 0 */
} vec_head;
static_assert(sizeof(vec_head) == 8, "part of the file format");

typedef struct vec_node {
  _Atomic(uint64_t) key;
  _Atomic(uint32_t) row;
  _Atomic(uint32_t) upper; /* word of its block in UPPER, plus 1; 0: none */
} vec_node;
static_assert(sizeof(vec_node) == 16, "part of the file format");
static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "atomics in mapped memory");

/* What the table of a checkpoint keeps beside the pages. */
typedef struct vec_meta {
  uint32_t dims, metric, code, m;
  uint32_t slots, live, deleted, upper_words;
  uint32_t entry, entry_level;
  uint32_t free_slots, limbo_head, limbo_tail, waiting_head, waiting_tail;
  uint32_t free_blocks[LEVELS_MAX];
  uint32_t sweeping; /* 1: a sweep had begun */
} vec_meta;
static_assert(sizeof(vec_meta) <= VEC_META, "part of the file format");

/* A chain of slots that are free once no search can see them. */
typedef struct vec_chain {
  uint32_t head, tail;
} vec_chain;

typedef struct vec_scratch vec_scratch;

struct hnsw {
  hnsw_options options;
  const base_alloc *mem;
  const vec_kernels *kernels;
  vec_walk *walk;
  uint32_t m, m0;
  size_t code_bytes, head_at, links_at, record_bytes;
  unsigned page_shift; /* log2 of the records of a page */
  vec_pages pages;

  _Atomic(uint64_t) entry; /* level << 32 | slot, or UINT64_MAX: empty */
  _Atomic(uint32_t) slots; /* a search follows no link at or above */
  _Atomic(uint32_t) live, deleted;
  _Atomic(uint32_t) rows; /* rows that ROWS has room for */

  vec_epoch searches; /* a chain of slots waits until those that began before have ended */

  /* writer */
  uint32_t next_slot, upper_words, free_slots;
  vec_chain limbo, waiting;
  bool sweeping, cut_short;     /* it goes on; it did when the graph was saved, and begins anew */
  uint32_t sweep_at, sweep_end; /* lists of the slots between are still to be mended */
  uint32_t free_blocks[LEVELS_MAX];
  vec_scratch *scratch;
  _Atomic(uint8_t) *stripes; /* spin locks over slots while several threads build; NULL: one */
};

static inline vec_region *
hnsw_region(const hnsw *g, size_t i)
{
  return (vec_region *)(uintptr_t)&g->pages.regions[i];
}

static inline char *
hnsw_record(const hnsw *g, uint32_t slot)
{
  return vec_range_base(&g->pages.regions[REGION_RECORDS].data) + (size_t)slot * g->record_bytes;
}

static inline vec_head *
hnsw_head(const hnsw *g, uint32_t slot)
{
  return (vec_head *)(void *)(hnsw_record(g, slot) + g->head_at);
}

static inline vec_node *
hnsw_node_at(const hnsw *g, uint32_t slot)
{
  return (vec_node *)(void *)vec_range_base(&g->pages.regions[REGION_NODES].data) + slot;
}

static inline _Atomic(uint32_t) *
hnsw_words(const hnsw *g, size_t region, uint64_t word)
{
  return (_Atomic(uint32_t) *)(void *)vec_range_base(&g->pages.regions[region].data) + word;
}

static inline uint8_t
hnsw_flags(const hnsw *g, uint32_t slot)
{
  return atomic_load_explicit(&hnsw_head(g, slot)->flags, memory_order_acquire);
}

/* ---- pages that must have been verified before their bytes are believed ------------------------
 */

static inline bool
hnsw_record_ready(const hnsw *g, uint32_t slot)
{
  return vec_page_ready(&g->pages.regions[REGION_RECORDS], slot >> g->page_shift);
}

static inline quoin_status
hnsw_need_bytes(const hnsw *g, size_t region, uint64_t offset, quoin_error *err)
{
  const vec_region *r = &g->pages.regions[region];
  size_t page = (size_t)(offset / r->page_bytes);
  return vec_page_ready(r, page) ? QUOIN_OK : vec_page_verify(&g->pages, r, page, err);
}

static inline quoin_status
hnsw_need_record(const hnsw *g, uint32_t slot, quoin_error *err)
{
  if (hnsw_record_ready(g, slot)) return QUOIN_OK;
  return vec_page_verify(&g->pages, &g->pages.regions[REGION_RECORDS], slot >> g->page_shift, err);
}

static inline quoin_status
hnsw_need_node(const hnsw *g, uint32_t slot, quoin_error *err)
{
  return hnsw_need_bytes(g, REGION_NODES, (uint64_t)slot * sizeof(vec_node), err);
}

static inline void
hnsw_change_record(const hnsw *g, uint32_t slot)
{
  vec_page_change(&g->pages.regions[REGION_RECORDS], slot >> g->page_shift);
}

static inline void
hnsw_change_bytes(const hnsw *g, size_t region, uint64_t offset)
{
  const vec_region *r = &g->pages.regions[region];
  vec_page_change(r, (size_t)(offset / r->page_bytes));
}

/* ---- lists --------------------------------------------------------------------------------------
 */

/* The list of a node at a level: where its links begin, how many there are and can be. */
typedef struct vec_list {
  _Atomic(uint32_t) *links;
  _Atomic(uint8_t) *count8;   /* of level 0 */
  _Atomic(uint32_t) *count32; /* of the levels above */
  uint32_t room;
} vec_list;

static inline uint32_t
vec_list_count(const vec_list *list)
{
  uint32_t n = list->count8 ? atomic_load_explicit(list->count8, memory_order_acquire)
                            : atomic_load_explicit(list->count32, memory_order_acquire);
  return n < list->room ? n : list->room;
}

static inline void
vec_list_set_count(const vec_list *list, uint32_t n)
{
  if (list->count8)
    atomic_store_explicit(list->count8, (uint8_t)n, memory_order_release);
  else
    atomic_store_explicit(list->count32, n, memory_order_release);
}

static inline vec_list
hnsw_list0(const hnsw *g, uint32_t slot)
{
  char *record = hnsw_record(g, slot);
  return (vec_list){.links = (_Atomic(uint32_t) *)(void *)(record + g->links_at),
                    .count8 = &((vec_head *)(void *)(record + g->head_at))->count,
                    .room = g->m0};
}

/* The list of `slot` at `level`, its page verified; of a node that does not reach so high, an empty
 * one without room. CORRUPT when its block lies outside. */
quoin_status hnsw_list(vec_list *out, const hnsw *g, uint32_t slot, unsigned level,
                       quoin_error *err);

/* ---- pools: the best so far, sorted -------------------------------------------------------------
 */

/* An entry is distance (as an integer of the same order) << 32 | slot << 1 | expanded. */
typedef struct vec_pool {
  uint64_t *items;
  uint32_t n, room;
  uint32_t next; /* nothing before it is unexpanded */
} vec_pool;

static inline uint64_t
vec_entry(float distance, uint32_t slot)
{
  uint32_t bits;
  __builtin_memcpy(&bits, &distance, 4);
  bits ^= (bits >> 31) ? UINT32_MAX : UINT32_C(0x80000000);
  return (uint64_t)bits << 32 | slot << 1;
}

static inline uint32_t
vec_entry_slot(uint64_t entry)
{
  return (uint32_t)entry >> 1;
}

/* False when the pool is full of better ones. */
static inline bool
vec_pool_add(vec_pool *pool, uint64_t entry)
{
  uint32_t low = 0, n = pool->n;
  if (n == pool->room) {
    if (entry >= pool->items[n - 1]) return false;
    n--;
  }
  for (uint32_t span = n; span > 0;) { /* the first item above */
    uint32_t half = span / 2;
    bool above = pool->items[low + half] < entry;
    low = above ? low + half + 1 : low;
    span = above ? span - half - 1 : half;
  }
  __builtin_memmove(pool->items + low + 1, pool->items + low, (n - low) * sizeof(uint64_t));
  pool->items[low] = entry;
  pool->n = n + 1;
  if (low < pool->next) pool->next = low;
  return true;
}

/* Take the best unexpanded entry; false when there is none. */
static inline bool
vec_pool_take(uint32_t *slot, vec_pool *pool)
{
  while (pool->next < pool->n && (pool->items[pool->next] & 1))
    pool->next++;
  if (pool->next == pool->n) return false;
  *slot = vec_entry_slot(pool->items[pool->next]);
  pool->items[pool->next++] |= 1;
  return true;
}

/* A pool as a heap instead, its worst first: where it is large a sorted one moves half of itself
 * for each entry. A pool is one or the other. */
static inline bool
vec_heap_add(vec_pool *heap, uint64_t entry)
{
  uint64_t *items = heap->items;
  size_t at = 0;
  if (heap->n < heap->room) {
    for (at = heap->n++; at > 0 && items[(at - 1) / 2] < entry; at = (at - 1) / 2)
      items[at] = items[(at - 1) / 2];
    items[at] = entry;
    return true;
  }
  if (entry >= items[0]) return false;
  for (size_t child; (child = 2 * at + 1) < heap->n; at = child) {
    if (child + 1 < heap->n && items[child + 1] > items[child]) child++;
    if (items[child] <= entry) break;
    items[at] = items[child];
  }
  items[at] = entry;
  return true;
}

static inline bool
vec_heap_takes(const vec_pool *heap, uint64_t entry)
{
  return heap->n < heap->room || entry < heap->items[0];
}

/* The best first: it is no heap any more. */
void vec_heap_sort(vec_pool *heap);

/* ---- scratch memory of one thread
 * ---------------------------------------------------------------- */

enum { BATCH_MAX = 4 * LINKS_MAX };

/* A binary heap, least first. */
typedef struct vec_queue {
  uint64_t *items;
  size_t n, cap;
} vec_queue;

struct vec_scratch {
  const base_alloc *mem;
  uint8_t *seen; /* a slot was seen in this search when it holds `stamp` */
  size_t seen_cap;
  uint8_t stamp;
  vec_pool pool, chosen; /* of the walk; of a selection */
  uint32_t pool_cap;
  vec_queue queue, later; /* of filtered and resumable walks */
  char *spaces;           /* for two queries */
  size_t spaces_bytes;
  void *query_space, *other_space;
  vec_query query;
  uint64_t visits;
  uint32_t slots[BATCH_MAX];
  float distances[BATCH_MAX];
};

quoin_status vec_scratch_new(vec_scratch **out, const hnsw *g, quoin_error *err);
void vec_scratch_free(vec_scratch *s);
/* Forget what was seen; room for the slots there are now and a pool of `ef`. */
quoin_status vec_scratch_begin(vec_scratch *s, const hnsw *g, size_t ef, quoin_error *err);
/* Room for a pool of `ef`, which keeps what it has: not more than that. */
quoin_status vec_scratch_widen(vec_scratch *s, size_t ef, quoin_error *err);
quoin_status vec_queue_push(vec_queue *queue, const base_alloc *mem, uint64_t entry,
                            quoin_error *err);
uint64_t vec_queue_pop(vec_queue *queue); /* the least; not of an empty one */

static inline bool
vec_scratch_see(vec_scratch *s, uint32_t slot)
{
  if (s->seen[slot] == s->stamp) return false;
  s->seen[slot] = s->stamp;
  return true;
}

/* ---- walking (hnsw_walk.c)
 * ----------------------------------------------------------------------- */

/* Distances of the n slots in s->slots, into s->distances. */
static inline void
hnsw_distances(const hnsw *g, vec_scratch *s, const vec_query *query, const uint32_t *slots,
               size_t n, float *out)
{
  vec_rows rows = {.base = vec_range_base(&g->pages.regions[REGION_RECORDS].data),
                   .stride = g->record_bytes,
                   .slots = slots,
                   .n = n};
  g->walk(out, query, &rows);
  s->visits += n;
}

/* Collect into s->slots the links of `list` that are below `limit` and not yet seen, their pages
 * verified, their codes asked for: with that the walk reads at the speed of the memory (384 floats:
 * 20 GB/s, 1.7 times the searches and builds of asking in the kernel alone). */
quoin_status hnsw_gather(size_t *n, const hnsw *g, vec_scratch *s, const vec_list *list,
                         uint32_t limit, quoin_error *err);
/* Ask for the links of a node that will be read some steps later. */
static inline void
hnsw_ask_list(const hnsw *g, uint32_t slot)
{
  const char *at = hnsw_record(g, slot) + g->head_at;
  for (size_t line = 0; line < sizeof(vec_head) + 4 * (size_t)g->m0; line += 64)
    __builtin_prefetch(at + line);
}

/* Where searches enter: the node, and its level above 32 bits; UINT64_MAX: nowhere. A search that
 * bounds slots reads it before the bound: slots are published before a node becomes the entry. */
static inline uint64_t
hnsw_entry(const hnsw *g)
{
  return atomic_load_explicit(&((hnsw *)(uintptr_t)g)->entry, memory_order_acquire);
}

/* From the entry down to `level` the nearest node that greedy steps find; *slot is HNSW_NONE in an
 * empty graph. Levels above the entry's: none to walk. */
quoin_status hnsw_descend(uint32_t *slot, float *distance, const hnsw *g, vec_scratch *s,
                          uint64_t entry, unsigned level, uint32_t limit, quoin_error *err);
/* Walk one level from `start` until s->pool (room: ef) holds no unexpanded entry. */
quoin_status hnsw_walk_level(const hnsw *g, vec_scratch *s, uint32_t start, float distance,
                             unsigned level, uint32_t limit, base_cancel *cancel, quoin_error *err);

/* ---- slots (hnsw_slots.c)
 * ------------------------------------------------------------------------- */

unsigned hnsw_level_of(const hnsw *g, uint64_t key);
/* A slot, reused or new, and its block for `level`, with empty lists: nobody links to it yet. */
quoin_status hnsw_slot_new(uint32_t *slot, hnsw *g, unsigned level, quoin_error *err);
/* The slot again, of a node that no list names and no search saw. */
void hnsw_slot_undo(hnsw *g, uint32_t slot);
/* The slot of a node that no list names any more, once no search sees it. */
quoin_status hnsw_slot_release(hnsw *g, uint32_t slot, quoin_error *err);
/* Make free what no search can see. */
void hnsw_slots_settle(hnsw *g);
quoin_status hnsw_row_set(hnsw *g, uint32_t row, uint32_t slot, quoin_error *err);
/* The slot that a row names, of a live or a deleted node, its record verified; or HNSW_NONE. */
quoin_status hnsw_slot_of(uint32_t *out, const hnsw *g, uint32_t row, quoin_error *err);
/* Room in ROWS, so that hnsw_row_set cannot fail for lack of it. */
quoin_status hnsw_rows_grow(hnsw *g, uint32_t row, quoin_error *err);

/* ---- linking (hnsw_link.c)
 * ------------------------------------------------------------------------ */

/* From s->pool (sorted, distances to some node) choose at most `most` (LINKS_MAX) by the heuristic
 * into s->chosen. */
quoin_status hnsw_select(const hnsw *g, vec_scratch *s, uint32_t most, quoin_error *err);
/* Find the neighbours of the node in `slot` at all its levels and link both ways. */
quoin_status hnsw_link(hnsw *g, vec_scratch *s, uint32_t slot, unsigned level, quoin_error *err);
/* The same for a node that lost its neighbours: those found now are added to those it has. Nobody
 * needs to take it in return: hnsw_adopt makes one. */
quoin_status hnsw_relink(hnsw *g, vec_scratch *s, uint32_t slot, quoin_error *err);
/* Add `to` to the list of `slot`, choosing again when it is full; `forced`: `to` is chosen. */
quoin_status hnsw_link_back(hnsw *g, vec_scratch *s, uint32_t slot, uint32_t to, unsigned level,
                            bool forced, quoin_error *err);
/* Make the nearest node with room for it (that was seen in `reached`, unless NULL) name the node in
 * `slot` at level 0. */
quoin_status hnsw_adopt(hnsw *g, vec_scratch *s, uint32_t slot, const vec_scratch *reached,
                        quoin_error *err);
/* Replace a list by s->chosen, keeping account of who is named. */
void hnsw_list_write(hnsw *g, uint32_t slot, const vec_list *list, const vec_pool *chosen,
                     unsigned level);

/* ---- nodes (hnsw.c)
 * ------------------------------------------------------------------------------- */

/* Code, key and row of a slot that nobody knows yet. */
quoin_status hnsw_node_fill(hnsw *g, uint32_t slot, uint64_t key, uint32_t row,
                            const hnsw_vectors *vectors, quoin_error *err);
void hnsw_node_publish(hnsw *g, uint32_t slot);
void hnsw_entry_raise(hnsw *g, uint32_t slot, unsigned level);
/* Bring a deleted node of `row` back, *done, if there is one that is not doomed. EXISTS: it lives.
 */
quoin_status hnsw_revive(bool *done, hnsw *g, uint32_t row, quoin_error *err);

/* Count the live nodes that level 0 does not lead to from the entry; link them (hnsw_check.c). */
quoin_status hnsw_reach(hnsw_check_report *out, hnsw *g, bool repair, base_cancel *cancel,
                        quoin_error *err);

#endif /* QUOIN_VECTOR_HNSW_INTERNAL_H */
