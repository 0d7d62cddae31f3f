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
 *   beside   half of the vectors lie in the graph; one thread searches, idle and beside another
 * that commits at shares of the rate at which one thread links (--rate), then as fast as it goes;
 * samples of the answers are judged by exact ones batch    the queries at once, by one thread and
 * by two, over half of the vectors singles  one thread, commits of one vector and of 10,000 What
 * was acknowledged is counted and searched for afterwards; what is missing ends the program.
 */
#include "bench/writes.h"

#include <string.h>

enum { BIG = 10000 };

static const char usage[] =
    "usage: quoin-bench-vector-writes [options] BASE.npy QUERY.npy COMMAND...\n"
    "COMMAND: writes, latency, singles, mixed, beside or batch\n"
    "  --threads N     of writes and mixed (16)\n"
    "  --vectors N     (100000)\n"
    "  --batch B       vectors a commit (writes: 1, 100 and 1000; beside: 10)\n"
    "  --durability D  full, relaxed or off (writes: each; else full)\n"
    "  --reads SHARE   of mixed (0.9)\n"
    "  --rate R        vectors a second: latency (as many as go), beside (what one thread links)\n"
    "  --seconds S     of mixed, singles, each line of beside, and at most of a burst (10)\n"
    "  --no-settle     writes: do not wait for the graph\n"
    "  --series FILE   milliseconds of each commit and search of the last run, for bench/plot.py\n"
    "  --dir DIR       where stores are made ($TMPDIR or /var/tmp)\n";

static void
one_burst(const input *in, quoin_durability durability, unsigned batch)
{
  const options *o = &in->o;
  outcome out;
  run r;

  run_open(&r, in, durability);
  r.batch = batch;
  double load = load_now();
  go(&out, &r, o->threads, 0, o->vectors, o->seconds);
  double linked = o->settle ? settle(&r) : 0;
  (void)printf("writes\t%.1f\t%s\t%u\t%u\t%llu\t%.0f", load, durability_name(durability),
               o->threads, batch, (unsigned long long)out.acknowledged,
               (double)out.acknowledged / out.seconds);
  print_times(&out.commit);
  (void)printf("\t%.2f", 1e6 * out.cpu / (double)out.acknowledged);
  if (o->settle)
    (void)printf("\t%.2f\t%.0f\n", linked, (double)out.acknowledged / (out.seconds + linked));
  else
    (void)puts("\t\t");
  (void)fflush(stdout);
  verify(&r, out.acknowledged, o->settle);
  run_close(&r);
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

/* What is in a store must not make commits slower. */
static void
latency(const input *in)
{
  const options *o = &in->o;
  static outcome out;
  run r;

  (void)puts("command\tload\tsync\tthreads\tbatch\tvectors\tcommits/s\tp50 ms\tp99 ms\tmax ms\t"
             "p99 times that of the first");
  run_open(&r, in, durability_of(in));
  r.batch = o->batch ? o->batch : 1;
  r.rate = o->rate;
  double load = load_now();
  go(&out, &r, o->threads, 0, o->vectors, 3600);
  for (size_t i = 0; i < 10; i++) {
    const times *t = &out.tenth[i];
    (void)printf("latency\t%.1f\t%s\t%u\t%zu\t%zu\t%.0f", load, durability_name(durability_of(in)),
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
  run_close(&r);
}

static void
singles(const input *in)
{
  double rate[2];

  (void)puts(
      "command\tload\tsync\tbatch\tvectors\tvectors/s\ttimes singles\tp50 ms\tp99 ms\tmax ms");
  for (unsigned i = 0; i < 2; i++) {
    outcome out;
    run r;
    run_open(&r, in, durability_of(in));
    r.batch = i ? BIG : 1;
    double load = load_now();
    go(&out, &r, 1, 0, in->o.vectors, in->o.seconds);
    rate[i] = (double)out.acknowledged / out.seconds;
    (void)printf("singles\t%.1f\t%s\t%zu\t%llu\t%.0f\t%.1f", load,
                 durability_name(durability_of(in)), r.batch, (unsigned long long)out.acknowledged,
                 rate[i], rate[i] / rate[0]);
    print_times(&out.commit);
    (void)puts("");
    (void)fflush(stdout);
    (void)settle(&r);
    verify(&r, out.acknowledged, true);
    run_close(&r);
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
    for (o->durability = 2; o->durability >= 0 &&
                            strcmp(value, durability_name((quoin_durability)o->durability)) != 0;)
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
  } commands[] = {{"writes", writes},   {"mixed", mixed}, {"beside", beside},
                  {"latency", latency}, {"batch", batch}, {"singles", singles}};
  const size_t n_commands = sizeof commands / sizeof commands[0];
  input in = {.o = {.threads = 16,
                    .vectors = 100000,
                    .durability = -1,
                    .reads = 0.9,
                    .seconds = 10,
                    .settle = true}};
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
