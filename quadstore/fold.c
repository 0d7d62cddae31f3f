/* quadstore/fold.c - memory runs merge as they come, so that a version has few. */
#include "quadstore/store.h"

#include "base/poison.h"

/* What a commit merges by itself: under a millisecond. More is for the executor. */
enum { COMMIT_BYTES = 1 << 20 };

/* Row j of `from` to row i of `to`. */
static inline __attribute__((always_inline)) void
copy_row(quad_section *to, size_t i, const quad_section *from, size_t j, const unsigned keys)
{
  for (unsigned k = 0; k < keys; k++)
    to->col[k][i] = from->col[k][j];
  if (to->dead) to->dead[i] = from->dead ? from->dead[j] : 0;
}

static void
copy_rows(quad_section *to, size_t i, const quad_section *from, size_t j, size_t n)
{
  if (!n) return; /* an empty section has no columns */
  for (unsigned k = 0; k < to->keys; k++)
    memcpy(to->col[k] + i, from->col[k] + j, 8 * n);
  if (!to->dead) return;
  if (from->dead)
    memcpy(to->dead + i, from->dead + j, n);
  else
    memset(to->dead + i, 0, n);
}

static inline __attribute__((always_inline)) void
merge_rows(quad_section *to, const quad_section *a, const quad_section *b, const unsigned keys)
{
  size_t i = 0, j = 0, n = 0, na = (size_t)a->entries, nb = (size_t)b->entries;

  while (i < na && j < nb) {
    int order = 0;
    for (unsigned k = 0; k < keys; k++) {
      uint64_t x = a->col[k][i], y = b->col[k][j];
      if (x == y) continue;
      order = x < y ? -1 : 1;
      break;
    }
    if (order < 0) {
      copy_row(to, n++, a, i++, keys);
    } else if (order > 0) {
      copy_row(to, n++, b, j++, keys);
    } else { /* the entries of a quad alternate: these two cancel out */
      i++;
      j++;
    }
  }
  copy_rows(to, n, a, i, na - i);
  n += na - i;
  copy_rows(to, n, b, j, nb - j);
  to->entries = n + nb - j;
}

static void
merge_section(quad_memory *m, const quad_run *a, const quad_run *b, unsigned part, unsigned order)
{
  const quad_section *x = &a->section[part][order], *y = &b->section[part][order];
  quad_section *to;

  if (!x->entries && !y->entries) return;
  to = quad_memory_begin(m, part, order);
  if (part == QUAD_PART_DEFAULT)
    merge_rows(to, x, y, 3);
  else
    merge_rows(to, x, y, 4);
  for (size_t i = 0; to->dead && i < to->entries; i++)
    to->tombstones += to->dead[i];
  quad_memory_end(m);
}

/* Sums of two sorted lists, without zeroes, into `out` when it is not NULL; how many. */
static size_t
add_counts(quad_predicate_count *out, const quad_run *a, const quad_run *b)
{
  size_t i = 0, j = 0, n = 0;

  while (i < a->n_predicates || j < b->n_predicates) {
    const quad_predicate_count *x = i < a->n_predicates ? &a->predicates[i] : NULL;
    const quad_predicate_count *y = j < b->n_predicates ? &b->predicates[j] : NULL;
    quad_predicate_count sum;
    if (x && y && x->predicate.bits == y->predicate.bits) {
      sum = *x;
      sum.triples[0] += y->triples[0];
      sum.triples[1] += y->triples[1];
      i++;
      j++;
    } else if (!y || (x && x->predicate.bits < y->predicate.bits)) {
      sum = *x;
      i++;
    } else {
      sum = *y;
      j++;
    }
    if (!sum.triples[0] && !sum.triples[1]) continue;
    if (out) out[n] = sum;
    n++;
  }
  return n;
}

quoin_status
quad_run_fold(quad_run **out, const quad_run *a, const quad_run *b, const base_alloc *mem,
              quoin_error *err)
{
  uint64_t entries[QUAD_PARTS];
  size_t n = add_counts(NULL, a, b);
  quad_predicate_count *counts = NULL;
  quad_memory *m;
  quad_run *run;
  quoin_status st;

  *out = NULL;
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    entries[part] = a->section[part][QUAD_SPO].entries + b->section[part][QUAD_SPO].entries;
  if (n && !(counts = base_new(mem, n, sizeof *counts))) return base_fail_nomem(err);
  (void)add_counts(counts, a, b);
  st = quad_memory_new(&m, a->orders, entries, a->tombstones || b->tombstones, mem, err);
  if (st) {
    base_release(mem, counts, n, sizeof *counts);
    return st;
  }
  quad_memory_predicates(m, counts, n);
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    for (unsigned order = 0; order < QUAD_ORDERS; order++)
      if ((a->orders >> order & 1) && (part == QUAD_PART_NAMED || order < QUAD_GSPO))
        merge_section(m, a, b, part, order);
  if ((st = quad_memory_finish(&run, m, err))) return st;
  if (run->entries)
    *out = run;
  else
    quad_run_release(run);
  return QUOIN_OK;
}

/* Put runs i and i + 1 together. */
static quoin_status
fold_at(quad_version *v, size_t i, const base_alloc *mem, quoin_error *err)
{
  quad_run *both;
  quoin_status st = quad_run_fold(&both, v->runs[i], v->runs[i + 1], mem, err);

  if (st) return st;
  quad_run_release(v->runs[i]);
  quad_run_release(v->runs[i + 1]);
  if (both) v->runs[i++] = both;
  v->n_runs -= both ? 1 : 2;
  for (; i < v->n_runs; i++)
    v->runs[i] = v->runs[i + 1 + !both];
  return QUOIN_OK;
}

/* Geometric: sizes halve from old to new at least, so an entry is copied O(log) times. */
static bool
belong_together(const quad_run *a, const quad_run *b)
{
  return a->entries <= 2 * b->entries;
}

/* Which of the runs from `from` on is cheapest to merge with the one after it. */
static size_t
cheapest(const quad_version *v, size_t from)
{
  size_t best = from;

  for (size_t i = from + 1; i + 1 < v->n_runs; i++)
    if (v->runs[i]->bytes + v->runs[i + 1]->bytes < v->runs[best]->bytes + v->runs[best + 1]->bytes)
      best = i;
  return best;
}

quoin_status
quad_version_add_memory(quad_version **out, const quad_version *base, quad_run *run,
                        const base_alloc *mem, quoin_error *err)
{
  quad_version *v;
  size_t fixed = quad_version_disk(base) + base->frozen;
  quoin_status st = quad_version_like(&v, base, base->n_runs + 1, mem, err);

  *out = NULL;
  if (st) return st;
  for (size_t i = 0; i < base->n_runs; i++)
    quad_version_push(v, base->runs[i]);
  quad_version_push(v, run);
  while (v->n_runs - fixed > 1) {
    size_t last = v->n_runs - 2;
    const quad_run *a = v->runs[last], *b = v->runs[last + 1];
    bool few = v->n_runs - fixed <= QUAD_MEMORY_RUNS / 2;
    if (belong_together(a, b) && a->bytes + b->bytes <= COMMIT_BYTES)
      st = fold_at(v, last, mem, err);
    else if (!few) /* the executor is behind */
      st = fold_at(v, cheapest(v, fixed), mem, err);
    else
      break;
    if (st) {
      quad_version_release(v);
      return st;
    }
  }
  *out = v;
  return QUOIN_OK;
}

size_t
quad_version_foldable(const quad_version *v)
{
  size_t fixed = quad_version_disk(v) + v->frozen;

  for (size_t i = v->n_runs; i-- > fixed + 1;)
    if (belong_together(v->runs[i - 1], v->runs[i]) &&
        v->runs[i - 1]->bytes + v->runs[i]->bytes > COMMIT_BYTES)
      return i - 1;
  return SIZE_MAX;
}
