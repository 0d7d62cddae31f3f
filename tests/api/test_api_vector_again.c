/* Graphs that are made again: for another declaration, and by compact. */
#include "vectors.h"

#include <dirent.h>
#include <sys/stat.h>

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

/* What a graph that is made again does not have yet waits, too. */
static void
test_vector_again__a_check_says_what_waits(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *v;
  declare(f->store);
  add_many(f->store, 0, MANY);
  settle(f->store);
  redeclare(f->store, "i8", "16");
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  good(quoin_vectors_open(&v, f->store, text(P), &err), &err);
  good(quoin_vectors_check(&report, v, false, NULL, &err), &err);
  quoin_vectors_close(v);
  assert_true(report.nodes + report.waiting >= MANY);
}

/* Bytes of the store's files whose names begin so. */
static uint64_t
file_bytes(const fixture *f, const char *prefix)
{
  char path[400];
  struct stat info;
  uint64_t bytes = 0;
  DIR *dir = opendir(f->path);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir));) {
    snprintf(path, sizeof(path), "%s/%s", f->path, e->d_name);
    if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && !stat(path, &info))
      bytes += (uint64_t)info.st_size;
  }
  closedir(dir);
  return bytes;
}

static void
remove_many(quoin_store *store, unsigned from, unsigned n)
{
  quoin_txn *txn;
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned i = from; i < from + n; i++) {
    char what[96];
    snprintf(what, sizeof(what), "DELETE WHERE { <http://x/s%u> <" P "> ?v }", i);
    good(quoin_txn_update(txn, text(what), NULL, &err), &err);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

typedef struct sizes {
  uint64_t graph, rows, graph_files, row_files;
} sizes;

static sizes
sizes_of(const fixture *f, uint64_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats all = QUOIN_STATS_INIT;
  const quoin_vectors_stats s = count(f->store);
  assert_int_equal(s.vectors, n);
  assert_int_equal(s.linked, n);
  assert_int_equal(s.unlinked + s.removed, 0);
  good(quoin_store_stats(&all, f->store, false, &err), &err);
  return (sizes){.graph = s.file_bytes,
                 .rows = all.vector_bytes,
                 .graph_files = file_bytes(f, "graph-"),
                 .row_files = file_bytes(f, "vectors-")};
}

/* At most a fifth: a tenth is left, of pages that are not full. */
static void
expect_fifth(const char *what, uint64_t after, uint64_t before)
{
  if (!after || after > before / 5)
    fail_msg("%s: %llu bytes of %llu", what, (unsigned long long)after, (unsigned long long)before);
}

/* Of each thousand the last hundred are kept. */
static void
test_vector_again__compact_shrinks_graph_and_rows(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  declare(f->store);
  update(f->store,
         VEC "INSERT DATA { GRAPH <urn:x-quoin:system> { <" P "> vec:efConstruction 40 } }");
  add_many(f->store, 0, MANY);
  settle(f->store);
  const sizes before = sizes_of(f, MANY);
  for (unsigned i = 0; i < MANY; i += 1000)
    remove_many(f->store, i, 900);
  good(quoin_store_compact(f->store, 0, NULL, &err), &err);
  for (int opened = 0; opened < 3; opened++) {
    for (unsigned i = 0; i < MANY; i += 1000) {
      expect_found(f->store, i, 900, false);
      expect_found(f->store, i + 900, 100, true);
    }
    if (!opened) settle(f->store);
    const sizes after = sizes_of(f, MANY / 10);
    expect_fifth("graph", after.graph, before.graph);
    expect_fifth("files of graphs", after.graph_files, before.graph_files);
    expect_fifth("rows", after.rows, before.rows);
    expect_fifth("files of rows", after.row_files, before.row_files);
    if (!opened) continue;
    quoin_close(f->store);
    f->store = open_at(f->path, opened == 1 ? QUOIN_READ_WRITE : QUOIN_READ_ONLY);
  }
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_vector_again__##name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(code_and_links_may_change),
      TEST(a_check_says_what_waits),
      TEST(compact_shrinks_graph_and_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
