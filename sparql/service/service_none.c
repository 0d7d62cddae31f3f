/* sparql/service/service_none.c - built without SERVICE (QUOIN_SERVICE=OFF): each one fails, so
 * that SILENT gives one empty solution. Takes the place of the other service files. */
#include "sparql/plan/plan_build.h"

#include "base/poison.h"

static quoin_status
refuse(const sparql_algebra *node, quoin_error *err)
{
  if (node->silent) return QUOIN_OK;
  return base_fail_pos(err, QUOIN_ERR_UNSUPPORTED, NULL, node->line, node->column,
                       "SERVICE: this quoin is built without it (QUOIN_SERVICE)");
}

bool
plan_service_waits(const planner *p, const sparql_algebra *node)
{
  (void)p, (void)node;
  return false;
}

quoin_status
plan_service_certain(const node_info **out, planner *p, const sparql_algebra *node,
                     quoin_error *err)
{
  return plan_node_info(out, p, node, err);
}

quoin_status
plan_service(sparql_operator **out, planner *p, const sparql_algebra *node, const bool *need,
             quoin_error *err)
{
  (void)need;
  quoin_status st = refuse(node, err);
  if (!st) st = sparql_unit_make(out, p->ctx, p->frame, err);
  return plan_made(p, st, *out, err);
}

quoin_status
plan_service_join(sparql_operator **out, planner *p, sparql_operator *left,
                  const sparql_algebra *node, hash_join_options join, const bool *need,
                  quoin_error *err)
{
  (void)p, (void)join, (void)need;
  *out = left;
  return refuse(node, err);
}
