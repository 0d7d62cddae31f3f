/* tests/conformance/sparql_service.c - see sparql_service.h. */
#include "conformance/sparql_service.h"

#include "conformance/sparql_store.h"
#include "support/sparql_endpoint.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_SERVICES = 8 };

struct suite_services {
  size_t n;
  rdf_term address[MAX_SERVICES]; /* of the manifest */
  suite_store store[MAX_SERVICES];
  char allowed[2048];
  http_endpoint *endpoint;
};

/* A proxy is sent the whole address. */
static void
handle(void *user, const endpoint_request *request, endpoint_response *response)
{
  suite_services *s = user;
  for (size_t i = 0; i < s->n; i++)
    if (base_span_is(s->address[i].value, request->path)) {
      sparql_endpoint_answer(response, request, s->store[i].store, i % 2 != 0, s->allowed);
      return;
    }
  response->status = 502;
}

static quoin_status
add_service(suite_services *s, const char *shared, const dataset *graph, const rdf_term *node,
            quoin_error *err)
{
  const rdf_term *address = dataset_object(graph, node, QT "endpoint"), *file;
  if (!address || s->n == MAX_SERVICES)
    return base_fail(err, QUOIN_ERR_CORRUPT, "qt:serviceData without qt:endpoint, or too many");
  suite_store *store = &s->store[s->n];
  s->address[s->n++] = *address;
  size_t used = strlen(s->allowed);
  snprintf(s->allowed + used, sizeof(s->allowed) - used, "%s%.*s", used ? " " : "",
           (int)address->value.len, address->value.ptr);
  quoin_status st = suite_store_open(store, shared, err);
  for (size_t at = 0; !st && (file = dataset_next(&at, graph, node, QT "data"));)
    st = suite_store_add(store, file->value, NULL, err);
  return st ? st : suite_store_commit(store, err);
}

quoin_status
suite_services_start(suite_services **out, const char *shared, const manifest_test *test,
                     quoin_error *err)
{
  const rdf_term *node;
  quoin_status st = QUOIN_OK;
  char proxy[64];
  *out = NULL;
  if (!test->action || !dataset_object(test->graph, test->action, QT "serviceData"))
    return QUOIN_OK;
  suite_services *s = calloc(1, sizeof(*s));
  if (!s) return base_fail_nomem(err);
  for (size_t at = 0;
       !st && (node = dataset_next(&at, test->graph, test->action, QT "serviceData"));)
    st = add_service(s, shared, test->graph, node, err);
  if (st) {
    suite_services_stop(s);
    return st;
  }
  s->endpoint = http_endpoint_start(handle, s);
  snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", http_endpoint_port(s->endpoint));
  setenv("http_proxy", proxy, 1);
  setenv("no_proxy", "", 1);
  setenv("NO_PROXY", "", 1);
  *out = s;
  return QUOIN_OK;
}

const char *
suite_services_allowed(const suite_services *services)
{
  return services ? services->allowed : NULL;
}

void
suite_services_stop(suite_services *services)
{
  if (!services) return;
  http_endpoint_stop(services->endpoint);
  for (size_t i = 0; i < services->n; i++)
    suite_store_close(&services->store[i]);
  unsetenv("http_proxy");
  free(services);
}
