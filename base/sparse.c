/* base/sparse.c - a word for each of 2^32 numbers. */
#include "base/sparse.h"

#include "base/poison.h"

enum { PART = 1 << 16, PARTS = 1 << 16 };

typedef _Atomic(uint64_t) word;

struct base_sparse_parts {
  _Atomic(word *) part[PARTS];
};

word *
base_sparse_find(const base_sparse *s, uint64_t number)
{
  base_sparse *mine = (base_sparse *)(uintptr_t)s;
  if (number / PART >= PARTS) return NULL;
  /* Acquire, both: pairs with the exchanges in base_sparse_make. */
  base_sparse_parts *parts = atomic_load_explicit(&mine->parts, memory_order_acquire);
  word *part =
      parts ? atomic_load_explicit(&parts->part[number / PART], memory_order_acquire) : NULL;
  return part ? part + number % PART : NULL;
}

word *
base_sparse_make(base_sparse *s, uint64_t number, const base_alloc *mem)
{
  base_sparse_parts *parts = atomic_load_explicit(&s->parts, memory_order_acquire), *none = NULL;
  if (number / PART >= PARTS) return NULL;
  if (!parts) {
    if (!(parts = base_new_zero(mem, 1, sizeof(*parts)))) return NULL;
    if (!atomic_compare_exchange_strong(&s->parts, &none, parts)) {
      base_release(mem, parts, 1, sizeof(*parts));
      parts = none;
    } else {
      atomic_fetch_add(&s->bytes, sizeof(*parts));
    }
  }
  _Atomic(word *) *at = &parts->part[number / PART];
  word *part = atomic_load_explicit(at, memory_order_acquire), *no_part = NULL;
  if (!part) {
    if (!(part = base_new_zero(mem, PART, sizeof(*part)))) return NULL;
    if (!atomic_compare_exchange_strong(at, &no_part, part)) {
      base_release(mem, part, PART, sizeof(*part));
      part = no_part;
    } else {
      atomic_fetch_add(&s->bytes, PART * sizeof(*part));
    }
  }
  return part + number % PART;
}

void
base_sparse_reset(base_sparse *s, uint64_t low, uint64_t high)
{
  for (uint64_t n = low; n <= high && n / PART < PARTS;) {
    word *at = base_sparse_find(s, n);
    if (at) atomic_store_explicit(at, 0, memory_order_relaxed);
    n = at ? n + 1 : (n / PART + 1) * PART;
  }
}

uint64_t
base_sparse_bytes(const base_sparse *s)
{
  return atomic_load(&((base_sparse *)(uintptr_t)s)->bytes);
}

void
base_sparse_clear(base_sparse *s, const base_alloc *mem)
{
  base_sparse_parts *parts = atomic_load(&s->parts);
  for (size_t i = 0; parts && i < PARTS; i++)
    base_release(mem, atomic_load(&parts->part[i]), PART, sizeof(word));
  base_release(mem, parts, 1, sizeof(*parts));
  atomic_store(&s->parts, NULL);
  atomic_store(&s->bytes, 0);
}
