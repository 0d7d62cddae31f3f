/* sparql/operators/operator_count_join.c - see count_join.h. */
#include "sparql/operators/count_join.h"

#include "sparql/memory/disk_memory.h"

#include <assert.h>

#include "base/poison.h"

typedef struct count_join {
  sparql_operator head;
  count_node *root;
  bool keyed;
  const sparql_var *counts;
  size_t n_counts;
  const sparql_frame *frame;
  bool filled, given;
  const atom_id **column;
  atom_id *keys, *numbers; /* [SPARQL_BATCH] */
} count_join;

static quoin_status
too_many(quoin_error *err)
{
  return base_fail(err, QUOIN_ERR_LIMIT, "the count is 2^57 or more");
}

/* What an inline integer holds, so that every count is one. */
static bool
multiply(uint64_t *by, uint64_t with)
{
  return !__builtin_mul_overflow(*by, with, by) && *by < UINT64_C(1) << 57;
}

/* ---- rows of a pattern ------------------------------------------------------------------------
 */

/* weight[] of the batch at hand: the product of what the variables below have for each row. */
static quoin_status
weigh(count_edge *edge, quoin_error *err)
{
  uint32_t row[SPARQL_BATCH];
  size_t n = edge->batch.rows;
  for (size_t i = 0; i < n; i++)
    edge->weight[i] = 1;
  for (size_t b = 0; b < edge->n_below; b++) {
    const count_node *below = edge->below[b];
    const atom_id *column = edge->batch.column[below->var];
    sparql_id_table_find(row, &below->values, &column, n);
    for (size_t i = 0; i < n; i++) {
      if (row[i] == SPARQL_ID_TABLE_ABSENT) {
        edge->weight[i] = 0;
      } else if (!multiply(&edge->weight[i], below->ways[row[i]])) {
        return too_many(err);
      }
    }
  }
  return QUOIN_OK;
}

/* More rows; `done` at the end. */
static quoin_status
pull(count_edge *edge, quoin_error *err)
{
  quoin_status st = sparql_pull(&edge->batch, edge->pulled, edge->op, err);
  edge->at = 0;
  if (st) edge->batch.rows = 0;
  edge->done = st == QUOIN_DONE;
  if (st) return edge->done ? QUOIN_OK : st;
  return edge->n_below ? weigh(edge, err) : QUOIN_OK;
}

/* The first row at or after *at in [at, n) whose id is not below `value`: near ones first. */
static size_t
gallop(const atom_id *column, size_t at, size_t n, atom_id value)
{
  size_t step = 1, lo = at;
  while (at < n && column[at].bits < value.bits) {
    lo = at + 1;
    at += step;
    step *= 2;
  }
  size_t hi = at < n ? at : n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (column[mid].bits < value.bits) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

/* To the first row whose value is not below `value`. */
static quoin_status
advance(count_edge *edge, sparql_var var, atom_id value, quoin_error *err)
{
  while (!edge->done) {
    if (edge->at < edge->batch.rows)
      edge->at = gallop(edge->batch.column[var], edge->at, edge->batch.rows, value);
    if (edge->at < edge->batch.rows) return QUOIN_OK;
    sparql_operator *scan = sparql_scan_under(edge->op);
    quoin_status st = scan ? sparql_scan_seek(scan, value, err) : QUOIN_OK;
    if (st || (st = pull(edge, err))) return st;
  }
  return QUOIN_OK;
}

/* Past the rows of `value`, whose weights are added up. */
static quoin_status
take(uint64_t *sum, count_edge *edge, sparql_var var, atom_id value, quoin_error *err)
{
  *sum = 0;
  while (!edge->done) {
    const atom_id *column = edge->batch.column[var];
    size_t at = edge->at, n = edge->batch.rows;
    for (; at < n && column[at].bits == value.bits; at++) {
      *sum += edge->weight ? edge->weight[at] : 1; /* each below 2^57 */
      if (*sum >= UINT64_C(1) << 57) return too_many(err);
    }
    edge->at = at;
    if (at < n) return QUOIN_OK;
    quoin_status st = pull(edge, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

/* ---- a variable -------------------------------------------------------------------------------
 */

/* All patterns below to one value that they share; false at the end. */
static quoin_status
meet(bool *found, atom_id *value, count_node *node, quoin_error *err)
{
  size_t agree = 0;
  *found = false;
  for (size_t e = 0; agree < node->n_edges; e = e + 1 < node->n_edges ? e + 1 : 0) {
    count_edge *edge = &node->edges[e];
    quoin_status st = advance(edge, node->var, *value, err);
    if (st || edge->done) return st;
    atom_id here = edge->batch.column[node->var][edge->at];
    agree = here.bits == value->bits ? agree + 1 : 1;
    *value = here;
  }
  *found = true;
  return QUOIN_OK;
}

/* The next value of the variable with solutions, and how many; *ways 0: none is left. */
static quoin_status
next_value(atom_id *value, uint64_t *ways, count_node *node, quoin_error *err)
{
  for (;;) {
    bool found;
    quoin_status st = meet(&found, value, node, err);
    *ways = 0;
    if (st || !found) return st;
    uint64_t product = 1;
    for (size_t e = 0; e < node->n_edges; e++) {
      uint64_t sum;
      if ((st = take(&sum, &node->edges[e], node->var, *value, err))) return st;
      if (!multiply(&product, sum)) return too_many(err);
    }
    *ways = product;
    if (product) return QUOIN_OK;
    value->bits++;
  }
}

static quoin_status
keep(count_node *node, const atom_id *values, const uint64_t *ways, size_t n, quoin_error *err)
{
  uint32_t row[SPARQL_BATCH];
  quoin_status st = sparql_id_table_add(row, &node->values, &values, n, err);
  if (st) return st;
  if (node->values.rows > node->cap) {
    size_t cap = node->cap ? node->cap : SPARQL_BATCH;
    while (cap < node->values.rows)
      cap *= 2;
    const base_alloc *mem = disk_memory_alloc(node->values.ctx->disk);
    uint64_t *grown = base_resize(mem, node->ways, node->cap, cap, sizeof(*grown));
    if (!grown) return base_fail_nomem(err);
    node->ways = grown;
    node->cap = cap;
  }
  for (size_t i = 0; i < n; i++)
    node->ways[row[i]] = ways[i];
  return QUOIN_OK;
}

/* From the leaves on; the depth is that of the tree of patterns. */
static quoin_status
fill(count_node *node, bool root, quoin_error *err)
{
  atom_id values[SPARQL_BATCH], value = {0};
  uint64_t ways[SPARQL_BATCH];
  size_t n = 0;
  quoin_status st = QUOIN_OK;
  for (size_t e = 0; e < node->n_edges; e++)
    for (size_t b = 0; b < node->edges[e].n_below; b++)
      if ((st = fill(node->edges[e].below[b], false, err))) return st;
  for (size_t e = 0; e < node->n_edges; e++) {
    count_edge *edge = &node->edges[e];
    edge->done = false;
    edge->batch.rows = edge->at = 0;
  }
  if (root) return QUOIN_OK;
  for (;;) {
    uint64_t number;
    if ((st = next_value(&value, &number, node, err))) return st;
    if (number) {
      values[n] = value;
      ways[n++] = number;
      value.bits++;
    }
    if (n && (n == SPARQL_BATCH || !number)) {
      if ((st = keep(node, values, ways, n, err))) return st;
      n = 0;
    }
    if (!number) return QUOIN_OK;
  }
}

/* ---- the operator -----------------------------------------------------------------------------
 */

static quoin_status
all_of_them(size_t *rows, count_join *op, quoin_error *err)
{
  atom_id value = {0};
  uint64_t sum = 0, ways;
  if (op->given) return QUOIN_DONE;
  do {
    quoin_status st = next_value(&value, &ways, op->root, err);
    if (st) return st;
    sum += ways;
    if (sum >= UINT64_C(1) << 57) return too_many(err);
    value.bits++;
  } while (ways);
  op->given = true;
  op->numbers[0] = atom_inline_integer((int64_t)sum);
  *rows = 1;
  return QUOIN_OK;
}

static quoin_status
by_key(size_t *rows, count_join *op, quoin_error *err)
{
  size_t n = 0;
  while (n < SPARQL_BATCH && !op->given) {
    atom_id value = n ? (atom_id){op->keys[n - 1].bits + 1} : (atom_id){0};
    uint64_t ways;
    quoin_status st = next_value(&value, &ways, op->root, err);
    if (st) return st;
    if (!ways) {
      op->given = true;
      break;
    }
    op->keys[n] = value;
    op->numbers[n++] = atom_inline_integer((int64_t)ways);
  }
  *rows = n;
  return n ? QUOIN_OK : QUOIN_DONE;
}

static quoin_status
count_join_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  count_join *op = (count_join *)head;
  size_t rows = 0;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  if (!st && !op->filled) {
    st = fill(op->root, true, err);
    op->filled = !st;
  }
  if (!st) st = op->keyed ? by_key(&rows, op, err) : all_of_them(&rows, op, err);
  if (st) return st;
  *out = (sparql_batch){.rows = rows, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
rewind_node(count_node *node, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (node->values.ctx) sparql_id_table_reset(&node->values);
  for (size_t e = 0; e < node->n_edges && !st; e++) {
    count_edge *edge = &node->edges[e];
    st = sparql_operator_rewind(edge->op, err);
    for (size_t b = 0; b < edge->n_below && !st; b++)
      st = rewind_node(edge->below[b], err);
  }
  return st;
}

static quoin_status
count_join_rewind(sparql_operator *head, quoin_error *err)
{
  count_join *op = (count_join *)head;
  op->filled = op->given = false;
  return rewind_node(op->root, err);
}

static void
clear_node(count_node *node)
{
  if (node->values.ctx) {
    base_release(disk_memory_alloc(node->values.ctx->disk), node->ways, node->cap,
                 sizeof(*node->ways));
    sparql_id_table_clear(&node->values);
  }
  node->ways = NULL;
  node->cap = 0;
  for (size_t e = 0; e < node->n_edges; e++)
    for (size_t b = 0; b < node->edges[e].n_below; b++)
      clear_node(node->edges[e].below[b]);
}

static void
count_join_close(sparql_operator *head)
{
  clear_node(((count_join *)head)->root);
}

/* ?c (?d (?e)): what hangs below a variable in brackets. */
static void
explain_node(base_buffer *out, const sparql_operator *head, const count_node *node)
{
  bool some = false;
  sparql_explain_var(out, head->ctx, node->var);
  for (size_t e = 0; e < node->n_edges; e++)
    for (size_t b = 0; b < node->edges[e].n_below; b++, some = true) {
      base_buffer_text(out, some ? " " : " (");
      explain_node(out, head, node->edges[e].below[b]);
    }
  if (some) base_buffer_byte(out, ')');
}

static void
count_join_explain(base_buffer *out, const sparql_operator *head)
{
  const count_join *op = (const count_join *)head;
  base_buffer_text(out, op->keyed ? "for each " : "from ");
  explain_node(out, head, op->root);
}

static const sparql_operator_class count_join_class = {.name = "count joins",
                                                       .next = count_join_next,
                                                       .rewind = count_join_rewind,
                                                       .close = count_join_close,
                                                       .explain = count_join_explain};
/* Never asked for rows: the join pulls its patterns itself. */
static const sparql_operator_class chain_class = {.name = "and"};

quoin_status
sparql_count_chain(sparql_operator **out, sparql_context *ctx, sparql_operator *op,
                   sparql_operator *after, quoin_error *err)
{
  return sparql_operator_make(out, sizeof(**out), &chain_class, ctx, op, after, err);
}

static quoin_status
prepare_node(count_node *node, sparql_context *ctx, bool root, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (!root) {
    if ((st = sparql_id_table_init(&node->values, ctx, 1, err))) return st;
    sparql_id_table_on_disk(&node->values);
  }
  for (size_t e = 0; e < node->n_edges && !st; e++) {
    count_edge *edge = &node->edges[e];
    if ((st = sparql_columns_make(&edge->pulled, ctx, err))) return st;
    if (edge->n_below &&
        !(edge->weight = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(*edge->weight))))
      return base_fail_nomem(err);
    for (size_t b = 0; b < edge->n_below && !st; b++)
      st = prepare_node(edge->below[b], ctx, false, err);
  }
  return st;
}

quoin_status
sparql_count_join_make(sparql_operator **out, sparql_context *ctx, count_node *root, bool keyed,
                       const sparql_var *counts, size_t n_counts, sparql_operator *first,
                       const sparql_frame *frame, quoin_error *err)
{
  count_join *op = NULL;
  quoin_status st =
      sparql_operator_make(&op, sizeof(*op), &count_join_class, ctx, first, NULL, err);
  if (st) return st;
  op->root = root;
  op->keyed = keyed;
  op->counts = counts;
  op->n_counts = n_counts;
  op->frame = frame;
  if ((st = prepare_node(root, ctx, true, err))) return st;
  if ((st = sparql_columns_make(&op->column, ctx, err))) return st;
  if ((st = sparql_column_make(&op->keys, ctx, err))) return st;
  if ((st = sparql_column_make(&op->numbers, ctx, err))) return st;
  for (size_t i = 0; i < n_counts; i++) {
    op->column[counts[i]] = op->numbers;
    op->head.bound[counts[i]] = op->head.maybe[counts[i]] = true;
  }
  if (keyed) {
    op->column[root->var] = op->keys;
    op->head.bound[root->var] = op->head.maybe[root->var] = true;
    op->head.sorted[op->head.n_sorted++] = root->var;
  }
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  *out = &op->head;
  return QUOIN_OK;
}
