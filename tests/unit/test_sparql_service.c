/* SERVICE, with an endpoint of this process: what is sent, what is joined, what goes wrong. */
#include "sparql_query_world.h"

#include "support/sparql_endpoint.h"

#include <pthread.h>

static const char LOCAL[] = ":a :p :x . :b :p :y . :c :p :z . _:n :p :blank . :a :label \"Ay\" ."
                            ":x :n 1 . :y :n 2 . ";
static const char REMOTE[] = ":a :q 1 . :b :q 2 . :b :q 3 . :d :q 4 . _:m :q 5 . _:m :r _:k . "
                             ":z :w \"long\"@en . ";

typedef struct fixture {
  world local, remote;
  http_endpoint *endpoint;
  char services[200], root[64];
  pthread_mutex_t lock;
  unsigned requests;
  char last[65536]; /* body of the last request */
} fixture;

static void
note(fixture *f, const endpoint_request *request)
{
  pthread_mutex_lock(&f->lock);
  f->requests++;
  snprintf(f->last, sizeof(f->last), "%s", request->body);
  pthread_mutex_unlock(&f->lock);
}

static bool
path_is(const endpoint_request *request, const char *path)
{
  return strcmp(request->path, path) == 0;
}

#define JSON "application/sparql-results+json"
#define ROW                                                                                        \
  "{\"s\":{\"type\":\"uri\",\"value\":\"http://x/a\"},"                                            \
  "\"o\":{\"type\":\"uri\",\"value\":\"http://x/o\"},"                                             \
  "\"p\":{\"type\":\"uri\",\"value\":\"http://x/p\"}}"

/* The misbehaviours, by path. */
static bool
misbehave(endpoint_response *r, const endpoint_request *request, const fixture *f)
{
  static const char row[] = ROW ",";
  if (path_is(request, "/500")) {
    endpoint_body(r, "text/plain", "it broke\n\tbadly");
    r->status = 500;
  } else if (path_is(request, "/html")) {
    endpoint_body(r, "text/html; charset=utf-8", "<html>hello</html>");
  } else if (path_is(request, "/cut")) {
    endpoint_body(r, JSON, "{\"results\":{\"bindings\":[" ROW);
  } else if (path_is(request, "/short")) {
    endpoint_body(r, JSON, "{\"results\":{\"bindings\":[" ROW "]}}");
    r->announced = r->body_len + 100;
  } else if (path_is(request, "/unbound")) {
    endpoint_body(r, JSON, "{\"results\":{\"bindings\":[{}]}}");
  } else if (path_is(request, "/empty")) {
    endpoint_body(r, JSON, "");
  } else if (path_is(request, "/drop")) {
    r->drop = true;
  } else if (path_is(request, "/sleep")) {
    endpoint_body(r, JSON, "{\"results\":{\"bindings\":[]}}");
    r->pause_ms = 5000;
  } else if (path_is(request, "/drip")) {
    endpoint_body(r, JSON, "{\"results\":{\"bindings\":[            ]}}");
    r->slow_bytes = 1;
    r->slow_ms = 400;
  } else if (path_is(request, "/rows")) { /* without end */
    r->type = JSON;
    r->body = malloc(sizeof(row) * 100 + 100);
    assert_non_null(r->body);
    r->body_len = (size_t)sprintf(r->body, "{\"results\":{\"bindings\":[");
    r->endless = true; /* the second round is bad JSON, but rows came before */
    for (int i = 0; i < 100; i++)
      r->body_len += (size_t)sprintf(r->body + r->body_len, "%s", row);
  } else if (path_is(request, "/flood")) { /* one value without end */
    endpoint_body(r, JSON, "{\"results\":{\"bindings\":[{\"s\":{\"type\":\"uri\",\"value\":\"");
    r->body = realloc(r->body, 100000);
    assert_non_null(r->body);
    memset(r->body + r->body_len, 'x', 100000 - r->body_len);
    r->body_len = 100000;
    for (size_t i = 0; i < r->body_len; i++)
      if (i > 60 && r->body[i] == '"') r->body[i] = 'x';
    r->endless = true;
  } else if (path_is(request, "/many")) {
    r->type = JSON;
    r->body = malloc(200000 * sizeof(row) + 100);
    assert_non_null(r->body);
    r->body_len = (size_t)sprintf(r->body, "{\"results\":{\"bindings\":[");
    for (int i = 0; i < 200000; i++) {
      memcpy(r->body + r->body_len, row, sizeof(row));
      r->body_len += sizeof(row) - 1;
    }
    r->body_len--; /* the last comma */
    r->body_len += (size_t)sprintf(r->body + r->body_len, "]}}");
  } else if (path_is(request, "/moved")) {
    static char to[100];
    snprintf(to, sizeof(to), "%sxml", f->root);
    r->status = 307;
    r->location = to;
  } else if (path_is(request, "/away")) {
    r->status = 302;
    r->location = "http://localhost:1/";
  } else if (path_is(request, "/loop")) {
    r->status = 308;
    r->location = "/loop";
  } else if (path_is(request, "/form") &&
             strcmp(request->type, "application/x-www-form-urlencoded") != 0) {
    endpoint_body(r, "text/plain", "forms only");
    r->status = 415;
  } else {
    return false;
  }
  return true;
}

static void
handle(void *user, const endpoint_request *request, endpoint_response *response)
{
  fixture *f = user;
  note(f, request);
  if (misbehave(response, request, f)) return;
  sparql_endpoint_answer(response, request, f->remote.store, path_is(request, "/xml"), f->services);
}

static int
setup(void **state)
{
  fixture *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  pthread_mutex_init(&f->lock, NULL);
  world_open(&f->local, LOCAL);
  world_open(&f->remote, REMOTE);
  f->endpoint = http_endpoint_start(handle, f);
  snprintf(f->root, sizeof(f->root), "http://127.0.0.1:%u/", http_endpoint_port(f->endpoint));
  snprintf(f->services, sizeof(f->services), "http://nowhere.invalid/ %s", f->root);
  *state = f;
  return 0;
}

static int
teardown(void **state)
{
  fixture *f = *state;
  http_endpoint_stop(f->endpoint);
  world_close(&f->local);
  world_close(&f->remote);
  pthread_mutex_destroy(&f->lock);
  free(f);
  return 0;
}

/* `query` with each "@" replaced by the root of the endpoint. */
static char *
with_root(const fixture *f, const char *query)
{
  char *text = malloc(strlen(query) * 40 + 1);
  assert_non_null(text);
  size_t n = 0;
  for (; *query; query++)
    if (*query == '@')
      n += (size_t)sprintf(text + n, "%s", f->root);
    else
      text[n++] = *query;
  text[n] = '\0';
  return text;
}

static void
expect_rows(fixture *f, const char *query, const char *expected, int line)
{
  const sparql_run_options options = {.services = f->services, .timeout_ms = 20000};
  char *text = with_root(f, query);
  f->requests = 0;
  world_expect(&f->local, text, &options, false, expected, __FILE__, line);
  free(text);
}

static void
expect_failure(fixture *f, const char *query, const sparql_run_options *options,
               quoin_status status, const char *message, int line)
{
  sparql_run_options run = options ? *options : (sparql_run_options){0};
  char *text = with_root(f, query);
  run.services = f->services;
  if (!run.timeout_ms) run.timeout_ms = 20000;
  world_expect_status(&f->local, text, &run, status, message, __FILE__, line);
  free(text);
}

#define ROWS(query, expected) expect_rows(f, query, expected, __LINE__)
#define FAILS(query, status, message) expect_failure(f, query, NULL, status, message, __LINE__)

/* ---- joins ------------------------------------------------------------------------------------
 */

static void
test_service__joins(void **state)
{
  fixture *f = *state;
  ROWS("SELECT ?s ?o { SERVICE <@json> { ?s :q ?o } }", ":a 1\n:b 2\n:b 3\n:d 4\n_: 5\n");
  ROWS("SELECT ?s ?x ?o { ?s :p ?x SERVICE <@json> { ?s :q ?o } }", ":a :x 1\n:b :y 2\n:b :y 3\n");
  ROWS("SELECT ?s ?x ?o { SERVICE <@xml> { ?s :q ?o } ?s :p ?x }", ":a :x 1\n:b :y 2\n:b :y 3\n");
  ROWS("SELECT ?s ?o { ?s :p ?x OPTIONAL { SERVICE <@xml> { ?s :q ?o } } }",
       ":a 1\n:b 2\n:b 3\n:c -\n_: -\n");
  ROWS(
      "SELECT ?s ?o { ?s :p ?x OPTIONAL { ?x :n ?n SERVICE <@xml> { ?s :q ?o } FILTER(?o > ?n) } }",
      ":a -\n:b 3\n:c -\n_: -\n");
  ROWS("SELECT ?s { ?s :p ?x MINUS { SERVICE <@json> { ?s :q ?o } } }", ":c\n_:\n");
  ROWS("SELECT ?s { ?s :p ?x FILTER EXISTS { SERVICE <@json> { ?s :q ?o } } }", ":a\n:b\n");
  ROWS("SELECT ?s ?o { { ?s :p ?o } UNION { SERVICE <@json> { ?s :q ?o } } FILTER(?s = :a) }",
       ":a 1\n:a :x\n");
  ROWS("SELECT ?s ?o ?w { ?s :p ?x SERVICE <@json> { ?s :q ?o } SERVICE <@xml> { ?x :w ?w } }", "");
  ROWS("SELECT ?s ?w { ?s :p ?x SERVICE <@json> { ?x :w ?w } }", ":c \"long\"@en\n");
  ROWS("SELECT ?x (COUNT(*) AS ?n) { ?x :label ?l SERVICE <@json> { ?s :q ?o } } GROUP BY ?x",
       ":a 5\n");
  ROWS("ASK { SERVICE <@json> { :a :q 1 } }", "yes\n");
  ROWS("ASK { SERVICE <@json> { :a :q 2 } }", "");
  ROWS("SELECT ?n { ?s :label ?l . SERVICE <@json> { SELECT (COUNT(*) AS ?n) { ?s :q ?o } } }",
       "5\n");
  ROWS("SELECT ?s ?o { VALUES ?s { :a UNDEF } SERVICE <@json> { ?s :q ?o } FILTER(?o < 3) }",
       ":a 1\n:a 1\n:b 2\n");
}

static void
test_service__sends_keys(void **state)
{
  fixture *f = *state;
  const sparql_run_options options = {.services = f->services};
  char *text = with_root(f, "SELECT * { ?s :p ?x SERVICE <@json> { ?s :q ?o } }");
  f->requests = 0;
  answer a = world_run(&f->local, text, &options);
  assert_int_equal(a.status, QUOIN_OK);
  assert_int_equal(f->requests, 1);
  assert_non_null(strstr(f->last, "PREFIX : <http://x/>\n"));
  assert_null(strstr(f->last, "xsd"));
  assert_non_null(strstr(f->last, "VALUES (?s) {\n"));
  assert_non_null(strstr(f->last, "(<http://x/a>)\n"));
  assert_non_null(strstr(f->last, "(<http://x/c>)\n"));
  assert_null(strstr(f->last, "_:"));
  assert_null(strstr(f->last, "UNDEF"));
  answer_free(&a);
  free(text);
}

/* Base and prefixes of the query hold in the text that is sent. */
static void
test_service__prologue(void **state)
{
  fixture *f = *state;
  ROWS("BASE <http://x/> PREFIX y: <http://x/> SELECT ?o { SERVICE <@json> { <b> y:q ?o } }",
       "2\n3\n");
}

static void
test_service__blank_nodes(void **state)
{
  fixture *f = *state;
  /* The same within a response, another in the next, none of ours. */
  ROWS("SELECT ?s ?k { SERVICE <@json> { ?s :r ?k . ?s :q 5 } }", "_: _:\n");
  ROWS("SELECT ?s ?o { SERVICE <@json> { ?s :q ?o . ?s :r ?k } SERVICE <@json> { ?s :r ?j } }", "");
  ROWS("SELECT ?o ?x { SERVICE <@json> { ?s :q ?o } ?s :p ?x FILTER isBlank(?s) }", "");
  ROWS("SELECT ?o ?j { SERVICE <@json> { ?s :q ?o . ?s :r ?j } FILTER(sameTerm(?s, ?s)) }",
       "5 _:\n");
}

static void
test_service__variable_addresses(void **state)
{
  fixture *f = *state;
  ROWS("SELECT ?t ?s { VALUES (?g ?t) { (<@json> 1) (<@xml> 2) (<@json> 3) } SERVICE ?g { ?s :q 1 "
       "} }",
       "1 :a\n2 :a\n3 :a\n");
  ROWS("SELECT ?t ?s { SERVICE ?g { ?s :q 1 } VALUES (?g ?t) { (<@json> 1) (<@xml> 2) } }",
       "1 :a\n2 :a\n");
  ROWS("SELECT ?t ?s { VALUES (?g ?t ?s) { (<@json> 1 :a) (<@xml> 2 :b) (<@500> 3 :c) } OPTIONAL { "
       "SERVICE SILENT ?g { ?s :q 1 } } }",
       "1 :a\n2 :b\n3 :c\n");
  FAILS("SELECT * { SERVICE ?g { ?s :q 1 } }", QUOIN_ERR_ARGUMENT, "nothing in its group binds");
  FAILS("SELECT * { VALUES ?g { UNDEF <@json> } SERVICE ?g { ?s :q 1 } }", QUOIN_ERR_ARGUMENT,
        "no value");
  FAILS("SELECT * { VALUES ?g { 1 } SERVICE ?g { ?s :q 1 } }", QUOIN_ERR_ARGUMENT, "no IRI");
  FAILS("SELECT * { VALUES ?g { <http://else/> } SERVICE ?g { ?s :q 1 } }", QUOIN_ERR_ARGUMENT,
        "--allow-service");
}

/* More keys than one request takes. */
static void
test_service__batches(void **state)
{
  fixture *f = *state;
  base_buffer text;
  base_buffer_init(&text, base_alloc_default());
  base_buffer_text(&text, "SELECT (COUNT(*) AS ?n) (SUM(?o) AS ?t) { VALUES ?s {");
  for (int i = 0; i < 2000; i++)
    base_buffer_printf(&text, " %s", i % 100 ? ":no" : ":b");
  for (int i = 0; i < 2000; i++)
    base_buffer_printf(&text, " :k%d", i);
  base_buffer_text(&text, " } SERVICE <@json> { ?s :q ?o } }");
  base_buffer_byte(&text, '\0');
  ROWS(text.data, "40 100\n");
  base_buffer_clear(&text);
}

/* ---- what may be asked ------------------------------------------------------------------------
 */

static void
test_service__allowed(void **state)
{
  fixture *f = *state;
  static const struct {
    const char *services;
    bool good;
  } cases[] = {
      {NULL, false},
      {"", false},
      {"http://127.0.0.1/", false},
      {"https://127.0.0.1:%u/", false},
      {"http://127.0.0.1:%u/jso", true},
      {"http://127.0.0.1:%u", true},
      {"http://127.0.0.1:%u/json/", false},
      {"http://127.0.0.1:%u/a/../json", true},
      {"http://user@127.0.0.1:%u/", false},
      {"http://127.0.0.1:%u0/", false},
      {"no address  http://127.0.0.1:%u/", true},
      {"http://127.0.0.1:%u/json?x", false},
  };
  char *text = with_root(f, "SELECT ?s { SERVICE <@json> { ?s :q 1 } }");
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char list[200];
    const char *from = cases[i].services ? cases[i].services : "", *port = strchr(from, '%');
    int before = port ? (int)(port - from) : (int)strlen(from);
    snprintf(list, sizeof(list), "%.*s", before, from);
    if (port)
      snprintf(list, sizeof(list), "%.*s%u%s", before, from, http_endpoint_port(f->endpoint),
               port + 2);
    const sparql_run_options options = {.services = cases[i].services ? list : NULL};
    answer a = world_run(&f->local, text, &options);
    if ((a.status == QUOIN_OK) != cases[i].good ||
        (!cases[i].good && (!strstr(a.err.message, "--allow-service") || a.err.line != 1)))
      fail_msg("%s: status %d: %s", list, (int)a.status, a.err.message);
    answer_free(&a);
  }
  free(text);
}

static void
test_service__addresses(void **state)
{
  fixture *f = *state;
  static const char *const bad[] = {
      "SELECT * { SERVICE <file:///etc/passwd> { ?s ?p ?o } }",
      "SELECT * { SERVICE <ftp://nowhere.invalid/> { ?s ?p ?o } }",
      "SELECT * { SERVICE <urn:x> { ?s ?p ?o } }",
      "SELECT * { SERVICE <http://nowhere.invalid@evil.invalid/> { ?s ?p ?o } }",
      "SELECT * { SERVICE <http://nowhere.invalid.evil.invalid/> { ?s ?p ?o } }",
      "SELECT * { SERVICE <http://nowhere.invalid:81/> { ?s ?p ?o } }",
      "SELECT * { SERVICE <http://nowhere.invalid/%2e%2e/x> { ?s ?p ?o } }",
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    FAILS(bad[i], QUOIN_ERR_ARGUMENT, "SERVICE <");
}

/* ---- what goes wrong --------------------------------------------------------------------------
 */

static void
test_service__failures(void **state)
{
  fixture *f = *state;
  static const struct {
    const char *path, *message;
  } cases[] = {{"500", "HTTP status 500: it broke badly"},
               {"html", "content type text/html"},
               {"cut", "the text ends here"},
               {"short", ">: "},
               {"unbound", "without ?s"},
               {"empty", "answers with nothing"},
               {"drop", ">: "},
               {"away", "redirects to <http://localhost:1/>, which is not allowed"},
               {"loop", "again and again"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char query[200];
    snprintf(query, sizeof(query), "SELECT * { SERVICE <@%s> { ?s :q ?o } }", cases[i].path);
    FAILS(query, QUOIN_ERR_IO, cases[i].message);
    /* One empty solution, joined with the rest. */
    snprintf(query, sizeof(query), "SELECT ?x ?s { :a :p ?x SERVICE SILENT <@%s> { ?s :q ?o } }",
             cases[i].path);
    ROWS(query, ":x -\n");
    snprintf(query, sizeof(query),
             "SELECT ?s ?o { ?s :label ?l SERVICE SILENT <@%s> { ?s :q ?o } }", cases[i].path);
    ROWS(query, ":a -\n");
  }
  FAILS("SELECT * { SERVICE <@json> { ?s :q ?o FILTER(<http://x/unknown>(?o)) } }", QUOIN_ERR_IO,
        "HTTP status 400");
  FAILS("SELECT * { SERVICE <http://nowhere.invalid/x> { ?s :q ?o } }", QUOIN_ERR_IO,
        "SERVICE <http://nowhere.invalid/x>");
  ROWS("SELECT * { SERVICE SILENT <http://not.allowed.invalid/x> { ?s :q ?o } }", "- -\n");
  ROWS("SELECT ?s { SERVICE <@moved> { ?s :q 1 } }", ":a\n");
  ROWS("SELECT ?s { SERVICE <@form> { ?s :q 1 } }", ":a\n");
}

static double
now(void)
{
  return (double)base_clock_ns() / 1e9;
}

/* As in test_sparql_limits.c: 19 of 20 runs end soon after the deadline, none is far away. */
static void
test_service__deadline(void **state)
{
  fixture *f = *state;
  enum { RUNS = 20, TIMEOUT_MS = 100, SOON_MS = 200, LATE_MS = 2000 };
  static const char *const queries[] = {"SELECT * { SERVICE <@sleep> { ?s :q ?o } }",
                                        "SELECT * { SERVICE SILENT <@sleep> { ?s :q ?o } }",
                                        "SELECT * { SERVICE <@drip> { ?s :q ?o } }"};
  const sparql_run_options options = {.timeout_ms = TIMEOUT_MS};
  for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
    unsigned soon = 0;
    double worst = 0;
    for (unsigned i = 0; i < RUNS; i++) {
      double begin = now();
      expect_failure(f, queries[q], &options, QUOIN_ERR_TIMEOUT, "deadline", __LINE__);
      double ms = (now() - begin) * 1000;
      soon += ms <= SOON_MS;
      if (ms > worst) worst = ms;
    }
    print_message("%u of %u within %u ms, at most %.0f ms: %s\n", soon, (unsigned)RUNS,
                  (unsigned)SOON_MS, worst, queries[q]);
    if (getenv("QUOIN_STRICT_TIMES"))
      assert_true(soon >= RUNS - 1);
    else
      assert_true(worst <= LATE_MS);
  }
}

static void *
cancel_soon(void *flag)
{
  const struct timespec wait = {.tv_nsec = 100000000};
  nanosleep(&wait, NULL);
  atomic_store((atomic_int *)flag, 1);
  return NULL;
}

static void
test_service__cancel(void **state)
{
  fixture *f = *state;
  atomic_int flag = 0;
  pthread_t thread;
  const sparql_run_options options = {.cancel = &flag};
  double begin = now();
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &flag), 0);
  expect_failure(f, "SELECT * { SERVICE <@sleep> { ?s :q ?o } }", &options, QUOIN_ERR_CANCELLED,
                 "cancelled", __LINE__);
  assert_true(now() - begin < 2);
  pthread_join(thread, NULL);
}

static void
test_service__bounded(void **state)
{
  fixture *f = *state;
  const sparql_run_options small = {.memory_bytes = 1 << 20};
  expect_failure(f, "SELECT * { SERVICE <@flood> { ?s :q ?o } }", &small, QUOIN_ERR_LIMIT, "bytes",
                 __LINE__);
  expect_failure(f, "SELECT * { SERVICE SILENT <@flood> { ?s :q ?o } }", &small, QUOIN_ERR_LIMIT,
                 "bytes", __LINE__);
}

/* LIMIT leaves an endless response alone. */
static void
test_service__limit(void **state)
{
  fixture *f = *state;
  ROWS("SELECT ?s { SERVICE <@rows> { ?s ?p ?o } } LIMIT 2", ":a\n:a\n");
}

/* A long response passes through: memory does not grow with it. */
static void
test_service__streams(void **state)
{
  fixture *f = *state;
  const sparql_run_options small = {.memory_bytes = 2 << 20, .services = f->services};
  char *text = with_root(f, "SELECT (COUNT(*) AS ?n) { SERVICE <@many> { ?s :q ?o } }");
  answer a = world_run(&f->local, text, &small);
  if (a.status) fail_msg("%s", a.err.message);
  assert_int_equal(a.n, 1);
  assert_string_equal(a.rows[0], "200000");
  answer_free(&a);
  free(text);
}

static void
test_service__updates(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  sparql_update_result result;
  char *text =
      with_root(f, "PREFIX : <http://x/> INSERT { ?s :copy ?o } WHERE { ?s :p ?x . SERVICE "
                   "<@json> { ?s :q ?o } }");
  sparql_update_options options = {0};
  assert_int_equal(sparql_update_run(&result, f->local.store, base_span(text), &options,
                                     base_alloc_default(), &err),
                   QUOIN_ERR_ARGUMENT);
  options.services = f->services;
  if (sparql_update_run(&result, f->local.store, base_span(text), &options, base_alloc_default(),
                        &err))
    fail_msg("%s", err.message);
  assert_int_equal(result.added, 3);
  free(text);
}

static void
test_service__explain(void **state)
{
  fixture *f = *state;
  sparql_query *query;
  sparql_cursor *cursor;
  quoin_error err = QUOIN_ERROR_INIT;
  base_buffer out;
  char *text =
      with_root(f, "SELECT * { ?s <http://x/p> ?x SERVICE SILENT <@json> { ?s <http://x/q> ?o } }");
  const sparql_run_options options = {.services = f->services};
  f->requests = 0;
  base_buffer_init(&out, base_alloc_default());
  assert_int_equal(
      sparql_query_parse(&query, base_span(text), base_span(""), base_alloc_default(), &err),
      QUOIN_OK);
  assert_int_equal(
      sparql_cursor_open(&cursor, query, f->local.snapshot, &options, base_alloc_default(), &err),
      QUOIN_OK);
  assert_int_equal(sparql_cursor_explain(&out, cursor, &err), QUOIN_OK);
  base_buffer_byte(&out, '\0');
  assert_non_null(strstr(out.data, "service silent <http://127.0.0.1:"));
  assert_non_null(strstr(out.data, "takes ?s"));
  assert_int_equal(f->requests, 0);
  sparql_cursor_close(cursor);
  sparql_query_free(query);
  base_buffer_clear(&out);
  free(text);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_service__joins),
      cmocka_unit_test(test_service__sends_keys),
      cmocka_unit_test(test_service__prologue),
      cmocka_unit_test(test_service__blank_nodes),
      cmocka_unit_test(test_service__variable_addresses),
      cmocka_unit_test(test_service__batches),
      cmocka_unit_test(test_service__allowed),
      cmocka_unit_test(test_service__addresses),
      cmocka_unit_test(test_service__failures),
      cmocka_unit_test(test_service__deadline),
      cmocka_unit_test(test_service__cancel),
      cmocka_unit_test(test_service__bounded),
      cmocka_unit_test(test_service__limit),
      cmocka_unit_test(test_service__streams),
      cmocka_unit_test(test_service__explain),
      cmocka_unit_test(test_service__updates), /* last: it changes the store */
  };
  unsetenv("http_proxy"); /* the endpoint is here */
  unsetenv("all_proxy");
  unsetenv("ALL_PROXY");
  return cmocka_run_group_tests(tests, setup, teardown);
}
