#include "api/handle.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

quoin_status
api_enter(quoin_store *store, quoin_error *err)
{
  atomic_fetch_add(&store->calls, 1);
  if (!atomic_load(&store->closing)) return QUOIN_OK;
  api_leave(store);
  return base_fail(err, QUOIN_ERR_CLOSED, "the store is closed");
}

void
api_leave(quoin_store *store)
{
  if (atomic_fetch_sub(&store->calls, 1) != 1 || !atomic_load(&store->closing)) return;
  base_mutex_lock(&store->lock);
  base_cond_broadcast(&store->changed);
  base_mutex_unlock(&store->lock);
}

quoin_status
api_leave_counted(quoin_store *store, api_op op, quoin_status st)
{
  /* relaxed: what orders it before the end of a shutdown is the leaving */
  if (op == API_OP_COMMIT && st == QUOIN_ERR_CONFLICT)
    atomic_fetch_add_explicit(&store->done[API_OP_CONFLICT], 1, memory_order_relaxed);
  else if (st >= 0)
    atomic_fetch_add_explicit(&store->done[op], 1, memory_order_relaxed);
  api_leave(store);
  return st;
}

/* ---- children -------------------------------------------------------------------------------- */

void
api_child_attach(api_child *child, quoin_store *store)
{
  child->store = store;
  child->attached = true;
  base_mutex_lock(&store->lock);
  child->prev = NULL;
  child->next = store->children;
  if (child->next) child->next->prev = child;
  store->children = child;
  store->holds++;
  base_mutex_unlock(&store->lock);
}

static void
unlink_child(api_child *child)
{
  if (child->prev)
    child->prev->next = child->next;
  else
    child->store->children = child->next;
  if (child->next) child->next->prev = child->prev;
  child->attached = false;
}

void
api_child_close(api_child *child)
{
  quoin_store *store = child->store;

  /* As a call, so that a shutdown waits for it; or after the shutdown, which detaches. */
  bool entered = !api_enter(store, NULL);
  base_mutex_lock(&store->lock);
  while (!entered && !store->closed)
    base_cond_wait(&store->changed, &store->lock);
  bool mine = child->attached;
  if (mine) unlink_child(child);
  base_mutex_unlock(&store->lock);
  if (mine) child->detach(child);
  if (entered) api_leave(store);
}

quoin_status
api_store_new(quoin_store **out, const base_alloc *mem, unsigned threads, quoin_line_fn log,
              void *log_user, quoin_error *err)
{
  quoin_store *store = base_new_zero(mem, 1, sizeof(*store));
  quoin_status st;

  *out = NULL;
  if (!store) return base_fail_nomem(err);
  store->mem = *mem;
  store->threads = threads;
  store->log = log;
  store->log_user = log_user;
  store->refs = store->holds = 1;
  if ((st = base_mutex_init(&store->lock, BASE_RANK_QUEUE, "store handle", err))) goto done;
  if ((st = base_cond_init(&store->changed, err))) {
    base_mutex_destroy(&store->lock);
    goto done;
  }
  *out = store;
  store = NULL;

done:
  if (store) base_release(mem, store, 1, sizeof(*store));
  return st;
}

static void
free_store(quoin_store *store)
{
  base_alloc mem = store->mem;
  base_cond_destroy(&store->changed);
  base_mutex_destroy(&store->lock);
  base_release(&mem, store, 1, sizeof(*store));
}

void
api_store_free(quoin_store *store)
{
  if (store) free_store(store);
}

void
api_child_release(quoin_store *store)
{
  base_mutex_lock(&store->lock);
  bool last = --store->holds == 0;
  base_mutex_unlock(&store->lock);
  if (last) free_store(store);
}

/* ---- references ------------------------------------------------------------------------------ */

quoin_store *
quoin_retain(quoin_store *store)
{
  if (!store) return NULL;
  base_mutex_lock(&store->lock);
  store->refs++;
  store->holds++;
  base_mutex_unlock(&store->lock);
  return store;
}

void
quoin_close(quoin_store *store)
{
  if (!store) return;
  base_mutex_lock(&store->lock);
  bool last = --store->refs == 0;
  base_mutex_unlock(&store->lock);
  if (last) quoin_shutdown(store);
  api_child_release(store);
}

/* The one that shuts down is alone with the store: calls are refused, and none is in progress. */
static void
close_quads(quoin_store *store, api_child *children)
{
  quoin_error error = QUOIN_ERROR_INIT;

  for (api_child *child = children; child; child = child->next) {
    child->detach(child);
    child->attached = false;
  }
  quoin_status st = store->pooled ? pool_store_release(store->pooled, &error)
                                  : quad_store_close(store->quads, &error);
  store->quads = NULL;
  if (st && store->log) {
    char line[sizeof(error.file) + sizeof(error.message) + 32];
    (void)snprintf(line, sizeof(line), "not saved at closing: %s%s%s", error.file,
                   error.file[0] ? ": " : "", error.message);
    store->log(store->log_user, line);
  }
}

void
quoin_shutdown(quoin_store *store)
{
  if (!store) return;
  base_mutex_lock(&store->lock);
  if (atomic_load(&store->closing)) { /* another thread does it: wait for it */
    while (!store->closed)
      base_cond_wait(&store->changed, &store->lock);
    base_mutex_unlock(&store->lock);
    return;
  }
  atomic_store(&store->closing, true);
  while (atomic_load(&store->calls) > 0)
    base_cond_wait(&store->changed, &store->lock);
  api_child *children = store->children;
  store->children = NULL;
  base_mutex_unlock(&store->lock);

  close_quads(store, children);

  base_mutex_lock(&store->lock);
  store->closed = true;
  base_cond_broadcast(&store->changed);
  base_mutex_unlock(&store->lock);
}
