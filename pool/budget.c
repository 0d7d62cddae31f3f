/* pool/budget.c - how much disk all stores take, and what happens before they take more.
 *
 * Each store asks before a file of it grows (base_quota). What is asked for is added up; the sum is
 * corrected by counting the files when a sixteenth of the budget was asked for since the last
 * count, and before a growth is refused: other processes, what they removed and the budget that
 * they set show up then. So each process may take the pool past its budget by a sixteenth. */
#include "pool/parts.h"

#include <stdio.h>

#include "base/poison.h"

/* Where there is no budget: after so much growth look whether there is one now. */
enum { LOOK_BYTES = 64 << 20 };

typedef struct counter {
  const base_dir *dir;
  uint64_t bytes;
} counter;

static quoin_status
count_file(void *user, const char *name, quoin_error *err)
{
  counter *c = user;
  (void)err;
  c->bytes += base_dir_file_bytes(c->dir, name);
  return QUOIN_OK;
}

/* A directory that goes away meanwhile counts for what was seen of it. */
static quoin_status
count_dir(uint64_t *out, const base_dir *root, const char *name, quoin_error *err)
{
  base_dir dir;
  counter c = {&dir, 0};
  quoin_status st = base_dir_open_in(&dir, root, name, err);
  *out = 0;
  if (st) return st == QUOIN_ERR_NOT_FOUND ? QUOIN_OK : st;
  st = base_dir_list(&dir, count_file, &c, err);
  base_dir_close(&dir);
  *out = c.bytes;
  return st;
}

quoin_status
pool_count_one(uint64_t *out, pool *p, uint64_t id, quoin_error *err)
{
  char name[64];
  pool_dir_name(name, id);
  return count_dir(out, &p->dir, name, err);
}

typedef struct count_all {
  pool *pool;
  uint64_t bytes;
} count_all;

static quoin_status
count_store(void *user, const char *name, quoin_error *err)
{
  count_all *c = user;
  uint64_t id, bytes;
  if (!pool_dir_id(&id, name)) return QUOIN_OK;
  quoin_status st = count_dir(&bytes, &c->pool->dir, name, err);
  c->bytes += bytes;
  return st;
}

quoin_status
pool_count(uint64_t *all, pool *p, quoin_error *err)
{
  count_all c = {p, 0};
  base_mutex_lock(&p->counting);
  uint64_t uncounted = atomic_load(&p->uncounted);
  quoin_status st = base_dir_list(&p->dir, count_store, &c, err);
  if (!st) {
    atomic_fetch_sub(&p->uncounted, uncounted);
    atomic_store(&p->bytes, c.bytes);
  }
  base_mutex_unlock(&p->counting);
  *all = c.bytes;
  return st;
}

/* ---- refusing -------------------------------------------------------------------------------- */

enum { NAMED = 3 };

typedef struct whom {
  struct {
    char name[24];
    uint64_t bytes;
  } top[NAMED]; /* descending */
  uint64_t rest;
} whom;

static void
note_store(whom *w, const char *name, uint64_t bytes)
{
  size_t at = NAMED;
  while (at && w->top[at - 1].bytes < bytes)
    at--;
  if (at == NAMED) {
    w->rest += bytes;
    return;
  }
  w->rest += w->top[NAMED - 1].bytes;
  memmove(w->top + at + 1, w->top + at, (NAMED - 1 - at) * sizeof *w->top);
  w->top[at].bytes = bytes;
  size_t len = strlen(name);
  bool cut = len >= sizeof w->top[at].name;
  while (cut && len > sizeof w->top[at].name - 4) /* not within a character */
    len--;
  while (cut && len && ((unsigned char)name[len] & 0xc0) == 0x80)
    len--;
  memcpy(w->top[at].name, name, len);
  memcpy(w->top[at].name + len, cut ? "..." : "", cut ? 4 : 1);
}

/* Who uses how much, as of the state that was last read. */
static void
ask_whom(whom *w, pool *p, uint64_t all)
{
  pool_state state;
  uint64_t named = 0, bytes;
  *w = (whom){.rest = 0};
  base_mutex_lock(&p->table);
  quoin_status st = pool_state_copy(&state, &p->state, p->mem, NULL);
  base_mutex_unlock(&p->table);
  if (st) return;
  for (size_t i = 0; i < state.n; i++) {
    if (pool_count_one(&bytes, p, state.names[i].id, NULL)) continue;
    note_store(w, state.names[i].name, bytes);
    named += bytes;
  }
  pool_state_clear(&state, p->mem);
  if (all > named) note_store(w, "(without a name)", all - named);
}

static quoin_status
refuse(pool *p, uint64_t all, uint64_t wanted, quoin_error *err)
{
  char list[160] = "";
  size_t len = 0;
  whom w;
  ask_whom(&w, p, all);
  for (size_t i = 0; i < NAMED && w.top[i].bytes; i++)
    len += (size_t)snprintf(list + len, sizeof list - len, "%s%s %llu", i ? ", " : "",
                            w.top[i].name, (unsigned long long)w.top[i].bytes);
  if (w.rest)
    (void)snprintf(list + len, sizeof list - len, ", others %llu", (unsigned long long)w.rest);
  return base_fail(err, QUOIN_ERR_NO_SPACE, "disk budget %llu: %llu used, %llu more wanted (%s)",
                   (unsigned long long)atomic_load(&p->budget), (unsigned long long)all,
                   (unsigned long long)wanted, list);
}

static quoin_status
grow(base_quota *self, uint64_t bytes, quoin_error *err)
{
  pool_store *s = (pool_store *)self;
  pool *p = s->pool;
  uint64_t budget = atomic_load(&p->budget), all;
  quoin_status st = QUOIN_OK;
  uint64_t after = atomic_fetch_add(&p->bytes, bytes) + bytes;
  uint64_t since = atomic_fetch_add(&p->uncounted, bytes) + bytes;
  uint64_t most = budget == POOL_NO_BUDGET ? LOOK_BYTES : budget / 16;
  if (atomic_load(&s->exempt) || (after <= budget && since <= most)) return QUOIN_OK;
  (void)pool_refresh(p, NULL); /* another process may have set another budget */
  budget = atomic_load(&p->budget);
  if (budget == POOL_NO_BUDGET) {
    atomic_store(&p->uncounted, 0);
    return QUOIN_OK;
  }
  if ((st = pool_count(&all, p, err))) return st;
  /* what was given back is free as soon as it is emptied */
  if (all > budget || bytes > budget - all) {
    bool waited = pool_wait_emptied(s);
    if (atomic_load(&s->exempt)) { /* it is being emptied itself */
      atomic_fetch_add(&p->bytes, bytes);
      return QUOIN_OK;
    }
    if (waited && (st = pool_count(&all, p, err))) return st;
  }
  if (all <= budget && bytes <= budget - all) {
    atomic_fetch_add(&p->bytes, bytes); /* about to be there */
    return QUOIN_OK;
  }
  return refuse(p, all, bytes, err);
}

static void
shrink(base_quota *self, uint64_t bytes)
{
  pool *p = ((pool_store *)self)->pool;
  uint64_t have = atomic_load(&p->bytes);
  /* The count may have seen it gone already. */
  while (!atomic_compare_exchange_weak(&p->bytes, &have, have > bytes ? have - bytes : 0))
    ;
}

void
pool_quota_init(pool_store *s)
{
  s->quota = (base_quota){grow, shrink};
}
