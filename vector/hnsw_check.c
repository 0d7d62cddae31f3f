/* vector/hnsw_check.c - every page, every link, and whether each live node can be reached.
 *
 * A node counts as reachable when level 0 leads to it from where descents arrive: walked from the
 * entry over level 0, all nodes must be seen. One that is not is linked as a new one is; if nobody
 * takes it, it gets a link from the nearest node that a search finds, in place of the farthest
 * member that others name too. */
#include "vector/hnsw_internal.h"

#include <string.h>

#include "base/poison.h"

static quoin_status
link_fault(const hnsw *g, uint32_t slot, unsigned level, const char *what, quoin_error *err)
{
  return vec_pages_fail(&g->pages, err, "node %u of the vector graph, level %u: %s", slot, level,
                        what);
}

static quoin_status
check_list(const hnsw *g, uint32_t slot, unsigned level, uint64_t *links, quoin_error *err)
{
  vec_list list;
  quoin_status st = hnsw_list(&list, g, slot, level, err);
  if (st) return st;
  uint32_t count = vec_list_count(&list);
  if (level && list.room && atomic_load_explicit(list.count32, memory_order_relaxed) > list.room)
    return link_fault(g, slot, level, "more links than there is room for", err);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t link = atomic_load_explicit(&list.links[i], memory_order_relaxed);
    if (link >= g->next_slot) return link_fault(g, slot, level, "a link to no node", err);
    if (link == slot) return link_fault(g, slot, level, "a link to itself", err);
    if ((st = hnsw_need_record(g, link, err))) return st;
    if (!hnsw_flags(g, link)) return link_fault(g, slot, level, "a link to a free slot", err);
    if (atomic_load_explicit(&hnsw_head(g, link)->level, memory_order_relaxed) < level)
      return link_fault(g, slot, level, "a link to a node of a lower level", err);
  }
  *links += level == 0 ? count : 0;
  return QUOIN_OK;
}

static quoin_status
check_nodes(hnsw_check_report *out, hnsw *g, base_cancel *cancel, quoin_error *err)
{
  quoin_status st;
  uint32_t live = 0, deleted = 0;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    if ((st = hnsw_need_record(g, slot, err)) || (st = hnsw_need_node(g, slot, err))) return st;
    const vec_head *head = hnsw_head(g, slot);
    uint8_t flags = hnsw_flags(g, slot);
    unsigned level = atomic_load_explicit(&head->level, memory_order_relaxed);
    if (!flags) continue;
    live += flags == NODE_LIVE;
    deleted += (flags & NODE_DELETED) != 0;
    if (level >= LEVELS_MAX || atomic_load_explicit(&head->count, memory_order_relaxed) > g->m0)
      return link_fault(g, slot, 0, "a level or count out of range", err);
    for (unsigned at = 0; at <= level; at++)
      if ((st = check_list(g, slot, at, &out->links, err))) return st;
    uint32_t there, row = atomic_load_explicit(&hnsw_node_at(g, slot)->row, memory_order_relaxed);
    if (flags == NODE_LIVE && (st = hnsw_slot_of(&there, g, row, err))) return st;
    if (flags == NODE_LIVE && there != slot)
      return link_fault(g, slot, 0, "its row names another node", err);
    if (cancel && (st = base_cancel_check(cancel, err))) return st;
  }
  if (live != hnsw_count(g) || deleted != atomic_load(&g->deleted))
    return vec_pages_fail(&g->pages, err, "the vector graph has %u nodes, its head says %u", live,
                          hnsw_count(g));
  out->nodes = live;
  return QUOIN_OK;
}

/* Every page, also those that no node lies on. */
static quoin_status
check_pages(const hnsw *g, quoin_error *err)
{
  quoin_status st;
  for (size_t i = 0; i < VEC_REGIONS; i++)
    for (size_t page = 0; page < g->pages.regions[i].opened; page++)
      if ((st = vec_page_verify(&g->pages, &g->pages.regions[i], page, err))) return st;
  return QUOIN_OK;
}

/* Mark all that level 0 leads to from `start` (breadth first); s->queue.items is the list of them.
 */
static quoin_status
spread(hnsw *g, vec_scratch *s, uint32_t start, quoin_error *err)
{
  quoin_status st;
  size_t n;
  if (!vec_scratch_see(s, start)) return QUOIN_OK;
  size_t at = s->queue.n;
  if (!base_reserve(s->mem, (void **)&s->queue.items, &s->queue.cap, at + 1, sizeof(uint64_t)))
    return base_fail_nomem(err);
  s->queue.items[s->queue.n++] = start;
  for (; at < s->queue.n; at++) {
    vec_list list = hnsw_list0(g, (uint32_t)s->queue.items[at]);
    if ((st = hnsw_gather(&n, g, s, &list, g->next_slot, err))) return st;
    if (!base_reserve(s->mem, (void **)&s->queue.items, &s->queue.cap, s->queue.n + n,
                      sizeof(uint64_t)))
      return base_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
      s->queue.items[s->queue.n++] = s->slots[i];
  }
  return QUOIN_OK;
}

/* `wanted`: flags of which it has one. */
static bool
is_lost(const hnsw *g, const vec_scratch *reached, uint32_t slot, uint8_t wanted)
{
  uint8_t flags = hnsw_flags(g, slot);
  return (flags & wanted) && !(flags & NODE_DOOMED) && reached->seen[slot] != reached->stamp;
}

/* Walk from the entry, and count the nodes that this does not come to. */
static quoin_status
count_lost(uint64_t *out, hnsw *g, vec_scratch *reached, uint32_t entry, uint8_t wanted,
           quoin_error *err)
{
  quoin_status st = vec_scratch_begin(reached, g, 1, err);
  *out = 0;
  if (!st) st = spread(g, reached, entry, err);
  for (uint32_t slot = 0; !st && slot < g->next_slot; slot++)
    if (!(st = hnsw_need_record(g, slot, err))) *out += is_lost(g, reached, slot, wanted);
  return st;
}

/* Link each of them: in the first round to neighbours on all levels, as if it were new, though the
 * one before may lead to it by now: a single link into a part of the graph makes it count as
 * reachable, but searches seldom take it. What is left then is adopted. */
static quoin_status
link_lost(hnsw *g, vec_scratch *reached, bool adopt, base_cancel *cancel, quoin_error *err)
{
  quoin_status st;
  for (uint32_t slot = 0; slot < g->next_slot; slot++) {
    if (!is_lost(g, reached, slot, NODE_LIVE | NODE_DELETED)) continue;
    if ((st = adopt ? hnsw_adopt(g, g->scratch, slot, reached, err)
                    : hnsw_relink(g, g->scratch, slot, err)) ||
        (st = adopt ? spread(g, reached, slot, err) : QUOIN_OK))
      return st;
    if (cancel && (st = base_cancel_check(cancel, err))) return st;
  }
  return QUOIN_OK;
}

quoin_status
hnsw_reach(hnsw_check_report *out, hnsw *g, bool repair, base_cancel *cancel, quoin_error *err)
{
  enum { ROUNDS = 8 }; /* a link made may have pushed another out: look again */
  quoin_status st;
  vec_scratch *reached = NULL;
  uint64_t entry = atomic_load(&g->entry), first = 0;
  /* a deleted node that no sweep has doomed yet may come back: it is mended with the others */
  uint8_t wanted = repair ? NODE_LIVE | NODE_DELETED : NODE_LIVE;
  if (entry == UINT64_MAX) return QUOIN_OK;
  if ((st = vec_scratch_new(&reached, g, err))) return st;
  for (unsigned round = 0;; round++) {
    if ((st = count_lost(&out->unreachable, g, reached, (uint32_t)entry, wanted, err))) break;
    if (round == 0) first = out->unreachable;
    if (!repair || !out->unreachable || round == ROUNDS) break;
    if ((st = link_lost(g, reached, round > 0, cancel, err))) break;
  }
  if (first > out->unreachable) out->repaired = first - out->unreachable;
  vec_scratch_free(reached);
  return st;
}

quoin_status
hnsw_check(hnsw_check_report *out, hnsw *g, bool repair, base_cancel *cancel, quoin_error *err)
{
  quoin_status st;
  *out = (hnsw_check_report){0};
  if ((st = check_pages(g, err)) || (st = check_nodes(out, g, cancel, err))) return st;
  return hnsw_reach(out, g, repair, cancel, err);
}
