/* The child process that makes vectors: a line of text in, a JSON array out, each time. */
#include "cli/vector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_SIZE = 65536, POLL_MS = 250, ANSWER_MAX = 16 << 20 };

/* For its end when nobody waits for answers any more, then for its end by SIGTERM: seconds. */
#define END_SECONDS 2.0
#define KILL_SECONDS 1.0

static int
fail_child(const char *what)
{
  fprintf(stderr, "--embed-command: error: %s%s%s\n", what, errno ? ": " : "",
          errno ? strerror(errno) : "");
  return EXIT_DATA;
}

static int
fail_plain(const char *what)
{
  errno = 0;
  return fail_child(what);
}

/* Once. */
static int
fail_unasked(vector_child *child)
{
  if (child->told) return EXIT_DATA;
  child->told = true;
  return fail_plain("gave a line that it was not asked for");
}

static bool
is_late(const vector_child *child)
{
  return child->deadline > 0 && cli_now() >= child->deadline;
}

/* Nobody waits for it any more. */
static bool
is_over(const vector_child *child)
{
  return cli_stopped() || is_late(child);
}

static int
fail_over(const vector_child *child)
{
  if (cli_stopped() || !is_late(child)) return cli_exit_status(QUOIN_ERR_CANCELLED);
  (void)fail_plain("gave no answer in time");
  return cli_exit_status(QUOIN_ERR_TIMEOUT);
}

/* For poll(): until the deadline, and not so long that a signal just before it waits. */
static int
wait_ms(const vector_child *child)
{
  const double left = child->deadline > 0 ? (child->deadline - cli_now()) * 1e3 + 1 : POLL_MS;
  return left >= POLL_MS ? POLL_MS : left > 0 ? (int)left : 0;
}

/* In the child: the pipes become standard input and output. */
/* It is the first of a group, so that it can be ended together with what it starts. */
static void
become(const int in[2], const int out[2], const char *command)
{
  if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0) _exit(127);
  for (int i = 0; i < 2; i++) {
    if (in[i] > STDERR_FILENO) close(in[i]);
    if (out[i] > STDERR_FILENO) close(out[i]);
  }
  (void)setpgid(0, 0);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(127);
}

int
vector_child_open(vector_child *child, const char *command)
{
  int in[2], out[2] = {-1, -1};

  *child = (vector_child){.pid = -1, .from = -1, .to = -1};
  fflush(NULL);
  if (pipe(in)) return fail_child("no pipe");
  if (pipe(out) || (child->pid = fork()) < 0) {
    for (int i = 0; i < 2; i++) {
      close(in[i]);
      if (out[i] >= 0) close(out[i]);
    }
    return fail_child("cannot be started");
  }
  if (child->pid == 0) become(in, out, command);
  close(in[0]);
  close(out[1]);
  (void)setpgid((pid_t)child->pid, (pid_t)child->pid); /* whoever of the two comes first */
  child->from = out[0];
  child->to = in[1];
  if (fcntl(child->to, F_SETFL, O_NONBLOCK) == 0) return EXIT_DONE;
  const int status = fail_child("no pipe");
  (void)vector_child_close(child);
  return status;
}

/* Read what there is. 1: something, 0: the end, -1: nothing within `ms`, -2: it failed. */
static int
read_some(vector_child *child, int ms)
{
  struct pollfd from = {.fd = child->from, .events = POLLIN};
  const int ready = poll(&from, 1, ms);

  if (ready == 0 || (ready < 0 && errno == EINTR)) return -1;
  if (ready < 0) return -2;
  if (child->cap - child->len < READ_SIZE) {
    char *grown = realloc(child->line, child->cap + 2 * READ_SIZE);
    if (!grown) return -2;
    child->line = grown;
    child->cap += 2 * READ_SIZE;
  }
  const ssize_t got = read(child->from, child->line + child->len, READ_SIZE);
  if (got > 0) child->len += (size_t)got;
  return got > 0 ? 1 : got == 0 ? 0 : errno == EINTR ? -1 : -2;
}

static bool
is_blank(const char *text, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (!text[i] || !strchr(" \t\r\n", text[i])) return false;
  return true;
}

/* The next line, its length without the end in *len. */
static int
read_answer(vector_child *child, size_t *len)
{
  for (size_t looked = 0;;) {
    const char *end =
        child->len > looked ? memchr(child->line + looked, '\n', child->len - looked) : NULL;
    if (end) {
      *len = (size_t)(end - child->line);
      return EXIT_DONE;
    }
    looked = child->len;
    if (looked > ANSWER_MAX) return fail_plain("gives a line without an end");
    if (is_over(child)) return fail_over(child);
    const int got = read_some(child, wait_ms(child));
    if (got == -2) return fail_child("cannot be read");
    if (got == 0 && looked == 0) {
      child->ended = true;
      return fail_plain("ended without an answer");
    }
    if (got == 0) {
      *len = looked; /* a last line without its end */
      return EXIT_DONE;
    }
  }
}

/* What it says that is no answer, as far as it can be shown. */
static int
fail_answer(const vector_child *child, size_t len)
{
  char shown[61];
  size_t n = 0;
  for (; n < len && n < sizeof(shown) - 1; n++)
    shown[n] = (char)(child->line[n] >= 0x20 && child->line[n] < 0x7F ? child->line[n] : '?');
  shown[n] = '\0';
  fprintf(stderr, "--embed-command: error: found \"%s\", expected a JSON array of finite numbers\n",
          shown);
  return EXIT_DATA;
}

/* What only blanks lead to is forgotten, or a program that prints nothing else would fill memory.
 * An answer to nothing would make all that follow answers to the text before. */
static bool
is_ahead(vector_child *child, int ms)
{
  while (is_blank(child->line, child->len) && !is_over(child) && read_some(child, ms) == 1)
    if (is_blank(child->line, child->len)) child->len = 0;
  return !is_blank(child->line, child->len);
}

int
vector_child_rest(vector_child *child)
{
  return is_ahead(child, POLL_MS) ? fail_unasked(child) : EXIT_DONE;
}

/* A program that does not read its input must not hold us up either. */
static int
send_all(const char *data, size_t len, vector_child *child)
{
  while (len) {
    struct pollfd to = {.fd = child->to, .events = POLLOUT};
    const ssize_t n = write(child->to, data, len);
    if (n > 0) {
      data += n;
      len -= (size_t)n;
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) {
      child->ended = true;
      return fail_child("takes no more text");
    }
    if (is_over(child)) return fail_over(child);
    (void)poll(&to, 1, wait_ms(child));
  }
  return EXIT_DONE;
}

/* The text as one line. */
static int
send_text(const char *text, size_t len, vector_child *child)
{
  char *line = malloc(len + 1);

  if (!line) {
    cli_complain("out of memory");
    return EXIT_LIMIT;
  }
  for (size_t i = 0; i < len; i++)
    line[i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
  line[len] = '\n';
  const int status = send_all(line, len + 1, child);
  free(line);
  return status;
}

int
vector_child_ask(vector_child *child, const char *text, size_t len, float *out, size_t n)
{
  size_t answer = 0;

  if (is_ahead(child, 0)) return fail_unasked(child);
  child->len = 0;
  int status = send_text(text, len, child);
  if (!status) status = read_answer(child, &answer);
  const size_t found = status ? 0 : vector_numbers(out, n, child->line, answer);
  if (!status && found == SIZE_MAX) {
    status = fail_answer(child, answer);
  } else if (!status && found != n) {
    fprintf(stderr, "--embed-command: error: found %zu numbers, expected %zu\n", found, n);
    status = EXIT_DATA;
  }
  if (status) {
    child->len = 0;
    return status;
  }
  const size_t used = answer < child->len ? answer + 1 : answer;
  memmove(child->line, child->line + used, child->len - used);
  child->len -= used;
  return EXIT_DONE;
}

static int
fail_ended(int how)
{
  const bool killed = WIFSIGNALED(how);
  fprintf(stderr, "--embed-command: error: ended with a failure: %s %d\n",
          killed ? "signal" : "exit status", killed ? WTERMSIG(how) : WEXITSTATUS(how));
  return EXIT_DATA;
}

/* Its status. Whom nobody waits for is told to end, and then made to. */
static int
reap(const vector_child *child)
{
  const pid_t pid = (pid_t)child->pid;
  double told = 0;
  int how = 0, pause = 1;

  for (;;) {
    const pid_t got = waitpid(pid, &how, WNOHANG);
    if (got > 0 || (got < 0 && errno != EINTR)) return how;
    if (told > 0 && cli_now() - told >= KILL_SECONDS) kill(-pid, SIGKILL);
    if (told <= 0 && is_over(child)) {
      kill(-pid, SIGTERM);
      told = cli_now();
    }
    (void)poll(NULL, 0, pause);
    pause = pause < 32 ? 2 * pause : pause;
  }
}

int
vector_child_end(vector_child *child)
{
  int how = 0, status = EXIT_DONE, got = 1;

  if (child->to >= 0) close(child->to);
  child->to = -1;
  /* It may say something more now that there is no more text: that is an answer too many. */
  while (child->from >= 0 && !is_over(child) && is_blank(child->line, child->len) &&
         ((got = read_some(child, wait_ms(child))) == 1 || got == -1))
    if (got == 1 && child->len > ANSWER_MAX) child->len = 0;
  if (!is_blank(child->line, child->len)) status = fail_unasked(child);
  if (child->from >= 0) close(child->from);
  child->from = -1;
  child->len = 0;
  if (child->pid > 0) how = reap(child);
  child->pid = -1;
  return how != 0 && !is_over(child) && !status ? fail_ended(how) : status;
}

int
vector_child_close(vector_child *child)
{
  const int status = vector_child_end(child);
  free(child->line);
  *child = (vector_child){.pid = -1, .from = -1, .to = -1};
  return status;
}

void
vector_embedder_close(vector_embedder *embedder)
{
  const double end = cli_now() + END_SECONDS;
  vector_child *child = &embedder->child;

  if (embedder->open && (child->deadline <= 0 || child->deadline > end)) child->deadline = end;
  if (embedder->open) (void)vector_child_close(child);
  embedder->open = false;
}

double
vector_deadline(const cli_args *args)
{
  const uint64_t ms = args->option[OPT_TIMEOUT].number;
  return ms ? cli_now() + (double)ms / 1e3 : 0;
}

static quoin_status
fail_embedding(quoin_status status, const char *what, quoin_error *err)
{
  if (err) {
    err->status = status;
    snprintf(err->message, sizeof(err->message), "vec:embed: %s", what);
  }
  return status;
}

quoin_status
vector_embed_text(float *out, size_t n, void *embedder, quoin_span text, quoin_error *err)
{
  static const char none[] = "the program gave no vector";
  vector_embedder *em = embedder;
  vector_child *child = &em->child;

  if (!em->open && vector_child_open(child, em->command))
    return fail_embedding(QUOIN_ERR_IO, none, err);
  em->open = true;
  child->deadline = em->deadline;
  if (!vector_child_ask(child, text.ptr, text.len, out, n)) return QUOIN_OK;
  if (cli_stopped()) return fail_embedding(QUOIN_ERR_CANCELLED, "cancelled", err);
  return is_late(child) ? fail_embedding(QUOIN_ERR_TIMEOUT, "the deadline passed", err)
                        : fail_embedding(QUOIN_ERR_IO, none, err);
}
