/* vector/hnsw_search.c - searches: which way, and the exact distances at the end.
 *
 * Ways, by how many nodes the filter allows (docs/adrs/0020-vector-graph-pages.md has what was
 * measured): few: every candidate by its code, the best by their vectors, which no walk beats;
 * most: a walk that goes through all nodes and keeps the allowed; between: a walk over allowed
 * nodes and the neighbours of the others. A walk that visits as many nodes as there are candidates
 * gives up for the scan. */
#include "vector/hnsw_search.h"

#include <math.h>
#include <string.h>

#include "base/poison.h"

quoin_status
hnsw_searcher_new(hnsw_searcher **out, const hnsw *g, quoin_error *err)
{
  *out = NULL;
  hnsw_searcher *s = base_new_zero(g->mem, 1, sizeof(*s));
  if (!s) return base_fail_nomem(err);
  s->g = (hnsw *)(uintptr_t)g;
  quoin_status st = vec_scratch_new(&s->scratch, g, err);
  if (st) {
    base_release(g->mem, s, 1, sizeof(*s));
    return st;
  }
  *out = s;
  return QUOIN_OK;
}

void
hnsw_searcher_free(hnsw_searcher *s)
{
  if (!s) return;
  hnsw_walk_stop(s);
  vec_scratch_free(s->scratch);
  base_release(s->g->mem, s, 1, sizeof(*s));
}

/* ---- exact distances
 * ----------------------------------------------------------------------------- */

static bool
hit_before(const hnsw_hit *a, const hnsw_hit *b)
{
  return a->distance < b->distance || (a->distance == b->distance && a->key < b->key);
}

/* Hits kept in a heap, the worst first. */
static void
hits_sift(hnsw_hit *hits, size_t n, hnsw_hit hit)
{
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && hit_before(&hits[child], &hits[child + 1])) child++;
    if (!hit_before(&hit, &hits[child])) break;
    hits[at] = hits[child];
  }
  hits[at] = hit;
}

static void
hits_add(hnsw_hit *hits, size_t *n, size_t k, hnsw_hit hit)
{
  if (*n == k) {
    if (hit_before(&hit, &hits[0])) hits_sift(hits, k, hit);
    return;
  }
  size_t at = (*n)++;
  for (; at > 0 && hit_before(&hits[(at - 1) / 2], &hit); at = (at - 1) / 2)
    hits[at] = hits[(at - 1) / 2];
  hits[at] = hit;
}

static void
hits_sort(hnsw_hit *hits, size_t n)
{
  while (n > 1) {
    hnsw_hit worst = hits[0], last = hits[--n];
    hits_sift(hits, n, last);
    hits[n] = worst;
  }
}

static quoin_status
hit_of(hnsw_hit *out, const hnsw_searcher *s, uint32_t slot, quoin_error *err)
{
  const hnsw *g = s->g;
  quoin_status st = hnsw_need_node(g, slot, err);
  if (st) return st;
  out->slot = slot;
  out->key = atomic_load_explicit(&hnsw_node_at(g, slot)->key, memory_order_relaxed);
  out->row = atomic_load_explicit(&hnsw_node_at(g, slot)->row, memory_order_relaxed);
  const float *vector = hnsw_vector(s->ask->vectors, out->row);
  if (!vector)
    return base_fail(err, QUOIN_ERR_CORRUPT, "the vector of row %u cannot be read", out->row);
  out->distance = vec_exact(g->kernels, g->options.metric, s->ask->query, s->query_norm, vector,
                            g->options.dims);
  return QUOIN_OK;
}

static inline void
find_vector(const hnsw_searcher *s, uint32_t slot)
{
  const hnsw_vectors *v = s->ask->vectors;
  if (hnsw_need_node(s->g, slot, NULL)) return;
  v->find(v->user, atomic_load_explicit(&hnsw_node_at(s->g, slot)->row, memory_order_relaxed));
}

/* Ask for the vector of a slot some steps before it is used. */
static inline void
ask_vector(const hnsw_searcher *s, uint32_t slot)
{
  const hnsw *g = s->g;
  const hnsw_vectors *v = s->ask->vectors;
  if ((!v->base && !v->ask) || hnsw_need_node(g, slot, NULL)) return;
  uint32_t row = atomic_load_explicit(&hnsw_node_at(g, slot)->row, memory_order_relaxed);
  if (v->base)
    vec_row_ask(v->base + v->stride * row, 4 * (size_t)g->options.dims);
  else
    v->ask(v->user, row);
}

/* The k nearest of the slots by their vectors, into hits, sorted. */
static quoin_status
score(hnsw_hit *hits, size_t *n_hits, hnsw_searcher *s, const uint64_t *entries, size_t n, size_t k,
      quoin_error *err)
{
  enum { AHEAD = 32 };
  *n_hits = 0;
  /* Where a vector lies is said by its node and by what keeps the rows: each a miss before it. */
  for (size_t i = 0; i < n && i < AHEAD; i++)
    __builtin_prefetch(hnsw_node_at(s->g, vec_entry_slot(entries[i])));
  for (size_t i = 0; i < n && i < AHEAD && s->ask->vectors->find; i++)
    find_vector(s, vec_entry_slot(entries[i]));
  for (size_t i = 0, asked = 0; i < n; i++) {
    hnsw_hit hit;
    for (; asked < n && asked < i + AHEAD; asked++)
      ask_vector(s, vec_entry_slot(entries[asked]));
    quoin_status st = hit_of(&hit, s, vec_entry_slot(entries[i]), err);
    if (st) return st;
    hits_add(hits, n_hits, k, hit);
  }
  hits_sort(hits, *n_hits);
  return QUOIN_OK;
}

size_t
hnsw_rescored(const hnsw *g, size_t k, size_t ef)
{
  size_t n = ef;
  switch (g->options.code) {
  case VEC_F32:
    n = k + 2; /* the walk's sums differ in the last places only */
    break;
  case VEC_F16:
    n = k + 6;
    break;
  case VEC_I8:
    n = k + k / 2 + 10;
    break;
  case VEC_B1:
    break;
  }
  return n < ef ? n : ef;
}

/* ---- scans
 * ----------------------------------------------------------------------------------------- */

static inline bool
is_wanted(const hnsw_searcher *s, uint32_t slot)
{
  return (!s->ask->filter || vec_bitmap_has(s->ask->filter, slot)) &&
         (hnsw_flags(s->g, slot) & NODE_LIVE);
}

/* The next wanted slot at or after `slot`, its page verified; HNSW_NONE after the last. */
static quoin_status
next_wanted(uint32_t *out, const hnsw_searcher *s, uint32_t slot, quoin_error *err)
{
  quoin_status st;
  const vec_bitmap *filter = s->ask->filter;
  for (;; slot++) {
    if (filter) slot = vec_bitmap_next(filter, slot);
    if (slot >= s->limit) break;
    if ((st = hnsw_need_record(s->g, slot, err))) return st;
    if (hnsw_flags(s->g, slot) & NODE_LIVE) {
      *out = slot;
      return QUOIN_OK;
    }
  }
  *out = HNSW_NONE;
  return QUOIN_OK;
}

static quoin_status
scan_exact(hnsw_hit *hits, size_t *n, hnsw_searcher *s, quoin_error *err)
{
  quoin_status st;
  uint32_t slot;
  *n = 0;
  for (uint32_t from = 0;; from = slot + 1) {
    hnsw_hit hit;
    if ((st = next_wanted(&slot, s, from, err))) return st;
    if (slot == HNSW_NONE) break;
    if ((st = hit_of(&hit, s, slot, err))) return st;
    hits_add(hits, n, s->ask->k, hit);
    s->scratch->visits++;
    if (s->ask->cancel && (st = base_cancel_check(s->ask->cancel, err))) return st;
  }
  hits_sort(hits, *n);
  return QUOIN_OK;
}

/* Every candidate by its code, the best again by their vectors. */
static quoin_status
scan_codes(hnsw_hit *hits, size_t *n_hits, hnsw_searcher *s, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  size_t most = 4 * s->ask->k + 40, effort = hnsw_effort(s->g->options.code, s->ask->k);
  size_t keep = hnsw_rescored(s->g, s->ask->k, most > effort ? most : effort);
  if ((st = vec_scratch_begin(w, s->g, keep, err))) return st;
  for (uint32_t from = 0; from != HNSW_NONE;) {
    size_t n = 0;
    while (n < BATCH_MAX && from != HNSW_NONE) {
      uint32_t slot = s->ask->filter ? vec_bitmap_next(s->ask->filter, from) : from;
      from = slot >= s->limit ? HNSW_NONE : slot + 1;
      if (from == HNSW_NONE) break;
      if ((st = hnsw_need_record(s->g, slot, err))) return st;
      w->slots[n++] = slot;
    }
    hnsw_distances(s->g, w, &w->query, w->slots, n, w->distances);
    for (size_t i = 0; i < n; i++) { /* whether it lives is asked of the few that are near */
      uint64_t entry = vec_entry(w->distances[i], w->slots[i]);
      if (w->pool.n == w->pool.room && entry >= w->pool.items[w->pool.n - 1]) continue;
      if (hnsw_flags(s->g, w->slots[i]) & NODE_LIVE) (void)vec_pool_add(&w->pool, entry);
    }
    if (s->ask->cancel && (st = base_cancel_check(s->ask->cancel, err))) return st;
  }
  return score(hits, n_hits, s, w->pool.items, w->pool.n, s->ask->k, err);
}

/* ---- walks
 * ------------------------------------------------------------------------------------------- */

static quoin_status
walk_plain(hnsw_hit *hits, size_t *n_hits, hnsw_searcher *s, quoin_error *err)
{
  quoin_status st;
  const hnsw *g = s->g;
  vec_scratch *w = s->scratch;
  uint32_t start, deleted = atomic_load_explicit(&g->deleted, memory_order_relaxed);
  float distance;
  size_t ef = s->ef, n = 0;
  *n_hits = 0;
  /* deleted nodes take up places */
  if (deleted) ef += (size_t)((double)ef * deleted / (hnsw_count(g) + 1.0)) + 1;
  if (ef > (size_t)s->limit + 1) ef = (size_t)s->limit + 1;
  if ((st = vec_scratch_begin(w, g, ef, err))) return st;
  if ((st = hnsw_descend(&start, &distance, g, w, s->entry, 0, s->limit, err)) ||
      start == HNSW_NONE)
    return st;
  if ((st = hnsw_walk_level(g, w, start, distance, 0, s->limit, s->ask->cancel, err))) return st;
  size_t most = hnsw_rescored(g, s->ask->k, s->ef);
  for (uint32_t i = 0; i < w->pool.n && n < most; i++)
    if (hnsw_flags(g, vec_entry_slot(w->pool.items[i])) & NODE_LIVE)
      w->pool.items[n++] = w->pool.items[i];
  return score(hits, n_hits, s, w->pool.items, n, s->ask->k, err);
}

/* Into w->slots: the wanted nodes among the unseen neighbours of `slot`; two_hop: and among the
 * neighbours of those that are not wanted, as long as there is room. */
static quoin_status
gather_wanted(size_t *n, hnsw_searcher *s, uint32_t slot, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  size_t found = 0, others = 0, most = s->g->m0;
  uint32_t other[LINKS_MAX];
  vec_list list = hnsw_list0(s->g, slot);
  if ((st = hnsw_gather(n, s->g, w, &list, s->limit, err))) return st;
  for (size_t i = 0; i < *n; i++) {
    if (is_wanted(s, w->slots[i]))
      w->slots[found++] = w->slots[i];
    else
      other[others++] = w->slots[i];
  }
  for (size_t i = 0; i < others && found < most; i++) {
    list = hnsw_list0(s->g, other[i]);
    uint32_t count = vec_list_count(&list);
    if (i + 1 < others) __builtin_prefetch(hnsw_record(s->g, other[i + 1]) + s->g->head_at);
    for (uint32_t j = 0; j < count; j++) {
      uint32_t far = atomic_load_explicit(&list.links[j], memory_order_acquire);
      if (far >= s->limit || w->seen[far] == w->stamp) continue;
      if (!vec_bitmap_has(s->ask->filter, far)) continue; /* it may lead on from nearer by */
      if ((st = hnsw_need_record(s->g, far, err))) return st;
      if (!(hnsw_flags(s->g, far) & NODE_LIVE)) continue;
      (void)vec_scratch_see(w, far);
      w->slots[found++] = far;
    }
  }
  *n = found;
  return QUOIN_OK;
}

/* Walk until ef wanted nodes are nearer than all that is left to expand; *gave_up when the visits
 * pass the cap or the walk ends with too few. */
static quoin_status
walk_filtered(hnsw_hit *hits, size_t *n_hits, bool *gave_up, hnsw_searcher *s, bool two_hop,
              quoin_error *err)
{
  quoin_status st;
  const hnsw *g = s->g;
  vec_scratch *w = s->scratch;
  uint32_t start;
  float distance;
  size_t n;
  uint64_t cap = w->visits + s->candidates;
  *gave_up = true;
  if ((st = vec_scratch_begin(w, g, s->ef, err))) return st;
  if ((st = hnsw_descend(&start, &distance, g, w, s->entry, 0, s->limit, err)) ||
      start == HNSW_NONE)
    return st;
  (void)vec_scratch_see(w, start);
  if (is_wanted(s, start)) (void)vec_pool_add(&w->pool, vec_entry(distance, start));
  if ((st = vec_queue_push(&w->queue, w->mem, vec_entry(distance, start), err))) return st;
  while (w->queue.n) {
    uint64_t entry = vec_queue_pop(&w->queue);
    if (w->pool.n == w->pool.room && entry > w->pool.items[w->pool.n - 1]) break;
    if (w->visits > cap) return QUOIN_OK;
    uint32_t slot = vec_entry_slot(entry);
    vec_list list = hnsw_list0(g, slot);
    if ((st = two_hop ? gather_wanted(&n, s, slot, err)
                      : hnsw_gather(&n, g, w, &list, s->limit, err)))
      return st;
    hnsw_distances(g, w, &w->query, w->slots, n, w->distances);
    for (size_t i = 0; i < n; i++) {
      entry = vec_entry(w->distances[i], w->slots[i]);
      if (w->pool.n == w->pool.room && entry >= w->pool.items[w->pool.n - 1]) continue;
      if ((st = vec_queue_push(&w->queue, w->mem, entry, err))) return st;
      if (two_hop || is_wanted(s, w->slots[i])) (void)vec_pool_add(&w->pool, entry);
    }
    if (s->ask->cancel && (st = base_cancel_check(s->ask->cancel, err))) return st;
  }
  if (w->pool.n < s->ask->k) return QUOIN_OK;
  *gave_up = false;
  size_t most = hnsw_rescored(g, s->ask->k, w->pool.n);
  return score(hits, n_hits, s, w->pool.items, most, s->ask->k, err);
}

/* ---- the choice
 * ---------------------------------------------------------------------------------------- */

/* Of `live` nodes `candidates` are allowed: what a walk would visit, by what was measured: about 16
 * nodes for each place of ef without a filter, and the inverse of the share as many with one. */
static hnsw_way
choose(const hnsw_searcher *s, uint32_t live)
{
  if (s->ask->exact) return HNSW_WAY_EXACT;
  if (!s->ask->filter) return HNSW_WAY_GRAPH;
  double share = (double)s->candidates / (live ? live : 1);
  double visits = 16.0 * (double)s->ef / (share > 0 ? share : 1);
  if (share < 0.4) visits *= 0.5; /* two hops save the distances of nodes that are not allowed */
  /* nodes in the order of the slots cost half of those a walk jumps to */
  if (0.5 * (double)s->candidates <= visits) return HNSW_WAY_CODES;
  return share < 0.4 ? HNSW_WAY_TWO_HOP : HNSW_WAY_FILTERED;
}

static void
searcher_begin(hnsw_searcher *s, const hnsw_ask *ask)
{
  const hnsw *g = s->g;
  s->ask = ask;
  s->entry = hnsw_entry(g); /* before the limit */
  s->limit = hnsw_slots(g);
  s->ef = ask->ef ? ask->ef : hnsw_effort(g->options.code, ask->k);
  if (s->ef < ask->k) s->ef = ask->k;
  if (s->ef > (size_t)s->limit + 1) s->ef = (size_t)s->limit + 1;
  s->query_norm = g->options.metric == VEC_COSINE
                      ? g->kernels->exact_dot(ask->query, ask->query, g->options.dims)
                      : 0;
  s->scratch->visits = 0;
  vec_query_set(&s->scratch->query, s->scratch->query_space, g->options.code, g->options.metric,
                ask->query, g->options.dims);
}

static quoin_status
run(hnsw_hit *hits, size_t *n, hnsw_searcher *s, hnsw_way *way, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  bool gave_up = false;
  uint32_t live = hnsw_count(s->g);
  s->candidates = s->ask->filter ? s->ask->filter->set : live;
  switch (*way = choose(s, live)) {
  case HNSW_WAY_EXACT:
  case HNSW_WAY_FALLBACK:
    return scan_exact(hits, n, s, err);
  case HNSW_WAY_CODES:
    return scan_codes(hits, n, s, err);
  case HNSW_WAY_GRAPH:
    st = walk_plain(hits, n, s, err);
    gave_up = *n < s->ask->k && *n < live;
    break;
  case HNSW_WAY_FILTERED:
  case HNSW_WAY_TWO_HOP:
    st = walk_filtered(hits, n, &gave_up, s, *way == HNSW_WAY_TWO_HOP, err);
    break;
  }
  if (st || !gave_up) return st;
  *way = HNSW_WAY_FALLBACK;
  return scan_codes(hits, n, s, err);
}

quoin_status
hnsw_search(hnsw_hit *hits, size_t *n, hnsw_searcher *s, const hnsw_ask *ask, hnsw_report *report,
            quoin_error *err)
{
  assert(ask->k >= 1 && !s->walking);
  hnsw_way way = HNSW_WAY_GRAPH;
  *n = 0;
  uint64_t epoch = hnsw_enter(s->g);
  searcher_begin(s, ask);
  quoin_status st = run(hits, n, s, &way, err);
  hnsw_leave(s->g, epoch);
  if (report) *report = (hnsw_report){.way = way, .visits = s->scratch->visits};
  return st;
}

/* ---- walks without an end
 * ---------------------------------------------------------------------------------
 *
 * `queue` holds the nodes to expand, `later` those found and not given out yet, both nearest first.
 * A batch is complete when it holds ef nodes nearer than all that is left to expand; nothing is
 * ever dropped, so that the next batch goes on from there. */

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
  searcher_begin(s, ask);
  if ((st = vec_scratch_begin(w, s->g, s->ef, err)) ||
      (st = hnsw_descend(&start, &distance, s->g, w, s->entry, 0, s->limit, err)))
    goto done;
  s->sweep_from = 0;
  if (start == HNSW_NONE) goto done;
  (void)vec_scratch_see(w, start);
  if ((st = vec_queue_push(&w->queue, w->mem, vec_entry(distance, start), err))) goto done;
  if (is_wanted(s, start)) st = vec_queue_push(&w->later, w->mem, vec_entry(distance, start), err);

done:
  if (st) hnsw_walk_stop(s);
  return st;
}

/* The walk has ended: what it did not reach, in the order of the slots. */
static quoin_status
sweep_unseen(hnsw_searcher *s, size_t want, quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  while (w->later.n < want && s->sweep_from != HNSW_NONE) {
    uint32_t slot;
    float distance;
    if ((st = next_wanted(&slot, s, s->sweep_from, err))) return st;
    s->sweep_from = slot == HNSW_NONE ? slot : slot + 1;
    if (slot == HNSW_NONE || !vec_scratch_see(w, slot)) continue;
    hnsw_distances(s->g, w, &w->query, &slot, 1, &distance);
    if ((st = vec_queue_push(&w->later, w->mem, vec_entry(distance, slot), err))) return st;
  }
  return QUOIN_OK;
}

/* Go on until `want` nodes of `later` are nearer than the best unexpanded one. */
static quoin_status
walk_on(hnsw_searcher *s, size_t want, quoin_error *err)
{
  quoin_status st;
  size_t n;
  vec_scratch *w = s->scratch;
  w->pool.n = w->pool.next = 0; /* here the `want` best of `later`: its last is the bound */
  w->pool.room = (uint32_t)want;
  for (size_t i = 0; i < w->later.n; i++)
    (void)vec_pool_add(&w->pool, w->later.items[i]);
  while (w->queue.n &&
         (w->pool.n < w->pool.room || w->queue.items[0] <= w->pool.items[w->pool.n - 1])) {
    uint32_t slot = vec_entry_slot(vec_queue_pop(&w->queue));
    vec_list list = hnsw_list0(s->g, slot);
    if ((st = hnsw_gather(&n, s->g, w, &list, s->limit, err))) return st;
    hnsw_distances(s->g, w, &w->query, w->slots, n, w->distances);
    for (size_t i = 0; i < n; i++) {
      uint64_t entry = vec_entry(w->distances[i], w->slots[i]);
      if ((st = vec_queue_push(&w->queue, w->mem, entry, err))) return st;
      if (!is_wanted(s, w->slots[i])) continue;
      if ((st = vec_queue_push(&w->later, w->mem, entry, err))) return st;
      (void)vec_pool_add(&w->pool, entry);
    }
    if (s->ask->cancel && (st = base_cancel_check(s->ask->cancel, err))) return st;
  }
  return w->queue.n ? QUOIN_OK : sweep_unseen(s, want, err);
}

quoin_status
hnsw_walk_next(hnsw_hit *hits, size_t room, size_t *n, hnsw_searcher *s, hnsw_report *report,
               quoin_error *err)
{
  quoin_status st;
  vec_scratch *w = s->scratch;
  assert(s->walking && room > 0);
  *n = 0;
  if ((st = walk_on(s, s->ef, err))) return st;
  size_t give = hnsw_rescored(s->g, s->ask->k, s->ef);
  if (give > room) give = room;
  while (*n < give && w->later.n) {
    if ((st = hit_of(&hits[*n], s, vec_entry_slot(vec_queue_pop(&w->later)), err))) return st;
    (*n)++;
  }
  size_t heap = 0; /* sort by exact distance: a heap in place, then in order */
  for (size_t i = 0; i < *n; i++)
    hits_add(hits, &heap, *n, hits[i]);
  hits_sort(hits, *n);
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
