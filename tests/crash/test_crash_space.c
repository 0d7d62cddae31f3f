/* The disk becomes full while a large load goes on, at this call or that: the load fails, says how
 * much it needs and how much there is, and the store is as it was. */
#include "crash/fault.h"
#include "crash/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TRIPLES = 101000, POINTS = 10 };

static quoin_status
load(quad_store *store, const char *path, quoin_error *err)
{
  const base_alloc *mem = base_alloc_default();
  load_options options = {.read = {.format = RDFIO_NTRIPLES, .threads = 2}};
  load_result result;
  rdfio_source *source;
  quoin_status st = rdfio_source_open(&source, path, mem, err);

  if (st) return st;
  st = load_sources(&result, store, &source, 1, &options, mem, err);
  rdfio_source_close(source);
  return st;
}

static void
write_text(const char *path)
{
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  for (unsigned i = 0; i < TRIPLES; i++)
    (void)fprintf(f, "<http://example.org/%u> <http://example.org/p> \"number %u\" .\n", i / 4, i);
  assert_int_equal(fclose(f), 0);
}

/* The load with ENOSPC at a call, 0: at none; the calls that there were. */
static uint64_t
try_load(const char *text, uint64_t at, uint64_t *explained)
{
  const quad_store_options options = {.create = true};
  quoin_error err = QUOIN_ERROR_INIT, ignored = QUOIN_ERROR_INIT;
  quad_store *store;
  scratch dir;
  bool struck;

  scratch_make(&dir);
  assert_int_equal(quad_store_open(&store, dir.store, &options, base_alloc_default(), &err), 0);
  fault_begin(dir.store, NULL);
  fault_at(at, at ? FAULT_ENOSPC : FAULT_NONE);
  quoin_status st = load(store, text, &err);
  uint64_t calls = fault_end(&struck);
  if (!at) assert_int_equal(st, QUOIN_OK);
  if (st) {
    assert_int_equal(st, QUOIN_ERR_NO_SPACE);
    assert_int_not_equal(err.os_errno, 0);
    *explained += strstr(err.message, "the load needs about ") && strstr(err.message, "are free") &&
                  strstr(err.message, "are missing");
    if (!strstr(err.message, "are missing") && !strstr(err.file, "manifest"))
      fail_msg("call %llu: %s: %s", (unsigned long long)at, err.file, err.message);
  }
  assert_int_equal(quad_store_close(store, &ignored), 0);
  scratch_remove(&dir);
  return calls;
}

static void
test_space__a_load_says_how_much_is_missing(void **state)
{
  (void)state;
  uint64_t explained = 0;
  scratch text;
  char path[100];

  scratch_make(&text);
  (void)snprintf(path, sizeof path, "%s/text.nt", text.root);
  write_text(path);
  uint64_t calls = try_load(path, 0, &explained);
  assert_true(calls > POINTS);
  for (uint64_t i = 0; i < POINTS; i++)
    (void)try_load(path, 1 + i * (calls - 1) / POINTS, &explained);
  assert_true(explained >= POINTS / 2);
  (void)remove(path);
  scratch_remove(&text);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_space__a_load_says_how_much_is_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
