/* pool/pool.h - many named stores below one directory. The door of the module.
 *
 * `pool.json` says which directory each name means and which store is the active one; it is
 * replaced as a whole, so a reader of it sees one state. A directory that it does not name belongs
 * to a store that is lent, deleted but still held, or left by a process that died: whoever changes
 * the pool removes those that nobody has locked. Changes are made under a lock of the pool's
 * directory, for an instant, so that processes share a pool; each store has the lock of its own
 * writer. Reasons: docs/adrs/0016-pool.md. */
#ifndef QUOIN_POOL_POOL_H
#define QUOIN_POOL_POOL_H

#include "vector/vector.h"

typedef struct pool pool;
/* A store as a pool hands it out: counted. */
typedef struct pool_store pool_store;

typedef enum pool_mode { POOL_READ_WRITE, POOL_READ_ONLY, POOL_CREATE, POOL_CREATE_NEW } pool_mode;

enum { POOL_NAME_MAX = 200 }; /* bytes of a store's name */
#define POOL_NO_BUDGET UINT64_MAX

typedef struct pool_options {
  pool_mode mode;
  bool temporary;     /* a new pool in a new directory below `path`, gone with its last holder */
  uint64_t budget;    /* bytes on disk of all stores; 0: as the pool says (a new one: no bound) */
  unsigned lent_most; /* lent stores at a time; 0: twice the cores */
  quad_store_options store; /* how stores are opened: durability, memory_bytes, log */
  vec_options vectors;      /* and their indexes: unlinked, threads */
} pool_options;

/* Errors: NOT_FOUND, EXISTS (POOL_CREATE_NEW, or foreign files), CORRUPT, VERSION, IO, NO_SPACE,
 * NOMEM. */
quoin_status pool_open(pool **out, const char *path, const pool_options *options,
                       const base_alloc *mem, quoin_error *err);
/* One more reference, to be closed as well. */
pool *pool_retain(pool *p);
/* Give up a reference. The pool lives until the last store it handed out is released, too. NULL is
 * fine. */
void pool_close(pool *p);
const char *pool_path(const pool *p);

/* ---- names: any thread; by processes at once, one at a time. NOT_FOUND, EXISTS, READ_ONLY, BUSY
 * (another process changes the pool and does not end). ------------------------------------------
 */

/* A new empty store; the first of a pool becomes the active one. `orders`: as quad_store_options.
 */
quoin_status pool_create(pool *p, const char *name, uint32_t orders, quoin_error *err);
/* A store that has what the backup at `backup` has, which is only read; of the first of a pool, and
 * of names, as pool_create. Within the budget, which is asked before anything is copied. The pool
 * can be used and changed meanwhile; a process that dies leaves nothing. Errors, too: CANCELLED,
 * those of opening the backup. `cancel` may be NULL. */
quoin_status pool_restore(pool *p, const char *name, const char *backup, base_cancel *cancel,
                          quoin_error *err);
/* The name is gone at once; the store when the last holder, of any process, releases it. */
quoin_status pool_delete(pool *p, const char *name, quoin_error *err);
/* The two names change stores, both at once. Who holds one of the stores goes on with it. */
quoin_status pool_switch(pool *p, const char *a, const char *b, quoin_error *err);
/* The store that is meant when no name is given. */
quoin_status pool_activate(pool *p, const char *name, quoin_error *err);
/* Empty a store, whatever it holds. BUSY when another process writes to it. */
quoin_status pool_clear(pool *p, const char *name, quoin_error *err);
/* Bytes on disk that all stores may take; POOL_NO_BUDGET. Kept in pool.json. */
quoin_status pool_set_budget(pool *p, uint64_t bytes, quoin_error *err);

typedef struct pool_entry {
  const char *name; /* valid during the call */
  uint64_t id;      /* of its directory, store-<id> */
  uint64_t bytes;   /* of its files */
  bool active;
  bool open; /* held by someone of this process */
} pool_entry;
typedef struct pool_usage {
  uint64_t budget; /* POOL_NO_BUDGET: none */
  uint64_t bytes;  /* of all directories, those without a name too */
  unsigned lent, lent_most;
} pool_usage;
/* By name, ascending; stops at the first status that is not OK. */
quoin_status pool_list(pool *p,
                       quoin_status (*each)(void *user, const pool_entry *entry, quoin_error *err),
                       void *user, quoin_error *err);
quoin_status pool_get_usage(pool_usage *out, pool *p, quoin_error *err);

/* ---- stores ---------------------------------------------------------------------------------- */

/* The store that `name` (NULL: the active one) means now, opened if nobody of this process has it
 * open. It stays valid until it is released, whatever becomes of the name. Errors: NOT_FOUND, BUSY
 * (another process writes to it), those of quad_store_open. */
quoin_status pool_acquire(pool_store **out, pool *p, const char *name, quoin_error *err);
/* An empty store without a name, of which there are so many at a time: waits for one to come back
 * as long as `cancel` (may be NULL) allows, at most `wait_ms`; then LIMIT. Its last release gives
 * it back, emptied. What is in it does not outlive the process. */
quoin_status pool_lend(pool_store **out, pool *p, uint64_t wait_ms, base_cancel *cancel,
                       quoin_error *err);
pool_store *pool_store_retain(pool_store *store);
/* The last one closes the store. All snapshots and transactions must be gone. Returns what the
 * close said. NULL is fine. */
quoin_status pool_store_release(pool_store *store, quoin_error *err);
quad_store *pool_store_quads(const pool_store *store);

#endif /* QUOIN_POOL_POOL_H */
