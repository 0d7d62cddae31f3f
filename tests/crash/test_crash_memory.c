/* Every allocation fails once, and once for good: a clean status, nothing leaked, the store intact
 * with all that was acknowledged. Of many allocations some are taken, with QUOIN_CRASH_SEEDS all;
 * QUOIN_CRASH_CALL: that one alone. */
#include "crash/world.h"
#include "support/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MOST = 40 };
#else
enum { MOST = 250 };
#endif

static void
run(outcome *out, support_memory *m, const workload *w, const char *path)
{
  base_alloc mem = support_alloc(m);
  world_run(out, w, w->crash, w->n_steps, path, &mem);
}

static void
test_memory__fails_at_every_allocation(void **state)
{
  const workload *w = *state;
  const char *one = getenv("QUOIN_CRASH_CALL");
  unsigned long long points = 0, failed = 0;
  scratch dir;
  outcome out;
  scratch_make(&dir);
  beginning *b = beginning_new(w, dir.store);
  beginning_put(b, dir.store);
  support_memory all = {0};
  run(&out, &all, w, dir.store);
  assert_int_equal(atomic_load(&all.blocks), 0);
  uint64_t calls = atomic_load(&all.calls);
  uint64_t most = getenv("QUOIN_CRASH_SEEDS") ? calls : w->stride ? MOST / 4 : MOST;
  uint64_t stride = (calls + most - 1) / most;
  for (uint64_t at = one ? strtoull(one, NULL, 10) : 1; at <= calls; at += stride) {
    for (int for_good = 0; for_good < 2; for_good++) {
      support_memory m = {.fail_at = at, .for_good = for_good};
      content allowed[2];
      verdict v;
      unsigned n = 1;
      beginning_put(b, dir.store);
      run(&out, &m, w, dir.store);
      held h = world_held(dir.store);
      if (h.fds || h.maps || atomic_load(&m.blocks) || atomic_load(&m.bytes))
        fail_msg("%s, allocation %llu: left are %llu blocks, %llu bytes, %u files, %u mappings",
                 w->name, (unsigned long long)at, (unsigned long long)m.blocks,
                 (unsigned long long)m.bytes, h.fds, h.maps);
      if (out.odd)
        fail_msg("%s, allocation %llu: %s", w->name, (unsigned long long)at, out.message);
      allowed[0] = world_expect(w, out.done);
      if (out.unknown)
        allowed[n++] = world_expect(w, out.done | (out.unknown & (~out.unknown + 1)));
      if (!world_verify(&v, dir.store, allowed, n))
        fail_msg("%s, allocation %llu: %s", w->name, (unsigned long long)at, v.why);
      points++;
      failed += out.done != (UINT64_C(1) << w->n_steps) - 1;
    }
    if (one) break;
  }
  printf("%s: %llu allocations, %llu points tried, %llu made something fail\n", w->name,
         (unsigned long long)calls, points, failed);
  beginning_free(b);
  scratch_remove(&dir);
}

int
main(void)
{
  struct CMUnitTest tests[32];
  size_t n = 0;
  const char *only = getenv("QUOIN_CRASH_ONLY");
  for (unsigned i = 0; i < n_workloads; i++) {
    if (only && strcmp(only, workloads[i].name)) continue;
    tests[n++] = (struct CMUnitTest){.name = workloads[i].name,
                                     .test_func = test_memory__fails_at_every_allocation,
                                     .initial_state = (void *)(uintptr_t)&workloads[i]};
  }
  return _cmocka_run_group_tests("memory", tests, n, NULL, NULL);
}
