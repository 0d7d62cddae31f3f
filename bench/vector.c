/* bench/vector.c - the graph over vectors in process: build, recall against queries per second,
 * filters, rounds of deletion, opening. bench/vector_peers.py runs it beside others and makes
 * tables.
 *
 *   quoin-bench-vector BASE.npy QUERY.npy TRUTH.npy METRIC CODE COMMAND...
 * METRIC: cosine dot l2. CODE: f32 f16 i8 b1. BASE, QUERY: float32 or float16, TRUTH: int32 rows of
 * neighbours. Commands, run in order:
 *   build THREADS [M EF]   curve EF...   threads N EF...   filter BITS.npy TRUTH.npy EF...
 *   rounds N EF            open DIR      single EF         exact      order SEED
 * `order`: builds and rounds from then on take the vectors in another order, with other levels.
 * Each prints lines of tab-separated name and figures. */
#include "vector/hnsw.h"

#include "bench/npy.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench {
  npy base, query, truth;
  hnsw_options options;
  hnsw_vectors vectors;
  hnsw *graph;
  uint64_t seed;   /* of the order; 0: as they lie */
  uint32_t *order; /* of the rows */
  quoin_error err;
} bench;

enum { K = 10, FIFTH = 5 };

static void
stop(const char *what, const char *detail)
{
  fprintf(stderr, "error: %s: %s\n", what, detail);
  exit(1);
}

static void
must(bench *b, quoin_status st)
{
  if (st < 0) stop("failed", b->err.message);
}

static double
now(void)
{
  return (double)base_clock_ns() * 1e-9;
}

/* Of this thread: others share the machine. */
static double
cpu_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double
recall(const hnsw_hit *hits, size_t n, const int32_t *truth)
{
  size_t found = 0, want = 0;
  for (size_t j = 0; j < K; j++) {
    if (truth[j] < 0) continue;
    want++;
    for (size_t i = 0; i < n; i++)
      found += hits[i].row == (uint32_t)truth[j];
  }
  return want ? (double)found / (double)want : 1.0;
}

static int
by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef struct outcome {
  double recall, seconds, visits, p50, p99;
  hnsw_way way;
} outcome;

static outcome
ask_all(bench *b, hnsw_searcher *s, size_t ef, const vec_bitmap *filter, const npy *truth,
        bool exact)
{
  outcome o = {0};
  hnsw_hit hits[K];
  size_t n, queries = b->query.rows;
  double *times = npy_room(queries, sizeof(double));
  double start = cpu_now();
  for (size_t q = 0; q < queries; q++) {
    hnsw_report report;
    hnsw_ask ask = {.query = b->query.f + q * b->query.columns,
                    .k = K,
                    .ef = ef,
                    .filter = filter,
                    .vectors = &b->vectors,
                    .exact = exact};
    double begin = now();
    must(b, hnsw_search(hits, &n, s, &ask, &report, &b->err));
    times[q] = now() - begin;
    o.visits += (double)report.visits;
    o.way = report.way;
    o.recall += recall(hits, n, truth->i + q * truth->columns);
  }
  o.seconds = cpu_now() - start;
  qsort(times, queries, sizeof(double), by_size);
  o.p50 = times[queries / 2] * 1e6;
  o.p99 = times[queries * 99 / 100] * 1e6;
  o.recall /= (double)queries;
  o.visits /= (double)queries;
  free(times);
  return o;
}

/* The best of three passes: others share the machine. */
static outcome
measure(bench *b, size_t ef, const vec_bitmap *filter, const npy *truth, bool exact)
{
  hnsw_searcher *s;
  must(b, hnsw_searcher_new(&s, b->graph, &b->err));
  outcome best = ask_all(b, s, ef, filter, truth, exact);
  for (int i = 0; i < 2; i++) {
    outcome o = ask_all(b, s, ef, filter, truth, exact);
    if (o.seconds < best.seconds) best = o;
  }
  hnsw_searcher_free(s);
  return best;
}

static void
print(const bench *b, const char *name, size_t ef, outcome o)
{
  static const char *const ways[] = {"graph", "filtered", "two-hop", "codes", "exact", "fallback"};
  printf("%s\t%zu\t%.5f\t%.0f\t%.0f\t%.0f\t%.0f\t%s\n", name, ef, o.recall,
         (double)b->query.rows / o.seconds, o.visits, o.p50, o.p99, ways[o.way]);
  fflush(stdout);
}

static void
order(bench *b, uint64_t seed)
{
  b->seed = seed;
  for (uint32_t i = 0; i < b->base.rows; i++)
    b->order[i] = i;
  for (size_t i = b->base.rows; seed && i > 1; i--) {
    size_t j = base_mix(seed << 32 | i) % i;
    uint32_t row = b->order[i - 1];
    b->order[i - 1] = b->order[j];
    b->order[j] = row;
  }
}

/* What is put in i-th. */
static hnsw_item
item_at(const bench *b, size_t i)
{
  uint32_t row = b->order[i];
  return (hnsw_item){.key = b->seed * b->base.rows + row + 1, .row = row};
}

static hnsw_item *
items_of(const bench *b)
{
  hnsw_item *items = npy_room(b->base.rows, sizeof(*items));
  for (size_t i = 0; i < b->base.rows; i++)
    items[i] = item_at(b, i);
  return items;
}

static void
build(bench *b, unsigned threads)
{
  hnsw_item *items = items_of(b);
  hnsw_close(b->graph);
  must(b, hnsw_new(&b->graph, 1, &b->options, base_alloc_default(), &b->err));
  struct timespec cpu[2];
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]);
  double start = now();
  must(b, hnsw_build(b->graph, items, b->base.rows, threads, &b->vectors, NULL, NULL, &b->err));
  double seconds = now() - start;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]);
  double user =
      (double)(cpu[1].tv_sec - cpu[0].tv_sec) + 1e-9 * (double)(cpu[1].tv_nsec - cpu[0].tv_nsec);
  hnsw_stats stats;
  hnsw_check_report check;
  hnsw_stats_quick(&stats, b->graph);
  must(b, hnsw_check(&check, b->graph, false, NULL, &b->err));
  printf("build\t%u\t%.3f\t%.0f\t%.3f\t%llu\t%.1f\t%llu\n", threads, seconds,
         (double)b->base.rows / seconds, user, (unsigned long long)stats.record_bytes,
         (double)check.links / (double)b->base.rows, (unsigned long long)check.unreachable);
  fflush(stdout);
  free(items);
}

typedef struct crowd {
  bench *b;
  size_t ef;
  outcome o;
} crowd;

static void *
one_of_many(void *user)
{
  crowd *c = user;
  hnsw_searcher *s;
  must(c->b, hnsw_searcher_new(&s, c->b->graph, &c->b->err));
  c->o = ask_all(c->b, s, c->ef, NULL, &c->b->truth, false);
  hnsw_searcher_free(s);
  return NULL;
}

static void
many_threads(bench *b, size_t threads, size_t ef)
{
  pthread_t ids[64];
  crowd crowds[64];
  double start = now();
  for (size_t i = 0; i < threads; i++) {
    crowds[i] = (crowd){.b = b, .ef = ef};
    if (pthread_create(&ids[i], NULL, one_of_many, &crowds[i])) stop("thread", "not started");
  }
  for (size_t i = 0; i < threads; i++)
    pthread_join(ids[i], NULL);
  outcome o = crowds[0].o;
  o.seconds = (now() - start) / (double)threads;
  print(b, "threads", ef, o);
}

static void
filtered(bench *b, const char *bits, const char *truth, size_t ef)
{
  npy wanted = npy_load(bits), right = npy_load(truth);
  vec_bitmap map;
  must(b, vec_bitmap_init(&map, hnsw_slots(b->graph), base_alloc_default(), &b->err));
  for (size_t row = 0; row < wanted.rows; row++) {
    uint32_t slot;
    if (!wanted.b[row]) continue;
    must(b, hnsw_find(&slot, b->graph, (uint32_t)row, &b->err));
    vec_bitmap_add(&map, slot);
  }
  print(b, "filter", ef, measure(b, ef, &map, &right, false));
  vec_bitmap_clear(&map);
  npy_free(&wanted);
  npy_free(&right);
}

/* Delete a fifth, another one each time, and put it back: recall must stay. Times are of the
 * thread. */
static void
rounds(bench *b, size_t n, size_t ef)
{
  outcome o = measure(b, ef, NULL, &b->truth, false);
  double fresh = o.recall, worst = 1, sum = 0;
  print(b, "round 0", ef, o);
  for (size_t round = 0; round < n; round++) {
    double start = cpu_now(), deleted, swept, inserted;
    for (size_t i = round % FIFTH; i < b->base.rows; i += FIFTH)
      must(b, hnsw_delete(b->graph, item_at(b, i).row, &b->err));
    deleted = cpu_now();
    must(b, hnsw_sweep(b->graph, NULL, &b->err));
    swept = cpu_now();
    for (size_t i = round % FIFTH; i < b->base.rows; i += FIFTH) {
      hnsw_item item = item_at(b, i);
      must(b, hnsw_insert(b->graph, item.key, item.row, &b->vectors, &b->err));
    }
    inserted = cpu_now();
    char name[160];
    snprintf(name, sizeof(name), "round %zu: delete %.3f sweep %.3f insert %.0f/s", round + 1,
             deleted - start, swept - deleted, (double)(b->base.rows / FIFTH) / (inserted - swept));
    o = measure(b, ef, NULL, &b->truth, false);
    print(b, name, ef, o);
    if (o.recall < worst) worst = o.recall;
    sum += o.recall;
  }
  printf("rounds\t%zu\t%.5f\t%.5f\t%.5f\n", n, fresh, worst, n ? sum / (double)n : fresh);
}

static void
reopen(bench *b, const char *path, size_t ef)
{
  base_dir dir;
  hnsw_root root;
  must(b, base_dir_open(&dir, path, &b->err));
  double start = now();
  must(b, hnsw_checkpoint(&root, b->graph, &dir, &b->err));
  double written = now() - start;
  hnsw_stats stats;
  hnsw_stats_quick(&stats, b->graph);
  hnsw_close(b->graph);
  start = now();
  must(b, hnsw_open(&b->graph, &dir, 1, &root, &b->options, base_alloc_default(), &b->err));
  double opened = now() - start;
  hnsw_searcher *s;
  must(b, hnsw_searcher_new(&s, b->graph, &b->err));
  printf("open\t%.3f\t%.6f\t%llu\n", written, opened, (unsigned long long)stats.file_bytes);
  print(b, "cold pass", ef, ask_all(b, s, ef, NULL, &b->truth, false));
  print(b, "mapped", ef, ask_all(b, s, ef, NULL, &b->truth, false));
  hnsw_searcher_free(s);
  base_dir_close(&dir);
}

static size_t
number(const char *text)
{
  return strtoul(text, NULL, 10);
}

static bool
is_number(const char *text)
{
  return text && *text >= '0' && *text <= '9';
}

int
main(int argc, char **argv)
{
  static const char *const metrics[] = {"cosine", "dot", "l2"};
  static const char *const codes[] = {"f32", "f16", "i8", "b1"};
  if (argc < 7) stop("usage", "BASE QUERY TRUTH METRIC CODE COMMAND...");
  bench b = {.base = npy_load(argv[1]),
             .query = npy_load(argv[2]),
             .truth = npy_load(argv[3]),
             .err = QUOIN_ERROR_INIT};
  for (size_t i = 0; i < 3; i++)
    if (!strcmp(argv[4], metrics[i])) b.options.metric = (vec_metric)i;
  for (size_t i = 0; i < 4; i++)
    if (!strcmp(argv[5], codes[i])) b.options.code = (vec_code)i;
  b.options.dims = (uint32_t)b.base.columns;
  b.vectors = (hnsw_vectors){.base = (const char *)b.base.f, .stride = b.base.columns * 4};
  b.order = npy_room(b.base.rows, sizeof(*b.order));
  order(&b, 0);
  for (int i = 6; i < argc;) {
    const char *command = argv[i++];
    if (!strcmp(command, "build")) {
      unsigned threads = (unsigned)number(argv[i++]);
      if (is_number(argv[i])) b.options.m = (uint32_t)number(argv[i++]);
      if (is_number(argv[i])) b.options.ef_construction = (uint32_t)number(argv[i++]);
      build(&b, threads);
    } else if (!strcmp(command, "curve")) {
      for (; is_number(argv[i]); i++)
        print(&b, "curve", number(argv[i]), measure(&b, number(argv[i]), NULL, &b.truth, false));
    } else if (!strcmp(command, "threads")) {
      size_t threads = number(argv[i++]);
      for (; is_number(argv[i]); i++)
        many_threads(&b, threads, number(argv[i]));
    } else if (!strcmp(command, "filter")) {
      const char *bits = argv[i], *truth = argv[i + 1];
      for (i += 2; is_number(argv[i]); i++)
        filtered(&b, bits, truth, number(argv[i]));
    } else if (!strcmp(command, "rounds")) {
      rounds(&b, number(argv[i]), number(argv[i + 1]));
      i += 2;
    } else if (!strcmp(command, "open")) {
      reopen(&b, argv[i], number(argv[i + 1]));
      i += 2;
    } else if (!strcmp(command, "order")) {
      order(&b, number(argv[i++]));
    } else if (!strcmp(command, "exact")) {
      print(&b, "exact", 0, measure(&b, 0, NULL, &b.truth, true));
    } else {
      stop("unknown command", command);
    }
  }
  hnsw_close(b.graph);
  free(b.order);
  npy_free(&b.base);
  npy_free(&b.query);
  npy_free(&b.truth);
  return 0;
}
