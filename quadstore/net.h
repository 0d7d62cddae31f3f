/* quadstore/net.h - of the quads of a load those that change something. */
#ifndef QUOIN_QUADSTORE_NET_H
#define QUOIN_QUADSTORE_NET_H

#include "quadstore/ranks.h"
#include "quadstore/store.h"

typedef struct quad_net {
  const quad_store *store;
  uint64_t terms, blanks; /* with higher numbers: of the load itself, in no quad of the store */
  unsigned threads;
} quad_net;

/* Keep the records, sorted and unique, that are not in the store; to remove, those that are. As the
 * writer. */
quoin_status quad_net_keep(quad_ranks *r, const quad_net *net, unsigned part, bool remove,
                           quoin_error *err);

#endif /* QUOIN_QUADSTORE_NET_H */
