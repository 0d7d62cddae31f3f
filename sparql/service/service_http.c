/* sparql/service/service_http.c - the SPARQL 1.1 Protocol, as a client, through libcurl.
 *
 * Nothing of the process is touched: no signals, no file-scope state of ours. curl_global_init is
 * counted and takes a lock of its own since 7.84; each service_http holds one count. The transfer
 * is driven from the thread that runs the query, in steps of at most POLL_MS, so that the deadline
 * and the cancel flag are seen while nothing comes in. When the sink has enough rows curl is
 * paused: the response waits in the sockets, not in memory. */
#include "sparql/service/service.h"

#include <curl/curl.h>

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

#if LIBCURL_VERSION_NUM < 0x075500
#error "libcurl 7.85 or later is needed"
#endif

enum {
  POLL_MS = 20,
  CONNECT_MS = 30000, /* curl's own is five minutes */
  REDIRECTS = 5,
  EXCERPT = 300 /* bytes of an error page that are shown */
};

#define ACCEPT                                                                                     \
  "Accept: application/sparql-results+json, application/sparql-results+xml;q=0.9, "                \
  "application/json;q=0.5, application/xml;q=0.4"

struct service_http {
  const base_alloc *mem;
  const char *allowed;
  base_cancel *cancel;
  bool global; /* curl_global_init has been called */
  CURLM *multi;
  CURL *easy;
  struct curl_slist *headers;
  bool added; /* easy is in multi */
  bool form;  /* this endpoint takes forms only */
  unsigned redirects;
  base_buffer address; /* ends in NUL */
  base_buffer body;    /* of a form */
  quoin_span query;
  results_sink sink;
  results_reader *reader;
  const bool *full;
  bool paused;
  size_t came; /* bytes in the step at hand */
  uint64_t bytes;
  base_buffer excerpt; /* of a response that is an error */
  quoin_status status; /* of the write callback */
  bool remote;         /* the failure is the endpoint's */
  quoin_error *err;    /* of the call at hand */
  char why[CURL_ERROR_SIZE];
};

/* ---- failures ---------------------------------------------------------------------------------
 */

static quoin_status
fail_remote(service_http *http, quoin_error *err, const char *what)
{
  http->remote = true;
  size_t len = http->address.len ? http->address.len - 1 : 0;
  return base_fail(err, QUOIN_ERR_IO, "SERVICE <%.*s>: %s", (int)(len < 200 ? len : 200),
                   http->address.data ? http->address.data : "", what);
}

/* What the reader says about a response, unless it is a matter of this side. */
static quoin_status
fail_reader(service_http *http, quoin_status st, quoin_error *err)
{
  char what[sizeof(err->message)];
  if (st != QUOIN_ERR_SYNTAX && st != QUOIN_ERR_UNSUPPORTED) return st;
  (void)snprintf(what, sizeof(what), "%s", err ? err->message : "");
  if (err) err->line = err->column = 0;
  return fail_remote(http, err, what);
}

/* The status line and the beginning of what came with it, as one line. */
static quoin_status
fail_status(service_http *http, long code, quoin_error *err)
{
  char what[EXCERPT + 64];
  char *text = http->excerpt.data;
  size_t n = 0;
  for (size_t i = 0; i < http->excerpt.len; i++) {
    bool plain = (unsigned char)text[i] > 0x20 && text[i] != 0x7f;
    if (plain || (n && text[n - 1] != ' ')) text[n++] = plain ? text[i] : ' ';
  }
  (void)snprintf(what, sizeof(what), "it answers with HTTP status %ld%s%.*s", code, n ? ": " : "",
                 (int)n, n ? text : "");
  return fail_remote(http, err, what);
}

/* ---- what comes in ----------------------------------------------------------------------------
 */

static quoin_status
open_reader(service_http *http)
{
  char what[200];
  const char *type = NULL;
  (void)curl_easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &type);
  results_syntax syntax = results_syntax_of(base_span(type));
  if (syntax != RESULTS_NONE)
    return results_reader_new(&http->reader, syntax, &http->sink, http->mem, http->err);
  (void)snprintf(what, sizeof(what),
                 "expected results in JSON or XML, found the content type %.100s",
                 type ? type : "(none)");
  return fail_remote(http, http->err, what);
}

static size_t
on_data(char *data, size_t size, size_t n, void *user)
{
  service_http *http = user;
  long code = 0;
  n *= size;
  if (http->full && *http->full) {
    http->paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  http->came += n;
  http->bytes += n;
  (void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &code);
  if (code < 200 || code > 299) {
    size_t room = EXCERPT - http->excerpt.len;
    base_buffer_add(&http->excerpt, data, n < room ? n : room);
    return n;
  }
  if (!http->reader) http->status = open_reader(http);
  if (!http->status) {
    http->status = results_reader_feed(http->reader, (quoin_span){data, n}, http->err);
    http->status = fail_reader(http, http->status, http->err);
  }
  return http->status ? 0 : n; /* fewer than n: curl ends the transfer */
}

/* ---- begin and end ----------------------------------------------------------------------------
 */

void
service_http_free(service_http *http)
{
  if (!http) return;
  service_http_abort(http);
  if (http->easy) curl_easy_cleanup(http->easy);
  if (http->multi) (void)curl_multi_cleanup(http->multi);
  curl_slist_free_all(http->headers);
  base_buffer_clear(&http->address);
  base_buffer_clear(&http->body);
  base_buffer_clear(&http->excerpt);
  if (http->global) curl_global_cleanup();
  base_release(http->mem, http, 1, sizeof(*http));
}

static bool
set_options(service_http *http)
{
  CURL *e = http->easy;
  CURLcode code = CURLE_OK;
#define SET(option, value)                                                                         \
  if (code == CURLE_OK) code = curl_easy_setopt(e, option, value)
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_QUICK_EXIT, 1L); /* a deadline does not wait for a name server */
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_FOLLOWLOCATION, 0L); /* redirects are followed here, where they are checked */
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
  SET(CURLOPT_ACCEPT_ENCODING, "");
  SET(CURLOPT_USERAGENT, "quoin");
  SET(CURLOPT_ERRORBUFFER, http->why);
  SET(CURLOPT_WRITEFUNCTION, on_data);
  SET(CURLOPT_WRITEDATA, http);
#undef SET
  return code == CURLE_OK;
}

quoin_status
service_http_new(service_http **out, const char *allowed, base_cancel *cancel,
                 const base_alloc *mem, quoin_error *err)
{
  *out = NULL;
  service_http *http = base_new_zero(mem, 1, sizeof(*http));
  if (!http) return base_fail_nomem(err);
  http->mem = mem;
  http->allowed = allowed;
  http->cancel = cancel;
  base_buffer_init(&http->address, mem);
  base_buffer_init(&http->body, mem);
  base_buffer_init(&http->excerpt, mem);
  http->global = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  if (http->global) {
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
  }
  if (!http->multi || !http->easy || !set_options(http)) {
    service_http_free(http);
    return base_fail_nomem(err);
  }
  *out = http;
  return QUOIN_OK;
}

void
service_http_abort(service_http *http)
{
  if (http->added) (void)curl_multi_remove_handle(http->multi, http->easy);
  http->added = http->paused = false;
  results_reader_free(http->reader);
  http->reader = NULL;
}

static void
percent_encode(base_buffer *out, quoin_span text)
{
  static const char hex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      base_buffer_byte(out, (char)c);
    } else {
      char escape[3] = {'%', hex[c >> 4], hex[c & 15]};
      base_buffer_add(out, escape, 3);
    }
  }
}

/* Start the transfer to http->address. */
static quoin_status
start(service_http *http, quoin_error *err)
{
  quoin_span body = http->query;
  const char *type = "Content-Type: application/sparql-query; charset=utf-8";
  service_http_abort(http);
  if (http->form) {
    type = "Content-Type: application/x-www-form-urlencoded";
    http->body.len = 0;
    base_buffer_text(&http->body, "query=");
    percent_encode(&http->body, http->query);
    if (http->body.failed) return base_fail_nomem(err);
    body = (quoin_span){http->body.data, http->body.len};
  }
  curl_slist_free_all(http->headers);
  /* Expect: none. Waiting for 100 Continue costs a second with servers that do not know it. */
  static const char *const lines[] = {ACCEPT, "Expect:"};
  http->headers = curl_slist_append(NULL, type);
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && http->headers; i++) {
    struct curl_slist *more = curl_slist_append(http->headers, lines[i]);
    if (!more) return base_fail_nomem(err);
    http->headers = more;
  }
  http->excerpt.len = 0;
  http->status = QUOIN_OK;
  http->why[0] = '\0';
  CURL *e = http->easy;
  if (!http->headers || curl_easy_setopt(e, CURLOPT_HTTPHEADER, http->headers) ||
      curl_easy_setopt(e, CURLOPT_URL, http->address.data) ||
      curl_easy_setopt(e, CURLOPT_POST, 1L) ||
      curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) ||
      curl_easy_setopt(e, CURLOPT_POSTFIELDS, body.ptr) || curl_multi_add_handle(http->multi, e))
    return base_fail_nomem(err);
  http->added = true;
  return QUOIN_OK;
}

static quoin_status
set_address(service_http *http, quoin_span address, quoin_error *err)
{
  http->address.len = 0;
  base_buffer_span(&http->address, address);
  base_buffer_byte(&http->address, '\0');
  return http->address.failed ? base_fail_nomem(err) : QUOIN_OK;
}

quoin_status
service_http_begin(service_http *http, quoin_span address, quoin_span query,
                   const results_sink *sink, quoin_error *err)
{
  bool again = http->address.len == address.len + 1 &&
               memcmp(http->address.data, address.ptr, address.len) == 0;
  quoin_status st = again ? QUOIN_OK : set_address(http, address, err);
  http->remote = false;
  http->redirects = 0;
  http->form = again && http->form;
  http->query = query;
  http->sink = *sink;
  return st ? st : start(http, err);
}

/* ---- the end of a transfer --------------------------------------------------------------------
 */

static quoin_status
redirect(service_http *http, long code, quoin_error *err)
{
  char *to = NULL;
  char what[300];
  (void)curl_easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &to);
  if (!to || code == 303) return fail_status(http, code, err);
  if (http->redirects++ >= REDIRECTS) return fail_remote(http, err, "it redirects again and again");
  if (service_address_check(http->allowed, base_span(to), http->mem, NULL)) {
    (void)snprintf(what, sizeof(what), "it redirects to <%.200s>, which is not allowed", to);
    return fail_remote(http, err, what);
  }
  quoin_status st = set_address(http, base_span(to), err);
  return st ? st : start(http, err);
}

/* DONE: the response is whole. OK: another request has been started. */
static quoin_status
finish(service_http *http, CURLcode result, quoin_error *err)
{
  long code = 0;
  if (result != CURLE_OK)
    return fail_remote(http, err, http->why[0] ? http->why : curl_easy_strerror(result));
  (void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &code);
  if (code >= 300 && code <= 399) return redirect(http, code, err);
  if (code == 415 && !http->form) { /* does not take the query itself as the body */
    http->form = true;
    return start(http, err);
  }
  if (code < 200 || code > 299) return fail_status(http, code, err);
  if (!http->reader) return fail_remote(http, err, "it answers with nothing");
  quoin_status st = fail_reader(http, results_reader_finish(http->reader, err), err);
  return st ? st : QUOIN_DONE;
}

/* The transfer that has ended, if it has. */
static bool
ended(CURLcode *result, const service_http *http)
{
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));)
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return true;
    }
  return false;
}

static int
patience(const base_cancel *cancel)
{
  if (!cancel->deadline_ns) return POLL_MS;
  uint64_t now = base_clock_ns();
  uint64_t left = cancel->deadline_ns > now ? (cancel->deadline_ns - now) / 1000000 + 1 : 0;
  return left < POLL_MS ? (int)left : POLL_MS;
}

quoin_status
service_http_wait(service_http *http, const bool *full, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  assert(http->added);
  http->err = err;
  http->full = full;
  http->came = 0;
  for (;;) {
    int running = 0;
    CURLcode result;
    http->cancel->calls = 0; /* look at the clock */
    if ((st = base_cancel_check(http->cancel, err))) break;
    if (http->paused && !*full) {
      http->paused = false;
      (void)curl_easy_pause(http->easy, CURLPAUSE_CONT);
    }
    CURLMcode code = http->status ? CURLM_OK : curl_multi_perform(http->multi, &running);
    if ((st = http->status)) break;
    if (code != CURLM_OK) {
      st = fail_remote(http, err, curl_multi_strerror(code));
      break;
    }
    if (ended(&result, http) && (st = finish(http, result, err))) break;
    if (http->came || *full) break;
    (void)curl_multi_poll(http->multi, NULL, 0, patience(http->cancel), NULL);
  }
  if (st) service_http_abort(http);
  http->err = NULL;
  http->full = NULL;
  return st;
}

bool
service_http_is_remote(const service_http *http)
{
  return http->remote;
}

uint64_t
service_http_bytes(const service_http *http)
{
  return http->bytes;
}
