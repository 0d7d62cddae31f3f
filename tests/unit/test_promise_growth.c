/* M5: lookups while the hash table grows. What is asserted is what they answer, and that the table
 * was replaced many times under them; bench/growth.c measures how long they take. */
#include "unit/test_atomstore_support.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOOKERS = 3, FIRST = 1000 };

typedef struct shared {
  atom_store *store;
  uint64_t count;
  atomic_bool done;
  _Atomic uint64_t written; /* support_term(0..written-1) are there */
  _Atomic uint64_t looked;
  atomic_uint faults;
} shared;

/* Terms that are there are found, under an id that reads as the term; others are absent. */
static void
look(shared *s, base_arena *arena, uint64_t n, bool there)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[200];
  const rdf_term term = support_term(buf, n);
  rdf_term back;
  atom_id id;
  bool ok = !atom_find(&id, s->store, &term, UINT64_MAX, &err) && (id.bits != 0) == there;

  if (ok && there)
    ok = !atom_read(&back, s->store, id, arena, &err) && rdf_term_equal(&term, &back);
  if (ok) return;
  print_error("term %llu: %s\n", (unsigned long long)n,
              there ? "not found, or another" : "found, and never added");
  atomic_fetch_add(&s->faults, 1);
}

static void *
looker(void *user)
{
  shared *s = user;
  uint64_t seed = (uint64_t)(uintptr_t)&seed, looked = 0;
  base_arena arena;

  base_arena_init(&arena, base_alloc_default());
  while (!atomic_load(&s->done)) {
    const uint64_t written = atomic_load(&s->written);
    atom_store_pin(s->store);
    for (unsigned i = 0; i < 100; i++, looked++) {
      const uint64_t r = support_random(&seed);
      if (i % 10 == 9)
        look(s, &arena, s->count + r % s->count, false);
      else
        look(s, &arena, i % 3 ? r % written : written - 1 - r % FIRST, true);
    }
    atom_store_unpin(s->store);
    base_arena_reset(&arena);
  }
  base_arena_clear(&arena);
  atomic_fetch_add(&s->looked, looked);
  return NULL;
}

static void
add(shared *s, uint64_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char buf[200];
  const rdf_term term = support_term(buf, n);
  atom_id id;

  assert_ok(atom_intern(&id, s->store, &term, &err));
  atomic_store(&s->written, n + 1);
}

static void
promise_m5_lookups_answer_while_the_table_grows(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const char *wanted = getenv("QUOIN_TERMS");
  shared s = {.count = wanted ? strtoull(wanted, NULL, 10) : 120000};
  support_dir at;
  atom_marks marks = {.generation = 1};
  pthread_t threads[LOOKERS];
  atom_stats before, after;
  unsigned growths = 0;

  (void)state;
  support_dir_make(&at);
  assert_ok(atom_store_create(&at.dir, &marks, &err));
  assert_ok(
      atom_store_open(&s.store, &at.dir, &marks, ATOM_OPEN_WRITE, base_alloc_default(), &err));
  atom_store_pin(s.store); /* one reader has been there from the start: nothing it saw goes */
  atom_store_writer_enter(s.store);
  for (uint64_t n = 0; n < FIRST; n++)
    add(&s, n);
  atom_store_stats(&before, s.store);
  for (unsigned i = 0; i < LOOKERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, looker, &s), 0);
  for (uint64_t n = FIRST, slots = before.table_slots; n < s.count; n++) {
    add(&s, n);
    atom_store_stats(&after, s.store);
    growths += after.table_slots != slots;
    slots = after.table_slots;
  }
  atomic_store(&s.done, true);
  for (unsigned i = 0; i < LOOKERS; i++)
    (void)pthread_join(threads[i], NULL);
  assert_int_equal(atomic_load(&s.faults), 0);
  assert_true(growths >= 3);
  assert_true(after.table_slots >= 64 * before.table_slots);
  assert_ok(atom_check(s.store, NULL, &err));
  print_message("%u growths to %llu slots under %llu lookups\n", growths,
                (unsigned long long)after.table_slots, (unsigned long long)atomic_load(&s.looked));
  atom_store_writer_leave(s.store);
  atom_store_unpin(s.store);
  atom_store_close(s.store);
  support_dir_remove(&at);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m5_lookups_answer_while_the_table_grows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
