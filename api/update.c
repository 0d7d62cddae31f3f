/* SPARQL updates. */
#include "api/query.h"
#include "api/txn.h"

#include <string.h>

#include "base/poison.h"

static quoin_status
options_in(sparql_update_options *out, api_embed *embed, const quoin_store *store,
           quoin_span sparql, const quoin_update_options *opts, quoin_error *err)
{
  quoin_update_options o = QUOIN_UPDATE_OPTIONS_INIT;

  if (!sparql.ptr && sparql.len) return base_fail(err, QUOIN_ERR_ARGUMENT, "the text is NULL");
  quoin_status st = api_options(&o, sizeof(o), opts, err);
  if (st) return st;
  if (!o.base.ptr && o.base.len)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "base of the options is NULL");
  api_embed_init(embed, o.embed, o.embed_user, o.embed_model);
  *out = (sparql_update_options){
      .base = o.base,
      .timeout_ms = o.timeout_ms,
      .memory_bytes = o.memory_bytes,
      .threads = o.threads ? o.threads : store->threads,
      .union_default_graph = o.union_default_graph,
      .load_dir = o.allow_load,
      .services = o.allow_service,
      .cancel = o.cancel ? &o.cancel->flag : NULL,
      .embedder = api_embedder(embed),
  };
  return QUOIN_OK;
}

quoin_status
quoin_update(quoin_update_result *out, quoin_store *store, quoin_span sparql,
             const quoin_update_options *opts, quoin_error *err)
{
  sparql_update_options options;
  api_embed embed;
  sparql_update_result got = {0};

  if (!store) return base_fail(err, QUOIN_ERR_ARGUMENT, "store is NULL");
  quoin_status st = options_in(&options, &embed, store, sparql, opts, err);
  if (st || (st = api_enter(store, err))) return st;
  st = sparql_update_run(&got, store->quads, sparql, &options, &store->mem, err);
  (void)api_leave_counted(store, API_OP_UPDATE, st);
  if (out) {
    *out = (quoin_update_result){.added = got.added, .removed = got.removed};
    memcpy(out->notice, got.notice, sizeof(out->notice));
  }
  return st;
}

quoin_status
quoin_txn_update(quoin_txn *txn, quoin_span sparql, const quoin_update_options *opts,
                 quoin_error *err)
{
  sparql_update_options options;
  api_embed embed;
  quoin_error why = QUOIN_ERROR_INIT;

  if (!txn) return base_fail(err, QUOIN_ERR_ARGUMENT, "txn is NULL");
  quoin_store *store = txn->child.store;
  quoin_status st = api_txn_usable(txn, err);
  if (st || (st = options_in(&options, &embed, store, sparql, opts, err))) return st;
  if ((st = quoin_update_check(sparql, options.base, err))) return st;
  if ((st = api_enter(store, err))) return st;
  st = sparql_update_run_in(txn->txn, &txn->scope, store->quads, sparql, &options, &store->mem,
                            &why);
  if (st) {
    txn->failure = why;
    if (err) *err = why;
  }
  return api_leave_counted(store, API_OP_UPDATE, st);
}
