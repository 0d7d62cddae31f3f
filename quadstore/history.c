/* quadstore/history.c - see history.h. */
#include "quadstore/history.h"

#include "base/poison.h"

enum { FIRST_ROOM = 256, MOST = 1 << 18 /* 10 MiB */ };

quoin_status
quad_history_new(quad_history **out, const base_alloc *mem, quoin_error *err)
{
  quad_history *h = base_new_zero(mem, 1, sizeof *h);

  *out = h;
  if (!h) return base_fail_nomem(err);
  h->mem = mem;
  return QUOIN_OK;
}

static void
clear(quad_history *h)
{
  base_release(h->mem, h->items, h->room, sizeof *h->items);
  h->items = NULL;
  h->first = h->n = h->room = 0;
}

void
quad_history_free(quad_history *h)
{
  if (!h) return;
  clear(h);
  base_release(h->mem, h, 1, sizeof *h);
}

void
quad_history_forget(quad_history *h, uint64_t version)
{
  if (h->room > FIRST_ROOM) clear(h);
  h->first = h->n = 0;
  h->from = version;
}

static bool
grow(quad_history *h)
{
  size_t room = h->room ? h->room * 2 : FIRST_ROOM;
  quad_past *items = base_new(h->mem, room, sizeof *items);

  if (!items) return false;
  for (size_t i = 0; i < h->n; i++)
    items[i] = h->items[(h->first + i) & (h->room - 1)];
  base_release(h->mem, h->items, h->room, sizeof *items);
  h->items = items;
  h->room = room;
  h->first = 0;
  return true;
}

static bool
push(quad_history *h, const quad_past *past)
{
  if (h->n == h->room && h->room < MOST && !grow(h)) return false;
  if (h->n == h->room) { /* what is left of that version is of no use, but does no harm */
    h->from = h->items[h->first].version;
    h->first = (h->first + 1) & (h->room - 1);
    h->n--;
  }
  h->items[(h->first + h->n++) & (h->room - 1)] = *past;
  return true;
}

void
quad_history_add(quad_history *h, uint64_t version, const quad_changes *changes)
{
  if (quad_changes_count(changes) > MOST / 2) {
    quad_history_forget(h, version);
    return;
  }
  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    const quad_records *r = &changes->part[part];
    for (size_t i = 0; i < r->n; i++) {
      quad_past past = {.version = version};
      for (unsigned k = 0; k < r->keys; k++)
        past.q.term[k].bits = r->data[i * r->stride + k];
      if (push(h, &past)) continue;
      quad_history_forget(h, version);
      return;
    }
  }
}

static bool
matches(const quad *q, const quad_pattern *p)
{
  if (p->scope == QUAD_DEFAULT && q->term[QUAD_G].bits) return false;
  if (p->scope == QUAD_NAMED && !q->term[QUAD_G].bits) return false;
  for (unsigned k = 0; k < 4; k++) {
    if (k == QUAD_G && p->scope == QUAD_DEFAULT) continue;
    if (p->match.term[k].bits && p->match.term[k].bits != q->term[k].bits) return false;
  }
  return true;
}

bool
quad_history_touches(const quad_history *h, uint64_t since, const quad_pattern *patterns, size_t n)
{
  if (!n) return false;
  if (since < h->from) return true;
  for (size_t i = h->n; i-- > 0;) {
    const quad_past *past = &h->items[(h->first + i) & (h->room - 1)];
    if (past->version <= since) return false;
    for (size_t k = 0; k < n; k++)
      if (matches(&past->q, &patterns[k])) return true;
  }
  return false;
}
