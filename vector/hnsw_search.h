/* vector/hnsw_search.h - a searcher. */
#ifndef QUOIN_VECTOR_HNSW_SEARCH_H
#define QUOIN_VECTOR_HNSW_SEARCH_H

#include "vector/hnsw_internal.h"

struct hnsw_searcher {
  hnsw *g;
  vec_scratch *scratch;
  const hnsw_ask *ask;
  double query_norm;
  size_t ef;
  uint64_t entry;      /* where it enters */
  uint32_t limit;      /* slots there were when the search began */
  uint32_t candidates; /* nodes that the filter allows */
  uint32_t sweep_from; /* of a walk without an end, after its end */
  bool walking;
  uint64_t epoch; /* of a walk without an end */
};

/* How many of the best by code are scored by their vectors. */
size_t hnsw_rescored(const hnsw *g, size_t k, size_t ef);

#endif /* QUOIN_VECTOR_HNSW_SEARCH_H */
