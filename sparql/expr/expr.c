/* sparql/expr/expr.c - expressions over batches.
 *
 * Truth is worked out for a list of rows at a time: && and || narrow the list, comparisons of
 * variables and constants look at ids (expr_ids.c), the rest goes row by row through expr_eval. A
 * row with the same ids as the one before has its result, and the terms of rows to come are
 * prefetched. */
#include "sparql/expr/expr.h"

#include "sparql/expr/expr_eval.h"
#include "sparql/expr/expr_ids.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

enum { PREFETCH_AHEAD = 8 };

/* A variable's column or a constant. */
typedef struct operand {
  const atom_id *column; /* NULL: `id` in every row */
  atom_id id;
} operand;

static inline atom_id
operand_at(const operand *o, size_t row)
{
  return o->column ? o->column[row] : o->id;
}

/* False in *simple when it is neither. */
static quoin_status
operand_of(operand *out, bool *simple, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  *simple = true;
  *out = (operand){.column = NULL};
  if (e->op == EXPR_VAR) {
    out->column = ev->batch->column[e->var];
    return QUOIN_OK;
  }
  expr_info *info;
  quoin_status st = expr_info_get(&info, ev->ctx, e, err);
  if (st) return st;
  *simple = info->constant;
  if (!info->constant) return QUOIN_OK;
  sparql_value v;
  if (!(st = expr_eval(&v, ev, e, err))) out->id = v.id; /* constants have their id */
  return st;
}

static quoin_status truth_of(int8_t *out, sparql_eval *ev, const sparql_expr *e,
                             const uint32_t *rows, size_t n, quoin_error *err);

/* ---- row by row ---- */

/* The variables of `info` have the same ids in both rows. */
static bool
same_ids(const sparql_eval *ev, const expr_info *info, size_t a, size_t b)
{
  for (uint32_t i = 0; i < info->n_vars; i++) {
    const atom_id *column = ev->batch->column[info->vars[i]];
    if (column && !atom_id_equal(column[a], column[b])) return false;
  }
  return true;
}

static void
prefetch(const sparql_eval *ev, const expr_info *info, size_t row)
{
  if (!ev->ctx->atoms) return;
  for (uint32_t i = 0; i < info->n_vars && i < 2; i++) {
    const atom_id *column = ev->batch->column[info->vars[i]];
    if (!column) continue;
    atom_kind kind = atom_id_kind(column[row]);
    if (kind >= ATOM_IRI && kind <= ATOM_BOOLTEXT) atom_prefetch(ev->ctx->atoms, column[row]);
  }
}

static quoin_status
truth_by_row(int8_t *out, sparql_eval *ev, const sparql_expr *e, const uint32_t *rows, size_t n,
             quoin_error *err)
{
  expr_info *info;
  quoin_status st = expr_info_get(&info, ev->ctx, e, err);
  base_arena_mark mark = base_arena_here(ev->arena);
  for (size_t i = 0; i < n && !st; i++) {
    int truth = -1;
    if (i && info->pure && same_ids(ev, info, rows[i - 1], rows[i])) {
      out[i] = out[i - 1];
      continue;
    }
    if (i + PREFETCH_AHEAD < n) prefetch(ev, info, rows[i + PREFETCH_AHEAD]);
    ev->row = rows[i];
    if ((st = base_cancel_check(&ev->ctx->cancel, err))) break;
    st = expr_eval_ebv(&truth, ev, e, err);
    out[i] = (int8_t)truth;
    base_arena_rewind(ev->arena, mark);
  }
  return st;
}

/* ---- by lists of rows ---- */

static quoin_status
truth_logic(int8_t *out, sparql_eval *ev, const sparql_expr *e, const uint32_t *rows, size_t n,
            quoin_error *err)
{
  const int8_t decides = e->op == EXPR_OR;
  uint32_t *live = base_arena_new(ev->arena, n + 1, sizeof(*live));
  uint32_t *place = base_arena_new(ev->arena, n + 1, sizeof(*place));
  int8_t *truth = base_arena_new(ev->arena, n + 1, sizeof(*truth));
  if (!live || !place || !truth) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    live[i] = rows[i];
    place[i] = (uint32_t)i;
    out[i] = !decides;
  }
  size_t n_live = n;
  for (size_t arg = 0; arg < e->n_args && n_live; arg++) {
    quoin_status st = truth_of(truth, ev, e->args[arg], live, n_live, err);
    if (st) return st;
    size_t kept = 0;
    for (size_t i = 0; i < n_live; i++) {
      if (truth[i] == decides) {
        out[place[i]] = decides;
        continue;
      }
      if (truth[i] < 0) out[place[i]] = -1;
      live[kept] = live[i];
      place[kept++] = place[i];
    }
    n_live = kept;
  }
  return QUOIN_OK;
}

static int8_t
order_truth(sparql_op op, int order)
{
  if (order == VALUE_INCOMPARABLE) return -1;
  if (order == VALUE_UNORDERED) return 0;
  return op == EXPR_LT   ? order < 0
         : op == EXPR_GT ? order > 0
         : op == EXPR_LE ? order <= 0
                         : order >= 0;
}

static bool
compare_ids(int8_t *out, sparql_op op, atom_id a, atom_id b)
{
  int r;
  if (op == EXPR_EQ || op == EXPR_NE) {
    if (!expr_ids_equal(&r, a, b)) return false;
    *out = (int8_t)(r < 0 ? -1 : op == EXPR_EQ ? r : !r);
    return true;
  }
  if (!expr_ids_order(&r, a, b)) return false;
  *out = order_truth(op, r);
  return true;
}

/* Against a whole number: the ids of inline integers compare as the numbers do. False where another
 * kind is met: *at is its place. */
static bool
compare_integers(int8_t *out, size_t *at, sparql_op op, const atom_id *column, atom_id limit,
                 const uint32_t *rows, size_t n)
{
  for (size_t i = *at; i < n; i++) {
    atom_id id = column[rows[i]];
    if (atom_id_kind(id) != ATOM_INTEGER) {
      *at = i;
      return false;
    }
    int order = (id.bits > limit.bits) - (id.bits < limit.bits);
    out[i] = op == EXPR_EQ ? order == 0 : op == EXPR_NE ? order != 0 : order_truth(op, order);
  }
  *at = n;
  return true;
}

static quoin_status
truth_compare(int8_t *out, sparql_eval *ev, const sparql_expr *e, const uint32_t *rows, size_t n,
              quoin_error *err)
{
  operand a, b;
  bool simple_a, simple_b = false;
  quoin_status st = operand_of(&a, &simple_a, ev, e->args[0], err);
  if (!st && simple_a) st = operand_of(&b, &simple_b, ev, e->args[1], err);
  if (st) return st;
  if (!simple_a || !simple_b) return truth_by_row(out, ev, e, rows, n, err);
  bool integers = a.column && !b.column && atom_id_kind(b.id) == ATOM_INTEGER;
  for (size_t i = 0; i < n; i++) {
    if (integers && compare_integers(out, &i, e->op, a.column, b.id, rows, n)) break;
    atom_id x = operand_at(&a, rows[i]), y = operand_at(&b, rows[i]);
    if (compare_ids(&out[i], e->op, x, y)) continue;
    size_t run = i + 1; /* the undecided rows in one go */
    int8_t unused;
    while (run < n &&
           !compare_ids(&unused, e->op, operand_at(&a, rows[run]), operand_at(&b, rows[run])))
      run++;
    if ((st = truth_by_row(out + i, ev, e, rows + i, run - i, err))) return st;
    i = run - 1;
  }
  return QUOIN_OK;
}

/* ---- IN over constants ---- */

static int
compare_bits(const void *a, const void *b)
{
  const atom_id *x = a, *y = b;
  return (x->bits > y->bits) - (x->bits < y->bits);
}

/* Constants that are all IRIs, or all stored strings: membership is by id. */
static quoin_status
in_set(expr_info *info, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  size_t n = e->n_args - 1;
  info->set_known = true;
  if (n == 0) return QUOIN_OK;
  atom_id *set = base_arena_new(&ev->ctx->arena, n, sizeof(*set));
  if (!set) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    expr_info *arg;
    sparql_value v;
    quoin_status st = expr_info_get(&arg, ev->ctx, e->args[i + 1], err);
    if (st) return st;
    if (!arg->constant) return QUOIN_OK;
    if ((st = expr_eval(&v, ev, e->args[i + 1], err))) return st;
    if (v.kind != VALUE_IRI && v.kind != VALUE_STRING) return QUOIN_OK;
    if (i && info->set_strings != (v.kind == VALUE_STRING)) return QUOIN_OK;
    info->set_strings = v.kind == VALUE_STRING;
    set[i] = v.id;
  }
  qsort(set, n, sizeof(*set), compare_bits);
  info->set = set;
  info->n_set = n;
  return QUOIN_OK;
}

static quoin_status
truth_in(int8_t *out, sparql_eval *ev, const sparql_expr *e, const uint32_t *rows, size_t n,
         quoin_error *err)
{
  expr_info *info;
  quoin_status st = expr_info_get(&info, ev->ctx, e, err);
  if (!st && !info->set_known && e->args[0]->op == EXPR_VAR) st = in_set(info, ev, e, err);
  if (st) return st;
  if (!info->set || e->args[0]->op != EXPR_VAR) return truth_by_row(out, ev, e, rows, n, err);
  const int8_t yes = e->op == EXPR_IN;
  const atom_id *column = ev->batch->column[e->args[0]->var];
  for (size_t i = 0; i < n; i++) {
    atom_id id = column ? column[rows[i]] : ATOM_NONE_ID;
    atom_kind kind = atom_id_kind(id);
    if (kind == ATOM_NONE) {
      out[i] = -1;
    } else if (bsearch(&id, info->set, info->n_set, sizeof(id), compare_bits)) {
      out[i] = yes;
    } else if (info->set_strings && (kind == ATOM_TYPED || kind == ATOM_LOCAL ||
                                     (kind >= ATOM_NUMERIC && kind < ATOM_DOUBLE))) {
      if ((st = truth_by_row(out + i, ev, e, rows + i, 1, err))) return st; /* may be an error */
    } else {
      out[i] = !yes;
    }
  }
  return QUOIN_OK;
}

/* ---- tests of the kind ---- */

/* isIRI and the like of a variable. False: a local or interned id whose value must be read. */
static bool
kind_truth(int8_t *out, sparql_builtin test, atom_id id)
{
  atom_kind kind = atom_id_kind(id);
  *out = -1;
  if (kind == ATOM_NONE) return true;
  if (kind == ATOM_LOCAL) return false;
  if (test == FN_ISIRI)
    *out = kind == ATOM_IRI;
  else if (test == FN_ISBLANK)
    *out = kind == ATOM_BLANK;
  else if (test == FN_ISLITERAL)
    *out = kind != ATOM_IRI && kind != ATOM_BLANK;
  else if (kind == ATOM_NUMERIC)
    return false; /* may be ill-typed */
  else
    *out =
        kind == ATOM_INTEGER || kind == ATOM_DECIMAL || kind == ATOM_DOUBLE || kind == ATOM_FLOAT;
  return true;
}

static quoin_status
truth_builtin(int8_t *out, sparql_eval *ev, const sparql_expr *e, const uint32_t *rows, size_t n,
              quoin_error *err)
{
  bool bound = e->builtin == FN_BOUND;
  bool kinds = e->builtin == FN_ISIRI || e->builtin == FN_ISBLANK || e->builtin == FN_ISLITERAL ||
               e->builtin == FN_ISNUMERIC;
  if ((!bound && !kinds) || e->args[0]->op != EXPR_VAR)
    return truth_by_row(out, ev, e, rows, n, err);
  const atom_id *column = ev->batch->column[e->args[0]->var];
  for (size_t i = 0; i < n; i++) {
    atom_id id = column ? column[rows[i]] : ATOM_NONE_ID;
    if (bound) {
      out[i] = id.bits != 0;
    } else if (!kind_truth(&out[i], e->builtin, id)) {
      quoin_status st = truth_by_row(out + i, ev, e, rows + i, 1, err);
      if (st) return st;
    }
  }
  return QUOIN_OK;
}

static quoin_status
truth_of(int8_t *out, sparql_eval *ev, const sparql_expr *e, const uint32_t *rows, size_t n,
         quoin_error *err)
{
  switch ((int)e->op) {
  case EXPR_OR:
  case EXPR_AND:
    return truth_logic(out, ev, e, rows, n, err);
  case EXPR_NOT: {
    quoin_status st = truth_of(out, ev, e->args[0], rows, n, err);
    for (size_t i = 0; i < n && !st; i++)
      if (out[i] >= 0) out[i] = !out[i];
    return st;
  }
  case EXPR_EQ:
  case EXPR_NE:
  case EXPR_LT:
  case EXPR_GT:
  case EXPR_LE:
  case EXPR_GE:
    return truth_compare(out, ev, e, rows, n, err);
  case EXPR_IN:
  case EXPR_NOT_IN:
    return truth_in(out, ev, e, rows, n, err);
  case EXPR_BUILTIN:
    return truth_builtin(out, ev, e, rows, n, err);
  default:
    return truth_by_row(out, ev, e, rows, n, err);
  }
}

/* Truth of all rows of the batch, in the arena of `ev`. */
static quoin_status
truth_of_batch(int8_t **out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  size_t n = ev->batch->rows;
  uint32_t *rows = base_arena_new(ev->arena, n + 1, sizeof(*rows));
  *out = base_arena_new(ev->arena, n + 1, sizeof(**out));
  if (!rows || !*out) return base_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    rows[i] = (uint32_t)i;
  return truth_of(*out, ev, e, rows, n, err);
}

static sparql_eval
eval_begin(sparql_context *ctx, const sparql_batch *batch)
{
  return (sparql_eval){.ctx = ctx,
                       .run = ctx->expr_cache[ctx->query->n_exprs],
                       .arena = expr_runtime_scratch(ctx),
                       .batch = batch};
}

quoin_status
sparql_expr_filter(uint32_t *selected, size_t *n_selected, sparql_context *ctx,
                   const sparql_expr *expr, const sparql_batch *batch, quoin_error *err)
{
  sparql_eval ev = eval_begin(ctx, batch);
  base_arena_mark mark = base_arena_here(ev.arena);
  int8_t *truth;
  size_t n = 0;
  quoin_status st = truth_of_batch(&truth, &ev, expr, err);
  for (size_t i = 0; i < batch->rows && !st; i++) {
    selected[n] = (uint32_t)i;
    n += truth[i] > 0;
  }
  *n_selected = n;
  base_arena_rewind(ev.arena, mark);
  return st;
}

/* ---- columns ---- */

/* Sums, differences and products of inline integers. False: by the general way. */
static bool
integer_result(atom_id *out, sparql_op op, atom_id a, atom_id b)
{
  int64_t r;
  if (atom_id_kind(a) != ATOM_INTEGER || atom_id_kind(b) != ATOM_INTEGER) return false;
  int64_t x = atom_inline_get_integer(a), y = atom_inline_get_integer(b);
  bool over = op == EXPR_ADD   ? __builtin_add_overflow(x, y, &r)
              : op == EXPR_SUB ? __builtin_sub_overflow(x, y, &r)
                               : __builtin_mul_overflow(x, y, &r);
  if (over) return false;
  *out = atom_inline_integer(r);
  return out->bits != 0;
}

static quoin_status
column_by_row(atom_id *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  expr_info *info;
  operand a = {0}, b = {0};
  bool simple = e->op == EXPR_ADD || e->op == EXPR_SUB || e->op == EXPR_MUL;
  quoin_status st = expr_info_get(&info, ev->ctx, e, err);
  if (!st && simple) st = operand_of(&a, &simple, ev, e->args[0], err);
  if (!st && simple) st = operand_of(&b, &simple, ev, e->args[1], err);
  base_arena_mark mark = base_arena_here(ev->arena);
  for (size_t i = 0; i < ev->batch->rows && !st; i++) {
    sparql_value v;
    if (simple && integer_result(&out[i], e->op, operand_at(&a, i), operand_at(&b, i))) continue;
    if (i && info->pure && same_ids(ev, info, i - 1, i)) {
      out[i] = out[i - 1];
      continue;
    }
    if (i + PREFETCH_AHEAD < ev->batch->rows) prefetch(ev, info, i + PREFETCH_AHEAD);
    ev->row = i;
    if ((st = base_cancel_check(&ev->ctx->cancel, err))) break;
    if (!(st = expr_eval(&v, ev, e, err))) st = value_id(&out[i], &v, ev->ctx, ev->arena, err);
    base_arena_rewind(ev->arena, mark);
  }
  return st;
}

static quoin_status
column_of_truth(atom_id *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  const atom_id ids[3] = {ATOM_NONE_ID, atom_inline_boolean(false), atom_inline_boolean(true)};
  int8_t *truth;
  quoin_status st = truth_of_batch(&truth, ev, e, err);
  for (size_t i = 0; i < ev->batch->rows && !st; i++)
    out[i] = ids[truth[i] + 1];
  return st;
}

quoin_status
sparql_expr_column(atom_id *out, sparql_context *ctx, const sparql_expr *expr,
                   const sparql_batch *batch, quoin_error *err)
{
  if (batch->rows == 0) return QUOIN_OK;
  sparql_eval ev = eval_begin(ctx, batch);
  base_arena_mark mark = base_arena_here(ev.arena);
  operand o;
  bool simple;
  quoin_status st = operand_of(&o, &simple, &ev, expr, err);
  if (st) goto done;
  if (simple) {
    for (size_t i = 0; i < batch->rows; i++)
      out[i] = operand_at(&o, i);
  } else if ((expr->op >= EXPR_OR && expr->op <= EXPR_NOT_IN)) {
    st = column_of_truth(out, &ev, expr, err);
  } else {
    st = column_by_row(out, &ev, expr, err);
  }

done:
  base_arena_rewind(ev.arena, mark);
  return st;
}
