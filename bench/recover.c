/* bench/recover.c - what a crash, a reading process and small commits cost.
 *
 *   quoin-bench-recover [--dir DIR] [--commits N] [--quads N]
 *
 * A child process commits N times, without syncs, and ends without closing the store:
 * - recovery: opening it again, which replays the log and writes a checkpoint;
 * - writing: bytes that the child made dirty in files (/proc/self/io), and its checkpoint's at the
 *   close of the same work, for each byte of its quads as N-Quads;
 * - refresh: a reading store beside a writing one, each hundred commits;
 * - first answer: opening the store for reading, as a process that answers one lookup does. */
#include "quadstore/quadstore.h"

#include "bench/scratch.h"
#include "bench/times.h"

#include "base/cancel.h"
#include "base/hash.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char usage[] =
    "usage: quoin-bench-recover [--dir DIR] [--commits N] [--quads N]\n"
    "recovery, refresh, the first answer, and bytes written, after N commits of so many quads\n";

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s\n", err->message);
  exit(1);
}

static double
cpu_seconds(void)
{
  struct rusage u;

  (void)getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* What this process has made dirty so far; 0 where that is not told. */
static uint64_t
bytes_written(void)
{
  FILE *io = fopen("/proc/self/io", "r");
  char line[128];
  unsigned long long n = 0;

  while (io && fgets(line, sizeof line, io))
    if (sscanf(line, "write_bytes: %llu", &n) == 1) break;
  if (io) (void)fclose(io);
  return n;
}

static quad_store *
open_store(const char *path, const quad_store_options *options)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;

  check(quad_store_open(&store, path, options, NULL, &err), &err);
  return store;
}

/* Quad n: a subject of each ten, one of 40 predicates, an integer; its length as N-Quads. */
static uint64_t
add_quad(quad_txn *txn, uint64_t n)
{
  static const char integer[] = "http://www.w3.org/2001/XMLSchema#integer";
  char subject[80], predicate[64], object[32];
  quoin_error err = QUOIN_ERROR_INIT;
  int len[3];

  len[0] = snprintf(subject, sizeof subject, "http://example.org/thing/%llu",
                    (unsigned long long)(n / 10));
  len[1] =
      snprintf(predicate, sizeof predicate, "http://example.org/property/%u", (unsigned)(n % 40));
  len[2] = snprintf(object, sizeof object, "%u", (unsigned)(base_mix(n) % 100000));
  const rdf_term t[4] = {
      {RDF_IRI, {subject, (size_t)len[0]}, {NULL, 0}, {NULL, 0}},
      {RDF_IRI, {predicate, (size_t)len[1]}, {NULL, 0}, {NULL, 0}},
      {RDF_LITERAL, {object, (size_t)len[2]}, {integer, sizeof integer - 1}, {NULL, 0}},
      {RDF_NONE, {NULL, 0}, {NULL, 0}, {NULL, 0}}};
  check(quad_txn_add(txn, t, &err), &err);
  return (uint64_t)(len[0] + len[1] + len[2]) + sizeof integer - 1 + sizeof "<> <> \"\"^^<> .\n" -
         1;
}

/* Commits from..to of so many quads; their length as N-Quads. */
static uint64_t
commit(quad_store *store, uint64_t from, uint64_t to, unsigned quads)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t bytes = 0;

  for (uint64_t i = from; i < to; i++) {
    quad_txn *txn;
    check(quad_txn_begin(&txn, store, &err), &err);
    for (unsigned k = 0; k < quads; k++)
      bytes += add_quad(txn, i * quads + k);
    check(quad_txn_commit(NULL, NULL, txn, &err), &err);
  }
  return bytes;
}

/* In a process of its own, which is killed, or closes the store. */
static void
write_store(const char *path, uint64_t commits, unsigned quads, bool close)
{
  /* so much memory that the log holds all of it */
  const quad_store_options options = {
      .create = true, .durability = QUAD_SYNC_OFF, .memory_bytes = close ? 0 : UINT64_C(1) << 40};
  quoin_error err = QUOIN_ERROR_INIT;
  int status;
  pid_t child;

  (void)fflush(stdout);
  if ((child = fork()) == 0) {
    uint64_t before = bytes_written();
    quad_store *store = open_store(path, &options);
    uint64_t bytes = commit(store, 0, commits, quads);
    if (close) check(quad_store_close(store, &err), &err);
    uint64_t wrote = bytes_written() - before;
    (void)printf("%-22s %8.1f MB for %.1f MB of N-Quads: %.2f bytes a byte\n",
                 close ? "written, closed" : "written, killed", (double)wrote * 1e-6,
                 (double)bytes * 1e-6, (double)wrote / (double)bytes);
    (void)fflush(stdout);
    _exit(0);
  }
  if (child < 0 || waitpid(child, &status, 0) < 0 || status) exit(1);
}

static void
measure_recovery(const char *path, uint64_t quads)
{
  static const quad_store_options options = {0}, reading = {.read_only = true};
  quoin_error err = QUOIN_ERROR_INIT;
  double cpu = cpu_seconds(), took;
  uint64_t start = base_clock_ns();
  quad_store *store = open_store(path, &reading);

  took = (double)(base_clock_ns() - start) * 1e-9;
  (void)printf("%-22s %8.3f s, CPU %.3f s: %.0f quads/s\n", "replay for reading", took,
               cpu_seconds() - cpu, (double)quads / took);
  check(quad_store_close(store, &err), &err);
  cpu = cpu_seconds();
  start = base_clock_ns();
  store = open_store(path, &options);
  took = (double)(base_clock_ns() - start) * 1e-9;
  (void)printf("%-22s %8.3f s, CPU %.3f s: %.0f quads/s\n", "recovery, checkpoint", took,
               cpu_seconds() - cpu, (double)quads / took);
  check(quad_store_close(store, &err), &err);
}

static void
print_times(const char *what, const times *t)
{
  (void)printf("%-22s %8.3f ms p50, %.3f ms p99, %.3f ms at most\n", what,
               (double)times_percentile(t, 0.5) * 1e-6, (double)times_percentile(t, 0.99) * 1e-6,
               (double)t->max * 1e-6);
}

static void
measure_refresh(const char *path, uint64_t commits, unsigned quads)
{
  static const quad_store_options options = {.durability = QUAD_SYNC_OFF},
                                  reading = {.read_only = true};
  static times nothing, hundred;
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store = open_store(path, &options), *reader = open_store(path, &reading);

  for (uint64_t i = 0; i < 200; i++) {
    uint64_t start;
    bool changed;
    (void)commit(store, commits + 100 * i, commits + 100 * (i + 1), quads);
    start = base_clock_ns();
    check(quad_store_refresh(&changed, reader, &err), &err);
    times_note(&hundred, base_clock_ns() - start);
    if (!changed) exit(1);
    start = base_clock_ns();
    check(quad_store_refresh(&changed, reader, &err), &err);
    times_note(&nothing, base_clock_ns() - start);
  }
  print_times("refresh, 100 commits", &hundred);
  print_times("refresh, nothing new", &nothing);
  check(quad_store_close(reader, &err), &err);
  check(quad_store_close(store, &err), &err);
}

static void
measure_first_answer(const char *path)
{
  static const quad_store_options reading = {.read_only = true};
  static times all;
  static const char subject[] = "http://example.org/thing/7";
  const rdf_term t = {RDF_IRI, {subject, sizeof subject - 1}, {NULL, 0}, {NULL, 0}};

  for (unsigned i = 0; i < 100; i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    quad_pattern p = {.scope = QUAD_DEFAULT};
    uint64_t start = base_clock_ns(), n;
    quad_store *store = open_store(path, &reading);
    quad_snapshot *s;
    check(quad_snapshot_acquire(&s, store, &err), &err);
    check(atom_find(&p.match.term[QUAD_S], quad_snapshot_atoms(s), &t, quad_snapshot_atom_mark(s),
                    &err),
          &err);
    check(quad_count(&n, s, &p, &err), &err);
    if (!n) exit(1);
    times_note(&all, base_clock_ns() - start);
    quad_snapshot_release(s);
    check(quad_store_close(store, &err), &err);
  }
  print_times("open and one lookup", &all);
}

int
main(int argc, char **argv)
{
  const char *under = NULL;
  uint64_t commits = 1000000;
  unsigned quads = 1;
  scratch dir;

  for (int i = 1; i < argc; i += 2) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(argv[i], "--dir") && *value) {
      under = value;
    } else if (!strcmp(argv[i], "--commits") && *value) {
      commits = strtoull(value, NULL, 10);
    } else if (!strcmp(argv[i], "--quads") && *value) {
      quads = (unsigned)strtoul(value, NULL, 10);
    } else {
      bool help = !strcmp(argv[i], "--help");
      (void)fputs(usage, help ? stdout : stderr);
      return help ? 0 : 2;
    }
  }
  scratch_make(&dir, under);
  (void)printf("%llu commits of %u\n", (unsigned long long)commits, quads);
  write_store(dir.path, commits, quads, true);
  measure_first_answer(dir.path);
  measure_refresh(dir.path, commits, quads);
  scratch_empty(dir.path);
  write_store(dir.path, commits, quads, false);
  measure_recovery(dir.path, commits * quads);
  scratch_remove(&dir);
  return 0;
}
