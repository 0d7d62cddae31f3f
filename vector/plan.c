/* vector/plan.c - by which way a search goes, and what its queries share.
 *
 * Five ways: the vectors of each candidate looked up, one scan over all, or over the codes of all
 * with the near ones looked up, all three exact; the nodes
 * of the candidates, by their codes or by a walk that is told which nodes count (hnsw_search.c
 * chooses by cost); a walk through the graph that asks the quads of each node it comes to whose it
 * is, which needs no list of candidates but finds few of them where they are few. What each would
 * cost is estimated in nanoseconds, by what was measured (docs/adrs/0038-exact-search.md,
 * docs/adrs/0047-filters-by-cost.md). */
#include "vector/hnsw_search.h"
#include "vector/search.h"

#include "base/poison.h"

enum {
  WALK_LEAST = 1500, /* nodes: fewer are scanned in the time that a walk and its lookups take */
  EXACT_MOST = 128,  /* candidates: their vectors are looked at in the time of anything else */
  LOOKUP_NS = 1000,  /* quads of one subject, or of one vector */
  ROW_NS = 3,        /* of a scan, met with the candidates */
  APART_NS = 70,     /* a code that is not beside the one before */
  FIND_NS = 25,      /* a vector's node */
  CODES_NEAR = 20    /* vectors looked up beside the k */
};

typedef struct costs {
  double share, walk, candidates, scan, codes, lookup;
  bool find_by_lookup;
} costs;

static costs
estimate(const vec_plan *p, size_t queries)
{
  const vec_request *r = p->request;
  const vec_declaration *d = r->index;
  double nodes = p->index ? (double)hnsw_count(p->index->graph) : 0;
  double vectors = (double)p->vectors, subjects = r->subjects ? (double)r->n_subjects : vectors;
  double n = subjects < vectors ? subjects : vectors, k = (double)r->k;
  double share = nodes > 0 && n < nodes ? n / nodes : 1;
  double near = (double)r->n_near, asked = k / (share > 0 ? share : 1), some = 0, through = 0;
  bool by_code = p->index && vec_bound_has(p->index->declared.code);
  double bytes =
      by_code ? vec_code_bytes(p->index->declared.code, d->dimension) + 8.0 : 4.0 * d->dimension;
  double exact = 12 + bytes / 15 + (r->subjects ? APART_NS : 0), rows = vectors * ROW_NS;
  if (nodes > 0) {
    const hnsw *g = p->index->graph;
    size_t effort = r->ef ? r->ef : hnsw_effort(d->code, r->k);
    double steps = asked / (double)hnsw_rescored(g, r->k, effort);
    hnsw_way way;
    some = hnsw_filtered_ns(&way, g, r->k, r->ef, n);
    /* each step after the first looks further ahead, and begins elsewhere, too */
    through =
        hnsw_walk_visits(g, (double)effort + asked - k) * hnsw_hop_ns(g) * (steps > 1 ? steps : 1);
  }
  bool find_by_lookup = r->subjects && subjects * LOOKUP_NS < rows;
  double find = find_by_lookup ? subjects * LOOKUP_NS : rows;
  double all = nodes + (p->index ? (double)vec_index_waiting(p->index) : 0) +
               (p->own ? (double)vec_own_count(p->own) : 0);
  return (costs){.share = share,
                 .walk = near * (through + asked * LOOKUP_NS),
                 .candidates =
                     (find + n * FIND_NS) / (double)queries + near * (some + k * LOOKUP_NS),
                 .scan = rows + near * n * exact,
                 .codes = near * all * (12 + bytes / 30) + (k / share + CODES_NEAR) * LOOKUP_NS,
                 .lookup = r->subjects ? subjects * LOOKUP_NS + near * n * exact : (double)HUGE_VAL,
                 .find_by_lookup = find_by_lookup};
}

static bool
may_use_graph(const vec_plan *p)
{
  return p->index && hnsw_count(p->index->graph) >= WALK_LEAST &&
         vec_index_is_recent(p->index, p->snapshot);
}

/* What lies beside the graph, too, is what a walk would find. */
static bool
may_use_codes(const vec_plan *p)
{
  return p->index && vec_bound_has(p->index->declared.code) &&
         vec_index_has_all(p->index, p->snapshot);
}

static void
choose(vec_plan *p, size_t queries)
{
  const vec_request *r = p->request;
  costs c = estimate(p, queries);
  bool few = r->subjects && r->n_subjects <= EXACT_MOST;
  double least = c.lookup < c.scan ? c.lookup : c.scan;
  p->way = c.lookup < c.scan ? VEC_CHOICE_LOOKUP : VEC_CHOICE_SCAN;
  p->find_by_lookup = c.find_by_lookup;
  p->share = c.share;
  /* As many lookups as pay for another way. */
  p->budget = 64 + 2 * r->k + (uint64_t)(least / LOOKUP_NS);
  if (c.codes < least && !few && may_use_codes(p)) {
    least = c.codes;
    p->way = VEC_CHOICE_CODES;
  }
  if (r->exact) return;
  if (p->index && p->index->walk_always && vec_index_has_all(p->index, p->snapshot)) {
    p->way = VEC_CHOICE_GRAPH;
    p->budget = UINT64_MAX;
    return;
  }
  if (few || !may_use_graph(p)) return;
  if (c.candidates < least) {
    least = c.candidates;
    p->way = VEC_CHOICE_CANDIDATES;
  }
  if (c.walk < least && vec_index_has_all(p->index, p->snapshot)) p->way = VEC_CHOICE_GRAPH;
  if (p->way != VEC_CHOICE_CODES) p->budget = 64 + 2 * r->k + (uint64_t)(least / LOOKUP_NS);
}

quoin_status
vec_plan_candidates(vec_plan *p, quoin_error *err)
{
  p->way = VEC_CHOICE_CANDIDATES;
  if (p->found) return QUOIN_OK;
  p->epoch = hnsw_enter(p->index->graph); /* so that the slots stay those of their nodes */
  p->found = true;
  return vec_candidates_find(&p->candidates, p->snapshot, p->request, p->index, p->find_by_lookup,
                             p->mem, err);
}

void
vec_plan_exact(vec_plan *p)
{
  costs c = estimate(p, 1);
  p->way = c.lookup < c.scan ? VEC_CHOICE_LOOKUP : VEC_CHOICE_SCAN;
}

static quoin_status
begin(vec_plan *out, const quad_snapshot *snapshot, const vec_request *r, size_t queries,
      const base_alloc *mem, quoin_error *err)
{
  *out = (vec_plan){.snapshot = snapshot, .request = r, .mem = mem, .way = VEC_CHOICE_NONE};
  if (r->graphs->empty || !r->k || !r->n_near || (r->subjects && !r->n_subjects)) return QUOIN_OK;
  const quad_pattern all = {.scope = r->graphs->scope, .match = vec_quads_of(r, ATOM_NONE_ID)};
  quoin_status st = quad_count(&out->vectors, snapshot, &all, err);
  if (st) return st;
  if (quad_snapshot_orders(snapshot) >> QUAD_POS & 1)
    out->index = vec_index_enter(&out->entered, snapshot, r->index);
  if (out->index) (void)vec_own_of(&out->own, snapshot, r->index);
  choose(out, queries);
  return QUOIN_OK;
}

quoin_status
vec_plan_share(vec_plan *p, quoin_error *err)
{
  quoin_error why = QUOIN_ERROR_INIT;
  if (!vec_plan_candidates(p, &why)) return QUOIN_OK;
  if (!vec_index_lost(p->index, p->snapshot, &why)) return vec_fail_as(&why, err);
  vec_plan_exact(p);
  return QUOIN_OK;
}

quoin_status
vec_plan_init(vec_plan *out, const quad_snapshot *snapshot, const vec_request *r, size_t queries,
              const base_alloc *mem, quoin_error *err)
{
  quoin_status st = begin(out, snapshot, r, queries, mem, err);
  if (!st && out->own && (out->way == VEC_CHOICE_GRAPH || out->way == VEC_CHOICE_CODES))
    st = vec_own_cover(out->own, snapshot, r, err);
  return st || out->way != VEC_CHOICE_CANDIDATES ? st : vec_plan_share(out, err);
}

void
vec_plan_clear(vec_plan *p)
{
  if (p->found) {
    hnsw_leave(p->index->graph, p->epoch);
    vec_candidates_clear(&p->candidates);
  }
  if (p->index) vec_index_leave(p->snapshot, p->entered);
  *p = (vec_plan){.index = NULL};
}

quoin_status
vec_search_choice(vec_choice *out, const quad_snapshot *snapshot, const vec_request *request,
                  size_t queries, quoin_error *err)
{
  vec_plan plan;
  quoin_status st = begin(&plan, snapshot, request, queries, NULL, err);
  *out = plan.way;
  vec_plan_clear(&plan);
  return st;
}
