/* Inline ids: every form comes back byte for byte, ids are ordered as values, ranges are exact
 * enough. Forms are made at random around the edges of each datatype. */
#include "unit/test_atomstore_support.h"

#include <float.h>
#include <locale.h>
#include <math.h>

/* The id of the form, having checked that it gives the form back; 0 when it has none. */
static atom_id
inline_of(const char *text, const char *datatype)
{
  quoin_error err = QUOIN_ERROR_INIT;
  rdf_term term = support_literal(text, datatype, ""), back;
  atom_id id = atom_inline(&term);
  if (!id.bits) return id;
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  assert_ok(atom_inline_term(&back, id, &arena, &err));
  if (!rdf_term_equal(&back, &term))
    fail_msg("'%s'^^<%s> came back as '%.*s'", text, datatype, (int)back.value.len, back.value.ptr);
  base_arena_clear(&arena);
  assert_true(atom_id_is_inline(id) && atom_id_is_literal(id));
  return id;
}

static void
assert_inline(const char *const *texts, const char *datatype, atom_kind kind)
{
  for (; *texts; texts++) {
    atom_id id = inline_of(*texts, datatype);
    if (!id.bits) fail_msg("'%s'^^<%s> is not inline", *texts, datatype);
    assert_int_equal(atom_id_kind(id), kind);
  }
}

static void
assert_interned(const char *const *texts, const char *datatype)
{
  for (; *texts; texts++)
    if (inline_of(*texts, datatype).bits) fail_msg("'%s'^^<%s> is inline", *texts, datatype);
}

static void
test_inline__integers(void **state)
{
  (void)state;
  static const char *const in[] = {
      "0", "1", "-1", "42", "-42", "144115188075855871", "-144115188075855872", "99999999999999999",
      NULL};
  static const char *const out[] = {"",
                                    "-0",
                                    "+1",
                                    "01",
                                    "-01",
                                    "1.0",
                                    "1 ",
                                    " 1",
                                    "1e3",
                                    "-",
                                    "0x1",
                                    "144115188075855872",
                                    "-144115188075855873",
                                    "999999999999999999999999999",
                                    NULL};
  assert_inline(in, RDF_XSD "integer", ATOM_INTEGER);
  assert_interned(out, RDF_XSD "integer");
  assert_interned(in, RDF_XSD "int");
  assert_interned(in, RDF_XSD "integers");
  assert_interned(in, "http://example.org/integer");
  assert_int_equal(atom_inline_get_integer(inline_of("-17", RDF_XSD "integer")), -17);
  assert_int_equal(atom_inline_integer(INT64_MAX).bits, 0);
  assert_int_equal(atom_inline_integer(INT64_MIN).bits, 0);
}

static void
test_inline__decimals(void **state)
{
  (void)state;
  static const char *const in[] = {"0",
                                   "0.0",
                                   "0.000000",
                                   "1",
                                   "1.0",
                                   "-1.50",
                                   "12.5",
                                   "-0.01",
                                   "0.000001",
                                   "9999999999.999999",
                                   "-18014398508.999999",
                                   "100",
                                   NULL};
  static const char *const out[] = {"-0", "-0.0",      "+1",          ".5",  "1.",
                                    "01", "0.0000001", "99999999999", "1e3", "",
                                    "-",  ".",         "1.2.3",       "-.5", NULL};
  int64_t unscaled;
  int scale;
  assert_inline(in, RDF_XSD "decimal", ATOM_DECIMAL);
  assert_interned(out, RDF_XSD "decimal");
  atom_inline_get_decimal(&unscaled, &scale, inline_of("-1.50", RDF_XSD "decimal"));
  assert_int_equal(unscaled, -150);
  assert_int_equal(scale, 2);
}

static void
test_inline__booleans(void **state)
{
  (void)state;
  static const char *const in[] = {"true", "false", NULL};
  static const char *const out[] = {"1", "0", "TRUE", "", " true", NULL};
  assert_inline(in, RDF_XSD "boolean", ATOM_BOOLEAN);
  assert_interned(out, RDF_XSD "boolean");
  assert_true(atom_inline_get_boolean(atom_inline_boolean(true)));
  assert_false(atom_inline_get_boolean(atom_inline_boolean(false)));
}

static const char *const DOUBLES_IN[] = {"0",
                                         "-0",
                                         "0.0",
                                         "-0.0",
                                         "0.0E0",
                                         "-0.0E0",
                                         "1",
                                         "1.0",
                                         "1.0E0",
                                         "1.5",
                                         "-1.5E0",
                                         "1.5E10",
                                         "1.5E-10",
                                         "5.0",
                                         "1000",
                                         "1000.0",
                                         "1.0E3",
                                         "0.1",
                                         "0.001",
                                         "1.0E-3",
                                         "INF",
                                         "-INF",
                                         "123456789012345",
                                         "3.141592653589793",
                                         "3.141592653589793E0",
                                         "0.30000000000000004",
                                         NULL};

static void
test_inline__doubles(void **state)
{
  (void)state;
  static const char *const out[] = {"NaN",
                                    "+INF",
                                    "1E0",
                                    "1.e0",
                                    "1.0e0",
                                    "1.50",
                                    "01",
                                    "1.00",
                                    "1.0E+0",
                                    "1.0E00",
                                    "1.0E-0",
                                    "10.0E0",
                                    "0.5E0",
                                    "1.",
                                    ".5",
                                    "-",
                                    "",
                                    "1.0E",
                                    "1.0E-100",
                                    "1.0E300",
                                    "9007199254740993",
                                    "0.1000000000000000055511151231257827",
                                    "123456789012345678901",
                                    "1.0E1000",
                                    "0.0E1",
                                    "1.5E",
                                    "1.5 ",
                                    "E0",
                                    NULL};
  for (size_t i = 0; DOUBLES_IN[i]; i++) {
    const char *const one[] = {DOUBLES_IN[i], NULL};
    assert_inline(one, RDF_XSD "double", ATOM_DOUBLE);
  }
  assert_interned(out, RDF_XSD "double");
  assert_true(atom_inline_get_double(inline_of("1.5E10", RDF_XSD "double")) == 1.5e10);
  assert_true(signbit(atom_inline_get_double(inline_of("-0", RDF_XSD "double"))));
  assert_int_equal(atom_inline_double(nan("")).bits, 0);
  assert_int_equal(atom_inline_double(1.5).bits, inline_of("1.5E0", RDF_XSD "double").bits);
}

static void
test_inline__floats(void **state)
{
  (void)state;
  static const char *const in[] = {"0",        "1",    "-1.5",    "1.5E0",     "3.4028235E38",
                                   "INF",      "-INF", "1.0E-45", "0.1",       "-0.0",
                                   "16777216", "5.0",  "1.0E10",  "3.1415927", NULL};
  static const char *const out[] = {"NaN", "3.14159265",          "1.4E-45", "16777217", "1.0E39",
                                    "1e0", "0.10000000149011612", NULL};
  assert_inline(in, RDF_XSD "float", ATOM_FLOAT);
  assert_interned(out, RDF_XSD "float");
  assert_true(atom_inline_get_double(inline_of("0.1", RDF_XSD "float")) == (double)0.1f);
}

static void
test_inline__dates(void **state)
{
  (void)state;
  static const char *const in[] = {"2024-02-29",  "1970-01-01",   "0001-01-01", "1969-12-31",
                                   "12024-01-31", "999999-12-31", NULL};
  static const char *const out[] = {
      "2023-02-29", "0000-01-01", "-0001-01-01", "2024-1-01",   "02024-01-01",      "2024-13-01",
      "2024-00-01", "2024-01-00", "2024-04-31",  "2024-01-01Z", "2024-01-01+01:00", "1000000-01-01",
      "1900-02-29", "",           "2024",        NULL};
  assert_inline(in, RDF_XSD "date", ATOM_DATE);
  assert_interned(out, RDF_XSD "date");
  int zone;
  assert_int_equal(atom_inline_get_millis(&zone, inline_of("1970-01-02", RDF_XSD "date")),
                   86400000);
}

static void
test_inline__datetimes(void **state)
{
  (void)state;
  static const char *const in[] = {"2024-02-29T12:34:56",
                                   "1969-12-31T23:59:59",
                                   "1969-12-31T23:59:59.999",
                                   "2024-02-29T12:34:56.000",
                                   "0001-01-01T00:00:00",
                                   "999999-12-31T23:59:59.999",
                                   NULL};
  static const char *const zoned[] = {
      "2024-02-29T12:34:56Z",          "2024-02-29T12:34:56.120Z",
      "2024-02-29T12:34:56+14:00",     "2024-02-29T12:34:56-14:00",
      "2024-02-29T12:34:56.789+05:30", "1969-12-31T23:59:59.999-01:00",
      "2024-02-29T12:34:56+00:00",     "0900-01-01T00:00:00Z",
      "3000-01-01T00:00:00Z",          NULL};
  static const char *const out[] = {"2024-02-29T24:00:00",
                                    "2024-02-29T12:34:60",
                                    "2024-02-29T12:34:56.1",
                                    "2024-02-29T12:34:56.",
                                    "2024-02-29T12:34:56.1234",
                                    "2024-02-29T12:34:56-00:00",
                                    "2024-02-29T12:34:56+14:01",
                                    "2024-02-29T12:34:56+15:00",
                                    "9999-12-31T23:59:59Z",
                                    "0000-01-01T00:00:00",
                                    "2024-02-30T00:00:00",
                                    "2024-02-29 12:34:56",
                                    "2024-02-29T12:34:56z",
                                    "2024-02-29T12:34",
                                    "2024-02-29T25:00:00",
                                    "2024-02-29T12:60:00",
                                    "2024-02-29T12:34:56+1:00",
                                    "2024-02-29T12:34:56ZZ",
                                    NULL};
  assert_inline(in, RDF_XSD "dateTime", ATOM_DATETIME);
  assert_inline(zoned, RDF_XSD "dateTime", ATOM_DATETIMEZ);
  assert_interned(out, RDF_XSD "dateTime");
  assert_interned(in, RDF_XSD "dateTimeStamp");
  int zone;
  atom_id id = inline_of("1970-01-01T05:30:00.001+05:30", RDF_XSD "dateTime");
  assert_int_equal(atom_inline_get_millis(&zone, id), 1);
  assert_int_equal(zone, 330);
}

/* ---- at random ------------------------------------------------------------------------------- */

static int
digits_random(char *out, uint64_t *seed, int most)
{
  int n = 1 + (int)(support_random(seed) % (uint64_t)most);
  for (int i = 0; i < n; i++) {
    uint64_t r = support_random(seed);
    out[i] = (char)('0' + (r % 3 ? r / 3 % 10 : 0));
  }
  return n;
}

/* Text that often is a number: signs, digits, a point, an exponent. */
static void
number_random(char out[80], uint64_t *seed)
{
  char *at = out;
  uint64_t r = support_random(seed);
  if (r % 4 == 0) *at++ = r & 64 ? '-' : '+';
  if (r % 23) at += digits_random(at, seed, r % 5 ? 6 : 20);
  if (r / 32 % 2) {
    *at++ = '.';
    if (r % 29) at += digits_random(at, seed, r % 7 ? 6 : 18);
  }
  if (r / 128 % 4 == 0) {
    *at++ = r % 31 ? 'E' : 'e';
    if (r / 1024 % 2) *at++ = '-';
    at += digits_random(at, seed, 2);
  }
  *at = '\0';
}

static void
test_inline__gives_back_whatever_number_it_takes(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  char text[80];
  size_t taken = 0;
  for (int i = 0; i < 200000; i++) {
    number_random(text, &seed);
    static const char *const types[] = {"integer", "decimal", "double", "float"};
    for (int t = 0; t < 4; t++) {
      char type[64];
      (void)snprintf(type, sizeof(type), RDF_XSD "%s", types[t]);
      atom_id id = inline_of(text, type);
      if (!id.bits) continue;
      taken++;
      double value = atom_id_kind(id) == ATOM_DOUBLE || atom_id_kind(id) == ATOM_FLOAT
                         ? atom_inline_get_double(id)
                         : 0;
      if (atom_id_kind(id) == ATOM_DOUBLE) assert_true(value == strtod(text, NULL));
      if (atom_id_kind(id) == ATOM_FLOAT) assert_true(value == (double)strtof(text, NULL));
      if (atom_id_kind(id) == ATOM_INTEGER)
        assert_int_equal(atom_inline_get_integer(id), strtoll(text, NULL, 10));
    }
  }
  assert_true(taken > 50000);
}

/* Every double of the range has an id, and its canonical form is that id again. */
static void
test_inline__doubles_of_any_bits(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t seed = support_seed();
  for (int i = 0; i < 60000; i++) {
    uint64_t bits = support_random(&seed);
    bits = (bits & ~(UINT64_C(0x7ff) << 52)) | (1023 - 62 + bits % 126) << 52;
    if (i % 3 == 0) bits &= ~UINT64_C(0xffffffffff);
    double value;
    memcpy(&value, &bits, sizeof(value));
    atom_id id = atom_inline_double(value);
    assert_true(id.bits != 0);
    double back = atom_inline_get_double(id);
    assert_memory_equal(&back, &value, sizeof(value));
    base_arena arena;
    rdf_term term;
    base_arena_init(&arena, base_alloc_default());
    assert_ok(atom_inline_term(&term, id, &arena, &err));
    assert_true(strtod(term.value.ptr, NULL) == value);
    assert_int_equal(inline_of(term.value.ptr, RDF_XSD "double").bits, id.bits);
    base_arena_clear(&arena);
  }
}

static void
test_inline__does_not_listen_to_the_locale(void **state)
{
  (void)state;
  const char *set = setlocale(LC_NUMERIC, "de_DE.UTF-8");
  assert_true(inline_of("3.141592653589793E0", RDF_XSD "double").bits != 0);
  assert_true(inline_of("3.1415927", RDF_XSD "float").bits != 0);
  (void)setlocale(LC_NUMERIC, "C");
  if (!set) print_message("the locale de_DE.UTF-8 is not installed here\n");
}

static void
test_inline__ids_are_ordered_as_values(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  for (int i = 0; i < 100000; i++) {
    char a[80], b[80];
    number_random(a, &seed);
    number_random(b, &seed);
    static const char *const types[] = {RDF_XSD "integer", RDF_XSD "decimal", RDF_XSD "double",
                                        RDF_XSD "float"};
    for (int t = 0; t < 4; t++) {
      atom_id x = inline_of(a, types[t]), y = inline_of(b, types[t]);
      if (!x.bits || !y.bits) continue;
      long double v = t == 3 ? (long double)strtof(a, NULL) : strtold(a, NULL);
      long double w = t == 3 ? (long double)strtof(b, NULL) : strtold(b, NULL);
      if (t == 2) v = (long double)strtod(a, NULL), w = (long double)strtod(b, NULL);
      if (v < w) assert_true(x.bits < y.bits);
      if (v > w) assert_true(x.bits > y.bits);
    }
  }
  static const char *const times[] = {"0900-01-01T00:00:00Z",
                                      "1969-12-31T23:59:59.999Z",
                                      "1970-01-01T00:00:00+14:00",
                                      "1969-12-31T12:00:00Z",
                                      "2024-02-29T12:00:00-05:00",
                                      "2024-02-29T12:00:00Z",
                                      NULL};
  for (int i = 0; times[i]; i++) {
    for (int j = 0; times[j]; j++) {
      atom_id x = inline_of(times[i], RDF_XSD "dateTime"),
              y = inline_of(times[j], RDF_XSD "dateTime");
      int zone;
      int64_t v = atom_inline_get_millis(&zone, x), w = atom_inline_get_millis(&zone, y);
      if (v < w) assert_true(x.bits < y.bits);
    }
  }
}

/* ---- ranges ------------------------------------------------------------------------------------
 */

static double
bound_random(uint64_t *seed)
{
  uint64_t r = support_random(seed);
  char text[80];
  switch (r % 12) {
  case 0:
    return HUGE_VAL;
  case 1:
    return -HUGE_VAL;
  case 2:
    return 0.0;
  case 3:
    return -0.0;
  case 4:
    return r & 1024 ? 1e-30 : -1e-30;
  case 5:
    return r & 1024 ? 1e30 : -1e30;
  case 6:
    return r & 1024 ? DBL_MAX : -DBL_MAX;
  default:
    number_random(text, seed);
    return strtod(text, NULL);
  }
}

static void
check_in_range(const char *text, const char *datatype, double value, double lo, double hi,
               bool exact)
{
  atom_id id = inline_of(text, datatype), first, last;
  if (!id.bits) return;
  bool some = atom_inline_range(&first, &last, atom_id_kind(id), lo, hi);
  if (some) {
    assert_int_equal(atom_id_kind(first), atom_id_kind(id));
    assert_int_equal(atom_id_kind(last), atom_id_kind(id));
    assert_true(first.bits <= last.bits);
  }
  bool inside = some && first.bits <= id.bits && id.bits <= last.bits;
  if (lo <= value && value <= hi && !inside) fail_msg("%s is not in [%g, %g]", text, lo, hi);
  if (exact && inside && !(lo <= value && value <= hi)) fail_msg("%s is in [%g, %g]", text, lo, hi);
}

static void
test_inline__ranges_hold_all_that_is_inside(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  for (int i = 0; i < 100000; i++) {
    char text[80];
    double lo = bound_random(&seed), hi = bound_random(&seed);
    number_random(text, &seed);
    if (i % 5 == 0) lo = strtod(text, NULL);
    if (i % 7 == 0) hi = strtod(text, NULL);
    double value = strtod(text, NULL);
    check_in_range(text, RDF_XSD "integer", value, lo, hi, fabs(value) < 1e15);
    check_in_range(text, RDF_XSD "decimal", value, lo, hi, false);
    check_in_range(text, RDF_XSD "double", value, lo, hi, true);
    check_in_range(text, RDF_XSD "float", (double)strtof(text, NULL), lo, hi, true);
  }
  atom_id first, last;
  assert_false(atom_inline_range(&first, &last, ATOM_INTEGER, 0.25, 0.75));
  assert_false(atom_inline_range(&first, &last, ATOM_DOUBLE, 2, 1));
  assert_false(atom_inline_range(&first, &last, ATOM_DOUBLE, nan(""), 1));
  assert_false(atom_inline_range(&first, &last, ATOM_IRI, 0, 1));
  assert_true(atom_inline_range(&first, &last, ATOM_DOUBLE, 0, 0));
  assert_int_equal(first.bits, inline_of("-0.0E0", RDF_XSD "double").bits);
}

static void
test_inline__ranges_of_time(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  for (int i = 0; i < 50000; i++) {
    char text[64];
    uint64_t r = support_random(&seed);
    int n = snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)(1900 + r % 200),
                     (int)(1 + r / 256 % 12), (int)(1 + r / 4096 % 28));
    const char *type = RDF_XSD "date";
    if (r % 3) {
      type = RDF_XSD "dateTime";
      (void)snprintf(text + n, sizeof(text) - (size_t)n, "T%02d:00:00%s", (int)(r / 65536 % 24),
                     r % 3 == 1 ? "-08:00" : "");
    }
    int zone;
    atom_id id = inline_of(text, type), first, last;
    int64_t ms = atom_inline_get_millis(&zone, id);
    int64_t lo = ms - 100000000 + (int64_t)(support_random(&seed) % 200000000);
    int64_t hi = lo + (int64_t)(support_random(&seed) % 200000000);
    if (r % 16 == 0) lo = ms;
    if (r % 16 == 1) hi = ms;
    if (r % 64 == 2) lo = INT64_MIN;
    if (r % 64 == 3) hi = INT64_MAX;
    bool some = atom_inline_range_millis(&first, &last, atom_id_kind(id), lo, hi);
    bool inside = some && first.bits <= id.bits && id.bits <= last.bits;
    assert_int_equal(inside, lo <= ms && ms <= hi);
  }
}

/* Ids come from files: none crashes, and what has a text has the id of that text. */
static void
test_inline__survives_ids_of_any_bits(void **state)
{
  (void)state;
  uint64_t seed = support_seed();
  base_arena arena;
  base_arena_init(&arena, base_alloc_default());
  size_t good = 0;
  for (int i = 0; i < 300000; i++) {
    uint64_t bits = support_random(&seed) | UINT64_C(1) << 63;
    if (i % 2) bits = (bits & ~(UINT64_C(63) << 58)) | (32 + support_random(&seed) % 32) << 58;
    rdf_term term;
    base_arena_reset(&arena);
    quoin_status st = atom_inline_term(&term, (atom_id){bits}, &arena, NULL);
    if (st) {
      assert_int_equal(st, QUOIN_ERR_CORRUPT);
      continue;
    }
    good++;
    assert_int_equal(atom_inline(&term).bits, bits);
  }
  assert_true(good > 10000);
  base_arena_clear(&arena);
}

static void
test_inline__kinds_of_datatypes(void **state)
{
  (void)state;
  assert_int_equal(atom_datatype_kind(base_span(""), false), ATOM_STRING);
  assert_int_equal(atom_datatype_kind(base_span(""), true), ATOM_LANG);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD "unsignedByte"), false), ATOM_NUMERIC);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD "double"), false), ATOM_NUMERIC);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD "duration"), false), ATOM_TEMPORAL);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD "date"), false), ATOM_TEMPORAL);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD "boolean"), false), ATOM_BOOLTEXT);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD "anyURI"), false), ATOM_TYPED);
  assert_int_equal(atom_datatype_kind(base_span(RDF_XSD), false), ATOM_TYPED);
}

static void
test_inline__terms_are_written_as_n_triples(void **state)
{
  (void)state;
  base_buffer out;
  base_buffer_init(&out, base_alloc_default());
  rdf_term terms[] = {support_iri("http://e/a b<"),
                      support_literal("a\"\\\n\r\t\x7f\x01\xc3\xa9", "", ""),
                      support_literal("x", "", "en"),
                      support_literal("1", RDF_XSD "integer", ""),
                      {.kind = RDF_BLANK, .value = base_span("b1")}};
  for (size_t i = 0; i < 5; i++) {
    rdf_term_write(&out, &terms[i]);
    base_buffer_byte(&out, ' ');
  }
  base_buffer_byte(&out, '\0');
  assert_string_equal(
      out.data, "<http://e/a\\u0020b\\u003C> \"a\\\"\\\\\\n\\r\\t\\u007F\\u0001\xc3\xa9\" \"x\"@en "
                "\"1\"^^<http://www.w3.org/2001/XMLSchema#integer> _:b1 ");
  base_buffer_clear(&out);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inline__integers),
      cmocka_unit_test(test_inline__decimals),
      cmocka_unit_test(test_inline__booleans),
      cmocka_unit_test(test_inline__doubles),
      cmocka_unit_test(test_inline__floats),
      cmocka_unit_test(test_inline__dates),
      cmocka_unit_test(test_inline__datetimes),
      cmocka_unit_test(test_inline__gives_back_whatever_number_it_takes),
      cmocka_unit_test(test_inline__doubles_of_any_bits),
      cmocka_unit_test(test_inline__does_not_listen_to_the_locale),
      cmocka_unit_test(test_inline__ids_are_ordered_as_values),
      cmocka_unit_test(test_inline__ranges_hold_all_that_is_inside),
      cmocka_unit_test(test_inline__ranges_of_time),
      cmocka_unit_test(test_inline__survives_ids_of_any_bits),
      cmocka_unit_test(test_inline__kinds_of_datatypes),
      cmocka_unit_test(test_inline__terms_are_written_as_n_triples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
