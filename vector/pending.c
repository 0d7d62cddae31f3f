/* vector/pending.c - what commits leave for the thread that links: vectors that came late, and
 * vectors whose quads went. */
#include "vector/index.h"

#include "base/poison.h"

/* ---- late vectors -----------------------------------------------------------------------------
 */

static unsigned
late_chunk(uint64_t at, uint64_t *first)
{
  unsigned chunk = 63u - (unsigned)__builtin_clzll(at / VEC_LATE_FIRST + 1);
  *first = (((uint64_t)1 << chunk) - 1) * VEC_LATE_FIRST;
  return chunk;
}

uint32_t
vec_late_get(const vec_late *late, uint64_t at)
{
  uint64_t first;
  unsigned chunk = late_chunk(at, &first);
  return atomic_load_explicit(&((vec_late *)(uintptr_t)late)->chunk[chunk],
                              memory_order_relaxed)[at - first];
}

bool
vec_late_add(vec_late *late, uint32_t number, const base_alloc *mem)
{
  uint64_t at = atomic_load_explicit(&late->count, memory_order_relaxed), first;
  unsigned chunk = late_chunk(at, &first);
  if (chunk >= VEC_LATE_CHUNKS) return false;
  uint32_t *numbers = atomic_load_explicit(&late->chunk[chunk], memory_order_relaxed);
  if (!numbers) {
    numbers = base_new(mem, (size_t)VEC_LATE_FIRST << chunk, sizeof(*numbers));
    if (!numbers) return false;
    atomic_store_explicit(&late->chunk[chunk], numbers, memory_order_relaxed);
  }
  numbers[at - first] = number;
  /* Pairs with the acquire of whoever reads the count: the number and its chunk are there. */
  atomic_store_explicit(&late->count, at + 1, memory_order_release);
  return true;
}

void
vec_late_clear(vec_late *late, const base_alloc *mem)
{
  for (unsigned i = 0; i < VEC_LATE_CHUNKS; i++)
    base_release(mem, atomic_load(&late->chunk[i]), (size_t)VEC_LATE_FIRST << i, sizeof(uint32_t));
}

/* ---- vectors that went ------------------------------------------------------------------------
 */

quoin_status
vec_gone_add(vec_indexes *ix, vec_index *index, uint32_t number, uint64_t version, uint64_t late,
             quoin_error *err)
{
  vec_gone_queue *q = &index->gone;
  base_mutex_lock(&ix->signal);
  bool room = base_reserve(ix->mem, (void **)&q->items, &q->cap, q->n + 1, sizeof(*q->items));
  if (room) {
    q->items[q->n++] = (vec_gone){.version = version, .late = late, .number = number};
    atomic_fetch_add(&index->leaving, 1);
    if (version && atomic_load(&index->tidied) >= version)
      atomic_store(&index->tidied, version - 1);
  }
  base_mutex_unlock(&ix->signal);
  return room ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
vec_gone_take(vec_gone **out, size_t *n, vec_indexes *ix, vec_index *index, size_t least,
              uint64_t version, quoin_error *err)
{
  vec_gone_queue *q = &index->gone;
  uint64_t late = atomic_load(&index->late.done);
  *out = NULL;
  *n = 0;
  base_mutex_lock(&ix->signal);
  while (*n < q->n && q->items[*n].version <= version && q->items[*n].late <= late)
    ++*n;
  if (*n < least) *n = 0;
  if (*n && (*out = base_new(ix->mem, *n, sizeof(**out)))) {
    memcpy(*out, q->items, *n * sizeof(**out));
    q->n -= *n;
    memmove(q->items, q->items + *n, q->n * sizeof(**out));
  }
  base_mutex_unlock(&ix->signal);
  return *n && !*out ? base_fail_nomem(err) : QUOIN_OK;
}

bool
vec_gone_above(vec_indexes *ix, const vec_index *index, uint64_t number, uint64_t version)
{
  const vec_gone_queue *q = &index->gone;
  bool found = false;
  base_mutex_lock(&ix->signal);
  for (size_t i = 0; !found && i < q->n; i++)
    found = q->items[i].number > number && q->items[i].version <= version;
  base_mutex_unlock(&ix->signal);
  return found;
}

void
vec_gone_tidied(vec_indexes *ix, vec_index *index, uint64_t version)
{
  const vec_gone_queue *q = &index->gone;
  base_mutex_lock(&ix->signal);
  if (!q->n || q->items[0].version > version) atomic_store(&index->tidied, version);
  base_mutex_unlock(&ix->signal);
}

void
vec_gone_drop(vec_indexes *ix, vec_index *index, uint64_t version)
{
  vec_gone_queue *q = &index->gone;
  base_mutex_lock(&ix->signal);
  while (q->n && q->items[q->n - 1].version > version) {
    q->n--;
    atomic_fetch_sub(&index->leaving, 1);
  }
  base_mutex_unlock(&ix->signal);
}

void
vec_gone_clear(vec_gone_queue *gone, const base_alloc *mem)
{
  base_release(mem, gone->items, gone->cap, sizeof(*gone->items));
}
