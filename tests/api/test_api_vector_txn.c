/* vec:nearest inside transactions and update requests, against the functions that compute
 * distances, over what the transaction has written. */
#include "api/vectors.h"

enum { BASE = 2000, K = 10, MOST = 60, NAME = 48 };

typedef struct answer {
  size_t n;
  struct {
    char name[NAME], graph[NAME];
    double distance;
  } row[MOST];
} answer;

typedef struct world {
  quoin_store *store;
  quoin_txn *txn; /* NULL: outside */
  uint64_t seed;
  unsigned next; /* vectors made */
  size_t there, found;
} world;

static unsigned
pick(world *w, unsigned n)
{
  w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)((w->seed >> 33) % n);
}

static void
vector_text(char *out, size_t size, unsigned seed)
{
  float values[DIM];
  size_t at = 0;
  make_vector(values, seed);
  for (int i = 0; i < DIM; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%.9g", i ? "," : "\"[", (double)values[i]);
  (void)snprintf(out + at, size - at, "]\"^^vec:f32");
}

static void
ask(answer *out, world *w, const char *query)
{
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_cursor *cursor;
  quoin_status st;
  *out = (answer){.n = 0};
  good(w->txn ? quoin_txn_query(&cursor, w->txn, text(query), NULL, &err)
              : quoin_query(&cursor, w->store, text(query), NULL, &err),
       &err);
  while (!(st = quoin_cursor_next(cursor, &err))) {
    quoin_term term;
    assert_true(out->n < MOST);
    good(quoin_cursor_term(&term, cursor, 0, &err), &err);
    (void)snprintf(out->row[out->n].name, NAME, "%.*s", (int)term.value.len, term.value.ptr);
    assert_true(quoin_cursor_double(&out->row[out->n].distance, cursor, 1));
    good(quoin_cursor_term(&term, cursor, 2, &err), &err);
    if (term.kind == QUOIN_TERM_IRI)
      (void)snprintf(out->row[out->n].graph, NAME, "%.*s", (int)term.value.len, term.value.ptr);
    out->n++;
  }
  if (st != QUOIN_DONE) good(st, &err);
  quoin_cursor_close(cursor);
}

/* By request of `near`, in the default graph, among those of a class, or in each graph. */
static void
compare(world *w, const char *near, const char *group, bool each_graph)
{
  static char query[3000];
  answer got[2], right;
  const char *open = each_graph ? "GRAPH ?g {" : "", *shut = each_graph ? "}" : "";
  for (int exact = 0; exact < 2; exact++) {
    (void)snprintf(query, sizeof(query),
                   VEC "SELECT ?s ?d ?g WHERE { %s %s (?s ?d) vec:nearest (<" P
                       "> %s %d%s) %s } ORDER BY ?g ?d ?s",
                   open, group, near, K, exact ? " vec:exact true" : "", shut);
    ask(&got[exact], w, query);
  }
  if (each_graph) { /* k of each */
    right.n = 0;
    for (int g = 1; g < 3; g++) {
      answer one;
      (void)snprintf(query, sizeof(query),
                     VEC "SELECT ?s (MIN(vec:cosineDistance(?v, %s)) AS ?d) ?g WHERE { VALUES ?g "
                         "{ <g:%d> } GRAPH ?g { %s ?s <" P "> ?v } } GROUP BY ?s ?g ORDER BY ?d ?s "
                         "LIMIT %d",
                     near, g, group, K);
      ask(&one, w, query);
      memcpy(&right.row[right.n], one.row, one.n * sizeof(one.row[0]));
      right.n += one.n;
    }
  } else {
    (void)snprintf(query, sizeof(query),
                   VEC "SELECT ?s (MIN(vec:cosineDistance(?v, %s)) AS ?d) ?none WHERE { %s ?s <" P
                       "> ?v } GROUP BY ?s ?none ORDER BY ?d ?s LIMIT %d",
                   near, group, K);
    ask(&right, w, query);
  }
  assert_int_equal(got[1].n, right.n);
  assert_int_equal(got[0].n, right.n);
  w->there += right.n;
  for (size_t i = 0; i < right.n; i++) {
    assert_true(got[1].row[i].distance == right.row[i].distance); /* of equal ones, any */
    w->found += got[0].row[i].distance == right.row[i].distance;
  }
}

static void
compare_some(world *w)
{
  char near[600];
  vector_text(near, sizeof(near), pick(w, w->next + 50));
  compare(w, near, "", false);
  compare(w, near, "?s a <c:few> .", false);
  compare(w, near, "?s a <c:half> .", false);
  compare(w, near, "", true);
}

static void
change(world *w, const char *request)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(w->txn ? quoin_txn_update(w->txn, text(request), NULL, &err)
              : quoin_update(NULL, w->store, text(request), NULL, &err),
       &err);
}

/* One request of a transaction. */
static void
step(world *w)
{
  char request[1500], vector[600];
  unsigned to = pick(w, BASE + 400), kind = pick(w, 10);
  vector_text(vector, sizeof(vector), w->next);
  if (kind < 4) {
    (void)snprintf(request, sizeof(request),
                   VEC "INSERT DATA { <http://x/s%u> <" P "> %s ; a <c:%s> } ; INSERT { GRAPH "
                       "<g:%u> { <http://x/s%u> <" P "> ?v } } WHERE { <http://x/s%u> <" P "> ?v }",
                   to, vector, pick(w, 2) ? "half" : "few", 1 + pick(w, 2), pick(w, BASE), to);
    w->next++;
  } else if (kind < 8) {
    (void)snprintf(request, sizeof(request), "DELETE WHERE { <http://x/s%u> <" P "> ?v }", to);
  } else if (kind < 9) {
    (void)snprintf(request, sizeof(request), "COPY SILENT <g:%u> TO <g:%u>", 1 + pick(w, 2),
                   1 + pick(w, 2));
  } else {
    (void)snprintf(request, sizeof(request), "CLEAR SILENT GRAPH <g:%u>", 1 + pick(w, 2));
  }
  change(w, request);
}

static void
begin_world(world *w, fixture *f)
{
  const char *given = getenv("QUOIN_SEED");
  *w = (world){.store = f->store, .seed = given ? strtoull(given, NULL, 10) : 3, .next = BASE};
  declare(w->store);
  add_many(w->store, 0, BASE);
  change(w,
         "INSERT { ?s a <c:half> } WHERE { ?s <" P "> ?v FILTER(REGEX(STR(?s), \"[02468]$\")) }");
  change(w, "INSERT { ?s a <c:few> } WHERE { ?s <" P "> ?v FILTER(REGEX(STR(?s), \"77$\")) }");
  change(w, "INSERT { GRAPH <g:1> { ?s <" P "> ?v } } WHERE { ?s <" P "> ?v ; a <c:few> }");
  settle(w->store);
}

static void
test_vector_txn__answers_are_those_of_the_functions(void **state)
{
  world w;
  quoin_error err = QUOIN_ERROR_INIT;
  begin_world(&w, *state);
  for (int round = 0; round < 4; round++) {
    answer before, after;
    static const char all[] = VEC "SELECT ?s ?d ?g WHERE { (?s ?d) vec:nearest (<" P
                                  "> <http://x/s1> 20 vec:exact true) } ORDER BY ?d ?s";
    change(&w, "INSERT DATA { <http://x/any> <p:> 1 }");
    char keep[700], vector[600];
    vector_text(vector, sizeof(vector), 1);
    (void)snprintf(keep, sizeof(keep), VEC "INSERT DATA { <http://x/s1> <" P "> %s }", vector);
    change(&w, keep);
    ask(&before, &w, all);
    good(quoin_txn_begin(&w.txn, w.store, &err), &err);
    for (int i = 0; i < 12; i++) {
      step(&w);
      compare_some(&w);
    }
    const bool commit = pick(&w, 2);
    if (commit)
      good(quoin_txn_commit(NULL, NULL, w.txn, &err), &err);
    else
      quoin_txn_abort(w.txn);
    w.txn = NULL;
    if (commit) {
      compare_some(&w);
      continue;
    }
    ask(&after, &w, all);
    assert_memory_equal(&before, &after, sizeof(before)); /* an abort leaves nothing */
  }
  print_message("seed %s: %zu of %zu\n", getenv("QUOIN_SEED") ? getenv("QUOIN_SEED") : "3", w.found,
                w.there);
  assert_true((double)w.found >= 0.95 * (double)w.there);
}

/* What one operation of a request writes the next one finds, and a resource that is new. */
static void
test_vector_txn__a_request_of_several_operations(void **state)
{
  world w;
  answer near;
  char request[2500], vector[600];
  begin_world(&w, *state);
  vector_text(vector, sizeof(vector), 5);
  (void)snprintf(request, sizeof(request),
                 VEC "INSERT DATA { <n:1> <" P "> %s . <n:2> <" P "> %s } ; "
                     "INSERT { ?x <p:near> ?d } WHERE { (?x ?d) vec:nearest (<" P "> <n:1> 5) } ; "
                     "DELETE WHERE { <n:2> <" P "> ?v } ; "
                     "INSERT { ?x <p:after> ?d } WHERE { (?x ?d) vec:nearest (<" P "> <n:1> 5) }",
                 vector, vector);
  change(&w, request);
  ask(&near, &w, "SELECT ?x ?d ?none WHERE { ?x <p:near> ?d } ORDER BY ?d ?x");
  assert_int_equal(near.n, 5);
  for (size_t i = 0; i < 3; i++) { /* the new ones, and the one that has the vector, too */
    assert_true(near.row[i].distance < 1e-9);
    assert_true(!strcmp(near.row[i].name, "http://x/s5") || !strncmp(near.row[i].name, "n:", 2));
  }
  ask(&near, &w, "SELECT ?x ?d ?none WHERE { ?x <p:after> ?d } ORDER BY ?d ?x");
  assert_int_equal(near.n, 5);
  for (size_t i = 0; i < near.n; i++)
    assert_string_not_equal(near.row[i].name, "n:2");
  assert_true(near.row[1].distance < 1e-9 && near.row[2].distance > 1e-9);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_vector_txn__answers_are_those_of_the_functions, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_vector_txn__a_request_of_several_operations, setup,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
