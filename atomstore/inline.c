/* atomstore/inline.c - terms whose id says all: which datatypes, and the way there and back.
 *
 * A value has an inline id only if the id gives its lexical form back byte for byte; all other
 * forms of the same value are interned, in a kind of their class. Ids come from files: what no
 * value has is CORRUPT when its text is asked for. */
#include "atomstore/inline.h"

#include <assert.h>

#include "base/poison.h"

enum { XSD_PREFIX = sizeof(RDF_XSD) - 1 };

static const int64_t DECIMAL_POWER[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
enum { DECIMAL_SCALE = 6, DECIMAL_SCALE_BITS = 3 };

/* ---- datatypes ---------------------------------------------------------------------------------
 */

typedef struct xsd_name {
  const char *name;
  atom_xsd type;
} xsd_name;

/* The commonest first. */
static const xsd_name XSD_NAMES[] = {
    {"integer", XSD_INTEGER},
    {"date", XSD_DATE},
    {"dateTime", XSD_DATETIME},
    {"decimal", XSD_DECIMAL},
    {"double", XSD_DOUBLE},
    {"float", XSD_FLOAT},
    {"boolean", XSD_BOOLEAN},
    {"gYear", XSD_OTHER_TEMPORAL},
    {"int", XSD_DERIVED_INTEGER},
    {"long", XSD_DERIVED_INTEGER},
    {"nonNegativeInteger", XSD_DERIVED_INTEGER},
    {"positiveInteger", XSD_DERIVED_INTEGER},
    {"nonPositiveInteger", XSD_DERIVED_INTEGER},
    {"negativeInteger", XSD_DERIVED_INTEGER},
    {"short", XSD_DERIVED_INTEGER},
    {"byte", XSD_DERIVED_INTEGER},
    {"unsignedLong", XSD_DERIVED_INTEGER},
    {"unsignedInt", XSD_DERIVED_INTEGER},
    {"unsignedShort", XSD_DERIVED_INTEGER},
    {"unsignedByte", XSD_DERIVED_INTEGER},
    {"gYearMonth", XSD_OTHER_TEMPORAL},
    {"time", XSD_OTHER_TEMPORAL},
    {"duration", XSD_OTHER_TEMPORAL},
    {"dayTimeDuration", XSD_OTHER_TEMPORAL},
    {"yearMonthDuration", XSD_OTHER_TEMPORAL},
    {"dateTimeStamp", XSD_OTHER_TEMPORAL},
    {"gMonth", XSD_OTHER_TEMPORAL},
    {"gMonthDay", XSD_OTHER_TEMPORAL},
    {"gDay", XSD_OTHER_TEMPORAL},
};

atom_xsd
atom_xsd_of(quoin_span datatype)
{
  if (datatype.len <= XSD_PREFIX || memcmp(datatype.ptr, RDF_XSD, XSD_PREFIX) != 0)
    return XSD_OTHER;
  quoin_span name = {datatype.ptr + XSD_PREFIX, datatype.len - XSD_PREFIX};
  for (size_t i = 0; i < sizeof(XSD_NAMES) / sizeof(XSD_NAMES[0]); i++) {
    const char *known = XSD_NAMES[i].name;
    if (known[0] == name.ptr[0] && base_span_is(name, known)) return XSD_NAMES[i].type;
  }
  return XSD_OTHER;
}

atom_kind
atom_datatype_kind(quoin_span datatype, bool has_lang)
{
  if (has_lang) return ATOM_LANG;
  if (datatype.len == 0) return ATOM_STRING;
  switch (atom_xsd_of(datatype)) {
  case XSD_INTEGER:
  case XSD_DECIMAL:
  case XSD_DOUBLE:
  case XSD_FLOAT:
  case XSD_DERIVED_INTEGER:
    return ATOM_NUMERIC;
  case XSD_DATE:
  case XSD_DATETIME:
  case XSD_OTHER_TEMPORAL:
    return ATOM_TEMPORAL;
  case XSD_BOOLEAN:
    return ATOM_BOOLTEXT;
  case XSD_OTHER:
    break;
  }
  return ATOM_TYPED;
}

/* ---- integer, decimal, boolean ------------------------------------------------------------------
 */

atom_id
atom_inline_integer(int64_t value)
{
  if (value < -ATOM_INTEGER_BIAS || value >= ATOM_INTEGER_BIAS) return ATOM_NONE_ID;
  return atom_id_make(ATOM_INTEGER, (uint64_t)(value + ATOM_INTEGER_BIAS));
}

atom_id
atom_inline_boolean(bool value)
{
  return atom_id_make(ATOM_BOOLEAN, value);
}

static atom_id
double_id(uint64_t payload)
{
  return (atom_id){UINT64_C(1) << 63 | payload};
}

atom_id
atom_inline_double(double value)
{
  uint64_t code = atom_double_code(value);
  return code == UINT64_MAX ? ATOM_NONE_ID : double_id(code << ATOM_STYLE_BITS);
}

/* -?(0|[1-9][0-9]*), at most 18 digits; returns those used, 0 when there is no such form. */
static size_t
whole_parse(uint64_t *out, quoin_span text)
{
  size_t n = 0;
  uint64_t value = 0;
  while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
    if (n == 18) return 0;
    value = value * 10 + (uint64_t)(text.ptr[n++] - '0');
  }
  if (n > 1 && text.ptr[0] == '0') return 0;
  *out = value;
  return n;
}

static atom_id
integer_parse(quoin_span text)
{
  uint64_t magnitude;
  bool negative = text.len > 0 && text.ptr[0] == '-';
  if (negative) text.ptr++, text.len--;
  size_t n = whole_parse(&magnitude, text);
  if (n == 0 || n != text.len || (negative && magnitude == 0)) return ATOM_NONE_ID;
  return atom_inline_integer(negative ? -(int64_t)magnitude : (int64_t)magnitude);
}

static atom_id
decimal_parse(quoin_span text)
{
  uint64_t whole, fraction = 0;
  bool negative = text.len > 0 && text.ptr[0] == '-';
  if (negative) text.ptr++, text.len--;
  size_t n = whole_parse(&whole, text), scale = 0;
  if (n == 0 || whole >= (uint64_t)ATOM_DECIMAL_BIAS / 1000000) return ATOM_NONE_ID;
  if (n < text.len) {
    if (text.ptr[n++] != '.') return ATOM_NONE_ID;
    scale = text.len - n;
    if (scale == 0 || scale > DECIMAL_SCALE) return ATOM_NONE_ID;
    for (; n < text.len; n++) {
      if (text.ptr[n] < '0' || text.ptr[n] > '9') return ATOM_NONE_ID;
      fraction = fraction * 10 + (uint64_t)(text.ptr[n] - '0');
    }
  }
  int64_t value =
      (int64_t)whole * 1000000 + (int64_t)fraction * DECIMAL_POWER[DECIMAL_SCALE - scale];
  if (negative && value == 0) return ATOM_NONE_ID;
  if (negative) value = -value;
  return atom_id_make(ATOM_DECIMAL,
                      (uint64_t)(value + ATOM_DECIMAL_BIAS) << DECIMAL_SCALE_BITS | scale);
}

static atom_id
boolean_parse(quoin_span text)
{
  if (base_span_is(text, "true")) return atom_inline_boolean(true);
  if (base_span_is(text, "false")) return atom_inline_boolean(false);
  return ATOM_NONE_ID;
}

static atom_id
id_of_payload(atom_kind kind, uint64_t payload)
{
  return payload == UINT64_MAX ? ATOM_NONE_ID : atom_id_make(kind, payload);
}

atom_id
atom_inline(const rdf_term *term)
{
  if (term->kind != RDF_LITERAL || term->datatype.len == 0) return ATOM_NONE_ID;
  uint64_t payload;
  switch (atom_xsd_of(term->datatype)) {
  case XSD_INTEGER:
    return integer_parse(term->value);
  case XSD_DECIMAL:
    return decimal_parse(term->value);
  case XSD_DOUBLE:
    payload = atom_double_parse(term->value);
    return payload == UINT64_MAX ? ATOM_NONE_ID : double_id(payload);
  case XSD_FLOAT:
    return id_of_payload(ATOM_FLOAT, atom_float_parse(term->value));
  case XSD_BOOLEAN:
    return boolean_parse(term->value);
  case XSD_DATE:
    return id_of_payload(ATOM_DATE, atom_date_parse(term->value));
  case XSD_DATETIME:
    return atom_datetime_parse(term->value);
  case XSD_DERIVED_INTEGER:
  case XSD_OTHER_TEMPORAL:
  case XSD_OTHER:
    break;
  }
  return ATOM_NONE_ID;
}

/* ---- values of ids
 * ------------------------------------------------------------------------------- */

int64_t
atom_inline_get_integer(atom_id id)
{
  assert(atom_id_kind(id) == ATOM_INTEGER);
  return (int64_t)atom_id_payload(id) - ATOM_INTEGER_BIAS;
}

bool
atom_inline_get_boolean(atom_id id)
{
  assert(atom_id_kind(id) == ATOM_BOOLEAN);
  return atom_id_payload(id) != 0;
}

double
atom_inline_get_double(atom_id id)
{
  if (atom_id_kind(id) == ATOM_FLOAT)
    return (double)atom_float_value((uint32_t)(atom_id_payload(id) >> ATOM_STYLE_BITS));
  assert(atom_id_kind(id) == ATOM_DOUBLE);
  return atom_double_value((id.bits & (~UINT64_C(0) >> 2)) >> ATOM_STYLE_BITS);
}

/* False when no decimal has this payload. */
static bool
decimal_value(int64_t *unscaled, int *scale, atom_id id)
{
  uint64_t payload = atom_id_payload(id);
  int64_t value = (int64_t)(payload >> DECIMAL_SCALE_BITS) - ATOM_DECIMAL_BIAS;
  unsigned digits = payload & 7u;
  *scale = digits > DECIMAL_SCALE ? DECIMAL_SCALE : (int)digits;
  int64_t rest = DECIMAL_POWER[DECIMAL_SCALE - *scale];
  *unscaled = value / rest;
  return digits <= DECIMAL_SCALE && value % rest == 0 && value > -ATOM_DECIMAL_BIAS;
}

void
atom_inline_get_decimal(int64_t *unscaled, int *scale, atom_id id)
{
  assert(atom_id_kind(id) == ATOM_DECIMAL);
  (void)decimal_value(unscaled, scale, id);
}

/* ---- text of ids
 * --------------------------------------------------------------------------------- */

static char *
integer_put(char *at, int64_t value, int least_digits)
{
  char digits[24];
  int n = 0;
  uint64_t magnitude = value < 0 ? (uint64_t)0 - (uint64_t)value : (uint64_t)value;
  do
    digits[n++] = (char)('0' + magnitude % 10);
  while ((magnitude /= 10) > 0);
  while (n < least_digits)
    digits[n++] = '0';
  if (value < 0) *at++ = '-';
  while (n > 0)
    *at++ = digits[--n];
  return at;
}

static size_t
decimal_print(char *out, atom_id id)
{
  int64_t unscaled;
  int scale;
  if (!decimal_value(&unscaled, &scale, id)) return 0;
  char *end = integer_put(out, unscaled, scale + 1);
  if (scale > 0) {
    memmove(end - scale + 1, end - scale, (size_t)scale);
    end[-scale] = '.';
    end++;
  }
  return (size_t)(end - out);
}

static size_t
text_put(char *out, const char *text)
{
  size_t len = strlen(text);
  memcpy(out, text, len);
  return len;
}

/* Text of an inline literal and the datatype, both without memory; 0 when it is no value's id. */
static size_t
literal_print(char *out, const char **datatype, atom_id id)
{
  switch (atom_id_kind(id)) {
  case ATOM_DOUBLE:
    *datatype = RDF_XSD "double";
    return atom_double_print(out, id.bits & (~UINT64_C(0) >> 2));
  case ATOM_BOOLEAN:
    *datatype = RDF_XSD "boolean";
    if (atom_id_payload(id) > 1) return 0;
    return text_put(out, atom_id_payload(id) ? "true" : "false");
  case ATOM_INTEGER:
    *datatype = RDF_XSD "integer";
    return (size_t)(integer_put(out, atom_inline_get_integer(id), 1) - out);
  case ATOM_DECIMAL:
    *datatype = RDF_XSD "decimal";
    return decimal_print(out, id);
  case ATOM_FLOAT:
    *datatype = RDF_XSD "float";
    return atom_float_print(out, atom_id_payload(id));
  case ATOM_DATE:
    *datatype = RDF_XSD "date";
    return atom_date_print(out, id);
  case ATOM_DATETIME:
  case ATOM_DATETIMEZ:
    *datatype = RDF_XSD "dateTime";
    return atom_datetime_print(out, id);
  case ATOM_NONE:
  case ATOM_LOCAL:
  case ATOM_BLANK:
  case ATOM_IRI:
  case ATOM_STRING:
  case ATOM_LANG:
  case ATOM_TYPED:
  case ATOM_NUMERIC:
  case ATOM_TEMPORAL:
  case ATOM_BOOLTEXT:
  case ATOM_DIRLANG:
  case ATOM_TRIPLE:
  case ATOM_VECTOR:
  case ATOM_PREFIX:
    break;
  }
  return 0;
}

quoin_status
atom_inline_term(rdf_term *out, atom_id id, base_arena *arena, quoin_error *err)
{
  char text[ATOM_TEXT_MAX];
  const char *datatype = "";
  size_t len;
  *out = (rdf_term){.kind = RDF_LITERAL};
  if (atom_id_kind(id) == ATOM_BLANK) {
    out->kind = RDF_BLANK;
    text[0] = 'b';
    len = (size_t)(integer_put(text + 1, (int64_t)atom_id_payload(id), 1) - text);
  } else {
    len = literal_print(text, &datatype, id);
    if (len == 0)
      return base_fail(err, QUOIN_ERR_CORRUPT, "no term has the id %016llx",
                       (unsigned long long)id.bits);
    out->datatype = base_span(datatype);
  }
  out->value = base_arena_copy(arena, (quoin_span){text, len});
  return out->value.ptr ? QUOIN_OK : base_fail_nomem(err);
}
