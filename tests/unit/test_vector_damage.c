/* A graph whose file is damaged: the store opens, searches are right without it, check finds it, a
 * writing process makes it again; other processes, backups and commits beside that go on. */
#include "unit/vector_index_world.h"

#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

enum { SOME = 400, ROUNDS = 12, SEARCHES = 6, BESIDE = 120 };

/* ---- files ------------------------------------------------------------------------------------
 */

typedef struct image {
  char path[256], *data;
  size_t size;
} image;

/* The graph of the closed store. */
static void
image_take(image *im, const world *w)
{
  DIR *dir = opendir(w->path);
  struct dirent *e;
  struct stat st;
  unsigned n = 0;
  assert_non_null(dir);
  while ((e = readdir(dir)))
    if (!strncmp(e->d_name, "graph-", 6)) {
      (void)snprintf(im->path, sizeof(im->path), "%s/%.40s", w->path, e->d_name);
      n++;
    }
  closedir(dir);
  assert_int_equal(n, 1);
  int fd = open(im->path, O_RDONLY);
  assert_true(fd >= 0 && !fstat(fd, &st));
  im->size = (size_t)st.st_size;
  assert_non_null(im->data = malloc(im->size));
  assert_int_equal(read(fd, im->data, im->size), im->size);
  close(fd);
}

static void
flip(const image *im, size_t at, char bit)
{
  const char byte = (char)(im->data[at] ^ bit);
  int fd = open(im->path, O_WRONLY);
  assert_true(fd >= 0);
  assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
  close(fd);
}

static size_t
draw(world *w, size_t n)
{
  return (size_t)(chance(w) * (double)n);
}

/* A place that says something. */
static size_t
draw_place(world *w, const image *im)
{
  size_t at = draw(w, im->size);
  while (!im->data[at])
    at = (at + 1) % im->size;
  return at;
}

/* ---- stores -----------------------------------------------------------------------------------
 */

static unsigned warnings; /* as the log of the store that is open has them */

static void
log_line(void *user, const char *line)
{
  (void)user;
  if (!strncmp(line, "warning: ", 9) && strstr(line, "graph-"))
    __atomic_fetch_add(&warnings, 1, __ATOMIC_SEQ_CST);
}

static quoin_status
reopen(world *w, bool read_only)
{
  const quad_store_options options = {.read_only = read_only, .log = log_line};
  const vec_options vectors = {.read_only = read_only, .walk_always = true};
  warnings = 0;
  quoin_status st = quad_store_open(&w->store, w->path, &options, NULL, &err);
  if (!st) st = vec_attach(w->store, &vectors, &err);
  if (!st) look(w);
  return st;
}

/* A saved store whose graph has all of its vectors; closed. */
static void
prepare(world *w, image *im, int vectors)
{
  begin(w);
  good(declare(w, P, "16", NULL));
  add_many(w, "a", vectors, NULL);
  settle(w);
  close_store(w);
  image_take(im, w);
}

static void
finish(world *w, image *im)
{
  free(im->data);
  good(reopen(w, false));
  end(w);
}

/* Searches give what exact ones do, or nearly; `exact`: all of it. */
static void
expect_answers(world *w, bool exact)
{
  size_t there = 0, found = 0;
  for (int q = 0; q < SEARCHES; q++) {
    float near[DIM];
    vec_found *a, *b;
    size_t n, n_exact;
    random_vector(w, near);
    (void)search(&a, &n, w, near, false, NULL, NULL, 0);
    (void)search(&b, &n_exact, w, near, true, NULL, NULL, 0);
    assert_int_equal(n, n_exact);
    there += n;
    for (size_t i = 0; i < n; i++)
      found += a[i].distance <= b[n - 1].distance;
    base_release(base_alloc_default(), a, n, sizeof(*a));
    base_release(base_alloc_default(), b, n_exact, sizeof(*b));
  }
  assert_true(found * 100 >= there * (exact ? 100 : 90));
}

static void
expect_damage(quoin_status st)
{
  if ((st != QUOIN_ERR_CORRUPT && st != QUOIN_ERR_VERSION && st != QUOIN_ERR_NOT_FOUND) ||
      !strstr(err.file, "graph-") || (st == QUOIN_ERR_CORRUPT && err.offset == UINT64_MAX) ||
      !err.message[0])
    fail_msg("status %d, %s: %s", (int)st, err.file, err.message);
  base_error_clear(&err);
}

/* What a process that only reads finds, then one that writes; after which all is well. */
static void
look_and_mend(world *w)
{
  vec_check_report report;
  vec_declaration d;
  vec_counts counts;
  good(reopen(w, true));
  d = declared(w);
  bool at_once = warnings > 0;
  expect_answers(w, at_once);
  expect_damage(quad_store_check(w->store, NULL, NULL, NULL, &err));
  expect_damage(vec_index_check(&report, w->snapshot, &d, false, NULL, &err));
  good(vec_index_count(&counts, w->snapshot, &d, NULL, &err));
  assert_true(counts.damaged);
  expect_answers(w, true);
  assert_int_equal(warnings, 1);
  close_store(w);

  good(reopen(w, false));
  d = declared(w);
  expect_answers(w, false); /* by one scan, through a part of the graph, or through all */
  good(vec_index_check(&report, w->snapshot, &d, true, NULL, &err));
  assert_true(report.made_again);
  settle(w);
  good(vec_index_check(&report, w->snapshot, &d, false, NULL, &err));
  assert_int_equal(report.nodes, SOME);
  assert_int_equal(report.unreachable, 0);
  assert_int_equal(warnings, 1);
  expect_answers(w, false);
  close_store(w);

  good(reopen(w, true));
  good(quad_store_check(w->store, NULL, NULL, NULL, &err));
  d = declared(w);
  good(vec_index_count(&counts, w->snapshot, &d, NULL, &err));
  assert_true(!counts.damaged && counts.linked == SOME && warnings == 0);
  expect_answers(w, false);
  close_store(w);
}

static void
test_damage__flips_and_cuts(void **state)
{
  (void)state;
  world w;
  image im;
  prepare(&w, &im, SOME);
  for (int round = 0; round < ROUNDS; round++) {
    size_t at = draw_place(&w, &im), cut = draw(&w, im.size);
    while (cut && !im.data[cut]) /* before a byte that says something */
      cut--;
    print_message("round %d: %s at %zu of %zu\n", round, round % 4 == 3 ? "cut" : "flip",
                  round % 4 == 3 ? cut : at, im.size);
    if (round == 0)
      assert_int_equal(unlink(im.path), 0);
    else if (round % 4 == 3)
      assert_int_equal(truncate(im.path, (off_t)cut), 0);
    else
      flip(&im, at, (char)(1u << draw(&w, 8)));
    look_and_mend(&w);
    free(im.data);
    image_take(&im, &w);
  }
  finish(&w, &im);
}

/* Each page of it is hit while the store is open and has looked at none. */
static void
damage_all(world *w, const image *im)
{
  for (size_t page = 4096; page < im->size; page += 4096)
    for (size_t at = page + draw(w, 2000); at < page + 4096 && at < im->size; at++)
      if (im->data[at]) {
        flip(im, at, 1);
        break;
      }
}

static void
test_damage__found_by_a_search(void **state)
{
  (void)state;
  world w;
  image im;
  vec_check_report report;
  prepare(&w, &im, SOME);
  good(reopen(&w, true)); /* beside: it has the old file to the end */
  world reading = w;
  w.snapshot = NULL;
  good(reopen(&w, false));
  damage_all(&w, &im);
  expect_answers(&w, false);
  assert_int_equal(warnings, 1);
  good(vec_settle(w.snapshot, NULL, &err));
  vec_declaration d = declared(&w);
  good(vec_index_check(&report, w.snapshot, &d, false, NULL, &err));
  assert_true(report.made_again && report.nodes == SOME && !report.unreachable);
  good(quad_checkpoint(w.store, &err));
  good(quad_store_check(w.store, NULL, NULL, NULL, &err));
  assert_int_not_equal(access(im.path, F_OK), 0);
  expect_answers(&reading, true);
  good(quad_store_refresh(NULL, reading.store, &err));
  close_store(&reading);
  close_store(&w);
  finish(&w, &im);
}

static void
test_damage__a_backup_leaves_it_out(void **state)
{
  (void)state;
  world w, copy;
  image im;
  vec_declaration d;
  vec_counts counts;
  prepare(&w, &im, SOME);
  good(reopen(&w, true));
  damage_all(&w, &im);
  copy = w;
  copy.snapshot = NULL;
  (void)snprintf(copy.path, sizeof(copy.path), "%.100s-copy", w.path);
  good(quad_store_backup(w.store, copy.path, NULL, &err));
  close_store(&w);
  good(reopen(&copy, false));
  good(quad_store_check(copy.store, NULL, NULL, NULL, &err));
  settle(&copy);
  d = declared(&copy);
  good(vec_index_count(&counts, copy.snapshot, &d, NULL, &err));
  assert_true(!counts.damaged && counts.linked == SOME && warnings == 0);
  close_store(&copy);
  finish(&w, &im);
}

/* ---- beside commits and searches --------------------------------------------------------------
 */

typedef struct beside {
  world *w;
  _Atomic int wrong;
  _Atomic bool stop;
  float first[DIM];
} beside;

static bool
finds_itself(world *w, const float *near)
{
  vec_found *found;
  size_t n;
  quad_snapshot *snapshot;
  quoin_error own = QUOIN_ERROR_INIT;
  vec_report report = {0};
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  vec_declaration d;
  bool there = false;
  atom_id p;
  if (quad_snapshot_acquire(&snapshot, w->store, &own)) return false;
  vec_terms terms = vec_store_terms(snapshot);
  const rdf_term name = iri(P);
  const vec_request request = {.index = &d,
                               .graphs = &plain,
                               .terms = &terms,
                               .near = &near,
                               .n_near = 1,
                               .k = 1,
                               .max_distance = HUGE_VAL};
  if (!terms.find(&p, terms.user, &name, &own) &&
      !vec_declaration_find(&d, &there, snapshot, &terms, p, base_alloc_default(), &own) && there &&
      !vec_search(&found, &n, &report, snapshot, &request, base_alloc_default(), &own)) {
    there = n && found[0].distance < 1e-6;
    base_release(base_alloc_default(), found, n, sizeof(*found));
  } else {
    there = false;
  }
  quad_snapshot_release(snapshot);
  return there;
}

static void *
ask(void *user)
{
  beside *b = user;
  while (!atomic_load(&b->stop))
    if (!finds_itself(b->w, b->first)) atomic_fetch_add(&b->wrong, 1);
  return NULL;
}

/* Terms that become vectors of the predicate come from below the mark: they are what a graph that
 * begins anew between judging and publishing could miss. */
static void
test_damage__beside_commits_and_searches(void **state)
{
  (void)state;
  enum { READERS = 2 };
  world w;
  image im;
  pthread_t ids[READERS];
  float late[BESIDE][DIM];
  prepare(&w, &im, SOME);
  good(reopen(&w, false));
  for (int i = 0; i < BESIDE; i++) {
    random_vector(&w, late[i]);
    good(change(&w, true, iri("http://x/t"), "http://x/other", rdf_vector(late[i], DIM), NULL));
  }
  settle(&w);
  close_store(&w);
  free(im.data);
  image_take(&im, &w);
  good(reopen(&w, false));
  beside b = {.w = &w};
  memcpy(b.first, late[0], sizeof(b.first));
  damage_all(&w, &im);
  good(change(&w, true, iri("http://x/l0"), P, rdf_vector(late[0], DIM), NULL));
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_create(&ids[i], NULL, ask, &b), 0);
  for (int i = 1; i < BESIDE; i++) {
    char name[32];
    (void)snprintf(name, sizeof(name), "http://x/l%d", i);
    good(change(&w, true, iri(name), P, rdf_vector(late[i], DIM), NULL));
    if (!finds_itself(&w, late[i])) fail_msg("vector %d is not found", i);
  }
  settle(&w);
  atomic_store(&b.stop, true);
  for (int i = 0; i < READERS; i++)
    assert_int_equal(pthread_join(ids[i], NULL), 0);
  assert_int_equal(b.wrong, 0);
  for (int i = 0; i < BESIDE; i++)
    assert_true(finds_itself(&w, late[i]));
  vec_check_report report;
  vec_declaration d = declared(&w);
  good(vec_index_check(&report, w.snapshot, &d, false, NULL, &err));
  assert_true(report.made_again);
  assert_int_equal(report.nodes, SOME + BESIDE);
  assert_int_equal(report.unreachable, 0);
  close_store(&w);
  finish(&w, &im);
}

/* ---- vectors ----------------------------------------------------------------------------------
 */

/* The last byte that is not 0 of the closed store's file of vectors. */
static void
flip_last_vector(const world *w)
{
  image im;
  char name[64] = "";
  struct stat st;
  DIR *dir = opendir(w->path);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir));)
    if (!strncmp(e->d_name, "vectors", 7)) (void)snprintf(name, sizeof(name), "%.60s", e->d_name);
  closedir(dir);
  (void)snprintf(im.path, sizeof(im.path), "%s/%s", w->path, name);
  int fd = open(im.path, O_RDONLY);
  assert_true(fd >= 0 && !fstat(fd, &st));
  im.size = (size_t)st.st_size;
  assert_non_null(im.data = malloc(im.size));
  assert_int_equal(read(fd, im.data, im.size), im.size);
  close(fd);
  while (!im.data[im.size - 1])
    im.size--;
  flip(&im, im.size - 1, 1);
  free(im.data);
}

static void
log_vectors(void *user, const char *line)
{
  if (strstr(line, "searches are exact")) (void)snprintf(user, 512, "%s", line);
}

/* Not passed over: neither by a process that links nor by one that reads. */
static void
test_damage__a_vector_that_cannot_be_read(void **state)
{
  (void)state;
  static float values[SOME][DIM];
  char line[512] = "";
  const quad_store_options options = {.log = log_vectors, .log_user = line};
  const vec_options vectors = {.walk_always = true};
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  world w;
  quad_txn *txn;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  close_store(&w);
  open_store(&w, false); /* nothing links */
  good(quad_txn_begin(&txn, w.store, &err));
  for (int i = 0; i < SOME; i++) {
    char name[32];
    random_vector(&w, values[i]);
    (void)snprintf(name, sizeof(name), "http://x/a%d", i);
    const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values[i], DIM), {.kind = RDF_NONE}};
    good(quad_txn_add(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  close_store(&w);
  flip_last_vector(&w);
  for (int read_only = 0; read_only < 2; read_only++) {
    if (read_only) {
      good(reopen(&w, true));
    } else {
      good(quad_store_open(&w.store, w.path, &options, NULL, &err));
      good(vec_attach(w.store, &vectors, &err));
      settle(&w);
    }
    for (int exact = 0; exact < 2; exact++) {
      vec_declaration d = declared(&w);
      vec_terms terms = vec_store_terms(w.snapshot);
      vec_report report = {0};
      vec_found *found;
      size_t n;
      const float *near = values[SOME - 1];
      const vec_request request = {.index = &d,
                                   .graphs = &plain,
                                   .terms = &terms,
                                   .near = &near,
                                   .n_near = 1,
                                   .k = K,
                                   .max_distance = HUGE_VAL,
                                   .exact = exact};
      assert_int_equal(
          vec_search(&found, &n, &report, w.snapshot, &request, base_alloc_default(), &err),
          QUOIN_ERR_CORRUPT);
    }
    base_error_clear(&err);
    close_store(&w);
  }
  assert_non_null(strstr(line, "terms-"));
  assert_null(strstr(line, "made again")); /* it is not the graph that is damaged */
  good(reopen(&w, false));
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_damage__flips_and_cuts),
      cmocka_unit_test(test_damage__found_by_a_search),
      cmocka_unit_test(test_damage__a_backup_leaves_it_out),
      cmocka_unit_test(test_damage__beside_commits_and_searches),
      cmocka_unit_test(test_damage__a_vector_that_cannot_be_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
