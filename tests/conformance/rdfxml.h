/* tests/conformance/rdfxml.h - as much of RDF/XML as the data and results of the SPARQL suites use.
 */
#ifndef QUOIN_TESTS_CONFORMANCE_RDFXML_H
#define QUOIN_TESTS_CONFORMANCE_RDFXML_H

#include "conformance/manifest.h"

/* Append the triples of `text`: node elements, property elements, rdf:about, rdf:nodeID,
 * rdf:resource, rdf:datatype, xml:lang, parseType="Resource", property attributes. */
quoin_status rdfxml_read(dataset *d, quoin_span text, quoin_span base, quoin_error *err);

#endif /* QUOIN_TESTS_CONFORMANCE_RDFXML_H */
