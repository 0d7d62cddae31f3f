/* bench/writes.c - see writes.h. */
#include "bench/writes.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum { PROBES = 50 };

static const char *const names[] = {"full", "relaxed", "off"};

typedef struct sample {
  uint64_t end, took;
  bool search;
} sample;

typedef struct worker {
  run *of;
  uint64_t seed, acknowledged;
  times commit, search, tenth[10];
  waits longest[2];
  sample *samples;
  size_t n_samples, room;
} worker;

void
stop(const char *what, const char *detail)
{
  (void)fprintf(stderr, "error: %s: %s\n", what, detail);
  exit(1);
}

void
check(quoin_status st, const quoin_error *err)
{
  if (st) stop("failed", err->message);
}

static quoin_span
text(const char *s)
{
  return (quoin_span){s, strlen(s)};
}

uint64_t
clock_ns(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t
draw(uint64_t *seed)
{
  uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

double
draw_share(uint64_t *seed)
{
  return (double)(draw(seed) >> 11) * 0x1p-53;
}

double
cpu_now(void)
{
  struct timespec t;

  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double
load_now(void)
{
  double load[1] = {0};

  return getloadavg(load, 1) == 1 ? load[0] : 0;
}

void
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

quoin_durability
durability_of(const input *in)
{
  return in->o.durability < 0 ? QUOIN_DURABILITY_FULL : (quoin_durability)in->o.durability;
}

const char *
durability_name(quoin_durability durability)
{
  return names[durability];
}

void
run_open(run *r, const input *in, quoin_durability durability)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options open = QUOIN_OPEN_OPTIONS_INIT;
  char declaration[256];

  memset(r, 0, sizeof *r);
  r->in = in;
  scratch_make(&r->dir, in->o.dir);
  open.mode = QUOIN_CREATE;
  open.durability = durability;
  check(quoin_open(&r->store, r->dir.path, &open, &err), &err);
  (void)snprintf(declaration, sizeof declaration,
                 "PREFIX vec: <urn:x-quoin:vec#> INSERT DATA { GRAPH <urn:x-quoin:system> "
                 "{ <" PREDICATE "> a vec:Index ; vec:dimension %zu } }",
                 in->base.columns);
  check(quoin_update(NULL, r->store, text(declaration), NULL, &err), &err);
  check(quoin_vectors_open(&r->vectors, r->store, text(PREDICATE), &err), &err);
}

void
run_close(run *r)
{
  quoin_vectors_close(r->vectors);
  quoin_close(r->store);
  scratch_remove(&r->dir);
}

void
put(run *r, size_t from, size_t to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  size_t dims = r->in->base.columns;
  quoin_txn *txn;
  char name[64];

  check(quoin_txn_begin(&txn, r->store, &err), &err);
  for (size_t i = from; i < to; i++) {
    quoin_term subject = {.kind = QUOIN_TERM_IRI};
    (void)snprintf(name, sizeof name, SUBJECT "%zu", i);
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

void
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

void
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

void
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

double
settle(run *r)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t begin = clock_ns();

  check(quoin_vectors_settle(r->store, NULL, &err), &err);
  return (double)(clock_ns() - begin) * 1e-9;
}

void
fill(run *r, const input *in)
{
  outcome out;

  run_open(r, in, durability_of(in));
  r->batch = 1000;
  go(&out, r, 2, 0, in->o.vectors / 2, 3600);
  (void)settle(r);
}

void
print_times(const times *t)
{
  (void)printf("\t%.3f\t%.3f\t%.3f", (double)times_percentile(t, 0.5) * 1e-6,
               (double)times_percentile(t, 0.99) * 1e-6, (double)t->max * 1e-6);
}

void
print_longest(const char *what, const waits *w)
{
  double blocked = (double)w->wall - (double)w->ran - (double)w->queued;

  (void)printf("longest\t%s\t%.3f ms: ran %.3f, waited for a core %.3f, blocked %.3f; %ld reads\n",
               what, (double)w->wall * 1e-6, (double)w->ran * 1e-6, (double)w->queued * 1e-6,
               blocked > 0 ? blocked * 1e-6 : 0, w->reads);
}
