/* sparql/operators/operator_index_join.c - a batch of outer rows looked up in an index: the
 * workhorse of selective queries.
 *
 * The rows of an outer batch are sorted by their key, so that each distinct key is looked up once
 * and keys ascend (a cheap rebind of the scan). Where the outer side comes sorted by the key
 * nothing moves and its order is kept. Rows of several outer batches are gathered into one output
 * batch. */
#include "sparql/operators/operators.h"

#include <assert.h>

#include "base/poison.h"

enum { MAX_KEYS = 4 };

typedef struct index_join {
  sparql_operator head; /* child[0]: outer, child[1]: the scan */
  sparql_param *keys[MAX_KEYS];
  size_t n_keys;
  bool ordered; /* the outer side is sorted by the (only) key */
  const sparql_frame *frame;
  sparql_var *outer_vars, *inner_vars; /* to be shown, from each side */
  size_t n_outer, n_inner;
  /* the outer batch */
  sparql_batch outer;
  const atom_id **outer_pulled;
  const atom_id *key_column[MAX_KEYS];
  uint32_t *order, *spare; /* [SPARQL_BATCH] its rows by key */
  size_t group, group_end; /* rows with the key now looked up */
  bool looking;            /* the scan is at that key */
  /* the inner batch */
  sparql_batch inner;
  const atom_id **inner_pulled;
  size_t inner_at, pair; /* next: inner row, and outer row within the group */
  /* output */
  uint32_t *from; /* [SPARQL_BATCH] outer row of each output row, since `gathered` */
  size_t gathered, ramp;
  atom_id **buffer; /* [n_outer + n_inner] */
  const atom_id **column;
} index_join;

/* ---- the outer batch --------------------------------------------------------------------------
 */

static bool
key_less(const index_join *op, uint32_t a, uint32_t b)
{
  for (size_t k = 0; k < op->n_keys; k++) {
    uint64_t x = op->key_column[k][a].bits, y = op->key_column[k][b].bits;
    if (x != y) return x < y;
  }
  return false;
}

static bool
key_equal(const index_join *op, uint32_t a, uint32_t b)
{
  for (size_t k = 0; k < op->n_keys; k++)
    if (op->key_column[k][a].bits != op->key_column[k][b].bits) return false;
  return true;
}

/* Merge sort of row numbers, bottom up; stable. */
static void
sort_rows(index_join *op, size_t n)
{
  uint32_t *from = op->order, *to = op->spare;
  bool sorted = true;
  for (size_t i = 0; i < n; i++)
    from[i] = (uint32_t)i;
  if (op->ordered) return;
  for (size_t i = 1; i < n && sorted; i++)
    sorted = !key_less(op, (uint32_t)i, (uint32_t)(i - 1));
  if (sorted) return;
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t start = 0; start < n; start += 2 * width) {
      size_t mid = start + width < n ? start + width : n;
      size_t end = start + 2 * width < n ? start + 2 * width : n;
      size_t a = start, b = mid;
      for (size_t i = start; i < end; i++)
        to[i] = a < mid && (b >= end || !key_less(op, from[b], from[a])) ? from[a++] : from[b++];
    }
    uint32_t *swap = from;
    from = to;
    to = swap;
  }
  if (from != op->order) memcpy(op->order, from, n * sizeof(*from));
}

static quoin_status
next_outer(index_join *op, quoin_error *err)
{
  quoin_status st = sparql_pull(&op->outer, op->outer_pulled, op->head.child[0], err);
  if (st) {
    op->outer.rows = 0;
    return st;
  }
  for (size_t k = 0; k < op->n_keys; k++)
    op->key_column[k] = op->outer.column[op->keys[k]->var];
  sort_rows(op, op->outer.rows);
  op->group_end = 0;
  return QUOIN_OK;
}

/* Take the next distinct key of the outer batch; false when there is none. */
static bool
next_group(index_join *op)
{
  op->group = op->group_end;
  if (op->group >= op->outer.rows) return false;
  size_t end = op->group + 1;
  while (end < op->outer.rows && key_equal(op, op->order[op->group], op->order[end]))
    end++;
  op->group_end = end;
  for (size_t k = 0; k < op->n_keys; k++)
    op->keys[k]->value = op->key_column[k][op->order[op->group]];
  return true;
}

/* ---- output -----------------------------------------------------------------------------------
 */

/* Copy the columns of the outer side for the rows [gathered, n). */
static void
gather_outer(index_join *op, size_t n)
{
  if (n == op->gathered) return;
  for (size_t i = 0; i < op->n_outer; i++) {
    const atom_id *from = op->outer.column[op->outer_vars[i]];
    atom_id *to = op->buffer[i] + op->gathered;
    if (from) {
      sparql_gather(to, from, op->from + op->gathered, n - op->gathered);
    } else {
      memset(to, 0, (n - op->gathered) * sizeof(*to));
    }
  }
  op->gathered = n;
}

/* Pairs of the inner batch and the group, as many as fit. */
static size_t
emit_pairs(index_join *op, size_t n, size_t limit)
{
  size_t width = op->group_end - op->group;
  if (width == 1) {
    size_t take = op->inner.rows - op->inner_at;
    if (take > limit - n) take = limit - n;
    for (size_t i = 0; i < op->n_inner; i++)
      memcpy(op->buffer[op->n_outer + i] + n, op->inner.column[op->inner_vars[i]] + op->inner_at,
             take * sizeof(atom_id));
    for (size_t i = 0; i < take; i++)
      op->from[n + i] = op->order[op->group];
    op->inner_at += take;
    return n + take;
  }
  while (n < limit && op->inner_at < op->inner.rows) {
    size_t take = width - op->pair;
    if (take > limit - n) take = limit - n;
    for (size_t i = 0; i < op->n_inner; i++) {
      atom_id value = op->inner.column[op->inner_vars[i]][op->inner_at];
      for (size_t j = 0; j < take; j++)
        op->buffer[op->n_outer + i][n + j] = value;
    }
    for (size_t j = 0; j < take; j++)
      op->from[n + j] = op->order[op->group + op->pair + j];
    n += take;
    op->pair += take;
    if (op->pair == width) {
      op->pair = 0;
      op->inner_at++;
    }
  }
  return n;
}

/* The next batch of the scan for the current or the next key; DONE at the end of the outer side. */
static quoin_status
next_inner(index_join *op, size_t n, quoin_error *err)
{
  quoin_status st;
  op->inner_at = op->pair = 0;
  op->inner.rows = 0;
  for (;;) {
    if (op->looking) {
      st = sparql_pull(&op->inner, op->inner_pulled, op->head.child[1], err);
      if (st != QUOIN_DONE) return st;
      op->inner.rows = 0;
      op->looking = false;
    }
    if (!next_group(op)) {
      gather_outer(op, n); /* the outer batch goes */
      if ((st = next_outer(op, err))) return st;
      continue;
    }
    if ((st = sparql_operator_rewind(op->head.child[1], err))) return st;
    op->looking = true;
  }
}

static quoin_status
index_join_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  index_join *op = (index_join *)head;
  size_t n = 0;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  op->gathered = 0;
  while (!st && n < op->ramp) {
    if (op->inner_at >= op->inner.rows) {
      st = next_inner(op, n, err);
      if (st) break;
    }
    n = emit_pairs(op, n, op->ramp);
  }
  if (st < 0 || (st == QUOIN_DONE && n == 0)) return st;
  gather_outer(op, n);
  op->ramp = sparql_ramp_up(op->ramp);
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
index_join_rewind(sparql_operator *head, quoin_error *err)
{
  index_join *op = (index_join *)head;
  op->outer.rows = op->group_end = op->inner.rows = op->inner_at = 0;
  op->looking = false;
  op->ramp = SPARQL_RAMP;
  return sparql_operator_rewind(head->child[0], err);
}

static void
index_join_explain(base_buffer *out, const sparql_operator *head)
{
  const index_join *op = (const index_join *)head;
  base_buffer_text(out, "by");
  for (size_t k = 0; k < op->n_keys; k++) {
    base_buffer_byte(out, ' ');
    sparql_explain_var(out, head->ctx, op->keys[k]->var);
  }
}

static const sparql_operator_class index_join_class = {.name = "index join",
                                                       .next = index_join_next,
                                                       .rewind = index_join_rewind,
                                                       .explain = index_join_explain};

static quoin_status
choose_columns(index_join *op, const bool *need, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_operator *outer = op->head.child[0], *inner = op->head.child[1];
  size_t n_vars = ctx->query->n_vars;
  op->outer_vars = base_arena_new(&ctx->arena, n_vars + 1, sizeof(sparql_var));
  op->inner_vars = base_arena_new(&ctx->arena, n_vars + 1, sizeof(sparql_var));
  if (!op->outer_vars || !op->inner_vars) return base_fail_nomem(err);
  for (sparql_var v = 0; v < n_vars; v++) {
    const sparql_param *param = sparql_frame_find(op->frame, v);
    if ((need && !need[v]) || (param && param->column)) continue;
    if (outer->maybe[v]) {
      op->outer_vars[op->n_outer++] = v;
    } else if (inner->maybe[v]) {
      op->inner_vars[op->n_inner++] = v;
    } else {
      continue;
    }
    op->head.maybe[v] = true;
    op->head.bound[v] = outer->bound[v] || inner->bound[v];
  }
  return QUOIN_OK;
}

static quoin_status
make_buffers(index_join *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st = sparql_columns_make(&op->column, ctx, err);
  op->buffer = base_arena_new_zero(&ctx->arena, op->n_outer + op->n_inner + 1, sizeof(*op->buffer));
  if (!op->buffer) return base_fail_nomem(err);
  for (size_t i = 0; !st && i < op->n_outer + op->n_inner; i++) {
    if ((st = sparql_column_make(&op->buffer[i], ctx, err))) break;
    op->column[i < op->n_outer ? op->outer_vars[i] : op->inner_vars[i - op->n_outer]] =
        op->buffer[i];
  }
  return st;
}

quoin_status
sparql_index_join_make(sparql_operator **out, sparql_context *ctx, sparql_operator *outer,
                       sparql_operator *inner, sparql_param **keys, size_t n_keys, const bool *need,
                       const sparql_frame *frame, quoin_error *err)
{
  index_join *op = NULL;
  assert(n_keys > 0 && n_keys <= MAX_KEYS);
  quoin_status st =
      sparql_operator_make(&op, sizeof(*op), &index_join_class, ctx, outer, inner, err);
  if (st) return st;
  op->n_keys = n_keys;
  op->frame = frame;
  op->ramp = SPARQL_RAMP;
  for (size_t k = 0; k < n_keys; k++) {
    op->keys[k] = keys[k];
    assert(outer->bound[keys[k]->var]);
  }
  op->ordered = n_keys == 1 && outer->n_sorted > 0 && outer->sorted[0] == keys[0]->var;
  if ((st = sparql_rows_make(&op->order, ctx, err)) ||
      (st = sparql_rows_make(&op->spare, ctx, err)) || (st = sparql_rows_make(&op->from, ctx, err)))
    return st;
  if ((st = choose_columns(op, need, err)) || (st = make_buffers(op, err))) return st;
  if ((st = sparql_columns_make(&op->outer_pulled, ctx, err))) return st;
  if ((st = sparql_columns_make(&op->inner_pulled, ctx, err))) return st;
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  /* Within a key the pairs go by inner row: only the first variable stays in order. */
  if (op->ordered && op->head.bound[outer->sorted[0]])
    op->head.sorted[op->head.n_sorted++] = outer->sorted[0];
  *out = &op->head;
  return QUOIN_OK;
}
