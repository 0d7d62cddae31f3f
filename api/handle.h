/* api/handle.h - the store handle: references, calls in progress, children, shutdown. */
#ifndef QUOIN_API_HANDLE_H
#define QUOIN_API_HANDLE_H

#include "pool/pool.h"
#include "sparql/sparql.h"
#include "vector/vector.h"

#include <quoin/quoin.h>

typedef struct api_child api_child;

/* What is counted, in the order of the fields of quoin_stats. */
typedef enum api_op {
  API_OP_QUERY = 0,
  API_OP_MATCH,
  API_OP_COUNT,
  API_OP_DUMP,
  API_OP_LOAD,
  API_OP_UPDATE,
  API_OP_COMMIT,
  API_OP_CONFLICT,
  API_OP_CHECKPOINT,
  API_OP_CLEAR,
  API_OP_COMPACT,
  API_OP_REFRESH,
  API_OP_BACKUP,
  API_OPS
} api_op;

/* What is opened on a store and may outlive it. First member of its struct. */
struct api_child {
  quoin_store *store;
  api_child *prev, *next;          /* in the store's list while attached */
  void (*detach)(api_child *self); /* let go of all that belongs to the store */
  bool attached;
};

struct quoin_store {
  base_alloc mem;
  quad_store *quads;  /* NULL once closed */
  pool_store *pooled; /* what `quads` is of; NULL: of this handle alone */
  unsigned threads;
  quoin_line_fn log;
  void *log_user;
  /* Raised by api_enter before it reads `closing`, and `closing` set by shutdown before it reads
   * `calls`: both sequentially consistent, so one of the two sees the other. */
  atomic_uint calls;
  atomic_bool closing;
  _Atomic uint64_t done[API_OPS]; /* calls that succeeded, by api_op */
  base_mutex lock;                /* of all below; a leaf: nothing is called under it */
  base_cond changed;
  bool closed;
  uint64_t refs;  /* of callers */
  uint64_t holds; /* refs + children: the last one frees */
  api_child *children;
};

struct quoin_cancel {
  atomic_int flag;
};

/* A handle without a store, of one reference; `mem` is copied. */
quoin_status api_store_new(quoin_store **out, const base_alloc *mem, unsigned threads,
                           quoin_line_fn log, void *log_user, quoin_error *err);
/* One that has no store yet. */
void api_store_free(quoin_store *store); /* NULL is fine */

/* A call begins: CLOSED once a shutdown has started. */
quoin_status api_enter(quoin_store *store, quoin_error *err);
void api_leave(quoin_store *store);
/* The same for a call that is counted: as `op` if `st` is success. Returns st. */
quoin_status api_leave_counted(quoin_store *store, api_op op, quoin_status st);

/* Within a call: put `child` (with detach set) under the store. */
void api_child_attach(api_child *child, quoin_store *store);
/* Detach it, if a shutdown has not. Then the caller frees the child, and api_child_release ends the
 * store's life if it was the last thing that held it. */
void api_child_close(api_child *child);
void api_child_release(quoin_store *store);

/* Copy an options struct of the caller over `to` (defaults, `size` bytes), as far as both know it.
 * NULL leaves the defaults. ARGUMENT when struct_size is no size, or asks for what is newer. */
quoin_status api_options(void *to, size_t size, const void *from, quoin_error *err);
/* Pass a status on; gives `err` a message when a callback failed without one. */
quoin_status api_status(quoin_status st, quoin_error *err);
/* A base_cancel that watches a token (NULL is fine). */
base_cancel api_cancel(const quoin_cancel *cancel);

#endif /* QUOIN_API_HANDLE_H */
