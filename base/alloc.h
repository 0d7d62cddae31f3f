/* base/alloc.h - the only door to the heap.
 *
 * No allocation without a base_alloc. Sizes are passed back on release so that a counting or
 * failing allocator needs no header. All return NULL on failure or when n * size overflows. */
#ifndef QUOIN_BASE_ALLOC_H
#define QUOIN_BASE_ALLOC_H

#include <quoin/types.h>

#include <stdbool.h>

typedef quoin_alloc base_alloc;

/* malloc, realloc, free. */
const base_alloc *base_alloc_default(void);

void *base_new(const base_alloc *mem, size_t n, size_t size);      /* contents undefined */
void *base_new_zero(const base_alloc *mem, size_t n, size_t size); /* zeroed */
/* NULL leaves the old block as it was. `ptr` may be NULL with old_n 0. */
void *base_resize(const base_alloc *mem, void *ptr, size_t old_n, size_t new_n, size_t size);
void base_release(const base_alloc *mem, void *ptr, size_t n, size_t size); /* NULL is fine */

/* Grow *items (of *cap elements of `size` bytes) to hold at least `need`, doubling. False on no
 * memory, leaving both unchanged. */
bool base_reserve(const base_alloc *mem, void **items, size_t *cap, size_t need, size_t size);

/* Checked size arithmetic: false on overflow. */
static inline bool
base_add_size(size_t *out, size_t a, size_t b)
{
  return !__builtin_add_overflow(a, b, out);
}

static inline bool
base_mul_size(size_t *out, size_t a, size_t b)
{
  return !__builtin_mul_overflow(a, b, out);
}

/* Poison the C library's heap after all includes of a .c file: #include "base/poison.h" last. */

#endif /* QUOIN_BASE_ALLOC_H */
