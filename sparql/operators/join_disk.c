/* sparql/operators/join_disk.c - see join_disk.h. */
#include "sparql/operators/join_disk.h"

#include <assert.h>

#include "base/poison.h"

/* A part is not divided more often than this. */
enum { MOST_DEPTH = 8, LEFT_HEAD = 2 };

static quoin_status
buffers_new(atom_id ***out, size_t n, sparql_context *ctx, quoin_error *err)
{
  *out = base_arena_new_zero(&ctx->arena, n + 1, sizeof(**out));
  return *out ? QUOIN_OK : base_fail_nomem(err);
}

/* The columns themselves: only a join that goes to disk has them. */
static quoin_status
buffers_fill(atom_id **buffer, size_t n, sparql_context *ctx, quoin_error *err)
{
  for (size_t c = 0; c < n; c++)
    if (!buffer[c] && !(buffer[c] = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id))))
      return base_fail_nomem(err);
  return QUOIN_OK;
}

static size_t
right_width(const join_disk *disk)
{
  return disk->table->n_keys + disk->table->n_vars;
}

quoin_status
join_disk_init(join_disk *disk, sparql_context *ctx, join_table *table, size_t n_keys,
               const sparql_var *left_vars, size_t n_left, bool carry, quoin_error *err)
{
  *disk = (join_disk){.ctx = ctx,
                      .table = table,
                      .n_keys = n_keys,
                      .left_vars = left_vars,
                      .n_left = n_left,
                      .carry = carry};
  size_t n_vars = ctx->query->n_vars + 1u, most = right_width(disk) + n_left + LEFT_HEAD;
  quoin_status st = buffers_new(&disk->right_buffer, right_width(disk), ctx, err);
  if (!st) st = buffers_new(&disk->left_buffer, n_left + LEFT_HEAD, ctx, err);
  disk->right_column = base_arena_new_zero(&ctx->arena, n_vars, sizeof(atom_id *));
  disk->left_column = base_arena_new_zero(&ctx->arena, n_vars, sizeof(atom_id *));
  disk->source = base_arena_new_zero(&ctx->arena, most + 1, sizeof(atom_id *));
  if (st) return st;
  if (!disk->right_column || !disk->left_column || !disk->source) return base_fail_nomem(err);
  return QUOIN_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Rows of disk->source[0..width) to the side of the pairs that `left` says; part[]: of each row. */
static quoin_status
put_rows(join_disk *disk, bool left, const uint8_t *part, size_t width, size_t rows,
         quoin_error *err)
{
  sparql_context *ctx = disk->ctx;
  quoin_status st = QUOIN_OK;
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id *row = base_arena_new(&ctx->scratch, width + 1, sizeof(*row));
  if (!row) return base_fail_nomem(err);
  for (size_t i = 0; i < rows && !st; i++) {
    join_pair *pair = &disk->open[part[i]];
    spill_stream *stream = left ? &pair->left : &pair->right;
    for (size_t c = 0; c < width; c++)
      row[c] = disk->source[c] ? disk->source[c][i] : ATOM_NONE_ID;
    stream->rows++;
    if (width) st = spill_put(stream, ctx, row, width * sizeof(*row), err);
  }
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

static void
parts_of(uint8_t *part, const join_disk *disk, const atom_id *const *keys, size_t rows)
{
  if (disk->n_keys)
    spill_part_of(part, keys, disk->n_keys, rows, disk->now.depth);
  else
    memset(part, 0, rows);
}

/* disk->source is set: keys, then the other columns. */
static quoin_status
put_right(join_disk *disk, size_t rows, quoin_error *err)
{
  uint8_t part[SPARQL_BATCH];
  parts_of(part, disk, disk->source, rows);
  return put_rows(disk, false, part, right_width(disk), rows, err);
}

quoin_status
join_disk_add_right(join_disk *disk, const sparql_batch *batch, quoin_error *err)
{
  const join_table *table = disk->table;
  for (size_t k = 0; k < table->n_keys; k++)
    disk->source[k] = batch->column[table->key_vars[k]];
  for (size_t c = 0; c < table->n_vars; c++)
    disk->source[table->n_keys + c] = batch->column[table->vars[c]];
  return put_right(disk, batch->rows, err);
}

/* The rows of the table, which has not been finished. */
static quoin_status
put_table(join_disk *disk, quoin_error *err)
{
  join_table *table = disk->table;
  size_t n_keys = table->n_keys;
  for (size_t at = 0; at < table->rows; at += SPARQL_BATCH) {
    size_t n = table->rows - at < SPARQL_BATCH ? table->rows - at : SPARQL_BATCH;
    for (size_t k = 0; k < n_keys; k++) {
      for (size_t i = 0; i < n; i++)
        disk->right_buffer[k][i] = table->keys.column[k][table->group[at + i]];
      disk->source[k] = disk->right_buffer[k];
    }
    for (size_t c = 0; c < table->n_vars; c++)
      disk->source[n_keys + c] = table->column[c] + at;
    quoin_status st = put_right(disk, n, err);
    if (st) return st;
  }
  join_table_clear(table);
  return QUOIN_OK;
}

/* disk->source is set from LEFT_HEAD on, and the head. */
static quoin_status
put_left(join_disk *disk, const atom_id *const *column, size_t rows, quoin_error *err)
{
  const join_table *table = disk->table;
  uint8_t part[SPARQL_BATCH];
  quoin_status st = QUOIN_OK;
  base_arena_mark mark = base_arena_here(&disk->ctx->scratch);
  const atom_id **keys = base_arena_new(&disk->ctx->scratch, disk->n_keys + 1, sizeof(*keys));
  if (!keys) return base_fail_nomem(err);
  for (size_t k = 0; k < disk->n_keys; k++)
    keys[k] = column[table->key_vars[k]];
  parts_of(part, disk, keys, rows);
  for (size_t c = 0; c < disk->n_left; c++)
    disk->source[LEFT_HEAD + c] = column[disk->left_vars[c]];
  st = put_rows(disk, true, part, LEFT_HEAD + disk->n_left, rows, err);
  base_arena_rewind(&disk->ctx->scratch, mark);
  return st;
}

quoin_status
join_disk_add_left(join_disk *disk, const sparql_batch *batch, quoin_error *err)
{
  for (size_t i = 0; i < batch->rows; i++)
    disk->left_buffer[0][i] = (atom_id){disk->next_number++};
  disk->source[0] = disk->left_buffer[0];
  disk->source[1] = NULL;
  return put_left(disk, batch->column, batch->rows, err);
}

quoin_status
join_disk_begin(join_disk *disk, quoin_error *err)
{
  quoin_status st = buffers_fill(disk->right_buffer, right_width(disk), disk->ctx, err);
  if (!st) st = buffers_fill(disk->left_buffer, LEFT_HEAD + disk->n_left, disk->ctx, err);
  disk->active = true;
  return st ? st : put_table(disk, err);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void
drop_pair(join_pair *pair, sparql_context *ctx)
{
  spill_drop(&pair->right, ctx);
  spill_drop(&pair->left, ctx);
  *pair = (join_pair){0};
}

static quoin_status
finish_side(join_disk *disk, bool left, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (unsigned p = 0; p < SPILL_FANOUT && !st; p++)
    st = spill_finish(left ? &disk->open[p].left : &disk->open[p].right, disk->ctx, err);
  return st;
}

/* The open pairs wait, but those that give no rows. */
static quoin_status
close_pairs(join_disk *disk, unsigned depth, uint64_t parent, quoin_error *err)
{
  sparql_context *ctx = disk->ctx;
  void *waiting = disk->waiting;
  quoin_status st = finish_side(disk, true, err);
  if (st || (st = finish_side(disk, false, err))) return st;
  if (!base_reserve(ctx->mem, &waiting, &disk->cap_waiting, disk->n_waiting + SPILL_FANOUT,
                    sizeof(*disk->waiting)))
    return base_fail_nomem(err);
  disk->waiting = waiting;
  for (unsigned p = SPILL_FANOUT; p-- > 0;) {
    join_pair *pair = &disk->open[p];
    if (!pair->left.rows || (!pair->right.rows && !disk->carry)) {
      drop_pair(pair, ctx);
      continue;
    }
    pair->depth = depth;
    pair->parent = parent;
    disk->waiting[disk->n_waiting++] = *pair;
    *pair = (join_pair){0};
  }
  return QUOIN_OK;
}

quoin_status
join_disk_start(join_disk *disk, quoin_error *err)
{
  return close_pairs(disk, 1, UINT64_MAX, err);
}

/* The next right rows of the part into right_column; *n is 0 at the end. */
static quoin_status
read_right(size_t *n, join_disk *disk, quoin_error *err)
{
  const join_table *table = disk->table;
  spill_reader *reader = &disk->right_reader;
  size_t width = right_width(disk);
  quoin_status st = base_cancel_check(&disk->ctx->cancel, err);
  if (st) return st;
  if (!width) { /* rows of nothing: their number is all there is */
    uint64_t left = disk->now.right.rows - reader->at;
    *n = left < SPARQL_BATCH ? (size_t)left : SPARQL_BATCH;
    reader->at += *n;
    return QUOIN_OK;
  }
  if ((st = spill_get_rows(n, disk->right_buffer, width, reader, disk->ctx, err))) return st;
  for (size_t k = 0; k < table->n_keys; k++)
    disk->right_column[table->key_vars[k]] = disk->right_buffer[k];
  for (size_t c = 0; c < table->n_vars; c++)
    disk->right_column[table->vars[c]] = disk->right_buffer[table->n_keys + c];
  return QUOIN_OK;
}

static bool
right_at_end(const join_disk *disk)
{
  const spill_reader *reader = &disk->right_reader;
  return right_width(disk) ? spill_at_end(reader) : reader->at == disk->now.right.rows;
}

static quoin_status
read_left(size_t *n, join_disk *disk, quoin_error *err)
{
  quoin_status st = base_cancel_check(&disk->ctx->cancel, err);
  if (st) return st;
  for (size_t c = 0; c < disk->n_left; c++)
    disk->left_column[disk->left_vars[c]] = disk->left_buffer[LEFT_HEAD + c];
  return spill_get_rows(n, disk->left_buffer, LEFT_HEAD + disk->n_left, &disk->left_reader,
                        disk->ctx, err);
}

/* The right rows in the table and those still to be read, and all left rows, to pairs of their own.
 */
static quoin_status
divide(join_disk *disk, quoin_error *err)
{
  sparql_context *ctx = disk->ctx;
  size_t n = 0;
  quoin_status st = put_table(disk, err);
  while (!st && !(st = read_right(&n, disk, err)) && n) {
    sparql_batch batch = {.rows = n, .column = disk->right_column};
    st = join_disk_add_right(disk, &batch, err);
  }
  spill_close(&disk->right_reader, ctx);
  if (!st) st = finish_side(disk, false, err);
  if (!st) st = spill_open(&disk->left_reader, &disk->now.left, true, ctx, err);
  while (!st && !(st = read_left(&n, disk, err)) && n) {
    disk->source[0] = disk->left_buffer[0];
    disk->source[1] = disk->left_buffer[1];
    st = put_left(disk, disk->left_column, n, err);
  }
  spill_close(&disk->left_reader, ctx);
  if (!st) st = close_pairs(disk, disk->now.depth + 1, disk->now.right.rows, err);
  if (!st) drop_pair(&disk->now, ctx);
  return st;
}

/* Is it worth it? Not when the last division left nearly all rows together. */
static bool
can_divide(const join_disk *disk, bool first)
{
  const join_pair *pair = &disk->now;
  return first && disk->n_keys && pair->depth < MOST_DEPTH &&
         pair->right.rows < pair->parent - pair->parent / 4;
}

/* Right rows into the table, as many as fit, and the pass over the left begins. */
static quoin_status
load_chunk(join_disk *disk, bool first, quoin_error *err)
{
  quoin_status st;
  join_table_clear(disk->table);
  while (!right_at_end(disk)) {
    size_t n;
    if (disk->table->rows && !join_table_has_room(disk->table, SPARQL_BATCH)) break;
    if ((st = read_right(&n, disk, err))) return st;
    sparql_batch batch = {.rows = n, .column = disk->right_column};
    if ((st = join_table_add(disk->table, &batch, err))) return st;
  }
  disk->last = right_at_end(disk);
  if (!disk->last && can_divide(disk, first)) return divide(disk, err);
  if ((st = join_table_finish(disk->table, err))) return st;
  disk->passing = true;
  return spill_open(&disk->left_reader, &disk->now.left, disk->last || disk->carry, disk->ctx, err);
}

static quoin_status
end_pass(join_disk *disk, quoin_error *err)
{
  sparql_context *ctx = disk->ctx;
  disk->passing = false;
  spill_close(&disk->left_reader, ctx);
  if (disk->last) {
    spill_close(&disk->right_reader, ctx);
    drop_pair(&disk->now, ctx);
    return QUOIN_OK;
  }
  if (!disk->carry) return QUOIN_OK;
  quoin_status st = spill_finish(&disk->carried, ctx, err);
  if (st) return st;
  spill_drop(&disk->now.left, ctx);
  disk->now.left = disk->carried;
  disk->carried = (spill_stream){0};
  return QUOIN_OK;
}

static quoin_status
next_chunk(join_disk *disk, quoin_error *err)
{
  if (disk->right_reader.stream) return load_chunk(disk, false, err);
  if (!disk->n_waiting) return QUOIN_DONE;
  disk->now = disk->waiting[--disk->n_waiting];
  quoin_status st = spill_open(&disk->right_reader, &disk->now.right, true, disk->ctx, err);
  return st ? st : load_chunk(disk, true, err);
}

quoin_status
join_disk_next(sparql_batch *left, bool *new_pass, join_disk *disk, quoin_error *err)
{
  *new_pass = false;
  for (;;) {
    quoin_status st;
    size_t n = 0;
    if (disk->passing) {
      if ((st = read_left(&n, disk, err))) return st;
      if (!n && (st = end_pass(disk, err))) return st;
    }
    if (n) {
      disk->number = disk->left_buffer[0];
      disk->matched = disk->left_buffer[1];
      *left = (sparql_batch){.rows = n, .column = disk->left_column};
      return QUOIN_OK;
    }
    *new_pass = true;
    while (!disk->passing)
      if ((st = next_chunk(disk, err))) return st;
  }
}

quoin_status
join_disk_carry(join_disk *disk, const uint32_t *rows, size_t n, const bool *matched,
                quoin_error *err)
{
  sparql_context *ctx = disk->ctx;
  size_t width = LEFT_HEAD + disk->n_left;
  quoin_status st = QUOIN_OK;
  assert(disk->carry && !disk->last);
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id *row = base_arena_new(&ctx->scratch, width, sizeof(*row));
  if (!row) return base_fail_nomem(err);
  for (size_t i = 0; i < n && !st; i++) {
    for (size_t c = 0; c < width; c++)
      row[c] = disk->left_buffer[c][rows[i]];
    row[1] = (atom_id){matched[rows[i]] ? 1 : 0};
    disk->carried.rows++;
    st = spill_put(&disk->carried, ctx, row, width * sizeof(*row), err);
  }
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

void
join_disk_clear(join_disk *disk)
{
  sparql_context *ctx = disk->ctx;
  if (!ctx) return;
  spill_close(&disk->right_reader, ctx);
  spill_close(&disk->left_reader, ctx);
  spill_drop(&disk->carried, ctx);
  drop_pair(&disk->now, ctx);
  for (unsigned p = 0; p < SPILL_FANOUT; p++)
    drop_pair(&disk->open[p], ctx);
  for (size_t i = 0; i < disk->n_waiting; i++)
    drop_pair(&disk->waiting[i], ctx);
  base_release(ctx->mem, disk->waiting, disk->cap_waiting, sizeof(*disk->waiting));
  disk->waiting = NULL;
  disk->n_waiting = disk->cap_waiting = 0;
  disk->next_number = 0;
  disk->active = disk->passing = disk->last = false;
}
