/* One writer and many readers. Run under ThreadSanitizer with the default count;
 * QUOIN_TERMS=10000000 in a release build is the promise in full. */
#include "unit/test_atomstore_support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { READERS = 3 };

typedef struct shared {
  atom_store *store;
  uint64_t count;
  atomic_bool done;
  _Atomic(uint64_t) written; /* support_term(0..written-1) are there */
  _Atomic(uint64_t) *ids;    /* id of term n, as the writer got it */
  atomic_uint faults;
  _Atomic(uint64_t) looked;
  bool rollbacks;
  bool checkpointer; /* syncs in a thread of its own: one at a time */
} shared;

static void
fault(shared *s, const char *what, uint64_t n)
{
  print_error("term %llu: %s\n", (unsigned long long)n, what);
  atomic_fetch_add(&s->faults, 1);
}

/* A term that is known to be there is found, with its id, and the id reads as the term. One that
 * may be there is absent or is itself. */
static void
look(shared *s, base_arena *arena, uint64_t n, uint64_t written, uint64_t mark)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[200];
  rdf_term term = support_term(buf, n), back;
  atom_id id;
  if (atom_find(&id, s->store, &term, mark, &err)) {
    fault(s, err.message, n);
    return;
  }
  if (!id.bits) {
    if (n < written) fault(s, "it is not found", n);
    return;
  }
  if (atom_id_payload(id) > mark) fault(s, "it is above the mark", n);
  if (n < written && id.bits != atomic_load(&s->ids[n])) fault(s, "it has two ids", n);
  if (atom_read(&back, s->store, id, arena, &err))
    fault(s, err.message, n);
  else if (!rdf_term_equal(&term, &back))
    fault(s, "its id reads as another term", n);
}

static void *
reader(void *user)
{
  shared *s = user;
  uint64_t seed = (uint64_t)(uintptr_t)&seed, looked = 0;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  while (!atomic_load(&s->done)) {
    atom_store_pin(s->store);
    uint64_t written = atomic_load(&s->written), mark = atom_store_terms(s->store);
    if (s->rollbacks) mark = mark < written ? mark : UINT64_MAX;
    for (int i = 0; i < 200; i++, looked++) {
      uint64_t n = support_random(&seed) % (written + 50);
      if (i % 4 == 0 && written)
        n = written - 1 - support_random(&seed) % (written < 30 ? written : 30);
      if (s->rollbacks && n >= written) continue;
      look(s, &arena, n, written, mark);
    }
    atom_store_unpin(s->store);
    base_arena_reset(&arena);
  }
  base_arena_clear(&arena);
  atomic_fetch_add(&s->looked, looked);
  return NULL;
}

static uint64_t
count_of(uint64_t otherwise)
{
  const char *text = getenv("QUOIN_TERMS");
  return text ? strtoull(text, NULL, 10) : otherwise;
}

static void
run(shared *s, void (*write_all)(shared *s))
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir at;
  pthread_t threads[READERS];
  atom_marks marks = {.generation = 1};
  const base_alloc *mem = base_alloc_default();
  support_dir_make(&at);
  assert_ok(atom_store_create(&at.dir, &marks, &err));
  assert_ok(atom_store_open(&s->store, &at.dir, &marks, ATOM_OPEN_WRITE, mem, &err));
  s->ids = base_new_zero(mem, s->count, sizeof(*s->ids));
  assert_non_null(s->ids);
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, reader, s), 0);
  atom_store_writer_enter(s->store);
  write_all(s);
  atomic_store(&s->done, true);
  for (int i = 0; i < READERS; i++)
    (void)pthread_join(threads[i], NULL);
  assert_ok(atom_check(s->store, NULL, &err));
  atom_store_writer_leave(s->store);
  assert_int_equal(atomic_load(&s->faults), 0);
  print_message("%llu terms written, %llu looked up\n", (unsigned long long)s->count,
                (unsigned long long)atomic_load(&s->looked));
  atom_store_close(s->store);
  base_release(mem, (void *)(uintptr_t)s->ids, s->count, sizeof(*s->ids));
  support_dir_remove(&at);
}

static void
write_one_by_one(shared *s)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[200];
  for (uint64_t n = 0; n < s->count; n++) {
    rdf_term term = support_term(buf, n);
    atom_id id;
    assert_ok(atom_intern(&id, s->store, &term, &err));
    atomic_store(&s->ids[n], id.bits);
    atomic_store(&s->written, n + 1);
  }
}

static void
write_in_batches(shared *s)
{
  enum { BATCH = 1000 };
  quoin_error err = QUOIN_ERROR_INIT;
  static char text[BATCH][200];
  static rdf_term terms[BATCH];
  static atom_id ids[BATCH];
  for (uint64_t from = 0; from < s->count; from += BATCH) {
    size_t n = s->count - from < BATCH ? (size_t)(s->count - from) : BATCH;
    for (size_t i = 0; i < n; i++)
      terms[i] = support_term(text[i], from + i);
    assert_ok(atom_intern_batch(ids, s->store, terms, n, &err));
    for (size_t i = 0; i < n; i++)
      atomic_store(&s->ids[from + i], ids[i].bits);
    atomic_store(&s->written, from + n);
  }
}

/* Between what stays, terms come and go; a checkpoint now and then. */
static void
write_with_rollbacks(shared *s)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t seed = support_seed();
  char buf[200];
  for (uint64_t n = 0; n < s->count;) {
    uint64_t terms = atom_store_terms(s->store), away = support_random(&seed) % 300;
    for (uint64_t i = 0; i < away; i++) {
      rdf_term term = support_term(buf, 1000000000 + support_random(&seed) % 100000);
      atom_id id;
      assert_ok(atom_intern(&id, s->store, &term, &err));
    }
    atom_rollback(s->store, terms, 0);
    for (uint64_t i = 0; i < 100 && n < s->count; i++, n++) {
      rdf_term term = support_term(buf, n);
      atom_id id;
      assert_ok(atom_intern(&id, s->store, &term, &err));
      atomic_store(&s->ids[n], id.bits);
      atomic_store(&s->written, n + 1);
    }
    if (!s->checkpointer && support_random(&seed) % 50 == 0) {
      atom_marks marks;
      assert_ok(atom_store_sync(&marks, s->store, &err));
    }
  }
}

static void
promise_m3_atom_id_is_published_last(void **state)
{
  (void)state;
  static shared s;
  s.count = count_of(200000);
  run(&s, write_one_by_one);
}

static void
test_threads__read_while_batches_are_written(void **state)
{
  (void)state;
  static shared s;
  s.count = count_of(200000);
  run(&s, write_in_batches);
}

static void
test_threads__read_while_loads_fail(void **state)
{
  (void)state;
  static shared s;
  s.count = 30000;
  s.rollbacks = true;
  run(&s, write_with_rollbacks);
}

/* A checkpoint by another thread than the writer's. */
static void *
checkpointer(void *user)
{
  shared *s = user;
  while (!atomic_load(&s->done)) {
    quoin_error err = QUOIN_ERROR_INIT;
    atom_marks marks;
    if (atom_store_sync(&marks, s->store, &err)) fault(s, err.message, 0);
  }
  return NULL;
}

static void
write_with_checkpoints(shared *s)
{
  pthread_t thread;
  s->checkpointer = true;
  assert_int_equal(pthread_create(&thread, NULL, checkpointer, s), 0);
  if (s->rollbacks)
    write_with_rollbacks(s);
  else
    write_one_by_one(s);
  atomic_store(&s->done, true);
  (void)pthread_join(thread, NULL);
}

static void
test_threads__checkpoint_while_terms_are_written(void **state)
{
  (void)state;
  static shared s;
  s.count = 60000;
  run(&s, write_with_checkpoints);
}

static void
test_threads__checkpoint_while_loads_fail(void **state)
{
  (void)state;
  static shared s;
  s.count = 20000;
  s.rollbacks = true;
  run(&s, write_with_checkpoints);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m3_atom_id_is_published_last),
      cmocka_unit_test(test_threads__read_while_batches_are_written),
      cmocka_unit_test(test_threads__read_while_loads_fail),
      cmocka_unit_test(test_threads__checkpoint_while_terms_are_written),
      cmocka_unit_test(test_threads__checkpoint_while_loads_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
