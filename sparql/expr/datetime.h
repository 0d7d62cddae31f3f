/* sparql/expr/datetime.h - values of xsd:dateTime, date, time, gYear... and durations.
 *
 * Instants and lengths are counted in attoseconds (10^-18 s) in 128 bits: exact for 18 digits after
 * the point of the seconds; what follows is cut off. Years beyond +-10^11 are beyond the limits of
 * this implementation. */
#ifndef QUOIN_SPARQL_EXPR_DATETIME_H
#define QUOIN_SPARQL_EXPR_DATETIME_H

#include "sparql/expr/number.h"

typedef enum datetime_type {
  DATETIME_DATETIME,
  DATETIME_DATE,
  DATETIME_TIME,
  DATETIME_GYEAR,
  DATETIME_GYEARMONTH,
  DATETIME_GMONTHDAY,
  DATETIME_GDAY,
  DATETIME_GMONTH
} datetime_type;

typedef struct sparql_datetime {
  number_wide at;    /* the instant; local time read as Z where there is no zone */
  int64_t year;      /* as written (local); 0 where the type has none */
  uint64_t fraction; /* of the second, attoseconds */
  int16_t zone;      /* minutes east */
  bool zoned;
  uint8_t type; /* datetime_type */
  uint8_t month, day, hour, minute, second;
} sparql_datetime;

typedef struct sparql_duration {
  number_wide seconds; /* attoseconds */
  int64_t months;
} sparql_duration;

typedef enum duration_type { DURATION_ANY, DURATION_DAY_TIME, DURATION_YEAR_MONTH } duration_type;

/* False when `text` is not in the lexical space of `type`. */
bool datetime_parse(sparql_datetime *out, datetime_type type, quoin_span text);
/* From milliseconds since 1970-01-01T00:00:00Z (or without zone). */
void datetime_from_millis(sparql_datetime *out, datetime_type type, int64_t millis, bool zoned,
                          int zone);
/* Lexical form; at most DATETIME_TEXT bytes; returns the length. DATETIME, DATE and TIME. */
enum { DATETIME_TEXT = 80 };
size_t datetime_format(char out[DATETIME_TEXT], const sparql_datetime *t);

/* -1, 0, 1, or DATETIME_INDETERMINATE: one with and one without zone, less than 14 hours apart (XML
 * Schema 3.2.7.4). Both of the same type. */
enum { DATETIME_INDETERMINATE = 2 };
int datetime_compare(const sparql_datetime *a, const sparql_datetime *b);

/* `t` plus a duration (XML Schema part 2, appendix E: months first, the day kept inside the month,
 * then seconds), of DATETIME, DATE and TIME. False beyond the limits, and for months added to a
 * time. */
bool datetime_add(sparql_datetime *out, const sparql_datetime *t, const sparql_duration *d);

bool duration_parse(sparql_duration *out, duration_type type, quoin_span text);
/* Partial too: P1M and P30D cannot be told apart. */
int duration_compare(const sparql_duration *a, const sparql_duration *b);
/* Canonical form, as datetime_format. */
size_t duration_format(char out[DATETIME_TEXT], const sparql_duration *d, duration_type type);

#endif /* QUOIN_SPARQL_EXPR_DATETIME_H */
