/* The child process that makes vectors: a line of text in, a JSON array out, each time. */
#include "cli/vector.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_SIZE = 65536, POLL_MS = 250, ANSWER_MAX = 16 << 20 };

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

/* In the child: the pipes become standard input and output. */
static void
become(const int in[2], const int out[2], const char *command)
{
  if (dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0) _exit(127);
  for (int i = 0; i < 2; i++) {
    if (in[i] > STDERR_FILENO) close(in[i]);
    if (out[i] > STDERR_FILENO) close(out[i]);
  }
  signal(SIGPIPE, SIG_DFL);
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(127);
}

int
vector_child_open(vector_child *child, const char *command)
{
  int in[2], out[2] = {-1, -1};

  *child = (vector_child){.pid = -1, .from = -1};
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
  child->from = out[0];
  if ((child->to = fdopen(in[1], "w"))) return EXIT_DONE;
  const int status = fail_child("no memory");
  close(in[1]);
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
    if (cli_stopped()) return cli_exit_status(QUOIN_ERR_CANCELLED);
    const int got = read_some(child, POLL_MS);
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
  while (is_blank(child->line, child->len) && !cli_stopped() && read_some(child, ms) == 1)
    if (is_blank(child->line, child->len)) child->len = 0;
  return !is_blank(child->line, child->len);
}

int
vector_child_rest(vector_child *child)
{
  return is_ahead(child, POLL_MS) ? fail_unasked(child) : EXIT_DONE;
}

int
vector_child_ask(vector_child *child, const char *text, size_t len, float *out, size_t n)
{
  size_t answer = 0;

  if (is_ahead(child, 0)) return fail_unasked(child);
  child->len = 0;
  errno = 0;
  for (size_t i = 0; i < len; i++)
    fputc(text[i] == '\n' || text[i] == '\r' ? ' ' : text[i], child->to);
  if (fputc('\n', child->to) == EOF || fflush(child->to)) {
    child->ended = true;
    return fail_child("takes no more text");
  }
  int status = read_answer(child, &answer);
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

int
vector_child_end(vector_child *child)
{
  int how = 0, status = EXIT_DONE, got = 1;

  if (child->to) fclose(child->to);
  child->to = NULL;
  /* It may say something more now that there is no more text: that is an answer too many. */
  while (child->from >= 0 && !cli_stopped() && is_blank(child->line, child->len) &&
         ((got = read_some(child, POLL_MS)) == 1 || got == -1))
    if (got == 1 && child->len > ANSWER_MAX) child->len = 0;
  if (!is_blank(child->line, child->len)) status = fail_unasked(child);
  if (child->from >= 0) close(child->from);
  child->from = -1;
  child->len = 0;
  if (child->pid > 0 && cli_stopped()) kill((pid_t)child->pid, SIGTERM);
  if (child->pid > 0)
    while (waitpid((pid_t)child->pid, &how, 0) < 0 && errno == EINTR)
      ;
  const bool failed = child->pid > 0 && how != 0 && !cli_stopped();
  child->pid = -1;
  return failed && !status ? fail_ended(how) : status;
}

int
vector_child_close(vector_child *child)
{
  const int status = vector_child_end(child);
  free(child->line);
  *child = (vector_child){.pid = -1, .from = -1};
  return status;
}

void
vector_embedder_close(vector_embedder *embedder)
{
  if (embedder->open) (void)vector_child_close(&embedder->child);
  embedder->open = false;
}

quoin_status
vector_embed_text(float *out, size_t n, void *embedder, quoin_span text, quoin_error *err)
{
  vector_embedder *em = embedder;
  if (err) {
    err->status = QUOIN_ERR_IO;
    snprintf(err->message, sizeof(err->message), "vec:embed: the program gave no vector");
  }
  if (!em->open && vector_child_open(&em->child, em->command)) return QUOIN_ERR_IO;
  em->open = true;
  return vector_child_ask(&em->child, text.ptr, text.len, out, n) ? QUOIN_ERR_IO : QUOIN_OK;
}
