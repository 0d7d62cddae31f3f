/* sparql/operators/operator_merge_join.c - two sides sorted by the same variable.
 *
 * The side that is behind gallops within its batch; past its end a scan seeks in the index, so that
 * stretches without partners are not read. The right rows of one key (a group) are used where they
 * lie; only a group that runs past its batch is copied together. Left order is kept. */
#include "sparql/operators/operators.h"

#include <assert.h>

#include "base/poison.h"

typedef struct merge_side {
  sparql_operator *op;
  sparql_operator *scan; /* that may be sought, or NULL */
  sparql_batch batch;
  const atom_id **pulled;
  size_t at;
  bool ended;
  sparql_var *vars; /* shown from this side */
  size_t n_vars;
  atom_id **buffer; /* [n_vars] of the output */
} merge_side;

typedef struct merge_join {
  sparql_operator head;
  sparql_var key;
  sparql_var *residual; /* other shared variables */
  size_t n_residual;
  const sparql_frame *frame;
  merge_side left, right;
  /* the group: right rows [group, group_end) of `source` */
  bool in_group;
  atom_id group_key;
  const atom_id **source;
  size_t group, group_end, group_at;
  sparql_var *kept_vars; /* a group copied together: shown and residual variables */
  size_t n_kept;
  atom_id **kept; /* [n_kept][kept_cap] */
  size_t kept_cap;
  const atom_id **kept_source; /* by variable */
  /* output */
  uint32_t *left_row, *right_row; /* [SPARQL_BATCH] */
  size_t gathered, ramp;
  const atom_id **column;
} merge_join;

/* ---- moving a side ----------------------------------------------------------------------------
 */

static uint64_t
key_at(const merge_join *op, const merge_side *side, size_t row)
{
  return side->batch.column[op->key][row].bits;
}

static void
gather_side(const merge_side *side, const atom_id *const *from, const uint32_t *rows, size_t start,
            size_t end)
{
  for (size_t i = 0; i < side->n_vars; i++) {
    const atom_id *source = from[side->vars[i]];
    if (source) {
      sparql_gather(side->buffer[i] + start, source, rows + start, end - start);
    } else {
      memset(side->buffer[i] + start, 0, (end - start) * sizeof(atom_id));
    }
  }
}

/* Copy the pairs [gathered, n): a batch they lie in is about to go. */
static void
gather_pairs(merge_join *op, size_t n)
{
  if (n == op->gathered) return;
  gather_side(&op->left, op->left.batch.column, op->left_row, op->gathered, n);
  gather_side(&op->right, op->source, op->right_row, op->gathered, n);
  op->gathered = n;
}

/* Make side->at a row, pulling a batch if need be; side->ended when there is none. */
static quoin_status
fill_side(merge_side *side, quoin_error *err)
{
  if (side->ended || side->at < side->batch.rows) return QUOIN_OK;
  side->at = side->batch.rows = 0;
  quoin_status st = sparql_pull(&side->batch, side->pulled, side->op, err);
  if (st) side->batch.rows = 0;
  if (st == QUOIN_DONE) {
    side->ended = true;
    return QUOIN_OK;
  }
  return st;
}

/* Move `side` to its first row with a key >= target. */
static quoin_status
advance(merge_join *op, merge_side *side, uint64_t target, quoin_error *err)
{
  for (;;) {
    quoin_status st = fill_side(side, err);
    if (st || side->ended || key_at(op, side, side->at) >= target) return st;
    size_t rows = side->batch.rows, low = side->at, step = 1;
    if (key_at(op, side, rows - 1) < target) {
      side->at = rows;
      if (side->scan && (st = sparql_scan_seek(side->scan, (atom_id){target}, err))) return st;
      continue;
    }
    while (low + step < rows && key_at(op, side, low + step) < target) {
      low += step;
      step *= 2;
    }
    size_t high = low + step < rows ? low + step : rows - 1; /* key(low) < target <= key(high) */
    while (high - low > 1) {
      size_t mid = low + (high - low) / 2;
      if (key_at(op, side, mid) < target) {
        low = mid;
      } else {
        high = mid;
      }
    }
    side->at = high;
    return QUOIN_OK;
  }
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static size_t
end_of_key(const merge_join *op, const merge_side *side, size_t from, uint64_t key)
{
  size_t end = from;
  while (end < side->batch.rows && key_at(op, side, end) == key)
    end++;
  return end;
}

/* Give the copied group back; the first `grown` columns have `cap` rows already. */
static void
release_kept(merge_join *op, size_t grown, size_t cap)
{
  for (size_t i = 0; i < op->n_kept; i++) {
    base_release(op->head.ctx->mem, op->kept[i], i < grown ? cap : op->kept_cap, sizeof(atom_id));
    op->kept[i] = NULL;
  }
  (void)sparql_charge(
      op->head.ctx,
      -(int64_t)((cap > op->kept_cap ? cap : op->kept_cap) * op->n_kept * sizeof(atom_id)), NULL);
  op->kept_cap = 0;
}

static quoin_status
keep_rows(merge_join *op, size_t n_kept_rows, size_t from, size_t end, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t need = n_kept_rows + (end - from);
  if (need > op->kept_cap) {
    size_t cap = op->kept_cap ? op->kept_cap : SPARQL_BATCH;
    while (cap < need)
      cap *= 2;
    int64_t bytes = (int64_t)((cap - op->kept_cap) * op->n_kept * sizeof(atom_id));
    quoin_status st = sparql_charge(ctx, bytes, err);
    if (st) return st;
    for (size_t i = 0; i < op->n_kept; i++) {
      atom_id *grown = base_resize(ctx->mem, op->kept[i], op->kept_cap, cap, sizeof(*grown));
      if (!grown) {
        release_kept(op, i, cap);
        return base_fail_nomem(err);
      }
      op->kept[i] = grown;
    }
    op->kept_cap = cap;
  }
  for (size_t i = 0; i < op->n_kept; i++) {
    memcpy(op->kept[i] + n_kept_rows, op->right.batch.column[op->kept_vars[i]] + from,
           (end - from) * sizeof(atom_id));
    op->kept_source[op->kept_vars[i]] = op->kept[i];
  }
  return QUOIN_OK;
}

/* The right rows of the key at right.at become the group; right.at goes past them. */
static quoin_status
take_group(merge_join *op, size_t n, quoin_error *err)
{
  merge_side *right = &op->right;
  uint64_t key = key_at(op, right, right->at);
  size_t end = end_of_key(op, right, right->at, key);
  op->group_key = (atom_id){key};
  op->in_group = true;
  gather_pairs(op, n); /* the source may change */
  if (end < right->batch.rows) {
    op->source = right->batch.column;
    op->group = op->group_at = right->at;
    op->group_end = right->at = end;
    return QUOIN_OK;
  }
  size_t rows = 0;
  for (;;) {
    quoin_status st = keep_rows(op, rows, right->at, end, err);
    if (st) return st;
    rows += end - right->at;
    right->at = end;
    if (end < right->batch.rows) break;
    if ((st = base_cancel_check(&op->head.ctx->cancel, err))) return st;
    if ((st = fill_side(right, err))) return st;
    if (right->ended || key_at(op, right, right->at) != key) break;
    end = end_of_key(op, right, right->at, key);
  }
  op->source = op->kept_source;
  op->group = op->group_at = 0;
  op->group_end = rows;
  return QUOIN_OK;
}

/* ---- output -----------------------------------------------------------------------------------
 */

static bool
residual_agrees(const merge_join *op, size_t left_row, size_t right_row)
{
  for (size_t i = 0; i < op->n_residual; i++)
    if (op->left.batch.column[op->residual[i]][left_row].bits !=
        op->source[op->residual[i]][right_row].bits)
      return false;
  return true;
}

/* Pairs of the left row with the rest of the group. */
static size_t
emit_row(merge_join *op, size_t n)
{
  size_t row = op->left.at;
  for (; op->group_at < op->group_end && n < op->ramp; op->group_at++) {
    if (!residual_agrees(op, row, op->group_at)) continue;
    op->left_row[n] = (uint32_t)row;
    op->right_row[n++] = (uint32_t)op->group_at;
  }
  return n;
}

/* Go on to the next pair of equal keys. DONE at the end of either side. */
static quoin_status
align(merge_join *op, size_t n, quoin_error *err)
{
  for (;;) {
    quoin_status st;
    if (op->left.at >= op->left.batch.rows) gather_pairs(op, n);
    if ((st = fill_side(&op->left, err))) return st;
    if (op->left.ended) return QUOIN_DONE;
    uint64_t left_key = key_at(op, &op->left, op->left.at);
    if (op->in_group) {
      if (left_key == op->group_key.bits) return QUOIN_OK;
      op->in_group = false;
    }
    gather_pairs(op, n); /* both sides may move to other batches */
    if ((st = advance(op, &op->right, left_key, err))) return st;
    if (op->right.ended) return QUOIN_DONE;
    uint64_t right_key = key_at(op, &op->right, op->right.at);
    if (right_key == left_key) return take_group(op, n, err);
    if ((st = advance(op, &op->left, right_key, err))) return st;
    if ((st = base_cancel_check(&op->head.ctx->cancel, err))) return st;
  }
}

static quoin_status
merge_join_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  merge_join *op = (merge_join *)head;
  size_t n = 0;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  op->gathered = 0;
  while (!st && n < op->ramp) {
    bool here = op->in_group && op->left.at < op->left.batch.rows &&
                key_at(op, &op->left, op->left.at) == op->group_key.bits;
    if (!here && (st = align(op, n, err))) break;
    n = emit_row(op, n);
    if (op->group_at == op->group_end) {
      op->left.at++;
      op->group_at = op->group;
    }
  }
  if (st < 0 || (st == QUOIN_DONE && n == 0)) return st;
  gather_pairs(op, n);
  op->ramp = sparql_ramp_up(op->ramp);
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
merge_join_rewind(sparql_operator *head, quoin_error *err)
{
  merge_join *op = (merge_join *)head;
  op->in_group = false;
  op->ramp = SPARQL_RAMP;
  op->left.at = op->left.batch.rows = op->right.at = op->right.batch.rows = 0;
  op->left.ended = op->right.ended = false;
  quoin_status st = sparql_operator_rewind(head->child[0], err);
  return st ? st : sparql_operator_rewind(head->child[1], err);
}

static void
merge_join_close(sparql_operator *head)
{
  release_kept((merge_join *)head, 0, 0);
}

static void
merge_join_explain(base_buffer *out, const sparql_operator *head)
{
  const merge_join *op = (const merge_join *)head;
  base_buffer_text(out, "by ");
  sparql_explain_var(out, head->ctx, op->key);
  for (size_t i = 0; i < op->n_residual; i++) {
    base_buffer_text(out, i ? " " : ", then ");
    sparql_explain_var(out, head->ctx, op->residual[i]);
  }
}

static const sparql_operator_class merge_join_class = {.name = "merge join",
                                                       .next = merge_join_next,
                                                       .rewind = merge_join_rewind,
                                                       .close = merge_join_close,
                                                       .explain = merge_join_explain};

/* ---- making one -------------------------------------------------------------------------------
 */

static quoin_status
side_make(merge_side *side, merge_join *op, sparql_operator *child, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  side->op = child;
  side->scan = sparql_scan_under(child);
  side->vars = base_arena_new(&ctx->arena, ctx->query->n_vars + 1u, sizeof(sparql_var));
  side->buffer = base_arena_new_zero(&ctx->arena, ctx->query->n_vars + 1u, sizeof(atom_id *));
  if (!side->vars || !side->buffer) return base_fail_nomem(err);
  return sparql_columns_make(&side->pulled, ctx, err);
}

static quoin_status
show_var(merge_side *side, merge_join *op, sparql_var var, quoin_error *err)
{
  atom_id **buffer = &side->buffer[side->n_vars];
  quoin_status st = sparql_column_make(buffer, op->head.ctx, err);
  if (st) return st;
  side->vars[side->n_vars++] = var;
  op->column[var] = *buffer;
  op->head.maybe[var] = true;
  op->head.bound[var] = op->left.op->bound[var] || op->right.op->bound[var];
  return QUOIN_OK;
}

static quoin_status
choose_columns(merge_join *op, const bool *need, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t n_vars = ctx->query->n_vars;
  op->residual = base_arena_new(&ctx->arena, n_vars + 1, sizeof(sparql_var));
  op->kept_vars = base_arena_new(&ctx->arena, n_vars + 1, sizeof(sparql_var));
  op->kept = base_arena_new_zero(&ctx->arena, n_vars + 1, sizeof(atom_id *));
  if (!op->residual || !op->kept_vars || !op->kept) return base_fail_nomem(err);
  for (sparql_var v = 0; v < n_vars; v++) {
    const sparql_param *param = sparql_frame_find(op->frame, v);
    bool shown = (!need || need[v]) && !(param && param->column);
    bool left = op->left.op->maybe[v], right = op->right.op->maybe[v];
    bool both = left && right && !param && v != op->key;
    quoin_status st = QUOIN_OK;
    if (both) op->residual[op->n_residual++] = v;
    if (both || (shown && right && !left)) op->kept_vars[op->n_kept++] = v;
    if (shown && left) st = show_var(&op->left, op, v, err);
    if (shown && right && !left) st = show_var(&op->right, op, v, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

quoin_status
sparql_merge_join_make(sparql_operator **out, sparql_context *ctx, sparql_operator *left,
                       sparql_operator *right, sparql_var var, const bool *need,
                       const sparql_frame *frame, quoin_error *err)
{
  merge_join *op = NULL;
  assert(left->n_sorted && left->sorted[0] == var && left->bound[var]);
  assert(right->n_sorted && right->sorted[0] == var && right->bound[var]);
  quoin_status st =
      sparql_operator_make(&op, sizeof(*op), &merge_join_class, ctx, left, right, err);
  if (st) return st;
  op->key = var;
  op->frame = frame;
  op->ramp = SPARQL_RAMP;
  if ((st = side_make(&op->left, op, left, err)) || (st = side_make(&op->right, op, right, err)))
    return st;
  if ((st = sparql_rows_make(&op->left_row, ctx, err))) return st;
  if ((st = sparql_rows_make(&op->right_row, ctx, err))) return st;
  if ((st = sparql_columns_make(&op->column, ctx, err))) return st;
  if ((st = sparql_columns_make(&op->kept_source, ctx, err))) return st;
  if ((st = choose_columns(op, need, err))) return st;
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  for (unsigned i = 0; i < left->n_sorted && op->head.bound[left->sorted[i]]; i++)
    op->head.sorted[op->head.n_sorted++] = left->sorted[i];
  *out = &op->head;
  return QUOIN_OK;
}
