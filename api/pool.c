/* Pools: handles over those of the module pool. */
#include "api/handle.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

struct quoin_pool {
  base_alloc mem;
  pool *pool;
  unsigned threads;
  quoin_line_fn log;
  void *log_user;
  _Atomic uint64_t refs;
};

static_assert((int)QUOIN_READ_WRITE == (int)POOL_READ_WRITE &&
                  (int)QUOIN_READ_ONLY == (int)POOL_READ_ONLY &&
                  (int)QUOIN_CREATE == (int)POOL_CREATE &&
                  (int)QUOIN_CREATE_NEW == (int)POOL_CREATE_NEW &&
                  QUOIN_NO_BUDGET == POOL_NO_BUDGET,
              "the public numbers are those of pool");

static quoin_status
check_options(const quoin_pool_options *o, quoin_error *err)
{
  if ((int)o->mode < QUOIN_READ_WRITE || o->mode > QUOIN_CREATE_NEW)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "mode of the options is none that there is");
  if ((int)o->durability < QUOIN_DURABILITY_FULL || o->durability > QUOIN_DURABILITY_OFF)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "durability of the options is none that there is");
  if (o->alloc && (!o->alloc->allocate || !o->alloc->resize || !o->alloc->release))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "alloc of the options lacks a function");
  return QUOIN_OK;
}

quoin_status
quoin_pool_open(quoin_pool **out, const char *path, const quoin_pool_options *opts,
                quoin_error *err)
{
  quoin_pool_options o = QUOIN_POOL_OPTIONS_INIT;
  quoin_status st;
  quoin_pool *self;

  if (!out || !path) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or path is NULL");
  *out = NULL;
  if ((st = api_options(&o, sizeof(o), opts, err))) return st;
  if ((st = check_options(&o, err))) return st;
  const base_alloc mem = o.alloc ? *o.alloc : *base_alloc_default();
  if (!(self = base_new_zero(&mem, 1, sizeof(*self)))) return base_fail_nomem(err);
  self->mem = mem;
  self->threads = o.threads;
  self->log = o.log;
  self->log_user = o.log_user;
  atomic_init(&self->refs, 1);
  const pool_options options = {.mode = (pool_mode)o.mode,
                                .temporary = o.temporary,
                                .budget = o.disk_budget,
                                .lent_most = o.lent_most,
                                .store = {.durability = (quad_durability)o.durability,
                                          .memory_bytes = o.memory_bytes,
                                          .log = o.log,
                                          .log_user = o.log_user},
                                .vectors = {.unlinked = o.unlinked_vectors, .threads = o.threads}};
  if ((st = pool_open(&self->pool, path, &options, &mem, err)))
    base_release(&mem, self, 1, sizeof(*self));
  else
    *out = self;
  return st;
}

quoin_pool *
quoin_pool_retain(quoin_pool *self)
{
  if (self) atomic_fetch_add_explicit(&self->refs, 1, memory_order_relaxed);
  return self;
}

void
quoin_pool_close(quoin_pool *self)
{
  /* acq_rel: the last one frees after all uses by the others */
  if (!self || atomic_fetch_sub_explicit(&self->refs, 1, memory_order_acq_rel) != 1) return;
  base_alloc mem = self->mem;
  pool_close(self->pool);
  base_release(&mem, self, 1, sizeof(*self));
}

const char *
quoin_pool_path(const quoin_pool *self)
{
  return self ? pool_path(self->pool) : NULL;
}

static quoin_status
check(const quoin_pool *self, const char *name, quoin_error *err)
{
  if (!self || !name) return base_fail(err, QUOIN_ERR_ARGUMENT, "pool or name is NULL");
  return QUOIN_OK;
}

quoin_status
quoin_pool_create(quoin_pool *self, const char *name, uint32_t indexes, quoin_error *err)
{
  quoin_status st = check(self, name, err);

  if (st) return st;
  if (indexes & ~(uint32_t)QUOIN_INDEX_ALL)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "indexes has unknown bits");
  return pool_create(self->pool, name, indexes, err);
}

quoin_status
quoin_pool_restore(quoin_pool *self, const char *name, const char *backup, quoin_cancel *cancel,
                   quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);
  quoin_status st = check(self, name, err);

  if (st) return st;
  if (!backup) return base_fail(err, QUOIN_ERR_ARGUMENT, "backup is NULL");
  return pool_restore(self->pool, name, backup, &stop, err);
}

quoin_status
quoin_pool_delete(quoin_pool *self, const char *name, quoin_error *err)
{
  quoin_status st = check(self, name, err);

  return st ? st : pool_delete(self->pool, name, err);
}

quoin_status
quoin_pool_switch(quoin_pool *self, const char *a, const char *b, quoin_error *err)
{
  quoin_status st = check(self, a, err);

  if (!st) st = check(self, b, err);
  return st ? st : pool_switch(self->pool, a, b, err);
}

quoin_status
quoin_pool_activate(quoin_pool *self, const char *name, quoin_error *err)
{
  quoin_status st = check(self, name, err);

  return st ? st : pool_activate(self->pool, name, err);
}

quoin_status
quoin_pool_clear(quoin_pool *self, const char *name, quoin_error *err)
{
  quoin_status st = check(self, name, err);

  return st ? st : pool_clear(self->pool, name, err);
}

quoin_status
quoin_pool_budget(quoin_pool *self, uint64_t bytes, quoin_error *err)
{
  quoin_status st = check(self, "", err);

  return st ? st : pool_set_budget(self->pool, bytes, err);
}

/* ---- stores ---------------------------------------------------------------------------------- */

quoin_status
quoin_pool_store(quoin_store **out, quoin_pool *self, const char *name, quoin_error *err)
{
  quoin_store *store;
  quoin_status st;

  if (!out || !self) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or pool is NULL");
  *out = NULL;
  st = api_store_new(&store, &self->mem, self->threads, self->log, self->log_user, err);
  if (st) return st;
  if ((st = pool_acquire(&store->pooled, self->pool, name, err))) {
    api_store_free(store);
    return st;
  }
  store->quads = pool_store_quads(store->pooled);
  *out = store;
  return QUOIN_OK;
}

quoin_status
quoin_pool_rent(quoin_store **out, quoin_pool *self, uint64_t wait_ms, quoin_cancel *cancel,
                quoin_error *err)
{
  base_cancel stop = api_cancel(cancel);
  quoin_store *store;
  quoin_status st;

  if (!out || !self) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or pool is NULL");
  *out = NULL;
  st = api_store_new(&store, &self->mem, self->threads, self->log, self->log_user, err);
  if (st) return st;
  if ((st = pool_lend(&store->pooled, self->pool, wait_ms, &stop, err))) {
    api_store_free(store);
    return st;
  }
  store->quads = pool_store_quads(store->pooled);
  *out = store;
  return QUOIN_OK;
}

/* ---- looking --------------------------------------------------------------------------------- */

typedef struct listing {
  quoin_status (*each)(void *user, const quoin_pool_entry *entry, quoin_error *err);
  void *user;
} listing;

static quoin_status
list_one(void *user, const pool_entry *e, quoin_error *err)
{
  const listing *l = user;
  char directory[32];

  (void)snprintf(directory, sizeof(directory), "store-%llu", (unsigned long long)e->id);
  const quoin_pool_entry entry = {e->name, directory, e->bytes, e->active, e->open};
  return api_status(l->each(l->user, &entry, err), err);
}

quoin_status
quoin_pool_list(quoin_pool *self,
                quoin_status (*each)(void *user, const quoin_pool_entry *entry, quoin_error *err),
                void *user, quoin_error *err)
{
  listing l = {each, user};

  if (!self || !each) return base_fail(err, QUOIN_ERR_ARGUMENT, "pool or each is NULL");
  return pool_list(self->pool, list_one, &l, err);
}

quoin_status
quoin_pool_get_usage(quoin_pool_usage *out, quoin_pool *self, quoin_error *err)
{
  pool_usage u;

  if (!out || !self) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or pool is NULL");
  if (out->struct_size < sizeof(size_t))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "struct_size is not set: use QUOIN_POOL_USAGE_INIT");
  quoin_status st = pool_get_usage(&u, self->pool, err);
  if (st) return st;
  const quoin_pool_usage known = {out->struct_size, u.budget, u.bytes, u.lent, u.lent_most};
  memcpy(out, &known, known.struct_size < sizeof(known) ? known.struct_size : sizeof(known));
  return QUOIN_OK;
}
