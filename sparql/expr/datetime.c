/* sparql/expr/datetime.c - reading, writing and comparing dates, times and durations. */
#include "sparql/expr/datetime.h"

#include <assert.h>
#include <stdio.h>

#include "base/poison.h"

enum { YEAR_DIGITS = 11, FRACTION_DIGITS = 18 };
#define ATTO INT64_C(1000000000000000000)

typedef struct cursor {
  const char *at, *end;
} cursor;

/* Days from 1970-01-01 in the proleptic Gregorian calendar, year 0 included. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t yoe = year - era * 400;
  int64_t doy = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (int64_t)day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_of(sparql_datetime *out, int64_t days)
{
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t doe = days - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  out->day = (uint8_t)(doy - (153 * mp + 2) / 5 + 1);
  out->month = (uint8_t)(mp < 10 ? mp + 3 : mp - 9);
  out->year = yoe + era * 400 + (out->month <= 2);
}

static unsigned
days_in_month(int64_t year, unsigned month)
{
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : days[month - 1];
}

static bool
take(cursor *c, char what)
{
  if (c->at == c->end || *c->at != what) return false;
  c->at++;
  return true;
}

static bool
digit(const cursor *c)
{
  return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static bool
two(cursor *c, uint8_t *out, unsigned low, unsigned high)
{
  if (c->end - c->at < 2) return false;
  unsigned a = (unsigned)(c->at[0] - '0'), b = (unsigned)(c->at[1] - '0');
  if (a > 9 || b > 9 || a * 10 + b < low || a * 10 + b > high) return false;
  *out = (uint8_t)(a * 10 + b);
  c->at += 2;
  return true;
}

/* -?([1-9][0-9]{3,}|0[0-9]{3}) */
static bool
read_year(cursor *c, int64_t *out)
{
  bool negative = take(c, '-');
  const char *start = c->at;
  int64_t year = 0;
  for (; digit(c); c->at++) {
    if (c->at - start >= YEAR_DIGITS) return false;
    year = year * 10 + (*c->at - '0');
  }
  ptrdiff_t n = c->at - start;
  if (n < 4 || (n > 4 && *start == '0')) return false;
  *out = negative ? -year : year;
  return true;
}

/* Digits after the point, in units of 10^-18. */
static bool
read_fraction(cursor *c, uint64_t *out)
{
  uint64_t value = 0;
  int n = 0;
  if (!digit(c)) return false;
  for (; digit(c); c->at++)
    if (n < FRACTION_DIGITS) value = value * 10 + (uint64_t)(*c->at - '0'), n++;
  for (; n < FRACTION_DIGITS; n++)
    value *= 10;
  *out = value;
  return true;
}

static bool
read_clock(cursor *c, sparql_datetime *t)
{
  if (!two(c, &t->hour, 0, 24) || !take(c, ':') || !two(c, &t->minute, 0, 59) || !take(c, ':') ||
      !two(c, &t->second, 0, 59))
    return false;
  if (take(c, '.') && !read_fraction(c, &t->fraction)) return false;
  return t->hour < 24 || (t->minute == 0 && t->second == 0 && t->fraction == 0);
}

static bool
read_zone(cursor *c, sparql_datetime *t)
{
  if (c->at == c->end) return true;
  t->zoned = true;
  if (take(c, 'Z')) return true;
  bool west = *c->at == '-';
  uint8_t hours, minutes;
  if (!take(c, '+') && !take(c, '-')) return false;
  if (!two(c, &hours, 0, 14) || !take(c, ':') || !two(c, &minutes, 0, 59)) return false;
  if (hours == 14 && minutes) return false;
  int zone = hours * 60 + minutes;
  t->zone = (int16_t)(west ? -zone : zone);
  return true;
}

static bool
read_body(cursor *c, sparql_datetime *t, datetime_type type)
{
  switch (type) {
  case DATETIME_DATETIME:
    return read_year(c, &t->year) && take(c, '-') && two(c, &t->month, 1, 12) && take(c, '-') &&
           two(c, &t->day, 1, 31) && take(c, 'T') && read_clock(c, t);
  case DATETIME_DATE:
    return read_year(c, &t->year) && take(c, '-') && two(c, &t->month, 1, 12) && take(c, '-') &&
           two(c, &t->day, 1, 31);
  case DATETIME_TIME:
    return read_clock(c, t);
  case DATETIME_GYEAR:
    return read_year(c, &t->year);
  case DATETIME_GYEARMONTH:
    return read_year(c, &t->year) && take(c, '-') && two(c, &t->month, 1, 12);
  case DATETIME_GMONTHDAY:
    return take(c, '-') && take(c, '-') && two(c, &t->month, 1, 12) && take(c, '-') &&
           two(c, &t->day, 1, 31);
  case DATETIME_GDAY:
    return take(c, '-') && take(c, '-') && take(c, '-') && two(c, &t->day, 1, 31);
  case DATETIME_GMONTH:
    return take(c, '-') && take(c, '-') && two(c, &t->month, 1, 12);
  }
  return false;
}

/* Fill `at`; fields the type has not are those of 1972-12-31 (XML Schema 1.1 part 2, E.3.4). */
static void
place(sparql_datetime *t, datetime_type type)
{
  bool has_year = type == DATETIME_DATETIME || type == DATETIME_DATE || type == DATETIME_GYEAR ||
                  type == DATETIME_GYEARMONTH;
  int64_t year = has_year ? t->year : 1972;
  unsigned month = t->month ? t->month : 12;
  unsigned day = t->day ? t->day : days_in_month(year, month);
  int64_t seconds = days_of(year, month, day) * 86400 + t->hour * 3600 + t->minute * 60 +
                    t->second - (int64_t)t->zone * 60;
  if (type == DATETIME_TIME && t->hour == 24) seconds -= 86400;
  t->at = (number_wide)seconds * ATTO + (number_wide)t->fraction;
}

bool
datetime_parse(sparql_datetime *out, datetime_type type, quoin_span text)
{
  cursor c = {text.ptr, text.ptr + text.len};
  *out = (sparql_datetime){.type = (uint8_t)type};
  if (!read_body(&c, out, type) || !read_zone(&c, out) || c.at != c.end) return false;
  if (out->day && out->month) {
    int64_t year = type == DATETIME_GMONTHDAY ? 1972 : out->year;
    if (out->day > days_in_month(year, out->month)) return false;
  }
  place(out, type);
  if (out->hour == 24 && type == DATETIME_DATETIME) { /* the first instant of the next day */
    int64_t days = days_of(out->year, out->month, out->day) + 1;
    civil_of(out, days);
    out->hour = 0;
  } else if (out->hour == 24) {
    out->hour = 0;
  }
  return true;
}

void
datetime_from_millis(sparql_datetime *out, datetime_type type, int64_t millis, bool zoned, int zone)
{
  int64_t local = millis + (int64_t)zone * 60000;
  int64_t days = local / 86400000 - (local % 86400000 < 0);
  int64_t rest = local - days * 86400000;
  *out = (sparql_datetime){.type = (uint8_t)type,
                           .at = (number_wide)millis * (ATTO / 1000),
                           .zoned = zoned,
                           .zone = (int16_t)zone,
                           .hour = (uint8_t)(rest / 3600000),
                           .minute = (uint8_t)(rest / 60000 % 60),
                           .second = (uint8_t)(rest / 1000 % 60),
                           .fraction = (uint64_t)(rest % 1000) * (uint64_t)(ATTO / 1000)};
  civil_of(out, days);
}

bool
datetime_add(sparql_datetime *out, const sparql_datetime *t, const sparql_duration *d)
{
  const int64_t most = INT64_C(100000000000); /* years */
  if (t->type > DATETIME_TIME || (t->type == DATETIME_TIME && d->months)) return false;
  *out = *t;
  if (t->type != DATETIME_TIME) {
    int64_t index = t->year * 12 + t->month - 1 + d->months;
    out->year = index / 12 - (index % 12 < 0);
    out->month = (uint8_t)(index - out->year * 12 + 1);
    unsigned last = days_in_month(out->year, out->month);
    if (out->day > last) out->day = (uint8_t)last;
  }
  int64_t days = t->type == DATETIME_TIME ? 0 : days_of(out->year, out->month, out->day);
  number_wide at =
      ((number_wide)days * 86400 + t->hour * 3600 + t->minute * 60 + t->second) * ATTO +
      (number_wide)t->fraction + d->seconds;
  const number_wide day = (number_wide)86400 * ATTO;
  number_wide whole = at / day - (at % day < 0), rest = at - whole * day;
  if (whole > (number_wide)most * 366 || whole < -(number_wide)most * 366) return false;
  if (t->type == DATETIME_DATE) rest = 0;
  if (t->type != DATETIME_TIME) civil_of(out, (int64_t)whole);
  if (out->year >= most || out->year <= -most) return false;
  int64_t seconds = (int64_t)(rest / ATTO);
  out->fraction = (uint64_t)(rest % ATTO);
  out->hour = (uint8_t)(seconds / 3600);
  out->minute = (uint8_t)(seconds / 60 % 60);
  out->second = (uint8_t)(seconds % 60);
  place(out, (datetime_type)t->type);
  return true;
}

/* ".125" or nothing */
static size_t
put_fraction(char *out, uint64_t fraction)
{
  if (!fraction) return 0;
  int n = snprintf(out, 24, ".%018llu", (unsigned long long)fraction);
  while (out[n - 1] == '0')
    n--;
  return (size_t)n;
}

size_t
datetime_format(char out[DATETIME_TEXT], const sparql_datetime *t)
{
  size_t n = 0;
  if (t->type != DATETIME_TIME) {
    long long year = t->year < 0 ? -t->year : t->year;
    n += (size_t)snprintf(out, 40, "%s%04lld-%02u-%02u", t->year < 0 ? "-" : "", year, t->month,
                          t->day);
    if (t->type == DATETIME_DATETIME) out[n++] = 'T';
  }
  if (t->type != DATETIME_DATE) {
    n += (size_t)snprintf(out + n, 12, "%02u:%02u:%02u", t->hour, t->minute, t->second);
    n += put_fraction(out + n, t->fraction);
  }
  if (t->zoned && t->zone == 0) {
    out[n++] = 'Z';
  } else if (t->zoned) {
    int zone = t->zone < 0 ? -t->zone : t->zone;
    n +=
        (size_t)snprintf(out + n, 12, "%c%02d:%02d", t->zone < 0 ? '-' : '+', zone / 60, zone % 60);
  }
  return n;
}

static int
wide_compare(number_wide a, number_wide b)
{
  return (a > b) - (a < b);
}

int
datetime_compare(const sparql_datetime *a, const sparql_datetime *b)
{
  if (a->zoned == b->zoned) return wide_compare(a->at, b->at);
  number_wide slack = (number_wide)(14 * 3600) * ATTO;
  number_wide gap = a->at - b->at;
  if (gap > slack) return 1;
  if (gap < -slack) return -1;
  return DATETIME_INDETERMINATE;
}

/* ---- durations ---- */

/* Up to 12 digits: sums, and months as seconds, fit 128 bits. */
static bool
read_count(cursor *c, int64_t *out)
{
  const char *start = c->at;
  int64_t value = 0;
  for (; digit(c); c->at++) {
    if (value > INT64_C(99999999999)) return false;
    value = value * 10 + (*c->at - '0');
  }
  *out = value;
  return c->at > start;
}

/* Counts with their letters, in the order of `letters`; S may have a fraction. */
static bool
read_parts(cursor *c, const char *letters, int64_t *parts, uint64_t *fraction, unsigned *seen)
{
  while (digit(c)) {
    int64_t value;
    if (!read_count(c, &value)) return false;
    bool point = take(c, '.');
    if (point && (!fraction || !read_fraction(c, fraction))) return false;
    for (; *letters && (c->at == c->end || *letters != *c->at); letters++)
      parts++;
    if (!*letters || (point && *letters != 'S')) return false;
    *parts++ = value;
    letters++;
    c->at++;
    (*seen)++;
  }
  return true;
}

bool
duration_parse(sparql_duration *out, duration_type type, quoin_span text)
{
  cursor c = {text.ptr, text.ptr + text.len};
  int64_t date[3] = {0}, clock[3] = {0};
  uint64_t fraction = 0;
  unsigned seen = 0, seen_clock = 0;
  bool negative = take(&c, '-');
  if (!take(&c, 'P')) return false;
  const char *letters = type == DURATION_DAY_TIME ? "D" : type == DURATION_ANY ? "YMD" : "YM";
  if (!read_parts(&c, letters, type == DURATION_DAY_TIME ? date + 2 : date, NULL, &seen))
    return false;
  if (type != DURATION_YEAR_MONTH && take(&c, 'T') &&
      (!read_parts(&c, "HMS", clock, &fraction, &seen_clock) || !seen_clock))
    return false;
  if (c.at != c.end || seen + seen_clock == 0) return false;
  out->months = date[0] * 12 + date[1];
  number_wide seconds = (number_wide)date[2] * 86400 + (number_wide)clock[0] * 3600 +
                        (number_wide)clock[1] * 60 + clock[2];
  out->seconds = seconds * ATTO + (number_wide)fraction;
  if (negative) out->months = -out->months, out->seconds = -out->seconds;
  return true;
}

/* Attoseconds from `year`-`month`-01 to that plus `d`. */
static number_wide
length_from(int64_t year, unsigned month, const sparql_duration *d)
{
  int64_t index = year * 12 + (int64_t)month - 1 + d->months;
  int64_t y = index / 12 - (index % 12 < 0);
  int64_t days = days_of(y, (unsigned)(index - y * 12) + 1, 1) - days_of(year, month, 1);
  return (number_wide)days * 86400 * ATTO + d->seconds;
}

int
duration_compare(const sparql_duration *a, const sparql_duration *b)
{
  static const struct {
    int16_t year;
    uint8_t month;
  } starts[] = {{1696, 9}, {1697, 2}, {1903, 3}, {1903, 7}};
  if (a->months == b->months) return wide_compare(a->seconds, b->seconds);
  int result = 0;
  for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
    int c = wide_compare(length_from(starts[i].year, starts[i].month, a),
                         length_from(starts[i].year, starts[i].month, b));
    if (c == 0 || (i && c != result)) return DATETIME_INDETERMINATE;
    result = c;
  }
  return result;
}

size_t
duration_format(char out[DATETIME_TEXT], const sparql_duration *d, duration_type type)
{
  bool negative = d->months < 0 || d->seconds < 0;
  int64_t months = d->months < 0 ? -d->months : d->months;
  number_wide all = d->seconds < 0 ? -d->seconds : d->seconds;
  int64_t seconds = (int64_t)(all / ATTO);
  uint64_t fraction = (uint64_t)(all % ATTO);
  int64_t parts[] = {months / 12, months % 12, seconds / 86400, seconds / 3600 % 24,
                     seconds / 60 % 60};
  size_t n = 0;
  if (negative) out[n++] = '-';
  out[n++] = 'P';
  for (int i = 0; i < 3; i++)
    if (parts[i]) n += (size_t)snprintf(out + n, 24, "%lld%c", (long long)parts[i], "YMD"[i]);
  if (all % ((number_wide)86400 * ATTO)) {
    out[n++] = 'T';
    for (int i = 3; i < 5; i++)
      if (parts[i]) n += (size_t)snprintf(out + n, 24, "%lld%c", (long long)parts[i], "HM"[i - 3]);
    if (seconds % 60 || fraction) {
      n += (size_t)snprintf(out + n, 24, "%lld", (long long)(seconds % 60));
      n += put_fraction(out + n, fraction);
      out[n++] = 'S';
    }
  }
  if (!months && !all)
    n += (size_t)snprintf(out + n, 8, "%s", type == DURATION_YEAR_MONTH ? "0M" : "T0S");
  return n;
}
