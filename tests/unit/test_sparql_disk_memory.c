/* Blocks that an allocator has put into a mapped file hold what was written there, whatever is
 * allocated, grown and released around them. */
#include "sparql/memory/disk_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BLOCKS = 40, STEPS = 4000, BUDGET = 1 << 20 };

typedef struct block {
  unsigned char *at;
  size_t size;
  uint64_t mark;
} block;

static size_t
size_of(uint64_t random)
{
  unsigned bits = (unsigned)(random % 19); /* up to half a megabyte */
  return 1 + (size_t)(random >> 8) % ((size_t)2 << bits);
}

static void
fill(block *b, size_t from)
{
  for (size_t i = from; i < b->size; i++)
    b->at[i] = (unsigned char)(base_mix(b->mark + i) & 255);
}

static void
expect(const block *b, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (b->at[i] != (unsigned char)(base_mix(b->mark + i) & 255)) fail_msg("byte %zu differs", i);
}

static void
test_disk_memory__keeps_what_is_written(void **state)
{
  const char *given = getenv("QUOIN_SEED");
  uint64_t random = given ? strtoull(given, NULL, 10) : 1;
  sparql_query query = {0};
  const sparql_run_options options = {.memory_bytes = BUDGET};
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_context ctx;
  disk_memory *memory;
  block blocks[BLOCKS] = {{0}};
  (void)state;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)random);
  assert_int_equal(sparql_context_init(&ctx, &query, NULL, &options, base_alloc_default(), &err),
                   QUOIN_OK);
  uint64_t used = ctx.memory_used;
  assert_int_equal(disk_memory_new(&memory, &ctx, &err), QUOIN_OK);
  const base_alloc *mem = disk_memory_alloc(memory);
  for (int step = 0; step < STEPS; step++) {
    random = base_mix(random + (uint64_t)step);
    block *b = &blocks[random % BLOCKS];
    size_t size = size_of(random >> 8), kept = b->size < size ? b->size : size;
    expect(b, b->size);
    if (random >> 62 == 0 && b->at) {
      base_release(mem, b->at, b->size, 1);
      *b = (block){0};
      continue;
    }
    b->at = base_resize(mem, b->at, b->size, size, 1);
    assert_non_null(b->at);
    b->size = size;
    expect(b, kept);
    fill(b, kept);
    assert_true(ctx.memory_used <= BUDGET + BLOCKS * 16384); /* small blocks stay */
  }
  assert_true(disk_memory_file_bytes(memory) > BUDGET);
  for (int i = 0; i < BLOCKS; i++)
    base_release(mem, blocks[i].at, blocks[i].size, 1);
  assert_int_equal(ctx.memory_used, used);
  disk_memory_free(memory);
  disk_memory_free(NULL);
  sparql_context_clear(&ctx);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_disk_memory__keeps_what_is_written),
  };
  return cmocka_run_group_tests_name("sparql.disk_memory", tests, NULL, NULL);
}
