/* sparql/expr/value.c - values from ids and terms, and back. */
#include "sparql/expr/value.h"

#include <assert.h>

#include "base/poison.h"

static_assert((int)DATETIME_TEXT >= (int)NUMBER_DOUBLE_TEXT, "one buffer serves both");

/* ---- from terms and ids ---- */

quoin_status
value_of_term(sparql_value *out, const rdf_term *term, base_arena *arena, quoin_error *err)
{
  value_set(out, VALUE_ERROR);
  out->has_term = true;
  out->term = *term;
  switch (term->kind) {
  case RDF_NONE:
    out->has_term = false;
    return QUOIN_OK;
  case RDF_IRI:
    out->kind = VALUE_IRI;
    return QUOIN_OK;
  case RDF_BLANK:
    out->kind = VALUE_BLANK;
    return QUOIN_OK;
  case RDF_LITERAL:
  case RDF_VECTOR: /* sparql_term has made it a literal */
    break;
  }
  if (term->lang.len) {
    out->kind = VALUE_LANG;
    return QUOIN_OK;
  }
  if (!term->datatype.len) {
    out->kind = VALUE_STRING;
    return QUOIN_OK;
  }
  xsd_type type = xsd_type_of(term->datatype);
  quoin_status st = type == XSD_NONE ? QUOIN_DONE : value_parse(out, type, term->value, arena, err);
  if (st == QUOIN_DONE) {
    out->kind = VALUE_OTHER;
    st = QUOIN_OK;
  }
  return st;
}

static void
inline_time(sparql_value *out, atom_id id, datetime_type type, bool zoned)
{
  int zone;
  int64_t millis = atom_inline_get_millis(&zone, id);
  out->kind = VALUE_DATETIME;
  datetime_from_millis(&out->time, type, millis, zoned, zoned ? zone : 0);
}

static void
inline_decimal(sparql_value *out, atom_id id)
{
  int64_t unscaled;
  int scale;
  atom_inline_get_decimal(&unscaled, &scale, id);
  out->kind = VALUE_DECIMAL;
  out->number = (sparql_number){.small = unscaled, .scale = (uint32_t)scale};
}

/* What an id says by itself. False: its text decides. */
static bool
value_of_bits(sparql_value *out, atom_id id)
{
  switch (atom_id_kind(id)) {
  case ATOM_NONE:
    return true;
  case ATOM_BLANK:
    out->kind = VALUE_BLANK;
    return true;
  case ATOM_IRI:
    out->kind = VALUE_IRI;
    return true;
  case ATOM_STRING:
    out->kind = VALUE_STRING;
    return true;
  case ATOM_LANG:
    out->kind = VALUE_LANG;
    return true;
  case ATOM_BOOLEAN:
    out->kind = VALUE_BOOLEAN;
    out->boolean = atom_inline_get_boolean(id);
    return true;
  case ATOM_INTEGER:
    out->kind = VALUE_INTEGER;
    out->number = number_of(atom_inline_get_integer(id));
    return true;
  case ATOM_DECIMAL:
    inline_decimal(out, id);
    return true;
  case ATOM_FLOAT:
    out->kind = VALUE_FLOAT;
    out->single = (float)atom_inline_get_double(id);
    return true;
  case ATOM_DOUBLE:
    out->kind = VALUE_DOUBLE;
    out->dbl = atom_inline_get_double(id);
    return true;
  case ATOM_DATE:
    inline_time(out, id, DATETIME_DATE, false);
    return true;
  case ATOM_DATETIME:
    inline_time(out, id, DATETIME_DATETIME, false);
    return true;
  case ATOM_DATETIMEZ:
    inline_time(out, id, DATETIME_DATETIME, true);
    return true;
  case ATOM_TYPED:
  case ATOM_VECTOR:
  case ATOM_DIRLANG:
  case ATOM_TRIPLE:
  case ATOM_PREFIX:
    out->kind = VALUE_OTHER;
    return true;
  case ATOM_LOCAL:
  case ATOM_NUMERIC:
  case ATOM_TEMPORAL:
  case ATOM_BOOLTEXT:
    break;
  }
  return false;
}

quoin_status
value_of_id(sparql_value *out, sparql_context *ctx, atom_id id, base_arena *arena, quoin_error *err)
{
  value_set(out, VALUE_ERROR);
  out->id = id;
  if (value_of_bits(out, id)) return QUOIN_OK;
  rdf_term term;
  quoin_status st = sparql_term(&term, ctx, id, arena, err);
  if (!st) st = value_of_term(out, &term, arena, err);
  out->id = id;
  return st;
}

/* ---- text ---- */

static quoin_status
set_text(sparql_value *v, xsd_type type, const char *text, size_t len, base_arena *arena,
         quoin_error *err)
{
  quoin_span copy = base_arena_copy(arena, (quoin_span){text, len});
  if (!copy.ptr) return base_fail_nomem(err);
  v->term = (rdf_term){.kind = RDF_LITERAL, .value = copy, .datatype = xsd_iri(type)};
  v->has_term = true;
  return QUOIN_OK;
}

static quoin_status
number_text(sparql_value *v, base_arena *arena, quoin_error *err)
{
  quoin_span text = number_format(&v->number, arena);
  if (!text.ptr) return base_fail_nomem(err);
  xsd_type type = v->kind == VALUE_INTEGER ? XSD_INTEGER : XSD_DECIMAL;
  v->term = (rdf_term){.kind = RDF_LITERAL, .value = text, .datatype = xsd_iri(type)};
  v->has_term = true;
  return QUOIN_OK;
}

quoin_status
value_text(sparql_value *v, sparql_context *ctx, base_arena *arena, quoin_error *err)
{
  if (v->has_term) return QUOIN_OK;
  if (v->id.bits) {
    quoin_status st = sparql_term(&v->term, ctx, v->id, arena, err);
    v->has_term = !st;
    return st;
  }
  char text[DATETIME_TEXT];
  switch (v->kind) {
  case VALUE_BOOLEAN:
    return set_text(v, XSD_BOOLEAN, v->boolean ? "true" : "false", v->boolean ? 4 : 5, arena, err);
  case VALUE_INTEGER:
  case VALUE_DECIMAL:
    return number_text(v, arena, err);
  case VALUE_FLOAT:
    return set_text(v, XSD_FLOAT, text, number_format_float(text, v->single), arena, err);
  case VALUE_DOUBLE:
    return set_text(v, XSD_DOUBLE, text, number_format_double(text, v->dbl), arena, err);
  case VALUE_DATETIME: {
    xsd_type type = v->time.type == DATETIME_DATETIME ? XSD_DATETIME
                    : v->time.type == DATETIME_DATE   ? XSD_DATE
                                                      : XSD_TIME;
    return set_text(v, type, text, datetime_format(text, &v->time), arena, err);
  }
  case VALUE_DURATION:
    return set_text(v, (xsd_type)(XSD_DURATION + v->duration), text,
                    duration_format(text, &v->length, (duration_type)v->duration), arena, err);
  case VALUE_ERROR:
  case VALUE_BLANK:
  case VALUE_IRI:
  case VALUE_STRING:
  case VALUE_LANG:
  case VALUE_OTHER:
    break;
  }
  assert(v->has_term); /* these kinds have an id or a term */
  return QUOIN_OK;
}

quoin_status
value_id(atom_id *out, sparql_value *v, sparql_context *ctx, base_arena *arena, quoin_error *err)
{
  *out = v->id;
  if (v->id.bits || v->kind == VALUE_ERROR) return QUOIN_OK;
  int64_t whole;
  if (!v->has_term) {
    if (v->kind == VALUE_BOOLEAN) *out = atom_inline_boolean(v->boolean);
    if (v->kind == VALUE_INTEGER && number_to_int64(&whole, &v->number))
      *out = atom_inline_integer(whole);
    if (v->kind == VALUE_DOUBLE) *out = atom_inline_double(v->dbl);
  }
  quoin_status st = QUOIN_OK;
  if (!out->bits) {
    if ((st = value_text(v, ctx, arena, err))) return st;
    st = sparql_intern(out, ctx, &v->term, err);
  }
  v->id = *out;
  return st;
}
