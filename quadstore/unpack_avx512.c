/* quadstore/unpack_avx512.c - eight values at a time. Compiled for these instructions alone. */
#include "quadstore/split.h"
#include "quadstore/unpack.h"

#include <immintrin.h>

#include "base/poison.h"

static void
unpack(uint64_t *out, unsigned n, const uint8_t *in, unsigned bit, unsigned width, uint64_t base,
       uint64_t step)
{
  /* Eight values take `width` whole bytes, so all eights are cut alike: which byte each begins in
   * and at which bit of it. */
  const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i at =
      _mm512_add_epi64(_mm512_mullo_epi64(lane, _mm512_set1_epi64(width)), _mm512_set1_epi64(bit));
  const __m512i ones = _mm512_set1_epi64(0x0101010101010101),
                offsets = _mm512_set1_epi64(0x0706050403020100);
  const __m512i bytes =
      _mm512_add_epi64(_mm512_mullo_epi64(_mm512_srli_epi64(at, 3), ones), offsets);
  const __m512i shift = _mm512_and_si512(at, _mm512_set1_epi64(7));
  const __m512i mask =
      _mm512_set1_epi64((long long)(width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1));
  const __m512i add = _mm512_set1_epi64((long long)base);
  const __m512i times = _mm512_set1_epi64((long long)step);

  for (unsigned i = 0; i < n; i += 8, in += width) {
    __m512i v = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(in));
    v = _mm512_and_si512(_mm512_srlv_epi64(v, shift), mask);
    if (step != 1) v = _mm512_mullo_epi64(v, times);
    _mm512_storeu_si512(out + i, _mm512_add_epi64(v, add));
  }
}

static void
sum(uint64_t values[CODEC_GROUP])
{
  const __m512i zero = _mm512_setzero_si512(), last = _mm512_set1_epi64(7);
  __m512i carry = zero;

  for (unsigned i = 0; i < CODEC_GROUP; i += 8) {
    __m512i v = _mm512_loadu_si512(values + i);
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 7));
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 6));
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 4));
    v = _mm512_add_epi64(v, carry);
    carry = _mm512_permutexvar_epi64(last, v);
    _mm512_storeu_si512(values + i, v);
  }
}

static void
spread(uint64_t *out, uint64_t rows, const uint64_t *values)
{
  for (; rows; rows >>= 8, out += 8) {
    __mmask8 here = (__mmask8)rows;
    _mm512_mask_storeu_epi64(out, here,
                             _mm512_maskz_expand_epi64(here, _mm512_loadu_si512(values)));
    values += __builtin_popcount(here);
  }
}

/* The last of each quarter of v, in the quarter `by` behind it. */
#define FROM_QUARTER(v, by)                                                                        \
  _mm512_maskz_permutexvar_epi16(                                                                  \
      0xffffffffu << 8 * (by),                                                                     \
      _mm512_sub_epi16(_mm512_or_si512(lane, _mm512_set1_epi16(7)), _mm512_set1_epi16(8 * (by))),  \
      v)

/* To each of 32 the sum of those before. */
static inline __m512i
sum_32(__m512i v, __m512i lane)
{
  v = _mm512_add_epi16(v, _mm512_bslli_epi128(v, 2));
  v = _mm512_add_epi16(v, _mm512_bslli_epi128(v, 4));
  v = _mm512_add_epi16(v, _mm512_bslli_epi128(v, 8));
  v = _mm512_add_epi16(v, FROM_QUARTER(v, 1));
  return _mm512_add_epi16(v, FROM_QUARTER(v, 2));
}

static void
find_steps(unsigned out[2], const uint8_t *in, unsigned width, unsigned from, uint64_t ahead)
{
  const __m512i lane = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                                        16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  /* 32 differences take 4 * width whole bytes; each lies within two */
  const __m512i at = _mm512_mullo_epi16(lane, _mm512_set1_epi16((short)width));
  const __m512i byte = _mm512_srli_epi16(at, 3);
  const __m512i bytes =
      _mm512_or_si512(byte, _mm512_slli_epi16(_mm512_add_epi16(byte, _mm512_set1_epi16(1)), 8));
  const __m512i shift = _mm512_and_si512(at, _mm512_set1_epi16(7));
  const __m512i mask = _mm512_set1_epi16((short)((1u << width) - 1));
  const __m512i last = _mm512_set1_epi16(31);
  uint16_t sums[CODEC_GROUP];
  __m512i v[4];

  for (unsigned i = 0; i < 4; i++) {
    v[i] = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(in + (size_t)4 * width * i));
    v[i] = _mm512_and_si512(_mm512_srlv_epi16(v[i], shift), mask);
    if (!i) v[0] = _mm512_maskz_mov_epi16(~1u, v[0]);
    v[i] = sum_32(v[i], lane);
  }
  v[1] = _mm512_add_epi16(v[1], _mm512_permutexvar_epi16(last, v[0]));
  v[3] = _mm512_add_epi16(v[3], _mm512_permutexvar_epi16(last, v[2]));
  v[2] = _mm512_add_epi16(v[2], _mm512_permutexvar_epi16(last, v[1]));
  v[3] = _mm512_add_epi16(v[3], _mm512_permutexvar_epi16(last, v[1]));
  if (from) {
    for (unsigned i = 0; i < 4; i++)
      _mm512_storeu_si512(sums + (size_t)32 * i, v[i]);
    ahead = ahead > UINT16_MAX ? ahead : ahead + sums[from];
  }
  out[0] = out[1] = CODEC_GROUP;
  if (ahead > UINT16_MAX) return;
  const __m512i target = _mm512_set1_epi16((short)ahead);
  out[0] = out[1] = 0;
  for (unsigned i = 0; i < 4; i++) {
    out[0] += (unsigned)__builtin_popcount(_mm512_cmplt_epu16_mask(v[i], target));
    out[1] += (unsigned)__builtin_popcount(_mm512_cmple_epu16_mask(v[i], target));
  }
}

const unpack_kernels unpack_avx512 = {.unpack = unpack,
                                      .sum = sum,
                                      .spread = spread,
                                      .find_steps = find_steps,
                                      .split_rows = split_rows};
