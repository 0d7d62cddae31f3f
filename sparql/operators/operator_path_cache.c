/* sparql/operators/operator_path_cache.c - what each start reaches, kept from batch to batch.
 *
 * Rows come to a path in batches, and few nodes stand in many rows (the classes of ?x a ?class):
 * each is searched from once. When the lists have grown large they are all forgotten: the next
 * batch brings the frequent ones back. */
#include "sparql/memory/disk_memory.h"
#include "sparql/operators/operator_path.h"

#include <assert.h>

#include "base/poison.h"

/* Pairs kept at most: 16 MiB. */
enum { CACHE_PAIRS = 1 << 20 };

quoin_status
path_cache_init(path_cache *cache, sparql_context *ctx, quoin_error *err)
{
  *cache = (path_cache){.ctx = ctx, .reached.ctx = ctx, .pool.ctx = ctx, .seeds.ctx = ctx};
  quoin_status st = sparql_id_table_init(&cache->starts, ctx, 1, err);
  if (!st) sparql_id_table_on_disk(&cache->starts);
  return st;
}

static void
forget(path_cache *cache)
{
  sparql_id_table_reset(&cache->starts);
  cache->pool.n = 0;
}

void
path_cache_clear(path_cache *cache)
{
  if (!cache->ctx) return;
  sparql_id_table_clear(&cache->starts);
  path_pairs_clear(&cache->pool);
  path_pairs_clear(&cache->reached);
  path_pairs_clear(&cache->seeds);
  base_release(disk_memory_alloc(cache->ctx->disk), cache->end, cache->end_cap, sizeof(size_t));
  cache->end = NULL;
  cache->end_cap = 0;
}

static quoin_status
reserve_ends(path_cache *cache, size_t n, quoin_error *err)
{
  if (n <= cache->end_cap) return QUOIN_OK;
  size_t cap = cache->end_cap ? cache->end_cap : SPARQL_BATCH;
  while (cap < n)
    cap *= 2;
  const base_alloc *mem = disk_memory_alloc(cache->ctx->disk);
  size_t *end = base_resize(mem, cache->end, cache->end_cap, cap, sizeof(size_t));
  if (!end) return base_fail_nomem(err);
  cache->end = end;
  cache->end_cap = cap;
  return QUOIN_OK;
}

/* The starts from number `known` on, as seeds; with nodes_only those that are nodes of the graph: a
 * variable is bound to nodes alone. */
static quoin_status
seed(path_cache *cache, const sparql_graph *graph, size_t known, bool nodes_only, quoin_error *err)
{
  cache->seeds.n = 0;
  for (size_t i = known; i < cache->starts.rows; i++) {
    atom_id id = cache->starts.column[0][i];
    bool node = true;
    quoin_status st = base_cancel_check(&cache->ctx->cancel, err);
    if (st) return st;
    if (nodes_only && (st = sparql_graph_has_node(&node, cache->ctx, graph, id, err))) return st;
    if (node && (st = path_pairs_add(&cache->seeds, id, (uint32_t)i, err))) return st;
  }
  return QUOIN_OK;
}

/* cache->reached into the pool, by start. */
static quoin_status
file_away(path_cache *cache, size_t known, quoin_error *err)
{
  size_t n = cache->starts.rows, at = cache->pool.n;
  quoin_status st = path_pairs_reserve(&cache->pool, cache->reached.n, err);
  if (st || (st = reserve_ends(cache, n, err))) return st;
  for (size_t i = known; i < n; i++)
    cache->end[i] = 0;
  for (size_t i = 0; i < cache->reached.n; i++)
    cache->end[cache->reached.at[i].tag]++;
  for (size_t i = known; i < n; i++) { /* from counts to where each begins ... */
    size_t count = cache->end[i];
    cache->end[i] = at;
    at += count;
  }
  for (size_t i = 0; i < cache->reached.n; i++) /* ... and, one by one, to where it ends */
    cache->pool.at[cache->end[cache->reached.at[i].tag]++] = cache->reached.at[i];
  cache->pool.n = at;
  return QUOIN_OK;
}

quoin_status
path_cache_reach(path_pairs *out, path_cache *cache, path_node *path, const sparql_graph *graph,
                 bool backward, bool nodes_only, const atom_id *start, size_t n, quoin_error *err)
{
  uint32_t row[SPARQL_BATCH];
  assert(n <= SPARQL_BATCH);
  if (!atom_id_equal(cache->graph, graph->name) || cache->backward != backward || cache->broken ||
      cache->pool.n > CACHE_PAIRS || cache->starts.rows > CACHE_PAIRS)
    forget(cache);
  cache->graph = graph->name;
  cache->backward = backward;
  cache->broken = true; /* until the lists of all starts are there */
  size_t known = cache->starts.rows;
  quoin_status st = sparql_id_table_add(row, &cache->starts, &start, n, err);
  if (st) return st;
  if (cache->starts.rows > known) {
    cache->reached.n = 0;
    if ((st = seed(cache, graph, known, nodes_only, err))) return st;
    if ((st = path_step(&cache->reached, path, graph, backward, &cache->seeds, err))) return st;
    if ((st = file_away(cache, known, err))) return st;
  }
  cache->broken = false;
  for (size_t i = 0; i < n; i++) {
    size_t begin = row[i] ? cache->end[row[i] - 1] : 0, end = cache->end[row[i]];
    if ((st = path_pairs_reserve(out, end - begin, err))) return st;
    for (size_t at = begin; at < end; at++)
      out->at[out->n++] = (path_pair){.node = cache->pool.at[at].node, .tag = (uint32_t)i};
  }
  return QUOIN_OK;
}
