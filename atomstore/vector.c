/* atomstore/vector.c - the rows of vectors: one mapped file for all dimensions.
 *
 * A row is compared with the check bits of its term when it is first read; where it lies is then
 * kept, so that a search finds the floats of a vector by one load from memory that lies in the
 * order of the numbers (docs/adrs/0038-exact-search.md). */
#include "atomstore/vector.h"

#include "base/poison.h"

/* ---- rows that have been verified --------------------------------------------------------------
 */

/* Place << 16 | dimension; 0: not verified yet. */
static inline uint64_t
row_known(const atom_store *store, uint64_t number)
{
  _Atomic(uint64_t) *word = base_sparse_find(&store->rows, number);
  return word ? atomic_load_explicit(word, memory_order_relaxed) : 0;
}

/* Without memory the row is verified again the next time. */
static void
row_note(const atom_store *store, uint64_t number, const atom_record *rec)
{
  atom_store *s = (atom_store *)(uintptr_t)store;
  if (number > s->file_terms || rec->place >> 48) return;
  _Atomic(uint64_t) *word = base_sparse_make(&s->rows, number, s->mem);
  if (word) atomic_store_explicit(word, rec->place << 16 | rec->link, memory_order_relaxed);
}

/* ---- rows and records --------------------------------------------------------------------------
 */

quoin_status
rdf_vector_of(const rdf_term **term, rdf_term *vector, base_arena *arena, quoin_error *err)
{
  if ((*term)->kind != RDF_LITERAL || (*term)->datatype.len != sizeof(RDF_VEC_F32) - 1 ||
      memcmp((*term)->datatype.ptr, RDF_VEC_F32, sizeof(RDF_VEC_F32) - 1) != 0)
    return QUOIN_OK;
  quoin_status st = rdf_vector_parse(vector, (*term)->value, arena, err);
  if (vector->kind == RDF_VECTOR) *term = vector;
  return st;
}

quoin_status
atom_row_room(atom_store *store, uint64_t dimension, quoin_error *err)
{
  uint64_t end = atomic_load_explicit(&store->vector_end, memory_order_relaxed);
  return base_map_grow(&store->vectors_map, &store->vectors_file,
                       (size_t)(end + atom_row_bytes(dimension)), err);
}

void
atom_row_put(atom_store *store, const atom_record *rec)
{
  uint64_t at = rec->place * ATOM_ROW, bytes = atom_row_bytes(rec->link);
  char *row = base_map_at(&store->vectors_map, (size_t)at);
  memcpy(row, rec->value.ptr, rec->value.len);
  memset(row + rec->value.len, 0, (size_t)bytes - rec->value.len);
  atomic_store(&store->vector_end, at + bytes);
}

quoin_status
atom_row_value(atom_record *rec, const atom_store *store, uint64_t number, quoin_error *err)
{
  uint64_t bytes = rec->link * sizeof(float);
  if (rec->link == 0 || rec->link > RDF_VECTOR_MAX)
    return atom_corrupt_record(store, number, "a vector of an impossible dimension", err);
  if (number > store->file_terms) {
    rec->value = (quoin_span){(const char *)(uintptr_t)rec->place, (size_t)bytes};
    return QUOIN_OK;
  }
  /* Acquire: pairs with the release in base_map_grow. */
  uint64_t size = atomic_load_explicit(&((atom_store *)(uintptr_t)store)->vectors_map.size,
                                       memory_order_acquire);
  if (rec->place == 0 || rec->place >= size / ATOM_ROW || bytes > size - rec->place * ATOM_ROW)
    return atom_corrupt_record(store, number, "the row is outside of the vectors", err);
  size_t at = (size_t)rec->place * ATOM_ROW;
  rec->value = (quoin_span){base_map_at(&store->vectors_map, at), (size_t)bytes};
  return QUOIN_OK;
}

void
atom_rows_rollback(atom_store *store, uint64_t terms, uint64_t now)
{
  base_sparse_reset(&store->rows, terms + 1, now);
  for (uint64_t n = terms + 1; n <= now; n++) {
    atom_record rec;
    uint16_t check;
    if (atom_record_at(&rec, &check, store, n, NULL) || rec.kind != ATOM_VECTOR) continue;
    atomic_store(&store->vector_end, rec.place * ATOM_ROW);
    return;
  }
}

quoin_status
atom_vector(const float **out, uint32_t *dimension, const atom_store *store, atom_id id,
            quoin_error *err)
{
  atom_record rec;
  uint16_t check;
  uint64_t number = atom_id_payload(id);
  *out = NULL;
  *dimension = 0;
  assert(atom_id_kind(id) == ATOM_VECTOR);
  atom_assert_reader(store, "atom_vector");
  uint64_t known = row_known(store, number);
  if (known) {
    *out = (const float *)(const void *)base_map_at(&store->vectors_map,
                                                    (size_t)(known >> 16) * ATOM_ROW);
    *dimension = (uint32_t)(known & 0xFFFF);
    return QUOIN_OK;
  }
  if (number > atom_store_terms(store))
    return base_fail(err, QUOIN_ERR_CORRUPT, "no term has the id %016llx",
                     (unsigned long long)id.bits);
  quoin_status st = atom_record_at(&rec, &check, store, number, err);
  if (st) return st;
  if (rec.kind != ATOM_VECTOR)
    return atom_corrupt_record(store, number, "the record is of another kind than the id", err);
  atom_key key = {.kind = ATOM_VECTOR, .datatype = rec.link, .value = rec.value};
  atom_key_hash(&key);
  if (!base_sum_matches(check, key.hash >> 48))
    return atom_corrupt_record(store, number, "the vector does not match its check bits", err);
  row_note(store, number, &rec);
  *out = (const float *)(const void *)rec.value.ptr;
  *dimension = (uint32_t)rec.link;
  return QUOIN_OK;
}

void
atom_vector_find(const atom_store *store, atom_id id)
{
  const void *word = base_sparse_find(&store->rows, atom_id_payload(id));
  if (word) __builtin_prefetch(word);
}

void
atom_vector_ask(const atom_store *store, atom_id id)
{
  atom_record rec;
  uint16_t check;
  uint64_t number = atom_id_payload(id), known = row_known(store, number);
  if (known)
    rec.value = (quoin_span){base_map_at(&store->vectors_map, (size_t)(known >> 16) * ATOM_ROW),
                             (size_t)(known & 0xFFFF) * sizeof(float)};
  else if (number > atom_store_terms(store) || atom_record_at(&rec, &check, store, number, NULL))
    return;
  for (size_t at = 0; at < rec.value.len; at += 64)
    __builtin_prefetch(rec.value.ptr + at, 0, 2);
}
