/* quadstore/unpack.c - for any processor: bit unpacking with a constant width for each case. */
#include "quadstore/unpack.h"
#include "quadstore/split.h"

#include "base/poison.h"

/* `width` is a constant where this is inlined: shifts and offsets fold. */
static inline __attribute__((always_inline)) void
unpack_fixed(uint64_t *restrict out, const uint8_t *restrict in, const unsigned width,
             uint64_t base)
{
  const uint64_t mask = (UINT64_C(1) << width) - 1;

  for (unsigned i = 0; i < CODEC_GROUP / 8; i++, in += width, out += 8) {
    out[0] = base + (base_load_u64(in) & mask);
    out[1] = base + (base_load_u64(in + width / 8) >> (width % 8) & mask);
    out[2] = base + (base_load_u64(in + 2 * width / 8) >> (2 * width % 8) & mask);
    out[3] = base + (base_load_u64(in + 3 * width / 8) >> (3 * width % 8) & mask);
    out[4] = base + (base_load_u64(in + 4 * width / 8) >> (4 * width % 8) & mask);
    out[5] = base + (base_load_u64(in + 5 * width / 8) >> (5 * width % 8) & mask);
    out[6] = base + (base_load_u64(in + 6 * width / 8) >> (6 * width % 8) & mask);
    out[7] = base + (base_load_u64(in + 7 * width / 8) >> (7 * width % 8) & mask);
  }
}

#define UNPACK(width)                                                                              \
  case width:                                                                                      \
    unpack_fixed(out, in, width, base);                                                            \
    return;
#define UNPACK8(width)                                                                             \
  UNPACK(width)                                                                                    \
  UNPACK((width) + 1)                                                                              \
  UNPACK((width) + 2)                                                                              \
  UNPACK((width) + 3)                                                                              \
  UNPACK((width) + 4)                                                                              \
  UNPACK((width) + 5)                                                                              \
  UNPACK((width) + 6)                                                                              \
  UNPACK((width) + 7)

/* A group of 128 that begins at a byte. */
static void
unpack_group(uint64_t out[CODEC_GROUP], const uint8_t *in, unsigned width, uint64_t base)
{
  switch (width) {
    UNPACK8(1)
    UNPACK8(9)
    UNPACK8(17)
    UNPACK8(25)
    UNPACK8(33)
    UNPACK8(41)
    UNPACK8(49)
    UNPACK(57)
  case 64:
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] = base + base_load_u64(in + 8 * i);
    return;
  default: /* 0 */
    for (unsigned i = 0; i < CODEC_GROUP; i++)
      out[i] = base;
    return;
  }
}

static void
unpack(uint64_t *out, unsigned n, const uint8_t *in, unsigned bit, unsigned width, uint64_t base,
       uint64_t step)
{
  uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;

  if (n == CODEC_GROUP && !bit && step == 1) {
    unpack_group(out, in, width, base);
    return;
  }
  for (unsigned i = 0; i < n; i++, bit += width)
    out[i] = base + step * (base_load_u64(in + bit / 8) >> (bit % 8) & mask);
}

static void
sum(uint64_t values[CODEC_GROUP])
{
  uint64_t v = 0;

  for (unsigned i = 0; i < CODEC_GROUP; i++)
    values[i] = v += values[i];
}

static void
spread(uint64_t *out, uint64_t rows, const uint64_t *values)
{
  for (; rows; rows &= rows - 1)
    out[__builtin_ctzll(rows)] = *values++;
}

static void
find_steps(unsigned out[2], const uint8_t *in, unsigned width, unsigned from, uint64_t ahead)
{
  uint64_t mask = (UINT64_C(1) << width) - 1;
  uint16_t sums[CODEC_GROUP] = {0};
  unsigned less = 0, more = 0;

  for (unsigned i = 1, bit = width; i < CODEC_GROUP; i++, bit += width)
    sums[i] = (uint16_t)(sums[i - 1] + (base_load_u64(in + bit / 8) >> (bit % 8) & mask));
  out[0] = out[1] = CODEC_GROUP;
  if (ahead > UINT16_MAX - (uint64_t)sums[from]) return;
  uint16_t target = (uint16_t)(sums[from] + ahead);
  for (unsigned i = 0; i < CODEC_GROUP; i++) {
    less += sums[i] < target;
    more += sums[i] > target;
  }
  out[0] = less;
  out[1] = CODEC_GROUP - more;
}

const unpack_kernels unpack_portable = {.unpack = unpack,
                                        .sum = sum,
                                        .spread = spread,
                                        .find_steps = find_steps,
                                        .split_rows = split_rows};

const unpack_kernels *
unpack_choose(void)
{
#if defined(QUAD_HAVE_AVX512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("popcnt"))
    return &unpack_avx512;
#endif
  return &unpack_portable;
}
