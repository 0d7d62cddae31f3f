/* Errors, signals, standard output and progress. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- errors ---------------------------------------------------------------------------------- */

void
cli_complain(const char *fmt, ...)
{
  va_list args;

  fflush(stdout);
  fprintf(stderr, "quoin: error: ");
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fputc('\n', stderr);
}

static void
print_error(const quoin_error *err, const char *name, const char *word)
{
  const char *file = err->file[0] ? err->file : name;

  if (err->line && err->column)
    fprintf(stderr, "%s:%llu:%llu: ", file, (unsigned long long)err->line,
            (unsigned long long)err->column);
  else if (err->line)
    fprintf(stderr, "%s:%llu: ", file, (unsigned long long)err->line);
  else
    fprintf(stderr, "%s: ", file);
  fprintf(stderr, "%s: %s", word, err->message[0] ? err->message : quoin_status_name(err->status));
  if (err->offset != UINT64_MAX && !err->line)
    fprintf(stderr, " (at byte %llu)", (unsigned long long)err->offset);
  fputc('\n', stderr);
}

/* The signal that asked to stop; 0 if none did. */
static volatile sig_atomic_t stopped_by;

int
cli_exit_status(quoin_status status)
{
  switch (status) {
  case QUOIN_OK:
  case QUOIN_DONE:
    return EXIT_DONE;
  case QUOIN_ERR_ARGUMENT:
    return EXIT_USAGE;
  case QUOIN_ERR_BUSY:
    return EXIT_LOCKED;
  case QUOIN_ERR_TIMEOUT:
  case QUOIN_ERR_LIMIT:
  case QUOIN_ERR_NOMEM:
    return EXIT_LIMIT;
  case QUOIN_ERR_CORRUPT:
    return EXIT_CORRUPT;
  case QUOIN_ERR_CANCELLED:
    return stopped_by ? 128 + stopped_by : EXIT_DATA;
  case QUOIN_ERR_IO:
  case QUOIN_ERR_VERSION:
  case QUOIN_ERR_SYNTAX:
  case QUOIN_ERR_CONFLICT:
  case QUOIN_ERR_CLOSED:
  case QUOIN_ERR_UNSUPPORTED:
  case QUOIN_ERR_NOT_FOUND:
  case QUOIN_ERR_EXISTS:
  case QUOIN_ERR_POISONED:
  case QUOIN_ERR_READ_ONLY:
  case QUOIN_ERR_NO_SPACE:
  case QUOIN_ERR_CONSTRAINT:
    return EXIT_DATA;
  }
  return EXIT_DATA;
}

int
cli_report(const quoin_error *err, const char *name)
{
  fflush(stdout);
  print_error(err, name, "error");
  return cli_exit_status(err->status);
}

void
cli_warn(void *user, const quoin_error *err)
{
  cli_progress *progress = user;
  if (progress) cli_progress_end(progress);
  print_error(err, "input", "warning: skipped");
}

/* ---- signals --------------------------------------------------------------------------------- */

/* What the handler needs; set once, before it is installed. */
static quoin_cancel *to_cancel;

static void
on_signal(int signal_number)
{
  stopped_by = signal_number;
  quoin_cancel_request(to_cancel);
}

void
cli_catch_signals(quoin_cancel *cancel)
{
  /* SA_RESETHAND: the second one does what signals do, so that nobody is ever stuck. SA_RESTART:
   * a read or write in progress is not an error; what is long asks the token. */
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};

  to_cancel = cancel;
  stopped_by = 0;
  quoin_cancel_reset(cancel);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  action.sa_flags = 0;
  sigaction(SIGPIPE, &action, NULL);
  sigaction(SIGXFSZ, &action, NULL);
}

bool
cli_stopped(void)
{
  return stopped_by != 0;
}

/* ---- standard output ------------------------------------------------------------------------- */

bool
cli_output_open(cli_output *out)
{
  *out = (cli_output){.cap = 1 << 18};
  if (!(out->data = malloc(out->cap))) cli_complain("out of memory");
  return out->data != NULL;
}

void
cli_output_close(cli_output *out)
{
  free(out->data);
  *out = (cli_output){0};
}

static quoin_status
write_all(const char *data, size_t len, quoin_error *err)
{
  while (len) {
    const ssize_t n = write(STDOUT_FILENO, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (err) {
        err->status = QUOIN_ERR_IO;
        err->os_errno = errno;
        err->line = err->column = 0;
        err->offset = UINT64_MAX;
        snprintf(err->file, sizeof(err->file), "standard output");
        snprintf(err->message, sizeof(err->message), "cannot be written: %s", strerror(errno));
      }
      return QUOIN_ERR_IO;
    }
    data += n;
    len -= (size_t)n;
  }
  return QUOIN_OK;
}

quoin_status
cli_output_flush(cli_output *out, quoin_error *err)
{
  const size_t len = out->len;
  out->len = 0;
  return write_all(out->data, len, err);
}

quoin_status
cli_output_write(void *user, const void *data, size_t len, quoin_error *err)
{
  cli_output *out = user;

  if (len > out->cap - out->len) {
    const quoin_status st = cli_output_flush(out, err);
    if (st) return st;
    if (len >= out->cap) return write_all(data, len, err);
  }
  if (len) memcpy(out->data + out->len, data, len);
  out->len += len;
  return QUOIN_OK;
}

/* ---- progress -------------------------------------------------------------------------------- */

double
cli_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

const char *
cli_count(char out[32], uint64_t n)
{
  char digits[24];
  const int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
  char *to = out;

  for (int i = 0; i < len; i++) {
    if (i && (len - i) % 3 == 0) *to++ = ',';
    *to++ = digits[i];
  }
  *to = '\0';
  return out;
}

bool
cli_on_terminal(void)
{
  return isatty(STDERR_FILENO);
}

void
cli_progress_start(cli_progress *progress, const char *what)
{
  *progress = (cli_progress){
      .on = cli_on_terminal(), .what = what, .items = "statements", .started = cli_now()};
}

void
cli_progress_show(void *user, uint64_t items, uint64_t taken, uint64_t total)
{
  enum { A_SECOND = 4 };
  cli_progress *progress = user;
  const double now = progress->on ? cli_now() : 0, seconds = now - progress->started;
  char count[32], rate[32];

  if (!progress->on || seconds <= 0.0 || now < progress->next) return;
  progress->next = now + 1.0 / A_SECOND;
  fprintf(stderr, "\r%s: %s", progress->what, cli_count(count, items));
  if (progress->unit == CLI_ITEMS && total) fprintf(stderr, " of %s", cli_count(count, total));
  fprintf(stderr, " %s, %s/s", progress->items,
          cli_count(rate, (uint64_t)((double)items / seconds)));
  if (progress->unit == CLI_BYTES) {
    fprintf(stderr, ", %.1f MB", (double)taken / 1e6);
    if (total) fprintf(stderr, " of %.1f", (double)total / 1e6);
  }
  if (total && taken && taken <= total)
    fprintf(stderr, ", %.0f s left", seconds * (double)(total - taken) / (double)taken);
  fprintf(stderr, "\033[K");
  progress->shown = true;
}

double
cli_progress_end(cli_progress *progress)
{
  if (progress->shown) fprintf(stderr, "\r\033[K");
  progress->shown = false;
  return cli_now() - progress->started;
}

/* ---- files ----------------------------------------------------------------------------------- */

quoin_span
cli_span(const char *text)
{
  return (quoin_span){text, text ? strlen(text) : 0};
}

int
cli_read_file(char **data, size_t *len, const char *path)
{
  const bool is_stdin = strcmp(path, "-") == 0;
  FILE *file = is_stdin ? stdin : fopen(path, "rb");
  size_t cap = 0, got = 0;

  *data = NULL;
  *len = 0;
  if (!file) {
    fprintf(stderr, "%s: error: cannot be opened: %s\n", path, strerror(errno));
    return EXIT_DATA;
  }
  do {
    if (*len == cap) {
      char *more = realloc(*data, cap ? cap * 2 : 4096);
      if (!more) break;
      *data = more;
      cap = cap ? cap * 2 : 4096;
    }
    got = fread(*data + *len, 1, cap - *len, file);
    *len += got;
  } while (got);
  const bool failed = ferror(file) || *len == cap;
  if (failed) fprintf(stderr, "%s: error: cannot be read: %s\n", path, strerror(errno));
  if (!is_stdin) fclose(file);
  if (!failed) return EXIT_DONE;
  free(*data);
  *data = NULL;
  return EXIT_DATA;
}

/* Closing a store has no status. */
static bool unsaved;

bool
cli_unsaved(void)
{
  return unsaved;
}

static void
log_line(void *user, const char *line)
{
  static const char failed[] = "not saved at closing: ";
  (void)user;
  if (strncmp(line, failed, sizeof(failed) - 1) == 0) unsaved = true;
  fprintf(stderr, "quoin: %s\n", line);
}

const char *
cli_place(const cli_args *args)
{
  return args->option[OPT_STORE].given ? args->option[OPT_STORE].text : args->option[OPT_POOL].text;
}

/* A store of a pool; it outlives the handle of that. */
static quoin_status
open_in_pool(quoin_store **out, const cli_args *args, quoin_mode mode, quoin_error *err)
{
  quoin_pool_options options = QUOIN_POOL_OPTIONS_INIT;
  quoin_pool *pool = NULL;

  options.mode = mode == QUOIN_READ_ONLY ? QUOIN_READ_ONLY : QUOIN_READ_WRITE;
  options.durability = (quoin_durability)args->option[OPT_DURABILITY].number;
  options.log = log_line;
  options.threads = (unsigned)args->option[OPT_THREADS].number;
  options.unlinked_vectors = args->option[OPT_UNLINKED].number;
  quoin_status st = quoin_pool_open(&pool, args->option[OPT_POOL].text, &options, err);
  if (!st) st = quoin_pool_store(out, pool, args->option[OPT_NAME].text, err);
  quoin_pool_close(pool);
  return st;
}

quoin_status
cli_try_open(quoin_store **out, const cli_args *args, quoin_mode mode, quoin_error *err)
{
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;

  if (args->option[OPT_POOL].given) return open_in_pool(out, args, mode, err);
  options.mode = mode;
  options.durability = (quoin_durability)args->option[OPT_DURABILITY].number;
  options.log = log_line;
  options.unlinked_vectors = args->option[OPT_UNLINKED].number;
  options.threads = (unsigned)args->option[OPT_THREADS].number;
  return quoin_open(out, args->option[OPT_STORE].text, &options, err);
}

int
cli_open(quoin_store **out, const cli_args *args, quoin_mode mode)
{
  quoin_error err = QUOIN_ERROR_INIT;
  return cli_try_open(out, args, mode, &err) ? cli_report(&err, cli_place(args)) : EXIT_DONE;
}
