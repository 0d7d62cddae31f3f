/* tests/support/sparql_endpoint.h - the SPARQL protocol over stores of this process, for
 * http_endpoint.h. */
#ifndef QUOIN_TESTS_SUPPORT_SPARQL_ENDPOINT_H
#define QUOIN_TESTS_SUPPORT_SPARQL_ENDPOINT_H

#include "sparql/sparql.h"
#include "support/http_endpoint.h"

/* Answer a POST of application/sparql-query, or of a form, over `store`; results in XML if `xml`.
 * `services`: which endpoints it may ask itself. 400 with the message when the query fails. */
void sparql_endpoint_answer(endpoint_response *response, const endpoint_request *request,
                            quad_store *store, bool xml, const char *services);

#endif /* QUOIN_TESTS_SUPPORT_SPARQL_ENDPOINT_H */
