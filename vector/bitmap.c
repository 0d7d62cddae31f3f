/* vector/bitmap.c - a set of node slots. */
#include "vector/bitmap.h"

#include "base/poison.h"

static size_t
words_of(uint32_t bits)
{
  return ((size_t)bits + 63) / 64;
}

quoin_status
vec_bitmap_init(vec_bitmap *out, uint32_t bits, const base_alloc *mem, quoin_error *err)
{
  *out = (vec_bitmap){.bits = bits, .mem = mem};
  if (!bits) return QUOIN_OK;
  if (!(out->words = base_new_zero(mem, words_of(bits), sizeof(uint64_t))))
    return base_fail_nomem(err);
  return QUOIN_OK;
}

void
vec_bitmap_clear(vec_bitmap *map)
{
  if (map->words) base_release(map->mem, map->words, words_of(map->bits), sizeof(uint64_t));
  *map = (vec_bitmap){0};
}

uint32_t
vec_bitmap_next(const vec_bitmap *map, uint32_t slot)
{
  if (slot >= map->bits) return UINT32_MAX;
  size_t word = slot / 64, words = words_of(map->bits);
  uint64_t rest = map->words[word] & (~UINT64_C(0) << slot % 64);
  while (!rest) {
    if (++word == words) return UINT32_MAX;
    rest = map->words[word];
  }
  return (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(rest);
}
