/* vector/hnsw_walk.c - the walk over the graph (Malkov and Yashunin 2018, algorithm 2), and the
 * memory it uses.
 *
 * The two heaps of the paper are one sorted array here: at the sizes of ef in use a short memmove
 * costs less than two heaps, and the best unexpanded node is found by an index that rarely moves.
 * A byte a slot says whether it was seen: it holds the number of the search, so that nothing is
 * cleared for 255 searches. */
#include "vector/hnsw_internal.h"

#include <string.h>

#include "base/poison.h"

/* ---- scratch ------------------------------------------------------------------------------------
 */

static quoin_status
pool_room(vec_pool *pool, const base_alloc *mem, uint32_t room, quoin_error *err)
{
  if (room > pool->room) {
    uint64_t *items = base_resize(mem, pool->items, pool->room ? pool->room + 1 : 0,
                                  (size_t)room + 1, sizeof(uint64_t));
    if (!items) return base_fail_nomem(err);
    pool->items = items;
    pool->room = room;
  }
  return QUOIN_OK;
}

quoin_status
vec_scratch_new(vec_scratch **out, const hnsw *g, quoin_error *err)
{
  size_t bytes = vec_query_bytes(g->options.code, g->options.dims);
  vec_scratch *s = base_new_zero(g->mem, 1, sizeof(*s));
  *out = NULL;
  if (!s) return base_fail_nomem(err);
  s->mem = g->mem;
  s->spaces_bytes = 2 * bytes + 64;
  if (!(s->spaces = base_new_zero(g->mem, s->spaces_bytes, 1)) ||
      pool_room(&s->chosen, g->mem, LINKS_MAX, err)) {
    vec_scratch_free(s);
    return base_fail_nomem(err);
  }
  s->query_space = s->spaces + (64 - (uintptr_t)s->spaces % 64) % 64;
  s->other_space = (char *)s->query_space + bytes;
  *out = s;
  return QUOIN_OK;
}

void
vec_scratch_free(vec_scratch *s)
{
  if (!s) return;
  base_release(s->mem, s->seen, s->seen_cap, 1);
  if (s->pool.items) base_release(s->mem, s->pool.items, s->pool_cap + 1, sizeof(uint64_t));
  if (s->chosen.items) base_release(s->mem, s->chosen.items, LINKS_MAX + 1, sizeof(uint64_t));
  base_release(s->mem, s->queue.items, s->queue.cap, sizeof(uint64_t));
  base_release(s->mem, s->later.items, s->later.cap, sizeof(uint64_t));
  base_release(s->mem, s->spaces, s->spaces_bytes, 1);
  base_release(s->mem, s, 1, sizeof(*s));
}

static quoin_status
seen_grow(vec_scratch *s, size_t need, quoin_error *err)
{
  size_t cap = need + need / 8 + 1024;
  uint8_t *seen = base_new_zero(s->mem, cap, 1);
  if (!seen) return base_fail_nomem(err);
  base_release(s->mem, s->seen, s->seen_cap, 1);
  s->seen = seen;
  s->seen_cap = cap;
  s->stamp = 0;
  return QUOIN_OK;
}

quoin_status
vec_scratch_widen(vec_scratch *s, size_t ef, quoin_error *err)
{
  quoin_status st;
  if (ef > SLOTS_MAX) ef = SLOTS_MAX;
  uint32_t room = ef > LINKS_MAX + 1 ? (uint32_t)ef : LINKS_MAX + 1;
  if (room > s->pool_cap) {
    s->pool.room = s->pool_cap;
    if ((st = pool_room(&s->pool, s->mem, room, err))) return st;
    s->pool_cap = room;
  }
  s->pool.room = (uint32_t)ef;
  return QUOIN_OK;
}

quoin_status
vec_scratch_begin(vec_scratch *s, const hnsw *g, size_t ef, quoin_error *err)
{
  quoin_status st;
  uint32_t slots = atomic_load_explicit(&g->slots, memory_order_acquire);
  if (s == g->scratch) slots = g->next_slot; /* the writer has a node that is not published */
  if (slots > s->seen_cap && (st = seen_grow(s, slots, err))) return st;
  if (++s->stamp == 0) {
    if (s->seen) memset(s->seen, 0, s->seen_cap); /* none while the graph is empty */
    s->stamp = 1;
  }
  s->pool.n = s->pool.next = 0;
  s->queue.n = s->later.n = 0;
  return vec_scratch_widen(s, ef, err);
}

quoin_status
vec_queue_push(vec_queue *q, const base_alloc *mem, uint64_t entry, quoin_error *err)
{
  if (q->n == q->cap && !base_reserve(mem, (void **)&q->items, &q->cap, q->n + 1, sizeof(uint64_t)))
    return base_fail_nomem(err);
  size_t at = q->n++;
  for (; at > 0 && q->items[(at - 1) / 2] > entry; at = (at - 1) / 2)
    q->items[at] = q->items[(at - 1) / 2];
  q->items[at] = entry;
  return QUOIN_OK;
}

uint64_t
vec_queue_pop(vec_queue *q)
{
  uint64_t least = q->items[0], last = q->items[--q->n];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < q->n; at = child) {
    if (child + 1 < q->n && q->items[child + 1] < q->items[child]) child++;
    if (q->items[child] >= last) break;
    q->items[at] = q->items[child];
  }
  q->items[at] = last;
  return least;
}

void
vec_heap_sort(vec_pool *heap)
{
  uint32_t n = heap->n;
  while (heap->n > 1) {
    uint64_t worst = heap->items[0], last = heap->items[--heap->n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->n; at = child) {
      if (child + 1 < heap->n && heap->items[child + 1] > heap->items[child]) child++;
      if (heap->items[child] <= last) break;
      heap->items[at] = heap->items[child];
    }
    heap->items[at] = last;
    heap->items[heap->n] = worst;
  }
  heap->n = n;
}

/* ---- walking
 * --------------------------------------------------------------------------------------- */

quoin_status
hnsw_gather(size_t *n, const hnsw *g, vec_scratch *s, const vec_list *list, uint32_t limit,
            quoin_error *err)
{
  quoin_status st;
  uint32_t count = vec_list_count(list);
  size_t found = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t slot = atomic_load_explicit(&list->links[i], memory_order_acquire);
    if (slot >= limit || !vec_scratch_see(s, slot)) continue;
    if (!hnsw_record_ready(g, slot) && (st = hnsw_need_record(g, slot, err))) return st;
    vec_row_ask(hnsw_record(g, slot), g->head_at);
    s->slots[found++] = slot;
  }
  *n = found;
  return QUOIN_OK;
}

/* As hnsw_gather, but of nodes seen too, and only those that reach `level`: lists that were reused
 * beside us may name others. */
static quoin_status
gather_all(size_t *n, const hnsw *g, vec_scratch *s, const vec_list *list, uint32_t limit,
           quoin_error *err)
{
  quoin_status st;
  uint32_t count = vec_list_count(list);
  size_t found = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t slot = atomic_load_explicit(&list->links[i], memory_order_acquire);
    if (slot >= limit) continue;
    if ((st = hnsw_need_record(g, slot, err))) return st;
    s->slots[found++] = slot;
  }
  *n = found;
  return QUOIN_OK;
}

quoin_status
hnsw_descend(uint32_t *slot, float *distance, const hnsw *g, vec_scratch *s, uint64_t entry,
             unsigned level, uint32_t limit, quoin_error *err)
{
  quoin_status st;
  *slot = HNSW_NONE;
  if (entry == UINT64_MAX) return QUOIN_OK;
  uint32_t best = (uint32_t)entry;
  if (best >= limit)
    return vec_pages_fail(&g->pages, err, "the entry of the vector graph is no node");
  if ((st = hnsw_need_record(g, best, err))) return st;
  float nearest;
  hnsw_distances(g, s, &s->query, &best, 1, &nearest);
  for (unsigned at = (unsigned)(entry >> 32); at > level; at--) {
    for (bool better = true; better;) {
      vec_list list;
      size_t n;
      better = false;
      if ((st = hnsw_list(&list, g, best, at, err)) ||
          (st = gather_all(&n, g, s, &list, limit, err)))
        return st;
      hnsw_distances(g, s, &s->query, s->slots, n, s->distances);
      for (size_t i = 0; i < n; i++)
        if (s->distances[i] < nearest) {
          nearest = s->distances[i];
          best = s->slots[i];
          better = true;
        }
    }
  }
  *slot = best;
  *distance = nearest;
  return QUOIN_OK;
}

/* Ask for the list of the node that will be expanded next. */
static inline void
prefetch_next(const hnsw *g, const vec_pool *pool)
{
  for (uint32_t i = pool->next; i < pool->n; i++)
    if (!(pool->items[i] & 1)) {
      hnsw_ask_list(g, vec_entry_slot(pool->items[i]));
      return;
    }
}

quoin_status
hnsw_walk_level(const hnsw *g, vec_scratch *s, uint32_t start, float distance, unsigned level,
                uint32_t limit, base_cancel *cancel, quoin_error *err)
{
  quoin_status st;
  uint32_t slot;
  size_t n;
  vec_pool *pool = &s->pool;
  (void)vec_scratch_see(s, start);
  (void)vec_pool_add(pool, vec_entry(distance, start));
  while (vec_pool_take(&slot, pool)) {
    vec_list list;
    if (level == 0)
      list = hnsw_list0(g, slot);
    else if ((st = hnsw_list(&list, g, slot, level, err)))
      return st;
    if ((st = hnsw_gather(&n, g, s, &list, limit, err))) return st;
    if (level == 0) prefetch_next(g, pool);
    hnsw_distances(g, s, &s->query, s->slots, n, s->distances);
    uint64_t worst = pool->n == pool->room ? pool->items[pool->n - 1] : UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
      uint64_t entry = vec_entry(s->distances[i], s->slots[i]);
      if (entry >= worst) continue;
      (void)vec_pool_add(pool, entry);
      if (pool->n == pool->room) worst = pool->items[pool->n - 1];
    }
    if (cancel && (st = base_cancel_check(cancel, err))) return st;
  }
  return QUOIN_OK;
}
