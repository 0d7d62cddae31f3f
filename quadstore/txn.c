/* quadstore/txn.c - building transactions; commit.c applies them. */
#include "quadstore/txn.h"
#include "quadstore/words.h"

#include "base/poison.h"

/* Of a change in memory: itself, its slots, and what sorting it takes: two records, a row. */
enum { CHANGE_BYTES = 40 + 16 + 80 + 33, CHANGES_LEAST = 16 };

/* ---- the memory of new terms ----------------------------------------------------------------- */

static bool
has_room(void *user, uint64_t held, size_t bytes)
{
  const quad_txn *txn = user;

  return held + bytes <= txn->bytes / 2;
}

static quoin_status
make_file(base_file *out, void *user, quoin_error *err)
{
  quad_txn *txn = user;
  char name[QUAD_SPILL_NAME];
  quoin_status st;

  (void)quad_spill_name(name, txn->store);
  st = base_file_open(out, &txn->store->dir, name, BASE_FILE_CREATE_NEW, err);
  if (!st) memcpy(txn->local_file, name, sizeof name);
  return st;
}

static quoin_status
make_local(quad_txn *txn, quoin_error *err)
{
  const base_disk_memory_rules rules = {txn->mem, has_room, NULL, make_file, txn};

  base_disk_memory_init(&txn->local_memory, &rules);
  return atom_local_new(&txn->local, &txn->local_memory.alloc, err);
}

static void
free_local(quad_txn *txn)
{
  atom_local_free(txn->local);
  base_disk_memory_clear(&txn->local_memory);
  if (txn->local_file[0]) (void)base_dir_unlink(&txn->store->dir, txn->local_file, NULL);
}

/* ---- begin and abort ------------------------------------------------------------------------- */

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
  txn->bytes = store->txn_bytes;
  /* seq_cst, before the snapshot is taken: a commit that does not see this one makes a version
   * after the snapshot whose changes it does not keep, and says so (quad_history.from) */
  (void)atomic_fetch_add(&store->open_txns, 1);
  if ((st = make_local(txn, err))) goto done;
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
  quad_txn_drop_view(txn);
  while (txn->n_words)
    quad_spill_drop(txn->store, txn->words[--txn->n_words]);
  quad_snapshot_release(txn->snapshot);
  free_local(txn);
  base_release(txn->mem, txn->changes, txn->room, sizeof *txn->changes);
  base_release(txn->mem, txn->slots, txn->n_slots, sizeof *txn->slots);
  base_release(txn->mem, txn->scans, txn->scans_room, sizeof *txn->scans);
  base_release(txn->mem, txn->pending, txn->pending_room, sizeof *txn->pending);
  base_release(txn->mem, txn, 1, sizeof *txn);
}

const quad_snapshot *
quad_txn_begun(const quad_txn *txn)
{
  return txn->snapshot;
}

atom_local *
quad_txn_local(quad_txn *txn)
{
  return txn->local;
}

/* ---- the table ------------------------------------------------------------------------------- */

quoin_status
quad_txn_failure(const quad_txn *txn, quoin_status st, quoin_error *err)
{
  return base_disk_memory_failure(&txn->local_memory, st, err);
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

/* Files of words become fewer: as many of the newest as merges of run files would take. */
static quoin_status
merge_words(quad_txn *txn, quoin_error *err)
{
  size_t from = quad_merge_from(txn->words, txn->n_words);
  quad_run *run;
  quoin_status st = quad_words_merge(&run, txn->store, txn->words + from, txn->n_words - from, err);

  if (st) return st;
  while (txn->n_words > from)
    quad_spill_drop(txn->store, txn->words[--txn->n_words]);
  txn->words[txn->n_words++] = run;
  if (txn->shown > from) txn->shown = from; /* some of it is shown already: that changes nothing */
  return QUOIN_OK;
}

quoin_status
quad_txn_spill(quad_txn *txn, quoin_error *err)
{
  static const uint8_t spo[4] = {QUAD_S, QUAD_P, QUAD_O, QUAD_G};
  const uint32_t order = 1u << QUAD_SPO;
  quad_changes changes;
  quad_run *run = NULL;
  quoin_status st = QUOIN_OK;

  if (!txn->n) return QUOIN_OK;
  if (txn->n_words == QUAD_WORDS_FILES && (st = merge_words(txn, err))) return st;
  quad_changes_init(&changes, txn->mem);
  for (size_t i = 0; !st && i < txn->n; i++)
    st = quad_changes_add(&changes, &txn->changes[i].q, txn->changes[i].remove, err);
  for (unsigned part = 0; !st && part < QUAD_PARTS; part++) {
    quad_records *r = &changes.part[part];
    quad_records_survey(r);
    st = quad_records_sort(r, spo, r->keys, txn->mem, err);
  }
  if (!st) st = quad_run_make(&run, NULL, 0, &changes, order, txn->mem, err);
  quad_changes_clear(&changes);
  if (!st) st = quad_spill_runs(&txn->words[txn->n_words], txn->store, order, &run, 1, NULL, err);
  quad_run_release(run);
  if (st) return st;
  txn->n_words++;
  txn->n = txn->n_pending = 0; /* words[shown..] are pending */
  memset(txn->slots, 0, txn->n_slots * sizeof *txn->slots);
  if (txn->local_memory.open) base_map_drop(&txn->local_memory.map);
  return QUOIN_OK;
}

bool
quad_txn_is_large(const quad_txn *txn)
{
  return txn->n_words || (txn->n && atom_local_bytes(txn->local) > txn->bytes);
}

/* How many changes the table may have. */
static size_t
changes_most(const quad_txn *txn)
{
  uint64_t n = txn->bytes / CHANGE_BYTES;

  if (n > UINT32_MAX / 2) n = UINT32_MAX / 2;
  return n < CHANGES_LEAST ? CHANGES_LEAST : (size_t)n;
}

static quoin_status
put(quad_txn *txn, const quad *q, bool remove, quoin_error *err)
{
  uint32_t *slot;
  quoin_status st;

  if (txn->n >= changes_most(txn) && (st = quad_txn_spill(txn, err))) return st;
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
    if (st) return quad_txn_failure(txn, st, err);
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
