/* Every operation of a pool, with a process that is killed at each of its calls on the disk, and
 * with each call failing: the pool opens, says what it said before or what it was to say, its
 * stores are whole, and what is left over goes. The same for a backup: it is all there, or not. */
#include "crash/pool_calls.h"
#include "unit/test_pool_support.h"

#include "vector/vector.h"

#include <signal.h>

/* The declaration of an index, and a vector for each number from 2 on: to - from quads. */
static quoin_status
add_vectors(quad_store *store, unsigned from, unsigned to, quoin_error *err)
{
  quad_txn *txn;
  quoin_status st = quad_txn_begin(&txn, store, err);
  for (unsigned n = from; n < to && !st; n++) {
    char subject[64], object[64];
    rdf_term q[4] = {{.kind = RDF_IRI}, {.kind = RDF_IRI}, {.kind = RDF_LITERAL}};
    (void)snprintf(subject, sizeof subject, "http://example.org/%u", n);
    (void)snprintf(object, sizeof object, n < 2 ? "3" : "[%u,0.5,-1]", n);
    q[0].value = base_span(n < 2 ? "http://example.org/near" : subject);
    q[1].value = base_span(n == 1 ? RDF_VEC "dimension" : "http://example.org/near");
    q[2].value = base_span(object);
    q[2].datatype = base_span(n < 2 ? RDF_XSD "integer" : RDF_VEC_F32);
    if (n < 2) q[3] = (rdf_term){.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
    if (n == 0) {
      q[1].value = base_span(RDF_NS "type");
      q[2] = (rdf_term){.kind = RDF_IRI, .value = base_span(RDF_VEC "Index")};
    }
    st = quad_txn_add(txn, q, err);
  }
  return st ? st : quad_txn_commit(NULL, NULL, txn, err);
}

/* Of `b` as prepare() leaves it; in a directory of its own. */
static char backup[200];

/* A pool of `a` (10 quads, active) and `b` (20 quads, vectors and their index among them, whose
 * graph is on the disk). */
static void
prepare(const support_dir *d)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_dir_drop(d);
  pool *p = pool_at(d, POOL_CREATE);
  assert_ok(pool_create(p, "a", 0, &err));
  assert_ok(pool_create(p, "b", 0, &err));
  fill(p, "a", 0, 10);
  fill(p, "b", 0, 8);
  pool_store *s;
  assert_ok(pool_acquire(&s, p, "b", &err));
  assert_ok(add_vectors(pool_store_quads(s), 0, 12, &err));
  quad_snapshot *shot;
  assert_ok(quad_snapshot_acquire(&shot, pool_store_quads(s), &err));
  assert_ok(vec_settle(shot, NULL, &err));
  quad_snapshot_release(shot);
  assert_ok(pool_store_release(s, &err));
  pool_close(p);
  (void)snprintf(backup, sizeof backup, "%s.backup", d->path);
  char command[500], source[300];
  (void)snprintf(source, sizeof source, "%s/store-2", d->path);
  (void)snprintf(command, sizeof command, "rm -rf '%s'", backup);
  assert_int_equal(system(command), 0);
  assert_ok(vec_restore(backup, source, NULL, NULL, MEM, &err));
}

static void
drop_backup(void)
{
  char command[300];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", backup);
  assert_int_equal(system(command), 0);
}

/* The operations, and what may be there afterwards: names and quads before, and after. */
typedef struct operation {
  const char *name;
  quoin_status (*run)(pool *p, quoin_error *err);
  const char *before, *after;
} operation;

static quoin_status
run_create(pool *p, quoin_error *err)
{
  return pool_create(p, "c", 0, err);
}

static quoin_status
run_delete(pool *p, quoin_error *err)
{
  return pool_delete(p, "b", err);
}

static quoin_status
run_delete_active(pool *p, quoin_error *err)
{
  return pool_delete(p, "a", err);
}

static quoin_status
run_switch(pool *p, quoin_error *err)
{
  return pool_switch(p, "a", "b", err);
}

static quoin_status
run_activate(pool *p, quoin_error *err)
{
  return pool_activate(p, "b", err);
}

static quoin_status
run_clear(pool *p, quoin_error *err)
{
  return pool_clear(p, "b", err);
}

static quoin_status
run_budget(pool *p, quoin_error *err)
{
  return pool_set_budget(p, 1 << 30, err);
}

static quoin_status
run_lend(pool *p, quoin_error *err)
{
  pool_store *s;
  quad_txn *txn;
  quoin_status st = pool_lend(&s, p, 0, NULL, err), closed;
  if (st) return st;
  if (!(st = quad_txn_begin(&txn, pool_store_quads(s), err))) {
    for (unsigned n = 0; n < 5; n++)
      txn_add_number(txn, n);
    st = quad_txn_commit(NULL, NULL, txn, err);
  }
  if (!st) st = add_vectors(pool_store_quads(s), 0, 5, err);
  closed = pool_store_release(s, st ? NULL : err);
  return st ? st : closed;
}

/* Deleted while it is held. */
static quoin_status
run_hold(pool *p, quoin_error *err)
{
  pool_store *s;
  quoin_status st = pool_acquire(&s, p, "b", err), closed;
  if (st) return st;
  st = pool_delete(p, "b", err);
  closed = pool_store_release(s, st ? NULL : err);
  return st ? st : closed;
}

static quoin_status
run_restore(pool *p, quoin_error *err)
{
  return pool_restore(p, "c", backup, NULL, err);
}

static const operation operations[] = {
    {"restore", run_restore, "a*10 b20", "a*10 b20 c20"},
    {"create", run_create, "a*10 b20", "a*10 b20 c0"},
    {"delete", run_delete, "a*10 b20", "a*10"},
    {"delete the active one", run_delete_active, "a*10 b20", "b20"},
    {"switch", run_switch, "a*10 b20", "a*20 b10"},
    {"activate", run_activate, "a*10 b20", "a10 b*20"},
    {"clear", run_clear, "a*10 b20", "a*10 b0"},
    {"budget", run_budget, "a*10 b20", "a*10 b20"},
    {"lend", run_lend, "a*10 b20", "a*10 b20"},
    {"delete what is held", run_hold, "a*10 b20", "a*10"},
};

/* "a*10 b20" */
typedef struct content {
  pool *pool;
  char text[200];
} content;

static quoin_status
add_content(void *user, const pool_entry *e, quoin_error *err)
{
  content *c = user;
  size_t len = strlen(c->text);
  pool_store *s;
  quoin_status st = pool_acquire(&s, c->pool, e->name, err);
  if (st) return st;
  unsigned long long n = quads_in(pool_store_quads(s));
  st = quad_store_check(pool_store_quads(s), NULL, NULL, NULL, err);
  (void)snprintf(c->text + len, sizeof c->text - len, "%s%s%s%llu", len ? " " : "", e->name,
                 e->active ? "*" : "", n);
  quoin_status closed = pool_store_release(s, st ? NULL : err);
  return st ? st : closed;
}

/* Does the pool at `d` open and say one of the two, and go on? */
static void
verify(const support_dir *d, const operation *o, bool done, unsigned long call, const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool *p;
  content c = {.text = ""};
  unsigned names = 0;
  if (pool_open(&p, d->path, NULL, MEM, &err))
    fail_msg("%s, call %lu %s: %s; kept in %s", o->name, call, what, err.message, d->path);
  c.pool = p;
  if (pool_list(p, add_content, &c, &err))
    fail_msg("%s, call %lu %s: %s; kept in %s", o->name, call, what, err.message, d->path);
  if (strcmp(c.text, o->after) && (done || strcmp(c.text, o->before)))
    fail_msg("%s, call %lu %s: '%s'; kept in %s", o->name, call, what, c.text, d->path);
  for (const char *at = c.text; *at; at++)
    names += *at == ' ' || at == c.text;
  pool_close(p);
  if (pool_dirs(d->path) != names)
    fail_msg("%s, call %lu %s: leftovers; kept in %s", o->name, call, what, d->path);
  p = pool_at(d, POOL_READ_WRITE);
  assert_ok(pool_create(p, "one more", 1 << QUAD_SPO, &err));
  assert_ok(pool_delete(p, "one more", &err));
  pool_close(p);
}

/* In a process of its own, from opening to closing; false when it was killed. */
static bool
run_in_child(const support_dir *d, const operation *o, unsigned long call, calls_mode mode,
             int *result)
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) {
    quoin_error err = QUOIN_ERROR_INIT;
    pool_options options = {.store = {.inline_maintenance = true}};
    pool *p = NULL;
    bool struck;
    calls_begin(call, mode);
    quoin_status st = pool_open(&p, d->path, &options, MEM, &err);
    if (!st) st = o->run(p, &err);
    pool_close(p);
    (void)calls_end(&struck);
    _exit((st ? 1 : 0) | (struck ? 2 : 0) | (st && !err.message[0] ? 4 : 0));
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  *result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (!WIFEXITED(status) && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
    fail_msg("%s, call %lu: the process crashed; kept in %s", o->name, call, d->path);
  return WIFEXITED(status);
}

static void
copy_pool(const support_dir *from, const support_dir *to)
{
  char command[600];
  (void)snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to->path, from->path,
                 to->path);
  assert_int_equal(system(command), 0);
}

/* ---- backups --------------------------------------------------------------------------------- */

/* Back up the store `b` (20 quads and some in memory) to `target`, in a process of its own; or
 * restore it from there, where it is only read. */
static bool
backup_in_child(const char *source, const char *target, bool restore, unsigned long call,
                calls_mode mode, int *result)
{
  int status;
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) {
    quoin_error err = QUOIN_ERROR_INIT;
    const quad_store_options options = {.inline_maintenance = true, .read_only = restore};
    quad_store *store;
    bool struck;
    if (quad_store_open(&store, source, &options, MEM, &err)) _exit(8);
    if (vec_attach(store, &(vec_options){.read_only = restore}, &err)) _exit(8);
    if (!restore) change_numbers(store, 20, 25, false);
    calls_begin(call, mode);
    quoin_status st = quad_store_backup(store, target, NULL, &err);
    (void)calls_end(&struck);
    (void)quad_store_close(store, NULL);
    _exit((st ? 1 : 0) | (struck ? 2 : 0) | (st && !err.message[0] ? 4 : 0));
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  *result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return WIFEXITED(status);
}

static void
assert_quads(const char *path, uint64_t quads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.read_only = true};
  quad_store *store;
  assert_ok(quad_store_open(&store, path, &options, MEM, &err));
  assert_ok(vec_attach(store, &(vec_options){.read_only = true}, &err));
  assert_int_equal(quads_in(store), quads);
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(store, &err));
}

/* What is a store there is the whole backup, and after an error there is nothing. */
static void
try_backup(calls_mode mode, bool restore, const char *what, unsigned stride)
{
  support_dir first, d;
  char source[200], target[200], manifest[220];
  const unsigned quads = restore ? 20 : 25;
  unsigned long call = 1, tried = 0;
  support_dir_make(&first);
  support_dir_make(&d);
  prepare(&first);
  (void)snprintf(source, sizeof source, "%s/store-2", d.path);
  (void)snprintf(target, sizeof target, "%s/copy", d.path);
  (void)snprintf(manifest, sizeof manifest, "%s/manifest", target);
  for (;; call += stride, tried++) {
    int result = 0;
    copy_pool(&first, &d);
    bool ended = backup_in_child(source, target, restore, call, mode, &result);
    if (ended && result & 12) fail_msg("call %lu %s: %d", call, what, result);
    assert_quads(source, quads);
    if (ended && result & 1) {
      if (!access(target, F_OK)) fail_msg("call %lu %s: something is left", call, what);
    } else if (ended || !access(manifest, F_OK))
      assert_quads(target, quads);
    if (ended && !(result & 2)) break; /* there are no more calls */
  }
  print_message("%s: %lu calls %s\n", restore ? "restore" : "backup", tried, what);
  drop_backup();
  pool_dir_drop(&first);
  pool_dir_drop(&d);
}

static void
try_all(calls_mode mode, const char *what, unsigned stride)
{
  support_dir first, d;
  support_dir_make(&first);
  support_dir_make(&d);
  prepare(&first);
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    const operation *o = &operations[i];
    unsigned long call = 1, tried = 0;
    for (;; call += stride) {
      int result = 0;
      copy_pool(&first, &d);
      bool ended = run_in_child(&d, o, call, mode, &result);
      if (ended && result & 4) fail_msg("%s, call %lu %s: no message", o->name, call, what);
      verify(&d, o, ended && !(result & 1), call, what);
      if (ended && !(result & 2)) break; /* there are no more calls */
      tried++;
    }
    print_message("%s: %lu calls %s\n", o->name, tried, what);
  }
  drop_backup();
  pool_dir_drop(&first);
  pool_dir_drop(&d);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STRIDE = 7 };
#else
enum { STRIDE = 2 };
#endif

static unsigned
stride_now(void)
{
  return getenv("QUOIN_CRASH_SEEDS") ? 1 : STRIDE;
}

static void
promise_m7_killed_at_each_call_the_pool_opens(void **state)
{
  (void)state;
  try_all(CALLS_KILL, "killed", stride_now());
}

static void
test_pool__each_call_fails(void **state)
{
  (void)state;
  try_all(CALLS_EIO, "failed", stride_now());
}

static void
test_pool__no_space_at_each_call(void **state)
{
  (void)state;
  try_all(CALLS_ENOSPC, "without space", stride_now());
}

static void
test_backup__killed_at_each_call(void **state)
{
  (void)state;
  try_backup(CALLS_KILL, false, "killed", stride_now());
  try_backup(CALLS_KILL, true, "killed", stride_now());
}

static void
test_backup__each_call_fails(void **state)
{
  (void)state;
  for (unsigned restore = 0; restore < 2; restore++) {
    try_backup(CALLS_EIO, restore, "failed", stride_now());
    try_backup(CALLS_ENOSPC, restore, "without space", stride_now());
  }
}

/* ---- giving back ----------------------------------------------------------------------------- */

/* One that is lent, with so many quads in files. */
static pool_store *
lend_filled(pool *p, unsigned quads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_bulk *bulk;
  pool_store *s;
  assert_ok(pool_lend(&s, p, 0, NULL, &err));
  assert_int_equal(quads_in(pool_store_quads(s)), 0);
  if (!quads) return s;
  assert_ok(quad_bulk_begin(&bulk, pool_store_quads(s), 0, 1, &err));
  for (unsigned i = 0; i < quads; i++) {
    const quad q = {
        {atom_inline_integer(i / 7), atom_inline_integer(i % 7), atom_inline_integer(i), {0}}};
    assert_ok(quad_bulk_add(bulk, &q, 1, &err));
  }
  assert_ok(quad_bulk_finish(NULL, bulk, NULL, &err));
  change_numbers(pool_store_quads(s), 0, 100, false); /* terms, and a log */
  return s;
}

static uint64_t
cpu_ns(void)
{
  struct timespec t;
  assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What a store holds does not show in giving it back: no call on the disk at all. The next one
 * finds it empty, and there are never more than may be lent. */
static void
promise_m7_what_comes_back_costs_the_same_whatever_it_holds(void **state)
{
  enum { LENT = 2 };
  const char *wanted = getenv("QUOIN_QUADS");
  const unsigned large = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 100000;
  quoin_error err = QUOIN_ERROR_INIT;
  pool_options options = {.mode = POOL_CREATE, .lent_most = LENT};
  support_dir d;
  pool *p;
  (void)state;

  support_dir_make(&d);
  assert_ok(pool_open(&p, d.path, &options, MEM, &err));
  for (unsigned i = 0; i < 4; i++) {
    pool_store *s = lend_filled(p, i % 2 ? large : 0), *other = lend_filled(p, i % 2 ? 0 : 10);
    uint64_t begun = cpu_ns();
    unsigned long calls = calls_of_thread();
    assert_ok(pool_store_release(s, &err));
    assert_int_equal(calls_of_thread(), calls);
    print_message("%u quads: %llu ns of processor time\n", i % 2 ? large : 0,
                  (unsigned long long)(cpu_ns() - begun));
    assert_ok(pool_store_release(other, &err));
    assert_true(pool_dirs(d.path) <= LENT);
  }
  pool_close(p);
  assert_int_equal(pool_dirs(d.path), 0);
  pool_dir_drop(&d);
}

/* What was given back is free for others, though it is emptied a moment later. */
static void
test_pool__what_comes_back_makes_room(void **state)
{
  quoin_error err = QUOIN_ERROR_INIT;
  pool_options options = {.mode = POOL_CREATE, .lent_most = 4, .budget = 8 << 20};
  support_dir d;
  pool *p;
  (void)state;

  support_dir_make(&d);
  assert_ok(pool_open(&p, d.path, &options, MEM, &err));
  for (unsigned i = 0; i < 6; i++) /* two of them at once would be too much */
    assert_ok(pool_store_release(lend_filled(p, 40000), &err));
  pool_close(p);
  pool_dir_drop(&d);
}

/* Killed while it is emptied: nothing is left. */
static void
test_pool__killed_with_what_came_back(void **state)
{
  support_dir d;
  (void)state;

  support_dir_make(&d);
  for (unsigned i = 0; i < 6; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
      pool *p = pool_at(&d, POOL_CREATE);
      if (pool_store_release(lend_filled(p, 5000), &err)) _exit(1);
      base_pause_ns(i * 400000);
      (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    pool *p = pool_at(&d, POOL_READ_WRITE);
    assert_int_equal(pool_dirs(d.path), 0);
    pool_close(p);
  }
  pool_dir_drop(&d);
}

int
main(void)
{
  const char *only = getenv("QUOIN_CRASH_ONLY"); /* a pattern of names */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m7_killed_at_each_call_the_pool_opens),
      cmocka_unit_test(test_pool__each_call_fails),
      cmocka_unit_test(test_pool__no_space_at_each_call),
      cmocka_unit_test(test_backup__killed_at_each_call),
      cmocka_unit_test(test_backup__each_call_fails),
      cmocka_unit_test(promise_m7_what_comes_back_costs_the_same_whatever_it_holds),
      cmocka_unit_test(test_pool__what_comes_back_makes_room),
      cmocka_unit_test(test_pool__killed_with_what_came_back),
  };
  if (only) cmocka_set_test_filter(only);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
