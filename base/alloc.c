/* base/alloc.c - the only callers of the C library's heap. Does not include poison.h. */
#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *
default_allocate(void *user, size_t size)
{
  (void)user;
  return malloc(size);
}

static void *
default_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  (void)user;
  (void)old_size;
  return realloc(ptr, new_size);
}

static void
default_release(void *user, void *ptr, size_t size)
{
  (void)user;
  (void)size;
  free(ptr);
}

const base_alloc *
base_alloc_default(void)
{
  static const base_alloc alloc = {default_allocate, default_resize, default_release, NULL};
  return &alloc;
}

/* A request for nothing gets a byte, so that NULL always means "no memory". */
static bool
bytes_of(size_t *out, size_t n, size_t size)
{
  if (!base_mul_size(out, n, size) || *out > PTRDIFF_MAX) return false;
  if (*out == 0) *out = 1;
  return true;
}

void *
base_new(const base_alloc *mem, size_t n, size_t size)
{
  size_t bytes;
  if (!bytes_of(&bytes, n, size)) return NULL;
  return mem->allocate(mem->user, bytes);
}

void *
base_new_zero(const base_alloc *mem, size_t n, size_t size)
{
  size_t bytes;
  if (!bytes_of(&bytes, n, size)) return NULL;
  /* calloc gives fresh pages without touching them. */
  if (mem->allocate == default_allocate) return calloc(1, bytes);
  void *ptr = mem->allocate(mem->user, bytes);
  if (ptr) memset(ptr, 0, bytes);
  return ptr;
}

void *
base_resize(const base_alloc *mem, void *ptr, size_t old_n, size_t new_n, size_t size)
{
  size_t old_bytes, new_bytes;
  if (!bytes_of(&new_bytes, new_n, size)) return NULL;
  if (!ptr) {
    assert(old_n == 0);
    return mem->allocate(mem->user, new_bytes);
  }
  if (!bytes_of(&old_bytes, old_n, size)) return NULL;
  return mem->resize(mem->user, ptr, old_bytes, new_bytes);
}

void
base_release(const base_alloc *mem, void *ptr, size_t n, size_t size)
{
  size_t bytes;
  if (!ptr) return;
  bool fits = bytes_of(&bytes, n, size);
  assert(fits);
  mem->release(mem->user, ptr, fits ? bytes : 0);
}

bool
base_reserve(const base_alloc *mem, void **items, size_t *cap, size_t need, size_t size)
{
  if (need <= *cap) return true;
  size_t more = *cap > SIZE_MAX / 2 ? need : *cap * 2;
  if (more < 8) more = 8;
  if (more < need) more = need;
  void *grown = base_resize(mem, *items, *items ? *cap : 0, more, size);
  if (!grown && more > need) grown = base_resize(mem, *items, *items ? *cap : 0, more = need, size);
  if (!grown) return false;
  *items = grown;
  *cap = more;
  return true;
}
