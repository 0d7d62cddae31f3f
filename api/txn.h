/* api/txn.h - open transactions; used by txn.c, query.c and update.c. */
#ifndef QUOIN_API_TXN_H
#define QUOIN_API_TXN_H

#include "api/handle.h"

struct quoin_txn {
  api_child child;
  quad_txn *txn;       /* NULL once detached */
  uint32_t scope;      /* queries and operations of updates so far */
  quoin_error failure; /* of an update that failed midway; status OK: none */
};

/* The failure of an update midway: nothing but an abort is left to do. */
quoin_status api_txn_usable(const quoin_txn *txn, quoin_error *err);

#endif /* QUOIN_API_TXN_H */
