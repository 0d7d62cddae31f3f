/* A store with vectors for tests of the indexes: making it, filling it, searching it two ways. */
#ifndef QUOIN_TESTS_VECTOR_INDEX_WORLD_H
#define QUOIN_TESTS_VECTOR_INDEX_WORLD_H

#include "vector/vector.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { DIM = 16, MANY = 2500, K = 10 };
#define P "http://x/v"

typedef struct world {
  char path[128];
  quad_store *store;
  quad_snapshot *snapshot;
  uint64_t seed;
} world;

static quoin_error err;

static inline void
good(quoin_status st)
{
  if (st) fail_msg("status %d: %s", (int)st, err.message);
}

static inline void
look(world *w)
{
  quad_snapshot_release(w->snapshot);
  good(quad_snapshot_acquire(&w->snapshot, w->store, &err));
}

static inline void
open_store(world *w, bool attach)
{
  const quad_store_options options = {.create = true};
  const vec_options vectors = {.unlinked = 0};
  good(quad_store_open(&w->store, w->path, &options, NULL, &err));
  if (attach) good(vec_attach(w->store, &vectors, &err));
  look(w);
}

static inline void
close_store(world *w)
{
  quad_snapshot_release(w->snapshot);
  w->snapshot = NULL;
  good(quad_store_close(w->store, &err));
}

static inline void
begin(world *w)
{
  const char *tmp = getenv("TMPDIR"), *given = getenv("QUOIN_SEED");
  *w = (world){.seed = given ? strtoull(given, NULL, 10) : 7};
  err = (quoin_error)QUOIN_ERROR_INIT;
  (void)snprintf(w->path, sizeof(w->path), "%s/quoin-index-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(w->path));
  (void)strcat(w->path, "/s");
  open_store(w, true);
}

static inline void
end(world *w)
{
  char command[160];
  close_store(w);
  *strrchr(w->path, '/') = '\0';
  (void)snprintf(command, sizeof(command), "rm -rf %s", w->path);
  assert_int_equal(system(command), 0);
}

static inline double
chance(world *w)
{
  w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(w->seed >> 11) / 9007199254740992.0;
}

static inline void
random_vector(world *w, float *out)
{
  for (int i = 0; i < DIM; i++)
    out[i] = (float)(chance(w) + chance(w) + chance(w) - 1.5);
}

static inline rdf_term
iri(const char *text)
{
  return (rdf_term){.kind = RDF_IRI, .value = base_span(text)};
}

static inline quoin_status
change(world *w, bool add, rdf_term s, const char *p, rdf_term o, const char *g)
{
  quad_txn *txn;
  const rdf_term terms[4] = {s, iri(p), o, g ? iri(g) : (rdf_term){.kind = RDF_NONE}};
  good(quad_txn_begin(&txn, w->store, &err));
  good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
  return quad_txn_commit(NULL, NULL, txn, &err);
}

static inline rdf_term
number(const char *text)
{
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(RDF_XSD "integer")};
}

static inline rdf_term
vector_text(const char *text)
{
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(RDF_VEC_F32)};
}

/* One commit of triples of the system graph. */
static inline quoin_status
declare(world *w, const char *p, const char *dimension, const char *metric)
{
  quad_txn *txn;
  const rdf_term system = iri(VEC_SYSTEM_GRAPH);
  const rdf_term type[4] = {iri(p), iri(RDF_NS "type"), iri(RDF_VEC "Index"), system};
  const rdf_term dim[4] = {iri(p), iri(RDF_VEC "dimension"), number(dimension ? dimension : ""),
                           system};
  const rdf_term met[4] = {iri(p), iri(RDF_VEC "metric"), iri(metric ? metric : ""), system};
  good(quad_txn_begin(&txn, w->store, &err));
  good(quad_txn_add(txn, type, &err));
  if (dimension) good(quad_txn_add(txn, dim, &err));
  if (metric) good(quad_txn_add(txn, met, &err));
  return quad_txn_commit(NULL, NULL, txn, &err);
}

/* `n` subjects <prefix>i with a random vector each, in one commit. */
static inline void
add_many(world *w, const char *prefix, int n, const char *graph)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  for (int i = 0; i < n; i++) {
    char name[64];
    float values[DIM];
    random_vector(w, values);
    (void)snprintf(name, sizeof(name), "http://x/%s%d", prefix, i);
    const rdf_term terms[4] = {iri(name), iri(P), rdf_vector(values, DIM),
                               graph ? iri(graph) : (rdf_term){.kind = RDF_NONE}};
    good(quad_txn_add(txn, terms, &err));
  }
  good(quad_txn_commit(NULL, NULL, txn, &err));
  look(w);
}

static inline vec_declaration
declared(world *w)
{
  vec_declaration d;
  bool found;
  atom_id p;
  vec_terms terms = vec_store_terms(w->snapshot);
  const rdf_term name = iri(P);
  good(terms.find(&p, terms.user, &name, &err));
  good(vec_declaration_find(&d, &found, w->snapshot, &terms, p, base_alloc_default(), &err));
  assert_true(found);
  return d;
}

static inline vec_choice
search(vec_found **out, size_t *n, world *w, const float *near, bool exact,
       const vec_graphs *graphs, const atom_id *subjects, size_t n_subjects)
{
  const vec_graphs plain = {.scope = QUAD_DEFAULT};
  vec_declaration d = declared(w);
  vec_terms terms = vec_store_terms(w->snapshot);
  vec_report report = {0};
  const vec_request request = {.index = &d,
                               .graphs = graphs ? graphs : &plain,
                               .terms = &terms,
                               .near = &near,
                               .n_near = 1,
                               .k = K,
                               .max_distance = HUGE_VAL,
                               .exact = exact,
                               .subjects = subjects,
                               .n_subjects = n_subjects};
  good(vec_search(out, n, &report, w->snapshot, &request, base_alloc_default(), &err));
  return report.choice;
}

/* The share of what exact search finds that a search finds, over some random queries; all of these
 * searches should choose `expected`. */
static inline double
recall(world *w, vec_choice expected, const vec_graphs *graphs, const atom_id *subjects, size_t n)
{
  size_t there = 0, found = 0;
  for (int q = 0; q < 40; q++) {
    float near[DIM];
    vec_found *a, *b;
    size_t n_a, n_b;
    random_vector(w, near);
    vec_choice choice = search(&a, &n_a, w, near, false, graphs, subjects, n);
    if (choice != expected) fail_msg("searched by %s", vec_choice_name(choice));
    (void)search(&b, &n_b, w, near, true, graphs, subjects, n);
    assert_int_equal(n_a, n_b);
    there += n_b;
    for (size_t i = 0; i < n_b; i++)
      for (size_t j = 0; j < n_a; j++)
        if (atom_id_equal(a[j].subject, b[i].subject)) {
          assert_true(a[j].distance == b[i].distance);
          found++;
        }
    base_release(base_alloc_default(), a, n_a, sizeof(*a));
    base_release(base_alloc_default(), b, n_b, sizeof(*b));
  }
  return there ? (double)found / (double)there : 1;
}

static inline void
settle(world *w)
{
  look(w);
  good(vec_settle(w->snapshot, NULL, &err));
}

static inline void
expect_recall(double found)
{
  if (found < 0.95) fail_msg("recall is %.3f", found);
}

#endif /* QUOIN_TESTS_VECTOR_INDEX_WORLD_H */
