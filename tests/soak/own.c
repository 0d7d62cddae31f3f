/* Stores that come and go: each thread's own, lent ones, temporary pools, backups. */
#include "soak/soak.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BULK = 101000, SMALL_MOST = 400 };

static uint64_t
draw(uint64_t *random, uint64_t below)
{
  return soak_draw(random) % below;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Statements <urn:own:N> <urn:n> N of [from, to), and vectors of some of them. */
static quoin_status
add_rows(quoin_store *store, uint64_t from, uint64_t to, quoin_error *err)
{
  quoin_txn *txn;
  float vector[SOAK_DIM];
  quoin_status st = quoin_txn_begin(&txn, store, err);

  if (st) return st;
  for (uint64_t n = from; n < to && !st; n++) {
    char subject[64], object[32];
    quoin_statement s = {.subject.kind = QUOIN_TERM_IRI,
                         .predicate.kind = QUOIN_TERM_IRI,
                         .object.kind = QUOIN_TERM_LITERAL};
    (void)snprintf(subject, sizeof subject, "urn:own:%" PRIu64, n % 5000);
    (void)snprintf(object, sizeof object, "row %" PRIu64, n);
    s.subject.value = soak_span(subject);
    s.predicate.value = soak_span("urn:n");
    s.object.value = soak_span(object);
    st = quoin_txn_add(txn, &s, err);
    if (st || n % 10) continue;
    soak_vector(vector, 9, (uint32_t)(n / 10 % 64), 1);
    vector[0] += (float)n;
    s.graph = (quoin_term){.kind = QUOIN_TERM_IRI, .value = soak_span("urn:soak:vectors")};
    st = quoin_txn_add_vector(txn, &s.subject, soak_span(SOAK_EMBEDDING), &s.graph, vector,
                              SOAK_DIM, err);
  }
  if (!st) return quoin_txn_commit(NULL, NULL, txn, err);
  quoin_txn_abort(txn);
  return st;
}

static quoin_status
load_rows(quoin_store *store, uint64_t from, uint64_t to, quoin_error *err)
{
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  size_t room = (size_t)(to - from) * 64 + 1, len = 0;
  char *text = malloc(room);

  if (!text) abort();
  for (uint64_t n = from; n < to; n++)
    len += (size_t)snprintf(text + len, room - len,
                            "<urn:own:%" PRIu64 "> <urn:n> \"row %" PRIu64 "\" .\n", n % 5000, n);
  options.format = QUOIN_NTRIPLES;
  options.memory_bytes = 4 << 20;
  quoin_status st = quoin_load_memory(NULL, store, (quoin_span){text, len}, &options, err);
  free(text);
  return st;
}

static uint64_t
rows_of(soak_model *m, quoin_store *store, const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  soak_good(m, quoin_count(&n, store, NULL, QUOIN_DEFAULT_GRAPH, &err), &err, what);
  return n;
}

/* ---- a thread's own store -------------------------------------------------------------------- */

/* The next state has come to be. */
static void
arrive(soak_own *o)
{
  atomic_store(&o->is, atomic_load(&o->will));
  atomic_store(&o->rows, atomic_load(&o->to_rows));
}

static void
fill_own(const soak_run *run, quoin_pool *pool, soak_own *o, const char *name, uint64_t *random)
{
  soak_model *m = run->model;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t from = atomic_load(&o->rows);
  bool bulk = draw(random, 60) == 0;
  uint64_t to = from + (bulk ? BULK : 1 + draw(random, SMALL_MOST));
  quoin_store *store;

  soak_good(m, quoin_pool_store(&store, pool, name, &err), &err, name);
  if (rows_of(m, store, name) != from)
    soak_fail(m, "%s has %" PRIu64 " rows, not %" PRIu64, name, rows_of(m, store, name), from);
  if (from == 0)
    soak_good(m, quoin_update(NULL, store, soak_span(soak_index), NULL, &err), &err, name);
  atomic_store(&o->to_rows, to);
  if (bulk || draw(random, 4) == 0)
    soak_good(m, load_rows(store, from, to, &err), &err, name);
  else
    soak_good(m, add_rows(store, from, to, &err), &err, name);
  arrive(o);
  soak_note(m, SOAK_LOADS);
  if (rows_of(m, store, name) != to)
    soak_fail(m, "%s has %" PRIu64 " rows, not %" PRIu64, name, rows_of(m, store, name), to);
  quoin_close(store);
}

static void remove_tree(const char *path);

/* Backed up, deleted, and restored into the pool under its name. */
static void
restore_own(const soak_run *run, quoin_pool *pool, soak_own *o, const char *name)
{
  soak_model *m = run->model;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t rows = atomic_load(&o->rows);
  quoin_store *store;
  char copy[560];

  (void)snprintf(copy, sizeof copy, "%.500s/pooled-%ld-%s", run->side, (long)getpid(), name);
  soak_good(m, quoin_pool_store(&store, pool, name, &err), &err, name);
  soak_good(m, quoin_backup(store, copy, NULL, &err), &err, name);
  quoin_close(store);
  if (quoin_pool_restore(pool, name, copy, NULL, &err) != QUOIN_ERR_EXISTS)
    soak_fail(m, "%s was restored over what there was", name);
  err = (quoin_error)QUOIN_ERROR_INIT;
  atomic_store(&o->will, false);
  atomic_store(&o->to_rows, 0);
  soak_good(m, quoin_pool_delete(pool, name, &err), &err, name);
  arrive(o);
  atomic_store(&o->to_rows, rows);
  atomic_store(&o->will, true);
  soak_good(m, quoin_pool_restore(pool, name, copy, NULL, &err), &err, name);
  arrive(o);
  soak_good(m, quoin_pool_store(&store, pool, name, &err), &err, name);
  if (rows_of(m, store, name) != rows) soak_fail(m, "%s lost rows on its way", name);
  quoin_close(store);
  remove_tree(copy);
  soak_note(m, SOAK_RESTORES);
}

void
soak_own_step(const soak_run *run, quoin_pool *pool, unsigned thread, uint64_t *random)
{
  soak_model *m = run->model;
  soak_own *o = &m->own[thread];
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t d = draw(random, 10);
  char name[32];

  (void)snprintf(name, sizeof name, "own-%u", thread);
  if (!atomic_load(&o->is)) {
    atomic_store(&o->will, true);
    soak_good(m, quoin_pool_create(pool, name, 0, &err), &err, name);
    soak_note(m, SOAK_CREATES);
  } else if (d == 0) {
    atomic_store(&o->will, false);
    atomic_store(&o->to_rows, 0);
    soak_good(m, quoin_pool_delete(pool, name, &err), &err, name);
    soak_note(m, SOAK_DELETES);
  } else if (d == 1 || atomic_load(&o->rows) > 2 * BULK) {
    atomic_store(&o->to_rows, 0);
    soak_good(m, quoin_pool_clear(pool, name, &err), &err, name);
    soak_note(m, SOAK_CLEARS);
  } else if (d == 2 && atomic_load(&o->rows)) {
    restore_own(run, pool, o, name);
    return;
  } else {
    fill_own(run, pool, o, name, random);
    return;
  }
  arrive(o);
}

/* ---- lent stores and temporary pools --------------------------------------------------------- */

static void
use_empty(soak_model *m, quoin_store *store, uint64_t *random, const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 1 + draw(random, SMALL_MOST);
  quoin_vectors *index;

  if (rows_of(m, store, what)) soak_fail(m, "%s is not empty", what);
  if (quoin_vectors_open(&index, store, soak_span(SOAK_EMBEDDING), &err) != QUOIN_ERR_NOT_FOUND)
    soak_fail(m, "%s has a vector index", what);
  soak_good(m, quoin_update(NULL, store, soak_span(soak_index), NULL, &err), &err, what);
  soak_good(m, add_rows(store, 0, n, &err), &err, what);
  if (rows_of(m, store, what) != n) soak_fail(m, "%s lost rows", what);
}

void
soak_rent_step(const soak_run *run, quoin_pool *pool, uint64_t *random)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;

  quoin_status st = quoin_pool_rent(&store, pool, 60000, NULL, &err);
  soak_good(run->model, st, &err, "renting");
  use_empty(run->model, store, random, "a lent store");
  quoin_close(store);
  soak_note(run->model, SOAK_RENTS);
}

void
soak_temporary_step(const soak_run *run, uint64_t *random)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  quoin_pool *pool;
  char path[600];

  options.temporary = true;
  soak_good(run->model, quoin_pool_open(&pool, run->side, &options, &err), &err, "temporary pool");
  soak_good(run->model, quoin_pool_create(pool, "x", 0, &err), &err, "temporary pool");
  soak_good(run->model, quoin_pool_store(&store, pool, "x", &err), &err, "temporary pool");
  (void)snprintf(path, sizeof path, "%.500s", quoin_pool_path(pool));
  quoin_pool_close(pool);
  use_empty(run->model, store, random, "a temporary store");
  quoin_close(store);
  if (!access(path, F_OK)) soak_fail(run->model, "temporary pool: '%s' is left", path);
  soak_note(run->model, SOAK_TEMPORARY);
}

/* ---- backups --------------------------------------------------------------------------------- */

static void
remove_tree(const char *path)
{
  char command[700];
  (void)snprintf(command, sizeof command, "rm -rf '%.600s'", path);
  if (system(command)) (void)fprintf(stderr, "%s stays\n", path);
}

static void
look_at(soak_model *m, soak_view *view, const char *path, uint32_t number, const char *who)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;

  options.mode = QUOIN_READ_ONLY;
  soak_good(m, quoin_open(&store, path, &options, &err), &err, who);
  soak_view_look(view, m, store, number, who);
  quoin_close(store);
}

/* What changes in the one touches not the other. */
static void
change_copy(soak_model *m, const char *path, const char *who)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;

  soak_good(m, quoin_open(&store, path, NULL, &err), &err, who);
  soak_good(
      m,
      quoin_update(NULL, store, soak_span("DELETE WHERE { ?s <urn:soak:version> ?v }"), NULL, &err),
      &err, who);
  soak_good(m, quoin_store_compact(store, 0, NULL, &err), &err, who);
  quoin_close(store);
}

void
soak_backup_step(const soak_run *run, quoin_store *store, uint32_t number, const char *who)
{
  static _Atomic unsigned serial;
  soak_model *m = run->model;
  quoin_error err = QUOIN_ERROR_INIT;
  soak_view *view = malloc(sizeof *view);
  char copy[560], back[560];
  unsigned n = atomic_fetch_add(&serial, 1);

  if (!view) soak_fail(m, "no memory");
  (void)snprintf(copy, sizeof copy, "%.500s/backup-%ld-%u", run->side, (long)getpid(), n);
  (void)snprintf(back, sizeof back, "%.500s/restored-%ld-%u", run->side, (long)getpid(), n);
  soak_refreshed(view, m, store, number);
  soak_good(m, quoin_backup(store, copy, NULL, &err), &err, "backup");
  look_at(m, view, copy, number, "backup");
  soak_note(m, SOAK_BACKUPS);
  soak_good(m, quoin_restore(back, copy, NULL, &err), &err, "restore");
  look_at(m, view, back, number, "restored");
  change_copy(m, back, "restored");
  look_at(m, view, copy, number, "backup whose copy changed");
  soak_note(m, SOAK_RESTORES);
  remove_tree(copy);
  remove_tree(back);
  free(view);
  (void)who;
}
