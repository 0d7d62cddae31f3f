/* Before a store that was written to is closed: its vectors are linked into the graphs of their
 * indexes, since whoever only reads links nothing. */
#include "cli/vector.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The vectors of all indexes, and the first index of which some are not linked. */
typedef struct tally {
  uint64_t vectors, unlinked, graph_bytes;
  vector_text index;
} tally;

static quoin_status
add_index(tally *t, quoin_store *store, quoin_span name, quoin_cancel *cancel, quoin_error *err)
{
  quoin_vectors_stats s = QUOIN_VECTORS_STATS_INIT;
  quoin_vectors *vectors = NULL;
  quoin_status st = quoin_vectors_open(&vectors, store, name, err);

  if (!st) st = quoin_vectors_count(&s, vectors, cancel, err);
  quoin_vectors_close(vectors);
  if (st) return st;
  if (s.unlinked && !t->index.len) vector_put(&t->index, name.ptr, name.len);
  t->vectors += s.vectors;
  t->unlinked += s.unlinked;
  t->graph_bytes += s.file_bytes;
  return QUOIN_OK;
}

/* To be freed: out->index.data. */
static quoin_status
take_tally(tally *out, quoin_store *store, quoin_cancel *cancel, quoin_error *err)
{
  static const char query[] = "SELECT ?index { GRAPH <urn:x-quoin:system> { ?index a "
                              "<urn:x-quoin:vec#Index> } }";
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_cursor *cursor = NULL;

  *out = (tally){0};
  options.cancel = cancel;
  quoin_status st =
      quoin_query(&cursor, store, (quoin_span){query, sizeof(query) - 1}, &options, err);
  while (!st && !(st = quoin_cursor_next(cursor, err))) {
    quoin_term index;
    if (!(st = quoin_cursor_term(&index, cursor, 0, err)))
      st = add_index(out, store, index.value, cancel, err);
    if (st == QUOIN_ERR_NOT_FOUND) st = QUOIN_OK; /* dropped meanwhile */
  }
  quoin_cursor_close(cursor);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

uint64_t
cli_unlinked(quoin_store *store)
{
  tally t;
  const quoin_status st = take_tally(&t, store, NULL, NULL);
  free(t.index.data);
  return st ? 0 : t.unlinked;
}

quoin_status
cli_graph_bytes(uint64_t *out, quoin_store *store, const cli_args *args, quoin_error *err)
{
  tally t;
  const quoin_status st = take_tally(&t, store, args->cancel, err);
  free(t.index.data);
  *out = t.graph_bytes;
  return st;
}

/* ---- progress -------------------------------------------------------------------------------- */

typedef struct watch {
  quoin_store *store;
  quoin_cancel *cancel;
  double started;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool over;
} watch;

/* False: it is over. */
static bool
pause_for(watch *w, double seconds)
{
  struct timespec until;

  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += (time_t)seconds;
  until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&w->lock);
  while (!w->over && !pthread_cond_timedwait(&w->changed, &w->lock, &until))
    ;
  const bool over = w->over;
  pthread_mutex_unlock(&w->lock);
  return !over;
}

/* Counting reads what the indexes have: one part in ten of the time at most. */
static void *
show_progress(void *user)
{
  watch *w = user;
  bool shown = false;
  uint64_t first = UINT64_MAX;
  double wait = 0.5;

  while (pause_for(w, wait)) {
    char linked[32], all[32];
    tally t;
    const double before = cli_now();
    const quoin_status st = take_tally(&t, w->store, w->cancel, NULL);
    free(t.index.data);
    if (st) break;
    if (first == UINT64_MAX) first = t.unlinked;
    wait = 9 * (cli_now() - before);
    if (wait < 0.5) wait = 0.5;
    if (!t.unlinked) continue;
    fprintf(stderr, "\rlinking vectors: %s of %s", cli_count(linked, t.vectors - t.unlinked),
            cli_count(all, t.vectors));
    if (t.unlinked < first)
      fprintf(stderr, ", %.0f s left",
              (cli_now() - w->started) * (double)t.unlinked / (double)(first - t.unlinked));
    fprintf(stderr, "\033[K");
    shown = true;
  }
  if (shown) fprintf(stderr, "\r\033[K");
  return NULL;
}

/* ---- the wait -------------------------------------------------------------------------------- */

/* It was interrupted: the store is good, and slower to search. */
static void
say_unlinked(quoin_store *store, const cli_args *args)
{
  char unlinked[32], all[32];
  tally t;

  if (!take_tally(&t, store, NULL, NULL) && t.unlinked && !t.index.failed) {
    const bool pool = args->option[OPT_POOL].given;
    fprintf(stderr,
            "quoin: note: %s of %s vectors are not linked yet, and are searched one by one;\n"
            "  this links them: quoin vector check --%s %s%s%s --on '%s'\n",
            cli_count(unlinked, t.unlinked), cli_count(all, t.vectors), pool ? "pool" : "store",
            cli_place(args), args->option[OPT_NAME].given ? " --name " : "",
            args->option[OPT_NAME].given ? args->option[OPT_NAME].text : "", t.index.data);
  }
  free(t.index.data);
}

int
cli_settle(quoin_store *store, const cli_args *args)
{
  watch w = {.store = store,
             .cancel = args->cancel,
             .started = cli_now(),
             .lock = PTHREAD_MUTEX_INITIALIZER,
             .changed = PTHREAD_COND_INITIALIZER};
  quoin_error err = QUOIN_ERROR_INIT;
  pthread_t thread;
  const bool watched = cli_on_terminal() && pthread_create(&thread, NULL, show_progress, &w) == 0;

  const quoin_status st = quoin_vectors_settle(store, args->cancel, &err);
  if (watched) {
    pthread_mutex_lock(&w.lock);
    w.over = true;
    pthread_cond_signal(&w.changed);
    pthread_mutex_unlock(&w.lock);
    pthread_join(thread, NULL);
  }
  if (st == QUOIN_ERR_CANCELLED) {
    say_unlinked(store, args);
    return cli_exit_status(st);
  }
  if (st) return cli_report(&err, cli_place(args));
  if (cli_now() - w.started >= 1.0)
    fprintf(stderr, "vectors linked in %.2f s\n", cli_now() - w.started);
  return EXIT_DONE;
}
