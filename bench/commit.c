/* bench/commit.c - commits a second: 1, 10 and 1000 quads a commit, 1 and 16 threads, each
 * durability.
 *
 *   quoin-bench-commit [SECONDS [DIR [full|relaxed|off THREADS QUADS]]]
 *
 * Each quad has a subject of its own batch of ten (a new term), one of 40 predicates and an integer
 * object. Every cell starts with an empty store in a directory under DIR. */
#include "quadstore/quadstore.h"

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/hash.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct work {
  quad_store *store;
  unsigned thread, quads;
  uint64_t until;
  uint64_t commits, longest_ns;
} work;

static const char *const names[] = {"full", "relaxed", "off"};

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s\n", err->message);
  exit(1);
}

static void
add_quad(quad_txn *txn, unsigned thread, uint64_t n, quoin_error *err)
{
  char subject[80], predicate[64], object[32];
  rdf_term t[4] = {{RDF_NONE, {NULL, 0}, {NULL, 0}, {NULL, 0}}};

  (void)snprintf(subject, sizeof subject, "http://example.org/thing/%u/%llu", thread,
                 (unsigned long long)(n / 10));
  (void)snprintf(predicate, sizeof predicate, "http://example.org/property/%u", (unsigned)(n % 40));
  (void)snprintf(object, sizeof object, "%u", (unsigned)(base_mix(n) % 100000));
  t[0] = (rdf_term){RDF_IRI, base_span(subject), {NULL, 0}, {NULL, 0}};
  t[1] = (rdf_term){RDF_IRI, base_span(predicate), {NULL, 0}, {NULL, 0}};
  t[2] = (rdf_term){RDF_LITERAL,
                    base_span(object),
                    base_span("http://www.w3.org/2001/XMLSchema#integer"),
                    {NULL, 0}};
  check(quad_txn_add(txn, (const rdf_term *)t, err), err);
}

static void *
run(void *arg)
{
  work *w = arg;
  uint64_t n = 0, now = base_clock_ns();

  while (now < w->until) {
    quoin_error err = QUOIN_ERROR_INIT;
    uint64_t start = now;
    quad_txn *txn;
    check(quad_txn_begin(&txn, w->store, &err), &err);
    for (unsigned i = 0; i < w->quads; i++)
      add_quad(txn, w->thread, n++, &err);
    check(quad_txn_commit(NULL, NULL, txn, &err), &err);
    w->commits++;
    now = base_clock_ns();
    if (now - start > w->longest_ns) w->longest_ns = now - start;
  }
  return NULL;
}

static void
empty_directory(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;

  while (dir && (e = readdir(dir))) {
    char full[1024];
    if (e->d_name[0] == '.') continue;
    (void)snprintf(full, sizeof full, "%s/%s", path, e->d_name);
    (void)unlink(full);
  }
  if (dir) (void)closedir(dir);
}

static double
cpu_seconds(void)
{
  struct rusage u;

  (void)getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void
measure(const char *path, quad_durability durability, unsigned threads, unsigned quads,
        double seconds)
{
  quad_store_options o = {.create = true, .durability = durability};
  quoin_error err = QUOIN_ERROR_INIT;
  work w[16];
  pthread_t id[16];
  uint64_t start, commits = 0, longest = 0;
  quad_stats stats;
  double took, cpu;

  empty_directory(path);
  memset(w, 0, sizeof w);
  check(quad_store_open(&w[0].store, path, &o, NULL, &err), &err);
  cpu = cpu_seconds();
  start = base_clock_ns();
  for (unsigned i = 0; i < threads; i++) {
    w[i] = (work){.store = w[0].store,
                  .thread = i,
                  .quads = quads,
                  .until = start + (uint64_t)(seconds * 1e9)};
    if (pthread_create(&id[i], NULL, run, &w[i])) exit(1);
  }
  for (unsigned i = 0; i < threads; i++) {
    (void)pthread_join(id[i], NULL);
    commits += w[i].commits;
    if (w[i].longest_ns > longest) longest = w[i].longest_ns;
  }
  took = (double)(base_clock_ns() - start) * 1e-9;
  cpu = cpu_seconds() - cpu;
  check(quad_store_stats(&stats, w[0].store, &err), &err);
  (void)printf("%-8s %7u %7u %12.0f %12.0f %12llu %10.1f %10.2f\n", names[durability], threads,
               quads, (double)commits / took, (double)commits * quads / took,
               (unsigned long long)stats.log_syncs, (double)longest * 1e-6,
               cpu * 1e6 / (double)(commits * quads));
  (void)fflush(stdout);
  check(quad_store_close(w[0].store, &err), &err);
  empty_directory(path);
}

int
main(int argc, char **argv)
{
  static const unsigned quads[] = {1, 10, 1000}, threads[] = {1, 16};
  double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
  char path[512];

  (void)snprintf(path, sizeof path, "%s/bench-commit-XXXXXX", argc > 2 ? argv[2] : ".");
  if (!mkdtemp(path)) return 1;
  (void)printf("%-8s %7s %7s %12s %12s %12s %10s %10s\n", "sync", "threads", "quads", "commits/s",
               "quads/s", "syncs", "longest ms", "CPU us/quad");
  for (int d = QUAD_SYNC_FULL; argc > 5 && d <= QUAD_SYNC_OFF; d++)
    if (!strcmp(argv[3], names[d]))
      measure(path, (quad_durability)d, (unsigned)strtoul(argv[4], NULL, 10) % 17,
              (unsigned)strtoul(argv[5], NULL, 10), seconds);
  for (int d = QUAD_SYNC_FULL; argc <= 5 && d <= QUAD_SYNC_OFF; d++)
    for (unsigned t = 0; t < 2; t++)
      for (unsigned q = 0; q < 3; q++)
        measure(path, (quad_durability)d, threads[t], quads[q], seconds);
  (void)rmdir(path);
  return 0;
}
