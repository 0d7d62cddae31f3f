/* After a kill, and at the end: every byte of every store, and what the pool consists of. */
#include "soak/soak.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A transaction that was open changed all of its groups or none. */
static void
judge_txn(soak_model *m, const soak_open_txn *t, uint32_t number, const soak_view *view)
{
  const soak_store *s = &m->store[number];
  uint32_t n = atomic_load(&t->n), done = 0, known = 0;

  if (!n || t->store != number) return;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t g = t->group[i], acked = atomic_load(&s->acked[g]), begun = atomic_load(&s->begun[g]);
    if (begun == acked) continue; /* it had not come so far, or had ended with this one */
    bool is_new = view->seen[g] == UINT32_MAX ? soak_is_empty(begun) : view->seen[g] == begun;
    known++;
    done += is_new;
  }
  if (done && done != known && known == n)
    soak_fail(m, "store %u: %u of %u groups of a transaction have changed", number, done, n);
}

/* What is there is what was acknowledged, from here on. */
static void
settle(soak_model *m, uint32_t number, const soak_view *view)
{
  soak_store *s = &m->store[number];
  for (uint32_t g = 0; g < SOAK_GROUPS; g++) {
    uint32_t version = view->seen[g];
    if (version == UINT32_MAX) {
      version = atomic_load(&s->begun[g]);
      while (!soak_is_empty(version))
        version--;
    }
    atomic_store(&s->acked[g], version);
    atomic_store(&s->begun[g], version);
  }
  atomic_store(&s->counted, view->counter);
  atomic_store(&s->counting, view->counter);
}

static void
judge_shared(const soak_run *run, quoin_pool *pool, const char *name)
{
  soak_model *m = run->model;
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  soak_view *view = malloc(sizeof *view);
  quoin_vectors *index;
  quoin_store *store;

  if (!view) soak_fail(m, "no memory");
  soak_good(m, quoin_pool_store(&store, pool, name, &err), &err, name);
  soak_good(m, quoin_check(store, NULL, NULL, NULL, &err), &err, name);
  uint32_t number = soak_identity(m, store);
  uint32_t live = atomic_load(&m->live), next = atomic_load(&m->live_next);
  uint32_t means = strcmp(name, "live") ? 1 - number : number; /* what live must be */
  if (means != live && means != next)
    soak_fail(m, "'%s' is store %u; live was %u and to be %u", name, number, live, next);
  if (!strcmp(name, "next")) { /* the second to be judged */
    atomic_store(&m->live, means);
    atomic_store(&m->live_next, means);
  }
  soak_view_begin(view, m, number);
  soak_view_look(view, m, store, number, name);
  for (unsigned t = 0; t < SOAK_THREADS; t++)
    judge_txn(m, &m->txn[t], number, view);
  settle(m, number, view);
  soak_good(m, quoin_vectors_open(&index, store, soak_span(SOAK_EMBEDDING), &err), &err, name);
  soak_good(m, quoin_vectors_check(&report, index, false, NULL, &err), &err, name);
  if (report.unreachable) soak_fail(m, "%s: %" PRIu64 " unreachable", name, report.unreachable);
  quoin_vectors_close(index);
  quoin_close(store);
  free(view);
}

static void
judge_own(const soak_run *run, quoin_pool *pool, unsigned thread)
{
  soak_model *m = run->model;
  soak_own *o = &m->own[thread];
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  char name[32];
  uint64_t n = 0;

  (void)snprintf(name, sizeof name, "own-%u", thread);
  quoin_status st = quoin_pool_store(&store, pool, name, &err);
  if (st != QUOIN_ERR_NOT_FOUND) soak_good(m, st, &err, name);
  if (!st) {
    soak_good(m, quoin_check(store, NULL, NULL, NULL, &err), &err, name);
    soak_good(m, quoin_count(&n, store, NULL, QUOIN_DEFAULT_GRAPH, &err), &err, name);
    quoin_close(store);
  }
  bool is = !st;
  if ((is != atomic_load(&o->is) && is != atomic_load(&o->will)) ||
      (is && n != atomic_load(&o->rows) && n != atomic_load(&o->to_rows)))
    soak_fail(m, "%s: there: %d, %" PRIu64 " rows; was %d with %" PRIu64 ", to be %d with %" PRIu64,
              name, is, n, atomic_load(&o->is), atomic_load(&o->rows), atomic_load(&o->will),
              atomic_load(&o->to_rows));
  atomic_store(&o->is, is);
  atomic_store(&o->will, is);
  atomic_store(&o->rows, n);
  atomic_store(&o->to_rows, n);
}

static quoin_status
count_entry(void *user, const quoin_pool_entry *e, quoin_error *err)
{
  (void)e, (void)err;
  ++*(unsigned *)user;
  return QUOIN_OK;
}

/* Directories of stores that nothing names are gone once a pool is opened. */
static void
judge_directories(const soak_run *run, quoin_pool *pool)
{
  quoin_error err = QUOIN_ERROR_INIT;
  unsigned named = 0, there = 0;
  const struct dirent *e;
  DIR *dir = opendir(run->pool);

  while (dir && (e = readdir(dir)))
    there += !strncmp(e->d_name, "store-", 6);
  if (dir) (void)closedir(dir);
  soak_good(run->model, quoin_pool_list(pool, count_entry, &named, &err), &err, "list");
  if (there != named)
    soak_fail(run->model, "the pool has %u names and %u directories", named, there);
}

void
soak_judge(const soak_run *run)
{
  soak_model *m = run->model;
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_pool *pool;

  options.durability = QUOIN_DURABILITY_RELAXED;
  soak_good(m, quoin_pool_open(&pool, run->pool, &options, &err), &err, "opening the pool");
  judge_directories(run, pool);
  judge_shared(run, pool, "live");
  judge_shared(run, pool, "next");
  for (unsigned t = 0; t < SOAK_THREADS; t++) {
    judge_own(run, pool, t);
    atomic_store(&m->txn[t].n, 0);
  }
  quoin_pool_close(pool);
}
