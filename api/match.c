#include "api/match.h"

#include <assert.h>

#include "base/poison.h"

/* ---- patterns -------------------------------------------------------------------------------- */

static quoin_status
find(atom_id *out, const quad_snapshot *snapshot, const quoin_term *term, atom_local *local,
     quoin_error *err)
{
  rdf_term in;
  char label[24];
  const atom_store *atoms = quad_snapshot_atoms(snapshot);

  *out = ATOM_NONE_ID;
  quoin_status st = api_term_in(&in, label, term, API_ANY, err);
  if (st || in.kind == RDF_NONE) return st;
  if ((st = atom_find(out, atoms, &in, quad_snapshot_atom_mark(snapshot), err))) return st;
  if (!out->bits && local) st = atom_local_intern(out, local, &in, err);
  return st;
}

quoin_status
api_pattern(quad_pattern *out, bool *none, const quad_snapshot *snapshot,
            const quoin_statement *pattern, quoin_scope scope, atom_local *local, quoin_error *err)
{
  static const quoin_statement all;
  if (!pattern) pattern = &all;
  const quoin_term *const terms[4] = {&pattern->subject, &pattern->predicate, &pattern->object,
                                      &pattern->graph};

  *out = (quad_pattern){.scope = QUAD_ANY};
  *none = false;
  for (size_t i = 0; i < 4; i++) {
    quoin_status st = find(&out->match.term[i], snapshot, terms[i], local, err);
    if (st) return st;
    *none |= terms[i]->kind != QUOIN_TERM_NONE && !out->match.term[i].bits;
  }
  switch (scope) {
  case QUOIN_ANY_GRAPH:
    if (pattern->graph.kind != QUOIN_TERM_NONE) out->scope = QUAD_NAMED;
    return QUOIN_OK;
  case QUOIN_NAMED_GRAPHS:
    out->scope = QUAD_NAMED;
    return QUOIN_OK;
  case QUOIN_DEFAULT_GRAPH:
    out->scope = QUAD_DEFAULT;
    if (pattern->graph.kind == QUOIN_TERM_NONE) return QUOIN_OK;
    return base_fail(err, QUOIN_ERR_ARGUMENT, "a graph is named, and the default graph asked for");
  }
  return base_fail(err, QUOIN_ERR_ARGUMENT, "scope is none that there is");
}

/* ---- rows ------------------------------------------------------------------------------------ */

quoin_status
api_rows_open(api_rows *rows, const quad_snapshot *snapshot, const quad_pattern *pattern,
              const uint8_t *then, size_t n_then, const base_alloc *mem, quoin_error *err)
{
  const uint32_t orders = quad_snapshot_orders(snapshot);

  *rows = (api_rows){.snapshot = snapshot, .atoms = quad_snapshot_atoms(snapshot)};
  base_arena_init(&rows->arena, mem);
  quad_order order = quad_order_for(orders, pattern, then, n_then);
  if (order == QUAD_ORDERS) { /* none begins with what is bound: filter in any that there is */
    const quad_pattern any = {.scope = pattern->scope};
    order = quad_order_for(orders, &any, NULL, 0);
  }
  assert(order != QUAD_ORDERS);
  return quad_scan_open(&rows->scan, snapshot, pattern, order, 0xf, err);
}

void
api_rows_close(api_rows *rows)
{
  quad_scan_close(rows->scan);
  rows->scan = NULL;
  if (rows->arena.mem) base_arena_clear(&rows->arena);
}

static quoin_status
read_term(api_rows *rows, size_t k, atom_id id, quoin_error *err)
{
  rdf_term *out = &rows->terms.term[k];

  if (rows->last.term[k].bits == id.bits) return QUOIN_OK;
  rows->last.term[k] = id;
  if (!id.bits) {
    *out = (rdf_term){0};
    return QUOIN_OK;
  }
  if (atom_id_kind(id) == ATOM_LOCAL)
    return atom_local_term(out, rows->local, id, &rows->arena, err);
  if (rows->floats && atom_id_kind(id) == ATOM_VECTOR) {
    const float *values;
    uint32_t dimension;
    quoin_status st = atom_vector(&values, &dimension, rows->atoms, id, err);
    if (!st) *out = rdf_vector(values, dimension);
    if (!st && !rdf_vector_is_normal(out->value))
      return base_fail(err, QUOIN_ERR_CORRUPT,
                       "a number of the vector %016llx is not finite, or -0",
                       (unsigned long long)id.bits);
    return st;
  }
  return atom_read(out, rows->atoms, id, &rows->arena, err);
}

quoin_status
api_rows_next(api_rows *rows, quoin_error *err)
{
  enum { AHEAD = 8 }; /* objects are all over the term file: their misses overlap */
  quoin_status st = QUOIN_OK;

  if (!rows->scan) return QUOIN_DONE;
  if (++rows->row >= rows->batch.rows) {
    if ((st = quad_scan_next(&rows->batch, rows->scan, err))) return st;
    rows->row = 0;
    rows->last = (quad){0};
    rows->terms = (rdfio_quad){0};
    base_arena_reset(&rows->arena);
  }
  const atom_id *objects = rows->batch.column[QUAD_O];
  if (rows->row + AHEAD < rows->batch.rows && !rows->local)
    atom_prefetch(rows->atoms, objects[rows->row + AHEAD]);
  for (size_t k = 0; k < 4 && !st; k++)
    st = read_term(rows, k, rows->batch.column[k][rows->row], err);
  return st;
}

/* ---- the public iterator --------------------------------------------------------------------- */

struct quoin_matches {
  api_child child;
  quad_snapshot *snapshot;
  api_rows rows;
  quoin_statement statement;
};

static void
detach(api_child *child)
{
  quoin_matches *matches = (quoin_matches *)child;
  api_rows_close(&matches->rows);
  quad_snapshot_release(matches->snapshot);
  matches->snapshot = NULL;
}

quoin_status
api_matches_new(quoin_matches **out, quoin_store *store, quad_snapshot *snapshot, atom_local *local,
                const quoin_statement *pattern, quoin_scope scope, quoin_error *err)
{
  quad_pattern ids;
  bool none = false;
  quoin_matches *matches = NULL;

  quoin_status st = api_pattern(&ids, &none, snapshot, pattern, scope, local, err);
  if (st) return st;
  if (!(matches = base_new_zero(&store->mem, 1, sizeof(*matches)))) return base_fail_nomem(err);
  if (!none && (st = api_rows_open(&matches->rows, snapshot, &ids, NULL, 0, &store->mem, err))) {
    api_rows_close(&matches->rows);
    base_release(&store->mem, matches, 1, sizeof(*matches));
    return st;
  }
  matches->rows.local = local;
  matches->snapshot = quad_snapshot_retain(snapshot);
  matches->child.detach = detach;
  api_child_attach(&matches->child, store);
  *out = matches;
  return QUOIN_OK;
}

quoin_status
quoin_match(quoin_matches **out, quoin_store *store, const quoin_statement *pattern,
            quoin_scope scope, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;

  if (!out || !store) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or store is NULL");
  *out = NULL;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  if (!(st = quad_snapshot_acquire(&snapshot, store->quads, err)))
    st = api_matches_new(out, store, snapshot, NULL, pattern, scope, err);
  quad_snapshot_release(snapshot);
  return api_leave_counted(store, API_OP_MATCH, st);
}

quoin_status
quoin_matches_next(const quoin_statement **out, quoin_matches *matches, quoin_error *err)
{
  if (!out || !matches) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or matches is NULL");
  *out = NULL;
  quoin_status st = api_enter(matches->child.store, err);
  if (st) return st;
  api_rows *rows = &matches->rows;
  if (!(st = api_rows_next(rows, err))) {
    quoin_statement *s = &matches->statement;
    api_term_out(&s->subject, &rows->terms.term[0], api_node(rows->last.term[0]));
    api_term_out(&s->predicate, &rows->terms.term[1], 0);
    api_term_out(&s->object, &rows->terms.term[2], api_node(rows->last.term[2]));
    api_term_out(&s->graph, &rows->terms.term[3], api_node(rows->last.term[3]));
    *out = s;
  }
  api_leave(matches->child.store);
  return st;
}

void
quoin_matches_close(quoin_matches *matches)
{
  if (!matches) return;
  quoin_store *store = matches->child.store;
  api_child_close(&matches->child);
  base_release(&store->mem, matches, 1, sizeof(*matches));
  api_child_release(store);
}

quoin_status
quoin_count(uint64_t *out, quoin_store *store, const quoin_statement *pattern, quoin_scope scope,
            quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  quad_pattern ids;
  bool none = false;

  if (!out || !store) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or store is NULL");
  *out = 0;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  if (!(st = quad_snapshot_acquire(&snapshot, store->quads, err)) &&
      !(st = api_pattern(&ids, &none, snapshot, pattern, scope, NULL, err)) && !none)
    st = quad_count(out, snapshot, &ids, err);
  quad_snapshot_release(snapshot);
  return api_leave_counted(store, API_OP_COUNT, st);
}
