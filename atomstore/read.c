/* atomstore/read.c - from a number to its record, key and term. Everything read is checked first.
 */
#include "atomstore/inline.h"
#include "atomstore/vector.h"

#include "base/poison.h"

static const uint64_t OFFSET_MASK = (UINT64_C(1) << 48) - 1;

static uint64_t
loaded(const _Atomic(size_t) *size)
{
  return atomic_load_explicit((_Atomic(size_t) *)(uintptr_t)size, memory_order_acquire);
}

/* Offset entry of a number in the files; false when the file is too short. */
static bool
offset_entry(uint64_t *out, const atom_store *store, uint64_t number)
{
  uint64_t size = loaded(&store->offsets_map.size);
  if (size < ATOM_HEAD || number == 0 || number > (size - ATOM_HEAD) / 8) return false;
  *out = base_load_u64(base_map_at(&store->offsets_map, ATOM_HEAD + (size_t)(number - 1) * 8));
  return true;
}

quoin_status
atom_corrupt_record(const atom_store *store, uint64_t number, const char *what, quoin_error *err)
{
  uint64_t entry = 0;
  if (number <= store->file_terms && offset_entry(&entry, store, number))
    return base_fail_at(err, QUOIN_ERR_CORRUPT, store->terms_file.name, entry & OFFSET_MASK,
                        "term %llu: %s", (unsigned long long)number, what);
  return base_fail(err, QUOIN_ERR_CORRUPT, "term %llu: %s", (unsigned long long)number, what);
}

static quoin_status
offset_corrupt(const atom_store *store, uint64_t number, const char *what, quoin_error *err)
{
  return base_fail_at(err, QUOIN_ERR_CORRUPT, store->offsets_file.name,
                      number ? ATOM_HEAD + (number - 1) * 8 : 0, "term %llu: %s",
                      (unsigned long long)number, what);
}

quoin_status
atom_record_at(atom_record *out, uint16_t *check, const atom_store *store, uint64_t number,
               quoin_error *err)
{
  uint64_t entry;
  const char *at;
  size_t room;
  out->number = number;
  if (number > store->file_terms) {
    if (!atom_overlay_record(&at, &room, check, store->overlay, number))
      return offset_corrupt(store, number, "there is no such term", err);
    bool whole = atom_record_decode(out, at, room);
    assert(whole);
    if (!whole) return atom_corrupt_record(store, number, "bad record", err);
    return out->kind == ATOM_VECTOR ? atom_row_value(out, store, number, err) : QUOIN_OK;
  }
  if (!offset_entry(&entry, store, number))
    return offset_corrupt(store, number, "there is no such term", err);
  uint64_t offset = entry & OFFSET_MASK, size = loaded(&store->terms_map.size);
  *check = (uint16_t)(entry >> 48);
  if (offset < ATOM_RECORDS || offset >= size)
    return offset_corrupt(store, number, "the offset is outside of the term records", err);
  if (!atom_record_decode(out, base_map_at(&store->terms_map, (size_t)offset),
                          (size_t)(size - offset)))
    return atom_corrupt_record(store, number, "the record does not decode", err);
  if (out->lang.len) *check ^= atom_tag_case(out->lang);
  return out->kind == ATOM_VECTOR ? atom_row_value(out, store, number, err) : QUOIN_OK;
}

quoin_status
atom_record_end(uint64_t *out, const atom_store *store, uint64_t number, quoin_error *err)
{
  atom_record rec;
  uint16_t check;
  *out = ATOM_RECORDS;
  if (number == 0) return QUOIN_OK;
  quoin_status st = atom_record_at(&rec, &check, store, number, err);
  if (!st) *out = atom_record_begin(store, number) + rec.size;
  return st;
}

uint64_t
atom_record_begin(const atom_store *store, uint64_t number)
{
  uint64_t entry = 0;
  bool there = offset_entry(&entry, store, number);
  assert(there);
  (void)there;
  return entry & OFFSET_MASK;
}

void
atom_offset_put(atom_store *store, uint64_t number, uint64_t offset, uint64_t hash, quoin_span lang)
{
  uint64_t entry = atom_offset_entry(offset, hash, lang);
  memcpy(base_map_at(&store->offsets_map, ATOM_HEAD + (size_t)(number - 1) * 8), &entry, 8);
}

void
atom_offset_prefetch(const atom_store *store, uint64_t number)
{
  uint64_t size = loaded(&store->offsets_map.size);
  if (number > store->file_terms || size < ATOM_HEAD || number > (size - ATOM_HEAD) / 8) return;
  __builtin_prefetch(base_map_at(&store->offsets_map, ATOM_HEAD + (size_t)(number - 1) * 8));
}

atom_id
atom_record_id(const atom_record *rec, uint64_t number)
{
  return atom_id_make(rec->kind, number);
}

/* Text of the prefix that record `rec` names. */
static quoin_status
prefix_text(quoin_span *out, const atom_store *store, const atom_record *rec, quoin_error *err)
{
  atom_record prefix;
  uint16_t check;
  *out = (quoin_span){NULL, 0};
  quoin_status st = atom_record_at(&prefix, &check, store, rec->link, err);
  if (st) return st;
  if (prefix.kind != ATOM_PREFIX)
    return atom_corrupt_record(store, rec->link, "an IRI names it as prefix, but it is none", err);
  *out = prefix.value;
  return QUOIN_OK;
}

quoin_status
atom_record_key(atom_key *out, base_buffer *scratch, const atom_store *store,
                const atom_record *rec, quoin_error *err)
{
  *out = (atom_key){.kind = rec->kind,
                    .datatype = atom_record_datatype(rec),
                    .lang = rec->lang,
                    .value = rec->value};
  if (rec->coded) {
    quoin_status st = atom_record_text(&out->value, scratch, store, rec, err);
    if (st) return st;
  }
  if (rec->kind == ATOM_IRI && rec->link) {
    quoin_span prefix;
    quoin_status st = prefix_text(&prefix, store, rec, err);
    if (st) return st;
    scratch->len = 0;
    scratch->failed = false;
    base_buffer_span(scratch, prefix);
    base_buffer_span(scratch, rec->value);
    if (scratch->failed) return base_fail_nomem(err);
    out->value = (quoin_span){scratch->data, scratch->len};
  }
  atom_key_hash(out);
  return QUOIN_OK;
}

/* The slot says that record `rec` has the key's hash, kind or text say that it is another term. Two
 * terms may share the 48 bits a slot stands for; a damaged text shares them with nothing. */
static quoin_status
other_term(const atom_store *store, uint64_t number, const atom_record *rec, const atom_key *key,
           quoin_error *err)
{
  atom_key other;
  base_buffer scratch;
  base_buffer_init(&scratch, store->mem);
  quoin_status st = atom_record_key(&other, &scratch, store, rec, err);
  if (!st && other.hash >> 16 != key->hash >> 16)
    st = atom_corrupt_record(store, number, "the text does not match its check bits", err);
  base_buffer_clear(&scratch);
  return st;
}

quoin_status
atom_key_matches(bool *out, const atom_store *store, uint64_t number, const atom_key *key,
                 quoin_error *err)
{
  atom_record rec;
  uint16_t check;
  *out = false;
  quoin_status st = atom_record_at(&rec, &check, store, number, err);
  if (st) return st;
  if (!base_sum_matches(check, key->hash >> 48))
    return offset_corrupt(store, number, "slot and offset do not agree", err);
  if (rec.kind != key->kind) return other_term(store, number, &rec, key, err);
  if (rec.kind != ATOM_IRI || rec.link == 0) {
    *out = rec.link == key->datatype && base_span_equal(rec.lang, key->lang) &&
           atom_record_says(store, &rec, key->value);
    return *out ? QUOIN_OK : other_term(store, number, &rec, key, err);
  }
  quoin_span prefix;
  if ((st = prefix_text(&prefix, store, &rec, err))) return st;
  *out = key->value.len == prefix.len + rec.value.len &&
         memcmp(key->value.ptr, prefix.ptr, prefix.len) == 0 &&
         (rec.value.len == 0 ||
          memcmp(key->value.ptr + prefix.len, rec.value.ptr, rec.value.len) == 0);
  return *out ? QUOIN_OK : other_term(store, number, &rec, key, err);
}

quoin_status
atom_key_spells(bool *out, const atom_store *store, uint64_t number, const atom_key *key,
                quoin_error *err)
{
  atom_record rec;
  uint16_t check;
  *out = false;
  quoin_status st = atom_record_at(&rec, &check, store, number, err);
  if (st) return st;
  if (!base_sum_matches(check, key->hash >> 48))
    return offset_corrupt(store, number, "slot and offset do not agree", err);
  *out = rec.kind == key->kind && base_span_equal_nocase(rec.lang, key->lang) &&
         atom_record_says(store, &rec, key->value);
  return *out ? QUOIN_OK : other_term(store, number, &rec, key, err);
}

/* ---- terms
 * --------------------------------------------------------------------------------------- */

static quoin_status
iri_text(quoin_span *out, const atom_store *store, const atom_record *rec, base_arena *arena,
         quoin_error *err)
{
  quoin_span prefix;
  size_t len;
  *out = rec->value;
  if (rec->link == 0) return QUOIN_OK;
  quoin_status st = prefix_text(&prefix, store, rec, err);
  if (st) return st;
  if (!base_add_size(&len, prefix.len, rec->value.len)) return base_fail_nomem(err);
  char *at = base_arena_bytes(arena, len);
  if (!at) return base_fail_nomem(err);
  memcpy(at, prefix.ptr, prefix.len);
  if (rec->value.len) memcpy(at + prefix.len, rec->value.ptr, rec->value.len);
  *out = (quoin_span){at, len};
  return QUOIN_OK;
}

/* Text of a record that is verified against the check bits of its offset. */
static quoin_status
verified(atom_record *rec, quoin_span *value, const atom_store *store, uint64_t number,
         base_arena *arena, quoin_error *err)
{
  uint16_t check;
  quoin_status st = atom_record_at(rec, &check, store, number, err);
  if (st) return st;
  if ((st = atom_record_text_new(value, arena, store, rec, err))) return st;
  if (rec->kind == ATOM_IRI && (st = iri_text(value, store, rec, arena, err))) return st;
  atom_key key = {
      .kind = rec->kind, .datatype = atom_record_datatype(rec), .lang = rec->lang, .value = *value};
  atom_key_hash(&key);
  if (!base_sum_matches(check, key.hash >> 48))
    return atom_corrupt_record(store, number, "the text does not match its check bits", err);
  return QUOIN_OK;
}

quoin_status
atom_read(rdf_term *out, const atom_store *store, atom_id id, base_arena *arena, quoin_error *err)
{
  atom_record rec, type;
  atom_kind kind = atom_id_kind(id);
  uint64_t number = atom_id_payload(id);
  *out = (rdf_term){.kind = RDF_NONE};
  if (atom_id_is_inline(id) || kind == ATOM_BLANK) return atom_inline_term(out, id, arena, err);
  atom_assert_reader(store, "atom_read");
  if (kind == ATOM_PREFIX || !atom_kind_is_stored(kind) || number > atom_store_terms(store))
    return base_fail(err, QUOIN_ERR_CORRUPT, "no term has the id %016llx",
                     (unsigned long long)id.bits);
  quoin_status st = verified(&rec, &out->value, store, number, arena, err);
  if (st) return st;
  if (rec.kind != kind)
    return atom_corrupt_record(store, number, "the record is of another kind than the id", err);
  if (kind == ATOM_VECTOR && !rdf_vector_is_normal(out->value))
    return atom_corrupt_record(store, number, "a number of the vector is not finite, or -0", err);
  if (kind == ATOM_VECTOR)
    return rdf_vector_text(out, (const float *)(const void *)out->value.ptr, (uint32_t)rec.link,
                           arena, err);
  out->kind = kind == ATOM_IRI ? RDF_IRI : RDF_LITERAL;
  out->lang = rec.lang;
  if (!atom_kind_has_datatype(kind)) return QUOIN_OK;
  if ((st = verified(&type, &out->datatype, store, rec.link, arena, err))) return st;
  if (type.kind != ATOM_IRI)
    return atom_corrupt_record(store, number, "its datatype is not an IRI", err);
  return QUOIN_OK;
}

void
atom_prefetch(const atom_store *store, atom_id id)
{
  uint64_t entry, number = atom_id_payload(id);
  if (!atom_kind_is_stored(atom_id_kind(id)) || number > store->file_terms) return;
  if (!offset_entry(&entry, store, number)) return;
  uint64_t offset = entry & OFFSET_MASK;
  if (offset < loaded(&store->terms_map.size))
    __builtin_prefetch(base_map_at(&store->terms_map, (size_t)offset));
}

void
atom_prefetch_all(const atom_store *store, const atom_id *ids, size_t n)
{
  for (size_t i = 0; i < n; i++) /* the offsets say where the records are */
    if (atom_kind_is_stored(atom_id_kind(ids[i])))
      atom_offset_prefetch(store, atom_id_payload(ids[i]));
  for (size_t i = 0; i < n; i++)
    atom_prefetch(store, ids[i]);
}

quoin_status
atom_datatype(atom_id *out, const atom_store *store, atom_id id, quoin_error *err)
{
  *out = ATOM_NONE_ID;
  atom_kind kind = atom_id_kind(id);
  if (!atom_kind_has_datatype(kind)) return QUOIN_OK;
  atom_assert_reader(store, "atom_datatype");
  atom_record rec;
  uint16_t check;
  uint64_t number = atom_id_payload(id);
  quoin_status st = atom_record_at(&rec, &check, store, number, err);
  if (st) return st;
  if (rec.kind != kind || rec.link == 0 || rec.link >= number)
    return atom_corrupt_record(store, number, "the record is of another kind than the id", err);
  *out = atom_id_make(ATOM_IRI, rec.link);
  return QUOIN_OK;
}
