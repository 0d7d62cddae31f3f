/* bench/vector_writes.c - vectors written by many threads, beside searches and in batches, through
 * the public interface: promises C6, N5, O7 and O8.
 *
 *   quoin-bench-vector-writes [options] BASE.npy QUERY.npy COMMAND...
 *
 * BASE, QUERY: float32 or float16. Where more vectors are asked for than BASE has, its rows come
 * again with noise (cosine to the row about 0.97). Commands, each on a store of its own, each
 * printing lines of tab-separated figures below a line that names them:
 *   writes   all vectors committed in batches, for each batch and durability: the rate at which
 *            they are acknowledged, and the rate until all are in the graph as well
 *   mixed    half of the vectors lie in the graph; threads search or commit one more, as drawn;
 *            and of the longest search and commit what its thread did meanwhile
 *   latency  commits of one vector (--batch), as many a second as --rate says: those of the first
 *            tenth and of the last
 *   batch    the queries at once, by one thread and by two, over half of the vectors
 *   singles  one thread, commits of one vector and of 10,000
 * What was acknowledged is counted and searched for afterwards; what is missing ends the program.
 */
#include <quoin/quoin.h>

#include "bench/npy.h"
#include "bench/scratch.h"
#include "bench/times.h"
#include "bench/waits.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 64, PASSES = 5, PROBES = 50, BIG = 10000 };

#define PREDICATE "http://example.org/embedding"

static const char usage[] =
    "usage: quoin-bench-vector-writes [options] BASE.npy QUERY.npy COMMAND...\n"
    "COMMAND: writes, mixed, latency, batch or singles\n"
    "  --threads N     of writes and mixed (16)\n"
    "  --vectors N     (100000)\n"
    "  --batch B       vectors a commit (1, 100 and 1000)\n"
    "  --durability D  full, relaxed or off (writes: each; else full)\n"
    "  --reads SHARE   of mixed (0.9)\n"
    "  --rate R        latency: vectors a second (as many as go)\n"
    "  --seconds S     of mixed and singles, and at most of a burst (10)\n"
    "  --no-settle     writes: do not wait for the graph\n"
    "  --series FILE   milliseconds of each commit and search of the last run, for bench/plot.py\n"
    "  --dir DIR       where stores are made (.)\n";

static const char *const names[] = {"full", "relaxed", "off"};

typedef struct options {
  unsigned threads, batch; /* batch 0: each */
  size_t vectors;
  int durability; /* -1: each */
  double reads, seconds, rate;
  bool settle;
  const char *series, *dir;
} options;

/* What all commands work on. */
typedef struct input {
  options o;
  npy base, query;
  float *rows; /* o.vectors of them */
} input;

typedef struct sample {
  uint64_t end, took;
  bool search;
} sample;

/* A run: its threads take vectors in turn until none is left or the time is over. */
typedef struct run {
  const input *in;
  quoin_store *store;
  quoin_vectors *vectors;
  _Atomic size_t next;
  size_t end, batch;
  double reads, rate; /* rate: vectors a second, 0: as many as go */
  uint64_t start, until;
} run;

typedef struct worker {
  run *of;
  uint64_t seed, acknowledged;
  times commit, search, tenth[10]; /* tenth: commits by how many vectors went before */
  waits longest[2];                /* of its commits, of its searches */
  sample *samples;
  size_t n_samples, room;
} worker;

/* What the threads of a run did together. */
typedef struct outcome {
  double seconds, cpu; /* cpu: of the whole process meanwhile, what links included */
  uint64_t acknowledged;
  times commit, search, tenth[10];
  waits longest[2];
} outcome;

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

static quoin_span
text(const char *s)
{
  return (quoin_span){s, strlen(s)};
}

/* By the clock of waits_now(). */
static uint64_t
clock_ns(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
draw(uint64_t *seed)
{
  uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

/* In [0, 1). */
static double
draw_share(uint64_t *seed)
{
  return (double)(draw(seed) >> 11) * 0x1p-53;
}

/* Processor time of all threads. */
static double
cpu_now(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
load_now(void)
{
  double load[1] = {0};

  return getloadavg(load, 1) == 1 ? load[0] : 0;
}

/* The rows of BASE, then rows of it with noise of 0.22 of their length. */
static void
make_rows(input *in)
{
  size_t dims = in->base.columns;
  uint64_t seed = 1;

  in->rows = npy_room(in->o.vectors, dims * sizeof(float));
  for (size_t i = 0; i < in->o.vectors; i++) {
    const float *from = in->base.f + i % in->base.rows * dims;
    float *to = in->rows + i * dims, length = 0;
    for (size_t j = 0; j < dims; j++)
      length += from[j] * from[j];
    /* Uniform in (-a, a) has a variance of a * a / 3. */
    float a = i < in->base.rows ? 0 : 0.22f * sqrtf(3 * length / (float)dims);
    for (size_t j = 0; j < dims; j++)
      to[j] = a > 0 ? from[j] + a * (float)(2 * draw_share(&seed) - 1) : from[j];
  }
}

static void
run_open(run *r, const input *in, const char *path, quoin_durability durability)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options open = QUOIN_OPEN_OPTIONS_INIT;
  char declaration[256];

  memset(r, 0, sizeof *r);
  r->in = in;
  open.mode = QUOIN_CREATE;
  open.durability = durability;
  check(quoin_open(&r->store, path, &open, &err), &err);
  (void)snprintf(declaration, sizeof declaration,
                 "PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> "
                 "{ <" PREDICATE "> a vec:Index ; vec:dimension %zu } }",
                 in->base.columns);
  check(quoin_update(NULL, r->store, text(declaration), NULL, &err), &err);
  check(quoin_vectors_open(&r->vectors, r->store, text(PREDICATE), &err), &err);
}

static void
run_close(run *r, const char *path)
{
  quoin_vectors_close(r->vectors);
  quoin_close(r->store);
  scratch_empty(path);
}

static void
put(run *r, size_t from, size_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  size_t dims = r->in->base.columns;
  quoin_txn *txn;
  char name[64];

  check(quoin_txn_begin(&txn, r->store, &err), &err);
  for (size_t i = from; i < to; i++) {
    quoin_term subject = {.kind = QUOIN_TERM_IRI};
    (void)snprintf(name, sizeof name, "http://example.org/text/%zu", i);
    subject.value = text(name);
    check(quoin_txn_add_vector(txn, &subject, text(PREDICATE), NULL, r->in->rows + i * dims, dims,
                               &err),
          &err);
  }
  check(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

static void
seek(run *r, const float *near, double *distance)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_hits *hits;

  search.threads = 1;
  check(quoin_vectors_search(&hits, r->vectors, near, 1, &search, &err), &err);
  if (distance) *distance = quoin_hits_distance(hits, 0, 0);
  quoin_hits_close(hits);
}

/* How long it took. */
static uint64_t
note(worker *w, const waits *begin, int *file, bool search)
{
  waits end = waits_now(file), took = waits_between(begin, &end);

  times_note(search ? &w->search : &w->commit, took.wall);
  if (took.wall > w->longest[search].wall) w->longest[search] = took;
  if (!w->of->in->o.series) return took.wall;
  if (w->n_samples == w->room) {
    w->room = w->room ? 2 * w->room : 4096;
    w->samples = realloc(w->samples, w->room * sizeof *w->samples);
    if (!w->samples) stop("memory", "none");
  }
  w->samples[w->n_samples++] = (sample){end.wall - w->of->start, took.wall, search};
  return took.wall;
}

/* Until the vectors before `from` have had their time. */
static void
keep_pace(const run *r, size_t from)
{
  if (r->rate <= 0) return;
  uint64_t due = r->start + (uint64_t)((double)from / r->rate * 1e9), now = clock_ns();
  if (due <= now) return;
  const struct timespec t = {(time_t)((due - now) / 1000000000u),
                             (long)((due - now) % 1000000000u)};
  (void)nanosleep(&t, NULL);
}

static void *
work(void *user)
{
  worker *w = user;
  run *r = w->of;
  const npy *query = &r->in->query;
  int file = -1;

  for (waits begin; (begin = waits_now(&file)).wall < r->until;) {
    if (r->reads > 0 && draw_share(&w->seed) < r->reads) {
      seek(r, query->f + draw(&w->seed) % query->rows * query->columns, NULL);
      note(w, &begin, &file, true);
      continue;
    }
    size_t from = atomic_fetch_add(&r->next, r->batch), left;
    if (from >= r->end) break;
    left = r->end - from;
    if (r->rate > 0) {
      keep_pace(r, from);
      begin = waits_now(&file);
    }
    put(r, from, from + (left < r->batch ? left : r->batch));
    w->acknowledged += left < r->batch ? left : r->batch;
    times_note(&w->tenth[from * 10 / r->in->o.vectors], note(w, &begin, &file, false));
  }
  if (file >= 0) (void)close(file);
  return NULL;
}

/* Milliseconds of each commit and search by the seconds at which it ended. */
static void
write_series(const char *path, const worker *w, unsigned threads)
{
  FILE *out = fopen(path, "w");

  if (!out) stop("cannot write", path);
  (void)fputs("seconds\tcommit, ms\tsearch, ms\n", out);
  for (unsigned i = 0; i < threads; i++)
    for (size_t at = 0; at < w[i].n_samples; at++) {
      const sample *s = &w[i].samples[at];
      (void)fprintf(out, "%.6f\t%s%.6f%s\n", (double)s->end * 1e-9, s->search ? "\t" : "",
                    (double)s->took * 1e-6, s->search ? "" : "\t");
    }
  if (fclose(out)) stop("cannot write", path);
}

/* Vectors [from, to) by this many threads, until they are written or the seconds are over. */
static void
go(outcome *out, run *r, unsigned threads, size_t from, size_t to, double seconds)
{
  static worker w[THREADS_MAX];
  pthread_t id[THREADS_MAX];

  memset(w, 0, sizeof w);
  memset(out, 0, sizeof *out);
  r->next = from;
  r->end = to;
  double cpu = cpu_now();
  r->start = clock_ns();
  r->until = r->start + (uint64_t)(seconds * 1e9);
  for (unsigned i = 0; i < threads; i++) {
    w[i].of = r;
    w[i].seed = i + 1;
    if (pthread_create(&id[i], NULL, work, &w[i])) stop("thread", "not started");
  }
  for (unsigned i = 0; i < threads; i++) {
    (void)pthread_join(id[i], NULL);
    out->acknowledged += w[i].acknowledged;
    times_add(&out->commit, &w[i].commit);
    times_add(&out->search, &w[i].search);
    for (unsigned k = 0; k < 10; k++)
      times_add(&out->tenth[k], &w[i].tenth[k]);
    for (unsigned k = 0; k < 2; k++)
      if (w[i].longest[k].wall > out->longest[k].wall) out->longest[k] = w[i].longest[k];
  }
  out->seconds = (double)(clock_ns() - r->start) * 1e-9;
  out->cpu = cpu_now() - cpu;
  if (r->in->o.series) write_series(r->in->o.series, w, threads);
  for (unsigned i = 0; i < threads; i++)
    free(w[i].samples);
}

/* All of the first `n` are there: some of them are found, and counted when all are in the graph. */
static void
verify(run *r, uint64_t n, bool settled)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  size_t dims = r->in->base.columns;
  unsigned missed = 0;
  uint64_t seed = n;
  double distance;
  char what[160];

  check(quoin_vectors_check(&report, r->vectors, false, NULL, &err), &err);
  for (unsigned i = 0; i < PROBES; i++) {
    seek(r, r->in->rows + draw(&seed) % n * dims, &distance);
    missed += !(distance < 1e-4);
  }
  (void)snprintf(what, sizeof what,
                 "%llu of %llu vectors, %llu unreachable, %u of %d not their own nearest",
                 (unsigned long long)report.nodes, (unsigned long long)n,
                 (unsigned long long)report.unreachable, missed, PROBES);
  if ((settled && report.nodes != n) || report.unreachable || missed > PROBES / 50)
    stop("wrong", what);
}

static double
settle(run *r)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t begin = clock_ns();

  check(quoin_vectors_settle(r->store, NULL, &err), &err);
  return (double)(clock_ns() - begin) * 1e-9;
}

static void
print_times(const times *t)
{
  (void)printf("\t%.3f\t%.3f\t%.3f", (double)times_percentile(t, 0.5) * 1e-6,
               (double)times_percentile(t, 0.99) * 1e-6, (double)t->max * 1e-6);
}

/* What the thread of the longest operation did in it. */
static void
print_longest(const char *what, const waits *w)
{
  double blocked = (double)w->wall - (double)w->ran - (double)w->queued;

  (void)printf("longest\t%s\t%.3f ms: ran %.3f, waited for a core %.3f, blocked %.3f; %ld reads\n",
               what, (double)w->wall * 1e-6, (double)w->ran * 1e-6, (double)w->queued * 1e-6,
               blocked > 0 ? blocked * 1e-6 : 0, w->reads);
}

static void
one_burst(const input *in, quoin_durability durability, unsigned batch)
{
  const options *o = &in->o;
  scratch dir;
  outcome out;
  run r;

  scratch_make(&dir, o->dir);
  run_open(&r, in, dir.path, durability);
  r.batch = batch;
  double load = load_now();
  go(&out, &r, o->threads, 0, o->vectors, o->seconds);
  double linked = o->settle ? settle(&r) : 0;
  (void)printf("writes\t%.1f\t%s\t%u\t%u\t%llu\t%.0f", load, names[durability], o->threads, batch,
               (unsigned long long)out.acknowledged, (double)out.acknowledged / out.seconds);
  print_times(&out.commit);
  (void)printf("\t%.2f", 1e6 * out.cpu / (double)out.acknowledged);
  if (o->settle)
    (void)printf("\t%.2f\t%.0f\n", linked, (double)out.acknowledged / (out.seconds + linked));
  else
    (void)puts("\t\t");
  (void)fflush(stdout);
  verify(&r, out.acknowledged, o->settle);
  run_close(&r, dir.path);
  scratch_remove(&dir);
}

static void
writes(const input *in)
{
  static const unsigned batches[] = {1, 100, 1000};

  (void)puts(
      "command\tload\tsync\tthreads\tbatch\tvectors\tacknowledged/s\tp50 ms\tp99 ms\tmax ms\t"
      "processor us/vector\tlinked s later\tsustained/s");
  for (int d = QUOIN_DURABILITY_FULL; d <= QUOIN_DURABILITY_OFF; d++)
    for (size_t b = 0; b < 3; b++) {
      if (in->o.durability >= 0 && d != in->o.durability) continue;
      if (in->o.batch && b) continue;
      one_burst(in, (quoin_durability)d, in->o.batch ? in->o.batch : batches[b]);
    }
}

static quoin_durability
durability_of(const input *in)
{
  return in->o.durability < 0 ? QUOIN_DURABILITY_FULL : (quoin_durability)in->o.durability;
}

/* A store with half of the vectors, all in the graph. */
static void
fill(run *r, const input *in, const char *path)
{
  outcome out;

  run_open(r, in, path, durability_of(in));
  r->batch = 1000;
  go(&out, r, 2, 0, in->o.vectors / 2, 3600);
  (void)settle(r);
}

static void
mixed(const input *in)
{
  const options *o = &in->o;
  scratch dir;
  outcome out;
  run r;

  (void)puts("command\tload\tsync\tthreads\treads\tvectors\tsearches/s\tp50 ms\tp99 ms\tmax ms\t"
             "commits/s\tp50 ms\tp99 ms\tmax ms");
  scratch_make(&dir, o->dir);
  fill(&r, in, dir.path);
  r.batch = 1;
  /* Searches alone, then both. */
  for (unsigned both = 0; both < 2; both++) {
    double load = load_now();
    r.reads = both ? o->reads : 1;
    go(&out, &r, o->threads, o->vectors / 2, o->vectors, o->seconds);
    (void)printf("mixed\t%.1f\t%s\t%u\t%.2f\t%llu\t%.0f", load, names[durability_of(in)],
                 o->threads, r.reads, (unsigned long long)(o->vectors / 2 + out.acknowledged),
                 (double)out.search.n / out.seconds);
    print_times(&out.search);
    (void)printf("\t%.0f", (double)out.commit.n / out.seconds);
    print_times(&out.commit);
    (void)puts("");
    print_longest("search", &out.longest[1]);
    if (both) print_longest("commit", &out.longest[0]);
    (void)fflush(stdout);
  }
  (void)settle(&r);
  verify(&r, o->vectors / 2 + out.acknowledged, true);
  run_close(&r, dir.path);
  scratch_remove(&dir);
}

/* What is in a store must not make commits slower. */
static void
latency(const input *in)
{
  const options *o = &in->o;
  static outcome out;
  scratch dir;
  run r;

  (void)puts("command\tload\tsync\tthreads\tbatch\tvectors\tcommits/s\tp50 ms\tp99 ms\tmax ms\t"
             "p99 times that of the first");
  scratch_make(&dir, o->dir);
  run_open(&r, in, dir.path, durability_of(in));
  r.batch = o->batch ? o->batch : 1;
  r.rate = o->rate;
  double load = load_now();
  go(&out, &r, o->threads, 0, o->vectors, 3600);
  for (size_t i = 0; i < 10; i++) {
    const times *t = &out.tenth[i];
    (void)printf("latency\t%.1f\t%s\t%u\t%zu\t%zu\t%.0f", load, names[durability_of(in)],
                 o->threads, r.batch, o->vectors * (i + 1) / 10,
                 (double)out.commit.n / out.seconds);
    print_times(t);
    (void)printf("\t%.2f\n",
                 (double)times_percentile(t, 0.99) / (double)times_percentile(&out.tenth[0], 0.99));
  }
  print_longest("commit", &out.longest[0]);
  (void)fflush(stdout);
  (void)settle(&r);
  verify(&r, o->vectors, true);
  run_close(&r, dir.path);
  scratch_remove(&dir);
}

static void
batch(const input *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  double best[2] = {HUGE_VAL, HUGE_VAL};
  scratch dir;
  run r;

  (void)puts("command\tload\tthreads\tvectors\tqueries\tms\tqueries/s\ttimes one thread");
  scratch_make(&dir, in->o.dir);
  fill(&r, in, dir.path);
  double load = load_now();
  /* The best of some passes, in turn: others may share the machine. */
  for (unsigned i = 0; i < 2 * PASSES; i++) {
    quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
    quoin_hits *hits;
    uint64_t begin = clock_ns();
    search.threads = i % 2 + 1;
    check(quoin_vectors_search(&hits, r.vectors, in->query.f, in->query.rows, &search, &err), &err);
    double took = (double)(clock_ns() - begin) * 1e-6;
    quoin_hits_close(hits);
    if (took < best[i % 2]) best[i % 2] = took;
  }
  for (unsigned i = 0; i < 2; i++)
    (void)printf("batch\t%.1f\t%u\t%zu\t%zu\t%.2f\t%.0f\t%.2f\n", load, i + 1, in->o.vectors / 2,
                 in->query.rows, best[i], (double)in->query.rows / best[i] * 1e3,
                 best[0] / best[i]);
  (void)fflush(stdout);
  run_close(&r, dir.path);
  scratch_remove(&dir);
}

static void
singles(const input *in)
{
  double rate[2];

  (void)puts(
      "command\tload\tsync\tbatch\tvectors\tvectors/s\ttimes singles\tp50 ms\tp99 ms\tmax ms");
  for (unsigned i = 0; i < 2; i++) {
    scratch dir;
    outcome out;
    run r;
    scratch_make(&dir, in->o.dir);
    run_open(&r, in, dir.path, durability_of(in));
    r.batch = i ? BIG : 1;
    double load = load_now();
    go(&out, &r, 1, 0, in->o.vectors, in->o.seconds);
    rate[i] = (double)out.acknowledged / out.seconds;
    (void)printf("singles\t%.1f\t%s\t%zu\t%llu\t%.0f\t%.1f", load, names[durability_of(in)],
                 r.batch, (unsigned long long)out.acknowledged, rate[i], rate[i] / rate[0]);
    print_times(&out.commit);
    (void)puts("");
    (void)fflush(stdout);
    (void)settle(&r);
    verify(&r, out.acknowledged, true);
    run_close(&r, dir.path);
    scratch_remove(&dir);
  }
}

static bool
parse_one(options *o, const char *name, const char *value)
{
  if (!strcmp(name, "--threads")) {
    o->threads = (unsigned)strtoul(value, NULL, 10);
  } else if (!strcmp(name, "--vectors")) {
    o->vectors = strtoul(value, NULL, 10);
  } else if (!strcmp(name, "--batch")) {
    o->batch = (unsigned)strtoul(value, NULL, 10);
  } else if (!strcmp(name, "--reads")) {
    o->reads = strtod(value, NULL);
  } else if (!strcmp(name, "--rate")) {
    o->rate = strtod(value, NULL);
  } else if (!strcmp(name, "--seconds")) {
    o->seconds = strtod(value, NULL);
  } else if (!strcmp(name, "--series")) {
    o->series = value;
  } else if (!strcmp(name, "--dir")) {
    o->dir = value;
  } else if (!strcmp(name, "--durability")) {
    for (o->durability = 2; o->durability >= 0 && strcmp(value, names[o->durability]);)
      o->durability--;
    return o->durability >= 0;
  } else {
    return false;
  }
  return true;
}

/* Where the arguments that are no options begin; 0 when the options are wrong. */
static int
parse(options *o, int argc, char **argv)
{
  int i = 1;

  for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
    if (!strcmp(argv[i], "--no-settle"))
      o->settle = false;
    else if (i + 1 >= argc || !parse_one(o, argv[i], argv[i + 1]))
      return 0;
    else
      i++;
  }
  bool fits = o->threads > 0 && o->threads <= THREADS_MAX && o->vectors > 1 && o->seconds > 0;
  return fits && argc - i >= 3 ? i : 0;
}

int
main(int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*go)(const input *in);
  } commands[] = {{"writes", writes},
                  {"mixed", mixed},
                  {"latency", latency},
                  {"batch", batch},
                  {"singles", singles}};
  const size_t n_commands = sizeof commands / sizeof commands[0];
  input in = {.o = {.threads = 16,
                    .vectors = 100000,
                    .durability = -1,
                    .reads = 0.9,
                    .seconds = 10,
                    .settle = true,
                    .dir = "."}};
  int at = parse(&in.o, argc, argv);

  if (!at) {
    bool help = argc == 2 && !strcmp(argv[1], "--help");
    (void)fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  in.base = npy_load(argv[at]);
  in.query = npy_load(argv[at + 1]);
  if (!in.base.f || !in.query.f || !in.base.rows || !in.query.rows ||
      in.base.columns != in.query.columns)
    stop("BASE and QUERY", "not floats of one dimension");
  make_rows(&in);
  for (at += 2; at < argc; at++) {
    size_t c = 0;
    while (c < n_commands && strcmp(argv[at], commands[c].name) != 0)
      c++;
    if (c == n_commands) stop("unknown command", argv[at]);
    commands[c].go(&in);
  }
  free(in.rows);
  npy_free(&in.base);
  npy_free(&in.query);
  return 0;
}
