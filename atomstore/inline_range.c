/* atomstore/inline_range.c - ranges of values as intervals of ids.
 *
 * Within a kind the ids are ordered as the values. Zero has two doubles: a range that reaches 0
 * takes both. */
#include "atomstore/inline.h"

#include <float.h>
#include <math.h>

#include "base/poison.h"

/* The whole numbers in [lo, hi], within [least, most] (both of less than 2^62). */
static bool
whole_range(int64_t *first, int64_t *last, double lo, double hi, int64_t least, int64_t most)
{
  double low = ceil(lo), high = floor(hi);
  if (low > (double)most || high < (double)least) return false;
  /* (double)most may round up, so compare before the conversion and clamp after. */
  *first = low <= (double)least ? least : (int64_t)low;
  *last = high >= (double)most ? most : (int64_t)high;
  if (*first > most) return false;
  return *first <= *last;
}

/* From 2^53 on a bound may stand for a number that no double is, its nearest: one step outwards. */
static bool
integer_range(atom_id *first, atom_id *last, double lo, double hi)
{
  int64_t a, b;
  if (fabs(lo) >= 0x1p53) lo = nextafter(lo, -HUGE_VAL);
  if (fabs(hi) >= 0x1p53) hi = nextafter(hi, HUGE_VAL);
  if (!whole_range(&a, &b, lo, hi, -ATOM_INTEGER_BIAS, ATOM_INTEGER_BIAS - 1)) return false;
  *first = atom_inline_integer(a);
  *last = atom_inline_integer(b);
  return true;
}

/* The bound may be rounded, and bound * 10^6 is again: two steps outwards. */
static double
micros(double bound, double outwards)
{
  return nextafter(nextafter(bound * 1e6, outwards), outwards);
}

static bool
decimal_range(atom_id *first, atom_id *last, double lo, double hi)
{
  int64_t a, b;
  double low = floor(micros(lo, -HUGE_VAL)), high = ceil(micros(hi, HUGE_VAL));
  if (!whole_range(&a, &b, low, high, -ATOM_DECIMAL_BIAS, ATOM_DECIMAL_BIAS - 1)) return false;
  *first = atom_id_make(ATOM_DECIMAL, (uint64_t)(a + ATOM_DECIMAL_BIAS) << 3);
  *last = atom_id_make(ATOM_DECIMAL, (uint64_t)(b + ATOM_DECIMAL_BIAS) << 3 | 7u);
  return true;
}

static const double SMALLEST = 0x1p-62, LARGEST = 0x1.fffffffffffffp63;

/* The representable double nearest to `bound` that is >= it (up) or <= it. */
static double
double_bound(double bound, bool up)
{
  if (bound == 0) return up ? -0.0 : 0.0;
  if (isinf(bound)) return bound;
  if (bound > LARGEST) return up ? HUGE_VAL : LARGEST;
  if (bound < -LARGEST) return up ? -LARGEST : -HUGE_VAL;
  if (bound > 0 && bound < SMALLEST) return up ? SMALLEST : 0.0;
  if (bound < 0 && bound > -SMALLEST) return up ? -0.0 : -SMALLEST;
  return bound;
}

static bool
double_range(atom_id *first, atom_id *last, double lo, double hi)
{
  uint64_t a = atom_double_code(double_bound(lo, true));
  uint64_t b = atom_double_code(double_bound(hi, false));
  if (a > b) return false;
  first->bits = UINT64_C(1) << 63 | a << ATOM_STYLE_BITS;
  last->bits = UINT64_C(1) << 63 | b << ATOM_STYLE_BITS | 3u;
  return true;
}

static float
float_bound(double bound, bool up)
{
  if (bound == 0) return up ? -0.0f : 0.0f;
  if (isinf(bound)) return bound > 0 ? HUGE_VALF : -HUGE_VALF;
  if (bound > (double)FLT_MAX) return up ? HUGE_VALF : FLT_MAX;
  if (bound < -(double)FLT_MAX) return up ? -FLT_MAX : -HUGE_VALF;
  float nearest = (float)bound;
  if (up && (double)nearest < bound) nearest = nextafterf(nearest, HUGE_VALF);
  if (!up && (double)nearest > bound) nearest = nextafterf(nearest, -HUGE_VALF);
  if (nearest == 0) return up ? -0.0f : 0.0f;
  return nearest;
}

static bool
float_range(atom_id *first, atom_id *last, double lo, double hi)
{
  uint64_t a = atom_float_code(float_bound(lo, true));
  uint64_t b = atom_float_code(float_bound(hi, false));
  if (a > b) return false;
  *first = atom_id_make(ATOM_FLOAT, a << ATOM_STYLE_BITS);
  *last = atom_id_make(ATOM_FLOAT, b << ATOM_STYLE_BITS | 3u);
  return true;
}

bool
atom_inline_range(atom_id *first, atom_id *last, atom_kind kind, double lo, double hi)
{
  *first = *last = ATOM_NONE_ID;
  if (!(lo <= hi)) return false; /* or NaN */
  switch ((int)kind) {
  case ATOM_INTEGER:
    return integer_range(first, last, lo, hi);
  case ATOM_DECIMAL:
    return decimal_range(first, last, lo, hi);
  case ATOM_DOUBLE:
    return double_range(first, last, lo, hi);
  case ATOM_FLOAT:
    return float_range(first, last, lo, hi);
  default:
    return false;
  }
}

static int64_t
floor_days(int64_t ms)
{
  int64_t days = ms / 86400000;
  return ms % 86400000 < 0 ? days - 1 : days;
}

bool
atom_inline_range_millis(atom_id *first, atom_id *last, atom_kind kind, int64_t lo, int64_t hi)
{
  int64_t bias;
  unsigned shift;
  *first = *last = ATOM_NONE_ID;
  switch ((int)kind) {
  case ATOM_DATE: /* midnights in [lo, hi] */
    if (lo > hi) return false;
    lo = lo == INT64_MIN ? floor_days(lo) : floor_days(lo - 1) + 1;
    hi = floor_days(hi);
    bias = ATOM_DATE_BIAS;
    shift = 0;
    break;
  case ATOM_DATETIME:
    bias = ATOM_DATETIME_BIAS;
    shift = ATOM_DATETIME_BITS;
    break;
  case ATOM_DATETIMEZ:
    bias = ATOM_DATETIMEZ_BIAS;
    shift = ATOM_DATETIME_BITS + ATOM_ZONE_BITS;
    break;
  default:
    return false;
  }
  if (lo < -bias) lo = -bias;
  if (hi > bias - 1) hi = bias - 1;
  if (lo > hi) return false;
  *first = atom_id_make(kind, (uint64_t)(lo + bias) << shift);
  *last = atom_id_make(kind, (uint64_t)(hi + bias) << shift | ((UINT64_C(1) << shift) - 1));
  return true;
}
