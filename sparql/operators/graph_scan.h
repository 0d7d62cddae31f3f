/* sparql/operators/graph_scan.h - triples of the active graph, also where it is a merge of several:
 * for paths, DESCRIBE and whatever else looks triples up by id.
 *
 * A merge is a set: the same triple in several graphs comes once. The orders with G last put a
 * triple's graphs next to each other, so equal neighbours are dropped as they pass. */
#ifndef QUOIN_SPARQL_OPERATORS_GRAPH_SCAN_H
#define QUOIN_SPARQL_OPERATORS_GRAPH_SCAN_H

#include "sparql/memory/id_table.h"
#include "sparql/operators/columns.h"
#include "sparql/operators/pattern_scan.h"

/* An active graph at run time: one graph of triples. */
typedef struct sparql_graph {
  quad_scope scope;
  atom_id name;          /* QUAD_NAMED: the graph; 0: the merge of several */
  const atom_id *merged; /* of these (sorted); NULL: of all, but for `skip` */
  size_t n_merged;
  atom_id skip; /* the system graph */
  bool merge;   /* equal triples may come from several graphs */
  bool empty;   /* no triples, whatever the store holds */
} sparql_graph;

/* `name`: which graph where `active` has a variable; else ignored. */
quoin_status sparql_graph_init(sparql_graph *out, sparql_context *ctx,
                               const sparql_active_graph *active, atom_id name, quoin_error *err);
/* The id of the system graph's name, as the store or the query has it. */
quoin_status sparql_system_graph(atom_id *out, sparql_context *ctx, quoin_error *err);

/* The ids of the terms of a dataset clause, ascending, each once, without those that the store does
 * not know; in ctx->arena, never NULL. */
quoin_status sparql_graph_set(atom_id **out, size_t *n, sparql_context *ctx, const rdf_term *terms,
                              size_t n_terms, quoin_error *err);
/* The default graph of the query: its FROM clauses, else the store's, or the union of all graphs
 * when the options say so. */
quoin_status sparql_default_graph(sparql_active_graph *out, sparql_context *ctx, quoin_error *err);

/* The named graphs of the dataset, ascending: those of `merged` that is not NULL, else all that
 * have a quad but for the system graph. In ctx->arena. */
quoin_status sparql_graph_names(atom_id **out, size_t *n, sparql_context *ctx,
                                const atom_id *merged, size_t n_merged, quoin_error *err);
/* Is `name` among them? */
quoin_status sparql_graph_exists(bool *out, sparql_context *ctx, atom_id name,
                                 const atom_id *merged, size_t n_merged, quoin_error *err);

typedef struct sparql_graph_scan {
  sparql_context *ctx;
  pattern_scan scan;
  bool open;
  bool by_graph;    /* the source merges */
  unsigned bound;   /* bit set of 1<<QUAD_S... that the scan was opened with */
  unsigned columns; /* asked for by the caller */
  bool nothing;     /* the pattern cannot match */
  sparql_graph graph;
  bool any;        /* last[] holds a triple */
  atom_id last[3]; /* of a merge */
  atom_id *buffer[3];
} sparql_graph_scan;

/* Which columns (bit set of 1<<QUAD_S, QUAD_P, QUAD_O) will be wanted. */
void sparql_graph_scan_init(sparql_graph_scan *scan, sparql_context *ctx, unsigned columns);
/* Begin (again) with the triples of `graph` that match spo (0: any). Cheapest when calls bind the
 * same positions, in ascending order of the store's keys. */
quoin_status sparql_graph_scan_start(sparql_graph_scan *scan, const sparql_graph *graph,
                                     const atom_id spo[3], quoin_error *err);
/* The next rows: columns by QUAD_S, QUAD_P, QUAD_O; or DONE. Valid until the next call. */
quoin_status sparql_graph_scan_next(quad_batch *out, sparql_graph_scan *scan, quoin_error *err);
void sparql_graph_scan_close(sparql_graph_scan *scan); /* a zeroed one is fine */

/* Is the node a subject or an object in the graph? */
quoin_status sparql_graph_has_node(bool *out, sparql_context *ctx, const sparql_graph *graph,
                                   atom_id node, quoin_error *err);

#endif /* QUOIN_SPARQL_OPERATORS_GRAPH_SCAN_H */
