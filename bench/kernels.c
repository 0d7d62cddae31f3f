/* bench/kernels.c - how many bytes of vectors a second each distance kernel reads, beside what the
 * memory gives.
 *
 *   quoin-bench-kernels [DIMS [MIB [KERNELS]]]
 *
 * Per set of instructions that runs here, code and metric (cosine is dot over unit vectors): from
 * the second cache (128 KiB of rows), from MIB (256) of rows in their order, and the same rows in a
 * random order, as a walk over a graph takes them, in batches of 32. Bytes are those of the codes
 * with their scale and norm. GB/s of this thread's time, the best of several passes; 1 GB = 10^9
 * bytes. The last rows are the kernels of exact distances. KERNELS: the name of one set. Prints
 * tab-separated values. */
#include "base/base.h"
#include "vector/code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { BATCH = 32, CACHED = 128 << 10, PASSES = 5 };

typedef struct bench {
  uint32_t dims;
  size_t bytes;    /* of the large set */
  char *rows;      /* that many bytes */
  uint32_t *order; /* a permutation of the rows in use */
  float *vector;   /* the query */
  char *space;     /* of the coded query */
  float sink;      /* so that no sum is left out */
  double exact_sink;
} bench;

static double
cpu_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* In huge pages where it is large, as the graph's memory is. */
static void *
room(size_t bytes)
{
  const size_t unit = bytes < (2 << 20) ? 64 : 2 << 20;
  bytes = (bytes + unit - 1) / unit * unit;
  void *at = aligned_alloc(unit, bytes);
#if defined(MADV_HUGEPAGE)
  if (at && unit > 64) (void)madvise(at, bytes, MADV_HUGEPAGE);
#endif
  if (at) return at;
  fprintf(stderr, "error: out of memory\n");
  exit(1);
}

/* What one thread can read: a word of each cache line, so that nothing but the memory counts. */
static double
bandwidth(const bench *b)
{
  double best = 0;
  for (int pass = 0; pass < PASSES; pass++) {
    uint64_t sums[4] = {0};
    const double start = cpu_now();
    for (size_t at = 0; at + 256 <= b->bytes; at += 256)
      for (size_t j = 0; j < 4; j++)
        sums[j] += base_load_u64(b->rows + at + 64 * j);
    const double rate = (double)b->bytes / (cpu_now() - start);
    if (rate > best || sums[0] + sums[1] + sums[2] + sums[3] == 1) best = rate;
  }
  return best;
}

typedef enum place { IN_CACHE, IN_ORDER, AT_RANDOM, PLACES } place;

/* Bytes a second of a walk kernel over n rows, `times` times over. */
static double
walk_rate(bench *b, vec_walk *walk, const vec_query *query, size_t stride, size_t n, size_t times,
          bool random)
{
  double best = 0;
  float out[BATCH];
  for (int pass = 0; pass < PASSES; pass++) {
    const double start = cpu_now();
    for (size_t t = 0; t < times; t++)
      for (size_t i = 0; i + BATCH <= n; i += BATCH) {
        const vec_rows rows = {.base = random ? b->rows : b->rows + i * stride,
                               .stride = stride,
                               .slots = random ? b->order + i : NULL,
                               .n = BATCH};
        walk(out, query, &rows);
        b->sink += out[i / BATCH % BATCH];
      }
    const double bytes = (double)times * (double)(n / BATCH * BATCH) * (query->code_bytes + 8);
    const double rate = bytes / (cpu_now() - start);
    if (rate > best) best = rate;
  }
  return best;
}

static double
exact_rate(bench *b, const vec_kernels *k, vec_metric metric, size_t n, size_t times, bool random)
{
  double best = 0;
  const size_t stride = (size_t)b->dims * 4;
  for (int pass = 0; pass < PASSES; pass++) {
    const double start = cpu_now();
    for (size_t t = 0; t < times; t++)
      for (size_t i = 0; i < n; i++) {
        const size_t row = random ? b->order[i] : i;
        b->exact_sink += vec_exact(k, metric, b->vector, 1.0,
                                   (const float *)(const void *)(b->rows + row * stride), b->dims);
      }
    const double rate = (double)times * (double)n * (double)stride / (cpu_now() - start);
    if (rate > best) best = rate;
  }
  return best;
}

static size_t
rows_of(bench *b, place where, size_t stride)
{
  size_t n = (where == IN_CACHE ? (size_t)CACHED : b->bytes) / stride;
  n = n < BATCH ? BATCH : n / BATCH * BATCH;
  uint64_t state = 1;
  for (size_t i = 0; i < n; i++)
    b->order[i] = (uint32_t)i;
  for (size_t i = n - 1; where == AT_RANDOM && i > 0; i--) {
    const size_t j = base_mix(state++) % (i + 1);
    const uint32_t kept = b->order[i];
    b->order[i] = b->order[j];
    b->order[j] = kept;
  }
  return n;
}

/* Codes of a vector of numbers of size one: their scale and norm are looked at. */
static void
fill(bench *b, vec_code code, vec_metric metric)
{
  const size_t stride = vec_code_bytes(code, b->dims) + 8;
  float *other = room((size_t)b->dims * 4);
  for (size_t i = 0; i < b->dims; i++)
    other[i] = b->vector[(i + 1) % b->dims];
  vec_code_encode(b->rows, code, metric, other, b->dims);
  for (size_t at = stride; at < b->bytes; at += stride)
    memcpy(b->rows + at, b->rows, stride < b->bytes - at ? stride : b->bytes - at);
  free(other);
}

static void
walks_of(bench *b, const vec_kernels *k, vec_code code, vec_metric metric)
{
  static const char *const codes[] = {"f32", "f16", "i8", "b1"};
  vec_query query;
  vec_query_set(&query, b->space, code, metric, b->vector, b->dims);
  const size_t stride = query.code_bytes + 8;
  fill(b, code, metric);
  printf("%s\t%s\t%s", k->name,
         code == VEC_B1     ? "hamming"
         : metric == VEC_L2 ? "l2"
                            : "dot",
         codes[code]);
  for (place where = IN_CACHE; where < PLACES; where++) {
    const size_t n = rows_of(b, where, stride);
    const size_t times = where == IN_CACHE ? 1 + ((size_t)32 << 20) / (n * stride) : 1;
    printf("\t%.1f", 1e-9 * walk_rate(b, vec_kernels_walk(k, metric, code), &query, stride, n,
                                      times, where == AT_RANDOM));
  }
  printf("\n");
  fflush(stdout);
}

static void
exacts_of(bench *b, const vec_kernels *k, vec_metric metric)
{
  static const char *const metrics[] = {"cosine", "dot", "l2"};
  const size_t stride = (size_t)b->dims * 4;
  printf("%s\t%s\texact", k->name, metrics[metric]);
  for (place where = IN_CACHE; where < PLACES; where++) {
    const size_t n = rows_of(b, where, stride);
    const size_t times = where == IN_CACHE ? 1 + ((size_t)32 << 20) / (n * stride) : 1;
    printf("\t%.1f", 1e-9 * exact_rate(b, k, metric, n, times, where == AT_RANDOM));
  }
  printf("\n");
  fflush(stdout);
}

int
main(int argc, char **argv)
{
  bench b = {.dims = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 384,
             .bytes = (argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 256) << 20};
  if (b.dims < 1 || b.dims > VEC_DIMS_MAX || b.bytes < ((size_t)BATCH * (b.dims * 4 + 8))) {
    fprintf(stderr, "usage: quoin-bench-kernels [DIMS [MIB]]\n");
    return 2;
  }
  b.rows = room(b.bytes);
  b.order = room(b.bytes / vec_code_bytes(VEC_B1, b.dims) * sizeof(uint32_t) + BATCH * 4);
  b.vector = room((size_t)b.dims * 4);
  b.space = room(vec_query_bytes(VEC_F32, b.dims));
  for (size_t i = 0; i < b.dims; i++)
    b.vector[i] = (float)(base_mix(i) % 1000) / 500.0f - 1.0f;
  fill(&b, VEC_F32, VEC_DOT);
  printf("# %u dimensions, %zu MiB; one thread reads %.1f GB/s\n", b.dims, b.bytes >> 20,
         1e-9 * bandwidth(&b));
  printf("kernels\tmetric\tcode\tcache GB/s\tmemory in order\tmemory at random\n");
  const vec_kernels *k;
  for (size_t i = 0; (k = vec_kernels_nth(i)); i++) {
    if (argc > 3 && strcmp(argv[3], k->name) != 0) continue;
    for (int code = 0; code < VEC_CODES; code++) {
      walks_of(&b, k, (vec_code)code, VEC_DOT);
      if (code != VEC_B1) walks_of(&b, k, (vec_code)code, VEC_L2);
    }
    fill(&b, VEC_F32, VEC_DOT);
    for (int metric = 0; metric < VEC_METRICS; metric++)
      exacts_of(&b, k, (vec_metric)metric);
  }
  free(b.rows);
  free(b.order);
  free(b.vector);
  free(b.space);
  if (b.sink > 1e30f && b.exact_sink > 1e30) printf("\n");
  return 0;
}
