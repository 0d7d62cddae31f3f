/* sparql/memory/id_table.c - see id_table.h. */
#include "sparql/memory/id_table.h"

#include "sparql/memory/disk_memory.h"

#include <assert.h>

#include "base/poison.h"

/* The load factor is kept at or below one half: with linear probing a miss then looks at 2.5 slots
 * of one cache line on average. */
enum { FIRST_BITS = 6, FIRST_ROWS = 32, MOST_BITS = 32, CHUNK = 256 };

quoin_status
sparql_id_table_init(sparql_id_table *table, sparql_context *ctx, unsigned width, quoin_error *err)
{
  *table = (sparql_id_table){.ctx = ctx, .width = width, .mem = ctx->mem};
  if (!(table->column = base_arena_new_zero(&ctx->arena, width ? width : 1, sizeof(atom_id *))))
    return base_fail_nomem(err);
  return QUOIN_OK;
}

void
sparql_id_table_on_disk(sparql_id_table *table)
{
  assert(!table->slots && !table->row_cap);
  table->on_disk = true;
  table->mem = disk_memory_alloc(table->ctx->disk);
}

static quoin_status
charge(const sparql_id_table *table, int64_t bytes, quoin_error *err)
{
  return table->on_disk ? QUOIN_OK : sparql_charge(table->ctx, bytes, err);
}

static void
hash_tuples(uint32_t *hash, unsigned width, const atom_id *const *keys, size_t at, size_t n)
{
  uint64_t h[CHUNK];
  for (size_t i = 0; i < n; i++)
    h[i] = 0x9e3779b97f4a7c15u;
  for (unsigned k = 0; k < width; k++) {
    const atom_id *key = keys[k];
    for (size_t i = 0; i < n; i++)
      h[i] = base_mix(h[i] + (key ? key[at + i].bits : 0));
  }
  for (size_t i = 0; i < n; i++)
    hash[i] = (uint32_t)(h[i] >> 32);
}

static bool
tuple_equal(const sparql_id_table *table, size_t row, const atom_id *const *keys, size_t i)
{
  for (unsigned k = 0; k < table->width; k++)
    if (table->column[k][row].bits != (keys[k] ? keys[k][i].bits : 0)) return false;
  return true;
}

/* The slot of tuple i: the one that holds it, or the free one where it belongs. */
static sparql_id_slot *
slot_of(const sparql_id_table *table, uint32_t hash, const atom_id *const *keys, size_t i)
{
  size_t mask = ((size_t)1 << table->slot_bits) - 1;
  for (size_t at = (size_t)hash >> (32 - table->slot_bits);; at = (at + 1) & mask) {
    sparql_id_slot *slot = &table->slots[at];
    if (!slot->row) return slot;
    if (slot->hash == hash && tuple_equal(table, slot->row - 1, keys, i)) return slot;
  }
}

/* Slots of twice the number or more. They come in the order of their hashes but for runs that
 * wrapped, and go out the same way: a sequential pass over both. */
static quoin_status
grow_slots(sparql_id_table *table, unsigned bits, quoin_error *err)
{
  if (bits > MOST_BITS) return base_fail(err, QUOIN_ERR_LIMIT, "too many distinct rows");
  size_t n = (size_t)1 << bits, old_n = table->slots ? (size_t)1 << table->slot_bits : 0;
  quoin_status st = charge(table, (int64_t)(n * sizeof(sparql_id_slot)), err);
  if (st) return st;
  sparql_id_slot *slots = base_new_zero(table->mem, n, sizeof(sparql_id_slot));
  if (!slots) {
    (void)charge(table, -(int64_t)(n * sizeof(sparql_id_slot)), NULL);
    return base_fail_nomem(err);
  }
  for (size_t i = 0; i < old_n; i++) {
    if (i % 1024 == 0 && (st = base_cancel_check(&table->ctx->cancel, err))) {
      base_release(table->mem, slots, n, sizeof(sparql_id_slot));
      (void)charge(table, -(int64_t)(n * sizeof(sparql_id_slot)), NULL);
      return st;
    }
    if (!table->slots[i].row) continue;
    size_t at = (size_t)table->slots[i].hash >> (32 - bits);
    while (slots[at].row)
      at = (at + 1) & (n - 1);
    slots[at] = table->slots[i];
  }
  base_release(table->mem, table->slots, old_n, sizeof(sparql_id_slot));
  (void)charge(table, -(int64_t)(old_n * sizeof(sparql_id_slot)), NULL);
  table->slots = slots;
  table->slot_bits = bits;
  table->charged += (n - old_n) * sizeof(sparql_id_slot);
  return QUOIN_OK;
}

static quoin_status
grow_rows(sparql_id_table *table, size_t need, quoin_error *err)
{
  size_t cap = table->row_cap ? table->row_cap : FIRST_ROWS;
  while (cap < need)
    cap *= 2;
  if (table->width == 0) {
    table->row_cap = cap;
    return QUOIN_OK;
  }
  size_t bytes = (cap - table->row_cap) * sizeof(atom_id) * table->width;
  quoin_status st = charge(table, (int64_t)bytes, err);
  if (st) return st;
  table->charged += bytes; /* also when one of several fails below: clear gives all of it back */
  for (unsigned k = 0; k < table->width; k++) {
    atom_id *column =
        base_resize(table->mem, table->column[k], table->row_cap, cap, sizeof(atom_id));
    if (!column) {
      /* Those before k are longer than row_cap says: bring them back to one length. */
      for (unsigned j = 0; j < k; j++) {
        atom_id *shorter =
            base_resize(table->mem, table->column[j], cap, table->row_cap, sizeof(atom_id));
        if (shorter || !table->row_cap) table->column[j] = shorter;
      }
      return base_fail_nomem(err);
    }
    table->column[k] = column;
  }
  table->row_cap = cap;
  return QUOIN_OK;
}

static unsigned
bits_for(const sparql_id_table *table, size_t rows)
{
  unsigned bits = table->slots ? table->slot_bits : FIRST_BITS;
  while (bits < MOST_BITS && rows > ((size_t)1 << bits) / 2)
    bits++;
  return bits;
}

uint64_t
sparql_id_table_need(const sparql_id_table *table, size_t n)
{
  size_t rows = table->rows + n, cap = table->row_cap ? table->row_cap : FIRST_ROWS;
  unsigned bits = bits_for(table, rows);
  while (cap < rows)
    cap *= 2;
  uint64_t need = (uint64_t)(cap - table->row_cap) * sizeof(atom_id) * table->width;
  if (!table->slots || bits > table->slot_bits)
    need += ((uint64_t)1 << bits) * sizeof(sparql_id_slot);
  return need;
}

/* Room for `extra` more tuples, so that the loop over a chunk never grows anything. */
static quoin_status
make_room(sparql_id_table *table, size_t extra, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  size_t need = table->rows + extra;
  if (need >= SPARQL_ID_TABLE_ABSENT)
    return base_fail(err, QUOIN_ERR_LIMIT, "more than 2^32 distinct rows");
  if (need > table->row_cap && (st = grow_rows(table, need, err))) return st;
  unsigned bits = bits_for(table, need);
  if (!table->slots || bits > table->slot_bits) st = grow_slots(table, bits, err);
  return st;
}

quoin_status
sparql_id_table_add(uint32_t *row, sparql_id_table *table, const atom_id *const *keys, size_t n,
                    quoin_error *err)
{
  uint32_t hash[CHUNK];
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t chunk = n - at < CHUNK ? n - at : CHUNK;
    quoin_status st = make_room(table, chunk, err);
    if (st) return st;
    hash_tuples(hash, table->width, keys, at, chunk);
    for (size_t i = 0; i < chunk; i++)
      __builtin_prefetch(&table->slots[(size_t)hash[i] >> (32 - table->slot_bits)]);
    for (size_t i = 0; i < chunk; i++) {
      sparql_id_slot *slot = slot_of(table, hash[i], keys, at + i);
      if (!slot->row) {
        for (unsigned k = 0; k < table->width; k++)
          table->column[k][table->rows] = keys[k] ? keys[k][at + i] : ATOM_NONE_ID;
        *slot = (sparql_id_slot){.hash = hash[i], .row = (uint32_t)++table->rows};
      }
      row[at + i] = slot->row - 1;
    }
  }
  return QUOIN_OK;
}

void
sparql_id_table_find(uint32_t *row, const sparql_id_table *table, const atom_id *const *keys,
                     size_t n)
{
  uint32_t hash[CHUNK];
  if (!table->slots || !table->rows) {
    for (size_t i = 0; i < n; i++)
      row[i] = SPARQL_ID_TABLE_ABSENT;
    return;
  }
  for (size_t at = 0; at < n; at += CHUNK) {
    size_t chunk = n - at < CHUNK ? n - at : CHUNK;
    hash_tuples(hash, table->width, keys, at, chunk);
    for (size_t i = 0; i < chunk; i++)
      __builtin_prefetch(&table->slots[(size_t)hash[i] >> (32 - table->slot_bits)]);
    for (size_t i = 0; i < chunk; i++)
      row[at + i] = slot_of(table, hash[i], keys, at + i)->row - 1; /* free: 0 - 1 is ABSENT */
  }
}

size_t
sparql_id_table_new_rows(uint32_t *selected, const uint32_t *row, size_t n, size_t before)
{
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    if (row[i] != before + count) continue;
    selected[count++] = (uint32_t)i;
  }
  return count;
}

/* Free the slots of the rows [at, at+n) one by one. A walk goes on over slots just freed: the row
 * it looks for lies in what was one unbroken run. */
static void
free_slots(sparql_id_table *table, size_t at, size_t n)
{
  uint32_t hash[CHUNK];
  size_t mask = ((size_t)1 << table->slot_bits) - 1;
  hash_tuples(hash, table->width, (const atom_id *const *)table->column, at, n);
  for (size_t i = 0; i < n; i++) {
    size_t slot = (size_t)hash[i] >> (32 - table->slot_bits);
    while (table->slots[slot].row != at + i + 1)
      slot = (slot + 1) & mask;
    table->slots[slot] = (sparql_id_slot){0};
  }
}

void
sparql_id_table_reset(sparql_id_table *table)
{
  size_t slots = table->slots ? (size_t)1 << table->slot_bits : 0;
  if (table->rows < slots / 64) { /* once large, now used for little: do not sweep all of it */
    for (size_t at = 0; at < table->rows; at += CHUNK)
      free_slots(table, at, table->rows - at < CHUNK ? table->rows - at : CHUNK);
  } else if (slots) {
    memset(table->slots, 0, slots * sizeof(sparql_id_slot));
  }
  table->rows = 0;
}

void
sparql_id_table_clear(sparql_id_table *table)
{
  if (!table->ctx) return;
  const base_alloc *mem = table->mem;
  for (unsigned k = 0; k < table->width; k++) {
    base_release(mem, table->column[k], table->row_cap, sizeof(atom_id));
    table->column[k] = NULL;
  }
  if (table->slots)
    base_release(mem, table->slots, (size_t)1 << table->slot_bits, sizeof(sparql_id_slot));
  table->slots = NULL;
  table->slot_bits = 0;
  table->rows = table->row_cap = 0;
  (void)charge(table, -(int64_t)table->charged, NULL);
  table->charged = 0;
}
