/* SPARQL updates. */
#include "api/handle.h"

#include "base/poison.h"

quoin_status
quoin_update(quoin_update_result *out, quoin_store *store, quoin_span sparql,
             const quoin_update_options *opts, quoin_error *err)
{
  quoin_update_options o = QUOIN_UPDATE_OPTIONS_INIT;
  sparql_update_result got = {0};

  if (!store || (!sparql.ptr && sparql.len))
    return base_fail(err, QUOIN_ERR_ARGUMENT, "store or the text is NULL");
  quoin_status st = api_options(&o, sizeof(o), opts, err);
  if (st) return st;
  if (!o.base.ptr && o.base.len)
    return base_fail(err, QUOIN_ERR_ARGUMENT, "base of the options is NULL");
  if ((st = api_enter(store, err))) return st;
  const sparql_update_options options = {
      .base = o.base,
      .timeout_ms = o.timeout_ms,
      .memory_bytes = o.memory_bytes,
      .threads = o.threads ? o.threads : store->threads,
      .union_default_graph = o.union_default_graph,
      .load_dir = o.allow_load,
      .services = o.allow_service,
      .cancel = o.cancel ? &o.cancel->flag : NULL,
  };
  st = sparql_update_run(&got, store->quads, sparql, &options, &store->mem, err);
  (void)api_leave_counted(store, API_OP_UPDATE, st);
  if (out) *out = (quoin_update_result){got.added, got.removed};
  return st;
}
