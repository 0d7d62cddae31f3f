/* sparql/syntax/parse_update.h - a parsed update request (SPARQL 1.1 Update, grammar rules 29-52).
 */
#ifndef QUOIN_SPARQL_SYNTAX_PARSE_UPDATE_H
#define QUOIN_SPARQL_SYNTAX_PARSE_UPDATE_H

#include "sparql/algebra.h"

typedef enum sparql_update_kind {
  UPDATE_LOAD,   /* source, target */
  UPDATE_CLEAR,  /* target */
  UPDATE_DROP,   /* target */
  UPDATE_CREATE, /* target */
  UPDATE_ADD,    /* source, target */
  UPDATE_MOVE,
  UPDATE_COPY,
  UPDATE_INSERT_DATA,  /* insert */
  UPDATE_DELETE_DATA,  /* remove */
  UPDATE_DELETE_WHERE, /* remove, which is also the pattern `where` */
  UPDATE_MODIFY        /* with, remove, insert, using, where */
} sparql_update_kind;

typedef enum sparql_target_kind {
  TARGET_DEFAULT,
  TARGET_GRAPH,
  TARGET_NAMED, /* all named graphs */
  TARGET_ALL
} sparql_target_kind;

typedef struct sparql_target {
  sparql_target_kind kind;
  rdf_term graph; /* TARGET_GRAPH; for LOAD's source the document */
} sparql_target;

/* Triples of a template or of data in one graph. has_graph false: the default graph (or WITH's). */
typedef struct sparql_quads {
  bool has_graph;
  sparql_node graph;
  sparql_triple *triples;
  size_t n_triples;
} sparql_quads;

typedef struct sparql_quad_list {
  sparql_quads *items;
  size_t n;
} sparql_quad_list;

typedef struct sparql_operation {
  sparql_update_kind kind;
  bool silent;
  sparql_target source, target;
  sparql_quad_list remove, insert;
  bool has_with;
  rdf_term with;
  rdf_term *using, *using_named;
  size_t n_using, n_using_named;
  sparql_algebra *where; /* MODIFY, DELETE WHERE */
  quoin_span base;       /* in force at the operation, for IRI() */
  uint32_t line, column;
} sparql_operation;

/* `query` is what holds arena, text, prefixes and variables of all operations; its form and root
 * mean nothing. A name is the same variable in every operation. */
typedef struct sparql_update {
  sparql_query query;
  sparql_operation *operations;
  size_t n_operations;
} sparql_update;

void sparql_update_init(sparql_update *update, const base_alloc *mem);
void sparql_update_clear(sparql_update *update);
/* Fill an update that was initialised. Errors: SYNTAX with line and column, LIMIT, NOMEM. */
quoin_status sparql_parse_update(sparql_update *update, quoin_span text, quoin_span base,
                                 quoin_error *err);

#endif /* QUOIN_SPARQL_SYNTAX_PARSE_UPDATE_H */
