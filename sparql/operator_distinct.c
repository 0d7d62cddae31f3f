/* sparql/operator_distinct.c - each tuple once, in the order of first occurrence.
 *
 * Streams: a row goes out as soon as it is known to be new. Where the child is sorted by the
 * variables, equal tuples are neighbours: only the last one is kept. Else a table of all tuples. */
#include "sparql/columns.h"
#include "sparql/id_table.h"

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
    if ((st = sparql_pull(&in, op->pulled, base->child[0], err))) return st;
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

static quoin_status
distinct_rewind(sparql_operator *base, quoin_error *err)
{
  distinct_operator *op = (distinct_operator *)base;
  op->started = false;
  sparql_id_table_reset(&op->seen);
  return sparql_operator_rewind(base->child[0], err);
}

static void
distinct_close(sparql_operator *base)
{
  distinct_operator *op = (distinct_operator *)base;
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
  op->keys = base_arena_new_zero(&ctx->arena, op->n + 1, sizeof(atom_id *));
  sparql_batch pulled;
  if (!op->last || !op->keys) return base_fail_nomem(err);
  if ((st = sparql_id_table_init(&op->seen, ctx, (unsigned)op->n, err))) return st;
  if ((st = sparql_columns_init(&op->cols, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  *out = &op->head;
  return QUOIN_OK;
}
