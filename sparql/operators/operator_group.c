/* sparql/operators/operator_group.c - GROUP BY and aggregates (18.5).
 *
 * A batch at a time: the keys give each row a group number (a table of id tuples, or comparing with
 * the row before where the input is sorted by the keys), then each aggregate goes over its column.
 * With sorted input only the groups of one batch are held and finished ones go out at once.
 *
 * Past the memory budget the table takes no more groups. Rows of groups that it has go on as
 * before; those of others (their keys, and the values that the aggregates are taken over) go to
 * parts on disk by the hash of the keys. When the groups in memory have been given, each part is
 * the next input, with an empty table, and is divided again when that fills. */
#include "sparql/operators/columns.h"
#include "sparql/operators/group_aggregate.h"

#include "base/poison.h"

typedef struct group_operator {
  sparql_operator head;
  const sparql_algebra *node;
  bool runs; /* the child is sorted by the keys */
  sparql_id_table groups;
  atom_id **run_keys;          /* [n_keys][SPARQL_BATCH + 1] runs: the keys of the groups held */
  size_t n_groups;             /* held */
  group_aggregate *aggregates; /* [node->n_aggregates] */
  sparql_columns cols;
  const atom_id **pulled;
  const atom_id **keys; /* [n_keys] of a batch */
  atom_id **key_buffer; /* [n_keys] of key expressions */
  uint32_t group[SPARQL_BATCH];
  size_t given;    /* groups given out */
  size_t finished; /* runs: the groups [given, finished) can go out */
  bool done;       /* the child has no more, nor has the part */
  /* on disk: rows of the keys, then of the columns of each aggregate */
  bool full;              /* `groups` takes no more */
  bool text;              /* states may come to hold text, which is charged as it comes */
  size_t n_values;        /* columns of a row */
  const atom_id **values; /* [n_values] of the rows being taken */
  atom_id **buffer;       /* [n_values] of rows read, or kept where not all are */
  spill_parts parts;
  spill_part part; /* the input once the child has no more */
  spill_reader reader;
  unsigned depth; /* of the input */
} group_operator;

/* ---- keys ------------------------------------------------------------------------------------ */

static quoin_status
key_columns(group_operator *op, const sparql_batch *in, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  for (size_t k = 0; k < op->node->n_keys; k++) {
    const sparql_group_key *key = &op->node->keys[k];
    if (!key->expr || key->expr->op == EXPR_VAR) {
      op->keys[k] = in->column[key->expr ? key->expr->var : key->var];
      continue;
    }
    base_arena_mark mark = base_arena_here(&ctx->scratch);
    quoin_status st = sparql_expr_column(op->key_buffer[k], ctx, key->expr, in, err);
    base_arena_rewind(&ctx->scratch, mark);
    if (st) return st;
    op->keys[k] = op->key_buffer[k];
  }
  return QUOIN_OK;
}

/* op->values for the rows of `in`. */
static quoin_status
value_columns(group_operator *op, const sparql_batch *in, quoin_error *err)
{
  quoin_status st = key_columns(op, in, err);
  const atom_id **to = op->values + op->node->n_keys;
  for (size_t a = 0; a < op->node->n_aggregates && !st; a++) {
    group_aggregate *agg = &op->aggregates[a];
    st = group_aggregate_values(agg, in, err);
    for (size_t c = 0; c < agg->n_columns; c++)
      *to++ = agg->columns[c];
  }
  return st;
}

/* Group numbers where equal keys are neighbours. */
static void
number_runs(group_operator *op, size_t rows)
{
  size_t n_keys = op->node->n_keys;
  for (size_t i = 0; i < rows; i++) {
    bool same = op->n_groups > 0;
    for (size_t k = 0; k < n_keys && same; k++)
      same = op->run_keys[k][op->n_groups - 1].bits == (op->keys[k] ? op->keys[k][i].bits : 0);
    if (!same) {
      for (size_t k = 0; k < n_keys; k++)
        op->run_keys[k][op->n_groups] = op->keys[k] ? op->keys[k][i] : ATOM_NONE_ID;
      op->n_groups++;
    }
    op->group[i] = (uint32_t)(op->n_groups - 1);
  }
}

/* ---- rows to groups --------------------------------------------------------------------------
 */

static quoin_status
take_values(group_operator *op, size_t rows, quoin_error *err)
{
  const atom_id **columns = op->values + op->node->n_keys;
  for (size_t a = 0; a < op->node->n_aggregates; a++) {
    group_aggregate *agg = &op->aggregates[a];
    quoin_status st = group_aggregate_take(agg, columns, rows, op->group, op->n_groups, err);
    if (st) return st;
    columns += agg->n_columns;
  }
  return QUOIN_OK;
}

/* Buffers of whole columns, made when first needed. */
static quoin_status
value_buffers(group_operator *op, quoin_error *err)
{
  for (size_t c = 0; c < op->n_values; c++)
    if (!op->buffer[c] &&
        !(op->buffer[c] = base_arena_new(&op->head.ctx->arena, SPARQL_BATCH, sizeof(atom_id))))
      return base_fail_nomem(err);
  return QUOIN_OK;
}

static bool
table_is_full(const group_operator *op, size_t rows)
{
  const sparql_id_table *groups = &op->groups;
  uint64_t own = groups->charged, need = sparql_id_table_need(groups, rows);
  if (!groups->rows) return false;
  for (size_t a = 0; a < op->node->n_aggregates; a++) {
    own += group_aggregate_bytes(&op->aggregates[a]);
    need += group_aggregate_need(&op->aggregates[a], groups->rows + rows);
  }
  /* room for as much text as there are states */
  return !spill_has_room(op->head.ctx, own, op->text ? own + 2 * need : need);
}

/* Rows of groups that the full table does not have to disk; the others are moved together, in
 * op->buffer, with their numbers in op->group. */
static quoin_status
divide(size_t *kept, group_operator *op, size_t rows, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  uint8_t part[SPARQL_BATCH];
  quoin_status st = value_buffers(op, err);
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id *row = base_arena_new(&ctx->scratch, op->n_values + 1, sizeof(*row));
  if (!st && !row) st = base_fail_nomem(err);
  if (st) return st;
  *kept = 0;
  sparql_id_table_find(op->group, &op->groups, op->values, rows);
  spill_part_of(part, op->values, op->node->n_keys, rows, op->depth);
  for (size_t i = 0; i < rows && !st; i++) {
    for (size_t c = 0; c < op->n_values; c++)
      row[c] = op->values[c] ? op->values[c][i] : ATOM_NONE_ID;
    if (op->group[i] == SPARQL_ID_TABLE_ABSENT) {
      st = spill_parts_put(&op->parts, part[i], row, op->n_values, ctx, err);
      continue;
    }
    /* op->values may be these buffers: *kept does not pass i */
    for (size_t c = 0; c < op->n_values; c++)
      op->buffer[c][*kept] = row[c];
    op->group[(*kept)++] = op->group[i];
  }
  for (size_t c = 0; c < op->n_values; c++)
    op->values[c] = op->buffer[c];
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

/* The rows of op->values into the groups. */
static quoin_status
take_rows(group_operator *op, size_t rows, quoin_error *err)
{
  quoin_status st;
  if (op->runs) {
    number_runs(op, rows);
    return take_values(op, rows, err);
  }
  if (!op->full && table_is_full(op, rows)) op->full = true;
  if (op->full) {
    if ((st = divide(&rows, op, rows, err)) || !rows) return st;
  } else if ((st = sparql_id_table_add(op->group, &op->groups, op->values, rows, err))) {
    return st;
  }
  op->n_groups = op->groups.rows;
  return take_values(op, rows, err);
}

/* ---- reading and giving -----------------------------------------------------------------------
 */

/* Groups [0, finished) have gone out: what is left is the last one, if any. */
static void
carry_last(group_operator *op)
{
  if (op->n_groups == 0 || op->finished == 0) return;
  size_t last = op->n_groups - 1;
  for (size_t a = 0; a < op->node->n_aggregates; a++)
    group_aggregate_carry(&op->aggregates[a], last);
  for (size_t k = 0; k < op->node->n_keys; k++)
    op->run_keys[k][0] = op->run_keys[k][last];
  op->n_groups = 1;
  op->given = op->finished = 0;
}

/* All input of these groups has been taken. */
static quoin_status
finish_groups(group_operator *op, quoin_error *err)
{
  quoin_status st;
  uint64_t bytes = op->groups.charged;
  /* Without GROUP BY there is one group, also of no rows. */
  if (op->n_groups == 0 && op->node->n_keys == 0 && !op->node->grouped) op->n_groups = 1;
  op->done = true;
  op->finished = op->n_groups;
  for (size_t a = 0; a < op->node->n_aggregates; a++) {
    group_aggregate *agg = &op->aggregates[a];
    if ((st = group_aggregate_reserve(agg, op->n_groups, err))) return st;
    bytes += group_aggregate_bytes(agg);
    if ((st = group_aggregate_settle(agg, err))) return st;
  }
  if (op->head.bytes < bytes) op->head.bytes = bytes;
  return spill_parts_end(&op->parts, op->depth + 1, op->head.ctx, err);
}

/* A batch of the child or of the part into op->values; *rows is 0 at the end. */
static quoin_status
read_values(size_t *rows, group_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  quoin_status st;
  *rows = 0;
  if (!op->reader.stream) {
    sparql_batch in;
    st = sparql_pull(&in, op->pulled, op->head.child[0], err);
    if (st == QUOIN_DONE) return QUOIN_OK;
    if (st || (st = value_columns(op, &in, err))) return st;
    *rows = in.rows;
    return QUOIN_OK;
  }
  if ((st = value_buffers(op, err))) return st;
  for (size_t c = 0; c < op->n_values; c++)
    op->values[c] = op->buffer[c];
  return spill_get_rows(rows, op->buffer, op->n_values, &op->reader, ctx, err);
}

/* One batch into the groups; op->done at the end of the input. */
static quoin_status
read_batch(group_operator *op, quoin_error *err)
{
  size_t rows;
  quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
  if (st || (st = read_values(&rows, op, err))) return st;
  if (!rows) return finish_groups(op, err);
  if ((st = take_rows(op, rows, err))) return st;
  if (op->runs && op->n_groups) op->finished = op->n_groups - 1;
  return QUOIN_OK;
}

static void
forget_groups(group_operator *op)
{
  if (op->aggregates)
    for (size_t a = 0; a < op->node->n_aggregates; a++)
      group_aggregate_clear(&op->aggregates[a]);
  sparql_id_table_clear(&op->groups);
  op->n_groups = op->given = op->finished = 0;
  op->done = op->full = false;
}

static void
close_part(group_operator *op)
{
  spill_close(&op->reader, op->head.ctx);
  spill_drop(&op->part.stream, op->head.ctx);
}

/* The groups have been given: the next part is the input. DONE when there is none. */
static quoin_status
next_part(group_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  close_part(op);
  if (!op->parts.n_waiting) return QUOIN_DONE;
  forget_groups(op);
  (void)spill_parts_take(&op->part, &op->parts);
  op->depth = op->part.depth;
  return spill_open(&op->reader, &op->part.stream, true, ctx, err);
}

static quoin_status
give(sparql_batch *out, group_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t n = op->finished - op->given < SPARQL_BATCH ? op->finished - op->given : SPARQL_BATCH;
  for (size_t k = 0; k < op->node->n_keys; k++)
    op->cols.column[op->node->keys[k].var] =
        (op->runs ? op->run_keys[k] : op->groups.column[k]) + op->given;
  for (size_t a = 0; a < op->node->n_aggregates; a++) {
    sparql_var var = op->node->aggregates[a].var;
    atom_id *to;
    quoin_status st = sparql_columns_buffer(&to, &op->cols, ctx, var, err);
    if (st || (st = group_aggregate_give(to, &op->aggregates[a], op->given, n, err))) return st;
    op->cols.column[var] = to;
  }
  op->given += n;
  *out = (sparql_batch){.rows = n, .column = op->cols.column};
  return QUOIN_OK;
}

static quoin_status
group_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  group_operator *op = (group_operator *)base;
  for (;;) {
    quoin_status st = base_cancel_check(&base->ctx->cancel, err);
    if (st) return st;
    if (op->given < op->finished) return give(out, op, err);
    if (op->done && (st = next_part(op, err))) return st;
    if (op->runs) carry_last(op);
    if ((st = read_batch(op, err))) return st;
  }
}

static void
group_close(sparql_operator *base)
{
  group_operator *op = (group_operator *)base;
  forget_groups(op);
  close_part(op);
  spill_parts_clear(&op->parts, base->ctx);
  op->depth = 0;
}

static quoin_status
group_rewind(sparql_operator *base, quoin_error *err)
{
  group_close(base);
  return sparql_operator_rewind(base->child[0], err);
}

static void
group_explain(base_buffer *out, const sparql_operator *base)
{
  const group_operator *op = (const group_operator *)base;
  if (op->node->n_keys)
    base_buffer_text(out, op->runs ? "sorted by" : "hash by");
  else
    base_buffer_text(out, "all rows");
  for (size_t k = 0; k < op->node->n_keys; k++) {
    base_buffer_byte(out, ' ');
    sparql_explain_var(out, base->ctx, op->node->keys[k].var);
  }
  base_buffer_printf(out, ", %zu aggregate%s", op->node->n_aggregates,
                     op->node->n_aggregates == 1 ? "" : "s");
}

static const sparql_operator_class group_class = {.name = "group",
                                                  .next = group_next,
                                                  .rewind = group_rewind,
                                                  .close = group_close,
                                                  .explain = group_explain};

/* ---- making --------------------------------------------------------------------------------- */

/* The keys as plain variables into vars; false when one is an expression. */
static bool
plain_keys(sparql_var *vars, const sparql_algebra *node)
{
  for (size_t k = 0; k < node->n_keys; k++) {
    const sparql_group_key *key = &node->keys[k];
    if (key->expr && key->expr->op != EXPR_VAR) return false;
    vars[k] = key->expr ? key->expr->var : key->var;
  }
  return true;
}

/* How many leading sort variables of the child the keys take up; only when equal keys are
 * neighbours. */
static bool
keys_lead(unsigned *leading, sparql_context *ctx, const sparql_operator *child,
          const sparql_algebra *node, quoin_error *err, quoin_status *st)
{
  sparql_var *vars = base_arena_new(&ctx->arena, node->n_keys + 1, sizeof(*vars));
  *leading = 0;
  if (!vars) {
    *st = base_fail_nomem(err);
    return false;
  }
  if (!plain_keys(vars, node) || !sparql_sorted_by_set(child, vars, node->n_keys)) return false;
  for (unsigned s = 0; s < child->n_sorted; s++) {
    bool found = false;
    for (size_t k = 0; k < node->n_keys; k++)
      found = found || vars[k] == child->sorted[s];
    if (!found) break;
    *leading = s + 1;
  }
  return true;
}

/* DISTINCT ?v over input sorted by the keys and then ?v needs no table. */
static bool
sorted_argument(const sparql_operator *child, const sparql_expr *aggregate, bool neighbours,
                unsigned leading)
{
  if (!neighbours || !aggregate->distinct || aggregate->n_args != 1) return false;
  return aggregate->args[0]->op == EXPR_VAR && leading < child->n_sorted &&
         child->sorted[leading] == aggregate->args[0]->var;
}

static quoin_status
group_aggregates(group_operator *op, bool neighbours, unsigned leading, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_algebra *node = op->node;
  bool tables = false;
  op->aggregates =
      base_arena_new_zero(&ctx->arena, node->n_aggregates + 1, sizeof(group_aggregate));
  if (!op->aggregates) return base_fail_nomem(err);
  for (size_t a = 0; a < node->n_aggregates; a++) {
    const sparql_expr *expr = node->aggregates[a].expr;
    bool sorted = sorted_argument(op->head.child[0], expr, neighbours, leading);
    quoin_status st =
        group_aggregate_init(&op->aggregates[a], ctx, expr, op->head.child[0], sorted, err);
    if (st) return st;
    tables = tables || (expr->distinct && !sorted);
  }
  /* A table of (group, id) names groups by number: those must not change from batch to batch. */
  op->runs = neighbours && !tables && node->n_keys > 0;
  return QUOIN_OK;
}

static quoin_status
group_buffers(group_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  size_t n = op->node->n_keys;
  sparql_batch pulled;
  quoin_status st = sparql_columns_init(&op->cols, ctx, err);
  if (st || (st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  if ((st = sparql_id_table_init(&op->groups, ctx, (unsigned)n, err))) return st;
  for (size_t a = 0; a < op->node->n_aggregates; a++) {
    op->n_values += op->aggregates[a].n_columns;
    op->text = op->text || group_aggregate_holds_text(&op->aggregates[a]);
  }
  op->n_values += n;
  op->values = base_arena_new_zero(&ctx->arena, op->n_values + 1, sizeof(atom_id *));
  op->buffer = base_arena_new_zero(&ctx->arena, op->n_values + 1, sizeof(atom_id *));
  op->keys = op->values;
  op->key_buffer = base_arena_new_zero(&ctx->arena, n + 1, sizeof(atom_id *));
  op->run_keys = base_arena_new_zero(&ctx->arena, n + 1, sizeof(atom_id *));
  if (!op->keys || !op->buffer || !op->key_buffer || !op->run_keys) return base_fail_nomem(err);
  for (size_t k = 0; k < n; k++) {
    const sparql_expr *expr = op->node->keys[k].expr;
    if (expr && expr->op != EXPR_VAR)
      op->key_buffer[k] = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
    if (op->runs) op->run_keys[k] = base_arena_new(&ctx->arena, SPARQL_BATCH + 1, sizeof(atom_id));
    if ((expr && expr->op != EXPR_VAR && !op->key_buffer[k]) || (op->runs && !op->run_keys[k]))
      return base_fail_nomem(err);
  }
  return QUOIN_OK;
}

/* Only keys and aggregates are bound above. */
static void
group_head(group_operator *op, const sparql_operator *child)
{
  const sparql_algebra *node = op->node;
  sparql_operator *head = &op->head;
  for (uint32_t v = 0; v < head->ctx->query->n_vars; v++)
    head->bound[v] = head->maybe[v] = false;
  for (size_t k = 0; k < node->n_keys; k++) {
    const sparql_expr *expr = node->keys[k].expr;
    sparql_var from = !expr ? node->keys[k].var : expr->op == EXPR_VAR ? expr->var : SPARQL_NO_VAR;
    head->bound[node->keys[k].var] = from != SPARQL_NO_VAR && child->bound[from];
    head->maybe[node->keys[k].var] = from == SPARQL_NO_VAR || child->maybe[from];
  }
  for (size_t a = 0; a < node->n_aggregates; a++) {
    head->maybe[node->aggregates[a].var] = true;
    head->bound[node->aggregates[a].var] = node->aggregates[a].expr->aggregate == AGG_COUNT;
  }
  unsigned kept = 0;
  while (op->runs && kept < child->n_sorted && head->maybe[child->sorted[kept]])
    kept++;
  head->n_sorted = kept;
  head->rows = node->n_keys ? child->rows / 4 + 1 : 1;
  head->cost = child->cost + child->rows * 2;
}

quoin_status
sparql_group_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                 const sparql_algebra *node, quoin_error *err)
{
  group_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &group_class, ctx, child, err);
  if (st) return st;
  unsigned leading = 0;
  op->node = node;
  bool neighbours = keys_lead(&leading, ctx, child, node, err, &st);
  if (st || (st = group_aggregates(op, neighbours, leading, err))) return st;
  if ((st = group_buffers(op, err))) return st;
  group_head(op, child);
  *out = &op->head;
  return QUOIN_OK;
}
