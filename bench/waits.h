/* bench/waits.h - what a thread did meanwhile: ran, waited for a core, or was blocked. Tells what a
 * long operation waited for from what the scheduler did to it. */
#ifndef QUOIN_BENCH_WAITS_H
#define QUOIN_BENCH_WAITS_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Nanoseconds since some moment, of one thread. What `wall` has beyond the others it was blocked:
 * in a lock, a condition, a sleep or a read of the disk. */
typedef struct waits {
  uint64_t wall, ran, queued; /* queued: ready to run, without a core; Linux alone tells it */
  long reads;                 /* page faults that read the disk */
} waits;

/* Of the calling thread; `file`: -1 at first, kept open for it. */
static inline waits
waits_now(int *file)
{
  struct timespec wall, ran;
  waits w = {0};

  (void)clock_gettime(CLOCK_MONOTONIC, &wall);
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  w.wall = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
  w.ran = (uint64_t)ran.tv_sec * 1000000000u + (uint64_t)ran.tv_nsec;
#if defined(__linux__)
  struct rusage usage;
  char text[128];
  if (*file < 0) *file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  ssize_t n = pread(*file, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = 0;
  char *queued = text;
  (void)strtoull(text, &queued, 10);
  w.queued = strtoull(queued, NULL, 10);
  if (!getrusage(RUSAGE_THREAD, &usage)) w.reads = usage.ru_majflt;
#else
  (void)file;
#endif
  return w;
}

static inline waits
waits_between(const waits *begin, const waits *end)
{
  return (waits){end->wall - begin->wall, end->ran - begin->ran, end->queued - begin->queued,
                 end->reads - begin->reads};
}

#endif /* QUOIN_BENCH_WAITS_H */
