/* Transactions past memory: their files, what is read in them, and their commit. */
#include "quadstore/txn.h"
#include "unit/test_quadstore_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define MEM base_alloc_default()

/* The universe of the model: quads are numbered, and a set of them is a byte for each. */
enum { SUBJECTS = 14, PREDICATES = 4, OBJECTS = 11, GRAPHS = 3 };
enum { QUADS = SUBJECTS * PREDICATES * OBJECTS * GRAPHS };
enum { TERMS = SUBJECTS + PREDICATES + OBJECTS + GRAPHS };

typedef struct set {
  uint8_t has[QUADS];
} set;

static void
numbers_of(unsigned out[4], unsigned i)
{
  out[QUAD_S] = i % SUBJECTS;
  out[QUAD_P] = SUBJECTS + i / SUBJECTS % PREDICATES;
  out[QUAD_O] = SUBJECTS + PREDICATES + i / SUBJECTS / PREDICATES % OBJECTS;
  out[QUAD_G] = SUBJECTS + PREDICATES + OBJECTS + i / SUBJECTS / PREDICATES / OBJECTS;
}

static void
terms_of(rdf_term out[4], char text[4][32], unsigned i)
{
  unsigned n[4];
  numbers_of(n, i);
  for (unsigned k = 0; k < 4; k++) {
    (void)snprintf(text[k], 32, "http://example.org/%u", n[k]);
    out[k] = (rdf_term){.kind = RDF_IRI, .value = base_span(text[k])};
  }
  if (n[QUAD_G] == SUBJECTS + PREDICATES + OBJECTS) out[QUAD_G] = (rdf_term){.kind = RDF_NONE};
}

static unsigned
number_of(const quad_snapshot *s, const atom_local *local, atom_id id)
{
  quoin_error err = QUOIN_ERROR_INIT;
  base_arena arena;
  rdf_term term;
  unsigned number;
  base_arena_init(&arena, MEM);
  if (atom_id_kind(id) == ATOM_LOCAL)
    atom_local_read(&term, local, id);
  else
    assert_ok(atom_read(&term, quad_snapshot_atoms(s), id, &arena, &err));
  assert_true(term.value.len > 19 && term.value.len < 24);
  char digits[8] = {0};
  memcpy(digits, term.value.ptr + 19, term.value.len - 19);
  number = (unsigned)strtoul(digits, NULL, 10);
  base_arena_clear(&arena);
  return number;
}

/* What a snapshot shows, in a random order of the store's; counts must agree. */
static void
assert_shows(const quad_snapshot *s, const atom_local *local, const set *want)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (unsigned scope = QUAD_DEFAULT; scope <= QUAD_NAMED; scope++) {
    quad_pattern p = {.scope = (quad_scope)scope};
    quad_order order = (quad_order)(draw() % (scope == QUAD_DEFAULT ? QUAD_GSPO : QUAD_ORDERS));
    quad_scan *scan;
    quad_batch b;
    set found = {{0}};
    uint64_t n = 0, count;
    quoin_status st;
    assert_ok(quad_scan_open(&scan, s, &p, order, 15, &err));
    while (!(st = quad_scan_next(&b, scan, &err)))
      for (size_t i = 0; i < b.rows; i++, n++) {
        unsigned at = number_of(s, local, b.column[QUAD_O][i]) - SUBJECTS - PREDICATES;
        unsigned g = 0;
        if (b.column[QUAD_G][i].bits)
          g = number_of(s, local, b.column[QUAD_G][i]) - SUBJECTS - PREDICATES - OBJECTS;
        assert_int_equal(g == 0, scope == QUAD_DEFAULT);
        at = (g * OBJECTS + at) * PREDICATES + number_of(s, local, b.column[QUAD_P][i]) - SUBJECTS;
        at = at * SUBJECTS + number_of(s, local, b.column[QUAD_S][i]);
        assert_true(at < QUADS && !found.has[at]);
        if (at < QUADS) found.has[at] = 1;
      }
    assert_int_equal(st, QUOIN_DONE);
    quad_scan_close(scan);
    assert_ok(quad_count(&count, s, &p, &err));
    assert_int_equal(count, n);
    for (unsigned i = 0; i < QUADS; i++) {
      if ((i >= QUADS / GRAPHS) != (scope == QUAD_NAMED)) continue;
      if (found.has[i] != want->has[i])
        fail_msg("quad %u is %s, scope %u, order %u", i, found.has[i] ? "there" : "not there",
                 scope, (unsigned)order);
    }
  }
}

static void
assert_store_shows(quad_store *store, const set *want)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot *s;
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_shows(s, NULL, want);
  quad_snapshot_release(s);
}

static unsigned
spills_in(const support_dir *d)
{
  unsigned n = 0;
  DIR *dir = opendir(d->path);
  struct dirent *e;
  while (dir && (e = readdir(dir)))
    n += !strncmp(e->d_name, "spill-", 6);
  if (dir) closedir(dir);
  return n;
}

/* A transaction and what the model says of it. */
typedef struct open_txn {
  quad_txn *txn;
  set begin, now;
  uint8_t said[QUADS], removes[QUADS]; /* the last word */
  bool scanned, moved;
} open_txn;

static void
begin_txn(open_txn *t, quad_store *store, const set *content, bool writer)
{
  quoin_error err = QUOIN_ERROR_INIT;
  memset(t, 0, sizeof *t);
  t->begin = t->now = *content;
  if (writer)
    assert_ok(quad_txn_begin_writer(&t->txn, store, NULL, &err));
  else
    assert_ok(quad_txn_begin(&t->txn, store, &err));
}

static void
change_some(open_txn *t, size_t n, unsigned adds_of_8)
{
  quoin_error err = QUOIN_ERROR_INIT;
  for (size_t c = 0; c < n; c++) {
    rdf_term terms[4];
    char text[4][32];
    unsigned i = (unsigned)(draw() % QUADS);
    bool remove = draw() % 8 >= adds_of_8;
    terms_of(terms, text, i);
    if (remove)
      assert_ok(quad_txn_remove(t->txn, (const rdf_term *)terms, &err));
    else
      assert_ok(quad_txn_add(t->txn, (const rdf_term *)terms, &err));
    t->said[i] = 1;
    t->removes[i] = remove;
    t->now.has[i] = !remove;
    if (draw() % 97) continue;
    quad_snapshot *s;
    assert_ok(quad_txn_snapshot(&s, t->txn, &err));
    assert_shows(s, quad_txn_local(t->txn), &t->now);
    quad_snapshot_release(s);
  }
}

/* Commit, and hold what comes of it against the model; *content follows. */
static void
commit_txn(open_txn *t, quad_store *store, set *content)
{
  quoin_error err = QUOIN_ERROR_INIT;
  set after = *content;
  uint64_t added, removed, want_added = 0, want_removed = 0;
  bool conflict = false, changes = false;
  for (unsigned i = 0; i < QUADS; i++) {
    if (!t->said[i]) continue;
    changes = true;
    conflict |= t->removes[i] && t->begin.has[i] != content->has[i];
    want_added += !t->removes[i] && !content->has[i];
    want_removed += t->removes[i] && content->has[i];
    after.has[i] = !t->removes[i];
  }
  uint64_t terms = atom_store_terms(quad_store_atoms(store));
  quoin_status st = quad_txn_commit(&added, &removed, t->txn, &err);
  if (st == QUOIN_ERR_CONFLICT && t->scanned && t->moved && changes) conflict = true;
  if (conflict) {
    assert_int_equal(st, QUOIN_ERR_CONFLICT);
    assert_int_equal(atom_store_terms(quad_store_atoms(store)), terms);
    return;
  }
  if (st) fail_msg("commit: %d %s", st, err.message);
  assert_int_equal(added, want_added);
  assert_int_equal(removed, want_removed);
  *content = after;
}

/* A reading process keeps up with it. */
static void
assert_reader_shows(quad_store *reader, const set *want)
{
  quoin_error err = QUOIN_ERROR_INIT;
  bool changed;
  assert_ok(quad_store_refresh(&changed, reader, &err));
  assert_store_shows(reader, want);
}

static void
back_up(quad_store *store, const set *want)
{
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir to;
  quad_store *copy;
  support_dir_make(&to);
  assert_ok(quad_store_backup(store, to.path, NULL, &err));
  assert_ok(quad_store_open(&copy, to.path, NULL, MEM, &err));
  assert_store_shows(copy, want);
  assert_ok(quad_store_close(copy, &err));
  support_dir_remove(&to);
}

/* Transactions of all sizes, two at a time, with everything else that a store does in between. */
static void
promise_o4_transactions_past_memory_against_a_model(void **unused)
{
  (void)unused;
  enum { ROUNDS = 40 };
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  quad_store *store, *reader;
  quad_store_options options = {.create = true, .txn_bytes = 1, .inline_maintenance = true};
  const quad_store_options reading = {.read_only = true};
  set content = {{0}};
  support_seed();
  support_dir_make(&d);
  if (draw() % 2) options.memory_bytes = 20000;
  assert_ok(quad_store_open(&store, d.path, &options, MEM, &err));
  assert_ok(quad_store_open(&reader, d.path, &reading, MEM, &err));
  for (unsigned round = 0; round < ROUNDS; round++) {
    open_txn t, other;
    bool writer = draw() % 4 == 0, beside = !writer && draw() % 2;
    begin_txn(&t, store, &content, writer);
    change_some(&t, draw() % 3 ? draw() % 300 : draw() % 8, (unsigned)(2 + draw() % 6));
    if (beside) {
      begin_txn(&other, store, &content, false);
      change_some(&other, draw() % (draw() % 2 ? 200 : 6), (unsigned)(1 + draw() % 7));
      if (draw() % 4 == 0) {
        const quad_pattern all = {.scope = QUAD_ANY};
        assert_ok(quad_txn_scanned(other.txn, &all, &err));
        other.scanned = true;
      }
    }
    if (!writer && draw() % 8 == 0) {
      assert_ok(quad_store_compact(store, 0, NULL, &err));
    } else if (!writer && draw() % 8 == 0) {
      assert_ok(quad_checkpoint(store, &err));
    }
    change_some(&t, draw() % 40, 5);
    if (draw() % 8)
      commit_txn(&t, store, &content);
    else
      quad_txn_abort(t.txn);
    if (beside) {
      other.moved = true;
      change_some(&other, draw() % 60, 4);
      commit_txn(&other, store, &content);
    }
    assert_int_equal(spills_in(&d), 0);
    assert_store_shows(store, &content);
    assert_reader_shows(reader, &content);
    if (draw() % 10 == 0) back_up(store, &content);
    if (draw() % 10) continue;
    assert_ok(quad_store_close(store, &err));
    assert_ok(quad_store_open(&store, d.path, &options, MEM, &err));
    assert_store_shows(store, &content);
  }
  assert_ok(quad_store_close(reader, &err));
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

/* ---- beside others ---------------------------------------------------------------------------
 */

enum { LARGE = 40 }; /* quads of a large commit: with room for 16 */

static void
add_numbered(quad_txn *txn, unsigned who, unsigned long n, bool remove)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char s[64], p[64];
  rdf_term t[4] = {{.kind = RDF_IRI}, {.kind = RDF_IRI}, {.kind = RDF_IRI}, {.kind = RDF_NONE}};
  (void)snprintf(s, sizeof s, "http://example.org/%u/%lu", who, n);
  (void)snprintf(p, sizeof p, "http://example.org/by/%u", who);
  t[0].value = base_span(s);
  t[1].value = base_span(p);
  t[2].value = base_span("http://example.org/o");
  if (remove)
    assert_ok(quad_txn_remove(txn, (const rdf_term *)t, &err));
  else
    assert_ok(quad_txn_add(txn, (const rdf_term *)t, &err));
}

/* How many quads of `who` a snapshot has. */
static uint64_t
count_of(const quad_snapshot *s, unsigned who)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char text[64];
  quad_pattern pattern = {.scope = QUAD_DEFAULT};
  uint64_t n = 0;
  rdf_term p = {.kind = RDF_IRI};
  (void)snprintf(text, sizeof text, "http://example.org/by/%u", who);
  p.value = base_span(text);
  assert_ok(atom_find(&pattern.match.term[QUAD_P], quad_snapshot_atoms(s), &p,
                      quad_snapshot_atom_mark(s), &err));
  if (pattern.match.term[QUAD_P].bits) assert_ok(quad_count(&n, s, &pattern, &err));
  return n;
}

enum { WRITER = 0, LARGE_ONE = 1, SMALL = 2, COMMITS = 25 };

typedef struct worker {
  quad_store *store;
  unsigned who;
} worker;

/* Being the writer, it must find what it left, however often it had to wait for maintenance. */
static void *
writer_main(void *arg)
{
  const worker *w = arg;
  quoin_error err = QUOIN_ERROR_INIT;
  for (unsigned long c = 0; c < COMMITS; c++) {
    quad_txn *txn;
    quad_snapshot *s;
    uint64_t added;
    assert_ok(quad_txn_begin_writer(&txn, w->store, NULL, &err));
    assert_ok(quad_txn_snapshot(&s, txn, &err));
    assert_int_equal(count_of(s, w->who), c * LARGE);
    quad_snapshot_release(s);
    for (unsigned long i = 0; i < LARGE; i++)
      add_numbered(txn, w->who, c * LARGE + i, false);
    assert_ok(quad_txn_commit(&added, NULL, txn, &err));
    assert_int_equal(added, LARGE);
  }
  return NULL;
}

/* Adds twice as many as it removes of those before. */
static void *
large_main(void *arg)
{
  const worker *w = arg;
  quoin_error err = QUOIN_ERROR_INIT;
  for (unsigned long c = 0; c < COMMITS; c++) {
    quad_txn *txn;
    uint64_t added, removed;
    assert_ok(quad_txn_begin(&txn, w->store, &err));
    for (unsigned long i = 0; i < LARGE; i++)
      add_numbered(txn, w->who, c * LARGE + i, false);
    for (unsigned long i = 0; c && i < LARGE / 2; i++)
      add_numbered(txn, w->who, (c - 1) * LARGE + i, true);
    assert_ok(quad_txn_commit(&added, &removed, txn, &err));
    assert_int_equal(added, LARGE);
    assert_int_equal(removed, c ? LARGE / 2 : 0);
  }
  return NULL;
}

static void *
small_main(void *arg)
{
  const worker *w = arg;
  quoin_error err = QUOIN_ERROR_INIT;
  for (unsigned long c = 0; c < 10 * COMMITS; c++) {
    quad_txn *txn;
    assert_ok(quad_txn_begin(&txn, w->store, &err));
    for (unsigned long i = 0; i < 10; i++)
      add_numbered(txn, w->who, c * 10 + i, false);
    assert_ok(quad_txn_commit(NULL, NULL, txn, &err));
  }
  return NULL;
}

static void
test_large__beside_commits_and_maintenance(void **unused)
{
  (void)unused;
  static void *(*const mains[3])(void *) = {writer_main, large_main, small_main};
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  pthread_t id[3];
  worker w[3];
  quad_store *store;
  quad_snapshot *s;
  const quad_store_options options = {
      .create = true, .txn_bytes = 1, .memory_bytes = 20000, .durability = QUAD_SYNC_OFF};
  support_dir_make(&d);
  assert_ok(quad_store_open(&store, d.path, &options, MEM, &err));
  for (unsigned i = 0; i < 3; i++) {
    w[i] = (worker){store, i};
    assert_int_equal(pthread_create(&id[i], NULL, mains[i], &w[i]), 0);
  }
  for (unsigned i = 0; i < 100; i++) { /* all of a commit or nothing */
    assert_ok(quad_snapshot_acquire(&s, store, &err));
    assert_int_equal(count_of(s, WRITER) % LARGE, 0);
    assert_int_equal(count_of(s, LARGE_ONE) % (LARGE / 2), 0);
    assert_int_equal(count_of(s, SMALL) % 10, 0);
    quad_snapshot_release(s);
  }
  for (unsigned i = 0; i < 3; i++)
    (void)pthread_join(id[i], NULL);
  assert_ok(quad_store_close(store, &err));
  assert_ok(quad_store_open(&store, d.path, &options, MEM, &err));
  assert_ok(quad_snapshot_acquire(&s, store, &err));
  assert_int_equal(count_of(s, WRITER), COMMITS * LARGE);
  assert_int_equal(count_of(s, LARGE_ONE), LARGE + (COMMITS - 1) * LARGE / 2);
  assert_int_equal(count_of(s, SMALL), 100 * COMMITS);
  quad_snapshot_release(s);
  assert_ok(quad_store_close(store, &err));
  support_dir_remove(&d);
}

/* A process that commits large transactions is killed: each is there whole or not at all, those it
 * was told of are, and nothing lies about. */
static void
promise_o4_killed_in_large_commits(void **unused)
{
  (void)unused;
  enum { ROUNDS = 12 };
  quoin_error err = QUOIN_ERROR_INIT;
  support_dir d;
  const quad_store_options options = {.create = true, .txn_bytes = 1};
  _Atomic unsigned long *told =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(told != MAP_FAILED);
  support_dir_make(&d);
  for (unsigned round = 0; round < ROUNDS; round++) {
    quad_store *store;
    quad_snapshot *s;
    unsigned long before = atomic_load(told);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
      if (quad_store_open(&store, d.path, &options, MEM, &err)) _exit(1);
      for (unsigned long c = before;; c++) {
        quad_txn *txn;
        if (quad_txn_begin(&txn, store, &err)) _exit(1);
        for (unsigned long i = 0; i < LARGE; i++)
          add_numbered(txn, 0, c * LARGE + i, false);
        if (quad_txn_commit(NULL, NULL, txn, &err)) _exit(1);
        atomic_store(told, c + 1);
      }
    }
    struct timespec wait = {0, (long)(1000000 + draw() % 60000000)};
    while (atomic_load(told) == before && waitpid(child, NULL, WNOHANG) == 0)
      (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    (void)nanosleep(&wait, NULL);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    assert_true(atomic_load(told) > before);
    assert_ok(quad_store_open(&store, d.path, &options, MEM, &err));
    assert_int_equal(spills_in(&d), 0);
    assert_ok(quad_snapshot_acquire(&s, store, &err));
    uint64_t n = count_of(s, 0);
    quad_snapshot_release(s);
    assert_int_equal(n % LARGE, 0);
    assert_true(n / LARGE == atomic_load(told) || n / LARGE == atomic_load(told) + 1);
    atomic_store(told, (unsigned long)(n / LARGE));
    assert_ok(quad_store_close(store, &err));
  }
  (void)munmap(told, 4096);
  support_dir_remove(&d);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(promise_o4_transactions_past_memory_against_a_model),
      cmocka_unit_test(test_large__beside_commits_and_maintenance),
      cmocka_unit_test(promise_o4_killed_in_large_commits),
  };
  return cmocka_run_group_tests_name("quadstore.large", tests, NULL, NULL);
}
