/* A search that is not exact gives each subject that it finds the distance of its nearest vector in
 * the active graph (DESIGN.md section 8), whatever the walk came by: subjects with one vector and
 * with several, in several graphs, while commits go on and in snapshots that are held. */
#include "unit/vector_index_world.h"

#include "vector/index.h"

#include <string.h>

enum { SUBJECTS = 800, ROUNDS = 20, SEARCHES = 3 };
#define G1 "http://x/g1"
#define G2 "http://x/g2"

static void
open_walking(world *w, const char *metric)
{
  const vec_options vectors = {.walk_always = true};
  begin(w);
  close_store(w);
  open_store(w, false);
  good(vec_attach(w->store, &vectors, &err));
  good(declare(w, P, "16", metric));
  look(w);
}

static atom_id
id_of(const world *w, const char *text)
{
  atom_id id;
  const vec_terms terms = vec_store_terms(w->snapshot);
  const rdf_term term = iri(text);
  good(terms.find(&id, terms.user, &term, &err));
  return id;
}

static void
expect_least(const world *w, const vec_request *r, const vec_found *found)
{
  base_arena arena;
  const float *const *vectors;
  size_t n;
  double least = HUGE_VAL;
  base_arena_init(&arena, base_alloc_default());
  good(vec_of_subject(&vectors, &n, w->snapshot, r->index, r->graphs, r->terms, found->subject,
                      &arena, &err));
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < r->n_near; j++) {
      double d = vec_distance(r->index->metric, r->near[j], vectors[i], DIM);
      if (d < least) least = d;
    }
  if (least != found->distance)
    fail_msg("%.17g, not %.17g, near to %zu in scope %d", found->distance, least, r->n_near,
             (int)r->graphs->scope);
  base_arena_clear(&arena);
}

/* With little effort, so that the walk misses much. */
static void
try_search(world *w, const vec_graphs *graphs, const atom_id *subjects, size_t n_subjects)
{
  const vec_declaration d = declared(w);
  const vec_terms terms = vec_store_terms(w->snapshot);
  float a[DIM], b[DIM];
  const float *near[] = {a, b};
  vec_report report = {0};
  const vec_request r = {.index = &d,
                         .graphs = graphs,
                         .terms = &terms,
                         .near = near,
                         .n_near = chance(w) < 0.3 ? 2 : 1,
                         .k = 1 + (size_t)(chance(w) * 20),
                         .ef = 1,
                         .max_distance = HUGE_VAL,
                         .subjects = subjects,
                         .n_subjects = n_subjects};
  vec_found *found;
  size_t n;
  random_vector(w, a);
  random_vector(w, b);
  good(vec_search(&found, &n, &report, w->snapshot, &r, base_alloc_default(), &err));
  for (size_t i = 0; i < n; i++) {
    expect_least(w, &r, &found[i]);
    assert_true(!i || found[i - 1].distance < found[i].distance ||
                (found[i - 1].distance == found[i].distance &&
                 found[i - 1].subject.bits < found[i].subject.bits));
  }
  base_release(base_alloc_default(), found, n, sizeof(*found));
}

static int
by_id(const void *x, const void *y)
{
  const atom_id *a = x, *b = y;
  return (a->bits > b->bits) - (a->bits < b->bits);
}

static void
try_searches(world *w)
{
  atom_id two[2] = {id_of(w, G1), id_of(w, G2)}, some[SUBJECTS];
  size_t n = 0;
  char name[32];
  qsort(two, 2, sizeof(*two), by_id);
  const vec_graphs graphs[] = {{.scope = QUAD_DEFAULT},
                               {.scope = QUAD_NAMED, .graph = id_of(w, G1)},
                               {.scope = QUAD_NAMED, .merged = two, .n_merged = 2},
                               {.scope = QUAD_ANY, .skip = id_of(w, VEC_SYSTEM_GRAPH)}};
  for (int i = 0; i < SUBJECTS; i += 1 + (int)(chance(w) * 4)) {
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    some[n] = id_of(w, name);
    n += some[n].bits != 0;
  }
  qsort(some, n, sizeof(*some), by_id);
  for (int i = 0; i < SEARCHES; i++)
    for (size_t g = 0; g < sizeof(graphs) / sizeof(*graphs); g++)
      try_search(w, &graphs[g], i % 2 ? some : NULL, n);
}

static void
add_one(world *w, int subject, const char *graph)
{
  char name[32];
  float values[DIM];
  random_vector(w, values);
  (void)snprintf(name, sizeof(name), "http://x/s%d", subject);
  good(change(w, true, iri(name), P, rdf_vector(values, DIM), graph));
}

/* All subjects have one at first. */
static void
try_metric(const char *metric)
{
  world w, held = {.snapshot = NULL};
  open_walking(&w, metric);
  add_many(&w, "s", SUBJECTS, NULL);
  add_many(&w, "t", SUBJECTS / 2, G1);
  add_many(&w, "u", SUBJECTS / 4, G2);
  settle(&w);
  for (int round = 0; round < ROUNDS; round++) {
    const double what = chance(&w);
    const int subject = (int)(chance(&w) * SUBJECTS);
    try_searches(&w);
    if (held.snapshot) try_searches(&held);
    held.seed = w.seed;
    if (what < 0.2) { /* nothing of the index */
      good(change(&w, true, iri("http://x/a"), "http://x/p", number("1"), NULL));
    } else if (what < 0.9) {
      add_one(&w, round < ROUNDS / 4 ? SUBJECTS + round : subject, NULL);
      if (chance(&w) < 0.5) add_one(&w, subject, chance(&w) < 0.5 ? G1 : G2);
    } else {
      quad_snapshot_release(held.snapshot);
      held.snapshot = quad_snapshot_retain(w.snapshot);
    }
    look(&w);
    if (chance(&w) < 0.5) settle(&w);
  }
  quad_snapshot_release(held.snapshot);
  end(&w);
}

static void
test_least__cosine(void **state)
{
  (void)state;
  try_metric(NULL);
}

static void
test_least__dot(void **state)
{
  (void)state;
  try_metric(RDF_VEC "dotMetric");
}

static void
test_least__l2(void **state)
{
  (void)state;
  try_metric(RDF_VEC "l2Metric");
}

/* ---- itself ------------------------------------------------------------------------------------
 */

/* The subject of the vector that is asked with is found, by whatever walk. */
static void
find_itself(world *w, const char *name)
{
  const vec_declaration d = declared(w);
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  const vec_terms terms = vec_store_terms(w->snapshot);
  const atom_id subject = id_of(w, name);
  const float *const *vectors;
  vec_report report = {0};
  base_arena arena;
  vec_found *found;
  size_t n, n_vectors;
  base_arena_init(&arena, base_alloc_default());
  good(
      vec_of_subject(&vectors, &n_vectors, w->snapshot, &d, &plain, &terms, subject, &arena, &err));
  assert_int_equal(n_vectors, 1);
  const vec_request r = {.index = &d,
                         .graphs = &plain,
                         .terms = &terms,
                         .near = vectors,
                         .n_near = 1,
                         .k = 1,
                         .ef = 1,
                         .max_distance = HUGE_VAL};
  good(vec_search(&found, &n, &report, w->snapshot, &r, base_alloc_default(), &err));
  assert_true(report.approximate);
  assert_int_equal(n, 1);
  assert_int_equal(found->subject.bits, subject.bits);
  assert_true(found->distance < 1e-6);
  base_release(base_alloc_default(), found, n, sizeof(*found));
  base_arena_clear(&arena);
}

static void
test_least__a_subject_finds_itself(void **state)
{
  world w;
  char name[32];
  (void)state;
  open_walking(&w, NULL);
  add_many(&w, "s", 5000, NULL);
  settle(&w);
  for (int i = 0; i < 5000; i++) {
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    find_itself(&w, name);
  }
  end(&w);
}

/* ---- what is known ----------------------------------------------------------------------------
 */

static bool
is_known(world *w)
{
  const vec_declaration d = declared(w);
  uint64_t entered;
  vec_index *index = vec_index_enter(&entered, w->snapshot, &d);
  assert_non_null(index);
  const uint64_t all = atomic_load(&index->census[QUAD_DEFAULT].all);
  const bool known = all && atomic_load(&index->changed) <= all - 1;
  vec_index_leave(w->snapshot, entered);
  return known;
}

static void
search_some(world *w, int n)
{
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  for (int i = 0; i < n; i++)
    try_search(w, &plain, NULL, 0);
}

/* Some searches find out that each subject has one vector; a commit of anything else does not
 * change that, nor one of a vector for a subject that has none. */
static void
test_least__one_each_is_found_out(void **state)
{
  world w;
  (void)state;
  open_walking(&w, NULL);
  add_many(&w, "s", 5000, NULL);
  settle(&w);
  assert_false(is_known(&w));
  search_some(&w, 100); /* while more may be added, nobody reads */
  assert_true(is_known(&w));
  good(change(&w, true, iri("http://x/a"), "http://x/p", number("1"), NULL));
  look(&w);
  search_some(&w, 1);
  assert_true(is_known(&w));
  add_one(&w, 5001, NULL); /* a subject that had none */
  look(&w);
  assert_true(is_known(&w));
  search_some(&w, 1);
  assert_true(is_known(&w));
  add_one(&w, 5001, G1);
  look(&w);
  assert_false(is_known(&w));
  search_some(&w, 100);
  assert_true(is_known(&w)); /* in the default graph each has one */
  add_one(&w, 7, NULL);
  look(&w);
  assert_false(is_known(&w));
  search_some(&w, 100);
  assert_false(is_known(&w));
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_least__cosine), cmocka_unit_test(test_least__dot),
      cmocka_unit_test(test_least__l2), cmocka_unit_test(test_least__a_subject_finds_itself),
      cmocka_unit_test(test_least__one_each_is_found_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
