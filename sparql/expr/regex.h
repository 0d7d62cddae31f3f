/* sparql/expr/regex.h - regular expressions of XPath over PCRE2 with JIT (sole user of PCRE2).
 *
 * XPath's syntax is translated where PCRE2's differs: \i \c \I \C, class subtraction, the flag x
 * (white space goes, no comments), "$" at the very end alone. What PCRE2 knows beyond XPath ((?i),
 * \b, look-around) works too, and \w and \d are those of PCRE2 with Unicode properties (\w holds
 * the underscore). A match that does more work than about 20 ms fails the query. */
#ifndef QUOIN_SPARQL_EXPR_REGEX_H
#define QUOIN_SPARQL_EXPR_REGEX_H

#include "base/base.h"

typedef struct sparql_regex sparql_regex;

/* DONE: the pattern or the flags (of s m i x q) are malformed. */
quoin_status sparql_regex_new(sparql_regex **out, quoin_span pattern, quoin_span flags,
                              const base_alloc *mem, quoin_error *err);
void sparql_regex_free(sparql_regex *regex); /* NULL is fine */
/* Is there a match anywhere in `subject` (valid UTF-8)? LIMIT past the match limit. One thread. */
quoin_status sparql_regex_match(bool *out, sparql_regex *regex, quoin_span subject,
                                quoin_error *err);
/* fn:replace of all matches; $N and \$ \\ in `replacement` (plain under q). DONE: the pattern
 * matches the empty string or the replacement is malformed. Without a match *out is `subject`.
 * LIMIT: the result is longer than `most` bytes (4 KiB are always allowed). */
quoin_status sparql_regex_replace(quoin_span *out, sparql_regex *regex, quoin_span subject,
                                  quoin_span replacement, size_t most, base_arena *arena,
                                  quoin_error *err);

#endif /* QUOIN_SPARQL_EXPR_REGEX_H */
