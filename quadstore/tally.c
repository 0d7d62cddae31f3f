/* quadstore/tally.c - net counts by predicate, for the footers of runs. */
#include "quadstore/run.h"

#include "base/poison.h"

void
quad_tally_begin(quad_tally *t, unsigned part, unsigned order)
{
  t->column = -1;
  if (t->counted[part]) return;
  t->counted[part] = true;
  t->part = part;
  for (int i = 0; i < 4; i++)
    if (quad_order_keys[order][i] == QUAD_P) t->column = i;
}

static quad_predicate_count *
find_slot(quad_predicate_count *slot, size_t slots, uint64_t id)
{
  size_t at = (size_t)base_mix(id) & (slots - 1);

  while (slot[at].predicate.bits && slot[at].predicate.bits != id)
    at = (at + 1) & (slots - 1);
  return &slot[at];
}

static quoin_status
grow(quad_tally *t, quoin_error *err)
{
  size_t slots = t->slots ? t->slots * 2 : 16;
  quad_predicate_count *slot = base_new_zero(t->mem, slots, sizeof *slot);

  if (!slot) return base_fail_nomem(err);
  for (size_t i = 0; i < t->slots; i++)
    if (t->slot[i].predicate.bits) *find_slot(slot, slots, t->slot[i].predicate.bits) = t->slot[i];
  base_release(t->mem, t->slot, t->slots, sizeof *slot);
  t->slot = slot;
  t->slots = slots;
  return QUOIN_OK;
}

quoin_status
quad_tally_add(quad_tally *t, const uint64_t *const *cols, const uint8_t *dead, size_t rows,
               quoin_error *err)
{
  const uint64_t *p;
  quad_predicate_count *s = NULL;

  if (t->column < 0) return QUOIN_OK;
  p = cols[t->column];
  for (size_t i = 0; i < rows; i++) {
    if (!s || s->predicate.bits != p[i]) {
      if (t->used * 2 >= t->slots) {
        quoin_status st = grow(t, err);
        if (st) return st;
      }
      s = find_slot(t->slot, t->slots, p[i]);
      if (!s->predicate.bits) t->used++;
      s->predicate.bits = p[i];
    }
    s->triples[t->part] += dead && dead[i] ? UINT64_MAX : 1;
  }
  return QUOIN_OK;
}

void
quad_tally_counted(quad_tally *t, unsigned part)
{
  t->counted[part] = true;
}

quoin_status
quad_tally_count(quad_tally *t, unsigned part, uint64_t predicate, uint64_t n, quoin_error *err)
{
  quad_predicate_count *s;
  quoin_status st;

  if (t->used * 2 >= t->slots && (st = grow(t, err))) return st;
  s = find_slot(t->slot, t->slots, predicate);
  if (!s->predicate.bits) t->used++;
  s->predicate.bits = predicate;
  s->triples[part] += n;
  return QUOIN_OK;
}

/* Heap sort: no allocation, no recursion, and predicates are few. */
static void
sift(quad_predicate_count *v, size_t at, size_t n)
{
  for (;;) {
    size_t child = 2 * at + 1;
    quad_predicate_count held = v[at];
    if (child >= n) return;
    if (child + 1 < n && v[child + 1].predicate.bits > v[child].predicate.bits) child++;
    if (v[child].predicate.bits <= held.predicate.bits) return;
    v[at] = v[child];
    v[child] = held;
    at = child;
  }
}

quoin_status
quad_tally_finish(quad_predicate_count **out, size_t *n, quad_tally *t, quoin_error *err)
{
  quad_predicate_count *v;
  size_t used = 0;

  *out = NULL;
  *n = 0;
  for (size_t i = 0; i < t->slots; i++)
    used += t->slot[i].predicate.bits && (t->slot[i].triples[0] || t->slot[i].triples[1]);
  if (!used) return QUOIN_OK;
  v = base_new(t->mem, used, sizeof *v);
  if (!v) return base_fail_nomem(err);
  used = 0;
  for (size_t i = 0; i < t->slots; i++)
    if (t->slot[i].predicate.bits && (t->slot[i].triples[0] || t->slot[i].triples[1]))
      v[used++] = t->slot[i];
  for (size_t i = used / 2; i-- > 0;)
    sift(v, i, used);
  for (size_t i = used; i-- > 1;) {
    quad_predicate_count top = v[0];
    v[0] = v[i];
    v[i] = top;
    sift(v, 0, i);
  }
  *out = v;
  *n = used;
  return QUOIN_OK;
}

void
quad_tally_clear(quad_tally *t)
{
  base_release(t->mem, t->slot, t->slots, sizeof *t->slot);
  t->slot = NULL;
  t->slots = t->used = 0;
}
