/* Which versions a graph is of: one that a power cut took, one that is held while the graph moves
 * on, one that a reading process moves on to by the log alone. */
#include "unit/vector_index_world.h"

#include "base/base.h"
#include "vector/index.h"

#include <pthread.h>
#include <string.h>

enum { BASE = 200, HELD = 4 };

static void
open_walking(world *w, const char *path, bool read_only)
{
  const quad_store_options options = {.read_only = read_only};
  const vec_options vectors = {.read_only = read_only, .walk_always = true};
  if (path != w->path) (void)snprintf(w->path, sizeof(w->path), "%s", path);
  w->snapshot = NULL;
  good(quad_store_open(&w->store, w->path, &options, NULL, &err));
  good(vec_attach(w->store, &vectors, &err));
  look(w);
}

/* In one commit. */
static void
change_vectors(world *w, bool add, const char *prefix, float (*values)[DIM], int n)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = 0; i < n; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "http://x/%s%d", prefix, i);
    const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values[i], DIM), {.kind = RDF_NONE}};
    good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
}

static vec_choice
expect_found(world *w, const float *values, bool exact)
{
  vec_found *found;
  size_t n;
  vec_choice choice = search(&found, &n, w, values, exact, NULL, NULL, 0);
  if (!n || found[0].distance > 1e-6)
    fail_msg("not found (%s): the nearest of %zu is at %g", vec_choice_name(choice), n,
             n ? found[0].distance : -1);
  base_release(base_alloc_default(), found, n, sizeof(*found));
  return choice;
}

/* ---- a lost log -------------------------------------------------------------------------------
 */

static void
copy(const char *flags, const char *from, const char *to)
{
  char command[400];
  (void)snprintf(command, sizeof(command), "cp %s %s %s", flags, from, to);
  assert_int_equal(system(command), 0);
}

static quoin_status
put_section(base_buffer *out, void *section, quoin_error *e)
{
  (void)e;
  base_buffer_add(out, ((base_buffer *)section)->data, ((base_buffer *)section)->len);
  return QUOIN_OK;
}

static bool
always(void *self)
{
  (void)self;
  return true;
}

/* The manifest of the closed store gets the section. */
static void
name_graphs(const char *path, base_buffer *section)
{
  const quad_store_options options = {.read_only = false};
  const quad_participant names = {.self = section, .checkpoint = put_section, .is_unsaved = always};
  quad_store *store;
  good(quad_store_open(&store, path, &options, NULL, &err));
  quad_store_attach(store, &names);
  good(quad_store_close(store, &err));
}

/* A manifest that a flush wrote names the graphs as they were by then; the log behind it is lost.
 * What is committed after that gets the numbers of what was lost. */
static void
lose_the_log(int lost, int more)
{
  static float values[2 * BASE][DIM];
  world w, later, reader;
  char cut[160], graphs[160];
  base_buffer section;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  good(change(&w, true, iri(P), RDF_VEC "storage", iri(RDF_VEC "i8Code"), VEC_SYSTEM_GRAPH));
  add_many(&w, "a", BASE, NULL);
  settle(&w);
  close_store(&w);
  (void)snprintf(cut, sizeof(cut), "%.120s-cut", w.path);
  copy("-r", w.path, cut);
  open_walking(&w, w.path, false);
  add_many(&w, "b", lost, NULL);
  settle(&w);
  good(quad_checkpoint(w.store, &err));
  quoin_span s = quad_store_section(w.store);
  base_buffer_init(&section, base_alloc_default());
  base_buffer_add(&section, s.ptr, s.len);
  (void)snprintf(graphs, sizeof(graphs), "%.120s/graph-*", w.path);
  copy("", graphs, cut);
  name_graphs(cut, &section);
  base_buffer_clear(&section);

  later = reader = w;
  open_walking(&reader, cut, true); /* nobody has mended it yet */
  for (int i = 0; i < more; i++)
    random_vector(&w, values[i]);
  open_walking(&later, cut, false);
  change_vectors(&later, true, "c", values, more);
  look(&later);
  good(quad_store_refresh(NULL, reader.store, &err));
  look(&reader);
  for (int fresh = 0; fresh < 2; fresh++) {
    for (int i = 0; i < more; i++)
      for (int exact = 0; exact < 2; exact++) {
        (void)expect_found(&later, values[i], exact);
        (void)expect_found(&reader, values[i], exact);
      }
    close_store(&reader);
    if (!fresh) open_walking(&reader, cut, true);
  }
  assert_true(vec_section_version(quad_store_section(later.store)) <=
              quad_snapshot_version(later.snapshot));
  settle(&later);
  expect_recall(recall(&later, VEC_CHOICE_GRAPH, NULL, NULL, 0));
  close_store(&later);
  end(&w);
}

static void
test_versions__a_graph_of_a_lost_log_is_not_taken_up(void **state)
{
  (void)state;
  lose_the_log(BASE, 2 * BASE);
  lose_the_log(1, 1);
}

/* ---- a held snapshot --------------------------------------------------------------------------
 */

typedef struct holder {
  vec_indexes *ix;
  pthread_t id;
  _Atomic bool holds, done;
} holder;

/* Nothing is linked meanwhile. */
static void *
hold(void *user)
{
  holder *h = user;
  base_mutex_lock(&h->ix->graphs);
  atomic_store(&h->holds, true);
  while (!atomic_load(&h->done))
    (void)usleep(1000);
  base_mutex_unlock(&h->ix->graphs);
  return NULL;
}

static void
test_versions__a_snapshot_keeps_what_went_before_it_was_linked(void **state)
{
  (void)state;
  float values[HELD][DIM];
  world w, old;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  close_store(&w);
  open_walking(&w, w.path, false);
  add_many(&w, "a", BASE, NULL);
  settle(&w);
  holder h = {.ix = quad_snapshot_participant(w.snapshot)};
  assert_int_equal(pthread_create(&h.id, NULL, hold, &h), 0);
  while (!atomic_load(&h.holds))
    (void)usleep(1000);
  add_many(&w, "b", 1, NULL); /* the thread that links waits with it */
  (void)usleep(50000);
  for (int i = 0; i < HELD; i++)
    random_vector(&w, values[i]);
  change_vectors(&w, true, "x", values, HELD);
  look(&w);
  old = w;
  good(quad_snapshot_acquire(&old.snapshot, w.store, &err));
  change_vectors(&w, false, "x", values, HELD);
  for (int i = 0; i < HELD; i++)
    (void)expect_found(&old, values[i], false);
  atomic_store(&h.done, true);
  assert_int_equal(pthread_join(h.id, NULL), 0);
  settle(&w);
  for (int i = 0; i < HELD; i++)
    (void)expect_found(&old, values[i], false);
  expect_recall(recall(&w, VEC_CHOICE_GRAPH, NULL, NULL, 0)); /* the newest has the graph */
  quad_snapshot_release(old.snapshot);
  end(&w);
}

/* ---- a reading process ------------------------------------------------------------------------
 */

static void
test_versions__a_reading_process_keeps_its_graph(void **state)
{
  (void)state;
  float values[HELD][DIM];
  world w, reader;
  begin(&w);
  good(declare(&w, P, "16", NULL));
  add_many(&w, "a", BASE, NULL);
  for (int i = 0; i < HELD; i++) {
    random_vector(&w, values[i]);
    good(change(&w, true, iri("http://x/t"), "http://x/other", rdf_vector(values[i], DIM), NULL));
  }
  settle(&w);
  close_store(&w);
  open_walking(&w, w.path, false);
  reader = w;
  open_walking(&reader, w.path, true);
  for (int i = 0; i < HELD; i++) {
    char name[32];
    bool changed;
    (void)snprintf(name, sizeof(name), "http://x/l%d", i);
    good(change(&w, true, iri(name), "http://x/q", iri("http://x/o"), NULL));
    good(change(&w, true, iri(name), P, rdf_vector(values[i], DIM), NULL)); /* below the mark */
    good(quad_store_refresh(&changed, reader.store, &err));
    assert_true(changed);
    look(&reader);
    for (int j = 0; j <= i; j++)
      assert_int_equal(expect_found(&reader, values[j], false), VEC_CHOICE_GRAPH);
  }
  close_store(&reader);
  look(&w);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_versions__a_graph_of_a_lost_log_is_not_taken_up),
      cmocka_unit_test(test_versions__a_snapshot_keeps_what_went_before_it_was_linked),
      cmocka_unit_test(test_versions__a_reading_process_keeps_its_graph),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
