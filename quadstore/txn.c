/* quadstore/txn.c - transactions: the last word on each quad, applied at commit as net entries. */
#include "quadstore/changes.h"

#include <assert.h>

#include "base/poison.h"

enum { RELAXED_NS = 100 * 1000 * 1000, LOG_BYTES = 256 << 20 };

typedef struct change {
  quad q;
  bool remove;
  bool pending; /* not in txn->own yet */
} change;

struct quad_txn {
  quad_store *store;
  const base_alloc *mem;
  quad_snapshot *snapshot; /* of its begin */
  quad_snapshot *own;      /* with its changes but for the pending ones; NULL: none was asked for */
  atom_local *local;
  bool writer; /* from begin to end */
  change *changes;
  size_t n, room;
  uint32_t *pending; /* indexes of changes made since `own`; kept only when there is one */
  size_t n_pending, pending_room;
  uint32_t *slots; /* index + 1 into changes, by hash of the quad */
  size_t n_slots;
};

/* ---- building ------------------------------------------------------------------------------- */

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
  if ((st = atom_local_new(&txn->local, store->mem, err))) goto done;
  if (writer) {
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
  if (txn->writer) quad_store_leave(txn->store);
  quad_snapshot_release(txn->own);
  quad_snapshot_release(txn->snapshot);
  atom_local_free(txn->local);
  base_release(txn->mem, txn->changes, txn->room, sizeof *txn->changes);
  base_release(txn->mem, txn->slots, txn->n_slots, sizeof *txn->slots);
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
  txn->changes[txn->n] = (change){.q = *q, .remove = remove};
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
      st = atom_find(&q->term[k], txn->store->atoms, &terms[k], mark, err);
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
quad_txn_snapshot(quad_snapshot **out, quad_txn *txn, quoin_error *err)
{
  const quad_version *base = (txn->own ? txn->own : txn->snapshot)->version;
  size_t n = txn->own ? txn->n_pending : txn->n;
  quad_snapshot *next = NULL;
  quad_version *v = NULL;
  quad_run *run = NULL;
  quad_changes changes;
  uint64_t added, removed;
  quoin_status st = QUOIN_OK;

  *out = NULL;
  quad_changes_init(&changes, txn->mem);
  for (size_t i = 0; i < n; i++) {
    const change *ch = &txn->changes[txn->own ? txn->pending[i] : i];
    if ((st = quad_changes_add(&changes, &ch->q, ch->remove, err))) goto done;
  }
  if ((st = quad_changes_net(&added, &removed, &changes, base, err))) goto done;
  if (added || removed) {
    if ((st = quad_changes_run(&run, &changes, base->orders, err))) goto done;
    if ((st = quad_version_add_memory(&v, base, run, txn->mem, err))) goto done;
    if ((st = quad_snapshot_make(&next, v, txn->store->atoms, txn->mem, err))) goto done;
  } else {
    next = quad_snapshot_retain(txn->own ? txn->own : txn->snapshot);
  }
  for (size_t i = 0; i < txn->n_pending; i++)
    txn->changes[txn->pending[i]].pending = false;
  txn->n_pending = 0;
  quad_snapshot_release(txn->own);
  txn->own = next;

done:
  quad_run_release(run);
  quad_changes_clear(&changes);
  if (!st) *out = quad_snapshot_retain(txn->own);
  return st;
}

/* ---- committing ----------------------------------------------------------------------------- */

/* The state of one commit. */
typedef struct commit {
  quad_txn *txn;
  quad_store *store;
  atom_id *ids; /* of local number i + 1: stored, or 0 while unknown */
  size_t n_ids;
  quad_new_term *terms; /* interned by this commit */
  size_t n_terms, terms_room;
  quad_changes changes;
  uint64_t terms_before, blanks_before;
} commit;

/* Look up what the transaction called new: another commit may have interned it meanwhile. */
static quoin_status
find_locals(commit *c, quoin_error *err)
{
  c->n_ids = (size_t)atom_local_count(c->txn->local);
  if (!c->n_ids) return QUOIN_OK;
  if (!(c->ids = base_new_zero(c->txn->mem, c->n_ids, sizeof *c->ids))) return base_fail_nomem(err);
  for (size_t i = 0; i < c->n_ids; i++) {
    rdf_term term;
    quoin_status st;
    atom_local_read(&term, c->txn->local, atom_id_make(ATOM_LOCAL, i + 1));
    if (term.kind == RDF_BLANK) continue;
    if ((st = atom_find(&c->ids[i], c->store->atoms, &term, UINT64_MAX, err))) return st;
  }
  return QUOIN_OK;
}

/* *out with stored ids; false when a term is not stored. */
static bool
translate(quad *out, const commit *c, const quad *q)
{
  for (unsigned k = 0; k < 4; k++) {
    out->term[k] = q->term[k];
    if (atom_id_kind(q->term[k]) != ATOM_LOCAL) continue;
    assert(atom_id_payload(q->term[k]) - 1 < c->n_ids);
    out->term[k] = c->ids[atom_id_payload(q->term[k]) - 1];
    if (!out->term[k].bits) return false;
  }
  return true;
}

/* CONFLICT when a quad that is removed was added or removed since the transaction began. */
static quoin_status
find_conflict(const commit *c, quoin_error *err)
{
  const quad_version *now = c->store->version, *then = c->txn->snapshot->version;

  if (now->number == then->number) return QUOIN_OK;
  for (size_t i = 0; i < c->txn->n; i++) {
    const change *ch = &c->txn->changes[i];
    uint64_t rec[4];
    unsigned part = ch->q.term[QUAD_G].bits ? QUAD_PART_NAMED : QUAD_PART_DEFAULT;
    uint8_t is = 0, was = 0;
    quad q;
    quoin_status st;
    if (!ch->remove || !translate(&q, c, &ch->q)) continue;
    for (unsigned k = 0; k < 4; k++)
      rec[k] = q.term[k].bits;
    if ((st = quad_version_present(&is, now, part, rec, 1, 4, c->txn->mem, err))) return st;
    if ((st = quad_version_present(&was, then, part, rec, 1, 4, c->txn->mem, err))) return st;
    if (is != was)
      return base_fail(err, QUOIN_ERR_CONFLICT,
                       "a later commit changed a quad that this transaction removes: try it again");
  }
  return QUOIN_OK;
}

/* Give a stored id to each local term of `q`. */
static quoin_status
intern_quad(commit *c, const quad *q, quoin_error *err)
{
  for (unsigned k = 0; k < 4; k++) {
    rdf_term term;
    uint64_t before;
    atom_id *id;
    void *items = c->terms;
    quoin_status st;
    if (atom_id_kind(q->term[k]) != ATOM_LOCAL) continue;
    id = &c->ids[atom_id_payload(q->term[k]) - 1];
    if (id->bits) continue;
    atom_local_read(&term, c->txn->local, q->term[k]);
    if (term.kind == RDF_BLANK) {
      *id = atom_blank_new(c->store->atoms);
      continue;
    }
    if (!base_reserve(c->txn->mem, &items, &c->terms_room, c->n_terms + 1, sizeof *c->terms))
      return base_fail_nomem(err);
    c->terms = items;
    before = atom_store_terms(c->store->atoms);
    if ((st = atom_intern(id, c->store->atoms, &term, err))) return st;
    if (atom_store_terms(c->store->atoms) != before)
      c->terms[c->n_terms++] = (quad_new_term){*id, term};
  }
  return QUOIN_OK;
}

/* Net changes in stored ids: those of known terms against the version first, then the quads that
 * cannot be there because a term is new. */
static quoin_status
gather(uint64_t *added, uint64_t *removed, commit *c, quoin_error *err)
{
  const quad_txn *txn = c->txn;
  quad q;
  quoin_status st;

  for (size_t i = 0; i < txn->n; i++)
    if (translate(&q, c, &txn->changes[i].q) &&
        (st = quad_changes_add(&c->changes, &q, txn->changes[i].remove, err)))
      return st;
  if ((st = quad_changes_net(added, removed, &c->changes, c->store->version, err))) return st;
  for (size_t i = 0; i < txn->n; i++) {
    const change *ch = &txn->changes[i];
    bool fresh = false;
    for (unsigned k = 0; k < 4; k++) {
      /* a term interned a moment ago for another quad of this commit is still a new one */
      if (atom_id_kind(ch->q.term[k]) != ATOM_LOCAL) continue;
      atom_id id = c->ids[atom_id_payload(ch->q.term[k]) - 1];
      fresh |= !id.bits || (atom_id_kind(id) == ATOM_BLANK
                                ? atom_id_payload(id) > c->blanks_before
                                : !atom_id_is_inline(id) && atom_id_payload(id) > c->terms_before);
    }
    if (ch->remove || !fresh) continue;
    if ((st = intern_quad(c, &ch->q, err))) return st;
    (void)translate(&q, c, &ch->q);
    if ((st = quad_changes_add(&c->changes, &q, false, err))) return st;
    ++*added;
  }
  return QUOIN_OK;
}

/* The seam for group commit: append, then make durable as the store wants it. */
static quoin_status
log_commit(quad_store *store, const base_buffer *payload, quoin_error *err)
{
  quoin_status st = quad_log_append(&store->log, payload->data, payload->len, store->mem, err);

  if (st == QUOIN_ERR_NOMEM || st == QUOIN_ERR_NO_SPACE) return st; /* nothing was written */
  if (!st && store->durability == QUAD_SYNC_FULL) st = quad_log_sync(&store->log, err);
  if (!st && store->durability == QUAD_SYNC_RELAXED &&
      base_clock_ns() - store->synced_ns > RELAXED_NS) {
    st = quad_log_sync(&store->log, err);
    store->synced_ns = base_clock_ns();
  }
  atomic_store_explicit(&store->log_bytes, store->log.bytes, memory_order_relaxed);
  return quad_store_poison(store, st);
}

/* The record of the commit and the version after it; *next stays NULL when nothing changes. All
 * that can fail for want of memory happens here, before the log. */
static quoin_status
prepare(quad_version **next, base_buffer *payload, uint64_t *added, uint64_t *removed, commit *c,
        quoin_error *err)
{
  static const uint8_t spo[4] = {QUAD_S, QUAD_P, QUAD_O, QUAD_G};
  quad_store *store = c->store;
  quad_run *run = NULL;
  quoin_status st;

  if ((st = quad_store_may_write(store, err))) return st;
  if ((st = find_locals(c, err))) return st;
  if ((st = find_conflict(c, err))) return st;
  if ((st = gather(added, removed, c, err))) return st;
  if (!*added && !*removed) return QUOIN_OK;
  for (unsigned part = 0; part < QUAD_PARTS; part++) { /* those of new terms came last */
    quad_records *r = &c->changes.part[part];
    quad_records_survey(r);
    if ((st = quad_records_sort(r, spo, r->keys, store->mem, err))) return st;
  }
  quad_changes_write(payload, &c->changes, c->terms, c->n_terms, atom_store_blanks(store->atoms));
  if (payload->failed) return base_fail_nomem(err);
  if ((st = quad_changes_run(&run, &c->changes, store->version->orders, err))) return st;
  st = quad_version_add_memory(next, store->version, run, store->mem, err);
  quad_run_release(run);
  if (st) return st;
  (*next)->number++;
  (*next)->terms = atom_store_terms(store->atoms);
  return QUOIN_OK;
}

/* Past a bound of the memory runs or of the log, the runs go to disk and the log goes. */
static quoin_status
flush_if_full(quad_store *store)
{
  const quad_version *v = store->version;
  uint64_t bytes = 0;

  for (size_t i = 0; i < v->n_runs; i++)
    if (!v->runs[i]->disk) bytes += v->runs[i]->bytes;
  if (bytes <= store->memory_bytes && store->log.bytes <= LOG_BYTES) return QUOIN_OK;
  return quad_store_checkpoint(store, NULL);
}

quoin_status
quad_txn_commit(uint64_t *added, uint64_t *removed, quad_txn *txn, quoin_error *err)
{
  quad_store *store = txn->store;
  commit c = {.txn = txn, .store = store};
  quad_version *next = NULL;
  base_buffer payload;
  uint64_t n_added = 0, n_removed = 0;
  quoin_status st;

  base_buffer_init(&payload, txn->mem);
  quad_changes_init(&c.changes, txn->mem);
  if (!txn->writer) quad_store_enter(store);
  c.terms_before = atom_store_terms(store->atoms);
  c.blanks_before = atom_store_blanks(store->atoms);
  st = prepare(&next, &payload, &n_added, &n_removed, &c, err);
  if (!st && next) st = log_commit(store, &payload, err);
  if (!st && next) {
    quad_store_publish(store, next);
    next = NULL;
    /* The commit is safe whatever becomes of this; a failure poisons and shows up next time. */
    (void)flush_if_full(store);
  }
  if (st) atom_rollback(store->atoms, c.terms_before, c.blanks_before);
  if (!txn->writer) quad_store_leave(store);
  quad_version_release(next);
  quad_changes_clear(&c.changes);
  base_buffer_clear(&payload);
  base_release(txn->mem, c.ids, c.n_ids, sizeof *c.ids);
  base_release(txn->mem, c.terms, c.terms_room, sizeof *c.terms);
  if (added) *added = st ? 0 : n_added;
  if (removed) *removed = st ? 0 : n_removed;
  quad_txn_abort(txn);
  return st;
}
