/* vector/judge.c - may a version be? Declarations that are changed must be complete and agree with
 * the vectors that are there; vectors that are added must agree with the declarations. */
#include "vector/index.h"

#include "base/poison.h"

/* ---- terms of the store -----------------------------------------------------------------------
 */

static quoin_status
find_stored(atom_id *out, void *user, const rdf_term *term, quoin_error *err)
{
  const quad_snapshot *snapshot = user;
  return atom_find(out, quad_snapshot_atoms(snapshot), term, quad_snapshot_atom_mark(snapshot),
                   err);
}

static quoin_status
read_stored(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  return atom_read(out, quad_snapshot_atoms((const quad_snapshot *)user), id, arena, err);
}

vec_terms
vec_store_terms(const quad_snapshot *snapshot)
{
  return (vec_terms){.user = (void *)(uintptr_t)snapshot, .find = find_stored, .read = read_stored};
}

/* ---- vectors ----------------------------------------------------------------------------------
 */

typedef struct judge {
  const quad_snapshot *next;
  vec_terms terms;
  base_arena arena;
  const base_alloc *mem;
} judge;

static quoin_status
fail_vector(judge *j, const vec_declaration *index, atom_id subject, const char *what,
            quoin_error *err)
{
  rdf_term name[2] = {{.kind = RDF_NONE}, {.kind = RDF_NONE}};
  (void)atom_read(&name[0], quad_snapshot_atoms(j->next), index->predicate, &j->arena, NULL);
  (void)atom_read(&name[1], quad_snapshot_atoms(j->next), subject, &j->arena, NULL);
  return vec_fail_misfit(index, name[0].value, &name[1], what, err);
}

/* An object of the predicate: a vector must fit, what is none may be anything else. */
static quoin_status
judge_vector(judge *j, const vec_declaration *index, atom_id subject, atom_id object,
             quoin_error *err)
{
  const char *why;
  base_arena_reset(&j->arena);
  quoin_status st = vec_misfit_id(&why, index, j->next, &j->terms, object, &j->arena, err);
  if (st) return st;
  return why ? fail_vector(j, index, subject, why, err) : QUOIN_OK;
}

/* All vectors of the predicate, those numbered up to `known` left out. */
static quoin_status
judge_all(judge *j, const vec_declaration *index, uint64_t known, quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  const quad match = {.term = {[QUAD_P] = index->predicate}};
  atom_id last = ATOM_NONE_ID;
  quad_scan *scan = NULL;
  quad_batch rows;
  quoin_status st = vec_quads_open(&scan, j->next, &any, &match, err);
  while (!st && !(st = quad_scan_next(&rows, scan, err)))
    for (size_t i = 0; !st && i < rows.rows; i++) {
      atom_id object = rows.column[QUAD_O][i];
      if (atom_id_equal(object, last)) continue;
      last = object;
      if (atom_id_kind(object) == ATOM_VECTOR && atom_id_payload(object) <= known) continue;
      st = judge_vector(j, index, rows.column[QUAD_S][i], object, err);
    }
  quad_scan_close(scan);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* ---- declarations -----------------------------------------------------------------------------
 */

static const vec_index *
find_index(const vec_index_set *set, atom_id predicate)
{
  for (size_t i = 0; set && i < set->n; i++)
    if (atom_id_equal(set->index[i]->declared.predicate, predicate)) return set->index[i];
  return NULL;
}

/* Dimension and metric of an index that has vectors stay. */
static quoin_status
refuse_change(judge *j, const vec_declaration *now, quoin_error *err)
{
  rdf_term name = {.kind = RDF_NONE};
  quad_pattern all = {.scope = QUAD_ANY};
  uint64_t n;
  all.match.term[QUAD_P] = now->predicate;
  quoin_status st = quad_count(&n, j->next, &all, err);
  if (st || !n) return st;
  (void)j->terms.read(&name, j->terms.user, now->predicate, &j->arena, NULL);
  return base_fail(err, QUOIN_ERR_CONSTRAINT,
                   "vector index <%.*s> has vectors: its dimension and its metric cannot be "
                   "changed",
                   (int)(name.value.len < 200 ? name.value.len : 200), name.value.ptr);
}

/* What the system graph now says of one subject. */
static quoin_status
judge_declaration(judge *j, const vec_index_set *set, atom_id subject, quoin_error *err)
{
  vec_declaration now;
  bool found;
  const vec_index *old = find_index(set, subject);
  quoin_status st = vec_declaration_judge(&now, &found, j->next, &j->terms, subject, j->mem, err);
  if (st || !found) return st;
  if (!old) return judge_all(j, &now, 0, err);
  /* The vectors that are there have been judged by the same dimension and metric before. */
  if (old->declared.dimension == now.dimension && old->declared.metric == now.metric)
    return QUOIN_OK;
  return refuse_change(j, &now, err);
}

static quoin_status
judge_system(bool *touched, judge *j, const vec_index_set *set, const quad *quads, size_t n,
             atom_id system, quoin_error *err)
{
  atom_id last = ATOM_NONE_ID;
  for (size_t i = 0; i < n; i++) {
    if (!atom_id_equal(quads[i].term[QUAD_G], system)) continue;
    *touched = true;
    if (atom_id_equal(quads[i].term[QUAD_S], last)) continue;
    last = quads[i].term[QUAD_S];
    quoin_status st = judge_declaration(j, set, last, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

/* Nothing was said that was not there before. */
static bool
is_as_before(const vec_declaration *now, const vec_index *old)
{
  return old && vec_declaration_same(now, &old->declared) && now->unknown <= old->declared.unknown;
}

/* A load, or the first look at a store: every declaration, and with it every new vector. */
static quoin_status
judge_load(judge *j, const vec_index_set *set, uint64_t known, quoin_error *err)
{
  atom_id *list;
  size_t n;
  quoin_status st = vec_declaration_list(&list, &n, j->next, &j->terms, j->mem, err);
  for (size_t i = 0; !st && i < n; i++) {
    vec_declaration now;
    bool found;
    const vec_index *old = find_index(set, list[i]);
    st = vec_declaration_find(&now, &found, j->next, &j->terms, list[i], j->mem, err);
    if (!st && !is_as_before(&now, old))
      st = vec_declaration_judge(&now, &found, j->next, &j->terms, list[i], j->mem, err);
    if (st || !found) continue;
    bool same =
        old && old->declared.dimension == now.dimension && old->declared.metric == now.metric;
    if (old && !same) st = refuse_change(j, &now, err);
    if (!st) st = judge_all(j, &now, same ? known : 0, err);
  }
  base_release(j->mem, list, n, sizeof(*list));
  return st;
}

/* The vectors that a commit adds. Where declarations change with it, or have by a commit that is
 * not published yet, the snapshot says what is an index. */
static quoin_status
judge_added(judge *j, const vec_index_set *set, bool ask, const quad_delta *delta, quoin_error *err)
{
  vec_declaration asked = {.predicate = ATOM_NONE_ID};
  bool found = false;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && i < delta->n_added; i++) {
    const quad *q = &delta->added[i];
    atom_kind kind = atom_id_kind(q->term[QUAD_O]);
    if (kind != ATOM_VECTOR && kind != ATOM_TYPED) continue;
    const vec_index *index = ask ? NULL : find_index(set, q->term[QUAD_P]);
    if (index) st = judge_vector(j, &index->declared, q->term[QUAD_S], q->term[QUAD_O], err);
    if (!ask) continue;
    if (!atom_id_equal(asked.predicate, q->term[QUAD_P]))
      st = vec_declaration_find(&asked, &found, j->next, &j->terms, q->term[QUAD_P], j->mem, err);
    if (!st && found) st = judge_vector(j, &asked, q->term[QUAD_S], q->term[QUAD_O], err);
  }
  return st;
}

quoin_status
vec_judge(bool *declarations, const vec_index_set *set, bool uncertain, const quad_snapshot *next,
          uint64_t known, const quad_delta *delta, const base_alloc *mem, quoin_error *err)
{
  judge j = {.next = next, .terms = vec_store_terms(next), .mem = mem};
  const rdf_term name = {.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
  atom_id system;
  *declarations = !delta->added && !delta->removed;
  base_arena_init(&j.arena, mem);
  quoin_status st = find_stored(&system, j.terms.user, &name, err);
  if (!st && *declarations) {
    st = judge_load(&j, set, known, err);
  } else if (!st && system.bits) {
    st = judge_system(declarations, &j, set, delta->added, delta->n_added, system, err);
    if (!st)
      st = judge_system(declarations, &j, set, delta->removed, delta->n_removed, system, err);
  }
  if (!st) st = judge_added(&j, set, uncertain || *declarations, delta, err);
  base_arena_clear(&j.arena);
  return st;
}
