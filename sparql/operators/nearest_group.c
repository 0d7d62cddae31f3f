/* sparql/operators/nearest_group.c - the group of vec:nearest: its rows, and of them the queries
 * and the candidates.
 *
 * Rows go by whole columns into chunks. Where a row has nothing but an item, and each another one,
 * the candidates are the rows: a class of a million papers is a million ids, and no row. */
#include "sparql/memory/disk_memory.h"
#include "sparql/operators/nearest.h"

#include <stdlib.h>

#include "base/poison.h"

quoin_status
nearest_grow(nearest_operator *op, void **array, size_t *cap, size_t need, size_t size,
             quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t before = *cap;
  if (need <= before) return QUOIN_OK;
  if (!base_reserve(ctx->mem, array, cap, need, size)) return base_fail_nomem(err);
  uint64_t more = (*cap - before) * size;
  op->charged += more;
  return sparql_charge(ctx, (int64_t)more, err);
}

/* ---- candidates -------------------------------------------------------------------------------
 */

static int
compare_ids(const void *x, const void *y)
{
  const atom_id *a = x, *b = y;
  return a->bits < b->bits ? -1 : a->bits > b->bits;
}

/* Ascending, each once. */
static void
sort_items(nearest_items *items)
{
  size_t n = 0;
  if (items->sorted == items->n) return;
  qsort(items->id, items->n, sizeof(*items->id), compare_ids);
  for (size_t i = 0; i < items->n; i++)
    if (!n || !atom_id_equal(items->id[n - 1], items->id[i])) items->id[n++] = items->id[i];
  items->n = items->sorted = n;
}

static quoin_status
add_items(nearest_operator *op, nearest_items *items, const atom_id *ids, size_t n,
          quoin_error *err)
{
  if (items->n + n > items->cap) {
    /* Perhaps there are no more different ones than the last time. */
    if (items->n >= 1024 && items->n >= 2 * items->sorted) sort_items(items);
    quoin_status st =
        nearest_grow(op, (void **)&items->id, &items->cap, items->n + n, sizeof(*items->id), err);
    if (st) return st;
  }
  for (size_t i = 0; i < n; i++) {
    uint64_t last = items->n ? items->id[items->n - 1].bits : 0;
    if (ids[i].bits == last) continue;
    if (items->sorted == items->n && ids[i].bits > last) items->sorted++;
    items->id[items->n++] = ids[i];
  }
  return QUOIN_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static quoin_status
rows_to_disk(nearest_operator *op, const atom_id *const *column, size_t from, size_t to,
             quoin_error *err)
{
  for (size_t row = from; row < to; row++) {
    op->disk.rows++;
    for (size_t c = 0; c < op->n_vars; c++) {
      const atom_id *ids = column[op->vars[c]], id = ids ? ids[row] : ATOM_NONE_ID;
      quoin_status st = spill_put(&op->disk, op->head.ctx, &id, sizeof(id), err);
      if (st) return st;
    }
  }
  return QUOIN_OK;
}

static quoin_status
keep_rows(nearest_operator *op, const atom_id *const *column, size_t n, quoin_error *err)
{
  order_rows *rows = &op->rows;
  for (size_t at = 0, some; at < n; at += some) {
    size_t used = rows->rows % ORDER_CHUNK;
    if (op->disk.rows ||
        (!used && !spill_has_room(op->head.ctx, order_rows_bytes(rows), order_rows_need(rows, 1))))
      return rows_to_disk(op, column, at, n, err);
    some = n - at < ORDER_CHUNK - used ? n - at : ORDER_CHUNK - used;
    quoin_status st = order_rows_add(rows, err);
    if (st) return st;
    size_t row = rows->rows - 1;
    rows->rows += some - 1; /* of the same chunk */
    for (size_t c = 0; c < op->n_vars; c++) {
      const atom_id *ids = column[op->vars[c]];
      atom_id *to = order_rows_column(rows, row, c) + used;
      if (ids)
        memcpy(to, ids + at, some * sizeof(*to));
      else
        memset(to, 0, some * sizeof(*to));
    }
  }
  return QUOIN_OK;
}

/* The candidates are the rows no longer: they get rows of their own. */
static quoin_status
make_rows(nearest_operator *op, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  sparql_var item = op->vars[0];
  op->rows_are_items = false;
  for (size_t at = 0; !st && at < n; at += ORDER_CHUNK) {
    op->from[item] = op->items.id + at;
    st = keep_rows(op, op->from, n - at < ORDER_CHUNK ? n - at : ORDER_CHUNK, err);
  }
  return st;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static const atom_id *
column_of(const sparql_batch *in, sparql_var var)
{
  return var == SPARQL_NO_VAR ? NULL : in->column[var];
}

/* Rows that bind both variables (SPARQL_NO_VAR: any row) into *in. */
static quoin_status
drop_unbound(sparql_batch *in, nearest_operator *op, const sparql_operator *child, sparql_var a,
             sparql_var b, quoin_error *err)
{
  const atom_id *x = column_of(in, a), *y = column_of(in, b);
  bool all = (a == SPARQL_NO_VAR || child->bound[a]) && (b == SPARQL_NO_VAR || child->bound[b]);
  size_t n = 0;
  if (all) return QUOIN_OK;
  for (size_t i = 0; i < in->rows; i++)
    if ((a == SPARQL_NO_VAR || (x && x[i].bits)) && (b == SPARQL_NO_VAR || (y && y[i].bits)))
      op->selected[n++] = (uint32_t)i;
  quoin_status st =
      n ? sparql_columns_gather(&op->cols, op->head.ctx, in, op->selected, n, err) : QUOIN_OK;
  in->rows = n;
  in->column = op->cols.column;
  return st;
}

/* The queries of rows, by number. */
static quoin_status
number_queries(nearest_operator *op, const atom_id *ids, size_t n, quoin_error *err)
{
  if (nearest_has_constant_query(op) && op->n_queries) return QUOIN_OK;
  quoin_status st = sparql_id_table_add(op->row_query, &op->ids, &ids, n, err);
  if (st) return st;
  st = nearest_grow(op, (void **)&op->query, &op->cap_queries, op->ids.rows, sizeof(*op->query),
                    err);
  while (!st && op->n_queries < op->ids.rows)
    op->query[op->n_queries++] = (nearest_query){.n = 0};
  return st;
}

static quoin_status
take_candidates(nearest_operator *op, const atom_id *items, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (op->shared) {
    size_t before = op->items.n;
    st = add_items(op, &op->items, items, n, err);
    bool ascend = op->items.n == before + n && op->items.sorted == op->items.n;
    if (!st && op->rows_are_items && !ascend) st = make_rows(op, before, err);
    return st;
  }
  for (size_t i = 0; !st && i < n; i++)
    st = add_items(op, &op->query[op->row_query[i]].items, items + i, 1, err);
  return st;
}

static quoin_status
take_rows(nearest_operator *op, sparql_batch *in, quoin_error *err)
{
  const sparql_algebra *node = op->options.node;
  sparql_var query = nearest_is_split(op) ? SPARQL_NO_VAR : node->object.var;
  sparql_var item = op->free_item ? SPARQL_NO_VAR : node->subject.var;
  quoin_status st = drop_unbound(in, op, op->head.child[0], query, item, err);
  if (st || !in->rows) return st;
  if (!nearest_is_split(op)) st = number_queries(op, column_of(in, query), in->rows, err);
  if (!st && !op->any && item != SPARQL_NO_VAR)
    st = take_candidates(op, in->column[item], in->rows, err);
  return st || op->rows_are_items ? st : keep_rows(op, in->column, in->rows, err);
}

/* ---- the part that has the queries ------------------------------------------------------------
 */

static quoin_status
reserve(nearest_operator *op, void **array, size_t *cap, size_t need, size_t size, quoin_error *err)
{
  disk_memory *disk = op->head.ctx->disk;
  if (base_reserve(disk_memory_alloc(disk), array, cap, need, size)) return QUOIN_OK;
  return disk_memory_failure(disk, base_fail_nomem(err), err);
}

static quoin_status
take_left(nearest_operator *op, sparql_batch *in, quoin_error *err)
{
  nearest_left *left = &op->left;
  sparql_var query = op->options.node->object.var;
  quoin_status st = drop_unbound(in, op, op->head.child[1], query, SPARQL_NO_VAR, err);
  if (st || !in->rows) return st;
  if (left->n + in->rows >= UINT32_MAX)
    return base_fail(err, QUOIN_ERR_LIMIT, "more than 2^32 rows with a query of vec:nearest");
  if ((st = number_queries(op, in->column[query], in->rows, err))) return st;
  size_t cells = (left->n + in->rows) * left->width;
  if ((st = reserve(op, (void **)&left->cells, &left->cap_cells, cells, sizeof(*left->cells), err)))
    return st;
  if ((st = reserve(op, (void **)&left->query, &left->cap, left->n + in->rows, sizeof(*left->query),
                    err)))
    return st;
  memcpy(left->query + left->n, op->row_query, in->rows * sizeof(*left->query));
  for (size_t c = 0; c < left->width; c++) {
    const atom_id *ids = in->column[left->vars[c]];
    for (size_t i = 0; i < in->rows; i++)
      left->cells[(left->n + i) * left->width + c] = ids ? ids[i] : ATOM_NONE_ID;
  }
  left->n += in->rows;
  return QUOIN_OK;
}

/* The rows of each query beside each other. */
static quoin_status
order_left(nearest_operator *op, quoin_error *err)
{
  nearest_left *left = &op->left;
  quoin_status st =
      reserve(op, (void **)&left->order, &left->cap_order, left->cap, sizeof(*left->order), err);
  if (!st)
    st = reserve(op, (void **)&left->first, &left->cap_first, op->n_queries + 2,
                 sizeof(*left->first), err);
  if (st) return st;
  memset(left->first, 0, (op->n_queries + 2) * sizeof(*left->first));
  for (size_t i = 0; i < left->n; i++)
    left->first[left->query[i] + 2]++;
  for (size_t q = 1; q < op->n_queries + 2; q++)
    left->first[q] += left->first[q - 1];
  for (size_t i = 0; i < left->n; i++)
    left->order[left->first[left->query[i] + 1]++] = (uint32_t)i;
  return QUOIN_OK;
}

/* ---- the group --------------------------------------------------------------------------------
 */

static quoin_status
read_part(nearest_operator *op, unsigned child,
          quoin_status (*take)(nearest_operator *, sparql_batch *, quoin_error *), quoin_error *err)
{
  sparql_batch in;
  quoin_status st;
  while (!(st = sparql_pull(&in, op->pulled, op->head.child[child], err))) {
    if ((st = base_cancel_check(&op->head.ctx->cancel, err))) return st;
    if ((st = take(op, &in, err))) return st;
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quoin_status
nearest_read_group(nearest_operator *op, quoin_error *err)
{
  const sparql_algebra *node = op->options.node;
  quoin_status st = QUOIN_OK;
  op->rows_are_items =
      op->shared && !op->any && op->n_vars == 1 && op->vars[0] == node->subject.var;
  if (nearest_is_split(op)) { /* without a query nothing of the other part is needed */
    if ((st = read_part(op, 1, take_left, err)) || !op->left.n) return st;
    if ((st = order_left(op, err))) return st;
  }
  if ((st = read_part(op, 0, take_rows, err))) return st;
  if (!op->items.n && !op->rows.rows && !op->disk.rows) op->n_queries = 0;
  if (node->subject.var == SPARQL_NO_VAR && (st = add_items(op, &op->items, &op->constant, 1, err)))
    return st;
  sort_items(&op->items);
  for (size_t q = 0; q < op->n_queries; q++)
    sort_items(&op->query[q].items);
  return op->disk.rows ? spill_finish(&op->disk, op->head.ctx, err) : QUOIN_OK;
}

quoin_status
nearest_next_kept(nearest_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t left = (op->rows_are_items ? op->items.n : op->rows.rows) - op->next_row;
  op->at = op->n_in = op->hit = op->hits = 0;
  if (left) {
    op->n_in = left < ORDER_CHUNK ? left : ORDER_CHUNK;
    for (size_t c = 0; c < op->n_vars; c++)
      op->from[c] = op->rows_are_items ? op->items.id + op->next_row
                                       : order_rows_column(&op->rows, op->next_row, c);
    op->next_row += op->n_in;
    return QUOIN_OK;
  }
  if (!op->disk.rows) return QUOIN_DONE;
  if (!op->reader.stream) {
    quoin_status st = spill_open(&op->reader, &op->disk, false, ctx, err);
    if (st) return st;
    for (size_t c = 0; c < op->n_vars; c++)
      if ((st = sparql_column_make(&op->in[c], ctx, err))) return st;
  }
  for (size_t c = 0; c < op->n_vars; c++)
    op->from[c] = op->in[c];
  quoin_status st = spill_get_rows(&op->n_in, op->in, op->n_vars, &op->reader, ctx, err);
  return st ? st : op->n_in ? QUOIN_OK : QUOIN_DONE;
}

static void
clear_left(nearest_operator *op)
{
  nearest_left *left = &op->left;
  const base_alloc *disk = disk_memory_alloc(op->head.ctx->disk);
  base_release(disk, left->cells, left->cap_cells, sizeof(*left->cells));
  base_release(disk, left->query, left->cap, sizeof(*left->query));
  base_release(disk, left->order, left->cap_order, sizeof(*left->order));
  base_release(disk, left->first, left->cap_first, sizeof(*left->first));
  *left = (nearest_left){.vars = left->vars, .width = left->width};
}

void
nearest_clear_group(nearest_operator *op)
{
  sparql_context *ctx = op->head.ctx;
  if (op->reader.stream) spill_close(&op->reader, ctx);
  op->reader = (spill_reader){.stream = NULL};
  spill_drop(&op->disk, ctx);
  op->disk = (spill_stream){.blocks = NULL};
  order_rows_clear(&op->rows);
  clear_left(op);
  for (size_t q = 0; q < op->n_queries; q++)
    base_release(ctx->mem, op->query[q].items.id, op->query[q].items.cap, sizeof(atom_id));
  base_release(ctx->mem, op->query, op->cap_queries, sizeof(*op->query));
  base_release(ctx->mem, op->items.id, op->items.cap, sizeof(atom_id));
  op->query = NULL;
  op->n_queries = op->cap_queries = 0;
  op->items = (nearest_items){.id = NULL};
  sparql_id_table_clear(&op->ids);
}
