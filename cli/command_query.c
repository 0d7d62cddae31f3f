/* query. */
#include "cli/vector.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `vec:` is known without a declaration: where it is used one is put before, on a line by itself.
 */
static int
declare_vec(cli_request *request)
{
  static const char prefix[] = "PREFIX vec: <urn:x-quoin:vec#>\n";
  bool used = false;
  for (size_t i = 0; i + 4 <= request->text.len && !used; i++)
    used = memcmp(request->text.ptr + i, "vec:", 4) == 0;
  if (!used) return EXIT_DONE;
  const size_t before = sizeof(prefix) - 1, len = before + request->text.len;
  char *text = malloc(len + 1);
  if (!text) {
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  memcpy(text, prefix, before);
  memcpy(text + before, request->text.ptr, request->text.len);
  text[len] = '\0';
  free(request->owned);
  request->owned = text;
  request->text = (quoin_span){text, len};
  request->prefixed = true;
  return EXIT_DONE;
}

int
cli_report_request(const quoin_error *err, const cli_request *request)
{
  quoin_error moved = *err;
  if (request->prefixed && moved.line > 1 && !moved.file[0]) moved.line--;
  return cli_report(&moved, request->name);
}

void
cli_note(const cli_request *request, const char *notice)
{
  if (notice && *notice) fprintf(stderr, "%s: note: %s\n", request->name, notice);
}

int
cli_read_request(cli_request *out, const cli_args *args, cli_option file, const char *name)
{
  const cli_value *path = &args->option[file];
  size_t len = 0;

  *out = (cli_request){.name = name};
  if (path->given == (args->n_operands > 0)) {
    cli_complain("give the %s either as an argument or as a file", name);
    return EXIT_USAGE;
  }
  if (!path->given) {
    out->text = cli_span(args->operands[0]);
    return declare_vec(out);
  }
  const int status = cli_read_file(&out->owned, &len, path->text);
  out->text = (quoin_span){out->owned, len};
  if (strcmp(path->text, "-") != 0) out->name = path->text;
  return status ? status : declare_vec(out);
}

quoin_query_options
cli_query_options(const cli_args *args, vector_embedder *embedder)
{
  quoin_query_options options = QUOIN_QUERY_OPTIONS_INIT;

  options.timeout_ms = args->option[OPT_TIMEOUT].number;
  options.memory_bytes = args->option[OPT_MEMORY].number;
  options.max_rows = args->option[OPT_MAX_ROWS].number;
  options.threads = (unsigned)args->option[OPT_THREADS].number;
  options.union_default_graph = args->option[OPT_UNION].given;
  options.profile = args->option[OPT_ANALYZE].given;
  options.cancel = args->cancel;
  options.allow_service = args->services;
  embedder->deadline = vector_deadline(args);
  if (embedder->command) {
    options.embed = vector_embed_text;
    options.embed_user = embedder;
    options.embed_model = cli_span(args->option[OPT_MODEL].text);
  }
  return options;
}

quoin_results
cli_default_results(quoin_query_form form)
{
  const bool terminal = isatty(STDOUT_FILENO);
  if (form == QUOIN_SELECT || form == QUOIN_ASK)
    return terminal ? QUOIN_RESULTS_TABLE : QUOIN_RESULTS_JSON;
  return terminal ? QUOIN_RESULTS_TURTLE : QUOIN_RESULTS_NTRIPLES;
}

/* --analyze: run it to its end for what can be measured; the rows are not wanted. */
static quoin_status
discard(void *user, const void *data, size_t len, quoin_error *err)
{
  (void)user, (void)data, (void)len, (void)err;
  return QUOIN_OK;
}

quoin_status
cli_explain(quoin_cursor *cursor, bool run, cli_output *out, quoin_error *err)
{
  const quoin_query_form form = quoin_cursor_form(cursor);
  const bool rows = form == QUOIN_SELECT || form == QUOIN_ASK;
  quoin_span text = {NULL, 0};
  quoin_status st = QUOIN_OK;

  if (run)
    st = quoin_cursor_write(NULL, cursor, rows ? QUOIN_RESULTS_TSV : QUOIN_RESULTS_NTRIPLES,
                            discard, NULL, err);
  if (!st) st = quoin_cursor_explain(&text, cursor, err);
  return st ? st : cli_output_write(out, text.ptr, text.len, err);
}

static int
answer(quoin_store *store, quoin_prepared *prepared, const cli_args *args,
       const cli_request *request)
{
  vector_embedder em = {.command = args->option[OPT_EMBED_COMMAND].text};
  const quoin_query_options options = cli_query_options(args, &em);
  const cli_value *format = &args->option[OPT_RESULTS];
  quoin_error err = QUOIN_ERROR_INIT, flush = QUOIN_ERROR_INIT;
  quoin_cursor *cursor = NULL;
  cli_output out;

  if (!cli_output_open(&out)) return EXIT_LIMIT;
  quoin_status st = quoin_query_prepared(&cursor, store, prepared, &options, &err);
  if (!st && (args->option[OPT_EXPLAIN].given || args->option[OPT_ANALYZE].given))
    st = cli_explain(cursor, args->option[OPT_ANALYZE].given, &out, &err);
  else if (!st)
    st = quoin_cursor_write(NULL, cursor,
                            format->given ? (quoin_results)format->number
                                          : cli_default_results(quoin_prepared_form(prepared)),
                            cli_output_write, &out, &err);
  if (!st) cli_note(request, quoin_cursor_notice(cursor));
  quoin_cursor_close(cursor);
  vector_embedder_close(&em);
  /* What was written before a failure goes out too; that it is cut shows in its form. */
  const quoin_status flushed = cli_output_flush(&out, &flush);
  cli_output_close(&out);
  if (st) return cli_report_request(&err, request);
  return flushed ? cli_report(&flush, "standard output") : EXIT_DONE;
}

int
cli_query(cli_args *args)
{
  cli_request request;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_prepared *prepared = NULL;
  quoin_store *store = NULL;

  int status = cli_read_request(&request, args, OPT_QUERY_FILE, "query");
  if (!status &&
      quoin_prepare(&prepared, request.text, cli_span(args->option[OPT_BASE].text), &err))
    status = cli_report_request(&err, &request);
  if (!status && !args->option[OPT_CHECK].given) {
    status = cli_open(&store, args, QUOIN_READ_ONLY);
    if (!status) status = answer(store, prepared, args, &request);
  }
  quoin_close(store);
  quoin_prepared_free(prepared);
  free(request.owned);
  return status;
}
