/* RDF out: every quad, the default graph first, then graph by graph, subject by subject; the system
 * graph last: a reader then has what its declarations are about. */
#include "api/match.h"

#include "base/poison.h"

typedef struct dump {
  rdfio_writer *writer;
  const quad_snapshot *snapshot;
  const base_alloc *mem;
  base_cancel cancel;
  uint64_t statements;
  atom_id system; /* the graph's name; 0: it has none */
  const quoin_dump_options *options;
} dump;

typedef enum dump_part { DUMP_DEFAULT, DUMP_NAMED, DUMP_SYSTEM } dump_part;

static bool
is_system(const rdf_term *graph)
{
  return graph->kind == RDF_IRI && base_span_is(graph->value, VEC_SYSTEM_GRAPH);
}

static quoin_status
dump_scope(dump *d, dump_part part, quoin_error *err)
{
  const uint8_t then[] = {QUAD_G, QUAD_S, QUAD_P};
  quad_pattern pattern = {.scope = part == DUMP_DEFAULT ? QUAD_DEFAULT : QUAD_NAMED};
  const size_t skip = part == DUMP_NAMED ? 0 : 1;
  api_rows rows = {0};
  if (part == DUMP_SYSTEM) pattern.match.term[QUAD_G] = d->system;

  quoin_status st = api_rows_open(&rows, d->snapshot, &pattern, then + skip, 3 - skip, d->mem, err);
  rows.floats = true;
  while (!st && !(st = api_rows_next(&rows, err))) {
    if (part == DUMP_NAMED && is_system(&rows.terms.term[3])) continue;
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
dump_all(dump *d, quoin_write_fn write, void *user, quoin_error *err)
{
  const quoin_format format = d->options->format;
  const bool system = !d->options->no_system;
  const rdf_term name = {.kind = RDF_IRI, .value = base_span(VEC_SYSTEM_GRAPH)};
  quad_pattern named = {.scope = QUAD_NAMED};
  uint64_t n_named = 0, n_system = 0;
  quoin_status st = quad_count(&n_named, d->snapshot, &named, err);

  if (!st)
    st = atom_find(&d->system, quad_snapshot_atoms(d->snapshot), &name,
                   quad_snapshot_atom_mark(d->snapshot), err);
  named.match.term[QUAD_G] = d->system;
  if (!st && d->system.bits) st = quad_count(&n_system, d->snapshot, &named, err);
  if (st) return st;
  if (!system) n_named -= n_system;
  if (n_named && (format == QUOIN_NTRIPLES || format == QUOIN_TURTLE))
    return base_fail(
        err, QUOIN_ERR_ARGUMENT,
        n_named > n_system || !system
            ? "the store has named graphs, which this format cannot hold: use nq or trig"
            : "the graph <urn:x-quoin:system> declares vector indexes, which this format "
              "cannot hold: use nq or trig, or leave it out (--no-system, no_system)");
  if ((st = rdfio_writer_new(&d->writer, (rdfio_format)format, write, user, d->mem, err)))
    return st;
  if (d->options->base64) rdfio_writer_base64(d->writer);
  if (format == QUOIN_TURTLE || format == QUOIN_TRIG) st = add_prefixes(d->writer, err);
  if (!st) st = dump_scope(d, DUMP_DEFAULT, err);
  if (!st && n_named) st = dump_scope(d, DUMP_NAMED, err);
  if (!st && system && n_system) st = dump_scope(d, DUMP_SYSTEM, err);
  if (!st) st = rdfio_writer_finish(d->writer, err);
  rdfio_writer_free(d->writer);
  return st;
}

quoin_status
quoin_dump_with(uint64_t *statements, quoin_store *store, const quoin_dump_options *opts,
                quoin_write_fn write, void *user, quoin_error *err)
{
  quoin_dump_options options = QUOIN_DUMP_OPTIONS_INIT;
  quad_snapshot *snapshot = NULL;

  if (!store || !write) return base_fail(err, QUOIN_ERR_ARGUMENT, "store or write is NULL");
  quoin_status st = api_options(&options, sizeof(options), opts, err);
  if (st) return st;
  if ((int)options.format <= QUOIN_FORMAT_AUTO || options.format > QUOIN_TRIG)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "a dump needs a format: nt, nq, ttl or trig");
  if ((st = api_enter(store, err))) return st;
  dump d = {.mem = &store->mem, .cancel = api_cancel(options.cancel), .options = &options};
  if (!(st = quad_snapshot_acquire(&snapshot, store->quads, err))) {
    d.snapshot = snapshot;
    st = dump_all(&d, write, user, err);
  }
  if (statements) *statements = d.statements;
  quad_snapshot_release(snapshot);
  (void)api_leave_counted(store, API_OP_DUMP, st);
  return api_status(st, err);
}

quoin_status
quoin_dump(uint64_t *statements, quoin_store *store, quoin_format format, quoin_write_fn write,
           void *user, quoin_cancel *cancel, quoin_error *err)
{
  quoin_dump_options options = QUOIN_DUMP_OPTIONS_INIT;
  options.format = format;
  options.cancel = cancel;
  return quoin_dump_with(statements, store, &options, write, user, err);
}

quoin_status
quoin_dump_data(uint64_t *statements, quoin_store *store, quoin_format format, quoin_write_fn write,
                void *user, quoin_cancel *cancel, quoin_error *err)
{
  quoin_dump_options options = QUOIN_DUMP_OPTIONS_INIT;
  options.format = format;
  options.no_system = true;
  options.cancel = cancel;
  return quoin_dump_with(statements, store, &options, write, user, err);
}
