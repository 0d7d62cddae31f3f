/* sparql/operators/operator_distinct.c - each tuple once, in the order of first occurrence.
 *
 * Streams: a row goes out as soon as it is known to be new. Where the child is sorted by the
 * variables, equal tuples are neighbours: only the last one is kept. Else a table of all tuples.
 *
 * Past the memory budget the table takes no more. Rows that it does not have are numbered and put
 * into parts on disk by the hash of their tuple; at the end of the input each part is read with an
 * empty table (and divided again when that fills). What is new in a part is a run of ascending
 * numbers: merging the runs gives the rows in the order of first occurrence, as without a budget
 * (it is ORDER BY that may stand below). */
#include "sparql/memory/id_table.h"
#include "sparql/memory/spill_merge.h"
#include "sparql/operators/columns.h"

#include "base/poison.h"

typedef struct distinct_operator {
  sparql_operator head;
  const sparql_var *vars;
  size_t n;
  bool neighbours;
  bool started;  /* last[] holds a tuple */
  atom_id *last; /* [n] neighbours: the last tuple given */
  sparql_id_table seen;
  const atom_id **keys; /* [n] */
  sparql_columns cols;
  const atom_id **pulled;
  uint32_t selected[SPARQL_BATCH];
  /* on disk: rows of a number, then the columns of shown[] */
  bool full;         /* `seen` takes no more */
  bool merging;      /* the input is read */
  sparql_var *shown; /* [n_shown] that the child may bind: the tuple first */
  size_t n_shown;
  spill_parts parts;
  spill_sequence sequence;
  uint64_t number; /* of the next row on disk */
  unsigned depth;  /* of the rows being read */
} distinct_operator;

static bool
equals_row(const distinct_operator *op, size_t row)
{
  for (size_t k = 0; k < op->n; k++)
    if (op->last[k].bits != (op->keys[k] ? op->keys[k][row].bits : 0)) return false;
  return true;
}

static size_t
select_neighbours(distinct_operator *op, size_t rows)
{
  size_t n = 0;
  for (size_t i = 0; i < rows; i++) {
    if (op->started && equals_row(op, i)) continue;
    for (size_t k = 0; k < op->n; k++)
      op->last[k] = op->keys[k] ? op->keys[k][i] : ATOM_NONE_ID;
    op->started = true;
    op->selected[n++] = (uint32_t)i;
  }
  return n;
}

static quoin_status
select_new(size_t *n, distinct_operator *op, size_t rows, quoin_error *err)
{
  if (op->neighbours) {
    *n = select_neighbours(op, rows);
    return QUOIN_OK;
  }
  size_t before = op->seen.rows;
  quoin_status st = sparql_id_table_add(op->selected, &op->seen, op->keys, rows, err);
  if (st) return st;
  *n = sparql_id_table_new_rows(op->selected, op->selected, rows, before);
  return QUOIN_OK;
}

/* ---- on disk ----------------------------------------------------------------------------------
 */

/* Rows selected[0..n) of columns[0 .. n_shown) to the parts; numbers[]: NULL when they get new
 * ones.
 */
static quoin_status
put_rows(distinct_operator *op, const atom_id *const *columns, const atom_id *numbers, size_t rows,
         const uint32_t *selected, size_t n, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  uint8_t part[SPARQL_BATCH];
  size_t width = op->n_shown + 1;
  quoin_status st = QUOIN_OK;
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id *row = base_arena_new(&ctx->scratch, width, sizeof(*row));
  if (!row) return base_fail_nomem(err);
  spill_part_of(part, columns, op->n, rows, op->depth);
  for (size_t i = 0; i < n && !st; i++) {
    size_t at = selected[i];
    row[0] = numbers ? numbers[at] : (atom_id){op->number++};
    for (size_t c = 0; c < op->n_shown; c++)
      row[c + 1] = columns[c] ? columns[c][at] : ATOM_NONE_ID;
    st = spill_parts_put(&op->parts, part[at], row, width, ctx, err);
  }
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

/* Those that the full table does not have, to disk. */
static quoin_status
put_unknown(distinct_operator *op, const atom_id *const *columns, const atom_id *numbers,
            size_t rows, quoin_error *err)
{
  size_t n = 0;
  sparql_id_table_find(op->selected, &op->seen, columns, rows);
  for (size_t i = 0; i < rows; i++) {
    uint32_t found = op->selected[i];
    op->selected[n] = (uint32_t)i;
    n += found == SPARQL_ID_TABLE_ABSENT ? 1 : 0;
  }
  return n ? put_rows(op, columns, numbers, rows, op->selected, n, err) : QUOIN_OK;
}

static bool
table_is_full(const distinct_operator *op, size_t rows)
{
  const sparql_id_table *seen = &op->seen;
  return seen->rows &&
         !spill_has_room(op->head.ctx, seen->charged, sparql_id_table_need(seen, rows));
}

/* A batch of a part: what is new to `run`, what has no room to further parts. */
static quoin_status
read_part_batch(distinct_operator *op, spill_stream *run, atom_id *const *columns, size_t rows,
                quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const atom_id *const *tuple = (const atom_id *const *)columns + 1;
  if (!op->full && table_is_full(op, rows)) op->full = true;
  if (op->full) return put_unknown(op, tuple, columns[0], rows, err);
  size_t before = op->seen.rows;
  quoin_status st = sparql_id_table_add(op->selected, &op->seen, tuple, rows, err);
  if (st) return st;
  size_t n = sparql_id_table_new_rows(op->selected, op->selected, rows, before);
  for (size_t i = 0; i < n && !st; i++)
    for (size_t c = 0; c <= op->n_shown && !st; c++)
      st = spill_put(run, ctx, &columns[c][op->selected[i]], sizeof(atom_id), err);
  return st;
}

static quoin_status
read_part(distinct_operator *op, spill_part *part, atom_id *const *columns, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  spill_reader reader = {0};
  spill_stream run = {0};
  sparql_id_table_clear(&op->seen);
  op->full = false;
  op->depth = part->depth;
  quoin_status st = spill_open(&reader, &part->stream, true, ctx, err);
  while (!st) {
    size_t n;
    if ((st = base_cancel_check(&ctx->cancel, err))) break;
    if ((st = spill_get_rows(&n, columns, op->n_shown + 1, &reader, ctx, err)) || !n) break;
    st = read_part_batch(op, &run, columns, n, err);
  }
  spill_close(&reader, ctx);
  if (!st) st = spill_finish(&run, ctx, err);
  if (!st && run.bytes) st = spill_merge_add(&op->sequence.merge, ctx, &run, err);
  spill_drop(&run, ctx);
  return st ? st : spill_parts_end(&op->parts, part->depth + 1, ctx, err);
}

/* The input has been read: all parts to runs. */
static quoin_status
read_parts(distinct_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t width = op->n_shown + 1;
  spill_part part;
  quoin_status st = spill_parts_end(&op->parts, 1, ctx, err);
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id **columns = base_arena_new(&ctx->scratch, width, sizeof(*columns));
  for (size_t c = 0; c < width && columns && !st; c++)
    if (!(columns[c] = base_arena_new(&ctx->scratch, SPARQL_BATCH, sizeof(atom_id))))
      columns = NULL;
  if (!st && !columns) st = base_fail_nomem(err);
  while (!st && spill_parts_take(&part, &op->parts)) {
    st = read_part(op, &part, columns, err);
    spill_drop(&part.stream, ctx);
  }
  base_arena_rewind(&ctx->scratch, mark);
  sparql_id_table_clear(&op->seen);
  op->merging = true;
  return st ? st : spill_sequence_begin(&op->sequence, ctx, width, err);
}

static quoin_status
next_merged(sparql_batch *out, distinct_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st = QUOIN_OK;
  size_t n;
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id **to = base_arena_new(&ctx->scratch, op->n_shown + 1, sizeof(*to));
  if (!to) return base_fail_nomem(err);
  for (sparql_var v = 0; v < op->cols.n_vars; v++)
    op->cols.column[v] = NULL;
  for (size_t c = 0; c < op->n_shown && !st; c++) {
    st = sparql_columns_buffer(&to[c], &op->cols, ctx, op->shown[c], err);
    op->cols.column[op->shown[c]] = to[c];
  }
  if (!st) st = spill_sequence_rows(&n, to, &op->sequence, err);
  base_arena_rewind(&ctx->scratch, mark);
  if (!st) *out = (sparql_batch){.rows = n, .column = op->cols.column};
  return st;
}

/* The table is full: this batch, and so all that follow, to disk. */
static quoin_status
put_batch(distinct_operator *op, const sparql_batch *in, quoin_error *err)
{
  for (size_t c = 0; c < op->n_shown; c++)
    op->keys[c] = in->column[op->shown[c]];
  return put_unknown(op, op->keys, NULL, in->rows, err);
}

/* ---- the operator ------------------------------------------------------------------------------
 */

static quoin_status
distinct_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  distinct_operator *op = (distinct_operator *)base;
  for (;;) {
    sparql_batch in;
    size_t n = 0;
    quoin_status st = base_cancel_check(&base->ctx->cancel, err);
    if (st) return st;
    /* No variables: there is one tuple, and it is known. */
    if (op->n == 0 && op->started) return QUOIN_DONE;
    if (op->merging) return next_merged(out, op, err);
    st = sparql_pull(&in, op->pulled, base->child[0], err);
    if (st == QUOIN_DONE && op->full) {
      if ((st = read_parts(op, err))) return st;
      continue;
    }
    if (st) return st;
    if (!op->full && !op->neighbours && table_is_full(op, in.rows)) op->full = true;
    if (op->full) {
      if ((st = put_batch(op, &in, err))) return st;
      continue;
    }
    for (size_t k = 0; k < op->n; k++)
      op->keys[k] = in.column[op->vars[k]];
    if ((st = select_new(&n, op, in.rows, err))) return st;
    if (base->bytes < op->seen.charged) base->bytes = op->seen.charged;
    if (!n) continue;
    if (n < in.rows) {
      if ((st = sparql_columns_gather(&op->cols, base->ctx, &in, op->selected, n, err))) return st;
      in = (sparql_batch){.rows = n, .column = op->cols.column};
    }
    *out = in;
    return QUOIN_OK;
  }
}

static void
forget_disk(distinct_operator *op)
{
  spill_parts_clear(&op->parts, op->head.ctx);
  spill_sequence_clear(&op->sequence, op->head.ctx);
  op->full = op->merging = false;
  op->number = 0;
  op->depth = 0;
}

static quoin_status
distinct_rewind(sparql_operator *base, quoin_error *err)
{
  distinct_operator *op = (distinct_operator *)base;
  op->started = false;
  forget_disk(op);
  sparql_id_table_reset(&op->seen);
  return sparql_operator_rewind(base->child[0], err);
}

static void
distinct_close(sparql_operator *base)
{
  distinct_operator *op = (distinct_operator *)base;
  forget_disk(op);
  sparql_id_table_clear(&op->seen);
}

static void
distinct_explain(base_buffer *out, const sparql_operator *base)
{
  const distinct_operator *op = (const distinct_operator *)base;
  base_buffer_text(out, op->neighbours ? "sorted:" : "hash:");
  for (size_t i = 0; i < op->n; i++) {
    base_buffer_byte(out, ' ');
    sparql_explain_var(out, base->ctx, op->vars[i]);
  }
}

static const sparql_operator_class distinct_class = {.name = "distinct",
                                                     .next = distinct_next,
                                                     .rewind = distinct_rewind,
                                                     .close = distinct_close,
                                                     .explain = distinct_explain};

/* The tuple, then what else the child may bind. */
static void
choose_shown(distinct_operator *op, const sparql_operator *child)
{
  for (size_t i = 0; i < op->n; i++)
    op->shown[op->n_shown++] = op->vars[i];
  for (sparql_var v = 0; v < op->head.ctx->query->n_vars; v++) {
    bool is_key = false;
    for (size_t i = 0; i < op->n && !is_key; i++)
      is_key = op->vars[i] == v;
    if (child->maybe[v] && !is_key) op->shown[op->n_shown++] = v;
  }
}

quoin_status
sparql_distinct_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                    const sparql_var *vars, size_t n, quoin_error *err)
{
  distinct_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  sparql_var *copy = base_arena_new(&ctx->arena, n + 1, sizeof(sparql_var));
  if (!op || !copy) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &distinct_class, ctx, child, err);
  if (st) return st;
  /* A variable that is never bound tells no rows apart. */
  for (size_t i = 0; i < n; i++)
    if (child->maybe[vars[i]]) copy[op->n++] = vars[i];
  op->vars = copy;
  op->neighbours = sparql_sorted_by_set(child, op->vars, op->n);
  op->last = base_arena_new_zero(&ctx->arena, op->n + 1, sizeof(atom_id));
  op->keys = base_arena_new_zero(&ctx->arena, ctx->query->n_vars + 1u, sizeof(atom_id *));
  op->shown = base_arena_new(&ctx->arena, ctx->query->n_vars + 1u, sizeof(sparql_var));
  sparql_batch pulled;
  if (!op->last || !op->keys || !op->shown) return base_fail_nomem(err);
  choose_shown(op, child);
  if ((st = sparql_id_table_init(&op->seen, ctx, (unsigned)op->n, err))) return st;
  if ((st = sparql_columns_init(&op->cols, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  *out = &op->head;
  return QUOIN_OK;
}
