/* The store through the public header: opening, closing, loading, patterns, dumps. */
#include "api/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static void
test_library__frees_take_null(void **state)
{
  (void)state;
  quoin_cancel_free(NULL);
  quoin_cancel_request(NULL);
  quoin_cancel_reset(NULL);
  quoin_close(NULL);
  quoin_shutdown(NULL);
  quoin_matches_close(NULL);
  quoin_txn_abort(NULL);
  quoin_prepared_free(NULL);
  quoin_cursor_close(NULL);
  assert_null(quoin_retain(NULL));
}

static void
test_library__names_every_status(void **state)
{
  (void)state;
  for (int st = QUOIN_ERR_NO_SPACE; st <= QUOIN_DONE; st++)
    assert_string_not_equal(quoin_status_name((quoin_status)st), "unknown status");
  assert_string_equal(quoin_status_name((quoin_status)-99), "unknown status");
  assert_int_equal(quoin_format_by_name("ttl"), QUOIN_TURTLE);
  assert_int_equal(quoin_format_by_name("no such"), QUOIN_FORMAT_AUTO);
  assert_int_equal(quoin_format_by_name(NULL), QUOIN_FORMAT_AUTO);
}

static void
test_open__checks_its_options(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_store *store = NULL;
  struct {
    quoin_open_options options;
    char newer[16];
  } wide = {.options = QUOIN_OPEN_OPTIONS_INIT};

  assert_int_equal(quoin_open(NULL, f->path, NULL, &err), QUOIN_ERR_ARGUMENT);
  assert_int_equal(quoin_open(&store, NULL, NULL, &err), QUOIN_ERR_ARGUMENT);
  wide.options.struct_size = 0;
  assert_int_equal(quoin_open(&store, f->path, &wide.options, &err), QUOIN_ERR_ARGUMENT);
  wide.options.struct_size = sizeof(wide);
  wide.newer[3] = 1;
  assert_int_equal(quoin_open(&store, f->path, &wide.options, &err), QUOIN_ERR_ARGUMENT);
  wide.newer[3] = 0;
  wide.options.indexes = 1u << 9;
  assert_int_equal(quoin_open(&store, f->path, &wide.options, &err), QUOIN_ERR_ARGUMENT);
  wide.options.indexes = 0;
  wide.options.mode = (quoin_mode)17;
  assert_int_equal(quoin_open(&store, f->path, &wide.options, &err), QUOIN_ERR_ARGUMENT);
  wide.options.mode = QUOIN_READ_ONLY;
  good(quoin_open(&store, f->path, &wide.options, &err), &err); /* unknown but zero: fine */
  quoin_close(store);
}

/* A log of any length is too long: what it holds goes into the files at once. Else it goes at rest,
 * or never. */
static void
test_open__bounds_of_the_log(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_stats stats = QUOIN_STATS_INIT;

  for (unsigned i = 0; i < 3; i++) {
    char line[64];
    uint64_t flushes = 0;
    options.log_bytes = i == 0 ? 1 : 0;
    options.rest_ms = i == 1 ? 1 : UINT64_MAX;
    quoin_close(f->store);
    good(quoin_open(&f->store, f->path, &options, &err), &err);
    (void)snprintf(line, sizeof line, "INSERT DATA { <s:%u> <p:> 1 }", i);
    good(quoin_update(NULL, f->store, text(line), NULL, &err), &err);
    while (i < 2 && !flushes) {
      (void)usleep(1000);
      good(quoin_store_stats(&stats, f->store, false, &err), &err);
      flushes = stats.flushes;
    }
    good(quoin_store_stats(&stats, f->store, false, &err), &err);
    assert_int_equal(stats.log_bytes != 0, i == 2);
  }
}

static void
test_open__modes(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_store *other = NULL;

  assert_int_equal(quoin_open(&other, "/tmp/no/such/store", NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_null(other);
  quoin_close(f->store);
  f->store = NULL;
  options.mode = QUOIN_CREATE_NEW;
  assert_int_equal(quoin_open(&other, f->path, &options, &err), QUOIN_ERR_EXISTS);
  options.mode = QUOIN_CREATE;
  good(quoin_open(&f->store, f->path, &options, &err), &err);
  options.mode = QUOIN_READ_ONLY;
  good(quoin_open(&other, f->path, &options, &err), &err);
  assert_int_equal(quoin_load_memory(NULL, other, text(""), NULL, &err), QUOIN_ERR_ARGUMENT);
  quoin_load_options load = QUOIN_LOAD_OPTIONS_INIT;
  load.format = QUOIN_NTRIPLES;
  assert_int_equal(quoin_load_memory(NULL, other, text("<s:> <p:> <o:> ."), &load, &err),
                   QUOIN_ERR_READ_ONLY);
  quoin_close(other);
}

/* ---- RDF in and out -------------------------------------------------------------------------- */

typedef struct slow_reader {
  const char *data;
  size_t step;
} slow_reader;

static quoin_status
read_slowly(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  slow_reader *reader = user;
  (void)err;
  *got = strlen(reader->data) < reader->step ? strlen(reader->data) : reader->step;
  if (*got > cap) *got = cap;
  memcpy(data, reader->data, *got);
  reader->data += *got;
  return QUOIN_OK;
}

static quoin_status
read_failing(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  (void)user, (void)data, (void)cap, (void)err;
  *got = 0;
  return QUOIN_ERR_IO;
}

static quoin_status
read_done(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  (void)user, (void)data, (void)cap, (void)err;
  *got = 0;
  return QUOIN_DONE;
}

static uint64_t
count_all(fixture *f)
{
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  good(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  return n;
}

static void
test_load__from_a_callback(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_result result;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  slow_reader reader = {"@prefix : <http://e/> . :s :p 1, 2, \"three\"@en .", 3};

  options.format = QUOIN_TURTLE;
  options.graph = text("http://e/g");
  good(quoin_load_callback(&result, f->store, read_slowly, &reader, "slow", &options, &err), &err);
  assert_int_equal(result.statements, 3);
  assert_int_equal(result.added, 3);
  assert_int_equal(count_all(f), 3);
  assert_int_equal(quoin_load_callback(NULL, f->store, read_failing, NULL, NULL, &options, &err),
                   QUOIN_ERR_IO);
  assert_int_equal(err.status, QUOIN_ERR_IO);
  assert_int_equal(quoin_load_callback(NULL, f->store, read_done, NULL, NULL, &options, &err),
                   QUOIN_ERR_ARGUMENT); /* "done" is no failure, and no success either */
  assert_int_equal(count_all(f), 3);
  options.graph = text("no iri");
  assert_int_equal(quoin_load_memory(NULL, f->store, text(""), &options, &err), QUOIN_ERR_ARGUMENT);
}

/* Gives three bytes a call, and at call `fail_at` a failure that it does not describe. */
typedef struct failing_reader {
  slow_reader slow;
  int fail_at;
} failing_reader;

static quoin_status
read_until_failure(size_t *got, void *user, void *data, size_t cap, quoin_error *err)
{
  failing_reader *reader = user;
  if (--reader->fail_at == 0) return QUOIN_ERR_IO;
  return read_slowly(got, &reader->slow, data, cap, err);
}

static void
test_load__ends_with_the_failure_of_its_callback(void **state)
{
  static const quoin_format formats[] = {QUOIN_NTRIPLES, QUOIN_NQUADS, QUOIN_TURTLE, QUOIN_TRIG};
  fixture *f = *state;
  for (int fail_at = 1; fail_at < 16; fail_at++) {
    for (size_t i = 0; i < 8; i++) {
      quoin_error err = QUOIN_ERROR_INIT;
      quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
      failing_reader reader = {{"<http://e/a> <http://e/b> <http://e/c> .\n", 3}, fail_at};
      options.format = formats[i % 4];
      options.lenient = i >= 4;
      int st = quoin_load_callback(NULL, f->store, read_until_failure, &reader, "failing", &options,
                                   fail_at % 2 ? &err : NULL);
      if (fail_at < 15) assert_int_equal(st, QUOIN_ERR_IO); /* 14 pieces, then the end */
      if (fail_at % 2 && st) assert_int_equal(err.status, QUOIN_ERR_IO);
      if (fail_at < 15) assert_int_equal(count_all(f), 0);
    }
  }
}

static void
test_load__reports_where_the_fault_is(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  options.format = QUOIN_NTRIPLES;
  assert_int_equal(quoin_load_memory(NULL, f->store, text("<s:> <p:> <o:> .\n<s:> <p:> oops .\n"),
                                     &options, &err),
                   QUOIN_ERR_SYNTAX);
  assert_int_equal(err.line, 2);
  assert_int_equal(err.column, 11);
  assert_int_equal(count_all(f), 0);
}

static void
test_load__can_be_cancelled(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;

  options.format = QUOIN_NTRIPLES;
  good(quoin_cancel_new(&options.cancel, &err), &err);
  quoin_cancel_request(options.cancel);
  assert_int_equal(quoin_load_memory(NULL, f->store, text("<s:> <p:> <o:> ."), &options, &err),
                   QUOIN_ERR_CANCELLED);
  quoin_cancel_reset(options.cancel);
  good(quoin_load_memory(NULL, f->store, text("<s:> <p:> <o:> ."), &options, &err), &err);
  quoin_cancel_free(options.cancel);
}

static void
test_match__patterns(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_matches *matches = NULL;
  const quoin_statement *s = NULL;
  quoin_statement pattern = {0};
  uint64_t n = 0;

  load_text(f, QUOIN_NQUADS,
            "<a:> <p:> \"x\" .\n<a:> <p:> \"x\"@en <g:> .\n<b:> <q:> _:n <g:> .\n"
            "<b:> <q:> \"7\"^^<http://www.w3.org/2001/XMLSchema#integer> <h:> .\n");
  pattern.subject = iri("a:");
  good(quoin_count(&n, f->store, &pattern, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 2);
  good(quoin_count(&n, f->store, &pattern, QUOIN_DEFAULT_GRAPH, &err), &err);
  assert_int_equal(n, 1);
  pattern.graph = iri("g:");
  good(quoin_match(&matches, f->store, &pattern, QUOIN_NAMED_GRAPHS, &err), &err);
  good(quoin_matches_next(&s, matches, &err), &err);
  assert_int_equal(s->object.lang.len, 2);
  assert_true(strncmp(s->object.datatype.ptr + s->object.datatype.len - 10, "langString", 10) == 0);
  assert_int_equal(quoin_matches_next(&s, matches, &err), QUOIN_DONE);
  assert_int_equal(quoin_matches_next(&s, matches, &err), QUOIN_DONE);
  quoin_matches_close(matches);

  pattern = (quoin_statement){.subject = iri("never:seen")};
  good(quoin_match(&matches, f->store, &pattern, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(quoin_matches_next(&s, matches, &err), QUOIN_DONE);
  quoin_matches_close(matches);
  pattern = (quoin_statement){.graph = iri("g:")};
  assert_int_equal(quoin_count(&n, f->store, &pattern, QUOIN_DEFAULT_GRAPH, &err),
                   QUOIN_ERR_ARGUMENT);

  /* A blank node found is a blank node to ask for. */
  pattern = (quoin_statement){.subject = iri("b:"), .graph = iri("g:")};
  good(quoin_match(&matches, f->store, &pattern, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&s, matches, &err), &err);
  assert_int_equal(s->object.kind, QUOIN_TERM_BLANK);
  assert_int_not_equal(s->object.node, 0);
  pattern = (quoin_statement){.object = {.kind = QUOIN_TERM_BLANK, .node = s->object.node}};
  quoin_matches_close(matches);
  good(quoin_count(&n, f->store, &pattern, QUOIN_ANY_GRAPH, &err), &err);
  assert_int_equal(n, 1);
}

static void
test_dump__formats(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  sink out = {0};
  uint64_t n = 0;

  load_text(f, QUOIN_NQUADS, "<a:> <p:> \"x\" .\n");
  good(quoin_dump(&n, f->store, QUOIN_NTRIPLES, sink_write, &out, NULL, &err), &err);
  assert_int_equal(n, 1);
  assert_string_equal(out.data, "<a:> <p:> \"x\" .\n");
  load_text(f, QUOIN_NQUADS, "<a:> <p:> \"x\" <g:> .\n");
  out.len = 0;
  assert_int_equal(quoin_dump(&n, f->store, QUOIN_TURTLE, sink_write, &out, NULL, &err),
                   QUOIN_ERR_ARGUMENT);
  assert_int_equal(out.len, 0);
  good(quoin_dump(&n, f->store, QUOIN_NQUADS, sink_write, &out, NULL, &err), &err);
  assert_string_equal(out.data, "<a:> <p:> \"x\" .\n<a:> <p:> \"x\" <g:> .\n");
  out.len = 0;
  good(quoin_dump(&n, f->store, QUOIN_TRIG, sink_write, &out, NULL, &err), &err);
  const uint64_t before = count_all(f);
  load_text(f, QUOIN_TRIG, out.data);
  assert_int_equal(count_all(f), before);
  free(out.data);
}

static void
test_stats__count(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_stats stats = QUOIN_STATS_INIT;

  load_text(f, QUOIN_NQUADS,
            "<a:> <p:> \"x\" .\n<a:> <q:> \"x\" <g:> .\n"
            "<a:> <q:> \"y\" <g:> .\n<a:> <q:> _:b <h:> .\n");
  good(quoin_store_stats(&stats, f->store, false, &err), &err);
  assert_int_equal(stats.graphs, UINT64_MAX);
  good(quoin_store_stats(&stats, f->store, true, &err), &err);
  assert_int_equal(stats.struct_size, sizeof(stats));
  assert_int_equal(stats.quads, 4);
  assert_int_equal(stats.default_quads, 1);
  assert_int_equal(stats.named_quads, 3);
  assert_int_equal(stats.graphs, 2);
  assert_int_equal(stats.predicates, 2);
  assert_int_equal(stats.blank_nodes, 1);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void
test_close__an_iterator_may_outlive_its_store(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_matches *matches = NULL;
  const quoin_statement *s = NULL;

  load_text(f, QUOIN_NQUADS, "<a:> <p:> \"x\" .\n<a:> <p:> \"y\" .\n");
  good(quoin_match(&matches, f->store, NULL, QUOIN_ANY_GRAPH, &err), &err);
  good(quoin_matches_next(&s, matches, &err), &err);
  quoin_close(f->store);
  assert_int_equal(quoin_matches_next(&s, matches, &err), QUOIN_ERR_CLOSED);
  good(open_store(f, QUOIN_READ_WRITE, &err), &err); /* the lock is free */
  quoin_matches_close(matches);
}

static void
test_close__shutdown_is_for_all_references(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  uint64_t n = 0;
  quoin_store *other = quoin_retain(f->store);

  quoin_shutdown(other);
  quoin_shutdown(other);
  assert_int_equal(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), QUOIN_ERR_CLOSED);
  quoin_close(other);
  assert_int_equal(quoin_count(&n, f->store, NULL, QUOIN_ANY_GRAPH, &err), QUOIN_ERR_CLOSED);
}

typedef struct worker {
  quoin_store *store;
  atomic_bool *bad;
  unsigned number;
} worker;

/* Anything but success and CLOSED is a failure; after the first CLOSED nothing succeeds. */
static void *
work(void *user)
{
  worker *w = user;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_status st = QUOIN_OK;

  for (unsigned i = 0; st != QUOIN_ERR_CLOSED; i++) {
    const quoin_statement *s = NULL;
    quoin_matches *matches = NULL;
    uint64_t n = 0;
    if ((i + w->number) % 3 == 0) {
      st = quoin_count(&n, w->store, NULL, QUOIN_ANY_GRAPH, &err);
    } else {
      st = quoin_match(&matches, w->store, NULL, QUOIN_ANY_GRAPH, &err);
      while (!st)
        st = quoin_matches_next(&s, matches, &err);
      if (st == QUOIN_DONE) st = QUOIN_OK;
      quoin_matches_close(matches);
    }
    if (st && st != QUOIN_ERR_CLOSED) break;
  }
  if (st != QUOIN_ERR_CLOSED) atomic_store(w->bad, true);
  quoin_close(w->store);
  return NULL;
}

static void
test_close__while_others_work(void **state)
{
  enum { THREADS = 8 };
  fixture *f = *state;
  pthread_t threads[THREADS];
  worker workers[THREADS];
  atomic_bool bad = false;
  char line[64];
  sink data = {0};

  for (int i = 0; i < 3000; i++) {
    const int len = snprintf(line, sizeof(line), "<s:%d> <p:> \"%d\" .\n", i, i);
    (void)sink_write(&data, line, (size_t)len, NULL);
  }
  load_text(f, QUOIN_NTRIPLES, data.data);
  free(data.data);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i] = (worker){quoin_retain(f->store), &bad, i};
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  }
  usleep(50000);
  quoin_shutdown(f->store);
  for (unsigned i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  assert_false(atomic_load(&bad));
}

/* ---- without a store ------------------------------------------------------------------------- */

static quoin_status
count_statement(void *user, const quoin_statement *s, quoin_error *err)
{
  (void)err;
  assert_int_equal(s->subject.kind, QUOIN_TERM_IRI);
  return ++*(uint64_t *)user == 2 ? QUOIN_ERR_LIMIT : QUOIN_OK;
}

static void
test_parse__needs_no_store(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_load_result result;
  sink out = {0};
  char path[96];
  uint64_t n = 0;

  snprintf(path, sizeof(path), "%s/a.ttl", f->dir);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("@prefix : <http://e/> . :s :p 1 ; :q \"two\" . :t :p <rel> .", file);
  fclose(file);
  quoin_load_options options = QUOIN_LOAD_OPTIONS_INIT;
  options.base = text("http://base/dir/");
  good(quoin_parse_write(&result, path, &options, sink_write, &out, &err), &err);
  assert_int_equal(result.statements, 3);
  assert_string_equal(
      out.data, "<http://e/s> <http://e/p> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n"
                "<http://e/s> <http://e/q> \"two\" .\n"
                "<http://e/t> <http://e/p> <http://base/dir/rel> .\n");
  assert_int_equal(quoin_parse(&result, path, NULL, count_statement, &n, &err), QUOIN_ERR_LIMIT);
  assert_int_equal(err.status, QUOIN_ERR_LIMIT);
  assert_int_equal(n, 2);
  free(out.data);
}

static void
test_term__is_written_as_ntriples(void **state)
{
  (void)state;
  quoin_error err = QUOIN_ERROR_INIT;
  sink out = {0};
  quoin_term term = literal("a\"b\n");

  good(quoin_term_write(&term, sink_write, &out, &err), &err);
  assert_string_equal(out.data, "\"a\\\"b\\n\"");
  out.len = 0;
  term.lang = text("en-GB");
  good(quoin_term_write(&term, sink_write, &out, &err), &err);
  assert_string_equal(out.data, "\"a\\\"b\\n\"@en-GB");
  term.lang = text("en_GB");
  assert_int_equal(quoin_term_write(&term, sink_write, &out, &err), QUOIN_ERR_ARGUMENT);
  term = literal("\xff");
  assert_int_equal(quoin_term_write(&term, sink_write, &out, &err), QUOIN_ERR_ARGUMENT);
  term = iri("relative");
  assert_int_equal(quoin_term_write(&term, sink_write, &out, &err), QUOIN_ERR_ARGUMENT);
  free(out.data);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_library__frees_take_null),
      cmocka_unit_test(test_library__names_every_status),
      cmocka_unit_test_setup_teardown(test_open__checks_its_options, setup, teardown),
      cmocka_unit_test_setup_teardown(test_open__bounds_of_the_log, setup, teardown),
      cmocka_unit_test_setup_teardown(test_open__modes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__ends_with_the_failure_of_its_callback, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_load__from_a_callback, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__reports_where_the_fault_is, setup, teardown),
      cmocka_unit_test_setup_teardown(test_load__can_be_cancelled, setup, teardown),
      cmocka_unit_test_setup_teardown(test_match__patterns, setup, teardown),
      cmocka_unit_test_setup_teardown(test_dump__formats, setup, teardown),
      cmocka_unit_test_setup_teardown(test_stats__count, setup, teardown),
      cmocka_unit_test_setup_teardown(test_close__an_iterator_may_outlive_its_store, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_close__shutdown_is_for_all_references, setup, teardown),
      cmocka_unit_test_setup_teardown(test_close__while_others_work, setup, teardown),
      cmocka_unit_test_setup_teardown(test_parse__needs_no_store, setup, teardown),
      cmocka_unit_test(test_term__is_written_as_ntriples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
