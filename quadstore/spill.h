/* quadstore/spill.h - run files that no manifest names: of loads and of transactions under way.
 *
 * Their names are spill-<number>, the number being the run's generation. Whoever made one drops it;
 * what a crash left goes at the next open. */
#ifndef QUOIN_QUADSTORE_SPILL_H
#define QUOIN_QUADSTORE_SPILL_H

#include "quadstore/store.h"

enum { QUAD_SPILL_NAME = 64 };

/* A name for a new file; any thread. */
uint64_t quad_spill_name(char out[QUAD_SPILL_NAME], quad_store *store);
/* Between the two the writer is filled, or aborted. The file is not synced; on failure it is gone,
 * and with it the writer. */
quoin_status quad_spill_begin(quad_writer **out, quad_store *store, uint32_t orders,
                              quoin_error *err);
quoin_status quad_spill_end(quad_run **out, quad_store *store, quad_writer *w, quoin_error *err);
/* What runs[0..n), which have `orders`, add up to. */
quoin_status quad_spill_runs(quad_run **out, quad_store *store, uint32_t orders,
                             quad_run *const *runs, size_t n, base_cancel *cancel,
                             quoin_error *err);
/* Give up a reference and unlink the file: others that hold it may read on. NULL is fine. */
void quad_spill_drop(quad_store *store, quad_run *run);

#endif /* QUOIN_QUADSTORE_SPILL_H */
