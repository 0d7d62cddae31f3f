/* bench/scan.c - runs without terms: build, encode, decode, scan, seek, count.
 *
 *   bench_scan [TRIPLES] [DIR]
 *
 * Triples of shop-like skew: subjects of about ten triples each in order of appearance, 40
 * predicates, objects that are IRIs (skewed), literals of their own and small integers. */
#include "quadstore/sort.h"
#include "quadstore/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state = 1;

static uint64_t
draw(void)
{
  state += UINT64_C(0x9e3779b97f4a7c15);
  return base_mix(state);
}

static double
seconds(uint64_t since)
{
  return (double)(base_clock_ns() - since) * 1e-9;
}

/* Of this thread: the machine may be busy. */
static uint64_t
cpu_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double
cpu_seconds(uint64_t since)
{
  return (double)(cpu_ns() - since) * 1e-9;
}

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "%s\n", err->message);
  exit(1);
}

static void
generate(uint64_t *rec, size_t n)
{
  uint64_t next = 1, subject = 0, p = 0;

  for (size_t i = 0; i < n; i++, rec += 3) {
    uint64_t r = draw();
    if (i % 10 == 0) subject = atom_id_make(ATOM_IRI, next++).bits, p = 0;
    p += 1 + r % 6;
    rec[0] = subject;
    rec[1] = atom_id_make(ATOM_IRI, 3 + 2 * p % 97).bits;
    switch (r >> 32 & 3) {
    case 0:
      rec[2] = atom_id_make(ATOM_STRING, next++).bits;
      break;
    case 1:
      rec[2] = atom_id_make(ATOM_INTEGER, UINT64_C(1) << 57 | (r >> 40) % 2000).bits;
      break;
    default:
      rec[2] = atom_id_make(ATOM_IRI, 1 + (r >> 36) % (1 + draw() % next)).bits;
      break;
    }
  }
}

static const char *const names[] = {"SPO", "SOP", "PSO", "POS", "OSP", "OPS"};

static void
report_sizes(const quad_run *run)
{
  for (unsigned o = 0; o < 6; o++) {
    const quad_section *s = &run->section[0][o];
    (void)printf("%s %.2f bytes/triple, index %.2f\n", names[o],
                 (double)s->blocks_len / (double)s->entries,
                 (double)(s->tops_at - s->pages_at + s->pages * 24) / (double)s->entries);
  }
  (void)printf("run file %.2f bytes/triple\n", (double)run->bytes / (double)run->entries);
}

static void
bench_scan(const quad_snapshot *s)
{
  quoin_error err = QUOIN_ERROR_INIT;

  for (unsigned pass = 0; pass < 2; pass++)
    for (unsigned o = 0; o < 6; o++) {
      quad_pattern all = {.scope = QUAD_DEFAULT};
      quad_scan *scan;
      quad_batch b;
      uint64_t rows = 0, start = cpu_ns();
      double t;
      check(quad_scan_open(&scan, s, &all, (quad_order)o, 7, &err), &err);
      while (!quad_scan_next(&b, scan, &err))
        rows += b.rows;
      t = cpu_seconds(start);
      quad_scan_close(scan);
      (void)printf("scan %s %s: %.0f M rows/s, %.2f G ids/s\n", pass ? "warm" : "first", names[o],
                   (double)rows / t * 1e-6, 3 * (double)rows / t * 1e-9);
    }
}

/* (s p ?) with s drawn at random or ascending, as an index-lookup join asks. */
static void
bench_rebind(const quad_snapshot *s, const uint64_t *rec, size_t n, bool ascending)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const unsigned lookups = 1000000;
  quad_pattern p = {.scope = QUAD_DEFAULT};
  quad_scan *scan;
  quad_batch b;
  uint64_t rows = 0, start;
  double t;

  for (unsigned bound = 1; bound <= 2; bound++) {
    p.match = (quad){{{rec[0]}, {bound == 2 ? rec[1] : 0}, {0}, {0}}};
    check(quad_scan_open(&scan, s, &p, QUAD_SPO, 4, &err), &err);
    rows = 0;
    start = cpu_ns();
    for (unsigned i = 0; i < lookups; i++) {
      const uint64_t *r = rec + 3 * (ascending ? (size_t)i * n / lookups : (size_t)(draw() % n));
      p.match.term[0].bits = r[0];
      if (bound == 2) p.match.term[1].bits = r[1];
      check(quad_scan_rebind(scan, &p, &err), &err);
      while (!quad_scan_next(&b, scan, &err))
        rows += b.rows;
    }
    t = cpu_seconds(start);
    quad_scan_close(scan);
    (void)printf("rebind + next to the end, (s %s ?) %s: %.0f ns, %.1f rows\n",
                 bound == 2 ? "p" : "?", ascending ? "ascending" : "random", t / lookups * 1e9,
                 (double)rows / lookups);
  }
}

static void
bench_count(const quad_snapshot *s, const uint64_t *rec, size_t n)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const unsigned calls = 200000;

  for (unsigned bound = 1; bound < 8; bound++) {
    uint64_t start = cpu_ns(), sum = 0;
    for (unsigned i = 0; i < calls; i++) {
      const uint64_t *r = rec + 3 * (size_t)(draw() % n);
      quad_pattern p = {.scope = QUAD_DEFAULT};
      uint64_t count;
      for (unsigned k = 0; k < 3; k++)
        if (bound >> k & 1) p.match.term[k].bits = r[k];
      check(quad_count(&count, s, &p, &err), &err);
      sum += count;
    }
    (void)printf("count (%s %s %s): %.0f ns, mean %.1f\n", bound & 1 ? "s" : "?",
                 bound & 2 ? "p" : "?", bound & 4 ? "o" : "?", cpu_seconds(start) / calls * 1e9,
                 (double)sum / calls);
  }
}

int
main(int argc, char **argv)
{
  static const uint8_t spo[3] = {QUAD_S, QUAD_P, QUAD_O};
  size_t n = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : 1000000;
  const char *path = argc > 2 ? argv[2] : ".";
  const base_alloc *mem = base_alloc_default();
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t *rec = base_new(mem, 3 * n, 8), *data, *spare, start;
  base_dir dir;
  quad_writer *w;
  quad_run *run;
  quad_version *v;
  quad_snapshot *s;

  data = base_new(mem, 3 * n, 8);
  spare = base_new(mem, 3 * n, 8);
  if (!rec || !data || !spare) return 1;
  generate(rec, n);
  for (unsigned threads = 1; threads <= 2; threads++) {
    quad_ranks ranks;
    double sorted;
    check(base_dir_open(&dir, path, &err), &err);
    uint64_t *ids = base_new(mem, 3 * n, 8);
    if (!ids) return 1;
    memcpy(ids, rec, 3 * n * sizeof *ids);
    start = base_clock_ns();
    check(quad_ranks_new(&ranks, ids, n, n, 3, threads, mem, &err), &err);
    check(quad_ranks_sort(&ranks, spo, 3, &err), &err);
    quad_ranks_unique(&ranks);
    sorted = seconds(start);
    (void)base_dir_unlink(&dir, "bench-run", NULL);
    check(quad_writer_open(&w, &dir, "bench-run", 1, 63, mem, &err), &err);
    check(quad_build_orders(w, 0, &ranks, false, NULL, &err), &err);
    check(quad_writer_finish(w, false, &err), &err);
    quad_ranks_clear(&ranks);
    (void)printf("build, %u thread(s): first sort %.2f s, all %.2f s, %.2f M triples/s\n", threads,
                 sorted, seconds(start), (double)n / seconds(start) * 1e-6);
  }
  {
    quad_records t = {.stride = 3, .keys = 3, .data = data, .spare = spare, .n = n};
    static const uint8_t chain[5] = {QUAD_P, QUAD_O, QUAD_S, QUAD_O, QUAD_P};
    memcpy(t.data, rec, 24 * n);
    start = base_clock_ns();
    quad_records_survey(&t);
    check(quad_records_sort(&t, spo, 3, mem, &err), &err);
    for (unsigned i = 0; i < 5; i++)
      check(quad_records_sort(&t, chain + i, 1, mem, &err), &err);
    (void)printf("six sorts: %.2f s\n", seconds(start));
  }
  check(quad_run_open(&run, &dir, "bench-run", 1, mem, &err), &err);
  report_sizes(run);
  check(quad_version_new(&v, 1, mem, &err), &err);
  v->orders = 63;
  quad_version_push(v, run);
  quad_run_release(run);
  check(quad_snapshot_make(&s, v, mem, &err), &err);
  bench_scan(s);
  bench_rebind(s, rec, n, true);
  bench_rebind(s, rec, n, false);
  bench_count(s, rec, n);
  quad_snapshot_release(s);
  (void)base_dir_unlink(&dir, "bench-run", NULL);
  base_dir_close(&dir);
  base_release(mem, rec, 3 * n, 8);
  base_release(mem, data, 3 * n, 8);
  base_release(mem, spare, 3 * n, 8);
  return 0;
}
