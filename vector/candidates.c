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

static quoin_status
add_loose(vec_candidates *c, atom_id vector, atom_id subject, quoin_error *err)
{
  if (!base_reserve(c->mem, (void **)&c->loose, &c->cap_loose, c->n_loose + 1, sizeof(*c->loose)))
    return base_fail_nomem(err);
  c->loose[c->n_loose++] = (vec_loose){vector, subject};
  return QUOIN_OK;
}

static quoin_status
take_rows(vec_candidates *c, const vec_request *r, const vec_index *index, quad_scan *scan,
          quoin_error *err)
{
  quad_batch rows;
  quoin_status st;
  size_t at = 0;
  bool merge = vec_graphs_merge(r->graphs);
  while (!(st = quad_scan_next(&rows, scan, err))) {
    if (r->cancel && (st = base_cancel_check(r->cancel, err))) return st;
    for (size_t i = 0; i < rows.rows; i++) {
      atom_id subject = rows.column[QUAD_S][i], vector = rows.column[QUAD_O][i];
      uint32_t slot = HNSW_NONE;
      if (merge && !vec_graphs_have(r->graphs, rows.column[QUAD_G][i])) continue;
      if (r->subjects) {
        at = vec_ids_seek(r->subjects, r->n_subjects, at, subject);
        if (at == r->n_subjects || !atom_id_equal(r->subjects[at], subject)) continue;
      }
      uint64_t number = atom_id_payload(vector);
      if (atom_id_kind(vector) == ATOM_VECTOR && number < UINT32_MAX &&
          (st = hnsw_find(&slot, index->graph, (uint32_t)number, err)))
        return st;
      if (slot < c->nodes.bits)
        vec_bitmap_add(&c->nodes, slot);
      else if ((st = add_loose(c, vector, subject, err)))
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
