/* Stepping: by rows, by batches, by triples, or all of it into a format. */
#include "api/query.h"

#include "base/poison.h"

void
api_cursor_fail(quoin_cursor *cursor, quoin_status st, const quoin_error *err)
{
  if (err)
    cursor->failure = *err;
  else
    (void)base_fail(&cursor->failure, st, "%s", quoin_status_name(st));
  cursor->failure.status = st;
  cursor->outcome = QUOIN_OUTCOME_FAILED;
}

/* A step begins: one that failed keeps failing, one that ended keeps ending. On QUOIN_OK the store
 * has been entered. */
static quoin_status
begin_step(quoin_cursor *cursor, api_reading reading, quoin_error *err)
{
  if (!cursor) return base_fail(err, QUOIN_ERR_ARGUMENT, "cursor is NULL");
  if (cursor->reading != API_UNREAD && cursor->reading != reading)
    return base_fail(err, QUOIN_ERR_ARGUMENT,
                     "the cursor is being read in another way: by row, by batch, by triple, or "
                     "written whole");
  const sparql_form form = sparql_query_form(cursor->prepared->query);
  const bool graph = form == SPARQL_CONSTRUCT || form == SPARQL_DESCRIBE;
  if (graph && (reading == API_BY_ROW || reading == API_BY_BATCH))
    return base_fail(err, QUOIN_ERR_UNSUPPORTED, "a CONSTRUCT or DESCRIBE gives triples, not rows");
  if (!graph && reading == API_BY_TRIPLE)
    return base_fail(err, QUOIN_ERR_UNSUPPORTED, "a SELECT or ASK gives rows, not triples");
  quoin_status st = api_enter(cursor->child.store, err);
  if (st) return st;
  if (cursor->outcome == QUOIN_OUTCOME_OPEN) {
    cursor->reading = reading;
    return QUOIN_OK;
  }
  st = cursor->outcome == QUOIN_OUTCOME_FAILED ? cursor->failure.status : QUOIN_DONE;
  if (st < 0 && err) *err = cursor->failure;
  api_leave(cursor->child.store);
  return st;
}

static quoin_status
end_step(quoin_cursor *cursor, quoin_status st, const quoin_error *error, quoin_error *err)
{
  if (st == QUOIN_DONE)
    cursor->outcome = sparql_query_is_approximate(cursor->prepared->query)
                          ? QUOIN_OUTCOME_APPROXIMATE
                          : QUOIN_OUTCOME_COMPLETE;
  if (st == QUOIN_DONE) cursor->notice = sparql_cursor_notice(cursor->cursor);
  if (st < 0) {
    api_cursor_fail(cursor, st, error);
    if (err) *err = *error;
  }
  if (st) cursor->rows = (sparql_rows){0};
  api_leave(cursor->child.store);
  return st;
}

static quoin_status
next_rows(quoin_cursor *cursor, quoin_error *err)
{
  cursor->row = 0;
  base_arena_reset(&cursor->arena);
  return sparql_cursor_next(&cursor->rows, cursor->cursor, err);
}

/* Rows are read one after the other: of so many the terms are asked for at once. */
static void
ask_terms(const quoin_cursor *cursor)
{
  enum { ASK = 16 };
  const size_t left = cursor->rows.rows - cursor->row;

  if (cursor->row % ASK) return;
  for (size_t c = 0; c < cursor->columns; c++)
    sparql_cursor_ask(cursor->cursor, cursor->rows.column[c] + cursor->row,
                      left < ASK ? left : ASK);
}

quoin_status
quoin_cursor_next(quoin_cursor *cursor, quoin_error *err)
{
  quoin_error error = QUOIN_ERROR_INIT;
  quoin_status st = begin_step(cursor, API_BY_ROW, err);

  if (st) return st;
  if (cursor->row + 1 < cursor->rows.rows) {
    cursor->row++;
    base_arena_reset(&cursor->arena);
  } else {
    st = next_rows(cursor, &error);
  }
  if (!st) ask_terms(cursor);
  return end_step(cursor, st, &error, err);
}

/* ---- batches --------------------------------------------------------------------------------- */

static quoin_status
reserve_batch(quoin_cursor *cursor, quoin_error *err)
{
  const base_alloc *mem = &cursor->child.store->mem;
  const size_t rows = cursor->rows.rows, columns = cursor->columns;

  if (!columns || (rows <= cursor->cap_rows && cursor->id_columns)) return QUOIN_OK;
  base_release(mem, cursor->types, columns * cursor->cap_rows, sizeof(*cursor->types));
  base_release(mem, cursor->values, columns * cursor->cap_rows, sizeof(*cursor->values));
  cursor->cap_rows = rows;
  cursor->types = base_new(mem, columns * rows, sizeof(*cursor->types));
  cursor->values = base_new(mem, columns * rows, sizeof(*cursor->values));
  if (!cursor->type_columns)
    cursor->type_columns = base_new(mem, columns, sizeof(*cursor->type_columns));
  if (!cursor->value_columns)
    cursor->value_columns = base_new(mem, columns, sizeof(*cursor->value_columns));
  if (!cursor->id_columns) cursor->id_columns = base_new(mem, columns, sizeof(*cursor->id_columns));
  return cursor->types && cursor->values && cursor->type_columns && cursor->value_columns &&
                 cursor->id_columns
             ? QUOIN_OK
             : base_fail_nomem(err);
}

static quoin_status
fill_batch(quoin_batch *out, quoin_cursor *cursor, quoin_error *err)
{
  const size_t rows = cursor->rows.rows;
  quoin_status st = reserve_batch(cursor, err);

  if (st) return st;
  for (size_t c = 0; c < cursor->columns; c++) {
    const atom_id *ids = cursor->rows.column[c];
    uint8_t *types = cursor->types + c * cursor->cap_rows;
    quoin_value *values = cursor->values + c * cursor->cap_rows;
    for (size_t i = 0; i < rows; i++) {
      quoin_type type = QUOIN_TYPE_UNBOUND;
      if ((st = api_classify(&type, &values[i], cursor, ids[i], err))) return st;
      types[i] = (uint8_t)type;
    }
    cursor->type_columns[c] = types;
    cursor->value_columns[c] = values;
    cursor->id_columns[c] = &ids->bits; /* a struct of this one member */
  }
  *out = (quoin_batch){rows, cursor->columns, cursor->type_columns, cursor->value_columns,
                       cursor->id_columns};
  return QUOIN_OK;
}

quoin_status
quoin_cursor_batch(quoin_batch *out, quoin_cursor *cursor, quoin_error *err)
{
  quoin_error error = QUOIN_ERROR_INIT;

  if (!out) return base_fail(err, QUOIN_ERR_ARGUMENT, "out is NULL");
  *out = (quoin_batch){0};
  quoin_status st = begin_step(cursor, API_BY_BATCH, err);
  if (st) return st;
  if (!(st = next_rows(cursor, &error))) st = fill_batch(out, cursor, &error);
  return end_step(cursor, st, &error, err);
}

/* ---- triples --------------------------------------------------------------------------------- */

quoin_status
quoin_cursor_triple(const quoin_statement **out, quoin_cursor *cursor, quoin_error *err)
{
  quoin_error error = QUOIN_ERROR_INIT;

  if (!out) return base_fail(err, QUOIN_ERR_ARGUMENT, "out is NULL");
  *out = NULL;
  quoin_status st = begin_step(cursor, API_BY_TRIPLE, err);
  if (st) return st;
  if (cursor->triple + 1 < cursor->n_triples) {
    cursor->triple++;
  } else {
    cursor->triple = 0;
    st = sparql_cursor_triples(&cursor->triples, &cursor->n_triples, cursor->cursor, &error);
  }
  if (!st) {
    api_statement_out(&cursor->statement, &cursor->triples[cursor->triple]);
    *out = &cursor->statement;
  }
  return end_step(cursor, st, &error, err);
}

/* ---- all of it ------------------------------------------------------------------------------- */

quoin_status
quoin_cursor_write(uint64_t *rows, quoin_cursor *cursor, quoin_results format, quoin_write_fn write,
                   void *user, quoin_error *err)
{
  quoin_error error = QUOIN_ERROR_INIT;

  if (!write) return base_fail(err, QUOIN_ERR_ARGUMENT, "write is NULL");
  if ((int)format <= QUOIN_RESULTS_NONE || format > QUOIN_RESULTS_NQUADS)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "format is none that there is");
  if (cursor && cursor->reading != API_UNREAD)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the cursor has been stepped already");
  quoin_status st = begin_step(cursor, API_WRITTEN, err);
  if (st) return st;
  st = sparql_write(rows, cursor->cursor, (sparql_format)format, write, user, &error);
  if (st == QUOIN_ERR_ARGUMENT) cursor->reading = API_UNREAD; /* nothing was written: try another */
  st = api_status(st, &error);
  if (st == QUOIN_ERR_ARGUMENT) {
    if (err) *err = error;
    api_leave(cursor->child.store);
    return st;
  }
  st = end_step(cursor, st ? st : QUOIN_DONE, &error, err);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quoin_status
quoin_cursor_explain(quoin_span *out, quoin_cursor *cursor, quoin_error *err)
{
  if (!out || !cursor) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or cursor is NULL");
  *out = (quoin_span){NULL, 0};
  quoin_status st = api_enter(cursor->child.store, err);
  if (st) return st;
  cursor->text.len = 0;
  if (!(st = sparql_cursor_explain(&cursor->text, cursor->cursor, err))) {
    if (cursor->text.failed)
      st = base_fail_nomem(err);
    else
      *out = (quoin_span){cursor->text.data, cursor->text.len};
  }
  api_leave(cursor->child.store);
  return st;
}
