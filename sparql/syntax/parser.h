/* sparql/syntax/parser.h - lexer and recursive-descent parser of SPARQL 1.1 Query and Update
 * (section 19).
 */
#ifndef QUOIN_SPARQL_SYNTAX_PARSER_H
#define QUOIN_SPARQL_SYNTAX_PARSER_H

#include "sparql/algebra.h"

/* Fill a query whose arena and mem are set. All sections' notes on scope are checked: blank node
 * labels per basic graph pattern, BIND and SELECT ... AS of variables in scope, aggregates and
 * ungrouped variables, VALUES widths. */
quoin_status sparql_parse_query(sparql_query *query, quoin_span text, quoin_span base,
                                quoin_error *err);

#endif /* QUOIN_SPARQL_SYNTAX_PARSER_H */
