/* sparql/service/service_address.c - which endpoints may be asked. */
#include "sparql/service/service.h"

#include <curl/curl.h>

#include "base/poison.h"

/* A URL taken apart. Parts are memory of curl. */
typedef struct address_parts {
  CURLU *url;
  char *scheme, *host, *port, *user, *password, *path, *query;
} address_parts;

static void
parts_clear(address_parts *p)
{
  char *text[] = {p->scheme, p->host, p->port, p->user, p->password, p->path, p->query};
  for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
    curl_free(text[i]);
  curl_url_cleanup(p->url);
}

/* Dots and slashes in disguise would be resolved by the server, after we have compared. */
static bool
has_disguise(const char *path)
{
  return strcasestr(path, "%2e") || strcasestr(path, "%2f") || strcasestr(path, "%5c") ||
         strchr(path, '\\');
}

/* NULL, or what is wrong. */
static const char *
parts_read(address_parts *p, const char *address)
{
  *p = (address_parts){.url = curl_url()};
  if (!p->url) return "out of memory";
  CURLUcode code = curl_url_set(p->url, CURLUPART_URL, address, 0);
  if (code) return curl_url_strerror(code);
  if (curl_url_get(p->url, CURLUPART_SCHEME, &p->scheme, 0) ||
      curl_url_get(p->url, CURLUPART_HOST, &p->host, 0) ||
      curl_url_get(p->url, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) ||
      curl_url_get(p->url, CURLUPART_PATH, &p->path, 0))
    return "it has no scheme, host or port";
  (void)curl_url_get(p->url, CURLUPART_USER, &p->user, 0); /* absent: stays NULL */
  (void)curl_url_get(p->url, CURLUPART_PASSWORD, &p->password, 0);
  (void)curl_url_get(p->url, CURLUPART_QUERY, &p->query, 0);
  if (strcmp(p->scheme, "http") != 0 && strcmp(p->scheme, "https") != 0)
    return "its scheme is neither http nor https";
  if (has_disguise(p->path)) return "its path has encoded dots or slashes";
  return NULL;
}

static bool
same(const char *a, const char *b)
{
  return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool
begins_with(const address_parts *a, const address_parts *prefix)
{
  if (strcmp(a->scheme, prefix->scheme) != 0 || strcasecmp(a->host, prefix->host) != 0 ||
      strcmp(a->port, prefix->port) != 0 || !same(a->user, prefix->user) ||
      !same(a->password, prefix->password))
    return false;
  if (prefix->query)
    return strcmp(a->path, prefix->path) == 0 && a->query &&
           strncmp(a->query, prefix->query, strlen(prefix->query)) == 0;
  return strncmp(a->path, prefix->path, strlen(prefix->path)) == 0;
}

quoin_status
service_address_check(const char *allowed, quoin_span address, const base_alloc *mem,
                      quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  address_parts parts = {0};
  base_buffer text;
  bool found = false;
  int shown = (int)(address.len < 200 ? address.len : 200);

  base_buffer_init(&text, mem);
  base_buffer_span(&text, address);
  base_buffer_byte(&text, '\0');
  if (text.failed) {
    st = base_fail_nomem(err);
    goto done;
  }
  const char *why =
      memchr(address.ptr, '\0', address.len) ? "it has a zero byte" : parts_read(&parts, text.data);
  if (why) {
    st = base_fail(err, QUOIN_ERR_ARGUMENT, "SERVICE <%.*s>: not an address to ask: %s", shown,
                   address.ptr, why);
    goto done;
  }
  for (const char *at = allowed ? allowed : ""; *at && !found;) {
    size_t len = strcspn(at, " ");
    address_parts prefix = {0};
    text.len = 0;
    base_buffer_add(&text, at, len);
    base_buffer_byte(&text, '\0');
    if (text.failed) {
      st = base_fail_nomem(err);
      goto done;
    }
    found = len > 0 && !parts_read(&prefix, text.data) && begins_with(&parts, &prefix);
    parts_clear(&prefix);
    at += len + (at[len] == ' ');
  }
  if (!found)
    st = base_fail(err, QUOIN_ERR_ARGUMENT,
                   "SERVICE <%.*s> is not allowed: name a prefix of its address with "
                   "--allow-service (allow_service of the options)",
                   shown, address.ptr);

done:
  parts_clear(&parts);
  base_buffer_clear(&text);
  return st;
}
