/* quadstore/split.h - single rows of a SPLIT column; included where it is compiled for one set of
 * instructions or another.
 *
 * A group has its codes in bit planes: word h of plane j holds bit j of the codes of rows 64h to
 * 64h + 63. So the rows of a class are an AND of the planes or their complements, and which value
 * of the class a row has is how many of these bits lie below it. */
#ifndef QUOIN_QUADSTORE_SPLIT_H
#define QUOIN_QUADSTORE_SPLIT_H

#include "quadstore/codec.h"

typedef struct split_class {
  uint64_t base, mask;
  uint32_t step;
  unsigned width;
  size_t bit; /* of its first value in the group, in the column's stream */
} split_class;

/* Class k, from what `group` has of it on. */
static inline split_class
split_class_of(const codec_column *c, const uint8_t *group, unsigned k)
{
  const uint8_t *p = c->head + CODEC_CLASS_BYTES * (size_t)k;
  unsigned width = p[14] > 64 ? 0 : p[14]; /* hostile */
  unsigned before = codec_load_u16(group + (size_t)16 * c->code_width + 2 * (size_t)k);

  return (split_class){.base = base_load_u64(p),
                       .step = base_load_u32(p + 8),
                       .width = width,
                       .mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1,
                       .bit = (size_t)codec_load_u16(p + 12) * 8 + (size_t)before * width};
}

static inline const uint8_t *
split_group(const codec_column *c, unsigned group)
{
  return c->codes + group * codec_split_stride(c->code_width, c->entries);
}

/* Of 64 rows from `half` of the group on, those whose code is k. */
static inline uint64_t
split_rows_of(const uint8_t *group, unsigned half, unsigned code_width, unsigned k)
{
  uint64_t rows = UINT64_MAX;

  for (unsigned j = 0; j < code_width; j++)
    rows &= base_load_u64(group + 16 * (size_t)j + 8 * (size_t)half) ^ ((uint64_t)(k >> j & 1) - 1);
  return rows;
}

static inline unsigned
split_count(uint64_t v)
{
#if defined(__POPCNT__)
  return (unsigned)__builtin_popcountll(v);
#else
  v -= v >> 1 & UINT64_C(0x5555555555555555);
  v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
  v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
#endif
}

/* The class of that row, with `bit` where its value is. */
static inline split_class
split_place(const codec_column *c, uint32_t row)
{
  const uint8_t *group = split_group(c, row / CODEC_GROUP);
  unsigned half = row / 64 % 2, in_half = row % 64, code = 0, rank;
  split_class k;

  for (unsigned j = 0; j < c->code_width; j++)
    code |= ((unsigned)group[16 * (size_t)j + 8 * (size_t)half + in_half / 8] >> (in_half % 8) & 1)
            << j;
  if (code >= c->entries) code = c->entries - 1u; /* hostile */
  k = split_class_of(c, group, code);
  rank =
      split_count(split_rows_of(group, half, c->code_width, code) & ((UINT64_C(1) << in_half) - 1));
  if (half) rank += split_count(split_rows_of(group, 0, c->code_width, code));
  k.bit += (size_t)rank * k.width;
  if (k.bit / 8 > c->span) k.bit = 0; /* hostile */
  return k;
}

static inline uint64_t
split_value(const codec_column *c, const split_class *k)
{
  return k->base + k->step * (base_load_u64(c->packed + k->bit / 8) >> (k->bit % 8) & k->mask);
}

static inline uint64_t
split_row(const codec_column *c, uint32_t row)
{
  split_class k = split_place(c, row);
  return split_value(c, &k);
}

/* Rows [from, to). Classes lie apart: the lines of some rows are fetched together. */
static inline void
split_rows(uint64_t *out, const codec_column *c, uint32_t from, uint32_t to)
{
  enum { TOGETHER = 16 };
  split_class k[TOGETHER];

  if (to - from == 1) {
    *out = split_row(c, from);
    return;
  }
  for (uint32_t i = from; i < to; i += TOGETHER) {
    uint32_t n = to - i < TOGETHER ? to - i : TOGETHER;
    for (uint32_t j = 0; j < n; j++) {
      k[j] = split_place(c, i + j);
      __builtin_prefetch(c->packed + k[j].bit / 8);
    }
    for (uint32_t j = 0; j < n; j++)
      *out++ = split_value(c, &k[j]);
  }
}

#endif /* QUOIN_QUADSTORE_SPLIT_H */
