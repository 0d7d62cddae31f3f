/* Ranks against the ids they stand for, sorted by the library's qsort; and a team of threads. */
#include "quadstore/ranks.h"
#include "quadstore/team.h"
#include "test_quadstore_support.h"

#include <stdatomic.h>

#define MEM base_alloc_default()

enum { MOST = 150000 }; /* several slices for each of four threads */

static unsigned sort_keys;
static uint8_t sort_by[4];

static int
by_keys(const void *a, const void *b)
{
  const uint64_t *x = a, *y = b;
  for (unsigned i = 0; i < sort_keys; i++)
    if (x[sort_by[i]] != y[sort_by[i]]) return x[sort_by[i]] < y[sort_by[i]] ? -1 : 1;
  return 0;
}

/* An id of the sort columns hold: dense terms, sparse terms, doubles, numbers, the same again. */
static uint64_t
random_id(unsigned shape)
{
  switch (shape) {
  case 0:
    return (uint64_t)ATOM_IRI << 58 | (1 + draw() % 5000);
  case 1: /* far apart: wide */
    return (uint64_t)(ATOM_IRI + draw() % 4) << 58 | (draw() & ((UINT64_C(1) << 40) - 1));
  case 2: /* doubles: all 64 bits vary */
    return UINT64_C(2) << 62 | draw() >> 2;
  case 3: /* kinds side by side, narrow and wide */
    return draw() % 2 ? (uint64_t)ATOM_INTEGER << 58 | (1000 + draw() % 70000) : random_id(2);
  default:
    return (uint64_t)ATOM_STRING << 58 | 77;
  }
}

/* Ranks of a copy of n records, with some room to spare. */
static void
make_ranks(quad_ranks *out, const uint64_t *ids, size_t n, unsigned keys, unsigned threads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  size_t room = n + draw() % 3;
  uint64_t *copy = base_new(MEM, room * keys, 8);

  assert_non_null(copy);
  memcpy(copy, ids, n * keys * 8);
  assert_ok(quad_ranks_new(out, copy, n, room, keys, threads, MEM, &err));
}

static void
check_ids(const quad_ranks *r, const uint64_t *ids, size_t n)
{
  assert_int_equal(r->n, n);
  for (size_t i = 0; i < n; i++)
    for (unsigned k = 0; k < r->keys; k++)
      assert_true(r->ids[k][r->data[i * r->keys + k]] == ids[i * r->keys + k]);
  for (unsigned k = 0; k < r->keys; k++)
    for (size_t i = 1; i < r->distinct[k]; i++)
      assert_true(r->ids[k][i - 1] < r->ids[k][i]);
}

static void
test_ranks__sort_as_the_ids_do(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t *ids = base_new(MEM, 4 * (size_t)MOST, 8);
  assert_non_null(ids);
  for (unsigned round = 0; round < 24; round++) {
    size_t n = round % 3 ? 1 + draw() % 3000 : 100000 + draw() % (MOST - 100000), kept = 1;
    unsigned keys = 3 + (unsigned)draw() % 2, threads = 1 + (unsigned)draw() % 4;
    unsigned shape[4] = {(unsigned)draw() % 5, (unsigned)draw() % 5, (unsigned)draw() % 5,
                         (unsigned)draw() % 5};
    quad_ranks r;

    for (size_t i = 0; i < n * keys; i++)
      ids[i] = random_id(shape[i % keys]);
    for (size_t i = 0; i + 1 < n; i += 2) /* and some quads twice */
      if (draw() % 8 == 0) memcpy(ids + (i + 1) * keys, ids + i * keys, 8 * (size_t)keys);
    make_ranks(&r, ids, n, keys, threads);
    check_ids(&r, ids, n);

    sort_keys = keys;
    for (unsigned i = 0; i < keys; i++)
      sort_by[i] = (uint8_t)i;
    for (unsigned i = 0; i < keys; i++) { /* any order of the keys */
      unsigned with = (unsigned)draw() % keys;
      uint8_t held = sort_by[i];
      sort_by[i] = sort_by[with];
      sort_by[with] = held;
    }
    assert_ok(quad_ranks_sort(&r, sort_by, keys, &err));
    qsort(ids, n, 8 * (size_t)keys, by_keys);
    check_ids(&r, ids, n);

    quad_ranks_unique(&r);
    for (size_t i = 1; i < n; i++)
      if (memcmp(ids + i * keys, ids + (kept - 1) * keys, 8 * (size_t)keys) != 0)
        memmove(ids + kept++ * keys, ids + i * keys, 8 * (size_t)keys);
    check_ids(&r, ids, kept);
    quad_ranks_clear(&r);
  }
  base_release(MEM, ids, 4 * (size_t)MOST, 8);
}

static void
test_ranks__sort_by_one_key_is_stable(void **state)
{
  (void)state;
  static const uint8_t spo[3] = {QUAD_S, QUAD_P, QUAD_O}, p[1] = {QUAD_P};
  quoin_error err = QUOIN_ERROR_INIT;
  size_t n = 90000;
  uint64_t *ids = base_new(MEM, 3 * n, 8);
  quad_ranks r;

  for (size_t i = 0; i < 3 * n; i++)
    ids[i] = (uint64_t)ATOM_IRI << 58 | (1 + draw() % (i % 3 == 1 ? 20 : 9000));
  make_ranks(&r, ids, n, 3, 3);
  assert_ok(quad_ranks_sort(&r, spo, 3, &err));
  assert_ok(quad_ranks_sort(&r, p, 1, &err));
  sort_keys = 3;
  memcpy(sort_by, ((uint8_t[4]){QUAD_P, QUAD_S, QUAD_O}), 4);
  qsort(ids, n, 24, by_keys);
  check_ids(&r, ids, n);
  quad_ranks_clear(&r);
  base_release(MEM, ids, 3 * n, 8);
}

/* The order of `ids` is to be that of `by`, of the ranks' too. */
static void
check_order(const quad_ranks *r, uint64_t *ids, size_t n, unsigned keys, const char *by)
{
  assert_true(keys <= 4);
  sort_keys = keys;
  for (unsigned i = 0; i < keys && i < 4; i++)
    sort_by[i] = by[i] == 'S' ? QUAD_S : by[i] == 'P' ? QUAD_P : by[i] == 'O' ? QUAD_O : QUAD_G;
  qsort(ids, n, 8 * (size_t)keys, by_keys);
  check_ids(r, ids, n);
}

/* The way a load goes: subjects that lie together or not, in order or not; large groups. */
static void
test_ranks__sort_by_groups_as_by_radix(void **state)
{
  (void)state;
  static const uint8_t o[1] = {QUAD_O};
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t *ids = base_new(MEM, 4 * (size_t)MOST, 8);
  assert_non_null(ids);
  for (unsigned round = 0; round < 24; round++) {
    size_t n = round % 3 ? 1 + draw() % 3000 : 50000 + draw() % (MOST - 50000);
    unsigned keys = 3 + (unsigned)draw() % 2, threads = 1 + (unsigned)draw() % 4;
    size_t together = draw() % 2 ? 1 + draw() % 500 : n;
    unsigned step = draw() % 3 ? 1 : 7919 /* a prime: no subject comes twice */;
    bool scattered = draw() % 4 == 0;
    quad_ranks r;

    for (size_t i = 0; i < n; i++) {
      uint64_t *q = ids + i * keys;
      q[0] = (uint64_t)ATOM_IRI << 58 |
             (1 + (scattered ? draw() % 300 : (i / together + 1) * step % 1000003));
      q[1] = (uint64_t)ATOM_IRI << 58 | (1 + draw() % 20);
      q[2] = (uint64_t)ATOM_STRING << 58 | (1 + draw() % (1 + n / 2));
      if (keys == 4) q[3] = (uint64_t)ATOM_IRI << 58 | (1 + draw() % 3);
    }
    make_ranks(&r, ids, n, keys, threads);
    assert_ok(quad_ranks_sort_first(&r, &err));
    check_order(&r, ids, n, keys, "SPOG");
    const uint32_t *aside = NULL, *data = r.data;
    assert_ok(quad_ranks_sort_aside(&aside, &r, QUAD_P, &err));
    assert_non_null(aside);
    quad_ranks pso = r;
    pso.data = (uint32_t *)(uintptr_t)aside;
    check_order(&pso, ids, n, keys, "PSOG");
    assert_ptr_equal(r.data, data);
    quad_ranks_sort_groups(&r, QUAD_S, QUAD_O, QUAD_P);
    check_order(&r, ids, n, keys, "SOPG");
    assert_ok(quad_ranks_sort(&r, o, 1, &err));
    quad_ranks_sort_groups(&r, QUAD_O, QUAD_P, QUAD_S);
    check_order(&r, ids, n, keys, "OPSG");
    quad_ranks_clear(&r);
  }
  base_release(MEM, ids, 4 * (size_t)MOST, 8);
}

typedef struct tally {
  _Atomic(unsigned) calls[1000];
} tally;

static void
count_call(void *user, size_t i)
{
  atomic_fetch_add(&((tally *)user)->calls[i], 1);
}

static void
test_team__does_each_part_once(void **state)
{
  (void)state;
  for (unsigned threads = 0; threads < 100; threads += 1 + threads / 2)
    for (size_t n = 0; n <= 1000; n += 1 + n) {
      tally t = {0};
      quad_team_run(threads, n, count_call, &t);
      for (size_t i = 0; i < 1000; i++)
        assert_int_equal(atomic_load(&t.calls[i]), i < n);
    }
  for (size_t n = 0; n < 50; n++)
    for (size_t parts = 1; parts < 9; parts++) {
      assert_int_equal(quad_team_cut(n, 0, parts), 0);
      assert_int_equal(quad_team_cut(n, parts, parts), n);
      for (size_t i = 0; i < parts; i++)
        assert_true(quad_team_cut(n, i, parts) <= quad_team_cut(n, i + 1, parts));
    }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ranks__sort_as_the_ids_do),
      cmocka_unit_test(test_ranks__sort_by_one_key_is_stable),
      cmocka_unit_test(test_ranks__sort_by_groups_as_by_radix),
      cmocka_unit_test(test_team__does_each_part_once),
  };
  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
