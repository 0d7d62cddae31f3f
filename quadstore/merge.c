/* quadstore/merge.c - see merge.h. */
#include "quadstore/merge.h"

#include "quadstore/filter.h"

#include <assert.h>

#include "base/poison.h"

enum { OUT_BYTES = 4 * QUAD_BATCH * 8 + QUAD_BATCH };

static const uint64_t zeroes[CODEC_BLOCK];

quoin_status
quad_merge_init(quad_merge *m, unsigned keys, bool live, size_t sources, const base_alloc *mem,
                quoin_error *err)
{
  *m = (quad_merge){.mem = mem, .keys = keys, .live = live, .room = sources};
  m->wanted = (1u << keys) - 1;
  if (sources) {
    m->source = base_new_zero(mem, sources, sizeof *m->source);
    m->active = base_new_zero(mem, sources, sizeof(quad_source *));
  }
  if (!sources || (m->source && m->active)) return QUOIN_OK;
  quad_merge_clear(m);
  return base_fail_nomem(err);
}

quoin_status
quad_merge_add(quad_merge *m, const quad_section *sec, const int8_t *map, quoin_error *err)
{
  static const int8_t straight[4] = {0, 1, 2, 3};
  quad_source *s = &m->source[m->n_sources];

  (void)err;
  if (!sec->entries) return QUOIN_OK;
  assert(m->n_sources < m->room);
  quad_cursor_open(&s->cur, sec, m->mem);
  memcpy(s->map, map ? map : straight, 4);
  for (unsigned i = 0; i < 4; i++)
    s->key[i] = zeroes;
  m->n_sources++;
  return QUOIN_OK;
}

void
quad_merge_clear(quad_merge *m)
{
  for (size_t i = 0; i < m->n_sources; i++)
    quad_cursor_close(&m->source[i].cur);
  base_release(m->mem, m->source, m->room, sizeof *m->source);
  base_release(m->mem, m->active, m->room, sizeof(quad_source *));
  if (m->out) base_release(m->mem, m->out, 1, OUT_BYTES);
  *m = (quad_merge){0};
}

/* The key of the stream as one of the section. Where the graph is the constant 0 and the key has
 * more, rows that are equal before it come before the key: that is `after`. False: all rows do. */
static bool
translate(uint64_t out[4], unsigned *n_out, bool *after, const quad_source *s, const uint64_t *key,
          unsigned n)
{
  *n_out = 0;
  for (unsigned i = 0; i < n; i++) {
    if (s->map[i] >= 0) {
      out[(*n_out)++] = key[i];
    } else if (key[i]) {
      *after = true;
      break;
    }
  }
  return *n_out || !*after;
}

static unsigned
section_mask(const quad_source *s, unsigned mask)
{
  unsigned out = 0;

  for (unsigned i = 0; i < 4; i++)
    if ((mask >> i & 1) && s->map[i] >= 0) out |= 1u << s->map[i];
  return out;
}

static void
need(quad_source *s, unsigned mask, uint32_t from, uint32_t to)
{
  quad_cursor_need(&s->cur, section_mask(s, mask), from, to);
}

/* Rows [from, to) of the loaded block are to be read. */
static void
take_rows(quad_merge *m, quad_source *s, uint32_t from, uint32_t to)
{
  for (unsigned i = 0; i < m->keys; i++)
    if (s->map[i] >= 0) s->key[i] = s->cur.col[s->map[i]];
  s->at = from;
  s->end = to;
  s->ready = false;
}

/* The loaded block is to be read from `row`: find where the bounds end it. */
static void
enter(quad_merge *m, quad_source *s, uint32_t row)
{
  quad_cursor *c = &s->cur;
  uint64_t hi[4];
  unsigned n;
  bool after = false;

  take_rows(m, s, row, c->rows);
  if (!m->n_hi || !translate(hi, &n, &after, s, m->hi, m->n_hi)) return;
  if (quad_key_compare(c->entry.last, hi, n) > 0)
    s->end = quad_cursor_search_from(c, row, hi, n, true);
  if (s->end < s->at) s->end = s->at;
}

static bool
may_match(const quad_merge *m, const quad_source *s)
{
  const quad_index_entry *e = &s->cur.entry;

  for (unsigned i = 0; i < m->keys; i++) {
    if (!m->filter[i]) continue;
    if (s->map[i] < 0) return false;
    if (m->filter[i] < e->min[s->map[i]] || m->filter[i] > e->max[s->map[i]]) return false;
  }
  return true;
}

/* Make s->at < s->end, going to later blocks; DONE when there is nothing more within bounds. */
static quoin_status
settle(quad_merge *m, quad_source *s, quoin_error *err)
{
  quoin_status st;

  while (s->at >= s->end) {
    if (s->end < s->cur.rows || s->cur.block + 1 >= s->cur.sec->blocks) return QUOIN_DONE;
    if ((st = quad_cursor_load(&s->cur, s->cur.block + 1, err))) return st;
    enter(m, s, 0);
    /* skip by the index what the filters rule out */
    if (m->filtered && s->end == s->cur.rows && !may_match(m, s)) s->at = s->end;
  }
  return QUOIN_OK;
}

static void
make_ready(quad_merge *m, quad_source *s)
{
  if (s->ready) return;
  need(s, ((1u << m->keys) - 1) & ~((1u << m->prefix) - 1), s->at, s->end);
  s->ready = true;
}

static int
compare_heads(const quad_merge *m, const quad_source *a, uint32_t row, const quad_source *b)
{
  for (unsigned i = m->prefix; i < m->keys; i++) {
    uint64_t x = a->key[i][row], y = b->key[i][b->at];
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

/* Move active[i] to its place among those behind it, which are sorted. */
static void
sift(quad_merge *m, size_t i)
{
  quad_source *s = m->active[i];

  if (i + 1 >= m->n_active) return;
  make_ready(m, s);
  for (; i + 1 < m->n_active; i++) {
    make_ready(m, m->active[i + 1]);
    if (compare_heads(m, s, s->at, m->active[i + 1]) <= 0) break;
    m->active[i] = m->active[i + 1];
  }
  m->active[i] = s;
}

/* active[i] moved on: advance it, drop it, or put it in its place. */
static quoin_status
resettle(quad_merge *m, size_t i, quoin_error *err)
{
  quoin_status st = settle(m, m->active[i], err);

  if (st == QUOIN_DONE) {
    m->n_active--;
    memmove(&m->active[i], &m->active[i + 1], (m->n_active - i) * sizeof *m->active);
    return QUOIN_OK;
  }
  if (st) return st;
  sift(m, i);
  return QUOIN_OK;
}

/* Position `s` at the first entry >= key; DONE when it has none within bounds. */
static quoin_status
seek_source(quad_merge *m, quad_source *s, const uint64_t *key, unsigned n, quoin_error *err)
{
  uint64_t at[4];
  unsigned n_at;
  uint32_t row;
  bool after = false;
  quoin_status st;

  if (!translate(at, &n_at, &after, s, key, n)) return QUOIN_DONE;
  if ((st = quad_cursor_seek(&row, &s->cur, at, n_at, after, err))) return st;
  enter(m, s, row);
  return settle(m, s, err);
}

/* A lookup: all rows have the same keys, and are found at once with both ends. */
static bool
is_lookup(const quad_merge *m)
{
  return m->prefix && m->prefix == m->n_lo && m->prefix == m->n_hi;
}

/* The keys of a lookup in this source. */
static bool
lookup_key(uint64_t key[4], unsigned *n, const quad_merge *m, const quad_source *s)
{
  bool after = false;
  return translate(key, n, &after, s, m->lo, m->n_lo) && !after;
}

/* The filter's word for this lookup, and its bits; NULL: the source has no filter that could tell.
 * `hash` is that of the stream's keys. */
static const uint64_t *
filter_word(uint64_t *bits, const quad_merge *m, const quad_source *s, uint64_t hash)
{
  quad_filter *f = quad_filter_of(s->cur.sec);
  uint64_t key[4];
  unsigned n;

  if (!f) return NULL;
  if (s->map[0] != 0 || (m->n_lo > 1 && s->map[1] != 1)) {
    if (!lookup_key(key, &n, m, s) || !n) return NULL;
    hash = quad_filter_hash(key, n);
  }
  *bits = quad_filter_bits(hash);
  return quad_filter_word(f, hash);
}

/* What each source will be asked for is fetched before the first is asked: they wait together. */
static void
aim(quad_merge *m)
{
  uint64_t hash = quad_filter_hash(m->lo, m->n_lo), key[4], bits;
  const uint64_t *word;
  unsigned n;

  for (size_t i = 0; m->n_sources > 1 && i < m->n_sources; i++)
    if ((word = filter_word(&bits, m, &m->source[i], hash))) __builtin_prefetch(word);
  for (size_t i = 0; i < m->n_sources; i++) {
    quad_source *s = &m->source[i];
    word = m->n_sources > 1 ? filter_word(&bits, m, s, hash) : NULL;
    s->absent = word && quad_filter_rules_out(quad_filter_of(s->cur.sec), *word, bits);
    if (!s->absent && lookup_key(key, &n, m, s)) quad_cursor_aim(&s->cur, key, n);
  }
}

void
quad_merge_ask(const quad_merge *m, const uint64_t *key, unsigned n)
{
  uint64_t hash = m->n_sources > 1 ? quad_filter_hash(key, n) : 0, at[4];
  unsigned n_at;

  for (size_t i = 0; i < m->n_sources; i++) {
    const quad_source *s = &m->source[i];
    quad_filter *f = m->n_sources > 1 ? quad_filter_of(s->cur.sec) : NULL;
    bool after = false;
    if (f && s->map[0] == 0) /* it will be asked first, and most rule the key out */
      __builtin_prefetch(quad_filter_word(f, hash));
    else if (translate(at, &n_at, &after, s, key, n) && !after)
      quad_cursor_ask(&s->cur, at, n_at);
  }
}

/* Position `s` at the entries between the bounds; DONE when there are none. */
static quoin_status
start_source(quad_merge *m, quad_source *s, quoin_error *err)
{
  uint64_t key[4];
  uint32_t from, to;
  unsigned n;
  quoin_status st;

  if (is_lookup(m) && lookup_key(key, &n, m, s)) {
    if (s->absent) return QUOIN_DONE;
    st = quad_cursor_find(&from, &to, &s->cur, key, n, err);
    if (st == QUOIN_DONE && m->n_sources > 1) quad_filter_missed(s->cur.sec);
    if (st) return st;
    take_rows(m, s, from, to);
    return QUOIN_OK;
  }
  return seek_source(m, s, m->lo, m->n_lo, err);
}

quoin_status
quad_merge_start(quad_merge *m, const uint64_t *lo, unsigned n_lo, const uint64_t *hi,
                 unsigned n_hi, quoin_error *err)
{
  quoin_status st;
  unsigned both = n_lo < n_hi ? n_lo : n_hi;

  for (unsigned i = 0; i < n_lo; i++) {
    if (m->lo[i] != lo[i]) m->same[i] = 0;
    m->lo[i] = lo[i];
  }
  for (unsigned i = 0; i < n_hi; i++)
    m->hi[i] = hi[i];
  m->n_lo = n_lo;
  m->n_hi = n_hi;
  m->prefix = 0;
  while (m->prefix < both && lo[m->prefix] == hi[m->prefix])
    m->prefix++;
  m->n_active = 0;
  m->lazy = false;
  if (is_lookup(m)) aim(m);
  for (size_t i = m->n_sources; i-- > 0;) {
    quad_source *s = &m->source[i];
    st = start_source(m, s, err);
    if (st == QUOIN_DONE) continue;
    if (st) return st;
    memmove(m->active + 1, m->active, m->n_active * sizeof *m->active);
    m->active[0] = s;
    m->n_active++;
    sift(m, 0);
  }
  return QUOIN_OK;
}

static quoin_status
catch_up(quad_merge *m, quoin_error *err)
{
  if (!m->lazy) return QUOIN_OK;
  m->lazy = false;
  return m->n_active ? resettle(m, 0, err) : QUOIN_OK;
}

quoin_status
quad_merge_seek(quad_merge *m, const uint64_t *key, unsigned n, quoin_error *err)
{
  quoin_status st;
  size_t moved = 0, kept = 0;

  if ((st = catch_up(m, err))) return st;
  while (moved < m->n_active) { /* the list is sorted: only those in front can lie before */
    quad_source *s = m->active[moved];
    int cmp = 0;
    need(s, (1u << n) - 1, s->at, s->at + 1);
    for (unsigned i = 0; i < n && !cmp; i++) {
      uint64_t v = s->key[i][s->at];
      cmp = v == key[i] ? 0 : v < key[i] ? -1 : 1;
    }
    if (cmp >= 0) break;
    moved++;
  }
  for (size_t i = 0; i < moved; i++) {
    st = seek_source(m, m->active[i], key, n, err);
    if (st == QUOIN_DONE) continue;
    if (st) return st;
    m->active[kept++] = m->active[i];
  }
  memmove(m->active + kept, m->active + moved, (m->n_active - moved) * sizeof *m->active);
  m->n_active -= moved - kept;
  for (size_t i = kept; i-- > 0;)
    sift(m, i);
  return QUOIN_OK;
}

/* ---- delivering ----------------------------------------------------------------------------- */

static uint64_t *
out_column(const quad_merge *m, unsigned i)
{
  return m->out + (size_t)i * QUAD_BATCH;
}

static uint8_t *
out_dead(const quad_merge *m)
{
  return (uint8_t *)(m->out + 4 * (size_t)QUAD_BATCH);
}

/* Column i holds the bound value in all rows: filled once for many batches. */
static const uint64_t *
bound_column(quad_merge *m, unsigned i, size_t rows)
{
  uint64_t *col = out_column(m, i);

  for (; m->same[i] < rows; m->same[i]++)
    col[m->same[i]] = m->lo[i];
  return col;
}

/* Append rows [from, to) of `s` to the batch; returns the rows it then has. */
static size_t
emit(quad_merge *m, quad_source *s, uint32_t from, uint32_t to, size_t rows)
{
  const uint8_t *dead = s->cur.dead;
  size_t n = 0;

  need(s, m->wanted & ~((1u << m->prefix) - 1), from, to);
  if (!dead || !m->live) {
    n = to - from;
    for (unsigned i = m->prefix; i < m->keys; i++)
      if (m->wanted >> i & 1) memcpy(out_column(m, i) + rows, s->key[i] + from, 8 * n);
    if (!m->live && dead)
      memcpy(out_dead(m) + rows, dead + from, n);
    else if (!m->live)
      memset(out_dead(m) + rows, 0, n);
    return rows + n;
  }
  for (uint32_t r = from; r < to; r++) { /* a tombstone of what is not there: nothing to deliver */
    if (dead[r]) continue;
    for (unsigned i = m->prefix; i < m->keys; i++)
      if (m->wanted >> i & 1) out_column(m, i)[rows] = s->key[i][r];
    rows++;
  }
  return rows;
}

/* First row of (s->at, cap] that is not before the head of `limit`. */
static uint32_t
gallop(const quad_merge *m, const quad_source *s, const quad_source *limit, uint32_t cap)
{
  uint32_t lo = s->at + 1, step = 1, hi;

  while (lo < cap && compare_heads(m, s, lo, limit) < 0) {
    lo += step; /* rows before the old lo are known to come before */
    step *= 2;
  }
  if (step == 1) return lo < cap ? lo : cap;
  hi = lo < cap ? lo : cap;
  lo = lo - step / 2 + 1;
  while (lo < hi) {
    uint32_t mid = (lo + hi) / 2;
    if (compare_heads(m, s, mid, limit) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* Two or more sources have the same quad in front: add them up. */
static quoin_status
emit_group(quad_merge *m, size_t *rows, quoin_error *err)
{
  quad_source *h = m->active[0];
  size_t n = 1;
  int sum = h->cur.dead && h->cur.dead[h->at] ? -1 : 1;
  quoin_status st;

  while (n < m->n_active && compare_heads(m, h, h->at, m->active[n]) == 0) {
    const quad_source *s = m->active[n++];
    sum += s->cur.dead && s->cur.dead[s->at] ? -1 : 1;
  }
  if (sum > 0 || (sum < 0 && !m->live)) {
    need(h, m->wanted & ~((1u << m->prefix) - 1), h->at, h->at + 1);
    for (unsigned i = m->prefix; i < m->keys; i++)
      if (m->wanted >> i & 1) out_column(m, i)[*rows] = h->key[i][h->at];
    if (!m->live) out_dead(m)[*rows] = sum < 0;
    (*rows)++;
  }
  for (size_t i = n; i-- > 0;) {
    m->active[i]->at++;
    if ((st = resettle(m, i, err))) return st;
  }
  return QUOIN_OK;
}

static size_t
apply_filter(quad_merge *m, size_t rows)
{
  size_t kept = 0;

  for (size_t r = 0; r < rows; r++) {
    bool match = true;
    for (unsigned i = m->prefix; i < m->keys; i++)
      match = match && (!m->filter[i] || out_column(m, i)[r] == m->filter[i]);
    if (!match) continue;
    if (kept != r) {
      for (unsigned i = m->prefix; i < m->keys; i++)
        if (m->wanted >> i & 1) out_column(m, i)[kept] = out_column(m, i)[r];
      out_dead(m)[kept] = out_dead(m)[r];
    }
    kept++;
  }
  return kept;
}

/* Fill the batch from two or more sources, or from one with tombstones or filters. */
static quoin_status
fill(quad_merge *m, size_t *rows, quoin_error *err)
{
  quoin_status st;

  *rows = 0;
  while (*rows < QUAD_BATCH && m->n_active) {
    quad_source *h = m->active[0];
    uint32_t cap = h->end, room = (uint32_t)(QUAD_BATCH - *rows), to;

    if (m->n_active == 1 && *rows && !m->filtered && !h->cur.dead) break; /* can be lent out */
    if (cap - h->at > room) cap = h->at + room;
    if (m->n_active == 1) {
      to = cap;
    } else {
      make_ready(m, h);
      make_ready(m, m->active[1]);
      if (compare_heads(m, h, h->at, m->active[1]) >= 0) {
        if ((st = emit_group(m, rows, err))) return st;
        continue;
      }
      to = gallop(m, h, m->active[1], cap);
    }
    *rows = emit(m, h, h->at, to, *rows);
    h->at = to;
    if ((st = resettle(m, 0, err))) return st;
  }
  if (m->filtered) *rows = apply_filter(m, *rows);
  return QUOIN_OK;
}

/* Most lookups need none: made when first asked for. */
static quoin_status
make_out(quad_merge *m, quoin_error *err)
{
  if (!m->out) m->out = base_new(m->mem, 1, OUT_BYTES);
  return m->out ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
quad_merge_next(const uint64_t *cols[4], const uint8_t **dead, size_t *rows, quad_merge *m,
                quoin_error *err)
{
  quad_source *s;
  quoin_status st;

  if ((st = catch_up(m, err))) return st;
  for (;;) {
    if (!m->n_active) return QUOIN_DONE;
    s = m->active[0];
    if (m->n_active == 1 && !m->filtered && (!s->cur.dead || !m->live)) { /* lend the block */
      *rows = s->end - s->at;
      if ((m->wanted & ((1u << m->prefix) - 1)) && (st = make_out(m, err))) return st;
      need(s, m->wanted & ~((1u << m->prefix) - 1), s->at, s->end);
      for (unsigned i = 0; i < m->keys; i++)
        if (m->wanted >> i & 1)
          cols[i] = i < m->prefix ? bound_column(m, i, *rows) : s->key[i] + s->at;
      if (dead) *dead = s->cur.dead ? s->cur.dead + s->at : NULL;
      s->at = s->end;
      m->lazy = true;
      return QUOIN_OK;
    }
    for (unsigned i = m->prefix; i < m->keys; i++)
      m->same[i] = 0; /* these columns of `out` are about to be overwritten */
    if ((st = make_out(m, err)) || (st = fill(m, rows, err))) return st;
    if (!*rows) continue;
    for (unsigned i = 0; i < m->keys; i++)
      if (m->wanted >> i & 1)
        cols[i] = i < m->prefix ? bound_column(m, i, *rows) : out_column(m, i);
    if (dead) *dead = m->live ? NULL : out_dead(m);
    return QUOIN_OK;
  }
}
