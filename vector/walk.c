/* vector/walk.c - search through the graph of an index.
 *
 * The walk gives nodes, about nearest first; the quads say whose they are in the active graph and
 * whether these subjects are asked for. It ends when there are k of them. What the graph does not
 * have yet is searched exactly beside it. */
#include "vector/search.h"

#include "base/poison.h"

enum {
  WALK_LEAST = 1500, /* nodes: fewer are scanned in the time that a walk and its lookups take */
  WALK_ROOM = 256,   /* nodes of one step */
  WALK_SHARE = 8     /* of the nodes, one in so many may be looked at before a scan is cheaper */
};

/* ---- subjects of a vector ---------------------------------------------------------------------
 */

typedef struct owners {
  quad_scan *scan;
} owners;

/* Offer the subjects of `vector` at `distance`. */
static quoin_status
offer(searcher *s, owners *o, atom_id vector, double distance, quoin_error *err)
{
  const vec_request *r = s->request;
  quad_pattern pattern = {.scope = r->graphs->scope};
  quad_batch rows;
  quoin_status st = QUOIN_OK;
  if (!(distance <= s->top.limit)) return QUOIN_OK;
  pattern.match.term[QUAD_P] = r->index->predicate;
  pattern.match.term[QUAD_O] = vector;
  if (r->graphs->scope == QUAD_NAMED) pattern.match.term[QUAD_G] = r->graphs->graph;
  st = o->scan ? quad_scan_rebind(o->scan, &pattern, err)
               : vec_quads_open(&o->scan, s->snapshot, r->graphs, &pattern.match, err);
  while (!st && !(st = quad_scan_next(&rows, o->scan, err)))
    for (size_t i = 0; !st && i < rows.rows; i++)
      if (vec_row_counts(s, &rows, i))
        st = vec_top_add(&s->top, rows.column[QUAD_S][i], distance, err);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* ---- what is not in the graph -----------------------------------------------------------------
 */

/* Vectors above the mark, and what else stands for vectors. */
static quoin_status
scan_fresh(searcher *s, uint64_t mark, quoin_error *err)
{
  const vec_request *r = s->request;
  const struct {
    atom_kind kind;
    uint64_t low, high;
  } ranges[] = {{ATOM_VECTOR, mark + 1, quad_snapshot_atom_mark(s->snapshot)},
                {ATOM_TYPED, 0, ((uint64_t)1 << 58) - 1}};
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && i < 2; i++) {
    quad_scan *scan = NULL;
    if (ranges[i].low > ranges[i].high) continue;
    st = vec_range_open(&scan, s->snapshot, r->graphs, r->index->predicate, ranges[i].kind,
                        ranges[i].low, ranges[i].high, err);
    if (!st) st = vec_take_rows(s, scan, err);
    quad_scan_close(scan);
  }
  return st;
}

static quoin_status
take_late(searcher *s, owners *o, const vec_index *index, uint64_t done, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t count = atomic_load_explicit(&index->late.count, memory_order_acquire);
  for (uint64_t at = done; !st && at < count; at++) {
    double distance;
    atom_id vector = atom_id_make(ATOM_VECTOR, vec_late_get(&index->late, at));
    st = vec_distance_of(&distance, s, vector, err);
    if (!st) st = offer(s, o, vector, distance, err);
  }
  return st;
}

/* ---- the walk ---------------------------------------------------------------------------------
 */

/* Nodes near to one vector until there are k subjects; *given_up: too many were looked at. */
static quoin_status
walk(bool *given_up, searcher *s, owners *o, hnsw_searcher *memory, const hnsw_ask *ask,
     uint64_t budget, quoin_error *err)
{
  hnsw_hit hits[WALK_ROOM];
  hnsw_report report = {0};
  size_t n = 0;
  uint64_t seen = 0;
  quoin_status st = hnsw_walk_start(memory, ask, err);
  if (st) return st;
  for (;;) {
    if ((st = hnsw_walk_next(hits, WALK_ROOM, &n, memory, &report, err))) break;
    double least = HUGE_VAL;
    for (size_t i = 0; !st && i < n; i++) {
      if (hits[i].distance < least) least = hits[i].distance;
      st = offer(s, o, (atom_id){hits[i].key}, hits[i].distance, err);
    }
    seen += n;
    vec_top_trim(&s->top);
    if (st || s->top.n >= s->top.k || least > s->request->max_distance) break;
    if ((*given_up = seen > budget)) break;
  }
  hnsw_walk_stop(memory);
  s->report->visits += report.visits;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Is a walk likely to cost less than looking at all? `vectors`: of the active graph. */
static bool
is_worth_it(const vec_request *r, const vec_index *index, uint64_t vectors)
{
  double nodes = (double)hnsw_count(index->graph), k = (double)r->k;
  if (nodes < WALK_LEAST || !vectors) return false;
  double share = (double)vectors / nodes;
  if (r->subjects) share *= (double)r->n_subjects / (double)vectors;
  return k / (share < 1 ? share : 1) < nodes / WALK_SHARE / 2;
}

static quoin_status
search_graph(bool *done, searcher *s, vec_index *index, quoin_error *err)
{
  const vec_request *r = s->request;
  hnsw_searcher *memory = NULL;
  owners o = {NULL};
  bool given_up = false;
  /* Before the walk: what is linked meanwhile is then found twice, and nothing is missed. */
  uint64_t late = atomic_load_explicit(&index->late.done, memory_order_acquire);
  uint64_t mark = atomic_load_explicit(&index->mark, memory_order_acquire);
  const hnsw_vectors vectors_of = vec_index_vectors(index);
  uint64_t budget = hnsw_count(index->graph) / WALK_SHARE;
  quoin_status st = vec_index_searcher(&memory, index, err);
  if (st) return st;
  for (size_t i = 0; !st && !given_up && i < r->n_near; i++) {
    const hnsw_ask ask = {
        .query = r->near[i], .k = r->k, .ef = r->ef, .vectors = &vectors_of, .cancel = r->cancel};
    /* The k found so far do not end the walk of the next vector: it has k of its own. */
    if (i) s->top.limit = r->max_distance;
    st = walk(&given_up, s, &o, memory, &ask, budget, err);
  }
  if (!st && !given_up) st = scan_fresh(s, mark, err);
  if (!st && !given_up) st = take_late(s, &o, index, late, err);
  vec_index_searcher_done(index, memory);
  quad_scan_close(o.scan);
  /* Asked when all is read: what was taken out since the search began is quads of its version. */
  *done = !st && !given_up && vec_index_has_all(index, s->snapshot);
  return st;
}

quoin_status
vec_search_graph(bool *done, searcher *s, uint64_t vectors, quoin_error *err)
{
  const vec_request *r = s->request;
  uint64_t entered;
  quoin_status st = QUOIN_OK;
  *done = false;
  if (r->exact || !(quad_snapshot_orders(s->snapshot) >> QUAD_POS & 1)) return QUOIN_OK;
  vec_index *index = vec_index_enter(&entered, s->snapshot, r->index);
  if (!index) return QUOIN_OK;
  if (vec_index_has_all(index, s->snapshot) && is_worth_it(r, index, vectors))
    st = search_graph(done, s, index, err);
  vec_index_leave(s->snapshot, entered);
  return st;
}
