/* The table of terms: what a slot says, terms far from their homes, larger tables made of smaller.
 */
#include "atomstore/store.h"

#include "unit/test_atomstore_support.h"

/* ---- slots
 * --------------------------------------------------------------------------------------- */

/* Each slot of `table` stands for the hash of its number, in as many bits as it says. */
static void
assert_slots(const atom_table *table, const uint64_t *hashes, uint64_t n)
{
  uint64_t seen = 0;
  for (uint64_t at = 0; at <= table->mask; at++) {
    uint64_t slot = atomic_load(&table->slots[at]);
    if (!slot) continue;
    uint64_t number = atom_slot_number(table, slot);
    assert_true(atom_slot_is_sound(slot));
    assert_true(number >= 1 && number <= n);
    uint64_t far = (at - atom_slot_home(table, hashes[number - 1])) & table->mask;
    assert_true(atom_slot_fits(table, slot, hashes[number - 1], far));
    for (unsigned bit = 0; bit < 64; bit++) /* of itself, and of the hash */
      assert_false(atom_slot_is_sound(slot ^ UINT64_C(1) << bit));
    for (unsigned bit = 16; bit < 64 - table->bits; bit++)
      assert_false(atom_slot_fits(table, slot, hashes[number - 1] ^ UINT64_C(1) << bit, far));
    seen++;
  }
  assert_int_equal(seen, n);
}

static void
test_table__slots_keep_48_bits_of_the_hash(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  uint64_t seed = support_seed();
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  for (unsigned bits = 10; bits <= 16; bits += 3) {
    atom_table *small, *large;
    uint64_t n = (UINT64_C(3) << bits) / 4;
    uint64_t *hashes = calloc(n, sizeof(*hashes));
    assert_non_null(hashes);
    assert_ok(atom_table_create(&small, store, 1000 + bits, bits, &err));
    for (uint64_t i = 0; i < n; i++) {
      hashes[i] = support_random(&seed);
      atom_table_put(small, i + 1, hashes[i]);
    }
    assert_slots(small, hashes, n);
    /* Copied, the tables are as if all had been put there: but far slots need records. */
    unsigned steps = 1 + (unsigned)(support_random(&seed) % 4);
    uint64_t far = 0;
    for (uint64_t place = 0; place <= small->mask; place++)
      far += (atomic_load(&small->slots[place]) >> (bits + 8) & 0xff) == ATOM_SLOT_FAR;
    assert_ok(atom_table_create(&large, store, 2000 + bits, bits + steps, &err));
    if (!far) {
      assert_ok(atom_table_copy(large, store, small, n, NULL, &err));
      assert_slots(large, hashes, n);
      atom_table *put;
      assert_ok(atom_table_create(&put, store, 3000 + bits, bits + steps, &err));
      for (uint64_t i = 0; i < n; i++)
        atom_table_put(put, i + 1, hashes[i]);
      assert_memory_equal(large->slots, put->slots, (large->mask + 1) * sizeof(*large->slots));
      atom_table_free(put, store->mem);
    }
    /* What is emptied hides nothing else. */
    bool bad;
    uint64_t kept = support_random(&seed) % n;
    assert_int_equal(atom_table_clear_above(small, kept, &bad), kept);
    assert_false(bad);
    assert_slots(small, hashes, kept);
    for (uint64_t i = 0; i < kept; i++)
      assert_true(atom_table_clear_one(small, kept - i, hashes[kept - i - 1]));
    assert_slots(small, hashes, 0);
    atom_table_free(small, store->mem);
    atom_table_free(large, store->mem);
    free(hashes);
  }
  support_atoms_close(store);
  support_dir_remove(&f.at);
}

/* ---- far from home
 * ------------------------------------------------------------------------------- */

enum { CROWD = 500, HOME_BITS = 12 };

/* IRIs that have one home in all tables of up to 2^HOME_BITS slots. */
static void
crowd_make(char (*texts)[32], uint64_t seed)
{
  size_t n = 0;
  for (uint64_t i = support_random(&seed) % 1000000; n < CROWD; i++) {
    (void)snprintf(texts[n], 32, "urn:%llu", (unsigned long long)i);
    rdf_term term = support_iri(texts[n]);
    n += atom_hash(&term) >> (64 - HOME_BITS) == 5;
  }
}

static void
assert_crowd(atom_store *store, char (*texts)[32], uint64_t from, uint64_t to, bool there)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (uint64_t i = from; i < to; i++) {
    rdf_term term = support_iri(texts[i]);
    atom_id id;
    assert_ok(atom_find(&id, store, &term, UINT64_MAX, &err));
    assert_int_equal(id.bits, there ? atom_id_make(ATOM_IRI, i + 1).bits : 0);
  }
}

static void
crowd_intern(atom_store *store, char (*texts)[32], uint64_t from, uint64_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (uint64_t i = from; i < to; i++) {
    rdf_term term = support_iri(texts[i]);
    atom_id id;
    assert_ok(atom_intern(&id, store, &term, &err));
    assert_int_equal(atom_id_payload(id), i + 1);
  }
}

static void
test_table__terms_of_one_home_are_found(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  atom_stats stats;
  char buf[200];
  char(*texts)[32] = calloc(CROWD, sizeof(*texts));
  assert_non_null(texts);
  crowd_make(texts, support_seed());
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  crowd_intern(store, texts, 0, 400);
  assert_crowd(store, texts, 0, 400, true);
  assert_crowd(store, texts, 400, CROWD, false);
  atom_rollback(store, 300, 0);
  assert_crowd(store, texts, 0, 300, true);
  assert_crowd(store, texts, 300, CROWD, false);
  crowd_intern(store, texts, 300, CROWD);
  for (uint64_t n = 0; n < 2000; n++) { /* the table grows twice */
    rdf_term term = support_term(buf, n);
    atom_id id;
    assert_ok(atom_intern(&id, store, &term, &err));
  }
  assert_crowd(store, texts, 0, CROWD, true);
  atom_store_stats(&stats, store);
  assert_int_equal(stats.table_slots, 1 << HOME_BITS);
  assert_ok(atom_check(store, NULL, &err));
  assert_ok(atom_store_sync(&f.marks, store, &err));
  support_atoms_close(store);
  assert_ok(atom_store_open(&store, &f.at.dir, &f.marks, ATOM_OPEN_READ_ONLY, base_alloc_default(),
                            &err));
  atom_store_pin(store);
  assert_crowd(store, texts, 0, CROWD, true);
  assert_ok(atom_check(store, NULL, &err));
  atom_store_unpin(store);
  atom_store_close(store);
  free(texts);
  support_dir_remove(&f.at);
}

/* Beyond 255 places a slot does not say how far from home it is: its term is asked. */
static void
test_table__a_far_slot_may_be_of_another_home(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  support_atoms f;
  atom_table *table;
  atom_id id;
  support_atoms_make(&f);
  atom_store *store = support_atoms_open(&f, ATOM_OPEN_WRITE);
  rdf_term one = support_iri("urn:one"), two = support_iri("urn:two");
  assert_ok(atom_intern(&id, store, &one, &err));
  assert_ok(atom_intern(&id, store, &two, &err));
  atom_key key = {.kind = ATOM_IRI, .value = two.value};
  atom_key_hash(&key);
  assert_ok(atom_table_create(&table, store, 9, 10, &err));
  for (uint64_t i = 0; i < 300; i++) /* in the way; 3 and more are above the mark */
    atom_table_put(table, 3 + i, key.hash ^ UINT64_C(1) << 52);
  for (uint64_t i = 0; i < 260; i++)
    atom_table_put(table, 303 + i, key.hash);
  atom_table_put(table, 1, key.hash); /* a slot for `one` that could be that of `two` */
  assert_ok(atom_table_find(&id, store, table, &key, 2, &err));
  assert_int_equal(id.bits, 0);
  atom_table_put(table, 2, key.hash);
  assert_ok(atom_table_find(&id, store, table, &key, 2, &err));
  assert_int_equal(id.bits, atom_id_make(ATOM_IRI, 2).bits);
  atom_table_free(table, store->mem);
  support_atoms_close(store);
  support_dir_remove(&f.at);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table__slots_keep_48_bits_of_the_hash),
      cmocka_unit_test(test_table__terms_of_one_home_are_found),
      cmocka_unit_test(test_table__a_far_slot_may_be_of_another_home),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
