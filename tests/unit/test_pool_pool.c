/* Pools: names, what they mean, who holds what, and how much disk. */
#include "unit/test_pool_support.h"

#include <pthread.h>
#include <signal.h>

static void
test_pool__names(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_store *s;
  (void)state;

  support_dir_make(&d);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_names(p, "");
  assert_int_equal(pool_acquire(&s, p, NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_ok(pool_create(p, "b", 0, &err));
  assert_ok(pool_create(p, "a / \"ä\"", 0, &err));
  assert_ok(pool_create(p, "c", 0, &err));
  assert_names(p, "a / \"ä\" b* c");
  assert_int_equal(pool_create(p, "c", 0, &err), QUOIN_ERR_EXISTS);
  assert_int_equal(pool_create(p, "", 0, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(pool_create(p, "x\ny", 0, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(pool_create(p, "\xff", 0, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(pool_delete(p, "d", &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(pool_switch(p, "b", "d", &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(pool_activate(p, "d", &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(pool_clear(p, "d", &err), QUOIN_ERR_NOT_FOUND);

  fill(p, "b", 0, 10);
  fill(p, "c", 0, 20);
  assert_int_equal(quads_of(p, NULL), 10);
  assert_ok(pool_activate(p, "c", &err));
  assert_int_equal(quads_of(p, NULL), 20);
  assert_ok(pool_switch(p, "b", "c", &err));
  assert_int_equal(quads_of(p, "b"), 20);
  assert_int_equal(quads_of(p, "c"), 10);
  assert_int_equal(quads_of(p, NULL), 10); /* the name is active */
  pool_close(p);

  p = pool_at(&d, POOL_READ_WRITE);
  assert_names(p, "a / \"ä\" b c*");
  assert_int_equal(quads_of(p, "b"), 20);
  assert_ok(pool_clear(p, "b", &err));
  assert_int_equal(quads_of(p, "b"), 0);
  assert_int_equal(pool_dirs(d.path), 3);
  assert_ok(pool_delete(p, "c", &err));
  assert_int_equal(pool_dirs(d.path), 2);
  assert_names(p, "a / \"ä\" b");
  assert_int_equal(pool_acquire(&s, p, NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_non_null(strstr(err.message, "active"));
  pool_close(p);
  pool_dir_drop(&d);
}

/* A store stays what it was for those who hold it. */
static void
test_pool__held_stores_stay(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_store *a, *b, *again;
  (void)state;

  support_dir_make(&d);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "a", 0, &err));
  assert_ok(pool_create(p, "b", 0, &err));
  fill(p, "a", 0, 10);
  assert_ok(pool_acquire(&a, p, "a", &err));
  assert_ok(pool_acquire(&b, p, "b", &err));
  assert_ok(pool_switch(p, "a", "b", &err));
  assert_ok(pool_acquire(&again, p, "b", &err));
  assert_ptr_equal(again, a); /* shared */
  assert_ok(pool_store_release(again, &err));
  assert_ok(pool_delete(p, "b", &err));
  change_numbers(pool_store_quads(a), 10, 15, false);
  assert_int_equal(quads_in(pool_store_quads(a)), 15);
  assert_ok(pool_create(p, "b", 0, &err)); /* another one */
  assert_int_equal(quads_of(p, "b"), 0);
  assert_int_equal(pool_dirs(d.path), 3);
  assert_ok(pool_delete(p, "a", &err));
  pool_close(p); /* and they outlive it */
  assert_int_equal(quads_in(pool_store_quads(a)), 15);
  change_numbers(pool_store_quads(b), 0, 5, false);
  assert_ok(quad_checkpoint(pool_store_quads(b), &err));
  assert_ok(pool_store_release(pool_store_retain(b), &err));
  assert_ok(pool_store_release(b, &err));
  assert_ok(pool_store_release(a, &err));
  assert_int_equal(pool_dirs(d.path), 1);
  p = pool_at(&d, POOL_READ_WRITE);
  assert_names(p, "b");
  pool_close(p);
  pool_dir_drop(&d);
}

static void
test_pool__lent_stores(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_options options = {.mode = POOL_CREATE, .lent_most = 3};
  pool_store *s[3], *more;
  pool_usage usage;
  pool *p;
  (void)state;

  support_dir_make(&d);
  assert_ok(pool_open(&p, d.path, &options, MEM, &err));
  for (unsigned i = 0; i < 3; i++) {
    assert_ok(pool_lend(&s[i], p, 0, NULL, &err));
    change_numbers(pool_store_quads(s[i]), 0, 100 * (i + 1), false);
  }
  assert_int_equal(pool_lend(&more, p, 30, NULL, &err), QUOIN_ERR_LIMIT);
  assert_names(p, "");
  quad_store *second = pool_store_quads(s[1]);
  assert_ok(pool_store_release(s[1], &err));
  assert_ok(pool_lend(&more, p, 0, NULL, &err));
  assert_ptr_equal(pool_store_quads(more), second);
  assert_int_equal(quads_in(pool_store_quads(more)), 0);
  assert_int_equal(atom_store_terms(quad_store_atoms(second)), 0);
  assert_ok(pool_get_usage(&usage, p, &err));
  assert_int_equal(usage.lent, 3);
  assert_int_equal(pool_dirs(d.path), 3);
  pool_close(p);
  for (unsigned i = 0; i < 3; i++)
    assert_ok(pool_store_release(i == 1 ? more : s[i], &err));
  assert_int_equal(pool_dirs(d.path), 0);
  pool_dir_drop(&d);
}

static void
test_pool__temporary(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_options options = {.temporary = true};
  pool *p;
  pool_store *s;
  int status;
  (void)state;

  support_dir_make(&d);
  assert_ok(pool_open(&p, d.path, &options, MEM, &err));
  assert_ok(pool_create(p, "a", 0, &err));
  fill(p, "a", 0, 100);
  assert_ok(pool_lend(&s, p, 0, NULL, &err));
  assert_int_equal(pool_dirs(d.path), 1);
  pool_close(p);
  assert_ok(pool_store_release(s, &err));
  assert_int_equal(pool_dirs(d.path), 0);

  pid_t child = fork();
  if (!child) { /* dies with one */
    if (pool_open(&p, d.path, &options, MEM, &err) || pool_create(p, "a", 0, &err) ||
        pool_lend(&s, p, 0, NULL, &err))
      _exit(1);
    (void)kill(getpid(), SIGKILL);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(pool_dirs(d.path), 1);
  assert_ok(pool_open(&p, d.path, &options, MEM, &err));
  assert_int_equal(pool_dirs(d.path), 1); /* the dead one is gone */
  pool_close(p);
  assert_int_equal(pool_dirs(d.path), 0);
  pool_dir_drop(&d);
}

static void
test_pool__budget(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_usage usage;
  pool_store *s;
  quad_txn *txn;
  unsigned n = 0;
  quoin_status st = QUOIN_OK;
  (void)state;

  support_dir_make(&d);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "small", 0, &err));
  assert_ok(pool_create(p, "the big one", 0, &err));
  fill(p, "small", 0, 10);
  assert_ok(pool_set_budget(p, 4 << 20, &err));
  assert_ok(pool_acquire(&s, p, "the big one", &err));
  while (!st && n < 200000) {
    assert_ok(quad_txn_begin(&txn, pool_store_quads(s), &err));
    for (unsigned i = 0; i < 500; i++)
      txn_add_number(txn, n + i);
    if (!(st = quad_txn_commit(NULL, NULL, txn, &err))) n += 500;
    if (!st) st = quad_checkpoint(pool_store_quads(s), &err);
  }
  assert_int_equal(st, QUOIN_ERR_NO_SPACE);
  print_message("%s\n", err.message);
  assert_non_null(strstr(err.message, "the big one "));
  assert_non_null(strstr(err.message, "small "));
  assert_ok(pool_get_usage(&usage, p, &err));
  assert_int_equal(usage.budget, 4 << 20);
  assert_true(usage.bytes <= 4 << 20);
  assert_true(usage.bytes > 1 << 20);
  assert_true(quads_in(pool_store_quads(s)) >= n);
  assert_ok(pool_store_release(s, &err));
  assert_true(quads_of(p, "the big one") >= n);
  assert_ok(pool_clear(p, "the big one", &err)); /* makes room */
  fill(p, "the big one", 0, 100);
  pool_close(p);
  p = pool_at(&d, POOL_READ_WRITE); /* it is kept */
  assert_ok(pool_get_usage(&usage, p, &err));
  assert_int_equal(usage.budget, 4 << 20);
  assert_ok(pool_set_budget(p, POOL_NO_BUDGET, &err));
  fill(p, "the big one", 0, 20000);
  pool_close(p);
  pool_dir_drop(&d);
}

/* ---- processes ------------------------------------------------------------------------------- */

/* The other process, once it is told that `a` is held. */
static void
be_another(const support_dir *d, int told)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_store *s;
  char byte;
  if (read(told, &byte, 1) != 1) _exit(5);
  pool *q = pool_at(d, POOL_READ_WRITE);
  pool *reading = pool_at(d, POOL_READ_ONLY);
  if (pool_acquire(&s, q, "a", &err) != QUOIN_ERR_BUSY) _exit(1);
  if (quads_of(reading, "a") != 10) _exit(2);
  if (pool_create(reading, "x", 0, &err) != QUOIN_ERR_READ_ONLY) _exit(3);
  fill(q, "b", 0, 7);
  if (pool_create(q, "c", 0, &err) || pool_delete(q, "a", &err) || pool_switch(q, "b", "c", &err))
    _exit(4);
  pool_close(reading);
  pool_close(q);
  _exit(0);
}

static void
test_pool__is_shared_by_processes(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_store *a;
  int status, tell[2];
  (void)state;

  support_dir_make(&d);
  assert_int_equal(pipe(tell), 0);
  pid_t child = fork(); /* while there are no threads: those of a store do not come along */
  if (!child) be_another(&d, tell[0]);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "a", 0, &err));
  assert_ok(pool_create(p, "b", 0, &err));
  fill(p, "a", 0, 10);
  assert_ok(pool_acquire(&a, p, "a", &err));
  assert_int_equal(write(tell[1], "", 1), 1);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  close(tell[0]), close(tell[1]);
  assert_names(p, "b c");
  assert_int_equal(quads_of(p, "c"), 7);
  change_numbers(pool_store_quads(a), 10, 20, false); /* held here, deleted there */
  assert_int_equal(quads_in(pool_store_quads(a)), 20);
  assert_int_equal(pool_dirs(d.path), 3);
  assert_ok(pool_store_release(a, &err));
  assert_int_equal(pool_dirs(d.path), 2);
  pool_close(p);
  pool_dir_drop(&d);
}

/* What another process removes makes room here, and the budget that it sets holds here. */
static void
change_budget(const support_dir *d, int told, int tell)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char byte;
  if (read(told, &byte, 1) != 1) _exit(1);
  pool *p = pool_at(d, POOL_READ_WRITE);
  if (pool_delete(p, "other", &err) || write(tell, "", 1) != 1) _exit(2);
  if (read(told, &byte, 1) != 1) _exit(3);
  if (pool_set_budget(p, 1 << 20, &err) || write(tell, "", 1) != 1) _exit(4);
  pool_close(p);
  _exit(0);
}

/* Fill `s` from *n on until that is refused, or there are so many quads. */
static quoin_status
fill_up(pool_store *s, unsigned *n, unsigned most, quoin_error *why)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;
  while (!st && *n < most) {
    quad_txn *txn;
    assert_ok(quad_txn_begin(&txn, pool_store_quads(s), &err));
    for (unsigned i = 0; i < 1000; i++)
      txn_add_number(txn, *n + i);
    if (!(st = quad_txn_commit(NULL, NULL, txn, why)))
      st = quad_checkpoint(pool_store_quads(s), why);
    *n += 1000;
  }
  return st;
}

static void
test_pool__the_budget_is_that_of_all_processes(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool_store *s;
  unsigned n = 0;
  int status, ask[2], answer[2];
  char byte;
  (void)state;

  support_dir_make(&d);
  assert_int_equal(pipe(ask), 0);
  assert_int_equal(pipe(answer), 0);
  pid_t child = fork(); /* while there are no threads */
  if (!child) change_budget(&d, ask[0], answer[1]);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "here", 0, &err));
  assert_ok(pool_create(p, "other", 0, &err));
  fill(p, "other", 0, 20000);
  pool_usage usage;
  assert_ok(pool_get_usage(&usage, p, &err));
  assert_ok(pool_set_budget(p, usage.bytes + (1 << 20), &err));
  assert_ok(pool_acquire(&s, p, "here", &err));
  assert_int_equal(fill_up(s, &n, 200000, &err), QUOIN_ERR_NO_SPACE);
  assert_ok(pool_store_release(s, &err));
  assert_int_equal(write(ask[1], "", 1), 1);
  assert_int_equal(read(answer[0], &byte, 1), 1);
  assert_ok(pool_acquire(&s, p, "here", &err));
  if (fill_up(s, &n, n + 4000, &err)) fail_msg("%s", err.message); /* there is room again */
  assert_int_equal(write(ask[1], "", 1), 1);
  assert_int_equal(read(answer[0], &byte, 1), 1);
  assert_int_equal(fill_up(s, &n, n + 100000, &err), QUOIN_ERR_NO_SPACE); /* and less */
  assert_non_null(strstr(err.message, "disk budget 1048576:"));
  assert_ok(pool_store_release(s, &err));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  for (unsigned i = 0; i < 2; i++)
    close(ask[i]), close(answer[i]);
  pool_close(p);
  pool_dir_drop(&d);
}

/* ---- what is not a pool ---------------------------------------------------------------------- */

static void
write_text(const support_dir *d, const char *name, const char *content)
{
  char path[300];
  (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(content, f);
  fclose(f);
}

static void
test_pool__hostile_descriptions(void **state)
{
  static const char *const bad[] = {
      "",
      "{",
      "[]",
      "{}",
      "{\"format\": 1}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": []}",
      "{\"format\": 1, \"generation\": -1, \"next\": 2, \"stores\": {}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {\"a\": \"../x\"}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {\"a\": \"store-2\"}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {\"a\": \"store-01\"}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {\"a\": \"store-1/..\"}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {\"a\": 1}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {}, \"active\": \"a\"}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {}, \"active\": 1}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {}, \"budget\": \"1\"}",
      "{\"format\": 1, \"generation\": 1, \"next\": 9, \"stores\": {\"a\": \"store-1\", \"b\": "
      "\"store-1\"}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 9, \"stores\": {\"a\": \"store-1\", \"a\": "
      "\"store-2\"}}",
      "{\"format\": 1, \"generation\": 1, \"next\": 2, \"stores\": {}} x",
  };
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pool *p;
  (void)state;

  support_dir_make(&d);
  assert_int_equal(pool_open(&p, d.path, NULL, MEM, &err), QUOIN_ERR_NOT_FOUND);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    write_text(&d, "pool.json", bad[i]);
    if (pool_open(&p, d.path, NULL, MEM, &err) != QUOIN_ERR_CORRUPT) fail_msg("%s", bad[i]);
    assert_non_null(strstr(err.file, "pool.json"));
  }
  write_text(&d, "pool.json", "{\"format\": 2, \"generation\": 1, \"next\": 2, \"stores\": {}}");
  assert_int_equal(pool_open(&p, d.path, NULL, MEM, &err), QUOIN_ERR_VERSION);
  support_dir_empty(&d);
  write_text(&d, "letter.txt", "dear");
  pool_options create = {.mode = POOL_CREATE};
  assert_int_equal(pool_open(&p, d.path, &create, MEM, &err), QUOIN_ERR_EXISTS);
  support_dir_empty(&d);
  p = pool_at(&d, POOL_CREATE);
  create.mode = POOL_CREATE_NEW;
  pool *q;
  assert_int_equal(pool_open(&q, d.path, &create, MEM, &err), QUOIN_ERR_EXISTS);
  pool_close(p);
  pool_dir_drop(&d);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 60 };

typedef struct worker {
  pthread_t thread;
  pool *pool;
  unsigned number, rounds;
  atomic_int *stop;
} worker;

/* Every thread creates, fills, switches, lends, clears and deletes. Names a0.. belong to threads,
 * `left` and `right` are switched by all and have 10 and 20 quads. */
static void *
work(void *user)
{
  worker *w = user;
  char own[16];
  (void)snprintf(own, sizeof own, "own%u", w->number);
  for (unsigned i = 0; i < w->rounds; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    pool_store *s;
    switch ((w->number + i) % 6) {
    case 0:
      assert_ok(pool_create(w->pool, own, 1 << QUAD_SPO, &err));
      fill(w->pool, own, 0, 5);
      assert_ok(pool_acquire(&s, w->pool, own, &err));
      assert_ok(pool_delete(w->pool, own, &err));
      assert_int_equal(quads_in(pool_store_quads(s)), 5);
      assert_ok(pool_store_release(s, &err));
      break;
    case 1:
      assert_ok(pool_switch(w->pool, "left", "right", &err));
      break;
    case 2:
      assert_ok(pool_lend(&s, w->pool, 60000, NULL, &err));
      assert_int_equal(quads_in(pool_store_quads(s)), 0);
      change_numbers(pool_store_quads(s), 0, 10 + w->number, false);
      assert_int_equal(quads_in(pool_store_quads(s)), 10 + w->number);
      assert_ok(pool_store_release(s, &err));
      break;
    case 3: {
      uint64_t n = quads_of(w->pool, i % 2 ? "left" : "right");
      assert_true(n == 10 || n == 20);
      break;
    }
    case 4: {
      listing l = {""};
      assert_ok(pool_list(w->pool, list_one, &l, &err));
      assert_non_null(strstr(l.text, "left"));
      assert_non_null(strstr(l.text, "right"));
      break;
    }
    default:
      assert_ok(pool_activate(w->pool, w->number % 2 ? "left" : "right", &err));
      (void)quads_of(w->pool, NULL);
    }
  }
  return NULL;
}

static void
promise_m7_a_pool_under_eight_threads(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  worker w[THREADS];
  (void)state;

  support_dir_make(&d);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "left", 0, &err));
  assert_ok(pool_create(p, "right", 0, &err));
  fill(p, "left", 0, 10);
  fill(p, "right", 0, 20);
  for (unsigned i = 0; i < THREADS; i++) {
    w[i] = (worker){.pool = p, .number = i, .rounds = ROUNDS / 5};
    assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++)
    assert_int_equal(pthread_join(w[i].thread, NULL), 0);
  assert_int_equal(quads_of(p, "left") + quads_of(p, "right"), 30);
  pool_usage usage;
  assert_ok(pool_get_usage(&usage, p, &err));
  assert_int_equal(usage.lent, 0);
  pool_close(p);
  if (pool_dirs(d.path) != 2) fail_msg("leftovers; kept in %s", d.path);
  pool_dir_drop(&d);
}

static void *
look_at_both(void *user)
{
  worker *w = user;
  do {
    quoin_error err = QUOIN_ERROR_INIT;
    pool_store *s;
    quad_snapshot *shot;
    assert_ok(pool_acquire(&s, w->pool, "live", &err));
    assert_ok(quad_snapshot_acquire(&shot, pool_store_quads(s), &err));
    text t = text_of(shot, QUAD_SPO);
    assert_true(t.n == 10 || t.n == 20); /* one or the other, whole */
    text_free(&t);
    quad_snapshot_release(shot);
    assert_ok(pool_store_release(s, &err));
    w->rounds++;
  } while (!atomic_load(w->stop));
  return NULL;
}

static void
promise_m7_switch_shows_one_store_or_the_other(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  worker w[4];
  atomic_int stop = 0;
  (void)state;

  support_dir_make(&d);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "live", 0, &err));
  assert_ok(pool_create(p, "next", 0, &err));
  fill(p, "live", 0, 10);
  fill(p, "next", 0, 20);
  for (unsigned i = 0; i < 4; i++) {
    w[i] = (worker){.pool = p, .number = i, .stop = &stop};
    assert_int_equal(pthread_create(&w[i].thread, NULL, look_at_both, &w[i]), 0);
  }
  for (unsigned i = 0; i < 40; i++)
    assert_ok(pool_switch(p, "live", "next", &err));
  atomic_store(&stop, 1);
  for (unsigned i = 0; i < 4; i++) {
    assert_int_equal(pthread_join(w[i].thread, NULL), 0);
    assert_true(w[i].rounds > 0);
  }
  pool_close(p);
  pool_dir_drop(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pool__names),
      cmocka_unit_test(test_pool__held_stores_stay),
      cmocka_unit_test(test_pool__lent_stores),
      cmocka_unit_test(test_pool__temporary),
      cmocka_unit_test(test_pool__budget),
      cmocka_unit_test(test_pool__is_shared_by_processes),
      cmocka_unit_test(test_pool__the_budget_is_that_of_all_processes),
      cmocka_unit_test(test_pool__hostile_descriptions),
      cmocka_unit_test(promise_m7_a_pool_under_eight_threads),
      cmocka_unit_test(promise_m7_switch_shows_one_store_or_the_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
