/* bench/writes.h - vectors written by threads that may search as well, and what they took: what the
 * commands of vector_writes.c and vector_beside.c share. */
#ifndef QUOIN_BENCH_WRITES_H
#define QUOIN_BENCH_WRITES_H

#include <quoin/quoin.h>

#include "bench/npy.h"
#include "bench/scratch.h"
#include "bench/times.h"
#include "bench/waits.h"

#include <stdatomic.h>

enum { THREADS_MAX = 64 };

#define PREDICATE "http://example.org/embedding"
#define SUBJECT "http://example.org/text/" /* and the number of its row */

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

/* A run: its threads take vectors in turn until none is left or the time is over. */
typedef struct run {
  const input *in;
  quoin_store *store;
  quoin_vectors *vectors;
  scratch dir;
  _Atomic size_t next;
  _Atomic size_t written; /* by a single thread: those before are acknowledged */
  size_t end, batch;
  double reads, rate; /* rate: vectors a second, 0: as many as go */
  uint64_t start, until;
} run;

/* What the threads of a run did together. */
typedef struct outcome {
  double seconds, cpu; /* cpu: of the whole process meanwhile, what links included */
  uint64_t acknowledged;
  times commit, search, tenth[10]; /* tenth: commits by how many vectors went before */
  waits longest[2];                /* of its commits, of its searches */
} outcome;

/* Nanoseconds by the clock of waits_now(). */
uint64_t clock_ns(void);
/* Processor time of all threads, in seconds. */
double cpu_now(void);
double load_now(void);
/* The next number of a sequence; of draw_share() in [0, 1). */
uint64_t draw(uint64_t *seed);
double draw_share(uint64_t *seed);

/* End the program. */
void stop(const char *what, const char *detail);
void check(quoin_status st, const quoin_error *err);

/* in->rows: those of BASE, then rows of it with noise of 0.22 of their length. */
void make_rows(input *in);
/* How the commits of a run are synced, and its name. */
quoin_durability durability_of(const input *in);
const char *durability_name(quoin_durability durability);

/* A store of its own, with an index of no vectors. */
void run_open(run *r, const input *in, quoin_durability durability);
void run_close(run *r);
/* Vectors [from, to) by this many threads, until they are written or the seconds are over. */
void go(outcome *out, run *r, unsigned threads, size_t from, size_t to, double seconds);
/* Commit the rows [from, to). */
void put(run *r, size_t from, size_t to);
/* Until the vectors before `from` have had their time at r->rate since r->start. */
void keep_pace(const run *r, size_t from);
/* A store with half of the vectors, all in the graph. */
void fill(run *r, const input *in);
/* Until all are in the graph; the seconds it took. */
double settle(run *r);
/* All of the first `n` are there: some of them are found, and counted when all are in the graph. */
void verify(run *r, uint64_t n, bool settled);

/* p50, p99 and the longest in milliseconds, each behind a tabulator. */
void print_times(const times *t);
/* What the thread of the longest operation did in it. */
void print_longest(const char *what, const waits *w);

/* The commands beside searches (vector_beside.c). */
void beside(const input *in);
void mixed(const input *in);
void batch(const input *in);

#endif /* QUOIN_BENCH_WRITES_H */
