/* vector/link.c - the thread that links vectors into the graphs.
 *
 * It works from snapshots: what is gone, what the predicate's run has above the mark, then what
 * came late, in pieces, so that a checkpoint waits for one piece at most. What came late is linked
 * after what was gone is taken out: a vector may be both. */
#include "vector/index.h"

#include <stdlib.h>

#include "base/poison.h"

enum {
  LINK_PIECE = 64,        /* vectors linked before searches and a checkpoint learn of it */
  LINK_FEW = 256,         /* where more wait than that, all threads link them, in larger pieces: */
  LINK_MANY = 4096,       /* at most of so many */
  AGAIN_NS = 50 * 1000000 /* until it is tried again: memory was short, something is still used */
};

/* ---- linking ----------------------------------------------------------------------------------
 */

struct vec_piece {
  hnsw_item item[LINK_MANY];
  size_t n;
  uint64_t last; /* every vector numbered up to here has been seen */
};

vec_piece *
vec_piece_new(const base_alloc *mem)
{
  return base_new(mem, 1, sizeof(vec_piece));
}

void
vec_piece_free(vec_piece *piece, const base_alloc *mem)
{
  base_release(mem, piece, 1, sizeof(*piece));
}

/* *out: a vector of the index's dimension that has a direction, where that matters. One that cannot
 * be read, or numbered, fails: no mark may pass over it. */
static quoin_status
is_node(bool *out, const vec_index *index, uint64_t number, quoin_error *err)
{
  const float *values;
  uint32_t dimension;
  *out = false;
  if (number >= UINT32_MAX)
    return base_fail(err, QUOIN_ERR_LIMIT, "a graph has vectors numbered below 2^32 - 1");
  quoin_status st =
      atom_vector(&values, &dimension, index->atoms, atom_id_make(ATOM_VECTOR, number), err);
  *out = !st && dimension == index->declared.dimension &&
         (index->declared.metric != VEC_COSINE || !vec_is_zero(values, dimension));
  return st;
}

/* The next vectors of the predicate above `from`, `room` at most. */
static quoin_status
gather(vec_piece *p, size_t room, const vec_index *index, const quad_snapshot *snapshot,
       uint64_t from, quoin_error *err)
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
      bool node;
      if (number == p->last) continue;
      if ((st = is_node(&node, index, number, err))) goto done;
      p->last = number;
      if (node) p->item[p->n++] = (hnsw_item){rows.column[QUAD_O][i].bits, (uint32_t)number};
    }
  if (st == QUOIN_DONE || (!st && !scan)) {
    if (p->last < high) p->last = high;
    st = QUOIN_OK;
  }

done:
  quad_scan_close(scan);
  return st;
}

/* With what counts as linked then, if anything: under the lock, or a checkpoint between the two
 * would save the nodes without it, and find nothing more to save. */
static quoin_status
link_piece(vec_indexes *ix, vec_index *index, const vec_piece *p, _Atomic uint64_t *upto,
           uint64_t value, quoin_error *err)
{
  const hnsw_vectors vectors = vec_index_vectors(index);
  base_cancel cancel = {.flag = &ix->cancelled};
  uint64_t linked = atomic_load(&index->linked);
  if (!p->n) {
    if (upto) atomic_store_explicit(upto, value, memory_order_release);
    return QUOIN_OK;
  }
  base_mutex_lock(&ix->graphs);
  uint64_t begun = base_clock_ns(); /* without the wait for a checkpoint */
  quoin_status st = hnsw_build(index->graph, p->item, p->n, p->n > LINK_FEW ? ix->threads : 1,
                               &vectors, &cancel, &index->linked, err);
  index->unsaved = true;
  /* Pairs with the acquire of searches: what the mark covers is in the graph. */
  if (!st && upto) atomic_store_explicit(upto, value, memory_order_release);
  double pace = (double)(base_clock_ns() - begun) / (double)p->n;
  base_mutex_unlock(&ix->graphs);
  if (!st) atomic_store(&index->linked, linked + p->n); /* with those that were there */
  atomic_store(&ix->pace, (atomic_load(&ix->pace) + pace) / 2);
  return st;
}

bool
vec_goes_on(vec_indexes *ix, const vec_index *index)
{
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  bool there = false;
  for (size_t i = 0; set && !there && i < set->n; i++)
    there = set->index[i] == index;
  return there && !vec_stopping(ix);
}

/* What lies above the mark. */
static quoin_status
link_fresh(vec_indexes *ix, vec_index *index, vec_piece *p, const quad_snapshot *snapshot,
           quoin_error *err)
{
  size_t room = LINK_PIECE;
  quoin_status st = QUOIN_OK;
  uint64_t high = quad_snapshot_atom_mark(snapshot), version = quad_snapshot_version(snapshot);
  uint64_t from = atomic_load(&index->mark);
  /* The mark passes over what went before it was linked, and earlier versions have. Of what went
   * before the graph began nothing is noted, nor of what a load brings: it is being published, or
   * was meanwhile. */
  bool untold = !from || atomic_load(&index->loading) || atomic_load(&index->unsure) ||
                atomic_load(&index->verify_wanted) != atomic_load(&index->verified);
  if (from < high && (untold || vec_gone_above(ix, index, from, version)))
    vec_index_forgets(index, version);
  for (uint64_t mark = from; !st && mark < high && vec_goes_on(ix, index);) {
    vec_burst_wait(ix);
    if (vec_burst_goes_on(&ix->burst, base_clock_ns())) room = LINK_PIECE;
    if ((st = gather(p, room, index, snapshot, mark, err))) break;
    if ((st = link_piece(ix, index, p, &index->mark, p->last, err))) break;
    room = vec_index_waiting(index) > LINK_FEW ? LINK_MANY : LINK_PIECE;
    mark = p->last;
  }
  if (!st && vec_goes_on(ix, index)) vec_fresh_drop(index);
  return st;
}

/* Vectors from below the mark: those that came late, and after an unclean start or a load all that
 * are not there. */
static quoin_status
link_late(vec_indexes *ix, vec_index *index, vec_piece *p, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  uint64_t count = atomic_load_explicit(&index->late.count, memory_order_acquire);
  for (uint64_t at = atomic_load(&index->late.done); !st && at < count && vec_goes_on(ix, index);) {
    for (p->n = 0; at < count && p->n < LINK_PIECE; at++) {
      uint32_t number = vec_late_get(&index->late, at);
      bool node;
      if ((st = is_node(&node, index, number, err))) return st;
      if (node) p->item[p->n++] = (hnsw_item){atom_id_make(ATOM_VECTOR, number).bits, number};
    }
    st = link_piece(ix, index, p, &index->late.done, at, err);
  }
  return st;
}

/* ---- after an unclean start, or a load ---------------------------------------------------------
 */

/* Nodes that no quad of the snapshot was found for may leave. `late`: as many had come late before
 * it was taken; what came after them may be there again. */
static quoin_status
note_strays(vec_indexes *ix, vec_index *index, const vec_bitmap *found, uint64_t version,
            uint64_t late, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (uint32_t slot = 0; !st && slot < found->bits; slot++) {
    uint64_t key;
    uint32_t row;
    bool live;
    if (vec_bitmap_has(found, slot)) continue;
    st = hnsw_node(&key, &row, &live, index->graph, slot, err);
    if (!st && live) st = vec_gone_add(ix, index, row, version, late, err);
  }
  return st;
}

/* Vectors below the mark that have no node get one, and nodes without a quad are noted. */
static quoin_status
verify(vec_indexes *ix, vec_index *index, vec_piece *p, const quad_snapshot *snapshot,
       uint64_t late, quoin_error *err)
{
  uint64_t mark = atomic_load(&index->mark), from = 0;
  vec_bitmap found;
  vec_index_forgets(index, quad_snapshot_version(snapshot)); /* what is missing, and gone by now */
  quoin_status st = vec_bitmap_init(&found, hnsw_slots(index->graph), ix->mem, err);
  for (; !st && from < mark && vec_goes_on(ix, index); from = p->last) {
    if ((st = gather(p, LINK_MANY, index, snapshot, from, err))) break;
    size_t n = 0;
    for (size_t i = 0; !st && i < p->n; i++) {
      uint32_t slot;
      st = hnsw_find(&slot, index->graph, p->item[i].row, err);
      if (!st && slot == HNSW_NONE)
        p->item[n++] = p->item[i];
      else if (!st && slot < found.bits)
        vec_bitmap_add(&found, slot);
    }
    p->n = n;
    if (!st) st = link_piece(ix, index, p, NULL, 0, err);
  }
  if (!st && from >= mark)
    st = note_strays(ix, index, &found, quad_snapshot_version(snapshot), late, err);
  vec_bitmap_clear(&found);
  return st;
}

static int
by_number(const void *x, const void *y)
{
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return a < b ? -1 : a > b;
}

/* The numbers of what came late, ascending; allocated from ix->mem. */
static quoin_status
late_list(uint32_t **out, size_t *n, vec_indexes *ix, const vec_index *index, quoin_error *err)
{
  uint64_t end = atomic_load_explicit(&index->late.count, memory_order_acquire);
  *out = NULL;
  *n = 0;
  if (!end) return QUOIN_OK;
  if (!(*out = base_new(ix->mem, (size_t)end, sizeof(**out)))) return base_fail_nomem(err);
  while (*n < end) {
    (*out)[*n] = vec_late_get(&index->late, *n);
    ++*n;
  }
  qsort(*out, *n, sizeof(**out), by_number);
  return QUOIN_OK;
}

quoin_status
vec_index_complete(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot,
                   quoin_error *err)
{
  uint64_t wanted = atomic_load(&index->verify_wanted), mark = atomic_load(&index->mark);
  if (atomic_load(&index->verified) == wanted)
    atomic_store(&index->completed, quad_snapshot_version(snapshot));
  if (atomic_load(&index->verified) == wanted || !(quad_snapshot_orders(snapshot) >> QUAD_POS & 1))
    return QUOIN_OK;
  uint32_t *late = NULL;
  size_t n_late = 0;
  vec_piece *p = base_new(ix->mem, 1, sizeof(*p));
  quoin_status st = p ? late_list(&late, &n_late, ix, index, err) : base_fail_nomem(err);
  for (uint64_t from = 0; !st && from < mark; from = p->last) {
    st = gather(p, LINK_MANY, index, snapshot, from, err);
    for (size_t i = 0; !st && i < p->n && p->item[i].row <= mark; i++) {
      uint32_t slot, number = p->item[i].row;
      st = hnsw_find(&slot, index->graph, number, err);
      if (st || slot != HNSW_NONE) continue;
      if (n_late && bsearch(&number, late, n_late, sizeof(*late), by_number)) continue;
      if (!vec_late_add(&index->late, number, ix->mem)) st = base_fail_nomem(err);
    }
  }
  base_release(ix->mem, late, n_late, sizeof(*late));
  base_release(ix->mem, p, 1, sizeof(*p));
  if (!st) atomic_store(&index->completed, quad_snapshot_version(snapshot));
  if (!st) atomic_store(&index->verified, wanted);
  return st;
}

/* ---- the thread --------------------------------------------------------------------------------
 */

/* Of an index, before a snapshot is taken, which has all of that. */
typedef struct state {
  uint64_t added, verify_wanted, late;
} state;

static quoin_status
link_index(vec_indexes *ix, vec_index *index, vec_piece *p, const quad_snapshot *snapshot,
           const state *before, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  atomic_store(&index->link_most, before->added);
  if (atomic_load(&index->verified) != before->verify_wanted) {
    st = verify(ix, index, p, snapshot, before->late, err);
    if (!st && vec_goes_on(ix, index)) atomic_store(&index->verified, before->verify_wanted);
  }
  uint64_t late = atomic_load(&index->late.done);
  if (!st) st = vec_take_out(ix, index, snapshot, err);
  /* Before anything is linked: deleted nodes are on the way to neighbours, and none themselves. */
  if (!st) st = vec_sweep(ix, index, err);
  if (!st) st = link_fresh(ix, index, p, snapshot, err);
  if (!st) st = link_late(ix, index, p, err);
  /* What went after it had come back waited for that. */
  if (!st && atomic_load(&index->late.done) != late) st = vec_take_out(ix, index, snapshot, err);
  /* Of what was added by then nothing waits: it counted quads, of which several may share one
   * vector. */
  if (!st && !vec_stopping(ix)) atomic_store(&index->linked, before->added);
  if (!st) st = vec_sweep(ix, index, err);
  if (!st && !vec_stopping(ix)) vec_gone_tidied(ix, index, quad_snapshot_version(snapshot));
  return st;
}

/* With the set entered. False: memory was short. */
static bool
link_set(vec_indexes *ix, const vec_index_set *set, vec_piece *p)
{
  quad_snapshot *snapshot = NULL;
  bool enough = true;
  state *before = base_new(ix->mem, set->n, sizeof(*before));
  if (!before) return false;
  for (size_t i = 0; i < set->n; i++)
    before[i] = (state){.added = atomic_load(&set->index[i]->published),
                        .verify_wanted = atomic_load(&set->index[i]->verify_wanted),
                        .late = atomic_load(&set->index[i]->late.published)};
  if (quad_snapshot_acquire(&snapshot, ix->store, NULL)) {
    base_release(ix->mem, before, set->n, sizeof(*before));
    return false;
  }
  /* Before anything of it is in a graph: a checkpoint that has that says so. */
  atomic_store(&ix->seen, quad_snapshot_version(snapshot));
  bool sorted = quad_snapshot_orders(snapshot) >> QUAD_POS & 1;
  for (size_t i = 0; sorted && i < set->n && !vec_stopping(ix); i++) {
    vec_index *index = set->index[i];
    quoin_error err = QUOIN_ERROR_INIT;
    if (!vec_index_is_of(index, snapshot) || atomic_load(&index->broken)) continue;
    quoin_status st = link_index(ix, index, p, snapshot, &before[i], &err);
    if (st == QUOIN_ERR_NOMEM) enough = false;
    /* Its vectors are quads: searches go on without the graph. */
    if (st && st != QUOIN_ERR_CANCELLED && st != QUOIN_ERR_NOMEM)
      vec_index_give_up(ix, index, &err);
  }
  quad_snapshot_release(snapshot);
  base_release(ix->mem, before, set->n, sizeof(*before));
  return enough;
}

static bool
link_all(vec_indexes *ix, vec_piece *p)
{
  bool enough = vec_set_renew(ix);
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  if (set && set->n) enough &= link_set(ix, set, p);
  vec_epoch_leave(&ix->users, entered);
  return enough;
}

void *
vec_link_thread(void *indexes)
{
  vec_indexes *ix = indexes;
  bool retired = false, again = false;
  base_mutex_lock(&ix->signal);
  while (!ix->stop) {
    if (!ix->due && !retired && !again) {
      base_cond_wait(&ix->work, &ix->signal);
      continue;
    }
    if (!ix->due) (void)base_cond_wait_until(&ix->work, &ix->signal, base_clock_ns() + AGAIN_NS);
    bool due = ix->due || again;
    ix->due = false;
    base_mutex_unlock(&ix->signal);
    if (due) again = !link_all(ix, ix->piece);
    retired = vec_retired_settle(ix);
    base_mutex_lock(&ix->signal);
    base_cond_broadcast(&ix->rested);
  }
  base_mutex_unlock(&ix->signal);
  return NULL;
}
