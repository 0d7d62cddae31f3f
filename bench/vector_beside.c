/* bench/vector_beside.c - searches beside commits of vectors, and many at once: the commands
 * `mixed`, `beside` and `batch` of vector_writes.c. */
#include "bench/writes.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { K = 10, PASSES = 5, ROUNDS = 3, SHARES = 4, SAMPLE = 64, LINKED = 200 };

/* ---- one thread that searches, one that commits -----------------------------------------------
 */

typedef struct phase {
  times search, commit;
  waits spent;                 /* by the thread that searches, in searches */
  uint64_t inserted, failures; /* failures: of searches, or fewer hits than there must be */
  uint64_t wanted, found;      /* nearest ones of the samples, and those of them in the answers */
  double seconds;
} phase;

typedef struct writer {
  run *of;
  phase *out;
  _Atomic bool over;
} writer;

static void *
write_on(void *user)
{
  writer *w = user;
  run *r = w->of;

  for (size_t from = r->next; from < r->end && clock_ns() < r->until;) {
    size_t to = r->end - from < r->batch ? r->end : from + r->batch;
    keep_pace(r, from);
    uint64_t begin = clock_ns();
    if (begin >= r->until) break;
    put(r, from, to);
    times_note(&w->out->commit, clock_ns() - begin);
    w->out->inserted += to - from;
    /* Pairs with the acquire of who judges answers: these have to be found. */
    atomic_store_explicit(&r->written, to, memory_order_release);
    r->next = from = to;
  }
  atomic_store(&w->over, true);
  return NULL;
}

/* Its row. */
static uint64_t
row_of(quoin_hits *hits, size_t i)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_term term;
  uint64_t row = 0;

  check(quoin_hits_term(&term, hits, 0, i, &err), &err);
  for (size_t c = sizeof SUBJECT - 1; c < term.value.len; c++)
    row = 10 * row + (uint64_t)(term.value.ptr[c] - '0');
  return row;
}

/* Of the exact answer, as of a moment later, those that were acknowledged before the search began
 * are its nearest: they have to be in its answer. */
static void
judge(phase *out, run *r, const float *near, quoin_hits *hits, size_t acknowledged)
{
  quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_hits *right;
  uint64_t rows[K];
  size_t n = quoin_hits_count(hits, 0);

  for (size_t i = 0; i < n; i++)
    rows[i] = row_of(hits, i);
  search.k = K;
  search.threads = 1;
  search.exact = true;
  check(quoin_vectors_search(&right, r->vectors, near, 1, &search, &err), &err);
  for (size_t i = 0; i < quoin_hits_count(right, 0); i++) {
    uint64_t row = row_of(right, i);
    if (row >= acknowledged) continue;
    out->wanted++;
    for (size_t j = 0; j < n; j++)
      out->found += rows[j] == row;
  }
  quoin_hits_close(right);
}

/* One search, of which one in SAMPLE is judged, outside of its time. */
static void
search_one(phase *out, run *r, uint64_t *seed, int *file)
{
  quoin_search_options search = QUOIN_SEARCH_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_hits *hits = NULL;
  const npy *query = &r->in->query;
  const float *near = query->f + draw(seed) % query->rows * query->columns;
  size_t acknowledged = atomic_load_explicit(&r->written, memory_order_acquire);

  search.k = K;
  search.threads = 1;
  waits begin = waits_now(file);
  quoin_status st = quoin_vectors_search(&hits, r->vectors, near, 1, &search, &err);
  waits end = waits_now(file), took = waits_between(&begin, &end);
  times_note(&out->search, took.wall);
  out->spent.wall += took.wall;
  out->spent.ran += took.ran;
  if (st || quoin_hits_count(hits, 0) != K)
    out->failures++;
  else if (out->search.n % SAMPLE == 0)
    judge(out, r, near, hits, acknowledged);
  quoin_hits_close(hits);
}

/* Searches until the time is over, or whatever r->end and r->rate have to be written is. */
static void
measure(phase *out, run *r, double seconds, bool writes)
{
  writer w = {.of = r, .out = out};
  uint64_t seed = 1;
  int file = -1;
  pthread_t id;

  memset(out, 0, sizeof *out);
  r->start = clock_ns();
  if (r->rate > 0) r->start -= (uint64_t)((double)r->next / r->rate * 1e9);
  uint64_t begin = clock_ns();
  r->until = begin + (uint64_t)(seconds * 1e9);
  if (writes && pthread_create(&id, NULL, write_on, &w)) stop("thread", "not started");
  while (clock_ns() < r->until && !atomic_load(&w.over))
    search_one(out, r, &seed, &file);
  out->seconds = (double)(clock_ns() - begin) * 1e-9;
  if (writes) (void)pthread_join(id, NULL);
  if (file >= 0) (void)close(file);
}

/* Vectors a second of one thread that links, when little waits for it. */
static double
link_rate(run *r)
{
  double took = 0;
  size_t n = 0;

  for (unsigned i = 0; i < 10; i++, n += LINKED) {
    put(r, r->next, r->next + LINKED);
    took += settle(r);
    r->next += LINKED;
  }
  r->written = r->next;
  return (double)n / took;
}

static double
per_second(const phase *p)
{
  return (double)p->search.n / (double)p->spent.wall * 1e9;
}

static void
print_phase(const char *what, const phase *p, const phase *idle, double load)
{
  (void)printf("%s\t%.1f\t%.0f\t%.0f", what, load, (double)p->inserted / p->seconds, per_second(p));
  print_times(&p->search);
  (void)printf(
      "\t%.0f\t%.2f\t%.2f\t%.2f\t%.4f\t%llu", (double)p->search.n / (double)p->spent.ran * 1e9,
      1 - (double)p->spent.ran / (double)p->spent.wall, per_second(p) / per_second(idle),
      ((double)p->search.n / (double)p->spent.ran) /
          ((double)idle->search.n / (double)idle->spent.ran),
      p->wanted ? (double)p->found / (double)p->wanted : 0, (unsigned long long)p->failures);
  print_times(&p->commit);
  (void)puts("");
  (void)fflush(stdout);
}

/* One phase of its own: rows up to `end` at r->rate, none at 0. */
static void
one_phase(phase *out, run *r, phase *idle, double seconds)
{
  char what[40] = "idle";
  double load = load_now();

  (void)settle(r);
  measure(out, r, seconds, r->rate > 0);
  if (r->rate > 0)
    (void)snprintf(what, sizeof what, "%.0f/s", r->rate);
  else
    *idle = *out;
  print_phase(what, out, idle, load);
}

static int
by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double
median(double *values, size_t n)
{
  qsort(values, n, sizeof *values, by_size);
  return n ? values[n / 2] : 0;
}

/* Rounds of an idle store and shares of the rate of linking, out of a quarter of the vectors. */
static void
paced(run *r, double rate, phase *idle)
{
  static const double shares[SHARES] = {0, 0.5, 0.8, 1};
  const options *o = &r->in->o;
  double of_idle[SHARES][ROUNDS];
  static phase p;
  size_t round = 0;

  r->end = o->vectors / 4 * 3;
  /* none that would run out of vectors */
  for (; round < ROUNDS && (double)r->next + 2.3 * rate * o->seconds < (double)r->end; round++)
    for (size_t i = 0; i < SHARES; i++) {
      r->rate = shares[i] * rate;
      one_phase(&p, r, idle, o->seconds);
      of_idle[i][round] = per_second(&p) / per_second(idle);
    }
  if (!round) stop("beside", "too few --vectors for --seconds at that rate");
  for (size_t i = 1; i < SHARES; i++)
    (void)printf("%.0f/s: %.2f of idle, the median of %zu\n", shares[i] * rate,
                 median(of_idle[i], round), round);
}

/* And then as many as go, and the time in which the graph takes those up. */
void
beside(const input *in)
{
  const options *o = &in->o;
  static phase idle, p;
  run r;

  fill(&r, in);
  r.next = r.written = o->vectors / 2;
  r.batch = o->batch ? o->batch : 10;
  double rate = o->rate > 0 ? o->rate : link_rate(&r);
  (void)printf("%zu vectors, commits of %zu, %s; one thread links %.0f a second\n", o->vectors / 2,
               r.batch, durability_name(durability_of(in)), rate);
  (void)puts("beside\tload\tinserts/s\tsearches/s\tp50 ms\tp99 ms\tmax ms\tby processor time\t"
             "without a core\tof idle\tby processor time\trecall\tfailures\tcommit p50 ms\t"
             "p99 ms\tmax ms");
  paced(&r, rate, &idle);
  r.rate = 0;
  r.end = o->vectors;
  (void)settle(&r);
  double load = load_now();
  measure(&p, &r, 3600, true);
  print_phase("burst", &p, &idle, load);
  measure(&p, &r, o->seconds, false);
  print_phase("after it", &p, &idle, load);
  (void)settle(&r);
  verify(&r, r.next, true);
  run_close(&r);
}

/* ---- threads that do both ---------------------------------------------------------------------
 */

void
mixed(const input *in)
{
  const options *o = &in->o;
  outcome out;
  run r;

  (void)puts("command\tload\tsync\tthreads\treads\tvectors\tsearches/s\tp50 ms\tp99 ms\tmax ms\t"
             "commits/s\tp50 ms\tp99 ms\tmax ms");
  fill(&r, in);
  r.batch = 1;
  /* Searches alone, then both. */
  for (unsigned both = 0; both < 2; both++) {
    double load = load_now();
    r.reads = both ? o->reads : 1;
    go(&out, &r, o->threads, o->vectors / 2, o->vectors, o->seconds);
    (void)printf("mixed\t%.1f\t%s\t%u\t%.2f\t%llu\t%.0f", load, durability_name(durability_of(in)),
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
  run_close(&r);
}

/* ---- many queries at once ---------------------------------------------------------------------
 */

void
batch(const input *in)
{
  quoin_error err = QUOIN_ERROR_INIT;
  double best[2] = {HUGE_VAL, HUGE_VAL};
  run r;

  (void)puts("command\tload\tthreads\tvectors\tqueries\tms\tqueries/s\ttimes one thread");
  fill(&r, in);
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
  run_close(&r);
}
