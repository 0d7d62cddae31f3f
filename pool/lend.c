/* pool/lend.c - stores without a name: lent, given back, and emptied for the next one.
 *
 * Who gives one back does not wait for that: it costs what the system takes to unmap and unlink
 * large files, so the pool's thread does it. Emptied stores stay open. There are never more than
 * the pool lends: lent ones, and `back` others, in `used` until they are empty and then in `idle`.
 * A store that was not emptied when the process ends is named by nothing, and swept. */
#include "pool/parts.h"

#include <signal.h>

#include "base/poison.h"

/* ---- emptying -------------------------------------------------------------------------------- */

/* Under the table's lock: the next one to empty, or NULL. */
static pool_store *
find_used(const pool *p)
{
  pool_store *s = p->used;
  while (s && s->busy)
    s = s->next;
  return s;
}

/* One that cannot be emptied. Without the lock, and in no list. */
static void
discard(pool *p, pool_store *s)
{
  base_file lock;
  atomic_fetch_add(&s->exempt, 1);
  (void)quad_store_close(s->quads, NULL);
  if (!pool_change_begin(&lock, p, NULL)) { /* else by the next sweep */
    (void)pool_sweep_one(p, s->id, NULL);
    pool_change_end(&lock, p);
  }
  base_release(p->mem, s, 1, sizeof *s);
}

/* Empty `s`, of p->used. With the table's lock, but for the work. */
static void
empty(pool *p, pool_store *s)
{
  s->busy = true;
  atomic_fetch_add(&s->exempt, 1);
  base_cond_broadcast(&p->moved); /* its own threads may be waiting for room */
  base_mutex_unlock(&p->table);
  quoin_status st = quad_store_clear(s->quads, NULL);
  atomic_fetch_sub(&s->exempt, 1);
  base_mutex_lock(&p->table);
  pool_store_take_out(&p->used, s);
  s->busy = false;
  if (st)
    p->back--;
  else
    pool_store_push(&p->idle, s);
  base_cond_broadcast(&p->moved);
  if (!st) return;
  base_mutex_unlock(&p->table);
  discard(p, s);
  base_mutex_lock(&p->table);
}

static void *
cleaner_main(void *user)
{
  pool *p = user;
  base_mutex_lock(&p->table);
  while (!p->stopping) {
    pool_store *s = find_used(p);
    if (s)
      empty(p, s);
    else
      base_cond_wait(&p->moved, &p->table);
  }
  base_mutex_unlock(&p->table);
  return NULL;
}

/* Under the table's lock. False: there can be no thread. */
static bool
start_cleaner(pool *p)
{
  sigset_t all, before;
  if (p->options.store.inline_maintenance) return false;
  if (p->cleaning) return true;
  (void)sigfillset(&all); /* the program's signals are its own threads' */
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  p->cleaning = pthread_create(&p->cleaner, NULL, cleaner_main, p) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return p->cleaning;
}

void
pool_stop_cleaner(pool *p)
{
  base_mutex_lock(&p->table);
  p->stopping = true;
  base_cond_broadcast(&p->moved);
  base_mutex_unlock(&p->table);
  if (p->cleaning) (void)pthread_join(p->cleaner, NULL);
  base_mutex_lock(&p->table);
  p->cleaning = false;
  base_cond_broadcast(&p->moved);
  base_mutex_unlock(&p->table);
}

void
pool_take_back(pool_store *s)
{
  pool *p = s->pool;
  base_mutex_lock(&p->table);
  pool_store_take_out(&p->stores, s);
  pool_store_push(&p->used, s);
  p->lent--;
  p->back++;
  base_cond_broadcast(&p->moved);
  if (!start_cleaner(p)) empty(p, s);
  base_mutex_unlock(&p->table);
}

bool
pool_wait_emptied(pool_store *s)
{
  enum { MOST_NS = 2000 * 1000 * 1000 };
  pool *p = s->pool;
  uint64_t until = base_clock_ns() + MOST_NS;
  base_mutex_lock(&p->table);
  bool waited = p->used && p->cleaning;
  while (p->used && p->cleaning && !atomic_load(&s->exempt) && base_clock_ns() < until)
    (void)base_cond_wait_until(&p->moved, &p->table, until);
  base_mutex_unlock(&p->table);
  return waited;
}

/* ---- lending --------------------------------------------------------------------------------- */

/* Under the table's lock: until something moves, or for a while. */
static quoin_status
wait_moved(pool *p, uint64_t until, base_cancel *cancel, quoin_error *err)
{
  enum { SLICE_NS = 20 * 1000 * 1000 };
  uint64_t now = base_clock_ns();
  if (now >= until)
    return base_fail(err, QUOIN_ERR_LIMIT, "all %u stores that the pool lends are lent",
                     p->options.lent_most);
  (void)base_cond_wait_until(&p->moved, &p->table, until - now < SLICE_NS ? until : now + SLICE_NS);
  if (cancel) cancel->calls = 0; /* look at the clock each time */
  return base_cancel_check(cancel, err);
}

/* A new one: what it is in no name says, and its own lock keeps it. */
static quoin_status
make_lent(pool_store **out, pool *p, quoin_error *err)
{
  base_file lock;
  pool_store *s;
  uint64_t id;
  quoin_status st = pool_change_begin(&lock, p, err);
  if (st) return st;
  id = pool_new_id(p);
  if ((s = pool_store_new(p, id, true, err))) {
    base_mutex_lock(&p->table);
    pool_store_push(&p->stores, s);
    base_mutex_unlock(&p->table);
    st = pool_store_open(s, true, err);
    if (st) (void)pool_sweep_one(p, id, NULL);
  } else {
    st = QUOIN_ERR_NOMEM;
  }
  pool_change_end(&lock, p);
  if (!st) *out = s;
  return st;
}

/* Under the table's lock: count one more as lent. *out: one that is empty; NULL: make one. */
static quoin_status
take_empty(pool_store **out, pool *p, uint64_t until, base_cancel *cancel, quoin_error *err)
{
  pool_store *s;
  quoin_status st = QUOIN_OK;
  *out = NULL;
  for (;;) {
    bool may = p->lent < p->options.lent_most;
    if (may && (p->idle || p->lent + p->back < p->options.lent_most)) break;
    if (may && (s = find_used(p)))
      empty(p, s);
    else if ((st = wait_moved(p, may ? UINT64_MAX : until, cancel, err))) /* emptied it will be */
      return st;
  }
  p->lent++;
  p->refs++;
  if (!(s = p->idle)) return QUOIN_OK;
  pool_store_take_out(&p->idle, s);
  p->back--;
  s->refs = 1;
  pool_store_push(&p->stores, s);
  *out = s;
  return QUOIN_OK;
}

quoin_status
pool_lend(pool_store **out, pool *p, uint64_t wait_ms, base_cancel *cancel, quoin_error *err)
{
  uint64_t until = base_clock_ns() + wait_ms * 1000000;
  pool_store *s = NULL;
  quoin_status st;
  *out = NULL;
  if (wait_ms > UINT64_MAX / 2000000) until = UINT64_MAX;
  if (p->options.mode == POOL_READ_ONLY)
    return base_fail(err, QUOIN_ERR_READ_ONLY, "the pool was opened for reading only");
  base_mutex_lock(&p->table);
  st = take_empty(&s, p, until, cancel, err);
  base_mutex_unlock(&p->table);
  if (st) return st;
  if (!s && (st = make_lent(&s, p, err))) {
    base_mutex_lock(&p->table);
    p->lent--;
    base_cond_broadcast(&p->moved);
    base_mutex_unlock(&p->table);
    pool_close(p);
    return st;
  }
  *out = s;
  return QUOIN_OK;
}
