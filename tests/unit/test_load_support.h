/* What the tests of vectors that a load keeps back share: a store, loads of texts, places. */
#ifndef QUOIN_TESTS_LOAD_SUPPORT_H
#define QUOIN_TESTS_LOAD_SUPPORT_H

#include "load/load.h"
#include "vector/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SYSTEM "<" VEC_SYSTEM_GRAPH ">"
#define V(text) "\"" text "\"^^<urn:x-quoin:vec#f32>"
#define TYPE(p) "<http://x/" p "> <" RDF_NS "type> <" RDF_VEC "Index> "
#define DIMENSION(p, n) "<http://x/" p "> <" RDF_VEC "dimension> \"" n "\"^^<" RDF_XSD "integer> "
#define METRIC(p, m) "<http://x/" p "> <" RDF_VEC "metric> <" RDF_VEC m "Metric> "
#define DECLARE(p, n) TYPE(p) SYSTEM " .\n" DIMENSION(p, n) SYSTEM " .\n"
#define GOOD "<http://x/a> <http://x/z> " V("[1,2,3,4]") " .\n"
#define SHORT "<http://x/b> <http://x/z> " V("[1]") " .\n"

enum { SOURCES = 3, MOST = 512 };

typedef struct fixture {
  char path[64];
  quad_store *store;
  quoin_error bad[MOST]; /* what was reported */
  size_t n_bad;
  uint64_t seed;
} fixture;

static inline void
note_bad(void *user, const quoin_error *bad)
{
  fixture *f = user;
  assert_true(f->n_bad < MOST);
  f->bad[f->n_bad++] = *bad;
}

static inline load_options
options_of(fixture *f, bool lenient, unsigned threads)
{
  f->n_bad = 0;
  return (load_options){.read = {.format = RDFIO_NQUADS,
                                 .threads = threads,
                                 .lenient = lenient,
                                 .bad = note_bad,
                                 .user = f}};
}

/* Each text is a source, named "0", "1" ... */
static inline quoin_status
load_texts(load_result *out, fixture *f, const char *const *texts, size_t n,
           const load_options *options, quoin_error *err)
{
  rdfio_source *sources[SOURCES] = {NULL};
  *err = (quoin_error)QUOIN_ERROR_INIT;
  assert_true(n <= SOURCES);
  for (size_t i = 0; i < n; i++) {
    const char name[] = {(char)('0' + i), '\0'};
    assert_int_equal(
        rdfio_source_memory(&sources[i], base_span(texts[i]), name, base_alloc_default(), err),
        QUOIN_OK);
  }
  const quoin_status st =
      load_sources(out, f->store, sources, n, options, base_alloc_default(), err);
  for (size_t i = 0; i < n; i++)
    rdfio_source_close(sources[i]);
  return st;
}

static inline void
open_store(fixture *f, const base_alloc *mem)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  assert_int_equal(quad_store_open(&f->store, f->path, &options, mem, &err), QUOIN_OK);
  assert_int_equal(vec_attach(f->store, &(vec_options){.mem = mem}, &err), QUOIN_OK);
}

static inline void
close_store(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  char command[96];
  if (f->store) assert_int_equal(quad_store_close(f->store, &err), QUOIN_OK);
  f->store = NULL;
  (void)snprintf(command, sizeof(command), "rm -rf %s", f->path);
  assert_int_equal(system(command), 0);
}

static inline int
setup(void **state)
{
  fixture *f = calloc(1, sizeof(*f));
  const char *given = getenv("QUOIN_SEED");
  if (!f) return -1;
  f->seed = given ? strtoull(given, NULL, 10) : 42;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)f->seed);
  (void)snprintf(f->path, sizeof(f->path), "/tmp/quoin-hold-XXXXXX");
  if (!mkdtemp(f->path)) return -1;
  (void)strcat(f->path, "/s");
  open_store(f, base_alloc_default());
  *state = f;
  return 0;
}

static inline int
teardown(void **state)
{
  fixture *f = *state;
  close_store(f);
  *strrchr(f->path, '/') = '\0';
  const int removed = rmdir(f->path);
  free(f);
  return removed;
}

/* Quads, and terms: nothing of a load that failed may be there. */
typedef struct size {
  uint64_t quads, terms, version;
} size;

static inline size
size_of(fixture *f)
{
  size out;
  quad_snapshot *snapshot = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  const quad_pattern all = {.scope = QUAD_ANY};
  assert_int_equal(quad_snapshot_acquire(&snapshot, f->store, &err), QUOIN_OK);
  assert_int_equal(quad_count(&out.quads, snapshot, &all, &err), QUOIN_OK);
  out.terms = atom_store_terms(quad_store_atoms(f->store));
  out.version = quad_snapshot_version(snapshot);
  quad_snapshot_release(snapshot);
  return out;
}

static inline void
assert_as_before(fixture *f, size before)
{
  const size now = size_of(f);
  assert_memory_equal(&now, &before, sizeof(now));
}

static inline void
assert_place(const quoin_error *error, const char *file, uint64_t line, uint64_t column,
             const char *what)
{
  if (error->status != QUOIN_ERR_CONSTRAINT || strcmp(error->file, file) || error->line != line ||
      error->column != column || !strstr(error->message, what))
    fail_msg("%d: %s:%llu:%llu: %s, expected %s:%llu:%llu: ...%s", (int)error->status, error->file,
             (unsigned long long)error->line, (unsigned long long)error->column, error->message,
             file, (unsigned long long)line, (unsigned long long)column, what);
}

#endif /* QUOIN_TESTS_LOAD_SUPPORT_H */
