/* quadstore/filter.c - see filter.h. */
#include "quadstore/filter.h"

#include "quadstore/cursor.h"

#include <assert.h>

#include "base/poison.h"

/* Hashing a block costs about as much as so many searches in vain. 12 bits a key let two in a
 * hundred pass. Larger sections than these have none. */
enum { MISSES_A_BLOCK = 16, KEY_BITS = 12, WORDS_MAX = 4 << 20 };

static void
set(quad_filter *f, const uint64_t *key, unsigned n)
{
  uint64_t hash = quad_filter_hash(key, n);
  f->word[(hash >> 32) * f->words >> 32] &= ~quad_filter_bits(hash);
}

/* All first keys and pairs: counted while there is no filter, else put in. */
static quoin_status
pass(size_t *keys, quad_filter *f, const quad_section *sec, quad_cursor *cur)
{
  uint64_t last[2] = {0, 0};
  quoin_status st;

  for (uint64_t b = 0; b < sec->blocks; b++) {
    if (!f && *keys / 64 * KEY_BITS > WORDS_MAX) return QUOIN_DONE; /* too large: read no more */
    if ((st = quad_cursor_load(cur, b, NULL))) return st;
    quad_cursor_need(cur, 3, 0, cur->rows);
    for (uint32_t i = 0; i < cur->rows; i++) {
      uint64_t key[2] = {cur->col[0][i], cur->col[1][i]};
      bool first = key[0] != last[0];
      if (!first && key[1] == last[1]) continue;
      *keys += first ? 2 : 1;
      if (f && first) set(f, key, 1);
      if (f) set(f, key, 2);
      last[0] = key[0];
      last[1] = key[1];
    }
  }
  return QUOIN_OK;
}

/* ---- all of a store -------------------------------------------------------------------------- */

quoin_status
quad_filters_init(quad_filters *all, uint64_t bound, quoin_error *err)
{
  all->bound = bound;
  return base_mutex_init(&all->lock, BASE_RANK_QUEUE, "filters", err);
}

void
quad_filters_destroy(quad_filters *all)
{
  assert(!all->first && !atomic_load(&all->bytes));
  base_mutex_destroy(&all->lock);
}

/* The lock held: it counts no more. */
static void
drop(quad_filter **at)
{
  quad_filter *f = *at;

  *at = f->next;
  (void)atomic_fetch_sub_explicit(&f->all->bytes, 8 * f->words, memory_order_relaxed);
}

/* So many bytes more are within the bound, and counted. */
static bool
make_room(quad_filters *all, uint64_t bytes)
{
  bool fits;

  base_mutex_lock(&all->lock);
  fits = atomic_load_explicit(&all->bytes, memory_order_relaxed) + bytes <= all->bound;
  for (quad_filter **at = &all->first; !fits && bytes <= all->bound && *at;) {
    quad_filter *f = *at;
    if (atomic_exchange_explicit(&f->used, false, memory_order_relaxed)) {
      at = &f->next;
      continue;
    }
    drop(at);
    base_pages_drop(f->word, 8 * f->words); /* the rest goes with the run */
    fits = atomic_load_explicit(&all->bytes, memory_order_relaxed) + bytes <= all->bound;
  }
  if (fits) (void)atomic_fetch_add_explicit(&all->bytes, bytes, memory_order_relaxed);
  base_mutex_unlock(&all->lock);
  return fits;
}

static void
give_room(quad_filters *all, uint64_t bytes)
{
  (void)atomic_fetch_sub_explicit(&all->bytes, bytes, memory_order_relaxed);
}

/* ---- making one ------------------------------------------------------------------------------ */

/* All bits set, nothing is there; NULL: no memory. */
static quad_filter *
new_filter(quad_filters *all, const quad_section *sec, size_t words)
{
  quad_filter *f = base_new_zero(sec->run->mem, 1, sizeof *f);

  if (!f) return NULL;
  if (!(f->word = base_pages_new(8 * words))) {
    base_release(sec->run->mem, f, 1, sizeof *f);
    return NULL;
  }
  f->mem = sec->run->mem;
  f->words = words;
  atomic_init(&f->used, true);
  memset(f->word, 0xff, 8 * words);
  f->all = all;
  return f;
}

static void
free_filter(quad_filter *f)
{
  base_pages_free(f->word, 8 * f->words);
  base_release(f->mem, f, 1, sizeof *f);
}

/* *later: there was no room for it. NULL also: too large, no memory, or damaged, which is reported
 * where it is read. */
static quad_filter *
make(bool *later, const quad_section *sec)
{
  quad_filters *all = sec->run->filters;
  quad_filter *f = NULL;
  quad_cursor cur;
  size_t keys = 0, words;

  quad_cursor_open(&cur, sec, sec->run->mem);
  if (pass(&keys, NULL, sec, &cur)) goto done;
  words = keys * KEY_BITS / 64 + 1;
  if (words > WORDS_MAX) goto done;
  if (!make_room(all, 8 * words)) {
    *later = 8 * words <= all->bound; /* else there never will be room */
    goto done;
  }
  if (!(f = new_filter(all, sec, words))) {
    give_room(all, 8 * words);
  } else if (pass(&keys, f, sec, &cur)) {
    give_room(all, 8 * words);
    free_filter(f);
    f = NULL;
  }

done:
  quad_cursor_close(&cur);
  return f;
}

void
quad_filter_free(quad_filter *f)
{
  quad_filter **at;

  if (!f) return;
  base_mutex_lock(&f->all->lock);
  for (at = &f->all->first; *at && *at != f;) /* a few at most */
    at = &(*at)->next;
  if (*at) drop(at);
  base_mutex_unlock(&f->all->lock);
  free_filter(f);
}

void
quad_filter_missed(const quad_section *sec)
{
  quad_section *mut = (quad_section *)(uintptr_t)sec;
  uint64_t bound = MISSES_A_BLOCK * (sec->entries / CODEC_BLOCK + 1);
  quad_filters *all = sec->run->filters;
  bool later = false;
  quad_filter *made;

  if (!all || sec->keys < 2 || sec->entries / CODEC_BLOCK > WORDS_MAX) return;
  /* one thread comes by the bound; later ones find a filter, or that there was to be none */
  if (atomic_fetch_add_explicit(&mut->misses, 1, memory_order_relaxed) != bound) return;
  made = make(&later, sec);
  if (later) atomic_store_explicit(&mut->misses, 0, memory_order_relaxed);
  if (!made) return;
  base_mutex_lock(&all->lock);
  made->next = all->first;
  all->first = made;
  base_mutex_unlock(&all->lock);
  /* release: pairs with quad_filter_of */
  atomic_store_explicit(&mut->filter, made, memory_order_release);
}
