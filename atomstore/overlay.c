/* atomstore/overlay.c - terms above the mark of a read-only store, in private memory.
 *
 * A process that reads beside the writer replays the log: the terms of its commits get the numbers
 * they will have in the files, but those it must not touch. Records are as in the files. One thread
 * adds, any may look up: nothing that a reader may have seen moves or is freed before the end. */
#include "atomstore/vector.h"

#include "base/poison.h"

enum { CHUNK_FIRST = 1024, CHUNKS = 48 }; /* chunk c holds CHUNK_FIRST << c terms */

typedef struct overlay_term {
  const char *record;
  size_t size;
  uint64_t hash;
} overlay_term;

typedef struct overlay_table overlay_table;
struct overlay_table {
  overlay_table *older;
  uint64_t mask;
  _Atomic(uint64_t) numbers[]; /* 0: empty */
};

struct atom_overlay {
  const base_alloc *mem;
  base_arena records;
  uint64_t base;  /* numbers from base + 1 */
  uint64_t count; /* the adding thread's */
  _Atomic(overlay_term *) chunks[CHUNKS];
  _Atomic(overlay_table *) table;
};

static size_t
table_bytes(uint64_t slots)
{
  return sizeof(overlay_table) + (size_t)slots * sizeof(uint64_t);
}

static overlay_table *
table_new(const base_alloc *mem, uint64_t slots)
{
  overlay_table *table = base_new_zero(mem, table_bytes(slots), 1);
  if (table) table->mask = slots - 1;
  return table;
}

quoin_status
atom_overlay_new(atom_overlay **out, uint64_t base, const base_alloc *mem, quoin_error *err)
{
  atom_overlay *overlay = base_new_zero(mem, 1, sizeof(*overlay));
  overlay_table *table = overlay ? table_new(mem, CHUNK_FIRST * 2) : NULL;
  *out = NULL;
  if (!table) {
    base_release(mem, overlay, 1, sizeof(*overlay));
    return base_fail_nomem(err);
  }
  overlay->mem = mem;
  overlay->base = base;
  base_arena_init(&overlay->records, mem);
  atomic_store(&overlay->table, table);
  *out = overlay;
  return QUOIN_OK;
}

void
atom_overlay_free(atom_overlay *overlay)
{
  if (!overlay) return;
  const base_alloc *mem = overlay->mem;
  overlay_table *table = atomic_load(&overlay->table);
  while (table) {
    overlay_table *older = table->older;
    base_release(mem, table, table_bytes(table->mask + 1), 1);
    table = older;
  }
  for (unsigned c = 0; c < CHUNKS; c++)
    base_release(mem, atomic_load(&overlay->chunks[c]), (size_t)CHUNK_FIRST << c,
                 sizeof(overlay_term));
  base_arena_clear(&overlay->records);
  base_release(mem, overlay, 1, sizeof(*overlay));
}

/* Chunk and place of the i-th term, from 0. */
static unsigned
place_of(size_t *place, uint64_t i)
{
  unsigned chunk = 63u - (unsigned)__builtin_clzll(i / CHUNK_FIRST + 1);
  *place = (size_t)(i - (((uint64_t)CHUNK_FIRST << chunk) - CHUNK_FIRST));
  return chunk;
}

/* NULL where there is none. */
static overlay_term *
term_at(const atom_overlay *overlay, uint64_t number)
{
  size_t place;
  if (number <= overlay->base) return NULL;
  unsigned chunk = place_of(&place, number - overlay->base - 1);
  if (chunk >= CHUNKS) return NULL;
  overlay_term *terms = atomic_load_explicit(&((atom_overlay *)(uintptr_t)overlay)->chunks[chunk],
                                             memory_order_acquire);
  return terms ? &terms[place] : NULL;
}

bool
atom_overlay_record(const char **at, size_t *room, uint16_t *check, const atom_overlay *overlay,
                    uint64_t number)
{
  const overlay_term *term = overlay ? term_at(overlay, number) : NULL;
  if (!term || !term->record) return false;
  *at = term->record;
  *room = term->size;
  *check = (uint16_t)(term->hash >> 48);
  return true;
}

quoin_status
atom_overlay_find(atom_id *out, const atom_store *store, const atom_key *key, uint64_t mark,
                  quoin_error *err)
{
  const atom_overlay *overlay = store->overlay;
  /* Acquire: pairs with the release in table_grow. */
  overlay_table *table =
      atomic_load_explicit(&((atom_overlay *)(uintptr_t)overlay)->table, memory_order_acquire);
  *out = ATOM_NONE_ID;
  for (uint64_t at = key->hash & table->mask;; at = (at + 1) & table->mask) {
    /* Acquire: pairs with the release in table_put; the term is there. */
    uint64_t number = atomic_load_explicit(&table->numbers[at], memory_order_acquire);
    if (number == 0) return QUOIN_OK;
    if (number > mark) continue;
    const overlay_term *term = term_at(overlay, number);
    if (!term || term->hash != key->hash) continue;
    bool same;
    if (term->record[1] != (char)key->kind) continue;
    quoin_status st = atom_key_matches(&same, store, number, key, err);
    if (st) return st;
    if (!same) continue;
    *out = atom_id_make(key->kind, number);
    return QUOIN_OK;
  }
}

quoin_status
atom_overlay_spellings(atom_spellings *out, const atom_store *store, const atom_key *key,
                       uint64_t mark, quoin_error *err)
{
  const atom_overlay *overlay = store->overlay;
  /* Acquire: as in atom_overlay_find. */
  overlay_table *table =
      atomic_load_explicit(&((atom_overlay *)(uintptr_t)overlay)->table, memory_order_acquire);
  for (uint64_t at = key->hash & table->mask;; at = (at + 1) & table->mask) {
    uint64_t number = atomic_load_explicit(&table->numbers[at], memory_order_acquire);
    if (number == 0) return QUOIN_OK;
    const overlay_term *term = number > mark ? NULL : term_at(overlay, number);
    if (!term || term->hash != key->hash || term->record[1] != (char)key->kind) continue;
    bool same;
    quoin_status st = atom_key_spells(&same, store, number, key, err);
    if (!st && same) st = atom_spellings_add(out, atom_id_make(key->kind, number), err);
    if (st) return st;
  }
}

static void
table_put(overlay_table *table, uint64_t number, uint64_t hash)
{
  uint64_t at = hash & table->mask;
  while (atomic_load_explicit(&table->numbers[at], memory_order_relaxed))
    at = (at + 1) & table->mask;
  atomic_store_explicit(&table->numbers[at], number, memory_order_release);
}

/* Room for one more at load 0.5. Old tables stay for their readers. */
static bool
table_grow(atom_overlay *overlay)
{
  overlay_table *old = atomic_load_explicit(&overlay->table, memory_order_relaxed);
  if ((overlay->count + 1) * 2 <= old->mask + 1) return true;
  overlay_table *table = table_new(overlay->mem, (old->mask + 1) * 2);
  if (!table) return false;
  for (uint64_t i = 1; i <= overlay->count; i++)
    table_put(table, overlay->base + i, term_at(overlay, overlay->base + i)->hash);
  table->older = old;
  atomic_store_explicit(&overlay->table, table, memory_order_release);
  return true;
}

/* The floats of a vector, at an address that is its place. */
static bool
row_copy(atom_record *rec, atom_overlay *overlay)
{
  char *room = base_arena_new(&overlay->records, rec->value.len + ATOM_ROW, 1);
  if (!room) return false;
  room += -(uintptr_t)room & (ATOM_ROW - 1);
  memcpy(room, rec->value.ptr, rec->value.len);
  rec->place = (uintptr_t)room;
  return atom_record_measure(rec);
}

quoin_status
atom_overlay_add(atom_overlay *overlay, atom_id id, uint64_t hash, const atom_record *rec,
                 quoin_error *err)
{
  size_t place;
  assert(atom_id_payload(id) == overlay->base + overlay->count + 1);
  unsigned chunk = place_of(&place, overlay->count);
  overlay_term *terms = atomic_load_explicit(&overlay->chunks[chunk], memory_order_relaxed);
  if (!terms) {
    terms = base_new_zero(overlay->mem, (size_t)CHUNK_FIRST << chunk, sizeof(*terms));
    if (!terms) return base_fail_nomem(err);
    atomic_store_explicit(&overlay->chunks[chunk], terms, memory_order_release);
  }
  atom_record stored = *rec;
  if (rec->kind == ATOM_VECTOR && !row_copy(&stored, overlay)) return base_fail_nomem(err);
  char *at = base_arena_bytes(&overlay->records, stored.size);
  if (!at || !table_grow(overlay)) return base_fail_nomem(err);
  atom_record_encode(at, &stored);
  terms[place] = (overlay_term){at, stored.size, hash};
  table_put(atomic_load_explicit(&overlay->table, memory_order_relaxed), atom_id_payload(id), hash);
  overlay->count++;
  return QUOIN_OK;
}

void
atom_overlay_rollback(atom_overlay *overlay, uint64_t terms)
{
  overlay_table *table = atomic_load_explicit(&overlay->table, memory_order_relaxed);
  if (terms >= overlay->base + overlay->count) return;
  assert(terms >= overlay->base);
  for (uint64_t at = 0; at <= table->mask; at++)
    if (atomic_load_explicit(&table->numbers[at], memory_order_relaxed) > terms)
      atomic_store_explicit(&table->numbers[at], 0, memory_order_release);
  for (uint64_t number = terms + 1; number <= overlay->base + overlay->count; number++)
    *term_at(overlay, number) = (overlay_term){0};
  overlay->count = terms - overlay->base;
}

size_t
atom_overlay_bytes(const atom_overlay *overlay)
{
  return overlay->records.used;
}
