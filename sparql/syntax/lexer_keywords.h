/* sparql/syntax/lexer_keywords.h - every word of the grammar, ascending, for SPARQL_KEYWORD lists.
 *
 * The order is what find_keyword() searches by; a unit test checks it. */
#ifndef QUOIN_SPARQL_SYNTAX_LEXER_KEYWORDS_H
#define QUOIN_SPARQL_SYNTAX_LEXER_KEYWORDS_H

#define SPARQL_KEYWORDS(X)                                                                         \
  X(ABS)                                                                                           \
  X(ADD)                                                                                           \
  X(ALL)                                                                                           \
  X(AS)                                                                                            \
  X(ASC)                                                                                           \
  X(ASK)                                                                                           \
  X(AVG)                                                                                           \
  X(BASE)                                                                                          \
  X(BIND)                                                                                          \
  X(BNODE)                                                                                         \
  X(BOUND)                                                                                         \
  X(BY)                                                                                            \
  X(CEIL)                                                                                          \
  X(CLEAR)                                                                                         \
  X(COALESCE)                                                                                      \
  X(CONCAT)                                                                                        \
  X(CONSTRUCT)                                                                                     \
  X(CONTAINS)                                                                                      \
  X(COPY)                                                                                          \
  X(COUNT)                                                                                         \
  X(CREATE)                                                                                        \
  X(DATA)                                                                                          \
  X(DATATYPE)                                                                                      \
  X(DAY)                                                                                           \
  X(DEFAULT)                                                                                       \
  X(DELETE)                                                                                        \
  X(DESC)                                                                                          \
  X(DESCRIBE)                                                                                      \
  X(DISTINCT)                                                                                      \
  X(DROP)                                                                                          \
  X(ENCODE_FOR_URI)                                                                                \
  X(EXISTS)                                                                                        \
  X(FALSE)                                                                                         \
  X(FILTER)                                                                                        \
  X(FLOOR)                                                                                         \
  X(FROM)                                                                                          \
  X(GRAPH)                                                                                         \
  X(GROUP)                                                                                         \
  X(GROUP_CONCAT)                                                                                  \
  X(HAVING)                                                                                        \
  X(HOURS)                                                                                         \
  X(IF)                                                                                            \
  X(IN)                                                                                            \
  X(INSERT)                                                                                        \
  X(INTO)                                                                                          \
  X(IRI)                                                                                           \
  X(ISBLANK)                                                                                       \
  X(ISIRI)                                                                                         \
  X(ISLITERAL)                                                                                     \
  X(ISNUMERIC)                                                                                     \
  X(ISURI)                                                                                         \
  X(LANG)                                                                                          \
  X(LANGMATCHES)                                                                                   \
  X(LCASE)                                                                                         \
  X(LIMIT)                                                                                         \
  X(LOAD)                                                                                          \
  X(MAX)                                                                                           \
  X(MD5)                                                                                           \
  X(MIN)                                                                                           \
  X(MINUS)                                                                                         \
  X(MINUTES)                                                                                       \
  X(MONTH)                                                                                         \
  X(MOVE)                                                                                          \
  X(NAMED)                                                                                         \
  X(NOT)                                                                                           \
  X(NOW)                                                                                           \
  X(OFFSET)                                                                                        \
  X(OPTIONAL)                                                                                      \
  X(ORDER)                                                                                         \
  X(PREFIX)                                                                                        \
  X(RAND)                                                                                          \
  X(REDUCED)                                                                                       \
  X(REGEX)                                                                                         \
  X(REPLACE)                                                                                       \
  X(ROUND)                                                                                         \
  X(SAMETERM)                                                                                      \
  X(SAMPLE)                                                                                        \
  X(SECONDS)                                                                                       \
  X(SELECT)                                                                                        \
  X(SEPARATOR)                                                                                     \
  X(SERVICE)                                                                                       \
  X(SHA1)                                                                                          \
  X(SHA256)                                                                                        \
  X(SHA384)                                                                                        \
  X(SHA512)                                                                                        \
  X(SILENT)                                                                                        \
  X(STR)                                                                                           \
  X(STRAFTER)                                                                                      \
  X(STRBEFORE)                                                                                     \
  X(STRDT)                                                                                         \
  X(STRENDS)                                                                                       \
  X(STRLANG)                                                                                       \
  X(STRLEN)                                                                                        \
  X(STRSTARTS)                                                                                     \
  X(STRUUID)                                                                                       \
  X(SUBSTR)                                                                                        \
  X(SUM)                                                                                           \
  X(TIMEZONE)                                                                                      \
  X(TO)                                                                                            \
  X(TRUE)                                                                                          \
  X(TZ)                                                                                            \
  X(UCASE)                                                                                         \
  X(UNDEF)                                                                                         \
  X(UNION)                                                                                         \
  X(URI)                                                                                           \
  X(USING)                                                                                         \
  X(UUID)                                                                                          \
  X(VALUES)                                                                                        \
  X(WHERE)                                                                                         \
  X(WITH)                                                                                          \
  X(YEAR)

typedef enum sparql_keyword {
  KW_NONE = 0, /* not a word of the grammar */
  KW_A,        /* "a" for rdf:type: the only one whose case counts */
#define SPARQL_KEYWORD_ENUM(name) KW_##name,
  SPARQL_KEYWORDS(SPARQL_KEYWORD_ENUM)
#undef SPARQL_KEYWORD_ENUM
      KW_COUNT_OF
} sparql_keyword;

#endif /* QUOIN_SPARQL_SYNTAX_LEXER_KEYWORDS_H */
