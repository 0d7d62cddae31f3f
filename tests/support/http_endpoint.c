/* tests/support/http_endpoint.c - see http_endpoint.h. */
#include "support/http_endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 16384, TICK_MS = 10 };

typedef struct connection {
  http_endpoint *endpoint;
  pthread_t thread;
  int fd;
  bool used;
  atomic_bool finished;
} connection;

struct http_endpoint {
  endpoint_handler handler;
  void *user;
  int fd;
  unsigned port;
  pthread_t thread;
  atomic_bool stopping;
  connection connections[ENDPOINT_CONNECTIONS]; /* of the listening thread */
};

static void
require(bool truth, const char *what)
{
  if (truth) return;
  perror(what);
  abort();
}

/* ---- one connection ---------------------------------------------------------------------------
 */

static bool
wait_for(const connection *c, short events, unsigned ms)
{
  for (unsigned waited = 0; waited < ms && !atomic_load(&c->endpoint->stopping);
       waited += TICK_MS) {
    struct pollfd p = {.fd = c->fd, .events = events};
    if (poll(&p, 1, TICK_MS) > 0) return true;
  }
  return false;
}

static void
pause_for(const connection *c, unsigned ms)
{
  for (unsigned slept = 0; slept < ms && !atomic_load(&c->endpoint->stopping); slept++) {
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    if (poll(&p, 1, 1) > 0) return; /* the peer has gone */
  }
}

static bool
send_all(const connection *c, const char *data, size_t n)
{
  while (n) {
    if (!wait_for(c, POLLOUT, ENDPOINT_SECONDS * 1000)) return false;
    ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent > 0) {
      data += sent;
      n -= (size_t)sent;
    }
  }
  return true;
}

/* Up to `room` bytes, until `enough` says so. */
static size_t
receive(const connection *c, char *into, size_t have, size_t room, size_t wanted)
{
  while (have < wanted && have < room) {
    if (!wait_for(c, POLLIN, ENDPOINT_SECONDS * 1000)) break;
    ssize_t n = recv(c->fd, into + have, room - have, 0);
    if (n <= 0) break;
    have += (size_t)n;
    into[have] = '\0';
    if (wanted == SIZE_MAX && strstr(into, "\r\n\r\n")) break;
  }
  return have;
}

/* The value of a header in `head`, copied to `out`. */
static void
header(char *out, size_t room, const char *head, const char *name)
{
  size_t n = strlen(name);
  out[0] = '\0';
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, name, n) != 0 || line[2 + n] != ':') continue;
    const char *value = line + 3 + n;
    value += strspn(value, " ");
    snprintf(out, room, "%.*s", (int)strcspn(value, "\r\n"), value);
    return;
  }
}

static void
respond(const connection *c, endpoint_response *r)
{
  char head[1024];
  if (r->drop) return;
  pause_for(c, r->pause_ms);
  int n = snprintf(head, sizeof(head), "HTTP/1.1 %d Test\r\nConnection: close\r\n",
                   r->status ? r->status : 200);
  if (r->type) n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Type: %s\r\n", r->type);
  if (r->location)
    n += snprintf(head + n, sizeof(head) - (size_t)n, "Location: %s\r\n", r->location);
  if (!r->endless)
    n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n",
                  r->announced ? r->announced : r->body_len);
  n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
  if (!send_all(c, head, (size_t)n)) return;
  size_t step = r->slow_bytes ? r->slow_bytes : r->body_len;
  do
    for (size_t at = 0; at < r->body_len; at += step) {
      if (at) pause_for(c, r->slow_ms);
      size_t left = r->body_len - at;
      if (!send_all(c, r->body + at, left < step ? left : step)) return;
    }
  while (r->endless && !atomic_load(&c->endpoint->stopping));
}

static void *
serve(void *user)
{
  connection *c = user;
  char *data = malloc(HEAD + ENDPOINT_BODY + 1);
  char method[16] = "", path[4096] = "", type[256], accept_[256], length[32];
  endpoint_response response = {0};
  require(data != NULL, "malloc");
  data[0] = '\0';
  size_t have = receive(c, data, 0, HEAD, SIZE_MAX);
  char *body = strstr(data, "\r\n\r\n");
  if (body && sscanf(data, "%15s %4095s", method, path) == 2) {
    body[2] = '\0';
    body += 4;
    header(type, sizeof(type), data, "Content-Type");
    header(accept_, sizeof(accept_), data, "Accept");
    header(length, sizeof(length), data, "Content-Length");
    size_t head = (size_t)(body - data), want = strtoul(length, NULL, 10);
    if (want <= ENDPOINT_BODY && receive(c, data, have, head + want, head + want) == head + want) {
      body[want] = '\0';
      const endpoint_request request = {.method = method,
                                        .path = path,
                                        .type = type,
                                        .accept = accept_,
                                        .body = body,
                                        .body_len = want};
      c->endpoint->handler(c->endpoint->user, &request, &response);
      respond(c, &response);
    }
  }
  free(response.body);
  free(data);
  shutdown(c->fd, SHUT_WR);
  close(c->fd);
  atomic_store(&c->finished, true);
  return NULL;
}

/* ---- the listener -----------------------------------------------------------------------------
 */

static connection *
free_place(http_endpoint *e)
{
  for (size_t i = 0; i < ENDPOINT_CONNECTIONS; i++) {
    connection *c = &e->connections[i];
    if (c->used && atomic_load(&c->finished)) {
      pthread_join(c->thread, NULL);
      c->used = false;
    }
    if (!c->used) return c;
  }
  return NULL;
}

static void *
listen_(void *user)
{
  http_endpoint *e = user;
  while (!atomic_load(&e->stopping)) {
    struct pollfd p = {.fd = e->fd, .events = POLLIN};
    connection *c = free_place(e);
    if (poll(&p, c != NULL, TICK_MS) <= 0) continue;
    int fd = accept(e->fd, NULL, NULL);
    if (fd < 0) continue;
    c->endpoint = e;
    c->fd = fd;
    c->used = true;
    atomic_store(&c->finished, false);
    require(pthread_create(&c->thread, NULL, serve, c) == 0, "pthread_create");
  }
  for (size_t i = 0; i < ENDPOINT_CONNECTIONS; i++)
    if (e->connections[i].used) pthread_join(e->connections[i].thread, NULL);
  return NULL;
}

http_endpoint *
http_endpoint_start(endpoint_handler handler, void *user)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(address);
  http_endpoint *e = calloc(1, sizeof(*e));
  require(e != NULL, "calloc");
  e->handler = handler;
  e->user = user;
  e->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(e->fd >= 0, "socket");
  require(bind(e->fd, (struct sockaddr *)&address, len) == 0, "bind");
  require(listen(e->fd, ENDPOINT_CONNECTIONS) == 0, "listen");
  require(getsockname(e->fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
  e->port = ntohs(address.sin_port);
  require(pthread_create(&e->thread, NULL, listen_, e) == 0, "pthread_create");
  return e;
}

unsigned
http_endpoint_port(const http_endpoint *endpoint)
{
  return endpoint->port;
}

void
http_endpoint_stop(http_endpoint *endpoint)
{
  if (!endpoint) return;
  atomic_store(&endpoint->stopping, true);
  pthread_join(endpoint->thread, NULL);
  close(endpoint->fd);
  free(endpoint);
}

void
endpoint_body(endpoint_response *response, const char *type, const char *text)
{
  response->type = type;
  response->body = strdup(text);
  require(response->body != NULL, "strdup");
  response->body_len = strlen(text);
}
