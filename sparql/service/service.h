/* sparql/service/service.h - SERVICE: groups that another endpoint answers (SPARQL 1.1 Federated
 * Query).
 *
 * service_plan.c puts the operators together, operator_service.c is the leaf that asks, its text is
 * written by service_query.c, and service_http.c sends it. Only addresses that the caller allows
 * are asked (service_address.c). Bindings from outside go along by VALUES, IRIs and literals of
 * variables that every solution of the group binds; the rest is joined here. Reasons:
 * docs/adrs/0008-service.md. */
#ifndef QUOIN_SPARQL_SERVICE_SERVICE_H
#define QUOIN_SPARQL_SERVICE_SERVICE_H

#include "sparql/operators/operators.h"
#include "sparql/results/results_read.h"

/* ---- addresses (service_address.c) ------------------------------------------------------------
 */

/* May `address` be asked? `allowed`: prefixes separated by spaces; NULL: none. Scheme, host, port
 * and credentials must be equal, path and query begin with those of the prefix, after `.` and `..`
 * are resolved. Errors: ARGUMENT naming --allow-service, or what is wrong with the address; NOMEM.
 */
quoin_status service_address_check(const char *allowed, quoin_span address, const base_alloc *mem,
                                   quoin_error *err);

/* ---- the text that is sent (service_query.c) --------------------------------------------------
 */

/* A table for VALUES, row by row; ATOM_NONE_ID: UNDEF. */
typedef struct service_values {
  const sparql_var *vars;
  size_t n_vars;
  const atom_id *ids;
  size_t rows;
} service_values;

enum {
  SERVICE_ROWS = 512,       /* of VALUES in one request, at most */
  SERVICE_TEXT = 128 * 1024 /* bytes of the request from which no more rows are added */
};

/* Append the query: BASE and PREFIX as far as the group uses them, SELECT `vars`, the rows of
 * `values` from *row on, the group as written. Moves *row behind the rows that it took. */
quoin_status service_query_write(base_buffer *out, size_t *row, sparql_context *ctx,
                                 const sparql_algebra *node, const sparql_var *vars, size_t n_vars,
                                 const service_values *values, quoin_error *err);
/* Can the term stand in VALUES? Not blank nodes, and not IRIs that the grammar has no form for. */
bool service_can_send(const rdf_term *term);

/* ---- asking (service_http.c) ------------------------------------------------------------------
 */

typedef struct service_http service_http;

/* One at a time per run of an operator: keeps its connections from request to request. `cancel` is
 * checked while waiting; `allowed` is for redirects. All are borrowed. */
quoin_status service_http_new(service_http **out, const char *allowed, base_cancel *cancel,
                              const base_alloc *mem, quoin_error *err);
void service_http_free(service_http *http); /* NULL is fine */
/* Post `query` (borrowed until the end) to `address`; rows go to the sink from service_http_wait.
 */
quoin_status service_http_begin(service_http *http, quoin_span address, quoin_span query,
                                const results_sink *sink, quoin_error *err);
/* Wait until something has come in, or *full is set by the sink and stays so. DONE: the response is
 * whole. Errors: IO for all that is wrong with the endpoint or its response (then
 * service_http_is_remote), those of the sink, TIMEOUT, CANCELLED, NOMEM. */
quoin_status service_http_wait(service_http *http, const bool *full, quoin_error *err);
/* The last failure was the endpoint's: SILENT covers it. */
bool service_http_is_remote(const service_http *http);
/* End the request at hand, if there is one. */
void service_http_abort(service_http *http);
uint64_t service_http_bytes(const service_http *http); /* received, of all requests */

/* ---- operators (operator_service.c, service_collect.c) ----------------------------------------
 */

typedef struct service_options {
  const sparql_algebra *node;
  const sparql_var *vars; /* to ask for */
  size_t n_vars;
  const bool *certain;   /* [n_vars of the query] bound in every solution of the group */
  sparql_operator *seed; /* gives the keys to send; NULL: none */
  const sparql_var *keys;
  size_t n_keys; /* those that the seed gives; all in vars, or the address */
} service_options;

quoin_status sparql_service_make(sparql_operator **out, sparql_context *ctx,
                                 const service_options *options, const sparql_frame *frame,
                                 quoin_error *err);
/* The same rows in batches as large as they may be: a request is dear. With `must` (not
 * SPARQL_NO_VAR) a row without a value of it is an error. */
quoin_status sparql_collect_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                                 const sparql_algebra *node, sparql_var must, quoin_error *err);

#endif /* QUOIN_SPARQL_SERVICE_SERVICE_H */
