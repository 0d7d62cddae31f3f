/* quadstore/queue.h - the commits that wait for the writer: queue.c. */
#ifndef QUOIN_QUADSTORE_QUEUE_H
#define QUOIN_QUADSTORE_QUEUE_H

#include "quadstore/txn.h"

struct quad_request {
  quad_request *next; /* first: the tests walk the queue by it */
  quad_txn *txn;
  uint64_t added, removed;
  quoin_status status;
  quoin_error *err;
  bool taken;        /* by a leader: it will be done */
  _Atomic bool done; /* last: then its owner may be gone */
  enum { QUAD_WAITS_NOT, QUAD_WAITS_TO_LEAD, QUAD_WAITS_TO_BE_SERVED } waits;
};

quoin_status quad_queue_init(quad_queue *q, quoin_error *err);
void quad_queue_destroy(quad_queue *q);
/* Return when a leader has served `r`, when `deadline` passed before one took it, or after having
 * been the leader: r->status tells. */
void quad_queue_commit(quad_store *store, quad_request *r, uint64_t deadline);

/* commit.c, with the writer role: all requests from `first` on, in order; how many bytes they
 * added. */
uint64_t quad_store_serve(quad_store *store, quad_request *first);

#endif /* QUOIN_QUADSTORE_QUEUE_H */
