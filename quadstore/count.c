/* quadstore/count.c - exact counts of prefixes from the block index, and estimates. */
#include "quadstore/version.h"

#include "base/poison.h"

/* Net count of the entries of `sec` whose first n keys are `key`. */
static quoin_status
count_section(int64_t *out, const quad_section *sec, const uint64_t *key, unsigned n,
              const base_alloc *mem, quoin_error *err)
{
  int64_t all = (int64_t)sec->entries - 2 * (int64_t)sec->tombstones, lo, hi;
  quad_cursor cur;
  uint32_t row;
  quoin_status st;

  *out = 0;
  if (!sec->entries) return QUOIN_OK;
  if (!n) {
    *out = all;
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

  p.scope = part == QUAD_PART_DEFAULT ? QUAD_DEFAULT : QUAD_NAMED;
  order = quad_order_for(v->orders, &p, NULL, 0);
  *out = 0;
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

enum { DISTINCT_EXACT = 32, DISTINCT_SAMPLES = 4 };

/* Distinct values of key `n` among the first DISTINCT_EXACT, by seeking from one to the next. */
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
  while (*found < DISTINCT_EXACT && !(st = quad_scan_next(&batch, scan, err))) {
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

/* How often key n changes among the rows of a few blocks within the prefix. */
static quoin_status
sample_section(uint64_t *changes, uint64_t *rows, const quad_section *sec, const uint64_t *key,
               unsigned n, const base_alloc *mem, quoin_error *err)
{
  quad_cursor cur;
  uint32_t row;
  uint64_t first, last;
  quoin_status st;

  if (!sec->entries) return QUOIN_OK;
  quad_cursor_open(&cur, sec, mem);
  if ((st = quad_cursor_seek(&row, &cur, key, n, false, err))) goto done;
  first = cur.block;
  st = quad_cursor_seek(&row, &cur, key, n, true, err);
  if (st < 0) goto done;
  last = st == QUOIN_DONE ? sec->blocks - 1 : cur.block;
  for (unsigned s = 0; s < DISTINCT_SAMPLES; s++) {
    uint64_t block = first + (last - first) * s / DISTINCT_SAMPLES;
    uint32_t from, to;
    if (s && block == cur.block) continue;
    if ((st = quad_cursor_load(&cur, block, err))) goto done;
    from = quad_cursor_search(&cur, key, n, false);
    to = quad_cursor_search(&cur, key, n, true);
    quad_cursor_need(&cur, 1u << n, from, to);
    for (uint32_t i = from + 1; i < to; i++)
      *changes += cur.col[n][i] != cur.col[n][i - 1];
    *rows += to > from ? to - from : 0;
  }
  st = QUOIN_OK;

done:
  quad_cursor_close(&cur);
  return st < 0 ? st : QUOIN_OK;
}

quoin_status
quad_distinct_estimate(uint64_t *out, const quad_snapshot *snapshot, quad_order order,
                       const quad_pattern *pattern, quoin_error *err)
{
  const quad_version *v = snapshot->version;
  uint64_t key[4], total, found, changes = 0, rows = 0;
  unsigned keys = pattern->scope == QUAD_DEFAULT ? 3 : 4;
  unsigned n = prefix_of(key, pattern, order, keys);
  bool all;
  quoin_status st;

  if ((st = quad_count(&total, snapshot, pattern, err))) return st;
  *out = total;
  if (n == keys || total <= 1) return QUOIN_OK;
  if ((st = skip_scan(&found, &all, snapshot, order, pattern, n, err))) return st;
  *out = found;
  if (all) return QUOIN_OK;
  for (size_t i = 0; i < v->n_runs; i++)
    for (unsigned part = 0; part < QUAD_PARTS; part++) {
      const quad_section *sec = &v->runs[i]->section[part][order];
      if (part == QUAD_PART_DEFAULT && (order >= QUAD_GSPO || pattern->scope == QUAD_NAMED))
        continue;
      if (part == QUAD_PART_NAMED && pattern->scope == QUAD_DEFAULT) continue;
      if ((st = sample_section(&changes, &rows, sec, key, n, snapshot->mem, err))) return st;
    }
  if (rows) {
    double estimate = (double)total * (double)(changes + 1) / (double)rows;
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
