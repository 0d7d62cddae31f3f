/* sparql/expr/expr_ids.c - comparing inline values as they lie in the ids. */
#include "sparql/expr/expr_ids.h"

#include <assert.h>
#include <math.h>

#include "base/poison.h"

static bool
is_inline_number(atom_kind kind)
{
  return kind == ATOM_INTEGER || kind == ATOM_DECIMAL || kind == ATOM_DOUBLE || kind == ATOM_FLOAT;
}

/* ATOM_INTEGER, ATOM_DECIMAL */
static sparql_number
exact_number(atom_id id, atom_kind kind)
{
  int64_t unscaled;
  int scale = 0;
  if (kind == ATOM_INTEGER)
    unscaled = atom_inline_get_integer(id);
  else
    atom_inline_get_decimal(&unscaled, &scale, id);
  return (sparql_number){.small = unscaled, .scale = (uint32_t)scale};
}

/* Of two exact numbers without a sparql_number: scales are 0..6, so 128 bits always do. */
static int
exact_order(atom_id a, atom_kind ka, atom_id b, atom_kind kb)
{
  static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
  int64_t x, y;
  int sx = 0, sy = 0;
  if (ka == ATOM_INTEGER)
    x = atom_inline_get_integer(a);
  else
    atom_inline_get_decimal(&x, &sx, a);
  if (kb == ATOM_INTEGER)
    y = atom_inline_get_integer(b);
  else
    atom_inline_get_decimal(&y, &sy, b);
  assert(sx >= 0 && sx <= 6 && sy >= 0 && sy <= 6);
  number_wide left = (number_wide)x * powers[6 - sx], right = (number_wide)y * powers[6 - sy];
  return (left > right) - (left < right);
}

static double
as_double(atom_id id, atom_kind kind)
{
  if (kind == ATOM_DOUBLE || kind == ATOM_FLOAT) return atom_inline_get_double(id);
  sparql_number n = exact_number(id, kind);
  return number_to_double(&n);
}

static float
as_float(atom_id id, atom_kind kind)
{
  if (kind == ATOM_FLOAT) return (float)atom_inline_get_double(id);
  sparql_number n = exact_number(id, kind);
  return number_to_float(&n);
}

static int
double_order(double a, double b)
{
  return isnan(a) || isnan(b) ? VALUE_UNORDERED : (a > b) - (a < b);
}

static int
number_order(atom_id a, atom_kind ka, atom_id b, atom_kind kb)
{
  if (ka == ATOM_DOUBLE || kb == ATOM_DOUBLE)
    return double_order(as_double(a, ka), as_double(b, kb));
  if (ka == ATOM_FLOAT || kb == ATOM_FLOAT)
    return double_order((double)as_float(a, ka), (double)as_float(b, kb));
  return exact_order(a, ka, b, kb);
}

static int
instant_order(atom_id a, atom_kind ka, atom_id b, atom_kind kb)
{
  int zone;
  const int64_t slack = 14 * 3600000;
  int64_t x = atom_inline_get_millis(&zone, a), y = atom_inline_get_millis(&zone, b);
  if (ka == kb) return (x > y) - (x < y);
  return x - y > slack ? 1 : x - y < -slack ? -1 : VALUE_INCOMPARABLE;
}

bool
expr_ids_order(int *order, atom_id a, atom_id b)
{
  atom_kind ka = atom_id_kind(a), kb = atom_id_kind(b);
  if (ka == ATOM_INTEGER && kb == ATOM_INTEGER) {
    *order = (a.bits > b.bits) - (a.bits < b.bits);
    return true;
  }
  if (!atom_id_is_inline(a) || !atom_id_is_inline(b)) {
    *order = VALUE_INCOMPARABLE; /* unbound, IRIs and blank nodes have no order */
    return ka == ATOM_NONE || kb == ATOM_NONE || ka == ATOM_IRI || kb == ATOM_IRI ||
           ka == ATOM_BLANK || kb == ATOM_BLANK;
  }
  if (is_inline_number(ka) && is_inline_number(kb))
    *order = number_order(a, ka, b, kb);
  else if ((ka == ATOM_DATETIME || ka == ATOM_DATETIMEZ) &&
           (kb == ATOM_DATETIME || kb == ATOM_DATETIMEZ))
    *order = instant_order(a, ka, b, kb);
  else if (ka == kb && ka == ATOM_DATE)
    *order = instant_order(a, ka, b, kb);
  else if (ka == kb && ka == ATOM_BOOLEAN)
    *order = (int)atom_inline_get_boolean(a) - (int)atom_inline_get_boolean(b);
  else
    *order = VALUE_INCOMPARABLE;
  return true;
}

/* The same id: equal, unless the value may be NaN. */
static bool
same_id(int *equal, atom_id id, atom_kind kind)
{
  *equal = 1;
  if (kind == ATOM_DOUBLE || kind == ATOM_FLOAT) *equal = !isnan(atom_inline_get_double(id));
  return kind != ATOM_NUMERIC && kind != ATOM_LOCAL;
}

/* Literals whose kind of value the id shows. */
static bool
is_known_inline(atom_kind kind)
{
  return kind >= ATOM_DOUBLE;
}

bool
expr_ids_equal(int *equal, atom_id a, atom_id b)
{
  atom_kind ka = atom_id_kind(a), kb = atom_id_kind(b);
  *equal = -1;
  if (ka == ATOM_NONE || kb == ATOM_NONE) return true;
  if (atom_id_equal(a, b)) return same_id(equal, a, ka);
  *equal = 0;
  if (ka == ATOM_IRI || kb == ATOM_IRI || ka == ATOM_BLANK || kb == ATOM_BLANK) return true;
  if (ka == ATOM_LOCAL || kb == ATOM_LOCAL) return false;
  if (ka == ATOM_LANG || kb == ATOM_LANG) return ka != kb; /* tags may differ in case alone */
  if (ka == ATOM_TYPED || kb == ATOM_TYPED) {
    *equal = -1;
    return true;
  }
  if (ka == ATOM_STRING && kb == ATOM_STRING) return true;
  if (ka == ATOM_STRING || kb == ATOM_STRING) return is_known_inline(ka) || is_known_inline(kb);
  if (!is_known_inline(ka) || !is_known_inline(kb)) return false;
  int order;
  bool comparable = (is_inline_number(ka) && is_inline_number(kb)) || ka == kb ||
                    ((ka == ATOM_DATETIME || ka == ATOM_DATETIMEZ) &&
                     (kb == ATOM_DATETIME || kb == ATOM_DATETIMEZ));
  if (comparable && expr_ids_order(&order, a, b))
    *equal = order == VALUE_INCOMPARABLE ? -1 : order == 0;
  return true;
}
