/* vector/candidates.c - which nodes a search may give: those of the vectors that the candidates
 * have in the active graph.
 *
 * By one scan of the predicate, or where they are few beside it by a lookup for each. What has no
 * node (it waits to be linked, or stands in another datatype) is kept beside, to be searched
 * exactly. */
#include "vector/search.h"

#include "base/poison.h"

size_t
vec_ids_seek(const atom_id *ids, size_t n, size_t at, atom_id id)
{
  size_t low = 0, high = n;
  if (at < n && ids[at].bits < id.bits) {
    size_t step = 1;
    for (low = at + 1; low + step < n && ids[low + step].bits < id.bits; step *= 2)
      low += step;
    high = low + step < n ? low + step + 1 : n;
  } else if (at < n) {
    high = at + 1;
  }
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (ids[middle].bits < id.bits)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool
ascends(const atom_id *ids, size_t n)
{
  uint64_t falls = 0;
  for (size_t i = 1; i < n; i++)
    falls |= ids[i].bits < ids[i - 1].bits;
  return !falls;
}

size_t
vec_rows_among(uint16_t *out, const atom_id *subject, size_t rows, const atom_id *ids, size_t n,
               size_t *at)
{
  size_t found = 0, i = 0;
  if (!rows) return 0;
  if (!ascends(subject, rows)) {
    for (; i < rows; i++) {
      *at = vec_ids_seek(ids, n, *at, subject[i]);
      out[found] = (uint16_t)i;
      found += *at < n && atom_id_equal(ids[*at], subject[i]);
    }
    return found;
  }
  size_t j = vec_ids_seek(ids, n, *at, subject[0]), end = j;
  while (end < n && end - j <= rows / 8 && ids[end].bits <= subject[rows - 1].bits)
    end++;
  if (end - j <= rows / 8) { /* few: each is looked for */
    for (; j < end; j++) {
      i = vec_ids_seek(subject, rows, i, ids[j]);
      while (i < rows && atom_id_equal(subject[i], ids[j]))
        out[found++] = (uint16_t)i++;
    }
    *at = j ? j - 1 : 0; /* the last may go on in the next batch */
    return found;
  }
  /* No branch on what is less: it would be guessed wrong each other time. */
  while (i < rows && j < n) {
    uint64_t a = subject[i].bits, b = ids[j].bits;
    out[found] = (uint16_t)i;
    found += a == b;
    i += a <= b;
    j += b < a;
  }
  *at = j;
  return found;
}

static quoin_status
add_loose(vec_candidates *c, atom_id vector, atom_id subject, quoin_error *err)
{
  if (!base_reserve(c->mem, (void **)&c->loose, &c->cap_loose, c->n_loose + 1, sizeof(*c->loose)))
    return base_fail_nomem(err);
  c->loose[c->n_loose++] = (vec_loose){vector, subject};
  return QUOIN_OK;
}

enum { AHEAD = 24 };

/* The node of a vector that comes soon: where it lies is known from a table, what it says is a
 * miss. */
static void
ask_node(const vec_index *index, atom_id vector)
{
  uint64_t number = atom_id_payload(vector);
  if (atom_id_kind(vector) == ATOM_VECTOR && number < UINT32_MAX)
    hnsw_find_ask(index->graph, (uint32_t)number);
}

static quoin_status
take_rows(vec_candidates *c, const vec_request *r, const vec_index *index, quad_scan *scan,
          quoin_error *err)
{
  uint16_t place[QUAD_BATCH];
  quad_batch rows;
  quoin_status st;
  size_t at = 0;
  bool merge = vec_graphs_merge(r->graphs);
  while (!(st = quad_scan_next(&rows, scan, err))) {
    if (r->cancel && (st = base_cancel_check(r->cancel, err))) return st;
    const atom_id *subject = rows.column[QUAD_S];
    size_t n = r->subjects
                   ? vec_rows_among(place, subject, rows.rows, r->subjects, r->n_subjects, &at)
                   : rows.rows;
    for (size_t k = 0; k < n; k++) {
      size_t i = r->subjects ? place[k] : k;
      atom_id vector = rows.column[QUAD_O][i];
      uint32_t slot = HNSW_NONE;
      if (k + AHEAD < n)
        ask_node(index, rows.column[QUAD_O][r->subjects ? place[k + AHEAD] : k + AHEAD]);
      if (merge && !vec_graphs_have(r->graphs, rows.column[QUAD_G][i])) continue;
      uint64_t number = atom_id_payload(vector);
      if (atom_id_kind(vector) == ATOM_VECTOR && number < UINT32_MAX &&
          (st = hnsw_find(&slot, index->graph, (uint32_t)number, err)))
        return st;
      if (slot < c->nodes.bits)
        vec_bitmap_add(&c->nodes, slot);
      else if ((st = add_loose(c, vector, subject[i], err)))
        return st;
    }
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

quoin_status
vec_open_by_subject(quad_scan **out, const quad_snapshot *snapshot, const vec_request *r,
                    quoin_error *err)
{
  static const uint8_t then[] = {QUAD_S};
  quad_pattern pattern = {.scope = r->graphs->scope, .match = vec_quads_of(r, ATOM_NONE_ID)};
  quad_order order = quad_order_for(quad_snapshot_orders(snapshot), &pattern, then, 1);
  unsigned columns = 1u << QUAD_S | 1u << QUAD_O;
  if (order == QUAD_ORDERS) return vec_quads_open(out, snapshot, r->graphs, &pattern.match, err);
  if (vec_graphs_merge(r->graphs)) columns |= 1u << QUAD_G;
  return quad_scan_open(out, snapshot, &pattern, order, columns, err);
}

static quoin_status
look_up(vec_candidates *c, const quad_snapshot *snapshot, const vec_request *r,
        const vec_index *index, quoin_error *err)
{
  quad_scan *scan = NULL;
  quoin_status st = QUOIN_OK;
  for (size_t i = 0; !st && i < r->n_subjects; i++) {
    quad_pattern pattern = {.scope = r->graphs->scope, .match = vec_quads_of(r, r->subjects[i])};
    st = scan ? quad_scan_rebind(scan, &pattern, err)
              : vec_quads_open(&scan, snapshot, r->graphs, &pattern.match, err);
    if (!st) st = take_rows(c, r, index, scan, err);
  }
  quad_scan_close(scan);
  return st;
}

quoin_status
vec_candidates_find(vec_candidates *out, const quad_snapshot *snapshot, const vec_request *r,
                    const vec_index *index, bool by_lookup, const base_alloc *mem, quoin_error *err)
{
  quad_scan *scan = NULL;
  *out = (vec_candidates){.mem = mem};
  quoin_status st = vec_bitmap_init(&out->nodes, hnsw_slots(index->graph), mem, err);
  if (!st && by_lookup) return look_up(out, snapshot, r, index, err);
  if (!st) st = vec_open_by_subject(&scan, snapshot, r, err);
  if (!st) st = take_rows(out, r, index, scan, err);
  quad_scan_close(scan);
  return st;
}

void
vec_candidates_clear(vec_candidates *c)
{
  vec_bitmap_clear(&c->nodes);
  base_release(c->mem, c->loose, c->cap_loose, sizeof(*c->loose));
  c->loose = NULL;
  c->n_loose = c->cap_loose = 0;
}
