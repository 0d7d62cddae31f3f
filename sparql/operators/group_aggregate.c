/* sparql/operators/group_aggregate.c - see group_aggregate.h. */
#include "sparql/operators/group_aggregate.h"

#include <assert.h>

#include "base/poison.h"

enum { FIRST_GROUPS = 32, STATES_PER_BLOCK = 64 };

/* ---- making ------------------------------------------------------------------------------------
 */

/* COUNT(DISTINCT *) tells solutions apart by their named variables. */
static quoin_status
whole_rows(group_aggregate *agg, const sparql_operator *child, quoin_error *err)
{
  const sparql_query *query = agg->ctx->query;
  agg->whole = base_arena_new(&agg->ctx->arena, query->n_vars + 1u, sizeof(sparql_var));
  if (!agg->whole) return base_fail_nomem(err);
  for (sparql_var v = 0; v < query->n_vars; v++)
    if (child->maybe[v] && query->vars[v].len) agg->whole[agg->n_whole++] = v;
  return QUOIN_OK;
}

quoin_status
group_aggregate_init(group_aggregate *agg, sparql_context *ctx, const sparql_expr *expr,
                     const sparql_operator *child, bool sorted, quoin_error *err)
{
  assert(expr->op == EXPR_AGGREGATE);
  *agg = (group_aggregate){.ctx = ctx,
                           .expr = expr,
                           .arg = expr->n_args ? expr->args[0] : NULL,
                           .counting = expr->aggregate == AGG_COUNT,
                           .sorted = sorted,
                           .table = expr->distinct && !sorted,
                           .last_group = UINT32_MAX};
  quoin_status st = QUOIN_OK;
  if (!agg->counting) agg->state_size = (sparql_aggregate_size(expr) + 15) & ~(size_t)15;
  agg->values = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
  if (!agg->values) return base_fail_nomem(err);
  if (agg->table && !agg->arg && (st = whole_rows(agg, child, err))) return st;
  agg->n_columns = agg->arg ? 1 : agg->n_whole;
  size_t width = 1 + agg->n_columns;
  if (!(agg->tuple = base_arena_new_zero(&ctx->arena, width, sizeof(atom_id *))))
    return base_fail_nomem(err);
  agg->columns = agg->tuple + 1;
  if (!agg->table) return QUOIN_OK;
  agg->numbers = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
  agg->row = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(uint32_t));
  if (!agg->numbers || !agg->row) return base_fail_nomem(err);
  return sparql_id_table_init(&agg->seen, ctx, (unsigned)width, err);
}

/* ---- states ---------------------------------------------------------------------------------- */

static quoin_status
grow(group_aggregate *agg, size_t groups, quoin_error *err)
{
  const base_alloc *mem = agg->ctx->mem;
  size_t cap = agg->cap ? agg->cap : FIRST_GROUPS;
  while (cap < groups)
    cap *= 2;
  quoin_status st = sparql_charge(agg->ctx, (int64_t)((cap - agg->cap) * 8), err);
  if (st) return st;
  void *old = agg->counting ? (void *)agg->counts : (void *)agg->states;
  void *grown = base_resize(mem, old, agg->cap, cap, 8);
  if (!grown) {
    (void)sparql_charge(agg->ctx, -(int64_t)((cap - agg->cap) * 8), NULL);
    return base_fail_nomem(err);
  }
  memset((char *)grown + agg->cap * 8, 0, (cap - agg->cap) * 8);
  if (agg->counting)
    agg->counts = grown;
  else
    agg->states = grown;
  agg->cap = cap;
  return QUOIN_OK;
}

static_assert(sizeof(uint64_t) == 8 && sizeof(sparql_aggregate_state *) == 8,
              "counts and state pointers are grown alike");

static quoin_status
add_block(group_aggregate *agg, quoin_error *err)
{
  const base_alloc *mem = agg->ctx->mem;
  void *blocks = agg->blocks;
  size_t bytes = agg->state_size * STATES_PER_BLOCK;
  if (!base_reserve(mem, &blocks, &agg->block_cap, agg->n_blocks + 1, sizeof(char *)))
    return base_fail_nomem(err);
  agg->blocks = blocks;
  quoin_status st = sparql_charge(agg->ctx, (int64_t)bytes, err);
  if (st) return st;
  char *block = base_new_zero(mem, bytes, 1);
  if (!block) {
    (void)sparql_charge(agg->ctx, -(int64_t)bytes, NULL);
    return base_fail_nomem(err);
  }
  agg->blocks[agg->n_blocks++] = block;
  return QUOIN_OK;
}

quoin_status
group_aggregate_reserve(group_aggregate *agg, size_t groups, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (groups > agg->cap && (st = grow(agg, groups, err))) return st;
  while (!agg->counting && agg->made < groups) {
    size_t in_block = agg->made % STATES_PER_BLOCK;
    if (agg->made / STATES_PER_BLOCK == agg->n_blocks && (st = add_block(agg, err))) return st;
    agg->states[agg->made] =
        (sparql_aggregate_state *)(void *)(agg->blocks[agg->made / STATES_PER_BLOCK] +
                                           in_block * agg->state_size);
    agg->made++;
  }
  if (groups > agg->groups) agg->groups = groups;
  return QUOIN_OK;
}

/* ---- taking rows -------------------------------------------------------------------------------
 */

static void
count_rows(uint64_t *counts, const atom_id *ids, const uint32_t *group, size_t rows)
{
  if (rows && group[0] == group[rows - 1]) {
    /* One group in most batches of few groups or sorted input: check, then count at once. */
    size_t same = 1, n = 0;
    while (same < rows && group[same] == group[0])
      same++;
    if (same == rows) {
      for (size_t i = 0; i < rows; i++)
        n += !ids || ids[i].bits ? 1 : 0;
      counts[group[0]] += n;
      return;
    }
  }
  for (size_t i = 0; i < rows; i++)
    counts[group[i]] += !ids || ids[i].bits ? 1 : 0;
}

static quoin_status
add_values(group_aggregate *agg, const atom_id *ids, const uint32_t *group, size_t rows,
           quoin_error *err)
{
  for (size_t i = 0; i < rows;) {
    atom_id id = ids ? ids[i] : ATOM_NONE_ID;
    size_t next = i + 1;
    while (next < rows && group[next] == group[i] &&
           atom_id_equal(ids ? ids[next] : ATOM_NONE_ID, id))
      next++;
    quoin_status st =
        sparql_aggregate_add(agg->states[group[i]], agg->ctx, agg->expr, id, next - i, err);
    if (st) return st;
    i = next;
  }
  return QUOIN_OK;
}

static quoin_status
add_one(group_aggregate *agg, uint32_t group, atom_id id, quoin_error *err)
{
  if (!agg->counting)
    return sparql_aggregate_add(agg->states[group], agg->ctx, agg->expr, id, 1, err);
  agg->counts[group] += !agg->arg || id.bits ? 1 : 0;
  return QUOIN_OK;
}

static quoin_status
take_sorted(group_aggregate *agg, const atom_id *ids, const uint32_t *group, size_t rows,
            quoin_error *err)
{
  for (size_t i = 0; i < rows; i++) {
    atom_id id = ids ? ids[i] : ATOM_NONE_ID;
    if (agg->last_group == group[i] && atom_id_equal(agg->last, id)) continue;
    agg->last = id;
    agg->last_group = group[i];
    quoin_status st = add_one(agg, group[i], id, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

/* The tuples (numbers[i], columns[..][i]) to the parts, unless the full table has them. */
static quoin_status
put_unknown(group_aggregate *agg, size_t rows, quoin_error *err)
{
  sparql_context *ctx = agg->ctx;
  size_t width = 1 + agg->n_columns;
  uint8_t part[SPARQL_BATCH];
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = QUOIN_OK;
  atom_id *row = base_arena_new(&ctx->scratch, width, sizeof(*row));
  if (!row) return base_fail_nomem(err);
  sparql_id_table_find(agg->row, &agg->seen, agg->tuple, rows);
  spill_part_of(part, agg->tuple, width, rows, agg->depth);
  for (size_t i = 0; i < rows && !st; i++) {
    if (agg->row[i] != SPARQL_ID_TABLE_ABSENT) continue;
    for (size_t c = 0; c < width; c++)
      row[c] = agg->tuple[c] ? agg->tuple[c][i] : ATOM_NONE_ID;
    st = spill_parts_put(&agg->parts, part[i], row, width, ctx, err);
  }
  base_arena_rewind(&ctx->scratch, mark);
  return st;
}

/* agg->tuple is set; tuple[0] holds the numbers of the groups. */
static quoin_status
take_tuples(group_aggregate *agg, size_t rows, quoin_error *err)
{
  sparql_id_table *seen = &agg->seen;
  quoin_status st;
  if (!agg->full && seen->rows &&
      !spill_has_room(agg->ctx, seen->charged, sparql_id_table_need(seen, rows)))
    agg->full = true;
  if (agg->full) return put_unknown(agg, rows, err);
  size_t before = seen->rows;
  if ((st = sparql_id_table_add(agg->row, seen, agg->tuple, rows, err))) return st;
  size_t n = sparql_id_table_new_rows(agg->row, agg->row, rows, before);
  const atom_id *ids = agg->arg ? agg->tuple[1] : NULL;
  for (size_t i = 0; i < n; i++) {
    uint32_t row = agg->row[i];
    st = add_one(agg, (uint32_t)agg->tuple[0][row].bits, ids ? ids[row] : ATOM_NONE_ID, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

static quoin_status
take_distinct(group_aggregate *agg, const atom_id *const *columns, size_t rows,
              const uint32_t *group, quoin_error *err)
{
  for (size_t i = 0; i < rows; i++)
    agg->numbers[i] = (atom_id){group[i]};
  agg->tuple[0] = agg->numbers;
  for (size_t c = 0; c < agg->n_columns; c++)
    agg->columns[c] = columns[c];
  return take_tuples(agg, rows, err);
}

static quoin_status
settle_part(group_aggregate *agg, spill_part *part, atom_id *const *columns, quoin_error *err)
{
  sparql_context *ctx = agg->ctx;
  spill_reader reader = {0};
  sparql_id_table_clear(&agg->seen);
  agg->full = false;
  agg->depth = part->depth;
  for (size_t c = 0; c <= agg->n_columns; c++)
    agg->tuple[c] = columns[c];
  quoin_status st = spill_open(&reader, &part->stream, true, ctx, err);
  while (!st) {
    size_t n;
    if ((st = base_cancel_check(&ctx->cancel, err))) break;
    if ((st = spill_get_rows(&n, columns, 1 + agg->n_columns, &reader, ctx, err)) || !n) break;
    st = take_tuples(agg, n, err);
  }
  spill_close(&reader, ctx);
  return st ? st : spill_parts_end(&agg->parts, part->depth + 1, ctx, err);
}

quoin_status
group_aggregate_settle(group_aggregate *agg, quoin_error *err)
{
  sparql_context *ctx = agg->ctx;
  spill_part part;
  if (!agg->full) return QUOIN_OK;
  quoin_status st = spill_parts_end(&agg->parts, 1, ctx, err);
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  atom_id **columns = base_arena_new(&ctx->scratch, 1 + agg->n_columns, sizeof(*columns));
  for (size_t c = 0; c <= agg->n_columns && columns && !st; c++)
    if (!(columns[c] = base_arena_new(&ctx->scratch, SPARQL_BATCH, sizeof(atom_id))))
      columns = NULL;
  if (!st && !columns) st = base_fail_nomem(err);
  while (!st && spill_parts_take(&part, &agg->parts)) {
    st = settle_part(agg, &part, columns, err);
    spill_drop(&part.stream, ctx);
  }
  base_arena_rewind(&ctx->scratch, mark);
  sparql_id_table_clear(&agg->seen);
  agg->full = false;
  agg->depth = 0;
  return st;
}

quoin_status
group_aggregate_values(group_aggregate *agg, const sparql_batch *in, quoin_error *err)
{
  sparql_context *ctx = agg->ctx;
  for (size_t w = 0; w < agg->n_whole; w++)
    agg->columns[w] = in->column[agg->whole[w]];
  if (!agg->arg) return QUOIN_OK;
  if (agg->arg->op == EXPR_VAR) {
    agg->columns[0] = in->column[agg->arg->var];
    return QUOIN_OK;
  }
  base_arena_mark mark = base_arena_here(&ctx->scratch);
  quoin_status st = sparql_expr_column(agg->values, ctx, agg->arg, in, err);
  base_arena_rewind(&ctx->scratch, mark);
  agg->columns[0] = agg->values;
  return st;
}

quoin_status
group_aggregate_take(group_aggregate *agg, const atom_id *const *columns, size_t rows,
                     const uint32_t *group, size_t groups, quoin_error *err)
{
  quoin_status st = group_aggregate_reserve(agg, groups, err);
  if (st) return st;
  const atom_id *ids = agg->arg ? columns[0] : NULL;
  if (agg->sorted) return take_sorted(agg, ids, group, rows, err);
  if (agg->table) return take_distinct(agg, columns, rows, group, err);
  if (!agg->counting) return add_values(agg, ids, group, rows, err);
  if (ids || !agg->arg) count_rows(agg->counts, ids, group, rows);
  return QUOIN_OK;
}

/* ---- giving results -----------------------------------------------------------------------------
 */

static quoin_status
count_id(atom_id *out, uint64_t count, quoin_error *err)
{
  *out = count <= INT64_MAX ? atom_inline_integer((int64_t)count) : ATOM_NONE_ID;
  return out->bits ? QUOIN_OK : base_fail(err, QUOIN_ERR_LIMIT, "COUNT passed 2^57");
}

quoin_status
group_aggregate_give(atom_id *out, group_aggregate *agg, size_t at, size_t n, quoin_error *err)
{
  assert(at + n <= agg->groups);
  for (size_t i = 0; i < n; i++) {
    quoin_status st = QUOIN_OK;
    if (agg->counting) {
      st = count_id(&out[i], agg->counts[at + i], err);
    } else {
      sparql_aggregate_state *state = agg->states[at + i];
      st = sparql_aggregate_result(&out[i], state, agg->ctx, agg->expr, err);
      if (!st) memset(state, 0, agg->state_size); /* it holds nothing any more */
    }
    if (st) return st;
  }
  return QUOIN_OK;
}

void
group_aggregate_carry(group_aggregate *agg, size_t last)
{
  assert(!agg->table);
  if (agg->last_group != UINT32_MAX) agg->last_group = 0; /* it is of the last row, so of `last` */
  if (last == 0 || agg->groups == 0) return;
  if (agg->counting) {
    agg->counts[0] = agg->counts[last];
    memset(&agg->counts[1], 0, last * sizeof(uint64_t));
    agg->groups = 1;
    return;
  }
  sparql_aggregate_state *spent = agg->states[0];
  agg->states[0] = agg->states[last];
  agg->states[last] = spent;
  agg->groups = 1;
}

uint64_t
group_aggregate_need(const group_aggregate *agg, size_t groups)
{
  size_t cap = agg->cap ? agg->cap : FIRST_GROUPS;
  while (cap < groups)
    cap *= 2;
  uint64_t need = groups > agg->cap ? (uint64_t)(cap - agg->cap) * 8 : 0;
  size_t blocks = (groups + STATES_PER_BLOCK - 1) / STATES_PER_BLOCK;
  if (!agg->counting && blocks > agg->n_blocks)
    need += (uint64_t)(blocks - agg->n_blocks) * agg->state_size * STATES_PER_BLOCK;
  return need;
}

bool
group_aggregate_holds_text(const group_aggregate *agg)
{
  sparql_aggregate_kind kind = agg->expr->aggregate;
  return kind == AGG_MIN || kind == AGG_MAX || kind == AGG_GROUP_CONCAT;
}

uint64_t
group_aggregate_bytes(const group_aggregate *agg)
{
  return agg->cap * 8 + agg->n_blocks * agg->state_size * STATES_PER_BLOCK + agg->seen.charged;
}

void
group_aggregate_clear(group_aggregate *agg)
{
  if (!agg->ctx) return;
  const base_alloc *mem = agg->ctx->mem;
  for (size_t g = 0; g < agg->made; g++)
    sparql_aggregate_clear(agg->states[g], agg->ctx);
  for (size_t b = 0; b < agg->n_blocks; b++)
    base_release(mem, agg->blocks[b], agg->state_size * STATES_PER_BLOCK, 1);
  base_release(mem, agg->blocks, agg->block_cap, sizeof(char *));
  base_release(mem, agg->counts, agg->counts ? agg->cap : 0, sizeof(uint64_t));
  base_release(mem, agg->states, agg->states ? agg->cap : 0, sizeof(sparql_aggregate_state *));
  (void)sparql_charge(agg->ctx,
                      -(int64_t)(agg->cap * 8 + agg->n_blocks * agg->state_size * STATES_PER_BLOCK),
                      NULL);
  sparql_id_table_clear(&agg->seen);
  spill_parts_clear(&agg->parts, agg->ctx);
  agg->full = false;
  agg->depth = 0;
  agg->blocks = NULL;
  agg->counts = NULL;
  agg->states = NULL;
  agg->n_blocks = agg->block_cap = agg->made = agg->groups = agg->cap = 0;
  agg->last_group = UINT32_MAX;
}
