/* pool/sweep.c - removing the directories of stores that are no more. */
#include "pool/parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/poison.h"

#define PREFIX "store-"

void
pool_dir_name(char out[64], uint64_t id)
{
  (void)snprintf(out, 64, PREFIX "%llu", (unsigned long long)id);
}

bool
pool_dir_id(uint64_t *out, const char *name)
{
  char again[64];
  const char *digits = name + sizeof PREFIX - 1;
  if (strncmp(name, PREFIX, sizeof PREFIX - 1) || *digits < '0' || *digits > '9') return false;
  *out = strtoull(digits, NULL, 10);
  pool_dir_name(again, *out);
  return *out < UINT64_MAX && strcmp(name, again) == 0;
}

static quoin_status
unlink_all(void *user, const char *name, quoin_error *err)
{
  return strcmp(name, "lock") ? base_dir_unlink(user, name, err) : QUOIN_OK;
}

quoin_status
pool_remove_dir(bool *busy, const base_dir *root, const char *name, quoin_error *err)
{
  base_dir dir = BASE_DIR_NONE;
  base_file lock = BASE_FILE_NONE;
  bool taken = true;
  quoin_status st;
  *busy = false;
  if ((st = base_dir_open_in(&dir, root, name, err))) goto done;
  if (base_dir_has(&dir, "lock")) {
    /* the lock of the store's writer; and who comes for it now finds it taken */
    if ((st = base_file_open(&lock, &dir, "lock", BASE_FILE_WRITE, err))) goto done;
    if ((st = base_file_lock(&taken, &lock, err))) goto done;
  }
  *busy = !taken;
  if (!taken) goto done;
  if ((st = base_dir_list(&dir, unlink_all, &dir, err))) goto done;
  if (lock.fd >= 0 && (st = base_dir_unlink(&dir, "lock", err))) goto done;
  st = base_dir_remove(root, name, err);

done:
  base_file_close(&lock);
  base_dir_close(&dir);
  return st;
}

/* Is it named, or open here? */
static bool
in_use(pool *p, uint64_t id)
{
  bool used = false;
  base_mutex_lock(&p->table);
  for (size_t i = 0; i < p->state.n && !used; i++)
    used = p->state.names[i].id == id;
  for (const pool_store *s = p->stores; s && !used; s = s->next)
    used = s->id == id;
  for (const pool_store *s = p->idle; s && !used; s = s->next)
    used = s->id == id;
  for (const pool_store *s = p->used; s && !used; s = s->next)
    used = s->id == id;
  base_mutex_unlock(&p->table);
  return used;
}

quoin_status
pool_sweep_one(pool *p, uint64_t id, quoin_error *err)
{
  char name[64];
  bool busy;
  pool_dir_name(name, id);
  if (in_use(p, id) || !base_dir_has(&p->dir, name)) return QUOIN_OK;
  return pool_remove_dir(&busy, &p->dir, name, err);
}

static quoin_status
sweep_name(void *user, const char *name, quoin_error *err)
{
  pool *p = user;
  uint64_t id;
  if (!strcmp(name, POOL_FILE_NEW)) return base_dir_unlink(&p->dir, name, err);
  if (!pool_dir_id(&id, name)) return QUOIN_OK;
  if (id >= p->next) p->next = id + 1;
  return pool_sweep_one(p, id, err);
}

quoin_status
pool_sweep(pool *p, quoin_error *err)
{
  return base_dir_list(&p->dir, sweep_name, p, err);
}
