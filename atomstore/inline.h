/* atomstore/inline.h - values that live in the id: what the files of this folder share. */
#ifndef QUOIN_ATOMSTORE_INLINE_H
#define QUOIN_ATOMSTORE_INLINE_H

#include "atomstore/atomstore.h"

/* What a datatype is to the ids. */
typedef enum atom_xsd {
  XSD_OTHER,
  XSD_INTEGER,
  XSD_DECIMAL,
  XSD_DOUBLE,
  XSD_FLOAT,
  XSD_BOOLEAN,
  XSD_DATE,
  XSD_DATETIME,
  XSD_DERIVED_INTEGER, /* xsd:int and its like: never inline */
  XSD_OTHER_TEMPORAL   /* xsd:time, xsd:gYear, xsd:duration...: never inline */
} atom_xsd;

atom_xsd atom_xsd_of(quoin_span datatype);

enum { ATOM_TEXT_MAX = 96 }; /* longest lexical form of an inline value, with room */

/* Payload of 58 bits (doubles: 62), for the kind; UINT64_MAX when the form would not come back. */
uint64_t atom_double_parse(quoin_span lexical);
uint64_t atom_float_parse(quoin_span lexical);
uint64_t atom_date_parse(quoin_span lexical);
atom_id atom_datetime_parse(quoin_span lexical); /* of either kind, or 0 */

/* Print into out[ATOM_TEXT_MAX]; returns the length, 0 when no value has this payload. */
size_t atom_double_print(char *out, uint64_t payload);
size_t atom_float_print(char *out, uint64_t payload);
size_t atom_date_print(char *out, atom_id id);     /* ATOM_DATE */
size_t atom_datetime_print(char *out, atom_id id); /* ATOM_DATETIME, ATOM_DATETIMEZ */

/* Order-preserving codes of doubles: see inline_float.c. UINT64_MAX: not representable. */
uint64_t atom_double_code(double value);
double atom_double_value(uint64_t code);
uint32_t atom_float_code(float value);
float atom_float_value(uint32_t code);

enum { ATOM_STYLE_BITS = 2 }; /* below the code of doubles and floats */
enum { ATOM_DATETIME_BITS = 1, ATOM_ZONE_BITS = 11 };
#define ATOM_INTEGER_BIAS (INT64_C(1) << 57)
#define ATOM_DECIMAL_BIAS (INT64_C(1) << 54) /* of value * 10^6 */
#define ATOM_DATE_BIAS (INT64_C(1) << 57)
#define ATOM_DATETIME_BIAS (INT64_C(1) << 56)
#define ATOM_DATETIMEZ_BIAS (INT64_C(1) << 45)

#endif /* QUOIN_ATOMSTORE_INLINE_H */
