/* atomstore/table.c - one file of slots: open addressing, linear probing.
 *
 * A slot never moves. Terms are put in the order of their numbers, also when a larger table is
 * filled: so every slot on the way to a term was taken by an older one, and emptying the slots of
 * all numbers above some mark leaves every other term where a search finds it.
 *
 * A larger table can be copied from a smaller one without the records: the tag holds what the place
 * depends on. Between two slots that are empty for the terms in question lies a run; in the larger
 * table the terms of a run stay within the same bounds (there are two or four such places), so runs
 * do not meet, and only within a run the order of numbers must be restored. Reading and writing are
 * sequential. */
#include "atomstore/store.h"

#include <stdlib.h>

#include "base/poison.h"

enum { BITS_MIN = 10, BITS_MAX = 44 };

unsigned
atom_table_bits_for(uint64_t terms)
{
  unsigned bits = BITS_MIN;
  while (bits < BITS_MAX && (UINT64_C(1) << bits) * 2 < terms * 5)
    bits++; /* load under 0.4 */
  return bits;
}

void
atom_table_free(atom_table *table, const base_alloc *mem)
{
  if (!table) return;
  base_map_close(&table->map);
  base_file_close(&table->file);
  base_release(mem, table, 1, sizeof(*table));
}

quoin_status
atom_table_mark(atom_table *table, uint64_t synced, bool clean, quoin_error *err)
{
  atom_file_head head = table->head;
  head.synced = synced;
  head.clean = clean;
  atom_head_seal(&head);
  quoin_status st = base_file_write(&table->file, &head, sizeof(head), 0, err);
  if (!st) st = base_file_sync(&table->file, err);
  if (st) return st;
  table->head = head;
  atomic_store(&table->synced, synced);
  return QUOIN_OK;
}

static uint64_t
table_bytes(unsigned bits)
{
  return ATOM_HEAD + ((uint64_t)sizeof(atom_slot) << bits);
}

static quoin_status
table_map(atom_table *table, const atom_store *store, quoin_error *err)
{
  bool writable = store->mode == ATOM_OPEN_WRITE;
  quoin_status st = base_map_open(&table->map, &table->file, 0, writable, store->mem, err);
  if (st) return st;
  unsigned bits = table->head.slot_bits;
  uint64_t size = atomic_load_explicit(&table->map.size, memory_order_relaxed);
  if (bits < BITS_MIN || bits > BITS_MAX || size < table_bytes(bits))
    return base_fail_at(err, QUOIN_ERR_CORRUPT, table->file.name, size,
                        "the table is shorter than its header says");
  table->slots = (void *)base_map_at(&table->map, ATOM_HEAD);
  table->mask = (UINT64_C(1) << bits) - 1;
  table->bits = bits;
  table->number = table->head.table;
  atomic_store(&table->synced, table->head.synced);
  return QUOIN_OK;
}

static atom_table *
table_new(const base_alloc *mem)
{
  atom_table *table = base_new_zero(mem, 1, sizeof(*table));
  if (table) table->file = BASE_FILE_NONE;
  return table;
}

quoin_status
atom_table_create(atom_table **out, const atom_store *store, uint64_t number, unsigned bits,
                  quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  char name[64];
  bool made = false;
  *out = NULL;
  atom_table *table = table_new(store->mem);
  if (!table) return base_fail_nomem(err);
  if (bits > BITS_MAX) {
    st = base_fail(err, QUOIN_ERR_LIMIT, "the term table cannot grow further");
    goto done;
  }
  atom_file_name(name, ATOM_FILE_TABLE, store->generation, number);
  /* What is there under this name was left by a process that died: no manifest names it. */
  if (base_dir_has(store->dir, name) && (st = base_dir_unlink(store->dir, name, err))) goto done;
  if ((st = base_file_open(&table->file, store->dir, name, BASE_FILE_CREATE_NEW, err))) goto done;
  made = true;
  if ((st = base_file_extend(&table->file, table_bytes(bits), err))) goto done;
  table->head = atom_head_make(ATOM_FILE_TABLE, store->generation, number, bits);
  if ((st = base_file_write(&table->file, &table->head, ATOM_HEAD, 0, err))) goto done;
  if ((st = table_map(table, store, err))) goto done;
  *out = table;
  table = NULL;

done:
  if (table && made) (void)base_dir_unlink(store->dir, name, NULL);
  atom_table_free(table, store->mem);
  return st;
}

quoin_status
atom_table_open(atom_table **out, const atom_store *store, uint64_t number, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  char name[64];
  *out = NULL;
  atom_table *table = table_new(store->mem);
  if (!table) return base_fail_nomem(err);
  atom_file_name(name, ATOM_FILE_TABLE, store->generation, number);
  base_file_mode mode = store->mode == ATOM_OPEN_WRITE ? BASE_FILE_WRITE : BASE_FILE_READ;
  if ((st = base_file_open(&table->file, store->dir, name, mode, err))) goto done;
  st = atom_head_read(&table->head, &table->file, ATOM_FILE_TABLE, store->generation, number, err);
  if (st) goto done;
  if ((st = table_map(table, store, err))) goto done;
  *out = table;
  table = NULL;

done:
  atom_table_free(table, store->mem);
  return st;
}

/* ---- searching
 * ------------------------------------------------------------------------------------ */

static quoin_status
slot_corrupt(const atom_table *table, uint64_t slot, const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, table->file.name,
                      ATOM_HEAD + slot * sizeof(atom_slot), "%s", what);
}

/* A slot that does not check may be one that a rollback emptied and a new term took between the two
 * loads: then the next look is different. */
static bool
slot_is_bad(const atom_slot *slot)
{
  for (int i = 0; i < 4; i++) {
    /* Acquire: pairs with the release in atom_table_put. */
    uint64_t id = atomic_load_explicit(&((atom_slot *)(uintptr_t)slot)->id, memory_order_acquire);
    uint64_t tag = atomic_load_explicit(&((atom_slot *)(uintptr_t)slot)->tag, memory_order_acquire);
    if (id == 0 || tag == atom_slot_tag(id, tag)) return false;
  }
  return true;
}

quoin_status
atom_table_find(atom_id *out, const atom_store *store, const atom_table *table, const atom_key *key,
                uint64_t mark, quoin_error *err)
{
  uint64_t at = atom_slot_home(table, key->hash);
  uint64_t upper = key->hash & ~UINT64_C(0xffff);
  *out = ATOM_NONE_ID;
  for (uint64_t seen = 0; seen <= table->mask; seen++, at = (at + 1) & table->mask) {
    atom_slot *slot = &table->slots[at];
    /* Acquire: pairs with the release in atom_table_put; tag, offset and record are there. */
    uint64_t id = atomic_load_explicit(&slot->id, memory_order_acquire);
    if (id == 0) return QUOIN_OK;
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    if (tag != atom_slot_tag(id, tag)) {
      if (slot_is_bad(slot)) return slot_corrupt(table, at, "a slot does not check", err);
      continue;
    }
    if ((tag & ~UINT64_C(0xffff)) != upper) continue;
    atom_id found = {id};
    if (atom_id_payload(found) > mark || atom_id_kind(found) != key->kind) continue;
    bool same;
    quoin_status st = atom_key_matches(&same, store, atom_id_payload(found), key, err);
    if (st) return st;
    if (!same) continue;
    *out = found;
    return QUOIN_OK;
  }
  return slot_corrupt(table, 0, "the table has no empty slot", err);
}

quoin_status
atom_table_spellings(atom_spellings *out, const atom_store *store, const atom_table *table,
                     const atom_key *key, uint64_t mark, quoin_error *err)
{
  uint64_t at = atom_slot_home(table, key->hash);
  uint64_t upper = key->hash & ~UINT64_C(0xffff);
  for (uint64_t seen = 0; seen <= table->mask; seen++, at = (at + 1) & table->mask) {
    atom_slot *slot = &table->slots[at];
    /* Acquire: pairs with the release in atom_table_put; tag, offset and record are there. */
    atom_id id = {atomic_load_explicit(&slot->id, memory_order_acquire)};
    if (id.bits == 0) return QUOIN_OK;
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    if (tag != atom_slot_tag(id.bits, tag)) {
      if (slot_is_bad(slot)) return slot_corrupt(table, at, "a slot does not check", err);
      continue;
    }
    if ((tag & ~UINT64_C(0xffff)) != upper) continue;
    if (atom_id_payload(id) > mark || atom_id_kind(id) != key->kind) continue;
    bool same;
    quoin_status st = atom_key_spells(&same, store, atom_id_payload(id), key, err);
    if (!st && same) st = atom_spellings_add(out, id, err);
    if (st) return st;
  }
  return slot_corrupt(table, 0, "the table has no empty slot", err);
}

/* ---- changing
 * --------------------------------------------------------------------------------------- */

void
atom_table_put(atom_table *table, atom_id id, uint64_t hash)
{
  uint64_t at = atom_slot_home(table, hash);
  while (atomic_load_explicit(&table->slots[at].id, memory_order_relaxed) != 0)
    at = (at + 1) & table->mask;
  atom_slot *slot = &table->slots[at];
  atomic_store_explicit(&slot->tag, atom_slot_tag(id.bits, hash), memory_order_relaxed);
  /* Last: pairs with the acquire in atom_table_find. */
  atomic_store_explicit(&slot->id, id.bits, memory_order_release);
}

enum { FILL_GROUP = 64 };

static quoin_status
fill_group(atom_table *table, const atom_store *store, uint64_t from, size_t n,
           base_buffer *scratch, quoin_error *err)
{
  atom_id ids[FILL_GROUP];
  uint64_t hashes[FILL_GROUP];
  for (size_t i = 0; i < n; i++) {
    atom_record rec;
    atom_key key;
    uint16_t check;
    quoin_status st = atom_record_at(&rec, &check, store, from + i, err);
    if (!st) st = atom_record_key(&key, scratch, store, &rec, err);
    if (st) return st;
    if (!base_sum_matches(check, key.hash >> 48))
      return atom_corrupt_record(store, from + i, "the text does not match its check bits", err);
    ids[i] = atom_record_id(&rec, from + i);
    hashes[i] = key.hash;
    __builtin_prefetch(&table->slots[atom_slot_home(table, key.hash)], 1);
  }
  for (size_t i = 0; i < n; i++)
    atom_table_put(table, ids[i], hashes[i]);
  return QUOIN_OK;
}

quoin_status
atom_table_fill(atom_table *table, const atom_store *store, uint64_t from, uint64_t to,
                const atomic_int *stop, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  base_buffer scratch;
  base_buffer_init(&scratch, store->mem);
  while (!st && from <= to) {
    /* Relaxed: the flag carries no data. */
    if (stop && atomic_load_explicit(stop, memory_order_relaxed)) break;
    uint64_t n = to - from + 1 < FILL_GROUP ? to - from + 1 : FILL_GROUP;
    st = fill_group(table, store, from, (size_t)n, &scratch, err);
    from += n;
  }
  base_buffer_clear(&scratch);
  return st;
}

/* ---- copying
 * ---------------------------------------------------------------------------------------- */

/* A slot of a run, being copied. */
typedef struct copied {
  uint64_t id, tag;
} copied;

typedef struct copied_run {
  copied *items;
  size_t n, cap;
} copied_run;

static int
copied_order(const void *a, const void *b)
{
  uint64_t x = atom_id_payload((atom_id){((const copied *)a)->id});
  uint64_t y = atom_id_payload((atom_id){((const copied *)b)->id});
  return (x > y) - (x < y);
}

/* Most runs are of a few slots, nearly in order. */
static void
run_sort(copied_run *run)
{
  if (run->n > 32) {
    qsort(run->items, run->n, sizeof(*run->items), copied_order);
    return;
  }
  for (size_t i = 1; i < run->n; i++) {
    copied item = run->items[i];
    size_t at = i;
    for (; at > 0 && copied_order(&run->items[at - 1], &item) > 0; at--)
      run->items[at] = run->items[at - 1];
    run->items[at] = item;
  }
}

static void
run_put(atom_table *to, copied_run *run)
{
  run_sort(run);
  for (size_t i = 0; i < run->n; i++)
    atom_table_put(to, (atom_id){run->items[i].id}, run->items[i].tag);
  run->n = 0;
}

/* Whether the slot holds a number <= upto; false for what is empty or came later. */
static bool
slot_is_old(copied *out, const atom_table *table, uint64_t at, uint64_t upto)
{
  atom_slot *slot = &table->slots[at & table->mask];
  out->id = atomic_load_explicit(&slot->id, memory_order_acquire);
  if (out->id == 0 || atom_id_payload((atom_id){out->id}) > upto) return false;
  out->tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
  return true;
}

quoin_status
atom_table_copy(atom_table *to, const atom_table *from, uint64_t upto, const atomic_int *stop,
                const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  copied_run run = {0};
  copied item;
  uint64_t begin = 0, count = 0;
  while (begin <= from->mask && slot_is_old(&item, from, begin, upto))
    begin++;
  for (uint64_t i = 1; i <= from->mask + 1; i++) {
    if (i % 65536 == 0 && stop && atomic_load_explicit(stop, memory_order_relaxed)) goto done;
    if (!slot_is_old(&item, from, begin + i, upto)) {
      run_put(to, &run);
      continue;
    }
    if (item.tag != atom_slot_tag(item.id, item.tag)) {
      st = slot_corrupt(from, (begin + i) & from->mask, "a slot does not check", err);
      goto done;
    }
    void *items = run.items;
    bool room = base_reserve(mem, &items, &run.cap, run.n + 1, sizeof(*run.items));
    run.items = items;
    if (!room) {
      st = base_fail_nomem(err);
      goto done;
    }
    run.items[run.n++] = item;
    count++;
  }
  if (count != upto) st = slot_corrupt(from, 0, "the table does not hold each term once", err);

done:
  base_release(mem, run.items, run.cap, sizeof(*run.items));
  return st;
}

/* ---- emptying
 * --------------------------------------------------------------------------------------- */

static void
slot_clear(atom_slot *slot)
{
  atomic_store_explicit(&slot->id, 0, memory_order_release);
}

bool
atom_table_clear_one(atom_table *table, atom_id id, uint64_t hash)
{
  uint64_t at = atom_slot_home(table, hash);
  for (uint64_t seen = 0; seen <= table->mask; seen++, at = (at + 1) & table->mask) {
    uint64_t found = atomic_load_explicit(&table->slots[at].id, memory_order_relaxed);
    if (found == id.bits) {
      slot_clear(&table->slots[at]);
      return true;
    }
    if (found == 0) break;
  }
  return false;
}

uint64_t
atom_table_clear_above(atom_table *table, uint64_t terms, bool *bad)
{
  uint64_t kept = 0;
  *bad = false;
  for (uint64_t at = 0; at <= table->mask; at++) {
    atom_slot *slot = &table->slots[at];
    uint64_t id = atomic_load_explicit(&slot->id, memory_order_relaxed);
    if (id == 0) continue;
    if (atom_id_payload((atom_id){id}) > terms) {
      slot_clear(slot);
      continue;
    }
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    if (tag != atom_slot_tag(id, tag)) *bad = true;
    kept++;
  }
  return kept;
}
