/* quadstore/unpack.h - the loops that decoding blocks spends its time in.
 *
 * `unpack_portable` says what the others must give, bit for bit. */
#ifndef QUOIN_QUADSTORE_UNPACK_H
#define QUOIN_QUADSTORE_UNPACK_H

#include "quadstore/codec.h"

enum {
  UNPACK_REACH = 64,   /* bytes behind the last packed value that are read */
  UNPACK_ROOM = 8,     /* values behind the last that may be written or, of `spread`, read */
  UNPACK_STEP_BITS = 9 /* of differences whose sums over a group stay below 1 << 16 */
};

typedef struct unpack_kernels {
  /* n values of `width` bits (0..57, 64) from bit `bit` (0..7; 0 with width 64) of `in` on, as base
   * + step * value. */
  void (*unpack)(uint64_t *out, unsigned n, const uint8_t *in, unsigned bit, unsigned width,
                 uint64_t base, uint64_t step);
  /* To each of a group the sum of those before. */
  void (*sum)(uint64_t values[CODEC_GROUP]);
  /* The values, one after the other, to the places in out[0..64) of the bits set in `rows`. */
  void (*spread)(uint64_t *out, uint64_t rows, const uint64_t *values);
  /* Differences of `width` bits, 0..UNPACK_STEP_BITS, to the rows of a group (that of the first is
   * left out): how many rows come to less than `ahead` more than row `from` has, and how many to no
   * more than that. */
  void (*find_steps)(unsigned out[2], const uint8_t *in, unsigned width, unsigned from,
                     uint64_t ahead);
  /* Rows [from, to) of a SPLIT column. */
  void (*split_rows)(uint64_t *out, const codec_column *c, uint32_t from, uint32_t to);
} unpack_kernels;

extern const unpack_kernels unpack_portable;
#if defined(QUAD_HAVE_AVX512)
extern const unpack_kernels unpack_avx512; /* with VBMI: Ice Lake, Zen 4 and later */
#endif

/* The fastest that this processor has. */
const unpack_kernels *unpack_choose(void);

#endif /* QUOIN_QUADSTORE_UNPACK_H */
