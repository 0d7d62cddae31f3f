/* tests/conformance/sparql_store.h - a store for one test, filled from files of the suites. */
#ifndef QUOIN_TESTS_CONFORMANCE_SPARQL_STORE_H
#define QUOIN_TESTS_CONFORMANCE_SPARQL_STORE_H

#include "conformance/manifest.h"
#include "sparql/sparql.h"

typedef struct suite_store {
  const char *shared;
  char dir[256];
  quad_store *store;
  quad_txn *txn;
  base_arena arena;
  unsigned files; /* each a scope of blank nodes */
} suite_store;

bool suite_ends_with(quoin_span text, const char *end);
/* Read the RDF file of an IRI, whatever its syntax. */
quoin_status suite_read_rdf(dataset *d, const char *shared, quoin_span iri, quoin_error *err);

/* Make a store in a new folder below TMPDIR and begin a transaction. */
quoin_status suite_store_open(suite_store *s, const char *shared, quoin_error *err);
/* Add the file `iri` to a graph, or to the default graph (NULL). */
quoin_status suite_store_add(suite_store *s, quoin_span iri, const rdf_term *graph,
                             quoin_error *err);
quoin_status suite_store_commit(suite_store *s, quoin_error *err);
/* Close and remove it. A zeroed one is fine. */
void suite_store_close(suite_store *s);

#endif /* QUOIN_TESTS_CONFORMANCE_SPARQL_STORE_H */
