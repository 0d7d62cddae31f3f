/* What a large load takes of memory, mapped pages included: no more than it was told. */
#include "load/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* they take memory of their own for each byte */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Beside the budget: the process, and the first 100,000 statements, which are held until it is
 * known whether the load is a small one. */
enum { BUDGET_MB = 48, BESIDE_MB = 40, STATEMENTS = SANITIZED ? 120000 : 800000 };

/* Half of the subjects come again much later, so that old texts are read, too. */
static void
write_input(const char *path)
{
  FILE *out = fopen(path, "w");
  assert_non_null(out);
  for (unsigned i = 0; i < STATEMENTS; i++)
    fprintf(out,
            "<http://example.org/things/of/some/length/%u> <http://example.org/p%u> \"a text that "
            "is long enough to take its place in memory, and is number %u\" .\n",
            i % 2 ? i : i * 7919u % STATEMENTS, i % 11, i * 2654435761u);
  assert_int_equal(fclose(out), 0);
}

/* In a process of its own. Returns the most that was resident, in MB. */
static int
load_in_child(const char *dir, const char *input, unsigned threads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options create = {.create = true};
  const base_alloc *mem = base_alloc_default();
  load_options options = {.read.format = RDFIO_NTRIPLES,
                          .read.threads = threads,
                          .memory_bytes = (uint64_t)BUDGET_MB << 20};
  load_result result;
  rdfio_source *source = NULL;
  quad_store *store = NULL;
  struct rusage used;

  if (quad_store_open(&store, dir, &create, mem, &err) ||
      rdfio_source_open(&source, input, mem, &err) ||
      load_sources(&result, store, &source, 1, &options, mem, &err) ||
      result.statements != STATEMENTS) {
    fprintf(stderr, "%s\n", err.message);
    return 255;
  }
  rdfio_source_close(source);
  if (getrusage(RUSAGE_SELF, &used)) return 255;
  if (quad_store_check(store, NULL, NULL, NULL, &err) || quad_store_close(store, &err)) return 255;
  long megabytes = used.ru_maxrss >> 10;
  return megabytes < 254 ? (int)megabytes : 254;
}

static void
test_load__stays_within_its_memory(void **state)
{
  char dir[] = "/tmp/quoin-load-XXXXXX", path[64], input[64], command[96];
  (void)state;

  assert_non_null(mkdtemp(dir));
  snprintf(input, sizeof input, "%s/input.nt", dir);
  write_input(input);
  for (unsigned threads = 1; threads <= 2; threads++) {
    int status;
    snprintf(path, sizeof path, "%s/store%u", dir, threads);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) _exit(load_in_child(path, input, threads));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 255);
    print_message("%u threads: %d MB of %d\n", threads, WEXITSTATUS(status), BUDGET_MB);
    if (!SANITIZED) assert_in_range(WEXITSTATUS(status), 1, BUDGET_MB + BESIDE_MB);
  }
  snprintf(command, sizeof command, "cmp %s/store1/run-1 %s/store2/run-1", dir, dir);
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, "rm -rf %s", dir);
  assert_int_equal(system(command), 0);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_load__stays_within_its_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
