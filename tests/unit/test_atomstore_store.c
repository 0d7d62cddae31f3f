/* Files of the atom store: crashes, corruption, full disks, no memory, and who may call what. */
#include "unit/test_atomstore_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void
intern_range(atom_store *store, uint64_t from, uint64_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[200];
  for (uint64_t n = from; n < to; n++) {
    rdf_term term = support_term(buf, n);
    atom_id id;
    assert_ok(atom_intern(&id, store, &term, &err));
  }
}

/* Ids of [from, to) in two stores are the same. */
static void
assert_same_ids(atom_store *a, atom_store *b, uint64_t from, uint64_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[200];
  for (uint64_t n = from; n < to; n++) {
    rdf_term term = support_term(buf, n);
    atom_id x, y;
    assert_ok(atom_find(&x, a, &term, UINT64_MAX, &err));
    assert_ok(atom_find(&y, b, &term, UINT64_MAX, &err));
    assert_true(x.bits != 0);
    assert_int_equal(x.bits, y.bits);
  }
}

/* ---- crashes
 * ------------------------------------------------------------------------------------- */

/* A process that interns, syncs, interns more and is gone; gives the marks of its sync. */
static void
crash(support_atoms *f, uint64_t from, uint64_t synced, uint64_t to)
{
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    quoin_error err = QUOIN_ERROR_INIT;
    atom_store *store = support_atoms_open(f, ATOM_OPEN_WRITE);
    intern_range(store, from, synced);
    atom_marks marks = f->marks;
    if (atom_store_sync(&marks, store, &err)) _exit(1);
    intern_range(store, synced, to);
    if (write(ends[1], &marks, sizeof(marks)) != sizeof(marks)) _exit(1);
    (void)kill(getpid(), SIGKILL);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  assert_int_equal(read(ends[0], &f->marks, sizeof(f->marks)), sizeof(f->marks));
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static void
test_store__believes_its_files_up_to_the_marks_after_a_crash(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  static const uint64_t steps[][3] = {{0, 500, 700},
                                      {500, 2000, 2000},
                                      {2000, 2100, 60000},
                                      {2100, 40000, 41000},
                                      {0, 40000, 90000}};
  support_atoms f, plain;
  support_atoms_make(&f);
  support_atoms_make(&plain);
  for (size_t i = 0; i < 5; i++) {
    crash(&f, steps[i][0], steps[i][1], steps[i][2]);
    atom_store *store = support_atoms_open(&f, ATOM_OPEN_READ_ONLY);
    assert_ok(atom_check(store, NULL, &err));
    support_atoms_close(store);
    store = support_atoms_open(&f, ATOM_OPEN_WRITE);
    assert_int_equal(atom_store_terms(store), f.marks.terms);
    assert_ok(atom_check(store, NULL, &err));
    /* What the crash left is not found, and the numbers go on as if it had never been. */
    atom_store *other = support_atoms_open(&plain, ATOM_OPEN_WRITE);
    intern_range(other, steps[i][0], steps[i][1]);
    assert_int_equal(atom_store_terms(other), atom_store_terms(store));
    assert_same_ids(store, other, 0, steps[i][1]);
    assert_ok(atom_store_sync(&plain.marks, other, &err));
    support_atoms_close(other);
    support_atoms_close(store);
  }
  support_dir_remove(&f.at);
  support_dir_remove(&plain.at);
}

static void
test_store__makes_a_lost_table_again(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  char name[64];
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  intern_range(store, 0, 30000);
  assert_ok(atom_store_sync(&f.marks, store, &err));
  support_atoms_close(store);
  (void)snprintf(name, sizeof(name), "table-1-%llu", (unsigned long long)f.marks.table);
  assert_ok(base_dir_unlink(&f.at.dir, name, &err));
  store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  assert_ok(atom_check(store, NULL, &err));
  uint64_t old = f.marks.table;
  assert_ok(atom_store_sync(&f.marks, store, &err));
  assert_true(f.marks.table > old);
  assert_true(atom_file_is_stale(name, &f.marks));
  support_atoms_close(store);
  store = support_atoms_open(&f, ATOM_OPEN_READ_ONLY);
  assert_ok(atom_check(store, NULL, &err));
  support_atoms_close(store);
  support_dir_remove(&f.at);
}

/* The bytes that count, after a clean close. */
static uint64_t
content_hash(const support_atoms *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char name[64];
  uint64_t hash = 0;
  for (int i = 0; i < 3; i++) {
    static const char *const names[] = {"terms-1", "offsets-1", "table-1-"};
    base_file file;
    uint64_t size;
    (void)snprintf(name, sizeof(name), "%s", names[i]);
    if (i == 2)
      (void)snprintf(name, sizeof(name), "%s%llu", names[i], (unsigned long long)f->marks.table);
    assert_ok(base_file_open(&file, &f->at.dir, name, BASE_FILE_READ, &err));
    assert_ok(base_file_size(&size, &file, &err));
    char *data = base_new(base_alloc_default(), size, 1);
    assert_ok(base_file_read(&file, data, size, 0, &err));
    hash = base_hash_seed(data, size, hash);
    base_release(base_alloc_default(), data, size, 1);
    base_file_close(&file);
  }
  return hash;
}

static void
test_store__builds_repeat(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t hashes[3];
  for (int i = 0; i < 3; i++) {
    support_atoms f;
    support_atoms_make(&f);
    atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
    intern_range(store, 0, 45000 + 10000); /* a larger table is in the making */
    assert_ok(atom_store_sync(&f.marks, store, &err));
    support_atoms_close(store);
    hashes[i] = content_hash(&f);
    support_dir_remove(&f.at);
  }
  assert_true(hashes[0] == hashes[1] && hashes[1] == hashes[2]);
}

/* ---- corruption
 * ------------------------------------------------------------------------------------- */

/* Everything a reader can do. Ends with the status of the check, or of the opening. */
static quoin_status
use_all(const support_atoms *f, atom_open_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  atom_store *store;
  char buf[200];
  quoin_status st =
      atom_store_open(&store, &f->at.dir, &f->marks, mode, base_alloc_default(), &err);
  if (st) {
    assert_true(err.message[0] != '\0');
    return st;
  }
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  atom_store_pin(store);
  for (uint64_t n = 0; n < 400; n++) {
    rdf_term term = support_term(buf, n);
    atom_id id;
    (void)atom_find(&id, store, &term, UINT64_MAX, &err);
  }
  for (uint64_t n = 1; n <= f->marks.terms + 2; n++) {
    for (int kind = ATOM_IRI; kind <= ATOM_BOOLTEXT; kind++) {
      rdf_term term;
      atom_id type;
      (void)atom_read(&term, store, atom_id_make((atom_kind)kind, n), &arena, &err);
      (void)atom_datatype(&type, store, atom_id_make((atom_kind)kind, n), &err);
      atom_prefetch(store, atom_id_make((atom_kind)kind, n));
    }
  }
  st = atom_check(store, NULL, &err);
  if (st) assert_true(err.message[0] != '\0');
  atom_store_unpin(store);
  atom_store_close(store);
  base_arena_clear(&arena);
  return st;
}

static void
flip(const support_atoms *f, const char *name, uint64_t offset, uint8_t bits)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_file file;
  uint8_t byte;
  assert_ok(base_file_open(&file, &f->at.dir, name, BASE_FILE_WRITE, &err));
  assert_ok(base_file_read(&file, &byte, 1, offset, &err));
  byte ^= bits;
  assert_ok(base_file_write(&file, &byte, 1, offset, &err));
  base_file_close(&file);
}

static void
test_store__finds_flipped_bits(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  uint64_t seed = support_seed();
  char table[64];
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  intern_range(store, 0, 400);
  assert_ok(atom_store_sync(&f.marks, store, &err));
  support_atoms_close(store);
  assert_ok(use_all(&f, ATOM_OPEN_READ_ONLY));
  (void)snprintf(table, sizeof(table), "table-1-%llu", (unsigned long long)f.marks.table);
  size_t missed = 0;
  for (int i = 0; i < 900; i++) {
    const char *names[] = {"terms-1", "offsets-1", table};
    uint64_t sizes[] = {4096 + f.marks.term_bytes, 64 + f.marks.terms * 8, 64 + 8 * 1024};
    uint64_t offset = support_random(&seed) % (i % 5 ? sizes[i % 3] : 64);
    if (i % 3 == 0 && offset >= 64 && offset < 4096) continue; /* there are no symbols yet */
    uint8_t bits = (uint8_t)(1u << support_random(&seed) % 8);
    flip(&f, names[i % 3], offset, bits);
    quoin_status st = use_all(&f, ATOM_OPEN_READ_ONLY);
    if (st) assert_true(st == QUOIN_ERR_CORRUPT || st == QUOIN_ERR_VERSION);
    if (!st && i % 3 < 2) missed++; /* an empty slot may hold anything behind its id of 0 */
    flip(&f, names[i % 3], offset, bits);
  }
  assert_true(missed <= 1); /* 16 check bits a term */
  assert_ok(use_all(&f, ATOM_OPEN_READ_ONLY));
  support_dir_remove(&f.at);
}

/* A term whose text was damaged is an error to who looks for it, never "there is no such term". */
static void
test_store__damaged_text_is_not_absence(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  uint64_t seed = support_seed();
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  intern_range(store, 0, 100);
  assert_ok(atom_store_sync(&f.marks, store, &err));
  support_atoms_close(store);
  size_t corrupt = 0;
  for (int i = 0; i < 400; i++) {
    uint64_t offset = 4096 + support_random(&seed) % f.marks.term_bytes;
    uint8_t bits = (uint8_t)(1u << support_random(&seed) % 8);
    flip(&f, "terms-1", offset, bits);
    quoin_status st = atom_store_open(&store, &f.at.dir, &f.marks, ATOM_OPEN_READ_ONLY,
                                      base_alloc_default(), &err);
    if (st) { /* in a record that opening reads, for the prefixes */
      assert_int_equal(st, QUOIN_ERR_CORRUPT);
      corrupt++;
      flip(&f, "terms-1", offset, bits);
      continue;
    }
    atom_store_pin(store);
    for (uint64_t n = 0; n < 100; n++) {
      char buf[200];
      rdf_term term = support_term(buf, n);
      atom_id id;
      st = atom_find(&id, store, &term, UINT64_MAX, &err);
      if (st) {
        assert_int_equal(st, QUOIN_ERR_CORRUPT);
        corrupt++;
      } else {
        assert_true(id.bits != 0);
      }
    }
    atom_store_unpin(store);
    atom_store_close(store);
    flip(&f, "terms-1", offset, bits);
  }
  assert_true(corrupt >= 300);
  support_dir_remove(&f.at);
}

static void
test_store__refuses_short_and_foreign_files(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  char path[128];
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  intern_range(store, 0, 2000);
  assert_ok(atom_store_sync(&f.marks, store, &err));
  support_atoms_close(store);
  support_atoms wrong = f;
  wrong.marks.terms += 100000;
  assert_int_equal(use_all(&wrong, ATOM_OPEN_READ_ONLY), QUOIN_ERR_CORRUPT);
  wrong.marks = f.marks;
  wrong.marks.term_bytes++;
  assert_int_equal(use_all(&wrong, ATOM_OPEN_WRITE), QUOIN_ERR_CORRUPT);
  wrong.marks.terms = UINT64_MAX;
  assert_int_equal(use_all(&wrong, ATOM_OPEN_READ_ONLY), QUOIN_ERR_CORRUPT);
  wrong.marks = f.marks;
  wrong.marks.generation = 2;
  assert_int_equal(use_all(&wrong, ATOM_OPEN_READ_ONLY), QUOIN_ERR_NOT_FOUND);
  (void)snprintf(path, sizeof(path), "%s/terms-1", f.at.path);
  assert_int_equal(truncate(path, 1000), 0);
  assert_int_equal(use_all(&f, ATOM_OPEN_READ_ONLY), QUOIN_ERR_CORRUPT);
  assert_int_equal(truncate(path, 10), 0);
  assert_int_equal(use_all(&f, ATOM_OPEN_WRITE), QUOIN_ERR_CORRUPT);
  support_dir_remove(&f.at);
}

/* ---- no memory, no space
 * ------------------------------------------------------------------------------ */

/* Some work of each sort; on failure the store must be as it was. */
static quoin_status
work(const support_atoms *f, const base_alloc *mem, atom_open_mode mode, quoin_error *err)
{
  enum { N = 900 };
  static rdf_term terms[N];
  static atom_id ids[N];
  static char text[N][200];
  atom_store *store;
  atom_local *local = NULL;
  quoin_status st = atom_store_open(&store, &f->at.dir, &f->marks, mode, mem, err);
  if (st) return st;
  atom_store_pin(store);
  atom_store_writer_enter(store);
  for (uint64_t n = 0; n < N; n++)
    terms[n] = support_term(text[n], n);
  st = atom_intern_batch(ids, store, terms, N, err);
  assert_int_equal(atom_store_terms(store) > f->marks.terms, st == QUOIN_OK);
  if (!st) st = atom_local_new(&local, mem, err);
  for (size_t n = 0; n < N && !st; n++)
    st = atom_local_intern(&ids[0], local, &terms[n], err);
  if (!st) st = atom_check(store, NULL, err);
  atom_local_free(local);
  atom_rollback(store, f->marks.terms, 0);
  quoin_error ignored = QUOIN_ERROR_INIT;
  quoin_status check = atom_check(store, NULL, &ignored);
  assert_true(check == QUOIN_OK || check == QUOIN_ERR_NOMEM);
  support_atoms_close(store);
  return st;
}

static void
test_store__survives_every_failing_allocation(void **state)
{
  (void)state;
  for (int mode = ATOM_OPEN_WRITE; mode <= ATOM_OPEN_READ_ONLY; mode++) {
    support_atoms f;
    support_atoms_make(&f);
    for (uint64_t at = 1;; at++) {
      quoin_error err = QUOIN_ERROR_INIT;
      support_memory m = {.fail_at = at};
      base_alloc mem = support_alloc(&m);
      quoin_status st = work(&f, &mem, (atom_open_mode)mode, &err);
      assert_int_equal(m.bytes, 0);
      assert_int_equal(m.blocks, 0);
      if (!st && m.calls < at) break;
      assert_true(st == QUOIN_OK || st == QUOIN_ERR_NOMEM);
    }
    support_dir_remove(&f.at);
  }
}

static void
test_store__goes_on_after_a_full_disk(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  struct rlimit limit, small;
  char buf[200];
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  intern_range(store, 0, 700);
  uint64_t terms = atom_store_terms(store);
  (void)signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  small = limit;
  small.rlim_cur = 66000; /* stands in for the full disk: no file may grow beyond */
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  quoin_status st = QUOIN_OK;
  uint64_t added = 700;
  for (; !st; added++) {
    rdf_term term = support_term(buf, added);
    atom_id id;
    terms = atom_store_terms(store);
    st = atom_intern(&id, store, &term, &err);
  }
  assert_true(st == QUOIN_ERR_IO || st == QUOIN_ERR_NO_SPACE);
  assert_true(err.file[0] != '\0');
  assert_int_equal(atom_store_terms(store), terms);
  assert_ok(atom_check(store, NULL, &err));
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  intern_range(store, added - 1, 20000);
  assert_ok(atom_check(store, NULL, &err));
  support_atoms_close(store);
  support_dir_remove(&f.at);
}

/* ---- names
 * ---------------------------------------------------------------------------------------------- */

static void
test_store__knows_its_files(void **state)
{
  (void)state;
  atom_marks marks = {.generation = 7, .table = 3};
  static const char *const mine[] = {"terms-7", "offsets-0", "table-7-1",
                                     "terms-18446744073709551615"};
  static const char *const others[] = {
      "terms-",     "terms-07", "terms-7x", "table-7", "table-7-",
      "table--1",   "run-7",    "terms",    "",        "terms-18446744073709551616",
      "offsets-7-1"};
  static const char *const stale[] = {"terms-6", "table-7-2", "table-6-9", "offsets-1", "terms-8"};
  static const char *const live[] = {"terms-7", "offsets-7", "table-7-3", "table-7-4", "run-1"};
  for (size_t i = 0; i < 4; i++)
    assert_true(atom_file_is_mine(mine[i]));
  for (size_t i = 0; i < 11; i++)
    assert_false(atom_file_is_mine(others[i]));
  for (size_t i = 0; i < 5; i++)
    assert_true(atom_file_is_stale(stale[i], &marks));
  for (size_t i = 0; i < 5; i++)
    assert_false(atom_file_is_stale(live[i], &marks));
  atom_store_close(NULL);
}

/* ---- who may call what: debug builds
 * ---------------------------------------------------------------------- */

#ifndef NDEBUG
static void
assert_aborts(void (*call)(atom_store *store), atom_store *store)
{
  (void)fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)signal(SIGABRT, SIG_DFL); /* not cmocka's */
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0) (void)dup2(null, 2);
    call(store);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
call_intern(atom_store *store)
{
  rdf_term term = support_iri("http://example.org/x");
  atom_id id;
  (void)atom_intern(&id, store, &term, NULL);
}

static void
call_intern_batch(atom_store *store)
{
  rdf_term term = support_iri("http://example.org/x");
  atom_id id;
  (void)atom_intern_batch(&id, store, &term, 1, NULL);
}

static void
call_blank_new(atom_store *store)
{
  (void)atom_blank_new(store);
}

static void
call_blank_new_many(atom_store *store)
{
  (void)atom_blank_new_many(store, 3);
}

static void
call_blank_reserve(atom_store *store)
{
  atom_blank_reserve(store, 3);
}

static void
call_rollback(atom_store *store)
{
  atom_rollback(store, 0, 0);
}

static void
call_leave(atom_store *store)
{
  atom_store_writer_leave(store);
}

static void
call_read(atom_store *store)
{
  base_arena arena;
  rdf_term term;
  base_arena_init(&arena, base_alloc_default());
  (void)atom_read(&term, store, atom_id_make(ATOM_IRI, 1), &arena, NULL);
}

static void
call_find(atom_store *store)
{
  rdf_term term = support_iri("http://example.org/x");
  atom_id id;
  (void)atom_find(&id, store, &term, UINT64_MAX, NULL);
}

static void
call_find_batch(atom_store *store)
{
  rdf_term term = support_iri("http://example.org/x");
  atom_id id;
  (void)atom_find_batch(&id, store, &term, 1, UINT64_MAX, NULL);
}

static void
call_datatype(atom_store *store)
{
  atom_id id;
  (void)atom_datatype(&id, store, atom_id_make(ATOM_TYPED, 1), NULL);
}

static void
call_check(atom_store *store)
{
  (void)atom_check(store, NULL, NULL);
}

static void
promise_m1_atoms_change_by_the_writer_only(void **state)
{
  (void)state;
  support_atoms f;
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  atom_store_writer_leave(store);
  assert_aborts(call_intern, store);
  assert_aborts(call_intern_batch, store);
  assert_aborts(call_blank_new, store);
  assert_aborts(call_blank_new_many, store);
  assert_aborts(call_blank_reserve, store);
  assert_aborts(call_rollback, store);
  assert_aborts(call_leave, store);
  atom_store_writer_enter(store);
  support_atoms_close(store);
  support_dir_remove(&f.at);
}

static void
promise_m2_reading_needs_a_pin(void **state)
{
  (void)state;
  support_atoms f;
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  atom_store_writer_leave(store);
  atom_store_unpin(store);
  assert_aborts(call_read, store);
  assert_aborts(call_find, store);
  assert_aborts(call_find_batch, store);
  assert_aborts(call_datatype, store);
  assert_aborts(call_check, store);
  atom_store_pin(store);
  atom_store_writer_enter(store);
  support_atoms_close(store);
  support_dir_remove(&f.at);
}
#endif

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_store__believes_its_files_up_to_the_marks_after_a_crash),
      cmocka_unit_test(test_store__makes_a_lost_table_again),
      cmocka_unit_test(test_store__builds_repeat),
      cmocka_unit_test(test_store__finds_flipped_bits),
      cmocka_unit_test(test_store__damaged_text_is_not_absence),
      cmocka_unit_test(test_store__refuses_short_and_foreign_files),
      cmocka_unit_test(test_store__survives_every_failing_allocation),
      cmocka_unit_test(test_store__goes_on_after_a_full_disk),
      cmocka_unit_test(test_store__knows_its_files),
#ifndef NDEBUG
      cmocka_unit_test(promise_m1_atoms_change_by_the_writer_only),
      cmocka_unit_test(promise_m2_reading_needs_a_pin),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
