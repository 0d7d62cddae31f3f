/* vector/searches.c - searches, a few at a time, that differ in what they are near to alone. */
#include "vector/search.h"

#include <assert.h>

#include "base/poison.h"

enum { FOUND_MOST = 1 << 16 }; /* by searches that are made together: their memory */

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

size_t
vec_searches_most(const vec_searches *s)
{
  const size_t k = s->request.k;
  if (s->plan.way != VEC_CHOICE_CODES || k > FOUND_MOST) return 1;
  return k && FOUND_MOST / k < VEC_TOGETHER ? FOUND_MOST / k : VEC_TOGETHER;
}

static quoin_status
search_one(vec_asked *asked, vec_searches *s, quoin_error *err)
{
  vec_request request = s->request;
  request.near = asked->near;
  request.n_near = asked->n_near;
  asked->found = NULL;
  asked->n = 0;
  asked->report = (vec_report){.choice = VEC_CHOICE_NONE};
  quoin_status st =
      vec_search_planned(&asked->found, &asked->n, &asked->report, &s->plan, &request, s->mem, err);
  /* A walk that came by too few of the candidates: those of the next searches are the same. */
  if (!st && s->plan.way == VEC_CHOICE_GRAPH && asked->report.choice == VEC_CHOICE_CANDIDATES)
    st = vec_plan_share(&s->plan, err);
  return st;
}

static quoin_status
search_several(vec_asked *asked, size_t n, const vec_searches *s, quoin_error *err)
{
  vec_request requests[VEC_TOGETHER] = {{.index = NULL}};
  vec_report reports[VEC_TOGETHER] = {{.choice = VEC_CHOICE_NONE}};
  vec_found *found[VEC_TOGETHER] = {NULL};
  size_t counts[VEC_TOGETHER] = {0};
  for (size_t i = 0; i < n; i++) {
    requests[i] = s->request;
    requests[i].near = asked[i].near;
    requests[i].n_near = asked[i].n_near;
  }
  quoin_status st = vec_search_together(found, counts, reports, &s->plan, requests, n, s->mem, err);
  for (size_t i = 0; i < n; i++) {
    asked[i].found = found[i];
    asked[i].n = counts[i];
    asked[i].report = reports[i];
  }
  return st;
}

quoin_status
vec_searches_next(vec_asked *asked, size_t n, vec_searches *s, quoin_error *err)
{
  assert(n && n <= vec_searches_most(s));
  return n > 1 ? search_several(asked, n, s, err) : search_one(asked, s, err);
}

void
vec_searches_close(vec_searches *s)
{
  if (!s) return;
  vec_plan_clear(&s->plan);
  base_release(s->mem, s, 1, sizeof(*s));
}
