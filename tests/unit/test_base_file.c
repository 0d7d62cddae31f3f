/* Files, directories and mappings. */
#include "unit/test_base_support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct fixture {
  char path[64];
  base_dir dir;
} fixture;

static void
fixture_make(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  (void)snprintf(f->path, sizeof(f->path), "/tmp/quoin-base-XXXXXX");
  assert_non_null(mkdtemp(f->path));
  assert_ok(base_dir_open(&f->dir, f->path, &err));
}

static quoin_status
unlink_one(void *user, const char *name, quoin_error *err)
{
  return base_dir_unlink(user, name, err);
}

static void
fixture_remove(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  assert_ok(base_dir_list(&f->dir, unlink_one, &f->dir, &err));
  base_dir_close(&f->dir);
  assert_int_equal(rmdir(f->path), 0);
}

static void
test_file__reads_what_was_written(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  base_file file, again;
  char data[5000], back[5000];
  uint64_t size;
  fixture_make(&f);
  for (size_t i = 0; i < sizeof(data); i++)
    data[i] = (char)(i * 7);
  assert_ok(base_file_open(&file, &f.dir, "one", BASE_FILE_CREATE_NEW, &err));
  assert_ok(base_file_write(&file, data, sizeof(data), 100, &err));
  assert_ok(base_file_sync(&file, &err));
  base_file_writeback(&file, 0, 4096);
  assert_ok(base_file_size(&size, &file, &err));
  assert_int_equal(size, 5100);
  assert_ok(base_file_read(&file, back, sizeof(back), 100, &err));
  assert_memory_equal(data, back, sizeof(data));
  assert_int_equal(base_file_read(&file, back, sizeof(back), 200, &err), QUOIN_ERR_CORRUPT);
  assert_int_equal(err.offset, 5100);
  assert_int_equal(base_file_open(&again, &f.dir, "one", BASE_FILE_CREATE_NEW, &err),
                   QUOIN_ERR_EXISTS);
  assert_int_equal(base_file_open(&again, &f.dir, "two", BASE_FILE_READ, &err),
                   QUOIN_ERR_NOT_FOUND);
  assert_non_null(strstr(err.file, "/two"));
  assert_ok(base_file_open(&again, &f.dir, "one", BASE_FILE_READ, &err));
  assert_int_equal(base_file_write(&again, data, 1, 0, &err), QUOIN_ERR_IO);
  assert_true(fcntl(again.fd, F_GETFD) & FD_CLOEXEC);
  base_file_close(&again);
  base_file_close(&again);
  base_file_close(&file);
  fixture_remove(&f);
}

static void
test_file__extends_without_holes(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  base_file file;
  struct stat st;
  fixture_make(&f);
  assert_ok(base_file_open(&file, &f.dir, "one", BASE_FILE_CREATE_NEW, &err));
  assert_ok(base_file_extend(&file, 1 << 20, &err));
  assert_ok(base_file_extend(&file, 1000, &err));
  assert_int_equal(fstat(file.fd, &st), 0);
  assert_int_equal(st.st_size, 1 << 20);
  assert_true(st.st_blocks * 512 >= 1 << 20);
  assert_int_not_equal(base_file_extend(&file, UINT64_MAX, &err), QUOIN_OK);
  base_file_close(&file);
  fixture_remove(&f);
}

static void
test_file__locks_out_other_processes(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  base_file file;
  bool taken;
  fixture_make(&f);
  assert_ok(base_file_open(&file, &f.dir, "lock", BASE_FILE_CREATE_NEW, &err));
  assert_ok(base_file_lock(&taken, &file, &err));
  assert_true(taken);
  pid_t child = fork();
  if (child == 0) {
    base_file other;
    if (base_file_open(&other, &f.dir, "lock", BASE_FILE_WRITE, NULL)) _exit(2);
    if (base_file_lock(&taken, &other, NULL)) _exit(3);
    _exit(taken);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  base_file_close(&file);
  fixture_remove(&f);
}

/* A child between fork and exec has the descriptor, too: it must not keep the lock. */
static void
test_file__closing_unlocks_whoever_has_a_copy(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  base_file file;
  bool taken;
  fixture_make(&f);
  assert_ok(base_file_open(&file, &f.dir, "lock", BASE_FILE_CREATE_NEW, &err));
  assert_ok(base_file_lock(&taken, &file, &err));
  assert_true(taken);
  const int copy = dup(file.fd);
  base_file_close(&file);
  assert_ok(base_file_open(&file, &f.dir, "lock", BASE_FILE_WRITE, &err));
  assert_ok(base_file_lock(&taken, &file, &err));
  assert_true(taken);
  base_file_close(&file);
  assert_int_equal(close(copy), 0);
  fixture_remove(&f);
}

static quoin_status
count_one(void *user, const char *name, quoin_error *err)
{
  (void)name;
  (void)err;
  ++*(int *)user;
  return QUOIN_OK;
}

static quoin_status
stop_now(void *user, const char *name, quoin_error *err)
{
  (void)user;
  return base_fail(err, QUOIN_ERR_LIMIT, "stopped at %s", name);
}

static void
test_dir__lists_renames_and_removes(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  base_file file;
  int count = 0;
  uint64_t bytes;
  char path[96];
  fixture_make(&f);
  for (int i = 0; i < 10; i++) {
    char name[32];
    (void)snprintf(name, sizeof(name), "file-%d", i);
    assert_ok(base_file_open(&file, &f.dir, name, BASE_FILE_CREATE_NEW, &err));
    base_file_close(&file);
  }
  for (int i = 0; i < 2; i++)
    assert_ok(base_dir_list(&f.dir, count_one, &count, &err));
  assert_int_equal(count, 20);
  assert_int_equal(base_dir_list(&f.dir, stop_now, NULL, &err), QUOIN_ERR_LIMIT);
  assert_ok(base_dir_rename(&f.dir, "file-1", "file-2", &err));
  assert_false(base_dir_has(&f.dir, "file-1"));
  assert_true(base_dir_has(&f.dir, "file-2"));
  assert_int_equal(base_dir_unlink(&f.dir, "file-1", &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(base_dir_rename(&f.dir, "file-1", "x", &err), QUOIN_ERR_NOT_FOUND);
  assert_ok(base_dir_sync(&f.dir, &err));
  assert_ok(base_dir_free_bytes(&bytes, &f.dir, &err));
  assert_true(bytes > 0);
  assert_int_equal(base_dir_create(f.path, &err), QUOIN_ERR_EXISTS);
  (void)snprintf(path, sizeof(path), "%s/sub", f.path);
  assert_ok(base_dir_create(path, &err));
  assert_int_equal(rmdir(path), 0);
  fixture_remove(&f);
}

/* What readers hold stays where it is through a thousand growths, past the reservation too. */
static void
promise_c5_growth_moves_nothing_that_is_held(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  fixture f;
  base_file file;
  base_map map;
  enum { GROWTHS = 1000, STEP = 10000 };
  const char *held[GROWTHS];
  fixture_make(&f);
  assert_ok(base_file_open(&file, &f.dir, "map", BASE_FILE_CREATE_NEW, &err));
  assert_ok(base_map_open(&map, &file, 1 << 20, true, base_alloc_default(), &err));
  for (size_t i = 0; i < GROWTHS; i++) {
    assert_ok(base_map_grow(&map, &file, (i + 1) * STEP, &err));
    char *at = base_map_at(&map, i * STEP);
    memset(at, (int)(i & 127), STEP);
    held[i] = at;
    uint64_t size;
    assert_ok(base_file_size(&size, &file, &err));
    assert_true(atomic_load(&map.size) <= size);
  }
  assert_non_null(map.retired);
  for (size_t i = 0; i < GROWTHS; i++) {
    assert_int_equal(held[i][0], (int)(i & 127));
    assert_int_equal(held[i][STEP - 1], (int)(i & 127));
    assert_int_equal(*base_map_at(&map, i * STEP), (int)(i & 127));
  }
  assert_ok(base_map_sync(&map, &file, 5000, 100000, &err));
  assert_ok(base_map_sync(&map, &file, 0, SIZE_MAX, &err));
  base_map_close(&map);
  base_map_close(&map);
  char byte;
  assert_ok(base_file_read(&file, &byte, 1, 500 * STEP + 3, &err));
  assert_int_equal(byte, 500 & 127);
  assert_ok(base_map_open(&map, &file, 0, false, base_alloc_default(), &err));
  assert_int_equal(*base_map_at(&map, 500 * STEP), 500 & 127);
  base_map_close(&map);
  base_file_close(&file);
  fixture_remove(&f);
}

static void
test_map__survives_no_memory_when_it_moves(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_memory m = {.fail_at = 1};
  base_alloc mem = support_alloc(&m);
  fixture f;
  base_file file;
  base_map map;
  fixture_make(&f);
  assert_ok(base_file_open(&file, &f.dir, "map", BASE_FILE_CREATE_NEW, &err));
  assert_ok(base_map_open(&map, &file, 4096, true, &mem, &err));
  assert_ok(base_map_grow(&map, &file, 4096, &err));
  *base_map_at(&map, 9) = 9;
  assert_int_equal(base_map_grow(&map, &file, 5000, &err), QUOIN_ERR_NOMEM);
  assert_int_equal(atomic_load(&map.size), 4096);
  assert_ok(base_map_grow(&map, &file, 5000, &err));
  assert_int_equal(*base_map_at(&map, 9), 9);
  base_map_close(&map);
  assert_int_equal(m.bytes, 0);
  base_file_close(&file);
  fixture_remove(&f);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_file__reads_what_was_written),
      cmocka_unit_test(test_file__extends_without_holes),
      cmocka_unit_test(test_file__locks_out_other_processes),
      cmocka_unit_test(test_file__closing_unlocks_whoever_has_a_copy),
      cmocka_unit_test(test_dir__lists_renames_and_removes),
      cmocka_unit_test(promise_c5_growth_moves_nothing_that_is_held),
      cmocka_unit_test(test_map__survives_no_memory_when_it_moves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
