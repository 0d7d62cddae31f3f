/* Parsing, opening and closing. */
#include "api/query.h"
#include "api/txn.h"

#include "base/poison.h"

static bool
span_is_bad(quoin_span s)
{
  return !s.ptr && s.len;
}

quoin_status
quoin_prepare(quoin_prepared **out, quoin_span sparql, quoin_span base, quoin_error *err)
{
  const base_alloc *mem = base_alloc_default();

  if (!out || span_is_bad(sparql) || span_is_bad(base))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "out or the text is NULL");
  *out = NULL;
  quoin_prepared *prepared = base_new_zero(mem, 1, sizeof(*prepared));
  if (!prepared) return base_fail_nomem(err);
  atomic_init(&prepared->refs, 1);
  quoin_status st = sparql_query_parse(&prepared->query, sparql, base, mem, err);
  if (st)
    base_release(mem, prepared, 1, sizeof(*prepared));
  else
    *out = prepared;
  return st;
}

void
api_prepared_release(quoin_prepared *prepared)
{
  if (!prepared || atomic_fetch_sub(&prepared->refs, 1) != 1) return;
  sparql_query_free(prepared->query);
  base_release(base_alloc_default(), prepared, 1, sizeof(*prepared));
}

void
quoin_prepared_free(quoin_prepared *prepared)
{
  api_prepared_release(prepared);
}

static quoin_query_form
form_of(const sparql_query *query)
{
  switch (sparql_query_form(query)) {
  case SPARQL_SELECT:
    return QUOIN_SELECT;
  case SPARQL_CONSTRUCT:
    return QUOIN_CONSTRUCT;
  case SPARQL_DESCRIBE:
    return QUOIN_DESCRIBE;
  case SPARQL_ASK:
    return QUOIN_ASK;
  }
  return QUOIN_SELECT;
}

quoin_query_form
quoin_prepared_form(const quoin_prepared *prepared)
{
  return form_of(prepared->query);
}

quoin_status
quoin_update_check(quoin_span sparql, quoin_span base, quoin_error *err)
{
  if (span_is_bad(sparql) || span_is_bad(base))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "the text is NULL");
  return sparql_update_check(sparql, base, base_alloc_default(), err);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void
detach(api_child *child)
{
  quoin_cursor *cursor = (quoin_cursor *)child;
  sparql_cursor_close(cursor->cursor);
  cursor->cursor = NULL;
}

/* In `arena`, with the labels of blank nodes: those under which they came out name stored nodes. */
static quoin_status
bindings_in(sparql_binding **out, const quoin_query_options *o, base_arena *arena, quoin_error *err)
{
  if (o->n_bindings && !o->bindings)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "bindings of the options is NULL");
  if (!(*out = base_arena_new_zero(arena, o->n_bindings + 1, sizeof(**out))))
    return base_fail_nomem(err);
  for (size_t i = 0; i < o->n_bindings; i++) {
    const quoin_binding *b = &o->bindings[i];
    char *label = base_arena_bytes(arena, 24);
    if (!label) return base_fail_nomem(err);
    (*out)[i].name = b->name;
    quoin_status st = api_term_in(&(*out)[i].term, label, &b->term, API_ANY, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

static quoin_status
embed_text(float *out, uint32_t dimension, void *user, quoin_span text, quoin_error *err)
{
  const api_embed *embed = user;
  for (uint32_t i = 0; i < dimension; i++)
    out[i] = 0;
  return api_status(embed->embed(out, dimension, embed->user, text, err), err);
}

void
api_embed_init(api_embed *out, quoin_embed_fn embed, void *user, quoin_span model)
{
  *out = (api_embed){
      .embed = embed, .user = user, .embedder = {.model = model, .embed = embed_text, .user = out}};
}

const sparql_embedder *
api_embedder(const api_embed *embed)
{
  return embed->embed ? &embed->embedder : NULL;
}

static quoin_status
open_cursor(quoin_cursor *cursor, quoin_store *store, quoin_txn *txn, const quoin_query_options *o,
            quoin_error *err)
{
  quad_snapshot *snapshot = NULL;
  sparql_binding *bindings = NULL;
  quoin_status st = bindings_in(&bindings, o, &cursor->arena, err);

  if (st) return st;
  api_embed_init(&cursor->embed, o->embed, o->embed_user, o->embed_model);
  const sparql_run_options run = {
      .embedder = api_embedder(&cursor->embed),
      .timeout_ms = o->timeout_ms,
      .memory_bytes = o->memory_bytes,
      .max_rows = o->max_rows,
      .threads = o->threads ? o->threads : store->threads,
      .union_default_graph = o->union_default_graph,
      .profile = o->profile,
      .cancel = o->cancel ? &o->cancel->flag : NULL,
      .bindings = bindings,
      .n_bindings = o->n_bindings,
      .services = o->allow_service,
      .txn = txn ? txn->txn : NULL,
      .local = txn ? quad_txn_local(txn->txn) : NULL,
      .blank_scope = txn ? ++txn->scope : 0,
  };
  st = txn ? quad_txn_snapshot(&snapshot, txn->txn, err)
           : quad_snapshot_acquire(&snapshot, store->quads, err);
  if (!st)
    st = sparql_cursor_open(&cursor->cursor, cursor->prepared->query, snapshot, &run, &store->mem,
                            err);
  quad_snapshot_release(snapshot); /* the cursor has its own */
  return st;
}

/* `txn`: the query is one of that transaction; may be NULL. */
static quoin_status
query(quoin_cursor **out, quoin_store *store, quoin_txn *txn, quoin_prepared *prepared,
      const quoin_query_options *opts, quoin_error *err)
{
  quoin_query_options o = QUOIN_QUERY_OPTIONS_INIT;

  quoin_status st = api_options(&o, sizeof(o), opts, err);
  if (st) return st;
  if ((st = api_enter(store, err))) return st;
  quoin_cursor *cursor = base_new_zero(&store->mem, 1, sizeof(*cursor));
  if (!cursor) {
    st = base_fail_nomem(err);
  } else {
    cursor->prepared = prepared;
    cursor->columns = sparql_query_columns(prepared->query);
    cursor->failure = (quoin_error)QUOIN_ERROR_INIT;
    base_arena_init(&cursor->arena, &store->mem);
    base_buffer_init(&cursor->text, &store->mem);
    if ((st = open_cursor(cursor, store, txn, &o, err))) {
      base_arena_clear(&cursor->arena);
      base_release(&store->mem, cursor, 1, sizeof(*cursor));
    } else {
      atomic_fetch_add(&prepared->refs, 1);
      cursor->child.detach = detach;
      api_child_attach(&cursor->child, store);
      *out = cursor;
    }
  }
  return api_leave_counted(store, API_OP_QUERY, st);
}

static quoin_status
query_text(quoin_cursor **out, quoin_store *store, quoin_txn *txn, quoin_span sparql,
           const quoin_query_options *opts, quoin_error *err)
{
  quoin_query_options o = QUOIN_QUERY_OPTIONS_INIT;
  quoin_prepared *prepared = NULL;
  quoin_status st = api_options(&o, sizeof(o), opts, err);
  if (!st) st = quoin_prepare(&prepared, sparql, o.base, err);
  if (!st) st = query(out, store, txn, prepared, &o, err);
  quoin_prepared_free(prepared);
  return st;
}

quoin_status
quoin_query_prepared(quoin_cursor **out, quoin_store *store, quoin_prepared *prepared,
                     const quoin_query_options *opts, quoin_error *err)
{
  if (!out || !store || !prepared)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "out, store or prepared is NULL");
  *out = NULL;
  return query(out, store, NULL, prepared, opts, err);
}

quoin_status
quoin_query(quoin_cursor **out, quoin_store *store, quoin_span sparql,
            const quoin_query_options *opts, quoin_error *err)
{
  if (!out || !store) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or store is NULL");
  *out = NULL;
  return query_text(out, store, NULL, sparql, opts, err);
}

quoin_status
quoin_txn_query_prepared(quoin_cursor **out, quoin_txn *txn, quoin_prepared *prepared,
                         const quoin_query_options *opts, quoin_error *err)
{
  if (!out || !txn || !prepared)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "out, txn or prepared is NULL");
  *out = NULL;
  quoin_status st = api_txn_usable(txn, err);
  return st ? st : query(out, txn->child.store, txn, prepared, opts, err);
}

quoin_status
quoin_txn_query(quoin_cursor **out, quoin_txn *txn, quoin_span sparql,
                const quoin_query_options *opts, quoin_error *err)
{
  if (!out || !txn) return base_fail(err, QUOIN_ERR_ARGUMENT, "out or txn is NULL");
  *out = NULL;
  quoin_status st = api_txn_usable(txn, err);
  return st ? st : query_text(out, txn->child.store, txn, sparql, opts, err);
}

void
quoin_cursor_close(quoin_cursor *cursor)
{
  if (!cursor) return;
  quoin_store *store = cursor->child.store;
  const base_alloc *mem = &store->mem;
  const size_t cells = cursor->columns * cursor->cap_rows;

  api_child_close(&cursor->child);
  base_arena_clear(&cursor->arena);
  base_buffer_clear(&cursor->text);
  base_release(mem, cursor->types, cells, sizeof(*cursor->types));
  base_release(mem, cursor->values, cells, sizeof(*cursor->values));
  base_release(mem, cursor->type_columns, cursor->columns, sizeof(*cursor->type_columns));
  base_release(mem, cursor->value_columns, cursor->columns, sizeof(*cursor->value_columns));
  base_release(mem, cursor->id_columns, cursor->columns, sizeof(*cursor->id_columns));
  api_prepared_release(cursor->prepared);
  base_release(mem, cursor, 1, sizeof(*cursor));
  api_child_release(store);
}

quoin_query_form
quoin_cursor_form(const quoin_cursor *cursor)
{
  return form_of(cursor->prepared->query);
}

size_t
quoin_cursor_columns(const quoin_cursor *cursor)
{
  return cursor->columns;
}

quoin_span
quoin_cursor_name(const quoin_cursor *cursor, size_t col)
{
  if (col >= cursor->columns) return (quoin_span){NULL, 0};
  return sparql_query_column(cursor->prepared->query, col);
}

const char *
quoin_cursor_notice(const quoin_cursor *cursor)
{
  return cursor->notice;
}

quoin_outcome
quoin_cursor_outcome(const quoin_cursor *cursor)
{
  return cursor->outcome;
}
