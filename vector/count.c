/* vector/count.c - what an index has: statements, vectors, nodes. Reads all quads of its
 * predicate. */
#include "vector/index.h"

#include "base/poison.h"

typedef struct counting {
  vec_counts *to;
  const vec_declaration *declared;
  const quad_snapshot *snapshot;
  vec_terms terms;
  base_arena arena;
  uint64_t mark; /* vectors numbered up to it are in the graph */
  atom_id last;
  bool last_counts;
} counting;

/* Is the object a vector of the index? */
static quoin_status
is_vector(bool *out, counting *c, atom_id object, quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  atom_kind kind = atom_id_kind(object);
  *out = false;
  if (kind != ATOM_VECTOR && kind != ATOM_TYPED) return QUOIN_OK;
  base_arena_reset(&c->arena);
  quoin_status st = vec_of_id(&values, &dimension, c->snapshot, &c->terms, object, &c->arena, err);
  *out = !st && values && dimension == c->declared->dimension;
  return st;
}

static quoin_status
count_row(counting *c, atom_id object, quoin_error *err)
{
  quoin_status st;
  c->to->statements++;
  if (!atom_id_equal(object, c->last)) {
    if ((st = is_vector(&c->last_counts, c, object, err))) return st;
    c->last = object;
    c->to->vectors += c->last_counts;
    if (c->last_counts &&
        (atom_id_kind(object) != ATOM_VECTOR || atom_id_payload(object) > c->mark))
      c->to->unlinked++;
  }
  c->to->others += !c->last_counts;
  return QUOIN_OK;
}

/* Before the quads are counted: its nodes, its mark, and the late vectors that it does not have. */
static uint64_t
look_at_graph(hnsw_stats *graph, uint64_t *mark, bool *damaged, const quad_snapshot *snapshot,
              const vec_declaration *declared)
{
  uint64_t entered;
  vec_index *index = vec_index_enter(&entered, snapshot, declared);
  *damaged = vec_index_is_damaged(snapshot, declared);
  if (!index) return 0;
  uint64_t done = atomic_load(&index->late.done), late = atomic_load(&index->late.count);
  *mark = atomic_load_explicit(&index->mark, memory_order_acquire);
  hnsw_stats_quick(graph, index->graph);
  vec_index_leave(snapshot, entered);
  return late > done ? late - done : 0;
}

quoin_status
vec_index_count(vec_counts *out, const quad_snapshot *snapshot, const vec_declaration *declared,
                base_cancel *cancel, quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  const quad match = {.term = {[QUAD_P] = declared->predicate}};
  counting c = {
      .to = out, .declared = declared, .snapshot = snapshot, .terms = vec_store_terms(snapshot)};
  quad_scan *scan = NULL;
  quad_batch rows;
  hnsw_stats graph = {0};
  bool damaged;
  uint64_t late = look_at_graph(&graph, &c.mark, &damaged, snapshot, declared);
  *out = (vec_counts){0};
  base_arena_init(&c.arena, vec_index_alloc(snapshot));
  quoin_status st = vec_quads_open(&scan, snapshot, &any, &match, err);
  while (!st && !(st = quad_scan_next(&rows, scan, err))) {
    if (cancel) st = base_cancel_check(cancel, err);
    for (size_t i = 0; !st && i < rows.rows; i++)
      st = count_row(&c, rows.column[QUAD_O][i], err);
  }
  quad_scan_close(scan);
  base_arena_clear(&c.arena);
  if (st != QUOIN_DONE) return st;
  out->unlinked += late;
  if (out->unlinked > out->vectors) out->unlinked = out->vectors;
  out->linked = out->vectors - out->unlinked;
  out->removed = graph.deleted + (graph.live > out->linked ? graph.live - out->linked : 0);
  out->bytes = graph.memory_bytes;
  out->file_bytes = graph.file_bytes;
  out->damaged = damaged;
  out->missing = vec_index_is_missing(snapshot, declared);
  return QUOIN_OK;
}
