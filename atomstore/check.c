/* atomstore/check.c - walks everything a store has. */
#include "atomstore/vector.h"

#include "base/poison.h"

static quoin_status
record_check(const atom_store *store, const atom_record *rec, quoin_span text, uint64_t number,
             quoin_error *err)
{
  atom_record other;
  uint16_t check;
  if (rec->kind == ATOM_VECTOR)
    return rdf_vector_is_normal(rec->value)
               ? QUOIN_OK
               : atom_corrupt_record(store, number, "the vector is not in its normal form", err);
  if (base_utf8_valid(text.ptr, text.len) != text.len ||
      (rec->lang.len && base_utf8_valid(rec->lang.ptr, rec->lang.len) != rec->lang.len))
    return atom_corrupt_record(store, number, "the text is not UTF-8", err);
  if (rec->kind == ATOM_LANG && rec->lang.len == 0)
    return atom_corrupt_record(store, number, "a language string without a tag", err);
  bool typed = atom_kind_has_datatype(rec->kind);
  if (!typed && (rec->kind != ATOM_IRI || rec->link == 0)) return QUOIN_OK;
  if (rec->link == 0 || rec->link >= number)
    return atom_corrupt_record(store, number, "it refers to a term that is not before it", err);
  quoin_status st = atom_record_at(&other, &check, store, rec->link, err);
  if (st) return st;
  if (other.kind != (typed ? ATOM_IRI : ATOM_PREFIX))
    return atom_corrupt_record(store, number, "its prefix or datatype is of the wrong kind", err);
  return QUOIN_OK;
}

/* Found by its text, with its own id. */
static quoin_status
term_check(const atom_store *store, const atom_record *rec, uint16_t check, uint64_t number,
           base_buffer *scratch, quoin_error *err)
{
  atom_key key;
  atom_id found;
  quoin_status st = atom_record_key(&key, scratch, store, rec, err);
  if (!st) st = record_check(store, rec, key.value, number, err);
  if (st) return st;
  if (!base_sum_matches(check, key.hash >> 48))
    return atom_corrupt_record(store, number, "the text does not match its check bits", err);
  if ((st = atom_key_find(&found, store, &key, UINT64_MAX, err))) return st;
  if (!atom_id_equal(found, atom_record_id(rec, number)))
    return atom_corrupt_record(
        store, number, found.bits ? "its text has another id too" : "it is not found by its text",
        err);
  return QUOIN_OK;
}

static quoin_status
terms_check(const atom_store *store, uint64_t terms, base_buffer *scratch, base_cancel *cancel,
            quoin_error *err)
{
  uint64_t end = ATOM_RECORDS, row = ATOM_HEAD;
  for (uint64_t n = 1; n <= terms; n++) {
    atom_record rec;
    uint16_t check;
    quoin_status st = n % 1024 == 0 ? base_cancel_check(cancel, err) : QUOIN_OK;
    if (!st) st = atom_record_at(&rec, &check, store, n, err);
    if (st) return st;
    if (n <= store->file_terms) {
      if (atom_record_begin(store, n) != end)
        return atom_corrupt_record(store, n, "the record does not follow the one before", err);
      end += rec.size;
      if (rec.kind == ATOM_VECTOR) {
        if (rec.place * ATOM_ROW < row)
          return atom_corrupt_record(store, n, "the row lies in the one before", err);
        row = rec.place * ATOM_ROW + atom_row_bytes(rec.link);
      }
    }
    if ((st = term_check(store, &rec, check, n, scratch, err))) return st;
  }
  return QUOIN_OK;
}

static quoin_status
slots_check(const atom_store *store, uint64_t terms, base_cancel *cancel, quoin_error *err)
{
  const atom_table *table = atom_table_now(store);
  uint64_t used = 0;
  if (terms > store->file_terms) terms = store->file_terms;
  for (uint64_t at = 0; at <= table->mask; at++) {
    quoin_status st = at % 65536 == 0 ? base_cancel_check(cancel, err) : QUOIN_OK;
    if (st) return st;
    uint64_t slot = atomic_load_explicit(&table->slots[at], memory_order_acquire);
    if (slot == 0 || atom_slot_number(table, slot) > terms) continue; /* a writer's, perhaps */
    used++;
    if (!atom_slot_is_sound(slot))
      return base_fail_at(err, QUOIN_ERR_CORRUPT, table->file.name,
                          ATOM_HEAD + at * sizeof(atom_slot), "a slot does not check");
  }
  if (used != terms)
    return base_fail_at(err, QUOIN_ERR_CORRUPT, table->file.name, 0,
                        "the table has %llu slots in use for %llu terms", (unsigned long long)used,
                        (unsigned long long)terms);
  return QUOIN_OK;
}

quoin_status
atom_check(const atom_store *store, base_cancel *cancel, quoin_error *err)
{
  atom_assert_reader(store, "atom_check");
  uint64_t terms = atom_store_terms(store);
  base_buffer scratch;
  base_buffer_init(&scratch, store->mem);
  quoin_status st = terms_check(store, terms, &scratch, cancel, err);
  if (!st) st = slots_check(store, terms, cancel, err);
  base_buffer_clear(&scratch);
  return st;
}
