/* What the tests of updates share: a request run on the store of a world, its counts, its failure.
 */
#ifndef QUOIN_TESTS_SPARQL_UPDATE_WORLD_H
#define QUOIN_TESTS_SPARQL_UPDATE_WORLD_H

#include "sparql_query_world.h"

#define ALL "SELECT ?g ?s ?p ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"

static inline void
refresh(world *w)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_snapshot_release(w->snapshot);
  if (quad_snapshot_acquire(&w->snapshot, w->store, &err)) fail_msg("snapshot: %s", err.message);
}

static inline quoin_status
run(sparql_update_result *out, world *w, const char *text, const sparql_update_options *options,
    quoin_error *err)
{
  base_buffer whole;
  base_buffer_init(&whole, base_alloc_default());
  base_buffer_text(&whole, PROLOGUE);
  base_buffer_text(&whole, text);
  quoin_status st = sparql_update_run(out, w->store, (quoin_span){whole.data, whole.len}, options,
                                      base_alloc_default(), err);
  base_buffer_clear(&whole);
  refresh(w);
  return st;
}

/* Run it and check the net counts. */
static inline void
expect_update(world *w, const char *text, const sparql_update_options *options, uint64_t added,
              uint64_t removed, int line)
{
  sparql_update_result got;
  quoin_error err = QUOIN_ERROR_INIT;
  if (run(&got, w, text, options, &err)) fail_msg("line %d: %s\n%s", line, text, err.message);
  if (got.added != added || got.removed != removed)
    fail_msg("line %d: %s\nadded %lu, removed %lu", line, text, (unsigned long)got.added,
             (unsigned long)got.removed);
}

static inline void
expect_failure(world *w, const char *text, const sparql_update_options *options,
               quoin_status status, const char *message, int line)
{
  sparql_update_result got = {.added = 7, .removed = 7};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = run(&got, w, text, options, &err);
  if (st != status || !strstr(err.message, message))
    fail_msg("line %d: %s\nstatus %d: %s", line, text, (int)st, err.message);
  assert_int_equal(got.added + got.removed, 0);
  assert_int_equal(err.status, status);
}

#define UPDATE(w, text, added, removed) expect_update(w, text, NULL, added, removed, __LINE__)
#define UPDATE_WITH(w, text, options, added, removed)                                              \
  expect_update(w, text, options, added, removed, __LINE__)
#define FAILS(w, text, status, message) expect_failure(w, text, NULL, status, message, __LINE__)

static inline int
open_empty(void **state)
{
  static world w;
  world_open(&w, "");
  *state = &w;
  return 0;
}

static inline int
close_world(void **state)
{
  world_close(*state);
  return 0;
}

#endif /* QUOIN_TESTS_SPARQL_UPDATE_WORLD_H */
