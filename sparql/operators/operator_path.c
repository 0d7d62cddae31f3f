/* sparql/operators/operator_path.c - a property path joined with the rows of a child (9, 18.4).
 *
 * The rows of a child batch are taken in segments that bind the same ends (and the same graph where
 * GRAPH ?g is bound). For a segment and a graph the search runs from one end: a constant one, else
 * one that the rows bind, else from all nodes where the path can begin, some at a time. What it
 * reaches is a list of (tag, node): a tag stands for one starting node and the rows that wait for
 * it. The list is then joined with those rows.
 *
 * A variable end ranges over the nodes of the graph, whatever gives it a value afterwards; a
 * constant matches itself at length zero (DESIGN.md section 4). */
#include "sparql/operators/operator_path.h"

#include <assert.h>

#include "base/poison.h"

/* Starts searched at a time when both ends are open: adapted so that one list stays in the cache of
 * the processor, and LIMIT stops early. */
enum { STARTS_FIRST = 16, STARTS_MOST = 4096, PAIRS_WANTED = 1 << 16 };

typedef struct path_end {
  sparql_var var; /* SPARQL_NO_VAR: constant */
  atom_id value;  /* of a constant */
} path_end;

typedef struct path_operator {
  sparql_operator head;
  const sparql_algebra *node;
  sparql_active_graph active;
  path_end end[2]; /* subject, object */
  bool same;       /* one variable at both ends */
  path_node *path;

  /* Graphs: one, or those of GRAPH ?g. */
  atom_id *names;
  size_t n_names;
  bool have_names;
  atom_id sure; /* a bound ?g that was found to exist */

  /* The batch of the child, and the segment at work. */
  sparql_batch in;
  const atom_id **pulled;
  bool have_in, ended;
  size_t row, row_end; /* segment */
  bool known[2];       /* ends bound in each row of the segment */
  size_t graph_at;     /* next graph of the segment */
  size_t n_graphs;
  sparql_graph graph;
  unsigned from; /* the end searched from */

  /* Open ends: where to begin. */
  sparql_id_table starts;
  size_t next_start, chunk;
  bool open; /* more chunks may follow */

  /* The list and the rows that wait. */
  path_pairs seeds, found;
  size_t pair, waiting; /* next to be joined */
  atom_id *start;       /* [n_tags] node of each tag */
  uint32_t *rows;       /* rows of the segment, by tag */
  uint32_t *first;      /* [n_tags + 1] into rows */
  size_t start_cap;
  bool all_rows; /* one tag, all rows of the segment wait for it */

  /* Reached from a constant: kept from batch to batch, sorted by node. */
  path_pairs kept;
  bool have_kept;
  atom_id kept_graph;
  unsigned kept_from;

  path_cache cache; /* from what rows bind */

  /* Rows made. */
  size_t made;
  uint32_t from_row[SPARQL_BATCH];
  atom_id *out_end[2], *out_graph;
  sparql_columns cols;
} path_operator;

/* ---- values of a row ----------------------------------------------------------------------------
 */

static atom_id
column_value(const path_operator *op, sparql_var var, size_t row)
{
  const atom_id *column = op->in.column[var];
  atom_id id = column ? column[row] : ATOM_NONE_ID;
  return id.bits ? id : sparql_outer_value(op->head.ctx, var);
}

static atom_id
end_value(const path_operator *op, unsigned end, size_t row)
{
  const path_end *e = &op->end[end];
  return e->var == SPARQL_NO_VAR ? e->value : column_value(op, e->var, row);
}

static bool
is_constant(const path_operator *op, unsigned end)
{
  return op->end[end].var == SPARQL_NO_VAR;
}

static atom_id
graph_value(const path_operator *op, size_t row)
{
  sparql_var var = op->active.graph.var;
  return op->active.scope == QUAD_NAMED && var != SPARQL_NO_VAR ? column_value(op, var, row)
                                                                : ATOM_NONE_ID;
}

/* ---- segments
 * ------------------------------------------------------------------------------------ */

/* The rows from op->row on that bind the same ends and the same graph. Rows with both ends open go
 * one at a time: each of them meets everything. */
static void
cut_segment(path_operator *op)
{
  for (unsigned e = 0; e < 2; e++)
    op->known[e] = end_value(op, e, op->row).bits != 0;
  atom_id graph = graph_value(op, op->row);
  op->row_end = op->row + 1;
  if (!op->known[0] && !op->known[1]) return;
  for (; op->row_end < op->in.rows; op->row_end++) {
    if ((end_value(op, 0, op->row_end).bits != 0) != op->known[0]) return;
    if ((end_value(op, 1, op->row_end).bits != 0) != op->known[1]) return;
    if (!atom_id_equal(graph_value(op, op->row_end), graph)) return;
  }
}

/* How many graphs the segment looks at. */
static quoin_status
count_graphs(path_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  const sparql_active_graph *active = &op->active;
  quoin_status st = QUOIN_OK;
  bool exists = false;
  op->graph_at = 0;
  op->n_graphs = 1;
  if (active->scope != QUAD_NAMED) return QUOIN_OK;
  atom_id name = graph_value(op, op->row);
  if (active->graph.var == SPARQL_NO_VAR) {
    if ((st = sparql_intern(&name, ctx, &active->graph.term, err))) return st;
  } else if (!name.bits) {
    if (!op->have_names)
      st = sparql_graph_names(&op->names, &op->n_names, ctx, active->merged, active->n_merged, err);
    op->have_names = true;
    op->n_graphs = op->n_names;
    return st;
  }
  if (op->sure.bits && atom_id_equal(op->sure, name)) return QUOIN_OK;
  st = sparql_graph_exists(&exists, ctx, name, active->merged, active->n_merged, err);
  if (exists)
    op->sure = name;
  else
    op->n_graphs = 0;
  return st;
}

static quoin_status
choose_graph(path_operator *op, quoin_error *err)
{
  atom_id name = graph_value(op, op->row);
  if (op->active.graph.var != SPARQL_NO_VAR && op->active.scope == QUAD_NAMED && !name.bits)
    name = op->names[op->graph_at];
  op->graph_at++;
  return sparql_graph_init(&op->graph, op->head.ctx, &op->active, name, err);
}

/* ---- searching
 * ------------------------------------------------------------------------------------ */

static quoin_status
reserve_tags(path_operator *op, size_t n, quoin_error *err)
{
  if (n <= op->start_cap) return QUOIN_OK;
  assert(n <= STARTS_MOST);
  sparql_context *ctx = op->head.ctx;
  op->start = base_arena_new(&ctx->arena, STARTS_MOST, sizeof(atom_id));
  op->first = base_arena_new(&ctx->arena, STARTS_MOST + 1, sizeof(uint32_t));
  op->rows = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(uint32_t));
  if (!op->start || !op->first || !op->rows) return base_fail_nomem(err);
  op->start_cap = STARTS_MOST;
  return QUOIN_OK;
}

/* Constants: what is reached from op->end[from] into op->kept, sorted. */
static quoin_status
search_constant(path_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  atom_id id = op->end[op->from].value;
  quoin_status st = QUOIN_OK;
  bool node = true;
  if (op->have_kept && op->kept_from == op->from && atom_id_equal(op->kept_graph, op->graph.name))
    return QUOIN_OK;
  op->have_kept = false;
  op->kept.n = 0;
  if (path_nullable(op->path) && (st = sparql_graph_has_node(&node, ctx, &op->graph, id, err)))
    return st;
  if (node) {
    op->seeds.n = 0;
    if ((st = path_pairs_add(&op->seeds, id, 0, err))) return st;
    st = path_step(&op->kept, op->path, &op->graph, op->from == 1, &op->seeds, err);
  } else {
    for (uint64_t i = path_zero_count(op->path); i > 0 && !st; i--)
      st = path_pairs_add(&op->kept, id, 0, err);
  }
  if (st || (st = path_pairs_sort(&op->kept, err))) return st;
  op->have_kept = true;
  op->kept_from = op->from;
  op->kept_graph = op->graph.name;
  return QUOIN_OK;
}

/* The first pair of op->kept whose node is >= id. */
static size_t
kept_at(const path_operator *op, atom_id id)
{
  size_t lo = 0, hi = op->kept.n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (op->kept.at[mid].node.bits < id.bits)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

/* From a constant: every row waits for all that it reaches, or looks up the one node it binds. */
static quoin_status
begin_constant(path_operator *op, quoin_error *err)
{
  unsigned to = 1 - op->from;
  quoin_status st = search_constant(op, err);
  if (st || (st = reserve_tags(op, SPARQL_BATCH, err))) return st;
  op->start[0] = op->end[op->from].value;
  op->all_rows = !op->known[to];
  op->found.n = 0;
  if (op->all_rows) {
    if ((st = path_pairs_reserve(&op->found, op->kept.n, err))) return st;
    if (op->kept.n) memcpy(op->found.at, op->kept.at, op->kept.n * sizeof(path_pair));
    op->found.n = op->kept.n;
    return QUOIN_OK;
  }
  for (size_t row = op->row; row < op->row_end && !st; row++) {
    uint32_t tag = (uint32_t)(row - op->row);
    atom_id id = end_value(op, to, row);
    op->start[tag] = op->start[0];
    op->rows[tag] = (uint32_t)row;
    op->first[tag] = tag;
    op->first[tag + 1] = tag + 1;
    for (size_t i = kept_at(op, id); i < op->kept.n && !st; i++) {
      if (!atom_id_equal(op->kept.at[i].node, id)) break;
      st = path_pairs_add(&op->found, id, tag, err);
    }
  }
  return st;
}

/* From what the rows bind: a tag for each distinct node. */
static quoin_status
begin_bound(path_operator *op, quoin_error *err)
{
  quoin_status st = reserve_tags(op, SPARQL_BATCH, err);
  if (st) return st;
  op->seeds.n = op->found.n = 0;
  op->all_rows = false;
  for (size_t row = op->row; row < op->row_end; row++)
    if ((st = path_pairs_add(&op->seeds, end_value(op, op->from, row), (uint32_t)row, err)))
      return st;
  if ((st = path_pairs_sort(&op->seeds, err))) return st;
  size_t n = 0;
  for (size_t i = 0; i < op->seeds.n; i++) {
    path_pair pair = op->seeds.at[i];
    if (!i || !atom_id_equal(pair.node, op->start[n - 1])) {
      op->start[n] = pair.node;
      op->first[n++] = (uint32_t)i;
    }
    op->rows[i] = pair.tag;
  }
  op->first[n] = (uint32_t)op->seeds.n;
  bool nodes_only = path_nullable(op->path) && !is_constant(op, 1 - op->from);
  return path_cache_reach(&op->found, &op->cache, op->path, &op->graph, op->from == 1, nodes_only,
                          op->start, n, err);
}

/* From everywhere: the next chunk of starts. */
static quoin_status
next_chunk(path_operator *op, quoin_error *err)
{
  size_t left = op->starts.rows - op->next_start;
  size_t n = left < op->chunk ? left : op->chunk;
  quoin_status st = QUOIN_OK;
  op->seeds.n = op->found.n = op->pair = op->waiting = 0;
  for (size_t i = 0; i < n && !st; i++) {
    op->start[i] = op->starts.column[0][op->next_start + i];
    st = path_pairs_add(&op->seeds, op->start[i], (uint32_t)i, err);
  }
  if (!st) st = path_step(&op->found, op->path, &op->graph, op->from == 1, &op->seeds, err);
  op->next_start += n;
  op->open = op->next_start < op->starts.rows;
  if (op->found.n < PAIRS_WANTED / 2 && op->chunk < STARTS_MOST)
    op->chunk *= 2;
  else if (op->found.n > PAIRS_WANTED && op->chunk > 1)
    op->chunk /= 2;
  return st;
}

static quoin_status
begin_open(path_operator *op, quoin_error *err)
{
  quoin_status st = reserve_tags(op, STARTS_MOST, err);
  if (st) return st;
  op->all_rows = true;
  op->from = 0;
  sparql_id_table_reset(&op->starts);
  if ((st = path_starts(&op->starts, op->path, &op->graph, false, err))) return st;
  op->next_start = 0;
  op->chunk = STARTS_FIRST;
  return next_chunk(op, err);
}

/* The cheaper of two constants; a constant before what rows bind, unless its first step alone is
 * much larger than the rows are many. */
static quoin_status
choose_end(path_operator *op, quoin_error *err)
{
  uint64_t degree[2];
  op->from = op->known[0] ? 0 : 1;
  if (!op->known[0] || !op->known[1]) return QUOIN_OK;
  bool constant[2] = {is_constant(op, 0), is_constant(op, 1)};
  if (!constant[0] && !constant[1]) return QUOIN_OK;
  if (constant[0] != constant[1]) op->from = constant[0] ? 0 : 1;
  if (op->have_kept && op->kept_from == op->from) return QUOIN_OK;
  for (unsigned e = 0; e < 2; e++) {
    degree[e] = UINT64_MAX;
    if (!constant[e]) continue;
    quoin_status st = path_degree(&degree[e], op->path, &op->graph, e == 1, op->end[e].value, err);
    if (st) return st;
  }
  if (constant[0] && constant[1]) {
    op->from = degree[1] < degree[0] ? 1 : 0;
  } else if (op->head.child[0] && op->in.rows < SPARQL_BATCH / 2 &&
             (double)degree[op->from] > 64 * (op->head.child[0]->rows + (double)op->in.rows)) {
    op->from = 1 - op->from;
  }
  return QUOIN_OK;
}

/* Search the next graph of the segment. */
static quoin_status
begin_graph(path_operator *op, quoin_error *err)
{
  quoin_status st = choose_graph(op, err);
  op->pair = op->waiting = 0;
  op->open = false;
  if (st) return st;
  if (!op->known[0] && !op->known[1]) return begin_open(op, err);
  if ((st = choose_end(op, err))) return st;
  return is_constant(op, op->from) ? begin_constant(op, err) : begin_bound(op, err);
}

/* ---- rows
 * ---------------------------------------------------------------------------------------- */

static void
make_row(path_operator *op, size_t row, atom_id from, atom_id to)
{
  const atom_id end[2] = {op->from == 0 ? from : to, op->from == 0 ? to : from};
  if (op->active.scope == QUAD_NAMED && op->active.graph.var != SPARQL_NO_VAR)
    for (unsigned e = 0; e < 2; e++) /* GRAPH ?g { ?g :p ?o } */
      if (op->end[e].var == op->active.graph.var && !atom_id_equal(end[e], op->graph.name)) return;
  op->from_row[op->made] = (uint32_t)row;
  op->out_end[0][op->made] = end[0];
  op->out_end[1][op->made] = end[1];
  op->out_graph[op->made] = op->graph.name;
  op->made++;
}

/* Join the list with the rows until a batch is full. */
static void
join_rows(path_operator *op)
{
  unsigned to = 1 - op->from;
  for (; op->pair < op->found.n; op->pair++, op->waiting = 0) {
    path_pair pair = op->found.at[op->pair];
    atom_id start = op->start[pair.tag];
    size_t begin = op->all_rows ? op->row : op->first[pair.tag];
    size_t end = op->all_rows ? op->row_end : op->first[pair.tag + 1];
    if (op->same && !atom_id_equal(start, pair.node)) continue;
    for (size_t at = begin + op->waiting; at < end; at++, op->waiting++) {
      size_t row = op->all_rows ? at : op->rows[at];
      if (op->known[to] && !atom_id_equal(end_value(op, to, row), pair.node)) continue;
      if (op->made == SPARQL_BATCH) return;
      make_row(op, row, start, pair.node);
    }
  }
}

static quoin_status
give(sparql_batch *out, path_operator *op, quoin_error *err)
{
  quoin_status st =
      sparql_columns_gather(&op->cols, op->head.ctx, &op->in, op->from_row, op->made, err);
  if (st) return st;
  for (unsigned e = 0; e < 2; e++)
    if (!is_constant(op, e)) op->cols.column[op->end[e].var] = op->out_end[e];
  if (op->active.scope == QUAD_NAMED && op->active.graph.var != SPARQL_NO_VAR)
    op->cols.column[op->active.graph.var] = op->out_graph;
  *out = (sparql_batch){.rows = op->made, .column = op->cols.column};
  op->made = 0;
  return QUOIN_OK;
}

/* The next batch of the child; without one, a single row that binds nothing. */
static quoin_status
pull(path_operator *op, quoin_error *err)
{
  op->row = op->row_end = 0;
  op->have_in = false;
  if (op->ended) return QUOIN_DONE;
  if (!op->head.child[0]) {
    op->in = (sparql_batch){.rows = 1, .column = op->pulled};
    op->ended = op->have_in = true;
    return QUOIN_OK;
  }
  quoin_status st = sparql_pull(&op->in, op->pulled, op->head.child[0], err);
  op->ended = st == QUOIN_DONE;
  op->have_in = !st;
  return st;
}

/* Make the next work for join_rows: a chunk, a graph, a segment. DONE: the batch of the child is
 * used up. */
static quoin_status
advance(path_operator *op, quoin_error *err)
{
  quoin_status st = base_cancel_check(&op->head.ctx->cancel, err);
  if (st) return st;
  if (op->open) return next_chunk(op, err);
  if (op->graph_at < op->n_graphs) return begin_graph(op, err);
  op->row = op->row_end;
  if (!op->have_in || op->row >= op->in.rows) return QUOIN_DONE;
  cut_segment(op);
  return count_graphs(op, err);
}

static quoin_status
path_next(sparql_batch *out, sparql_operator *base, quoin_error *err)
{
  path_operator *op = (path_operator *)base;
  for (;;) {
    quoin_status st;
    join_rows(op);
    if (op->made == SPARQL_BATCH) return give(out, op, err);
    st = advance(op, err);
    if (st == QUOIN_DONE) {
      if (op->made) return give(out, op, err); /* the rows of this batch are still valid */
      st = pull(op, err);
      op->graph_at = op->n_graphs = 0;
    }
    if (st) return st;
  }
}

static void
reset(path_operator *op)
{
  op->have_in = op->ended = op->open = false;
  op->row = op->row_end = op->graph_at = op->n_graphs = op->made = 0;
  op->pair = op->found.n = 0;
  op->in.rows = 0;
}

static quoin_status
path_rewind(sparql_operator *base, quoin_error *err)
{
  reset((path_operator *)base);
  return base->child[0] ? sparql_operator_rewind(base->child[0], err) : QUOIN_OK;
}

static void
path_operator_close(sparql_operator *base)
{
  path_operator *op = (path_operator *)base;
  reset(op);
  op->have_kept = false; /* a rewind keeps it: neither constants nor the snapshot change */
  path_close(op->path);
  path_cache_clear(&op->cache);
  path_pairs_clear(&op->seeds);
  path_pairs_clear(&op->found);
  path_pairs_clear(&op->kept);
  sparql_id_table_clear(&op->starts);
}

static void
explain_end(base_buffer *out, const path_operator *op, const sparql_node *node)
{
  if (node->var == SPARQL_NO_VAR)
    rdf_term_write(out, &node->term);
  else
    sparql_explain_var(out, op->head.ctx, node->var);
}

static void
path_operator_explain(base_buffer *out, const sparql_operator *base)
{
  const path_operator *op = (const path_operator *)base;
  explain_end(out, op, &op->node->subject);
  base_buffer_byte(out, ' ');
  path_explain(out, op->node->path);
  base_buffer_byte(out, ' ');
  explain_end(out, op, &op->node->object);
  if (op->active.scope != QUAD_NAMED) return;
  base_buffer_text(out, " graph ");
  explain_end(out, op, &op->active.graph);
}

static const sparql_operator_class path_class = {.name = "path",
                                                 .next = path_next,
                                                 .rewind = path_rewind,
                                                 .close = path_operator_close,
                                                 .explain = path_operator_explain};

/* ---- making
 * -------------------------------------------------------------------------------------- */

static quoin_status
make_end(path_operator *op, unsigned e, const sparql_node *node, quoin_error *err)
{
  op->end[e].var = node->var;
  if (node->var == SPARQL_NO_VAR)
    return sparql_intern(&op->end[e].value, op->head.ctx, &node->term, err);
  op->head.bound[node->var] = op->head.maybe[node->var] = true;
  return QUOIN_OK;
}

static quoin_status
make_buffers(path_operator *op, quoin_error *err)
{
  sparql_context *ctx = op->head.ctx;
  sparql_batch pulled;
  quoin_status st = sparql_columns_init(&op->cols, ctx, err);
  if (st || (st = sparql_batch_init(&pulled, ctx, err))) return st;
  op->pulled = pulled.column;
  if ((st = sparql_id_table_init(&op->starts, ctx, 1, err))) return st;
  sparql_id_table_on_disk(&op->starts);
  if ((st = path_cache_init(&op->cache, ctx, err))) return st;
  op->seeds.ctx = op->found.ctx = op->kept.ctx = ctx;
  op->out_end[0] = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
  op->out_end[1] = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
  op->out_graph = base_arena_new(&ctx->arena, SPARQL_BATCH, sizeof(atom_id));
  return op->out_end[0] && op->out_end[1] && op->out_graph ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
sparql_path_new(sparql_operator **out, sparql_context *ctx, sparql_operator *child,
                const sparql_algebra *node, const sparql_active_graph *graph, quoin_error *err)
{
  path_operator *op = base_arena_new_zero(&ctx->arena, 1, sizeof(*op));
  if (!op) return base_fail_nomem(err);
  quoin_status st = sparql_operator_init(&op->head, &path_class, ctx, child, err);
  if (st) return st;
  op->node = node;
  op->active = *graph;
  op->same = node->subject.var != SPARQL_NO_VAR && node->subject.var == node->object.var;
  if ((st = make_end(op, 0, &node->subject, err))) return st;
  if ((st = make_end(op, 1, &node->object, err))) return st;
  if (graph->scope == QUAD_NAMED && graph->graph.var != SPARQL_NO_VAR)
    op->head.bound[graph->graph.var] = op->head.maybe[graph->graph.var] = true;
  if ((st = path_compile(&op->path, ctx, node->path, err))) return st;
  if ((st = make_buffers(op, err))) return st;
  op->head.n_sorted = 0;
  op->head.rows = child ? child->rows * 4 : 1000;
  op->head.cost = (child ? child->cost : 0) + op->head.rows * 4;
  *out = &op->head;
  return QUOIN_OK;
}
