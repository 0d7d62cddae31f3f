/* UTF-8, error messages, hashes. */
#include "unit/test_base_support.h"

#include <errno.h>

static void
test_utf8__every_code_point_comes_back(void **state)
{
  (void)state;
  for (uint32_t cp = 0; cp <= 0x110010; cp++) {
    char out[4];
    uint32_t back;
    size_t n = base_utf8_encode(out, cp);
    bool valid = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);
    assert_int_equal(n > 0, valid);
    if (!valid) continue;
    assert_int_equal(base_utf8_decode(&back, out, n), n);
    assert_int_equal(back, cp);
    assert_int_equal(base_utf8_valid(out, n), n);
    assert_int_equal(base_utf8_count(out, n), 1);
    if (n > 1) assert_int_equal(base_utf8_decode(&back, out, n - 1), 0);
  }
}

static void
test_utf8__finds_the_first_fault(void **state)
{
  (void)state;
  static const char *const bad[] = {"\x80",
                                    "\xc0\x80",
                                    "\xc1\xbf",
                                    "\xe0\x80\x80",
                                    "\xed\xa0\x80",
                                    "\xf0\x80\x80\x80",
                                    "\xf5\x80\x80\x80",
                                    "\xf4\x90\x80\x80",
                                    "\xff",
                                    "\xc3",
                                    "\xe2\x82",
                                    "\xf0\x9f\x98"};
  char text[80];
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    for (size_t before = 0; before < 40; before++) {
      memset(text, 'a', before);
      size_t len = strlen(bad[i]);
      memcpy(text + before, bad[i], len);
      assert_int_equal(base_utf8_valid(text, before + len), before);
    }
  }
  static const char good[] = "Gr\xc3\xbc\xc3\x9f Gott, \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x98\x80!";
  assert_int_equal(base_utf8_valid(good, sizeof(good) - 1), sizeof(good) - 1);
  assert_int_equal(base_utf8_count(good, sizeof(good) - 1), 16);
  assert_int_equal(base_utf8_valid("", 0), 0);
}

static void
test_error__says_one_line(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(base_fail(&err, QUOIN_ERR_LIMIT, "a %s\nb", "x"), QUOIN_ERR_LIMIT);
  assert_string_equal(err.message, "a x b");
  assert_int_equal(err.status, QUOIN_ERR_LIMIT);
  assert_int_equal(base_fail(NULL, QUOIN_ERR_LIMIT, "a"), QUOIN_ERR_LIMIT);
  assert_int_equal(base_fail_os(&err, ENOSPC, "f", "x %d", 1), QUOIN_ERR_NO_SPACE);
  assert_string_equal(err.file, "f");
  assert_int_equal(err.os_errno, ENOSPC);
  assert_non_null(strstr(err.message, "x 1: No space"));
  assert_int_equal(base_fail_os(NULL, ENOENT, NULL, "x"), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(base_fail_os(NULL, EEXIST, NULL, "x"), QUOIN_ERR_EXISTS);
  assert_int_equal(base_fail_os(NULL, EACCES, NULL, "x"), QUOIN_ERR_IO);
  assert_int_equal(base_fail_at(&err, QUOIN_ERR_CORRUPT, "g", 77, "y"), QUOIN_ERR_CORRUPT);
  assert_int_equal(err.offset, 77);
  assert_int_equal(err.os_errno, 0);
  assert_int_equal(base_fail_pos(&err, QUOIN_ERR_SYNTAX, "h", 3, 4, "z"), QUOIN_ERR_SYNTAX);
  assert_true(err.line == 3 && err.column == 4 && err.offset == UINT64_MAX);
  base_error_clear(&err);
  assert_int_equal(err.status, QUOIN_OK);
  base_error_clear(NULL);
}

static void
test_error__cuts_long_texts_between_characters(void **state)
{
  (void)state;
  char text[2000];
  for (size_t shift = 0; shift < 4; shift++) {
    quoin_error err = QUOIN_ERROR_INIT;
    memset(text, 'a', shift);
    for (size_t i = shift; i + 3 < sizeof(text); i += 3)
      memcpy(text + i, "\xe2\x82\xac", 3);
    text[shift + 3 * 600] = '\0';
    (void)base_fail(&err, QUOIN_ERR_IO, "%s", text);
    size_t len = strlen(err.message);
    assert_true(len > 500 && len < sizeof(err.message));
    assert_int_equal(base_utf8_valid(err.message, len), len);
    assert_string_equal(err.message + len - 3, "...");
    base_error_file(&err, text);
    len = strlen(err.file);
    assert_true(len > 250 && base_utf8_valid(err.file, len) == len);
  }
  quoin_error err = QUOIN_ERROR_INIT;
  (void)base_fail(&err, QUOIN_ERR_SYNTAX, "bad \xff byte");
  assert_string_equal(err.message, "bad ? byte");
}

static void
test_hash__is_xxh3(void **state)
{
  (void)state;
  /* Stored in files: these must never change. */
  assert_int_equal(base_hash("", 0), UINT64_C(0x2d06800538d394c2));
  assert_int_not_equal(base_hash("a", 1), base_hash("b", 1));
  assert_int_not_equal(base_hash_seed("a", 1, 1), base_hash_seed("a", 1, 2));
  assert_int_equal(base_hash_seed("a", 1, 0), base_hash("a", 1));
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_utf8__every_code_point_comes_back),
      cmocka_unit_test(test_utf8__finds_the_first_fault),
      cmocka_unit_test(test_error__says_one_line),
      cmocka_unit_test(test_error__cuts_long_texts_between_characters),
      cmocka_unit_test(test_hash__is_xxh3),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
