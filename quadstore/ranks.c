/* quadstore/ranks.c - see ranks.h.
 *
 * The ids of one kind in one column are numbered by a bit set over their range where that is small
 * beside their count: a number is then found by counting bits. Terms are numbered densely, so
 * nearly all ids are of such kinds. Where the range is wide (doubles, dateTimes, few terms of a
 * large store) ids are sorted together with the places they come from. */
#include "quadstore/ranks.h"
#include "quadstore/team.h"

#include <assert.h>

#include "base/poison.h"

enum { KINDS = 64, SLICE_LEAST = 1 << 15, WIDE_FACTOR = 32, WIDE_LEAST = 1 << 16, PAIR_WORDS = 3 };

/* The ids of one kind in one column. */
typedef struct kind_span {
  uint64_t min, max;
  size_t n;
} kind_span;

typedef struct survey {
  kind_span span[4][KINDS];
} survey;

/* 64 ids: which of them there are, and how many distinct ids come before them. */
typedef struct rank_word {
  _Atomic(uint64_t) bits;
  uint64_t before;
} rank_word;

typedef struct ranker {
  quad_ranks *r;
  uint64_t *records; /* in the block of `r`, which the numbers are written over */
  size_t slices;
  survey *surveys; /* of each slice */
  survey all;
  rank_word *words; /* of all narrow kinds of all columns */
  size_t n_words;
  uint64_t first[4][KINDS]; /* words[(id >> 6) - first] holds it, modulo 2^64 */
  bool wide[4][KINDS];
  size_t n_wide[4];
  /* of the wide column in hand: id (two words) and place, unsorted, then sorted */
  unsigned column;
  uint32_t *pairs, *pairs_spare;
} ranker;

static inline unsigned
kind_of(uint64_t id)
{
  return (unsigned)(id >> 58);
}

static void
slice_bounds(size_t *begin, size_t *end, const ranker *k, size_t slice)
{
  *begin = quad_team_cut(k->r->n, slice, k->slices);
  *end = quad_team_cut(k->r->n, slice + 1, k->slices);
}

/* ---- what there is --------------------------------------------------------------------------- */

static void
survey_add(kind_span *to, uint64_t min, uint64_t max, size_t n)
{
  if (!to->n || min < to->min) to->min = min;
  if (!to->n || max > to->max) to->max = max;
  to->n += n;
}

static void
survey_slice(void *user, size_t slice)
{
  ranker *k = user;
  survey *s = &k->surveys[slice];
  size_t begin, end;
  unsigned keys = k->r->keys;

  slice_bounds(&begin, &end, k, slice);
  memset(s, 0, sizeof *s);
  for (size_t i = begin; i < end; i++)
    for (unsigned c = 0; c < keys; c++) {
      uint64_t id = k->records[i * keys + c];
      survey_add(&s->span[c][kind_of(id)], id, id, 1);
    }
}

/* Decide which kinds are wide, and where the words of the others lie. */
static void
plan(ranker *k)
{
  for (size_t i = 0; i < k->slices; i++)
    for (unsigned c = 0; c < k->r->keys; c++)
      for (unsigned kind = 0; kind < KINDS; kind++) {
        const kind_span *s = &k->surveys[i].span[c][kind];
        if (s->n) survey_add(&k->all.span[c][kind], s->min, s->max, s->n);
      }
  for (unsigned c = 0; c < k->r->keys; c++)
    for (unsigned kind = 0; kind < KINDS; kind++) {
      const kind_span *s = &k->all.span[c][kind];
      if (!s->n) continue;
      if (s->max - s->min > (uint64_t)s->n * WIDE_FACTOR + WIDE_LEAST) {
        k->wide[c][kind] = true;
        k->n_wide[c] += s->n;
        continue;
      }
      k->first[c][kind] = (s->min >> 6) - k->n_words;
      k->n_words += (size_t)((s->max >> 6) - (s->min >> 6)) + 1;
    }
}

/* ---- narrow kinds ---------------------------------------------------------------------------- */

static void
mark_slice(void *user, size_t slice)
{
  ranker *k = user;
  size_t begin, end;
  unsigned keys = k->r->keys;

  slice_bounds(&begin, &end, k, slice);
  for (size_t i = begin; i < end; i++)
    for (unsigned c = 0; c < keys; c++) {
      uint64_t id = k->records[i * keys + c], bit = UINT64_C(1) << (id & 63);
      unsigned kind = kind_of(id);
      rank_word *w;
      if (k->wide[c][kind]) continue;
      w = &k->words[(id >> 6) - k->first[c][kind]];
      /* Relaxed: joining the threads orders it before the reading of them all. */
      if (!(atomic_load_explicit(&w->bits, memory_order_relaxed) & bit))
        (void)atomic_fetch_or_explicit(&w->bits, bit, memory_order_relaxed);
    }
}

static inline uint64_t
word_bits(const rank_word *w)
{
  return atomic_load_explicit(&((rank_word *)(uintptr_t)w)->bits, memory_order_relaxed);
}

/* Numbers in the place of ids, from the beginning of the slice on: half of it is free then. What is
 * written lies before what is still to be read. */
static inline __attribute__((always_inline)) void
number_with(const ranker *k, size_t slice)
{
  size_t begin, end;
  unsigned keys = k->r->keys;
  char *to;

  slice_bounds(&begin, &end, k, slice);
  to = (char *)(k->records + begin * keys);
  for (size_t i = begin; i < end; i++)
    for (unsigned c = 0; c < keys; c++, to += 4) {
      uint64_t id = k->records[i * keys + c];
      unsigned kind = kind_of(id);
      uint32_t number = (uint32_t)id; /* of a wide kind: wide_number left it here */
      if (!k->wide[c][kind]) {
        const rank_word *w = &k->words[(id >> 6) - k->first[c][kind]];
        uint64_t below = word_bits(w) & ((UINT64_C(1) << (id & 63)) - 1);
        number = (uint32_t)(w->before + (unsigned)__builtin_popcountll(below));
      }
      memcpy(to, &number, 4);
    }
}

static void
number_slice(void *user, size_t slice)
{
  number_with(user, slice);
}

#if defined(__x86_64__)
/* The same with the instruction that counts bits. */
__attribute__((target("popcnt"))) static void
number_slice_popcnt(void *user, size_t slice)
{
  number_with(user, slice);
}
#endif

static void
number_all(ranker *k)
{
  quad_ranks *r = k->r;
  void (*work)(void *user, size_t slice) = number_slice;

#if defined(__x86_64__)
  if (__builtin_cpu_supports("popcnt")) work = number_slice_popcnt;
#endif
  quad_team_run(r->threads, k->slices, work, k);
  r->data = r->block;
  r->spare = r->data + r->n * r->keys;
  for (size_t i = 1; i < k->slices; i++) {
    size_t begin, end;
    slice_bounds(&begin, &end, k, i);
    memmove(r->data + begin * r->keys, k->records + begin * r->keys, 4 * (end - begin) * r->keys);
  }
}

static size_t
narrow_count(const ranker *k, unsigned c, unsigned kind)
{
  const kind_span *s = &k->all.span[c][kind];
  size_t n = 0;

  for (uint64_t at = s->min >> 6; at <= s->max >> 6; at++)
    n += (unsigned)__builtin_popcountll(word_bits(&k->words[at - k->first[c][kind]]));
  return n;
}

/* Number the ids of a narrow kind from *next on. */
static void
narrow_number(ranker *k, unsigned c, unsigned kind, uint64_t *ids, size_t *next)
{
  const kind_span *s = &k->all.span[c][kind];

  for (uint64_t at = s->min >> 6; at <= s->max >> 6; at++) {
    rank_word *w = &k->words[at - k->first[c][kind]];
    w->before = *next;
    for (uint64_t bits = word_bits(w); bits; bits &= bits - 1)
      ids[(*next)++] = at << 6 | (unsigned)__builtin_ctzll(bits);
  }
}

/* ---- wide kinds ------------------------------------------------------------------------------ */

static void
pair_slice(void *user, size_t slice)
{
  ranker *k = user;
  size_t begin, end, at = 0;
  unsigned keys = k->r->keys, c = k->column;

  for (size_t s = 0; s < slice; s++)
    for (unsigned kind = 0; kind < KINDS; kind++)
      if (k->wide[c][kind]) at += k->surveys[s].span[c][kind].n;
  slice_bounds(&begin, &end, k, slice);
  for (size_t i = begin; i < end; i++) {
    uint64_t id = k->records[i * keys + c];
    if (!k->wide[c][kind_of(id)]) continue;
    k->pairs[PAIR_WORDS * at] = (uint32_t)id;
    k->pairs[PAIR_WORDS * at + 1] = (uint32_t)(id >> 32);
    k->pairs[PAIR_WORDS * at + 2] = (uint32_t)i;
    at++;
  }
}

static inline uint64_t
pair_id(const uint32_t *pairs, size_t i)
{
  return pairs[PAIR_WORDS * i] | (uint64_t)pairs[PAIR_WORDS * i + 1] << 32;
}

static quoin_status
sort_pairs(ranker *k, unsigned c, quoin_error *err)
{
  static const quad_digit by_id[2] = {{1, 32}, {0, 32}};
  size_t n = k->n_wide[c];
  const base_alloc *mem = k->r->mem;

  k->column = c;
  k->pairs = base_new(mem, n, PAIR_WORDS * sizeof *k->pairs);
  k->pairs_spare = base_new(mem, n, PAIR_WORDS * sizeof *k->pairs);
  if (!k->pairs || !k->pairs_spare) return base_fail_nomem(err);
  quad_team_run(k->r->threads, k->slices, pair_slice, k);
  return quad_radix_sort(&k->pairs, &k->pairs_spare, n, PAIR_WORDS, by_id, 2, k->r->threads, mem,
                         err);
}

static void
free_pairs(ranker *k, size_t n)
{
  base_release(k->r->mem, k->pairs, n, PAIR_WORDS * sizeof *k->pairs);
  base_release(k->r->mem, k->pairs_spare, n, PAIR_WORDS * sizeof *k->pairs);
  k->pairs = k->pairs_spare = NULL;
}

/* Number the ids of a wide kind, those of pairs [*at, ...), from *next on. The numbers stand in for
 * the ids, below their kinds. */
static void
wide_number(ranker *k, unsigned c, unsigned kind, size_t *at, uint64_t *ids, size_t *next)
{
  size_t end = *at + k->all.span[c][kind].n;
  unsigned keys = k->r->keys;

  for (; *at < end; ++*at) {
    uint64_t id = pair_id(k->pairs, *at);
    if (!*next || ids[*next - 1] != id) ids[(*next)++] = id;
    k->records[(size_t)k->pairs[PAIR_WORDS * *at + 2] * keys + c] =
        (uint64_t)kind << 58 | (uint32_t)(*next - 1);
  }
}

/* ---- a column -------------------------------------------------------------------------------- */

static quoin_status
number_column(ranker *k, unsigned c, quoin_error *err)
{
  quad_ranks *r = k->r;
  size_t n = 0, next = 0, at = 0, wide = k->n_wide[c];
  quoin_status st = QUOIN_OK;

  if (wide && (st = sort_pairs(k, c, err))) goto done;
  for (size_t i = 0; i < wide; i++)
    n += !i || pair_id(k->pairs, i) != pair_id(k->pairs, i - 1);
  for (unsigned kind = 0; kind < KINDS; kind++)
    if (k->all.span[c][kind].n && !k->wide[c][kind]) n += narrow_count(k, c, kind);
  if (!(r->ids[c] = base_new(r->mem, n, sizeof *r->ids[c]))) {
    st = base_fail_nomem(err);
    goto done;
  }
  r->distinct[c] = n;
  for (unsigned kind = 0; kind < KINDS; kind++) {
    if (!k->all.span[c][kind].n) continue;
    if (k->wide[c][kind])
      wide_number(k, c, kind, &at, r->ids[c], &next);
    else
      narrow_number(k, c, kind, r->ids[c], &next);
  }
  assert(next == n);

done:
  free_pairs(k, wide);
  return st;
}

quoin_status
quad_ranks_new(quad_ranks *out, uint64_t *records, size_t n, size_t room, unsigned keys,
               unsigned threads, const base_alloc *mem, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  ranker *k = base_new_zero(mem, 1, sizeof *k);

  assert(n && n <= room && n <= UINT32_MAX && (keys == 3 || keys == 4));
  *out = (quad_ranks){.mem = mem,
                      .threads = threads,
                      .keys = keys,
                      .n = n,
                      .block = records,
                      .block_words = room * keys};
  if (!k) {
    st = base_fail_nomem(err);
    goto done;
  }
  k->r = out;
  k->records = records;
  k->slices = n / SLICE_LEAST < threads ? n / SLICE_LEAST : threads;
  if (!k->slices) k->slices = 1;
  k->surveys = base_new(mem, k->slices, sizeof *k->surveys);
  if (!k->surveys) {
    st = base_fail_nomem(err);
    goto done;
  }
  quad_team_run(threads, k->slices, survey_slice, k);
  plan(k);
  if (k->n_words && !(k->words = base_new_zero(mem, k->n_words, sizeof *k->words))) {
    st = base_fail_nomem(err);
    goto done;
  }
  quad_team_run(threads, k->slices, mark_slice, k);
  for (unsigned c = 0; c < keys; c++)
    if ((st = number_column(k, c, err))) goto done;
  number_all(k);

done:
  if (k) {
    base_release(mem, k->words, k->n_words, sizeof *k->words);
    base_release(mem, k->surveys, k->slices, sizeof *k->surveys);
  }
  base_release(mem, k, 1, sizeof *k);
  if (st) quad_ranks_clear(out);
  return st;
}

void
quad_ranks_clear(quad_ranks *r)
{
  if (!r->mem) return;
  base_release(r->mem, r->block, r->block_words, 8);
  for (unsigned c = 0; c < 4; c++)
    base_release(r->mem, r->ids[c], r->distinct[c], sizeof *r->ids[c]);
  *r = (quad_ranks){0};
}
