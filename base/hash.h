/* base/hash.h - sole user of xxHash (XXH3). */
#ifndef QUOIN_BASE_HASH_H
#define QUOIN_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t base_hash(const void *data, size_t len);
uint64_t base_hash_seed(const void *data, size_t len, uint64_t seed);

/* Whether what was read is what a checksum was taken of. A build for fuzzing takes all that it is
 * given, so that mutations reach the code behind the checksums. */
static inline bool
base_sum_matches(uint64_t kept, uint64_t computed)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  (void)kept, (void)computed;
  return true;
#else
  return kept == computed;
#endif
}

/* A good 64-bit mixer for integers (murmur3 finalizer). */
static inline uint64_t
base_mix(uint64_t x)
{
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

#endif /* QUOIN_BASE_HASH_H */
