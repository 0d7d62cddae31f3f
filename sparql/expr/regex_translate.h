/* sparql/expr/regex_translate.h - the regular expressions of XPath in the syntax of PCRE2. */
#ifndef QUOIN_SPARQL_EXPR_REGEX_TRANSLATE_H
#define QUOIN_SPARQL_EXPR_REGEX_TRANSLATE_H

#include "base/base.h"

typedef struct regex_flags {
  bool dot_all, multiline, ignore_case, extended, quote; /* s m i x q */
} regex_flags;

/* False for a letter that is no flag. */
bool regex_flags_read(regex_flags *out, quoin_span flags);
/* Append the PCRE2 form of `pattern`; *unicode: it uses classes that need Unicode properties. False
 * when a class does not end or is beyond what can be translated. */
bool regex_translate(base_buffer *out, bool *unicode, quoin_span pattern, bool extended);

#endif /* QUOIN_SPARQL_EXPR_REGEX_TRANSLATE_H */
