/* The power is cut after every call on stored data: whatever the disk may hold then, the store
 * opens with every commit that was acknowledged and at most the one in progress, whole.
 *
 * QUOIN_CRASH_SEEDS: mixtures of old and new a point, beside all old and all new. QUOIN_CRASH_ONLY:
 * one workload. */
#include "crash/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 1, SLOWER = 3 };
#else
enum { SEEDS = 3, SLOWER = 1 };
#endif

typedef struct cutter {
  const workload *w;
  disk *disk;
  scratch dir;
  uint64_t done, running; /* bit sets of steps */
  uint64_t safe;          /* steps that must survive whatever the durability */
  uint64_t *seen;         /* hashes of what was verified: open addressing */
  size_t slots, used;
  bool may_fail; /* failures are counted */
  unsigned long long calls, points, images, failures;
} cutter;

static bool
is_new(cutter *c, uint64_t hash)
{
  size_t at;
  if (c->used * 2 >= c->slots) {
    size_t slots = c->slots ? c->slots * 2 : 1024;
    uint64_t *seen = calloc(slots, sizeof *seen);
    assert_non_null(seen);
    for (size_t i = 0; i < c->slots; i++) {
      if (!c->seen[i]) continue;
      for (at = c->seen[i] & (slots - 1); seen[at]; at = (at + 1) & (slots - 1))
        ;
      seen[at] = c->seen[i];
    }
    free(c->seen);
    c->seen = seen;
    c->slots = slots;
  }
  hash += !hash;
  for (at = hash & (c->slots - 1); c->seen[at]; at = (at + 1) & (c->slots - 1))
    if (c->seen[at] == hash) return false;
  c->seen[at] = hash;
  c->used++;
  return true;
}

/* Every content that may be there: the steps that must have survived, then one more at a time. */
static unsigned
allowed_contents(content out[STEPS_MAX + 2], const cutter *c)
{
  unsigned n = 0;
  uint64_t steps = c->w->durability == QUAD_SYNC_FULL ? c->done : c->safe;
  out[n++] = world_expect(c->w, steps);
  for (unsigned i = 0; i < c->w->n_steps; i++) {
    uint64_t bit = UINT64_C(1) << i;
    if (!((c->done | c->running) & bit) || steps & bit) continue;
    steps |= bit;
    out[n++] = world_expect(c->w, steps);
  }
  return n;
}

static void
cut(cutter *c, disk_choice choice, uint64_t seed, size_t event)
{
  content allowed[STEPS_MAX + 2];
  verdict v;
  uint64_t hash = disk_choose(c->disk, choice, seed);
  c->points++;
  if (!is_new(c, hash ^ base_mix(c->done * 31 + c->running))) return;
  c->images++;
  unsigned n = allowed_contents(allowed, c);
  disk_write(c->disk, c->dir.store);
  if (world_verify(&v, c->dir.store, allowed, n)) return;
  c->failures++;
  if (c->may_fail) return;
  disk_write(c->disk, c->dir.store); /* as it was found */
  fail_msg("%s, event %zu, %s %llu: %s; kept in %s", c->w->name, event,
           choice == DISK_OLD   ? "all old"
           : choice == DISK_NEW ? "all new"
                                : "seed",
           (unsigned long long)seed, v.why, c->dir.store);
}

static void
follow(cutter *c, const fault_event *e)
{
  uint64_t what = e->at >> 32, bit = UINT64_C(1) << (e->at & 63);
  if (e->kind != FAULT_NOTE || what == NOTE_END) return;
  c->running = what == NOTE_BEGIN ? bit : 0;
  if (what != NOTE_DONE) return;
  c->done |= bit;
  if (c->w->steps[e->at & 63].kind != STEP_COMMIT) c->safe = c->done;
}

/* Run the workload, then go through its journal; sync events only when `synced`. */
static void
cut_everywhere(cutter *c, uint64_t seeds, bool synced)
{
  const workload *w = c->w;
  uint64_t changes = 0, first = world_number("QUOIN_SEED", 1);
  unsigned stride = getenv("QUOIN_CRASH_SEEDS") || !w->stride ? 1 : w->stride * SLOWER;
  fault_journal journal = {0};
  outcome out;
  c->safe = c->done = (UINT64_C(1) << w->crash) - 1;
  scratch_make(&c->dir);
  beginning *b = beginning_new(w, c->dir.store);
  beginning_put(b, c->dir.store);
  fault_begin(c->dir.store, &journal);
  world_run(&out, w, w->crash, w->n_steps, c->dir.store, base_alloc_default());
  (void)fault_end(NULL);
  assert_int_equal(out.done, (UINT64_C(1) << w->n_steps) - 1);
  c->disk = disk_new(&journal);
  for (size_t i = 0; i <= journal.n; i++) {
    bool end = i == journal.n;
    if (end || journal.events[i].kind == FAULT_CALL) {
      c->calls += !end;
      if (disk_changes(c->disk) != changes && (end || c->calls % stride == 0)) {
        changes = disk_changes(c->disk);
        cut(c, DISK_OLD, 0, i);
        cut(c, DISK_NEW, 0, i);
        for (uint64_t s = 0; s < seeds; s++)
          cut(c, DISK_MIXED, first * 1000003 + i * 1009 + s, i);
      }
    }
    if (end) break;
    if (synced || journal.events[i].kind != FAULT_SYNC) disk_apply(c->disk, &journal.events[i]);
    follow(c, &journal.events[i]);
  }
  disk_free(c->disk);
  fault_journal_clear(&journal);
  beginning_free(b);
  free(c->seen);
  scratch_remove(&c->dir);
}

static void
test_power__cut_after_every_call(void **state)
{
  cutter c = {.w = *state};
  cut_everywhere(&c, world_number("QUOIN_CRASH_SEEDS", SEEDS), true);
  printf("%s: %llu calls, %llu points tried, %llu different disks\n", c.w->name, c.calls, c.points,
         c.images);
}

/* If syncs did nothing, this test would say so. */
static void
test_power__unsynced_commits_are_missed(void **state)
{
  cutter c = {.w = *state, .may_fail = true};
  cut_everywhere(&c, 1, false);
  assert_true(c.failures > c.images / 4);
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
                                     .test_func = test_power__cut_after_every_call,
                                     .initial_state = (void *)(uintptr_t)&workloads[i]};
  }
  tests[n++] = (struct CMUnitTest){.name = "without syncs",
                                   .test_func = test_power__unsynced_commits_are_missed,
                                   .initial_state = (void *)(uintptr_t)&workloads[2]};
  return _cmocka_run_group_tests("power", tests, n, NULL, NULL);
}
