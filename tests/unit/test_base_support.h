/* What the tests of base share. */
#ifndef QUOIN_TESTS_TEST_BASE_SUPPORT_H
#define QUOIN_TESTS_TEST_BASE_SUPPORT_H

#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* after setjmp.h and stdarg.h */
#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    quoin_status st_ = (call);                                                                     \
    if (st_) fail_msg("%s: %d: %s: %s", #call, (int)st_, err.file, err.message);                   \
  } while (0)

static inline uint64_t
support_seed(void)
{
  const char *text = getenv("QUOIN_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 0) : 4711;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  return seed;
}

static inline uint64_t
support_random(uint64_t *state)
{
  *state += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(*state);
}

/* An allocator that fails from some call on, and knows what is out. */
typedef struct support_memory {
  uint64_t calls, fail_at; /* 0: never */
  int64_t bytes;
} support_memory;

static inline void *
support_allocate(void *user, size_t size)
{
  support_memory *m = user;
  if (++m->calls == m->fail_at) return NULL;
  m->bytes += (int64_t)size;
  return base_new(base_alloc_default(), size, 1);
}

static inline void *
support_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  support_memory *m = user;
  if (++m->calls == m->fail_at) return NULL;
  m->bytes += (int64_t)new_size - (int64_t)old_size;
  return base_resize(base_alloc_default(), ptr, old_size, new_size, 1);
}

static inline void
support_release(void *user, void *ptr, size_t size)
{
  support_memory *m = user;
  if (ptr) m->bytes -= (int64_t)size;
  base_release(base_alloc_default(), ptr, size, 1);
}

static inline base_alloc
support_alloc(support_memory *m)
{
  return (base_alloc){support_allocate, support_resize, support_release, m};
}

#endif /* QUOIN_TESTS_TEST_BASE_SUPPORT_H */
