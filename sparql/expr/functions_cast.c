/* sparql/expr/functions_cast.c - the constructor functions of XPath (SPARQL 1.1 section 17.5).
 *
 * Strings are trimmed and must be in the lexical space; a result of a cast from a string keeps the
 * form as written where it is a date, time or duration, and is canonical otherwise. */
#include "sparql/expr/expr_eval.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

xsd_type
fn_cast_type(const sparql_expr *e)
{
  return e->n_args == 1 ? xsd_type_of(e->term.value) : XSD_NONE;
}

static quoin_span
trim(quoin_span s)
{
  while (s.len && strchr(" \t\r\n", s.ptr[0]) && s.ptr[0])
    s.ptr++, s.len--;
  while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
    s.len--;
  return s;
}

static bool
is_integer_type(xsd_type type)
{
  return type >= XSD_INTEGER && type <= XSD_UNSIGNED_SHORT;
}

/* XPath 19.1.2: a double between 1e-6 and 1e6 as a decimal, whole numbers without a point. */
static quoin_status
double_string(quoin_span *out, double v, bool single, base_arena *arena, quoin_error *err)
{
  char text[NUMBER_DOUBLE_TEXT];
  size_t n = single ? number_format_float(text, (float)v) : number_format_double(text, v);
  double magnitude = fabs(v);
  quoin_span copy = {text, n};
  if (v == 0) {
    copy = base_span(signbit(v) ? "-0" : "0");
  } else if (magnitude >= 1e-6 && magnitude < 1e6) {
    /* digits of the shortest form, the exponent worked in */
    sparql_number number, scaled;
    char *e = memchr(text, 'E', n);
    assert(e);
    int exponent = 0;
    for (const char *at = e + 1 + (e[1] == '-'); at < text + n; at++)
      exponent = exponent * 10 + (*at - '0');
    if (e[1] == '-') exponent = -exponent;
    quoin_span digits = {text, (size_t)(e - text)};
    sparql_number power = {.small = 1, .scale = exponent < 0 ? (uint32_t)-exponent : 0};
    for (int i = 0; i < exponent; i++)
      power.small *= 10;
    quoin_status st = number_parse_decimal(&number, digits, arena, err);
    if (!st) st = number_mul(&scaled, &number, &power, arena, err);
    if (st) return st;
    while (scaled.scale && scaled.small % 10 == 0) /* at most 17 digits: never big */
      scaled.small /= 10, scaled.scale--;
    *out = number_format(&scaled, arena);
    return out->ptr ? QUOIN_OK : base_fail_nomem(err);
  }
  *out = base_arena_copy(arena, copy);
  return out->ptr ? QUOIN_OK : base_fail_nomem(err);
}

static quoin_status
decimal_string(quoin_span *out, const sparql_number *n, base_arena *arena, quoin_error *err)
{
  *out = number_format(n, arena);
  if (!out->ptr) return base_fail_nomem(err);
  if (out->len > 2 && n->scale && out->ptr[out->len - 1] == '0' && out->ptr[out->len - 2] == '.')
    out->len -= 2;
  return QUOIN_OK;
}

static quoin_status
to_string(sparql_value *out, sparql_eval *ev, sparql_value *v, quoin_error *err)
{
  quoin_span text = {"", 0};
  quoin_status st = QUOIN_OK;
  if (v->kind == VALUE_BLANK) return QUOIN_OK;
  if (v->kind == VALUE_BOOLEAN) {
    text = base_span(v->boolean ? "true" : "false");
  } else if (v->kind == VALUE_INTEGER || v->kind == VALUE_DECIMAL) {
    st = decimal_string(&text, &v->number, ev->arena, err);
  } else if (v->kind == VALUE_DOUBLE) {
    st = double_string(&text, v->dbl, false, ev->arena, err);
  } else if (v->kind == VALUE_FLOAT) {
    st = double_string(&text, (double)v->single, true, ev->arena, err);
  } else {
    st = value_text(v, ev->ctx, ev->arena, err);
    text = v->term.value;
  }
  if (!st) value_set_string(out, text);
  return st;
}

static quoin_status
from_string(sparql_value *out, sparql_eval *ev, xsd_type type, sparql_value *v, quoin_error *err)
{
  sparql_value parsed;
  value_set(&parsed, VALUE_ERROR);
  quoin_status st = value_text(v, ev->ctx, ev->arena, err);
  if (st) return st;
  quoin_span text = trim(v->term.value);
  st = value_parse(&parsed, type, text, ev->arena, err);
  if (st) return st == QUOIN_DONE ? QUOIN_OK : st;
  if (type == XSD_DECIMAL && parsed.number.scale == 0) {
    sparql_number point = {.scale = 1}; /* canonical "1.0" */
    st = number_add(&parsed.number, &parsed.number, &point, ev->arena, err);
    if (st) return st == QUOIN_DONE ? QUOIN_OK : st;
  }
  if (is_integer_type(type) && type != XSD_INTEGER) {
    if ((st = value_text(&parsed, ev->ctx, ev->arena, err))) return st;
    parsed.term.datatype = xsd_iri(type);
  }
  bool keeps_text = parsed.kind == VALUE_DATETIME || parsed.kind == VALUE_DURATION;
  if (keeps_text) {
    parsed.has_term = true;
    parsed.term = (rdf_term){.kind = RDF_LITERAL, .value = text, .datatype = xsd_iri(type)};
  }
  *out = parsed;
  return QUOIN_OK;
}

/* A number or boolean as an exact number; DONE where there is none (NaN, INF). */
static quoin_status
exact(sparql_number *out, const sparql_value *v, bool whole, base_arena *arena, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  if (v->kind == VALUE_BOOLEAN)
    *out = number_of(v->boolean);
  else if (v->kind == VALUE_DOUBLE || v->kind == VALUE_FLOAT)
    return number_from_double(out, v->kind == VALUE_DOUBLE ? v->dbl : (double)v->single, whole,
                              arena, err);
  else
    *out = v->number;
  if (whole) return number_round(out, out, NUMBER_TRUNCATE, arena, err);
  if (out->scale == 0) {
    sparql_number point = {.scale = 1};
    st = number_add(out, out, &point, arena, err);
  }
  return st;
}

/* Into xsd:integer or a type derived from it, whose range is checked through its text. */
static quoin_status
to_integer(sparql_value *out, sparql_eval *ev, xsd_type type, const sparql_value *v,
           quoin_error *err)
{
  sparql_number n;
  quoin_status st = exact(&n, v, true, ev->arena, err);
  if (st) return st == QUOIN_DONE ? QUOIN_OK : st;
  sparql_value whole;
  value_set_number(&whole, VALUE_INTEGER, &n);
  if (type == XSD_INTEGER) {
    *out = whole;
    return QUOIN_OK;
  }
  if ((st = value_text(&whole, ev->ctx, ev->arena, err))) return st;
  whole.term.datatype = xsd_iri(type);
  st = value_parse(&whole, type, whole.term.value, ev->arena, err);
  if (!st) *out = whole;
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

static quoin_status
from_number(sparql_value *out, sparql_eval *ev, xsd_type type, const sparql_value *v,
            quoin_error *err)
{
  int truth = 0;
  quoin_status st = QUOIN_OK;
  sparql_value copy = *v;
  sparql_number n;
  bool boolean = v->kind == VALUE_BOOLEAN;
  if (type == XSD_BOOLEAN) {
    st = value_ebv(&truth, &copy, ev->ctx, ev->arena, err);
    value_set_boolean(out, truth > 0);
  } else if (type == XSD_DOUBLE) {
    value_set_double(out, boolean ? (double)v->boolean : value_to_double(v));
  } else if (type == XSD_FLOAT) {
    value_set_float(out, boolean                   ? (float)v->boolean
                         : v->kind == VALUE_DOUBLE ? (float)v->dbl
                                                   : value_to_float(v));
  } else if (type == XSD_DECIMAL) {
    st = exact(&n, v, false, ev->arena, err);
    if (!st) value_set_number(out, VALUE_DECIMAL, &n);
  } else if (is_integer_type(type)) {
    st = to_integer(out, ev, type, v, err);
  }
  return st == QUOIN_DONE ? QUOIN_OK : st;
}

/* dateTime to date and time, date to dateTime. */
static void
from_time(sparql_value *out, xsd_type type, const sparql_value *v)
{
  static const struct {
    xsd_type type;
    datetime_type to;
  } targets[] = {
      {XSD_DATETIME, DATETIME_DATETIME}, {XSD_DATE, DATETIME_DATE}, {XSD_TIME, DATETIME_TIME}};
  for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
    if (targets[i].type != type) continue;
    bool allowed = v->time.type == DATETIME_DATETIME ||
                   (v->time.type == DATETIME_DATE && type == XSD_DATETIME);
    if (!allowed) return;
    sparql_value result = *v;
    result.id = ATOM_NONE_ID;
    result.has_term = false;
    result.time.type = (uint8_t)targets[i].to;
    char text[DATETIME_TEXT];
    quoin_span form = {text, datetime_format(text, &result.time)};
    if (datetime_parse(&result.time, targets[i].to, form)) *out = result; /* the instant anew */
  }
}

static quoin_status
from_duration(sparql_value *out, xsd_type type, const sparql_value *v)
{
  if (type < XSD_DURATION) return QUOIN_OK;
  sparql_value result = *v;
  result.id = ATOM_NONE_ID;
  result.has_term = false;
  result.duration = (uint8_t)(type - XSD_DURATION);
  if (type == XSD_DAYTIMEDURATION) result.length.months = 0;
  if (type == XSD_YEARMONTHDURATION) result.length.seconds = 0;
  *out = result;
  return QUOIN_OK;
}

/* The type itself: as it is. */
static bool
has_type(const sparql_value *v, xsd_type type)
{
  if (v->has_term) return xsd_type_of(v->term.datatype) == type;
  switch ((int)v->kind) {
  case VALUE_BOOLEAN:
    return type == XSD_BOOLEAN;
  case VALUE_INTEGER: /* without text it is xsd:integer, or computed and so too */
    return type == XSD_INTEGER;
  case VALUE_DECIMAL:
    return type == XSD_DECIMAL && v->number.scale;
  case VALUE_FLOAT:
    return type == XSD_FLOAT;
  case VALUE_DOUBLE:
    return type == XSD_DOUBLE;
  case VALUE_DATETIME:
    return (type == XSD_DATETIME && v->time.type == DATETIME_DATETIME) ||
           (type == XSD_DATE && v->time.type == DATETIME_DATE);
  default:
    return false;
  }
}

quoin_status
fn_cast(sparql_value *out, sparql_eval *ev, const sparql_expr *e, sparql_value *args,
        quoin_error *err)
{
  xsd_type type = fn_cast_type(e);
  sparql_value *v = &args[0];
  if (type == XSD_NONE) return QUOIN_OK;
  if (type == XSD_STRING) return to_string(out, ev, v, err);
  switch (v->kind) {
  case VALUE_STRING:
    return from_string(out, ev, type, v, err);
  case VALUE_DATETIME:
    if (has_type(v, type))
      *out = *v;
    else
      from_time(out, type, v);
    return QUOIN_OK;
  case VALUE_DURATION:
    return from_duration(out, type, v);
  case VALUE_BOOLEAN:
  case VALUE_INTEGER:
  case VALUE_DECIMAL:
  case VALUE_FLOAT:
  case VALUE_DOUBLE:
    return from_number(out, ev, type, v, err);
  case VALUE_ERROR:
  case VALUE_BLANK:
  case VALUE_IRI:
  case VALUE_LANG:
  case VALUE_OTHER:
    break;
  }
  return QUOIN_OK;
}
