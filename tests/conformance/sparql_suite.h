/* tests/conformance/sparql_suite.h - what the parts of the SPARQL runner share. */
#ifndef QUOIN_TESTS_CONFORMANCE_SPARQL_SUITE_H
#define QUOIN_TESTS_CONFORMANCE_SPARQL_SUITE_H

#include "conformance/manifest.h"

/* Run a query evaluation test: OK when the answer is the one expected; else why it is not. */
quoin_status sparql_suite_evaluate(const char *shared, const manifest_test *test, quoin_error *err);

/* The same of an update evaluation test. */
quoin_status sparql_suite_update(const char *shared, const manifest_test *test, quoin_error *err);

/* The text of a file into `out`. */
quoin_status sparql_suite_text(base_buffer *out, const char *shared, const rdf_term *iri,
                               quoin_error *err);

#endif /* QUOIN_TESTS_CONFORMANCE_SPARQL_SUITE_H */
