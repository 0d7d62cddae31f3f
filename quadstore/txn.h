/* quadstore/txn.h - transactions: the last word on each quad, applied at commit as net entries.
 *
 * The words are in a hash table until they take txn->bytes; then they go to a file (words.h), and
 * the table begins anew. Terms that are new lie in a mapped file from half of that on. A
 * transaction with such files, or with that many bytes of terms, does not go through the log: see
 * adopt.c. */
#ifndef QUOIN_QUADSTORE_TXN_H
#define QUOIN_QUADSTORE_TXN_H

#include "quadstore/changes.h"
#include "quadstore/spill.h"

typedef struct quad_change {
  quad q;
  bool remove;
  bool pending; /* not in txn->own yet */
  bool was;     /* once rebased, of a removal: the quad was there at the begin */
} quad_change;

enum { QUAD_WORDS_FILES = 64 };

struct quad_txn {
  quad_store *store;
  const base_alloc *mem;
  uint64_t bytes;          /* that it may hold in memory */
  quad_snapshot *snapshot; /* of its begin */
  quad_snapshot *own;      /* with its changes but for those in words[shown..] and the pending ones;
                              NULL: none was asked for */
  quad_run *own_file[QUAD_DISK_RUNS + 1]; /* of the runs of `own`, those that were written here */
  size_t n_own_files;
  void *view; /* of the participant: what it keeps of the changes in `own`; NULL: nothing */
  atom_local *local;
  base_disk_memory local_memory;    /* where it lies ... */
  char local_file[QUAD_SPILL_NAME]; /* ... and its file; empty: none */
  bool writer;                      /* from begin to end */
  bool rebased; /* the stored ids of its changes have become local ones: nothing but a commit */
  quad_change *changes;
  size_t n, room;
  uint32_t *pending; /* indexes of changes made since `own`; kept only when there is one */
  size_t n_pending, pending_room;
  uint32_t *slots; /* index + 1 into changes, by hash of the quad */
  size_t n_slots;
  quad_run *words[QUAD_WORDS_FILES]; /* files of what was said before, from old to new */
  size_t n_words, shown;
  quad_pattern *scans; /* what it depends on */
  size_t n_scans, scans_room;
};

/* What is in the table goes to a file; no change if it fails. */
quoin_status quad_txn_spill(quad_txn *txn, quoin_error *err);
/* Too large for the log. */
bool quad_txn_is_large(const quad_txn *txn);
/* Apply it as the writer, alone: a run file and a manifest. The role is taken unless the
 * transaction has it, and given back. */
quoin_status quad_txn_adopt(uint64_t *added, uint64_t *removed, quad_txn *txn, quoin_error *err);

/* view.c: drop the files of `own` and what the participant has of it, once nobody reads it. */
void quad_txn_drop_view(quad_txn *txn);

/* commit.c: *out in stored ids; ids[i] is that of local number i + 1, 0 while unknown. False when a
 * term is not stored. */
bool quad_txn_translate(quad *out, const quad *q, const atom_id *ids);
/* The same for the rest: CONFLICT when a later version has changed what it scanned. */
quoin_status quad_txn_check_scans(const quad_txn *txn, const quad_version *now, const atom_id *ids,
                                  quoin_error *err);

/* The store's ids are other ones than those of the transaction's snapshot: say its changes in local
 * ids, for the commit. Ends the use of everything else about it. */
quoin_status quad_txn_rebase(quad_txn *txn, quoin_error *err);
/* Of one id: a local one in place of a stored one. */
quoin_status quad_txn_localize(atom_id *id, quad_txn *txn, base_arena *arena, quoin_error *err);

#endif /* QUOIN_QUADSTORE_TXN_H */
