/* A reading process beside the writing one: two threads share a handle that moves on. */
#include "soak/soak.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct reader {
  const soak_run *run;
  soak_model *model;
  quoin_pool *pool;
  uint64_t random;
  /* Nothing that was seen goes away again, switch or kill. */
  uint32_t seen[SOAK_STORES][SOAK_GROUPS];
} reader;

/* What both threads use for a while. */
typedef struct shared_handle {
  reader *r;
  quoin_store *store;
  uint32_t number;
  atomic_bool done;
} shared_handle;

static uint64_t
draw(reader *r, uint64_t below)
{
  return soak_draw(&r->random) % below;
}

/* Refresh, then look: all that was acknowledged before is there. */
static void
look(reader *r, quoin_store *store, uint32_t number)
{
  soak_view *view = malloc(sizeof *view);
  if (!view) soak_fail(r->model, "no memory");
  soak_refreshed(view, r->model, store, number);
  soak_view_look(view, r->model, store, number, "reader");
  for (unsigned g = 0; g < SOAK_GROUPS; g++) {
    if (view->seen[g] == UINT32_MAX) continue;
    if (view->seen[g] < r->seen[number][g])
      soak_fail(r->model, "reader: store %u: group %u went back from version %u to %u", number, g,
                r->seen[number][g], view->seen[g]);
    r->seen[number][g] = view->seen[g];
  }
  free(view);
}

/* Beside the refreshes: each answer is of one state. */
static void *
ask(void *user)
{
  static const char query[] = "SELECT ?g ?v (COUNT(?s) AS ?n) { ?s <urn:soak:group> ?g ; "
                              "<urn:soak:version> ?v } GROUP BY ?g ?v";
  shared_handle *h = user;
  soak_model *m = h->r->model;
  quoin_error err = QUOIN_ERROR_INIT;

  while (!atomic_load(&h->done)) {
    quoin_cursor *c;
    bool seen[SOAK_GROUPS] = {false};
    int64_t g, n;
    quoin_status st;
    soak_good(m, quoin_query(&c, h->store, soak_span(query), NULL, &err), &err, "reader's query");
    while (!(st = quoin_cursor_next(c, &err))) {
      if (!quoin_cursor_integer(&g, c, 0) || !quoin_cursor_integer(&n, c, 2) || g < 0 ||
          g >= SOAK_GROUPS || seen[g] || n != SOAK_MEMBERS)
        soak_fail(m, "reader's query: store %u: a group is not whole", h->number);
      seen[g] = true;
    }
    if (st != QUOIN_DONE) soak_good(m, st, &err, "reader's query");
    quoin_cursor_close(c);
    soak_note(m, SOAK_QUERIES);
    (void)usleep(2000);
  }
  return NULL;
}

/* Vectors: what was acknowledged and has not begun to change is found. */
static void
search(reader *r, quoin_store *store, uint32_t number)
{
  const soak_store *s = &r->model->store[number];
  uint32_t g = (uint32_t)draw(r, SOAK_GROUPS), version = atomic_load(&s->acked[g]);
  quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *index;
  quoin_hits *hits;
  float query[SOAK_DIM];

  if (soak_is_empty(version)) return;
  quoin_status st = quoin_store_refresh(NULL, store, &err);
  if (st == QUOIN_ERR_BUSY) return;
  soak_good(r->model, st, &err, "refresh");
  soak_vector(query, number, g, version);
  options.k = 1;
  options.exact = true;
  soak_good(r->model, quoin_vectors_open(&index, store, soak_span(SOAK_EMBEDDING), &err), &err,
            "reader's index");
  soak_good(r->model, quoin_vectors_search(&hits, index, query, 1, &options, &err), &err,
            "reader's search");
  double d = quoin_hits_distance(hits, 0, 0);
  if (!(d < 1e-6) && atomic_load(&s->begun[g]) == version)
    soak_fail(r->model, "reader: store %u: the vector of group %u, version %u, is at %g", number, g,
              version, d);
  quoin_hits_close(hits);
  quoin_vectors_close(index);
  soak_note(r->model, SOAK_SEARCHES);
}

/* A store that comes and goes: whatever it is, it is readable, or not there. */
static void
look_at_own(reader *r)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  uint64_t n;
  char name[32];

  (void)snprintf(name, sizeof name, "own-%u", (unsigned)draw(r, SOAK_THREADS));
  quoin_status st = quoin_pool_store(&store, r->pool, name, &err);
  if (st == QUOIN_ERR_NOT_FOUND || st == QUOIN_ERR_BUSY) return;
  soak_good(r->model, st, &err, "reader: own store");
  soak_good(r->model, quoin_count(&n, store, NULL, QUOIN_ANY_GRAPH, &err), &err,
            "reader: own store");
  quoin_close(store);
}

static void
read_for_a_while(reader *r)
{
  static const char *const names[] = {"live", "next", NULL};
  quoin_error err = QUOIN_ERROR_INIT;
  shared_handle h = {.r = r};
  pthread_t other;

  soak_good(r->model, quoin_pool_store(&h.store, r->pool, names[draw(r, 3)], &err), &err,
            "reader: taking a store");
  h.number = soak_identity(r->model, h.store);
  if (pthread_create(&other, NULL, ask, &h)) soak_fail(r->model, "no thread");
  for (uint64_t n = draw(r, 40); n && !atomic_load(&r->model->stop); n--) {
    uint64_t d = draw(r, 40);
    if (d < 20)
      look(r, h.store, h.number);
    else if (d < 34)
      search(r, h.store, h.number);
    else if (d < 38)
      look_at_own(r);
    else if (d == 38 && draw(r, 4) == 0)
      soak_backup_step(r->run, h.store, h.number, "reader");
  }
  atomic_store(&h.done, true);
  (void)pthread_join(other, NULL);
  quoin_close(h.store);
  soak_note(r->model, SOAK_READERS_LOOKED);
}

void
soak_read(const soak_run *run)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  const quoin_alloc alloc = soak_alloc(run);
  quoin_error err = QUOIN_ERROR_INIT;
  static reader r;

  r.run = run;
  r.model = run->model;
  r.random = soak_mix(run->seed);
  options.alloc = &alloc;
  options.mode = QUOIN_READ_ONLY;
  soak_good(run->model, quoin_pool_open(&r.pool, run->pool, &options, &err), &err,
            "reader: opening the pool");
  while (!atomic_load(&run->model->stop))
    read_for_a_while(&r);
  quoin_pool_close(r.pool);
}
