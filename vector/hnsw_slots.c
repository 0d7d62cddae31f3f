/* vector/hnsw_slots.c - slots and blocks: given out, released, used again.
 *
 * A slot whose node is gone may still be in the hands of a search that found it before. Released
 * slots gather in `limbo`; hnsw_slots_settle cuts that chain loose as `waiting` and turns the epoch
 * (vector/epoch.h); when that is quiet, the chain is free. Ranges of pages that were moved wait in
 * the same way. */
#include "vector/hnsw_internal.h"

#include <string.h>

#include "base/poison.h"

unsigned
hnsw_level_of(const hnsw *g, uint64_t key)
{
  uint64_t h = base_mix(key + UINT64_C(0x9E3779B97F4A7C15));
  unsigned level = 0;
  for (; level < LEVELS_MAX - 1 && h % g->m == 0; level++)
    h /= g->m;
  return level;
}

uint64_t
hnsw_enter(hnsw *g)
{
  return vec_epoch_enter(&g->searches);
}

void
hnsw_leave(hnsw *g, uint64_t epoch)
{
  vec_epoch_leave(&g->searches, epoch);
}

/* The chain runs through the first link of the record: key and row are still read by a search that
 * has found the node, and a list without links is not followed. */
static void
next_set(hnsw *g, uint32_t slot, uint32_t next)
{
  atomic_store_explicit(&hnsw_list0(g, slot).links[0], next, memory_order_relaxed);
  hnsw_change_record(g, slot);
}

void
hnsw_slots_settle(hnsw *g)
{
  vec_pages *pages = &g->pages;
  if (g->waiting.head != HNSW_NONE || pages->waiting) {
    if (!vec_epoch_is_quiet(&g->searches)) return;
    vec_moved_free(&pages->waiting, g->mem);
  }
  if (g->waiting.head != HNSW_NONE) {
    if (hnsw_need_record(g, g->waiting.tail, NULL)) return; /* damaged: whoever reads it says so */
    next_set(g, g->waiting.tail, g->free_slots);
    g->free_slots = g->waiting.head;
    g->waiting = (vec_chain){HNSW_NONE, HNSW_NONE};
  }
  if (g->limbo.head == HNSW_NONE && !pages->limbo) return;
  g->waiting = g->limbo;
  g->limbo = (vec_chain){HNSW_NONE, HNSW_NONE};
  pages->waiting = pages->limbo;
  pages->limbo = NULL;
  vec_epoch_turn(&g->searches);
}

/* ---- blocks of upper links
 * ------------------------------------------------------------------------ */

static uint32_t
block_words(const hnsw *g, unsigned level)
{
  return level * (g->m + 1);
}

static quoin_status
block_new(uint32_t *out, hnsw *g, unsigned level, quoin_error *err)
{
  quoin_status st;
  vec_region *region = hnsw_region(g, REGION_UPPER);
  uint32_t words = block_words(g, level), per_page = (uint32_t)(region->page_bytes / 4);
  uint64_t at;
  if (g->free_blocks[level]) {
    at = g->free_blocks[level] - 1;
    if (at + words > g->upper_words || at % per_page + words > per_page)
      return vec_pages_fail(&g->pages, err, "the free links of the vector graph are damaged");
    if ((st = hnsw_need_bytes(g, REGION_UPPER, at * 4, err))) return st;
    g->free_blocks[level] =
        atomic_load_explicit(hnsw_words(g, REGION_UPPER, at), memory_order_relaxed);
  } else {
    at = g->upper_words;
    if (at % per_page + words > per_page) at += per_page - at % per_page;
    if (at + words >= UINT32_MAX)
      return base_fail(err, QUOIN_ERR_LIMIT, "the vector graph has too many links");
    if ((st = vec_region_grow(&g->pages, region, (size_t)(at + words) * 4, err)) ||
        (st = hnsw_need_bytes(g, REGION_UPPER, at * 4, err)))
      return st;
    g->upper_words = (uint32_t)at + words;
  }
  for (uint32_t i = 0; i < words; i++)
    atomic_store_explicit(hnsw_words(g, REGION_UPPER, at + i), 0, memory_order_relaxed);
  hnsw_change_bytes(g, REGION_UPPER, at * 4);
  *out = (uint32_t)at + 1;
  return QUOIN_OK;
}

/* The block of a node can be written to. */
static quoin_status
block_need(const hnsw *g, uint32_t slot, quoin_error *err)
{
  uint32_t upper = atomic_load_explicit(&hnsw_node_at(g, slot)->upper, memory_order_relaxed);
  if (!upper) return QUOIN_OK;
  if (upper > g->upper_words)
    return vec_pages_fail(&g->pages, err, "the links of vector node %u lie outside the graph",
                          slot);
  return hnsw_need_bytes(g, REGION_UPPER, (uint64_t)(upper - 1) * 4, err);
}

/* Nobody links to a node of this block, and no search is on it: slots settle first. */
static void
block_release(hnsw *g, uint32_t upper, unsigned level)
{
  atomic_store_explicit(hnsw_words(g, REGION_UPPER, upper - 1), g->free_blocks[level],
                        memory_order_relaxed);
  hnsw_change_bytes(g, REGION_UPPER, (uint64_t)(upper - 1) * 4);
  g->free_blocks[level] = upper;
}

quoin_status
hnsw_list(vec_list *out, const hnsw *g, uint32_t slot, unsigned level, quoin_error *err)
{
  quoin_status st;
  *out = (vec_list){0};
  if ((st = hnsw_need_record(g, slot, err))) return st;
  if (level == 0) {
    *out = hnsw_list0(g, slot);
    return QUOIN_OK;
  }
  if ((st = hnsw_need_node(g, slot, err))) return st;
  unsigned top = atomic_load_explicit(&hnsw_head(g, slot)->level, memory_order_relaxed);
  uint32_t upper = atomic_load_explicit(&hnsw_node_at(g, slot)->upper, memory_order_relaxed);
  if (level > top || !upper) {
    *out = (vec_list){.count32 = NULL, .count8 = &hnsw_head(g, slot)->count, .room = 0};
    return QUOIN_OK;
  }
  uint64_t at = upper - 1 + (uint64_t)(level - 1) * (g->m + 1);
  const vec_region *region = hnsw_region(g, REGION_UPPER);
  if ((at + g->m + 1) * 4 > atomic_load_explicit(&region->data.mapped, memory_order_acquire))
    return vec_pages_fail(&g->pages, err, "the links of vector node %u lie outside the graph",
                          slot);
  if ((st = hnsw_need_bytes(g, REGION_UPPER, at * 4, err)) ||
      (st = hnsw_need_bytes(g, REGION_UPPER, (at + g->m) * 4, err)))
    return st;
  *out = (vec_list){.links = hnsw_words(g, REGION_UPPER, at + 1),
                    .count32 = hnsw_words(g, REGION_UPPER, at),
                    .room = g->m};
  return QUOIN_OK;
}

/* ---- slots
 * ------------------------------------------------------------------------------------------ */

static quoin_status
slot_take(uint32_t *out, hnsw *g, quoin_error *err)
{
  quoin_status st;
  hnsw_slots_settle(g);
  uint32_t slot = g->free_slots;
  if (slot != HNSW_NONE) {
    if (slot >= g->next_slot)
      return vec_pages_fail(&g->pages, err, "the free slots of the vector graph are damaged");
    if ((st = hnsw_need_node(g, slot, err)) || (st = hnsw_need_record(g, slot, err))) return st;
    g->free_slots = atomic_load_explicit(&hnsw_list0(g, slot).links[0], memory_order_relaxed);
    *out = slot;
    return QUOIN_OK;
  }
  slot = g->next_slot;
  if (slot >= SLOTS_MAX) return base_fail(err, QUOIN_ERR_LIMIT, "the vector graph is full");
  if ((st = vec_region_grow(&g->pages, hnsw_region(g, REGION_RECORDS),
                            ((size_t)slot + 1) * g->record_bytes, err)) ||
      (st = vec_region_grow(&g->pages, hnsw_region(g, REGION_NODES),
                            ((size_t)slot + 1) * sizeof(vec_node), err)) ||
      (st = hnsw_need_node(g, slot, err)) || (st = hnsw_need_record(g, slot, err)))
    return st;
  g->next_slot++;
  *out = slot;
  return QUOIN_OK;
}

quoin_status
hnsw_slot_new(uint32_t *out, hnsw *g, unsigned level, quoin_error *err)
{
  uint32_t slot = HNSW_NONE, upper = 0;
  quoin_status st = slot_take(&slot, g, err);
  if (st) return st;
  if (level && (st = block_new(&upper, g, level, err))) {
    next_set(g, slot, g->free_slots);
    g->free_slots = slot;
    return st;
  }
  vec_head *head = hnsw_head(g, slot);
  atomic_store_explicit(&head->count, 0, memory_order_relaxed);
  atomic_store_explicit(&head->level, (uint8_t)level, memory_order_relaxed);
  atomic_store_explicit(&head->flags, 0, memory_order_relaxed);
  atomic_store_explicit(&head->named, 0, memory_order_relaxed);
  atomic_store_explicit(&hnsw_node_at(g, slot)->upper, upper, memory_order_relaxed);
  hnsw_change_record(g, slot);
  hnsw_change_bytes(g, REGION_NODES, (uint64_t)slot * sizeof(vec_node));
  *out = slot;
  return QUOIN_OK;
}

static void
slot_empty(hnsw *g, uint32_t slot)
{
  vec_head *head = hnsw_head(g, slot);
  vec_node *node = hnsw_node_at(g, slot);
  uint32_t upper = atomic_load_explicit(&node->upper, memory_order_relaxed);
  unsigned level = atomic_load_explicit(&head->level, memory_order_relaxed);
  atomic_store_explicit(&head->flags, 0, memory_order_release);
  atomic_store_explicit(&head->count, 0, memory_order_release);
  atomic_store_explicit(&head->level, 0, memory_order_relaxed);
  atomic_store_explicit(&node->upper, 0, memory_order_relaxed);
  hnsw_change_record(g, slot);
  if (upper && level < LEVELS_MAX) block_release(g, upper, level);
}

void
hnsw_slot_undo(hnsw *g, uint32_t slot)
{
  vec_list list = hnsw_list0(g, slot);
  hnsw_list_write(g, slot, &list, &(vec_pool){0}, 0); /* those it named are named once less */
  slot_empty(g, slot);
  next_set(g, slot, g->free_slots);
  g->free_slots = slot;
}

quoin_status
hnsw_slot_release(hnsw *g, uint32_t slot, quoin_error *err)
{
  quoin_status st = hnsw_need_node(g, slot, err);
  if (!st) st = block_need(g, slot, err);
  if (st) return st;
  slot_empty(g, slot);
  next_set(g, slot, g->limbo.head);
  if (g->limbo.head == HNSW_NONE) g->limbo.tail = slot;
  g->limbo.head = slot;
  return QUOIN_OK;
}

/* ---- rows
 * ----------------------------------------------------------------------------------------- */

quoin_status
hnsw_rows_grow(hnsw *g, uint32_t row, quoin_error *err)
{
  vec_region *region = hnsw_region(g, REGION_ROWS);
  quoin_status st = vec_region_grow(&g->pages, region, ((size_t)row + 1) * 4, err);
  if (st) return st;
  size_t rows = region->data.mapped / 4;
  atomic_store_explicit(&g->rows, rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX,
                        memory_order_release);
  if (region->used < ((size_t)row + 1) * 4) region->used = ((size_t)row + 1) * 4;
  return hnsw_need_bytes(g, REGION_ROWS, (uint64_t)row * 4, err);
}

quoin_status
hnsw_row_set(hnsw *g, uint32_t row, uint32_t slot, quoin_error *err)
{
  quoin_status st = hnsw_need_bytes(g, REGION_ROWS, (uint64_t)row * 4, err);
  if (st) return st;
  atomic_store_explicit(hnsw_words(g, REGION_ROWS, row), slot + 1, memory_order_release);
  hnsw_change_bytes(g, REGION_ROWS, (uint64_t)row * 4);
  return QUOIN_OK;
}

quoin_status
hnsw_slot_of(uint32_t *out, const hnsw *g, uint32_t row, quoin_error *err)
{
  quoin_status st;
  *out = HNSW_NONE;
  if (row >= atomic_load_explicit(&g->rows, memory_order_acquire)) return QUOIN_OK;
  if ((st = hnsw_need_bytes(g, REGION_ROWS, (uint64_t)row * 4, err))) return st;
  uint32_t slot = atomic_load_explicit(hnsw_words(g, REGION_ROWS, row), memory_order_acquire) - 1;
  if (slot == HNSW_NONE) return QUOIN_OK;
  if (slot >= atomic_load_explicit(&g->slots, memory_order_acquire))
    return vec_pages_fail(&g->pages, err,
                          "row %u of the vector graph names a slot that does not exist", row);
  if ((st = hnsw_need_record(g, slot, err))) return st;
  *out = slot;
  return QUOIN_OK;
}

quoin_status
hnsw_find(uint32_t *out, const hnsw *g, uint32_t row, quoin_error *err)
{
  quoin_status st = hnsw_slot_of(out, g, row, err);
  if (!st && *out != HNSW_NONE && !(hnsw_flags(g, *out) & NODE_LIVE)) *out = HNSW_NONE;
  return st;
}

void
hnsw_find_ask(const hnsw *g, uint32_t row)
{
  uint32_t slot;
  if (!hnsw_slot_of(&slot, g, row, NULL) && slot != HNSW_NONE)
    __builtin_prefetch(hnsw_head(g, slot));
}

quoin_status
hnsw_code_slot(uint32_t *out, const hnsw *g, uint32_t row, quoin_error *err)
{
  quoin_status st = hnsw_slot_of(out, g, row, err);
  if (st || *out == HNSW_NONE) return st;
  /* A node that is being filled has no flags yet; and a slot that a failed build gave back may be
   * another row's by now: before that it was taken from this one, which then says so. */
  if (!(hnsw_flags(g, *out) & (NODE_LIVE | NODE_DELETED)) ||
      atomic_load_explicit(hnsw_words(g, REGION_ROWS, row), memory_order_acquire) != *out + 1)
    *out = HNSW_NONE;
  return st;
}

vec_rows
hnsw_codes(const hnsw *g)
{
  return (vec_rows){.base = vec_range_base(&g->pages.regions[REGION_RECORDS].data),
                    .stride = g->record_bytes};
}

quoin_status
hnsw_walk_codes(vec_crowd *crowd, const hnsw *g, uint32_t from, uint32_t to, quoin_error *err)
{
  const vec_rows rows = hnsw_codes(g);
  for (; from < to; from++) {
    quoin_status st = hnsw_need_record(g, from, err);
    if (st) return st;
    if (hnsw_flags(g, from) & NODE_LIVE) vec_crowd_row(crowd, rows.base + rows.stride * from, from);
  }
  return QUOIN_OK;
}
