/* sparql/syntax/lexer.h - text of SPARQL 1.1 to tokens (section 19.8, the terminals).
 *
 * Codepoint escapes (19.2) count in the whole query: outside strings and IRIs they are replaced
 * before the text is cut into tokens, inside them when the value is taken, so that what an escape
 * gives is never read as an escape or a delimiter again. Positions are those of the text as
 * written. */
#ifndef QUOIN_SPARQL_SYNTAX_LEXER_H
#define QUOIN_SPARQL_SYNTAX_LEXER_H

#include "base/base.h"
#include "sparql/syntax/lexer_keywords.h"

typedef enum sparql_token_kind {
  TOKEN_END,
  TOKEN_IRI,     /* value: between < and >, escapes decoded, not resolved */
  TOKEN_PNAME,   /* prefix, value: the local part, decoded; `has_local` */
  TOKEN_BLANK,   /* value: label without _: */
  TOKEN_VAR,     /* value: name without ? or $ */
  TOKEN_LANG,    /* value: tag without @ */
  TOKEN_INTEGER, /* numbers without sign; value: as written */
  TOKEN_DECIMAL,
  TOKEN_DOUBLE,
  TOKEN_STRING, /* value: decoded */
  TOKEN_WORD,   /* keyword */
  TOKEN_LBRACE,
  TOKEN_RBRACE,
  TOKEN_LPAREN,
  TOKEN_RPAREN,
  TOKEN_LBRACKET,
  TOKEN_RBRACKET,
  TOKEN_DOT,
  TOKEN_SEMICOLON,
  TOKEN_COMMA,
  TOKEN_BAR,
  TOKEN_SLASH,
  TOKEN_CARET,
  TOKEN_CARETS,
  TOKEN_STAR,
  TOKEN_PLUS,
  TOKEN_MINUS,
  TOKEN_QUESTION,
  TOKEN_BANG,
  TOKEN_EQ,
  TOKEN_NE,
  TOKEN_LT,
  TOKEN_GT,
  TOKEN_LE,
  TOKEN_GE,
  TOKEN_AND,
  TOKEN_OR
} sparql_token_kind;

typedef struct sparql_token {
  sparql_token_kind kind;
  sparql_keyword keyword; /* of a TOKEN_WORD */
  bool has_local;
  quoin_span text; /* as in lexer.text: adjacent tokens can be told by their addresses */
  quoin_span value;
  quoin_span prefix;
  uint32_t line, column; /* from 1, in bytes */
} sparql_token;

/* Where the decoded text and the text as written part: from `decoded` on they differ by
 * `written` - `decoded`. */
typedef struct lexer_shift {
  size_t decoded, written;
} lexer_shift;

typedef struct sparql_lexer {
  quoin_span text; /* escapes outside strings and IRIs decoded */
  const char *at, *end;
  quoin_span written;
  lexer_shift *shifts;
  size_t n_shifts, shift;
  const char *position; /* in `written`: what line and column are those of */
  const char *line_start;
  uint32_t line;
  base_arena *arena;
} sparql_lexer;

/* `text` must outlive the lexer and what comes of it. Errors: SYNTAX (not UTF-8, bad escape), LIMIT
 * (4 GiB), NOMEM. */
quoin_status lexer_init(sparql_lexer *lexer, quoin_span text, base_arena *arena, quoin_error *err);
quoin_status lexer_next(sparql_token *out, sparql_lexer *lexer, quoin_error *err);
/* The words by number, for tests. */
const char *lexer_keyword_name(sparql_keyword keyword);
/* Of a TOKEN_WORD's text. */
sparql_keyword lexer_keyword_find(quoin_span word);

/* Classes of characters, bits of lexer_class(). */
enum {
  LEX_SPACE = 1,
  LEX_DIGIT = 2,
  LEX_BASE = 4,  /* PN_CHARS_BASE */
  LEX_NAME = 8,  /* PN_CHARS_U and digits, and what VARNAME adds after the first */
  LEX_DASH = 16, /* '-': in PN_CHARS beside LEX_NAME */
  LEX_HEX = 32,
  LEX_START = 64, /* PN_CHARS_U or a digit */
  LEX_NOT_IRI = 128
};
extern const uint8_t lexer_ascii[128];
unsigned lexer_class(uint32_t cp);
/* End of the longest run from `at` whose characters have a class of `mask`. */
const char *lexer_run(const char *at, const char *end, unsigned mask);
/* The class of the character at `at`; *len its bytes. */
unsigned lexer_class_at(size_t *len, const char *at, const char *end);
/* Decode \uXXXX or \UXXXXXXXX at `at` (the backslash): bytes taken, or 0 when it is no escape of a
 * character. */
size_t lexer_uchar(uint32_t *cp, const char *at, const char *end);
/* End of the IRIREF whose '<' is at `at` (behind its '>'), or NULL when it is none. */
const char *lexer_iri_end(const char *at, const char *end);
/* End of the string literal whose quote is at `at`, or NULL when it is not closed. */
const char *lexer_string_end(const char *at, const char *end, size_t *quote);

#endif /* QUOIN_SPARQL_SYNTAX_LEXER_H */
