/* bench/times.h - durations counted in bins, for percentiles of many. */
#ifndef QUOIN_BENCH_TIMES_H
#define QUOIN_BENCH_TIMES_H

#include <stddef.h>
#include <stdint.h>

enum { TIMES_FINE = 64, TIMES_BINS = 64 * TIMES_FINE };

/* Counts by duration in nanoseconds: TIMES_FINE bins for two doublings. Start from zeroes. */
typedef struct times {
  uint64_t n, max, bin[TIMES_BINS];
} times;

static inline size_t
times_bin(uint64_t ns)
{
  const unsigned log = ns < TIMES_FINE ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 5u;
  return ns < TIMES_FINE ? (size_t)ns : (size_t)log * (TIMES_FINE / 2) + (size_t)(ns >> log);
}

static inline uint64_t
times_upper(size_t bin)
{
  if (bin < TIMES_FINE) return bin;
  const size_t log = bin / (TIMES_FINE / 2) - 1;
  return ((uint64_t)(bin - log * (TIMES_FINE / 2)) + 1) << log;
}

static inline void
times_note(times *t, uint64_t ns)
{
  t->n++;
  if (ns > t->max) t->max = ns;
  t->bin[times_bin(ns)]++;
}

static inline void
times_add(times *t, const times *more)
{
  t->n += more->n;
  if (more->max > t->max) t->max = more->max;
  for (size_t i = 0; i < TIMES_BINS; i++)
    t->bin[i] += more->bin[i];
}

/* The upper end of the bin where the share `p` of all is reached, at most the longest. */
static inline uint64_t
times_percentile(const times *t, double p)
{
  const double above = (double)t->n * (1.0 - p);
  uint64_t left = t->n;
  size_t bin = 0;
  while (bin < TIMES_BINS - 1 && (double)(left - t->bin[bin]) > above)
    left -= t->bin[bin++];
  return times_upper(bin) < t->max ? times_upper(bin) : t->max;
}

#endif /* QUOIN_BENCH_TIMES_H */
