/* Exact search: its k are those of all distances computed one by one, ties and all, whatever part
 * of the vectors has codes, is not linked yet, was removed, or stands in another datatype. */
#include "unit/vector_index_world.h"

#include <string.h>

enum { SUBJECTS = 2200, LATER = 150, KEPT = SUBJECTS + LATER };

typedef struct own {
  float values[DIM];
  int subject;
  bool gone, list;
} own;

static own all[2 * KEPT];
static size_t n_all;

static void
declare_as(world *w, const char *metric, const char *code)
{
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH), p = iri(P);
  const rdf_term quads[][4] = {{p, iri(RDF_NS "type"), iri(RDF_VEC "Index"), system},
                               {p, iri(RDF_VEC "dimension"), number("16"), system},
                               {p, iri(RDF_VEC "metric"), iri(metric), system},
                               {p, iri(RDF_VEC "storage"), iri(code), system}};
  good(quad_txn_begin(&txn, w->store, &err));
  for (size_t i = 0; i < 4; i++)
    good(quad_txn_add(txn, quads[i], &err));
  good(quad_txn_commit(NULL, NULL, txn, &err));
}

static rdf_term
as_list(char text[400], const float *values)
{
  size_t at = 0;
  text[at++] = '[';
  for (int i = 0; i < DIM; i++)
    at += (size_t)snprintf(text + at, 400 - at, "%s%.9g", i ? "," : "", (double)values[i]);
  (void)snprintf(text + at, 400 - at, "]");
  return (rdf_term){.kind = RDF_LITERAL,
                    .value = base_span(text),
                    .datatype = base_span("http://w3id.org/awslabs/neptune/SPARQL-CDTs/List")};
}

/* Near one another in clusters, some by one place of one number, some the same. */
static void
next_vector(world *w, float *out)
{
  double dice = chance(w);
  if (!n_all || dice < 0.3) {
    random_vector(w, out);
    return;
  }
  memcpy(out, all[(size_t)(chance(w) * (double)n_all)].values, sizeof(all[0].values));
  int at = (int)(chance(w) * DIM);
  if (dice < 0.8) out[at] = nextafterf(out[at], dice < 0.6 ? 9.0F : -9.0F);
}

static void
put(world *w, bool add, const own *o, quad_txn *txn)
{
  char name[64], text[400];
  (void)snprintf(name, sizeof(name), "http://x/s%d", o->subject);
  const rdf_term terms[4] = {iri(name), iri(P),
                             o->list ? as_list(text, o->values) : rdf_vector(o->values, DIM),
                             (rdf_term){.kind = RDF_NONE}};
  (void)w;
  good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
}

static void
add_some(world *w, int from, int to)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int s = from; s < to; s++)
    for (int more = chance(w) < 0.3 ? 2 : 1; more; more--) {
      own *o = &all[n_all];
      *o = (own){.subject = s, .list = chance(w) < 0.03};
      next_vector(w, o->values);
      n_all++;
      put(w, true, o, txn);
    }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
}

static void
remove_some(world *w)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (size_t i = 0; i < n_all; i++)
    if (chance(w) < 0.05) {
      put(w, false, &all[i], txn);
      for (size_t j = 0; j < n_all; j++) /* the same statement again */
        if (all[j].subject == all[i].subject && all[j].list == all[i].list &&
            !memcmp(all[j].values, all[i].values, sizeof(all[i].values)))
          all[j].gone = true;
    }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
}

static atom_id ids[KEPT];

static int
by_distance(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->distance != b->distance) return a->distance < b->distance ? -1 : 1;
  return a->subject.bits < b->subject.bits ? -1 : a->subject.bits > b->subject.bits;
}

/* By every distance. */
static size_t
oracle(vec_found *out, vec_metric metric, const float *near, int every)
{
  static double least[KEPT];
  size_t n = 0;
  for (int s = 0; s < KEPT; s++)
    least[s] = HUGE_VAL;
  for (size_t i = 0; i < n_all; i++) {
    double d = vec_distance(metric, near, all[i].values, DIM);
    if (!all[i].gone && d < least[all[i].subject]) least[all[i].subject] = d;
  }
  for (int s = 0; s < KEPT; s += every)
    if (least[s] < HUGE_VAL) out[n++] = (vec_found){least[s], ids[s]};
  qsort(out, n, sizeof(*out), by_distance);
  return n;
}

static int
by_id(const void *x, const void *y)
{
  const atom_id *a = x, *b = y;
  return a->bits < b->bits ? -1 : a->bits > b->bits;
}

static void
compare(world *w, vec_metric metric, const float *near, size_t k, int every)
{
  static vec_found want[KEPT];
  static atom_id subjects[KEPT];
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  vec_declaration d = declared(w);
  vec_terms terms = vec_store_terms(w->snapshot);
  vec_report report = {0};
  vec_found *got;
  size_t n, n_want = oracle(want, metric, near, every), n_subjects = 0;
  for (int s = 0; s < KEPT && every > 1; s += every)
    if (ids[s].bits) subjects[n_subjects++] = ids[s];
  qsort(subjects, n_subjects, sizeof(*subjects), by_id);
  const vec_request request = {.index = &d,
                               .graphs = &plain,
                               .terms = &terms,
                               .near = &near,
                               .n_near = 1,
                               .k = k,
                               .max_distance = HUGE_VAL,
                               .exact = true,
                               .subjects = every > 1 ? subjects : NULL,
                               .n_subjects = n_subjects};
  good(vec_search(&got, &n, &report, w->snapshot, &request, base_alloc_default(), &err));
  assert_false(report.approximate);
  assert_int_equal(n, n_want < k ? n_want : k);
  for (size_t i = 0; i < n; i++)
    if (got[i].distance != want[i].distance || got[i].subject.bits != want[i].subject.bits)
      fail_msg("metric %d k %zu every %d: number %zu is %.17g, not %.17g", metric, k, every, i,
               got[i].distance, want[i].distance);
  base_release(base_alloc_default(), got, n, sizeof(*got));
}

static void
ask(world *w, vec_metric metric)
{
  static const size_t ks[] = {1, 10, 90, 1000, KEPT};
  static const int shares[] = {1, 3, 40};
  vec_terms terms = vec_store_terms(w->snapshot);
  for (int s = 0; s < KEPT; s++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "http://x/s%d", s);
    const rdf_term term = iri(name);
    good(terms.find(&ids[s], terms.user, &term, &err));
  }
  for (int q = 0; q < 4; q++) {
    float near[DIM];
    if (q % 2)
      memcpy(near, all[(size_t)(chance(w) * (double)n_all)].values, sizeof(near));
    else
      random_vector(w, near);
    for (size_t i = 0; i < 5; i++)
      for (size_t j = 0; j < 3; j++)
        compare(w, metric, near, ks[i], shares[j]);
  }
}

static void
try_all(vec_metric metric, const char *name, const char *code)
{
  world w;
  begin(&w);
  n_all = 0;
  declare_as(&w, name, code);
  add_some(&w, 0, SUBJECTS);
  ask(&w, metric); /* while some are being linked */
  settle(&w);
  ask(&w, metric);
  remove_some(&w);
  add_some(&w, SUBJECTS, KEPT);
  ask(&w, metric);
  settle(&w);
  close_store(&w);
  open_store(&w, true);
  ask(&w, metric);
  end(&w);
}

static void
test_exact__cosine_over_i8(void **state)
{
  (void)state;
  try_all(VEC_COSINE, RDF_VEC "cosineMetric", RDF_VEC "i8Code");
}

/* A process that only reads links nothing: from the second search on it has codes of its own. */
static void
test_exact__unlinked_over_i8(void **state)
{
  (void)state;
  const quad_store_options options = {.read_only = true};
  const vec_options vectors = {.read_only = true};
  world w, r;
  begin(&w);
  n_all = 0;
  declare_as(&w, RDF_VEC "cosineMetric", RDF_VEC "i8Code");
  add_some(&w, 0, SUBJECTS);
  r = w;
  r.snapshot = NULL;
  good(quad_store_open(&r.store, r.path, &options, NULL, &err));
  good(vec_attach(r.store, &vectors, &err));
  look(&r);
  ask(&r, VEC_COSINE);
  add_some(&w, SUBJECTS, KEPT);
  good(quad_store_refresh(NULL, r.store, &err));
  look(&r);
  ask(&r, VEC_COSINE);
  close_store(&r);
  end(&w);
}

static void
test_exact__l2_over_i8(void **state)
{
  (void)state;
  try_all(VEC_L2, RDF_VEC "l2Metric", RDF_VEC "i8Code");
}

static void
test_exact__dot_over_f16(void **state)
{
  (void)state;
  try_all(VEC_DOT, RDF_VEC "dotMetric", RDF_VEC "f16Code");
}

static void
test_exact__l2_over_f32(void **state)
{
  (void)state;
  try_all(VEC_L2, RDF_VEC "l2Metric", RDF_VEC "f32Code");
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exact__cosine_over_i8), cmocka_unit_test(test_exact__unlinked_over_i8),
      cmocka_unit_test(test_exact__l2_over_i8),     cmocka_unit_test(test_exact__dot_over_f16),
      cmocka_unit_test(test_exact__l2_over_f32),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
