/* sparql/syntax/lexer.c - cutting text into tokens, the longest match at each place (section 19.8).
 *
 * Two terminals are left to the parser, which looks at the addresses of neighbours: signs belong to
 * a number when nothing stands between them, and NIL and ANON are two brackets. */
#include "sparql/syntax/lexer.h"

#include "sparql/syntax/lexer_escape.h"

#include <assert.h>

#include "base/poison.h"

/* ---- positions
 * ------------------------------------------------------------------------------------- */

/* Place of `at` (in lexer->text) in the text as written. Places only grow but for an error. */
static void
find_position(sparql_lexer *lexer, const char *at)
{
  size_t offset = (size_t)(at - lexer->text.ptr);
  if (lexer->n_shifts) {
    while (lexer->shift < lexer->n_shifts && lexer->shifts[lexer->shift].decoded <= offset)
      lexer->shift++;
    if (lexer->shift) {
      const lexer_shift *s = &lexer->shifts[lexer->shift - 1];
      offset = s->written + (offset - s->decoded);
    }
  }
  const char *place = lexer->written.ptr + offset;
  const char *p = lexer->position;
  while (p < place) {
    const char *newline = memchr(p, '\n', (size_t)(place - p));
    if (!newline) break;
    lexer->line++;
    lexer->line_start = p = newline + 1;
  }
  if (place > lexer->position) lexer->position = place;
}

static uint32_t
column_of(const sparql_lexer *lexer)
{
  return (uint32_t)(lexer->position - lexer->line_start) + 1;
}

#define lexer_fail(lexer, place, err, ...)                                                         \
  (find_position((lexer), (place)),                                                                \
   base_fail_pos((err), QUOIN_ERR_SYNTAX, NULL, (lexer)->line, column_of(lexer), __VA_ARGS__))

quoin_status
lexer_init(sparql_lexer *lexer, quoin_span text, base_arena *arena, quoin_error *err)
{
  *lexer = (sparql_lexer){.arena = arena, .written = text, .line = 1};
  lexer->position = lexer->line_start = text.ptr;
  if (text.len >= UINT32_MAX)
    return base_fail(err, QUOIN_ERR_LIMIT, "the text is 4 GiB or longer, expected less");
  lexer->text = text;
  lexer->at = lexer->end = text.ptr;
  if (text.len == 0) return QUOIN_OK;
  size_t valid = base_utf8_valid(text.ptr, text.len);
  if (valid != text.len)
    return lexer_fail(lexer, text.ptr + valid, err,
                      "found bytes that are not UTF-8, expected UTF-8");
  quoin_status st = lexer_unescape(lexer, err);
  if (st) return st;
  lexer->at = lexer->text.ptr;
  lexer->end = lexer->at + lexer->text.len;
  /* A byte order mark says nothing more about UTF-8. */
  if (lexer->text.len >= 3 && memcmp(lexer->at, "\xEF\xBB\xBF", 3) == 0) lexer->at += 3;
  return QUOIN_OK;
}

/* ---- keywords
 * -------------------------------------------------------------------------------------- */

static const struct {
  const char *name;
  size_t len;
} keywords[KW_COUNT_OF] = {{"", 0},
                           {"a", 1},
#define KEYWORD_NAME(name) {#name, sizeof(#name) - 1},
                           SPARQL_KEYWORDS(KEYWORD_NAME)
#undef KEYWORD_NAME
};

const char *
lexer_keyword_name(sparql_keyword keyword)
{
  return keywords[keyword].name;
}

sparql_keyword
lexer_keyword_find(quoin_span word)
{
  enum { LONGEST = 16 };
  char upper[LONGEST];
  if (word.len == 1 && word.ptr[0] == 'a') return KW_A;
  if (word.len == 0 || word.len > LONGEST) return KW_NONE;
  for (size_t i = 0; i < word.len; i++) {
    char c = word.ptr[i];
    upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
  }
  int lo = KW_A + 1, hi = KW_COUNT_OF;
  while (lo < hi) {
    int mid = (lo + hi) / 2;
    int order = base_span_compare((quoin_span){upper, word.len},
                                  (quoin_span){keywords[mid].name, keywords[mid].len});
    if (order == 0) return (sparql_keyword)mid;
    if (order < 0)
      hi = mid;
    else
      lo = mid + 1;
  }
  return KW_NONE;
}

/* ---- values
 * ---------------------------------------------------------------------------------------- */

/* What an ECHAR's letter stands for, or 0. */
static char
echar_value(char c)
{
  switch (c) {
  case 't':
    return '\t';
  case 'b':
    return '\b';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 'f':
    return '\f';
  case '\\':
  case '"':
  case '\'':
    return c;
  }
  return 0;
}

/* `raw` with escapes decoded: \uXXXX and, in strings, the ECHARs. */
static quoin_status
decode(quoin_span *out, sparql_lexer *lexer, quoin_span raw, bool iri, quoin_error *err)
{
  const char *at = raw.ptr, *end = raw.ptr + raw.len;
  *out = raw;
  if (raw.len == 0 || !memchr(at, '\\', raw.len)) return QUOIN_OK;
  char *text = base_arena_bytes(lexer->arena, raw.len);
  size_t n = 0;
  if (!text) return base_fail_nomem(err);
  while (at < end) {
    const char *slash = memchr(at, '\\', (size_t)(end - at));
    size_t plain = (size_t)((slash ? slash : end) - at);
    memcpy(text + n, at, plain);
    n += plain;
    if (!slash) break;
    uint32_t cp;
    size_t taken = lexer_uchar(&cp, slash, end);
    if (taken) {
      if (iri && cp < 128 && (lexer_ascii[cp] & LEX_NOT_IRI))
        return lexer_fail(lexer, slash, err,
                          "found an escape for U+%04X, expected a character that an IRI may hold",
                          (unsigned)cp);
      n += base_utf8_encode(text + n, cp);
      at = slash + taken;
      continue;
    }
    char c = !iri && end - slash >= 2 ? echar_value(slash[1]) : 0;
    if (!c)
      return lexer_fail(lexer, slash, err,
                        iri ? "found a backslash, expected \\uXXXX or \\UXXXXXXXX of a character"
                            : "found a bad escape, expected \\t \\b \\n \\r \\f \\\\ \\\" \\' or "
                              "\\uXXXX or \\UXXXXXXXX of a character");
    text[n++] = c;
    at = slash + 2;
  }
  *out = (quoin_span){text, n};
  return QUOIN_OK;
}

static quoin_status
lex_string(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  size_t quote;
  const char *start = lexer->at;
  const char *stop = lexer_string_end(start, lexer->end, &quote);
  if (!stop)
    return lexer_fail(lexer, start, err,
                      quote == 3 ? "found a string without end, expected %.3s at its end"
                                 : "found a string without end, expected %.1s in the same line",
                      start);
  token->kind = TOKEN_STRING;
  lexer->at = stop;
  quoin_span raw = {start + quote, (size_t)(stop - start) - 2 * quote};
  return decode(&token->value, lexer, raw, false, err);
}

static quoin_status
lex_iri(sparql_token *token, sparql_lexer *lexer, const char *stop, quoin_error *err)
{
  const char *start = lexer->at;
  token->kind = TOKEN_IRI;
  lexer->at = stop;
  return decode(&token->value, lexer, (quoin_span){start + 1, (size_t)(stop - start) - 2}, true,
                err);
}

/* ---- names
 * ----------------------------------------------------------------------------------------- */

/* The length of an escape in a local name (PLX), or 0. */
static size_t
plx_len(const char *at, const char *end)
{
  if (end - at >= 2 && *at == '\\' && at[1] && strchr("_~.-!$&'()*+,;=/?#@%", at[1])) return 2;
  if (end - at >= 3 && *at == '%' && (unsigned char)at[1] < 128 && (unsigned char)at[2] < 128 &&
      (lexer_ascii[(unsigned char)at[1]] & lexer_ascii[(unsigned char)at[2]] & LEX_HEX))
    return 3;
  return 0;
}

/* PN_LOCAL from lexer->at; may be empty. */
static quoin_status
lex_local(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  const char *start = lexer->at, *at = start, *end = lexer->end, *last = start;
  bool escaped = false;
  while (at < end) {
    if (*at == '.') { /* not at either end */
      if (at == start) break;
      at++;
      continue;
    }
    size_t len;
    unsigned cls = lexer_class_at(&len, at, end);
    bool good = at == start ? (cls & LEX_START) : (cls & (LEX_NAME | LEX_DASH));
    if (!good && *at != ':') {
      if (!(len = plx_len(at, end))) break;
      escaped |= *at == '\\';
    }
    last = at += len;
  }
  lexer->at = last;
  token->has_local = last > start;
  token->value = (quoin_span){start, (size_t)(last - start)};
  if (!escaped) return QUOIN_OK;
  char *text = base_arena_bytes(lexer->arena, token->value.len);
  size_t n = 0;
  if (!text) return base_fail_nomem(err);
  for (at = start; at < last; at++) {
    if (*at == '\\') at++;
    text[n++] = *at;
  }
  token->value = (quoin_span){text, n};
  return QUOIN_OK;
}

/* A name that may have dots inside, but not at its end: from `at`, which is known to start one. */
static const char *
dotted_end(const char *at, const char *end)
{
  const char *last = at;
  for (;;) {
    at = last = lexer_run(at, end, LEX_NAME | LEX_DASH);
    while (at < end && *at == '.')
      at++;
    size_t len;
    if (at == last || !(lexer_class_at(&len, at, end) & (LEX_NAME | LEX_DASH))) return last;
  }
}

/* A prefixed name or, failing that, a word. */
static quoin_status
lex_name(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  const char *start = lexer->at;
  const char *stop = *start == ':' ? start : dotted_end(start, lexer->end);
  if (stop < lexer->end && *stop == ':') {
    token->kind = TOKEN_PNAME;
    token->prefix = (quoin_span){start, (size_t)(stop - start)};
    lexer->at = stop + 1;
    return lex_local(token, lexer, err);
  }
  stop = start;
  while (stop < lexer->end && (unsigned char)*stop < 128 &&
         (lexer_ascii[(unsigned char)*stop] & LEX_NAME))
    stop++;
  if (stop == start) stop = lexer_run(start, lexer->end, LEX_NAME);
  token->kind = TOKEN_WORD;
  token->value = (quoin_span){start, (size_t)(stop - start)};
  token->keyword = lexer_keyword_find(token->value);
  lexer->at = stop;
  return QUOIN_OK;
}

static quoin_status
lex_blank(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  const char *start = lexer->at + 2;
  size_t len;
  if (!(lexer_class_at(&len, start, lexer->end) & LEX_START))
    return lexer_fail(lexer, start, err,
                      "found '_:' without a label, expected a letter, a digit or '_' after it");
  lexer->at = dotted_end(start, lexer->end);
  token->kind = TOKEN_BLANK;
  token->value = (quoin_span){start, (size_t)(lexer->at - start)};
  return QUOIN_OK;
}

static quoin_status
lex_lang(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  const char *start = lexer->at + 1, *at = start, *end = lexer->end;
  while (at < end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')))
    at++;
  if (at == start)
    return lexer_fail(lexer, lexer->at, err, "found '@', expected a language tag after it");
  while (at + 1 < end && *at == '-') {
    const char *part = at + 1;
    while (part < end && (unsigned char)*part < 128 && *part != '_' &&
           (lexer_ascii[(unsigned char)*part] & LEX_NAME))
      part++;
    if (part == at + 1) break;
    at = part;
  }
  token->kind = TOKEN_LANG;
  token->value = (quoin_span){start, (size_t)(at - start)};
  lexer->at = at;
  return QUOIN_OK;
}

static const char *
digits_end(const char *at, const char *end)
{
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

/* End of an EXPONENT at `at`, or `at`. */
static const char *
exponent_end(const char *at, const char *end)
{
  if (at >= end || (*at != 'e' && *at != 'E')) return at;
  const char *digits = at + 1;
  if (digits < end && (*digits == '+' || *digits == '-')) digits++;
  const char *stop = digits_end(digits, end);
  return stop > digits ? stop : at;
}

static void
lex_number(sparql_token *token, sparql_lexer *lexer)
{
  const char *start = lexer->at, *end = lexer->end;
  const char *at = digits_end(start, end), *stop;
  token->kind = TOKEN_INTEGER;
  if (at < end && *at == '.') {
    const char *fraction = digits_end(at + 1, end);
    if ((stop = exponent_end(fraction, end)) > fraction) {
      token->kind = TOKEN_DOUBLE; /* 1.e5 too */
      at = stop;
    } else if (fraction > at + 1) {
      token->kind = TOKEN_DECIMAL;
      at = fraction;
    }
  } else if ((stop = exponent_end(at, end)) > at) {
    token->kind = TOKEN_DOUBLE;
    at = stop;
  }
  token->value = (quoin_span){start, (size_t)(at - start)};
  lexer->at = at;
}

/* ---- the rest
 * -------------------------------------------------------------------------------------- */

static void
skip_space(sparql_lexer *lexer)
{
  const char *at = lexer->at, *end = lexer->end;
  for (; at < end; at++) {
    if (*at == '#') {
      while (at < end && *at != '\n' && *at != '\r')
        at++;
      if (at == end) break;
    }
    if ((unsigned char)*at >= 128 || !(lexer_ascii[(unsigned char)*at] & LEX_SPACE)) break;
  }
  lexer->at = at;
}

static bool
set_mark(sparql_token *token, sparql_lexer *lexer, sparql_token_kind kind, size_t len)
{
  token->kind = kind;
  lexer->at += len;
  return true;
}

/* One or two characters of punctuation; false when there is none at lexer->at. */
static bool
lex_mark(sparql_token *token, sparql_lexer *lexer)
{
  char next = lexer->end - lexer->at >= 2 ? lexer->at[1] : '\0';
  switch (*lexer->at) {
  case '{':
    return set_mark(token, lexer, TOKEN_LBRACE, 1);
  case '}':
    return set_mark(token, lexer, TOKEN_RBRACE, 1);
  case '(':
    return set_mark(token, lexer, TOKEN_LPAREN, 1);
  case ')':
    return set_mark(token, lexer, TOKEN_RPAREN, 1);
  case '[':
    return set_mark(token, lexer, TOKEN_LBRACKET, 1);
  case ']':
    return set_mark(token, lexer, TOKEN_RBRACKET, 1);
  case '.':
    return set_mark(token, lexer, TOKEN_DOT, 1);
  case ';':
    return set_mark(token, lexer, TOKEN_SEMICOLON, 1);
  case ',':
    return set_mark(token, lexer, TOKEN_COMMA, 1);
  case '/':
    return set_mark(token, lexer, TOKEN_SLASH, 1);
  case '*':
    return set_mark(token, lexer, TOKEN_STAR, 1);
  case '+':
    return set_mark(token, lexer, TOKEN_PLUS, 1);
  case '-':
    return set_mark(token, lexer, TOKEN_MINUS, 1);
  case '?':
    return set_mark(token, lexer, TOKEN_QUESTION, 1);
  case '=':
    return set_mark(token, lexer, TOKEN_EQ, 1);
  case '|':
    return next == '|' ? set_mark(token, lexer, TOKEN_OR, 2) : set_mark(token, lexer, TOKEN_BAR, 1);
  case '^':
    return next == '^' ? set_mark(token, lexer, TOKEN_CARETS, 2)
                       : set_mark(token, lexer, TOKEN_CARET, 1);
  case '!':
    return next == '=' ? set_mark(token, lexer, TOKEN_NE, 2)
                       : set_mark(token, lexer, TOKEN_BANG, 1);
  case '<':
    return next == '=' ? set_mark(token, lexer, TOKEN_LE, 2) : set_mark(token, lexer, TOKEN_LT, 1);
  case '>':
    return next == '=' ? set_mark(token, lexer, TOKEN_GE, 2) : set_mark(token, lexer, TOKEN_GT, 1);
  case '&':
    return next == '&' && set_mark(token, lexer, TOKEN_AND, 2);
  }
  return false;
}

static quoin_status
lex_other(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  if (lex_mark(token, lexer)) return QUOIN_OK;
  uint32_t cp = 0;
  size_t len = base_utf8_decode(&cp, lexer->at, (size_t)(lexer->end - lexer->at));
  if (cp > 0x20 && cp != 0x7F)
    return lexer_fail(lexer, lexer->at, err, "found '%.*s', expected a token of SPARQL", (int)len,
                      lexer->at);
  return lexer_fail(lexer, lexer->at, err, "found the character U+%04X, expected a token of SPARQL",
                    (unsigned)cp);
}

static quoin_status
lex_one(sparql_token *token, sparql_lexer *lexer, quoin_error *err)
{
  const char *at = lexer->at, *end = lexer->end;
  size_t len;
  unsigned cls = lexer_class_at(&len, at, end);
  if (cls & LEX_DIGIT) {
    lex_number(token, lexer);
    return QUOIN_OK;
  }
  if ((cls & LEX_BASE) || *at == ':') return lex_name(token, lexer, err);
  switch (*at) {
  case '?':
  case '$':
    if (lexer_class_at(&len, at + 1, end) & LEX_START) {
      lexer->at = lexer_run(at + 1, end, LEX_NAME);
      token->kind = TOKEN_VAR;
      token->value = (quoin_span){at + 1, (size_t)(lexer->at - at) - 1};
      return QUOIN_OK;
    }
    break;
  case '<': {
    const char *stop = lexer_iri_end(at, end);
    if (stop) return lex_iri(token, lexer, stop, err);
    break;
  }
  case '"':
  case '\'':
    return lex_string(token, lexer, err);
  case '_':
    if (end - at >= 2 && at[1] == ':') return lex_blank(token, lexer, err);
    break;
  case '@':
    return lex_lang(token, lexer, err);
  case '.':
    if (end - at >= 2 && at[1] >= '0' && at[1] <= '9') {
      lex_number(token, lexer);
      return QUOIN_OK;
    }
    break;
  }
  return lex_other(token, lexer, err);
}

quoin_status
lexer_next(sparql_token *out, sparql_lexer *lexer, quoin_error *err)
{
  skip_space(lexer);
  find_position(lexer, lexer->at);
  *out = (sparql_token){.kind = TOKEN_END, .line = lexer->line, .column = column_of(lexer)};
  out->text = (quoin_span){lexer->at, 0};
  if (lexer->at == lexer->end) return QUOIN_OK;
  quoin_status st = lex_one(out, lexer, err);
  out->text.len = (size_t)(lexer->at - out->text.ptr);
  return st;
}
