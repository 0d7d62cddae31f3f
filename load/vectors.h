/* load/vectors.h - the vector indexes that a store declares when a load begins: vectors that do not
 * fit are refused where they stand in the input. Private.
 *
 * Of other predicates the load may say itself that they are indexes, before its vectors or after:
 * these are kept back (hold.h). */
#ifndef QUOIN_LOAD_VECTORS_H
#define QUOIN_LOAD_VECTORS_H

#include "rdfio/rdfio.h"
#include "vector/vector.h"

typedef struct load_index {
  quoin_span predicate;
  vec_declaration declared;
} load_index;

typedef struct load_vectors {
  const base_alloc *mem;
  base_arena names;
  const rdf_term *graph; /* stands in for no graph; may be NULL */
  load_index *index;     /* by predicate */
  size_t n;
} load_vectors;

quoin_status load_vectors_init(load_vectors *out, quad_store *store, const base_alloc *mem,
                               quoin_error *err);
void load_vectors_clear(load_vectors *vectors); /* a zeroed one is fine */
/* An rdfio_check_fn, which asks for the places of vectors that no index has, and of what says that
 * there is one; `user` is the load_vectors. Any thread. */
quoin_status load_vectors_check(void *user, const rdfio_quad *statement, quoin_error *err);

#endif /* QUOIN_LOAD_VECTORS_H */
