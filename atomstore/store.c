/* atomstore/store.c - opening, closing and syncing the files of a store. */
#include "atomstore/vector.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

/* Addresses reserved at first; a store that outgrows them moves once (base/map.h). */
static const size_t TERMS_RESERVE = (size_t)16 << 30, OFFSETS_RESERVE = (size_t)4 << 30,
                    VECTORS_RESERVE = (size_t)64 << 30;

/* ---- creating
 * ---------------------------------------------------------------------------------------- */

static quoin_status
head_file_create(const base_dir *dir, atom_file kind, uint64_t generation, quoin_error *err)
{
  char name[64];
  base_file file = BASE_FILE_NONE;
  atom_file_head head = atom_head_make(kind, generation, 0, 0);
  atom_file_name(name, kind, generation, 0);
  quoin_status st = QUOIN_OK;
  /* Left by a process that died before a manifest named it. */
  if (base_dir_has(dir, name) && (st = base_dir_unlink(dir, name, err))) goto done;
  if ((st = base_file_open(&file, dir, name, BASE_FILE_CREATE_NEW, err))) goto done;
  if ((st = base_file_extend(&file, 4096, err))) goto done;
  if ((st = base_file_write(&file, &head, sizeof(head), 0, err))) goto done;
  st = base_file_sync(&file, err);

done:
  base_file_close(&file);
  return st;
}

quoin_status
atom_store_create(const base_dir *dir, atom_marks *marks, quoin_error *err)
{
  quoin_status st;
  atom_table *table = NULL;
  atom_store store = {.mem = base_alloc_default(),
                      .dir = dir,
                      .mode = ATOM_OPEN_WRITE,
                      .generation = marks->generation};
  *marks = (atom_marks){.generation = marks->generation, .table = 1};
  if ((st = head_file_create(dir, ATOM_FILE_TERMS, marks->generation, err))) goto done;
  if ((st = head_file_create(dir, ATOM_FILE_OFFSETS, marks->generation, err))) goto done;
  if ((st = head_file_create(dir, ATOM_FILE_VECTORS, marks->generation, err))) goto done;
  st = atom_table_create(&table, &store, marks->table, atom_table_bits_for(0), err);
  if (st) goto done;
  if ((st = atom_table_mark(table, 0, true, err))) goto done;
  st = base_dir_sync(dir, err);

done:
  atom_table_free(table, store.mem);
  return st;
}

/* ---- opening
 * ----------------------------------------------------------------------------------------- */

static quoin_status
data_file_open(base_file *file, base_map *map, const atom_store *store, atom_file kind,
               size_t reserve, uint64_t needed, quoin_error *err)
{
  char name[64];
  atom_file_head head;
  bool writable = store->mode == ATOM_OPEN_WRITE;
  atom_file_name(name, kind, store->generation, 0);
  quoin_status st =
      base_file_open(file, store->dir, name, writable ? BASE_FILE_WRITE : BASE_FILE_READ, err);
  if (!st) st = atom_head_read(&head, file, kind, store->generation, 0, err);
  if (!st) st = base_map_open(map, file, reserve, writable, store->mem, err);
  if (st) return st;
  uint64_t size = atomic_load_explicit(&map->size, memory_order_relaxed);
  if (size < needed)
    return base_fail_at(err, QUOIN_ERR_CORRUPT, file->name, size,
                        "the file ends before what the manifest says (%llu bytes)",
                        (unsigned long long)needed);
  return QUOIN_OK;
}

/* The last record must end where the marks say. */
static quoin_status
marks_check(const atom_store *store, const atom_marks *marks, quoin_error *err)
{
  uint64_t end;
  quoin_status st = atom_record_end(&end, store, marks->terms, err);
  if (st) return st;
  if (end != ATOM_RECORDS + marks->term_bytes)
    return atom_corrupt_record(store, marks->terms,
                               "the last record does not end where the manifest says", err);
  return QUOIN_OK;
}

/* The writer's table: as it was closed; or with what is beyond the mark taken out; or new. */
static quoin_status
table_recover(atom_table **out, atom_store *store, const atom_marks *marks, quoin_error *err)
{
  atom_table *table;
  uint64_t number = marks->table;
  quoin_status st = atom_table_open(&table, store, number, err);
  if (!st) {
    bool bad = false;
    const atom_file_head *head = &table->head;
    *out = table;
    if (head->clean && head->synced == marks->terms) return QUOIN_OK;
    /* The clean bit must be gone from the disk before a slot changes. */
    if (head->clean && (st = atom_table_mark(table, head->synced, false, err))) return st;
    if (head->synced >= marks->terms &&
        atom_table_clear_above(table, marks->terms, &bad) == marks->terms && !bad)
      return QUOIN_OK;
    *out = NULL;
    atom_table_free(table, store->mem);
  } else if (st != QUOIN_ERR_CORRUPT && st != QUOIN_ERR_NOT_FOUND) {
    return st;
  }
  st = atom_table_create(&table, store, number + 1, atom_table_bits_for(marks->terms), err);
  if (st) return st;
  *out = table;
  return atom_table_fill(table, store, 1, marks->terms, NULL, err);
}

/* Files of larger tables that a process left when it died. */
enum { LEFTOVERS_MAX = 48 }; /* a table doubles fewer times than that */

static void
leftovers_drop(const atom_store *store, uint64_t table)
{
  char name[64];
  for (uint64_t i = 1; i <= LEFTOVERS_MAX; i++) {
    atom_file_name(name, ATOM_FILE_TABLE, store->generation, table + i);
    if (base_dir_has(store->dir, name)) (void)base_dir_unlink(store->dir, name, NULL);
  }
}

static quoin_status
table_start(atom_store *store, const atom_marks *marks, quoin_error *err)
{
  atom_table *table = NULL;
  quoin_status st;
  if (store->mode == ATOM_OPEN_READ_ONLY) {
    st = atom_table_open(&table, store, marks->table, err);
    if (!st && table->head.synced < marks->terms)
      st = base_fail_at(err, QUOIN_ERR_CORRUPT, table->file.name, offsetof(atom_file_head, synced),
                        "the table was not synced as far as the manifest says");
    if (!st) st = atom_overlay_new(&store->overlay, marks->terms, store->mem, err);
  } else {
    leftovers_drop(store, marks->table);
    st = table_recover(&table, store, marks, err);
  }
  atomic_store(&store->table, table);
  store->soiled = table && !table->head.clean;
  return st;
}

static bool
marks_are_possible(uint64_t *terms_end, uint64_t *offsets_end, const atom_marks *marks)
{
  uint64_t limit = UINT64_C(1) << 48;
  if (marks->vector_bytes > limit || marks->vector_bytes % ATOM_ROW) return false;
  if (marks->terms > limit / 8 || marks->term_bytes > limit || marks->blanks >> 58) return false;
  *terms_end = ATOM_RECORDS + marks->term_bytes;
  *offsets_end = ATOM_HEAD + marks->terms * 8;
  return true;
}

quoin_status
atom_store_open(atom_store **out, const base_dir *dir, const atom_marks *marks, atom_open_mode mode,
                const base_alloc *mem, quoin_error *err)
{
  quoin_status st;
  uint64_t terms_end, offsets_end;
  *out = NULL;
  if (!marks_are_possible(&terms_end, &offsets_end, marks))
    return base_fail(err, QUOIN_ERR_CORRUPT, "the manifest's atom marks are out of range");
  atom_store *store = base_new_zero(mem, 1, sizeof(*store));
  if (!store) return base_fail_nomem(err);
  store->mem = mem;
  store->dir = dir;
  store->mode = mode;
  store->generation = marks->generation;
  store->file_terms = mode == ATOM_OPEN_WRITE ? UINT64_MAX : marks->terms;
  store->terms_file = store->offsets_file = store->vectors_file = BASE_FILE_NONE;
  base_buffer_init(&store->scratch, mem);
  base_buffer_init(&store->coded, mem);
  atomic_store(&store->terms, marks->terms);
  atomic_store(&store->blanks, marks->blanks);
  atomic_store(&store->term_end, terms_end);
  atomic_store(&store->vector_end, ATOM_HEAD + marks->vector_bytes);
  atomic_store(&store->synced_vectors, ATOM_HEAD + marks->vector_bytes);
  atomic_store(&store->named_table, marks->table);
  atomic_store(&store->synced_terms, marks->terms);
  atomic_store(&store->sync_floor, marks->terms);
  atomic_store(&store->synced_end, terms_end);
  if ((st = data_file_open(&store->terms_file, &store->terms_map, store, ATOM_FILE_TERMS,
                           TERMS_RESERVE, terms_end, err)))
    goto done;
  if ((st = data_file_open(&store->offsets_file, &store->offsets_map, store, ATOM_FILE_OFFSETS,
                           OFFSETS_RESERVE, offsets_end, err)))
    goto done;
  if ((st = data_file_open(&store->vectors_file, &store->vectors_map, store, ATOM_FILE_VECTORS,
                           VECTORS_RESERVE, ATOM_HEAD + marks->vector_bytes, err)))
    goto done;
  if ((st = atom_symbols_open(store, marks->symbols, err))) goto done;
  if ((st = marks_check(store, marks, err))) goto done;
  if ((st = table_start(store, marks, err))) goto done;
  *out = store;
  store = NULL;

done:
  atom_store_close(store);
  return st;
}

/* ---- closing and syncing
 * -------------------------------------------------------------------------------- */

/* When every term is synced the table needs no look at the next opening. A failure costs that look.
 */
static void
close_clean(atom_store *store)
{
  atom_table *table = atom_table_now(store);
  if (!table || store->mode != ATOM_OPEN_WRITE || table->head.clean || table->in_memory) return;
  uint64_t terms = atomic_load(&store->terms);
  if (atomic_load(&table->synced) != terms || table->number != atomic_load(&store->named_table))
    return;
  if (terms != atomic_load(&store->synced_terms)) return;
  (void)atom_table_mark(table, terms, true, NULL);
}

uint64_t
atom_store_generation(const atom_store *store)
{
  return store->generation;
}

void
atom_store_close(atom_store *store)
{
  if (!store) return;
  const base_alloc *mem = store->mem;
  atom_grow_stop(store);
  close_clean(store);
  while (store->retired) {
    atom_table *table = store->retired;
    store->retired = table->older;
    atom_table_free(table, mem);
  }
  atom_table_free(atom_table_now(store), mem);
  atom_table_free(store->home, mem);
  atom_overlay_free(store->overlay);
  atom_window_free(store);
  base_sparse_clear(&store->rows, mem);
  base_buffer_clear(&store->scratch);
  base_buffer_clear(&store->coded);
  base_release(mem, atomic_load(&store->symbols), 1, sizeof(atom_symbols));
  base_map_close(&store->terms_map);
  base_map_close(&store->offsets_map);
  base_map_close(&store->vectors_map);
  base_file_close(&store->terms_file);
  base_file_close(&store->offsets_file);
  base_file_close(&store->vectors_file);
  base_release(mem, store, 1, sizeof(*store));
}

static quoin_status
sync_records(atom_store *store, uint64_t terms, uint64_t end, uint64_t vectors, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t from_vectors = atomic_load(&store->synced_vectors);
  if (from_vectors > vectors) from_vectors = 0;
  if (from_vectors != vectors)
    st = base_map_sync(&store->vectors_map, &store->vectors_file, (size_t)from_vectors,
                       (size_t)(vectors - from_vectors), err);
  if (st) return st;
  uint64_t from_terms = atomic_load(&store->synced_terms);
  uint64_t from_end = atomic_load(&store->synced_end);
  if (from_terms > terms) from_terms = 0;
  if (from_end > end) from_end = 0;
  st = base_map_sync(&store->terms_map, &store->terms_file, (size_t)from_end,
                     (size_t)(end - from_end), err);
  if (st) return st;
  return base_map_sync(&store->offsets_map, &store->offsets_file,
                       ATOM_HEAD + (size_t)from_terms * 8, (size_t)(terms - from_terms) * 8, err);
}

/* The count to sync, at most `most`, made safe from a rollback: see count_lower in intern.c. */
static uint64_t
floor_raise(atom_store *store, uint64_t most)
{
  for (;;) {
    uint64_t terms = atomic_load(&store->terms);
    if (terms > most) terms = most;
    if (atomic_load(&store->sync_floor) < terms) atomic_store(&store->sync_floor, terms);
    if (atomic_load(&store->terms) >= terms) return terms;
  }
}

void
atom_store_drop_texts(const atom_store *store)
{
  base_map_drop(&store->terms_map);
  base_map_drop(&store->offsets_map);
  base_map_drop(&store->vectors_map);
}

void
atom_store_drop_pages(const atom_store *store)
{
  atom_store_drop_texts(store);
  base_map_drop(&atom_table_now(store)->map);
}

quoin_status
atom_store_sync(atom_marks *marks, atom_store *store, quoin_error *err)
{
  return atom_store_sync_to(marks, store, UINT64_MAX, err);
}

quoin_status
atom_store_sync_to(atom_marks *marks, atom_store *store, uint64_t most, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  atom_store_pin(store); /* the table may be retired by the writer meanwhile */
  uint64_t terms = floor_raise(store, most), end;
  uint64_t blanks = atom_store_blanks(store);
  /* After the count: the rows of these terms, and perhaps of some that come in. */
  uint64_t vectors = atomic_load(&store->vector_end);
  uint64_t symbols = atomic_load(&store->symbols) ? atomic_load(&store->symbols_hash) : 0;
  atom_table *table = atom_table_now(store); /* after the count: it holds all of these terms */
  assert(!table->in_memory);
  if (store->mode == ATOM_OPEN_READ_ONLY) {
    st = base_fail(err, QUOIN_ERR_READ_ONLY, "the store was opened for reading");
    goto done;
  }
  if ((st = atom_record_end(&end, store, terms, err))) goto done;
  if (symbols && !atomic_load(&store->symbols_synced)) {
    if ((st = base_map_sync(&store->terms_map, &store->terms_file, 0, ATOM_RECORDS, err)))
      goto done;
    atomic_store(&store->symbols_synced, true);
  }
  if (terms != atomic_load(&store->synced_terms) || atomic_load(&table->synced) != terms) {
    if ((st = sync_records(store, terms, end, vectors, err))) goto done;
    st = base_map_sync(&table->map, &table->file, 0, SIZE_MAX, err);
    if (!st) st = atom_table_mark(table, terms, false, err);
    /* The table may be a file that the directory does not name durably yet. */
    if (!st && table->number != atomic_load(&store->named_table))
      st = base_dir_sync(store->dir, err);
    if (st) goto done;
    atomic_store(&store->synced_terms, terms);
    atomic_store(&store->synced_end, end);
    atomic_store(&store->synced_vectors, vectors);
  }
  if (table->number > atomic_load(&store->named_table))
    atomic_store(&store->named_table, table->number);
  *marks = (atom_marks){.generation = store->generation,
                        .table = table->number,
                        .terms = terms,
                        .term_bytes = end - ATOM_RECORDS,
                        .blanks = blanks,
                        .vector_bytes = vectors - ATOM_HEAD,
                        .symbols = symbols};

done:
  atom_store_unpin(store);
  return st;
}

/* ---- counts
 * ---------------------------------------------------------------------------------------------- */

uint64_t
atom_store_terms(const atom_store *store)
{
  /* Acquire: pairs with the release in atom_key_add. */
  return atomic_load_explicit(&((atom_store *)(uintptr_t)store)->terms, memory_order_acquire);
}

uint64_t
atom_store_blanks(const atom_store *store)
{
  return atomic_load_explicit(&((atom_store *)(uintptr_t)store)->blanks, memory_order_acquire);
}

void
atom_store_stats(atom_stats *out, const atom_store *store)
{
  atom_store *s = (atom_store *)(uintptr_t)store;
  atom_store_pin(s);
  const atom_table *table = atom_table_now(store);
  uint64_t overlay = store->overlay ? atom_overlay_bytes(store->overlay) : 0;
  *out = (atom_stats){.terms = atom_store_terms(store),
                      .blanks = atom_store_blanks(store),
                      .term_bytes = atomic_load(&s->term_end) - ATOM_RECORDS + overlay,
                      .offset_bytes = atom_store_terms(store) * 8,
                      .table_bytes = (table->mask + 1) * sizeof(atom_slot),
                      .table_slots = table->mask + 1,
                      .prefixes = atomic_load(&s->prefixes),
                      .vector_bytes = atomic_load(&s->vector_end) - ATOM_HEAD,
                      .row_bytes = base_sparse_bytes(&store->rows)};
  atom_store_unpin(s);
}

atom_id
atom_blank_new_many(atom_store *store, uint64_t n)
{
  atom_assert_writer(store, "atom_blank_new");
  uint64_t blanks = atomic_load_explicit(&store->blanks, memory_order_relaxed);
  assert(n <= (UINT64_C(1) << 58) - 1 - blanks);
  atomic_store_explicit(&store->blanks, blanks + n, memory_order_release);
  return atom_id_make(ATOM_BLANK, blanks + 1);
}

atom_id
atom_blank_new(atom_store *store)
{
  return atom_blank_new_many(store, 1);
}

void
atom_blank_reserve(atom_store *store, uint64_t blanks)
{
  atom_assert_writer(store, "atom_blank_reserve");
  if (blanks > atomic_load_explicit(&store->blanks, memory_order_relaxed))
    atomic_store_explicit(&store->blanks, blanks, memory_order_release);
}

/* ---- pins and the writer
 * ---------------------------------------------------------------------------------- */

void
atom_store_pin(atom_store *store)
{
  /* seq_cst, as are the loads of store->table: see atomstore/grow.c. */
  atomic_fetch_add(&store->pins, 1);
}

void
atom_store_unpin(atom_store *store)
{
  uint64_t before = atomic_fetch_sub(&store->pins, 1);
  assert(before > 0);
  (void)before;
}

#ifndef NDEBUG
/* Its address names the thread. */
static _Thread_local char thread_self;

static void
abort_with(const char *name, const char *what)
{
  fprintf(stderr, "%s: %s\n", name, what);
  abort();
}

void
atom_assert_writer(const atom_store *store, const char *name)
{
  if (atomic_load(&((atom_store *)(uintptr_t)store)->writer) != (uintptr_t)&thread_self)
    abort_with(name, "the writer role is not held by this thread");
}

void
atom_assert_reader(const atom_store *store, const char *name)
{
  atom_store *s = (atom_store *)(uintptr_t)store;
  if (atomic_load(&s->pins) == 0 && atomic_load(&s->writer) != (uintptr_t)&thread_self)
    abort_with(name, "no read pin is held");
}

void
atom_store_writer_enter(atom_store *store)
{
  uintptr_t self = (uintptr_t)&thread_self, nobody = 0;
  if (atomic_load(&store->writer) != self &&
      !atomic_compare_exchange_strong(&store->writer, &nobody, self))
    abort_with("atom_store_writer_enter", "another thread is the writer");
  store->writer_depth++;
}

void
atom_store_writer_leave(atom_store *store)
{
  atom_assert_writer(store, "atom_store_writer_leave");
  if (--store->writer_depth == 0) atomic_store(&store->writer, 0);
}
#else
void
atom_store_writer_enter(atom_store *store)
{
  (void)store;
}

void
atom_store_writer_leave(atom_store *store)
{
  (void)store;
}
#endif
