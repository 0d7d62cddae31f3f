/* quadstore/sample.c - see sample.h. */
#include "quadstore/sample.h"

#include <assert.h>

#include "base/poison.h"

/* A store has tens of predicates that many queries name. What finds no room is found out anew. */
enum { SLOTS = 256, PROBES = 8, BLOCKS_LOOKED_AT = 4 };

struct quad_samples {
  const base_alloc *mem;
  _Atomic(quad_sample *) slot[SLOTS];
};

static size_t
slot_of(const uint64_t *key, unsigned n, unsigned probe)
{
  uint64_t h = n;

  for (unsigned i = 0; i < n; i++)
    h = base_mix(h + key[i]);
  return (size_t)((h + probe) % SLOTS);
}

static bool
is_of(const quad_sample *s, const uint64_t *key, unsigned n)
{
  return s->n == n && quad_key_compare(s->key, key, n) == 0;
}

const quad_sample *
quad_sample_find(const quad_section *sec, const uint64_t *key, unsigned n)
{
  quad_section *mut = (quad_section *)(uintptr_t)sec;
  /* acquire here and below: what the one who made them wrote; pairs with the exchanges in keep */
  quad_samples *all = atomic_load_explicit(&mut->samples, memory_order_acquire);

  for (unsigned i = 0; all && i < PROBES; i++) {
    const quad_sample *s =
        atomic_load_explicit(&all->slot[slot_of(key, n, i)], memory_order_acquire);
    if (!s) return NULL;
    if (is_of(s, key, n)) return s;
  }
  return NULL;
}

void
quad_samples_free(quad_samples *s)
{
  if (!s) return;
  for (size_t i = 0; i < SLOTS; i++)
    base_release(s->mem, atomic_load_explicit(&s->slot[i], memory_order_relaxed), 1,
                 sizeof(quad_sample));
  base_release(s->mem, s, 1, sizeof *s);
}

static quad_samples *
table_of(const quad_section *sec)
{
  quad_section *mut = (quad_section *)(uintptr_t)sec;
  quad_samples *all = atomic_load_explicit(&mut->samples, memory_order_acquire), *made;

  if (all) return all;
  if (!(made = base_new(sec->run->mem, 1, sizeof *made))) return NULL;
  made->mem = sec->run->mem;
  for (size_t i = 0; i < SLOTS; i++)
    atomic_init(&made->slot[i], NULL);
  if (atomic_compare_exchange_strong_explicit(&mut->samples, &all, made, memory_order_acq_rel,
                                              memory_order_acquire))
    return made;
  quad_samples_free(made);
  return all;
}

/* Without memory, or room, it is not kept. */
static void
keep(const quad_sample *sample, const quad_section *sec)
{
  quad_samples *all = table_of(sec);
  quad_sample *copy = all ? base_new(all->mem, 1, sizeof *copy) : NULL;

  if (!copy) return;
  *copy = *sample;
  for (unsigned i = 0; i < PROBES; i++) {
    quad_sample *here = NULL;
    if (atomic_compare_exchange_strong_explicit(&all->slot[slot_of(sample->key, sample->n, i)],
                                                &here, copy, memory_order_acq_rel,
                                                memory_order_acquire))
      return;
    if (is_of(here, sample->key, sample->n)) break; /* by another thread meanwhile */
  }
  base_release(all->mem, copy, 1, sizeof *copy);
}

/* The values of the next key one after the other, as long as they are few. */
static quoin_status
count_distinct(quad_sample *s, quad_cursor *cur, quoin_error *err)
{
  uint64_t key[4] = {0}, found = 0;
  uint32_t row;
  quoin_status st;

  memcpy(key, s->key, sizeof s->key);
  for (bool after = false; found < QUAD_SAMPLE_DISTINCT; after = true) {
    if ((st = quad_cursor_seek(&row, cur, key, s->n + after, after, err)) < 0) return st;
    if (st == QUOIN_DONE) break;
    quad_cursor_need(cur, (2u << s->n) - 1, row, row + 1);
    for (unsigned i = 0; i < s->n; i++)
      if (cur->col[i][row] != s->key[i]) goto done;
    key[s->n] = cur->col[s->n][row];
    found++;
  }

done:
  if (found < QUAD_SAMPLE_DISTINCT) s->distinct = found;
  return QUOIN_OK;
}

/* How often the next key changes in a few of the blocks [first, last]. */
static quoin_status
look(quad_sample *s, quad_cursor *cur, uint64_t first, uint64_t last, quoin_error *err)
{
  for (unsigned i = 0; i < BLOCKS_LOOKED_AT; i++) {
    uint64_t block = first + (last - first) * i / BLOCKS_LOOKED_AT;
    uint32_t from, to;
    quoin_status st;
    if (i && block == cur->block) continue;
    if ((st = quad_cursor_load(cur, block, err))) return st;
    from = quad_cursor_search(cur, s->key, s->n, false);
    to = quad_cursor_search(cur, s->key, s->n, true);
    quad_cursor_need(cur, 1u << s->n, from, to);
    for (uint32_t r = from + 1; r < to; r++)
      s->changes += cur->col[s->n][r] != cur->col[s->n][r - 1];
    s->rows += to > from ? to - from : 0;
  }
  return QUOIN_OK;
}

quoin_status
quad_sample_get(quad_sample *out, const quad_section *sec, const uint64_t *key, unsigned n,
                const base_alloc *mem, quoin_error *err)
{
  const quad_sample *kept = quad_sample_find(sec, key, n);
  int64_t all = (int64_t)sec->entries - 2 * (int64_t)sec->tombstones, hi;
  quad_cursor cur;
  uint32_t row;
  uint64_t first, last;
  quoin_status st;

  assert(n < sec->keys && n <= 3);
  *out = (quad_sample){.n = n};
  if (kept) *out = *kept;
  if (kept || !sec->entries) return QUOIN_OK;
  for (unsigned i = 0; i < n; i++)
    out->key[i] = key[i];
  quad_cursor_open(&cur, sec, mem);
  if ((st = quad_cursor_seek(&row, &cur, key, n, false, err))) goto done;
  first = cur.block;
  out->count = -quad_cursor_rank(&cur, row);
  if ((st = quad_cursor_seek(&row, &cur, key, n, true, err)) < 0) goto done;
  hi = st == QUOIN_DONE || !n ? all : quad_cursor_rank(&cur, row);
  last = st == QUOIN_DONE || !n ? sec->blocks - 1 : cur.block;
  out->count += hi;
  if (last < first) last = first; /* hostile */
  if ((st = look(out, &cur, first, last, err))) goto done;
  if (!sec->tombstones && out->changes < QUAD_SAMPLE_DISTINCT &&
      (st = count_distinct(out, &cur, err)))
    goto done;
  if (first < last) keep(out, sec);

done:
  quad_cursor_close(&cur);
  return st < 0 ? st : QUOIN_OK;
}
