/* sparql/service/service_plan.c - where SERVICE stands in a plan.
 *
 * Joined with rows that are there already, the group is asked for their keys: rows -> collect ->
 * hash join with (seed -> service), which runs once for each full batch. With very many rows, or
 * without a variable to send, it is asked once for all its solutions, and these are kept by the
 * join. */
#include "sparql/plan/plan_build.h"
#include "sparql/service/service.h"

#include "base/poison.h"

#define SERVICE_GUESS 1000.0     /* rows: nothing is known of them */
#define COST_REQUEST 100000.0    /* about a millisecond of local work */
#define SERVICE_PUSH_MAX 20000.0 /* rows whose keys are sent: 40 requests */

static bool
address_is_free(const planner *p, const sparql_algebra *node)
{
  return node->node.var != SPARQL_NO_VAR && !sparql_frame_find(p->frame, node->node.var);
}

bool
plan_service_waits(const planner *p, const sparql_algebra *node)
{
  if (!node) return false;
  if (node->op == ALGEBRA_SERVICE) return address_is_free(p, node);
  return plan_service_waits(p, node->left) || plan_service_waits(p, node->right);
}

quoin_status
plan_service_certain(const node_info **out, planner *p, const sparql_algebra *node,
                     quoin_error *err)
{
  return plan_node_info(out, p, node->op == ALGEBRA_SERVICE ? node->left : node, err);
}

/* An address that may not be asked is known before the first row. SILENT covers it. */
static quoin_status
check_address(const planner *p, const sparql_algebra *node, quoin_error *err)
{
  const sparql_run_options *options = p->ctx->options;
  if (node->silent || node->node.var != SPARQL_NO_VAR) return QUOIN_OK;
  quoin_status st = service_address_check(options ? options->services : NULL, node->node.term.value,
                                          p->ctx->mem, err);
  if (st && err) {
    err->line = node->line;
    err->column = node->column;
  }
  return st;
}

/* What to ask for: the variables of the group that are wanted above, or shared with `left`. */
static quoin_status
choose_vars(service_options *options, planner *p, const sparql_operator *left, const bool *need,
            quoin_error *err)
{
  const sparql_query *query = p->ctx->query;
  const node_info *inside;
  sparql_var *vars = base_arena_new(&p->ctx->arena, p->n_vars + 1, sizeof(*vars));
  bool *certain = base_arena_new_zero(&p->ctx->arena, p->n_vars + 1, sizeof(*certain));
  sparql_var any = SPARQL_NO_VAR;
  if (!vars || !certain) return base_fail_nomem(err);
  quoin_status st = plan_node_info(&inside, p, options->node->left, err);
  if (st) return st;
  for (sparql_var v = 0; v < p->n_vars; v++) {
    if (!query->vars[v].len || !plan_set_has(inside->maybe, v)) continue;
    certain[v] = plan_set_has(inside->certain, v);
    any = v;
    if (!need || need[v] || (left && left->maybe[v]) || sparql_frame_find(p->frame, v))
      vars[options->n_vars++] = v;
  }
  /* SELECT * would send all of them, only to be counted. */
  if (options->n_vars == 0 && any != SPARQL_NO_VAR) vars[options->n_vars++] = any;
  options->vars = vars;
  options->certain = certain;
  return QUOIN_OK;
}

static quoin_status
make_leaf(sparql_operator **out, planner *p, const service_options *options, double requests,
          quoin_error *err)
{
  quoin_status st = sparql_service_make(out, p->ctx, options, p->frame, err);
  if ((st = plan_made(p, st, *out, err))) return st;
  (*out)->rows = SERVICE_GUESS;
  (*out)->cost = COST_REQUEST * requests;
  return QUOIN_OK;
}

quoin_status
plan_service(sparql_operator **out, planner *p, const sparql_algebra *node, const bool *need,
             quoin_error *err)
{
  service_options options = {.node = node};
  quoin_status st = check_address(p, node, err);
  if (st) return st;
  if (address_is_free(p, node)) {
    quoin_span name = p->ctx->query->vars[node->node.var];
    return base_fail_pos(err, QUOIN_ERR_ARGUMENT, NULL, node->line, node->column,
                         "SERVICE ?%.*s: nothing in its group binds the variable", (int)name.len,
                         name.ptr);
  }
  if ((st = choose_vars(&options, p, NULL, need, err))) return st;
  return make_leaf(out, p, &options, 1, err);
}

static quoin_status
choose_keys(service_options *options, planner *p, const sparql_operator *left, quoin_error *err)
{
  sparql_var *keys = base_arena_new(&p->ctx->arena, p->n_vars + 1, sizeof(*keys));
  if (!keys) return base_fail_nomem(err);
  for (sparql_var v = 0; v < p->n_vars; v++)
    if (left->bound[v] && !sparql_frame_find(p->frame, v) &&
        (options->certain[v] || options->node->node.var == v))
      keys[options->n_keys++] = v;
  options->keys = keys;
  return QUOIN_OK;
}

/* `left` is collected already: its address variable is bound in every row. */
static quoin_status
make_seeded(sparql_operator **right, sparql_operator **seed, planner *p, service_options *options,
            const sparql_operator *left, quoin_error *err)
{
  quoin_status st = choose_keys(options, p, left, err);
  if (!st) st = sparql_seed_make(seed, p->ctx, options->keys, options->n_keys, p->frame, err);
  if ((st = plan_made(p, st, *seed, err))) return st;
  (*seed)->rows = left->rows < SPARQL_BATCH ? left->rows : SPARQL_BATCH;
  options->seed = *seed;
  return make_leaf(right, p, options, 1 + left->rows / SERVICE_ROWS, err);
}

quoin_status
plan_service_join(sparql_operator **out, planner *p, sparql_operator *left,
                  const sparql_algebra *node, hash_join_options join, const bool *need,
                  quoin_error *err)
{
  service_options options = {.node = node};
  sparql_operator *right = NULL, *rows = left;
  bool free_address = address_is_free(p, node), shared = free_address;
  quoin_status st = check_address(p, node, err);
  if (!st && free_address && !left->maybe[node->node.var])
    return plan_service(out, p, node, need, err); /* says what is wrong */
  if (st || (st = choose_vars(&options, p, left, need, err))) return st;
  for (sparql_var v = 0; v < p->n_vars && left->rows <= SERVICE_PUSH_MAX; v++)
    shared = shared || (left->bound[v] && options.certain[v] && !sparql_frame_find(p->frame, v));
  if (shared) {
    st = sparql_collect_make(&rows, p->ctx, left, node,
                             free_address ? node->node.var : SPARQL_NO_VAR, err);
    if ((st = plan_made(p, st, rows, err))) return st;
    st = make_seeded(&right, &join.seed, p, &options, rows, err);
  } else {
    st = make_leaf(&right, p, &options, 1, err);
    join.stable = !st && plan_is_stable(p, right);
  }
  if (st) return st;
  st = sparql_hash_join_make(out, p->ctx, rows, right, &join, need, p->frame, err);
  if ((st = plan_made(p, st, *out, err))) return st;
  (*out)->rows = left->rows;
  (*out)->cost = left->cost + right->cost;
  return QUOIN_OK;
}
