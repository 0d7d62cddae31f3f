/* bench/vector_memory.c - an index that is larger than the memory this process may have, searched:
 * bench/small-memory makes the store and sets the limit.
 *
 *   quoin-bench-vector-memory STORE PREDICATE-IRI QUERY.npy TRUTH.npy EF QUERIES
 *
 * The store is opened for reading. Each query is a call of its own on one thread; a name of a
 * subject ends with the number of its row. Prints tab-separated: milliseconds of opening,
 * recall@10, queries a second by the clock, p50 and p99 in ms, reads from the disk a query (page
 * faults), and in MiB what is resident at the end: of files, and memory of its own, the queries
 * included. */
#include <quoin/quoin.h>

#include "bench/npy.h"
#include "bench/times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { K = 10 };

static void
stop(const char *what, const char *detail)
{
  (void)fprintf(stderr, "error: %s: %s\n", what, detail);
  exit(1);
}

static void
check(quoin_status st, const quoin_error *err)
{
  if (st) stop("failed", err->message);
}

static uint64_t
clock_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static quoin_span
text(const char *s)
{
  return (quoin_span){s, strlen(s)};
}

/* Of the hits, how many are among the K nearest. */
static size_t
right(quoin_hits *hits, const int32_t *truth)
{
  quoin_error err = QUOIN_ERROR_INIT;
  size_t found = 0;

  for (size_t i = 0; i < quoin_hits_count(hits, 0); i++) {
    quoin_term term;
    char digits[24];
    check(quoin_hits_term(&term, hits, 0, i, &err), &err);
    size_t from = term.value.len;
    while (from && term.value.ptr[from - 1] >= '0' && term.value.ptr[from - 1] <= '9')
      from--;
    (void)snprintf(digits, sizeof digits, "%.*s", (int)(term.value.len - from),
                   term.value.ptr + from);
    for (size_t j = 0; j < K; j++)
      found += truth[j] == strtol(digits, NULL, 10);
  }
  return found;
}

/* A line of /proc/self/status in MiB; 0 where there is none. */
static double
resident(const char *name)
{
  char line[256];
  double kib = 0;
  FILE *in = fopen("/proc/self/status", "r");

  while (in && fgets(line, sizeof line, in))
    if (!strncmp(line, name, strlen(name))) kib = strtod(line + strlen(name) + 1, NULL);
  if (in) (void)fclose(in);
  return kib / 1024;
}

static long
reads(void)
{
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_majflt;
}

static size_t
ask_all(times *took, quoin_vectors *vectors, const npy *query, const npy *truth, size_t n,
        uint64_t ef)
{
  quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  size_t found = 0;

  search.k = K;
  search.ef = ef;
  search.threads = 1;
  for (size_t q = 0; q < n; q++) {
    quoin_hits *hits;
    uint64_t begin = clock_ns();
    check(quoin_vectors_search(&hits, vectors, query->f + q * query->columns, 1, &search, &err),
          &err);
    found += right(hits, truth->i + q * truth->columns);
    times_note(took, clock_ns() - begin);
    quoin_hits_close(hits);
  }
  return found;
}

int
main(int argc, char **argv)
{
  static times took;
  quoin_open_options open = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  quoin_vectors *vectors;

  if (argc != 7) stop("usage", "STORE PREDICATE-IRI QUERY.npy TRUTH.npy EF QUERIES");
  npy query = npy_load(argv[3]), truth = npy_load(argv[4]);
  size_t n = strtoul(argv[6], NULL, 10);
  if (!n || n > query.rows || n > truth.rows) stop("queries", "more than there are");
  uint64_t begin = clock_ns();
  open.mode = QUOIN_READ_ONLY;
  check(quoin_open(&store, argv[1], &open, &err), &err);
  check(quoin_vectors_open(&vectors, store, text(argv[2]), &err), &err);
  double opened = (double)(clock_ns() - begin) * 1e-6;
  if (quoin_vectors_dimension(vectors) != query.columns) stop("queries", "of another dimension");
  long before = reads();
  begin = clock_ns();
  size_t found = ask_all(&took, vectors, &query, &truth, n, strtoul(argv[5], NULL, 10));
  double seconds = (double)(clock_ns() - begin) * 1e-9;
  (void)printf("%.1f\t%.4f\t%.0f\t%.3f\t%.3f\t%.0f\t%.1f\t%.1f\n", opened,
               (double)found / (double)(n * K), (double)n / seconds,
               (double)times_percentile(&took, 0.5) * 1e-6,
               (double)times_percentile(&took, 0.99) * 1e-6, (double)(reads() - before) / (double)n,
               resident("RssFile"), resident("RssAnon"));
  quoin_vectors_close(vectors);
  quoin_close(store);
  npy_free(&query);
  npy_free(&truth);
  return 0;
}
