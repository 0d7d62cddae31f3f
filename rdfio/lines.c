/* rdfio/lines.c - reads N-Triples and N-Quads: cuts the input at line ends, scans, reports. A chunk
 * of whole lines is all the state there is, so that several threads can read one input. */
#include "rdfio/lines.h"

#include "rdfio/batch.h"
#include "rdfio/chars.h"

#include <assert.h>

#include "base/poison.h"

/* What is read at once. Chunk and batch together stay in a second-level cache of 512 KiB. */
enum { READ_SIZE = 256 * 1024 };

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

/* ---- chunks ------------------------------------------------------------------------------------
 */

struct rdfio_chunk {
  const base_alloc *mem;
  char *data; /* cap + RDFIO_LINES_SLACK bytes */
  size_t cap, len;
  const char *name; /* of the source */
  base_arena arena;
  rdfio_lines lines;
  scan_fn scan;
  rdfio_check_fn check; /* may be NULL */
  void *check_user;
};

quoin_status
rdfio_chunk_new(rdfio_chunk **out, const base_alloc *mem, quoin_error *err)
{
  rdfio_chunk *c = base_new_zero(mem, 1, sizeof(*c));
  *out = c;
  if (!c) return base_fail_nomem(err);
  c->mem = mem;
  c->name = "";
  c->scan = choose_scan();
  base_arena_init(&c->arena, mem);
  c->lines.arena = &c->arena;
  return QUOIN_OK;
}

void
rdfio_chunk_free(rdfio_chunk *c)
{
  if (!c) return;
  base_release(c->mem, c->data, c->cap ? c->cap + RDFIO_LINES_SLACK : 0, 1);
  base_arena_clear(&c->arena);
  base_release(c->mem, c, 1, sizeof(*c));
}

size_t
rdfio_chunk_bytes(const rdfio_chunk *c)
{
  return c->len;
}

uint64_t
rdfio_chunk_line(const rdfio_chunk *c)
{
  return c->lines.line;
}

void
rdfio_chunk_set_line(rdfio_chunk *c, uint64_t line)
{
  c->lines.line = line;
}

void
rdfio_chunk_set_check(rdfio_chunk *c, rdfio_check_fn check, void *user)
{
  c->check = check;
  c->check_user = user;
}

static quoin_status
chunk_reserve(rdfio_chunk *c, size_t cap, quoin_error *err)
{
  if (cap <= c->cap) return QUOIN_OK;
  if (cap > SIZE_MAX - RDFIO_LINES_SLACK) return base_fail_nomem(err);
  char *data = base_resize(c->mem, c->data, c->cap ? c->cap + RDFIO_LINES_SLACK : 0,
                           cap + RDFIO_LINES_SLACK, 1);
  if (!data) return base_fail_nomem(err);
  c->data = data;
  c->cap = cap;
  return QUOIN_OK;
}

/* What was found at a bad statement; reading goes on behind its line. */
static quoin_status
fault(rdfio_chunk *c, quoin_error *err)
{
  rdfio_lines *l = &c->lines;
  char found[32];
  const char *p = l->fault; /* never before the line's own end */
  rdfio_describe(found, p, p < l->end ? l->end : p + 1);
  quoin_status st =
      base_fail_pos(err, QUOIN_ERR_SYNTAX, c->name, l->line, (uint64_t)(p - l->at) + 1,
                    "found %s, expected %s", found, l->expected);
  while (p < l->end && *p != '\n' && *p != '\r')
    p++;
  if (p < l->end) p += *p == '\r' && p[1] == '\n' ? 2 : 1;
  l->at = p;
  l->line++;
  return st;
}

/* Column, from 1, of the text where it stands in the chunk; 0: it had escapes. */
static uint64_t
column_of(const rdfio_chunk *c, quoin_span text)
{
  const char *at = text.ptr;
  if (!at || at < c->data || at >= c->data + c->len) return 0;
  while (at > c->data && at[-1] != '\n' && at[-1] != '\r')
    at--;
  return (uint64_t)(text.ptr - at); /* that of the quote before it */
}

/* Ask the check of the first n statements that were scanned; the number of those before a refused
 * one. */
static size_t
ask_check(quoin_status *st, rdfio_chunk *c, size_t n, quoin_error *refused)
{
  *st = QUOIN_OK;
  for (size_t i = 0; i < n; i++) {
    rdfio_quad *quad = &c->lines.out[i];
    const rdf_term *object = &quad->term[2];
    bool ask = object->kind == RDF_LITERAL && object->datatype.len;
    *st = ask ? c->check(c->check_user, quad, refused) : QUOIN_OK;
    if (*st && *st != QUOIN_DONE) return i;
    if (*st)
      quad->column = column_of(c, object->value);
    else
      quad->line = 0;
  }
  *st = QUOIN_OK;
  return n;
}

/* Ask the check of the statements that a scan from `at` on gave. Those before a refused one are
 * given first: they are scanned again, which leaves the chunk at its line. */
static quoin_status
check_scanned(size_t *n, rdfio_chunk *c, const char *at, uint64_t line, quoin_error *err)
{
  rdfio_lines *l = &c->lines;
  quoin_error refused = QUOIN_ERROR_INIT;
  quoin_status st;
  size_t good = ask_check(&st, c, *n, &refused);
  if (!st) return QUOIN_OK;
  *n = good;
  l->at = at;
  l->line = line;
  l->n = 0;
  l->cap = good ? good : 1;
  uint64_t column = column_of(c, l->out[good].term[2].value);
  if (c->scan(l) == RDFIO_LINES_NOMEM) return base_fail_nomem(err);
  if (good) {
    (void)ask_check(&st, c, good, &refused); /* the places of those that want them */
    return st;
  }
  if (st != QUOIN_ERR_CONSTRAINT) {
    if (err) *err = refused;
    return st;
  }
  return base_fail_pos(err, st, c->name, l->out[0].line, column, "%s", refused.message);
}

quoin_status
rdfio_chunk_next(rdfio_quad *out, size_t *n, size_t cap, rdfio_chunk *c, quoin_error *err)
{
  assert(cap);
  rdfio_lines *l = &c->lines;
  const char *at = l->at;
  uint64_t line = l->line;
  l->out = out;
  l->cap = cap;
  l->n = 0;
  l->places = c->check != NULL;
  l->fault = NULL;
  rdfio_lines_end end = c->scan(l);
  *n = l->n;
  if (end == RDFIO_LINES_NOMEM) return base_fail_nomem(err);
  if (l->n && c->check) return check_scanned(n, c, at, line, err);
  if (l->n) return QUOIN_OK; /* a bad one after them is met again */
  return end == RDFIO_LINES_BAD ? fault(c, err) : QUOIN_DONE;
}

/* ---- cutting -----------------------------------------------------------------------------------
 */

struct rdfio_cutter {
  const base_alloc *mem;
  rdfio_source *source;
  size_t least;
  char *rest; /* of a line whose end is not read yet */
  size_t cap, len;
  bool begun, ended;
};

quoin_status
rdfio_cutter_new(rdfio_cutter **out, rdfio_source *source, size_t least, const base_alloc *mem,
                 quoin_error *err)
{
  rdfio_cutter *cut = base_new_zero(mem, 1, sizeof(*cut));
  *out = cut;
  if (!cut) return base_fail_nomem(err);
  cut->mem = mem;
  cut->source = source;
  cut->least = least;
  return QUOIN_OK;
}

void
rdfio_cutter_free(rdfio_cutter *cut)
{
  if (!cut) return;
  base_release(cut->mem, cut->rest, cut->cap, 1);
  base_release(cut->mem, cut, 1, sizeof(*cut));
}

/* Past the last line end of [from, len), or 0: '\n', or '\r' in files that have nothing else. A
 * '\r' as last byte is left: a '\n' may follow it. */
static size_t
past_last_line(const rdfio_chunk *c, size_t from)
{
  const char *end = c->len > from ? memrchr(c->data + from, '\n', c->len - from) : NULL;
  if (!end && c->len > from + 1) end = memrchr(c->data + from, '\r', c->len - from - 1);
  return end ? (size_t)(end - c->data) + 1 : 0;
}

/* Read until there is a whole line and enough of them, or the end; *lines is the end of the last.
 */
static quoin_status
fill(size_t *lines, rdfio_chunk *c, rdfio_cutter *cut, quoin_error *err)
{
  quoin_status st;
  *lines = 0;
  if ((st = chunk_reserve(c, cut->len + READ_SIZE, err))) return st;
  if (cut->len) memcpy(c->data, cut->rest, cut->len);
  c->len = cut->len;
  while (!cut->ended && (!*lines || c->len < cut->least)) {
    size_t got = 0, from = c->len ? c->len - 1 : 0; /* a '\r' may have been left there */
    if (c->cap == c->len && (st = chunk_reserve(c, c->cap + c->cap / 2 + READ_SIZE, err)))
      return st;
    size_t room = c->cap - c->len < READ_SIZE ? c->cap - c->len : READ_SIZE;
    if ((st = rdfio_source_read(&got, cut->source, c->data + c->len, room, err))) return st;
    c->len += got;
    cut->ended = got == 0;
    size_t end = cut->ended ? c->len : past_last_line(c, from);
    if (end) *lines = end;
  }
  return QUOIN_OK;
}

quoin_status
rdfio_cutter_next(rdfio_chunk *c, rdfio_cutter *cut, bool quads, quoin_error *err)
{
  size_t lines;
  void *rest = cut->rest;
  quoin_status st;

  base_arena_reset(&c->arena);
  c->name = rdfio_source_name(cut->source);
  if (cut->ended) return QUOIN_DONE;
  if ((st = fill(&lines, c, cut, err))) return st;
  cut->len = c->len - lines;
  if (!base_reserve(cut->mem, &rest, &cut->cap, cut->len, 1)) return base_fail_nomem(err);
  cut->rest = rest;
  if (cut->len) memcpy(cut->rest, c->data + lines, cut->len);
  c->len = lines;
  if (!lines) return QUOIN_DONE;
  memset(c->data + lines, '\n', RDFIO_LINES_SLACK);
  c->lines = (rdfio_lines){
      .at = c->data, .end = c->data + lines, .line = 1, .quads = quads, .arena = &c->arena};
  if (!cut->begun && lines >= 3 && !memcmp(c->data, "\xEF\xBB\xBF", 3))
    c->lines.at += 3; /* byte order mark */
  cut->begun = true;
  return QUOIN_OK;
}

/* ---- one thread --------------------------------------------------------------------------------
 */

static quoin_status
read_chunk(rdfio_chunk *c, rdfio_batch *batch, quoin_error *err)
{
  for (;;) {
    quoin_error bad = QUOIN_ERROR_INIT;
    quoin_status st = rdfio_chunk_next(batch->quads, &batch->n, RDFIO_BATCH, c, &bad);
    if (st == QUOIN_DONE) return QUOIN_OK;
    st = st ? rdfio_batch_bad(batch, &bad, err) : rdfio_batch_flush(batch, err);
    if (st) return st;
  }
}

quoin_status
rdfio_read_lines(rdfio_batch *batch, bool quads, const base_alloc *mem, quoin_error *err)
{
  rdfio_cutter *cutter = NULL;
  rdfio_chunk *chunk = NULL;
  uint64_t line = 1;
  quoin_status st = rdfio_cutter_new(&cutter, batch->source, 1, mem, err);

  if (!st) st = rdfio_chunk_new(&chunk, mem, err);
  if (!st) rdfio_chunk_set_check(chunk, batch->options->check, batch->options->check_user);
  while (!st && !(st = rdfio_cutter_next(chunk, cutter, quads, err))) {
    batch->result->bytes += rdfio_chunk_bytes(chunk);
    rdfio_chunk_set_line(chunk, line);
    st = read_chunk(chunk, batch, err);
    line = rdfio_chunk_line(chunk);
  }
  if (st == QUOIN_DONE) st = rdfio_batch_flush(batch, err);
  rdfio_chunk_free(chunk);
  rdfio_cutter_free(cutter);
  return st;
}
