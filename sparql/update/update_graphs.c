/* sparql/update/update_graphs.c - CLEAR, DROP, CREATE, ADD, MOVE, COPY (SPARQL 1.1 Update,
 * sections 3.1.3 and 3.2).
 *
 * A named graph exists when it holds a quad: empty ones are not recorded. So CREATE changes nothing
 * and only looks, and DROP is CLEAR; neither CLEAR nor DROP minds a graph that is not there, as
 * stores without empty graphs may. A source that is not there is an error, since COPY and MOVE
 * would clear the target for it. CLEAR and DROP of NAMED and ALL leave the system graph alone. */
#include "sparql/update/update.h"

#include <assert.h>

#include "base/poison.h"

static const rdf_term system_graph = {
    .kind = RDF_IRI, .value = {"urn:x-quoin:system", sizeof("urn:x-quoin:system") - 1}};

/* What is done with each quad of a scan. */
typedef enum graph_action {
  GRAPH_REMOVE,
  GRAPH_COPY /* to graph `target` */
} graph_action;

static quoin_status
act(update_run *run, const quad_batch *batch, graph_action action, atom_id target, atom_id skip,
    quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; i < batch->rows && !st; i++) {
    quad q;
    for (unsigned k = 0; k < 4; k++)
      q.term[k] = batch->column[k][i];
    if (skip.bits && atom_id_equal(q.term[QUAD_G], skip)) continue;
    if (action == GRAPH_COPY) q.term[QUAD_G] = target;
    st = action == GRAPH_COPY ? quad_txn_add_ids(run->txn, &q, err)
                              : quad_txn_remove_ids(run->txn, &q, err);
  }
  return st;
}

/* All quads of `snapshot` in a scope, graph by graph where the store has an order for that. */
static quoin_status
each_quad(update_run *run, const quad_snapshot *snapshot, const quad_pattern *pattern,
          graph_action action, atom_id target, atom_id skip, quoin_error *err)
{
  static const uint8_t spo[] = {QUAD_S, QUAD_P, QUAD_O};
  uint32_t orders = quad_snapshot_orders(snapshot);
  quad_order order = quad_order_for(orders, pattern, spo, 3);
  quad_scan *scan = NULL;
  quad_batch batch;
  if (order == QUAD_ORDERS) /* none begins with the graph: a scan of all that is named */
    order = quad_order_for(orders, &(quad_pattern){.scope = pattern->scope}, spo, 3);
  quoin_status st = update_reads(run, pattern, err);
  if (!st) st = quad_scan_open(&scan, snapshot, pattern, order, 15u, err);
  while (!st && !(st = base_cancel_check(&run->cancel, err)) &&
         !(st = quad_scan_next(&batch, scan, err)))
    st = act(run, &batch, action, target, skip, err);
  quad_scan_close(scan);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static quad_pattern
graph_pattern(atom_id graph)
{
  return (quad_pattern){.scope = graph.bits ? QUAD_NAMED : QUAD_DEFAULT,
                        .match.term[QUAD_G] = graph};
}

/* ---- CLEAR, DROP
 * --------------------------------------------------------------------------------- */

quoin_status
update_clear(update_run *run, const sparql_operation *op, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  quad_pattern pattern = {.scope = QUAD_NAMED};
  atom_id graph = ATOM_NONE_ID, skip = ATOM_NONE_ID;
  quoin_status st = quad_txn_snapshot(&snapshot, run->txn, err);
  if (st) return st;
  if (op->target.kind == TARGET_GRAPH) {
    st = update_term(&graph, run, &op->target.graph, err);
    pattern = graph_pattern(graph);
  } else if (op->target.kind != TARGET_DEFAULT) {
    st = update_term(&skip, run, &system_graph, err);
    if (!st) st = each_quad(run, snapshot, &pattern, GRAPH_REMOVE, ATOM_NONE_ID, skip, err);
  }
  if (op->target.kind == TARGET_DEFAULT || op->target.kind == TARGET_ALL)
    pattern = graph_pattern(ATOM_NONE_ID);
  if (!st && op->target.kind != TARGET_NAMED)
    st = each_quad(run, snapshot, &pattern, GRAPH_REMOVE, ATOM_NONE_ID, ATOM_NONE_ID, err);
  quad_snapshot_release(snapshot);
  return st;
}

/* ---- CREATE
 * -------------------------------------------------------------------------------------- */

static quoin_status
graph_exists(bool *out, update_run *run, const quad_snapshot *snapshot, atom_id graph,
             quoin_error *err)
{
  const quad_pattern pattern = graph_pattern(graph);
  uint64_t count = 0;
  quoin_status st = update_reads(run, &pattern, err);
  if (!st) st = quad_count(&count, snapshot, &pattern, err);
  *out = count > 0;
  return st;
}

quoin_status
update_create(update_run *run, const sparql_operation *op, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  const quoin_span name = op->target.graph.value;
  atom_id graph;
  bool exists = false;
  if (op->silent) return QUOIN_OK;
  quoin_status st = update_term(&graph, run, &op->target.graph, err);
  if (st || (st = quad_txn_snapshot(&snapshot, run->txn, err))) return st;
  st = graph_exists(&exists, run, snapshot, graph, err);
  quad_snapshot_release(snapshot);
  if (!st && exists)
    st = base_fail(err, QUOIN_ERR_EXISTS, "CREATE: the graph <%.*s> exists already",
                   (int)(name.len < 200 ? name.len : 200), name.ptr);
  return st;
}

/* ---- ADD, MOVE, COPY
 * ----------------------------------------------------------------------------- */

/* 0: the default graph. */
static quoin_status
target_id(atom_id *out, update_run *run, const sparql_target *target, quoin_error *err)
{
  *out = ATOM_NONE_ID;
  return target->kind == TARGET_DEFAULT ? QUOIN_OK : update_term(out, run, &target->graph, err);
}

static quoin_status
transfer(update_run *run, const sparql_operation *op, const quad_snapshot *snapshot, atom_id source,
         atom_id target, quoin_error *err)
{
  const quad_pattern from = graph_pattern(source), to = graph_pattern(target);
  const quoin_span name = op->source.graph.value;
  const atom_id none = ATOM_NONE_ID;
  bool exists = true;
  quoin_status st = QUOIN_OK;
  if (source.bits && (st = graph_exists(&exists, run, snapshot, source, err))) return st;
  if (!exists && op->silent) return QUOIN_OK;
  if (!exists)
    return base_fail(err, QUOIN_ERR_NOT_FOUND, "there is no graph <%.*s>",
                     (int)(name.len < 200 ? name.len : 200), name.ptr);
  if (atom_id_equal(source, target)) return QUOIN_OK;
  if (op->kind != UPDATE_ADD) st = each_quad(run, snapshot, &to, GRAPH_REMOVE, none, none, err);
  if (!st) st = each_quad(run, snapshot, &from, GRAPH_COPY, target, none, err);
  if (!st && op->kind == UPDATE_MOVE)
    st = each_quad(run, snapshot, &from, GRAPH_REMOVE, none, none, err);
  return st;
}

quoin_status
update_transfer(update_run *run, const sparql_operation *op, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  atom_id source, target;
  quoin_status st = target_id(&source, run, &op->source, err);
  if (st || (st = target_id(&target, run, &op->target, err))) return st;
  if ((st = quad_txn_snapshot(&snapshot, run->txn, err))) return st;
  st = transfer(run, op, snapshot, source, target, err);
  quad_snapshot_release(snapshot);
  return st;
}
