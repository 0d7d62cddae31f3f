/* vector/many.c - many queries over one snapshot, by several threads. */
#include "vector/search.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/poison.h"

enum { MOST_THREADS = 64 };

typedef struct batch {
  vec_found **found;
  size_t *counts;
  const vec_plan *plan;
  const vec_request *request;
  const float *queries;
  size_t n, some; /* that a thread takes at a time */
  const base_alloc *mem;
  _Atomic size_t next;
  _Atomic bool failed;
} batch;

typedef struct worker {
  batch *batch;
  pthread_t thread;
  bool started;
  quoin_status status;
  quoin_error err;
  vec_report report;
} worker;

static void
add_report(vec_report *to, const vec_report *from)
{
  to->visits += from->visits;
  to->approximate |= from->approximate;
  if (from->choice) to->choice = from->choice;
}

/* The queries from..to by the plan: those that read all codes do so together. */
static quoin_status
search_some(worker *w, size_t from, size_t to, base_cancel *cancel)
{
  batch *b = w->batch;
  vec_request requests[VEC_TOGETHER];
  vec_report reports[VEC_TOGETHER] = {{.choice = VEC_CHOICE_NONE}};
  const float *near[VEC_TOGETHER];
  const size_t n = to - from;
  for (size_t i = 0; i < n; i++) {
    near[i] = b->queries + (from + i) * b->request->index->dimension;
    requests[i] = *b->request;
    requests[i].near = &near[i];
    requests[i].n_near = 1;
    requests[i].cancel = cancel;
  }
  quoin_status st = n > 1 ? vec_search_together(b->found + from, b->counts + from, reports, b->plan,
                                                requests, n, b->mem, &w->err)
                          : vec_search_planned(&b->found[from], &b->counts[from], reports, b->plan,
                                               requests, b->mem, &w->err);
  for (size_t i = 0; i < n; i++)
    add_report(&w->report, &reports[i]);
  return st;
}

/* Queries in turn until none is left, or one of them has failed. */
static void *
work(void *user)
{
  worker *w = user;
  batch *b = w->batch;
  base_cancel cancel = b->request->cancel ? *b->request->cancel : (base_cancel){.flag = NULL};
  for (;;) {
    size_t from = atomic_fetch_add_explicit(&b->next, b->some, memory_order_relaxed);
    if (from >= b->n || atomic_load_explicit(&b->failed, memory_order_relaxed)) return NULL;
    size_t to = b->n - from > b->some ? from + b->some : b->n;
    if ((w->status = search_some(w, from, to, &cancel))) {
      atomic_store(&b->failed, true);
      return NULL;
    }
  }
}

/* Queries that share a reading, but each thread shall have some. */
static size_t
together(const vec_plan *plan, size_t n, size_t threads)
{
  size_t some = n / threads + (n % threads > 0);
  if (plan->way != VEC_CHOICE_CODES) return 1;
  return some > VEC_TOGETHER ? VEC_TOGETHER : some;
}

quoin_status
vec_search_many(vec_found **found, size_t *counts, vec_report *report,
                const quad_snapshot *snapshot, const vec_request *request, const float *queries,
                size_t n, unsigned threads, const base_alloc *mem, quoin_error *err)
{
  vec_plan plan;
  vec_request any = *request; /* its near vectors are not looked at */
  batch b = {.found = found,
             .counts = counts,
             .plan = &plan,
             .request = request,
             .queries = queries,
             .n = n,
             .mem = mem};
  /* What one query needs is known without asking the system, which takes as long as a search. */
  long processors = threads || n < 2 ? (long)threads : sysconf(_SC_NPROCESSORS_ONLN);
  size_t want = processors < 1 ? 1 : (size_t)processors;
  quoin_status st = QUOIN_OK;
  if (want > MOST_THREADS) want = MOST_THREADS;
  if (want > n) want = n ? n : 1;
  for (size_t i = 0; i < n; i++) {
    found[i] = NULL;
    counts[i] = 0;
  }
  any.n_near = 1;
  if (!n) return QUOIN_OK;
  worker *workers = base_new_zero(mem, want, sizeof(*workers));
  if (!workers) return base_fail_nomem(err);
  if ((st = vec_plan_init(&plan, snapshot, &any, n, mem, err))) goto done;
  b.some = together(&plan, n, want);
  for (size_t i = want; i-- > 0;) {
    workers[i].batch = &b;
    workers[i].err = (quoin_error)QUOIN_ERROR_INIT;
    /* This thread is the first; with fewer of the others the queries take longer. */
    if (i) workers[i].started = !pthread_create(&workers[i].thread, NULL, work, &workers[i]);
  }
  (void)work(&workers[0]);
  for (size_t i = 0; i < want; i++) {
    if (workers[i].started) (void)pthread_join(workers[i].thread, NULL);
    if (workers[i].status && !st) {
      st = workers[i].status;
      if (err) *err = workers[i].err;
    }
    add_report(report, &workers[i].report);
  }

done:
  vec_plan_clear(&plan);
  base_release(mem, workers, want, sizeof(*workers));
  for (size_t i = 0; st && i < n; i++) {
    base_release(mem, found[i], counts[i], sizeof(**found));
    found[i] = NULL;
    counts[i] = 0;
  }
  return st;
}
