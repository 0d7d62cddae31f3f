/* tests/unit/test_rdfio_data.c - real files: as many statements as serd and pyoxigraph count. */
#include "unit/test_rdfio_util.h"

#include <unistd.h>

enum { SKIPPED = 77 };

static quoin_status
count_sink(void *user, const rdfio_quad *quads, size_t n, quoin_error *err)
{
  (void)err;
  for (size_t i = 0; i < n; i++)
    assert_true(quads[i].term[0].kind != RDF_NONE && quads[i].term[2].kind != RDF_NONE);
  *(uint64_t *)user += n;
  return QUOIN_OK;
}

static void
expect_statements(const char *file, uint64_t expected)
{
  char path[1024];
  rdfio_source *source = NULL;
  rdfio_read_options options = {0};
  rdfio_read_result result;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0, start = base_clock_ns();
  snprintf(path, sizeof(path), "%s/data/%s", getenv("QUOIN_SHARED"), file);
  assert_int_equal(rdfio_source_open(&source, path, base_alloc_default(), &err), QUOIN_OK);
  quoin_status st =
      rdfio_read(&result, source, &options, count_sink, &n, base_alloc_default(), &err);
  if (st) print_error("%s:%llu: %s\n", path, (unsigned long long)err.line, err.message);
  assert_int_equal(st, QUOIN_OK);
  assert_int_equal(n, expected);
  assert_int_equal(result.statements, expected);
  double seconds = (double)(base_clock_ns() - start) / 1e9;
  print_message("%s: %llu statements, %.0f MB/s\n", file, (unsigned long long)n,
                (double)result.bytes / 1e6 / seconds);
  rdfio_source_close(source);
}

static void
test_data__counts_are_those_of_other_readers(void **state)
{
  (void)state;
  expect_statements("qudt/SCHEMA_QUDT.ttl", 2153);
  expect_statements("qudt/VOCAB_QUDT-CONSTANTS.ttl", 5789);
  expect_statements("qudt/VOCAB_QUDT-QUANTITY-KINDS-ALL.ttl", 13830);
  expect_statements("qudt/VOCAB_QUDT-UNITS-ALL.ttl", 60475);
  expect_statements("dbpedia-music.ttl.gz", 41099);
  expect_statements("schemaorg-releases.nq.zst", 766284);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_data__counts_are_those_of_other_readers),
  };
  const char *shared = getenv("QUOIN_SHARED");
  char path[1024];
  snprintf(path, sizeof(path), "%s/data/dbpedia-music.ttl.gz", shared ? shared : "");
  if (!shared || access(path, R_OK) != 0) {
    printf("skipped: QUOIN_SHARED names no folder with data/\n");
    return SKIPPED;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
