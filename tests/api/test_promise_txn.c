/* One writer, any number of readers: C2, C5, N4, O3, O4 through the public header. No test looks at
 * the clock: who must not wait would wait for ever. */
#include "api/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static uint64_t
count(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  good(quoin_count(&n, store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  return n;
}

static quoin_stats
stats(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats s = QUOIN_STATS_INIT;
  good(quoin_store_stats(&s, store, false, &err), &err);
  return s;
}

static void
reopen(fixture *f, quoin_durability durability)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;

  quoin_close(f->store);
  f->store = NULL;
  options.durability = durability;
  good(quoin_open(&f->store, f->path, &options, &err), &err);
}

/* A transaction with one change, to be committed. */
static quoin_txn *
with_change(quoin_store *store, bool add, const char *object)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal(object), {0}};

  good(quoin_txn_begin(&txn, store, &err), &err);
  good(add ? quoin_txn_add(txn, &s, &err) : quoin_txn_remove(txn, &s, &err), &err);
  return txn;
}

static void
commit(quoin_txn *txn)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

/* ---- a load that stands still, and with it the writer -----------------------------------------
 */

typedef struct gate {
  quoin_store *store;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool reached, open;
  size_t given; /* bytes */
  quoin_status status;
} gate;

enum { GATE_LINES = 200000 };

/* One quad, so many times that it is no small load: what comes then is read by who writes. */
static quoin_status
read_at_gate(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  static const char line[] = "<s:> <p:> \"loaded\" .\n";
  gate *g = user;

  (void)err;
  *got = 0;
  for (; *got < cap && g->given < GATE_LINES * (sizeof(line) - 1); g->given++)
    ((char *)data)[(*got)++] = line[g->given % (sizeof(line) - 1)];
  if (*got) return QUOIN_OK;
  pthread_mutex_lock(&g->lock);
  g->reached = true;
  pthread_cond_broadcast(&g->changed);
  while (!g->open)
    pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
  return QUOIN_OK;
}

static void *
load_at_gate(void *user)
{
  gate *g = user;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  options.format = QUOIN_NTRIPLES;
  options.threads = 1;
  g->status = quoin_load_callback(NULL, g->store, read_at_gate, g, NULL, &options, &err);
  return NULL;
}

static pthread_t
gate_start(gate *g, quoin_store *store)
{
  pthread_t thread;

  *g = (gate){.store = store};
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->changed, NULL);
  assert_int_equal(pthread_create(&thread, NULL, load_at_gate, g), 0);
  pthread_mutex_lock(&g->lock);
  while (!g->reached)
    pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
  return thread;
}

static void
gate_end(gate *g, pthread_t thread)
{
  pthread_mutex_lock(&g->lock);
  g->open = true;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->lock);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(g->status, QUOIN_OK);
  pthread_cond_destroy(&g->changed);
  pthread_mutex_destroy(&g->lock);
}

/* ---- C2 ---------------------------------------------------------------------------------------
 */

enum { WRITERS = 8, EACH = 25 };

typedef struct writer {
  quoin_store *store;
  unsigned number;
  atomic_uint *faults;
} writer;

/* Updates that read what they replace: one lost would show in the sum. */
static void *
write_each(void *user)
{
  const writer *w = user;
  quoin_error err = QUOIN_ERROR_INIT;

  for (unsigned i = 0; i < EACH; i++) {
    quoin_update_result got;
    const quoin_span more = text("DELETE { <c:> <is:> ?n } INSERT { <c:> <is:> ?m } "
                                 "WHERE { <c:> <is:> ?n BIND(?n + 1 AS ?m) }");
    if (quoin_update(&got, w->store, more, NULL, &err) || got.added != 1 || got.removed != 1)
      atomic_fetch_add(w->faults, 1);
  }
  return NULL;
}

static void
promise_c2_commits_are_applied_one_at_a_time(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t threads[WRITERS];
  writer writers[WRITERS];
  atomic_uint faults = 0;
  quoin_cursor *cursor = NULL;
  int64_t sum = 0;

  reopen(f, QUOIN_DURABILITY_OFF);
  load_text(f, QUOIN_TURTLE, "<c:> <is:> 0 .");
  const uint64_t before = stats(f->store).modification;
  for (unsigned i = 0; i < WRITERS; i++) {
    writers[i] = (writer){f->store, i, &faults};
    assert_int_equal(pthread_create(&threads[i], NULL, write_each, &writers[i]), 0);
  }
  for (unsigned i = 0; i < WRITERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&faults), 0);
  good(quoin_query(&cursor, f->store, text("SELECT ?n { <c:> <is:> ?n }"), NULL, &err), &err);
  good(quoin_cursor_next(cursor, &err), &err);
  assert_true(quoin_cursor_integer(&sum, cursor, 0));
  assert_int_equal(sum, WRITERS * EACH);
  assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
  quoin_cursor_close(cursor);
  assert_int_equal(stats(f->store).modification, before + WRITERS * EACH);
}

static void *
commit_thread(void *user)
{
  quoin_txn *txn = user;
  quoin_error err = QUOIN_ERROR_INIT;
  return quoin_txn_commit(NULL, NULL, txn, &err) ? user : NULL;
}

static void
promise_c2_who_waits_too_long_times_out(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;
  gate g;
  pthread_t patient;
  void *failed = NULL;
  const quoin_span insert = text("INSERT DATA { <s:> <p:> \"updated\" }");

  const pthread_t loader = gate_start(&g, f->store);
  options.timeout_ms = 60;
  assert_int_equal(quoin_update(NULL, f->store, insert, &options, &err), QUOIN_ERR_TIMEOUT);
  good(quoin_cancel_new(&options.cancel, &err), &err);
  options.timeout_ms = 0;
  quoin_cancel_request(options.cancel);
  assert_int_equal(quoin_update(NULL, f->store, insert, &options, &err), QUOIN_ERR_CANCELLED);
  quoin_cancel_free(options.cancel);
  quoin_txn *const txn = with_change(f->store, true, "committed");
  assert_int_equal(pthread_create(&patient, NULL, commit_thread, txn), 0);
  assert_int_equal(count(f->store), 0);

  gate_end(&g, loader); /* who has no deadline goes on now */
  assert_int_equal(pthread_join(patient, &failed), 0);
  assert_null(failed);
  assert_int_equal(count(f->store), 2);
  options = (quoin_update_options)QUOIN_UPDATE_OPTIONS_INIT;
  good(quoin_update(NULL, f->store, insert, &options, &err), &err);
  assert_int_equal(count(f->store), 3);
}

/* With `wait_ms` every change has a deadline: a commit (the first, which waits for the load, and
 * one that waits behind it), a load, a checkpoint. Nothing of them is done, and all go well later.
 */
static void *
timed_commit(void *user)
{
  quoin_error err = QUOIN_ERROR_INIT;
  return quoin_txn_commit(NULL, NULL, user, &err) == QUOIN_ERR_TIMEOUT ? NULL : user;
}

static void
promise_c2_every_change_has_a_deadline(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  gate g;
  pthread_t waiting[3];
  void *failed = NULL;

  quoin_close(f->store);
  options.wait_ms = 60;
  good(quoin_open(&f->store, f->path, &options, &err), &err);
  const pthread_t loader = gate_start(&g, f->store);
  for (unsigned i = 0; i < 3; i++) {
    quoin_txn *const txn = with_change(f->store, true, i ? "one" : "another");
    assert_int_equal(pthread_create(&waiting[i], NULL, timed_commit, txn), 0);
  }
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(pthread_join(waiting[i], &failed), 0);
    assert_null(failed);
  }
  assert_int_equal(quoin_checkpoint(f->store, &err), QUOIN_ERR_TIMEOUT);
  assert_int_equal(quoin_store_clear(f->store, &err), QUOIN_ERR_TIMEOUT);
  assert_int_equal(count(f->store), 0);
  gate_end(&g, loader);
  const uint64_t before = count(f->store);
  good(quoin_txn_commit(NULL, NULL, with_change(f->store, true, "committed"), &err), &err);
  assert_int_equal(count(f->store), before + 1);
}

/* ---- C5 ---------------------------------------------------------------------------------------
 */

enum { HOLDERS = 64, COMMITS = 1000, LONG = 4000 };

typedef struct held {
  quoin_matches *matches;
  const quoin_statement *now; /* borrowed until the next step */
  char *copy;
} held;

static void
hold(held *h, fixture *f, unsigned steps)
{
  quoin_error err = QUOIN_ERROR_INIT;

  good(quoin_match(&h->matches, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  for (unsigned i = 0; i <= steps; i++)
    good(quoin_matches_next(&h->now, h->matches, &err), &err);
  const quoin_span value = h->now->object.value;
  h->copy = malloc(value.len + 1);
  assert_non_null(h->copy);
  memcpy(h->copy, value.ptr, value.len);
  h->copy[value.len] = '\0';
}

static void
assert_held(const held *h)
{
  const quoin_span value = h->now->object.value;
  assert_int_equal(value.len, strlen(h->copy));
  assert_memory_equal(value.ptr, h->copy, value.len);
}

/* Each commit brings one long term and some short ones. */
static void
grow(fixture *f, unsigned number, char *object)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn = NULL;

  good(quoin_txn_begin(&txn, f->store, &err), &err);
  for (unsigned i = 0; i < 12; i++) {
    uint64_t random = number * 12u + i + 1; /* letters that do not compress */
    for (unsigned k = 0; k < LONG; k++) {
      random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      object[k] = (char)('!' + (random >> 33) % 90);
    }
    object[i ? 20 : LONG - 20] = '\0';
    snprintf(object, 20, "%u/%u", number, i);
    object[strlen(object)] = ' ';
    const quoin_statement s = {iri("s:"), iri("grown:"), literal(object), {0}};
    good(quoin_txn_add(txn, &s, &err), &err);
  }
  commit(txn);
}

static void
promise_c5_growth_leaves_what_readers_hold(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  held readers[HOLDERS];
  sink data = {0};
  char line[128], object[LONG + 1];
  const quoin_stats empty = stats(f->store);

  reopen(f, QUOIN_DURABILITY_OFF);
  for (unsigned i = 0; i < HOLDERS; i++) {
    const int len =
        snprintf(line, sizeof(line), "<s:> <p:> \"what reader number %u holds\" .\n", i);
    assert_int_equal(sink_write(&data, line, (size_t)len, NULL), QUOIN_OK);
  }
  load_text(f, QUOIN_NTRIPLES, data.data);
  free(data.data);
  for (unsigned i = 0; i < HOLDERS; i++)
    hold(&readers[i], f, i);
  for (unsigned i = 0; i < COMMITS; i++) {
    grow(f, i, object);
    assert_held(&readers[i % HOLDERS]);
    if (i % 250 == 249) good(quoin_checkpoint(f->store, &err), &err);
  }
  for (unsigned i = 0; i < HOLDERS; i++) {
    assert_held(&readers[i]);
    unsigned left = i + 1;
    while (!quoin_matches_next(&readers[i].now, readers[i].matches, &err))
      left++;
    assert_int_equal(left, HOLDERS); /* and it goes on where it was */
    quoin_matches_close(readers[i].matches);
    free(readers[i].copy);
  }
  const quoin_stats full = stats(f->store);
  assert_int_equal(full.quads, HOLDERS + 12 * COMMITS);
  assert_true(full.term_bytes > empty.term_bytes + 3u * 1000 * 1000);
  assert_true(full.table_bytes > 4 * empty.table_bytes);
  print_message("term bytes %llu -> %llu, table bytes %llu -> %llu\n",
                (unsigned long long)empty.term_bytes, (unsigned long long)full.term_bytes,
                (unsigned long long)empty.table_bytes, (unsigned long long)full.table_bytes);
}

/* ---- N4 ---------------------------------------------------------------------------------------
 */

typedef struct generations {
  uint64_t modification, saved;
} generations;

static void
assert_moved(fixture *f, generations *g, const char *what)
{
  const quoin_stats s = stats(f->store);
  if (s.modification <= g->modification) print_error("%s did not count as a change\n", what);
  assert_true(s.modification > g->modification);
  assert_true(s.saved >= g->saved && s.saved <= s.modification);
  *g = (generations){s.modification, s.saved};
}

static void
assert_still(fixture *f, const generations *g, const char *what)
{
  const quoin_stats s = stats(f->store);
  if (s.modification != g->modification) print_error("%s counted as a change\n", what);
  assert_int_equal(s.modification, g->modification);
  assert_int_equal(s.saved, g->saved);
}

/* All is saved, and it is the same change that is the last one. */
static void
assert_saved(fixture *f, generations *g)
{
  const quoin_stats s = stats(f->store);
  assert_int_equal(s.modification, g->modification);
  assert_int_equal(s.saved, s.modification);
  *g = (generations){s.modification, s.saved};
}

static void
update(fixture *f, const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_update(NULL, f->store, text(what), NULL, &err), &err);
}

static void
promise_n4_every_change_moves_the_generation(void **state)
{
  static const char *const updates[] = {"INSERT DATA { <s:> <p:> 1, 2, 3 }",
                                        "INSERT { ?s <q:> ?o } WHERE { ?s <p:> ?o }",
                                        "DELETE DATA { <s:> <p:> 1 }",
                                        "COPY DEFAULT TO <g:>",
                                        "MOVE <g:> TO <h:>",
                                        "ADD <h:> TO <i:>",
                                        "CLEAR GRAPH <h:>",
                                        "DROP NAMED",
                                        "CLEAR ALL"};
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  generations g = {0, 0};
  gate gated;
  char path[96];
  const char *const files[] = {path};

  commit(with_change(f->store, true, "x"));
  assert_moved(f, &g, "a commit that adds");
  assert_true(g.modification > g.saved);
  commit(with_change(f->store, false, "x"));
  assert_moved(f, &g, "a commit that removes");
  for (size_t i = 0; i < sizeof(updates) / sizeof(*updates); i++) {
    update(f, updates[i]);
    assert_moved(f, &g, updates[i]);
    assert_true(g.modification > g.saved);
  }
  good(quoin_checkpoint(f->store, &err), &err);
  assert_saved(f, &g);
  good(quoin_checkpoint(f->store, &err), &err);
  assert_saved(f, &g);
  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"y\" .\n");
  assert_moved(f, &g, "a load from memory");
  const pthread_t loader = gate_start(&gated, f->store);
  gate_end(&gated, loader);
  assert_moved(f, &g, "a load from a callback");
  snprintf(path, sizeof(path), "%s/a.nt", f->dir);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("<s:> <p:> \"from a file\" .\n", file);
  fclose(file);
  good(quoin_load(NULL, f->store, files, 1, NULL, &err), &err);
  assert_moved(f, &g, "a load from a file");
  commit(with_change(f->store, true, "z"));
  assert_moved(f, &g, "a commit after a load");
  reopen(f, QUOIN_DURABILITY_FULL); /* closing saves */
  assert_saved(f, &g);
  assert_int_equal(count(f->store), 4);
}

/* What changes nothing moves nothing. */
static void
promise_n4_what_changes_nothing_moves_nothing(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  generations g = {0, 0};
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  options.format = QUOIN_NTRIPLES;
  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"x\" .\n");
  commit(with_change(f->store, true, "y"));
  assert_moved(f, &g, "a commit");
  commit(with_change(f->store, true, "x"));
  assert_still(f, &g, "adding what is there");
  commit(with_change(f->store, false, "z"));
  assert_still(f, &g, "removing what is not there");
  quoin_txn_abort(with_change(f->store, true, "z"));
  assert_still(f, &g, "an abort");
  update(f, "DELETE DATA { <s:> <p:> \"z\" } ; INSERT DATA { <s:> <p:> \"x\" }");
  assert_still(f, &g, "an update without effect");
  assert_int_equal(
      quoin_load_memory(NULL, f->store, text("<s:> <p:> \"v\" .\n<s:> .\n"), &options, &err),
      QUOIN_ERR_SYNTAX);
  assert_still(f, &g, "a load that failed");
  assert_int_equal(count(f->store), 2);
}

/* ---- O3 ---------------------------------------------------------------------------------------
 */

enum { ROWS = 600 };

static uint64_t
hash_text(quoin_span s)
{
  uint64_t h = 1469598103934665603u;
  for (size_t i = 0; i < s.len; i++)
    h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211u;
  return h;
}

/* The sum does not depend on the order of the rows. */
typedef struct answer {
  uint64_t rows, sum;
} answer;

static bool
step(answer *a, quoin_cursor *cursor)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quoin_status st = quoin_cursor_next(cursor, &err);

  if (st == QUOIN_DONE) return false;
  good(st, &err);
  a->rows++;
  a->sum += hash_text(quoin_cursor_text(cursor, 0));
  return true;
}

static answer
answer_now(quoin_store *store, const char *query)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  answer a = {0, 0};

  good(quoin_query(&cursor, store, text(query), NULL, &err), &err);
  while (step(&a, cursor))
    ;
  quoin_cursor_close(cursor);
  return a;
}

static void
load_rows(fixture *f)
{
  sink data = {0};
  char line[96];

  for (unsigned i = 0; i < ROWS; i++) {
    const int len = snprintf(line, sizeof(line), "<s:> <p:> \"row %u\" .\n", i);
    assert_int_equal(sink_write(&data, line, (size_t)len, NULL), QUOIN_OK);
  }
  load_text(f, QUOIN_NTRIPLES, data.data);
  free(data.data);
}

/* By turns a statement comes and one goes: the rows of the query first, then those that came. */
static void
change_something(quoin_store *store, uint64_t turn)
{
  const unsigned long long n = turn / 2;
  char object[32];

  if (turn % 2 == 0)
    snprintf(object, sizeof(object), "new %llu", n);
  else if (n < ROWS)
    snprintf(object, sizeof(object), "row %llu", n);
  else
    snprintf(object, sizeof(object), "new %llu", n - ROWS);
  commit(with_change(store, turn % 2 == 0, object));
}

/* Between the rows of a query others take away what it reads, add to it, and checkpoint. */
static void
promise_o3_an_answer_is_that_of_its_start(void **state)
{
  static const char *const all = "SELECT ?o { <s:> <p:> ?o }",
                           *const pairs = "SELECT ?o { <s:> <p:> ?o . ?x <p:> ?o }";
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *wanted = getenv("QUOIN_COMMITS");
  const uint64_t commits = wanted ? strtoull(wanted, NULL, 10) : 1500;
  quoin_cursor *scan = NULL, *join = NULL;
  answer of_scan = {0, 0}, of_join = {0, 0};
  uint64_t done = 0;

  reopen(f, QUOIN_DURABILITY_OFF);
  load_rows(f);
  const answer first = answer_now(f->store, all);
  const uint64_t before = stats(f->store).modification;
  assert_int_equal(first.rows, ROWS);
  good(quoin_query(&scan, f->store, text(all), NULL, &err), &err);
  good(quoin_query(&join, f->store, text(pairs), NULL, &err), &err);
  while (step(&of_scan, scan)) {
    (void)step(&of_join, join);
    for (; done * ROWS < of_scan.rows * commits; done++)
      change_something(f->store, done);
    if (of_scan.rows % 150 == 0) good(quoin_checkpoint(f->store, &err), &err);
  }
  assert_int_equal(stats(f->store).modification, before + commits);
  update(f, "CLEAR ALL");
  while (step(&of_join, join))
    ;
  assert_int_equal(count(f->store), 0);
  assert_true(of_scan.rows == first.rows && of_scan.sum == first.sum);
  assert_true(of_join.rows == first.rows && of_join.sum == first.sum);
  quoin_cursor_close(scan);
  quoin_cursor_close(join);
  print_message("%llu commits passed\n", (unsigned long long)done);
}

/* A load has the writer role and stands still: whoever reads is done before it goes on. */
static void
promise_o3_reads_do_not_wait_for_writes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  gate g;
  quoin_txn *txn = NULL;
  const quoin_statement s = {iri("s:"), iri("p:"), literal("mine"), {0}};
  quoin_matches *matches = NULL;
  const quoin_statement *found = NULL;
  uint64_t rows = 0;

  load_rows(f);
  const pthread_t loader = gate_start(&g, f->store);
  assert_int_equal(count(f->store), ROWS);
  assert_int_equal(answer_now(f->store, "SELECT ?o { ?s ?p ?o }").rows, ROWS);
  assert_int_equal(stats(f->store).quads, ROWS);
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  good(quoin_txn_add(txn, &s, &err), &err);
  good(quoin_txn_match(&matches, txn, NULL, QUOIN_ANY_GRAPH, &err), &err);
  while (!quoin_matches_next(&found, matches, &err))
    rows++;
  assert_int_equal(rows, ROWS + 1);
  quoin_matches_close(matches);
  quoin_txn_abort(txn);
  good(quoin_check(f->store, NULL, NULL, NULL, &err), &err);
  gate_end(&g, loader);
  assert_int_equal(count(f->store), ROWS + 1);
}

/* ---- O4 ---------------------------------------------------------------------------------------
 */

static void
assert_conflict(quoin_txn *txn)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t added = 9, removed = 9;

  assert_int_equal(quoin_txn_commit(&added, &removed, txn, &err), QUOIN_ERR_CONFLICT);
  assert_non_null(strstr(err.message, "try it again"));
  assert_int_equal(added, 0);
  assert_int_equal(removed, 0);
}

static void
promise_o4_removals_conflict(void **state)
{
  fixture *f = *state;
  quoin_txn *one, *two;

  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"x\" .\n<s:> <p:> \"y\" .\n");
  one = with_change(f->store, false, "x");
  two = with_change(f->store, false, "x");
  commit(one);
  assert_conflict(two);
  commit(with_change(f->store, false, "x")); /* the advice: with a new transaction */
  one = with_change(f->store, true, "z");
  two = with_change(f->store, false, "z"); /* not there when it began, there when it commits */
  commit(one);
  assert_conflict(two);
  one = with_change(f->store, false, "y"); /* different quads: none */
  two = with_change(f->store, false, "z");
  commit(one);
  commit(two);
  assert_int_equal(count(f->store), 0);
}

static void
promise_o4_a_conflict_leaves_nothing_behind(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  const quoin_statement more = {iri("s:"), iri("new:"), literal("never seen before"), iri("g:")};

  load_text(f, QUOIN_NTRIPLES, "<s:> <p:> \"x\" .\n");
  quoin_txn *const two = with_change(f->store, false, "x");
  good(quoin_txn_add(two, &more, &err), &err);
  commit(with_change(f->store, false, "x"));
  const quoin_stats before = stats(f->store);
  assert_conflict(two);
  const quoin_stats after = stats(f->store);
  assert_int_equal(after.quads, 0);
  assert_int_equal(after.terms, before.terms);
  assert_int_equal(after.modification, before.modification);
}

static void
promise_o4_blind_insertions_do_not_conflict(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t added = 9;

  quoin_txn *const one = with_change(f->store, true, "x");
  quoin_txn *const two = with_change(f->store, true, "x");
  quoin_txn *const other = with_change(f->store, true, "y");
  commit(one);
  good(quoin_txn_commit(&added, NULL, two, &err), &err);
  assert_int_equal(added, 0); /* it was there by then */
  commit(other);
  assert_int_equal(count(f->store), 2);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
      TEST(promise_c2_commits_are_applied_one_at_a_time),
      TEST(promise_c2_who_waits_too_long_times_out),
      TEST(promise_c2_every_change_has_a_deadline),
      TEST(promise_c5_growth_leaves_what_readers_hold),
      TEST(promise_n4_every_change_moves_the_generation),
      TEST(promise_n4_what_changes_nothing_moves_nothing),
      TEST(promise_o3_an_answer_is_that_of_its_start),
      TEST(promise_o3_reads_do_not_wait_for_writes),
      TEST(promise_o4_removals_conflict),
      TEST(promise_o4_a_conflict_leaves_nothing_behind),
      TEST(promise_o4_blind_insertions_do_not_conflict),
#undef TEST
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
