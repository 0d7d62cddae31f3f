/* Locks: exclusion, fairness, ranks; cancelling. */
#include "base/gate.h"
#include "unit/test_base_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

typedef struct shared {
  base_rwlock lock;
  base_mutex mutex;
  base_cond cond;
  uint64_t a, b; /* under lock: equal */
  int turn;      /* under mutex */
  atomic_bool done;
  atomic_uint faults;
  _Atomic(uint64_t) reads, writes;
} shared;

static void *
read_pairs(void *user)
{
  shared *s = user;
  while (!atomic_load(&s->done)) {
    base_rwlock_read(&s->lock);
    if (s->a != s->b) atomic_fetch_add(&s->faults, 1);
    base_rwlock_read_done(&s->lock);
    atomic_fetch_add(&s->reads, 1);
  }
  return NULL;
}

static void *
write_pairs(void *user)
{
  shared *s = user;
  while (!atomic_load(&s->done)) {
    base_rwlock_write(&s->lock);
    s->a++;
    s->b++;
    base_rwlock_write_done(&s->lock);
    atomic_fetch_add(&s->writes, 1);
  }
  return NULL;
}

/* Floods of readers and of writers: both go on. */
static void
promise_n2_neither_readers_nor_writers_starve(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  static const int shares[][2] = {{7, 1}, {1, 7}, {4, 4}};
  for (size_t i = 0; i < 3; i++) {
    shared s = {0};
    pthread_t threads[8];
    int n = 0;
    assert_ok(base_rwlock_init(&s.lock, BASE_RANK_STORE, "store", &err));
    for (int r = 0; r < shares[i][0]; r++)
      assert_int_equal(pthread_create(&threads[n++], NULL, read_pairs, &s), 0);
    for (int w = 0; w < shares[i][1]; w++)
      assert_int_equal(pthread_create(&threads[n++], NULL, write_pairs, &s), 0);
    (void)usleep(200000);
    uint64_t reads = atomic_load(&s.reads), writes = atomic_load(&s.writes);
    atomic_store(&s.done, true);
    while (n > 0)
      (void)pthread_join(threads[--n], NULL);
    print_message("%d readers, %d writers: %llu reads, %llu writes\n", shares[i][0], shares[i][1],
                  (unsigned long long)reads, (unsigned long long)writes);
    assert_int_equal(atomic_load(&s.faults), 0);
    assert_true(reads > 0 && writes > 0); /* neither side starves, on a busy machine too */
    assert_int_equal(s.a, s.b);
    base_rwlock_destroy(&s.lock);
  }
}

static void *
answer(void *user)
{
  shared *s = user;
  for (int i = 1; i < 1000; i += 2) {
    base_mutex_lock(&s->mutex);
    while (s->turn != i)
      base_cond_wait(&s->cond, &s->mutex);
    s->turn++;
    base_cond_broadcast(&s->cond);
    base_mutex_unlock(&s->mutex);
  }
  return NULL;
}

static void
test_cond__wakes_who_waits(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  shared s = {0};
  pthread_t thread;
  assert_ok(base_mutex_init(&s.mutex, BASE_RANK_QUEUE, "queue", &err));
  assert_ok(base_cond_init(&s.cond, &err));
  assert_int_equal(pthread_create(&thread, NULL, answer, &s), 0);
  for (int i = 0; i < 1000; i += 2) {
    base_mutex_lock(&s.mutex);
    while (s.turn != i)
      base_cond_wait(&s.cond, &s.mutex);
    s.turn++;
    base_cond_signal(&s.cond);
    base_mutex_unlock(&s.mutex);
  }
  (void)pthread_join(thread, NULL);
  base_mutex_lock(&s.mutex);
  uint64_t before = base_clock_ns();
  while (base_cond_wait_until(&s.cond, &s.mutex, before + 20000000)) {
  }
  assert_true(base_clock_ns() - before >= 20000000);
  base_mutex_unlock(&s.mutex);
  base_cond_destroy(&s.cond);
  base_mutex_destroy(&s.mutex);
}

static void
test_cancel__stops_at_flag_and_deadline(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  atomic_int flag = 0;
  base_cancel cancel = {.flag = &flag};
  assert_ok(base_cancel_check(NULL, &err));
  for (int i = 0; i < 200; i++)
    assert_ok(base_cancel_check(&cancel, &err));
  atomic_store(&flag, 1);
  assert_int_equal(base_cancel_check(&cancel, &err), QUOIN_ERR_CANCELLED);
  cancel = (base_cancel){.deadline_ns = base_clock_ns() + 1000000};
  int calls = 0;
  while (!base_cancel_check(&cancel, &err))
    calls++;
  assert_int_equal(err.status, QUOIN_ERR_TIMEOUT);
  assert_int_equal(base_cancel_check(&cancel, &err), QUOIN_ERR_TIMEOUT);
  assert_true(calls > 0);
}

#ifndef NDEBUG
/* Runs `call` in a child; true when it aborts, having said both names. */
static bool
aborts_naming(void (*call)(base_mutex *low, base_mutex *high), const char *one, const char *two)
{
  quoin_error err = QUOIN_ERROR_INIT;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    base_mutex low, high;
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(ends[1], 2);
    if (base_mutex_init(&low, BASE_RANK_POOL, "pool", &err)) _exit(0);
    if (base_mutex_init(&high, BASE_RANK_QUEUE, "queue", &err)) _exit(0);
    call(&low, &high);
    _exit(0);
  }
  (void)close(ends[1]);
  char text[512];
  ssize_t n = read(ends[0], text, sizeof(text) - 1);
  text[n < 0 ? 0 : n] = '\0';
  (void)close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, one) &&
         strstr(text, two);
}

static void
take_in_order(base_mutex *low, base_mutex *high)
{
  base_mutex_lock(low);
  base_mutex_lock(high);
  base_assert_held(BASE_RANK_POOL, true, "nothing");
  base_mutex_unlock(low); /* any order of release */
  base_mutex_unlock(high);
}

static void
take_against_order(base_mutex *low, base_mutex *high)
{
  base_mutex_lock(high);
  base_mutex_lock(low);
}

static void
take_twice(base_mutex *low, base_mutex *high)
{
  (void)high;
  base_mutex_lock(low);
  base_mutex_lock(low);
}

static void
release_unheld(base_mutex *low, base_mutex *high)
{
  (void)high;
  base_mutex_unlock(low);
}

static void
need_unheld(base_mutex *low, base_mutex *high)
{
  (void)high;
  base_mutex_lock(low);
  base_assert_held(BASE_RANK_STORE, false, "what needs it");
}

static void
need_write_side(base_mutex *low, base_mutex *high)
{
  (void)low;
  (void)high;
  base_rwlock lock;
  if (base_rwlock_init(&lock, BASE_RANK_STORE, "store", NULL)) return;
  base_rwlock_read(&lock);
  base_assert_held(BASE_RANK_STORE, false, "reading");
  base_assert_held(BASE_RANK_STORE, true, "writing");
}

static void
promise_n6_locks_are_taken_in_one_order(void **state)
{
  (void)state;
  assert_false(aborts_naming(take_in_order, "", ""));
  assert_true(aborts_naming(take_against_order, "'pool'", "'queue'"));
  assert_true(aborts_naming(take_twice, "'pool'", "twice"));
  assert_true(aborts_naming(release_unheld, "'pool'", "does not hold"));
  assert_true(aborts_naming(need_unheld, "'what needs it'", "does not hold"));
  assert_true(aborts_naming(need_write_side, "'writing'", "for writing"));
}
#endif

typedef struct turns {
  base_gate gate[2];
  _Atomic unsigned round, arrived;
} turns;

enum { GATE_THREADS = 4, GATE_ROUNDS = 500 };

/* The last one to arrive in a round begins the next. */
static void *
turns_main(void *arg)
{
  turns *t = arg;

  for (unsigned round = 0; round < GATE_ROUNDS; round++) {
    base_gate *g = &t->gate[round % 2];
    if (atomic_fetch_add(&t->arrived, 1) == GATE_THREADS * (round + 1) - 1) {
      atomic_store(&t->round, round + 1);
      base_gate_open(g);
      continue;
    }
    for (;;) {
      uint32_t seen = base_gate_count(g);
      if (atomic_load(&t->round) > round) break;
      base_gate_wait(g, seen, 0);
    }
  }
  return NULL;
}

static void
test_gate__lets_all_through_in_turn(void **state)
{
  turns t = {0};
  pthread_t id[GATE_THREADS];
  uint64_t before;
  uint32_t seen;

  (void)state;
  assert_int_equal(base_gate_init(&t.gate[0], NULL), QUOIN_OK);
  assert_int_equal(base_gate_init(&t.gate[1], NULL), QUOIN_OK);
  for (unsigned i = 0; i < GATE_THREADS; i++)
    assert_int_equal(pthread_create(&id[i], NULL, turns_main, &t), 0);
  for (unsigned i = 0; i < GATE_THREADS; i++)
    assert_int_equal(pthread_join(id[i], NULL), 0);
  assert_int_equal(t.round, GATE_ROUNDS);
  seen = base_gate_count(&t.gate[0]);
  before = base_clock_ns();
  base_gate_wait(&t.gate[0], seen - 1, 0); /* opened since */
  while (base_clock_ns() < before + 2000000)
    base_gate_wait(&t.gate[0], seen, before + 2000000);
  base_gate_destroy(&t.gate[0]);
  base_gate_destroy(&t.gate[1]);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_n2_neither_readers_nor_writers_starve),
      cmocka_unit_test(test_cond__wakes_who_waits),
      cmocka_unit_test(test_cancel__stops_at_flag_and_deadline),
      cmocka_unit_test(test_gate__lets_all_through_in_turn),
#ifndef NDEBUG
      cmocka_unit_test(promise_n6_locks_are_taken_in_one_order),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
