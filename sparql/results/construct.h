/* sparql/results/construct.h - triples as results: CONSTRUCT (16.2) and DESCRIBE (16.4). */
#ifndef QUOIN_SPARQL_RESULTS_CONSTRUCT_H
#define QUOIN_SPARQL_RESULTS_CONSTRUCT_H

#include "sparql/operators/graph_scan.h"

/* Triples by id on their way to text. */
typedef struct sparql_triples {
  sparql_context *ctx;
  base_arena text; /* of the terms of one call */
  rdfio_quad *quads;
  size_t n, cap;
} sparql_triples;
void sparql_triples_init(sparql_triples *triples, sparql_context *ctx);
void sparql_triples_reset(sparql_triples *triples); /* for the next call */
void sparql_triples_clear(sparql_triples *triples); /* a zeroed one is fine */
quoin_status sparql_triples_add(sparql_triples *triples, const atom_id spo[3], quoin_error *err);

typedef struct sparql_construct sparql_construct;
/* In ctx->arena; `root` is borrowed. */
quoin_status sparql_construct_new(sparql_construct **out, sparql_context *ctx,
                                  sparql_operator *root, quoin_error *err);
/* The next triples, each once; or DONE. */
quoin_status sparql_construct_next(sparql_triples *out, sparql_construct *construct,
                                   quoin_error *err);
void sparql_construct_clear(sparql_construct *construct); /* NULL is fine */

typedef struct sparql_describe sparql_describe;
/* `active`: the default graph of the query. */
quoin_status sparql_describe_new(sparql_describe **out, sparql_context *ctx, sparql_operator *root,
                                 const sparql_active_graph *active, quoin_error *err);
quoin_status sparql_describe_next(sparql_triples *out, sparql_describe *describe, quoin_error *err);
void sparql_describe_clear(sparql_describe *describe);

#endif /* QUOIN_SPARQL_RESULTS_CONSTRUCT_H */
