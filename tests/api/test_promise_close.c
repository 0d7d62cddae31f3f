/* Handles shared among threads, and the end of a store: N1, H4, H5, H6. What the threads do is
 * bounded by counts, never by the clock. Worth most under ThreadSanitizer and AddressSanitizer. */
#include "api/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 16, ENOUGH = 300, REFUSALS = 12, KINDS = 9 };

typedef struct crew {
  quoin_store *store;
  atomic_bool closed; /* quoin_shutdown() has returned */
  atomic_uint calls;  /* operations ended, of all threads */
  atomic_uint faults;
  _Atomic uint64_t quads; /* that successful commits, updates and loads added */
} crew;

typedef struct worker {
  crew *crew;
  unsigned number;
  uint64_t seed, serial;
  bool late; /* the call at hand began after the shutdown had ended */
  unsigned refused;
  quoin_stats did; /* the counts of calls alone */
} worker;

static uint64_t
random_next(uint64_t *seed)
{
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return *seed >> 33;
}

/* Remember, before a call, whether it may still succeed. */
static quoin_error *
before(worker *w, quoin_error *err)
{
  *err = (quoin_error)QUOIN_ERROR_INIT;
  w->late = atomic_load(&w->crew->closed);
  return err;
}

/* Success or CLOSED, and no success once the shutdown has returned. */
static bool
after(worker *w, const char *what, quoin_status st, const quoin_error *err)
{
  if (st >= 0 && !w->late) return true;
  if (st == QUOIN_ERR_CLOSED) {
    w->refused++;
    return false;
  }
  print_error("%s: %s %s\n", what, st >= 0 ? "succeeded after the shutdown" : err->message,
              quoin_status_name(st));
  atomic_fetch_add(&w->crew->faults, 1);
  return false;
}

static void
do_query(worker *w)
{
  quoin_error err;
  quoin_cursor *cursor = NULL;
  quoin_status st = quoin_query(&cursor, w->crew->store, text("SELECT * { ?s ?p ?o } LIMIT 40"),
                                NULL, before(w, &err));

  if (!after(w, "query", st, &err)) return;
  w->did.queries++;
  do {
    st = quoin_cursor_next(cursor, before(w, &err));
    if (!st) (void)quoin_cursor_text(cursor, 0);
  } while (after(w, "step of a query", st, &err) && st == QUOIN_OK);
  quoin_cursor_close(cursor);
}

static void
do_match(worker *w)
{
  quoin_error err;
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  quoin_status st = quoin_match(&matches, w->crew->store, NULL, QUOIN_ANY_GRAPH, before(w, &err));

  if (!after(w, "match", st, &err)) return;
  w->did.matches++;
  unsigned n = 0;
  do
    st = quoin_matches_next(&found, matches, before(w, &err));
  while (after(w, "step of a match", st, &err) && st == QUOIN_OK && ++n < 40);
  quoin_matches_close(matches);
}

static void
do_count(worker *w)
{
  quoin_error err;
  uint64_t n = 0;
  quoin_status st = quoin_count(&n, w->crew->store, NULL, QUOIN_ANY_GRAPH, before(w, &err));
  if (after(w, "count", st, &err)) w->did.counts++;
}

static quoin_status
write_nothing(void *user, const void *data, size_t len, quoin_error *err)
{
  (void)data, (void)err;
  *(size_t *)user += len;
  return QUOIN_OK;
}

static void
do_dump(worker *w)
{
  quoin_error err;
  size_t bytes = 0;
  quoin_status st =
      quoin_dump(NULL, w->crew->store, QUOIN_NQUADS, write_nothing, &bytes, NULL, before(w, &err));
  if (after(w, "dump", st, &err)) w->did.dumps++;
}

/* A number that only this call has, in text. */
static quoin_span
new_number(char out[40], worker *w)
{
  const int n = snprintf(out, 40, "%u.%llu", w->number, (unsigned long long)w->serial++);
  return (quoin_span){out, (size_t)n};
}

static void
do_load(worker *w)
{
  char number[40], line[80];
  quoin_error err;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  snprintf(line, sizeof(line), "<s:> <load:> \"%s\" <g:> .\n", new_number(number, w).ptr);

  options.format = QUOIN_NQUADS;
  options.threads = 1 + w->number % 2;
  quoin_status st = quoin_load_memory(NULL, w->crew->store, text(line), &options, before(w, &err));
  if (!after(w, "load", st, &err)) return;
  w->did.loads++;
  atomic_fetch_add(&w->crew->quads, 1);
}

static void
do_update(worker *w)
{
  char number[40], request[80];
  quoin_error err;

  snprintf(request, sizeof(request), "INSERT DATA { <s:> <update:> \"%s\" }",
           new_number(number, w).ptr);
  quoin_status st = quoin_update(NULL, w->crew->store, text(request), NULL, before(w, &err));
  if (!after(w, "update", st, &err)) return;
  w->did.updates++;
  atomic_fetch_add(&w->crew->quads, 1);
}

static void
do_commit(worker *w)
{
  char number[40];
  quoin_error err;
  quoin_txn *txn = NULL;
  uint64_t added = 0;
  quoin_statement s = {iri("s:"), iri("commit:"), literal(""), {0}};
  quoin_status st = quoin_txn_begin(&txn, w->crew->store, before(w, &err));

  if (!after(w, "begin", st, &err)) return;
  s.object.value = new_number(number, w);
  st = quoin_txn_add(txn, &s, before(w, &err));
  if (!after(w, "add", st, &err) || random_next(&w->seed) % 8 == 0) {
    quoin_txn_abort(txn);
    return;
  }
  st = quoin_txn_commit(&added, NULL, txn, before(w, &err));
  if (!after(w, "commit", st, &err)) return;
  w->did.commits++;
  atomic_fetch_add(&w->crew->quads, added);
}

static void
do_checkpoint(worker *w)
{
  quoin_error err;
  if (after(w, "checkpoint", quoin_checkpoint(w->crew->store, before(w, &err)), &err))
    w->did.checkpoints++;
}

static void
do_look(worker *w)
{
  quoin_error err;
  quoin_stats stats = QUOIN_STATS_INIT;
  (void)after(w, "stats", quoin_store_stats(&stats, w->crew->store, true, before(w, &err)), &err);
  (void)after(w, "check", quoin_check(w->crew->store, NULL, NULL, NULL, before(w, &err)), &err);
}

static void *
work(void *user)
{
  static void (*const kind[KINDS])(worker *) = {
      do_query, do_match, do_count, do_dump, do_load, do_update, do_commit, do_checkpoint, do_look};
  worker *w = user;

  while (w->refused < REFUSALS) {
    const unsigned turn = (unsigned)(random_next(&w->seed) % (3 * KINDS));
    kind[turn < KINDS ? turn : turn % 7](w); /* checkpoints and checks less often */
    atomic_fetch_add(&w->crew->calls, 1);
  }
  return NULL;
}

/* THREADS threads at work until some have done enough, then a shutdown in the midst of it. */
static void
shut_down_amid_work(fixture *f, crew *c, worker workers[THREADS])
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t threads[THREADS];

  quoin_close(f->store);
  f->store = NULL;
  options.durability = QUOIN_DURABILITY_OFF;
  options.memory_bytes = 100000;
  good(quoin_open(&c->store, f->path, &options, &err), &err);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (worker){.crew = c, .number = i, .seed = 1000 + i};
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  while (atomic_load(&c->calls) < ENOUGH)
    usleep(1000);
  quoin_shutdown(c->store);
  atomic_store(&c->closed, true);
  /* The threads still call: another handle gets the store at once. */
  good(open_store(f, QUOIN_READ_WRITE, &err), &err);
  for (unsigned i = 0; i < THREADS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Also: what was acknowledged is there when it is opened again. */
static void
promise_h4_close_is_linear(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  crew c = {0};
  worker workers[THREADS];
  uint64_t quads = 0;

  shut_down_amid_work(f, &c, workers);
  assert_int_equal(atomic_load(&c.faults), 0);
  good(quoin_count(&quads, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(quads, atomic_load(&c.quads));
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
  quoin_close(c.store);
  print_message("%u calls, %llu quads\n", atomic_load(&c.calls), (unsigned long long)quads);
}

/* A dump that is stopped in its midst, and a shutdown that has begun. */
typedef struct in_progress {
  quoin_store *store;
  atomic_bool reached, go_on, shut;
  quoin_status status;
  uint64_t statements;
} in_progress;

static quoin_status
write_when_let(void *user, const void *data, size_t len, quoin_error *err)
{
  in_progress *p = user;

  (void)data, (void)len, (void)err;
  atomic_store(&p->reached, true);
  while (!atomic_load(&p->go_on))
    usleep(500);
  return QUOIN_OK;
}

static void *
dump_slowly(void *user)
{
  in_progress *p = user;
  quoin_error err = QUOIN_ERROR_INIT;
  p->status = quoin_dump(&p->statements, p->store, QUOIN_NQUADS, write_when_let, p, NULL, &err);
  return NULL;
}

static void *
shut_down(void *user)
{
  in_progress *p = user;
  quoin_shutdown(p->store);
  atomic_store(&p->shut, true);
  return NULL;
}

static void
promise_h4_calls_in_progress_end_before_close_returns(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  in_progress p = {.store = f->store};
  pthread_t dump, shutdown;
  quoin_status st;
  uint64_t n = 0;

  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"x\" .\n<s:> <p:> \"y\" .\n");
  assert_int_equal(pthread_create(&dump, NULL, dump_slowly, &p), 0);
  while (!atomic_load(&p.reached))
    usleep(500);
  assert_int_equal(pthread_create(&shutdown, NULL, shut_down, &p), 0);
  while (!(st = quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err)))
    usleep(500);
  assert_int_equal(st, QUOIN_ERR_CLOSED); /* it has begun: nobody else comes in */
  usleep(50000);
  const bool early = atomic_load(&p.shut);
  atomic_store(&p.go_on, true);
  assert_int_equal(pthread_join(dump, NULL), 0);
  assert_int_equal(pthread_join(shutdown, NULL), 0);
  assert_false(early);
  assert_int_equal(p.status, QUOIN_OK);
  assert_int_equal(p.statements, 2);
}

static void
promise_h6_statistics_are_exact_after_close(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  crew c = {0};
  worker workers[THREADS];
  quoin_stats got = QUOIN_STATS_INIT, want = QUOIN_STATS_INIT;

  shut_down_amid_work(f, &c, workers);
  assert_int_equal(quoin_store_stats(&got, c.store, false, &err), QUOIN_ERR_CLOSED);
  for (unsigned i = 0; i < THREADS; i++) {
    want.queries += workers[i].did.queries;
    want.matches += workers[i].did.matches;
    want.counts += workers[i].did.counts;
    want.dumps += workers[i].did.dumps;
    want.loads += workers[i].did.loads;
    want.updates += workers[i].did.updates;
    want.commits += workers[i].did.commits;
    want.checkpoints += workers[i].did.checkpoints;
  }
  assert_int_equal(got.queries, want.queries);
  assert_int_equal(got.matches, want.matches);
  assert_int_equal(got.counts, want.counts);
  assert_int_equal(got.dumps, want.dumps);
  assert_int_equal(got.loads, want.loads);
  assert_int_equal(got.updates, want.updates);
  assert_int_equal(got.commits, want.commits);
  assert_int_equal(got.checkpoints, want.checkpoints);
  assert_int_equal(got.conflicts, 0);
  assert_true(got.queries && got.matches && got.counts && got.loads && got.commits);
  quoin_close(c.store);
}

/* Failures and conflicts are told apart from what succeeded. */
static void
promise_h6_failures_are_not_counted_as_successes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats got = QUOIN_STATS_INIT;
  quoin_txn *one = NULL, *two = NULL;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  quoin_cursor *cursor = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("x"), {0}};

  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"x\" .\n");
  options.format = QUOIN_NTRIPLES;
  assert_int_equal(quoin_load_memory(NULL, f->store, text("<s:> <p:> .\n"), &options, &err),
                   QUOIN_ERR_SYNTAX);
  assert_int_equal(quoin_query(&cursor, f->store, text("SELECT"), NULL, &err), QUOIN_ERR_SYNTAX);
  assert_int_equal(quoin_update(NULL, f->store, text("INSERT"), NULL, &err), QUOIN_ERR_SYNTAX);
  good(quoin_txn_begin(&one, f->store, &err), &err);
  good(quoin_txn_begin(&two, f->store, &err), &err);
  good(quoin_txn_remove(one, &s, &err), &err);
  good(quoin_txn_remove(two, &s, &err), &err);
  good(quoin_txn_commit(NULL, NULL, one, &err), &err);
  assert_int_equal(quoin_txn_commit(NULL, NULL, two, &err), QUOIN_ERR_CONFLICT);
  quoin_shutdown(f->store);
  assert_int_equal(quoin_store_stats(&got, f->store, false, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(got.loads, 1);
  assert_int_equal(got.queries, 0);
  assert_int_equal(got.updates, 0);
  assert_int_equal(got.commits, 1);
  assert_int_equal(got.conflicts, 1);
}

/* Every call on a store that was shut down, and on what was opened on it before. */
static void
promise_h5_no_use_after_close(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *rows = NULL, *batches = NULL, *triples = NULL, *unread = NULL;
  quoin_matches *matches = NULL, *own = NULL;
  quoin_txn *txn = NULL, *other = NULL;
  const quoin_statement *found = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("x"), {0}};
  quoin_prepared *prepared = NULL;
  quoin_batch batch;
  quoin_term term;
  quoin_span plan;
  uint64_t n = 0;
  size_t bytes = 0;
  const quoin_span select = text("SELECT * { ?s ?p ?o }");

  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"y\" .\n<s:> <p:> \"z\" .\n");
  good(quoin_prepare(&prepared, select, text(""), &err), &err);
  good(quoin_query(&rows, f->store, select, NULL, &err), &err);
  good(quoin_cursor_next(rows, &err), &err);
  good(quoin_query(&batches, f->store, select, NULL, &err), &err);
  good(quoin_cursor_batch(&batch, batches, &err), &err);
  good(quoin_query(&triples, f->store, text("CONSTRUCT WHERE { ?s ?p ?o }"), NULL, &err), &err);
  good(quoin_query(&unread, f->store, select, NULL, &err), &err);
  good(quoin_match(&matches, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&found, matches, &err), &err);
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  good(quoin_txn_match(&own, txn, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_txn_begin(&other, f->store, &err), &err);

  quoin_shutdown(f->store);
  quoin_shutdown(f->store); /* twice is fine */
  assert_int_equal(quoin_cursor_next(rows, &err), QUOIN_ERR_CLOSED);
  assert_null(quoin_cursor_text(rows, 0).ptr);
  assert_int_equal(quoin_cursor_term(&term, rows, 0, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_cursor_batch(&batch, batches, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_cursor_batch_term(&term, batches, 0, 0, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_cursor_triple(&found, triples, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_cursor_explain(&plan, unread, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_cursor_write(NULL, unread, QUOIN_RESULTS_CSV, write_nothing, &bytes, &err),
                   QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_matches_next(&found, matches, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_matches_next(&found, own, &err), QUOIN_ERR_CLOSED);
  quoin_matches_close(own);
  own = NULL;
  assert_int_equal(quoin_txn_add(txn, &s, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_txn_remove(txn, &s, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_txn_match(&own, txn, NULL, QUOIN_ANY_GRAPH, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_txn_commit(NULL, NULL, txn, &err), QUOIN_ERR_CLOSED);
  quoin_store *const store = quoin_retain(f->store);
  quoin_cursor *cursor = NULL;
  assert_int_equal(quoin_query(&cursor, store, select, NULL, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_query_prepared(&cursor, store, prepared, NULL, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_count(&n, store, NULL, QUOIN_ANY_GRAPH, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_update(NULL, store, text("CLEAR ALL"), NULL, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_txn_begin(&txn, store, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_checkpoint(store, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_check(store, NULL, NULL, NULL, &err), QUOIN_ERR_CLOSED);
  assert_int_equal(quoin_dump(NULL, store, QUOIN_NQUADS, write_nothing, &bytes, NULL, &err),
                   QUOIN_ERR_CLOSED);

  /* The handle first, then what was opened on it. */
  quoin_close(store);
  quoin_close(f->store);
  f->store = NULL;
  quoin_cursor_close(rows);
  quoin_cursor_close(batches);
  quoin_cursor_close(triples);
  quoin_cursor_close(unread);
  quoin_matches_close(matches);
  quoin_txn_abort(other);
  quoin_prepared_free(prepared);
}

/* ---- references ------------------------------------------------------------------------------ */

enum { HOLDERS = 8, HELD = 32, TURNS = 4000 };

typedef struct holder {
  quoin_store *store; /* one reference of it, to begin with */
  uint64_t seed;
  atomic_uint *faults;
} holder;

/* Between one and HELD references at a time; none at the end. */
static void *
hold(void *user)
{
  holder *h = user;
  quoin_error err = QUOIN_ERROR_INIT;
  unsigned held = 1;

  for (unsigned turn = 0; turn < TURNS; turn++) {
    const uint64_t r = random_next(&h->seed);
    if (held < HELD && (held == 1 || r % 2)) {
      held += quoin_retain(h->store) == h->store;
    } else {
      quoin_close(h->store);
      held--;
    }
    if (r % 64 == 3) {
      quoin_matches *matches = NULL;
      uint64_t n = 0;
      if (quoin_count(&n, h->store, NULL, QUOIN_ANY_GRAPH, &err) || n != 2)
        atomic_fetch_add(h->faults, 1);
      if (quoin_match(&matches, h->store, NULL, QUOIN_ANY_GRAPH, &err))
        atomic_fetch_add(h->faults, 1);
      quoin_matches_close(matches);
    }
  }
  while (held--)
    quoin_close(h->store);
  return NULL;
}

static void
promise_n1_handles_are_shared_and_counted(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t threads[HOLDERS];
  holder holders[HOLDERS];
  atomic_uint faults = 0;

  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"x\" .\n<s:> <p:> \"y\" .\n");
  for (unsigned i = 0; i < HOLDERS; i++) {
    holders[i] = (holder){quoin_retain(f->store), 77 + i, &faults};
    assert_int_equal(pthread_create(&threads[i], NULL, hold, &holders[i]), 0);
  }
  quoin_close(f->store); /* the threads have theirs */
  for (unsigned i = 0; i < HOLDERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&faults), 0);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err); /* the last one freed the lock */
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(promise_h4_close_is_linear, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_h4_calls_in_progress_end_before_close_returns, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(promise_h5_no_use_after_close, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_h6_statistics_are_exact_after_close, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_h6_failures_are_not_counted_as_successes, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(promise_n1_handles_are_shared_and_counted, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
