/* load, parse and dump: RDF in and out. */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A damaged input file is an input error; exit 5 is for damaged stores. */
static int
report_input(const quoin_error *err, const cli_args *args)
{
  const int status = cli_report(err, "input");

  for (size_t i = 0; status == EXIT_CORRUPT && i < args->n_operands; i++) {
    const size_t len = strlen(args->operands[i]), tail = strlen(err->file);
    if (tail && tail <= len && strcmp(args->operands[i] + len - tail, err->file) == 0)
      return EXIT_DATA;
    if (strcmp(args->operands[i], "-") == 0) return EXIT_DATA;
  }
  return status;
}

static quoin_load_options
load_options(const cli_args *args, cli_progress *progress)
{
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  options.format = (quoin_format)args->option[OPT_FORMAT].number;
  options.lenient = args->option[OPT_LENIENT].given;
  options.base = cli_span(args->option[OPT_BASE].text);
  options.graph = cli_span(args->option[OPT_GRAPH].text);
  options.threads = (unsigned)args->option[OPT_THREADS].number;
  options.memory_bytes = args->option[OPT_MEMORY].number;
  options.progress = cli_progress_show;
  options.bad = cli_warn;
  options.user = progress;
  options.cancel = args->cancel;
  return options;
}

/* A store is not made for a file that cannot be read. */
static int
check_inputs(const cli_args *args)
{
  for (size_t i = 0; i < args->n_operands; i++) {
    const char *path = args->operands[i];
    if (strcmp(path, "-") == 0) {
      if (args->option[OPT_FORMAT].given) continue;
      cli_complain("standard input has no name to know its format by: give --format");
      return EXIT_USAGE;
    }
    if (access(path, R_OK) == 0) continue;
    fprintf(stderr, "%s: error: cannot be read: %s\n", path, strerror(errno));
    return EXIT_DATA;
  }
  return EXIT_DONE;
}

static void
print_summary(const quoin_load_result *result, double seconds)
{
  char added[32], statements[32], skipped[32], rate[32];

  fprintf(stderr, "%s quads added, %s statements read", cli_count(added, result->added),
          cli_count(statements, result->statements));
  if (result->skipped) fprintf(stderr, ", %s skipped", cli_count(skipped, result->skipped));
  fprintf(
      stderr, " in %.2f s (%s/s)\n", seconds,
      cli_count(rate, (uint64_t)((double)result->statements / (seconds > 0.0 ? seconds : 1.0))));
}

/* Standard input may stand still: a signal must not wait for its next byte. */
static quoin_status
read_stdin(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  ssize_t n = 0;

  (void)user;
  for (;;) {
    if (cli_stopped()) return QUOIN_ERR_CANCELLED;
    if (poll(&input, 1, 250) <= 0) continue; /* also when a signal came */
    if ((n = read(STDIN_FILENO, data, cap)) >= 0) break;
    if (errno == EINTR || errno == EAGAIN) continue;
    err->status = QUOIN_ERR_IO;
    err->os_errno = errno;
    snprintf(err->message, sizeof(err->message), "cannot be read: %s", strerror(errno));
    return QUOIN_ERR_IO;
  }
  *got = (size_t)n;
  return QUOIN_OK;
}

static quoin_status
load(quoin_load_result *result, quoin_store *store, const cli_args *args,
     const quoin_load_options *options, quoin_error *err)
{
  const char *const *files = (const char *const *)args->operands;

  if (args->n_operands == 1 && strcmp(files[0], "-") == 0)
    return quoin_load_callback(result, store, read_stdin, NULL, "standard input", options, err);
  return quoin_load(result, store, files, args->n_operands, options, err);
}

/* Whether there is nothing at `path` yet, or an empty directory. *made: not even that. */
static bool
nothing_there(bool *made, const char *path)
{
  DIR *dir = opendir(path);
  const struct dirent *entry;
  bool empty = true;

  *made = !dir && errno == ENOENT;
  if (!dir) return *made;
  while (empty && (entry = readdir(dir)))
    empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
  closedir(dir);
  return empty;
}

/* Take away the store that this command made: all there is in a directory that had nothing. */
static void
unmake(const char *path, bool made)
{
  DIR *dir = opendir(path);
  const struct dirent *entry;

  if (!dir) return;
  while ((entry = readdir(dir)))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      (void)unlinkat(dirfd(dir), entry->d_name, 0);
  closedir(dir);
  if (made) (void)rmdir(path);
}

int
cli_load(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_result result = {0};
  cli_progress progress;
  bool made = false;

  int status = check_inputs(args);
  const bool in_pool = args->option[OPT_POOL].given;
  const bool fresh = !in_pool && nothing_there(&made, args->option[OPT_STORE].text);
  if (!status) status = cli_open(&store, args, QUOIN_CREATE);
  if (status) return status;
  cli_progress_start(&progress, "loading");
  const quoin_load_options options = load_options(args, &progress);
  const quoin_status st = load(&result, store, args, &options, &err);
  const double seconds = cli_progress_end(&progress);
  if (st)
    status = report_input(&err, args);
  else
    print_summary(&result, seconds);
  if (!st) status = cli_settle(store, args);
  quoin_close(store);
  if (st && fresh) unmake(args->option[OPT_STORE].text, made);
  return status;
}

int
cli_parse_file(cli_args *args)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_result result = {0};
  cli_progress progress;
  cli_output out;

  int status = check_inputs(args);
  if (status) return status;
  if (!cli_output_open(&out)) return EXIT_LIMIT;
  cli_progress_start(&progress, "parsing");
  if (isatty(STDOUT_FILENO)) progress.on = false; /* the data is on that screen */
  const quoin_load_options options = load_options(args, &progress);
  quoin_status st =
      quoin_parse_write(&result, args->operands[0], &options, cli_output_write, &out, &err);
  cli_progress_end(&progress);
  quoin_error flush = QUOIN_ERROR_INIT;
  const quoin_status flushed = cli_output_flush(&out, &flush);
  if (st)
    status = report_input(&err, args);
  else if (flushed)
    status = cli_report(&flush, "standard output");
  else if (result.skipped)
    fprintf(stderr, "%llu bad statements skipped\n", (unsigned long long)result.skipped);
  cli_output_close(&out);
  return status;
}

int
cli_dump(cli_args *args)
{
  quoin_store *store = NULL;
  quoin_error err = QUOIN_ERROR_INIT;
  cli_output out;
  const cli_value *format = &args->option[OPT_DUMP_FORMAT];
  const cli_value *vectors = &args->option[OPT_VECTORS];
  quoin_dump_options options = QUOIN_DUMP_OPTIONS_INIT;

  const bool base64 = vectors->given && strcmp(vectors->text, "b64") == 0;
  if (vectors->given && !base64 && strcmp(vectors->text, "json") != 0) {
    cli_complain("--vectors: \"%s\" is neither json nor b64", vectors->text);
    return EXIT_USAGE;
  }
  int status = cli_open(&store, args, QUOIN_READ_ONLY);
  if (status) return status;
  if (!cli_output_open(&out)) {
    quoin_close(store);
    return EXIT_LIMIT;
  }
  options.cancel = args->cancel;
  options.no_system = args->option[OPT_NO_SYSTEM].given;
  options.base64 = base64;
  if (format->given) options.format = (quoin_format)format->number;
  quoin_status st = quoin_dump_with(NULL, store, &options, cli_output_write, &out, &err);
  if (!st) st = cli_output_flush(&out, &err);
  if (st) status = cli_report(&err, cli_place(args));
  cli_output_close(&out);
  quoin_close(store);
  return status;
}
