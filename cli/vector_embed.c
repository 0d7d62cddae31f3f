/* vector embed: literals through a child process that makes vectors of them. What has a vector
 * already is passed over, and every piece is committed by itself: an interrupted run goes on where
 * it was. */
#include "cli/vector.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Committed at a time: a second or two of a sentence model. */
enum { EMBED_PIECE = 2000 };

/* ---- the child ------------------------------------------------------------------------------- */

static int
fail_child(const char *what)
{
  cli_complain("--embed-command: %s%s%s", what, errno ? ": " : "", errno ? strerror(errno) : "");
  return EXIT_DATA;
}

int
vector_child_open(vector_child *child, const char *command)
{
  int in[2], out[2] = {-1, -1};

  *child = (vector_child){.pid = -1};
  if (pipe(in)) return fail_child("no pipe");
  if (pipe(out) || (child->pid = fork()) < 0) {
    for (int i = 0; i < 2; i++) {
      close(in[i]);
      if (out[i] >= 0) close(out[i]);
    }
    return fail_child("cannot be started");
  }
  if (child->pid == 0) {
    if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0) _exit(127);
    for (int i = 0; i < 2; i++) {
      close(in[i]);
      close(out[i]);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  child->to = fdopen(in[1], "w");
  child->from = fdopen(out[0], "r");
  if (child->to && child->from) return EXIT_DONE;
  const int status = fail_child("no memory");
  (void)vector_child_close(child);
  return status;
}

int
vector_child_ask(vector_child *child, const char *text, size_t len, float *out, size_t n)
{
  errno = 0;
  for (size_t i = 0; i < len; i++)
    fputc(text[i] == '\n' || text[i] == '\r' ? ' ' : text[i], child->to);
  if (fputc('\n', child->to) == EOF || fflush(child->to)) return fail_child("takes no more text");
  const ssize_t got = getline(&child->line, &child->cap, child->from);
  if (got < 0) return fail_child("ended without an answer");
  const size_t found = vector_numbers(out, n, child->line, (size_t)got);
  if (found == n) return EXIT_DONE;
  if (found == SIZE_MAX)
    cli_complain("--embed-command: expected a JSON array of numbers, found \"%.*s\"",
                 (int)(got < 60 ? got : 60), child->line);
  else
    cli_complain("--embed-command: found %zu numbers, expected %zu", found, n);
  return EXIT_DATA;
}

int
vector_child_close(vector_child *child)
{
  int how = 0;
  if (child->to) fclose(child->to);
  if (child->from) fclose(child->from);
  free(child->line);
  if (child->pid > 0)
    while (waitpid((pid_t)child->pid, &how, 0) < 0 && errno == EINTR)
      ;
  errno = 0;
  const bool failed = child->pid > 0 && how != 0;
  *child = (vector_child){.pid = -1};
  return failed ? fail_child("ended with a failure") : EXIT_DONE;
}

/* ---- the verb -------------------------------------------------------------------------------- */

typedef struct embedder {
  const cli_args *args;
  vector_index index;
  vector_child child;
  quoin_cursor *cursor;
  float *values;
  uint64_t made, piece;
  bool end;
  cli_progress progress;
  uint64_t total;
} embedder;

/* The subject of the row as it stands in N-Quads; a blank node by its stored number. */
static int
put_subject(vector_text *to, quoin_cursor *cursor)
{
  const quoin_span text = quoin_cursor_text(cursor, 0);
  vector_put(to, text.ptr, text.len);
  return EXIT_DONE;
}

static int
next_vector(void *user, vector_text *to, bool *done)
{
  embedder *em = user;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_term text;
  vector_text subject = {0};

  if ((*done = em->piece == EMBED_PIECE)) return EXIT_DONE;
  quoin_status st = quoin_cursor_next(em->cursor, &err);
  if ((*done = em->end = st == QUOIN_DONE)) return EXIT_DONE;
  if (!st) st = quoin_cursor_term(&text, em->cursor, 1, &err);
  if (st) return cli_report(&err, "vector");
  int status = vector_child_ask(&em->child, text.value.ptr, text.value.len, em->values,
                                (size_t)em->index.dimension);
  if (!status) status = put_subject(&subject, em->cursor);
  if (!status)
    vector_put_quad(to, subject.data, subject.len, em->index.predicate,
                    em->args->option[OPT_GRAPH].text, em->values, (size_t)em->index.dimension);
  free(subject.data);
  em->piece++;
  em->made++;
  cli_progress_show(&em->progress, em->made, em->made, em->total);
  return status;
}

static int
put_pattern(vector_text *to, const embedder *em)
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
  vector_printf(to, " ?text FILTER(ISLITERAL(?text) && ISIRI(?s)) FILTER NOT EXISTS { ?s ");
  good = good && vector_put_iri(to, em->index.predicate, strlen(em->index.predicate));
  vector_printf(to, " ?v }%s }", graph ? " }" : "");
  if (to->failed) cli_complain("out of memory");
  return to->failed ? EXIT_LIMIT : good ? EXIT_DONE : EXIT_USAGE;
}

/* How many texts there are to do. */
static int
count_texts(embedder *em, quoin_store *store, const vector_text *pattern)
{
  vector_text text = {0};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  int64_t n = 0;
  vector_printf(&text, "SELECT (COUNT(*) AS ?n) ");
  vector_put(&text, pattern->data, pattern->len);
  quoin_status st = quoin_query(&cursor, store, (quoin_span){text.data, text.len}, NULL, &err);
  if (!st) st = quoin_cursor_next(cursor, &err);
  if (!st && quoin_cursor_integer(&n, cursor, 0)) em->total = (uint64_t)n;
  quoin_cursor_close(cursor);
  free(text.data);
  return st < 0 ? cli_report(&err, "vector") : EXIT_DONE;
}

/* The texts in pieces: each is one load, and the cursor goes on over the store as it was. */
static int
embed_all(embedder *em, quoin_store *store, const vector_text *pattern)
{
  vector_text text = {0};
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t added;
  int status = EXIT_DONE;

  options.cancel = em->args->cancel;
  vector_printf(&text, "SELECT ?s ?text ");
  vector_put(&text, pattern->data, pattern->len);
  if (quoin_query(&em->cursor, store, (quoin_span){text.data, text.len}, &options, &err))
    status = cli_report(&err, "vector");
  while (!status && !em->end) {
    em->piece = 0;
    status = vector_load(&added, store, em->args, next_vector, em);
  }
  quoin_cursor_close(em->cursor);
  free(text.data);
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
  if (!status) status = put_pattern(&pattern, &em);
  if (!status) status = count_texts(&em, store, &pattern);
  if (!status) status = vector_child_open(&em.child, args->option[OPT_EMBED_COMMAND].text);
  if (!status) {
    cli_progress_start(&em.progress, "texts");
    status = embed_all(&em, store, &pattern);
    const double seconds = cli_progress_end(&em.progress);
    const int closed = vector_child_close(&em.child);
    status = status ? status : closed;
    fprintf(stderr, "%s vectors made in %.2f s\n", cli_count(count, em.made), seconds);
  }
  free(em.values);
  free(pattern.data);
  return status;
}
