/* sparql/plan/plan_build.h - what the files of the planner share.
 *
 * plan.c walks the algebra. plan_info.c knows which variables a node binds. plan_group.c gathers
 * the joins around a node into one group: members that may be joined in any order, then steps
 * (OPTIONAL, BIND, MINUS: plan_step.c) in written order, and filters that run as soon as their
 * variables are bound (EXISTS as a join: plan_exists.c). plan_member.c estimates members,
 * plan_order.c orders them, plan_join.c builds the operators. plan_shortcut.c answers counts from
 * the index. plan_plain.c is the planner with the optimiser off. */
#ifndef QUOIN_SPARQL_PLAN_PLAN_BUILD_H
#define QUOIN_SPARQL_PLAN_PLAN_BUILD_H

#include "sparql/operators/operators.h"

/* A set of variables: planner.words words of 64 bits. */
typedef uint64_t var_word;

/* Which variables the solutions of a node bind: in all of them, in some of them. */
typedef struct node_info {
  bool known;
  var_word *certain, *maybe;
} node_info;

typedef struct planner {
  sparql_context *ctx;
  sparql_executor *executor;
  const sparql_frame *frame;
  size_t n_vars, words;
  uint32_t orders; /* kept by the store */
  bool plain;      /* optimiser off */
  node_info *info; /* [n_nodes] */
  struct made_operator {
    sparql_operator *op;
    struct made_operator *next;
  } * made; /* all operators, to be closed when planning fails */
} planner;

/* ---- sets -------------------------------------------------------------------------------------
 */

quoin_status plan_set_make(var_word **out, const planner *p, quoin_error *err);

static inline bool
plan_set_has(const var_word *set, sparql_var v)
{
  return set[v / 64] >> (v % 64) & 1;
}

static inline void
plan_set_add(var_word *set, sparql_var v)
{
  set[v / 64] |= UINT64_C(1) << (v % 64);
}

static inline void
plan_set_unite(const planner *p, var_word *set, const var_word *other)
{
  for (size_t w = 0; w < p->words; w++)
    set[w] |= other[w];
}

/* Is a ∩ b within c? */
static inline bool
plan_set_meet_within(const planner *p, const var_word *a, const var_word *b, const var_word *c)
{
  for (size_t w = 0; w < p->words; w++)
    if (a[w] & b[w] & ~c[w]) return false;
  return true;
}

static inline bool
plan_set_empty(const planner *p, const var_word *set)
{
  for (size_t w = 0; w < p->words; w++)
    if (set[w]) return false;
  return true;
}

static inline bool
plan_set_meets(const planner *p, const var_word *a, const var_word *b)
{
  for (size_t w = 0; w < p->words; w++)
    if (a[w] & b[w]) return true;
  return false;
}

/* Add the variables mentioned in an expression. */
quoin_status plan_set_expr(var_word *set, const planner *p, const sparql_expr *expr,
                           quoin_error *err);

/* Set bits[v] for each variable that `expr` reads: also those inside EXISTS, and its active graph.
 */
void plan_expr_vars(const planner *p, const sparql_expr *expr, bool *bits);

/* ---- knowledge of nodes (plan_info.c) ---------------------------------------------------------
 */

quoin_status plan_node_info(const node_info **out, planner *p, const sparql_algebra *node,
                            quoin_error *err);

/* How a node inside GRAPH ?g meets the variable. */
typedef enum graph_use {
  GRAPH_NONE,   /* looks at no graph: the empty group, VALUES */
  GRAPH_COLUMN, /* each row comes from one graph and can show its name as a column */
  GRAPH_LOOP    /* must be evaluated once for each graph */
} graph_use;
graph_use plan_graph_use(const sparql_algebra *node);

/* ---- groups (plan_group.c) --------------------------------------------------------------------
 */

typedef enum member_kind {
  MEMBER_SCAN,
  MEMBER_PATH,
  MEMBER_PLAN, /* an operator of its own: op */
} member_kind;

typedef struct member_var {
  sparql_var var;
  double distinct; /* values, estimated */
  bool certain;
} member_var;

typedef struct plan_member {
  member_kind kind;
  const sparql_algebra *node;       /* PATH, PLAN */
  const sparql_triple *triple;      /* SCAN */
  const sparql_active_graph *graph; /* in force there */
  scan_spec spec;                   /* SCAN */
  sparql_operator *op;              /* PLAN */
  var_word *maybe;                  /* variables that are neither parameters nor fixed */
  member_var *vars;                 /* the same, with estimates */
  size_t n_vars;
  double rows, cost;
} plan_member;

typedef struct plan_step {
  const sparql_algebra *node; /* LEFT_JOIN, EXTEND, MINUS: without its left side; SERVICE */
  const sparql_active_graph *graph;
} plan_step;

typedef struct plan_filter {
  sparql_expr *expr;
  var_word *vars; /* those that the group can bind */
  size_t after;   /* steps in its scope */
  double selects; /* share of rows that pass, guessed */
  bool has_range;
  sparql_range range;
  bool applied;
} plan_filter;

typedef struct plan_group {
  planner *p;
  plan_member *members;
  size_t n_members, members_cap;
  plan_step *steps;
  size_t n_steps, steps_cap;
  plan_filter *filters;
  size_t n_filters, filters_cap;
  bool *asked;    /* [n_vars] what is used above, and by the steps */
  bool *need;     /* [n_vars] that, and what filters read and members share */
  uint64_t limit; /* rows wanted; UINT64_MAX: all */
} plan_group;

/* What plan_node makes of JOIN, BGP, FILTER and the like. `seed` (may be NULL) is one more member.
 * `pushed`: conditions that hold for the group. */
quoin_status plan_group_node(sparql_operator **out, planner *p, const sparql_algebra *node,
                             const sparql_active_graph *graph, const bool *need, uint64_t limit,
                             sparql_operator *seed, sparql_expr *const *pushed, size_t n_pushed,
                             quoin_error *err);

/* ---- constants with a language tag (plan_spelling.c) -------------------------------------------
 */

/* Where the constants of *triple stand for several stored terms: *out is the union of the scans.
 * Else *out is NULL, and *triple perhaps another one: with the one term that is stored. */
quoin_status plan_spelled_scan(sparql_operator **out, const sparql_triple **triple, planner *p,
                               const sparql_active_graph *graph, quoin_error *err);
/* The same for a path, whose end is also what is written; *out NULL: it stands for no other. */
quoin_status plan_spelled_path(sparql_operator **out, planner *p, const sparql_algebra *node,
                               const sparql_active_graph *graph, quoin_error *err);

/* ---- steps (plan_step.c), EXISTS (plan_exists.c) ----------------------------------------------
 */

/* What the rows of a step bind besides those before it: its right side, or a SERVICE; NULL: BIND.
 */
quoin_status plan_step_info(const node_info **out, planner *p, const sparql_algebra *node,
                            quoin_error *err);
quoin_status plan_apply_steps(sparql_operator **op, plan_group *g, const bool *need,
                              quoin_error *err);
/* `right`, the right side of OPTIONAL, MINUS or EXISTS, for the keys of one batch of `left` at a
 * time: *seed takes them. *out NULL: there are none. */
quoin_status plan_seeded(sparql_operator **out, sparql_operator **seed, planner *p,
                         const sparql_algebra *right, const sparql_active_graph *graph,
                         const sparql_operator *left, const bool *need, sparql_expr *const *pushed,
                         size_t n_pushed, quoin_error *err);
/* The EXISTS or NOT EXISTS that `expr` is, or negates; NULL: none. *negated: true where the pattern
 * has no solution. */
const sparql_expr *plan_exists_of(bool *negated, const sparql_expr *expr);
/* Such an expression over the rows of *op as a semi-join or anti-join, where that means the same
 * and costs less than a look for each row (plan_exists.c). *done: it was. */
quoin_status plan_exists_join(bool *done, sparql_operator **op, plan_group *g,
                              const sparql_expr *expr, quoin_error *err);

/* Members, steps and filters of `node` with their estimates: what plan_group_node begins with. */
quoin_status plan_group_gather(plan_group *g, planner *p, const sparql_algebra *node,
                               const sparql_active_graph *graph, const bool *need, uint64_t limit,
                               sparql_operator *seed, sparql_expr *const *pushed, size_t n_pushed,
                               quoin_error *err);
/* The operators of what was gathered. */
quoin_status plan_group_build(sparql_operator **out, plan_group *g, const bool *need,
                              quoin_error *err);
/* The group of a vec:nearest whose `item` and `query` are variables (plan_split.c): *items alone,
 * or where the two have nothing to do with each other the product of *items, which binds the item,
 * and *queries. *not_itself: rows where they are the same are still to be dropped. */
quoin_status plan_group_split(sparql_operator **items, sparql_operator **queries, bool *not_itself,
                              planner *p, const sparql_algebra *node,
                              const sparql_active_graph *graph, const bool *need, sparql_var item,
                              sparql_var query, quoin_error *err);

/* ---- members, order, joins --------------------------------------------------------------------
 */

quoin_status plan_member_scan(plan_member *m, planner *p, quoin_error *err);
quoin_status plan_member_estimate(plan_member *m, plan_group *g, quoin_error *err);

typedef enum join_method {
  METHOD_BASE,
  METHOD_INDEX,
  METHOD_MERGE,
  METHOD_HASH_RIGHT, /* keep the member */
  METHOD_HASH_LEFT,  /* keep what there was, probe with the member */
  METHOD_PATH        /* a path from the rows there are */
} join_method;

/* One way to join a set of members: the last member joined to what `before` makes. */
typedef struct join_state {
  const struct join_state *before;
  uint64_t mask;
  uint32_t member;
  join_method method;
  quad_order order;  /* of the member, if a scan */
  sparql_var key;    /* MERGE: the variable; else of no meaning */
  sparql_var sorted; /* rows come sorted by it; SPARQL_NO_VAR */
  double rows, cost;
  double startup; /* of the cost: before the first row */
} join_state;

enum { PLAN_MEMBERS = 60 }; /* that one mask can hold, with room to spare */

/* The cheapest order of the members (1..PLAN_MEMBERS of them). */
quoin_status plan_order(const join_state **out, plan_group *g, quoin_error *err);
/* The operators of that order, with the filters that they allow. */
quoin_status plan_build_joins(sparql_operator **out, plan_group *g, const join_state *state,
                              quoin_error *err);
/* A member that is a scan, in an order, with the filters that it allows. */
quoin_status plan_build_scan(sparql_operator **out, plan_group *g, const plan_member *m,
                             quad_order order, const bool *need, quoin_error *err);
/* Wrap *op in the filters whose variables it binds, and those whose steps are all done. */
quoin_status plan_apply_filters(sparql_operator **op, plan_group *g, size_t steps_done, bool core,
                                quoin_error *err);

/* Does `op` (may be NULL) give the same rows after each rewind? */
bool plan_is_stable(const planner *p, const sparql_operator *op);

/* Work in rows touched in sequence (measured: see docs/adrs/0007-executor.md). */
#define COST_OPEN 100.0        /* to open a scan */
#define COST_LOOKUP 250.0      /* to find a key elsewhere in an index */
#define COST_LOOKUP_NEAR 120.0 /* keys ascend over the whole join */
#define COST_KEEP 20.0         /* to put a row into a hash table */
#define COST_PROBE 8.0
#define COST_MERGE 3.0 /* a row of either side */
#define COST_ROW 3.0   /* a row of output */
#define COST_FILTER 5.0
#define COST_PATH 2000.0   /* a search from one node */
#define COST_EXISTS 1500.0 /* a look for one row of an EXISTS */

/* ---- the walk (plan.c) ------------------------------------------------------------------------
 */

quoin_status plan_node(sparql_operator **out, planner *p, const sparql_algebra *node,
                       const sparql_active_graph *graph, const bool *need, uint64_t limit,
                       quoin_error *err);
/* Do both sides of a MINUS bind a parameter in every row, other than `graph`? Then their domains
 * meet. */
quoin_status plan_minus_overlap(bool *out, planner *p, const sparql_algebra *node, sparql_var graph,
                                quoin_error *err);
/* With the optimiser off: joins in written order, every column, no filter moved. */
quoin_status plan_plain_node(sparql_operator **out, planner *p, const sparql_algebra *node,
                             const sparql_active_graph *graph, quoin_error *err);
/* Count *op among the made ones if st is OK; pass st on. */
quoin_status plan_made(planner *p, quoin_status st, sparql_operator *op, quoin_error *err);
/* A copy of `need` (NULL: all variables) that may be changed. */
quoin_status plan_need_copy(bool **out, const planner *p, const bool *need, quoin_error *err);
quoin_status plan_need_expr(bool *need, const planner *p, const sparql_expr *expr,
                            quoin_error *err);
/* Check that an expression is executed and note the active graph for the EXISTS within. */
quoin_status plan_expr(planner *p, const sparql_expr *expr, const sparql_active_graph *graph,
                       quoin_error *err);
/* The active graph inside an ALGEBRA_GRAPH. */
quoin_status plan_graph_scope(sparql_active_graph *out, planner *p, const sparql_algebra *node,
                              quoin_error *err);
/* GROUP answered by the index: *out stays NULL when it cannot be. */
quoin_status plan_shortcut_group(sparql_operator **out, planner *p, const sparql_algebra *node,
                                 const sparql_active_graph *graph, quoin_error *err);
/* GROUP that asks for numbers of solutions alone, of joins that form a tree (plan_count.c):
 * likewise. */
quoin_status plan_count_group(sparql_operator **out, planner *p, const sparql_algebra *node,
                              const sparql_active_graph *graph, quoin_error *err);
/* DISTINCT of one variable of one pattern likewise. */
quoin_status plan_shortcut_distinct(sparql_operator **out, planner *p, const sparql_algebra *node,
                                    const sparql_active_graph *graph, quoin_error *err);
/* ---- SERVICE (service_plan.c) -----------------------------------------------------------------
 */

/* By itself: all solutions of the group. */
quoin_status plan_service(sparql_operator **out, planner *p, const sparql_algebra *node,
                          const bool *need, quoin_error *err);
/* Joined with the rows of `left`, whose keys are sent where that is worth it. Of `join` the seed
 * and `stable` are filled in. */
quoin_status plan_service_join(sparql_operator **out, planner *p, sparql_operator *left,
                               const sparql_algebra *node, hash_join_options join, const bool *need,
                               quoin_error *err);
/* Is there a SERVICE at or below `node` whose address must come from outside? May say yes where it
 * need not. */
bool plan_service_waits(const planner *p, const sparql_algebra *node);
/* The information on `node`, of a SERVICE that on its group: what a request without failure binds.
 */
quoin_status plan_service_certain(const node_info **out, planner *p, const sparql_algebra *node,
                                  quoin_error *err);

/* ---- vec:nearest (vec_plan.c) -----------------------------------------------------------------
 */

quoin_status plan_nearest(sparql_operator **out, planner *p, const sparql_algebra *node,
                          const sparql_active_graph *graph, const bool *need, quoin_error *err);

/* A plan with its own parameters, for EXISTS and GRAPH ?g: restores p->frame. */
quoin_status plan_with_frame(sparql_operator **out, planner *p, const sparql_algebra *node,
                             const sparql_active_graph *graph, const bool *need, uint64_t limit,
                             const sparql_frame *frame, quoin_error *err);
/* Show the parameters that no column of `op` has, as above a sub-SELECT that does not give them:
 * FILTERs of the group see them all the same (SEP-0007). */
quoin_status plan_show_frame(sparql_operator **op, planner *p, quoin_error *err);
/* `frame` and one more parameter. */
quoin_status plan_frame_extend(const sparql_frame **out, planner *p, const sparql_frame *frame,
                               sparql_param *param, quoin_error *err);
quoin_status planner_init(planner *p, sparql_context *ctx, quoin_error *err);
void planner_fail(planner *p); /* close all that was made */

#endif /* QUOIN_SPARQL_PLAN_PLAN_BUILD_H */
