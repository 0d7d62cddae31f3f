/* vector/flat.h - exact search over codes in the order in which they lie: of one search. */
#ifndef QUOIN_VECTOR_FLAT_H
#define QUOIN_VECTOR_FLAT_H

#include "vector/search.h"

typedef struct vec_flat vec_flat;

/* For s->index, whose codes give bounds. What is found goes to s->top. It gives up when more
 * vectors than `budget` have been looked up in the quads. */
quoin_status vec_flat_new(vec_flat **out, searcher *s, vec_owners *owners, uint64_t budget,
                          quoin_error *err);
/* The same for codes of another kind. */
quoin_status vec_flat_new_of(vec_flat **out, searcher *s, vec_owners *owners, vec_code code,
                             uint64_t budget, quoin_error *err);
void vec_flat_free(vec_flat *flat); /* NULL is fine */
bool vec_flat_gave_up(const vec_flat *flat);
/* All nodes there are; the caller has entered the graph. */
quoin_status vec_flat_nodes(vec_flat *flat, const hnsw *graph, quoin_error *err);
/* Those numbered above `low` and up to `high`. */
quoin_status vec_flat_fresh(vec_flat *flat, const vec_fresh *fresh, uint64_t low, uint64_t high,
                            quoin_error *err);
/* `n` vectors whose codes lie one behind the other; NULL: there are none. */
quoin_status vec_flat_rows(vec_flat *flat, const char *codes, size_t stride, const atom_id *vectors,
                           size_t n, quoin_error *err);
/* What may be near is looked at: until then it waits. */
quoin_status vec_flat_flush(vec_flat *flat, quoin_error *err);

/* What the graph does not have yet (unlinked.c), and what waits in `flat`, which may be NULL. */
quoin_status vec_search_unlinked(searcher *s, const vec_plan *plan, vec_flat *flat,
                                 vec_owners *owners, const vec_linked *linked, quoin_error *err);

#endif /* QUOIN_VECTOR_FLAT_H */
