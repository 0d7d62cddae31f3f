/* Every call on stored data fails once: no space, an I/O error, half a read or write, half a write
 * and then an error. What was acknowledged stays, what failed is not half there, every failure says
 * what it was, and nothing is left open. After an error the power may go too.
 *
 * Every second call, with QUOIN_CRASH_SEEDS every one; QUOIN_CRASH_CALL: that one alone. */
#include "crash/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SEEDS = 1, STRIDE = 8 };
#else
enum { SEEDS = 1, STRIDE = 2 };
#endif

typedef struct point {
  const workload *w;
  uint64_t call;
  const char *name;
  fault_mode mode;
  const scratch *dir;
  uint64_t seeds;
} point;

typedef struct tally {
  unsigned long long points, failed, cuts;
} tally;

static void
wrong(const point *p, const char *when, const char *why)
{
  fail_msg("%s, call %llu (%s), %s, %s: %s; kept in %s", p->w->name, (unsigned long long)p->call,
           p->name, fault_mode_names[p->mode], when, why, p->dir->store);
}

/* What was done; and, since the store was poisoned then, perhaps what failed first. */
static unsigned
allowed_contents(content out[2], const workload *w, const outcome *o)
{
  out[0] = world_expect(w, o->done);
  if (!o->unknown) return 1;
  out[1] = world_expect(w, o->done | (o->unknown & (~o->unknown + 1)));
  return 2;
}

/* The power goes once all is over. What the failed sync covered may be lost. */
static void
cut_at_end(const point *p, const fault_journal *journal, const content *allowed, unsigned n,
           tally *t)
{
  disk *d = disk_new(journal);
  verdict v;
  for (size_t i = 0; i < journal->n; i++)
    disk_apply(d, &journal->events[i]);
  for (uint64_t s = 0; s <= p->seeds; s++) {
    (void)disk_choose(d, s ? DISK_MIXED : DISK_OLD, p->call * 1009 + s);
    disk_write(d, p->dir->store);
    t->cuts++;
    if (world_verify(&v, p->dir->store, allowed, n)) continue;
    disk_write(d, p->dir->store);
    wrong(p, s ? "power cut, mixed" : "power cut, all old", v.why);
  }
  disk_free(d);
}

static void
try_point(const point *p, const beginning *b, tally *t)
{
  bool cuts = (p->mode == FAULT_EIO || p->mode == FAULT_TORN) && !p->w->stride &&
              p->w->durability == QUAD_SYNC_FULL;
  fault_journal journal = {0};
  content allowed[2];
  outcome out;
  verdict v;
  bool struck;
  beginning_put(b, p->dir->store);
  fault_begin(p->dir->store, cuts ? &journal : NULL);
  fault_at(p->call, p->mode);
  world_run(&out, p->w, p->w->crash, p->w->n_steps, p->dir->store, base_alloc_default());
  (void)fault_end(&struck);
  held h = world_held(p->dir->store);
  uint64_t all = (UINT64_C(1) << p->w->n_steps) - 1;
  if (h.fds || h.maps) wrong(p, "afterwards", "descriptors or mappings are left");
  if (out.odd) wrong(p, "at once", out.message);
  if (p->mode == FAULT_SHORT && out.done != all) wrong(p, "at once", out.message);
  t->points += struck;
  t->failed += out.done != all;
  unsigned n = allowed_contents(allowed, p->w, &out);
  if (!world_verify(&v, p->dir->store, allowed, n)) wrong(p, "opened again", v.why);
  if (cuts) cut_at_end(p, &journal, allowed, n, t);
  fault_journal_clear(&journal);
}

static void
test_errors__at_every_call(void **state)
{
  const workload *w = *state;
  fault_journal journal = {0};
  scratch dir;
  outcome out;
  tally t = {0, 0, 0};
  const char *one = getenv("QUOIN_CRASH_CALL"); /* that call alone */
  unsigned stride = getenv("QUOIN_CRASH_SEEDS") ? 1 : STRIDE * (w->stride ? w->stride : 1);
  scratch_make(&dir);
  beginning *b = beginning_new(w, dir.store);
  beginning_put(b, dir.store);
  fault_begin(dir.store, &journal);
  world_run(&out, w, w->crash, w->n_steps, dir.store, base_alloc_default());
  (void)fault_end(NULL);
  point p = {.w = w, .dir = &dir, .seeds = world_number("QUOIN_CRASH_SEEDS", SEEDS)};
  for (size_t i = 0; i < journal.n; i++) {
    if (journal.events[i].kind != FAULT_CALL) continue;
    p.call++;
    p.name = journal.events[i].what;
    if (one ? strtoull(one, NULL, 10) != p.call : p.call % stride != 0) continue;
    for (unsigned m = FAULT_EIO; m < FAULT_MODES; m++) {
      p.mode = (fault_mode)m;
      if (fault_applies(p.mode, p.name)) try_point(&p, b, &t);
    }
  }
  printf("%s: %llu points tried, %llu made something fail, %llu power cuts after\n", w->name,
         t.points, t.failed, t.cuts);
  fault_journal_clear(&journal);
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
                                     .test_func = test_errors__at_every_call,
                                     .initial_state = (void *)(uintptr_t)&workloads[i]};
  }
  return _cmocka_run_group_tests("errors", tests, n, NULL, NULL);
}
