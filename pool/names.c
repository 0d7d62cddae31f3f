/* pool/names.c - changing what the names mean. */
#include "pool/parts.h"

#include <assert.h>

#include "base/poison.h"

#define LOCK_NAME "pool.lock"
enum { LOCK_TRIES = 2000, LOCK_PAUSE_NS = 5 * 1000 * 1000 };

/* ---- reading --------------------------------------------------------------------------------- */

/* `state` (taken over) is what the pool is now, unless something newer is known. */
static void
adopt(pool *p, pool_state *state)
{
  base_mutex_lock(&p->table);
  if (state->generation > p->state.generation) {
    pool_state old = p->state;
    p->state = *state;
    *state = old;
    if (p->options.budget == 0) atomic_store(&p->budget, p->state.budget);
  }
  base_mutex_unlock(&p->table);
  pool_state_clear(state, p->mem);
}

quoin_status
pool_refresh(pool *p, quoin_error *err)
{
  pool_state state;
  quoin_status st = pool_state_read(&state, &p->dir, p->mem, err);
  if (st == QUOIN_ERR_NOT_FOUND)
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no pool in '%s'", p->path);
  if (!st) adopt(p, &state);
  return st;
}

/* ---- the lock of changing -------------------------------------------------------------------- */

static quoin_status
open_lock(base_file *lock, pool *p, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (int i = 0; i < 20; i++) { /* two processes may be making it */
    bool there = base_dir_has(&p->dir, LOCK_NAME);
    st = base_file_open(lock, &p->dir, LOCK_NAME, there ? BASE_FILE_WRITE : BASE_FILE_CREATE_NEW,
                        err);
    if (!st || there) return st;
  }
  return st;
}

/* Held for instants: worth waiting for. */
static quoin_status
take_lock(base_file *lock, pool *p, quoin_error *err)
{
  bool taken = false;
  quoin_status st = open_lock(lock, p, err);
  for (int i = 0; !st && !taken && i < LOCK_TRIES; i++) {
    if (i) base_pause_ns(LOCK_PAUSE_NS);
    st = base_file_lock(&taken, lock, err);
  }
  if (!st && !taken)
    st = base_fail(err, QUOIN_ERR_BUSY, "another process is changing the pool '%s': try again",
                   p->path);
  if (!st) base_error_clear(err);
  return st;
}

quoin_status
pool_change_lock(base_file *lock, pool *p, quoin_error *err)
{
  quoin_status st;
  *lock = BASE_FILE_NONE;
  if (p->options.mode == POOL_READ_ONLY)
    return base_fail(err, QUOIN_ERR_READ_ONLY, "the pool was opened for reading only");
  base_mutex_lock(&p->change);
  if ((st = take_lock(lock, p, err))) pool_change_end(lock, p);
  return st;
}

quoin_status
pool_change_begin(base_file *lock, pool *p, quoin_error *err)
{
  quoin_status st = pool_change_lock(lock, p, err);
  if (!st && (st = pool_refresh(p, err))) pool_change_end(lock, p);
  return st;
}

void
pool_change_end(base_file *lock, pool *p)
{
  base_file_close(lock);
  base_mutex_unlock(&p->change);
}

uint64_t
pool_new_id(pool *p)
{
  char name[64];
  base_mutex_lock(&p->table);
  if (p->next < p->state.next) p->next = p->state.next;
  base_mutex_unlock(&p->table);
  do
    pool_dir_name(name, p->next++);
  while (base_dir_has(&p->dir, name));
  return p->next - 1;
}

/* ---- changes --------------------------------------------------------------------------------- */

quoin_status
pool_copy_state(pool_state *next, pool *p, quoin_error *err)
{
  base_mutex_lock(&p->table);
  quoin_status st = pool_state_copy(next, &p->state, p->mem, err);
  base_mutex_unlock(&p->table);
  return st;
}

quoin_status
pool_commit(pool *p, pool_state *next, quoin_error *err)
{
  quoin_status st;
  next->generation++;
  if (next->next < p->next) next->next = p->next;
  if ((st = pool_state_write(next, &p->dir, p->mem, err))) {
    (void)pool_refresh(p, NULL);
    return st;
  }
  adopt(p, next);
  return QUOIN_OK;
}

static quoin_status
check_name(const char *name, quoin_error *err)
{
  size_t len = strlen(name);
  if (!len || len > POOL_NAME_MAX || base_utf8_valid(name, len) != len)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "a store's name has 1 to %d bytes of UTF-8",
                     POOL_NAME_MAX);
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
      return base_fail(err, QUOIN_ERR_ARGUMENT, "a store's name has no control characters");
  return QUOIN_OK;
}

quoin_status
pool_check_new(const pool_state *s, const char *name, quoin_error *err)
{
  bool found;
  quoin_status st = check_name(name, err);
  if (st) return st;
  (void)pool_state_find(s, name, &found);
  return !found ? QUOIN_OK
                : base_fail(err, QUOIN_ERR_EXISTS,
                            "there is a store of that name already: take another one, and switch "
                            "the two, or delete '%s' first",
                            name);
}

/* Where `name` stands. */
static quoin_status
find(size_t *at, const pool_state *s, const char *name, quoin_error *err)
{
  bool found;
  *at = pool_state_find(s, name, &found);
  return found ? QUOIN_OK : base_fail(err, QUOIN_ERR_NOT_FOUND, "the pool has no store '%s'", name);
}

static quoin_status
make_store(pool *p, uint64_t id, uint32_t orders, quoin_error *err)
{
  quad_store_options options = p->options.store;
  quad_store *store = NULL;
  char *path = pool_dir_path(p, id);
  quoin_status st;
  if (!path) return base_fail_nomem(err);
  options.must_create = true;
  options.orders = orders;
  st = quad_store_open(&store, path, &options, p->mem, err);
  if (!st) st = quad_store_close(store, err);
  base_release(p->mem, path, strlen(path) + 1, 1);
  return st;
}

quoin_status
pool_create(pool *p, const char *name, uint32_t orders, quoin_error *err)
{
  base_file lock;
  pool_state next = {.active = SIZE_MAX};
  bool made = false;
  uint64_t id;
  quoin_status st = pool_change_begin(&lock, p, err);
  if (st) return st;
  if ((st = pool_copy_state(&next, p, err))) goto done;
  if ((st = pool_check_new(&next, name, err))) goto done;
  made = true;
  id = pool_new_id(p);
  if ((st = make_store(p, id, orders, err))) goto done;
  if ((st = pool_state_add(&next, name, id, p->mem, err))) goto done;
  if (next.n == 1) next.active = 0;
  st = pool_commit(p, &next, err);

done:
  pool_state_clear(&next, p->mem);
  if (st && made) (void)pool_sweep(p, NULL); /* spares it if it is named after all */
  pool_change_end(&lock, p);
  return st;
}

quoin_status
pool_delete(pool *p, const char *name, quoin_error *err)
{
  base_file lock;
  pool_state next = {.active = SIZE_MAX};
  uint64_t id;
  size_t at;
  quoin_status st = pool_change_begin(&lock, p, err);
  if (st) return st;
  if ((st = pool_copy_state(&next, p, err))) goto done;
  if ((st = find(&at, &next, name, err))) goto done;
  id = next.names[at].id;
  pool_state_remove(&next, at, p->mem);
  if ((st = pool_commit(p, &next, err))) goto done;
  (void)pool_sweep_one(p, id, NULL); /* held: by its last holder; what fails: by the next sweep */

done:
  pool_state_clear(&next, p->mem);
  pool_change_end(&lock, p);
  return st;
}

quoin_status
pool_switch(pool *p, const char *a, const char *b, quoin_error *err)
{
  base_file lock;
  pool_state next = {.active = SIZE_MAX};
  size_t i, j;
  quoin_status st = pool_change_begin(&lock, p, err);
  if (st) return st;
  if ((st = pool_copy_state(&next, p, err))) goto done;
  if ((st = find(&i, &next, a, err))) goto done;
  if ((st = find(&j, &next, b, err))) goto done;
  uint64_t id = next.names[i].id;
  next.names[i].id = next.names[j].id;
  next.names[j].id = id;
  st = pool_commit(p, &next, err);

done:
  pool_state_clear(&next, p->mem);
  pool_change_end(&lock, p);
  return st;
}

quoin_status
pool_activate(pool *p, const char *name, quoin_error *err)
{
  base_file lock;
  pool_state next = {.active = SIZE_MAX};
  quoin_status st = pool_change_begin(&lock, p, err);
  if (st) return st;
  if ((st = pool_copy_state(&next, p, err))) goto done;
  if ((st = find(&next.active, &next, name, err))) goto done;
  st = pool_commit(p, &next, err);

done:
  pool_state_clear(&next, p->mem);
  pool_change_end(&lock, p);
  return st;
}

quoin_status
pool_set_budget(pool *p, uint64_t bytes, quoin_error *err)
{
  base_file lock;
  pool_state next = {.active = SIZE_MAX};
  quoin_status st;
  if (bytes != POOL_NO_BUDGET && bytes > INT64_MAX)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the budget is too large");
  if ((st = pool_change_begin(&lock, p, err))) return st;
  if ((st = pool_copy_state(&next, p, err))) goto done;
  next.budget = bytes;
  st = pool_commit(p, &next, err);

done:
  pool_state_clear(&next, p->mem);
  pool_change_end(&lock, p);
  return st;
}

quoin_status
pool_clear(pool *p, const char *name, quoin_error *err)
{
  pool_store *s;
  quoin_status st, closed;
  if (p->options.mode == POOL_READ_ONLY)
    return base_fail(err, QUOIN_ERR_READ_ONLY, "the pool was opened for reading only");
  if ((st = pool_acquire(&s, p, name, err))) return st;
  atomic_fetch_add(&s->exempt, 1); /* or a full pool could not be emptied */
  st = quad_store_clear(s->quads, err);
  atomic_fetch_sub(&s->exempt, 1);
  closed = pool_store_release(s, st ? NULL : err);
  return st ? st : closed;
}

/* ---- looking --------------------------------------------------------------------------------- */

quoin_status
pool_list(pool *p, quoin_status (*each)(void *user, const pool_entry *entry, quoin_error *err),
          void *user, quoin_error *err)
{
  pool_state state;
  quoin_status st = pool_refresh(p, err);
  if (st) return st;
  if ((st = pool_copy_state(&state, p, err))) return st;
  for (size_t i = 0; i < state.n && !st; i++) {
    pool_entry e = {
        .name = state.names[i].name, .id = state.names[i].id, .active = state.active == i};
    base_mutex_lock(&p->table);
    for (const pool_store *s = p->stores; s; s = s->next)
      e.open |= s->id == e.id;
    base_mutex_unlock(&p->table);
    if (!(st = pool_count_one(&e.bytes, p, e.id, err))) st = each(user, &e, err);
  }
  pool_state_clear(&state, p->mem);
  return st;
}

quoin_status
pool_get_usage(pool_usage *out, pool *p, quoin_error *err)
{
  quoin_status st = pool_refresh(p, err);
  *out = (pool_usage){.budget = atomic_load(&p->budget), .lent_most = p->options.lent_most};
  if (!st) st = pool_count(&out->bytes, p, err);
  base_mutex_lock(&p->table);
  out->lent = p->lent;
  base_mutex_unlock(&p->table);
  return st;
}
