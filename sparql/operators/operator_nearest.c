/* sparql/operators/operator_nearest.c - vec:nearest: of the rows of a group those whose item is
 * among the k nearest (DESIGN.md section 8).
 *
 * The rows are read once and kept, in memory and past the budget on disk. Meanwhile the distinct
 * pairs of a query and an item gather: they are the candidates. Then each distinct query is one
 * search among its candidates, or in the whole index where the group has no item. In the end the
 * rows pass again, each with the distance of its pair, or not at all. */
#include "sparql/expr/value.h"
#include "sparql/operators/graph_scan.h"
#include "sparql/operators/nearest.h"

#include <stdlib.h>

#include "base/poison.h"

/* ---- pairs ------------------------------------------------------------------------------------
 */

static int
compare_pairs(const void *x, const void *y)
{
  const nearest_pair *a = x, *b = y;
  if (a->query.bits != b->query.bits) return a->query.bits < b->query.bits ? -1 : 1;
  return a->item.bits < b->item.bits ? -1 : a->item.bits > b->item.bits;
}

static void
sort_pairs(nearest_operator *op)
{
  size_t n = 0;
  qsort(op->pairs, op->n_pairs, sizeof(*op->pairs), compare_pairs);
  for (size_t i = 0; i < op->n_pairs; i++)
    if (!n || compare_pairs(&op->pairs[n - 1], &op->pairs[i])) op->pairs[n++] = op->pairs[i];
  op->n_pairs = op->sorted = n;
}

static quoin_status
grow_pairs(nearest_operator *op, nearest_pair **pairs, size_t *cap, size_t need, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t before = *cap;
  if (need <= before) return QUOIN_OK;
  if (!base_reserve(ctx->mem, (void **)pairs, cap, need, sizeof(**pairs)))
    return base_fail_nomem(err);
  uint64_t more = (*cap - before) * sizeof(**pairs);
  op->charged += more;
  return sparql_charge(ctx, (int64_t)more, err);
}

static quoin_status
add_pair(nearest_operator *op, atom_id query, atom_id item, quoin_error *err)
{
  if (op->n_pairs && atom_id_equal(op->pairs[op->n_pairs - 1].query, query) &&
      atom_id_equal(op->pairs[op->n_pairs - 1].item, item))
    return QUOIN_OK;
  /* Twice as many as there were different ones: they may be the same again. */
  if (op->n_pairs >= 1024 && op->n_pairs >= 2 * op->sorted) sort_pairs(op);
  quoin_status st = grow_pairs(op, &op->pairs, &op->cap_pairs, op->n_pairs + 1, err);
  if (!st) op->pairs[op->n_pairs++] = (nearest_pair){.query = query, .item = item};
  return st;
}

/* ---- reading the group ------------------------------------------------------------------------
 */

static atom_id
row_value(const atom_id *const *column, sparql_var var, size_t row)
{
  return var != SPARQL_NO_VAR && column[var] ? column[var][row] : ATOM_NONE_ID;
}

/* The query and the item of a row; false: the row drops out. */
static bool
row_pair(nearest_pair *out, const nearest_operator *op, const atom_id *const *column, size_t row)
{
  const sparql_algebra *node = op->options.node;
  *out = (nearest_pair){.query = row_value(column, node->object.var, row),
                        .item = row_value(column, node->subject.var, row)};
  if (op->free_item) out->item = ATOM_NONE_ID;
  if (node->subject.var == SPARQL_NO_VAR) out->item = op->constant;
  if (node->object.var != SPARQL_NO_VAR && !out->query.bits) return false;
  return op->free_item || out->item.bits;
}

static quoin_status
keep_row(nearest_operator *op, const sparql_batch *in, size_t row, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st;
  bool room = op->rows.rows % ORDER_CHUNK != 0 ||
              spill_has_room(ctx, order_rows_bytes(&op->rows), order_rows_need(&op->rows, 1));
  if (!op->disk.rows && room) {
    if ((st = order_rows_add(&op->rows, err))) return st;
    size_t at = op->rows.rows - 1;
    for (size_t c = 0; c < op->n_vars; c++)
      order_rows_column(&op->rows, at, c)[at & (ORDER_CHUNK - 1)] =
          row_value(in->column, op->vars[c], row);
    return QUOIN_OK;
  }
  op->disk.rows++;
  for (size_t c = 0; c < op->n_vars; c++) {
    atom_id id = row_value(in->column, op->vars[c], row);
    if ((st = spill_put(&op->disk, ctx, &id, sizeof(id), err))) return st;
  }
  return QUOIN_OK;
}

static quoin_status
read_group(nearest_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  sparql_batch in;
  quoin_status st;
  while (!(st = sparql_pull(&in, op->pulled, op->head.child[0], err))) {
    if ((st = base_cancel_check(&ctx->cancel, err))) return st;
    for (size_t i = 0; i < in.rows; i++) {
      nearest_pair pair;
      if (!row_pair(&pair, op, in.column, i)) continue;
      if ((st = add_pair(op, pair.query, pair.item, err))) return st;
      if ((st = keep_row(op, &in, i, err))) return st;
    }
  }
  if (st != QUOIN_DONE) return st;
  if (op->n_pairs) sort_pairs(op);
  return op->disk.rows ? spill_finish(&op->disk, ctx, err) : QUOIN_OK;
}

/* ---- what to be near to -----------------------------------------------------------------------
 */

static quoin_status
fail_query(const nearest_operator *op, quoin_status status, const char *what, quoin_error *err)
{
  const sparql_algebra *node = op->options.node;
  return base_fail_pos(err, status, NULL, node->line, node->column,
                       "the query of vec:nearest %s; the index has %u dimensions", what,
                       (unsigned)op->options.index.dimension);
}

static quoin_status
check_vector(const nearest_operator *op, const float *values, uint32_t dimension, quoin_error *err)
{
  const vec_declaration *index = &op->options.index;
  if (!values) return fail_query(op, QUOIN_ERR_CONSTRAINT, "is not a vector", err);
  if (dimension != index->dimension)
    return fail_query(op, QUOIN_ERR_CONSTRAINT, "is a vector of another dimension", err);
  if (index->metric != VEC_COSINE || !vec_is_zero(values, dimension)) return QUOIN_OK;
  return fail_query(op, QUOIN_ERR_CONSTRAINT, "is a zero vector, which has no cosine", err);
}

/* Has the resource a vector in any of the graphs that GRAPH ?g ranges over? */
static quoin_status
find_query_anywhere(nearest_operator *op, const vec_terms *terms, atom_id id, base_arena *arena,
                    quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_active_graph *active = op->options.graph;
  vec_graphs named = {.scope = QUAD_NAMED, .merged = active->merged, .n_merged = active->n_merged};
  const float *const *vectors;
  size_t n = 0;
  quoin_status st = sparql_system_graph(&named.skip, ctx, err);
  if (!st && sparql_id_is_stored(ctx, id))
    st = vec_of_subject(&vectors, &n, ctx->snapshot, &op->options.index, &named, terms, id, arena,
                        err);
  op->known_query = n > 0;
  return st;
}

/* The vectors of the query `id`; *n is 0 for a bound resource without one. */
static quoin_status
query_vectors(const float *const **out, size_t *n, nearest_operator *op, const vec_graphs *graphs,
              const vec_terms *terms, atom_id id, base_arena *arena, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const vec_declaration *index = &op->options.index;
  const sparql_node *object = &op->options.node->object;
  bool constant = object->var == SPARQL_NO_VAR;
  const float **one;
  uint32_t dimension;
  quoin_status st = constant ? sparql_intern(&id, ctx, &object->term, err) : QUOIN_OK;
  if (st) return st;
  if (sparql_id_kind(ctx, id) == RDF_LITERAL) {
    if (!(one = base_arena_new(arena, 1, sizeof(*one)))) return base_fail_nomem(err);
    if ((st = vec_of_id(one, &dimension, ctx->snapshot, terms, id, arena, err))) return st;
    *out = one;
    *n = 1;
    return check_vector(op, one[0], dimension, err);
  }
  *n = 0;
  if (sparql_id_is_stored(ctx, id) && !graphs->empty &&
      (st = vec_of_subject(out, n, ctx->snapshot, index, graphs, terms, id, arena, err)))
    return st;
  if (*n || !constant) return QUOIN_OK;
  if (op->options.graph->graph.var == SPARQL_NO_VAR)
    return fail_query(op, QUOIN_ERR_NOT_FOUND, "is a resource without a vector in the active graph",
                      err);
  /* Inside GRAPH ?g each graph is asked, and those that do not have it give nothing: one must. */
  if (!op->known_query && (st = find_query_anywhere(op, terms, id, arena, err))) return st;
  if (op->known_query) return QUOIN_OK;
  return fail_query(op, QUOIN_ERR_NOT_FOUND, "is a resource without a vector in any graph of GRAPH",
                    err);
}

/* ---- searching --------------------------------------------------------------------------------
 */

static quoin_status
distance_id(atom_id *out, sparql_context *ctx, double distance, quoin_error *err)
{
  sparql_value value;
  *out = atom_inline_double(distance);
  if (out->bits) return QUOIN_OK;
  value_set_double(&value, distance);
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = value_id(out, &value, ctx, &ctx->scratch, err);
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

static quoin_status
take_found(nearest_operator *op, atom_id query, const vec_found *found, size_t n, quoin_error *err)
{
  quoin_status st = grow_pairs(op, &op->found, &op->cap_found, op->n_found + n, err);
  nearest_pair *to = op->found + op->n_found;
  for (size_t i = 0; !st && i < n; i++) {
    to[i] = (nearest_pair){.query = query, .item = found[i].subject};
    st = distance_id(&to[i].distance, op->head.ctx, found[i].distance, err);
  }
  if (st) return st;
  op->n_found += n;
  if (!op->free_item && n > 1) qsort(to, n, sizeof(*to), compare_pairs);
  return QUOIN_OK;
}

/* Search for the query of pairs[0..n), among their items. */
static quoin_status
search_one(nearest_operator *op, const vec_graphs *graphs, const nearest_pair *pairs, size_t n,
           quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_nearest *said = op->options.node->nearest;
  vec_terms terms = sparql_vec_terms(ctx);
  bool any = op->free_item || said->whole_index;
  vec_request request = {.index = &op->options.index,
                         .graphs = graphs,
                         .terms = &terms,
                         .k = said->k,
                         .ef = said->ef < UINT32_MAX ? (uint32_t)said->ef : UINT32_MAX,
                         .max_distance = said->max_distance,
                         .exact = said->exact,
                         .cancel = &ctx->cancel};
  vec_found *found = NULL;
  size_t n_found = 0;
  base_arena arena;
  base_arena_init(&arena, ctx->mem);
  quoin_status st = query_vectors(&request.near, &request.n_near, op, graphs, &terms,
                                  pairs[0].query, &arena, err);
  if (!st && !any) {
    atom_id *items = base_arena_new(&arena, n, sizeof(*items));
    if (!items) st = base_fail_nomem(err);
    for (size_t i = 0; items && i < n; i++)
      items[i] = pairs[i].item;
    request.subjects = items;
    request.n_subjects = n;
  }
  vec_report report = {.choice = VEC_CHOICE_NONE};
  if (!st && request.n_near)
    st = vec_search(&found, &n_found, &report, ctx->snapshot, &request, ctx->mem, err);
  op->searches++;
  op->ways[report.choice]++;
  op->candidates += report.candidates;
  op->visits += report.visits;
  if (!st) st = take_found(op, pairs[0].query, found, n_found, err);
  base_release(ctx->mem, found, n_found, sizeof(*found));
  base_arena_clear(&arena);
  return st;
}

/* Nothing was found: is it that the active graph has no vectors, while others have? Inside GRAPH ?g
 * none of them may have any. */
static quoin_status
explain_nothing(nearest_operator *op, const vec_graphs *graphs, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st = QUOIN_OK;
  if (op->some) return QUOIN_OK;
  op->some = op->n_found > 0;
  if (!op->some)
    st = vec_graphs_any(&op->some, ctx->snapshot, graphs, op->options.index.predicate, err);
  if (st) return st;
  if (op->some && ctx->notice_of == op) {
    ctx->notice = NULL;
  } else if (!op->some && op->options.vectors) {
    ctx->notice = "vec:nearest: the active graph has no vectors of the index, other graphs have";
    ctx->notice_of = op;
  }
  return QUOIN_OK;
}

static quoin_status
search(nearest_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  vec_graphs graphs;
  const sparql_active_graph *active = op->options.graph;
  const sparql_param *param = active->graph.var == SPARQL_NO_VAR || active->scope != QUAD_NAMED
                                  ? NULL
                                  : sparql_frame_find(op->options.frame, active->graph.var);
  quoin_status st =
      sparql_vec_graphs(&graphs, ctx, active, param ? param->value : ATOM_NONE_ID, err);
  if (!st) st = read_group(op, err);
  for (size_t i = 0, end; !st && i < op->n_pairs; i = end) {
    for (end = i + 1; end < op->n_pairs; end++)
      if (!atom_id_equal(op->pairs[i].query, op->pairs[end].query)) break;
    st = search_one(op, &graphs, op->pairs + i, end - i, err);
  }
  if (!st) st = explain_nothing(op, &graphs, err);
  if (!st) op->searched = true;
  return st;
}

/* ---- giving the rows --------------------------------------------------------------------------
 */

/* The next kept rows: op->from[c] for column c, n_in of them. */
static quoin_status
next_kept(nearest_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t left = op->rows.rows - op->next_row;
  op->at = op->n_in = op->hit = op->hits = 0;
  if (left) {
    op->n_in = left < ORDER_CHUNK ? left : ORDER_CHUNK;
    for (size_t c = 0; c < op->n_vars; c++)
      op->from[c] = order_rows_column(&op->rows, op->next_row, c);
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

/* found[*first, +*n) is what the pair has: of its query, and of its item unless that is free. */
static void
find_hits(size_t *first, size_t *n, const nearest_operator *op, const nearest_pair *pair)
{
  size_t low = 0, high = op->n_found;
  nearest_pair key = *pair;
  if (op->free_item) key.item = ATOM_NONE_ID;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    bool before = op->free_item ? op->found[middle].query.bits < key.query.bits
                                : compare_pairs(&op->found[middle], &key) < 0;
    if (before)
      low = middle + 1;
    else
      high = middle;
  }
  *first = *n = low;
  while (*n < op->n_found && atom_id_equal(op->found[*n].query, key.query) &&
         (op->free_item || atom_id_equal(op->found[*n].item, key.item)))
    ++*n;
  *n -= low;
}

/* Rows of the batch in work into `out`: how many. */
static size_t
give_rows(nearest_operator *op, atom_id *distance, atom_id *item)
{
  size_t n = 0;
  while (n < SPARQL_BATCH && op->at < op->n_in) {
    if (!op->hits) {
      nearest_pair pair;
      row_pair(&pair, op, op->pulled, op->at);
      find_hits(&op->hit, &op->hits, op, &pair);
    }
    for (; op->hits && n < SPARQL_BATCH; n++) {
      op->selected[n] = (uint32_t)op->at;
      distance[n] = op->found[op->hit].distance;
      if (item) item[n] = op->found[op->hit].item;
      op->hit++;
      op->hits--;
    }
    if (!op->hits) op->at++;
  }
  return n;
}

static quoin_status
nearest_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  nearest_operator *op = (nearest_operator *)base;
  sparql_context *ctx = base->ctx;
  const sparql_algebra *node = op->options.node;
  atom_id *distance, *item = NULL;
  quoin_status st = op->searched ? QUOIN_OK : search(op, err);
  if (st || (st = sparql_columns_buffer(&distance, &op->cols, ctx, node->var, err))) return st;
  if (op->free_item && (st = sparql_columns_buffer(&item, &op->cols, ctx, node->subject.var, err)))
    return st;
  for (;;) {
    if ((st = base_cancel_check(&ctx->cancel, err))) return st;
    if (op->at >= op->n_in && (st = next_kept(op, err))) return st;
    memset(op->pulled, 0, op->cols.n_vars * sizeof(*op->pulled));
    for (size_t c = 0; c < op->n_vars; c++)
      op->pulled[op->vars[c]] = op->from[c];
    size_t n = give_rows(op, distance, item);
    if (!n) continue;
    sparql_batch in = {.rows = op->n_in, .column = op->pulled};
    if ((st = sparql_columns_gather(&op->cols, ctx, &in, op->selected, n, err))) return st;
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
  if (op->reader.stream) spill_close(&op->reader, ctx);
  op->reader = (spill_reader){.stream = NULL};
  spill_drop(&op->disk, ctx);
  op->disk = (spill_stream){.blocks = NULL};
  order_rows_clear(&op->rows);
  base_release(ctx->mem, op->pairs, op->cap_pairs, sizeof(*op->pairs));
  base_release(ctx->mem, op->found, op->cap_found, sizeof(*op->found));
  op->pairs = op->found = NULL;
  op->n_pairs = op->cap_pairs = op->sorted = op->n_found = op->cap_found = 0;
  sparql_charge(ctx, -(int64_t)op->charged, NULL);
  op->charged = 0;
  op->searched = false;
  op->next_row = op->n_in = op->at = op->hit = op->hits = 0;
}

static quoin_status
nearest_rewind(sparql_operator *base, quoin_error *err)
{
  nearest_close(base);
  return sparql_operator_rewind(base->child[0], err);
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
  if ((st = sparql_columns_init(&op->cols, ctx, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  order_rows_init(&op->rows, ctx, NULL, 0, op->n_vars);
  return QUOIN_OK;
}

/* Not sorted: with a free item each row comes many times. */
static void
set_estimates(nearest_operator *op, const sparql_operator *child)
{
  double k = (double)op->options.node->nearest->k, vectors = (double)op->options.vectors;
  sparql_operator *head = &op->head;
  head->n_sorted = 0;
  head->rows = op->free_item     ? child->rows * (k < vectors ? k : vectors)
               : child->rows < k ? child->rows
                                 : k;
  head->cost = child->cost + 20 * (op->free_item || child->rows > vectors ? vectors : child->rows);
}

quoin_status
sparql_nearest_make(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                    const nearest_options *options, quoin_error *err)
{
  nearest_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  const sparql_node *subject = &options->node->subject;
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &nearest_class, ctx, child, err);
  if (st) return st;
  op->options = *options;
  if (subject->var == SPARQL_NO_VAR) {
    if ((st = sparql_intern(&op->constant, ctx, &subject->term, err))) return st;
  } else {
    op->free_item = !child->maybe[subject->var];
    op->head.bound[subject->var] = op->head.maybe[subject->var] = true;
  }
  if ((st = set_columns(op, child, err))) return st;
  set_estimates(op, child);
  op->head.bound[options->node->var] = op->head.maybe[options->node->var] = true;
  *out = &op->head;
  return QUOIN_OK;
}
