/* sparql/operators/aggregate.c - COUNT SUM AVG MIN MAX SAMPLE GROUP_CONCAT (SPARQL 1.1
 * section 18.5.1).
 *
 * Only COUNT leaves errors and unbound values out of its multiset: one of them, or a value that is
 * no number, poisons SUM and AVG, and one of them or a blank node, which has no string,
 * GROUP_CONCAT. MIN and MAX order as ORDER BY does, where an error comes first: it is the minimum,
 * and the maximum of nothing else. SAMPLE takes a value where there is one. SUM and AVG keep an
 * exact sum until the first float or double. */
#include "sparql/expr/expr_eval.h"
#include "sparql/operators/order_key.h"

#include <assert.h>

#include "base/poison.h"

typedef struct best {
  atom_id id;
  sparql_sort_key key; /* made when the first comparison needs it; its text is `text` */
  bool has_key;
  char *text;
  size_t cap;
} best;

typedef struct sum {
  value_kind kind; /* 0: nothing yet, then the type so far */
  sparql_number exact;
  double dbl;
  float single;
  mp_limb_t *limbs; /* of `exact` when it is big */
  size_t cap;
} sum;

typedef enum held { HOLDS_NOTHING, HOLDS_SUM, HOLDS_BEST, HOLDS_TEXT } held;

struct sparql_aggregate_state {
  uint64_t count; /* values taken, without errors */
  bool poisoned;
  uint8_t holds; /* held: which member has memory to free */
  union {
    sum sum;
    best best;
    atom_id sample;
    struct {
      char *data;
      size_t len, cap;
    } text;
  };
};

size_t
sparql_aggregate_size(const sparql_expr *aggregate)
{
  return aggregate->aggregate == AGG_COUNT ? offsetof(sparql_aggregate_state, sum)
                                           : sizeof(sparql_aggregate_state);
}

/* ---- SUM, AVG ---- */

/* The exact sum becomes `n`, whose limbs are in an arena. */
static quoin_status
keep_exact(sparql_aggregate_state *state, const sparql_number *n, sparql_context *ctx,
           quoin_error *err)
{
  sum *s = &state->sum;
  s->exact = *n;
  if (!n->big) return QUOIN_OK;
  size_t limbs = (size_t)(n->limbs < 0 ? -n->limbs : n->limbs), had = s->cap;
  void *items = s->limbs;
  if (!base_reserve(ctx->mem, &items, &s->cap, limbs, sizeof(*s->limbs)))
    return base_fail_nomem(err);
  s->limbs = items;
  state->holds = HOLDS_SUM;
  memmove(s->limbs, n->big, limbs * sizeof(*s->limbs));
  s->exact.big = s->limbs;
  return sparql_charge(ctx, (int64_t)((s->cap - had) * sizeof(*s->limbs)), err);
}

/* Inline integers, and decimals of the scale the sum has: no value is made. */
static bool
sum_inline(sum *s, atom_id id, uint64_t times)
{
  atom_kind kind = atom_id_kind(id);
  int64_t unscaled;
  int scale = 0;
  if (s->exact.big || s->kind > VALUE_DECIMAL || times > INT32_MAX) return false;
  if (kind == ATOM_INTEGER)
    unscaled = atom_inline_get_integer(id);
  else if (kind == ATOM_DECIMAL)
    atom_inline_get_decimal(&unscaled, &scale, id);
  else
    return false;
  if ((uint32_t)scale != s->exact.scale) return false;
  number_wide total, add = (number_wide)unscaled * (int64_t)times;
  const number_wide most = (number_wide)(((number_uwide)1 << 127) - 1);
  if (__builtin_add_overflow(s->exact.small, add, &total) || total < -most) return false;
  s->exact.small = total;
  if (kind == ATOM_DECIMAL) s->kind = VALUE_DECIMAL;
  if (!s->kind) s->kind = VALUE_INTEGER;
  return true;
}

static quoin_status
sum_exact(sparql_aggregate_state *state, const sparql_value *v, uint64_t times, sparql_context *ctx,
          base_arena *arena, quoin_error *err)
{
  sum *s = &state->sum;
  sparql_number term = v->number, factor = {.small = (number_wide)times}, total;
  quoin_status st = times == 1 ? QUOIN_OK : number_mul(&term, &term, &factor, arena, err);
  if (!st) st = number_add(&total, &s->exact, &term, arena, err);
  if (!st) st = keep_exact(state, &total, ctx, err);
  if (st == QUOIN_DONE) { /* beyond the limits of numbers */
    state->poisoned = true;
    st = QUOIN_OK;
  }
  return st;
}

static quoin_status
sum_add(sparql_aggregate_state *state, sparql_context *ctx, atom_id id, uint64_t times,
        quoin_error *err)
{
  sum *s = &state->sum;
  if (state->poisoned || sum_inline(s, id, times)) return QUOIN_OK;
  base_arena *arena = expr_runtime_scratch(ctx);
  base_arena_mark mark = base_arena_here(arena);
  sparql_value v;
  quoin_status st = value_of_id(&v, ctx, id, arena, err);
  if (st) return st;
  value_kind before = s->kind;
  if (!value_is_numeric(&v)) {
    state->poisoned = true;
    goto done;
  }
  if (v.kind > s->kind) s->kind = v.kind;
  if (s->kind <= VALUE_DECIMAL) {
    st = sum_exact(state, &v, times, ctx, arena, err);
  } else if (s->kind == VALUE_FLOAT) {
    if (before <= VALUE_DECIMAL) s->single = number_to_float(&s->exact);
    s->single += value_to_float(&v) * (float)times;
  } else {
    if (before <= VALUE_DECIMAL) s->dbl = number_to_double(&s->exact);
    if (before == VALUE_FLOAT) s->dbl = (double)s->single;
    s->dbl += value_to_double(&v) * (double)times;
  }

done:
  base_arena_rewind(arena, mark);
  return st;
}

static void
sum_value(sparql_value *out, const sum *s)
{
  if (s->kind == VALUE_DOUBLE)
    value_set_double(out, s->dbl);
  else if (s->kind == VALUE_FLOAT)
    value_set_float(out, s->single);
  else
    value_set_number(out, s->kind ? s->kind : VALUE_INTEGER, &s->exact);
}

static quoin_status
sum_result(atom_id *out, const sparql_aggregate_state *state, sparql_context *ctx, bool average,
           quoin_error *err)
{
  base_arena *arena = expr_runtime_scratch(ctx);
  base_arena_mark mark = base_arena_here(arena);
  sparql_value total;
  sum_value(&total, &state->sum);
  quoin_status st = QUOIN_OK;
  if (average && state->count) {
    sparql_number n = {.small = (number_wide)state->count};
    sparql_value count;
    value_set_number(&count, VALUE_INTEGER, &n);
    st = value_arithmetic(&total, EXPR_DIV, &total, &count, arena, err);
  } else if (total.kind == VALUE_DECIMAL && total.number.scale == 0) {
    sparql_value zero;
    value_set_integer(&zero, 0); /* "3.0", as + gives it */
    st = value_arithmetic(&total, EXPR_ADD, &total, &zero, arena, err);
  }
  if (!st) st = value_id(out, &total, ctx, arena, err);
  base_arena_rewind(arena, mark);
  return st;
}

/* ---- MIN, MAX ---- */

static quoin_status
best_key(sparql_aggregate_state *state, sparql_context *ctx, const sparql_sort_key *key,
         quoin_error *err)
{
  best *b = &state->best;
  void *text = b->text;
  size_t had = b->cap;
  if (!base_reserve(ctx->mem, &text, &b->cap, key->text.len, 1)) return base_fail_nomem(err);
  b->text = text;
  state->holds = HOLDS_BEST;
  if (key->text.len) memcpy(b->text, key->text.ptr, key->text.len);
  b->key = *key;
  b->key.text.ptr = b->text;
  b->has_key = true;
  return b->cap == had ? QUOIN_OK : sparql_charge(ctx, (int64_t)(b->cap - had), err);
}

static quoin_status
best_take(sparql_aggregate_state *state, sparql_context *ctx, atom_id id, bool max,
          quoin_error *err)
{
  best *b = &state->best;
  int order;
  if (!b->id.bits || atom_id_equal(b->id, id)) {
    b->id = id;
    return QUOIN_OK;
  }
  if (order_key_inline(&order, id, b->id)) {
    if (max ? order > 0 : order < 0) {
      b->id = id;
      b->has_key = false;
    }
    return QUOIN_OK;
  }
  base_arena *arena = expr_runtime_scratch(ctx);
  base_arena_mark mark = base_arena_here(arena);
  sparql_sort_key key;
  quoin_status st = QUOIN_OK;
  if (!b->has_key) {
    st = sparql_sort_key_make(&key, ctx, b->id, arena, err);
    if (!st) st = best_key(state, ctx, &key, err);
  }
  if (!st) st = sparql_sort_key_make(&key, ctx, id, arena, err);
  if (!st) {
    order = sparql_sort_key_compare(&key, &b->key);
    if (max ? order > 0 : order < 0) {
      b->id = id;
      st = best_key(state, ctx, &key, err);
    }
  }
  base_arena_rewind(arena, mark);
  return st;
}

/* ---- GROUP_CONCAT ---- */

static quoin_status
text_reserve(sparql_aggregate_state *state, sparql_context *ctx, size_t extra, quoin_error *err)
{
  size_t need, had = state->text.cap;
  void *data = state->text.data;
  if (!base_add_size(&need, state->text.len, extra) ||
      !base_reserve(ctx->mem, &data, &state->text.cap, need, 1))
    return base_fail_nomem(err);
  state->text.data = data;
  state->holds = HOLDS_TEXT;
  return state->text.cap == had ? QUOIN_OK
                                : sparql_charge(ctx, (int64_t)(state->text.cap - had), err);
}

static void
text_append(sparql_aggregate_state *state, quoin_span text)
{
  if (text.len) memcpy(state->text.data + state->text.len, text.ptr, text.len);
  state->text.len += text.len;
}

static quoin_status
text_take(sparql_aggregate_state *state, sparql_context *ctx, const sparql_expr *aggregate,
          atom_id id, uint64_t times, quoin_error *err)
{
  base_arena *arena = expr_runtime_scratch(ctx);
  base_arena_mark mark = base_arena_here(arena);
  rdf_term term;
  quoin_status st = sparql_term(&term, ctx, id, arena, err);
  bool is_text = !st && (term.kind == RDF_LITERAL || term.kind == RDF_IRI);
  if (!is_text) state->poisoned = true;
  for (uint64_t i = 0; i < times && is_text && !st; i++) {
    st = text_reserve(state, ctx, term.value.len + aggregate->separator.len, err);
    if (st) break;
    if (state->count + i) text_append(state, aggregate->separator);
    text_append(state, term.value);
    if (i % 1024 == 1023) st = base_cancel_check(&ctx->cancel, err);
  }
  if (is_text) state->count += times;
  base_arena_rewind(arena, mark);
  return st;
}

/* ---- the door ---- */

quoin_status
sparql_aggregate_add(sparql_aggregate_state *state, sparql_context *ctx,
                     const sparql_expr *aggregate, atom_id id, uint64_t times, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (times == 0) return QUOIN_OK;
  if (!id.bits) {
    state->poisoned = aggregate->aggregate != AGG_MAX && aggregate->aggregate != AGG_SAMPLE;
    return QUOIN_OK;
  }
  switch (aggregate->aggregate) {
  case AGG_COUNT:
    break;
  case AGG_SUM:
  case AGG_AVG:
    st = sum_add(state, ctx, id, times, err);
    break;
  case AGG_MIN:
  case AGG_MAX:
    st = best_take(state, ctx, id, aggregate->aggregate == AGG_MAX, err);
    break;
  case AGG_SAMPLE:
    if (!state->sample.bits) state->sample = id;
    break;
  case AGG_GROUP_CONCAT:
    return text_take(state, ctx, aggregate, id, times, err);
  }
  state->count += times;
  return st;
}

static quoin_status
result_of(atom_id *out, const sparql_aggregate_state *state, sparql_context *ctx,
          const sparql_expr *aggregate, quoin_error *err)
{
  if (state->poisoned && aggregate->aggregate != AGG_COUNT) return QUOIN_OK; /* an error */
  switch (aggregate->aggregate) {
  case AGG_COUNT:
    *out = atom_inline_integer((int64_t)state->count);
    return QUOIN_OK;
  case AGG_SUM:
  case AGG_AVG:
    return sum_result(out, state, ctx, aggregate->aggregate == AGG_AVG, err);
  case AGG_MIN:
  case AGG_MAX:
    *out = state->best.id;
    return QUOIN_OK;
  case AGG_SAMPLE:
    *out = state->sample;
    return QUOIN_OK;
  case AGG_GROUP_CONCAT: {
    rdf_term term = {.kind = RDF_LITERAL, .value = {state->text.data, state->text.len}};
    return sparql_intern(out, ctx, &term, err);
  }
  }
  return QUOIN_OK;
}

quoin_status
sparql_aggregate_result(atom_id *out, sparql_aggregate_state *state, sparql_context *ctx,
                        const sparql_expr *aggregate, quoin_error *err)
{
  *out = ATOM_NONE_ID;
  quoin_status st = result_of(out, state, ctx, aggregate, err);
  sparql_aggregate_clear(state, ctx);
  return st;
}

void
sparql_aggregate_clear(sparql_aggregate_state *state, sparql_context *ctx)
{
  size_t bytes = 0;
  switch ((held)state->holds) {
  case HOLDS_NOTHING:
    break;
  case HOLDS_SUM:
    bytes = state->sum.cap * sizeof(*state->sum.limbs);
    base_release(ctx->mem, state->sum.limbs, state->sum.cap, sizeof(*state->sum.limbs));
    break;
  case HOLDS_BEST:
    bytes = state->best.cap;
    base_release(ctx->mem, state->best.text, state->best.cap, 1);
    break;
  case HOLDS_TEXT:
    bytes = state->text.cap;
    base_release(ctx->mem, state->text.data, state->text.cap, 1);
    break;
  }
  state->holds = HOLDS_NOTHING;
  if (bytes) (void)sparql_charge(ctx, -(int64_t)bytes, NULL);
}
