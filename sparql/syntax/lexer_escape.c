/* sparql/syntax/lexer_escape.c - codepoint escapes before the text is cut into tokens
 * (section 19.2).
 *
 * Only outside strings, IRIs and comments: within those the lexer decodes them itself. Most queries
 * have none: then the text stays as it is and nothing is copied. */
#include "sparql/syntax/lexer_escape.h"

#include "base/poison.h"

typedef struct escape_pass {
  sparql_lexer *lexer;
  char *out;
  size_t n, cap_shifts;
} escape_pass;

/* What is copied as it stands, from `at`: a string, an IRI, a comment, or an escaped character. */
static const char *
verbatim_end(const char *at, const char *end)
{
  size_t quote;
  const char *stop = NULL;
  switch (*at) {
  case '"':
  case '\'':
    stop = lexer_string_end(at, end, &quote);
    return stop ? stop : end; /* not closed: the lexer reports it */
  case '<':
    stop = lexer_iri_end(at, end);
    return stop ? stop : at + 1;
  case '#':
    while (at < end && *at != '\n' && *at != '\r')
      at++;
    return at;
  case '\\': /* as in a local name; not an escape of a character, that was looked at before */
    return end - at >= 2 && (unsigned char)at[1] < 128 ? at + 2 : at + 1;
  }
  return at + 1;
}

static bool
add_shift(escape_pass *pass, size_t written)
{
  sparql_lexer *lexer = pass->lexer;
  if (lexer->n_shifts == pass->cap_shifts) {
    size_t cap = pass->cap_shifts ? 2 * pass->cap_shifts : 16;
    lexer_shift *grown = base_arena_new(lexer->arena, cap, sizeof(*grown));
    if (!grown) return false;
    if (lexer->n_shifts) memcpy(grown, lexer->shifts, lexer->n_shifts * sizeof(*grown));
    lexer->shifts = grown;
    pass->cap_shifts = cap;
  }
  lexer->shifts[lexer->n_shifts++] = (lexer_shift){pass->n, written};
  return true;
}

static bool
has_escape(quoin_span text)
{
  const char *at = text.ptr, *end = text.ptr + text.len;
  while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
    if (end - at >= 2 && (at[1] == 'u' || at[1] == 'U')) return true;
    at++;
  }
  return false;
}

quoin_status
lexer_unescape(sparql_lexer *lexer, quoin_error *err)
{
  quoin_span text = lexer->written;
  lexer->text = text;
  if (text.len == 0 || !has_escape(text)) return QUOIN_OK;
  escape_pass pass = {.lexer = lexer, .out = base_arena_bytes(lexer->arena, text.len + 1)};
  if (!pass.out) return base_fail_nomem(err);
  const char *at = text.ptr, *end = text.ptr + text.len;
  while (at < end) {
    uint32_t cp;
    size_t taken = *at == '\\' ? lexer_uchar(&cp, at, end) : 0;
    if (taken) {
      pass.n += base_utf8_encode(pass.out + pass.n, cp);
      at += taken;
      if (!add_shift(&pass, (size_t)(at - text.ptr))) return base_fail_nomem(err);
      continue;
    }
    const char *stop = verbatim_end(at, end);
    memcpy(pass.out + pass.n, at, (size_t)(stop - at));
    pass.n += (size_t)(stop - at);
    at = stop;
  }
  lexer->text = (quoin_span){pass.out, pass.n};
  return QUOIN_OK;
}
