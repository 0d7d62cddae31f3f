/* Transactions. */
#include "api/txn.h"

#include "api/match.h"

#include "base/poison.h"

quoin_status
api_txn_usable(const quoin_txn *txn, quoin_error *err)
{
  if (txn->failure.status && err) *err = txn->failure;
  return txn->failure.status;
}

static void
detach(api_child *child)
{
  quoin_txn *txn = (quoin_txn *)child;
  quad_txn_abort(txn->txn);
  txn->txn = NULL;
}

static void
free_txn(quoin_txn *txn)
{
  quoin_store *store = txn->child.store;
  api_child_close(&txn->child);
  base_release(&store->mem, txn, 1, sizeof(*txn));
  api_child_release(store);
}

quoin_status
quoin_txn_begin(quoin_txn **out, quoin_store *store, quoin_error *err)
{
  if (!out || !store) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or store is NULL");
  *out = NULL;
  quoin_status st = api_enter(store, err);
  if (st) return st;
  quoin_txn *txn = base_new_zero(&store->mem, 1, sizeof(*txn));
  if (!txn) {
    st = base_fail_nomem(err);
  } else if ((st = quad_txn_begin(&txn->txn, store->quads, err))) {
    base_release(&store->mem, txn, 1, sizeof(*txn));
  } else {
    txn->failure = (quoin_error)QUOIN_ERROR_INIT;
    txn->child.detach = detach;
    api_child_attach(&txn->child, store);
    *out = txn;
  }
  api_leave(store);
  return st;
}

/* ---- changes --------------------------------------------------------------------------------- */

static const api_role roles[4] = {API_SUBJECT, API_PREDICATE, API_OBJECT, API_GRAPH};

/* The id of one term as the transaction sees it: a stored node by its number, else the stored term,
 * else a local one. */
static quoin_status
resolve(atom_id *out, quad_txn *txn, const quad_snapshot *snapshot, const quoin_term *from,
        const rdf_term *term, quoin_error *err)
{
  const atom_store *atoms = quad_snapshot_atoms(snapshot);

  *out = ATOM_NONE_ID;
  if (term->kind == RDF_NONE) return QUOIN_OK;
  if (from->kind == QUOIN_TERM_BLANK && from->node) {
    if (from->node > atom_store_blanks(atoms))
      return base_fail(err, QUOIN_ERR_ARGUMENT, "the store has no blank node of this number");
    *out = atom_id_make(ATOM_BLANK, from->node);
    return QUOIN_OK;
  }
  if (term->kind != RDF_BLANK) {
    quoin_status st = atom_find(out, atoms, term, quad_snapshot_atom_mark(snapshot), err);
    if (st || out->bits) return st;
  }
  return quad_txn_failure(txn, atom_local_intern(out, quad_txn_local(txn), term, err), err);
}

static quoin_status
change_by_ids(quad_txn *txn, const quoin_term *const from[4], const rdf_term terms[4], bool add,
              quoin_error *err)
{
  quad q = {0};
  quoin_status st = QUOIN_OK;

  for (size_t i = 0; i < 4 && !st; i++)
    st = resolve(&q.term[i], txn, quad_txn_begun(txn), from[i], &terms[i], err);
  if (st) return st;
  return add ? quad_txn_add_ids(txn, &q, err) : quad_txn_remove_ids(txn, &q, err);
}

static quoin_status
change(quoin_txn *txn, const quoin_statement *statement, bool add, quoin_error *err)
{
  rdf_term terms[4];
  char labels[4][24];
  bool stored_node = false;
  quoin_status st = QUOIN_OK;

  if (!txn || !statement) return base_fail(err, QUOIN_ERR_ARGUMENT, "txn or statement is NULL");
  if ((st = api_txn_usable(txn, err))) return st;
  const quoin_term *const from[4] = {&statement->subject, &statement->predicate, &statement->object,
                                     &statement->graph};
  for (size_t i = 0; i < 4; i++) {
    if ((st = api_term_in(&terms[i], labels[i], from[i], roles[i], err))) return st;
    stored_node |= from[i]->kind == QUOIN_TERM_BLANK && from[i]->node;
  }
  if ((st = api_enter(txn->child.store, err))) return st;
  if (stored_node)
    st = change_by_ids(txn->txn, from, terms, add, err);
  else
    st = add ? quad_txn_add(txn->txn, terms, err) : quad_txn_remove(txn->txn, terms, err);
  api_leave(txn->child.store);
  return st;
}

quoin_status
quoin_txn_add(quoin_txn *txn, const quoin_statement *statement, quoin_error *err)
{
  return change(txn, statement, true, err);
}

quoin_status
quoin_txn_remove(quoin_txn *txn, const quoin_statement *statement, quoin_error *err)
{
  return change(txn, statement, false, err);
}

quoin_status
quoin_txn_match(quoin_matches **out, quoin_txn *txn, const quoin_statement *pattern,
                quoin_scope scope, quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  quad_pattern ids;
  bool none;

  if (!out || !txn) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or txn is NULL");
  *out = NULL;
  quoin_store *store = txn->child.store;
  quoin_status st = api_txn_usable(txn, err);
  if (st || (st = api_enter(store, err))) return st;
  if (!(st = quad_txn_snapshot(&snapshot, txn->txn, err)))
    st = api_pattern(&ids, &none, snapshot, pattern, scope, quad_txn_local(txn->txn), err);
  if (!st) st = quad_txn_scanned(txn->txn, &ids, err);
  if (!st)
    st = api_matches_new(out, store, snapshot, quad_txn_local(txn->txn), pattern, scope, err);
  quad_snapshot_release(snapshot);
  return api_leave_counted(store, API_OP_MATCH, st);
}

/* ---- the end --------------------------------------------------------------------------------- */

quoin_status
quoin_txn_commit(uint64_t *added, uint64_t *removed, quoin_txn *txn, quoin_error *err)
{
  if (!txn) return base_fail(err, QUOIN_ERR_ARGUMENT, "txn is NULL");
  quoin_store *store = txn->child.store;
  quoin_status st = api_txn_usable(txn, err);
  if (!st && !(st = api_enter(store, err))) {
    quad_txn *inner = txn->txn;
    txn->txn = NULL; /* the commit ends it, whatever it returns */
    st = quad_txn_commit(added, removed, inner, err);
    (void)api_leave_counted(store, API_OP_COMMIT, st);
  }
  free_txn(txn);
  return st;
}

void
quoin_txn_abort(quoin_txn *txn)
{
  if (txn) free_txn(txn);
}

quoin_status
quoin_txn_add_vector(quoin_txn *txn, const quoin_term *subject, quoin_span predicate,
                     const quoin_term *graph, const float *values, size_t n, quoin_error *err)
{
  const quoin_term none = {.kind = QUOIN_TERM_NONE};
  const quoin_term name = {.kind = QUOIN_TERM_IRI, .value = predicate};
  const quoin_term *const from[4] = {subject, &name, &none, graph ? graph : &none};
  rdf_term terms[4];
  char labels[4][24];
  quoin_status st;

  if (!txn || !subject || !values || !n || n > RDF_VECTOR_MAX)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "txn, subject or values is NULL, or n out of range");
  if ((st = api_txn_usable(txn, err))) return st;
  for (size_t i = 0; i < 4; i++)
    if (i != 2 && (st = api_term_in(&terms[i], labels[i], from[i], roles[i], err))) return st;
  if ((st = api_enter(txn->child.store, err))) return st;
  const base_alloc *mem = &txn->child.store->mem;
  float *copy = base_new(mem, n, sizeof(*copy));
  if (!copy) {
    st = base_fail_nomem(err);
  } else {
    memcpy(copy, values, n * sizeof(*copy));
    if (!rdf_vector_normalize(copy, n))
      st = base_fail(err, QUOIN_ERR_ARGUMENT, "a number of the vector is not finite");
    terms[2] = rdf_vector(copy, (uint32_t)n);
    if (!st) st = change_by_ids(txn->txn, from, terms, true, err);
  }
  base_release(mem, copy, n, sizeof(*copy));
  api_leave(txn->child.store);
  return st;
}
