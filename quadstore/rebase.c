/* quadstore/rebase.c - a transaction that began before the store's ids were given anew.
 *
 * Its ids are those of the atom store of its snapshot. They become ids of its own for the same
 * terms, which the commit looks up like any that the transaction brought along. Blank nodes keep
 * their numbers for as long as the store lives. */
#include "quadstore/txn.h"

#include "base/poison.h"

quoin_status
quad_txn_localize(atom_id *id, quad_txn *txn, base_arena *arena, quoin_error *err)
{
  rdf_term term;
  atom_kind kind = atom_id_kind(*id);
  quoin_status st;

  if (!id->bits || atom_id_is_inline(*id) || kind == ATOM_LOCAL || kind == ATOM_BLANK)
    return QUOIN_OK;
  if ((st = atom_read(&term, quad_snapshot_atoms(txn->snapshot), *id, arena, err))) return st;
  return atom_local_intern(id, txn->local, &term, err);
}

/* Was `q` there when the transaction began? */
static quoin_status
was_there(bool *out, const quad_txn *txn, const quad *q, quoin_error *err)
{
  unsigned part = q->term[QUAD_G].bits ? QUAD_PART_NAMED : QUAD_PART_DEFAULT;
  uint64_t rec[4];
  uint8_t was = 0;
  quoin_status st = QUOIN_OK;
  bool known = true;

  for (unsigned k = 0; k < 4; k++) {
    rec[k] = q->term[k].bits;
    known &= atom_id_kind(q->term[k]) != ATOM_LOCAL;
  }
  if (known)
    st = quad_version_present(&was, txn->snapshot->version, part, rec, 1, 4, txn->mem, err);
  *out = was;
  return st;
}

quoin_status
quad_txn_rebase(quad_txn *txn, quoin_error *err)
{
  base_arena arena;
  quoin_status st = QUOIN_OK;

  base_arena_init(&arena, txn->mem);
  for (size_t i = 0; i < txn->n && !st; i++) {
    quad_change *ch = &txn->changes[i];
    if (ch->remove) st = was_there(&ch->was, txn, &ch->q, err);
    for (unsigned k = 0; k < 4 && !st; k++)
      st = quad_txn_localize(&ch->q.term[k], txn, &arena, err);
    base_arena_reset(&arena);
  }
  txn->rebased = !st;
  base_arena_clear(&arena);
  return st;
}
