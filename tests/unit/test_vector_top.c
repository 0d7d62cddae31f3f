/* The k best of what passes by: those of a sort, each subject once, for few sorts. */
#include "unit/test_base_support.h"
#include "vector/top.h"

#include <math.h>

enum { OFFERED = 60000, FLUSH = 256 };

static vec_found offered[OFFERED], want[OFFERED];

static int
by_distance(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->distance != b->distance) return a->distance < b->distance ? -1 : 1;
  return a->subject.bits < b->subject.bits ? -1 : a->subject.bits > b->subject.bits;
}

static int
by_subject(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->subject.bits != b->subject.bits) return a->subject.bits < b->subject.bits ? -1 : 1;
  return by_distance(x, y);
}

/* Distances of few values, so that many are the same; `falling`: each offer counts. */
static void
make(uint64_t *seed, size_t subjects, bool falling)
{
  for (size_t i = 0; i < OFFERED; i++) {
    double distance = falling ? (double)(OFFERED - i) : (double)(support_random(seed) % 5000);
    offered[i] = (vec_found){distance, {1 + support_random(seed) % subjects}};
  }
}

static size_t
oracle(size_t k, double max_distance)
{
  size_t n = 0;
  memcpy(want, offered, sizeof(want));
  qsort(want, OFFERED, sizeof(*want), by_subject);
  for (size_t i = 0; i < OFFERED; i++)
    if (want[i].distance <= max_distance &&
        (!n || want[n - 1].subject.bits != want[i].subject.bits))
      want[n++] = want[i];
  qsort(want, n, sizeof(*want), by_distance);
  return n < k ? n : k;
}

/* As the sieve does it: sorted when that is due after some, else when there is no room. */
static void
select_and_compare(size_t k, double max_distance)
{
  quoin_error err = QUOIN_ERROR_INIT;
  vec_top top;
  vec_found *got;
  size_t n, n_want = oracle(k, max_distance), sorts = 0, added = 0;
  vec_top_init(&top, k, max_distance, base_alloc_default());
  for (size_t from = 0; from < OFFERED; from += FLUSH) {
    for (size_t i = from; i < OFFERED && i < from + FLUSH; i++) {
      size_t before = top.n;
      sorts += top.n == top.full && offered[i].distance <= top.limit;
      assert_ok(vec_top_add(&top, offered[i].subject, offered[i].distance, &err));
      added += top.n != before;
    }
    if (!vec_top_is_due(&top)) continue;
    vec_top_trim(&top);
    sorts++;
    assert_false(vec_top_is_due(&top));
  }
  assert_true(sorts <= 1 + added / (k / 4 > 16 ? k / 4 : 16));
  assert_ok(vec_top_take(&got, &n, &top, &err));
  assert_int_equal(n, n_want);
  for (size_t i = 0; i < n; i++)
    if (got[i].distance != want[i].distance || got[i].subject.bits != want[i].subject.bits)
      fail_msg("k %zu: number %zu is %.17g, not %.17g", k, i, got[i].distance, want[i].distance);
  base_release(base_alloc_default(), got, n, sizeof(*got));
  vec_top_clear(&top);
}

static void
test_top__is_that_of_a_sort(void **state)
{
  static const size_t ks[] = {1, 10, 1000, 10000};
  /* The last but one gives the greatest k no limit, and k of its items at each turn. */
  static const size_t subjects[] = {5, 9000, 1 << 30};
  uint64_t seed = support_seed();
  (void)state;
  for (size_t s = 0; s < sizeof(subjects) / sizeof(*subjects); s++)
    for (int falling = 0; falling < 2; falling++) {
      make(&seed, subjects[s], falling);
      for (size_t i = 0; i < sizeof(ks) / sizeof(*ks); i++) {
        select_and_compare(ks[i], HUGE_VAL);
        select_and_compare(ks[i], 2500);
      }
    }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_top__is_that_of_a_sort)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
