/* vector/hnsw_link.c - choosing neighbours and linking (Malkov and Yashunin 2018, algorithms 1 and
 * 4).
 *
 * Departures: a candidate as near to a chosen neighbour as to the node itself is passed over, so
 * that near duplicates do not fill lists with each other; and a list drops no node that no other
 * list names, so that linking makes nothing unreachable. `named` counts the lists of level 0 that
 * name a node. Threads that build together hold a stripe for each list they write; counts may then
 * be off for a moment, which hnsw_check mends. */
#include "vector/hnsw_internal.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#include "base/poison.h"

/* ---- choosing
 * ------------------------------------------------------------------------------------- */

/* Is the candidate no nearer to the node than to some chosen one? */
static bool
is_covered(const hnsw *g, vec_scratch *s, uint64_t candidate, const uint32_t *chosen, size_t n)
{
  enum { CHUNK = 8 };
  float distances[CHUNK];
  vec_query query;
  vec_query_from_row(&query, s->other_space, g->options.code,
                     hnsw_record(g, vec_entry_slot(candidate)), g->options.dims);
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t some = n - at < CHUNK ? n - at : CHUNK;
    hnsw_distances(g, s, &query, chosen + at, some, distances);
    for (size_t i = 0; i < some; i++)
      if (vec_entry(distances[i], 0) >> 32 <= candidate >> 32) return true;
  }
  return false;
}

/* Members of a list that no other names, and `to` if it must be kept, before them: they stay. */
static uint32_t
find_musts(const hnsw *g, const vec_scratch *s, uint64_t *musts, uint32_t most, uint32_t to,
           bool forced)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->pool.n; i++) {
    uint32_t slot = vec_entry_slot(s->pool.items[i]);
    bool only = atomic_load_explicit(&hnsw_head(g, slot)->named, memory_order_relaxed) <= 1;
    if (slot == to ? forced : only && n + forced < most) musts[n++] = s->pool.items[i];
    forced = forced && slot != to;
  }
  return n;
}

quoin_status
hnsw_select(const hnsw *g, vec_scratch *s, uint32_t most, quoin_error *err)
{
  quoin_status st;
  uint32_t slots[LINKS_MAX];
  vec_pool *chosen = &s->chosen;
  chosen->n = 0;
  for (uint32_t i = 0; i < s->pool.n && chosen->n < most; i++) {
    uint64_t candidate = s->pool.items[i];
    uint32_t slot = vec_entry_slot(candidate);
    if ((st = hnsw_need_record(g, slot, err))) return st;
    if (is_covered(g, s, candidate, slots, chosen->n)) continue;
    slots[chosen->n] = slot;
    chosen->items[chosen->n++] = candidate & ~UINT64_C(1);
  }
  return QUOIN_OK;
}

/* hnsw_select over the members of a list and `to`, which spares those that must stay. */
static void
select_again(const hnsw *g, vec_scratch *s, uint32_t most, uint32_t to, bool forced, bool keep)
{
  uint64_t musts[LINKS_MAX];
  uint32_t slots[LINKS_MAX], m = 0;
  uint32_t n_musts = keep ? find_musts(g, s, musts, most, to, forced) : 0;
  vec_pool *chosen = &s->chosen;
  chosen->n = 0;
  for (uint32_t i = 0; i < s->pool.n && chosen->n < most; i++) {
    uint64_t candidate = s->pool.items[i];
    if (m < n_musts && musts[m] == candidate)
      m++;
    else if (chosen->n + (n_musts - m) >= most || is_covered(g, s, candidate, slots, chosen->n))
      continue;
    slots[chosen->n] = vec_entry_slot(candidate);
    chosen->items[chosen->n++] = candidate;
  }
}

/* ---- lists
 * ------------------------------------------------------------------------------------------ */

static void
stripe_lock(hnsw *g, uint32_t slot)
{
  if (!g->stripes) return;
  _Atomic(uint8_t) *stripe = &g->stripes[slot % STRIPES];
  for (unsigned spins = 0; atomic_exchange_explicit(stripe, 1, memory_order_acquire); spins++)
    if (spins % 64 == 63) (void)sched_yield();
}

static void
stripe_unlock(hnsw *g, uint32_t slot)
{
  if (g->stripes) atomic_store_explicit(&g->stripes[slot % STRIPES], 0, memory_order_release);
}

static void
list_changed(hnsw *g, uint32_t slot, const vec_list *list)
{
  if (list->count8) {
    hnsw_change_record(g, slot);
  } else { /* a list of an upper level does not cross a page */
    const char *base = vec_range_base(&g->pages.regions[REGION_UPPER].data);
    hnsw_change_bytes(g, REGION_UPPER, (uint64_t)((uintptr_t)list->count32 - (uintptr_t)base));
  }
}

static void
name(hnsw *g, uint32_t slot, bool more)
{
  _Atomic(uint32_t) *named = &hnsw_head(g, slot)->named;
  hnsw_change_record(g, slot);
  if (more)
    atomic_fetch_add_explicit(named, 1, memory_order_relaxed);
  else if (atomic_load_explicit(named, memory_order_relaxed))
    atomic_fetch_sub_explicit(named, 1, memory_order_relaxed);
}

void
hnsw_list_write(hnsw *g, uint32_t slot, const vec_list *list, const vec_pool *chosen,
                unsigned level)
{
  uint32_t before = vec_list_count(list), n = chosen->n < list->room ? chosen->n : list->room;
  for (uint32_t i = 0; i < n && level == 0; i++)
    name(g, vec_entry_slot(chosen->items[i]), true);
  for (uint32_t i = 0; i < before && level == 0; i++) {
    uint32_t old = atomic_load_explicit(&list->links[i], memory_order_relaxed);
    if (old < g->next_slot && hnsw_record_ready(g, old)) name(g, old, false);
  }
  for (uint32_t i = 0; i < n; i++)
    atomic_store_explicit(&list->links[i], vec_entry_slot(chosen->items[i]), memory_order_release);
  vec_list_set_count(list, n);
  list_changed(g, slot, list);
}

/* The members of a full list and `to`, by their distance to the list's node, into s->pool. */
static quoin_status
list_rank(const hnsw *g, vec_scratch *s, uint32_t slot, const vec_list *list, uint32_t to,
          quoin_error *err)
{
  quoin_status st;
  vec_query query;
  size_t n = 0;
  uint32_t count = vec_list_count(list);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t link = atomic_load_explicit(&list->links[i], memory_order_acquire);
    if (link >= g->next_slot || link == to) continue;
    if ((st = hnsw_need_record(g, link, err))) return st;
    s->slots[n++] = link;
  }
  s->slots[n++] = to;
  vec_query_from_row(&query, s->other_space, g->options.code, hnsw_record(g, slot),
                     g->options.dims);
  hnsw_distances(g, s, &query, s->slots, n, s->distances);
  s->pool.n = s->pool.next = 0;
  s->pool.room = LINKS_MAX + 1;
  for (size_t i = 0; i < n; i++)
    (void)vec_pool_add(&s->pool, vec_entry(s->distances[i], s->slots[i]));
  return QUOIN_OK;
}

quoin_status
hnsw_link_back(hnsw *g, vec_scratch *s, uint32_t slot, uint32_t to, unsigned level, bool forced,
               quoin_error *err)
{
  vec_list list;
  stripe_lock(g, slot);
  quoin_status st = hnsw_list(&list, g, slot, level, err);
  if (st || !list.room) goto done;
  uint32_t count = vec_list_count(&list);
  for (uint32_t i = 0; i < count; i++)
    if (atomic_load_explicit(&list.links[i], memory_order_relaxed) == to) goto done;
  if (count < list.room) {
    atomic_store_explicit(&list.links[count], to, memory_order_release);
    vec_list_set_count(&list, count + 1);
    list_changed(g, slot, &list);
    if (level == 0) name(g, to, true);
  } else if (!(st = list_rank(g, s, slot, &list, to, err))) {
    select_again(g, s, list.room, to, forced, level == 0);
    hnsw_list_write(g, slot, &list, &s->chosen, level);
  }

done:
  stripe_unlock(g, slot);
  return st;
}

/* ---- a new node
 * --------------------------------------------------------------------------------------- */

/* What was chosen at each level, before anybody is told. */
typedef struct choices {
  uint32_t n[LEVELS_MAX], slots[LEVELS_MAX][M_MAX];
} choices;

/* Nodes that the next sweep removes are no neighbours for a new one, nor is it itself. */
static void
drop_unfit(const hnsw *g, vec_scratch *s, uint32_t self)
{
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->pool.n; i++) {
    uint32_t slot = vec_entry_slot(s->pool.items[i]);
    if (slot != self && !(hnsw_flags(g, slot) & NODE_DELETED))
      s->pool.items[n++] = s->pool.items[i];
  }
  s->pool.n = n;
}

static quoin_status
choose_level(hnsw *g, vec_scratch *s, choices *c, uint32_t *start, float *distance, uint32_t self,
             unsigned level, quoin_error *err)
{
  quoin_status st;
  if ((st = vec_scratch_begin(s, g, g->options.ef_construction, err))) return st;
  (void)vec_scratch_see(s, self); /* a thread beside us may have been told of it: not a neighbour */
  if ((st = hnsw_walk_level(g, s, *start, *distance, level, g->next_slot, NULL, err))) return st;
  uint64_t best = s->pool.items[0];
  if (*start == self || atomic_load_explicit(&g->deleted, memory_order_relaxed))
    drop_unfit(g, s, self);
  if ((st = hnsw_select(g, s, g->m, err))) return st;
  c->n[level] = s->chosen.n;
  for (uint32_t i = 0; i < s->chosen.n; i++)
    c->slots[level][i] = vec_entry_slot(s->chosen.items[i]);
  *start = vec_entry_slot(best);
  hnsw_distances(g, s, &s->query, start, 1, distance);
  return QUOIN_OK;
}

/* Deleted nodes are on the way, but do not stay. */
static bool
has_room(const hnsw *g, uint32_t slot)
{
  vec_list list = hnsw_list0(g, slot);
  return vec_list_count(&list) < list.room && !(hnsw_flags(g, slot) & NODE_DELETED);
}

/* From the slots in s->queue on, breadth first, a node whose list has room. */
static quoin_status
find_room(uint32_t *out, const hnsw *g, vec_scratch *s, uint32_t slot, quoin_error *err)
{
  quoin_status st;
  size_t n, first = s->queue.n;
  if ((st = vec_scratch_begin(s, g, 1, err))) return st;
  s->queue.n = first;
  (void)vec_scratch_see(s, slot);
  for (size_t i = 0; i < first; i++)
    (void)vec_scratch_see(s, (uint32_t)s->queue.items[i]);
  for (size_t at = 0; at < s->queue.n; at++) {
    *out = (uint32_t)s->queue.items[at];
    if (has_room(g, *out)) return QUOIN_OK;
    vec_list list = hnsw_list0(g, *out);
    if ((st = hnsw_gather(&n, g, s, &list, g->next_slot, err))) return st;
    if (!base_reserve(s->mem, (void **)&s->queue.items, &s->queue.cap, s->queue.n + n,
                      sizeof(uint64_t)))
      return base_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
      s->queue.items[s->queue.n++] = s->slots[i];
  }
  *out = first ? (uint32_t)s->queue.items[0] : HNSW_NONE;
  return QUOIN_OK;
}

quoin_status
hnsw_adopt(hnsw *g, vec_scratch *s, uint32_t slot, const vec_scratch *reached, quoin_error *err)
{
  quoin_status st;
  uint32_t start, parent;
  float distance;
  vec_query_from_row(&s->query, s->query_space, g->options.code, hnsw_record(g, slot),
                     g->options.dims);
  if ((st = vec_scratch_begin(s, g, g->options.ef_construction, err)) ||
      (st = hnsw_descend(&start, &distance, g, s, hnsw_entry(g), 0, g->next_slot, err)) ||
      start == HNSW_NONE ||
      (st = hnsw_walk_level(g, s, start, distance, 0, g->next_slot, NULL, err)))
    return st;
  s->pool.items[s->pool.n++] = vec_entry(HUGE_VALF, start); /* the entry can be walked from */
  if (!base_reserve(s->mem, (void **)&s->queue.items, &s->queue.cap, s->pool.n, sizeof(uint64_t)))
    return base_fail_nomem(err);
  for (uint32_t i = 0; i < s->pool.n; i++) {
    uint32_t near = vec_entry_slot(s->pool.items[i]);
    if (near != slot && (!reached || reached->seen[near] == reached->stamp))
      s->queue.items[s->queue.n++] = near;
  }
  if ((st = find_room(&parent, g, s, slot, err)) || parent == HNSW_NONE) return st;
  return hnsw_link_back(g, s, parent, slot, 0, true, err);
}

static quoin_status
tell_level(hnsw *g, vec_scratch *s, const choices *c, uint32_t slot, unsigned level,
           quoin_error *err)
{
  quoin_status st;
  for (uint32_t i = c->n[level]; i-- > 0;)
    if ((st = hnsw_link_back(g, s, c->slots[level][i], slot, level, false, err))) return st;
  if (level > 0 || atomic_load_explicit(&hnsw_head(g, slot)->named, memory_order_relaxed))
    return QUOIN_OK;
  return hnsw_adopt(g, s, slot, NULL, err); /* no neighbour kept it */
}

/* The neighbours of a node at all levels up to the entry's: *from is the highest. HNSW_NONE in
 * *start: the graph is empty. */
static quoin_status
choose_all(choices *c, uint32_t *start, unsigned *from, hnsw *g, vec_scratch *s, uint32_t slot,
           unsigned level, quoin_error *err)
{
  quoin_status st;
  float distance;
  uint64_t entry = atomic_load_explicit(&g->entry, memory_order_acquire);
  *start = HNSW_NONE;
  if (entry == UINT64_MAX) return QUOIN_OK;
  vec_query_from_row(&s->query, s->query_space, g->options.code, hnsw_record(g, slot),
                     g->options.dims);
  unsigned top = (unsigned)(entry >> 32);
  *from = level < top ? level : top;
  if ((st = hnsw_descend(start, &distance, g, s, entry, *from, g->next_slot, err)) ||
      *start == HNSW_NONE)
    return st;
  for (unsigned at = *from + 1; at-- > 0;)
    if ((st = choose_level(g, s, c, start, &distance, slot, at, err))) return st;
  return QUOIN_OK;
}

quoin_status
hnsw_link(hnsw *g, vec_scratch *s, uint32_t slot, unsigned level, quoin_error *err)
{
  choices c;
  uint32_t start;
  unsigned from = 0;
  quoin_status st = choose_all(&c, &start, &from, g, s, slot, level, err);
  if (st || start == HNSW_NONE) return st;
  for (unsigned at = 0; at <= from; at++) { /* nobody knows the node yet: its lists are its own */
    vec_list list;
    if ((st = hnsw_list(&list, g, slot, at, err))) return st;
    s->chosen.n = c.n[at];
    for (uint32_t i = 0; i < c.n[at]; i++)
      s->chosen.items[i] = (uint64_t)c.slots[at][i] << 1;
    hnsw_list_write(g, slot, &list, &s->chosen, at);
  }
  for (unsigned at = 0; at <= from; at++)
    if ((st = tell_level(g, s, &c, slot, at, err))) return st;
  return QUOIN_OK;
}

quoin_status
hnsw_relink(hnsw *g, vec_scratch *s, uint32_t slot, quoin_error *err)
{
  choices c;
  uint32_t start;
  unsigned from = 0, level = atomic_load_explicit(&hnsw_head(g, slot)->level, memory_order_relaxed);
  quoin_status st = choose_all(&c, &start, &from, g, s, slot, level, err);
  if (st || start == HNSW_NONE) return st;
  for (unsigned at = 0; at <= from; at++)
    for (uint32_t i = 0; i < c.n[at]; i++)
      if ((st = hnsw_link_back(g, s, slot, c.slots[at][i], at, false, err)) ||
          (st = hnsw_link_back(g, s, c.slots[at][i], slot, at, false, err)))
        return st;
  return QUOIN_OK;
}
