/* tests/conformance/sparql_answer.h - answers of queries, read from the files of the suites. */
#ifndef QUOIN_TESTS_CONFORMANCE_SPARQL_ANSWER_H
#define QUOIN_TESTS_CONFORMANCE_SPARQL_ANSWER_H

#include "conformance/manifest.h"

/* Rows of `width` terms each, one after another; RDF_NONE: unbound. All text lies in the arena. */
typedef struct answer {
  base_arena arena;
  bool is_boolean, boolean;
  bool indexed; /* the rows stand in the order that is asked for */
  quoin_span *names;
  size_t width, cap_names;
  rdf_term *terms;
  size_t rows, n_terms, cap_terms;
} answer;

void answer_init(answer *a);
void answer_clear(answer *a);

/* Append a column, a row of unbound terms; find a column (or SIZE_MAX). */
quoin_status answer_column(answer *a, quoin_span name, quoin_error *err);
quoin_status answer_row(answer *a, quoin_error *err);
size_t answer_find(const answer *a, quoin_span name);

typedef enum answer_syntax { ANSWER_XML, ANSWER_JSON, ANSWER_CSV, ANSWER_TSV } answer_syntax;
/* Read `text`. Values of CSV are all simple literals, but for what begins with "_:". */
quoin_status answer_read(answer *a, answer_syntax syntax, quoin_span text, quoin_error *err);
/* The rs:ResultSet of a graph (indexed). NOT_FOUND when it has none. */
quoin_status answer_of_graph(answer *a, const dataset *graph, quoin_error *err);

/* Are they equal, up to the names of blank nodes and the order of columns? `lax`: duplicates do not
 * count. Rows of `a` and `b` in order when b is indexed. */
quoin_status answer_compare(const answer *a, const answer *b, bool lax, quoin_error *err);
/* Do the values of a column agree row by row? Blank nodes are not compared. */
quoin_status answer_compare_order(const answer *a, const answer *b, quoin_span column,
                                  quoin_error *err);

/* sparql_answer_xml.c, sparql_answer_json.c */
quoin_status answer_read_xml(answer *a, quoin_span text, quoin_error *err);
quoin_status answer_read_json(answer *a, quoin_span text, quoin_error *err);

#endif /* QUOIN_TESTS_CONFORMANCE_SPARQL_ANSWER_H */
