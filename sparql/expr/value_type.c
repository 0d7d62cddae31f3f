/* sparql/expr/value_type.c - the datatypes with values, and reading their lexical forms. */
#include "sparql/expr/value.h"

#include <assert.h>
#include <stdlib.h>

#include "base/poison.h"

#define XSD_PREFIX_LEN (sizeof(RDF_XSD) - 1)

static const char *const iris[XSD_TYPES] = {
    [XSD_NONE] = "",
    [XSD_STRING] = RDF_XSD "string",
    [XSD_BOOLEAN] = RDF_XSD "boolean",
    [XSD_INTEGER] = RDF_XSD "integer",
    [XSD_BYTE] = RDF_XSD "byte",
    [XSD_INT] = RDF_XSD "int",
    [XSD_LONG] = RDF_XSD "long",
    [XSD_NEGATIVE_INTEGER] = RDF_XSD "negativeInteger",
    [XSD_NON_NEGATIVE_INTEGER] = RDF_XSD "nonNegativeInteger",
    [XSD_NON_POSITIVE_INTEGER] = RDF_XSD "nonPositiveInteger",
    [XSD_POSITIVE_INTEGER] = RDF_XSD "positiveInteger",
    [XSD_SHORT] = RDF_XSD "short",
    [XSD_UNSIGNED_BYTE] = RDF_XSD "unsignedByte",
    [XSD_UNSIGNED_INT] = RDF_XSD "unsignedInt",
    [XSD_UNSIGNED_LONG] = RDF_XSD "unsignedLong",
    [XSD_UNSIGNED_SHORT] = RDF_XSD "unsignedShort",
    [XSD_DECIMAL] = RDF_XSD "decimal",
    [XSD_FLOAT] = RDF_XSD "float",
    [XSD_DOUBLE] = RDF_XSD "double",
    [XSD_DATETIME] = RDF_XSD "dateTime",
    [XSD_DATETIMESTAMP] = RDF_XSD "dateTimeStamp",
    [XSD_DATE] = RDF_XSD "date",
    [XSD_TIME] = RDF_XSD "time",
    [XSD_GYEAR] = RDF_XSD "gYear",
    [XSD_GYEARMONTH] = RDF_XSD "gYearMonth",
    [XSD_GMONTHDAY] = RDF_XSD "gMonthDay",
    [XSD_GDAY] = RDF_XSD "gDay",
    [XSD_GMONTH] = RDF_XSD "gMonth",
    [XSD_DURATION] = RDF_XSD "duration",
    [XSD_DAYTIMEDURATION] = RDF_XSD "dayTimeDuration",
    [XSD_YEARMONTHDURATION] = RDF_XSD "yearMonthDuration",
};

/* By local name, sorted bytewise. */
static const uint8_t by_name[] = {
    XSD_BOOLEAN,
    XSD_BYTE,
    XSD_DATE,
    XSD_DATETIME,
    XSD_DATETIMESTAMP,
    XSD_DAYTIMEDURATION,
    XSD_DECIMAL,
    XSD_DOUBLE,
    XSD_DURATION,
    XSD_FLOAT,
    XSD_GDAY,
    XSD_GMONTH,
    XSD_GMONTHDAY,
    XSD_GYEAR,
    XSD_GYEARMONTH,
    XSD_INT,
    XSD_INTEGER,
    XSD_LONG,
    XSD_NEGATIVE_INTEGER,
    XSD_NON_NEGATIVE_INTEGER,
    XSD_NON_POSITIVE_INTEGER,
    XSD_POSITIVE_INTEGER,
    XSD_SHORT,
    XSD_STRING,
    XSD_TIME,
    XSD_UNSIGNED_BYTE,
    XSD_UNSIGNED_INT,
    XSD_UNSIGNED_LONG,
    XSD_UNSIGNED_SHORT,
    XSD_YEARMONTHDURATION,
};
static_assert(sizeof(by_name) == XSD_TYPES - 1, "every type has its place");

quoin_span
xsd_iri(xsd_type type)
{
  return base_span(iris[type]);
}

xsd_type
xsd_type_of(quoin_span iri)
{
  if (iri.len <= XSD_PREFIX_LEN || memcmp(iri.ptr, RDF_XSD, XSD_PREFIX_LEN) != 0) return XSD_NONE;
  size_t low = 0, high = sizeof(by_name);
  while (low < high) {
    size_t middle = (low + high) / 2;
    int c = base_span_compare(base_span(iris[by_name[middle]]), iri);
    if (c == 0) return (xsd_type)by_name[middle];
    if (c < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return XSD_NONE;
}

/* Bounds of the types derived from xsd:integer. */
static bool
in_range(xsd_type type, const sparql_number *n)
{
  static const struct {
    bool has_min, has_max;
    int64_t min, max;
  } ranges[XSD_TYPES] = {
      [XSD_BYTE] = {true, true, INT8_MIN, INT8_MAX},
      [XSD_SHORT] = {true, true, INT16_MIN, INT16_MAX},
      [XSD_INT] = {true, true, INT32_MIN, INT32_MAX},
      [XSD_LONG] = {true, true, INT64_MIN, INT64_MAX},
      [XSD_UNSIGNED_BYTE] = {true, true, 0, UINT8_MAX},
      [XSD_UNSIGNED_SHORT] = {true, true, 0, UINT16_MAX},
      [XSD_UNSIGNED_INT] = {true, true, 0, UINT32_MAX},
      [XSD_UNSIGNED_LONG] = {true, false, 0, 0},
      [XSD_NON_NEGATIVE_INTEGER] = {true, false, 0, 0},
      [XSD_POSITIVE_INTEGER] = {true, false, 1, 0},
      [XSD_NEGATIVE_INTEGER] = {false, true, 0, -1},
      [XSD_NON_POSITIVE_INTEGER] = {false, true, 0, 0},
  };
  sparql_number low = number_of(ranges[type].min), high = number_of(ranges[type].max);
  if (type == XSD_UNSIGNED_LONG) {
    sparql_number most = {.small = (number_wide)UINT64_MAX};
    if (number_compare(n, &most) > 0) return false;
  }
  return (!ranges[type].has_min || number_compare(n, &low) >= 0) &&
         (!ranges[type].has_max || number_compare(n, &high) <= 0);
}

static datetime_type
datetime_type_of(xsd_type type)
{
  return type <= XSD_DATETIMESTAMP ? DATETIME_DATETIME
                                   : (datetime_type)(DATETIME_DATE + (int)(type - XSD_DATE));
}
static_assert(XSD_GMONTH - XSD_DATE == DATETIME_GMONTH - DATETIME_DATE, "both in one order");

static quoin_status
parse_boolean(sparql_value *out, quoin_span text)
{
  out->kind = VALUE_BOOLEAN;
  if (base_span_is(text, "true") || base_span_is(text, "1"))
    out->boolean = true;
  else if (base_span_is(text, "false") || base_span_is(text, "0"))
    out->boolean = false;
  else
    return QUOIN_DONE;
  return QUOIN_OK;
}

quoin_status
value_parse(sparql_value *out, xsd_type type, quoin_span text, base_arena *arena, quoin_error *err)
{
  if (type == XSD_BOOLEAN) return parse_boolean(out, text);
  if (type >= XSD_INTEGER && type <= XSD_UNSIGNED_SHORT) {
    out->kind = VALUE_INTEGER;
    quoin_status st = number_parse_integer(&out->number, text, arena, err);
    return st || type == XSD_INTEGER || in_range(type, &out->number) ? st : QUOIN_DONE;
  }
  if (type == XSD_DECIMAL) {
    out->kind = VALUE_DECIMAL;
    return number_parse_decimal(&out->number, text, arena, err);
  }
  if (type == XSD_FLOAT) {
    out->kind = VALUE_FLOAT;
    return number_parse_float(&out->single, text) ? QUOIN_OK : QUOIN_DONE;
  }
  if (type == XSD_DOUBLE) {
    out->kind = VALUE_DOUBLE;
    return number_parse_double(&out->dbl, text) ? QUOIN_OK : QUOIN_DONE;
  }
  if (type >= XSD_DATETIME && type <= XSD_GMONTH) {
    out->kind = VALUE_DATETIME;
    if (!datetime_parse(&out->time, datetime_type_of(type), text)) return QUOIN_DONE;
    return type == XSD_DATETIMESTAMP && !out->time.zoned ? QUOIN_DONE : QUOIN_OK;
  }
  if (type >= XSD_DURATION && type <= XSD_YEARMONTHDURATION) {
    out->kind = VALUE_DURATION;
    out->duration = (uint8_t)(type - XSD_DURATION);
    return duration_parse(&out->length, (duration_type)out->duration, text) ? QUOIN_OK : QUOIN_DONE;
  }
  return QUOIN_DONE;
}
