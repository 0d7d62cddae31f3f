/* bench/vector_store.c - nearest neighbours in a store, through the public interface: what vector.c
 * measures of the graph alone, with what a store adds to it (snapshots, subjects, terms).
 *
 *   quoin-bench-vector-store BASE.npy QUERY.npy TRUTH.npy METRIC CODE DIR COMMAND...
 *
 * METRIC: cosine dot l2. CODE: f32 f16 i8 b1. The vectors are committed to a new store below DIR,
 * and all linked, before the first command: curve EF...       each query by a call of its own, on
 * one thread; 0: the effort by default
 *   batch N EF...     all queries in one call, by N threads
 *   sparql EF...      each query as the text of a SPARQL query with vec:nearest, read, planned and
 *                     answered; subjects and distances read; on one thread
 *   filter BITS.npy RIGHT.npy N...
 *                     vectors whose byte is not 0 get a class, and SPARQL asks for the nearest of
 *                     that class: N queries in a text, bound by VALUES. RIGHT has the rows of the
 *                     nearest allowed ones. In place of the effort N is printed
 *   values N...       SPARQL asks for the exactly nearest of N queries in a text, bound by VALUES;
 *                     as filter
 *   reopen            close the store and open it again
 *   exact [N]         every vector looked at; N: so many queries in a call, on one thread
 *   txn N...          as sparql, in a transaction that has added N vectors, near to the others, and
 * removed 1,000 (0: that has changed nothing); the first two queries, which make codes of them, are
 * printed apart; right is what vec:exact finds there
 *   unlinked N        N vectors more, near to the others, which nothing links any more: by a store
 * that only reads, until the last command; a search by default. The first two queries make codes of
 * them: they are printed apart Each prints lines of tab-separated name, effort, recall@10, queries
 * a second, p50 and p99 in microseconds, and milliseconds of the whole pass. The rates of `curve`
 * and `sparql` are by processor time, that of `batch` by the clock. Subjects are read as terms
 * within the time. */
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
  quoin_txn *txn; /* that the queries are asked in; NULL: none */
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

static int32_t
row_of(quoin_span subject)
{
  int32_t row = 0; /* the text is not terminated */
  for (size_t c = sizeof SUBJECT - 1; c < subject.len; c++)
    row = 10 * row + subject.ptr[c] - '0';
  return row;
}

/* Is the subject one of the K nearest? */
static bool
is_right(quoin_span subject, const int32_t *truth)
{
  const int32_t row = row_of(subject);
  for (size_t j = 0; j < K; j++)
    if (truth[j] == row) return true;
  return false;
}

/* Of the hits of one query, how many are right; the terms are read for it. */
static size_t
right(bench *b, quoin_hits *hits, size_t at, const int32_t *truth)
{
  size_t found = 0;
  for (size_t i = 0; i < quoin_hits_count(hits, at); i++) {
    quoin_term term;
    must(b, quoin_hits_term(&term, hits, at, i, &b->err));
    found += is_right(term.value, truth);
  }
  return found;
}

/* How the queries are asked: `n` in a call, or each as SPARQL. */
typedef struct manner {
  const char *name;
  size_t ef, n;
  unsigned threads;
  bool exact, sparql;
} manner;

static size_t
by_call(bench *b, const manner *how, size_t q, size_t some)
{
  quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_hits *hits;
  size_t found = 0;
  search.ef = how->ef;
  search.k = K;
  search.threads = how->threads;
  search.exact = how->exact;
  must(b, quoin_vectors_search(&hits, b->vectors, b->query.f + q * b->query.columns, some, &search,
                               &b->err));
  for (size_t i = 0; i < some; i++)
    found += right(b, hits, i, b->truth.i + (q + i) * b->truth.columns);
  quoin_hits_close(hits);
  return found;
}

/* The floats in base 64, terminated; its length. */
static size_t
base64(char *out, const float *values, size_t n)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *in = (const unsigned char *)values;
  const size_t bytes = n * sizeof *values;
  size_t len = 0;
  for (size_t i = 0; i < bytes; i += 3) {
    const size_t left = bytes - i;
    const unsigned x = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
                       (left > 2 ? (unsigned)in[i + 2] : 0);
    out[len++] = digits[x >> 18];
    out[len++] = digits[x >> 12 & 63];
    out[len++] = '=';
    out[len++] = '=';
    if (left > 1) out[len - 2] = digits[x >> 6 & 63];
    if (left > 2) out[len - 1] = digits[x & 63];
  }
  out[len] = 0;
  return len;
}

/* The rows that are found, too, unless `rows` is NULL. */
static size_t
by_sparql(bench *b, const manner *how, size_t q, int32_t *rows)
{
  const size_t columns = b->query.columns;
  char *query = npy_room(600 + columns * 6, 1), effort[40] = "";
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor;
  quoin_status st;
  size_t found = 0;
  int at = snprintf(query, 400,
                    "PREFIX vec: <urn:x-quoin:vec#> SELECT ?text ?distance WHERE { (?text "
                    "?distance) vec:nearest (<" PREDICATE "> \"b64:");
  at += (int)base64(query + at, b->query.f + q * columns, columns);
  if (how->ef) (void)snprintf(effort, sizeof effort, " vec:ef %zu", how->ef);
  if (how->exact) (void)snprintf(effort, sizeof effort, " vec:exact true");
  (void)snprintf(query + at, 200, "\"^^vec:f32 %d%s) }", K, effort);
  options.threads = how->threads;
  must(b, b->txn ? quoin_txn_query(&cursor, b->txn, text(query), &options, &b->err)
                 : quoin_query(&cursor, b->store, text(query), &options, &b->err));
  while (!(st = quoin_cursor_next(cursor, &b->err))) {
    quoin_term subject;
    double distance;
    must(b, quoin_cursor_term(&subject, cursor, 0, &b->err));
    if (!quoin_cursor_double(&distance, cursor, 1)) stop("distance", "none");
    if (rows)
      *rows++ = row_of(subject.value);
    else
      found += is_right(subject.value, b->truth.i + q * b->truth.columns);
  }
  must(b, st);
  quoin_cursor_close(cursor);
  free(query);
  return found;
}

static int
by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* ---- filters ----------------------------------------------------------------------------------
 */

/* The class of the allowed ones; "": all are, and the nearest are found exactly. */
typedef struct filter {
  char class[64];
  npy right; /* a row a query; -1: there are no more */
  size_t n;  /* queries in a text */
} filter;

static void
allow(bench *b, filter *f, const char *bits_file)
{
  static const char type[] = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
  npy bits = npy_load(bits_file);
  quoin_txn *txn;
  char name[100];
  quoin_statement said = {.subject.kind = QUOIN_TERM_IRI,
                          .predicate = {.kind = QUOIN_TERM_IRI, .value = text(type)},
                          .object = {.kind = QUOIN_TERM_IRI, .value = text(f->class)}};
  if (!bits.b || bits.rows * bits.columns != b->base.rows) stop(bits_file, "not a byte a vector");
  must(b, quoin_txn_begin(&txn, b->store, &b->err));
  for (size_t i = 0; i < b->base.rows; i++) {
    if (!bits.b[i]) continue;
    (void)snprintf(name, sizeof name, SUBJECT "%zu", i);
    said.subject.value = text(name);
    must(b, quoin_txn_add(txn, &said, &b->err));
  }
  must(b, quoin_txn_commit(NULL, NULL, txn, &b->err));
  npy_free(&bits);
}

/* The queries [q, q + some), whose numbers come back with each row. */
static quoin_span
filter_text(char *out, const bench *b, const filter *f, size_t q, size_t some)
{
  const size_t columns = b->query.columns;
  size_t at = (size_t)snprintf(out, 400,
                               "PREFIX vec: <urn:x-quoin:vec#> SELECT ?n ?text ?distance "
                               "WHERE { VALUES (?n ?q) { ");
  for (size_t i = q; i < q + some; i++) {
    at += (size_t)snprintf(out + at, 60, "(%zu \"b64:", i);
    at += base64(out + at, b->query.f + i * columns, columns);
    at += (size_t)snprintf(out + at, 60, "\"^^vec:f32) ");
  }
  const bool all = !*f->class;
  at += (size_t)snprintf(
      out + at, 400, "} %s%s%s (?text ?distance) vec:nearest (<" PREDICATE "> ?q %d%s) }",
      all ? "" : "?text a <", f->class, all ? "" : "> .", K, all ? " vec:exact true" : "");
  return (quoin_span){out, at};
}

/* How many of the rows are right. */
static size_t
filter_call(bench *b, const filter *f, quoin_span query)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor;
  quoin_status st;
  size_t found = 0;
  options.threads = 1;
  must(b, quoin_query(&cursor, b->store, query, &options, &b->err));
  while (!(st = quoin_cursor_next(cursor, &b->err))) {
    quoin_term subject;
    double distance;
    int64_t n;
    must(b, quoin_cursor_term(&subject, cursor, 1, &b->err));
    if (!quoin_cursor_integer(&n, cursor, 0) || !quoin_cursor_double(&distance, cursor, 2))
      stop("row", "without its numbers");
    found += is_right(subject.value, f->right.i + (size_t)n * f->right.columns);
  }
  must(b, st);
  quoin_cursor_close(cursor);
  return found;
}

static size_t
count_right(const filter *f, size_t queries)
{
  size_t n = 0;
  for (size_t q = 0; q < queries; q++)
    for (size_t i = 0; i < K; i++)
      n += f->right.i[q * f->right.columns + i] >= 0;
  return n;
}

static void
ask_filtered(bench *b, const filter *f)
{
  const size_t queries = b->query.rows, calls = (queries + f->n - 1) / f->n;
  char *query = npy_room(1000 + f->n * (200 + b->query.columns * 6), 1);
  double *times = npy_room(calls, sizeof(double)), best = 0, p50 = 0, p99 = 0;
  size_t found = 0;
  for (int pass = 0; pass < PASSES; pass++) {
    const double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    found = 0;
    for (size_t q = 0; q < queries; q += f->n) {
      const double begin = seconds(CLOCK_MONOTONIC);
      const size_t some = queries - q < f->n ? queries - q : f->n;
      found += filter_call(b, f, filter_text(query, b, f, q, some));
      times[q / f->n] = seconds(CLOCK_MONOTONIC) - begin;
    }
    const double took = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    if (pass && took >= best) continue;
    qsort(times, calls, sizeof(double), by_size);
    p50 = 1e6 * times[calls / 2];
    p99 = 1e6 * times[calls * 99 / 100];
    best = took;
  }
  printf("%s\t%zu\t%.5f\t%.0f\t%.0f\t%.0f\t%.1f\n", *f->class ? "filter" : "values, exact", f->n,
         (double)found / (double)count_right(f, queries), (double)queries / best, p50, p99,
         1e3 * best);
  (void)fflush(stdout);
  free(times);
  free(query);
}

/* The best of some passes over the queries: others share the machine. */
static void
ask(bench *b, const manner *how)
{
  const size_t queries = b->query.rows, n = how->n ? how->n : 1;
  double *times = npy_room(queries, sizeof(double)), best = 0, p50 = 0, p99 = 0;
  size_t found = 0;
  const clockid_t clock = how->sparql         ? CLOCK_PROCESS_CPUTIME_ID
                          : how->threads == 1 ? CLOCK_THREAD_CPUTIME_ID
                                              : CLOCK_MONOTONIC;
  for (int pass = 0; pass < (how->exact ? 1 : PASSES); pass++) {
    const double start = seconds(clock);
    found = 0;
    for (size_t q = 0; q < queries; q += n) {
      const double begin = seconds(CLOCK_MONOTONIC);
      const size_t some = queries - q < n ? queries - q : n;
      found += how->sparql ? by_sparql(b, how, q, NULL) : by_call(b, how, q, some);
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
  printf("%s\t%zu\t%.5f\t%.0f\t%.0f\t%.0f\t%.1f\n", how->name, how->ef,
         (double)found / (double)(queries * K), (double)queries / best, p50, p99, 1e3 * best);
  (void)fflush(stdout);
  free(times);
}

/* Vectors from..to-1 beyond those there are, which differ from them in each number. */
static void
add_some(bench *b, quoin_txn *txn, size_t from, size_t to, uint32_t *random)
{
  const size_t columns = b->base.columns;
  float *values = npy_room(columns, sizeof(float));
  char name[100];
  for (size_t i = from; i < to; i++) {
    quoin_term subject = {.kind = QUOIN_TERM_IRI};
    const float *like = b->base.f + i % b->base.rows * columns;
    for (size_t c = 0; c < columns; c++) {
      *random = *random * 1664525u + 1013904223u;
      values[c] = like[c] * (0.75F + (float)(*random >> 8) * 0x1p-25F);
    }
    (void)snprintf(name, sizeof name, SUBJECT "%zu", b->base.rows + i);
    subject.value = text(name);
    must(b, quoin_txn_add_vector(txn, &subject, text(PREDICATE), NULL, values, columns, &b->err));
  }
  free(values);
}

static void
add_near(bench *b, size_t n)
{
  uint32_t random = 1;
  for (size_t i = 0; i < n; i += BATCH) {
    quoin_txn *txn;
    must(b, quoin_txn_begin(&txn, b->store, &b->err));
    add_some(b, txn, i, n - i < BATCH ? n : i + BATCH, &random);
    must(b, quoin_txn_commit(NULL, NULL, txn, &b->err));
  }
}

/* Every so-th of those there are. */
static void
remove_some(bench *b, size_t n)
{
  char line[200];
  for (size_t i = 0; i < n; i++) {
    (void)snprintf(line, sizeof line, "DELETE WHERE { <" SUBJECT "%zu> <" PREDICATE "> ?v }",
                   i * (b->base.rows / n));
    must(b, quoin_txn_update(b->txn, text(line), NULL, &b->err));
  }
}

static void
in_transaction(bench *b, size_t n)
{
  enum { REMOVED = 1000 };
  const manner how = {.name = "txn", .threads = 1, .sparql = true};
  const manner exactly = {.threads = 1, .exact = true};
  const npy truth = b->truth;
  uint32_t random = 1;
  must(b, quoin_txn_begin(&b->txn, b->store, &b->err));
  if (n) remove_some(b, REMOVED);
  add_some(b, b->txn, 0, n, &random);
  printf("txn\t%zu added, %d removed; first queries", n, n ? REMOVED : 0);
  for (size_t q = 0; q < 3; q++) {
    const double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    (void)by_sparql(b, &how, q, NULL);
    printf("\t%.3f ms", 1e3 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - start));
  }
  printf("\n");
  b->truth.columns = K;
  b->truth.i = npy_room(b->query.rows * K, sizeof(int32_t));
  for (size_t q = 0; q < b->query.rows; q++)
    (void)by_sparql(b, &exactly, q, b->truth.i + q * K);
  ask(b, &how);
  free(b->truth.i);
  b->truth = truth;
  quoin_txn_abort(b->txn);
  b->txn = NULL;
}

/* What is waiting when the store closes is not linked: a store that only reads leaves it so. */
static void
unlinked(bench *b, size_t n)
{
  quoin_open_options open = QUOIN_OPEN_OPTIONS_INIT;
  manner how = {.name = "unlinked", .threads = 1};
  add_near(b, n);
  quoin_vectors_close(b->vectors);
  quoin_close(b->store);
  open.mode = QUOIN_READ_ONLY;
  must(b, quoin_open(&b->store, b->dir.path, &open, &b->err));
  must(b, quoin_vectors_open(&b->vectors, b->store, text(PREDICATE), &b->err));
  printf("unlinked\t%zu added; first queries", n);
  for (size_t q = 0; q < 3; q++) {
    const double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    (void)by_call(b, &how, q, 1);
    printf("\t%.3f ms", 1e3 * (seconds(CLOCK_THREAD_CPUTIME_ID) - start));
  }
  printf("\n");
  ask(b, &how);
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
        ask(&b, &(manner){.name = "curve", .ef = strtoul(argv[i], NULL, 10), .threads = 1});
    } else if (!strcmp(command, "sparql")) {
      for (; is_number(argv[i]); i++)
        ask(&b,
            &(manner){
                .name = "sparql", .ef = strtoul(argv[i], NULL, 10), .threads = 1, .sparql = true});
    } else if (!strcmp(command, "batch") && is_number(argv[i])) {
      const unsigned threads = (unsigned)strtoul(argv[i++], NULL, 10);
      for (; is_number(argv[i]); i++)
        ask(&b, &(manner){.name = "batch",
                          .ef = strtoul(argv[i], NULL, 10),
                          .n = b.query.rows,
                          .threads = threads});
    } else if (!strcmp(command, "txn")) {
      for (; is_number(argv[i]); i++)
        in_transaction(&b, strtoul(argv[i], NULL, 10));
    } else if (!strcmp(command, "filter") && argv[i] && argv[i + 1]) {
      filter f = {.right = npy_load(argv[i + 1])};
      if (!f.right.i || f.right.rows != b.query.rows) stop(argv[i + 1], "not a row a query");
      (void)snprintf(f.class, sizeof f.class, "http://example.org/Allowed/%d", i);
      allow(&b, &f, argv[i]);
      for (i += 2; is_number(argv[i]); i++) {
        if ((f.n = strtoul(argv[i], NULL, 10)) < 1) stop(argv[i], "no queries");
        ask_filtered(&b, &f);
      }
      npy_free(&f.right);
    } else if (!strcmp(command, "values")) {
      for (; is_number(argv[i]); i++) {
        const filter f = {.right = b.truth, .n = strtoul(argv[i], NULL, 10)};
        if (f.n < 1) stop(argv[i], "no queries");
        ask_filtered(&b, &f);
      }
    } else if (!strcmp(command, "reopen")) {
      reopen(&b);
    } else if (!strcmp(command, "unlinked") && is_number(argv[i])) {
      unlinked(&b, strtoul(argv[i++], NULL, 10));
    } else if (!strcmp(command, "exact")) {
      const size_t n = is_number(argv[i]) ? strtoul(argv[i++], NULL, 10) : 1;
      ask(&b,
          &(manner){
              .name = n > 1 ? "exact, together" : "exact", .n = n, .threads = 1, .exact = true});
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
