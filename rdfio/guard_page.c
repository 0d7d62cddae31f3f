/* rdfio/guard_page.c - what the guard puts on the page and what it leaves out, with the marks that
 * lead from there back to the input; and faults with their place. */
#include "rdfio/guard.h"

#include "rdfio/chars.h"

#include <assert.h>

#include "base/poison.h"

static void
mark(rdfio_guard *g, rdfio_guard_mark m)
{
  rdfio_guard_mark *last = g->marks_len ? &g->marks[g->marks_len - 1] : NULL;
  if (last && last->at == m.at && last->delta > 0 && m.delta > 0) {
    last->column = m.lines ? m.column : last->column + m.column;
    last->lines += m.lines;
    last->delta += m.delta;
    return;
  }
  assert(g->marks_len < RDFIO_GUARD_PAGE);
  g->marks[g->marks_len++] = m;
}

void
rdfio_guard_insert(rdfio_guard *g, const char *text)
{
  for (; *text; text++) {
    mark(g, (rdfio_guard_mark){.at = (uint32_t)g->page_len, .delta = -1});
    g->page[g->page_len++] = *text;
  }
}

void
rdfio_guard_drop(rdfio_guard *g, size_t n)
{
  rdfio_guard_mark m = {
      .at = (uint32_t)g->page_len, .delta = (int32_t)n, .column = (uint32_t)n}; /* n < 2 MiB */
  const char *p = g->in + g->in_at, *end = p + n;
  if (!n) return;
  for (; (p = memchr(p, '\n', (size_t)(end - p))); p++) {
    m.lines++;
    m.column = (uint32_t)(end - p - 1);
  }
  mark(g, m);
  g->in_at += n;
}

void
rdfio_guard_copy(rdfio_guard *g, size_t n)
{
  memcpy(g->page + g->page_len, g->in + g->in_at, n);
  g->page_len += n;
  g->in_at += n;
}

/* Position of in_at. */
static void
place_here(rdfio_guard_place *out, const rdfio_guard *g)
{
  rdfio_guard_place_after(out, g, g->page_len);
  const rdfio_guard_mark *last = g->marks_len ? &g->marks[g->marks_len - 1] : NULL;
  if (!last || last->at != g->page_len) return;
  out->line += last->lines;
  out->column = last->lines ? 1 + (uint64_t)last->column : out->column + (uint32_t)last->delta;
}

void
rdfio_guard_fault(rdfio_guard *g, quoin_status status, size_t ahead, const char *expected)
{
  char found[32];
  rdfio_guard_place p;
  const char *at = g->in + g->in_at + ahead;
  rdfio_describe(found, at, g->in + g->in_len);
  place_here(&p, g);
  g->failed = true;
  g->fault_at = g->page_len;
  (void)!base_fail_pos(&g->error, status, rdfio_source_name(g->source), p.line, p.column + ahead,
                       "found %s, expected %s", found, expected);
}

void
rdfio_guard_fault_said(rdfio_guard *g, quoin_status status, size_t back, const char *message)
{
  rdfio_guard_place p;
  place_here(&p, g);
  g->failed = true;
  g->fault_at = g->page_len > back ? g->page_len - back : 0;
  (void)!base_fail_pos(&g->error, status, rdfio_source_name(g->source), p.line, p.column - back,
                       "%s", message);
}
