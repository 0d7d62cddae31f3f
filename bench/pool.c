/* bench/pool.c - what the operations of a pool cost, and whether the size of a store matters.
 *
 *   quoin-bench-pool [--repeat N] [--dir DIR]
 *
 * First operations on names (medians and the longest of N, 20). Then stores are lent, filled with
 * 1,000 to 1,000,000 quads and given back, and named ones are cleared: the time of giving back and
 * of clearing must not depend on what was in them. Times in ms, of the clock and of the processor
 * (all threads of this process). */
#include <quoin/quoin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { REPEAT_MAX = 1000 };

typedef struct taken {
  double wall[REPEAT_MAX], cpu[REPEAT_MAX];
  unsigned n;
  double wall_began, cpu_began;
} taken;

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s: %s: %s\n", quoin_status_name(st), err->file, err->message);
  exit(1);
}

static double
seconds_of(clockid_t clock)
{
  struct timespec t;
  (void)clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
begin(taken *t)
{
  t->wall_began = seconds_of(CLOCK_MONOTONIC);
  t->cpu_began = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

static void
end(taken *t)
{
  t->wall[t->n] = 1e3 * (seconds_of(CLOCK_MONOTONIC) - t->wall_began);
  t->cpu[t->n++] = 1e3 * (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - t->cpu_began);
}

static int
by_value(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void
print(const char *what, taken *t)
{
  qsort(t->wall, t->n, sizeof *t->wall, by_value);
  qsort(t->cpu, t->n, sizeof *t->cpu, by_value);
  (void)printf("%-34s %10.3f %10.3f %10.3f %10.3f\n", what, t->wall[t->n / 2], t->wall[t->n - 1],
               t->cpu[t->n / 2], t->cpu[t->n - 1]);
  (void)fflush(stdout);
  t->n = 0;
}

static void
time_names(quoin_pool *pool, unsigned repeat)
{
  static taken create, open, shared, change, activate, remove;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *held, *store;

  check(quoin_pool_create(pool, "one", 0, &err), &err);
  for (unsigned i = 0; i < repeat; i++) {
    begin(&create);
    check(quoin_pool_create(pool, "two", 0, &err), &err);
    end(&create);
    begin(&open);
    check(quoin_pool_store(&held, pool, "two", &err), &err);
    end(&open);
    begin(&shared);
    check(quoin_pool_store(&store, pool, "two", &err), &err);
    quoin_close(store);
    end(&shared);
    quoin_close(held);
    begin(&change);
    check(quoin_pool_switch(pool, "one", "two", &err), &err);
    end(&change);
    begin(&activate);
    check(quoin_pool_activate(pool, i % 2 ? "one" : "two", &err), &err);
    end(&activate);
    begin(&remove);
    check(quoin_pool_delete(pool, "two", &err), &err);
    end(&remove);
  }
  print("create", &create);
  print("open by name", &open);
  print("take and give back one that is open", &shared);
  print("switch", &change);
  print("activate", &activate);
  print("delete", &remove);
}

static void
fill(quoin_store *store, unsigned quads)
{
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  size_t room = (size_t)quads * 80 + 1, len = 0;
  char *text = malloc(room);

  if (!text) exit(1);
  for (unsigned i = 0; i < quads; i++)
    len += (size_t)snprintf(text + len, room - len,
                            "<http://example.org/s%u> <http://example.org/p%u> \"value %u\" .\n",
                            i / 8, i % 8, i);
  options.format = QUOIN_NTRIPLES;
  check(quoin_load_memory(NULL, store, (quoin_span){text, len}, &options, &err), &err);
  free(text);
}

static void
time_sizes(quoin_pool *pool, unsigned repeat)
{
  static const unsigned sizes[] = {1000, 10000, 100000, 1000000};
  static taken rent, back, clear;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  char what[64];

  check(quoin_pool_create(pool, "full", 0, &err), &err);
  for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    unsigned times = repeat < 5 || k < 2 ? repeat : 5;
    for (unsigned i = 0; i < times; i++) {
      begin(&rent);
      check(quoin_pool_rent(&store, pool, 0, NULL, &err), &err);
      end(&rent);
      fill(store, sizes[k]);
      begin(&back);
      quoin_close(store);
      end(&back);
      check(quoin_pool_store(&store, pool, "full", &err), &err);
      fill(store, sizes[k]);
      begin(&clear);
      check(quoin_pool_clear(pool, "full", &err), &err);
      end(&clear);
      quoin_close(store);
    }
    (void)snprintf(what, sizeof what, "rent after %u quads", k ? sizes[k - 1] : 0);
    print(what, &rent);
    (void)snprintf(what, sizeof what, "give back %u quads", sizes[k]);
    print(what, &back);
    (void)snprintf(what, sizeof what, "clear %u quads", sizes[k]);
    print(what, &clear);
  }
}

int
main(int argc, char **argv)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *dir = ".";
  unsigned repeat = 20;
  quoin_pool *pool;
  int at = 1;

  for (; at + 1 < argc; at += 2) {
    if (!strcmp(argv[at], "--repeat")) repeat = (unsigned)strtoul(argv[at + 1], NULL, 10);
    if (!strcmp(argv[at], "--dir")) dir = argv[at + 1];
  }
  if (at != argc || !repeat || repeat > REPEAT_MAX) {
    (void)fputs("usage: quoin-bench-pool [--repeat N] [--dir DIR]\n", stderr);
    return 2;
  }
  options.temporary = true;
  check(quoin_pool_open(&pool, dir, &options, &err), &err);
  (void)printf("%-34s %10s %10s %10s %10s\n", "ms", "median", "longest", "CPU", "longest");
  time_names(pool, repeat);
  time_sizes(pool, repeat);
  quoin_pool_close(pool);
  return 0;
}
