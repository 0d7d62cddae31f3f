/* Vector indexes through the public interface. */
#include "fixture.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { DIM = 16, MANY = 3000, QUERIES = 64 };
#define P "http://x/v"
#define VEC "PREFIX vec: <urn:x-quoin:vec#> "
#define SYSTEM "GRAPH <urn:x-quoin:system> "

static void
update(fixture *f, const char *what)
{
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_update(NULL, f->store, text(what), NULL, &err), &err);
}

static void
declare(fixture *f)
{
  update(f, VEC "INSERT DATA { " SYSTEM "{ <" P "> a vec:Index ; vec:dimension 16 } }");
}

static void
make_vector(float out[DIM], unsigned seed)
{
  uint64_t s = seed * 0x9E3779B97F4A7C15u + 99;
  for (int i = 0; i < DIM; i++) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    out[i] = (float)(s >> 40) / 8388608.0f - 1.0f;
  }
}

static void
put(quoin_txn *txn, unsigned i, const float *values)
{
  char name[64];
  quoin_error err = QUOIN_ERROR_INIT;
  snprintf(name, sizeof(name), "http://x/s%u", i);
  const quoin_term subject = iri(name);
  good(quoin_txn_add_vector(txn, &subject, text(P), NULL, values, DIM, &err), &err);
}

static void
add_many(fixture *f, unsigned from, unsigned n)
{
  quoin_txn *txn;
  quoin_error err = QUOIN_ERROR_INIT;
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  for (unsigned i = from; i < from + n; i++) {
    float values[DIM];
    make_vector(values, i);
    put(txn, i, values);
  }
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
}

/* ---- promises -------------------------------------------------------------------------------- */

static void
promise_n3_a_handle_resolves_its_name_once(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *v[2];
  quoin_hits *hits, *old;
  quoin_term term;
  float near[DIM];
  assert_int_equal(quoin_vectors_open(&v[0], f->store, text(P), &err), QUOIN_ERR_NOT_FOUND);
  declare(f);
  add_many(f, 0, 100);
  for (int i = 0; i < 2; i++)
    good(quoin_vectors_open(&v[i], f->store, text(P), &err), &err);
  assert_int_equal(quoin_vectors_dimension(v[0]), DIM);
  make_vector(near, 42);
  good(quoin_vectors_search(&old, v[0], near, 1, NULL, &err), &err);
  /* The index goes while handles and hits live. */
  update(f, VEC "DELETE WHERE { " SYSTEM "{ <" P "> ?p ?o } }");
  assert_int_equal(quoin_vectors_search(&hits, v[0], near, 1, NULL, &err), QUOIN_ERR_NOT_FOUND);
  assert_int_equal(quoin_hits_count(old, 0), 10);
  good(quoin_hits_term(&term, old, 0, 0, &err), &err);
  assert_memory_equal(term.value.ptr, "http://x/s42", term.value.len);
  /* And comes again: the handle is good again, and after the ids have changed. */
  declare(f);
  good(quoin_store_compact(f->store, 0, NULL, &err), &err);
  good(quoin_vectors_search(&hits, v[1], near, 1, NULL, &err), &err);
  assert_true(quoin_hits_distance(hits, 0, 0) < 1e-6);
  quoin_hits_close(hits);
  quoin_vectors_close(v[0]);
  quoin_shutdown(f->store);
  assert_int_equal(quoin_vectors_search(&hits, v[1], near, 1, NULL, &err), QUOIN_ERR_CLOSED);
  quoin_hits_close(old);
  quoin_vectors_close(v[1]);
}

static void
promise_n5_a_batch_is_searched_in_parallel(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *v;
  quoin_hits *hits[3];
  float *near = calloc(QUERIES * DIM, sizeof(*near));
  assert_non_null(near);
  declare(f);
  add_many(f, 0, MANY);
  good(quoin_vectors_settle(f->store, NULL, &err), &err);
  good(quoin_vectors_open(&v, f->store, text(P), &err), &err);
  for (unsigned q = 0; q < QUERIES; q++)
    make_vector(near + q * DIM, 100000 + q);
  /* By one thread, by four, and looking at all. The same graph gives the same answers. */
  for (unsigned i = 0; i < 3; i++) {
    quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
    options.threads = i == 1 ? 4 : 1;
    options.exact = i == 2;
    good(quoin_vectors_search(&hits[i], v, near, QUERIES, &options, &err), &err);
    assert_true(quoin_hits_approximate(hits[i]) == (i != 2));
  }
  size_t found = 0;
  for (size_t q = 0; q < QUERIES; q++) {
    assert_int_equal(quoin_hits_count(hits[0], q), 10);
    double last = quoin_hits_distance(hits[2], q, 9);
    for (size_t i = 0; i < 10; i++) {
      assert_true(quoin_hits_distance(hits[0], q, i) == quoin_hits_distance(hits[1], q, i));
      found += quoin_hits_distance(hits[0], q, i) <= last;
    }
  }
  assert_true((double)found >= 0.95 * QUERIES * 10);
  for (int i = 0; i < 3; i++)
    quoin_hits_close(hits[i]);
  quoin_vectors_close(v);
  free(near);
}

/* Searches run beside a writer: every subject found is one that was committed, and none twice. */
typedef struct reader {
  quoin_store *store;
  atomic_bool *stop;
  _Atomic uint64_t searches;
  quoin_error err;
} reader;

static void *
read_along(void *user)
{
  reader *r = user;
  quoin_vectors *v;
  if (quoin_vectors_open(&v, r->store, text(P), &r->err)) return NULL;
  while (!atomic_load(r->stop)) {
    float near[DIM];
    quoin_hits *hits;
    make_vector(near, 7000000 + (unsigned)r->searches++);
    if (quoin_vectors_search(&hits, v, near, 1, NULL, &r->err)) break;
    double before = -1;
    for (size_t i = 0; i < quoin_hits_count(hits, 0); i++) {
      double d = quoin_hits_distance(hits, 0, i);
      quoin_term term;
      if (!(d >= before) || quoin_hits_term(&term, hits, 0, i, &r->err) ||
          term.kind != QUOIN_TERM_IRI)
        r->err.status = QUOIN_ERR_CORRUPT;
      before = d;
    }
    quoin_hits_close(hits);
  }
  quoin_vectors_close(v);
  return NULL;
}

static void
promise_c3_searches_see_whole_records(void **state)
{
  fixture *f = *state;
  atomic_bool stop = false;
  pthread_t thread[2];
  reader readers[2];
  declare(f);
  add_many(f, 0, MANY);
  for (int i = 0; i < 2; i++) {
    readers[i].store = f->store;
    readers[i].stop = &stop;
    readers[i].err = (quoin_error)QUOIN_ERROR_INIT;
    readers[i].searches = 0;
    assert_int_equal(pthread_create(&thread[i], NULL, read_along, &readers[i]), 0);
  }
  for (unsigned i = 0; i < 20 || ((readers[0].searches < 5 || readers[1].searches < 5) && i < 500);
       i++)
    add_many(f, MANY + i * 50, 50);
  atomic_store(&stop, true);
  for (int i = 0; i < 2; i++) {
    pthread_join(thread[i], NULL);
    good(readers[i].err.status, &readers[i].err);
    assert_true(readers[i].searches > 0);
  }
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void
test_vectors__a_transaction_sees_its_own(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn;
  quoin_cursor *cursor;
  float values[DIM] = {3, 4};
  size_t n;
  declare(f);
  add_many(f, 0, 50);
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  put(txn, 999, values);
  good(quoin_txn_query(&cursor, txn,
                       text(VEC "SELECT ?s ?v { (?s ?d) vec:nearest (<" P "> "
                                "\"[3,4,0,0,0,0,0,0,0,0,0,0,0,0,0,0]\"^^vec:f32 1) { ?s <" P
                                "> ?v } }"),
                       NULL, &err),
       &err);
  good(quoin_cursor_next(cursor, &err), &err);
  quoin_span s = quoin_cursor_text(cursor, 0);
  assert_memory_equal(s.ptr, "<http://x/s999>", s.len);
  assert_int_equal(quoin_cursor_type(cursor, 1), QUOIN_TYPE_VECTOR);
  const float *got = quoin_cursor_vector(&n, cursor, 1);
  assert_int_equal(n, DIM);
  assert_memory_equal(got, values, sizeof(values));
  assert_null(quoin_cursor_vector(&n, cursor, 0));
  quoin_cursor_close(cursor);
  good(quoin_txn_commit(NULL, NULL, txn, &err), &err);
  for (int exact = 0; exact < 2; exact++) {
    good(
        quoin_query(&cursor, f->store,
                    text(exact ? VEC "SELECT ?s { (?s ?d) vec:nearest (<" P
                                     "> <http://x/s1> 1 vec:exact true) }"
                               : VEC "SELECT ?s { (?s ?d) vec:nearest (<" P "> <http://x/s1> 1) }"),
                    NULL, &err),
        &err);
    good(quoin_cursor_next(cursor, &err), &err);
    assert_int_equal(quoin_cursor_next(cursor, &err), QUOIN_DONE);
    assert_int_equal(quoin_cursor_outcome(cursor),
                     exact ? QUOIN_OUTCOME_COMPLETE : QUOIN_OUTCOME_APPROXIMATE);
    quoin_cursor_close(cursor);
  }
  good(quoin_query(&cursor, f->store, text("SELECT ?v { <http://x/s999> <" P "> ?v }"), NULL, &err),
       &err);
  quoin_batch batch;
  good(quoin_cursor_batch(&batch, cursor, &err), &err);
  assert_int_equal(batch.type[0][0], QUOIN_TYPE_VECTOR);
  assert_memory_equal(batch.value[0][0].vector, values, sizeof(values));
  quoin_cursor_close(cursor);
}

static void
test_vectors__what_is_refused(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_txn *txn;
  quoin_vectors *v;
  quoin_hits *hits;
  float values[DIM] = {0};
  const quoin_term subject = iri("http://x/s");
  declare(f);
  good(quoin_vectors_open(&v, f->store, text(P), &err), &err);
  assert_int_equal(quoin_vectors_search(&hits, v, values, 1, NULL, &err), QUOIN_ERR_ARGUMENT);
  values[3] = (float)NAN;
  assert_int_equal(quoin_vectors_search(&hits, v, values, 1, NULL, &err), QUOIN_ERR_ARGUMENT);
  good(quoin_txn_begin(&txn, f->store, &err), &err);
  assert_int_equal(quoin_txn_add_vector(txn, &subject, text(P), NULL, values, DIM, &err),
                   QUOIN_ERR_ARGUMENT);
  values[3] = 1;
  good(quoin_txn_add_vector(txn, &subject, text(P), NULL, values, 4, &err), &err);
  assert_int_equal(quoin_txn_commit(NULL, NULL, txn, &err), QUOIN_ERR_CONSTRAINT);
  assert_non_null(strstr(err.message, "another dimension"));
  good(quoin_vectors_search(&hits, v, values, 1, NULL, &err), &err);
  assert_int_equal(quoin_hits_count(hits, 0), 0);
  quoin_hits_close(hits);
  quoin_vectors_close(v);
  quoin_vectors_close(NULL);
  quoin_hits_close(NULL);
}

/* Under dot distances go below 0: a bound there, or at 0, holds. */
static void
test_vectors__a_bound_of_the_distance(void **state)
{
  fixture *f = *state;
  static const struct {
    double bound;
    size_t found;
  } bounds[] = {{HUGE_VAL, 3}, {(double)NAN, 3}, {0, 2}, {-0.5, 1}, {-1, 1}, {-2, 0}, {1, 3}};
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *v;
  quoin_hits *hits;
  const float near[2] = {2, 0};
  update(f, VEC "INSERT DATA { " SYSTEM "{ <" P "> a vec:Index ; vec:dimension 2 ; vec:metric "
                "vec:dotMetric } <http://x/a> <" P "> '[1,0]'^^vec:f32 . <http://x/b> <" P
                "> '[0.5,1]'^^vec:f32 . <http://x/c> <" P "> '[0,1]'^^vec:f32 }");
  good(quoin_vectors_open(&v, f->store, text(P), &err), &err);
  for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
    quoin_search_options options = QUOIN_SEARCH_OPTIONS_INIT;
    options.max_distance = bounds[i].bound;
    good(quoin_vectors_search(&hits, v, near, 1, &options, &err), &err);
    assert_int_equal(quoin_hits_count(hits, 0), bounds[i].found);
    quoin_hits_close(hits);
  }
  quoin_vectors_close(v);
}

static void
test_vectors__check_and_reopen(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_vectors *v;
  quoin_vectors_report report = QUOIN_VECTORS_REPORT_INIT;
  declare(f);
  add_many(f, 0, MANY);
  good(quoin_vectors_settle(f->store, NULL, &err), &err);
  for (int round = 0; round < 2; round++) {
    good(quoin_vectors_open(&v, f->store, text(P), &err), &err);
    good(quoin_vectors_check(&report, v, true, NULL, &err), &err);
    assert_int_equal(report.nodes, MANY);
    assert_int_equal(report.unreachable, 0);
    quoin_vectors_close(v);
    quoin_close(f->store);
    good(open_store(f, round ? QUOIN_READ_WRITE : QUOIN_READ_ONLY, &err), &err);
  }
}

/* A reading handle opens atoms anew for each manifest: its indexes must not look at those before.
 */
static void
test_vectors__a_reader_moves_on_with_the_atoms(void **state)
{
  fixture *f = *state;
  quoin_error err = QUOIN_ERROR_INIT;
  quoin_open_options options = QUOIN_OPEN_OPTIONS_INIT;
  quoin_store *beside;
  options.mode = QUOIN_READ_ONLY;
  declare(f);
  add_many(f, 0, MANY);
  good(quoin_vectors_settle(f->store, NULL, &err), &err);
  good(quoin_checkpoint(f->store, &err), &err);
  good(quoin_open(&beside, f->path, &options, &err), &err);
  for (unsigned round = 0; round < 6; round++) {
    quoin_vectors *v;
    quoin_hits *hits;
    float near[DIM];
    const unsigned last = MANY + 20 * round + 19;
    add_many(f, last - 19, 20);
    if (round % 3) good(quoin_checkpoint(f->store, &err), &err);
    if (round % 3 == 2) good(quoin_checkpoint(f->store, &err), &err);
    good(quoin_store_refresh(NULL, beside, &err), &err);
    good(quoin_vectors_open(&v, beside, text(P), &err), &err);
    for (unsigned i = 0; i < 2; i++) { /* a new one, and one of the graph */
      make_vector(near, i ? round : last);
      good(quoin_vectors_search(&hits, v, near, 1, NULL, &err), &err);
      assert_true(quoin_hits_distance(hits, 0, 0) < 1e-6);
      quoin_hits_close(hits);
    }
    quoin_vectors_close(v);
  }
  quoin_close(beside);
}

int
main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(promise_n3_a_handle_resolves_its_name_once, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_n5_a_batch_is_searched_in_parallel, setup, teardown),
      cmocka_unit_test_setup_teardown(promise_c3_searches_see_whole_records, setup, teardown),
      cmocka_unit_test_setup_teardown(test_vectors__a_transaction_sees_its_own, setup, teardown),
      cmocka_unit_test_setup_teardown(test_vectors__what_is_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(test_vectors__a_bound_of_the_distance, setup, teardown),
      cmocka_unit_test_setup_teardown(test_vectors__check_and_reopen, setup, teardown),
      cmocka_unit_test_setup_teardown(test_vectors__a_reader_moves_on_with_the_atoms, setup,
                                      teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
