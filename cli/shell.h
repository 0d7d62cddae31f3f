/* cli/shell.h - the parts of the prompt: lines, where a request ends, what it declares. */
#ifndef QUOIN_CLI_SHELL_H
#define QUOIN_CLI_SHELL_H

#include "cli/cli.h"

/* ---- lines (shell_line.c) ---------------------------------------------------------------------
 */

/* The next line of standard input, of malloc and without its end; with `prompt` on a terminal,
 * where it can be edited and earlier ones come back. NULL at the end. */
char *shell_line(const char *prompt, bool terminal);

/* ---- requests (shell_text.c) ------------------------------------------------------------------
 */

/* Text of a request as it comes in. It ends with an empty line, or with a ';' at the end of a line
 * outside of all brackets, strings and IRIs, which does not belong to it. */
typedef struct shell_text {
  char *data;
  size_t len, cap;
  unsigned depth;  /* open brackets */
  char quote;      /* of the string that is open, or 0 */
  bool long_quote; /* three of them */
} shell_text;

/* False: no memory. *ends: the request is complete. */
bool shell_text_add(bool *ends, shell_text *text, const char *line);
void shell_text_reset(shell_text *text);
void shell_text_clear(shell_text *text);

/* PREFIX and BASE declarations that hold for all that follows. */
typedef struct shell_names {
  char **prefix; /* each "name: <iri>" */
  size_t n, cap;
  char *base; /* "<iri>", or NULL */
} shell_names;

/* Where the declarations at the begin of `text` end, and white space and comments after them; with
 * `names` they are kept. */
size_t shell_prologue(shell_names *names, const char *text, size_t len);
/* What is kept as one line of text, of malloc; NULL: no memory. */
char *shell_names_line(const shell_names *names);
void shell_names_clear(shell_names *names);

#endif /* QUOIN_CLI_SHELL_H */
