/* Lines of standard input; by libedit on a terminal, where it is there. */
#include "cli/shell.h"

#include <stdlib.h>
#include <string.h>

#ifdef QUOIN_LIBEDIT
#include <editline/readline.h>
#endif

static char *
plain_line(void)
{
  char *line = NULL;
  size_t cap = 0;
  ssize_t len = getline(&line, &cap, stdin);
  if (len < 0) {
    free(line);
    return NULL;
  }
  while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
    line[--len] = '\0';
  return line;
}

char *
shell_line(const char *prompt, bool terminal)
{
  if (!terminal) return plain_line();
#ifdef QUOIN_LIBEDIT
  char *line = readline(prompt);
  if (line && line[strspn(line, " \t")]) add_history(line);
  return line;
#else
  fputs(prompt, stderr);
  fflush(stderr);
  return plain_line();
#endif
}
