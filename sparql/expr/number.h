/* sparql/expr/number.h - exact decimals: value = unscaled / 10^scale.
 *
 * The unscaled number is a 128-bit integer as long as it fits, else limbs of GMP in an arena. GMP's
 * own temporaries come from its allocator and live only inside one call (docs/adrs/0006). Numbers
 * of more than NUMBER_DIGITS digits are beyond the limits of this implementation. */
#ifndef QUOIN_SPARQL_EXPR_NUMBER_H
#define QUOIN_SPARQL_EXPR_NUMBER_H

#include "base/base.h"

#include <gmp.h>

__extension__ typedef __int128 number_wide;
__extension__ typedef unsigned __int128 number_uwide;

enum { NUMBER_DIGITS = 100000, NUMBER_DIVISION_SCALE = 18 };

typedef struct sparql_number {
  number_wide small;    /* the unscaled number while `big` is NULL */
  const mp_limb_t *big; /* its magnitude otherwise */
  int32_t limbs;        /* how many, negative for a negative number */
  uint32_t scale;       /* digits after the point */
} sparql_number;

static inline sparql_number
number_of(int64_t value)
{
  return (sparql_number){.small = value};
}

/* All that return a status: QUOIN_OK; QUOIN_DONE when there is no such number (malformed, division
 * by zero, beyond the limits); NOMEM. New limbs go into `arena`. */

/* [+-]?[0-9]+, without white space around. */
quoin_status number_parse_integer(sparql_number *out, quoin_span text, base_arena *arena,
                                  quoin_error *err);
/* [+-]?([0-9]+(.[0-9]*)?|.[0-9]+) */
quoin_status number_parse_decimal(sparql_number *out, quoin_span text, base_arena *arena,
                                  quoin_error *err);
/* Canonical: "-12"; with a scale above 0 at least one digit after the point ("2.0"), no more zeros
 * at the end than that. {NULL,0} on no memory. */
quoin_span number_format(const sparql_number *n, base_arena *arena);

quoin_status number_add(sparql_number *out, const sparql_number *a, const sparql_number *b,
                        base_arena *arena, quoin_error *err);
quoin_status number_sub(sparql_number *out, const sparql_number *a, const sparql_number *b,
                        base_arena *arena, quoin_error *err);
quoin_status number_mul(sparql_number *out, const sparql_number *a, const sparql_number *b,
                        base_arena *arena, quoin_error *err);
/* NUMBER_DIVISION_SCALE digits after the point, the rest is cut off, zeros at the end too (one
 * digit stays). */
quoin_status number_div(sparql_number *out, const sparql_number *a, const sparql_number *b,
                        base_arena *arena, quoin_error *err);
quoin_status number_negate(sparql_number *out, const sparql_number *a, base_arena *arena,
                           quoin_error *err);

typedef enum number_rounding {
  NUMBER_TRUNCATE,
  NUMBER_FLOOR,
  NUMBER_CEIL,
  NUMBER_ROUND /* half towards positive infinity: fn:round */
} number_rounding;
/* To a whole number: scale 0. */
quoin_status number_round(sparql_number *out, const sparql_number *a, number_rounding how,
                          base_arena *arena, quoin_error *err);

int number_sign(const sparql_number *a);
int number_compare(const sparql_number *a, const sparql_number *b); /* by value, exact */
/* Exact comparison with a finite or infinite double; not NaN. */
int number_compare_double(const sparql_number *a, double b);
double number_to_double(const sparql_number *a); /* nearest */
float number_to_float(const sparql_number *a);
/* The exact value of a finite double (a scale of at least 1 unless `whole`: then cut to a whole).
 */
quoin_status number_from_double(sparql_number *out, double value, bool whole, base_arena *arena,
                                quoin_error *err);
bool number_to_int64(int64_t *out, const sparql_number *a); /* whole numbers in range alone */

/* xsd:double and xsd:float: false when malformed. INF, +INF, -INF, NaN as XSD 1.1 has them. */
bool number_parse_double(double *out, quoin_span text);
bool number_parse_float(float *out, quoin_span text);
enum { NUMBER_DOUBLE_TEXT = 40 };
/* Canonical "1.5E0", the shortest digits that read back. Returns the length. */
size_t number_format_double(char out[NUMBER_DOUBLE_TEXT], double value);
size_t number_format_float(char out[NUMBER_DOUBLE_TEXT], float value);

#endif /* QUOIN_SPARQL_EXPR_NUMBER_H */
