/* sparql/results/results_write.c - the answer of a cursor in a format: sparql_write and the
 * formats' names.
 */
#include "sparql/results/results.h"

#include "base/poison.h"

sparql_format
sparql_format_by_name(quoin_span name)
{
  static const struct {
    const char *name;
    sparql_format format;
  } names[] = {
      {"table", SPARQL_TABLE},
      {"json", SPARQL_JSON},
      {"xml", SPARQL_XML},
      {"csv", SPARQL_CSV},
      {"tsv", SPARQL_TSV},
      {"nt", SPARQL_NTRIPLES},
      {"ttl", SPARQL_TURTLE},
      {"nq", SPARQL_NQUADS},
      {"srj", SPARQL_JSON},
      {"srx", SPARQL_XML},
      {"ntriples", SPARQL_NTRIPLES},
      {"turtle", SPARQL_TURTLE},
      {"nquads", SPARQL_NQUADS},
      {"application/sparql-results+json", SPARQL_JSON},
      {"application/sparql-results+xml", SPARQL_XML},
      {"text/csv", SPARQL_CSV},
      {"text/tab-separated-values", SPARQL_TSV},
      {"application/n-triples", SPARQL_NTRIPLES},
      {"text/turtle", SPARQL_TURTLE},
      {"application/n-quads", SPARQL_NQUADS},
  };
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (base_span_equal_nocase(name, base_span(names[i].name))) return names[i].format;
  return SPARQL_FORMAT_NONE;
}

/* The syntax of RDF, or UNKNOWN for a format of rows. */
static rdfio_format
graph_format(sparql_format format)
{
  switch (format) {
  case SPARQL_NTRIPLES:
    return RDFIO_NTRIPLES;
  case SPARQL_TURTLE:
    return RDFIO_TURTLE;
  case SPARQL_NQUADS:
    return RDFIO_NQUADS;
  case SPARQL_FORMAT_NONE:
  case SPARQL_TABLE:
  case SPARQL_JSON:
  case SPARQL_XML:
  case SPARQL_CSV:
  case SPARQL_TSV:
    break;
  }
  return RDFIO_UNKNOWN;
}

static quoin_status
check_format(const sparql_query *query, sparql_format format, quoin_error *err)
{
  bool graph = query->form == SPARQL_CONSTRUCT || query->form == SPARQL_DESCRIBE;
  if (graph && graph_format(format) == RDFIO_UNKNOWN)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "CONSTRUCT and DESCRIBE give triples: choose nt, ttl or nq as the format");
  if (!graph && (format == SPARQL_FORMAT_NONE || graph_format(format) != RDFIO_UNKNOWN))
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "SELECT and ASK give rows: choose table, json, xml, csv or tsv as the format");
  return QUOIN_OK;
}

/* ---- graphs
 * ------------------------------------------------------------------------------------------- */

static quoin_status
declare_prefixes(rdfio_writer *writer, const sparql_query *query, quoin_error *err)
{
  for (size_t i = 0; i < query->n_prefixes; i++) {
    quoin_status st =
        rdfio_writer_prefix(writer, query->prefixes[i].prefix, query->prefixes[i].iri, err);
    /* One that the syntax refuses is not used. */
    if (st && st != QUOIN_ERR_ARGUMENT) return st;
    if (st) base_error_clear(err);
  }
  return QUOIN_OK;
}

static quoin_status
write_graph(uint64_t *n_written, sparql_cursor *cursor, const sparql_query *query,
            sparql_format format, rdfio_write_fn write, void *user, quoin_error *err)
{
  rdfio_writer *writer = NULL;
  const rdfio_quad *quads;
  size_t n;
  quoin_status st = rdfio_writer_new(&writer, graph_format(format), write, user, query->mem, err);
  if (!st && format == SPARQL_TURTLE) st = declare_prefixes(writer, query, err);
  while (!st && !(st = sparql_cursor_triples(&quads, &n, cursor, err))) {
    for (size_t i = 0; i < n && !st; i++)
      st = rdfio_writer_add(writer, &quads[i], err);
    *n_written += n;
  }
  if (st == QUOIN_DONE) st = rdfio_writer_finish(writer, err);
  rdfio_writer_free(writer);
  return st;
}

/* ---- rows
 * --------------------------------------------------------------------------------------------- */

static quoin_status
cursor_term(rdf_term *out, void *user, atom_id id, base_arena *arena, quoin_error *err)
{
  return sparql_cursor_term(out, user, id, arena, err);
}

static quoin_status
write_boolean(sparql_cursor *cursor, const sparql_query *query, sparql_format format,
              rdfio_write_fn write, void *user, quoin_error *err)
{
  sparql_rows rows;
  quoin_status st = sparql_cursor_next(&rows, cursor, err);
  if (st < 0) return st;
  return sparql_results_boolean(format, st == QUOIN_OK && rows.rows > 0, write, user, query->mem,
                                err);
}

static quoin_status
write_rows(uint64_t *n_written, sparql_cursor *cursor, const sparql_query *query,
           sparql_format format, rdfio_write_fn write, void *user, quoin_error *err)
{
  sparql_results *results = NULL;
  sparql_rows rows;
  quoin_status st = QUOIN_OK;
  quoin_span *names = base_new(query->mem, query->n_columns, sizeof(*names));
  if (!names) return base_fail_nomem(err);
  for (size_t i = 0; i < query->n_columns; i++)
    names[i] = sparql_query_column(query, i);
  st = sparql_results_new(&results, format, names, query->n_columns, query->prefixes,
                          query->n_prefixes, cursor_term, cursor, write, user, query->mem, err);
  while (!st && !(st = sparql_cursor_next(&rows, cursor, err))) {
    st = sparql_results_rows(results, &rows, err);
    *n_written += rows.rows;
  }
  if (st == QUOIN_DONE)
    st = sparql_results_finish(results, err);
  else if (results)
    sparql_results_break(results);
  sparql_results_free(results);
  base_release(query->mem, names, query->n_columns, sizeof(*names));
  return st;
}

quoin_status
sparql_write(uint64_t *rows, sparql_cursor *cursor, sparql_format format, rdfio_write_fn write,
             void *user, quoin_error *err)
{
  const sparql_query *query = sparql_cursor_query(cursor);
  uint64_t n = 0;
  quoin_status st = check_format(query, format, err);
  if (!st && graph_format(format) != RDFIO_UNKNOWN)
    st = write_graph(&n, cursor, query, format, write, user, err);
  else if (!st && query->form == SPARQL_ASK)
    n = 1, st = write_boolean(cursor, query, format, write, user, err);
  else if (!st)
    st = write_rows(&n, cursor, query, format, write, user, err);
  if (rows) *rows = n;
  return st;
}
