/* vector/top.c - the k best of what passes by. */
#include "vector/top.h"

#include <stdlib.h>

#include "base/poison.h"

/* A tighter limit sooner saves exact distances; a sort of so few costs some of them. */
enum { TOP_SLACK = 64 };

void
vec_top_init(vec_top *top, size_t k, double max_distance, const base_alloc *mem)
{
  size_t more = k < TOP_SLACK ? TOP_SLACK : k;
  *top = (vec_top){.mem = mem, .k = k, .limit = max_distance};
  if (!base_add_size(&top->full, k, more)) top->full = SIZE_MAX;
}

void
vec_top_clear(vec_top *top)
{
  base_release(top->mem, top->items, top->cap, sizeof(*top->items));
  top->items = NULL;
  top->n = top->cap = top->trimmed = 0;
}

static int
by_distance(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->distance < b->distance) return -1;
  if (a->distance > b->distance) return 1;
  return a->subject.bits < b->subject.bits ? -1 : a->subject.bits > b->subject.bits;
}

static int
by_subject(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->subject.bits != b->subject.bits) return a->subject.bits < b->subject.bits ? -1 : 1;
  return by_distance(x, y);
}

void
vec_top_trim(vec_top *top)
{
  size_t n = 0;
  if (top->n == top->trimmed) return; /* nothing came since */
  qsort(top->items, top->n, sizeof(*top->items), by_subject);
  for (size_t i = 0; i < top->n; i++)
    if (!n || !atom_id_equal(top->items[n - 1].subject, top->items[i].subject))
      top->items[n++] = top->items[i];
  qsort(top->items, n, sizeof(*top->items), by_distance);
  top->n = top->trimmed = n;
  if (n < top->k) return;
  top->n = top->trimmed = top->k;
  top->limit = top->items[top->k - 1].distance;
}

quoin_status
vec_top_grow(vec_top *top, quoin_error *err)
{
  if (base_reserve(top->mem, (void **)&top->items, &top->cap, top->n + 1, sizeof(*top->items)))
    return QUOIN_OK;
  return base_fail_nomem(err);
}

quoin_status
vec_top_take(vec_found **out, size_t *n, vec_top *top, quoin_error *err)
{
  *out = NULL;
  *n = 0;
  vec_top_trim(top);
  if (top->n) {
    vec_found *fit = base_resize(top->mem, top->items, top->cap, top->n, sizeof(*fit));
    if (!fit) return base_fail_nomem(err);
    *out = fit;
    *n = top->n;
  }
  top->items = NULL;
  top->n = top->cap = top->trimmed = 0;
  return QUOIN_OK;
}
