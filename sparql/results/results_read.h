/* sparql/results/results_read.h - SPARQL results in JSON and XML, read as they come in.
 *
 * Text is pushed in pieces of any size; rows are given out as soon as they are whole, so that a
 * result of any length needs the memory of one row. All input is hostile: nesting, the size of one
 * row and of one XML token are bounded, a document type that declares entities is refused, and what
 * is not whole at the end is an error. One thread at a time. */
#ifndef QUOIN_SPARQL_RESULTS_RESULTS_READ_H
#define QUOIN_SPARQL_RESULTS_RESULTS_READ_H

#include "sparql/sparql.h"

typedef enum results_syntax {
  RESULTS_NONE,
  RESULTS_JSON, /* application/sparql-results+json */
  RESULTS_XML   /* application/sparql-results+xml */
} results_syntax;

/* Where it goes. A status that is not OK ends the reading with it. */
typedef struct results_sink {
  /* A solution: the variables that are bound in it. Spans are valid during the call. Labels of
   * blank nodes are as written: their scope is the document. */
  quoin_status (*row)(void *user, const sparql_binding *bindings, size_t n, quoin_error *err);
  /* The answer of an ASK; NULL: such a document is an error. */
  quoin_status (*boolean)(void *user, bool value, quoin_error *err);
  void *user;
  size_t max_row; /* bytes of text in one row, at most; more is LIMIT */
} results_sink;

typedef struct results_reader results_reader;

/* The syntax of a media type such as "application/sparql-results+json; charset=utf-8". */
results_syntax results_syntax_of(quoin_span media_type);

/* Copies the sink. */
quoin_status results_reader_new(results_reader **out, results_syntax syntax,
                                const results_sink *sink, const base_alloc *mem, quoin_error *err);
/* Errors: SYNTAX with the byte offset and what was expected, LIMIT, NOMEM, those of the sink. After
 * a failure the reader may only be freed. */
quoin_status results_reader_feed(results_reader *reader, quoin_span text, quoin_error *err);
/* The text is at its end: SYNTAX when the document is not. */
quoin_status results_reader_finish(results_reader *reader, quoin_error *err);
void results_reader_free(results_reader *reader); /* NULL is fine */

/* ---- of the two syntaxes (results_read_json.c, results_read_xml.c) ----------------------------
 */

typedef struct results_json results_json;
quoin_status results_json_new(results_json **out, const results_sink *sink, const base_alloc *mem,
                              quoin_error *err);
quoin_status results_json_feed(results_json *r, quoin_span text, quoin_error *err);
quoin_status results_json_finish(results_json *r, quoin_error *err);
void results_json_free(results_json *r);

typedef struct results_xml results_xml;
quoin_status results_xml_new(results_xml **out, const results_sink *sink, const base_alloc *mem,
                             quoin_error *err);
quoin_status results_xml_feed(results_xml *r, quoin_span text, quoin_error *err);
quoin_status results_xml_finish(results_xml *r, quoin_error *err);
void results_xml_free(results_xml *r);

/* A literal from its parts; false when the language tag is none. xsd:string is left out, and with a
 * language the datatype is. */
bool results_literal(rdf_term *out, quoin_span value, quoin_span datatype, quoin_span lang);

#endif /* QUOIN_SPARQL_RESULTS_RESULTS_READ_H */
