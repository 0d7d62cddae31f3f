/* base/hash.h - sole user of xxHash (XXH3). */
#ifndef QUOIN_BASE_HASH_H
#define QUOIN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t base_hash(const void *data, size_t len);
uint64_t base_hash_seed(const void *data, size_t len, uint64_t seed);

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
