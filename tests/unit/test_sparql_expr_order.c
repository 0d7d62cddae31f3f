/* The total order of terms and ranges for scans. */
#include "sparql_expr_world.h"

#include <math.h>
#include <time.h>

#define XSD "http://www.w3.org/2001/XMLSchema#"

typedef struct list {
  prepared p;
  base_arena arena;
  sparql_sort_key *keys;
  atom_id *ids;
  size_t n;
} list;

static rdf_term
literal(const char *text, const char *type)
{
  return (rdf_term){.kind = RDF_LITERAL, .value = base_span(text), .datatype = base_span(type)};
}

static void
list_open(list *l, world *w, size_t cap)
{
  *l = (list){.n = 0};
  prepare(&l->p, w, MODE_STORED, "1");
  base_arena_init(&l->arena, base_alloc_default());
  l->keys = base_arena_new_zero(&l->arena, cap, sizeof(*l->keys));
  l->ids = base_arena_new_zero(&l->arena, cap, sizeof(*l->ids));
  assert_true(l->keys && l->ids);
}

static void
list_close(list *l)
{
  base_arena_clear(&l->arena);
  prepared_free(&l->p);
}

static void
list_add(list *l, world *w, world_mode mode, const rdf_term *term)
{
  quoin_error err = QUOIN_ERROR_INIT;
  atom_id id = term->kind == RDF_NONE ? ATOM_NONE_ID : world_id(w, &l->p, mode, term);
  l->ids[l->n] = id;
  if (sparql_sort_key_make(&l->keys[l->n], &l->p.ctx, id, &l->arena, &err))
    fail_msg("%s", err.message);
  l->n++;
}

static void
check_ascending(list *l, bool equal_allowed)
{
  for (size_t i = 0; i < l->n; i++)
    for (size_t j = 0; j < l->n; j++) {
      int c = sparql_sort_key_compare(&l->keys[i], &l->keys[j]);
      bool same = atom_id_equal(l->ids[i], l->ids[j]);
      int expected = same ? 0 : i < j ? -1 : i > j ? 1 : 0;
      if (c != expected && !(equal_allowed && c == 0)) {
        base_buffer a, b;
        base_buffer_init(&a, base_alloc_default());
        base_buffer_init(&b, base_alloc_default());
        fail_msg("%zu %s against %zu %s: %d", i, show(&a, &l->p, l->ids[i]), j,
                 show(&b, &l->p, l->ids[j]), c);
      }
    }
}

static void
test_order__of_the_classes(void **state)
{
  const rdf_term terms[] = {
      {.kind = RDF_NONE},
      {.kind = RDF_BLANK, .value = base_span("q1")},
      {.kind = RDF_IRI, .value = base_span("http://x/a")},
      {.kind = RDF_IRI, .value = base_span("http://x/aa")},
      {.kind = RDF_IRI, .value = base_span("http://x/b")},
      {.kind = RDF_IRI, .value = base_span("http://y/")},
      literal("NaN", XSD "double"),
      literal("-INF", XSD "double"),
      literal("-99999999999999999999999999999999999999999", XSD "integer"),
      literal("-1.5", XSD "decimal"),
      literal("-1.0E0", XSD "double"),
      literal("-0.1", XSD "decimal"),
      literal("0", XSD "integer"),
      literal("0.0000000000000000000000000001", XSD "decimal"),
      literal("0.1", XSD "decimal"),   /* below the double 0.1 */
      literal("1.0E-1", XSD "double"), /* 0.1000000000000000055 */
      literal("0.100000000000000006", XSD "decimal"),
      literal("1.0E-1", XSD "float"), /* 0.100000001490116 */
      literal("1", XSD "integer"),
      literal("001", XSD "integer"),
      literal("9007199254740992", XSD "integer"),
      literal("9007199254740992.5", XSD "decimal"),
      literal("9007199254740993", XSD "integer"),
      literal("123456789012345678901234567890", XSD "integer"),
      literal("123456789012345678901234567890.000001", XSD "decimal"),
      literal("123456789012345678901234567891", XSD "integer"),
      literal("INF", XSD "double"),
      literal("false", XSD "boolean"),
      literal("true", XSD "boolean"),
      literal("2006-01-01T00:00:00+01:00", XSD "dateTime"),
      literal("2005-12-31T23:59:59.999999999999", XSD "dateTime"),
      literal("2006-01-01T00:00:00Z", XSD "dateTime"),
      literal("2006-01-01T00:00:00.000000000000000001", XSD "dateTime"),
      literal("2006-01-01T00:00:00.5Z", XSD "dateTime"),
      literal("2005-12-31T23:00:00-05:00", XSD "dateTime"),
      literal("99999999999-01-01T00:00:00Z", XSD "dateTime"),
      literal("1999-12-31", XSD "date"),
      literal("2000-01-01Z", XSD "date"),
      literal("PT1S", XSD "dayTimeDuration"),
      literal("P1D", XSD "dayTimeDuration"),
      literal("P1Y", XSD "yearMonthDuration"),
      literal("", ""),
      literal("A", ""),
      literal("a", ""),
      literal("abcdefgh", ""),
      literal("abcdefghi", ""),
      literal("\xef\xbf\xbd", ""),
      literal("\xf0\x90\x80\x80", ""),
      {.kind = RDF_LITERAL, .value = base_span("z"), .lang = base_span("de")},
      {.kind = RDF_LITERAL, .value = base_span("a"), .lang = base_span("en")},
      {.kind = RDF_LITERAL, .value = base_span("b"), .lang = base_span("EN")},
      {.kind = RDF_LITERAL, .value = base_span("b"), .lang = base_span("en")},
      literal("ill", XSD "integer"),
      literal("x", "http://x/t"),
      literal("a", "http://x/u"),
  };
  for (int mode = MODE_LOCAL; mode < MODE_COUNT; mode++) {
    list l;
    list_open(&l, *state, 100);
    for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
      list_add(&l, *state, (world_mode)mode, &terms[i]);
    check_ascending(&l, false);
    list_close(&l);
  }
}

/* 60 digits before the point, 60 after it. */
static void
fill_up(char out[200], const char *form)
{
  const char *body = form + (*form == '-');
  const char *point = strchr(body, '.');
  size_t whole = point ? (size_t)(point - body) : strlen(body);
  size_t rest = point ? strlen(point + 1) : 0;
  assert_true(whole <= 60 && rest <= 60);
  memset(out, '0', 120);
  memcpy(out + 60 - whole, body, whole);
  if (rest) memcpy(out + 60, point + 1, rest);
  out[120] = '\0';
}

/* Numbers of a common grid, so that ties and near ties happen: against their digits. */
static void
test_order__numbers_exactly(void **state)
{
  const char *text = getenv("QUOIN_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  enum { COUNT = 120 };
  list l;
  char forms[COUNT][160];
  list_open(&l, *state, COUNT);
  for (int i = 0; i < COUNT; i++) {
    seed = base_mix(seed + 1);
    unsigned zeros = (unsigned)(seed >> 8) % 3 * 11, more = (unsigned)(seed >> 16) % 3 * 15;
    int n = snprintf(forms[i], sizeof(forms[i]), "%s%u%0*u", seed & 1 ? "-" : "",
                     (unsigned)(seed >> 24) % 3 + 1, (int)zeros + 1, 0u);
    if (more)
      (void)snprintf(forms[i] + n, sizeof(forms[i]) - (size_t)n, ".%0*u%u", (int)more,
                     (unsigned)(seed >> 32) % 2, (unsigned)(seed >> 40) % 3);
    rdf_term term = literal(forms[i], XSD "decimal");
    list_add(&l, *state, MODE_STORED, &term);
  }
  for (int i = 0; i < COUNT; i++)
    for (int j = 0; j < COUNT; j++) {
      /* the oracle: digits on both sides of the point, filled up, compared as text */
      char a[200], b[200];
      fill_up(a, forms[i]);
      fill_up(b, forms[j]);
      bool na = forms[i][0] == '-', nb = forms[j][0] == '-';
      int oracle = na != nb ? (na ? -1 : 1) : na ? strcmp(b, a) : strcmp(a, b);
      int c = sparql_sort_key_compare(&l.keys[i], &l.keys[j]);
      if (oracle && (oracle < 0) != (c < 0)) fail_msg("%s against %s: %d", forms[i], forms[j], c);
      if (!strcmp(forms[i], forms[j])) assert_int_equal(c, 0);
    }
  list_close(&l);
}

/* ---- ranges ---- */

typedef struct range_case {
  const char *filter;
  bool found, temporal;
  double lo, hi;
} range_case;

static void
test_range__of_comparisons(void **state)
{
  static const range_case cases[] = {
      {"?v < 5", true, false, -HUGE_VAL, 5},
      {"?v <= 5", true, false, -HUGE_VAL, 5},
      {"?v > 5", true, false, 5, HUGE_VAL},
      {"5 > ?v", true, false, -HUGE_VAL, 5},
      {"5 <= ?v", true, false, 5, HUGE_VAL},
      {"?v = 5", true, false, 5, 5},
      {"?v >= 2 && ?v < 3.5", true, false, 2, 3.5},
      {"?v >= 2 && ?v < 3.5 && ?v != 3", true, false, 2, 3.5},
      {"?v > -5", true, false, -5, HUGE_VAL},
      {"?v > -(5)", true, false, -5, HUGE_VAL},
      {"?v > 1.0E300", true, false, 1e300, HUGE_VAL},
      {"?v < \"NaN\"^^xsd:double", false, false, 0, 0},
      {"?v != 5", false, false, 0, 0},
      {"?v < \"a\"", false, false, 0, 0},
      {"?v < 5 || ?v > 6", false, false, 0, 0},
      {"?v < ?u", false, false, 0, 0},
      {"1 < 2", false, false, 0, 0},
      {"?v > \"1970-01-02T00:00:00Z\"^^xsd:dateTime", true, true, 86400000, HUGE_VAL},
      {"?v <= \"1970-01-02\"^^xsd:date", true, true, -HUGE_VAL, 86400000},
      {"?v > \"12:00:00\"^^xsd:time", false, false, 0, 0},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    prepared p;
    sparql_range r;
    prepare(&p, *state, MODE_CONSTANT, cases[i].filter);
    bool found = sparql_expr_range(&r, p.expr);
    if (found != cases[i].found) fail_msg("%s: %d", cases[i].filter, found);
    if (found) {
      assert_int_equal(r.temporal, cases[i].temporal);
      double lo = r.temporal && r.lo_ms == INT64_MIN ? -HUGE_VAL
                  : r.temporal                       ? (double)r.lo_ms
                                                     : r.lo;
      double hi = r.temporal && r.hi_ms == INT64_MAX ? HUGE_VAL
                  : r.temporal                       ? (double)r.hi_ms
                                                     : r.hi;
      /* closed and wide, but not by much */
      double slack = r.temporal ? 15.0 * 3600000 : 1e-6 * (1 + fabs(cases[i].lo));
      if (!(lo <= cases[i].lo) || !(hi >= cases[i].hi)) fail_msg("%s: narrow", cases[i].filter);
      if (isfinite(cases[i].lo) && lo < cases[i].lo - slack && cases[i].lo < 1e30)
        fail_msg("%s: wide below", cases[i].filter);
      if (isfinite(cases[i].hi) && hi > cases[i].hi + slack) fail_msg("%s: wide", cases[i].filter);
    }
    prepared_free(&p);
  }
}

/* A value for which the filter holds lies in its range: every pair of a list of numbers. */
static void
test_range__holds_what_the_filter_holds(void **state)
{
  static const char *const values[] = {"5",
                                       "4.9999999",
                                       "5.0000001",
                                       "\"5\"^^xsd:float",
                                       "\"4.9999995\"^^xsd:float",
                                       "5.0E0",
                                       "0.1",
                                       "0.1000000001",
                                       "\"0.1\"^^xsd:float",
                                       "0.1E0",
                                       "9007199254740993",
                                       "9007199254740992.0E0",
                                       "16777217",
                                       "\"16777216\"^^xsd:float",
                                       "\"INF\"^^xsd:double",
                                       "1.0E39",
                                       "\"INF\"^^xsd:float",
                                       "-1.0E39",
                                       "\"-INF\"^^xsd:float",
                                       "0.0E0",
                                       "-0.0E0",
                                       "\"007\"^^xsd:integer",
                                       "1.0E-320",
                                       "99999999999999999999999999999999999999999"};
  static const char *const ops[] = {"<", "<=", "=", ">=", ">"};
  enum { N = sizeof(values) / sizeof(values[0]) };
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++)
      for (size_t k = 0; k < 5; k++) {
        char text[200];
        prepared p, v;
        sparql_range r;
        atom_id id;
        quoin_error err = QUOIN_ERROR_INIT;
        (void)snprintf(text, sizeof(text), "%s %s %s", values[i], ops[k], values[j]);
        prepare(&p, *state, MODE_CONSTANT, text);
        assert_int_equal(
            sparql_expr_column(&id, &p.ctx, p.expr, &(sparql_batch){1, p.column}, &err), QUOIN_OK);
        bool holds = id.bits == atom_inline_boolean(true).bits;
        (void)snprintf(text, sizeof(text), "?v %s %s", ops[k], values[j]);
        prepare(&v, *state, MODE_CONSTANT, text);
        if (sparql_expr_range(&r, v.expr)) {
          base_arena arena;
          sparql_sort_key key;
          base_arena_init(&arena, base_alloc_default());
          atom_id value = world_id(*state, &p, MODE_STORED, &p.expr->args[0]->term);
          if (p.expr->args[0]->op == EXPR_TERM) {
            p.ctx.atoms = ((world *)*state)->atoms;
            p.ctx.mark = UINT64_MAX;
            assert_int_equal(sparql_sort_key_make(&key, &p.ctx, value, &arena, &err), QUOIN_OK);
            if (holds && (key.number < r.lo || key.number > r.hi))
              fail_msg("%s %s %s holds outside of the range", values[i], ops[k], values[j]);
          }
          base_arena_clear(&arena);
        }
        prepared_free(&p);
        prepared_free(&v);
      }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order__of_the_classes),
      cmocka_unit_test(test_order__numbers_exactly),
      cmocka_unit_test(test_range__of_comparisons),
      cmocka_unit_test(test_range__holds_what_the_filter_holds),
  };
  return cmocka_run_group_tests(tests, world_open, world_close);
}
