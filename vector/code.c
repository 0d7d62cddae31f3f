/* vector/code.c - from vectors to codes, and to queries. */
#include "vector/code.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/poison.h"

uint32_t
vec_code_bytes(vec_code code, uint32_t dims)
{
  assert(dims > 0 && dims <= VEC_DIMS_MAX);
  switch (code) {
  case VEC_F32:
    return dims * 4;
  case VEC_F16:
    return (dims * 2 + 3) & ~3u;
  case VEC_I8:
    return (dims + 3) & ~3u;
  case VEC_B1:
    return (dims + 31) / 32 * 4;
  }
  return 0;
}

size_t
vec_query_bytes(vec_code code, uint32_t dims)
{
  size_t bytes = code == VEC_F16 ? (size_t)dims * 4 : vec_code_bytes(code, dims);
  return (bytes + 63) / 64 * 64;
}

uint16_t
vec_half(float value)
{
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7BFFu); /* 65520 and more: 65504 */
  if (magnitude < 0x38800000u) { /* below 2^-14: a multiple of 2^-24, rounded by the addition */
    float shifted, half = 0.5f;
    memcpy(&shifted, &magnitude, 4);
    shifted += half;
    memcpy(&magnitude, &shifted, 4);
    return (uint16_t)(sign | (magnitude - 0x3F000000u));
  }
  magnitude += 0xFFFu + (magnitude >> 13 & 1); /* nearest, ties to even */
  return (uint16_t)(sign | ((magnitude - 0x38000000u) >> 13));
}

float
vec_unhalf(uint16_t half)
{
  uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u, bits;
  uint32_t fraction = half & 0x3FFu;
  float value;
  if (exponent == 0) {
    value = (float)fraction * 0x1p-24f;
    memcpy(&bits, &value, 4);
    bits |= sign;
  } else {
    bits = sign | (exponent + (exponent == 31 ? 224u : 112u)) << 23 | fraction << 13;
  }
  memcpy(&value, &bits, 4);
  return value;
}

/* What every element is multiplied with before it is coded: 1, or 1 / |v| under cosine. */
static double
unit_factor(vec_metric metric, const float *vector, uint32_t dims)
{
  if (metric != VEC_COSINE) return 1.0;
  double sum = vec_kernels_best()->exact_dot(vector, vector, dims);
  return sum > 0 ? 1.0 / sqrt(sum) : 1.0;
}

/* In lanes, so that one comparison does not wait for the one before. */
static float
largest_of(const float *vector, uint32_t dims)
{
  enum { LANES = 16 };
  float lane[LANES] = {0}, largest = 0;
  uint32_t i = 0;
  for (; i + LANES <= dims; i += LANES)
    for (uint32_t j = 0; j < LANES; j++) {
      float size = fabsf(vector[i + j]);
      lane[j] = size > lane[j] ? size : lane[j];
    }
  for (; i < dims; i++)
    lane[i % LANES] = fabsf(vector[i]) > lane[i % LANES] ? fabsf(vector[i]) : lane[i % LANES];
  for (uint32_t j = 0; j < LANES; j++)
    largest = lane[j] > largest ? lane[j] : largest;
  return largest;
}

/* The nearest integer, ties to even, of a number that is small: the lowest bits of the sum. */
static inline int32_t
nearest(double value)
{
  double sum = value + 0x1.8p52;
  uint64_t bits;
  memcpy(&bits, &sum, 8);
  return (int32_t)(uint32_t)bits;
}

static void
encode_i8(uint8_t *out, float scale_norm[2], double factor, const float *vector, uint32_t dims)
{
  float largest = largest_of(vector, dims);
  /* of the largest double a quotient stays finite; of a denormal one too */
  double up = largest > 0 ? 127.0 / (double)largest : 0;
  double scale = largest > 0 ? (double)largest / 127.0 * factor : 0;
  scale_norm[0] = (float)scale;
  if (largest > 0 && scale_norm[0] < FLT_MIN) { /* it has few bits: the codes are of what it is */
    scale_norm[0] = nextafterf(scale_norm[0], 1);
    up = factor / (double)scale_norm[0];
  }
  int32_t squares = 0; /* 127 * 127 * VEC_DIMS_MAX is below 2^31 */
  for (uint32_t i = 0; i < dims; i++) {
    int32_t code = nearest((double)vector[i] * up);
    squares += code * code;
    out[i] = (uint8_t)(code + 128);
  }
  scale_norm[1] = (float)((double)scale_norm[0] * (double)scale_norm[0] * (double)squares);
}

static float
scale_of_halves(double factor, const float *vector, uint32_t dims)
{
  int exponent;
  double largest = (double)largest_of(vector, dims) * factor;
  if (!(largest > 0)) return 1.0F;
  (void)frexp(largest, &exponent);
  return (float)ldexp(1, exponent - 15 < -126 ? -126 : exponent - 15);
}

static void
encode_halves(char *out, double factor, float scale, const float *vector, uint32_t dims)
{
  double up = factor / (double)scale;
  for (uint32_t i = 0; i < dims; i++) {
    uint16_t half = vec_half((float)((double)vector[i] * up));
    memcpy(out + (size_t)i * 2, &half, 2);
  }
}

/* |v|^2 of the elements as floats. */
static float
norm_of(double factor, const float *vector, uint32_t dims)
{
  double norm = 0;
  for (uint32_t i = 0; i < dims; i++) {
    float value = (float)((double)vector[i] * factor);
    norm += (double)value * (double)value;
  }
  return (float)norm;
}

void
vec_code_encode(void *row, vec_code code, vec_metric metric, const float *vector, uint32_t dims)
{
  uint32_t bytes = vec_code_bytes(code, dims);
  double factor = unit_factor(metric, vector, dims);
  float scale_norm[2] = {1.0f, 0.0f};
  if (bytes >= 4) memset((char *)row + bytes - 4, 0, 4); /* the padding of the last word */
  if (code != VEC_I8) scale_norm[1] = norm_of(factor, vector, dims);
  if (code == VEC_I8) {
    encode_i8(row, scale_norm, factor, vector, dims);
  } else if (code == VEC_F16) {
    scale_norm[0] = scale_of_halves(factor, vector, dims);
    encode_halves(row, factor, scale_norm[0], vector, dims);
  } else if (code == VEC_F32) {
    for (uint32_t i = 0; i < dims; i++) {
      float value = (float)((double)vector[i] * factor);
      memcpy((char *)row + (size_t)i * 4, &value, 4);
    }
  } else {
    memset(row, 0, bytes);
    for (uint32_t i = 0; i < dims; i++)
      ((uint8_t *)row)[i / 8] |= (uint8_t)((vector[i] > 0) << i % 8);
  }
  memcpy((char *)row + bytes, scale_norm, sizeof(scale_norm));
}

void
vec_query_from_row(vec_query *out, void *space, vec_code code, const void *row, uint32_t dims)
{
  uint32_t bytes = vec_code_bytes(code, dims);
  const uint8_t *codes = row;
  *out = (vec_query){.code = space, .dims = dims, .code_bytes = bytes};
  memcpy(&out->scale, codes + bytes, 4);
  memcpy(&out->norm, codes + bytes + 4, 4);
  if (code == VEC_F16) {
    for (uint32_t i = 0; i < dims; i++) {
      uint16_t half;
      memcpy(&half, codes + (size_t)i * 2, 2);
      ((float *)space)[i] = vec_unhalf(half) * out->scale;
    }
    out->scale = 1.0F;
  } else if (code == VEC_I8) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < dims; i++) {
      int8_t value = (int8_t)(codes[i] - 128);
      ((int8_t *)space)[i] = value;
      sum += value;
    }
    out->shift = 128 * sum;
  } else {
    memcpy(space, row, bytes);
  }
}

void
vec_query_set(vec_query *out, void *space, vec_code code, vec_metric metric, const float *vector,
              uint32_t dims)
{
  if (code == VEC_F32 || code == VEC_F16) { /* the query need not be rounded to halves */
    double factor = unit_factor(metric, vector, dims);
    for (uint32_t i = 0; i < dims; i++)
      ((float *)space)[i] = (float)((double)vector[i] * factor);
    *out = (vec_query){.code = space,
                       .dims = dims,
                       .code_bytes = vec_code_bytes(code, dims),
                       .scale = 1.0f,
                       .norm = norm_of(factor, vector, dims)};
  } else if (code == VEC_I8) {
    float scale_norm[2];
    encode_i8(space, scale_norm, unit_factor(metric, vector, dims), vector, dims);
    int32_t sum = 0;
    for (uint32_t i = 0; i < dims; i++) {
      int8_t value = (int8_t)(((uint8_t *)space)[i] - 128);
      ((int8_t *)space)[i] = value;
      sum += value;
    }
    *out = (vec_query){.code = space,
                       .dims = dims,
                       .code_bytes = vec_code_bytes(code, dims),
                       .scale = scale_norm[0],
                       .norm = scale_norm[1],
                       .shift = 128 * sum};
  } else {
    memset(space, 0, vec_query_bytes(code, dims));
    for (uint32_t i = 0; i < dims; i++)
      ((uint8_t *)space)[i / 8] |= (uint8_t)((vector[i] > 0) << i % 8);
    *out = (vec_query){.code = space, .dims = dims, .code_bytes = vec_code_bytes(code, dims)};
  }
}
