/* sparql/operators/exists.c - EXISTS: the pattern as a plan whose parameters are the outer row
 * (SEP-0007).
 *
 * The values of the outer row are joined in at each pattern inside where the variable is in scope:
 * scans take them as constants and show them as columns, so that filters inside see them too. The
 * plan is made once for each set of variables that an outer row binds, which hardly ever is more
 * than one, and run to its first row. The answers for the last rows are remembered. */
#include "sparql/plan/plan_build.h"

#include <assert.h>

#include "base/poison.h"

enum { REMEMBERED = 256 }; /* answers, a power of two */

/* The plan for outer rows that bind the same variables. */
typedef struct exists_plan {
  struct exists_plan *next;
  bool *binds; /* [n_outer] */
  sparql_operator *root;
  sparql_param **param; /* those that are bound */
  size_t n_params;
  const atom_id **pulled;
} exists_plan;

typedef struct exists_state {
  sparql_var *outer; /* variables of the pattern that an outer row may give */
  size_t n_outer;
  atom_id *value; /* [n_outer] of the row at hand */
  bool *assigned; /* [n_outer] BIND, an aggregate or vec:nearest inside gives it a value: compared
                   * at the end
                   */
  exists_plan *plans;
  atom_id *known;  /* [REMEMBERED][n_outer] */
  uint8_t *answer; /* [REMEMBERED] 0: none, 1: false, 2: true */
} exists_state;

/* ---- which variables --------------------------------------------------------------------------
 */

static void assigned_by_expr(const sparql_expr *expr, bool *assigned);

static void
assigned_by_node(const sparql_algebra *node, bool *assigned)
{
  if (!node) return;
  if (node->op == ALGEBRA_EXTEND || node->op == ALGEBRA_NEAREST) assigned[node->var] = true;
  for (size_t i = 0; i < node->n_aggregates; i++)
    assigned[node->aggregates[i].var] = true;
  for (size_t i = 0; i < node->n_keys; i++)
    if (node->keys[i].expr) assigned[node->keys[i].var] = true;
  for (size_t i = 0; i < node->n_exprs; i++)
    assigned_by_expr(node->exprs[i], assigned);
  assigned_by_node(node->left, assigned);
  assigned_by_node(node->right, assigned);
}

static void
assigned_by_expr(const sparql_expr *expr, bool *assigned)
{
  if (expr->pattern) assigned_by_node(expr->pattern, assigned);
  for (size_t i = 0; i < expr->n_args; i++)
    assigned_by_expr(expr->args[i], assigned);
}

static quoin_status
state_make(exists_state **out, sparql_context *ctx, const sparql_expr *expr, quoin_error *err)
{
  base_arena *arena = &ctx->arena;
  size_t n_vars = ctx->query->n_vars;
  exists_state *state = base_arena_new_zero(arena, 1, sizeof(*state));
  bool *used = base_arena_new_zero(arena, n_vars + 1, sizeof(bool));
  bool *assigned = base_arena_new_zero(arena, n_vars + 1, sizeof(bool));
  if (!state || !used || !assigned) return base_fail_nomem(err);
  sparql_expr_vars(expr, used);
  assigned_by_node(expr->pattern, assigned);
  const sparql_executor *executor = ctx->exists_state;
  const sparql_active_graph *graph = &executor->graph[expr->pattern->index];
  if (graph->scope == QUAD_NAMED && graph->graph.var != SPARQL_NO_VAR)
    used[graph->graph.var] = true;
  state->outer = base_arena_new(arena, n_vars + 1, sizeof(sparql_var));
  state->assigned = base_arena_new_zero(arena, n_vars + 1, sizeof(bool));
  if (!state->outer || !state->assigned) return base_fail_nomem(err);
  for (sparql_var v = 0; v < n_vars; v++) {
    if (!used[v]) continue;
    state->assigned[state->n_outer] = assigned[v];
    state->outer[state->n_outer++] = v;
  }
  size_t n = state->n_outer + 1;
  state->value = base_arena_new_zero(arena, n, sizeof(atom_id));
  state->known = base_arena_new_zero(arena, n * REMEMBERED, sizeof(atom_id));
  state->answer = base_arena_new_zero(arena, REMEMBERED, sizeof(uint8_t));
  if (!state->value || !state->known || !state->answer) return base_fail_nomem(err);
  *out = state;
  return QUOIN_OK;
}

/* ---- plans ------------------------------------------------------------------------------------
 */

static bool
plan_fits(const exists_plan *plan, const exists_state *state)
{
  for (size_t i = 0; i < state->n_outer; i++)
    if (plan->binds[i] != (state->value[i].bits != 0)) return false;
  return true;
}

/* Values of the row at hand to the parameters, and to where path operators look for them. */
static void
set_params(exists_plan *plan, const exists_state *state, sparql_executor *executor)
{
  size_t k = 0;
  for (size_t i = 0; i < state->n_outer; i++) {
    if (!plan->binds[i] || state->assigned[i]) continue;
    sparql_param_set(plan->param[k++], state->value[i]);
    executor->params.value[state->outer[i]] = state->value[i];
  }
}

static quoin_status
plan_make(exists_plan **out, exists_state *state, sparql_context *ctx, const sparql_expr *expr,
          quoin_error *err)
{
  sparql_executor *executor = ctx->exists_state;
  base_arena *arena = &ctx->arena;
  planner p;
  exists_plan *plan = base_arena_new_zero(arena, 1, sizeof(*plan));
  if (!plan) return base_fail_nomem(err);
  plan->binds = base_arena_new_zero(arena, state->n_outer + 1, sizeof(bool));
  plan->param = base_arena_new_zero(arena, state->n_outer + 1, sizeof(*plan->param));
  bool *need = base_arena_new_zero(arena, ctx->query->n_vars + 1u, sizeof(bool));
  if (!plan->binds || !plan->param || !need) return base_fail_nomem(err);
  quoin_status st = planner_init(&p, ctx, err);
  if (st || (st = sparql_columns_make(&plan->pulled, ctx, err))) return st;
  const sparql_frame *frame = NULL; /* the row has the bindings from outside, where it shows them */
  for (size_t i = 0; p.frame && i < p.frame->n; i++) {
    bool again = false;
    for (size_t k = 0; k < state->n_outer; k++)
      again = again || (state->outer[k] == p.frame->param[i]->var && state->value[k].bits);
    if (!again && (st = plan_frame_extend(&frame, &p, frame, p.frame->param[i], err))) return st;
  }
  for (size_t i = 0; i < state->n_outer; i++) {
    plan->binds[i] = state->value[i].bits != 0;
    if (state->assigned[i]) need[state->outer[i]] = true;
    if (!plan->binds[i] || state->assigned[i]) continue;
    sparql_param **param = &plan->param[plan->n_params++];
    if ((st = sparql_param_make(param, ctx, state->outer[i], true, err))) return st;
    if ((st = plan_frame_extend(&frame, &p, frame, *param, err))) return st;
  }
  set_params(plan, state, executor);
  const sparql_active_graph *graph = &executor->graph[expr->pattern->index];
  st = plan_with_frame(&plan->root, &p, expr->pattern, graph, need, 1, frame, err);
  if (st) {
    planner_fail(&p);
    return st;
  }
  plan->next = state->plans;
  state->plans = plan;
  *out = plan;
  return QUOIN_OK;
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* Variables assigned inside must agree with the outer row. */
static bool
agrees(const exists_state *state, const sparql_batch *batch, size_t row)
{
  for (size_t i = 0; i < state->n_outer; i++) {
    const atom_id *column = batch->column[state->outer[i]];
    if (!state->assigned[i] || !state->value[i].bits || !column || !column[row].bits) continue;
    if (!atom_id_equal(column[row], state->value[i])) return false;
  }
  return true;
}

static quoin_status
run(bool *out, exists_plan *plan, const exists_state *state, quoin_error *err)
{
  quoin_status st = sparql_operator_rewind(plan->root, err);
  *out = false;
  while (!st && !*out) {
    sparql_batch batch;
    st = sparql_pull(&batch, plan->pulled, plan->root, err);
    for (size_t row = 0; !st && !*out && row < batch.rows; row++)
      *out = agrees(state, &batch, row);
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static size_t
slot_of(const exists_state *state)
{
  return base_hash(state->value, state->n_outer * sizeof(atom_id)) & (REMEMBERED - 1);
}

static quoin_status
answer(bool *out, exists_state *state, sparql_context *ctx, const sparql_expr *expr,
       quoin_error *err)
{
  sparql_executor *executor = ctx->exists_state;
  base_arena_mark here = base_arena_here(&ctx->scratch);
  atom_id *saved = base_arena_new(&ctx->scratch, state->n_outer + 1, sizeof(*saved));
  if (!saved) return base_fail_nomem(err);
  for (size_t i = 0; i < state->n_outer; i++)
    saved[i] = executor->params.value[state->outer[i]];
  exists_plan *plan = state->plans;
  quoin_status st = QUOIN_OK;
  while (plan && !plan_fits(plan, state))
    plan = plan->next;
  if (plan) {
    set_params(plan, state, executor);
  } else {
    st = plan_make(&plan, state, ctx, expr, err);
  }
  if (!st) st = run(out, plan, state, err);
  for (size_t i = 0; i < state->n_outer; i++)
    executor->params.value[state->outer[i]] = saved[i];
  base_arena_rewind(&ctx->scratch, here);
  return st;
}

quoin_status
sparql_exists_row(bool *out, sparql_context *ctx, const sparql_expr *expr,
                  const sparql_batch *batch, size_t row, quoin_error *err)
{
  sparql_executor *executor = ctx->exists_state;
  exists_state *state = executor->exists_states[expr->index];
  quoin_status st;
  if (!state) {
    if ((st = state_make(&state, ctx, expr, err))) return st;
    executor->exists_states[expr->index] = state;
  }
  for (size_t i = 0; i < state->n_outer; i++) {
    const atom_id *column = batch->column[state->outer[i]];
    state->value[i] = column ? column[row] : ATOM_NONE_ID;
  }
  size_t slot = slot_of(state), bytes = state->n_outer * sizeof(atom_id);
  atom_id *known = state->known + slot * state->n_outer;
  if (state->answer[slot] && memcmp(known, state->value, bytes) == 0) {
    *out = state->answer[slot] == 2;
  } else {
    if ((st = answer(out, state, ctx, expr, err))) return st;
    if (bytes) memcpy(known, state->value, bytes);
    state->answer[slot] = *out ? 2 : 1;
  }
  return QUOIN_OK;
}

void
sparql_exists_leave(const sparql_operator *op)
{
  sparql_executor *executor = op->ctx->exists_state;
  if (!executor || executor->root != op) return;
  executor->root = NULL;
  for (size_t i = 0; i < op->ctx->query->n_exprs; i++) {
    exists_state *state = executor->exists_states[i];
    for (exists_plan *plan = state ? state->plans : NULL; plan; plan = plan->next)
      sparql_operator_close(plan->root);
    executor->exists_states[i] = NULL;
  }
}
