/* vector/code.h - how a vector is kept for the walk over the graph: f32, f16, i8 or b1.
 *
 * A row is the code (vec_code_bytes, a multiple of 4) followed by two floats: scale and squared
 * norm. Under cosine a code is of the unit vector. Nothing is trained: a code depends on its vector
 * alone. The scale of F16 is the power of two that takes max|v| to 2^14..2^15, at least 2^-126;
 * that of I8 max|v| / 127; that of others 1. F32  the floats                      F16  round(v /
 * scale) to halves, ties to even I8   round(v * 127 / max|v|) + 128   B1   the signs, bit i set
 * where v[i] > 0 */
#ifndef QUOIN_VECTOR_CODE_H
#define QUOIN_VECTOR_CODE_H

#include "vector/kernel.h"

/* Bytes of a code without scale and norm. */
uint32_t vec_code_bytes(vec_code code, uint32_t dims);
/* Bytes of what vec_query.code points to (rounded up to 64). */
size_t vec_query_bytes(vec_code code, uint32_t dims);

/* Write code, scale and norm of `vector` to `row`. */
void vec_code_encode(void *row, vec_code code, vec_metric metric, const float *vector,
                     uint32_t dims);

/* Prepare a vector, or a row made by vec_code_encode, as a query. `space`: vec_query_bytes, aligned
 * to 64, kept as long as the query. */
void vec_query_set(vec_query *out, void *space, vec_code code, vec_metric metric,
                   const float *vector, uint32_t dims);
void vec_query_from_row(vec_query *out, void *space, vec_code code, const void *row, uint32_t dims);

/* Round to half precision and back (IEEE binary16; overflow gives the largest finite half). */
uint16_t vec_half(float value);
float vec_unhalf(uint16_t half);

#endif /* QUOIN_VECTOR_CODE_H */
