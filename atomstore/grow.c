/* atomstore/grow.c - a larger table, made beside the one in use.
 *
 * From load 0.6 on a thread fills a table twice the size while the writer goes on in the old one.
 * When it is done the writer lets the new table follow, some dozen terms at a time, and at load
 * 0.75 swaps: nobody waits long, unless terms come in faster than the thread can put them. The
 * points depend on the count of terms alone, so that a build repeats. Tables of less than 2^14
 * slots are filled by the writer at 0.75, in a few milliseconds. A load says how many terms it
 * expects: then tables grow in larger steps, and one that will do is not followed by another. A
 * retired table stays mapped until the writer sees no pin at all: whoever pins afterwards can only
 * see the new one (pins and the pointer to the table are sequentially consistent). */
#include "atomstore/store.h"

#include <pthread.h>

#include "base/poison.h"

enum { BACKGROUND_BITS = 14, FOLLOW_FROM = 64, FOLLOW_STEP = 128 };

struct atom_growth {
  pthread_t thread;
  const atom_store *store;
  const atom_table *from; /* in use, and so not retired, until the growth ends */
  atom_table *table;
  uint64_t upto; /* the thread puts terms 1..upto; afterwards the writer goes on from there */
  atomic_int stop;
  atomic_bool finished; /* release by the thread, acquire by the writer */
  bool joined;
  quoin_status status; /* of the filling; read after joining the thread */
};

static void *
growth_run(void *user)
{
  atom_growth *growth = user;
  base_map_populate(&growth->table->map);
  growth->status = atom_table_copy(growth->table, growth->store, growth->from, growth->upto,
                                   &growth->stop, NULL);
  atomic_store_explicit(&growth->finished, true, memory_order_release);
  return NULL;
}

/* The file of a table that no manifest can name. */
static void
table_drop(const atom_store *store, atom_table *table)
{
  char name[64];
  if (table->in_memory) return;
  atom_file_name(name, ATOM_FILE_TABLE, store->generation, table->number);
  (void)base_dir_unlink(store->dir, name, NULL);
}

void
atom_store_expect(atom_store *store, uint64_t terms)
{
  atom_assert_writer(store, "atom_store_expect");
  store->expected = terms;
}

/* What follows this table: one of twice its size, or what half the expected terms need, since a
 * guess from the beginning of an input may be far too high, and a table never shrinks. */
static unsigned
next_bits(const atom_store *store, const atom_table *now)
{
  enum { STEP_MOST = 4 };
  unsigned bits = now->bits + 1;
  while (bits < now->bits + STEP_MOST && store->expected / 2 * 5 > (UINT64_C(3) << bits))
    bits++;
  return bits;
}

static void
growth_start(atom_store *store, uint64_t terms)
{
  atom_table *now = atom_table_now(store);
  atom_growth *growth = base_new_zero(store->mem, 1, sizeof(*growth));
  store->growth_failed = true;
  if (!growth) return;
  growth->store = store;
  growth->from = now;
  growth->upto = terms;
  if (atom_table_create(&growth->table, store, now->number + 1, next_bits(store, now), NULL))
    goto failed;
  if (pthread_create(&growth->thread, NULL, growth_run, growth)) goto failed;
  store->growth = growth;
  store->growth_failed = false;
  return;

failed:
  if (growth->table) table_drop(store, growth->table);
  atom_table_free(growth->table, store->mem);
  base_release(store->mem, growth, 1, sizeof(*growth));
}

static void
growth_join(atom_growth *growth)
{
  if (growth->joined) return;
  (void)pthread_join(growth->thread, NULL);
  growth->joined = true;
}

/* The finished table, or NULL when it was stopped or the thread failed. */
static atom_table *
growth_end(atom_store *store, uint64_t *upto)
{
  atom_growth *growth = store->growth;
  growth_join(growth);
  atom_table *table = growth->table;
  bool whole = growth->status == QUOIN_OK && !atomic_load(&growth->stop);
  *upto = growth->upto;
  base_release(store->mem, growth, 1, sizeof(*growth));
  store->growth = NULL;
  if (whole) return table;
  table_drop(store, table);
  atom_table_free(table, store->mem);
  return NULL;
}

void
atom_grow_stop(atom_store *store)
{
  uint64_t upto;
  if (!store->growth) return;
  atomic_store_explicit(&store->growth->stop, 1, memory_order_relaxed);
  (void)growth_end(store, &upto); /* NULL: it was stopped */
}

/* Put into the new table what came since the thread is done. */
static void
growth_follow(atom_store *store, uint64_t terms)
{
  atom_growth *growth = store->growth;
  if (!growth || terms - growth->upto < FOLLOW_FROM) return;
  if (!atomic_load_explicit(&growth->finished, memory_order_acquire)) return;
  growth_join(growth);
  uint64_t upto = terms - growth->upto < FOLLOW_STEP ? terms : growth->upto + FOLLOW_STEP;
  if (!growth->status)
    growth->status = atom_table_fill(growth->table, store, growth->upto + 1, upto, NULL, NULL);
  growth->upto = upto;
  if (!growth->status) return;
  atom_grow_stop(store);
  store->growth_failed = true;
}

void
atom_grow_rollback(atom_store *store, uint64_t terms)
{
  if (store->growth && store->growth->upto > terms) atom_grow_stop(store);
  store->growth_failed = false;
}

void
atom_grow_reclaim(atom_store *store)
{
  if (!store->retired || atomic_load(&store->pins) != 0) return;
  while (store->retired) {
    atom_table *table = store->retired;
    store->retired = table->older;
    atom_table_free(table, store->mem);
  }
}

/* Nobody finds it any more. */
static void
retire(atom_store *store, atom_table *table)
{
  table->older = store->retired;
  store->retired = table;
  if (table->number > atomic_load(&store->named_table)) table_drop(store, table);
}

static void
swap(atom_store *store, atom_table *table, uint64_t terms)
{
  atom_table *old = atom_table_now(store);
  store->soiled = true;               /* a new table is not clean */
  atomic_store(&store->table, table); /* seq_cst: before any later look at the pins */
  store->growth_failed = false;
  if (store->memory_room && !store->home) {
    store->home = old;
    store->home_terms = terms;
  } else {
    retire(store, old);
  }
  atom_grow_reclaim(store);
}

static quoin_status
grow_now(atom_store *store, uint64_t terms, quoin_error *err)
{
  atom_table *now = atom_table_now(store), *table = NULL;
  uint64_t done = 0;
  quoin_status st = QUOIN_OK;
  if (store->growth) table = growth_end(store, &done);
  if (!table) {
    unsigned bits = next_bits(store, now);
    st = atom_table_create(&table, store, now->number + 1, bits, err);
    if (st == QUOIN_ERR_NO_SPACE && bits > now->bits + 1) /* for what is expected; now is less */
      st = atom_table_create(&table, store, now->number + 1, now->bits + 1, err);
    if (st) return st;
    st = atom_table_copy(table, store, now, done = terms, NULL, err);
  }
  if (!st) st = atom_table_fill(table, store, done + 1, terms, NULL, err);
  if (st) {
    table_drop(store, table);
    atom_table_free(table, store->mem);
    return st;
  }
  swap(store, table, terms);
  return QUOIN_OK;
}

quoin_status
atom_grow_room(atom_store *store, quoin_error *err)
{
  const atom_table *table = atom_table_now(store);
  uint64_t slots = table->mask + 1;
  uint64_t terms = atomic_load_explicit(&store->terms, memory_order_relaxed);
  if ((terms + 1) * 5 <= slots * 3) return QUOIN_OK;
  if ((terms + 1) * 4 > slots * 3) return grow_now(store, terms, err);
  growth_follow(store, terms);
  if (!store->growth && store->expected && store->expected * 4 <= slots * 3) return QUOIN_OK;
  if (!store->growth && !store->growth_failed && table->bits >= BACKGROUND_BITS)
    growth_start(store, terms);
  return QUOIN_OK;
}

/* ---- loads ------------------------------------------------------------------------------------
 */

void
atom_load_begin(atom_store *store, uint64_t bytes)
{
  atom_assert_writer(store, "atom_load_begin");
  assert(!store->memory_room && !store->home);
  store->memory_room = bytes;
}

uint64_t
atom_load_bytes(const atom_store *store)
{
  uint64_t bytes = 0;
  const atom_table *now = atom_table_now(store);
  atom_assert_writer(store, "atom_load_bytes");
  if (now->in_memory) bytes += now->map.size;
  if (store->growth && store->growth->table->in_memory) bytes += store->growth->table->map.size;
  for (const atom_table *old = store->retired; old; old = old->older)
    if (old->in_memory) bytes += old->map.size;
  return bytes;
}

quoin_status
atom_load_settle(atom_store *store, quoin_error *err)
{
  atom_table *now = atom_table_now(store), *table;
  quoin_status st;
  atom_assert_writer(store, "atom_load_settle");
  atom_grow_stop(store); /* what comes in later begins another */
  if (!now->in_memory) return QUOIN_OK;
  if ((st = atom_table_write(&table, store, now, err))) return st;
  atomic_store(&store->table, table);
  now->older = store->retired;
  store->retired = now;
  atom_grow_reclaim(store);
  return QUOIN_OK;
}

uint64_t
atom_grow_home(atom_store *store, uint64_t now, uint64_t terms)
{
  atom_table *table = atom_table_now(store);
  if (!store->home || terms > store->home_terms) return now;
  store->soiled = !store->home->head.clean; /* before a sync can find it, which writes there */
  atomic_store(&store->table, store->home);
  store->home = NULL;
  retire(store, table);
  atom_grow_reclaim(store);
  return store->home_terms;
}

void
atom_load_end(atom_store *store)
{
  atom_assert_writer(store, "atom_load_end");
  atom_grow_stop(store);
  if (atom_table_now(store)->in_memory) /* made for a term that then found no room */
    (void)atom_grow_home(store, 0, atomic_load_explicit(&store->terms, memory_order_relaxed));
  assert(!atom_table_now(store)->in_memory);
  store->memory_room = 0;
  if (store->home) retire(store, store->home);
  store->home = NULL;
  atom_grow_reclaim(store);
}
