/* quadstore/txn.h - transactions: the last word on each quad, applied at commit as net entries. */
#ifndef QUOIN_QUADSTORE_TXN_H
#define QUOIN_QUADSTORE_TXN_H

#include "quadstore/changes.h"

typedef struct quad_change {
  quad q;
  bool remove;
  bool pending; /* not in txn->own yet */
  bool was;     /* once rebased, of a removal: the quad was there at the begin */
} quad_change;

struct quad_txn {
  quad_store *store;
  const base_alloc *mem;
  quad_snapshot *snapshot; /* of its begin */
  quad_snapshot *own;      /* with its changes but for the pending ones; NULL: none was asked for */
  atom_local *local;
  bool writer;  /* from begin to end */
  bool rebased; /* the stored ids of its changes have become local ones: nothing but a commit */
  quad_change *changes;
  size_t n, room;
  uint32_t *pending; /* indexes of changes made since `own`; kept only when there is one */
  size_t n_pending, pending_room;
  uint32_t *slots; /* index + 1 into changes, by hash of the quad */
  size_t n_slots;
  quad_pattern *scans; /* what it depends on */
  size_t n_scans, scans_room;
};

/* The store's ids are other ones than those of the transaction's snapshot: say its changes in local
 * ids, for the commit. Ends the use of everything else about it. */
quoin_status quad_txn_rebase(quad_txn *txn, quoin_error *err);

#endif /* QUOIN_QUADSTORE_TXN_H */
