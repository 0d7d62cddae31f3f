/* sparql/expr/value_compare.c - the comparison operators, sameTerm and effective boolean values. */
#include "sparql/expr/value.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

static int
double_order(double a, double b)
{
  if (isnan(a) || isnan(b)) return VALUE_UNORDERED;
  return (a > b) - (a < b);
}

/* 17.3: integers and decimals exactly, else promoted to float or double. */
static int
numeric_order(const sparql_value *a, const sparql_value *b)
{
  if (a->kind <= VALUE_DECIMAL && b->kind <= VALUE_DECIMAL)
    return number_compare(&a->number, &b->number);
  if (a->kind == VALUE_DOUBLE || b->kind == VALUE_DOUBLE)
    return double_order(value_to_double(a), value_to_double(b));
  return double_order((double)value_to_float(a), (double)value_to_float(b));
}

static int
text_order(const sparql_value *a, const sparql_value *b)
{
  /* UTF-8 bytes compare as code points do */
  int c = base_span_compare(a->term.value, b->term.value);
  return (c > 0) - (c < 0);
}

static quoin_status
fill_both(sparql_value *a, sparql_value *b, sparql_context *ctx, base_arena *arena,
          quoin_error *err)
{
  quoin_status st = value_text(a, ctx, arena, err);
  return st ? st : value_text(b, ctx, arena, err);
}

quoin_status
value_order(int *out, sparql_value *a, sparql_value *b, sparql_context *ctx, base_arena *arena,
            quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  *out = VALUE_INCOMPARABLE;
  if (value_is_numeric(a) && value_is_numeric(b)) {
    *out = numeric_order(a, b);
  } else if (a->kind != b->kind) {
    return QUOIN_OK;
  } else if (a->kind == VALUE_STRING) {
    if (!(st = fill_both(a, b, ctx, arena, err))) *out = text_order(a, b);
  } else if (a->kind == VALUE_LANG) {
    if ((st = fill_both(a, b, ctx, arena, err))) return st;
    if (base_span_equal_nocase(a->term.lang, b->term.lang)) *out = text_order(a, b);
  } else if (a->kind == VALUE_BOOLEAN) {
    *out = (int)a->boolean - (int)b->boolean;
  } else if (a->kind == VALUE_DATETIME && a->time.type == b->time.type) {
    int c = datetime_compare(&a->time, &b->time);
    if (c != DATETIME_INDETERMINATE) *out = c;
  } else if (a->kind == VALUE_DURATION) {
    int c = duration_compare(&a->length, &b->length);
    if (c != DATETIME_INDETERMINATE) *out = c;
  }
  return st;
}

/* Literals that are not the same term: the value spaces decide. */
static quoin_status
literal_equal(int *out, sparql_value *a, sparql_value *b, sparql_context *ctx, base_arena *arena,
              quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  int order;
  *out = 0;
  if (a->kind == VALUE_LANG && b->kind == VALUE_LANG) {
    if ((st = fill_both(a, b, ctx, arena, err))) return st;
    *out = base_span_equal(a->term.value, b->term.value) &&
           base_span_equal_nocase(a->term.lang, b->term.lang);
  } else if (a->kind == VALUE_LANG || b->kind == VALUE_LANG) {
    *out = 0;
  } else if (a->kind == VALUE_OTHER || b->kind == VALUE_OTHER) {
    *out = -1; /* not known to differ in value */
  } else if (a->kind == VALUE_DURATION && b->kind == VALUE_DURATION) {
    *out = a->length.months == b->length.months && a->length.seconds == b->length.seconds;
  } else if (a->kind == b->kind || (value_is_numeric(a) && value_is_numeric(b))) {
    if (a->kind == VALUE_DATETIME && a->time.type != b->time.type) return QUOIN_OK;
    if ((st = value_order(&order, a, b, ctx, arena, err))) return st;
    *out = order == VALUE_INCOMPARABLE ? -1 : order == 0;
  }
  return st;
}

quoin_status
value_equal(int *out, sparql_value *a, sparql_value *b, sparql_context *ctx, base_arena *arena,
            quoin_error *err)
{
  if (a->kind == VALUE_ERROR || b->kind == VALUE_ERROR) {
    *out = -1;
    return QUOIN_OK;
  }
  if (value_is_numeric(a) && value_is_numeric(b)) { /* NaN is not itself */
    *out = numeric_order(a, b) == 0;
    return QUOIN_OK;
  }
  bool same;
  quoin_status st = value_same(&same, a, b, ctx, arena, err);
  *out = same;
  if (st || same || !value_is_literal(a) || !value_is_literal(b)) return st;
  return literal_equal(out, a, b, ctx, arena, err);
}

quoin_status
value_same(bool *out, sparql_value *a, sparql_value *b, sparql_context *ctx, base_arena *arena,
           quoin_error *err)
{
  *out = false;
  if (a->id.bits && b->id.bits) {
    *out = atom_id_equal(a->id, b->id);
    return QUOIN_OK;
  }
  if ((a->kind <= VALUE_LANG || b->kind <= VALUE_LANG) && a->kind != b->kind) return QUOIN_OK;
  quoin_status st = fill_both(a, b, ctx, arena, err);
  if (!st) *out = rdf_term_equal(&a->term, &b->term);
  return st;
}

quoin_status
value_ebv(int *out, sparql_value *v, sparql_context *ctx, base_arena *arena, quoin_error *err)
{
  quoin_status st = QUOIN_OK;
  *out = -1;
  switch (v->kind) {
  case VALUE_BOOLEAN:
    *out = v->boolean;
    break;
  case VALUE_INTEGER:
  case VALUE_DECIMAL:
    *out = number_sign(&v->number) != 0;
    break;
  case VALUE_FLOAT:
    *out = !(isnan(v->single) || v->single == 0);
    break;
  case VALUE_DOUBLE:
    *out = !(isnan(v->dbl) || v->dbl == 0);
    break;
  case VALUE_STRING:
  case VALUE_LANG: /* a plain literal: 17.2.2 */
    if ((st = value_text(v, ctx, arena, err))) return st;
    *out = v->term.value.len > 0;
    break;
  case VALUE_OTHER: { /* "abc"^^xsd:integer is false */
    if ((st = value_text(v, ctx, arena, err))) return st;
    xsd_type type = xsd_type_of(v->term.datatype);
    if (type >= XSD_BOOLEAN && type <= XSD_DOUBLE) *out = 0;
    break;
  }
  case VALUE_ERROR:
  case VALUE_BLANK:
  case VALUE_IRI:
  case VALUE_DATETIME:
  case VALUE_DURATION:
    break;
  }
  return st;
}
