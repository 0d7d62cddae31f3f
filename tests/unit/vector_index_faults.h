/* Stores of vectors whose memory waits or is short, and searches for each of a list of vectors. */
#ifndef QUOIN_TESTS_VECTOR_INDEX_FAULTS_H
#define QUOIN_TESTS_VECTOR_INDEX_FAULTS_H

#include "unit/vector_index_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "vector/index.h"

/* ---- memory that waits, or is short ------------------------------------------------------------
 */

typedef struct heap {
  quoin_alloc alloc;
  pthread_t self;
  _Atomic bool armed, waits;
  _Atomic int calls;      /* of other threads */
  int stop_at;            /* they wait at this call while armed */
  _Atomic size_t refused; /* what has this size is refused */
} heap;

static inline void
heap_pass(heap *h)
{
  if (pthread_equal(pthread_self(), h->self) || !atomic_load(&h->armed)) return;
  if (atomic_fetch_add(&h->calls, 1) + 1 != h->stop_at) return;
  atomic_store(&h->waits, true);
  while (atomic_load(&h->armed))
    (void)usleep(1000);
  atomic_store(&h->waits, false);
}

static inline void *
heap_allocate(void *user, size_t size)
{
  heap *h = user;
  heap_pass(h);
  return size == atomic_load(&h->refused) ? NULL : malloc(size);
}

static inline void *
heap_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  heap *h = user;
  (void)old_size;
  heap_pass(h);
  return new_size == atomic_load(&h->refused) ? NULL : realloc(ptr, new_size);
}

static inline void
heap_release(void *user, void *ptr, size_t size)
{
  (void)user, (void)size;
  free(ptr);
}

static inline void
heap_begin(heap *h)
{
  *h = (heap){.alloc = {heap_allocate, heap_resize, heap_release, h}, .self = pthread_self()};
}

/* ---- stores -----------------------------------------------------------------------------------
 */

static inline void
count_warning(void *user, const char *line)
{
  if (strncmp(line, "warning: ", 9) != 0) return;
  (void)fprintf(stderr, "%s\n", line);
  atomic_fetch_add((_Atomic(unsigned) *)user, 1);
}

/* `warnings` (NULL is fine): so many there were. */
static inline void
open_on(world *w, bool read_only, const quoin_alloc *mem, _Atomic(unsigned) *warnings)
{
  const quad_store_options options = {
      .read_only = read_only, .log = warnings ? count_warning : NULL, .log_user = warnings};
  const vec_options vectors = {.read_only = read_only, .walk_always = true, .mem = mem};
  w->snapshot = NULL;
  good(quad_store_open(&w->store, w->path, &options, NULL, &err));
  good(vec_attach(w->store, &vectors, &err));
  look(w);
}

static inline void
draw(world *w, float (*values)[DIM], int n)
{
  for (int i = 0; i < n; i++)
    random_vector(w, values[i]);
}

static inline void
put_vectors(quad_txn *txn, bool add, const char *prefix, const char *p, float (*values)[DIM], int n)
{
  for (int i = 0; i < n; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "http://x/%s%d", prefix, i);
    const rdf_term terms[4] = {iri(name), iri(p), rdf_vector(values[i], DIM), {.kind = RDF_NONE}};
    good(add ? quad_txn_add(txn, terms, &err) : quad_txn_remove(txn, terms, &err));
  }
}

/* One commit. */
static inline quoin_status
change_vectors(world *w, bool add, const char *prefix, const char *p, float (*values)[DIM], int n)
{
  quad_txn *txn;
  good(quad_txn_begin(&txn, w->store, &err));
  put_vectors(txn, add, prefix, p, values, n);
  return quad_txn_commit(NULL, NULL, txn, &err);
}

/* Of these vectors so many are not found by themselves; *choice: the last search's way. */
static inline size_t
missing(world *w, float (*values)[DIM], int n, bool exact, vec_choice *choice)
{
  size_t lost = 0;
  for (int i = 0; i < n; i++) {
    vec_found *found;
    size_t n_found;
    vec_choice by = search(&found, &n_found, w, values[i], exact, NULL, NULL, 0);
    if (choice) *choice = by;
    lost += !n_found || found[0].distance > 1e-6;
    base_release(base_alloc_default(), found, n_found, sizeof(*found));
  }
  return lost;
}

/* ---- whoever holds the graphs: nothing is linked meanwhile ------------------------------------
 */

typedef struct holder {
  vec_indexes *ix;
  quad_store *store;
  pthread_t id, saves;
  _Atomic bool holds, done;
} holder;

static inline void *
hold(void *user)
{
  enum { LONGEST = 60000 }; /* ms */
  holder *h = user;
  base_mutex_lock(&h->ix->graphs);
  atomic_store(&h->holds, true);
  for (int i = 0; i < LONGEST && !atomic_load(&h->done); i++)
    (void)usleep(1000);
  base_mutex_unlock(&h->ix->graphs);
  return NULL;
}

static inline holder *
hold_graphs(world *w)
{
  holder *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  h->ix = quad_snapshot_participant(w->snapshot);
  h->store = w->store;
  assert_int_equal(pthread_create(&h->id, NULL, hold, h), 0);
  while (!atomic_load(&h->holds))
    (void)usleep(1000);
  return h;
}

static inline void
let_go(holder *h)
{
  atomic_store(&h->done, true);
  assert_int_equal(pthread_join(h->id, NULL), 0);
  free(h);
}

#endif /* QUOIN_TESTS_VECTOR_INDEX_FAULTS_H */
