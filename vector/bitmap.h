/* vector/bitmap.h - a set of node slots. One thread changes it; any may read it meanwhile not. */
#ifndef QUOIN_VECTOR_BITMAP_H
#define QUOIN_VECTOR_BITMAP_H

#include "base/base.h"

typedef struct vec_bitmap {
  uint64_t *words;
  uint32_t bits; /* slots 0..bits-1 may be set; those above are not in the set */
  uint32_t set;  /* how many are */
  const base_alloc *mem;
} vec_bitmap;

/* Empty, for slots below `bits`. */
quoin_status vec_bitmap_init(vec_bitmap *out, uint32_t bits, const base_alloc *mem,
                             quoin_error *err);
void vec_bitmap_clear(vec_bitmap *map); /* frees; a zeroed one is fine */

static inline bool
vec_bitmap_has(const vec_bitmap *map, uint32_t slot)
{
  return slot < map->bits && (map->words[slot / 64] >> slot % 64 & 1);
}

static inline void
vec_bitmap_add(vec_bitmap *map, uint32_t slot)
{
  uint64_t bit = UINT64_C(1) << slot % 64, *word = &map->words[slot / 64];
  map->set += !(*word & bit);
  *word |= bit;
}

/* The first member >= slot; UINT32_MAX when there is none. */
uint32_t vec_bitmap_next(const vec_bitmap *map, uint32_t slot);

#endif /* QUOIN_VECTOR_BITMAP_H */
