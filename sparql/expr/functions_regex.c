/* sparql/expr/functions_regex.c - REGEX and REPLACE. */
#include "sparql/expr/expr_eval.h"

#include <assert.h>

#include "base/poison.h"

/* The compiled expression of args[1] and args[flags_at]; NULL: malformed. */
static quoin_status
compiled(sparql_regex **out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
         size_t flags_at, quoin_error *err)
{
  expr_info *info, *pattern, *flags = NULL;
  quoin_status st = expr_info_get(&info, ev->ctx, e, err);
  if (st) return st;
  if (info->regex_known) {
    *out = info->regex;
    return QUOIN_OK;
  }
  bool has_flags = e->n_args > flags_at;
  if ((st = value_text(&args[1], ev->ctx, ev->arena, err))) return st;
  if (has_flags && (st = value_text(&args[flags_at], ev->ctx, ev->arena, err))) return st;
  quoin_span flag_text = has_flags ? args[flags_at].term.value : (quoin_span){NULL, 0};
  if ((st = expr_info_get(&pattern, ev->ctx, e->args[1], err))) return st;
  if (has_flags && (st = expr_info_get(&flags, ev->ctx, e->args[flags_at], err))) return st;
  if (!pattern->constant || (flags && !flags->constant))
    return expr_runtime_regex(out, ev->run, args[1].term.value, flag_text, err);
  st = sparql_regex_new(&info->regex, args[1].term.value, flag_text, ev->ctx->mem, err);
  if (st < 0) return st;
  info->regex_known = true;
  *out = info->regex;
  return QUOIN_OK;
}

quoin_status
fn_regex(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
         quoin_error *err)
{
  if (!fn_is_string(&args[0]) || args[1].kind != VALUE_STRING ||
      (e->n_args > 2 && args[2].kind != VALUE_STRING))
    return QUOIN_OK;
  sparql_regex *regex;
  bool found;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (!st) st = compiled(&regex, ev, e, args, 2, err);
  if (st || !regex) return st;
  st = sparql_regex_match(&found, regex, args[0].term.value, err);
  if (!st) value_set_boolean(out, found);
  return st;
}

quoin_status
fn_replace(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
           quoin_error *err)
{
  if (!fn_is_string(&args[0]) || args[1].kind != VALUE_STRING || args[2].kind != VALUE_STRING ||
      (e->n_args > 3 && args[3].kind != VALUE_STRING))
    return QUOIN_OK;
  sparql_regex *regex;
  quoin_span text = {NULL, 0};
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (!st) st = value_text(&args[2], ev->ctx, ev->arena, err);
  if (!st) st = compiled(&regex, ev, e, args, 3, err);
  if (st || !regex) return st;
  st = sparql_regex_replace(&text, regex, args[0].term.value, args[2].term.value,
                            expr_text_room(ev), ev->arena, err);
  if (!st) value_set_lang(out, text, args[0].term.lang);
  return st == QUOIN_DONE ? QUOIN_OK : st;
}
