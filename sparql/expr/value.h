/* sparql/expr/value.h - values of expressions: what an id or a computed result means.
 *
 * A value is made from an id without reading text where the id says it (inline kinds, IRIs, strings
 * whose text may not be needed); value_text fills the term when a function wants it. An expression
 * error is the kind VALUE_ERROR. */
#ifndef QUOIN_SPARQL_EXPR_VALUE_H
#define QUOIN_SPARQL_EXPR_VALUE_H

#include "sparql/expr/datetime.h"
#include "sparql/expr/expr.h"

typedef enum value_kind {
  VALUE_ERROR = 0, /* expression error, or unbound */
  VALUE_BLANK,
  VALUE_IRI,
  VALUE_STRING,
  VALUE_LANG,
  VALUE_BOOLEAN,
  VALUE_INTEGER, /* xsd:integer and the types derived from it */
  VALUE_DECIMAL,
  VALUE_FLOAT,
  VALUE_DOUBLE,
  VALUE_DATETIME, /* all types of sparql_datetime */
  VALUE_DURATION,
  VALUE_OTHER /* a datatype not known here, or ill-typed */
} value_kind;

typedef struct sparql_value {
  value_kind kind;
  bool has_term;    /* `term` is filled */
  uint8_t duration; /* duration_type */
  atom_id id;       /* 0: computed, has no id yet */
  rdf_term term;
  union {
    bool boolean;
    float single;
    double dbl;
    sparql_number number;
    sparql_datetime time;
    sparql_duration length;
  };
} sparql_value;

/* Datatypes with values. The order groups them: see xsd_value_kind. */
typedef enum xsd_type {
  XSD_NONE = 0, /* no type of ours */
  XSD_STRING,
  XSD_BOOLEAN,
  XSD_INTEGER, /* and derived: */
  XSD_BYTE,
  XSD_INT,
  XSD_LONG,
  XSD_NEGATIVE_INTEGER,
  XSD_NON_NEGATIVE_INTEGER,
  XSD_NON_POSITIVE_INTEGER,
  XSD_POSITIVE_INTEGER,
  XSD_SHORT,
  XSD_UNSIGNED_BYTE,
  XSD_UNSIGNED_INT,
  XSD_UNSIGNED_LONG,
  XSD_UNSIGNED_SHORT,
  XSD_DECIMAL,
  XSD_FLOAT,
  XSD_DOUBLE,
  XSD_DATETIME,
  XSD_DATETIMESTAMP,
  XSD_DATE,
  XSD_TIME,
  XSD_GYEAR,
  XSD_GYEARMONTH,
  XSD_GMONTHDAY,
  XSD_GDAY,
  XSD_GMONTH,
  XSD_DURATION,
  XSD_DAYTIMEDURATION,
  XSD_YEARMONTHDURATION,
  XSD_TYPES
} xsd_type;

/* By IRI; XSD_NONE when it is none of them. */
xsd_type xsd_type_of(quoin_span iri);
quoin_span xsd_iri(xsd_type type); /* static */

/* Parse `text` as a literal of `type` into the value (kind, and its member). DONE when it is not in
 * the lexical space or out of the type's range. Big numbers go into `arena`. */
quoin_status value_parse(sparql_value *out, xsd_type type, quoin_span text, base_arena *arena,
                         quoin_error *err);

/* Statuses of all below: QUOIN_OK, or a query failure. */
quoin_status value_of_id(sparql_value *out, sparql_context *ctx, atom_id id, base_arena *arena,
                         quoin_error *err);
quoin_status value_of_term(sparql_value *out, const rdf_term *term, base_arena *arena,
                           quoin_error *err);
/* Fill value->term (not of an error). */
quoin_status value_text(sparql_value *value, sparql_context *ctx, base_arena *arena,
                        quoin_error *err);
/* The id of a value; 0 for an error. */
quoin_status value_id(atom_id *out, sparql_value *value, sparql_context *ctx, base_arena *arena,
                      quoin_error *err);

/* Setters write what a value of the kind needs and leave the rest: a value is 128 bytes. */
static inline void
value_set(sparql_value *out, value_kind kind)
{
  out->kind = kind;
  out->has_term = false;
  out->id = ATOM_NONE_ID;
}

static inline void
value_set_boolean(sparql_value *out, bool b)
{
  value_set(out, VALUE_BOOLEAN);
  out->boolean = b;
}

static inline void
value_set_integer(sparql_value *out, int64_t i)
{
  value_set(out, VALUE_INTEGER);
  out->number = number_of(i);
}

static inline void
value_set_double(sparql_value *out, double d)
{
  value_set(out, VALUE_DOUBLE);
  out->dbl = d;
}

static inline void
value_set_float(sparql_value *out, float f)
{
  value_set(out, VALUE_FLOAT);
  out->single = f;
}

/* `kind`: VALUE_INTEGER or VALUE_DECIMAL. */
static inline void
value_set_number(sparql_value *out, value_kind kind, const sparql_number *n)
{
  value_set(out, kind);
  out->number = *n;
}

/* Text is borrowed. An empty `lang`: a simple string. */
static inline void
value_set_lang(sparql_value *out, quoin_span text, quoin_span lang)
{
  value_set(out, lang.len ? VALUE_LANG : VALUE_STRING);
  out->has_term = true;
  out->term = (rdf_term){.kind = RDF_LITERAL, .value = text, .lang = lang};
}

static inline void
value_set_string(sparql_value *out, quoin_span text)
{
  value_set_lang(out, text, (quoin_span){NULL, 0});
}

static inline void
value_set_iri(sparql_value *out, quoin_span iri)
{
  value_set(out, VALUE_IRI);
  out->has_term = true;
  out->term = (rdf_term){.kind = RDF_IRI, .value = iri};
}

static inline bool
value_is_numeric(const sparql_value *v)
{
  return v->kind >= VALUE_INTEGER && v->kind <= VALUE_DOUBLE;
}

static inline bool
value_is_literal(const sparql_value *v)
{
  return v->kind >= VALUE_STRING;
}

/* ---- comparison (sparql/expr/value_compare.c) ---- */

enum { VALUE_INCOMPARABLE = 3, VALUE_UNORDERED = 2 };
/* <, =, > as -1, 0, 1 for the operators of 17.3; VALUE_UNORDERED: NaN is involved, all but != are
 * false; VALUE_INCOMPARABLE: an error. Numbers by promotion, strings by code point, booleans, times
 * of one type, durations. Fills terms. */
quoin_status value_order(int *out, sparql_value *a, sparql_value *b, sparql_context *ctx,
                         base_arena *arena, quoin_error *err);
/* The `=` of 17.3 and RDFterm-equal: 1 true, 0 false, -1 error. */
quoin_status value_equal(int *out, sparql_value *a, sparql_value *b, sparql_context *ctx,
                         base_arena *arena, quoin_error *err);
/* sameTerm. */
quoin_status value_same(bool *out, sparql_value *a, sparql_value *b, sparql_context *ctx,
                        base_arena *arena, quoin_error *err);
/* Effective boolean value (17.2.2): 1, 0, or -1: error. */
quoin_status value_ebv(int *out, sparql_value *v, sparql_context *ctx, base_arena *arena,
                       quoin_error *err);

/* ---- arithmetic (sparql/expr/value_arithmetic.c) ---- */

/* `op`: EXPR_ADD, SUB, MUL, DIV. An error value where an operand is not numeric, and for division
 * of whole numbers and decimals by zero. */
quoin_status value_arithmetic(sparql_value *out, sparql_op op, const sparql_value *a,
                              const sparql_value *b, base_arena *arena, quoin_error *err);
quoin_status value_negate(sparql_value *out, const sparql_value *a, base_arena *arena,
                          quoin_error *err);
/* As a double: by promotion. */
double value_to_double(const sparql_value *v);
float value_to_float(const sparql_value *v);

#endif /* QUOIN_SPARQL_EXPR_VALUE_H */
