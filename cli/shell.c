/* shell: requests from a terminal or a pipe, one after the other, over one store. */
#include "cli/shell.h"
#include "cli/vector.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef enum explain_mode { EXPLAIN_OFF, EXPLAIN_ON, EXPLAIN_ANALYZE } explain_mode;

typedef struct shell {
  cli_args *args;
  quoin_store *store;
  bool terminal;
  bool writes; /* the store is open for writing */
  bool timing;
  bool over; /* .quit */
  explain_mode explain;
  quoin_results results; /* when `formatted` */
  bool formatted;
  shell_names names;
  vector_embedder embedder; /* of --embed-command */
} shell;

/* ---- requests ---------------------------------------------------------------------------------
 */

/* A store that somebody else writes to is opened anew for each request, to see what is new. */
static int
refresh(shell *s)
{
  if (s->writes) return EXIT_DONE;
  quoin_close(s->store);
  s->store = NULL;
  return cli_open(&s->store, s->args, QUOIN_READ_ONLY);
}

static int
answer(shell *s, const cli_request *request)
{
  quoin_error err = QUOIN_ERROR_INIT, flush = QUOIN_ERROR_INIT;
  quoin_query_options options = cli_query_options(s->args, &s->embedder);
  quoin_prepared *prepared = NULL;
  quoin_cursor *cursor = NULL;
  cli_output out;
  uint64_t rows = 0;

  if (!cli_output_open(&out)) return EXIT_LIMIT;
  const double started = cli_now();
  options.profile = s->explain == EXPLAIN_ANALYZE;
  quoin_status st =
      quoin_prepare(&prepared, request->text, cli_span(s->args->option[OPT_BASE].text), &err);
  if (!st) st = quoin_query_prepared(&cursor, s->store, prepared, &options, &err);
  if (!st && s->explain != EXPLAIN_OFF)
    st = cli_explain(cursor, s->explain == EXPLAIN_ANALYZE, &out, &err);
  else if (!st)
    st = quoin_cursor_write(&rows, cursor,
                            s->formatted ? s->results
                                         : cli_default_results(quoin_prepared_form(prepared)),
                            cli_output_write, &out, &err);
  if (!st) cli_note(request, quoin_cursor_notice(cursor));
  quoin_cursor_close(cursor);
  const quoin_status flushed = cli_output_flush(&out, &flush);
  cli_output_close(&out);
  quoin_prepared_free(prepared);
  if (st) return cli_report_request(&err, request);
  if (flushed) return cli_report(&flush, "standard output");
  if (s->timing)
    fprintf(stderr, "%llu rows, %.3f ms\n", (unsigned long long)rows, (cli_now() - started) * 1e3);
  return EXIT_DONE;
}

static int
change(shell *s, const cli_request *request)
{
  quoin_error err = QUOIN_ERROR_INIT;
  const quoin_update_options options = cli_update_options(s->args, &s->embedder);
  quoin_update_result result = {0};
  char added[32], removed[32];
  const double started = cli_now();

  if (quoin_update(&result, s->store, request->text, &options, &err))
    return cli_report_request(&err, request);
  if (s->terminal || s->timing)
    fprintf(stderr, "%s quads added, %s removed in %.3f ms\n", cli_count(added, result.added),
            cli_count(removed, result.removed), (cli_now() - started) * 1e3);
  cli_note(request, result.notice);
  return EXIT_DONE;
}

static bool
is_query(const char *body)
{
  static const char *const words[] = {"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    size_t n = strlen(words[i]);
    if (strncasecmp(body, words[i], n) == 0 && !isalnum((unsigned char)body[n])) return true;
  }
  return false;
}

/* Run one request after the names that are kept, which stand on a line before it. */
static int
run(shell *s, const char *text, size_t len)
{
  const size_t body = shell_prologue(NULL, text, len);
  cli_request request = {.name = "request", .prefixed = true};

  if (body == len) { /* declarations alone */
    shell_prologue(&s->names, text, len);
    return EXIT_DONE;
  }
  char *line = shell_names_line(&s->names);
  const size_t before = line ? strlen(line) : 0;
  char *whole = line ? malloc(before + 1 + len + 1) : NULL;
  if (!whole) {
    free(line);
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  memcpy(whole, line, before);
  whole[before] = '\n';
  memcpy(whole + before + 1, text, len);
  whole[before + 1 + len] = '\0';
  free(line);
  request.owned = whole;
  request.text = (quoin_span){whole, before + 1 + len};
  shell_prologue(&s->names, text, len);
  int status = refresh(s);
  if (!status) status = is_query(text + body) ? answer(s, &request) : change(s, &request);
  if (status) vector_embedder_close(&s->embedder); /* it may have ended, or stand in mid-answer */
  free(whole);
  return status;
}

/* ---- commands ---------------------------------------------------------------------------------
 */

static void
help(void)
{
  printf("A query or update, over one or more lines. It ends with an empty line, or with ; at the\n"
         "end of a line outside of brackets. PREFIX and BASE hold for all that follows.\n"
         "  .help                    this text\n"
         "  .quit                    leave\n"
         "  .timing on|off           say how long each request took\n"
         "  .explain on|analyze|off  print the plan instead of the answer; analyze: run it too\n"
         "  .results FORMAT          table json xml csv tsv nt ttl nq\n"
         "  .names                   the PREFIX and BASE that hold\n");
}

static int
names(const shell *s)
{
  if (s->names.base) printf("BASE %s\n", s->names.base);
  for (size_t i = 0; i < s->names.n; i++)
    printf("PREFIX %s\n", s->names.prefix[i]);
  return EXIT_DONE;
}

static int
set_results(shell *s, const char *format)
{
  const quoin_results results = quoin_results_by_name(format);
  if (results == QUOIN_RESULTS_NONE) {
    cli_complain(".results: \"%s\" is no format; .help lists them", format);
    return EXIT_USAGE;
  }
  s->results = results;
  s->formatted = true;
  return EXIT_DONE;
}

static int
command(shell *s, const char *line)
{
  char name[16] = "", value[32] = "", more[2] = "";
  const int n = sscanf(line, "%15s %31s %1s", name, value, more);
  const bool on = strcmp(value, "on") == 0, off = strcmp(value, "off") == 0;

  if (n == 1 && strcmp(name, ".help") == 0) {
    help();
  } else if (n == 1 && (strcmp(name, ".quit") == 0 || strcmp(name, ".exit") == 0)) {
    s->over = true;
  } else if (n == 1 && strcmp(name, ".names") == 0) {
    return names(s);
  } else if (n == 2 && strcmp(name, ".timing") == 0 && (on || off)) {
    s->timing = on;
  } else if (n == 2 && strcmp(name, ".explain") == 0 &&
             (on || off || strcmp(value, "analyze") == 0)) {
    s->explain = on ? EXPLAIN_ON : off ? EXPLAIN_OFF : EXPLAIN_ANALYZE;
  } else if (n == 2 && strcmp(name, ".results") == 0) {
    return set_results(s, value);
  } else {
    cli_complain("\"%s\" is no command of the shell; .help lists them", line);
    return EXIT_USAGE;
  }
  return EXIT_DONE;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

/* One line: of a request, or a command. Gives the status of what it ended. */
static int
take(shell *s, shell_text *text, const char *line)
{
  bool ends;
  const bool empty = shell_prologue(NULL, text->len ? text->data : "", text->len) == text->len;
  const char *first = line + strspn(line, " \t");

  if (empty && *first == '.') return command(s, first);
  if (!shell_text_add(&ends, text, line)) {
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  /* A declaration needs nothing to end it. */
  const bool declared =
      !text->quote && !text->depth && shell_prologue(NULL, text->data, text->len) == text->len;
  if (!ends && !declared) return EXIT_DONE;
  const int status = run(s, text->data, text->len);
  shell_text_reset(text);
  return status;
}

/* To the end of the input; what comes through a pipe, to its first failure. */
static int
loop(shell *s)
{
  shell_text text = {0};
  char *line;
  int status = EXIT_DONE;

  while (!s->over && (line = shell_line(text.len ? "   ... " : "quoin> ", s->terminal))) {
    status = take(s, &text, line);
    fflush(stdout);
    free(line);
    if (cli_stopped() && !s->terminal) break;
    if (status && !s->terminal) break;
    cli_catch_signals(s->args->cancel); /* Ctrl-C ended a request, not the shell */
  }
  if (!s->over && !status && text.len) status = run(s, text.data, text.len);
  shell_text_clear(&text);
  return s->terminal ? EXIT_DONE : status;
}

int
cli_shell(cli_args *args)
{
  static const char vec[] = "PREFIX vec: <urn:x-quoin:vec#>";
  shell s = {.args = args,
             .terminal = isatty(STDIN_FILENO),
             .writes = true,
             .embedder.command = args->option[OPT_EMBED_COMMAND].text};
  const cli_value *format = &args->option[OPT_RESULTS];

  s.formatted = format->given;
  s.results = (quoin_results)format->number;
  int status = cli_open(&s.store, args, QUOIN_READ_WRITE);
  if (status == EXIT_LOCKED) {
    fprintf(stderr, "quoin: this shell only reads\n");
    s.writes = false;
    status = cli_open(&s.store, args, QUOIN_READ_ONLY);
  }
  shell_prologue(&s.names, vec, sizeof(vec) - 1);
  if (!status) {
    if (s.terminal) printf("quoin %s. .help says what can be typed here.\n", quoin_version());
    status = loop(&s);
  }
  vector_embedder_close(&s.embedder);
  if (s.store && s.writes) {
    const int settled = cli_settle(s.store, args);
    status = status ? status : settled;
  }
  quoin_close(s.store);
  shell_names_clear(&s.names);
  return status;
}
