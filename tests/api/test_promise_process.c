/* Two processes at one store: C1, M8. The other process opens a handle of its own after the fork,
 * and no thread runs when it forks. */
#include "api/fixture.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { STEP = 25 };

/* Memory of both processes. */
typedef struct shared {
  atomic_uint ready;      /* the writer has the store open */
  _Atomic uint64_t asked; /* quads of all writes that have begun */
  _Atomic uint64_t given; /* quads of all writes that were acknowledged */
  atomic_uint done;       /* the writer has ended its work */
  char message[600];      /* what went wrong there */
} shared;

static shared *
shared_new(void)
{
  shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(s != MAP_FAILED);
  return s;
}

/* Report and end: only in the other process. */
static void
must(shared *s, quoin_status st, const quoin_error *err)
{
  if (!st) return;
  snprintf(s->message, sizeof(s->message), "%s: %s", quoin_status_name(st), err->message);
  _exit(1);
}

static void
wait_for(shared *s, pid_t child)
{
  int status = 0;
  while (!atomic_load(&s->ready)) {
    if (waitpid(child, &status, WNOHANG) == child) fail_msg("the other process: %s", s->message);
    usleep(1000);
  }
}

static void
close_fixture(fixture *f)
{
  quoin_close(f->store);
  f->store = NULL;
}

/* ---- the lock -------------------------------------------------------------------------------- */

static pid_t
start_holder(const fixture *f, shared *s)
{
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child) return child;
  fixture mine = *f;
  quoin_error err = QUOIN_ERROR_INIT;
  must(s, open_store(&mine, QUOIN_READ_WRITE, &err), &err);
  must(s, quoin_update(NULL, mine.store, text("INSERT DATA { <s:> <p:> 1, 2, 3 }"), NULL, &err),
       &err);
  atomic_store(&s->ready, 1);
  for (;;)
    pause();
}

static void
assert_busy(fixture *f, pid_t holder)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char pid[32];

  snprintf(pid, sizeof(pid), "process %ld:", (long)holder);
  assert_int_equal(open_store(f, QUOIN_READ_WRITE, &err), QUOIN_ERR_BUSY);
  assert_null(f->store);
  assert_non_null(strstr(err.message, pid));
  assert_int_equal(open_store(f, QUOIN_CREATE, &err), QUOIN_ERR_BUSY);
}

static void
promise_c1_one_process_writes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  shared *s = shared_new();
  uint64_t n = 0;
  int status = 0;

  close_fixture(f);
  const pid_t holder = start_holder(f, s);
  wait_for(s, holder);
  assert_busy(f, holder);
  assert_busy(f, holder); /* the one that was refused took nothing */
  good(open_store(f, QUOIN_READ_ONLY, &err), &err);
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 3);
  close_fixture(f);
  assert_busy(f, holder); /* nor did the reader that went free it */

  /* The lock goes with its holder, however that ends; what it committed does not. */
  assert_int_equal(kill(holder, SIGKILL), 0);
  assert_int_equal(waitpid(holder, &status, 0), holder);
  assert_true(WIFSIGNALED(status));
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 3);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);

  /* Within a process too, and the holder is this one now. */
  fixture second = *f;
  assert_busy(&second, getpid());
  assert_int_equal(munmap(s, sizeof(*s)), 0);
}

/* ---- readers beside the writer ----------------------------------------------------------------
 */

static void
commit_step(shared *s, quoin_store *store, unsigned number)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;

  must(s, quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned i = 0; i < STEP; i++) {
    char subject[40], object[40];
    snprintf(subject, sizeof(subject), "s:%u", number);
    snprintf(object, sizeof(object), "text %u of %u", i, number);
    const quoin_statement q = {iri(subject), iri("p:"), literal(object),
                               number % 2 ? iri("g:") : (quoin_term){0}};
    must(s, quoin_txn_add(txn, &q, &err), &err);
  }
  must(s, quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static void
load_step(shared *s, quoin_store *store, unsigned number, unsigned quads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  sink data = {0};

  options.format = QUOIN_NQUADS;
  for (unsigned i = 0; i < quads; i++) {
    char line[96];
    const int len = snprintf(line, sizeof(line), "<s:%u> <load:> \"text %u of %u\" <g:%u> .\n",
                             number + i / 7, i, number, i % 3);
    if (sink_write(&data, line, (size_t)len, NULL)) _exit(2);
  }
  must(s, quoin_load_memory(NULL, store, (quoin_span){data.data, data.len}, &options, &err), &err);
  free(data.data);
}

/* Past the bound of the log, and past what the first table of terms holds; slow builds take less.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LARGE = 400 * STEP };
#else
enum { LARGE = 4100 * STEP };
#endif

/* Commits, loads (one of them large), checkpoints and compactions; each write adds a multiple of
 * STEP. */
static pid_t
start_writer(const fixture *f, shared *s, unsigned first, unsigned writes)
{
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child) return child;
  fixture mine = *f;
  quoin_error err = QUOIN_ERROR_INIT;
  must(s, open_store(&mine, QUOIN_READ_WRITE, &err), &err);
  atomic_store(&s->ready, 1);
  for (unsigned i = 0; i < writes; i++) {
    const unsigned quads = i == 100 ? LARGE : i % 20 == 13 ? 80 * STEP : STEP;
    atomic_fetch_add(&s->asked, quads);
    if (quads > STEP)
      load_step(s, mine.store, first + i, quads);
    else
      commit_step(s, mine.store, first + i);
    atomic_fetch_add(&s->given, quads);
    if (i % 17 == 16) must(s, quoin_checkpoint(mine.store, &err), &err);
    if (i % 30 == 29) must(s, quoin_store_compact(mine.store, 0, NULL, &err), &err);
  }
  quoin_close(mine.store);
  atomic_store(&s->done, 1);
  _exit(0);
}

static uint64_t
count_rows(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  quoin_status st;
  uint64_t rows = 0;

  good(quoin_match(&matches, store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  while (!(st = quoin_matches_next(&found, matches, &err)))
    rows += found->object.value.len > 0;
  if (st != QUOIN_DONE) good(st, &err);
  quoin_matches_close(matches);
  return rows;
}

/* What was acknowledged before the open is there, nothing that had not begun is, and writes are
 * there wholly or not at all. *busy: the writer made a checkpoint under each attempt. */
static uint64_t
look_once(fixture *f, shared *s, uint64_t least)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  const uint64_t given = atomic_load(&s->given);

  good(open_store(f, QUOIN_READ_ONLY, &err), &err);
  const uint64_t asked = atomic_load(&s->asked);
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n % STEP, 0);
  assert_true(n >= given && n >= least);
  assert_true(n <= asked);
  assert_int_equal(count_rows(f->store), n);
  return n;
}

static void
promise_m8_readers_beside_a_writing_process(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *wanted = getenv("QUOIN_WRITES");
  const unsigned writes = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 120;
  shared *s = shared_new();
  fixture first = *f;
  uint64_t last = 0, n = 0;
  unsigned looks = 0, while_writing = 0;
  int status = 0;

  close_fixture(f);
  const pid_t writer = start_writer(f, s, 0, writes);
  wait_for(s, writer);
  const uint64_t held = look_once(&first, s, 0); /* this one stays open to the end */
  const quoin_open_options reading = {sizeof(reading), .mode = QUOIN_READ_ONLY};
  quoin_store *moving = NULL; /* and this one moves on */
  uint64_t moved = 0;
  good(quoin_open(&moving, f->path, &reading, &err), &err);
  while (!atomic_load(&s->done)) {
    if (waitpid(writer, &status, WNOHANG) == writer && !atomic_load(&s->done))
      fail_msg("the writer: %s", s->message);
    last = look_once(f, s, last);
    good(quoin_store_refresh(NULL, moving, &err), &err);
    assert_true(count_rows(moving) >= moved && count_rows(moving) >= last);
    moved = count_rows(moving);
    while_writing += last < atomic_load(&s->asked) || !atomic_load(&s->done);
    if (looks++ % 8 == 0) good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
    close_fixture(f);
  }
  (void)waitpid(writer, &status, 0);
  last = look_once(f, s, last);
  assert_int_equal(last, atomic_load(&s->asked));
  good(quoin_store_refresh(NULL, moving, &err), &err);
  assert_int_equal(count_rows(moving), last);
  quoin_close(moving);
  assert_int_equal(count_rows(first.store), held);
  good(quoin_count(&n, first.store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, held);
  assert_int_equal(quoin_checkpoint(first.store, &err), QUOIN_ERR_READ_ONLY);
  quoin_close(first.store);
  print_message("%u opens beside %u writes, %u of them while it wrote; %llu quads\n", looks, writes,
                while_writing, (unsigned long long)last);
  assert_int_equal(munmap(s, sizeof(*s)), 0);
}

/* However often: who reads goes on and moves on, and the next writer gets the lock at once. */
static void
promise_m8_a_killed_writer_leaves_nothing_stale(void **state)
{
  enum { ROUNDS = 5 };
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *moving = NULL;
  uint64_t last = 0, n = 0;

  close_fixture(f);
  const quoin_open_options reading = {sizeof(reading), .mode = QUOIN_READ_ONLY};
  for (unsigned i = 0; i < ROUNDS; i++) {
    shared *s = shared_new();
    int status = 0;
    const pid_t writer = start_writer(f, s, (i + 1) * 1000000, 1000000);
    wait_for(s, writer); /* it has the lock */
    if (!moving) good(quoin_open(&moving, f->path, &reading, &err), &err);
    while (atomic_load(&s->given) < (3 + 7 * i) * STEP)
      usleep(1000);
    assert_int_equal(kill(writer, SIGKILL), 0);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    if (!WIFSIGNALED(status)) fail_msg("the writer: %s", s->message);
    good(quoin_store_refresh(NULL, moving, &err), &err);
    n = count_rows(moving);
    assert_int_equal(n % STEP, 0);
    assert_true(n >= last + atomic_load(&s->given) && n <= last + atomic_load(&s->asked));
    good(quoin_check(moving, NULL, NULL, NULL, &err), &err);
    last = n;
    assert_int_equal(munmap(s, sizeof(*s)), 0);
  }
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  assert_int_equal(count_rows(f->store), last);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
  assert_int_equal(count_rows(moving), last);
  quoin_close(moving);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(promise_c1_one_process_writes, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_m8_readers_beside_a_writing_process, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_m8_a_killed_writer_leaves_nothing_stale, setup,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
