/* rdfio/iri.c - IRIs: resolution (RFC 3986 5.2), file paths, checks.
 *
 * References are resolved as they are written: nothing is normalised but dot segments, and
 * characters beyond ASCII stand for themselves (RFC 3987). */
#include "rdfio/rdfio.h"

#include "rdfio/chars.h"

#include <errno.h>
#include <unistd.h>

#include "base/poison.h"

/* The five parts of a reference; an absent one has ptr NULL, the path is always there. */
typedef struct iri_parts {
  quoin_span scheme, authority, path, query, fragment;
} iri_parts;

/* Length of the scheme at the start of `iri` without its colon; 0 when there is none. */
static size_t
scheme_length(quoin_span iri)
{
  if (!iri.len || !rdfio_char_is(iri.ptr[0], RDFIO_CHAR_ALPHA)) return 0;
  size_t n = 1;
  while (n < iri.len && rdfio_char_is(iri.ptr[n], RDFIO_CHAR_SCHEME))
    n++;
  return n < iri.len && iri.ptr[n] == ':' ? n : 0;
}

static quoin_span
take_until(quoin_span *rest, const char *stops)
{
  size_t n = 0;
  while (n < rest->len && !(rest->ptr[n] && strchr(stops, rest->ptr[n])))
    n++;
  quoin_span head = {rest->ptr, n};
  rest->ptr += n;
  rest->len -= n;
  return head;
}

static void
skip(quoin_span *rest, size_t n)
{
  rest->ptr += n;
  rest->len -= n;
}

/* RFC 3986 appendix B, without the regular expression. */
static iri_parts
split(quoin_span iri)
{
  iri_parts p = {0};
  size_t n = scheme_length(iri);
  if (n) {
    p.scheme = (quoin_span){iri.ptr, n};
    skip(&iri, n + 1);
  }
  if (iri.len >= 2 && iri.ptr[0] == '/' && iri.ptr[1] == '/') {
    skip(&iri, 2);
    p.authority = take_until(&iri, "/?#");
  }
  p.path = take_until(&iri, "?#");
  if (iri.len && iri.ptr[0] == '?') {
    skip(&iri, 1);
    p.query = take_until(&iri, "#");
  }
  if (iri.len) {
    skip(&iri, 1);
    p.fragment = iri;
  }
  return p;
}

/* Past the last '/' of out[0, at), or 0: where the last segment is cut off. */
static size_t
last_segment(const char *out, size_t at)
{
  while (at && out[at - 1] != '/')
    at--;
  return at ? at - 1 : 0;
}

static bool
starts(quoin_span in, const char *text)
{
  size_t n = strlen(text);
  return in.len >= n && memcmp(in.ptr, text, n) == 0;
}

/* RFC 3986 5.2.4, in place: writes at most path.len bytes to `out` (which may be path.ptr). */
static size_t
remove_dot_segments(char *out, quoin_span in)
{
  size_t at = 0;
  while (in.len) {
    if (starts(in, "../")) {
      skip(&in, 3);
    } else if (starts(in, "./")) {
      skip(&in, 2);
    } else if (starts(in, "/./")) {
      skip(&in, 2);
    } else if (base_span_is(in, "/.")) {
      out[at++] = '/';
      break;
    } else if (starts(in, "/../")) {
      skip(&in, 3);
      at = last_segment(out, at);
    } else if (base_span_is(in, "/..")) {
      at = last_segment(out, at);
      out[at++] = '/';
      break;
    } else if (base_span_is(in, ".") || base_span_is(in, "..")) {
      break;
    } else {
      do {
        out[at++] = in.ptr[0];
        skip(&in, 1);
      } while (in.len && in.ptr[0] != '/');
    }
  }
  return at;
}

static size_t
put(char *out, size_t at, quoin_span text)
{
  if (text.len) memcpy(out + at, text.ptr, text.len);
  return at + text.len;
}

/* RFC 3986 5.2.3: the base path up to its last slash, then the path of the reference. */
static size_t
put_merged(char *out, size_t at, const iri_parts *base, quoin_span path)
{
  if (base->authority.ptr && !base->path.len) {
    out[at++] = '/';
  } else {
    size_t n = base->path.len;
    while (n && base->path.ptr[n - 1] != '/')
      n--;
    at = put(out, at, (quoin_span){base->path.ptr, n});
  }
  return put(out, at, path);
}

/* RFC 3986 5.2.2 and 5.3, strict: writes the target to `out` and returns its length. */
static size_t
resolve(char *out, const iri_parts *base, const iri_parts *ref)
{
  const iri_parts *host = ref->scheme.ptr || ref->authority.ptr ? ref : base;
  bool own_path = host == ref || ref->path.len != 0;
  quoin_span scheme = ref->scheme.ptr ? ref->scheme : base->scheme;
  quoin_span query = own_path || ref->query.ptr ? ref->query : base->query;
  size_t at = put(out, 0, scheme);

  out[at++] = ':';
  if (host->authority.ptr) {
    out[at++] = '/';
    out[at++] = '/';
    at = put(out, at, host->authority);
  }
  size_t path = at;
  if (!own_path) {
    at = put(out, at, base->path);
  } else {
    if (host == ref || ref->path.ptr[0] == '/')
      at = put(out, at, ref->path);
    else
      at = put_merged(out, at, base, ref->path);
    at = path + remove_dot_segments(out + path, (quoin_span){out + path, at - path});
  }
  if (query.ptr) {
    out[at++] = '?';
    at = put(out, at, query);
  }
  if (ref->fragment.ptr) {
    out[at++] = '#';
    at = put(out, at, ref->fragment);
  }
  return at;
}

/* Offset of the first byte that no IRI may hold, or iri.len. */
static size_t
first_bad(quoin_span iri)
{
  size_t i = 0;
  while (i < iri.len && !rdfio_char_is(iri.ptr[i], RDFIO_CHAR_IRI_BAD))
    i++;
  return i;
}

quoin_status
rdfio_iri_resolve(quoin_span *out, quoin_span base, quoin_span ref, base_arena *arena,
                  quoin_error *err)
{
  size_t bad = first_bad(ref);
  if (bad < ref.len) {
    char found[32];
    rdfio_describe(found, ref.ptr + bad, ref.ptr + ref.len);
    return base_fail(err, QUOIN_ERR_SYNTAX, "an IRI may not contain %s: it must be percent-encoded",
                     found);
  }
  iri_parts r = split(ref), b = split(base);
  if (!r.scheme.ptr && !b.scheme.ptr)
    return base_fail(err, QUOIN_ERR_SYNTAX,
                     "the relative IRI <%.*s> has nothing to be resolved against: give a base IRI",
                     (int)(ref.len < 80 ? ref.len : 80), ref.len ? ref.ptr : "");
  size_t room;
  if (!base_add_size(&room, base.len, ref.len) || !base_add_size(&room, room, 8))
    return base_fail_nomem(err);
  char *text = base_arena_bytes(arena, room);
  if (!text) return base_fail_nomem(err);
  *out = (quoin_span){text, resolve(text, &b, &r)};
  return QUOIN_OK;
}

bool
rdfio_iri_is_absolute(quoin_span iri)
{
  return scheme_length(iri) && first_bad(iri) == iri.len;
}

quoin_status
rdfio_iri_check(quoin_span iri, quoin_error *err)
{
  char found[32];
  size_t bad = first_bad(iri), i = 0;
  if (bad < iri.len) {
    rdfio_describe(found, iri.ptr + bad, iri.ptr + iri.len);
    return base_fail_at(err, QUOIN_ERR_ARGUMENT, NULL, bad,
                        "an IRI may not contain %s: it must be percent-encoded", found);
  }
  if (scheme_length(iri)) return QUOIN_OK;
  while (i < iri.len && rdfio_char_is(iri.ptr[i], i ? RDFIO_CHAR_SCHEME : RDFIO_CHAR_ALPHA))
    i++;
  return base_fail_at(
      err, QUOIN_ERR_ARGUMENT, NULL, i,
      "an absolute IRI is expected, which begins with a scheme, as in http: or urn:");
}

/* Characters of a path segment that need no percent-encoding (RFC 3986 3.3), and '/'. */
static bool
is_path_char(char c)
{
  return rdfio_char_is(c, RDFIO_CHAR_ALPHA | RDFIO_CHAR_DIGIT) ||
         (c && strchr("/-._~!$&'()*+,;=:@", c));
}

static size_t
put_encoded(char *out, size_t at, quoin_span path)
{
  static const char HEX[] = "0123456789ABCDEF";
  for (size_t i = 0; i < path.len; i++) {
    char c = path.ptr[i];
    if (is_path_char(c)) {
      out[at++] = c;
    } else {
      out[at++] = '%';
      out[at++] = HEX[(unsigned char)c >> 4];
      out[at++] = HEX[(unsigned char)c & 15];
    }
  }
  return at;
}

quoin_status
rdfio_iri_of_path(quoin_span *out, const char *path, base_arena *arena, quoin_error *err)
{
  char cwd[4096] = "";
  quoin_span file = base_span(path);
  if (path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
    return base_fail_os(err, errno, path, "the current directory cannot be named");
  quoin_span dir = base_span(cwd);
  char *text = base_arena_bytes(arena, 8 + 3 * (dir.len + file.len + 1));
  if (!text) return base_fail_nomem(err);
  size_t at = put(text, 0, base_span("file://"));
  size_t start = at;
  if (dir.len) {
    at = put_encoded(text, at, dir);
    if (text[at - 1] != '/') text[at++] = '/';
  }
  at = put_encoded(text, at, file);
  at = start + remove_dot_segments(text + start, (quoin_span){text + start, at - start});
  *out = (quoin_span){text, at};
  return QUOIN_OK;
}

bool
rdfio_lang_is_valid(quoin_span tag)
{
  size_t at = 0, run = 0;
  while (at < tag.len && rdfio_char_is(tag.ptr[at], RDFIO_CHAR_ALPHA))
    at++;
  if (!at) return false;
  while (at < tag.len) {
    if (tag.ptr[at++] != '-') return false;
    run = at;
    while (at < tag.len && rdfio_char_is(tag.ptr[at], RDFIO_CHAR_ALPHA | RDFIO_CHAR_DIGIT))
      at++;
    if (at == run) return false;
  }
  return true;
}
