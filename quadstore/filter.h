/* quadstore/filter.h - which keys a section may have.
 *
 * Where several runs are searched, most do not have the key. A section that was searched in vain
 * about as long as making a filter takes gets one: a Bloom filter with the bits of a key in one
 * word, over all first keys and all pairs of first keys. One store with one run never has any.
 *
 * All of a store have a bound. Where another one would pass it, those go that have ruled nothing
 * out since the last time; if there are none, the new one is not made, and asked for again after as
 * many searches in vain. A lookup may be reading one that goes, so its addresses stay until its run
 * is freed. */
#ifndef QUOIN_QUADSTORE_FILTER_H
#define QUOIN_QUADSTORE_FILTER_H

#include "quadstore/run.h"

struct quad_filter {
  const base_alloc *mem;
  quad_filters *all;
  quad_filter *next;
  _Atomic bool used; /* ruled something out since it was last looked at */
  size_t words;
  /* A bit is 0 when a key has it: once the pages are dropped, every key may be there. */
  uint64_t *word;
};

/* Those of the runs of one store. */
struct quad_filters {
  base_mutex lock;
  quad_filter *first;
  uint64_t bound;
  _Atomic uint64_t bytes;
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
static inline quad_filter *
quad_filter_of(const quad_section *sec)
{
  /* acquire: what the one who made it wrote; pairs with the exchange in filter.c */
  return atomic_load_explicit(&((quad_section *)(uintptr_t)sec)->filter, memory_order_acquire);
}

/* The filter's word says that a key with these bits is not there. */
static inline bool
quad_filter_rules_out(quad_filter *f, uint64_t word, uint64_t bits)
{
  if (!(word & bits)) return false;
  if (!atomic_load_explicit(&f->used, memory_order_relaxed))
    atomic_store_explicit(&f->used, true, memory_order_relaxed);
  return true;
}

/* The section was searched in vain, beside others. */
void quad_filter_missed(const quad_section *sec);

void quad_filter_free(quad_filter *f); /* NULL is fine */

quoin_status quad_filters_init(quad_filters *all, uint64_t bound, quoin_error *err);
void quad_filters_destroy(quad_filters *all); /* after the last run */

#endif /* QUOIN_QUADSTORE_FILTER_H */
