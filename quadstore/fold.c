/* quadstore/fold.c - runs in memory: made of changes, merged as they come, so that a version has
 * few.
 *
 * A commit of a few quads is the common one, so it makes one run: its changes and the newest runs
 * that they are to be merged with at once, in one allocation. The changes are put at the end of the
 * columns, and each older run is merged with what is at the end, forward, into the place before it:
 * what is written never overtakes what is still to be read. */
#include "quadstore/changes.h"

#include <assert.h>

#include "base/poison.h"

/* What a commit merges by itself: under a millisecond. More is for the executor. */
enum { COMMIT_BYTES = 1 << 20 };
/* Up to so many entries a run is copied by each commit that adds to it: dearer than merging by
 * halves if copying were all, but it is one allocation and an insertion. */
enum { TINY = 32 };

/* ---- merging sections ----------------------------------------------------------------------- */

/* Rows at .. at + n of `of`. */
typedef struct rows {
  const quad_section *of;
  size_t at, n;
} rows;

static inline __attribute__((always_inline)) void
copy_row(quad_section *to, size_t i, const quad_section *from, size_t j, const unsigned keys)
{
  for (unsigned k = 0; k < keys; k++)
    to->col[k][i] = from->col[k][j];
  if (to->dead) to->dead[i] = from->dead ? from->dead[j] : 0;
}

/* `from` may be `to`. */
static void
copy_rows(quad_section *to, size_t i, const quad_section *from, size_t j, size_t n)
{
  if (!n) return;
  for (unsigned k = 0; k < to->keys; k++)
    memmove(to->col[k] + i, from->col[k] + j, 8 * n);
  if (!to->dead) return;
  if (from->dead)
    memmove(to->dead + i, from->dead + j, n);
  else
    memset(to->dead + i, 0, n);
}

static inline __attribute__((always_inline)) int
compare_rows(const quad_section *a, size_t i, const quad_section *b, size_t j, const unsigned keys)
{
  for (unsigned k = 0; k < keys; k++) {
    uint64_t x = a->col[k][i], y = b->col[k][j];
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

/* Few rows into many: the place of each is sought, what lies between is copied at once. */
static inline __attribute__((always_inline)) size_t
insert_rows(quad_section *to, size_t n, rows a, rows b, const unsigned keys)
{
  size_t i = a.at, j = b.at, a_end = a.at + a.n, b_end = b.at + b.n;

  while (j < b_end) {
    size_t lo = i, hi, step = 1;
    while (lo + step < a_end && compare_rows(a.of, lo + step - 1, b.of, j, keys) < 0) {
      lo += step;
      step *= 2;
    }
    hi = lo + step < a_end ? lo + step : a_end;
    while (lo < hi) {
      size_t mid = lo + (hi - lo) / 2;
      if (compare_rows(a.of, mid, b.of, j, keys) < 0)
        lo = mid + 1;
      else
        hi = mid;
    }
    copy_rows(to, n, a.of, i, lo - i);
    n += lo - i;
    i = lo;
    if (i < a_end && compare_rows(a.of, i, b.of, j, keys) == 0) { /* these two cancel out */
      i++;
      j++;
    } else {
      copy_row(to, n++, b.of, j++, keys);
    }
  }
  copy_rows(to, n, a.of, i, a_end - i);
  return n + (a_end - i);
}

static inline __attribute__((always_inline)) size_t
zip_rows(quad_section *to, size_t n, rows a, rows b, const unsigned keys)
{
  size_t i = a.at, j = b.at, a_end = a.at + a.n, b_end = b.at + b.n;

  while (i < a_end && j < b_end) {
    int order = compare_rows(a.of, i, b.of, j, keys);
    if (order < 0) {
      copy_row(to, n++, a.of, i++, keys);
    } else if (order > 0) {
      copy_row(to, n++, b.of, j++, keys);
    } else { /* the entries of a quad alternate: these two cancel out */
      i++;
      j++;
    }
  }
  copy_rows(to, n, a.of, i, a_end - i);
  n += a_end - i;
  copy_rows(to, n, b.of, j, b_end - j);
  return n + (b_end - j);
}

/* The older rows `a` and the newer rows `b`, which may lie at the end of `to`, into `to` from row
 * `at` on; how many rows there are then. */
static size_t
merge_rows(quad_section *to, size_t at, rows a, rows b)
{
  enum { FEW = 8 };
  bool few = a.n / FEW > b.n;
  size_t end;

  if (to->keys == 3)
    end = few ? insert_rows(to, at, a, b, 3) : zip_rows(to, at, a, b, 3);
  else
    end = few ? insert_rows(to, at, a, b, 4) : zip_rows(to, at, a, b, 4);
  return end - at;
}

/* ---- making runs ---------------------------------------------------------------------------- */

/* What a run is made of: older runs, and changes as one run behind them. */
typedef struct parts {
  quad_run *const *runs;
  size_t n;
  quad_changes *changes; /* NULL: none */
} parts;

/* The records as columns from row `at` on, in the sequence of `order`. */
static void
fill_rows(quad_section *sec, size_t at, unsigned order, const quad_records *r)
{
  const uint8_t *keys = quad_order_keys[order];

  for (unsigned k = 0; k < r->keys; k++) {
    const uint64_t *from = r->data + keys[k];
    uint64_t *to = sec->col[k] + at;
    for (size_t i = 0; i < r->n; i++)
      to[i] = from[i * r->stride];
  }
  for (size_t i = 0; sec->dead && i < r->n; i++)
    sec->dead[at + i] = (uint8_t)r->data[i * r->stride + r->keys];
}

static void
make_section(quad_memory *m, unsigned part, unsigned order, const parts *p)
{
  quad_section *sec = quad_memory_begin(m, part, order);
  rows newer = {sec, m->room[part], 0};
  size_t i = p->n;

  if (p->changes && p->changes->part[part].n) {
    newer.n = p->changes->part[part].n;
    newer.at -= newer.n;
    fill_rows(sec, newer.at, order, &p->changes->part[part]);
  }
  while (i-- > 0) {
    const quad_section *from = &p->runs[i]->section[part][order];
    size_t at;
    if (!from->entries) continue;
    if (!newer.n && i) { /* the newest stays where it is until it is merged */
      newer = (rows){from, 0, (size_t)from->entries};
      continue;
    }
    at = (newer.of == sec ? newer.at : m->room[part] - newer.n) - (size_t)from->entries;
    newer.n = merge_rows(sec, at, (rows){from, 0, (size_t)from->entries}, newer);
    newer.of = sec;
    newer.at = at;
  }
  if (newer.of != sec) {
    copy_rows(sec, 0, newer.of, newer.at, newer.n);
    newer.at = 0;
  }
  if (newer.at) copy_rows(sec, 0, sec, newer.at, newer.n); /* runs cancelled out before it */
  sec->entries = newer.n;
  quad_memory_end(sec);
}

/* Net counts of records that are sorted by predicate into `out` unless NULL; of how many. */
static size_t
count_records(quad_predicate_count *out, const quad_records *r, unsigned part)
{
  size_t n = 0;

  for (size_t i = 0; i < r->n; i++) {
    const uint64_t *rec = r->data + i * r->stride;
    bool first = !i || rec[QUAD_P] != rec[QUAD_P - (ptrdiff_t)r->stride];
    n += first;
    if (!out) continue;
    if (first) out[n - 1] = (quad_predicate_count){.predicate = {rec[QUAD_P]}};
    out[n - 1].triples[part] += rec[r->keys] ? UINT64_MAX : 1;
  }
  return n;
}

/* Sorted lists of counts to be added up; the first are those of the changes. */
typedef struct tallies {
  const quad_predicate_count *list[QUAD_PARTS + QUAD_MEMORY_RUNS];
  size_t length[QUAD_PARTS + QUAD_MEMORY_RUNS], n;
  quad_predicate_count *own[QUAD_PARTS];
} tallies;

/* Their sums, without zeroes, into `out` unless NULL; how many. */
static size_t
add_tallies(quad_predicate_count *out, const tallies *t)
{
  size_t at[QUAD_PARTS + QUAD_MEMORY_RUNS] = {0}, n = 0;

  for (;;) {
    quad_predicate_count sum = {.predicate = {UINT64_MAX}};
    bool any = false;
    for (size_t i = 0; i < t->n; i++)
      if (at[i] < t->length[i] && t->list[i][at[i]].predicate.bits <= sum.predicate.bits) {
        sum.predicate = t->list[i][at[i]].predicate;
        any = true;
      }
    if (!any) return n;
    for (size_t i = 0; i < t->n; i++) {
      if (at[i] == t->length[i]) continue; /* a list of none has no address */
      const quad_predicate_count *c = &t->list[i][at[i]];
      if (c->predicate.bits != sum.predicate.bits) continue;
      sum.triples[0] += c->triples[0];
      sum.triples[1] += c->triples[1];
      at[i]++;
    }
    if (!sum.triples[0] && !sum.triples[1]) continue;
    if (out) out[n] = sum;
    n++;
  }
}

static void
free_tallies(tallies *t, const base_alloc *mem)
{
  for (unsigned part = 0; part < QUAD_PARTS; part++)
    base_release(mem, t->own[part], t->length[part], sizeof(quad_predicate_count));
}

/* How records come from one order to the next: a stable sort by `n` positions. */
typedef struct chain_step {
  uint8_t order, n, by[2];
} chain_step;
static const chain_step chain[QUAD_ORDERS] = {
    {QUAD_SPO, 0, {0}},       {QUAD_PSO, 1, {QUAD_P}},          {QUAD_OPS, 1, {QUAD_O}},
    {QUAD_SOP, 1, {QUAD_S}},  {QUAD_OSP, 1, {QUAD_O}},          {QUAD_POS, 1, {QUAD_P}},
    {QUAD_GPOS, 1, {QUAD_G}}, {QUAD_GSPO, 2, {QUAD_G, QUAD_S}}, {QUAD_GOSP, 2, {QUAD_G, QUAD_O}}};

static bool
is_wanted(uint32_t orders, unsigned part, unsigned order)
{
  return orders >> order & 1 && (part == QUAD_PART_NAMED || order < QUAD_GSPO);
}

/* How far the chain is followed: at least to the second, by predicate, where they are counted. */
static unsigned
last_step(uint32_t orders, unsigned part)
{
  unsigned last = 1;

  for (unsigned i = last; i < QUAD_ORDERS; i++)
    if (is_wanted(orders, part, chain[i].order)) last = i;
  return last;
}

static quoin_status
make_part(quad_memory *m, tallies *t, unsigned part, uint32_t orders, const parts *p,
          const base_alloc *mem, quoin_error *err)
{
  quad_records *r = p->changes && p->changes->part[part].n ? &p->changes->part[part] : NULL;
  unsigned last = last_step(orders, part);
  quoin_status st;

  if (r) quad_records_survey(r);
  for (unsigned i = 0; m->room[part] && i <= last; i++) {
    const chain_step *c = &chain[i];
    if (r && r->n > 1 && c->n && (st = quad_records_sort(r, c->by, c->n, mem, err))) return st;
    if (r && i == 1) {
      t->length[part] = count_records(NULL, r, part);
      if (!(t->own[part] = base_new(mem, t->length[part], sizeof *t->own[part]))) {
        t->length[part] = 0;
        return base_fail_nomem(err);
      }
      (void)count_records(t->own[part], r, part);
      t->list[part] = t->own[part];
    }
    if (is_wanted(orders, part, c->order)) make_section(m, part, c->order, p);
  }
  return QUOIN_OK;
}

/* Whether there are tombstones; how many entries in each partition. */
static bool
survey(size_t entries[QUAD_PARTS], const parts *p)
{
  bool tombstones = false;

  for (unsigned part = 0; part < QUAD_PARTS; part++) {
    const quad_records *r = p->changes ? &p->changes->part[part] : NULL;
    entries[part] = r ? r->n : 0;
    for (size_t i = 0; i < entries[part] && !tombstones; i++)
      tombstones = r->data[i * r->stride + r->keys] != 0;
    for (size_t i = 0; i < p->n; i++)
      entries[part] += (size_t)p->runs[i]->section[part][QUAD_SPO].entries;
  }
  for (size_t i = 0; i < p->n; i++)
    tombstones |= p->runs[i]->tombstones != 0;
  return tombstones;
}

quoin_status
quad_run_make(quad_run **out, quad_run *const *runs, size_t n, quad_changes *changes,
              uint32_t orders, const base_alloc *mem, quoin_error *err)
{
  const parts p = {runs, n, changes};
  size_t entries[QUAD_PARTS], sums;
  quad_memory m;
  tallies t = {.n = QUAD_PARTS};
  quad_predicate_count *counts = NULL;
  bool tombstones = survey(entries, &p);
  quoin_status st;

  assert(n <= QUAD_MEMORY_RUNS);
  *out = NULL;
  if ((st = quad_memory_init(&m, orders, entries, tombstones, mem, err))) return st;
  for (unsigned part = 0; part < QUAD_PARTS && !st; part++)
    st = make_part(&m, &t, part, orders, &p, mem, err);
  for (size_t i = 0; i < n; i++) {
    t.list[t.n] = runs[i]->predicates;
    t.length[t.n++] = runs[i]->n_predicates;
  }
  sums = st ? 0 : add_tallies(NULL, &t);
  if (sums && !(counts = base_new(mem, sums, sizeof *counts))) st = base_fail_nomem(err);
  if (!st) {
    (void)add_tallies(counts, &t);
    *out = quad_memory_finish(&m, counts, sums);
    if (!(*out)->entries) {
      quad_run_release(*out);
      *out = NULL;
    }
  }
  free_tallies(&t, mem);
  quad_memory_clear(&m);
  return st;
}

/* ---- versions ------------------------------------------------------------------------------- */

/* Geometric: sizes halve from old to new at least, so an entry is copied O(log) times. */
static bool
belong_together(uint64_t older, uint64_t newer)
{
  return older <= 2 * newer || older + newer <= TINY;
}

/* Which of the runs from `from` on is cheapest to merge with the one after it. That is not the
 * newest, which grows by the commits to come and would be copied by each of them. */
static size_t
cheapest(const quad_version *v, size_t from)
{
  size_t best = from;

  for (size_t i = from + 1; i + 2 < v->n_runs; i++)
    if (v->runs[i]->bytes + v->runs[i + 1]->bytes < v->runs[best]->bytes + v->runs[best + 1]->bytes)
      best = i;
  return best;
}

/* Put runs i and i + 1 together. */
static quoin_status
fold_at(quad_version *v, size_t i, const base_alloc *mem, quoin_error *err)
{
  quad_run *both;
  quoin_status st = quad_run_make(&both, v->runs + i, 2, NULL, v->orders, mem, err);

  if (st) return st;
  quad_run_release(v->runs[i]);
  quad_run_release(v->runs[i + 1]);
  if (both) v->runs[i++] = both;
  v->n_runs -= both ? 1 : 2;
  for (; i < v->n_runs; i++)
    v->runs[i] = v->runs[i + 1 + !both];
  return QUOIN_OK;
}

uint64_t
quad_changes_bytes(const quad_changes *c, uint32_t orders)
{
  unsigned all = (unsigned)__builtin_popcount(orders);
  unsigned triples = (unsigned)__builtin_popcount(orders & ((1u << QUAD_GSPO) - 1));

  return (uint64_t)c->part[0].n * 24 * triples + (uint64_t)c->part[1].n * 32 * all;
}

size_t
quad_version_fixed(const quad_version *v)
{
  size_t fixed = quad_version_disk(v) + v->frozen;

  for (size_t i = v->n_runs; i > fixed; i--)
    if (v->runs[i - 1]->disk) return i;
  return fixed;
}

quoin_status
quad_version_add_changes(quad_version **out, const quad_version *base, quad_changes *changes,
                         const base_alloc *mem, quoin_error *err)
{
  size_t fixed = quad_version_fixed(base), kept = base->n_runs;
  uint64_t entries = quad_changes_count(changes), bytes = quad_changes_bytes(changes, base->orders);
  quad_run *run;
  quad_version *v;
  quoin_status st;

  *out = NULL;
  while (kept > fixed && base->n_runs - kept < QUAD_MEMORY_RUNS &&
         belong_together(base->runs[kept - 1]->entries, entries) &&
         base->runs[kept - 1]->bytes + bytes <= COMMIT_BYTES) {
    entries += base->runs[--kept]->entries;
    bytes += base->runs[kept]->bytes;
  }
  if ((st = quad_version_like(&v, base, kept + 1, mem, err))) return st;
  for (size_t i = 0; i < kept; i++)
    quad_version_push(v, base->runs[i]);
  st = quad_run_make(&run, base->runs + kept, base->n_runs - kept, changes, v->orders, mem, err);
  if (!st && run) v->runs[v->n_runs++] = run;
  while (!st && v->n_runs - fixed > QUAD_MEMORY_RUNS / 2) /* the executor is behind */
    st = fold_at(v, cheapest(v, fixed), mem, err);
  if (!st)
    *out = v;
  else
    quad_version_release(v);
  return st;
}

size_t
quad_version_foldable(const quad_version *v)
{
  size_t fixed = quad_version_disk(v) + v->frozen;

  for (size_t i = v->n_runs; i-- > fixed + 1;)
    if (belong_together(v->runs[i - 1]->entries, v->runs[i]->entries) &&
        v->runs[i - 1]->bytes + v->runs[i]->bytes > COMMIT_BYTES)
      return i - 1;
  return SIZE_MAX;
}
