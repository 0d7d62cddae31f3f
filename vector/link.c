/* vector/link.c - the thread that links vectors into the graphs, and the section of the manifest
 * that names the graphs.
 *
 * It works from snapshots: what the predicate's run has above the mark, then what came late, in
 * pieces, so that a checkpoint waits for one piece at most. */
#include "vector/index.h"

#include <stdlib.h>

#include "base/poison.h"

enum {
  LINK_PIECE = 256, /* vectors linked before the lock is given up: a tenth of a second */
  LINK_MANY = 4096, /* so many that wait are linked by all threads, in larger pieces */
  SECTION_HEAD = 32,
  SECTION_ENTRY = 72,
  SECTION_FORMAT = 1
};

/* ---- linking ----------------------------------------------------------------------------------
 */

typedef struct piece {
  hnsw_item item[LINK_MANY];
  size_t n;
  uint64_t last; /* every vector numbered up to here has been seen */
} piece;

static bool
stopping(vec_indexes *ix)
{
  return atomic_load_explicit(&ix->cancelled, memory_order_relaxed) != 0;
}

/* A vector of the index's dimension that has a direction, where that matters. */
static bool
is_node(const vec_index *index, uint64_t number)
{
  const float *values;
  uint32_t dimension;
  if (number >= UINT32_MAX ||
      atom_vector(&values, &dimension, index->atoms, atom_id_make(ATOM_VECTOR, number), NULL))
    return false;
  return dimension == index->declared.dimension &&
         (index->declared.metric != VEC_COSINE || !vec_is_zero(values, dimension));
}

/* The next vectors of the predicate above `from`, `room` at most. */
static quoin_status
gather(piece *p, size_t room, const vec_index *index, const quad_snapshot *snapshot, uint64_t from,
       quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  uint64_t high = quad_snapshot_atom_mark(snapshot);
  quad_scan *scan = NULL;
  quad_batch rows;
  quoin_status st = QUOIN_OK;
  p->n = 0;
  p->last = from;
  if (from < high)
    st = vec_range_open(&scan, snapshot, &any, index->declared.predicate, ATOM_VECTOR, from + 1,
                        high, err);
  while (scan && !st && p->n < room && !(st = quad_scan_next(&rows, scan, err)))
    for (size_t i = 0; i < rows.rows && p->n < room; i++) {
      uint64_t number = atom_id_payload(rows.column[QUAD_O][i]);
      if (number == p->last) continue;
      p->last = number;
      if (is_node(index, number))
        p->item[p->n++] = (hnsw_item){rows.column[QUAD_O][i].bits, (uint32_t)number};
    }
  quad_scan_close(scan);
  if (st == QUOIN_DONE || !scan) {
    if (p->last < high) p->last = high;
    st = QUOIN_OK;
  }
  return st;
}

static quoin_status
link_piece(vec_indexes *ix, vec_index *index, const piece *p, quoin_error *err)
{
  const hnsw_vectors vectors = vec_index_vectors(index);
  base_cancel cancel = {.flag = &ix->cancelled};
  uint64_t begun = base_clock_ns();
  if (!p->n) return QUOIN_OK;
  base_mutex_lock(&ix->graphs);
  quoin_status st = hnsw_build(index->graph, p->item, p->n, p->n > LINK_PIECE ? 0 : 1, &vectors,
                               &cancel, NULL, err);
  index->unsaved = true;
  base_mutex_unlock(&ix->graphs);
  double pace = (double)(base_clock_ns() - begun) / (double)p->n;
  atomic_store(&ix->pace, (atomic_load(&ix->pace) + pace) / 2);
  return st;
}

/* What lies above the mark. */
static quoin_status
link_fresh(vec_indexes *ix, vec_index *index, piece *p, const quad_snapshot *snapshot,
           quoin_error *err)
{
  size_t room = LINK_PIECE;
  quoin_status st = QUOIN_OK;
  uint64_t high = quad_snapshot_atom_mark(snapshot);
  for (uint64_t mark = atomic_load(&index->mark); !st && mark < high && !stopping(ix);) {
    if ((st = gather(p, room, index, snapshot, mark, err))) break;
    st = link_piece(ix, index, p, err);
    if (st) break;
    room = p->n == room ? LINK_MANY : LINK_PIECE;
    mark = p->last;
    /* Pairs with the acquire of searches: what the mark covers is in the graph. */
    atomic_store_explicit(&index->mark, mark, memory_order_release);
    atomic_fetch_add(&index->linked, p->n);
  }
  return st;
}

/* Vectors from below the mark: those that came late, and after an unclean start or a load all that
 * are not there. */
static quoin_status
link_late(vec_indexes *ix, vec_index *index, piece *p, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t count = atomic_load_explicit(&index->late.count, memory_order_acquire);
  for (uint64_t at = atomic_load(&index->late.done); !st && at < count && !stopping(ix);) {
    for (p->n = 0; at < count && p->n < LINK_PIECE; at++) {
      uint32_t number = vec_late_get(&index->late, at);
      if (is_node(index, number))
        p->item[p->n++] = (hnsw_item){atom_id_make(ATOM_VECTOR, number).bits, number};
    }
    st = link_piece(ix, index, p, err);
    if (!st) atomic_store_explicit(&index->late.done, at, memory_order_release);
    if (!st) atomic_fetch_add(&index->linked, p->n);
  }
  return st;
}

static quoin_status
verify(vec_indexes *ix, vec_index *index, piece *p, const quad_snapshot *snapshot, quoin_error *err)
{
  uint64_t mark = atomic_load(&index->mark);
  quoin_status st = QUOIN_OK;
  for (uint64_t from = 0; !st && from < mark && !stopping(ix); from = p->last) {
    if ((st = gather(p, LINK_MANY, index, snapshot, from, err))) break;
    size_t n = 0;
    for (size_t i = 0; !st && i < p->n; i++) {
      uint32_t slot;
      st = hnsw_find(&slot, index->graph, p->item[i].row, err);
      if (!st && slot == HNSW_NONE) p->item[n++] = p->item[i];
    }
    p->n = n;
    if (!st) st = link_piece(ix, index, p, err);
  }
  return st;
}

static quoin_status
sweep(vec_indexes *ix, vec_index *index, quoin_error *err)
{
  base_cancel cancel = {.flag = &ix->cancelled};
  quoin_status st = QUOIN_OK;
  base_mutex_lock(&ix->graphs);
  if (hnsw_sweep_due(index->graph)) {
    st = hnsw_sweep(index->graph, &cancel, err);
    index->unsaved = true;
  }
  base_mutex_unlock(&ix->graphs);
  return st;
}

static void
link_all(vec_indexes *ix, piece *p)
{
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  quad_snapshot *snapshot = NULL;
  if (!set || !set->n || quad_snapshot_acquire(&snapshot, ix->store, NULL)) return;
  bool sorted = quad_snapshot_orders(snapshot) >> QUAD_POS & 1;
  for (size_t i = 0; sorted && i < set->n && !stopping(ix); i++) {
    vec_index *index = set->index[i];
    quoin_error err = QUOIN_ERROR_INIT;
    quoin_status st = QUOIN_OK;
    if (!vec_index_is_of(index, snapshot) || atomic_load(&index->broken)) continue;
    if (index->verify && !(st = verify(ix, index, p, snapshot, &err))) index->verify = stopping(ix);
    if (!st) st = link_fresh(ix, index, p, snapshot, &err);
    if (!st) st = link_late(ix, index, p, &err);
    if (!st) st = sweep(ix, index, &err);
    /* Its vectors are quads: searches go on without the graph, which is made anew at the next
     * open. */
    if (st && st != QUOIN_ERR_CANCELLED && st != QUOIN_ERR_NOMEM)
      atomic_store(&index->broken, true);
  }
  quad_snapshot_release(snapshot);
}

void *
vec_link_thread(void *indexes)
{
  vec_indexes *ix = indexes;
  piece *p = base_new(ix->mem, 1, sizeof(*p));
  base_mutex_lock(&ix->signal);
  while (!ix->stop && p) {
    if (!ix->due) {
      base_cond_wait(&ix->work, &ix->signal);
      continue;
    }
    ix->due = false;
    base_mutex_unlock(&ix->signal);
    link_all(ix, p);
    base_mutex_lock(&ix->signal);
    base_cond_broadcast(&ix->rested);
  }
  base_mutex_unlock(&ix->signal);
  base_release(ix->mem, p, 1, sizeof(*p));
  return NULL;
}

/* ---- the section of the manifest --------------------------------------------------------------
 */

quoin_status
vec_section_write(base_buffer *out, vec_indexes *ix, uint64_t version, quoin_error *err)
{
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  quoin_status st = QUOIN_OK;
  base_buffer_text(out, "QUOINVEC");
  base_buffer_u32(out, SECTION_FORMAT);
  base_buffer_u32(out, set ? (uint32_t)set->n : 0);
  base_buffer_u64(out, version);
  base_buffer_u64(out, ix->next_id);
  for (size_t i = 0; !st && set && i < set->n; i++) {
    vec_index *index = set->index[i];
    const vec_declaration *d = &index->declared;
    /* The mark before the graph: what it covers is in what is saved. */
    uint64_t mark = atomic_load(&index->mark);
    hnsw_root root = index->root;
    if (atomic_load(&index->broken))
      mark = 0, root = (hnsw_root){0};
    else
      st = hnsw_checkpoint(&root, index->graph, quad_store_dir(ix->store), err);
    if (st) break;
    index->root = root;
    index->unsaved = false;
    bool late = atomic_load(&index->late.done) < atomic_load(&index->late.count) || index->verify;
    base_buffer_u64(out, d->predicate.bits);
    base_buffer_u32(out, d->dimension);
    base_buffer_u32(out, (uint32_t)d->metric | (uint32_t)d->code << 8 | (late ? 1u << 16 : 0));
    base_buffer_u32(out, d->m);
    base_buffer_u32(out, d->ef_construction);
    base_buffer_u64(out, index->id);
    base_buffer_u64(out, mark);
    base_buffer_u64(out, root.generation);
    base_buffer_u64(out, root.offset);
    base_buffer_u64(out, root.length);
    base_buffer_u64(out, root.checksum);
  }
  return st;
}

static bool
is_section(quoin_span s)
{
  return s.len >= SECTION_HEAD && memcmp(s.ptr, "QUOINVEC", 8) == 0 &&
         base_load_u32(s.ptr + 8) == SECTION_FORMAT &&
         (s.len - SECTION_HEAD) / SECTION_ENTRY == base_load_u32(s.ptr + 12);
}

uint64_t
vec_section_next_id(quoin_span section)
{
  return is_section(section) ? base_load_u64(section.ptr + 24) : 1;
}

/* Does the entry name a graph of what is declared, over these atoms? */
static bool
entry_fits(const char *at, const vec_declaration *d, uint64_t terms)
{
  uint32_t bits = base_load_u32(at + 12);
  return base_load_u64(at) == d->predicate.bits && base_load_u32(at + 8) == d->dimension &&
         (bits & 0xFF) == (uint32_t)d->metric && (bits >> 8 & 0xFF) == (uint32_t)d->code &&
         base_load_u32(at + 16) == d->m && base_load_u32(at + 20) == d->ef_construction &&
         base_load_u64(at + 32) <= terms && base_load_u64(at + 40);
}

quoin_status
vec_section_open(vec_index *index, vec_indexes *ix, quoin_span section,
                 const quad_snapshot *snapshot, quoin_error *err)
{
  const vec_declaration *d = &index->declared;
  const hnsw_options options = {.dims = d->dimension,
                                .metric = d->metric,
                                .code = d->code,
                                .m = d->m,
                                .ef_construction = d->ef_construction};
  if (!is_section(section)) return QUOIN_OK;
  bool clean = base_load_u64(section.ptr + 16) == quad_snapshot_version(snapshot);
  for (uint32_t i = 0; i < base_load_u32(section.ptr + 12); i++) {
    const char *at = section.ptr + SECTION_HEAD + (size_t)i * SECTION_ENTRY;
    if (!entry_fits(at, d, quad_snapshot_atom_mark(snapshot))) continue;
    const hnsw_root root = {base_load_u64(at + 40), base_load_u64(at + 48), base_load_u64(at + 56),
                            base_load_u64(at + 64)};
    index->id = base_load_u64(at + 24);
    quoin_status st = hnsw_open(&index->graph, quad_store_dir(ix->store), index->id, &root,
                                &options, ix->mem, err);
    if (st) return st;
    index->root = root;
    atomic_store(&index->mark, base_load_u64(at + 32));
    index->verify = !clean || (base_load_u32(at + 12) >> 16 & 1);
    return QUOIN_OK;
  }
  return QUOIN_OK;
}
