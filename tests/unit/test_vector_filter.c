/* Searches among some of the subjects, or in one of the graphs: at every selectivity as many as
 * exact search finds, and at least 95 of 100 the same; by whichever way. */
#include "unit/vector_index_world.h"

enum { SUBJECTS = 5000, GRAPHS = 5, QUERIES = 12 };

static const double shares[GRAPHS] = {0.9, 0.5, 0.1, 0.01, 0.002};

typedef struct tally {
  size_t there, found;
  unsigned ways; /* bit set of vec_choice */
} tally;

static void
compare(tally *t, const world *w, const vec_found *a, size_t n_a, const vec_found *b, size_t n_b)
{
  if (n_a != n_b)
    fail_msg("seed %llu: %zu of %zu are found", (unsigned long long)w->seed, n_a, n_b);
  t->there += n_b;
  for (size_t i = 0; i < n_b; i++)
    for (size_t j = 0; j < n_a; j++)
      if (atom_id_equal(a[j].subject, b[i].subject)) {
        assert_true(a[j].distance == b[i].distance);
        t->found++;
      }
}

/* The same queries exactly, one by one, and at once. */
static void
ask(tally *t, world *w, const vec_graphs *graphs, const atom_id *subjects, size_t n)
{
  float near[QUERIES][DIM];
  vec_found *many[QUERIES], *a, *b;
  size_t n_many[QUERIES], n_a, n_b;
  vec_declaration d = declared(w);
  vec_terms terms = vec_store_terms(w->snapshot);
  vec_report report = {0};
  const vec_request request = {.index = &d,
                               .graphs = graphs,
                               .terms = &terms,
                               .k = K,
                               .max_distance = HUGE_VAL,
                               .subjects = subjects,
                               .n_subjects = n};
  for (int q = 0; q < QUERIES; q++)
    random_vector(w, near[q]);
  good(vec_search_many(many, n_many, &report, w->snapshot, &request, near[0], QUERIES, 2,
                       base_alloc_default(), &err));
  t->ways |= 1u << report.choice;
  for (int q = 0; q < QUERIES; q++) {
    t->ways |= 1u << search(&a, &n_a, w, near[q], false, graphs, subjects, n);
    (void)search(&b, &n_b, w, near[q], true, graphs, subjects, n);
    compare(t, w, a, n_a, b, n_b);
    compare(t, w, many[q], n_many[q], b, n_b);
    base_release(base_alloc_default(), a, n_a, sizeof(*a));
    base_release(base_alloc_default(), b, n_b, sizeof(*b));
    base_release(base_alloc_default(), many[q], n_many[q], sizeof(*a));
  }
}

static void
expect(const tally *t, const char *what, double share)
{
  if ((double)t->found < 0.95 * (double)t->there)
    fail_msg("%s of %g: %zu of %zu are found", what, share, t->found, t->there);
}

/* Each subject in the graphs that its dice say; a few have several vectors. */
static void
fill(world *w, int first, int end)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = first; i < end; i++) {
    double dice = chance(w);
    char name[64], graph[64];
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    for (int v = 0; v < (i % 10 == 0 ? 3 : 1); v++) {
      float values[DIM];
      random_vector(w, values);
      for (int g = 0; g < GRAPHS; g++) {
        if (dice >= shares[g]) continue;
        (void)snprintf(graph, sizeof(graph), "http://x/g%d", g);
        const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values, DIM), iri(graph)};
        good(quad_txn_add(txn, terms, &err));
      }
    }
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
}

static int
by_id(const void *x, const void *y)
{
  const atom_id *a = x, *b = y;
  return a->bits < b->bits ? -1 : a->bits > b->bits;
}

/* A random share of the subjects, ascending. */
static size_t
some_subjects(atom_id *out, world *w, double share)
{
  vec_terms terms = vec_store_terms(w->snapshot);
  size_t n = 0;
  for (int i = 0; i < SUBJECTS; i++) {
    char name[64];
    if (chance(w) >= share) continue;
    (void)snprintf(name, sizeof(name), "http://x/s%d", i);
    const rdf_term term = iri(name);
    good(terms.find(&out[n], terms.user, &term, &err));
    n += out[n].bits != 0;
  }
  qsort(out, n, sizeof(*out), by_id);
  return n;
}

static void
ask_all(world *w, unsigned *ways)
{
  atom_id *list = calloc(SUBJECTS, sizeof(*list));
  vec_terms terms = vec_store_terms(w->snapshot);
  vec_graphs any = {.scope = QUAD_ANY};
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  assert_non_null(list);
  good(terms.find(&any.skip, terms.user, &system, &err));
  for (int g = 0; g < GRAPHS; g++) {
    char text[64];
    tally t = {0}, u = {0}, v = {0};
    vec_graphs one = {.scope = QUAD_NAMED};
    (void)snprintf(text, sizeof(text), "http://x/g%d", g);
    const rdf_term name = iri(text);
    good(terms.find(&one.graph, terms.user, &name, &err));
    ask(&t, w, &one, NULL, 0);
    size_t n = some_subjects(list, w, shares[g]);
    ask(&u, w, &any, list, n);
    ask(&v, w, &one, list, n);
    expect(&t, "graph", shares[g]);
    expect(&u, "subjects", shares[g]);
    expect(&v, "subjects of a graph", shares[g]);
    *ways |= t.ways | u.ways | v.ways;
  }
  free(list);
}

static void
test_filter__any_share_is_found(void **state)
{
  world w;
  unsigned ways = 0;
  (void)state;
  begin(&w);
  good(declare(&w, P, "16", RDF_VEC "l2Metric"));
  fill(&w, 0, SUBJECTS - 500);
  settle(&w);
  ask_all(&w, &ways);
  assert_true(ways & 1u << VEC_CHOICE_GRAPH && ways & 1u << VEC_CHOICE_CANDIDATES &&
              ways & 1u << VEC_CHOICE_LOOKUP);
  fill(&w, SUBJECTS - 500, SUBJECTS); /* not linked, or not all */
  ask_all(&w, &ways);
  end(&w);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_filter__any_share_is_found)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
