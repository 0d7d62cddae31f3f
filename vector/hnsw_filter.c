/* vector/hnsw_filter.c - walks that are told which nodes count.
 *
 * A walk goes through all nodes and keeps those that count: it takes the way of one without a
 * filter, and as many more visits as fewer count. Where what is near to the query does not count,
 * it would go through all of that first, and end in whatever part of the graph it comes to next. So
 * when it met far fewer that count than there are on the whole, it begins again among those alone:
 * from the nearest of some drawn by lot, and over the neighbours of neighbours that do not count
 * (docs/adrs/0047-filters-by-cost.md has what was measured). */
#include "vector/hnsw_search.h"

#include "base/poison.h"

enum {
  DRAWN = 256,          /* of a part that holds a twentieth of what counts, a dozen */
  ENTRIES = 16,         /* the nearest of them, expanded whatever else was found */
  SUSPECT = 16,         /* nodes that should have been met before their lack says something */
  SCAN_SURELY = 1000000 /* ns: rather than a walk of which nothing says how right it is */
};

static inline bool
has_visited_most(const hnsw_searcher *s)
{
  return s->scratch->visits + s->lists > s->most_visits;
}

/* ---- among those that count
 * -------------------------------------------------------------------------- */

/* Into w->slots those that count among the unseen nodes of a list; into others, the rest. */
static quoin_status
gather_near(size_t *n, uint32_t *others, size_t *n_others, const hnsw_searcher *s,
            const vec_list *list, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  uint32_t count = vec_list_count(list);
  *n = *n_others = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t slot = atomic_load_explicit(&list->links[i], memory_order_acquire);
    if (slot >= s->limit || !vec_scratch_see(w, slot)) continue;
    if ((st = hnsw_need_record(s->g, slot, err))) return st;
    if (hnsw_is_allowed(s, slot)) {
      vec_row_ask(hnsw_record(s->g, slot), s->g->head_at);
      w->slots[(*n)++] = slot;
    } else {
      hnsw_ask_list(s->g, slot);
      others[(*n_others)++] = slot;
    }
  }
  return QUOIN_OK;
}

quoin_status
hnsw_gather_apart(size_t *n, hnsw_searcher *s, uint32_t slot, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  uint32_t others[LINKS_MAX];
  size_t n_others;
  const vec_list list = hnsw_list0(s->g, slot);
  if ((st = gather_near(n, others, &n_others, s, &list, err))) return st;
  s->lists += n_others;
  for (size_t i = 0; i < n_others; i++) {
    const vec_list far = hnsw_list0(s->g, others[i]);
    uint32_t count = vec_list_count(&far);
    for (uint32_t j = 0; j < count && *n < BATCH_MAX; j++) {
      uint32_t next = atomic_load_explicit(&far.links[j], memory_order_acquire);
      if (next >= s->limit || !hnsw_is_allowed(s, next) || !vec_scratch_see(w, next)) continue;
      if ((st = hnsw_need_record(s->g, next, err))) return st;
      vec_row_ask(hnsw_record(s->g, next), s->g->head_at);
      w->slots[(*n)++] = next;
    }
  }
  return QUOIN_OK;
}

/* Begin again, with those found and some drawn by lot. */
static quoin_status
begin_apart(hnsw_searcher *s, quoin_error *err)
{
  vec_scratch *w = s->scratch;
  size_t n, found = w->pool.n;
  uint64_t near[ENTRIES];
  vec_pool nearest = {.items = near, .room = ENTRIES};
  s->apart = true;
  quoin_status st = vec_scratch_begin(w, s->g, s->ef, err); /* what is in the pool stays in it */
  if (st) return st;
  w->pool.n = (uint32_t)found;
  for (uint32_t i = 0; i < found; i++) {
    (void)vec_scratch_see(w, vec_entry_slot(w->pool.items[i]));
    if ((st = vec_queue_push(&w->queue, w->mem, w->pool.items[i], err))) return st;
  }
  if ((st = hnsw_draw(&n, s, DRAWN, err))) return st;
  for (size_t i = 0; i < n; i++) /* the draw left their distances */
    (void)vec_heap_add(&nearest, vec_entry(w->distances[i], w->slots[i]));
  for (uint32_t i = 0; !st && i < nearest.n; i++)
    st = hnsw_expand(s, vec_entry_slot(near[i]), err);
  return st;
}

/* From outside of what counts the nearest are hard to tell from those around them, and an effort
 * that does elsewhere does not. So it is doubled until that changes nothing, or next to nothing.
 * The pool is sorted in the end. */
static quoin_status
walk_apart(hnsw_searcher *s, quoin_error *err)
{
  vec_scratch *w = s->scratch;
  vec_pool *pool = &w->pool;
  size_t k = s->ask->k;
  uint64_t kth = 0; /* of the effort before */
  quoin_status st = begin_apart(s, err);
  while (!st && !(st = hnsw_walk_on(s, err))) {
    size_t nearer = 0;
    vec_heap_sort(pool);
    if (has_visited_most(s) || !w->queue.n || pool->n < k) break;
    while (nearer < pool->n && pool->items[nearer] <= kth)
      nearer++;
    if (kth && nearer <= k + k / 20) break;
    kth = pool->items[k - 1];
    hnsw_pool_drop(pool, 0);
    st = vec_scratch_widen(w, 2 * (size_t)pool->room, err);
  }
  return st;
}

/* ---- through all
 * ------------------------------------------------------------------------------------ */

typedef struct tally {
  double share;         /* of the nodes that count */
  uint64_t met, wanted; /* nodes, those of them that count */
} tally;

/* Far fewer that count than in the whole graph. */
static inline bool
lacks_what_counts(const tally *t)
{
  double expected = (double)t->met * t->share;
  return expected >= SUSPECT && 4.0 * (double)t->wanted < expected;
}

/* Distances of the n nodes of w->slots; those that are near enough are to be expanded, and kept if
 * they count. */
static quoin_status
take_near(tally *t, const hnsw_searcher *s, size_t n, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  hnsw_distances(s->g, w, &w->query, w->slots, n, w->distances);
  t->met += n;
  for (size_t i = 0; i < n; i++) {
    uint64_t entry = vec_entry(w->distances[i], w->slots[i]);
    bool counts = hnsw_is_allowed(s, w->slots[i]);
    t->wanted += counts;
    if (!vec_heap_takes(&w->pool, entry)) continue;
    if ((st = vec_queue_push(&w->queue, w->mem, entry, err))) return st;
    if (counts && hnsw_flags(s->g, w->slots[i]) & NODE_LIVE) (void)vec_heap_add(&w->pool, entry);
  }
  return QUOIN_OK;
}

static quoin_status
enter(tally *t, hnsw_searcher *s, quoin_error *err)
{
  uint32_t start;
  float distance;
  vec_scratch *w = s->scratch;
  quoin_status st = vec_scratch_begin(w, s->g, s->ef, err);
  if (!st) st = hnsw_descend(&start, &distance, s->g, w, s->entry, 0, s->limit, err);
  if (st || start == HNSW_NONE) return st;
  (void)vec_scratch_see(w, start);
  w->slots[0] = start;
  return take_near(t, s, 1, err);
}

/* Until the pool is nearer than all that is left; *lacking: what is near does not count. */
static quoin_status
walk_through(bool *lacking, hnsw_searcher *s, quoin_error *err)
{
  quoin_status st;
  size_t n;
  vec_scratch *w = s->scratch;
  uint32_t live = hnsw_count(s->g);
  tally t = {.share = live && s->candidates < live ? (double)s->candidates / live : 1};
  if ((st = enter(&t, s, err))) return st;
  while (w->queue.n && !has_visited_most(s)) {
    uint64_t entry = vec_queue_pop(&w->queue);
    if (!vec_heap_takes(&w->pool, entry)) break;
    if ((*lacking = lacks_what_counts(&t))) break;
    const vec_list list = hnsw_list0(s->g, vec_entry_slot(entry));
    if ((st = hnsw_gather(&n, s->g, w, &list, s->limit, err))) return st;
    if (w->queue.n) hnsw_ask_list(s->g, vec_entry_slot(w->queue.items[0]));
    if ((st = take_near(&t, s, n, err))) return st;
    if (s->ask->cancel && (st = base_cancel_check(s->ask->cancel, err))) return st;
  }
  return QUOIN_OK;
}

quoin_status
hnsw_walk_filtered(hnsw_hit *hits, size_t *n_hits, bool *gave_up, hnsw_way *way, hnsw_searcher *s,
                   quoin_error *err)
{
  vec_scratch *w = s->scratch;
  bool apart = false;
  *gave_up = true;
  quoin_status st = walk_through(&apart, s, err);
  if (!st && apart && s->scan_ns <= SCAN_SURELY) return QUOIN_OK;
  if (!st && apart) {
    *way = HNSW_WAY_TWO_HOP;
    st = walk_apart(s, err);
  } else if (!st) {
    vec_heap_sort(&w->pool);
  }
  *gave_up = has_visited_most(s) || w->pool.n < s->ask->k;
  if (st || *gave_up) return st;
  size_t most = hnsw_rescored(s->g, s->ask->k, w->pool.n);
  return hnsw_score(hits, n_hits, s, w->pool.items, most, s->ask->k, err);
}
