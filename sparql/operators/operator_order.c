/* sparql/operators/operator_order.c - ORDER BY: a stable sort of whole rows (15.1, DESIGN.md
 * section 4).
 *
 * The sort key of each row is made once. With a LIMIT only the best `limit` rows are kept: when
 * twice as many have gathered they are sorted and the worse half is dropped, and from then on a row
 * that does not come before the worst kept one is not stored at all. That costs less than a heap:
 * rows are moved log-many times, not at each replacement, and stability is free (kept rows are
 * numbered in order and before all later ones).
 *
 * Past the memory budget the rows so far become a sorted run on disk (order_runs.h), of which only
 * the best `limit` are written, and in the end the runs are merged. */
#include "sparql/operators/columns.h"
#include "sparql/operators/order_runs.h"

#include <inttypes.h>

#include "base/poison.h"

/* Beyond twice the limit, so that a small limit does not sort at every batch. */
enum { ORDER_SLACK = 4096 };

typedef struct order_operator {
  sparql_operator head;
  sparql_order_key *keys;
  size_t n_keys;
  uint64_t limit;   /* UINT64_MAX: none */
  sparql_var *vars; /* [n_vars] those the child may bind: the columns of rows */
  size_t n_vars;
  order_rows rows;
  order_runs runs; /* on disk; with any, all rows end there */
  bool pruned;     /* row limit-1 is the worst that may stay */
  order_entry *entries;
  size_t n_entries;
  bool sorted; /* the input is read */
  uint64_t given;
  sparql_columns cols;
  const atom_id **pulled;
  atom_id *values;       /* [SPARQL_BATCH] of a key expression */
  sparql_sort_key *made; /* [SPARQL_BATCH * n_keys] of a batch, row by row */
} order_operator;

/* The keys of all rows of `in` into op->made, text into `arena`. */
static quoin_status
make_keys(order_operator *op, const sparql_batch *in, base_arena *arena, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  for (size_t k = 0; k < op->n_keys; k++) {
    const sparql_expr *expr = op->keys[k].expr;
    const atom_id *ids = op->values;
    quoin_status st = QUOIN_OK;
    if (expr->op == EXPR_VAR) {
      ids = in->column[expr->var];
    } else if ((st = sparql_expr_column(op->values, ctx, expr, in, err))) {
      return st;
    }
    for (size_t i = 0; i < in->rows; i++) {
      sparql_sort_key *key = &op->made[i * op->n_keys + k];
      atom_id id = ids ? ids[i] : ATOM_NONE_ID;
      /* Joined rows come with runs of one value: its key need not be made again. */
      if (i && atom_id_equal(id, ids ? ids[i - 1] : ATOM_NONE_ID)) {
        *key = *(key - op->n_keys);
      } else if ((st = sparql_sort_key_make(key, ctx, id, arena, err))) {
        return st;
      }
    }
  }
  return QUOIN_OK;
}

static quoin_status
store_row(order_operator *op, const sparql_batch *in, size_t row, bool copy_text, quoin_error *err)
{
  quoin_status st = order_rows_add(&op->rows, err);
  if (st) return st;
  size_t at = op->rows.rows - 1;
  sparql_sort_key *keys = order_rows_keys(&op->rows, at);
  for (size_t k = 0; k < op->n_keys; k++) {
    keys[k] = op->made[row * op->n_keys + k];
    if (!copy_text || !keys[k].text.len) continue;
    keys[k].text = base_arena_copy(&op->rows.text, keys[k].text);
    if (!keys[k].text.ptr) return base_fail_nomem(err);
  }
  for (size_t c = 0; c < op->n_vars; c++) {
    const atom_id *from = in->column[op->vars[c]];
    order_rows_column(&op->rows, at, c)[at & (ORDER_CHUNK - 1)] = from ? from[row] : ATOM_NONE_ID;
  }
  return QUOIN_OK;
}

static quoin_status
prune(order_operator *op, quoin_error *err)
{
  order_entry *entries;
  size_t n;
  quoin_status st = order_rows_sort(&entries, &n, &op->rows, err);
  if (st) return st;
  st = order_rows_keep(&op->rows, entries, (size_t)op->limit, err);
  order_entries_free(entries, n, op->head.ctx);
  op->pruned = !st;
  return st;
}

/* The rows so far to disk. */
static quoin_status
spill(order_operator *op, quoin_error *err)
{
  op->pruned = false;
  return op->rows.rows ? order_runs_write(&op->runs, &op->rows, op->limit, err) : QUOIN_OK;
}

static bool
has_room(const order_operator *op, uint64_t chunks)
{
  return spill_has_room(op->head.ctx, order_rows_bytes(&op->rows),
                        order_rows_need(&op->rows, (size_t)chunks));
}

static quoin_status
take_batch(order_operator *op, const sparql_batch *in, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  bool limited = op->limit != UINT64_MAX;
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = make_keys(op, in, limited ? &ctx->scratch : &op->rows.text, err);
  for (size_t i = 0; i < in->rows && !st; i++) {
    if (op->pruned && order_rows_compare(&op->rows, &op->made[i * op->n_keys],
                                         order_rows_keys(&op->rows, (size_t)op->limit - 1)) >= 0)
      continue;
    st = store_row(op, in, i, limited, err);
  }
  base_arena_rewind(&ctx->scratch, mark);
  if (st) return st;
  if (!has_room(op, 2)) return spill(op, err);
  if ((st = order_rows_charge_text(&op->rows, err))) return st;
  if (!limited || op->rows.rows / 2 <= op->limit || op->rows.rows - op->limit <= ORDER_SLACK)
    return QUOIN_OK;
  return has_room(op, op->limit / ORDER_CHUNK + 1) ? prune(op, err) : spill(op, err);
}

static quoin_status
read_all(order_operator *op, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (op->limit == 0) {
    op->sorted = true;
    return QUOIN_OK;
  }
  for (;;) {
    sparql_batch in;
    if ((st = base_cancel_check(&op->head.ctx->cancel, err))) return st;
    if ((st = sparql_pull(&in, op->pulled, op->head.child[0], err))) break;
    if ((st = take_batch(op, &in, err))) return st;
  }
  if (st != QUOIN_DONE) return st;
  op->head.bytes = op->rows.n_chunks * ORDER_CHUNK *
                       (op->n_keys * sizeof(sparql_sort_key) + op->n_vars * sizeof(atom_id)) +
                   op->rows.text_charged;
  if (order_runs_any(&op->runs)) {
    if ((st = spill(op, err)) || (st = order_runs_begin(&op->runs, err))) return st;
  } else if ((st = order_rows_sort(&op->entries, &op->n_entries, &op->rows, err))) {
    return st;
  }
  op->sorted = true;
  return QUOIN_OK;
}

/* The next rows of the runs; *n is 0 at the end. */
static quoin_status
give_merged(size_t *n, order_operator *op, quoin_error *err)
{
  *n = 0;
  for (; *n < SPARQL_BATCH && op->given < op->limit; op->given++) {
    const atom_id *columns;
    quoin_status st = order_runs_next(&columns, &op->runs, err);
    if (st == QUOIN_DONE) break;
    if (st) return st;
    for (size_t c = 0; c < op->n_vars; c++)
      op->cols.buffer[op->vars[c]][*n] = columns[c];
    ++*n;
  }
  return QUOIN_OK;
}

static void
give_sorted(size_t *n, order_operator *op)
{
  uint64_t end = op->limit < op->n_entries ? op->limit : op->n_entries;
  *n = end - op->given < SPARQL_BATCH ? (size_t)(end - op->given) : SPARQL_BATCH;
  const order_entry *entries = op->entries + op->given;
  for (size_t c = 0; c < op->n_vars; c++) {
    atom_id *to = op->cols.buffer[op->vars[c]];
    for (size_t i = 0; i < *n; i++)
      to[i] = order_rows_column(&op->rows, entries[i].row, c)[entries[i].row & (ORDER_CHUNK - 1)];
  }
  op->given += *n;
}

static quoin_status
order_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  order_operator *op = (order_operator *)base;
  quoin_status st = base_cancel_check(&base->ctx->cancel, err);
  if (st || (!op->sorted && (st = read_all(op, err)))) return st;
  size_t n = 0;
  for (size_t c = 0; c < op->n_vars; c++) {
    atom_id *to;
    if ((st = sparql_columns_buffer(&to, &op->cols, base->ctx, op->vars[c], err))) return st;
    op->cols.column[op->vars[c]] = to;
  }
  if (!order_runs_any(&op->runs))
    give_sorted(&n, op);
  else if ((st = give_merged(&n, op, err)))
    return st;
  if (!n) return QUOIN_DONE;
  *out = (sparql_batch){.rows = n, .column = op->cols.column};
  return QUOIN_OK;
}

static void
order_close(sparql_operator *base)
{
  order_operator *op = (order_operator *)base;
  order_entries_free(op->entries, op->n_entries, base->ctx);
  op->entries = NULL;
  op->n_entries = op->given = 0;
  op->sorted = op->pruned = false;
  order_runs_clear(&op->runs, base->ctx);
  order_rows_clear(&op->rows);
}

static quoin_status
order_rewind(sparql_operator *base, quoin_error *err)
{
  order_close(base);
  return sparql_operator_rewind(base->child[0], err);
}

static void
order_explain(base_buffer *out, const sparql_operator *base)
{
  const order_operator *op = (const order_operator *)base;
  for (size_t k = 0; k < op->n_keys; k++) {
    if (k) base_buffer_byte(out, ' ');
    base_buffer_text(out, op->keys[k].descending ? "desc " : "asc ");
    if (op->keys[k].expr->op == EXPR_VAR)
      sparql_explain_var(out, base->ctx, op->keys[k].expr->var);
    else
      base_buffer_text(out, "(expression)");
  }
  if (op->limit != UINT64_MAX) base_buffer_printf(out, ", best %" PRIu64, op->limit);
}

static const sparql_operator_class order_class = {.name = "order",
                                                  .next = order_next,
                                                  .rewind = order_rewind,
                                                  .close = order_close,
                                                  .explain = order_explain};

static quoin_status
order_buffers(order_operator *op, sparql_context *ctx, quoin_error *err)
{
  sparql_batch pulled;
  quoin_status st = sparql_columns_init(&op->cols, ctx, err);
  if (st || (st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  op->values = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
  op->made = base_arena_new(&ctx->arena, SPARQL_BATCH * op->n_keys, sizeof(sparql_sort_key));
  return op->values && op->made ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_order_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                 const sparql_order_key *keys, size_t n, uint64_t limit, quoin_error *err)
{
  uint32_t n_vars = ctx->query->n_vars;
  order_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  sparql_order_key *copy = base_arena_new(&ctx->arena, n + 1, sizeof(*copy));
  sparql_var *vars = base_arena_new(&ctx->arena, n_vars + 1u, sizeof(sparql_var));
  if (!op || !copy || !vars) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &order_class, ctx, child, err);
  if (st) return st;
  for (size_t k = 0; k < n; k++)
    copy[k] = keys[k];
  op->keys = copy;
  op->n_keys = n;
  op->limit = limit;
  op->vars = vars;
  for (sparql_var v = 0; v < n_vars; v++)
    if (child->maybe[v]) vars[op->n_vars++] = v;
  op->head.n_sorted = 0;
  if (op->head.rows > (double)limit) op->head.rows = (double)limit;
  op->head.cost = child->cost + child->rows * 4; /* a row is stored, compared, fetched */
  order_rows_init(&op->rows, ctx, op->keys, n, op->n_vars);
  if ((st = order_buffers(op, ctx, err))) return st;
  *out = &op->head;
  return QUOIN_OK;
}
