/* What the tests of the vector graph share: clustered vectors, an oracle, a temporary folder. */
#ifndef QUOIN_TESTS_TEST_VECTOR_SUPPORT_H
#define QUOIN_TESTS_TEST_VECTOR_SUPPORT_H

#include "vector/hnsw.h"

#include "unit/test_base_support.h"

#include <math.h>
#include <string.h>

enum { WORLD_CLUSTERS = 40, WORLD_K = 10 };

typedef struct world {
  uint64_t random;
  uint32_t dims, rows, asked; /* asked: held out rows behind the others, to ask with */
  float *data;                /* rows x dims */
  hnsw_vectors vectors;
  hnsw_options options;
} world;

static inline double
world_normal(world *w)
{
  double sum = 0; /* near enough */
  for (int i = 0; i < 6; i++)
    sum += (double)(support_random(&w->random) >> 11) * 0x1p-53;
  return (sum - 3) * 1.4;
}

static inline void
world_vector(world *w, float *out, const float *centre)
{
  for (uint32_t d = 0; d < w->dims; d++)
    out[d] = (float)((double)centre[d] + 0.4 * world_normal(w));
}

static inline world
world_new(uint32_t rows, hnsw_options options)
{
  world w = {.random = support_seed(), .dims = options.dims, .rows = rows, .options = options};
  float *centres = malloc(sizeof(float) * WORLD_CLUSTERS * w.dims);
  w.data = malloc(sizeof(float) * rows * w.dims);
  for (size_t i = 0; i < (size_t)WORLD_CLUSTERS * w.dims; i++)
    centres[i] = (float)world_normal(&w);
  for (uint32_t r = 0; r < rows; r++)
    world_vector(&w, w.data + (size_t)r * w.dims,
                 centres + support_random(&w.random) % WORLD_CLUSTERS * w.dims);
  free(centres);
  w.vectors = (hnsw_vectors){.base = (const char *)w.data, .stride = sizeof(float) * w.dims};
  return w;
}

/* As embeddings are: clusters of unlike sizes in a latent space of 24 dimensions, spread over all,
 * and a little noise. The last `held` rows are of the same kind, and not counted in w.rows: to ask
 * with. The same each time: the recall that is promised is that of a data set. */
static inline world
world_latent(uint32_t rows, uint32_t held, hnsw_options options)
{
  enum { LATENT = 24, CLUSTERS = 3 };
  world w = {.random = 4711, .dims = options.dims, .rows = rows, .options = options};
  float *centres = malloc(sizeof(float) * CLUSTERS * LATENT), latent[LATENT];
  float *spread = malloc(sizeof(float) * LATENT * w.dims);
  w.data = malloc(sizeof(float) * (rows + held) * w.dims);
  for (size_t i = 0; i < (size_t)CLUSTERS * LATENT; i++)
    centres[i] = (float)world_normal(&w);
  for (size_t i = 0; i < (size_t)LATENT * w.dims; i++)
    spread[i] = (float)(world_normal(&w) / sqrt(LATENT));
  for (uint32_t r = 0; r < rows + held; r++) {
    uint64_t a = support_random(&w.random) % CLUSTERS;
    uint64_t b = support_random(&w.random) % CLUSTERS;
    const float *centre = centres + (a < b ? a : b) * LATENT;
    float *row = w.data + (size_t)r * w.dims;
    for (size_t i = 0; i < LATENT; i++)
      latent[i] = centre[i] + (float)(0.6 * world_normal(&w));
    for (uint32_t d = 0; d < w.dims; d++) {
      row[d] = (float)(0.3 * world_normal(&w));
      for (size_t i = 0; i < LATENT; i++)
        row[d] += latent[i] * spread[i * w.dims + d];
    }
  }
  free(centres);
  free(spread);
  w.vectors = (hnsw_vectors){.base = (const char *)w.data, .stride = sizeof(float) * w.dims};
  return w;
}

static inline void
world_free(world *w)
{
  free(w->data);
}

static inline const float *
world_row(const world *w, uint32_t row)
{
  return w->data + (size_t)row * w->dims;
}

/* Something near some row. */
static inline void
world_query(world *w, float *out)
{
  world_vector(w, out, world_row(w, (uint32_t)(support_random(&w->random) % w->rows)));
}

static inline double
world_distance(const world *w, const float *query, uint32_t row)
{
  const vec_kernels *k = vec_kernels_nth(0);
  return vec_exact(k, w->options.metric, query, k->exact_dot(query, query, w->dims),
                   world_row(w, row), w->dims);
}

/* The k nearest of the rows with in[row]; *n of them. */
static inline void
world_nearest(hnsw_hit *out, size_t *n, const world *w, const float *query, const bool *in,
              size_t k)
{
  *n = 0;
  for (uint32_t row = 0; row < w->rows; row++) {
    if (!in[row]) continue;
    hnsw_hit hit = {.distance = world_distance(w, query, row), .row = row, .key = row + 1};
    size_t at = *n < k ? (*n)++ : k;
    for (; at > 0 && out[at - 1].distance > hit.distance; at--)
      if (at < k) out[at] = out[at - 1];
    if (at < k) out[at] = hit;
  }
}

/* How many of the right rows are among the hits. */
static inline size_t
world_common(const hnsw_hit *hits, size_t n, const hnsw_hit *right, size_t n_right)
{
  size_t common = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n_right; j++)
      common += hits[i].row == right[j].row;
  return common;
}

static inline void
world_folder(char out[64], base_dir *dir)
{
  quoin_error err = QUOIN_ERROR_INIT;
  strcpy(out, "/tmp/quoin-vector-XXXXXX");
  assert_non_null(mkdtemp(out));
  assert_ok(base_dir_open(dir, out, &err));
}

static inline void
world_folder_remove(const char *path, base_dir *dir)
{
  char command[96];
  base_dir_close(dir);
  (void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
  assert_int_equal(system(command), 0);
}

#endif /* QUOIN_TESTS_TEST_VECTOR_SUPPORT_H */
