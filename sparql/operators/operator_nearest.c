/* sparql/operators/operator_nearest.c - vec:nearest: of the rows of a group those whose item is
 * among the k nearest (DESIGN.md section 8).
 *
 * The rows are read once and kept, in memory and past the budget on disk; meanwhile the distinct
 * queries and their candidates gather (nearest_group.c). Then each distinct query is one search
 * among its candidates, or in the whole index where the group has no item (nearest_search.c). In
 * the end the rows pass again, each with the distance of its pair, or not at all.
 *
 * A group may be the product of a part that has the queries and one that has the items, with no
 * variable in both (plan_split.c). Then each is read by itself, and the product is made of the rows
 * that are given alone: docs/adrs/0045-queries-beside-candidates.md. */
#include "sparql/operators/nearest.h"

#include "base/poison.h"

/* ---- giving the rows --------------------------------------------------------------------------
 */

/* found[*first, +*n) is what row `row` of the batch in work has. */
static void
find_hits(size_t *first, size_t *n, const nearest_operator *op, size_t row)
{
  sparql_var var = op->options.node->subject.var;
  bool split = nearest_is_split(op);
  uint32_t query = split || op->n_queries == 1 ? 0 : op->row_query[row];
  if (op->free_item) {
    *first = op->query[query].first;
    *n = op->query[query].n;
    return;
  }
  atom_id item = var == SPARQL_NO_VAR ? op->constant : op->pulled[var][row];
  uint64_t bit = nearest_hash(item, query) >> (64 - op->filter_bits);
  *first = *n = 0;
  if (!op->n_found || !(op->filter[bit / 64] >> bit % 64 & 1)) return;
  size_t low = 0, high = op->n_found;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const nearest_found *f = &op->found[middle];
    bool before = split || f->query == query ? f->item.bits < item.bits : f->query < query;
    if (before)
      low = middle + 1;
    else
      high = middle;
  }
  *first = low;
  while (low + *n < op->n_found && atom_id_equal(op->found[low + *n].item, item) &&
         (split || op->found[low + *n].query == query))
    ++*n;
}

/* One more row of output for the hit at hand; with a left part, one for each of its rows with the
 * query. */
static void
give_hit(nearest_operator *op, size_t n, atom_id *distance, atom_id *item)
{
  const nearest_found *f = &op->found[op->hit];
  op->selected[n] = (uint32_t)op->at;
  distance[n] = f->distance;
  if (item) item[n] = f->item;
  if (nearest_is_split(op)) {
    const uint32_t *first = op->left.first + f->query;
    op->left_row[n] = op->left.order[first[0] + op->copy];
    if (++op->copy < first[1] - first[0]) return;
    op->copy = 0;
  }
  op->hit++;
  op->hits--;
}

/* Rows of the batch in work into `out`: how many. */
static size_t
give_rows(nearest_operator *op, atom_id *distance, atom_id *item)
{
  size_t n = 0;
  while (n < SPARQL_BATCH && op->at < op->n_in) {
    if (!op->hits) find_hits(&op->hit, &op->hits, op, op->at);
    while (op->hits && n < SPARQL_BATCH)
      give_hit(op, n++, distance, item);
    if (!op->hits) op->at++;
  }
  return n;
}

/* The next kept rows, with the numbers of their queries. */
static quoin_status
next_batch(nearest_operator *op, quoin_error *err)
{
  quoin_status st = nearest_next_kept(op, err);
  if (st) return st;
  memset(op->pulled, 0, op->cols.n_vars * sizeof(*op->pulled));
  for (size_t c = 0; c < op->n_vars; c++)
    op->pulled[op->vars[c]] = op->from[c];
  if (nearest_is_split(op) || op->n_queries == 1) return QUOIN_OK;
  sparql_id_table_find(op->row_query, &op->ids, &op->pulled[op->options.node->object.var],
                       op->n_in);
  return QUOIN_OK;
}

static quoin_status
give_left(nearest_operator *op, size_t n, quoin_error *err)
{
  const nearest_left *left = &op->left;
  for (size_t c = 0; c < left->width; c++) {
    atom_id *to = NULL;
    quoin_status st = sparql_columns_buffer(&to, &op->cols, op->head.ctx, left->vars[c], err);
    if (st) return st;
    for (size_t i = 0; i < n; i++)
      to[i] = left->cells[op->left_row[i] * left->width + c];
    op->cols.column[left->vars[c]] = to;
  }
  return QUOIN_OK;
}

static quoin_status
nearest_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  nearest_operator *op = (nearest_operator *)base;
  sparql_context *ctx = base->ctx;
  const sparql_algebra *node = op->options.node;
  atom_id *distance, *item = NULL;
  quoin_status st = op->searched ? QUOIN_OK : nearest_search(op, err);
  if (st || (st = sparql_columns_buffer(&distance, &op->cols, ctx, node->var, err))) return st;
  if (op->free_item && (st = sparql_columns_buffer(&item, &op->cols, ctx, node->subject.var, err)))
    return st;
  for (;;) {
    if ((st = base_cancel_check(&ctx->cancel, err))) return st;
    if (!op->n_found) return QUOIN_DONE;
    if (op->at >= op->n_in && (st = next_batch(op, err))) return st;
    size_t n = give_rows(op, distance, item);
    if (!n) continue;
    sparql_batch in = {.rows = op->n_in, .column = op->pulled};
    if ((st = sparql_columns_gather(&op->cols, ctx, &in, op->selected, n, err))) return st;
    if ((st = give_left(op, n, err))) return st;
    op->cols.column[node->var] = distance;
    if (item) op->cols.column[node->subject.var] = item;
    *out = (sparql_batch){.rows = n, .column = op->cols.column};
    return QUOIN_OK;
  }
}

/* ---- the operator -----------------------------------------------------------------------------
 */

static void
nearest_close(sparql_operator *base)
{
  nearest_operator *op = (nearest_operator *)base;
  sparql_context *ctx = base->ctx;
  nearest_clear_group(op);
  base_release(ctx->mem, op->found, op->cap_found, sizeof(*op->found));
  base_release(ctx->mem, op->filter, op->cap_filter, sizeof(*op->filter));
  op->found = NULL;
  op->filter = NULL;
  op->n_found = op->cap_found = op->cap_filter = 0;
  sparql_charge(ctx, -(int64_t)op->charged, NULL);
  op->charged = 0;
  op->searched = false;
  op->next_row = op->n_in = op->at = op->hit = op->hits = op->copy = 0;
}

static quoin_status
nearest_rewind(sparql_operator *base, quoin_error *err)
{
  nearest_close(base);
  quoin_status st = sparql_operator_rewind(base->child[0], err);
  return st || !base->child[1] ? st : sparql_operator_rewind(base->child[1], err);
}

static const sparql_operator_class nearest_class = {.name = "nearest",
                                                    .next = nearest_next,
                                                    .rewind = nearest_rewind,
                                                    .close = nearest_close,
                                                    .explain = sparql_nearest_explain};

static quoin_status
set_columns(nearest_operator *op, sparql_operator *child, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t n = ctx->query->n_vars;
  sparql_batch pulled;
  quoin_status st;
  op->vars = base_arena_new(&ctx->arena, n + 1, sizeof(*op->vars));
  op->in = base_arena_new_zero(&ctx->arena, n + 1, sizeof(*op->in));
  op->from = base_arena_new_zero(&ctx->arena, n + 1, sizeof(*op->from));
  if (!op->vars || !op->in || !op->from) return base_fail_nomem(err);
  for (sparql_var v = 0; v < n; v++)
    if (child->maybe[v]) op->vars[op->n_vars++] = v;
  if ((st = sparql_rows_make(&op->selected, ctx, err))) return st;
  if ((st = sparql_rows_make(&op->row_query, ctx, err))) return st;
  if ((st = sparql_rows_make(&op->left_row, ctx, err))) return st;
  if ((st = sparql_columns_init(&op->cols, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  order_rows_init(&op->rows, ctx, NULL, 0, op->n_vars);
  return sparql_id_table_init(&op->ids, ctx, nearest_has_constant_query(op) ? 0 : 1, err);
}

/* The part of the group that has the queries. A parameter is a column of both parts. */
static quoin_status
set_left(nearest_operator *op, const sparql_operator *queries, quoin_error *err)
{
  size_t n = op->head.ctx->query->n_vars;
  nearest_left *left = &op->left;
  if (!(left->vars = base_arena_new(&op->head.ctx->arena, n + 1, sizeof(*left->vars))))
    return base_fail_nomem(err);
  for (sparql_var v = 0; v < n; v++) {
    if (!queries->maybe[v] || op->head.maybe[v]) continue;
    left->vars[left->width++] = v;
    op->head.maybe[v] = true;
    op->head.bound[v] = queries->bound[v];
  }
  op->head.bound[op->options.node->object.var] = true;
  return QUOIN_OK;
}

/* Not sorted: with a free item each row comes many times. */
static void
set_estimates(nearest_operator *op)
{
  const sparql_operator *child = op->head.child[0], *queries = op->head.child[1];
  double k = (double)op->options.node->nearest->k, vectors = (double)op->options.vectors;
  sparql_operator *head = &op->head;
  head->n_sorted = 0;
  head->rows = op->free_item     ? child->rows * (k < vectors ? k : vectors)
               : child->rows < k ? child->rows
                                 : k;
  head->cost = child->cost + 20 * (op->free_item || child->rows > vectors ? vectors : child->rows);
  if (!queries) return;
  head->rows *= queries->rows;
  head->cost += queries->cost + 20 * k * queries->rows;
}

quoin_status
sparql_nearest_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                    sparql_operator *queries, const nearest_options *options, quoin_error *err)
{
  nearest_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  const sparql_node *subject = &options->node->subject;
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &nearest_class, ctx, child, err);
  if (st) return st;
  op->options = *options;
  op->head.child[1] = queries;
  if (subject->var == SPARQL_NO_VAR) {
    if ((st = sparql_intern(&op->constant, ctx, &subject->term, err))) return st;
  } else {
    op->free_item = !child->maybe[subject->var];
    op->head.bound[subject->var] = op->head.maybe[subject->var] = true;
  }
  op->any = op->free_item || options->node->nearest->whole_index;
  op->shared =
      op->any || queries || subject->var == SPARQL_NO_VAR || nearest_has_constant_query(op);
  if ((st = set_columns(op, child, err))) return st;
  if (queries && (st = set_left(op, queries, err))) return st;
  set_estimates(op);
  op->head.bound[options->node->var] = op->head.maybe[options->node->var] = true;
  *out = &op->head;
  return QUOIN_OK;
}
