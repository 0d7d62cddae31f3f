/* When vectors come in bursts that leave the cores to those who commit them. */
#include "unit/test_vector_support.h"

#include "vector/index.h"

enum { MS = 1000000 };
static const double PACE = 100000; /* 10,000 a second are linked */

static void
test_burst__is_what_comes_faster_than_it_is_linked(void **unused)
{
  vec_burst b = {0};
  uint64_t now = 5000 * (uint64_t)MS, added = 0;

  (void)unused;
  for (unsigned i = 0; i < 100; i++) { /* 1,000 a second, one at a time */
    vec_burst_note(&b, ++added, PACE, now += MS);
    assert_false(vec_burst_goes_on(&b, now));
  }
  vec_burst_note(&b, added += 10000, PACE, now += 60000 * (uint64_t)MS); /* many after a minute */
  assert_false(vec_burst_goes_on(&b, now));
  for (unsigned i = 0; i < 10; i++) { /* 100,000 a second */
    vec_burst_note(&b, added += 100, PACE, now += MS);
    assert_true(vec_burst_goes_on(&b, now));
  }
  assert_true(vec_burst_goes_on(&b, now + 19 * MS));
  assert_false(vec_burst_goes_on(&b, now + 20 * MS));
}

static void
test_burst__lasts_from_one_large_commit_to_the_next(void **unused)
{
  vec_burst b = {0};
  uint64_t now = 5000 * (uint64_t)MS, added = 0;

  (void)unused;
  vec_burst_note(&b, added, PACE, now);
  vec_burst_note(&b, added += 10000, PACE, now += 100 * MS);
  assert_true(vec_burst_goes_on(&b, now + 199 * MS));
  assert_false(vec_burst_goes_on(&b, now + 200 * MS));
  vec_burst_note(&b, added += 100000, PACE, now += 2000 * (uint64_t)MS); /* not longer than: */
  assert_true(vec_burst_goes_on(&b, now + 499 * (uint64_t)MS));
  assert_false(vec_burst_goes_on(&b, now + 500 * (uint64_t)MS));
  vec_burst_note(&b, added - 50000, PACE, now + MS); /* an index went: nothing was added */
  vec_burst_note(&b, added - 50000, PACE, now + 600 * (uint64_t)MS);
  assert_false(vec_burst_goes_on(&b, now + 600 * (uint64_t)MS));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_burst__is_what_comes_faster_than_it_is_linked),
      cmocka_unit_test(test_burst__lasts_from_one_large_commit_to_the_next),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
