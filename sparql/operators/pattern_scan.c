/* sparql/operators/pattern_scan.c - see pattern_scan.h. */
#include "sparql/operators/pattern_scan.h"

#include <assert.h>

#include "base/poison.h"

/* One graph's rows. */
typedef struct graph_rows {
  atom_id graph;
  quad_scan *scan;
  quad_batch batch;
  size_t at;
} graph_rows;

struct pattern_merge {
  sparql_context *ctx;
  size_t n; /* graphs */
  graph_rows *rows;
  uint32_t *heap; /* of those that have a row, the least on top */
  size_t in_heap;
  bool filled;      /* the heap is made */
  unsigned n_keys;  /* unbound: */
  uint8_t key[3];   /* in the order's order */
  bool shows_graph; /* then equal triples of several graphs are several rows */
  bool any;         /* last[] holds a row's keys */
  atom_id last[3];
  unsigned columns; /* asked for */
  atom_id *buffer[4];
};

/* ---- the heap ---------------------------------------------------------------------------------
 */

static int
compare_heads(const pattern_merge *m, uint32_t a, uint32_t b)
{
  const graph_rows *x = &m->rows[a], *y = &m->rows[b];
  for (unsigned k = 0; k < m->n_keys; k++) {
    uint64_t left = x->batch.column[m->key[k]][x->at].bits;
    uint64_t right = y->batch.column[m->key[k]][y->at].bits;
    if (left != right) return left < right ? -1 : 1;
  }
  return a < b ? -1 : 1; /* graphs ascend */
}

static void
sift(pattern_merge *m, size_t at)
{
  for (size_t child; (child = 2 * at + 1) < m->in_heap; at = child) {
    if (child + 1 < m->in_heap && compare_heads(m, m->heap[child + 1], m->heap[child]) < 0) child++;
    if (compare_heads(m, m->heap[at], m->heap[child]) < 0) return;
    uint32_t swap = m->heap[at];
    m->heap[at] = m->heap[child];
    m->heap[child] = swap;
  }
}

/* A row at hand in rows[i], or DONE. */
static quoin_status
fetch(pattern_merge *m, size_t i, quoin_error *err)
{
  graph_rows *rows = &m->rows[i];
  rows->at = 0;
  quoin_status st = quad_scan_next(&rows->batch, rows->scan, err);
  if (st) rows->batch.rows = 0;
  return st;
}

/* The heap of all graphs that have a row. */
static quoin_status
fill(pattern_merge *m, quoin_error *err)
{
  m->in_heap = 0;
  for (size_t i = 0; i < m->n; i++) {
    graph_rows *rows = &m->rows[i];
    if (rows->at >= rows->batch.rows) {
      quoin_status st = fetch(m, i, err);
      if (st == QUOIN_DONE) continue;
      if (st) return st;
    }
    m->heap[m->in_heap++] = (uint32_t)i;
  }
  for (size_t at = m->in_heap / 2; at-- > 0;)
    sift(m, at);
  m->filled = true;
  return QUOIN_OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static bool
is_new(pattern_merge *m, const graph_rows *rows)
{
  bool same = m->any;
  for (unsigned k = 0; k < m->n_keys; k++) {
    atom_id id = rows->batch.column[m->key[k]][rows->at];
    same = same && atom_id_equal(id, m->last[k]);
    m->last[k] = id;
  }
  m->any = true;
  return !same || m->shows_graph;
}

static void
copy_row(pattern_merge *m, const graph_rows *rows, size_t to)
{
  for (unsigned c = 0; c < 3; c++)
    if (rows->batch.column[c]) m->buffer[c][to] = rows->batch.column[c][rows->at];
  if (m->shows_graph) m->buffer[QUAD_G][to] = rows->graph;
}

static quoin_status
merge_next(quad_batch *out, pattern_merge *m, quoin_error *err)
{
  size_t n = 0;
  quoin_status st = m->filled ? QUOIN_OK : fill(m, err);
  if (st) return st;
  while (n < QUAD_BATCH && m->in_heap) {
    uint32_t top = m->heap[0];
    graph_rows *rows = &m->rows[top];
    if (is_new(m, rows)) copy_row(m, rows, n++);
    if (++rows->at >= rows->batch.rows) {
      st = fetch(m, top, err);
      if (st && st != QUOIN_DONE) return st;
      if (st == QUOIN_DONE) m->heap[0] = m->heap[--m->in_heap];
      if ((st = base_cancel_check(&m->ctx->cancel, err))) return st;
    }
    sift(m, 0);
  }
  if (!n) return QUOIN_DONE;
  *out = (quad_batch){.rows = n};
  for (unsigned c = 0; c < 4; c++)
    if (m->columns & 1u << c) out->column[c] = m->buffer[c];
  return QUOIN_OK;
}

/* Is row `at` before key[1..]? */
static bool
is_before(const pattern_merge *m, const graph_rows *rows, size_t at, const atom_id key[4])
{
  for (unsigned k = 0; k < m->n_keys; k++) {
    uint64_t id = rows->batch.column[m->key[k]][at].bits, want = key[4 - m->n_keys + k].bits;
    if (id != want) return id < want;
  }
  return false;
}

static quoin_status
merge_seek(pattern_merge *m, const atom_id key[4], quoin_error *err)
{
  for (size_t i = 0; i < m->n; i++) {
    graph_rows *rows = &m->rows[i];
    size_t lo = rows->at, hi = rows->batch.rows;
    while (lo < hi) {
      size_t mid = lo + (hi - lo) / 2;
      if (is_before(m, rows, mid, key)) {
        lo = mid + 1;
      } else {
        hi = mid;
      }
    }
    rows->at = lo;
    if (lo < rows->batch.rows) continue;
    rows->at = rows->batch.rows = 0;
    const atom_id whole[4] = {rows->graph, key[1], key[2], key[3]};
    quoin_status st = quad_scan_seek(rows->scan, whole, err);
    if (st) return st;
  }
  m->filled = false;
  return QUOIN_OK;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static quoin_status
bind(pattern_merge *m, const quad_pattern *pattern, quad_order order, unsigned columns,
     quoin_error *err)
{
  for (size_t i = 0; i < m->n; i++) {
    graph_rows *rows = &m->rows[i];
    quad_pattern of_graph = *pattern;
    of_graph.match.term[QUAD_G] = rows->graph;
    rows->at = rows->batch.rows = 0;
    quoin_status st =
        rows->scan ? quad_scan_rebind(rows->scan, &of_graph, err)
                   : quad_scan_open(&rows->scan, m->ctx->snapshot, &of_graph, order, columns, err);
    if (st) return st;
  }
  m->filled = m->any = false;
  return QUOIN_OK;
}

static quoin_status
merge_make(pattern_merge **out, sparql_context *ctx, const quad_pattern *pattern, quad_order order,
           unsigned columns, const atom_id *graphs, size_t n, quoin_error *err)
{
  base_arena *arena = &ctx->arena;
  pattern_merge *m = base_arena_new_zero(arena, 1, sizeof(*m));
  if (!m) return base_fail_nomem(err);
  *m = (pattern_merge){.ctx = ctx, .n = n, .columns = columns};
  m->rows = base_arena_new_zero(arena, n, sizeof(*m->rows));
  m->heap = base_arena_new(arena, n, sizeof(*m->heap));
  if (!m->rows || !m->heap) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    m->rows[i].graph = graphs[i];
  m->shows_graph = columns & 1u << QUAD_G;
  for (unsigned k = 1; k < 4; k++) {
    uint8_t position = quad_order_keys[order][k];
    if (!pattern->match.term[position].bits) m->key[m->n_keys++] = position;
  }
  for (unsigned c = 0; c < 4; c++) {
    bool wanted = columns & 1u << c || (c != QUAD_G && !pattern->match.term[c].bits);
    if (wanted && !(m->buffer[c] = base_arena_new(arena, QUAD_BATCH, sizeof(atom_id))))
      return base_fail_nomem(err);
  }
  *out = m;
  return QUOIN_OK;
}

quoin_status
pattern_scan_open(pattern_scan *out, sparql_context *ctx, const quad_pattern *pattern,
                  quad_order order, unsigned columns, const atom_id *graphs, size_t n_graphs,
                  quoin_error *err)
{
  *out = (pattern_scan){NULL, NULL};
  if (!graphs) return quad_scan_open(&out->scan, ctx->snapshot, pattern, order, columns, err);
  assert(n_graphs && n_graphs <= PATTERN_SCAN_GRAPHS && quad_order_keys[order][0] == QUAD_G);
  unsigned inner = columns & ~(1u << QUAD_G);
  quoin_status st = merge_make(&out->merge, ctx, pattern, order, columns, graphs, n_graphs, err);
  if (st) return st;
  for (unsigned k = 0; k < out->merge->n_keys; k++)
    inner |= 1u << out->merge->key[k];
  if ((st = bind(out->merge, pattern, order, inner, err))) pattern_scan_close(out);
  return st;
}

quoin_status
pattern_scan_next(quad_batch *out, pattern_scan *scan, quoin_error *err)
{
  return scan->merge ? merge_next(out, scan->merge, err) : quad_scan_next(out, scan->scan, err);
}

quoin_status
pattern_scan_seek(pattern_scan *scan, const atom_id key[4], quoin_error *err)
{
  return scan->merge ? merge_seek(scan->merge, key, err) : quad_scan_seek(scan->scan, key, err);
}

quoin_status
pattern_scan_rebind(pattern_scan *scan, const quad_pattern *pattern, quoin_error *err)
{
  if (scan->merge) return bind(scan->merge, pattern, QUAD_GSPO, 0, err);
  return quad_scan_rebind(scan->scan, pattern, err);
}

quoin_status
pattern_scan_range(pattern_scan *scan, atom_id lo, atom_id hi, quoin_error *err)
{
  if (!scan->merge) return quad_scan_range(scan->scan, lo, hi, err);
  for (size_t i = 0; i < scan->merge->n; i++) {
    quoin_status st = quad_scan_range(scan->merge->rows[i].scan, lo, hi, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

void
pattern_scan_close(pattern_scan *scan)
{
  quad_scan_close(scan->scan);
  for (size_t i = 0; scan->merge && i < scan->merge->n; i++)
    quad_scan_close(scan->merge->rows[i].scan);
  *scan = (pattern_scan){NULL, NULL};
}
