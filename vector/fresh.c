/* vector/fresh.c - codes of vectors that wait to be linked.
 *
 * They are scanned by every search until the graph has them. The first search that meets many of
 * them begins with their codes, the next makes those that are still missing, and from then on a
 * search reads the codes alone, one behind the other, and asks the quads of the few that are near
 * enough (unlinked.c). When nothing waits any more the thread that links lets go of all codes;
 * searches that hold them go on. Their room is small at first, since little waits while inserts
 * come more slowly than they are linked, and larger each time when most of it waits.
 *
 * That all have codes is known as it is of the graph's mark: atoms are numbered in the order of
 * commits, and what becomes a vector of the predicate with a number from before came late. So who
 * has read the quads up to the last number of a snapshot has met all of them but those that were
 * removed before its version: older snapshots look at the quads. */
#include "vector/index.h"

#include "base/poison.h"

enum { LEAST_ROOM = 1024, MORE_ROOM = 4, FRESH_MOST = 128 << 20 /* bytes of codes */ };

static void
release(vec_fresh *f)
{
  const base_alloc *mem = f->mem;
  if (atomic_fetch_sub(&f->holders, 1) > 1) return;
  base_sparse_clear(&f->places, mem);
  base_release(mem, f->space, f->bytes, 1);
  base_release(mem, f, 1, sizeof(*f));
}

static size_t
stride_of(const vec_index *index)
{
  const vec_declaration *d = &index->declared;
  return ((size_t)vec_code_bytes(d->code, d->dimension) + 8 + 63) / 64 * 64;
}

/* Codes there may be at most. */
static uint64_t
most_room(const vec_index *index)
{
  uint64_t room = index->fresh_most > LEAST_ROOM ? index->fresh_most : LEAST_ROOM;
  uint64_t bound = FRESH_MOST / (stride_of(index) + 8);
  return room < bound ? room : bound;
}

static vec_fresh *
fresh_new(const vec_index *index, const base_alloc *mem)
{
  size_t stride = stride_of(index);
  uint64_t most = most_room(index);
  uint64_t room = index->fresh_room > LEAST_ROOM ? index->fresh_room : LEAST_ROOM;
  if (room > most) room = most;
  size_t codes = (size_t)room * stride, bytes = codes + (size_t)room * sizeof(uint64_t) + 64;
  vec_fresh *f = base_new_zero(mem, 1, sizeof(*f));
  if (!f) return NULL;
  if (!(f->space = base_new(mem, bytes, 1))) {
    base_release(mem, f, 1, sizeof(*f));
    return NULL;
  }
  f->mem = mem;
  f->bytes = bytes;
  f->stride = stride;
  f->room = room;
  f->codes = f->space + (64 - (uintptr_t)f->space % 64) % 64;
  f->numbers = (_Atomic(uint64_t) *)(void *)(f->codes + codes);
  for (uint64_t i = 0; i < room; i++)
    atomic_init(&f->numbers[i], 0);
  f->holders = 1; /* the index */
  f->verify = UINT64_MAX;
  return f;
}

vec_fresh *
vec_fresh_enter(vec_index *index, bool make)
{
  base_mutex_lock(&index->fresh_lock);
  if (!index->fresh && make) index->fresh = fresh_new(index, index->parsed.mem);
  vec_fresh *f = index->fresh;
  if (f) atomic_fetch_add(&f->holders, 1);
  base_mutex_unlock(&index->fresh_lock);
  return f;
}

void
vec_fresh_leave(vec_fresh *f)
{
  if (f) release(f);
}

/* Of these codes, or of whatever there is (`only` NULL). */
static void
drop(vec_index *index, const vec_fresh *only, uint64_t room)
{
  base_mutex_lock(&index->fresh_lock);
  vec_fresh *f = index->fresh;
  if (only && f != only) f = NULL;
  if (f) index->fresh = NULL;
  if (f || !only) index->fresh_room = room;
  base_mutex_unlock(&index->fresh_lock);
  if (f) release(f);
}

void
vec_fresh_drop(vec_index *index)
{
  drop(index, NULL, 0);
}

bool
vec_fresh_find(uint32_t *place, const vec_fresh *f, uint64_t number)
{
  _Atomic(uint64_t) *word = base_sparse_find(&f->places, number);
  /* Acquire: pairs with the release in vec_fresh_add. */
  uint64_t known = word ? atomic_load_explicit(word, memory_order_acquire) : 0;
  if (known) *place = (uint32_t)(known - 1);
  return known > 0;
}

bool
vec_fresh_add(vec_fresh *f, uint64_t number, const vec_declaration *d, const float *values)
{
  if (atomic_load(&f->count) >= f->room) return false;
  _Atomic(uint64_t) *word = base_sparse_make(&f->places, number, f->mem);
  uint64_t place = word ? atomic_fetch_add(&f->count, 1) : f->room;
  if (place >= f->room) return false;
  vec_code_encode(f->codes + place * f->stride, d->code, d->metric, values, d->dimension);
  /* Release: pairs with the acquire of whoever reads codes by place, and in vec_fresh_find. Two
   * searches may do it at once: both places are right. */
  atomic_store_explicit(&f->numbers[place], number, memory_order_release);
  atomic_store_explicit(word, place + 1, memory_order_release);
  return true;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

/* What a search knows before it makes codes. */
typedef struct cover {
  uint64_t verify, version;
  bool sure; /* the index has all of the snapshot, and nothing newer was counted yet */
  uint64_t from;
} cover;

/* False: the codes say nothing about the snapshot, nor would making more of them. */
static bool
cover_begin(cover *out, const vec_fresh *f, vec_index *index, const quad_snapshot *snapshot,
            uint64_t mark)
{
  *out = (cover){.verify = atomic_load(&index->verify_wanted), /* before the index is asked */
                 .version = quad_snapshot_version(snapshot),
                 .from = mark};
  if (!vec_index_has_all(index, snapshot)) return false;
  /* A process that only reads is not told of what comes late: an older version is not enough. */
  if (index->read_only && out->version < atomic_load(&index->completed)) return false;
  base_mutex_lock(&index->fresh_lock);
  bool same = f->verify == out->verify;
  bool before = same && f->upto > mark && (out->version < f->horizon || mark < f->low);
  if (same && f->upto > mark) out->from = f->upto;
  base_mutex_unlock(&index->fresh_lock);
  return !before;
}

/* All of the snapshot from c->from to `upto` have codes now. */
static void
cover_note(const cover *c, vec_fresh *f, vec_index *index, uint64_t upto)
{
  uint64_t removed = atomic_load(&index->removed);
  base_mutex_lock(&index->fresh_lock);
  if (f->verify != c->verify) { /* before, nothing was said, or of what a load has changed */
    if (f->verify == UINT64_MAX || f->verify < c->verify) {
      f->verify = c->verify;
      f->horizon = c->version;
      f->low = c->from;
      f->upto = upto;
    }
  } else if (upto > f->upto) {
    if (removed > c->version) removed = c->version;
    if (removed > f->horizon) f->horizon = removed;
    if (c->from > f->upto) f->low = c->from; /* what lies between has been linked */
    f->upto = upto;
  }
  base_mutex_unlock(&index->fresh_lock);
}

/* There is no room. When most of it is taken by what was linked since, codes begin anew; else with
 * more room, up to the most. */
static void
give_room(vec_fresh *f, vec_index *index, uint64_t mark)
{
  uint64_t waiting = 0;
  if (atomic_load(&f->count) < f->room) return;
  for (uint64_t i = 0; i < f->room; i++)
    waiting += atomic_load_explicit(&f->numbers[i], memory_order_relaxed) > mark;
  if (waiting < f->room / 2)
    drop(index, f, f->room);
  else if (f->room < most_room(index))
    drop(index, f, MORE_ROOM * f->room);
}

/* Has a code, or gets one. Any other vector of the predicate is none of the index. */
static quoin_status
make_code(bool *full, vec_fresh *f, const vec_index *index, uint64_t number, quoin_error *err)
{
  const vec_declaration *d = &index->declared;
  const float *values;
  uint32_t place, dimension;
  *full = false;
  if (vec_fresh_find(&place, f, number)) return QUOIN_OK;
  quoin_status st =
      atom_vector(&values, &dimension, index->atoms, atom_id_make(ATOM_VECTOR, number), err);
  if (!st && dimension == d->dimension) *full = !vec_fresh_add(f, number, d, values);
  return st;
}

quoin_status
vec_fresh_cover(uint64_t *upto, vec_fresh *f, vec_index *index, const quad_snapshot *snapshot,
                uint64_t mark, base_cancel *cancel, quoin_error *err)
{
  const vec_graphs any = {.scope = QUAD_ANY};
  uint64_t high = quad_snapshot_atom_mark(snapshot);
  cover c;
  quad_scan *scan = NULL;
  quad_batch rows;
  bool full = false;
  *upto = mark;
  if (!cover_begin(&c, f, index, snapshot, mark)) return QUOIN_OK;
  uint64_t last = c.from;
  quoin_status st = QUOIN_OK;
  if (c.from < high)
    st = vec_range_open(&scan, snapshot, &any, index->declared.predicate, ATOM_VECTOR, c.from + 1,
                        high, err);
  while (scan && !st && !full && !(st = quad_scan_next(&rows, scan, err))) {
    if (cancel && (st = base_cancel_check(cancel, err))) break;
    for (size_t i = 0; !st && !full && i < rows.rows; i++) {
      uint64_t number = atom_id_payload(rows.column[QUAD_O][i]);
      if (number == last) continue;
      if (!(st = make_code(&full, f, index, number, err)) && !full) last = number;
    }
  }
  quad_scan_close(scan);
  if (st == QUOIN_DONE) {
    last = high;
    st = QUOIN_OK;
  }
  if (st) return st;
  if (full) give_room(f, index, mark);
  if (last > c.from) cover_note(&c, f, index, last);
  *upto = last;
  return QUOIN_OK;
}
