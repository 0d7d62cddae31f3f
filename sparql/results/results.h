/* sparql/results/results.h - writing rows in a format. Private to the module; sparql_write is the
 * door.
 *
 * A writer is fed with batches of ids; it asks a function for the term of an id, so that the
 * formats can be tested without a store. A row costs no allocation: terms go straight into the
 * buffer of the output, and each column keeps the text of recent ids (results vary little from row
 * to row). */
#ifndef QUOIN_SPARQL_RESULTS_RESULTS_H
#define QUOIN_SPARQL_RESULTS_RESULTS_H

#include "sparql/algebra.h"
#include "sparql/results/results_out.h"

/* The term of an id, as sparql_cursor_term: text valid as long as `arena` and what lies below. */
typedef quoin_status (*results_term_fn)(rdf_term *out, void *user, atom_id id, base_arena *arena,
                                        quoin_error *err);

/* How a format that goes by rows looks. Strings are constants; what is empty costs nothing. */
typedef struct results_syntax {
  const char *row_first, *row_next; /* before the first row, before each other one */
  const char *row_end;
  const char *cell_next; /* between cells: between bound ones where unbound ones are left out */
  bool omit_unbound;     /* cells without a value leave nothing behind */
  const char *cell_end;  /* behind a value */
  void (*head)(results_out *out, const quoin_span *names, size_t n);
  void (*key)(results_out *out, quoin_span name); /* before a value; NULL: nothing */
  void (*term)(results_out *out, const rdf_term *term);
  void (*end)(results_out *out, uint64_t rows);
  void (*boolean)(results_out *out, bool value); /* the whole answer of an ASK */
} results_syntax;

extern const results_syntax results_json, results_xml, results_csv, results_tsv;

typedef struct sparql_results sparql_results;

/* Begin an answer with these columns (borrowed): JSON, XML, CSV, TSV or TABLE. `prefixes` (may be
 * none) shorten IRIs in a table. */
quoin_status sparql_results_new(sparql_results **out, sparql_format format, const quoin_span *names,
                                size_t n_names, const struct sparql_prefix *prefixes,
                                size_t n_prefixes, results_term_fn term, void *term_user,
                                rdfio_write_fn write, void *user, const base_alloc *mem,
                                quoin_error *err);
quoin_status sparql_results_rows(sparql_results *results, const sparql_rows *rows,
                                 quoin_error *err);
/* The end. Without it the output is visibly cut. */
quoin_status sparql_results_finish(sparql_results *results, quoin_error *err);
/* Rows so far go out, and no end: the query has failed. */
void sparql_results_break(sparql_results *results);
void sparql_results_free(sparql_results *results); /* NULL is fine */

/* The whole answer of an ASK. */
quoin_status sparql_results_boolean(sparql_format format, bool value, rdfio_write_fn write,
                                    void *user, const base_alloc *mem, quoin_error *err);

/* ---- the table (results_table.c) */
typedef struct results_table results_table;
quoin_status results_table_new(results_table **out, const quoin_span *names, size_t n_names,
                               const struct sparql_prefix *prefixes, size_t n_prefixes,
                               const base_alloc *mem, quoin_error *err);
void results_table_free(results_table *table, const base_alloc *mem);
/* The next cell of the row in work, RDF_NONE: unbound; rows are written in chunks. */
quoin_status results_table_cell(results_table *table, results_out *out, const rdf_term *term,
                                quoin_error *err);
quoin_status results_table_row(results_table *table, results_out *out, quoin_error *err);
quoin_status results_table_finish(results_table *table, results_out *out, quoin_error *err);

#endif /* QUOIN_SPARQL_RESULTS_RESULTS_H */
