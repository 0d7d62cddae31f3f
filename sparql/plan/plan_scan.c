/* sparql/plan/plan_scan.c - a triple pattern over an active graph, as the quad store wants it. */
#include "sparql/operators/graph_scan.h"
#include "sparql/operators/operators.h"
#include "sparql/operators/pattern_scan.h"

#include "base/poison.h"

static quoin_status
position_make(scan_position *out, sparql_context *ctx, const sparql_node *node,
              const sparql_frame *frame, quoin_error *err)
{
  *out = (scan_position){.kind = SCAN_VAR, .var = node->var};
  if (node->var == SPARQL_NO_VAR) {
    out->kind = SCAN_CONST;
    return sparql_intern(&out->id, ctx, &node->term, err);
  }
  if ((out->param = sparql_frame_find(frame, node->var))) out->kind = SCAN_PARAM;
  return QUOIN_OK;
}

/* The default graph: as stored, or the merge of FROM. */
static void
default_graph(scan_spec *out, const sparql_active_graph *graph)
{
  out->at[QUAD_G] = (scan_position){.kind = SCAN_DROP, .var = SPARQL_NO_VAR};
  out->scope = QUAD_DEFAULT;
  if (!graph->merged) return;
  out->scope = QUAD_NAMED;
  if (graph->n_merged == 0) {
    out->empty = true;
  } else if (graph->n_merged == 1) {
    out->at[QUAD_G].kind = SCAN_CONST;
    out->at[QUAD_G].id = graph->merged[0];
  } else {
    out->graphs = graph->merged;
    out->n_graphs = graph->n_merged;
    out->distinct = true;
  }
}

static bool
contains(const atom_id *ids, size_t n, atom_id id)
{
  for (size_t i = 0; i < n; i++)
    if (atom_id_equal(ids[i], id)) return true;
  return false;
}

static quoin_status
named_graph(scan_spec *out, sparql_context *ctx, const sparql_active_graph *graph,
            const sparql_frame *frame, atom_id system, quoin_error *err)
{
  quoin_status st = position_make(&out->at[QUAD_G], ctx, &graph->graph, frame, err);
  if (st) return st;
  out->scope = QUAD_NAMED;
  if (out->at[QUAD_G].kind == SCAN_CONST) {
    out->empty = graph->merged && !contains(graph->merged, graph->n_merged, out->at[QUAD_G].id);
    return QUOIN_OK;
  }
  out->graphs = graph->merged;
  out->n_graphs = graph->n_merged;
  if (graph->merged && graph->n_merged == 0) out->empty = true;
  if (!graph->merged) out->skip_graph = system;
  return QUOIN_OK;
}

/* Parameters count as any term: they change from run to run. */
static quoin_status
note_reading(const scan_spec *spec, const sparql_context *ctx, quoin_error *err)
{
  quad_pattern pattern = {.scope = spec->scope};
  quoin_status st = QUOIN_OK;
  for (unsigned i = 0; i < 4; i++)
    if (spec->at[i].kind == SCAN_CONST) pattern.match.term[i] = spec->at[i].id;
  if (!spec->graphs) return sparql_reads(ctx, &pattern, err);
  for (size_t i = 0; i < spec->n_graphs && !st; i++) {
    pattern.match.term[QUAD_G] = spec->graphs[i];
    st = sparql_reads(ctx, &pattern, err);
  }
  return st;
}

quoin_status
scan_spec_make(scan_spec *out, sparql_context *ctx, const sparql_triple *triple,
               const sparql_active_graph *graph, const sparql_frame *frame, quoin_error *err)
{
  quoin_status st;
  atom_id system = ATOM_NONE_ID;
  *out = (scan_spec){.scope = graph->scope};
  if ((st = position_make(&out->at[QUAD_S], ctx, &triple->subject, frame, err))) return st;
  if ((st = position_make(&out->at[QUAD_P], ctx, &triple->predicate, frame, err))) return st;
  if ((st = position_make(&out->at[QUAD_O], ctx, &triple->object, frame, err))) return st;
  if (graph->scope != QUAD_DEFAULT) {
    if ((st = sparql_system_graph(&system, ctx, err))) return st;
    if (!sparql_id_is_stored(ctx, system)) system = ATOM_NONE_ID; /* no such graph here */
  }
  switch (graph->scope) {
  case QUAD_DEFAULT:
    default_graph(out, graph);
    break;
  case QUAD_NAMED:
    st = named_graph(out, ctx, graph, frame, system, err);
    break;
  case QUAD_ANY:
    out->at[QUAD_G] = (scan_position){.kind = SCAN_DROP, .var = SPARQL_NO_VAR};
    out->skip_graph = system;
    out->distinct = true;
    break;
  }
  return st ? st : note_reading(out, ctx, err);
}

bool
scan_spec_pattern(quad_pattern *out, const scan_spec *spec)
{
  out->scope = spec->scope;
  for (unsigned i = 0; i < 4; i++) {
    const scan_position *at = &spec->at[i];
    out->match.term[i] = ATOM_NONE_ID;
    if (at->kind == SCAN_CONST || at->kind == SCAN_FIXED) out->match.term[i] = at->id;
    if (at->kind == SCAN_PARAM) {
      if (!(out->match.term[i] = at->param->value).bits) return false;
    }
  }
  if (spec->at[QUAD_G].kind == SCAN_PARAM || spec->at[QUAD_G].kind == SCAN_FIXED) {
    atom_id graph = out->match.term[QUAD_G];
    if (spec->skip_graph.bits && atom_id_equal(graph, spec->skip_graph)) return false;
    if (spec->graphs && !contains(spec->graphs, spec->n_graphs, graph)) return false;
  }
  return !spec->empty;
}

static bool
is_bound(const scan_spec *spec, unsigned position)
{
  const scan_position *at = &spec->at[position];
  if (position == QUAD_G && spec->by_graph) return true;
  return at->kind == SCAN_CONST || at->kind == SCAN_FIXED || at->kind == SCAN_PARAM;
}

/* Are the bound positions the first keys of the order? */
static bool
bound_lead(const scan_spec *spec, quad_order order)
{
  bool ended = false;
  if (order == QUAD_ORDERS) return false;
  for (unsigned k = 0; k < 4; k++) {
    unsigned i = quad_order_keys[order][k];
    if (i == QUAD_G && spec->scope == QUAD_DEFAULT) continue;
    if (!is_bound(spec, i)) {
      ended = true;
    } else if (ended) {
      return false;
    }
  }
  return true;
}

bool
scan_spec_splits(const scan_spec *spec, uint32_t orders)
{
  const uint32_t graph_first = 1u << QUAD_GSPO | 1u << QUAD_GPOS | 1u << QUAD_GOSP;
  scan_kind graph = spec->at[QUAD_G].kind;
  return spec->graphs && spec->n_graphs && spec->n_graphs <= PATTERN_SCAN_GRAPHS &&
         (graph == SCAN_DROP || graph == SCAN_VAR) && (orders & graph_first) == graph_first;
}

quad_order
scan_spec_order(const scan_spec *spec, uint32_t orders, const sparql_var *then, size_t n_then)
{
  quad_pattern pattern = {.scope = spec->scope};
  uint8_t positions[4];
  size_t n = 0, n_params = 0;
  const uint32_t graph_last = (1u << QUAD_GSPO) - 1;
  if (spec->by_graph) {
    orders &= ~graph_last;
    pattern.match.term[QUAD_G] = atom_id_make(ATOM_IRI, 1);
  } else if (spec->distinct) {
    orders &= graph_last; /* equal triples must be neighbours */
  }
  /* First with the parameters behind the constants, where keys that follow each other lie close. */
  for (uint8_t i = 0; i < 4; i++) {
    const scan_position *at = &spec->at[i];
    if (i == QUAD_G && spec->scope == QUAD_DEFAULT) continue;
    if (at->kind == SCAN_CONST || at->kind == SCAN_FIXED)
      pattern.match.term[i] = atom_id_make(ATOM_IRI, 1);
    if (at->kind == SCAN_PARAM) positions[n++] = i;
  }
  n_params = n;
  for (size_t t = 0; t < n_then && n < 4; t++)
    for (uint8_t i = 0; i < 4; i++)
      if (spec->at[i].kind == SCAN_VAR && spec->at[i].var == then[t] && n < 4) {
        positions[n++] = i;
        break;
      }
  quad_order order = quad_order_for(orders, &pattern, positions, n);
  if (n_params && !bound_lead(spec, order)) {
    for (unsigned i = 0; i < 4; i++)
      if (spec->at[i].kind == SCAN_PARAM) pattern.match.term[i] = atom_id_make(ATOM_IRI, 1);
    order = quad_order_for(orders, &pattern, positions + n_params, n - n_params);
  }
  if (order != QUAD_ORDERS) return order;
  for (unsigned o = 0; o < QUAD_ORDERS; o++) /* the store keeps fewer: bound terms filter */
    if (orders & 1u << o && (spec->scope != QUAD_DEFAULT || o < QUAD_GSPO)) return (quad_order)o;
  return QUAD_SPO;
}

sparql_var
scan_spec_sorted(const scan_spec *spec, quad_order order)
{
  for (unsigned k = 0; k < 4; k++) {
    unsigned i = quad_order_keys[order][k];
    if (is_bound(spec, i)) continue;
    return spec->at[i].kind == SCAN_VAR ? spec->at[i].var : SPARQL_NO_VAR;
  }
  return SPARQL_NO_VAR;
}

quoin_status
sparql_scan_new(sparql_operator **out, sparql_context *ctx, const sparql_triple *triple,
                const sparql_active_graph *graph, const sparql_var *then, size_t n_then,
                quoin_error *err)
{
  scan_spec spec;
  const sparql_executor *executor = ctx->exists_state;
  const sparql_frame *frame = executor ? executor->frame : NULL;
  quoin_status st = scan_spec_make(&spec, ctx, triple, graph, frame, err);
  if (st) return st;
  quad_order order = scan_spec_order(&spec, quad_snapshot_orders(ctx->snapshot), then, n_then);
  return sparql_scan_make(out, ctx, &spec, order, NULL, NULL, 0, frame, false, err);
}
