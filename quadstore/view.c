/* quadstore/view.c - the snapshot of a transaction: what it began with, and its own changes.
 *
 * Changes become runs of net entries behind those of the begin. They gather in memory and go to
 * files when they have become too many; files are merged when there are too many of those. */
#include "quadstore/txn.h"
#include "quadstore/words.h"

#include "base/poison.h"

/* Changes that become one run: 20 MB where all are of named graphs. */
enum { SHOW_ROWS = 1 << 16 };

/* Make `v`, which is taken over, the transaction's own. */
static quoin_status
take_view(quad_txn *txn, quad_version *v, quoin_error *err)
{
  quad_snapshot *next;
  quoin_status st = quad_snapshot_make(&next, v, txn->mem, err);

  if (st) return st;
  next->txn = txn;
  quad_snapshot_release(txn->own);
  txn->own = next;
  return QUOIN_OK;
}

/* What it began with; nothing is to be merged with the runs in it. */
static quoin_status
begin_view(quad_txn *txn, quoin_error *err)
{
  const quad_participant *p = &txn->store->participant;
  const quad_version *base = txn->snapshot->version;
  quad_version *v;
  quoin_status st = QUOIN_OK;

  if (p->view_new && !txn->view) st = p->view_new(&txn->view, p->self, txn->snapshot, err);
  if (st || (st = quad_version_like(&v, base, base->n_runs, txn->mem, err))) return st;
  for (size_t i = 0; i < base->n_runs; i++)
    quad_version_push(v, base->runs[i]);
  v->frozen = v->n_runs - quad_version_disk(v);
  return take_view(txn, v, err);
}

/* runs[from..) of the view become `run` (NULL: nothing). */
static quoin_status
replace_tail(quad_txn *txn, size_t from, quad_run *run, quoin_error *err)
{
  const quad_version *now = txn->own->version;
  quad_version *v;
  quoin_status st = quad_version_like(&v, now, from + 1, txn->mem, err);

  if (st) return st;
  for (size_t i = 0; i < from; i++)
    quad_version_push(v, now->runs[i]);
  if (run) quad_version_push(v, run);
  return take_view(txn, v, err);
}

/* Its newest runs, from `from` on, become one file, the last `files` of which were files. */
static quoin_status
write_tail(quad_txn *txn, size_t from, size_t files, quoin_error *err)
{
  const quad_version *v = txn->own->version;
  quad_run *run;
  quoin_status st =
      quad_spill_runs(&run, txn->store, v->orders, v->runs + from, v->n_runs - from, NULL, err);

  if (st) return st;
  if ((st = replace_tail(txn, from, run->entries ? run : NULL, err)) || !run->entries) {
    quad_spill_drop(txn->store, run);
    if (st) return st;
    run = NULL;
  }
  while (files--)
    quad_spill_drop(txn->store, txn->own_file[--txn->n_own_files]);
  if (run) txn->own_file[txn->n_own_files++] = run;
  return QUOIN_OK;
}

/* Too much of it is in memory, or in too many files. */
static quoin_status
settle(quad_txn *txn, quoin_error *err)
{
  const quad_version *v = txn->own->version;
  size_t from = quad_version_fixed(v), n;
  uint64_t bytes = 0;
  quoin_status st;

  for (size_t i = from; i < v->n_runs; i++)
    bytes += v->runs[i]->bytes;
  if (bytes <= txn->bytes / 2) return QUOIN_OK;
  if ((st = write_tail(txn, from, 0, err))) return st;
  if ((n = txn->n_own_files) <= QUAD_DISK_RUNS) return QUOIN_OK;
  from = quad_merge_from(txn->own_file, n);
  return write_tail(txn, txn->own->version->n_runs - (n - from), n - from, err);
}

/* The participant is told of net changes that are about to be shown. */
static quoin_status
tell(quad_txn *txn, const quad_changes *changes, quoin_error *err)
{
  const quad_participant *p = &txn->store->participant;
  quoin_status st = QUOIN_OK;

  for (unsigned part = 0; txn->view && part < QUAD_PARTS; part++) {
    const quad_records *r = &changes->part[part];
    for (size_t i = 0; !st && i < r->n; i++) {
      const uint64_t *rec = r->data + i * r->stride;
      quad q = {0};
      for (unsigned k = 0; k < r->keys; k++)
        q.term[k].bits = rec[k];
      st = p->view_note(txn->view, &q, rec[r->keys] != 0, err);
    }
  }
  return st;
}

/* Words on quads, each once, are shown. They are used up. */
static quoin_status
show(quad_txn *txn, quad_changes *changes, quoin_error *err)
{
  const quad_version *now = txn->own->version;
  quad_version *v;
  uint64_t added, removed;
  quoin_status st;

  if ((st = quad_changes_net(&added, &removed, changes, now, err))) return st;
  if (!added && !removed) return QUOIN_OK;
  if (txn->own == txn->snapshot && (st = begin_view(txn, err))) return st;
  now = txn->own->version;
  if ((st = tell(txn, changes, err))) return st;
  st = quad_version_add_changes(&v, now, changes, txn->mem, err);
  if (!st) st = take_view(txn, v, err);
  return st ? st : settle(txn, err);
}

/* Once there are enough of them, or at the `end`. */
static quoin_status
show_some(quad_txn *txn, quad_changes *changes, bool end, quoin_error *err)
{
  quoin_status st;

  if (quad_changes_count(changes) < SHOW_ROWS && !end) return QUOIN_OK;
  if (!quad_changes_count(changes)) return QUOIN_OK;
  st = show(txn, changes, err);
  changes->part[0].n = changes->part[1].n = 0;
  return st;
}

static quoin_status
show_words(quad_txn *txn, unsigned part, quad_changes *changes, quoin_error *err)
{
  quad_words w;
  const uint64_t *cols[4];
  const uint8_t *removed;
  size_t rows;
  quoin_status st =
      quad_words_open(&w, txn->words + txn->shown, txn->n_words - txn->shown, part, txn->mem, err);

  if (st) return st;
  while (!st && !(st = quad_words_next(cols, &removed, &rows, &w, err))) {
    for (size_t i = 0; !st && i < rows; i++) {
      quad q = {0};
      for (unsigned k = 0; k < w.keys; k++)
        q.term[k].bits = cols[k][i];
      st = quad_changes_add(changes, &q, removed[i], err);
    }
    if (!st) st = show_some(txn, changes, false, err);
  }
  quad_words_close(&w);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* All that `own` lacks. */
static quoin_status
show_all(quad_txn *txn, bool is_new, quoin_error *err)
{
  size_t n = is_new ? txn->n : txn->n_pending;
  quad_changes changes;
  quoin_status st = QUOIN_OK;

  quad_changes_init(&changes, txn->mem);
  for (unsigned part = 0; part < QUAD_PARTS && !st; part++)
    st = show_words(txn, part, &changes, err);
  if (!st) st = show_some(txn, &changes, true, err); /* what follows may be on the same quads */
  for (size_t i = 0; i < n && !st; i++) {
    const quad_change *ch = &txn->changes[is_new ? i : txn->pending[i]];
    if (!(st = quad_changes_add(&changes, &ch->q, ch->remove, err)))
      st = show_some(txn, &changes, false, err);
  }
  if (!st) st = show_some(txn, &changes, true, err);
  quad_changes_clear(&changes);
  return st;
}

void
quad_txn_drop_view(quad_txn *txn)
{
  while (txn->n_own_files)
    quad_spill_drop(txn->store, txn->own_file[--txn->n_own_files]);
  if (txn->view) txn->store->participant.view_free(txn->view);
  txn->view = NULL;
}

quoin_status
quad_txn_snapshot(quad_snapshot **out, quad_txn *txn, quoin_error *err)
{
  bool is_new = !txn->own;
  quoin_status st;

  *out = NULL;
  if (is_new) txn->own = quad_snapshot_retain(txn->snapshot);
  /* again does no harm: entries are net; what is in the table is newer than files shown again */
  st = show_all(txn, is_new || txn->shown < txn->n_words, err);
  if (st && is_new) { /* what is not shown is not listed yet */
    quad_snapshot_release(txn->own);
    txn->own = NULL;
    quad_txn_drop_view(txn);
  }
  if (st) return st;
  for (size_t i = 0; i < txn->n_pending; i++)
    txn->changes[txn->pending[i]].pending = false;
  txn->n_pending = 0;
  txn->shown = txn->n_words;
  *out = quad_snapshot_retain(txn->own);
  return QUOIN_OK;
}
