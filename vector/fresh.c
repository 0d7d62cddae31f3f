/* vector/fresh.c - codes of vectors that wait to be linked.
 *
 * They are scanned by every search until the graph has them, so the first search that meets one
 * leaves its code for those that follow, which then read a quarter of the bytes. When nothing waits
 * any more the thread that links lets go of all codes; searches that hold them go on. */
#include "vector/index.h"

#include "base/poison.h"

enum { LEAST_ROOM = 1024, FRESH_MOST = 128 << 20 /* bytes of codes */ };

static void
release(vec_fresh *f)
{
  const base_alloc *mem = f->mem;
  if (atomic_fetch_sub(&f->holders, 1) > 1) return;
  base_sparse_clear(&f->places, mem);
  base_release(mem, f->space, f->bytes, 1);
  base_release(mem, f, 1, sizeof(*f));
}

static vec_fresh *
fresh_new(const vec_index *index, const base_alloc *mem)
{
  const vec_declaration *d = &index->declared;
  size_t stride = ((size_t)vec_code_bytes(d->code, d->dimension) + 8 + 63) / 64 * 64, bytes;
  uint64_t room = index->fresh_room > LEAST_ROOM ? index->fresh_room : LEAST_ROOM;
  if (room > FRESH_MOST / stride) room = FRESH_MOST / stride;
  bytes = (size_t)room * stride + 64;
  vec_fresh *f = base_new_zero(mem, 1, sizeof(*f));
  if (!f) return NULL;
  if (!(f->space = base_new(mem, bytes, 1))) {
    base_release(mem, f, 1, sizeof(*f));
    return NULL;
  }
  f->mem = mem;
  f->bytes = bytes;
  f->stride = stride;
  f->room = room;
  f->codes = f->space + (64 - (uintptr_t)f->space % 64) % 64;
  f->holders = 1; /* the index */
  return f;
}

vec_fresh *
vec_fresh_enter(vec_index *index, bool make)
{
  base_mutex_lock(&index->fresh_lock);
  if (!index->fresh && make) index->fresh = fresh_new(index, index->parsed.mem);
  vec_fresh *f = index->fresh;
  if (f) atomic_fetch_add(&f->holders, 1);
  base_mutex_unlock(&index->fresh_lock);
  return f;
}

void
vec_fresh_leave(vec_fresh *f)
{
  if (f) release(f);
}

void
vec_fresh_drop(vec_index *index)
{
  base_mutex_lock(&index->fresh_lock);
  vec_fresh *f = index->fresh;
  index->fresh = NULL;
  base_mutex_unlock(&index->fresh_lock);
  if (f) release(f);
}

bool
vec_fresh_find(uint32_t *place, const vec_fresh *f, uint64_t number)
{
  _Atomic(uint64_t) *word = base_sparse_find(&f->places, number);
  /* Acquire: pairs with the release in vec_fresh_add. */
  uint64_t known = word ? atomic_load_explicit(word, memory_order_acquire) : 0;
  if (known) *place = (uint32_t)(known - 1);
  return known > 0;
}

void
vec_fresh_add(vec_fresh *f, uint64_t number, const vec_declaration *d, const float *values)
{
  if (atomic_load(&f->count) >= f->room) return;
  _Atomic(uint64_t) *word = base_sparse_make(&f->places, number, f->mem);
  uint64_t place = word ? atomic_fetch_add(&f->count, 1) : f->room;
  if (place >= f->room) return;
  vec_code_encode(f->codes + place * f->stride, d->code, d->metric, values, d->dimension);
  /* Two searches may do it at once: both places are right. */
  atomic_store_explicit(word, place + 1, memory_order_release);
}
