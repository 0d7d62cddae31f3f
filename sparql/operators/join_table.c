/* sparql/operators/join_table.c - see join_table.h. */
#include "sparql/operators/join_table.h"

#include "sparql/memory/spill.h"

#include "base/poison.h"

enum { LOOK = 1024 }; /* rows between looks at the deadline */

quoin_status
join_table_init(join_table *table, sparql_context *ctx, const sparql_var *key_vars, size_t n_keys,
                const sparql_var *vars, size_t n_vars, quoin_error *err)
{
  base_arena *arena = &ctx->arena;
  *table = (join_table){
      .ctx = ctx, .key_vars = key_vars, .n_keys = n_keys, .vars = vars, .n_vars = n_vars};
  table->column = base_arena_new_zero(arena, n_vars + 1, sizeof(*table->column));
  table->by_var = base_arena_new_zero(arena, ctx->query->n_vars + 1u, sizeof(*table->by_var));
  table->key_column = base_arena_new_zero(arena, n_keys + 1, sizeof(*table->key_column));
  if (!table->column || !table->by_var || !table->key_column) return base_fail_nomem(err);
  return sparql_id_table_init(&table->keys, ctx, (unsigned)n_keys, err);
}

static size_t
row_bytes(const join_table *table)
{
  return table->n_vars * sizeof(atom_id) + sizeof(uint32_t);
}

static void
release_rows(join_table *table)
{
  const base_alloc *mem = table->ctx->mem;
  for (size_t i = 0; i < table->n_vars; i++) {
    base_release(mem, table->column[i], table->cap, sizeof(atom_id));
    table->column[i] = NULL;
  }
  base_release(mem, table->group, table->cap, sizeof(uint32_t));
  table->group = NULL;
  (void)sparql_charge(table->ctx, -(int64_t)(table->cap * row_bytes(table)), NULL);
  table->cap = table->rows = 0;
}

/* A column of `cap` ids with the `rows` of `from`, which is given back. */
static bool
move_column(atom_id **column, const join_table *table, size_t cap)
{
  atom_id *grown = base_resize(table->ctx->mem, *column, table->cap, cap, sizeof(*grown));
  if (grown) *column = grown;
  return grown != NULL;
}

static quoin_status
reserve_rows(join_table *table, size_t need, quoin_error *err)
{
  if (need <= table->cap) return QUOIN_OK;
  size_t cap = table->cap ? table->cap : SPARQL_BATCH;
  while (cap < need)
    cap *= 2;
  if (cap > UINT32_MAX / 2)
    return base_fail(err, QUOIN_ERR_LIMIT, "a join keeps more than 2^31 rows of one side");
  const base_alloc *mem = table->ctx->mem;
  quoin_status st =
      sparql_charge(table->ctx, (int64_t)((cap - table->cap) * row_bytes(table)), err);
  if (st) return st;
  size_t i = 0;
  uint32_t *group = base_resize(mem, table->group, table->cap, cap, sizeof(*group));
  if (!group) goto fail;
  for (; i < table->n_vars; i++)
    if (!move_column(&table->column[i], table, cap)) break;
  if (i < table->n_vars) goto fail;
  table->group = group;
  table->cap = cap;
  return QUOIN_OK;

fail: /* the table is lost: columns before i are longer than cap says */
  for (size_t j = 0; j < table->n_vars; j++) {
    base_release(mem, table->column[j], j < i ? cap : table->cap, sizeof(atom_id));
    table->column[j] = NULL;
  }
  base_release(mem, group ? group : table->group, group ? cap : table->cap, sizeof(uint32_t));
  table->group = NULL;
  (void)sparql_charge(table->ctx, -(int64_t)(cap * row_bytes(table)), NULL);
  table->cap = table->rows = 0;
  return base_fail_nomem(err);
}

uint64_t
join_table_bytes(const join_table *table)
{
  return table->cap * row_bytes(table) + table->keys.charged + table->start_cap * sizeof(uint32_t);
}

bool
join_table_has_room(const join_table *table, size_t rows)
{
  size_t need = table->rows + rows, cap = table->cap ? table->cap : SPARQL_BATCH;
  while (cap < need)
    cap *= 2;
  uint64_t bytes =
      (uint64_t)(cap - table->cap) * row_bytes(table) + sparql_id_table_need(&table->keys, rows);
  /* to finish: a column beside, and where the rows of each key begin */
  bytes += (uint64_t)cap * sizeof(atom_id);
  bytes += (uint64_t)(table->keys.rows + rows + 1) * 2 * sizeof(uint32_t);
  return spill_has_room(table->ctx, join_table_bytes(table), bytes);
}

quoin_status
join_table_add(join_table *table, const sparql_batch *batch, quoin_error *err)
{
  quoin_status st = reserve_rows(table, table->rows + batch->rows, err);
  if (st) return st;
  for (size_t k = 0; k < table->n_keys; k++)
    table->key_column[k] = batch->column[table->key_vars[k]];
  st = sparql_id_table_add(table->group + table->rows, &table->keys, table->key_column, batch->rows,
                           err);
  if (st) return st;
  for (size_t i = 0; i < table->n_vars; i++) {
    const atom_id *from = batch->column[table->vars[i]];
    if (from) {
      memcpy(table->column[i] + table->rows, from, batch->rows * sizeof(*from));
    } else {
      memset(table->column[i] + table->rows, 0, batch->rows * sizeof(*from));
    }
  }
  table->rows += batch->rows;
  return QUOIN_OK;
}

/* Rows to the places that start[] gives; start[g] ends as the end of group g. */
static quoin_status
scatter(join_table *table, quoin_error *err)
{
  const base_alloc *mem = table->ctx->mem;
  quoin_status st = sparql_charge(table->ctx, (int64_t)(table->cap * sizeof(atom_id)), err);
  if (st) return st;
  uint32_t *place = table->group;
  for (size_t row = 0; row < table->rows && !st; row++) {
    if (row % LOOK == 0) st = base_cancel_check(&table->ctx->cancel, err);
    place[row] = table->start[table->group[row]]++;
  }
  for (size_t i = 0; i < table->n_vars && !st; i++) {
    atom_id *to = base_new(mem, table->cap, sizeof(*to));
    if (!to) {
      st = base_fail_nomem(err);
      break;
    }
    for (size_t row = 0; row < table->rows && !st; row++) {
      if (row % LOOK == 0) st = base_cancel_check(&table->ctx->cancel, err);
      to[place[row]] = table->column[i][row];
    }
    base_release(mem, table->column[i], table->cap, sizeof(*to));
    table->column[i] = to;
  }
  (void)sparql_charge(table->ctx, -(int64_t)(table->cap * sizeof(atom_id)), NULL);
  return st;
}

static quoin_status
reserve_starts(join_table *table, quoin_error *err)
{
  size_t need = table->keys.rows + 1, before = table->start_cap;
  if (need <= before) return QUOIN_OK;
  void *start = table->start;
  if (!base_reserve(table->ctx->mem, &start, &table->start_cap, need, sizeof(uint32_t)))
    return base_fail_nomem(err);
  table->start = start;
  return sparql_charge(table->ctx, (int64_t)((table->start_cap - before) * sizeof(uint32_t)), err);
}

quoin_status
join_table_finish(join_table *table, quoin_error *err)
{
  quoin_status st = reserve_starts(table, err);
  size_t groups = table->keys.rows;
  if (st) return st;
  if (groups == table->rows) { /* numbered as they came: in place already */
    for (size_t g = 0; g <= groups; g++)
      table->start[g] = (uint32_t)g;
  } else {
    memset(table->start, 0, (groups + 1) * sizeof(*table->start));
    for (size_t row = 0; row < table->rows; row++) {
      if (row % LOOK == 0 && (st = base_cancel_check(&table->ctx->cancel, err))) return st;
      table->start[table->group[row] + 1]++;
    }
    for (size_t g = 0; g < groups; g++)
      table->start[g + 1] += table->start[g];
    if (groups > 1) {
      if ((st = scatter(table, err))) return st;
      memmove(table->start + 1, table->start, groups * sizeof(*table->start));
      table->start[0] = 0;
    }
  }
  for (size_t i = 0; i < table->n_vars; i++)
    table->by_var[table->vars[i]] = table->column[i];
  return QUOIN_OK;
}

void
join_table_find(uint32_t *group, join_table *table, const sparql_batch *batch)
{
  for (size_t k = 0; k < table->n_keys; k++)
    table->key_column[k] = batch->column[table->key_vars[k]];
  sparql_id_table_find(group, &table->keys, table->key_column, batch->rows);
}

void
join_table_reset(join_table *table)
{
  table->rows = 0;
  sparql_id_table_reset(&table->keys);
}

void
join_table_clear(join_table *table)
{
  if (!table->ctx) return;
  release_rows(table);
  base_release(table->ctx->mem, table->start, table->start_cap, sizeof(uint32_t));
  (void)sparql_charge(table->ctx, -(int64_t)(table->start_cap * sizeof(uint32_t)), NULL);
  table->start = NULL;
  table->start_cap = 0;
  sparql_id_table_clear(&table->keys);
}
