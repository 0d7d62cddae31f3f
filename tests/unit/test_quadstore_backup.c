/* Backups: another store with the same content, whatever happens to either. */
#include "unit/test_quadstore_text.h"

#include <pthread.h>

static void
path_in(char out[200], const support_dir *d, const char *name)
{
  (void)snprintf(out, 200, "%s/%s", d->path, name);
}

static quad_store *
open_at(const char *path, bool read_only)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options options = {
      .create = true, .read_only = read_only, .durability = QUAD_SYNC_OFF};
  quad_store *store;
  assert_ok(quad_store_open(&store, path, &options, MEM, &err));
  return store;
}

static void
drop(const support_dir *d)
{
  char command[200];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", d->path);
  assert_int_equal(system(command), 0);
}

/* Every byte of the files in a directory. */
static uint64_t
dir_hash(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;
  uint64_t sum = 0;
  assert_non_null(dir);
  while ((e = readdir(dir))) {
    char full[600], data[4096];
    size_t n;
    uint64_t h;
    if (e->d_name[0] == '.') continue;
    (void)snprintf(full, sizeof full, "%s/%s", path, e->d_name);
    FILE *f = fopen(full, "rb");
    assert_non_null(f);
    h = base_hash(e->d_name, strlen(e->d_name));
    while ((n = fread(data, 1, sizeof data, f)))
      h = base_hash_seed(data, n, h);
    fclose(f);
    sum += h;
  }
  closedir(dir);
  return sum;
}

static void
test_backup__has_the_content_and_a_life_of_its_own(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  char one[200], two[200], three[200];
  (void)state;

  support_dir_make(&d);
  path_in(one, &d, "one");
  path_in(two, &d, "two");
  path_in(three, &d, "three");
  quad_store *store = open_at(one, false);
  change_numbers(store, 0, 2000, false);
  assert_ok(quad_checkpoint(store, &err));
  change_numbers(store, 500, 900, true); /* tombstones, in memory */
  change_numbers(store, 2000, 2300, false);
  text expected = store_text(store);
  assert_ok(quad_store_backup(store, two, NULL, &err));
  uint64_t before = dir_hash(two);
  assert_store(store, &expected);

  /* the one goes on: the other stays as it is, byte for byte */
  change_numbers(store, 0, 300, true);
  assert_ok(quad_checkpoint(store, &err));
  assert_ok(quad_store_compact(store, 0, NULL, &err));
  assert_ok(quad_store_clear(store, &err));
  change_numbers(store, 9000, 9100, false);
  store_close(store);
  assert_true(dir_hash(two) == before);

  /* and the other way round */
  before = dir_hash(one);
  quad_store *copy = open_at(two, false);
  assert_store(copy, &expected);
  change_numbers(copy, 3000, 3100, false);
  assert_ok(quad_store_compact(copy, 0, NULL, &err));
  text more = store_text(copy);
  assert_ok(quad_store_backup(copy, three, NULL, &err)); /* a backup of a backup */
  store_close(copy);
  assert_true(dir_hash(one) == before);
  copy = open_at(three, true);
  assert_store(copy, &more);
  store_close(copy);
  text_free(&expected);
  text_free(&more);
  drop(&d);
}

/* From a process that only reads: what the log says is in the backup. */
static void
test_backup__of_a_store_that_another_process_writes(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  char one[200], two[200];
  (void)state;

  support_dir_make(&d);
  path_in(one, &d, "one");
  path_in(two, &d, "two");
  quad_store *writer = open_at(one, false);
  change_numbers(writer, 0, 500, false);
  assert_ok(quad_checkpoint(writer, &err));
  change_numbers(writer, 500, 700, false); /* in the log, with terms */
  change_numbers(writer, 0, 50, true);
  quad_store *reader = open_at(one, true); /* as another process would */
  text expected = store_text(reader);
  assert_int_equal(expected.n, 650);
  change_numbers(writer, 700, 800, false);
  assert_ok(quad_checkpoint(writer, &err));
  assert_ok(quad_store_compact(writer, 0, NULL, &err)); /* the reader's files are unlinked */
  assert_ok(quad_store_backup(reader, two, NULL, &err));
  store_close(reader);
  quad_store *copy = open_at(two, false);
  assert_store(copy, &expected);
  change_numbers(copy, 5000, 5100, false);
  store_close(copy);
  store_close(writer);
  text_free(&expected);
  drop(&d);
}

static void
test_backup__of_nothing(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  char one[200], two[200];
  text none = {NULL, 0, 0};
  (void)state;

  support_dir_make(&d);
  path_in(one, &d, "one");
  path_in(two, &d, "two");
  quad_store *store = open_at(one, false);
  assert_ok(quad_store_backup(store, two, NULL, &err));
  store_close(store);
  store = open_at(two, false);
  assert_store(store, &none);
  change_numbers(store, 0, 10, false);
  store_close(store);
  drop(&d);
}

static void
test_backup__refusals_leave_nothing(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  char one[200], two[200];
  atomic_int flag = 1;
  base_cancel cancel = {.flag = &flag};
  (void)state;

  support_dir_make(&d);
  path_in(one, &d, "one");
  path_in(two, &d, "two");
  quad_store *store = open_at(one, false);
  change_numbers(store, 0, 100, false);
  assert_int_equal(quad_store_backup(store, one, NULL, &err), QUOIN_ERR_EXISTS);
  assert_int_equal(quad_store_backup(store, d.path, NULL, &err), QUOIN_ERR_EXISTS);
  assert_int_equal(quad_store_backup(store, two, &cancel, &err), QUOIN_ERR_CANCELLED);
  assert_int_not_equal(access(two, F_OK), 0);
  assert_int_equal(mkdir(two, 0777), 0);
  assert_int_equal(quad_store_backup(store, two, &cancel, &err), QUOIN_ERR_CANCELLED);
  assert_int_equal(rmdir(two), 0); /* it is empty */
  assert_ok(quad_store_backup(store, two, NULL, &err));
  store_close(store);
  drop(&d);
}

/* ---- beside a writing thread ----------------------------------------------------------------- */

typedef struct writing {
  quad_store *store;
  atomic_int *stop;
} writing;

enum { PAIR = 10 };

/* Each commit adds PAIR quads and removes as many: there are always 100 * PAIR. */
static void *
write_on(void *user)
{
  writing *w = user;
  for (unsigned i = 0; !atomic_load(w->stop); i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_txn *txn;
    assert_ok(quad_txn_begin(&txn, w->store, &err));
    for (unsigned n = i * PAIR; n < (i + 1) * PAIR; n++) {
      txn_remove_number(txn, n);
      txn_add_number(txn, n + 100 * PAIR);
    }
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
    if (i % 40 == 39) assert_ok(quad_checkpoint(w->store, &err));
    if (i % 200 == 199) assert_ok(quad_store_compact(w->store, 0, NULL, &err));
  }
  return NULL;
}

/* A whole number of commits: an unbroken stretch of numbers that begins at a multiple of PAIR. */
static void
assert_consistent(const char *path)
{
  quad_store *store = open_at(path, true);
  text there = store_text(store), expected = {NULL, 0, 0};
  uint64_t version;
  quoin_error err = QUOIN_ERROR_INIT;
  quad_stats stats;
  assert_ok(quad_store_stats(&stats, store, &err));
  version = stats.modification;
  assert_int_equal(there.n, 100 * PAIR);
  /* one of the states: the first object number tells which; search for it */
  for (unsigned from = 0;; from += PAIR) {
    bool same;
    for (unsigned n = from; n < from + 100 * PAIR; n++)
      text_add_number(&expected, n);
    text_sort(&expected);
    same = text_equal(&there, &expected);
    text_free(&expected);
    if (same) break;
    if (from > version * PAIR + 1000) fail_msg("the backup is of no moment");
  }
  text_free(&there);
  store_close(store);
}

static void
test_backup__is_of_one_moment_while_a_thread_writes(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  char one[200], two[200];
  pthread_t thread;
  atomic_int stop = 0;
  (void)state;

  support_dir_make(&d);
  path_in(one, &d, "one");
  quad_store *store = open_at(one, false);
  change_numbers(store, 0, 100 * PAIR, false);
  writing w = {store, &stop};
  assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
  for (unsigned i = 0; i < 6; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "copy%u", i);
    path_in(two, &d, name);
    assert_ok(quad_store_backup(store, two, NULL, &err));
  }
  atomic_store(&stop, 1);
  assert_int_equal(pthread_join(thread, NULL), 0);
  store_close(store);
  for (unsigned i = 0; i < 6; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "copy%u", i);
    path_in(two, &d, name);
    assert_consistent(two);
  }
  drop(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_backup__has_the_content_and_a_life_of_its_own),
      cmocka_unit_test(test_backup__of_a_store_that_another_process_writes),
      cmocka_unit_test(test_backup__of_nothing),
      cmocka_unit_test(test_backup__refusals_leave_nothing),
      cmocka_unit_test(test_backup__is_of_one_moment_while_a_thread_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
