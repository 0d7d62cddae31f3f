/* vector/hnsw_search.h - a searcher, and what the ways of a search share: hnsw_search.c,
 * hnsw_filter.c, hnsw_resume.c. */
#ifndef QUOIN_VECTOR_HNSW_SEARCH_H
#define QUOIN_VECTOR_HNSW_SEARCH_H

#include "vector/hnsw_internal.h"

struct hnsw_searcher {
  hnsw *g;
  vec_scratch *scratch;
  const hnsw_ask *ask;
  double query_norm;
  size_t ef;
  uint64_t entry;       /* where it enters */
  uint32_t limit;       /* slots there were when the search began */
  uint32_t candidates;  /* nodes that the filter allows */
  uint32_t sweep_from;  /* of a walk without an end, after its end */
  size_t gave, given;   /* by its last step, by all */
  uint64_t random;      /* of the nodes drawn by lot: the same in each search */
  uint64_t most_visits; /* of a walk before it gives up */
  double scan_ns;       /* what a scan of the allowed is estimated to take */
  uint64_t lists;       /* read by a walk among the allowed, of nodes that are not */
  bool apart;           /* it is one */
  bool walking;
  uint64_t epoch; /* of a walk without an end */
};

/* Take over the query and where to enter; before any other. */
void hnsw_searcher_begin(hnsw_searcher *s, const hnsw_ask *ask);

/* How many of the best by code are scored by their vectors. */
size_t hnsw_rescored(const hnsw *g, size_t k, size_t ef);
/* The k nearest of the n entries by their vectors, into hits, sorted. */
quoin_status hnsw_score(hnsw_hit *hits, size_t *n_hits, hnsw_searcher *s, const uint64_t *entries,
                        size_t n, size_t k, quoin_error *err);
/* The next live slot at or after `slot` that the filter allows, its page verified; HNSW_NONE after
 * the last. */
quoin_status hnsw_next_wanted(uint32_t *out, const hnsw_searcher *s, uint32_t slot,
                              quoin_error *err);

static inline bool
hnsw_is_allowed(const hnsw_searcher *s, uint32_t slot)
{
  return !s->ask->filter || vec_bitmap_has(s->ask->filter, slot);
}

/* ---- hnsw_filter.c ---- */

/* Walk until ef allowed nodes are nearer than all that is left to expand; without a filter too.
 * *way: how it went in the end. *gave_up: it visited as many nodes as a scan of the candidates
 * costs, or found less than k. */
quoin_status hnsw_walk_filtered(hnsw_hit *hits, size_t *n_hits, bool *gave_up, hnsw_way *way,
                                hnsw_searcher *s, quoin_error *err);
/* The unseen nodes that the filter allows among the neighbours of `slot`, and among the neighbours
 * of those that it does not; as hnsw_gather. */
quoin_status hnsw_gather_apart(size_t *n, hnsw_searcher *s, uint32_t slot, quoin_error *err);

/* ---- hnsw_resume.c: `queue`, `pool` and `later` of the scratch memory as it says ---- */

/* Take in the n nodes of w->slots: to be expanded, and given if they are allowed. */
quoin_status hnsw_take_all(hnsw_searcher *s, size_t n, quoin_error *err);
/* Up to n (BATCH_MAX) nodes that are allowed and unseen, by lot, into w->slots; taken in. */
quoin_status hnsw_draw(size_t *n_drawn, hnsw_searcher *s, size_t n, quoin_error *err);
quoin_status hnsw_expand(hnsw_searcher *s, uint32_t slot, quoin_error *err);
/* Expand until the pool is full of nodes nearer than all that is left. */
quoin_status hnsw_walk_on(hnsw_searcher *s, quoin_error *err);
/* A pool whose best were first, a heap again, without the first `gone`. */
void hnsw_pool_drop(vec_pool *pool, uint32_t gone);

#endif /* QUOIN_VECTOR_HNSW_SEARCH_H */
