/* sparql/operators/order_runs.c - see order_runs.h. */
#include "sparql/operators/order_runs.h"

#include "base/poison.h"

/* A key as it is stored. */
typedef struct stored_key {
  uint32_t major, minor;
  double number;
  uint64_t id;
  uint64_t text;
} stored_key;

static quoin_status
put_record(spill_stream *stream, const order_rows *rows, const sparql_sort_key *keys,
           const atom_id *columns, quoin_error *err)
{
  sparql_context *ctx = rows->ctx;
  quoin_status st = QUOIN_OK;
  for (size_t k = 0; k < rows->n_keys && !st; k++) {
    const stored_key key = {.major = keys[k].major,
                            .minor = keys[k].minor,
                            .number = keys[k].number,
                            .id = keys[k].id.bits,
                            .text = keys[k].text.len};
    st = spill_put(stream, ctx, &key, sizeof(key), err);
  }
  if (!st && rows->n_columns)
    st = spill_put(stream, ctx, columns, rows->n_columns * sizeof(*columns), err);
  for (size_t k = 0; k < rows->n_keys && !st; k++)
    if (keys[k].text.len) st = spill_put(stream, ctx, keys[k].text.ptr, keys[k].text.len, err);
  return st;
}

quoin_status
order_runs_write(order_runs *runs, order_rows *rows, uint64_t limit, quoin_error *err)
{
  sparql_context *ctx = rows->ctx;
  spill_stream run = {0};
  order_entry *entries = NULL;
  size_t n = 0;
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = QUOIN_OK;

  runs->rows = rows;
  atom_id *columns = base_arena_new(&ctx->scratch, rows->n_columns + 1, sizeof(*columns));
  if (!columns) {
    st = base_fail_nomem(err);
    goto done;
  }
  if ((st = order_rows_sort(&entries, &n, rows, err))) goto done;
  for (size_t i = 0; i < n && i < limit; i++) {
    size_t row = entries[i].row;
    for (size_t c = 0; c < rows->n_columns; c++)
      columns[c] = order_rows_column(rows, row, c)[row & (ORDER_CHUNK - 1)];
    if ((st = put_record(&run, rows, order_rows_keys(rows, row), columns, err))) goto done;
    run.rows++;
  }
  if ((st = spill_finish(&run, ctx, err))) goto done;
  if ((st = spill_merge_add(&runs->merge, ctx, &run, err))) goto done;

done:
  order_entries_free(entries, n, ctx);
  if (!st) order_rows_clear(rows);
  spill_drop(&run, ctx);
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

/* ---- records of the merge -------------------------------------------------------------------- */

static quoin_status
record_text(order_record *record, sparql_context *ctx, size_t need, quoin_error *err)
{
  void *text = record->text;
  size_t before = record->text_cap;
  if (need <= before) return QUOIN_OK;
  if (!base_reserve(ctx->mem, &text, &record->text_cap, need, 1)) return base_fail_nomem(err);
  record->text = text;
  return sparql_charge(ctx, (int64_t)(record->text_cap - before), err);
}

static quoin_status
record_read(void *user, size_t slot, spill_reader *reader, quoin_error *err)
{
  order_runs *runs = user;
  const order_rows *rows = runs->rows;
  sparql_context *ctx = rows->ctx;
  order_record *record = &runs->records[slot];
  quoin_status st;
  size_t text = 0;
  for (size_t k = 0; k < rows->n_keys; k++) {
    stored_key key;
    if ((st = spill_get(&key, reader, ctx, sizeof(key), err))) return st;
    record->keys[k] = (sparql_sort_key){.major = key.major,
                                        .minor = key.minor,
                                        .number = key.number,
                                        .text = {NULL, (size_t)key.text},
                                        .id = {key.id}};
    text += (size_t)key.text;
  }
  if (rows->n_columns) {
    st = spill_get(record->columns, reader, ctx, rows->n_columns * sizeof(atom_id), err);
    if (st) return st;
  }
  if (!text) return QUOIN_OK;
  if ((st = record_text(record, ctx, text, err))) return st;
  if ((st = spill_get(record->text, reader, ctx, text, err))) return st;
  const char *at = record->text;
  for (size_t k = 0; k < rows->n_keys; k++) {
    record->keys[k].text.ptr = at;
    at += record->keys[k].text.len;
  }
  return QUOIN_OK;
}

static quoin_status
record_write(void *user, size_t slot, spill_stream *stream, quoin_error *err)
{
  order_runs *runs = user;
  const order_record *record = &runs->records[slot];
  return put_record(stream, runs->rows, record->keys, record->columns, err);
}

static bool
record_before(const void *user, size_t a, size_t b)
{
  const order_runs *runs = user;
  return order_rows_compare(runs->rows, runs->records[a].keys, runs->records[b].keys) < 0;
}

quoin_status
order_runs_begin(order_runs *runs, quoin_error *err)
{
  const order_rows *rows = runs->rows;
  const base_alloc *mem = rows->ctx->mem;
  runs->records = base_new_zero(mem, SPILL_MERGE_MOST, sizeof(*runs->records));
  if (!runs->records) return base_fail_nomem(err);
  for (size_t i = 0; i < SPILL_MERGE_MOST && i < runs->merge.n_runs; i++) {
    order_record *record = &runs->records[i];
    record->keys = base_new(mem, rows->n_keys, sizeof(*record->keys));
    record->columns = base_new(mem, rows->n_columns + 1, sizeof(*record->columns));
    if (!record->keys || !record->columns) return base_fail_nomem(err);
  }
  const spill_records records = {
      .user = runs, .read = record_read, .write = record_write, .before = record_before};
  return spill_merge_begin(&runs->merge, &records, err);
}

quoin_status
order_runs_next(const atom_id **columns, order_runs *runs, quoin_error *err)
{
  size_t slot;
  quoin_status st = spill_merge_next(&slot, &runs->merge, err);
  if (!st) *columns = runs->records[slot].columns;
  return st;
}

void
order_runs_clear(order_runs *runs, sparql_context *ctx)
{
  spill_merge_clear(&runs->merge, ctx);
  for (size_t i = 0; runs->records && i < SPILL_MERGE_MOST; i++) {
    order_record *record = &runs->records[i];
    base_release(ctx->mem, record->keys, record->keys ? runs->rows->n_keys : 0,
                 sizeof(*record->keys));
    base_release(ctx->mem, record->columns, record->columns ? runs->rows->n_columns + 1 : 0,
                 sizeof(*record->columns));
    base_release(ctx->mem, record->text, record->text_cap, 1);
    (void)sparql_charge(ctx, -(int64_t)record->text_cap, NULL);
  }
  if (runs->records)
    base_release(ctx->mem, runs->records, SPILL_MERGE_MOST, sizeof(*runs->records));
  *runs = (order_runs){0};
}
