/* bench/vector_store.c - nearest neighbours in a store, through the public interface: what vector.c
 * measures of the graph alone, with what a store adds to it (snapshots, subjects, terms).
 *
 *   quoin-bench-vector-store BASE.npy QUERY.npy TRUTH.npy METRIC CODE DIR COMMAND...
 *
 * METRIC: cosine dot l2. CODE: f32 f16 i8 b1. The vectors are committed to a new store below DIR,
 * and all linked, before the first command: curve EF...       each query by a call of its own, on
 * one thread; 0: the effort by default batch N EF...     all queries in one call, by N threads
 *   reopen            close the store and open it again
 *   exact             every vector looked at
 * Each prints lines of tab-separated name, effort, recall@10, queries a second, p50 and p99 in
 * microseconds, and milliseconds of the whole pass. The rate of `curve` is by processor time, that
 * of `batch` by the clock. Subjects are read as terms within the time. */
#include <quoin/quoin.h>

#include "bench/npy.h"
#include "bench/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { K = 10, BATCH = 5000, PASSES = 3 };

#define PREDICATE "http://example.org/embedding"
#define SUBJECT "http://example.org/text/"

typedef struct bench {
  npy base, query, truth;
  scratch dir;
  quoin_store *store;
  quoin_vectors *vectors;
  quoin_error err;
} bench;

static void
stop(const char *what, const char *detail)
{
  (void)fprintf(stderr, "error: %s: %s\n", what, detail);
  exit(1);
}

static void
must(bench *b, quoin_status st)
{
  if (st < 0) stop("failed", b->err.message);
}

static quoin_span
text(const char *s)
{
  return (quoin_span){s, strlen(s)};
}

static double
seconds(clockid_t clock)
{
  struct timespec t;
  (void)clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
open_store(bench *b, bool create)
{
  quoin_open_options open = QUOIN_OPEN_OPTIONS_INIT;
  open.mode = create ? QUOIN_CREATE : QUOIN_READ_WRITE;
  open.durability = QUOIN_DURABILITY_OFF;
  must(b, quoin_open(&b->store, b->dir.path, &open, &b->err));
}

static void
load(bench *b, const char *metric, const char *code)
{
  char line[400];
  double start = seconds(CLOCK_MONOTONIC), added, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  open_store(b, true);
  (void)snprintf(line, sizeof line,
                 "PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> "
                 "{ <" PREDICATE "> a vec:Index ; vec:dimension %zu ; vec:metric vec:%sMetric ; "
                 "vec:storage vec:%sCode } }",
                 b->base.columns, metric, code);
  must(b, quoin_update(NULL, b->store, text(line), NULL, &b->err));
  for (size_t i = 0; i < b->base.rows;) {
    quoin_txn *txn;
    must(b, quoin_txn_begin(&txn, b->store, &b->err));
    for (size_t end = i + BATCH; i < end && i < b->base.rows; i++) {
      quoin_term subject = {.kind = QUOIN_TERM_IRI};
      (void)snprintf(line, sizeof line, SUBJECT "%zu", i);
      subject.value = text(line);
      must(b, quoin_txn_add_vector(txn, &subject, text(PREDICATE), NULL,
                                   b->base.f + i * b->base.columns, b->base.columns, &b->err));
    }
    must(b, quoin_txn_commit(NULL, NULL, txn, &b->err));
  }
  added = seconds(CLOCK_MONOTONIC);
  must(b, quoin_vectors_settle(b->store, NULL, &b->err));
  must(b, quoin_vectors_open(&b->vectors, b->store, text(PREDICATE), &b->err));
  printf("load\t%.3f s acknowledged\t%.3f s linked\t%.0f vectors/s of processor time\n",
         added - start, seconds(CLOCK_MONOTONIC) - start,
         (double)b->base.rows / (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu));
  (void)fflush(stdout);
}

static void
reopen(bench *b)
{
  quoin_vectors_close(b->vectors);
  quoin_close(b->store);
  double start = seconds(CLOCK_MONOTONIC);
  open_store(b, false);
  must(b, quoin_vectors_open(&b->vectors, b->store, text(PREDICATE), &b->err));
  printf("reopen\t%.3f ms\n", 1e3 * (seconds(CLOCK_MONOTONIC) - start));
}

/* Of the hits of one query, how many are right; the terms are read for it. */
static size_t
right(bench *b, quoin_hits *hits, size_t at, const int32_t *truth)
{
  size_t found = 0;
  for (size_t i = 0; i < quoin_hits_count(hits, at); i++) {
    quoin_term term;
    must(b, quoin_hits_term(&term, hits, at, i, &b->err));
    long row = 0; /* the text is not terminated */
    for (size_t c = sizeof SUBJECT - 1; c < term.value.len; c++)
      row = 10 * row + term.value.ptr[c] - '0';
    for (size_t j = 0; j < K; j++)
      found += truth[j] == row;
  }
  return found;
}

static int
by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* One pass over the queries, `n` in a call. */
static void
ask(bench *b, const char *name, size_t ef, size_t n, unsigned threads, bool exact)
{
  const size_t queries = b->query.rows, columns = b->query.columns;
  double *times = npy_room(queries, sizeof(double)), best = 0, p50 = 0, p99 = 0;
  size_t found = 0;
  quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
  search.ef = ef;
  search.k = K;
  search.threads = threads;
  search.exact = exact;
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  for (int pass = 0; pass < (exact ? 1 : PASSES); pass++) {
    const double start = seconds(clock);
    found = 0;
    for (size_t q = 0; q < queries; q += n) {
      const double begin = seconds(CLOCK_MONOTONIC);
      const size_t some = queries - q < n ? queries - q : n;
      quoin_hits *hits;
      must(b, quoin_vectors_search(&hits, b->vectors, b->query.f + q * columns, some, &search,
                                   &b->err));
      for (size_t i = 0; i < some; i++)
        found += right(b, hits, i, b->truth.i + (q + i) * b->truth.columns);
      quoin_hits_close(hits);
      times[q / n] = seconds(CLOCK_MONOTONIC) - begin;
    }
    const double took = seconds(clock) - start;
    if (pass && took >= best) continue;
    const size_t calls = (queries + n - 1) / n;
    qsort(times, calls, sizeof(double), by_size);
    p50 = 1e6 * times[calls / 2];
    p99 = 1e6 * times[calls * 99 / 100];
    best = took;
  }
  printf("%s\t%zu\t%.5f\t%.0f\t%.0f\t%.0f\t%.1f\n", name, ef, (double)found / (double)(queries * K),
         (double)queries / best, p50, p99, 1e3 * best);
  (void)fflush(stdout);
  free(times);
}

static bool
is_number(const char *s)
{
  return s && *s >= '0' && *s <= '9';
}

int
main(int argc, char **argv)
{
  bench b = {.err = QUOIN_ERROR_INIT};
  if (argc < 8) stop("usage", "BASE QUERY TRUTH METRIC CODE DIR COMMAND...");
  b.base = npy_load(argv[1]);
  b.query = npy_load(argv[2]);
  b.truth = npy_load(argv[3]);
  scratch_make(&b.dir, argv[6]);
  load(&b, argv[4], argv[5]);
  for (int i = 7; i < argc;) {
    const char *command = argv[i++];
    if (!strcmp(command, "curve")) {
      for (; is_number(argv[i]); i++)
        ask(&b, "curve", strtoul(argv[i], NULL, 10), 1, 1, false);
    } else if (!strcmp(command, "batch") && is_number(argv[i])) {
      const unsigned threads = (unsigned)strtoul(argv[i++], NULL, 10);
      for (; is_number(argv[i]); i++)
        ask(&b, "batch", strtoul(argv[i], NULL, 10), b.query.rows, threads, false);
    } else if (!strcmp(command, "reopen")) {
      reopen(&b);
    } else if (!strcmp(command, "exact")) {
      ask(&b, "exact", 0, 1, 1, true);
    } else {
      stop("unknown command", command);
    }
  }
  quoin_vectors_close(b.vectors);
  quoin_close(b.store);
  scratch_remove(&b.dir);
  npy_free(&b.base);
  npy_free(&b.query);
  npy_free(&b.truth);
  return 0;
}
