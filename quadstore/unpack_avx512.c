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

const unpack_kernels unpack_avx512 = {
    .unpack = unpack, .sum = sum, .spread = spread, .split_rows = split_rows};
