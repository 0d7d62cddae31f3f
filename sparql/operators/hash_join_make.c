/* sparql/operators/hash_join_make.c - what a join that keeps one side needs to know before it runs.
 */
#include "sparql/operators/hash_join.h"

#include "base/poison.h"

size_t
sparql_join_keys(sparql_var *out, const sparql_context *ctx, const bool *left_bound,
                 const bool *right_bound, const sparql_frame *frame)
{
  size_t n = 0;
  for (sparql_var v = 0; v < ctx->query->n_vars; v++)
    if (left_bound[v] && right_bound[v] && !sparql_frame_find(frame, v)) out[n++] = v;
  return n;
}

static quoin_status
make_vars(sparql_var **out, hash_join *op, quoin_error *err)
{
  *out = base_arena_new(&op->head.ctx->arena, op->head.ctx->query->n_vars + 1u, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

/* Keys, loose variables, and what the conditions read. */
static quoin_status
choose_keys(hash_join *op, quoin_error *err)
{
  quoin_status st;
  sparql_context *ctx = op->head.ctx;
  const sparql_operator *left = op->head.child[0], *right = op->head.child[1];
  if ((st = make_vars(&op->keys, op, err)) || (st = make_vars(&op->loose, op, err))) return st;
  op->n_keys = sparql_join_keys(op->keys, ctx, left->bound, right->bound, op->frame);
  op->overlap = op->options.overlap;
  for (size_t i = 0; i < op->n_keys; i++)
    if (op->keys[i] != op->options.graph) op->overlap = true;
  for (sparql_var v = 0; v < ctx->query->n_vars; v++)
    if (left->maybe[v] && right->maybe[v] && !(left->bound[v] && right->bound[v]) &&
        !sparql_frame_find(op->frame, v))
      op->loose[op->n_loose++] = v;
  op->lax = op->n_loose > 0;
  if (op->lax) op->keys[op->n_keys] = op->loose[0];
  return QUOIN_OK;
}

static quoin_status
choose_condition_vars(hash_join *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t n_vars = ctx->query->n_vars;
  quoin_status st = make_vars(&op->condition_vars, op, err);
  bool *used = base_arena_new_zero(&ctx->arena, n_vars + 1, sizeof(bool));
  op->condition_buffer = base_arena_new_zero(&ctx->arena, n_vars + 1, sizeof(atom_id *));
  if (!st) st = sparql_columns_make(&op->condition_column, ctx, err);
  if (st) return st;
  if (!used || !op->condition_buffer) return base_fail_nomem(err);
  for (size_t c = 0; c < op->options.n_conditions; c++)
    sparql_expr_vars(op->options.conditions[c], used);
  sparql_frame_columns(op->condition_column, op->frame);
  for (sparql_var v = 0; v < n_vars; v++) {
    if (!used[v] || op->condition_column[v]) continue;
    if (!op->head.child[0]->maybe[v] && !op->head.child[1]->maybe[v]) continue;
    if ((st = sparql_column_make(&op->condition_buffer[op->n_condition_vars], ctx, err))) return st;
    op->condition_vars[op->n_condition_vars++] = v;
  }
  return QUOIN_OK;
}

static bool
is_among(const sparql_var *vars, size_t n, sparql_var var)
{
  for (size_t i = 0; i < n; i++)
    if (vars[i] == var) return true;
  return false;
}

static quoin_status
choose_shown(hash_join *op, const bool *need, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_operator *left = op->head.child[0], *right = op->head.child[1];
  size_t n_vars = ctx->query->n_vars;
  quoin_status st = make_vars(&op->shown, op, err);
  if (!st) st = make_vars(&op->kept, op, err);
  if (!st) st = sparql_columns_make(&op->column, ctx, err);
  op->buffer = base_arena_new_zero(&ctx->arena, n_vars + 1, sizeof(atom_id *));
  if (st) return st;
  if (!op->buffer) return base_fail_nomem(err);
  bool minus = hash_join_keeps_left(op), inner = op->options.mode == JOIN_INNER;
  for (sparql_var v = 0; v < n_vars; v++) {
    const sparql_param *param = sparql_frame_find(op->frame, v);
    bool shown = (!need || need[v]) && !(param && param->column) &&
                 (left->maybe[v] || (right->maybe[v] && !minus));
    bool loose =
        is_among(op->loose, op->n_loose, v) || (op->lax && is_among(op->keys, op->n_keys, v));
    bool from_right = shown && right->maybe[v] && !left->bound[v] && !minus;
    bool tested =
        right->maybe[v] && is_among(op->condition_vars, op->n_condition_vars, v) && !left->bound[v];
    if (loose || from_right || tested) op->kept[op->n_kept++] = v;
    if (!shown) continue;
    if ((st = sparql_column_make(&op->buffer[op->n_shown], ctx, err))) return st;
    op->column[v] = op->buffer[op->n_shown];
    op->shown[op->n_shown++] = v;
    op->head.maybe[v] = true;
    op->head.bound[v] = left->bound[v] || (inner && right->bound[v]);
  }
  return QUOIN_OK;
}

static quoin_status
make_disk(hash_join *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_operator *left = op->head.child[0];
  sparql_var *vars;
  size_t n = 0;
  quoin_status st = make_vars(&vars, op, err);
  if (st) return st;
  for (sparql_var v = 0; v < ctx->query->n_vars; v++)
    if (left->maybe[v]) vars[n++] = v;
  if (!(op->matched = base_arena_new_zero(&ctx->arena, SPARQL_BATCH, sizeof(bool))))
    return base_fail_nomem(err);
  return join_disk_init(&op->disk, ctx, &op->table, op->n_keys, vars, n,
                        op->options.mode != JOIN_INNER, err);
}

quoin_status
hash_join_prepare(hash_join *op, const bool *need, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st;
  uint32_t **rows[] = {&op->group,  &op->unbound, &op->left_row, &op->right_row,
                       &op->passed, &op->pair,    &op->selected};
  for (size_t i = 0; i < (op->options.n_conditions ? 7u : 4u); i++)
    if ((st = sparql_rows_make(rows[i], ctx, err))) return st;
  if ((st = choose_keys(op, err)) || (st = choose_condition_vars(op, err)) ||
      (st = choose_shown(op, need, err)))
    return st;
  st = join_table_init(&op->table, ctx, op->keys, op->n_keys + op->lax, op->kept, op->n_kept, err);
  if (st || (st = sparql_id_table_init(&op->seen, ctx, (unsigned)op->n_keys, err))) return st;
  if ((st = make_disk(op, err))) return st;
  if ((st = sparql_columns_make(&op->left_pulled, ctx, err))) return st;
  if ((st = sparql_columns_make(&op->right_pulled, ctx, err))) return st;
  return QUOIN_OK;
}
