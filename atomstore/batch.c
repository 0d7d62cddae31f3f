/* atomstore/batch.c - many terms at once, the cache misses of a group in flight together.
 *
 * Each group goes through four passes: hash and ask for the slot; look at the slot and ask for the
 * offset; look at the offset and ask for the record; compare, and add what is new. Only the last
 * changes anything, in the order of the input, so that ids are those of single calls. What the
 * passes saw is a hint: a term that came in meanwhile is looked for again. */
#include "atomstore/intern.h"
#include "atomstore/symbols.h"
#include "atomstore/vector.h"

#include "base/poison.h"

enum { GROUP = 128, CACHE_SLOTS = 16, CACHE_TEXT = 88 };

/* Datatypes are few and come again and again. */
typedef struct datatype_cache {
  struct {
    uint64_t number; /* 0: empty */
    size_t len;
    char text[CACHE_TEXT];
  } slots[CACHE_SLOTS];
} datatype_cache;

typedef enum step {
  STEP_DONE,   /* the id is known */
  STEP_REPEAT, /* the same term as some places before */
  STEP_HASHED, /* the key is known */
  STEP_LONG    /* the whole way, one by one */
} step;

typedef struct pending {
  atom_key key;
  uint64_t number; /* a candidate, or 0 */
  size_t same;     /* STEP_REPEAT: index in the batch */
  step step;
} pending;

typedef struct batch {
  atom_store *store; /* changed only where `add` is set */
  const rdf_term *terms;
  const uint64_t *hashes;        /* of the terms, or NULL */
  const atom_prepared *prepared; /* what is known of them already, or NULL */
  atom_prepared *prepare;        /* where to note what comes out, or NULL */
  atom_id *out;
  bool add;
  uint64_t mark;
  base_arena vectors; /* of the group */
  datatype_cache cache;
  pending items[GROUP];
} batch;

static unsigned
cache_slot(quoin_span text)
{
  unsigned char last = (unsigned char)text.ptr[text.len - 1];
  return (unsigned)(text.len * 7 + last) % CACHE_SLOTS;
}

/* Number of a datatype's IRI if it is there; 0 otherwise. */
static quoin_status
datatype_find(uint64_t *number, batch *b, quoin_span text, quoin_error *err)
{
  unsigned at = cache_slot(text);
  if (b->cache.slots[at].number && b->cache.slots[at].len == text.len &&
      memcmp(b->cache.slots[at].text, text.ptr, text.len) == 0) {
    *number = b->cache.slots[at].number;
    return QUOIN_OK;
  }
  atom_id id;
  atom_key key = {.kind = ATOM_IRI, .value = text};
  atom_key_hash(&key);
  quoin_status st = atom_key_find(&id, b->store, &key, b->mark, err);
  *number = atom_id_payload(id);
  if (st || !id.bits || text.len > CACHE_TEXT) return st;
  b->cache.slots[at].number = *number;
  b->cache.slots[at].len = text.len;
  memcpy(b->cache.slots[at].text, text.ptr, text.len);
  return QUOIN_OK;
}

static bool
same_text(quoin_span a, quoin_span b)
{
  return a.len == b.len && (a.ptr == b.ptr || a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Statements repeat their subject: in arrays of three or four terms each, 3 or 4 places before. */
static bool
repeats(size_t *same, const batch *b, size_t i)
{
  const rdf_term *term = &b->terms[i];
  if (term->kind != RDF_IRI) return false;
  for (size_t stride = 3; stride <= 4 && stride <= i; stride++) {
    const rdf_term *other = &b->terms[i - stride];
    if (other->kind != RDF_IRI || !same_text(term->value, other->value)) continue;
    *same = i - stride;
    return true;
  }
  return false;
}

/* Pass 1. */
static quoin_status
item_hash(batch *b, pending *item, size_t i, const atom_table *table, quoin_error *err)
{
  const rdf_term *term = &b->terms[i];
  rdf_term vector;
  quoin_status st;
  bool done;
  uint64_t datatype = 0;
  item->step = STEP_DONE;
  item->number = 0;
  if (b->hashes && term->kind == RDF_BLANK) return QUOIN_OK;
  if (b->prepared && b->prepared[i].kind) {
    const atom_prepared *known = &b->prepared[i];
    b->out[i] = known->id;
    if (known->id.bits) return QUOIN_OK;
    item->key = (atom_key){.kind = known->kind,
                           .datatype = known->datatype,
                           .lang = term->lang,
                           .value = term->value,
                           .coded = known->coded,
                           .hash = known->hash};
    item->step = STEP_HASHED;
    __builtin_prefetch(&table->slots[atom_slot_home(table, item->key.hash)]);
    return QUOIN_OK;
  }
  if (b->hashes && !term->datatype.len && !term->lang.len) { /* hashed, and listed once */
    atom_kind kind = term->kind == RDF_IRI ? ATOM_IRI : ATOM_STRING;
    item->key = (atom_key){.kind = kind, .value = term->value, .hash = b->hashes[i]};
    item->step = STEP_HASHED;
    __builtin_prefetch(&table->slots[atom_slot_home(table, item->key.hash)]);
    return QUOIN_OK;
  }
  if (!b->hashes && repeats(&item->same, b, i)) {
    item->step = STEP_REPEAT;
    return QUOIN_OK;
  }
  if (!b->add && term->kind == RDF_BLANK) {
    b->out[i] = atom_blank_of_label(term->value, atom_store_blanks(b->store));
    return QUOIN_OK;
  }
  if ((st = atom_term_direct(&b->out[i], b->store, term, &done, err)) || done) return st;
  if ((st = rdf_vector_of(&term, &vector, &b->vectors, err))) return st;
  if (atom_term_has_datatype(term)) {
    if ((st = datatype_find(&datatype, b, term->datatype, err))) return st;
    if (datatype == 0) { /* new, perhaps: single steps; or absent, and so is the literal */
      if (b->add) item->step = STEP_LONG;
      return QUOIN_OK;
    }
  }
  atom_key_of(&item->key, term, datatype);
  item->step = STEP_HASHED;
  __builtin_prefetch(&table->slots[atom_slot_home(table, item->key.hash)]);
  return QUOIN_OK;
}

/* Pass 2: the first slot that fits. */
static void
item_probe(const batch *b, pending *item, const atom_table *table)
{
  enum { FAR_MOST = 64 };
  static_assert(FAR_MOST < (int)ATOM_SLOT_FAR, "its slots say how far they are from home");
  uint64_t hash = item->key.hash, home = atom_slot_home(table, hash);
  for (uint64_t far = 0; far < FAR_MOST; far++) {
    /* Acquire: pairs with the release in atom_table_put. */
    uint64_t slot =
        atomic_load_explicit(&table->slots[(home + far) & table->mask], memory_order_acquire);
    if (slot == 0) return;
    if (!atom_slot_fits(table, slot, hash, far) || !atom_slot_is_sound(slot)) continue;
    uint64_t number = atom_slot_number(table, slot);
    if (number > b->mark || number > b->store->file_terms) continue;
    item->number = number;
    atom_offset_prefetch(b->store, number);
    return;
  }
}

/* Pass 4. */
static quoin_status
item_finish(batch *b, pending *item, size_t i, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  bool same = false;
  switch (item->step) {
  case STEP_DONE:
    return QUOIN_OK;
  case STEP_REPEAT:
    b->out[i] = b->out[item->same];
    return QUOIN_OK;
  case STEP_LONG:
    return atom_term_intern(&b->out[i], b->store, &b->terms[i], err);
  case STEP_HASHED:
    break;
  }
  if (item->number) {
    st = atom_key_matches(&same, b->store, item->number, &item->key, err);
    if (st) return st;
    b->out[i] = atom_id_make(item->key.kind, item->number);
    if (same) return QUOIN_OK;
  }
  st = atom_key_find(&b->out[i], b->store, &item->key, b->mark, err);
  if (st || b->out[i].bits || !b->add) return st;
  return atom_key_add(&b->out[i], b->store, &item->key, err);
}

/* What was found out about a term that will stand in a record. */
static void
item_note(const batch *b, const pending *item, size_t i)
{
  if (item->step != STEP_HASHED || item->key.kind == ATOM_VECTOR) return;
  b->prepare[i] = (atom_prepared){.id = b->out[i],
                                  .kind = item->key.kind,
                                  .datatype = item->key.datatype,
                                  .hash = item->key.hash};
}

static quoin_status
group_run(batch *b, size_t from, size_t n, quoin_error *err)
{
  quoin_status st;
  const atom_table *table = atom_table_now(b->store);
  for (size_t i = 0; i < n; i++)
    if ((st = item_hash(b, &b->items[i], from + i, table, err))) return st;
  for (size_t i = 0; i < n; i++)
    if (b->items[i].step == STEP_HASHED) item_probe(b, &b->items[i], table);
  for (size_t i = 0; i < n; i++)
    if (b->items[i].step == STEP_HASHED && b->items[i].number)
      atom_prefetch(b->store, atom_id_make(ATOM_IRI, b->items[i].number));
  for (size_t i = 0; i < n; i++) {
    if ((st = item_finish(b, &b->items[i], from + i, err))) return st;
    if (b->prepare) item_note(b, &b->items[i], from + i);
  }
  return QUOIN_OK;
}

/* The caller has set store, terms, hashes, out, add, mark and what was or is to be prepared. */
static quoin_status
batch_run(batch *b, size_t n, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  base_arena_init(&b->vectors, b->store->mem);
  for (size_t i = 0; i < CACHE_SLOTS; i++)
    b->cache.slots[i].number = 0;
  for (size_t from = 0; !st && from < n; from += GROUP) {
    st = group_run(b, from, n - from < GROUP ? n - from : GROUP, err);
    base_arena_reset(&b->vectors);
  }
  base_arena_clear(&b->vectors);
  return st;
}

static void
batch_init(batch *b, atom_id *out, atom_store *store, const rdf_term *terms, uint64_t mark)
{
  b->store = store; /* the items are big and set one by one */
  b->terms = terms;
  b->hashes = NULL;
  b->prepared = NULL;
  b->prepare = NULL;
  b->out = out;
  b->add = false;
  b->mark = mark;
}

quoin_status
atom_intern_hashed(atom_id *out, atom_store *store, const rdf_term *terms, const uint64_t *hashes,
                   const atom_prepared *prepared, size_t n, quoin_error *err)
{
  batch b;
  atom_assert_writer(store, "atom_intern_batch");
  uint64_t before = atomic_load_explicit(&store->terms, memory_order_relaxed);
  atom_grow_reclaim(store);
  batch_init(&b, out, store, terms, UINT64_MAX);
  b.hashes = hashes;
  b.prepared = prepared;
  b.add = true;
  quoin_status st = batch_run(&b, n, err);
  if (st) atom_terms_rollback(store, before);
  return st;
}

quoin_status
atom_intern_batch(atom_id *out, atom_store *store, const rdf_term *terms, size_t n,
                  quoin_error *err)
{
  return atom_intern_hashed(out, store, terms, NULL, NULL, n, err);
}

uint64_t
atom_hash(const rdf_term *term)
{
  atom_key key = {.kind = ATOM_IRI, .value = term->value, .lang = term->lang};
  if (term->kind != RDF_IRI) key.kind = atom_datatype_kind(term->datatype, term->lang.len > 0);
  if (term->kind == RDF_BLANK) key.kind = ATOM_BLANK;
  /* The datatype's number is not known here: its length tells most of them apart. */
  key.datatype = term->datatype.len;
  atom_key_hash(&key);
  return key.hash;
}

quoin_status
atom_find_batch(atom_id *out, const atom_store *store, const rdf_term *terms, size_t n,
                uint64_t mark, quoin_error *err)
{
  batch b;
  atom_assert_reader(store, "atom_find_batch");
  batch_init(&b, out, (atom_store *)(uintptr_t)store, terms, mark);
  return batch_run(&b, n, err);
}

/* ---- what can be done before --------------------------------------------------------------------
 */

/* Texts of terms that are new, as far as can be seen, in symbols. */
static quoin_status
prepare_texts(atom_prepared *out, base_arena *arena, const atom_symbols *symbols,
              const rdf_term *terms, size_t n, quoin_error *err)
{
  size_t many = 0, bytes = 0;
  for (size_t i = 0; i < n; i++) {
    if (!out[i].kind || out[i].id.bits || !atom_code_is_worth(out[i].kind, terms[i].value))
      continue;
    many++;
    if (!base_add_size(&bytes, bytes, terms[i].value.len)) return base_fail_nomem(err);
  }
  if (!many) return QUOIN_OK;
  quoin_span *spans = base_arena_new(arena, 2 * many, sizeof(*spans)), *coded = spans + many;
  char *to = bytes <= SIZE_MAX / 2 ? base_arena_bytes(arena, 2 * bytes) : NULL;
  if (!spans || !to) return base_fail_nomem(err);
  many = 0;
  for (size_t i = 0; i < n; i++)
    if (out[i].kind && !out[i].id.bits && atom_code_is_worth(out[i].kind, terms[i].value))
      spans[many++] = terms[i].value;
  atom_symbols_encode_all(coded, to, symbols, spans, many);
  many = 0;
  for (size_t i = 0; i < n; i++)
    if (out[i].kind && !out[i].id.bits && atom_code_is_worth(out[i].kind, terms[i].value))
      out[i].coded = coded[many++];
  return QUOIN_OK;
}

quoin_status
atom_prepare(atom_prepared *out, base_arena *arena, atom_store *store, const rdf_term *terms,
             const uint64_t *hashes, size_t n, quoin_error *err)
{
  batch b;
  if (!n) return QUOIN_OK;
  atom_id *ids = base_arena_new(arena, n, sizeof(*ids));
  if (!ids) return base_fail_nomem(err);
  memset(out, 0, n * sizeof(*out));
  atom_store_pin(store);
  batch_init(&b, ids, store, terms, atom_store_terms(store));
  b.hashes = hashes;
  b.prepare = out;
  quoin_status st = batch_run(&b, n, err);
  atom_store_unpin(store);
  const atom_symbols *symbols = atomic_load(&store->symbols);
  return st || !symbols ? st : prepare_texts(out, arena, symbols, terms, n, err);
}
