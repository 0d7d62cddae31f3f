/* vector/search.c - a search by its plan; exact search: the vectors of the candidates, or all of
 * the active graph.
 *
 * Few candidates: the vectors of each are looked up. Many, or any subject: one scan over the
 * predicate. By the key order of the store equal vectors come together where that can be had, so
 * the distance to a vector is computed once. */
#include "vector/search.h"

#include <assert.h>

#include "base/poison.h"

enum { NORMS = sizeof(((searcher *)NULL)->norm) / sizeof(double) };

const char *
vec_choice_name(vec_choice choice)
{
  switch (choice) {
  case VEC_CHOICE_NONE:
    return "nothing to search";
  case VEC_CHOICE_LOOKUP:
    return "exact, by candidate";
  case VEC_CHOICE_SCAN:
    return "exact, all vectors";
  case VEC_CHOICE_CODES:
    return "exact, all codes";
  case VEC_CHOICE_GRAPH:
    return "graph";
  case VEC_CHOICE_CANDIDATES:
    return "nodes of the candidates";
  }
  return "";
}

/* ---- distances --------------------------------------------------------------------------------
 */

double
vec_distance(vec_metric metric, const float *a, const float *b, uint32_t dimension)
{
  const vec_kernels *kernels = vec_kernels_best();
  return vec_exact(kernels, metric, a, kernels->exact_dot(a, a, dimension), b, dimension);
}

bool
vec_is_zero(const float *values, uint32_t dimension)
{
  for (uint32_t i = 0; i < dimension; i++)
    if (values[i] != 0) return false;
  return true;
}

double
vec_distance_to(const searcher *s, const float *values)
{
  const vec_request *r = s->request;
  const vec_kernels *kernels = vec_kernels_best();
  const uint32_t dimension = r->index->dimension;
  double least = (double)NAN;
  for (size_t i = 0; i < r->n_near; i++) {
    double norm = i < NORMS ? s->norm[i] : kernels->exact_dot(r->near[i], r->near[i], dimension);
    double d = vec_exact(kernels, r->index->metric, r->near[i], norm, values, dimension);
    if (!(least <= d)) least = d;
  }
  return least;
}

quoin_status
vec_distance_of(double *out, searcher *s, atom_id vector, quoin_error *err)
{
  const vec_request *r = s->request;
  const float *values;
  uint32_t dimension;
  if (atom_id_equal(vector, s->last)) {
    *out = s->last_distance;
    return QUOIN_OK;
  }
  base_arena_reset(&s->arena);
  quoin_status st = vec_of_id(&values, &dimension, s->snapshot, r->terms, vector, &s->arena, err);
  if (st) return st;
  *out = (double)NAN;
  if (values && dimension == r->index->dimension) {
    s->report->visits++;
    *out = vec_distance_to(s, values);
  }
  s->last = vector;
  s->last_distance = *out;
  return QUOIN_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

bool
vec_row_counts(searcher *s, const quad_batch *rows, size_t i)
{
  const vec_request *r = s->request;
  if (vec_graphs_merge(r->graphs) && !vec_graphs_have(r->graphs, rows->column[QUAD_G][i]))
    return false;
  if (!r->subjects) return true;
  atom_id subject = rows->column[QUAD_S][i];
  s->at = vec_ids_seek(r->subjects, r->n_subjects, s->at, subject);
  return s->at < r->n_subjects && atom_id_equal(r->subjects[s->at], subject);
}

quoin_status
vec_take_rows(searcher *s, quad_scan *scan, quoin_error *err)
{
  const vec_request *r = s->request;
  uint16_t place[QUAD_BATCH];
  quad_batch rows;
  quoin_status st;
  bool merge = vec_graphs_merge(r->graphs);
  while (!(st = quad_scan_next(&rows, scan, err))) {
    if (r->cancel && (st = base_cancel_check(r->cancel, err))) return st;
    s->rows += rows.rows;
    const atom_id *subject = rows.column[QUAD_S];
    size_t n = r->subjects
                   ? vec_rows_among(place, subject, rows.rows, r->subjects, r->n_subjects, &s->at)
                   : rows.rows;
    for (size_t k = 0; k < n; k++) {
      size_t i = r->subjects ? place[k] : k;
      if (merge && !vec_graphs_have(r->graphs, rows.column[QUAD_G][i])) continue;
      if ((st = vec_sieve_add(s, subject[i], rows.column[QUAD_O][i], err))) return st;
    }
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quad
vec_quads_of(const vec_request *r, atom_id subject)
{
  quad match = {.term = {[QUAD_S] = subject, [QUAD_P] = r->index->predicate}};
  if (r->graphs->scope == QUAD_NAMED) match.term[QUAD_G] = r->graphs->graph;
  return match;
}

/* ---- the two ways -----------------------------------------------------------------------------
 */

static quoin_status
scan_all(searcher *s, quoin_error *err)
{
  quad_scan *scan = NULL;
  quad match = vec_quads_of(s->request, ATOM_NONE_ID);
  quoin_status st = s->request->subjects
                        ? vec_open_by_subject(&scan, s->snapshot, s->request, err)
                        : vec_quads_open(&scan, s->snapshot, s->request->graphs, &match, err);
  if (!st) st = vec_take_rows(s, scan, err);
  if (!st) st = vec_sieve_flush(s, err);
  quad_scan_close(scan);
  return st;
}

static quoin_status
look_up(searcher *s, quoin_error *err)
{
  const vec_request *r = s->request;
  quad_scan *scan = NULL;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && i < r->n_subjects; i++) {
    quad_pattern pattern = {.scope = r->graphs->scope, .match = vec_quads_of(r, r->subjects[i])};
    st = scan ? quad_scan_rebind(scan, &pattern, err)
              : vec_quads_open(&scan, s->snapshot, r->graphs, &pattern.match, err);
    if (!st) st = vec_take_rows(s, scan, err);
  }
  if (!st) st = vec_sieve_flush(s, err);
  quad_scan_close(scan);
  return st;
}

static void
begin_again(searcher *s, const base_alloc *mem)
{
  vec_top_clear(&s->top);
  vec_top_init(&s->top, s->request->k, s->request->max_distance, mem);
}

/* By the nodes of the graph, in one way or the other. */
static quoin_status
search_nodes(searcher *s, vec_plan *own, const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  bool mine = false, done;
  if (own->way == VEC_CHOICE_CODES) {
    st = vec_search_codes(&done, s, 1, own, err);
    if (!st && !done) own->way = VEC_CHOICE_SCAN; /* what it found does not harm */
    return st;
  }
  if (own->way == VEC_CHOICE_GRAPH) {
    if ((st = vec_search_graph(&done, s, own, err))) return st;
    if (!done) {
      begin_again(s, mem);
      mine = true;
      st = vec_plan_candidates(own, err);
    }
  }
  if (!st && own->way == VEC_CHOICE_CANDIDATES) st = vec_search_candidates(s, own, err);
  if (mine) {
    hnsw_leave(own->index->graph, own->epoch);
    vec_candidates_clear(&own->candidates);
  }
  return st;
}

/* By the way of the plan, and by another where that does not do. */
static quoin_status
search_by(vec_choice *way, searcher *s, const vec_plan *plan, const base_alloc *mem,
          quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  vec_plan own = *plan; /* of this query alone: others go on with theirs */
  own.request = s->request;
  if (own.way == VEC_CHOICE_GRAPH || own.way == VEC_CHOICE_CANDIDATES ||
      own.way == VEC_CHOICE_CODES) {
    quoin_error why = QUOIN_ERROR_INIT;
    bool lost =
        (st = search_nodes(s, &own, mem, &why)) && vec_index_lost(own.index, s->snapshot, &why);
    if (st && !lost) return vec_fail_as(&why, err);
    /* Asked when all is read: what was taken out since the search began its version still has. */
    if (lost || !vec_index_is_recent(own.index, s->snapshot)) {
      begin_again(s, mem);
      vec_plan_exact(&own);
      st = QUOIN_OK;
    }
  }
  *way = own.way;
  if (!st && own.way == VEC_CHOICE_SCAN) st = scan_all(s, err);
  if (!st && own.way == VEC_CHOICE_LOOKUP) st = look_up(s, err);
  return st;
}

static void
searcher_init(searcher *out, vec_report *report, const vec_plan *plan, const vec_request *r,
              const base_alloc *mem)
{
  const vec_kernels *kernels = vec_kernels_best();
  *out =
      (searcher){.snapshot = plan->snapshot, .request = r, .report = report, .index = plan->index};
  base_arena_init(&out->arena, mem);
  vec_top_init(&out->top, r->k, r->max_distance, mem);
  for (size_t i = 0; i < r->n_near && i < NORMS; i++)
    out->norm[i] = kernels->exact_dot(r->near[i], r->near[i], r->index->dimension);
}

static void
searcher_clear(searcher *s)
{
  vec_sieve_clear(s);
  vec_top_clear(&s->top);
  base_arena_clear(&s->arena);
}

/* Whose a vector is that was asked with lies at no distance: a walk by codes that tell little may
 * miss it, or come to k others at the same distance before it. */
static quoin_status
offer_itself(searcher *s, quoin_error *err)
{
  const vec_request *r = s->request;
  const vec_terms terms = vec_store_terms(s->snapshot);
  const uint32_t dimension = r->index->dimension;
  vec_owners owners = {NULL};
  quoin_status st = QUOIN_OK;
  double best = HUGE_VAL;
  for (size_t i = 0; i < s->top.n; i++)
    best = s->top.items[i].distance < best ? s->top.items[i].distance : best;
  for (size_t i = 0; !st && i < r->n_near; i++) {
    const double self = vec_distance(r->index->metric, r->near[i], r->near[i], dimension);
    const rdf_term term = rdf_vector(r->near[i], dimension);
    atom_id id;
    if (best <= self) continue;
    st = terms.find(&id, terms.user, &term, err);
    if (!st && id.bits) st = vec_owners_offer(&owners, s, id, self, err);
  }
  quad_scan_close(owners.scan);
  return st;
}

static quoin_status
take_answer(vec_found **out, size_t *n, searcher *s, const vec_plan *plan, vec_choice way,
            quoin_error *err)
{
  const vec_request *r = s->request;
  s->report->candidates += r->subjects ? r->n_subjects : plan->vectors;
  s->report->choice = way;
  const bool approximate = way == VEC_CHOICE_GRAPH || way == VEC_CHOICE_CANDIDATES;
  quoin_status st = approximate ? offer_itself(s, err) : QUOIN_OK;
  if (!st && approximate) st = vec_least(s, plan, err);
  s->report->approximate |= approximate;
  return st ? st : vec_top_take(out, n, &s->top, err);
}

quoin_status
vec_search_planned(vec_found **out, size_t *n, vec_report *report, const vec_plan *plan,
                   const vec_request *request, const base_alloc *mem, quoin_error *err)
{
  searcher s;
  vec_choice way = plan->way;
  *out = NULL;
  *n = 0;
  if (plan->way == VEC_CHOICE_NONE) return QUOIN_OK;
  searcher_init(&s, report, plan, request, mem);
  quoin_status st = search_by(&way, &s, plan, mem, err);
  if (!st) st = take_answer(out, n, &s, plan, way, err);
  searcher_clear(&s);
  return st;
}

/* Those that the codes did not answer go by the quads, one after the other. */
static quoin_status
search_rest(vec_found **found, size_t *counts, const bool *done, vec_report *reports,
            const vec_plan *plan, const vec_request *requests, size_t n, const base_alloc *mem,
            quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  vec_plan exact = *plan;
  exact.request = requests;
  vec_plan_exact(&exact);
  for (size_t i = 0; !st && i < n; i++)
    if (!done[i])
      st = vec_search_planned(&found[i], &counts[i], &reports[i], &exact, &requests[i], mem, err);
  return st;
}

quoin_status
vec_search_together(vec_found **found, size_t *counts, vec_report *reports, const vec_plan *plan,
                    const vec_request *requests, size_t n, const base_alloc *mem, quoin_error *err)
{
  searcher s[VEC_TOGETHER];
  bool done[VEC_TOGETHER];
  quoin_error why = QUOIN_ERROR_INIT;
  assert(plan->way == VEC_CHOICE_CODES && n && n <= VEC_TOGETHER);
  for (size_t i = 0; i < n; i++)
    searcher_init(&s[i], &reports[i], plan, &requests[i], mem);
  quoin_status st = vec_search_codes(done, s, n, plan, &why);
  bool lost = st && vec_index_lost(plan->index, plan->snapshot, &why);
  if (st && !lost) {
    st = vec_fail_as(&why, err);
    goto done;
  }
  /* As in search_by: asked when all is read. */
  st = QUOIN_OK;
  bool recent = !lost && vec_index_is_recent(plan->index, plan->snapshot);
  for (size_t i = 0; !st && i < n; i++)
    if ((done[i] = done[i] && recent))
      st = take_answer(&found[i], &counts[i], &s[i], plan, VEC_CHOICE_CODES, err);
  if (!st) st = search_rest(found, counts, done, reports, plan, requests, n, mem, err);

done:
  for (size_t i = 0; i < n; i++)
    searcher_clear(&s[i]);
  return st;
}

quoin_status
vec_search(vec_found **out, size_t *n, vec_report *report, const quad_snapshot *snapshot,
           const vec_request *request, const base_alloc *mem, quoin_error *err)
{
  vec_plan plan;
  *out = NULL;
  *n = 0;
  quoin_status st = vec_plan_init(&plan, snapshot, request, 1, mem, err);
  if (!st) st = vec_search_planned(out, n, report, &plan, request, mem, err);
  vec_plan_clear(&plan);
  return st;
}
