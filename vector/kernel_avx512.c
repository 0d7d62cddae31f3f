/* vector/kernel_avx512.c - compiled for AVX-512, called after a check. */
#include "vector/kernel_avx512.h"

#include "base/poison.h"

VEC_TABLE(vec_kernels_avx512, "avx512")
