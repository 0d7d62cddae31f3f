/* tests/crash/vectors.h - a vector index in a store under faults. */
#ifndef QUOIN_TESTS_CRASH_VECTORS_H
#define QUOIN_TESTS_CRASH_VECTORS_H

#include "quadstore/quadstore.h"

enum { VECTOR_DIMENSION = 4, VECTOR_TEXT = 96 };
#define VECTOR_PREDICATE "http://example.org/embedding"

/* Quad `i` of a workload with vectors: the declaration, then a vector each. `text`: room for two
 * texts, which the terms point to. */
void vectors_quad(rdf_term out[4], char text[2][VECTOR_TEXT], uint32_t i);
quoin_status vectors_attach(quad_store *store, const base_alloc *mem, quoin_error *err);
/* Wait a while until the graph has what the store has, and no more. */
void vectors_settle(quad_store *store);
/* The graph is whole, and a walk through it finds each vector. */
quoin_status vectors_check(quad_store *store, quoin_error *err);

#endif /* QUOIN_TESTS_CRASH_VECTORS_H */
