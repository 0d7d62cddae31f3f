/* bench/lookup.c - random lookups (s ? ?) and (s p ?) in the default graph of a store, one thread.
 *
 *   quoin-bench-lookup [--lookups N] [--runs TITLE] [--sample FILE] STORE [DIR]
 *
 * Subjects and predicates are those of triples drawn at random. Each lookup pulls all its rows.
 * `rebind` is what a join does: one scan, bound anew each time; `open` makes a scan for each
 * lookup; `terms` goes through quoin_match(): terms in, terms out. Times are processor time. The
 * ids are measured on the store's own runs, then on copies of its triples in DIR (default: the
 * current directory), cut into one run, into eight of which each has subjects of its own, as data
 * does that is appended (`8 apart`), into eight whose sizes halve and that all have triples of any
 * subject (`8 halving`), and into eight equal ones of that kind (`8 equal`), the hardest. --sample
 * writes the pairs as triples, for a peer (bench/lookup.py). */
#include "quadstore/filter.h"
#include "quadstore/version.h"

#include "base/buffer.h"
#include "base/hash.h"

#include <quoin/quoin.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS = 1 << 16, RUNS = 8 };

static const char usage[] =
    "usage: quoin-bench-lookup [--lookups N] [--runs TITLE] [--sample FILE] STORE [DIR]\n"
    "random lookups by subject, and by subject and predicate: on a table\n";

typedef struct bench {
  unsigned lookups;
  const char *only;  /* the runs to measure; NULL: all */
  uint64_t *triples; /* three words each, sorted by SPO */
  size_t n, room;
  quad pairs[PAIRS];
} bench;

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s: %s\n", err->file, err->message);
  exit(1);
}

static void *
obtain(void *p)
{
  if (p) return p;
  (void)fputs("out of memory\n", stderr);
  exit(1);
}

/* Processor time of this thread: it does nothing but compute, and the machine may be busy. */
static uint64_t
cpu_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
print(const char *runs, const char *how, unsigned bound, uint64_t ns, uint64_t rows, unsigned n)
{
  (void)printf("%-12s %-8s %-8s %8.0f %10.2f %8.1f\n", runs, how,
               bound == 1 ? "(s ? ?)" : "(s p ?)", (double)ns / n, (double)n / (double)ns * 1e3,
               (double)rows / n);
  (void)fflush(stdout);
}

/* ---- by ids -----------------------------------------------------------------------------------
 */

static quad_pattern
pattern_of(const quad *q, unsigned bound)
{
  quad_pattern p = {.scope = QUAD_DEFAULT};
  p.match.term[QUAD_S] = q->term[QUAD_S];
  if (bound == 2) p.match.term[QUAD_P] = q->term[QUAD_P];
  return p;
}

static void
by_ids(const bench *b, const char *runs, const quad_snapshot *s, unsigned bound, bool rebind)
{
  const unsigned columns = bound == 1 ? 1u << QUAD_P | 1u << QUAD_O : 1u << QUAD_O;
  quoin_error err = QUOIN_ERROR_INIT;
  quad_scan *scan = NULL;
  uint64_t rows = 0, start = 0;

  for (unsigned i = 0; i < b->lookups + b->lookups / 8; i++) {
    quad_pattern p = pattern_of(&b->pairs[i % PAIRS], bound);
    quad_batch batch;
    if (i == b->lookups / 8) { /* warm now */
      start = cpu_ns();
      rows = 0;
    }
    if (scan && !rebind) {
      quad_scan_close(scan);
      scan = NULL;
    }
    check(scan ? quad_scan_rebind(scan, &p, &err)
               : quad_scan_open(&scan, s, &p, QUAD_SPO, columns, &err),
          &err);
    while (!quad_scan_next(&batch, scan, &err))
      rows += batch.rows;
  }
  print(runs, rebind ? "rebind" : "open", bound, cpu_ns() - start, rows, b->lookups);
  quad_scan_close(scan);
}

static bool
is_wanted(const bench *b, const char *runs)
{
  return !b->only || !strcmp(b->only, runs);
}

static void
measure(const bench *b, const char *runs, const quad_snapshot *s)
{
  for (unsigned bound = 1; bound <= 2; bound++) {
    by_ids(b, runs, s, bound, true);
    by_ids(b, runs, s, bound, false);
  }
}

/* ---- runs of the same triples ------------------------------------------------------------------
 */

/* Which of `n` runs triple `i` goes to. */
typedef unsigned (*share)(size_t i, size_t all, unsigned n);

static unsigned
apart(size_t i, size_t all, unsigned n)
{
  return (unsigned)(i * n / all);
}

static unsigned
halving(size_t i, size_t all, unsigned n)
{
  unsigned zeroes = (unsigned)__builtin_clzll(base_mix(i) | 1);
  (void)all;
  return zeroes < n ? zeroes : n - 1;
}

static unsigned
equal(size_t i, size_t all, unsigned n)
{
  (void)all;
  return (unsigned)(base_mix(i) % n);
}

/* The columns of some rows, which go to the run together. */
static void
add_rows(quad_sink *sink, uint64_t col[3][CODEC_BLOCK], size_t rows)
{
  const uint64_t *const cols[4] = {col[0], col[1], col[2], NULL};
  quoin_error err = QUOIN_ERROR_INIT;
  if (rows) check(sink->add(sink, cols, NULL, rows, &err), &err);
}

static void
make_run(quad_run **out, const bench *b, const base_dir *dir, unsigned run, unsigned n, share which)
{
  static uint64_t col[3][CODEC_BLOCK];
  const base_alloc *mem = base_alloc_default();
  quoin_error err = QUOIN_ERROR_INIT;
  quad_writer *w;
  size_t rows = 0;
  char name[32];

  (void)snprintf(name, sizeof name, "lookup-run-%u", run);
  (void)base_dir_unlink(dir, name, NULL);
  check(quad_writer_open(&w, dir, name, 1, 1u << QUAD_SPO, mem, &err), &err);
  quad_sink *sink = quad_writer_sink(w);
  check(sink->begin(sink, QUAD_PART_DEFAULT, QUAD_SPO, &err), &err);
  for (size_t i = 0; i < b->n; i++) {
    if (which(i, b->n, n) != run) continue;
    for (unsigned k = 0; k < 3; k++)
      col[k][rows] = b->triples[3 * i + k];
    if (++rows < CODEC_BLOCK) continue;
    add_rows(sink, col, rows);
    rows = 0;
  }
  add_rows(sink, col, rows);
  check(sink->end(sink, &err), &err);
  check(quad_writer_finish(w, false, &err), &err);
  check(quad_run_open(out, dir, name, 1, mem, &err), &err);
  (void)base_dir_unlink(dir, name, NULL);
}

static void
measure_runs(const bench *b, const char *title, const base_dir *dir, unsigned n, share which)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quad_filters filters = {0}; /* as a store gives them to its runs */
  quad_version *v;
  quad_snapshot *s;

  if (!is_wanted(b, title)) return;
  check(quad_filters_init(&filters, (uint64_t)256 << 20, &err), &err);
  check(quad_version_new(&v, RUNS, base_alloc_default(), &err), &err);
  v->orders = 1u << QUAD_SPO;
  for (unsigned i = 0; i < n; i++) {
    quad_run *run;
    make_run(&run, b, dir, i, n, which);
    run->filters = &filters;
    quad_version_push(v, run);
    quad_run_release(run);
  }
  check(quad_snapshot_make(&s, v, base_alloc_default(), &err), &err);
  measure(b, title, s);
  quad_snapshot_release(s);
  quad_filters_destroy(&filters);
}

/* ---- by terms ---------------------------------------------------------------------------------
 */

typedef struct term_pair {
  quoin_term subject, predicate;
} term_pair;

static quoin_term
to_term(const atom_store *atoms, atom_id id, base_arena *arena)
{
  quoin_error err = QUOIN_ERROR_INIT;
  rdf_term t;
  check(atom_read(&t, atoms, id, arena, &err), &err);
  return (quoin_term){.kind = t.kind == RDF_IRI ? QUOIN_TERM_IRI : QUOIN_TERM_BLANK,
                      .value = t.value};
}

static void
write_sample(const char *path, const term_pair *pairs)
{
  FILE *out = fopen(path, "w");
  if (!out) {
    perror(path);
    exit(1);
  }
  for (unsigned i = 0; i < PAIRS; i++)
    (void)fprintf(out, "<%.*s> <%.*s> \"\" .\n", (int)pairs[i].subject.value.len,
                  pairs[i].subject.value.ptr, (int)pairs[i].predicate.value.len,
                  pairs[i].predicate.value.ptr);
  if (fclose(out)) perror(path);
}

static void
by_terms(const bench *b, const char *path, const term_pair *pairs, unsigned bound)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  uint64_t rows = 0, start = 0;
  unsigned n = b->lookups / 4;

  options.mode = QUOIN_READ_ONLY;
  check(quoin_open(&store, path, &options, &err), &err);
  for (unsigned i = 0; i < n + n / 8; i++) {
    const term_pair *p = &pairs[i % PAIRS];
    quoin_statement pattern = {.subject = p->subject};
    const quoin_statement *row;
    quoin_matches *m;
    if (i == n / 8) {
      start = cpu_ns();
      rows = 0;
    }
    if (bound == 2) pattern.predicate = p->predicate;
    check(quoin_match(&m, store, &pattern, QUOIN_DEFAULT_GRAPH, &err), &err);
    while (!quoin_matches_next(&row, m, &err))
      rows++;
    quoin_matches_close(m);
  }
  print("the store's", "terms", bound, cpu_ns() - start, rows, n);
  quoin_close(store);
}

/* ---- ------------------------------------------------------------------------------------------
 */

/* All triples of the default graph, and the pairs of PAIRS of them whose subject is an IRI. */
static void
gather(bench *b, const quad_snapshot *s)
{
  const quad_pattern all = {.scope = QUAD_DEFAULT};
  quoin_error err = QUOIN_ERROR_INIT;
  quad_scan *scan;
  quad_batch batch;
  uint64_t count;

  check(quad_count(&count, s, &all, &err), &err);
  b->room = (size_t)count;
  b->triples = obtain(base_new(base_alloc_default(), 3 * b->room + 3, sizeof(uint64_t)));
  check(quad_scan_open(&scan, s, &all, QUAD_SPO, 7, &err), &err);
  while (!quad_scan_next(&batch, scan, &err))
    for (size_t i = 0; i < batch.rows; i++, b->n++)
      for (unsigned k = 0; k < 3; k++)
        b->triples[3 * b->n + k] = batch.column[k][i].bits;
  quad_scan_close(scan);
  for (uint64_t i = 0, tried = 0; i < PAIRS; tried++) {
    const uint64_t *t = b->triples + 3 * (base_mix(tried + 99) % (b->n ? b->n : 1));
    if (!b->n || tried > 100 * (uint64_t)PAIRS) {
      (void)fputs("the default graph has no subjects that are IRIs\n", stderr);
      exit(1);
    }
    if (atom_id_kind((atom_id){t[0]}) != ATOM_IRI) continue;
    b->pairs[i++] = (quad){{{t[0]}, {t[1]}, {t[2]}, {0}}};
  }
}

static void
run(bench *b, const char *path, const char *folder, const char *sample)
{
  const quad_store_options options = {.read_only = true};
  const base_alloc *mem = base_alloc_default();
  quoin_error err = QUOIN_ERROR_INIT;
  quad_store *store;
  quad_snapshot *s;
  base_arena arena;
  base_dir dir;
  term_pair *terms = obtain(base_new(mem, PAIRS, sizeof *terms));

  check(quad_store_open(&store, path, &options, NULL, &err), &err);
  check(quad_snapshot_acquire(&s, store, &err), &err);
  check(base_dir_open(&dir, folder, &err), &err);
  base_arena_init(&arena, mem);
  gather(b, s);
  for (unsigned i = 0; i < PAIRS; i++) {
    terms[i].subject = to_term(quad_store_atoms(store), b->pairs[i].term[QUAD_S], &arena);
    terms[i].predicate = to_term(quad_store_atoms(store), b->pairs[i].term[QUAD_P], &arena);
  }
  if (sample) write_sample(sample, terms);
  (void)printf("%zu triples\n%-12s %-8s %-8s %8s %10s %8s\n", b->n, "runs", "how", "pattern", "ns",
               "M/s", "rows");
  if (is_wanted(b, "the store's")) measure(b, "the store's", s);
  for (unsigned bound = 1; bound <= 2 && is_wanted(b, "the store's"); bound++)
    by_terms(b, path, terms, bound);
  measure_runs(b, "1", &dir, 1, apart);
  measure_runs(b, "8 apart", &dir, RUNS, apart);
  measure_runs(b, "8 halving", &dir, RUNS, halving);
  measure_runs(b, "8 equal", &dir, RUNS, equal);
  base_dir_close(&dir);
  base_arena_clear(&arena);
  base_release(mem, terms, PAIRS, sizeof *terms);
  quad_snapshot_release(s);
  check(quad_store_close(store, &err), &err);
}

int
main(int argc, char **argv)
{
  static bench b = {.lookups = 1000000};
  const char *sample = NULL;
  int at = 1;

  for (; at < argc && !strncmp(argv[at], "--", 2); at++) {
    if (!strcmp(argv[at], "--lookups") && at + 1 < argc)
      b.lookups = (unsigned)strtoul(argv[++at], NULL, 10);
    else if (!strcmp(argv[at], "--sample") && at + 1 < argc)
      sample = argv[++at];
    else if (!strcmp(argv[at], "--runs") && at + 1 < argc)
      b.only = argv[++at];
    else
      return fputs(usage, strcmp(argv[at], "--help") ? stderr : stdout) < 0 ||
             strcmp(argv[at], "--help") != 0;
  }
  if (at >= argc || b.lookups < 8) {
    (void)fputs(usage, stderr);
    return 2;
  }
  run(&b, argv[at], at + 1 < argc ? argv[at + 1] : ".", sample);
  base_release(base_alloc_default(), b.triples, 3 * b.room + 3, sizeof(uint64_t));
  return 0;
}
