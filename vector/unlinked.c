/* vector/unlinked.c - what the graph of an index does not have yet, searched exactly.
 *
 * Vectors numbered above the mark; those that came late; and literals of other systems, which no
 * graph has. The first by their codes where all have one (fresh.c), and of the quads the rest. */
#include "vector/flat.h"

#include "base/poison.h"

/* One search of a version that found nothing beside the graph tells the others of the version. */
static bool
is_bare(vec_index *index, const searcher *s)
{
  uint64_t version = quad_snapshot_version(s->snapshot) + 1;
  return atomic_load(&index->bare[s->request->graphs->scope]) == version ||
         atomic_load(&index->bare[QUAD_ANY]) == version;
}

vec_linked
vec_linked_now(vec_index *index, const searcher *s)
{
  vec_linked linked = {.bare = is_bare(index, s),
                       .late = atomic_load_explicit(&index->late.done, memory_order_acquire),
                       .mark = atomic_load_explicit(&index->mark, memory_order_acquire)};
  /* Nodes have rows below that: what is numbered beyond is never linked. */
  if (linked.mark >= UINT32_MAX) linked.mark = UINT32_MAX - 1;
  return linked;
}

/* ---- codes ------------------------------------------------------------------------------------
 */

/* Those above the mark by their codes; *upto: what is numbered above that is still to be looked
 * at, but by searches of `flat` that gave up. */
static quoin_status
search_fresh(uint64_t *upto, searcher *s, const vec_plan *plan, vec_flat *flat, vec_owners *owners,
             uint64_t mark, quoin_error *err)
{
  enum { LOOKED_UP = 16 }; /* vectors looked up in the time in which that many are scanned */
  vec_flat *own = NULL;
  uint64_t high = quad_snapshot_atom_mark(s->snapshot), covered;
  quoin_status st = QUOIN_OK;
  *upto = mark;
  if (mark >= high || !vec_bound_saves(s->index->declared.code)) return QUOIN_OK;
  vec_fresh *fresh = vec_fresh_enter(s->index, false);
  if (!fresh) return QUOIN_OK;
  uint64_t count = atomic_load(&fresh->count);
  /* Where the active graph has few vectors, its quads are sooner read. */
  if (plan->vectors < count / 4) goto done;
  /* Of what was committed: a transaction may have taken some of it from its own view. */
  if ((st = vec_fresh_cover(&covered, fresh, s->index, quad_snapshot_begun(s->snapshot), mark,
                            s->request->cancel, err)))
    goto done;
  if (covered <= mark) goto done;
  if (!flat) {
    st = vec_flat_new(&own, s, 1, owners, s->index->declared.code,
                      2 * s->request->k + count / LOOKED_UP, err);
    if (st) goto done;
    flat = own;
  }
  st = vec_flat_fresh(flat, fresh, mark, covered < high ? covered : high, err);
  if (!st && own) st = vec_flat_flush(own, err);
  if (!st && !(own && vec_flat_gave_up(own, 0))) *upto = covered;

done:
  vec_flat_free(own);
  vec_fresh_leave(fresh);
  return st;
}

/* ---- quads ------------------------------------------------------------------------------------
 */

static quoin_status
scan_range(searcher *s, atom_kind kind, uint64_t low, uint64_t high, quoin_error *err)
{
  const vec_request *r = s->request;
  quad_scan *scan = NULL;
  if (low > high) return QUOIN_OK;
  quoin_status st =
      vec_range_open(&scan, s->snapshot, r->graphs, r->index->predicate, kind, low, high, err);
  if (!st) st = vec_take_rows(s, scan, err);
  quad_scan_close(scan);
  return st;
}

/* Vectors numbered above `upto`, and what else stands for vectors. */
static quoin_status
scan_beside(searcher *s, vec_index *index, uint64_t mark, uint64_t upto, quoin_error *err)
{
  const quad_scope scope = s->request->graphs->scope;
  s->rows = 0;
  quoin_status st = scan_range(s, ATOM_VECTOR, upto + 1, quad_snapshot_atom_mark(s->snapshot), err);
  if (!st) st = scan_range(s, ATOM_TYPED, 0, ((uint64_t)1 << 58) - 1, err);
  if (st) return st;
  /* One graph says nothing of the others, nor what a transaction sees of what others do. */
  if (!s->rows && upto == mark && scope != QUAD_NAMED &&
      quad_snapshot_begun(s->snapshot) == s->snapshot)
    atomic_store(&index->bare[scope], quad_snapshot_version(s->snapshot) + 1);
  return vec_sieve_flush(s, err);
}

static quoin_status
take_late(searcher *s, vec_owners *owners, const vec_index *index, uint64_t done, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t count = atomic_load_explicit(&index->late.count, memory_order_acquire);
  for (uint64_t at = done; !st && at < count; at++) {
    double distance;
    atom_id vector = atom_id_make(ATOM_VECTOR, vec_late_get(&index->late, at));
    st = vec_distance_of(&distance, s, vector, err);
    if (!st) st = vec_owners_offer(owners, s, vector, distance, err);
  }
  return st;
}

quoin_status
vec_search_unlinked(searcher *s, size_t n, const vec_plan *plan, vec_flat *flat, vec_owners *owners,
                    const vec_linked *linked, quoin_error *err)
{
  uint64_t upto = linked->mark;
  bool bare = linked->bare;
  quoin_status st = QUOIN_OK;
  if (!bare) st = search_fresh(&upto, s, plan, flat, owners, linked->mark, err);
  if (!st && flat) st = vec_flat_flush(flat, err);
  for (size_t i = 0; !st && i < n; i++) {
    if (flat && vec_flat_gave_up(flat, i)) continue;
    if (!bare) {
      st = scan_beside(&s[i], plan->index, linked->mark, upto, err);
      bare = !s[i].rows; /* the others would look at the same */
    }
    if (!st) st = take_late(&s[i], owners, plan->index, linked->late, err);
  }
  return st;
}
