/* quadstore/column.h - single values of a parsed column, for those who decode it (decode.c) and who
 * search it (narrow.c). */
#ifndef QUOIN_QUADSTORE_COLUMN_H
#define QUOIN_QUADSTORE_COLUMN_H

#include "quadstore/split.h"
#include "quadstore/unpack.h"

static inline uint64_t
unpack_one(const uint8_t *in, size_t i, unsigned width)
{
  size_t bit = i * width;
  uint64_t v = base_load_u64(in + bit / 8) >> (bit % 8);
  return width == 64 ? v : v & ((UINT64_C(1) << width) - 1);
}

/* x of the first row of `group`. */
static inline uint64_t
delta_first(const codec_column *c, uint32_t group)
{
  return unpack_one(c->head, group, c->wide);
}

static inline uint64_t
patch_value(const codec_column *c, unsigned patch)
{
  return unpack_one(c->patch, patch, c->wide);
}

/* Index of the first patch at or behind `row`. */
static inline unsigned
patch_from(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->patches;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (codec_load_u16(c->patch_at + 2 * (size_t)mid) < row)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* The row of a patch; behind all rows when there is no such patch. */
static inline unsigned
patched_row(const codec_column *c, unsigned patch)
{
  return patch < c->patches ? codec_load_u16(c->patch_at + 2 * (size_t)patch) : UINT32_MAX;
}

/* Index of the run that holds `row`; entries - 1 at most. */
static inline unsigned
run_of(const codec_column *c, unsigned row)
{
  unsigned lo = 0, hi = c->entries - 1u;

  while (lo < hi) {
    unsigned mid = (lo + hi) / 2;
    if (codec_load_u16(c->head + 2 * (size_t)mid) <= row)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static inline uint64_t
run_value(const codec_column *c, unsigned run)
{
  return c->base + c->step * unpack_one(c->packed, run, c->width);
}

static inline uint64_t
table_at(const codec_column *c, unsigned row)
{
  return base_load_u64(c->head + 8 * unpack_one(c->codes, row, c->code_width));
}

#endif /* QUOIN_QUADSTORE_COLUMN_H */
