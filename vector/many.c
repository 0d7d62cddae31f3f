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
  size_t n;
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

/* Queries in turn until none is left, or one of them has failed. */
static void *
work(void *user)
{
  worker *w = user;
  batch *b = w->batch;
  base_cancel cancel = b->request->cancel ? *b->request->cancel : (base_cancel){.flag = NULL};
  for (;;) {
    size_t i = atomic_fetch_add_explicit(&b->next, 1, memory_order_relaxed);
    if (i >= b->n || atomic_load_explicit(&b->failed, memory_order_relaxed)) return NULL;
    const float *near = b->queries + i * b->request->index->dimension;
    vec_request request = *b->request;
    request.near = &near;
    request.n_near = 1;
    request.cancel = &cancel;
    w->status = vec_search_planned(&b->found[i], &b->counts[i], &w->report, b->plan, &request,
                                   b->mem, &w->err);
    if (w->status) {
      atomic_store(&b->failed, true);
      return NULL;
    }
  }
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
    report->visits += workers[i].report.visits;
    report->approximate |= workers[i].report.approximate;
    if (workers[i].report.choice) report->choice = workers[i].report.choice;
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
