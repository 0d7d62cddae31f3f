/* An allocator that knows what is out, and fails where a test says. For any number of threads. */
#ifndef QUOIN_TESTS_SUPPORT_MEMORY_H
#define QUOIN_TESTS_SUPPORT_MEMORY_H

#include <quoin/types.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct support_memory {
  _Atomic uint64_t calls;   /* that allocate, or resize */
  _Atomic uint64_t fail_at; /* the one that fails, from 1; 0: none */
  bool for_good;            /* and all after it */
  _Atomic int64_t bytes, blocks;
  _Atomic int64_t most; /* of the bytes that were out at once */
} support_memory;

/* Count from the beginning, and fail there. */
static inline void
support_memory_fail(support_memory *m, uint64_t fail_at)
{
  atomic_store(&m->calls, 0);
  atomic_store(&m->fail_at, fail_at);
}

static inline bool
support_memory_fails(support_memory *m)
{
  uint64_t call = atomic_fetch_add(&m->calls, 1) + 1, at = atomic_load(&m->fail_at);
  return at && (call == at || (m->for_good && call > at));
}

static inline void
support_memory_count(support_memory *m, int64_t bytes, int blocks)
{
  int64_t now = atomic_fetch_add(&m->bytes, bytes) + bytes, most = atomic_load(&m->most);
  atomic_fetch_add(&m->blocks, blocks);
  while (now > most && !atomic_compare_exchange_weak(&m->most, &most, now))
    ;
}

static inline void *
support_allocate(void *user, size_t size)
{
  void *ptr = support_memory_fails(user) ? NULL : malloc(size);
  if (!ptr) return NULL;
  memset(ptr, 0xa5, size);
  support_memory_count(user, (int64_t)size, 1);
  return ptr;
}

static inline void *
support_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  int blocks = ptr ? 0 : 1;
  void *moved = support_memory_fails(user) ? NULL : realloc(ptr, new_size);
  if (moved) support_memory_count(user, (int64_t)new_size - (int64_t)old_size, blocks);
  return moved;
}

static inline void
support_release(void *user, void *ptr, size_t size)
{
  if (!ptr) return;
  support_memory_count(user, -(int64_t)size, -1);
  free(ptr);
}

static inline quoin_alloc
support_alloc(support_memory *m)
{
  return (quoin_alloc){support_allocate, support_resize, support_release, m};
}

#endif /* QUOIN_TESTS_SUPPORT_MEMORY_H */
