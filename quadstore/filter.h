/* quadstore/filter.h - which keys a section may have.
 *
 * Where several runs are searched, most do not have the key. A section that was searched in vain
 * about as long as making a filter takes gets one: a Bloom filter with the bits of a key in one
 * word, over all first keys and all pairs of first keys, kept in memory while the run is. One store
 * with one run never has any. */
#ifndef QUOIN_QUADSTORE_FILTER_H
#define QUOIN_QUADSTORE_FILTER_H

#include "quadstore/run.h"

struct quad_filter {
  const base_alloc *mem;
  size_t words;
  uint64_t word[];
};

/* The hash of the first of n keys, or of the first two. */
static inline uint64_t
quad_filter_hash(const uint64_t *key, unsigned n)
{
  uint64_t h = base_mix(key[0]);
  return n > 1 ? base_mix(h + key[1]) : h;
}

static inline const uint64_t *
quad_filter_word(const quad_filter *f, uint64_t hash)
{
  return &f->word[(hash >> 32) * f->words >> 32];
}

/* Four bits of a word. */
static inline uint64_t
quad_filter_bits(uint64_t hash)
{
  return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63) |
         UINT64_C(1) << (hash >> 12 & 63) | UINT64_C(1) << (hash >> 18 & 63);
}

/* NULL: everything may be there. */
static inline const quad_filter *
quad_filter_of(const quad_section *sec)
{
  /* acquire: what the one who made it wrote; pairs with the exchange in filter.c */
  return atomic_load_explicit(&((quad_section *)(uintptr_t)sec)->filter, memory_order_acquire);
}

/* The section was searched in vain, beside others. */
void quad_filter_missed(const quad_section *sec);

void quad_filter_free(quad_filter *f); /* NULL is fine */

#endif /* QUOIN_QUADSTORE_FILTER_H */
