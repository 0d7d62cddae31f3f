/* Allocation, arenas and buffers. */
#include "unit/test_base_support.h"

static void
test_alloc__refuses_sizes_that_overflow(void **state)
{
  (void)state;
  const base_alloc *mem = base_alloc_default();
  size_t sum;
  assert_null(base_new(mem, SIZE_MAX / 2, 3));
  assert_null(base_new_zero(mem, SIZE_MAX, 2));
  assert_null(base_resize(mem, NULL, 0, SIZE_MAX, 16));
  assert_false(base_add_size(&sum, SIZE_MAX, 1));
  assert_false(base_mul_size(&sum, SIZE_MAX, 2));
  void *nothing = base_new(mem, 0, 8);
  assert_non_null(nothing);
  base_release(mem, nothing, 0, 8);
  base_release(mem, NULL, 0, 8);
}

static void
test_alloc__reserve_doubles_and_fails_without_harm(void **state)
{
  (void)state;
  support_memory m = {0};
  base_alloc mem = support_alloc(&m);
  void *items = NULL;
  size_t cap = 0;
  for (size_t need = 1; need < 1000; need++)
    assert_true(base_reserve(&mem, &items, &cap, need, 8));
  assert_true(m.calls < 12);
  size_t before = cap;
  assert_false(base_reserve(&mem, &items, &cap, SIZE_MAX / 4, 8));
  assert_int_equal(cap, before);
  base_release(&mem, items, cap, 8);
  assert_int_equal(m.bytes, 0);
}

static void
test_arena__keeps_what_it_gave(void **state)
{
  (void)state;
  support_memory m = {0};
  base_alloc mem = support_alloc(&m);
  base_arena arena;
  uint64_t seed = support_seed();
  enum { N = 2000 };
  char *blocks[N];
  size_t sizes[N];
  base_arena_init(&arena, &mem);
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < N; i++) {
      uint64_t r = support_random(&seed);
      sizes[i] = r % 97 == 0 ? r / 128 % 300000 : r / 128 % 200;
      blocks[i] = r % 2 ? base_arena_new(&arena, 1, sizes[i]) : base_arena_bytes(&arena, sizes[i]);
      assert_non_null(blocks[i]);
      if (r % 2) assert_int_equal((uintptr_t)blocks[i] % 16, 0);
      memset(blocks[i], (int)(i & 127), sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
      for (size_t b = 0; b < sizes[i]; b++)
        assert_int_equal(blocks[i][b], (int)(i & 127));
    assert_int_equal((int64_t)arena.used, m.bytes);
    base_arena_reset(&arena);
    assert_int_equal((int64_t)arena.used, m.bytes);
  }
  base_arena_clear(&arena);
  assert_int_equal(m.bytes, 0);
}

static void
test_arena__rewinds(void **state)
{
  (void)state;
  support_memory m = {0};
  base_alloc mem = support_alloc(&m);
  base_arena arena;
  base_arena_init(&arena, &mem);
  base_arena_mark empty = base_arena_here(&arena);
  char *kept = base_arena_bytes(&arena, 100);
  memset(kept, 1, 100);
  base_arena_mark mark = base_arena_here(&arena);
  for (int i = 0; i < 100; i++)
    assert_non_null(base_arena_new(&arena, 1000, 10));
  base_arena_rewind(&arena, mark);
  for (int i = 0; i < 100; i++)
    assert_int_equal(kept[i], 1);
  uint64_t calls = m.calls;
  for (int i = 0; i < 1000; i++) {
    base_arena_rewind(&arena, empty);
    assert_non_null(base_arena_bytes(&arena, 1000));
  }
  assert_int_equal(m.calls, calls); /* a loop over an empty arena allocates nothing */
  base_arena_clear(&arena);
  assert_int_equal(m.bytes, 0);
}

static void
test_arena__copies_and_prints(void **state)
{
  (void)state;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  quoin_span copy = base_arena_copy(&arena, base_span("hello"));
  assert_string_equal(copy.ptr, "hello");
  assert_int_equal(base_arena_copy(&arena, (quoin_span){NULL, 0}).len, 0);
  quoin_span text = base_arena_printf(&arena, "%s-%d", "x", 42);
  assert_string_equal(text.ptr, "x-42");
  assert_int_equal(text.len, 4);
  int *zero = base_arena_new_zero(&arena, 4, sizeof(int));
  for (int i = 0; i < 4; i++)
    assert_int_equal(zero[i], 0);
  assert_null(base_arena_new(&arena, SIZE_MAX, 2));
  assert_null(base_arena_bytes(&arena, SIZE_MAX));
  base_arena_clear(&arena);
}

static void
test_arena__survives_no_memory(void **state)
{
  (void)state;
  for (uint64_t at = 1; at < 6; at++) {
    support_memory m = {.fail_at = at};
    base_alloc mem = support_alloc(&m);
    base_arena arena;
    base_arena_init(&arena, &mem);
    size_t failed = 0;
    for (int i = 0; i < 200; i++)
      if (!base_arena_new(&arena, 1, 300)) failed++;
    assert_int_equal(failed, 1);
    base_arena_clear(&arena);
    assert_int_equal(m.bytes, 0);
  }
}

static void
test_buffer__grows_and_remembers_failure(void **state)
{
  (void)state;
  support_memory m = {0};
  base_alloc mem = support_alloc(&m);
  base_buffer buf;
  base_buffer_init(&buf, &mem);
  for (int i = 0; i < 1000; i++)
    base_buffer_byte(&buf, (char)i);
  base_buffer_text(&buf, "text");
  base_buffer_span(&buf, base_span("span"));
  base_buffer_printf(&buf, "%05d", 42);
  base_buffer_u32(&buf, 0x01020304);
  base_buffer_u64(&buf, 5);
  assert_int_equal(buf.len, 1000 + 4 + 4 + 5 + 4 + 8);
  assert_memory_equal(buf.data + 1000, "textspan00042\4\3\2\1\5\0\0\0\0\0\0\0", 25);
  m.fail_at = m.calls + 1;
  size_t len = buf.len;
  assert_false(base_buffer_reserve(&buf, 100000));
  base_buffer_text(&buf, "x");
  assert_true(buf.failed);
  assert_int_equal(buf.len, len);
  base_buffer_clear(&buf);
  assert_int_equal(m.bytes, 0);
}

static void
test_buffer__varints_come_back(void **state)
{
  (void)state;
  base_buffer buf;
  uint64_t seed = support_seed(), out;
  base_buffer_init(&buf, base_alloc_default());
  for (int i = 0; i < 20000; i++) {
    uint64_t value = support_random(&seed) >> support_random(&seed) % 64;
    if (i == 0) value = UINT64_MAX;
    buf.len = 0;
    base_buffer_varint(&buf, value);
    const uint8_t *at = (const uint8_t *)buf.data, *end = at + buf.len;
    assert_true(base_varint_read(&out, &at, end));
    assert_int_equal(out, value);
    assert_ptr_equal(at, end);
    at = (const uint8_t *)buf.data;
    assert_false(base_varint_read(&out, &at, end - 1));
  }
  static const uint8_t too_long[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
  const uint8_t *at = too_long;
  assert_false(base_varint_read(&out, &at, too_long + sizeof(too_long)));
  base_buffer_clear(&buf);
}

static void
test_buffer__spans_compare(void **state)
{
  (void)state;
  assert_true(base_span_is(base_span("abc"), "abc"));
  assert_true(base_span_equal((quoin_span){NULL, 0}, base_span("")));
  assert_true(base_span_compare(base_span("ab"), base_span("abc")) < 0);
  assert_true(base_span_compare(base_span("b"), base_span("abc")) > 0);
  assert_true(base_span_compare(base_span("\xff"), base_span("a")) > 0);
  assert_int_equal(base_span_compare((quoin_span){NULL, 0}, base_span("")), 0);
  assert_true(base_span_equal_nocase(base_span("eN-gB"), base_span("En-Gb")));
  assert_false(base_span_equal_nocase(base_span("en"), base_span("de")));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alloc__refuses_sizes_that_overflow),
      cmocka_unit_test(test_alloc__reserve_doubles_and_fails_without_harm),
      cmocka_unit_test(test_arena__keeps_what_it_gave),
      cmocka_unit_test(test_arena__rewinds),
      cmocka_unit_test(test_arena__copies_and_prints),
      cmocka_unit_test(test_arena__survives_no_memory),
      cmocka_unit_test(test_buffer__grows_and_remembers_failure),
      cmocka_unit_test(test_buffer__varints_come_back),
      cmocka_unit_test(test_buffer__spans_compare),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
