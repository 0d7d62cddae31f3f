/* quadstore/cursor.c - see cursor.h. */
#include "quadstore/cursor.h"

#include "quadstore/unpack.h"

#include <assert.h>

#include "base/poison.h"

void
quad_cursor_open(quad_cursor *c, const quad_section *sec, const base_alloc *mem)
{
  c->sec = sec;
  c->mem = mem;
  c->block = UINT64_MAX;
  c->rows = 0;
  c->dead = NULL;
  c->buf = NULL;
  c->aimed = false;
  memset(c->have, 0, sizeof c->have);
  c->singles = 0;
  memset(c->col, 0, sizeof c->col);
}

void
quad_cursor_close(quad_cursor *c)
{
  if (c->buf) base_release(c->mem, c->buf, 1, QUAD_CURSOR_BUF);
  c->buf = NULL;
}

static void
load_memory(quad_cursor *c, uint64_t block)
{
  const quad_section *sec = c->sec;
  uint64_t from = block * CODEC_BLOCK, left = sec->entries - from;
  quad_index_entry *e = &c->entry;

  c->rows = left < CODEC_BLOCK ? (uint32_t)left : CODEC_BLOCK;
  for (unsigned i = 0; i < sec->keys; i++) {
    c->col[i] = sec->col[i] + from;
    e->first[i] = c->col[i][0];
    e->last[i] = c->col[i][c->rows - 1];
    e->min[i] = 0; /* not known: the whole range */
    e->max[i] = UINT64_MAX;
  }
  c->dead = sec->dead ? sec->dead + from : NULL;
  e->rows = c->rows;
  e->before = sec->before ? sec->before[block] : (int64_t)from;
  c->block = block;
}

/* A byte for each of `rows` bits: 0 or 1; up to seven more at the end. */
static const uint8_t *
spread_bits(uint64_t *out, const uint8_t *bits, uint32_t rows)
{
  for (uint32_t i = 0; i < (rows + 7) / 8; i++) {
    /* byte k keeps bit k, and is 0x80 or more after the addition when that is set */
    uint64_t each = bits[i] * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
    out[i] = (each + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
  }
  return (const uint8_t *)out;
}

/* Load the block whose index entry is at `words`. */
static quoin_status
load_entry(quad_cursor *c, const uint8_t *words, uint64_t block, quoin_error *err)
{
  quoin_status st;

  c->block = UINT64_MAX;
  if (!c->buf) {
    if (!(c->buf = base_new(c->mem, 1, QUAD_CURSOR_BUF))) return base_fail_nomem(err);
    for (unsigned i = 0; i < 4; i++)
      c->col[i] = c->buf + (size_t)i * CODEC_BLOCK;
  }
  quad_index_entry_read(&c->entry, words, c->sec->keys);
  if ((st = quad_run_block(&c->view, c->sec, block, &c->entry, err))) return st;
  c->rows = c->entry.rows;
  memset(c->have, 0, sizeof c->have);
  c->singles = 0;
  c->dead = NULL;
  if (c->view.dead) c->dead = spread_bits(c->buf + 4 * (size_t)CODEC_BLOCK, c->view.dead, c->rows);
  c->block = block;
  return QUOIN_OK;
}

/* The words of a block's index entry. */
static quoin_status
find_entry(const uint8_t **words, const quad_section *sec, uint64_t block, quoin_error *err)
{
  size_t per = quad_page_entries(sec->keys);
  quoin_status st = quad_run_page(words, sec, block / per, err);

  if (!st) *words += block % per * 8 * quad_entry_words(sec->keys);
  return st;
}

quoin_status
quad_cursor_load(quad_cursor *c, uint64_t block, quoin_error *err)
{
  const uint8_t *words;
  quoin_status st;

  assert(block < c->sec->blocks);
  if (c->block == block) return QUOIN_OK;
  if (!c->sec->run->disk) {
    load_memory(c, block);
    return QUOIN_OK;
  }
  if ((st = find_entry(&words, c->sec, block, err))) return st;
  return load_entry(c, words, block, err);
}

/* So few rows are read one by one: a whole group costs as much as about this many. Once a block was
 * asked for more than SINGLES_MAX values, lookups are dense there and groups are decoded whole. */
enum { SINGLES = 40, SINGLES_MAX = 160 };

static void
decode_group(quad_cursor *c, unsigned col, unsigned group)
{
  if (c->have[col] >> group & 1) return;
  codec_decode(c->buf + (size_t)col * CODEC_BLOCK + (size_t)group * CODEC_GROUP, &c->view, col,
               group);
  c->have[col] = (uint8_t)(c->have[col] | 1u << group);
}

void
quad_cursor_decode(quad_cursor *c, unsigned mask, uint32_t from, uint32_t to)
{
  unsigned g0 = from / CODEC_GROUP, g1 = (to - 1) / CODEC_GROUP;
  bool few = to - from <= SINGLES && c->singles < SINGLES_MAX;

  for (unsigned col = 0; col < c->sec->keys; col++) {
    if (!(mask >> col & 1)) continue;
    if (few && c->view.column[col].form != CODEC_DELTA &&
        !((c->have[col] >> g0 & 1) && (c->have[col] >> g1 & 1))) {
      c->singles += to - from;
      codec_decode_rows(c->buf + (size_t)col * CODEC_BLOCK + from, &c->view, col, from, to);
      continue;
    }
    for (unsigned g = g0; g <= g1; g++)
      decode_group(c, col, g);
  }
}

/* ---- searching ------------------------------------------------------------------------------ */

/* The first of col[lo..hi), ascending, that is >= v; hi if none is. */
static uint64_t
first_from(const uint64_t *col, uint64_t lo, uint64_t hi, uint64_t v)
{
  const uint64_t *at = col + lo;
  uint64_t n = hi - lo;

  if (!n) return lo;
  for (; n > 1; n -= n / 2) /* a conditional move: the outcomes cannot be predicted */
    at += at[n / 2 - 1] < v ? n / 2 : 0;
  return (uint64_t)(at - col) + (*at < v);
}

/* [*lo, *hi) of `col` ascends: leave what equals v; if nothing does, *lo == *hi is its place. */
static void
narrow_plain(uint64_t *lo, uint64_t *hi, const uint64_t *col, uint64_t v)
{
  uint64_t step = 1, from, to;

  *lo = from = to = first_from(col, *lo, *hi, v);
  while (to < *hi && col[to] == v) { /* few are equal, mostly */
    from = to + 1;
    to += step;
    step *= 2;
  }
  if (to > *hi) to = *hi;
  *hi = v == UINT64_MAX ? to : first_from(col, from, to, v + 1);
}

/* The first row of [lo, hi) whose value is >= v (> v when `after`), in groups decoded whole. */
static uint32_t
first_in_groups(quad_cursor *c, unsigned i, uint32_t lo, uint32_t hi, uint64_t v, bool after)
{
  const uint64_t *col = c->col[i];
  uint32_t g0 = lo / CODEC_GROUP, g1 = (hi - 1) / CODEC_GROUP, end;

  while (g0 < g1) { /* the last group whose first row comes before, or the first of all */
    uint32_t mid = (g0 + g1 + 1) / 2;
    uint64_t first = codec_get(&c->view, i, mid * CODEC_GROUP);
    if (first < v || (after && first == v))
      g0 = mid;
    else
      g1 = mid - 1;
  }
  decode_group(c, i, g0);
  if (g0 * CODEC_GROUP > lo) lo = g0 * CODEC_GROUP;
  end = (g0 + 1) * CODEC_GROUP;
  if (end > hi) end = hi;
  if (!after) return (uint32_t)first_from(col, lo, end, v);
  return v == UINT64_MAX ? end : (uint32_t)first_from(col, lo, end, v + 1);
}

/* Rows of a DELTA column are had by adding up their group: it may as well be stored. */
static void
narrow_delta(quad_cursor *c, unsigned i, uint32_t *lo, uint32_t *hi, uint64_t v)
{
  uint32_t end;

  *lo = first_in_groups(c, i, *lo, *hi, v, false);
  end = (*lo / CODEC_GROUP + 1) * CODEC_GROUP;
  if (*lo >= *hi) return;
  if (end < *hi && codec_get(&c->view, i, end) == v) {
    *hi = first_in_groups(c, i, end, *hi, v, true);
    return;
  }
  decode_group(c, i, *lo / CODEC_GROUP);
  if (end < *hi) *hi = end;
  for (end = *lo; end < *hi && end < *lo + 16 && c->col[i][end] == v;)
    end++;
  if (end < *hi && c->col[i][end] == v)
    end = v == UINT64_MAX ? *hi : (uint32_t)first_from(c->col[i], end, *hi, v + 1);
  *hi = end;
}

/* Key i ascends in rows [*lo, *hi) of the loaded block: leave those where it is v; if there are
 * none, *lo == *hi is where they would stand. */
static void
narrow(quad_cursor *c, unsigned i, uint32_t *lo, uint32_t *hi, uint64_t v)
{
  uint32_t from = *lo;
  uint8_t form;

  if (!c->sec->run->disk) {
    uint64_t a = *lo, b = *hi;
    narrow_plain(&a, &b, c->col[i], v);
    *lo = (uint32_t)a;
    *hi = (uint32_t)b;
    return;
  }
  form = c->view.column[i].form;
  if (form == CODEC_DELTA &&
      (c->view.column[i].width > UNPACK_STEP_BITS || c->have[i] >> *lo / CODEC_GROUP & 1)) {
    narrow_delta(c, i, lo, hi, v);
    return;
  }
  if ((form != CODEC_FOR && form != CODEC_SPLIT) || c->singles < SINGLES_MAX) {
    c->singles += form == CODEC_FOR || form == CODEC_SPLIT ? 8 : 0;
    codec_narrow(lo, hi, &c->view, i, v);
    return;
  }
  *lo = first_in_groups(c, i, from, *hi, v, false);
  if (*lo < *hi) *hi = first_in_groups(c, i, *lo, *hi, v, true);
}

/* Of rows [*lo, *hi), those whose first n keys are `key`; if none are, *lo == *hi is their place.
 */
static void
narrow_keys(quad_cursor *c, uint32_t *lo, uint32_t *hi, const uint64_t *key, unsigned n)
{
  for (unsigned i = 0; i < n && *lo < *hi; i++) {
    narrow(c, i, lo, hi, key[i]);
    if (i == 0 && c->sec->run->disk) /* where the other columns will be read */
      for (unsigned k = 1; k < c->sec->keys; k++)
        codec_fetch_row(&c->view, k, *lo);
  }
}

uint32_t
quad_cursor_search_from(quad_cursor *c, uint32_t start, const uint64_t *key, unsigned n, bool after)
{
  uint32_t lo = start, hi = c->rows;

  narrow_keys(c, &lo, &hi, key, n);
  return after ? hi : lo;
}

uint32_t
quad_cursor_search(quad_cursor *c, const uint64_t *key, unsigned n, bool after)
{
  return quad_cursor_search_from(c, 0, key, n, after);
}

/* As narrow_keys, over all of a section in memory. */
static void
narrow_memory(uint64_t *lo, uint64_t *hi, const quad_section *sec, const uint64_t *key, unsigned n)
{
  *lo = 0;
  *hi = sec->entries;
  for (unsigned i = 0; i < n && *lo < *hi; i++)
    narrow_plain(lo, hi, sec->col[i], key[i]);
}

static quoin_status
seek_memory(uint32_t *row, quad_cursor *c, const uint64_t *key, unsigned n, bool after)
{
  uint64_t lo, hi;

  narrow_memory(&lo, &hi, c->sec, key, n);
  if (after) lo = hi;
  if (lo == c->sec->entries) return QUOIN_DONE;
  if (c->block != lo / CODEC_BLOCK) load_memory(c, lo / CODEC_BLOCK);
  *row = (uint32_t)(lo % CODEC_BLOCK);
  return QUOIN_OK;
}

/* compare(words at `at`, key) of n keys. */
static int
compare_words(const uint8_t *at, const uint64_t *key, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    uint64_t v = base_load_u64(at + 8 * (size_t)i);
    if (v != key[i]) return v < key[i] ? -1 : 1;
  }
  return 0;
}

/* The same by what quad_run_lasts has; the number of blocks if there is none. */
static uint64_t
find_in_lasts(const uint64_t *lasts, const quad_section *sec, const uint64_t *key, unsigned n,
              int bias)
{
  uint64_t lo = 0, hi = sec->blocks;

  for (unsigned i = 0; i < n && lo < hi; i++)
    narrow_plain(&lo, &hi, lasts + i * sec->blocks, key[i]);
  return bias ? hi : lo;
}

/* The first block whose last key does not come before `key`, by both levels of the index. */
static quoin_status
find_block(uint64_t *block, const quad_section *sec, const uint64_t *key, unsigned n, int bias,
           quoin_error *err)
{
  const uint8_t *tops, *page;
  size_t per = quad_page_entries(sec->keys), words = quad_entry_words(sec->keys);
  const uint64_t *lasts = quad_run_lasts(sec);
  uint64_t lo = 0, hi = sec->pages, base, left;
  quoin_status st;

  if (lasts) {
    *block = find_in_lasts(lasts, sec, key, n, bias);
    return *block < sec->blocks ? QUOIN_OK : QUOIN_DONE;
  }
  if ((st = quad_run_tops(&tops, sec, err))) return st;
  while (lo < hi) {
    uint64_t mid = lo + (hi - lo) / 2;
    if (compare_words(tops + mid * 8 * sec->keys, key, n) < bias)
      lo = mid + 1;
    else
      hi = mid;
  }
  if (lo == sec->pages) return QUOIN_DONE;
  if ((st = quad_run_page(&page, sec, lo, err))) return st;
  base = lo * per;
  left = sec->blocks - base < per ? sec->blocks - base : per;
  lo = 0;
  hi = left;
  while (lo < hi) {
    uint64_t mid = (lo + hi) / 2;
    if (compare_words(page + (mid * words + sec->keys) * 8, key, n) < bias)
      lo = mid + 1;
    else
      hi = mid;
  }
  if (lo == left) return QUOIN_DONE; /* the two levels disagree: check reports it */
  *block = base + lo;
  return QUOIN_OK;
}

/* The first entry that does not come before `key` is in the loaded block. */
static bool
is_here(const quad_cursor *c, const uint64_t *key, unsigned n, int bias)
{
  return c->block != UINT64_MAX && quad_key_compare(c->entry.last, key, n) >= bias &&
         (c->block == 0 || quad_key_compare(c->entry.first, key, n) < bias);
}

quoin_status
quad_cursor_seek(uint32_t *row, quad_cursor *c, const uint64_t *key, unsigned n, bool after,
                 quoin_error *err)
{
  const quad_section *sec = c->sec;
  int bias = after ? 1 : 0;
  uint64_t block;
  quoin_status st;

  if (!sec->entries) return QUOIN_DONE;
  if (!sec->run->disk) return seek_memory(row, c, key, n, after);
  if (!is_here(c, key, n, bias)) {
    if ((st = find_block(&block, sec, key, n, bias, err))) return st;
    if ((st = quad_cursor_load(c, block, err))) return st;
  }
  *row = quad_cursor_search(c, key, n, after);
  if (*row < c->rows) return QUOIN_OK;
  if (c->block + 1 >= sec->blocks) return QUOIN_DONE;
  if ((st = quad_cursor_load(c, c->block + 1, err))) return st;
  *row = 0;
  return QUOIN_OK;
}

/* Of a section in a file, with `lasts`. */
static void
fetch_block(const quad_section *sec, const uint64_t *lasts, uint64_t block)
{
  const uint8_t *file = (const uint8_t *)base_map_at(&sec->run->map, 0), *entry;
  size_t per = quad_page_entries(sec->keys), words = quad_entry_words(sec->keys);

  entry = file + sec->pages_at + block / per * quad_page_bytes(sec->keys) + block % per * 8 * words;
  __builtin_prefetch(entry);
  __builtin_prefetch(entry + 64);
  codec_fetch(file + lasts[sec->keys * sec->blocks + block]);
}

void
quad_cursor_aim(quad_cursor *c, const uint64_t *key, unsigned n)
{
  const quad_section *sec = c->sec;
  const uint64_t *lasts;

  c->aimed = false;
  if (!sec->run->disk || !sec->entries || is_here(c, key, n, 0)) return;
  if (!(lasts = quad_run_lasts(sec))) return;
  c->aimed = true;
  c->aim = find_in_lasts(lasts, sec, key, n, 0);
  if (c->aim < sec->blocks && c->aim != c->block) fetch_block(sec, lasts, c->aim);
}

void
quad_cursor_ask(const quad_cursor *c, const uint64_t *key, unsigned n)
{
  const quad_section *sec = c->sec;
  const uint64_t *lasts = sec->run->disk && sec->entries ? quad_run_lasts(sec) : NULL;
  uint64_t block = lasts ? find_in_lasts(lasts, sec, key, n, 0) : 0;

  if (lasts && block < sec->blocks) fetch_block(sec, lasts, block);
}

/* The block in which the first entry with these keys would be: loaded, or DONE where it is clear
 * that there is none. */
static quoin_status
find_disk(quad_cursor *c, const uint64_t *key, unsigned n, quoin_error *err)
{
  const uint8_t *words;
  uint64_t block = c->aim;
  quoin_status st;

  if (c->aimed) {
    c->aimed = false;
    if (block == c->sec->blocks) return QUOIN_DONE;
  } else {
    if (is_here(c, key, n, 0)) return QUOIN_OK;
    if ((st = find_block(&block, c->sec, key, n, 0, err))) return st;
  }
  if (block == c->block) return QUOIN_OK;
  if ((st = find_entry(&words, c->sec, block, err))) return st;
  if (compare_words(words, key, n) > 0) return QUOIN_DONE;
  return load_entry(c, words, block, err);
}

quoin_status
quad_cursor_find(uint32_t *from, uint32_t *to, quad_cursor *c, const uint64_t *key, unsigned n,
                 quoin_error *err)
{
  uint64_t block, lo, hi;
  quoin_status st;

  if (!c->sec->entries) return QUOIN_DONE;
  if (!c->sec->run->disk) {
    narrow_memory(&lo, &hi, c->sec, key, n);
    if (lo == hi) return QUOIN_DONE;
    if (c->block != lo / CODEC_BLOCK) load_memory(c, lo / CODEC_BLOCK);
    block = c->block * CODEC_BLOCK;
    *from = (uint32_t)(lo - block);
    *to = hi - block < c->rows ? (uint32_t)(hi - block) : c->rows;
    return QUOIN_OK;
  }
  if ((st = find_disk(c, key, n, err))) return st;
  *from = 0;
  *to = c->rows;
  narrow_keys(c, from, to, key, n);
  return *from < *to ? QUOIN_OK : QUOIN_DONE;
}

int64_t
quad_cursor_rank(const quad_cursor *c, uint32_t row)
{
  int64_t rank = c->entry.before + row;

  if (!c->dead) return rank;
  for (uint32_t i = 0; i < row; i++)
    rank -= 2 * c->dead[i];
  return rank;
}
