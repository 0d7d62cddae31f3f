/* sparql/update/update.h - what the parts of the execution of updates share (SPARQL 1.1 Update,
 * section 3).
 *
 * One request is one transaction, which is the writer from its begin to its end, or part of one
 * that the caller has open: then what is read is noted in it, since it may conflict. Each operation
 * looks at the transaction's snapshot as those before it left it; what it changes goes to the
 * transaction by id, and the snapshot it reads does not move. Terms that are not stored have ids in
 * the transaction's dictionary, which the runs of WHERE share.
 *
 * Labels of new blank nodes in that dictionary, by where they come from, with the number of the
 * request in the transaction: "d0." INSERT DATA, "u0." templates, "f0." files, "n..." and "x..."
 * BNODE(). A stored node is written "b<number>". */
#ifndef QUOIN_SPARQL_UPDATE_UPDATE_H
#define QUOIN_SPARQL_UPDATE_UPDATE_H

#include "sparql/syntax/parse_names.h"
#include "sparql/syntax/parse_update.h"

typedef struct update_run {
  const base_alloc *mem;
  const sparql_update_options *options;
  quad_store *store;
  const sparql_update *update;
  quad_txn *txn;
  atom_local *local;    /* of the transaction */
  quad_snapshot *begin; /* of the transaction: pins the atoms */
  base_cancel cancel;
  base_arena arena;   /* of the operation at hand */
  base_buffer label;  /* of a blank node */
  uint32_t operation; /* number of the one at hand in the transaction, from 1 */
  uint32_t request;   /* that of the one before the first */
  uint64_t blanks;    /* made by templates */
  char *notice;       /* SPARQL_NOTICE bytes; NULL: nobody asks */
} update_run;

/* Quads that wait: the newest in memory, those before in a file. Zeroed: none. */
typedef struct update_quads {
  quad *items;
  size_t n, cap;
  bool open; /* the file is there */
  base_file file;
  uint64_t written; /* bytes of it */
} update_quads;
quoin_status update_quads_add(update_quads *quads, update_run *run, const quad *q,
                              quoin_error *err);
/* Add all of them to the transaction. */
quoin_status update_quads_insert(update_quads *quads, update_run *run, quoin_error *err);
void update_quads_clear(update_quads *quads, update_run *run);

/* The operation depends on what matches. */
quoin_status update_reads(update_run *run, const quad_pattern *pattern, quoin_error *err);

/* The id of a term that is no blank node: inline, stored, or local. RDF_NONE gives 0. */
quoin_status update_term(atom_id *out, update_run *run, const rdf_term *term, quoin_error *err);
/* The local id of the blank node with that label: `prefix` says where it is from. */
quoin_status update_blank(atom_id *out, update_run *run, const char *prefix, quoin_span label,
                          quoin_error *err);

/* update_modify.c */
quoin_status update_insert_data(update_run *run, const sparql_operation *op, quoin_error *err);
quoin_status update_delete_data(update_run *run, const sparql_operation *op, quoin_error *err);
/* MODIFY and DELETE WHERE. */
quoin_status update_modify(update_run *run, const sparql_operation *op, quoin_error *err);

/* update_graphs.c */
quoin_status update_clear(update_run *run, const sparql_operation *op, quoin_error *err);
quoin_status update_create(update_run *run, const sparql_operation *op, quoin_error *err);
/* ADD, MOVE, COPY. */
quoin_status update_transfer(update_run *run, const sparql_operation *op, quoin_error *err);

/* update_load.c */
quoin_status update_load(update_run *run, const sparql_operation *op, quoin_error *err);
/* True when the request is one LOAD of a large file: it has been run by the bulk loader, as *st
 * says. */
bool update_load_in_bulk(quoin_status *st, sparql_update_result *out, update_run *run,
                         quoin_error *err);

#endif /* QUOIN_SPARQL_UPDATE_UPDATE_H */
