/* vector/walk.c - search through the graph of an index.
 *
 * The walk gives nodes, about nearest first; the quads say whose they are in the active graph and
 * whether these subjects are asked for. It ends when there are k of them. What the graph does not
 * have yet is searched exactly beside it. */
#include "vector/search.h"

#include <assert.h>

#include "base/poison.h"

enum { WALK_ROOM = 256 /* nodes of one step */ };

/* ---- subjects of a vector ---------------------------------------------------------------------
 */

typedef struct owners {
  quad_scan *scan;
} owners;

static quad_pattern
quads_of_vector(const vec_request *r, atom_id vector)
{
  quad_pattern pattern = {.scope = r->graphs->scope};
  pattern.match.term[QUAD_P] = r->index->predicate;
  pattern.match.term[QUAD_O] = vector;
  if (r->graphs->scope == QUAD_NAMED) pattern.match.term[QUAD_G] = r->graphs->graph;
  return pattern;
}

static quoin_status
open_owners(owners *o, const searcher *s, const quad_pattern *pattern, quoin_error *err)
{
  return o->scan ? QUOIN_OK
                 : vec_quads_open(&o->scan, s->snapshot, s->request->graphs, &pattern->match, err);
}

/* Offer the subjects of `vector` at `distance`. */
static quoin_status
offer(searcher *s, owners *o, atom_id vector, double distance, quoin_error *err)
{
  const quad_pattern pattern = quads_of_vector(s->request, vector);
  quad_batch rows;
  if (!(distance <= s->top.limit)) return QUOIN_OK;
  quoin_status st = open_owners(o, s, &pattern, err);
  if (!st) st = quad_scan_rebind(o->scan, &pattern, err);
  while (!st && !(st = quad_scan_next(&rows, o->scan, err)))
    for (size_t i = 0; !st && i < rows.rows; i++)
      if (vec_row_counts(s, &rows, i))
        st = vec_top_add(&s->top, rows.column[QUAD_S][i], distance, err);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* What is known of their quads is on the way before the first is looked at. */
static quoin_status
ask_owners(searcher *s, owners *o, const hnsw_hit *hits, size_t n, quoin_error *err)
{
  for (size_t i = 0; i < n; i++) {
    const quad_pattern pattern = quads_of_vector(s->request, (atom_id){hits[i].key});
    quoin_status st = open_owners(o, s, &pattern, err);
    if (st) return st;
    quad_scan_ask(o->scan, &pattern);
  }
  return QUOIN_OK;
}

/* ---- what is not in the graph -----------------------------------------------------------------
 */

/* Is it known that there is nothing? */
static bool
is_bare(vec_index *index, const searcher *s)
{
  uint64_t version = quad_snapshot_version(s->snapshot) + 1;
  return atomic_load(&index->bare[s->request->graphs->scope]) == version ||
         atomic_load(&index->bare[QUAD_ANY]) == version;
}

/* Vectors above the mark, and what else stands for vectors. */
static quoin_status
scan_fresh(searcher *s, vec_index *index, uint64_t mark, quoin_error *err)
{
  const vec_request *r = s->request;
  const struct {
    atom_kind kind;
    uint64_t low, high;
  } ranges[] = {{ATOM_VECTOR, mark + 1, quad_snapshot_atom_mark(s->snapshot)},
                {ATOM_TYPED, 0, ((uint64_t)1 << 58) - 1}};
  quoin_status st = QUOIN_OK;
  if (is_bare(index, s)) return QUOIN_OK;
  s->rows = 0;
  for (size_t i = 0; !st && i < 2; i++) {
    quad_scan *scan = NULL;
    if (ranges[i].low > ranges[i].high) continue;
    st = vec_range_open(&scan, s->snapshot, r->graphs, r->index->predicate, ranges[i].kind,
                        ranges[i].low, ranges[i].high, err);
    if (!st) st = vec_take_rows(s, scan, err);
    quad_scan_close(scan);
  }
  if (st) return st;
  if (!s->rows && r->graphs->scope != QUAD_NAMED) /* of one graph it says nothing of the others */
    atomic_store(&index->bare[r->graphs->scope], quad_snapshot_version(s->snapshot) + 1);
  return vec_sieve_flush(s, err);
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
      if (s->top.n == s->top.k) vec_top_trim(&s->top); /* the rest is looked up if it is nearer */
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

/* Where every node is likely to count: the k nearest nodes, scored as the graph scores them best.
 * *enough: they have k subjects; else a walk without an end goes on from the start. */
static quoin_status
first_nodes(bool *enough, searcher *s, owners *o, hnsw_searcher *memory, const hnsw_ask *ask,
            quoin_error *err)
{
  hnsw_hit hits[WALK_ROOM];
  hnsw_report report = {0};
  size_t n = 0;
  assert(ask->k <= WALK_ROOM);
  quoin_status st = hnsw_search(hits, &n, memory, ask, &report, err);
  if (!st) st = ask_owners(s, o, hits, n, err);
  for (size_t i = 0; !st && i < n; i++)
    st = offer(s, o, (atom_id){hits[i].key}, hits[i].distance, err);
  s->report->visits += report.visits;
  vec_top_trim(&s->top);
  *enough = s->top.n >= s->top.k || (n && hits[n - 1].distance > s->request->max_distance);
  return st;
}

/* What was found for one of several vectors goes to what was found for the others. */
static quoin_status
merge(vec_top *to, vec_top *from, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  vec_top_trim(from);
  for (size_t i = 0; !st && i < from->n; i++)
    st = vec_top_add(to, from->items[i].subject, from->items[i].distance, err);
  vec_top_clear(from);
  return st;
}

/* The k of each vector are looked for by themselves: those of another do not end its walk. */
static vec_top
set_aside(searcher *s)
{
  vec_top all = s->top;
  vec_top_init(&s->top, s->request->k, s->request->max_distance, all.mem);
  return all;
}

static quoin_status
take_back(searcher *s, vec_top all, quoin_status st, quoin_error *err)
{
  vec_top one = s->top;
  s->top = all;
  if (!st) return merge(&s->top, &one, err);
  vec_top_clear(&one);
  return st;
}

quoin_status
vec_search_graph(bool *done, searcher *s, const vec_plan *plan, quoin_error *err)
{
  const vec_request *r = s->request;
  vec_index *index = plan->index;
  hnsw_searcher *memory = NULL;
  owners o = {NULL};
  bool given_up = false;
  /* Before the walk: what is linked meanwhile is then found twice, and nothing is missed. */
  uint64_t late = atomic_load_explicit(&index->late.done, memory_order_acquire);
  uint64_t mark = atomic_load_explicit(&index->mark, memory_order_acquire);
  const hnsw_vectors vectors_of = vec_index_vectors(index);
  quoin_status st = vec_index_searcher(&memory, index, err);
  if (st) return st;
  for (size_t i = 0; !st && !given_up && i < r->n_near; i++) {
    const hnsw_ask ask = {
        .query = r->near[i], .k = r->k, .ef = r->ef, .vectors = &vectors_of, .cancel = r->cancel};
    vec_top all = {.n = 0};
    if (r->n_near > 1) all = set_aside(s);
    bool enough = false;
    if (!r->subjects && r->k <= WALK_ROOM && plan->vectors >= hnsw_count(index->graph))
      st = first_nodes(&enough, s, &o, memory, &ask, err);
    if (!st && !enough) st = walk(&given_up, s, &o, memory, &ask, plan->budget, err);
    if (r->n_near > 1) st = take_back(s, all, st, err);
  }
  if (!st && !given_up) st = scan_fresh(s, index, mark, err);
  if (!st && !given_up) st = take_late(s, &o, index, late, err);
  vec_index_searcher_done(index, memory);
  quad_scan_close(o.scan);
  *done = !st && !given_up;
  return st;
}

/* ---- among candidates -------------------------------------------------------------------------
 */

/* The nodes nearest to one vector until there are k subjects: a subject may have several. */
static quoin_status
search_nodes(searcher *s, owners *o, const vec_plan *plan, hnsw_searcher *memory, hnsw_ask *ask,
             quoin_error *err)
{
  hnsw_hit *hits = NULL;
  size_t cap = 0, n, nodes = plan->candidates.nodes.set;
  quoin_status st = QUOIN_OK;
  while (!st && nodes) {
    hnsw_report report;
    if (ask->k > nodes) ask->k = nodes;
    if (!base_reserve(plan->mem, (void **)&hits, &cap, ask->k, sizeof(*hits))) {
      st = base_fail_nomem(err);
      break;
    }
    if ((st = hnsw_search(hits, &n, memory, ask, &report, err))) break;
    s->report->visits += report.visits;
    for (size_t i = 0; !st && i < n; i++)
      st = offer(s, o, (atom_id){hits[i].key}, hits[i].distance, err);
    vec_top_trim(&s->top);
    if (n < ask->k || ask->k == nodes || s->top.n >= s->top.k ||
        hits[n - 1].distance > s->request->max_distance)
      break;
    ask->k *= 2;
  }
  base_release(plan->mem, hits, cap, sizeof(*hits));
  return st;
}

quoin_status
vec_search_candidates(searcher *s, const vec_plan *plan, quoin_error *err)
{
  const vec_request *r = s->request;
  const hnsw_vectors vectors_of = vec_index_vectors(plan->index);
  hnsw_searcher *memory = NULL;
  owners o = {NULL};
  quoin_status st = vec_index_searcher(&memory, plan->index, err);
  for (size_t i = 0; !st && i < r->n_near; i++) {
    hnsw_ask ask = {.query = r->near[i],
                    .k = r->k,
                    .ef = r->ef,
                    .vectors = &vectors_of,
                    .filter = &plan->candidates.nodes,
                    .cancel = r->cancel};
    vec_top all = set_aside(s);
    st = search_nodes(s, &o, plan, memory, &ask, err);
    st = take_back(s, all, st, err);
  }
  const vec_loose *loose = plan->candidates.loose;
  for (size_t i = 0; !st && i < plan->candidates.n_loose; i++)
    st = vec_sieve_add(s, loose[i].subject, loose[i].vector, err);
  if (!st) st = vec_sieve_flush(s, err);
  if (memory) vec_index_searcher_done(plan->index, memory);
  quad_scan_close(o.scan);
  return st;
}
