/* atomstore/table.c - one file of slots: open addressing, linear probing.
 *
 * A slot never moves. Terms are put in the order of their numbers, also when a larger table is
 * filled: so every slot on the way to a term was taken by an older one, and emptying the slots of
 * all numbers above some mark leaves every other term where a search finds it.
 *
 * A larger table can be copied from a smaller one without the records: a slot, its place and how
 * far that is from home hold 48 bits of the hash. Between two slots that are empty for the terms in
 * question lies a run; in the larger table, where homes have the same order, the terms of a run
 * stay within the same bounds, so runs do not meet, and only within a run the order of numbers must
 * be restored. Reading and writing are sequential. */
#include "atomstore/store.h"

#include <stdlib.h>

#include "base/poison.h"

enum { BITS_MIN = 10, BITS_MAX = 44 };
static_assert(BITS_MAX < (int)ATOM_SLOT_HASH,
              "a slot has bits of the hash beside those of its home");

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

static void
table_place(atom_table *table, unsigned bits)
{
  table->slots = (void *)base_map_at(&table->map, ATOM_HEAD);
  table->mask = (UINT64_C(1) << bits) - 1;
  table->bits = bits;
  table->number = table->head.table;
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
  table_place(table, bits);
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

/* NULL: a load has no memory for it, or there is no load. */
static atom_table *
create_in_memory(const atom_store *store, uint64_t number, unsigned bits)
{
  atom_table *now = atom_table_now(store), *table;
  uint64_t held = now && now->in_memory ? table_bytes(now->bits) : 0;
  if (bits > BITS_MAX || held + table_bytes(bits) > store->memory_room) return NULL;
  if (!(table = table_new(store->mem))) return NULL;
  if (base_map_memory(&table->map, (size_t)table_bytes(bits), store->mem, NULL)) {
    atom_table_free(table, store->mem);
    return NULL;
  }
  table->in_memory = true;
  atom_file_name(table->file.name, ATOM_FILE_TABLE, store->generation, number); /* for messages */
  table->head = atom_head_make(ATOM_FILE_TABLE, store->generation, number, bits);
  table_place(table, bits);
  return table;
}

quoin_status
atom_table_create(atom_table **out, const atom_store *store, uint64_t number, unsigned bits,
                  quoin_error *err)
{
  if ((*out = create_in_memory(store, number, bits))) return QUOIN_OK;
  return atom_table_create_file(out, store, number, bits, err);
}

quoin_status
atom_table_write(atom_table **out, const atom_store *store, const atom_table *from,
                 quoin_error *err)
{
  enum { PIECE = 8 << 20 };
  atom_table *table;
  quoin_status st = atom_table_create_file(&table, store, from->number, from->bits, err);
  *out = NULL;
  if (st) return st;
  for (uint64_t at = ATOM_HEAD, end = table_bytes(from->bits); !st && at < end; at += PIECE) {
    size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
    st = base_file_write(&table->file, base_map_at(&from->map, (size_t)at), n, at, err);
    if (!st) base_file_writeback(&table->file, at, n);
  }
  if (!st) {
    *out = table;
    return QUOIN_OK;
  }
  char name[64];
  atom_file_name(name, ATOM_FILE_TABLE, store->generation, table->number);
  (void)base_dir_unlink(store->dir, name, NULL);
  atom_table_free(table, store->mem);
  return st;
}

quoin_status
atom_table_create_file(atom_table **out, const atom_store *store, uint64_t number, unsigned bits,
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

/* The hash of a term, by its record, which must be as the check bits say. */
static quoin_status
term_hash(uint64_t *out, base_buffer *scratch, const atom_store *store, uint64_t number,
          quoin_error *err)
{
  atom_record rec;
  atom_key key;
  uint16_t check;
  quoin_status st = atom_record_at(&rec, &check, store, number, err);
  if (!st) st = atom_record_key(&key, scratch, store, &rec, err);
  if (st) return st;
  if (!base_sum_matches(check, key.hash >> 48))
    return atom_corrupt_record(store, number, "the text does not match its check bits", err);
  *out = key.hash;
  return QUOIN_OK;
}

/* A slot that does not say how far from home it is may be that of another hash. */
static quoin_status
far_slot_fits(bool *out, const atom_store *store, uint64_t number, uint64_t hash, quoin_error *err)
{
  base_buffer scratch;
  uint64_t other = 0;
  base_buffer_init(&scratch, store->mem);
  quoin_status st = term_hash(&other, &scratch, store, number, err);
  *out = other >> (64 - ATOM_SLOT_HASH) == hash >> (64 - ATOM_SLOT_HASH);
  base_buffer_clear(&scratch);
  return st;
}

/* The next number up to mark on the way from the home of a hash whose slot is for that hash; 0:
 * there is no other. *far: how far to begin from home; where to go on. */
static quoin_status
candidate_next(uint64_t *out, uint64_t *far, const atom_store *store, const atom_table *table,
               uint64_t hash, uint64_t mark, quoin_error *err)
{
  uint64_t home = atom_slot_home(table, hash);
  for (uint64_t at = *far; at <= table->mask; at++) {
    uint64_t place = (home + at) & table->mask;
    /* Acquire: pairs with the release in atom_table_put; offset and record are there. */
    uint64_t slot = atomic_load_explicit(&table->slots[place], memory_order_acquire);
    *out = 0;
    if (slot == 0) return QUOIN_OK;
    if (!atom_slot_is_sound(slot)) return slot_corrupt(table, place, "a slot does not check", err);
    if (!atom_slot_fits(table, slot, hash, at)) continue;
    *out = atom_slot_number(table, slot);
    if (*out > mark) continue;
    bool fits = true;
    quoin_status st = at < ATOM_SLOT_FAR ? QUOIN_OK : far_slot_fits(&fits, store, *out, hash, err);
    *far = at + 1;
    if (st || fits) return st;
  }
  return slot_corrupt(table, 0, "the table has no empty slot", err);
}

quoin_status
atom_table_find(atom_id *out, const atom_store *store, const atom_table *table, const atom_key *key,
                uint64_t mark, quoin_error *err)
{
  uint64_t far = 0, number;
  *out = ATOM_NONE_ID;
  for (;;) {
    bool same;
    quoin_status st = candidate_next(&number, &far, store, table, key->hash, mark, err);
    if (st || number == 0) return st;
    if ((st = atom_key_matches(&same, store, number, key, err))) return st;
    if (!same) continue;
    *out = atom_id_make(key->kind, number);
    return QUOIN_OK;
  }
}

quoin_status
atom_table_spellings(atom_spellings *out, const atom_store *store, const atom_table *table,
                     const atom_key *key, uint64_t mark, quoin_error *err)
{
  uint64_t far = 0, number;
  for (;;) {
    bool same;
    quoin_status st = candidate_next(&number, &far, store, table, key->hash, mark, err);
    if (st || number == 0) return st;
    st = atom_key_spells(&same, store, number, key, err);
    if (!st && same) st = atom_spellings_add(out, atom_id_make(key->kind, number), err);
    if (st) return st;
  }
}

/* ---- changing
 * --------------------------------------------------------------------------------------- */

void
atom_table_put(atom_table *table, uint64_t number, uint64_t hash)
{
  uint64_t home = atom_slot_home(table, hash), far = 0;
  while (atomic_load_explicit(&table->slots[(home + far) & table->mask], memory_order_relaxed))
    far++;
  assert(number > 0 && number <= table->mask);
  uint64_t slot = atom_slot_want(table, hash, far) << (table->bits + 8) | number << 8;
  slot |= atom_slot_sum(slot) ^ ATOM_SLOT_SUM;
  /* The last of what a term needs to be found: pairs with the acquire in candidate_next. */
  atomic_store_explicit(&table->slots[(home + far) & table->mask], slot, memory_order_release);
}

enum { FILL_GROUP = 64 };

static quoin_status
fill_group(atom_table *table, const atom_store *store, uint64_t from, size_t n,
           base_buffer *scratch, quoin_error *err)
{
  uint64_t hashes[FILL_GROUP];
  for (size_t i = 0; i < n; i++) {
    quoin_status st = term_hash(&hashes[i], scratch, store, from + i, err);
    if (st) return st;
    __builtin_prefetch(&table->slots[atom_slot_home(table, hashes[i])], 1);
  }
  for (size_t i = 0; i < n; i++)
    atom_table_put(table, from + i, hashes[i]);
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
  uint64_t number, hash;
} copied;

typedef struct copied_run {
  copied *items;
  size_t n, cap;
} copied_run;

static int
copied_order(const void *a, const void *b)
{
  uint64_t x = ((const copied *)a)->number, y = ((const copied *)b)->number;
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
    for (; at > 0 && run->items[at - 1].number > item.number; at--)
      run->items[at] = run->items[at - 1];
    run->items[at] = item;
  }
}

static void
run_put(atom_table *to, copied_run *run)
{
  run_sort(run);
  for (size_t i = 0; i < run->n; i++)
    atom_table_put(to, run->items[i].number, run->items[i].hash);
  run->n = 0;
}

static bool
run_add(copied_run *run, const base_alloc *mem, uint64_t number, uint64_t hash)
{
  void *items = run->items;
  bool room = base_reserve(mem, &items, &run->cap, run->n + 1, sizeof(*run->items));
  run->items = items;
  if (room) run->items[run->n++] = (copied){number, hash};
  return room;
}

/* What the slot at a place holds; 0 for what is empty or has a number above upto. */
static uint64_t
slot_old(const atom_table *table, uint64_t place, uint64_t upto)
{
  uint64_t slot = atomic_load_explicit(&table->slots[place], memory_order_acquire);
  return atom_slot_number(table, slot) > upto ? 0 : slot;
}

/* The 48 bits of the hash that a slot is for, as the upper ones of 64. */
static quoin_status
slot_hash(uint64_t *out, base_buffer *scratch, const atom_store *store, const atom_table *table,
          uint64_t place, uint64_t slot, quoin_error *err)
{
  unsigned above = table->bits + 8;
  uint64_t far = slot >> above & 0xff;
  if (!atom_slot_is_sound(slot) || !atom_slot_number(table, slot))
    return slot_corrupt(table, place, "a slot does not check", err);
  if (far == ATOM_SLOT_FAR)
    return term_hash(out, scratch, store, atom_slot_number(table, slot), err);
  *out = ((place - far) & table->mask) << (64 - table->bits) | slot >> (above + 8)
                                                                           << (64 - ATOM_SLOT_HASH);
  return QUOIN_OK;
}

quoin_status
atom_table_copy(atom_table *to, const atom_store *store, const atom_table *from, uint64_t upto,
                const atomic_int *stop, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  copied_run run = {0};
  base_buffer scratch;
  uint64_t begin = 0, count = 0, hash = 0;
  base_buffer_init(&scratch, store->mem);
  while (begin <= from->mask && slot_old(from, begin, upto))
    begin++;
  for (uint64_t i = 1; i <= from->mask + 1; i++) {
    if (i % 65536 == 0 && stop && atomic_load_explicit(stop, memory_order_relaxed)) goto done;
    uint64_t place = (begin + i) & from->mask, slot = slot_old(from, place, upto);
    if (!slot) {
      run_put(to, &run);
      continue;
    }
    if ((st = slot_hash(&hash, &scratch, store, from, place, slot, err))) goto done;
    if (!run_add(&run, store->mem, atom_slot_number(from, slot), hash)) {
      st = base_fail_nomem(err);
      goto done;
    }
    count++;
  }
  if (count != upto) st = slot_corrupt(from, 0, "the table does not hold each term once", err);

done:
  base_release(store->mem, run.items, run.cap, sizeof(*run.items));
  base_buffer_clear(&scratch);
  return st;
}

/* ---- emptying
 * --------------------------------------------------------------------------------------- */

bool
atom_table_clear_one(atom_table *table, uint64_t number, uint64_t hash)
{
  uint64_t at = atom_slot_home(table, hash);
  for (uint64_t seen = 0; seen <= table->mask; seen++, at = (at + 1) & table->mask) {
    uint64_t slot = atomic_load_explicit(&table->slots[at], memory_order_relaxed);
    if (slot == 0) break;
    if (atom_slot_number(table, slot) != number) continue;
    atomic_store_explicit(&table->slots[at], 0, memory_order_release);
    return true;
  }
  return false;
}

uint64_t
atom_table_clear_above(atom_table *table, uint64_t terms, bool *bad)
{
  uint64_t kept = 0;
  *bad = false;
  for (uint64_t at = 0; at <= table->mask; at++) {
    uint64_t slot = atomic_load_explicit(&table->slots[at], memory_order_relaxed);
    if (slot == 0) continue;
    if (atom_slot_number(table, slot) > terms) {
      atomic_store_explicit(&table->slots[at], 0, memory_order_release);
      continue;
    }
    if (!atom_slot_is_sound(slot)) *bad = true;
    kept++;
  }
  return kept;
}
