/* pool/stores.c - handing out stores by name, and taking them back. */
#include "pool/parts.h"
#include "vector/vector.h"

#include <assert.h>

#include "base/poison.h"

pool_store *
pool_store_new(pool *p, uint64_t id, bool lent, quoin_error *err)
{
  pool_store *s = base_new_zero(p->mem, 1, sizeof *s);
  if (!s) {
    (void)base_fail_nomem(err);
    return NULL;
  }
  pool_quota_init(s);
  s->pool = p;
  s->id = id;
  s->refs = 1;
  s->lent = lent;
  s->busy = true;
  atomic_init(&s->exempt, 1); /* while it is opened: what is in the log must be able to leave it */
  return s;
}

/* ---- under the table's lock ------------------------------------------------------------------ */

void
pool_store_push(pool_store **list, pool_store *s)
{
  s->next = *list;
  *list = s;
}

void
pool_store_take_out(pool_store **list, pool_store *s)
{
  while (*list != s)
    list = &(*list)->next;
  *list = s->next;
  s->next = NULL;
}

static pool_store *
find_open(pool *p, uint64_t id)
{
  pool_store *s = p->stores;
  while (s && s->id != id)
    s = s->next;
  return s;
}

/* The id that `name` means. */
static quoin_status
resolve(uint64_t *id, const pool *p, const char *name, quoin_error *err)
{
  bool found = true;
  size_t at = p->state.active;
  if (name) at = pool_state_find(&p->state, name, &found);
  if (!found) return base_fail(err, QUOIN_ERR_NOT_FOUND, "the pool has no store '%s'", name);
  if (at == SIZE_MAX)
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "no store of the pool is active: name one");
  *id = p->state.names[at].id;
  return QUOIN_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

quoin_status
pool_store_open(pool_store *s, bool create, quoin_error *err)
{
  pool *p = s->pool;
  quad_store_options options = p->options.store;
  quad_store *quads = NULL;
  char *path = pool_dir_path(p, s->id);
  quoin_status st = QUOIN_OK;
  if (!path) st = base_fail_nomem(err);
  options.read_only = p->options.mode == POOL_READ_ONLY;
  options.must_create = create;
  options.quota = &s->quota;
  if (create) options.durability = QUAD_SYNC_OFF; /* nothing of it outlives the process */
  if (!st) st = quad_store_open(&quads, path, &options, p->mem, err);
  vec_options vectors = p->options.vectors;
  vectors.read_only = options.read_only;
  vectors.mem = p->mem;
  if (!st && (st = vec_attach(quads, &vectors, err))) {
    (void)quad_store_close(quads, NULL);
    quads = NULL;
  }
  if (path) base_release(p->mem, path, strlen(path) + 1, 1);
  atomic_fetch_sub(&s->exempt, 1);
  base_mutex_lock(&p->table);
  s->quads = quads;
  s->busy = false;
  if (st) pool_store_take_out(&p->stores, s);
  base_cond_broadcast(&p->moved);
  base_mutex_unlock(&p->table);
  if (st) base_release(p->mem, s, 1, sizeof *s);
  return st;
}

/* A store that is open, or one to be opened (busy, put into the table); *id is what the name
 * means. Waits for one that is being opened or closed. */
static quoin_status
find_or_add(pool_store **out, uint64_t *id, pool *p, const char *name, quoin_error *err)
{
  quoin_status st;
  *out = NULL;
  base_mutex_lock(&p->table);
  while (!(st = resolve(id, p, name, err))) {
    pool_store *s = find_open(p, *id);
    if (s && s->busy) { /* being opened or closed by another thread */
      base_cond_wait(&p->moved, &p->table);
      continue;
    }
    if (s) {
      s->refs++;
    } else if ((s = pool_store_new(p, *id, false, err))) {
      pool_store_push(&p->stores, s);
      p->refs++; /* the store's */
    } else {
      st = QUOIN_ERR_NOMEM;
    }
    *out = s;
    break;
  }
  base_mutex_unlock(&p->table);
  return st;
}

/* Did the name come to mean another store while this one could not be opened? */
static bool
moved_on(pool *p, const char *name, uint64_t id)
{
  uint64_t now = id;
  if (pool_refresh(p, NULL)) return false;
  base_mutex_lock(&p->table);
  quoin_status st = resolve(&now, p, name, NULL);
  base_mutex_unlock(&p->table);
  return st || now != id;
}

quoin_status
pool_acquire(pool_store **out, pool *p, const char *name, quoin_error *err)
{
  pool_store *s;
  uint64_t id = 0;
  quoin_status st;
  *out = NULL;
  for (;;) {
    if ((st = pool_refresh(p, err))) return st;
    if ((st = find_or_add(&s, &id, p, name, err))) return st;
    if (!s->busy || !(st = pool_store_open(s, false, err))) break;
    bool again = moved_on(p, name, id);
    pool_close(p);
    if (!again) return st;
    base_error_clear(err);
  }
  *out = s;
  return QUOIN_OK;
}

/* ---- giving back ----------------------------------------------------------------------------- */

pool_store *
pool_store_retain(pool_store *store)
{
  base_mutex_lock(&store->pool->table);
  store->refs++;
  base_mutex_unlock(&store->pool->table);
  return store;
}

/* Close it and, if no name means it any more, remove it. */
static quoin_status
close_store(pool_store *s, quoin_error *err)
{
  pool *p = s->pool;
  base_file lock;
  bool named = false;
  quoin_status st;
  atomic_fetch_add(&s->exempt, 1); /* as when it is opened */
  st = quad_store_close(s->quads, err);
  s->quads = NULL;
  base_mutex_lock(&p->table);
  for (size_t i = 0; i < p->state.n && !named; i++)
    named = p->state.names[i].id == s->id;
  pool_store_take_out(&p->stores, s);
  base_cond_broadcast(&p->moved);
  base_mutex_unlock(&p->table);
  if (!named && p->options.mode != POOL_READ_ONLY && !pool_change_begin(&lock, p, NULL)) {
    (void)pool_sweep_one(p, s->id, NULL); /* what fails is left to the next sweep */
    pool_change_end(&lock, p);
  }
  base_release(p->mem, s, 1, sizeof *s);
  return st;
}

quoin_status
pool_store_release(pool_store *store, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  pool *p;
  bool last;
  if (!store) return QUOIN_OK;
  p = store->pool;
  base_mutex_lock(&p->table);
  last = --store->refs == 0;
  if (last) store->busy = !store->lent;
  base_mutex_unlock(&p->table);
  if (!last) return QUOIN_OK;
  if (store->lent)
    pool_take_back(store);
  else
    st = close_store(store, err);
  pool_close(p);
  return st;
}

quad_store *
pool_store_quads(const pool_store *store)
{
  return store->quads;
}
