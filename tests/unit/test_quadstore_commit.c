/* Many producers, one writer: group commit. */
#include "quadstore/history.h"
#include "unit/test_quadstore_support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MEM base_alloc_default()

enum { PRODUCERS = 16, EACH = 40 };

typedef struct producer {
  quad_store *store;
  unsigned number;
  uint64_t commits;       /* to make; 0: for ever */
  _Atomic uint64_t *safe; /* commits acknowledged, in memory that may outlive the process */
  unsigned failures;
} producer;

/* Commit `n` of a producer: a quad of new terms, and one that all producers add. */
static quoin_status
commit_one(quad_store *store, unsigned number, uint64_t n, quoin_error *err)
{
  char subject[64], shared[64];
  rdf_term t[4] = {{RDF_IRI, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
  quad_txn *txn;
  quoin_status st;

  (void)snprintf(subject, sizeof subject, "http://example.org/%u/%llu", number,
                 (unsigned long long)n);
  (void)snprintf(shared, sizeof shared, "http://example.org/shared/%llu", (unsigned long long)n);
  if ((st = quad_txn_begin(&txn, store, err))) return st;
  t[0].value = base_span(subject);
  t[1] = t[2] = t[0];
  t[1].value = base_span("http://example.org/p");
  t[2].value = base_span(shared);
  if (!(st = quad_txn_add(txn, (const rdf_term *)t, err))) {
    t[0].value = base_span(shared);
    st = quad_txn_add(txn, (const rdf_term *)t, err);
  }
  if (st) {
    quad_txn_abort(txn);
    return st;
  }
  return quad_txn_commit(NULL, NULL, txn, err);
}

static void *
producer_main(void *arg)
{
  producer *p = arg;

  for (uint64_t n = 0; !p->commits || n < p->commits; n++) {
    quoin_error err = QUOIN_ERROR_INIT;
    if (commit_one(p->store, p->number, n, &err)) {
      p->failures++;
      break;
    }
    if (p->safe) atomic_store(p->safe, n + 1);
  }
  return NULL;
}

static void
start(pthread_t id[PRODUCERS], producer p[PRODUCERS], quad_store *store, uint64_t commits,
      _Atomic uint64_t *safe)
{
  for (unsigned i = 0; i < PRODUCERS; i++) {
    p[i] =
        (producer){.store = store, .number = i, .commits = commits, .safe = safe ? safe + i : NULL};
    assert_int_equal(pthread_create(&id[i], NULL, producer_main, &p[i]), 0);
  }
}

static bool
is_there(quad_snapshot *s, const char *subject, uint64_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_pattern p = {.scope = QUAD_DEFAULT};
  rdf_term term = {RDF_IRI, base_span(subject), {NULL, 0}, {NULL, 0}};
  char object[64];
  uint64_t count, mark = quad_snapshot_atom_mark(s);

  assert_ok(atom_find(&p.match.term[0], quad_snapshot_atoms(s), &term, mark, &err));
  (void)snprintf(object, sizeof object, "http://example.org/shared/%llu", (unsigned long long)n);
  term.value = base_span(object);
  assert_ok(atom_find(&p.match.term[2], quad_snapshot_atoms(s), &term, mark, &err));
  if (!p.match.term[0].bits || !p.match.term[2].bits) return false;
  assert_ok(quad_count(&count, s, &p, &err));
  return count == 1;
}

/* Commits 0..safe[i] of each producer are there, each with both quads; *total counts all. */
static void
verify(uint64_t *total, quad_store *store, const _Atomic uint64_t *safe)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_pattern all = {.scope = QUAD_ANY};
  quad_snapshot *s;
  char subject[64];

  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(total, s, &all, &err));
  for (unsigned i = 0; i < PRODUCERS; i++)
    for (uint64_t n = 0; n <= safe[i]; n++) { /* one more may be there */
      bool one, shared;
      (void)snprintf(subject, sizeof subject, "http://example.org/%u/%llu", i,
                     (unsigned long long)n);
      one = is_there(s, subject, n);
      (void)snprintf(subject, sizeof subject, "http://example.org/shared/%llu",
                     (unsigned long long)n);
      shared = is_there(s, subject, n);
      if (n < safe[i]) assert_true(one);
      if (one) assert_true(shared); /* never half a commit */
    }
  quad_snapshot_release(s);
}

/* Wait until each producer has a commit in the queue. */
static void
wait_for_queue(quad_store *store)
{
  for (unsigned n = 0; n < PRODUCERS; (void)usleep(100)) {
    n = 0;
    base_mutex_lock(&store->queue.lock);
    for (quad_request **r = &store->queue.first; *r;
         r = (quad_request **)*r) /* `next` comes first */
      n++;
    base_mutex_unlock(&store->queue.lock);
  }
}

static void
promise_m6_sixteen_producers_share_syncs(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  support_dir d;
  quad_store *store;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];
  _Atomic uint64_t safe[PRODUCERS] = {0};
  quad_stats stats;
  quad_txn *writer;
  uint64_t total;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  /* Where syncs cost nothing, groups are small: at least the first one is to hold all. */
  assert_ok(quad_txn_begin_writer(&writer, store, NULL, &err));
  start(id, p, store, EACH, safe);
  wait_for_queue(store);
  quad_txn_abort(writer);
  for (unsigned i = 0; i < PRODUCERS; i++) {
    assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(p[i].failures, 0);
    assert_int_equal(safe[i], EACH);
  }
  assert_ok(quad_store_stats(&stats, store, &err));
  assert_int_equal(stats.commits, PRODUCERS * EACH);
  assert_int_equal(stats.modification, PRODUCERS * EACH + 1);
  assert_true(stats.log_syncs > 0);
  assert_true(stats.log_syncs <= stats.commits - (PRODUCERS - 1));
  printf("%llu commits, %llu syncs\n", (unsigned long long)stats.commits,
         (unsigned long long)stats.log_syncs);
  assert_ok(quad_store_close(store, &err));
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  verify(&total, store, safe);
  assert_int_equal(total, (PRODUCERS + 1) * EACH);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

static void
child_main(const char *path, _Atomic uint64_t *safe, pid_t parent)
{
  quad_store_options o = {.create = true, .memory_bytes = 200000};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];

  if (quad_store_open(&store, path, &o, MEM, &err)) _exit(1);
  start(id, p, store, 0, safe);
  while (getppid() == parent) /* no orphan when an assertion fails */
    (void)usleep(10000);
  _exit(2);
}

static void
promise_m6_killed_at_random_moments(void **unused)
{
  const size_t bytes = PRODUCERS * sizeof(_Atomic uint64_t);
  pid_t parent = getpid();
  quad_store_options o = {.durability = QUAD_SYNC_FULL};
  void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  _Atomic uint64_t *safe = shared;
  uint64_t acknowledged = 0;

  (void)unused;
  assert_true(shared != MAP_FAILED);
  for (unsigned turn = 0; turn < 6; turn++) {
    quoin_error err = QUOIN_ERROR_INIT;
    uint64_t want = 1 + draw() % 300, total, sum = 0;
    support_dir d;
    quad_store *store;
    pid_t child;
    int status;

    support_dir_make(&d);
    memset(shared, 0, bytes);
    child = fork();
    assert_true(child >= 0);
    if (!child) child_main(d.path, safe, parent);
    while (sum < want) { /* by what it did, not by the clock */
      sum = 0;
      for (unsigned i = 0; i < PRODUCERS; i++)
        sum += atomic_load(safe + i);
      assert_int_equal(waitpid(child, &status, WNOHANG), 0);
      (void)usleep(100);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
    verify(&total, store, safe);
    assert_ok(quad_store_close(store, &err));
    acknowledged += sum;
    support_dir_remove(&d);
  }
  printf("at least %llu commits survived\n", (unsigned long long)acknowledged);
  munmap(shared, bytes);
}

/* A commit that fails in the middle of others takes nothing with it. */
static void *
conflict_main(void *arg)
{
  producer *p = arg;

  for (uint64_t n = 0; n < EACH; n++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad q = {{atom_inline_integer(1), atom_inline_integer(2), atom_inline_integer((int64_t)n),
               ATOM_NONE_ID}};
    rdf_term t[4] = {{RDF_IRI, base_span("http://example.org/x"), {NULL, 0}, {NULL, 0}}};
    quad_txn *txn;
    uint64_t removed = 0;
    quoin_status st;
    char text[64];
    (void)snprintf(text, sizeof text, "http://example.org/%u/%llu", p->number,
                   (unsigned long long)n);
    t[1] = t[2] = t[0];
    t[2].value = base_span(text);
    if ((st = quad_txn_begin(&txn, p->store, &err))) break;
    st = quad_txn_remove_ids(txn, &q, &err);
    if (!st) st = quad_txn_add(txn, (const rdf_term *)t, &err);
    if (st) {
      quad_txn_abort(txn);
      p->failures++;
      break;
    }
    st = quad_txn_commit(NULL, &removed, txn, &err);
    if (st && st != QUOIN_ERR_CONFLICT) p->failures++;
    if (!st) p->commits += 1;
    if (!st && removed) atomic_fetch_add(p->safe, 1);
  }
  return NULL;
}

static void
promise_m6_conflicts_are_found_in_commit_order(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF};
  quad_pattern all = {.scope = QUAD_ANY};
  support_dir d;
  quad_store *store;
  quad_snapshot *s;
  quad_txn *txn;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];
  _Atomic uint64_t removed = 0;
  uint64_t total, committed = 0;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  assert_ok(quad_txn_begin(&txn, store, &err));
  for (int64_t n = 0; n < EACH; n++) {
    quad q = {
        {atom_inline_integer(1), atom_inline_integer(2), atom_inline_integer(n), ATOM_NONE_ID}};
    assert_ok(quad_txn_add_ids(txn, &q, &err));
  }
  assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  for (unsigned i = 0; i < PRODUCERS; i++) {
    p[i] = (producer){.store = store, .number = i, .safe = &removed};
    assert_int_equal(pthread_create(&id[i], NULL, conflict_main, &p[i]), 0);
  }
  for (unsigned i = 0; i < PRODUCERS; i++) {
    assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(p[i].failures, 0);
    committed += p[i].commits;
  }
  assert_int_equal(removed, EACH); /* each once */
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_ok(quad_count(&total, s, &all, &err));
  assert_int_equal(total, committed); /* one new quad each; nothing of the others */
  quad_snapshot_release(s);
  assert_ok(quad_store_check(store, NULL, NULL, NULL, &err));
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

/* ---- optimistic transactions ---------------------------------------------------------------- */

static quad
small_quad(int64_t s, int64_t p, int64_t o)
{
  return (quad){
      {atom_inline_integer(s), atom_inline_integer(p), atom_inline_integer(o), ATOM_NONE_ID}};
}

static quad_txn *
begin_with(quad_store *store, const quad_pattern *scanned, quad added)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_txn *txn;

  assert_ok(quad_txn_begin(&txn, store, &err));
  if (scanned) assert_ok(quad_txn_scanned(txn, scanned, &err));
  assert_ok(quad_txn_add_ids(txn, &added, &err));
  return txn;
}

static quoin_status
end(quad_txn *txn)
{
  return quad_txn_commit(NULL, NULL, txn, NULL);
}

static quad_store *
open_empty(support_dir *d)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .durability = QUAD_SYNC_OFF};
  quad_store *store;

  support_dir_make(d);
  assert_ok(quad_store_open(&store, d->path, &o, MEM, &err));
  return store;
}

static void
promise_o4_one_of_two_that_read_and_write_fails(void **unused)
{
  quad_pattern of_one = {.scope = QUAD_DEFAULT, .match = {{atom_inline_integer(1)}}};
  quad_pattern of_two = {.scope = QUAD_DEFAULT, .match = {{atom_inline_integer(2)}}};
  quad_pattern named = {.scope = QUAD_NAMED};
  quad_pattern any = {.scope = QUAD_ANY};
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_store *store = open_empty(&d);
  quad_txn *a, *b, *c, *e;

  (void)unused;
  a = begin_with(store, &of_one, small_quad(1, 1, 1));
  b = begin_with(store, &of_one, small_quad(1, 1, 2));
  c = begin_with(store, &of_two, small_quad(1, 1, 3));
  e = begin_with(store, &named, small_quad(1, 1, 4));
  assert_int_equal(end(b), QUOIN_OK);
  assert_int_equal(quad_txn_commit(NULL, NULL, a, &err), QUOIN_ERR_CONFLICT);
  assert_non_null(strstr(err.message, "try it again"));
  assert_int_equal(end(c), QUOIN_OK); /* another subject */
  assert_int_equal(end(e), QUOIN_OK); /* other graphs */
  a = begin_with(store, &of_one, small_quad(1, 1, 1));
  assert_int_equal(end(a), QUOIN_OK); /* again */
  a = begin_with(store, &any, small_quad(3, 1, 1));
  b = begin_with(store, NULL, small_quad(1, 1, 1)); /* is there: changes nothing */
  assert_int_equal(end(b), QUOIN_OK);
  assert_int_equal(end(a), QUOIN_OK);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

static void
promise_o4_blind_writes_never_conflict(void **unused)
{
  quad_pattern any = {.scope = QUAD_ANY};
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_store *store = open_empty(&d);
  quad_txn *a, *b, *reader;

  (void)unused;
  a = begin_with(store, NULL, small_quad(1, 1, 1));
  b = begin_with(store, NULL, small_quad(1, 1, 1));
  assert_ok(quad_txn_begin(&reader, store, &err));
  assert_ok(quad_txn_scanned(reader, &any, &err));
  assert_int_equal(end(a), QUOIN_OK);
  assert_int_equal(end(b), QUOIN_OK);
  assert_int_equal(end(reader), QUOIN_OK); /* it changes nothing */
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

/* A pattern with a term that the store learns only later, and a removal that comes back. */
static void
promise_o4_terms_and_changes_that_come_and_go(void **unused)
{
  rdf_term t[4] = {{RDF_IRI, base_span("http://example.org/x"), {NULL, 0}, {NULL, 0}}};
  quad_pattern p = {.scope = QUAD_ANY};
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_store *store = open_empty(&d);
  quad gone = small_quad(5, 5, 5);
  quad_bulk *bulk;
  quad_txn *a, *b;

  (void)unused;
  t[1] = t[2] = t[0];
  assert_ok(quad_txn_begin(&a, store, &err));
  assert_ok(atom_local_intern(&p.match.term[0], quad_txn_local(a), &t[0], &err));
  assert_ok(quad_txn_scanned(a, &p, &err));
  assert_ok(quad_txn_add_ids(a, &gone, &err));
  assert_ok(quad_txn_begin(&b, store, &err));
  assert_ok(quad_txn_add(b, (const rdf_term *)t, &err));
  assert_int_equal(end(b), QUOIN_OK);
  assert_int_equal(end(a), QUOIN_ERR_CONFLICT);

  assert_int_equal(end(begin_with(store, NULL, gone)), QUOIN_OK);
  p = (quad_pattern){.scope = QUAD_DEFAULT, .match = gone};
  a = begin_with(store, &p, small_quad(6, 6, 6));
  assert_ok(quad_txn_begin(&b, store, &err));
  assert_ok(quad_txn_remove_ids(b, &gone, &err));
  assert_int_equal(end(b), QUOIN_OK);
  assert_int_equal(end(begin_with(store, NULL, gone)), QUOIN_OK); /* back as it was */
  assert_int_equal(end(a), QUOIN_ERR_CONFLICT);

  a = begin_with(store, &p, small_quad(6, 6, 6));
  assert_ok(quad_bulk_begin(&bulk, store, 0, 1, &err));
  gone = small_quad(7, 7, 7);
  assert_ok(quad_bulk_add(bulk, &gone, 1, &err));
  assert_ok(quad_bulk_finish(NULL, bulk, NULL, &err));
  assert_int_equal(end(a), QUOIN_ERR_CONFLICT); /* loads count as changing everything */
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

/* The ring of recent changes against all changes there were: it may forget, but never miss. */
static void
promise_o4_the_past_is_bounded_and_never_wrong(void **unused)
{
  enum { VERSIONS = 3000, LARGE = 400 };
  quoin_error err = QUOIN_ERROR_INIT;
  quad_history *h;
  quad *all = calloc((size_t)VERSIONS * (LARGE + 1), sizeof *all);
  size_t *start = calloc(VERSIONS + 2, sizeof *start), n = 0, known = 0;

  (void)unused;
  assert_ok(quad_history_new(&h, MEM, &err));
  for (uint64_t v = 1; v <= VERSIONS; v++) {
    quad_changes changes;
    size_t more = 1 + (size_t)(draw() % LARGE) * (v % 2 ? 1 : 2) / 2;
    start[v] = n;
    quad_changes_init(&changes, MEM);
    for (size_t i = 0; i < more; i++) {
      quad q = random_quad(500, draw() % 2);
      assert_ok(quad_changes_add(&changes, &q, draw() % 2, &err));
      all[n++] = q;
    }
    quad_history_add(h, v, &changes);
    quad_changes_clear(&changes);
    if (v == 500) quad_history_forget(h, v);
    if (v % 50 != 0) continue;
    for (unsigned i = 0; i < 20; i++) {
      uint64_t back = draw() % 60, since = back > v ? 0 : v - back;
      quad_pattern p = {.scope = (quad_scope)(draw() % 3), .match = random_quad(500, true)};
      bool changed = false, said = quad_history_touches(h, since, &p, 1);
      if (p.scope == QUAD_DEFAULT) p.match.term[3] = ATOM_NONE_ID;
      for (size_t k = since < v ? start[since + 1] : n; k < n; k++)
        changed |= model_matches(&all[k], &p);
      if (since >= h->from) {
        known++;
        assert_int_equal(said, changed);
      } else {
        assert_true(said);
      }
    }
  }
  assert_true(known > 500);
  assert_true(h->room <= 1 << 18 && n - start[501] > h->room); /* it went round */
  quad_history_free(h);
  free(all);
  free(start);
}

/* ---- the queue ------------------------------------------------------------------------------ */

/* As producer_main, but one that times out tries again, and counts it. */
static void *
patient_main(void *arg)
{
  producer *p = arg;

  for (uint64_t n = 0; n < p->commits;) {
    quoin_error err = QUOIN_ERROR_INIT;
    quoin_status st = commit_one(p->store, p->number, n, &err);
    if (st == QUOIN_ERR_TIMEOUT)
      p->failures++;
    else if (st)
      return NULL;
    else
      atomic_store(p->safe, ++n);
  }
  return NULL;
}

/* Whoever leaves the queue, the first of it and the one that leads too, leaves it to the others. */
static void
test_queue__who_times_out_leaves_it_to_others(void **unused)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true, .wait_ms = 20};
  support_dir d;
  quad_store *store;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];
  _Atomic uint64_t safe[PRODUCERS] = {0};
  quad_txn *writer;
  uint64_t total;
  unsigned late = 0;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  assert_ok(quad_txn_begin_writer(&writer, store, NULL, &err));
  for (unsigned i = 0; i < PRODUCERS; i++) {
    p[i] = (producer){.store = store, .number = i, .commits = EACH, .safe = safe + i};
    assert_int_equal(pthread_create(&id[i], NULL, patient_main, &p[i]), 0);
    (void)usleep(3000); /* they time out one after another */
  }
  (void)usleep(100 * 1000);
  quad_txn_abort(writer);
  for (unsigned i = 0; i < PRODUCERS; i++) {
    assert_int_equal(pthread_join(id[i], NULL), 0);
    assert_int_equal(safe[i], EACH);
    late += p[i].failures;
  }
  assert_true(late > 0);
  assert_int_equal(store->queue.n, 0);
  verify(&total, store, safe);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

/* After a group all of its threads are expected; one that does not come is waited for for half of a
 * sync at most, and then no more for a while. */
static void
test_queue__expects_those_it_served(void **unused)
{
  enum { SYNC_NS = 40 * 1000 * 1000 };
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store_options o = {.create = true};
  support_dir d;
  quad_store *store;
  quad_queue *q;
  pthread_t id[PRODUCERS];
  producer p[PRODUCERS];
  quad_txn *writer;
  uint64_t begun;

  (void)unused;
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &o, MEM, &err));
  q = &store->queue;
  assert_ok(quad_txn_begin_writer(&writer, store, NULL, &err));
  start(id, p, store, 1, NULL);
  wait_for_queue(store);
  atomic_store(&q->sync_ns, SYNC_NS); /* as if the disk were slow */
  quad_txn_abort(writer);
  for (unsigned i = 0; i < PRODUCERS; i++)
    assert_int_equal(pthread_join(id[i], NULL), 0);
  assert_int_equal(q->expected, PRODUCERS);

  atomic_store(&q->sync_ns, SYNC_NS);
  begun = base_clock_ns();
  assert_ok(commit_one(store, 0, 1, &err)); /* alone */
  assert_true(base_clock_ns() - begun >= SYNC_NS / 2);
  assert_int_equal(q->expected, 0);
  assert_int_equal(q->vain, 1);
  assert_int_equal(q->skip, 2);

  atomic_store(&q->sync_ns, (uint64_t)3600 * 1000 * 1000 * 1000); /* any wait would be seen */
  assert_ok(commit_one(store, 0, 2, &err));
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_m6_sixteen_producers_share_syncs),
      cmocka_unit_test(promise_m6_killed_at_random_moments),
      cmocka_unit_test(test_queue__who_times_out_leaves_it_to_others),
      cmocka_unit_test(test_queue__expects_those_it_served),
      cmocka_unit_test(promise_m6_conflicts_are_found_in_commit_order),
      cmocka_unit_test(promise_o4_one_of_two_that_read_and_write_fails),
      cmocka_unit_test(promise_o4_blind_writes_never_conflict),
      cmocka_unit_test(promise_o4_terms_and_changes_that_come_and_go),
      cmocka_unit_test(promise_o4_the_past_is_bounded_and_never_wrong),
  };

  support_seed();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
