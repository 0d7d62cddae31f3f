/* vector/kernel_avx512_vnni.c - compiled for AVX-512 with VNNI and VPOPCNTDQ, called after a check.
 */
#include "vector/kernel_avx512.h"

#include "base/poison.h"

VEC_TABLE(vec_kernels_avx512_vnni, "avx512-vnni")
