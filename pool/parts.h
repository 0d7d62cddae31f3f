/* pool/parts.h - what the files of this folder share.
 *
 * Two locks. `change` is held while the pool is changed, over I/O, by one thread, which then holds
 * the lock file too. `table` guards what is in memory, and nothing is done under it but looking and
 * counting. `change` comes first. */
#ifndef QUOIN_POOL_PARTS_H
#define QUOIN_POOL_PARTS_H

#include "pool/pool.h"

#include <pthread.h>
#include <stdatomic.h>

#define POOL_FILE "pool.json"
#define POOL_FILE_NEW "pool.json.new" /* while it is written */

/* What pool.json says. */
typedef struct pool_named {
  char *name;
  uint64_t id;
} pool_named;

typedef struct pool_state {
  uint64_t generation; /* grows with each change */
  uint64_t next;       /* no directory has had this number */
  uint64_t budget;
  size_t active;     /* index of the active one, SIZE_MAX: none */
  pool_named *names; /* sorted */
  size_t n, room;
} pool_state;

struct pool_store {
  base_quota quota; /* first: handed to the store */
  pool *pool;
  uint64_t id;
  unsigned refs;
  bool lent;
  bool busy; /* being opened or closed, by a thread without the lock */
  quad_store *quads;
  atomic_uint exempt; /* growth is not judged */
  pool_store *next;   /* in one of the pool's lists */
};

struct pool {
  base_alloc alloc;
  const base_alloc *mem; /* &alloc */
  base_dir dir;
  char *path;
  size_t path_size;
  pool_options options;
  base_file self; /* of a temporary pool: holds the lock that says it is alive */

  base_mutex change;
  base_mutex table;
  base_cond moved;    /* a store was opened, closed, came back or was emptied */
  unsigned refs;      /* holders, and stores handed out */
  pool_state state;   /* as last read or written */
  pool_store *stores; /* that somebody holds, or that are busy */
  pool_store *used;   /* lent ones that came back; busy: being emptied */
  pool_store *idle;   /* lent ones that are empty */
  unsigned lent;      /* handed out or about to be */
  unsigned back;      /* in `used` and `idle` */
  pthread_t cleaner;  /* empties what is used */
  bool cleaning;      /* there is that thread */
  bool stopping;      /* it is to end */
  uint64_t next;      /* number of the next directory, at least */

  base_mutex counting;        /* of bytes; the last in the order */
  _Atomic uint64_t budget;    /* state.budget */
  _Atomic uint64_t bytes;     /* of all directories: the last count, and what was asked for since */
  _Atomic uint64_t uncounted; /* asked for since */
};

/* ---- state.c: pool.json ---------------------------------------------------------------------- */

void pool_state_clear(pool_state *s, const base_alloc *mem);
quoin_status pool_state_copy(pool_state *out, const pool_state *s, const base_alloc *mem,
                             quoin_error *err);
/* Index of a name, or where it would go. */
size_t pool_state_find(const pool_state *s, const char *name, bool *found);
quoin_status pool_state_add(pool_state *s, const char *name, uint64_t id, const base_alloc *mem,
                            quoin_error *err);
void pool_state_remove(pool_state *s, size_t at, const base_alloc *mem);
/* NOT_FOUND when there is no pool.json. */
quoin_status pool_state_read(pool_state *out, const base_dir *dir, const base_alloc *mem,
                             quoin_error *err);
/* Replace it, durably. After a failure the file is the old or the new one. */
quoin_status pool_state_write(const pool_state *s, const base_dir *dir, const base_alloc *mem,
                              quoin_error *err);

/* ---- names.c --------------------------------------------------------------------------------- */

/* Take both locks of changing. */
quoin_status pool_change_lock(base_file *lock, pool *p, quoin_error *err);
/* The same, and read the state anew. */
quoin_status pool_change_begin(base_file *lock, pool *p, quoin_error *err);
void pool_change_end(base_file *lock, pool *p);
/* The state as it is, to be changed. */
quoin_status pool_copy_state(pool_state *next, pool *p, quoin_error *err);
/* Make `next` the state; what is left in it is to be cleared. When it is not known whether that is
 * so, the file decides. */
quoin_status pool_commit(pool *p, pool_state *next, quoin_error *err);
/* A good name that no store has. */
quoin_status pool_check_new(const pool_state *s, const char *name, quoin_error *err);
/* Read pool.json if it may have changed. */
quoin_status pool_refresh(pool *p, quoin_error *err);
/* "store-<id>", and below the pool's path (released with its size strlen + 1). */
void pool_dir_name(char out[64], uint64_t id);
char *pool_dir_path(const pool *p, uint64_t id);
/* A number that no directory has. While changing. */
uint64_t pool_new_id(pool *p);

/* ---- stores.c -------------------------------------------------------------------------------- */

pool_store *pool_store_new(pool *p, uint64_t id, bool lent, quoin_error *err);
/* Lists, under the table's lock. */
void pool_store_push(pool_store **list, pool_store *s);
void pool_store_take_out(pool_store **list, pool_store *s);
/* Without the lock: open `s`, which is in p->stores and busy. When that fails it is gone. */
quoin_status pool_store_open(pool_store *s, bool create, quoin_error *err);

/* ---- lend.c ---------------------------------------------------------------------------------- */

/* The last holder of a lent store has let it go. */
void pool_take_back(pool_store *s);
/* Wait, though not for long, until what came back, or `s` itself, is being emptied or is; false:
 * there was nothing. */
bool pool_wait_emptied(pool_store *s);
void pool_stop_cleaner(pool *p);

/* ---- sweep.c --------------------------------------------------------------------------------- */

/* Remove the directory of a store with all files, unless a process writes to it or it is named or
 * open here. While changing. */
quoin_status pool_sweep_one(pool *p, uint64_t id, quoin_error *err);
/* All that nothing names. */
quoin_status pool_sweep(pool *p, quoin_error *err);
/* Remove `name` below `root` with its files; *busy when a store in it is in use. */
quoin_status pool_remove_dir(bool *busy, const base_dir *root, const char *name, quoin_error *err);
/* The id in "store-<id>"; false for other names. */
bool pool_dir_id(uint64_t *out, const char *name);

/* ---- budget.c -------------------------------------------------------------------------------- */

void pool_quota_init(pool_store *s);
/* Bytes of the directories of all stores. */
quoin_status pool_count(uint64_t *all, pool *p, quoin_error *err);
/* Of one. */
quoin_status pool_count_one(uint64_t *out, pool *p, uint64_t id, quoin_error *err);

#endif /* QUOIN_POOL_PARTS_H */
