/* quadstore/sort.c - see sort.h.
 *
 * A radix pass takes a window of at most 11 bits of one position that hold bits which vary; bits
 * that are the same in all records cost nothing, so ids of a store with few terms need two or three
 * passes a position. */
#include "quadstore/sort.h"

#include <assert.h>

#include "base/poison.h"

enum { WINDOW_BITS = 11, MAX_WINDOWS = 32, SMALL = 48 };

typedef struct window {
  unsigned position, shift, bits;
} window;

void
quad_records_survey(quad_records *r)
{
  for (unsigned k = 0; k < r->keys; k++) {
    uint64_t varies = 0, first = r->n ? r->data[k] : 0;
    for (size_t i = 0; i < r->n; i++)
      varies |= r->data[i * r->stride + k] ^ first;
    r->varies[k] = varies;
  }
}

/* Cut the bits of `varies` into windows, lowest first. */
static unsigned
cut_windows(window *out, unsigned position, uint64_t varies, unsigned limit)
{
  unsigned n = 0;

  while (varies) {
    unsigned shift = (unsigned)__builtin_ctzll(varies), bits;
    uint64_t part = varies >> shift & ((UINT64_C(1) << limit) - 1);
    bits = 64u - (unsigned)__builtin_clzll(part);
    out[n++] = (window){position, shift, bits};
    varies &= ~(((UINT64_C(1) << bits) - 1) << shift);
  }
  return n;
}

static inline __attribute__((always_inline)) void
scatter_fixed(uint64_t *restrict to, const uint64_t *restrict from, size_t n, const unsigned stride,
              window w, size_t *at)
{
  const uint64_t mask = (UINT64_C(1) << w.bits) - 1;

  for (size_t i = 0; i < n; i++, from += stride) {
    uint64_t *out = to + stride * at[from[w.position] >> w.shift & mask]++;
    for (unsigned k = 0; k < stride; k++)
      out[k] = from[k];
  }
}

static void
scatter(uint64_t *to, const uint64_t *from, size_t n, unsigned stride, window w, size_t *at)
{
  if (stride == 3)
    scatter_fixed(to, from, n, 3, w, at);
  else if (stride == 4)
    scatter_fixed(to, from, n, 4, w, at);
  else
    scatter_fixed(to, from, n, 5, w, at);
}

static void
sort_small(quad_records *r, const uint8_t *by, unsigned n_by)
{
  uint64_t held[5];
  unsigned stride = r->stride;

  for (size_t i = 1; i < r->n; i++) {
    size_t j = i;
    memcpy(held, r->data + i * stride, 8 * (size_t)stride);
    for (; j; j--) {
      const uint64_t *before = r->data + (j - 1) * stride;
      unsigned k = 0;
      while (k < n_by && before[by[k]] == held[by[k]])
        k++;
      if (k == n_by || before[by[k]] < held[by[k]]) break;
      memcpy(r->data + j * stride, before, 8 * (size_t)stride);
    }
    memcpy(r->data + j * stride, held, 8 * (size_t)stride);
  }
}

quoin_status
quad_records_sort(quad_records *r, const uint8_t *by, unsigned n_by, const base_alloc *mem,
                  quoin_error *err)
{
  window windows[MAX_WINDOWS];
  unsigned n = 0, limit = r->n < 65536 ? 8 : WINDOW_BITS;
  size_t slots = (size_t)1 << limit, *count;

  assert(r->stride >= 3 && r->stride <= 5);
  if (r->n < SMALL) {
    sort_small(r, by, n_by);
    return QUOIN_OK;
  }
  for (unsigned i = n_by; i-- > 0;)
    n += cut_windows(windows + n, by[i], r->varies[by[i]], limit);
  if (!n) return QUOIN_OK;
  if (!(count = base_new_zero(mem, slots * n, sizeof *count))) return base_fail_nomem(err);
  for (size_t i = 0; i < r->n; i++) {
    const uint64_t *rec = r->data + i * r->stride;
    for (unsigned w = 0; w < n; w++)
      count[slots * w +
            (rec[windows[w].position] >> windows[w].shift & ((1u << windows[w].bits) - 1))]++;
  }
  for (unsigned w = 0; w < n; w++) {
    size_t *at = count + slots * w, sum = 0;
    uint64_t *next = r->data;
    for (size_t s = 0; s < slots; s++) {
      size_t here = at[s];
      at[s] = sum;
      sum += here;
    }
    scatter(r->spare, r->data, r->n, r->stride, windows[w], at);
    r->data = r->spare;
    r->spare = next;
  }
  base_release(mem, count, slots * n, sizeof *count);
  return QUOIN_OK;
}

void
quad_records_unique(quad_records *r)
{
  size_t kept = r->n ? 1 : 0;
  unsigned stride = r->stride;

  for (size_t i = 1; i < r->n; i++) {
    const uint64_t *rec = r->data + i * stride, *last = r->data + (kept - 1) * stride;
    if (memcmp(rec, last, 8 * (size_t)r->keys) == 0) continue;
    if (kept != i) memcpy(r->data + kept * stride, rec, 8 * (size_t)stride);
    kept++;
  }
  r->n = kept;
}
