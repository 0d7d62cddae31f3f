/* Vector indexes by handle: searches without SPARQL, in batches, by several threads. */
#include "api/term.h"

#include <math.h>

#include "base/poison.h"

struct quoin_vectors {
  quoin_store *store;
  quoin_span predicate; /* owned */
  uint32_t dimension;
  base_mutex lock;     /* of the two below */
  uint64_t generation; /* of the atoms whose id it is: another one after clear and compact */
  atom_id id;
};

struct quoin_hits {
  api_child child;
  quad_snapshot *snapshot; /* NULL once detached */
  size_t queries;
  vec_found **found; /* [queries] */
  size_t *n;
  bool approximate;
  base_arena arena; /* text of the last term */
};

/* ---- the handle ------------------------------------------------------------------------------ */

/* The index as the snapshot declares it. The name is looked up once for each atom store. */
static quoin_status
find_index(vec_declaration *out, quoin_vectors *v, const quad_snapshot *snapshot, quoin_error *err)
{
  vec_terms terms = vec_store_terms(snapshot);
  bool found = false;
  atom_id id;
  base_mutex_lock(&v->lock);
  const rdf_term term = {.kind = RDF_IRI, .value = v->predicate};
  quoin_status st = QUOIN_OK;
  uint64_t generation = atom_store_generation(quad_snapshot_atoms(snapshot));
  if (v->generation != generation || !v->id.bits) {
    st = terms.find(&v->id, terms.user, &term, err);
    v->generation = generation;
  }
  id = v->id;
  base_mutex_unlock(&v->lock);
  if (!st) st = vec_declaration_find(out, &found, snapshot, &terms, id, &v->store->mem, err);
  if (st || found) return st;
  return base_fail(err, QUOIN_ERR_NOT_FOUND, "no vector index is declared over <%.*s>",
                   (int)(v->predicate.len < 300 ? v->predicate.len : 300), v->predicate.ptr);
}

static void
free_vectors(quoin_vectors *v)
{
  quoin_store *store = v->store;
  base_mutex_destroy(&v->lock);
  base_release(&store->mem, (void *)(uintptr_t)v->predicate.ptr, v->predicate.len, 1);
  base_release(&store->mem, v, 1, sizeof(*v));
}

quoin_status
quoin_vectors_open(quoin_vectors **out, quoin_store *store, quoin_span predicate, quoin_error *err)
{
  vec_declaration index;
  quad_snapshot *snapshot = NULL;
  quoin_vectors *v = NULL;
  if (!out || !store || !predicate.ptr || !predicate.len)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "out, store or the predicate is NULL");
  *out = NULL;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  if (!(v = base_new_zero(&store->mem, 1, sizeof(*v)))) {
    st = base_fail_nomem(err);
    goto done;
  }
  v->store = store;
  char *copy = base_new(&store->mem, predicate.len, 1);
  if (!copy || (st = base_mutex_init(&v->lock, BASE_RANK_QUEUE, "vector handle", err))) {
    if (!st) st = base_fail_nomem(err);
    base_release(&store->mem, copy, predicate.len, 1);
    base_release(&store->mem, v, 1, sizeof(*v));
    v = NULL;
    goto done;
  }
  memcpy(copy, predicate.ptr, predicate.len);
  v->predicate = (quoin_span){copy, predicate.len};
  if ((st = quad_snapshot_acquire(&snapshot, store->quads, err))) goto done;
  if ((st = find_index(&index, v, snapshot, err))) goto done;
  v->dimension = index.dimension;
  *out = v;
  v = NULL;
  (void)quoin_retain(store);

done:
  quad_snapshot_release(snapshot);
  if (v) free_vectors(v);
  api_leave(store);
  return st;
}

void
quoin_vectors_close(quoin_vectors *vectors)
{
  if (!vectors) return;
  quoin_store *store = vectors->store;
  free_vectors(vectors);
  quoin_close(store);
}

uint32_t
quoin_vectors_dimension(const quoin_vectors *vectors)
{
  return vectors->dimension;
}

/* ---- searching ------------------------------------------------------------------------------- */

static void
detach(api_child *child)
{
  quoin_hits *hits = (quoin_hits *)child;
  quad_snapshot_release(hits->snapshot);
  hits->snapshot = NULL;
}

static void
free_hits(quoin_hits *hits)
{
  const base_alloc *mem = &hits->child.store->mem;
  for (size_t i = 0; hits->found && i < hits->queries; i++)
    base_release(mem, hits->found[i], hits->n[i], sizeof(**hits->found));
  base_release(mem, hits->found, hits->queries, sizeof(*hits->found));
  base_release(mem, hits->n, hits->queries, sizeof(*hits->n));
  base_arena_clear(&hits->arena);
  base_release(mem, hits, 1, sizeof(*hits));
}

static quoin_status
check_search(const quoin_vectors *v, const float *queries, size_t n,
             const quoin_search_options *options, quoin_error *err)
{
  if (!options->k || options->k > UINT32_MAX || options->ef > UINT32_MAX)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "k and ef of the options are out of range");
  for (size_t i = 0; i < n * v->dimension; i++)
    if (!isfinite(queries[i]))
      return base_fail(err, QUOIN_ERR_ARGUMENT, "query %zu has a number that is not finite",
                       i / v->dimension);
  return QUOIN_OK;
}

static quoin_status
search(quoin_hits *hits, quoin_vectors *v, const float *queries,
       const quoin_search_options *options, quoin_error *err)
{
  quoin_store *store = v->store;
  vec_declaration index;
  base_cancel cancel = api_cancel(options->cancel);
  vec_terms terms = vec_store_terms(hits->snapshot);
  const rdf_term system = {.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
  const rdf_term name = {.kind = RDF_IRI, .value = options->graph};
  vec_graphs graphs = {.scope = options->graph.len    ? QUAD_NAMED
                                : options->all_graphs ? QUAD_ANY
                                                      : QUAD_DEFAULT};
  quoin_status st = find_index(&index, v, hits->snapshot, err);
  if (st) return st;
  if (index.dimension != v->dimension)
    return base_fail(err, QUOIN_ERR_CONFLICT,
                     "the dimension of the index has changed: open it "
                     "again");
  for (size_t i = 0; index.metric == VEC_COSINE && i < hits->queries; i++)
    if (vec_is_zero(queries + i * v->dimension, v->dimension))
      return base_fail(err, QUOIN_ERR_ARGUMENT, "query %zu is zero, which has no cosine", i);
  if (graphs.scope == QUAD_ANY && (st = terms.find(&graphs.skip, terms.user, &system, err)))
    return st;
  if (graphs.scope == QUAD_NAMED && (st = terms.find(&graphs.graph, terms.user, &name, err)))
    return st;
  graphs.empty = graphs.scope == QUAD_NAMED && !graphs.graph.bits;
  vec_report report = {0};
  const vec_request request = {.index = &index,
                               .graphs = &graphs,
                               .terms = &terms,
                               .n_near = 1,
                               .k = (size_t)options->k,
                               .ef = (uint32_t)options->ef,
                               .max_distance =
                                   isnan(options->max_distance) ? HUGE_VAL : options->max_distance,
                               .exact = options->exact,
                               .cancel = &cancel};
  unsigned threads = options->threads ? options->threads : store->threads;
  st = vec_search_many(hits->found, hits->n, &report, hits->snapshot, &request, queries,
                       hits->queries, threads, &store->mem, err);
  hits->approximate = report.approximate;
  return st;
}

quoin_status
quoin_vectors_search(quoin_hits **out, quoin_vectors *vectors, const float *queries, size_t n,
                     const quoin_search_options *opts, quoin_error *err)
{
  quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_status st;
  if (!out || !vectors || (n && !queries))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "out, vectors or queries is NULL");
  *out = NULL;
  quoin_store *store = vectors->store;
  if ((st = api_options(&options, sizeof(options), opts, err))) return st;
  if ((st = check_search(vectors, queries, n, &options, err))) return st;
  if ((st = api_enter(store, err))) return st;
  quoin_hits *hits = base_new_zero(&store->mem, 1, sizeof(*hits));
  if (!hits) {
    api_leave(store);
    return base_fail_nomem(err);
  }
  hits->child.store = store;
  hits->queries = n;
  base_arena_init(&hits->arena, &store->mem);
  hits->found = base_new_zero(&store->mem, n, sizeof(*hits->found));
  hits->n = base_new_zero(&store->mem, n, sizeof(*hits->n));
  if (n && (!hits->found || !hits->n)) st = base_fail_nomem(err);
  if (!st) st = quad_snapshot_acquire(&hits->snapshot, store->quads, err);
  if (!st) st = search(hits, vectors, queries, &options, err);
  if (st) {
    quad_snapshot_release(hits->snapshot);
    free_hits(hits);
  } else {
    hits->child.detach = detach;
    api_child_attach(&hits->child, store);
    *out = hits;
  }
  api_leave(store);
  return st;
}

void
quoin_hits_close(quoin_hits *hits)
{
  if (!hits) return;
  quoin_store *store = hits->child.store;
  api_child_close(&hits->child);
  free_hits(hits);
  api_child_release(store);
}

bool
quoin_hits_approximate(const quoin_hits *hits)
{
  return hits->approximate;
}

size_t
quoin_hits_count(const quoin_hits *hits, size_t query)
{
  return query < hits->queries ? hits->n[query] : 0;
}

double
quoin_hits_distance(const quoin_hits *hits, size_t query, size_t i)
{
  return i < quoin_hits_count(hits, query) ? hits->found[query][i].distance : (double)NAN;
}

/* The terms of hits are read one after the other, mostly: of so many the misses overlap. */
enum { ASK = 16 };

static void
ask_terms(const quoin_hits *hits, size_t query, size_t i)
{
  atom_id ids[ASK];
  size_t left = hits->n[query] - i, n = left < ASK ? left : ASK;
  for (size_t k = 0; k < n; k++)
    ids[k] = hits->found[query][i + k].subject;
  atom_prefetch_all(quad_snapshot_atoms(hits->snapshot), ids, n);
}

quoin_status
quoin_hits_term(quoin_term *out, quoin_hits *hits, size_t query, size_t i, quoin_error *err)
{
  rdf_term term;
  if (!out || !hits || i >= quoin_hits_count(hits, query))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "there is no such hit");
  quoin_status st = api_enter(hits->child.store, err);
  if (st) return st;
  atom_id id = hits->found[query][i].subject;
  base_arena_reset(&hits->arena);
  if (i % ASK == 0) ask_terms(hits, query, i);
  st = atom_read(&term, quad_snapshot_atoms(hits->snapshot), id, &hits->arena, err);
  if (!st) api_term_out(out, &term, api_node(id));
  api_leave(hits->child.store);
  return st;
}

/* ---- looking after them ---------------------------------------------------------------------- */

quoin_status
quoin_vectors_settle(quoin_store *store, quoin_cancel *cancel, quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);
  quad_snapshot *snapshot = NULL;
  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_snapshot_acquire(&snapshot, store->quads, err);
  if (!st) st = vec_settle(snapshot, &stop, err);
  quad_snapshot_release(snapshot);
  api_leave(store);
  return st;
}

quoin_status
quoin_vectors_count(quoin_vectors_stats *out, quoin_vectors *vectors, quoin_cancel *cancel,
                    quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);
  quad_snapshot *snapshot = NULL;
  static const char metrics[VEC_METRICS][8] = {"cosine", "dot", "l2"};
  static const char codes[VEC_CODES][4] = {"f32", "f16", "i8", "b1"};
  vec_declaration index;
  vec_counts got;
  if (!out || !vectors) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or vectors is NULL");
  if (out->struct_size != sizeof(*out))
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "struct_size of the statistics is none that there is");
  quoin_store *store = vectors->store;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_snapshot_acquire(&snapshot, store->quads, err);
  if (!st) st = find_index(&index, vectors, snapshot, err);
  if (!st) st = vec_index_count(&got, snapshot, &index, &stop, err);
  quad_snapshot_release(snapshot);
  api_leave(store);
  if (st) return st;
  *out = (quoin_vectors_stats){.struct_size = sizeof(*out),
                               .statements = got.statements,
                               .others = got.others,
                               .vectors = got.vectors,
                               .linked = got.linked,
                               .unlinked = got.unlinked,
                               .removed = got.removed,
                               .bytes = got.bytes,
                               .file_bytes = got.file_bytes,
                               .damaged = got.damaged,
                               .missing = got.missing,
                               .metric = metrics[index.metric],
                               .code = codes[index.code],
                               .m = index.m,
                               .ef_construction = index.ef_construction};
  return QUOIN_OK;
}

quoin_status
quoin_vectors_check(quoin_vectors_report *out, quoin_vectors *vectors, bool repair,
                    quoin_cancel *cancel, quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);
  quad_snapshot *snapshot = NULL;
  vec_declaration index;
  vec_check_report report = {0};
  vec_counts counts = {0};
  if (!out || !vectors) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or vectors is NULL");
  if (out->struct_size != sizeof(*out))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "struct_size of the report is none that there is");
  quoin_store *store = vectors->store;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  st = quad_snapshot_acquire(&snapshot, store->quads, err);
  if (!st) st = find_index(&index, vectors, snapshot, err);
  if (!st) st = vec_index_check(&report, snapshot, &index, repair, &stop, err);
  if (!st) st = vec_index_count(&counts, snapshot, &index, &stop, err);
  quad_snapshot_release(snapshot);
  api_leave(store);
  if (st) return st;
  out->nodes = report.nodes;
  out->links = report.links;
  out->unreachable = report.unreachable;
  out->repaired = report.repaired;
  out->waiting = counts.unlinked;
  out->bytes = counts.bytes;
  out->made_again = report.made_again;
  return QUOIN_OK;
}

quoin_status
quoin_vector_parse(float *out, size_t *n, size_t cap, quoin_span text, quoin_error *err)
{
  base_arena arena;
  rdf_term vector;
  if (!n || (cap && !out)) return base_fail(err, QUOIN_ERR_ARGUMENT, "n or out is NULL");
  *n = 0;
  base_arena_init(&arena, base_alloc_default());
  quoin_status st = rdf_vector_parse(&vector, text, &arena, err);
  if (!st && vector.kind != RDF_VECTOR)
    st = base_fail(err, QUOIN_ERR_SYNTAX, "expected an array of finite JSON numbers");
  if (!st) {
    *n = vector.value.len / sizeof(float);
    if (cap > *n) cap = *n;
    if (cap) memcpy(out, vector.value.ptr, cap * sizeof(float));
  }
  base_arena_clear(&arena);
  return st;
}
