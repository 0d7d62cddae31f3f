#include "load/vectors.h"
#include "load/packet.h"

#include <stdlib.h>

#include "base/poison.h"

static int
compare_spans(quoin_span a, quoin_span b)
{
  if (a.len != b.len) return a.len < b.len ? -1 : 1;
  return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static int
compare_indexes(const void *x, const void *y)
{
  return compare_spans(((const load_index *)x)->predicate, ((const load_index *)y)->predicate);
}

static int
compare_key(const void *predicate, const void *index)
{
  return compare_spans(*(const quoin_span *)predicate, ((const load_index *)index)->predicate);
}

static quoin_status
read_indexes(load_vectors *v, const quad_snapshot *snapshot, const atom_id *list, size_t n,
             quoin_error *err)
{
  vec_terms terms = vec_store_terms(snapshot);
  if (!n) return QUOIN_OK;
  if (!(v->index = base_arena_new(&v->names, n, sizeof(*v->index)))) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    rdf_term name;
    bool found;
    load_index *to = &v->index[v->n];
    quoin_status st =
        vec_declaration_find(&to->declared, &found, snapshot, &terms, list[i], v->mem, err);
    if (!st) st = terms.read(&name, terms.user, list[i], &v->names, err);
    if (st) return st;
    if (!found) continue;
    to->predicate = base_arena_copy(&v->names, name.value);
    if (!to->predicate.ptr) return base_fail_nomem(err);
    v->n++;
  }
  qsort(v->index, v->n, sizeof(*v->index), compare_indexes);
  return QUOIN_OK;
}

quoin_status
load_vectors_init(load_vectors *out, quad_store *store, const base_alloc *mem, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  atom_id *list = NULL;
  size_t n = 0;
  *out = (load_vectors){.mem = mem};
  base_arena_init(&out->names, mem);
  quoin_status st = quad_snapshot_acquire(&snapshot, store, err);
  if (st) return st;
  vec_terms terms = vec_store_terms(snapshot);
  st = vec_declaration_list(&list, &n, snapshot, &terms, mem, err);
  if (!st) st = read_indexes(out, snapshot, list, n, err);
  base_release(mem, list, n, sizeof(*list));
  quad_snapshot_release(snapshot);
  return st;
}

void
load_vectors_clear(load_vectors *vectors)
{
  if (!vectors->mem) return;
  base_arena_clear(&vectors->names);
  *vectors = (load_vectors){0};
}

quoin_status
load_vectors_check(void *user, const rdfio_quad *statement, quoin_error *err)
{
  const load_vectors *v = user;
  const load_index *index = NULL;
  const char *why = NULL;
  base_arena arena;
  const rdf_term *g = &statement->term[3];
  if (!vec_may_be(&statement->term[2]))
    return load_is_said(statement, g->kind == RDF_NONE && v->graph ? v->graph : g) ? QUOIN_DONE
                                                                                   : QUOIN_OK;
  if (v->n)
    index = bsearch(&statement->term[1].value, v->index, v->n, sizeof(*v->index), compare_key);
  if (!index) return QUOIN_DONE;
  base_arena_init(&arena, v->mem);
  quoin_status st = vec_misfit(&why, &index->declared, &statement->term[2], &arena, err);
  base_arena_clear(&arena);
  if (st || !why) return st;
  return vec_fail_misfit(&index->declared, index->predicate, &statement->term[0], why, err);
}
