/* Property paths: each form by hand, then random graphs and paths against a closure by brute force.
 */
#include "sparql_query_world.h"

static const char tree[] =
    /* a -> b -> c -> d, b -> e, a cycle x -> y -> z -> x, and a literal at the end. */
    ":a :p :b . :b :p :c . :c :p :d . :b :p :e . :x :p :y . :y :p :z . :z :p :x . "
    ":d :q \"end\" . :e :q :d . :a :r :a . "
    ":g1 { :a :p :b . :b :p :a . } :g2 { :b :p :m . :g2 :p :n . } ";

static int
open_tree(void **state)
{
  static world w;
  world_open(&w, tree);
  *state = &w;
  return 0;
}

static int
close_world(void **state)
{
  world_close(*state);
  return 0;
}

static void
test_paths__closures(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?o WHERE { :a :p+ ?o }", ":b\n:c\n:d\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a :p* ?o }", ":a\n:b\n:c\n:d\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a :p? ?o }", ":a\n:b\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :p+ :d }", ":a\n:b\n:c\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :p* :d }", ":a\n:b\n:c\n:d\n");
  EXPECT(w, "SELECT ?o WHERE { :x :p+ ?o }", ":x\n:y\n:z\n");
  EXPECT(w, "SELECT ?o WHERE { :x :p* ?o }", ":x\n:y\n:z\n");
  EXPECT(w, "SELECT ?x WHERE { ?x :p+ ?x }", ":x\n:y\n:z\n");
  EXPECT(w, "SELECT ?x WHERE { ?x :r* ?x }", "\"end\"\n:a\n:b\n:c\n:d\n:e\n:x\n:y\n:z\n");
  EXPECT(w, "SELECT ?x ?y WHERE { ?x :q+ ?y }", ":d \"end\"\n:e \"end\"\n:e :d\n");
  EXPECT(w, "SELECT (COUNT(*) AS ?n) WHERE { ?x :p* ?y }", "23\n");
  EXPECT(w, "ASK { :a :p+ :d }", "yes\n");
  EXPECT(w, "ASK { :a :p+ :a }", "");
  EXPECT(w, "ASK { :x :p+ :x }", "yes\n");
  EXPECT(w, "SELECT ?o WHERE { :a (:p*)* ?o }", ":a\n:b\n:c\n:d\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a (:p+)? ?o }", ":a\n:b\n:c\n:d\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a (:p/:p)+ ?o }", ":c\n:e\n");
}

static void
test_paths__sequences_alternatives_inverses(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?o WHERE { :a :p/:p ?o }", ":c\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a :p/:p* ?o }", ":b\n:c\n:d\n:e\n");
  EXPECT(w, "SELECT ?s WHERE { ?s :p*/:q \"end\" }", ":a\n:b\n:c\n:d\n");
  EXPECT(w, "SELECT ?o WHERE { :b (:p|:q) ?o }", ":c\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :e (:p|:q)+ ?o }", "\"end\"\n:d\n");
  EXPECT(w, "SELECT ?o WHERE { :b ^:p ?o }", ":a\n");
  EXPECT(w, "SELECT ?o WHERE { :d (^:p)+ ?o }", ":a\n:b\n:c\n");
  EXPECT(w, "SELECT ?o WHERE { :c ^:p/:p ?o }", ":c\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :d ^(:p/:p) ?o }", ":b\n");
  EXPECT(w, "SELECT ?o WHERE { :c (:p|^:p)* ?o }", ":a\n:b\n:c\n:d\n:e\n");
  /* Alternatives and sequences keep duplicates; closures do not. */
  EXPECT(w, "SELECT ?o WHERE { :a (:p|:p) ?o }", ":b\n:b\n");
  EXPECT(w, "SELECT ?o WHERE { :c (:p?|:p*) ?o }", ":c\n:c\n:d\n:d\n");
  EXPECT(w, "SELECT ?o WHERE { :a (:p|:p)/:p ?o }", ":c\n:c\n:e\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a (:p|:p)/(:p?) ?o }", ":b\n:b\n:c\n:c\n:e\n:e\n");
  EXPECT(w, "SELECT ?o WHERE { :a (:p|:p)+ ?o }", ":b\n:c\n:d\n:e\n");
  EXPECT(w, "SELECT ?s ?o WHERE { ?s (:q|^:r) ?o }", ":a :a\n:d \"end\"\n:e :d\n");
}

static void
test_paths__negated_sets(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?o WHERE { :a !:p ?o }", ":a\n");
  EXPECT(w, "SELECT ?s ?o WHERE { ?s !(:p|:r) ?o }", ":d \"end\"\n:e :d\n");
  EXPECT(w, "SELECT ?s ?o WHERE { ?s !(^:p|^:r) ?o }", "\"end\" :d\n:d :e\n");
  EXPECT(w, "SELECT ?o WHERE { :d !(:p|^:q) ?o }", "\"end\"\n:c\n");
  EXPECT(w, "SELECT ?o WHERE { :a (!:r)+ ?o }", "\"end\"\n:b\n:c\n:d\n:e\n");
}

static void
test_paths__zero_length_at_terms_outside(void **state)
{
  world *w = *state;
  /* A constant matches itself, a variable ranges over nodes of the graph. */
  EXPECT(w, "SELECT ?o WHERE { :nowhere :p* ?o }", ":nowhere\n");
  EXPECT(w, "SELECT ?o WHERE { ?o :p? 42 }", "42\n");
  EXPECT(w, "ASK { :nowhere :p* :nowhere }", "yes\n");
  EXPECT(w, "ASK { :nowhere :p* :elsewhere }", "");
  EXPECT(w, "ASK { :nowhere :p+ :nowhere }", "");
  EXPECT(w, "SELECT ?x ?o WHERE { VALUES ?x { :nowhere :d } ?x :p* ?o }", ":d :d\n");
  EXPECT(w, "SELECT ?x ?o WHERE { VALUES ?x { :nowhere :d } ?o :p? ?x }", ":d :c\n:d :d\n");
  EXPECT(w, "SELECT ?x WHERE { VALUES ?x { :nowhere :d } ?x :p* :nowhere }", ":nowhere\n");
  EXPECT(w, "SELECT ?o WHERE { :nowhere (:p?|:q*) ?o }", ":nowhere\n:nowhere\n");
  EXPECT(w, "SELECT ?o WHERE { :nowhere :p*/:q* ?o }", "");
  EXPECT(w, "SELECT ?o WHERE { :nowhere (:p*/:q*)* ?o }", ":nowhere\n");
}

static void
test_paths__join_with_rows(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?s ?o WHERE { ?s :q ?e . ?s :p* ?o }", ":d :d\n:e :e\n");
  EXPECT(w, "SELECT ?s ?m ?o WHERE { ?s :r ?s . ?s :p ?m . ?m :p+ ?o }",
         ":a :b :c\n:a :b :d\n:a :b :e\n");
  EXPECT(w, "SELECT ?s ?o ?z WHERE { ?s :p ?o . ?s :p+ ?o . ?o :q ?z }",
         ":b :e :d\n:c :d \"end\"\n");
}

static void
test_paths__graphs(void **state)
{
  world *w = *state;
  EXPECT(w, "SELECT ?o WHERE { GRAPH :g1 { :a :p+ ?o } }", ":a\n:b\n");
  EXPECT(w, "SELECT ?g ?o WHERE { GRAPH ?g { :b :p+ ?o } }", ":g1 :a\n:g1 :b\n:g2 :m\n");
  EXPECT(w, "SELECT ?g ?x ?y WHERE { GRAPH ?g { ?x :p+ ?y } }",
         ":g1 :a :a\n:g1 :a :b\n:g1 :b :a\n:g1 :b :b\n:g2 :b :m\n:g2 :g2 :n\n");
  EXPECT(w, "SELECT ?g ?y WHERE { GRAPH ?g { ?g :p+ ?y } }", ":g2 :n\n");
  EXPECT(w, "SELECT ?g ?o WHERE { GRAPH ?g { :nowhere :p* ?o } }", ":g1 :nowhere\n:g2 :nowhere\n");
  EXPECT(w, "SELECT ?o WHERE { GRAPH :g9 { :nowhere :p* ?o } }", "");
  EXPECT(w, "SELECT ?o FROM :g1 FROM :g2 WHERE { :a :p+ ?o }", ":a\n:b\n:m\n");
  EXPECT(w, "SELECT ?g ?o FROM NAMED :g2 WHERE { GRAPH ?g { ?o :p* :m } }", ":g2 :b\n:g2 :m\n");
  const sparql_run_options all = {.union_default_graph = true};
  EXPECT_WITH(w, "SELECT ?o WHERE { :a :p+ ?o }", &all, ":a\n:b\n:c\n:d\n:e\n:m\n");
  EXPECT_WITH(w, "SELECT ?o WHERE { :a :p ?o . :a :p/:p ?m }", &all, ":b\n:b\n:b\n:b\n");
}

static void
test_paths__many_rows_share_few_starts(void **state)
{
  (void)state;
  world w;
  base_buffer trig;
  base_buffer_init(&trig, base_alloc_default());
  base_buffer_text(&trig, ":c0 :sub :c1 . :c1 :sub :c2 . :c2 :sub :c3 . :c3 :sub :c4 . ");
  for (unsigned i = 0; i < 3000; i++)
    base_buffer_printf(&trig, ":i%u :is :c%u . ", i, i % 5);
  base_buffer_byte(&trig, '\0');
  world_open(&w, trig.data);
  base_buffer_clear(&trig);
  EXPECT(&w, "SELECT ?y (COUNT(*) AS ?n) WHERE { ?x :is ?c . ?c :sub* ?y } GROUP BY ?y",
         ":c0 600\n:c1 1200\n:c2 1800\n:c3 2400\n:c4 3000\n");
  EXPECT(&w, "SELECT ?y (COUNT(*) AS ?n) WHERE { ?x :is/:sub+ ?y } GROUP BY ?y",
         ":c1 600\n:c2 1200\n:c3 1800\n:c4 2400\n");
  EXPECT(&w, "SELECT (COUNT(*) AS ?n) WHERE { ?x :is ?c . ?c :sub* :c2 }", "1800\n");
  EXPECT(&w, "SELECT (COUNT(*) AS ?n) WHERE { ?x :is ?c . ?d :sub* ?c }", "9000\n");
  EXPECT(&w, "SELECT (COUNT(*) AS ?n) WHERE { ?x :is ?c OPTIONAL { ?c :sub ?d } ?d :sub* ?e }",
         "1815000\n");
  world_close(&w);
}

/* ---- random graphs and paths against matrices ---- */

enum { NODES = 9, PREDICATES = 3, MOST_ROWS = 4000 };

typedef struct matrix {
  unsigned at[NODES][NODES]; /* how often a path leads from one node to another */
} matrix;

typedef struct random_world {
  uint64_t state;
  matrix edge[PREDICATES];
  bool node[NODES]; /* occurs in the graph */
} random_world;

static unsigned
draw(random_world *r, unsigned n)
{
  r->state += UINT64_C(0x9e3779b97f4a7c15);
  return (unsigned)(base_mix(r->state) % n);
}

static matrix
transposed(const matrix *m)
{
  matrix t;
  for (unsigned i = 0; i < NODES; i++)
    for (unsigned j = 0; j < NODES; j++)
      t.at[i][j] = m->at[j][i];
  return t;
}

static matrix
product(const matrix *a, const matrix *b)
{
  matrix p = {0};
  for (unsigned i = 0; i < NODES; i++)
    for (unsigned j = 0; j < NODES; j++)
      for (unsigned k = 0; k < NODES; k++)
        p.at[i][j] += a->at[i][k] * b->at[k][j];
  return p;
}

static matrix
sum(const matrix *a, const matrix *b)
{
  matrix s = *a;
  for (unsigned i = 0; i < NODES; i++)
    for (unsigned j = 0; j < NODES; j++)
      s.at[i][j] += b->at[i][j];
  return s;
}

static matrix
as_set(const matrix *a)
{
  matrix s;
  for (unsigned i = 0; i < NODES; i++)
    for (unsigned j = 0; j < NODES; j++)
      s.at[i][j] = a->at[i][j] ? 1 : 0;
  return s;
}

static matrix
closure(const matrix *a)
{
  matrix c = as_set(a);
  for (unsigned k = 0; k < NODES; k++)
    for (unsigned i = 0; i < NODES; i++)
      for (unsigned j = 0; j < NODES; j++)
        if (c.at[i][k] && c.at[k][j]) c.at[i][j] = 1;
  return c;
}

static matrix
identity(const random_world *r)
{
  matrix m = {0};
  for (unsigned i = 0; i < NODES; i++)
    m.at[i][i] = r->node[i] ? 1 : 0;
  return m;
}

/* Write a random path and work out its matrix. */
static matrix
random_path(base_buffer *text, random_world *r, unsigned depth)
{
  matrix a, b;
  unsigned predicate = draw(r, PREDICATES), form = depth ? draw(r, 9) : draw(r, 3);
  switch (form) {
  case 0:
    base_buffer_printf(text, ":p%u", predicate);
    return r->edge[predicate];
  case 1:
    base_buffer_printf(text, "^:p%u", predicate);
    return transposed(&r->edge[predicate]);
  case 2:
    base_buffer_printf(text, "!(:p%u|^:p%u)", predicate, (predicate + 1) % PREDICATES);
    a = (matrix){0};
    for (unsigned p = 0; p < PREDICATES; p++) {
      if (p != predicate) a = sum(&a, &r->edge[p]);
      b = transposed(&r->edge[p]);
      if (p != (predicate + 1) % PREDICATES) a = sum(&a, &b);
    }
    return a;
  case 3:
  case 4:
    base_buffer_byte(text, '(');
    a = random_path(text, r, depth - 1);
    base_buffer_byte(text, form == 3 ? '/' : '|');
    b = random_path(text, r, depth - 1);
    base_buffer_byte(text, ')');
    return form == 3 ? product(&a, &b) : sum(&a, &b);
  case 5:
    base_buffer_text(text, "^(");
    a = random_path(text, r, depth - 1);
    base_buffer_byte(text, ')');
    return transposed(&a);
  default:
    break;
  }
  base_buffer_byte(text, '(');
  a = random_path(text, r, depth - 1);
  base_buffer_text(text, form == 6 ? ")?" : form == 7 ? ")*" : ")+");
  b = identity(r);
  if (form == 6) {
    a = sum(&a, &b);
    return as_set(&a);
  }
  a = closure(&a);
  if (form == 8) return a;
  a = sum(&a, &b);
  return as_set(&a);
}

static void
random_graph(base_buffer *text, random_world *r)
{
  unsigned n = 4 + draw(r, 14);
  for (unsigned i = 0; i < n; i++) {
    unsigned p = draw(r, PREDICATES), from = draw(r, NODES), to = draw(r, NODES);
    base_buffer_printf(text, ":n%u :p%u :n%u . ", from, p, to);
    r->edge[p].at[from][to] = 1;
    r->node[from] = r->node[to] = true;
  }
}

/* The rows of "?x path ?y" for the nodes allowed at either end; NULL: all. */
static char *
expected_rows(const matrix *m, const bool *from, const bool *to, bool same)
{
  base_buffer out;
  base_buffer_init(&out, base_alloc_default());
  for (unsigned i = 0; i < NODES; i++)
    for (unsigned j = 0; j < NODES; j++)
      for (unsigned k = 0; k < m->at[i][j]; k++)
        if ((!from || from[i]) && (!to || to[j]) && (!same || i == j))
          base_buffer_printf(&out, ":n%u :n%u\n", i, j);
  base_buffer_byte(&out, '\0');
  assert_false(out.failed);
  return out.data;
}

static void
check_rows(world *w, const char *query, char *expected)
{
  EXPECT(w, query, expected);
  free(expected);
}

/* All the ways the ends can be given. */
static void
check_path(world *w, random_world *r, const char *path, const matrix *m)
{
  char query[4096];
  bool one[NODES] = {false}, two[NODES] = {false}, some[NODES] = {false};
  unsigned a = draw(r, NODES), b = draw(r, NODES), c = draw(r, NODES);
  while (!r->node[a])
    a = draw(r, NODES);
  while (!r->node[b])
    b = draw(r, NODES);
  one[a] = two[b] = some[a] = some[b] = some[c] = true;
#define QUERY(...) (assert_true(snprintf(query, sizeof(query), __VA_ARGS__) < 4096), query)
  check_rows(w, QUERY("SELECT ?x ?y WHERE { ?x %s ?y }", path),
             expected_rows(m, NULL, NULL, false));
  check_rows(w, QUERY("SELECT (?x AS ?a) (?x AS ?b) WHERE { ?x %s ?x }", path),
             expected_rows(m, NULL, NULL, true));
  check_rows(w, QUERY("SELECT (:n%u AS ?x) ?y WHERE { :n%u %s ?y }", a, a, path),
             expected_rows(m, one, NULL, false));
  check_rows(w, QUERY("SELECT ?x (:n%u AS ?y) WHERE { ?x %s :n%u }", b, path, b),
             expected_rows(m, NULL, two, false));
  check_rows(w, QUERY("SELECT (:n%u AS ?x) (:n%u AS ?y) WHERE { :n%u %s :n%u }", a, b, a, path, b),
             expected_rows(m, one, two, false));
  if (c != a && c != b && a != b) { /* VALUES without repetition */
    char values[64];
    (void)snprintf(values, sizeof(values), "{ :n%u :n%u :n%u :none }", a, b, c);
    check_rows(w, QUERY("SELECT ?x ?y WHERE { VALUES ?x %s ?x %s ?y }", values, path),
               expected_rows(m, some, NULL, false));
    check_rows(w, QUERY("SELECT ?x ?y WHERE { VALUES ?y %s ?x %s ?y }", values, path),
               expected_rows(m, NULL, some, false));
    check_rows(
        w, QUERY("SELECT ?x ?y WHERE { VALUES ?x %s VALUES ?y %s ?x %s ?y }", values, values, path),
        expected_rows(m, some, some, false));
    check_rows(
        w, QUERY("SELECT ?x (:n%u AS ?y) WHERE { VALUES ?x %s ?x %s :n%u }", b, values, path, b),
        expected_rows(m, some, two, false));
  }
#undef QUERY
}

static void
test_paths__random_ones_agree_with_matrices(void **state)
{
  (void)state;
  const char *text = getenv("QUOIN_SEED");
  random_world r = {.state = text ? strtoull(text, NULL, 10) : 1};
  print_message("seed %llu\n", (unsigned long long)r.state);
  for (unsigned round = 0; round < 12; round++) {
    base_buffer trig;
    world w;
    memset(r.edge, 0, sizeof(r.edge));
    memset(r.node, 0, sizeof(r.node));
    base_buffer_init(&trig, base_alloc_default());
    random_graph(&trig, &r);
    base_buffer_byte(&trig, '\0');
    world_open(&w, trig.data);
    for (unsigned i = 0; i < 25; i++) {
      base_buffer path;
      base_buffer_init(&path, base_alloc_default());
      matrix m = random_path(&path, &r, 3);
      base_buffer_byte(&path, '\0');
      unsigned rows = 0;
      for (unsigned at = 0; at < NODES * NODES; at++)
        rows += m.at[at / NODES][at % NODES];
      if (rows < MOST_ROWS) check_path(&w, &r, path.data, &m);
      base_buffer_clear(&path);
    }
    world_close(&w);
    base_buffer_clear(&trig);
  }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths__closures),
      cmocka_unit_test(test_paths__sequences_alternatives_inverses),
      cmocka_unit_test(test_paths__negated_sets),
      cmocka_unit_test(test_paths__zero_length_at_terms_outside),
      cmocka_unit_test(test_paths__join_with_rows),
      cmocka_unit_test(test_paths__graphs),
      cmocka_unit_test(test_paths__many_rows_share_few_starts),
      cmocka_unit_test(test_paths__random_ones_agree_with_matrices),
  };
  return cmocka_run_group_tests(tests, open_tree, close_world);
}
