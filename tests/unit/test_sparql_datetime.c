/* Dates, times and durations: against the C library's calendar, and by example. */
#include "sparql/expr/datetime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void
test_datetime__fields_are_those_of_the_calendar(void **state)
{
  (void)state;
  const char *seed_text = getenv("QUOIN_SEED");
  uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  for (int i = 0; i < 50000; i++) {
    seed = base_mix(seed + 1);
    /* years 0001 to 9999 */
    int64_t millis = (int64_t)(seed % UINT64_C(315537897600000)) - INT64_C(62135596800000);
    int zone = (int)(seed >> 50) % 1680 - 840;
    bool zoned = seed >> 63;
    sparql_datetime t, back;
    char text[DATETIME_TEXT];
    datetime_from_millis(&t, DATETIME_DATETIME, millis, zoned, zoned ? zone : 0);
    time_t seconds = (time_t)(millis / 1000 - (millis % 1000 < 0)) + (zoned ? zone * 60 : 0);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    assert_int_equal(t.year, tm.tm_year + 1900);
    assert_int_equal(t.month, tm.tm_mon + 1);
    assert_int_equal(t.day, tm.tm_mday);
    assert_int_equal(t.hour, tm.tm_hour);
    assert_int_equal(t.minute, tm.tm_min);
    assert_int_equal(t.second, tm.tm_sec);
    size_t n = datetime_format(text, &t);
    if (t.year < 1 || t.year > 9999) continue;
    if (!datetime_parse(&back, DATETIME_DATETIME, (quoin_span){text, n}))
      fail_msg("%.*s is refused", (int)n, text);
    assert_true(back.at == t.at && back.year == t.year && back.fraction == t.fraction &&
                back.zone == t.zone && back.zoned == t.zoned);
  }
}

static void
test_datetime__lexical_spaces(void **state)
{
  (void)state;
  static const struct {
    datetime_type type;
    bool good;
    const char *text;
  } cases[] = {
      {DATETIME_DATETIME, true, "2000-02-29T23:59:59Z"},
      {DATETIME_DATETIME, true, "0000-01-01T00:00:00"},
      {DATETIME_DATETIME, true, "-0001-01-01T00:00:00"},
      {DATETIME_DATETIME, true, "12345-01-01T00:00:00.123456789012345678901234567890+14:00"},
      {DATETIME_DATETIME, true, "2000-01-01T24:00:00.000"},
      {DATETIME_DATETIME, false, "2000-01-01T24:00:01"},
      {DATETIME_DATETIME, false, "2000-01-01T25:00:00"},
      {DATETIME_DATETIME, false, "2000-01-01T00:60:00"},
      {DATETIME_DATETIME, false, "2000-01-01T00:00:60"},
      {DATETIME_DATETIME, false, "2001-02-29T00:00:00"},
      {DATETIME_DATETIME, false, "2000-13-01T00:00:00"},
      {DATETIME_DATETIME, false, "2000-00-01T00:00:00"},
      {DATETIME_DATETIME, false, "2000-01-00T00:00:00"},
      {DATETIME_DATETIME, false, "200-01-01T00:00:00"},
      {DATETIME_DATETIME, false, "02000-01-01T00:00:00"},
      {DATETIME_DATETIME, false, "+2000-01-01T00:00:00"},
      {DATETIME_DATETIME, false, "2000-01-01T00:00:00."},
      {DATETIME_DATETIME, false, "2000-01-01T00:00:00+14:01"},
      {DATETIME_DATETIME, false, "2000-01-01T00:00:00+1:00"},
      {DATETIME_DATETIME, false, "2000-01-01T00:00:00z"},
      {DATETIME_DATETIME, false, "2000-01-01T00:00:00Z "},
      {DATETIME_DATETIME, false, "2000-01-01 00:00:00"},
      {DATETIME_DATETIME, false, "2000-01-01T00:00"},
      {DATETIME_DATETIME, false, ""},
      {DATETIME_DATETIME, false, "999999999999999999999-01-01T00:00:00"},
      {DATETIME_DATE, true, "2000-01-01"},
      {DATETIME_DATE, true, "2000-01-01-05:00"},
      {DATETIME_DATE, false, "2000-01-01T00:00:00"},
      {DATETIME_TIME, true, "24:00:00"},
      {DATETIME_TIME, true, "00:00:00.5Z"},
      {DATETIME_TIME, false, "0:00:00"},
      {DATETIME_GYEAR, true, "2000Z"},
      {DATETIME_GYEAR, false, "20"},
      {DATETIME_GYEARMONTH, true, "2000-12"},
      {DATETIME_GMONTHDAY, true, "--02-29"},
      {DATETIME_GMONTHDAY, false, "--02-30"},
      {DATETIME_GDAY, true, "---31"},
      {DATETIME_GDAY, false, "---32"},
      {DATETIME_GMONTH, true, "--12+01:00"},
      {DATETIME_GMONTH, false, "--13"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    sparql_datetime t;
    if (datetime_parse(&t, cases[i].type, base_span(cases[i].text)) != cases[i].good)
      fail_msg("%s: expected %d", cases[i].text, cases[i].good);
  }
}

static void
test_datetime__durations(void **state)
{
  (void)state;
  static const struct {
    duration_type type;
    const char *text, *canonical; /* NULL: refused */
  } cases[] = {
      {DURATION_ANY, "P1Y2M3DT4H5M6.789S", "P1Y2M3DT4H5M6.789S"},
      {DURATION_ANY, "P13M", "P1Y1M"},
      {DURATION_ANY, "PT36H", "P1DT12H"},
      {DURATION_ANY, "-PT90S", "-PT1M30S"},
      {DURATION_ANY, "P0Y", "PT0S"},
      {DURATION_YEAR_MONTH, "P0M", "P0M"},
      {DURATION_DAY_TIME, "PT0.50S", "PT0.5S"},
      {DURATION_DAY_TIME, "P1D", "P1D"},
      {DURATION_DAY_TIME, "P1M", NULL},
      {DURATION_YEAR_MONTH, "P1D", NULL},
      {DURATION_YEAR_MONTH, "P1YT1S", NULL},
      {DURATION_ANY, "P", NULL},
      {DURATION_ANY, "PT", NULL},
      {DURATION_ANY, "P1DT", NULL},
      {DURATION_ANY, "1D", NULL},
      {DURATION_ANY, "P1M1Y", NULL},
      {DURATION_ANY, "P1S", NULL},
      {DURATION_ANY, "P1.5D", NULL},
      {DURATION_ANY, "PT1.5M", NULL},
      {DURATION_ANY, "PT.5S", NULL},
      {DURATION_ANY, "PT1.S", NULL},
      {DURATION_ANY, "P-1D", NULL},
      {DURATION_ANY, "P1Y1Y", NULL},
      {DURATION_ANY, "P999999999999999999999D", NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    sparql_duration d;
    char text[DATETIME_TEXT + 1];
    bool good = duration_parse(&d, cases[i].type, base_span(cases[i].text));
    if (good != (cases[i].canonical != NULL)) fail_msg("%s: %d", cases[i].text, good);
    if (!good) continue;
    text[duration_format(text, &d, cases[i].type)] = '\0';
    assert_string_equal(text, cases[i].canonical);
  }
}

/* The pairs of XML Schema part 2, 3.2.6.2. */
static void
test_datetime__durations_that_cannot_be_ordered(void **state)
{
  (void)state;
  static const struct {
    const char *a, *b;
    int order;
  } cases[] = {
      {"P1Y", "P364D", 1}, {"P1Y", "P365D", 2}, {"P1Y", "P366D", 2}, {"P1Y", "P367D", -1},
      {"P1M", "P27D", 1},  {"P1M", "P28D", 2},  {"P1M", "P31D", 2},  {"P1M", "P32D", -1},
      {"P5M", "P149D", 1}, {"P5M", "P150D", 2}, {"P5M", "P153D", 2}, {"P5M", "P154D", -1},
      {"P1Y", "P12M", 0},  {"P1D", "PT24H", 0}, {"-P1Y", "P1Y", -1}, {"P1Y", "P13M", -1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    sparql_duration a, b;
    assert_true(duration_parse(&a, DURATION_ANY, base_span(cases[i].a)));
    assert_true(duration_parse(&b, DURATION_ANY, base_span(cases[i].b)));
    if (duration_compare(&a, &b) != cases[i].order)
      fail_msg("%s %s: %d", cases[i].a, cases[i].b, duration_compare(&a, &b));
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_datetime__fields_are_those_of_the_calendar),
      cmocka_unit_test(test_datetime__lexical_spaces),
      cmocka_unit_test(test_datetime__durations),
      cmocka_unit_test(test_datetime__durations_that_cannot_be_ordered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
