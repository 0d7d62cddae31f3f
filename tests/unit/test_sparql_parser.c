/* Parser of SPARQL: algebra, scopes, positions, hostile input. */
#include "sparql/algebra.h"
#include "sparql/syntax/lexer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char PREFIXES[] = "PREFIX : <http://e/> ";

/* Parse PREFIXES and `text`; it must be good. */
static sparql_query *
parse(const char *text)
{
  char full[4096];
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_query *q = NULL;
  snprintf(full, sizeof(full), "%s%s", PREFIXES, text);
  quoin_status st =
      sparql_query_parse(&q, base_span(full), base_span("http://b/"), base_alloc_default(), &err);
  if (st) print_message("%s: %s\n", text, err.message);
  assert_int_equal(st, QUOIN_OK);
  assert_non_null(q);
  return q;
}

/* `text` alone must be refused at line and column with a message that holds `part`. */
static void
refuse(const char *text, unsigned line, unsigned column, const char *part)
{
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_query *q = NULL;
  quoin_status st =
      sparql_query_parse(&q, base_span(text), base_span(""), base_alloc_default(), &err);
  if (st != QUOIN_ERR_SYNTAX || err.line != line || err.column != column ||
      !strstr(err.message, part))
    print_message("%s: %d %u:%u %s\n", text, (int)st, (unsigned)err.line, (unsigned)err.column,
                  err.message);
  assert_int_equal(st, QUOIN_ERR_SYNTAX);
  assert_null(q);
  assert_int_equal(err.line, line);
  assert_int_equal(err.column, column);
  assert_non_null(strstr(err.message, part));
}

/* The algebra as text, variables by number: what the tests compare. */
static void show(base_buffer *out, const sparql_query *q, const sparql_algebra *node);

static void
show_node(base_buffer *out, const sparql_query *q, const sparql_node *node)
{
  if (node->var == SPARQL_NO_VAR) {
    rdf_term_write(out, &node->term);
  } else if (q->vars[node->var].len) {
    base_buffer_byte(out, '?');
    base_buffer_span(out, q->vars[node->var]);
  } else {
    base_buffer_printf(out, "?%u", (unsigned)node->var);
  }
}

static void
show_var(base_buffer *out, const sparql_query *q, sparql_var var)
{
  sparql_node node = {.var = var};
  show_node(out, q, &node);
}

static void
show_expr(base_buffer *out, const sparql_query *q, const sparql_expr *e)
{
  if (e->op == EXPR_VAR) {
    show_var(out, q, e->var);
    return;
  }
  if (e->op == EXPR_TERM) {
    rdf_term_write(out, &e->term);
    return;
  }
  base_buffer_printf(out, "(e%d", (int)e->op);
  if (e->op == EXPR_BUILTIN) base_buffer_printf(out, ":%d", (int)e->builtin);
  if (e->op == EXPR_AGGREGATE)
    base_buffer_printf(out, ":%d%s", e->aggregate, e->distinct ? "d" : "");
  for (size_t i = 0; i < e->n_args; i++) {
    base_buffer_byte(out, ' ');
    show_expr(out, q, e->args[i]);
  }
  if (e->pattern) show(out, q, e->pattern);
  base_buffer_byte(out, ')');
}

static void
show_path(base_buffer *out, const sparql_path *path)
{
  static const char *const marks[] = {"", "^", "/", "|", "?", "*", "+", "!"};
  base_buffer_text(out, marks[path->op]);
  if (path->op == PATH_IRI) rdf_term_write(out, &path->iri);
  if (path->op == PATH_NEGATED)
    base_buffer_printf(out, "%zu,%zu", path->n_forward, path->n_inverse);
  if (!path->a) return;
  base_buffer_byte(out, '(');
  show_path(out, path->a);
  if (path->b) {
    base_buffer_byte(out, ' ');
    show_path(out, path->b);
  }
  base_buffer_byte(out, ')');
}

static void
show_parts(base_buffer *out, const sparql_query *q, const sparql_algebra *node)
{
  for (size_t i = 0; i < node->n_triples; i++) {
    const sparql_node *nodes = &node->triples[i].subject;
    base_buffer_text(out, i ? " . " : " ");
    for (size_t k = 0; k < 3; k++) {
      if (k) base_buffer_byte(out, ' ');
      show_node(out, q, &nodes[k]);
    }
  }
  if (node->path) {
    base_buffer_byte(out, ' ');
    show_node(out, q, &node->subject);
    base_buffer_byte(out, ' ');
    show_path(out, node->path);
    base_buffer_byte(out, ' ');
    show_node(out, q, &node->object);
  }
  if (node->op == ALGEBRA_GRAPH || node->op == ALGEBRA_SERVICE) {
    base_buffer_byte(out, ' ');
    show_node(out, q, &node->node);
  }
  if (node->op == ALGEBRA_SLICE)
    base_buffer_printf(out, " %llu %lld", (unsigned long long)node->offset, (long long)node->limit);
}

static void
show(base_buffer *out, const sparql_query *q, const sparql_algebra *node)
{
  static const char *const names[] = {
      "unit",   "bgp",    "path",  "join",  "union",   "minus",    "left",    "filter", "graph",
      "extend", "values", "group", "order", "project", "distinct", "reduced", "slice",  "service"};
  base_buffer_printf(out, "(%s", names[node->op]);
  show_parts(out, q, node);
  if (node->var != SPARQL_NO_VAR) {
    base_buffer_byte(out, ' ');
    show_var(out, q, node->var);
  }
  for (size_t i = 0; i < node->n_vars; i++) {
    base_buffer_byte(out, ' ');
    show_var(out, q, node->vars[i]);
  }
  if (node->op == ALGEBRA_VALUES) base_buffer_printf(out, " x%zu", node->n_rows);
  for (size_t i = 0; i < node->n_keys; i++) {
    base_buffer_text(out, " key ");
    show_var(out, q, node->keys[i].var);
    if (node->keys[i].expr) show_expr(out, q, node->keys[i].expr);
  }
  for (size_t i = 0; i < node->n_aggregates; i++) {
    base_buffer_text(out, " agg ");
    show_var(out, q, node->aggregates[i].var);
    show_expr(out, q, node->aggregates[i].expr);
  }
  for (size_t i = 0; i < node->n_exprs; i++) {
    base_buffer_byte(out, ' ');
    show_expr(out, q, node->exprs[i]);
  }
  for (size_t i = 0; i < node->n_order; i++) {
    base_buffer_text(out, node->order[i].descending ? " desc " : " asc ");
    show_expr(out, q, node->order[i].expr);
  }
  if (node->left) {
    base_buffer_byte(out, ' ');
    show(out, q, node->left);
  }
  if (node->right) {
    base_buffer_byte(out, ' ');
    show(out, q, node->right);
  }
  base_buffer_byte(out, ')');
}

/* http://e/ is taken out to keep the expectations short. */
static void
expect(const char *text, const char *algebra)
{
  sparql_query *q = parse(text);
  base_buffer out, plain;
  base_buffer_init(&out, base_alloc_default());
  base_buffer_init(&plain, base_alloc_default());
  show(&out, q, q->root);
  base_buffer_byte(&out, '\0');
  for (const char *at = out.data; *at; at++) {
    if (strncmp(at, "<http://e/", 10) == 0) {
      base_buffer_byte(&plain, ':');
      for (at += 10; *at != '>'; at++)
        base_buffer_byte(&plain, *at);
    } else {
      base_buffer_byte(&plain, *at);
    }
  }
  base_buffer_byte(&plain, '\0');
  assert_string_equal(plain.data, algebra);
  base_buffer_clear(&out);
  base_buffer_clear(&plain);
  sparql_query_free(q);
}

static void
test_algebra__triples_merge_and_filters_go_last(void **state)
{
  (void)state;
  expect("SELECT * { ?s :p ?o . FILTER(?o) ?o :q 1 }",
         "(project ?s ?o (filter ?o (bgp ?s :p ?o . ?o :q "
         "\"1\"^^<http://www.w3.org/2001/XMLSchema#integer>)))");
  expect("ASK {}", "(unit)");
  expect("ASK { { } { ?s ?p ?o } }", "(bgp ?s ?p ?o)");
  expect("ASK { ?a :p ?b { ?b :q ?c } ?c :r ?d }",
         "(join (join (bgp ?a :p ?b) (bgp ?b :q ?c)) (bgp ?c :r ?d))");
}

static void
test_algebra__optional_takes_its_filters(void **state)
{
  (void)state;
  expect("ASK { ?a :p ?b OPTIONAL { ?b :q ?c FILTER(?c) } }",
         "(left ?c (bgp ?a :p ?b) (bgp ?b :q ?c))");
  /* not those of a group within */
  expect("ASK { ?a :p ?b OPTIONAL { { ?b :q ?c FILTER(?c) } } }",
         "(left (bgp ?a :p ?b) (filter ?c (bgp ?b :q ?c)))");
}

static void
test_algebra__groups(void **state)
{
  (void)state;
  expect("ASK { { ?a :p 'x' } UNION { ?a :q 'y'@en } UNION { } MINUS { ?a ?b ?c } }",
         "(minus (union (bgp ?a :p \"x\") (union (bgp ?a :q \"y\"@en) (unit))) (bgp ?a ?b ?c))");
  expect("ASK { GRAPH ?g { ?a :p ?b } SERVICE SILENT :s { } }",
         "(join (graph ?g (bgp ?a :p ?b)) (service :s (unit)))");
  expect("ASK { VALUES (?a ?b) { (1 UNDEF) (:x 'y') } BIND(?a AS ?c) }",
         "(extend ?c ?a (values ?a ?b x2))");
}

static void
test_algebra__paths(void **state)
{
  (void)state;
  expect("ASK { ?a :p/^:q ?b }", "(bgp ?a :p ?2 . ?b :q ?2)");
  expect("ASK { ?a ^(:p/:q) ?b }", "(bgp ?b :p ?2 . ?2 :q ?a)");
  expect("ASK { ?a :p/:q* ?b . ?b a :C }",
         "(join (bgp ?a :p ?2 . ?b <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> :C) "
         "(path ?2 *(:q) ?b))");
  expect("ASK { ?a !(:p|^:q|:r) ?b, ?c }", "(join (path ?a !2,1 ?b) (path ?a !2,1 ?c))");
  expect("ASK { ?a (:p|:q)+ ?b }", "(path ?a +(|(:p :q)) ?b)");
  expect("ASK { ?a :p +1 }", "(bgp ?a :p \"+1\"^^<http://www.w3.org/2001/XMLSchema#integer>)");
  expect("ASK { ?a :p+ 1 }", "(path ?a +(:p) \"1\"^^<http://www.w3.org/2001/XMLSchema#integer>)");
}

static void
test_algebra__lists_and_blank_nodes(void **state)
{
  (void)state;
#define R "<http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  expect("ASK { ?a :p (?b) }", "(bgp ?1 " R "first> ?b . ?1 " R "rest> " R "nil> . ?a :p ?1)");
  expect("ASK { () :p [ :q ?b ; :r ?c ] }", "(bgp ?0 :q ?b . ?0 :r ?c . " R "nil> :p ?0)");
  expect("ASK { _:x :p ?b . FILTER(1) _:x :q ?c }",
         "(filter \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> "
         "(bgp ?0 :p ?b . ?0 :q ?c))");
#undef R
}

static void
test_algebra__grouping(void **state)
{
  (void)state;
  expect("SELECT ?a (COUNT(DISTINCT ?b) + COUNT(distinct ?b) AS ?n) { ?a :p ?b } GROUP BY ?a "
         "HAVING (COUNT(*) > ?b) ORDER BY DESC(?n) ?b LIMIT 3",
         "(slice 0 3 (project ?a ?n (order desc ?n asc ?5 (extend ?n (e13 ?2 ?2) "
         "(filter (e8 ?4 ?5) (group key ?a agg ?2(e23:0d ?b) agg ?4(e23:0) agg ?5(e23:5 ?b) "
         "(bgp ?a :p ?b)))))))");
}

static void
test_algebra__sub_select_has_variables_of_its_own(void **state)
{
  (void)state;
  expect("SELECT * { ?x :p ?y { SELECT ?x { ?x :q ?y } } }",
         "(project ?x ?y (join (bgp ?x :p ?y) (project ?x (bgp ?x :q ?3))))");
  expect("SELECT * { { SELECT * { ?x :q ?y FILTER(?z) } } FILTER(?z) }",
         "(project ?x ?y (filter ?z (project ?x ?y (filter ?2 (bgp ?x :q ?y)))))");
  expect("SELECT * { { SELECT ?a { { SELECT ?a ?b { ?a :q ?b } } } } }",
         "(project ?a (project ?a (project ?a ?3 (bgp ?a :q ?3))))");
}

static void
test_algebra__graph_variable_inside(void **state)
{
  (void)state;
  /* the same variable where that makes no difference */
  expect("SELECT * { GRAPH ?g { ?g :p ?o FILTER(?g) } }",
         "(project ?g ?o (graph ?g (filter ?g (bgp ?g :p ?o))))");
  expect("SELECT * { GRAPH ?g { ?a :p ?o OPTIONAL { ?o :q ?c } } }",
         "(project ?g ?a ?o ?c (graph ?g (left (bgp ?a :p ?o) (bgp ?o :q ?c))))");
  expect("SELECT * { GRAPH ?g { GRAPH ?g { ?g :p ?o } } }",
         "(project ?g ?o (graph ?g (graph ?g (bgp ?g :p ?o))))");
  /* another where it is not bound inside, or not always */
  expect(
      "SELECT * { GRAPH ?g { ?a :p ?o FILTER(BOUND(?g)) } }",
      "(project ?g ?a ?o (filter (e2 (e4 (e19:4 ?1)) (e19:42 ?1 ?g)) (graph ?g (filter (e19:4 ?1) "
      "(bgp ?a :p ?o)))))");
  expect("SELECT * { GRAPH ?g { ?s ?p ?o OPTIONAL { ?s ?p ?g } } }",
         "(project ?g ?s ?p ?o (filter (e2 (e4 (e19:4 ?1)) (e19:42 ?1 ?g)) (graph ?g (left "
         "(bgp ?s ?p ?o) (bgp ?s ?p ?1)))))");
  expect("SELECT * { GRAPH ?g { SELECT ?g { ?g :p ?o } } }",
         "(project ?g (filter (e2 (e4 (e19:4 ?1)) (e19:42 ?1 ?g)) (graph ?g (project ?1 "
         "(bgp ?1 :p ?3)))))");
}

static void
test_query__forms(void **state)
{
  (void)state;
  sparql_query *q = parse("CONSTRUCT { _:x :p ?a . [] :q (1) } FROM :g FROM NAMED :h { ?a ?b ?c }");
  assert_int_equal(q->form, SPARQL_CONSTRUCT);
  assert_int_equal(q->n_template, 4);
  assert_int_equal(q->template_[0].subject.term.kind, RDF_BLANK);
  assert_true(q->has_dataset && q->n_from == 1 && q->n_from_named == 1);
  sparql_query_free(q);
  q = parse("CONSTRUCT WHERE { _:x :p ?a . ?a :q [] }");
  assert_int_equal(q->n_template, 2);
  assert_int_equal(q->template_[0].subject.var, SPARQL_NO_VAR);
  assert_int_equal(q->root->triples[0].subject.term.kind, RDF_NONE);
  sparql_query_free(q);
  q = parse("DESCRIBE * { ?a :p ?b MINUS { ?c :p ?d } }");
  assert_int_equal(q->n_describe, 2);
  sparql_query_free(q);
  q = parse("BASE <http://other/dir/> SELECT ?b ?b ?a { ?a vec:p <x> }");
  assert_int_equal(sparql_query_columns(q), 2);
  assert_true(base_span_is(sparql_query_column(q, 0), "b"));
  assert_true(base_span_is(q->base, "http://other/dir/"));
  assert_true(base_span_is(q->root->left->triples[0].object.term.value, "http://other/dir/x"));
  assert_true(base_span_is(q->root->left->triples[0].predicate.term.value, RDF_VEC "p"));
  sparql_query_free(q);
  sparql_query_free(NULL);
}

static void
test_query__terms(void **state)
{
  (void)state;
  sparql_query *q =
      parse("ASK { :a\\-b%41:c.d ?p 'a\\tb\\u00e9\\U0001F600' , \"\"\"x\"y\"\"\" , -1.5e3 "
            ", true , 'z'^^<http://www.w3.org/2001/XMLSchema#string> , 'l'@en-GB }");
  const sparql_triple *t = q->root->triples;
  assert_true(base_span_is(t[0].subject.term.value, "http://e/a-b%41:c.d"));
  assert_true(base_span_is(t[0].object.term.value, "a\tb\xC3\xA9\xF0\x9F\x98\x80"));
  assert_true(base_span_is(t[1].object.term.value, "x\"y"));
  assert_true(base_span_is(t[2].object.term.value, "-1.5e3"));
  assert_true(base_span_is(t[2].object.term.datatype, RDF_XSD "double"));
  assert_true(base_span_is(t[3].object.term.value, "true"));
  assert_int_equal(t[4].object.term.datatype.len, 0);
  assert_true(base_span_is(t[5].object.term.lang, "en-GB"));
  sparql_query_free(q);
}

static void
test_lexer__escapes_count_everywhere(void **state)
{
  (void)state;
  sparql_query *q = parse("\\u0041SK { ?\\u0061b :\\U00000070 <http://x/\\u00e9> \\u007D");
  assert_true(base_span_is(q->vars[0], "ab"));
  assert_true(base_span_is(q->root->triples[0].predicate.term.value, "http://e/p"));
  assert_true(base_span_is(q->root->triples[0].object.term.value, "http://x/\xC3\xA9"));
  sparql_query_free(q);
  /* what an escape gives is not read again */
  q = parse("ASK { ?s ?p '\\u0027', '\\u005Cn', '\\\\u0041' }");
  assert_true(base_span_is(q->root->triples[0].object.term.value, "'"));
  assert_true(base_span_is(q->root->triples[1].object.term.value, "\\n"));
  assert_true(base_span_is(q->root->triples[2].object.term.value, "\\u0041"));
  sparql_query_free(q);
  /* positions are those of the text as written */
  refuse("\\u0041SK\n{ ?\\u0061b } }", 2, 12, "found '}'");
  refuse("ASK { ?s ?p '\\uD800' }", 1, 14, "bad escape");
  refuse("ASK { ?s ?p <http://x/\\u0020> }", 1, 23, "U+0020");
}

static void
test_parser__positions(void **state)
{
  (void)state;
  refuse("", 1, 1, "found the end of the query");
  refuse("SELECT ?x\nWHERE {\n  ?x ?y }", 3, 9, "found '}', expected a term or a variable");
  refuse("SELECT * { ?s ?p ?o", 1, 20, "found the end of the query, expected '}'");
  refuse("ASK { a:b ?p ?o }", 1, 7, "'a:'");
  refuse("ASK { <x> ?p ?o }", 1, 7, "");
  refuse("ASK { ?x ?y 'abc\n' }", 1, 13, "string without end");
  refuse("ASK { ?x ?y ?z . FILTER(?x = ?y = ?z) }", 1, 33, "brackets");
  refuse("ASK { ?x ?y ?z . FILTER(REGEX(?x)) }", 1, 25,
         "found 1 arguments of REGEX, expected 2 to 3");
  refuse("ASK { FILTER(COUNT(?x)) }", 1, 14, "aggregate");
  refuse("SELECT (SUM(COUNT(?x)) AS ?y) {}", 1, 13, "aggregate");
  refuse("SELECT (?a AS ?b) (?c AS ?b) {}", 1, 26, "already");
  refuse("SELECT (SUM(?b) AS ?n) {} VALUES ?n { 1 }", 1, 20, "already");
  refuse("ASK {} LIMIT 99999999999999999999", 1, 14, "2 to the 64th");
  refuse("ASK { ?x ?y \xFF }", 1, 13, "UTF-8");
  refuse("ASK { ?x ?y & }", 1, 13, "found '&'");
  refuse("ASK { } }", 1, 9, "expected the end of the query");
}

/* `open` n times, then `close` n times. */
static quoin_status
nested(const char *before, const char *open, const char *middle, const char *close,
       const char *after, size_t n, quoin_error *err)
{
  base_buffer text;
  sparql_query *q = NULL;
  base_buffer_init(&text, base_alloc_default());
  base_buffer_text(&text, before);
  for (size_t i = 0; i < n; i++)
    base_buffer_text(&text, open);
  base_buffer_text(&text, middle);
  for (size_t i = 0; i < n; i++)
    base_buffer_text(&text, close);
  base_buffer_text(&text, after);
  quoin_status st = sparql_query_parse(&q, (quoin_span){text.data, text.len},
                                       base_span("http://b/"), base_alloc_default(), err);
  base_buffer_clear(&text);
  sparql_query_free(q);
  return st;
}

static void
test_parser__nesting_is_bounded(void **state)
{
  (void)state;
  static const struct {
    const char *before, *open, *middle, *close, *after;
  } forms[] = {
      {"ASK ", "{", "", "}", ""},
      {"ASK { FILTER", "(", "1", ")", " }"},
      {"ASK { FILTER(", "!(", "1", ")", ") }"},
      {"ASK { FILTER(", "ABS(", "1", ")", ") }"},
      {"ASK { ?s ", "(", "a", ")", " ?o }"},
      {"ASK { ?s ", "^(", "a", ")*", " ?o }"},
      {"ASK { ?s ?p ", "(", "", ")", " }"},
      {"ASK { ?s ?p ", "[ ?p ", "1", "]", " }"},
      {"ASK ", "{ FILTER EXISTS ", "{}", "}", ""},
      {"ASK ", "{ OPTIONAL ", "{}", "}", ""},
      {"ASK { ", "{ SELECT * { ", "", "} }", " }"},
      {"ASK { ", "{ SELECT ?x { ?x ?x ?x ", "", "} }", " }"},
      {"ASK ", "{ {} UNION ", "{}", "}", ""},
      {"ASK ", "{ GRAPH ?g ", "{}", "}", ""},
  };
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    quoin_error err = QUOIN_ERROR_INIT;
    assert_int_equal(nested(forms[i].before, forms[i].open, forms[i].middle, forms[i].close,
                            forms[i].after, 200, &err),
                     QUOIN_OK);
    assert_int_equal(nested(forms[i].before, forms[i].open, forms[i].middle, forms[i].close,
                            forms[i].after, 100000, &err),
                     QUOIN_ERR_SYNTAX);
    assert_non_null(strstr(err.message, "nesting"));
    assert_int_equal(err.line, 1);
  }
}

static void
test_parser__long_chains_are_balanced_or_bounded(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(nested("ASK { FILTER(?x = 1", " || ?x = 2", ") }", "", "", 20000, &err), 0);
  assert_int_equal(nested("ASK { FILTER(?x = 1", " && ?x = 2", ") }", "", "", 20000, &err), 0);
  assert_int_equal(nested("ASK { { ?a ?b ?c }", " UNION { ?a ?b ?c }", "}", "", "", 20000, &err),
                   0);
  assert_int_equal(nested("ASK { ?a (<x>", "|<y>", ")* ?b }", "", "", 20000, &err), 0);
  assert_int_equal(nested("ASK { ?a <x>", "/<y>", " ?b }", "", "", 20000, &err), 0);
  assert_int_equal(nested("ASK { FILTER(?x IN (1", ",1", ")) }", "", "", 20000, &err), 0);
  assert_int_equal(nested("ASK { FILTER(1", "+1", ") }", "", "", 1000, &err), 0);
  assert_int_equal(nested("ASK { FILTER(1", "+1", ") }", "", "", 20000, &err), QUOIN_ERR_SYNTAX);
  assert_int_equal(nested("ASK {", " OPTIONAL {}", "}", "", "", 20000, &err), QUOIN_ERR_SYNTAX);
  assert_non_null(strstr(err.message, "on top of each other"));
}

/* Fails the n-th allocation. */
typedef struct failing {
  long left, live;
} failing;

static void *
failing_allocate(void *user, size_t size)
{
  failing *f = user;
  if (f->left-- == 0) return NULL;
  f->live++;
  return malloc(size);
}

static void *
failing_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  failing *f = user;
  (void)old_size;
  return f->left-- == 0 ? NULL : realloc(ptr, new_size);
}

static void
failing_release(void *user, void *ptr, size_t size)
{
  (void)size;
  ((failing *)user)->live -= ptr != NULL;
  free(ptr);
}

static void
test_parser__survives_every_failed_allocation(void **state)
{
  (void)state;
  static const char text[] =
      "PREFIX : <http://e/> SELECT ?a (SUM(?b) AS ?n) { ?a :p\\-q ?b ; ^:r/:s* [ :q (1 '\\u0041') "
      "] "
      "OPTIONAL { ?a ?b _:x } { SELECT * { ?a ?c ?d FILTER(NOT EXISTS { ?d ?e 1 } || ?c IN (2)) } "
      "} "
      "BIND(IF(?a, ?b, ?c) AS ?z) VALUES (?q) { (1) } } GROUP BY ?a HAVING(?b) ORDER BY ?n LIMIT 1";
  quoin_status st = QUOIN_ERR_NOMEM;
  long n = 0;
  for (; st == QUOIN_ERR_NOMEM; n++) {
    failing f = {.left = n};
    const base_alloc mem = {failing_allocate, failing_resize, failing_release, &f};
    quoin_error err = QUOIN_ERROR_INIT;
    sparql_query *q = NULL;
    st = sparql_query_parse(&q, base_span(text), base_span("http://b/"), &mem, &err);
    sparql_query_free(q);
    assert_int_equal(f.live, 0);
  }
  assert_int_equal(st, QUOIN_OK);
  assert_true(n > 3);
}

static void
test_lexer__keywords_are_in_order(void **state)
{
  (void)state;
  for (int k = KW_A + 2; k < KW_COUNT_OF; k++)
    assert_true(strcmp(lexer_keyword_name((sparql_keyword)(k - 1)),
                       lexer_keyword_name((sparql_keyword)k)) < 0);
  for (int k = KW_A; k < KW_COUNT_OF; k++)
    assert_int_equal(lexer_keyword_find(base_span(lexer_keyword_name((sparql_keyword)k))), k);
  assert_int_equal(lexer_keyword_find(base_span("SeLeCt")), KW_SELECT);
  assert_int_equal(lexer_keyword_find(base_span("A")), KW_NONE);
}

/* Every prefix of a good query, and the query with one byte changed, is taken or refused, never a
 * crash. */
static void
test_parser__survives_damage(void **state)
{
  (void)state;
  static const char text[] =
      "PREFIX : <http://e/> SELECT ?a (GROUP_CONCAT(DISTINCT ?b; SEPARATOR=',') AS ?n) FROM :g { "
      "?a :p\\-q ?b ; ^:r/:s* [ :q (1 '\\u0041' \"\"\"x\"\"\"@en 'y'^^:t) ] . FILTER(?x < 3 && -?y "
      ">= .5e1) "
      "GRAPH ?g { _:x a :C } } GROUP BY ?a ORDER BY DESC(?n) # end\nLIMIT 1 OFFSET 2";
  char copy[sizeof(text)];
  const char *seed_text = getenv("QUOIN_SEED");
  unsigned seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : 20261121u;
  print_message("seed %u\n", seed);
  for (size_t i = 0; i < 20000; i++) {
    sparql_query *q = NULL;
    quoin_error err = QUOIN_ERROR_INIT;
    size_t len = sizeof(text) - 1;
    memcpy(copy, text, sizeof(text));
    seed = seed * 1664525u + 1013904223u;
    if (i < len)
      len = i;
    else
      copy[(seed >> 8) % len] = (char)(seed >> 24);
    quoin_status st = sparql_query_parse(&q, (quoin_span){copy, len}, base_span("http://b/"),
                                         base_alloc_default(), &err);
    assert_true(st == QUOIN_OK || st == QUOIN_ERR_SYNTAX);
    assert_true((st == QUOIN_OK) == (q != NULL));
    assert_true(st == QUOIN_OK || (err.line >= 1 && err.column >= 1 && err.message[0]));
    sparql_query_free(q);
    (void)!sparql_update_check((quoin_span){copy, len}, base_span("http://b/"),
                               base_alloc_default(), &err);
  }
}

/* Character by character. */
static const char *
string_end(const char *at, const char *end)
{
  const char q = *at;
  const bool is_long = end - at >= 3 && at[1] == q && at[2] == q;
  for (at += is_long ? 3 : 1; at < end; at++) {
    if (*at == '\\') {
      at++;
    } else if (*at == q) {
      if (!is_long) return at + 1;
      if (end - at >= 3 && at[1] == q && at[2] == q) return at + 3;
    } else if (!is_long && (*at == '\n' || *at == '\r')) {
      return NULL;
    }
  }
  return NULL;
}

/* All texts of up to eight characters that could matter. */
static void
test_lexer__strings_end_where_they_should(void **state)
{
  static const char letters[] = "\"\\\na'";
  enum { MOST = 8 };
  (void)state;
  for (size_t len = 1, all = 5; len <= MOST; len++, all *= 5)
    for (size_t n = 0; n < all; n++) {
      char text[MOST];
      size_t left = n, quote;
      for (size_t i = 0; i < len; i++, left /= 5)
        text[i] = letters[left % 5];
      if (text[0] != '"' && text[0] != '\'') continue;
      char *copy = malloc(len); /* so that reading behind it is seen */
      assert_non_null(copy);
      memcpy(copy, text, len);
      assert_ptr_equal(lexer_string_end(copy, copy + len, &quote), string_end(copy, copy + len));
      free(copy);
    }
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_algebra__triples_merge_and_filters_go_last),
      cmocka_unit_test(test_algebra__optional_takes_its_filters),
      cmocka_unit_test(test_algebra__groups),
      cmocka_unit_test(test_algebra__paths),
      cmocka_unit_test(test_algebra__lists_and_blank_nodes),
      cmocka_unit_test(test_algebra__grouping),
      cmocka_unit_test(test_algebra__sub_select_has_variables_of_its_own),
      cmocka_unit_test(test_algebra__graph_variable_inside),
      cmocka_unit_test(test_query__forms),
      cmocka_unit_test(test_query__terms),
      cmocka_unit_test(test_lexer__escapes_count_everywhere),
      cmocka_unit_test(test_lexer__strings_end_where_they_should),
      cmocka_unit_test(test_parser__positions),
      cmocka_unit_test(test_parser__nesting_is_bounded),
      cmocka_unit_test(test_parser__long_chains_are_balanced_or_bounded),
      cmocka_unit_test(test_parser__survives_every_failed_allocation),
      cmocka_unit_test(test_lexer__keywords_are_in_order),
      cmocka_unit_test(test_parser__survives_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
