/* sparql/sparql.h - SPARQL 1.1 over a snapshot. The door of the module.
 *
 * text -> (lexer, parser) syntax tree and algebra [parser.h, algebra.h] -> rewrite, plan [plan.h]
 * -> vectorised operators on columns of ids [operator.h] -> rows, or results in a format
 * [results.h]. Expressions: expr.h, over the ids and values of one query: context.h. Reasons:
 * docs/adrs. */
#ifndef QUOIN_SPARQL_SPARQL_H
#define QUOIN_SPARQL_SPARQL_H

#include "quadstore/quadstore.h"
#include "rdfio/rdfio.h"

typedef enum sparql_form {
  SPARQL_SELECT,
  SPARQL_CONSTRUCT,
  SPARQL_DESCRIBE,
  SPARQL_ASK
} sparql_form;

/* A parsed query: immutable, may be run any number of times and by several threads. */
typedef struct sparql_query sparql_query;

/* Parse `text` (copied). `base`: base IRI, may be empty. Errors: SYNTAX with line and column
 * (bytes, from 1), what was found and what was expected. Executes nothing. */
quoin_status sparql_query_parse(sparql_query **out, quoin_span text, quoin_span base,
                                const base_alloc *mem, quoin_error *err);
/* Check the syntax of an update request. Executes nothing. */
quoin_status sparql_update_check(quoin_span text, quoin_span base, const base_alloc *mem,
                                 quoin_error *err);
void sparql_query_free(sparql_query *query); /* NULL is fine */
sparql_form sparql_query_form(const sparql_query *query);
/* Was vec:nearest written without vec:exact? Then nearer items than those given may be missing. */
bool sparql_query_is_approximate(const sparql_query *query);
/* The result columns of a SELECT, in order, without '?'. */
size_t sparql_query_columns(const sparql_query *query);
quoin_span sparql_query_column(const sparql_query *query, size_t i);

typedef struct sparql_binding {
  quoin_span name; /* without '?' */
  rdf_term term;
} sparql_binding;

/* Makes vectors of texts, for vec:embed. */
typedef struct sparql_embedder {
  quoin_span model; /* its name, as in the declaration of an index */
  quoin_status (*embed)(float *out, uint32_t dimension, void *user, quoin_span text,
                        quoin_error *err);
  void *user;
} sparql_embedder;

typedef struct sparql_run_options {
  uint64_t timeout_ms;   /* 0: none */
  uint64_t memory_bytes; /* budget of the query; 0: 1 GiB */
  uint64_t max_rows;     /* more result rows are a failure (LIMIT); 0: none */
  unsigned threads;      /* 0: all cores */
  bool union_default_graph;
  bool plain;                     /* optimiser off: for tests */
  bool profile;                   /* count rows, time and bytes per operator, for EXPLAIN ANALYZE */
  const atomic_int *cancel;       /* non-zero: stop; may be NULL */
  const sparql_binding *bindings; /* variables given a value from outside */
  size_t n_bindings;
  /* The snapshot is a transaction's, and these are its local ids: terms that are new in it are
   * found in the snapshot, and rows hold ids that the transaction takes. NULL: no transaction. */
  atom_local *local;
  quad_txn *txn; /* with local: what the run reads is noted there, for conflicts; may be NULL */
  uint32_t blank_scope; /* with local: new blank nodes of runs with different numbers differ */
  const char *services; /* SERVICE may ask addresses that begin with one of these, separated by
                           spaces; NULL: none. Copied. */
  const sparql_embedder *embedder; /* NULL: none */
} sparql_run_options;

typedef struct sparql_cursor sparql_cursor;

/* Plan and open. Retains the snapshot and the query must outlive the cursor. Errors: UNSUPPORTED
 * naming the feature. */
quoin_status sparql_cursor_open(sparql_cursor **out, const sparql_query *query,
                                quad_snapshot *snapshot, const sparql_run_options *options,
                                const base_alloc *mem, quoin_error *err);
/* SELECT: the next rows as columns of ids (0: unbound), column i of the query in column[i]; valid
 * until the next call. ASK: one batch of one row without columns when true. DONE at the end. */
typedef struct sparql_rows {
  size_t rows;
  const atom_id *const *column;
} sparql_rows;
quoin_status sparql_cursor_next(sparql_rows *out, sparql_cursor *cursor, quoin_error *err);
/* CONSTRUCT and DESCRIBE: the next triples, duplicates dropped; valid until the next call. DONE at
 * the end. */
quoin_status sparql_cursor_triples(const rdfio_quad **out, size_t *n, sparql_cursor *cursor,
                                   quoin_error *err);
/* The term of an id from this cursor; text valid as long as `arena` and the cursor. */
quoin_status sparql_cursor_term(rdf_term *out, sparql_cursor *cursor, atom_id id, base_arena *arena,
                                quoin_error *err);
/* Begin to fetch what the terms of these ids need: they wait for memory together. */
void sparql_cursor_ask(const sparql_cursor *cursor, const atom_id *ids, size_t n);
/* The floats of an id from this cursor; *out NULL: it is no vec:f32. Valid as long as the
 * cursor. */
quoin_status sparql_cursor_vector(const float **out, uint32_t *dimension, sparql_cursor *cursor,
                                  atom_id id, quoin_error *err);
/* The plan as indented text, with estimates; with options.profile after the end also what was
 * measured. */
quoin_status sparql_cursor_explain(base_buffer *out, const sparql_cursor *cursor, quoin_error *err);
/* After the end: one line that explains an answer that may surprise, or NULL. */
const char *sparql_cursor_notice(const sparql_cursor *cursor);
/* The query that the cursor runs. */
const sparql_query *sparql_cursor_query(const sparql_cursor *cursor);
void sparql_cursor_close(sparql_cursor *cursor); /* NULL is fine */

/* ---- updates --------------------------------------------------------------------------------- */

typedef struct sparql_update_options {
  quoin_span base;                 /* base IRI; may be empty */
  uint64_t timeout_ms;             /* of waiting for other writers and all operations; 0: none */
  uint64_t memory_bytes;           /* budget of the WHERE of each operation; 0: 1 GiB */
  unsigned threads;                /* 0: all cores */
  bool union_default_graph;        /* of WHERE: the default graph is the union of all graphs */
  bool plain;                      /* optimiser off: for tests */
  const char *load_dir;            /* LOAD reads file: IRIs below this directory; NULL: none */
  const char *services;            /* as in sparql_run_options */
  const atomic_int *cancel;        /* non-zero: stop; may be NULL */
  const sparql_embedder *embedder; /* NULL: none */
} sparql_update_options;

enum { SPARQL_NOTICE = 200 };

typedef struct sparql_update_result {
  uint64_t added, removed;    /* net */
  char notice[SPARQL_NOTICE]; /* of the last WHERE that had one; empty: none */
} sparql_update_result;

/* Run the operations of `text`, each on what those before it left, as one transaction that is the
 * writer from beginning to end (it cannot conflict): all or nothing. `options` may be NULL. Errors:
 * SYNTAX, NOT_FOUND (the source graph of COPY, MOVE or ADD; a file), EXISTS (CREATE), ARGUMENT (a
 * LOAD that is not allowed), those of queries, of reading RDF, and of quad_txn_commit. */
quoin_status sparql_update_run(sparql_update_result *out, quad_store *store, quoin_span text,
                               const sparql_update_options *options, const base_alloc *mem,
                               quoin_error *err);

/* The same within an open transaction: what the operations change is seen by what follows in it,
 * and what they read is noted there, so that its commit may fail with CONFLICT. A failure after
 * SYNTAX may leave changes of some operations in it: abort it. *scope is the caller's count of runs
 * and operations in the transaction, from 1 on: new blank nodes of different ones differ. */
quoin_status sparql_update_run_in(quad_txn *txn, uint32_t *scope, quad_store *store,
                                  quoin_span text, const sparql_update_options *options,
                                  const base_alloc *mem, quoin_error *err);

/* ---- results in a format --------------------------------------------------------------------- */

typedef enum sparql_format {
  SPARQL_FORMAT_NONE = 0,
  SPARQL_TABLE,
  SPARQL_JSON,
  SPARQL_XML,
  SPARQL_CSV,
  SPARQL_TSV, /* SELECT and ASK */
  SPARQL_NTRIPLES,
  SPARQL_TURTLE,
  SPARQL_NQUADS /* CONSTRUCT and DESCRIBE */
} sparql_format;
sparql_format sparql_format_by_name(quoin_span name);

/* Run the cursor to its end into `write`, streaming. A form that the format cannot hold is an
 * ARGUMENT error before anything is written. When the query fails midway the output is not closed
 * as well-formed. *rows (may be NULL): rows or triples written. */
quoin_status sparql_write(uint64_t *rows, sparql_cursor *cursor, sparql_format format,
                          rdfio_write_fn write, void *user, quoin_error *err);

#endif /* QUOIN_SPARQL_SPARQL_H */
