/* quadstore/txn.c - building transactions; commit.c applies them. */
#include "quadstore/txn.h"

#include "base/poison.h"

static quoin_status
begin(quad_txn **out, quad_store *store, bool writer, base_cancel *cancel, quoin_error *err)
{
  quad_txn *txn;
  quoin_status st = quad_store_may_write(store, err);

  *out = NULL;
  if (st) return st;
  if (!(txn = base_new_zero(store->mem, 1, sizeof *txn))) return base_fail_nomem(err);
  txn->store = store;
  txn->mem = store->mem;
  /* seq_cst, before the snapshot is taken: a commit that does not see this one makes a version
   * after the snapshot whose changes it does not keep, and says so (quad_history.from) */
  (void)atomic_fetch_add(&store->open_txns, 1);
  if ((st = atom_local_new(&txn->local, store->mem, err))) goto done;
  if (writer) {
    if ((st = quad_store_delay(store, quad_store_patience(store), cancel, err))) goto done;
    if ((st = quad_store_enter_within(store, cancel, err))) goto done;
    txn->writer = true;
    if ((st = quad_store_may_write(store, err))) goto done;
  }
  if ((st = quad_snapshot_acquire(&txn->snapshot, store, err))) goto done;
  *out = txn;
  txn = NULL;

done:
  quad_txn_abort(txn);
  return st;
}

quoin_status
quad_txn_begin(quad_txn **out, quad_store *store, quoin_error *err)
{
  return begin(out, store, false, NULL, err);
}

quoin_status
quad_txn_begin_writer(quad_txn **out, quad_store *store, base_cancel *cancel, quoin_error *err)
{
  return begin(out, store, true, cancel, err);
}

void
quad_txn_abort(quad_txn *txn)
{
  if (!txn) return;
  (void)atomic_fetch_sub(&txn->store->open_txns, 1);
  if (txn->writer) quad_store_leave(txn->store);
  quad_snapshot_release(txn->own);
  quad_snapshot_release(txn->snapshot);
  atom_local_free(txn->local);
  base_release(txn->mem, txn->changes, txn->room, sizeof *txn->changes);
  base_release(txn->mem, txn->slots, txn->n_slots, sizeof *txn->slots);
  base_release(txn->mem, txn->scans, txn->scans_room, sizeof *txn->scans);
  base_release(txn->mem, txn->pending, txn->pending_room, sizeof *txn->pending);
  base_release(txn->mem, txn, 1, sizeof *txn);
}

atom_local *
quad_txn_local(quad_txn *txn)
{
  return txn->local;
}

static bool
same_quad(const quad *a, const quad *b)
{
  return memcmp(a, b, sizeof *a) == 0;
}

/* The slot of `q`, or the free one where it would go. */
static uint32_t *
find_slot(const quad_txn *txn, const quad *q)
{
  size_t at = (size_t)base_hash(q, sizeof *q) & (txn->n_slots - 1);

  while (txn->slots[at] && !same_quad(&txn->changes[txn->slots[at] - 1].q, q))
    at = (at + 1) & (txn->n_slots - 1);
  return &txn->slots[at];
}

static quoin_status
grow_slots(quad_txn *txn, quoin_error *err)
{
  size_t n = txn->n_slots ? txn->n_slots * 2 : 16;
  uint32_t *slots = base_new_zero(txn->mem, n, sizeof *slots);

  if (!slots) return base_fail_nomem(err);
  base_release(txn->mem, txn->slots, txn->n_slots, sizeof *slots);
  txn->slots = slots;
  txn->n_slots = n;
  for (size_t i = 0; i < txn->n; i++)
    *find_slot(txn, &txn->changes[i].q) = (uint32_t)i + 1;
  return QUOIN_OK;
}

/* Remember that txn->own is older than change `i`. */
static quoin_status
note_pending(quad_txn *txn, uint32_t i, quoin_error *err)
{
  void *items = txn->pending;

  if (!txn->own || txn->changes[i].pending) return QUOIN_OK;
  if (!base_reserve(txn->mem, &items, &txn->pending_room, txn->n_pending + 1, sizeof(uint32_t)))
    return base_fail_nomem(err);
  txn->pending = items;
  txn->pending[txn->n_pending++] = i;
  txn->changes[i].pending = true;
  return QUOIN_OK;
}

static quoin_status
put(quad_txn *txn, const quad *q, bool remove, quoin_error *err)
{
  uint32_t *slot;
  quoin_status st;

  if (txn->n >= UINT32_MAX - 1)
    return base_fail(err, QUOIN_ERR_LIMIT, "the transaction has too many changes: use a bulk load");
  if ((txn->n + 1) * 2 > txn->n_slots && (st = grow_slots(txn, err))) return st;
  slot = find_slot(txn, q);
  if (*slot) {
    if ((st = note_pending(txn, *slot - 1, err))) return st;
    txn->changes[*slot - 1].remove = remove;
    return QUOIN_OK;
  }
  void *items = txn->changes;
  if (!base_reserve(txn->mem, &items, &txn->room, txn->n + 1, sizeof *txn->changes))
    return base_fail_nomem(err);
  txn->changes = items;
  txn->changes[txn->n] = (quad_change){.q = *q, .remove = remove};
  if ((st = note_pending(txn, (uint32_t)txn->n, err))) return st;
  *slot = (uint32_t)++txn->n;
  return QUOIN_OK;
}

static quoin_status
check_ids(const quad *q, quoin_error *err)
{
  for (unsigned k = 0; k < 3; k++)
    if (!q->term[k].bits)
      return base_fail(err, QUOIN_ERR_ARGUMENT, "a quad needs subject, predicate and object");
  return QUOIN_OK;
}

quoin_status
quad_txn_add_ids(quad_txn *txn, const quad *q, quoin_error *err)
{
  quoin_status st = check_ids(q, err);

  return st ? st : put(txn, q, false, err);
}

quoin_status
quad_txn_remove_ids(quad_txn *txn, const quad *q, quoin_error *err)
{
  quoin_status st = check_ids(q, err);

  return st ? st : put(txn, q, true, err);
}

/* Stored or inline id, else a local one. Blank labels belong to the transaction. */
static quoin_status
resolve(quad *q, quad_txn *txn, const rdf_term terms[4], quoin_error *err)
{
  uint64_t mark = quad_snapshot_atom_mark(txn->snapshot);

  for (unsigned k = 0; k < 4; k++) {
    quoin_status st = QUOIN_OK;
    q->term[k] = ATOM_NONE_ID;
    if (terms[k].kind == RDF_NONE) continue;
    if (terms[k].kind != RDF_BLANK)
      st = atom_find(&q->term[k], quad_snapshot_atoms(txn->snapshot), &terms[k], mark, err);
    if (!st && !q->term[k].bits) st = atom_local_intern(&q->term[k], txn->local, &terms[k], err);
    if (st) return st;
  }
  return check_ids(q, err);
}

quoin_status
quad_txn_add(quad_txn *txn, const rdf_term quad_terms[4], quoin_error *err)
{
  quad q;
  quoin_status st = resolve(&q, txn, quad_terms, err);

  return st ? st : put(txn, &q, false, err);
}

quoin_status
quad_txn_remove(quad_txn *txn, const rdf_term quad_terms[4], quoin_error *err)
{
  quad q;
  quoin_status st = resolve(&q, txn, quad_terms, err);

  return st ? st : put(txn, &q, true, err);
}

quoin_status
quad_txn_scanned(quad_txn *txn, const quad_pattern *pattern, quoin_error *err)
{
  enum { RECENT = 16, MOST = 4096 };
  void *items = txn->scans;

  if (txn->writer) return QUOIN_OK;
  for (size_t i = 0; i < RECENT && i < txn->n_scans; i++)
    if (!memcmp(&txn->scans[txn->n_scans - 1 - i], pattern, sizeof *pattern)) return QUOIN_OK;
  if (txn->n_scans == MOST) { /* it has read about everything */
    memset(txn->scans, 0, sizeof *txn->scans);
    txn->scans[0].scope = QUAD_ANY;
    return QUOIN_OK;
  }
  if (!base_reserve(txn->mem, &items, &txn->scans_room, txn->n_scans + 1, sizeof *txn->scans))
    return base_fail_nomem(err);
  txn->scans = items;
  txn->scans[txn->n_scans++] = *pattern;
  return QUOIN_OK;
}

quoin_status
quad_txn_snapshot(quad_snapshot **out, quad_txn *txn, quoin_error *err)
{
  const quad_version *base = (txn->own ? txn->own : txn->snapshot)->version;
  size_t n = txn->own ? txn->n_pending : txn->n;
  quad_snapshot *next = NULL;
  quad_version *v = NULL;
  quad_changes changes;
  uint64_t added, removed;
  quoin_status st = QUOIN_OK;

  *out = NULL;
  quad_changes_init(&changes, txn->mem);
  for (size_t i = 0; i < n; i++) {
    const quad_change *ch = &txn->changes[txn->own ? txn->pending[i] : i];
    if ((st = quad_changes_add(&changes, &ch->q, ch->remove, err))) goto done;
  }
  if ((st = quad_changes_net(&added, &removed, &changes, base, err))) goto done;
  if (added || removed) {
    if ((st = quad_version_add_changes(&v, base, &changes, txn->mem, err))) goto done;
    if ((st = quad_snapshot_make(&next, v, txn->mem, err))) goto done;
  } else {
    next = quad_snapshot_retain(txn->own ? txn->own : txn->snapshot);
  }
  for (size_t i = 0; i < txn->n_pending; i++)
    txn->changes[txn->pending[i]].pending = false;
  txn->n_pending = 0;
  quad_snapshot_release(txn->own);
  txn->own = next;

done:
  quad_changes_clear(&changes);
  if (!st) *out = quad_snapshot_retain(txn->own);
  return st;
}
