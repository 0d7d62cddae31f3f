/* A result of a million rows goes out in every format in memory that does not grow with it. */
#include "api/fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Under a sanitizer freed memory is kept for a while, and all is slow: a tenth, and no look at the
 * process. */
enum { SIDE = SANITIZED ? 316 : 1000, ROWS = SIDE * SIDE, MEMORY = 32 << 20 };

static quoin_status
count_bytes(void *user, const void *data, size_t len, quoin_error *err)
{
  (void)data, (void)err;
  *(uint64_t *)user += len;
  return QUOIN_OK;
}

/* KiB of memory that the process has at the most since the last reset. */
static long
peak_memory(void)
{
  char line[256];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  if (!file) return -1;
  while (fgets(line, sizeof(line), file))
    if (sscanf(line, "VmHWM: %ld", &kib) == 1) break;
  fclose(file);
  return kib;
}

/* False where the kernel does not let the mark be reset. */
static bool
reset_peak(void)
{
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (!file) return false;
  const bool written = fputs("5", file) >= 0;
  return (fclose(file) == 0) && written;
}

static void
fill(fixture *f)
{
  char *data = malloc((size_t)SIDE * 200), *at = data;
  assert_non_null(data);
  for (unsigned i = 0; i < SIDE; i++)
    at += sprintf(at,
                  "<http://example.org/left/%u> <p:> \"a name of some length, number %u\" .\n"
                  "<http://example.org/right/%u> <q:> %u .\n",
                  i, i, i, i * 7);
  load_text(f, QUOIN_TURTLE, data);
  free(data);
}

/* `growth`: KiB at most. A CONSTRUCT gives each triple once, so it keeps them up to its budget. */
static void
stream(fixture *f, const char *query, quoin_results format, const char *name, long growth)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor = NULL;
  uint64_t rows = 0, bytes = 0;

  options.memory_bytes = MEMORY;
  const bool measured = reset_peak();
  const long before = peak_memory();
  good(quoin_query(&cursor, f->store, text(query), &options, &err), &err);
  good(quoin_cursor_write(&rows, cursor, format, count_bytes, &bytes, &err), &err);
  quoin_cursor_close(cursor);
  const long grown = peak_memory() - before;
  print_message("%-5s %llu rows, %llu bytes, peak %ld KiB, %ld KiB more than before\n", name,
                (unsigned long long)rows, (unsigned long long)bytes, before + grown, grown);
  assert_int_equal(rows, ROWS);
  assert_true(bytes > (uint64_t)ROWS * 20);
  if (measured && !SANITIZED) assert_true(grown < growth);
}

static void
test_stream__a_million_rows_in_constant_memory(void **state)
{
  static const char select[] = "SELECT ?a ?n ?b ?m { ?a <p:> ?n . ?b <q:> ?m }";
  static const char construct[] = "CONSTRUCT { ?a <r:> ?b } { ?a <p:> ?n . ?b <q:> ?m }";
  fixture *f = *state;

  fill(f);
  stream(f, select, QUOIN_RESULTS_JSON, "json", 4 << 10);
  stream(f, select, QUOIN_RESULTS_XML, "xml", 4 << 10);
  stream(f, select, QUOIN_RESULTS_CSV, "csv", 4 << 10);
  stream(f, select, QUOIN_RESULTS_TSV, "tsv", 4 << 10);
  stream(f, select, QUOIN_RESULTS_TABLE, "table", 4 << 10);
  stream(f, construct, QUOIN_RESULTS_NTRIPLES, "nt", MEMORY >> 10);
  stream(f, construct, QUOIN_RESULTS_TURTLE, "ttl", MEMORY >> 10);
  stream(f, construct, QUOIN_RESULTS_NQUADS, "nq", MEMORY >> 10);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_stream__a_million_rows_in_constant_memory, setup,
                                      teardown),
  };
  return cmocka_run_group_tests_name("api.stream", tests, NULL, NULL);
}
