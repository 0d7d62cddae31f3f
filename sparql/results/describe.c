/* sparql/results/describe.c - DESCRIBE as the concise bounded description: the triples of which the
 * resource is the subject, and of each blank node that these lead to, in turn (16.4 leaves it to
 * the engine).
 *
 * All resources are known before the first triple is given, each is looked up once, and a triple
 * has one subject: no triple comes twice. */
#include "sparql/results/construct.h"

#include "base/poison.h"

enum { DESCRIBE_TRIPLES = 1024 };

struct sparql_describe {
  sparql_context *ctx;
  sparql_operator *root;
  sparql_graph graph;
  sparql_id_table nodes; /* to be described, in order */
  size_t next;
  bool collected, scanning;
  sparql_graph_scan scan;
  const atom_id **pulled;
};

quoin_status
sparql_describe_new(sparql_describe **out, sparql_context *ctx, sparql_operator *root,
                    const sparql_active_graph *active, quoin_error *err)
{
  sparql_describe *d = base_arena_new_zero(&ctx->arena, 1, sizeof(*d));
  sparql_batch pulled;
  if (!d) return base_fail_nomem(err);
  d->ctx = ctx;
  d->root = root;
  sparql_graph_scan_init(&d->scan, ctx, 1u << QUAD_P | 1u << QUAD_O);
  quoin_status st = sparql_graph_init(&d->graph, ctx, active, ATOM_NONE_ID, err);
  if (st || (st = sparql_id_table_init(&d->nodes, ctx, 1, err))) return st;
  if ((st = sparql_batch_init(&pulled, ctx, err))) return st;
  d->pulled = pulled.column;
  *out = d;
  return QUOIN_OK;
}

void
sparql_describe_clear(sparql_describe *describe)
{
  if (!describe) return;
  sparql_graph_scan_close(&describe->scan);
  sparql_id_table_clear(&describe->nodes);
}

static quoin_status
add_nodes(sparql_describe *d, const atom_id *ids, size_t n, quoin_error *err)
{
  uint32_t row[SPARQL_BATCH];
  return sparql_id_table_add(row, &d->nodes, &ids, n, err);
}

/* The terms that are written, and the values of the variables in all solutions. */
static quoin_status
collect(sparql_describe *d, quoin_error *err)
{
  const sparql_query *query = d->ctx->query;
  quoin_status st = QUOIN_OK;
  bool variables = false;
  for (size_t i = 0; i < query->n_describe && !st; i++) {
    atom_id id;
    if (query->describe[i].var != SPARQL_NO_VAR) {
      variables = true;
      continue;
    }
    if (!(st = sparql_intern(&id, d->ctx, &query->describe[i].term, err)))
      st = add_nodes(d, &id, 1, err);
  }
  while (variables && !st) {
    sparql_batch in;
    if ((st = base_cancel_check(&d->ctx->cancel, err))) break;
    if ((st = sparql_pull(&in, d->pulled, d->root, err))) break;
    for (size_t i = 0; i < query->n_describe && !st; i++) {
      sparql_var var = query->describe[i].var;
      if (var != SPARQL_NO_VAR && in.column[var]) st = add_nodes(d, in.column[var], in.rows, err);
    }
  }
  d->collected = !st || st == QUOIN_DONE;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* The next triples of the node at work. DONE: none are left. */
static quoin_status
describe_some(sparql_triples *out, sparql_describe *d, quoin_error *err)
{
  atom_id node = d->nodes.column[0][d->next];
  quad_batch batch;
  quoin_status st = sparql_graph_scan_next(&batch, &d->scan, err);
  for (size_t i = 0; i < (st ? 0 : batch.rows); i++) {
    const atom_id spo[3] = {node, batch.column[QUAD_P][i], batch.column[QUAD_O][i]};
    if ((st = sparql_triples_add(out, spo, err))) return st;
    if (sparql_id_kind(d->ctx, spo[2]) == RDF_BLANK && (st = add_nodes(d, &spo[2], 1, err)))
      return st;
  }
  return st;
}

quoin_status
sparql_describe_next(sparql_triples *out, sparql_describe *d, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  sparql_triples_reset(out);
  if (!d->collected && (st = collect(d, err))) return st;
  while (out->n < DESCRIBE_TRIPLES && d->next < d->nodes.rows) {
    atom_id node = d->nodes.column[0][d->next];
    rdf_kind kind = sparql_id_kind(d->ctx, node);
    if ((st = base_cancel_check(&d->ctx->cancel, err))) return st;
    if (!d->scanning && (kind == RDF_IRI || kind == RDF_BLANK)) {
      const atom_id spo[3] = {node, {0}, {0}};
      if ((st = sparql_graph_scan_start(&d->scan, &d->graph, spo, err))) return st;
      d->scanning = true;
    }
    st = d->scanning ? describe_some(out, d, err) : QUOIN_DONE;
    if (st && st != QUOIN_DONE) return st;
    if (st != QUOIN_DONE) continue;
    d->scanning = false;
    d->next++;
  }
  return out->n ? QUOIN_OK : QUOIN_DONE;
}
