/* vector/hnsw_resume.c - walks without an end.
 *
 * `queue` holds the nodes to expand, nearest first. Of those found and not given out yet `pool` has
 * the best, as a heap, ef and as many as were given out, and `later` the others. A step is complete
 * when the pool is full of nodes nearer than all that is left to expand; nothing is ever dropped,
 * so that the next step goes on from there.
 *
 * Who asks for another step did not find enough among the nodes given: what is near to the query
 * may not count, and a walk comes from one part of the graph to whatever other is linked to it. So
 * each further step takes in as many nodes drawn by lot as the one before gave. */
#include "vector/hnsw_search.h"

#include <string.h>

#include "base/poison.h"

static quoin_status
found(hnsw_searcher *s, uint64_t entry, quoin_error *err)
{
  vec_scratch *w = s->scratch;
  uint64_t other = entry;
  if (vec_heap_takes(&w->pool, entry)) {
    bool full = w->pool.n == w->pool.room;
    other = w->pool.items[0];
    (void)vec_heap_add(&w->pool, entry);
    if (!full) return QUOIN_OK;
  }
  return vec_queue_push(&w->later, w->mem, other, err);
}

quoin_status
hnsw_take_all(hnsw_searcher *s, size_t n, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  hnsw_distances(s->g, w, &w->query, w->slots, n, w->distances);
  for (size_t i = 0; i < n; i++) {
    uint64_t entry = vec_entry(w->distances[i], w->slots[i]);
    if ((st = vec_queue_push(&w->queue, w->mem, entry, err))) return st;
    if (hnsw_is_allowed(s, w->slots[i]) && hnsw_flags(s->g, w->slots[i]) & NODE_LIVE &&
        (st = found(s, entry, err)))
      return st;
  }
  return QUOIN_OK;
}

quoin_status
hnsw_walk_start(hnsw_searcher *s, const hnsw_ask *ask, quoin_error *err)
{
  quoin_status st;
  uint32_t start;
  float distance;
  assert(!s->walking);
  s->epoch = hnsw_enter(s->g);
  s->walking = true;
  vec_scratch *w = s->scratch;
  hnsw_searcher_begin(s, ask);
  s->sweep_from = 0;
  s->gave = s->given = 0;
  if ((st = vec_scratch_begin(w, s->g, s->ef, err)) ||
      (st = hnsw_descend(&start, &distance, s->g, w, s->entry, 0, s->limit, err)) ||
      start == HNSW_NONE)
    goto done;
  (void)vec_scratch_see(w, start);
  w->slots[0] = start;
  st = hnsw_take_all(s, 1, err);

done:
  if (st) hnsw_walk_stop(s);
  return st;
}

/* The walk has ended: what it did not reach, in the order of the slots. */
static quoin_status
sweep_unseen(hnsw_searcher *s, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  while (w->pool.n < w->pool.room && s->sweep_from != HNSW_NONE) {
    uint32_t slot;
    float distance;
    if ((st = hnsw_next_wanted(&slot, s, s->sweep_from, err))) return st;
    s->sweep_from = slot == HNSW_NONE ? slot : slot + 1;
    if (slot == HNSW_NONE || !vec_scratch_see(w, slot)) continue;
    hnsw_distances(s->g, w, &w->query, &slot, 1, &distance);
    if ((st = found(s, vec_entry(distance, slot), err))) return st;
  }
  return QUOIN_OK;
}

quoin_status
hnsw_draw(size_t *n_drawn, hnsw_searcher *s, size_t n, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  const vec_bitmap *filter = s->ask->filter;
  *n_drawn = 0;
  for (size_t i = 0; i < n && i < BATCH_MAX; i++) {
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint32_t slot = (uint32_t)((s->random >> 32) * s->limit >> 32);
    if (filter) slot = vec_bitmap_next(filter, slot);
    if (slot >= s->limit) continue;
    if ((st = hnsw_need_record(s->g, slot, err))) return st;
    /* no link led there: another node may be on its way into the slot */
    if (!filter && !(hnsw_flags(s->g, slot) & NODE_LIVE)) continue;
    if (!vec_scratch_see(w, slot)) continue;
    vec_row_ask(hnsw_record(s->g, slot), s->g->head_at);
    w->slots[(*n_drawn)++] = slot;
  }
  return hnsw_take_all(s, *n_drawn, err);
}

quoin_status
hnsw_expand(hnsw_searcher *s, uint32_t slot, quoin_error *err)
{
  size_t n;
  vec_scratch *w = s->scratch;
  const vec_list list = hnsw_list0(s->g, slot);
  quoin_status st = s->apart ? hnsw_gather_apart(&n, s, slot, err)
                             : hnsw_gather(&n, s->g, w, &list, s->limit, err);
  if (!st && w->queue.n) hnsw_ask_list(s->g, vec_entry_slot(w->queue.items[0]));
  if (!st) st = hnsw_take_all(s, n, err);
  if (!st && s->ask->cancel) st = base_cancel_check(s->ask->cancel, err);
  return st;
}

quoin_status
hnsw_walk_on(hnsw_searcher *s, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  vec_scratch *w = s->scratch;
  while (w->pool.n < w->pool.room && w->later.n)
    (void)vec_heap_add(&w->pool, vec_queue_pop(&w->later));
  while (!st && w->queue.n && vec_heap_takes(&w->pool, w->queue.items[0]) &&
         w->visits + s->lists <= s->most_visits)
    st = hnsw_expand(s, vec_entry_slot(vec_queue_pop(&w->queue)), err);
  return st;
}

void
hnsw_pool_drop(vec_pool *pool, uint32_t gone)
{
  pool->n -= gone;
  memmove(pool->items, pool->items + gone, pool->n * sizeof(uint64_t));
  for (uint32_t i = 0; i < pool->n / 2; i++) { /* the worst first: that is a heap */
    uint64_t item = pool->items[i];
    pool->items[i] = pool->items[pool->n - 1 - i];
    pool->items[pool->n - 1 - i] = item;
  }
}

quoin_status
hnsw_walk_next(hnsw_hit *hits, size_t room, size_t *n, hnsw_searcher *s, hnsw_report *report,
               quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  vec_scratch *w = s->scratch;
  vec_pool *pool = &w->pool;
  assert(s->walking && room > 0);
  *n = 0;
  if (s->given && w->queue.n) /* with no more to expand the sweep comes to all */
    st = hnsw_draw(n, s, s->gave, err);
  if (!st) st = vec_scratch_widen(w, s->ef + s->given, err);
  if (!st) st = hnsw_walk_on(s, err);
  if (!st && !w->queue.n) st = sweep_unseen(s, err);
  if (st) return st;
  vec_heap_sort(pool);
  size_t give = hnsw_rescored(s->g, s->ask->k, s->ef);
  if (give > room) give = room;
  if (give > pool->n) give = pool->n;
  if ((st = hnsw_score(hits, n, s, pool->items, give, give, err))) return st;
  s->gave = give;
  s->given += give;
  hnsw_pool_drop(pool, (uint32_t)give);
  if (report) *report = (hnsw_report){.way = HNSW_WAY_GRAPH, .visits = w->visits};
  return *n ? QUOIN_OK : QUOIN_DONE;
}

void
hnsw_walk_stop(hnsw_searcher *s)
{
  if (!s->walking) return;
  s->walking = false;
  hnsw_leave(s->g, s->epoch);
}
