/* Backups that become stores of a pool: whole, within the budget, or not at all; while others
 * write, and when memory is gone. */
#include "support/memory.h"
#include "unit/test_pool_support.h"
#include "vector/vector.h"

#include <pthread.h>

static void
path_in(char out[200], const support_dir *d, const char *name)
{
  (void)snprintf(out, 200, "%s/%s", d->path, name);
}

/* A store of numbers [0, n) beside the pool of `d`. */
static void
make_backup(const char *path, unsigned n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  quad_store *store;
  assert_ok(quad_store_open(&store, path, &options, MEM, &err));
  change_numbers(store, 0, n, false);
  assert_ok(quad_store_close(store, &err));
}

static void
test_restore__makes_a_store_of_the_name(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d, beside;
  char from[200];
  (void)state;

  support_dir_make(&d);
  support_dir_make(&beside);
  path_in(from, &beside, "monday");
  make_backup(from, 300);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_restore(p, "first", from, NULL, &err));
  assert_names(p, "first*");
  assert_ok(pool_restore(p, "second", from, NULL, &err));
  assert_names(p, "first* second");
  fill(p, "first", 300, 310); /* lives on by itself */
  assert_int_equal(quads_of(p, "first"), 310);
  assert_int_equal(quads_of(p, "second"), 300);

  assert_int_equal(pool_restore(p, "first", from, NULL, &err), QUOIN_ERR_EXISTS);
  assert_non_null(strstr(err.message, "switch"));
  assert_non_null(strstr(err.message, "delete 'first'"));
  assert_int_equal(pool_restore(p, "a\nb", from, NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(pool_restore(p, "third", d.path, NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(pool_restore(p, "third", "/no/such/place", NULL, &err), QUOIN_ERR_NOT_FOUND);
  atomic_int flag = 1;
  base_cancel cancel = {.flag = &flag};
  assert_int_equal(pool_restore(p, "third", from, &cancel, &err), QUOIN_ERR_CANCELLED);
  assert_names(p, "first* second");
  assert_int_equal(pool_dirs(d.path), 2); /* nothing is left of them */
  pool_close(p);

  p = pool_at(&d, POOL_READ_ONLY);
  assert_int_equal(pool_restore(p, "third", from, NULL, &err), QUOIN_ERR_READ_ONLY);
  assert_int_equal(quads_of(p, "first"), 310);
  pool_close(p);
  pool_dir_drop(&d);
  pool_dir_drop(&beside);
}

/* One bit of the backup is wrong: no store comes of it. */
static void
test_restore__verifies(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d, beside;
  char from[200], run[300];
  (void)state;

  support_dir_make(&d);
  support_dir_make(&beside);
  path_in(from, &beside, "bad");
  make_backup(from, 3000);
  (void)snprintf(run, sizeof run, "%s/run-1", from);
  FILE *f = fopen(run, "r+b");
  assert_non_null(f);
  assert_int_equal(fseek(f, 5000, SEEK_SET), 0);
  int byte = fgetc(f);
  assert_int_equal(fseek(f, 5000, SEEK_SET), 0);
  assert_int_not_equal(fputc(byte ^ 4, f), EOF);
  assert_int_equal(fclose(f), 0);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_int_equal(pool_restore(p, "a", from, NULL, &err), QUOIN_ERR_CORRUPT);
  assert_names(p, "");
  assert_int_equal(pool_dirs(d.path), 0);
  pool_close(p);
  pool_dir_drop(&d);
  pool_dir_drop(&beside);
}

/* Refused before anything is copied, in time and in bytes; links count as well. */
static void
test_restore__asks_the_budget_first(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d, beside;
  pool_usage usage;
  char from[200];
  (void)state;

  support_dir_make(&d);
  support_dir_make(&beside);
  path_in(from, &beside, "large");
  make_backup(from, 30000);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "small", 0, &err));
  assert_ok(pool_restore(p, "it", from, NULL, &err));
  assert_ok(pool_get_usage(&usage, p, &err));
  uint64_t both = usage.bytes;
  assert_ok(pool_delete(p, "it", &err));
  assert_ok(pool_get_usage(&usage, p, &err));
  uint64_t before = usage.bytes, needed = both - before;
  assert_ok(pool_set_budget(p, before + needed / 8, &err));
  assert_int_equal(pool_restore(p, "it", from, NULL, &err), QUOIN_ERR_NO_SPACE);
  print_message("%s\n", err.message);
  char used[60];
  (void)snprintf(used, sizeof used, ": %llu used", (unsigned long long)before);
  assert_non_null(strstr(err.message, used)); /* nothing was copied yet */
  assert_non_null(strstr(err.message, "small "));
  assert_names(p, "small*");
  assert_int_equal(pool_dirs(d.path), 1);
  assert_ok(pool_set_budget(p, before + needed, &err));
  assert_ok(pool_restore(p, "it", from, NULL, &err));
  assert_ok(pool_get_usage(&usage, p, &err));
  assert_int_equal(usage.bytes, before + needed);
  assert_int_equal(quads_of(p, "it"), 30000);
  pool_close(p);
  pool_dir_drop(&d);
  pool_dir_drop(&beside);
}

/* A sweep by another process meanwhile: what is copied is locked. */
static void
test_restore__a_sweep_spares_what_is_being_copied(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d, beside;
  char from[200];
  (void)state;

  support_dir_make(&d);
  support_dir_make(&beside);
  path_in(from, &beside, "monday");
  make_backup(from, 20000);
  pool *p = pool_at(&d, POOL_CREATE);
  int status, begun[2];
  assert_int_equal(pipe(begun), 0);
  pid_t child = fork(); /* while there are no threads */
  if (!child) {
    char byte;
    if (read(begun[0], &byte, 1) != 1) _exit(1);
    for (unsigned i = 0; i < 40; i++) {
      pool *q = pool_at(&d, POOL_READ_WRITE); /* sweeps */
      if (pool_create(q, "other", 1 << QUAD_SPO, &err) || pool_delete(q, "other", &err)) _exit(2);
      pool_close(q);
    }
    _exit(0);
  }
  assert_int_equal(write(begun[1], "", 1), 1);
  for (unsigned i = 0; i < 4; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "n%u", i);
    assert_ok(pool_restore(p, name, from, NULL, &err));
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  close(begun[0]), close(begun[1]);
  for (unsigned i = 0; i < 4; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "n%u", i);
    assert_int_equal(quads_of(p, name), 20000);
  }
  pool_close(p);
  pool_dir_drop(&d);
  pool_dir_drop(&beside);
}

/* ---- beside writing threads ------------------------------------------------------------------ */

enum { WRITERS = 3, EACH = 10 };

typedef struct writing {
  pthread_t thread;
  pool *pool;
  unsigned number;
  atomic_int *stop;
} writing;

/* Commits of EACH quads: a backup has all of one or none. */
static void *
write_on(void *user)
{
  writing *w = user;
  quoin_error err = QUOIN_ERROR_INIT;
  pool_store *s;
  assert_ok(pool_acquire(&s, w->pool, "live", &err));
  for (unsigned i = 0; !atomic_load(w->stop); i++) {
    quad_txn *txn;
    assert_ok(quad_txn_begin(&txn, pool_store_quads(s), &err));
    for (unsigned n = 0; n < EACH; n++)
      txn_add_number(txn, (i * WRITERS + w->number) * EACH + n);
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
    if (i % 50 == 49) assert_ok(quad_checkpoint(pool_store_quads(s), &err));
  }
  assert_ok(pool_store_release(s, &err));
  return NULL;
}

static void
test_restore__of_backups_beside_writing_threads(void **state)
{
  enum { ROUNDS = 6 };
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d, beside;
  writing w[WRITERS];
  atomic_int stop = 0;
  uint64_t last = 0;
  pool_store *s;
  (void)state;

  support_dir_make(&d);
  support_dir_make(&beside);
  pool *p = pool_at(&d, POOL_CREATE);
  assert_ok(pool_create(p, "live", 0, &err));
  for (unsigned i = 0; i < WRITERS; i++) {
    w[i] = (writing){.pool = p, .number = i, .stop = &stop};
    assert_int_equal(pthread_create(&w[i].thread, NULL, write_on, &w[i]), 0);
  }
  assert_ok(pool_acquire(&s, p, "live", &err));
  for (unsigned i = 0; i < ROUNDS; i++) {
    char name[16], path[200];
    (void)snprintf(name, sizeof name, "copy%u", i);
    path_in(path, &beside, name);
    assert_ok(quad_store_backup(pool_store_quads(s), path, NULL, &err));
    assert_ok(pool_restore(p, name, path, NULL, &err));
    uint64_t n = quads_of(p, name);
    assert_int_equal(n % EACH, 0);
    assert_true(n >= last);
    last = n;
    if (i == 2) assert_ok(pool_switch(p, "copy1", "copy2", &err));
    if (i >= 3) assert_ok(pool_delete(p, name, &err));
  }
  atomic_store(&stop, 1);
  for (unsigned i = 0; i < WRITERS; i++)
    assert_int_equal(pthread_join(w[i].thread, NULL), 0);
  assert_true(quads_in(pool_store_quads(s)) >= last);
  assert_ok(pool_store_release(s, &err));
  pool_close(p);
  assert_int_equal(pool_dirs(d.path), 4);
  pool_dir_drop(&d);
  pool_dir_drop(&beside);
}

/* ---- memory that is gone --------------------------------------------------------------------- */

/* An index, vectors, and quads, of which some are in the log alone. */
static void
make_with_vectors(const char *path)
{
  static const char *const head[][3] = {{RDF_NS "type", RDF_VEC "Index", ""},
                                        {RDF_VEC "dimension", "2", RDF_XSD "integer"}};
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true, .inline_maintenance = true};
  quad_store *store;
  quad_snapshot *shot;
  quad_txn *txn;
  assert_ok(quad_store_open(&store, path, &options, MEM, &err));
  assert_ok(vec_attach(store, &(vec_options){.mem = MEM}, &err));
  assert_ok(quad_txn_begin(&txn, store, &err));
  for (unsigned n = 0; n < 10; n++) {
    char value[40];
    rdf_term q[4] = {{.kind = RDF_IRI, .value = base_span("http://example.org/near")}};
    q[1] = q[0];
    (void)snprintf(value, sizeof value, "[%u,-1]", n);
    q[2] = (rdf_term){
        .kind = RDF_LITERAL, .value = base_span(value), .datatype = base_span(RDF_VEC_F32)};
    if (n < 2) {
      q[1].value = base_span(head[n][0]);
      q[2] = (rdf_term){.kind = *head[n][2] ? RDF_LITERAL : RDF_IRI,
                        .value = base_span(head[n][1]),
                        .datatype = base_span(head[n][2])};
      q[3] = (rdf_term){.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
    }
    assert_ok(quad_txn_add(txn, q, &err));
  }
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  change_numbers(store, 0, 50, false);
  assert_ok(quad_snapshot_acquire(&shot, store, &err));
  assert_ok(vec_settle(shot, NULL, &err));
  quad_snapshot_release(shot);
  assert_ok(quad_store_close(store, &err));
}

typedef struct world {
  support_dir pool, beside;
  char from[200], to[200];
} world;

static quoin_status
restore_a_store(world *w, const base_alloc *mem, quoin_error *err)
{
  return vec_restore(w->to, w->from, NULL, NULL, mem, err);
}

static quoin_status
restore_into_the_pool(world *w, const base_alloc *mem, quoin_error *err)
{
  const pool_options options = {.store = {.inline_maintenance = true}};
  pool *p;
  quoin_status st = pool_open(&p, w->pool.path, &options, mem, err);
  if (st) return st;
  st = pool_restore(p, "b", w->from, NULL, err);
  pool_close(p);
  return st;
}

/* Of a store that is written to, with changes that are in memory. */
static quoin_status
back_up(world *w, const base_alloc *mem, quoin_error *err)
{
  const quad_store_options options = {.inline_maintenance = true};
  quad_store *store;
  quoin_status st = quad_store_open(&store, w->from, &options, mem, err), closed;
  if (st) return st;
  if (!(st = vec_attach(store, &(vec_options){.mem = mem}, err)))
    st = quad_store_backup(store, w->to, NULL, err);
  closed = quad_store_close(store, st ? NULL : err);
  return st ? st : closed;
}

typedef quoin_status (*attempt)(world *w, const base_alloc *mem, quoin_error *err);

/* Each allocation fails once: NOMEM and nothing left, or all of it. */
static void
fail_each(const char *what, attempt attempt_it, world *w)
{
  support_memory m = {0};
  const base_alloc mem = support_alloc(&m);
  const uint64_t stride = getenv("QUOIN_CRASH_SEEDS") ? 1 : 3;
  unsigned long long failed = 0, tried = 0, calls = 1;
  for (unsigned long long n = 0; n <= calls; n += n ? stride : 1, tried++) { /* 0: none */
    quoin_error err = QUOIN_ERROR_INIT;
    char command[500];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", w->to);
    if (!access(w->to, F_OK)) assert_int_equal(system(command), 0);
    support_memory_fail(&m, n);
    quoin_status st = attempt_it(w, &mem, &err);
    if (m.bytes || m.blocks) fail_msg("%s, allocation %llu: a leak", what, n);
    if (!n) {
      calls = m.calls;
      assert_ok(st);
    }
    if (st && st != QUOIN_ERR_NOMEM) fail_msg("%s, allocation %llu: %s", what, n, err.message);
    if (st && !access(w->to, F_OK)) fail_msg("%s, allocation %llu: something is left", what, n);
    failed += st != QUOIN_OK;
    const bool named = !st && attempt_it == restore_into_the_pool;
    pool *p = pool_at(&w->pool, POOL_READ_WRITE);
    if (pool_dirs(w->pool.path) != (named ? 2 : 1))
      fail_msg("%s, allocation %llu: leftovers", what, n);
    assert_names(p, named ? "a* b" : "a*");
    if (named) {
      assert_int_equal(quads_of(p, "b"), 60);
      assert_ok(pool_delete(p, "b", &err));
    }
    pool_close(p);
  }
  print_message("%s: %llu allocations, %llu tried, %llu made it fail\n", what, calls, tried,
                failed);
  assert_true(failed > tried / 2);
}

static void
test_restore__each_allocation_may_fail(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  world w;
  (void)state;

  support_dir_make(&w.pool);
  support_dir_make(&w.beside);
  path_in(w.from, &w.beside, "from");
  path_in(w.to, &w.beside, "to");
  make_with_vectors(w.from);
  pool *p = pool_at(&w.pool, POOL_CREATE);
  assert_ok(pool_create(p, "a", 1 << QUAD_SPO, &err));
  pool_close(p);
  fail_each("restore", restore_a_store, &w);
  fail_each("restore into a pool", restore_into_the_pool, &w);
  fail_each("backup", back_up, &w);
  pool_dir_drop(&w.pool);
  pool_dir_drop(&w.beside);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_restore__makes_a_store_of_the_name),
      cmocka_unit_test(test_restore__verifies),
      cmocka_unit_test(test_restore__asks_the_budget_first),
      cmocka_unit_test(test_restore__a_sweep_spares_what_is_being_copied),
      cmocka_unit_test(test_restore__of_backups_beside_writing_threads),
      cmocka_unit_test(test_restore__each_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
