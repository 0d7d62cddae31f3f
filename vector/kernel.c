/* vector/kernel.c - which kernels run on this processor. */
#include "vector/kernel_rows.h"

#include <math.h>

#include "base/poison.h"

#if defined(__x86_64__)

/* F16C is not asked for: clang before 16 has no name for it, the instruction cpuid costs tens of
 * microseconds in a virtual machine, and every processor with AVX2 has it. */
static bool
has_avx2(void)
{
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("popcnt");
}

static bool
has_avx512(void)
{
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool
has_avx512_vnni(void)
{
  return has_avx512() && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512vpopcntdq");
}

const vec_kernels *
vec_kernels_nth(size_t i)
{
  __builtin_cpu_init();
  const vec_kernels *const all[] = {&vec_kernels_scalar, has_avx2() ? &vec_kernels_avx2 : NULL,
                                    has_avx512() ? &vec_kernels_avx512 : NULL,
                                    has_avx512_vnni() ? &vec_kernels_avx512_vnni : NULL};
  for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
    if (all[j] && i-- == 0) return all[j];
  return NULL;
}

#elif defined(__aarch64__)

const vec_kernels *
vec_kernels_nth(size_t i)
{
  return i == 0 ? &vec_kernels_scalar : i == 1 ? &vec_kernels_neon : NULL;
}

#else

const vec_kernels *
vec_kernels_nth(size_t i)
{
  return i == 0 ? &vec_kernels_scalar : NULL;
}

#endif

const vec_kernels *
vec_kernels_best(void)
{
  const vec_kernels *best = NULL, *next = NULL;
  for (size_t i = 0; (next = vec_kernels_nth(i)); i++)
    best = next;
  return best;
}

double
vec_exact(const vec_kernels *kernels, vec_metric metric, const float *query, double query_norm,
          const float *vector, size_t dims)
{
  double sums[2], norms;
  switch (metric) {
  case VEC_COSINE:
    kernels->exact_dot2(sums, query, vector, dims);
    norms = query_norm * sums[1];
    return norms > 0 ? 1.0 - sums[0] / sqrt(norms) : 1.0;
  case VEC_DOT:
    return 1.0 - kernels->exact_dot(query, vector, dims);
  case VEC_L2:
    return sqrt(kernels->exact_l2(query, vector, dims));
  }
  return HUGE_VAL;
}
