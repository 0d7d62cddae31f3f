/* The power is cut after every call on the file that describes a pool: whatever the disk may hold
 * then, the pool opens and says what it said before the change in progress, or after it; and a
 * change that returned is there. */
#include "crash/disk.h"
#include "unit/test_pool_support.h"

enum { MIXTURES = 8, CHANGES = 6 };

/* "a*:1 b:2 budget 5" */
typedef struct said {
  char text[200];
} said;

static quoin_status
say_entry(void *user, const pool_entry *e, quoin_error *err)
{
  said *s = user;
  size_t len = strlen(s->text);
  (void)err;
  (void)snprintf(s->text + len, sizeof s->text - len, "%s%s:%llu ", e->name, e->active ? "*" : "",
                 (unsigned long long)e->id);
  return QUOIN_OK;
}

static said
what_it_says(pool *p)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_usage usage;
  said s = {""};
  assert_ok(pool_list(p, say_entry, &s, &err));
  assert_ok(pool_get_usage(&usage, p, &err));
  size_t len = strlen(s.text);
  (void)snprintf(s.text + len, sizeof s.text - len, "budget %llu",
                 (unsigned long long)usage.budget);
  return s;
}

static quoin_status
change(pool *p, unsigned n, quoin_error *err)
{
  switch (n % 3) {
  case 0:
    return pool_switch(p, "a", "b", err);
  case 1:
    return pool_activate(p, n % 2 ? "b" : "a", err);
  default:
    return pool_set_budget(p, (n + 1) * UINT64_C(1000000), err);
  }
}

/* A pool of two names; no store is looked at. */
static void
prepare(const support_dir *d)
{
  char path[300];
  (void)snprintf(path, sizeof path, "%s/pool.json", d->path);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs("{\"format\": 1, \"generation\": 1, \"next\": 3, \"active\": \"a\", "
        "\"stores\": {\"a\": \"store-1\", \"b\": \"store-2\"}}\n",
        f);
  assert_int_equal(fclose(f), 0);
}

/* Does what the disk holds say this, or that? */
static void
verify(const disk *image, const support_dir *d, const said *before, const said *after, size_t event)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool *p;
  disk_write(image, d->path);
  if (pool_open(&p, d->path, NULL, MEM, &err)) fail_msg("event %zu: %s", event, err.message);
  const said now = what_it_says(p);
  if (strcmp(now.text, before->text) && strcmp(now.text, after->text))
    fail_msg("event %zu: '%s', not '%s' or '%s'", event, now.text, before->text, after->text);
  pool_close(p);
}

static void
promise_m7_the_power_is_cut_after_every_call(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fault_journal journal = {0};
  support_dir d;
  said says[CHANGES + 1];
  unsigned begun = 0, done = 0, images = 0;
  pool *p;
  (void)state;

  support_dir_make(&d);
  prepare(&d);
  fault_begin(d.path, &journal);
  assert_ok(pool_open(&p, d.path, NULL, MEM, &err));
  says[0] = what_it_says(p);
  for (unsigned n = 0; n < CHANGES; n++) {
    fault_note(0);
    assert_ok(change(p, n, &err));
    fault_note(1);
    says[n + 1] = what_it_says(p);
  }
  pool_close(p);
  (void)fault_end(NULL);

  disk *power = disk_new(&journal);
  for (size_t i = 0; i < journal.n; i++) {
    const fault_event *e = &journal.events[i];
    disk_apply(power, e);
    if (e->kind == FAULT_NOTE && !e->at) begun++;
    if (e->kind == FAULT_NOTE && e->at) done++;
    if (e->kind != FAULT_CALL && e->kind != FAULT_NOTE) continue;
    for (unsigned k = 0; k < MIXTURES + 2; k++, images++) {
      (void)disk_choose(power, k == 0 ? DISK_OLD : k == 1 ? DISK_NEW : DISK_MIXED, i * 101 + k);
      verify(power, &d, &says[done], &says[begun], i);
    }
  }
  assert_int_equal(done, CHANGES);
  print_message("%zu events, %u disks\n", journal.n, images);
  assert_true(images > 300);
  disk_free(power);
  fault_journal_clear(&journal);
  pool_dir_drop(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m7_the_power_is_cut_after_every_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
