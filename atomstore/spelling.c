/* atomstore/spelling.c - language strings that differ in the case of their tags. */
#include "atomstore/intern.h"

#include "base/poison.h"

quoin_status
atom_spellings_add(atom_spellings *list, atom_id id, quoin_error *err)
{
  if (list->n == list->cap) {
    size_t cap = list->cap ? list->cap * 2 : 4;
    atom_id *ids = base_arena_new(list->arena, cap, sizeof(*ids));
    if (!ids) return base_fail_nomem(err);
    if (list->n) memcpy(ids, list->ids, list->n * sizeof(*ids));
    list->ids = ids;
    list->cap = cap;
  }
  list->ids[list->n++] = id;
  return QUOIN_OK;
}

/* Within a table newer terms lie behind older ones, so the ids ascend. */
quoin_status
atom_find_spellings(atom_id **out, size_t *n, const atom_store *store, const rdf_term *term,
                    uint64_t mark, base_arena *arena, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  atom_spellings list = {.arena = arena};
  atom_assert_reader(store, "atom_find_spellings");
  if (term->kind == RDF_LITERAL && term->lang.len) {
    atom_key key;
    uint64_t in_files = mark < store->file_terms ? mark : store->file_terms;
    atom_key_of(&key, term, 0);
    st = atom_table_spellings(&list, store, atom_table_now(store), &key, in_files, err);
    if (!st && store->overlay && mark > store->file_terms)
      st = atom_overlay_spellings(&list, store, &key, mark, err);
  }
  *out = list.ids;
  *n = list.n;
  return st;
}
