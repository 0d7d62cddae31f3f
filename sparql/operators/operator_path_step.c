/* sparql/operators/operator_path_step.c - walking one path expression (9.3, 18.4). */
#include "sparql/memory/disk_memory.h"
#include "sparql/operators/operator_path.h"

#include "base/poison.h"

enum { PATH_MAX_DEPTH = 1000 };

/* ---- making ------------------------------------------------------------------------------------
 */

static quoin_status
compile_set(atom_id **out, size_t *n_out, sparql_context *ctx, const rdf_term *terms, size_t n,
            quoin_error *err)
{
  atom_id *ids = base_arena_new(&ctx->arena, n + 1, sizeof(atom_id));
  if (!ids) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    atom_id id;
    quoin_status st = sparql_intern(&id, ctx, &terms[i], err);
    if (st) return st;
    size_t at = i;
    for (; at > 0 && ids[at - 1].bits > id.bits; at--)
      ids[at] = ids[at - 1];
    ids[at] = id;
  }
  *out = ids;
  *n_out = n;
  return QUOIN_OK;
}

static quoin_status
compile(path_node **out, sparql_context *ctx, const sparql_path *path, unsigned depth,
        quoin_error *err)
{
  if (depth > PATH_MAX_DEPTH) return base_fail(err, QUOIN_ERR_LIMIT, "path is nested too deep");
  path_node *node = base_arena_new_zero(&ctx->arena, 1, sizeof(*node));
  quoin_status st = QUOIN_OK;
  if (!node) return base_fail_nomem(err);
  node->op = path->op;
  node->ctx = ctx;
  node->inner.ctx = node->reached.ctx = ctx;
  for (unsigned d = 0; d < 2; d++)
    sparql_graph_scan_init(&node->scan[d], ctx,
                           1u << QUAD_P | (d == 0 ? 1u << QUAD_O : 1u << QUAD_S));
  switch (path->op) {
  case PATH_IRI:
    st = sparql_intern(&node->iri, ctx, &path->iri, err);
    break;
  case PATH_NEGATED:
    st = compile_set(&node->without[0], &node->n_without[0], ctx, path->forward, path->n_forward,
                     err);
    if (!st)
      st = compile_set(&node->without[1], &node->n_without[1], ctx, path->inverse, path->n_inverse,
                       err);
    break;
  case PATH_SEQUENCE:
  case PATH_ALTERNATE:
    if ((st = compile(&node->b, ctx, path->b, depth + 1, err))) break;
    st = compile(&node->a, ctx, path->a, depth + 1, err);
    break;
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
  case PATH_ONE_OR_MORE:
    if ((st = sparql_id_table_init(&node->seen, ctx, 2, err))) break;
    sparql_id_table_on_disk(&node->seen);
    st = compile(&node->a, ctx, path->a, depth + 1, err);
    break;
  case PATH_INVERSE:
    st = compile(&node->a, ctx, path->a, depth + 1, err);
    break;
  }
  *out = node;
  return st;
}

quoin_status
path_compile(path_node **out, sparql_context *ctx, const sparql_path *path, quoin_error *err)
{
  return compile(out, ctx, path, 0, err);
}

void
path_close(path_node *node)
{
  if (!node) return;
  path_close(node->a);
  path_close(node->b);
  sparql_graph_scan_close(&node->scan[0]);
  sparql_graph_scan_close(&node->scan[1]);
  path_pairs_clear(&node->inner);
  path_pairs_clear(&node->reached);
  sparql_id_table_clear(&node->seen);
}

/* ---- what is known of a path ----------------------------------------------------------------- */

bool
path_nullable(const path_node *node)
{
  switch (node->op) {
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
    return true;
  case PATH_INVERSE:
  case PATH_ONE_OR_MORE:
    return path_nullable(node->a);
  case PATH_SEQUENCE:
    return path_nullable(node->a) && path_nullable(node->b);
  case PATH_ALTERNATE:
    return path_nullable(node->a) || path_nullable(node->b);
  case PATH_IRI:
  case PATH_NEGATED:
    break;
  }
  return false;
}

uint64_t
path_zero_count(const path_node *node)
{
  switch (node->op) {
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
    return 1;
  case PATH_INVERSE:
    return path_zero_count(node->a);
  case PATH_ONE_OR_MORE:
    return path_zero_count(node->a) ? 1 : 0;
  case PATH_ALTERNATE:
    return path_zero_count(node->a) + path_zero_count(node->b);
  case PATH_SEQUENCE:
  case PATH_IRI:
  case PATH_NEGATED:
    break;
  }
  return 0;
}

static quoin_status
leaf_degree(uint64_t *out, const path_node *node, const sparql_graph *graph, bool backward,
            atom_id id, quoin_error *err)
{
  quad_pattern pattern = {.scope = graph->scope, .match.term[QUAD_G] = graph->name};
  *out = 0;
  if (graph->empty || !sparql_id_is_stored(node->ctx, id) ||
      !sparql_id_is_stored(node->ctx, node->iri))
    return QUOIN_OK;
  pattern.match.term[backward ? QUAD_O : QUAD_S] = id;
  pattern.match.term[QUAD_P] = node->iri; /* 0 for PATH_NEGATED */
  return quad_count(out, node->ctx->snapshot, &pattern, err);
}

quoin_status
path_degree(uint64_t *out, const path_node *node, const sparql_graph *graph, bool backward,
            atom_id id, quoin_error *err)
{
  uint64_t more = 0;
  quoin_status st = QUOIN_OK;
  switch (node->op) {
  case PATH_IRI:
  case PATH_NEGATED:
    return leaf_degree(out, node, graph, backward, id, err);
  case PATH_INVERSE:
    return path_degree(out, node->a, graph, !backward, id, err);
  case PATH_SEQUENCE:
    return path_degree(out, backward ? node->b : node->a, graph, backward, id, err);
  case PATH_ALTERNATE:
    if ((st = path_degree(&more, node->b, graph, backward, id, err))) return st;
    st = path_degree(out, node->a, graph, backward, id, err);
    *out += more;
    return st;
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
  case PATH_ONE_OR_MORE:
    break;
  }
  return path_degree(out, node->a, graph, backward, id, err);
}

/* ---- leaves -----------------------------------------------------------------------------------
 */

static bool
among(const atom_id *ids, size_t n, atom_id id)
{
  for (size_t i = 0; i < n; i++) /* as many as are written in the query: few */
    if (ids[i].bits == id.bits) return true;
  return false;
}

/* One lookup: the nodes next to `run[0].node`, for the n tags of the run. `without`: predicates to
 * skip (all others), or NULL: node->iri alone. */
static quoin_status
leaf_lookup(path_pairs *out, path_node *node, const sparql_graph *graph, bool backward,
            const path_pair *run, size_t n, const atom_id *without, size_t n_without,
            quoin_error *err)
{
  sparql_graph_scan *scan = &node->scan[backward ? 1 : 0];
  atom_id spo[3] = {{0}, node->iri, {0}};
  spo[backward ? QUAD_O : QUAD_S] = run[0].node;
  quoin_status st = sparql_graph_scan_start(scan, graph, spo, err);
  while (!st) {
    quad_batch batch;
    if ((st = sparql_graph_scan_next(&batch, scan, err))) break;
    size_t room;
    if (!base_mul_size(&room, batch.rows, n)) return base_fail_nomem(err);
    if ((st = path_pairs_reserve(out, room, err))) break;
    const atom_id *ends = batch.column[backward ? QUAD_S : QUAD_O];
    for (size_t i = 0; i < batch.rows; i++) {
      if (without && among(without, n_without, batch.column[QUAD_P][i])) continue;
      for (size_t r = 0; r < n; r++)
        out->at[out->n++] = (path_pair){.node = ends[i], .tag = run[r].tag};
    }
    st = base_cancel_check(&node->ctx->cancel, err);
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static quoin_status
leaf_step(path_pairs *out, path_node *node, const sparql_graph *graph, bool backward,
          path_pairs *in, const atom_id *without, size_t n_without, quoin_error *err)
{
  quoin_status st = path_pairs_sort(in, err);
  for (size_t i = 0, next; i < in->n && !st; i = next) {
    for (next = i + 1; next < in->n && atom_id_equal(in->at[next].node, in->at[i].node);)
      next++;
    if ((st = base_cancel_check(&node->ctx->cancel, err))) break;
    st = leaf_lookup(out, node, graph, backward, in->at + i, next - i, without, n_without, err);
  }
  return st;
}

/* !(a|^b) is !(a) | ^!(b); !() and !(a) have no inverse part, !(^b) no forward one. */
static quoin_status
negated_step(path_pairs *out, path_node *node, const sparql_graph *graph, bool backward,
             path_pairs *in, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (node->n_without[0] || !node->n_without[1])
    st = leaf_step(out, node, graph, backward, in, node->without[0], node->n_without[0], err);
  if (!st && node->n_without[1])
    st = leaf_step(out, node, graph, !backward, in, node->without[1], node->n_without[1], err);
  return st;
}

/* ---- ? * + --------------------------------------------------------------------------------------
 */

/* Add pairs to node->seen. */
static quoin_status
see(path_node *node, const path_pairs *pairs, quoin_error *err)
{
  atom_id tags[SPARQL_BATCH], nodes[SPARQL_BATCH];
  uint32_t row[SPARQL_BATCH];
  const atom_id *const keys[2] = {tags, nodes};
  for (size_t at = 0; at < pairs->n; at += SPARQL_BATCH) {
    size_t n = pairs->n - at < SPARQL_BATCH ? pairs->n - at : SPARQL_BATCH;
    for (size_t i = 0; i < n; i++) {
      tags[i] = (atom_id){pairs->at[at + i].tag};
      nodes[i] = pairs->at[at + i].node;
    }
    quoin_status st = base_cancel_check(&node->ctx->cancel, err);
    if (st || (st = sparql_id_table_add(row, &node->seen, keys, n, err))) return st;
  }
  return QUOIN_OK;
}

/* The rows of node->seen from `at` on into node->inner. */
static quoin_status
frontier(path_node *node, size_t at, quoin_error *err)
{
  quoin_status st = path_pairs_reserve(&node->inner, node->seen.rows - at, err);
  for (; at < node->seen.rows && !st; at++)
    node->inner.at[node->inner.n++] = (path_pair){.node = node->seen.column[1][at],
                                                  .tag = (uint32_t)node->seen.column[0][at].bits};
  return st;
}

/* Breadth first from node->inner, whose tags number the starts: node->seen becomes the set of
 * (start, node) that the closure holds (18.4, ALP). */
static quoin_status
close_over(path_node *node, const sparql_graph *graph, bool backward, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  sparql_id_table_reset(&node->seen);
  if (node->op != PATH_ONE_OR_MORE && (st = see(node, &node->inner, err))) return st;
  while (node->inner.n) {
    size_t known = node->seen.rows;
    node->reached.n = 0;
    if ((st = path_step(&node->reached, node->a, graph, backward, &node->inner, err))) return st;
    if ((st = see(node, &node->reached, err))) return st;
    node->inner.n = 0;
    if (node->op == PATH_ZERO_OR_ONE) break;
    if ((st = frontier(node, known, err))) return st;
  }
  return QUOIN_OK;
}

/* The distinct nodes of `in` are the starts: each is closed over once, then what it reaches is
 * given to every pair that stood there. */
static quoin_status
closure_step(path_pairs *out, path_node *node, const sparql_graph *graph, bool backward,
             path_pairs *in, quoin_error *err)
{
  sparql_context *ctx = node->ctx;
  quoin_status st = path_pairs_sort(in, err);
  if (st) return st;
  /* begin[k]: where the pairs of start k begin in `in`. */
  size_t n_starts = 0;
  size_t *begin = base_new(disk_memory_alloc(ctx->disk), in->n + 1, sizeof(size_t));
  if (!begin) return base_fail_nomem(err);
  node->inner.n = 0;
  for (size_t i = 0; i < in->n && !st; i++) {
    if (i && atom_id_equal(in->at[i].node, in->at[i - 1].node)) continue;
    st = path_pairs_add(&node->inner, in->at[i].node, (uint32_t)n_starts, err);
    begin[n_starts++] = i;
  }
  begin[n_starts] = in->n;
  if (!st) st = close_over(node, graph, backward, err);
  for (size_t row = 0; row < node->seen.rows && !st; row++) {
    size_t start = (size_t)node->seen.column[0][row].bits;
    if ((st = path_pairs_reserve(out, begin[start + 1] - begin[start], err))) break;
    for (size_t i = begin[start]; i < begin[start + 1]; i++)
      out->at[out->n++] = (path_pair){.node = node->seen.column[1][row], .tag = in->at[i].tag};
  }
  base_release(disk_memory_alloc(ctx->disk), begin, in->n + 1, sizeof(size_t));
  return st;
}

quoin_status
path_step(path_pairs *out, path_node *node, const sparql_graph *graph, bool backward,
          path_pairs *in, quoin_error *err)
{
  quoin_status st;
  switch (node->op) {
  case PATH_IRI:
    return leaf_step(out, node, graph, backward, in, NULL, 0, err);
  case PATH_NEGATED:
    return negated_step(out, node, graph, backward, in, err);
  case PATH_INVERSE:
    return path_step(out, node->a, graph, !backward, in, err);
  case PATH_SEQUENCE:
    node->inner.n = 0;
    st = path_step(&node->inner, backward ? node->b : node->a, graph, backward, in, err);
    if (!st) st = path_step(out, backward ? node->a : node->b, graph, backward, &node->inner, err);
    return st;
  case PATH_ALTERNATE:
    st = path_step(out, node->a, graph, backward, in, err);
    return st ? st : path_step(out, node->b, graph, backward, in, err);
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
  case PATH_ONE_OR_MORE:
    break;
  }
  return closure_step(out, node, graph, backward, in, err);
}

/* ---- where a path between two variables can begin ----------------------------------------------
 */

/* The distinct values of position `at` in triples with predicate `iri` (0: any). */
static quoin_status
position_starts(sparql_id_table *starts, sparql_context *ctx, const sparql_graph *graph,
                atom_id iri, unsigned at, quoin_error *err)
{
  const atom_id spo[3] = {{0}, iri, {0}};
  sparql_graph_scan scan;
  sparql_graph_scan_init(&scan, ctx, 1u << at);
  quoin_status st = sparql_graph_scan_start(&scan, graph, spo, err);
  while (!st) {
    quad_batch batch;
    uint32_t row[QUAD_BATCH];
    atom_id distinct[QUAD_BATCH];
    size_t n = 0;
    if ((st = base_cancel_check(&ctx->cancel, err))) break;
    if ((st = sparql_graph_scan_next(&batch, &scan, err))) break;
    for (size_t i = 0; i < batch.rows; i++)
      if (!i || !atom_id_equal(batch.column[at][i], batch.column[at][i - 1]))
        distinct[n++] = batch.column[at][i];
    const atom_id *keys = distinct;
    st = sparql_id_table_add(row, starts, &keys, n, err);
  }
  sparql_graph_scan_close(&scan);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quoin_status
path_starts(sparql_id_table *starts, path_node *node, const sparql_graph *graph, bool backward,
            quoin_error *err)
{
  unsigned begin = backward ? QUAD_O : QUAD_S, end = backward ? QUAD_S : QUAD_O;
  path_node *first = backward ? node->b : node->a;
  quoin_status st = QUOIN_OK;
  if (path_nullable(node)) { /* every node of the graph */
    st = position_starts(starts, node->ctx, graph, ATOM_NONE_ID, begin, err);
    return st ? st : position_starts(starts, node->ctx, graph, ATOM_NONE_ID, end, err);
  }
  switch (node->op) {
  case PATH_IRI:
    return position_starts(starts, node->ctx, graph, node->iri, begin, err);
  case PATH_NEGATED:
    if (node->n_without[0] || !node->n_without[1])
      st = position_starts(starts, node->ctx, graph, ATOM_NONE_ID, begin, err);
    if (!st && node->n_without[1])
      st = position_starts(starts, node->ctx, graph, ATOM_NONE_ID, end, err);
    return st;
  case PATH_INVERSE:
    return path_starts(starts, node->a, graph, !backward, err);
  case PATH_SEQUENCE: /* a nullable first part begins at every node: a superset will do */
    return path_starts(starts, first, graph, backward, err);
  case PATH_ALTERNATE:
    st = path_starts(starts, node->a, graph, backward, err);
    return st ? st : path_starts(starts, node->b, graph, backward, err);
  case PATH_ONE_OR_MORE:
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
    break;
  }
  return path_starts(starts, node->a, graph, backward, err);
}

/* ---- text ---------------------------------------------------------------------------------------
 */

void
path_explain(base_buffer *out, const sparql_path *path)
{
  switch (path->op) {
  case PATH_IRI:
    rdf_term_write(out, &path->iri);
    return;
  case PATH_INVERSE:
    base_buffer_byte(out, '^');
    path_explain(out, path->a);
    return;
  case PATH_NEGATED:
    base_buffer_text(out, "!(");
    for (size_t i = 0; i < path->n_forward; i++) {
      if (i) base_buffer_byte(out, '|');
      rdf_term_write(out, &path->forward[i]);
    }
    for (size_t i = 0; i < path->n_inverse; i++) {
      base_buffer_text(out, i || path->n_forward ? "|^" : "^");
      rdf_term_write(out, &path->inverse[i]);
    }
    base_buffer_byte(out, ')');
    return;
  case PATH_SEQUENCE:
  case PATH_ALTERNATE:
    base_buffer_byte(out, '(');
    path_explain(out, path->a);
    base_buffer_byte(out, path->op == PATH_SEQUENCE ? '/' : '|');
    path_explain(out, path->b);
    base_buffer_byte(out, ')');
    return;
  case PATH_ZERO_OR_ONE:
  case PATH_ZERO_OR_MORE:
  case PATH_ONE_OR_MORE:
    base_buffer_byte(out, '(');
    path_explain(out, path->a);
    base_buffer_byte(out, ')');
    base_buffer_byte(out, path->op == PATH_ZERO_OR_ONE    ? '?'
                          : path->op == PATH_ZERO_OR_MORE ? '*'
                                                          : '+');
    return;
  }
}
