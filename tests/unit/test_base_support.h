/* What the tests of base share. */
#ifndef QUOIN_TESTS_TEST_BASE_SUPPORT_H
#define QUOIN_TESTS_TEST_BASE_SUPPORT_H

#include "base/base.h"
#include "support/memory.h"

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

#endif /* QUOIN_TESTS_TEST_BASE_SUPPORT_H */
