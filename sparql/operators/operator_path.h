/* sparql/operators/operator_path.h - property paths over sets of (origin, node) pairs.
 *
 * A path is walked from many origins at once: a step takes pairs (tag, node), where the tag is the
 * number of an origin, and gives pairs (tag, node reached), as many times as the path reaches it
 * (18.4: sequences and alternatives keep duplicates, ? * + do not). Within a step the pairs are
 * sorted by node, so that lookups go through the index in ascending order and a node that several
 * origins share is looked up once. Inside. */
#ifndef QUOIN_SPARQL_OPERATORS_OPERATOR_PATH_H
#define QUOIN_SPARQL_OPERATORS_OPERATOR_PATH_H

#include "sparql/operators/graph_scan.h"

typedef struct path_pair {
  atom_id node;
  uint32_t tag;
} path_pair;

/* A list of pairs, of disk_memory.h. */
typedef struct path_pairs {
  sparql_context *ctx;
  path_pair *at;
  size_t n, cap;
} path_pairs;

quoin_status path_pairs_reserve(path_pairs *pairs, size_t extra, quoin_error *err);
quoin_status path_pairs_add(path_pairs *pairs, atom_id node, uint32_t tag, quoin_error *err);
/* By node, then tag. */
quoin_status path_pairs_sort(path_pairs *pairs, quoin_error *err);
void path_pairs_clear(path_pairs *pairs); /* gives the memory back; usable again */

typedef struct path_node path_node;
struct path_node {
  sparql_path_op op;
  sparql_context *ctx;
  atom_id iri;
  atom_id *without[2]; /* PATH_NEGATED: forward, inverse; sorted */
  size_t n_without[2];
  path_node *a, *b;
  sparql_graph_scan scan[2]; /* of a leaf: forward, backward */
  path_pairs inner;          /* between the two steps of a sequence; frontier of a closure */
  path_pairs reached;        /* by one step of a closure */
  sparql_id_table seen;      /* closure: (number of its start, node) */
};

/* In ctx->arena. LIMIT when it is nested too deep. */
quoin_status path_compile(path_node **out, sparql_context *ctx, const sparql_path *path,
                          quoin_error *err);
/* Give memory and scans back; usable again. NULL is fine. */
void path_close(path_node *node);

/* Append to `out` what the path reaches from `in` (which it sorts); backward: what reaches it. */
quoin_status path_step(path_pairs *out, path_node *node, const sparql_graph *graph, bool backward,
                       path_pairs *in, quoin_error *err);
/* Add to `starts` (of width 1) each node of the graph from which the path may reach something. */
quoin_status path_starts(sparql_id_table *starts, path_node *node, const sparql_graph *graph,
                         bool backward, quoin_error *err);
/* Can it have length zero? */
bool path_nullable(const path_node *node);
/* How often a constant that is no node of the graph matches itself: 18.4 lets zero-length paths
 * begin at any term that is written there, but the parts of a sequence meet in a variable, which
 * ranges over the nodes of the graph. */
uint64_t path_zero_count(const path_node *node);
/* About how many triples the first step from `id` touches. */
quoin_status path_degree(uint64_t *out, const path_node *node, const sparql_graph *graph,
                         bool backward, atom_id id, quoin_error *err);

/* What starts reach, in one graph at a time and one direction. Lives as long as the plan. */
typedef struct path_cache {
  sparql_context *ctx;
  sparql_id_table starts;
  path_pairs pool; /* what start i reaches: at[end[i-1]] up to at[end[i]] */
  size_t *end;     /* [starts.rows] */
  size_t end_cap;
  atom_id graph;
  bool backward, broken;
  path_pairs seeds, reached;
} path_cache;
quoin_status path_cache_init(path_cache *cache, sparql_context *ctx, quoin_error *err);
void path_cache_clear(path_cache *cache); /* usable again; a zeroed one is fine */
/* Append to `out`, with tag i, what is reached from start[i], i < n <= SPARQL_BATCH. nodes_only:
 * nothing is reached from what is no node of the graph. */
quoin_status path_cache_reach(path_pairs *out, path_cache *cache, path_node *path,
                              const sparql_graph *graph, bool backward, bool nodes_only,
                              const atom_id *start, size_t n, quoin_error *err);

void path_explain(base_buffer *out, const sparql_path *path);

#endif /* QUOIN_SPARQL_OPERATORS_OPERATOR_PATH_H */
