/* The power is cut after every call of a backup: what is a store there then is the whole backup,
 * and once the call returned it is there. */
#include "crash/disk.h"
#include "unit/test_quadstore_text.h"

enum { MIXTURES = 4, QUADS = 60 };

static uint64_t
quads_in(quad_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_stats stats;
  assert_ok(quad_store_stats(&stats, store, &err));
  return stats.default_quads + stats.named_quads;
}

static void
verify(const disk *image, const char *path, bool done, size_t event)
{
  const quad_store_options options = {.read_only = true};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;

  disk_remove(path);
  disk_write(image, path);
  quoin_status st = quad_store_open(&store, path, &options, MEM, &err);
  if (st && !done && (st == QUOIN_ERR_NOT_FOUND || st == QUOIN_ERR_CORRUPT)) return;
  if (st) fail_msg("event %zu: %s: %s", event, err.file, err.message);
  if (quads_in(store) != QUADS) fail_msg("event %zu: %d quads", event, (int)quads_in(store));
  if (quad_store_check(store, NULL, NULL, NULL, &err))
    fail_msg("event %zu: %s: %s", event, err.file, err.message);
  assert_ok(quad_store_close(store, &err));
}

/* Runs on the disk, and others in memory. */
static quad_store *
make_source(const char *path)
{
  const quad_store_options options = {.create = true, .inline_maintenance = true};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;
  assert_ok(quad_store_open(&store, path, &options, MEM, &err));
  change_numbers(store, 0, QUADS - 20, false);
  assert_ok(quad_checkpoint(store, &err));
  change_numbers(store, QUADS - 20, QUADS, false);
  return store;
}

static void
test_backup__the_power_is_cut_after_every_call(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  fault_journal journal = {0};
  char source[200], target[200];
  support_dir d;
  bool done = false;
  unsigned images = 0, stores = 0;
  (void)state;

  support_dir_make(&d);
  (void)snprintf(source, sizeof source, "%s/source", d.path);
  (void)snprintf(target, sizeof target, "%s/target", d.path);
  quad_store *store = make_source(source);
  fault_begin(target, &journal);
  assert_ok(quad_store_backup(store, target, NULL, &err));
  fault_note(1);
  (void)fault_end(NULL);
  assert_ok(quad_store_close(store, &err));

  disk *power = disk_new(&journal);
  for (size_t i = 0; i < journal.n; i++) {
    const fault_event *e = &journal.events[i];
    disk_apply(power, e);
    done |= e->kind == FAULT_NOTE;
    if (e->kind != FAULT_CALL && e->kind != FAULT_NOTE) continue;
    for (unsigned k = 0; k < MIXTURES + 2; k++, images++) {
      (void)disk_choose(power, k == 0 ? DISK_OLD : k == 1 ? DISK_NEW : DISK_MIXED, i * 101 + k);
      verify(power, target, done, i);
    }
    stores += done;
  }
  assert_int_equal(stores, 1);
  print_message("%zu events, %u disks\n", journal.n, images);
  disk_free(power);
  fault_journal_clear(&journal);
  char command[200];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", d.path);
  assert_int_equal(system(command), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_backup__the_power_is_cut_after_every_call),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
