/* pool/pool.c - opening and closing a pool. */
#include "pool/parts.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/poison.h"

#define TEMPORARY "quoin-pool-"
#define ALIVE "alive.lock"

char *
pool_dir_path(const pool *p, uint64_t id)
{
  char name[64];
  char *path;
  size_t len = strlen(p->path);
  pool_dir_name(name, id);
  if (!(path = base_new(p->mem, len + strlen(name) + 2, 1))) return NULL;
  memcpy(path, p->path, len);
  path[len] = '/';
  memcpy(path + len + 1, name, strlen(name) + 1);
  return path;
}

const char *
pool_path(const pool *p)
{
  return p->path;
}

static quoin_status
set_path(pool *p, const char *path, const char *name, quoin_error *err)
{
  size_t len = strlen(path), more = name ? strlen(name) + 1 : 0;
  p->path_size = len + more + 1;
  if (!(p->path = base_new(p->mem, p->path_size, 1))) return base_fail_nomem(err);
  memcpy(p->path, path, len + 1);
  if (name) {
    p->path[len] = '/';
    memcpy(p->path + len + 1, name, more);
  }
  return QUOIN_OK;
}

/* ---- temporary pools ------------------------------------------------------------------------- */

static quoin_status
remove_store(void *user, const char *name, quoin_error *err)
{
  base_dir *root = user;
  uint64_t id;
  bool busy;
  if (pool_dir_id(&id, name)) return pool_remove_dir(&busy, root, name, err);
  return strcmp(name, ALIVE) ? base_dir_unlink(root, name, err) : QUOIN_OK;
}

/* All of `name` below `parent`, whose lock is held by the caller. */
static quoin_status
remove_pool(const base_dir *parent, const char *name, quoin_error *err)
{
  base_dir dir;
  quoin_status st = base_dir_open_in(&dir, parent, name, err);
  if (st) return st;
  st = base_dir_list(&dir, remove_store, &dir, err);
  if (!st && base_dir_has(&dir, ALIVE)) st = base_dir_unlink(&dir, ALIVE, err);
  base_dir_close(&dir);
  return st ? st : base_dir_remove(parent, name, err);
}

/* One whose process died has nobody who locks it. */
static quoin_status
sweep_temporary(void *user, const char *name, quoin_error *err)
{
  const base_dir *parent = user;
  base_dir dir;
  base_file self = BASE_FILE_NONE;
  bool taken = false;
  (void)err;
  if (strncmp(name, TEMPORARY, sizeof TEMPORARY - 1)) return QUOIN_OK;
  if (base_dir_open_in(&dir, parent, name, NULL)) return QUOIN_OK;
  if (!base_file_open(&self, &dir, ALIVE, BASE_FILE_WRITE, NULL) &&
      !base_file_lock(&taken, &self, NULL) && taken)
    (void)remove_pool(parent, name, NULL);
  base_file_close(&self);
  base_dir_close(&dir);
  return QUOIN_OK;
}

/* A new directory below `path` with a lock that lives as long as this process does. */
static quoin_status
make_temporary(pool *p, const char *path, quoin_error *err)
{
  base_dir parent;
  char name[64];
  bool taken = false;
  quoin_status st = base_dir_open(&parent, path, err);
  if (st) return st;
  (void)base_dir_list(&parent, sweep_temporary, &parent, NULL);
  for (uint64_t i = 0;; i++) {
    uint64_t mixed = base_mix(base_clock_ns() ^ (uint64_t)getpid() << 32) + i;
    (void)snprintf(name, sizeof name, TEMPORARY "%016llx", (unsigned long long)mixed);
    if ((st = set_path(p, path, name, err))) goto done;
    if ((st = base_dir_create(p->path, err)) != QUOIN_ERR_EXISTS) break;
    base_error_clear(err);
    base_release(p->mem, p->path, p->path_size, 1);
    p->path = NULL;
  }
  if (st || (st = base_dir_open(&p->dir, p->path, err))) goto done;
  if ((st = base_file_open(&p->self, &p->dir, ALIVE, BASE_FILE_CREATE_NEW, err))) goto done;
  st = base_file_lock(&taken, &p->self, err);
  if (!st && !taken) /* one that sweeps was faster */
    st = base_fail(err, QUOIN_ERR_BUSY, "the temporary pool '%s' was taken: try again", p->path);

done:
  base_dir_close(&parent);
  return st;
}

/* ---- opening --------------------------------------------------------------------------------- */

static quoin_status
refuse_foreign(void *user, const char *name, quoin_error *err)
{
  const pool *p = user;
  if (!strcmp(name, "pool.lock") || !strcmp(name, POOL_FILE_NEW) || !strcmp(name, ALIVE) ||
      !strcmp(name, "lost+found"))
    return QUOIN_OK;
  uint64_t id;
  if (pool_dir_id(&id, name))
    return base_fail_at(err, QUOIN_ERR_CORRUPT, POOL_FILE, UINT64_MAX,
                        "it is missing, but there are stores in '%s'", p->path);
  return base_fail(err, QUOIN_ERR_EXISTS,
                   "there is no pool in '%s' but other files ('%s'): name a new or an empty "
                   "directory",
                   p->path, name);
}

/* While changing. */
static quoin_status
create_state(pool *p, quoin_error *err)
{
  pool_state empty = {.generation = 1, .next = 1, .budget = p->options.budget, .active = SIZE_MAX};
  quoin_status st;
  if (!empty.budget) empty.budget = POOL_NO_BUDGET;
  if ((st = base_dir_list(&p->dir, refuse_foreign, p, err))) return st;
  if ((st = base_dir_sync_parent(&p->dir, err))) return st;
  return pool_state_write(&empty, &p->dir, p->mem, err);
}

static quoin_status
open_dir(pool *p, const char *path, quoin_error *err)
{
  bool create = p->options.mode == POOL_CREATE || p->options.mode == POOL_CREATE_NEW;
  quoin_status st;
  if (p->options.temporary) return make_temporary(p, path, err);
  if ((st = set_path(p, path, NULL, err))) return st;
  st = base_dir_open(&p->dir, path, err);
  if (st == QUOIN_ERR_NOT_FOUND && create) {
    base_error_clear(err);
    if ((st = base_dir_create(path, err)) && st != QUOIN_ERR_EXISTS) return st;
    base_error_clear(err);
    st = base_dir_open(&p->dir, path, err);
  } else if (st == QUOIN_ERR_NOT_FOUND) {
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no pool in '%s'", path);
  }
  return st;
}

static quoin_status
open_state(pool *p, quoin_error *err)
{
  bool create =
      p->options.temporary || p->options.mode == POOL_CREATE || p->options.mode == POOL_CREATE_NEW;
  base_file lock;
  quoin_status st;
  bool there = base_dir_has(&p->dir, POOL_FILE);
  if (p->options.mode == POOL_READ_ONLY || (!there && !create)) return pool_refresh(p, err);
  if (!there && (st = base_dir_list(&p->dir, refuse_foreign, p, err))) return st;
  if ((st = pool_change_lock(&lock, p, err))) return st;
  there = base_dir_has(&p->dir, POOL_FILE); /* another process may have been faster */
  if (there && p->options.mode == POOL_CREATE_NEW)
    st = base_fail(err, QUOIN_ERR_EXISTS, "there is a pool already in '%s'", p->path);
  if (!there) st = create_state(p, err);
  if (!st) st = pool_refresh(p, err);
  if (!st) (void)pool_sweep(p, NULL); /* what fails is left to the next sweep */
  pool_change_end(&lock, p);
  return st;
}

static unsigned
cores(void)
{
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (unsigned)n : 1;
}

static quoin_status
make_locks(pool *p, unsigned *made, quoin_error *err)
{
  quoin_status st;
  if ((st = base_mutex_init(&p->change, BASE_RANK_POOL, "pool", err))) return st;
  ++*made;
  if ((st = base_mutex_init(&p->table, BASE_RANK_QUEUE, "table of the pool", err))) return st;
  ++*made;
  if ((st = base_mutex_init(&p->counting, BASE_RANK_QUEUE, "count of the pool", err))) return st;
  ++*made;
  if ((st = base_cond_init(&p->moved, err))) return st;
  ++*made;
  return QUOIN_OK;
}

static void
destroy(pool *p, unsigned locks)
{
  base_alloc mem = p->alloc;
  pool_state_clear(&p->state, p->mem);
  if (locks > 3) base_cond_destroy(&p->moved);
  if (locks > 2) base_mutex_destroy(&p->counting);
  if (locks > 1) base_mutex_destroy(&p->table);
  if (locks > 0) base_mutex_destroy(&p->change);
  base_file_close(&p->self);
  base_dir_close(&p->dir);
  if (p->path) base_release(p->mem, p->path, p->path_size, 1);
  base_release(&mem, p, 1, sizeof *p);
}

quoin_status
pool_open(pool **out, const char *path, const pool_options *options, const base_alloc *mem,
          quoin_error *err)
{
  static const pool_options defaults;
  unsigned locks = 0;
  uint64_t bytes;
  quoin_status st;
  pool *p;
  *out = NULL;
  if (!mem) mem = base_alloc_default();
  if (!(p = base_new_zero(mem, 1, sizeof *p))) return base_fail_nomem(err);
  p->alloc = *mem;
  p->mem = &p->alloc;
  p->dir = BASE_DIR_NONE;
  p->self = BASE_FILE_NONE;
  p->refs = 1;
  p->next = 1;
  p->state.active = SIZE_MAX;
  p->options = options ? *options : defaults;
  if (p->options.temporary) p->options.mode = POOL_CREATE;
  if (!p->options.lent_most) p->options.lent_most = 2 * cores();
  atomic_store(&p->budget, p->options.budget ? p->options.budget : POOL_NO_BUDGET);
  if ((st = make_locks(p, &locks, err))) goto done;
  if ((st = open_dir(p, path, err))) goto done;
  if ((st = open_state(p, err))) goto done;
  if ((st = pool_count(&bytes, p, err))) goto done;
  *out = p;
  p = NULL;

done:
  if (p) destroy(p, locks);
  return st;
}

/* ---- closing --------------------------------------------------------------------------------- */

pool *
pool_retain(pool *p)
{
  base_mutex_lock(&p->table);
  p->refs++;
  base_mutex_unlock(&p->table);
  return p;
}

/* The stores that came back have nothing to keep. */
static void
drop_idle(pool *p)
{
  base_file lock;
  bool changing = (p->idle || p->used) && !pool_change_begin(&lock, p, NULL);
  while (p->idle || p->used) {
    pool_store **list = p->idle ? &p->idle : &p->used, *s = *list;
    uint64_t id = s->id;
    bool full = list == &p->used;
    base_mutex_lock(&p->table);
    *list = s->next;
    atomic_fetch_add(&s->exempt, 1);
    base_cond_broadcast(&p->moved); /* its own threads may be waiting for room */
    base_mutex_unlock(&p->table);
    if (full) (void)quad_store_clear(s->quads, NULL); /* or its close would save it */
    (void)quad_store_close(s->quads, NULL);
    base_release(p->mem, s, 1, sizeof *s);
    if (changing) (void)pool_sweep_one(p, id, NULL); /* else by the next sweep */
  }
  if (changing) pool_change_end(&lock, p);
}

static void
remove_self(pool *p)
{
  base_dir parent;
  const char *name = strrchr(p->path, '/') + 1;
  if (base_dir_open_in(&parent, &p->dir, "..", NULL)) return;
  (void)remove_pool(&parent, name, NULL);
  base_dir_close(&parent);
}

void
pool_close(pool *p)
{
  bool last;
  if (!p) return;
  base_mutex_lock(&p->table);
  last = --p->refs == 0;
  base_mutex_unlock(&p->table);
  if (!last) return;
  assert(!p->stores);
  pool_stop_cleaner(p);
  drop_idle(p);
  if (p->options.temporary) remove_self(p);
  destroy(p, 4);
}
