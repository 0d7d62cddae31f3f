/* vector/link.c - the thread that links vectors into the graphs, and the section of the manifest
 * that names the graphs.
 *
 * It works from snapshots: what is gone, what the predicate's run has above the mark, then what
 * came late, in pieces, so that a checkpoint waits for one piece at most. What came late is linked
 * after what was gone is taken out: a vector may be both. */
#include "vector/index.h"

#include <stdlib.h>

#include "base/poison.h"

enum {
  LINK_PIECE = 256, /* vectors linked before the lock is given up: a tenth of a second */
  LINK_MANY = 4096, /* so many that wait are linked by all threads, in larger pieces */
  GONE_SHARE =
      20, /* of the nodes, one in so many is taken out at once: until then it costs little */
  SWEEP_PIECE = 2048,      /* lists mended before the lock is given up */
  AGAIN_NS = 50 * 1000000, /* until it is tried again: memory was short, something is still used */
  SECTION_HEAD = 32,
  SECTION_ENTRY = 72,
  SECTION_FORMAT = 1
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
      if (number == p->last) continue;
      p->last = number;
      if (is_node(index, number))
        p->item[p->n++] = (hnsw_item){rows.column[QUAD_O][i].bits, (uint32_t)number};
    }
  quad_scan_close(scan);
  if (st == QUOIN_DONE || (!st && !scan)) {
    if (p->last < high) p->last = high;
    st = QUOIN_OK;
  }
  return st;
}

static quoin_status
link_piece(vec_indexes *ix, vec_index *index, const vec_piece *p, quoin_error *err)
{
  const hnsw_vectors vectors = vec_index_vectors(index);
  base_cancel cancel = {.flag = &ix->cancelled};
  uint64_t begun = base_clock_ns(), linked = atomic_load(&index->linked);
  if (!p->n) return QUOIN_OK;
  base_mutex_lock(&ix->graphs);
  quoin_status st = hnsw_build(index->graph, p->item, p->n, p->n > LINK_PIECE ? 0 : 1, &vectors,
                               &cancel, &index->linked, err);
  index->unsaved = true;
  base_mutex_unlock(&ix->graphs);
  if (!st) atomic_store(&index->linked, linked + p->n); /* with those that were there */
  double pace = (double)(base_clock_ns() - begun) / (double)p->n;
  atomic_store(&ix->pace, (atomic_load(&ix->pace) + pace) / 2);
  return st;
}

/* What lies above the mark. */
static quoin_status
link_fresh(vec_indexes *ix, vec_index *index, vec_piece *p, const quad_snapshot *snapshot,
           quoin_error *err)
{
  size_t room = LINK_PIECE;
  quoin_status st = QUOIN_OK;
  uint64_t high = quad_snapshot_atom_mark(snapshot);
  for (uint64_t mark = atomic_load(&index->mark); !st && mark < high && !stopping(ix);) {
    vec_burst_wait(ix);
    if (vec_burst_goes_on(&ix->burst, base_clock_ns())) room = LINK_PIECE;
    if ((st = gather(p, room, index, snapshot, mark, err))) break;
    st = link_piece(ix, index, p, err);
    if (st) break;
    room = p->n == room ? LINK_MANY : LINK_PIECE;
    mark = p->last;
    /* Pairs with the acquire of searches: what the mark covers is in the graph. */
    atomic_store_explicit(&index->mark, mark, memory_order_release);
  }
  if (!st && !stopping(ix)) vec_fresh_drop(index);
  return st;
}

/* Vectors from below the mark: those that came late, and after an unclean start or a load all that
 * are not there. */
static quoin_status
link_late(vec_indexes *ix, vec_index *index, vec_piece *p, quoin_error *err)
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
  }
  return st;
}

/* ---- taking out --------------------------------------------------------------------------------
 */

static int
by_number(const void *x, const void *y)
{
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return a < b ? -1 : a > b;
}

/* The numbers of what came late from `from` on, ascending; allocated from ix->mem. */
static quoin_status
late_list(uint32_t **out, size_t *n, vec_indexes *ix, const vec_index *index, uint64_t from,
          quoin_error *err)
{
  uint64_t end = atomic_load_explicit(&index->late.count, memory_order_acquire);
  *out = NULL;
  *n = 0;
  if (from >= end) return QUOIN_OK;
  if (!(*out = base_new(ix->mem, (size_t)(end - from), sizeof(**out)))) return base_fail_nomem(err);
  for (; from < end; from++)
    (*out)[(*n)++] = vec_late_get(&index->late, from);
  qsort(*out, *n, sizeof(**out), by_number);
  return QUOIN_OK;
}

static int
by_gone_number(const void *x, const void *y)
{
  const vec_gone *a = x, *b = y;
  return a->number < b->number ? -1 : a->number > b->number;
}

static int
by_gone(const void *x, const void *y)
{
  const vec_gone *a = x, *b = y;
  int order = by_gone_number(x, y);
  return order ? order : a->late < b->late ? -1 : a->late > b->late;
}

/* What came late from `from` on, by number, each with its last place in `late`; allocated from
 * ix->mem, of *cap. */
static quoin_status
late_places(vec_gone **out, size_t *n, size_t *cap, vec_indexes *ix, const vec_index *index,
            uint64_t from, quoin_error *err)
{
  uint64_t end = atomic_load_explicit(&index->late.count, memory_order_acquire);
  *out = NULL;
  *n = *cap = 0;
  if (from >= end) return QUOIN_OK;
  if (!(*out = base_new(ix->mem, (size_t)(end - from), sizeof(**out)))) return base_fail_nomem(err);
  size_t all = 0;
  *cap = (size_t)(end - from);
  for (; from < end; from++)
    (*out)[all++] = (vec_gone){.late = from, .number = vec_late_get(&index->late, from)};
  qsort(*out, all, sizeof(**out), by_gone);
  for (size_t i = 0; i < all; i++)
    if (i + 1 == all || (*out)[i + 1].number != (*out)[i].number) (*out)[(*n)++] = (*out)[i];
  return QUOIN_OK;
}

/* Keep of the numbers those that no quad of the predicate names in the snapshot, and that did not
 * come back since. */
static quoin_status
keep_gone(uint32_t *numbers, size_t *n, const vec_gone *gone, const vec_index *index,
          const quad_snapshot *snapshot, const vec_gone *late, size_t n_late, quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  quad_scan *scan = NULL;
  quad_batch rows;
  quoin_status st = QUOIN_OK;
  size_t kept = 0;
  for (size_t i = 0; !st && i < *n; i++) {
    /* of several notes the last counts: what came late after an earlier one may be gone again */
    if (i + 1 < *n && gone[i + 1].number == gone[i].number) continue;
    const vec_gone *came =
        n_late ? bsearch(&gone[i], late, n_late, sizeof(*late), by_gone_number) : NULL;
    if (came && came->late >= gone[i].late) continue;
    quad_pattern pattern = {.scope = QUAD_ANY};
    pattern.match.term[QUAD_P] = index->declared.predicate;
    pattern.match.term[QUAD_O] = atom_id_make(ATOM_VECTOR, gone[i].number);
    st = scan ? quad_scan_rebind(scan, &pattern, err)
              : vec_quads_open(&scan, snapshot, &any, &pattern.match, err);
    if (!st) st = quad_scan_next(&rows, scan, err);
    if (st == QUOIN_DONE) numbers[kept++] = gone[i].number;
    if (st == QUOIN_DONE) st = QUOIN_OK;
  }
  quad_scan_close(scan);
  *n = kept;
  return st;
}

static quoin_status
delete_all(vec_indexes *ix, vec_index *index, const uint32_t *numbers, size_t n, uint64_t version,
           quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  /* Before the first of them goes: a search of an earlier version then looks at the quads. */
  atomic_store(&index->horizon, version);
  base_mutex_lock(&ix->graphs);
  for (size_t i = 0; !st && i < n; i++) {
    uint32_t slot;
    st = hnsw_find(&slot, index->graph, numbers[i], err);
    if (!st && slot != HNSW_NONE) st = hnsw_delete(index->graph, numbers[i], err);
  }
  index->unsaved = true;
  base_mutex_unlock(&ix->graphs);
  return st;
}

/* Nodes whose last quad went, once there are enough of them. */
static quoin_status
take_out(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot, quoin_error *err)
{
  size_t n_gone, n, n_late = 0, cap_late = 0, least = hnsw_count(index->graph) / GONE_SHARE;
  uint32_t *numbers = NULL;
  vec_gone *gone, *late = NULL;
  uint64_t since = UINT64_MAX, version = quad_snapshot_version(snapshot);
  quoin_status st = vec_gone_take(&gone, &n_gone, ix, index, least ? least : 1, version, err);
  if (st || !n_gone) return st;
  if (!(numbers = base_new(ix->mem, n_gone, sizeof(*numbers)))) {
    st = base_fail_nomem(err);
    goto done;
  }
  for (n = 0; n < n_gone; n++)
    if (gone[n].late < since) since = gone[n].late;
  qsort(gone, n, sizeof(*gone), by_gone);
  if ((st = late_places(&late, &n_late, &cap_late, ix, index, since, err))) goto done;
  if ((st = keep_gone(numbers, &n, gone, index, snapshot, late, n_late, err))) goto done;
  if (n) st = delete_all(ix, index, numbers, n, version, err);

done:
  if (st) atomic_fetch_add(&index->verify_wanted, 1); /* they are looked for again */
  /* After the deletion: until now what came back was noted as late. */
  atomic_fetch_sub(&index->leaving, n_gone);
  base_release(ix->mem, late, cap_late, sizeof(*late));
  base_release(ix->mem, numbers, n_gone, sizeof(*numbers));
  base_release(ix->mem, gone, n_gone, sizeof(*gone));
  return st;
}

static quoin_status
sweep(vec_indexes *ix, vec_index *index, quoin_error *err)
{
  base_cancel cancel = {.flag = &ix->cancelled};
  quoin_status st = QUOIN_OK;
  for (bool done = false; !st && !done && !stopping(ix);) {
    base_mutex_lock(&ix->graphs);
    done = !hnsw_sweep_due(index->graph);
    if (!done) {
      st = hnsw_sweep_step(&done, index->graph, SWEEP_PIECE, &cancel, err);
      index->unsaved = true;
    }
    base_mutex_unlock(&ix->graphs);
  }
  return st;
}

/* ---- after an unclean start, or a load ---------------------------------------------------------
 */

/* Nodes that no quad of the snapshot was found for may leave. */
static quoin_status
note_strays(vec_indexes *ix, vec_index *index, const vec_bitmap *found, uint64_t version,
            quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  for (uint32_t slot = 0; !st && slot < found->bits; slot++) {
    uint64_t key;
    uint32_t row;
    bool live;
    if (vec_bitmap_has(found, slot)) continue;
    st = hnsw_node(&key, &row, &live, index->graph, slot, err);
    /* late 0: whatever came late since the open may have come after the snapshot */
    if (!st && live) st = vec_gone_add(ix, index, row, version, 0, err);
  }
  return st;
}

/* Vectors below the mark that have no node get one, and nodes without a quad are noted. */
static quoin_status
verify(vec_indexes *ix, vec_index *index, vec_piece *p, const quad_snapshot *snapshot,
       quoin_error *err)
{
  uint64_t mark = atomic_load(&index->mark), from = 0;
  vec_bitmap found;
  quoin_status st = vec_bitmap_init(&found, hnsw_slots(index->graph), ix->mem, err);
  for (; !st && from < mark && !stopping(ix); from = p->last) {
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
    if (!st) st = link_piece(ix, index, p, err);
  }
  if (!st && from >= mark)
    st = note_strays(ix, index, &found, quad_snapshot_version(snapshot), err);
  vec_bitmap_clear(&found);
  return st;
}

quoin_status
vec_index_complete(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot,
                   quoin_error *err)
{
  uint64_t wanted = atomic_load(&index->verify_wanted), mark = atomic_load(&index->mark);
  if (atomic_load(&index->verified) == wanted || !(quad_snapshot_orders(snapshot) >> QUAD_POS & 1))
    return QUOIN_OK;
  uint32_t *late = NULL;
  size_t n_late = 0;
  vec_piece *p = base_new(ix->mem, 1, sizeof(*p));
  quoin_status st = p ? late_list(&late, &n_late, ix, index, 0, err) : base_fail_nomem(err);
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
  if (!st) atomic_store(&index->verified, wanted);
  return st;
}

/* ---- the thread --------------------------------------------------------------------------------
 */

static quoin_status
link_index(vec_indexes *ix, vec_index *index, vec_piece *p, const quad_snapshot *snapshot,
           uint64_t added, uint64_t wanted, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (atomic_load(&index->verified) != wanted) {
    st = verify(ix, index, p, snapshot, err);
    if (!st && !stopping(ix)) atomic_store(&index->verified, wanted);
  }
  if (!st) st = take_out(ix, index, snapshot, err);
  if (!st) st = link_fresh(ix, index, p, snapshot, err);
  if (!st) st = link_late(ix, index, p, err);
  /* Of what was added by then nothing waits: it counted quads, of which several may share one
   * vector. */
  if (!st && !stopping(ix)) atomic_store(&index->linked, added);
  return st ? st : sweep(ix, index, err);
}

/* With the set entered. False: memory was short. */
static bool
link_set(vec_indexes *ix, const vec_index_set *set, vec_piece *p)
{
  quad_snapshot *snapshot = NULL;
  bool enough = true;
  uint64_t(*before)[2] = base_new(ix->mem, set->n, sizeof(*before));
  if (!before) return false;
  for (size_t i = 0; i < set->n; i++) { /* the snapshot has all of that */
    before[i][0] = atomic_load(&set->index[i]->published);
    before[i][1] = atomic_load(&set->index[i]->verify_wanted);
  }
  if (quad_snapshot_acquire(&snapshot, ix->store, NULL)) {
    base_release(ix->mem, before, set->n, sizeof(*before));
    return false;
  }
  bool sorted = quad_snapshot_orders(snapshot) >> QUAD_POS & 1;
  for (size_t i = 0; sorted && i < set->n && !stopping(ix); i++) {
    vec_index *index = set->index[i];
    quoin_error err = QUOIN_ERROR_INIT;
    if (!vec_index_is_of(index, snapshot) || atomic_load(&index->broken)) continue;
    quoin_status st = link_index(ix, index, p, snapshot, before[i][0], before[i][1], &err);
    if (st == QUOIN_ERR_NOMEM) enough = false;
    /* Its vectors are quads: searches go on without the graph, which is made anew at the next
     * open. */
    if (st && st != QUOIN_ERR_CANCELLED && st != QUOIN_ERR_NOMEM)
      atomic_store(&index->broken, true);
  }
  quad_snapshot_release(snapshot);
  base_release(ix->mem, before, set->n, sizeof(*before));
  return enough;
}

static bool
link_all(vec_indexes *ix, vec_piece *p)
{
  bool enough = true;
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  if (set && set->n) enough = link_set(ix, set, p);
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

/* ---- the section of the manifest --------------------------------------------------------------
 */

void
vec_section_head(base_buffer *out, const vec_indexes *ix, size_t n)
{
  base_buffer_text(out, "QUOINVEC");
  base_buffer_u32(out, SECTION_FORMAT);
  base_buffer_u32(out, (uint32_t)n);
  base_buffer_u64(out, ix->saved_version);
  base_buffer_u64(out, ix->next_id);
}

void
vec_section_entry(base_buffer *out, const vec_index *index)
{
  const vec_declaration *d = &index->declared;
  base_buffer_u64(out, d->predicate.bits);
  base_buffer_u32(out, d->dimension);
  base_buffer_u32(out, (uint32_t)d->metric | (uint32_t)d->code << 8 |
                           (index->saved_uncertain ? 1u << 16 : 0));
  base_buffer_u32(out, d->m);
  base_buffer_u32(out, d->ef_construction);
  base_buffer_u64(out, index->id);
  base_buffer_u64(out, index->saved_mark);
  base_buffer_u64(out, index->root.generation);
  base_buffer_u64(out, index->root.offset);
  base_buffer_u64(out, index->root.length);
  base_buffer_u64(out, index->root.checksum);
}

quoin_status
vec_section_write(base_buffer *out, vec_indexes *ix, uint64_t version, quoin_error *err)
{
  uint64_t entered = vec_epoch_enter(&ix->users);
  const vec_index_set *set = atomic_load_explicit(&ix->set, memory_order_acquire);
  quoin_status st = QUOIN_OK;
  uint64_t before = ix->saved_version;
  ix->saved_version = version;
  vec_section_head(out, ix, set ? set->n : 0);
  for (size_t i = 0; !st && set && i < set->n; i++) {
    vec_index *index = set->index[i];
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
    index->saved_mark = mark;
    index->saved_uncertain = atomic_load(&index->late.done) < atomic_load(&index->late.count) ||
                             atomic_load(&index->verified) != atomic_load(&index->verify_wanted) ||
                             atomic_load(&index->leaving);
    vec_section_entry(out, index);
  }
  if (st) ix->saved_version = before; /* not all graphs are of the new one */
  vec_epoch_leave(&ix->users, entered);
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
vec_section_version(quoin_span section)
{
  return is_section(section) ? base_load_u64(section.ptr + 16) : 0;
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
    index->saved_mark = base_load_u64(at + 32);
    index->saved_uncertain = base_load_u32(at + 12) >> 16 & 1;
    atomic_store(&index->mark, index->saved_mark);
    if (!clean || index->saved_uncertain) atomic_store(&index->verify_wanted, 1);
    return QUOIN_OK;
  }
  return QUOIN_OK;
}
