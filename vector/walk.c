/* vector/walk.c - search through the graph of an index.
 *
 * The walk gives nodes, about nearest first; the quads say whose they are in the active graph and
 * whether these subjects are asked for. It ends when there are k of them. What the graph does not
 * have yet is searched exactly beside it. */
#include "vector/flat.h"

#include <assert.h>

#include "base/poison.h"

enum { WALK_ROOM = 256 /* nodes of one step */ };

/* ---- subjects of a vector ---------------------------------------------------------------------
 */

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
open_owners(vec_owners *o, const searcher *s, const quad_pattern *pattern, quoin_error *err)
{
  return o->scan ? QUOIN_OK
                 : vec_quads_open(&o->scan, s->snapshot, s->request->graphs, &pattern->match, err);
}

quoin_status
vec_owners_offer(vec_owners *o, searcher *s, atom_id vector, double distance, quoin_error *err)
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
ask_owners(searcher *s, vec_owners *o, const hnsw_hit *hits, size_t n, quoin_error *err)
{
  for (size_t i = 0; i < n; i++) {
    const quad_pattern pattern = quads_of_vector(s->request, (atom_id){hits[i].key});
    quoin_status st = open_owners(o, s, &pattern, err);
    if (st) return st;
    quad_scan_ask(o->scan, &pattern);
  }
  return QUOIN_OK;
}

/* ---- the walk ---------------------------------------------------------------------------------
 */

/* Are there enough, but for subjects that came again? Sorting each time would take longer than the
 * walk where k is large. */
static bool
is_worth_trimming(const vec_top *top)
{
  return top->n >= top->k && top->n - top->trimmed >= top->k / 4;
}

/* What a walk has found of what it should have. */
typedef struct tally {
  const vec_plan *plan;
  uint64_t seen, within; /* nodes, those of them near enough to count */
  uint64_t budget;       /* of `seen` */
  bool past;             /* what is left is further than asked for */
} tally;

/* One step's nodes, to their subjects. */
static quoin_status
offer_all(tally *t, searcher *s, vec_owners *o, const hnsw_hit *hits, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t within = 0;
  for (size_t i = 0; !st && i < n; i++) {
    within += hits[i].distance <= s->request->max_distance;
    st = vec_owners_offer(o, s, (atom_id){hits[i].key}, hits[i].distance, err);
    /* the rest is looked up if it is nearer */
    if (vec_top_is_due(&s->top)) vec_top_trim(&s->top);
  }
  if (is_worth_trimming(&s->top)) vec_top_trim(&s->top);
  t->seen += n;
  t->within += within;
  t->past = !within;
  return st;
}

/* Too many were looked at, or far fewer count than on the whole: then those around the query do
 * not, and of what a walk finds behind them nothing says that it is the nearest. */
static bool
should_give_up(const tally *t, const searcher *s)
{
  enum { SUSPECT = 16 };
  double expected = (double)t->within * t->plan->share;
  if (t->budget == UINT64_MAX) return false;
  return (s->top.trimmed < s->top.k && t->seen > t->budget) ||
         (expected >= SUSPECT && 4.0 * (double)s->top.n < expected);
}

/* Nodes near to one vector until there are k subjects, from *budget. Each of several has what a
 * walk takes; what one needs beyond that the next ones do not have. */
static quoin_status
walk(bool *given_up, uint64_t *budget, searcher *s, vec_owners *o, hnsw_searcher *memory,
     const hnsw_ask *ask, const vec_plan *plan, quoin_error *err)
{
  hnsw_hit few[WALK_ROOM], *hits = few;
  hnsw_report report = {0};
  tally t = {.plan = plan, .budget = *budget};
  const uint64_t usual = WALK_ROOM + 4 * (uint64_t)ask->k;
  size_t n = 0, room = ask->k + ask->k / 2 + 10; /* many steps for a large k sort much in vain */
  if (room <= WALK_ROOM)
    room = WALK_ROOM;
  else if (!(hits = base_new(s->top.mem, room, sizeof(*hits))))
    return base_fail_nomem(err);
  quoin_status st = hnsw_walk_start(memory, ask, err);
  while (!st && !(st = hnsw_walk_next(hits, room, &n, memory, &report, err))) {
    if ((st = offer_all(&t, s, o, hits, n, err)) || t.past) break;
    if ((*given_up = should_give_up(&t, s)) || s->top.trimmed >= s->top.k) break;
  }
  hnsw_walk_stop(memory);
  if (hits != few) base_release(s->top.mem, hits, room, sizeof(*hits));
  s->report->visits += report.visits;
  if (*budget != UINT64_MAX && t.seen > usual)
    *budget -= t.seen - usual < *budget ? t.seen - usual : *budget;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Where every node is likely to count: the k nearest nodes, scored as the graph scores them best.
 * *enough: they have k subjects; else a walk without an end goes on from the start. */
static quoin_status
first_nodes(bool *enough, searcher *s, vec_owners *o, hnsw_searcher *memory, const hnsw_ask *ask,
            quoin_error *err)
{
  hnsw_hit hits[WALK_ROOM];
  hnsw_report report = {0};
  size_t n = 0;
  assert(ask->k <= WALK_ROOM);
  quoin_status st = hnsw_search(hits, &n, memory, ask, &report, err);
  if (!st) st = ask_owners(s, o, hits, n, err);
  for (size_t i = 0; !st && i < n; i++)
    st = vec_owners_offer(o, s, (atom_id){hits[i].key}, hits[i].distance, err);
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

/* As many more places as nodes are looked at that do not count; twice as many as without, at most:
 * further steps look further ahead. */
static size_t
effort_of(const vec_plan *plan, const vec_request *r)
{
  size_t effort = hnsw_effort(plan->index->declared.code, r->k);
  double others = (double)r->k / (plan->share > 0 ? plan->share : 1) - (double)r->k;
  if (r->ef) return r->ef;
  return effort + (others < (double)effort ? (size_t)others : effort);
}

quoin_status
vec_search_graph(bool *done, searcher *s, const vec_plan *plan, quoin_error *err)
{
  const vec_request *r = s->request;
  vec_index *index = plan->index;
  hnsw_searcher *memory = NULL;
  vec_owners o = {NULL};
  bool given_up = false;
  uint64_t budget = plan->budget;
  /* Before the walk: what is linked meanwhile is then found twice, and nothing is missed. */
  const vec_linked linked = vec_linked_now(index, s);
  const hnsw_vectors vectors_of = vec_index_vectors(index);
  quoin_status st = vec_index_searcher(&memory, index, err);
  if (st) return st;
  for (size_t i = 0; !st && !given_up && i < r->n_near; i++) {
    const hnsw_ask ask = {.query = r->near[i],
                          .k = r->k,
                          .ef = effort_of(plan, r),
                          .vectors = &vectors_of,
                          .cancel = r->cancel};
    vec_top all = {.n = 0};
    if (r->n_near > 1) all = set_aside(s);
    bool enough = false;
    if (!r->subjects && r->k <= WALK_ROOM && plan->vectors >= hnsw_count(index->graph))
      st = first_nodes(&enough, s, &o, memory, &ask, err);
    if (!st && !enough) st = walk(&given_up, &budget, s, &o, memory, &ask, plan, err);
    if (r->n_near > 1) st = take_back(s, all, st, err);
  }
  if (!st && !given_up) st = vec_search_unlinked(s, 1, plan, NULL, &o, &linked, err);
  *done = !st && !given_up;
  if (*done) st = vec_search_own(done, s, plan, &o, err);
  vec_index_searcher_done(index, memory);
  quad_scan_close(o.scan);
  return st;
}

/* ---- among candidates -------------------------------------------------------------------------
 */

/* The nodes nearest to one vector until there are k subjects: a subject may have several. */
static quoin_status
search_nodes(searcher *s, vec_owners *o, const vec_plan *plan, hnsw_searcher *memory, hnsw_ask *ask,
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
      st = vec_owners_offer(o, s, (atom_id){hits[i].key}, hits[i].distance, err);
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
  vec_owners o = {NULL};
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
