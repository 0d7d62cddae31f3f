/* vector/hnsw_search.c - searches: which way, and the exact distances at the end.
 *
 * Ways, by what they are estimated to cost (docs/adrs/0047-filters-by-cost.md has what was
 * measured): every candidate by its code, the best by their vectors; or a walk that goes through
 * all nodes and keeps the allowed (hnsw_filter.c). A walk whose visits have cost as much as that
 * scan gives up for it. */
#include "vector/hnsw_search.h"

#include <math.h>
#include <string.h>

#include "base/poison.h"

enum {
  WIDE = 1024 /* places of a walk: from here on a heap keeps them in less time than an array */
};

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

quoin_status
hnsw_score(hnsw_hit *hits, size_t *n_hits, hnsw_searcher *s, const uint64_t *entries, size_t n,
           size_t k, quoin_error *err)
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

quoin_status
hnsw_next_wanted(uint32_t *out, const hnsw_searcher *s, uint32_t slot, quoin_error *err)
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
    if ((st = hnsw_next_wanted(&slot, s, from, err))) return st;
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
      /* candidates keep their slots; else another node may be on its way into this one */
      if (s->ask->filter || hnsw_flags(s->g, slot) & NODE_LIVE) w->slots[n++] = slot;
    }
    hnsw_distances(s->g, w, &w->query, w->slots, n, w->distances);
    for (size_t i = 0; i < n; i++) { /* whether it lives is asked of the few that are near */
      uint64_t entry = vec_entry(w->distances[i], w->slots[i]);
      if (!vec_heap_takes(&w->pool, entry)) continue;
      if (hnsw_flags(s->g, w->slots[i]) & NODE_LIVE) (void)vec_heap_add(&w->pool, entry);
    }
    if (s->ask->cancel && (st = base_cancel_check(s->ask->cancel, err))) return st;
  }
  vec_heap_sort(&w->pool);
  return hnsw_score(hits, n_hits, s, w->pool.items, w->pool.n, s->ask->k, err);
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
  return hnsw_score(hits, n_hits, s, w->pool.items, n, s->ask->k, err);
}

/* ---- the choice
 * ---------------------------------------------------------------------------------------- */

/* What was measured (docs/adrs/0047-filters-by-cost.md), in nanoseconds. */
enum {
  HOP_NS = 20,  /* a node that a walk comes to, and one for each NS_BYTES of its code, */
  MISS_NS = 25, /* and this where the records are CACHED_MB or more */
  CACHED_MB = 32,
  SCAN_NS = 9, /* the next node in the order of the slots */
  NS_BYTES = 24,
  MARGIN = 64,         /* what hnsw_effort adds to k */
  MARGIN_LEAST = 8,    /* of it, however few count */
  VISITS_OF_PLACE = 12 /* nodes that a walk visits for each it is to find, counting or not */
};

double
hnsw_hop_ns(const hnsw *g)
{
  double cached = (double)hnsw_count(g) * (double)g->record_bytes / (CACHED_MB * 1048576.0);
  return HOP_NS + MISS_NS * (cached < 1 ? cached : 1) + (double)g->head_at / NS_BYTES;
}

static double
scan_ns(const hnsw *g)
{
  return SCAN_NS + (double)g->head_at / NS_BYTES;
}

double
hnsw_walk_visits(const hnsw *g, double nodes)
{
  double visits = VISITS_OF_PLACE * nodes, live = hnsw_count(g);
  return visits < live ? visits : live;
}

/* Of a walk that keeps those that count: it goes through as many nodes as one that looks for all
 * nodes up to the k-th of them, so only what it finds beside them shrinks with their share. */
static size_t
filtered_effort(vec_code code, size_t k, double share)
{
  size_t all = hnsw_effort(code, k);
  double places = (double)k + MARGIN_LEAST + (MARGIN - MARGIN_LEAST) * share;
  return (size_t)((double)all * places / (double)(k + MARGIN));
}

double
hnsw_filtered_ns(hnsw_way *way, const hnsw *g, size_t k, size_t ef, double candidates)
{
  double live = hnsw_count(g), share = candidates < live ? candidates / live : 1;
  double places = (double)(ef ? ef : filtered_effort(g->options.code, k, share));
  double scan = candidates * scan_ns(g), walk = HUGE_VAL;
  if (share > 0) walk = hnsw_walk_visits(g, places / share) * hnsw_hop_ns(g);
  *way = scan <= 1.25 * walk /* it misses nothing */ ? HNSW_WAY_CODES : HNSW_WAY_FILTERED;
  return scan < walk ? scan : walk;
}

/* Among the nodes that the filter allows: the effort of a walk, and how many visits cost as much as
 * a scan of all of them. */
static hnsw_way
choose_filtered(hnsw_searcher *s, uint32_t live)
{
  hnsw_way way;
  const hnsw *g = s->g;
  double share = live && s->candidates < live ? (double)s->candidates / live : 1;
  (void)hnsw_filtered_ns(&way, g, s->ask->k, s->ask->ef, s->candidates);
  s->scan_ns = s->candidates * scan_ns(g);
  s->most_visits = (uint64_t)(s->scan_ns / hnsw_hop_ns(g));
  if (!s->ask->ef) s->ef = filtered_effort(g->options.code, s->ask->k, share);
  return way;
}

void
hnsw_searcher_begin(hnsw_searcher *s, const hnsw_ask *ask)
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
  s->most_visits = UINT64_MAX;
  s->random = 1;
  s->lists = 0;
  s->apart = false;
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
  *way = HNSW_WAY_GRAPH;
  if (s->ask->exact)
    *way = HNSW_WAY_EXACT;
  else if (s->ask->filter)
    *way = choose_filtered(s, live);
  switch (*way) {
  case HNSW_WAY_EXACT:
  case HNSW_WAY_FALLBACK:
    return scan_exact(hits, n, s, err);
  case HNSW_WAY_CODES:
    return scan_codes(hits, n, s, err);
  case HNSW_WAY_GRAPH:
    st = s->ef < WIDE ? walk_plain(hits, n, s, err)
                      : hnsw_walk_filtered(hits, n, &gave_up, way, s, err);
    gave_up = *n < s->ask->k && *n < live;
    break;
  case HNSW_WAY_FILTERED:
  case HNSW_WAY_TWO_HOP:
    st = hnsw_walk_filtered(hits, n, &gave_up, way, s, err);
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
  hnsw_searcher_begin(s, ask);
  quoin_status st = run(hits, n, s, &way, err);
  hnsw_leave(s->g, epoch);
  if (report) *report = (hnsw_report){.way = way, .visits = s->scratch->visits};
  return st;
}
