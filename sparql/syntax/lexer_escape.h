/* sparql/syntax/lexer_escape.h - the pass of section 19.2 over the whole text. */
#ifndef QUOIN_SPARQL_SYNTAX_LEXER_ESCAPE_H
#define QUOIN_SPARQL_SYNTAX_LEXER_ESCAPE_H

#include "sparql/syntax/lexer.h"

/* lexer->written to lexer->text, with lexer->shifts where something was replaced. */
quoin_status lexer_unescape(sparql_lexer *lexer, quoin_error *err);

#endif /* QUOIN_SPARQL_SYNTAX_LEXER_ESCAPE_H */
