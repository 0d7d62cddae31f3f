/* tests/conformance/isomorphism.h - are two bags of rows equal but for the names of blank nodes?
 *
 * A dataset is a bag of rows of four terms without duplicates, a query's answer a bag of rows of
 * one term a variable (RDF_NONE: unbound). Blank nodes correspond one to one over all rows. Colour
 * refinement, then trying out where colours do not tell two nodes apart. */
#ifndef QUOIN_TESTS_CONFORMANCE_ISOMORPHISM_H
#define QUOIN_TESTS_CONFORMANCE_ISOMORPHISM_H

#include "rdfio/rdfio.h"

/* Rows lie one after another, `width` terms each. Language tags compare without regard to case. */
bool rows_isomorphic(const rdf_term *a, size_t a_rows, const rdf_term *b, size_t b_rows,
                     size_t width);

/* Duplicate quads count once. */
bool quads_isomorphic(const rdfio_quad *a, size_t n_a, const rdfio_quad *b, size_t n_b);

#endif /* QUOIN_TESTS_CONFORMANCE_ISOMORPHISM_H */
