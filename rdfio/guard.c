/* rdfio/guard.c - what stands between the input and serd. */
#include "rdfio/guard.h"

#include <assert.h>

#include "base/poison.h"

enum { IN_MIN = 64 * 1024 };

quoin_status
rdfio_guard_init(rdfio_guard *g, rdfio_source *source, bool trig, uint64_t *bytes,
                 const base_alloc *mem, quoin_error *err)
{
  memset(g, 0, offsetof(rdfio_guard, page)); /* the page and its marks are written before read */
  g->keep_column = 1;
  g->mem = mem;
  g->source = source;
  g->bytes = bytes;
  g->trig = trig;
  g->place = (rdfio_guard_place){1, 1, 1, 1};
  g->error = (quoin_error)QUOIN_ERROR_INIT;
  if (!(g->in = base_new(mem, IN_MIN, 1))) return base_fail_nomem(err);
  g->in_cap = IN_MIN;
  return QUOIN_OK;
}

void
rdfio_guard_clear(rdfio_guard *g)
{
  base_release(g->mem, g->in, g->in_cap, 1);
  g->in = NULL;
  g->in_cap = 0;
}

/* ---- input ------------------------------------------------------------------------------------
 */

static void
validate(rdfio_guard *g)
{
  size_t rest = g->in_len - g->in_valid;
  size_t good = base_utf8_valid(g->in + g->in_valid, rest);
  g->in_valid += good;
  g->in_bad = good < rest && (rest - good > 3 || g->in_ended); /* else it may be cut off */
}

/* Have at least `want` bytes from in_at on, or all there are. Moves what is kept to the start of
 * the buffer. */
static quoin_status
need(rdfio_guard *g, size_t want, quoin_error *err)
{
  while (g->in_valid - g->in_at < want && !g->in_ended && !g->in_bad) {
    size_t drop = g->keep_from;
    quoin_status st = QUOIN_OK;
    if (drop) {
      memmove(g->in, g->in + drop, g->in_len - drop);
      g->dropped += drop;
      g->keep_from = 0;
      g->page_from -= drop;
      g->in_at -= drop;
      g->in_len -= drop;
      g->in_valid -= drop;
    }
    if (g->in_len == g->in_cap) {
      char *grown = base_resize(g->mem, g->in, g->in_cap, g->in_cap * 2, 1);
      if (!grown) return base_fail_nomem(err);
      g->in = grown;
      g->in_cap *= 2;
    }
    size_t got = 0;
    st = rdfio_source_read(&got, g->source, g->in + g->in_len, g->in_cap - g->in_len, err);
    if (st) return st;
    g->in_ended = got == 0;
    g->in_len += got;
    *g->bytes += got;
    validate(g);
  }
  return QUOIN_OK;
}

/* ---- the page ---------------------------------------------------------------------------------
 */

/* What to add to a page offset to get the distance in the input from the start of the page. */
static int64_t
shift_before(const rdfio_guard *g, size_t at)
{
  int64_t shift = 0;
  for (size_t i = 0; i < g->marks_len && g->marks[i].at < at; i++)
    shift += g->marks[i].delta;
  return shift;
}

/* Go on to page offset `to`, where nothing was put in or left out in between. */
static void
pass_bytes(rdfio_guard_place *p, const rdfio_guard *g, size_t from, size_t to)
{
  for (const char *end; (end = memchr(g->page + from, '\n', to - from));) {
    from = (size_t)(end - g->page) + 1;
    p->line++;
    p->column = 1;
    p->serd_line++;
    p->serd_column = 0;
  }
  p->column += to - from;
  p->serd_column += to - from;
}

static void
pass_mark(rdfio_guard_place *p, const rdfio_guard_mark *m)
{
  p->line += m->lines;
  p->column = m->lines ? 1 + (uint64_t)m->column : p->column + (uint64_t)(int64_t)m->delta;
}

void
rdfio_guard_place_after(rdfio_guard_place *out, const rdfio_guard *g, size_t at)
{
  rdfio_guard_place p = g->place;
  size_t from = 0;
  for (size_t i = 0; i < g->marks_len && g->marks[i].at < at; from = g->marks[i++].at) {
    pass_bytes(&p, g, from, g->marks[i].at);
    pass_mark(&p, &g->marks[i]);
  }
  pass_bytes(&p, g, from, at);
  *out = p;
}

/* The page is gone: from where on is its input still wanted? serd may be inside a statement of
 * which it has not given a triple yet. */
static void
keep(rdfio_guard *g)
{
  size_t n = g->ends_made < RDFIO_GUARD_ENDS ? g->ends_made : RDFIO_GUARD_ENDS;
  size_t from = SIZE_MAX;
  for (size_t i = g->ends_made - n; i < g->ends_made && from == SIZE_MAX && g->ends_made > n; i++) {
    uint64_t end = g->ends[i % RDFIO_GUARD_ENDS];
    if (end < g->dropped + g->keep_from || end > g->dropped + g->page_from) continue;
    if (g->dropped + g->page_from - end <= RDFIO_GUARD_FAR) from = (size_t)(end - g->dropped);
  }
  if (from != SIZE_MAX) g->lost = false;
  if (from == SIZE_MAX) from = g->keep_from;
  if (g->lost || g->page_from - from > RDFIO_GUARD_FAR) {
    from = g->page_from;
    g->lost = true;
  }
  size_t line = from;
  while (line > g->keep_from && g->in[line - 1] != '\n')
    line--;
  bool begins = line > g->keep_from || (line && g->in[line - 1] == '\n');
  g->keep_column = begins ? 1 + (from - line) : g->keep_column + (from - line);
  g->keep_from = from;
}

/* serd is through with the page: keep what was made beyond it. */
static void
next_page(rdfio_guard *g)
{
  size_t gone = g->page_len < RDFIO_GUARD_PAGE ? g->page_len : RDFIO_GUARD_PAGE;
  size_t n = 0;
  rdfio_guard_place place;
  rdfio_guard_place_after(&place, g, gone);
  g->place = place;
  g->page_from += (size_t)((int64_t)gone + shift_before(g, gone));
  memmove(g->page, g->page + gone, g->page_len - gone);
  g->page_len -= gone;
  while (n < g->marks_len && g->marks[n].at < gone)
    n++;
  for (size_t i = n; i < g->marks_len; i++) {
    g->marks[i - n] = g->marks[i];
    g->marks[i - n].at -= (uint32_t)gone;
  }
  g->marks_len -= n;
  keep(g);
}

static void
skip_byte_order_mark(rdfio_guard *g)
{
  if (g->dropped || g->in_at || g->in_valid < 3 || memcmp(g->in, "\xEF\xBB\xBF", 3)) return;
  g->in_at = g->page_from = g->keep_from = 3;
}

/* Make a page. Returns false when nothing is left. */
static bool
make_page(rdfio_guard *g)
{
  bool first = !g->given;
  if (g->given) next_page(g);
  g->given = true;
  g->page_braces = g->braces;
  while (g->page_len < RDFIO_GUARD_PAGE && !g->failed) {
    quoin_status st = need(g, g->want ? g->want : RDFIO_GUARD_AHEAD, &g->error);
    g->want = 0;
    if (st) {
      g->failed = true;
      g->fault_at = g->page_len;
      break;
    }
    if (first) skip_byte_order_mark(g);
    first = false;
    size_t have = g->in_valid - g->in_at;
    if (!have) {
      rdfio_guard_at_end(g);
      break;
    }
    rdfio_guard_step(g, have);
  }
  if (!g->page_len) return false;
  g->filled_from = g->page_len;
  if (g->page_len < RDFIO_GUARD_PAGE) {
    memset(g->page + g->page_len, '\n', RDFIO_GUARD_PAGE - g->page_len);
    g->page_len = RDFIO_GUARD_PAGE;
    g->final = true;
  }
  return true;
}

size_t
rdfio_guard_read(void *buf, size_t size, size_t n, void *guard)
{
  rdfio_guard *g = guard;
  assert(size == 1 && n == RDFIO_GUARD_PAGE);
  (void)size;
  if (g->failed || g->final) g->ended = true;
  if (!g->ended && !make_page(g)) g->ended = true;
  if (g->ended) return 0;
  memcpy(buf, g->page, n);
  return n;
}

void
rdfio_guard_locate(uint64_t *line, uint64_t *column, size_t *page_at, const rdfio_guard *g,
                   uint64_t serd_line, uint64_t serd_column)
{
  rdfio_guard_place p = g->place;
  size_t next = 0, i = 0;
  size_t end = g->filled_from < RDFIO_GUARD_PAGE ? g->filled_from : RDFIO_GUARD_PAGE;
  for (;; i++) {
    for (; next < g->marks_len && g->marks[next].at == i && g->marks[next].delta > 0; next++)
      pass_mark(&p, &g->marks[next]); /* was left out in front of i */
    if (i == end || p.serd_line > serd_line ||
        (p.serd_line == serd_line && p.serd_column >= serd_column))
      break;
    pass_bytes(&p, g, i, i + 1);
    for (; next < g->marks_len && g->marks[next].at == i; next++)
      pass_mark(&p, &g->marks[next]); /* i was put in */
  }
  *line = p.line;
  *column = p.column;
  *page_at = i;
}

/* ---- going on after a bad statement -----------------------------------------------------------
 */

static bool
in_graph_block(const rdfio_guard *g, size_t to, bool at_start)
{
  bool in = at_start;
  for (size_t i = g->page_from; i < to; i++)
    if (g->in[i] == '{' || g->in[i] == '}') in = g->in[i] == '{';
  return in;
}

/* From in_at to past the end of the line; *last its last byte that is not blank, or 0. */
static quoin_status
skip_line(char *last, rdfio_guard *g, quoin_error *err)
{
  *last = 0;
  for (;;) {
    quoin_status st = need(g, 1, err);
    if (st) return st;
    if (g->in_at == g->in_valid) {
      if (!g->in_bad) return QUOIN_OK; /* the end */
      g->in_valid++;                   /* reported: step over the bad byte */
      g->in_bad = false;
      validate(g);
      continue;
    }
    char c = g->in[g->in_at++];
    if (!rdfio_guard_is_blank(c)) *last = c;
    if (c != '\n') continue;
    g->place.line++;
    return QUOIN_OK;
  }
}

quoin_status
rdfio_guard_resync(rdfio_guard *g, size_t page_at, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  size_t at = g->page_from + (size_t)((int64_t)page_at + shift_before(g, page_at));
  if (at > g->in_at) at = g->in_at;
  while (at > g->page_from && g->in[at - 1] != '\n')
    at--; /* the line counts as a whole: a fault may be told at its end */
  bool block = g->trig && in_graph_block(g, at, g->page_braces != 0);
  rdfio_guard_place p;
  rdfio_guard_place_after(&p, g, page_at);
  g->in_at = at;
  g->place.line = p.line;
  g->page_from = g->keep_from =
      at; /* need() may move the buffer: nothing before is wanted any more */
  for (char last = 0; last != (block ? '}' : '.');) {
    if ((st = skip_line(&last, g, err))) return st;
    g->page_from = g->keep_from = g->in_at;
    if (g->in_at == g->in_valid && g->in_ended) break;
  }
  g->place = (rdfio_guard_place){g->place.line, 1, 1, 1};
  g->state = GUARD_PLAIN;
  g->last = 0;
  g->keep_column = 1;
  g->ends_made = g->held = g->want = 0;
  g->follow_line = 0;
  g->after_string = g->holding = g->lost = g->directive = g->in_name = g->lone_anon =
      g->anon_start = g->failed = g->given = g->final = g->ended = false;
  g->hats = g->dots = g->depth = g->braces = 0;
  g->page_len = g->marks_len = 0;
  g->error = (quoin_error)QUOIN_ERROR_INIT;
  return QUOIN_OK;
}
