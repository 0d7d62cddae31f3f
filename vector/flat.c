/* vector/flat.c - exact search in the order in which the codes lie, the quads asked afterwards.
 *
 * Bounds of distances (vector/bound.h) come from codes that lie one behind the other: of all nodes,
 * and of what waits to be linked. What may be among the k nearest by its bound gathers; then the
 * nearest of that are looked at first: their exact distance, and if that is near enough, too, whose
 * vectors they are in the active graph of the snapshot. That tells how near the k-th is, and most
 * of the rest needs no more. So what is found is what exact distances of all would give, and a
 * vector costs the bytes of its code (docs/adrs/0041-codes-first.md). Searches that are made
 * together share the reading; each has its own k nearest, so that its answer is that which it gives
 * alone (docs/adrs/0046-exact-batches.md).
 *
 * Which vectors a snapshot has beside the graph's nodes is known as in a walk (walk.c,
 * unlinked.c). */
#include "vector/flat.h"

#include "base/poison.h"

enum {
  FLAT_AHEAD = 8,     /* floats asked for so many before they are read */
  FLAT_GATHERED = 256 /* what may be near is looked at when so much of it has gathered */
};

/* May be near. */
typedef struct flat_item {
  double lower;
  atom_id vector; /* none: that of the node at `slot` */
  uint32_t slot;
} flat_item;

/* One of the searches. */
typedef struct flat_search {
  searcher *s;
  vec_bounds bounds; /* one for each of request->near */
  flat_item *items;  /* a heap when they are looked at, nearest first */
  size_t n, cap;
  uint64_t lookups;
} flat_search;

/* What one of them is near to, in the order of crowd.queries. */
typedef struct flat_near {
  flat_search *of;
  const vec_bound *bound;
} flat_near;

struct vec_flat {
  const base_alloc *mem;
  vec_owners *owners;
  const hnsw *graph;
  uint64_t most, budget; /* atoms of the snapshot */
  size_t full;
  flat_search *searches;
  size_t n, room;
  flat_near *near;
  size_t n_near, n_queries; /* a multiple of VEC_CROSS: room for so many */
  vec_crowd crowd;
};

/* ---- life -------------------------------------------------------------------------------------
 */

static quoin_status
add_search(vec_flat *f, searcher *s, vec_code code, quoin_error *err)
{
  const vec_request *r = s->request;
  flat_search *search = &f->searches[f->n];
  search->s = s;
  quoin_status st = vec_bounds_init(&search->bounds, r->index->metric, code, r->near, r->n_near,
                                    r->index->dimension, f->mem, err);
  if (st) return st;
  f->n++;
  for (size_t i = 0; i < search->bounds.n; i++) {
    const vec_bound *bound = &search->bounds.near[i];
    f->near[f->n_near] = (flat_near){search, bound};
    f->crowd.queries[f->n_near++] = &bound->coded;
  }
  return QUOIN_OK;
}

/* The last query stands in for those that are missing. */
static void
crowd_begin(vec_flat *f)
{
  vec_crowd *c = &f->crowd;
  const vec_bound *first = f->near[0].bound;
  c->walk = vec_kernels_walk(first->kernels, first->metric, first->code);
  c->cross = vec_kernels_cross(first->kernels, first->metric, first->code);
  c->code_bytes = first->coded.code_bytes;
  c->n = f->n_near == 1 ? 1 : f->n_queries;
  for (size_t i = f->n_near; i < c->n; i++)
    c->queries[i] = c->queries[f->n_near - 1];
}

quoin_status
vec_flat_new(vec_flat **out, searcher *s, size_t n, vec_owners *owners, vec_code code,
             uint64_t budget, quoin_error *err)
{
  const base_alloc *mem = s->top.mem;
  const size_t k = s->request->k;
  size_t near = 0;
  quoin_status st = QUOIN_OK;
  *out = NULL;
  vec_flat *f = base_new_zero(mem, 1, sizeof(*f));
  if (!f) return base_fail_nomem(err);
  f->mem = mem;
  f->owners = owners;
  f->graph = s->index->graph;
  f->most = quad_snapshot_atom_mark(s->snapshot);
  f->budget = budget;
  f->full = k > SIZE_MAX / 2 ? SIZE_MAX : 2 * k;
  if (f->full < FLAT_GATHERED) f->full = FLAT_GATHERED;
  for (size_t i = 0; i < n; i++)
    near += s[i].request->n_near;
  f->room = n;
  f->n_queries = (near + VEC_CROSS - 1) / VEC_CROSS * VEC_CROSS;
  if (!(f->searches = base_new_zero(mem, n, sizeof(*f->searches))) ||
      !(f->near = base_new(mem, f->n_queries, sizeof(*f->near))) ||
      !(f->crowd.queries = base_new(mem, f->n_queries, sizeof(*f->crowd.queries))) ||
      !(f->crowd.walked = base_new(mem, f->n_queries, VEC_BLOCK * sizeof(float))))
    st = base_fail_nomem(err);
  for (size_t i = 0; !st && i < n; i++)
    st = add_search(f, &s[i], code, err);
  if (st) {
    vec_flat_free(f);
    return st;
  }
  crowd_begin(f);
  *out = f;
  return QUOIN_OK;
}

void
vec_flat_free(vec_flat *f)
{
  if (!f) return;
  const base_alloc *mem = f->mem;
  for (size_t i = 0; i < f->n; i++) {
    vec_bounds_clear(&f->searches[i].bounds);
    base_release(mem, f->searches[i].items, f->searches[i].cap, sizeof(flat_item));
  }
  base_release(mem, f->searches, f->room, sizeof(*f->searches));
  base_release(mem, f->near, f->n_queries, sizeof(*f->near));
  base_release(mem, f->crowd.queries, f->n_queries, sizeof(*f->crowd.queries));
  base_release(mem, f->crowd.walked, f->n_queries, VEC_BLOCK * sizeof(float));
  base_release(mem, f, 1, sizeof(*f));
}

bool
vec_flat_gave_up(const vec_flat *f, size_t i)
{
  return f->searches[i].lookups > f->budget;
}

bool
vec_flat_all_gave_up(const vec_flat *f)
{
  for (size_t i = 0; i < f->n; i++)
    if (!vec_flat_gave_up(f, i)) return false;
  return true;
}

/* ---- what may be near -------------------------------------------------------------------------
 */

/* items[at] goes down to where nothing nearer is below it. */
static void
sink(flat_item *items, size_t n, size_t at)
{
  const flat_item item = items[at];
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && items[child + 1].lower < items[child].lower) child++;
    if (!(items[child].lower < item.lower)) break;
    items[at] = items[child];
  }
  items[at] = item;
}

static flat_item
take_nearest(flat_search *search)
{
  flat_item *items = search->items, nearest = items[0];
  items[0] = items[--search->n];
  if (search->n) sink(items, search->n, 0);
  return nearest;
}

/* Whose code it was; *seen is false for what was linked after the snapshot. */
static quoin_status
name(bool *seen, flat_item *item, const vec_flat *f, quoin_error *err)
{
  uint32_t row;
  bool live;
  *seen = true;
  if (item->slot == HNSW_NONE) return QUOIN_OK;
  quoin_status st = hnsw_node(&item->vector.bits, &row, &live, f->graph, item->slot, err);
  *seen = !st && row <= f->most;
  return st;
}

/* Its exact distance, and where that is near enough its subjects. */
static quoin_status
look_at(vec_flat *f, flat_search *search, atom_id vector, quoin_error *err)
{
  searcher *s = search->s;
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
  search->lookups++;
  st = vec_owners_offer(f->owners, s, vector, distance, err);
  if (vec_top_is_due(&s->top)) vec_top_trim(&s->top);
  return st;
}

/* The nearest few that are left: their floats are on the way together. */
static quoin_status
look_at_some(vec_flat *f, flat_search *search, quoin_error *err)
{
  const vec_top *top = &search->s->top;
  const atom_store *atoms = quad_snapshot_atoms(search->s->snapshot);
  flat_item some[FLAT_AHEAD];
  quoin_status st = QUOIN_OK;
  size_t n = 0;
  while (n < FLAT_AHEAD && search->n && !(search->items[0].lower > top->limit)) {
    bool seen;
    some[n] = take_nearest(search);
    if ((st = name(&seen, &some[n], f, err))) return st;
    if (!seen) continue;
    if (atom_id_kind(some[n].vector) == ATOM_VECTOR) atom_vector_ask(atoms, some[n].vector);
    n++;
  }
  for (size_t i = 0; !st && i < n && search->lookups <= f->budget; i++)
    if (!(some[i].lower > top->limit)) st = look_at(f, search, some[i].vector, err);
  return st;
}

static quoin_status
flush(vec_flat *f, flat_search *search, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = search->n / 2; i-- > 0;)
    sink(search->items, search->n, i);
  while (!st && search->n && !(search->items[0].lower > search->s->top.limit) &&
         search->lookups <= f->budget)
    st = look_at_some(f, search, err);
  search->n = 0;
  return st;
}

quoin_status
vec_flat_flush(vec_flat *f, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && i < f->n; i++)
    st = flush(f, &f->searches[i], err);
  return st;
}

static quoin_status
gather(vec_flat *f, flat_search *search, const flat_item *item, quoin_error *err)
{
  quoin_status st;
  if (search->lookups > f->budget) return QUOIN_OK;
  if (search->n == f->full && (st = flush(f, search, err))) return st;
  if (!base_reserve(f->mem, (void **)&search->items, &search->cap, search->n + 1,
                    sizeof(*search->items)))
    return base_fail_nomem(err);
  search->items[search->n++] = *item;
  return QUOIN_OK;
}

/* ---- codes ------------------------------------------------------------------------------------
 */

/* Where codes lie, and whose they are: of the nodes, unless there are numbers or ids by place. */
typedef struct flat_source {
  vec_rows rows;
  _Atomic(uint64_t) *numbers;
  const atom_id *vectors;
} flat_source;

static flat_item
item_at(const flat_source *from, uint32_t slot)
{
  if (from->vectors) return (flat_item){.vector = from->vectors[slot], .slot = HNSW_NONE};
  if (!from->numbers) return (flat_item){.slot = slot};
  uint64_t number = atomic_load_explicit(&from->numbers[slot], memory_order_relaxed);
  return (flat_item){.vector = atom_id_make(ATOM_VECTOR, number), .slot = HNSW_NONE};
}

/* Of the block, what may be near to one of those searched for. */
static quoin_status
sift(vec_flat *f, const flat_near *near, const float *walked, const vec_ends *ends,
     const flat_source *from, quoin_error *err)
{
  const vec_top *top = &near->of->s->top;
  const vec_crowd *c = &f->crowd;
  float cut = vec_bound_cut(near->bound, top->limit, ends);
  quoin_status st = QUOIN_OK;
  if (vec_bound_all_beyond(walked, c->rows, cut)) return QUOIN_OK;
  for (size_t i = 0; !st && i < c->rows; i++) {
    if (vec_bound_beyond(walked[i], cut)) continue;
    flat_item item = item_at(from, c->slots[i]);
    vec_rows row = from->rows;
    row.slots = &c->slots[i];
    row.n = 1;
    vec_bound_walked(&item.lower, near->bound, &walked[i], &row);
    if (!(item.lower > top->limit)) st = gather(f, near->of, &item, err);
  }
  return st;
}

/* The block is complete. */
static quoin_status
sift_block(vec_flat *f, const flat_source *from, quoin_error *err)
{
  vec_crowd *c = &f->crowd;
  quoin_status st = QUOIN_OK;
  vec_crowd_rest(c, from->rows);
  const vec_ends ends = vec_ends_of(f->near[0].bound, c->ends, c->rows);
  for (size_t i = 0; i < f->n; i++)
    f->searches[i].s->report->visits += c->rows;
  for (size_t i = 0; !st && i < f->n_near; i++)
    st = sift(f, &f->near[i], c->walked + i * VEC_BLOCK, &ends, from, err);
  c->rows = 0;
  return st;
}

static quoin_status
cancelled(const vec_flat *f, quoin_error *err)
{
  base_cancel *cancel = f->searches[0].s->request->cancel;
  return cancel ? base_cancel_check(cancel, err) : QUOIN_OK;
}

quoin_status
vec_flat_nodes(vec_flat *f, quoin_error *err)
{
  uint32_t end = hnsw_slots(f->graph);
  const flat_source from = {.rows = hnsw_codes(f->graph)};
  quoin_status st = QUOIN_OK;
  for (uint32_t at = 0, to; !st && at < end && !vec_flat_all_gave_up(f); at = to) {
    to = end - at > VEC_BLOCK ? at + VEC_BLOCK : end;
    st = cancelled(f, err);
    if (!st) st = hnsw_walk_codes(&f->crowd, f->graph, at, to, err);
    if (!st) st = sift_block(f, &from, err);
  }
  return st;
}

quoin_status
vec_flat_fresh(vec_flat *f, const vec_fresh *fresh, uint64_t low, uint64_t high, quoin_error *err)
{
  uint64_t end = atomic_load(&((vec_fresh *)(uintptr_t)fresh)->count);
  const flat_source from = {.rows = {.base = fresh->codes, .stride = fresh->stride},
                            .numbers = fresh->numbers};
  quoin_status st = QUOIN_OK;
  if (end > fresh->room) end = fresh->room;
  for (uint64_t at = 0, to; !st && at < end && !vec_flat_all_gave_up(f); at = to) {
    to = end - at > VEC_BLOCK ? at + VEC_BLOCK : end;
    if ((st = cancelled(f, err))) break;
    for (uint64_t place = at; place < to; place++) {
      /* Acquire: pairs with the release in vec_fresh_add. */
      uint64_t number = atomic_load_explicit(&fresh->numbers[place], memory_order_acquire);
      if (number > low && number <= high)
        vec_crowd_row(&f->crowd, fresh->codes + place * fresh->stride, (uint32_t)place);
    }
    st = sift_block(f, &from, err);
  }
  return st;
}

/* Without codes nothing is known of their distances. */
static quoin_status
gather_all(vec_flat *f, const atom_id *vectors, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && i < n; i++) {
    const flat_item item = {.lower = -HUGE_VAL, .vector = vectors[i], .slot = HNSW_NONE};
    if (i % VEC_BLOCK == 0 && (st = cancelled(f, err))) break;
    for (size_t j = 0; !st && j < f->n; j++)
      st = gather(f, &f->searches[j], &item, err);
  }
  return st;
}

quoin_status
vec_flat_rows(vec_flat *f, const char *codes, size_t stride, const atom_id *vectors, size_t n,
              quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (!codes) return gather_all(f, vectors, n, err);
  for (size_t at = 0, to; !st && at < n && !vec_flat_all_gave_up(f); at = to) {
    to = n - at > VEC_BLOCK ? at + VEC_BLOCK : n;
    const flat_source from = {.rows = {.base = codes + at * stride, .stride = stride},
                              .vectors = vectors + at};
    if ((st = cancelled(f, err))) break;
    for (size_t i = 0; i < to - at; i++)
      vec_crowd_row(&f->crowd, from.rows.base + i * stride, (uint32_t)i);
    st = sift_block(f, &from, err);
  }
  return st;
}

/* ---- all of the index -------------------------------------------------------------------------
 */

quoin_status
vec_search_codes(bool *done, searcher *s, size_t n, const vec_plan *plan, quoin_error *err)
{
  vec_index *index = plan->index;
  vec_owners owners = {NULL};
  vec_flat *f = NULL;
  /* First: what is linked meanwhile is then found twice, and nothing is missed. */
  const vec_linked linked = vec_linked_now(index, s);
  uint64_t epoch = hnsw_enter(index->graph);
  quoin_status st = vec_flat_new(&f, s, n, &owners, index->declared.code, plan->budget, err);
  if (!st) st = vec_flat_nodes(f, err);
  if (!st && !vec_flat_all_gave_up(f))
    st = vec_search_unlinked(s, n, plan, f, &owners, &linked, err);
  for (size_t i = 0; i < n; i++)
    if ((done[i] = !st && !vec_flat_gave_up(f, i)))
      st = vec_search_own(&done[i], &s[i], plan, &owners, err);
  hnsw_leave(index->graph, epoch);
  vec_flat_free(f);
  quad_scan_close(owners.scan);
  return st;
}
