/* bench/concurrency.c - queries by many threads and by many processes at once.
 *
 *   quoin-bench-concurrency [--seconds S] [--rounds R] [--counts 1,2,4,8,16] [--numbers N]
 *                           [--pace COMMITS] STORE QUERIES
 *
 * QUERIES: a line each, name TAB query; {N} becomes a random number below N (2000). Each worker
 * asks them in turn, all rows read, each query by one thread: as threads over one handle, then as
 * processes of which each opens the store for reading and refreshes ten times a second. Both
 * without a writer, and with one that commits ten quads PACE (100) times a second, each commit
 * synced; in another process when the readers are processes. The quads that it adds it takes away
 * again.
 *
 * All numbers of workers take turns, R rounds (5) of S seconds (1) each. Counted is what begins
 * after all workers have warmed up together (for as long as a quarter of S), up to the end.
 *
 * Prints a line each: what, workers, queries a second, queries for a second of processor time (of
 * both the median of the rounds), p50, p99 and the longest in ms, commits a second. The second rate
 * is what a busy machine leaves as it is. Promised: 16 workers on two cores do at least 90 % of
 * what the best number of them does. */
#include <quoin/quoin.h>

#include "bench/times.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, QUERIES_MAX = 32, COUNTS_MAX = 16, ROUNDS_MAX = 64, TEXT = 4096 };
enum { ADDED = 10 };

static const char prefixes[] = "PREFIX v: <http://shop.example/vocabulary/> "
                               "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> "
                               "PREFIX foaf: <http://xmlns.com/foaf/0.1/> "
                               "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> ";

/* Of one worker, in memory that all processes map. */
typedef struct worker {
  times t;
  uint64_t rows, cpu_ns;
  atomic_bool ready;
} worker;

typedef struct shared {
  worker w[WORKERS_MAX];
  _Atomic uint64_t commits;
  atomic_bool go, warm, stop, failed;
} shared;

typedef struct bench {
  const char *path;
  char *query[QUERIES_MAX];
  unsigned queries, numbers, rounds;
  double seconds, pace;
  shared *s;
} bench;

typedef struct task {
  const bench *b;
  quoin_store *store;
  unsigned number;
  bool refresh;
  pthread_t thread;
} task;

static uint64_t
now_ns(clockid_t clock)
{
  struct timespec t;
  (void)clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void
nap_ns(uint64_t ns)
{
  struct timespec t = {(time_t)(ns / UINT64_C(1000000000)), (long)(ns % UINT64_C(1000000000))};
  (void)nanosleep(&t, NULL);
}

static void
check(const bench *b, quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s: %s\n", quoin_status_name(st), err->message);
  atomic_store(&b->s->failed, true);
  exit(1);
}

/* ---- reading --------------------------------------------------------------------------------- */

static uint64_t
mix(uint64_t x)
{
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

/* The query with the number in the place of each {N}. */
static void
fill(char out[TEXT], const char *query, unsigned number)
{
  size_t len = (size_t)snprintf(out, TEXT, "%s", prefixes);
  for (const char *at = query, *next; *at && len < TEXT - 16; at = next) {
    const char *place = strstr(at, "{N}");
    size_t plain = place ? (size_t)(place - at) : strlen(at);
    if (plain > TEXT - 16 - len) plain = TEXT - 16 - len;
    memcpy(out + len, at, plain);
    len += plain;
    if (place) len += (size_t)snprintf(out + len, TEXT - len, "%u", number);
    next = place ? place + 3 : at + plain;
  }
  out[len] = 0;
}

static uint64_t
ask(const bench *b, quoin_store *store, const char *text)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor;
  quoin_batch batch;
  uint64_t rows = 0;
  quoin_status st;

  options.threads = 1;
  check(b, quoin_query(&cursor, store, (quoin_span){text, strlen(text)}, &options, &err), &err);
  while (!(st = quoin_cursor_batch(&batch, cursor, &err)))
    rows += batch.rows;
  if (st != QUOIN_DONE) check(b, st, &err);
  quoin_cursor_close(cursor);
  return rows;
}

static void *
work(void *user)
{
  task *t = user;
  const bench *b = t->b;
  worker *w = &b->s->w[t->number];
  uint64_t seed = mix(t->number), refreshed = 0;
  quoin_error err = QUOIN_ERROR_INIT;
  char text[TEXT];

  atomic_store(&w->ready, true);
  while (!atomic_load(&b->s->go))
    nap_ns(100000);
  uint64_t cpu = 0;
  for (unsigned i = t->number; !atomic_load(&b->s->stop); i++) {
    uint64_t start = now_ns(CLOCK_MONOTONIC);
    bool counts = atomic_load(&b->s->warm);
    if (counts && !cpu) cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
    if (t->refresh && start - refreshed > 100000000) {
      quoin_status st = quoin_store_refresh(NULL, t->store, &err);
      if (st != QUOIN_ERR_BUSY) check(b, st, &err);
      refreshed = start;
    }
    fill(text, b->query[i % b->queries], (unsigned)(mix(seed++) % b->numbers));
    w->rows += ask(b, t->store, text);
    if (counts) times_note(&w->t, now_ns(CLOCK_MONOTONIC) - start);
  }
  if (cpu) w->cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
  return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Quads of commit `n`, added; those of the commit two before are taken away. */
static void
commit(const bench *b, quoin_store *store, uint64_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn;

  check(b, quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned i = 0; i < 2 * ADDED; i++) {
    char subject[80], object[80];
    bool remove = i >= ADDED;
    uint64_t of = remove ? n - 2 : n;
    quoin_statement s = {.subject.kind = QUOIN_TERM_IRI,
                         .predicate.kind = QUOIN_TERM_IRI,
                         .object.kind = QUOIN_TERM_LITERAL};
    if (remove && n < 2) break;
    (void)snprintf(subject, sizeof subject, "http://shop.example/offer/%" PRIu64,
                   of * ADDED + i % ADDED);
    (void)snprintf(object, sizeof object, "note %" PRIu64, of % 100);
    s.subject.value = (quoin_span){subject, strlen(subject)};
    s.predicate.value = (quoin_span){"http://shop.example/vocabulary/note", 35};
    s.object.value = (quoin_span){object, strlen(object)};
    check(b, remove ? quoin_txn_remove(txn, &s, &err) : quoin_txn_add(txn, &s, &err), &err);
  }
  check(b, quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static void *
write_paced(void *user)
{
  const task *t = user;
  const bench *b = t->b;
  uint64_t step = (uint64_t)(1e9 / b->pace), next = now_ns(CLOCK_MONOTONIC);

  for (uint64_t n = 0; !atomic_load(&b->s->stop); n++) {
    commit(b, t->store, n);
    atomic_fetch_add(&b->s->commits, 1);
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    next = next + step < now ? now : next + step;
    if (next > now) nap_ns(next - now);
  }
  return NULL;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static quoin_store *
open_store(const bench *b, quoin_mode mode)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;

  options.mode = mode;
  check(b, quoin_open(&store, b->path, &options, &err), &err);
  return store;
}

/* All are ready: go, and once warm for so long; *seconds that it took. */
static void
time_it(const bench *b, unsigned workers, double *seconds)
{
  for (unsigned i = 0; i < workers; i++)
    while (!atomic_load(&b->s->w[i].ready) && !atomic_load(&b->s->failed))
      nap_ns(1000000);
  atomic_store(&b->s->go, true);
  nap_ns((uint64_t)(b->seconds * 0.25e9));
  uint64_t start = now_ns(CLOCK_MONOTONIC), commits = atomic_load(&b->s->commits);
  atomic_store(&b->s->warm, true);
  nap_ns((uint64_t)(b->seconds * 1e9));
  atomic_store(&b->s->stop, true);
  *seconds = (double)(now_ns(CLOCK_MONOTONIC) - start) * 1e-9;
  atomic_fetch_sub(&b->s->commits, commits);
}

static double
run_threads(const bench *b, unsigned workers, bool writer)
{
  static task t[WORKERS_MAX + 1];
  quoin_store *store = open_store(b, QUOIN_READ_WRITE);
  double seconds;

  for (unsigned i = 0; i < workers + writer; i++) {
    t[i] = (task){.b = b, .store = store, .number = i};
    if (pthread_create(&t[i].thread, NULL, i < workers ? work : write_paced, &t[i])) exit(1);
  }
  time_it(b, workers, &seconds);
  for (unsigned i = 0; i < workers + writer; i++)
    (void)pthread_join(t[i].thread, NULL);
  quoin_close(store);
  return seconds;
}

static double
run_processes(const bench *b, unsigned workers, bool writer)
{
  pid_t child[WORKERS_MAX + 1];
  double seconds;

  for (unsigned i = 0; i < workers + writer; i++) {
    if ((child[i] = fork()) < 0) exit(1);
    if (child[i]) continue;
    bool reads = i < workers;
    task t = {.b = b, .number = i, .refresh = reads};
    t.store = open_store(b, reads ? QUOIN_READ_ONLY : QUOIN_READ_WRITE);
    (void)(reads ? work : write_paced)(&t);
    quoin_close(t.store);
    _exit(0);
  }
  time_it(b, workers, &seconds);
  for (unsigned i = 0; i < workers + writer; i++)
    (void)waitpid(child[i], NULL, 0);
  return seconds;
}

/* All rounds of one number of workers. */
typedef struct result {
  times t;
  double rate[ROUNDS_MAX], by_cpu[ROUNDS_MAX];
  double commits; /* a second, of all rounds together */
} result;

static void
run(result *r, unsigned round, const bench *b, bool processes, unsigned workers, bool writer)
{
  times all = {0};
  uint64_t cpu = 0;

  memset(b->s, 0, sizeof *b->s);
  (void)fflush(stdout);
  double seconds = (processes ? run_processes : run_threads)(b, workers, writer);
  if (atomic_load(&b->s->failed)) exit(1);
  for (unsigned i = 0; i < workers; i++) {
    times_add(&all, &b->s->w[i].t);
    cpu += b->s->w[i].cpu_ns;
  }
  r->rate[round] = (double)all.n / seconds;
  r->by_cpu[round] = cpu ? (double)all.n / ((double)cpu * 1e-9) : 0;
  r->commits += (double)atomic_load(&b->s->commits) / seconds / b->rounds;
  times_add(&r->t, &all);
}

static int
compare_rates(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double
median(double *rates, unsigned n)
{
  qsort(rates, n, sizeof *rates, compare_rates);
  return (rates[(n - 1) / 2] + rates[n / 2]) / 2;
}

static void
run_all(const bench *b, bool processes, bool writer, const unsigned *counts, unsigned n)
{
  static result all[COUNTS_MAX];
  double best = 0, best_cpu = 0, last = 0, last_cpu = 0;
  char what[64];

  memset(all, 0, sizeof all);
  for (unsigned round = 0; round < b->rounds; round++)
    for (unsigned i = 0; i < n; i++)
      run(&all[i], round, b, processes, counts[i], writer);
  (void)snprintf(what, sizeof what, "%s%s", processes ? "processes" : "threads",
                 writer ? ", a writer" : "");
  for (unsigned i = 0; i < n; i++) {
    result *r = &all[i];
    last = median(r->rate, b->rounds);
    last_cpu = median(r->by_cpu, b->rounds);
    if (last > best) best = last;
    if (last_cpu > best_cpu) best_cpu = last_cpu;
    (void)printf("%-22s %4u %10.0f %12.0f %9.3f %9.3f %9.1f %10.1f\n", what, counts[i], last,
                 last_cpu, (double)times_percentile(&r->t, 0.5) * 1e-6,
                 (double)times_percentile(&r->t, 0.99) * 1e-6, (double)r->t.max * 1e-6, r->commits);
  }
  (void)printf("  with %u: %.1f %% of the best; by processor time %.1f %%\n", counts[n - 1],
               100 * last / best, 100 * last_cpu / best_cpu);
}

static void
read_queries(bench *b, const char *path)
{
  FILE *f = fopen(path, "r");
  char line[TEXT];

  if (!f) {
    perror(path);
    exit(1);
  }
  while (b->queries < QUERIES_MAX && fgets(line, sizeof line, f)) {
    char *tab = strchr(line, '\t');
    line[strcspn(line, "\n")] = 0;
    if (tab && !(b->query[b->queries++] = strdup(tab + 1))) exit(1);
  }
  (void)fclose(f);
  if (!b->queries) exit(1);
}

static unsigned
read_counts(unsigned out[COUNTS_MAX], const char *text)
{
  unsigned n = 0;
  for (const char *at = text; n < COUNTS_MAX && *at; at += *at == ',') {
    char *end;
    unsigned long count = strtoul(at, &end, 10);
    if (end == at || !count || count > WORKERS_MAX) return 0;
    out[n++] = (unsigned)count;
    at = end;
  }
  return n;
}

int
main(int argc, char **argv)
{
  bench b = {.seconds = 1, .rounds = 5, .pace = 100, .numbers = 2000};
  unsigned counts[COUNTS_MAX], n = read_counts(counts, "1,2,4,8,16");
  int at = 1;

  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    if (!strcmp(argv[at], "--seconds")) b.seconds = strtod(argv[at + 1], NULL);
    if (!strcmp(argv[at], "--rounds")) b.rounds = (unsigned)strtoul(argv[at + 1], NULL, 10);
    if (!strcmp(argv[at], "--pace")) b.pace = strtod(argv[at + 1], NULL);
    if (!strcmp(argv[at], "--numbers")) b.numbers = (unsigned)strtoul(argv[at + 1], NULL, 10);
    if (!strcmp(argv[at], "--counts")) n = read_counts(counts, argv[at + 1]);
  }
  b.s = mmap(NULL, sizeof *b.s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (argc != at + 2 || !n || !b.numbers || !(b.seconds > 0) || !(b.pace > 0) || !b.rounds ||
      b.rounds > ROUNDS_MAX || b.s == MAP_FAILED) {
    (void)fputs("usage: quoin-bench-concurrency [--seconds S] [--rounds R] [--counts 1,2,4,8,16] "
                "[--numbers N] [--pace COMMITS] STORE QUERIES\n",
                stderr);
    return 2;
  }
  b.path = argv[at];
  read_queries(&b, argv[at + 1]);
  (void)printf("%-22s %4s %10s %12s %9s %9s %9s %10s\n", "", "n", "queries/s", "per CPU s",
               "p50 ms", "p99 ms", "max ms", "commits/s");
  for (unsigned k = 0; k < 4; k++)
    run_all(&b, k / 2, k % 2, counts, n);
  return 0;
}
