/* atomstore/intern.c - from a term to its id, one at a time: found, or added. */
#include "atomstore/intern.h"
#include "atomstore/vector.h"

#include "base/poison.h"

/* ---- keys -------------------------------------------------------------------------------------
 */

void
atom_key_of(atom_key *out, const rdf_term *term, uint64_t datatype)
{
  if (term->kind == RDF_IRI)
    *out = (atom_key){.kind = ATOM_IRI, .value = term->value};
  else if (term->kind == RDF_VECTOR)
    *out = (atom_key){
        .kind = ATOM_VECTOR, .datatype = term->value.len / sizeof(float), .value = term->value};
  else
    *out = (atom_key){.kind = atom_datatype_kind(term->datatype, term->lang.len > 0),
                      .datatype = datatype,
                      .lang = term->lang,
                      .value = term->value};
  atom_key_hash(out);
}

static atom_key
datatype_key(const rdf_term *term)
{
  atom_key key = {.kind = ATOM_IRI, .value = term->datatype};
  atom_key_hash(&key);
  return key;
}

bool
atom_term_has_datatype(const rdf_term *term)
{
  return term->kind == RDF_LITERAL && term->datatype.len > 0 && term->lang.len == 0;
}

atom_id
atom_blank_of_label(quoin_span label, uint64_t blanks)
{
  uint64_t number = 0;
  if (label.len < 2 || label.len > 19 || label.ptr[0] != 'b' || label.ptr[1] == '0')
    return ATOM_NONE_ID;
  for (size_t i = 1; i < label.len; i++) {
    if (label.ptr[i] < '0' || label.ptr[i] > '9') return ATOM_NONE_ID;
    number = number * 10 + (uint64_t)(label.ptr[i] - '0');
  }
  return number <= blanks ? atom_id_make(ATOM_BLANK, number) : ATOM_NONE_ID;
}

/* ---- finding ------------------------------------------------------------------------------------
 */

quoin_status
atom_key_find(atom_id *out, const atom_store *store, const atom_key *key, uint64_t mark,
              quoin_error *err)
{
  uint64_t in_files = mark < store->file_terms ? mark : store->file_terms;
  quoin_status st = atom_table_find(out, store, atom_table_now(store), key, in_files, err);
  if (st || out->bits || !store->overlay || mark <= store->file_terms) return st;
  return atom_overlay_find(out, store, key, mark, err);
}

/* An IRI, a vector or a literal that is not inline. */
static quoin_status
find_stored(atom_id *out, const atom_store *store, const rdf_term *term, uint64_t mark,
            quoin_error *err)
{
  quoin_status st;
  atom_key key;
  atom_id datatype = ATOM_NONE_ID;
  if (atom_term_has_datatype(term)) {
    key = datatype_key(term);
    if ((st = atom_key_find(&datatype, store, &key, mark, err)) || !datatype.bits) return st;
  }
  atom_key_of(&key, term, atom_id_payload(datatype));
  return atom_key_find(out, store, &key, mark, err);
}

quoin_status
atom_find(atom_id *out, const atom_store *store, const rdf_term *term, uint64_t mark,
          quoin_error *err)
{
  base_arena arena;
  rdf_term vector;
  *out = ATOM_NONE_ID;
  if (term->kind == RDF_NONE) return QUOIN_OK;
  if (term->kind == RDF_BLANK) {
    *out = atom_blank_of_label(term->value, atom_store_blanks(store));
    return QUOIN_OK;
  }
  if ((*out = atom_inline(term)).bits) return QUOIN_OK;
  atom_assert_reader(store, "atom_find");
  base_arena_init(&arena, store->mem);
  quoin_status st = rdf_vector_of(&term, &vector, &arena, err);
  if (!st) st = find_stored(out, store, term, mark, err);
  base_arena_clear(&arena);
  return st;
}

/* ---- adding -------------------------------------------------------------------------------------
 */

/* Before the first change the table must say, durably, that it is not clean. */
static quoin_status
soil(atom_store *store, quoin_error *err)
{
  atom_table *table = atom_table_now(store);
  quoin_status st = QUOIN_OK;
  if (!table->in_memory) st = atom_table_mark(table, table->head.synced, false, err);
  if (!st) store->soiled = true;
  return st;
}

static quoin_status
record_append(atom_store *store, atom_id id, uint64_t hash, const atom_record *rec,
              quoin_error *err)
{
  quoin_status st;
  uint64_t at = atomic_load_explicit(&store->term_end, memory_order_relaxed);
  uint64_t number = atom_id_payload(id);
  bool vector = rec->kind == ATOM_VECTOR;
  if (rec->size > (UINT64_C(1) << 48) - 1 - at)
    return base_fail(err, QUOIN_ERR_LIMIT, "the term records would exceed 2^48 bytes");
  if (!store->soiled && (st = soil(store, err))) return st;
  st = base_map_grow(&store->terms_map, &store->terms_file, (size_t)at + rec->size, err);
  if (st) return st;
  if (vector && (st = atom_row_room(store, rec->link, err))) return st;
  st =
      base_map_grow(&store->offsets_map, &store->offsets_file, ATOM_HEAD + (size_t)number * 8, err);
  if (st) return st;
  if (vector) atom_row_put(store, rec);
  atom_record_encode(base_map_at(&store->terms_map, (size_t)at), rec);
  atom_offset_put(store, number, at, hash, rec->lang);
  atom_table_put(atom_table_now(store), number, hash);
  atomic_store_explicit(&store->term_end, at + rec->size, memory_order_relaxed);
  return QUOIN_OK;
}

quoin_status
atom_key_add(atom_id *out, atom_store *store, const atom_key *key, quoin_error *err)
{
  quoin_status st;
  size_t prefix_len = 0;
  atom_record rec = {
      .kind = key->kind, .link = key->datatype, .lang = key->lang, .value = key->value};
  *out = ATOM_NONE_ID;
  if (key->kind == ATOM_IRI) {
    if ((st = atom_prefix_for(&rec.link, &prefix_len, store, key->value, err))) return st;
    rec.value.ptr += prefix_len;
    rec.value.len -= prefix_len;
    /* A rollback joins the two again, and must not fail for want of memory. */
    store->scratch.len = 0;
    if (prefix_len && !base_buffer_reserve(&store->scratch, key->value.len)) {
      store->scratch.failed = false;
      return base_fail_nomem(err);
    }
  }
  if (!store->overlay && (st = atom_record_code(&rec, store, key->coded, err))) return st;
  if (key->kind == ATOM_VECTOR && !store->overlay)
    rec.place = atomic_load_explicit(&store->vector_end, memory_order_relaxed) / ATOM_ROW;
  if (!atom_record_measure(&rec)) return base_fail_nomem(err);
  uint64_t number = atomic_load_explicit(&store->terms, memory_order_relaxed) + 1;
  atom_id id = atom_id_make(key->kind, number);
  if (store->overlay) {
    st = atom_overlay_add(store->overlay, id, key->hash, &rec, err);
  } else {
    if ((st = atom_grow_room(store, err))) return st;
    st = record_append(store, id, key->hash, &rec, err);
  }
  if (st) return st;
  if (key->kind == ATOM_IRI && !prefix_len) atom_prefix_note(store, key->value, number);
  /* Release: a reader that takes this as its mark sees all that was written before. */
  atomic_store_explicit(&store->terms, number, memory_order_release);
  *out = id;
  return QUOIN_OK;
}

static quoin_status
intern_stored(atom_id *out, atom_store *store, const rdf_term *term, quoin_error *err)
{
  quoin_status st;
  atom_key key;
  atom_id datatype = ATOM_NONE_ID;
  if (atom_term_has_datatype(term)) {
    key = datatype_key(term);
    if ((st = atom_key_find(&datatype, store, &key, UINT64_MAX, err))) return st;
    if (!datatype.bits && (st = atom_key_add(&datatype, store, &key, err))) return st;
  }
  atom_key_of(&key, term, atom_id_payload(datatype));
  if ((st = atom_key_find(out, store, &key, UINT64_MAX, err)) || out->bits) return st;
  return atom_key_add(out, store, &key, err);
}

quoin_status
atom_term_intern(atom_id *out, atom_store *store, const rdf_term *term, quoin_error *err)
{
  base_arena arena;
  rdf_term vector;
  base_arena_init(&arena, store->mem);
  quoin_status st = rdf_vector_of(&term, &vector, &arena, err);
  if (!st) st = intern_stored(out, store, term, err);
  base_arena_clear(&arena);
  return st;
}

quoin_status
atom_term_direct(atom_id *out, const atom_store *store, const rdf_term *term, bool *done,
                 quoin_error *err)
{
  *done = true;
  *out = ATOM_NONE_ID;
  switch (term->kind) {
  case RDF_NONE:
    return QUOIN_OK;
  case RDF_BLANK:
    *out = atom_blank_of_label(term->value, atom_store_blanks(store));
    if (out->bits) return QUOIN_OK;
    return base_fail(err, QUOIN_ERR_ARGUMENT, "blank nodes are not interned by label");
  case RDF_LITERAL:
    *out = atom_inline(term);
    break;
  case RDF_IRI:
  case RDF_VECTOR:
    break;
  }
  *done = out->bits != 0;
  return QUOIN_OK;
}

quoin_status
atom_intern(atom_id *out, atom_store *store, const rdf_term *term, quoin_error *err)
{
  bool done;
  atom_assert_writer(store, "atom_intern");
  quoin_status st = atom_term_direct(out, store, term, &done, err);
  if (st || done) return st;
  uint64_t before = atomic_load_explicit(&store->terms, memory_order_relaxed);
  atom_grow_reclaim(store);
  if ((st = atom_term_intern(out, store, term, err))) atom_terms_rollback(store, before);
  return st;
}

/* ---- taking back
 * ---------------------------------------------------------------------------------- */

/* Empty the slots of (terms, now] one by one; false when one does not let itself be found. */
static bool
clear_each(atom_store *store, atom_table *table, uint64_t now, uint64_t terms)
{
  for (uint64_t n = now; n > terms; n--) {
    atom_record rec;
    atom_key key;
    uint16_t check;
    if (atom_record_at(&rec, &check, store, n, NULL)) return false;
    if (atom_record_key(&key, &store->scratch, store, &rec, NULL)) return false;
    if (!atom_table_clear_one(table, n, key.hash)) return false;
  }
  return true;
}

/* Lower the count to `terms`, but not below what a manifest may name: its records must stay as they
 * are. Either a sync that is under way sees the lower count, or this sees its floor (all four
 * accesses are sequentially consistent; see atom_store_sync). */
static uint64_t
count_lower(atom_store *store, uint64_t now, uint64_t terms)
{
  atomic_store(&store->terms, terms);
  uint64_t floor = atomic_load(&store->sync_floor);
  if (floor <= terms) return terms;
  if (floor > now) floor = now;
  atomic_store(&store->terms, floor);
  return floor;
}

void
atom_terms_rollback(atom_store *store, uint64_t terms)
{
  uint64_t now = atomic_load_explicit(&store->terms, memory_order_relaxed);
  if (terms >= now || (terms = count_lower(store, now, terms)) == now) return;
  atom_prefix_forget(store);
  if (store->overlay) {
    atom_overlay_rollback(store->overlay, terms);
    return;
  }
  atom_rows_rollback(store, terms, now);
  atom_grow_rollback(store, terms);
  uint64_t put = atom_grow_home(store, now, terms);
  atom_table *table = atom_table_now(store);
  bool bad;
  if ((put - terms) * 8 > table->mask || !clear_each(store, table, put, terms))
    (void)atom_table_clear_above(table, terms, &bad);
  atomic_store_explicit(&store->term_end, atom_record_begin(store, terms + 1),
                        memory_order_relaxed);
}

void
atom_rollback(atom_store *store, uint64_t terms, uint64_t blanks)
{
  atom_assert_writer(store, "atom_rollback");
  atom_terms_rollback(store, terms);
  if (blanks < atomic_load_explicit(&store->blanks, memory_order_relaxed))
    atomic_store_explicit(&store->blanks, blanks, memory_order_release);
}
