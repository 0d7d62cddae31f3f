/* A store with vectors and a transaction, what the transaction should see, and searches of it
 * against brute force. */
#ifndef QUOIN_TESTS_VECTOR_TXN_MODEL_H
#define QUOIN_TESTS_VECTOR_TXN_MODEL_H

#include "unit/vector_index_world.h"

#include "base/base.h"

#include <string.h>

enum { BASE = 1800, SPARE = 40, ROOM = 6000, GRAPHS = 4, CHURN = 1500 };
#define OTHER "http://x/other"

/* A quad of the predicate as the transaction should see it. */
typedef struct said {
  int subject, vector, graph; /* graph 0: the default one */
} said;

typedef struct model {
  world w;
  quad_txn *txn;
  quad_snapshot *view;
  float (*values)[DIM];
  bool *as_json; /* how the vector is written */
  int n_values;
  said *said;
  int n;
  bool one_graph;             /* no search is of all graphs */
  const quoin_alloc *mem;     /* of the store; NULL: any */
  size_t asked, there, found; /* of approximate searches */
  int ways[VEC_CHOICE_CANDIDATES + 1];
} model;

static inline int
pick(model *m, int n)
{
  return (int)(chance(&m->w) * n);
}

/* ---- terms ------------------------------------------------------------------------------------
 */

static inline rdf_term
graph_term(char room[32], int graph)
{
  if (!graph) return (rdf_term){.kind = RDF_NONE};
  (void)snprintf(room, 32, "http://x/g%d", graph);
  return iri(room);
}

static inline rdf_term
vector_term(const model *m, char *room, size_t size, int vector)
{
  const float *values = m->values[vector];
  if (!m->as_json[vector]) return rdf_vector(values, DIM);
  size_t at = 0;
  for (int i = 0; i < DIM; i++)
    at += (size_t)snprintf(room + at, size - at, "%s%.9g", i ? "," : "[", (double)values[i]);
  (void)snprintf(room + at, size - at, "]");
  return (rdf_term){
      .kind = RDF_LITERAL, .value = base_span(room), .datatype = base_span(RDF_NS "JSON")};
}

static inline quoin_status
find_term(atom_id *out, void *user, const rdf_term *term, quoin_error *e)
{
  const model *m = user;
  const quad_snapshot *begun = quad_txn_begun(m->txn);
  quoin_status st =
      atom_find(out, quad_snapshot_atoms(begun), term, quad_snapshot_atom_mark(begun), e);
  return st || out->bits ? st : atom_local_intern(out, quad_txn_local(m->txn), term, e);
}

static inline quoin_status
read_term(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *e)
{
  const model *m = user;
  if (atom_id_kind(id) == ATOM_LOCAL)
    return atom_local_term(out, quad_txn_local(m->txn), id, arena, e);
  return atom_read(out, quad_snapshot_atoms(quad_txn_begun(m->txn)), id, arena, e);
}

static inline bool
local_vector(const float **out, uint32_t *dimension, void *user, atom_id id)
{
  const model *m = user;
  return atom_local_vector(out, dimension, quad_txn_local(m->txn), id);
}

static inline vec_terms
terms_of(model *m)
{
  if (!m->txn) return vec_store_terms(m->w.snapshot);
  return (vec_terms){.user = m, .find = find_term, .read = read_term, .vector = local_vector};
}

static inline atom_id
id_of(model *m, rdf_term term)
{
  const vec_terms terms = terms_of(m);
  atom_id id;
  good(terms.find(&id, terms.user, &term, &err));
  return id;
}

/* ---- changes ----------------------------------------------------------------------------------
 */

static inline void
say(model *m, bool add, const char *predicate, const said *what)
{
  char name[32], graph[32], text[DIM * 20];
  (void)snprintf(name, sizeof(name), "http://x/s%d", what->subject);
  const rdf_term terms[4] = {iri(name), iri(predicate),
                             vector_term(m, text, sizeof(text), what->vector),
                             graph_term(graph, what->graph)};
  good(add ? quad_txn_add(m->txn, terms, &err) : quad_txn_remove(m->txn, terms, &err));
}

static inline void
add(model *m, said what)
{
  for (int i = 0; i < m->n; i++)
    if (!memcmp(&m->said[i], &what, sizeof(what))) return;
  assert_true(m->n < ROOM);
  m->said[m->n++] = what;
  say(m, true, P, &what);
}

static inline void
drop(model *m, int at)
{
  say(m, false, P, &m->said[at]);
  m->said[at] = m->said[--m->n];
}

static inline int
new_vector(model *m)
{
  assert_true(m->n_values < ROOM);
  random_vector(&m->w, m->values[m->n_values]);
  m->as_json[m->n_values] = chance(&m->w) < 0.1;
  return m->n_values++;
}

static inline void
clear_graph(model *m, int graph)
{
  for (int i = m->n; i-- > 0;)
    if (m->said[i].graph == graph) drop(m, i);
}

/* One change of a transaction. */
static inline void
step(model *m)
{
  double kind = chance(&m->w);
  if (kind < 0.4) /* a new vector, of a new subject or another one */
    add(m, (said){pick(m, ROOM), new_vector(m), pick(m, GRAPHS)});
  else if (kind < 0.6) /* one that is in use, or was, or was another predicate's, for more */
    add(m, (said){pick(m, ROOM), pick(m, m->n_values), pick(m, GRAPHS)});
  else if (kind < 0.985 && m->n)
    drop(m, chance(&m->w) < 0.5 ? pick(m, m->n) : m->n - 1);
  else
    clear_graph(m, pick(m, GRAPHS - 1) + 1);
}

/* ---- what a search should find ----------------------------------------------------------------
 */

static inline int
by_distance(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->distance != b->distance) return a->distance < b->distance ? -1 : 1;
  return a->subject.bits < b->subject.bits ? -1 : a->subject.bits > b->subject.bits;
}

static inline int
by_subject(const void *x, const void *y)
{
  const vec_found *a = x, *b = y;
  if (a->subject.bits == b->subject.bits) return by_distance(x, y);
  return a->subject.bits < b->subject.bits ? -1 : 1;
}

static inline atom_id
subject_id(model *m, int subject)
{
  char name[32];
  (void)snprintf(name, sizeof(name), "http://x/s%d", subject);
  return id_of(m, iri(name));
}

/* Is the graph active? -1: all of them. */
static inline bool
is_active(int active, int graph)
{
  return active < 0 || active == graph;
}

static inline size_t
brute(vec_found *out, model *m, const vec_request *r, int active)
{
  size_t n = 0, kept = 0;
  for (int i = 0; i < m->n; i++) {
    const said *s = &m->said[i];
    if (!is_active(active, s->graph)) continue;
    atom_id id = subject_id(m, s->subject);
    bool asked = !r->subjects;
    for (size_t k = 0; k < r->n_subjects && !asked; k++)
      asked = atom_id_equal(r->subjects[k], id);
    if (!asked) continue;
    double least = HUGE_VAL;
    for (size_t k = 0; k < r->n_near; k++) {
      double d = vec_distance(r->index->metric, r->near[k], m->values[s->vector], DIM);
      if (d < least) least = d;
    }
    out[n++] = (vec_found){least, id};
  }
  qsort(out, n, sizeof(*out), by_subject);
  for (size_t i = 0; i < n; i++)
    if (!kept || !atom_id_equal(out[kept - 1].subject, out[i].subject)) out[kept++] = out[i];
  qsort(out, kept, sizeof(*out), by_distance);
  return kept < r->k ? kept : r->k;
}

static inline void
expect_found(model *m, const vec_request *r, const quad_snapshot *snapshot, const vec_found *right,
             size_t n_right)
{
  vec_found *found;
  size_t n;
  vec_report report = {0};
  good(vec_search(&found, &n, &report, snapshot, r, base_alloc_default(), &err));
  m->ways[report.choice]++;
  assert_int_equal(n, n_right);
  if (r->exact) {
    assert_false(report.approximate);
    for (size_t i = 0; i < n; i++) {
      assert_true(found[i].distance == right[i].distance);
      assert_true(atom_id_equal(found[i].subject, right[i].subject));
    }
  } else {
    m->asked++;
    m->there += n;
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < n; k++)
        if (atom_id_equal(found[i].subject, right[k].subject)) {
          assert_true(found[i].distance == right[k].distance);
          m->found++;
        }
  }
  base_release(base_alloc_default(), found, n, sizeof(*found));
}

static inline int
by_id(const void *x, const void *y)
{
  const atom_id *a = x, *b = y;
  return a->bits < b->bits ? -1 : a->bits > b->bits;
}

static inline size_t
some_subjects(atom_id *out, model *m)
{
  size_t n = 0, kept = 0, most = chance(&m->w) < 0.5 ? 20 : 600;
  while (n < most)
    out[n++] = subject_id(m, pick(m, ROOM));
  qsort(out, n, sizeof(*out), by_id);
  for (size_t i = 0; i < n; i++)
    if (out[i].bits && (!kept || !atom_id_equal(out[kept - 1], out[i]))) out[kept++] = out[i];
  return kept;
}

/* Some searches, each exactly and not. */
static inline void
look_around(model *m, int searches)
{
  static vec_found right[ROOM];
  static atom_id subjects[600];
  const quad_snapshot *snapshot = m->txn ? m->view : m->w.snapshot;
  const vec_terms terms = terms_of(m);
  vec_declaration d;
  bool declared;
  atom_id p = id_of(m, iri(P)), system = id_of(m, iri(VEC_SYSTEM_GRAPH));
  good(vec_declaration_find(&d, &declared, snapshot, &terms, p, base_alloc_default(), &err));
  assert_true(declared);
  for (int i = 0; i < searches; i++) {
    float near[2][DIM];
    const float *const both[2] = {near[0], near[1]};
    char name[32];
    int active = chance(&m->w) < 0.5 && !m->one_graph ? -1 : pick(m, GRAPHS);
    vec_graphs graphs = {.scope = active < 0 ? QUAD_ANY : active ? QUAD_NAMED : QUAD_DEFAULT};
    if (active < 0) graphs.skip = system;
    if (active > 0) graphs.graph = id_of(m, graph_term(name, active));
    graphs.empty = active > 0 && !graphs.graph.bits;
    for (int k = 0; k < 2; k++) {
      random_vector(&m->w, near[k]);
      if (chance(&m->w) < 0.5 && m->n_values)
        memcpy(near[k], m->values[pick(m, m->n_values)], sizeof(near[k]));
    }
    vec_request r = {.index = &d,
                     .graphs = &graphs,
                     .terms = &terms,
                     .near = both,
                     .n_near = chance(&m->w) < 0.8 ? 1 : 2,
                     .k = K,
                     .max_distance = HUGE_VAL};
    if (chance(&m->w) < 0.3) {
      r.subjects = subjects;
      r.n_subjects = some_subjects(subjects, m);
    }
    size_t n = brute(right, m, &r, active);
    for (int exact = 0; exact < 2; exact++) {
      r.exact = exact;
      expect_found(m, &r, snapshot, right, n);
    }
  }
}

/* ---- the store --------------------------------------------------------------------------------
 */

static inline void
show(model *m)
{
  quad_snapshot_release(m->view);
  m->view = NULL;
  good(quad_txn_snapshot(&m->view, m->txn, &err));
}

static inline void
start(model *m)
{
  good(quad_txn_begin(&m->txn, m->w.store, &err));
}

static inline void
finish(model *m, bool commit)
{
  quad_snapshot_release(m->view);
  m->view = NULL;
  if (commit)
    good(quad_txn_commit(NULL, NULL, m->txn, &err));
  else
    quad_txn_abort(m->txn);
  m->txn = NULL;
  look(&m->w);
}

static inline void
begin_model(model *m, bool walk_always, const quoin_alloc *mem)
{
  *m = (model){.mem = mem};
  begin(&m->w);
  close_store(&m->w);
  const quad_store_options options = {.txn_bytes = !mem && chance(&m->w) < 0.5 ? 1 << 16 : 0,
                                      .rest_ms = mem ? UINT64_MAX : 0,
                                      .inline_maintenance = mem != NULL};
  const vec_options vectors = {.walk_always = walk_always, .mem = mem};
  good(quad_store_open(&m->w.store, m->w.path, &options, mem, &err));
  good(vec_attach(m->w.store, &vectors, &err));
  look(&m->w);
  good(declare(&m->w, P, "16", RDF_VEC "l2Metric"));
  m->values = calloc(ROOM, sizeof(*m->values));
  m->as_json = calloc(ROOM, sizeof(*m->as_json));
  m->said = calloc(ROOM, sizeof(*m->said));
  assert_true(m->values && m->as_json && m->said);
  start(m);
  for (int i = 0; i < BASE; i++)
    add(m, (said){pick(m, ROOM), new_vector(m), chance(&m->w) < 0.7 ? 0 : pick(m, GRAPHS)});
  for (int i = 0; i < SPARE; i++) /* a term, and no vector of the index yet */
    say(m, true, OTHER, &(said){i, new_vector(m), 0});
  finish(m, true);
  if (mem || chance(&m->w) < 0.7) good(vec_settle(m->w.snapshot, NULL, &err));
}

static inline void
end_model(model *m)
{
  free(m->values);
  free(m->as_json);
  free(m->said);
  end(&m->w);
}

#endif /* QUOIN_TESTS_VECTOR_TXN_MODEL_H */
