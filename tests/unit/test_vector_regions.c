/* The memory of a graph's regions, where the system gives no more of it for a while. */
#include "vector/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { REGION = 1 << 26, STEP = 8 << 10, UPTO = 40 };

/* Of this process, writable and its own. */
static size_t
data_bytes(void)
{
  char line[256];
  size_t kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  if (!file) skip();
  while (!kib && fgets(line, sizeof(line), file))
    (void)sscanf(line, "VmData: %zu", &kib);
  (void)fclose(file);
  return kib << 10;
}

static void
test_regions__what_could_not_grow_grows_later(void **state)
{
  (void)state;
  unsigned failed = 0;
  for (size_t more = 0; more < UPTO; more++) {
    const size_t bytes[VEC_REGIONS] = {VEC_UNIT, VEC_UNIT, VEC_UNIT, VEC_UNIT};
    const size_t reserve[VEC_REGIONS] = {REGION, REGION, REGION, REGION};
    quoin_error err = QUOIN_ERROR_INIT;
    struct rlimit limit, before;
    vec_pages pages;
    assert_int_equal(vec_pages_init(&pages, 1, bytes, reserve, base_alloc_default(), &err), 0);
    vec_region *region = &pages.regions[0];
    assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
    limit = before;
    limit.rlim_cur = data_bytes() + more * STEP;
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
    quoin_status st = vec_region_grow(&pages, region, 1, &err);
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
    failed += st != QUOIN_OK;
    base_error_clear(&err);
    assert_int_equal(vec_region_grow(&pages, region, 1, &err), QUOIN_OK);
    for (size_t page = 0; page * VEC_UNIT < region->data.mapped; page++) {
      assert_true(vec_page_ready(region, page));
      memset(vec_range_base(&region->data) + page * VEC_UNIT, 1, VEC_UNIT);
      vec_page_change(region, page);
    }
    vec_pages_clear(&pages);
  }
  assert_true(failed > 2); /* else nothing was tested */
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_regions__what_could_not_grow_grows_later),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
