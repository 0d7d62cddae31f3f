/* quadstore/cursor.c - see cursor.h. */
#include "quadstore/cursor.h"

#include <assert.h>

#include "base/poison.h"

quoin_status
quad_cursor_open(quad_cursor *c, const quad_section *sec, const base_alloc *mem, quoin_error *err)
{
  c->sec = sec;
  c->mem = mem;
  c->block = UINT64_MAX;
  c->rows = 0;
  c->dead = NULL;
  c->buf = NULL;
  memset(c->have, 0, sizeof c->have);
  c->singles = 0;
  memset(c->col, 0, sizeof c->col);
  if (!sec->run->disk) return QUOIN_OK;
  c->buf = base_new(mem, 1, QUAD_CURSOR_BUF);
  if (!c->buf) return base_fail_nomem(err);
  for (unsigned i = 0; i < 4; i++)
    c->col[i] = c->buf + (size_t)i * CODEC_BLOCK;
  return QUOIN_OK;
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

static quoin_status
load_entry(quad_cursor *c, const quad_index_entry *e, uint64_t block, quoin_error *err)
{
  quoin_status st;

  c->block = UINT64_MAX;
  if ((st = quad_run_block(&c->view, c->sec, block, e, err))) return st;
  c->entry = *e;
  c->rows = e->rows;
  memset(c->have, 0, sizeof c->have);
  c->singles = 0;
  c->dead = NULL;
  if (c->view.dead) {
    uint8_t *dead = (uint8_t *)(c->buf + 4 * (size_t)CODEC_BLOCK);
    for (uint32_t i = 0; i < c->rows; i++)
      dead[i] = c->view.dead[i / 8] >> (i % 8) & 1;
    c->dead = dead;
  }
  c->block = block;
  return QUOIN_OK;
}

static quoin_status
read_entry(quad_index_entry *e, const quad_section *sec, uint64_t block, quoin_error *err)
{
  const uint8_t *page;
  size_t per = quad_page_entries(sec->keys);
  quoin_status st = quad_run_page(&page, sec, block / per, err);

  if (st) return st;
  quad_index_entry_read(e, page + block % per * 8 * quad_entry_words(sec->keys), sec->keys);
  return QUOIN_OK;
}

quoin_status
quad_cursor_load(quad_cursor *c, uint64_t block, quoin_error *err)
{
  quad_index_entry e;
  quoin_status st;

  assert(block < c->sec->blocks);
  if (c->block == block) return QUOIN_OK;
  if (!c->buf) {
    load_memory(c, block);
    return QUOIN_OK;
  }
  if ((st = read_entry(&e, c->sec, block, err))) return st;
  return load_entry(c, &e, block, err);
}

/* So few rows are read one by one: a whole group costs as much as about this many. Once a block was
 * asked for more than SINGLES_MAX values, lookups are dense there and groups are decoded whole. */
enum { SINGLES = 12, SINGLES_MAX = 64 };

void
quad_cursor_decode(quad_cursor *c, unsigned mask, uint32_t from, uint32_t to)
{
  unsigned g0 = from / CODEC_GROUP, g1 = (to - 1) / CODEC_GROUP;

  for (unsigned col = 0; col < c->sec->keys; col++) {
    uint64_t *out = c->buf + (size_t)col * CODEC_BLOCK;
    if (!(mask >> col & 1)) continue;
    if (to - from <= SINGLES && c->singles < SINGLES_MAX && !(c->have[col] >> g0 & 1) &&
        c->view.column[col].form != CODEC_DELTA) {
      c->singles += to - from;
      for (uint32_t row = from; row < to; row++)
        out[row] = codec_get(&c->view, col, row);
      continue;
    }
    for (unsigned g = g0; g <= g1; g++) {
      if (c->have[col] >> g & 1) continue;
      codec_decode(out + (size_t)g * CODEC_GROUP, &c->view, col, g);
      c->have[col] = (uint8_t)(c->have[col] | 1u << g);
    }
  }
}

/* Keys [from, n) of row `row` against key, decoding as little as that needs. */
static int
compare_row(quad_cursor *c, uint32_t row, const uint64_t *key, unsigned from, unsigned n)
{
  for (unsigned i = from; i < n; i++) {
    uint64_t v;
    if (!c->buf || c->have[i] >> (row / CODEC_GROUP) & 1) {
      v = c->col[i][row];
    } else if (codec_can_get(&c->view, i, row) &&
               (c->singles < SINGLES_MAX || row % CODEC_GROUP == 0)) {
      c->singles++;
      v = codec_get(&c->view, i, row);
    } else {
      quad_cursor_decode(c, 1u << i, row, row + 1);
      v = c->col[i][row];
    }
    if (v != key[i]) return v < key[i] ? -1 : 1;
  }
  return 0;
}

/* Rows of the block with the same leading keys need no comparing of those: *from. Otherwise *row
 * is the answer. */
static bool
skip_equal(uint32_t *row, unsigned *from, const quad_cursor *c, const uint64_t *key, unsigned n,
           bool after)
{
  const quad_index_entry *e = &c->entry;

  for (*from = 0; *from < n && e->first[*from] == e->last[*from]; ++*from)
    if (e->first[*from] != key[*from]) {
      *row = e->first[*from] < key[*from] ? c->rows : 0;
      return false;
    }
  *row = after ? c->rows : 0;
  return *from < n;
}

/* The first row of [lo, hi) that does not come before, hi if none. Probes the first rows of groups
 * until one group is left. */
static uint32_t
bisect(quad_cursor *c, uint32_t lo, uint32_t hi, const uint64_t *key, unsigned from, unsigned n,
       int bias)
{
  while (lo < hi) {
    uint32_t mid = (lo + hi) / 2, first = mid & ~(uint32_t)(CODEC_GROUP - 1);
    if (first > lo) mid = first;
    if (compare_row(c, mid, key, from, n) < bias)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

uint32_t
quad_cursor_search(quad_cursor *c, const uint64_t *key, unsigned n, bool after)
{
  uint32_t row;
  unsigned from;

  if (!skip_equal(&row, &from, c, key, n, after)) return row;
  return bisect(c, 0, c->rows, key, from, n, after);
}

uint32_t
quad_cursor_search_from(quad_cursor *c, uint32_t start, const uint64_t *key, unsigned n, bool after)
{
  uint32_t row, lo = start, hi = start, step = 1;
  unsigned from;

  if (!skip_equal(&row, &from, c, key, n, after)) return row > start ? row : start;
  while (hi < c->rows && compare_row(c, hi, key, from, n) < (int)after) {
    lo = hi + 1;
    hi += step;
    step *= 2;
  }
  return bisect(c, lo, hi < c->rows ? hi : c->rows, key, from, n, after);
}

static quoin_status
seek_memory(uint32_t *row, quad_cursor *c, const uint64_t *key, unsigned n, int bias)
{
  const quad_section *sec = c->sec;
  uint64_t lo = 0, hi = sec->entries;

  while (lo < hi) {
    uint64_t mid = lo + (hi - lo) / 2;
    int cmp = 0;
    for (unsigned i = 0; i < n && !cmp; i++) {
      uint64_t v = sec->col[i][mid];
      cmp = v == key[i] ? 0 : v < key[i] ? -1 : 1;
    }
    if (cmp < bias)
      lo = mid + 1;
    else
      hi = mid;
  }
  if (lo == sec->entries) return QUOIN_DONE;
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

/* The first block whose last key does not come before `key`, by both levels of the index. */
static quoin_status
find_block(uint64_t *block, const quad_section *sec, const uint64_t *key, unsigned n, int bias,
           quoin_error *err)
{
  const uint8_t *tops, *page;
  size_t per = quad_page_entries(sec->keys), words = quad_entry_words(sec->keys);
  uint64_t lo = 0, hi = sec->pages, base, left;
  quoin_status st;

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

quoin_status
quad_cursor_seek(uint32_t *row, quad_cursor *c, const uint64_t *key, unsigned n, bool after,
                 quoin_error *err)
{
  const quad_section *sec = c->sec;
  int bias = after ? 1 : 0;
  uint64_t block;
  quoin_status st;

  if (!sec->entries) return QUOIN_DONE;
  if (!c->buf) return seek_memory(row, c, key, n, bias);
  if (c->block == UINT64_MAX || quad_key_compare(c->entry.last, key, n) < bias ||
      (c->block > 0 && quad_key_compare(c->entry.first, key, n) >= bias)) {
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

int64_t
quad_cursor_rank(const quad_cursor *c, uint32_t row)
{
  int64_t rank = c->entry.before + row;

  if (!c->dead) return rank;
  for (uint32_t i = 0; i < row; i++)
    rank -= 2 * c->dead[i];
  return rank;
}
