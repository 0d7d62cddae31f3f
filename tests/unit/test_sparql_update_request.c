/* SPARQL Update: what holds of a request as a whole. All or nothing, operations that see those
 * before them (compared with the same operations one request each), writers beside it, limits. */
#include "sparql_update_world.h"

/* ---- operations see those before them
 * ------------------------------------------------------------ */

static char *
dump(world *w)
{
  answer a = world_run(w, ALL, NULL);
  assert_int_equal(a.status, QUOIN_OK);
  if (a.n) qsort(a.rows, a.n, sizeof(char *), answer_compare);
  char *text = answer_text(&a);
  answer_free(&a);
  return text;
}

/* The operations as one request, and as one request each on another store: the same quads. In the
 * first, new terms have local ids and new quads are in runs of the transaction. */
static void
expect_same_in_parts(const char *const *operations, size_t n, bool plain, int line)
{
  const sparql_update_options options = {.plain = plain};
  world whole, parts;
  base_buffer text;
  quoin_error err = QUOIN_ERROR_INIT;
  world_open(&whole, "");
  world_open(&parts, "");
  base_buffer_init(&text, base_alloc_default());
  for (size_t i = 0; i < n; i++) {
    base_buffer_text(&text, i ? " ;\n" : "");
    base_buffer_text(&text, operations[i]);
    if (run(NULL, &parts, operations[i], &options, &err))
      fail_msg("line %d: %s\n%s", line, operations[i], err.message);
  }
  base_buffer_byte(&text, '\0');
  if (run(NULL, &whole, text.data, &options, &err))
    fail_msg("line %d: %s\n%s", line, text.data, err.message);
  char *a = dump(&whole), *b = dump(&parts);
  if (strcmp(a, b)) fail_msg("line %d: %s\nas one:\n%sone by one:\n%s", line, text.data, a, b);
  free(a);
  free(b);
  base_buffer_clear(&text);
  world_close(&whole);
  world_close(&parts);
}

static void
test_request__terms_that_are_new(void **state)
{
  static const char *const operations[] = {
      "INSERT DATA { :old :knows :older . :older :n 1.00000000000000000001 }",
      "INSERT DATA { :new :knows :newer . :newer :knows :old ; :n 5.00000000000000000001 ; "
      "  :t \"text\" , \"T\"@en , \"2\"^^:type . _:b :knows :new . GRAPH :ng { :new :in _:c } }",
      "INSERT { :r01 :is ?x } WHERE { :new :knows+ ?x }",
      "INSERT { :r02 :is ?x } WHERE { ?x :knows/:knows :newer }",
      "INSERT { :r03 :is ?x } WHERE { ?x (:knows|^:knows)* :newer }",
      "INSERT { :r04 :is ?x } WHERE { ?x :n ?n FILTER(?n > 4 && ?n < 6) }",
      "INSERT { :r05 :is ?l } WHERE { :newer :t ?l FILTER(STRLEN(STR(?l)) = 1) }",
      "INSERT { :r06 :is ?s } WHERE { GRAPH :ng { ?s :in ?o } }",
      "INSERT { :r07 :is ?g } WHERE { GRAPH ?g { ?s :in ?o FILTER(isBlank(?o)) } }",
      "WITH :ng INSERT { :r08 :is ?s } WHERE { ?s :in ?o }",
      "INSERT { :r09 :is ?s } USING :ng WHERE { ?s :in ?o }",
      "INSERT { :r10 :is ?s } USING NAMED :ng WHERE { GRAPH ?g { ?s :in+ ?o } }",
      "INSERT { :r11 :is ?s } WHERE { ?s :knows :newer FILTER EXISTS { ?s :knows ?o } }",
      "INSERT { :r12 :is ?s } WHERE { VALUES ?s { :new :nowhere } ?s :knows ?o }",
      "INSERT { :r13 :is ?n } WHERE { SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s :knows ?o } }",
      "INSERT { :r14 :is ?x } WHERE { :newer :t ?x FILTER(?x = CONCAT(\"te\", \"xt\")) }",
      "INSERT { :r15 :is ?x } WHERE { ?s :knows ?x MINUS { ?x :n ?y } }",
      "INSERT { :r16 :is ?i } WHERE { ?s :knows ?x BIND(IRI(CONCAT(STR(?x), \"/i\")) AS ?i) }",
      "INSERT { ?i :was ?x } WHERE { ?s :knows ?x BIND(IRI(CONCAT(STR(?x), \"/i\")) AS ?i) "
      "  :r16 :is ?i }",
      "INSERT { :r17 :is ?m } WHERE { SELECT (MAX(?n) AS ?m) { ?s :n ?n } }",
      "INSERT { :r18 :is ?x } WHERE { { SELECT ?x { ?s :knows ?x } ORDER BY DESC(?x) LIMIT 1 } }",
      "INSERT { :r19 :is ?x } WHERE { ?s :knows ?x OPTIONAL { ?x :knows ?y } FILTER(!BOUND(?y)) }",
      "DELETE { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(?o = :newer) }",
      "DELETE WHERE { GRAPH ?g { :new ?p ?o } }",
      "INSERT { :r20 :is ?p } WHERE { ?s ?p ?o }",
  };
  (void)state;
  for (int plain = 0; plain < 2; plain++)
    expect_same_in_parts(operations, sizeof(operations) / sizeof(*operations), plain, __LINE__);
}

static uint64_t
random_next(uint64_t *seed)
{
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

/* An operation over a handful of nodes, predicates, graphs and literals, some of them new. */
static void
random_operation(char out[300], uint64_t *seed)
{
  static const char *const templates[] = {
      "INSERT DATA { :n%u :p%u :n%u GRAPH :g%u { :n%u :p%u %u.00000000000000000001 } }",
      "DELETE DATA { :n%u :p%u :n%u GRAPH :g%u { :n%u :p%u %u.00000000000000000001 } }",
      "INSERT { ?x :p%u ?z } WHERE { ?x :p%u ?y . ?y :p%u ?z }",
      "DELETE { ?x :p%u ?y } INSERT { ?y :p%u ?x } WHERE { ?x :p%u ?y }",
      "WITH :g%u DELETE { ?x :p%u ?y } INSERT { GRAPH :g%u { ?x :p%u ?y } } WHERE { ?x ?p ?y }",
      "COPY SILENT :g%u TO :g%u",
      "MOVE SILENT :g%u TO :g%u",
      "ADD SILENT :g%u TO DEFAULT",
      "CLEAR GRAPH :g%u",
      "INSERT { ?y :p%u ?x } WHERE { :n%u (:p%u|:p%u)+ ?x . ?y :p%u :n%u }",
      "DELETE { ?x ?p ?y } WHERE { GRAPH :g%u { ?x :p%u ?o } ?x ?p ?y FILTER(?p != :p%u) }",
      "INSERT { GRAPH ?g { ?o :p%u ?g } } WHERE { GRAPH ?g { ?s :p%u ?l } ?s :p%u ?o "
      "  FILTER(?l > %u) }",
      "DELETE WHERE { GRAPH ?g { ?s :p%u ?o } ?s :p%u ?x }",
      "INSERT { GRAPH :g%u { ?s :p%u ?n } } WHERE { SELECT ?s (COUNT(*) AS ?n) "
      "  { ?s :p%u ?o } GROUP BY ?s }",
  };
  const char *chosen = templates[random_next(seed) % (sizeof(templates) / sizeof(*templates))];
  size_t n = 0;
  for (; *chosen && n < 290; chosen++) {
    if (chosen[0] == '%' && chosen[1] == 'u') {
      out[n++] = (char)('0' + random_next(seed) % 5);
      chosen++;
    } else {
      out[n++] = *chosen;
    }
  }
  assert_true(n < 290);
  out[n] = '\0';
}

static void
test_request__random_operations(void **state)
{
  enum { ROUNDS = 40, MOST = 24 };
  const char *given = getenv("QUOIN_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 0) : 20260601;
  (void)state;
  for (int round = 0; round < ROUNDS; round++) {
    static char texts[MOST][300];
    const char *operations[MOST];
    size_t n = 2 + random_next(&seed) % (MOST - 1);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < n; i++) {
      random_operation(texts[i], &seed);
      operations[i] = texts[i];
    }
    expect_same_in_parts(operations, n, round % 2, __LINE__);
  }
}

/* ---- all or nothing
 * ------------------------------------------------------------------------------ */

static void
test_request__nothing_of_it_when_one_fails(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :p 1 GRAPH :g { :a :p 2 } }", 2, 0);
  char *before = dump(w);
  uint64_t terms = atom_store_terms(quad_store_atoms(w->store));
  uint64_t version = quad_snapshot_version(w->snapshot);
  FAILS(w, "INSERT DATA { :x :y :z, _:b } ; CLEAR GRAPH :g ; CREATE GRAPH :none ; COPY :no TO :g",
        QUOIN_ERR_NOT_FOUND, "/no>");
  FAILS(w,
        "DELETE WHERE { ?s ?p ?o } ; INSERT { ?s :q \"new\" } WHERE { GRAPH :g { ?s ?p ?o } } ;"
        "\nLOAD <file:///none.nt>",
        QUOIN_ERR_ARGUMENT, "--allow-load");
  FAILS(w,
        "CLEAR ALL ; INSERT DATA { :a :p 1 } ; INSERT { :s vec:nearest :o } WHERE { "
        "(?p ?d) vec:nearest (:e ?q 10) }",
        QUOIN_ERR_NOT_FOUND, "no vector index");
  FAILS(w, "CLEAR ALL ; INSERT DATA { :a :p }", QUOIN_ERR_SYNTAX, "expected");
  char *after = dump(w);
  assert_string_equal(before, after);
  assert_int_equal(atom_store_terms(quad_store_atoms(w->store)), terms);
  assert_int_equal(quad_snapshot_version(w->snapshot), version);
  free(before);
  free(after);
}

static void
test_request__failures_have_a_place(void **state)
{
  world *w = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  assert_int_equal(run(NULL, w, "CLEAR ALL ;\n CLEAR ALL ;\n  COPY :no TO :g", NULL, &err),
                   QUOIN_ERR_NOT_FOUND);
  assert_int_equal(err.line, 3);
  assert_int_equal(err.column, 3);
}

static void
test_request__limits(void **state)
{
  world *w = *state;
  atomic_int cancel;
  const sparql_update_options late = {.timeout_ms = 30}, small = {.memory_bytes = 100000},
                              stopped = {.cancel = &cancel};
  atomic_init(&cancel, 1);
  UPDATE(w,
         "INSERT { ?a :p ?b, ?c } WHERE { VALUES ?a { :a :b :c :d :e :f :g } "
         "VALUES ?b { 1 2 3 4 5 6 7 8 9 } VALUES ?c { 10 20 30 40 50 60 70 80 90 } }",
         126, 0);
#define SLOW                                                                                       \
  "INSERT DATA { :x :y :z } ; INSERT { ?a :q ?n } WHERE { ?a :p ?b . ?c :p ?d . ?e :p ?f . "       \
  "?g :p ?h . ?i :p ?j BIND(STRLEN(CONCAT(STR(?b), STR(?d), STR(?f), STR(?h), STR(?j))) AS ?n) }"
  expect_failure(w, SLOW, &late, QUOIN_ERR_TIMEOUT, "", __LINE__);
  expect_failure(w,
                 "INSERT { ?a :q ?n } WHERE { SELECT (GROUP_CONCAT(?b) AS ?n) "
                 "{ ?a :p ?b . ?c :p ?d . ?e :p ?f } }",
                 &small, QUOIN_ERR_LIMIT, "", __LINE__);
  expect_failure(w, "INSERT DATA { :x :y :z }", &stopped, QUOIN_ERR_CANCELLED, "", __LINE__);
  EXPECT(w, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "126\n");
}

/* ---- beside others
 * ------------------------------------------------------------------------------- */

enum { THREADS = 4, INCREMENTS = 25 };

static void *
increment(void *user)
{
  world *w = user;
  static const char text[] = PROLOGUE "DELETE { :c :n ?n } INSERT { :c :n ?m ; :made ?e } WHERE "
                                      "{ :c :n ?n BIND(?n + 1 AS ?m) "
                                      "BIND(IRI(CONCAT(\"http://x/e\", STR(?n))) AS ?e) }";
  for (int i = 0; i < INCREMENTS; i++) {
    sparql_update_result got;
    if (sparql_update_run(&got, w->store, base_span(text), NULL, base_alloc_default(), NULL) ||
        got.added != 2 || got.removed != 1)
      return w;
  }
  return NULL;
}

typedef struct waiting_update {
  world *w;
  const sparql_update_options *options;
  quoin_status status;
} waiting_update;

static void *
wait_for_writer(void *user)
{
  waiting_update *u = user;
  u->status = sparql_update_run(NULL, u->w->store, base_span("CLEAR ALL"), u->options,
                                base_alloc_default(), NULL);
  return NULL;
}

static void
test_request__writers_wait_for_each_other(void **state)
{
  world *w = *state;
  pthread_t threads[THREADS];
  UPDATE(w, "INSERT DATA { :c :n 0 }", 1, 0);
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, increment, w), 0);
  for (size_t i = 0; i < THREADS; i++) {
    void *failed;
    assert_int_equal(pthread_join(threads[i], &failed), 0);
    assert_null(failed);
  }
  refresh(w);
  EXPECT(w, "SELECT ?n (COUNT(?e) AS ?k) { :c :n ?n ; :made ?e } GROUP BY ?n", "100 100\n");
}

/* Another writer is at work for longer than this one may wait. */
static void
test_request__waits_no_longer_than_its_timeout(void **state)
{
  world *w = *state;
  const sparql_update_options late = {.timeout_ms = 60};
  waiting_update waiting = {.w = w, .options = &late};
  pthread_t thread;
  quad_txn *txn;
  quoin_error err = QUOIN_ERROR_INIT;
  UPDATE(w, "INSERT DATA { :c :n 0 }", 1, 0);
  assert_int_equal(quad_txn_begin_writer(&txn, w->store, NULL, &err), QUOIN_OK);
  uint64_t start = base_clock_ns();
  assert_int_equal(pthread_create(&thread, NULL, wait_for_writer, &waiting), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  uint64_t waited = (base_clock_ns() - start) / 1000000;
  quad_txn_abort(txn);
  assert_int_equal(waiting.status, QUOIN_ERR_TIMEOUT);
  assert_true(waited >= 55 && waited < 1000);
  UPDATE(w, "INSERT DATA { :c :n 1 }", 1, 0);
}

static void
test_request__a_transaction_conflicts_with_it(void **state)
{
  world *w = *state;
  quad_txn *txn;
  quoin_error err = QUOIN_ERROR_INIT;
  rdf_term terms[4] = {{.kind = RDF_IRI, .value = base_span("http://x/a")},
                       {.kind = RDF_IRI, .value = base_span("http://x/p")},
                       {.kind = RDF_IRI, .value = base_span("http://x/b")}};
  UPDATE(w, "INSERT DATA { :a :p :b }", 1, 0);
  assert_int_equal(quad_txn_begin(&txn, w->store, &err), QUOIN_OK);
  assert_int_equal(quad_txn_remove(txn, terms, &err), QUOIN_OK);
  /* The update does not wait for it, and wins. */
  UPDATE(w, "DELETE { ?s :p ?o } INSERT { ?s :p :c } WHERE { ?s :p ?o }", 1, 1);
  assert_int_equal(quad_txn_commit(NULL, NULL, txn, &err), QUOIN_ERR_CONFLICT);
  EXPECT(w, "SELECT ?o { :a :p ?o }", ":c\n");
}

static void
test_request__a_reader_keeps_its_snapshot(void **state)
{
  world *w = *state;
  UPDATE(w, "INSERT DATA { :a :p 1 , 2 GRAPH :g { :a :p 3 } }", 3, 0);
  quad_snapshot *old = quad_snapshot_retain(w->snapshot);
  UPDATE(w, "CLEAR ALL ; INSERT DATA { :a :p 4 }", 1, 3);
  quad_snapshot *now = w->snapshot;
  w->snapshot = old;
  EXPECT(w, ALL, "- :a :p 1\n- :a :p 2\n:g :a :p 3\n");
  w->snapshot = now;
  quad_snapshot_release(old);
}

/* ---- memory
 * -------------------------------------------------------------------------------------- */

typedef struct failing {
  uint64_t left;
  int64_t bytes;
} failing;

static void *
failing_allocate(void *user, size_t size)
{
  failing *f = user;
  if (f->left == 0) return NULL;
  f->left--;
  f->bytes += (int64_t)size;
  return malloc(size ? size : 1);
}

static void *
failing_resize(void *user, void *ptr, size_t old_size, size_t new_size)
{
  failing *f = user;
  if (f->left == 0) return NULL;
  f->left--;
  f->bytes += (int64_t)new_size - (int64_t)old_size;
  return realloc(ptr, new_size ? new_size : 1);
}

static void
failing_release(void *user, void *ptr, size_t size)
{
  failing *f = user;
  if (ptr) f->bytes -= (int64_t)size;
  free(ptr);
}

/* Each allocation of a request fails once: a clean status, nothing changed, nothing leaked. */
static void
test_request__out_of_memory(void **state)
{
  world *w = *state;
  static const char text[] = PROLOGUE
      "INSERT DATA { :x :y _:b GRAPH :h { :x :y \"z\" } } ; COPY :g TO :k ; "
      "DELETE { ?s :p ?o } INSERT { ?s :q ?o ; :r [ :of ?s ] } WHERE { ?s :p ?o } ; CLEAR GRAPH :g";
  UPDATE(w, "INSERT DATA { :a :p 1 , 2 GRAPH :g { :a :p 3 } }", 3, 0);
  char *before = dump(w);
  failing f = {0};
  const base_alloc mem = {failing_allocate, failing_resize, failing_release, &f};
  quoin_status st = QUOIN_ERR_NOMEM;
  for (uint64_t i = 0; st; i++) {
    sparql_update_result got;
    f = (failing){.left = i};
    st = sparql_update_run(&got, w->store, base_span(text), NULL, &mem, NULL);
    assert_int_equal(f.bytes, 0);
    if (!st) break;
    assert_int_equal(st, QUOIN_ERR_NOMEM);
    refresh(w);
    char *after = dump(w);
    assert_string_equal(before, after);
    free(after);
    if (i > 20) i += 2; /* a third of the later ones: each attempt costs a transaction */
  }
  refresh(w);
  EXPECT(w, "SELECT ?g ?o { GRAPH ?g { ?s ?p ?o } }", ":h \"z\"\n:k 3\n");
  free(before);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_request__##name, open_empty, close_world)
      cmocka_unit_test(test_request__terms_that_are_new),
      cmocka_unit_test(test_request__random_operations),
      TEST(nothing_of_it_when_one_fails),
      TEST(failures_have_a_place),
      TEST(limits),
      TEST(writers_wait_for_each_other),
      TEST(waits_no_longer_than_its_timeout),
      TEST(a_transaction_conflicts_with_it),
      TEST(a_reader_keeps_its_snapshot),
      TEST(out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
