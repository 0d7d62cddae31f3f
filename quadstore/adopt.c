/* quadstore/adopt.c - the commit of a transaction that is too large for the log.
 *
 * What it said is read from its files in the order of the quads, the last word on each, put into
 * stored ids and handed to a bulk load that can remove, too: a run file of net entries, and a
 * manifest that names it. So its terms are made durable with the files of the atom store and its
 * quads with the run, neither passes through the log, and whatever may fail before the manifest is
 * swapped leaves the store as it was. docs/adrs/0023-transactions-past-memory.md. */
#include "quadstore/bulk.h"
#include "quadstore/txn.h"
#include "quadstore/words.h"

#include <stdlib.h>

#include "base/poison.h"

enum { FIND_TERMS = 1024, WANTED = -1 /* an id that is being made */ };

/* A removed quad, as the store has it now. */
typedef struct removal {
  uint64_t rec[4];
  bool was; /* there when the transaction began */
} removal;

typedef struct adoption {
  quad_txn *txn;
  quad_store *store;
  quad_bulk *bulk;
  const base_alloc *mem; /* of `ids`: as of the terms */
  bool moved;            /* a version came since the begin */
  bool anew;             /* ids are others now */
  atom_id *ids;          /* of local number i + 1, up to n_ids: stored, or 0 while unknown */
  size_t n_ids, room;
  base_arena arena;
  atom_id last[4], last_local[4]; /* of those that are others now: quads come sorted */

  /* the batch at hand */
  size_t n;
  quad q[QUAD_BATCH];
  uint8_t remove[QUAD_BATCH], was[QUAD_BATCH];
  quad out[QUAD_BATCH];
  removal removed[QUAD_BATCH];
  uint64_t recs[4 * QUAD_BATCH];
  uint64_t number[4 * QUAD_BATCH]; /* of local terms that are to be made */
  rdf_term term[4 * QUAD_BATCH];
  atom_id made[4 * QUAD_BATCH];
} adoption;

/* ---- terms ----------------------------------------------------------------------------------- */

/* Look up the local terms that were not yet: another commit may have interned them. */
static quoin_status
find_locals(adoption *a, quoin_error *err)
{
  size_t count = (size_t)atom_local_count(a->txn->local), room = a->room;
  void *items = a->ids;

  if (count == a->n_ids) return QUOIN_OK;
  if (!base_reserve(a->mem, &items, &room, count, sizeof *a->ids))
    return base_disk_memory_failure(&a->txn->local_memory, base_fail_nomem(err), err);
  a->ids = items;
  a->room = room;
  while (a->n_ids < count) {
    size_t n = count - a->n_ids < FIND_TERMS ? count - a->n_ids : FIND_TERMS;
    quoin_status st;
    for (size_t i = 0; i < n; i++) {
      atom_local_read(&a->term[i], a->txn->local, atom_id_make(ATOM_LOCAL, a->n_ids + i + 1));
      if (a->term[i].kind == RDF_BLANK) a->term[i] = (rdf_term){.kind = RDF_NONE};
    }
    st = atom_find_batch(a->ids + a->n_ids, a->store->atoms, a->term, n, UINT64_MAX, err);
    if (st) return st;
    a->n_ids += n;
  }
  return QUOIN_OK;
}

/* The ids of the batch that were stored ones are those of other files: make them local. */
static quoin_status
localize(adoption *a, quoin_error *err)
{
  for (size_t i = 0; i < a->n; i++)
    for (unsigned k = 0; k < 4; k++) {
      atom_id *id = &a->q[i].term[k], from = *id;
      quoin_status st;
      if (from.bits && from.bits == a->last[k].bits) {
        *id = a->last_local[k];
        continue;
      }
      if ((st = quad_txn_localize(id, a->txn, &a->arena, err))) return st;
      base_arena_reset(&a->arena);
      a->last[k] = from;
      a->last_local[k] = *id;
    }
  return QUOIN_OK;
}

/* Stored ids for the new terms of quads that are added: such a quad is in no version. */
static quoin_status
intern_batch(adoption *a, quoin_error *err)
{
  size_t n = 0;
  quoin_status st;

  for (size_t i = 0; i < a->n; i++)
    for (unsigned k = 0; !a->remove[i] && k < 4; k++) {
      uint64_t number = atom_id_payload(a->q[i].term[k]);
      if (atom_id_kind(a->q[i].term[k]) != ATOM_LOCAL || a->ids[number - 1].bits) continue;
      atom_local_read(&a->term[n], a->txn->local, a->q[i].term[k]);
      if (a->term[n].kind == RDF_BLANK) {
        a->ids[number - 1] = atom_blank_new(a->store->atoms);
        continue;
      }
      a->ids[number - 1].bits = (uint64_t)WANTED;
      a->number[n++] = number;
    }
  if (!n) return QUOIN_OK;
  if ((st = atom_intern_batch(a->made, a->store->atoms, a->term, n, err))) return st;
  for (size_t i = 0; i < n; i++)
    a->ids[a->number[i] - 1] = a->made[i];
  return QUOIN_OK;
}

/* ---- conflicts ------------------------------------------------------------------------------- */

/* Which of the removed quads of the batch were there at the begin. */
static quoin_status
look_back(adoption *a, unsigned part, quoin_error *err)
{
  const quad_version *then = a->txn->snapshot->version;
  size_t n = 0;
  uint8_t *was = (uint8_t *)a->made; /* not in use yet */
  quoin_status st;

  for (size_t i = 0; i < a->n; i++)
    if (a->remove[i]) {
      for (unsigned k = 0; k < 4; k++)
        a->recs[4 * n + k] = a->q[i].term[k].bits;
      n++;
    }
  if (!n) return QUOIN_OK;
  if ((st = quad_version_present(was, then, part, a->recs, n, 4, a->txn->mem, err))) return st;
  n = 0;
  for (size_t i = 0; i < a->n; i++)
    if (a->remove[i]) a->was[i] = was[n++];
  return QUOIN_OK;
}

static int
compare_removals(const void *a, const void *b)
{
  return quad_key_compare(((const removal *)a)->rec, ((const removal *)b)->rec, 4);
}

static quoin_status
conflict(quoin_error *err)
{
  return base_fail(err, QUOIN_ERR_CONFLICT,
                   "a later commit changed a quad that this transaction removes: try it again");
}

/* CONFLICT when one of `n` removed quads has come or gone since the begin. */
static quoin_status
compare_with_now(adoption *a, size_t n, unsigned part, quoin_error *err)
{
  uint8_t *is = (uint8_t *)a->made;
  quoin_status st;

  if (!n) return QUOIN_OK;
  qsort(a->removed, n, sizeof *a->removed, compare_removals);
  for (size_t i = 0; i < n; i++)
    memcpy(a->recs + 4 * i, a->removed[i].rec, sizeof a->removed[i].rec);
  st = quad_version_present(is, a->store->version, part, a->recs, n, 4, a->txn->mem, err);
  for (size_t i = 0; !st && i < n; i++)
    if ((is[i] != 0) != a->removed[i].was) st = conflict(err);
  return st;
}

/* ---- quads ----------------------------------------------------------------------------------- */

static quoin_status
remove_batch(adoption *a, unsigned part, quoin_error *err)
{
  size_t n = 0;
  quoin_status st;

  for (size_t i = 0; i < a->n; i++) {
    if (!a->remove[i]) continue;
    if (quad_txn_translate(&a->out[n], &a->q[i], a->ids)) {
      removal *r = &a->removed[n];
      for (unsigned k = 0; k < 4; k++)
        r->rec[k] = a->out[n].term[k].bits;
      r->was = a->was[i];
      n++;
    } else if (a->moved && a->was[i]) { /* its terms are not even stored any more */
      return conflict(err);
    }
  }
  if (a->moved && (st = compare_with_now(a, n, part, err))) return st;
  return n ? quad_bulk_remove(a->bulk, a->out, n, err) : QUOIN_OK;
}

static quoin_status
add_batch(adoption *a, quoin_error *err)
{
  size_t n = 0;
  quoin_status st = intern_batch(a, err);

  if (st) return st;
  for (size_t i = 0; i < a->n; i++)
    if (!a->remove[i]) (void)quad_txn_translate(&a->out[n++], &a->q[i], a->ids);
  return n ? quad_bulk_add(a->bulk, a->out, n, err) : QUOIN_OK;
}

static quoin_status
take_batch(adoption *a, unsigned part, quoin_error *err)
{
  quoin_status st = QUOIN_OK;

  if (a->moved) st = look_back(a, part, err);
  if (!st && a->anew) st = localize(a, err);
  if (!st) st = find_locals(a, err);
  if (!st) st = remove_batch(a, part, err);
  return st ? st : add_batch(a, err);
}

static quoin_status
take_part(adoption *a, unsigned part, quoin_error *err)
{
  const uint64_t *cols[4];
  const uint8_t *removed;
  quad_words w;
  quoin_status st = quad_words_open(&w, a->txn->words, a->txn->n_words, part, a->txn->mem, err);

  if (st) return st;
  while (!st && !(st = quad_words_next(cols, &removed, &a->n, &w, err))) {
    for (size_t i = 0; i < a->n; i++) {
      a->q[i] = (quad){0};
      for (unsigned k = 0; k < w.keys; k++)
        a->q[i].term[k].bits = cols[k][i];
    }
    memcpy(a->remove, removed, a->n);
    st = take_batch(a, part, err);
  }
  quad_words_close(&w);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* With the role and the manifest. */
static quoin_status
adopt(uint64_t *added, uint64_t *removed, adoption *a, quoin_error *err)
{
  const quad_version *now = a->store->version, *then = a->txn->snapshot->version;
  unsigned threads = a->store->executor.inline_jobs ? 1 : 2;
  quoin_status st = quad_bulk_begin_within(&a->bulk, a->store, a->txn->bytes, threads, err);

  if (st) return st;
  a->moved = now->number != then->number;
  a->anew = then->atoms != a->store->shared;
  a->txn->rebased = a->anew;
  st = find_locals(a, err);
  if (!st && a->moved) st = quad_txn_check_scans(a->txn, now, a->ids, err);
  for (unsigned part = 0; !st && part < QUAD_PARTS; part++)
    st = take_part(a, part, err);
  if (st) {
    quad_bulk_abort(a->bulk);
    return st;
  }
  if ((st = quad_bulk_publish(added, removed, a->bulk, NULL, err))) return st;
  if (*added || *removed)
    (void)atomic_fetch_add_explicit(&a->store->commits, 1, memory_order_relaxed);
  quad_store_maintain(a->store, 0);
  return QUOIN_OK;
}

quoin_status
quad_txn_adopt(uint64_t *added, uint64_t *removed, quad_txn *txn, quoin_error *err)
{
  quad_store *store = txn->store;
  adoption *a;
  quoin_status st = quad_txn_spill(txn, err);

  if (st) return st;
  if (!(a = base_new_zero(txn->mem, 1, sizeof *a))) return base_fail_nomem(err);
  a->txn = txn;
  a->store = store;
  a->mem = &txn->local_memory.alloc;
  base_arena_init(&a->arena, txn->mem);
  st = txn->writer ? quad_store_wait_idle(store, err) : quad_store_enter_idle(store, NULL, err);
  if (!st) {
    st = adopt(added, removed, a, err);
    if (!txn->writer) quad_store_leave(store);
  }
  base_release(a->mem, a->ids, a->room, sizeof *a->ids);
  base_arena_clear(&a->arena);
  base_release(txn->mem, a, 1, sizeof *a);
  return st;
}
