/* sparql/expr/expr_runtime.c - what expressions keep during one run: temporaries, compiled regular
 * expressions, and what is known of each expression. */
#include "sparql/expr/expr_eval.h"

#include <assert.h>

#include "base/poison.h"

enum { REGEX_CACHE = 16 };

typedef struct regex_entry {
  sparql_regex *regex; /* NULL with a key: malformed */
  char *key;           /* flags, a slash, pattern; NULL: free */
  size_t key_len;
  uint64_t used;
} regex_entry;

struct expr_runtime {
  const base_alloc *mem;
  base_arena scratch;
  regex_entry regexes[REGEX_CACHE];
  uint64_t clock;
};

/* It has the last place of expr_cache, behind those of the expressions. */
static expr_runtime *
runtime(const sparql_context *ctx)
{
  return ctx->expr_cache[ctx->query->n_exprs];
}

quoin_status
expr_runtime_new(sparql_context *ctx, quoin_error *err)
{
  size_t n = (size_t)ctx->query->n_exprs + 1;
  ctx->expr_cache = base_arena_new_zero(&ctx->arena, n, sizeof(void *));
  expr_runtime *run = base_arena_new_zero(&ctx->arena, 1, sizeof(*run));
  if (!ctx->expr_cache || !run) {
    ctx->expr_cache = NULL;
    return base_fail_nomem(err);
  }
  run->mem = ctx->mem;
  base_arena_init(&run->scratch, ctx->mem);
  ctx->expr_cache[ctx->query->n_exprs] = run;
  return QUOIN_OK;
}

static void
entry_clear(regex_entry *entry, const base_alloc *mem)
{
  sparql_regex_free(entry->regex);
  base_release(mem, entry->key, entry->key_len, 1);
  *entry = (regex_entry){0};
}

void
expr_runtime_free(sparql_context *ctx)
{
  if (!ctx->expr_cache) return;
  expr_runtime *run = runtime(ctx);
  for (uint32_t i = 0; i < ctx->query->n_exprs; i++) {
    expr_info *info = ctx->expr_cache[i];
    if (info) sparql_regex_free(info->regex);
  }
  for (int i = 0; i < REGEX_CACHE; i++)
    entry_clear(&run->regexes[i], run->mem);
  base_arena_clear(&run->scratch);
}

base_arena *
expr_runtime_scratch(sparql_context *ctx)
{
  return &runtime(ctx)->scratch;
}

/* ---- regular expressions that are not constant: the least recently used one goes ---- */

static bool
entry_is(const regex_entry *entry, quoin_span pattern, quoin_span flags)
{
  if (!entry->key || entry->key_len != pattern.len + flags.len + 1) return false;
  if (flags.len && memcmp(entry->key, flags.ptr, flags.len) != 0) return false;
  return entry->key[flags.len] == '/' &&
         (!pattern.len || memcmp(entry->key + flags.len + 1, pattern.ptr, pattern.len) == 0);
}

quoin_status
expr_runtime_regex(sparql_regex **out, expr_runtime *run, quoin_span pattern, quoin_span flags,
                   quoin_error *err)
{
  regex_entry *oldest = &run->regexes[0];
  *out = NULL;
  run->clock++;
  for (int i = 0; i < REGEX_CACHE; i++) {
    regex_entry *entry = &run->regexes[i];
    if (entry_is(entry, pattern, flags)) {
      entry->used = run->clock;
      *out = entry->regex;
      return QUOIN_OK;
    }
    if (entry->used < oldest->used) oldest = entry;
  }
  entry_clear(oldest, run->mem);
  quoin_status st = sparql_regex_new(&oldest->regex, pattern, flags, run->mem, err);
  if (st < 0) return st;
  size_t len = pattern.len + flags.len + 1;
  if (!(oldest->key = base_new(run->mem, len, 1))) {
    entry_clear(oldest, run->mem);
    return base_fail_nomem(err);
  }
  oldest->key_len = len;
  if (flags.len) memcpy(oldest->key, flags.ptr, flags.len);
  oldest->key[flags.len] = '/';
  if (pattern.len) memcpy(oldest->key + flags.len + 1, pattern.ptr, pattern.len);
  oldest->used = run->clock;
  *out = oldest->regex;
  return QUOIN_OK;
}

/* ---- what is known of an expression ---- */

static bool
is_pure(const sparql_expr *e)
{
  if (e->op == EXPR_EXISTS || e->op == EXPR_NOT_EXISTS || e->op == EXPR_AGGREGATE) return false;
  if (e->op == EXPR_BUILTIN && (e->builtin == FN_RAND || e->builtin == FN_UUID ||
                                e->builtin == FN_STRUUID || e->builtin == FN_BNODE))
    return false;
  for (size_t i = 0; i < e->n_args; i++)
    if (!is_pure(e->args[i])) return false;
  return true;
}

static uint32_t
count_vars(const sparql_expr *e)
{
  uint32_t n = e->op == EXPR_VAR;
  for (size_t i = 0; i < e->n_args; i++)
    n += count_vars(e->args[i]);
  return n;
}

static void
gather_vars(expr_info *info, const sparql_expr *e)
{
  if (e->op == EXPR_VAR) {
    for (uint32_t i = 0; i < info->n_vars; i++)
      if (info->vars[i] == e->var) return;
    info->vars[info->n_vars++] = e->var;
  }
  for (size_t i = 0; i < e->n_args; i++)
    gather_vars(info, e->args[i]);
}

quoin_status
expr_info_get(expr_info **out, sparql_context *ctx, const sparql_expr *expr, quoin_error *err)
{
  assert(expr->index < ctx->query->n_exprs);
  expr_info *info = ctx->expr_cache[expr->index];
  if (!info) {
    uint32_t vars = count_vars(expr);
    if (!(info = base_arena_new_zero(&ctx->arena, 1, sizeof(*info)))) return base_fail_nomem(err);
    if (vars && !(info->vars = base_arena_new(&ctx->arena, vars, sizeof(*info->vars))))
      return base_fail_nomem(err);
    info->pure = is_pure(expr);
    info->constant = info->pure && vars == 0;
    gather_vars(info, expr);
    ctx->expr_cache[expr->index] = info;
  }
  *out = info;
  return QUOIN_OK;
}
