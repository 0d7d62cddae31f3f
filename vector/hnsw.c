/* vector/hnsw.c - a graph's life: options, geometry, opening, inserting, checkpoints. */
#include "vector/hnsw_internal.h"

#include <math.h>
#include <string.h>

#include "base/poison.h"

enum { DEFAULT_M = 16, DEFAULT_EF = 200, EF_MAX = 1 << 20 };
enum { PAGE_WANTED = 32 << 10 };

/* ---- geometry
 * ------------------------------------------------------------------------------------- */

quoin_status
hnsw_options_check(hnsw_options *o, quoin_error *err)
{
  if (!o->m) o->m = DEFAULT_M;
  if (!o->ef_construction) o->ef_construction = DEFAULT_EF;
  if (o->dims < 1 || o->dims > VEC_DIMS_MAX)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "a vector has 1 to %d dimensions, not %u",
                     VEC_DIMS_MAX, o->dims);
  if (o->m < 4 || o->m > M_MAX)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "m is from 4 to %d, not %u", M_MAX, o->m);
  if (o->ef_construction < o->m || o->ef_construction > EF_MAX)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "efConstruction is from m, which is %u, to %d, not %u", o->m, EF_MAX,
                     o->ef_construction);
  if (o->code == VEC_B1 && (o->metric != VEC_COSINE || o->dims < 256))
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "codes of one bit need the cosine metric and at least 256 dimensions");
  return QUOIN_OK;
}

/* Records of 64 bytes and more: 64 of them always make whole pages of the system; fewer will do
 * where they are large. */
static void
geometry(hnsw *g)
{
  const hnsw_options *o = &g->options;
  g->m = o->m;
  g->m0 = 2 * o->m;
  g->code_bytes = vec_code_bytes(o->code, o->dims);
  g->head_at = g->code_bytes + 2 * sizeof(float);
  g->links_at = g->head_at + sizeof(vec_head);
  g->record_bytes = (g->links_at + 4 * (size_t)g->m0 + 63) / 64 * 64;
  g->page_shift = 6;
  while (g->page_shift && (g->record_bytes << g->page_shift) > PAGE_WANTED &&
         (g->record_bytes << (g->page_shift - 1)) % VEC_UNIT == 0)
    g->page_shift--;
}

static quoin_status
graph_new(hnsw **out, uint64_t id, const hnsw_options *options, const base_alloc *mem,
          quoin_error *err)
{
  quoin_status st;
  hnsw_options checked = *options;
  *out = NULL;
  if ((st = hnsw_options_check(&checked, err))) return st;
  hnsw *g = base_new_zero(mem, 1, sizeof(*g));
  if (!g) return base_fail_nomem(err);
  g->options = checked;
  g->mem = mem;
  g->kernels = vec_kernels_best();
  g->walk = vec_kernels_walk(g->kernels, checked.metric, checked.code);
  geometry(g);
  atomic_store(&g->entry, UINT64_MAX);
  atomic_store(&g->searches.now, 1);
  g->free_slots = HNSW_NONE;
  g->limbo = g->waiting = (vec_chain){HNSW_NONE, HNSW_NONE};
  size_t page_bytes[VEC_REGIONS] = {g->record_bytes << g->page_shift, 16 << 10, 16 << 10, 16 << 10};
  size_t most[VEC_REGIONS] = {(size_t)1 << 37, (size_t)1 << 33, (size_t)1 << 33, (size_t)1 << 33};
  if ((st = vec_pages_init(&g->pages, id, page_bytes, most, mem, err))) {
    base_release(mem, g, 1, sizeof(*g)); /* nothing of the pages is left */
    return st;
  }
  if ((st = vec_scratch_new(&g->scratch, g, err)))
    hnsw_close(g);
  else
    *out = g;
  return st;
}

quoin_status
hnsw_new(hnsw **out, uint64_t id, const hnsw_options *options, const base_alloc *mem,
         quoin_error *err)
{
  return graph_new(out, id, options, mem, err);
}

void
hnsw_close(hnsw *g)
{
  if (!g) return;
  vec_scratch_free(g->scratch);
  vec_pages_clear(&g->pages);
  base_release(g->mem, g, 1, sizeof(*g));
}

/* ---- opening and checkpoints
 * ------------------------------------------------------------------------ */

static quoin_status
meta_adopt(hnsw *g, const vec_meta *m, quoin_error *err)
{
  const hnsw_options *o = &g->options;
  if (m->dims != o->dims || m->metric != (uint32_t)o->metric || m->code != (uint32_t)o->code ||
      m->m != o->m)
    return vec_pages_fail(&g->pages, err, "the vector graph was made with other options");
  bool chained =
      m->limbo_head == HNSW_NONE || (m->limbo_head < m->slots && m->limbo_tail < m->slots);
  bool waited =
      m->waiting_head == HNSW_NONE || (m->waiting_head < m->slots && m->waiting_tail < m->slots);
  if (m->slots > SLOTS_MAX || m->live > m->slots || m->deleted > m->slots - m->live || !chained ||
      !waited || (m->entry == HNSW_NONE ? m->live + m->deleted > 0 : m->entry >= m->slots) ||
      m->entry_level >= LEVELS_MAX ||
      g->pages.regions[REGION_RECORDS].data.mapped / g->record_bytes < m->slots ||
      g->pages.regions[REGION_NODES].data.mapped / sizeof(vec_node) < m->slots ||
      g->pages.regions[REGION_UPPER].data.mapped / 4 < m->upper_words)
    return vec_pages_fail(&g->pages, err, "the counts of the vector graph contradict each other");
  g->next_slot = m->slots;
  g->upper_words = m->upper_words;
  g->free_slots = m->free_slots;
  /* no search of this process has seen those that waited: limbo takes them along */
  g->cut_short = m->sweeping;
  g->limbo = (vec_chain){m->limbo_head, m->limbo_tail};
  g->waiting = (vec_chain){m->waiting_head, m->waiting_tail};
  memcpy(g->free_blocks, m->free_blocks, sizeof(g->free_blocks));
  size_t rows = g->pages.regions[REGION_ROWS].data.mapped / 4;
  g->pages.regions[REGION_ROWS].used = rows * 4;
  atomic_store(&g->rows, rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX);
  atomic_store(&g->live, m->live);
  atomic_store(&g->deleted, m->deleted);
  atomic_store(&g->slots, m->slots);
  if (m->entry != HNSW_NONE) atomic_store(&g->entry, (uint64_t)m->entry_level << 32 | m->entry);
  return QUOIN_OK;
}

quoin_status
hnsw_open(hnsw **out, const base_dir *dir, uint64_t id, const hnsw_root *root,
          const hnsw_options *options, const base_alloc *mem, quoin_error *err)
{
  char bytes[VEC_META];
  vec_meta meta;
  hnsw *g = NULL;
  *out = NULL;
  quoin_status st = graph_new(&g, id, options, mem, err);
  if (st) return st;
  if (root->generation) {
    if ((st = vec_pages_open(&g->pages, dir, root, bytes, err))) goto done;
    memcpy(&meta, bytes, sizeof(meta));
    if ((st = meta_adopt(g, &meta, err))) goto done;
  }
  *out = g;
  g = NULL;

done:
  hnsw_close(g);
  return st;
}

quoin_status
hnsw_checkpoint(hnsw_root *out, hnsw *g, const base_dir *dir, quoin_error *err)
{
  char bytes[VEC_META] = {0};
  uint64_t entry = atomic_load(&g->entry);
  vec_meta m = {.dims = g->options.dims,
                .metric = (uint32_t)g->options.metric,
                .code = (uint32_t)g->options.code,
                .m = g->m,
                .slots = g->next_slot,
                .live = atomic_load(&g->live),
                .deleted = atomic_load(&g->deleted),
                .upper_words = g->upper_words,
                .entry = entry == UINT64_MAX ? HNSW_NONE : (uint32_t)entry,
                .entry_level = entry == UINT64_MAX ? 0 : (uint32_t)(entry >> 32),
                .free_slots = g->free_slots,
                .limbo_head = g->limbo.head,
                .limbo_tail = g->limbo.tail,
                .waiting_head = g->waiting.head,
                .waiting_tail = g->waiting.tail,
                .sweeping = g->sweeping || g->cut_short};
  memcpy(m.free_blocks, g->free_blocks, sizeof(m.free_blocks));
  memcpy(bytes, &m, sizeof(m));
  if (g->pages.limbo || g->pages.waiting) hnsw_slots_settle(g);
  g->pages.regions[REGION_RECORDS].used = (size_t)g->next_slot * g->record_bytes;
  g->pages.regions[REGION_NODES].used = (size_t)g->next_slot * sizeof(vec_node);
  g->pages.regions[REGION_UPPER].used = (size_t)g->upper_words * 4;
  quoin_status st = QUOIN_OK;
  if (g->next_slot || g->pages.root.generation)
    st = vec_pages_checkpoint(&g->pages, dir, bytes, err);
  if (!st) *out = g->pages.root;
  return st;
}

/* ---- inserting
 * ---------------------------------------------------------------------------------------- */

void
hnsw_entry_raise(hnsw *g, uint32_t slot, unsigned level)
{
  uint64_t mine = (uint64_t)level << 32 | slot, entry = atomic_load(&g->entry);
  while (entry == UINT64_MAX || level > (unsigned)(entry >> 32))
    if (atomic_compare_exchange_weak(&g->entry, &entry, mine)) return;
}

quoin_status
hnsw_node_fill(hnsw *g, uint32_t slot, uint64_t key, uint32_t row, const hnsw_vectors *vectors,
               quoin_error *err)
{
  const float *vector = hnsw_vector(vectors, row);
  if (!vector) return base_fail(err, QUOIN_ERR_CORRUPT, "the vector of row %u cannot be read", row);
  vec_code_encode(hnsw_record(g, slot), g->options.code, g->options.metric, vector,
                  g->options.dims);
  atomic_store_explicit(&hnsw_node_at(g, slot)->key, key, memory_order_relaxed);
  atomic_store_explicit(&hnsw_node_at(g, slot)->row, row, memory_order_relaxed);
  return QUOIN_OK;
}

void
hnsw_node_publish(hnsw *g, uint32_t slot)
{
  atomic_store_explicit(&hnsw_head(g, slot)->flags, NODE_LIVE, memory_order_release);
  atomic_fetch_add_explicit(&g->live, 1, memory_order_release);
}

quoin_status
hnsw_revive(bool *done, hnsw *g, uint32_t row, quoin_error *err)
{
  uint32_t slot;
  quoin_status st = hnsw_slot_of(&slot, g, row, err);
  *done = false;
  if (st || slot == HNSW_NONE) return st;
  if (hnsw_flags(g, slot) & NODE_LIVE)
    return base_fail(err, QUOIN_ERR_EXISTS, "row %u has a node already", row);
  if ((hnsw_flags(g, slot) & (NODE_DELETED | NODE_DOOMED)) != NODE_DELETED) return QUOIN_OK;
  /* A sweep may have taken the last list that named it. */
  if (!atomic_load_explicit(&hnsw_head(g, slot)->named, memory_order_relaxed) &&
      (st = hnsw_adopt(g, g->scratch, slot, NULL, err)))
    return st;
  atomic_fetch_sub(&g->deleted, 1);
  hnsw_change_record(g, slot);
  hnsw_node_publish(g, slot);
  hnsw_entry_raise(g, slot, atomic_load_explicit(&hnsw_head(g, slot)->level, memory_order_relaxed));
  *done = true;
  return QUOIN_OK;
}

quoin_status
hnsw_insert(hnsw *g, uint64_t key, uint32_t row, const hnsw_vectors *vectors, quoin_error *err)
{
  quoin_status st;
  bool done;
  uint32_t slot;
  unsigned level = hnsw_level_of(g, key);
  if ((st = hnsw_rows_grow(g, row, err)) || (st = hnsw_revive(&done, g, row, err)) || done)
    return st;
  if ((st = hnsw_slot_new(&slot, g, level, err))) return st;
  if ((st = hnsw_node_fill(g, slot, key, row, vectors, err)) ||
      (st = hnsw_link(g, g->scratch, slot, level, err))) {
    /* linked in part: as a deleted node it does no harm, and the next sweep takes it */
    if (atomic_load(&hnsw_head(g, slot)->named)) {
      atomic_store(&hnsw_head(g, slot)->flags, NODE_DELETED);
      atomic_fetch_add(&g->deleted, 1);
      if (slot >= atomic_load(&g->slots)) atomic_store(&g->slots, g->next_slot);
    } else {
      hnsw_slot_undo(g, slot);
    }
    return st;
  }
  hnsw_node_publish(g, slot);
  atomic_store_explicit(&g->slots, g->next_slot, memory_order_release);
  hnsw_entry_raise(g, slot, level);
  return hnsw_row_set(g, row, slot, err); /* its page was verified: it does not fail */
}

/* ---- what is there
 * -------------------------------------------------------------------------------------- */

uint32_t
hnsw_count(const hnsw *g)
{
  return atomic_load_explicit(&g->live, memory_order_acquire);
}

uint32_t
hnsw_slots(const hnsw *g)
{
  return atomic_load_explicit(&g->slots, memory_order_acquire);
}

quoin_status
hnsw_node(uint64_t *key, uint32_t *row, bool *live, const hnsw *g, uint32_t slot, quoin_error *err)
{
  quoin_status st;
  *live = false;
  *key = 0;
  *row = 0;
  if (slot >= hnsw_slots(g)) return QUOIN_OK;
  if ((st = hnsw_need_record(g, slot, err)) || (st = hnsw_need_node(g, slot, err))) return st;
  *live = hnsw_flags(g, slot) & NODE_LIVE;
  *key = atomic_load_explicit(&hnsw_node_at(g, slot)->key, memory_order_relaxed);
  *row = atomic_load_explicit(&hnsw_node_at(g, slot)->row, memory_order_relaxed);
  return QUOIN_OK;
}

void
hnsw_stats_quick(hnsw_stats *out, const hnsw *g)
{
  uint64_t entry = atomic_load(&g->entry), memory = 0;
  for (size_t i = 0; i < VEC_REGIONS; i++)
    memory += g->pages.regions[i].data.mapped;
  *out = (hnsw_stats){.live = hnsw_count(g),
                      .deleted = atomic_load(&g->deleted),
                      .slots = hnsw_slots(g),
                      .levels = entry == UINT64_MAX ? 0 : (entry >> 32) + 1,
                      .record_bytes = g->record_bytes,
                      .memory_bytes = memory};
  uint64_t live;
  vec_pages_bytes(&out->file_bytes, &live, &g->pages);
  out->dead_bytes = out->file_bytes > live ? out->file_bytes - live : 0;
}
