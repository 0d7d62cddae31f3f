/* quoin_soak MINUTES DIR: a pool under eight threads, three processes and kill -9, beside a model
 * of what must be in it. For scripts/soak; soak.h says what is checked.
 *
 * Times of killing and times of peace alternate. In the first the writing process lives for some
 * tenths of a second to some seconds; after each death a judge reads everything. In the second it
 * and one reader live to the end, and their memory and descriptors must not grow. */
#include "soak/soak.h"

#include <dirent.h>
#include <errno.h>
#if defined(__GLIBC__)
#include <execinfo.h>
#endif
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLES = 4096, SAMPLE_MS = 1000, READERS = 2 };

static const char *const kinds[SOAK_KINDS] = {
    "commits",  "conflicts", "counts",      "queries",     "scans",     "searches",  "found",
    "of these", "switches",  "creates",     "deletes",     "clears",    "loads",     "rents",
    "backups",  "restores",  "compactions", "checkpoints", "temporary", "refreshes", "readings"};

typedef struct sample {
  uint64_t live, anonymous, resident, descriptors, mappings; /* bytes three times, and counts */
} sample;

typedef struct series {
  sample at[SAMPLES];
  unsigned n;
} series;

typedef struct driver {
  soak_run run;
  pid_t writer, reader[READERS];
  unsigned writer_kills, reader_kills, judged;
  uint64_t random, started;
} driver;

static uint64_t
now_ms(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
nap_ms(uint64_t ms)
{
  struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  (void)nanosleep(&t, NULL);
}

/* ---- processes ------------------------------------------------------------------------------- */

/* Where a process crashed, for addr2line. */
static void
on_crash(int signal)
{
#if defined(__GLIBC__)
  void *frame[64];
  backtrace_symbols_fd(frame, backtrace(frame, 64), STDERR_FILENO);
#endif
  (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  (void)raise(signal);
}

static void
report_crashes(void)
{
  static const int all[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    (void)sigaction(all[i], &(struct sigaction){.sa_handler = on_crash}, NULL);
}

typedef void (*soak_main)(const soak_run *run);

static pid_t
start(driver *d, soak_main what, _Atomic int64_t *live)
{
  (void)fflush(stdout);
  d->run.live = live;
  if (live) atomic_store(live, 0);
  d->run.seed = soak_draw(&d->random);
  const pid_t child = fork();
  if (child < 0) {
    perror("fork");
    exit(1);
  }
  if (child) return child;
  report_crashes();
  what(&d->run);
  _exit(0);
}

/* A process that ended by itself, other than well, has found something. */
static bool
ended_well(driver *d, pid_t child, bool killed)
{
  int status = 0;
  (void)waitpid(child, &status, 0);
  if (killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  if (!atomic_exchange(&d->run.model->broken, true))
    (void)snprintf(d->run.model->message, sizeof d->run.model->message,
                   "process %ld ended with status %x", (long)child, (unsigned)status);
  return false;
}

static bool
kill_process(driver *d, pid_t *child)
{
  pid_t it = *child;
  *child = 0;
  if (!it) return true;
  (void)kill(it, SIGKILL);
  return ended_well(d, it, true);
}

static bool
judge(driver *d)
{
  pid_t child = start(d, soak_judge, NULL);
  d->judged++;
  return ended_well(d, child, false);
}

/* Has one of them ended by itself? */
static bool
all_live(driver *d)
{
  pid_t all[1 + READERS] = {d->writer};
  int status;
  memcpy(all + 1, d->reader, sizeof d->reader);
  for (unsigned i = 0; i < 1 + READERS; i++) {
    if (!all[i] || waitpid(all[i], &status, WNOHANG) != all[i]) continue;
    if (!atomic_exchange(&d->run.model->broken, true))
      (void)snprintf(d->run.model->message, sizeof d->run.model->message, "%s ended with status %x",
                     i ? "a reader" : "the writer", (unsigned)status);
  }
  return !atomic_load(&d->run.model->broken);
}

/* Wait, as long as all goes well. */
static bool
watch(driver *d, uint64_t ms)
{
  uint64_t until = now_ms() + ms;
  for (uint64_t now; (now = now_ms()) < until && all_live(d);)
    nap_ms(until - now < 50 ? until - now : 50);
  return all_live(d);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static uint64_t
entries_of(const char *path)
{
  DIR *dir = opendir(path);
  uint64_t n = 0;
  while (dir && readdir(dir))
    n++;
  if (dir) (void)closedir(dir);
  return n;
}

static void
take_sample(series *s, pid_t child, int64_t live)
{
  char path[64], line[256];
  unsigned long kb;
  sample now = {.live = live > 0 ? (uint64_t)live : 0};

  (void)snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)child);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) {
    if (sscanf(line, "Anonymous: %lu kB", &kb) == 1) now.anonymous += (uint64_t)kb << 10;
    if (sscanf(line, "Swap: %lu kB", &kb) == 1) now.anonymous += (uint64_t)kb << 10;
    if (sscanf(line, "Rss: %lu kB", &kb) == 1) now.resident = (uint64_t)kb << 10;
  }
  if (f) (void)fclose(f);
  (void)snprintf(path, sizeof path, "/proc/%ld/maps", (long)child);
  f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f))
    now.mappings += strchr(line, '\n') != NULL;
  if (f) (void)fclose(f);
  (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)child);
  now.descriptors = entries_of(path);
  if (now.resident && s->n < SAMPLES) s->at[s->n++] = now;
}

/* The mean of a part of the series. */
static sample
mean(const series *s, unsigned from, unsigned to)
{
  sample sum = {0};
  for (unsigned i = from; i < to; i++) {
    sum.live += s->at[i].live;
    sum.anonymous += s->at[i].anonymous;
    sum.resident += s->at[i].resident;
    sum.descriptors += s->at[i].descriptors;
    sum.mappings += s->at[i].mappings;
  }
  uint64_t n = to > from ? to - from : 1;
  return (sample){sum.live / n, sum.anonymous / n, sum.resident / n, sum.descriptors / n,
                  sum.mappings / n};
}

/* From the second quarter to the last half as much again and a little are allowed: what the stores
 * hold comes and goes at random. What is allocated shows a leak; the allocator's own share of what
 * is anonymous grows to its plateau over minutes. */
static bool
is_flat(driver *d, const series *s, const char *who)
{
  sample a = mean(s, s->n / 4, s->n / 2), b = mean(s, s->n - s->n / 4, s->n);
  printf("  %s, in eighths of the time:\n", who);
  for (unsigned i = 0; i < 8; i++) {
    sample m = mean(s, s->n * i / 8, s->n * (i + 1) / 8);
    printf("    %6.1f MiB allocated, %6.1f anonymous, %6.1f resident, %4" PRIu64
           " descriptors, %5" PRIu64 " mappings\n",
           (double)m.live / 1048576, (double)m.anonymous / 1048576, (double)m.resident / 1048576,
           m.descriptors, m.mappings);
  }
  if (s->n < 40) return true;
  bool flat = b.live <= a.live + a.live / 2 + (16 << 20) &&
              b.anonymous <= a.anonymous + a.anonymous / 2 + (48 << 20) &&
              b.descriptors <= a.descriptors + a.descriptors / 2 + 16 &&
              b.mappings <= a.mappings + a.mappings / 2 + 32;
  if (!flat && !atomic_exchange(&d->run.model->broken, true))
    (void)snprintf(d->run.model->message, sizeof d->run.model->message, "%s grows", who);
  return flat;
}

/* ---- the two times --------------------------------------------------------------------------- */

static void
start_missing(driver *d)
{
  for (unsigned i = 0; i < READERS; i++)
    if (!d->reader[i]) d->reader[i] = start(d, soak_read, i ? NULL : &d->run.model->bytes[1]);
  if (!d->writer) d->writer = start(d, soak_write, &d->run.model->bytes[0]);
}

/* Sometimes a reader is stopped for a while, so that the writer runs away from it. */
static bool
vex_reader(driver *d)
{
  unsigned i = (unsigned)(soak_draw(&d->random) % READERS);
  if (soak_draw(&d->random) % 2) {
    d->reader_kills++;
    return kill_process(d, &d->reader[i]);
  }
  (void)kill(d->reader[i], SIGSTOP);
  bool good = watch(d, soak_draw(&d->random) % 1000);
  (void)kill(d->reader[i], SIGCONT);
  return good;
}

static bool
time_of_killing(driver *d, uint64_t ms)
{
  uint64_t until = now_ms() + ms;
  while (now_ms() < until) {
    uint64_t draw = soak_draw(&d->random);
    start_missing(d);
    if (!watch(d, 20 + draw % (draw >> 40 & 3 ? 1200 : 5000))) return false;
    if (draw >> 50 & 1 && !vex_reader(d)) return false;
    d->writer_kills++;
    if (!kill_process(d, &d->writer) || !judge(d)) return false;
  }
  return true;
}

static bool
time_of_peace(driver *d, uint64_t ms)
{
  static series of_writer, of_reader;
  uint64_t until = now_ms() + ms, next_kill = now_ms() + 1500;

  of_writer.n = of_reader.n = 0;
  start_missing(d);
  while (now_ms() < until) {
    if (!watch(d, SAMPLE_MS)) return false;
    take_sample(&of_writer, d->writer, atomic_load(&d->run.model->bytes[0]));
    take_sample(&of_reader, d->reader[0], atomic_load(&d->run.model->bytes[1]));
    if (now_ms() < next_kill) continue;
    next_kill = now_ms() + 500 + soak_draw(&d->random) % 4000;
    d->reader_kills++;
    if (!kill_process(d, &d->reader[1])) return false;
    d->reader[1] = start(d, soak_read, NULL);
  }
  if (!is_flat(d, &of_writer, "writer") || !is_flat(d, &of_reader, "reader")) return false;
  d->writer_kills++;
  return kill_process(d, &d->writer) && judge(d);
}

/* The last time the processes end by themselves: nobody is killed, nothing is left. */
static bool
end_well(driver *d)
{
  start_missing(d);
  if (!watch(d, 2000)) return false;
  atomic_store(&d->run.model->stop, true);
  bool good = ended_well(d, d->writer, false);
  for (unsigned i = 0; i < READERS; i++)
    good &= ended_well(d, d->reader[i], false);
  return good && judge(d);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void
found_pool(const soak_run *run)
{
  static const char *const names[] = {"live", "next"};
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store;
  quoin_pool *pool;

  options.mode = QUOIN_CREATE_NEW;
  soak_good(run->model, quoin_pool_open(&pool, run->pool, &options, &err), &err, "founding");
  for (uint32_t i = 0; i < SOAK_STORES; i++) {
    soak_good(run->model, quoin_pool_create(pool, names[i], 0, &err), &err, "founding");
    soak_good(run->model, quoin_pool_store(&store, pool, names[i], &err), &err, "founding");
    soak_good(run->model, soak_found_store(store, i, &err), &err, "founding");
    quoin_close(store);
  }
  quoin_pool_close(pool);
}

static void
report(const driver *d, bool good)
{
  const soak_model *m = d->run.model;
  printf("%.1f minutes, %u kills of the writer, %u of readers, %u judgements\n",
         (double)(now_ms() - d->started) / 60000, d->writer_kills, d->reader_kills, d->judged);
  for (unsigned k = 0; k < SOAK_KINDS; k++)
    printf("%s%s %" PRIu64, k ? ", " : "  ", kinds[k], atomic_load(&m->count[k]));
  printf("\n%s\n", good ? "nothing lost, nothing wrong" : m->message);
}

static bool
soak(driver *d, uint64_t minutes)
{
  uint64_t cycles = (minutes + 4) / 5, ms = minutes * 60000 / (cycles ? cycles : 1);
  pid_t child = start(d, found_pool, NULL);

  if (!ended_well(d, child, false)) return false;
  for (uint64_t i = 0; i < cycles; i++) {
    if (!time_of_killing(d, ms * 2 / 5)) return false;
    printf("cycle %" PRIu64 " of %" PRIu64 ": %u kills of the writer\n", i + 1, cycles,
           d->writer_kills);
    if (!time_of_peace(d, ms * 3 / 5)) return false;
  }
  uint64_t graph = atomic_load(&d->run.model->count[SOAK_GRAPH]);
  uint64_t nearest = atomic_load(&d->run.model->count[SOAK_NEAREST]);
  if (nearest < graph - graph / 50) {
    (void)snprintf(d->run.model->message, sizeof d->run.model->message,
                   "the graph found %" PRIu64 " of %" PRIu64, nearest, graph);
    return false;
  }
  return end_well(d);
}

int
main(int argc, char **argv)
{
  const char *text = getenv("QUOIN_SEED");
  uint64_t minutes = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
  char pool[512], side[512];
  soak_model *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  driver d = {.started = now_ms()};

  if (!minutes || m == MAP_FAILED) {
    (void)fputs("usage: quoin_soak MINUTES DIR\n", stderr);
    return 2;
  }
  d.random = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
  printf("seed %" PRIu64 ", %" PRIu64 " minutes, %s\n", d.random, minutes, argv[2]);
  (void)snprintf(pool, sizeof pool, "%.480s/pool", argv[2]);
  (void)snprintf(side, sizeof side, "%.480s/side", argv[2]);
  if (mkdir(side, 0777) && errno != EEXIST) {
    perror(side);
    return 1;
  }
  d.run = (soak_run){.model = m, .pool = pool, .side = side};
  bool good = soak(&d, minutes);
  (void)kill_process(&d, &d.writer);
  for (unsigned i = 0; i < READERS; i++)
    (void)kill_process(&d, &d.reader[i]);
  report(&d, good && !atomic_load(&m->broken));
  return good && !atomic_load(&m->broken) ? 0 : 1;
}
