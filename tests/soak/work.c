/* The writing process: eight threads that change, ask, search, switch, compact. */
#include "soak/soak.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct worker {
  const soak_run *run;
  soak_model *model;
  quoin_pool *pool;
  quoin_store *store; /* held for some steps */
  uint32_t number;    /* which it is */
  unsigned thread;
  uint64_t random;
  char who[32];
} worker;

static void
good(const worker *w, quoin_status st, const quoin_error *err, const char *what)
{
  char text[100];
  if (!st) return;
  (void)snprintf(text, sizeof text, "%s: %s", w->who, what);
  soak_good(w->model, st, err, text);
}

static uint64_t
draw(worker *w, uint64_t below)
{
  return soak_draw(&w->random) % below;
}

/* A group of this thread. */
static uint32_t
own_group(worker *w)
{
  return (uint32_t)(draw(w, SOAK_GROUPS / SOAK_THREADS) * SOAK_THREADS + w->thread);
}

/* ---- changes --------------------------------------------------------------------------------- */

static quoin_status
change(worker *w, quoin_txn *txn, const soak_open_txn *plan, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (uint32_t i = 0; i < plan->n && !st; i++) {
    uint32_t g = plan->group[i];
    uint32_t from = atomic_load(&w->model->store[w->number].acked[g]);
    uint32_t to = atomic_load(&w->model->store[w->number].begun[g]);
    st = soak_apply(txn, w->number, g, from, true, err);
    if (!st) st = soak_apply(txn, w->number, g, to, false, err);
  }
  return st;
}

/* Some groups, each once, to their next version. */
static void
make_plan(worker *w, soak_open_txn *plan)
{
  soak_store *s = &w->model->store[w->number];
  uint32_t n = 1 + (uint32_t)draw(w, SOAK_TXN_GROUPS);

  plan->store = w->number;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t g = own_group(w), k = 0;
    while (k < plan->n && plan->group[k] != g)
      k++;
    if (k < plan->n) continue;
    plan->group[plan->n++] = g;
  }
  /* To those who judge after a kill: which, before that they change. */
  soak_open_txn *shown = &w->model->txn[w->thread];
  shown->store = plan->store;
  memcpy(shown->group, plan->group, sizeof shown->group);
  atomic_store(&shown->n, plan->n);
  for (uint32_t i = 0; i < plan->n; i++)
    atomic_fetch_add(&s->begun[plan->group[i]], 1);
}

static void
change_step(worker *w)
{
  soak_store *s = &w->model->store[w->number];
  quoin_error err = QUOIN_ERROR_INIT;
  soak_open_txn plan = {.n = 0};
  quoin_txn *txn;
  bool abort_it = draw(w, 16) == 0;

  make_plan(w, &plan);
  good(w, quoin_txn_begin(&txn, w->store, &err), &err, "begin");
  good(w, change(w, txn, &plan, &err), &err, "changing");
  quoin_status st = QUOIN_ERR_CONFLICT;
  if (abort_it)
    quoin_txn_abort(txn);
  else if ((st = quoin_txn_commit(NULL, NULL, txn, &err)) && st != QUOIN_ERR_CONFLICT)
    good(w, st, &err, "commit");
  for (uint32_t i = 0; i < plan.n; i++) {
    uint32_t g = plan.group[i];
    if (st)
      atomic_fetch_sub(&s->begun[g], 1);
    else
      atomic_store(&s->acked[g], atomic_load(&s->begun[g]));
  }
  atomic_store(&w->model->txn[w->thread].n, 0);
  soak_note(w->model, st ? SOAK_CONFLICTS : SOAK_COMMITS);
}

/* Read the counter in a transaction and write one more; *next: what it becomes. */
static quoin_status
count_in(worker *w, quoin_txn *txn, quoin_error *err)
{
  quoin_cursor *c;
  char text[200];
  int64_t n = -1;
  quoin_status st = quoin_txn_query(
      &c, txn, soak_span("SELECT ?n { <urn:soak:store> <urn:soak:counter> ?n }"), NULL, err);

  if (st) return st;
  if ((st = quoin_cursor_next(c, err)) || !quoin_cursor_integer(&n, c, 0))
    soak_fail(w->model, "%s: store %u has no counter (%s)", w->who, w->number, err->message);
  quoin_cursor_close(c);
  (void)snprintf(text, sizeof text,
                 "DELETE DATA { <urn:soak:store> <urn:soak:counter> %" PRId64 " } ; "
                 "INSERT DATA { <urn:soak:store> <urn:soak:counter> %" PRId64 " }",
                 n, n + 1);
  return quoin_txn_update(txn, soak_span(text), NULL, err);
}

static void
count_step(worker *w)
{
  static const char update[] = "DELETE { ?s ?p ?n } INSERT { ?s ?p ?m } WHERE { "
                               "VALUES (?s ?p) { (<urn:soak:store> <urn:soak:counter>) } "
                               "?s ?p ?n BIND(?n + 1 AS ?m) }";
  soak_store *s = &w->model->store[w->number];
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn;
  quoin_status st;

  atomic_fetch_add(&s->counting, 1);
  if (draw(w, 2)) {
    quoin_update_result result;
    st = quoin_update(&result, w->store, soak_span(update), NULL, &err);
    if (!st && (result.added != 1 || result.removed != 1))
      soak_fail(w->model, "%s: an update of the counter added %" PRIu64 " and removed %" PRIu64,
                w->who, result.added, result.removed);
  } else {
    good(w, quoin_txn_begin(&txn, w->store, &err), &err, "begin");
    good(w, count_in(w, txn, &err), &err, "counting");
    st = quoin_txn_commit(NULL, NULL, txn, &err);
  }
  if (st && st != QUOIN_ERR_CONFLICT) good(w, st, &err, "counting");
  if (st) {
    atomic_fetch_sub(&s->counting, 1);
    soak_note(w->model, SOAK_CONFLICTS);
  } else {
    atomic_fetch_add(&s->counted, 1);
    soak_note(w->model, SOAK_COUNTS);
  }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A group's members say one version: of an own group the very one. */
static void
query_step(worker *w)
{
  soak_store *s = &w->model->store[w->number];
  uint32_t g = draw(w, 2) ? own_group(w) : (uint32_t)draw(w, SOAK_GROUPS);
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *c;
  char text[200];
  int64_t version = -1, n = 0;
  unsigned rows = 0;
  quoin_status st;

  (void)snprintf(text, sizeof text,
                 "SELECT ?v (COUNT(?s) AS ?n) { ?s <urn:soak:group> %u ; <urn:soak:version> ?v } "
                 "GROUP BY ?v",
                 g);
  uint32_t low = atomic_load(&s->acked[g]);
  good(w, quoin_query(&c, w->store, soak_span(text), NULL, &err), &err, "query");
  while (!(st = quoin_cursor_next(c, &err))) {
    rows++;
    if (!quoin_cursor_integer(&version, c, 0) || !quoin_cursor_integer(&n, c, 1))
      soak_fail(w->model, "%s: a row without numbers", w->who);
  }
  if (st != QUOIN_DONE) good(w, st, &err, "query");
  quoin_cursor_close(c);
  uint32_t high = atomic_load(&s->begun[g]);
  bool fits = rows == 1 && n == SOAK_MEMBERS && version >= low && version <= high &&
              !soak_is_empty((uint32_t)version);
  for (uint32_t v = low; v <= high && !rows; v++)
    fits |= soak_is_empty(v);
  if (!fits)
    soak_fail(w->model, "%s: store %u, group %u: %u rows, %d members at version %d, not %u to %u",
              w->who, w->number, g, rows, (int)n, (int)version, low, high);
  soak_note(w->model, SOAK_QUERIES);
}

/* A cursor that is read in two parts while others write shows one state. */
static void
slow_query_step(worker *w)
{
  static const char query[] = "SELECT ?g ?v (COUNT(?s) AS ?n) { ?s <urn:soak:group> ?g ; "
                              "<urn:soak:version> ?v } GROUP BY ?g ?v ORDER BY ?g";
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *c;
  int64_t g = -1, last = -1, n = 0;
  quoin_status st;

  good(w, quoin_query(&c, w->store, soak_span(query), NULL, &err), &err, "slow query");
  for (unsigned row = 0; !(st = quoin_cursor_next(c, &err)); row++) {
    if (!quoin_cursor_integer(&g, c, 0) || !quoin_cursor_integer(&n, c, 2) || g <= last ||
        n != SOAK_MEMBERS)
      soak_fail(w->model, "%s: store %u: group %d after %d has %d members", w->who, w->number,
                (int)g, (int)last, (int)n);
    last = g;
    if (row == 20) (void)usleep(1000 * (useconds_t)draw(w, 100));
  }
  if (st != QUOIN_DONE) good(w, st, &err, "slow query");
  quoin_cursor_close(c);
  soak_note(w->model, SOAK_QUERIES);
}

/* The nearest to the vector of an own group is the group; through the graph nearly always. */
static void
search_step(worker *w)
{
  uint32_t g = own_group(w);
  uint32_t version = atomic_load(&w->model->store[w->number].acked[g]);
  quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *index;
  quoin_hits *hits;
  quoin_term term = {.kind = QUOIN_TERM_NONE};
  char subject[64] = "";
  float query[SOAK_DIM];

  if (soak_is_empty(version)) return;
  soak_vector(query, w->number, g, version);
  options.k = 5;
  options.exact = draw(w, 2);
  good(w, quoin_vectors_open(&index, w->store, soak_span(SOAK_EMBEDDING), &err), &err, "index");
  good(w, quoin_vectors_search(&hits, index, query, 1, &options, &err), &err, "search");
  if (quoin_hits_count(hits, 0)) good(w, quoin_hits_term(&term, hits, 0, 0, &err), &err, "hit");
  memcpy(subject, term.value.ptr, term.value.len < sizeof subject ? term.value.len : 0);
  uint32_t found = UINT32_MAX;
  bool it = sscanf(subject, "urn:soak:%" SCNu32 "/0", &found) == 1 && found == g &&
            quoin_hits_distance(hits, 0, 0) < 1e-6;
  if (!it && options.exact)
    soak_fail(w->model, "%s: store %u: the nearest to group %u, version %u, is '%s' at %g of %zu",
              w->who, w->number, g, version, subject, quoin_hits_distance(hits, 0, 0),
              quoin_hits_count(hits, 0));
  quoin_hits_close(hits);
  quoin_vectors_close(index);
  soak_note(w->model, SOAK_SEARCHES);
  if (options.exact) return;
  soak_note(w->model, SOAK_GRAPH);
  if (it) soak_note(w->model, SOAK_NEAREST);
}

static void
scan_step(worker *w)
{
  soak_view view;
  soak_view_begin(&view, w->model, w->number);
  soak_view_look(&view, w->model, w->store, w->number, w->who);
}

/* ---- upkeep ---------------------------------------------------------------------------------- */

static void
upkeep_step(worker *w)
{
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *index;

  switch (draw(w, 4)) {
  case 0:
    good(w, quoin_store_compact(w->store, 0, NULL, &err), &err, "compact");
    soak_note(w->model, SOAK_COMPACTIONS);
    break;
  case 1:
    good(w, quoin_checkpoint(w->store, &err), &err, "checkpoint");
    soak_note(w->model, SOAK_CHECKPOINTS);
    break;
  case 2:
    good(w, quoin_vectors_settle(w->store, NULL, &err), &err, "settle");
    good(w, quoin_vectors_open(&index, w->store, soak_span(SOAK_EMBEDDING), &err), &err, "index");
    good(w, quoin_vectors_check(&report, index, false, NULL, &err), &err, "vector check");
    if (report.unreachable)
      soak_fail(w->model, "%s: store %u: %" PRIu64 " of %" PRIu64 " vectors are unreachable",
                w->who, w->number, report.unreachable, report.nodes);
    quoin_vectors_close(index);
    break;
  default:
    good(w, quoin_check(w->store, NULL, NULL, NULL, &err), &err, "check");
  }
}

/* One thread switches: the names are live and next at any time. */
static void
switch_step(worker *w)
{
  soak_model *m = w->model;
  quoin_error err = QUOIN_ERROR_INIT;

  atomic_store(&m->live_next, 1 - atomic_load(&m->live));
  good(w, quoin_pool_switch(w->pool, "live", "next", &err), &err, "switch");
  atomic_store(&m->live, atomic_load(&m->live_next));
  if (draw(w, 3) == 0)
    good(w, quoin_pool_activate(w->pool, draw(w, 2) ? "live" : "next", &err), &err, "activate");
  soak_note(m, SOAK_SWITCHES);
}

static quoin_status
see_entry(void *user, const quoin_pool_entry *e, quoin_error *err)
{
  (void)err;
  *(unsigned *)user += !strcmp(e->name, "live") || !strcmp(e->name, "next");
  return QUOIN_OK;
}

static void
list_step(worker *w)
{
  quoin_pool_usage usage = QUOIN_POOL_USAGE_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  unsigned n = 0;

  good(w, quoin_pool_list(w->pool, see_entry, &n, &err), &err, "list");
  good(w, quoin_pool_get_usage(&usage, w->pool, &err), &err, "usage");
  if (n != SOAK_STORES) soak_fail(w->model, "%s: the pool lists %u of its stores", w->who, n);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void
take_store(worker *w)
{
  static const char *const names[] = {"live", "next", NULL};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *old = w->store;

  good(w, quoin_pool_store(&w->store, w->pool, names[draw(w, 3)], &err), &err, "taking a store");
  w->number = soak_identity(w->model, w->store);
  quoin_close(old); /* after, so that now and then both are open */
}

static void
step(worker *w)
{
  uint64_t d = draw(w, 1000);

  if (d < 450)
    change_step(w);
  else if (d < 530)
    count_step(w);
  else if (d < 700)
    query_step(w);
  else if (d < 830)
    search_step(w);
  else if (d < 860)
    scan_step(w);
  else if (d < 880)
    slow_query_step(w);
  else if (d < 920)
    soak_own_step(w->run, w->pool, w->thread, &w->random);
  else if (d < 940)
    soak_rent_step(w->run, w->pool, &w->random);
  else if (d < 960)
    list_step(w);
  else if (d < 990 && w->thread == 0)
    switch_step(w);
  else if (d == 990)
    soak_temporary_step(w->run, &w->random);
  else if (d == 991)
    soak_backup_step(w->run, w->store, w->number, w->who);
  else if (d >= 997)
    upkeep_step(w);
}

static void *
work(void *user)
{
  worker *w = user;

  while (!atomic_load(&w->model->stop)) {
    take_store(w);
    for (uint64_t n = 1 + draw(w, 60); n && !atomic_load(&w->model->stop); n--)
      step(w);
  }
  quoin_close(w->store);
  return NULL;
}

void
soak_write(const soak_run *run)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  const quoin_alloc alloc = soak_alloc(run);
  quoin_error err = QUOIN_ERROR_INIT;
  static worker w[SOAK_THREADS];
  pthread_t id[SOAK_THREADS];
  quoin_pool *pool;

  options.alloc = &alloc;
  options.memory_bytes = 200000; /* flushes and merges now and then */
  options.lent_most = 3;
  options.durability = QUOIN_DURABILITY_RELAXED; /* what is killed is the process */
  soak_good(run->model, quoin_pool_open(&pool, run->pool, &options, &err), &err,
            "opening the pool");
  for (unsigned i = 0; i < SOAK_THREADS; i++) {
    w[i] = (worker){.run = run, .model = run->model, .pool = pool, .thread = i};
    w[i].random = soak_mix(run->seed * 64 + i);
    (void)snprintf(w[i].who, sizeof w[i].who, "writer %u", i);
    if (pthread_create(&id[i], NULL, work, &w[i])) soak_fail(run->model, "no thread");
  }
  for (unsigned i = 0; i < SOAK_THREADS; i++)
    (void)pthread_join(id[i], NULL);
  quoin_pool_close(pool);
}
