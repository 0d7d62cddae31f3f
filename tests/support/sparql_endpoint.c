/* tests/support/sparql_endpoint.c - see sparql_endpoint.h. */
#include "support/sparql_endpoint.h"

#include <stdio.h>
#include <stdlib.h>

static quoin_status
collect(void *user, const void *data, size_t len, quoin_error *err)
{
  base_buffer_add(user, data, len);
  return ((base_buffer *)user)->failed ? base_fail_nomem(err) : QUOIN_OK;
}

static int
digit(char c)
{
  return c >= '0' && c <= '9'                 ? c - '0'
         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                              : -1;
}

/* The text of the query: the body, or the field "query" of a form. */
static void
query_text(base_buffer *out, const endpoint_request *request)
{
  if (strncmp(request->type, "application/x-www-form-urlencoded", 33) != 0) {
    base_buffer_add(out, request->body, request->body_len);
    return;
  }
  if (strncmp(request->body, "query=", 6) != 0) return;
  for (const char *at = request->body + 6; *at && *at != '&'; at++) {
    if (*at == '%' && digit(at[1]) >= 0 && digit(at[2]) >= 0) {
      base_buffer_byte(out, (char)(digit(at[1]) * 16 + digit(at[2])));
      at += 2;
    } else {
      base_buffer_byte(out, *at == '+' ? ' ' : *at);
    }
  }
}

void
sparql_endpoint_answer(endpoint_response *response, const endpoint_request *request,
                       quad_store *store, bool xml, const char *services)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const sparql_run_options options = {.timeout_ms = 20000, .services = services};
  const base_alloc *mem = base_alloc_default();
  quad_snapshot *snapshot = NULL;
  sparql_query *query = NULL;
  sparql_cursor *cursor = NULL;
  base_buffer text, out;
  base_buffer_init(&text, mem);
  base_buffer_init(&out, mem);
  query_text(&text, request);
  quoin_status st =
      sparql_query_parse(&query, (quoin_span){text.data, text.len}, (quoin_span){0}, mem, &err);
  if (!st) st = quad_snapshot_acquire(&snapshot, store, &err);
  if (!st) st = sparql_cursor_open(&cursor, query, snapshot, &options, mem, &err);
  if (!st) st = sparql_write(NULL, cursor, xml ? SPARQL_XML : SPARQL_JSON, collect, &out, &err);
  sparql_cursor_close(cursor);
  quad_snapshot_release(snapshot);
  sparql_query_free(query);
  base_buffer_clear(&text);
  if (st) {
    response->status = 400;
    endpoint_body(response, "text/plain", err.message);
  } else {
    response->type = xml ? "application/sparql-results+xml" : "application/sparql-results+json";
    response->body_len = out.len;
    response->body = malloc(out.len + 1);
    if (!response->body) abort();
    if (out.len) memcpy(response->body, out.data, out.len);
  }
  base_buffer_clear(&out);
}
