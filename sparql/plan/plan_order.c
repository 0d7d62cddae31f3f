/* sparql/plan/plan_order.c - in which order, and how, the members of a group are joined.
 *
 * Left-deep orders by beam search: of all ways to join k members the cheapest few are kept, one for
 * each set of members and sort order, and each is extended by every member that shares a variable.
 * With few members nothing is dropped, so that the search is the full dynamic programme; with many
 * the time stays bounded: a 10-pattern query must be planned in well under 0.3 ms. Sizes of joins:
 * |A| |B| / max(distinct values of the shared variable on either side), for each such variable. */
#include "sparql/plan/plan_build.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

enum { BEAM = 24 };

typedef struct beam {
  join_state *state;
  size_t n, cap;
} beam;

typedef struct order_search {
  plan_group *g;
  uint64_t *var_members; /* [n_vars] members that may bind the variable */
  uint64_t *filter_vars; /* unused bits */
  beam now, next;
} order_search;

/* ---- estimates --------------------------------------------------------------------------------
 */

static const member_var *
find_var(const plan_member *m, sparql_var var)
{
  for (size_t i = 0; i < m->n_vars; i++)
    if (m->vars[i].var == var) return &m->vars[i];
  return NULL;
}

/* Distinct values of `var` among the members of `mask`: the least, and no more than rows. */
static double
distinct_of(const order_search *s, const join_state *state, sparql_var var)
{
  double least = state->rows < 1 ? 1 : state->rows;
  uint64_t with = state->mask & s->var_members[var];
  for (; with; with &= with - 1) {
    const member_var *mv = find_var(&s->g->members[__builtin_ctzll(with)], var);
    if (mv && mv->distinct < least) least = mv->distinct;
  }
  return least;
}

/* Bound in every row that the members of `mask` make. */
static bool
certain_in(const order_search *s, uint64_t mask, sparql_var var)
{
  uint64_t with = mask & s->var_members[var];
  for (; with; with &= with - 1) {
    const member_var *mv = find_var(&s->g->members[__builtin_ctzll(with)], var);
    if (mv && mv->certain) return true;
  }
  return false;
}

typedef struct shared_vars {
  size_t n;     /* shared, certain on both sides */
  size_t loose; /* shared, but unbound in some rows */
  sparql_var first;
  double divisor; /* of |A| |B| */
  double lookups; /* distinct keys on the left */
} shared_vars;

static shared_vars
share(const order_search *s, const join_state *state, const plan_member *m)
{
  shared_vars out = {.first = SPARQL_NO_VAR, .divisor = 1, .lookups = 1};
  double right = 1;
  for (size_t i = 0; i < m->n_vars; i++) {
    const member_var *mv = &m->vars[i];
    if (!(state->mask & s->var_members[mv->var])) continue;
    if (!mv->certain || !certain_in(s, state->mask, mv->var)) {
      out.loose++;
      continue;
    }
    out.lookups *= distinct_of(s, state, mv->var);
    right *= mv->distinct;
    if (out.n++ == 0) out.first = mv->var;
  }
  /* There are no more combinations of values than rows. */
  if (out.lookups > state->rows) out.lookups = state->rows;
  if (right > m->rows) right = m->rows;
  out.divisor = out.lookups > right ? out.lookups : right;
  if (out.n == 0 || out.divisor < 1) out.divisor = 1;
  return out;
}

/* The share of rows that pass the filters which `mask` covers and `before` does not. */
static double
filter_share(const order_search *s, uint64_t before, uint64_t mask)
{
  double share = 1;
  for (size_t f = 0; f < s->g->n_filters; f++) {
    const plan_filter *filter = &s->g->filters[f];
    if (filter->applied || filter->after > 0) continue;
    bool covered = true, was = before != 0;
    for (sparql_var v = 0; v < s->g->p->n_vars && covered; v++) {
      if (!plan_set_has(filter->vars, v) || !s->var_members[v]) continue;
      covered = mask & s->var_members[v];
      was = was && before & s->var_members[v];
    }
    if (covered && !was) share *= filter->selects;
  }
  return share;
}

/* ---- the beam ---------------------------------------------------------------------------------
 */

/* The cost of as many rows as are wanted. */
static double
cost_of(const order_search *s, const join_state *state)
{
  double limit = (double)s->g->limit;
  if (limit >= state->rows) return state->cost;
  return state->startup + (state->cost - state->startup) * limit / state->rows;
}

static double
rank(const order_search *s, const join_state *state)
{
  return cost_of(s, state) + (s->g->limit == UINT64_MAX ? 4 * state->rows : 0);
}

static quoin_status
offer(order_search *s, const join_state *candidate, quoin_error *err)
{
  beam *b = &s->next;
  size_t worst = 0;
  for (size_t i = 0; i < b->n; i++) {
    join_state *have = &b->state[i];
    if (have->mask == candidate->mask && have->sorted == candidate->sorted) {
      if (rank(s, candidate) < rank(s, have)) *have = *candidate;
      return QUOIN_OK;
    }
    if (rank(s, have) > rank(s, &b->state[worst])) worst = i;
  }
  if (b->n < b->cap) {
    b->state[b->n++] = *candidate;
  } else if (rank(s, candidate) < rank(s, &b->state[worst])) {
    b->state[worst] = *candidate;
  }
  (void)err;
  return QUOIN_OK;
}

static double
range_share(const plan_group *g, sparql_var lead)
{
  double share = 1;
  for (size_t f = 0; f < g->n_filters && lead != SPARQL_NO_VAR; f++)
    if (!g->filters[f].applied && g->filters[f].has_range && g->filters[f].range.var == lead)
      share *= g->filters[f].selects;
  return share;
}

/* Each member alone, in each order that sorts it by another variable. */
static quoin_status
offer_bases(order_search *s, uint32_t member, quoin_error *err)
{
  const plan_member *m = &s->g->members[member];
  join_state base = {.mask = UINT64_C(1) << member,
                     .member = member,
                     .method = METHOD_BASE,
                     .sorted = SPARQL_NO_VAR,
                     .key = SPARQL_NO_VAR,
                     .cost = m->cost};
  base.rows = m->rows * filter_share(s, 0, base.mask);
  base.startup = m->kind == MEMBER_SCAN ? COST_OPEN : m->cost;
  if (m->kind != MEMBER_SCAN) {
    if (m->op && m->op->n_sorted) base.sorted = m->op->sorted[0];
    return offer(s, &base, err);
  }
  base.order = scan_spec_order(&m->spec, s->g->p->orders, NULL, 0);
  if (m->n_vars == 0) return offer(s, &base, err);
  for (size_t i = 0; i < m->n_vars; i++) {
    sparql_var lead = m->vars[i].var;
    base.order = scan_spec_order(&m->spec, s->g->p->orders, &lead, 1);
    base.sorted = scan_spec_sorted(&m->spec, base.order);
    base.cost = COST_OPEN + (m->cost - COST_OPEN) * range_share(s->g, base.sorted);
    if (base.sorted != SPARQL_NO_VAR && !s->g->need[base.sorted]) base.sorted = SPARQL_NO_VAR;
    quoin_status st = offer(s, &base, err);
    if (st) return st;
  }
  return QUOIN_OK;
}

/* ---- ways to join one more member -------------------------------------------------------------
 */

/* Lookups that an index join makes: each batch looks up its distinct keys. */
static double
lookups_of(double rows, double distinct)
{
  if (distinct < 1) distinct = 1;
  double batch = rows < SPARQL_BATCH ? rows : SPARQL_BATCH;
  double batches = rows / (batch < 1 ? 1 : batch);
  return batches * distinct * (1 - exp(-batch / distinct));
}

static quoin_status
offer_scan_joins(order_search *s, const join_state *state, const plan_member *m,
                 const shared_vars *shared, join_state *next, double out_rows, quoin_error *err)
{
  quoin_status st;
  double output = COST_ROW * out_rows;
  /* Look each key up. */
  if (shared->loose == 0 && shared->n > 0) {
    bool near = state->sorted != SPARQL_NO_VAR && state->sorted == shared->first && shared->n == 1;
    next->method = METHOD_INDEX;
    next->order = QUAD_ORDERS;
    next->sorted = near ? state->sorted : SPARQL_NO_VAR;
    double lookups = near ? shared->lookups : lookups_of(state->rows, shared->lookups);
    next->cost = state->cost + lookups * (near ? COST_LOOKUP_NEAR : COST_LOOKUP) +
                 state->rows * COST_ROW + output;
    next->startup = state->startup + COST_OPEN;
    if ((st = offer(s, next, err))) return st;
  }
  /* Merge, where both are sorted by a shared variable. */
  const member_var *mv = state->sorted == SPARQL_NO_VAR ? NULL : find_var(m, state->sorted);
  if (mv && shared->loose == 0 && certain_in(s, state->mask, mv->var)) {
    sparql_var lead = mv->var;
    quad_order order = scan_spec_order(&m->spec, s->g->p->orders, &lead, 1);
    if (scan_spec_sorted(&m->spec, order) == lead) {
      double keys = distinct_of(s, state, lead);
      double touched = keys * (COST_LOOKUP_NEAR + m->rows / mv->distinct);
      if (touched > m->rows) touched = m->rows;
      double left_cost = state->cost, left_rows = state->rows;
      if (state->before == NULL && s->g->members[state->member].kind == MEMBER_SCAN) {
        /* the left side is a scan too: it seeks as well */
        const plan_member *left = &s->g->members[state->member];
        const member_var *lv = find_var(left, lead);
        double seen = mv->distinct * (COST_LOOKUP_NEAR + left->rows / (lv ? lv->distinct : 1));
        if (seen < left_rows) left_rows = seen;
        if (COST_OPEN + seen < left_cost) left_cost = COST_OPEN + seen;
      }
      next->method = METHOD_MERGE;
      next->order = order;
      next->key = lead;
      next->sorted = state->sorted;
      next->cost = left_cost + COST_OPEN + COST_MERGE * (left_rows + touched) + output;
      next->startup = state->startup + COST_OPEN;
      if (shared->n > 1) { /* pairs that only the other variables tell apart */
        double most = keys > mv->distinct ? keys : mv->distinct;
        next->cost += state->rows * m->rows / most;
      }
      if ((st = offer(s, next, err))) return st;
    }
  }
  return QUOIN_OK;
}

static quoin_status
offer_joins(order_search *s, const join_state *state, uint32_t member, bool cross, quoin_error *err)
{
  const plan_member *m = &s->g->members[member];
  shared_vars shared = share(s, state, m);
  quoin_status st;
  if (shared.n + shared.loose == 0 && !cross) return QUOIN_OK;
  join_state next = {.before = state,
                     .mask = state->mask | UINT64_C(1) << member,
                     .member = member,
                     .key = SPARQL_NO_VAR,
                     .sorted = SPARQL_NO_VAR};
  double pairs = state->rows * m->rows / shared.divisor;
  next.rows = pairs * filter_share(s, state->mask, next.mask);
  if (m->kind == MEMBER_SCAN && (st = offer_scan_joins(s, state, m, &shared, &next, pairs, err)))
    return st;
  double output = COST_ROW * pairs;
  double compare = shared.n + shared.loose ? 0 : state->rows * m->rows; /* no key: all pairs */
  if (m->kind == MEMBER_PATH && shared.loose == 0) {
    next.method = METHOD_PATH;
    next.sorted = state->sorted;
    next.rows = shared.n ? state->rows * 3 : pairs;
    next.cost = state->cost + shared.lookups * COST_PATH + (shared.n ? 0 : m->cost) + output;
    next.startup = state->startup;
    if (shared.n || m->n_vars == 0)
      if ((st = offer(s, &next, err))) return st;
    next.rows = pairs;
  }
  next.startup = state->startup + m->cost + COST_KEEP * m->rows;
  next.method = METHOD_HASH_RIGHT;
  next.order = QUAD_ORDERS;
  next.sorted = state->sorted;
  next.cost =
      state->cost + m->cost + COST_KEEP * m->rows + COST_PROBE * state->rows + output + compare;
  if ((st = offer(s, &next, err))) return st;
  next.startup = state->cost + COST_KEEP * state->rows + COST_OPEN;
  next.method = METHOD_HASH_LEFT;
  next.sorted = SPARQL_NO_VAR;
  next.cost =
      state->cost + m->cost + COST_KEEP * state->rows + COST_PROBE * m->rows + output + compare;
  return offer(s, &next, err);
}

/* ---- the search -------------------------------------------------------------------------------
 */

static quoin_status
search_init(order_search *s, plan_group *g, quoin_error *err)
{
  base_arena *arena = &g->p->ctx->arena;
  *s = (order_search){.g = g};
  s->var_members = base_arena_new_zero(arena, g->p->n_vars + 1, sizeof(*s->var_members));
  if (!s->var_members) return base_fail_nomem(err);
  for (size_t i = 0; i < g->n_members; i++)
    for (size_t k = 0; k < g->members[i].n_vars; k++)
      s->var_members[g->members[i].vars[k].var] |= UINT64_C(1) << i;
  return QUOIN_OK;
}

static quoin_status
new_beam(order_search *s, size_t cap, quoin_error *err)
{
  s->now = s->next;
  s->next = (beam){.cap = cap};
  s->next.state = base_arena_new(&s->g->p->ctx->arena, cap, sizeof(join_state));
  return s->next.state ? QUOIN_OK : base_fail_nomem(err);
}

quoin_status
plan_order(const join_state **out, plan_group *g, quoin_error *err)
{
  order_search s;
  size_t n = g->n_members;
  assert(n > 0 && n <= PLAN_MEMBERS);
  quoin_status st = search_init(&s, g, err);
  if (st || (st = new_beam(&s, 4 * n, err))) return st;
  for (uint32_t i = 0; i < n; i++)
    if ((st = offer_bases(&s, i, err))) return st;
  for (size_t k = 1; k < n; k++) {
    if ((st = new_beam(&s, BEAM, err))) return st;
    for (int cross = 0; cross < 2 && s.next.n == 0; cross++)
      for (size_t b = 0; b < s.now.n; b++)
        for (uint32_t i = 0; i < n; i++)
          if (!(s.now.state[b].mask >> i & 1) &&
              (st = offer_joins(&s, &s.now.state[b], i, cross, err)))
            return st;
  }
  const join_state *best = &s.next.state[0];
  for (size_t b = 1; b < s.next.n; b++)
    if (cost_of(&s, &s.next.state[b]) < cost_of(&s, best)) best = &s.next.state[b];
  *out = best;
  return QUOIN_OK;
}
