/* Bounds of distances, and exact search over what they leave: against every exact distance. */
#include "unit/vector_index_world.h"
#include "vector/bound.h"
#include "vector/index.h"

#include <string.h>

enum { ROUNDS = 60, ROWS = 80, DIMS = 700 };

static uint64_t seed;

static double
unit_random(void)
{
  seed = base_mix(seed + 0x9E3779B97F4A7C15u);
  return (double)(seed >> 11) * 0x1p-53;
}

/* Of many shapes: even, with one large element, sparse, tiny, huge, far from the origin. */
static void
make(float *values, uint32_t dims, int shape)
{
  double size = shape == 3 ? 1e-25 : shape == 4 ? 1e25 : shape == 5 ? 1e-38 : shape == 6 ? 3e38 : 1;
  for (uint32_t i = 0; i < dims; i++) {
    double value = unit_random() * 2 - 1;
    if (shape == 2 && unit_random() < 0.9) value = 0;
    if (shape == 7) value += 1000;
    values[i] = (float)(value * size);
  }
  if (shape == 1) values[(size_t)(unit_random() * dims)] = 500;
  if (vec_is_zero(values, dims)) values[0] = 1;
}

static const float *rows[ROWS];
static float vectors[ROWS][DIMS], query[DIMS];

/* Whatever the limit: rows beyond the cut have bounds beyond it. */
static void
compare_cut(const vec_bound *b, const double *bounds, const float *walked, const vec_rows *coded,
            bool near)
{
  float ends[2 * ROWS];
  for (size_t i = 0; i < ROWS; i++)
    memcpy(ends + 2 * i, coded->base + coded->stride * i + b->coded.code_bytes, 8);
  for (size_t n = 1; n <= ROWS; n++) {
    const vec_ends all = vec_ends_of(b, ends, n);
    double limit = bounds[(size_t)(unit_random() * ROWS)];
    double dice = unit_random();
    if (dice < 0.3) limit *= 1 + (unit_random() - 0.5) * 1e-6;
    if (dice > 0.9) limit = dice > 0.95 ? unit_random() * 4 - 2 : HUGE_VAL;
    const float cut = vec_bound_cut(b, limit, &all);
    for (size_t i = 0; i < n; i++)
      if (vec_bound_beyond(walked[i], cut) && !(bounds[i] > limit))
        fail_msg("metric %d code %d: bound %.17g is not beyond %.17g", b->metric, b->code,
                 bounds[i], limit);
      else if (near && !vec_bound_beyond(walked[i], cut) && bounds[i] > limit + 0.03)
        fail_msg("metric %d code %d: bound %.17g is far beyond %.17g", b->metric, b->code,
                 bounds[i], limit);
    bool every = true;
    for (size_t i = 0; i < n; i++)
      every = every && vec_bound_beyond(walked[i], cut);
    assert_int_equal(vec_bound_all_beyond(walked, n, cut), every);
  }
}

static void
compare(const vec_kernels *k, vec_metric metric, vec_code code, uint32_t dims, const double *want)
{
  static char codes[ROWS * (4 * DIMS + 8)];
  static float room[2 * ROWS];
  double got[ROWS];
  size_t stride = vec_code_bytes(code, dims) + 8;
  char *space = aligned_alloc(64, vec_bound_bytes(code, dims));
  vec_bound bound;
  vec_bound_set(&bound, space, metric, code, query, dims);
  bound.kernels = k;
  vec_rows coded = {.base = codes, .stride = stride, .n = ROWS};
  for (size_t i = 0; i < ROWS; i++)
    vec_code_encode(codes + i * stride, code, metric, vectors[i], dims);
  for (int floats = 0; floats <= (code == VEC_F32); floats++) {
    if (floats)
      vec_bound_floats(got, &bound, room, rows, ROWS);
    else
      vec_bound_codes(got, &bound, room, &coded);
    if (!floats) compare_cut(&bound, got, room, &coded, false);
    for (size_t i = 0; i < ROWS; i++)
      if (!(got[i] <= want[i]))
        fail_msg("%s metric %d code %d dims %u row %zu: bound %.17g of %.17g", k->name, metric,
                 code, (unsigned)dims, i, got[i], want[i]);
  }
  free(space);
}

static void
test_bound__is_never_above_the_distance(void **state)
{
  (void)state;
  for (int round = 0; round < ROUNDS; round++) {
    uint32_t dims = 1 + (uint32_t)(unit_random() * (round % 2 ? 40 : DIMS - 1));
    int shape = (int)(unit_random() * 8);
    make(query, dims, shape);
    for (size_t i = 0; i < ROWS; i++) {
      rows[i] = vectors[i];
      make(vectors[i], dims, unit_random() < 0.7 ? shape : (int)(unit_random() * 8));
      if (unit_random() < 0.2) memcpy(vectors[i], query, dims * sizeof(float));
      if (unit_random() < 0.2) vectors[i][0] = nextafterf(query[0], 1e9F);
    }
    for (int metric = 0; metric < VEC_METRICS; metric++) {
      double want[ROWS];
      for (size_t i = 0; i < ROWS; i++)
        want[i] = vec_distance((vec_metric)metric, query, vectors[i], dims);
      const vec_kernels *k;
      for (size_t i = 0; (k = vec_kernels_nth(i)); i++) {
        compare(k, (vec_metric)metric, VEC_F32, dims, want);
        compare(k, (vec_metric)metric, VEC_F16, dims, want);
        compare(k, (vec_metric)metric, VEC_I8, dims, want);
      }
    }
  }
}

/* Bounds that say nothing would be right, too: of usual vectors they are near. */
static void
test_bound__is_near_the_distance(void **state)
{
  (void)state;
  enum { WIDE = 384 };
  static const double near[VEC_CODES] = {[VEC_F32] = 1e-4, [VEC_F16] = 2e-3, [VEC_I8] = 0.02};
  for (size_t i = 0; i < ROWS; i++) {
    rows[i] = vectors[i];
    make(vectors[i], WIDE, 0);
  }
  make(query, WIDE, 0);
  for (int code = VEC_F32; code <= VEC_I8; code++) {
    static char codes[ROWS * (4 * WIDE + 8)];
    static float room[2 * ROWS];
    double got[ROWS];
    size_t stride = vec_code_bytes((vec_code)code, WIDE) + 8;
    char *space = aligned_alloc(64, vec_bound_bytes((vec_code)code, WIDE));
    vec_rows coded = {.base = codes, .stride = stride, .n = ROWS};
    vec_bound bound;
    vec_bound_set(&bound, space, VEC_COSINE, (vec_code)code, query, WIDE);
    for (size_t i = 0; i < ROWS; i++)
      vec_code_encode(codes + i * stride, (vec_code)code, VEC_COSINE, vectors[i], WIDE);
    for (int floats = 0; floats <= (code == VEC_F32); floats++) {
      if (floats)
        vec_bound_floats(got, &bound, room, rows, ROWS);
      else
        vec_bound_codes(got, &bound, room, &coded);
      if (!floats) compare_cut(&bound, got, room, &coded, true);
      for (size_t i = 0; i < ROWS; i++) {
        double want = vec_distance(VEC_COSINE, query, vectors[i], WIDE);
        if (got[i] < want - near[code]) fail_msg("code %d: %g, not %g", code, got[i], want);
      }
    }
    free(space);
  }
}

/* Codes for all that may wait, up to 128 MiB; what is beyond has none. */
static void
test_fresh__is_bounded(void **state)
{
  (void)state;
  static const uint32_t dims[] = {16, 384, RDF_VECTOR_MAX};
  for (size_t i = 0; i < 3; i++) {
    vec_index index = {.declared = {.dimension = dims[i], .metric = VEC_L2, .code = VEC_F16},
                       .fresh_room = 100000,
                       .fresh_most = 100000,
                       .parsed = {.mem = base_alloc_default()}};
    float *values = calloc(dims[i], sizeof(*values));
    uint32_t place;
    assert_non_null(values);
    values[0] = 1;
    good(base_mutex_init(&index.fresh_lock, BASE_RANK_QUEUE, "fresh", &err));
    vec_fresh *fresh = vec_fresh_enter(&index, true);
    assert_non_null(fresh);
    assert_true(fresh->bytes <= (128U << 20) + 64);
    assert_true(fresh->room == 100000 || fresh->bytes > 127U << 20);
    atomic_store(&fresh->count, fresh->room - 1);
    assert_true(vec_fresh_add(fresh, 7, &index.declared, values));
    assert_false(vec_fresh_add(fresh, 8, &index.declared, values));
    assert_true(vec_fresh_find(&place, fresh, 7));
    assert_int_equal(place, fresh->room - 1);
    assert_false(vec_fresh_find(&place, fresh, 8));
    vec_fresh_leave(fresh);
    vec_fresh_drop(&index);
    base_mutex_destroy(&index.fresh_lock);
    free(values);
  }
}

int
main(void)
{
  const char *given = getenv("QUOIN_SEED");
  seed = given ? strtoull(given, NULL, 10) : 7;
  (void)printf("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_bound__is_never_above_the_distance),
                                     cmocka_unit_test(test_bound__is_near_the_distance),
                                     cmocka_unit_test(test_fresh__is_bounded)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
