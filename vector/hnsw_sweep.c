/* vector/hnsw_sweep.c - deleting, and mending what deletions leave behind.
 *
 * A deleted node is still walked through, so that no search loses its way. The sweep then goes over
 * all lists once: one that names nodes that were deleted when it began (the doomed) is chosen
 * again, by the heuristic, from its other members, the neighbours of the doomed ones (as in
 * FreshDiskANN, Singh et al. 2021, algorithm 4) and, at level 0, those of the members: nearly what
 * a search of the place would find. After that nothing names the doomed, and their slots are free.
 * It goes in steps, between which the graph may change; it takes no node's last name, so that all
 * that live can be reached between them. */
#include "vector/hnsw_internal.h"

#include "base/poison.h"

enum { SWEEP_SHARE = 10 };
/* Of the candidates for a list of so many links, this many times as many are looked at. */
enum { MEND_POOL = 4 };

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
  return g->sweeping || g->cut_short || (deleted > 0 && deleted >= hnsw_count(g) / SWEEP_SHARE);
}

static bool
is_deleted(const hnsw *g, uint32_t slot)
{
  return !(hnsw_flags(g, slot) & NODE_LIVE);
}

static bool
is_doomed(const hnsw *g, uint32_t slot)
{
  return hnsw_flags(g, slot) & NODE_DOOMED;
}

/* ---- mending a list ---------------------------------------------------------------------------
 */

/* What a list had, by the distance to its node, and of them those that stay whatever is chosen. */
typedef struct had {
  uint32_t slots[LINKS_MAX], n;
  uint32_t gone[LINKS_MAX], n_gone; /* doomed */
  uint64_t ranked[LINKS_MAX];
  uint64_t musts[LINKS_MAX];
  uint32_t n_musts;
} had;

static bool
names_doomed(const hnsw *g, const vec_list *list)
{
  uint32_t count = vec_list_count(list);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t link = atomic_load_explicit(&list->links[i], memory_order_relaxed);
    if (link >= g->next_slot || !hnsw_record_ready(g, link) || is_doomed(g, link)) return true;
  }
  return false;
}

/* The members of the list; those that were deleted since the sweep began are walked through until
 * the next one, and may come back. */
static quoin_status
take_members(had *h, const hnsw *g, vec_scratch *s, const vec_list *list, quoin_error *err)
{
  quoin_status st;
  uint32_t count = vec_list_count(list);
  h->n = h->n_gone = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t link = atomic_load_explicit(&list->links[i], memory_order_relaxed);
    if (link >= g->next_slot) continue;
    if ((st = hnsw_need_record(g, link, err))) return st;
    if (!vec_scratch_see(s, link)) continue;
    if (is_doomed(g, link))
      h->gone[h->n_gone++] = link;
    else
      h->slots[h->n++] = link;
  }
  return QUOIN_OK;
}

/* Live members of the node's list that were not seen, into s->slots from *n on. */
static quoin_status
take_neighbours(size_t *n, const hnsw *g, vec_scratch *s, uint32_t slot, unsigned level,
                quoin_error *err)
{
  vec_list list;
  quoin_status st = hnsw_list(&list, g, slot, level, err);
  if (st) return st;
  uint32_t count = vec_list_count(&list);
  for (uint32_t i = 0; i < count && *n < BATCH_MAX; i++) {
    uint32_t link = atomic_load_explicit(&list.links[i], memory_order_relaxed);
    if (link >= g->next_slot) continue;
    if ((st = hnsw_need_record(g, link, err))) return st;
    if (vec_scratch_see(s, link) && !is_deleted(g, link)) s->slots[(*n)++] = link;
  }
  return QUOIN_OK;
}

/* By their distance to the node of s->other_space; those that no other list names stay. */
static void
rank_members(had *h, const hnsw *g, vec_scratch *s, const vec_query *query, unsigned level)
{
  vec_pool pool = {.items = h->ranked, .room = LINKS_MAX};
  hnsw_distances(g, s, query, h->slots, h->n, s->distances);
  for (uint32_t i = 0; i < h->n; i++)
    (void)vec_pool_add(&pool, vec_entry(s->distances[i], h->slots[i]));
  h->n_musts = 0;
  for (uint32_t i = 0; i < h->n && level == 0; i++) {
    const vec_head *head = hnsw_head(g, vec_entry_slot(h->ranked[i]));
    if (atomic_load_explicit(&head->named, memory_order_relaxed) <= 1)
      h->musts[h->n_musts++] = h->ranked[i];
  }
}

/* What takes the place of the doomed: their neighbours, and at level 0 those of the members. The
 * nearest of all that into s->pool. */
static quoin_status
find_candidates(const had *h, const hnsw *g, vec_scratch *s, const vec_query *query, unsigned level,
                quoin_error *err)
{
  quoin_status st;
  size_t n = 0;
  for (uint32_t i = 0; i < h->n_gone; i++)
    if ((st = take_neighbours(&n, g, s, h->gone[i], level, err))) return st;
  for (uint32_t i = 0; i < h->n && level == 0; i++)
    if ((st = take_neighbours(&n, g, s, vec_entry_slot(h->ranked[i]), level, err))) return st;
  hnsw_distances(g, s, query, s->slots, n, s->distances);
  s->pool.room = MEND_POOL * g->m0;
  for (uint32_t i = 0; i < h->n; i++)
    if (!is_deleted(g, vec_entry_slot(h->ranked[i]))) (void)vec_pool_add(&s->pool, h->ranked[i]);
  for (size_t i = 0; i < n; i++)
    (void)vec_pool_add(&s->pool, vec_entry(s->distances[i], s->slots[i]));
  return QUOIN_OK;
}

/* Add those of the n entries that are not chosen, until there are `most`. */
static void
choose_too(vec_pool *chosen, const uint64_t *entries, uint32_t n, uint32_t most)
{
  uint32_t n_chosen = chosen->n;
  for (uint32_t i = 0; i < n && chosen->n < most; i++) {
    bool there = false;
    for (uint32_t k = 0; k < n_chosen && !there; k++)
      there = vec_entry_slot(chosen->items[k]) == vec_entry_slot(entries[i]);
    if (!there) chosen->items[chosen->n++] = entries[i];
  }
}

/* Those of s->chosen that the list did not have. */
static uint32_t
take_fresh(uint32_t fresh[LINKS_MAX], const had *h, const vec_scratch *s)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->chosen.n; i++) {
    bool old = false;
    for (uint32_t k = 0; k < h->n && !old; k++)
      old = h->slots[k] == vec_entry_slot(s->chosen.items[i]);
    if (!old) fresh[n++] = vec_entry_slot(s->chosen.items[i]);
  }
  return n;
}

/* The node is doomed, and no list of level 0 names it any more: nor is what only it names reached
 * from there. */
static quoin_status
adopt_heirs(hnsw *g, vec_scratch *s, uint32_t slot, quoin_error *err)
{
  quoin_status st;
  uint32_t heirs[LINKS_MAX], n = 0;
  vec_list list = hnsw_list0(g, slot);
  for (uint32_t i = 0; i < vec_list_count(&list); i++) {
    uint32_t link = atomic_load_explicit(&list.links[i], memory_order_relaxed);
    if (link >= g->next_slot) continue;
    if ((st = hnsw_need_record(g, link, err))) return st;
    if (!is_doomed(g, link) &&
        atomic_load_explicit(&hnsw_head(g, link)->named, memory_order_relaxed) <= 1)
      heirs[n++] = link;
  }
  for (uint32_t i = 0; i < n; i++)
    if ((st = hnsw_adopt(g, s, heirs[i], NULL, err))) return st;
  return QUOIN_OK;
}

static quoin_status
mend_list(hnsw *g, vec_scratch *s, uint32_t slot, unsigned level, quoin_error *err)
{
  quoin_status st;
  had h;
  vec_list list;
  vec_query query;
  if ((st = hnsw_list(&list, g, slot, level, err)) || !names_doomed(g, &list)) return st;
  if ((st = vec_scratch_begin(s, g, MEND_POOL * g->m0, err))) return st;
  (void)vec_scratch_see(s, slot);
  if ((st = take_members(&h, g, s, &list, err)) || !h.n_gone) return st;
  vec_query_from_row(&query, s->query_space, g->options.code, hnsw_record(g, slot),
                     g->options.dims);
  rank_members(&h, g, s, &query, level);
  if ((st = find_candidates(&h, g, s, &query, level, err)) ||
      (st = hnsw_select(g, s, list.room - h.n_musts, err)))
    return st;
  choose_too(&s->chosen, h.musts, h.n_musts, list.room);
  /* The heuristic alone would leave a mended list sparser than insertions do, and searches would
   * find less. */
  choose_too(&s->chosen, h.ranked, h.n, vec_list_count(&list));
  uint32_t fresh[LINKS_MAX], n_fresh = is_deleted(g, slot) ? 0 : take_fresh(fresh, &h, s);
  hnsw_list_write(g, slot, &list, &s->chosen, level);
  for (uint32_t i = 0; i < n_fresh; i++) /* as a new node tells those it chose */
    if ((st = hnsw_link_back(g, s, fresh[i], slot, level, false, err))) return st;
  for (uint32_t i = 0; i < h.n_gone && level == 0; i++)
    if (!atomic_load_explicit(&hnsw_head(g, h.gone[i])->named, memory_order_relaxed) &&
        (st = adopt_heirs(g, s, h.gone[i], err)))
      return st;
  return QUOIN_OK;
}

/* ---- the sweep --------------------------------------------------------------------------------
 */

/* A live node of the highest level there is; where none lives one that may come back. */
static quoin_status
entry_choose(hnsw *g, quoin_error *err)
{
  quoin_status st;
  uint64_t best = UINT64_MAX;
  bool lives = false;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    if ((st = hnsw_need_record(g, slot, err))) return st;
    uint8_t flags = hnsw_flags(g, slot);
    unsigned level = atomic_load_explicit(&hnsw_head(g, slot)->level, memory_order_relaxed);
    if (!flags || flags & NODE_DOOMED || level >= LEVELS_MAX) continue;
    if (lives && !(flags & NODE_LIVE)) continue;
    if (best == UINT64_MAX || level > (unsigned)(best >> 32) || (!lives && flags & NODE_LIVE))
      best = (uint64_t)level << 32 | slot;
    lives |= (flags & NODE_LIVE) != 0;
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
  g->cut_short = false;
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
    g->cut_short = false;
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
