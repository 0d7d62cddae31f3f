/* vector/hnsw_sweep.c - deleting, and mending what deletions leave behind.
 *
 * A deleted node is still walked through, so that no search loses its way. The sweep then goes over
 * all lists once: one that names deleted nodes is chosen again, by the heuristic, from its other
 * members and the neighbours of the deleted ones (as in FreshDiskANN, Singh et al. 2021, algorithm
 * 4). After that nothing names those that were deleted when it began (the doomed), and their slots
 * are free. It goes in steps, between which the graph may change. */
#include "vector/hnsw_internal.h"

#include "base/poison.h"

enum { SWEEP_SHARE = 10 };

quoin_status
hnsw_delete(hnsw *g, uint32_t row, quoin_error *err)
{
  uint32_t slot;
  quoin_status st = hnsw_slot_of(&slot, g, row, err);
  if (st) return st;
  if (slot == HNSW_NONE || !(hnsw_flags(g, slot) & NODE_LIVE))
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "row %u has no node", row);
  atomic_store_explicit(&hnsw_head(g, slot)->flags, NODE_DELETED, memory_order_release);
  hnsw_change_record(g, slot);
  atomic_fetch_add(&g->deleted, 1);
  atomic_fetch_sub(&g->live, 1);
  return QUOIN_OK;
}

bool
hnsw_sweep_due(const hnsw *g)
{
  uint32_t deleted = atomic_load_explicit(&g->deleted, memory_order_relaxed);
  return g->sweeping || (deleted > 0 && deleted >= hnsw_count(g) / SWEEP_SHARE);
}

static bool
is_deleted(const hnsw *g, uint32_t slot)
{
  return !(hnsw_flags(g, slot) & NODE_LIVE);
}

/* Live members of `list` that were not seen, into s->slots from *n on; deleted ones into `gone`. */
static quoin_status
members(size_t *n, uint32_t *gone, size_t *n_gone, const hnsw *g, vec_scratch *s,
        const vec_list *list, quoin_error *err)
{
  quoin_status st;
  uint32_t count = vec_list_count(list);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t link = atomic_load_explicit(&list->links[i], memory_order_relaxed);
    if (link >= g->next_slot) continue;
    if ((st = hnsw_need_record(g, link, err))) return st;
    if (!vec_scratch_see(s, link)) continue;
    if (!is_deleted(g, link)) {
      if (*n < BATCH_MAX) s->slots[(*n)++] = link;
    } else if (gone) {
      gone[(*n_gone)++] = link;
    }
  }
  return QUOIN_OK;
}

static bool
names_deleted(const hnsw *g, const vec_list *list)
{
  uint32_t count = vec_list_count(list);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t link = atomic_load_explicit(&list->links[i], memory_order_relaxed);
    if (link >= g->next_slot || !hnsw_record_ready(g, link) || is_deleted(g, link)) return true;
  }
  return false;
}

/* Fill `chosen` up to `most` with the nearest of the n live members the list had: the heuristic
 * alone would leave a mended list sparser than insertions do, and searches would find less. */
static void
keep_members(vec_scratch *s, size_t n, uint32_t most)
{
  vec_pool *chosen = &s->chosen;
  uint32_t n_chosen = chosen->n;
  for (uint32_t i = 0; i < s->pool.n && chosen->n < most; i++) {
    uint32_t slot = vec_entry_slot(s->pool.items[i]);
    bool keep = false;
    for (size_t k = 0; k < n && !keep; k++)
      keep = s->slots[k] == slot;
    for (uint32_t k = 0; k < n_chosen && keep; k++)
      keep = vec_entry_slot(chosen->items[k]) != slot;
    if (keep) chosen->items[chosen->n++] = s->pool.items[i];
  }
}

static quoin_status
mend_list(hnsw *g, vec_scratch *s, uint32_t slot, unsigned level, quoin_error *err)
{
  quoin_status st;
  vec_list list, other;
  vec_query query;
  size_t n = 0, n_gone = 0;
  uint32_t gone[LINKS_MAX];
  if ((st = hnsw_list(&list, g, slot, level, err)) || !names_deleted(g, &list)) return st;
  if ((st = vec_scratch_begin(s, g, BATCH_MAX, err))) return st;
  (void)vec_scratch_see(s, slot);
  if ((st = members(&n, gone, &n_gone, g, s, &list, err)) || !n_gone) return st;
  size_t n_live = n;
  for (size_t i = 0; i < n_gone; i++)
    if ((st = hnsw_list(&other, g, gone[i], level, err)) ||
        (st = members(&n, NULL, NULL, g, s, &other, err)))
      return st;
  vec_query_from_row(&query, s->other_space, g->options.code, hnsw_record(g, slot),
                     g->options.dims);
  hnsw_distances(g, s, &query, s->slots, n, s->distances);
  for (size_t i = 0; i < n; i++)
    (void)vec_pool_add(&s->pool, vec_entry(s->distances[i], s->slots[i]));
  if ((st = hnsw_select(g, s, list.room, err))) return st;
  keep_members(s, n_live, vec_list_count(&list));
  uint32_t fresh[LINKS_MAX], n_fresh = 0;
  for (uint32_t i = 0; i < s->chosen.n && !is_deleted(g, slot); i++) {
    uint32_t to = vec_entry_slot(s->chosen.items[i]);
    bool old = false;
    for (size_t k = 0; k < n_live && !old; k++)
      old = s->slots[k] == to;
    if (!old) fresh[n_fresh++] = to;
  }
  hnsw_list_write(g, slot, &list, &s->chosen, level);
  for (uint32_t i = 0; i < n_fresh; i++) /* as a new node tells those it chose */
    if ((st = hnsw_link_back(g, s, fresh[i], slot, level, false, err))) return st;
  return QUOIN_OK;
}

/* A live node of the highest level there is. */
static quoin_status
entry_choose(hnsw *g, quoin_error *err)
{
  quoin_status st;
  uint64_t best = UINT64_MAX;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    if ((st = hnsw_need_record(g, slot, err))) return st;
    unsigned level = atomic_load_explicit(&hnsw_head(g, slot)->level, memory_order_relaxed);
    if (is_deleted(g, slot) || level >= LEVELS_MAX) continue;
    if (best == UINT64_MAX || level > (unsigned)(best >> 32)) best = (uint64_t)level << 32 | slot;
  }
  atomic_store(&g->entry, best);
  return QUOIN_OK;
}

/* Nothing names the doomed any more. */
static quoin_status
release_doomed(hnsw *g, quoin_error *err)
{
  quoin_status st;
  uint32_t there;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    if (!(hnsw_flags(g, slot) & NODE_DOOMED)) continue;
    if ((st = hnsw_need_node(g, slot, err))) return st;
    uint32_t row = atomic_load_explicit(&hnsw_node_at(g, slot)->row, memory_order_relaxed);
    vec_list list = hnsw_list0(g, slot);
    hnsw_list_write(g, slot, &list, &(vec_pool){0}, 0); /* those it named are named once less */
    if ((st = hnsw_slot_of(&there, g, row, err))) return st;
    if (there == slot && (st = hnsw_row_set(g, row, HNSW_NONE, err))) return st;
    if ((st = hnsw_slot_release(g, slot, err))) return st;
    atomic_fetch_sub(&g->deleted, 1);
  }
  hnsw_slots_settle(g);
  return QUOIN_OK;
}

/* Those that are deleted now will be gone; those that are while the sweep goes on wait for the
 * next. */
static quoin_status
sweep_begin(hnsw *g, quoin_error *err)
{
  quoin_status st;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    if ((st = hnsw_need_record(g, slot, err))) return st;
    if (!(hnsw_flags(g, slot) & NODE_DELETED)) continue;
    atomic_store_explicit(&hnsw_head(g, slot)->flags, NODE_DELETED | NODE_DOOMED,
                          memory_order_release);
    hnsw_change_record(g, slot);
  }
  g->sweeping = true;
  g->sweep_at = 0;
  g->sweep_end = g->next_slot; /* nodes made from now on are given live neighbours */
  return QUOIN_OK;
}

static quoin_status
sweep_end(hnsw *g, base_cancel *cancel, quoin_error *err)
{
  hnsw_check_report report = {0};
  quoin_status st = entry_choose(g, err);
  if (!st) st = release_doomed(g, err);
  if (!st) st = hnsw_reach(&report, g, true, cancel, err);
  if (!st) g->sweeping = false; /* else the next step does this again */
  return st;
}

quoin_status
hnsw_sweep_step(bool *done, hnsw *g, uint32_t slots, base_cancel *cancel, quoin_error *err)
{
  quoin_status st;
  *done = false;
  hnsw_slots_settle(g);
  if (!g->sweeping && !atomic_load(&g->deleted)) {
    *done = true;
    return QUOIN_OK;
  }
  if (!g->sweeping && (st = sweep_begin(g, err))) return st;
  uint32_t left = g->sweep_end - g->sweep_at;
  for (uint32_t end = g->sweep_at + (slots < left ? slots : left); g->sweep_at < end;
       g->sweep_at++) {
    uint32_t slot = g->sweep_at;
    if ((st = hnsw_need_record(g, slot, err))) return st;
    /* One that was deleted since the sweep began is walked through until the next one, and may come
     * back: its lists are mended, too. */
    uint8_t flags = hnsw_flags(g, slot);
    if (!flags || flags & NODE_DOOMED) continue;
    unsigned top = atomic_load_explicit(&hnsw_head(g, slot)->level, memory_order_relaxed);
    for (unsigned level = 0; level <= top && level < LEVELS_MAX; level++)
      if ((st = mend_list(g, g->scratch, slot, level, err))) return st;
    if (cancel && (st = base_cancel_check(cancel, err))) return st;
  }
  if (g->sweep_at < g->sweep_end) return QUOIN_OK;
  *done = true;
  return sweep_end(g, cancel, err);
}

quoin_status
hnsw_sweep(hnsw *g, base_cancel *cancel, quoin_error *err)
{
  bool done = false;
  quoin_status st = QUOIN_OK;
  while (!st && !done)
    st = hnsw_sweep_step(&done, g, UINT32_MAX, cancel, err);
  return st;
}
