/* sparql/operators/graph_scan.c - see graph_scan.h. */
#include "sparql/operators/graph_scan.h"

#include <assert.h>

#include "base/poison.h"

static const char system_graph_iri[] = "urn:x-quoin:system";

quoin_status
sparql_system_graph(atom_id *out, sparql_context *ctx, quoin_error *err)
{
  rdf_term term = {.kind = RDF_IRI, .value = {system_graph_iri, sizeof(system_graph_iri) - 1}};
  return sparql_intern(out, ctx, &term, err);
}

quoin_status
sparql_graph_init(sparql_graph *out, sparql_context *ctx, const sparql_active_graph *active,
                  atom_id name, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  *out = (sparql_graph){.scope = active->scope};
  switch (active->scope) {
  case QUAD_DEFAULT:
    if (!active->merged) break;
    out->scope = QUAD_NAMED;
    out->empty = active->n_merged == 0;
    out->merge = active->n_merged > 1;
    out->merged = active->merged;
    out->n_merged = active->n_merged;
    if (active->n_merged == 1) out->name = active->merged[0];
    break;
  case QUAD_NAMED:
    if (active->graph.var == SPARQL_NO_VAR)
      st = sparql_intern(&name, ctx, &active->graph.term, err);
    out->name = name;
    out->empty = !name.bits;
    break;
  case QUAD_ANY:
    out->merge = true;
    st = sparql_system_graph(&out->skip, ctx, err);
    break;
  }
  if (!sparql_id_is_stored(ctx, out->name)) out->empty = true;
  return st;
}

static bool
among(const atom_id *sorted, size_t n, atom_id id)
{
  size_t lo = 0, hi = n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (sorted[mid].bits == id.bits) return true;
    if (sorted[mid].bits < id.bits)
      lo = mid + 1;
    else
      hi = mid;
  }
  return false;
}

/* ---- the names of graphs ------------------------------------------------------------------------
 */

/* Distinct ids of the graph column of a scan of the named partition, by jumping from graph to graph
 * in GSPO, else by reading all of it. */
static quoin_status
collect_names(sparql_id_table *names, sparql_context *ctx, quoin_error *err)
{
  static const uint8_t then[] = {QUAD_G};
  quad_pattern pattern = {.scope = QUAD_NAMED};
  quad_order order = quad_order_for(quad_snapshot_orders(ctx->snapshot), &pattern, then, 1);
  assert(order != QUAD_ORDERS); /* nothing is bound: any order will do */
  bool jump = quad_order_keys[order][0] == QUAD_G;
  quad_scan *scan = NULL;
  quoin_status st = quad_scan_open(&scan, ctx->snapshot, &pattern, order, 1u << QUAD_G, err);
  while (!st) {
    quad_batch batch;
    uint32_t row[QUAD_BATCH];
    if ((st = base_cancel_check(&ctx->cancel, err))) break;
    if ((st = quad_scan_next(&batch, scan, err))) break;
    const atom_id *graphs = batch.column[QUAD_G];
    if ((st = sparql_id_table_add(row, names, &graphs, batch.rows, err))) break;
    if (!jump) continue;
    atom_id key[4] = {{graphs[batch.rows - 1].bits + 1}, {0}, {0}, {0}};
    st = quad_scan_seek(scan, key, err);
  }
  quad_scan_close(scan);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static void
sift_down(atom_id *ids, size_t at, size_t n)
{
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && ids[child + 1].bits > ids[child].bits) child++;
    if (ids[at].bits >= ids[child].bits) return;
    atom_id swap = ids[at];
    ids[at] = ids[child];
    ids[child] = swap;
  }
}

static void
sort_ids(atom_id *ids, size_t n)
{
  size_t sorted = 1;
  while (sorted < n && ids[sorted - 1].bits <= ids[sorted].bits)
    sorted++;
  if (sorted >= n) return; /* as GSPO gives them */
  for (size_t at = n / 2; at-- > 0;)
    sift_down(ids, at, n);
  for (size_t end = n; end-- > 1;) {
    atom_id swap = ids[0];
    ids[0] = ids[end];
    ids[end] = swap;
    sift_down(ids, 0, end);
  }
}

quoin_status
sparql_graph_set(atom_id **out, size_t *n, sparql_context *ctx, const rdf_term *terms,
                 size_t n_terms, quoin_error *err)
{
  atom_id *ids = base_arena_new(&ctx->arena, n_terms + 1, sizeof(atom_id));
  if (!ids) return base_fail_nomem(err);
  size_t known = 0, kept = 0;
  for (size_t i = 0; i < n_terms; i++) {
    quoin_status st = sparql_intern(&ids[known], ctx, &terms[i], err);
    if (st) return st;
    if (sparql_id_is_stored(ctx, ids[known])) {
      known++;
    } else { /* others may make the graph */
      const quad_pattern pattern = {.scope = QUAD_NAMED, .match.term[QUAD_G] = ids[known]};
      if ((st = sparql_reads(ctx, &pattern, err))) return st;
    }
  }
  sort_ids(ids, known);
  for (size_t i = 0; i < known; i++)
    if (!kept || !atom_id_equal(ids[kept - 1], ids[i])) ids[kept++] = ids[i];
  *out = ids;
  *n = kept;
  return QUOIN_OK;
}

quoin_status
sparql_default_graph(sparql_active_graph *out, sparql_context *ctx, quoin_error *err)
{
  const sparql_query *query = ctx->query;
  bool all = ctx->options && ctx->options->union_default_graph;
  *out = (sparql_active_graph){.scope = all ? QUAD_ANY : QUAD_DEFAULT, .graph.var = SPARQL_NO_VAR};
  if (!query->has_dataset && !query->with) return QUOIN_OK;
  out->scope = QUAD_DEFAULT;
  atom_id *ids;
  const rdf_term *from = query->has_dataset ? query->from : query->with;
  size_t n_from = query->has_dataset ? query->n_from : 1;
  quoin_status st = sparql_graph_set(&ids, &out->n_merged, ctx, from, n_from, err);
  if (!st) out->merged = ids;
  return st;
}

quoin_status
sparql_graph_names(atom_id **out, size_t *n, sparql_context *ctx, const atom_id *merged,
                   size_t n_merged, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  atom_id skip, *ids = NULL;
  sparql_id_table names = {0};

  *n = 0;
  if (merged) {
    if (!(*out = base_arena_new(&ctx->arena, n_merged + 1, sizeof(atom_id))))
      return base_fail_nomem(err);
    if (n_merged) memcpy(*out, merged, n_merged * sizeof(atom_id));
    *n = n_merged;
    return QUOIN_OK;
  }
  if ((st = sparql_system_graph(&skip, ctx, err))) goto done;
  if ((st = sparql_reads(ctx, &(quad_pattern){.scope = QUAD_NAMED}, err))) goto done;
  if ((st = sparql_id_table_init(&names, ctx, 1, err))) goto done;
  if ((st = collect_names(&names, ctx, err))) goto done;
  if (!(ids = base_arena_new(&ctx->arena, names.rows + 1, sizeof(atom_id)))) {
    st = base_fail_nomem(err);
    goto done;
  }
  for (size_t i = 0; i < names.rows; i++)
    if (!atom_id_equal(names.column[0][i], skip)) ids[(*n)++] = names.column[0][i];
  sort_ids(ids, *n);
  *out = ids;

done:
  sparql_id_table_clear(&names);
  return st;
}

quoin_status
sparql_graph_exists(bool *out, sparql_context *ctx, atom_id name, const atom_id *merged,
                    size_t n_merged, quoin_error *err)
{
  *out = false;
  if (!name.bits) return QUOIN_OK;
  if (merged) {
    *out = among(merged, n_merged, name);
    return QUOIN_OK;
  }
  quad_pattern pattern = {.scope = QUAD_NAMED, .match.term[QUAD_G] = name};
  quoin_status st = sparql_reads(ctx, &pattern, err);
  if (st || !sparql_id_is_stored(ctx, name)) return st;
  uint64_t count;
  st = quad_count(&count, ctx->snapshot, &pattern, err);
  *out = count > 0;
  return st;
}

/* ---- scans ---------------------------------------------------------------------------------- */

void
sparql_graph_scan_init(sparql_graph_scan *scan, sparql_context *ctx, unsigned columns)
{
  *scan = (sparql_graph_scan){.ctx = ctx, .columns = columns};
}

/* The order in which lookups with ascending ids stay close together: by predicate first. */
static quad_order
choose_order(const sparql_graph_scan *scan, const quad_pattern *pattern, unsigned bound)
{
  static const uint8_t spo[] = {QUAD_S, QUAD_P, QUAD_O};
  uint32_t orders = quad_snapshot_orders(scan->ctx->snapshot);
  enum { S = 1u << QUAD_S, P = 1u << QUAD_P, O = 1u << QUAD_O, G = 1u << QUAD_G };
  if (bound == (S | P) && orders >> QUAD_PSO & 1) return QUAD_PSO;
  if (bound == (O | P) && orders >> QUAD_POS & 1) return QUAD_POS;
  quad_order order = quad_order_for(orders, pattern, spo, 3);
  /* A merge needs G last. */
  if (order != QUAD_ORDERS && (order < QUAD_GSPO || bound & G)) return order;
  for (order = 0; order < QUAD_GSPO; order++)
    if (orders >> order & 1 && (bound >> quad_order_keys[order][0] & 1 || !(bound & (S | P | O))))
      return order;
  for (order = 0; order < QUAD_GSPO; order++)
    if (orders >> order & 1) return order;
  return pattern->scope == QUAD_NAMED
             ? quad_order_for(orders, &(quad_pattern){.scope = QUAD_NAMED}, NULL, 0)
             : QUAD_ORDERS;
}

/* Of a step along a predicate all its triples: nodes are looked up by the thousand. */
static quoin_status
note_reading(const sparql_graph_scan *scan, const sparql_graph *graph, quad_pattern pattern,
             quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (pattern.match.term[QUAD_P].bits)
    pattern.match.term[QUAD_S] = pattern.match.term[QUAD_O] = ATOM_NONE_ID;
  if (!graph->merge || !graph->merged) return sparql_reads(scan->ctx, &pattern, err);
  for (size_t i = 0; i < graph->n_merged && !st; i++) {
    pattern.match.term[QUAD_G] = graph->merged[i];
    st = sparql_reads(scan->ctx, &pattern, err);
  }
  return st;
}

/* Where a whole graph or predicate is read: the order in which each of the merged graphs is scanned
 * by itself. A node's triples are looked up among those of all graphs. QUAD_ORDERS: not so. */
static quad_order
by_graph_order(const sparql_graph_scan *scan, unsigned bound)
{
  const sparql_graph *graph = &scan->graph;
  uint32_t orders = quad_snapshot_orders(scan->ctx->snapshot);
  quad_order order = bound & 1u << QUAD_P ? QUAD_GPOS : QUAD_GSPO;
  bool nodes = bound & (1u << QUAD_S | 1u << QUAD_O);
  bool few = graph->merge && graph->merged && graph->n_merged <= PATTERN_SCAN_GRAPHS;
  return few && !nodes && orders >> order & 1 ? order : QUAD_ORDERS;
}

static quoin_status
open_scan(sparql_graph_scan *scan, const quad_pattern *pattern, quad_order order, unsigned columns,
          quoin_error *err)
{
  const sparql_graph *graph = &scan->graph;
  quoin_status st = pattern_scan_open(&scan->scan, scan->ctx, pattern, order, columns,
                                      scan->by_graph ? graph->merged : NULL, graph->n_merged, err);
  scan->open = !st;
  return st;
}

quoin_status
sparql_graph_scan_start(sparql_graph_scan *scan, const sparql_graph *graph, const atom_id spo[3],
                        quoin_error *err)
{
  quad_pattern pattern = {.scope = graph->scope,
                          .match.term = {spo[0], spo[1], spo[2], graph->name}};
  unsigned bound = 0;
  quoin_status st = graph->empty ? QUOIN_OK : note_reading(scan, graph, pattern, err);
  if (st) return st;
  scan->any = false;
  scan->nothing = graph->empty;
  for (unsigned i = 0; i < 4; i++) {
    atom_id id = pattern.match.term[i];
    if (!id.bits) continue;
    bound |= 1u << i;
    if (!sparql_id_is_stored(scan->ctx, id)) scan->nothing = true;
  }
  if (scan->nothing) return QUOIN_OK;
  if (scan->open && scan->bound == bound && scan->graph.scope == graph->scope &&
      scan->graph.merge == graph->merge) {
    scan->graph = *graph;
    return pattern_scan_rebind(&scan->scan, &pattern, err);
  }
  pattern_scan_close(&scan->scan);
  scan->open = false;
  scan->bound = bound;
  scan->graph = *graph;
  unsigned columns = scan->columns & ~bound;
  quad_order order = by_graph_order(scan, bound);
  scan->by_graph = order != QUAD_ORDERS;
  if (scan->by_graph) return open_scan(scan, &pattern, order, columns, err);
  if (graph->merge) columns |= 15u & ~bound; /* to see which are equal, and of which graph */
  order = choose_order(scan, &pattern, bound);
  if (order == QUAD_ORDERS)
    return base_fail(err, QUOIN_ERR_UNSUPPORTED, "the store keeps no order for merged graphs");
  return open_scan(scan, &pattern, order, columns, err);
}

static quoin_status
buffers(sparql_graph_scan *scan, quoin_error *err)
{
  for (unsigned c = 0; c < 3; c++) {
    if (scan->buffer[c]) continue;
    scan->buffer[c] = base_arena_new(&scan->ctx->arena, QUAD_BATCH, sizeof(atom_id));
    if (!scan->buffer[c]) return base_fail_nomem(err);
  }
  return QUOIN_OK;
}

/* Drop triples of other graphs, and what equals the triple before. */
static size_t
merge_batch(sparql_graph_scan *scan, const quad_batch *in)
{
  size_t n = 0;
  const sparql_graph *graph = &scan->graph;
  for (size_t i = 0; i < in->rows; i++) {
    atom_id name = in->column[QUAD_G] ? in->column[QUAD_G][i] : ATOM_NONE_ID;
    if (graph->merged ? !among(graph->merged, graph->n_merged, name)
                      : name.bits && atom_id_equal(name, graph->skip))
      continue;
    bool same = scan->any;
    for (unsigned c = 0; c < 3; c++)
      if (in->column[c]) {
        same = same && atom_id_equal(in->column[c][i], scan->last[c]);
        scan->last[c] = in->column[c][i];
        scan->buffer[c][n] = in->column[c][i];
      }
    scan->any = true;
    if (!same) n++;
  }
  return n;
}

quoin_status
sparql_graph_scan_next(quad_batch *out, sparql_graph_scan *scan, quoin_error *err)
{
  quoin_status st;
  if (scan->nothing) return QUOIN_DONE;
  if (!scan->graph.merge || scan->by_graph) return pattern_scan_next(out, &scan->scan, err);
  if ((st = buffers(scan, err))) return st;
  for (;;) {
    quad_batch in;
    if ((st = base_cancel_check(&scan->ctx->cancel, err))) return st;
    if ((st = pattern_scan_next(&in, &scan->scan, err))) return st;
    *out = (quad_batch){.rows = merge_batch(scan, &in)};
    for (unsigned c = 0; c < 3; c++)
      out->column[c] = in.column[c] ? scan->buffer[c] : NULL;
    if (out->rows) return QUOIN_OK;
  }
}

void
sparql_graph_scan_close(sparql_graph_scan *scan)
{
  pattern_scan_close(&scan->scan);
  scan->open = false;
}

quoin_status
sparql_graph_has_node(bool *out, sparql_context *ctx, const sparql_graph *graph, atom_id node,
                      quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  *out = false;
  if (graph->empty || !node.bits) return QUOIN_OK;
  bool stored = sparql_id_is_stored(ctx, node);
  for (unsigned position = QUAD_S; position <= QUAD_O && !*out && !st; position += 2) {
    quad_pattern pattern = {.scope = graph->scope, .match.term[QUAD_G] = graph->name};
    pattern.match.term[position] = node;
    uint64_t count = 0;
    if ((st = sparql_reads(ctx, &pattern, err)) || !stored) continue;
    if ((st = quad_count(&count, ctx->snapshot, &pattern, err)) || !count) continue;
    *out = !graph->merge;
    if (*out) break;
    /* There are triples, but perhaps of other graphs. */
    sparql_graph_scan scan;
    quad_batch batch;
    sparql_graph_scan_init(&scan, ctx, 0);
    st = sparql_graph_scan_start(&scan, graph, pattern.match.term, err);
    if (!st) st = sparql_graph_scan_next(&batch, &scan, err);
    *out = st == QUOIN_OK;
    if (st == QUOIN_DONE) st = QUOIN_OK;
    sparql_graph_scan_close(&scan);
  }
  return st;
}
