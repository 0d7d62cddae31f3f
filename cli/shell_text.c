/* Where a request ends, and what it declares. */
#include "cli/shell.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- the end of a request ---------------------------------------------------------------------
 */

static bool
reserve(shell_text *text, size_t more)
{
  size_t cap = text->cap ? text->cap : 256;
  while (cap - text->len < more)
    cap *= 2;
  if (cap == text->cap) return true;
  char *data = realloc(text->data, cap);
  if (!data) return false;
  text->data = data;
  text->cap = cap;
  return true;
}

/* The length of the IRI that begins at `at`, 0 when the '<' is an operator. */
static size_t
iri_length(const char *at)
{
  size_t n = 1 + strcspn(at + 1, "<>\"{}|^`\\ \t");
  return at[n] == '>' ? n + 1 : 0;
}

static bool
is_long_quote(const char *at, char quote)
{
  return at[0] == quote && at[1] == quote && at[2] == quote;
}

/* Past one character, or one token, that stands in an open string. */
static const char *
within_string(shell_text *text, const char *at)
{
  if (*at == '\\' && at[1]) return at + 2;
  if (*at != text->quote || (text->long_quote && !is_long_quote(at, text->quote))) return at + 1;
  at += text->long_quote ? 3 : 1;
  text->quote = 0;
  return at;
}

/* The same outside of strings. */
static const char *
outside_strings(shell_text *text, const char *at)
{
  size_t iri = *at == '<' ? iri_length(at) : 0;
  if (iri) return at + iri;
  if (*at == '"' || *at == '\'') {
    text->quote = *at;
    text->long_quote = is_long_quote(at, *at);
    return at + (text->long_quote ? 3 : 1);
  }
  if (strchr("{([", *at)) text->depth++;
  if (strchr("})]", *at) && text->depth) text->depth--;
  return at + 1;
}

bool
shell_text_add(bool *ends, shell_text *text, const char *line)
{
  const size_t before = text->len, len = strlen(line);
  const char *last = NULL; /* the last character that counts */
  bool was_string = text->quote != 0, some = false;

  if (!reserve(text, len + 2)) return false;
  memcpy(text->data + before, line, len + 1);
  const char *at = text->data + before;
  while (*at) {
    if (text->quote) {
      at = within_string(text, at);
      last = NULL;
    } else if (*at == '#') {
      break;
    } else {
      if (!isspace((unsigned char)*at)) last = at;
      at = outside_strings(text, at);
    }
  }
  if (text->quote && !text->long_quote) text->quote = 0; /* not closed: the parser will say so */
  for (size_t i = 0; i < before && !some; i++)
    some = !isspace((unsigned char)text->data[i]);
  const bool outside = !text->quote && !text->depth;
  const bool empty = strspn(line, " \t\r") == len;
  *ends = outside && ((empty && some && !was_string) || (last && *last == ';'));
  if (*ends && last) {
    text->len = (size_t)(last - text->data);
  } else {
    text->len = before + len;
    text->data[text->len++] = '\n';
  }
  text->data[text->len] = '\0';
  return true;
}

void
shell_text_reset(shell_text *text)
{
  text->len = text->depth = 0;
  text->quote = 0;
  if (text->data) text->data[0] = '\0';
}

void
shell_text_clear(shell_text *text)
{
  free(text->data);
  *text = (shell_text){0};
}

/* ---- declarations ------------------------------------------------------------------------------
 */

static size_t
skip_space(const char *text, size_t len, size_t at)
{
  while (at < len && (isspace((unsigned char)text[at]) || text[at] == '#')) {
    if (text[at] == '#')
      while (at < len && text[at] != '\n')
        at++;
    else
      at++;
  }
  return at;
}

static bool
keyword(size_t *at, const char *text, size_t len, const char *word)
{
  size_t n = strlen(word);
  if (len - *at <= n) return false;
  for (size_t i = 0; i < n; i++)
    if (toupper((unsigned char)text[*at + i]) != word[i]) return false;
  if (!isspace((unsigned char)text[*at + n]) && text[*at + n] != '<') return false;
  *at = skip_space(text, len, *at + n);
  return true;
}

/* An IRI in brackets: its end, or 0. */
static size_t
iri_end(const char *text, size_t len, size_t at)
{
  if (at >= len || text[at] != '<') return 0;
  while (at < len && text[at] != '>' && !isspace((unsigned char)text[at]))
    at++;
  return at < len && text[at] == '>' ? at + 1 : 0;
}

static char *
copy(const char *from, size_t len)
{
  char *to = malloc(len + 1);
  if (!to) return NULL;
  memcpy(to, from, len);
  to[len] = '\0';
  return to;
}

/* "name: <iri>"; the one of that name before gives way. Without memory nothing is kept. */
static void
keep_prefix(shell_names *names, const char *name, size_t n_name, const char *iri, size_t n_iri)
{
  char *whole = malloc(n_name + n_iri + 2);
  if (!whole) return;
  memcpy(whole, name, n_name);
  whole[n_name] = ' ';
  memcpy(whole + n_name + 1, iri, n_iri);
  whole[n_name + 1 + n_iri] = '\0';
  for (size_t i = 0; i < names->n; i++)
    if (strncmp(names->prefix[i], whole, n_name + 1) == 0) {
      free(names->prefix[i]);
      names->prefix[i] = whole;
      return;
    }
  if (names->n == names->cap) {
    size_t cap = names->cap ? names->cap * 2 : 16;
    char **grown = realloc(names->prefix, cap * sizeof(*grown));
    if (!grown) {
      free(whole);
      return;
    }
    names->prefix = grown;
    names->cap = cap;
  }
  names->prefix[names->n++] = whole;
}

size_t
shell_prologue(shell_names *names, const char *text, size_t len)
{
  size_t at = skip_space(text, len, 0);
  for (;;) {
    size_t next = at, name, end;
    if (keyword(&next, text, len, "BASE")) {
      if (!(end = iri_end(text, len, next))) return at;
      if (names) {
        free(names->base);
        names->base = copy(text + next, end - next);
      }
    } else if (keyword(&next, text, len, "PREFIX")) {
      name = next;
      while (next < len && text[next] != ':' && !isspace((unsigned char)text[next]))
        next++;
      if (next == len || text[next] != ':') return at;
      size_t n_name = ++next - name;
      next = skip_space(text, len, next);
      if (!(end = iri_end(text, len, next))) return at;
      if (names) keep_prefix(names, text + name, n_name, text + next, end - next);
    } else {
      return at;
    }
    at = skip_space(text, len, end);
  }
}

char *
shell_names_line(const shell_names *names)
{
  size_t len = 2;
  if (names->base) len += strlen(names->base) + 6;
  for (size_t i = 0; i < names->n; i++)
    len += strlen(names->prefix[i]) + 8;
  char *line = malloc(len), *at = line;
  if (!line) return NULL;
  *at = '\0';
  if (names->base) at += sprintf(at, "BASE %s ", names->base);
  for (size_t i = 0; i < names->n; i++)
    at += sprintf(at, "PREFIX %s ", names->prefix[i]);
  return line;
}

void
shell_names_clear(shell_names *names)
{
  for (size_t i = 0; i < names->n; i++)
    free(names->prefix[i]);
  free(names->prefix);
  free(names->base);
  *names = (shell_names){0};
}
