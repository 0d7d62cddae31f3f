/* atomstore/local.c - terms of one query or transaction that are not in the store. */
#include "atomstore/vector.h"

#include "base/poison.h"

typedef struct local_slot {
  uint64_t hash;
  uint64_t number; /* 0: empty */
} local_slot;

struct atom_local {
  const base_alloc *mem;
  base_arena text;
  rdf_term *terms; /* number n at n - 1 */
  size_t count, cap;
  local_slot *slots; /* a power of two, at load up to 0.5; NULL at first */
  size_t n_slots;
};

quoin_status
atom_local_new(atom_local **out, const base_alloc *mem, quoin_error *err)
{
  *out = base_new_zero(mem, 1, sizeof(**out));
  if (!*out) return base_fail_nomem(err);
  (*out)->mem = mem;
  base_arena_init(&(*out)->text, mem);
  return QUOIN_OK;
}

void
atom_local_free(atom_local *local)
{
  if (!local) return;
  base_arena_clear(&local->text);
  base_release(local->mem, local->terms, local->cap, sizeof(*local->terms));
  base_release(local->mem, local->slots, local->n_slots, sizeof(*local->slots));
  base_release(local->mem, local, 1, sizeof(*local));
}

void
atom_local_reset(atom_local *local)
{
  if (local->count) memset(local->slots, 0, local->n_slots * sizeof(*local->slots));
  local->count = 0;
  base_arena_reset(&local->text);
}

static uint64_t
term_hash(const rdf_term *term)
{
  uint64_t seed = (uint64_t)term->kind;
  if (term->datatype.len) seed = base_hash_seed(term->datatype.ptr, term->datatype.len, seed);
  if (term->lang.len) seed += atom_tag_hash(term->lang);
  return base_hash_seed(term->value.len ? term->value.ptr : "", term->value.len, seed);
}

/* Room for one more. */
static bool
slots_grow(atom_local *local)
{
  if ((local->count + 1) * 2 <= local->n_slots) return true;
  size_t n = local->n_slots ? local->n_slots * 2 : 64;
  local_slot *slots = base_new_zero(local->mem, n, sizeof(*slots));
  if (!slots) return false;
  for (size_t i = 0; i < local->n_slots; i++) {
    if (!local->slots[i].number) continue;
    size_t at = local->slots[i].hash & (n - 1);
    while (slots[at].number)
      at = (at + 1) & (n - 1);
    slots[at] = local->slots[i];
  }
  base_release(local->mem, local->slots, local->n_slots, sizeof(*slots));
  local->slots = slots;
  local->n_slots = n;
  return true;
}

/* False when out of memory. */
static bool
span_copy(quoin_span *out, base_arena *arena, quoin_span text)
{
  *out = (quoin_span){NULL, 0};
  if (text.len == 0) return true;
  *out = base_arena_copy(arena, text);
  return out->ptr != NULL;
}

/* The same for floats, which must be aligned. */
static bool
floats_copy(quoin_span *out, base_arena *arena, quoin_span floats)
{
  char *at = base_arena_new(arena, floats.len, 1);
  if (!at) return false;
  memcpy(at, floats.ptr, floats.len);
  *out = (quoin_span){at, floats.len};
  return true;
}

static bool
value_copy(rdf_term *out, base_arena *arena, const rdf_term *term)
{
  if (term->kind == RDF_VECTOR) return floats_copy(&out->value, arena, term->value);
  return span_copy(&out->value, arena, term->value) &&
         span_copy(&out->datatype, arena, term->datatype) &&
         span_copy(&out->lang, arena, term->lang);
}

static bool
term_add(atom_local *local, const rdf_term *term)
{
  void *items = local->terms;
  bool room =
      base_reserve(local->mem, &items, &local->cap, local->count + 1, sizeof(*local->terms));
  local->terms = items;
  if (!room) return false;
  rdf_term copy = {.kind = term->kind};
  base_arena_mark mark = base_arena_here(&local->text);
  if (!value_copy(&copy, &local->text, term)) {
    base_arena_rewind(&local->text, mark);
    return false;
  }
  local->terms[local->count++] = copy;
  return true;
}

static quoin_status
local_intern(atom_id *out, atom_local *local, const rdf_term *term, quoin_error *err)
{
  uint64_t hash = term_hash(term);
  if (!slots_grow(local)) return base_fail_nomem(err);
  size_t at = hash & (local->n_slots - 1);
  for (; local->slots[at].number; at = (at + 1) & (local->n_slots - 1)) {
    uint64_t number = local->slots[at].number;
    if (local->slots[at].hash != hash || !rdf_term_equal(&local->terms[number - 1], term)) continue;
    *out = atom_id_make(ATOM_LOCAL, number);
    return QUOIN_OK;
  }
  if (!term_add(local, term)) return base_fail_nomem(err);
  local->slots[at] = (local_slot){hash, local->count};
  *out = atom_id_make(ATOM_LOCAL, local->count);
  return QUOIN_OK;
}

quoin_status
atom_local_intern(atom_id *out, atom_local *local, const rdf_term *term, quoin_error *err)
{
  base_arena arena;
  rdf_term vector;
  *out = ATOM_NONE_ID;
  if (term->kind == RDF_NONE) return QUOIN_OK;
  base_arena_init(&arena, local->mem);
  quoin_status st = rdf_vector_of(&term, &vector, &arena, err);
  if (!st) st = local_intern(out, local, term, err);
  base_arena_clear(&arena);
  return st;
}

quoin_status
atom_local_spellings(atom_id **out, size_t *n, const atom_local *local, const rdf_term *term,
                     uint64_t count, base_arena *arena, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  atom_spellings list = {.arena = arena};
  if (term->lang.len && local->n_slots) {
    uint64_t hash = term_hash(term);
    size_t at = hash & (local->n_slots - 1);
    for (; !st && local->slots[at].number; at = (at + 1) & (local->n_slots - 1)) {
      uint64_t number = local->slots[at].number;
      const rdf_term *other = &local->terms[number - 1];
      if (number > count || local->slots[at].hash != hash || other->kind != term->kind) continue;
      if (base_span_equal(other->value, term->value) &&
          base_span_equal_nocase(other->lang, term->lang))
        st = atom_spellings_add(&list, atom_id_make(ATOM_LOCAL, number), err);
    }
  }
  *out = list.ids;
  *n = list.n;
  return st;
}

bool
atom_local_vector(const float **out, uint32_t *dimension, const atom_local *local, atom_id id)
{
  rdf_term term;
  atom_local_read(&term, local, id);
  *out = NULL;
  *dimension = 0;
  if (term.kind != RDF_VECTOR) return false;
  *out = (const float *)(const void *)term.value.ptr;
  *dimension = (uint32_t)(term.value.len / sizeof(float));
  return true;
}

quoin_status
atom_local_term(rdf_term *out, const atom_local *local, atom_id id, base_arena *arena,
                quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  if (atom_local_vector(&values, &dimension, local, id))
    return rdf_vector_text(out, values, dimension, arena, err);
  atom_local_read(out, local, id);
  if (out->kind == RDF_NONE)
    return base_fail(err, QUOIN_ERR_CORRUPT, "no term has the id %016llx",
                     (unsigned long long)id.bits);
  return QUOIN_OK;
}

rdf_kind
atom_local_kind(const atom_local *local, atom_id id)
{
  rdf_term term;
  atom_local_read(&term, local, id);
  return term.kind == RDF_VECTOR ? RDF_LITERAL : term.kind;
}

void
atom_local_read(rdf_term *out, const atom_local *local, atom_id id)
{
  uint64_t number = atom_id_payload(id);
  assert(atom_id_kind(id) == ATOM_LOCAL);
  if (local && number >= 1 && number <= local->count)
    *out = local->terms[number - 1];
  else
    *out = (rdf_term){.kind = RDF_NONE};
}

uint64_t
atom_local_count(const atom_local *local)
{
  return local->count;
}

size_t
atom_local_bytes(const atom_local *local)
{
  return local->text.used + local->cap * sizeof(*local->terms) +
         local->n_slots * sizeof(*local->slots) + sizeof(*local);
}
