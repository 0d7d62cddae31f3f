/* quadstore/radix.c - LSD radix sort of records of three or four words, by several threads.
 *
 * A pass takes at most 11 bits. Each thread counts and then moves a slice of the records: the
 * places of a slice follow those of the slices before it, so a pass is stable and its result does
 * not depend on the slices. */
#include "quadstore/ranks.h"
#include "quadstore/team.h"

#include <assert.h>

#include "base/poison.h"

enum { PASS_BITS = QUAD_RADIX_BITS, PASS_SLOTS = 1 << PASS_BITS, SLICE_LEAST = 1 << 15 };

typedef struct radix {
  const uint32_t *from;
  uint32_t *to;
  size_t n, slices;
  unsigned words, word, shift;
  uint32_t mask;
  uint32_t (*place)[PASS_SLOTS]; /* of each slice */
} radix;

static void
count_slice(void *user, size_t slice)
{
  const radix *r = user;
  size_t end = quad_team_cut(r->n, slice + 1, r->slices);
  uint32_t *count = r->place[slice];

  memset(count, 0, sizeof *r->place);
  for (size_t i = quad_team_cut(r->n, slice, r->slices); i < end; i++)
    count[r->from[i * r->words + r->word] >> r->shift & r->mask]++;
}

static inline __attribute__((always_inline)) void
move_fixed(const radix *r, size_t slice, const unsigned words)
{
  size_t begin = quad_team_cut(r->n, slice, r->slices);
  size_t end = quad_team_cut(r->n, slice + 1, r->slices);
  const uint32_t *from = r->from + begin * words, *digit = from + r->word;
  uint32_t *place = r->place[slice];

  for (size_t i = begin; i < end; i++, from += words, digit += words)
    memcpy(r->to + (size_t)place[*digit >> r->shift & r->mask]++ * words, from, 4 * (size_t)words);
}

static void
move_slice(void *user, size_t slice)
{
  const radix *r = user;

  if (r->words == 3)
    move_fixed(r, slice, 3);
  else
    move_fixed(r, slice, 4);
}

static void
pass(radix *r, unsigned threads)
{
  uint32_t sum = 0;

  quad_team_run(threads, r->slices, count_slice, r);
  for (size_t s = 0; s <= r->mask; s++)
    for (size_t i = 0; i < r->slices; i++) {
      uint32_t here = r->place[i][s];
      r->place[i][s] = sum;
      sum += here;
    }
  quad_team_run(threads, r->slices, move_slice, r);
}

quoin_status
quad_radix_sort(uint32_t **data, uint32_t **spare, size_t n, unsigned words, const quad_digit *by,
                unsigned n_by, unsigned threads, const base_alloc *mem, quoin_error *err)
{
  radix r = {.n = n, .words = words, .slices = n / SLICE_LEAST};

  assert(words == 3 || words == 4);
  assert(n <= UINT32_MAX);
  if (threads > QUAD_TEAM_MAX) threads = QUAD_TEAM_MAX;
  if (r.slices > threads) r.slices = threads;
  if (!r.slices) r.slices = 1;
  if (n < 2) return QUOIN_OK;
  if (!(r.place = base_new(mem, r.slices, sizeof *r.place))) return base_fail_nomem(err);
  for (unsigned i = n_by; i-- > 0;) {
    unsigned passes = (by[i].bits + PASS_BITS - 1u) / PASS_BITS, done = 0;
    for (unsigned p = 0; p < passes; p++) {
      unsigned bits = (by[i].bits - done) / (passes - p); /* about the same for each pass */
      uint32_t *was = *data;
      r.from = *data;
      r.to = *spare;
      r.word = by[i].word;
      r.shift = done;
      r.mask = (UINT32_C(1) << bits) - 1;
      pass(&r, threads);
      *data = *spare;
      *spare = was;
      done += bits;
    }
  }
  base_release(mem, r.place, r.slices, sizeof *r.place);
  return QUOIN_OK;
}
