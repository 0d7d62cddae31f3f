/* vector embed: literals through a child process that makes vectors of them. What has a vector
 * already is passed over, and every piece is committed by itself: an interrupted run goes on where
 * it was. A piece in which the program answers what it should not is given up: which texts its
 * answers belong to is in doubt. */
#include "cli/vector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Committed at a time: a second or two of a sentence model; of a slow one, less. */
enum { EMBED_PIECE = 2000, EMBED_SECONDS = 10 };

/* ---- the verb -------------------------------------------------------------------------------- */

typedef struct embedder {
  const cli_args *args;
  vector_index index;
  vector_child child;
  quoin_cursor *cursor;
  float *values;
  uint64_t made, skipped;
  uint64_t blank;           /* texts of subjects that no vector can be said of by name */
  uint64_t texts, complete; /* of the piece; vectors whose subject has all of its */
  time_t began;             /* the piece */
  int stopped;              /* the status with which what is complete is to be the last of it */
  bool end, held;           /* held: the row that the cursor is on is of the next piece */
  char *subject;            /* of the last text, of malloc */
  size_t subject_len;
  vector_text quads; /* its own */
  uint64_t n_quads;
  cli_progress progress;
  uint64_t total;
} embedder;

static time_t
now(void)
{
  struct timespec at = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec;
}

static bool
is_full(const embedder *em)
{
  return em->texts >= EMBED_PIECE || (em->texts && now() - em->began >= EMBED_SECONDS);
}

/* The subject has no more texts. */
static void
put_quads(embedder *em, vector_text *to)
{
  to->failed = to->failed || em->quads.failed;
  vector_put(to, em->quads.data, em->quads.len);
  em->complete += em->n_quads;
  em->quads.len = 0;
  em->n_quads = 0;
}

/* The row's text. EXIT_DONE with *done at the end of the piece, if the program has answered nothing
 * else. Texts of one subject stay together, since one that has a vector is passed over the next
 * time. */
static int
next_text(quoin_term *text, embedder *em, vector_text *to, bool *done)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;

  if (!em->held) st = quoin_cursor_next(em->cursor, &err);
  em->held = false;
  if ((*done = em->end = st == QUOIN_DONE)) {
    put_quads(em, to);
    return vector_child_end(&em->child);
  }
  if (st) return cli_report(&err, "vector");
  const quoin_span subject = quoin_cursor_text(em->cursor, 0);
  const bool same = em->subject && em->subject_len == subject.len &&
                    memcmp(em->subject, subject.ptr, subject.len) == 0;
  if (!same) put_quads(em, to);
  if ((*done = em->held = is_full(em) && !same)) return vector_child_rest(&em->child);
  if (!same) {
    free(em->subject);
    if (!(em->subject = malloc(subject.len ? subject.len : 1))) {
      cli_complain("out of memory");
      return EXIT_LIMIT;
    }
    memcpy(em->subject, subject.ptr, subject.len);
    em->subject_len = subject.len;
  }
  return quoin_cursor_term(text, em->cursor, 1, &err) ? cli_report(&err, "vector") : EXIT_DONE;
}

static void
show(embedder *em)
{
  const uint64_t through = em->made + em->complete + em->n_quads + em->skipped;
  cli_progress_show(&em->progress, through, through, em->total);
}

/* Was it interrupted, or is the program gone? Then the piece ends with what is complete. */
static int
stop(embedder *em, int status, bool *done)
{
  if (!cli_stopped() && !em->child.ended) return status;
  em->stopped = status;
  *done = true;
  return EXIT_DONE;
}

static int
next_vector(void *user, vector_text *to, bool *done)
{
  embedder *em = user;
  quoin_term text;

  int status = next_text(&text, em, to, done);
  if (status) return stop(em, status, done);
  if (*done) return EXIT_DONE;
  em->texts++;
  status = vector_child_ask(&em->child, text.value.ptr, text.value.len, em->values,
                            (size_t)em->index.dimension);
  if (status) return stop(em, status, done);
  const char *wrong = vector_refuse(&em->index, em->values);
  if (wrong) {
    fprintf(stderr, "--embed-command: error: %s (for %.*s)\n", wrong,
            (int)(em->subject_len < 200 ? em->subject_len : 200), em->subject);
    em->skipped++;
    show(em);
    return em->args->option[OPT_LENIENT].given ? EXIT_DONE : EXIT_DATA;
  }
  vector_put_quad(&em->quads, em->subject, em->subject_len, em->index.predicate,
                  em->args->option[OPT_GRAPH].text, em->values, (size_t)em->index.dimension);
  em->n_quads++;
  show(em);
  return EXIT_DONE;
}

/* Texts, and where `missing` those alone whose subject has no vector. */
static int
put_pattern(vector_text *to, const embedder *em, bool missing)
{
  const cli_value *given = em->args->option;
  const char *from = given[OPT_PREDICATE].text, *graph = given[OPT_GRAPH].text;
  bool good = true;

  vector_printf(to, "{ ");
  if (graph) {
    vector_printf(to, "GRAPH ");
    good = vector_put_iri(to, graph, strlen(graph));
    vector_printf(to, " { ");
  }
  vector_printf(to, "?s ");
  good = good && vector_put_iri(to, from, strlen(from));
  vector_printf(to, " ?text FILTER(ISLITERAL(?text)) ");
  if (missing) {
    vector_printf(to, "FILTER NOT EXISTS { ?s ");
    good = good && vector_put_iri(to, em->index.predicate, strlen(em->index.predicate));
    vector_printf(to, " ?v }");
  }
  vector_printf(to, "%s }", graph ? " }" : "");
  if (to->failed) cli_complain("out of memory");
  return to->failed ? EXIT_LIMIT : good ? EXIT_DONE : EXIT_USAGE;
}

/* How many texts there are, and how many of them are of blank nodes. */
static int
count_texts(uint64_t *iris, uint64_t *blank, quoin_store *store, const vector_text *pattern)
{
  vector_text text = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  int64_t n = 0, named = 0;
  vector_printf(&text,
                "SELECT (COUNT(*) AS ?n) (COALESCE(SUM(IF(ISIRI(?s), 1, 0)), 0) AS ?named) ");
  vector_put(&text, pattern->data, pattern->len);
  quoin_status st = quoin_query(&cursor, store, (quoin_span){text.data, text.len}, NULL, &err);
  if (!st) st = quoin_cursor_next(cursor, &err);
  if (!st && quoin_cursor_integer(&n, cursor, 0) && quoin_cursor_integer(&named, cursor, 1)) {
    *iris = (uint64_t)named;
    *blank = (uint64_t)(n - named);
  }
  quoin_cursor_close(cursor);
  free(text.data);
  return st < 0 ? cli_report(&err, "vector") : EXIT_DONE;
}

/* One load, which is done when the work was interrupted, too. */
static int
embed_piece(embedder *em, quoin_store *store)
{
  cli_args args = *em->args;
  uint64_t added;

  args.cancel = NULL;
  em->texts = em->complete = em->n_quads = em->quads.len = 0;
  em->began = now();
  const int status = vector_load(&added, store, &args, next_vector, em);
  if (!status) em->made += em->complete;
  em->complete = em->n_quads = 0;
  return status ? status : em->stopped;
}

/* The texts in pieces: the cursor goes on over the store as it was. */
static int
embed_all(embedder *em, quoin_store *store, const vector_text *pattern)
{
  vector_text text = {0};
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  int status = EXIT_DONE;

  options.cancel = em->args->cancel;
  vector_printf(&text, "SELECT ?s ?text ");
  vector_put(&text, pattern->data, pattern->len - 1); /* without its brace */
  vector_printf(&text, "FILTER(ISIRI(?s)) }");
  if (quoin_query(&em->cursor, store, (quoin_span){text.data, text.len}, &options, &err))
    status = cli_report(&err, "vector");
  while (!status && !em->end)
    status = embed_piece(em, store);
  quoin_cursor_close(em->cursor);
  free(text.data);
  return status;
}

/* Nothing is to be done, for all have a vector. */
static int
say_complete(const embedder *em, quoin_store *store)
{
  vector_text all = {0};
  uint64_t iris = 0, blank;
  char count[32];

  int status = put_pattern(&all, em, false);
  if (!status) status = count_texts(&iris, &blank, store, &all);
  if (!status)
    fprintf(stderr, "0 vectors made: what has one of the %s texts has a vector already",
            cli_count(count, iris));
  free(all.data);
  return status;
}

static void
say_made(const embedder *em, int status, double seconds)
{
  const uint64_t through = em->made + em->skipped;
  char count[32];

  fprintf(stderr, "%s vectors made in %.2f s", cli_count(count, em->made), seconds);
  if (em->skipped) fprintf(stderr, "; %s texts passed over", cli_count(count, em->skipped));
  if (status && em->total > through)
    fprintf(stderr, "; %s texts are left, and the same command goes on with them",
            cli_count(count, em->total - through));
}

static int
embed(embedder *em, quoin_store *store, const vector_text *pattern)
{
  int status = vector_child_open(&em->child, em->args->option[OPT_EMBED_COMMAND].text);
  if (status) return status;
  cli_progress_start(&em->progress, "embed");
  em->progress.items = "texts";
  em->progress.unit = CLI_ITEMS;
  status = embed_all(em, store, pattern);
  const double seconds = cli_progress_end(&em->progress);
  const int closed = vector_child_close(&em->child);
  status = status ? status : closed;
  say_made(em, status, seconds);
  return status;
}

int
vector_embed(quoin_store *store, const cli_args *args)
{
  embedder em = {.args = args};
  vector_text pattern = {0};
  char count[32];

  if (!args->option[OPT_PREDICATE].given || !args->option[OPT_EMBED_COMMAND].given) {
    cli_complain("vector embed needs --predicate IRI and --embed-command COMMAND");
    return EXIT_USAGE;
  }
  int status = vector_find(&em.index, store, args);
  if (!status && !(em.values = malloc((size_t)em.index.dimension * sizeof(*em.values)))) {
    cli_complain("out of memory");
    status = EXIT_LIMIT;
  }
  if (!status) status = put_pattern(&pattern, &em, true);
  if (!status) status = count_texts(&em.total, &em.blank, store, &pattern);
  if (!status) {
    status = em.total ? embed(&em, store, &pattern) : say_complete(&em, store);
    if (em.blank)
      fprintf(stderr, "; %s texts of blank nodes are not embedded: they have no name to go on by",
              cli_count(count, em.blank));
    fprintf(stderr, "\n");
  }
  free(em.values);
  free(em.subject);
  free(em.quads.data);
  free(pattern.data);
  return status;
}
