/* tests/support/http_endpoint.h - a small HTTP server on 127.0.0.1 for tests of SERVICE.
 *
 * A thread listens, each connection is a thread and one request (Connection: close). As a proxy it
 * is named by the environment variable http_proxy: then requests for any host come here, with their
 * whole address as the path. Bounded: ENDPOINT_CONNECTIONS at a time, ENDPOINT_BODY bytes of a
 * request; a peer that does nothing for ENDPOINT_SECONDS is left. */
#ifndef QUOIN_TESTS_SUPPORT_HTTP_ENDPOINT_H
#define QUOIN_TESTS_SUPPORT_HTTP_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

enum { ENDPOINT_CONNECTIONS = 32, ENDPOINT_BODY = 1 << 20, ENDPOINT_SECONDS = 20 };

typedef struct endpoint_request {
  const char *method, *path; /* path: as in the request line */
  const char *type, *accept; /* headers; "" if absent */
  const char *body;          /* ends in NUL too */
  size_t body_len;
} endpoint_request;

/* What is sent back. Memory of malloc in `body` is freed by the server. */
typedef struct endpoint_response {
  int status;           /* 0: 200 */
  const char *type;     /* Content-Type; NULL: none */
  const char *location; /* of a redirect; NULL: none */
  char *body;
  size_t body_len;
  size_t announced;  /* Content-Length when it is to be a lie; 0: body_len */
  unsigned pause_ms; /* before the response */
  unsigned slow_ms;  /* between pieces of slow_bytes bytes */
  size_t slow_bytes; /* 0: all at once */
  bool drop;         /* close the connection without an answer */
  bool endless;      /* the body again and again, without a length, until the peer goes */
} endpoint_response;

typedef void (*endpoint_handler)(void *user, const endpoint_request *request,
                                 endpoint_response *response);

typedef struct http_endpoint http_endpoint;
/* `handler` is called from several threads. Aborts when there is no port. */
http_endpoint *http_endpoint_start(endpoint_handler handler, void *user);
unsigned http_endpoint_port(const http_endpoint *endpoint);
/* Ends all connections and waits for their threads. NULL is fine. */
void http_endpoint_stop(http_endpoint *endpoint);
/* malloc'ed copy of a text into response->body. */
void endpoint_body(endpoint_response *response, const char *type, const char *text);

#endif /* QUOIN_TESTS_SUPPORT_HTTP_ENDPOINT_H */
