/* sparql/operators/operator_hash_join.c - joins that keep one side: inner, OPTIONAL (18.5
 * LeftJoin), MINUS, and for EXISTS the left rows with or without a match.
 *
 * The right rows are kept in a join_table by the variables bound on both sides in every row. Shared
 * variables that may be unbound are compared pair by pair: compatible where either is unbound. The
 * first of them is a key all the same, unbound being one more value: a left row that binds it looks
 * up its value and "unbound", one that does not goes through all rows. With a seed the right side
 * runs once for each left batch, restricted to the keys of that batch: then a selective left side
 * never reads all of the right. Left order is kept.
 *
 * Past the memory budget both sides go to disk (join_disk.h). Where rows come sorted, what the
 * passes give is a run each, and the runs are merged by the number of the left row. */
#include "sparql/operators/hash_join.h"

#include <assert.h>

#include "base/poison.h"

#define NO_ROW UINT32_MAX

/* ---- the right side ---------------------------------------------------------------------------
 */

/* All of the left side; with a seed the batch at hand. */
static quoin_status
left_to_disk(hash_join *op, quoin_error *err)
{
  if (op->options.seed) {
    quoin_status st = join_disk_add_left(&op->disk, &op->left, err);
    return st ? st : join_disk_start(&op->disk, err);
  }
  for (;;) {
    sparql_batch batch;
    quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
    if (st) return st;
    st = sparql_pull(&batch, op->left_pulled, op->head.child[0], err);
    if (st == QUOIN_DONE) return join_disk_start(&op->disk, err);
    if (st || (st = join_disk_add_left(&op->disk, &batch, err))) return st;
  }
}

static quoin_status
build(hash_join *op, quoin_error *err)
{
  quoin_status st;
  sparql_batch batch;
  join_table_reset(&op->table);
  for (;;) {
    if ((st = base_cancel_check(&op->head.ctx->cancel, err))) return st;
    st = sparql_pull(&batch, op->right_pulled, op->head.child[1], err);
    if (st == QUOIN_DONE) break;
    if (st) return st;
    if (!op->disk.active && op->table.rows && !join_table_has_room(&op->table, batch.rows) &&
        (st = join_disk_begin(&op->disk, err)))
      return st;
    st = op->disk.active ? join_disk_add_right(&op->disk, &batch, err)
                         : join_table_add(&op->table, &batch, err);
    if (st) return st;
  }
  st = op->disk.active ? left_to_disk(op, err) : join_table_finish(&op->table, err);
  op->built = !st;
  uint64_t bytes = join_table_bytes(&op->table);
  if (bytes > op->head.bytes) op->head.bytes = bytes;
  return st;
}

/* Run the right side for the keys of the left batch. */
static quoin_status
build_for_batch(hash_join *op, quoin_error *err)
{
  sparql_id_table_reset(&op->seen);
  for (size_t k = 0; k < op->n_keys; k++)
    op->table.key_column[k] = op->left.column[op->keys[k]];
  quoin_status st =
      sparql_id_table_add(op->group, &op->seen, op->table.key_column, op->left.rows, err);
  if (st) return st;
  sparql_seed_set(op->options.seed, (const atom_id *const *)op->seen.column, op->seen.rows);
  if ((st = sparql_operator_rewind(op->head.child[1], err))) return st;
  return build(op, err);
}

static void
find_groups(hash_join *op)
{
  join_table *table = &op->table;
  join_table_find(op->group, table, &op->left);
  if (!op->lax) return;
  table->key_column[op->n_keys] = NULL;
  sparql_id_table_find(op->unbound, &table->keys, table->key_column, op->left.rows);
}

/* The run of the pass that ended. */
static quoin_status
end_run(hash_join *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st = spill_finish(&op->run, ctx, err);
  if (st || !op->run.bytes) return st;
  return spill_merge_add(&op->sequence.merge, ctx, &op->run, err);
}

/* Left rows that the next pass sees again: all of OPTIONAL; MINUS has given those that are left. */
static quoin_status
carry_batch(hash_join *op, quoin_error *err)
{
  if (!op->left.rows || op->options.mode != JOIN_LEFT || op->disk.last) return QUOIN_OK;
  for (size_t i = 0; i < op->left.rows; i++)
    op->left_row[i] = (uint32_t)i;
  return join_disk_carry(&op->disk, op->left_row, op->left.rows, op->matched, err);
}

static quoin_status
next_left_on_disk(hash_join *op, quoin_error *err)
{
  bool new_pass;
  quoin_status st = carry_batch(op, err);
  op->left.rows = 0;
  if (st) return st;
  st = join_disk_next(&op->left, &new_pass, &op->disk, err);
  if (new_pass && op->head.n_sorted && (!st || st == QUOIN_DONE)) {
    quoin_status ended = end_run(op, err);
    if (ended) st = ended;
  }
  if (st) {
    op->left.rows = 0;
    return st;
  }
  for (size_t i = 0; i < op->left.rows; i++)
    op->matched[i] = op->disk.matched[i].bits != 0;
  find_groups(op);
  return QUOIN_OK;
}

static quoin_status
next_left(hash_join *op, quoin_error *err)
{
  quoin_status st;
  op->row = op->range = 0;
  op->begun = false;
  if (op->disk.active && op->built) return next_left_on_disk(op, err);
  op->left.rows = 0;
  if (!op->options.seed && !op->built && (st = build(op, err))) return st;
  if (op->disk.active) return next_left_on_disk(op, err);
  if (!op->options.seed && op->options.mode == JOIN_INNER && op->table.rows == 0) return QUOIN_DONE;
  st = sparql_pull(&op->left, op->left_pulled, op->head.child[0], err);
  if (!st && op->options.seed) st = build_for_batch(op, err);
  if (st || op->disk.active) {
    op->left.rows = 0;
    return st;
  }
  if (op->options.mode == JOIN_LEFT) memset(op->matched, 0, op->left.rows * sizeof(bool));
  find_groups(op);
  return QUOIN_OK;
}

/* ---- pairs ------------------------------------------------------------------------------------
 */

static atom_id
left_value(const hash_join *op, sparql_var var, size_t row)
{
  const atom_id *column = op->left.column[var];
  return column ? column[row] : ATOM_NONE_ID;
}

static bool
compatible(const hash_join *op, size_t left_row, size_t right_row)
{
  for (size_t i = 0; i < op->n_loose; i++) {
    atom_id a = left_value(op, op->loose[i], left_row);
    atom_id b = op->table.by_var[op->loose[i]][right_row];
    if (a.bits && b.bits && a.bits != b.bits) return false;
  }
  for (size_t i = 0; op->lax && i < op->n_keys; i++)
    if (left_value(op, op->keys[i], left_row).bits != op->table.by_var[op->keys[i]][right_row].bits)
      return false;
  return true;
}

/* MINUS: do the two rows have a variable in common? */
static bool
domains_meet(const hash_join *op, size_t left_row, size_t right_row)
{
  if (op->overlap) return true;
  for (size_t i = 0; i < op->n_loose; i++)
    if (op->loose[i] != op->options.graph && left_value(op, op->loose[i], left_row).bits &&
        op->table.by_var[op->loose[i]][right_row].bits)
      return true;
  return false;
}

/* The right rows [*at, *end) that may join with left row `row`: range 0, then 1 of a lax table;
 * false when there is no such range. */
static bool
range_of(size_t *at, size_t *end, const hash_join *op, size_t row, unsigned range)
{
  uint32_t group = op->group[row];
  *at = *end = 0;
  if (range > 0 && !op->lax) return false;
  if (op->lax && !left_value(op, op->loose[0], row).bits) {
    *end = op->table.rows; /* compatible with any value: all rows, keys compared there */
    return range == 0;
  }
  if (range == 1) group = op->unbound[row];
  if (range > 1) return false;
  if (group == SPARQL_ID_TABLE_ABSENT) return true;
  *at = op->table.start[group];
  *end = op->table.start[group + 1];
  return true;
}

/* As collect_pairs where the key decides alone: all rows of a group are pairs. */
static size_t
collect_equal(hash_join *op, size_t limit, bool outer, bool ends)
{
  size_t n = 0, row = op->row, at = op->at;
  bool begun = op->begun;
  const uint32_t *start = op->table.start;
  for (; row < op->left.rows; row++, begun = false) {
    uint32_t group = op->group[row];
    bool found = group != SPARQL_ID_TABLE_ABSENT;
    size_t end = found ? start[group + 1] : 0;
    if (!begun) at = found ? start[group] : 0;
    begun = true;
    for (; at < end && n < limit; at++) {
      op->left_row[n] = (uint32_t)row;
      op->right_row[n++] = (uint32_t)at;
    }
    if (at < end) break;
    if (!outer) continue;
    if (found) op->matched[row] = true;
    if (!ends || op->matched[row]) continue;
    if (n == limit) break;
    op->left_row[n] = (uint32_t)row;
    op->right_row[n++] = NO_ROW;
  }
  op->row = row;
  op->at = at;
  op->begun = begun && row < op->left.rows;
  return n;
}

/* More pairs into left_row[] and right_row[], `limit` at most. */
static quoin_status
collect_pairs(size_t *n, hash_join *op, size_t limit, quoin_error *err)
{
  bool outer = op->options.mode == JOIN_LEFT, conditions = op->options.n_conditions > 0;
  bool ends = outer && !(op->disk.active && !op->disk.last); /* a later pass may find a match */
  if (!op->n_loose && !conditions) {
    *n = collect_equal(op, limit, outer, ends);
    return QUOIN_OK;
  }
  *n = 0;
  for (; op->row < op->left.rows; op->row++, op->range = 0, op->begun = false) {
    size_t begin, end;
    for (; range_of(&begin, &end, op, op->row, op->range); op->range++, op->begun = false) {
      if (!op->begun) op->at = begin;
      op->begun = true;
      while (op->at < end) {
        if (*n == limit) return QUOIN_OK;
        size_t at = op->at++;
        if ((at & 0xffff) == 0xffff) {
          quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
          if (st) return st;
        }
        if (op->n_loose && !compatible(op, op->row, at)) continue;
        op->left_row[*n] = (uint32_t)op->row;
        op->right_row[(*n)++] = (uint32_t)at;
        if (outer && !conditions) op->matched[op->row] = true;
      }
    }
    if (ends && !op->matched[op->row]) {
      if (*n == limit) return QUOIN_OK;
      op->left_row[*n] = (uint32_t)op->row;
      op->right_row[(*n)++] = NO_ROW;
    }
  }
  return QUOIN_OK;
}

static quoin_status
minus_rows(size_t *n, hash_join *op, size_t limit, quoin_error *err)
{
  *n = 0;
  for (; op->row < op->left.rows && *n < limit; op->row++) {
    size_t at, end;
    bool removed = false;
    for (unsigned range = 0; !removed && range_of(&at, &end, op, op->row, range); range++)
      for (; at < end && !removed; at++) {
        removed = compatible(op, op->row, at) && domains_meet(op, op->row, at);
        if ((at & 0xffff) == 0xffff) {
          quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
          if (st) return st;
        }
      }
    if (removed) continue;
    op->left_row[*n] = (uint32_t)op->row;
    op->right_row[(*n)++] = NO_ROW;
  }
  return QUOIN_OK;
}

/* SEMI and ANTI, where the key decides: left rows with or without a match. With more passes to come
 * those without one go on to the next. */
static quoin_status
chosen_rows(size_t *n, hash_join *op, size_t limit, quoin_error *err)
{
  bool semi = op->options.mode == JOIN_SEMI, more = op->disk.active && !op->disk.last;
  *n = 0;
  for (; op->row < op->left.rows && *n < limit; op->row++) {
    uint32_t row = (uint32_t)op->row;
    bool found = op->group[row] != SPARQL_ID_TABLE_ABSENT;
    if (!found && more) {
      quoin_status st = join_disk_carry(&op->disk, &row, 1, op->matched, err);
      if (st) return st;
    } else if (found == semi) {
      op->left_row[*n] = row;
      op->right_row[(*n)++] = NO_ROW;
    }
  }
  return QUOIN_OK;
}

/* ---- output -----------------------------------------------------------------------------------
 */

/* The values of `var` in n pairs. */
static void
gather_var(atom_id *to, const hash_join *op, sparql_var var, const uint32_t *left_row,
           const uint32_t *right_row, size_t n)
{
  const atom_id *left = op->left.column[var], *right = op->table.by_var[var];
  if (left && (!right || op->head.child[0]->bound[var])) {
    sparql_gather(to, left, left_row, n);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    atom_id id = left ? left[left_row[i]] : ATOM_NONE_ID;
    if (!id.bits && right && right_row[i] != NO_ROW) id = right[right_row[i]];
    to[i] = id;
  }
}

/* passed[i]: pair i meets all conditions. */
static quoin_status
test_conditions(hash_join *op, size_t n, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t pairs = 0;
  uint32_t left_row[SPARQL_BATCH], right_row[SPARQL_BATCH];
  for (size_t i = 0; i < n; i++) {
    op->passed[i] = 0;
    if (op->right_row[i] == NO_ROW) continue;
    left_row[pairs] = op->left_row[i];
    right_row[pairs] = op->right_row[i];
    op->pair[pairs++] = (uint32_t)i;
  }
  if (!pairs) return QUOIN_OK;
  for (size_t i = 0; i < op->n_condition_vars; i++) {
    gather_var(op->condition_buffer[i], op, op->condition_vars[i], left_row, right_row, pairs);
    op->condition_column[op->condition_vars[i]] = op->condition_buffer[i];
  }
  sparql_batch batch = {.rows = pairs, .column = op->condition_column};
  for (size_t c = 0; c < op->options.n_conditions; c++) {
    size_t n_selected = 0;
    base_arena_mark mark = base_arena_here(&ctx->scratch);
    quoin_status st =
        sparql_expr_filter(op->selected, &n_selected, ctx, op->options.conditions[c], &batch, err);
    base_arena_rewind(&ctx->scratch, mark);
    if (st) return st;
    for (size_t i = 0; i < n_selected; i++)
      if (op->passed[op->pair[op->selected[i]]] == c) op->passed[op->pair[op->selected[i]]]++;
  }
  for (size_t i = 0; i < n; i++)
    op->passed[i] = op->passed[i] == op->options.n_conditions;
  return QUOIN_OK;
}

/* Keep the pairs that passed, and a row's end where none did. */
static size_t
keep_passed(hash_join *op, size_t n)
{
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    bool *matched = &op->matched[op->left_row[i]];
    bool keep = op->right_row[i] == NO_ROW ? !*matched : op->passed[i];
    if (!keep) continue;
    *matched = true;
    op->left_row[kept] = op->left_row[i];
    op->right_row[kept++] = op->right_row[i];
  }
  return kept;
}

static quoin_status
next_pairs(size_t *n, hash_join *op, quoin_error *err)
{
  if (op->options.mode == JOIN_MINUS) return minus_rows(n, op, op->ramp, err);
  if (hash_join_keeps_left(op)) return chosen_rows(n, op, op->ramp, err);
  if (!op->options.n_conditions) return collect_pairs(n, op, op->ramp, err);
  quoin_status st = collect_pairs(n, op, op->ramp, err);
  if (st || (st = test_conditions(op, *n, err))) return st;
  *n = keep_passed(op, *n);
  return QUOIN_OK;
}

/* Pairs that go out, and their columns; DONE. None when the join has just gone to disk. */
static quoin_status
next_output(size_t *n, hash_join *op, quoin_error *err)
{
  bool on_disk = op->disk.active;
  *n = 0;
  while (*n == 0) {
    quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
    if (st) return st;
    if (op->row >= op->left.rows && (st = next_left(op, err))) return st;
    if (op->disk.active && !on_disk) return QUOIN_OK;
    if ((st = next_pairs(n, op, err))) return st;
    if (op->options.mode != JOIN_MINUS || !op->disk.active || op->disk.last) continue;
    /* those that no row of this chunk removed: the next one sees them */
    st = join_disk_carry(&op->disk, op->left_row, *n, op->matched, err);
    *n = 0;
    if (st) return st;
  }
  for (size_t i = 0; i < op->n_shown; i++)
    gather_var(op->buffer[i], op, op->shown[i], op->left_row, op->right_row, *n);
  op->ramp = sparql_ramp_up(op->ramp);
  return QUOIN_OK;
}

/* `n` rows of the buffers to the run of this pass. */
static quoin_status
put_run(hash_join *op, size_t n, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < n && !st; i++) {
    st = spill_put(&op->run, ctx, &op->disk.number[op->left_row[i]], sizeof(atom_id), err);
    for (size_t c = 0; c < op->n_shown && !st; c++)
      st = spill_put(&op->run, ctx, &op->buffer[c][i], sizeof(atom_id), err);
  }
  return st;
}

/* On disk and sorted: all passes, then their runs merged. */
static quoin_status
next_merged(size_t *n, hash_join *op, quoin_error *err)
{
  quoin_status st;
  while (!op->merging) {
    st = next_output(n, op, err);
    if (!st) st = put_run(op, *n, err);
    if (st && st != QUOIN_DONE) return st;
    if (!st) continue;
    join_table_clear(&op->table);
    op->merging = true;
    if ((st = spill_sequence_begin(&op->sequence, op->head.ctx, 1 + op->n_shown, err))) return st;
  }
  return spill_sequence_rows(n, op->buffer, &op->sequence, err);
}

static void
forget_disk(hash_join *op)
{
  if (op->disk.active) op->built = false; /* the table has but a chunk */
  join_disk_clear(&op->disk);
  spill_drop(&op->run, op->head.ctx);
  spill_sequence_clear(&op->sequence, op->head.ctx);
  op->merging = false;
  op->left.rows = op->row = 0;
}

static quoin_status
hash_join_next(sparql_batch *out, sparql_operator *head, quoin_error *err)
{
  hash_join *op = (hash_join *)head;
  size_t n = 0;
  quoin_status st = base_cancel_check(&head->ctx->cancel, err);
  if (st) return st;
  if (!op->options.seed && !op->built && (st = build(op, err))) return st;
  while (n == 0) {
    st = op->disk.active && head->n_sorted ? next_merged(&n, op, err) : next_output(&n, op, err);
    if (st == QUOIN_DONE && op->options.seed && op->disk.active) {
      forget_disk(op); /* it was for one left batch */
      st = QUOIN_OK;
    }
    if (st) return st;
  }
  *out = (sparql_batch){.rows = n, .column = op->column};
  return QUOIN_OK;
}

static quoin_status
hash_join_rewind(sparql_operator *head, quoin_error *err)
{
  hash_join *op = (hash_join *)head;
  bool kept = op->options.stable && !op->disk.active;
  op->left.rows = op->row = op->range = 0;
  op->begun = false;
  op->ramp = SPARQL_RAMP;
  forget_disk(op);
  quoin_status st = sparql_operator_rewind(head->child[0], err);
  if (st || kept || op->options.seed) return st;
  op->built = false;
  return sparql_operator_rewind(head->child[1], err);
}

static void
hash_join_close(sparql_operator *head)
{
  hash_join *op = (hash_join *)head;
  forget_disk(op);
  join_table_clear(&op->table);
  sparql_id_table_clear(&op->seen);
}

static void
hash_join_explain(base_buffer *out, const sparql_operator *head)
{
  const hash_join *op = (const hash_join *)head;
  base_buffer_text(out, op->options.seed ? "batch by batch, by" : "by");
  if (!op->n_keys && !op->n_loose) base_buffer_text(out, " nothing (all pairs)");
  for (size_t i = 0; i < op->n_keys + op->n_loose; i++) {
    base_buffer_byte(out, ' ');
    sparql_explain_var(out, head->ctx, i < op->n_keys ? op->keys[i] : op->loose[i - op->n_keys]);
    if (i >= op->n_keys) base_buffer_text(out, " (if bound)");
  }
  if (op->options.n_conditions)
    base_buffer_printf(out, ", %zu conditions", op->options.n_conditions);
}

static const sparql_operator_class inner_class = {.name = "hash join",
                                                  .next = hash_join_next,
                                                  .rewind = hash_join_rewind,
                                                  .close = hash_join_close,
                                                  .explain = hash_join_explain};
static const sparql_operator_class left_class = {.name = "left join",
                                                 .next = hash_join_next,
                                                 .rewind = hash_join_rewind,
                                                 .close = hash_join_close,
                                                 .explain = hash_join_explain};
static const sparql_operator_class minus_class = {.name = "minus",
                                                  .next = hash_join_next,
                                                  .rewind = hash_join_rewind,
                                                  .close = hash_join_close,
                                                  .explain = hash_join_explain};
static const sparql_operator_class semi_class = {.name = "semi join",
                                                 .next = hash_join_next,
                                                 .rewind = hash_join_rewind,
                                                 .close = hash_join_close,
                                                 .explain = hash_join_explain};
static const sparql_operator_class anti_class = {.name = "anti join",
                                                 .next = hash_join_next,
                                                 .rewind = hash_join_rewind,
                                                 .close = hash_join_close,
                                                 .explain = hash_join_explain};

static const sparql_operator_class *
class_of(join_mode mode)
{
  switch (mode) {
  case JOIN_INNER:
    return &inner_class;
  case JOIN_LEFT:
    return &left_class;
  case JOIN_MINUS:
    return &minus_class;
  case JOIN_SEMI:
    return &semi_class;
  case JOIN_ANTI:
    return &anti_class;
  }
  return &inner_class;
}

/* ---- making one -------------------------------------------------------------------------------
 */

quoin_status
sparql_hash_join_make(sparql_operator **out, sparql_context *ctx, sparql_operator *left,
                      sparql_operator *right, const hash_join_options *options, const bool *need,
                      const sparql_frame *frame, quoin_error *err)
{
  hash_join *op = NULL;
  quoin_status st =
      sparql_operator_make(&op, sizeof(*op), class_of(options->mode), ctx, left, right, err);
  if (st) return st;
  assert(!options->n_conditions || options->mode == JOIN_LEFT);
  op->options = *options;
  op->frame = frame;
  op->ramp = SPARQL_RAMP;
  if ((st = hash_join_prepare(op, need, err))) return st;
  assert(options->mode < JOIN_SEMI || !op->n_loose);
  sparql_frame_columns(op->column, frame);
  sparql_frame_bind(&op->head, frame);
  for (unsigned i = 0; i < left->n_sorted && op->head.bound[left->sorted[i]]; i++)
    op->head.sorted[op->head.n_sorted++] = left->sorted[i];
  *out = &op->head;
  return QUOIN_OK;
}
