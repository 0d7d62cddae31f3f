/* base/hash.c - sole user of xxHash. Inlined, since most of what is hashed is short. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash.h"

#include "base/poison.h"

uint64_t
base_hash(const void *data, size_t len)
{
  return XXH3_64bits(data, len);
}

uint64_t
base_hash_seed(const void *data, size_t len, uint64_t seed)
{
  return XXH3_64bits_withSeed(data, len, seed);
}
