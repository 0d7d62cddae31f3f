/* sparql/expr/functions_string.c - functions on strings (SPARQL 1.1 section 17.4.3), by code point.
 */
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

/* A string with the text of `text` and the language of `like`. */
static void
set_like(sparql_value *out, const sparql_value *like, quoin_span text)
{
  value_set_lang(out, text, like->term.lang);
}

/* 17.4.3.1.2: both are strings; the second has no language or that of the first. */
static quoin_status
compatible(bool *out, sparql_value *a, sparql_value *b, sparql_eval *ev, quoin_error *err)
{
  *out = false;
  if (!fn_is_string(a) || !fn_is_string(b)) return QUOIN_OK;
  quoin_status st = value_text(a, ev->ctx, ev->arena, err);
  if (!st) st = value_text(b, ev->ctx, ev->arena, err);
  if (!st) *out = !b->term.lang.len || base_span_equal_nocase(a->term.lang, b->term.lang);
  return st;
}

quoin_status
fn_strlen(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
          quoin_error *err)
{
  (void)e;
  if (!fn_is_string(&args[0])) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  quoin_span text = args[0].term.value;
  value_set_integer(out, (int64_t)base_utf8_count(text.ptr, text.len));
  return QUOIN_OK;
}

/* ---- CONCAT ---- */

typedef struct concat {
  quoin_span lang;
  bool has_lang; /* all so far have it */
  size_t len, n;
} concat;

static quoin_status
concat_add(bool *good, concat *c, quoin_span *part, sparql_value *v, sparql_eval *ev,
           quoin_error *err)
{
  *good = fn_is_string(v);
  if (!*good) return QUOIN_OK;
  quoin_status st = value_text(v, ev->ctx, ev->arena, err);
  if (st) return st;
  *part = v->term.value;
  if (!base_add_size(&c->len, c->len, part->len)) return base_fail_nomem(err);
  if (c->n++ == 0) {
    c->lang = v->term.lang;
    c->has_lang = c->lang.len > 0;
  } else if (!base_span_equal_nocase(c->lang, v->term.lang)) {
    c->has_lang = false;
  }
  return QUOIN_OK;
}

quoin_status
fn_concat(sparql_value *out, sparql_eval *ev, const sparql_expr *e, quoin_error *err)
{
  concat c = {.len = 0};
  quoin_span *parts = base_arena_new(ev->arena, e->n_args + 1, sizeof(*parts));
  value_set(out, VALUE_ERROR);
  if (!parts) return base_fail_nomem(err);
  for (size_t i = 0; i < e->n_args; i++) {
    sparql_value v;
    bool good;
    quoin_status st = expr_eval(&v, ev, e->args[i], err);
    if (!st) st = concat_add(&good, &c, &parts[i], &v, ev, err);
    if (st || !good) return st;
  }
  char *text;
  quoin_status st = expr_text_new(&text, ev, c.len, err);
  if (st) return st;
  size_t at = 0;
  for (size_t i = 0; i < e->n_args; i++) {
    if (parts[i].len) memcpy(text + at, parts[i].ptr, parts[i].len);
    at += parts[i].len;
  }
  value_set_lang(out, (quoin_span){text, at}, c.has_lang ? c.lang : (quoin_span){NULL, 0});
  return QUOIN_OK;
}

/* ---- SUBSTR ---- */

/* Byte offset of code point `n` (from 0), the length when there are fewer. */
static size_t
offset_of(quoin_span text, size_t n)
{
  size_t at = 0;
  for (; n && at < text.len; n--)
    do
      at++;
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80);
  return at;
}

/* fn:round of an argument; NaN stays. */
static double
position(const sparql_value *v)
{
  return floor(value_to_double(v) + 0.5);
}

quoin_status
fn_substr(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
          quoin_error *err)
{
  if (!fn_is_string(&args[0]) || !value_is_numeric(&args[1])) return QUOIN_OK;
  if (e->n_args > 2 && !value_is_numeric(&args[2])) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  quoin_span text = args[0].term.value;
  double first = position(&args[1]);
  double end =
      e->n_args > 2 ? first + position(&args[2]) : HUGE_VAL; /* characters first <= p < end */
  quoin_span part = {text.ptr, 0};
  double most = (double)text.len + 1;
  if (first < end && first <= most) { /* false for NaN */
    double from = first < 1 ? 1 : first;
    size_t start = offset_of(text, (size_t)from - 1);
    part = (quoin_span){text.ptr + start, text.len - start};
    if (end <= most) part.len = end <= from ? 0 : offset_of(part, (size_t)(end - from));
  }
  set_like(out, &args[0], part);
  return QUOIN_OK;
}

/* ---- ENCODE_FOR_URI ---- */

static bool
is_unreserved(unsigned char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

quoin_status
fn_encode_for_uri(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
                  quoin_error *err)
{
  static const char hex[] = "0123456789ABCDEF";
  (void)e;
  if (!fn_is_string(&args[0])) return QUOIN_OK;
  quoin_status st = value_text(&args[0], ev->ctx, ev->arena, err);
  if (st) return st;
  quoin_span text = args[0].term.value;
  size_t len = text.len; /* three bytes for each that is encoded: below 3 * PTRDIFF_MAX */
  char *encoded;
  for (size_t i = 0; i < text.len; i++)
    len += is_unreserved((unsigned char)text.ptr[i]) ? 0 : 2;
  if ((st = expr_text_new(&encoded, ev, len, err))) return st;
  char *at = encoded;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (is_unreserved(c)) {
      *at++ = (char)c;
    } else {
      *at++ = '%';
      *at++ = hex[c >> 4];
      *at++ = hex[c & 15];
    }
  }
  value_set_string(out, (quoin_span){encoded, (size_t)(at - encoded)});
  return QUOIN_OK;
}

/* ---- searching ---- */

static const char *
find(quoin_span text, quoin_span part)
{
  if (!part.len) return text.ptr ? text.ptr : "";
  return text.len ? memmem(text.ptr, text.len, part.ptr, part.len) : NULL;
}

/* CONTAINS, STRSTARTS, STRENDS */
quoin_status
fn_contains(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
            quoin_error *err)
{
  bool good;
  quoin_status st = compatible(&good, &args[0], &args[1], ev, err);
  if (st || !good) return st;
  quoin_span text = args[0].term.value, part = args[1].term.value;
  bool found;
  if (e->builtin == FN_CONTAINS) {
    found = find(text, part) != NULL;
  } else {
    size_t at = e->builtin == FN_STRSTARTS || part.len > text.len ? 0 : text.len - part.len;
    found = part.len <= text.len && (!part.len || !memcmp(text.ptr + at, part.ptr, part.len));
  }
  value_set_boolean(out, found);
  return QUOIN_OK;
}

/* STRBEFORE, STRAFTER: without a match the empty string, without a language. */
quoin_status
fn_strbefore(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
             quoin_error *err)
{
  bool good;
  quoin_status st = compatible(&good, &args[0], &args[1], ev, err);
  if (st || !good) return st;
  quoin_span text = args[0].term.value, part = args[1].term.value;
  const char *at = find(text, part);
  if (!at) {
    value_set_string(out, (quoin_span){"", 0});
  } else if (e->builtin == FN_STRBEFORE) {
    set_like(out, &args[0], (quoin_span){text.ptr, text.len ? (size_t)(at - text.ptr) : 0});
  } else {
    at += part.len;
    size_t rest = text.len ? (size_t)(text.ptr + text.len - at) : 0;
    set_like(out, &args[0], (quoin_span){at, rest});
  }
  return QUOIN_OK;
}
