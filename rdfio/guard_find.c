/* rdfio/guard_find.c - for messages: where a term stands that was found bad after serd had read it,
 * where one stands that somebody asked about, and what is missing at the end of a document. All but
 * rdfio_guard_follow() runs for errors only, and may take its time. */
#include "rdfio/guard.h"

#include "rdfio/chars.h"

#include <assert.h>

#include "base/poison.h"

/* A token of the input. */
typedef struct found_token {
  const char *at, *end;
} found_token;

static bool
is_word_char(char c)
{
  return (unsigned char)c >= 0x80 || c == ':' || c == '%' || c == '.' ||
         rdfio_char_is(c, RDFIO_CHAR_NAME);
}

static const char *
string_end(const char *p, const char *end)
{
  char quote = *p;
  bool is_long = end - p >= 3 && p[1] == quote && p[2] == quote;
  for (p += is_long ? 3 : 1; p < end; p++) {
    if (*p == '\\' && end - p > 1)
      p++;
    else if (*p == quote && (!is_long || (end - p >= 3 && p[1] == quote && p[2] == quote)))
      return p + (is_long ? 3 : 1);
  }
  return end;
}

static const char *
word_end(const char *p, const char *end)
{
  const char *from = p;
  for (; p < end && (is_word_char(*p) || *p == '\\'); p++)
    if (*p == '\\' && end - p > 1) p++;
  while (p > from + 1 && p[-1] == '.' && p[-2] != '\\')
    p--; /* it ends the statement */
  return p;
}

/* The token at or after p; at == end when there is none. */
static found_token
next_token(const char *p, const char *end)
{
  found_token t = {end, end};
  for (; p < end && (rdfio_guard_is_blank(*p) || *p == '#'); p++)
    if (*p == '#' && !(p = memchr(p, '\n', (size_t)(end - p)))) return t;
  if (p == end) return t;
  t.at = p;
  if (*p == '<') {
    const char *close = memchr(p, '>', (size_t)(end - p));
    t.end = close ? close + 1 : end;
  } else if (*p == '"' || *p == '\'') {
    t.end = string_end(p, end);
  } else if (*p == '@') {
    for (p++; p < end && (rdfio_char_is(*p, RDFIO_CHAR_NAME) && *p != '_'); p++)
      ;
    t.end = p;
  } else {
    t.end = word_end(p, end);
    if (t.end == t.at) t.end++;
  }
  return t;
}

static bool
begins(const char *p, const char *end, quoin_span text)
{
  return (size_t)(end - p) >= text.len && (!text.len || !memcmp(p, text.ptr, text.len));
}

/* The bytes that the escape at p stands for; its length, or 0 when it is none. */
static size_t
unescape(char utf8[4], size_t *n, const char *p, const char *end)
{
  static const char FROM[] = "tbnrf\"'\\", TO[] = "\t\b\n\r\f\"'\\";
  const char *found = end - p > 1 && p[1] ? strchr(FROM, p[1]) : NULL;
  const char *why;
  uint32_t cp;
  if (found) {
    utf8[0] = TO[found - FROM];
    *n = 1;
    return 2;
  }
  size_t used = rdfio_uchar_decode(&cp, &why, p, (size_t)(end - p));
  if (used) *n = base_utf8_encode(utf8, cp);
  return used;
}

/* Is the text in [p, end), which may have escapes, this one? */
static bool
is_text(const char *p, const char *end, quoin_span text)
{
  size_t at = 0;
  if ((size_t)(end - p) == text.len && begins(p, end, text)) return true;
  if ((size_t)(end - p) <= text.len) return false; /* an escape is longer than what it stands for */
  while (p < end) {
    char utf8[4] = {*p};
    size_t n = 1, used = 1;
    if (*p == '\\' && !(used = unescape(utf8, &n, p, end))) return false;
    if (text.len - at < n || memcmp(text.ptr + at, utf8, n)) return false;
    at += n;
    p += used;
  }
  return at == text.len;
}

static bool
is_string(found_token t, quoin_span text)
{
  ptrdiff_t quote = t.end - t.at >= 6 && t.at[1] == *t.at && t.at[2] == *t.at ? 3 : 1;
  return (*t.at == '"' || *t.at == '\'') && t.end - t.at >= 2 * quote &&
         is_text(t.at + quote, t.end - quote, text);
}

static bool
matches(found_token t, rdfio_token kind, quoin_span text)
{
  const char *colon;
  switch (kind) {
  case RDFIO_TOKEN_PREFIX:
    colon = memchr(t.at, ':', (size_t)(t.end - t.at));
    return colon && (size_t)(colon - t.at) == text.len && begins(t.at, colon, text);
  case RDFIO_TOKEN_IRI:
    if (*t.at != '<' || t.end - t.at < 2) return false;
    if (is_text(t.at + 1, t.end - 1, text)) return true;
    return text.len > 2 && !memcmp(text.ptr, "./", 2) && /* the guard puts it before keywords */
           is_text(t.at + 1, t.end - 1, (quoin_span){text.ptr + 2, text.len - 2});
  case RDFIO_TOKEN_LANG:
    return *t.at == '@' && (size_t)(t.end - t.at) == text.len + 1 && begins(t.at + 1, t.end, text);
  case RDFIO_TOKEN_BLANK:
    return t.end - t.at >= 2 && t.at[0] == '_' && t.at[1] == ':' && begins(t.at + 2, t.end, text);
  case RDFIO_TOKEN_STRING:
    return is_string(t, text);
  case RDFIO_TOKEN_WORD:
    return begins(t.at, t.end, text);
  }
  return false;
}

static bool
is_changed(quoin_span prefix)
{
  return prefix.len > 2 && prefix.ptr[2] == '-' &&
         (!memcmp(prefix.ptr, "tr", 2) || !memcmp(prefix.ptr, "fa", 2));
}

quoin_span
rdfio_guard_prefix(quoin_span prefix, base_arena *arena)
{
  if (!is_changed(prefix)) return prefix;
  char *text = base_arena_bytes(arena, prefix.len - 1);
  if (!text) return (quoin_span){0};
  memcpy(text, prefix.ptr, 2);
  memcpy(text + 2, prefix.ptr + 3, prefix.len - 3);
  return (quoin_span){text, prefix.len - 1};
}

/* Offset in the page of the input's byte `at`. */
static size_t
page_offset(const rdfio_guard *g, size_t at)
{
  if (at <= g->page_from) return 0;
  int64_t target = (int64_t)(at - g->page_from), shift = 0;
  for (size_t i = 0; i < g->marks_len; i++) {
    int64_t delta = g->marks[i].delta;
    if ((int64_t)g->marks[i].at + shift + (delta > 0 ? delta : 1) > target) break;
    shift += delta;
  }
  return (size_t)(target - shift);
}

static uint64_t
lines_in(const char *p, const char *end)
{
  uint64_t n = 0;
  for (; (p = memchr(p, '\n', (size_t)(end - p))); p++)
    n++;
  return n;
}

bool
rdfio_guard_find(uint64_t *line, uint64_t *column, size_t *page_at, const rdfio_guard *g,
                 rdfio_token kind, quoin_span text)
{
  const char *from = g->in + g->keep_from, *end = g->in + g->in_valid;
  found_token t = {end, end};
  *line = g->place.line;
  *column = g->place.column;
  *page_at = 0;
  if (!g->lost)
    for (t = next_token(from, end); t.at < end && !matches(t, kind, text);)
      t = next_token(t.end, end);
  if (t.at == end || t.at > g->in + g->in_at) return !g->failed;
  const char *start = t.at;
  while (start > from && start[-1] != '\n')
    start--;
  *line = g->place.line - lines_in(from, g->in + g->page_from) + lines_in(from, t.at);
  *column = start == from ? g->keep_column + (size_t)(t.at - from) : 1 + (size_t)(t.at - start);
  *page_at = page_offset(g, (size_t)(t.at - g->in));
  return !g->failed || t.end < g->in + g->in_at;
}

/* From one place of the input on to another. */
static void
pass_input(uint64_t *line, uint64_t *column, const char *from, const char *to)
{
  for (const char *end; (end = memchr(from, '\n', (size_t)(to - from))); from = end + 1) {
    ++*line;
    *column = 1;
  }
  *column += (size_t)(to - from);
}

/* The text of a literal that has a datatype? */
static bool
is_typed(found_token t, quoin_span text, const char *end)
{
  if (!is_string(t, text)) return false;
  found_token next = next_token(t.end, end);
  return next.at < end && *next.at == '^';
}

/* Is it a number without quotes, behind a token that ends as the predicate does? */
static bool
is_number(found_token before, found_token t, quoin_span predicate, quoin_span text)
{
  size_t n = (size_t)(t.end - t.at), local = 0;
  if (n != text.len || !memchr("+-.0123456789", *t.at, 13) || memcmp(t.at, text.ptr, n) != 0)
    return false;
  while (local < predicate.len &&
         rdfio_char_is(predicate.ptr[predicate.len - local - 1], RDFIO_CHAR_NAME))
    local++;
  n = (size_t)(before.end - before.at);
  if (n && before.end[-1] == '>') n--;
  return local && n > local &&
         !memcmp(before.at + n - local, predicate.ptr + predicate.len - local, local);
}

void
rdfio_guard_follow(uint64_t *line, uint64_t *column, rdfio_guard *g, quoin_span predicate,
                   quoin_span text)
{
  const char *kept = g->in + g->keep_from, *end = g->in + g->in_valid;
  bool follows = g->follow_line && g->follow_at >= g->dropped + g->keep_from;
  if (!follows && !g->lost) {
    g->follow_at = g->dropped + g->keep_from;
    g->follow_line = g->place.line - lines_in(kept, g->in + g->page_from);
    g->follow_column = g->keep_column;
    follows = true;
  }
  const char *from = follows ? g->in + (g->follow_at - g->dropped) : end;
  found_token t = next_token(from, end), before = {from, from};
  while (t.at < end && !is_typed(t, text, end) && !is_number(before, t, predicate, text)) {
    before = t;
    t = next_token(t.end, end);
  }
  if (t.at == end || t.at > g->in + g->in_at) {
    size_t page_at;
    *line = 0;
    if (text.len && memchr("+-.0123456789", *text.ptr, 13)) return;
    (void)rdfio_guard_find(line, column, &page_at, g, RDFIO_TOKEN_STRING, text);
    return;
  }
  pass_input(&g->follow_line, &g->follow_column, from, t.at);
  *line = g->follow_line;
  *column = g->follow_column;
  pass_input(&g->follow_line, &g->follow_column, t.at, t.end);
  g->follow_at = g->dropped + (uint64_t)(t.end - g->in);
}

/* ---- at the end of the input ------------------------------------------------------------------
 */

const char *
rdfio_guard_expected(const rdfio_guard *g, const char *said)
{
  bool inside = g->depth != 0;
  bool round = inside && (g->round[(g->depth - 1) / 8] >> (g->depth - 1) % 8 & 1);
  if (g->last == '@') return "a language tag, or the prefix or IRI of a directive";
  if (g->last == '^') return "a datatype IRI after '^^'";
  if (round) return "an object or ')'";
  if (!strncmp(said, "expected object", 15)) return "an object";
  if (!strncmp(said, "bad verb", 8))
    return g->braces || !g->trig ? "a predicate" : "a predicate or '{'";
  if (!strncmp(said, "expected `<'", 12)) return "an IRI in <>";
  if (!strncmp(said, "expected `:'", 12)) return "a prefix and ':'";
  if (!strncmp(said, "expected `.'", 12)) return "'.' at the end of the directive";
  if (inside) return "']'";
  if (g->braces) return g->last == '.' || g->last == '{' ? "a statement or '}'" : "'.' or '}'";
  return "'.' at the end of the statement";
}
