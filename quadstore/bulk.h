/* quadstore/bulk.h - what a large commit has of the bulk load, beside the door. */
#ifndef QUOIN_QUADSTORE_BULK_H
#define QUOIN_QUADSTORE_BULK_H

#include "quadstore/store.h"

/* As quad_bulk_begin, for who has the role of quad_store_enter_idle and keeps it. */
quoin_status quad_bulk_begin_within(quad_bulk **out, quad_store *store, uint64_t memory_bytes,
                                    unsigned threads, quoin_error *err);
/* Quads to be removed; none of them is added. */
quoin_status quad_bulk_remove(quad_bulk *bulk, const quad *quads, size_t n, quoin_error *err);
/* As quad_bulk_finish, with both counts. */
quoin_status quad_bulk_publish(uint64_t *added, uint64_t *removed, quad_bulk *bulk,
                               base_cancel *cancel, quoin_error *err);

#endif /* QUOIN_QUADSTORE_BULK_H */
