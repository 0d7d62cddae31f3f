/* vector/searches.c - searches one after the other that differ in what they are near to alone. */
#include "vector/search.h"

#include "base/poison.h"

struct vec_searches {
  vec_request request;
  vec_plan plan;
  const base_alloc *mem;
};

quoin_status
vec_searches_open(vec_searches **out, const quad_snapshot *snapshot, const vec_request *request,
                  size_t queries, const base_alloc *mem, quoin_error *err)
{
  *out = NULL;
  vec_searches *s = base_new_zero(mem, 1, sizeof(*s));
  if (!s) return base_fail_nomem(err);
  s->mem = mem;
  s->request = *request;
  s->request.n_near = 1; /* each will have some */
  quoin_status st = vec_plan_init(&s->plan, snapshot, &s->request, queries, mem, err);
  if (st) {
    vec_searches_close(s);
    return st;
  }
  *out = s;
  return QUOIN_OK;
}

quoin_status
vec_searches_next(vec_found **out, size_t *n, vec_report *report, vec_searches *s,
                  const float *const *near, size_t n_near, quoin_error *err)
{
  vec_request request = s->request;
  request.near = near;
  request.n_near = n_near;
  report->choice = VEC_CHOICE_NONE;
  quoin_status st = vec_search_planned(out, n, report, &s->plan, &request, s->mem, err);
  /* A walk that came by too few of the candidates: those of the next searches are the same. */
  if (!st && s->plan.way == VEC_CHOICE_GRAPH && report->choice == VEC_CHOICE_CANDIDATES)
    st = vec_plan_share(&s->plan, err);
  return st;
}

void
vec_searches_close(vec_searches *s)
{
  if (!s) return;
  vec_plan_clear(&s->plan);
  base_release(s->mem, s, 1, sizeof(*s));
}
