/* tests/conformance/sparql_service.h - the endpoints that a test names with qt:serviceData. */
#ifndef QUOIN_TESTS_CONFORMANCE_SPARQL_SERVICE_H
#define QUOIN_TESTS_CONFORMANCE_SPARQL_SERVICE_H

#include "conformance/manifest.h"

typedef struct suite_services suite_services;

/* Serve them: a store for each, behind one server that http_proxy names, so that requests for their
 * addresses come to it. *out is NULL when the test names none. */
quoin_status suite_services_start(suite_services **out, const char *shared,
                                  const manifest_test *test, quoin_error *err);
/* What sparql_run_options.services is to be. NULL gives NULL. */
const char *suite_services_allowed(const suite_services *services);
void suite_services_stop(suite_services *services); /* NULL is fine */

#endif /* QUOIN_TESTS_CONFORMANCE_SPARQL_SERVICE_H */
