/* update. */
#include "cli/vector.h"

#include <stdlib.h>

quoin_update_options
cli_update_options(const cli_args *args, vector_embedder *embedder)
{
  quoin_update_options options = QUOIN_UPDATE_OPTIONS_INIT;

  options.base = cli_span(args->option[OPT_BASE].text);
  options.timeout_ms = args->option[OPT_TIMEOUT].number;
  options.memory_bytes = args->option[OPT_MEMORY].number;
  options.threads = (unsigned)args->option[OPT_THREADS].number;
  options.union_default_graph = args->option[OPT_UNION].given;
  options.allow_load = args->option[OPT_ALLOW_LOAD].text;
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

static int
execute(const cli_args *args, const cli_request *request)
{
  vector_embedder em = {.command = args->option[OPT_EMBED_COMMAND].text};
  const quoin_update_options options = cli_update_options(args, &em);
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_update_result result = {0};
  quoin_store *store = NULL;
  char added[32], removed[32];

  int status = cli_open(&store, args, QUOIN_READ_WRITE);
  if (status) return status;
  const double started = cli_now();
  if (quoin_update(&result, store, request->text, &options, &err))
    status = cli_report_request(&err, request);
  else
    fprintf(stderr, "%s quads added, %s removed in %.2f s\n", cli_count(added, result.added),
            cli_count(removed, result.removed), cli_now() - started);
  if (!status) cli_note(request, result.notice);
  vector_embedder_close(&em);
  if (!status) status = cli_settle(store, args);
  quoin_close(store);
  return status;
}

int
cli_update(cli_args *args)
{
  cli_request request;
  quoin_error err = QUOIN_ERROR_INIT;

  int status = cli_read_request(&request, args, OPT_UPDATE_FILE, "update");
  /* A store is not opened, and its writer not kept from writing, for what is not well formed. */
  if (!status && quoin_update_check(request.text, cli_span(args->option[OPT_BASE].text), &err))
    status = cli_report_request(&err, &request);
  if (!status && !args->option[OPT_CHECK].given) status = execute(args, &request);
  free(request.owned);
  return status;
}
