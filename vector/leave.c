/* vector/leave.c - vectors whose last quad went leave the graphs.
 *
 * Commits note what lost a quad; the thread that links looks whether it has another in its
 * snapshot, and takes out what has none (docs/adrs/0028-removal.md). */
#include "vector/index.h"

#include <stdlib.h>

#include "base/poison.h"

/* One node in so many is taken out at once: until then it costs little. */
enum { GONE_SHARE = 20 };

/* Lists mended before the lock is given up. */
enum { SWEEP_PIECE = 2048 };

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
  vec_index_forgets(index, version);
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

quoin_status
vec_take_out(vec_indexes *ix, vec_index *index, const quad_snapshot *snapshot, quoin_error *err)
{
  size_t n_gone, n, n_late = 0, cap_late = 0, least = hnsw_count(index->graph) / GONE_SHARE;
  uint32_t *numbers = NULL;
  vec_gone *gone, *late = NULL;
  uint64_t since = UINT64_MAX, version = quad_snapshot_version(snapshot);
  if (atomic_load(&ix->settling) || !least) least = 1;
  quoin_status st = vec_gone_take(&gone, &n_gone, ix, index, least, version, err);
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

quoin_status
vec_sweep(vec_indexes *ix, vec_index *index, quoin_error *err)
{
  base_cancel cancel = {.flag = &ix->cancelled};
  quoin_status st = QUOIN_OK;
  for (bool done = false; !st && !done && vec_goes_on(ix, index);) {
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
