/* vector/own.c - the vectors that a transaction has added, for the searches in it.
 *
 * The graph of an index, and what waits to be linked, are those of the version that the transaction
 * began with; whose a vector is, and whether it still is anybody's, a search asks the quads of the
 * transaction's own view. So what it removed is passed over, and what it gave to more subjects is
 * found; all that the search does not come by is objects that the predicate did not have before:
 * those are kept here (docs/adrs/0048-searches-in-transactions.md). The store tells of each quad
 * that the view gets. The first search that follows makes a code of each new vector; from then on
 * it costs a search the bytes of its code, one behind the other. What has been removed again is
 * dropped when it may be half. */
#include "vector/flat.h"

#include <stdlib.h>

#include "base/poison.h"

enum {
  PARTS = 40,
  PART_FIRST = 256,       /* vectors of the first part; each has twice as many as that before */
  CODES_MOST = 128 << 20, /* bytes of codes; without one a vector costs its floats */
  REMOVED_LEAST = 1024    /* quads, before what is left is looked for */
};

typedef struct own_part {
  atom_id *vectors;
  char *codes; /* aligned to 64; NULL: none */
  char *space; /* of them, as allocated */
  size_t bytes;
} own_part;

/* Ids, each once. Open addressing; at most half of the slots are taken. */
typedef struct id_set {
  uint64_t *slots;
  size_t n, room;
} id_set;

struct vec_own {
  const base_alloc *mem;
  atom_id predicate;
  id_set known;  /* of the parts, of those that wait, and of what turned out to be none of these */
  atom_id *wait; /* not looked at yet */
  size_t n_wait, cap_wait;
  uint32_t dimension; /* of the codes; 0: there are none yet */
  vec_metric metric;
  size_t stride;
  uint64_t count;
  uint64_t removed; /* quads, since what is left was looked for */
  own_part part[PARTS];
};

/* Of an index. */
typedef struct view_of_index {
  atom_id predicate;
  vec_own *own; /* NULL: nothing was added */
} view_of_index;

typedef struct vec_view {
  const base_alloc *mem;
  atom_id system;
  bool declares;
  size_t n;
  view_of_index index[]; /* by predicate */
} vec_view;

/* ---- ids --------------------------------------------------------------------------------------
 */

static uint64_t *
set_slot(const id_set *s, atom_id id)
{
  size_t at = (size_t)((id.bits * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (s->room - 1);
  while (s->slots[at] && s->slots[at] != id.bits)
    at = (at + 1) & (s->room - 1);
  return &s->slots[at];
}

static void
set_clear(id_set *s, const base_alloc *mem)
{
  base_release(mem, s->slots, s->room, sizeof(*s->slots));
  *s = (id_set){.n = 0};
}

static quoin_status
set_grow(id_set *s, const base_alloc *mem, quoin_error *err)
{
  id_set grown = {.n = s->n, .room = s->room ? 2 * s->room : 64};
  if (!(grown.slots = base_new_zero(mem, grown.room, sizeof(*grown.slots))))
    return base_fail_nomem(err);
  for (size_t i = 0; i < s->room; i++)
    if (s->slots[i]) *set_slot(&grown, (atom_id){s->slots[i]}) = s->slots[i];
  set_clear(s, mem);
  *s = grown;
  return QUOIN_OK;
}

/* There is room for one more. */
static bool
set_add(id_set *s, atom_id id)
{
  uint64_t *slot = set_slot(s, id);
  if (*slot) return false;
  *slot = id.bits;
  s->n++;
  return true;
}

/* ---- what the store tells ---------------------------------------------------------------------
 */

static void
own_free(vec_own *own)
{
  const base_alloc *mem = own->mem;
  for (unsigned i = 0; i < PARTS && own->part[i].vectors; i++) {
    base_release(mem, own->part[i].vectors, (size_t)PART_FIRST << i, sizeof(atom_id));
    base_release(mem, own->part[i].space, own->part[i].bytes, 1);
  }
  base_release(mem, own->wait, own->cap_wait, sizeof(*own->wait));
  set_clear(&own->known, mem);
  base_release(mem, own, 1, sizeof(*own));
}

void
vec_view_free(void *view)
{
  vec_view *v = view;
  for (size_t i = 0; i < v->n; i++)
    if (v->index[i].own) own_free(v->index[i].own);
  base_release(v->mem, v, 1, sizeof(*v) + v->n * sizeof(*v->index));
}

static int
by_predicate(const void *x, const void *y)
{
  const view_of_index *a = x, *b = y;
  return a->predicate.bits < b->predicate.bits ? -1 : a->predicate.bits > b->predicate.bits;
}

static view_of_index *
view_find(vec_view *v, atom_id predicate)
{
  size_t low = 0, n = v ? v->n : 0;
  while (n) {
    size_t half = n / 2;
    if (v->index[low + half].predicate.bits < predicate.bits) {
      low += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  return v && low < v->n && atom_id_equal(v->index[low].predicate, predicate) ? &v->index[low]
                                                                              : NULL;
}

/* Of the indexes there are. One that is declared later has no graph for this transaction. */
static quoin_status
view_make(void **out, const vec_indexes *ix, const vec_index_set *set, const quad_snapshot *begun,
          quoin_error *err)
{
  const vec_terms terms = vec_store_terms(begun);
  const rdf_term system = {.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
  if (!set || !set->n) return QUOIN_OK;
  vec_view *v = base_new_zero(ix->mem, 1, sizeof(*v) + set->n * sizeof(*v->index));
  if (!v) return base_fail_nomem(err);
  v->mem = ix->mem;
  v->n = set->n;
  for (size_t i = 0; i < v->n; i++) /* numbers of other atoms are no predicates of this one */
    if (vec_index_is_of(set->index[i], begun))
      v->index[i].predicate = set->index[i]->declared.predicate;
  qsort(v->index, v->n, sizeof(*v->index), by_predicate);
  quoin_status st = terms.find(&v->system, terms.user, &system, err);
  if (st)
    vec_view_free(v);
  else
    *out = v;
  return st;
}

quoin_status
vec_view_new(void **out, void *indexes, const quad_snapshot *begun, quoin_error *err)
{
  vec_indexes *ix = indexes;
  *out = NULL;
  uint64_t entered = vec_epoch_enter(&ix->users);
  /* Pairs with the exchange in set_swap(). */
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  quoin_status st = view_make(out, ix, set, begun, err);
  vec_epoch_leave(&ix->users, entered);
  return st;
}

static quoin_status
own_note(vec_own *own, atom_id object, quoin_error *err)
{
  atom_kind kind = atom_id_kind(object);
  quoin_status st;
  if (kind != ATOM_VECTOR && kind != ATOM_TYPED && kind != ATOM_LOCAL) return QUOIN_OK;
  if (2 * (own->known.n + 1) > own->known.room && (st = set_grow(&own->known, own->mem, err)))
    return st;
  if (!base_reserve(own->mem, (void **)&own->wait, &own->cap_wait, own->n_wait + 1,
                    sizeof(*own->wait)))
    return base_fail_nomem(err);
  if (set_add(&own->known, object)) own->wait[own->n_wait++] = object;
  return QUOIN_OK;
}

quoin_status
vec_view_note(void *view, const quad *q, bool removed, quoin_error *err)
{
  vec_view *v = view;
  if (atom_id_equal(q->term[QUAD_G], v->system)) v->declares = true;
  view_of_index *of = view_find(v, q->term[QUAD_P]);
  if (!of) return QUOIN_OK;
  if (removed) {
    if (of->own) of->own->removed++;
    return QUOIN_OK;
  }
  if (!of->own) {
    if (!(of->own = base_new_zero(v->mem, 1, sizeof(*of->own)))) return base_fail_nomem(err);
    of->own->mem = v->mem;
    of->own->predicate = of->predicate;
  }
  return own_note(of->own, q->term[QUAD_O], err);
}

bool
vec_view_declares(const quad_snapshot *snapshot)
{
  const vec_view *v = quad_snapshot_view(snapshot);
  return !v || v->declares;
}

/* ---- their codes ------------------------------------------------------------------------------
 */

bool
vec_own_of(vec_own **out, const quad_snapshot *snapshot, const vec_declaration *declared)
{
  const view_of_index *of = view_find(quad_snapshot_view(snapshot), declared->predicate);
  *out = of ? of->own : NULL;
  if (!*out || !(*out)->dimension) return of != NULL;
  return (*out)->dimension == declared->dimension && (*out)->metric == declared->metric;
}

uint64_t
vec_own_count(const vec_own *own)
{
  return own->count + own->n_wait;
}

static own_part *
part_of(vec_own *own, uint64_t at, size_t *row)
{
  unsigned i = 63u - (unsigned)__builtin_clzll(at / PART_FIRST + 1);
  *row = (size_t)(at - (((uint64_t)1 << i) - 1) * PART_FIRST);
  return &own->part[i];
}

/* Where there is no room for codes the vectors go without. */
static quoin_status
part_make(own_part *part, const vec_own *own, quoin_error *err)
{
  size_t room = (size_t)PART_FIRST << (part - own->part);
  if (part->vectors) return QUOIN_OK;
  if (!(part->vectors = base_new(own->mem, room, sizeof(*part->vectors))))
    return base_fail_nomem(err);
  if (room > CODES_MOST / 2 / own->stride) return QUOIN_OK; /* as many lie in those before */
  part->bytes = room * own->stride + 64;
  if (!(part->space = base_new(own->mem, part->bytes, 1)))
    part->bytes = 0;
  else
    part->codes = part->space + (64 - (uintptr_t)part->space % 64) % 64;
  return QUOIN_OK;
}

static quoin_status
own_add(vec_own *own, atom_id vector, const float *values, quoin_error *err)
{
  size_t row;
  own_part *part = part_of(own, own->count, &row);
  quoin_status st = part_make(part, own, err);
  if (st) return st;
  part->vectors[row] = vector;
  if (part->codes)
    vec_code_encode(part->codes + row * own->stride, VEC_I8, own->metric, values, own->dimension);
  own->count++;
  return QUOIN_OK;
}

/* Asks whether the predicate has an object, one after the other. */
typedef struct asker {
  const quad_snapshot *snapshot;
  quad_scan *scan;
} asker;

static quoin_status
ask(bool *out, asker *a, atom_id predicate, atom_id object, quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  const quad_pattern pattern = {.scope = QUAD_ANY,
                                .match.term = {[QUAD_P] = predicate, [QUAD_O] = object}};
  quad_batch rows;
  quoin_status st = a->scan ? quad_scan_rebind(a->scan, &pattern, err)
                            : vec_quads_open(&a->scan, a->snapshot, &any, &pattern.match, err);
  if (!st) st = quad_scan_next(&rows, a->scan, err);
  *out = !st;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Of what the view has had, `wait` gets what it still has. */
static quoin_status
find_left(vec_own *own, size_t *n, const quad_snapshot *snapshot, base_cancel *cancel,
          quoin_error *err)
{
  asker a = {.snapshot = snapshot};
  quoin_status st = QUOIN_OK;
  for (uint64_t i = 0; !st && i < own->count; i++) {
    size_t row;
    bool there;
    const own_part *part = part_of(own, i, &row);
    if (cancel && (st = base_cancel_check(cancel, err))) break;
    if ((st = ask(&there, &a, own->predicate, part->vectors[row], err))) break;
    if (there) own->wait[(*n)++] = part->vectors[row];
  }
  quad_scan_close(a.scan);
  return st;
}

/* What is nobody's any more is forgotten; what is left is as new. */
static quoin_status
drop_removed(vec_own *own, const quad_snapshot *snapshot, base_cancel *cancel, quoin_error *err)
{
  size_t n = own->n_wait;
  if (!base_reserve(own->mem, (void **)&own->wait, &own->cap_wait, n + (size_t)own->count,
                    sizeof(*own->wait)))
    return base_fail_nomem(err);
  quoin_status st = find_left(own, &n, snapshot, cancel, err);
  if (st) return st;
  own->n_wait = n;
  own->count = own->removed = 0;
  memset(own->known.slots, 0, own->known.room * sizeof(*own->known.slots));
  own->known.n = 0;
  for (size_t i = 0; i < n; i++)
    (void)set_add(&own->known, own->wait[i]);
  return QUOIN_OK;
}

/* A new object of the predicate, unless the begin had it: then it is no news to the index. */
static quoin_status
look_at(vec_own *own, asker *begun, const vec_request *r, atom_id object, base_arena *arena,
        quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  bool had = false;
  quoin_status st = QUOIN_OK;
  if (atom_id_kind(object) != ATOM_LOCAL) st = ask(&had, begun, own->predicate, object, err);
  if (st || had) return st;
  base_arena_reset(arena);
  if ((st = vec_of_id(&values, &dimension, begun->snapshot, r->terms, object, arena, err)))
    return st;
  return values && dimension == own->dimension ? own_add(own, object, values, err) : QUOIN_OK;
}

quoin_status
vec_own_cover(vec_own *own, const quad_snapshot *snapshot, const vec_request *r, quoin_error *err)
{
  asker begun = {.snapshot = quad_snapshot_begun(snapshot)};
  base_arena arena;
  size_t done = 0;
  quoin_status st = QUOIN_OK;
  if (own->removed >= REMOVED_LEAST && own->removed >= own->count / 2 &&
      (st = drop_removed(own, snapshot, r->cancel, err)))
    return st;
  if (!own->n_wait) return QUOIN_OK;
  own->dimension = r->index->dimension;
  own->metric = r->index->metric;
  own->stride = ((size_t)vec_code_bytes(VEC_I8, own->dimension) + 8 + 63) / 64 * 64;
  base_arena_init(&arena, own->mem);
  for (; !st && done < own->n_wait; done += !st) {
    if (r->cancel && (st = base_cancel_check(r->cancel, err))) break;
    st = look_at(own, &begun, r, own->wait[done], &arena, err);
  }
  own->n_wait -= done;
  memmove(own->wait, own->wait + done, own->n_wait * sizeof(*own->wait));
  quad_scan_close(begun.scan);
  base_arena_clear(&arena);
  return st;
}

/* ---- searching --------------------------------------------------------------------------------
 */

quoin_status
vec_search_own(bool *done, searcher *s, const vec_plan *plan, vec_owners *owners, quoin_error *err)
{
  vec_own *own = plan->own;
  vec_flat *flat;
  *done = true;
  if (!own || !own->count) return QUOIN_OK;
  vec_top_trim(&s->top); /* how near the k-th of all else is */
  quoin_status st = vec_flat_new(&flat, s, 1, owners, VEC_I8, plan->budget, err);
  if (st) return st;
  for (uint64_t at = 0, n; !st && at < own->count; at += n) {
    size_t row;
    const own_part *part = part_of(own, at, &row);
    n = (uint64_t)PART_FIRST << (part - own->part);
    if (n > own->count - at) n = own->count - at;
    st = vec_flat_rows(flat, part->codes, own->stride, part->vectors, (size_t)n, err);
  }
  if (!st) st = vec_flat_flush(flat, err);
  *done = !st && !vec_flat_gave_up(flat, 0);
  vec_flat_free(flat);
  return st;
}
