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

/* ---- restoring -------------------------------------------------------------------------------
 */

enum { RESTORED = 40 };

/* Restore into a fresh pool at `d`, with a journal of the directory `watched`. */
static void
restore_once(const support_dir *d, const char *backup, const char *watched, fault_journal *journal)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const pool_options options = {.store = {.inline_maintenance = true}};
  pool *p;
  pool_dir_drop(d);
  assert_int_equal(mkdir(d->path, 0777), 0);
  prepare(d);
  fault_begin(watched, journal);
  assert_ok(pool_open(&p, d->path, &options, MEM, &err));
  assert_ok(pool_restore(p, "c", backup, NULL, &err));
  fault_note(1);
  pool_close(p);
  (void)fault_end(NULL);
}

/* The next call, or note, of the journal from *at on; false at its end. */
static bool
next_call(disk *power, const fault_journal *journal, size_t *at, bool *done)
{
  while (*at < journal->n) {
    const fault_event *e = &journal->events[(*at)++];
    disk_apply(power, e);
    *done |= e->kind == FAULT_NOTE;
    if (e->kind == FAULT_CALL || e->kind == FAULT_NOTE) return true;
  }
  return false;
}

/* The pool opens, and has the store whole or not at all. */
static bool
verify_restored(const support_dir *d, const char *store, bool done, unsigned long call)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool *p;
  if (pool_open(&p, d->path, NULL, MEM, &err)) fail_msg("call %lu: %s", call, err.message);
  listing l = {""};
  assert_ok(pool_list(p, list_one, &l, &err));
  bool named = !strcmp(l.text, "a* b c");
  if (!named && (done || strcmp(l.text, "a* b"))) fail_msg("call %lu: '%s'", call, l.text);
  if (named) {
    pool_store *s;
    if (pool_acquire(&s, p, "c", &err)) fail_msg("call %lu: %s", call, err.message);
    assert_int_equal(quads_in(pool_store_quads(s)), RESTORED);
    if (quad_store_check(pool_store_quads(s), NULL, NULL, NULL, &err))
      fail_msg("call %lu: %s: %s", call, err.file, err.message);
    assert_ok(pool_store_release(s, &err));
  } else if (!access(store, F_OK)) {
    fail_msg("call %lu: the directory is left over", call);
  }
  pool_close(p);
  return named;
}

/* Two directories take part. The calls are the same each time, so what either may hold after a
 * call comes from a journal of its own. */
static void
promise_m7_the_power_is_cut_while_a_store_is_restored(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fault_journal names = {0}, files = {0};
  support_dir d, beside;
  char backup[200], store[200];
  size_t at[2] = {0, 0};
  bool done = false, named = false;
  unsigned images = 0;
  unsigned long call = 0;
  quad_store *source;
  (void)state;

  support_dir_make(&d);
  support_dir_make(&beside);
  (void)snprintf(backup, sizeof backup, "%s/backup", beside.path);
  (void)snprintf(store, sizeof store, "%s/store-3", d.path);
  const quad_store_options options = {.create = true, .inline_maintenance = true};
  assert_ok(quad_store_open(&source, backup, &options, MEM, &err));
  change_numbers(source, 0, RESTORED, false);
  assert_ok(quad_store_close(source, &err));
  restore_once(&d, backup, d.path, &names);
  restore_once(&d, backup, store, &files);
  disk *outer = disk_new(&names), *inner = disk_new(&files);
  for (;; call++) {
    bool more = next_call(outer, &names, &at[0], &done);
    assert_int_equal(next_call(inner, &files, &at[1], &done), more);
    if (!more) break;
    for (unsigned k = 0; k < MIXTURES + 2; k++, images++) {
      disk_choice choice = k == 0 ? DISK_OLD : k == 1 ? DISK_NEW : DISK_MIXED;
      (void)disk_choose(outer, choice, call * 101 + k);
      (void)disk_choose(inner, choice, call * 103 + k);
      disk_remove(store);
      disk_write(outer, d.path);
      disk_write(inner, store);
      named |= verify_restored(&d, store, done, call);
    }
  }
  assert_true(done && named);
  print_message("%lu calls, %u disks\n", call, images);
  disk_free(outer);
  disk_free(inner);
  fault_journal_clear(&names);
  fault_journal_clear(&files);
  pool_dir_drop(&d);
  pool_dir_drop(&beside);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m7_the_power_is_cut_after_every_call),
      cmocka_unit_test(promise_m7_the_power_is_cut_while_a_store_is_restored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
