/* tests/conformance/sparql_store.c - a store for one test, filled in one transaction. */
#include "conformance/sparql_store.h"

#include "conformance/rdfxml.h"
#include "conformance/sparql_suite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
remove_dir(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    char name[600];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
    unlink(name);
  }
  if (dir) closedir(dir);
  rmdir(path);
}

quoin_status
suite_store_open(suite_store *s, const char *shared, quoin_error *err)
{
  *s = (suite_store){.shared = shared};
  base_arena_init(&s->arena, base_alloc_default());
  /* Six hundred small stores: in memory where there is such a place, as nothing must last. */
  const char *tmp = getenv("TMPDIR");
  if ((!tmp || !*tmp) && access("/dev/shm", W_OK) == 0) tmp = "/dev/shm";
  snprintf(s->dir, sizeof(s->dir), "%s/quoin-suite-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(s->dir)) return base_fail(err, QUOIN_ERR_IO, "%s cannot be made", s->dir);
  const quad_store_options options = {.create = true, .durability = QUAD_SYNC_OFF};
  quoin_status st = quad_store_open(&s->store, s->dir, &options, base_alloc_default(), err);
  return st ? st : quad_txn_begin(&s->txn, s->store, err);
}

bool
suite_ends_with(quoin_span text, const char *end)
{
  size_t n = strlen(end);
  return text.len >= n && memcmp(text.ptr + text.len - n, end, n) == 0;
}

/* A blank node label of the file in work. */
static quoin_status
scope_blank(suite_store *s, rdf_term *term, quoin_error *err)
{
  if (term->kind != RDF_BLANK) return QUOIN_OK;
  term->value =
      base_arena_printf(&s->arena, "f%u.%.*s", s->files, (int)term->value.len, term->value.ptr);
  return term->value.ptr ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
suite_read_rdf(dataset *d, const char *shared, quoin_span iri, quoin_error *err)
{
  char path[1024];
  if (!manifest_file(path, sizeof(path), shared, iri))
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "%.*s is no file of the suite", (int)iri.len,
                     iri.ptr);
  if (suite_ends_with(iri, ".rdf")) {
    const rdf_term file = {.kind = RDF_IRI, .value = iri};
    base_buffer text;
    base_buffer_init(&text, base_alloc_default());
    quoin_status st = sparql_suite_text(&text, shared, &file, err);
    if (!st) st = rdfxml_read(d, (quoin_span){text.data, text.len}, iri, err);
    base_buffer_clear(&text);
    return st;
  }
  rdfio_format format = suite_ends_with(iri, ".nt")     ? RDFIO_NTRIPLES
                        : suite_ends_with(iri, ".nq")   ? RDFIO_NQUADS
                        : suite_ends_with(iri, ".trig") ? RDFIO_TRIG
                                                        : RDFIO_TURTLE;
  bool has_base = format == RDFIO_TURTLE || format == RDFIO_TRIG;
  return dataset_read(d, path, format, has_base ? iri : (quoin_span){0}, err);
}

/* Add the file `iri` to the graph of that name, or the default graph. */
quoin_status
suite_store_add(suite_store *s, quoin_span iri, const rdf_term *graph, quoin_error *err)
{
  dataset d;
  dataset_init(&d);
  s->files++;
  quoin_status st = suite_read_rdf(&d, s->shared, iri, err);
  for (size_t i = 0; i < d.n && !st; i++) {
    rdfio_quad q = d.quads[i];
    if ((st = scope_blank(s, &q.term[0], err)) || (st = scope_blank(s, &q.term[2], err))) break;
    if (graph) q.term[3] = *graph;
    st = quad_txn_add(s->txn, q.term, err);
  }
  dataset_clear(&d);
  return st;
}

quoin_status
suite_store_commit(suite_store *s, quoin_error *err)
{
  quad_txn *txn = s->txn;
  s->txn = NULL;
  return quad_txn_commit(NULL, NULL, txn, err);
}

void
suite_store_close(suite_store *s)
{
  quad_txn_abort(s->txn);
  (void)!quad_store_close(s->store, NULL);
  if (s->dir[0]) remove_dir(s->dir);
  base_arena_clear(&s->arena);
}
