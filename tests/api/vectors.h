/* A store with a vector index, seen through the public header alone. */
#ifndef QUOIN_TESTS_API_VECTORS_H
#define QUOIN_TESTS_API_VECTORS_H

#include "fixture.h"

enum { DIM = 16, MANY = 3000 };
#define P "http://x/v"
#define VEC "PREFIX vec: <urn:x-quoin:vec#> "

static inline void
update(quoin_store *store, const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_update(NULL, store, text(what), NULL, &err), &err);
}

static inline void
declare(quoin_store *store)
{
  update(store, VEC "INSERT DATA { GRAPH <urn:x-quoin:system> { <" P
                    "> a vec:Index ; vec:dimension 16 } }");
}

static inline void
make_vector(float out[DIM], unsigned seed)
{
  uint64_t s = seed * 0x9E3779B97F4A7C15u + 99;
  for (int i = 0; i < DIM; i++) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    out[i] = (float)(s >> 40) / 8388608.0f - 1.0f;
  }
}

static inline void
add_many(quoin_store *store, unsigned from, unsigned n)
{
  quoin_txn *txn;
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned i = from; i < from + n; i++) {
    char name[64];
    float values[DIM];
    make_vector(values, i);
    snprintf(name, sizeof(name), "http://x/s%u", i);
    const quoin_term subject = iri(name);
    good(quoin_txn_add_vector(txn, &subject, text(P), NULL, values, DIM, &err), &err);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static inline void
settle(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_vectors_settle(store, NULL, &err), &err);
  good(quoin_checkpoint(store, &err), &err);
}

static inline quoin_vectors_stats
count(quoin_store *store)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors_stats stats = QUOIN_VECTORS_STATS_INIT;
  quoin_vectors *v;
  good(quoin_vectors_open(&v, store, text(P), &err), &err);
  good(quoin_vectors_count(&stats, v, NULL, &err), &err);
  quoin_vectors_close(v);
  return stats;
}

/* Of subjects [from, from + n) every 37th is the nearest to its own vector, or is not there. */
static inline void
expect_found(quoin_store *store, unsigned from, unsigned n, bool there)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *v;
  good(quoin_vectors_open(&v, store, text(P), &err), &err);
  for (unsigned i = from; i < from + n; i += 37) {
    quoin_hits *hits;
    quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
    float values[DIM];
    make_vector(values, i);
    options.k = 1;
    good(quoin_vectors_search(&hits, v, values, 1, &options, &err), &err);
    const double distance = quoin_hits_count(hits, 0) ? quoin_hits_distance(hits, 0, 0) : 2;
    if ((distance < 1e-9) != there) fail_msg("s%u: the nearest is at %g", i, distance);
    quoin_hits_close(hits);
  }
  quoin_vectors_close(v);
}

static inline quoin_store *
open_at(const char *path, quoin_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_store *store;
  options.mode = mode;
  good(quoin_open(&store, path, &options, &err), &err);
  return store;
}

#endif /* QUOIN_TESTS_API_VECTORS_H */
