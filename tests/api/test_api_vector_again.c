/* Graphs that are made again: for another declaration. */
#include "vectors.h"

enum { FEW = 1000 };

static void
redeclare(quoin_store *store, const char *code, const char *m)
{
  char what[512];
  snprintf(what, sizeof(what),
           VEC "DELETE WHERE { GRAPH <urn:x-quoin:system> { <" P "> vec:storage ?c ; vec:m ?m } } ;"
               "INSERT DATA { GRAPH <urn:x-quoin:system> { <" P "> vec:storage vec:%sCode ; "
               "vec:m %s } }",
           code, m);
  update(store, what);
}

/* While the graph is made again, and after it, all are found; the counts say how it is declared. */
static void
test_vector_again__code_and_links_may_change(void **state)
{
  static const char *const codes[] = {"f32", "i8", "f16"}, *const m[] = {"16", "8", "12"};
  fixture *f = *state;
  uint64_t bytes[3];
  declare(f->store);
  add_many(f->store, 0, FEW);
  for (size_t i = 0; i < 3; i++) {
    redeclare(f->store, codes[i], m[i]);
    expect_found(f->store, 0, FEW, true);
    quoin_vectors_stats s = count(f->store);
    assert_string_equal(s.code, codes[i]);
    assert_int_equal(s.m, atoi(m[i]));
    assert_int_equal(s.linked + s.unlinked, FEW);
    settle(f->store);
    s = count(f->store);
    assert_string_equal(s.code, codes[i]);
    assert_int_equal(s.m, atoi(m[i]));
    assert_int_equal(s.linked, FEW);
    expect_found(f->store, 0, FEW, true);
    bytes[i] = s.file_bytes;
  }
  assert_true(bytes[1] < bytes[2] && bytes[2] < bytes[0]); /* of smaller codes and fewer links */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_vector_again__##name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(code_and_links_may_change),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
