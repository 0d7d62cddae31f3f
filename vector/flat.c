/* vector/flat.c - exact search in the order in which the codes lie, the quads asked afterwards.
 *
 * Bounds of distances (vector/bound.h) come from codes that lie one behind the other: of all nodes,
 * and of what waits to be linked. What may be among the k nearest by its bound gathers; then the
 * nearest of that are looked at first: their exact distance, and if that is near enough, too, whose
 * vectors they are in the active graph of the snapshot. That tells how near the k-th is, and most
 * of the rest needs no more. So what is found is what exact distances of all would give, and a
 * vector costs the bytes of its code (docs/adrs/0041-codes-first.md).
 *
 * Which vectors a snapshot has beside the graph's nodes is known as in a walk (walk.c,
 * unlinked.c). */
#include "vector/flat.h"

#include <stdlib.h>

#include "base/poison.h"

enum {
  FLAT_ROWS = 32,     /* codes bounded together: they stay in the first cache */
  FLAT_AHEAD = 16,    /* floats asked for so many before they are read */
  FLAT_GATHERED = 256 /* what may be near is looked at when so much of it has gathered */
};

/* May be near. */
typedef struct flat_item {
  double lower;
  atom_id vector;
} flat_item;

struct vec_flat {
  searcher *s;
  vec_owners *owners;
  vec_bounds bounds;
  flat_item *items;
  size_t n, cap, full;
  uint64_t lookups, budget;
  uint32_t slots[FLAT_ROWS];
  double lower[FLAT_ROWS], other[FLAT_ROWS];
  float walked[FLAT_ROWS];
};

/* ---- life -------------------------------------------------------------------------------------
 */

quoin_status
vec_flat_new(vec_flat **out, searcher *s, vec_owners *owners, uint64_t budget, quoin_error *err)
{
  return vec_flat_new_of(out, s, owners, s->index->declared.code, budget, err);
}

quoin_status
vec_flat_new_of(vec_flat **out, searcher *s, vec_owners *owners, vec_code code, uint64_t budget,
                quoin_error *err)
{
  const vec_request *r = s->request;
  const base_alloc *mem = s->top.mem;
  *out = NULL;
  vec_flat *f = base_new_zero(mem, 1, sizeof(*f));
  if (!f) return base_fail_nomem(err);
  f->s = s;
  f->owners = owners;
  f->budget = budget;
  f->full = r->k > SIZE_MAX / 2 ? SIZE_MAX : 2 * r->k;
  if (f->full < FLAT_GATHERED) f->full = FLAT_GATHERED;
  quoin_status st = vec_bounds_init(&f->bounds, r->index->metric, code, r->near, r->n_near,
                                    r->index->dimension, mem, err);
  if (st) {
    base_release(mem, f, 1, sizeof(*f));
    return st;
  }
  *out = f;
  return QUOIN_OK;
}

void
vec_flat_free(vec_flat *f)
{
  if (!f) return;
  const base_alloc *mem = f->bounds.mem;
  vec_bounds_clear(&f->bounds);
  base_release(mem, f->items, f->cap, sizeof(*f->items));
  base_release(mem, f, 1, sizeof(*f));
}

bool
vec_flat_gave_up(const vec_flat *f)
{
  return f->lookups > f->budget;
}

/* ---- what may be near -------------------------------------------------------------------------
 */

static int
by_lower(const void *x, const void *y)
{
  const flat_item *a = x, *b = y;
  return a->lower < b->lower ? -1 : a->lower > b->lower;
}

/* Its exact distance, and where that is near enough its subjects. */
static quoin_status
look_at(vec_flat *f, atom_id vector, quoin_error *err)
{
  searcher *s = f->s;
  const float *values;
  uint32_t dimension;
  quoin_status st =
      vec_of_id(&values, &dimension, s->snapshot, s->request->terms, vector, &s->arena, err);
  if (st) return st;
  if (!values || dimension != s->request->index->dimension) /* a graph may say anything */
    return base_fail(err, QUOIN_ERR_CORRUPT, "a node of the graph has no vector of %u dimensions",
                     (unsigned)s->request->index->dimension);
  double distance = vec_distance_to(s, values);
  if (!(distance <= s->top.limit)) return QUOIN_OK;
  f->lookups++;
  st = vec_owners_offer(f->owners, s, vector, distance, err);
  if (vec_top_is_due(&s->top)) vec_top_trim(&s->top);
  return st;
}

quoin_status
vec_flat_flush(vec_flat *f, quoin_error *err)
{
  searcher *s = f->s;
  const atom_store *atoms = quad_snapshot_atoms(s->snapshot);
  quoin_status st = QUOIN_OK;
  size_t n = f->n, asked = 0;
  if (!n) return QUOIN_OK;
  f->n = 0;
  qsort(f->items, n, sizeof(*f->items), by_lower);
  for (size_t i = 0; !st && i < n && !(f->items[i].lower > s->top.limit); i++) {
    for (; asked < n && asked < i + FLAT_AHEAD; asked++)
      if (atom_id_kind(f->items[asked].vector) == ATOM_VECTOR)
        atom_vector_ask(atoms, f->items[asked].vector);
    if (vec_flat_gave_up(f)) break;
    st = look_at(f, f->items[i].vector, err);
  }
  return st;
}

static quoin_status
gather(vec_flat *f, double lower, atom_id vector, quoin_error *err)
{
  quoin_status st;
  if (f->n == f->full && (st = vec_flat_flush(f, err))) return st;
  if (!base_reserve(f->bounds.mem, (void **)&f->items, &f->cap, f->n + 1, sizeof(*f->items)))
    return base_fail_nomem(err);
  f->items[f->n++] = (flat_item){lower, vector};
  return QUOIN_OK;
}

/* Into f->lower, of the nearest of what is asked for; f->walked is of the first. */
static void
bound(vec_flat *f, const vec_rows *rows)
{
  f->s->report->visits += rows->n;
  vec_bound_walked(f->lower, &f->bounds.near[0], f->walked, rows);
  for (size_t i = 1; i < f->bounds.n; i++) {
    vec_bound_codes(f->other, &f->bounds.near[i], f->walked, rows);
    for (size_t j = 0; j < rows->n; j++)
      if (f->other[j] < f->lower[j]) f->lower[j] = f->other[j];
  }
}

/* ---- codes ------------------------------------------------------------------------------------
 */

quoin_status
vec_flat_nodes(vec_flat *f, const hnsw *graph, quoin_error *err)
{
  searcher *s = f->s;
  uint64_t most = quad_snapshot_atom_mark(s->snapshot);
  uint32_t end = hnsw_slots(graph);
  quoin_status st = QUOIN_OK;
  vec_rows rows = hnsw_codes(graph);
  for (uint32_t from = 0, to; !st && from < end && !vec_flat_gave_up(f); from = to) {
    to = end - from > FLAT_ROWS ? from + FLAT_ROWS : end;
    if (s->request->cancel && (st = base_cancel_check(s->request->cancel, err))) break;
    if ((st = hnsw_walk_codes(f->slots, f->walked, &rows.n, graph, &f->bounds.near[0].coded, from,
                              to, err)))
      break;
    rows.slots = f->slots;
    bound(f, &rows);
    for (size_t i = 0; !st && i < rows.n; i++) {
      uint64_t key;
      uint32_t row;
      bool live;
      if (f->lower[i] > s->top.limit) continue;
      st = hnsw_node(&key, &row, &live, graph, f->slots[i], err);
      if (!st && row <= most) st = gather(f, f->lower[i], (atom_id){key}, err);
    }
  }
  return st;
}

quoin_status
vec_flat_fresh(vec_flat *f, const vec_fresh *fresh, uint64_t low, uint64_t high, quoin_error *err)
{
  searcher *s = f->s;
  uint64_t end = atomic_load(&((vec_fresh *)(uintptr_t)fresh)->count);
  quoin_status st = QUOIN_OK;
  const vec_bound *near = &f->bounds.near[0];
  vec_walk *walk = vec_kernels_walk(near->kernels, near->metric, near->code);
  vec_rows rows = {.base = fresh->codes, .stride = fresh->stride, .slots = f->slots};
  if (end > fresh->room) end = fresh->room;
  for (uint64_t from = 0, to; !st && from < end && !vec_flat_gave_up(f); from = to) {
    to = end - from > FLAT_ROWS ? from + FLAT_ROWS : end;
    if (s->request->cancel && (st = base_cancel_check(s->request->cancel, err))) break;
    rows.n = 0;
    for (uint64_t place = from; place < to; place++) {
      /* Acquire: pairs with the release in vec_fresh_add. */
      uint64_t number = atomic_load_explicit(&fresh->numbers[place], memory_order_acquire);
      if (number <= low || number > high) continue;
      vec_rows row = {.base = fresh->codes + place * fresh->stride, .n = 1};
      walk(&f->walked[rows.n], &near->coded, &row);
      f->slots[rows.n++] = (uint32_t)place;
    }
    bound(f, &rows);
    for (size_t i = 0; !st && i < rows.n; i++) {
      if (f->lower[i] > s->top.limit) continue;
      uint64_t number = atomic_load_explicit(&fresh->numbers[f->slots[i]], memory_order_relaxed);
      st = gather(f, f->lower[i], atom_id_make(ATOM_VECTOR, number), err);
    }
  }
  return st;
}

quoin_status
vec_flat_rows(vec_flat *f, const char *codes, size_t stride, const atom_id *vectors, size_t n,
              quoin_error *err)
{
  searcher *s = f->s;
  const vec_bound *near = &f->bounds.near[0];
  vec_walk *walk = vec_kernels_walk(near->kernels, near->metric, near->code);
  quoin_status st = QUOIN_OK;
  for (size_t from = 0, to; !st && from < n && !vec_flat_gave_up(f); from = to) {
    to = n - from > FLAT_ROWS ? from + FLAT_ROWS : n;
    if (s->request->cancel && (st = base_cancel_check(s->request->cancel, err))) break;
    vec_rows rows = {.base = codes + (codes ? from * stride : 0), .stride = stride, .n = to - from};
    for (size_t i = 0; codes && i < rows.n; i++) { /* no asking ahead */
      const vec_rows row = {.base = rows.base + i * stride, .n = 1};
      walk(&f->walked[i], &near->coded, &row);
    }
    if (codes) bound(f, &rows);
    for (size_t i = 0; !st && i < rows.n; i++) {
      double lower = codes ? f->lower[i] : -HUGE_VAL;
      if (!(lower > s->top.limit)) st = gather(f, lower, vectors[from + i], err);
    }
  }
  return st;
}

/* ---- all of the index -------------------------------------------------------------------------
 */

quoin_status
vec_search_codes(bool *done, searcher *s, const vec_plan *plan, quoin_error *err)
{
  vec_index *index = plan->index;
  vec_owners owners = {NULL};
  vec_flat *f = NULL;
  /* First: what is linked meanwhile is then found twice, and nothing is missed. */
  const vec_linked linked = vec_linked_now(index, s);
  uint64_t epoch = hnsw_enter(index->graph);
  quoin_status st = vec_flat_new(&f, s, &owners, plan->budget, err);
  if (!st) st = vec_flat_nodes(f, index->graph, err);
  if (!st && !vec_flat_gave_up(f)) st = vec_search_unlinked(s, plan, f, &owners, &linked, err);
  *done = !st && !vec_flat_gave_up(f);
  if (*done) st = vec_search_own(done, s, plan, &owners, err);
  hnsw_leave(index->graph, epoch);
  vec_flat_free(f);
  quad_scan_close(owners.scan);
  return st;
}
