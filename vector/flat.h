/* vector/flat.h - exact search over codes in the order in which they lie: of one search, or of some
 * that differ in what they are near to, which then share the reading. */
#ifndef QUOIN_VECTOR_FLAT_H
#define QUOIN_VECTOR_FLAT_H

#include "vector/search.h"

typedef struct vec_flat vec_flat;

/* For s[0..n) of one index, over codes that give bounds. What is found goes to their tops. A search
 * gives up when more vectors than `budget` have been looked up in the quads for it. */
quoin_status vec_flat_new(vec_flat **out, searcher *s, size_t n, vec_owners *owners, vec_code code,
                          uint64_t budget, quoin_error *err);
void vec_flat_free(vec_flat *flat); /* NULL is fine */
bool vec_flat_gave_up(const vec_flat *flat, size_t i);
bool vec_flat_all_gave_up(const vec_flat *flat);
/* All nodes there are; the caller has entered the graph. */
quoin_status vec_flat_nodes(vec_flat *flat, quoin_error *err);
/* Those numbered above `low` and up to `high`. */
quoin_status vec_flat_fresh(vec_flat *flat, const vec_fresh *fresh, uint64_t low, uint64_t high,
                            quoin_error *err);
/* `n` vectors whose codes lie one behind the other; NULL: there are none. */
quoin_status vec_flat_rows(vec_flat *flat, const char *codes, size_t stride, const atom_id *vectors,
                           size_t n, quoin_error *err);
/* What may be near is looked at: until then it waits. */
quoin_status vec_flat_flush(vec_flat *flat, quoin_error *err);

/* What the graph does not have yet (unlinked.c), for s[0..n), and what waits in their `flat`, which
 * may be NULL where n is 1. */
quoin_status vec_search_unlinked(searcher *s, size_t n, const vec_plan *plan, vec_flat *flat,
                                 vec_owners *owners, const vec_linked *linked, quoin_error *err);

#endif /* QUOIN_VECTOR_FLAT_H */
