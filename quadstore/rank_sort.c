/* quadstore/rank_sort.c - sorting ranks: by radix, or in place where what belongs together lies
 * together.
 *
 * Files list the statements of a subject one after the other, and the order OSP those of an object:
 * then the rest is to be sorted within small groups that are in the cache, for the price of less
 * than one pass of a radix sort. */
#include "quadstore/ranks.h"
#include "quadstore/team.h"

#include <assert.h>

#include "base/poison.h"

enum { PIECE_LEAST = 1 << 14, PIECES_MOST = 512, INSERTION_MOST = 24 };

static quad_digit
digit_of(const quad_ranks *r, unsigned by)
{
  size_t last = r->distinct[by] - 1;
  return (quad_digit){(uint8_t)by, last ? (uint8_t)(64 - __builtin_clzll(last)) : 0};
}

quoin_status
quad_ranks_sort(quad_ranks *r, const uint8_t *by, unsigned n_by, quoin_error *err)
{
  quad_digit digit[4];

  assert(n_by <= 4);
  for (unsigned i = 0; i < n_by && i < 4; i++)
    digit[i] = digit_of(r, by[i]);
  return quad_radix_sort(&r->data, &r->spare, r->n, r->keys, digit, n_by, r->threads, r->mem, err);
}

quoin_status
quad_ranks_sort_aside(const uint32_t **sorted, quad_ranks *r, unsigned by, quoin_error *err)
{
  quad_digit digit = digit_of(r, by);
  uint32_t *data = r->data, *spare = r->spare;
  quoin_status st;

  *sorted = digit.bits ? NULL : data;
  if (!digit.bits || digit.bits > QUAD_RADIX_BITS) return QUOIN_OK;
  st = quad_radix_sort(&data, &spare, r->n, r->keys, &digit, 1, r->threads, r->mem, err);
  if (!st) *sorted = data;
  return st;
}

/* ---- groups ---------------------------------------------------------------------------------- */

typedef struct group_sort {
  quad_ranks *r;
  unsigned first, second, third;
  size_t pieces;
  size_t begin[PIECES_MOST + 1]; /* found before any piece is sorted */
} group_sort;

/* Order within a group: G is the last word of a record that has one. */
static inline bool
comes_after(const uint32_t *a, const uint32_t *b, const group_sort *g, const unsigned words)
{
  uint64_t x = (uint64_t)a[g->second] << 32 | a[g->third];
  uint64_t y = (uint64_t)b[g->second] << 32 | b[g->third];
  if (words == 4 && x == y) return a[3] > b[3];
  return x > y;
}

static inline __attribute__((always_inline)) void
insertion_sort(uint32_t *v, size_t n, const group_sort *g, const unsigned words)
{
  uint32_t held[4];

  for (size_t i = 1; i < n; i++) {
    size_t at = i;
    if (!comes_after(v + (i - 1) * words, v + i * words, g, words)) continue;
    memcpy(held, v + i * words, 4 * (size_t)words);
    do {
      memcpy(v + at * words, v + (at - 1) * words, 4 * (size_t)words);
      at--;
    } while (at && comes_after(v + (at - 1) * words, held, g, words));
    memcpy(v + at * words, held, 4 * (size_t)words);
  }
}

/* Merge the sorted halves v[0..half) and v[half..n); `spare` has room for n. */
static void
merge_halves(uint32_t *v, uint32_t *spare, size_t half, size_t n, const group_sort *g,
             unsigned words)
{
  size_t a = 0, b = half;
  uint32_t *out = v;

  if (!comes_after(v + (half - 1) * words, v + half * words, g, words)) return;
  memcpy(spare, v, 4 * half * words);
  while (a < half) {
    const uint32_t *x = spare + a * words, *y = v + b * words;
    bool right = b < n && comes_after(x, y, g, words);
    memmove(out, right ? y : x, 4 * (size_t)words);
    out += words;
    a += !right;
    b += right;
  }
}

/* A large group: merged from sorted pieces, bottom up; what is in order already is only read. */
static void
merge_sort(uint32_t *v, uint32_t *spare, size_t n, const group_sort *g, unsigned words)
{
  for (size_t at = 0; at < n; at += INSERTION_MOST)
    insertion_sort(v + at * words, n - at < INSERTION_MOST ? n - at : INSERTION_MOST, g, words);
  for (size_t half = INSERTION_MOST; half < n; half *= 2)
    for (size_t at = 0; at + half < n; at += 2 * half)
      merge_halves(v + at * words, spare + at * words, half, n - at < 2 * half ? n - at : 2 * half,
                   g, words);
}

/* Where the first group begins that begins at or after record `at`. */
static size_t
group_begin(const group_sort *g, size_t at)
{
  const quad_ranks *r = g->r;

  while (at && at < r->n &&
         r->data[at * r->keys + g->first] == r->data[(at - 1) * r->keys + g->first])
    at++;
  return at;
}

static inline __attribute__((always_inline)) void
sort_piece_of(const group_sort *g, size_t piece, const unsigned words)
{
  quad_ranks *r = g->r;
  size_t at = g->begin[piece], end = g->begin[piece + 1];

  while (at < end) {
    uint32_t *v = r->data + at * words;
    size_t n = 1;
    while (at + n < end && v[n * words + g->first] == v[g->first])
      n++;
    if (n <= INSERTION_MOST)
      insertion_sort(v, n, g, words);
    else
      merge_sort(v, r->spare + at * words, n, g, words);
    at += n;
  }
}

static void
sort_piece(void *user, size_t piece)
{
  const group_sort *g = user;

  if (g->r->keys == 3)
    sort_piece_of(g, piece, 3);
  else
    sort_piece_of(g, piece, 4);
}

void
quad_ranks_sort_groups(quad_ranks *r, unsigned first, unsigned second, unsigned third)
{
  group_sort g = {.r = r, .first = first, .second = second, .third = third};

  g.pieces = r->threads > 1 ? r->n / PIECE_LEAST : 1;
  if (g.pieces > PIECES_MOST) g.pieces = PIECES_MOST;
  if (!g.pieces) g.pieces = 1;
  for (size_t i = 1; i <= g.pieces; i++) { /* a large group is passed over once */
    size_t cut = quad_team_cut(r->n, i, g.pieces);
    g.begin[i] = cut < g.begin[i - 1] ? g.begin[i - 1] : group_begin(&g, cut);
  }
  quad_team_run(r->threads, g.pieces, sort_piece, &g);
}

quoin_status
quad_ranks_sort_first(quad_ranks *r, quoin_error *err)
{
  static const uint8_t spog[4] = {0, 1, 2, 3};
  size_t groups = 1;
  bool ascending = true;

  for (size_t i = 1; i < r->n; i++) {
    uint32_t before = r->data[(i - 1) * r->keys], now = r->data[i * r->keys];
    groups += before != now;
    ascending &= before <= now;
  }
  if (groups != r->distinct[0]) return quad_ranks_sort(r, spog, r->keys, err);
  quad_ranks_sort_groups(r, 0, 1, 2);
  return ascending ? QUOIN_OK : quad_ranks_sort(r, spog, 1, err);
}

void
quad_ranks_unique(quad_ranks *r)
{
  size_t kept = r->n ? 1 : 0, bytes = r->keys * sizeof *r->data;

  for (size_t i = 1; i < r->n; i++) {
    const uint32_t *rec = r->data + i * r->keys, *last = r->data + (kept - 1) * r->keys;
    if (rec[0] == last[0] && rec[2] == last[2] && memcmp(rec, last, bytes) == 0) continue;
    if (kept != i) memcpy(r->data + kept * r->keys, rec, bytes);
    kept++;
  }
  r->n = kept;
}
