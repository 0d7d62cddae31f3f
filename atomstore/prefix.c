/* atomstore/prefix.c - which IRIs are stored as prefix and rest.
 *
 * The prefix is what comes before and with the last '/' or '#'. It gets a record of its own, just
 * before the second IRI that has it within some thousand terms: a prefix that occurs once would
 * cost more than it saves. What was seen is a function of the last WINDOW records alone, and is
 * read again from them after opening and rollback: so the same terms interned in the same order
 * after the same store get the same numbers, in a replay of the log too. */
#include "atomstore/store.h"

#include "base/poison.h"

enum { WINDOW = 16384, WINDOW_SLOTS = 8192, PREFIX_MIN = 8 };

typedef struct seen {
  uint64_t hash;
  uint64_t number; /* of the last IRI without a prefix that has it; 0: none */
} seen;

struct atom_window {
  bool valid;
  seen slots[WINDOW_SLOTS];
};

/* 0: not worth it. */
static size_t
cut(quoin_span iri)
{
  size_t len = iri.len;
  while (len > 0 && iri.ptr[len - 1] != '/' && iri.ptr[len - 1] != '#')
    len--;
  return len < PREFIX_MIN ? 0 : len;
}

static atom_key
prefix_key(quoin_span iri, size_t len)
{
  atom_key key = {.kind = ATOM_PREFIX, .value = {iri.ptr, len}};
  atom_key_hash(&key);
  return key;
}

static void
note(atom_window *window, uint64_t hash, uint64_t number)
{
  window->slots[hash % WINDOW_SLOTS] = (seen){hash, number};
}

/* Fill the window from the last records. */
static quoin_status
window_start(atom_store *store, uint64_t terms, quoin_error *err)
{
  if (!store->window) {
    store->window = base_new(store->mem, 1, sizeof(*store->window));
    if (!store->window) return base_fail_nomem(err);
  }
  memset(store->window, 0, sizeof(*store->window));
  for (uint64_t n = terms > WINDOW ? terms - WINDOW + 1 : 1; n <= terms; n++) {
    atom_record rec;
    uint16_t check;
    quoin_status st = atom_record_at(&rec, &check, store, n, err);
    if (st) return st;
    size_t len = rec.kind == ATOM_IRI && rec.link == 0 ? cut(rec.value) : 0;
    if (len) note(store->window, prefix_key(rec.value, len).hash, n);
  }
  store->window->valid = true;
  return QUOIN_OK;
}

quoin_status
atom_prefix_for(uint64_t *prefix, size_t *prefix_len, atom_store *store, quoin_span iri,
                quoin_error *err)
{
  atom_id id;
  quoin_status st;
  uint64_t terms = atomic_load_explicit(&store->terms, memory_order_relaxed);
  *prefix = 0;
  *prefix_len = 0;
  size_t len = cut(iri);
  if (len == 0) return QUOIN_OK;
  atom_key key = prefix_key(iri, len);
  if ((st = atom_key_find(&id, store, &key, UINT64_MAX, err))) return st;
  if (!id.bits) {
    if (!store->window || !store->window->valid)
      if ((st = window_start(store, terms, err))) return st;
    const seen *slot = &store->window->slots[key.hash % WINDOW_SLOTS];
    if (slot->number == 0 || slot->hash != key.hash || terms + 1 - slot->number > WINDOW)
      return QUOIN_OK;
    if ((st = atom_key_add(&id, store, &key, err))) return st;
    atomic_fetch_add_explicit(&store->prefixes, 1, memory_order_relaxed);
  }
  *prefix = atom_id_payload(id);
  *prefix_len = len;
  return QUOIN_OK;
}

void
atom_prefix_note(atom_store *store, quoin_span iri, uint64_t number)
{
  size_t len = cut(iri);
  if (len && store->window && store->window->valid)
    note(store->window, prefix_key(iri, len).hash, number);
}

void
atom_prefix_forget(atom_store *store)
{
  if (store->window) store->window->valid = false;
}

void
atom_window_free(atom_store *store)
{
  base_release(store->mem, store->window, 1, sizeof(*store->window));
  store->window = NULL;
}
