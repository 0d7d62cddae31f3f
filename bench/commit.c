/* bench/commit.c - commits a second: 1, 10 and 1000 quads a commit, 1 and 16 threads, each
 * durability.
 *
 *   quoin-bench-commit [--seconds S | --commits N] [--dir DIR] [--durability full|relaxed|off]
 *                      [--threads N] [--quads N] [--memory BYTES] [--series FILE]
 *
 * Options choose cells of the table; --commits is how many each thread makes; --memory is when
 * memory runs are flushed. --series writes how long each commit took, by the time at which it
 * ended, for bench/plot.py: of the last cell. Each quad has a subject of its own batch of ten (a
 * new term), one of 40 predicates and an integer object. Every cell starts with an empty store in a
 * directory under DIR. */
#include "quadstore/quadstore.h"

#include "bench/scratch.h"
#include "bench/times.h"

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/hash.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

typedef struct work {
  quad_store *store;
  unsigned thread, quads;
  uint64_t start, until;
  uint64_t commits, most; /* done; 0: until the time is up */
  times took;
  base_buffer series; /* pairs: when it ended, how long it took; where asked for */
  bool keep;
} work;

typedef struct options {
  double seconds;
  uint64_t commits; /* of each thread, instead of for some seconds; 0: not so */
  uint64_t memory_bytes;
  const char *series;
  int durability;          /* -1: all */
  unsigned threads, quads; /* 0: all */
} options;

static const char usage[] =
    "usage: quoin-bench-commit [--seconds S | --commits N] [--dir DIR] [--threads N] [--quads N]\n"
    "                          [--durability full|relaxed|off] [--memory BYTES] [--series FILE]\n"
    "commits a second and how long they take: a table of all cells, or of those chosen\n";

static const char *const names[] = {"full", "relaxed", "off"};

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s\n", err->message);
  exit(1);
}

/* `head`, then `n` in decimal, at `to`: cheaper than printf, whose time would be the store's. */
static quoin_span
text(char *to, const char *head, size_t len, uint64_t n)
{
  char digits[20];
  size_t at = sizeof digits;

  do
    digits[--at] = (char)('0' + n % 10);
  while (n /= 10);
  if (len) memcpy(to, head, len);
  memcpy(to + len, digits + at, sizeof digits - at);
  return (quoin_span){to, len + sizeof digits - at};
}

static void
add_quad(quad_txn *txn, unsigned thread, uint64_t n, quoin_error *err)
{
  static const char thing[] = "http://example.org/thing/",
                    property[] = "http://example.org/property/",
                    integer[] = "http://www.w3.org/2001/XMLSchema#integer";
  char subject[80], predicate[64], object[32];
  rdf_term t[4] = {{RDF_NONE, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
  size_t len = text(subject, thing, sizeof thing - 1, thread).len;

  subject[len++] = '/';
  t[0].kind = t[1].kind = RDF_IRI;
  t[2].kind = RDF_LITERAL;
  t[0].value = (quoin_span){subject, len + text(subject + len, NULL, 0, n / 10).len};
  t[1].value = text(predicate, property, sizeof property - 1, n % 40);
  t[2].value = text(object, NULL, 0, base_mix(n) % 100000);
  t[2].datatype = (quoin_span){integer, sizeof integer - 1};
  check(quad_txn_add(txn, (const rdf_term *)t, err), err);
}

static void *
run(void *arg)
{
  work *w = arg;
  uint64_t n = 0, now = base_clock_ns();

  while (w->most ? w->commits < w->most : now < w->until) {
    quoin_error err = QUOIN_ERROR_INIT;
    uint64_t start = now;
    quad_txn *txn;
    check(quad_txn_begin(&txn, w->store, &err), &err);
    for (unsigned i = 0; i < w->quads; i++)
      add_quad(txn, w->thread, n++, &err);
    check(quad_txn_commit(NULL, NULL, txn, &err), &err);
    w->commits++;
    now = base_clock_ns();
    times_note(&w->took, now - start);
    if (!w->keep) continue;
    base_buffer_u64(&w->series, now - w->start);
    base_buffer_u64(&w->series, now - start);
  }
  return NULL;
}

static double
cpu_seconds(void)
{
  struct rusage u;

  (void)getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* Milliseconds of each commit by seconds since the start. */
static void
write_series(const char *path, const work *w, unsigned threads)
{
  FILE *out = fopen(path, "w");

  if (!out) {
    perror(path);
    exit(1);
  }
  (void)fprintf(out, "seconds\tcommit, ms\n");
  for (unsigned i = 0; i < threads; i++)
    for (size_t at = 0; at + 16 <= w[i].series.len; at += 16) {
      uint64_t pair[2];
      memcpy(pair, w[i].series.data + at, 16);
      (void)fprintf(out, "%.6f\t%.6f\n", (double)pair[0] * 1e-9, (double)pair[1] * 1e-6);
    }
  if (fclose(out)) perror(path);
}

static void
measure(const char *path, quad_durability durability, unsigned threads, unsigned quads,
        const options *o)
{
  static work w[16];
  static times all;
  quad_store_options store = {
      .create = true, .durability = durability, .memory_bytes = o->memory_bytes};
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t id[16];
  uint64_t start, commits = 0;
  quad_stats stats;
  double took, cpu;

  scratch_empty(path);
  memset(w, 0, sizeof w);
  memset(&all, 0, sizeof all);
  check(quad_store_open(&w[0].store, path, &store, NULL, &err), &err);
  cpu = cpu_seconds();
  start = base_clock_ns();
  for (unsigned i = 0; i < threads; i++) {
    w[i].store = w[0].store;
    w[i].thread = i;
    w[i].quads = quads;
    w[i].start = start;
    w[i].most = o->commits;
    w[i].until = start + (uint64_t)(o->seconds * 1e9);
    w[i].keep = o->series != NULL;
    base_buffer_init(&w[i].series, base_alloc_default());
    if (pthread_create(&id[i], NULL, run, &w[i])) exit(1);
  }
  for (unsigned i = 0; i < threads; i++) {
    (void)pthread_join(id[i], NULL);
    commits += w[i].commits;
    times_add(&all, &w[i].took);
  }
  took = (double)(base_clock_ns() - start) * 1e-9;
  cpu = cpu_seconds() - cpu;
  check(quad_store_stats(&stats, w[0].store, &err), &err);
  (void)printf("%-8s %7u %7u %11.0f %11.0f %9llu %9.1f %9.1f %9.2f %9.2f %8llu\n",
               names[durability], threads, quads, (double)commits / took,
               (double)commits * quads / took, (unsigned long long)stats.log_syncs,
               (double)times_percentile(&all, 0.5) * 1e-3,
               (double)times_percentile(&all, 0.99) * 1e-3, (double)all.max * 1e-6,
               cpu * 1e6 / (double)(commits * quads), (unsigned long long)stats.delayed);
  (void)fflush(stdout);
  if (o->series) write_series(o->series, w, threads);
  for (unsigned i = 0; i < threads; i++)
    base_buffer_clear(&w[i].series);
  check(quad_store_close(w[0].store, &err), &err);
  scratch_empty(path);
}

static bool
parse(options *o, const char **dir, int argc, char **argv)
{
  for (int i = 1; i < argc; i += 2) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (!value) return false;
    if (!strcmp(argv[i], "--seconds"))
      o->seconds = strtod(value, NULL);
    else if (!strcmp(argv[i], "--commits"))
      o->commits = strtoull(value, NULL, 10);
    else if (!strcmp(argv[i], "--dir"))
      *dir = value;
    else if (!strcmp(argv[i], "--threads"))
      o->threads = (unsigned)strtoul(value, NULL, 10);
    else if (!strcmp(argv[i], "--quads"))
      o->quads = (unsigned)strtoul(value, NULL, 10);
    else if (!strcmp(argv[i], "--memory"))
      o->memory_bytes = strtoull(value, NULL, 10);
    else if (!strcmp(argv[i], "--series"))
      o->series = value;
    else if (!strcmp(argv[i], "--durability"))
      for (o->durability = 2; o->durability >= 0 && strcmp(value, names[o->durability]);)
        o->durability--;
    else
      return false;
  }
  return o->threads <= 16;
}

int
main(int argc, char **argv)
{
  static const unsigned quads[] = {1, 10, 1000}, threads[] = {1, 16};
  options o = {.seconds = 2, .durability = -1};
  const char *under = NULL;
  scratch dir;

  if (!parse(&o, &under, argc, argv)) {
    bool help = argc == 2 && !strcmp(argv[1], "--help");
    (void)fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  scratch_make(&dir, under);
  (void)printf("%-8s %7s %7s %11s %11s %9s %9s %9s %9s %9s %8s\n", "sync", "threads", "quads",
               "commits/s", "quads/s", "syncs", "p50 us", "p99 us", "max ms", "CPU us/q",
               "delayed");
  for (int d = QUAD_SYNC_FULL; d <= QUAD_SYNC_OFF; d++)
    for (unsigned t = 0; t < 2; t++)
      for (unsigned q = 0; q < 3; q++) {
        if ((o.durability >= 0 && d != o.durability) || (o.threads && t) || (o.quads && q))
          continue;
        measure(dir.path, (quad_durability)d, o.threads ? o.threads : threads[t],
                o.quads ? o.quads : quads[q], &o);
      }
  scratch_remove(&dir);
  return 0;
}
