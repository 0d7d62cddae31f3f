/* vector/search.h - what exact search and the walk through a graph share. */
#ifndef QUOIN_VECTOR_SEARCH_H
#define QUOIN_VECTOR_SEARCH_H

#include "vector/index.h"
#include "vector/top.h"

#include <math.h>

typedef struct searcher {
  const quad_snapshot *snapshot;
  const vec_request *request;
  vec_report *report;
  vec_top top;
  base_arena arena; /* of vectors that are not in the store's mapping */
  double norm[8];   /* of the first near ones: their product with themselves */
  atom_id last;     /* the vector whose distance is known */
  double last_distance;
} searcher;

/* To the nearest of request->near; NaN: not a vector of the index. */
quoin_status vec_distance_of(double *out, searcher *s, atom_id vector, quoin_error *err);
/* Is the row in the active graph, and its subject asked for? */
bool vec_row_counts(const searcher *s, const quad_batch *rows, size_t i);
/* Offer the subjects and vectors of all rows. */
quoin_status vec_take_rows(searcher *s, quad_scan *scan, quoin_error *err);

/* Through the graph of the index; *done is false when there is none, or looking at all of the
 * `vectors` of the active graph is cheaper: what was found until then may be looked at again. */
quoin_status vec_search_graph(bool *done, searcher *s, uint64_t vectors, quoin_error *err);

#endif /* QUOIN_VECTOR_SEARCH_H */
