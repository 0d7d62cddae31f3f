/* RDF out: every quad, the default graph first, then graph by graph, subject by subject. */
#include "api/match.h"

#include "base/poison.h"

typedef struct dump {
  rdfio_writer *writer;
  const quad_snapshot *snapshot;
  const base_alloc *mem;
  base_cancel cancel;
  uint64_t statements;
} dump;

static quoin_status
dump_scope(dump *d, quad_scope scope, quoin_error *err)
{
  const uint8_t then[] = {QUAD_G, QUAD_S, QUAD_P};
  const quad_pattern pattern = {.scope = scope};
  const size_t skip = scope == QUAD_DEFAULT ? 1 : 0;
  api_rows rows = {0};

  quoin_status st = api_rows_open(&rows, d->snapshot, &pattern, then + skip, 3 - skip, d->mem, err);
  while (!st && !(st = api_rows_next(&rows, err))) {
    st = rdfio_writer_add(d->writer, &rows.terms, err);
    if (!st && (++d->statements & 1023) == 0) st = base_cancel_check(&d->cancel, err);
  }
  api_rows_close(&rows);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* For people who read Turtle. */
static quoin_status
add_prefixes(rdfio_writer *writer, quoin_error *err)
{
  static const char *const prefix[][2] = {
      {"rdf", RDF_NS},
      {"rdfs", "http://www.w3.org/2000/01/rdf-schema#"},
      {"owl", "http://www.w3.org/2002/07/owl#"},
      {"xsd", RDF_XSD},
  };
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < sizeof(prefix) / sizeof(*prefix) && !st; i++)
    st = rdfio_writer_prefix(writer, base_span(prefix[i][0]), base_span(prefix[i][1]), err);
  return st;
}

static quoin_status
dump_all(dump *d, quoin_format format, quoin_write_fn write, void *user, quoin_error *err)
{
  const quad_pattern named = {.scope = QUAD_NAMED};
  uint64_t n_named = 0;
  quoin_status st = quad_count(&n_named, d->snapshot, &named, err);

  if (st) return st;
  if (n_named && (format == QUOIN_NTRIPLES || format == QUOIN_TURTLE))
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "the store has named graphs, which this format cannot hold: use nq or trig");
  if ((st = rdfio_writer_new(&d->writer, (rdfio_format)format, write, user, d->mem, err)))
    return st;
  if (format == QUOIN_TURTLE || format == QUOIN_TRIG) st = add_prefixes(d->writer, err);
  if (!st) st = dump_scope(d, QUAD_DEFAULT, err);
  if (!st && n_named) st = dump_scope(d, QUAD_NAMED, err);
  if (!st) st = rdfio_writer_finish(d->writer, err);
  rdfio_writer_free(d->writer);
  return st;
}

quoin_status
quoin_dump(uint64_t *statements, quoin_store *store, quoin_format format, quoin_write_fn write,
           void *user, quoin_cancel *cancel, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;

  if (!store || !write) return base_fail(err, QUOIN_ERR_ARGUMENT, "store or write is NULL");
  if ((int)format <= QUOIN_FORMAT_AUTO || format > QUOIN_TRIG)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "a dump needs a format: nt, nq, ttl or trig");
  quoin_status st = api_enter(store, err);
  if (st) return st;
  dump d = {.mem = &store->mem, .cancel = api_cancel(cancel)};
  if (!(st = quad_snapshot_acquire(&snapshot, store->quads, err))) {
    d.snapshot = snapshot;
    st = dump_all(&d, format, write, user, err);
  }
  if (statements) *statements = d.statements;
  quad_snapshot_release(snapshot);
  (void)api_leave_counted(store, API_OP_DUMP, st);
  return api_status(st, err);
}
