/* rdfio/lines.c - reads N-Triples and N-Quads: cuts the input at line ends, scans, reports. */
#include "rdfio/lines.h"

#include "rdfio/batch.h"
#include "rdfio/chars.h"

#include <assert.h>

#include "base/poison.h"

/* Block and batch together stay in a second-level cache of 512 KiB. */
enum { BLOCK_SIZE = 256 * 1024 };

typedef rdfio_lines_end (*scan_fn)(rdfio_lines *lines);

static scan_fn
choose_scan(void)
{
#if defined(RDFIO_HAVE_AVX2)
  if (__builtin_cpu_supports("avx2")) return rdfio_lines_scan_avx2;
#endif
  return rdfio_lines_scan_any;
}

/* ---- text with escapes ------------------------------------------------------------------------
 */

static bool
escape_fault(rdfio_lines *l, const char *at, const char *expected)
{
  l->fault = at;
  l->expected = expected;
  return false;
}

static bool
no_memory(rdfio_lines *l)
{
  l->fault = NULL;
  return false;
}

/* Decode one escape at p (a backslash) to out[*n]; its length, or 0 with the fault set. */
static size_t
decode_escape(char *out, size_t *n, uint32_t *cp, const char *p, bool string, rdfio_lines *l)
{
  static const char FROM[] = "tbnrf\"'\\", TO[] = "\t\b\n\r\f\"'\\";
  const char *why = NULL, *found = string && p[1] ? strchr(FROM, p[1]) : NULL;
  if (found) {
    out[(*n)++] = TO[found - FROM];
    *cp = 0;
    return 2;
  }
  if (p[1] != 'u' && p[1] != 'U') {
    escape_fault(l, p + 1, string ? "one of t b n r f \" ' \\ u U after '\\'" : "\\u or \\U");
    return 0;
  }
  size_t used = rdfio_uchar_decode(cp, &why, p, (size_t)(l->end - p));
  if (!used) {
    escape_fault(l, p, why);
    return 0;
  }
  *n += base_utf8_encode(out + *n, *cp);
  return used;
}

bool
rdfio_lines_escaped_iri(quoin_span *out, const char **at, rdfio_lines *l)
{
  const char *p = *at;
  while (*p == '\\' || !rdfio_char_is(*p, RDFIO_CHAR_IRI_BAD))
    p++;
  if (*p != '>') return escape_fault(l, p, "a character of an IRI or '>'");
  char *text = base_arena_bytes(l->arena, (size_t)(p - *at));
  if (!text) return no_memory(l);
  size_t n = 0;
  for (const char *q = *at; q < p;) {
    uint32_t cp;
    if (*q != '\\') {
      text[n++] = *q++;
      continue;
    }
    size_t used = decode_escape(text, &n, &cp, q, false, l);
    if (!used) return false;
    if (cp < 0x80 && rdfio_char_is((char)cp, RDFIO_CHAR_IRI_BAD))
      return escape_fault(l, q, "an escape of a character that an IRI may hold");
    q += used;
  }
  size_t good = base_utf8_valid(text, n);
  if (good != n) return escape_fault(l, *at, "UTF-8");
  *out = (quoin_span){text, n};
  *at = p + 1;
  return true;
}

bool
rdfio_lines_escaped_string(quoin_span *out, const char **at, rdfio_lines *l)
{
  const char *p = *at;
  for (;; p++) {
    if (*p == '\\' && p[1] != '\n' && p[1] != '\r')
      p++;
    else if (*p == '"' || *p == '\n' || *p == '\r')
      break;
  }
  if (*p != '"') return escape_fault(l, p, "'\"' at the end of the string");
  char *text = base_arena_bytes(l->arena, (size_t)(p - *at));
  if (!text) return no_memory(l);
  size_t n = 0;
  for (const char *q = *at; q < p;) {
    const char *slash = memchr(q, '\\', (size_t)(p - q));
    size_t plain = (size_t)((slash ? slash : p) - q);
    size_t good = base_utf8_valid(q, plain);
    if (good != plain) return escape_fault(l, q + good, "UTF-8");
    memcpy(text + n, q, plain);
    n += plain;
    q += plain;
    if (!slash) break;
    uint32_t cp;
    size_t used = decode_escape(text, &n, &cp, q, true, l);
    if (!used) return false;
    q += used;
  }
  *out = (quoin_span){text, n};
  *at = p + 1;
  return true;
}

/* ---- the input, block by block ----------------------------------------------------------------
 */

typedef struct block {
  const base_alloc *mem;
  char *data; /* cap + RDFIO_LINES_SLACK bytes */
  size_t cap, len;
  size_t lines; /* [0, lines) are whole lines */
  bool ended;
} block;

static quoin_status
block_grow(block *b, quoin_error *err)
{
  size_t cap = b->cap ? b->cap : BLOCK_SIZE / 2;
  if (!base_mul_size(&cap, cap, 2) || cap > SIZE_MAX - RDFIO_LINES_SLACK)
    return base_fail_nomem(err);
  char *data = base_resize(b->mem, b->data, b->cap ? b->cap + RDFIO_LINES_SLACK : 0,
                           cap + RDFIO_LINES_SLACK, 1);
  if (!data) return base_fail_nomem(err);
  memset(data + b->len, 0, cap + RDFIO_LINES_SLACK - b->len);
  b->data = data;
  b->cap = cap;
  return QUOIN_OK;
}

/* Past the last line end of [from, len), or 0: '\n', or '\r' in files that have nothing else. A
 * '\r' as last byte is left: a '\n' may follow it. */
static size_t
past_last_line(const block *b, size_t from)
{
  const char *end = b->len > from ? memrchr(b->data + from, '\n', b->len - from) : NULL;
  if (!end && b->len > from + 1) end = memrchr(b->data + from, '\r', b->len - from - 1);
  return end ? (size_t)(end - b->data) + 1 : 0;
}

/* Forget the lines scanned and read until there is a whole one, or the end. */
static quoin_status
block_next(block *b, rdfio_batch *batch, quoin_error *err)
{
  b->len -= b->lines;
  memmove(b->data, b->data + b->lines, b->len);
  b->lines = 0;
  while (!b->lines && !b->ended) {
    quoin_status st;
    size_t got = 0;
    if (b->len == b->cap && (st = block_grow(b, err))) return st;
    if ((st = rdfio_source_read(&got, batch->source, b->data + b->len, b->cap - b->len, err)))
      return st;
    size_t from = b->len ? b->len - 1 : 0; /* a '\r' may have been left there */
    b->ended = got == 0;
    b->len += got;
    batch->result->bytes += got;
    b->lines = b->ended ? b->len : past_last_line(b, from);
  }
  return QUOIN_OK;
}

/* The scan needs '\n' and slack after the chunk; the bytes there belong to the next one. */
typedef struct borrowed {
  char saved[RDFIO_LINES_SLACK];
} borrowed;

static void
slack_set(borrowed *s, block *b)
{
  memcpy(s->saved, b->data + b->lines, sizeof(s->saved));
  memset(b->data + b->lines, '\n', sizeof(s->saved));
}

static void
slack_undo(const borrowed *s, block *b)
{
  memcpy(b->data + b->lines, s->saved, sizeof(s->saved));
}

static void
fault_error(quoin_error *out, const rdfio_lines *l, const char *name)
{
  char found[32];
  rdfio_describe(found, l->fault, l->fault < l->end ? l->end : l->fault + 1);
  *out = (quoin_error)QUOIN_ERROR_INIT;
  (void)!base_fail_pos(out, QUOIN_ERR_SYNTAX, name, l->line, (uint64_t)(l->fault - l->at) + 1,
                       "found %s, expected %s", found, l->expected);
}

/* Lenient: go on behind the bad line. */
static void
skip_line(rdfio_lines *l)
{
  const char *p = l->fault; /* never before the line's own end */
  while (p < l->end && *p != '\n' && *p != '\r')
    p++;
  if (p < l->end) p += *p == '\r' && p[1] == '\n' ? 2 : 1;
  l->at = p;
  l->line++;
}

static quoin_status
scan_block(rdfio_lines *l, rdfio_batch *batch, scan_fn scan, quoin_error *err)
{
  const char *name = rdfio_source_name(batch->source);
  for (;;) {
    quoin_status st = QUOIN_OK;
    quoin_error fault;
    l->n = batch->n;
    l->fault = NULL;
    rdfio_lines_end end = scan(l);
    batch->n = l->n;
    switch (end) {
    case RDFIO_LINES_END:
      return rdfio_batch_flush(batch, err); /* the spans point into the block */
    case RDFIO_LINES_FULL:
      if ((st = rdfio_batch_flush(batch, err))) return st;
      break;
    case RDFIO_LINES_NOMEM:
      return base_fail_nomem(err);
    case RDFIO_LINES_BAD:
      fault_error(&fault, l, name);
      if ((st = rdfio_batch_bad(batch, &fault, err))) return st;
      skip_line(l);
      break;
    }
  }
}

quoin_status
rdfio_read_lines(rdfio_batch *batch, bool quads, const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  scan_fn scan = choose_scan();
  block b = {.mem = mem};
  borrowed slack;
  rdfio_lines l = {
      .line = 1, .quads = quads, .arena = &batch->arena, .out = batch->quads, .cap = RDFIO_BATCH};

  if ((st = block_grow(&b, err))) goto done;
  for (bool first = true;; first = false) {
    if ((st = block_next(&b, batch, err))) goto done;
    if (!b.lines) break;
    l.at = b.data;
    l.end = b.data + b.lines;
    if (first && b.lines >= 3 && !memcmp(l.at, "\xEF\xBB\xBF", 3)) l.at += 3; /* byte order mark */
    slack_set(&slack, &b);
    st = scan_block(&l, batch, scan, err);
    slack_undo(&slack, &b);
    if (st) goto done;
  }
  st = rdfio_batch_flush(batch, err);

done:
  base_release(mem, b.data, b.cap ? b.cap + RDFIO_LINES_SLACK : 0, 1);
  return st;
}
