/* atomstore/inline_time.c - xsd:date and xsd:dateTime in an id.
 *
 * Proleptic Gregorian calendar, years 0001 to 999999: year 0000 and negative years mean different
 * years in XSD 1.0 and 1.1, so they are interned. Days are counted from 1970-01-01 by the method of
 * H. Hinnant, "chrono-compatible low-level date algorithms".
 *
 * date: days. dateTime: milliseconds, then a bit for "written with three digits of fraction".
 * dateTime with zone: milliseconds in UTC (46 bits: years 855 to 3084), 11 bits of zone (840 +
 * minutes east; 1681 is "Z"), then that bit. */
#include "atomstore/inline.h"

#include "base/poison.h"

enum { ZONE_ZERO = 840, ZONE_Z = 1681, ZONE_MAX_MINUTES = 840 };
enum { YEAR_MAX = 999999 };
static const int64_t DAY_MS = 86400000;

typedef struct civil {
  int64_t year;
  unsigned month, day;
} civil;

static bool
leap_year(int64_t year)
{
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned
month_days(int64_t year, unsigned month)
{
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap_year(year) ? 29 : days[month - 1];
}

/* year >= 0. */
static int64_t
days_of(civil c)
{
  int64_t y = c.month <= 2 ? c.year - 1 : c.year;
  int64_t era = (y >= 0 ? y : y - 399) / 400;
  int64_t year_of_era = y - era * 400;
  int64_t shifted = c.month > 2 ? c.month - 3 : c.month + 9; /* March is 0 */
  int64_t day_of_year = (153 * shifted + 2) / 5 + c.day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

static civil
civil_of(int64_t days)
{
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153;
  civil c = {.year = year_of_era + era * 400,
             .month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9),
             .day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1)};
  if (c.month <= 2) c.year++;
  return c;
}

/* ---- from text ---------------------------------------------------------------------------------
 */

typedef struct text_at {
  const char *p, *end;
} text_at;

/* Exactly n digits. */
static bool
number_take(unsigned *out, text_at *at, int n)
{
  *out = 0;
  if (at->end - at->p < n) return false;
  for (int i = 0; i < n; i++, at->p++) {
    if (*at->p < '0' || *at->p > '9') return false;
    *out = *out * 10 + (unsigned)(*at->p - '0');
  }
  return true;
}

static bool
char_take(text_at *at, char c)
{
  if (at->p == at->end || *at->p != c) return false;
  at->p++;
  return true;
}

static bool
date_take(int64_t *days, text_at *at)
{
  const char *from = at->p;
  civil c = {0};
  while (at->p < at->end && *at->p >= '0' && *at->p <= '9' && at->p - from < 7)
    c.year = c.year * 10 + (*at->p++ - '0');
  ptrdiff_t digits = at->p - from;
  if (digits < 4 || (digits > 4 && *from == '0') || c.year < 1 || c.year > YEAR_MAX) return false;
  if (!char_take(at, '-') || !number_take(&c.month, at, 2)) return false;
  if (!char_take(at, '-') || !number_take(&c.day, at, 2)) return false;
  if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > month_days(c.year, c.month)) return false;
  *days = days_of(c);
  return true;
}

/* hh:mm:ss, and perhaps .fff; 24:00:00 is the next day's zero and so not given back. */
static bool
time_take(int64_t *ms, bool *fraction, text_at *at)
{
  unsigned hour, minute, second, thousandths = 0;
  if (!number_take(&hour, at, 2) || !char_take(at, ':') || !number_take(&minute, at, 2) ||
      !char_take(at, ':') || !number_take(&second, at, 2))
    return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  *fraction = char_take(at, '.');
  if (*fraction && !number_take(&thousandths, at, 3)) return false;
  *ms = ((int64_t)hour * 60 + minute) * 60000 + (int64_t)second * 1000 + thousandths;
  return true;
}

/* "Z" or +hh:mm as a code; "-00:00" is not canonical. */
static bool
zone_take(uint64_t *code, int *minutes, text_at *at)
{
  unsigned hour, minute;
  *code = ZONE_Z;
  *minutes = 0;
  if (char_take(at, 'Z')) return true;
  bool west = char_take(at, '-');
  if (!west && !char_take(at, '+')) return false;
  if (!number_take(&hour, at, 2) || !char_take(at, ':') || !number_take(&minute, at, 2))
    return false;
  if (minute > 59 || hour * 60 + minute > ZONE_MAX_MINUTES) return false;
  *minutes = (int)(hour * 60 + minute);
  if (west && *minutes == 0) return false;
  if (west) *minutes = -*minutes;
  *code = (uint64_t)(*minutes + ZONE_ZERO);
  return true;
}

uint64_t
atom_date_parse(quoin_span lexical)
{
  if (lexical.len < 10) return UINT64_MAX;
  text_at at = {lexical.ptr, lexical.ptr + lexical.len};
  int64_t days;
  if (!date_take(&days, &at) || at.p != at.end) return UINT64_MAX;
  return (uint64_t)(days + ATOM_DATE_BIAS);
}

atom_id
atom_datetime_parse(quoin_span lexical)
{
  if (lexical.len < 19) return ATOM_NONE_ID;
  text_at at = {lexical.ptr, lexical.ptr + lexical.len};
  int64_t days, ms;
  bool fraction;
  if (!date_take(&days, &at) || !char_take(&at, 'T') || !time_take(&ms, &fraction, &at))
    return ATOM_NONE_ID;
  ms += days * DAY_MS;
  if (at.p == at.end)
    return atom_id_make(ATOM_DATETIME, (uint64_t)(ms + ATOM_DATETIME_BIAS) << ATOM_DATETIME_BITS |
                                           (uint64_t)fraction);
  uint64_t zone;
  int minutes;
  if (!zone_take(&zone, &minutes, &at) || at.p != at.end) return ATOM_NONE_ID;
  ms -= (int64_t)minutes * 60000;
  if (ms < -ATOM_DATETIMEZ_BIAS || ms >= ATOM_DATETIMEZ_BIAS) return ATOM_NONE_ID;
  return atom_id_make(ATOM_DATETIMEZ, ((uint64_t)(ms + ATOM_DATETIMEZ_BIAS) << ATOM_ZONE_BITS |
                                       zone) << ATOM_DATETIME_BITS |
                                          (uint64_t)fraction);
}

/* ---- to text ------------------------------------------------------------------------------------
 */

static char *
number_put(char *at, unsigned value, int digits)
{
  for (int i = digits - 1; i >= 0; i--, value /= 10)
    at[i] = (char)('0' + value % 10);
  return at + digits;
}

static char *
date_put(char *at, int64_t days)
{
  static const int64_t first = -719162, last = 364522971; /* 0001-01-01, 999999-12-31 */
  if (days < first || days > last) return NULL;
  civil c = civil_of(days);
  at = number_put(at, (unsigned)c.year, c.year < 10000 ? 4 : c.year < 100000 ? 5 : 6);
  *at++ = '-';
  at = number_put(at, c.month, 2);
  *at++ = '-';
  return number_put(at, c.day, 2);
}

static char *
datetime_put(char *at, int64_t ms, bool fraction)
{
  int64_t days = ms / DAY_MS, rest = ms % DAY_MS;
  if (rest < 0) {
    days--;
    rest += DAY_MS;
  }
  unsigned time = (unsigned)rest;
  if (!fraction && time % 1000) return NULL;
  if (!(at = date_put(at, days))) return NULL;
  *at++ = 'T';
  at = number_put(at, time / 3600000, 2);
  *at++ = ':';
  at = number_put(at, time / 60000 % 60, 2);
  *at++ = ':';
  at = number_put(at, time / 1000 % 60, 2);
  if (!fraction) return at;
  *at++ = '.';
  return number_put(at, time % 1000, 3);
}

static char *
zone_put(char *at, uint64_t code)
{
  if (code == ZONE_Z) {
    *at++ = 'Z';
    return at;
  }
  int minutes = (int)code - ZONE_ZERO;
  *at++ = minutes < 0 ? '-' : '+';
  unsigned n = (unsigned)(minutes < 0 ? -minutes : minutes);
  at = number_put(at, n / 60, 2);
  *at++ = ':';
  return number_put(at, n % 60, 2);
}

static uint64_t
zone_code(atom_id id)
{
  return id.bits >> ATOM_DATETIME_BITS & ((1u << ATOM_ZONE_BITS) - 1);
}

int64_t
atom_inline_get_millis(int *zone, atom_id id)
{
  uint64_t payload = atom_id_payload(id);
  *zone = 0;
  switch (atom_id_kind(id)) {
  case ATOM_DATE:
    return ((int64_t)payload - ATOM_DATE_BIAS) * DAY_MS;
  case ATOM_DATETIME:
    return (int64_t)(payload >> ATOM_DATETIME_BITS) - ATOM_DATETIME_BIAS;
  default: {
    uint64_t code = zone_code(id);
    if (code < ZONE_Z) *zone = (int)code - ZONE_ZERO;
    return (int64_t)(payload >> (ATOM_DATETIME_BITS + ATOM_ZONE_BITS)) - ATOM_DATETIMEZ_BIAS;
  }
  }
}

size_t
atom_date_print(char *out, atom_id id)
{
  char *end = date_put(out, (int64_t)atom_id_payload(id) - ATOM_DATE_BIAS);
  return end ? (size_t)(end - out) : 0;
}

size_t
atom_datetime_print(char *out, atom_id id)
{
  bool zoned = atom_id_kind(id) == ATOM_DATETIMEZ;
  int zone;
  int64_t ms = atom_inline_get_millis(&zone, id);
  uint64_t code = zoned ? zone_code(id) : 0;
  if (code > ZONE_Z) return 0;
  char *end = datetime_put(out, ms + (int64_t)zone * 60000, id.bits & 1u);
  if (end && zoned) end = zone_put(end, code);
  return end ? (size_t)(end - out) : 0;
}
