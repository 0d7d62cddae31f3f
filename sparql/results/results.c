/* sparql/results/results.c - writing rows: the loop over cells and the text of recent ids.
 *
 * Each column keeps the finished text of recent ids in a small direct-mapped table (128 entries of
 * 128 bytes: a column of predicates, types or graphs then costs a copy a row). A column whose
 * values do not repeat stops looking for a while. */
#include "sparql/results/results.h"

#include <assert.h>

#include "base/poison.h"

enum {
  RECENT_BITS = 7,
  RECENT = 1 << RECENT_BITS,
  RECENT_TEXT = 118,
  RECENT_TRIAL = 512, /* lookups after which a column is judged ... */
  RECENT_LEAST = 64,  /* ... by these hits ... */
  RECENT_PAUSE = 8192 /* ... and left out for so many cells */
};

typedef struct recent {
  uint64_t id; /* 0: empty */
  uint16_t len;
  char text[RECENT_TEXT];
} recent;

static_assert(sizeof(recent) == 128, "two cache lines");

typedef struct results_column {
  char *key; /* what stands before a value */
  size_t key_len, key_cap;
  recent *recent; /* [RECENT] */
  uint32_t lookups, hits, pause;
} results_column;

struct sparql_results {
  const base_alloc *mem;
  const results_syntax *syntax; /* NULL: the table */
  results_table *table;
  results_out out;
  results_term_fn term;
  void *term_user;
  base_arena scratch;
  results_column *columns;
  size_t n_columns;
  size_t cell_next_len, cell_end_len;
  uint64_t rows;
};

static const results_syntax *
syntax_of(sparql_format format)
{
  switch (format) {
  case SPARQL_JSON:
    return &results_json;
  case SPARQL_XML:
    return &results_xml;
  case SPARQL_CSV:
    return &results_csv;
  case SPARQL_TSV:
    return &results_tsv;
  case SPARQL_FORMAT_NONE:
  case SPARQL_TABLE:
  case SPARQL_NTRIPLES:
  case SPARQL_TURTLE:
  case SPARQL_NQUADS:
    break;
  }
  return NULL;
}

/* ---- making
 * ------------------------------------------------------------------------------------------- */

/* The key of a column, made by writing it to the empty buffer of the output. */
static quoin_status
column_init(results_column *column, sparql_results *r, quoin_span name, quoin_error *err)
{
  column->recent = base_new_zero(r->mem, RECENT, sizeof(*column->recent));
  if (!column->recent) return base_fail_nomem(err);
  if (!r->syntax->key) return QUOIN_OK;
  if (name.len > RESULTS_BUFFER / 8)
    return base_fail(err, QUOIN_ERR_LIMIT, "a variable has a name of %zu bytes, expected less",
                     name.len);
  assert(r->out.len == 0);
  r->syntax->key(&r->out, name);
  column->key_len = column->key_cap = r->out.len;
  if (!(column->key = base_new(r->mem, column->key_cap, 1))) return base_fail_nomem(err);
  memcpy(column->key, r->out.data, column->key_len);
  r->out.len = 0;
  return QUOIN_OK;
}

static quoin_status
out_init(results_out *out, rdfio_write_fn write, void *user, const base_alloc *mem,
         quoin_error *err)
{
  *out = (results_out){.write = write, .user = user, .data = base_new(mem, RESULTS_BUFFER, 1)};
  return out->data ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_results_new(sparql_results **out, sparql_format format, const quoin_span *names,
                   size_t n_names, const struct sparql_prefix *prefixes, size_t n_prefixes,
                   results_term_fn term, void *term_user, rdfio_write_fn write, void *user,
                   const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  *out = NULL;
  assert(format == SPARQL_TABLE || syntax_of(format));
  sparql_results *r = base_new_zero(mem, 1, sizeof(*r));
  if (!r) return base_fail_nomem(err);
  r->mem = mem;
  r->syntax = syntax_of(format);
  r->term = term;
  r->term_user = term_user;
  base_arena_init(&r->scratch, mem);
  if ((st = out_init(&r->out, write, user, mem, err))) goto done;
  r->n_columns = n_names;
  r->columns = base_new_zero(mem, n_names, sizeof(*r->columns));
  if (!r->columns) {
    st = base_fail_nomem(err);
    goto done;
  }
  if (!r->syntax) {
    if ((st = results_table_new(&r->table, names, n_names, prefixes, n_prefixes, mem, err)))
      goto done;
  } else {
    r->cell_next_len = strlen(r->syntax->cell_next);
    r->cell_end_len = strlen(r->syntax->cell_end);
    for (size_t i = 0; i < n_names; i++)
      if ((st = column_init(&r->columns[i], r, names[i], err))) goto done;
    r->syntax->head(&r->out, names, n_names);
  }
  *out = r;
  r = NULL;

done:
  sparql_results_free(r);
  return st;
}

void
sparql_results_break(sparql_results *results)
{
  if (results->table) return;
  results->out.err = NULL;
  results_flush(&results->out);
}

void
sparql_results_free(sparql_results *results)
{
  if (!results) return;
  const base_alloc *mem = results->mem;
  for (size_t i = 0; results->columns && i < results->n_columns; i++) {
    base_release(mem, results->columns[i].key, results->columns[i].key_cap, 1);
    base_release(mem, results->columns[i].recent, RECENT, sizeof(recent));
  }
  base_release(mem, results->columns, results->n_columns, sizeof(*results->columns));
  results_table_free(results->table, mem);
  base_release(mem, results->out.data, RESULTS_BUFFER, 1);
  base_arena_clear(&results->scratch);
  base_release(mem, results, 1, sizeof(*results));
}

/* ---- cells
 * --------------------------------------------------------------------------------------------- */

static quoin_status
write_term(sparql_results *r, atom_id id, quoin_error *err)
{
  rdf_term term;
  base_arena_mark mark = base_arena_here(&r->scratch);
  quoin_status st = r->term(&term, r->term_user, id, &r->scratch, err);
  if (!st) r->syntax->term(&r->out, &term);
  base_arena_rewind(&r->scratch, mark);
  return st;
}

/* Is it worth a look? */
static bool
is_tried(results_column *column)
{
  if (column->pause) {
    column->pause--;
    return false;
  }
  if (++column->lookups < RECENT_TRIAL) return true;
  if (column->hits < RECENT_LEAST) column->pause = RECENT_PAUSE;
  column->lookups = column->hits = 0;
  return true;
}

static quoin_status
write_value(sparql_results *r, results_column *column, atom_id id, quoin_error *err)
{
  if (!is_tried(column)) return write_term(r, id, err);
  recent *slot = &column->recent[base_mix(id.bits) & (RECENT - 1)];
  if (slot->id == id.bits) {
    column->hits++;
    results_bytes(&r->out, slot->text, slot->len);
    return QUOIN_OK;
  }
  results_room(&r->out, RECENT_TEXT); /* then a text that fits a slot is written in one piece */
  size_t before = r->out.len;
  uint64_t flushes = r->out.flushes;
  quoin_status st = write_term(r, id, err);
  if (st || flushes != r->out.flushes || r->out.len - before > RECENT_TEXT) return st;
  slot->id = id.bits;
  slot->len = (uint16_t)(r->out.len - before);
  memcpy(slot->text, r->out.data + before, slot->len);
  return st;
}

static quoin_status
write_row(sparql_results *r, const sparql_rows *rows, size_t row, quoin_error *err)
{
  const results_syntax *syntax = r->syntax;
  results_out *out = &r->out;
  bool first = true;
  results_text(out, r->rows ? syntax->row_next : syntax->row_first);
  for (size_t c = 0; c < r->n_columns; c++) {
    atom_id id = rows->column[c][row];
    if (id.bits == 0 && syntax->omit_unbound) continue;
    if (!first) results_bytes(out, syntax->cell_next, r->cell_next_len);
    first = false;
    if (id.bits == 0) continue;
    results_bytes(out, r->columns[c].key, r->columns[c].key_len);
    quoin_status st = write_value(r, &r->columns[c], id, err);
    if (st) return st;
    results_bytes(out, syntax->cell_end, r->cell_end_len);
  }
  results_text(out, syntax->row_end);
  r->rows++;
  return out->status;
}

static quoin_status
table_row(sparql_results *r, const sparql_rows *rows, size_t row, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  base_arena_mark mark = base_arena_here(&r->scratch);
  for (size_t c = 0; c < r->n_columns && !st; c++) {
    rdf_term term = {.kind = RDF_NONE};
    atom_id id = rows->column[c][row];
    if (id.bits && (st = r->term(&term, r->term_user, id, &r->scratch, err))) break;
    st = results_table_cell(r->table, &r->out, &term, err);
  }
  base_arena_rewind(&r->scratch, mark);
  r->rows++;
  return st ? st : results_table_row(r->table, &r->out, err);
}

quoin_status
sparql_results_rows(sparql_results *results, const sparql_rows *rows, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  results->out.err = err;
  for (size_t i = 0; i < rows->rows && !st; i++)
    st = results->table ? table_row(results, rows, i, err) : write_row(results, rows, i, err);
  return st;
}

quoin_status
sparql_results_finish(sparql_results *results, quoin_error *err)
{
  results->out.err = err;
  if (results->table) {
    quoin_status st = results_table_finish(results->table, &results->out, err);
    if (st) return st;
  } else {
    results->syntax->end(&results->out, results->rows);
  }
  results_flush(&results->out);
  return results->out.status;
}

quoin_status
sparql_results_boolean(sparql_format format, bool value, rdfio_write_fn write, void *user,
                       const base_alloc *mem, quoin_error *err)
{
  results_out out;
  quoin_status st = out_init(&out, write, user, mem, err);
  if (st) return st;
  out.err = err;
  if (format == SPARQL_TABLE)
    results_text(&out, value ? "true\n" : "false\n");
  else
    syntax_of(format)->boolean(&out, value);
  results_flush(&out);
  base_release(mem, out.data, RESULTS_BUFFER, 1);
  return out.status;
}
