/* quadstore/count.c - exact counts of prefixes from the block index, and estimates. */
#include "quadstore/sample.h"
#include "quadstore/version.h"

#include "base/poison.h"

/* Net count of the entries of `sec` whose first n keys are `key`. */
static quoin_status
count_section(int64_t *out, const quad_section *sec, const uint64_t *key, unsigned n,
              const base_alloc *mem, quoin_error *err)
{
  int64_t all = (int64_t)sec->entries - 2 * (int64_t)sec->tombstones, lo, hi;
  const quad_sample *kept;
  quad_cursor cur;
  uint32_t row;
  quoin_status st;

  *out = 0;
  if (!sec->entries) return QUOIN_OK;
  if (!n) {
    *out = all;
    return QUOIN_OK;
  }
  if ((kept = quad_sample_find(sec, key, n))) {
    *out = kept->count;
    return QUOIN_OK;
  }
  quad_cursor_open(&cur, sec, mem);
  st = quad_cursor_seek(&row, &cur, key, n, false, err);
  if (st) goto done;
  lo = quad_cursor_rank(&cur, row);
  st = quad_cursor_seek(&row, &cur, key, n, true, err);
  if (st < 0) goto done;
  hi = st == QUOIN_DONE ? all : quad_cursor_rank(&cur, row);
  *out = hi - lo;

done:
  quad_cursor_close(&cur);
  return st < 0 ? st : QUOIN_OK;
}

static unsigned
prefix_of(uint64_t key[4], const quad_pattern *pattern, quad_order order, unsigned keys)
{
  unsigned n = 0;

  while (n < keys && pattern->match.term[quad_order_keys[order][n]].bits) {
    key[n] = pattern->match.term[quad_order_keys[order][n]].bits;
    n++;
  }
  return n;
}

static quoin_status
count_by_scan(uint64_t *out, const quad_snapshot *snapshot, const quad_pattern *pattern,
              quoin_error *err)
{
  quad_scan *scan;
  quad_batch batch;
  quoin_status st = quad_scan_open(&scan, snapshot, pattern, QUAD_SPO, 0, err);

  if (st) return st;
  while (!(st = quad_scan_next(&batch, scan, err)))
    *out += batch.rows;
  quad_scan_close(scan);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* Only the predicate is bound: the runs keep these counts beside their quads. */
static bool
is_of_predicate(const quad_pattern *pattern)
{
  const atom_id *t = pattern->match.term;
  return t[QUAD_P].bits && !t[QUAD_S].bits && !t[QUAD_O].bits && !t[QUAD_G].bits;
}

/* Net, as uint64_t. */
static uint64_t
count_predicate(const quad_run *run, atom_id predicate, unsigned part)
{
  const quad_predicate_count *all = run->predicates;
  size_t lo = 0, hi = run->n_predicates;

  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (all[mid].predicate.bits < predicate.bits)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < run->n_predicates && atom_id_equal(all[lo].predicate, predicate)
             ? all[lo].triples[part]
             : 0;
}

/* One partition. */
static quoin_status
count_part(uint64_t *out, const quad_snapshot *snapshot, const quad_pattern *pattern, unsigned part,
           quoin_error *err)
{
  const quad_version *v = snapshot->version;
  quad_pattern p = *pattern;
  uint64_t key[4];
  quad_order order;
  int64_t sum = 0;
  unsigned n;

  *out = 0;
  if (is_of_predicate(pattern)) {
    for (size_t i = 0; i < v->n_runs; i++)
      sum += (int64_t)count_predicate(v->runs[i], pattern->match.term[QUAD_P], part);
    *out = sum > 0 ? (uint64_t)sum : 0;
    return QUOIN_OK;
  }
  p.scope = part == QUAD_PART_DEFAULT ? QUAD_DEFAULT : QUAD_NAMED;
  order = quad_order_for(v->orders, &p, NULL, 0);
  if (order == QUAD_ORDERS) return count_by_scan(out, snapshot, &p, err);
  n = prefix_of(key, &p, order, part == QUAD_PART_DEFAULT ? 3 : 4);
  for (size_t i = 0; i < v->n_runs; i++) {
    int64_t here;
    quoin_status st =
        count_section(&here, &v->runs[i]->section[part][order], key, n, snapshot->mem, err);
    if (st) return st;
    sum += here;
  }
  *out = sum > 0 ? (uint64_t)sum : 0;
  return QUOIN_OK;
}

quoin_status
quad_count(uint64_t *out, const quad_snapshot *snapshot, const quad_pattern *pattern,
           quoin_error *err)
{
  uint64_t named;
  quoin_status st;

  *out = 0;
  if (pattern->scope == QUAD_DEFAULT)
    return count_part(out, snapshot, pattern, QUAD_PART_DEFAULT, err);
  if (pattern->scope == QUAD_ANY && !pattern->match.term[QUAD_G].bits &&
      (st = count_part(out, snapshot, pattern, QUAD_PART_DEFAULT, err)))
    return st;
  if ((st = count_part(&named, snapshot, pattern, QUAD_PART_NAMED, err))) return st;
  *out += named;
  return QUOIN_OK;
}

/* ---- estimates ------------------------------------------------------------------------------ */

/* Distinct values of key `n` among the first QUAD_SAMPLE_DISTINCT, by seeking from one to the next.
 */
static quoin_status
skip_scan(uint64_t *found, bool *all, const quad_snapshot *snapshot, quad_order order,
          const quad_pattern *pattern, unsigned n, quoin_error *err)
{
  unsigned position = quad_order_keys[order][n];
  quad_scan *scan;
  quad_batch batch;
  atom_id key[4] = {{0}};
  quoin_status st = quad_scan_open(&scan, snapshot, pattern, order, 1u << position, err);

  *found = 0;
  *all = false;
  if (st) return st;
  for (unsigned i = 0; i < n; i++)
    key[i] = pattern->match.term[quad_order_keys[order][i]];
  while (*found < QUAD_SAMPLE_DISTINCT && !(st = quad_scan_next(&batch, scan, err))) {
    const atom_id *v = batch.column[position];
    uint64_t last = 0;
    for (size_t i = 0; i < batch.rows; i++) {
      if ((*found && v[i].bits == key[n].bits) || v[i].bits == last) continue;
      last = v[i].bits;
      ++*found;
    }
    key[n].bits = v[batch.rows - 1].bits;
    if (key[n].bits == UINT64_MAX) break;
    key[n].bits++;
    if ((st = quad_scan_seek(scan, key, err))) break;
    key[n].bits--;
  }
  *all = st == QUOIN_DONE;
  quad_scan_close(scan);
  return st < 0 ? st : QUOIN_OK;
}

/* The sections that scans in `order` with this scope read; NULL: not this one. */
static const quad_section *
section_for(const quad_run *run, unsigned part, quad_order order, quad_scope scope)
{
  if (part == QUAD_PART_DEFAULT && (order >= QUAD_GSPO || scope == QUAD_NAMED)) return NULL;
  if (part == QUAD_PART_NAMED && scope == QUAD_DEFAULT) return NULL;
  return &run->section[part][order];
}

/* Those of all sections added up. `many`: one of them has many values; `single`: in all that has
 * any there are so many (0: not known, or more than one has some). */
typedef struct samples {
  uint64_t rows, changes, single;
  bool many;
} samples;

static quoin_status
sample_all(samples *out, const quad_snapshot *snapshot, quad_order order, quad_scope scope,
           const uint64_t *key, unsigned n, quoin_error *err)
{
  const quad_version *v = snapshot->version;
  unsigned have = 0;

  *out = (samples){0};
  for (size_t i = 0; i < v->n_runs; i++)
    for (unsigned part = 0; part < QUAD_PARTS; part++) {
      const quad_section *sec = section_for(v->runs[i], part, order, scope);
      quad_sample s;
      quoin_status st;
      if (!sec || n >= sec->keys) continue;
      if ((st = quad_sample_get(&s, sec, key, n, snapshot->mem, err))) return st;
      if (!s.rows) continue;
      have++;
      out->rows += s.rows;
      out->changes += s.changes;
      out->single = have == 1 ? s.distinct : 0;
      out->many = out->many || s.changes >= QUAD_SAMPLE_DISTINCT;
    }
  return QUOIN_OK;
}

quoin_status
quad_distinct_estimate(uint64_t *out, const quad_snapshot *snapshot, quad_order order,
                       const quad_pattern *pattern, quoin_error *err)
{
  uint64_t key[4], total, found = 1;
  unsigned keys = pattern->scope == QUAD_DEFAULT ? 3 : 4;
  unsigned n = prefix_of(key, pattern, order, keys);
  samples s;
  bool all;
  quoin_status st;

  if ((st = quad_count(&total, snapshot, pattern, err))) return st;
  *out = total;
  if (n == keys || total <= 1) return QUOIN_OK;
  if ((st = sample_all(&s, snapshot, order, pattern->scope, key, n, err))) return st;
  *out = s.single;
  if (s.single) return QUOIN_OK;
  if (!s.many && (st = skip_scan(&found, &all, snapshot, order, pattern, n, err))) return st;
  *out = found;
  if (!s.many && all) return QUOIN_OK;
  if (s.rows) {
    double estimate = (double)total * (double)(s.changes + 1) / (double)s.rows;
    if (estimate > (double)total) estimate = (double)total;
    if (estimate > (double)found) *out = (uint64_t)estimate;
  }
  return QUOIN_OK;
}

/* ---- predicates ----------------------------------------------------------------------------- */

/* Merge the sorted list b into a (both as wrapped nets) -> out. */
static size_t
add_lists(quad_predicate_count *out, const quad_predicate_count *a, size_t n_a,
          const quad_predicate_count *b, size_t n_b)
{
  size_t i = 0, j = 0, n = 0;

  while (i < n_a || j < n_b) {
    if (j == n_b || (i < n_a && a[i].predicate.bits < b[j].predicate.bits)) {
      out[n] = a[i++];
    } else if (i == n_a || b[j].predicate.bits < a[i].predicate.bits) {
      out[n] = b[j++];
    } else {
      out[n] = a[i++];
      out[n].triples[0] += b[j].triples[0];
      out[n].triples[1] += b[j++].triples[1];
    }
    if (out[n].triples[0] || out[n].triples[1]) n++;
  }
  return n;
}

quoin_status
quad_predicates(quad_predicate_count **out, size_t *n, const quad_snapshot *snapshot,
                const base_alloc *mem, quoin_error *err)
{
  const quad_version *v = snapshot->version;
  quad_predicate_count *list = NULL;
  size_t have = 0, room = 0;

  *out = NULL;
  *n = 0;
  for (size_t i = 0; i < v->n_runs; i++) {
    const quad_run *run = v->runs[i];
    size_t need = have + run->n_predicates;
    quad_predicate_count *next;
    if (!run->n_predicates) continue;
    if (!(next = base_new(mem, need, sizeof *next))) {
      base_release(mem, list, room, sizeof *list);
      return base_fail_nomem(err);
    }
    have = add_lists(next, list, have, run->predicates, run->n_predicates);
    base_release(mem, list, room, sizeof *list);
    list = next;
    room = need;
  }
  if (room != have) { /* the caller releases exactly *n */
    quad_predicate_count *fit = have ? base_resize(mem, list, room, have, sizeof *fit) : NULL;
    if (!have) base_release(mem, list, room, sizeof *list);
    if (have && !fit) {
      base_release(mem, list, room, sizeof *list);
      return base_fail_nomem(err);
    }
    list = fit;
  }
  *out = list;
  *n = have;
  return QUOIN_OK;
}
