/* vec:nearest over groups whose queries and items have nothing to do with each other, or something,
 * against brute force: the rows of the group by the planner with the optimiser off, and of them by
 * the definition (DESIGN.md section 8) those with the k nearest of each query. */
#include "sparql_query_world.h"

#include "vector/vector.h"

#include <math.h>

enum {
  SUBJECTS = 30,
  GRAPHS = 3,
  LITERALS = 6,
  FIELDS = 10,
  ROUNDS = 3,
  QUERIES = 70,
  MOST_ROWS = 600
};

/* Each subject has a vector of its own for each graph it is in, and perhaps another. */
typedef struct subject {
  float vector[GRAPHS][2][2];
  unsigned n[GRAPHS]; /* vectors there: 0 to 2 */
} subject;

typedef struct model {
  world w;
  uint64_t seed;
  subject subject[SUBJECTS];
  float literal[LITERALS][2];
} model;

static unsigned
pick(model *m, unsigned below)
{
  m->seed = m->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)((m->seed >> 33) % below);
}

static float
coordinate(model *m)
{
  return (float)((int)pick(m, 20000) - 10000) / 1000;
}

/* ---- the store --------------------------------------------------------------------------------
 */

static void
put_subject(base_buffer *out, model *m, unsigned i, unsigned g)
{
  subject *s = &m->subject[i];
  s->n[g] = pick(m, 3);
  for (unsigned v = 0; v < s->n[g]; v++) {
    for (unsigned c = 0; c < 2; c++)
      s->vector[g][v][c] = coordinate(m);
    base_buffer_printf(out, ":s%u :v \"[%.9g,%.9g]\"^^vec:f32 . ", i, (double)s->vector[g][v][0],
                       (double)s->vector[g][v][1]);
  }
  for (unsigned c = 0; c < 3; c++)
    if (pick(m, 3) == 0) base_buffer_printf(out, ":s%u a :C%u . ", i, c);
  for (unsigned c = pick(m, 3); c > 0; c--)
    base_buffer_printf(out, ":s%u :n %u ; :o :s%u . ", i, pick(m, 5), pick(m, SUBJECTS));
}

static void
open_model(model *m, uint64_t seed)
{
  base_buffer trig;
  *m = (model){.seed = seed};
  base_buffer_init(&trig, base_alloc_default());
  base_buffer_text(&trig, "@prefix vec: <urn:x-quoin:vec#> . <urn:x-quoin:system> { :v a vec:Index "
                          "; vec:dimension 2 ; vec:metric vec:l2Metric } ");
  for (unsigned g = 0; g < GRAPHS; g++) {
    if (g) base_buffer_printf(&trig, ":g%u { ", g);
    for (unsigned i = 0; i < SUBJECTS; i++)
      put_subject(&trig, m, i, g);
    if (g) base_buffer_text(&trig, "} ");
  }
  base_buffer_byte(&trig, '\0');
  world_open(&m->w, trig.data);
  base_buffer_clear(&trig);
  for (unsigned i = 0; i < LITERALS; i++)
    for (unsigned c = 0; c < 2; c++)
      m->literal[i][c] = coordinate(m);
}

/* ---- random groups ----------------------------------------------------------------------------
 */

/* Texts with %s for a term to be near to and %u for a number of a subject. */
static const char *const query_parts[] = {
    "VALUES ?q { :s1 :s2 :s1 %q %q :s%u } ",
    "VALUES (?q ?a) { (:s1 1) (%q 2) (UNDEF 3) (:s%u 4) (:s%u 4) } ",
    "?q a :C1 . ",
    "{ SELECT ?q { ?q :n ?x } } ",
    "?q a :C0 OPTIONAL { ?q :o ?a } ",
    "{ ?q a :C1 } UNION { ?x a :C2 } ",
    "BIND(:s%u AS ?q) ",
    "BIND(%q AS ?q) ",
    "?a :o ?q . ",
    "?q a ?y FILTER(?q = :s%u) ",
    "?q :n ?a . ?q :n ?y FILTER(?a < ?y) "};
static const char *const item_parts[] = {"?p a :C2 . ",
                                         "?p a :C2 . ",
                                         "?p :n ?b . ",
                                         "?p :o ?c . ?c a :C1 . ",
                                         "{ ?p a :C1 } UNION { ?p a :C2 } ",
                                         "{ SELECT DISTINCT ?p { ?p :n ?x } } ",
                                         "{ SELECT ?p (COUNT(*) AS ?b) { ?p :o ?x } GROUP BY ?p } ",
                                         "?p a :C2 OPTIONAL { ?p :o ?b } ",
                                         "?p a ?b MINUS { ?p a :C2 } ",
                                         "?p a :C1 FILTER(?p != :s%u) ",
                                         "OPTIONAL { ?p a :C2 } ",
                                         "GRAPH :g1 { ?p a :C1 } ",
                                         "GRAPH ?c { ?p a :C1 } ",
                                         "?p a :C1 FILTER EXISTS { ?p :n ?z } ",
                                         "?p :o+ :s%u . ",
                                         "VALUES ?p { :s1 :s3 :s3 UNDEF :s%u :s%u } ",
                                         "?p :n ?b BIND(?b + 1 AS ?c) FILTER(?c > 2) "};
/* The first ones most of the time; the last ones need no item. */
static const char *const links[] = {"",
                                    "",
                                    "",
                                    "",
                                    "FILTER(?p != ?q) ",
                                    "FILTER(!sameTerm(?q, ?p)) ",
                                    "FILTER(!(?q = ?p)) ",
                                    "?q :o ?z . ?p :o ?z . ",
                                    "?q a ?z . ?p a ?z . ",
                                    "?q :o ?p . ",
                                    "FILTER NOT EXISTS { ?p :o ?q } ",
                                    "OPTIONAL { ?q :o ?z } OPTIONAL { ?p :o ?z } ",
                                    "BIND(?p AS ?z) FILTER(BOUND(?q) && BOUND(?z)) ",
                                    "MINUS { ?q a :C2 . ?p a :C1 } ",
                                    "MINUS { ?p a :C0 } ",
                                    "OPTIONAL { ?p :n ?z FILTER(?q != ?p) } ",
                                    "VALUES ?w { 1 2 } ",
                                    "?w a :C2 . ",
                                    "BIND(5 AS ?w) ",
                                    "FILTER(1 < 2) ",
                                    "FILTER(2 < 1) ",
                                    "OPTIONAL { ?w :n 4 } ",
                                    "MINUS { ?w :n 1 } "};
enum { ITEM_LINKS = 16 };
#define PICK(m, list) ((list)[pick(m, sizeof(list) / sizeof(*(list)))])

static void
put_literal(base_buffer *out, const model *m, unsigned i)
{
  base_buffer_printf(out, "\"[%.9g,%.9g]\"^^vec:f32", (double)m->literal[i][0],
                     (double)m->literal[i][1]);
}

static void
put_part(base_buffer *out, model *m, const char *text)
{
  for (; *text; text++) {
    if (*text == '%' && text[1] == 'q')
      put_literal(out, m, pick(m, LITERALS));
    else if (*text == '%')
      base_buffer_printf(out, "%u", pick(m, SUBJECTS));
    else
      base_buffer_byte(out, *text);
    text += *text == '%';
  }
}

static void
put_group(base_buffer *out, model *m, bool item)
{
  const size_t n = sizeof(links) / sizeof(*links);
  const char *query = PICK(m, query_parts), *of_item = item ? PICK(m, item_parts) : "";
  bool first = pick(m, 2);
  put_part(out, m, first ? query : of_item);
  put_part(out, m, first ? of_item : query);
  size_t placed = 0;
  for (unsigned i = pick(m, 3); i > 0; i--) {
    size_t which = item ? pick(m, (unsigned)n) : ITEM_LINKS + pick(m, (unsigned)(n - ITEM_LINKS));
    if (placed && strstr(links[which], "BIND(")) continue; /* of a variable in use, perhaps */
    put_part(out, m, links[which]);
    placed++;
  }
}

/* ---- by the definition ------------------------------------------------------------------------
 */

typedef struct row {
  char *field[FIELDS]; /* g q p r d e, then others */
  bool gone;
} row;

enum { G, Q, P, R };

/* Columns of a text of rows, in place. */
static row
split_row(char *text)
{
  row r = {.gone = false};
  size_t n = 0;
  for (char *at = strtok(text, " "); at; at = strtok(NULL, " ")) {
    assert_true(n < FIELDS);
    r.field[n++] = at;
  }
  return r;
}

/* The vectors of a term in graph g. */
static unsigned
vectors_of(const float **out, const model *m, const char *term, unsigned g)
{
  if (term[0] == ':' && term[1] == 's') {
    const subject *s = &m->subject[strtoul(term + 2, NULL, 10)];
    for (unsigned v = 0; v < s->n[g]; v++)
      out[v] = s->vector[g][v];
    return s->n[g];
  }
  if (term[0] != '"') return 0;
  for (unsigned i = 0; i < LITERALS; i++) {
    char *end;
    float x = strtof(term + 2, &end), y = strtof(end + 1, NULL);
    out[0] = m->literal[i];
    if (x == m->literal[i][0] && y == m->literal[i][1]) return 1;
  }
  fail_msg("no vector: %s", term);
  return 0;
}

static double
distance_of(const model *m, const row *r, int query, unsigned where)
{
  const float *a[2], *b[2];
  unsigned g = where == 2 ? (unsigned)strtoul(r->field[G] + 2, NULL, 10) : where;
  unsigned n = vectors_of(a, m, r->field[query], g);
  unsigned o = r->field[P][0] == ':' ? vectors_of(b, m, r->field[P], g) : 0;
  double least = HUGE_VAL;
  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < o; j++) {
      double d = vec_distance(VEC_L2, a[i], b[j], 2);
      if (d < least) least = d;
    }
  return least;
}

/* Keep the rows with the k nearest of each query in each graph; or those that are among the k of
 * the whole index. */
static void
keep_nearest(const model *m, row *rows, size_t n, int query, unsigned where, unsigned k, bool index)
{
  bool *stays = calloc(n + 1, sizeof(bool));
  assert_non_null(stays);
  for (size_t i = 0; i < n; i++) {
    if (rows[i].gone) continue;
    double d = distance_of(m, &rows[i], query, where);
    bool nearer[SUBJECTS] = {false};
    size_t before = 0;
    for (size_t j = 0; j < n && !index; j++) {
      if (rows[j].gone || strcmp(rows[j].field[G], rows[i].field[G]) ||
          strcmp(rows[j].field[query], rows[i].field[query]) || rows[j].field[P][0] != ':')
        continue;
      if (distance_of(m, &rows[j], query, where) < d)
        nearer[strtoul(rows[j].field[P] + 2, NULL, 10)] = true;
    }
    for (unsigned s = 0; s < SUBJECTS; s++) {
      char name[16];
      row other = rows[i];
      (void)snprintf(name, sizeof(name), ":s%u", s);
      other.field[P] = name;
      if (index && distance_of(m, &other, query, where) < d) nearer[s] = true;
      before += nearer[s];
    }
    stays[i] = d < HUGE_VAL && before < k;
  }
  for (size_t i = 0; i < n; i++)
    rows[i].gone = rows[i].gone || !stays[i];
  free(stays);
}

/* ---- one query --------------------------------------------------------------------------------
 */

static answer
rows_of(model *m, const char *text, bool plain)
{
  const sparql_run_options options = {.plain = plain};
  answer a = world_run(&m->w, text, &options);
  if (a.status) fail_msg("seed %llu: %s: %s", (unsigned long long)m->seed, text, a.err.message);
  return a;
}

/* Rows without their distances, which must be right; sorted. */
static char **
texts_of(const model *m, const answer *a, const row *rows, size_t n, bool found, unsigned where,
         bool second, const char *text)
{
  char **out = calloc(n + 1, sizeof(char *));
  size_t kept = 0;
  (void)a;
  assert_non_null(out);
  for (size_t i = 0; i < n; i++) {
    const row *r = &rows[i];
    if (r->gone) continue;
    size_t at = found ? (second ? 6 : 5) : 4;
    if (found && (strtod(r->field[4] + 1, NULL) != distance_of(m, r, Q, where) ||
                  (second && strtod(r->field[5] + 1, NULL) != distance_of(m, r, R, where))))
      fail_msg("%s: %s %s is at %s", text, r->field[Q], r->field[P], r->field[4]);
    assert_non_null(out[kept] = calloc(1, 400));
    for (size_t f = 0; f < 4; f++)
      (void)snprintf(out[kept] + strlen(out[kept]), 90, "%s ", r->field[f]);
    for (; at < FIELDS && r->field[at]; at++)
      (void)snprintf(out[kept] + strlen(out[kept]), 90, "%s ", r->field[at]);
    kept++;
  }
  if (kept) qsort(out, kept, sizeof(*out), answer_compare);
  return out;
}

static void
same_texts(const model *m, char **got, char **expected, const char *text)
{
  for (size_t i = 0; got[i] || expected[i]; i++)
    if (!got[i] || !expected[i] || strcmp(got[i], expected[i]))
      fail_msg("seed %llu: %s: row %zu is %s, not %s", (unsigned long long)m->seed, text, i,
               got[i] ? got[i] : "missing", expected[i] ? expected[i] : "there");
}

static void
free_texts(char **texts)
{
  for (size_t i = 0; texts[i]; i++)
    free(texts[i]);
  free(texts);
}

static row *
read_rows(const answer *a)
{
  row *rows = calloc(a->n + 1, sizeof(row));
  assert_non_null(rows);
  for (size_t i = 0; i < a->n; i++)
    rows[i] = split_row(a->rows[i]);
  return rows;
}

static void
try_group(model *m)
{
  static const char *const open[] = {"", "GRAPH :g1 { ", "GRAPH ?g { "};
  unsigned where = pick(m, 3), k = 1 + pick(m, 6), l = 1 + pick(m, 4);
  bool item = pick(m, 6), second = item && pick(m, 4) == 0, index = item && pick(m, 6) == 0;
  const char *graph = open[where], *close = where ? "} " : "";
  base_buffer group, all, text;
  uint64_t seed = m->seed;
  base_buffer_init(&group, base_alloc_default());
  base_buffer_init(&all, base_alloc_default());
  base_buffer_init(&text, base_alloc_default());
  put_group(&group, m, item);
  if (second) {
    base_buffer_text(&group, "VALUES ?r { ");
    put_literal(&group, m, pick(m, LITERALS));
    base_buffer_text(&group, " :s7 } ");
  }
  base_buffer_byte(&group, '\0');
  /* Without an item in the group it ranges over all subjects. */
  base_buffer_printf(&all, "SELECT ?g ?q ?p ?r ?a ?b ?w { %s{ %s } %s%s}", graph, group.data,
                     item ? "" : "{ SELECT DISTINCT ?p { ?p :v ?any } } ", close);
  base_buffer_printf(&text,
                     "SELECT ?g ?q ?p ?r ?d %s ?a ?b ?w { %s%s(?p ?d) vec:nearest (:v ?q %u "
                     "vec:exact true%s) ",
                     second ? "?e" : "", graph, group.data, k, index ? " vec:scope vec:index" : "");
  if (second) base_buffer_printf(&text, ". (?p ?e) vec:nearest (:v ?r %u vec:exact true) ", l);
  base_buffer_printf(&text, "%s}", close);
  base_buffer_byte(&all, '\0');
  base_buffer_byte(&text, '\0');
  answer rows = rows_of(m, all.data, true);
  if (rows.n > MOST_ROWS) goto done; /* by brute force it would take too long */
  row *model_rows = read_rows(&rows);
  keep_nearest(m, model_rows, rows.n, Q, where, k, index);
  if (second) keep_nearest(m, model_rows, rows.n, R, where, l, false);
  m->seed = seed; /* as the messages have it */
  char **expected = texts_of(m, &rows, model_rows, rows.n, false, where, second, text.data);
  for (int plain = 0; plain < 2; plain++) {
    answer got = rows_of(m, text.data, plain);
    row *got_rows = read_rows(&got);
    char **texts = texts_of(m, &got, got_rows, got.n, true, where, second, text.data);
    same_texts(m, texts, expected, text.data);
    free_texts(texts);
    free(got_rows);
    answer_free(&got);
  }
  free_texts(expected);
  free(model_rows);

done:
  answer_free(&rows);
  base_buffer_clear(&group);
  base_buffer_clear(&all);
  base_buffer_clear(&text);
}

static void
test_split__random_groups_by_the_definition(void **state)
{
  const char *given = getenv("QUOIN_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 10) : 5;
  (void)state;
  print_message("QUOIN_SEED=%llu\n", (unsigned long long)seed);
  for (uint64_t i = 0; i < ROUNDS; i++) {
    model m;
    open_model(&m, seed * 1000 + i);
    for (unsigned j = 0; j < QUERIES; j++) {
      m.seed = (seed * 1000 + i) * 1000 + j + 1;
      try_group(&m);
    }
    world_close(&m.w);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_split__random_groups_by_the_definition),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
