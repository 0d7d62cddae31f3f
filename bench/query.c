/* bench/query.c - how long queries take, in process through the public interface.
 *
 *   quoin-bench-query STORE REPEAT < queries     (a line each: name TAB query)
 *
 * Prints a line each: name TAB rows TAB median milliseconds of parsing, planning and pulling all
 * rows. A query is repeated up to REPEAT times or three seconds. bench/peers.py sets it beside a
 * peer. */
#include <quoin/quoin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEAT_MAX = 1000 };

static double
now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Pull every row; rows of a SELECT by batch, triples one by one. */
static quoin_status
drain(uint64_t *rows, quoin_store *store, const char *text, quoin_error *err)
{
  quoin_cursor *cursor = NULL;
  quoin_span sparql = {text, strlen(text)};
  quoin_status st = quoin_query(&cursor, store, sparql, NULL, err);
  quoin_query_form form = st ? QUOIN_ASK : quoin_cursor_form(cursor);
  *rows = 0;
  while (!st) {
    quoin_batch batch;
    const quoin_statement *triple;
    if (form == QUOIN_SELECT) {
      if (!(st = quoin_cursor_batch(&batch, cursor, err))) *rows += batch.rows;
    } else {
      st = form == QUOIN_ASK ? quoin_cursor_next(cursor, err)
                             : quoin_cursor_triple(&triple, cursor, err);
      if (!st) ++*rows;
    }
  }
  quoin_cursor_close(cursor);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static int
by_value(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void
measure(quoin_store *store, const char *name, const char *text, int repeat)
{
  double times[REPEAT_MAX], begin = now_ms();
  uint64_t rows = 0;
  int n = 0;
  while (n < repeat && (n == 0 || now_ms() - begin < 3000)) {
    quoin_error err = QUOIN_ERROR_INIT;
    double start = now_ms();
    if (drain(&rows, store, text, &err)) {
      printf("%s\terror: %s\t0\n", name, err.message);
      return;
    }
    times[n++] = now_ms() - start;
  }
  qsort(times, (size_t)n, sizeof(times[0]), by_value);
  printf("%s\t%llu\t%.4f\n", name, (unsigned long long)rows, times[n / 2]);
}

int
main(int argc, char **argv)
{
  if (argc != 3) {
    fputs("usage: quoin-bench-query STORE REPEAT < queries\n", stderr);
    return 2;
  }
  int repeat = atoi(argv[2]);
  if (repeat < 1 || repeat > REPEAT_MAX) repeat = 20;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  options.mode = QUOIN_READ_ONLY;
  quoin_store *store = NULL;
  if (quoin_open(&store, argv[1], &options, &err)) {
    fprintf(stderr, "error: %s\n", err.message);
    return 1;
  }
  char *line = NULL;
  size_t cap = 0;
  for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
    if (line[len - 1] == '\n') line[len - 1] = 0;
    char *tab = strchr(line, '\t');
    if (!tab) continue;
    *tab = 0;
    measure(store, line, tab + 1, repeat);
  }
  free(line);
  quoin_close(store);
  return 0;
}
