/* quadstore/filter.c - see filter.h. */
#include "quadstore/filter.h"

#include "quadstore/cursor.h"

#include "base/poison.h"

/* Hashing a block costs about as much as so many searches in vain. 12 bits a key let two in a
 * hundred pass. Larger sections than these have none: memory is for what is asked for, not for all
 * there is. */
enum { MISSES_A_BLOCK = 16, KEY_BITS = 12, WORDS_MAX = 4 << 20 };

static void
set(quad_filter *f, const uint64_t *key, unsigned n)
{
  uint64_t hash = quad_filter_hash(key, n);
  f->word[(hash >> 32) * f->words >> 32] |= quad_filter_bits(hash);
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

/* NULL: too large, no memory, or damaged, which is reported where it is read. */
static quad_filter *
make(const quad_section *sec)
{
  const base_alloc *mem = sec->run->mem;
  quad_filter *f = NULL;
  quad_cursor cur;
  size_t keys = 0, words;

  quad_cursor_open(&cur, sec, mem);
  if (pass(&keys, NULL, sec, &cur)) goto done;
  words = keys * KEY_BITS / 64 + 1;
  if (words > WORDS_MAX || !(f = base_new_zero(mem, 1, sizeof *f + 8 * words))) goto done;
  f->mem = mem;
  f->words = words;
  if (pass(&keys, f, sec, &cur)) {
    quad_filter_free(f);
    f = NULL;
  }

done:
  quad_cursor_close(&cur);
  return f;
}

void
quad_filter_free(quad_filter *f)
{
  if (f) base_release(f->mem, f, 1, sizeof *f + 8 * f->words);
}

void
quad_filter_missed(const quad_section *sec)
{
  quad_section *mut = (quad_section *)(uintptr_t)sec;
  uint64_t bound = MISSES_A_BLOCK * (sec->entries / CODEC_BLOCK + 1);
  quad_filter *none = NULL, *made;

  if (sec->keys < 2 || sec->entries / CODEC_BLOCK > WORDS_MAX) return;
  /* one thread comes by the bound; later ones find a filter, or that there was to be none */
  if (atomic_fetch_add_explicit(&mut->misses, 1, memory_order_relaxed) != bound) return;
  if (!(made = make(sec))) return;
  /* release: pairs with quad_filter_of */
  if (!atomic_compare_exchange_strong_explicit(&mut->filter, &none, made, memory_order_release,
                                               memory_order_relaxed))
    quad_filter_free(made);
}
