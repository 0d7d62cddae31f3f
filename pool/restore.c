/* pool/restore.c - a backup becomes a store with a name.
 *
 * Copying takes its time, and the pool is not locked for it: the directory is made while changing,
 * with the lock of its writer taken, which keeps every sweep away; then the copy is made, and at
 * last named, as any store. Whoever dies on the way leaves a directory that nothing names and
 * nobody has locked. */
#include "pool/parts.h"
#include "vector/vector.h"

#include "base/poison.h"

typedef struct restoring {
  pool_store store; /* its quota alone */
  char *path;
  base_file lock; /* of the directory */
} restoring;

/* May it be named so, now? While changing. */
static quoin_status
check_name(pool *p, const char *name, quoin_error *err)
{
  base_mutex_lock(&p->table);
  quoin_status st = pool_check_new(&p->state, name, err);
  base_mutex_unlock(&p->table);
  return st;
}

/* An empty directory, and its lock. */
static quoin_status
make_place(restoring *r, pool *p, const char *name, quoin_error *err)
{
  base_dir dir = BASE_DIR_NONE;
  base_file change;
  bool taken = true;
  quoin_status st = pool_change_begin(&change, p, err);
  if (st) return st;
  if ((st = check_name(p, name, err))) goto done;
  r->store.id = pool_new_id(p);
  if (!(r->path = pool_dir_path(p, r->store.id))) {
    st = base_fail_nomem(err);
    goto done;
  }
  if ((st = base_dir_create(r->path, err))) goto done;
  if ((st = base_dir_open(&dir, r->path, err))) goto done;
  if ((st = base_file_open(&r->lock, &dir, "lock", BASE_FILE_CREATE_NEW, err))) goto done;
  if ((st = base_file_lock(&taken, &r->lock, err))) goto done;
  if (!taken)
    st = base_fail(err, QUOIN_ERR_BUSY, "the new store '%s' is in use already: try again", r->path);

done:
  base_dir_close(&dir);
  if (st && r->path) {
    base_file_close(&r->lock);
    (void)pool_sweep_one(p, r->store.id, NULL);
  }
  pool_change_end(&change, p);
  return st;
}

/* Nobody has come for it: who would sweep it waits for the lock of changing. */
static quoin_status
name_it(restoring *r, pool *p, const char *name, quoin_error *err)
{
  pool_state next = {.active = SIZE_MAX};
  base_file change;
  quoin_status st = pool_change_begin(&change, p, err);
  if (st) return st;
  if ((st = pool_copy_state(&next, p, err))) goto done;
  if ((st = pool_check_new(&next, name, err))) goto done;
  if ((st = pool_state_add(&next, name, r->store.id, p->mem, err))) goto done;
  if (next.n == 1) next.active = 0;
  base_file_close(&r->lock); /* from the name on it is everybody's */
  st = pool_commit(p, &next, err);

done:
  pool_state_clear(&next, p->mem);
  pool_change_end(&change, p);
  return st;
}

/* Unless it is named after all. What fails is left to the next sweep. */
static void
take_back(restoring *r, pool *p)
{
  base_file change;
  base_file_close(&r->lock);
  if (pool_change_begin(&change, p, NULL)) return;
  (void)pool_sweep_one(p, r->store.id, NULL);
  pool_change_end(&change, p);
}

quoin_status
pool_restore(pool *p, const char *name, const char *backup, base_cancel *cancel, quoin_error *err)
{
  restoring r = {.store = {.pool = p}, .lock = BASE_FILE_NONE};
  quoin_status st = make_place(&r, p, name, err);
  if (st) goto done;
  pool_quota_init(&r.store);
  st = vec_restore(r.path, backup, &r.store.quota, cancel, p->mem, err);
  if (!st) st = name_it(&r, p, name, err);
  if (st) take_back(&r, p);

done:
  if (r.path) base_release(p->mem, r.path, strlen(r.path) + 1, 1);
  return st;
}
