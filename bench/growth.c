/* bench/growth.c - how long a lookup takes while the hash table of the terms grows.
 *
 *   quoin-bench-growth [--help] [DIR [TERMS]]
 *
 * One thread finds terms that are there, one at a time, and times each. Meanwhile the writer
 * interns: first TERMS new ones (default 5 million) from a table for a thousand on, so that it
 * grows all the way; then, in the same store, as many that are all there, so that nothing grows.
 * The figures of both runs, side by side, are promise M5: p99.99 at most 3 times, maximum at most
 * 5 ms above the run without growth. The lookups of both are spread alike: over the first thousand
 * terms, so that the sizes of the caches do not tell the runs apart, and over all. A third thread
 * fills the next table. A slow lookup during which the scheduler took the core away is left out
 * and counted: on a busy machine those would be the slowest. */
#include "atomstore/atomstore.h"

#include "bench/scratch.h"
#include "bench/times.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

enum { FIRST = 1000, TEXT = 96, SLOW_NS = 20000 };

typedef struct run {
  atom_store *store;
  _Atomic uint64_t written; /* make(0..written-1) are there */
  atomic_bool done;
  times few, all; /* over the first terms, and over all there are */
  uint64_t taken; /* slow lookups that lost the core */
  quoin_error err;
} run;

static void
die(const quoin_error *err)
{
  fprintf(stderr, "%s: %s\n", err->file, err->message);
  exit(1);
}

static rdf_term
make(char text[TEXT], uint64_t n)
{
  const int len = snprintf(text, TEXT, "http://example.org/resource/%llu/item%llx",
                           (unsigned long long)(n % 50), (unsigned long long)base_mix(n + 1));
  return (rdf_term){.kind = RDF_IRI, .value = {text, (size_t)len}};
}

/* How often this thread has been put aside for another. */
static long
switches(void)
{
  struct rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

static void *
look(void *user)
{
  run *r = user;
  uint64_t seed = 1;
  long before = switches();
  char text[TEXT];

  while (!atomic_load(&r->done)) {
    const uint64_t written = atomic_load(&r->written);
    atom_store_pin(r->store);
    for (unsigned i = 0; i < 256; i++) {
      const bool few = i % 2;
      const uint64_t n = base_mix(seed++) % (few ? FIRST : written);
      const rdf_term term = make(text, n);
      atom_id id;
      const uint64_t from = base_clock_ns();
      const quoin_status st = atom_find(&id, r->store, &term, UINT64_MAX, &r->err);
      const uint64_t ns = base_clock_ns() - from;
      const long now = ns < SLOW_NS ? before : switches();
      if (now == before)
        times_note(few ? &r->few : &r->all, ns);
      else
        r->taken++;
      before = now;
      if (st) die(&r->err);
      if (!id.bits) {
        fprintf(stderr, "term %llu is not found\n", (unsigned long long)n);
        exit(1);
      }
    }
    atom_store_unpin(r->store);
    before = switches();
  }
  return NULL;
}

static void
intern(run *r, uint64_t from, uint64_t upto, bool fresh)
{
  char text[TEXT];
  atom_id id;

  for (uint64_t n = from; n < upto; n++) {
    const rdf_term term = make(text, n);
    if (atom_intern(&id, r->store, &term, &r->err)) die(&r->err);
    if (fresh) atomic_store(&r->written, n + 1);
  }
}

static void
measure(run *r, uint64_t terms, bool fresh)
{
  pthread_t thread;

  atomic_store(&r->done, false);
  r->few = r->all = (times){0};
  r->taken = 0;
  if (pthread_create(&thread, NULL, look, r)) exit(1);
  intern(r, FIRST, terms, fresh);
  atomic_store(&r->done, true);
  (void)pthread_join(thread, NULL);
}

static void
print(const char *what, const times *t)
{
  printf("%-34s %10llu %8llu %8llu %8llu %9llu %11llu\n", what, (unsigned long long)t->n,
         (unsigned long long)times_percentile(t, 0.5),
         (unsigned long long)times_percentile(t, 0.99),
         (unsigned long long)times_percentile(t, 0.999),
         (unsigned long long)times_percentile(t, 0.9999), (unsigned long long)t->max);
}

static void
compare(const char *what, const times *growing, const times *still)
{
  printf("%s: p99.99 %.2f times, maximum %+.3f ms\n", what,
         (double)times_percentile(growing, 0.9999) / (double)times_percentile(still, 0.9999),
         ((double)growing->max - (double)still->max) / 1e6);
}

int
main(int argc, char **argv)
{
  static run growing, still;
  quoin_error err = QUOIN_ERROR_INIT;
  const char *root = argc > 1 ? argv[1] : "/tmp";
  if (argc > 1 && !strcmp(argv[1], "--help"))
    return puts(
               "usage: quoin-bench-growth [DIR [TERMS]]\nlookups of terms while their table grows, "
               "and while it stays: DIR /tmp, TERMS 5000000") < 0;
  const uint64_t terms = argc > 2 ? strtoull(argv[2], NULL, 10) : 5000000;
  scratch place;
  base_dir dir;
  atom_marks marks = {.generation = 1};
  atom_stats stats;

  if (terms <= FIRST) return 1;
  scratch_make(&place, root);
  if (base_dir_open(&dir, place.path, &err)) die(&err);
  if (atom_store_create(&dir, &marks, &err)) die(&err);
  if (atom_store_open(&growing.store, &dir, &marks, ATOM_OPEN_WRITE, base_alloc_default(), &err))
    die(&err);
  atom_store_writer_enter(growing.store);
  intern(&growing, 0, FIRST, true);
  atom_store_stats(&stats, growing.store);
  printf("%llu slots", (unsigned long long)stats.table_slots);
  measure(&growing, terms, true);
  atom_store_stats(&stats, growing.store);
  printf(" grew to %llu, %llu terms\n", (unsigned long long)stats.table_slots,
         (unsigned long long)stats.terms);
  still.store = growing.store;
  atomic_store(&still.written, terms);
  measure(&still, terms, false);

  printf("%-34s %10s %8s %8s %8s %9s %11s\n", "lookups, nanoseconds", "number", "p50", "p99",
         "p99.9", "p99.99", "maximum");
  print("first terms, table grows", &growing.few);
  print("first terms, table stays", &still.few);
  print("all terms, table grows", &growing.all);
  print("all terms, table stays", &still.all);
  printf("left out: %llu and %llu\n", (unsigned long long)growing.taken,
         (unsigned long long)still.taken);
  compare("first terms", &growing.few, &still.few);
  compare("all terms", &growing.all, &still.all);
  atom_store_writer_leave(growing.store);
  atom_store_close(growing.store);
  base_dir_close(&dir);
  scratch_remove(&place);
  return 0;
}
