/* One large transaction through the public interface: time, and the most memory it took.
 *
 *   quoin-bench-large DIR QUADS add|update [MEMORY-BYTES]
 *
 * `add`: QUADS quads of terms of their own but for the predicate, by quoin_txn_add. `update`: the
 * same quads loaded by two of those, then INSERT { GRAPH <g> { ?s ?p ?o } } WHERE { ?s ?p ?o }. */
#include <quoin/quoin.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static void
check(quoin_status st, const quoin_error *err)
{
  if (!st) return;
  (void)fprintf(stderr, "status %d: %s\n", (int)st, err->message);
  exit(1);
}

static quoin_span
span(const char *text)
{
  return (quoin_span){text, strlen(text)};
}

static double
wall_seconds(void)
{
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
user_seconds(void)
{
  struct rusage use;
  (void)getrusage(RUSAGE_SELF, &use);
  return (double)use.ru_utime.tv_sec + (double)use.ru_utime.tv_usec / 1e6;
}

/* A line of /proc/self/status in MB. */
static unsigned long
status_mb(const char *key)
{
  char line[256];
  unsigned long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof(line), f))
    if (!strncmp(line, key, strlen(key))) kb = strtoul(line + strlen(key) + 1, NULL, 10);
  if (f) (void)fclose(f);
  return kb / 1024;
}

static unsigned long most_anonymous;

static void
look(void)
{
  unsigned long now = status_mb("RssAnon");
  if (now > most_anonymous) most_anonymous = now;
}

static void
add(quoin_store *store, unsigned long from, unsigned long to)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn;
  uint64_t added;
  check(quoin_txn_begin(&txn, store, &err), &err);
  for (unsigned long i = from; i < to; i++) {
    char s[64], o[64];
    (void)snprintf(s, sizeof(s), "http://example.org/subject/%lu", i / 8);
    (void)snprintf(o, sizeof(o), "the text of number %lu", i);
    const quoin_statement q = {
        .subject = {.kind = QUOIN_TERM_IRI, .value = span(s)},
        .predicate = {.kind = QUOIN_TERM_IRI, .value = span("http://example.org/p")},
        .object = {.kind = QUOIN_TERM_LITERAL, .value = span(o)},
    };
    check(quoin_txn_add(txn, &q, &err), &err);
    if (i % 65536 == 0) look();
  }
  look();
  check(quoin_txn_commit(&added, NULL, txn, &err), &err);
  look();
  if (added != to - from) exit(1);
}

int
main(int argc, char **argv)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_store *store;
  if (argc < 4) return 2;
  unsigned long n = strtoul(argv[2], NULL, 10);
  bool update = !strcmp(argv[3], "update");
  options.mode = QUOIN_CREATE_NEW;
  if (argc > 4) options.memory_bytes = strtoull(argv[4], NULL, 10);
  check(quoin_open(&store, argv[1], &options, &err), &err);
  double begun = wall_seconds(), user = user_seconds();
  add(store, 0, update ? n / 2 : n);
  if (update) {
    quoin_update_result got;
    add(store, n / 2, n);
    begun = wall_seconds();
    user = user_seconds();
    check(quoin_update(
              &got, store,
              span("INSERT { GRAPH <http://example.org/g> { ?s ?p ?o } } WHERE { ?s ?p ?o }"), NULL,
              &err),
          &err);
    look();
  }
  (void)printf(
      "%s %lu: %.2f s, user %.2f s, %.0f quads/s; most resident %lu MB, anonymous %lu MB\n",
      argv[3], n, wall_seconds() - begun, user_seconds() - user,
      (double)n / (wall_seconds() - begun), status_mb("VmHWM"), most_anonymous);
  quoin_close(store);
  return 0;
}
